//! What ends a subject when this very process is killed and can end nothing any more.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use rustix::process::Pid;

/// A shell that waits at the end of a pipe. Where the pipe ends without a word, whoever held it was killed: then it kills
/// the subject's group. The kernel does so for the subject itself (`setpriv --pdeathsig`), not for what that has started.
#[derive(Debug)]
pub(super) struct Guard(Child);

const SCRIPT: &str = r#"read -r word || kill -s KILL -- "-$1""#;

impl Guard {
    /// Watches over a process group. Where there is no shell there is no guard.
    pub(super) fn over(group: Pid) -> Option<Guard> {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "guard", &group.as_raw_nonzero().to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // A group of its own: what ends ours at a terminal must not end it first.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.spawn().ok().map(Guard)
    }

    /// Sends it home, before the group's number may become another's.
    pub(super) fn release(mut self) {
        if let Some(mut pipe) = self.0.stdin.take() {
            // A guard that is gone already needs no word.
            let _ = pipe.write_all(b"done\n");
        }
        let _ = self.0.wait();
    }
}
