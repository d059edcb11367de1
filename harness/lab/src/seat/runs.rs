//! A subject's process while it runs: started here, or by a station.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;

use model::subject::{ReloadSignal, StopSignal};
use rustix::process::Signal;
use tokio::sync::watch;

use super::process::Process;
use crate::host::{Order, Program, Station};

/// A process, wherever it is.
#[derive(Debug)]
pub(super) enum Runs {
    /// A child of this process.
    Here(Process),
    /// A child of a station.
    There(Afar),
}

/// A process that a station has started. Dropping it has it killed.
#[derive(Debug)]
pub(super) struct Afar {
    station: Arc<Station>,
    pid: u32,
    status: watch::Receiver<Option<ExitStatus>>,
}

impl Runs {
    pub(super) fn pid(&self) -> u32 {
        match self {
            Runs::Here(process) => process.pid(),
            Runs::There(afar) => afar.pid,
        }
    }

    pub(super) fn has_ended(&self) -> Option<ExitStatus> {
        match self {
            Runs::Here(process) => process.has_ended(),
            Runs::There(afar) => *afar.status.borrow(),
        }
    }

    /// Its end. What it had started in its group has been killed by then.
    pub(super) fn ended(&self) -> impl Future<Output = ExitStatus> + Send + use<> {
        let mut status = match self {
            Runs::Here(process) => process.status(),
            Runs::There(afar) => afar.status.clone(),
        };
        async move {
            match status.wait_for(Option::is_some).await.map(|ended| *ended) {
                Ok(Some(ended)) => ended,
                // Who waits for it always tells, unless that one is gone itself.
                _ => std::future::pending().await,
            }
        }
    }

    pub(super) fn signal(&self, signal: StopSignal) {
        self.send(match signal {
            StopSignal::Term => Signal::TERM,
            StopSignal::Int => Signal::INT,
            StopSignal::Quit => Signal::QUIT,
        });
    }

    pub(super) fn reload(&self, signal: ReloadSignal) {
        self.send(reload(signal));
    }

    pub(super) fn kill(&self) {
        self.send(Signal::KILL);
    }

    fn send(&self, signal: Signal) {
        match self {
            Runs::Here(process) => process.send(signal),
            Runs::There(afar) => afar.station.tell(Order::Signal(signal.as_raw())),
        }
    }
}

/// Whether it ended of being told to read its files again.
pub(super) fn ended_of(told: ReloadSignal, status: ExitStatus) -> bool {
    status.signal() == Some(reload(told).as_raw())
}

fn reload(signal: ReloadSignal) -> Signal {
    match signal {
        ReloadSignal::Hup => Signal::HUP,
        ReloadSignal::Usr1 => Signal::USR1,
        ReloadSignal::Usr2 => Signal::USR2,
    }
}

impl Afar {
    pub(super) async fn start(station: Arc<Station>, program: Program) -> Result<Afar, String> {
        let status = station.next_end(&program.log);
        let pid = station.does(Order::Run(Box::new(program))).await?;
        Ok(Afar { station, pid: pid.unwrap_or_default(), status })
    }
}

impl Drop for Afar {
    fn drop(&mut self) {
        if self.status.borrow().is_none() {
            self.station.tell(Order::Signal(Signal::KILL.as_raw()));
        }
    }
}
