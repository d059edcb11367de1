//! The seat: where the subject under test is started, what it is told, and how it ends.
//!
//! [`Seat`] is what is being prepared, [`Running`] the subject while it runs. A subject is told everything twice: in
//! `{work}/lab.json`, and in the variables and templates of its own file.

mod facts;
pub mod guard;
mod launch;
mod process;
mod ready;
mod runs;
mod templates;
mod variables;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use model::Topology;
use model::subject::{Reload, Subject};
use serde_json::Value;

use crate::clock;
use crate::ground::GroundKind;
use crate::host::Station;

pub use facts::{
    Account, Dial, Facts, Mapped, NamespaceFacts, SeatFacts, SeatFiles, SeatListeners, ServerFacts, lab_json,
};
pub(crate) use facts::{namespaces, servers};

pub(crate) use launch::{command, piped};
pub(crate) use process::Process;

use launch::Launch;
use runs::Runs;
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
    /// It did not show the sign of `run.ready` in time.
    #[error("subject `{subject}` did not {wanted} within {within:?}; the end of {}:\n{tail}", log.display())]
    NotReady {
        /// Which one.
        subject: String,
        /// What it was to do: `listen on 127.80.3.10:443 (https)`.
        wanted: String,
        /// `run.ready.within`
        within: Duration,
        /// Its log.
        log: PathBuf,
        /// The end of that.
        tail: String,
    },
}

impl SeatError {
    /// Whether it is the program's own affair, the same in every lab: it is not there, ends at once, or is never ready.
    pub fn is_of_the_program(&self) -> bool {
        matches!(self, SeatError::NoProgram { .. } | SeatError::Ended { .. } | SeatError::NotReady { .. })
    }
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
    pub facts: Box<Facts>,
    /// Who starts it, where that is not this process.
    pub(crate) station: Option<Arc<Station>>,
}

impl Seat {
    /// Writes lab.json, renders the templates, starts the program and waits until it is ready.
    ///
    /// # Errors
    /// A variable, template or program that is wrong; a subject that ends or is not ready in time. Nothing of it then
    /// runs any more.
    pub async fn start(self) -> Result<Running, SeatError> {
        let prepared = self.prepare()?;
        let process = prepared.launch.start(&self.subject.name).await?;
        let running = Running { seat: self, log: prepared.log, process };
        running.ready(0).await?;
        Ok(running)
    }

    /// Fills in every variable and renders every template without writing or starting anything.
    ///
    /// # Errors
    /// A variable or a template that is wrong.
    pub fn preview(subject: &Subject, folder: &Path, topology: Topology) -> Result<(), SeatError> {
        let sample = Path::new("/sample");
        let seat = Seat {
            subject: subject.clone(),
            folder: folder.to_owned(),
            work: sample.to_owned(),
            coexist: sample.join("coexist"),
            ground: GroundKind::Mapped,
            facts: Box::new(Facts::sample(topology)),
            station: None,
        };
        let told = lab_json(&seat.facts);
        seat.filled(&Variables::of(&seat, &sample.join("lab.json"), &told)).map(|_| ())
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
        let filled = self.filled(&Variables::of(self, &lab, &told))?;
        let seat = &self.facts.seat.certificate;
        let mut read = vec![lab, self.facts.ca.clone()];
        read.extend([&seat.chain, &seat.key, &seat.pem, &seat.pfx].map(Clone::clone));
        for (to, text) in filled.files {
            if let Some(folder) = to.parent() {
                file(folder, std::fs::create_dir_all(folder))?;
            }
            file(&to, std::fs::write(&to, text))?;
            read.push(to);
        }
        let log = logs.join("subject.log");
        let launch = Launch::new(self, filled.command, filled.env, &log, read)?;
        Ok(Prepared { launch, log })
    }

    /// The subject file with its variables filled in.
    fn filled(&self, variables: &Variables) -> Result<Filled, SeatError> {
        let (name, run) = (&self.subject.name, &self.subject.run);
        let fill = |text: &str, place: String| variables.fill(name, text, place);
        let mut filled = Filled::default();
        for (n, template) in run.files.iter().enumerate() {
            let from = self.folder.join(fill(&template.from, format!("run.files[{n}].from"))?);
            let to = self.work.join(fill(&template.to, format!("run.files[{n}].to"))?);
            filled.files.push((to, templates::render(name, &from, variables.tree())?));
        }
        for (n, word) in run.command.iter().enumerate() {
            filled.command.push(fill(word, format!("run.command[{n}]"))?);
        }
        for (key, value) in &run.env {
            filled.env.push((key.clone(), fill(value, format!("run.env.{key}"))?));
        }
        Ok(filled)
    }
}

/// What a subject file comes to in a lab.
#[derive(Default)]
struct Filled {
    files: Vec<(PathBuf, String)>,
    command: Vec<String>,
    env: Vec<(String, String)>,
}

struct Prepared {
    launch: Launch,
    log: PathBuf,
}

/// A subject that was ready. Dropping it kills it; stop it instead.
#[derive(Debug)]
pub struct Running {
    seat: Seat,
    log: PathBuf,
    process: Runs,
}

/// What was done so that a subject reads its files again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reloaded {
    /// It was sent the signal of `run.reload`.
    Told,
    /// It was stopped, and started again.
    Restarted(Stopped),
    /// Nothing: it follows the directory.
    Left,
}

/// How a subject came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// It had ended before it was asked to, or was about to: of the signal to read its files again.
    Before(ExitStatus),
    /// It ended in time.
    Itself(ExitStatus),
    /// It was killed, having not ended within `run.stop.within`.
    Killed,
}

impl Running {
    /// The subject's name in reports.
    pub fn subject(&self) -> &str {
        &self.seat.subject.name
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
        self.end().await
    }

    /// What it was told last.
    pub fn facts(&self) -> &Facts {
        &self.seat.facts
    }

    /// Writes its files anew for these facts, and has it read them, in the way that `run.reload` says.
    ///
    /// # Errors
    /// As for a start. A subject that had to be started again and could not be is at its end.
    pub async fn reload(&mut self, facts: Facts) -> Result<Reloaded, SeatError> {
        *self.seat.facts = facts;
        match self.seat.subject.run.reload {
            Reload::None => Ok(Reloaded::Left),
            Reload::Signal(signal) => {
                self.seat.prepare()?.launch.deliver(&self.seat.subject.name).await?;
                self.process.reload(signal);
                Ok(Reloaded::Told)
            }
            Reload::Restart => Ok(Reloaded::Restarted(self.restart().await?)),
        }
    }

    /// Stops it, and starts it again, with its files as its facts are now; its log goes on.
    ///
    /// # Errors
    /// As for a start; it is then at its end.
    pub async fn restart(&mut self) -> Result<Stopped, SeatError> {
        let stopped = self.end().await;
        let said = std::fs::metadata(&self.log).map_or(0, |log| log.len());
        let prepared = self.seat.prepare()?;
        self.process = prepared.launch.start(&self.seat.subject.name).await?;
        self.ready(said).await?;
        Ok(stopped)
    }

    async fn end(&self) -> Stopped {
        if let Some(status) = self.process.has_ended() {
            return Stopped::Before(status);
        }
        let (stop, reload) = (&self.seat.subject.run.stop, self.seat.subject.run.reload);
        self.process.signal(stop.signal);
        let ended = clock::within(stop.within.0, self.process.ended()).await;
        match ended {
            Some(status) if matches!(reload, Reload::Signal(told) if runs::ended_of(told, status)) => {
                Stopped::Before(status)
            }
            Some(status) => Stopped::Itself(status),
            None => {
                self.process.kill();
                self.process.ended().await;
                Stopped::Killed
            }
        }
    }

    /// Waits until it is ready; what it had said in its log before byte `said` is no sign. Ends it where it is not.
    async fn ready(&self, said: u64) -> Result<(), SeatError> {
        let ready = &self.seat.subject.run.ready;
        let within = ready.within.0;
        let outcome = tokio::select! {
            biased;
            status = self.died() => Err(Some(status)),
            shown = clock::within(within, Box::pin(ready::shown(&ready.sign, &self.seat.facts.seat, &self.log, said))) => {
                shown.ok_or(None)
            }
        };
        let Err(ended) = outcome else { return Ok(()) };
        self.process.kill();
        self.process.ended().await;
        let (subject, log, tail) = (self.subject().to_owned(), self.log.clone(), tail(&self.log));
        Err(match ended {
            Some(status) => SeatError::Ended { subject, status, log, tail },
            None => {
                let wanted = ready::wanted(&ready.sign, &self.seat.facts.seat);
                SeatError::NotReady { subject, wanted, within, log, tail }
            }
        })
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
