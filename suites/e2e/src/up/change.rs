//! What people may change in a running lab, read from JSON and held against the topology as it is now.

use exchange::Script;
use lab::{Lab, Since};
use model::case::{CopyMove, FaultAt, MailboxMove, Steering};
use model::topology::{Server, ServerRole};
use model::{DatabaseName, HostName, MailboxName, Protocol, ServerName, Topology, Version, View};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Change {
    /// A server misbehaves at a place, by a script as in a case's `given.faults`.
    Fault { at: String, answers: Vec<String> },
    /// It does so no more.
    Mend { at: String },
    /// A database's active copy moves; to its next copy where none is named.
    Failover { database: DatabaseName, to: Option<ServerName> },
    /// A mailbox moves to another database.
    Move { mailbox: MailboxName, to: DatabaseName },
    /// A server of Exchange 2010 is taken out of service (IsOutOfService).
    OutOfService { server: ServerName },
    /// It is back in service.
    InService { server: ServerName },
    /// A name leads to these servers, in one view or in both; to none, it does not resolve.
    Dns { name: HostName, servers: Vec<ServerName>, view: Option<View> },
}

/// Every word, and a right change that it begins.
const RIGHT: [(&str, &str); 7] = [
    ("fault", r#"{"at":"cas2010-s1/owa","answers":["503","..."]}"#),
    ("mend", r#"{"at":"cas2010-s1/owa"}"#),
    ("failover", r#"{"database":"db2013-s1","to":"mbx2013-s1"}"#),
    ("move", r#"{"mailbox":"red","to":"db2013-s1"}"#),
    ("out-of-service", r#"{"server":"cas2010-s3"}"#),
    ("in-service", r#"{"server":"cas2010-s3"}"#),
    ("dns", r#"{"name":"mail.contoso.com","servers":["cas2010-s1"],"view":"external"}"#),
];

/// The words, one after the other.
pub(crate) fn words() -> String {
    RIGHT.map(|(word, _)| word).join(", ")
}

impl Change {
    /// Reads a change by its word and the rest of it.
    ///
    /// # Errors
    /// A sentence that shows a right one.
    pub(crate) fn read(word: &str, rest: &[u8]) -> Result<Change, String> {
        let Some((_, right)) = RIGHT.iter().find(|(known, _)| *known == word) else {
            return Err(format!("`{word}` changes nothing here; what does: {}", words()));
        };
        let wrong = |error: serde_json::Error| format!("{error}; a right one for {word}: {right}");
        let rest: Value = serde_json::from_slice(rest).map_err(wrong)?;
        serde_json::from_value(json!({ word: rest })).map_err(wrong)
    }

    /// Its word, and the rest of it as JSON: what [`Change::read`] reads.
    pub(crate) fn written(&self) -> (String, Vec<u8>) {
        let Ok(Value::Object(whole)) = serde_json::to_value(self) else {
            unreachable!("a word and what it begins")
        };
        let (word, rest) = whole.into_iter().next().expect("a word and what it begins");
        (word, rest.to_string().into_bytes())
    }

    /// Makes it, and says what is so from now on.
    ///
    /// # Errors
    /// Why it cannot be made, and what could.
    pub(crate) async fn make(&self, lab: &Lab) -> Result<String, String> {
        let topology = lab.directory().topology();
        let steering = match self {
            Change::Fault { at, answers } => {
                let place = place(at, &topology)?;
                Script::read(place.of, answers).map_err(|(_, says)| says)?;
                if answers.is_empty() {
                    return Err(
                        "a fault is at least one answer: 503, or 503 and ... for all that follow".to_owned()
                    );
                }
                Steering::Fails([(at.clone(), answers.clone())].into())
            }
            Change::Mend { at } => {
                place(at, &topology)?;
                Steering::Mends(at.clone())
            }
            Change::Failover { database, to } => {
                let to = copy(database, to.as_ref(), &topology)?;
                Steering::MovesCopy(CopyMove { of: database.clone(), to })
            }
            Change::Move { mailbox, to } => {
                movable(mailbox, to, &topology)?;
                Steering::MovesMailbox(MailboxMove { of: mailbox.clone(), to: to.clone() })
            }
            Change::OutOfService { server } => Steering::OutOfService(of_2010(server, &topology)?),
            Change::InService { server } => Steering::InService(of_2010(server, &topology)?),
            Change::Dns { name, servers, view } => return leads(lab, name, servers, *view),
        };
        let since = Since { order: lab.ledger().mark(), signed_in: None };
        lab.steer(&steering, since).await.map_err(|error| error.to_string())?;
        Ok(steering.to_string())
    }
}

fn place(at: &str, topology: &Topology) -> Result<FaultAt, String> {
    let place: FaultAt = at.parse()?;
    let Some(server) = topology.server(&place.server) else { return Err(unknown(&place.server, topology)) };
    let has = served(server);
    if place.server == topology.seat {
        let others = topology.servers.iter().filter(|(name, _)| **name != topology.seat);
        let mut others =
            others.filter_map(|(name, server)| Some(format!("{name}/{}", served(server).first()?)));
        let one = others.next();
        return Err(format!(
            "the subject sits at {}: only other servers have faults{}",
            place.server,
            one.map(|one| format!("; one that has: {one}")).unwrap_or_default()
        ));
    }
    match has.contains(&place.protocol) {
        true => Ok(place),
        false if has.is_empty() => Err(format!("{} serves no client protocol by HTTP", place.server)),
        false => Err(format!("{} has no {}; it has {}", place.server, place.protocol, listed(has.iter()))),
    }
}

/// The protocols in which a server answers requests over HTTP, and so may misbehave: those of its virtual directories, and
/// on Exchange 2013 all of them at the Mailbox role's back end.
pub(crate) fn served(server: &Server) -> Vec<Protocol> {
    let back_end = server.version == Version::Exchange2013 && server.is(ServerRole::Mailbox);
    let has = |protocol: &Protocol| match protocol {
        Protocol::Rpc | Protocol::Imap | Protocol::Pop | Protocol::Dns => false,
        Protocol::OutlookAnywhere => back_end || server.outlook_anywhere.is_some(),
        other => back_end || server.directory(*other).is_some(),
    };
    Protocol::ALL.iter().copied().filter(has).collect()
}

fn copy(database: &DatabaseName, to: Option<&ServerName>, topology: &Topology) -> Result<ServerName, String> {
    let Some(known) = topology.databases.get(database) else {
        let with_copies = topology.databases.iter().filter(|(_, known)| known.copies.len() > 1);
        return Err(format!(
            "{} has no database `{database}`; those with several copies: {}",
            topology.name,
            listed(with_copies.map(|(name, _)| name))
        ));
    };
    let others: Vec<&ServerName> = known.copies.iter().filter(|copy| **copy != known.active).collect();
    match (to, others.first()) {
        (_, None) => Err(format!("{database} has one copy, on {}: it cannot fail over", known.active)),
        (None, Some(next)) => Ok((*next).clone()),
        (Some(to), _) if others.contains(&to) => Ok(to.clone()),
        (Some(to), _) if *to == known.active => Err(format!(
            "the active copy of {database} is on {to} already; others are on {}",
            listed(others.iter())
        )),
        (Some(to), _) => {
            Err(format!("{database} has no copy on `{to}`; others are on {}", listed(others.iter())))
        }
    }
}

fn movable(mailbox: &MailboxName, to: &DatabaseName, topology: &Topology) -> Result<(), String> {
    let Some(known) = topology.mailboxes.get(mailbox) else {
        let all = listed(topology.mailboxes.keys());
        return Err(format!("{} has no mailbox `{mailbox}`; it has {all}", topology.name));
    };
    if !topology.databases.contains_key(to) {
        let all = listed(topology.databases.keys());
        return Err(format!("{} has no database `{to}`; it has {all}", topology.name));
    }
    match known.database == *to {
        true => Err(format!("{mailbox} is in {to} already")),
        false => Ok(()),
    }
}

/// IsOutOfService is Exchange 2010's alone (rule CX-OOS-1).
fn of_2010(server: &ServerName, topology: &Topology) -> Result<ServerName, String> {
    let of_2010 =
        |name: &&ServerName| topology.server(name).is_some_and(|it| it.version == Version::Exchange2010);
    match topology.server(server) {
        Some(known) if known.version == Version::Exchange2010 => Ok(server.clone()),
        Some(known) => Err(format!(
            "{server} cannot be out of service: Exchange {} has no such setting; these have: {}",
            known.version,
            listed(topology.servers.keys().filter(of_2010))
        )),
        None => Err(unknown(server, topology)),
    }
}

fn leads(lab: &Lab, name: &HostName, servers: &[ServerName], view: Option<View>) -> Result<String, String> {
    let topology = lab.directory().topology();
    let address =
        |view, server: &ServerName| lab.address_in(view, server).ok_or_else(|| unknown(server, &topology));
    let views = view.map_or(vec![View::Internal, View::External], |view| vec![view]);
    let leads = |view| servers.iter().map(|server| address(view, server)).collect::<Result<Vec<_>, _>>();
    let addresses = views.iter().map(|view| leads(*view)).collect::<Result<Vec<_>, _>>()?;
    if !is_of(name, &topology) {
        return Err(format!(
            "`{name}` is neither in {} nor a name of {}; it has {}",
            topology.domain,
            topology.name,
            listed(topology.namespaces.keys())
        ));
    }
    for (view, addresses) in views.iter().zip(addresses) {
        lab.names().set(*view, name.clone(), addresses);
    }
    let to = if servers.is_empty() { "nowhere".to_owned() } else { format!("to {}", listed(servers.iter())) };
    let views = views.iter().map(|view| view.as_str()).collect::<Vec<_>>().join(" and ");
    Ok(format!("{name} leads {to} in the {views} view"))
}

/// Whether a name is the topology's to lead anywhere: its domain's, or one that it has.
fn is_of(name: &HostName, topology: &Topology) -> bool {
    let below = name.as_str().strip_suffix(topology.domain.as_str());
    below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
        || topology.namespaces.contains_key(name)
        || topology.server_with_fqdn(name).is_some()
}

fn unknown(server: &ServerName, topology: &Topology) -> String {
    format!("{} has no server `{server}`; it has {}", topology.name, listed(topology.positions()))
}

fn listed<T: ToString>(names: impl Iterator<Item = T>) -> String {
    names.map(|name| name.to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_refusal_shows_as_right_is_right() {
        for (word, right) in RIGHT {
            let read = Change::read(word, right.as_bytes());
            assert!(read.is_ok(), "{word} {right}: {read:?}");
            let (again, rest) = read.clone().unwrap().written();
            assert_eq!((again.as_str(), Change::read(word, &rest)), (word, read));
        }
    }

    #[test]
    fn a_wrong_word_is_refused_with_a_right_one() {
        for (word, rest, says) in [
            ("falut", "{}", "what does: fault, mend, failover"),
            ("failover", "{", r#"a right one for failover: {"database":"db2013-s1""#),
            ("failover", r#"{"database":"db 1"}"#, "a right one looks like `db2010-s1`"),
            ("move", r#"{"mailbox":"red"}"#, "missing field `to`"),
            ("dns", r#"{"name":"mail.contoso.com","servers":[],"vew":"external"}"#, "unknown field `vew`"),
            ("fault", r#"{"at":"x","answers":"503"}"#, r#"["503","..."]"#),
        ] {
            let refused = Change::read(word, rest.as_bytes()).unwrap_err();
            assert!(refused.contains(says), "{refused}");
        }
    }
}
