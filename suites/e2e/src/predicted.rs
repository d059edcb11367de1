//! Cases that nobody wrote: what the oracle predicts for the usual journeys of a topology that has no literals.
//!
//! They are marked as such wherever they show: ids begin with `predicted/`, their source says that no literal stands behind
//! them, and a run says how many they were.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use model::case::{Action, Case, Given, Step, Told};
use model::subject::Feature;
use model::{CaseId, Leg, Protocol, Role, RuleId, Topology, When};
use oracle::Table;

use crate::suite::{Suite, SuiteError};

/// What their ids begin with.
const PREDICTED: &str = "predicted/";

/// A usual journey, and what the oracle says comes of it.
pub(crate) struct Journey {
    /// What the client does.
    pub(crate) when: When,
    /// Its legs.
    pub(crate) legs: Vec<Leg>,
    /// The rows of the oracle's table that decided.
    pub(crate) rows: Vec<&'static str>,
    /// Where the article is silent: from which row it was extended.
    pub(crate) unclaimed: Option<String>,
}

/// The usual journeys of a topology that the oracle predicts, and how many it does not.
pub(crate) fn journeys(table: &Table, topology: &Topology) -> (Vec<Journey>, usize) {
    let mut silent = 0;
    let mut all = vec![];
    // Who comes back was there before: that is a case of several steps.
    for when in oracle::journeys(topology).into_iter().filter(|when| when.comes_back.is_none()) {
        match oracle::predict(table, topology, &when) {
            Ok(told) => {
                all.push(Journey { when, legs: told.legs, rows: told.rows, unclaimed: told.unclaimed });
            }
            Err(_) => silent += 1,
        }
    }
    (all, silent)
}

impl Journey {
    /// The journey as a case: what a case file would say, had somebody written one.
    pub(crate) fn case(&self, id: CaseId, topology: &Path, source: String, rules: Vec<RuleId>) -> Case {
        Case {
            id,
            title: format!("As the oracle says by {}", self.rows.join(", ")),
            rules,
            source,
            needs: vec![],
            declares: Default::default(),
            topology: topology.display().to_string(),
            given: Given::default(),
            steps: vec![Step { before: vec![], when: self.when.clone(), then: self.legs.clone() }],
            resolves: vec![],
            pings: vec![],
            finds: None,
        }
    }

    /// What a subject must claim for it.
    fn needs(&self) -> Vec<Feature> {
        let of_protocol = match self.when.protocol() {
            Protocol::Autodiscover => Some(Feature::Autodiscover),
            Protocol::Owa => Some(Feature::Owa),
            Protocol::Ecp => Some(Feature::Ecp),
            Protocol::Eas => Some(Feature::Eas),
            Protocol::Ews => Some(Feature::Ews),
            Protocol::Oab => Some(Feature::Oab),
            Protocol::OutlookAnywhere => Some(Feature::OutlookAnywhere),
            Protocol::Mapi => Some(Feature::MapiHttp),
            Protocol::Imap => Some(Feature::Imap),
            Protocol::Pop => Some(Feature::Pop),
            Protocol::PowerShell | Protocol::Rpc | Protocol::Dns => None,
        };
        let of_legs = self.legs.iter().flat_map(|leg| match &leg.told {
            Told::SilentRedirect(_) => vec![Feature::SilentRedirect],
            Told::Answer(answer) if !answer.exhttp.is_empty() => vec![Feature::Autodiscover, Feature::Exhttp],
            Told::Answer(_) => vec![Feature::Autodiscover],
            _ => vec![],
        });
        let connects = (self.when.does == Action::Connect).then_some(Feature::NtlmFront);
        let mut needs: Vec<Feature> = of_protocol.into_iter().chain(of_legs).chain(connects).collect();
        let mut seen = BTreeSet::new();
        needs.retain(|feature| seen.insert(feature.as_str()));
        needs
    }
}

/// Topologies that a run names by path, and what the oracle predicts in each.
#[derive(Default)]
pub(crate) struct Predicted {
    /// One line a topology, for the run's summary.
    pub(crate) remarks: Vec<String>,
}

/// The suite with a case for every predicted journey of the topologies that are named by path; those of the suite have
/// literals.
///
/// # Errors
/// A topology that cannot be read, or in which nothing is predicted.
pub(crate) fn added(suite: Suite, topologies: &[String]) -> Result<(Suite, Predicted), SuiteError> {
    let (mut suite, mut predicted) = (suite, Predicted::default());
    let table = Table::standard();
    for path in topologies.iter().filter(|name| name.ends_with(".toml")) {
        let topology = suite.topology(path, &Default::default())?;
        let (found, silent) = journeys(&table, &topology);
        if found.is_empty() {
            return Err(nothing(path));
        }
        let mut cases = vec![];
        for (number, journey) in (1..).zip(&found) {
            cases.push(Arc::new(case(&suite, &table, &topology, path, (number, journey))?));
        }
        predicted.remarks.push(remark(path, &found, silent));
        suite = suite.with_cases(path, topology, cases);
    }
    Ok((suite, predicted))
}

/// Whether there will be a case for a topology that is named by path.
///
/// # Errors
/// Nothing is predicted in it.
pub(crate) fn any(path: &str, topology: &Topology) -> Result<(), SuiteError> {
    let table = Table::standard();
    let mut journeys = oracle::journeys(topology).into_iter().filter(|when| when.comes_back.is_none());
    let found = journeys.any(|when| oracle::predict(&table, topology, &when).is_ok());
    if found { Ok(()) } else { Err(nothing(path)) }
}

fn nothing(path: &str) -> SuiteError {
    SuiteError::Unknown(format!(
        "{path}: the oracle predicts no journey in it; `coexist predict {path}` says why, journey by journey"
    ))
}

fn remark(path: &str, found: &[Journey], silent: usize) -> String {
    let open = found.iter().filter(|journey| journey.unclaimed.is_some()).count();
    let not = if silent == 0 { String::new() } else { format!(", {silent} more not predicted") };
    let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
    format!(
        "{name}: {} cases predicted by the oracle, not literal ({open} where the article is silent{not})",
        found.len()
    )
}

fn case(
    suite: &Suite,
    table: &Table,
    topology: &Topology,
    path: &str,
    (number, journey): (usize, &Journey),
) -> Result<Case, SuiteError> {
    let when = &journey.when;
    let id = format!("{PREDICTED}{}/{}/{}-{number}", topology.name, when.protocol(), when.mailbox);
    let id = id.parse().map_err(|error: model::names::BadName| SuiteError::Unknown(error.to_string()))?;
    let silent = journey.unclaimed.as_ref().map(|why| format!("; {why}")).unwrap_or_default();
    let source = format!("predicted by the oracle, not literal: {}{silent}", journey.rows.join(", "));
    let rules = rules(suite, table, topology.role, &journey.rows);
    let mut case = journey.case(id, Path::new(path), source, rules);
    case.title = format!("Predicted: {}", crate::commands::asked(when));
    case.needs = journey.needs();
    Ok(case)
}

/// The rules behind rows of the table, those of the other era left out.
fn rules(suite: &Suite, table: &Table, role: Role, rows: &[&str]) -> Vec<RuleId> {
    let other = if role == Role::FrontEnd2010 { "CX-" } else { "PRE-" };
    let behind = table.rows().iter().filter(|row| rows.contains(&row.id)).flat_map(|row| row.rules);
    let mut seen = BTreeSet::new();
    behind
        .filter(|rule| !rule.starts_with(other) && seen.insert(**rule))
        .filter_map(|rule| suite.rules.iter().find(|known| known.id.as_str() == *rule))
        .map(|rule| rule.id.clone())
        .collect()
}
