//! How servers of older versions must have been asked for their health, and what they answered: judged on requests that
//! nobody's client asked for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::names::{BadName, ServerName};
use crate::problem::{Problem, Source};
use crate::protocol::{Protocol, words};

/// What each of these servers must have been asked over one protocol, round by round, from the start of the lab on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Pings {
    /// The servers; it must be so for each.
    pub at: Vec<ServerName>,
    /// The protocol whose virtual directory is asked.
    pub of: Protocol,
    /// At least so many rounds.
    pub rounds: u16,
    /// The kinds of round in the order in which they came, each by the statuses that were answered in it: `["503", "503"]`
    /// is a failure and its retry. Of each kind there may be many in a row, and no other kind between.
    pub answers: Vec<Vec<Status>>,
    /// What the last round says of the server.
    pub then: Health,
    /// The line that the server's own log has for each first request of a round, without what differs from one to the
    /// next (date, time, names and addresses of sites and machines, sizes), `{fqdn}` for the server's name: where a rule
    /// speaks of how it is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logged: Option<String>,
}

/// A status of HTTP, written as a word, as in the script of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Status(pub u16);

impl TryFrom<String> for Status {
    type Error = BadName;
    fn try_from(given: String) -> Result<Status, BadName> {
        match given.parse() {
            Ok(status @ 100..=599) => Ok(Status(status)),
            _ => Err(BadName { given, what: "status", example: "401" }),
        }
    }
}

impl From<Status> for String {
    fn from(status: Status) -> String {
        status.0.to_string()
    }
}

words! {
    /// What rounds say of a server's protocol.
    Health, "state of a server", "up (or down)";
    /// It is asked by clients' requests.
    Up = "up",
    /// It is left out.
    Down = "down",
}

/// Whether an answer to a ping is a failure (rule CX-HLT-3).
pub fn is_failure(status: u16) -> bool {
    matches!(status, 502..=504)
}

/// Where a fault shows, as a case writes it: `cas2010-s1/ews` in requests of clients who have signed in, `pings
/// cas2010-s1/ews` in requests that ask for its health.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FaultAt {
    /// Whose requests.
    pub of: Askers,
    /// The server.
    pub server: ServerName,
    /// The protocol.
    pub protocol: Protocol,
}

/// Whose requests a fault shows in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Askers {
    /// Clients' who have signed in.
    Clients,
    /// Those that ask for the server's health, and that no client asked for.
    Pings,
}

impl FromStr for FaultAt {
    type Err = String;
    fn from_str(written: &str) -> Result<FaultAt, String> {
        let (of, place) = match written.strip_prefix("pings ") {
            Some(place) => (Askers::Pings, place),
            None => (Askers::Clients, written),
        };
        let (server, protocol) = place.split_once('/').ok_or_else(|| {
            format!(
                "`{written}` is no place of a fault; a right one: cas2007-s1/eas, or pings cas2007-s1/eas"
            )
        })?;
        let server = server.parse().map_err(|error: BadName| error.to_string())?;
        let protocol = protocol.parse().map_err(|error: BadName| error.to_string())?;
        Ok(FaultAt { of, server, protocol })
    }
}

impl fmt::Display for FaultAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pings = if self.of == Askers::Pings { "pings " } else { "" };
        write!(f, "{pings}{}/{}", self.server, self.protocol)
    }
}

/// Refuses a row that says nothing, or contradicts itself.
pub(super) fn verify(rows: &[Pings], source: &Source) -> Result<(), Problem> {
    for (number, row) in rows.iter().enumerate() {
        let wrong = |key: &str, says: &str, help: &str| {
            let place = source.locate(&["pings", &number.to_string(), key]);
            Err(source.problem(place, says, Some(help.to_owned())))
        };
        if row.at.is_empty() {
            return wrong("at", "no server is named", "at = [\"cas2010-s1\"]");
        }
        if row.rounds == 0 || usize::from(row.rounds) < row.answers.len() {
            return wrong("rounds", "there are at least as many rounds as kinds of them", "rounds = 2");
        }
        let Some(last) = row.answers.last().filter(|_| row.answers.iter().all(|kind| !kind.is_empty()))
        else {
            let help = "answers = [[\"401\"]], or [[\"503\", \"503\"], [\"401\"]]";
            return wrong("answers", "a round has at least one answer", help);
        };
        let is_down = last.len() > 1 && last.iter().all(|status| is_failure(status.0));
        if is_down != (row.then == Health::Down) {
            let says = "a server is down after a failure whose retry failed too, and only then";
            return wrong("then", says, "then = \"down\" behind answers = [[\"503\", \"503\"]]");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Case;

    const ROW: &str = "at = [\"cas2010-s1\"]\nof = \"ews\"\nrounds = 2\nanswers = [[\"503\", \"503\"], [\"401\"]]\nthen = \"up\"\n";

    fn read(row: &str) -> Result<Case, String> {
        let text = format!(
            "title = \"t\"\nrules = [\"CX-HLT-3\"]\nsource = \"s\"\nneeds = [\"health\"]\n[[pings]]\n{row}\
             [when]\nmailbox = \"red\"\nclient = \"outlook\"\nview = \"external\"\n\
             opens = \"https://mail.contoso.com/EWS/Exchange.asmx\"\ndoes = \"get-folder\"\n\
             [[then]]\ndials = \"mail.contoso.com\"\nreached = \"typed\"\nhops = [\"cas2013-s1\"]\n\
             prompts = {{ credentials = 0, certificate = 0 }}\ntold = {{ mailbox = \"red\" }}\n"
        );
        let read = Case::read("coexistence/health/red".parse().unwrap(), &Source::new("case.toml", text));
        read.map_err(|problem| problem.picture().to_string())
    }

    #[test]
    fn a_row_of_pings_is_read_and_one_that_contradicts_itself_is_refused_at_its_place() {
        let case = read(ROW).unwrap();
        assert_eq!((case.pings[0].of, case.pings[0].then), (Protocol::Ews, Health::Up));
        for (from, to, place, says) in [
            ("[\"cas2010-s1\"]", "[]", "case.toml:6:", "no server is named"),
            ("rounds = 2", "rounds = 1", "case.toml:8:", "at least as many rounds"),
            ("[\"401\"]", "[]", "case.toml:9:", "at least one answer"),
            ("\"401\"", "\"tea\"", "case.toml:9:", "status"),
            ("\"up\"", "\"down\"", "case.toml:10:", "whose retry failed too"),
            (", [\"401\"]", "", "case.toml:10:", "whose retry failed too"),
            ("\"up\"", "\"well\"", "case.toml:10:", "up (or down)"),
        ] {
            let refused = read(&ROW.replace(from, to)).unwrap_err();
            assert!(refused.starts_with(place) && refused.contains(says), "{refused}");
        }
    }

    #[test]
    fn a_place_of_a_fault_says_whose_requests_it_shows_in() {
        let at: FaultAt = "pings cas2010-s1/ews".parse().unwrap();
        assert_eq!((at.of, at.server.as_str(), at.protocol), (Askers::Pings, "cas2010-s1", Protocol::Ews));
        assert_eq!("cas2010-s1/ews".parse::<FaultAt>().unwrap().of, Askers::Clients);
        for wrong in ["pings", "pings cas2010-s1", "ping cas2010-s1/ews", "cas2010-s1/gopher", "/ews"] {
            assert!(wrong.parse::<FaultAt>().is_err(), "{wrong}");
        }
    }
}
