//! The ledger: all arrivals of a lab in order, whose they are and by what that is known; and the one dial of fakes and
//! clients, which announces a socket before it connects.
//!
//! Nothing is stamped on the wire. Two answers are kept apart for each arrival: *asked by*, what the client wrote, and
//! *believed to be*, whom the server authenticated.

pub mod arrival;
mod clock;
mod dial;
pub mod far;
mod leases;
pub mod line;
pub mod w3c;
pub mod way;

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::digest::Digest;
use model::journal::Order;
use model::{CaseId, HostName, MailboxName, ServerName, View};
use tokio::sync::{broadcast, watch};

pub use arrival::{Answered, Arrival, Claim, Conveyed, Draft, Identity, kept_line};
pub use leases::Lease;

use arrival::MOST_HEAD_BYTES;
use clock::Clock;
use far::{Asked, Question};
use leases::Leases;
use line::Line;

/// Who opened a socket of ours.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Opener {
    /// A client, playing this case.
    Client(CaseId),
    /// A fake, because of this arrival.
    Arrival(Order),
}

/// One DNS query, as the lab's servers saw it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Query {
    /// Where in the ledger's order it came.
    pub order: Order,
    /// Which server was asked.
    pub view: View,
    /// The name asked for, as it was written.
    pub name: String,
    /// The record type, `A`.
    pub kind: String,
    /// Who asked.
    pub peer: SocketAddr,
    /// How many records the answer held.
    pub answers: usize,
}

/// What the ledger tells whoever listens, as it comes.
#[derive(Debug, Clone)]
pub enum News {
    /// A server was asked something.
    Arrived(Arc<Arrival>),
    /// It has answered.
    Answered(Arc<Arrival>),
    /// DNS was asked for a name.
    Queried(Query),
}

/// All arrivals of a lab, in order, unless it was told how many to keep. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Ledger(Arc<Inner>);

struct Inner {
    /// Who keeps the book, where that is another process; what is kept here is then nothing.
    far: Option<Line>,
    on: bool,
    /// How many arrivals and how many queries are kept: the newest.
    most: usize,
    clock: Clock,
    next: AtomicU64,
    connections: AtomicU64,
    book: Mutex<Book>,
    news: broadcast::Sender<News>,
    /// How far each side has come with what another waits for.
    steps: watch::Sender<HashMap<String, u64>>,
    /// How many arrivals have been answered.
    answered: watch::Sender<u64>,
}

#[derive(Default)]
struct Book {
    arrivals: VecDeque<Arc<Arrival>>,
    /// How many were there before the first of them.
    forgotten: u64,
    /// Who opened the socket with this local address. Never taken back: a late reader still learns whose it was, and a
    /// port that is used again is announced again, so that there are no more than a lab's addresses have ports.
    openers: HashMap<SocketAddr, Opener>,
    leases: Leases,
    /// What one case's request was served as another case's user, by whose user it was.
    strangers: Vec<(CaseId, Arc<Arrival>)>,
    queries: VecDeque<Query>,
}

impl Book {
    /// Keeps an arrival, and forgets the oldest beyond so many.
    fn keep(&mut self, arrival: Arc<Arrival>, most: usize) {
        self.arrivals.push_back(arrival);
        while self.arrivals.len() > most {
            self.arrivals.pop_front();
            self.forgotten += 1;
        }
    }

    /// Where an arrival of this order would be.
    fn place(&self, order: Order) -> Option<usize> {
        usize::try_from(order.0.checked_sub(self.forgotten)?).ok()
    }

    fn arrival(&self, order: Order) -> Option<&Arc<Arrival>> {
        self.arrivals.get(self.place(order)?)
    }

    fn arrival_mut(&mut self, order: Order) -> Option<&mut Arc<Arrival>> {
        let place = self.place(order)?;
        self.arrivals.get_mut(place)
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Ledger::new(true)
    }
}

impl Ledger {
    /// An empty ledger. One that is not `on` keeps nothing: for measuring what it costs.
    pub fn new(on: bool) -> Ledger {
        Ledger::kept(on, usize::MAX, None)
    }

    /// A ledger of a lab that is left running for days: beyond so many arrivals, and so many DNS queries, the oldest are
    /// forgotten. What is told as it comes is told all the same.
    pub fn keeping(most: usize) -> Ledger {
        Ledger::kept(true, most, None)
    }

    /// The ledger of a lab that another process keeps, for a server of that lab: what servers ask of a ledger and tell it. What
    /// is read out of one, arrivals and queries, is with who keeps it.
    pub fn over(line: Line) -> Ledger {
        Ledger::kept(true, usize::MAX, Some(line))
    }

    fn kept(on: bool, most: usize, far: Option<Line>) -> Ledger {
        Ledger(Arc::new(Inner {
            far,
            on,
            most,
            clock: Clock::start(),
            next: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            book: Mutex::default(),
            news: broadcast::channel(1024).0,
            steps: watch::Sender::default(),
            answered: watch::Sender::default(),
        }))
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes every form of a lease's name lead to its case.
    pub fn lease(&self, lease: Lease) {
        self.book().leases.add(lease);
    }

    /// This moment: arrivals with a smaller order are recorded, all others come later.
    pub fn mark(&self) -> Order {
        Order(self.0.next.load(Ordering::SeqCst))
    }

    /// A number for a connection that a server accepted, unique in the lab.
    pub fn connection(&self) -> u64 {
        if let Some(line) = &self.0.far {
            return line.ask(&Question::of(Asked::Connection));
        }
        self.0.connections.fetch_add(1, Ordering::Relaxed)
    }

    /// Says whose a socket is, before it connects.
    pub fn announce(&self, local: SocketAddr, opener: Opener) {
        if let Some(line) = &self.0.far {
            return line.ask(&Question::of(Asked::Announce(local, opener)));
        }
        if self.0.on {
            self.book().openers.insert(local, opener);
        }
    }

    /// Who opened the socket at the far end of a connection; `None` is the subject, or a stranger.
    pub fn opener(&self, peer: SocketAddr) -> Option<Opener> {
        if let Some(line) = &self.0.far {
            return line.ask(&Question::of(Asked::Opener(peer)));
        }
        self.book().openers.get(&peer).cloned()
    }

    /// Records an arrival and says where in the order it stands. Call before passing on and before answering.
    pub fn record(&self, draft: Draft) -> Order {
        if let Some(line) = &self.0.far {
            return line.ask(&Question::of(Asked::Record(Box::new(draft))));
        }
        if !self.0.on {
            return Order(self.0.next.fetch_add(1, Ordering::SeqCst));
        }
        let mut book = self.book();
        let order = Order(self.0.next.fetch_add(1, Ordering::SeqCst));
        let asked_by = draft.asked.iter().find_map(|form| book.leases.find(form));
        let (case, parent, claim) = match (&draft.opener, &asked_by) {
            (Some(Opener::Client(case)), _) => (Some(case.clone()), None, Claim::Socket),
            (Some(Opener::Arrival(parent)), _) => {
                let case = book.arrival(*parent).and_then(|arrival| arrival.case.clone());
                (case, Some(*parent), Claim::Parent)
            }
            (None, Some((case, _))) => (Some(case.clone()), None, Claim::AskedBy),
            (None, None) => (None, None, Claim::Nobody),
        };
        let head = String::from_utf8_lossy(&draft.head);
        let mut head = head.split("\r\n").map(kept_line).collect::<Vec<_>>().join("\r\n");
        let most = (0..=MOST_HEAD_BYTES.min(head.len())).rfind(|at| head.is_char_boundary(*at)).unwrap_or(0);
        head.truncate(most);
        let arrival = Arc::new(Arrival {
            order,
            time: self.0.clock.millis(),
            server: draft.server,
            protocol: draft.protocol,
            verb: draft.verb,
            target: draft.target,
            host: draft.host,
            sni: draft.sni,
            tls: draft.tls,
            starttls: draft.starttls,
            peer: draft.peer,
            identity: Identity {
                asked_by: asked_by.map(|(_, mailbox)| mailbox),
                believed_to_be: draft.believed_to_be,
                conveyed: draft.conveyed,
            },
            head,
            body: draft.body,
            connection: draft.connection,
            request: draft.request,
            parent,
            case,
            claimed_by: claim,
            answer: None,
        });
        let believed = arrival.identity.believed_to_be.as_ref();
        if let (Some(case), Some((whose, _))) =
            (&arrival.case, believed.and_then(|mailbox| book.leases.find(mailbox.as_str())))
            && *case != whose
        {
            book.strangers.push((whose, arrival.clone()));
        }
        book.keep(arrival.clone(), self.0.most);
        drop(book);
        // Nobody listening is fine: the ledger keeps what it is told.
        let _ = self.0.news.send(News::Arrived(arrival));
        order
    }

    /// Says what was read of a body whose head was recorded before.
    pub fn heard(&self, order: Order, body: Digest) {
        if let Some(line) = &self.0.far {
            return line.ask(&Question::of(Asked::Heard(order, body)));
        }
        if let Some(arrival) = self.book().arrival_mut(order) {
            Arc::make_mut(arrival).body = Some(body);
        }
    }

    /// Says what was answered, once it stands on the wire.
    pub fn answered(&self, order: Order, answer: Answered) {
        if let Some(line) = &self.0.far {
            return line.ask(&Question::of(Asked::Answered(order, answer)));
        }
        if !self.0.on {
            return;
        }
        let answered = self.book().arrival_mut(order).map(|arrival| {
            Arc::make_mut(arrival).answer = Some(answer);
            arrival.clone()
        });
        if let Some(arrival) = answered.filter(|_| self.0.news.receiver_count() > 0) {
            let _ = self.0.news.send(News::Answered(arrival));
        }
        self.0.answered.send_modify(|count| *count += 1);
    }

    /// Waits until what was recorded and answered is so. Whoever waits sets the limit.
    pub async fn until_answers(&self, are: impl Fn(&[Arc<Arrival>]) -> bool) {
        let mut answered = self.0.answered.subscribe();
        while !are(&self.all()) {
            let come = answered.changed().await;
            debug_assert!(come.is_ok(), "the ledger holds the sender");
        }
    }

    /// Says how far something has come that another side may wait for. It never goes back.
    pub fn step(&self, what: &str, to: u64) {
        if let Some(line) = &self.0.far {
            return line.ask(&Question::of(Asked::Step(what.to_owned(), to)));
        }
        self.0.steps.send_modify(|steps| {
            let at = steps.entry(what.to_owned()).or_default();
            *at = to.max(*at);
        });
    }

    /// How far it has come.
    pub fn stepped(&self, what: &str) -> u64 {
        if let Some(line) = &self.0.far {
            return line.ask(&Question::of(Asked::Stepped(what.to_owned())));
        }
        self.0.steps.borrow().get(what).copied().unwrap_or_default()
    }

    /// Waits until it has come so far. Whoever waits sets the limit.
    pub async fn until(&self, what: &str, to: u64) {
        if let Some(line) = &self.0.far {
            let come = line.wait(&Question::of(Asked::Until(what.to_owned(), to))).await;
            return come.unwrap_or_else(|error| panic!("the ledger is out of reach: {error}"));
        }
        let mut steps = self.0.steps.subscribe();
        let come = steps.wait_for(|steps| steps.get(what).copied().unwrap_or_default() >= to).await;
        debug_assert!(come.is_ok(), "the ledger holds the sender");
    }

    /// Records a DNS query.
    pub fn record_query(&self, view: View, name: String, kind: String, peer: SocketAddr, answers: usize) {
        if self.0.on {
            let order = self.mark();
            let query = Query { order, view, name, kind, peer, answers };
            let queries = &mut self.book().queries;
            queries.push_back(query.clone());
            if queries.len() > self.0.most {
                queries.pop_front();
            }
            let _ = self.0.news.send(News::Queried(query));
        }
    }

    /// Everything that is kept from `from` up to and without `to`, in order.
    pub fn between(&self, from: Order, to: Order) -> Vec<Arc<Arrival>> {
        let book = self.book();
        let end = book.place(to).unwrap_or_default().min(book.arrivals.len());
        let from = book.place(from).unwrap_or_default().min(end);
        book.arrivals.range(from..end).cloned().collect()
    }

    /// Everything so far that is kept.
    pub fn all(&self) -> Vec<Arc<Arrival>> {
        self.book().arrivals.iter().cloned().collect()
    }

    /// A server's log as IIS writes it (see [`w3c`]) of what is among these arrivals; none where nothing is.
    pub fn log_of(
        &self,
        server: &ServerName,
        iis: &str,
        s_ip: &str,
        among: &[Arc<Arrival>],
    ) -> Option<String> {
        let own: Vec<Arc<Arrival>> = among
            .iter()
            .filter(|arrival| arrival.server == *server && arrival.answer.is_some())
            .cloned()
            .collect();
        (!own.is_empty()).then(|| w3c::log(iis, &own, s_ip, self.0.clock.began()))
    }

    /// One case's arrivals. Those that name nobody are its own too where everything asked on their connection was
    /// asked by this case.
    pub fn of_case(&self, case: &CaseId) -> Vec<Arc<Arrival>> {
        let its = |arrival: &&Arc<Arrival>| arrival.case.as_ref() == Some(case);
        let book = self.book();
        // Asked once a case, of all that came for all of them: what cannot be its own is left out before it is looked into.
        let connections: HashSet<u64> = book.arrivals.iter().filter(its).map(|a| a.connection).collect();
        let may_be = |a: &&Arc<Arrival>| a.case.is_none() || connections.contains(&a.connection);
        let arrivals: Vec<Arc<Arrival>> = book.arrivals.iter().filter(may_be).cloned().collect();
        drop(book);
        claimed_by_connection(&arrivals).into_iter().filter(|arrival| its(&arrival)).collect()
    }

    /// What other cases' requests were served as this case's user (rule X-SEC-4).
    pub fn served_as_users_of(&self, case: &CaseId) -> Vec<Arc<Arrival>> {
        let book = self.book();
        book.strangers.iter().filter(|(whose, _)| whose == case).map(|(_, arrival)| arrival.clone()).collect()
    }

    /// DNS queries so far.
    pub fn queries(&self) -> Vec<Query> {
        self.book().queries.iter().cloned().collect()
    }

    /// Whether a DNS name was asked for in a view since `from`.
    pub fn asked_for(&self, view: View, name: &HostName, from: Order) -> bool {
        let written = |query: &Query| HostName::folded(&query.name).is_ok_and(|asked| asked == *name);
        self.book().queries.iter().any(|query| query.view == view && query.order >= from && written(query))
    }

    /// What comes, from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<News> {
        self.0.news.subscribe()
    }

    /// The mailbox and case that a form of a name was leased to.
    pub fn leased(&self, form: &str) -> Option<(CaseId, MailboxName)> {
        self.book().leases.find(form)
    }
}

/// The fourth way to know whose an arrival is: it names nobody, and all that was asked on its connection was asked by
/// one case. What a fake did because of such an arrival belongs to that case too. A health ping is anybody's, though a
/// subject may send it on a connection that it keeps for users.
pub fn claimed_by_connection(arrivals: &[Arc<Arrival>]) -> Vec<Arc<Arrival>> {
    let mut askers: HashMap<u64, Option<&CaseId>> = HashMap::new();
    for arrival in arrivals {
        if let Some(case) = &arrival.case {
            askers
                .entry(arrival.connection)
                .and_modify(|asker| {
                    if *asker != Some(case) {
                        *asker = None;
                    }
                })
                .or_insert(Some(case));
        }
    }
    // In order: whoever passed on comes before what was passed on.
    let mut found: HashMap<Order, &CaseId> = HashMap::new();
    arrivals
        .iter()
        .map(|arrival| {
            if arrival.case.is_some() {
                return arrival.clone();
            }
            let (case, claimed_by) = match arrival.parent {
                Some(parent) => (found.get(&parent).copied(), Claim::Parent),
                None if is_ping(arrival) => (None, arrival.claimed_by),
                None => (askers.get(&arrival.connection).copied().flatten(), Claim::Connection),
            };
            let Some(case) = case else { return arrival.clone() };
            found.insert(arrival.order, case);
            Arc::new(Arrival { case: Some(case.clone()), claimed_by, ..Arrival::clone(arrival) })
        })
        .collect()
}

/// What a client of a case does not ask for: that page, and HEAD of a virtual directory itself.
fn is_ping(arrival: &Arrival) -> bool {
    let path = arrival.target.split('?').next().unwrap_or_default().to_ascii_lowercase();
    arrival.asks_for_health() && (arrival.verb == "HEAD" || path.ends_with("/healthcheck.htm"))
}

#[cfg(test)]
mod tests;
