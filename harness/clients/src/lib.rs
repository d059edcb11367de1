//! Client-shaped traffic: a browser, Outlook's use of Autodiscover, EWS, OAB, MAPI over HTTP and RPC, an ActiveSync device, a
//! mail program over IMAP and POP; and requests that a case dictates to the byte.
//!
//! A client knows the network it is told, and nothing of fakes: what a server answers is read here by parsers of our
//! own, written for hostile input. Every request, redirect and prompt is written into a journal; nothing is judged.

mod autodiscover;
mod bound;
mod browser;
mod clock;
mod cookies;
mod device;
mod ews;
mod heard;
mod html;
mod ldap;
mod legs;
mod mail;
mod mapi;
mod network;
mod ntlm;
mod oab;
mod outlook;
mod pox;
mod raw;
mod rop;
mod rpc;
mod scp;
mod session;
mod tls;
mod wbxml;
mod wire;
mod xml;

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use model::CaseId;
use model::case::{ClientKind, Opens, When};
use model::journal::Journal;
use tokio::sync::Barrier;

pub use cookies::Cookies;
pub use network::{Limits, Network, Person, Ports, ResolveError, Tickets, resolve};
pub use session::percent;

use wire::Wire;

pub use wire::Staying;

/// Plays one client of a case through, and says what it saw. What goes wrong on the way is in the journal, in words.
pub async fn play(network: &Network, case: &CaseId, when: &When, person: &Person) -> Journal {
    let visited = visit(network, case, when, person, None, &Cookies::default()).await;
    visited.open.close().await;
    visited.journal
}

/// What came of one client's part.
pub struct Visited {
    /// What it saw.
    pub journal: Journal,
    /// Its connections, still open.
    pub open: Staying,
    /// What a browser keeps until it comes back.
    pub cookies: Cookies,
}

/// Plays as many such clients at once as the case wants, each with connections of its own, which stay open. Each that is
/// challenged waits with its response until all have been. A browser that comes back has these cookies.
pub async fn play_at_once(
    network: &Network,
    case: &CaseId,
    when: &When,
    person: &Person,
    cookies: &Cookies,
) -> Vec<Visited> {
    let many = usize::from(when.at_once.max(1));
    let meeting = (many > 1).then(|| Arc::new(Barrier::new(many)));
    let visits = (0..many).map(|_| Box::pin(visit(network, case, when, person, meeting.clone(), cookies)));
    let mut open: Vec<_> = visits.collect();
    let mut done: Vec<Option<Visited>> = open.iter().map(|_| None).collect();
    poll_fn(|waker| {
        for (visit, done) in open.iter_mut().zip(&mut done).filter(|(_, done)| done.is_none()) {
            if let Poll::Ready(seen) = visit.as_mut().poll(waker) {
                *done = Some(seen);
            }
        }
        if done.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

async fn visit(
    network: &Network,
    case: &CaseId,
    when: &When,
    person: &Person,
    meeting: Option<Arc<Barrier>>,
    cookies: &Cookies,
) -> Visited {
    let mut wire = Wire::new(network, case, person);
    wire.meeting = meeting;
    let mut cookies = when.comes_back.map(|_| cookies.clone()).unwrap_or_default();
    let legs = match when.client {
        ClientKind::Browser => Box::pin(browser::play(&mut wire, when, person, &mut cookies.0)).await,
        ClientKind::Outlook => Box::pin(outlook::play(&mut wire, when, person)).await,
        ClientKind::Device => Box::pin(device::play(&mut wire, when, person)).await,
        ClientKind::Raw => match &when.opens {
            Opens::Url(url) => Box::pin(raw::play(&mut wire, when, url, person)).await,
            Opens::Outlook(_) | Opens::Device(_) | Opens::Rpc(_) | Opens::Mail(_) => vec![],
        },
        ClientKind::Mail => match &when.opens {
            Opens::Mail(address) => Box::pin(mail::play(&mut wire, when, address, person)).await,
            Opens::Url(_) | Opens::Outlook(_) | Opens::Device(_) | Opens::Rpc(_) => vec![],
        },
    };
    Visited { journal: legs::journal(legs), open: wire.stay(), cookies }
}
