//! No program that a person uses: it writes a request as a case says, byte for byte, stops in it where the case says, and
//! reads the answer as it comes.

mod answer;
mod written;

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use ledger::Ledger;
use model::case::{Connection, Reached, Send, Told, Until, Wait, When};
use model::journal::{ClientLeg, Exchange, RawAnswer};
use model::{HostName, WebUrl};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;

use crate::clock::within;
use crate::heard::Heard;
use crate::legs::{Ending, Leg};
use crate::network::{Network, Person};
use crate::wire::{Stream, Wire};
use answer::{Reader, Seen};

/// How long a client waits for a step of another side before it takes it for missed.
const BARRIER: Duration = Duration::from_secs(3);

/// Sends everything, as often as the case says.
pub(crate) async fn play(wire: &mut Wire<'_>, when: &When, url: &WebUrl, person: &Person) -> Vec<ClientLeg> {
    let mut leg = Leg::new(&url.host, Reached::Typed);
    let network = wire.network;
    let mut raw = Raw { wire, network, url, person, kept: None };
    let mut status = 0;
    for _ in 0..when.times.max(1) {
        let mut sends = when.sends.iter().peekable();
        while let Some(send) = sends.next() {
            let beside = sends.next_if(|next| next.connection == Connection::Beside);
            let exchanges = match beside {
                None => vec![raw.send(&mut leg, send).await],
                Some(beside) => Box::pin(raw.send_both(&mut leg, send, beside)).await.into(),
            };
            for exchange in exchanges {
                status = exchange.status;
                leg.add(exchange);
            }
        }
    }
    vec![leg.ends(Ending::told(Told::Answered(vec![status])))]
}

/// A connection that can be asked on, where it leads, what was heard on it.
type Kept = (Stream, SocketAddr, Heard);

struct Raw<'r, 'n> {
    wire: &'r mut Wire<'n>,
    network: &'r Network,
    url: &'r WebUrl,
    person: &'r Person,
    kept: Option<Kept>,
}

impl<'r> Raw<'r, '_> {
    async fn send(&mut self, leg: &mut Leg, send: &Send) -> Exchange {
        let mut exchange = self.entry_of(send);
        let opened = self.opened(leg, send, &mut exchange).await;
        let heard = heard_on(&opened);
        let (seen, kept) = self.talk().until_it_ends(send, opened, &Channel::alone()).await;
        self.kept = kept;
        self.finished(exchange, seen, heard)
    }

    /// Two requests, each on a connection of its own, the second once the first has arrived behind.
    async fn send_both(&mut self, leg: &mut Leg, first: &Send, second: &Send) -> [Exchange; 2] {
        let (mut one, mut other) = (self.entry_of(first), self.entry_of(second));
        let opened = self.opened(leg, first, &mut one).await;
        let beside = self.opened(leg, second, &mut other).await;
        let heard = [heard_on(&opened), heard_on(&beside)];
        let (of_one, of_other) = Channel::pair();
        let talk = self.talk();
        let arrived = Steps::of(&talk.network.ledger, talk.person, &first.verb);
        let ((seen, _), (seen_beside, kept)) =
            tokio::join!(talk.until_it_ends(first, opened, &of_one), async {
                // One that never arrives misses by itself what it waits for.
                within(BARRIER, arrived.arrived()).await;
                talk.until_it_ends(second, beside, &of_other).await
            });
        self.kept = kept;
        let [heard, heard_beside] = heard;
        [self.finished(one, seen, heard), self.finished(other, seen_beside, heard_beside)]
    }

    fn talk(&self) -> Talk<'r> {
        Talk { network: self.network, url: self.url, person: self.person }
    }

    fn entry_of(&self, send: &Send) -> Exchange {
        self.wire.entry_of(&send.verb, &written::filled(&send.target, self.person, true))
    }

    /// The connection of a request: the one that was kept, or a new one.
    async fn opened(&mut self, leg: &mut Leg, send: &Send, exchange: &mut Exchange) -> Result<Kept, String> {
        match self.kept.take().filter(|_| send.connection == Connection::Same) {
            Some(kept) => {
                exchange.dialled = Some(kept.1);
                Ok(kept)
            }
            None => {
                let opened = self.wire.connect(leg, self.url, send.sni, exchange).await;
                opened.map_err(|broken| broken.to_string())
            }
        }
    }

    fn finished(&self, mut exchange: Exchange, mut seen: RawAnswer, heard: Option<Heard>) -> Exchange {
        exchange.heads = heard.map(|heard| self.wire.heads_of(&heard)).unwrap_or_default();
        exchange.ended = self.wire.network.ledger.mark();
        exchange.status = seen.status.split(' ').next().and_then(|code| code.parse().ok()).unwrap_or(0);
        exchange.reason =
            seen.status.split_once(' ').map(|(_, phrase)| phrase.to_owned()).unwrap_or_default();
        seen.lines = seen.lines.iter().map(|line| self.wire.without_secrets(line)).collect();
        let value = |line: &String| {
            line.split_once(':')
                .filter(|(name, _)| name.eq_ignore_ascii_case("location"))
                .map(|(_, value)| value.trim().to_owned())
        };
        exchange.location = seen.lines.iter().find_map(value);
        exchange.answer = Some(Box::new(seen));
        exchange
    }
}

/// What is heard on a connection, if there is one.
fn heard_on(opened: &Result<Kept, String>) -> Option<Heard> {
    opened.as_ref().ok().map(|(_, _, heard)| heard.clone())
}

/// What a conversation needs to know, and of which two may be held at once.
#[derive(Clone, Copy)]
struct Talk<'t> {
    network: &'t Network,
    url: &'t WebUrl,
    person: &'t Person,
}

impl Talk<'_> {
    /// Writes and reads until the answer has ended, the client leaves, or its patience does.
    async fn until_it_ends(
        &self,
        send: &Send,
        opened: Result<Kept, String>,
        channel: &Channel,
    ) -> (RawAnswer, Option<Kept>) {
        let mut seen = RawAnswer::default();
        let limit = self.network.limits.exchange;
        let talking = async {
            tokio::select! {
                kept = self.converse(send, opened?, &mut seen, channel) => kept,
                () = channel.other_has_long_left() => {
                    Err(format!("it was still open {BARRIER:?} after the client had left the one beside it"))
                }
            }
        };
        let kept = match within(limit, talking).await {
            Some(Ok(kept)) => kept,
            Some(Err(why)) => {
                seen.missed.push(why);
                None
            }
            None => {
                seen.missed.push(format!("no end came within {limit:?}"));
                None
            }
        };
        (seen, kept)
    }

    /// The connection, where it can be asked on.
    async fn converse(
        &self,
        send: &Send,
        (stream, peer, heard): Kept,
        seen: &mut RawAnswer,
        channel: &Channel,
    ) -> Result<Option<Kept>, String> {
        let steps = Steps::of(&self.network.ledger, self.person, &send.verb);
        let target = written::filled(&send.target, self.person, true);
        let (head, body) = written::request(send, &target, &self.url.host, self.person);
        let (reading, mut writing) = tokio::io::split(stream);
        let most = (self.network.limits.head_bytes, self.network.limits.body_bytes);
        let mut reader = Reader::new(reading, most, channel.tell.clone());
        let mut missed = vec![];
        let outcome = {
            let writes = write(&mut writing, &head, &body, &send.waits, &steps, channel, &mut missed);
            let reads = reader.read(&send.verb, send.leaves_after, |bytes| steps.read(bytes), seen);
            // Whoever has the whole answer goes on writing: the connection is of use only when the body is gone.
            match send.leaves_unanswered {
                false => tokio::join!(writes, reads).1,
                true => left(writes, reads).await,
            }
        };
        seen.missed.extend(missed);
        outcome?;
        if send.leaves() {
            drop((reader, writing));
            channel.leave();
            return match within(BARRIER, steps.gone()).await {
                Some(()) => Ok(None),
                None => Err("the server behind was not told that the client had gone".to_owned()),
            };
        }
        seen.kept = reader.can_go_on(seen).await;
        Ok(seen.kept.then(|| (reader.into_inner().unsplit(writing), peer, heard)))
    }
}

/// Reads until all is written. An end that comes before that is none of the client's making.
async fn left(
    writes: impl Future<Output = bool>,
    reads: impl Future<Output = Result<(), String>>,
) -> Result<(), String> {
    tokio::select! {
        biased;
        all = writes => match all {
            true => Ok(()),
            false => Err("before the client left, nobody took what it wrote".to_owned()),
        },
        read = reads => Err(match read {
            Ok(()) => "before the client left, an answer came".to_owned(),
            Err(why) => format!("before the client left, {why}"),
        }),
    }
}

/// What a request knows of the answer to it, and of the request beside it, if there is one.
struct Channel {
    tell: watch::Sender<Seen>,
    leaves: watch::Sender<bool>,
    /// The same of the one beside it.
    other: Option<(watch::Receiver<Seen>, watch::Receiver<bool>)>,
}

impl Channel {
    fn alone() -> Channel {
        Channel { tell: watch::channel(Seen::Nothing).0, leaves: watch::channel(false).0, other: None }
    }

    /// Two that know of each other.
    fn pair() -> (Channel, Channel) {
        let (mut one, mut other) = (Channel::alone(), Channel::alone());
        one.other = Some((other.tell.subscribe(), other.leaves.subscribe()));
        other.other = Some((one.tell.subscribe(), one.leaves.subscribe()));
        (one, other)
    }

    /// The client has gone from this one.
    fn leave(&self) {
        self.leaves.send_replace(true);
    }

    async fn answered(&self, so_far: Seen) {
        // Nobody but this one drops the sender.
        drop(self.tell.subscribe().wait_for(|seen| *seen >= so_far).await);
    }

    async fn other_answered(&self) {
        match &self.other {
            Some((other, _)) => drop(other.clone().wait_for(|seen| *seen >= Seen::Head).await),
            None => std::future::pending().await,
        }
    }

    /// The client has left the one beside this, and so long ago that this should have ended too.
    async fn other_has_long_left(&self) {
        if let Some((_, other)) = &self.other
            && other.clone().wait_for(|left| *left).await.is_ok()
        {
            within(BARRIER, std::future::pending::<()>()).await;
            return;
        }
        std::future::pending().await
    }
}

/// Writes head and body, and stops where the case says; what never came is noted, and writing goes on. False where the far
/// end took no more.
async fn write(
    to: &mut (impl AsyncWrite + Unpin),
    head: &[u8],
    body: &written::Body,
    waits: &[Wait],
    steps: &Steps,
    channel: &Channel,
    missed: &mut Vec<String>,
) -> bool {
    let mut waits: Vec<&Wait> = waits.iter().collect();
    waits.sort_by_key(|wait| wait.after);
    // A far end that has read enough closes: what it answered is read beside.
    if to.write_all(head).await.is_err() || to.flush().await.is_err() {
        return false;
    }
    let mut from = 0;
    for wait in waits {
        let part = body.part(from, wait.after);
        from = wait.after;
        if to.write_all(&part).await.is_err() || to.flush().await.is_err() {
            return false;
        }
        // Whoever has waited in vain once waits for nothing more.
        let come = match wait.until {
            _ if !missed.is_empty() => continue,
            Until::Arrived => within(BARRIER, steps.arrived()).await.is_some(),
            Until::Heard => within(BARRIER, steps.heard(wait.after)).await.is_some(),
            Until::Continue => within(BARRIER, channel.answered(Seen::Continue)).await.is_some(),
            Until::Answered => within(BARRIER, channel.answered(Seen::Head)).await.is_some(),
            // An answer may be long in coming, as a quiet one is: the request's own limit holds.
            Until::OtherAnswered => {
                channel.other_answered().await;
                true
            }
        };
        if !come {
            missed.push(format!(
                "{} had not happened when {} bytes of the body were written",
                wait.until, from
            ));
        }
    }
    to.write_all(&body.rest(from)).await.is_ok() && to.flush().await.is_ok()
}

/// Steps of the far end that this client waits for, and its own that others wait for.
struct Steps {
    ledger: Ledger,
    /// The mailbox, and the mailbox and the verb.
    mailbox: String,
    of: String,
    arrived: u64,
    heard: u64,
    read: u64,
    gone: u64,
}

impl Steps {
    fn of(ledger: &Ledger, person: &Person, verb: &str) -> Steps {
        let mailbox = person.address.split('@').next().unwrap_or_default().to_owned();
        let of = format!("{mailbox} {verb}");
        let so_far = |what: &str| ledger.stepped(&format!("{of} {what}"));
        Steps {
            arrived: so_far("arrived"),
            heard: so_far("heard"),
            read: so_far("read"),
            gone: ledger.stepped(&format!("{mailbox} gone")),
            ledger: ledger.clone(),
            mailbox,
            of,
        }
    }

    fn read(&self, bytes: u64) {
        self.ledger.step(&format!("{} read", self.of), self.read + bytes);
    }

    async fn arrived(&self) {
        self.ledger.until(&format!("{} arrived", self.of), self.arrived + 1).await;
    }

    async fn heard(&self, bytes: u64) {
        self.ledger.until(&format!("{} heard", self.of), self.heard + bytes).await;
    }

    async fn gone(&self) {
        self.ledger.until(&format!("{} gone", self.mailbox), self.gone + 1).await;
    }
}

/// The host that a request names where its lines do not.
fn host_line(host: &HostName) -> String {
    format!("Host: {host}")
}
