//! The questions that the reference asks the world. Each is one trait with one production implementation, passed as
//! `Arc<dyn …>`, so that whatever stands behind a question can be exchanged without the reference knowing.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use model::{HostName, Protocol, ServerName, Topology};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::decide::{Account, Decision, Question, Target};
use crate::lane::LaneId;
use crate::order::{MailQuestion, MailTarget, Onward};
use crate::pulse::{Again, Down, Health, Heard, Ping, SoFar, Standing};

/// All ports of one process.
#[derive(Clone)]
pub struct Ports {
    /// Whose mailbox, where, with which settings.
    pub discover: Arc<dyn Discover>,
    /// What happens then.
    pub decide: Arc<dyn Decide>,
    /// Which of several servers behind takes a request.
    pub choose: Arc<dyn Choose>,
    /// Which mail targets, in which order.
    pub order: Arc<dyn Order>,
    /// Which connection behind a request may use, and until when.
    pub lane: Arc<dyn Lane>,
    /// The head of a request as it comes, and the answer as it goes.
    pub front: Arc<dyn Front>,
    /// The request as it goes behind, and the answer as it comes from there.
    pub back: Arc<dyn Back>,
    /// Which servers behind are up.
    pub pulse: Arc<dyn Pulse>,
    /// The octets of a connection, either side.
    pub bytes: Arc<dyn Octets>,
}

/// An answer that is waited for.
pub type Waiting<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct BodyError(Box<dyn std::error::Error + Send + Sync>);

impl BodyError {
    /// Whatever ended it.
    pub fn of(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> BodyError {
        BodyError(why.into())
    }
}

/// A body on its way through, never collected.
pub type Flow = UnsyncBoxBody<Bytes, BodyError>;

/// A client's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Client {
    /// Its number in this process.
    pub connection: u64,
    /// The client's end of it.
    pub socket: SocketAddr,
}

/// What discovery is asked for: always the mailbox of the user who signed in (GEN-1).
#[derive(Debug, Clone)]
pub struct Sought {
    /// Who asks.
    pub client: Client,
    /// Whose mailbox: the signed-in user, by any form of the name.
    pub user: String,
    /// What the client speaks.
    pub protocol: Protocol,
    /// The request's query, without `?`. A client may write there what it likes: the mailbox does not follow from it.
    pub query: String,
}

/// What discovery found.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Servers, sites, virtual directories as they are now.
    pub topology: Arc<Topology>,
    /// The mailbox, if the user has one.
    pub account: Option<Account>,
}

/// Why the directory gave no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the directory at {door} did not answer {question}: {why}")]
pub struct DirectoryDown {
    /// Where it was asked.
    pub door: String,
    /// What it was asked.
    pub question: &'static str,
    /// What happened.
    pub why: String,
}

/// Whose mailbox it is, which version, site, URLs, copies and settings.
pub trait Discover: Send + Sync {
    /// Looks a user up.
    fn find<'a>(&'a self, sought: &'a Sought) -> Waiting<'a, Result<Facts, DirectoryDown>>;
}

/// Given what is known: what happens to the request. Pure.
pub trait Decide: Send + Sync {
    /// Decides.
    fn decide(&self, question: &Question) -> Decision;
}

/// Which of several servers, each of them right, takes a request.
pub trait Choose: Send + Sync {
    /// One of them; `None` where there is none.
    fn choose(&self, asked: &Asked, account: Option<&Account>, of: &[Target]) -> Option<Target>;
}

/// Which mail targets a session may go on at, best first. Pure.
pub trait Order: Send + Sync {
    /// All of them.
    fn order(&self, question: &MailQuestion) -> Vec<MailTarget>;
}

/// Which connection behind a request may use, and until when.
pub trait Lane: Send + Sync {
    /// The lane for a request on its way: of this client, signed in as this user, to this server and port.
    fn lane(&self, passage: &Passage) -> LaneId;
    /// A client has gone in the midst of this request: done when the connection behind is to end too.
    fn ends(&self, passage: &Passage) -> Waiting<'static, ()>;
}

/// A sign-in that belongs to a client's connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The scheme, as the client wrote it.
    pub scheme: String,
    /// Whether it was challenged, or came with the first request.
    pub challenged: bool,
}

/// What a request was, for whoever looks at its answer.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Who asked.
    pub client: Client,
    /// Whether it came by TLS.
    pub tls: bool,
    /// The host that it named, without a port.
    pub host: Option<HostName>,
    /// Its verb.
    pub verb: http::Method,
    /// Its path and query as they came.
    pub target: String,
    /// The protocol that its path enters.
    pub protocol: Option<Protocol>,
}

/// The client's side: the certificate, a request's head as it comes, an answer's head and body as they go.
pub trait Front: Send + Sync {
    /// What a client's greeting is answered with; `None` ends the connection. `sni` is the name that it asks for.
    fn greet(&self, client: Client, sni: Option<&str>, own: &Arc<ServerConfig>) -> Option<Arc<ServerConfig>>;
    /// Reads a request's head, before anything else does.
    fn request(&self, client: Client, tls: bool, head: &mut http::request::Parts) -> Asked;
    /// Finishes an answer.
    fn answer<'a>(&'a self, asked: &'a Asked, answer: Response<Flow>) -> Waiting<'a, Response<Flow>>;
    /// How long the session lives that this browser begins now, where the front end was told so.
    fn session_life(&self, client: Client, told: Duration) -> Duration;
    /// What becomes of a mail program that has signed in.
    fn onward(&self, question: &MailQuestion, onward: Onward) -> Onward;
}

/// One request's way to a server behind.
#[derive(Debug, Clone)]
pub struct Passage {
    /// What the client asked.
    pub asked: Asked,
    /// Who signed in. `None` speaks for nobody.
    pub account: Option<Account>,
    /// How the client's connection was signed in, where the sign-in belongs to it.
    pub bound: Option<Bound>,
    /// The name that is dialled, put into SNI and Host, and asked a ticket for.
    pub host: HostName,
    /// The canonical port.
    pub port: u16,
}

/// Why a server behind gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum BackError {
    /// Its name leads to no address.
    #[error("{0} leads nowhere: {1}")]
    Nowhere(HostName, String),
    /// No connection.
    #[error("{0} took no connection: {1}")]
    Unreachable(HostName, String),
    /// A connection, and no answer on it.
    #[error("{0} took the request and gave no answer: {1}")]
    Broken(HostName, String),
    /// No ticket.
    #[error(transparent)]
    NoTicket(#[from] DirectoryDown),
}

/// The servers' side: where they are, a request's head as it goes, and its journey.
pub trait Back: Send + Sync {
    /// Rewrites a request's head for the server behind.
    fn head<'a>(
        &'a self,
        passage: &'a Passage,
        head: &'a mut http::request::Parts,
    ) -> Waiting<'a, Result<(), BackError>>;
    /// Where a server takes connections now, by its name and canonical port.
    fn address<'a>(
        &'a self,
        client: Client,
        host: &'a HostName,
        port: u16,
    ) -> Waiting<'a, Result<SocketAddr, BackError>>;
    /// Sends it on a lane, at most once, and brings the answer's head; the bodies flow. Where the lane is not open yet, it
    /// leads to this address.
    fn send<'a>(
        &'a self,
        passage: &'a Passage,
        lane: LaneId,
        to: SocketAddr,
        request: Request<Flow>,
    ) -> Waiting<'a, Result<Response<Flow>, BackError>>;
}

/// Health of servers behind: whom to ask, how, when; an answer in, up or down out. Pure.
pub trait Pulse: Send + Sync {
    /// Whom to ask in each round, and how, as the directory had it at the start.
    fn asks(&self, topology: &Topology, seat: &ServerName) -> Vec<Ping>;
    /// Whether a round begins, the interval having passed once more (at the start: not at all).
    fn due(&self, so_far: SoFar) -> bool;
    /// What follows from an answer, or from none.
    fn heard(&self, before: Standing, heard: Heard) -> (Standing, Again);
    /// What follows from a client's request that took so long: an exchange may be quiet, and is not held against the server
    /// (X-WIRE-6).
    fn carried(&self, before: Standing, protocol: Protocol, took: Duration) -> Standing;
    /// Which servers take no requests of which protocol.
    fn down(&self, health: &Health) -> Down;
}

/// A connection, inside its TLS.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// The octets of one connection, on either side, as they are inside TLS.
pub trait Octets: Send + Sync {
    /// A client's connection.
    fn front(&self, client: Client, stream: Box<dyn Stream>) -> Box<dyn Stream>;
    /// A connection to a server behind, opened for this client.
    fn behind(&self, client: Client, stream: Box<dyn Stream>) -> Box<dyn Stream>;
    /// A mail program's connection: once as it comes, and once more within the TLS that began by a command.
    fn mail(&self, client: Client, stream: Box<dyn Stream>) -> Box<dyn Stream>;
}

/// The production implementation: a connection is what it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Untouched;

impl Octets for Untouched {
    fn front(&self, _: Client, stream: Box<dyn Stream>) -> Box<dyn Stream> {
        stream
    }

    fn behind(&self, _: Client, stream: Box<dyn Stream>) -> Box<dyn Stream> {
        stream
    }

    fn mail(&self, _: Client, stream: Box<dyn Stream>) -> Box<dyn Stream> {
        stream
    }
}
