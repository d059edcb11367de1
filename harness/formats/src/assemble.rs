//! Rows to a topology: who sits where under what name, who is in the seat, and what has to be assumed.

use std::collections::BTreeMap;

use model::topology::{Origin, Site, Topology};
use model::{HostName, Role, ServerName, Version};

use crate::Wrong;
use crate::cmdlet::Cmdlet;
use crate::note::{Kind, Note};
use crate::rows::Rows;

mod cast;
mod missing;
mod namespaces;
mod servers;
mod stores;

pub(crate) use cast::{label, plain_site};

use cast::Cast;

/// A topology while it is made.
pub(crate) struct Making<'r> {
    rows: &'r Rows,
    cast: Cast<'r>,
    notes: &'r mut Vec<Note>,
    topology: Topology,
}

/// Makes a topology of what was exported.
///
/// # Errors
/// No server that could be in the seat, or one that is named twice.
pub(crate) fn assemble(rows: &Rows, notes: &mut Vec<Note>) -> Result<Topology, Vec<Wrong>> {
    let cast = Cast::of(rows, notes)?;
    missing::noted(rows, notes);
    notes.extend(rows.unexported.iter().cloned());
    strangers(rows, &cast, notes);
    let (seat, role) = seat(rows, &cast, notes)?;
    let domain = domain(rows, &seat, &cast, notes)?;
    let topology = Topology {
        name: String::new(),
        source: "exports of an organization, read by `coexist import`".to_owned(),
        role,
        seat,
        front_end: None,
        domain,
        split_brain: true,
        sites: BTreeMap::new(),
        servers: BTreeMap::new(),
        edges: BTreeMap::new(),
        namespaces: BTreeMap::new(),
        services: BTreeMap::new(),
        databases: BTreeMap::new(),
        mailboxes: BTreeMap::new(),
        oabs: BTreeMap::new(),
        origins: BTreeMap::new(),
    };
    let mut making = Making { rows, cast, notes, topology };
    making.sites();
    making.servers();
    making.stores();
    making.arrays();
    making.namespaces();
    Ok(making.topology)
}

impl Making<'_> {
    fn say(&mut self, kind: Kind, at: impl std::fmt::Display, says: impl Into<String>) {
        self.notes.push(Note::new(kind, at, says));
    }

    fn came_from(&mut self, at: impl Into<String>, origin: &Origin) {
        self.topology.origins.entry(at.into()).or_insert_with(|| origin.clone());
    }

    fn sites(&mut self) {
        let sites: Vec<_> = self.cast.members().map(|member| (member.site.clone(), member.row)).collect();
        for (site, row) in sites {
            if let Some(written) = row.site.as_ref().filter(|written| written.as_str() != site.as_str()) {
                self.came_from(site.as_str(), &Origin(written.clone(), row.origin.1.clone()));
            }
            self.topology.sites.entry(site).or_insert(Site { array: None });
        }
    }

    /// What a server is called by its administrators.
    fn called(&self, server: &ServerName) -> String {
        let row = self.cast.members().find(|member| member.plays(server)).map(|member| member.row);
        row.map_or_else(|| server.to_string(), |row| row.name.clone())
    }
}

/// What is of servers that are not there: it goes nowhere.
fn strangers(rows: &Rows, cast: &Cast<'_>, notes: &mut Vec<Note>) {
    let is_there = |server: &str| cast.find(server).is_some();
    let mut say = |at: &dyn std::fmt::Display, what: String| {
        let says = format!("{what}, which is no server of this topology");
        notes.push(Note::new(Kind::LeftOut, at, says));
    };
    let directories = rows.directories.iter().map(|one| (&one.server, &one.origin));
    let anywhere = rows.anywhere.iter().map(|one| (&one.server, &one.origin));
    let mail = rows.mail.iter().map(|one| (&one.server, &one.origin));
    for (server, Origin(name, at)) in directories.chain(anywhere).chain(mail) {
        if !is_there(server) {
            say(at, format!("{name} is of {server}"));
        }
    }
    for array in &rows.arrays {
        for member in array.members.iter().filter(|member| !is_there(member)) {
            say(&array.origin.1, format!("{} has the member {member}", array.fqdn));
        }
    }
    for service in rows.services.iter().filter(|service| !is_there(&service.server)) {
        let name = service.protocol.as_str().to_uppercase();
        say(
            &Cmdlet::Service.called(),
            format!("an {name} service is of `{}` by its MachineName", service.server),
        );
    }
}

/// The server that the subject is to sit at: a front end of the newest version, the one with the most ExternalUrls.
fn seat(rows: &Rows, cast: &Cast<'_>, notes: &mut Vec<Note>) -> Result<(ServerName, Role), Vec<Wrong>> {
    for (version, role) in
        [(Version::Exchange2013, Role::FrontEnd2013), (Version::Exchange2010, Role::FrontEnd2010)]
    {
        let mut fronts: Vec<_> = cast
            .members()
            .enumerate()
            .filter(|(_, member)| member.row.version == version)
            .filter_map(|(place, member)| {
                let name = member.client_access.clone()?;
                let own = rows.directories.iter().filter(|directory| cast.is(&directory.server, member.row));
                let urls = own.filter(|directory| directory.external_url.is_some()).count();
                // Of several the first one that was exported: names may be others' by now.
                Some((std::cmp::Reverse(urls), place, name, member.row.name.as_str()))
            })
            .collect();
        fronts.sort();
        if let Some((urls, _, name, called)) = fronts.first() {
            let others: Vec<&str> = fronts[1..].iter().map(|(.., called)| *called).collect();
            if !others.is_empty() {
                let why = match fronts.get(1).is_some_and(|(most, ..)| most == urls) {
                    true => "was exported first of those with the most",
                    false => "has the most",
                };
                let says = format!(
                    "it is the seat, where the subject is: of Exchange {version} it {why} directories with an ExternalUrl, {}; in its \
                     place could be {}",
                    urls.0,
                    others.join(", ")
                );
                notes.push(Note::new(Kind::Assumed, called, says));
            }
            return Ok((name.clone(), role));
        }
    }
    let message = "there is no Client Access server of Exchange 2010 or 2013, whose place a proxy could take";
    let help = "the seat is a front end's: export Get-ExchangeServer of the whole organization, Exchange 2010 at least";
    Err(vec![Wrong { at: None, message: message.to_owned(), help: help.to_owned() }])
}

/// The domain of addresses: the default accepted one, or that of the names that the front end publishes.
fn domain(
    rows: &Rows,
    seat: &ServerName,
    cast: &Cast<'_>,
    notes: &mut Vec<Note>,
) -> Result<HostName, Vec<Wrong>> {
    if let Some(domain) = rows.domains.iter().find(|domain| domain.default) {
        return Ok(domain.name.clone());
    }
    // Relays' mailboxes are elsewhere.
    let first = rows.domains.iter().find(|domain| domain.authoritative).or(rows.domains.first());
    if let Some(domain) = first {
        let says = format!("the mail's domain is {}: none is marked as the default one", domain.name);
        notes.push(Note::new(Kind::Assumed, Cmdlet::AcceptedDomain.called(), says));
        return Ok(domain.name.clone());
    }
    let directories =
        rows.directories.iter().filter(|directory| cast.client_access(&directory.server) == Some(seat));
    let published = directories.filter_map(|directory| directory.external_url.as_ref().map(|url| &url.host));
    let points = rows.client_access.iter().filter_map(|server| server.scp.as_ref().map(|url| &url.host));
    let named = points.clone().find(|host| host.as_str().starts_with("autodiscover."));
    let own = cast.members().filter_map(|member| member.row.fqdn.as_ref());
    let from = named.or(published.chain(own).next());
    let parent = from.and_then(|host| host.as_str().split_once('.')?.1.parse::<HostName>().ok());
    let Some(domain) = parent.filter(|domain| domain.as_str().contains('.')) else {
        let message = "no export says what the mail's domain is";
        let help = "export Get-AcceptedDomain too";
        return Err(vec![Wrong { at: None, message: message.to_owned(), help: help.to_owned() }]);
    };
    let says =
        format!("the mail's domain is {domain}, which is that of {}", from.map_or("", |host| host.as_str()));
    notes.push(Note::new(Kind::Assumed, Cmdlet::AcceptedDomain.called(), says));
    Ok(domain)
}
