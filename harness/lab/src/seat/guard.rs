//! What ends the subjects, and removes folders, when this very process is killed and can end nothing any more.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::Pid;

/// A shell at the end of a pipe, one for all labs of this process. It is told which process groups run, and where the pipe
/// ends, whoever held it being gone, it kills those that are left. A subject and what it has started die so together. Then it
/// removes the one folder that it was told of.
#[derive(Debug)]
struct Shell(Child);

const SCRIPT: &str = r#"
while IFS= read -r line; do
    word=${line%% *} group=${line#* }
    if [ "$word" = folder ]; then folder=$group; continue; fi
    left=
    for one in $groups; do [ "$one" = "$group" ] || left="$left $one"; done
    groups=$left
    [ "$word" = over ] && groups="$groups $group"
done
for one in $groups; do kill -s KILL -- "-$one"; done
[ -z "$folder" ] || rm -rf -- "$folder"
"#;

/// A program says itself that it begins, before it does: whoever is killed just after starting it could not say so any more.
/// Its standard input is the pipe until then. A guard that was killed by somebody guards no more, and stops nobody.
const ANNOUNCED: &str = r#"trap '' PIPE; echo "over $$" >&0; trap - PIPE; exec "$@" </dev/null"#;

/// None until there is something to watch over; where there is no shell there is no guard.
static SHELL: Mutex<Option<io::Result<Shell>>> = Mutex::new(None);

/// A command whose process group, of which it is to be the leader, is watched over. It reads nothing.
pub(super) fn watched(program: &OsStr) -> Command {
    match pipe() {
        Some(pipe) => {
            let mut command = Command::new("sh");
            command.args(["-c", ANNOUNCED, "sh"]).arg(program).stdin(pipe);
            command
        }
        None => {
            let mut command = Command::new(program);
            command.stdin(Stdio::null());
            command
        }
    }
}

/// Has the folder of this process removed where it is killed. Whoever ends in another way removes it, and says so with `None`.
pub fn folder(folder: Option<&Path>) {
    let named = folder.map_or(Some(""), Path::to_str);
    // A line ends at a line break: such a folder is left to whoever cleans temporary files.
    if let Some(folder) = named.filter(|folder| !folder.contains('\n')) {
        say(shell().get_or_insert_with(Shell::start), &format!("folder {folder}"));
    }
}

/// Has a group forgotten, before its number may become another's: the shell reads what it is told in order.
pub(super) fn release(group: Pid) {
    if let Some(started) = &mut *shell() {
        say(started, &format!("done {}", group.as_raw_nonzero()));
    }
}

fn say(started: &mut io::Result<Shell>, line: &str) {
    if let Ok(Shell(child)) = started
        && let Some(pipe) = &mut child.stdin
    {
        // A guard that is gone guards no more.
        let _ = writeln!(pipe, "{line}");
    }
}

fn pipe() -> Option<OwnedFd> {
    let mut shell = shell();
    let started = shell.get_or_insert_with(Shell::start).as_ref().ok()?;
    started.0.stdin.as_ref()?.as_fd().try_clone_to_owned().ok()
}

fn shell() -> MutexGuard<'static, Option<io::Result<Shell>>> {
    SHELL.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shell {
    fn start() -> io::Result<Shell> {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // A group of its own: what ends ours at a terminal must not end it first.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.spawn().map(Shell)
    }
}
