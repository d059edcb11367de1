//! What a subject is told: lab.json, facts only, never a target.

use std::net::SocketAddr;
use std::path::PathBuf;

use model::{HostName, ServerName, SiteName, Topology};
use serde::Serialize;
use serde_json::Value;

/// The version of lab.json.
const CONTRACT: u8 = 1;

/// Everything in lab.json.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Facts {
    /// The position that the subject fills.
    pub seat: SeatFacts,
    /// The lab's root certificate.
    pub ca: PathBuf,
    /// The resolver of the inside.
    #[serde(serialize_with = "as_internal")]
    pub dns: SocketAddr,
    /// The directory's HTTP door: `http://127.80.3.4:80`.
    pub directory: String,
    /// Whom tickets are given to.
    pub service_account: Account,
    /// The address that the subject dials from.
    pub source: std::net::IpAddr,
    /// Every name and canonical port of the inside, and where it really listens.
    pub dial: Vec<Dial>,
    /// The domain of servers, namespaces and addresses.
    pub domain: HostName,
    /// The topology.
    pub topology: Topology,
    /// The mailboxes, as the directory shows them.
    pub mailboxes: Vec<Value>,
}

/// The seat itself.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SeatFacts {
    /// The position.
    pub server: ServerName,
    /// Its own DNS name.
    pub fqdn: HostName,
    /// Its site.
    pub site: SiteName,
    /// What the subject is.
    pub role: model::Role,
    /// What it is to bind.
    pub listen: SeatListeners,
    /// What it is to present.
    pub certificate: SeatFiles,
}

/// What the subject is to bind.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SeatListeners {
    /// Port 443 in URLs.
    pub https: SocketAddr,
    /// Port 80 in URLs.
    pub http: SocketAddr,
}

/// The seat's certificate, as PEM files.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SeatFiles {
    /// The certificates to send.
    pub chain: PathBuf,
    /// The private key.
    pub key: PathBuf,
    /// Both.
    pub pem: PathBuf,
}

impl From<crate::pki::LeafFiles> for SeatFiles {
    fn from(leaf: crate::pki::LeafFiles) -> SeatFiles {
        SeatFiles { chain: leaf.chain, key: leaf.key, pem: leaf.pem }
    }
}

/// A user and its password.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Account {
    /// `CONTOSO\svc-proxy`
    pub user: String,
    /// In clear: it is a lab's.
    pub password: String,
}

/// Where a name and a canonical port really listen.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Dial {
    /// `cas2010-s1.contoso.com`
    pub name: HostName,
    /// 443
    pub port: u16,
    /// `127.80.3.21:443`
    pub address: SocketAddr,
}

/// The text of lab.json.
pub fn lab_json(facts: &Facts) -> Value {
    // A struct of strings, numbers and maps with text keys has a JSON form, so this cannot fail.
    let mut told = serde_json::to_value(facts).expect("facts have a JSON form");
    if let Value::Object(told) = &mut told {
        told.insert("contract".into(), CONTRACT.into());
    }
    told
}

fn as_internal<S: serde::Serializer>(dns: &SocketAddr, serializer: S) -> Result<S::Ok, S::Error> {
    use serde::ser::SerializeMap;
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry("internal", dns)?;
    map.end()
}
