//! `coexist canary`: subjects that are no proxies, each wrong in one way. The suite must end on each as it should.
//!
//! A canary lives by the contract that every subject lives by: `lab.json` in, the seat's listeners out.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use clap::{Args, ValueEnum};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::say;
use crate::exit::Exit;

mod dies;

/// What `canary` takes.
#[derive(Debug, Args)]
pub(super) struct Canary {
    /// Which one.
    name: Name,
    /// The lab's facts.
    #[arg(long, value_name = "PATH")]
    lab: PathBuf,
}

/// The canaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Answers 200 to everything.
    SaysYes,
    /// Answers 503 to everything.
    SaysNo,
    /// Takes connections and stays silent.
    SaysNothing,
    /// Runs, and binds no port.
    NeverListens,
    /// Serves two connections well, and ends at the third.
    DiesAtThird,
    /// Copies bytes to one server of Exchange 2010.
    StraightWire,
    /// Begins an answer that never ends.
    NeverEnds,
}

/// What a canary reads of lab.json.
#[derive(Debug, Deserialize)]
struct Lab {
    seat: Seat,
    source: IpAddr,
    servers: Vec<Server>,
}

#[derive(Debug, Deserialize)]
struct Seat {
    server: String,
    site: String,
    listen: Listen,
    certificate: Certificate,
}

#[derive(Debug, Deserialize)]
struct Listen {
    https: SocketAddr,
    http: SocketAddr,
}

#[derive(Debug, Deserialize)]
struct Certificate {
    chain: PathBuf,
    key: PathBuf,
}

#[derive(Debug, Deserialize)]
struct Server {
    name: String,
    version: String,
    site: String,
    https: Option<SocketAddr>,
    http: Option<SocketAddr>,
}

pub(super) fn canary(options: &Canary) -> Exit {
    let runtime = match say::runtime() {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    let ended = runtime.block_on(async {
        let stop = say::interrupted();
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            ended = live(options) => ended,
        }
    });
    match ended {
        Ok(()) => Exit::AsExpected,
        Err(error) => {
            say::error(format!("canary: {error:#}"));
            Exit::Broken
        }
    }
}

async fn live(options: &Canary) -> anyhow::Result<()> {
    let lab = read(&options.lab)?;
    if options.name == Name::NeverListens {
        println!("running, and not listening");
        return std::future::pending().await;
    }
    let sound = match options.name {
        Name::DiesAtThird => Some(dies::Sound::start(&options.lab).await?),
        _ => None,
    };
    let (https, http) = (listen(lab.seat.listen.https)?, listen(lab.seat.listen.http)?);
    println!("listening");
    if let Some(sound) = sound {
        return sound.until(https, http, 3).await;
    }
    match options.name {
        Name::NeverListens | Name::DiesAtThird => unreachable!("they have their own ways, above"),
        Name::SaysYes => answer(&lab, https, http, StatusCode::OK).await,
        Name::SaysNo => answer(&lab, https, http, StatusCode::SERVICE_UNAVAILABLE).await,
        Name::SaysNothing => {
            let mut held = vec![];
            loop {
                // Held, so that the far end waits in vain.
                held.push(either(&https, &http).await?.0);
            }
        }
        Name::StraightWire => wire(&lab, https, http).await,
        Name::NeverEnds => endless(&lab, https, http).await,
    }
}

fn read(path: &Path) -> anyhow::Result<Lab> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

fn listen(at: SocketAddr) -> anyhow::Result<TcpListener> {
    let socket = if at.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(at).with_context(|| format!("cannot listen on {at}"))?;
    Ok(socket.listen(1024)?)
}

/// The next connection, and whether it came for https.
async fn either(https: &TcpListener, http: &TcpListener) -> anyhow::Result<(TcpStream, bool)> {
    tokio::select! {
        taken = https.accept() => Ok((taken?.0, true)),
        taken = http.accept() => Ok((taken?.0, false)),
    }
}

/// Answers every request with one status.
async fn answer(lab: &Lab, https: TcpListener, http: TcpListener, status: StatusCode) -> anyhow::Result<()> {
    let acceptor = acceptor(&lab.seat.certificate)?;
    let mut conversations = JoinSet::new();
    loop {
        let (stream, tls) = tokio::select! {
            taken = either(&https, &http) => taken?,
            Some(_) = conversations.join_next() => continue,
        };
        let acceptor = acceptor.clone();
        conversations.spawn(async move {
            // A client that goes away is no concern of a canary.
            if tls {
                if let Ok(stream) = acceptor.accept(stream).await {
                    converse(stream, status).await;
                }
            } else {
                converse(stream, status).await;
            }
        });
    }
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, status: StatusCode) {
    let service = service_fn(move |_: Request<Incoming>| async move {
        let mut response = Response::new(Full::new(Bytes::from_static(b"canary")));
        *response.status_mut() = status;
        Ok::<_, std::convert::Infallible>(response)
    });
    let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    drop(served.await);
}

/// Begins an answer to whatever comes, and goes on for as long as the client reads.
async fn endless(lab: &Lab, https: TcpListener, http: TcpListener) -> anyhow::Result<()> {
    let acceptor = acceptor(&lab.seat.certificate)?;
    let mut conversations = JoinSet::new();
    loop {
        let (stream, tls) = tokio::select! {
            taken = either(&https, &http) => taken?,
            Some(_) = conversations.join_next() => continue,
        };
        let acceptor = acceptor.clone();
        conversations.spawn(async move {
            match tls {
                true => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        go_on(stream).await;
                    }
                }
                false => go_on(stream).await,
            }
        });
    }
}

async fn go_on(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    // What was asked does not matter, so a first piece of it is enough.
    let mut piece = [0; 4096];
    let mut going = stream.read(&mut piece).await.is_ok()
        && stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n").await.is_ok();
    while going {
        going = stream.write_all(&[b'.'; 4096]).await.is_ok();
    }
}

fn acceptor(certificate: &Certificate) -> anyhow::Result<TlsAcceptor> {
    let chain =
        CertificateDer::pem_file_iter(&certificate.chain).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.with_context(|| certificate.chain.display().to_string())?;
    let key = PrivateKeyDer::from_pem_file(&certificate.key)
        .with_context(|| certificate.key.display().to_string())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Copies bytes to the first server of Exchange 2010 that is not the seat itself, of the seat's own site where it has one.
async fn wire(lab: &Lab, https: TcpListener, http: TcpListener) -> anyhow::Result<()> {
    let mut behind: Vec<&Server> = lab
        .servers
        .iter()
        .filter(|server| server.version == "Exchange2010" && server.name != lab.seat.server)
        .filter(|server| server.https.is_some())
        .collect();
    behind.sort_by_key(|server| server.site != lab.seat.site);
    let behind = behind.first().context("no Client Access server of Exchange 2010 to lead to")?;
    let (for_https, for_http) = (behind.https, behind.http);
    let source = lab.source;
    let mut wires = JoinSet::new();
    loop {
        let (mut stream, tls) = tokio::select! {
            taken = either(&https, &http) => taken?,
            Some(_) = wires.join_next() => continue,
        };
        let Some(to) = (if tls { for_https } else { for_http }) else { continue };
        wires.spawn(async move {
            let far = async {
                let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
                socket.bind(SocketAddr::new(source, 0))?;
                socket.connect(to).await
            };
            // Whichever side ends it, the wire has nothing to say.
            if let Ok(mut far) = far.await {
                drop(copy_bidirectional(&mut stream, &mut far).await);
            }
        });
    }
}
