//! A station: a process that is one server of one lab after another, and in the seat starts the subject.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use directory::Directory;
use exchange::{Faults, Listener, Machine, Stores, World};
use ledger::Ledger;
use ledger::line::{self, Line};
use model::HostName;
use rustix::process::Signal;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::orders::{Opening, Order, Post, Program, Question, Said};
use crate::clock;
use crate::ground::hold_at;
use crate::pki;
use crate::running::{listeners, rpc_listeners};
use crate::seat::{Process, command};

/// Why a station ended early.
#[derive(Debug, thiserror::Error)]
pub enum StationError {
    /// No door to report at.
    #[error("no runner at {door}: {error}")]
    NoDoor {
        /// Where it was looked for.
        door: String,
        /// What the operating system says.
        error: io::Error,
    },
    /// The line to the runner broke.
    #[error("the runner cannot be understood: {0}")]
    Line(#[from] io::Error),
}

/// Reports at a door under a name, and carries out orders until the runner or `stop` ends it.
///
/// # Errors
/// No door, or a line that breaks.
pub async fn take_places(door: &Path, name: &str, stop: CancellationToken) -> Result<(), StationError> {
    let mut stream = reach(door).await?;
    line::write(&mut stream, &Opening::Station(name.to_owned())).await?;
    let (mut read, write) = stream.into_split();
    let mut station = Station { door, says: Arc::new(Mutex::new(write)), place: None, subject: None };
    let ended = loop {
        let order = tokio::select! {
            () = stop.cancelled() => break Ok(()),
            order = line::read(&mut read) => order,
        };
        let order = match order {
            Ok(Some(order)) => order,
            // The runner is gone, and with it every lab.
            Ok(None) => break Ok(()),
            Err(error) => break Err(error.into()),
        };
        let said = match station.carries_out(order).await {
            Ok(process) => Said::Done(process),
            Err(why) => Said::Refused(why),
        };
        if let Err(error) = line::write(&mut *station.says.lock().await, &said).await {
            break Err(error.into());
        }
    };
    station.leaves().await;
    ended
}

/// The runner may start later than its servers do.
pub(super) async fn reach(door: &Path) -> Result<UnixStream, StationError> {
    let mut attempts = clock::attempts();
    let reached = clock::within(clock::STATION_REPORTS, async {
        loop {
            attempts.tick().await;
            if let Ok(stream) = UnixStream::connect(door).await {
                return stream;
            }
        }
    });
    let too_late =
        || StationError::NoDoor { door: door.display().to_string(), error: io::ErrorKind::TimedOut.into() };
    reached.await.ok_or_else(too_late)
}

struct Station<'a> {
    door: &'a Path,
    says: Arc<Mutex<OwnedWriteHalf>>,
    place: Option<Held>,
    subject: Option<(Process, JoinSet<()>)>,
}

/// A server while it runs.
struct Held {
    world: Arc<World>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Station<'_> {
    async fn carries_out(&mut self, order: Order) -> Result<Option<u32>, String> {
        match order {
            Order::TakeUp(post) => {
                self.leaves().await;
                self.place = Some(take_up(self.door, *post).map_err(|error| error.to_string())?);
            }
            Order::Leave => self.leaves().await,
            Order::Fault(at, script) => {
                let world = &self.place.as_ref().ok_or("it has no place in a lab")?.world;
                match script {
                    Some(script) => world.faults.set(at, script),
                    None => world.faults.mend(at),
                }
            }
            Order::Renew(facts) => {
                self.place.as_ref().ok_or("it has no place in a lab")?.world.directory.renew(*facts);
            }
            Order::Run(program) => return self.runs(*program).await.map(Some),
            Order::Signal(number) => {
                if let (Some((process, _)), Some(signal)) = (&self.subject, Signal::from_named_raw(number)) {
                    process.send(signal);
                }
            }
        }
        Ok(None)
    }

    async fn runs(&mut self, program: Program) -> Result<u32, String> {
        if let Some((process, mut tells)) = self.subject.take() {
            process.kill();
            while tells.join_next().await.is_some() {}
        }
        let log = program.log.clone();
        let command = command(program, &[]).map_err(|error| format!("{}: {error}", log.display()))?;
        let process = Process::start(command).map_err(|error| error.to_string())?;
        let (mut status, says) = (process.status(), self.says.clone());
        let mut tells = JoinSet::new();
        tells.spawn(async move {
            use std::os::unix::process::ExitStatusExt;
            let Ok(Some(status)) = status.wait_for(Option::is_some).await.map(|ended| *ended) else { return };
            // A runner that is gone need not be told.
            drop(line::write(&mut *says.lock().await, &Said::Ended(status.into_raw())).await);
        });
        let pid = process.pid();
        self.subject = Some((process, tells));
        Ok(pid)
    }

    async fn leaves(&mut self) {
        if let Some((process, mut tells)) = self.subject.take() {
            process.kill();
            while tells.join_next().await.is_some() {}
        }
        let Some(Held { stop, mut tasks, .. }) = self.place.take() else { return };
        stop.cancel();
        crate::running::join(&mut tasks).await;
    }
}

fn take_up(door: &Path, post: Post) -> Result<Held, Box<dyn std::error::Error>> {
    let line = Line::to(door, &Opening::Lab(post.lab))?;
    let directory = Directory::over(post.facts, line.clone());
    let faults = Faults::default();
    for (at, script) in post.faults {
        faults.set(at, script);
    }
    for dictation in post.answers {
        faults.dictate(post.server.clone(), dictation.protocol, dictation.to, dictation.answers);
    }
    let topology = directory.topology();
    let server = topology.servers.get(&post.server).ok_or("no server of that lab")?;
    let tls = pki::server_config(&post.chain_pem, &post.key_pem)?;
    let mut held: Vec<Listener> = vec![];
    for address in &post.addresses {
        let listen = |port| {
            hold_at(SocketAddr::new(*address, port)).map_err(crate::running::io(format!(
                "{} cannot listen on {address} port {port}",
                post.server
            )))
        };
        held.extend(match post.seat {
            true => rpc_listeners(server, listen)?,
            false => listeners(server, &tls, listen)?,
        });
    }
    let source = *post.addresses.first().ok_or("no address")?;
    let names = line.clone();
    let world = Arc::new(World {
        ledger: Ledger::over(line),
        directory,
        dials: Arc::new(move |host: &HostName, port| {
            let leads: Option<std::net::IpAddr> = names.ask(&Question::Leads(host.clone()));
            Some(SocketAddr::new(leads?, port))
        }),
        trust: Arc::new(root(&post.root_pem)?),
        faults,
        stores: Stores::default(),
        routes: exchange::route::table(),
    });
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let machine = Machine { name: post.server, source, listeners: held };
    tasks.spawn(exchange::serve(world.clone(), machine, stop.clone()));
    Ok(Held { world, stop, tasks })
}

fn root(pem: &str) -> Result<RootCertStore, Box<dyn std::error::Error>> {
    let mut store = RootCertStore::empty();
    store.add(CertificateDer::from_pem_slice(pem.as_bytes())?)?;
    Ok(store)
}
