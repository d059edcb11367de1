//! Outlook's mail connection: MS-RPC, over TCP where the profile names a server that can be dialled, or within Outlook
//! Anywhere's channels. It binds, connects as the user, and reads whose mailbox it is.
//!
//! ```text
//! over TCP     client -> endpoint mapper (135): where?     client -> that port: bind, connect, read
//! over HTTP    client -> RPC_OUT_DATA, RPC_IN_DATA: a virtual connection; within it bind, connect, read
//! ```

mod calls;
mod channels;
mod http;
mod octets;
mod pdu;
mod rts;
mod tcp;
#[cfg(test)]
mod tests;

use bytes::{Bytes, BytesMut};
use model::case::{Action, Reached, Scheme, Told, When};
use model::journal::ClientLeg;
use model::{HostName, WebUrl};

use crate::clock::within;
use crate::legs::{Ending, Leg, mailbox_read};
use crate::network::Person;
use crate::pox::{Http, Settings};
use crate::wire::Wire;
use channels::{Channels, Credentials};
use pdu::{EMSMDB, Interface, Pdu};
use tcp::Tcp;

/// The longest answer to a call, all fragments together.
const LONGEST_ANSWER: usize = 64 * 1024;
/// How often a client reads until it is asked for another OUT channel: more than one that carries little lasts for.
const MOST_READS: usize = 64;

/// What carries PDUs of DCE/RPC both ways.
trait Carrier {
    async fn send(&mut self, pdu: Bytes) -> Result<(), String>;
    async fn next(&mut self) -> Result<Pdu, String>;
}

/// Where a profile leads, best first.
pub(crate) enum Way {
    /// RPC over TCP to this server.
    Tcp(HostName),
    /// Outlook Anywhere at this address, signed in by this scheme where the profile decides.
    Http(WebUrl, Option<Scheme>),
}

/// The ways of an Autodiscover answer. ExHTTP comes instead of the rest, in its order (CX-EXHTTP-1); an Outlook below the
/// patch level for it reads over it (CX-EXHTTP-5).
pub(crate) fn ways(settings: &Settings, knows_exhttp: bool) -> Vec<Way> {
    let server = settings.rpc_server.as_deref().unwrap_or_default();
    let at = |http: &Http| {
        let path = format!("/rpc/rpcproxy.dll?{server}:6001");
        Way::Http(WebUrl { tls: http.ssl, host: http.host.clone(), path }, http.scheme)
    };
    if knows_exhttp && !settings.exhttp.is_empty() {
        return settings.exhttp.iter().map(at).collect();
    }
    let tcp = HostName::folded(server).ok().map(Way::Tcp);
    tcp.into_iter().chain(settings.expr.iter().map(at)).collect()
}

/// Tries each way until one leads to a server; what it comes to there stands.
pub(crate) async fn connect(
    wire: &mut Wire<'_>,
    when: &When,
    person: &Person,
    ways: Vec<Way>,
    reached: Reached,
) -> Vec<ClientLeg> {
    let mut legs: Vec<ClientLeg> = vec![];
    for way in ways {
        let host = match &way {
            Way::Tcp(host) => host,
            Way::Http(url, _) => &url.host,
        };
        let mut leg = Leg::new(host, reached);
        let limit = wire.network.limits.exchange;
        let ending = match &way {
            Way::Tcp(host) => over_tcp(wire, &mut leg, host, person).await,
            Way::Http(url, scheme) => over_http(wire, &mut leg, url, *scheme, when, person).await,
        };
        let ending = ending.unwrap_or_else(|| Ending::useless(0, format!("no end within {limit:?}")));
        let dialled = leg.has_dialled();
        legs.push(leg.ends(ending));
        // A name that leads nowhere, and a server that takes no connection: the next way is tried.
        if dialled {
            break;
        }
    }
    legs
}

async fn over_tcp(wire: &mut Wire<'_>, leg: &mut Leg, host: &HostName, person: &Person) -> Option<Ending> {
    let limit = wire.network.limits.exchange;
    let mut tcp = Tcp::new(wire, leg, host);
    let conversing = async {
        tcp.find().await?;
        converse(&mut tcp, person).await
    };
    let ending = within(limit, conversing).await;
    tcp.close();
    ending.map(|ending| ending.unwrap_or_else(|why| why))
}

async fn over_http(
    wire: &mut Wire<'_>,
    leg: &mut Leg,
    url: &WebUrl,
    scheme: Option<Scheme>,
    when: &When,
    person: &Person,
) -> Option<Ending> {
    let limit = wire.network.limits.exchange;
    let password = crate::session::password(when, person);
    let scheme = match when.sign_in {
        Scheme::Profile => scheme.unwrap_or(Scheme::Ntlm),
        chosen => chosen,
    };
    let credentials = Credentials { scheme, account: &person.account, password: password.as_deref() };
    let mut channels = Channels::new(wire, leg, url, credentials);
    let conversing = async {
        channels.open().await?;
        if when.does == Action::RenewOutChannel {
            return converse_on(&mut channels, person).await;
        }
        let first = converse(&mut channels, person).await?;
        if when.does == Action::RenewChannel && matches!(first.told, Told::Mailbox(_)) {
            channels.renew_in().await?;
            return converse(&mut channels, person).await;
        }
        Ok(first)
    };
    let ending = within(limit, conversing).await;
    channels.close();
    ending.map(|ending| ending.unwrap_or_else(|why| why))
}

/// Binds, connects as the user, reads whose mailbox it is, and leaves it.
async fn converse(carrier: &mut impl Carrier, person: &Person) -> Result<Ending, Ending> {
    let session = enter(carrier, person).await?;
    let owner = owner(carrier, &session, person).await?;
    leave(carrier, &session).await?;
    Ok(mailbox_read(&owner, person))
}

/// The same, and reads again and again until the proxy has gone over to another OUT channel, and then once more.
async fn converse_on(channels: &mut Channels<'_, '_>, person: &Person) -> Result<Ending, Ending> {
    let session = enter(channels, person).await?;
    for _ in 0..MOST_READS {
        let on_the_next = channels.has_renewed_out();
        let owner = owner(channels, &session, person).await?;
        if on_the_next {
            leave(channels, &session).await?;
            return Ok(mailbox_read(&owner, person));
        }
    }
    Err(Ending::useless(0, "the proxy never went over to another OUT channel"))
}

async fn enter(carrier: &mut impl Carrier, person: &Person) -> Result<calls::Session, Ending> {
    bind(carrier, &EMSMDB).await.map_err(useless)?;
    let session = call(carrier, calls::CONNECT, calls::connect(&person.legacy_dn)).await;
    session.and_then(|stub| calls::connected(&stub)).map_err(useless)
}

async fn owner(
    carrier: &mut impl Carrier,
    session: &calls::Session,
    person: &Person,
) -> Result<String, Ending> {
    let owner = call(carrier, calls::EXECUTE, calls::ask_owner(session, &person.legacy_dn)).await;
    owner.and_then(|stub| calls::owner(&stub)).map_err(useless)
}

async fn leave(carrier: &mut impl Carrier, session: &calls::Session) -> Result<(), Ending> {
    call(carrier, calls::DISCONNECT, calls::disconnect(session)).await.map(drop).map_err(useless)
}

fn useless(why: String) -> Ending {
    Ending::useless(0, why)
}

async fn bind(carrier: &mut impl Carrier, interface: &Interface) -> Result<(), String> {
    carrier.send(pdu::bind(1, interface)).await?;
    pdu::bound(&carrier.next().await?)
}

/// One call, and the stub of its answer.
async fn call(carrier: &mut impl Carrier, opnum: u16, stub: Bytes) -> Result<Bytes, String> {
    let number = u32::from(opnum) + 2;
    carrier.send(pdu::request(number, opnum, &stub)).await?;
    let mut answer = BytesMut::new();
    loop {
        let fragment = carrier.next().await?;
        if fragment.call != number {
            return Err("an answer to another call came".to_owned());
        }
        answer.extend_from_slice(&pdu::answered(&fragment)?);
        if answer.len() > LONGEST_ANSWER {
            return Err(format!("the answer to a call has more than {LONGEST_ANSWER} bytes"));
        }
        if fragment.last {
            return Ok(answer.freeze());
        }
    }
}
