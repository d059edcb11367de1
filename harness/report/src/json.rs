//! `report.json`: what a run was, and one entry a case. Its shape is `schema/report.schema.json`.

mod read;

pub use read::{Unread, Written, read};

use std::collections::BTreeMap;
use std::time::Duration;

use model::CaseId;
use model::verdict::{RunFacts, Verdict};
use serde::Serialize;
use serde_json::{Value, json};

use crate::html::Evidence;

/// The report as text. `evidence` names the folder of each case that left one, relative to the report.
pub fn report(run: &RunFacts, verdicts: &[Verdict], evidence: &BTreeMap<CaseId, Evidence>) -> String {
    let cases: Vec<Value> = verdicts
        .iter()
        .map(|verdict| case(verdict, evidence.get(&verdict.id).filter(|_| !verdict.outcome.as_expected())))
        .collect();
    let whole = json!({ "run": run_entry(run), "cases": cases });
    format!("{whole:#}\n")
}

fn run_entry(run: &RunFacts) -> Value {
    json!({
        "tree": run.tree,
        "seed": run.seed,
        "subject": run.subject,
        "topology": run.topologies,
        "host": run.host,
        "ground": run.ground,
        "counts": as_value(&run.counts),
        "arrivals": run.arrivals,
        "unclaimed": run.unclaimed,
        "remarks": run.remarks,
        "duration-ms": milliseconds(run.took),
        "exit": run.exit,
        "shard": as_value(&run.shard),
        "selection": as_value(&run.selection),
        "ended": as_value(&run.ended),
    })
}

fn case(verdict: &Verdict, evidence: Option<&Evidence>) -> Value {
    let observed: Vec<Value> = verdict
        .observed
        .iter()
        .map(|seen| {
            json!({
                "dials": seen.dials,
                "reached": seen.reached,
                "hops": as_value(&seen.hops),
                "prompts": { "credentials": seen.prompts.0, "certificate": seen.prompts.1 },
                "told": seen.told,
                "note": seen.note,
            })
        })
        .collect();
    json!({
        "id": verdict.id,
        "title": verdict.title,
        "rules": verdict.rules,
        "source": verdict.source,
        "outcome": verdict.outcome,
        "why": as_value(&verdict.why),
        "likely": verdict.likely,
        "expected": as_value(&verdict.expected),
        "observed": observed,
        "duration-ms": milliseconds(verdict.took),
        "again": verdict.again,
        "evidence": evidence.map(|evidence| &evidence.folder),
    })
}

fn as_value<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("nouns of the model have text keys and finite numbers")
}

/// Milliseconds, to the microsecond.
fn milliseconds(took: Duration) -> f64 {
    took.as_micros() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use model::case::{Answer, By, Cell, Position, Told};

    use super::*;
    use crate::sample::{leg, proxied_purple, run};
    use crate::schema::{REPORT, violations};

    fn written(verdicts: &[Verdict]) -> Value {
        let folder = "evidence/coexistence/owa/purple".to_owned();
        let evidence = BTreeMap::from([(verdicts[0].id.clone(), Evidence { folder, ..Evidence::default() })]);
        serde_json::from_str(&report(&run(1, verdicts), verdicts, &evidence)).unwrap()
    }

    fn schema() -> Value {
        serde_json::from_str(REPORT).unwrap()
    }

    #[test]
    fn a_report_of_every_kind_of_leg_holds_its_schema() {
        let url = || "https://mail.contoso.com/owa/".parse().unwrap();
        let answer = Answer {
            by: Position(vec!["mbx2013-s1".parse().unwrap(), "mbx2013-s1b".parse().unwrap()]),
            outlook_anywhere: Cell::Absent,
            ews: Cell::Host("legacy.contoso.com".parse().unwrap()),
            oab: Cell::Absent,
            eas: Cell::Absent,
            exhttp: vec!["mail.contoso.com".parse().unwrap()],
            mapi_http: Cell::Host("mail.contoso.com".parse().unwrap()),
        };
        let all = [
            Told::Mailbox("red".parse().unwrap()),
            Told::Answer(answer),
            Told::Oab("oab-s1".parse().unwrap()),
            Told::Found(url()),
            Told::SilentRedirect(url()),
            Told::ManualRedirect(url()),
            Told::Http451(url()),
            Told::Http451Nowhere(451),
            Told::LogonPage(2),
            Told::Refused(401),
            Told::Versions("14.1".to_owned()),
            Told::Failed(0),
        ];
        let mut verdict = proxied_purple();
        verdict.expected = all
            .into_iter()
            .map(|told| leg("mail.contoso.com", &["cas2013-s1", "cas2010-s1"], told))
            .collect();
        verdict.expected[0].hops[1].by = Some(By::InternalUrl);
        verdict.expected[0].hops[0].at.0.push("cas2013-s1b".parse().unwrap());
        assert_eq!(violations(&schema(), &written(&[verdict])), Vec::<String>::new());
    }

    #[test]
    fn a_report_says_what_the_verdict_says() {
        let value = written(&[proxied_purple()]);
        let case = &value["cases"][0];
        assert_eq!(case["id"], "coexistence/owa/purple");
        assert_eq!(case["outcome"], "fail");
        assert_eq!(case["expected"][0]["told"]["silent-redirect"], "https://legacy.contoso.com/owa/");
        assert_eq!(case["observed"][0]["hops"][1]["server"], "cas2007-s1");
        assert_eq!(case["duration-ms"], 12.5);
        assert_eq!(case["evidence"], "evidence/coexistence/owa/purple");
        assert_eq!(value["run"]["counts"]["fail"], 1);
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        let mut verdict = proxied_purple();
        verdict.expected[0].hops[1..].iter_mut().for_each(|hop| hop.by = Some(By::InternalUrl));
        verdict.likely = None;
        let folder = "evidence/coexistence/owa/purple".to_owned();
        let evidence = BTreeMap::from([(verdict.id.clone(), Evidence { folder, ..Evidence::default() })]);
        let verdicts = [verdict];
        let text = report(&run(1, &verdicts), &verdicts, &evidence);
        let back = read(&text).unwrap();
        assert_eq!(report(&back.run, &back.verdicts, &evidence), text);
        assert_eq!(back.evidence, [verdicts[0].id.clone()].into());
    }

    #[test]
    fn what_is_no_report_is_refused_and_told_where() {
        let verdicts = [proxied_purple()];
        let text = report(&run(1, &verdicts), &verdicts, &BTreeMap::new());
        let says = |text: &str| read(text).unwrap_err().to_string();
        assert!(says(&text[..text.len() / 2]).contains("line "), "{}", says(&text[..text.len() / 2]));
        assert!(says("{\"dependencies\": {}}").contains("$: `run` is missing"), "{}", says("{}"));
        let longer = text.replace("\"duration-ms\": 12.5", "\"duration-ms\": 1e300");
        assert!(says(&longer).contains("duration-ms"), "{}", says(&longer));
        let elsewhere = text.replace("\"evidence\": null", "\"evidence\": \"../../etc\"");
        assert!(says(&elsewhere).contains("evidence of coexistence/owa/purple"), "{}", says(&elsewhere));
    }

    #[test]
    fn a_report_that_lost_a_field_or_has_a_new_one_breaks_its_schema() {
        let mut value = written(&[proxied_purple()]);
        value["cases"][0].as_object_mut().unwrap().remove("rules");
        value["run"]["mood"] = json!("good");
        value["cases"][0]["outcome"] = json!("perhaps");
        let found = violations(&schema(), &value);
        assert_eq!(found.len(), 3, "{found:?}");
    }
}
