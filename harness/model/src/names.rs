//! Names that a file may hold. Each is a type; a wrong one is refused with a sentence that shows a right one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a name was refused, with an example of a right one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no {what}; a right one looks like `{example}`")]
pub struct BadName {
    /// What was written.
    pub given: String,
    /// The kind of name that was wanted.
    pub what: &'static str,
    /// A right one.
    pub example: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $example:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The name as it is written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $type {
            type Err = BadName;
            fn from_str(given: &str) -> Result<Self, BadName> {
                let valid: fn(&str) -> bool = $valid;
                match valid(given) {
                    true => Ok(Self(given.to_owned())),
                    false => Err(BadName { given: given.to_owned(), what: $what, example: $example }),
                }
            }
        }
        impl TryFrom<String> for $type {
            type Error = BadName;
            fn try_from(given: String) -> Result<Self, BadName> {
                given.parse()
            }
        }
        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

fn is_label(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 63
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// A label of a DNS name, which may hold anything (RFC 2181, section 11): a service's begins with an underscore, and Windows has
/// computers with one in their names.
fn is_dns_label(text: &str) -> bool {
    match text.contains('_') {
        false => is_label(text),
        true => text.contains(|c| c != '_') && is_label(&text.replace('_', "0")),
    }
}

name!(
    /// A server's host name, `cas2010-s1`: also the name of the position that it takes in a topology.
    ServerName, "server name", "cas2010-s1", is_label
);
name!(
    /// An Active Directory site, `Site1`.
    SiteName, "site name", "Site1",
    |text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
);
name!(
    /// A mailbox, `purple`, or one that a case leased, `purple-1a2b3c`.
    MailboxName, "mailbox name", "purple", is_label
);
name!(
    /// A mailbox database, `db2010-s1`.
    DatabaseName, "database name", "db2010-s1", is_label
);
name!(
    /// An Offline Address Book, `oab-s1`.
    OabName, "name of an Offline Address Book", "oab-s1", is_label
);
name!(
    /// A DNS name, lower case and without a closing dot.
    HostName, "DNS name (lower case, no closing dot)", "mail.contoso.com",
    |text| text.len() <= 253 && text.split('.').all(is_dns_label)
);
name!(
    /// A rule of the rule book, `CX-OWA-2`.
    RuleId, "rule id", "CX-OWA-2",
    |text| text.contains('-') && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-')
);
name!(
    /// A case's path below `suites/cases`, without `.toml`: `coexistence/owa/purple`.
    CaseId, "case id", "coexistence/owa/purple",
    |text| text.contains('/') && text.split('/').all(|part| !part.is_empty() && !part.starts_with('.'))
);

impl ServerName {
    /// The server's own DNS name in the topology's domain.
    pub fn fqdn(&self, domain: &HostName) -> HostName {
        HostName(format!("{}.{}", self.0, domain.0))
    }
}

impl CaseId {
    /// The id of the file that the case is of: without the `[chunked]` of a file that makes several.
    pub fn file(&self) -> &str {
        self.0.split('[').next().unwrap_or_default()
    }
}

impl HostName {
    /// A DNS name from anything a client or server wrote: letter case and a closing dot are folded.
    ///
    /// # Errors
    /// What is no DNS name.
    pub fn folded(written: &str) -> Result<HostName, BadName> {
        written.trim_end_matches('.').to_ascii_lowercase().parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_name_is_refused_with_a_right_one() {
        let refused = "CAS 2010".parse::<ServerName>().unwrap_err();
        assert_eq!(refused.to_string(), "`CAS 2010` is no server name; a right one looks like `cas2010-s1`");
    }

    #[test]
    fn a_host_name_folds_case_and_closing_dot() {
        assert_eq!(HostName::folded("Mail.Contoso.COM.").unwrap().as_str(), "mail.contoso.com");
        assert!("Mail.contoso.com".parse::<HostName>().is_err());
    }

    #[test]
    fn an_underscore_may_stand_in_a_dns_name_and_in_no_other() {
        for name in ["_autodiscover._tcp.contoso.com", "ex_cas1.contoso.com", "ex_.contoso.com"] {
            assert!(name.parse::<HostName>().is_ok(), "{name}");
        }
        assert_eq!(HostName::folded("EX_CAS1.contoso.com").unwrap().as_str(), "ex_cas1.contoso.com");
        let long = format!("{}_.contoso.com", "a".repeat(63));
        for name in ["_.contoso.com", "-_.contoso.com", "ex_cas1-.contoso.com", &long, ""] {
            assert!(name.parse::<HostName>().is_err(), "{name}");
        }
        assert!("ex_cas1".parse::<ServerName>().is_err());
    }
}
