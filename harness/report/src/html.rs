//! `report.html`: one page that needs nothing beside itself, opens from a file, and says first what an author needs.

mod escape;
mod journey;
mod overview;
mod rules;
mod section;
mod sequence;

use std::collections::BTreeMap;
use std::sync::Arc;

use model::case::Case;
use model::rule::Rule;
use model::verdict::{Outcome, RunFacts, Verdict};
use model::{CaseId, Role};

/// What a case left behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Its folder, relative to the report.
    pub folder: String,
    /// The files in it.
    pub files: Vec<String>,
    /// The DNS queries of its time, a sentence each.
    pub dns: Vec<String>,
}

/// Everything that the page shows.
pub struct Page<'a> {
    /// What the run was.
    pub run: &'a RunFacts,
    /// The roles that the subjects played.
    pub roles: &'a [Role],
    /// Why the run ended as it did, where the verdicts do not say it.
    pub why: Option<&'a str>,
    /// The verdicts; a case that ran several times has several.
    pub verdicts: &'a [Verdict],
    /// Every case of the suite, run or not.
    pub cases: &'a [Arc<Case>],
    /// The rule book's index.
    pub rules: &'a [Rule],
    /// What cases left behind.
    pub evidence: &'a BTreeMap<CaseId, Evidence>,
    /// A word that nobody could guess while the run was on: only a script that bears it is run by the browser.
    pub nonce: &'a str,
}

/// One case, however often it ran.
struct Shown<'a> {
    /// The verdict that matters most.
    verdict: &'a Verdict,
    case: Option<&'a Case>,
    runs: usize,
    wrong: usize,
}

/// The whole file.
pub fn page(page: &Page<'_>) -> String {
    let shown = shown(page);
    let title = overview::headline(page.run, &shown);
    let nonce = escape::text(page.nonce);
    let mut html = format!(
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>\
         <meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'\">\
         <meta name=viewport content=\"width=device-width, initial-scale=1\"><meta name=color-scheme content=\"light dark\">\
         <title>{} · Coexist</title>\n<style>{}</style></head>\n<body>\n\
         <a class=skip href=\"#cases\">Skip to the cases</a>\n",
        escape::text(&title),
        include_str!("html/page.css"),
    );
    overview::write(&mut html, page, &shown, &title);
    html.push_str(FILTER);
    html.push_str("<main>\n");
    let wrong: Vec<&Shown<'_>> = shown.iter().filter(|one| !one.verdict.outcome.as_expected()).collect();
    let rest: Vec<&Shown<'_>> = shown.iter().filter(|one| one.verdict.outcome.as_expected()).collect();
    html.push_str("<h2 id=cases>Not as expected</h2>\n");
    if wrong.is_empty() {
        html.push_str("<p class=say>No case.</p>\n");
    } else {
        html.push_str(LEGEND);
    }
    wrong.iter().for_each(|one| section::write(&mut html, page, one));
    rules::write(&mut html, page, &shown);
    html.push_str("<h2 id=others>As expected</h2>\n");
    if rest.is_empty() {
        html.push_str("<p class=say>No case.</p>\n");
    }
    rest.iter().for_each(|one| section::write(&mut html, page, one));
    html.push_str("<footer>Made by <code>coexist</code>. Beside this page lie report.json, junit.xml, summary.md and ledger.jsonl.</footer>\n");
    html.push_str(&format!(
        "</main>\n<script nonce=\"{nonce}\">{}</script>\n</body></html>\n",
        include_str!("html/page.js")
    ));
    html
}

const FILTER: &str = "<div class=filter role=search><div><label class=vh for=filter>Filter cases by id, rule, outcome or title</label>\
    <input id=filter type=search autocomplete=off spellcheck=false placeholder=\"Filter: id, rule, outcome, title\">\
    <output id=said for=filter></output>\
    <button class=copy data-open=1 type=button>Open all</button><button class=copy data-open=0 type=button>Fold all</button>\
    <nav aria-label=\"On this page\"><a href=\"#cases\">Not as expected</a><a href=\"#rules\">Rules</a>\
    <a href=\"#others\">As expected</a></nav></div></div>\n";

const LEGEND: &str = "<p class=say>In the pictures time runs downwards. A plain line was expected and came. A dashed line that \
    begins with a crossed circle is <b>missing</b>. A double line that begins with a plus in a square is <b>not \
    expected</b>.</p>\n";

/// The class of an outcome in the style sheet.
fn class(outcome: Outcome) -> &'static str {
    match outcome {
        // `skip` is the link past the head.
        Outcome::Skip => "skip-o",
        other => other.as_str(),
    }
}

/// An outcome's shape, so that none is told by colour alone.
fn mark(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "✓",
        Outcome::Fail => "✗",
        Outcome::ExpectedFail => "△",
        Outcome::UnexpectedPass => "!",
        Outcome::Skip => "–",
        Outcome::Setup => "◇",
        Outcome::Unobserved => "?",
    }
}

/// An outcome in words.
fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "passed",
        Outcome::Fail => "failed",
        Outcome::ExpectedFail => "failed as expected",
        Outcome::UnexpectedPass => "passed unexpectedly",
        Outcome::Skip => "skipped",
        Outcome::Setup => "could not be run",
        Outcome::Unobserved => "unobserved",
    }
}

/// The fragment of a case's section.
fn anchor(id: &CaseId) -> String {
    format!("case/{id}")
}

/// One entry a case: of several verdicts the first that is not as expected.
fn shown<'a>(page: &Page<'a>) -> Vec<Shown<'a>> {
    let cases: BTreeMap<&CaseId, &Case> = page.cases.iter().map(|case| (&case.id, &**case)).collect();
    let mut by_id: BTreeMap<&CaseId, Shown<'a>> = BTreeMap::new();
    for verdict in page.verdicts {
        let wrong = usize::from(!verdict.outcome.as_expected());
        by_id
            .entry(&verdict.id)
            .and_modify(|one| {
                if one.verdict.outcome.as_expected() && wrong == 1 {
                    one.verdict = verdict;
                }
                one.runs += 1;
                one.wrong += wrong;
            })
            .or_insert_with(|| Shown { verdict, case: cases.get(&verdict.id).copied(), runs: 1, wrong });
    }
    by_id.into_values().collect()
}

#[cfg(test)]
mod tests;
