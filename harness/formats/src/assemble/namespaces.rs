//! What names of DNS lead to. No export of Exchange says it: a name leads to the servers that are set to it.

use std::collections::{BTreeMap, BTreeSet};

use model::topology::{Namespace, Server, ServerRole};
use model::{HostName, ServerName, SiteName, Version, View};

use super::Making;
use crate::cmdlet::Cmdlet;
use crate::note::Kind;
use crate::rows::Name;

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

/// What DNS said of a name in one view.
enum Told {
    /// It was not asked, or did not answer.
    Nothing,
    /// It has addresses, and none is a server's: a load balancer's, or what is translated to others on the way in.
    Elsewhere(Vec<String>),
    /// Servers by their addresses; none where the name leads nowhere.
    To(Vec<ServerName>),
}

impl Told {
    fn servers(&self) -> Option<Vec<ServerName>> {
        match self {
            Told::To(servers) => Some(servers.clone()),
            Told::Nothing | Told::Elsewhere(_) => None,
        }
    }

    /// Why it has to be assumed where the name leads; none where that is known.
    fn unknown(&self) -> Option<String> {
        match self {
            Told::To(_) => None,
            Told::Nothing => Some(format!("{} has no answer for it there", Cmdlet::Names.called())),
            Told::Elsewhere(addresses) => Some(format!("no server has the address {}", addresses.join(", "))),
        }
    }
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
        let all = if listed.is_empty() { all } else { listed };
        let internal = self.by_dns(&host, View::Internal).servers().unwrap_or(all);
        let external = match self.by_dns(&host, View::External) {
            Told::To(servers) => servers,
            Told::Elsewhere(_) => internal.clone(),
            Told::Nothing => vec![],
        };
        self.topology.namespaces.insert(host.clone(), Namespace { internal, external });
        match self.topology.sites.get_mut(&site) {
            Some(own) if own.array.is_none() => own.array = Some(host),
            _ => self.say(Kind::LeftOut, at, format!("{site} has another array already: a site has one")),
        }
    }

    pub(super) fn namespaces(&mut self) {
        let mut all = self.users_of_names();
        let used = self.used_on_both_sides(&all);
        if let Ok(autodiscover) = format!("autodiscover.{}", self.topology.domain).parse::<HostName>() {
            all.entry(autodiscover).or_default().in_scp = true;
        }
        for array in self.topology.namespaces.keys() {
            all.entry(array.clone()).or_default();
        }
        for (host, users) in &all {
            self.namespace(host, users);
        }
        self.topology.split_brain = self.split_brain(used);
    }

    fn namespace(&mut self, host: &HostName, users: &Users) {
        let own = self.topology.server_with_fqdn(host).cloned();
        // A server's own name is known inside, and is in no list.
        if own.is_some() && users.outside.is_empty() {
            return;
        }
        let leads = match own {
            Some(own) => vec![own],
            None => self.leads(users),
        };
        let (inside, outside) = (self.by_dns(host, View::Internal), self.by_dns(host, View::External));
        let published = !users.outside.is_empty() || host.as_str().starts_with("autodiscover.");
        let external = match (&outside, published) {
            (Told::To(servers), _) => servers.clone(),
            (Told::Elsewhere(_), _) | (Told::Nothing, true) => leads.clone(),
            (Told::Nothing, false) => vec![],
        };
        let known = match self.topology.namespaces.get_mut(host) {
            // An array that HTTP uses too leads where both are.
            Some(array) => {
                let more = external.into_iter().filter(|_| published);
                let more: Vec<ServerName> = more.filter(|name| !array.external.contains(name)).collect();
                array.external.extend(more);
                array.clone()
            }
            None => Namespace { internal: inside.servers().unwrap_or(leads), external },
        };
        self.say_where(host, &known, users, (&inside, &outside));
        self.topology.namespaces.insert(host.clone(), known);
    }

    fn say_where(&mut self, host: &HostName, leads: &Namespace, users: &Users, told: (&Told, &Told)) {
        let stands_for: BTreeSet<ServerName> = users
            .outside
            .iter()
            .chain(&users.inside)
            .filter(|name| leads.internal.contains(&self.topology.seat) && **name != self.topology.seat)
            .filter(|name| self.alike_the_seat(name) && !leads.internal.contains(name))
            .cloned()
            .collect();
        let behind = match stands_for.is_empty() {
            true => String::new(),
            false => format!(", the seat, which stands for {} too", self.all_called(&stands_for)),
        };
        let inside = format!("it leads {}{behind}", self.to(&leads.internal));
        let outside = format!("it leads {}", self.to(&leads.external));
        if let (Told::Nothing, Told::Nothing) = told {
            let says = match leads.external.is_empty() {
                true => format!("{inside}, inside only"),
                false if leads.external == leads.internal => format!("{inside}, inside and outside"),
                false => format!("{inside} inside, and outside {outside}"),
            };
            return self.say(Kind::Assumed, host, says);
        }
        for (side, leads, told) in [("inside", inside, told.0), ("outside", outside, told.1)] {
            if let Some(why) = told.unknown() {
                self.say(Kind::Assumed, host, format!("{side} {leads}: {why}"));
            }
        }
    }

    fn all_called<'n>(&self, names: impl IntoIterator<Item = &'n ServerName>) -> String {
        names.into_iter().map(|name| self.called(name)).collect::<Vec<_>>().join(", ")
    }

    fn to(&self, names: &[ServerName]) -> String {
        match names {
            [] => "nowhere".to_owned(),
            names => format!("to {}", self.all_called(names)),
        }
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

    /// The row of a name in Names.csv.
    fn asked(&self, host: &HostName, view: View) -> Option<&Name> {
        self.rows.names.iter().find(|name| name.host == *host && name.view == view)
    }

    /// What DNS said, where it was asked: servers by their addresses.
    fn by_dns(&self, host: &HostName, view: View) -> Told {
        let Some(asked) = self.asked(host, view) else { return Told::Nothing };
        if asked.addresses.is_empty() {
            return Told::To(vec![]);
        }
        let has = |name: &ServerName| {
            let own = self.asked(&self.topology.fqdn(name), View::Internal);
            own.is_some_and(|own| own.addresses.iter().any(|address| asked.addresses.contains(address)))
        };
        let front = |(_, server): &(&ServerName, &Server)| server.is(ServerRole::ClientAccess);
        let found: Vec<ServerName> =
            self.topology.servers.iter().filter(front).map(|(name, _)| name.clone()).filter(has).collect();
        match found.iter().any(|name| self.alike_the_seat(name)) {
            true => Told::To(vec![self.topology.seat.clone()]),
            false if found.is_empty() => Told::Elsewhere(asked.addresses.clone()),
            false => Told::To(found),
        }
    }

    /// Whether DNS answers differently inside and outside; a name that is published and used inside too has an answer for each.
    fn split_brain(&mut self, used_on_both_sides: Option<String>) -> bool {
        let why = self.told_apart().or(used_on_both_sides).or_else(|| self.leads_apart());
        let says = match &why {
            Some(why) => format!("DNS is split-brain: {why}"),
            None => "DNS is not split-brain: no name leads to some servers inside and to others outside"
                .to_owned(),
        };
        self.say(Kind::Assumed, "DNS", says);
        why.is_some()
    }

    /// What Names.csv has of a name in both views, where it has both: whether the answers differ.
    fn differs(&self, host: &HostName) -> Option<bool> {
        let addresses = |view| Some(self.asked(host, view)?.addresses.iter().collect::<BTreeSet<_>>());
        Some(addresses(View::Internal)? != addresses(View::External)?)
    }

    fn told_apart(&self) -> Option<String> {
        // Names of the servers' own domain are known inside only, also where DNS is not split (rule DNS-1): unless that is the
        // mail's own domain, of which there are then two zones.
        let parent = |host: &HostName| host.as_str().split_once('.').map(|(_, parent)| parent.to_owned());
        let mail = self.topology.domain.as_str();
        let of_servers = self.topology.servers.keys().filter_map(|name| parent(&self.topology.fqdn(name)));
        let inside: BTreeSet<String> = of_servers.filter(|domain| domain != mail).collect();
        let within = |host: &HostName, domain: &String| {
            host.as_str().strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.'))
        };
        let counts = |host: &&HostName| !inside.iter().any(|domain| within(host, domain));
        let mut hosts = self.rows.names.iter().map(|name| &name.host).filter(counts);
        let host = hosts.find(|host| self.differs(host) == Some(true))?;
        Some(format!("{} has other answers for {host} inside than outside", Cmdlet::Names.called()))
    }

    fn used_on_both_sides(&self, all: &BTreeMap<HostName, Users>) -> Option<String> {
        let mut both = all
            .iter()
            .filter(|(_, users)| !users.outside.is_empty() && (!users.inside.is_empty() || users.in_scp));
        let mut autodiscover =
            all.iter().filter(|(host, users)| users.in_scp && host.as_str().starts_with("autodiscover."));
        // Of one that answers alike on both sides it is known that it is not split.
        let may_differ = |(host, _): &(&HostName, &Users)| self.differs(host) != Some(false);
        let (host, _) = both.find(may_differ).or_else(|| autodiscover.find(may_differ))?;
        Some(format!("{host} is used inside and outside"))
    }

    /// A name that leads to other servers outside; one that leads nowhere there needs no second answer.
    fn leads_apart(&self) -> Option<String> {
        let both = |leads: &Namespace| !leads.internal.is_empty() && !leads.external.is_empty();
        let mut all = self.topology.namespaces.iter();
        let servers = |names: &[ServerName]| names.iter().cloned().collect::<BTreeSet<_>>();
        let apart = |leads: &Namespace| servers(&leads.internal) != servers(&leads.external);
        let (host, leads) = all.find(|(_, leads)| both(leads) && apart(leads))?;
        let (inside, outside) = (self.to(&leads.internal), self.to(&leads.external));
        Some(format!("{host} leads {inside} inside and {outside} outside"))
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
