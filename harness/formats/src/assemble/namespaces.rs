//! What names of DNS lead to. No export of Exchange says it: a name leads to the servers that are set to it.

use std::collections::{BTreeMap, BTreeSet};

use model::topology::{Namespace, Server, ServerRole};
use model::{HostName, ServerName, SiteName, Version, View};

use super::Making;
use crate::cmdlet::Cmdlet;
use crate::note::Kind;

/// Who is set to a name.
#[derive(Default)]
struct Users {
    /// Servers whose ExternalUrl or ExternalHostname it is.
    outside: BTreeSet<ServerName>,
    /// Servers whose InternalUrl, InternalHostname or InternalConnectionSettings it is.
    inside: BTreeSet<ServerName>,
    /// Whether it is in a service connection point.
    in_scp: bool,
}

impl Making<'_> {
    /// RPC Client Access arrays: each site's, known inside only.
    pub(super) fn arrays(&mut self) {
        let rows = self.rows;
        for array in &rows.arrays {
            let written = array.site.clone().unwrap_or_default();
            let sites = self
                .cast
                .members()
                .filter(|member| member.row.site.as_ref().is_some_and(|s| s.eq_ignore_ascii_case(&written)));
            let site = sites.map(|member| member.site.clone()).next();
            let Some(site) = site else {
                let says = format!("its site {written} has no server that was exported");
                self.say(Kind::LeftOut, &array.origin.0, says);
                continue;
            };
            let listed = array.members.iter().filter_map(|member| self.cast.client_access(member).cloned());
            let listed: Vec<ServerName> = listed.collect();
            self.array(site, array.fqdn.clone(), listed, &array.origin.0);
        }
        if rows.have.contains(&Cmdlet::ClientAccessArray) {
            return;
        }
        let named: Vec<(SiteName, HostName)> = self
            .topology
            .databases
            .values()
            .filter_map(|database| {
                let host = database.rpc_client_access_server.clone()?;
                let own = self.topology.server_with_fqdn(&host).is_some();
                (!own).then_some((self.topology.server(&database.active)?.site.clone(), host))
            })
            .collect();
        for (site, host) in named.into_iter().collect::<BTreeSet<_>>() {
            let says = format!(
                "it is the RPC Client Access array of {site}: databases there name it as RpcClientAccessServer"
            );
            self.say(Kind::Assumed, &host, says);
            self.array(site, host, vec![], "Get-ClientAccessArray");
        }
    }

    fn array(&mut self, site: SiteName, host: HostName, listed: Vec<ServerName>, at: &str) {
        let in_site = |(_, server): &(&ServerName, &Server)| {
            server.site == site
                && server.version == Version::Exchange2010
                && server.is(ServerRole::ClientAccess)
        };
        let all: Vec<ServerName> =
            self.topology.servers.iter().filter(in_site).map(|(name, _)| name.clone()).collect();
        let internal: Vec<ServerName> = if listed.is_empty() { all } else { listed };
        let internal = self.by_dns(&host, View::Internal).unwrap_or(internal);
        let external = self.by_dns(&host, View::External).unwrap_or_default();
        self.topology.namespaces.insert(host.clone(), Namespace { internal, external });
        match self.topology.sites.get_mut(&site) {
            Some(own) if own.array.is_none() => own.array = Some(host),
            _ => self.say(Kind::LeftOut, at, format!("{site} has another array already: a site has one")),
        }
    }

    pub(super) fn namespaces(&mut self) {
        let mut all = self.users_of_names();
        self.topology.split_brain = self.split_brain(&all);
        if let Ok(autodiscover) = format!("autodiscover.{}", self.topology.domain).parse::<HostName>() {
            all.entry(autodiscover).or_default().in_scp = true;
        }
        for (host, users) in all {
            let own = self.topology.server_with_fqdn(&host).cloned();
            // A server's own name is known inside, and is in no list.
            if own.is_some() && users.outside.is_empty() {
                continue;
            }
            let published = !users.outside.is_empty() || host.as_str().starts_with("autodiscover.");
            let leads = match own {
                Some(own) => vec![own],
                None => self.leads(&users),
            };
            let (inside, outside) = (self.by_dns(&host, View::Internal), self.by_dns(&host, View::External));
            let asked = inside.is_some();
            let external = outside.unwrap_or_else(|| if published { leads.clone() } else { vec![] });
            let namespace = Namespace { internal: inside.unwrap_or_else(|| leads.clone()), external };
            let entry = self.topology.namespaces.entry(host.clone());
            // An array that HTTP uses too leads where both are.
            let merged = matches!(entry, std::collections::btree_map::Entry::Occupied(_));
            let known = entry.or_insert_with(|| namespace.clone());
            if merged {
                known.external.extend(namespace.external.iter().filter(|_| published).cloned());
                known.external.dedup();
            }
            let known = known.clone();
            if !asked {
                self.say_where(&host, &known, &users);
            }
        }
    }

    fn say_where(&mut self, host: &HostName, leads: &Namespace, users: &Users) {
        let called = |making: &Self, names: &[ServerName]| {
            names.iter().map(|name| making.called(name)).collect::<Vec<_>>().join(", ")
        };
        let stands_for: Vec<ServerName> = users
            .outside
            .iter()
            .chain(&users.inside)
            .filter(|name| leads.internal.contains(&self.topology.seat) && **name != self.topology.seat)
            .filter(|name| self.alike_the_seat(name) && !leads.internal.contains(name))
            .cloned()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let to = called(self, &leads.internal);
        let outside = if leads.external.is_empty() { "inside only" } else { "inside and outside" };
        let behind = match stands_for.is_empty() {
            true => String::new(),
            false => format!(", the seat, which stands for {} too", called(self, &stands_for)),
        };
        self.say(Kind::Assumed, host, format!("it leads to {to}{behind}, {outside}"));
    }

    fn alike_the_seat(&self, name: &ServerName) -> bool {
        let seat = self.topology.server(&self.topology.seat);
        let server = self.topology.server(name);
        seat.zip(server).is_some_and(|(a, b)| (a.version, &a.site) == (b.version, &b.site))
    }

    /// Of those that are set to a name, the newest in one site: the seat alone where it is among them.
    fn leads(&self, users: &Users) -> Vec<ServerName> {
        let strong = if users.outside.is_empty() { &users.inside } else { &users.outside };
        let seat = &self.topology.seat;
        let version =
            strong.iter().filter_map(|name| self.topology.server(name)).map(|server| server.version).max();
        let newest: Vec<(&ServerName, &Server)> = strong
            .iter()
            .filter_map(|name| Some((name, self.topology.server(name)?)))
            .filter(|(_, server)| Some(server.version) == version)
            .collect();
        let of_seat = self.topology.server(seat).map(|server| &server.site);
        let site = newest.iter().map(|(_, server)| &server.site).find(|site| Some(*site) == of_seat);
        let Some(site) = site.or(newest.first().map(|(_, server)| &server.site)) else {
            return vec![seat.clone()];
        };
        let there: Vec<ServerName> = newest
            .iter()
            .filter(|(_, server)| server.site == *site)
            .map(|(name, _)| (*name).clone())
            .collect();
        if there.contains(seat) || there.iter().any(|name| self.alike_the_seat(name)) {
            return vec![seat.clone()];
        }
        there
    }

    /// What DNS said, where it was asked: servers by their addresses. An address of no server is a load balancer's, of which
    /// nothing is known.
    fn by_dns(&self, host: &HostName, view: View) -> Option<Vec<ServerName>> {
        let of = |host: &HostName, view: View| {
            self.rows.names.iter().find(|name| name.host == *host && name.view == view)
        };
        let asked = of(host, view)?;
        if asked.addresses.is_empty() {
            return Some(vec![]);
        }
        let has = |name: &ServerName| {
            let own = of(&self.topology.fqdn(name), View::Internal);
            own.is_some_and(|own| own.addresses.iter().any(|address| asked.addresses.contains(address)))
        };
        let front = |(_, server): &(&ServerName, &Server)| server.is(ServerRole::ClientAccess);
        let found: Vec<ServerName> =
            self.topology.servers.iter().filter(front).map(|(name, _)| name.clone()).filter(has).collect();
        match found.iter().any(|name| self.alike_the_seat(name)) {
            true => Some(vec![self.topology.seat.clone()]),
            false => Some(found).filter(|found| !found.is_empty()),
        }
    }

    /// A name that is published and used inside too has an answer for each.
    fn split_brain(&mut self, all: &BTreeMap<HostName, Users>) -> bool {
        let both = all
            .iter()
            .find(|(_, users)| !users.outside.is_empty() && (!users.inside.is_empty() || users.in_scp));
        let autodiscover =
            all.iter().find(|(host, users)| users.in_scp && host.as_str().starts_with("autodiscover."));
        let found = both.or(autodiscover).map(|(host, _)| host.clone());
        let says = match &found {
            Some(host) => format!("DNS is split-brain: {host} is used inside and outside"),
            None => "DNS is not split-brain: no name is set for both inside and outside".to_owned(),
        };
        self.say(Kind::Assumed, "DNS", says);
        found.is_some()
    }

    fn users_of_names(&self) -> BTreeMap<HostName, Users> {
        let mut all: BTreeMap<HostName, Users> = BTreeMap::new();
        for (name, server) in &self.topology.servers {
            let mut inside = |host: &HostName| {
                all.entry(host.clone()).or_default().inside.insert(name.clone());
            };
            for directory in server.directories.values() {
                directory.internal_url.iter().for_each(|url| inside(&url.0.host));
            }
            server.outlook_anywhere.iter().filter_map(|own| own.internal_host.as_ref()).for_each(&mut inside);
            let mail = server.imap.iter().chain(&server.pop);
            let settings = mail.flat_map(|service| &service.internal_connection_settings);
            settings.for_each(|setting| inside(&setting.host));
            let mut outside = |host: &HostName| {
                all.entry(host.clone()).or_default().outside.insert(name.clone());
            };
            for directory in server.directories.values() {
                directory.external_url.iter().for_each(|url| outside(&url.0.host));
            }
            server
                .outlook_anywhere
                .iter()
                .filter_map(|own| own.external_host.as_ref())
                .for_each(&mut outside);
            if let Some(scp) = &server.scp {
                all.entry(scp.host.clone()).or_default().in_scp = true;
            }
        }
        all
    }
}
