//! One exchange: resolve, dial, greet, ask, read; bounded in bytes and time, and written into the leg.

mod said;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Response;
use http::header::{HeaderMap, LOCATION};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::ext::ReasonPhrase;
use hyper_util::rt::TokioIo;
use ledger::Opener;
use model::case::{CertificateFault, Sni};
use model::journal::{Exchange, Heads};
use model::{CaseId, HostName, WebUrl};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio_rustls::client::TlsStream;

use crate::clock::within;
use crate::heard::{Heard, Overheard};
use crate::legs::Leg;
use crate::network::{Names, Network, Person, ResolveError};
use crate::tls::Tls;

pub(crate) use said::{Broken, Reply, Request};

/// A connection of this client's.
pub(crate) type LineId = u64;

/// A client's hold on the network: its resolver, its trust, and the connections it keeps.
pub(crate) struct Wire<'a> {
    pub(crate) network: &'a Network,
    pub(crate) case: &'a CaseId,
    names: Result<Names, String>,
    tls: Tls,
    secrets: Vec<String>,
    /// The connection on which the exchange at hand was asked.
    hearing: Option<Heard>,
    idle: HashMap<Place, Line>,
    lines: LineId,
    tasks: JoinSet<()>,
    /// Where several clients wait for one another, each with a challenge and before its response.
    pub(crate) meeting: Option<Arc<Barrier>>,
}

/// Connections that a client leaves open and idle when it is done.
pub struct Staying {
    idle: HashMap<Place, Line>,
    tasks: JoinSet<()>,
}

impl Staying {
    /// Lets every connection go and waits until it is gone.
    pub async fn close(mut self) {
        self.idle.clear();
        let gone = async { while self.tasks.join_next().await.is_some() {} };
        // A server that keeps a connection up against us is no reason to hang: what is left is aborted.
        let _ = within(Duration::from_secs(1), gone).await;
        self.tasks.shutdown().await;
    }
}

/// A connection, with TLS or without.
pub(crate) type Stream = Box<dyn Duplex>;

/// Something that is read and written.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<IO: AsyncRead + AsyncWrite + Send + Unpin> Duplex for IO {}

/// Scheme, name and port: what a connection is kept for.
type Place = (bool, HostName, u16);

/// A connection that can take a request.
struct Line {
    id: LineId,
    sender: SendRequest<Full<Bytes>>,
    peer: SocketAddr,
    fault: Option<CertificateFault>,
    heard: Heard,
}

/// An answer of which only the head has been read.
pub(crate) struct Opened {
    pub(crate) status: u16,
    pub(crate) body: Incoming,
    /// Its entry in the journal; the end is still to be set.
    pub(crate) exchange: Exchange,
    line: Option<Line>,
}

impl<'a> Wire<'a> {
    pub(crate) fn new(network: &'a Network, case: &'a CaseId, person: &Person) -> Wire<'a> {
        Wire {
            network,
            case,
            names: Names::new(network).map_err(|error| error.to_string()),
            tls: Tls::new(&network.trust),
            secrets: secrets(person),
            hearing: None,
            idle: HashMap::new(),
            lines: 0,
            tasks: JoinSet::new(),
            meeting: None,
        }
    }

    /// The connection on which this request would go, where one is kept.
    pub(crate) fn kept(&self, request: &Request) -> Option<LineId> {
        self.idle.get(&request.place()).filter(|line| !line.sender.is_closed()).map(|line| line.id)
    }

    /// Asks and reads the whole answer.
    pub(crate) async fn exchange(&mut self, leg: &mut Leg, request: Request) -> Result<Reply, Broken> {
        let limit = self.network.limits.exchange;
        let mut exchange = self.entry(&request);
        let place = request.place();
        let outcome = within(limit, self.converse(leg, &request, &mut exchange)).await;
        exchange.ended = self.network.ledger.mark();
        exchange.heads = self.heads();
        leg.add(exchange);
        let (reply, line) =
            outcome.unwrap_or_else(|| Err(Broken::Silent(request.url.host.clone(), limit)))?;
        if !line.sender.is_closed() {
            self.idle.insert(place, line);
        }
        Ok(reply)
    }

    /// Asks and reads only the head, on a connection of its own. The caller finishes with [`Wire::finish`].
    pub(crate) async fn open(&mut self, leg: &mut Leg, request: Request) -> Result<Opened, Broken> {
        let limit = self.network.limits.exchange;
        let mut exchange = self.entry(&request);
        let outcome = within(limit, async {
            let line = self.dial(leg, &request, &mut exchange).await.map_err(Asked::Broken)?;
            self.ask(line, &request, &mut exchange).await
        })
        .await
        .unwrap_or_else(|| Err(Asked::Broken(Broken::Silent(request.url.host.clone(), limit))));
        exchange.heads = self.heads();
        match outcome {
            Ok((response, line)) => {
                let (parts, body) = response.into_parts();
                Ok(Opened { status: parts.status.as_u16(), body, exchange, line: Some(line) })
            }
            Err(asked) => {
                exchange.ended = self.network.ledger.mark();
                leg.add(exchange);
                Err(asked.broken())
            }
        }
    }

    /// Lets an opened answer go and writes it into the leg.
    pub(crate) fn finish(&mut self, leg: &mut Leg, opened: Opened) {
        let Opened { mut exchange, line, body, .. } = opened;
        drop((body, line));
        exchange.ended = self.network.ledger.mark();
        leg.add(exchange);
    }

    /// SRV records of a service; none where the lab's DNS knows none or does not answer.
    pub(crate) async fn services(&self, name: &HostName) -> Vec<(HostName, u16)> {
        match &self.names {
            Ok(names) => names.services(name).await.unwrap_or_default(),
            Err(_) => vec![],
        }
    }

    /// Lets every kept connection go: the next purpose starts on connections of its own.
    pub(crate) fn hang_up(&mut self) {
        self.idle.clear();
    }

    /// Leaves every connection open that is kept.
    pub(crate) fn stay(self) -> Staying {
        Staying { idle: self.idle, tasks: self.tasks }
    }

    fn entry(&mut self, request: &Request) -> Exchange {
        self.hearing = None;
        let cookies_of_others = request.cookies_of_others.clone();
        Exchange { cookies_of_others, ..self.entry_of(request.verb.as_str(), &request.url.path) }
    }

    /// A request's entry in the journal, still without its answer.
    pub(crate) fn entry_of(&self, verb: &str, target: &str) -> Exchange {
        let now = self.network.ledger.mark();
        Exchange {
            began: now,
            ended: now,
            verb: verb.to_owned(),
            target: self.without_secrets(target),
            dialled: None,
            status: 0,
            reason: String::new(),
            location: None,
            heads: Heads::default(),
            cookies_of_others: vec![],
            answer: None,
        }
    }

    /// A connection on which nothing has been asked, for whoever writes his requests himself.
    pub(crate) async fn connect(
        &mut self,
        leg: &mut Leg,
        url: &WebUrl,
        sni: Sni,
        exchange: &mut Exchange,
    ) -> Result<(Stream, SocketAddr, Heard), Broken> {
        let stream = self.dial_at(&url.host, url.port(), exchange).await?;
        let to = exchange.dialled.ok_or(Broken::Closed)?;
        let heard = Heard::default();
        if !url.tls {
            return Ok((Box::new(Overheard::new(stream, heard.clone())), to, heard));
        }
        let stream = self.within_tls(leg, stream, &url.host, sni).await?;
        Ok((Box::new(Overheard::new(stream, heard.clone())), to, heard))
    }

    /// A connection to a name and canonical port, for whoever speaks no HTTP.
    pub(crate) async fn dial_at(
        &mut self,
        host: &HostName,
        port: u16,
        exchange: &mut Exchange,
    ) -> Result<TcpStream, Broken> {
        let addresses = match &self.names {
            Ok(names) => names.addresses(host).await?,
            Err(why) => {
                return Err(ResolveError::NoResolver { dns: self.network.dns, why: why.clone() }.into());
            }
        };
        let address = addresses.first().ok_or_else(|| Broken::Unresolved(host.clone()))?;
        let to = (self.network.ports)(*address, port);
        exchange.dialled = Some(to);
        let opener = Opener::Client(self.case.clone());
        let dialled = self.network.ledger.dial(self.network.source, to, opener).await;
        dialled.map_err(|error| Broken::Dial(to, error))
    }

    /// A connection within TLS; what is wrong with the certificate a person is asked about.
    pub(crate) async fn within_tls(
        &self,
        leg: &mut Leg,
        stream: TcpStream,
        host: &HostName,
        sni: Sni,
    ) -> Result<TlsStream<TcpStream>, Broken> {
        let greeted = self.tls.greet(stream, host, sni).await;
        let (stream, fault) = greeted.map_err(|error| Broken::Tls(host.clone(), error))?;
        if let Some(fault) = fault {
            leg.asks_about(fault);
        }
        Ok(stream)
    }

    /// A connection to any port of a host, without TLS.
    pub(crate) async fn reach(
        &mut self,
        host: &HostName,
        port: u16,
        exchange: &mut Exchange,
    ) -> Result<(Stream, SocketAddr, Heard), Broken> {
        let stream = self.dial_at(host, port, exchange).await?;
        let to = exchange.dialled.ok_or(Broken::Closed)?;
        let heard = Heard::default();
        Ok((Box::new(Overheard::new(stream, heard.clone())), to, heard))
    }

    /// What was heard of an exchange on a connection of the caller's own.
    pub(crate) fn heads_of(&self, heard: &Heard) -> Heads {
        heard.heads(&self.secrets)
    }

    /// What was heard of the exchange at hand, if it came to a connection.
    fn heads(&mut self) -> Heads {
        self.hearing.take().map(|heard| heard.heads(&self.secrets)).unwrap_or_default()
    }

    pub(crate) fn without_secrets(&self, written: &str) -> String {
        self.secrets
            .iter()
            .filter(|secret| !secret.is_empty())
            .fold(written.to_owned(), |text, secret| text.replace(secret.as_str(), "***"))
    }

    async fn converse(
        &mut self,
        leg: &mut Leg,
        request: &Request,
        exchange: &mut Exchange,
    ) -> Result<(Reply, Line), Broken> {
        let (response, line) = self.send(leg, request, exchange).await?;
        let (parts, body) = response.into_parts();
        let body = whole(body, self.network.limits.body_bytes, &request.url.host).await?;
        Ok((Reply { status: parts.status.as_u16(), headers: parts.headers, body }, line))
    }

    /// On a kept connection where there is one; on a new one where there is none, or the kept one turns out to be gone.
    async fn send(
        &mut self,
        leg: &mut Leg,
        request: &Request,
        exchange: &mut Exchange,
    ) -> Result<(Response<Incoming>, Line), Broken> {
        let wanted = |line: &Line| request.line.is_none_or(|wanted| line.id == wanted);
        if let Some(mut kept) = self.idle.remove(&request.place()).filter(wanted)
            && kept.sender.ready().await.is_ok()
        {
            if let Some(fault) = kept.fault {
                leg.asks_about(fault);
            }
            match self.ask(kept, request, exchange).await {
                Err(Asked::Unsent) => {}
                other if request.line.is_some() => return other.map_err(Asked::broken),
                // A server may close a quiet connection just as it is asked on; what changes nothing is asked again.
                Err(Asked::Broken(Broken::Http(_, error)))
                    if request.verb.is_safe() && error.is_incomplete_message() =>
                {
                    exchange.ended = self.network.ledger.mark();
                    exchange.heads = self.heads();
                    leg.add(std::mem::replace(exchange, self.entry(request)));
                }
                other => return other.map_err(Asked::broken),
            }
        }
        if request.line.is_some() {
            return Err(Broken::HungUp(request.url.host.clone()));
        }
        let line = self.dial(leg, request, exchange).await?;
        self.ask(line, request, exchange).await.map_err(Asked::broken)
    }

    async fn dial(
        &mut self,
        leg: &mut Leg,
        request: &Request,
        exchange: &mut Exchange,
    ) -> Result<Line, Broken> {
        let host = &request.url.host;
        let addresses = match &self.names {
            Ok(names) => names.addresses(host).await?,
            Err(why) => {
                let error = ResolveError::NoResolver { dns: self.network.dns, why: why.clone() };
                return Err(error.into());
            }
        };
        let mut broken = Broken::Unresolved(host.clone());
        for address in addresses {
            let to = (self.network.ports)(address, request.port());
            exchange.dialled = Some(to);
            let opener = Opener::Client(self.case.clone());
            match self.network.ledger.dial(self.network.source, to, opener).await {
                Err(error) => broken = Broken::Dial(to, error),
                Ok(stream) if request.url.tls => {
                    let (stream, fault) = self
                        .tls
                        .greet(stream, host, Sni::Present)
                        .await
                        .map_err(|error| Broken::Tls(host.clone(), error))?;
                    if let Some(fault) = fault {
                        leg.asks_about(fault);
                    }
                    return self.line(stream, to, fault, host).await;
                }
                Ok(stream) => return self.line(stream, to, None, host).await,
            }
        }
        Err(broken)
    }

    async fn line<S>(
        &mut self,
        stream: S,
        peer: SocketAddr,
        fault: Option<CertificateFault>,
        host: &HostName,
    ) -> Result<Line, Broken>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let heard = Heard::default();
        let stream = Overheard::new(stream, heard.clone());
        let (sender, connection) = Builder::new()
            .title_case_headers(true)
            .max_buf_size(self.network.limits.head_bytes.max(8192))
            .max_headers(256)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Broken::Http(host.clone(), error))?;
        // How a connection ends is told to whoever asked on it.
        self.tasks.spawn(async move { drop(connection.await) });
        self.lines += 1;
        Ok(Line { id: self.lines, sender, peer, fault, heard })
    }

    async fn ask(
        &mut self,
        mut line: Line,
        request: &Request,
        exchange: &mut Exchange,
    ) -> Result<(Response<Incoming>, Line), Asked> {
        let built = request.built().map_err(Asked::Broken)?;
        exchange.dialled = Some(line.peer);
        line.heard.begin();
        self.hearing = Some(line.heard.clone());
        let response = line.sender.try_send_request(built).await.map_err(|error| match error.message() {
            Some(_) => Asked::Unsent,
            None => Asked::Broken(Broken::Http(request.url.host.clone(), error.into_error())),
        })?;
        exchange.status = response.status().as_u16();
        // hyper keeps a reason phrase only where it is not the usual one.
        exchange.reason = match response.extensions().get::<ReasonPhrase>() {
            Some(phrase) => String::from_utf8_lossy(phrase.as_bytes()).into_owned(),
            None => response.status().canonical_reason().unwrap_or_default().to_owned(),
        };
        let headers = response.headers();
        exchange.location = text(headers, LOCATION.as_str())
            .or_else(|| text(headers, "x-ms-location"))
            .map(|location| self.without_secrets(location));
        Ok((response, line))
    }
}

/// What may stand nowhere: the password, as it is typed, in a form and in a Basic header.
fn secrets(person: &Person) -> Vec<String> {
    let basic = crate::session::basic(&person.account, &person.password);
    let basic = basic.split_whitespace().last().unwrap_or_default().to_owned();
    vec![person.password.clone(), crate::session::percent(&person.password), basic]
}

/// Why a connection gave no answer.
enum Asked {
    /// It was gone before the request was written.
    Unsent,
    /// It broke later.
    Broken(Broken),
}

impl Asked {
    fn broken(self) -> Broken {
        match self {
            Asked::Broken(broken) => broken,
            Asked::Unsent => Broken::Closed,
        }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

async fn whole(mut body: Incoming, most: usize, host: &HostName) -> Result<Bytes, Broken> {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Broken::Http(host.clone(), error))?;
        if let Some(data) = frame.data_ref() {
            if read.len() + data.len() > most {
                return Err(Broken::TooLong(host.clone(), most));
            }
            read.extend_from_slice(data);
        }
    }
    Ok(read.freeze())
}
