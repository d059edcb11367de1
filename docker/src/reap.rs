//! What dead runs left with an engine, and what this one leaves there: containers and networks.

use std::collections::BTreeMap;

use testcontainers::bollard::query_parameters::{ListContainersOptionsBuilder, ListNetworksOptionsBuilder};
use tokio::task::JoinSet;

use crate::clock;
use crate::engine::{Engine, HostError, OWNER, RUN, refused};
use crate::owner::{Life, Owner};

/// What an engine holds of a run.
#[derive(Debug, Default)]
struct Left {
    owner: Option<Owner>,
    containers: Vec<String>,
    networks: Vec<String>,
    /// Whether something of it runs.
    runs: bool,
    /// When the youngest of it was made, where the engine says it.
    made: Option<u64>,
}

impl Engine {
    /// Removes what runs left whose owner is gone.
    ///
    /// # Errors
    /// What the engine refuses.
    pub(crate) async fn reap_the_dead(&self) -> Result<(), HostError> {
        let mut kept = vec![];
        for (_, left) in self.left(None).await? {
            if left.is_dead() {
                kept.extend(self.clear(left).await?);
            }
        }
        say_kept(&kept);
        Ok(())
    }

    /// Removes everything of a run.
    ///
    /// # Errors
    /// What the engine refuses.
    pub(crate) async fn reap(&self, run: &str) -> Result<(), HostError> {
        if let Some(left) = self.left(Some(run)).await?.remove(run) {
            say_kept(&self.clear(left).await?);
        }
        Ok(())
    }

    async fn left(&self, run: Option<&str>) -> Result<BTreeMap<String, Left>, HostError> {
        let label = run.map_or(RUN.to_owned(), |run| format!("{RUN}={run}"));
        let filters = [("label", vec![label])].into();
        let mut all: BTreeMap<String, Left> = BTreeMap::new();
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let containers = self.0.list_containers(Some(options)).await;
        for container in containers.map_err(|error| refused("list its containers", error))? {
            let labels = container.labels.unwrap_or_default();
            let Some(left) = labels.get(RUN).map(|run| all.entry(run.clone()).or_default()) else { continue };
            left.owner = labels.get(OWNER).and_then(|owner| owner.parse().ok());
            left.containers.extend(container.id);
            left.runs |= container.state.is_some_and(|state| state.to_string() == "running");
            left.made = left.made.max(container.created.and_then(|at| u64::try_from(at).ok()));
        }
        let options = ListNetworksOptionsBuilder::new().filters(&filters).build();
        let networks = self.0.list_networks(Some(options)).await;
        for network in networks.map_err(|error| refused("list its networks", error))? {
            let labels = network.labels.unwrap_or_default();
            let Some(left) = labels.get(RUN).map(|run| all.entry(run.clone()).or_default()) else { continue };
            left.owner = labels.get(OWNER).and_then(|owner| owner.parse().ok());
            left.networks.extend(network.name);
            let made = network.created.and_then(|at| u64::try_from(at.unix_timestamp()).ok());
            left.made = left.made.max(made);
        }
        Ok(all)
    }

    /// Containers at once, then the networks that they were on. Returned are the networks that the engine keeps.
    async fn clear(&self, left: Left) -> Result<Vec<String>, HostError> {
        let had_containers = !left.containers.is_empty();
        let mut removing = JoinSet::new();
        for container in left.containers {
            let engine = self.clone();
            removing.spawn(async move { engine.remove(&container).await });
        }
        let mut failed = Ok(());
        while let Some(removed) = removing.join_next().await {
            match removed {
                Ok(removed) => failed = failed.and(removed),
                Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
            }
        }
        failed?;
        let mut kept = vec![];
        for network in left.networks {
            let removed = match had_containers {
                true => self.remove_left_network(&network).await,
                false => self.remove_network(&network).await,
            };
            match removed {
                Ok(true) => {}
                Ok(false) => kept.push(network),
                Err(error) => eprintln!("coexist: {error}; the next run tries again"),
            }
        }
        Ok(kept)
    }
}

/// An engine whose containers end at the same moment may miscount who is left on their network, and does not let it go before it
/// starts again (moby 20.10). That holds up nobody but who wants those addresses.
fn say_kept(networks: &[String]) {
    if !networks.is_empty() {
        eprintln!(
            "coexist: the container engine takes networks for used that no container is on, and keeps them until it \
             restarts: {}; no run is held up",
            networks.join(", ")
        );
    }
}

impl Left {
    fn is_dead(&self) -> bool {
        let life = self.owner.as_ref().map_or(Life::Unseen, Owner::life);
        life.has_left(self.runs, self.made, clock::now())
    }
}
