//! What ends the subjects when this very process is killed and can end nothing any more.

use std::io::{self, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use rustix::process::Pid;

/// A shell at the end of a pipe, one for all labs of this process. It is told which process groups run, and where the pipe
/// ends, whoever held it being gone, it kills those that are left. A subject and what it has started die so together.
#[derive(Debug)]
struct Shell(Child);

const SCRIPT: &str = r#"
while read -r word group; do
    left=
    for one in $groups; do [ "$one" = "$group" ] || left="$left $one"; done
    groups=$left
    [ "$word" = over ] && groups="$groups $group"
done
for one in $groups; do kill -s KILL -- "-$one"; done
"#;

/// None until a first group is watched; where there is no shell there is no guard.
static SHELL: Mutex<Option<io::Result<Shell>>> = Mutex::new(None);

/// A process group that is watched over.
#[derive(Debug)]
pub(super) struct Guard(Pid);

impl Guard {
    /// Watches over a process group.
    pub(super) fn over(group: Pid) -> Guard {
        say("over", group);
        Guard(group)
    }

    /// Has it forgotten, before the group's number may become another's: the shell reads what it is told in order.
    pub(super) fn release(self) {
        say("done", self.0);
    }
}

fn say(word: &str, group: Pid) {
    let mut shell = SHELL.lock().unwrap_or_else(PoisonError::into_inner);
    if let Ok(Shell(child)) = shell.get_or_insert_with(Shell::start)
        && let Some(pipe) = &mut child.stdin
    {
        // A guard that is gone, being killed by somebody, guards no more.
        let _ = writeln!(pipe, "{word} {}", group.as_raw_nonzero());
    }
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
