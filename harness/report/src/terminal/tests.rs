//! Held by literal comparison: what a failure prints is read more often than any other text here.

use model::case::{Answer, Cell, Position, Told};

use super::*;
use crate::sample::{difference, hop, leg, proxied_purple, run};

#[test]
fn a_failure_prints_both_journeys_side_by_side() {
    let printed = failure(&proxied_purple(), false);
    let wanted = "\
coexistence/owa/purple: leg 1 differs                                        CX-OWA-2

  expected                                   observed
  mail.contoso.com                           mail.contoso.com
    cas2013-s1                                 cas2013-s1
    silent redirect                          + cas2007-s1   GET /owa/   (not expected)
      https://legacy.contoso.com/owa/        - mailbox purple, read on mbx2007-s1

  source   routing-rules CX-OWA-2; the article, Outlook Web App, item 2
  likely   the proxy treats a 2007 mailbox in its own site as something to proxy; 2007 is redirected
  again    cargo xtask e2e --case coexistence/owa/purple --seed 7f21
";
    assert_eq!(printed, wanted, "\n{printed}");
}

#[test]
fn a_leg_that_never_came_and_a_hop_that_is_missing_are_both_marked() {
    let mut verdict = proxied_purple();
    verdict.expected[0] = leg(
        "mail.contoso.com",
        &["cas2013-s1", "cas2010-s3", "mbx2010-s3"],
        Told::Mailbox("purple".parse().unwrap()),
    );
    verdict.observed[0].hops =
        vec![hop("cas2013-s1", "GET /owa/", true), hop("mbx2010-s1", "rpc connect", false)];
    verdict.observed[0].prompts = (2, 0);
    verdict.why.push(difference(2, "dials", "legacy.contoso.com was never dialled"));
    verdict.why.push(difference(0, "stranger", "cas2010-s2 has an arrival that no leg names"));
    let printed = failure(&verdict, false);
    let wanted = "\
coexistence/owa/purple: legs 1 and 2 differ                                  CX-OWA-2

  expected                                   observed
  mail.contoso.com                           mail.contoso.com
    cas2013-s1                                 cas2013-s1
    cas2010-s3                               - cas2010-s3   (missing)
    prompts: credentials 1, certificate 0    - prompts: credentials 2, certificate 0
    mailbox purple, read on mbx2010-s3       - mailbox purple, read on mbx2010-s1

  legacy.contoso.com                         - (no such leg)
    cas2007-s1
    mailbox purple, read on mbx2007-s1

  why      cas2010-s2 has an arrival that no leg names
  source   routing-rules CX-OWA-2; the article, Outlook Web App, item 2
  likely   the proxy treats a 2007 mailbox in its own site as something to proxy; 2007 is redirected
  again    cargo xtask e2e --case coexistence/owa/purple --seed 7f21
";
    assert_eq!(printed, wanted, "\n{printed}");
}

#[test]
fn of_an_autodiscover_answer_only_the_wrong_cell_is_marked() {
    let host = |name: &str| Cell::Host(name.parse().unwrap());
    let answer = Answer {
        by: Position(vec!["mbx2013-s1".parse().unwrap(), "mbx2013-s1b".parse().unwrap()]),
        outlook_anywhere: host("mail.contoso.com"),
        ews: host("legacy.contoso.com"),
        oab: host("legacy.contoso.com"),
        eas: Cell::Absent,
        exhttp: vec!["mail.contoso.com".parse().unwrap(), "mail.contoso.com".parse().unwrap()],
        mapi_http: Cell::Absent,
    };
    let mut verdict = proxied_purple();
    let seen = Answer {
        by: Position(vec!["mbx2013-s1b".parse().unwrap()]),
        ews: host("mail.contoso.com"),
        ..answer.clone()
    };
    verdict.expected = vec![leg("autodiscover.contoso.com", &["cas2013-s1"], Told::Answer(answer))];
    verdict.observed[0].dials = "autodiscover.contoso.com".to_owned();
    verdict.observed[0].hops.truncate(1);
    verdict.observed[0].told = Told::Answer(seen).to_string();
    let printed = failure(&verdict, false);
    let marked: Vec<&str> =
        printed.lines().filter_map(|line| line.split_once("  - ")).map(|pair| pair.1).collect();
    assert_eq!(marked, ["  ews mail.contoso.com"], "\n{printed}");
    assert!(printed.contains("exhttp [mail.contoso.com, mail.contoso.com]"), "{printed}");
}

#[test]
fn a_right_server_reached_by_a_wrong_name_stands_instead_of_the_expected_hop() {
    let mut verdict = proxied_purple();
    verdict.expected = vec![leg("mail.contoso.com", &["cas2013-s1", "cas2010-s1"], Told::Failed(500))];
    verdict.observed[0].hops =
        vec![hop("cas2013-s1", "GET /owa/", true), hop("cas2010-s1", "GET /owa/", false)];
    verdict.observed[0].hops[1].by = "owa-s1.contoso.com".to_owned();
    verdict.observed[0].told = "failed with 500".to_owned();
    let printed = failure(&verdict, false);
    assert!(printed.contains("- cas2010-s1   GET /owa/, by owa-s1.contoso.com"), "{printed}");
    assert!(!printed.contains("missing"), "{printed}");
}

#[test]
fn what_a_subject_wrote_cannot_steer_the_terminal() {
    let mut verdict = proxied_purple();
    verdict.observed[0].told = format!("failed \u{1b}[2J{}", "x".repeat(5000));
    let printed = failure(&verdict, false);
    assert!(!printed.contains('\u{1b}'), "{printed}");
    assert!(printed.lines().all(|line| line.chars().count() < 300));
    assert!(failure(&proxied_purple(), true).contains("\u{1b}[33m+ cas2007-s1"));
}

#[test]
fn of_a_program_that_ended_its_last_words_are_shown() {
    let mut verdict = proxied_purple();
    verdict.outcome = Outcome::Setup;
    verdict.observed.clear();
    let log = (1..=9).map(|line| format!("  line {line}\n")).collect::<String>();
    let says = format!("subject `mine` ended; the end of subject.log:\n{log}  KeyError: 'ldaps'\n");
    verdict.why = vec![difference(0, "lab", &says)];
    let printed = failure(&verdict, false);
    let wanted = "\
coexistence/owa/purple: the lab or the subject broke                         CX-OWA-2

  why      subject `mine` ended; the end of subject.log:
             line 5
             line 6
             line 7
             line 8
             line 9
             KeyError: 'ldaps'
  source   routing-rules CX-OWA-2; the article, Outlook Web App, item 2
  likely   the proxy treats a 2007 mailbox in its own site as something to proxy; 2007 is redirected
  again    cargo xtask e2e --case coexistence/owa/purple --seed 7f21
";
    assert_eq!(printed, wanted, "\n{printed}");
}

#[test]
fn a_summary_counts_and_says_what_to_do_next() {
    let mut skip = proxied_purple();
    skip.outcome = Outcome::Skip;
    skip.why = vec![difference(0, "skip", "the subject does not claim silent-redirect")];
    let verdicts = [proxied_purple(), skip];
    let printed = summary(&run(1, &verdicts), &verdicts);
    let wanted = "\
1 failed, 1 skipped; 2 selected, in 1.42 s

  subject    reference-2013
  topology   coexistence
  ground     own, in-process
  seed       7f21
  arrivals   812, none unclaimed
  next       cargo xtask e2e --case coexistence/owa/purple --seed 7f21
";
    assert_eq!(printed, wanted);
    assert_eq!(left_out(&verdicts), "  skipped    1: the subject does not claim silent-redirect\n");
    assert!(summary(&run(3, &[]), &[]).starts_with("nothing was run; 0 selected"));
}
