//! The network that a client is told, and whose mailbox it plays for.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Resolver, TokioResolver};
use ledger::Ledger;
use model::{HostName, MailboxName, SiteName, View};

/// Where a canonical address and port really listen: the ground's dial table.
pub type Ports = Arc<dyn Fn(IpAddr, u16) -> SocketAddr + Send + Sync>;

/// A ticket for a user, with his password, to a host: what a member of a domain gets of its domain controller.
pub type Tickets = Arc<dyn Fn(&str, &str, &HostName) -> Option<String> + Send + Sync>;

/// One side of split-brain DNS, and the client's place on it.
#[derive(Clone)]
pub struct Network {
    /// Where sockets are announced and moments are marked.
    pub ledger: Ledger,
    /// An address of ours to dial from.
    pub source: IpAddr,
    /// The side it stands on.
    pub view: View,
    /// The view's DNS server.
    pub dns: SocketAddr,
    /// The roots that the client trusts.
    pub trust: Arc<rustls::RootCertStore>,
    /// Canonical address and port to where it really listens.
    pub ports: Ports,
    /// The directory's LDAP door, for service connection points: inside only, in clear.
    pub directory: Option<SocketAddr>,
    /// The domain controller that gives tickets.
    pub tickets: Tickets,
    /// The Active Directory site that the client is in.
    pub site: SiteName,
    /// How long and how large anything may be.
    pub limits: Limits,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} network, {} asking {}", self.view, self.source, self.dns)
    }
}

/// The person before the client, who is also what the client has stored.
#[derive(Debug, Clone)]
pub struct Person {
    /// `purple-1a2b3c@contoso.com`
    pub address: String,
    /// `CONTOSO\purple-1a2b3c`: what is typed, and what Basic carries.
    pub account: String,
    /// The user principal name.
    pub upn: String,
    /// The account's right password.
    pub password: String,
    /// The mailbox's legacyExchangeDN, as an Outlook profile keeps it.
    pub legacy_dn: String,
    /// The DeviceId of the person's device: at most 32 letters and digits.
    pub device_id: String,
    /// What Outlook numbers its requests with: a GUID that is nobody else's.
    pub request_id: String,
    /// The domain of the address, from which Autodiscover guesses names.
    pub domain: HostName,
    /// The colour that is reported once the content proves that the leased mailbox was read.
    pub mailbox: MailboxName,
}

/// How long and how large anything may be.
#[derive(Debug, Clone)]
pub struct Limits {
    /// From dialling to the last byte of an answer.
    pub exchange: Duration,
    /// One DNS query.
    pub query: Duration,
    /// The head of an answer, in bytes.
    pub head_bytes: usize,
    /// The body of an answer, in bytes.
    pub body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            exchange: Duration::from_secs(10),
            query: Duration::from_secs(3),
            head_bytes: 64 * 1024,
            body_bytes: 4 * 1024 * 1024,
        }
    }
}

/// Why a name could not be looked up. A name that leads nowhere is no error: it has no addresses.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The resolver could not be made.
    #[error("no resolver for {dns}: {why}")]
    NoResolver {
        /// The lab's DNS server.
        dns: SocketAddr,
        /// What the library says.
        why: String,
    },
    /// The DNS server did not answer, or not with an answer.
    #[error("DNS at {dns} did not answer for {name}: {why}")]
    NoAnswer {
        /// The lab's DNS server.
        dns: SocketAddr,
        /// The name asked for.
        name: HostName,
        /// What the library says.
        why: String,
    },
}

/// The addresses of a name in the network's view, asked of the lab's DNS alone. None: the name does not resolve.
///
/// # Errors
/// A DNS server that does not answer, or answers with a failure.
pub async fn resolve(network: &Network, name: &HostName) -> Result<Vec<IpAddr>, ResolveError> {
    Names::new(network)?.addresses(name).await
}

/// A resolver that asks one server and remembers nothing.
pub(crate) struct Names {
    dns: SocketAddr,
    resolver: TokioResolver,
}

impl Names {
    pub(crate) fn new(network: &Network) -> Result<Names, ResolveError> {
        let dns = network.dns;
        let source = SocketAddr::new(network.source, 0);
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()]
            .into_iter()
            .map(|mut connection| {
                connection.port = dns.port();
                connection.bind_addr = Some(source);
                connection
            })
            .collect();
        let server = NameServerConfig::new(dns.ip(), true, connections);
        let mut builder = Resolver::builder_with_config(
            ResolverConfig::from_parts(None, vec![], vec![server]),
            TokioRuntimeProvider::default(),
        );
        let options = builder.options_mut();
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        options.timeout = network.limits.query;
        options.attempts = 2;
        let resolver =
            builder.build().map_err(|error| ResolveError::NoResolver { dns, why: error.to_string() })?;
        Ok(Names { dns, resolver })
    }

    /// A records, in the order of the answer.
    pub(crate) async fn addresses(&self, name: &HostName) -> Result<Vec<IpAddr>, ResolveError> {
        let records = self.records(name, RecordType::A).await?;
        Ok(records
            .iter()
            .filter_map(|data| match data {
                RData::A(address) => Some(IpAddr::V4(address.0)),
                _ => None,
            })
            .collect())
    }

    /// SRV records by priority: target and port.
    pub(crate) async fn services(&self, name: &HostName) -> Result<Vec<(HostName, u16)>, ResolveError> {
        let mut found: Vec<(u16, HostName, u16)> = self
            .records(name, RecordType::SRV)
            .await?
            .iter()
            .filter_map(|data| match data {
                RData::SRV(srv) => {
                    Some((srv.priority, HostName::folded(&srv.target.to_string()).ok()?, srv.port))
                }
                _ => None,
            })
            .collect();
        found.sort();
        Ok(found.into_iter().map(|(_, target, port)| (target, port)).collect())
    }

    async fn records(&self, name: &HostName, kind: RecordType) -> Result<Vec<RData>, ResolveError> {
        let no_answer = |why: String| ResolveError::NoAnswer { dns: self.dns, name: name.clone(), why };
        // A closing dot: fully qualified, so no search list is tried. A text would be read by IDNA, which takes no underscore.
        let asked = Name::from_ascii(format!("{name}.")).map_err(|error| no_answer(error.to_string()))?;
        match self.resolver.lookup(asked, kind).await {
            Ok(found) => Ok(found.answers().iter().map(|record| record.data.clone()).collect()),
            Err(error) if error.is_no_records_found() => Ok(vec![]),
            Err(error) => Err(no_answer(error.to_string())),
        }
    }
}
