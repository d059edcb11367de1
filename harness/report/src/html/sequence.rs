//! A journey drawn: lanes for the client, namespaces and servers, time downwards, an arrow for each move.
//!
//! What is met is a plain line. What is missing is dashed and begins with a crossed circle, what nothing expects is a double
//! line and begins with a plus in a square; both say so in words too, so that the picture needs no colour.

use std::fmt::Write;

use super::escape::{bounded, text};
use super::journey::{How, Journey, Move, Place};

const LANE: usize = 124;
const FIRST: usize = 62;
const TOP: usize = 46;
const ROW: usize = 34;
const HEADING: usize = 30;
/// A character of a label, about; the picture is made wide enough for its labels.
const CHARACTER: f32 = 6.4;
const MOST_LABEL: usize = 88;

/// The picture as SVG. `client` is what the client is called, `named` the picture in words.
pub(super) fn svg(journey: &Journey, client: &str, named: &str) -> String {
    let lanes = lanes(journey);
    let rows: usize = journey.legs.iter().map(|leg| HEADING + leg.moves.len() * ROW).sum();
    let height = TOP + rows + 14;
    let mut drawn = String::new();
    let mut widest = FIRST * 2 + LANE * lanes.len().saturating_sub(1);
    for (at, lane) in lanes.iter().enumerate() {
        head(&mut drawn, x(at), lane, client, height);
    }
    let mut y = TOP;
    for leg in &journey.legs {
        let _ = write!(drawn, "<text class=g x=6 y={}>{}</text>", y + 20, text(&leg.heading));
        y += HEADING;
        for one in &leg.moves {
            let place = |place: &Place| x(lanes.iter().position(|lane| lane == place).unwrap_or_default());
            let (from, to) = (place(&one.from), place(&one.to));
            widest = widest.max(arrow(&mut drawn, one, from, to, y + 22));
            y += ROW;
        }
    }
    format!(
        "<svg role=img aria-label=\"{}\" width={widest} height={height} viewBox=\"0 0 {widest} {height}\">{drawn}</svg>",
        text(named)
    )
}

/// In order of appearance, the client first.
fn lanes(journey: &Journey) -> Vec<Place> {
    let mut lanes = vec![Place::Client];
    for one in journey.legs.iter().flat_map(|leg| &leg.moves) {
        for place in [&one.from, &one.to] {
            if !lanes.contains(place) {
                lanes.push(place.clone());
            }
        }
    }
    lanes
}

fn x(lane: usize) -> usize {
    FIRST + lane * LANE
}

fn head(drawn: &mut String, x: usize, lane: &Place, client: &str, height: usize) {
    let (class, name, below) = match lane {
        Place::Client => ("c", client, "client"),
        Place::Namespace(name) => match name.split_once('.') {
            Some((first, domain)) => ("n", first, domain),
            None => ("n", name.as_str(), "namespace"),
        },
        Place::Server(name) => ("v", name.as_str(), "server"),
    };
    let (left, round) = (x - 56, if class == "v" { 2 } else { 15 });
    let _ = write!(
        drawn,
        "<path class=l d=\"M{x} 38V{height}\"/><rect class={class} x={left} y=4 width=112 height=34 rx={round} />\
         <text class=h x={x} y=19>{}</text><text class=d x={x} y=32>{}</text>",
        bounded(name, 17),
        bounded(below, 19)
    );
}

/// Draws a move; gives how far to the right its label reaches.
fn arrow(drawn: &mut String, one: &Move, from: usize, to: usize, y: usize) -> usize {
    let (class, says) = match one.how {
        How::Met => ("s", one.says.clone()),
        How::Missing => ("m", format!("missing: {}", one.says)),
        How::Extra => ("x", format!("not expected: {}", one.says)),
    };
    let rightwards = to >= from;
    // A lane's own line is left free of the arrow's tip.
    let (start, end) = match rightwards {
        true => (from, to.saturating_sub(2)),
        false => (from, to + 2),
    };
    let back = if rightwards { -8 } else { 8 };
    // The label before the marks, which its outline would cover.
    let label = start.min(end) + if one.how == How::Met { 9 } else { 12 };
    let _ = write!(
        drawn,
        "<text class=\"a {class}\" x={label} y={}>{}</text>",
        y - 8,
        bounded(&says, MOST_LABEL)
    );
    let line = match one.how {
        How::Extra => format!(
            "M{start} {}H{}M{start} {}H{}",
            y - 2,
            end.saturating_add_signed(back),
            y + 2,
            end.saturating_add_signed(back)
        ),
        _ => format!("M{start} {y}H{end}"),
    };
    let tip = format!("M{end} {y}l{back} -5v10z");
    let _ = write!(drawn, "<path class={class} d=\"{line}\"/><path class=\"t {class}\" d=\"{tip}\"/>");
    match one.how {
        How::Met => {}
        How::Missing => {
            let (left, top) = (start - 5, y - 5);
            let _ = write!(
                drawn,
                "<circle class=\"b m\" cx={start} cy={y} r=7 /><path class=i d=\"M{} {}l6 6m0 -6l-6 6\"/>",
                left + 2,
                top + 2
            );
        }
        How::Extra => {
            let _ = write!(
                drawn,
                "<rect class=\"b x\" x={} y={} width=14 height=14 /><path class=i d=\"M{} {y}h8m-4 -4v8\"/>",
                start - 7,
                y - 7,
                start - 4
            );
        }
    }
    label + (says.chars().count().min(MOST_LABEL) as f32 * CHARACTER) as usize + 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::proxied_purple;

    fn drawn() -> String {
        svg(&Journey::of(&proxied_purple()), "browser", "purple's journey")
    }

    #[test]
    fn every_lane_stands_once_in_order_of_appearance() {
        let drawn = drawn();
        let heads: Vec<&str> =
            drawn.split("<text class=h ").skip(1).filter_map(|rest| rest.split(['>', '<']).nth(1)).collect();
        assert_eq!(heads, ["browser", "mail", "cas2013-s1", "cas2007-s1", "mbx2007-s1", "legacy"]);
    }

    #[test]
    fn a_difference_is_told_by_shape_and_word() {
        let drawn = drawn();
        assert_eq!(drawn.matches("<rect class=\"b x\"").count(), 3, "a square for what nothing expects");
        assert_eq!(drawn.matches("<circle class=\"b m\"").count(), 5, "a circle for what is missing");
        assert!(
            drawn.contains(">missing: silent redirect https://legacy.contoso.com/owa/</text>"),
            "{drawn}"
        );
        assert!(drawn.contains(">not expected: mailbox purple</text>"), "{drawn}");
    }

    #[test]
    fn what_a_subject_says_draws_nothing() {
        let mut verdict = proxied_purple();
        verdict.observed[0].told = "</text><script>alert(1)</script>".to_owned();
        let drawn = svg(&Journey::of(&verdict), "\"><b>", "\"><i>");
        assert!(!drawn.contains("<script") && !drawn.contains("<b>") && !drawn.contains("<i>"), "{drawn}");
    }
}
