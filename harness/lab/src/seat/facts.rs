//! What a subject is told: lab.json, facts only, never a target.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use model::topology::{Namespace, Server, ServerRole};
use model::{HostName, ServerName, SiteName, Topology, Version};
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
    /// Its LDAP door: `ldap://127.80.3.4:389`.
    pub ldap: String,
    /// The same over TLS: `ldaps://127.80.3.4:636`. The certificate names the address, and the domain controller.
    pub ldaps: String,
    /// The global catalog: `ldap://127.80.3.4:3268`.
    pub global_catalog: String,
    /// Whom tickets are given to.
    pub service_account: Account,
    /// The address that the subject dials from.
    pub source: std::net::IpAddr,
    /// Every name and canonical port of the inside, and where it really listens.
    pub dial: Vec<Dial>,
    /// Where the servers' addresses and canonical ports really are, for whoever asks DNS for the addresses: on mapped
    /// ground alone, elsewhere an address is what it says.
    pub mapped: Vec<Mapped>,
    /// The domain of servers, namespaces and addresses.
    pub domain: HostName,
    /// The names that clients use.
    pub namespaces: Vec<NamespaceFacts>,
    /// Every server, and where it listens.
    pub servers: Vec<ServerFacts>,
    /// Who reads the request log of a front end that stands behind the seat; a subject is told of none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_log: Option<String>,
    /// How often to ask servers for their health: `500ms`, or `never`.
    pub health_interval: String,
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
    /// Where it is inside. A subject is told what to bind and what to dial from, and needs no third.
    #[serde(skip)]
    pub address: IpAddr,
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
    /// Port 993: IMAP over TLS.
    pub imaps: SocketAddr,
    /// Port 143: IMAP, with STARTTLS.
    pub imap: SocketAddr,
    /// Port 995: POP over TLS.
    pub pops: SocketAddr,
    /// Port 110: POP, with STLS.
    pub pop: SocketAddr,
}

/// The seat's certificate, as files.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SeatFiles {
    /// The certificates to send.
    pub chain: PathBuf,
    /// The private key.
    pub key: PathBuf,
    /// Both.
    pub pem: PathBuf,
    /// Both, as PKCS #12.
    pub pfx: PathBuf,
    /// The password of that.
    pub pfx_password: &'static str,
}

impl From<crate::pki::LeafFiles> for SeatFiles {
    fn from(leaf: crate::pki::LeafFiles) -> SeatFiles {
        let pfx_password = crate::pki::pfx::PASSWORD;
        SeatFiles { chain: leaf.chain, key: leaf.key, pem: leaf.pem, pfx: leaf.pfx, pfx_password }
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

/// A name that clients use, and whom it leads to.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NamespaceFacts {
    /// `mail.contoso.com`
    pub name: HostName,
    /// The servers that it leads to outside.
    pub external: Vec<ServerName>,
    /// Those that it leads to inside.
    pub internal: Vec<ServerName>,
}

/// A server, shorter than the topology has it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServerFacts {
    /// `cas2010-s1`
    pub name: ServerName,
    /// `cas2010-s1.contoso.com`
    pub fqdn: HostName,
    /// Its generation.
    pub version: Version,
    /// Its site.
    pub site: SiteName,
    /// What it does.
    pub roles: Vec<ServerRole>,
    /// Where it really listens for https; only where it has clients.
    pub https: Option<SocketAddr>,
    /// Where it really listens for http; only where it has clients.
    pub http: Option<SocketAddr>,
}

/// The names that clients use in a topology.
pub(crate) fn namespaces(topology: &Topology) -> Vec<NamespaceFacts> {
    let facts = |(name, leads): (&HostName, &Namespace)| NamespaceFacts {
        name: name.clone(),
        external: leads.external.clone(),
        internal: leads.internal.clone(),
    };
    topology.namespaces.iter().map(facts).collect()
}

/// The servers of a topology; `real` is where a server and canonical port really listen.
pub(crate) fn servers(
    topology: &Topology,
    real: impl Fn(&ServerName, u16) -> SocketAddr,
) -> Vec<ServerFacts> {
    let facts = |(name, server): (&ServerName, &Server)| {
        let at = |port| server.is(ServerRole::ClientAccess).then(|| real(name, port));
        ServerFacts {
            name: name.clone(),
            fqdn: topology.fqdn(name),
            version: server.version,
            site: server.site.clone(),
            roles: server.roles.clone(),
            https: at(443),
            http: at(80),
        }
    };
    topology.servers.iter().map(facts).collect()
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

/// Where an address of DNS and a canonical port really listen.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Mapped {
    /// `127.80.3.21`
    pub ip: IpAddr,
    /// 443
    pub port: u16,
    /// `127.80.3.21:40123`
    pub address: SocketAddr,
}

impl Facts {
    /// What a lab of this topology would tell, though none runs: addresses and paths are made up.
    pub fn sample(topology: Topology) -> Facts {
        let lab = |n: u8, port: u16| SocketAddr::from(([127, 80, 1, n], port));
        let number = |name: &ServerName| {
            let at = topology.positions().position(|known| known == name).unwrap_or_default();
            u8::try_from(at).unwrap_or(u8::MAX).saturating_add(10)
        };
        let path = |name: &str| PathBuf::from("/sample").join(name);
        let directory = directory::Directory::new(topology.clone());
        let accounts = directory.accounts();
        let known = accounts.iter().filter_map(|account| directory.facts(account.name.as_str()));
        let service = directory.service();
        let seat = &topology.seat;
        Facts {
            seat: SeatFacts {
                server: seat.clone(),
                fqdn: topology.fqdn(seat),
                // A topology whose seat is in no site is refused when it is read.
                site: topology.site_of(seat).cloned().expect("the seat is in a site"),
                role: topology.role,
                address: lab(number(seat), 0).ip(),
                listen: SeatListeners {
                    https: lab(number(seat), 443),
                    http: lab(number(seat), 80),
                    imaps: lab(number(seat), 993),
                    imap: lab(number(seat), 143),
                    pops: lab(number(seat), 995),
                    pop: lab(number(seat), 110),
                },
                certificate: SeatFiles {
                    chain: path("seat.chain.pem"),
                    key: path("seat.key.pem"),
                    pem: path("seat.pem"),
                    pfx: path("seat.pfx"),
                    pfx_password: crate::pki::pfx::PASSWORD,
                },
            },
            ca: path("ca.pem"),
            dns: lab(2, 53),
            directory: format!("http://{}", lab(4, 80)),
            ldap: format!("ldap://{}", lab(4, 389)),
            ldaps: format!("ldaps://{}", lab(4, 636)),
            global_catalog: format!("ldap://{}", lab(4, 3268)),
            service_account: Account { user: service.user, password: service.password },
            source: lab(number(seat), 0).ip(),
            dial: vec![],
            mapped: vec![],
            domain: topology.domain.clone(),
            request_log: None,
            health_interval: "50000ms".to_owned(),
            namespaces: namespaces(&topology),
            servers: servers(&topology, |name, port| lab(number(name), port)),
            mailboxes: known.filter_map(|facts| serde_json::to_value(facts).ok()).collect(),
            topology,
        }
    }
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
