//! `lab.json`: where a subject sits, what it listens on, and where everybody else is. Read once, at the start.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use model::{HostName, ServerName, SiteName, Topology};
use serde::Deserialize;

/// What a lab hands to whoever takes a seat in it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Lab {
    /// The version of this contract: 1.
    pub contract: u32,
    /// The seat that is taken.
    pub seat: Seat,
    /// The lab's root certificate, a PEM file.
    pub ca: PathBuf,
    /// The directory's HTTP/JSON door, `http://127.80.3.4:80`.
    pub directory: String,
    /// The account that may speak for users.
    pub service_account: ServiceAccount,
    /// The address to dial from.
    pub source: IpAddr,
    /// The DNS servers.
    pub dns: Dns,
    /// Where addresses of DNS and canonical ports really listen, where that is elsewhere.
    #[serde(default)]
    pub mapped: Vec<Mapped>,
    /// The topology. A front end asks the directory for it, since facts change; an edge needs its names alone.
    #[serde(default)]
    pub topology: Option<Topology>,
    /// Who reads the request log, `http://127.80.3.5:80`; nobody, unless a subject is before this front end.
    #[serde(default)]
    pub request_log: Option<String>,
}

/// A server's place in the topology, and what whoever fills it needs.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Seat {
    /// The position, `cas2013-s1`.
    pub server: ServerName,
    /// Its DNS name.
    pub fqdn: HostName,
    /// Its site.
    pub site: SiteName,
    /// What to listen on.
    pub listen: Listen,
    /// What to present to clients.
    pub certificate: Certificate,
}

/// The seat's listeners.
#[derive(Debug, Clone, Deserialize)]
pub struct Listen {
    /// Canonical port 443.
    pub https: SocketAddr,
    /// Canonical port 80.
    pub http: SocketAddr,
    /// Canonical port 993.
    #[serde(default)]
    pub imaps: Option<SocketAddr>,
    /// Canonical port 143.
    #[serde(default)]
    pub imap: Option<SocketAddr>,
    /// Canonical port 995.
    #[serde(default)]
    pub pops: Option<SocketAddr>,
    /// Canonical port 110.
    #[serde(default)]
    pub pop: Option<SocketAddr>,
}

/// The seat's certificate, as PEM files.
#[derive(Debug, Clone, Deserialize)]
pub struct Certificate {
    /// The leaf and what is sent with it.
    pub chain: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// An account that asks for tickets.
#[derive(Debug, Clone, Deserialize)]
pub struct ServiceAccount {
    /// `CONTOSO\svc-proxy`
    pub user: String,
    /// Its password.
    pub password: String,
}

/// Whom to ask for addresses.
#[derive(Debug, Clone, Deserialize)]
pub struct Dns {
    /// The internal view's server.
    pub internal: SocketAddr,
}

/// Where an address and a canonical port really listen.
#[derive(Debug, Clone, Deserialize)]
pub struct Mapped {
    /// An address as DNS has it.
    pub ip: IpAddr,
    /// A canonical port.
    pub port: u16,
    /// What to dial for them.
    pub address: SocketAddr,
}

/// Why a lab could not be joined.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The file cannot be read.
    #[error("{file}: {error}")]
    Unreadable {
        /// The file.
        file: String,
        /// What the operating system says.
        error: std::io::Error,
    },
    /// The file is not what the contract says.
    #[error("{file}: {error}; a right one is what the lab writes to {{work}}/lab.json")]
    Malformed {
        /// The file.
        file: String,
        /// What is wrong, with line and column.
        error: serde_json::Error,
    },
    /// Another contract.
    #[error("{file}: contract {given} is not known here; this program knows contract 1")]
    OtherContract {
        /// The file.
        file: String,
        /// What it says.
        given: u32,
    },
}

impl Lab {
    /// Reads `lab.json`.
    ///
    /// # Errors
    /// A file that is missing, malformed or of another contract, by its name.
    pub fn read(path: &Path) -> Result<Lab, LabError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| LabError::Unreadable { file: file.clone(), error })?;
        let lab: Lab =
            serde_json::from_str(&text).map_err(|error| LabError::Malformed { file: file.clone(), error })?;
        match lab.contract {
            1 => Ok(lab),
            given => Err(LabError::OtherContract { file, given }),
        }
    }

    /// What to dial for an address and canonical port, where that is not what they say.
    pub fn mapped(&self) -> HashMap<(IpAddr, u16), SocketAddr> {
        self.mapped.iter().map(|row| ((row.ip, row.port), row.address)).collect()
    }
}
