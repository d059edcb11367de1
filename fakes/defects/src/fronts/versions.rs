//! A wrong password that is answered differently for 2007: whoever guesses learns where a mailbox lives.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{Response, StatusCode, request};
use model::{Protocol, Version};
use reference::order::{MailQuestion, Onward};
use reference::ports::{Asked, Client, Discover, Flow, Front, Ports, Sought, Waiting};
use rustls::ServerConfig;

use crate::Fired;

pub(super) const ID: &str = "tells-versions-apart";

/// Looks the claimed user up although the password is wrong, and says 403 for 2007.
pub(super) struct TellsApart {
    truth: Arc<dyn Front>,
    discover: Arc<dyn Discover>,
    fired: Fired,
    /// Who is claimed on each connection, until the answer.
    claimed: Mutex<HashMap<u64, String>>,
}

impl TellsApart {
    pub(super) fn new(ports: &Ports, fired: &Fired) -> TellsApart {
        let (truth, discover) = (ports.front.clone(), ports.discover.clone());
        TellsApart { truth, discover, fired: fired.clone(), claimed: Mutex::default() }
    }
}

impl Front for TellsApart {
    fn greet(&self, client: Client, sni: Option<&str>, own: &Arc<ServerConfig>) -> Option<Arc<ServerConfig>> {
        self.truth.greet(client, sni, own)
    }

    fn request(&self, client: Client, tls: bool, head: &mut request::Parts) -> Asked {
        let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        claimed.remove(&client.connection);
        if let Some(user) = head.headers.get(AUTHORIZATION).and_then(|value| user(value.to_str().ok()?)) {
            claimed.insert(client.connection, user);
        }
        drop(claimed);
        self.truth.request(client, tls, head)
    }

    fn answer<'a>(&'a self, asked: &'a Asked, answer: Response<Flow>) -> Waiting<'a, Response<Flow>> {
        Box::pin(async move {
            let mut answer = self.truth.answer(asked, answer).await;
            let claimed =
                self.claimed.lock().unwrap_or_else(PoisonError::into_inner).remove(&asked.client.connection);
            let Some(user) = claimed.filter(|_| answer.status() == StatusCode::UNAUTHORIZED) else {
                return answer;
            };
            let protocol = asked.protocol.unwrap_or(Protocol::Owa);
            let sought = Sought { client: asked.client, user, protocol, query: String::new() };
            let found = self.discover.find(&sought).await;
            let version = found.ok().and_then(|facts| facts.account).map(|account| account.version);
            if version == Some(Version::Exchange2007) {
                self.fired.lied(ID, asked.client.socket);
                *answer.status_mut() = StatusCode::FORBIDDEN;
            }
            answer
        })
    }

    fn session_life(&self, client: Client, told: Duration) -> Duration {
        self.truth.session_life(client, told)
    }

    fn onward(&self, question: &MailQuestion, onward: Onward) -> Onward {
        self.truth.onward(question, onward)
    }
}

/// The user of `Basic`.
fn user(authorization: &str) -> Option<String> {
    let (scheme, word) = authorization.split_once(' ')?;
    let plain = STANDARD.decode(word.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    Some(std::str::from_utf8(&plain).ok()?.split_once(':')?.0.to_owned())
}
