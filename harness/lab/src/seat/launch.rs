//! How a subject's program is started: found, given its folder, log and environment, and made to die with the lab.

use std::fs::File;
use std::io::{self, PipeReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
#[cfg(target_os = "linux")]
use std::sync::OnceLock;

use ledger::way::Word;

use super::process::Process;
use super::runs::{Afar, Runs};
use super::{Seat, SeatError, guard};
use crate::ground::GroundKind;
use crate::host::{Bytes, Order, Piece, Program, Station};

/// A program that is ready to be started.
pub(super) struct Launch {
    program: Program,
    /// What stands before it.
    wrap: &'static [&'static str],
    /// The station that starts it, where that is not this process.
    station: Option<Arc<Station>>,
    /// What it reads in its folder.
    files: Vec<PathBuf>,
}

/// As much of a file as is sent at once.
const PIECE: u64 = 1024 * 1024;

impl Launch {
    pub(super) fn new(
        seat: &Seat,
        words: Vec<String>,
        env: Vec<(String, String)>,
        log: &Path,
        files: Vec<PathBuf>,
    ) -> Result<Launch, SeatError> {
        let subject = &seat.subject.name;
        if let (Some(station), Some(image)) = (&seat.station, &seat.subject.run.image) {
            let mut words = words.into_iter();
            let program = Program {
                image: Some((image.clone(), seat.facts.seat.server.clone())),
                program: words.next().unwrap_or_default().into(),
                arguments: words.collect(),
                env,
                work: seat.work.clone(),
                log: log.to_owned(),
            };
            return Ok(Launch { program, wrap: &[], station: Some(station.clone()), files });
        }
        let Some((program, arguments)) = words.split_first() else {
            let why =
                "it is an image, and here servers are no containers; run it with --host docker".to_owned();
            return Err(SeatError::NoProgram { subject: subject.clone(), looked_up: "nothing".into(), why });
        };
        let program = find(program, &seat.folder).map_err(|(looked_up, why)| SeatError::NoProgram {
            subject: subject.clone(),
            looked_up,
            why,
        })?;
        let program = Program {
            image: None,
            program,
            arguments: arguments.to_vec(),
            env,
            work: seat.work.clone(),
            log: log.to_owned(),
        };
        // It may be started elsewhere; that its log can be written shows here.
        let file = |source| SeatError::File { subject: subject.clone(), path: log.to_owned(), source };
        open(log).map_err(file)?;
        Ok(Launch { program, wrap: wrap(seat.ground), station: seat.station.clone(), files })
    }

    /// Sends what it reads to a station that sees no file of ours.
    ///
    /// # Errors
    /// A file that cannot be read here or written there.
    pub(super) async fn deliver(&self, subject: &str) -> Result<(), SeatError> {
        let Some(station) = self.station.as_ref().filter(|station| station.is_apart()) else { return Ok(()) };
        for path in &self.files {
            let wrong = |source| SeatError::File { subject: subject.to_owned(), path: path.clone(), source };
            let mut file = File::open(path).map_err(wrong)?;
            let mut first = true;
            loop {
                let mut bytes = vec![];
                file.by_ref().take(PIECE).read_to_end(&mut bytes).map_err(wrong)?;
                if bytes.is_empty() && !first {
                    break;
                }
                let order = Order::Have(Piece { file: path.clone(), first, bytes: Bytes(bytes) });
                station.does(order).await.map_err(|why| wrong(io::Error::other(why)))?;
                first = false;
            }
        }
        Ok(())
    }

    pub(super) async fn start(self, subject: &str) -> Result<Runs, SeatError> {
        self.deliver(subject).await?;
        let Launch { program, wrap, station, files: _ } = self;
        let looked_up = program.program.display().to_string();
        let started = match station {
            Some(station) => Afar::start(station, program).await.map(Runs::There),
            None => command(program, wrap)
                .and_then(Process::start)
                .map(Runs::Here)
                .map_err(|error| error.to_string()),
        };
        started.map_err(|why| SeatError::NoProgram { subject: subject.to_owned(), looked_up, why })
    }
}

/// A program as it is started: in its folder, with its log, and in a group of its own.
///
/// # Errors
/// A log that cannot be written.
pub(crate) fn command(program: Program, wrap: &[&str]) -> io::Result<Command> {
    let out = open(&program.log)?;
    let err = out.try_clone()?;
    Ok(writing(program, wrap, out, err))
}

/// The same, with a pipe in place of its log.
///
/// # Errors
/// No pipe.
pub(crate) fn piped(program: Program) -> io::Result<(Command, PipeReader)> {
    let (output, out) = io::pipe()?;
    let err = out.try_clone()?;
    Ok((writing(program, &[], out, err), output))
}

fn writing(program: Program, wrap: &[&str], out: impl Into<Stdio>, err: impl Into<Stdio>) -> Command {
    let mut command = match wrap.split_first() {
        Some((first, rest)) => {
            let mut command = guard::watched(first.as_ref());
            command.args(rest).arg(&program.program);
            command
        }
        None => guard::watched(program.program.as_ref()),
    };
    command.args(program.arguments).envs(program.env).current_dir(&program.work).stdout(out).stderr(err);
    // What lets a station in at the runner's door is no affair of a subject.
    command.env_remove(Word::VARIABLE);
    // A group of its own: a signal to it reaches what it starts too, and Ctrl-C at the terminal reaches only us.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command
}

/// A subject that is started again goes on in its log.
fn open(log: &Path) -> io::Result<File> {
    File::options().create(true).append(true).open(log)
}

/// Where a program is: a path is relative to the subject file's folder, a bare name is looked for in PATH.
fn find(program: &str, folder: &Path) -> Result<PathBuf, (String, String)> {
    if program.contains('/') {
        let path = folder.join(program);
        let path = std::path::absolute(&path).unwrap_or(path);
        return match runnable(&path) {
            Ok(()) => Ok(path),
            Err(why) => Err((path.display().to_string(), why)),
        };
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders)
        .map(|folder| folder.join(program))
        .find(|path| runnable(path).is_ok());
    found.ok_or_else(|| {
        let folders = folders.to_string_lossy();
        let why = "it is in no folder of PATH; a program beside the subject file is written `./my-proxy`";
        (format!("`{program}`"), format!("{why}; PATH is {folders}"))
    })
}

fn runnable(path: &Path) -> Result<(), String> {
    let facts = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !facts.is_file() {
        return Err("this is no file".to_owned());
    }
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&facts.permissions()) & 0o111 == 0 {
        return Err("this is not executable; chmod +x".to_owned());
    }
    Ok(())
}

/// What stands before the program: on an own network `unshare` makes it an ordinary user, who is uid 1000 to itself and who
/// nonetheless owns what the lab's user owns. Left out where the system refuses it, which is tried once a process.
#[cfg(target_os = "linux")]
fn wrap(ground: GroundKind) -> &'static [&'static str] {
    const ORDINARY: &[&str] = &["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"];
    static WRAP: OnceLock<&[&str]> = OnceLock::new();
    match ground {
        // An ordinary user who may not bind port 443 would be no use as a front end.
        GroundKind::Own if crate::ground::low_ports_are_free() => {
            WRAP.get_or_init(|| if works(ORDINARY) { ORDINARY } else { &[] })
        }
        _ => &[],
    }
}

#[cfg(not(target_os = "linux"))]
fn wrap(_: GroundKind) -> &'static [&'static str] {
    &[]
}

#[cfg(target_os = "linux")]
fn works(words: &[&str]) -> bool {
    let Some((program, arguments)) = words.split_first() else { return false };
    let mut trial = Command::new(program);
    trial.args(arguments).arg("true").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    trial.status().is_ok_and(|status| status.success())
}
