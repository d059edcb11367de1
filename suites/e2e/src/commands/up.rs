//! `coexist up`: leaves a lab running for people, and says how to get at it, what comes, and how it is steered.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use lab::ground::{self, Ground, GroundKind};
use lab::{Lab, LabError, Plan};
use ledger::Ledger;
use model::Topology;
use model::subject::{Span, Subject};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

#[cfg(not(feature = "docker"))]
use super::no_container_host;
use super::{Host, laid, say};
use crate::exit::Exit;
use crate::lab_of;
use crate::suite::Suite;
use crate::up::doors::{self, Door, Ways};
use crate::up::listener::{self, Desk};
use crate::up::live::{self, Live};
use crate::up::outside::Outside;
use crate::up::printout::Facts;
use crate::up::register::Entry;

#[cfg(feature = "docker")]
mod contained;

/// What `up` takes.
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct Up {
    /// The topology that is brought up, by name or path: coexistence, or coexistence+pairs.
    #[arg(long, value_name = "T", default_value = "coexistence")]
    topology: String,
    /// Who sits in the seat, by name or path; the reference of the topology's role where it is not given.
    #[arg(long, value_name = "S")]
    subject: Option<String>,
    /// Where the servers run: in-process, or docker, each in a container of its own.
    #[arg(long, value_name = "HOST", default_value = "in-process")]
    host: Host,
    /// The ground: own, machine or mapped; the best that can be had where it is not given.
    #[arg(long, value_parser = super::ground)]
    ground: Option<GroundKind>,
    /// Has the subject ask older servers for their health: the reference every ten seconds, any other as it declares.
    #[arg(long)]
    pings: bool,
}

const AFTER: &str = "Ctrl-C or TERM ends the lab: that is its usual end, with code 0.\n\n\
Examples:\n  coexist up\n  coexist up --topology pre-e15 --subject mine/my-proxy.toml\n  \
coexist up --host docker                                  (servers are containers, reached by their own addresses)\n  \
coexist exec -- curl -L https://mail.contoso.com/owa/     (in another terminal)\n  coexist steer move red db2013-s1";

pub(super) fn up(root: &Path, options: &Up) -> Exit {
    inner(root, options).unwrap_or_else(|exit| exit)
}

fn inner(root: &Path, options: &Up) -> Result<Exit, Exit> {
    if options.host == Host::Docker {
        #[cfg(feature = "docker")]
        return contained::up(root, options);
        #[cfg(not(feature = "docker"))]
        return Err(no_container_host("up"));
    }
    let Asked { topology, mut subject, front_end } = asked(root, options)?;
    if options.subject.is_none() {
        unhurried(&mut subject.0);
    }
    let doors = doors::of(&topology);
    let stands = Stands::of(options, doors.len())?;
    let folder = say::Folder::make()?;
    let called = subject.0.name.clone();
    let plan = Plan {
        topology,
        subject: Some(subject),
        front_end,
        leases: vec![],
        faults: vec![],
        health_rounds: options.pings,
        answers: vec![],
        moves: vec![],
        ledger: Ledger::keeping(KEPT),
        folder: folder.path().join("lab"),
    };
    let runtime = say::runtime()?;
    let ended = runtime.block_on(async {
        let stop = say::interrupted();
        let Stands { standing, outside, layout } = stands;
        let open = laid::open(standing, &stop).await?;
        let at = At { ground: &open.ground, outside, layout };
        let ended = up_and_down(at, plan, &called, doors, folder.path(), &stop).await;
        open.close().await;
        ended
    });
    // Nobody waits for what a thread of the runtime may still look up.
    runtime.shutdown_background();
    ended
}

/// Brings the lab up, lives in it, and takes it down.
async fn up_and_down(
    at: At<'_>,
    plan: Plan,
    called: &str,
    doors: Vec<Door>,
    folder: &Path,
    stop: &CancellationToken,
) -> Result<Exit, Exit> {
    let At { ground, outside, layout } = at;
    let sockets = Sockets::of(ground, outside).map_err(|error| broken(folder, error))?;
    let started = tokio::select! {
        () = stop.cancelled() => return Err(Exit::Interrupted),
        started = Lab::start(ground, plan) => started,
    };
    let lab = Arc::new(started.map_err(|error: LabError| broken(folder, error))?);
    let mut tasks = JoinSet::new();
    let lives = Lives { folder, ground, layout: layout.as_deref(), called };
    let ended = lives.live(&lab, sockets, doors, stop, &mut tasks).await;
    stop.cancel();
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
    if let Some(lab) = Arc::into_inner(lab) {
        lab.stop().await;
    }
    ended
}

/// What is to be brought up.
struct Asked {
    topology: Topology,
    subject: (Subject, PathBuf),
    front_end: Option<(Subject, PathBuf)>,
}

/// Reads it, or says what is wrong with it.
fn asked(root: &Path, options: &Up) -> Result<Asked, Exit> {
    let suite = say::suite(root)?;
    let topology =
        suite.topology(&options.topology, &Default::default()).map_err(|error| say::suite_error(&error))?;
    let name = options.subject.clone().unwrap_or_else(|| Suite::reference_for(topology.role).to_owned());
    let subject = suite.subject(&name).map_err(|error| say::suite_error(&error))?;
    let front_end = lab_of::front_end(&suite, &topology).map_err(|error| say::suite_error(&error))?;
    Ok(Asked { topology, subject, front_end })
}

/// Where the lab is, once its servers' door is open.
struct At<'a> {
    ground: &'a Ground,
    outside: Option<ground::Outside>,
    layout: Option<PathBuf>,
}

/// What the lab will stand on.
struct Stands {
    standing: laid::Standing,
    /// Sockets on the loopback of this machine; none where it reaches the lab itself.
    outside: Option<ground::Outside>,
    /// Where everybody is, where servers are containers.
    layout: Option<PathBuf>,
}

impl Stands {
    fn of(options: &Up, doors: usize) -> Result<Stands, Exit> {
        if let Host::Laid(layout) = &options.host {
            let standing = laid::ground(layout)?;
            return Ok(Stands { standing, outside: None, layout: Some(layout.clone()) });
        }
        if let Host::Expected(_) = &options.host {
            say::error(
                "servers that come over a network are for `e2e`: leave --host out, or say --host docker",
            );
            return Err(Exit::BadInput);
        }
        let wanted = ground::Wanted { listeners: doors + 1, dns: 2 };
        let (ground, outside) = say::ground_with_outside(options.ground, wanted)?;
        Ok(Stands { standing: laid::Standing::On(ground), outside: Some(outside), layout: None })
    }
}

/// Arrivals that a lab keeps which may run for days, and DNS queries: more than people are shown who come late.
const KEPT: usize = 10_000;

/// Between two rounds in which our reference asks servers for their health.
const BETWEEN_ROUNDS: Duration = Duration::from_secs(10);

/// The reference is in a hurry, so that cases need not wait long: a browser's session dies within seconds, and health is asked
/// for twice a second. For people it has the hour that it takes when it is not told, and time between rounds.
fn unhurried(reference: &mut Subject) {
    let command = &mut reference.run.command;
    if let Some(at) = command.iter().position(|word| word == "--owa-timeout") {
        command.drain(at..(at + 2).min(command.len()));
    }
    reference.declares.owa_timeout = None;
    reference.declares.health_interval = Some(Span(BETWEEN_ROUNDS));
}

/// What listens for people.
struct Sockets {
    steering: TcpListener,
    /// Where they do not reach the lab itself.
    outside: Option<Relays>,
}

/// What leads into the lab from outside.
struct Relays {
    doors: Vec<TcpListener>,
    dns: Vec<(UdpSocket, TcpListener)>,
}

impl Sockets {
    /// Call it within a runtime.
    fn of(ground: &Ground, outside: Option<ground::Outside>) -> io::Result<Sockets> {
        let none = || io::Error::other("no socket for steering");
        let Some(outside) = outside else {
            let planes = ground.planes().ok_or_else(none)?;
            return Ok(Sockets { steering: planes.listen()?, outside: None });
        };
        let (mut doors, dns) = outside.into_sockets()?;
        let steering = doors.pop().ok_or_else(none)?;
        Ok(Sockets { steering, outside: Some(Relays { doors, dns }) })
    }
}

/// A lab that is up, while people are at it.
struct Lives<'a> {
    folder: &'a Path,
    ground: &'a Ground,
    layout: Option<&'a Path>,
    called: &'a str,
}

impl Lives<'_> {
    /// Opens every door, says how to get in, and tells what comes until it is over.
    async fn live(
        &self,
        lab: &Arc<Lab>,
        sockets: Sockets,
        doors: Vec<Door>,
        stop: &CancellationToken,
        tasks: &mut JoinSet<()>,
    ) -> Result<Exit, Exit> {
        let broken = |error: io::Error| broken(self.folder, error);
        let live = Live::new();
        let steering = sockets.steering.local_addr().map_err(broken)?;
        let outside = match self.layout {
            Some(layout) => Outside::beside(layout).await.map_err(broken)?,
            None => Outside::Here,
        };
        let (ways, dns) = match sockets.outside {
            Some(relays) => relays.lead_in(lab, doors, &live, stop, tasks).map_err(broken)?,
            None => (Ways::Straight(doors), [lab.doors().dns_external, lab.doors().dns_internal]),
        };
        let facts = Arc::new(Facts {
            lab: lab.clone(),
            entry: self.entry(lab, steering, &outside),
            subject: self.called.to_owned(),
            ground: self.ground.kind(),
            ways,
            dns,
            folder: self.folder.to_owned(),
            seen: outside.sees(self.folder),
        });
        let desk = Arc::new(Desk::new(facts.clone(), live.clone(), stop.clone()));
        // A program that has joined the lab's own network finds it too.
        if let Some(inside) = self.ground.listen_inside_too(steering).map_err(broken)? {
            tasks.spawn(listener::serve(inside, desk.clone()));
        }
        tasks.spawn(listener::serve(sockets.steering, desk));
        let machine = self.ground.planes().and_then(|planes| planes.machine()).cloned();
        tasks.spawn(live::hear(lab.clone(), machine, live.clone(), stop.clone()));
        facts.write_files().map_err(broken)?;
        let _held = outside.enter(self.folder, &facts.entry).await.map_err(broken)?;
        let (_, coming) = live.listen(u64::MAX);
        let mut paper = Paper(true);
        paper.print(&facts.printout());
        let died = tokio::select! {
            () = stop.cancelled() => return Ok(Exit::AsExpected),
            () = paper.tell(coming) => return Ok(Exit::AsExpected),
            () = lab.subject_dies() => {
                format!("{} has ended, and with it the lab: {}", self.called, lab.subject_died().unwrap_or_default())
            }
            server = lab.server_dies() => format!("{server}, and with it the lab"),
        };
        say::error(died);
        Err(Exit::Broken)
    }

    fn entry(&self, lab: &Lab, steering: std::net::SocketAddr, outside: &Outside) -> Entry {
        let topology = lab.directory().topology().name.clone();
        let process = outside.process();
        Entry {
            lab: format!("{topology}-{process}"),
            process,
            topology,
            ground: self.ground.kind().as_str().to_owned(),
            steering,
            token: listener::word(),
            ca: outside.sees(&lab.folder().join("ca.pem")),
            dns_internal: lab.doors().dns_internal,
            dns_external: lab.doors().dns_external,
        }
    }
}

impl Relays {
    /// Serves them; says where each door is, and DNS of the external view and of the internal one.
    fn lead_in(
        self,
        lab: &Arc<Lab>,
        doors: Vec<Door>,
        live: &Live,
        stop: &CancellationToken,
        tasks: &mut JoinSet<()>,
    ) -> io::Result<(Ways, [std::net::SocketAddr; 2])> {
        let mut opened = vec![];
        for (door, listener) in doors.into_iter().zip(self.doors) {
            opened.push((door.clone(), listener.local_addr()?));
            tasks.spawn(doors::lead_in(lab.clone(), door, listener, live.clone(), stop.clone()));
        }
        let mut dns = [lab.doors().dns_external, lab.doors().dns_internal];
        let views = [model::View::External, model::View::Internal];
        for ((view, at), (udp, tcp)) in views.into_iter().zip(&mut dns).zip(self.dns) {
            *at = udp.local_addr()?;
            let (names, ledger, stop) = (lab.names().clone(), lab.ledger().clone(), stop.clone());
            tasks.spawn(async move {
                if let Err(error) = lab::dns::serve(view, names, udp, tcp, ledger, stop).await {
                    say::error(error);
                }
            });
        }
        Ok((Ways::Opened(opened), dns))
    }
}

/// Standard output, until it takes no more: a lab outlives the pipe that it was shown through.
struct Paper(bool);

impl Paper {
    fn print(&mut self, text: &str) {
        let mut out = io::stdout().lock();
        if self.0
            && let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush())
        {
            self.0 = false;
            say::error(format!("standard output takes no more ({error}); the lab goes on, Ctrl-C ends it"));
        }
    }

    /// Prints what comes, a line each.
    async fn tell(&mut self, mut coming: tokio::sync::broadcast::Receiver<Arc<live::Told>>) {
        loop {
            match coming.recv().await {
                Ok(told) => {
                    if let Some(line) = live::line(&told) {
                        self.print(&format!("{line}\n"));
                    }
                }
                Err(RecvError::Lagged(count)) => {
                    self.print(&format!("{count} lines came too fast to be printed\n"))
                }
                Err(RecvError::Closed) => return,
            }
        }
    }
}

/// Says why there is no lab; of a disk that is full, what to do.
fn broken(folder: &Path, error: impl std::fmt::Display) -> Exit {
    say::error(error);
    // Less than a lab needs for its keys and the subject's facts.
    const LITTLE: u64 = 1 << 20;
    if let Ok(disk) = rustix::fs::statvfs(folder)
        && disk.f_bavail * disk.f_frsize < LITTLE
    {
        let folder = folder.display();
        say::error(format!(
            "the disk of {folder} is full: free some of it, or let TMPDIR name a folder on another"
        ));
    }
    Exit::Broken
}
