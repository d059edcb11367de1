//! Outlook Anywhere as Outlook speaks it: an OUT and an IN channel, each signed in with requests that have no body, then
//! the virtual connection that both make ([MS-RPCH] 3.2.2; wire facts 4.1, 4.2).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use model::WebUrl;
use model::case::{Scheme, SignsIn, Sni, Told};
use model::journal::Exchange;

use super::Carrier;
use super::http::{Body, Head, Line, Open};
use super::pdu::{self, Pdu, RTS};
use super::rts::{self, Cookie, RECEIVE_WINDOW, Said};
use crate::clock::{filetime, within};
use crate::legs::{Ending, Leg};
use crate::ntlm::{self, Fresh, Login};
use crate::session::{self, basic};
use crate::wire::Wire;

/// How long a client waits for the second of two refusals.
const REFUSAL: Duration = Duration::from_secs(3);
/// What an IN channel declares to send.
const DECLARED: u64 = 1 << 30;
/// What an OUT channel declares, the first of a virtual connection and a successor.
const FIRST_OUT: u64 = 76;
const NEXT_OUT: u64 = 120;

/// What a client signs in with.
pub(super) struct Credentials<'c> {
    pub(super) scheme: Scheme,
    pub(super) account: &'c str,
    pub(super) password: Option<&'c str>,
}

/// Both channels, and what is known of them.
pub(super) struct Channels<'c, 'n> {
    wire: &'c mut Wire<'n>,
    leg: &'c mut Leg,
    url: &'c WebUrl,
    credentials: Credentials<'c>,
    connection: Cookie,
    out: Option<Outward>,
    inward: Option<Inward>,
    /// OUT channels that are succeeded by another or about to be.
    next_out: Option<(Cookie, Open)>,
    next_in: Option<(Cookie, Open)>,
    /// How often an OUT channel was succeeded by another.
    out_renewals: usize,
    /// PDUs of RPC that came and have not been asked for.
    read: BytesMut,
}

struct Outward {
    cookie: Cookie,
    open: Open,
    body: Body,
    /// Bytes of RPC so far, and as many as the proxy was told of.
    received: u32,
    told: u32,
}

struct Inward {
    cookie: Cookie,
    open: Open,
    sent: u32,
    allowed: u32,
}

impl<'c, 'n> Channels<'c, 'n> {
    pub(super) fn new(
        wire: &'c mut Wire<'n>,
        leg: &'c mut Leg,
        url: &'c WebUrl,
        credentials: Credentials<'c>,
    ) -> Channels<'c, 'n> {
        Channels {
            wire,
            leg,
            url,
            credentials,
            connection: fresh(),
            out: None,
            inward: None,
            next_out: None,
            next_in: None,
            out_renewals: 0,
            read: BytesMut::new(),
        }
    }

    /// Opens both, and waits until the proxy has paired them.
    pub(super) async fn open(&mut self) -> Result<(), Ending> {
        let (out, inward) = (fresh(), fresh());
        let first = rts::conn_a1(&self.connection, &out);
        let open = self.request("RPC_OUT_DATA", FIRST_OUT, first).await?;
        let body = Body::of(&Head::none());
        self.out = Some(Outward { cookie: out, open, body, received: 0, told: 0 });
        let first = rts::conn_b1(&self.connection, &inward, &fresh());
        let open = self.request("RPC_IN_DATA", DECLARED, first).await?;
        self.inward = Some(Inward { cookie: inward, open, sent: 0, allowed: 0 });
        self.begin_out().await?;
        loop {
            if let Said::Ready(window) = self.hears().await.map_err(broken)? {
                self.inward().map_err(broken)?.allowed = window;
                return Ok(());
            }
        }
    }

    /// Lets both go, and writes them down: the IN channel last, since what goes up on it is what counts.
    pub(super) fn close(mut self) {
        let unfinished =
            [self.next_out.take().map(|(_, open)| open), self.next_in.take().map(|(_, open)| open)];
        let both = [self.out.take().map(|out| out.open), self.inward.take().map(|inward| inward.open)];
        for open in unfinished.into_iter().chain(both).flatten() {
            self.finished(open);
        }
    }

    fn finished(&mut self, open: Open) {
        let Open { line, mut exchange } = open;
        exchange.heads = self.wire.heads_of(&line.heard);
        exchange.ended = self.wire.network.ledger.mark();
        self.leg.add(exchange);
    }

    /// Signs in, and sends the request with what comes first.
    async fn request(&mut self, verb: &'static str, declared: u64, first: Bytes) -> Result<Open, Ending> {
        let mut line = None;
        let authorization = self.authorize(verb, &mut line).await?;
        let mut exchange = self.wire.entry_of(verb, &self.url.path);
        let mut line = match line {
            Some(line) => line,
            None => self.dial(&mut exchange).await?,
        };
        exchange.dialled = Some(line.to);
        line.heard.begin();
        let head = self.head(verb, declared, authorization.as_deref());
        let said = [head.as_bytes(), &first].concat();
        let outcome = line.say(&said).await;
        let open = Open { line, exchange };
        match outcome {
            Ok(()) => Ok(open),
            Err(why) => {
                self.finished(open);
                Err(broken(why))
            }
        }
    }

    /// The Authorization header for a request of this verb, and the connection on which it holds.
    async fn authorize(
        &mut self,
        verb: &'static str,
        line: &mut Option<Line>,
    ) -> Result<Option<String>, Ending> {
        let Some(password) = self.credentials.password else { return Ok(None) };
        let account = self.credentials.account;
        match self.credentials.scheme {
            Scheme::Basic => {
                let asked = self.probe(verb, None, line).await?;
                let offered = asked.challenges().any(|offer| is_scheme(offer, "Basic"));
                match (asked.status, offered && self.url.tls) {
                    (401, true) => {
                        self.leg.signed_in = SignsIn::Basic;
                        Ok(Some(basic(account, password)))
                    }
                    (401, false) => Err(self.refused("the server does not offer Basic, or not over TLS")),
                    _ => Ok(None),
                }
            }
            Scheme::Ticket => {
                self.leg.signed_in = SignsIn::Negotiate;
                let ticket = (self.wire.network.tickets)(account, password, &self.url.host);
                match ticket {
                    Some(ticket) => Ok(Some(format!("Negotiate {ticket}"))),
                    None => Err(self.refused("the domain gave the client no ticket")),
                }
            }
            scheme => {
                let spelling = session::spelling(scheme);
                self.leg.signed_in = session::way(scheme);
                let says = |token: &[u8]| format!("{spelling} {}", STANDARD.encode(token));
                let asked = self.probe(verb, Some(says(&ntlm::hello())), line).await?;
                let token = asked.challenges().find_map(|offer| {
                    let (word, token) = offer.split_once(' ')?;
                    word.eq_ignore_ascii_case(spelling).then(|| STANDARD.decode(token.trim()).ok())?
                });
                let fresh = Fresh { time: filetime(), nonce: half(fresh()) };
                let proof = token.and_then(|token| ntlm::proof(Login::of(account, password), &token, fresh));
                match (asked.status, proof, line.is_some()) {
                    (401, Some(proof), true) => Ok(Some(says(&proof))),
                    (401, Some(_), false) => {
                        Err(self.refused("the connection was closed between the challenge and its response"))
                    }
                    (401, None, _) => Err(self.refused(&format!("the server does not offer {spelling}"))),
                    (status, ..) => {
                        Err(Ending::useless(status, "the first leg of a sign-in was not challenged"))
                    }
                }
            }
        }
    }

    /// Asks without a body, as a channel is opened while its sign-in is not over. The connection is kept where it stays.
    async fn probe(
        &mut self,
        verb: &'static str,
        authorization: Option<String>,
        line: &mut Option<Line>,
    ) -> Result<Head, Ending> {
        let mut exchange = self.wire.entry_of(verb, &self.url.path);
        let mut dialled = self.dial(&mut exchange).await?;
        let head = self.head(verb, 0, authorization.as_deref());
        let limits = &self.wire.network.limits;
        let asked = async {
            dialled.say(head.as_bytes()).await?;
            let head = dialled.head(limits.head_bytes).await?;
            dialled.skip_body(&head, limits.body_bytes).await?;
            Ok::<Head, String>(head)
        };
        let asked = asked.await;
        exchange.heads = self.wire.heads_of(&dialled.heard);
        exchange.ended = self.wire.network.ledger.mark();
        if let Ok(head) = &asked {
            (exchange.status, exchange.reason) = (head.status, head.reason.clone());
        }
        self.leg.add(exchange);
        let asked = asked.map_err(broken)?;
        *line = Some(dialled).filter(|_| asked.stays());
        Ok(asked)
    }

    async fn dial(&mut self, exchange: &mut Exchange) -> Result<Line, Ending> {
        let (stream, to, heard) = self.wire.connect(self.leg, self.url, Sni::Present, exchange).await?;
        Ok(Line { stream, to, heard, read: BytesMut::new() })
    }

    fn head(&self, verb: &str, length: u64, authorization: Option<&str>) -> String {
        let authorization =
            authorization.map(|value| format!("Authorization: {value}\r\n")).unwrap_or_default();
        format!(
            "{verb} {} HTTP/1.1\r\nCache-Control: no-cache\r\nConnection: Keep-Alive\r\nPragma: No-cache\r\n\
             Accept: application/rpc\r\nUser-Agent: MSRPC\r\nContent-Length: {length}\r\nHost: {}\r\n{authorization}\r\n",
            self.url.path, self.url.host
        )
    }

    /// Whoever has nothing that is taken asks the person.
    fn refused(&mut self, why: &str) -> Ending {
        self.leg.asks_for_credentials();
        Ending::because(Told::Refused(401), why)
    }

    /// Reads the head of the OUT channel's answer; an answer to the IN channel, which comes only where it failed, ends it.
    async fn begin_out(&mut self) -> Result<(), Ending> {
        let most = self.wire.network.limits.head_bytes;
        let (Some(out), Some(inward)) = (&mut self.out, &mut self.inward) else { return Err(gone()) };
        let (answered, other, head) = tokio::select! {
            head = out.open.line.head(most) => (&mut out.open, &mut inward.open, head),
            head = inward.open.line.head(most) => (&mut inward.open, &mut out.open, head),
        };
        let head = head.map_err(broken)?;
        (answered.exchange.status, answered.exchange.reason) = (head.status, head.reason.clone());
        if head.status == 200 && answered.exchange.verb == "RPC_OUT_DATA" {
            out.body = Body::of(&head);
            return Ok(());
        }
        // What refuses one channel refuses the other: who leaves at once would not see it.
        if let Some(Ok(head)) = within(REFUSAL, other.line.head(most)).await {
            (other.exchange.status, other.exchange.reason) = (head.status, head.reason);
        }
        match head.status {
            401 => Err(self.refused("the channel was refused")),
            status => Err(Ending::because(Told::Failed(status), head.reason)),
        }
    }

    /// The next that the proxy says; PDUs of RPC are kept.
    async fn hears(&mut self) -> Result<Said, String> {
        loop {
            if let Some(Pdu { kind: RTS, rest, .. }) = self.take()? {
                return self.does(rts::said(&rest)?).await;
            }
            self.reads().await?;
        }
    }

    /// A PDU off the front of what came, of either kind.
    fn take(&mut self) -> Result<Option<Pdu>, String> {
        let pdu = pdu::take(&mut self.read)?;
        if let (Some(pdu), Some(out)) = (&pdu, &mut self.out)
            && pdu.kind != RTS
        {
            out.received += u32::try_from(pdu.length).unwrap_or(u32::MAX);
        }
        Ok(pdu)
    }

    /// Reads some more of the OUT channel.
    async fn reads(&mut self) -> Result<(), String> {
        let most = self.wire.network.limits.head_bytes;
        let (Some(out), Some(inward)) = (&mut self.out, &mut self.inward) else {
            return Err(GONE.to_owned());
        };
        if out.body.decode(&mut out.open.line.read, &mut self.read)? {
            return Err("the OUT channel has ended".to_owned());
        }
        if !self.read.is_empty() && pdu::is_whole(&self.read) {
            return Ok(());
        }
        tokio::select! {
            more = out.open.line.more() => match more? {
                true => {
                    out.body.decode(&mut out.open.line.read, &mut self.read)?;
                    Ok(())
                }
                false => Err("the OUT channel has ended".to_owned()),
            },
            head = inward.open.line.head(most) => {
                let head = head.map_err(|_| "the IN channel has ended".to_owned())?;
                (inward.open.exchange.status, inward.open.exchange.reason) = (head.status, head.reason.clone());
                Err(format!("the IN channel was answered {} {}", head.status, head.reason))
            }
        }
    }

    /// Does what the proxy wants.
    async fn does(&mut self, said: Said) -> Result<Said, String> {
        match said {
            Said::Acknowledged { received, window } => {
                self.inward()?.allowed = received.wrapping_add(window);
            }
            Said::WantsOut => {
                let (before, after) = (self.out.as_ref().ok_or(GONE)?.cookie, fresh());
                let first = rts::out_a3(&self.connection, &before, &after);
                // What goes wrong is told when the old one ends.
                let open = Box::pin(self.request("RPC_OUT_DATA", NEXT_OUT, first)).await;
                let open = open.map_err(|ending| ending.note.unwrap_or_default())?;
                self.next_out = Some((after, open));
            }
            Said::TakesOut => {
                let (after, open) = self.next_out.as_mut().ok_or("an OUT channel that nobody opened")?;
                let after = *after;
                open.line.say(&rts::out_c1()).await?;
                self.inward()?.open.line.say(&rts::out_a7(&after)).await?;
            }
            Said::Last => {
                let (cookie, mut open) = self.next_out.take().ok_or("an OUT channel that nobody opened")?;
                let head = open.line.head(self.wire.network.limits.head_bytes).await?;
                (open.exchange.status, open.exchange.reason) = (head.status, head.reason.clone());
                let body = Body::of(&head);
                let next = Outward { cookie, open, body, received: 0, told: 0 };
                self.out_renewals += 1;
                if let Some(before) = self.out.replace(next) {
                    self.finished(before.open);
                }
            }
            Said::TakesIn => {
                let (cookie, open) = self.next_in.take().ok_or("an IN channel that nobody opened")?;
                self.inward()?.open.line.say(&rts::in_a5(&cookie)).await?;
                let next = Inward { cookie, open, sent: 0, allowed: RECEIVE_WINDOW };
                if let Some(before) = self.inward.replace(next) {
                    self.finished(before.open);
                }
            }
            Said::Open | Said::Ready(_) | Said::Nothing => {}
        }
        Ok(said)
    }

    /// Opens another IN channel, and waits until it has taken over.
    pub(super) async fn renew_in(&mut self) -> Result<(), Ending> {
        let (before, after) = (self.inward().map_err(broken)?.cookie, fresh());
        let first = rts::in_a1(&self.connection, &before, &after);
        let open = self.request("RPC_IN_DATA", DECLARED, first).await?;
        self.next_in = Some((after, open));
        while self.next_in.is_some() {
            self.hears().await.map_err(broken)?;
        }
        Ok(())
    }

    /// Whether the proxy wanted another OUT channel, and has gone over to it.
    pub(super) fn has_renewed_out(&self) -> bool {
        self.out_renewals > 0
    }

    fn inward(&mut self) -> Result<&mut Inward, String> {
        self.inward.as_mut().ok_or_else(|| GONE.to_owned())
    }
}

impl Carrier for Channels<'_, '_> {
    async fn send(&mut self, pdu: Bytes) -> Result<(), String> {
        let length = u32::try_from(pdu.len()).unwrap_or(u32::MAX);
        while self.inward()?.sent.wrapping_add(length) > self.inward()?.allowed {
            self.hears().await?;
        }
        let inward = self.inward()?;
        inward.sent = inward.sent.wrapping_add(length);
        inward.open.line.say(&pdu).await
    }

    async fn next(&mut self) -> Result<Pdu, String> {
        loop {
            match self.take()? {
                Some(Pdu { kind: RTS, rest, .. }) => {
                    self.does(rts::said(&rest)?).await?;
                }
                Some(pdu) => {
                    let (Some(out), Some(inward)) = (&mut self.out, &mut self.inward) else {
                        return Err(GONE.to_owned());
                    };
                    if out.received - out.told > RECEIVE_WINDOW / 2 {
                        out.told = out.received;
                        inward.open.line.say(&rts::acknowledge(out.received, &out.cookie)).await?;
                    }
                    return Ok(pdu);
                }
                None => self.reads().await?,
            }
        }
    }
}

const GONE: &str = "a channel is gone";

fn gone() -> Ending {
    broken(GONE.to_owned())
}

fn broken(why: String) -> Ending {
    Ending::because(Told::Failed(0), why)
}

fn is_scheme(offer: &str, scheme: &str) -> bool {
    offer
        .split(',')
        .any(|offer| offer.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case(scheme)))
}

/// A cookie that is nobody else's.
fn fresh() -> Cookie {
    let mut cookie = [0; 16];
    // A generator that fails leaves a cookie that is not fresh, and the proxy says that it is taken.
    let _ = rustls::crypto::ring::default_provider().secure_random.fill(&mut cookie);
    cookie
}

fn half(cookie: Cookie) -> [u8; 8] {
    let mut half = [0; 8];
    half.copy_from_slice(&cookie[..8]);
    half
}
