//! `coexist hold`: a process that holds sessions for `bench held`, as it is told on its standard input, until that ends.

use std::io::{BufRead as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::session::{Clients, Held};
use super::{Ask, Kind, Said};
use crate::commands::say;
use crate::exit::Exit;

/// So many sessions are set up at once: more would only wait for one another.
const AT_ONCE: usize = 64;

pub(in crate::commands) fn hold() -> Exit {
    let runtime = match say::runtime() {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    match obey(&runtime) {
        Ok(()) => Exit::AsExpected,
        Err(error) => {
            say::error(format!("hold: {error:#}"));
            Exit::Broken
        }
    }
}

/// Between two lines this thread waits for the next, and the sessions are held by the others.
fn obey(runtime: &Runtime) -> anyhow::Result<()> {
    let mut lines = std::io::stdin().lock().lines();
    let first =
        lines.next().context("`bench held` starts this, and says on its standard input what to hold")??;
    let clients = Arc::new(Clients::new(serde_json::from_str(&first)?)?);
    let (mut held, ended) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
    for line in lines {
        let said = match serde_json::from_str(&line?)? {
            Ask::Ended => Said::Ended(ended.load(Ordering::Relaxed)),
            Ask::Hold { kind, first, count } => match runtime.block_on(stand(&clients, kind, first, count)) {
                Ok(standing) => {
                    for session in standing {
                        let ended = ended.clone();
                        let holding = async move {
                            session.ends().await;
                            ended.fetch_add(1, Ordering::Relaxed);
                        };
                        held.spawn_on(holding, runtime.handle());
                    }
                    Said::Standing
                }
                Err(says) => Said::Wrong(says),
            },
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", serde_json::to_string(&said)?)?;
        out.flush()?;
    }
    runtime.block_on(held.shutdown());
    Ok(())
}

/// So many sessions, all of them standing.
async fn stand(clients: &Arc<Clients>, kind: Kind, first: usize, count: usize) -> Result<Vec<Held>, String> {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut beginning = JoinSet::new();
    for number in first..first + count {
        let (clients, turns) = (clients.clone(), turns.clone());
        beginning.spawn(async move {
            let _turn = turns.acquire_owned().await;
            clients.stand(kind, number).await
        });
    }
    let mut standing = Vec::with_capacity(count);
    while let Some(begun) = beginning.join_next().await {
        standing.push(begun.map_err(|error| error.to_string())??);
    }
    Ok(standing)
}
