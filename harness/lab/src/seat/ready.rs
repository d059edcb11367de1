//! How it is known that a subject is ready: it takes a connection, answers a request, or says so in its log.
//!
//! It tells nobody, so it is asked again and again; the limit is the caller's.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::subject::{Asked, Listener, Sign};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

use super::SeatFacts;
use crate::clock;

/// One request: a subject that takes it and stays silent is asked again.
const ONE_ASK: Duration = Duration::from_secs(2);
/// The most that is read of a log at a time.
const MOST_LOG: usize = 64 * 1024;

/// Ends once the subject shows this sign; its log is read from byte `from` on.
pub(super) async fn shown(sign: &Sign, seat: &SeatFacts, log: &Path, from: u64) {
    let mut attempts = clock::attempts();
    let mut read = Log { from, held: vec![] };
    loop {
        attempts.tick().await;
        let ready = match sign {
            Sign::Tcp(listener) => dial(address(seat, *listener)).await.is_some(),
            Sign::Http(asked) => clock::within(ONE_ASK, answers(asked, seat)).await.flatten().is_some(),
            Sign::Log(text) => read.holds(text, log).await,
        };
        if ready {
            return;
        }
    }
}

/// What it has to do, in words that follow "did not".
pub(super) fn wanted(sign: &Sign, seat: &SeatFacts) -> String {
    match sign {
        Sign::Tcp(listener) => format!("listen on {} ({listener})", address(seat, *listener)),
        Sign::Http(asked) => {
            let at = address(seat, asked.listener);
            format!("answer {} at {at} ({}) with 2xx, 3xx or 4xx", asked.path, asked.listener)
        }
        Sign::Log(text) => format!("write `{text}` into its log"),
    }
}

fn address(seat: &SeatFacts, listener: Listener) -> SocketAddr {
    let listens = match listener {
        Listener::Https => seat.listen.https,
        Listener::Http => seat.listen.http,
    };
    // Who is to listen on every address of its is reached at its own.
    if listens.ip().is_unspecified() { SocketAddr::new(seat.address, listens.port()) } else { listens }
}

/// Not announced in the ledger: only servers of the lab have arrivals, and this is none of theirs.
async fn dial(address: SocketAddr) -> Option<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    socket.ok()?.connect(address).await.ok()
}

async fn answers(asked: &Asked, seat: &SeatFacts) -> Option<()> {
    let stream = dial(address(seat, asked.listener)).await?;
    let status = match asked.listener {
        Listener::Http => status(stream, &asked.path, seat).await?,
        Listener::Https => {
            let name = ServerName::try_from(seat.fqdn.as_str().to_owned()).ok()?;
            let stream = TlsConnector::from(whatever_it_presents()?).connect(name, stream).await.ok()?;
            status(stream, &asked.path, seat).await?
        }
    };
    (200..500).contains(&status).then_some(())
}

/// The status of the answer to a GET, from its first line alone.
async fn status(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    path: &str,
    seat: &SeatFacts,
) -> Option<u16> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", seat.fqdn);
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.ok()?;
    // RFC 9112, section 4: `HTTP/1.1 200`.
    let first = std::str::from_utf8(&first).ok()?;
    first.strip_prefix("HTTP/1.")?.get(2..)?.parse().ok()
}

/// A log that grows, of which the unread part is looked at, and what of the read part may begin the text.
struct Log {
    from: u64,
    held: Vec<u8>,
}

impl Log {
    async fn holds(&mut self, text: &str, log: &Path) -> bool {
        use tokio::io::AsyncSeekExt as _;
        let wanted = text.as_bytes();
        let Ok(mut file) = tokio::fs::File::open(log).await else { return false };
        if file.seek(std::io::SeekFrom::Start(self.from)).await.is_err() {
            return false;
        }
        let mut new = vec![];
        let Ok(read) = file.take(MOST_LOG as u64).read_to_end(&mut new).await else { return false };
        self.from += read as u64;
        self.held.extend(new);
        let found = self.held.windows(wanted.len()).any(|window| window == wanted);
        let kept = self.held.len().min(wanted.len().saturating_sub(1));
        self.held.drain(..self.held.len() - kept);
        found
    }
}

/// TLS that takes any certificate: whether it is the right one is for the cases to say.
fn whatever_it_presents() -> Option<Arc<ClientConfig>> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .ok()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    Some(Arc::new(config))
}

#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
