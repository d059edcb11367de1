//! Who is expected at a door to a network, where nobody knows beforehand which addresses the servers will have.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use model::ServerName;
use serde::{Deserialize, Serialize};

use crate::ground::{Layout, Place};

/// The servers that will come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Roll {
    /// Those of every lab of a run.
    pub servers: BTreeSet<ServerName>,
    /// Whether there is a place that a server moves to: one more reports, as [`Layout::ELSEWHERE`].
    pub elsewhere: bool,
}

/// Why a roll was not complete.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotGathered {
    /// Some did not come.
    #[error(
        "{} of {expected} servers did not report within {within:?}: {}; look whether their containers run, and what they say{}",
        missing.len(),
        few(missing),
        sent_away.iter().map(|who| format!("; {who}")).collect::<String>()
    )]
    Missing {
        /// Their names.
        missing: Vec<String>,
        /// How many there are to be.
        expected: usize,
        /// How long they were waited for.
        within: Duration,
        /// Who else came to the door.
        sent_away: Vec<String>,
    },
    /// Two that cannot be told apart.
    #[error("{first} and {second} both have the address {at}: each needs a network of its own")]
    SameAddress {
        /// The one.
        first: String,
        /// The other.
        second: String,
        /// Where they are.
        at: IpAddr,
    },
}

/// Names that a message shows.
const FEW: usize = 10;

fn few(names: &[String]) -> String {
    let shown = names.iter().take(FEW).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(FEW) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

impl Roll {
    /// Every name that is reported.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.servers.iter().map(ServerName::as_str).chain(self.elsewhere.then_some(Layout::ELSEWHERE))
    }

    /// Where everybody is, once all have come: `at` says where from, `own` where to.
    pub(super) fn laid_out(
        &self,
        own: IpAddr,
        at: impl Fn(&str) -> Option<IpAddr>,
    ) -> Result<Layout, NotGathered> {
        let mut by_address = BTreeMap::from([(own, "the runner")]);
        let mut place = |name| {
            let at = at(name).unwrap_or(own);
            match by_address.insert(at, name) {
                Some(other) => {
                    let (first, second) = (other.to_owned(), name.to_owned());
                    Err(NotGathered::SameAddress { first, second, at })
                }
                None => Ok(Place::everywhere(at)),
            }
        };
        let mut servers = BTreeMap::new();
        for name in &self.servers {
            servers.insert(name.clone(), place(name.as_str())?);
        }
        let elsewhere = self.elsewhere.then(|| place(Layout::ELSEWHERE)).transpose()?;
        Ok(Layout { own: Place::everywhere(own), machine: None, servers, elsewhere })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roll(names: &[&str]) -> Roll {
        Roll { servers: names.iter().map(|name| name.parse().unwrap()).collect(), elsewhere: true }
    }

    #[test]
    fn everybody_is_where_they_reported_from() {
        let at = |name: &str| Some(IpAddr::from([10, 0, 0, if name == "cas2010-s1" { 2 } else { 3 }]));
        let layout = roll(&["cas2010-s1"]).laid_out([10, 0, 0, 1].into(), at).unwrap();
        assert_eq!(layout.own, Place::everywhere([10, 0, 0, 1].into()));
        assert_eq!(layout.servers[&"cas2010-s1".parse().unwrap()], Place::everywhere([10, 0, 0, 2].into()));
        assert_eq!(layout.elsewhere, Some(Place::everywhere([10, 0, 0, 3].into())));
    }

    #[test]
    fn two_that_share_an_address_are_named() {
        let both = roll(&["cas2010-s1"]).laid_out([10, 0, 0, 1].into(), |_| Some([10, 0, 0, 2].into()));
        assert_eq!(
            both.unwrap_err().to_string(),
            "cas2010-s1 and elsewhere both have the address 10.0.0.2: each needs a network of its own"
        );
        let runner = roll(&["cas2010-s1"]).laid_out([10, 0, 0, 1].into(), |_| Some([10, 0, 0, 1].into()));
        assert!(runner.unwrap_err().to_string().starts_with("the runner and cas2010-s1 both"));
    }

    #[test]
    fn who_did_not_report_is_named_and_so_is_who_was_sent_away() {
        let missing = (0..12).map(|n| format!("cas2010-s{n}")).collect();
        let sent_away = vec!["10.0.0.9 was sent away: it does not know the word".to_owned()];
        let within = Duration::from_secs(600);
        let says = NotGathered::Missing { missing, expected: 20, within, sent_away }.to_string();
        assert_eq!(
            says,
            "12 of 20 servers did not report within 600s: cas2010-s0, cas2010-s1, cas2010-s2, cas2010-s3, cas2010-s4, \
             cas2010-s5, cas2010-s6, cas2010-s7, cas2010-s8, cas2010-s9 and 2 more; look whether their containers run, and what \
             they say; 10.0.0.9 was sent away: it does not know the word"
        );
    }
}
