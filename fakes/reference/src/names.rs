//! Where servers are: asked of DNS, and believed for as long as the answer says (X-DNS-1).

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Resolver, TokioResolver};
use model::HostName;

use crate::clock;
use crate::lab::Lab;
use crate::ports::BackError;

/// The names of the inside.
pub struct Names {
    resolver: TokioResolver,
    mapped: HashMap<(IpAddr, u16), SocketAddr>,
}

impl Names {
    /// The names of a lab, asked from the lab's source address.
    ///
    /// # Errors
    /// A resolver that cannot be made.
    pub fn of(lab: &Lab) -> anyhow::Result<Names> {
        let dns = lab.dns.internal;
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()]
            .into_iter()
            .map(|mut connection| {
                connection.port = dns.port();
                connection.bind_addr = Some(SocketAddr::new(lab.source, 0));
                connection
            })
            .collect();
        let server = NameServerConfig::new(dns.ip(), true, connections);
        let config = ResolverConfig::from_parts(None, vec![], vec![server]);
        let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        options.use_hosts_file = ResolveHosts::Never;
        options.timeout = clock::DNS;
        Ok(Names { resolver: builder.build()?, mapped: lab.mapped() })
    }

    /// Where a server takes connections now, by its name and canonical port.
    ///
    /// # Errors
    /// A name that leads nowhere, or about which nobody answers.
    pub async fn find(&self, host: &HostName, port: u16) -> Result<SocketAddr, BackError> {
        let nowhere = |why: String| BackError::Nowhere(host.clone(), why);
        // A closing dot: fully qualified, so no search list is tried. A text would be read by IDNA, which takes no underscore.
        let asked = Name::from_ascii(format!("{host}.")).map_err(|error| nowhere(error.to_string()))?;
        let found = self.resolver.lookup(asked, RecordType::A).await;
        let found = found.map_err(|error| nowhere(error.to_string()))?;
        let mut addresses = found.answers().iter().filter_map(|record| match &record.data {
            RData::A(address) => Some(IpAddr::V4(address.0)),
            _ => None,
        });
        let ip = addresses.next().ok_or_else(|| nowhere("it has no address".to_owned()))?;
        Ok(self.mapped.get(&(ip, port)).copied().unwrap_or(SocketAddr::new(ip, port)))
    }
}
