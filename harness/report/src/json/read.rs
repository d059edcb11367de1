//! `report.json` read again: what is not as its schema says is refused.

use std::collections::BTreeSet;
use std::time::Duration;

use model::case::Leg;
use model::verdict::{
    Counts, Difference, Ended, Outcome, RunFacts, SeenHop, SeenLeg, Selection, Shard, Verdict,
};
use model::{CaseId, RuleId};
use serde::Deserialize;
use serde_json::Value;

use crate::schema::{REPORT, violations};

/// What a `report.json` says.
#[derive(Debug, Clone)]
pub struct Written {
    /// The run.
    pub run: RunFacts,
    /// Its verdicts.
    pub verdicts: Vec<Verdict>,
    /// The cases that left evidence, each in `evidence/ID` beside the report.
    pub evidence: BTreeSet<CaseId>,
}

/// Why a text is no report.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// No JSON, or the beginning of one.
    #[error("no report: {0}; was it cut short?")]
    NoJson(serde_json::Error),
    /// JSON of another shape.
    #[error("no report: {0}")]
    Shape(String),
}

/// Reads a report.
///
/// # Errors
/// What is no JSON, or not of its published shape, and where.
pub fn read(text: &str) -> Result<Written, Unread> {
    let value: Value = serde_json::from_str(text).map_err(Unread::NoJson)?;
    let schema: Value = serde_json::from_str(REPORT).map_err(Unread::NoJson)?;
    if let Some(first) = violations(&schema, &value).into_iter().next() {
        return Err(Unread::Shape(first));
    }
    let whole: Whole = serde_json::from_value(value).map_err(|error| Unread::Shape(error.to_string()))?;
    let mut evidence = BTreeSet::new();
    let mut verdicts = vec![];
    for case in whole.cases {
        if let Some(folder) = &case.evidence {
            if *folder != format!("evidence/{}", case.id) {
                let says = format!("the evidence of {} is said to be in `{folder}`", case.id);
                return Err(Unread::Shape(says));
            }
            evidence.insert(case.id.clone());
        }
        verdicts.push(case.verdict()?);
    }
    Ok(Written { run: whole.run.facts()?, verdicts, evidence })
}

#[derive(Deserialize)]
struct Whole {
    run: RunEntry,
    cases: Vec<CaseEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RunEntry {
    tree: String,
    seed: String,
    subject: Vec<String>,
    topology: Vec<String>,
    host: String,
    ground: String,
    counts: Counts,
    arrivals: u64,
    unclaimed: u64,
    remarks: Vec<String>,
    duration_ms: f64,
    exit: u8,
    shard: Option<Shard>,
    selection: Selection,
    ended: Ended,
}

impl RunEntry {
    fn facts(self) -> Result<RunFacts, Unread> {
        Ok(RunFacts {
            tree: self.tree,
            seed: self.seed,
            subject: self.subject,
            topologies: self.topology,
            host: self.host,
            ground: self.ground,
            counts: self.counts,
            arrivals: self.arrivals,
            unclaimed: self.unclaimed,
            remarks: self.remarks,
            took: took(self.duration_ms)?,
            exit: self.exit,
            shard: self.shard,
            selection: self.selection,
            ended: self.ended,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct CaseEntry {
    id: CaseId,
    title: String,
    rules: Vec<RuleId>,
    source: String,
    outcome: Outcome,
    why: Vec<Difference>,
    likely: Option<String>,
    expected: Vec<Leg>,
    observed: Vec<LegEntry>,
    duration_ms: f64,
    again: String,
    evidence: Option<String>,
}

impl CaseEntry {
    fn verdict(self) -> Result<Verdict, Unread> {
        Ok(Verdict {
            id: self.id,
            title: self.title,
            rules: self.rules,
            source: self.source,
            outcome: self.outcome,
            why: self.why,
            likely: self.likely,
            expected: self.expected,
            observed: self.observed.into_iter().map(LegEntry::seen).collect(),
            took: took(self.duration_ms)?,
            again: self.again,
        })
    }
}

#[derive(Deserialize)]
struct LegEntry {
    dials: String,
    reached: String,
    hops: Vec<SeenHop>,
    prompts: PromptsEntry,
    told: String,
    note: Option<String>,
}

#[derive(Deserialize)]
struct PromptsEntry {
    credentials: u8,
    certificate: u8,
}

impl LegEntry {
    fn seen(self) -> SeenLeg {
        SeenLeg {
            dials: self.dials,
            reached: self.reached,
            hops: self.hops,
            prompts: (self.prompts.credentials, self.prompts.certificate),
            told: self.told,
            note: self.note,
        }
    }
}

fn took(milliseconds: f64) -> Result<Duration, Unread> {
    let says = |_| Unread::Shape(format!("a duration-ms of {milliseconds} is no time"));
    // To the microsecond, as it is written.
    let exact = Duration::try_from_secs_f64(milliseconds / 1000.0).map_err(says)?;
    Ok(Duration::from_micros(u64::try_from((exact.as_nanos() + 500) / 1000).unwrap_or(u64::MAX)))
}
