//! What comes in a running lab, as it comes: arrivals, DNS queries, connections through the doors, and what people changed.
//!
//! Everything that a stranger wrote is one line of printable text here, no longer than a screen is wide.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use lab::Lab;
use lab::ground::Place;
use ledger::{Arrival, Conveyed, News, Query};
use model::journal::Order;
use model::{HostName, Protocol, ServerName, View};
use serde::Serialize;
use tokio::sync::broadcast::{self, Receiver, error::RecvError};
use tokio_util::sync::CancellationToken;

/// How much of what was is told to whoever comes later.
const MOST_KEPT: usize = 1000;
/// The most characters of one value.
const MOST_CHARACTERS: usize = 200;

/// One thing that came.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub(crate) enum Event {
    /// A server was asked something.
    Arrived {
        order: Order,
        from: String,
        server: ServerName,
        protocol: Protocol,
        verb: String,
        host: Option<String>,
        target: String,
        user: Option<String>,
        conveyed: Conveyed,
        tls: bool,
    },
    /// It has answered.
    Answered { order: Order, status: u16, took: u64 },
    /// DNS was asked for a name.
    Queried { from: String, view: View, name: String, record: String, answers: usize },
    /// Somebody came in by a door.
    Connected { name: HostName, port: u16, server: Option<ServerName> },
    /// Something was changed, or has happened, as a sentence.
    Said { says: String },
}

/// An event with its number and its time, in milliseconds since the lab was up.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Told {
    pub(crate) number: u64,
    pub(crate) time: u64,
    #[serde(flatten)]
    pub(crate) event: Event,
}

/// Where events are told and heard. Clones share it.
#[derive(Clone)]
pub(crate) struct Live(Arc<Inner>);

struct Inner {
    began: Instant,
    book: Mutex<Book>,
    sender: broadcast::Sender<Arc<Told>>,
}

#[derive(Default)]
struct Book {
    next: u64,
    kept: VecDeque<Arc<Told>>,
}

impl Live {
    pub(crate) fn new() -> Live {
        let sender = broadcast::channel(MOST_KEPT).0;
        Live(Arc::new(Inner { began: Instant::now(), book: Mutex::default(), sender }))
    }

    /// Tells everybody who listens, and keeps it for who comes later.
    pub(crate) fn tell(&self, event: Event) {
        let mut book = self.book();
        let time = u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let told = Arc::new(Told { number: book.next, time, event });
        book.next += 1;
        book.kept.push_back(told.clone());
        if book.kept.len() > MOST_KEPT {
            book.kept.pop_front();
        }
        // Nobody listening is fine. Under the lock, so that nobody hears a thing twice or not at all.
        let _ = self.0.sender.send(told);
    }

    /// What was kept, without what came before `from`, and what comes from now on.
    pub(crate) fn listen(&self, from: u64) -> (VecDeque<Arc<Told>>, Receiver<Arc<Told>>) {
        let book = self.book();
        let kept = book.kept.iter().filter(|told| told.number >= from).cloned().collect();
        (kept, self.0.sender.subscribe())
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who is at an address, in words.
struct Whereabouts {
    servers: BTreeMap<IpAddr, ServerName>,
    people: BTreeMap<IpAddr, &'static str>,
}

impl Whereabouts {
    /// `machine` is where the machine is beside servers that are containers: what comes from there is people's.
    fn of(lab: &Lab, machine: Option<&Place>) -> Whereabouts {
        let ours = [
            (Some(lab.client_address(View::External)), OUTSIDE),
            (Some(lab.client_address(View::Internal)), INSIDE),
            (machine.and_then(|place| place.outside), OUTSIDE),
            (machine.map(|place| place.inside), INSIDE),
        ];
        let people = ours.into_iter().filter_map(|(ip, word)| Some((ip?, word))).collect();
        Whereabouts { servers: lab.positions(), people }
    }

    fn word(&self, peer: SocketAddr) -> String {
        match (self.servers.get(&peer.ip()), self.people.get(&peer.ip())) {
            (Some(server), _) => server.to_string(),
            (None, Some(word)) => (*word).to_owned(),
            (None, None) => "a program".to_owned(),
        }
    }
}

const OUTSIDE: &str = "outside";
const INSIDE: &str = "inside";

/// Tells what the ledger hears until told to stop.
pub(crate) async fn hear(lab: Arc<Lab>, machine: Option<Place>, live: Live, stop: CancellationToken) {
    let whereabouts = Whereabouts::of(&lab, machine.as_ref());
    let mut news = lab.ledger().subscribe();
    loop {
        let heard = tokio::select! {
            () = stop.cancelled() => return,
            heard = news.recv() => heard,
        };
        match heard {
            Ok(News::Arrived(arrival)) => live.tell(arrived(&arrival, &whereabouts)),
            Ok(News::Answered(arrival)) => {
                if let Some(answer) = arrival.answer {
                    live.tell(Event::Answered {
                        order: arrival.order,
                        status: answer.status,
                        took: answer.took,
                    });
                }
            }
            Ok(News::Queried(query)) => live.tell(queried(&query, &whereabouts)),
            Err(RecvError::Lagged(count)) => {
                live.tell(Event::Said { says: format!("{count} things came too fast to be told") });
            }
            Err(RecvError::Closed) => return,
        }
    }
}

fn arrived(arrival: &Arrival, whereabouts: &Whereabouts) -> Event {
    Event::Arrived {
        order: arrival.order,
        from: whereabouts.word(arrival.peer),
        server: arrival.server.clone(),
        protocol: arrival.protocol,
        verb: plain(&arrival.verb),
        host: arrival.host.as_deref().map(plain),
        target: plain(&arrival.target),
        user: arrival.identity.believed_to_be.as_ref().map(ToString::to_string),
        conveyed: arrival.identity.conveyed,
        tls: arrival.tls,
    }
}

fn queried(query: &Query, whereabouts: &Whereabouts) -> Event {
    Event::Queried {
        from: whereabouts.word(query.peer),
        view: query.view,
        name: plain(&query.name),
        record: query.kind.clone(),
        answers: query.answers,
    }
}

/// The line of a terminal. An answer has none: its arrival had one.
pub(crate) fn line(told: &Told) -> Option<String> {
    let at = format!("{:>5}.{:03}", told.time / 1000, told.time % 1000);
    let says = match &told.event {
        Event::Arrived { from, server, protocol, verb, target, user, .. } => {
            let user = user.as_ref().map(|user| format!("  as {user}")).unwrap_or_default();
            format!("{from:<12} -> {server:<12} {protocol:<12} {verb} {}{user}", cut(target, 80))
        }
        Event::Queried { from, view, name, record, answers } => {
            format!("{from:<12} -> {:<12} {:<12} {record} {name}  {answers} found", "dns", view.as_str())
        }
        Event::Connected { name, port, server } => {
            let server = server.as_ref().map_or("nowhere".to_owned(), ToString::to_string);
            format!("{:<12} -> {server:<12} {:<12} {name}:{port}", "outside", "connection")
        }
        Event::Said { says } => format!("-- {says}"),
        Event::Answered { .. } => return None,
    };
    Some(format!("{at}  {says}"))
}

/// Text of anybody's as one line.
fn plain(written: &str) -> String {
    model::plain::plain(written, MOST_CHARACTERS)
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_writes_is_one_line_that_steers_no_terminal() {
        assert_eq!(plain("/a\u{1b}[2J\r\n\u{202e}b"), "/a\\u{1b}[2J\\r\\n\\u{202e}b");
        assert_eq!(plain(&"x".repeat(500)).chars().count(), MOST_CHARACTERS + 1);
    }

    #[test]
    fn a_line_says_who_asked_whom_what() {
        let event = Event::Arrived {
            order: Order(3),
            from: "cas2013-s1".into(),
            server: "mbx2013-s1b".parse().unwrap(),
            protocol: Protocol::Owa,
            verb: "GET".into(),
            host: None,
            target: "/owa/".into(),
            user: Some("green".into()),
            conveyed: Conveyed::Ticket,
            tls: true,
        };
        let told = Told { number: 7, time: 12_345, event };
        assert_eq!(
            line(&told).unwrap(),
            "   12.345  cas2013-s1   -> mbx2013-s1b  owa          GET /owa/  as green"
        );
    }

    #[test]
    fn who_comes_later_is_told_what_was_and_nothing_twice() {
        let live = Live::new();
        (0..MOST_KEPT + 5).for_each(|at| live.tell(Event::Said { says: at.to_string() }));
        let (kept, mut coming) = live.listen(0);
        assert_eq!((kept.len(), kept[0].number), (MOST_KEPT, 5));
        live.tell(Event::Said { says: "next".into() });
        assert_eq!(coming.try_recv().unwrap().number, MOST_KEPT as u64 + 5);
        assert_eq!(live.listen(MOST_KEPT as u64).0.len(), 6);
    }
}
