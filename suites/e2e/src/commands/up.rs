//! `coexist up`: leaves a lab running for people, and says how to get at it, what comes, and how it is steered.

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use lab::ground::{Ground, GroundKind, Outside, Wanted};
use lab::{Lab, LabError, Plan};
use ledger::Ledger;
use model::subject::{Span, Subject};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Host, say};
use crate::exit::Exit;
use crate::lab_of;
use crate::suite::Suite;
use crate::up::doors::{self, Door};
use crate::up::listener::{self, Desk};
use crate::up::live::{self, Live};
use crate::up::printout::{self, Facts};
use crate::up::register::{self, Entry, Registered};

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
    /// Where the servers run.
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
coexist exec -- curl -L https://mail.contoso.com/owa/     (in another terminal)\n  coexist steer move red db2013-s1";

pub(super) fn up(root: &Path, options: &Up) -> Exit {
    inner(root, options).unwrap_or_else(|exit| exit)
}

fn inner(root: &Path, options: &Up) -> Result<Exit, Exit> {
    if options.host != Host::InProcess {
        say::error("a lab that is left running has its servers in this process: leave --host out");
        return Err(Exit::BadInput);
    }
    let suite = say::suite(root)?;
    let topology =
        suite.topology(&options.topology, &Default::default()).map_err(|error| say::suite_error(&error))?;
    let name = options.subject.clone().unwrap_or_else(|| Suite::reference_for(topology.role).to_owned());
    let mut subject = suite.subject(&name).map_err(|error| say::suite_error(&error))?;
    if options.subject.is_none() {
        unhurried(&mut subject.0);
    }
    let front_end = lab_of::front_end(&suite, &topology).map_err(|error| say::suite_error(&error))?;
    let doors = doors::of(&topology);
    let wanted = Wanted { listeners: doors.len() + 1, dns: 2 };
    let (ground, outside) = say::ground_with_outside(options.ground, wanted)?;
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
        ledger: Ledger::default(),
        folder: folder.path().join("lab"),
    };
    let runtime = say::runtime()?;
    let ended = runtime.block_on(async {
        let stop = say::interrupted();
        let outside = Sockets::of(outside).map_err(|error| broken(folder.path(), error))?;
        let started = tokio::select! {
            () = stop.cancelled() => return Err(Exit::Interrupted),
            started = Lab::start(&ground, plan) => started,
        };
        let lab = Arc::new(started.map_err(|error: LabError| broken(folder.path(), error))?);
        let mut tasks = JoinSet::new();
        let lives = Lives { folder: folder.path(), ground: &ground, called: &called };
        let ended = lives.live(&lab, outside, doors, &stop, &mut tasks).await;
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
    });
    // Nobody waits for what a thread of the runtime may still look up.
    runtime.shutdown_background();
    ended
}

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

/// The sockets outside, by what they are for.
struct Sockets {
    steering: TcpListener,
    doors: Vec<TcpListener>,
    dns: Vec<(UdpSocket, TcpListener)>,
}

impl Sockets {
    fn of(outside: Outside) -> io::Result<Sockets> {
        let (mut listeners, dns) = outside.into_sockets()?;
        let steering = listeners.pop().ok_or_else(|| io::Error::other("no socket for steering"))?;
        Ok(Sockets { steering, doors: listeners, dns })
    }
}

/// A lab that is up, while people are at it.
struct Lives<'a> {
    folder: &'a Path,
    ground: &'a Ground,
    called: &'a str,
}

impl Lives<'_> {
    /// Opens every door, says how to get in, and tells what comes until it is over.
    async fn live(
        &self,
        lab: &Arc<Lab>,
        outside: Sockets,
        doors: Vec<Door>,
        stop: &CancellationToken,
        tasks: &mut JoinSet<()>,
    ) -> Result<Exit, Exit> {
        let broken = |error: io::Error| broken(self.folder, error);
        let live = Live::new();
        let steering = outside.steering.local_addr().map_err(broken)?;
        let entry = self.entry(lab, steering);
        let mut opened = vec![];
        for (door, listener) in doors.into_iter().zip(outside.doors) {
            opened.push((door.clone(), listener.local_addr().map_err(broken)?));
            tasks.spawn(doors::lead_in(lab.clone(), door, listener, live.clone(), stop.clone()));
        }
        let mut dns = [steering; 2];
        let views = [model::View::External, model::View::Internal];
        for ((view, at), (udp, tcp)) in views.into_iter().zip(&mut dns).zip(outside.dns) {
            *at = udp.local_addr().map_err(broken)?;
            let (names, ledger, stop) = (lab.names().clone(), lab.ledger().clone(), stop.clone());
            tasks.spawn(async move {
                if let Err(error) = lab::dns::serve(view, names, udp, tcp, ledger, stop).await {
                    say::error(error);
                }
            });
        }
        let desk = Desk::new(lab.clone(), live.clone(), steering, entry.token.clone(), stop.clone());
        let desk = Arc::new(desk);
        // A program that has joined the lab's own network finds it too.
        if let Some(inside) = self.ground.listen_inside_too(steering).map_err(broken)? {
            tasks.spawn(listener::serve(inside, desk.clone()));
        }
        tasks.spawn(listener::serve(outside.steering, desk));
        tasks.spawn(live::hear(lab.clone(), live.clone(), stop.clone()));
        let facts = Facts {
            lab,
            entry: &entry,
            subject: self.called,
            ground: self.ground.kind(),
            doors: &opened,
            dns,
            folder: self.folder,
        };
        for (path, content) in printout::files(&facts) {
            std::fs::write(path, content).map_err(broken)?;
        }
        let _registered: Registered = register::enter(self.folder, &entry).map_err(broken)?;
        let (_, coming) = live.listen(u64::MAX);
        let mut paper = Paper(true);
        paper.print(&printout::printout(&facts));
        tokio::select! {
            () = stop.cancelled() => Ok(Exit::AsExpected),
            () = paper.tell(coming) => Ok(Exit::AsExpected),
            () = lab.subject_dies() => {
                let died = lab.subject_died().unwrap_or_default();
                say::error(format!("{} has ended, and with it the lab: {died}", self.called));
                Err(Exit::Broken)
            }
        }
    }

    fn entry(&self, lab: &Lab, steering: std::net::SocketAddr) -> Entry {
        let topology = lab.directory().topology().name.clone();
        let process = std::process::id();
        Entry {
            lab: format!("{topology}-{process}"),
            process,
            topology,
            ground: self.ground.kind().as_str().to_owned(),
            steering,
            token: listener::word(),
            ca: lab.folder().join("ca.pem"),
            dns_internal: lab.doors().dns_internal,
            dns_external: lab.doors().dns_external,
        }
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
