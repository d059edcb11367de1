//! Findings of a case: rules, mailboxes and servers that there are not, and sets that prove nothing.

use model::case::{Position, Told};
use model::rule::Rule;
use model::{Case, ServerName, Topology};

use crate::findings::Finding;

/// What is wrong or doubtful about a case in its topology.
pub(super) fn findings(case: &Case, topology: &Topology, rules: &[Rule]) -> Vec<Finding> {
    let mut found = vec![];
    for rule in case.rules.iter().filter(|rule| !rules.iter().any(|known| known.id == **rule)) {
        let says = format!("there is no rule {rule}; `coexist list rules` prints them");
        found.push(Finding::error("-", "rules", says));
    }
    for (step, number) in case.steps.iter().zip(1..) {
        if !topology.mailboxes.contains_key(&step.when.mailbox) {
            let says = format!("{} has no mailbox {}", topology.name, step.when.mailbox);
            found.push(Finding::error("-", format!("step {number}"), says));
        }
        for (leg, at) in step.then.iter().zip(1..) {
            let place = format!("step {number}, leg {at}");
            let written = match &leg.told {
                Told::Answer(answer) => Some(&answer.by),
                _ => None,
            };
            let positions: Vec<&Position> = leg.hops.iter().map(|hop| &hop.at).chain(written).collect();
            for unknown in positions.iter().flat_map(|p| &p.0).filter(|name| topology.server(name).is_none())
            {
                found.push(Finding::error("-", &place, format!("{} has no server {unknown}", topology.name)));
            }
            for position in positions {
                found.extend(too_wide(position, topology).map(|says| Finding::warning("-", &place, says)));
            }
        }
    }
    found.dedup();
    found
}

/// Whether a set names every server of its version that has the same role: then no choice among them can be wrong.
fn too_wide(position: &Position, topology: &Topology) -> Option<String> {
    let [first, _, ..] = &position.0[..] else { return None };
    let alike = topology.server(first)?;
    let every: Vec<&ServerName> = topology
        .servers
        .iter()
        .filter(|(_, server)| server.version == alike.version && server.roles == alike.roles)
        .map(|(name, _)| name)
        .collect();
    every.iter().all(|name| position.admits(name)).then(|| {
        format!(
            "any-of names every {} server of Exchange {} in {}: no choice among them can fail; let another case, \
             in a variant with one more, show the choice",
            alike.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(" and "),
            alike.version,
            topology.name
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::suite;
    use super::*;

    fn of(id: &str, change: impl FnOnce(&mut Case)) -> Vec<Finding> {
        let suite = suite();
        let mut case = suite.cases.iter().find(|case| case.id.as_str() == id).unwrap().as_ref().clone();
        let topology = suite.topology_of(&case).unwrap();
        change(&mut case);
        findings(&case, &topology, &suite.rules)
    }

    #[test]
    fn a_set_of_every_server_of_a_version_is_doubtful_and_a_smaller_one_is_not() {
        let wide = of("coexistence/autodiscover/purple", |_| {});
        assert_eq!(wide.len(), 1, "{wide:?}");
        assert!(wide[0].says.contains("every mailbox server of Exchange 2013"), "{wide:?}");
        assert_eq!(of("coexistence/autodiscover/purple-mbx2013-elsewhere", |_| {}), vec![]);
        assert_eq!(of("coexistence/owa/red", |_| {}), vec![]);
    }

    #[test]
    fn a_rule_or_a_server_that_there_is_not_is_an_error() {
        let found = of("coexistence/owa/red", |case| {
            case.rules.push("CX-OWA-99".parse().unwrap());
            case.steps[0].then[0].hops[0].at.0[0] = "cas2013-s9".parse().unwrap();
        });
        let says: Vec<&str> = found.iter().map(|finding| finding.says.as_str()).collect();
        assert_eq!(
            says,
            [
                "there is no rule CX-OWA-99; `coexist list rules` prints them",
                "coexistence has no server cas2013-s9"
            ]
        );
    }
}
