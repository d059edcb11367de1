//! What a person typed, and what stands for it, goes nowhere that it does not belong (rule X-SEC-5), whatever a case expects.

use std::sync::Arc;

use ledger::{Arrival, Claim, Conveyed};
use model::journal::{ClientLeg, CookieOfAnother, Exchange};
use model::{HostName, Protocol, Role};

use super::{Judged, Trace};

/// Clients write what they saw with passwords left out, like this.
const LEFT_OUT: &str = "***";

/// Wire facts 1.1: by these names a front end keeps its own session.
const SESSIONS: [&str; 2] = ["cadata", "sessionid"];

pub(super) fn keep(trace: &Trace, judged: &mut Judged) {
    let mut broken = |says: String| judged.as_a_whole("invariant", format!("{says} (X-SEC-5)"));
    let in_a_url = |exchange: &&Exchange| {
        exchange.target.contains(LEFT_OUT)
            || exchange.location.as_ref().is_some_and(|location| location.contains(LEFT_OUT))
    };
    if let Some(exchange) = trace.exchanges().find(in_a_url) {
        broken(format!("a password stands in a URL: {} {}", exchange.verb, exchange.target));
    }
    let from_the_seat = || {
        let arrivals = trace.arrivals.iter();
        arrivals.filter(|arrival| arrival.parent.is_none() && arrival.claimed_by != Claim::Socket)
    };
    let conveyed =
        |arrival: &Arrival| !matches!(arrival.identity.conveyed, Conveyed::Nothing | Conveyed::Rpc);
    let clear = |arrival: &&Arc<Arrival>| !arrival.tls && is_http(arrival.protocol) && conveyed(arrival);
    if let Some(arrival) = from_the_seat().find(clear) {
        broken(format!("{} was told over plain HTTP who asks", arrival.server));
    }
    let has_session = |arrival: &&Arc<Arrival>| {
        let lines = arrival.head.split("\r\n").filter_map(|line| line.split_once(':'));
        let mut cookies = lines.filter(|(name, _)| name.eq_ignore_ascii_case("cookie"));
        cookies.any(|(_, value)| {
            value.split(';').filter_map(|pair| pair.trim().split('=').next()).any(is_session)
        })
    };
    // Before a front end, an edge carries that one's session and has none of its own.
    let front_end = trace.topology.role != Role::Edge;
    if let Some(arrival) = from_the_seat().filter(|_| front_end).find(has_session) {
        broken(format!("the front end's own session went on to {}", arrival.server));
    }
    let carried = |exchange: &Exchange| {
        let is_it =
            |cookie: &&CookieOfAnother| stands_for_a_password(cookie) && at_the_seat(trace, &cookie.set_by);
        exchange.cookies_of_others.iter().find(is_it).cloned()
    };
    let elsewhere = |leg: &&ClientLeg| !at_the_seat(trace, &leg.dials);
    let elsewhere = trace.journals.iter().flat_map(|journal| &journal.legs).filter(elsewhere);
    let astray = elsewhere.flat_map(|leg| leg.exchanges.iter().map(move |exchange| (leg, exchange)));
    if let Some((leg, cookie)) = astray.filter_map(|(leg, exchange)| Some((leg, carried(exchange)?))).next() {
        broken(format!("the session cookie {} of {} went to {}", cookie.name, cookie.set_by, leg.dials));
    }
}

/// Of IMAP and POP rules of their own say what goes in clear.
fn is_http(protocol: Protocol) -> bool {
    !matches!(protocol, Protocol::Rpc | Protocol::Imap | Protocol::Pop)
}

/// Whether a client that dialled this name came to the seat.
fn at_the_seat(trace: &Trace, name: &HostName) -> bool {
    let legs = trace.journals.iter().flat_map(|journal| &journal.legs).filter(|leg| leg.dials == *name);
    legs.flat_map(|leg| &leg.exchanges).any(|exchange| trace.dialled(exchange) == Some(&trace.topology.seat))
}

/// Whether a cookie stands for what was typed: by its name, or since it answered a form. Others may go where they like.
fn stands_for_a_password(cookie: &CookieOfAnother) -> bool {
    cookie.answers_form || is_session(&cookie.name)
}

fn is_session(cookie: &str) -> bool {
    SESSIONS.contains(&cookie)
}
