//! The doors beside the servers: DNS of both views, the directory over HTTP/JSON and over LDAP.

use std::net::SocketAddr;
use std::sync::Arc;

use directory::{Directory, ldap};
use ledger::Ledger;
use model::{HostName, View};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::dns::{self, Names};
use crate::ground::Block;
use crate::pki::Authority;
use crate::running::{DIRECTORY, DNS_EXTERNAL, DNS_INTERNAL, LabError, io};

/// What the domain controller is called, before the domain.
const CONTROLLER: &str = "dc1";

/// Where a lab can be reached beside its servers.
#[derive(Debug, Clone, Copy)]
pub struct Doors {
    /// The internal view's DNS server.
    pub dns_internal: SocketAddr,
    /// The external view's.
    pub dns_external: SocketAddr,
    /// The directory over HTTP/JSON.
    pub directory: SocketAddr,
    /// The directory over LDAP.
    pub ldap: SocketAddr,
    /// LDAP over TLS.
    pub ldaps: SocketAddr,
    /// The global catalog.
    pub global_catalog: SocketAddr,
    /// The global catalog over TLS.
    pub global_catalog_tls: SocketAddr,
}

/// What opening the doors needs.
pub(crate) struct Opening<'a> {
    pub(crate) block: &'a Block,
    pub(crate) authority: &'a Authority,
    pub(crate) names: &'a Names,
    pub(crate) directory: &'a Directory,
    pub(crate) ledger: &'a Ledger,
    pub(crate) stop: &'a CancellationToken,
}

impl Opening<'_> {
    /// Opens every door; `tasks` then owns what serves them.
    pub(crate) fn open(&self, tasks: &mut JoinSet<()>) -> Result<Doors, LabError> {
        let dns_internal = self.dns(View::Internal, DNS_INTERNAL, tasks)?;
        let dns_external = self.dns(View::External, DNS_EXTERNAL, tasks)?;
        let directory = self.http(tasks)?;
        let [ldap, ldaps, global_catalog, global_catalog_tls] = self.ldap(tasks)?;
        Ok(Doors { dns_internal, dns_external, directory, ldap, ldaps, global_catalog, global_catalog_tls })
    }

    fn dns(&self, view: View, number: u8, tasks: &mut JoinSet<()>) -> Result<SocketAddr, LabError> {
        let ip = self.block.address(number);
        // Programs that ask the system's resolver are inside; who asks for the other view is told its port.
        let port = if view == View::Internal || self.block.tells_views_apart() { 53 } else { 0 };
        let (udp, tcp) =
            self.block.listen_dns(ip, port).map_err(io(format!("DNS cannot listen on {ip} port {port}")))?;
        let at = udp.local_addr().map_err(io("DNS"))?;
        let (names, ledger, stop) = (self.names.clone(), self.ledger.clone(), self.stop.clone());
        tasks.spawn(async move {
            if let Err(error) = dns::serve(view, names, udp, tcp, ledger, stop).await {
                panic!("the {view} DNS server ended: {error}");
            }
        });
        Ok(at)
    }

    fn http(&self, tasks: &mut JoinSet<()>) -> Result<SocketAddr, LabError> {
        let ip = self.block.address(DIRECTORY);
        let listener =
            self.block.listen(ip, 80).map_err(io(format!("the directory cannot listen on {ip}")))?;
        let at = listener.local_addr().map_err(io("directory"))?;
        let door = directory::http::door(self.directory.clone());
        let stopped = self.stop.clone();
        tasks.spawn(async move {
            if let Err(error) = directory::http::serve(listener, door, stopped.cancelled_owned()).await {
                panic!("the directory's door ended: {error}");
            }
        });
        Ok(at)
    }

    /// The ports of [`ldap::Port::ALL`], in that order.
    fn ldap(&self, tasks: &mut JoinSet<()>) -> Result<[SocketAddr; 4], LabError> {
        let ip = self.block.address(DIRECTORY);
        let host = controller(&self.directory.topology().domain);
        // Many programs are given an address and hold the certificate against that, so it names both.
        let address = HostName::folded(&self.block.source(ip).to_string()).into_iter();
        let names: Vec<HostName> = std::iter::once(host.clone()).chain(address).collect();
        let leaf = self.authority.leaf(&names, model::topology::Certificate::Valid)?;
        self.names.set(View::Internal, host.clone(), vec![ip]);
        let door = Arc::new(ldap::Door::new(self.directory.clone(), host, leaf.server_config()));
        let mut real = [SocketAddr::new(ip, 0); 4];
        for (port, real) in ldap::Port::ALL.into_iter().zip(&mut real) {
            let number = port.number();
            let what = || format!("the directory cannot listen on {ip} port {number}");
            let listener = self.block.listen(ip, number).map_err(io(what()))?;
            *real = listener.local_addr().map_err(io(what()))?;
            tasks.spawn(ldap::serve(door.clone(), listener, port, self.stop.clone().cancelled_owned()));
        }
        Ok(real)
    }
}

/// The domain controller's DNS name.
pub(crate) fn controller(domain: &HostName) -> HostName {
    HostName::folded(&format!("{CONTROLLER}.{domain}")).unwrap_or_else(|_| domain.clone())
}
