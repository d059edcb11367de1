//! The outer half's side: where the lab of a runner's container is entered.

use std::io;
use std::path::{Path, PathBuf};

use ledger::line;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpSocket, UnixListener};
use tokio_util::sync::CancellationToken;

use super::super::register::{self, Entry, Registered};
use super::{Answer, Machine, SOCKET, in_time};
use crate::clock;

/// Where one lab is entered.
pub(crate) struct Desk {
    listener: UnixListener,
    machine: Machine,
    /// The run's folder, where entries are looked for.
    folder: PathBuf,
}

impl Desk {
    /// Opens it in the folder that both halves share, before the inner one starts. Call it within a runtime.
    ///
    /// # Errors
    /// What the operating system says of the socket.
    pub(crate) fn open(shared: &Path, folder: &Path) -> io::Result<Desk> {
        let listener = UnixListener::bind(shared.join(SOCKET))?;
        let machine = Machine { process: std::process::id(), shared: shared.to_owned() };
        Ok(Desk { listener, machine, folder: folder.to_owned() })
    }

    /// Enters the lab of whoever comes, says so by `entered`, and keeps it entered until that one goes or `stop` is over.
    ///
    /// # Errors
    /// A line that breaks before that.
    pub(crate) async fn serve(self, entered: CancellationToken, stop: CancellationToken) -> io::Result<()> {
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            served = self.one(&entered) => served,
        }
    }

    async fn one(&self, entered: &CancellationToken) -> io::Result<()> {
        let (mut stream, _) = self.listener.accept().await?;
        line::write(&mut stream, &self.machine).await?;
        let entry: Entry = in_time(line::read(&mut stream)).await?;
        let registered = match self.enter(&entry).await {
            Ok(registered) => registered,
            Err(error) => return line::write(&mut stream, &Answer::Refused(error.to_string())).await,
        };
        line::write(&mut stream, &Answer::Entered).await?;
        entered.cancel();
        // It says nothing more: this is the end of it.
        drop(stream.read(&mut [0]).await);
        drop(registered);
        Ok(())
    }

    async fn enter(&self, entry: &Entry) -> io::Result<Registered> {
        let connecting = TcpSocket::new_v4()?.connect(entry.steering);
        let reached = clock::within(clock::REACH, connecting).await;
        reached.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into())).map_err(|error| {
            io::Error::other(format!(
                "this machine does not reach the lab's containers ({}: {error}): the engine's networks are those of another \
                 machine, so bring the lab up there",
                entry.steering
            ))
        })?;
        register::enter(&self.folder, entry)
    }
}
