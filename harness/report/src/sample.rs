//! The verdict that the tests print: purple is proxied where a silent redirect is due.

use std::time::Duration;

use model::case::{Hop, Leg, Position, Prompts, Reached, Told};
use model::rule::Level;
use model::verdict::{Counts, Difference, Ended, Outcome, RunFacts, SeenHop, SeenLeg, Selection, Verdict};

pub(crate) fn proxied_purple() -> Verdict {
    Verdict {
        id: "coexistence/owa/purple".parse().unwrap(),
        title: "Purple is moved to the legacy namespace without a second prompt".to_owned(),
        rules: vec!["CX-OWA-2".parse().unwrap()],
        source: "the article, Outlook Web App, item 2".to_owned(),
        outcome: Outcome::Fail,
        why: vec![
            difference(1, "hops", "cas2007-s1 is passed, and nothing expects it"),
            difference(1, "told", "a silent redirect is due, and a mailbox was read"),
        ],
        likely: Some(
            "the proxy treats a 2007 mailbox in its own site as something to proxy; 2007 is redirected"
                .to_owned(),
        ),
        expected: vec![
            leg(
                "mail.contoso.com",
                &["cas2013-s1"],
                Told::SilentRedirect("https://legacy.contoso.com/owa/".parse().unwrap()),
            ),
            leg(
                "legacy.contoso.com",
                &["cas2007-s1", "mbx2007-s1"],
                Told::Mailbox("purple".parse().unwrap()),
            ),
        ],
        observed: vec![SeenLeg {
            dials: "mail.contoso.com".to_owned(),
            reached: "typed".to_owned(),
            hops: vec![
                hop("cas2013-s1", "GET /owa/", true),
                hop("cas2007-s1", "GET /owa/", false),
                hop("mbx2007-s1", "rpc connect", false),
            ],
            prompts: (1, 0),
            told: "mailbox purple".to_owned(),
            note: None,
        }],
        took: Duration::from_micros(12_500),
        again: "cargo xtask e2e --case coexistence/owa/purple --seed 7f21".to_owned(),
    }
}

pub(crate) fn run(exit: u8, verdicts: &[Verdict]) -> RunFacts {
    RunFacts {
        tree: "5d0c".to_owned(),
        seed: "7f21".to_owned(),
        subject: vec!["reference-2013".to_owned()],
        topologies: vec!["coexistence".to_owned()],
        host: "in-process".to_owned(),
        ground: "own".to_owned(),
        counts: Counts::of(verdicts.len(), verdicts),
        arrivals: 812,
        unclaimed: 0,
        remarks: vec![],
        took: Duration::from_millis(1420),
        exit,
        shard: None,
        selection: Selection {
            cases: vec![],
            rules: vec![],
            topologies: vec![],
            view: None,
            failed: None,
            repeat: 1,
            level: Level::Result,
            references: true,
        },
        ended: Ended { subject_answered: true, recorded: 900, looked_at: 0 },
    }
}

pub(crate) fn leg(dials: &str, hops: &[&str], told: Told) -> Leg {
    Leg {
        dials: dials.parse().unwrap(),
        reached: Reached::Typed,
        hops: hops
            .iter()
            .map(|at| Hop { at: Position(vec![at.parse().unwrap()]), by: None, over: None })
            .collect(),
        prompts: Prompts { credentials: 1, certificate: 0, reason: None },
        signs_in: None,
        computer: None,
        told,
        may_refuse: false,
        spread: false,
        carried: vec![],
    }
}

pub(crate) fn hop(server: &str, what: &str, expected: bool) -> SeenHop {
    SeenHop { server: server.to_owned(), what: what.to_owned(), by: "fqdn".to_owned(), expected }
}

pub(crate) fn difference(leg: usize, what: &str, says: &str) -> Difference {
    Difference { leg, what: what.to_owned(), says: says.to_owned() }
}
