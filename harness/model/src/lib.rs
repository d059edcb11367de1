//! The nouns of Coexist and their parsers: topologies, cases, subjects, rules, verdicts.
//!
//! Pure: no async, no sockets, no clock, no files. It looks up what a file says and derives nothing: no function
//! here takes both a mailbox and a server, or answers a question of the rule book (who is internet-facing, who may
//! serve whom). The fakes, the reference and the oracle each work that out for themselves.

pub mod case;
pub mod digest;
pub mod journal;
pub mod mail;
pub mod names;
pub mod plain;
pub mod problem;
pub mod protocol;
pub mod rule;
pub mod subject;
pub mod topology;
pub mod url;
pub mod verdict;
pub mod version;

pub use case::{By, Case, Hop, Leg, Position, Prompts, Reached, Told, When};
pub use names::{CaseId, DatabaseName, HostName, MailboxName, OabName, RuleId, ServerName, SiteName};
pub use problem::Problem;
pub use protocol::{Protocol, Role, View};
pub use topology::Topology;
pub use url::{ExternalUrl, InternalUrl, WebUrl};
pub use version::{Build, Version};
