//! The row of a case's steps: each is what one client does and sees, or what is done to the running lab between two.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ClientKind, Leg, When};
use crate::names::{DatabaseName, MailboxName, ServerName};
use crate::problem::{Problem, Source};
use crate::protocol::words;
use crate::topology::Topology;

/// One client, what it opens, and the legs that must come of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// What is done to the running lab before, in order. A case that ends with such a step is refused, since nothing would
    /// look at what came of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Steering>,
    /// The client's part.
    pub when: When,
    /// The legs, in order; nothing else may arrive anywhere.
    pub then: Vec<Leg>,
}

impl Step {
    /// Whether its clients must be spread over servers that would all do.
    pub fn spreads(&self) -> bool {
        self.then.iter().any(|leg| leg.spread)
    }
}

/// What is done to a running lab: one change, or a wait for what follows from one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Steering {
    /// This server is started again at another address, and its names lead there from the next query on. Where it was,
    /// nobody takes a connection any more, and those that were open end (rule X-DNS-1).
    MovesAddress(ServerName),
    /// A database's active copy moves to another server that holds one, as after a failover (rule CX-AD-4).
    MovesCopy(CopyMove),
    /// A mailbox is moved to another database (rule GEN-2).
    MovesMailbox(MailboxMove),
    /// This server of Exchange 2010 is taken out of service (IsOutOfService, rule CX-OOS-1).
    OutOfService(ServerName),
    /// It is back in service.
    InService(ServerName),
    /// Servers misbehave from now on, by scripts as in `given.faults`; what a place did before is forgotten.
    Fails(BTreeMap<String, Vec<String>>),
    /// The place of a fault has none any more.
    Mends(String),
    /// Nothing is done until this has come.
    WaitsFor(Awaited),
}

/// An active copy's way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CopyMove {
    /// Of which database.
    pub of: DatabaseName,
    /// Whose copy is active from then on.
    pub to: ServerName,
}

/// A mailbox's way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MailboxMove {
    /// Which mailbox.
    pub of: MailboxName,
    /// The database that it is in from then on.
    pub to: DatabaseName,
}

words! {
    /// What a case waits for between two of its clients.
    Awaited, "thing to wait for", "dns-expiry (or discovery-ttl, health-round, owa-timeout, half-of-owa-timeout)";
    /// Every DNS answer that was given so far has expired.
    DnsExpiry = "dns-expiry",
    /// The time has passed in which the subject declares to have learnt of every change (rule X-OOS-1).
    DiscoveryTtl = "discovery-ttl",
    /// Every server of an older version has been asked for its health once more, over every protocol that it has, and its
    /// failures twice. Where that does not happen, the case fails.
    HealthRound = "health-round",
    /// Half of the time that the subject declares for a session at Outlook Web App: no session that has just begun is over.
    HalfOfOwaTimeout = "half-of-owa-timeout",
    /// The whole of it, and a tolerance: every session that has begun so far is over, if nobody used it (rule CX-OWA-7).
    OwaTimeout = "owa-timeout",
}

/// A step as its file has it.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Row {
    steers: Option<Steering>,
    when: Option<When>,
    #[serde(default)]
    then: Vec<Leg>,
}

/// Each client's step with what is done to the lab before it.
///
/// # Errors
/// A row that is both or neither, and a last one that no client comes after.
pub(super) fn in_order(rows: Vec<Row>, source: &Source) -> Result<Vec<Step>, Problem> {
    let wrong = |number: usize, says: &str| {
        let place = source.locate(&["step", &number.to_string()]);
        Err(source.problem(place, says, Some(RIGHT.to_owned())))
    };
    let (mut steps, mut before, last) = (vec![], vec![], rows.len());
    for (number, row) in rows.into_iter().enumerate() {
        match (row.steers, row.when) {
            (Some(steering), None) if row.then.is_empty() => before.push(steering),
            (None, Some(when)) => {
                steps.push(Step { before: std::mem::take(&mut before), when, then: row.then })
            }
            _ => return wrong(number, "a step is a client's, with `when` and `then`, or `steers` the lab"),
        }
    }
    match before.is_empty() {
        true => Ok(steps),
        false => wrong(last - 1, "nothing looks at what comes of this step: a client's must follow"),
    }
}

/// A browser that comes back, and was never there: its place in the case, from 0.
pub(super) fn never_there(steps: &[Step]) -> Option<usize> {
    let browser = |step: &Step| step.when.client == ClientKind::Browser && step.when.at_once == 1;
    let returns = |step: &Step| step.when.comes_back.is_some();
    steps.iter().enumerate().find_map(|(at, step)| {
        let was_there = |earlier: &Step| browser(earlier) && earlier.when.mailbox == step.when.mailbox;
        (returns(step) && !(browser(step) && steps[..at].iter().any(was_there))).then_some(at)
    })
}

const RIGHT: &str =
    "[[step]]\nsteers = { moves-address = \"cas2010-s1\" }, or when = { … } and then = [{ … }]";

impl Steering {
    /// The server that moves to another address, if one does.
    pub fn moves_address(&self) -> Option<&ServerName> {
        match self {
            Steering::MovesAddress(server) => Some(server),
            _ => None,
        }
    }

    /// Makes the topology what the directory says from then on. Where it has no such database, mailbox or server, and for what
    /// changes no fact, it stays as it is.
    pub fn changes(&self, topology: &mut Topology) {
        match self {
            Steering::MovesCopy(CopyMove { of, to }) => {
                if let Some(database) = topology.databases.get_mut(of) {
                    database.active.clone_from(to);
                }
            }
            Steering::MovesMailbox(MailboxMove { of, to }) => {
                if let Some(mailbox) = topology.mailboxes.get_mut(of) {
                    mailbox.database.clone_from(to);
                }
            }
            Steering::OutOfService(name) | Steering::InService(name) => {
                if let Some(server) = topology.servers.get_mut(name) {
                    server.out_of_service = matches!(self, Steering::OutOfService(_));
                }
            }
            Steering::MovesAddress(_) | Steering::WaitsFor(_) | Steering::Fails(_) | Steering::Mends(_) => {}
        }
    }
}

impl std::fmt::Display for Steering {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Steering::MovesAddress(server) => write!(f, "{server} moves to another address"),
            Steering::MovesCopy(CopyMove { of, to }) => write!(f, "the active copy of {of} moves to {to}"),
            Steering::MovesMailbox(MailboxMove { of, to }) => write!(f, "{of} is moved to {to}"),
            Steering::OutOfService(server) => write!(f, "{server} is taken out of service"),
            Steering::InService(server) => write!(f, "{server} is back in service"),
            Steering::Fails(scripts) => {
                let each =
                    scripts.iter().map(|(at, script)| format!("{at} answers {}", script.join(", then ")));
                f.write_str(&each.collect::<Vec<_>>().join("; "))
            }
            Steering::Mends(at) => write!(f, "{at} has no fault any more"),
            Steering::WaitsFor(Awaited::DnsExpiry) => f.write_str("every DNS answer so far expires"),
            Steering::WaitsFor(Awaited::DiscoveryTtl) => {
                f.write_str("the subject has had the time that it declares to learn of a change")
            }
            Steering::WaitsFor(Awaited::HealthRound) => {
                f.write_str("every older server is asked for its health once more")
            }
            Steering::WaitsFor(Awaited::HalfOfOwaTimeout) => f.write_str("half of the OWA time-out passes"),
            Steering::WaitsFor(Awaited::OwaTimeout) => f.write_str("the OWA time-out passes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::case::{Awaited, Case, Steering};
    use crate::problem::Source;

    const CLIENT: &str = r#"
[[step]]
when = { mailbox = "red", client = "browser", view = "external", opens = "https://mail.contoso.com/owa/", does = "open-mailbox" }
then = [{ dials = "mail.contoso.com", reached = "typed", hops = ["cas2013-s1"], prompts = { credentials = 1, certificate = 0 }, told = { mailbox = "red" } }]
"#;
    const MOVES: &str = "[[step]]\nsteers = { moves-address = \"cas2010-s1\" }\n";

    fn read(steps: &[&str]) -> Result<Case, String> {
        let head = "title = \"t\"\nrules = [\"X-DNS-1\"]\nsource = \"s\"\nneeds = []\n";
        let source = Source::new("case.toml", format!("{head}{}", steps.concat()));
        let read = Case::read("coexistence/dns/red".parse().unwrap(), &source);
        read.map_err(|problem| problem.picture().to_string())
    }

    #[test]
    fn what_is_done_to_the_lab_comes_before_the_client_that_follows() {
        let waits = "[[step]]\nsteers = { waits-for = \"dns-expiry\" }\n";
        let case = read(&[CLIENT, MOVES, waits, CLIENT]).unwrap();
        let before: Vec<_> = case.steps.iter().map(|step| step.before.clone()).collect();
        let moves = Steering::MovesAddress("cas2010-s1".parse().unwrap());
        assert_eq!(before, [vec![], vec![moves, Steering::WaitsFor(Awaited::DnsExpiry)]]);
    }

    #[test]
    fn a_step_that_is_neither_or_that_nobody_looks_at_is_refused_at_its_place() {
        let both = CLIENT.replacen("[[step]]\n", MOVES, 1);
        for (steps, place, says) in [
            (vec![CLIENT, MOVES], "case.toml:9:1", "a client's must follow"),
            (vec![both.as_str()], "case.toml:6:1", "a step is a client's"),
            (vec![CLIENT, "[[step]]\n"], "case.toml:9:1", "a step is a client's"),
        ] {
            let refused = read(&steps).unwrap_err();
            assert!(refused.starts_with(place) && refused.contains(says), "{refused}");
            assert!(refused.contains("steers = { moves-address = \"cas2010-s1\" }"), "{refused}");
        }
        let comes_back =
            CLIENT.replace("mailbox = \"red\",", "mailbox = \"red\", comes-back = \"in-session\",");
        let refused = read(&[&comes_back, CLIENT]).unwrap_err();
        assert!(refused.starts_with("case.toml:7:") && refused.contains("was never there"), "{refused}");
        assert!(read(&[CLIENT, &comes_back]).is_ok());
        let unknown = read(&["[[step]]\nsteers = { waits-for = \"tea\" }\n", CLIENT]).unwrap_err();
        assert!(unknown.starts_with("case.toml:6:") && unknown.contains("dns-expiry"), "{unknown}");
    }
}
