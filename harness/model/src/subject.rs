//! A subject file: how a proxy under test is started, what it claims, and what it is known to fail.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::names::CaseId;
use crate::problem::{Problem, Source};
use crate::protocol::{Role, words};

mod declares;
mod run;
mod span;
pub mod variables;

pub use declares::{Balancing, Declares, LocalSite, MailRetry, ToServers};
pub use run::{
    Asked, Instances, Listener, Ready, Reload, ReloadSignal, Run, Sign, Stop, StopSignal, Template,
};
pub use span::{Day, Size, Span};

/// One proxy, from one file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Subject {
    /// The version of this contract: 1.
    pub contract: u8,
    /// Its name in reports.
    pub name: String,
    /// Which seat it takes.
    pub role: Role,
    /// What it claims; cases that need another feature are skipped with that reason.
    pub features: Vec<Feature>,
    /// How it is started.
    pub run: Run,
    /// What it says of itself, and the suite then checks.
    #[serde(default)]
    pub declares: Declares,
    /// Cases that it is known to fail.
    #[serde(default)]
    pub deviations: BTreeMap<CaseId, Deviation>,
}

/// A case that a subject is known to fail.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Deviation {
    /// Why.
    pub why: String,
    /// The day on which the excuse ends.
    pub until: Option<Day>,
}

words! {
    /// What a subject may claim.
    Feature, "feature", "owa (or autodiscover, ecp, silent-redirect, eas, ews, oab, …)";
    /// Autodiscover
    Autodiscover = "autodiscover",
    /// Outlook Web App
    Owa = "owa",
    /// Exchange Control Panel
    Ecp = "ecp",
    /// Moves a signed-in user without a prompt
    SilentRedirect = "silent-redirect",
    /// Exchange ActiveSync
    Eas = "eas",
    /// Exchange Web Services
    Ews = "ews",
    /// Offline Address Book
    Oab = "oab",
    /// Outlook Anywhere
    OutlookAnywhere = "outlook-anywhere",
    /// ExHTTP
    Exhttp = "exhttp",
    /// MAPI over HTTP
    MapiHttp = "mapi-http",
    /// IMAP4
    Imap = "imap",
    /// POP3
    Pop = "pop",
    /// Health checking
    Health = "health",
    /// IsOutOfService
    OutOfService = "out-of-service",
    /// Takes NTLM from clients
    NtlmFront = "ntlm-front",
    /// Edge: passes Basic on
    Basic = "basic",
    /// Edge: never shares what one user signed in; may refuse
    ConnectionAuthSafe = "connection-auth-safe",
    /// Edge: passes NTLM and Negotiate
    ConnectionAuth = "connection-auth",
    /// Edge: passes RPC over HTTP
    RpcHttp = "rpc-http",
    /// Edge: holds quiet exchanges open
    LongWaits = "long-waits",
    /// Edge: passes IMAP and POP
    Mail = "mail",
    /// Edge: passes TLS on unopened
    TlsPassthrough = "tls-passthrough",
    /// Edge: speaks HTTP/2 to clients
    H2Front = "h2-front",
}

impl Subject {
    /// Reads a subject file.
    ///
    /// # Errors
    /// Whatever is wrong, with its place and a right value.
    pub fn read(source: &Source) -> Result<Subject, Problem> {
        let subject: Subject = source.read("compare with suites/subjects/reference-2013.toml")?;
        let wrong = |path: &[&str], message: &str, help: &str| {
            Err(source.problem(source.locate(path), message, Some(help.to_owned())))
        };
        if subject.contract != 1 {
            return wrong(&["contract"], "this is the contract of version 1", "contract = 1");
        }
        if subject.run.command.is_empty() && subject.run.image.is_none() {
            return wrong(
                &["run", "command"],
                "there is nothing to start",
                "command = [\"./my-proxy\", \"--config\", \"{work}/my-proxy.json\"], or image = \"my-proxy:dev\"",
            );
        }
        for (place, text) in subject.run.texts() {
            if let Some(unknown) = variables::within(text).find(|name| !variables::is_known(name)) {
                let path: Vec<&str> =
                    std::iter::once("run").chain(place.iter().map(String::as_str)).collect();
                let message = format!("there is no variable {{{unknown}}}");
                return wrong(&path, &message, &format!("the variables are {}", variables::listed()));
            }
        }
        if let Some((case, _)) = subject.deviations.iter().find(|(_, d)| d.why.trim().is_empty()) {
            return wrong(
                &["deviations", case.as_str()],
                "a deviation has a reason",
                "why = \"no silent redirect yet, issue 12\"",
            );
        }
        Ok(subject)
    }
}
