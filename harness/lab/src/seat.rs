//! The seat: where the subject under test is started, what it is told, and how it ends.
//!
//! [`Seat`] is what is being prepared, [`Running`] the subject while it runs. A subject is told everything twice: in
//! `{work}/lab.json`, and in the variables and templates of its own file.

mod facts;
mod launch;
mod process;
mod templates;
mod variables;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use model::subject::{Listener, Stop, Subject};
use serde_json::Value;
use tokio::net::TcpSocket;

use crate::clock;
use crate::ground::GroundKind;

pub use facts::{Account, Dial, Facts, SeatFacts, SeatFiles, SeatListeners, lab_json};

use launch::Launch;
use process::Process;
use variables::Variables;

/// Lines of the subject's log that an error shows.
const TAIL_LINES: usize = 20;

/// Why a subject did not start, or did not last.
#[derive(Debug, thiserror::Error)]
pub enum SeatError {
    /// A variable that does not exist.
    #[error("{place} of subject `{subject}` says {{{variable}}}; the variables are {known}")]
    UnknownVariable {
        /// Whose file.
        subject: String,
        /// Where in it: `run.command[2]`.
        place: String,
        /// What it says.
        variable: String,
        /// What there is.
        known: String,
    },
    /// A template that cannot be rendered.
    #[error("template {} of subject `{subject}`{}: {message}", path.display(), line.map(|n| format!(", line {n}")).unwrap_or_default())]
    Template {
        /// Whose file.
        subject: String,
        /// The template.
        path: PathBuf,
        /// Where in it, from 1.
        line: Option<usize>,
        /// What is wrong.
        message: String,
    },
    /// A file of the work folder.
    #[error("subject `{subject}`: {}: {source}", path.display())]
    File {
        /// Whose file.
        subject: String,
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The program of `run.command` is not there, or is none.
    #[error("subject `{subject}` cannot be started: {looked_up}: {why}")]
    NoProgram {
        /// Whose command.
        subject: String,
        /// Where it was looked for.
        looked_up: String,
        /// What is wrong.
        why: String,
    },
    /// It ended before it was ready.
    #[error("subject `{subject}` ended before it was ready ({status}); the end of {}:\n{tail}", log.display())]
    Ended {
        /// Which one.
        subject: String,
        /// How.
        status: ExitStatus,
        /// Its log.
        log: PathBuf,
        /// The end of that.
        tail: String,
    },
    /// Its port took no connection in time.
    #[error(
        "subject `{subject}` did not listen on {address} ({listener}) within {within:?}; the end of {}:\n{tail}",
        log.display()
    )]
    NotReady {
        /// Which one.
        subject: String,
        /// The listener of `run.ready.tcp`.
        listener: Listener,
        /// Its real address.
        address: SocketAddr,
        /// `run.ready.within`
        within: Duration,
        /// Its log.
        log: PathBuf,
        /// The end of that.
        tail: String,
    },
}

/// A subject that is about to be started.
#[derive(Debug, Clone)]
pub struct Seat {
    /// Its file.
    pub subject: Subject,
    /// The folder of that file: templates and the program are relative to it.
    pub folder: PathBuf,
    /// The folder it works in.
    pub work: PathBuf,
    /// The `coexist` binary, for `{coexist}`.
    pub coexist: PathBuf,
    /// Where it stands.
    pub ground: GroundKind,
    /// What it is told.
    pub facts: Facts,
}

impl Seat {
    /// Writes lab.json, renders the templates, starts the program and waits until it takes a connection.
    ///
    /// # Errors
    /// A variable, template or program that is wrong; a subject that ends or does not listen in time. Nothing of it then
    /// runs any more.
    pub async fn start(self) -> Result<Running, SeatError> {
        let prepared = self.prepare()?;
        let address = match self.subject.run.ready.tcp {
            Listener::Https => self.facts.seat.listen.https,
            Listener::Http => self.facts.seat.listen.http,
        };
        let process = prepared.launch.start(&self.subject.name)?;
        let running = Running {
            subject: self.subject.name.clone(),
            stop: self.subject.run.stop.clone(),
            log: prepared.log,
            process,
        };
        let within = self.subject.run.ready.within.0;
        let outcome = tokio::select! {
            biased;
            status = running.died() => Err(Some(status)),
            ready = clock::within(within, listens(address)) => ready.ok_or(None),
        };
        let Err(ended) = outcome else { return Ok(running) };
        let (subject, log) = (running.subject.clone(), running.log.clone());
        running.process.kill();
        running.process.ended().await;
        let tail = tail(&log);
        Err(match ended {
            Some(status) => SeatError::Ended { subject, status, log, tail },
            None => {
                let listener = self.subject.run.ready.tcp;
                SeatError::NotReady { subject, listener, address, within, log, tail }
            }
        })
    }

    fn prepare(&self) -> Result<Prepared, SeatError> {
        let name = &self.subject.name;
        let file = |path: &Path, done: io::Result<()>| {
            done.map_err(|source| SeatError::File { subject: name.clone(), path: path.to_owned(), source })
        };
        let logs = self.work.join("logs");
        file(&logs, std::fs::create_dir_all(&logs))?;
        let told: Value = lab_json(&self.facts);
        let lab = self.work.join("lab.json");
        file(&lab, std::fs::write(&lab, format!("{told:#}\n")))?;

        let variables = Variables::of(self, &lab);
        let fill = |text: &str, place: String| variables.fill(name, text, place);
        for (n, template) in self.subject.run.files.iter().enumerate() {
            let from = self.folder.join(fill(&template.from, format!("run.files[{n}].from"))?);
            let to = self.work.join(fill(&template.to, format!("run.files[{n}].to"))?);
            let text = templates::render(name, &from, &told, &variables)?;
            if let Some(folder) = to.parent() {
                file(folder, std::fs::create_dir_all(folder))?;
            }
            file(&to, std::fs::write(&to, text))?;
        }
        let mut command = Vec::new();
        for (n, word) in self.subject.run.command.iter().enumerate() {
            command.push(fill(word, format!("run.command[{n}]"))?);
        }
        let mut env = Vec::new();
        for (key, value) in &self.subject.run.env {
            env.push((key.clone(), fill(value, format!("run.env.{key}"))?));
        }
        let log = logs.join("subject.log");
        let launch = Launch::new(self, command, env, &log)?;
        Ok(Prepared { launch, log })
    }
}

struct Prepared {
    launch: Launch,
    log: PathBuf,
}

/// A subject that was ready. Dropping it kills it; stop it instead.
#[derive(Debug)]
pub struct Running {
    subject: String,
    stop: Stop,
    log: PathBuf,
    process: Process,
}

/// How a subject came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// It had ended before it was asked to.
    Before(ExitStatus),
    /// It ended in time.
    Itself(ExitStatus),
    /// It was killed, having not ended within `run.stop.within`.
    Killed,
}

impl Running {
    /// The subject's name in reports.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Its process id, which is its process group's too.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// What it writes to standard output and standard error.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        tail(&self.log)
    }

    /// How it ended, if it did.
    pub fn has_died(&self) -> Option<ExitStatus> {
        self.process.has_ended()
    }

    /// Waits until it ends. The future borrows nothing, so a task may wait beside the run.
    pub fn died(&self) -> impl Future<Output = ExitStatus> + Send + use<> {
        self.process.ended()
    }

    /// Signals its process group, waits within its limit, kills what is left, and reaps it.
    pub async fn stop(self) -> Stopped {
        if let Some(status) = self.process.has_ended() {
            return Stopped::Before(status);
        }
        self.process.signal(self.stop.signal);
        let ended = clock::within(self.stop.within.0, self.process.ended()).await;
        match ended {
            Some(status) => Stopped::Itself(status),
            None => {
                self.process.kill();
                self.process.ended().await;
                Stopped::Killed
            }
        }
    }
}

/// Ends once an address takes a connection. The subject tells nobody that it listens, so it is asked again and again.
async fn listens(address: SocketAddr) {
    let mut attempts = clock::attempts();
    loop {
        attempts.tick().await;
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        // Not announced in the ledger: only servers of the lab have arrivals, and this is none of theirs.
        if let Ok(socket) = socket
            && socket.connect(address).await.is_ok()
        {
            return;
        }
    }
}

/// The last lines of a log, of its last 16 KiB.
fn tail(log: &Path) -> String {
    use std::io::{Read, Seek, SeekFrom};
    const MOST: u64 = 16 * 1024;
    let read = || {
        let mut file = std::fs::File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(MOST)))?;
        let mut bytes = Vec::new();
        file.take(MOST).read_to_end(&mut bytes)?;
        io::Result::Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    match &lines[lines.len().saturating_sub(TAIL_LINES)..] {
        [] => "  (empty)".to_owned(),
        lines => lines.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n"),
    }
}

#[cfg(all(test, unix))]
mod tests;
