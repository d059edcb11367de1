//! A process of a foreign program, its group, and the thread that waits for it.

use std::io;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::sync::watch;

use super::guard;

/// A started process, leader of its own group.
#[derive(Debug)]
pub(crate) struct Process {
    pid: Pid,
    /// Whether it may still be signalled: once it is reaped its number may be another's.
    reaped: Arc<Mutex<bool>>,
    status: watch::Receiver<Option<ExitStatus>>,
    waiter: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts it, and a thread that waits for its end. The command is one that is watched over, and leads its own group.
    pub(crate) fn start(mut command: Command) -> io::Result<Process> {
        let child = command.spawn()?;
        // The command holds the log open; what the subject holds is its own.
        drop(command);
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("a process without a number"))?;
        let (tell, status) = watch::channel(None);
        let reaped = Arc::new(Mutex::new(false));
        let gone = reaped.clone();
        let waiter = std::thread::Builder::new().name("seat".into()).spawn(move || {
            let _ = tell.send(reap(child, pid, &gone));
        })?;
        Ok(Process { pid, reaped, status, waiter: Some(waiter) })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    pub(crate) fn has_ended(&self) -> Option<ExitStatus> {
        *self.status.borrow()
    }

    /// Where its end shows. What it had started in its group has been killed by then.
    pub(crate) fn status(&self) -> watch::Receiver<Option<ExitStatus>> {
        self.status.clone()
    }

    pub(crate) fn kill(&self) {
        self.send(Signal::KILL);
    }

    pub(crate) fn send(&self, signal: Signal) {
        let reaped = lock(&self.reaped);
        if !*reaped {
            // Nothing to do if it just ended: then it is about to be reaped.
            let _ = kill_process_group(self.pid, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if let Some(waiter) = self.waiter.take() {
            let _ = waiter.join();
        }
    }
}

/// Waits for the end, then ends the rest of the group while its number still is the group's, then reaps.
fn reap(mut child: Child, pid: Pid, reaped: &Mutex<bool>) -> Option<ExitStatus> {
    while let Err(rustix::io::Errno::INTR) =
        waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
    {}
    let _ = kill_process_group(pid, Signal::KILL);
    guard::release(pid);
    let mut reaped = lock(reaped);
    let status = child.wait().ok();
    *reaped = true;
    status
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
