//! Shrinking a difference: alone first, then in ever smaller topologies, as long as oracle and reference still differ.

use std::sync::Arc;

use model::case::{Case, Step};
use model::verdict::{Outcome, Verdict};
use tokio_util::sync::CancellationToken;
use toml::{Table, Value};

use super::{Laboratory, built, journey};

/// The most topologies that are tried for one difference.
const MOST_TRIES: usize = 120;

/// The difference as small as it got: how it reads, and the topology that shows it.
pub(super) async fn shrunk(
    lab: &Laboratory,
    case: &Arc<Case>,
    verdict: &Verdict,
    stop: &CancellationToken,
) -> String {
    let mut shown = verdict.clone();
    let mut text = std::fs::read_to_string(&case.topology).unwrap_or_default();
    let Some(alone) = differs(lab, case, &text, stop).await else {
        let shown = report::terminal::failure(&shown, false);
        return format!("{shown}\n  alone in its topology it does not differ\n\n{}\n{text}\n", again(case));
    };
    shown = alone;
    let mut tries = 0;
    let mut smaller = true;
    while smaller && tries < MOST_TRIES && !stop.is_cancelled() {
        smaller = false;
        for without in removable(&text) {
            let Some(less) = removed(&text, &without) else { continue };
            if tries >= MOST_TRIES || stop.is_cancelled() {
                break;
            }
            tries += 1;
            if let Some(differs) = differs(lab, case, &less, stop).await
                && same_kind(&shown, &differs)
            {
                (shown, text, smaller) = (differs, less, true);
            }
        }
    }
    let shown = report::terminal::failure(&shown, false);
    format!("{shown}\n  shown by this topology, shrunk in {tries} tries; {}\n\n{text}\n", again(case))
}

fn again(case: &Case) -> String {
    let seed = case.id.as_str().split('/').next().unwrap_or_default().trim_start_matches("random-");
    format!("the whole of it again: coexist random --seed {seed} --count 1\n\n  {}", journey(case))
}

/// The verdict, where oracle and reference differ about this journey in this topology.
async fn differs(
    lab: &Laboratory,
    case: &Arc<Case>,
    text: &str,
    stop: &CancellationToken,
) -> Option<Verdict> {
    let topology = built(text)?;
    let when = case.steps.first()?.when.clone();
    let predicted = oracle::predict(&oracle::Table::standard(), &topology, &when).ok()?;
    let file = lab.folder.join("shrunk.toml");
    std::fs::write(&file, text).ok()?;
    let steps = vec![Step { before: vec![], when, then: predicted.legs }];
    let case = Case { topology: file.display().to_string(), steps, ..Case::clone(case) };
    let came = lab.play(&[(topology.role, Arc::new(case))], stop).await.ok()?;
    came.verdicts.into_iter().find(|verdict| verdict.outcome == Outcome::Fail)
}

/// Whether two verdicts differ in the same way: a topology that lost too much differs in ways of its own.
fn same_kind(a: &Verdict, b: &Verdict) -> bool {
    let kinds = |verdict: &Verdict| -> Vec<(usize, String)> {
        verdict.why.iter().map(|why| (why.leg, why.what.clone())).collect()
    };
    let told = |verdict: &Verdict| verdict.observed.last().map(|leg| leg.told.clone());
    kinds(a) == kinds(b) && told(a) == told(b)
}

/// What may be taken out of a topology, the largest parts first.
fn removable(text: &str) -> Vec<Vec<String>> {
    let Ok(whole) = text.parse::<Table>() else { return vec![] };
    let names = |part: &str| -> Vec<String> {
        whole.get(part).and_then(Value::as_table).map(|t| t.keys().cloned().collect()).unwrap_or_default()
    };
    let mut all = vec![];
    for part in ["mailboxes", "databases", "oabs", "servers", "sites", "namespaces"] {
        all.extend(names(part).into_iter().map(|name| vec![part.to_owned(), name]));
    }
    for server in names("servers") {
        let of = |part: &str| {
            let table = whole.get("servers").and_then(|t| t.get(&server)).and_then(|t| t.get(part));
            table.and_then(Value::as_table).map(|t| t.keys().cloned().collect::<Vec<_>>()).unwrap_or_default()
        };
        let path = |rest: &[&str]| {
            let rest = rest.iter().map(|step| (*step).to_owned());
            ["servers".to_owned(), server.clone()].into_iter().chain(rest).collect::<Vec<_>>()
        };
        all.extend(of("directories").iter().map(|name| path(&["directories", name])));
        if !of("outlook-anywhere").is_empty() {
            all.push(path(&["outlook-anywhere"]));
        }
    }
    all
}

/// The topology without one part; lists that name a server that is gone name it no longer.
fn removed(text: &str, path: &[String]) -> Option<String> {
    let mut whole = text.parse::<Table>().ok()?;
    let (last, above) = path.split_last()?;
    let mut table = &mut whole;
    for step in above {
        table = table.get_mut(step)?.as_table_mut()?;
    }
    table.remove(last)?;
    if path.len() == 2 && path[0] == "servers" {
        for part in ["namespaces", "oabs", "databases"] {
            if let Some(part) = whole.get_mut(part) {
                forget(part, last);
            }
        }
    }
    toml::to_string(&whole).ok()
}

fn forget(value: &mut Value, name: &str) {
    match value {
        Value::Table(table) => table.iter_mut().for_each(|(_, inner)| forget(inner, name)),
        Value::Array(list) => list.retain(|item| item.as_str() != Some(name)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_that_may_be_taken_out_is_there() {
        let text = oracle::random::text(3);
        let whole = built(&text).unwrap();
        let less: Vec<String> = removable(&text).iter().map(|path| removed(&text, path).unwrap()).collect();
        let fewer = less.iter().filter(|less| built(less).is_some()).count();
        assert!(fewer >= whole.namespaces.len(), "every namespace can go: {fewer}");
    }

    #[test]
    fn a_server_that_is_taken_out_is_in_no_list() {
        let whole = "[servers.a]\n[servers.b]\n[namespaces.n]\ninternal = [\"a\", \"b\"]\nexternal = [\"a\"]\n\
                     [oabs.o]\ndistribution-points = [\"a\"]\n[databases.d]\ncopies = [\"b\", \"a\"]\n";
        let less = removed(whole, &["servers".to_owned(), "a".to_owned()]).unwrap();
        assert!(!less.contains("\"a\"") && !less.contains("[servers.a]"), "{less}");
        assert!(less.contains("internal = [\"b\"]") && less.contains("copies = [\"b\"]"), "{less}");
    }
}
