//! The oracle predicts every literal of the suite; and a table with one cell flipped does not.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use e2e::suite::Suite;
use model::case::{Answer, ClientKind, Hop, Leg, Position, Told};
use model::subject::{LocalSite, MailRetry};
use model::{Case, Topology, When};
use oracle::health::Rounds;
use oracle::{Table, Trouble, predict_under};

/// One step of a literal case, in its topology.
struct Literal {
    case: Arc<Case>,
    topology: Arc<Topology>,
    when: When,
    then: Vec<Leg>,
    trouble: Trouble,
}

/// Every step of every case.
fn literals() -> Vec<Literal> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let suite = Suite::read(&root).unwrap_or_else(|error| panic!("{error:#?}"));
    let mut all = vec![];
    // The table has one reading of the local site, the article's, and of a mail session whose first candidate fails; a
    // subject may declare the other.
    let article = |case: &&Arc<Case>| {
        case.declares.oab_local_site != Some(LocalSite::Mailbox)
            && case.declares.mail_retry != Some(MailRetry::Next)
    };
    for case in suite.cases.iter().filter(article) {
        let mut topology = suite.topology_of(case).unwrap();
        let mut rounds = Rounds::begin(&case.given.faults);
        for step in &case.steps {
            for steering in &step.before {
                steering.changes(Arc::make_mut(&mut topology));
                rounds.steered(steering);
            }
            let (when, then) = (step.when.clone(), step.then.clone());
            let trouble = Trouble { faults: case.given.faults.clone(), down: rounds.down().clone() };
            all.push(Literal { case: case.clone(), topology: topology.clone(), when, then, trouble });
        }
    }
    assert!(all.len() >= suite.floor / 2, "only {} steps: were cases lost?", all.len());
    all
}

/// What differs between a literal and what a table says of it.
fn difference(table: &Table, literal: &Literal) -> Option<String> {
    let id = &literal.case.id;
    match predict_under(table, &literal.topology, &literal.when, &literal.trouble) {
        Err(error) => Some(format!("{id}: {error}")),
        Ok(predicted) if is_of_bytes(literal) && same_way(&literal.then, &predicted.legs) => None,
        Ok(predicted) if agree(&literal.then, &predicted.legs) => None,
        Ok(predicted) => {
            let mut says = format!("{id}: rows {}\n", predicted.rows.join(", "));
            for (name, legs) in [("expected", &literal.then), ("predicted", &predicted.legs)] {
                for leg in legs {
                    let _ = writeln!(says, "  {name:<9} {}", shown(leg));
                }
            }
            Some(says)
        }
    }
}

fn shown(leg: &Leg) -> String {
    let hop = |hop: &Hop| match (hop.by, hop.over) {
        (None, None) => hop.at.to_string(),
        (by, over) => format!("{} ({by:?} {over:?})", hop.at),
    };
    let hops: Vec<String> = leg.hops.iter().map(hop).collect();
    let (prompts, signs_in) = (&leg.prompts, leg.signs_in.map_or("-", |way| way.as_str()));
    format!(
        "{} {}: {}; prompts {}+{} {:?}, signs in {signs_in}, {}",
        leg.dials,
        leg.reached,
        hops.join(" > "),
        prompts.credentials,
        prompts.certificate,
        prompts.reason,
        leg.told
    )
}

/// The oracle says where a request goes, and nothing of bytes: of a raw client's leg, and of one that an answer ends which
/// the case dictates, it predicts the way.
fn is_of_bytes(literal: &Literal) -> bool {
    literal.when.client == ClientKind::Raw || !literal.case.given.answers.is_empty()
}

/// That answer, or a refusal, may end the way early; where it leads then is what it says.
fn same_way(expected: &[Leg], predicted: &[Leg]) -> bool {
    let ([expected, ..], [predicted, ..]) = (expected, predicted) else { return false };
    let hops = expected.hops.iter().zip(&predicted.hops);
    expected.dials == predicted.dials
        && expected.reached == predicted.reached
        && expected.hops.len() <= predicted.hops.len()
        && hops.into_iter().all(|(a, b)| set(&a.at) == set(&b.at) && a.by == b.by && a.over == b.over)
}

fn agree(expected: &[Leg], predicted: &[Leg]) -> bool {
    expected.len() == predicted.len() && expected.iter().zip(predicted).all(|(a, b)| same_leg(a, b))
}

/// Positions are sets; how the client signs in counts only where both say it.
fn same_leg(expected: &Leg, predicted: &Leg) -> bool {
    let same_hops = expected.hops.len() == predicted.hops.len()
        && expected
            .hops
            .iter()
            .zip(&predicted.hops)
            .all(|(a, b)| set(&a.at) == set(&b.at) && a.by == b.by && a.over == b.over);
    let signs_in = match (expected.signs_in, predicted.signs_in) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    };
    let told = match (&expected.told, &predicted.told) {
        (Told::Answer(a), Told::Answer(b)) => {
            set(&a.by) == set(&b.by) && *a == Answer { by: a.by.clone(), ..b.clone() }
        }
        (a, b) => a == b,
    };
    let computer = match (expected.computer, predicted.computer) {
        (Some(a), Some(b)) => a == b,
        (Some(_), None) => false,
        (None, _) => true,
    };
    same_hops
        && computer
        && signs_in
        && told
        && expected.dials == predicted.dials
        && expected.reached == predicted.reached
        && expected.prompts == predicted.prompts
}

fn set(position: &Position) -> BTreeSet<&str> {
    position.0.iter().map(|name| name.as_str()).collect()
}

#[test]
fn the_oracle_predicts_every_literal() {
    let table = Table::standard();
    let literals = literals();
    let wrong: Vec<String> = literals.iter().filter_map(|literal| difference(&table, literal)).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), literals.len(), wrong.join("\n"));
}

/// The harness's own fault `flips-a-row`: a table that says something else is contradicted by a literal.
#[test]
fn a_flipped_cell_contradicts_some_literal() {
    let table = Table::standard();
    let literals = literals();
    let mut unnoticed = vec![];
    for cell in 0..table.cells() {
        let flipped = table.flipped(cell).expect("a cell below `cells` is one");
        if !literals.iter().any(|literal| difference(&flipped, literal).is_some()) {
            unnoticed.push(table.cell(cell).expect("a cell below `cells` has a name"));
        }
    }
    assert!(
        unnoticed.is_empty(),
        "no literal notices {} of {} flipped cells:\n{}",
        unnoticed.len(),
        table.cells(),
        unnoticed.join("\n")
    );
}
