//! Which crate of the workspace may use which. An edge that is not here does not exist.

use std::collections::BTreeSet;

use super::manifests::Member;
use super::{Refusal, line_of};

/// Each crate with the crates that it may use, beside whatever those may use. Normal, dev and build dependencies alike.
const MAY_USE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("ledger", &["model"]),
    ("directory", &["ledger"]),
    ("exchange", &["directory", "protocols"]),
    ("lab", &["exchange"]),
    ("docker", &["lab"]),
    ("clients", &["ledger"]),
    ("protocols", &["model"]),
    ("reference", &["protocols"]),
    ("defects", &["reference"]),
    ("oracle", &["model"]),
    ("report", &["model"]),
    ("formats", &["model"]),
    ("e2e", &["lab", "clients", "report", "formats", "oracle", "reference", "defects", "docker"]),
    ("xtask", &[]),
];

const WHY: &str = "three voices judge, serve and predict, and share no code; an edge between them would let one mistake hide \
                   in two (README, Architecture)";

/// Edges that are not allowed. `text_of` gives a manifest's text, to point at the line.
pub(super) fn refused<'a>(members: &[Member], text_of: impl Fn(&str) -> &'a str) -> Vec<Refusal> {
    let names: BTreeSet<&str> = members.iter().map(|member| member.name.as_str()).collect();
    let mut refusals = Vec::new();
    for member in members {
        let (name, manifest) = (&member.name, &member.manifest);
        let Some(allowed) = reachable(name) else {
            refusals.push(Refusal {
                at: manifest.clone(),
                what: format!("the crate {name} has no place among the allowed edges"),
                why: WHY,
                mend: "give it a line in xtask/src/tidy/edges.rs and in the README's architecture chapter"
                    .to_owned(),
            });
            continue;
        };
        for used in member.uses.iter().filter(|used| names.contains(used.as_str()) && *used != name) {
            if !allowed.contains(used.as_str()) {
                let is_it = |line: &str| {
                    line.strip_prefix(used.as_str()).is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
                };
                let line = line_of(text_of(manifest), is_it).unwrap_or(1);
                let list = allowed.iter().copied().collect::<Vec<_>>().join(", ");
                refusals.push(Refusal {
                    at: format!("{manifest}:{line}"),
                    what: format!("{name} uses {used}"),
                    why: WHY,
                    mend: match list.is_empty() {
                        true => format!("{name} may use no crate of ours"),
                        false => format!("{name} may use: {list}"),
                    },
                });
            }
        }
    }
    refusals
}

/// What a crate may use, itself left out; `None` for one that is not in the list.
fn reachable(name: &str) -> Option<BTreeSet<&'static str>> {
    let direct = |name: &str| MAY_USE.iter().find(|(own, _)| *own == name).map(|(_, uses)| *uses);
    let mut found = BTreeSet::new();
    let mut open: Vec<&'static str> = direct(name)?.to_vec();
    while let Some(next) = open.pop() {
        if found.insert(next) {
            open.extend(direct(next).unwrap_or_default());
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, uses: &[&str]) -> Member {
        Member {
            name: name.to_owned(),
            manifest: format!("{name}/Cargo.toml"),
            uses: uses.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn an_edge_that_is_not_in_the_list_is_refused_at_its_line() {
        let members = [
            member("model", &["serde"]),
            member("oracle", &["model", "reference", "serde"]),
            member("reference", &["protocols", "model"]),
            member("protocols", &[]),
        ];
        let text = "[package]\nname = \"oracle\"\n[dependencies]\nmodel.workspace = true\nreference.workspace = true\n";
        let refusals = refused(&members, |_| text);
        assert_eq!(refusals.len(), 1, "{refusals:?}");
        assert_eq!(refusals[0].at, "oracle/Cargo.toml:5");
        assert_eq!(refusals[0].what, "oracle uses reference");
        assert_eq!(refusals[0].mend, "oracle may use: model");
    }

    #[test]
    fn what_a_crate_may_use_includes_what_that_may_use() {
        assert!(
            reachable("lab")
                .unwrap()
                .is_superset(&["exchange", "directory", "ledger", "protocols", "model"].into())
        );
        assert!(!reachable("exchange").unwrap().contains("reference"));
        assert!(!reachable("reference").unwrap().contains("ledger"));
        assert!(!reachable("clients").unwrap().contains("protocols"));
        assert!(reachable("xtask").unwrap().is_empty());
    }

    #[test]
    fn a_crate_without_a_line_in_the_list_is_refused() {
        let refusals = refused(&[member("helpers", &[])], |_| "");
        assert!(refusals[0].what.contains("helpers has no place"), "{refusals:?}");
    }
}
