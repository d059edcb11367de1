//! The machine that people are at. A lab whose own process is in a container beside its servers' has an outer half there, which
//! enters it where other commands look; and its files have other paths there.
//!
//! Both halves share a folder, and in it a socket: the outer half says what it knows of its machine, the inner one what is to
//! be entered, and it is entered for as long as both are on the line.

use std::io;
use std::path::{Path, PathBuf};

use ledger::line;
use serde::{Deserialize, Serialize};
use tokio::net::UnixStream;

use super::register::{self, Entry, Registered};
use crate::clock;

#[cfg(feature = "docker")]
pub(crate) mod outer;

/// What the socket is called, beside the layout.
const SOCKET: &str = "up.sock";

/// What the outer half says of its machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Machine {
    /// Its own process.
    process: u32,
    /// Where it sees the folder that both share.
    shared: PathBuf,
}

/// What becomes of an entry.
#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    Entered,
    Refused(String),
}

/// Where a lab is entered, and how its files are seen there.
#[derive(Debug)]
pub(crate) enum Outside {
    /// Here: people are where this process is.
    Here,
    /// By the outer half.
    There(Outer),
}

/// The outer half, on the line.
#[derive(Debug)]
pub(crate) struct Outer {
    stream: UnixStream,
    machine: Machine,
    /// Where the folder that both share is here.
    shared: PathBuf,
}

/// An entry that stands as long as this is held.
#[derive(Debug)]
#[expect(dead_code, reason = "held for what it keeps entered")]
pub(crate) enum Held {
    Here(Registered),
    There(Outer),
}

impl Outside {
    /// The outer half that waits beside this layout.
    ///
    /// # Errors
    /// Nobody waits there, or it says nothing that is understood.
    pub(crate) async fn beside(layout: &Path) -> io::Result<Outside> {
        let mut stream = UnixStream::connect(layout.with_file_name(SOCKET)).await?;
        let machine = in_time(line::read(&mut stream)).await?;
        let shared = layout.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Outside::There(Outer { stream, machine, shared }))
    }

    /// The process that whoever looks for the lab finds.
    pub(crate) fn process(&self) -> u32 {
        match self {
            Outside::Here => std::process::id(),
            Outside::There(outer) => outer.machine.process,
        }
    }

    /// The path under which people see a file or folder of the lab's.
    pub(crate) fn sees(&self, path: &Path) -> PathBuf {
        match self {
            Outside::Here => path.to_owned(),
            Outside::There(outer) => seen(path, &outer.shared, &outer.machine.shared),
        }
    }

    /// Enters the lab; `folder` is its own, for what is entered here.
    ///
    /// # Errors
    /// What the operating system says of the file, or why the outer half refuses.
    pub(crate) async fn enter(self, folder: &Path, entry: &Entry) -> io::Result<Held> {
        let mut outer = match self {
            Outside::Here => return register::enter(folder, entry).map(Held::Here),
            Outside::There(outer) => outer,
        };
        line::write(&mut outer.stream, entry).await?;
        match in_time(line::read(&mut outer.stream)).await? {
            Answer::Entered => Ok(Held::There(outer)),
            Answer::Refused(why) => Err(io::Error::other(why)),
        }
    }
}

/// A path below one folder as a path below another one; any other stays as it is.
fn seen(path: &Path, here: &Path, there: &Path) -> PathBuf {
    path.strip_prefix(here).map_or_else(|_| path.to_owned(), |below| there.join(below))
}

/// What the other half says next, if it does so soon.
async fn in_time<T>(said: impl Future<Output = io::Result<Option<T>>>) -> io::Result<T> {
    let said = clock::within(clock::OTHER_HALF, said).await.ok_or(io::ErrorKind::TimedOut)??;
    said.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_below_the_shared_folder_has_another_path_there_and_no_other_file_has() {
        let (here, there) = (Path::new("/coexist-run"), Path::new("/tmp/coexist-docker-4711-1a2b/run"));
        for (path, is) in [
            ("/coexist-run/coexist-1/curl", "/tmp/coexist-docker-4711-1a2b/run/coexist-1/curl"),
            ("/coexist-run", "/tmp/coexist-docker-4711-1a2b/run"),
            ("/coexist-run-2/curl", "/coexist-run-2/curl"),
            ("/etc/suites", "/etc/suites"),
        ] {
            assert_eq!(seen(Path::new(path), here, there), Path::new(is), "{path}");
        }
    }
}
