//! A subject in a station: the files that it is sent where it sees none of the runner's, its process, and what it writes.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;

use ledger::line;
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::unix::pipe::Receiver;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

use super::orders::{Bytes, Piece, Program, Said};
use crate::seat::{Process, command, piped};

/// What is passed on of its output at a time.
const AT_ONCE: usize = 64 * 1024;

/// The most that is taken of a pipe once its writer has ended: none holds more (pipe(7)).
const MOST_LEFT: usize = 1024 * 1024;

/// Where a station speaks to the runner.
pub(super) type Says = Arc<Mutex<Box<dyn AsyncWrite + Unpin + Send>>>;

/// Its process while it runs, and who tells how it ends.
pub(super) struct Subject {
    process: Process,
    tells: JoinSet<()>,
}

impl Subject {
    /// Starts it. Its log is a file that the runner sees; or where it is `apart`, the runner is told what it writes.
    pub(super) fn start(program: Program, apart: bool, says: Says) -> Result<(Subject, u32), String> {
        let log = program.log.clone();
        let failed = |error: io::Error| format!("{}: {error}", log.display());
        let (command, output) = match apart {
            true => piped(program).map(|(command, output)| (command, Some(output))),
            false => command(program, &[]).map(|command| (command, None)),
        }
        .map_err(failed)?;
        let output = output.map(|output| Receiver::from_owned_fd(output.into())).transpose();
        let output = output.map_err(|error| error.to_string())?;
        let process = Process::start(command).map_err(|error| error.to_string())?;
        let (status, mut tells) = (process.status(), JoinSet::new());
        tells.spawn(async move {
            let Some(status) = passed_on(output, status, &says).await else { return };
            // A runner that is gone need not be told.
            drop(line::write(&mut *says.lock().await, &Said::Ended(status.into_raw())).await);
        });
        let pid = process.pid();
        Ok((Subject { process, tells }, pid))
    }

    pub(super) fn send(&self, signal: rustix::process::Signal) {
        self.process.send(signal);
    }

    /// Kills it, and waits until that is told.
    pub(super) async fn ends(mut self) {
        self.process.kill();
        while self.tells.join_next().await.is_some() {}
    }
}

/// Passes on what it writes until it ends, and says how that was.
async fn passed_on(
    output: Option<Receiver>,
    mut status: watch::Receiver<Option<ExitStatus>>,
    says: &Says,
) -> Option<ExitStatus> {
    let ended = async move { status.wait_for(Option::is_some).await.ok().and_then(|ended| *ended) };
    let Some(mut output) = output else { return ended.await };
    let mut ended = std::pin::pin!(ended);
    let (mut bytes, mut open) = (vec![0; AT_ONCE], true);
    let status = loop {
        let read = tokio::select! {
            read = output.read(&mut bytes), if open => read.unwrap_or_default(),
            status = &mut ended => break status,
        };
        open = read > 0;
        wrote(&bytes[..read], says).await;
    };
    // What it wrote last: the pipe is asked itself, since the event of that may not have come yet. Somebody whom it left behind may hold
    // the pipe, and is not waited for.
    let Ok(mut rest) = output.into_nonblocking_fd().map(std::fs::File::from) else { return status };
    for _ in 0..MOST_LEFT / AT_ONCE {
        match io::Read::read(&mut rest, &mut bytes) {
            Ok(read @ 1..) => wrote(&bytes[..read], says).await,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => break,
        }
    }
    status
}

async fn wrote(bytes: &[u8], says: &Says) {
    if !bytes.is_empty() {
        drop(line::write(&mut *says.lock().await, &Said::Wrote(Bytes(bytes.to_vec()))).await);
    }
}

/// The folders that a station makes for subjects of a lab, each the outermost that was not there. They go with the lab.
#[derive(Default)]
pub(super) struct Folders(BTreeSet<PathBuf>);

impl Folders {
    /// Puts a piece of a file where a subject will read it.
    pub(super) fn take(&mut self, piece: Piece) -> Result<(), String> {
        let Piece { file, first, bytes } = piece;
        let wrong = |error: io::Error| format!("{}: {error}", file.display());
        if let Some(folder) = file.parent() {
            self.0
                .extend(folder.ancestors().take_while(|folder| !folder.exists()).last().map(Path::to_owned));
            std::fs::create_dir_all(folder).map_err(wrong)?;
        }
        let opened =
            std::fs::File::options().create(true).write(true).truncate(first).append(!first).open(&file);
        opened.and_then(|mut opened| io::Write::write_all(&mut opened, &bytes.0)).map_err(wrong)
    }

    pub(super) fn remove(&mut self) {
        for folder in std::mem::take(&mut self.0) {
            // What cannot be removed goes with the container.
            drop(std::fs::remove_dir_all(folder));
        }
    }
}
