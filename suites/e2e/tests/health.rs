//! The oracle predicts every literal about pings: what is asked, what is answered round by round, and what follows from it; and
//! one that says something else of an endpoint does not.

use std::path::Path;
use std::sync::Arc;

use e2e::suite::Suite;
use model::Case;
use model::case::{Health, Pings};
use oracle::health::{Endpoints, Rounds};

fn cases() -> (Suite, Vec<Arc<Case>>) {
    let suite = Suite::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
    let cases: Vec<_> = suite.cases.iter().filter(|case| !case.pings.is_empty()).cloned().collect();
    assert!(cases.len() > 5, "only {} cases speak of pings: were some lost?", cases.len());
    (suite, cases)
}

/// The rounds of a case that it waits for.
fn rounds(case: &Case) -> Rounds {
    let mut rounds = Rounds::begin(&case.given.faults);
    case.steps.iter().flat_map(|step| &step.before).for_each(|steering| rounds.steered(steering));
    rounds
}

/// What differs between a row of a case and what the oracle says of it.
fn difference(endpoints: &Endpoints, suite: &Suite, case: &Case, row: &Pings) -> Option<String> {
    let (topology, rounds) = (suite.topology_of(case).unwrap(), rounds(case));
    let wanted: Vec<Vec<String>> =
        row.answers.iter().map(|kind| kind.iter().map(|status| status.0.to_string()).collect()).collect();
    row.at.iter().find_map(|server| {
        let says = |what: &str| Some(format!("{}: {server}/{}: {what}", case.id, row.of));
        let Some(endpoint) = endpoints.of(&topology, server, row.of) else { return says("is not asked") };
        let kinds = rounds.kinds(server, row.of, endpoint.status());
        let is_down = rounds.down().contains(&(server.clone(), row.of));
        let logged = endpoint.logged("{fqdn}");
        match () {
            () if usize::from(row.rounds) > rounds.count() => says("more rounds than are waited for"),
            () if kinds != wanted => says(&format!("{kinds:?}")),
            () if is_down != (row.then == Health::Down) => says("up or down"),
            () if row.logged.as_ref().is_some_and(|wanted| *wanted != logged) => says(&logged),
            () => None,
        }
    })
}

#[test]
fn the_oracle_predicts_every_row_of_pings() {
    let (suite, cases) = cases();
    let rows = cases.iter().flat_map(|case| case.pings.iter().map(move |row| (case, row)));
    let wrong: Vec<String> =
        rows.filter_map(|(case, row)| difference(&Endpoints::standard(), &suite, case, row)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_flipped_cell_of_the_endpoints_contradicts_some_row() {
    let (suite, cases) = cases();
    let standard = Endpoints::standard();
    for cell in 0..standard.cells() {
        let (flipped, name) = standard.flipped(cell).expect("a cell below `cells` is one");
        let noticed = cases
            .iter()
            .any(|case| case.pings.iter().any(|row| difference(&flipped, &suite, case, row).is_some()));
        assert!(noticed, "no row notices {name}");
    }
}
