//! A mail program: IMAP or POP, over TLS from the start, by STARTTLS or STLS, or in clear. It has its password stored, and
//! asks nobody.

mod idle;
mod imap;
mod line;
mod pop;

use std::time::Duration;

use model::Protocol;
use model::case::{Action, Over, Reached, SignsIn, Sni, Told, When};
use model::journal::{ClientLeg, Exchange};
use model::mail::MailAddress;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::clock::within;
use crate::legs::{Ending, Leg, mailbox_read};
use crate::network::Person;
use crate::session;
use crate::wire::{Broken, Stream, Wire};
use line::{Line, Wrong};

/// How long an answer may take; the whole session has as long as an exchange, since nothing in it waits for anything else.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads mail, as often as the case says.
pub(crate) async fn play(
    wire: &mut Wire<'_>,
    when: &When,
    address: &MailAddress,
    person: &Person,
) -> Vec<ClientLeg> {
    let mut leg = Leg::new(&address.host, Reached::Typed);
    leg.signed_in = SignsIn::Basic;
    let mut ending = Ending::useless(0, "nothing was done");
    for _ in 0..when.times.max(1) {
        ending = visit(wire, &mut leg, when, address, person).await;
        if !matches!(ending.told, Told::Mailbox(_)) {
            break;
        }
    }
    vec![leg.ends(ending)]
}

/// One session, from the dial to its end.
async fn visit(
    wire: &mut Wire<'_>,
    leg: &mut Leg,
    when: &When,
    address: &MailAddress,
    person: &Person,
) -> Ending {
    let limit = wire.network.limits.exchange;
    let mut exchange = wire.entry_of(&address.protocol.as_str().to_ascii_uppercase(), "INBOX");
    let session = Session { when, address, person };
    let done = within(limit, session.play(wire, leg, &mut exchange)).await;
    let done = done.unwrap_or_else(|| Err(Broken::Silent(address.host.clone(), limit).into()));
    let ending = match done {
        Ok(owner) => {
            exchange.status = 200;
            mailbox_read(&owner, person)
        }
        Err(Wrong::Refused(says)) => {
            // Neither protocol has statuses; any that is no success will do.
            exchange.status = 400;
            exchange.reason.clone_from(&says);
            Ending::because(Told::Refused(0), says)
        }
        Err(Wrong::Useless(says)) => {
            exchange.status = 200;
            Ending::useless(200, says)
        }
        Err(Wrong::Broken(broken)) => broken.into(),
        Err(Wrong::Gone(says)) => Ending::because(Told::Failed(0), says),
    };
    exchange.ended = wire.network.ledger.mark();
    leg.add(exchange);
    ending
}

/// What a session is to do.
#[derive(Clone, Copy)]
struct Session<'a> {
    when: &'a When,
    address: &'a MailAddress,
    person: &'a Person,
}

impl Session<'_> {
    /// Comes to the address of whose mailbox was read.
    async fn play(
        self,
        wire: &mut Wire<'_>,
        leg: &mut Leg,
        exchange: &mut Exchange,
    ) -> Result<String, Wrong> {
        let (mut line, upgraded) = self.opens(wire, leg, exchange).await?;
        let read = match self.address.protocol {
            _ if self.when.does == Action::Idle => idle::waits(&mut line, self, upgraded, wire, leg).await,
            Protocol::Imap => imap::reads(&mut line, self, upgraded).await,
            _ => pop::reads(&mut line, self, upgraded).await,
        };
        keeps(exchange, &mut line);
        read
    }

    /// A connection on which nobody has signed in, and whether it was upgraded: then it has been greeted already.
    async fn opens(
        self,
        wire: &mut Wire<'_>,
        leg: &mut Leg,
        exchange: &mut Exchange,
    ) -> Result<(Line<Stream>, bool), Wrong> {
        let host = &self.address.host;
        let stream = wire.dial_at(host, self.address.port(), exchange).await?;
        let stream: Stream = match self.address.over {
            Over::Plain => Box::new(stream),
            Over::Tls => Box::new(wire.within_tls(leg, stream, host, Sni::Present).await?),
            Over::Starttls => {
                let mut line = Line::new(stream, host);
                let asked = self.asks_for_tls(&mut line).await;
                keeps(exchange, &mut line);
                asked?;
                let stream: TcpStream = line.into_inner();
                Box::new(wire.within_tls(leg, stream, host, Sni::Present).await?)
            }
        };
        Ok((Line::new(stream, host), self.address.over == Over::Starttls))
    }

    async fn asks_for_tls(self, line: &mut Line<TcpStream>) -> Result<(), Wrong> {
        let pipelines = self.when.does == Action::PipelineStarttls;
        match self.address.protocol {
            Protocol::Imap => imap::asks_for_tls(line, pipelines).await,
            _ => pop::asks_for_tls(line, pipelines).await,
        }
    }

    /// Name and password.
    fn credentials(self) -> (&'static str, String, String) {
        let password = session::password(self.when, self.person).unwrap_or_default();
        let by = if self.when.sign_in == model::case::Scheme::Plain { "PLAIN" } else { "LOGIN" };
        (by, self.person.account.clone(), password)
    }
}

/// Writes down what was said on a connection.
fn keeps<IO: AsyncRead + AsyncWrite + Unpin>(exchange: &mut Exchange, line: &mut Line<IO>) {
    let heads = line.heads();
    exchange.heads.sent.push_str(&heads.sent);
    exchange.heads.received.push_str(&heads.received);
}

/// Whose mailbox a message was read from: the address in its To line.
fn owner_of(message: &str) -> Option<String> {
    let head = message.split("\r\n\r\n").next().unwrap_or_default();
    let to = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("to").then(|| value.trim().to_owned())
    });
    to.filter(|to| !to.is_empty())
}
