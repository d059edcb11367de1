//! The table as such, over random topologies: complete, unambiguous, and every cell matters.

use std::collections::{BTreeMap, BTreeSet};

use model::{Topology, When};
use oracle::{Prediction, Row, Table, journeys, predict, random};
use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};

const SEEDS: u64 = 300;

fn every(mut with: impl FnMut(&Topology, &When)) {
    for seed in 0..SEEDS {
        let topology = random::topology(seed);
        for when in journeys(&topology) {
            with(&topology, &when);
        }
    }
}

#[test]
fn every_row_is_used_by_some_usual_journey() {
    let table = Table::standard();
    let mut used = BTreeSet::new();
    every(|topology, when| used.extend(predict(&table, topology, when).map(|p| p.rows).unwrap_or_default()));
    let idle: Vec<&str> = table.rows().iter().map(|row| row.id).filter(|id| !used.contains(id)).collect();
    assert!(idle.is_empty(), "no journey uses {idle:?}");
}

#[test]
fn no_two_rows_apply_at_once() {
    let rows = Table::standard().rows().to_vec();
    let meet = |a: &Row, b: &Row| {
        // Two rows overlap when no column keeps them apart; a turned column is how the table says "not".
        let (a, b) = (a.when, b.when);
        a.asks.meets(b.asks)
            && a.at.meets(b.at)
            && a.seat.meets(b.seat)
            && a.mailbox.meets(b.mailbox)
            && a.place.meets(b.place)
            && a.cross_site.meets(b.cross_site)
            && a.sso.meets(b.sso)
            && a.plain.meets(b.plain)
            && a.device.meets(b.device)
            && a.speaks.meets(b.speaks)
            && a.credentials.meets(b.credentials)
            && a.gate.meets(b.gate)
            && a.selection.meets(b.selection)
            && a.channel.meets(b.channel)
            && a.service.meets(b.service)
            && a.ntlm.meets(b.ntlm)
    };
    for (at, row) in rows.iter().enumerate() {
        for other in &rows[at + 1..] {
            assert!(!meet(row, other), "{row}\n{other}");
            assert_ne!(row.id, other.id);
        }
    }
}

#[test]
fn usual_journeys_are_predicted() {
    let table = Table::standard();
    let (mut all, mut why) = (0usize, BTreeMap::<String, usize>::new());
    every(|topology, when| {
        all += 1;
        if let Err(unpredicted) = predict(&table, topology, when) {
            *why.entry(unpredicted.why).or_default() += 1;
        }
    });
    assert!(why.is_empty(), "of {all}: {why:#?}");
}

#[test]
fn each_flipped_cell_changes_a_claimed_prediction() {
    let table = Table::standard();
    let mut unnoticed: Vec<usize> = (0..table.cells()).collect();
    assert!(table.flipped(table.cells()).is_none());
    let flipped: Vec<Table> = unnoticed.iter().map(|cell| table.flipped(*cell).unwrap()).collect();
    for seed in 0..SEEDS {
        let topology = random::topology(seed);
        for when in journeys(&topology) {
            let Ok(Prediction { legs, unclaimed: None, .. }) = predict(&table, &topology, &when) else {
                continue;
            };
            unnoticed.retain(|cell| predict(&flipped[*cell], &topology, &when).is_ok_and(|p| p.legs == legs));
        }
    }
    let names: Vec<String> = unnoticed.iter().map(|cell| table.cell(*cell).unwrap()).collect();
    assert!(names.is_empty(), "{names:#?}");
}

#[test]
fn a_row_reads_as_a_sentence() {
    let table = Table::standard();
    let row = table.rows().iter().find(|row| row.id == "CX-OWA-4B").unwrap();
    assert_eq!(
        row.to_string(),
        "CX-OWA-4B: asks: owa or ecp; at CAS2013; mailbox 2010; in other site, facing -> redirect to a server of the \
         mailbox's version in its site [CX-OWA-4B]"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_2013_front_end_never_answers_451_and_never_shows_a_leg_without_hops(seed in any::<u64>()) {
        let (table, topology) = (Table::standard(), random::topology(seed));
        for when in journeys(&topology) {
            let Ok(predicted) = predict(&table, &topology, &when) else { continue };
            for leg in predicted.legs {
                prop_assert_eq!(leg.hops.is_empty(), false);
                let seat = leg.hops[0].at.admits(&topology.seat) && topology.seat.as_str() == "cas2013-s1";
                prop_assert_eq!(seat && matches!(leg.told, model::Told::Http451(_)), false);
            }
        }
    }
}
