//! Sign-in that is bound to the connection: NTLM's three legs on one connection, or a token with the first request.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use model::case::Told;

use crate::clock::{filetime, within};
use crate::legs::{Ending, Leg};
use crate::ntlm::{self, Fresh, Login};
use crate::wire::{Reply, Request, Wire};

/// First leg and challenge, then the request itself with the response; both on the same connection. The first leg carries
/// no body, as WinHTTP sends it: nothing is uploaded twice.
pub(crate) async fn three_legs(
    wire: &mut Wire<'_>,
    leg: &mut Leg,
    request: &Request,
    scheme: &str,
    login: Login<'_>,
) -> Result<Reply, Ending> {
    let says = |token: &[u8]| format!("{scheme} {}", STANDARD.encode(token));
    let first = request.clone().with(Bytes::new()).header("authorization", &says(&ntlm::hello()));
    let reply = wire.exchange(leg, first).await?;
    let Some(challenge) = reply.token(scheme) else { return Ok(reply) };
    let Some(line) = wire.kept(request) else {
        return Err(broken_off(leg, "the connection was closed between the challenge and its response"));
    };
    if let Some(meeting) = wire.meeting.take() {
        // Whoever does not come is waited for no longer than an exchange may take.
        let _ = within(wire.network.limits.exchange, meeting.wait()).await;
    }
    let fresh = Fresh { time: filetime(), nonce: nonce() };
    let Some(proof) = ntlm::proof(login, &challenge, fresh) else {
        return Err(broken_off(leg, "the challenge is no NTLM message"));
    };
    let last = request.clone().header("authorization", &says(&proof)).on_line(line);
    Ok(wire.exchange(leg, last).await?)
}

/// A token with the first request, for which nobody asked: as a domain's client brings Kerberos.
pub(crate) async fn first_request(
    wire: &mut Wire<'_>,
    leg: &mut Leg,
    request: &Request,
    login: Login<'_>,
) -> Result<Reply, Ending> {
    let account = format!("{}\\{}", login.domain, login.user);
    let ticket = (wire.network.tickets)(&account, login.password, &request.url.host);
    let Some(ticket) = ticket else {
        return Err(broken_off(leg, "the domain gave the client no ticket"));
    };
    Ok(wire.exchange(leg, request.clone().header("authorization", &format!("Negotiate {ticket}"))).await?)
}

/// A sign-in that cannot go on asks the person again.
fn broken_off(leg: &mut Leg, why: &str) -> Ending {
    leg.asks_for_credentials();
    Ending::because(Told::Refused(401), why)
}

fn nonce() -> [u8; 8] {
    let mut nonce = [0; 8];
    // A generator that fails leaves a nonce that is not fresh; no sign-in of a lab is a secret.
    let _ = rustls::crypto::ring::default_provider().secure_random.fill(&mut nonce);
    nonce
}
