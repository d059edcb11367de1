//! Our own proxy for each role, written as a product would be: from the rule book, and from ports.
//!
//! Three roles: an Exchange 2013 front end, which proxies and redirects, an Exchange 2010 one, which also serves its own
//! site, and an edge, a reverse proxy before either, which asks about no mailbox. It lives by the contract of every subject:
//! `lab.json` in, requests on the seat's listeners, the directory's HTTP/JSON door for facts. Absent: IMAP and POP of any but a
//! 2013 front end, which alone asks older servers for their health.

mod answers;
mod autodiscover;
pub mod back;
pub mod choose;
mod clock;
pub mod decide;
pub mod discover;
mod edge;
pub mod front;
mod hears_out;
pub mod lab;
pub mod lane;
mod mail;
pub mod names;
pub mod order;
pub mod ports;
pub mod pulse;
mod request;
mod request_log;
mod serve;
mod sign_in;
mod unwrap;

use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use model::{Protocol, Role, Topology, Version};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use protocols::eas::DeviceState;
use protocols::ews::Subscriptions;
use protocols::fba::Sessions;

use back::{Behind, Dial, Speaker, Way};
use choose::InTurn;
use decide::Rules;
use discover::Directory;
use front::{Doorway, Serves};
use lab::Lab;
use lane::{Kept, OwnLanes};
use mail::{Door, MailFront};
use names::Names;
use order::ByPreference;
use ports::{Ports, Untouched, Waiting};
use pulse::AsLogged;
use pulse::rounds::Watch;
use request::FrontEnd;
use request_log::RequestLog;
use sign_in::Porter;

/// Exchanges what stands behind ports, before anything runs.
pub type Spoil = Box<dyn FnOnce(Ports) -> Ports + Send>;

/// How a front end is started.
pub struct Options {
    /// What it is.
    pub role: Role,
    /// `lab.json`
    pub lab: PathBuf,
    /// What to exchange.
    pub spoil: Option<Spoil>,
    /// Between two health rounds; none are held where `None`.
    pub health_interval: Option<Duration>,
    /// How long a browser's session lives; 60 minutes where it is not told (rule CX-OWA-7).
    pub owa_timeout: Option<Duration>,
    /// When to stop.
    pub stop: Waiting<'static, ()>,
}

/// Takes the seat, and serves until told to stop.
///
/// # Errors
/// A `lab.json` or certificate that cannot be read, a listener that is taken, a directory that does not answer, and a role
/// that has no front end yet.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let Options { role, lab, spoil, health_interval, owa_timeout, stop } = options;
    let version = match role {
        Role::FrontEnd2013 => Version::Exchange2013,
        Role::FrontEnd2010 => Version::Exchange2010,
        Role::Edge => return edge::run(&Lab::read(&lab)?, spoil, stop).await,
    };
    let lab = Lab::read(&lab)?;
    let tls = Arc::new(server_config(&lab)?);
    let directory = Arc::new(Directory::new(&lab)?);
    let standing = directory.topology().await?;
    let doors = if role == Role::FrontEnd2013 { doors(&lab, &standing)? } else { vec![] };
    let http = bind(lab.seat.listen.http)?;
    // The last one: whoever finds it open may use them all.
    let https = bind(lab.seat.listen.https)?;
    let kept = Arc::new(Kept::default());
    let log = Arc::new(RequestLog::of(&lab)?);
    let dial = Arc::new(Dial { source: lab.source, log: log.clone() });
    let own = lab.seat.fqdn.clone();
    let way = way(&lab, kept.clone(), dial.clone())?;
    let speaker = Speaker { role, own: own.clone(), directory: directory.clone() };
    let ports = Ports {
        discover: directory.clone(),
        decide: Arc::new(Rules),
        choose: Arc::new(InTurn::default()),
        order: Arc::new(ByPreference),
        lane: Arc::new(OwnLanes),
        front: Arc::new(Doorway { role, own }),
        back: Arc::new(Behind { speaker: Some(speaker), way: way.clone() }),
        pulse: Arc::new(AsLogged),
        bytes: Arc::new(Untouched),
    };
    let ports = exchanged(ports, spoil, &way);
    let mail = mail_front(&lab, &ports, &way, &directory, &standing)?;
    let watch = Arc::new(Watch::new(ports.pulse.clone()));
    // Exchange 2010 asks nobody.
    let rounds = health_interval.filter(|_| role == Role::FrontEnd2013).map(|interval| {
        let (watch, topology, seat) = (watch.clone(), standing.clone(), lab.seat.server.clone());
        async move { watch.keep(&topology, &seat, interval, way).await }
    });
    let front_end = Arc::new(FrontEnd {
        role,
        version,
        seat: lab.seat,
        ports,
        directory,
        dial,
        log,
        kept,
        porter: Porter::new(match owa_timeout {
            Some(life) => Sessions::living(version, life),
            None => Sessions::new(version),
        }),
        watch,
        standing,
        devices: DeviceState::default(),
        subscriptions: Subscriptions::default(),
        channels: Arc::default(),
    });
    let beside = async {
        match rounds {
            Some(rounds) => rounds.await,
            None => std::future::pending().await,
        }
    };
    let ending = CancellationToken::new();
    let mail = mail::serve(Arc::new(mail), doors, ending.clone());
    let serving = async {
        tokio::select! {
            () = serve(front_end, https, tls, http, stop) => {}
            () = beside => {}
        }
        ending.cancel();
    };
    tokio::join!(serving, mail);
    Ok(())
}

/// Who serves mail programs here.
fn mail_front(
    lab: &Lab,
    ports: &Ports,
    way: &Way,
    directory: &Arc<Directory>,
    standing: &Arc<Topology>,
) -> anyhow::Result<MailFront> {
    let mut tls = server_config(lab)?;
    tls.alpn_protocols.clear();
    Ok(MailFront {
        seat: lab.seat.clone(),
        ports: ports.clone(),
        directory: directory.clone(),
        dial: way.dial.clone(),
        connector: way.tls.clone(),
        tls: Arc::new(tls),
        standing: standing.clone(),
        turns: AtomicUsize::new(0),
    })
}

/// The listeners of the mail services that run here.
fn doors(lab: &Lab, standing: &Topology) -> anyhow::Result<Vec<Door>> {
    let listen = &lab.seat.listen;
    let all = [
        (listen.imaps, Protocol::Imap, true),
        (listen.imap, Protocol::Imap, false),
        (listen.pops, Protocol::Pop, true),
        (listen.pop, Protocol::Pop, false),
    ];
    let runs = |protocol| MailFront::runs(standing, &lab.seat, protocol);
    let there = all.into_iter().filter(|(_, protocol, _)| runs(*protocol));
    there
        .filter_map(|(at, protocol, at_once)| Some((at?, protocol, at_once)))
        .map(|(at, protocol, at_once)| Ok(Door { listener: bind(at)?, protocol, at_once }))
        .collect()
}

/// The way to servers behind.
fn way(lab: &Lab, kept: Arc<Kept>, dial: Arc<Dial>) -> anyhow::Result<Arc<Way>> {
    let tls = TlsConnector::from(Arc::new(client_config(lab)?));
    Ok(Arc::new(Way { names: Names::of(lab)?, dial, tls, kept, octets: OnceLock::new() }))
}

/// The ports, some of them exchanged; their octets are those of the way behind from now on.
fn exchanged(ports: Ports, spoil: Option<Spoil>, way: &Way) -> Ports {
    let ports = match spoil {
        Some(spoil) => spoil(ports),
        None => ports,
    };
    way.octets.get_or_init(|| ports.bytes.clone());
    ports
}

/// Serves both listeners until told to stop.
async fn serve(
    server: Arc<impl Serves>,
    https: TcpListener,
    tls: Arc<ServerConfig>,
    http: TcpListener,
    stop: Waiting<'static, ()>,
) {
    let ending = CancellationToken::new();
    let taking = async {
        tokio::join!(
            front::take(https, Some(tls), server.clone(), ending.clone()),
            front::take(http, None, server.clone(), ending.clone()),
        )
    };
    let stopping = async {
        stop.await;
        ending.cancel();
    };
    tokio::join!(taking, stopping);
}

fn bind(at: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    front::listen(at).with_context(|| format!("cannot listen on {at}, which the seat was given"))
}

fn server_config(lab: &Lab) -> anyhow::Result<ServerConfig> {
    let certificate = &lab.seat.certificate;
    let chain = certificates(&certificate.chain)?;
    let key = PrivateKeyDer::from_pem_file(&certificate.key)
        .with_context(|| format!("{}: no private key can be read", certificate.key.display()))?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("the seat's certificate and key do not fit")?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn client_config(lab: &Lab) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&lab.ca)? {
        roots.add(certificate).with_context(|| format!("{}: not a root to trust", lab.ca.display()))?;
    }
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn certificates(file: &std::path::Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    read.with_context(|| format!("{}: no certificate can be read", file.display()))
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
