//! What dead runs left with an engine, and what this one leaves there: containers and networks.

use std::collections::BTreeMap;

use testcontainers::bollard::query_parameters::{ListContainersOptionsBuilder, ListNetworksOptionsBuilder};

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
                match self.clear(left).await {
                    Ok(networks) => kept.extend(networks),
                    // What is of another run holds up none.
                    Err(error) => later(&error),
                }
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

    /// Containers, then the networks that they were on. Returned are the networks that the engine keeps.
    ///
    /// Containers go one after the other: an engine loses count of who is on a network where several leave it at the same moment
    /// (moby issue 42119; of 40 networks it kept 2, and of 88 that were left one by one none).
    async fn clear(&self, left: Left) -> Result<Vec<String>, HostError> {
        let had_containers = !left.containers.is_empty();
        let mut failed = Ok(());
        for container in left.containers {
            failed = failed.and(self.remove(&container).await);
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
                Err(error) => later(&error),
            }
        }
        Ok(kept)
    }
}

fn later(error: &HostError) {
    eprintln!("coexist: {error}; the next run tries again");
}

/// Where containers end at the same moment all the same, when the engine stops or somebody ends them, it may have miscounted, and
/// does not let their network go before it starts again. That holds up nobody but who wants those addresses.
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
