//! The edge: a reverse proxy before the front end. It routes by the host that the client names, and by nothing else.
//!
//! What it carries it carries whole (X-WIRE-1 to 14), by the ports of a front end: a client's connection has connections
//! behind that nobody else ever uses (X-SEC-4) and that end when it does (X-WIRE-11), all of them to one server of a name.
//! Nothing is retried (X-WIRE-7), no redirect is followed, nothing is kept between two connections.
//!
//! Absent: HTTP/2 at the front, IMAP and POP, TLS passed on unopened, health checks.

mod published;

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use model::{Protocol, Role};

use crate::answers;
use crate::back::{self, Behind, Dial};
use crate::choose::ByConnection;
use crate::decide::{Rules, Target};
use crate::front::{Doorway, Serves};
use crate::lab::Lab;
use crate::lane::{Kept, OwnLanes};
use crate::order::ByPreference;
use crate::ports::{
    Asked, Client, DirectoryDown, Discover, Facts, Flow, Passage, Ports, Sought, Untouched, Waiting,
};
use crate::pulse::AsLogged;
use crate::request::to_tls;
use crate::request_log::RequestLog;
use published::Published;

/// An edge in its seat: nothing in it is one client's that another could find.
struct Edge {
    ports: Ports,
    published: Published,
    kept: Arc<Kept>,
}

/// Takes the seat, and serves until told to stop.
///
/// # Errors
/// A `lab.json` that names nothing to publish, a certificate that cannot be read, a listener that is taken.
pub(crate) async fn run(
    lab: &Lab,
    spoil: Option<crate::Spoil>,
    stop: Waiting<'static, ()>,
) -> anyhow::Result<()> {
    let https = crate::bind(lab.seat.listen.https)?;
    let http = crate::bind(lab.seat.listen.http)?;
    let tls = Arc::new(crate::server_config(lab)?);
    let published = Published::of(lab)?;
    let kept = Arc::new(Kept::default());
    let log = Arc::new(RequestLog::of(lab)?);
    let dial = Arc::new(Dial { source: lab.source, log });
    let way = crate::way(lab, kept.clone(), dial)?;
    let ports = Ports {
        discover: Arc::new(NobodysMailbox),
        decide: Arc::new(Rules),
        choose: Arc::new(ByConnection),
        order: Arc::new(ByPreference),
        lane: Arc::new(OwnLanes),
        front: Arc::new(Doorway { role: Role::Edge, own: lab.seat.fqdn.clone() }),
        back: Arc::new(Behind { speaker: None, way: way.clone() }),
        pulse: Arc::new(AsLogged),
        bytes: Arc::new(Untouched),
    };
    let ports = crate::exchanged(ports, spoil, &way);
    crate::serve(Arc::new(Edge { ports, published, kept }), https, tls, http, stop).await;
    Ok(())
}

/// Two questions that an edge never asks: it does not know whose request it carries, so nothing follows from that.
struct NobodysMailbox;

impl Discover for NobodysMailbox {
    fn find<'a>(&'a self, _: &'a Sought) -> Waiting<'a, Result<Facts, DirectoryDown>> {
        let (door, why) = ("none".to_owned(), "an edge has no directory".to_owned());
        Box::pin(std::future::ready(Err(DirectoryDown { door, question: "whose mailbox it is", why })))
    }
}

impl Serves for Edge {
    fn ports(&self) -> &Ports {
        &self.ports
    }

    async fn handle(&self, client: Client, tls: bool, request: Request<Flow>) -> Response<Flow> {
        let (mut head, body) = request.into_parts();
        let asked = self.ports.front.request(client, tls, &mut head);
        let behind = asked.host.as_ref().and_then(|host| self.published.behind(host));
        let answer = match behind {
            None => own(StatusCode::MISDIRECTED_REQUEST),
            // Plain HTTP leads to TLS and carries nothing (X-SEC-5).
            Some(_) if !tls => answers::own(to_tls(&asked)),
            Some(behind) => self.pass_on(&asked, behind, Request::from_parts(head, body)).await,
        };
        self.ports.front.answer(&asked, answer).await
    }

    fn gone(&self, client: Client) {
        self.kept.forget(client.connection);
    }
}

impl Edge {
    async fn pass_on(&self, asked: &Asked, behind: &[Target], request: Request<Flow>) -> Response<Flow> {
        let chosen = self.ports.choose.choose(asked, None, behind);
        let Some(Target { host, port }) = chosen else { return own(StatusCode::BAD_GATEWAY) };
        let passage = Passage { asked: asked.clone(), account: None, bound: None, host, port };
        back::carry(&self.ports, &passage, request).await.unwrap_or_else(|error| {
            let protocol = asked.protocol.map_or("", Protocol::as_str);
            eprintln!("{} {protocol}: {error}", asked.verb);
            own(StatusCode::BAD_GATEWAY)
        })
    }
}

/// An answer of the edge's own: no page, since nobody is to take it for one of the front end's.
fn own(status: StatusCode) -> Response<Flow> {
    let mut answer = Response::new(answers::flow(Full::new(Bytes::new())));
    *answer.status_mut() = status;
    answer
}
