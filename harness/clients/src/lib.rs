//! Client-shaped traffic: a browser, Outlook's use of Autodiscover, EWS and OAB, an ActiveSync device.
//!
//! A client knows the network it is told, and nothing of fakes: what a server answers is read here by parsers of our
//! own, written for hostile input. Every request, redirect and prompt is written into a journal; nothing is judged.

mod autodiscover;
mod browser;
mod clock;
mod cookies;
mod device;
mod ews;
mod heard;
mod html;
mod ldap;
mod legs;
mod network;
mod oab;
mod outlook;
mod pox;
mod scp;
mod session;
mod tls;
mod wbxml;
mod wire;
mod xml;

use model::CaseId;
use model::case::{ClientKind, When};
use model::journal::Journal;

pub use network::{Limits, Network, Person, Ports, ResolveError, resolve};

use wire::Wire;

/// Plays one client of a case through, and says what it saw. What goes wrong on the way is in the journal, in words.
pub async fn play(network: &Network, case: &CaseId, when: &When, person: &Person) -> Journal {
    let mut wire = Wire::new(network, case, person);
    let legs = match when.client {
        ClientKind::Browser => browser::play(&mut wire, when, person).await,
        ClientKind::Outlook => outlook::play(&mut wire, when, person).await,
        ClientKind::Device => device::play(&mut wire, when, person).await,
    };
    wire.close().await;
    legs::journal(legs)
}
