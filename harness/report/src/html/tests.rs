//! The page as a whole: what it says first, what it holds of every case, and that nobody else's text is markup in it.

use model::problem::Source;
use model::rule::read_rules;
use model::verdict::Verdict;

use super::*;
use crate::sample::{proxied_purple, run};

const CASE: &str = "
title = \"Purple is moved\"
rules = [\"CX-OWA-2\"]
source = \"the article\"
needs = [\"owa\"]
[when]
mailbox = \"purple\"
client = \"browser\"
view = \"external\"
opens = \"https://mail.contoso.com/owa/\"
does = \"open-mailbox\"
[[then]]
dials = \"mail.contoso.com\"
reached = \"typed\"
hops = [\"cas2013-s1\"]
prompts = { credentials = 1, certificate = 0 }
told = { silent-redirect = \"https://legacy.contoso.com/owa/\" }
";

const RULES: &str = "
[[rule]]
id = \"CX-OWA-2\"
says = \"Purple is redirected\"
level = \"result\"
mailboxes = [\"purple\", \"red\"]
[[rule]]
id = \"CX-OWA-3\"
says = \"Orange is redirected\"
level = \"result\"
mailboxes = [\"orange\"]
";

fn written(verdicts: &[Verdict]) -> String {
    let id: CaseId = "coexistence/owa/purple".parse().unwrap();
    let case = Arc::new(Case::read(id.clone(), &Source::new("purple.toml", CASE)).unwrap());
    let rules = read_rules(&Source::new("rules.toml", RULES)).unwrap();
    let evidence = Evidence {
        folder: format!("evidence/{id}"),
        files: vec!["heads.txt".to_owned()],
        dns: vec!["a client asked the external view for A <mail>: 1 record".to_owned()],
    };
    let wrong = verdicts.iter().any(|verdict| !verdict.outcome.as_expected());
    page(&Page {
        run: &run(u8::from(wrong), verdicts),
        roles: &["front-end-2013".parse().unwrap()],
        why: Some("nothing that it does was <seen>"),
        verdicts,
        cases: &[case],
        rules: &rules,
        evidence: &BTreeMap::from([(id, evidence)]),
        nonce: "abc",
    })
}

/// The part of the page between two words.
fn between<'p>(page: &'p str, from: &str, to: &str) -> &'p str {
    let start = page.find(from).unwrap_or_else(|| panic!("no `{from}` in {page}"));
    &page[start..start + page[start..].find(to).unwrap_or_else(|| panic!("no `{to}` behind `{from}`"))]
}

#[test]
fn the_head_says_what_failed_why_and_what_next() {
    let html = written(&[proxied_purple()]);
    let head = between(&html, "<header", "</header>");
    for says in [
        "1 of 1 cases is not as expected",
        "<b>reference-2013</b> as front-end-2013",
        "seed 7f21",
        "<p class=reason>nothing that it does was &lt;seen&gt;</p>",
        "✗ 1 failed",
        "the proxy treats a 2007 mailbox in its own site as something to proxy",
        "href=\"#case/coexistence/owa/purple\"",
        "cargo xtask e2e --case coexistence/owa/purple --seed 7f21",
        "1 (not as expected)",
        "5d0c",
    ] {
        assert!(head.contains(says), "`{says}` is not in {head}");
    }
}

#[test]
fn a_subject_that_died_says_its_last_words_at_the_head() {
    let mut verdict = proxied_purple();
    verdict.outcome = Outcome::Setup;
    verdict.likely = None;
    verdict.why = vec![crate::sample::difference(
        0,
        "setup",
        "the subject died; the end of its log:\n  listening\n  no licence",
    )];
    let html = written(&[verdict]);
    let head = between(&html, "<header", "</header>");
    assert!(head.contains("<p>the subject died; the end of its log: no licence</p>"), "{head}");
}

#[test]
fn the_table_leads_from_rule_and_mailbox_to_the_case() {
    let html = written(&[proxied_purple()]);
    let row = between(&html, "<tr class=bad>", "</tr>");
    assert_eq!(row.matches("<a class=\"k fail\" href=\"#case/coexistence/owa/purple\"").count(), 1, "{row}");
    assert!(
        between(&html, "without a case in this run", "</ul>").contains("CX-OWA-3</b> Orange is redirected")
    );
}

#[test]
fn a_failed_case_is_open_and_leads_to_its_evidence() {
    let html = written(&[proxied_purple()]);
    let section = between(&html, "<details class=\"case fail\"", "<h2 id=rules>");
    for says in [
        " open><summary>",
        "<b>leg 1, hops:</b> cas2007-s1 is passed, and nothing expects it",
        "<svg role=img",
        "<span class=e>+ cas2007-s1   GET /owa/   (not expected)</span>",
        "1 for credentials",
        "mailbox purple <span class=was>(expected silent redirect https://legacy.contoso.com/owa/)</span>",
        "A &lt;mail&gt;: 1 record",
        "href=\"evidence/coexistence/owa/purple/heads.txt\"",
        "Source: routing-rules CX-OWA-2; the article, Outlook Web App, item 2",
    ] {
        assert!(section.contains(says), "`{says}` is not in {section}");
    }
}

#[test]
fn a_passed_case_is_folded() {
    let mut verdict = proxied_purple();
    verdict.outcome = Outcome::Pass;
    verdict.why.clear();
    verdict.likely = None;
    let html = written(&[verdict]);
    assert!(html.contains("All 1 cases are as expected"));
    assert!(
        between(&html, "<h2 id=others>", "</summary>").contains("is:pass browser\"><summary>") || {
            between(&html, "<h2 id=others>", "</summary>").contains("is:pass ")
        }
    );
    assert!(!html.contains(" open><summary>"));
}

#[test]
fn a_case_that_ran_twice_is_shown_once_with_the_verdict_that_matters() {
    let mut passed = proxied_purple();
    passed.outcome = Outcome::Pass;
    let html = written(&[passed, proxied_purple()]);
    assert_eq!(html.matches("<details class=\"case ").count(), 1);
    assert!(html.contains("It ran 2 times; 1 were not as expected"), "{html}");
}

/// Whatever a subject can write, in every place of a verdict that holds text of it.
#[test]
fn nothing_of_a_subject_becomes_markup() {
    const EVIL: &str =
        "\"'><script>alert(1)</script><img src=x onerror=alert(1)>\u{202e}\u{1b}[2J</pre></svg>";
    let mut verdict = proxied_purple();
    verdict.title = EVIL.to_owned();
    verdict.source = EVIL.to_owned();
    verdict.again = EVIL.to_owned();
    verdict.likely = Some(EVIL.to_owned());
    verdict.why.iter_mut().for_each(|why| (why.says, why.what) = (EVIL.to_owned(), EVIL.to_owned()));
    for leg in &mut verdict.observed {
        (leg.dials, leg.reached, leg.told, leg.note) =
            (EVIL.to_owned(), EVIL.to_owned(), EVIL.to_owned(), Some(EVIL.to_owned()));
        leg.hops
            .iter_mut()
            .for_each(|hop| (hop.server, hop.what, hop.by) = (EVIL.into(), EVIL.into(), EVIL.into()));
    }
    for outcome in [Outcome::Fail, Outcome::Setup, Outcome::Pass, Outcome::ExpectedFail, Outcome::Skip] {
        verdict.outcome = outcome;
        let html = written(&[verdict.clone()]);
        assert_eq!(html.matches("<script").count(), 1, "{outcome}: the page's own and no other");
        assert_eq!(html.matches("<img").count(), 0, "{outcome}");
        assert!(!html.contains(['\u{202e}', '\u{1b}']), "{outcome}");
        assert_eq!(html.matches("<svg").count(), html.matches("</svg>").count(), "{outcome}");
        assert_eq!(html.matches("<pre").count(), html.matches("</pre>").count(), "{outcome}");
    }
}

#[test]
fn the_page_asks_nobody_for_anything() {
    let html = written(&[proxied_purple()]);
    assert!(html.contains("default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-abc'"));
    assert!(html.contains("<script nonce=\"abc\">"));
    for asks in [" src=", "url(", "@import", "<link", "href=\"http"] {
        assert!(!html.contains(asks), "{asks}");
    }
}
