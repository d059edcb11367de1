//! A client's connection: its requests one after the other, each to the server that its host leads to, on the one
//! connection behind.

use std::io;
use std::net::{IpAddr, SocketAddr};

use model::HostName;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt, BufReader, ReadHalf, WriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::head::{self, Answered, Asked, Head, Refused};
use super::pass::{self, Broken};
use super::published::{Published, Server};
use crate::clock;

/// What every connection of this edge shares: nothing that one client could leave to another.
pub(super) struct Edge {
    pub(super) published: Published,
    /// The address to dial from.
    pub(super) source: IpAddr,
    /// TLS towards servers, verified against the lab's root.
    pub(super) tls: TlsConnector,
}

/// The connection behind a client's.
struct Behind {
    fqdn: HostName,
    from: BufReader<ReadHalf<TlsStream<TcpStream>>>,
    to: WriteHalf<TlsStream<TcpStream>>,
}

/// What comes after an exchange.
enum Next {
    /// Another one, on the same connections.
    Request,
    /// The end of both connections, in good order.
    End,
    /// The end of both connections at once: what was passed on is not whole.
    Break,
}

impl Edge {
    /// Serves one client's connection until either side ends it.
    pub(super) async fn converse(&self, stream: impl tokio::io::AsyncRead + AsyncWrite) {
        let (from, to) = tokio::io::split(stream);
        let (mut from, mut to) = (BufReader::new(from), to);
        let mut behind = None;
        loop {
            match self.exchange(&mut from, &mut to, &mut behind).await {
                Next::Request => {}
                Next::End => {
                    // Whoever has gone already needs no farewell.
                    let _ = to.shutdown().await;
                    return;
                }
                Next::Break => return,
            }
        }
    }

    /// Plain HTTP leads to TLS and carries nothing (X-SEC-5).
    pub(super) async fn to_tls(&self, mut stream: TcpStream) {
        let (from, mut to) = stream.split();
        let mut from = BufReader::new(from);
        let Ok(Ok(Some(head))) = clock::within(clock::HEAD, head::read(&mut from)).await else { return };
        let answer = match head.and_then(|head| head.asked()) {
            Err(refused) => answer(refused.status(), ""),
            Ok(asked) if self.published.server(&asked.host).is_none() => answer(MISDIRECTED, ""),
            Ok(asked) if matches!(asked.verb.as_str(), "GET" | "HEAD") && asked.target.starts_with('/') => {
                answer(302, &format!("Location: https://{}{}\r\n", asked.host, asked.target))
            }
            Ok(_) => answer(403, ""),
        };
        let _ = pass::send(answer.as_bytes(), &mut to).await;
        let _ = to.shutdown().await;
    }

    async fn exchange(
        &self,
        from: &mut (impl AsyncBufRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        behind: &mut Option<Behind>,
    ) -> Next {
        let Some(read) = next_head(from, behind).await else { return Next::End };
        let asked = read.and_then(|head| head.asked().map(|asked| (head, asked)));
        let (head, asked) = match asked {
            Ok(read) => read,
            Err(refused) => return own(refused.status(), to).await,
        };
        let Some(server) = self.published.server(&asked.host) else { return own(MISDIRECTED, to).await };
        let open = match behind.take().filter(|open| open.fqdn == server.fqdn) {
            Some(open) => open,
            None => match self.open(server).await {
                Ok(open) => open,
                Err(error) => {
                    eprintln!("{} {}: {} took no connection: {error}", asked.verb, asked.target, server.fqdn);
                    return own(BAD_GATEWAY, to).await;
                }
            },
        };
        let open = behind.insert(open);
        carry(&head, &asked, from, to, open).await
    }

    async fn open(&self, server: &Server) -> io::Result<Behind> {
        let opening = async {
            let socket = if server.address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            socket.bind(SocketAddr::new(self.source, 0))?;
            let stream = socket.connect(server.address).await?;
            stream.set_nodelay(true)?;
            let name = ServerName::try_from(server.fqdn.as_str().to_owned()).map_err(io::Error::other)?;
            self.tls.connect(name, stream).await
        };
        let stream = clock::within(clock::HANDSHAKE, opening).await.map_err(io::Error::other)??;
        let (from, to) = tokio::io::split(stream);
        Ok(Behind { fqdn: server.fqdn.clone(), from: BufReader::new(from), to })
    }
}

/// The next request's head; `None` where the client, or the server behind, ended its connection instead.
async fn next_head(
    from: &mut (impl AsyncBufRead + Unpin),
    behind: &mut Option<Behind>,
) -> Option<Result<Head, Refused>> {
    let ended = async {
        match behind {
            // Between two exchanges a server has nothing to say: its end, or an answer that nobody asked for.
            Some(open) => drop(open.from.fill_buf().await),
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = ended => None,
        read = clock::within(clock::IDLE, head::read(from)) => read.ok()?.ok()?,
    }
}

/// One exchange: the request goes as it comes, the answer comes as it comes, at the same time.
async fn carry(
    head: &Head,
    asked: &Asked,
    from: &mut (impl AsyncBufRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    behind: &mut Behind,
) -> Next {
    if pass::send(&head.onward(true), &mut behind.to).await.is_err() {
        return own(BAD_GATEWAY, to).await;
    }
    let then = |closes: bool| if closes || asked.closes { Next::End } else { Next::Request };
    let mut answering = std::pin::pin!(bring(&asked.verb, &mut behind.from, to));
    let sent = {
        let mut sending = std::pin::pin!(pass::body(asked.length, &mut *from, &mut behind.to));
        tokio::select! {
            sent = &mut sending => sent,
            answered = &mut answering => return match answered {
                // An early answer: the rest of the body still goes on, so that the connection can be kept.
                Ok(false) if sending.await.is_ok() => then(false),
                Ok(_) => Next::End,
                Err(_) => Next::Break,
            },
        }
    };
    match sent {
        Ok(()) => tokio::select! {
            answered = answering => answered.map_or(Next::Break, then),
            () = gone(from) => Next::Break,
        },
        // The client has gone: so does the connection behind.
        Err(Broken::From(_)) => Next::Break,
        // The server takes no more: what it has to say about that is still brought.
        Err(Broken::To(_)) => answering.await.map_or(Next::Break, |_| Next::End),
    }
}

/// Brings one answer, interim ones before it too, and says whether the connection ends with it. A server that closes
/// instead of answering is not asked again (X-WIRE-7).
async fn bring(
    verb: &str,
    from: &mut (impl AsyncBufRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> Result<bool, Broken> {
    loop {
        let read = match pass::quiet(head::read(from)).await {
            Ok(Some(Ok(head))) => head.answered(verb).ok().map(|answered| (head, answered)),
            _ => None,
        };
        let Some((head, Answered { status, length, closes })) = read else {
            own(BAD_GATEWAY, to).await;
            return Ok(true);
        };
        pass::send(&head.onward(false), to).await?;
        // 101 cannot be: `Upgrade` does not go on.
        if status >= 200 {
            pass::body(length, from, to).await?;
            return Ok(closes);
        }
    }
}

/// Ends when the client has gone; one that sends its next request already has not.
async fn gone(from: &mut (impl AsyncBufRead + Unpin)) {
    let more = from.fill_buf().await.is_ok_and(|bytes| !bytes.is_empty());
    if more {
        std::future::pending::<()>().await;
    }
}

/// No name of this edge's (RFC 9110, 15.5.20).
const MISDIRECTED: u16 = 421;
/// The server behind took no connection, or gave no answer.
const BAD_GATEWAY: u16 = 502;

/// An answer of the edge's own ends the connection.
async fn own(status: u16, to: &mut (impl AsyncWrite + Unpin)) -> Next {
    let sent = pass::send(answer(status, "").as_bytes(), to).await;
    sent.map_or(Next::Break, |()| Next::End)
}

fn answer(status: u16, lines: &str) -> String {
    let reason = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let reason = reason.unwrap_or_default();
    format!("HTTP/1.1 {status} {reason}\r\n{lines}Content-Length: 0\r\nConnection: close\r\n\r\n")
}
