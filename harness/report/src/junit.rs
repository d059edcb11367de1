//! JUnit XML, for the pages of a CI system: one suite for each topology and protocol.

use std::collections::BTreeMap;
use std::time::Duration;

use model::verdict::{Outcome, RunFacts, Verdict};

use crate::terminal;

/// The whole file.
///
/// A case that fails as a deviation says, and one that was not run, are `skipped` with their reason; `setup` is an
/// `error`; whatever else is not as expected is a `failure` with the terminal's text.
pub fn report(run: &RunFacts, verdicts: &[Verdict]) -> String {
    let mut suites: BTreeMap<String, Vec<&Verdict>> = BTreeMap::new();
    for verdict in verdicts {
        suites.entry(split(verdict).0).or_default().push(verdict);
    }
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let whole = totals(verdicts.iter());
    xml.push_str(&format!("<testsuites name=\"coexist\" {whole} time=\"{}\">\n", seconds(run.took)));
    for (name, verdicts) in &suites {
        let took = verdicts.iter().map(|verdict| verdict.took).sum();
        let counts = totals(verdicts.iter().copied());
        let name = escaped(name);
        xml.push_str(&format!("  <testsuite name=\"{name}\" {counts} time=\"{}\">\n", seconds(took)));
        xml.push_str("    <properties>\n");
        let facts = [("seed", &run.seed), ("subject", &run.subject.join(", ")), ("ground", &run.ground)];
        for (key, value) in facts {
            xml.push_str(&format!("      <property name=\"{key}\" value=\"{}\"/>\n", escaped(value)));
        }
        xml.push_str("    </properties>\n");
        verdicts.iter().for_each(|verdict| case(&mut xml, verdict));
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn case(xml: &mut String, verdict: &Verdict) {
    let (suite, name) = split(verdict);
    let (class, name) = (escaped(&suite.replace('/', ".")), escaped(&name));
    let took = seconds(verdict.took);
    let open = format!("    <testcase classname=\"{class}\" name=\"{name}\" time=\"{took}\"");
    let why = escaped(verdict.why.first().map_or("", |why| why.says.as_str()));
    let full = || escaped(&terminal::failure(verdict, false));
    let outcome = verdict.outcome;
    let inner = match kind(outcome) {
        Kind::Passed => {
            xml.push_str(&format!("{open}/>\n"));
            return;
        }
        Kind::Skipped => format!("<skipped message=\"{outcome}: {why}\"/>"),
        Kind::Error => format!("<error type=\"{outcome}\" message=\"{why}\">{}</error>", full()),
        Kind::Failure => format!("<failure type=\"{outcome}\" message=\"{why}\">{}</failure>", full()),
    };
    xml.push_str(&format!("{open}>\n      {inner}\n    </testcase>\n"));
}

#[derive(PartialEq, Eq)]
enum Kind {
    Passed,
    Skipped,
    Error,
    Failure,
}

fn kind(outcome: Outcome) -> Kind {
    match outcome {
        Outcome::Pass => Kind::Passed,
        Outcome::Skip | Outcome::ExpectedFail => Kind::Skipped,
        Outcome::Setup => Kind::Error,
        Outcome::Fail | Outcome::UnexpectedPass | Outcome::Unobserved => Kind::Failure,
    }
}

fn totals<'a>(verdicts: impl Iterator<Item = &'a Verdict> + Clone) -> String {
    let of = |wanted: Kind| verdicts.clone().filter(|verdict| kind(verdict.outcome) == wanted).count();
    let (failures, errors, skipped) = (of(Kind::Failure), of(Kind::Error), of(Kind::Skipped));
    let tests = verdicts.clone().count();
    format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\"")
}

/// `coexistence/owa` and `purple` of `coexistence/owa/purple`.
fn split(verdict: &Verdict) -> (String, String) {
    let id = verdict.id.as_str();
    let cut =
        id.match_indices('/').nth(1).or_else(|| id.match_indices('/').next()).map_or(id.len(), |(at, _)| at);
    (id[..cut].to_owned(), id[cut..].trim_start_matches('/').to_owned())
}

fn seconds(took: Duration) -> String {
    format!("{:.3}", took.as_secs_f64())
}

/// Text for content and attributes alike. What XML 1.0 (section 2.2) cannot hold at all is left out; what an attribute
/// would fold is written as a reference.
fn escaped(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\'' => xml.push_str("&apos;"),
            '\n' => xml.push_str("&#10;"),
            '\t' => xml.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() => {}
            c => xml.push(c),
        }
    }
    xml
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{difference, proxied_purple, run};

    #[test]
    fn each_outcome_lands_in_its_element_and_in_the_counts() {
        let mut verdicts: Vec<Verdict> = Outcome::ALL
            .iter()
            .map(|outcome| Verdict {
                outcome: *outcome,
                why: vec![difference(0, "x", "because")],
                ..proxied_purple()
            })
            .collect();
        verdicts[0].id = "pre-e15/eas/orange-off-list".parse().unwrap();
        let xml = report(&run(1, &verdicts), &verdicts);
        let counts = "tests=\"7\" failures=\"3\" errors=\"1\" skipped=\"2\"";
        assert!(xml.contains(&format!("<testsuites name=\"coexist\" {counts} time=\"1.420\">")), "{xml}");
        assert!(xml.contains("<testsuite name=\"pre-e15/eas\" tests=\"1\" failures=\"0\""), "{xml}");
        assert!(
            xml.contains("<testcase classname=\"pre-e15.eas\" name=\"orange-off-list\" time=\"0.013\"/>"),
            "{xml}"
        );
        assert!(xml.contains("<skipped message=\"expected-fail: because\"/>"), "{xml}");
        assert!(xml.contains("<error type=\"setup\" message=\"because\">"), "{xml}");
    }

    #[test]
    fn what_a_subject_wrote_cannot_break_the_file() {
        let mut verdict = proxied_purple();
        verdict.why[0].says = "told <b>\"&\u{0}\u{1b}[2J'\u{ffff}\n".to_owned();
        let xml = report(&run(1, std::slice::from_ref(&verdict)), &[verdict]);
        assert!(xml.contains("message=\"told &lt;b&gt;&quot;&amp;[2J&apos;&#10;\""), "{xml}");
        assert!(xml.chars().all(|c| c == '\n' || !c.is_control()));
    }
}
