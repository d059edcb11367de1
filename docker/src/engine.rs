//! The container engine: found, spoken to in a version that it knows, and asked for networks and containers.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use lab::clock::within;
use lab::ground::Place;
use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error;
use testcontainers::bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HostConfig, HostConfigLogConfig, Ipam,
    IpamConfig, MountType, NetworkConnectRequest, NetworkCreateRequest, NetworkingConfig,
};
use testcontainers::bollard::query_parameters::{
    CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
};
use testcontainers::core::client::docker_client_instance;

use crate::{TooMany, clock};

/// What marks everything of ours, with the run's name.
pub(crate) const RUN: &str = "coexist.run";
/// Whose run it is.
pub(crate) const OWNER: &str = "coexist.owner";

/// Why a run in containers did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// No engine.
    #[error(
        "no container engine answers ({0}); start Docker, or set DOCKER_HOST to where it is, or use --host in-process"
    )]
    NoEngine(String),
    /// It refused something.
    #[error("the container engine cannot {what}: {error}")]
    Refused {
        /// What was wanted.
        what: String,
        /// What it says.
        error: Error,
    },
    /// It was there, and then was not.
    #[error(
        "the container engine stopped answering in the middle of the run ({error}); what it still holds of this run is labelled {RUN}={run}, and the next run removes it"
    )]
    Gone {
        /// What was seen of that.
        error: String,
        /// The run.
        run: String,
    },
    /// The inner half did not come to an end of its own.
    #[error(
        "the container {container} was killed (exit code {code}), and with it the run: by `docker kill`, or for want of memory?"
    )]
    Killed {
        /// 128 and the number of the signal.
        code: u8,
        /// Its name.
        container: String,
    },
    /// Every pair of networks is taken.
    #[error(
        "no free pair of networks in 198.18.0.0/15: {0} are taken; are so many runs under way? `docker network ls --filter label={RUN}` lists them"
    )]
    NoNetwork(u32),
    /// More servers or sites than there are addresses.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// A file of the run.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
}

/// An engine that has answered.
#[derive(Clone)]
pub struct Engine(pub(crate) Docker);

/// A container that is to be.
pub(crate) struct Container<'a> {
    pub(crate) name: String,
    pub(crate) image: &'a str,
    pub(crate) command: Vec<String>,
    pub(crate) env: Vec<String>,
    pub(crate) mounts: Vec<crate::run::Mount>,
    pub(crate) user: &'a str,
    /// Whether the end of our line to it is told it as the end of its input.
    pub(crate) listens: bool,
    pub(crate) labels: &'a HashMap<String, String>,
    pub(crate) networks: &'a Networks,
    pub(crate) place: &'a Place,
}

/// The two planes, by name.
#[derive(Debug, Clone)]
pub(crate) struct Networks {
    pub(crate) inside: String,
    pub(crate) outside: String,
}

impl HostError {
    /// What the engine did not even answer was asked of one that is gone.
    pub(crate) fn in_the_middle_of(self, run: &str) -> HostError {
        match self {
            HostError::Refused { error, .. } if is_silence(&error) => {
                HostError::Gone { error: deepest(&error), run: run.to_owned() }
            }
            other => other,
        }
    }
}

impl Engine {
    /// Finds the engine as Docker's own tools do: DOCKER_HOST, the context that is chosen, or the usual socket.
    ///
    /// # Errors
    /// None answers.
    pub async fn find() -> Result<Engine, HostError> {
        let no = |error: String| HostError::NoEngine(error);
        let docker = docker_client_instance().await.map_err(|error| no(error.to_string()))?;
        let greeted = within(clock::GREETING, docker.negotiate_version()).await;
        match greeted {
            Some(Ok(docker)) => Ok(Engine(docker)),
            Some(Err(error)) => Err(no(deepest(&error))),
            None => Err(no(format!("it says nothing within {:?}", clock::GREETING))),
        }
    }

    /// Makes a network without a way out, on which this machine has an address; `false` where another one has these addresses.
    pub(crate) async fn network(
        &self,
        name: &str,
        subnet: &str,
        machine: Option<IpAddr>,
        labels: &HashMap<String, String>,
    ) -> Result<bool, HostError> {
        let config = IpamConfig {
            subnet: Some(subnet.to_owned()),
            gateway: machine.map(|address| address.to_string()),
            ..IpamConfig::default()
        };
        let wanted = NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some("bridge".to_owned()),
            internal: Some(true),
            ipam: Some(Ipam { config: Some(vec![config]), ..Ipam::default() }),
            labels: Some(labels.clone()),
            ..NetworkCreateRequest::default()
        };
        match self.0.create_network(wanted).await {
            Ok(_) => Ok(true),
            Err(Error::DockerResponseServerError { message, .. }) if message.contains("overlap") => Ok(false),
            Err(error) => Err(refused(format!("make the network {name}"), error)),
        }
    }

    /// Makes a container and puts it on its planes, with its addresses; nothing in it runs yet.
    pub(crate) async fn create(&self, wanted: Container<'_>) -> Result<(), HostError> {
        let at = |address: IpAddr| EndpointSettings {
            ipam_config: Some(EndpointIpamConfig {
                ipv4_address: Some(address.to_string()),
                ..EndpointIpamConfig::default()
            }),
            ..EndpointSettings::default()
        };
        let Networks { inside, outside } = wanted.networks;
        let host = HostConfig {
            network_mode: Some(inside.clone()),
            mounts: Some(wanted.mounts.iter().map(mount).collect()),
            // What the runner says is relayed as it comes; kept besides, it would fill the disk of a lab that is left running.
            log_config: wanted.listens.then(|| HostConfigLogConfig {
                typ: Some("none".to_owned()),
                ..HostConfigLogConfig::default()
            }),
            readonly_rootfs: Some(true),
            cap_drop: Some(vec!["ALL".to_owned()]),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            // Port 443 for an ordinary user, in this network only.
            sysctls: Some([("net.ipv4.ip_unprivileged_port_start".to_owned(), "0".to_owned())].into()),
            ..HostConfig::default()
        };
        let body = ContainerCreateBody {
            image: Some(wanted.image.to_owned()),
            cmd: Some(wanted.command),
            env: Some(wanted.env),
            user: Some(wanted.user.to_owned()),
            labels: Some(wanted.labels.clone()),
            open_stdin: Some(wanted.listens),
            stdin_once: Some(wanted.listens),
            attach_stdin: Some(wanted.listens),
            host_config: Some(host),
            networking_config: Some(NetworkingConfig {
                endpoints_config: Some([(inside.clone(), at(wanted.place.inside))].into()),
            }),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::new().name(&wanted.name).build();
        let what = |does: &str| format!("{does} the container {}", wanted.name);
        self.0.create_container(Some(options), body).await.map_err(|error| refused(what("make"), error))?;
        if let Some(address) = wanted.place.outside {
            let request =
                NetworkConnectRequest { container: wanted.name.clone(), endpoint_config: Some(at(address)) };
            let connected = self.0.connect_network(outside, request).await;
            connected.map_err(|error| refused(what("connect"), error))?;
        }
        Ok(())
    }

    /// Starts a container.
    pub(crate) async fn start(&self, name: &str) -> Result<(), HostError> {
        let started = self.0.start_container(name, None::<StartContainerOptions>).await;
        started.map_err(|error| refused(format!("start the container {name}"), error))
    }

    /// Removes a container, running or not; one that is gone is removed.
    pub(crate) async fn remove(&self, name: &str) -> Result<(), HostError> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        gone(self.0.remove_container(name, Some(options)).await)
            .map_err(|error| refused(format!("remove the container {name}"), error))
    }

    /// Removes a network, and waits a moment where containers have just left it: their ends stay on it for as long. `false` where the
    /// engine still counts some then.
    pub(crate) async fn remove_left_network(&self, name: &str) -> Result<bool, HostError> {
        let mut attempts = clock::attempts();
        let mut removed = Ok(false);
        let tried = async {
            loop {
                attempts.tick().await;
                removed = self.remove_network(name).await;
                if !matches!(removed, Ok(false)) {
                    return;
                }
            }
        };
        within(clock::FAREWELL, tried).await;
        removed
    }

    /// Removes a network, or one that is gone; `false` where the engine counts ends of containers on it.
    pub(crate) async fn remove_network(&self, name: &str) -> Result<bool, HostError> {
        match gone(self.0.remove_network(name).await) {
            Ok(()) => Ok(true),
            Err(error) if still_used(&error) => Ok(false),
            Err(error) => Err(refused(format!("remove the network {name}"), error)),
        }
    }
}

fn is_silence(error: &Error) -> bool {
    matches!(
        error,
        Error::IOError { .. }
            | Error::HyperResponseError { .. }
            | Error::HyperLegacyError { .. }
            | Error::RequestTimeoutError
            | Error::SocketNotFoundError(_)
    )
}

fn still_used(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { message, .. } if message.contains("active endpoints"))
}

pub(crate) fn mount(mount: &crate::run::Mount) -> testcontainers::bollard::models::Mount {
    testcontainers::bollard::models::Mount {
        source: Some(mount.from.display().to_string()),
        target: Some(mount.to.display().to_string()),
        typ: Some(MountType::BIND),
        read_only: Some(mount.read_only),
        ..Default::default()
    }
}

/// Removing what is gone already, or is being removed by another, has removed it.
fn gone(removed: Result<(), Error>) -> Result<(), Error> {
    match removed {
        Err(Error::DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(()),
        other => other,
    }
}

pub(crate) fn refused(what: impl Into<String>, error: Error) -> HostError {
    HostError::Refused { what: what.into(), error }
}

/// The innermost reason of an error: what the operating system says.
pub(crate) fn deepest(error: &Error) -> String {
    let mut reason: &dyn std::error::Error = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    reason.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_an_engine_that_is_gone_and_an_answer_is_a_refusal() {
        let refused =
            |error| refused("start the container x", error).in_the_middle_of("coexist-1-ab").to_string();
        let gone = refused(Error::IOError { err: std::io::ErrorKind::ConnectionRefused.into() });
        assert!(
            gone.starts_with("the container engine stopped answering in the middle of the run"),
            "{gone}"
        );
        assert!(gone.contains("labelled coexist.run=coexist-1-ab"), "{gone}");
        let answer =
            Error::DockerResponseServerError { status_code: 500, message: "no space left".to_owned() };
        assert!(refused(answer).starts_with("the container engine cannot start the container x: "));
    }
}
