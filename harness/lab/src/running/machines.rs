//! The servers that the lab itself runs: each can be started again at another address, which is held for it from the start.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use exchange::{Machine, World};
use model::ServerName;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::ground::Place;

/// Servers while they run. [`Machines::join`] ends with the last of them.
pub(super) struct Machines {
    world: Arc<World>,
    stop: CancellationToken,
    state: Mutex<State>,
    /// Where servers are after their move. Known from the start, so that a subject can be told where that really is.
    elsewhere: BTreeMap<ServerName, Place>,
}

#[derive(Default)]
struct State {
    tasks: JoinSet<()>,
    running: BTreeMap<ServerName, Running>,
    /// With listeners that are bound and that nobody knows of yet.
    waiting: BTreeMap<ServerName, Machine>,
}

#[derive(Clone)]
struct Running {
    stop: CancellationToken,
    ended: CancellationToken,
}

impl Machines {
    pub(super) fn new(world: Arc<World>, stop: &CancellationToken) -> Machines {
        let state = Mutex::default();
        Machines { world, stop: stop.clone(), state, elsewhere: BTreeMap::new() }
    }

    /// What servers do wrong.
    pub(super) fn faults(&self) -> &exchange::Faults {
        &self.world.faults
    }

    /// Starts a server.
    pub(super) fn start(&self, machine: Machine) {
        let running = Running { stop: self.stop.child_token(), ended: CancellationToken::new() };
        let (stop, ended) = (running.stop.clone(), running.ended.clone());
        let mut state = self.state();
        state.running.insert(machine.name.clone(), running);
        let serving = exchange::serve(self.world.clone(), machine, stop);
        state.tasks.spawn(async move {
            let _ended = ended.drop_guard();
            serving.await;
        });
    }

    /// Holds another address for a server that will move.
    pub(super) fn hold(&mut self, address: IpAddr, machine: Machine) {
        self.elsewhere.insert(machine.name.clone(), Place::everywhere(address));
        self.state().waiting.insert(machine.name.clone(), machine);
    }

    /// Where servers are after their move.
    pub(super) fn elsewhere(&self) -> &BTreeMap<ServerName, Place> {
        &self.elsewhere
    }

    /// Starts a server again at the address that is held for it; `led_there` is told that address while both take
    /// connections. Then the first one ends. Says whether one was held.
    pub(super) async fn moves(&self, server: &ServerName, led_there: impl FnOnce(&Place)) -> bool {
        let (held, before) = {
            let mut state = self.state();
            (state.waiting.remove(server), state.running.get(server).cloned())
        };
        let (Some(machine), Some(before), Some(place)) = (held, before, self.elsewhere.get(server)) else {
            return false;
        };
        self.start(machine);
        led_there(place);
        before.stop.cancel();
        before.ended.cancelled().await;
        true
    }

    /// Waits for every server to end. A panic of one is raised again.
    pub(super) async fn join(self) {
        let mut state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        super::join(&mut state.tasks).await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
