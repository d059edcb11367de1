//! Whether journals and arrivals agree, whatever a case expects: nothing lost, nothing twice, nothing another's. It
//! catches a subject that sends a request twice or under another's name, and a ledger that cannot be believed.

use std::collections::BTreeMap;

use ledger::{Arrival, Claim};
use model::journal::Exchange;
use model::{Protocol, ServerName};

use super::strangers::own_mailboxes;
use super::{Case, Judged, Trace, holds};

pub(super) fn weigh(case: &Case, trace: &Trace, judged: &mut Judged) {
    orphans(trace, judged);
    twins(trace, judged);
    direct(trace, judged);
    neighbours(case, trace, judged);
    // Where a server misbehaves on purpose, asking another one is what is wanted; and where several clients ask the same at
    // once, a second copy cannot be told from another client's request.
    let several = case.steps.iter().any(|step| step.when.at_once > 1);
    if case.given.faults.is_empty() && !several {
        carried_twice(trace, judged);
    }
}

/// What a fake passed on is known together with why it did.
fn orphans(trace: &Trace, judged: &mut Judged) {
    for arrival in &trace.arrivals {
        if arrival.parent.is_some_and(|parent| trace.arrival(parent).is_none()) {
            let says = format!(
                "{} {} was passed on to {}, and nothing is known of what was passed on",
                arrival.verb, arrival.target, arrival.server
            );
            judged.as_a_whole("hops", says);
        }
    }
}

/// A connection has one request of each number.
fn twins(trace: &Trace, judged: &mut Judged) {
    let mut known = BTreeMap::new();
    for arrival in &trace.arrivals {
        if known.insert((arrival.connection, arrival.request), arrival.order).is_some() {
            let says = format!("{} {} is recorded twice at {}", arrival.verb, arrival.target, arrival.server);
            judged.as_a_whole("hops", says);
        }
    }
}

/// Where clients dialled a fake, it saw each request that it answered, and none that they did not make.
fn direct(trace: &Trace, judged: &mut Judged) {
    // By server: requests that were answered, requests that were made, requests that arrived.
    let mut counts: BTreeMap<&ServerName, [usize; 3]> = BTreeMap::new();
    for exchange in trace.exchanges() {
        // What arrives at a subject is not recorded.
        if let Some(server) = trace.dialled(exchange).filter(|server| **server != trace.topology.seat) {
            let count = counts.entry(server).or_default();
            count[0] += usize::from(exchange.status != 0);
            count[1] += 1;
        }
    }
    let of_clients = |arrival: &&std::sync::Arc<Arrival>| arrival.claimed_by == Claim::Socket;
    for arrival in trace.arrivals.iter().filter(of_clients) {
        if arrival.server != trace.topology.seat {
            counts.entry(&arrival.server).or_default()[2] += 1;
        }
    }
    for (server, [answered, made, arrived]) in counts {
        if !(answered..=made).contains(&arrived) {
            let says = format!(
                "{server} saw {arrived} requests of the clients, who made {made} and had {answered} answered"
            );
            judged.as_a_whole("hops", says);
        }
    }
}

/// Everything that names a leased mailbox names one of this case.
fn neighbours(case: &Case, trace: &Trace, judged: &mut Judged) {
    let own = own_mailboxes(case);
    for arrival in &trace.arrivals {
        if let Some(asked) = &arrival.identity.asked_by
            && !own.iter().any(|name| name == asked.as_str())
        {
            let says = format!(
                "{} {} at {} asks for {asked}, who is nobody of this case",
                arrival.verb, arrival.target, arrival.server
            );
            judged.as_a_whole("hops", says);
        }
    }
}

/// One request of a client is served once (for what may change something rule X-WIRE-7, for the rest since the world is
/// closed): a server that has authenticated its user has taken it, and a second copy, there or elsewhere, is one too many.
fn carried_twice(trace: &Trace, judged: &mut Judged) {
    for (at, arrival) in trace.arrivals.iter().enumerate() {
        let again = trace.arrivals[at + 1..].iter().find(|other| is_copy(arrival, other, trace));
        if let Some(again) = again {
            let says = format!(
                "{} {} was carried to {} and again to {}",
                arrival.verb, arrival.target, arrival.server, again.server
            );
            judged.as_a_whole("hops", says);
        }
    }
}

fn is_copy(arrival: &Arrival, other: &Arrival, trace: &Trace) -> bool {
    let taken = |arrival: &Arrival| {
        // How often a subject connects to a mailbox for one request is its own affair, and how often a server does so in a
        // mail program's session, too.
        let parent = arrival.parent.and_then(|parent| trace.arrival(parent));
        let own_affair = arrival.protocol == Protocol::Rpc
            && parent.is_none_or(|parent| matches!(parent.protocol, Protocol::Imap | Protocol::Pop));
        arrival.identity.believed_to_be.is_some() && arrival.claimed_by != Claim::Socket && !own_affair
    };
    arrival.parent == other.parent
        && arrival.verb == other.verb
        && arrival.target == other.target
        && taken(arrival)
        && taken(other)
        && asked_in(arrival, trace).map(|exchange| exchange.began)
            == asked_in(other, trace).map(|exchange| exchange.began)
}

/// The request in which something arrived: of several that were open, the last to begin.
fn asked_in<'t>(arrival: &Arrival, trace: &'t Trace) -> Option<&'t Exchange> {
    trace.exchanges().filter(|exchange| holds(exchange, arrival)).max_by_key(|exchange| exchange.began)
}
