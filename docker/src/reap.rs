//! What dead runs left behind, and what this one leaves: containers, networks, folders.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use testcontainers::bollard::query_parameters::{ListContainersOptionsBuilder, ListNetworksOptionsBuilder};
use tokio::task::JoinSet;

use crate::clock;
use crate::engine::{Engine, HostError, OWNER, RUN, refused};
use crate::owner::{Life, Owner};

/// The folders of runs, in the system's folder for such.
pub(crate) const FOLDERS: &str = "coexist-docker-";
/// The file in a run's folder that says whose it is.
pub(crate) const OWNED_BY: &str = "owner";

/// What an engine holds of a run.
#[derive(Debug, Default)]
struct Left {
    owner: Option<Owner>,
    containers: Vec<String>,
    networks: Vec<String>,
    /// Whether something of it runs.
    runs: bool,
    /// When the youngest of it was made.
    made: u64,
}

impl Engine {
    /// Removes what runs left whose owner is gone.
    ///
    /// # Errors
    /// What the engine refuses.
    pub(crate) async fn reap_the_dead(&self) -> Result<(), HostError> {
        for (_, left) in self.left(None).await? {
            if left.is_dead() {
                self.clear(left).await?;
            }
        }
        Ok(())
    }

    /// Removes everything of a run.
    ///
    /// # Errors
    /// What the engine refuses.
    pub(crate) async fn reap(&self, run: &str) -> Result<(), HostError> {
        match self.left(Some(run)).await?.remove(run) {
            Some(left) => self.clear(left).await,
            None => Ok(()),
        }
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
            left.made =
                left.made.max(container.created.and_then(|at| u64::try_from(at).ok()).unwrap_or_default());
        }
        let options = ListNetworksOptionsBuilder::new().filters(&filters).build();
        let networks = self.0.list_networks(Some(options)).await;
        for network in networks.map_err(|error| refused("list its networks", error))? {
            let labels = network.labels.unwrap_or_default();
            let Some(left) = labels.get(RUN).map(|run| all.entry(run.clone()).or_default()) else { continue };
            left.owner = labels.get(OWNER).and_then(|owner| owner.parse().ok());
            left.networks.extend(network.id);
        }
        Ok(all)
    }

    /// Containers at once, then the networks that they were on. An engine may count ends on a network that are there no more, and
    /// not let it go before it starts again (moby 20.10): that holds nobody up but who wants those addresses, so it is said and no
    /// more.
    async fn clear(&self, left: Left) -> Result<(), HostError> {
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
        for network in left.networks {
            if let Err(error) = self.remove_network(&network).await {
                eprintln!("coexist: {error}; the next run tries again");
            }
        }
        Ok(())
    }
}

impl Left {
    fn is_dead(&self) -> bool {
        match self.owner.as_ref().map_or(Life::Unseen, Owner::life) {
            Life::Alive => false,
            Life::Dead => true,
            // Another machine's, or of another container that shares the engine: its inner half ends with its owner.
            Life::Unseen => {
                !self.runs
                    && self.made + clock::SURELY_OVER.as_secs() < clock::now()
                    && !self.containers.is_empty()
            }
        }
    }
}

/// Removes the folders of dead runs.
pub(crate) fn reap_folders(beside: &Path) {
    let Ok(entries) = std::fs::read_dir(beside) else { return };
    let ours =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(FOLDERS));
    let folders: BTreeSet<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(ours).collect();
    for folder in folders {
        let owner = std::fs::read_to_string(folder.join(OWNED_BY))
            .ok()
            .and_then(|text| text.trim().parse::<Owner>().ok());
        if owner.is_some_and(|owner| owner.life() == Life::Dead) {
            // Somebody else's cannot be removed, and is theirs to remove.
            drop(std::fs::remove_dir_all(folder));
        }
    }
}
