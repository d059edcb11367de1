//! A subject that is an image: a container of its own, in the network of the server whose place it has.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use lab::host::{Contained, End, Images};
use testcontainers::bollard::models::{ContainerCreateBody, HostConfig};
use testcontainers::bollard::query_parameters::{
    CreateContainerOptionsBuilder, KillContainerOptionsBuilder, LogsOptionsBuilder, WaitContainerOptions,
};
use tokio::io::AsyncWriteExt as _;
use tokio_stream::StreamExt as _;

use crate::engine::{Engine, mount};
use crate::run::{FOLDER, Mount, ended};

/// What starts a run's subjects.
pub(crate) struct Subjects {
    pub(crate) engine: Engine,
    pub(crate) run: String,
    pub(crate) labels: HashMap<String, String>,
    /// What containers see as [`FOLDER`], as it is here.
    pub(crate) folder: PathBuf,
    /// Whom a subject asks for names: what it shares a network with keeps its own file.
    pub(crate) resolver: Mount,
}

impl Images for Subjects {
    async fn start(&mut self, wanted: Contained) -> Result<End, String> {
        let name = self.name();
        let says = |error: crate::HostError| error.to_string();
        self.engine.remove(&name).await.map_err(says)?;
        let work = Mount { from: self.here(&wanted.work), to: wanted.work.clone(), read_only: false };
        let host = HostConfig {
            network_mode: Some(format!("container:{}-{}", self.run, wanted.seat)),
            mounts: Some([&work, &self.resolver].map(mount).to_vec()),
            ..HostConfig::default()
        };
        let mut command = wanted.command.into_iter();
        let first = command.next();
        let arguments: Vec<String> = command.collect();
        let body = ContainerCreateBody {
            image: Some(wanted.image.clone()),
            entrypoint: first.map(|first| vec![first]),
            cmd: (!arguments.is_empty()).then_some(arguments),
            env: Some(wanted.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
            working_dir: Some(wanted.work.display().to_string()),
            labels: Some(self.labels.clone()),
            host_config: Some(host),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        let docker = self.engine.0.clone();
        let made = docker.create_container(Some(options), body).await;
        made.map_err(|error| {
            format!("image {}: {error}; nothing is pulled, so it must be here", wanted.image)
        })?;
        self.engine.start(&name).await.map_err(says)?;
        let log = self.here(&wanted.log);
        Ok(Box::pin(async move {
            let options = LogsOptionsBuilder::new().follow(true).stdout(true).stderr(true).build();
            let mut output = std::pin::pin!(docker.logs(&name, Some(options)));
            let mut file = tokio::fs::File::options().create(true).append(true).open(&log).await.ok();
            while let Some(Ok(said)) = output.next().await {
                if let Some(file) = &mut file {
                    // What cannot be written is missing from the log, and from nothing else.
                    drop(file.write_all(&said.into_bytes()).await);
                    drop(file.flush().await);
                }
            }
            let mut waiting = std::pin::pin!(docker.wait_container(&name, None::<WaitContainerOptions>));
            waiting.next().await.and_then(ended).unwrap_or(GONE)
        }))
    }

    async fn signal(&mut self, number: i32) {
        let options = KillContainerOptionsBuilder::new().signal(&number.to_string()).build();
        // One that has ended cannot be told.
        drop(self.engine.0.kill_container(&self.name(), Some(options)).await);
    }
}

/// The code of a container of which the engine cannot say how it ended.
const GONE: u8 = 255;

impl Subjects {
    fn name(&self) -> String {
        format!("{}-subject", self.run)
    }

    /// A path below the run's folder, as it is on this machine.
    fn here(&self, path: &Path) -> PathBuf {
        path.strip_prefix(FOLDER).map_or_else(|_| path.to_owned(), |below| self.folder.join(below))
    }
}
