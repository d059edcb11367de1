//! Lies of `front`: a request's head misread as it comes, an answer's head or body spoiled as it goes.

mod certificates;
mod heads;
mod pages;
mod referral;
mod requests;
mod sessions;
mod versions;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, header, request, response};
use http_body_util::{BodyExt, Full, Limited};
use reference::order::{MailQuestion, Onward};
use reference::ports::{Asked, BodyError, Client, Flow, Front, Ports, Waiting};
use rustls::ServerConfig;

use crate::Fired;

/// The largest body that is spoiled; a larger one goes on as it is.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// How a client's side is bent: each part says whether it lied.
#[derive(Clone, Copy)]
pub(crate) enum Lie {
    /// The greeting is answered otherwise.
    Greeting(fn(Option<&str>, &Arc<ServerConfig>) -> Option<Greeting>),
    /// A request's head is misread.
    Request(fn(&mut Asked, &mut request::Parts) -> bool),
    /// A request's head is misread, and its answer replaced.
    Instead(fn(&mut Asked, &mut request::Parts) -> bool, fn() -> Response<Flow>),
    /// An answer's head is changed.
    Head(fn(&Asked, &mut response::Parts) -> bool),
    /// A session lives another time than the front end was told.
    Session(fn(Duration) -> Duration),
    /// No answer, where this says that it is one for it.
    Hangs(fn(&Asked, &response::Parts) -> bool),
    /// An answer is rewritten, where the first says that it is one for it.
    Page(fn(&Asked, &response::Parts) -> bool, fn(&Asked, &mut response::Parts, &[u8]) -> Option<Vec<u8>>),
}

/// How a greeting is answered by a lie.
pub(crate) enum Greeting {
    /// Not at all.
    Reset,
    /// With this certificate.
    With(Arc<ServerConfig>),
}

/// The lie of this id.
pub(crate) fn lie(id: &str) -> Option<(&'static str, Lie)> {
    all().find(|(known, _)| *known == id)
}

fn all() -> impl Iterator<Item = (&'static str, Lie)> {
    [certificates::LIES, heads::LIES, pages::LIES, requests::LIES, sessions::LIES]
        .into_iter()
        .flatten()
        .copied()
}

/// Every id.
pub(crate) fn ids() -> impl Iterator<Item = &'static str> {
    all().map(|(id, _)| id).chain([versions::ID, referral::ID])
}

/// Wraps the port for the lie of this id, where there is one.
pub(crate) fn spoil(id: &str, ports: &Ports, fired: &Fired) -> Option<Arc<dyn Front>> {
    if id == versions::ID {
        return Some(Arc::new(versions::TellsApart::new(ports, fired)));
    }
    if id == referral::ID {
        return Some(Arc::new(referral::Refers { truth: ports.front.clone(), fired: fired.clone() }));
    }
    let (id, lie) = lie(id)?;
    let lied = Mutex::default();
    Some(Arc::new(Spoiled { id, lie, truth: ports.front.clone(), fired: fired.clone(), lied }))
}

struct Spoiled {
    id: &'static str,
    lie: Lie,
    truth: Arc<dyn Front>,
    fired: Fired,
    /// Connections whose request was misread, until it is answered.
    lied: Mutex<HashSet<u64>>,
}

impl Spoiled {
    fn noted(&self, client: Client, lied: bool) {
        if lied {
            self.fired.lied(self.id, client.socket);
            self.lied.lock().unwrap_or_else(PoisonError::into_inner).insert(client.connection);
        }
    }

    /// Whether the request that is answered now was misread.
    fn was_misread(&self, client: Client) -> bool {
        self.lied.lock().unwrap_or_else(PoisonError::into_inner).remove(&client.connection)
    }
}

impl Front for Spoiled {
    fn greet(&self, client: Client, sni: Option<&str>, own: &Arc<ServerConfig>) -> Option<Arc<ServerConfig>> {
        let truth = self.truth.greet(client, sni, own)?;
        let Lie::Greeting(lie) = self.lie else { return Some(truth) };
        match lie(sni, &truth) {
            None => Some(truth),
            Some(greeting) => {
                self.fired.lied(self.id, client.socket);
                match greeting {
                    Greeting::Reset => None,
                    Greeting::With(config) => Some(config),
                }
            }
        }
    }

    fn request(&self, client: Client, tls: bool, head: &mut request::Parts) -> Asked {
        let mut asked = self.truth.request(client, tls, head);
        if let Lie::Request(lie) | Lie::Instead(lie, _) = self.lie {
            let lied = lie(&mut asked, head);
            self.noted(client, lied);
        }
        asked
    }

    fn answer<'a>(&'a self, asked: &'a Asked, answer: Response<Flow>) -> Waiting<'a, Response<Flow>> {
        Box::pin(async move {
            let answer = self.truth.answer(asked, answer).await;
            let misread = self.was_misread(asked.client);
            let (mut head, body) = answer.into_parts();
            match self.lie {
                Lie::Instead(_, instead) if misread => return instead(),
                Lie::Head(lie) if lie(asked, &mut head) => self.fired.lied(self.id, asked.client.socket),
                Lie::Hangs(fits) if fits(asked, &head) => {
                    self.fired.lied(self.id, asked.client.socket);
                    return std::future::pending().await;
                }
                Lie::Page(fits, lie) if fits(asked, &head) => {
                    let body = match Limited::new(body, MOST_BYTES).collect().await {
                        Ok(body) => body.to_bytes(),
                        Err(_) => Bytes::new(),
                    };
                    let Some(spoiled) = lie(asked, &mut head, &body) else {
                        return Response::from_parts(head, whole(body));
                    };
                    self.fired.lied(self.id, asked.client.socket);
                    head.headers.remove(header::CONTENT_LENGTH);
                    return Response::from_parts(head, whole(spoiled.into()));
                }
                _ => {}
            }
            Response::from_parts(head, body)
        })
    }

    fn session_life(&self, client: Client, told: Duration) -> Duration {
        let truth = self.truth.session_life(client, told);
        let Lie::Session(lie) = self.lie else { return truth };
        self.fired.lied(self.id, client.socket);
        lie(truth)
    }

    fn onward(&self, question: &MailQuestion, onward: Onward) -> Onward {
        self.truth.onward(question, onward)
    }
}

/// A body that is there at once.
pub(crate) fn whole(body: Bytes) -> Flow {
    Full::new(body).map_err(|never| BodyError::of(format!("{never}"))).boxed_unsync()
}
