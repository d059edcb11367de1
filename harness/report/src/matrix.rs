//! The table of rules: what each says, and for which of its mailboxes a case stands.

use model::rule::Rule;
use model::{MailboxName, RuleId};

/// `list rules`: a line for each rule, and a count. `covered` lists for each rule the mailboxes of its cases; a rule may
/// stand in it more than once, and one whose case has no mailbox stands there with none.
pub fn rules(rules: &[Rule], covered: &[(RuleId, Vec<MailboxName>)]) -> String {
    let rows: Vec<(&Rule, Coverage)> = rules.iter().map(|rule| (rule, coverage(rule, covered))).collect();
    let widest = |of: &dyn Fn(&(&Rule, Coverage)) -> usize| rows.iter().map(of).max().unwrap_or_default();
    let ids = widest(&|(rule, _)| rule.id.as_str().len());
    let says = widest(&|(_, coverage)| coverage.to_string().chars().count());
    let mut text = String::new();
    for (rule, coverage) in &rows {
        text.push_str(&format!(
            "{:<ids$}  {:<8}  {:<says$}  {}\n",
            rule.id,
            rule.level,
            coverage.to_string(),
            rule.says
        ));
    }
    let count = |is: fn(&Coverage) -> bool| rows.iter().filter(|(_, coverage)| is(coverage)).count();
    text.push_str(&format!(
        "\n{} rules: {} covered, {} in part, {} not yet\n",
        rows.len(),
        count(|coverage| matches!(coverage, Coverage::Whole(_))),
        count(|coverage| matches!(coverage, Coverage::Part { .. })),
        count(|coverage| matches!(coverage, Coverage::None)),
    ));
    text
}

enum Coverage {
    Whole(Vec<MailboxName>),
    Part { covered: Vec<MailboxName>, missing: Vec<MailboxName> },
    None,
}

/// Held against the mailboxes that the rule's row names; a row that names none is covered by any case.
fn coverage(rule: &Rule, covered: &[(RuleId, Vec<MailboxName>)]) -> Coverage {
    let mut entries = covered.iter().filter(|(id, _)| *id == rule.id).peekable();
    if entries.peek().is_none() {
        return Coverage::None;
    }
    let mut has: Vec<MailboxName> = entries.flat_map(|(_, mailboxes)| mailboxes).cloned().collect();
    has.sort();
    has.dedup();
    let missing: Vec<MailboxName> =
        rule.mailboxes.iter().filter(|mailbox| !has.contains(mailbox)).cloned().collect();
    match missing.is_empty() {
        true => Coverage::Whole(has),
        false => Coverage::Part { covered: has, missing },
    }
}

impl std::fmt::Display for Coverage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let listed = |names: &[MailboxName]| match names {
            [] => "covered".to_owned(),
            names => names.iter().map(MailboxName::as_str).collect::<Vec<_>>().join(", "),
        };
        match self {
            Coverage::Whole(covered) => f.write_str(&listed(covered)),
            Coverage::Part { covered, missing } => {
                write!(f, "{}; missing {}", listed(covered), listed(missing))
            }
            Coverage::None => f.write_str("not yet covered"),
        }
    }
}

#[cfg(test)]
mod tests {
    use model::rule::Level;

    use super::*;

    fn rule(id: &str, mailboxes: &[&str]) -> Rule {
        Rule {
            id: id.parse().unwrap(),
            says: format!("what {id} says"),
            level: Level::Result,
            mailboxes: names(mailboxes),
        }
    }

    fn names(names: &[&str]) -> Vec<MailboxName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn a_rule_is_covered_when_each_mailbox_of_its_row_has_a_case() {
        let book = [
            rule("PRE-AD-1", &["red", "blue"]),
            rule("PRE-RPC-1", &["red"]),
            rule("GEN-1", &[]),
            rule("CX-OWA-2", &["purple"]),
        ];
        let id = |id: &str| id.parse::<RuleId>().unwrap();
        let covered = [
            (id("PRE-AD-1"), names(&["red"])),
            (id("CX-OWA-2"), names(&["purple"])),
            (id("CX-OWA-2"), names(&["purple"])),
            (id("GEN-1"), vec![]),
        ];
        let wanted = "\
PRE-AD-1   result    red; missing blue  what PRE-AD-1 says
PRE-RPC-1  result    not yet covered    what PRE-RPC-1 says
GEN-1      result    covered            what GEN-1 says
CX-OWA-2   result    purple             what CX-OWA-2 says

4 rules: 2 covered, 1 in part, 1 not yet
";
        assert_eq!(rules(&book, &covered), wanted);
    }
}
