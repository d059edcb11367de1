//! A lab: planned, then running. Everything it starts it owns, and joins when it stops.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use directory::{Account, Directory};
use exchange::{Dictated, Script, Stores, World};
use ledger::{Lease, Ledger};
use model::case::{FaultAt, Typed};
use model::subject::Subject;
use model::{CaseId, MailboxName, Protocol, ServerName, Topology, View};
use tokio::sync::RwLock;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::dns::Names;
use crate::doors::{Doors, Opening};
use crate::ground::{Block, Dials, Ground, Place};
use crate::host::Books;
use crate::pki::Authority;
use crate::request_log::Reader;
use crate::seat::{self, SeatError};

mod listeners;
mod machines;
mod places;
mod rounds;
mod servers;
mod stationed;
mod steer;

pub(crate) use listeners::{listeners, rpc_listeners};
use machines::Machines;
use places::{last_words, read_requests};
use rounds::Rounds;
use servers::{Misbehaviour, Servers, Taken, Tools, misbehaviour};
use stationed::{Stationed, laid_out};
pub use steer::Since;

/// What a lab is to be.
pub struct Plan {
    /// The topology that is brought up.
    pub topology: Topology,
    /// Who sits in the seat, and the folder that its paths are relative to; nobody where `None`.
    pub subject: Option<(Subject, PathBuf)>,
    /// Who takes the front end's place where the seat is before it, likewise.
    pub front_end: Option<(Subject, PathBuf)>,
    /// Mailboxes that cases draw for themselves. None can be added later: a subject may hold static maps.
    pub leases: Vec<LeaseWanted>,
    /// Misbehaviour of servers.
    pub faults: Vec<(FaultAt, Script)>,
    /// Whether cases look at how the subject asks for the servers' health. Where none does, a subject that can is told
    /// not to ask.
    pub health_rounds: bool,
    /// What servers are told to answer.
    pub answers: Vec<AnswersWanted>,
    /// Servers that will move to another address: it is held for them from the start.
    pub moves: Vec<ServerName>,
    /// Where arrivals are recorded.
    pub ledger: Ledger,
    /// A folder of the lab's own: certificates, `lab.json`, the subject's files and logs.
    pub folder: PathBuf,
}

/// A mailbox that a case draws.
#[derive(Debug, Clone)]
pub struct LeaseWanted {
    /// The case.
    pub case: CaseId,
    /// The mailbox that it is to be like.
    pub mailbox: MailboxName,
    /// What its user is called and types, where that matters.
    pub typed: Option<Typed>,
}

/// What a server is told to answer to a case's user.
#[derive(Debug, Clone)]
pub struct AnswersWanted {
    /// The case.
    pub case: CaseId,
    /// Its user's mailbox, as the case calls it.
    pub mailbox: MailboxName,
    /// The server.
    pub server: ServerName,
    /// The protocol.
    pub protocol: Protocol,
    /// One an answer.
    pub answers: Vec<Dictated>,
}

/// Why a lab did not start, or did not last.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A lease that cannot be drawn.
    #[error("{0}")]
    Lease(String),
    /// A process for a place that the topology does not have.
    #[error("{0} is no position of this topology")]
    NoPlace(ServerName),
    /// A server's container that is not there, or does not do what it is told.
    #[error("{server}: {why}")]
    Station {
        /// The server.
        server: ServerName,
        /// What it says, or what is wrong with it.
        why: String,
    },
    /// No image can be started.
    #[error("no image can be started: {why}")]
    Engine {
        /// Why.
        why: String,
    },
    /// A whole round of pings that did not come.
    #[error("no health round within {within:?}: {missing}")]
    NoHealthRound {
        /// How long it was waited for.
        within: std::time::Duration,
        /// What was not asked, or not asked again.
        missing: String,
    },
    /// A fault that is none, or at no place of one.
    #[error("{0}")]
    NoFault(String),
    /// A server that was to move, and for which no other address was held, or no longer.
    #[error("no other address is held for {0}")]
    NotMoved(ServerName),
    /// The end of sessions was to be waited for, and nobody says when that is.
    #[error("who serves the logon page declares no owa-timeout")]
    NoOwaTimeout,
    /// A socket, a file, a folder.
    #[error("{what}: {error}")]
    Io {
        /// What was wanted.
        what: String,
        /// What the operating system says.
        error: std::io::Error,
    },
    /// No ground to stand on.
    #[error(transparent)]
    Ground(#[from] crate::ground::GroundError),
    /// A certificate that cannot be made.
    #[error(transparent)]
    Pki(#[from] crate::pki::PkiError),
    /// A subject that does not start.
    #[error(transparent)]
    Seat(#[from] SeatError),
}

pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> LabError {
    let what = what.into();
    move |error| LabError::Io { what, error }
}

/// A lab while it runs. Call [`Lab::stop`]: it joins what it spawned.
pub struct Lab {
    ledger: Ledger,
    directory: Directory,
    accounts: BTreeMap<(CaseId, MailboxName), Account>,
    addresses: BTreeMap<ServerName, Place>,
    names: Names,
    block: Block,
    authority: Authority,
    doors: Doors,
    /// Where a front end behind the seat tells what came to it, where there is one.
    request_log: Option<SocketAddr>,
    folder: PathBuf,
    rounds: Rounds,
    /// Held to be written while it is told to read its files again.
    subject: RwLock<Option<seat::Running>>,
    front_end: Option<seat::Running>,
    /// What the front end, in the seat or behind it, declares of its sessions.
    owa_timeout: Option<Duration>,
    machines: Servers,
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

/// Host numbers in a lab's block of addresses.
pub(crate) const DNS_INTERNAL: u8 = 2;
pub(crate) const DNS_EXTERNAL: u8 = 3;
pub(crate) const DIRECTORY: u8 = 4;
const REQUEST_LOG: u8 = 5;
const CLIENT_INTERNAL: u8 = 6;
pub(crate) const CLIENT_EXTERNAL: u8 = 7;

impl Lab {
    /// Brings a lab up. When it returns, every server listens and the subject is ready.
    ///
    /// # Errors
    /// What could not be had, and where. What was started is stopped again.
    pub async fn start(ground: &Ground, plan: Plan) -> Result<Lab, LabError> {
        let topology = plan.topology;
        let block = ground.claim(topology.positions().count() + plan.moves.len())?;
        let authority = Authority::new()?;
        std::fs::create_dir_all(&plan.folder).map_err(io(plan.folder.display().to_string()))?;
        let mut free = (0..).map_while(|number| block.of_server(number));
        let addresses: BTreeMap<ServerName, Place> = match ground.planes() {
            Some(planes) => laid_out(planes, &topology)?,
            None => topology.positions().cloned().zip(free.by_ref().map(Place::everywhere)).collect(),
        };
        let names = Names::of(&topology, |view, server| addresses[server].seen_from(view));
        let directory = Directory::new(topology.clone());
        let accounts = lease(&directory, &plan.ledger, &plan.leases)?;
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let doors = Opening {
            block: &block,
            authority: &authority,
            names: &names,
            directory: &directory,
            ledger: &plan.ledger,
            stop: &stop,
        };
        let doors = doors.open(&mut tasks)?;
        let front_end =
            plan.front_end.as_ref().zip(topology.front_end.as_ref()).map(|(_, place)| &place.server);
        let request_log = match front_end {
            Some(server) => {
                let reader = Reader::new(server.clone(), plan.ledger.clone(), directory.clone());
                Some(read_requests(&block, reader, &stop, &mut tasks)?)
            }
            None => None,
        };
        let tools = Tools { topology: &topology, authority: &authority, addresses: &addresses };
        let misbehaves = misbehaviour(plan.faults, plan.answers, &accounts);
        let mut posts = vec![];
        for (name, server) in &topology.servers {
            let seat = (*name == topology.seat && plan.subject.is_some()) || Some(name) == front_end;
            posts.push(Taken { name, server, seat, moves: !seat && plan.moves.contains(name) });
        }
        let machines = match ground.planes() {
            Some(planes) => {
                let books =
                    Books { ledger: plan.ledger.clone(), directory: directory.clone(), names: names.clone() };
                match Stationed::start(planes.clone(), books, &tools, &posts, &misbehaves).await {
                    Ok(stationed) => Servers::There(stationed),
                    Err(error) => {
                        // The next lab opens its doors at the same addresses.
                        stop.cancel();
                        join(&mut tasks).await;
                        return Err(error);
                    }
                }
            }
            None => {
                let world = world(&plan.ledger, &directory, &authority, &names, block.dials(), misbehaves);
                let mut machines = Machines::new(world, &stop);
                for post in posts {
                    machines.start(tools.machine(&block, &post, addresses[post.name].inside)?);
                    if post.moves
                        && let Some(address) = free.next()
                    {
                        machines.hold(address, tools.machine(&block, &post, address)?);
                    }
                }
                Servers::Here(machines)
            }
        };
        let rounds = Rounds::of(plan.subject.as_ref().map(|(subject, _)| subject), plan.health_rounds);
        let logon_page = plan.front_end.as_ref().or(plan.subject.as_ref());
        let owa_timeout = logon_page.and_then(|(subject, _)| subject.declares.owa_timeout);
        let mut lab = Lab {
            ledger: plan.ledger,
            directory,
            accounts,
            addresses,
            names,
            block,
            authority,
            doors,
            request_log,
            folder: plan.folder,
            rounds,
            subject: RwLock::new(None),
            front_end: None,
            owa_timeout: owa_timeout.map(|span| span.0),
            machines,
            tasks,
            stop,
        };
        match Box::pin(lab.fill_places(plan.subject, plan.front_end)).await {
            Ok(()) => Ok(lab),
            Err(error) => {
                Box::pin(lab.stop()).await;
                Err(error)
            }
        }
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The directory.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The mailbox that a case drew.
    pub fn account(&self, case: &CaseId, mailbox: &MailboxName) -> Option<&Account> {
        self.accounts.get(&(case.clone(), mailbox.clone()))
    }

    /// Who sits at an address, before a move or after.
    pub fn positions(&self) -> BTreeMap<IpAddr, ServerName> {
        let all = self.everywhere();
        all.flat_map(|(name, place)| place.all().map(|address| (address, name.clone()))).collect()
    }

    /// Every server's address, and the other one of those that move.
    fn everywhere(&self) -> impl Iterator<Item = (&ServerName, &Place)> {
        self.addresses.iter().chain(self.machines.elsewhere())
    }

    /// Where a server is inside, before it moves.
    pub fn address(&self, server: &ServerName) -> Option<IpAddr> {
        self.addresses.get(server).map(|place| place.inside)
    }

    /// Where a view's clients reach a server before it moves: outside by its address there, where it has one.
    pub fn address_in(&self, view: View, server: &ServerName) -> Option<IpAddr> {
        self.addresses.get(server).map(|place| place.seen_from(view))
    }

    /// The address that clients of a view dial from.
    pub fn client_address(&self, view: View) -> IpAddr {
        let number = match view {
            View::Internal => CLIENT_INTERNAL,
            View::External => CLIENT_EXTERNAL,
        };
        self.block.source(self.block.address(number))
    }

    /// Where it can be reached beside its servers.
    pub fn doors(&self) -> Doors {
        self.doors
    }

    /// Canonical addresses to where they really lead.
    pub fn dials(&self) -> Dials {
        self.block.dials()
    }

    /// The DNS records, which can be changed.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// What servers do wrong now: each place of a fault, and what is left of its script.
    pub fn faults(&self) -> Vec<(FaultAt, Vec<String>)> {
        self.machines.faults().all()
    }

    /// Whose certificates clients trust.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The lab's folder.
    pub fn folder(&self) -> &PathBuf {
        &self.folder
    }

    /// How long a browser's session lives, as who serves the logon page declares it.
    pub fn session_life(&self) -> Option<Duration> {
        self.owa_timeout
    }

    /// How the subject ended, if it did, and its last words. While it is started again it has not.
    pub fn subject_died(&self) -> Option<String> {
        self.subject.try_read().ok()?.as_ref().and_then(last_words)
    }

    /// The process of the subject; none while it is started again.
    pub fn subject_pid(&self) -> Option<u32> {
        self.subject.try_read().ok()?.as_ref().map(seat::Running::pid)
    }

    /// The address that the subject dials from.
    pub fn subject_address(&self) -> Option<IpAddr> {
        Some(self.block.source(self.address(&self.directory.topology().seat)?))
    }

    /// Waits until the subject has ended. Who sits there not at all never ends.
    pub async fn subject_dies(&self) {
        let died = self.subject.read().await.as_ref().map(seat::Running::died);
        match died {
            Some(died) => drop(died.await),
            None => std::future::pending().await,
        }
    }

    /// Has the subject read its files again, with the facts as they are now, in the way that its own file says, and says what
    /// was done.
    ///
    /// # Errors
    /// As for its start; it is then at its end.
    pub async fn reload_subject(&self) -> Result<seat::Reloaded, LabError> {
        let mut seated = self.subject.write().await;
        let Some(subject) = seated.as_mut() else { return Ok(seat::Reloaded::Left) };
        let facts = self.facts_now(subject.facts());
        Ok(subject.reload(facts).await?)
    }

    /// Stops the subject alone, and says how it came to its end.
    pub async fn stop_subject(&mut self) -> Option<seat::Stopped> {
        Some(self.subject.get_mut().take()?.stop().await)
    }

    /// A server that is gone though nobody stopped it: its container has ended.
    pub fn server_died(&self) -> Option<String> {
        self.machines.lost().map(container_ended)
    }

    /// Waits until a server is gone though nobody stopped it, and says which. Where servers are tasks of this process none ever
    /// is.
    pub async fn server_dies(&self) -> String {
        container_ended(self.machines.loses().await)
    }

    /// How the front end behind the seat ended, if it did, and its last words.
    pub fn front_end_died(&self) -> Option<String> {
        self.front_end.as_ref().and_then(last_words)
    }

    /// Stops the subject, what stands behind it, then every server, and joins them; says how the subject came to its end,
    /// where it was still there. A panic of a server is raised again.
    pub async fn stop(mut self) -> Option<seat::Stopped> {
        let ended = self.stop_subject().await;
        if let Some(front_end) = self.front_end.take() {
            front_end.stop().await;
        }
        self.stop.cancel();
        self.machines.join().await;
        join(&mut self.tasks).await;
        ended
    }
}

fn container_ended(name: String) -> String {
    format!("the container of {name} has ended")
}

/// Waits for all of them. A panic of one is raised again.
pub(crate) async fn join(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}
fn lease(
    directory: &Directory,
    ledger: &Ledger,
    wanted: &[LeaseWanted],
) -> Result<BTreeMap<(CaseId, MailboxName), Account>, LabError> {
    let mut accounts = BTreeMap::new();
    for lease in wanted {
        let account =
            directory.lease(&lease.case, &lease.mailbox, lease.typed.as_ref()).map_err(LabError::Lease)?;
        ledger.lease(Lease {
            case: lease.case.clone(),
            mailbox: account.name.clone(),
            forms: account.forms(),
        });
        accounts.insert((lease.case.clone(), lease.mailbox.clone()), account);
    }
    Ok(accounts)
}

fn world(
    ledger: &Ledger,
    directory: &Directory,
    authority: &Authority,
    names: &Names,
    dials: Dials,
    misbehaves: Misbehaviour,
) -> Arc<World> {
    let faults = exchange::Faults::default();
    for (at, script) in misbehaves.scripts {
        faults.set(at, script);
    }
    for (server, dictation) in misbehaves.dictated {
        faults.dictate(server, dictation.protocol, dictation.to, dictation.answers);
    }
    let names = names.clone();
    Arc::new(World {
        ledger: ledger.clone(),
        directory: directory.clone(),
        dials: Arc::new(move |host, port| {
            let address = names.addresses(View::Internal, host).first().copied()?;
            Some(dials.real(address, port))
        }),
        trust: authority.root_store(),
        faults,
        stores: Stores::default(),
        routes: exchange::route::table(),
    })
}
