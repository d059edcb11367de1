//! No program that a person uses: it writes a request as a case says, byte for byte, stops in it where the case says, and
//! reads the answer as it comes.

mod answer;
mod written;

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
use crate::network::Person;
use crate::wire::{Stream, Wire};
use answer::{Reader, Seen};

/// How long a client waits for a step of another side before it takes it for missed.
const BARRIER: Duration = Duration::from_secs(3);

/// Sends everything, as often as the case says.
pub(crate) async fn play(wire: &mut Wire<'_>, when: &When, url: &WebUrl, person: &Person) -> Vec<ClientLeg> {
    let mut leg = Leg::new(&url.host, Reached::Typed);
    let mut raw = Raw { wire, url, person, kept: None };
    let mut status = 0;
    for _ in 0..when.times.max(1) {
        for send in &when.sends {
            let exchange = raw.send(&mut leg, send).await;
            status = exchange.status;
            leg.add(exchange);
        }
    }
    vec![leg.ends(Ending::told(Told::Answered(vec![status])))]
}

/// A connection that can be asked on, where it leads, what was heard on it.
type Kept = (Stream, SocketAddr, Heard);

struct Raw<'r, 'n> {
    wire: &'r mut Wire<'n>,
    url: &'r WebUrl,
    person: &'r Person,
    kept: Option<Kept>,
}

impl Raw<'_, '_> {
    async fn send(&mut self, leg: &mut Leg, send: &Send) -> Exchange {
        let target = written::filled(&send.target, self.person, true);
        let mut exchange = self.wire.entry_of(&send.verb, &target);
        let mut seen = RawAnswer::default();
        let limit = self.wire.network.limits.exchange;
        match within(limit, self.converse(leg, send, &target, &mut exchange, &mut seen)).await {
            Some(Ok(())) => {}
            Some(Err(why)) => seen.missed.push(why),
            None => seen.missed.push(format!("no end came within {limit:?}")),
        }
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

    async fn converse(
        &mut self,
        leg: &mut Leg,
        send: &Send,
        target: &str,
        exchange: &mut Exchange,
        seen: &mut RawAnswer,
    ) -> Result<(), String> {
        let kept = self.kept.take().filter(|_| send.connection == Connection::Same);
        let (stream, peer, heard) = match kept {
            Some(kept) => kept,
            None => self.connect(leg, send, exchange).await?,
        };
        exchange.dialled = Some(peer);
        let steps = Steps::of(&self.wire.network.ledger, self.person);
        let (head, body) = written::request(send, target, &self.url.host, self.person);
        let (reading, mut writing) = tokio::io::split(stream);
        let (tell, told) = watch::channel(Seen::Nothing);
        let most = (self.wire.network.limits.head_bytes, self.wire.network.limits.body_bytes);
        let mut reader = Reader::new(reading, most, tell);
        let mut missed = vec![];
        let outcome = {
            let writes = write(&mut writing, &head, &body, &send.waits, &steps, told, &mut missed);
            let reads = reader.read(&send.verb, send.leaves_after, |bytes| steps.read(bytes), seen);
            // Whoever has the whole answer goes on writing: the connection is of use only when the body is gone.
            let both = async {
                let (_, read) = tokio::join!(writes, reads);
                read
            };
            both.await
        };
        seen.missed.extend(missed);
        exchange.heads = self.wire.heads_of(&heard);
        outcome?;
        if send.leaves_after.is_some() {
            drop((reader, writing));
            return match within(BARRIER, steps.gone()).await {
                Some(()) => Ok(()),
                None => Err("the server behind was not told that the client had gone".to_owned()),
            };
        }
        seen.kept = reader.can_go_on(seen).await;
        if seen.kept {
            self.kept = Some((reader.into_inner().unsplit(writing), peer, heard));
        }
        Ok(())
    }

    async fn connect(&mut self, leg: &mut Leg, send: &Send, exchange: &mut Exchange) -> Result<Kept, String> {
        let opened = self.wire.connect(leg, self.url, send.sni, exchange).await;
        opened.map_err(|broken| broken.to_string())
    }
}

/// Writes head and body, and stops where the case says; what never came is noted, and writing goes on.
async fn write(
    to: &mut (impl AsyncWrite + Unpin),
    head: &[u8],
    body: &written::Body,
    waits: &[Wait],
    steps: &Steps,
    mut told: watch::Receiver<Seen>,
    missed: &mut Vec<String>,
) {
    let mut waits: Vec<&Wait> = waits.iter().collect();
    waits.sort_by_key(|wait| wait.after);
    // A far end that has read enough closes: what it answered is read beside.
    if to.write_all(head).await.is_err() || to.flush().await.is_err() {
        return;
    }
    let mut from = 0;
    for wait in waits {
        let part = body.part(from, wait.after);
        from = wait.after;
        if to.write_all(&part).await.is_err() || to.flush().await.is_err() {
            return;
        }
        let come = match wait.until {
            Until::Arrived => within(BARRIER, steps.arrived()).await.is_some(),
            Until::Heard => within(BARRIER, steps.heard(wait.after)).await.is_some(),
            Until::Continue => within(BARRIER, told.wait_for(|seen| *seen >= Seen::Continue)).await.is_some(),
            Until::Answered => within(BARRIER, told.wait_for(|seen| *seen >= Seen::Head)).await.is_some(),
        };
        if !come {
            missed.push(format!(
                "{} had not happened when {} bytes of the body were written",
                wait.until, from
            ));
        }
    }
    let written = to.write_all(&body.rest(from)).await;
    drop((written, to.flush().await));
}

/// Steps of the far end that this client waits for, and its own that others wait for.
struct Steps {
    ledger: Ledger,
    of: String,
    arrived: u64,
    heard: u64,
    read: u64,
    gone: u64,
}

impl Steps {
    fn of(ledger: &Ledger, person: &Person) -> Steps {
        let of = person.address.split('@').next().unwrap_or_default().to_owned();
        let so_far = |what: &str| ledger.stepped(&format!("{of} {what}"));
        Steps {
            arrived: so_far("arrived"),
            heard: so_far("heard"),
            read: so_far("read"),
            gone: so_far("gone"),
            ledger: ledger.clone(),
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
        self.ledger.until(&format!("{} gone", self.of), self.gone + 1).await;
    }
}

/// The host that a request names where its lines do not.
fn host_line(host: &HostName) -> String {
    format!("Host: {host}")
}
