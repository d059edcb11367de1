//! Expected and observed journey of a case as one row of moves, each of which was met, is missing, or came unexpected.

use model::case::{Hop, Leg, Prompts, Told};
use model::verdict::{SeenHop, SeenLeg, Verdict};

/// A case's journey: both of them, laid over one another.
pub(super) struct Journey {
    pub(super) legs: Vec<Stretch>,
}

/// One leg of it.
pub(super) struct Stretch {
    /// What stands above it.
    pub(super) heading: String,
    pub(super) moves: Vec<Move>,
}

/// One arrow of the picture.
pub(super) struct Move {
    pub(super) how: How,
    pub(super) from: Place,
    pub(super) to: Place,
    pub(super) says: String,
}

/// How a move stands to the expectation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// Expected, and so it was.
    Met,
    /// Expected, and it was not.
    Missing,
    /// It was, and nothing expects it.
    Extra,
}

/// A lane of the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Client,
    Namespace(String),
    Server(String),
}

impl Journey {
    pub(super) fn of(verdict: &Verdict) -> Journey {
        let legs = verdict.expected.len().max(verdict.observed.len());
        let differs = |number: usize, what: &str| {
            verdict.why.iter().any(|difference| difference.leg == number && difference.what == what)
        };
        let stretch = |at: usize| {
            let (expected, seen) = (verdict.expected.get(at), verdict.observed.get(at));
            let differs = |what: &str| differs(at + 1, what);
            let (moves, note) = match (expected, seen) {
                (Some(leg), Some(seen)) => (both(leg, seen, differs), ""),
                (Some(leg), None) => (missing(leg), ": it never came to this leg"),
                (None, Some(seen)) => (extra(seen), ": a leg that nothing expects"),
                (None, None) => (vec![], ""),
            };
            let dials = seen.map(|seen| seen.dials.clone()).or(expected.map(|leg| leg.dials.to_string()));
            Stretch { heading: format!("leg {}, {}{note}", at + 1, dials.unwrap_or_default()), moves }
        };
        Journey { legs: (0..legs).map(stretch).collect() }
    }

    pub(super) fn count(&self, how: How) -> usize {
        self.legs.iter().flat_map(|leg| &leg.moves).filter(|one| one.how == how).count()
    }
}

/// Where a journey stands while it is written down.
struct Way {
    moves: Vec<Move>,
    expected: Place,
    seen: Place,
}

impl Way {
    fn new() -> Way {
        Way { moves: vec![], expected: Place::Client, seen: Place::Client }
    }

    fn goes(&mut self, how: How, to: Place, says: String) {
        let from = match how {
            How::Missing => std::mem::replace(&mut self.expected, to.clone()),
            How::Extra => std::mem::replace(&mut self.seen, to.clone()),
            How::Met => {
                self.expected = to.clone();
                std::mem::replace(&mut self.seen, to.clone())
            }
        };
        self.moves.push(Move { how, from, to, says });
    }

    fn tells(&mut self, how: How, says: String) {
        self.goes(how, Place::Client, says);
    }
}

fn both(leg: &Leg, seen: &SeenLeg, differs: impl Fn(&str) -> bool) -> Vec<Move> {
    let mut way = Way::new();
    let dials = |name: &str| Place::Namespace(name.to_owned());
    let observed = arrival(&seen.reached, seen.prompts);
    if differs("dials") && leg.dials.as_str() != seen.dials {
        way.goes(How::Missing, dials(leg.dials.as_str()), arrival(leg.reached.as_str(), pair(&leg.prompts)));
        way.goes(How::Extra, dials(&seen.dials), observed);
    } else if differs("prompts") || differs("reached") {
        let expected = arrival(leg.reached.as_str(), pair(&leg.prompts));
        way.goes(How::Missing, dials(&seen.dials), expected);
        way.goes(How::Extra, dials(&seen.dials), observed);
    } else {
        way.goes(How::Met, dials(&seen.dials), observed);
    }
    hops(&mut way, leg, seen);
    if differs("told") {
        way.tells(How::Missing, told(&leg.told));
        way.tells(How::Extra, short(&seen.told));
    } else {
        way.tells(How::Met, short(&seen.told));
    }
    way.moves
}

/// Each observed hop at the place of the expectation that names it.
fn hops(way: &mut Way, leg: &Leg, seen: &SeenLeg) {
    let mut awaited = leg.hops.iter().peekable();
    for hop in &seen.hops {
        let named = |wanted: &&Hop| wanted.at.0.iter().any(|server| server.as_str() == hop.server);
        let here = Place::Server(hop.server.clone());
        if hop.expected {
            while let Some(lost) = awaited.next_if(|wanted| !named(wanted)) {
                way.goes(How::Missing, expected_at(lost), expected_by(lost));
            }
            awaited.next();
            way.goes(How::Met, here, what(hop));
        } else if let Some(wanted) = awaited.next_if(named) {
            way.goes(How::Missing, here.clone(), expected_by(wanted));
            way.goes(How::Extra, here, observed_by(hop));
        } else {
            way.goes(How::Extra, here, what(hop));
        }
    }
    for lost in awaited {
        way.goes(How::Missing, expected_at(lost), expected_by(lost));
    }
}

fn missing(leg: &Leg) -> Vec<Move> {
    let mut way = Way::new();
    let says = arrival(leg.reached.as_str(), pair(&leg.prompts));
    way.goes(How::Missing, Place::Namespace(leg.dials.to_string()), says);
    for hop in &leg.hops {
        way.goes(How::Missing, expected_at(hop), expected_by(hop));
    }
    way.tells(How::Missing, told(&leg.told));
    way.moves
}

fn extra(seen: &SeenLeg) -> Vec<Move> {
    let mut way = Way::new();
    way.goes(How::Extra, Place::Namespace(seen.dials.clone()), arrival(&seen.reached, seen.prompts));
    for hop in &seen.hops {
        way.goes(How::Extra, Place::Server(hop.server.clone()), what(hop));
    }
    way.tells(How::Extra, short(&seen.told));
    way.moves
}

fn expected_at(hop: &Hop) -> Place {
    Place::Server(hop.at.0.first().map(ToString::to_string).unwrap_or_default())
}

fn expected_by(hop: &Hop) -> String {
    let at = if hop.at.0.len() > 1 { format!("{} ", hop.at) } else { String::new() };
    let by = hop.by.map(|by| format!("by {by} ")).unwrap_or_default();
    let over = hop.over.map(|over| format!("over {over}")).unwrap_or_default();
    match format!("{at}{by}{over}").trim_end() {
        "" => "the request".to_owned(),
        says => says.to_owned(),
    }
}

fn observed_by(hop: &SeenHop) -> String {
    format!("{} by {}", what(hop), hop.by)
}

/// What arrived. The mailbox's DN, which MS-RPC connects with, says less than it is long.
fn what(hop: &SeenHop) -> String {
    match hop.what.split_once(" /o=") {
        Some((verb, _)) => format!("{verb} (MS-RPC)"),
        None => hop.what.clone(),
    }
}

/// How the client came, and how often a person had to act.
fn arrival(reached: &str, (credentials, certificate): (u8, u8)) -> String {
    let times = |count: u8, what: &str| match count {
        0 => String::new(),
        1 => format!(", 1 {what}"),
        many => format!(", {many} {what}s"),
    };
    let none = if (credentials, certificate) == (0, 0) { ", no prompt" } else { "" };
    format!(
        "{reached}{none}{}{}",
        times(credentials, "sign-in prompt"),
        times(certificate, "certificate prompt")
    )
}

fn pair(prompts: &Prompts) -> (u8, u8) {
    (prompts.credentials, prompts.certificate)
}

fn told(told: &Told) -> String {
    short(&told.to_string())
}

/// Without the cells of an Autodiscover answer, which stand below the picture.
fn short(told: &str) -> String {
    match told.split_once(": ").filter(|_| told.starts_with("answer by ")) {
        Some((by, _)) => format!("Autodiscover {by}"),
        None => told.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::proxied_purple;

    /// A move as a line: mark, from, to, what it says.
    fn line(one: &Move) -> String {
        let place = |place: &Place| match place {
            Place::Client => "client".to_owned(),
            Place::Namespace(name) | Place::Server(name) => name.clone(),
        };
        let mark = match one.how {
            How::Met => ' ',
            How::Missing => '-',
            How::Extra => '+',
        };
        format!("{mark} {} > {}: {}", place(&one.from), place(&one.to), one.says)
    }

    #[test]
    fn both_journeys_are_one_row_of_moves() {
        let journey = Journey::of(&proxied_purple());
        let rows: Vec<Vec<String>> =
            journey.legs.iter().map(|leg| leg.moves.iter().map(line).collect()).collect();
        assert_eq!(
            rows[0],
            [
                "  client > mail.contoso.com: typed, 1 sign-in prompt",
                "  mail.contoso.com > cas2013-s1: GET /owa/",
                "+ cas2013-s1 > cas2007-s1: GET /owa/",
                "+ cas2007-s1 > mbx2007-s1: rpc connect",
                "- cas2013-s1 > client: silent redirect https://legacy.contoso.com/owa/",
                "+ mbx2007-s1 > client: mailbox purple",
            ]
        );
        assert_eq!(
            rows[1],
            [
                "- client > legacy.contoso.com: typed, 1 sign-in prompt",
                "- legacy.contoso.com > cas2007-s1: the request",
                "- cas2007-s1 > mbx2007-s1: the request",
                "- mbx2007-s1 > client: mailbox purple",
            ]
        );
        assert_eq!((journey.count(How::Extra), journey.count(How::Missing)), (3, 5));
        assert_eq!(journey.legs[1].heading, "leg 2, legacy.contoso.com: it never came to this leg");
    }
}
