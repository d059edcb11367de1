//! A run in containers, from outside.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use lab::clock::within;
use lab::ground::Layout;
use lab::host::{Door, start_images};
use model::ServerName;
use testcontainers::bollard::container::LogOutput;
use testcontainers::bollard::errors::Error;
use testcontainers::bollard::models::ContainerWaitResponse;
use testcontainers::bollard::query_parameters::{
    AttachContainerOptionsBuilder, KillContainerOptionsBuilder, WaitContainerOptions,
};
use tokio::task::JoinSet;
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::engine::{Container, Engine, HostError, Networks, OWNER, RUN, deepest, refused};
use crate::folders::{FOLDERS, OWNED_BY, SHARED, reap_folders, remove_folders};
use crate::owner::Owner;
use crate::subject::Subjects;
use crate::{Addresses, Positions};

/// Where the run's folder is in every container: the door, the labs' folders, where everybody is.
pub const FOLDER: &str = "/coexist-run";
/// The file there that says where everybody is.
pub const LAYOUT: &str = "/coexist-run/layout.json";
/// The runner's container, beside those that are called after servers.
const RUNNER: &str = "runner";

/// A folder or file of this machine that a container is to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where it is here.
    pub from: PathBuf,
    /// Where it is there.
    pub to: PathBuf,
    /// Whether it may only be read.
    pub read_only: bool,
}

/// A run's folder, as it is on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Here {
    /// The folder itself, which no container sees.
    pub folder: PathBuf,
    /// What of it containers see as [`FOLDER`].
    pub shared: PathBuf,
}

/// What is to run in containers.
#[derive(Debug)]
pub struct Wanted {
    /// The static binary.
    pub binary: PathBuf,
    /// Every position that some lab needs.
    pub positions: Positions,
    /// What the inner half is started with.
    pub arguments: Vec<String>,
    /// Its environment.
    pub env: Vec<String>,
    /// What of this machine it sees.
    pub mounts: Vec<Mount>,
}

/// Runs it, relays what the inner half says, and returns its exit code. Nothing of it is left when this returns, and nothing of
/// an earlier run whose owner is gone. What runs `beside` on this machine is made before the inner half starts, and told when that
/// one has ended.
///
/// # Errors
/// No engine, one that refuses or is gone, a disk that is full, an inner half that was killed.
pub async fn run<B>(
    wanted: Wanted,
    beside: impl FnOnce(Here, CancellationToken) -> B,
    stop: CancellationToken,
) -> Result<u8, HostError>
where
    B: Future<Output = ()> + Send + 'static,
{
    let engine = Engine::find().await?;
    engine.reap_the_dead().await?;
    reap_folders(&std::env::temp_dir());
    let owner = Owner::this().map_err(file(Path::new("/proc")))?;
    let run = format!("coexist-{}-{:04x}", owner.pid(), clock::now() & 0xffff);
    let folder = Folder::make(&owner, &run)?;
    let ended = Run { engine: &engine, name: &run, owner, folder: &folder }.ends(wanted, beside, stop).await;
    let reaped = engine.reap(&run).await;
    // The first thing that went wrong is what there is to say.
    let code = ended.map_err(|error| error.in_the_middle_of(&run))?;
    reaped.map(|()| code)
}

struct Run<'a> {
    engine: &'a Engine,
    name: &'a str,
    owner: Owner,
    folder: &'a Folder,
}

impl Run<'_> {
    async fn ends<B>(
        &self,
        wanted: Wanted,
        beside: impl FnOnce(Here, CancellationToken) -> B,
        stop: CancellationToken,
    ) -> Result<u8, HostError>
    where
        B: Future<Output = ()> + Send + 'static,
    {
        let labels: HashMap<String, String> =
            [(RUN.to_owned(), self.name.to_owned()), (OWNER.to_owned(), self.owner.to_string())].into();
        let brought_up = async {
            // Both to their ends: what the engine was asked for must be there to be taken away.
            let (image, networks) =
                tokio::join!(self.engine.image(&wanted.binary), self.networks(&wanted.positions, &labels));
            let (image, (networks, addresses)) = (image?, networks?);
            self.folder.lay_out(&addresses.layout)?;
            self.containers(&wanted, &addresses.layout, &image, &labels, &networks).await
        };
        let began = clock::began();
        let mut brought_up = std::pin::pin!(brought_up);
        tokio::select! {
            up = &mut brought_up => up?,
            () = stop.cancelled() => {
                // What the engine was asked for is made all the same, and must be there to be taken away.
                within(clock::ALL_MADE, brought_up).await;
                return Ok(INTERRUPTED);
            }
        }
        let containers = wanted.positions.names().count() + 1;
        eprintln!("coexist: {containers} containers made in {:.2} s", began.elapsed().as_secs_f64());
        let subjects = Subjects {
            engine: self.engine.clone(),
            run: self.name.to_owned(),
            labels: labels.clone(),
            folder: self.folder.shared(),
            resolver: self.folder.resolver(),
        };
        let (door, over) = (self.folder.shared().join(Door::SOCKET), CancellationToken::new());
        let mut tasks = JoinSet::new();
        let ended = over.clone();
        tasks.spawn(async move {
            // A runner that ended was not understood any more: its own exit code says why.
            drop(start_images(&door, subjects, ended).await);
        });
        let here = Here { folder: self.folder.0.clone(), shared: self.folder.shared() };
        tasks.spawn(beside(here, over.clone()));
        let said = self.relay(stop).await;
        over.cancel();
        while let Some(joined) = tasks.join_next().await {
            if let Err(error) = joined
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        }
        said
    }

    /// Claims a pair of networks: the engine refuses one whose addresses another one has.
    async fn networks(
        &self,
        positions: &Positions,
        labels: &HashMap<String, String>,
    ) -> Result<(Networks, Addresses), HostError> {
        let networks =
            Networks { inside: format!("{}-inside", self.name), outside: format!("{}-outside", self.name) };
        let choices = positions.choices();
        for choice in 0..choices {
            let addresses = positions.addressed(self.owner.pid() + choice);
            let machine = addresses.layout.machine.as_ref();
            let (inside, outside) =
                (machine.map(|place| place.inside), machine.and_then(|place| place.outside));
            let claimed = tokio::join!(
                self.engine.network(&networks.inside, &addresses.inside, inside, labels),
                self.engine.network(&networks.outside, &addresses.outside, outside, labels)
            );
            match (claimed.0?, claimed.1?) {
                (true, true) => return Ok((networks, addresses)),
                (true, false) => drop(self.engine.remove_network(&networks.inside).await?),
                (false, true) => drop(self.engine.remove_network(&networks.outside).await?),
                (false, false) => {}
            }
        }
        Err(HostError::NoNetwork(choices))
    }

    /// Makes and starts every container at once; the servers find the runner's door when it is there.
    async fn containers(
        &self,
        wanted: &Wanted,
        layout: &Layout,
        image: &str,
        labels: &HashMap<String, String>,
        networks: &Networks,
    ) -> Result<(), HostError> {
        let user = format!("{}:{}", rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        let door = format!("{FOLDER}/{}", Door::SOCKET);
        let mut starting = JoinSet::new();
        let all = u32::try_from(wanted.positions.names().count()).unwrap_or(u32::MAX);
        for (name, nth) in wanted.positions.names().chain([RUNNER]).zip(0..) {
            let runner = name == RUNNER;
            let place =
                match (runner, name.parse::<ServerName>().ok().and_then(|name| layout.servers.get(&name))) {
                    (true, _) => &layout.own,
                    (false, Some(place)) => place,
                    (false, None) => layout.elsewhere.as_ref().unwrap_or(&layout.own),
                };
            let command = match runner {
                true => wanted.arguments.clone(),
                false => serves(name, &door, stays(nth, all)),
            };
            let (engine, image, user, labels, networks, place) = (
                self.engine.clone(),
                image.to_owned(),
                user.clone(),
                labels.clone(),
                networks.clone(),
                place.clone(),
            );
            let (name, mut mounts, mut env) = (self.called(name), self.folder.mounts(), vec![]);
            if runner {
                mounts.extend(wanted.mounts.iter().cloned());
            }
            env.extend(wanted.env.iter().cloned());
            starting.spawn(async move {
                let container = Container {
                    name: name.clone(),
                    image: &image,
                    command,
                    env,
                    mounts,
                    user: &user,
                    listens: runner,
                    labels: &labels,
                    networks: &networks,
                    place: &place,
                };
                engine.create(container).await?;
                // The runner is started when somebody listens to what it says.
                if runner { Ok(()) } else { engine.start(&name).await }
            });
        }
        let mut failed = Ok(());
        while let Some(started) = starting.join_next().await {
            match started {
                Ok(started) => failed = failed.and(started),
                Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
            }
        }
        failed
    }

    /// Starts the runner, passes on what it says, and waits for its end.
    async fn relay(&self, stop: CancellationToken) -> Result<u8, HostError> {
        let docker = &self.engine.0;
        let runner = self.called(RUNNER);
        let options = AttachContainerOptionsBuilder::new().stream(true).stdin(true).stdout(true).stderr(true);
        let attached = docker.attach_container(&runner, Some(options.build())).await;
        // Held until the end: the runner ends when nobody holds it any more.
        let attached =
            attached.map_err(|error| refused(format!("listen to the container {runner}"), error))?;
        self.engine.start(&runner).await?;
        let mut ended = std::pin::pin!(self.said(attached.output));
        let interrupted = tokio::select! {
            said = &mut ended => return said,
            () = stop.cancelled() => KillContainerOptionsBuilder::new().signal("SIGTERM").build(),
        };
        // One that has just ended cannot be told.
        drop(docker.kill_container(&runner, Some(interrupted)).await);
        within(clock::FAREWELL, ended).await.unwrap_or(Ok(INTERRUPTED))
    }

    async fn said(
        &self,
        mut output: Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>,
    ) -> Result<u8, HostError> {
        let gone = |error: String| HostError::Gone { error, run: self.name.to_owned() };
        while let Some(said) = output.next().await {
            let said = said.map_err(|error| gone(deepest(&error)))?;
            let passed_on = match said {
                LogOutput::StdErr { message } => io::stderr().lock().write_all(&message),
                LogOutput::StdOut { message } | LogOutput::Console { message } => {
                    let mut out = io::stdout().lock();
                    out.write_all(&message).and_then(|()| out.flush())
                }
                LogOutput::StdIn { .. } => Ok(()),
            };
            // A pipe that nobody reads any more ends no run: its exit code still says how it went.
            drop(passed_on);
        }
        let runner = self.called(RUNNER);
        let mut waiting = std::pin::pin!(self.engine.0.wait_container(&runner, None::<WaitContainerOptions>));
        let waited = waiting.next().await;
        match waited {
            Some(Err(error)) if !matches!(error, Error::DockerContainerWaitError { .. }) => {
                Err(gone(deepest(&error)))
            }
            other => match other.and_then(ended) {
                Some(code @ (KILLED | CRASHED)) => Err(HostError::Killed { code, container: runner }),
                Some(code) => Ok(code),
                None => Err(gone("it does not say how the run ended".to_owned())),
            },
        }
    }

    /// What a container of this run is called.
    fn called(&self, name: &str) -> String {
        format!("{}-{name}", self.name)
    }
}

/// How long the `nth` server of so many stays without its runner: until all could have been removed, and then until those before
/// it have ended.
fn stays(nth: u32, all: u32) -> Duration {
    clock::STAYS + clock::APART.saturating_mul(all.saturating_add(nth))
}

/// What a server's container is told.
fn serves(name: &str, door: &str, stays: Duration) -> Vec<String> {
    let stays = format!("{}ms", stays.as_millis());
    ["server", name, "--door", door, "--stays", &stays].map(str::to_owned).to_vec()
}

/// The exit code of a run that was interrupted.
const INTERRUPTED: u8 = 130;

/// 128 and the number of KILL, and of SEGV.
const KILLED: u8 = 137;
const CRASHED: u8 = 139;

/// The exit code of a container that has ended; none where the engine does not know.
pub(crate) fn ended(waited: Result<ContainerWaitResponse, Error>) -> Option<u8> {
    let code = match waited {
        Ok(ended) => ended.status_code,
        Err(Error::DockerContainerWaitError { code, .. }) => code,
        Err(_) => return None,
    };
    u8::try_from(code).ok()
}

/// The run's folder on this machine, which every container of it sees. Removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn make(owner: &Owner, run: &str) -> Result<Folder, HostError> {
        use std::os::unix::fs::PermissionsExt;
        // It stands in what people are shown, so it says nothing twice.
        let own = run.strip_prefix("coexist-").unwrap_or(run);
        let path = std::env::temp_dir().join(format!("{FOLDERS}{own}"));
        std::fs::create_dir_all(&path).map_err(file(&path))?;
        let folder = Folder(path);
        let path = &folder.0;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).map_err(file(path))?;
        folder.write(OWNED_BY, &owner.to_string())?;
        std::fs::create_dir(folder.shared()).map_err(file(path))?;
        Ok(folder)
    }

    /// Where everybody is, and whom they ask for names.
    fn lay_out(&self, layout: &Layout) -> Result<(), HostError> {
        let text = serde_json::to_string(layout).unwrap_or_default();
        self.write(&format!("{SHARED}/layout.json"), &text)?;
        // The engine's own resolver would answer first, and leak names of containers.
        self.write(
            "resolv.conf",
            &format!("nameserver {}\noptions timeout:1 attempts:2\n", layout.own.inside),
        )
    }

    fn shared(&self) -> PathBuf {
        self.0.join(SHARED)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), HostError> {
        let path = self.0.join(name);
        std::fs::write(&path, text).map_err(file(&path))
    }

    fn mounts(&self) -> Vec<Mount> {
        vec![Mount { from: self.shared(), to: FOLDER.into(), read_only: false }, self.resolver()]
    }

    fn resolver(&self) -> Mount {
        Mount { from: self.0.join("resolv.conf"), to: "/etc/resolv.conf".into(), read_only: true }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed now, the next run tries again.
        remove_folders([self.0.clone()]);
    }
}

fn file(path: &Path) -> impl Fn(io::Error) -> HostError + use<> {
    let path = path.to_owned();
    move |error| HostError::File { path: path.clone(), error }
}
