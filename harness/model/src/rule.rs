//! The rule book's index: ids, what each says in a sentence, its level, and the mailboxes it names.

use serde::{Deserialize, Serialize};

use crate::names::{MailboxName, RuleId};
use crate::problem::{Problem, Source};
use crate::protocol::words;

/// One rule.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rule {
    /// Its stable id.
    pub id: RuleId,
    /// What must happen.
    pub says: String,
    /// Whether a user would notice.
    pub level: Level,
    /// The mailboxes that its row names; empty where it names none.
    pub mailboxes: Vec<MailboxName>,
}

words! {
    /// How much a rule matters to the default gate.
    Level, "level", "result (or likeness)";
    /// A user would notice.
    Result = "result",
    /// Exchange does so, and another proxy need not.
    Likeness = "likeness",
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleBook {
    rule: Vec<Rule>,
}

/// Reads `suites/rules.toml`.
///
/// # Errors
/// What is malformed, or names a rule twice.
pub fn read_rules(source: &Source) -> Result<Vec<Rule>, Problem> {
    let book: RuleBook = source
        .read("[[rule]]\nid = \"CX-OWA-2\"\nsays = \"…\"\nlevel = \"result\"\nmailboxes = [\"purple\"]")?;
    for (at, rule) in book.rule.iter().enumerate() {
        if book.rule[..at].iter().any(|other| other.id == rule.id) {
            return Err(source.problem(None, format!("rule {} stands twice", rule.id), None));
        }
    }
    Ok(book.rule)
}
