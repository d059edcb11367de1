//! One leg as it was expected and as it was observed, in two columns.
//!
//! Marks stand in the observed column only. `+` is a hop (or leg) that nothing expects. `-` stands where an expectation
//! was not met: it shows what came instead, or that nothing came.

use model::case::{Hop, Leg, Told};
use model::plain::plain;
use model::verdict::{SeenHop, SeenLeg};

/// One line of a column.
pub(crate) struct Line {
    pub(crate) mark: Mark,
    depth: usize,
    text: String,
}

/// How a line differs from the other column.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Not at all.
    Same,
    /// Nothing expects it.
    Extra,
    /// It stands instead of what is expected.
    Unmet,
}

impl Line {
    /// The line with its indentation. A mark takes the place of the first two columns of it.
    pub(crate) fn written(&self) -> String {
        let indent = "  ".repeat(self.depth);
        match self.mark {
            Mark::Same => format!("{indent}{}", self.text),
            Mark::Extra => format!("+ {}{}", indent.get(2..).unwrap_or_default(), self.text),
            Mark::Unmet => format!("- {}{}", indent.get(2..).unwrap_or_default(), self.text),
        }
    }
}

/// The two columns of a leg; one of the two may be missing.
pub(crate) fn of(expected: Option<&Leg>, observed: Option<&SeenLeg>) -> (Vec<Line>, Vec<Line>) {
    let mut sides = Sides::default();
    match (expected, observed) {
        (Some(leg), Some(seen)) => {
            sides.left(0, leg.dials.to_string());
            sides.right(unmet_unless(leg.dials.as_str() == seen.dials), 0, seen.dials.clone());
            if leg.reached.as_str() != seen.reached {
                sides.left(1, format!("reached: {}", leg.reached));
                sides.right(Mark::Unmet, 1, format!("reached: {}", seen.reached));
            }
            hops(&mut sides, leg, seen);
            let prompts = (leg.prompts.credentials, leg.prompts.certificate);
            if prompts != seen.prompts {
                sides.left(1, prompts_text(prompts));
                sides.right(Mark::Unmet, 1, prompts_text(seen.prompts));
            }
            told(&mut sides, leg, seen);
        }
        (Some(leg), None) => {
            let (passed, told, _) = expectation(leg);
            sides.left(0, leg.dials.to_string());
            passed.iter().for_each(|hop| sides.left(1, expected_hop(hop)));
            told_lines(&told).into_iter().for_each(|(depth, text)| sides.left(depth, text));
            sides.right(Mark::Unmet, 0, "(no such leg)".to_owned());
        }
        (None, Some(seen)) => {
            let (passed, told, _) = observation(seen);
            sides.left(0, "(no such leg)".to_owned());
            sides.right(Mark::Extra, 0, format!("{}   (not expected)", seen.dials));
            passed.iter().for_each(|hop| sides.right(Mark::Same, 1, arrived(hop)));
            told_lines(&told).into_iter().for_each(|(depth, text)| sides.right(Mark::Same, depth, text));
        }
        (None, None) => {}
    }
    (sides.left, sides.right)
}

#[derive(Default)]
struct Sides {
    left: Vec<Line>,
    right: Vec<Line>,
}

impl Sides {
    fn left(&mut self, depth: usize, text: String) {
        self.left.push(Line { mark: Mark::Same, depth, text: presentable(&text) });
    }

    fn right(&mut self, mark: Mark, depth: usize, text: String) {
        self.right.push(Line { mark, depth, text: presentable(&text) });
    }
}

/// Expected and observed hops beside each other.
fn hops(sides: &mut Sides, leg: &Leg, seen: &SeenLeg) {
    let (expected, ..) = expectation(leg);
    let (observed, ..) = observation(seen);
    expected.iter().for_each(|hop| sides.left(1, expected_hop(hop)));

    let mut awaited = expected.iter().peekable();
    for hop in observed {
        let at_its_place = |wanted: &&Hop| admits(wanted, hop);
        if hop.expected {
            while let Some(lost) = awaited.next_if(|wanted| !at_its_place(wanted)) {
                sides.right(Mark::Unmet, 1, format!("{}   (missing)", lost.at));
            }
            awaited.next();
            sides.right(Mark::Same, 1, hop.server.clone());
        } else if awaited.next_if(at_its_place).is_some() {
            sides.right(Mark::Unmet, 1, format!("{}, by {}", arrived(hop), hop.by));
        } else {
            sides.right(Mark::Extra, 1, format!("{}   (not expected)", arrived(hop)));
        }
    }
    for lost in awaited {
        sides.right(Mark::Unmet, 1, format!("{}   (missing)", lost.at));
    }
}

/// What the client was told, with the server that its mailbox was read on.
fn told(sides: &mut Sides, leg: &Leg, seen: &SeenLeg) {
    let (_, expected, wanted_reader) = expectation(leg);
    let (_, observed, reader) = observation(seen);
    let reader_fits = match (wanted_reader, reader) {
        (Some(wanted), Some(reader)) => reader.expected && admits(wanted, reader),
        (wanted, reader) => wanted.is_none() && reader.is_none(),
    };
    let expected = told_lines(&expected);
    let fits = |at: usize, line: &(usize, String)| match (&leg.told, at) {
        (Told::Answer(answer), 0) => {
            let writer = line.1.strip_prefix(ANSWER);
            answer.by.0.iter().any(|server| Some(server.as_str()) == writer)
        }
        (Told::Unavailable(any), _) => {
            any.iter().any(|status| Told::Failed(*status).to_string() == seen.told)
        }
        (Told::Mailbox(_), _) => seen.told == leg.told.to_string() && reader_fits,
        _ => expected.get(at) == Some(line),
    };
    for (at, line) in told_lines(&observed).into_iter().enumerate() {
        sides.right(unmet_unless(fits(at, &line)), line.0, line.1);
    }
    expected.into_iter().for_each(|(depth, text)| sides.left(depth, text));
}

/// The hops to print, what is told, and the server that a mailbox is read on: that last hop is printed with the mailbox.
/// A mailbox is never read where the client's own request arrives alone, so a single hop is no reader.
fn expectation(leg: &Leg) -> (&[Hop], String, Option<&Hop>) {
    match (&leg.told, &leg.hops[..]) {
        (Told::Mailbox(_), [passed @ .., reader]) if !passed.is_empty() => {
            (passed, format!("{}, read on {}", leg.told, reader.at), Some(reader))
        }
        (_, hops) => (hops, leg.told.to_string(), None),
    }
}

/// The same of what was observed.
fn observation(seen: &SeenLeg) -> (&[SeenHop], String, Option<&SeenHop>) {
    match &seen.hops[..] {
        [passed @ .., reader] if !passed.is_empty() && seen.told.starts_with("mailbox ") => {
            (passed, format!("{}, read on {}", seen.told, reader.server), Some(reader))
        }
        hops => (hops, seen.told.clone(), None),
    }
}

fn admits(wanted: &Hop, hop: &SeenHop) -> bool {
    wanted.at.0.iter().any(|server| server.as_str() == hop.server)
}

fn expected_hop(hop: &Hop) -> String {
    let by = hop.by.map(|by| format!("   by {by}")).unwrap_or_default();
    let over = hop.over.map(|over| format!("   over {over}")).unwrap_or_default();
    format!("{}{by}{over}", hop.at)
}

fn arrived(hop: &SeenHop) -> String {
    format!("{}   {}", hop.server, hop.what)
}

fn prompts_text((credentials, certificate): (u8, u8)) -> String {
    format!("prompts: credentials {credentials}, certificate {certificate}")
}

const ANSWER: &str = "answer by ";

/// What a client was told in lines: an address stands below its verb, an Autodiscover answer is a line a cell.
fn told_lines(told: &str) -> Vec<(usize, String)> {
    if let Some((by, cells)) = told.split_once(": ").filter(|_| told.starts_with(ANSWER)) {
        let mut lines = vec![(1, by.to_owned())];
        let (cells, exhttp) = cells.split_once(", exhttp ").unwrap_or((cells, ""));
        lines.extend(cells.split(", ").map(|cell| (2, cell.to_owned())));
        if !exhttp.is_empty() {
            lines.push((2, format!("exhttp {exhttp}")));
        }
        return lines;
    }
    match told.split_once(" http") {
        Some((verb, rest)) => vec![(1, verb.to_owned()), (2, format!("http{rest}"))],
        None => vec![(1, told.to_owned())],
    }
}

fn unmet_unless(fits: bool) -> Mark {
    if fits { Mark::Same } else { Mark::Unmet }
}

/// The most characters of one value that a terminal is shown.
const MOST_CHARACTERS: usize = 160;

/// Text of a stranger's, fit for a terminal.
pub(crate) fn presentable(text: &str) -> String {
    plain(text, MOST_CHARACTERS)
}
