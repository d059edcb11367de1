//! What every command says in the same way: problems of files, errors, a runtime that would not start.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use lab::ground::{Ground, GroundKind, Outside, Wanted};
use model::verdict::{RunFacts, Verdict};
use tokio_util::sync::CancellationToken;

use crate::exit::{self, Exit};
use crate::suite::{Suite, SuiteError};
use crate::up::register;

/// Says that something went wrong, on standard error.
pub(super) fn error(says: impl std::fmt::Display) {
    eprintln!("coexist: {says}");
}

/// Prints what came of a run: each verdict that needs a person in full, what was left out, and the summary.
pub(super) fn verdicts(facts: &RunFacts, verdicts: &[Verdict]) {
    let color = std::io::stdout().is_terminal();
    let shown = |verdict: &&Verdict| exit::needs_attention(verdict.outcome) && !verdict.is_untried();
    for verdict in verdicts.iter().filter(shown) {
        println!("{}", report::terminal::failure(verdict, color));
    }
    print!("{}", report::terminal::left_out(verdicts));
    println!("{}", report::terminal::summary(facts, verdicts));
}

/// Says what is wrong with a suite, each problem with its place.
pub(super) fn suite_error(error: &SuiteError) -> Exit {
    if let SuiteError::Wrong(problems) = error {
        for problem in problems {
            eprintln!("{}", problem.picture());
        }
    }
    self::error(error);
    Exit::BadInput
}

/// Reads the suite, or says what is wrong with it.
pub(super) fn suite(root: &Path) -> Result<Suite, Exit> {
    Suite::read(root).map_err(|error| suite_error(&error))
}

/// Chooses the ground: before any thread starts, since the process may begin anew.
pub(super) fn ground(wanted: Option<GroundKind>) -> Result<Ground, Exit> {
    Ground::choose(wanted).map_err(|error| {
        self::error(error);
        Exit::Broken
    })
}

/// The same, with sockets on the loopback outside.
pub(super) fn ground_with_outside(
    wanted: Option<GroundKind>,
    sockets: Wanted,
) -> Result<(Ground, Outside), Exit> {
    Ground::choose_with_outside(wanted, sockets).map_err(|error| {
        self::error(error);
        Exit::Broken
    })
}

/// A runtime for labs and clients.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Exit> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        self::error(format!("the runtime did not start: {error}"));
        Exit::Broken
    })
}

/// A folder of this process, where labs keep keys and logs; removed when dropped, and where the process is killed.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn make() -> Result<Folder, Exit> {
        let path = std::env::temp_dir().join(format!("{}{}", register::FOLDER, std::process::id()));
        let made = std::fs::create_dir_all(&path);
        #[cfg(unix)]
        let made = made.and_then(|()| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700))
        });
        match made {
            Ok(()) => {
                lab::seat::guard::folder(Some(&path));
                Ok(Folder(path))
            }
            Err(error) => {
                self::error(format!("{}: {error}", path.display()));
                Err(Exit::Broken)
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left to whoever cleans temporary files.
        drop(std::fs::remove_dir_all(&self.0));
        lab::seat::guard::folder(None);
    }
}

/// Cancelled when a person or a supervisor ends the process: INT or TERM.
pub(super) fn interrupted() -> CancellationToken {
    told_by(true)
}

/// Cancelled by TERM alone; INT is taken, and means nothing.
pub(super) fn terminated() -> CancellationToken {
    told_by(false)
}

fn told_by(int: bool) -> CancellationToken {
    let token = CancellationToken::new();
    let told = token.clone();
    tokio::spawn(async move {
        let term = async {
            match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
                Ok(mut term) => {
                    term.recv().await;
                }
                Err(_) => std::future::pending().await,
            }
        };
        let int = async {
            // Listening once is enough for the signal to end nothing by itself from then on.
            while tokio::signal::ctrl_c().await.is_ok() && !int {}
        };
        tokio::select! {
            () = int => {}
            () = term => {}
        }
        told.cancel();
    });
    token
}
