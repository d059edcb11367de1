//! A lab's servers, each in a container of its own that takes up its place for the lab's time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use directory::Directory;
use exchange::{Faults, Script};
use model::case::FaultAt;
use model::{ServerName, Topology};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::LabError;
use super::servers::{Misbehaviour, Taken, Tools};
use crate::ground::{Layout, Place, Planes};
use crate::host::{Books, Facts, Order, Post, Station};

/// Orders that are on their way at once: each of a thousand may hold a large lab's every fact.
const ORDERS_AT_ONCE: usize = 64;

/// The servers of a lab while they have their places.
pub(super) struct Stationed {
    planes: Arc<Planes>,
    lab: u64,
    /// Every position's container; edges are no servers, and a proxy runs in theirs.
    stations: BTreeMap<ServerName, Arc<Station>>,
    /// What they were told to do wrong.
    told: Faults,
    elsewhere: BTreeMap<ServerName, Place>,
    moving: Mutex<Option<(ServerName, Arc<Station>)>>,
}

/// Where each position of a topology is: on the outside only who is published in this topology, or is the seat.
pub(super) fn laid_out(
    planes: &Planes,
    topology: &Topology,
) -> Result<BTreeMap<ServerName, Place>, LabError> {
    let published: BTreeSet<&ServerName> = topology.published();
    let place = |name: &ServerName| {
        let known = planes.layout().servers.get(name).ok_or_else(|| LabError::NoPlace(name.clone()))?;
        let outside = known.outside.filter(|_| published.contains(name));
        Ok((name.clone(), Place { inside: known.inside, outside }))
    };
    topology.positions().map(place).collect()
}

impl Stationed {
    /// Has every server take up its place. When it returns, each listens; or none does any more.
    pub(super) async fn start(
        planes: Arc<Planes>,
        books: Books,
        tools: &Tools<'_>,
        taken: &[Taken<'_>],
        misbehaves: &Misbehaviour,
    ) -> Result<Stationed, LabError> {
        let facts = Facts(Arc::new(books.directory.copy()));
        let lab = planes.door().lays_open(books);
        let mut stationed = Stationed {
            planes,
            lab,
            stations: BTreeMap::new(),
            told: Faults::default(),
            elsewhere: BTreeMap::new(),
            moving: Mutex::default(),
        };
        for (at, script) in &misbehaves.scripts {
            stationed.told.set(at.clone(), script.clone());
        }
        match stationed.take_up(tools, taken, &facts, misbehaves).await {
            Ok(()) => Ok(stationed),
            Err(error) => {
                stationed.leave().await;
                Err(error)
            }
        }
    }

    async fn take_up(
        &mut self,
        tools: &Tools<'_>,
        taken: &[Taken<'_>],
        facts: &Facts,
        misbehaves: &Misbehaviour,
    ) -> Result<(), LabError> {
        let planes = self.planes.clone();
        for name in tools.topology.positions() {
            self.stations.insert(name.clone(), reported(&planes, name, name.as_str()).await?);
        }
        let mut orders = vec![];
        for post in taken {
            let place = &tools.addresses[post.name];
            let station = self.stations[post.name].clone();
            orders.push((station, self.post(tools, post, place, facts, misbehaves)?));
            if let Some(place) = planes.layout().elsewhere.as_ref().filter(|_| post.moves) {
                let station = reported(&planes, post.name, Layout::ELSEWHERE).await?;
                orders.push((station.clone(), self.post(tools, post, place, facts, misbehaves)?));
                self.elsewhere.insert(post.name.clone(), place.clone());
                *self.moving() = Some((post.name.clone(), station));
            }
        }
        self.all(orders).await
    }

    fn post(
        &self,
        tools: &Tools<'_>,
        taken: &Taken<'_>,
        place: &Place,
        facts: &Facts,
        misbehaves: &Misbehaviour,
    ) -> Result<Order, LabError> {
        let leaf = tools.leaf(taken)?;
        let scripts = misbehaves.scripts.iter().filter(|(at, _)| at.server == *taken.name);
        let dictated = misbehaves.dictated.iter().filter(|(server, _)| server == taken.name);
        Ok(Order::TakeUp(Box::new(Post {
            lab: self.lab,
            server: taken.name.clone(),
            addresses: place.all().collect(),
            seat: taken.seat,
            chain_pem: leaf.chain_pem().to_owned(),
            key_pem: leaf.key_pem().to_owned(),
            root_pem: tools.authority.root_pem(),
            facts: facts.clone(),
            faults: scripts.map(|(at, script)| (at.clone(), script.clone())).collect(),
            answers: dictated.map(|(_, dictation)| dictation.clone()).collect(),
        })))
    }

    /// Gives each its order, many at once, and waits until all are carried out.
    async fn all(&self, orders: Vec<(Arc<Station>, Order)>) -> Result<(), LabError> {
        let mut giving = JoinSet::new();
        let room = Arc::new(Semaphore::new(ORDERS_AT_ONCE));
        for (station, order) in orders {
            let room = room.clone();
            giving.spawn(async move {
                let _room = room.acquire_owned().await;
                station.does(order).await.map_err(|why| (station.name().to_owned(), why))
            });
        }
        let mut failed = None;
        while let Some(given) = giving.join_next().await {
            match given {
                Ok(Err(why)) => failed = failed.or(Some(why)),
                Ok(Ok(_)) => {}
                Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
            }
        }
        match failed {
            None => Ok(()),
            Some((name, why)) => {
                let server = self.stations.keys().find(|known| known.as_str() == name);
                let server = server.or(self.stations.keys().next()).cloned();
                server.map_or(Ok(()), |server| Err(LabError::Station { server, why }))
            }
        }
    }

    /// Every container that is a server of this lab, the one that somebody moves to included.
    fn everybody(&self) -> Vec<Arc<Station>> {
        let moving = self.moving().as_ref().map(|(_, station)| station.clone());
        self.stations.values().cloned().chain(moving).collect()
    }

    /// What they were told to do wrong.
    pub(super) fn faults(&self) -> &Faults {
        &self.told
    }

    /// Sets or ends a fault.
    pub(super) async fn fault(&self, at: FaultAt, script: Option<Script>) -> Result<(), LabError> {
        match &script {
            Some(script) => self.told.set(at.clone(), script.clone()),
            None => self.told.mend(at.clone()),
        }
        let moving = self.moving().clone().filter(|(server, _)| *server == at.server);
        let station = self.stations.get(&at.server).cloned();
        let orders = station.into_iter().chain(moving.map(|(_, station)| station));
        let order = |station| (station, Order::Fault(at.clone(), script.clone()));
        self.all(orders.map(order).collect()).await
    }

    /// Has every server know what the directory says now.
    pub(super) async fn learn(&self, directory: &Directory) -> Result<(), LabError> {
        let facts = Facts(Arc::new(directory.copy()));
        let servers: Vec<_> = directory.topology().servers.keys().cloned().collect();
        let moving = self.moving().as_ref().map(|(_, station)| station.clone());
        let stations = servers.iter().filter_map(|name| self.stations.get(name).cloned()).chain(moving);
        self.all(stations.map(|station| (station, Order::Renew(facts.clone()))).collect()).await
    }

    /// Where servers are after their move.
    pub(super) fn elsewhere(&self) -> &BTreeMap<ServerName, Place> {
        &self.elsewhere
    }

    /// The server at the other address has listened from the start; names lead there, then the first one leaves.
    pub(super) async fn moves(
        &self,
        server: &ServerName,
        led_there: impl FnOnce(&Place),
    ) -> Result<bool, LabError> {
        let (Some(place), Some(before)) = (self.elsewhere.get(server), self.stations.get(server)) else {
            return Ok(false);
        };
        led_there(place);
        self.all(vec![(before.clone(), Order::Leave)]).await?;
        Ok(true)
    }

    /// A server whose container has ended.
    pub(super) fn lost(&self) -> Option<String> {
        self.everybody().iter().find(|station| station.is_gone()).map(|station| station.name().to_owned())
    }

    /// Waits for the first container of a server that ends.
    pub(super) async fn loses(&self) -> String {
        let mut waiting = JoinSet::new();
        for station in self.everybody() {
            waiting.spawn(async move {
                station.goes().await;
                station.name().to_owned()
            });
        }
        match waiting.join_next().await {
            Some(Ok(name)) => name,
            Some(Err(panicked)) => std::panic::resume_unwind(panicked.into_panic()),
            None => std::future::pending().await,
        }
    }

    /// A position's container.
    pub(super) fn station(&self, position: &ServerName) -> Option<Arc<Station>> {
        self.stations.get(position).cloned()
    }

    /// Who starts subjects that are images.
    pub(super) async fn engine(&self) -> Result<Arc<Station>, LabError> {
        let station = self.planes.door().station(crate::host::ENGINE).await;
        station.map_err(|why| LabError::Engine { why })
    }

    /// Has every server leave its place.
    pub(super) async fn leave(self) {
        let orders = self.everybody().into_iter().map(|station| (station, Order::Leave)).collect();
        // A container that has ended has left.
        drop(self.all(orders).await);
        self.planes.door().closes(self.lab);
    }

    fn moving(&self) -> std::sync::MutexGuard<'_, Option<(ServerName, Arc<Station>)>> {
        self.moving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn reported(planes: &Planes, server: &ServerName, name: &str) -> Result<Arc<Station>, LabError> {
    let station = planes.door().station(name).await;
    station.map_err(|why| LabError::Station { server: server.clone(), why })
}
