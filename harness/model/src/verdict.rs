//! Verdicts: what a run says of each case, and of itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::case::Leg;
use crate::names::{CaseId, RuleId};
use crate::protocol::{View, words};
use crate::rule::Level;

words! {
    /// How a case ended.
    Outcome, "outcome", "pass";
    /// As its literals say.
    Pass = "pass",
    /// Otherwise.
    Fail = "fail",
    /// Otherwise, and a deviation says so.
    ExpectedFail = "expected-fail",
    /// As its literals say, though a deviation says otherwise.
    UnexpectedPass = "unexpected-pass",
    /// A feature was not claimed.
    Skip = "skip",
    /// The lab or the subject broke: says nothing of the rule.
    Setup = "setup",
    /// Nothing arrived that could be judged.
    Unobserved = "unobserved",
}

impl Verdict {
    /// Whether it was left out, and does not say why itself.
    pub fn is_untried(&self) -> bool {
        self.why.first().is_some_and(|why| why.what == UNTRIED)
    }
}

impl Outcome {
    /// Whether a gate may go green on it.
    pub fn as_expected(self) -> bool {
        matches!(self, Outcome::Pass | Outcome::ExpectedFail | Outcome::Skip)
    }
}

/// One case's verdict.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Verdict {
    /// The case.
    pub id: CaseId,
    /// Its title.
    pub title: String,
    /// The rules it holds.
    pub rules: Vec<RuleId>,
    /// Where its expectation comes from.
    pub source: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, for every outcome but `pass`: one line for each difference.
    pub why: Vec<Difference>,
    /// A sentence for the author of a proxy, where one is known.
    pub likely: Option<String>,
    /// The legs that were expected.
    pub expected: Vec<Leg>,
    /// The legs that were observed.
    pub observed: Vec<SeenLeg>,
    /// How long it took.
    pub took: Duration,
    /// The command that runs it again.
    pub again: String,
}

/// [`Difference::what`] of a case that was left out for a reason that another case states, or that many share.
pub const UNTRIED: &str = "untried";

/// One thing that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The leg, counted from 1; 0 for the case as a whole.
    pub leg: usize,
    /// `hops`, `told`, `prompts`, `reached`, `dials`, `signs-in`, `resolves`, `carried`, `spread`, `stranger`, `invariant`,
    /// `unobserved`, `setup`, [`UNTRIED`].
    pub what: String,
    /// In a sentence.
    pub says: String,
}

/// A leg as it was, in the words of the expectation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SeenLeg {
    /// The namespace dialled.
    pub dials: String,
    /// How the client came to it.
    pub reached: String,
    /// The hops of the request that counted, each with what arrived there.
    pub hops: Vec<SeenHop>,
    /// Prompts for credentials and about certificates.
    pub prompts: (u8, u8),
    /// What the client was told.
    pub told: String,
    /// Why, where a sentence helps.
    pub note: Option<String>,
}

/// A hop as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenHop {
    /// The server.
    pub server: String,
    /// What arrived: `GET /owa/`, `rpc connect`.
    pub what: String,
    /// `fqdn`, `internal-url`, `rpc`, or the name that was used.
    pub by: String,
    /// Whether the expectation names it here.
    pub expected: bool,
}

/// Counts by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Counts {
    /// Cases that the filters chose.
    pub selected: usize,
    /// As expected.
    pub pass: usize,
    /// Not as expected.
    pub fail: usize,
    /// Known to fail.
    pub expected_fail: usize,
    /// Known to fail, and passed.
    pub unexpected_pass: usize,
    /// Not claimed.
    pub skip: usize,
    /// Broken lab or subject.
    pub setup: usize,
    /// Nothing to judge.
    pub unobserved: usize,
}

impl Counts {
    /// Counts verdicts.
    pub fn of<'a>(selected: usize, verdicts: impl IntoIterator<Item = &'a Verdict>) -> Counts {
        let mut counts = Counts { selected, ..Counts::default() };
        for verdict in verdicts {
            *match verdict.outcome {
                Outcome::Pass => &mut counts.pass,
                Outcome::Fail => &mut counts.fail,
                Outcome::ExpectedFail => &mut counts.expected_fail,
                Outcome::UnexpectedPass => &mut counts.unexpected_pass,
                Outcome::Skip => &mut counts.skip,
                Outcome::Setup => &mut counts.setup,
                Outcome::Unobserved => &mut counts.unobserved,
            } += 1;
        }
        counts
    }

    /// Cases that said something of a rule.
    pub fn judged(&self) -> usize {
        self.pass + self.fail + self.expected_fail + self.unexpected_pass + self.unobserved
    }
}

/// What a run was.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunFacts {
    /// A hash over the suite's files.
    pub tree: String,
    /// The seed of the order, four hexadecimal digits or more.
    pub seed: String,
    /// The subject's name.
    pub subject: Vec<String>,
    /// Topologies that were brought up.
    pub topologies: Vec<String>,
    /// `in-process` or `docker`.
    pub host: String,
    /// `own`, `machine` or `mapped`.
    pub ground: String,
    /// Counts by outcome.
    pub counts: Counts,
    /// Arrivals recorded.
    pub arrivals: u64,
    /// Arrivals that belonged to nobody.
    pub unclaimed: u64,
    /// What is to be said of the run as a whole beside its verdicts, a sentence each.
    pub remarks: Vec<String>,
    /// Wall time from the first lab's start to the last verdict.
    pub took: Duration,
    /// The exit code.
    pub exit: u8,
    /// Which part of a whole it was; `None` for the whole.
    pub shard: Option<Shard>,
    /// What the whole was to be.
    pub selection: Selection,
    /// What decided the exit code beside the verdicts.
    pub ended: Ended,
}

/// The I-th of N parts of a run, I from 1: `2/3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    /// Which part.
    pub part: usize,
    /// Of how many.
    pub parts: usize,
}

impl std::str::FromStr for Shard {
    type Err = String;
    fn from_str(given: &str) -> Result<Shard, String> {
        let bad = || format!("`{given}` is no part of a whole; a right one: 2/3");
        let (part, parts) = given.split_once('/').ok_or_else(bad)?;
        let (part, parts) = (part.parse().map_err(|_| bad())?, parts.parse().map_err(|_| bad())?);
        if (1..=parts).contains(&part) { Ok(Shard { part, parts }) } else { Err(bad()) }
    }
}

impl TryFrom<String> for Shard {
    type Error = String;
    fn try_from(given: String) -> Result<Shard, String> {
        given.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> String {
        shard.to_string()
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.part, self.parts)
    }
}

/// What a command line chose, its part of the whole apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Selection {
    /// Globs over case ids.
    pub cases: Vec<String>,
    /// Rules.
    pub rules: Vec<RuleId>,
    /// Topologies.
    pub topologies: Vec<String>,
    /// The view.
    pub view: Option<View>,
    /// The cases that were not as expected in an earlier report, where only those were to run.
    pub failed: Option<Vec<String>>,
    /// How often each case was to run.
    pub repeat: usize,
    /// Which rules decide the exit code.
    pub level: Level,
    /// Whether no subject was named: every role's reference ran its own topologies.
    pub references: bool,
}

impl Selection {
    /// Whether every case of the suite was to run.
    pub fn is_open(&self) -> bool {
        self.cases.is_empty()
            && self.rules.is_empty()
            && self.topologies.is_empty()
            && self.view.is_none()
            && self.failed.is_none()
    }
}

/// As a command line would say it.
impl std::fmt::Display for Selection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words = |name: &str, all: &[String]| -> Vec<String> {
            all.iter().map(|one| format!("--{name} {one}")).collect()
        };
        let rules: Vec<String> = self.rules.iter().map(ToString::to_string).collect();
        let view: Vec<String> = self.view.iter().map(ToString::to_string).collect();
        let mut said = [
            words("case", &self.cases),
            words("rule", &rules),
            words("topology", &self.topologies),
            words("view", &view),
        ]
        .concat();
        said.extend(self.failed.as_ref().map(|failed| format!("--failed ({} cases)", failed.len())));
        if self.repeat != 1 {
            said.push(format!("--repeat {}", self.repeat));
        }
        said.push(format!("--level {}", self.level));
        f.write_str(&said.join(" "))
    }
}

/// What decides an exit code beside the verdicts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Ended {
    /// Whether any answer came from the subject, or no case asked it for one.
    pub subject_answered: bool,
    /// Arrivals and DNS queries recorded.
    pub recorded: u64,
    /// Cases that need no lab.
    pub looked_at: usize,
}
