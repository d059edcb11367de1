//! A station: a process that is one server of one lab after another, and in the seat starts the subject.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use directory::Directory;
use exchange::{Faults, Listener, Machine, Stores, World};
use ledger::Ledger;
use ledger::line::{self, Line};
use ledger::way::Way;
use model::HostName;
use rustix::process::Signal;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::doorway::{Doorway, Reached};
use super::orders::{Opening, Order, Post, Program, Question, Said};
use super::subject::{Folders, Says, Subject};
use crate::ground::hold_at;
use crate::pki;
use crate::running::{listeners, rpc_listeners};

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
    /// The runner cannot be made this container's resolver.
    #[error("{}: {error}", file.display())]
    Resolver {
        /// The file that names it.
        file: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// The runner wants nothing of it.
    #[error("the runner sent it away: {0}")]
    NotWanted(String),
    /// The line to the runner broke.
    #[error("the runner cannot be understood: {0}")]
    Line(#[from] io::Error),
}

/// Reports at a door under a name, and carries out orders until the runner or `stop` ends it. A `resolver` is the file that
/// programs of this container read their resolver from: it is changed so that they ask the runner's.
///
/// # Errors
/// No door, one that lets nobody in under that word or name, or a line that breaks.
pub async fn take_places(
    door: &Doorway,
    name: &str,
    resolver: Option<PathBuf>,
    stop: CancellationToken,
) -> Result<(), StationError> {
    let reached = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        reached = door.reach() => reached?,
    };
    let Reached { mut stream, way } = reached;
    if let (Some(file), Way::Port(runner, _)) = (resolver, &way) {
        let text = format!("nameserver {}\noptions timeout:1 attempts:2\n", runner.ip());
        std::fs::write(&file, text).map_err(|error| StationError::Resolver { file, error })?;
    }
    line::write(&mut stream, &Opening::Station(name.to_owned())).await?;
    let (mut read, write) = tokio::io::split(stream);
    let says: Says = Arc::new(Mutex::new(Box::new(write)));
    let mut station = Station { way, says, place: None, subject: None, folders: Folders::default() };
    let ended = loop {
        let order = tokio::select! {
            () = stop.cancelled() => break Ok(()),
            order = line::read(&mut read) => order,
        };
        let order = match order {
            Ok(Some(Order::Go(why))) => break Err(StationError::NotWanted(why)),
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

struct Station {
    way: Way,
    says: Says,
    place: Option<Held>,
    subject: Option<Subject>,
    folders: Folders,
}

/// A server while it runs.
struct Held {
    world: Arc<World>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Station {
    async fn carries_out(&mut self, order: Order) -> Result<Option<u32>, String> {
        match order {
            Order::TakeUp(post) => {
                self.leaves().await;
                self.place = Some(take_up(&self.way, *post).map_err(|error| error.to_string())?);
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
                self.place
                    .as_ref()
                    .ok_or("it has no place in a lab")?
                    .world
                    .directory
                    .renew(facts.into_own());
            }
            Order::Have(piece) => self.folders.take(piece)?,
            Order::Run(program) => return self.runs(*program).await.map(Some),
            Order::Signal(number) => {
                if let (Some(subject), Some(signal)) = (&self.subject, Signal::from_named_raw(number)) {
                    subject.send(signal);
                }
            }
            // Who hears it goes, and carries out nothing any more.
            Order::Go(why) => return Err(why),
        }
        Ok(None)
    }

    async fn runs(&mut self, program: Program) -> Result<u32, String> {
        if let Some(subject) = self.subject.take() {
            subject.ends().await;
        }
        let apart = matches!(self.way, Way::Port(..));
        let (subject, pid) = Subject::start(program, apart, self.says.clone())?;
        self.subject = Some(subject);
        Ok(pid)
    }

    async fn leaves(&mut self) {
        if let Some(subject) = self.subject.take() {
            subject.ends().await;
        }
        self.folders.remove();
        let Some(Held { stop, mut tasks, .. }) = self.place.take() else { return };
        stop.cancel();
        crate::running::join(&mut tasks).await;
    }
}

fn take_up(way: &Way, post: Post) -> Result<Held, Box<dyn std::error::Error>> {
    let line = Line::to(way, &Opening::Lab(post.lab))?;
    let directory = Directory::over(post.facts.into_own(), line.clone());
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
