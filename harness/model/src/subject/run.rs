//! How a subject is started, when it is ready, and how it is told of changes and stopped.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::span::Span;
use crate::names::BadName;
use crate::protocol::words;

/// How a subject is started and stopped.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Run {
    /// Program and arguments; `{work}` and the other variables are filled in. Beside `image` it is what is run in that, in place
    /// of what the image would run itself.
    #[serde(default)]
    pub command: Vec<String>,
    /// The image that it is started from where servers are containers: `my-proxy:dev`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
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
    /// How it is told that its files have changed.
    #[serde(default)]
    pub reload: Reload,
    /// How many of it may run at once.
    #[serde(default)]
    pub instances: Instances,
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

/// When a subject is ready.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "ReadyKeys", into = "ReadyKeys")]
pub struct Ready {
    /// By what it is known.
    pub sign: Sign,
    /// Whether it must then have asked every server of an older version for its health, too.
    pub pings: bool,
    /// How long it may take.
    pub within: Span,
}

/// By what it is known that a subject is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sign {
    /// This listener takes a connection.
    Tcp(Listener),
    /// This path is answered with 2xx, 3xx or 4xx.
    Http(Asked),
    /// This text stands in its log.
    Log(String),
}

/// A path on a listener: `/owa/` is one on https, `http /health` one on http.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Whom to ask.
    pub listener: Listener,
    /// What for.
    pub path: String,
}

/// The keys of `ready`, of which exactly one says how.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ReadyKeys {
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<Listener>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pings: bool,
    within: Span,
}

impl TryFrom<ReadyKeys> for Ready {
    type Error = String;
    fn try_from(keys: ReadyKeys) -> Result<Self, String> {
        let sign = match (keys.tcp, keys.http, keys.log) {
            (Some(listener), None, None) => Sign::Tcp(listener),
            (None, Some(path), None) => Sign::Http(path.parse().map_err(|bad: BadName| bad.to_string())?),
            (None, None, Some(text)) if text.trim().is_empty() => {
                return Err(
                    "an empty text is in every log; a right one is what it writes once it listens".into()
                );
            }
            (None, None, Some(text)) => Sign::Log(text),
            _ => {
                return Err("a subject is known to be ready by exactly one of tcp, http and log: \
                            ready = { tcp = \"https\", within = \"10s\" }"
                    .into());
            }
        };
        Ok(Ready { sign, pings: keys.pings, within: keys.within })
    }
}

impl From<Ready> for ReadyKeys {
    fn from(Ready { sign, pings, within }: Ready) -> ReadyKeys {
        let keys = ReadyKeys { tcp: None, http: None, log: None, pings, within };
        match sign {
            Sign::Tcp(listener) => ReadyKeys { tcp: Some(listener), ..keys },
            Sign::Http(asked) => ReadyKeys { http: Some(asked.to_string()), ..keys },
            Sign::Log(text) => ReadyKeys { log: Some(text), ..keys },
        }
    }
}

impl std::str::FromStr for Asked {
    type Err = BadName;
    fn from_str(given: &str) -> Result<Self, BadName> {
        let bad = || BadName {
            given: given.to_owned(),
            what: "path that can be asked for",
            example: "/owa/ (or http /health)",
        };
        let (listener, path) = match given.split_once(' ') {
            Some((listener, path)) => (listener.parse().map_err(|_| bad())?, path),
            None => (Listener::Https, given),
        };
        let fits = path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic());
        if fits { Ok(Asked { listener, path: path.to_owned() }) } else { Err(bad()) }
    }
}

impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.listener, self.path)
    }
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

/// How a subject is told that its files have changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "toml::Value", into = "toml::Value")]
pub enum Reload {
    /// By this signal.
    Signal(ReloadSignal),
    /// It is stopped and started again.
    Restart,
    /// Not at all: it follows the directory.
    #[default]
    None,
}

impl TryFrom<toml::Value> for Reload {
    type Error = BadName;
    fn try_from(value: toml::Value) -> Result<Self, BadName> {
        match &value {
            toml::Value::String(word) if word == "restart" => Ok(Reload::Restart),
            toml::Value::String(word) if word == "none" => Ok(Reload::None),
            toml::Value::Table(table) if table.len() == 1 => match table.get("signal") {
                Some(toml::Value::String(signal)) => Ok(Reload::Signal(signal.parse()?)),
                _ => Err(unlike_a_reload(&value)),
            },
            _ => Err(unlike_a_reload(&value)),
        }
    }
}

fn unlike_a_reload(value: &toml::Value) -> BadName {
    let example = "{ signal = \"HUP\" } (or \"restart\", \"none\")";
    BadName { given: value.to_string(), what: "way to reload", example }
}

impl From<Reload> for toml::Value {
    fn from(reload: Reload) -> toml::Value {
        match reload {
            Reload::Signal(signal) => {
                toml::Value::Table([("signal".to_owned(), signal.as_str().into())].into_iter().collect())
            }
            Reload::Restart => "restart".into(),
            Reload::None => "none".into(),
        }
    }
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
    StopSignal, "signal that stops", "TERM (or INT, QUIT)";
    /// SIGTERM
    Term = "TERM",
    /// SIGINT
    Int = "INT",
    /// SIGQUIT
    Quit = "QUIT",
}

words! {
    /// A signal that makes a subject read its files again.
    ReloadSignal, "signal that reloads", "HUP (or USR1, USR2)";
    /// SIGHUP
    Hup = "HUP",
    /// SIGUSR1
    Usr1 = "USR1",
    /// SIGUSR2
    Usr2 = "USR2",
}

words! {
    /// How many of a subject may run at once.
    #[derive(Default)]
    Instances, "number of instances", "many (or one)";
    /// One for each lab, labs side by side.
    #[default]
    Many = "many",
    /// One in all: labs run one after the other.
    One = "one",
}

impl Run {
    /// Whether a variable stands anywhere in it. What a template makes of one is not looked at.
    pub fn uses(&self, variable: &str) -> bool {
        self.texts().any(|(_, text)| super::variables::within(text).any(|name| name == variable))
    }

    /// Every text that may hold variables, with where it stands below `run`.
    pub(super) fn texts(&self) -> impl Iterator<Item = (Vec<String>, &str)> {
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
