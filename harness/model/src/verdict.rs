//! Verdicts: what a run says of each case, and of itself.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::case::Leg;
use crate::names::{CaseId, RuleId};
use crate::protocol::words;

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
    /// `hops`, `told`, `prompts`, `reached`, `dials`, `signs-in`, `resolves`, `carried`, `stranger`, `invariant`, `unobserved`, `setup`,
    /// [`UNTRIED`].
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
}
