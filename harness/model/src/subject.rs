//! A subject file: how a proxy under test is started, what it claims, and what it is known to fail.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::names::{BadName, CaseId};
use crate::problem::{Problem, Source};
use crate::protocol::{Role, words};

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
    pub declares: BTreeMap<String, String>,
    /// Cases that it is known to fail.
    #[serde(default)]
    pub deviations: BTreeMap<CaseId, Deviation>,
}

/// What a subject may declare.
const DECLARED: &[&str] = &[
    "balancing",
    "body-limit",
    "discovery-ttl",
    "eas-451",
    "head-limit",
    "health-interval",
    "mail-retry",
    "oab-local-site",
    "owa-timeout",
    "quiet",
    "to-servers",
];

/// How a subject is started and stopped.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Run {
    /// Program and arguments; `{work}` and the other variables are filled in.
    pub command: Vec<String>,
    /// Templates that are rendered into its work folder.
    #[serde(default)]
    pub files: Vec<Template>,
    /// Environment variables, beside an otherwise inherited environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// When it is ready.
    pub ready: Ready,
    /// How it is stopped.
    pub stop: Stop,
}

/// One template.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Template {
    /// The template, relative to the subject file.
    pub from: String,
    /// Where it goes.
    pub to: String,
}

/// When a subject is ready: its port takes connections.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Ready {
    /// The listener that must take a connection: `https` or `http`.
    pub tcp: Listener,
    /// How long it may take.
    pub within: Span,
}

/// How a subject is stopped.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Stop {
    /// The signal it is sent.
    pub signal: StopSignal,
    /// How long it may take before it is killed.
    pub within: Span,
}

words! {
    /// A listener of the seat.
    Listener, "listener", "https (or http)";
    /// Port 443
    Https = "https",
    /// Port 80
    Http = "http",
}

words! {
    /// A signal that stops a subject.
    StopSignal, "signal", "TERM (or INT, QUIT)";
    /// SIGTERM
    Term = "TERM",
    /// SIGINT
    Int = "INT",
    /// SIGQUIT
    Quit = "QUIT",
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

/// A day, `2027-03-01`; a TOML date, or text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "toml::Value", into = "String")]
pub struct Day(String);

impl TryFrom<toml::Value> for Day {
    type Error = BadName;
    fn try_from(value: toml::Value) -> Result<Self, BadName> {
        let given = match &value {
            toml::Value::Datetime(day) => day.to_string(),
            toml::Value::String(day) => day.clone(),
            other => other.to_string(),
        };
        given.parse()
    }
}

impl std::str::FromStr for Day {
    type Err = BadName;
    fn from_str(given: &str) -> Result<Self, BadName> {
        let parts: Vec<u16> = given.split('-').filter_map(|part| part.parse().ok()).collect();
        match parts[..] {
            [_, 1..=12, 1..=31] if given.len() == 10 => Ok(Day(given.to_owned())),
            _ => Err(BadName { given: given.to_owned(), what: "day", example: "2027-03-01" }),
        }
    }
}

impl From<Day> for String {
    fn from(day: Day) -> String {
        day.0
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A length of time, `500ms`, `10s`, `50m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub Duration);

impl TryFrom<String> for Span {
    type Error = BadName;
    fn try_from(given: String) -> Result<Self, BadName> {
        let bad = || BadName { given: given.clone(), what: "length of time", example: "500ms (or 10s, 50m)" };
        let digits = given.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let number: u64 = digits.parse().map_err(|_| bad())?;
        match &given[digits.len()..] {
            "ms" => Ok(Span(Duration::from_millis(number))),
            "s" => Ok(Span(Duration::from_secs(number))),
            "m" => Ok(Span(Duration::from_secs(number * 60))),
            _ => Err(bad()),
        }
    }
}

impl From<Span> for String {
    fn from(span: Span) -> String {
        format!("{}ms", span.0.as_millis())
    }
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
}

/// What a subject file can have filled in, written in braces: `{work}`.
pub const VARIABLES: [&str; 11] = [
    "work",
    "coexist",
    "ca",
    "lab",
    "listen.https",
    "listen.http",
    "cert.chain",
    "cert.key",
    "cert.pem",
    "dns",
    "directory",
];

/// The variable that a text begins with: braces around small letters, dots and dashes. Other braces are no variable, so
/// that JSON may be an argument.
pub fn variable(text: &str) -> Option<&str> {
    let (name, _) = text.strip_prefix('{')?.split_once('}')?;
    let fits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'.' || b == b'-');
    fits.then_some(name)
}

impl Run {
    /// Every text that may hold variables, with where it stands below `run`.
    fn texts(&self) -> impl Iterator<Item = (Vec<String>, &str)> {
        let words = self.command.iter().enumerate();
        let words = words.map(|(n, word)| (vec!["command".to_owned(), n.to_string()], word.as_str()));
        let files = self.files.iter().enumerate().flat_map(|(n, file)| {
            [("from", &file.from), ("to", &file.to)]
                .map(|(key, text)| (vec!["files".to_owned(), n.to_string(), key.to_owned()], text.as_str()))
        });
        let env = self.env.iter().map(|(key, text)| (vec!["env".to_owned(), key.clone()], text.as_str()));
        words.chain(files).chain(env)
    }
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
        if subject.run.command.is_empty() {
            return wrong(
                &["run", "command"],
                "there is nothing to start",
                "command = [\"./my-proxy\", \"--config\", \"{work}/my-proxy.json\"]",
            );
        }
        for (place, text) in subject.run.texts() {
            let mut variables = text.match_indices('{').filter_map(|(at, _)| variable(&text[at..]));
            if let Some(unknown) = variables.find(|name| !VARIABLES.contains(name)) {
                let path: Vec<&str> =
                    std::iter::once("run").chain(place.iter().map(String::as_str)).collect();
                let message = format!("there is no variable {{{unknown}}}");
                let known: Vec<String> = VARIABLES.iter().map(|name| format!("{{{name}}}")).collect();
                return wrong(&path, &message, &format!("the variables are {}", known.join(", ")));
            }
        }
        if let Some(unknown) = subject.declares.keys().find(|key| !DECLARED.contains(&key.as_str())) {
            let message = format!("nothing is known of `{unknown}`");
            return wrong(&["declares", unknown], &message, &format!("one of {}", DECLARED.join(", ")));
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
