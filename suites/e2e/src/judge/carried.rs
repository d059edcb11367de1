//! What must arrive as sent, either way: compared line for line and byte for byte. Pure.

use ledger::{Arrival, Claim, kept_line};
use model::Position;
use model::case::{
    After, AnswerFraming, Arrives, Carried, CarriedAnswer, CarriedBody, CarriedRequest, Framing, Leg,
    Payload, Send, Told, spelled_out,
};
use model::journal::{ClientLeg, Exchange, RawAnswer};

use super::{Trace, holds};

/// Compares each request of a raw client, and its answer, with what the case says of it.
pub(super) fn compare(
    expected: &Leg,
    seen: &ClientLeg,
    sends: &[Send],
    trace: &Trace,
    differs: &mut impl FnMut(&str, String),
) {
    for (exchange, at) in seen.exchanges.iter().zip(0..) {
        let Some((send, carried)) = at_turn(sends, at).zip(at_turn(&expected.carried, at)) else { continue };
        let mut says =
            |says: String| differs("carried", format!("{} {}: {says}", exchange.verb, exchange.target));
        both(expected, carried, send, (exchange, &seen.exchanges), trace, &mut says);
    }
}

/// Whether an arrival came of this exchange: of two that were open at once, their verbs tell.
fn came_of(exchange: &Exchange, all: &[Exchange], arrival: &Arrival) -> bool {
    let its = |exchange: &Exchange| holds(exchange, arrival) && exchange.verb == arrival.verb;
    holds(exchange, arrival) && (its(exchange) || !all.iter().any(its))
}

/// A case that repeats itself goes through its list again.
fn at_turn<T>(list: &[T], at: usize) -> Option<&T> {
    list.get(at.checked_rem(list.len())?)
}

fn both(
    leg: &Leg,
    carried: &Carried,
    send: &Send,
    (exchange, all): (&Exchange, &[Exchange]),
    trace: &Trace,
    says: &mut impl FnMut(String),
) {
    let none = RawAnswer::default();
    let answer = exchange.answer.as_deref().unwrap_or(&none);
    // Where no answer is as good as one, its absence is nothing that was missed.
    let may_end =
        matches!(&leg.told, Told::Answered(statuses) if statuses.contains(&0)) && exchange.status == 0;
    let missed = answer.missed.iter();
    let missed = missed.filter(|missed| !(may_end && missed.starts_with("the connection ended")));
    missed.for_each(|missed| says(missed.clone()));
    if let Some(expected) = &carried.request {
        let came = |arrival: &Arrival| came_of(exchange, all, arrival);
        request(leg, expected, send, came, trace, says);
    }
    if let Some(expected) = &carried.answer {
        self::answer(expected, send, answer, says);
    }
}

fn request(
    leg: &Leg,
    expected: &CarriedRequest,
    send: &Send,
    came_of_it: impl Fn(&Arrival) -> bool,
    trace: &Trace,
    says: &mut impl FnMut(String),
) {
    // What the client's own socket reached is behind nobody; what a fake passed on is another's request.
    let direct = leg.hops.len() == 1;
    let behind: Vec<&Arrival> = trace
        .arrivals
        .iter()
        .map(|arrival| &**arrival)
        .filter(|arrival| came_of_it(arrival) && arrival.parent.is_none())
        .filter(|arrival| (arrival.claimed_by == Claim::Socket) == direct)
        .collect();
    // A sign-in leg is no delivery, and a request that nobody sent is told by its line.
    let is_it =
        |arrival: &&&Arrival| arrival.identity.believed_to_be.is_some() || line_of(arrival) != expected.line;
    let came: Vec<&Arrival> = behind.iter().filter(is_it).copied().collect();
    if came.len() != usize::from(expected.times) {
        says(format!("it came to servers behind {} times, expected {}", came.len(), expected.times));
    }
    let at = expected.at.clone().map(|server| Position(vec![server]));
    let at = at.or_else(|| leg.hops.get(usize::from(!direct)).map(|hop| hop.at.clone()));
    for arrival in came.iter().filter(|arrival| at.as_ref().is_none_or(|at| at.admits(&arrival.server))) {
        let mut says = |what: String| says(format!("at {} {what}", arrival.server));
        let Some(head) = arrival.head.strip_suffix("\r\n\r\n") else {
            says("the head is longer than is kept: nothing can be said of it".to_owned());
            continue;
        };
        let lines = head.split_once("\r\n").map_or("", |(_, lines)| lines);
        let line = line_of(arrival);
        if line != expected.line {
            says(format!("it was `{line}`, expected `{}`", expected.line));
        }
        let lines: Vec<String> = lines.split("\r\n").map(str::to_owned).collect();
        header(&lines, &expected.lines, &expected.spelled, &expected.without, &mut says);
        let framed = framing_of(&lines);
        if !expected.framing.is_empty() && !framed.is_some_and(|framed| expected.framing.contains(&framed)) {
            let was =
                framed.map_or("told by neither or by both lines".to_owned(), |framed| framed.to_string());
            says(format!("the body's end was {was}, expected {}", listed(&expected.framing)));
        }
        let wanted = match expected.body {
            None => continue,
            Some(CarriedBody::Sent) => send.body.as_ref().map(Payload::digest).unwrap_or_default(),
            Some(CarriedBody::Empty) => Default::default(),
        };
        if arrival.body != Some(wanted) {
            let was = arrival.body.map_or(0, |body| body.bytes);
            says(format!("the body was {}", not_the_same(was, wanted.bytes)));
        }
    }
}

/// A request line without the protocol's version.
fn line_of(arrival: &Arrival) -> &str {
    let line = arrival.head.split("\r\n").next().unwrap_or_default();
    line.rsplit_once(' ').map_or(line, |(line, _)| line)
}

fn answer(expected: &CarriedAnswer, send: &Send, seen: &RawAnswer, says: &mut impl FnMut(String)) {
    let mut says = |what: String| says(format!("of the answer {what}"));
    if let Some(status) = &expected.status
        && *status != seen.status
    {
        says(format!("the status line was `{}`, expected `{status}`", seen.status));
    }
    let lines: Vec<String> = seen.lines.iter().map(|line| kept_line(line)).collect();
    header(&lines, &expected.lines, &expected.spelled, &expected.without, &mut says);
    if !expected.framing.is_empty() && !seen.framing.is_some_and(|framed| expected.framing.contains(&framed))
    {
        let was = seen.framing.map_or("nothing", AnswerFraming::as_str);
        says(format!("the body's end was told by {was}, expected {}", listed(&expected.framing)));
    }
    if let Some(body) = &expected.body {
        let wanted = body.digest();
        if seen.body != wanted {
            says(format!("the body was {}", not_the_same(seen.body.bytes, wanted.bytes)));
        }
    }
    if !send.leaves() && seen.whole != (expected.ends == Arrives::Whole) {
        let was = if seen.whole { "came whole" } else { "broke off" };
        says(format!("the body {was} after {} bytes, expected {}", seen.body.bytes, expected.ends));
    }
    if let Some(after) = expected.connection
        && seen.kept != (after == After::Kept)
    {
        says(format!("the connection was {}, expected {after}", if seen.kept { "kept" } else { "closed" }));
    }
}

/// Lines of a name must be exactly those expected, in their order; between names no order is asked.
fn header(
    seen: &[String],
    lines: &[String],
    spelled: &[String],
    without: &[String],
    says: &mut impl FnMut(String),
) {
    for (expected, exactly) in [(lines, false), (spelled, true)] {
        let mut names: Vec<&str> = expected.iter().map(|line| name(line)).collect();
        names.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
        for of in names {
            let wanted = expected.iter().filter(|line| name(line).eq_ignore_ascii_case(of));
            let wanted: Vec<String> = wanted.map(|line| kept_line(&spelled_out(line))).collect();
            let were: Vec<&String> = seen.iter().filter(|line| name(line).eq_ignore_ascii_case(of)).collect();
            let same = |(a, b): (&String, &&String)| match exactly {
                true => a == *b,
                false => value(a) == value(b),
            };
            if were.len() != wanted.len() || !wanted.iter().zip(&were).all(same) {
                let were = if were.is_empty() { "nothing".to_owned() } else { listed(&were) };
                says(format!("of `{of}` there was {were}, expected {}", listed(&wanted)));
            }
        }
    }
    for never in without {
        if let Some(line) =
            seen.iter().find(|line| line.to_ascii_lowercase().contains(&never.to_ascii_lowercase()))
        {
            says(format!("`{never}` stands in `{line}`, and may stand nowhere"));
        }
    }
}

fn name(line: &str) -> &str {
    line.split_once(':').map_or(line, |(name, _)| name)
}

fn value(line: &str) -> &str {
    line.split_once(':').map_or("", |(_, value)| value.trim())
}

fn framing_of(lines: &[String]) -> Option<Framing> {
    let has = |of: &str| lines.iter().any(|line| name(line).eq_ignore_ascii_case(of));
    match (has("content-length"), has("transfer-encoding")) {
        (true, false) => Some(Framing::Length),
        (false, true) => Some(Framing::Chunked),
        _ => None,
    }
}

fn not_the_same(was: u64, wanted: u64) -> String {
    match was == wanted {
        true => format!("another one of the same {was} bytes"),
        false => format!("{was} bytes long, expected {wanted}"),
    }
}

fn listed<T: ToString>(things: &[T]) -> String {
    things.iter().map(|thing| thing.to_string()).collect::<Vec<_>>().join(" | ")
}

#[cfg(test)]
mod tests;
