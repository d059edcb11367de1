//! Databases, the users who stand for those in them, and Offline Address Books.

use std::collections::BTreeMap;

use model::topology::{Database, Mailbox, Oab};
use model::{DatabaseName, HostName, OabName, ServerName, SiteName, Version};

use super::Making;
use super::cast::Labels;
use crate::cmdlet::Cmdlet;
use crate::note::Kind;
use crate::rows;

/// What decides where a user's clients go: users of databases that are alike in this end alike.
type Alike = (Version, SiteName, Option<HostName>, Option<OabName>);

impl Making<'_> {
    pub(super) fn stores(&mut self) {
        let mut labels = Labels::default();
        self.topology.servers.keys().for_each(|name| labels.take(name.as_str()));
        self.topology.sites.keys().for_each(|name| labels.take(name.as_str()));
        let oabs = self.oabs(&mut labels);
        let mut called: BTreeMap<DatabaseName, String> = BTreeMap::new();
        let rows = self.rows;
        for row in &rows.databases {
            let Some(mut database) = self.database(row) else { continue };
            database.oab = self.oab_of(row, &database.active, &oabs);
            let name: DatabaseName = labels.give(&row.name);
            self.came_from(name.as_str(), &row.origin);
            called.insert(name.clone(), row.name.clone());
            self.topology.databases.insert(name, database);
        }
        match rows.have.contains(&Cmdlet::MailboxDatabase) {
            true => self.without_database(),
            false => self.a_database_each(&mut labels, &oabs),
        }
        self.organization_mailboxes();
        self.users(&mut labels, &called);
    }

    fn database(&mut self, row: &rows::Database) -> Option<Database> {
        let mut copies: Vec<ServerName> = vec![];
        for written in &row.copies {
            match self.cast.mailbox(written) {
                Some(server) if copies.contains(server) => {}
                Some(server) => copies.push(server.clone()),
                None => {
                    let says = format!(
                        "a copy of it is on {written}, which is no Mailbox server of Get-ExchangeServer"
                    );
                    self.say(Kind::LeftOut, &row.origin.0, says);
                }
            }
        }
        let active = row.active.as_ref().and_then(|written| self.cast.mailbox(written)).cloned();
        if let Some(active) = active.as_ref().filter(|active| !copies.contains(active)) {
            copies.push(active.clone());
        }
        let Some(first) = copies.first().cloned() else {
            self.say(Kind::LeftOut, &row.origin.0, "it is on no server that was exported");
            return None;
        };
        let active = active.unwrap_or_else(|| {
            if copies.len() > 1 {
                let says = format!(
                    "its active copy is on {}: no export says where it is mounted",
                    self.called(&first)
                );
                self.say(Kind::Assumed, &row.origin.0, says);
            }
            first
        });
        let of_2010 = self.version_of(&active) == Version::Exchange2010;
        Some(Database {
            copies,
            active,
            rpc_client_access_server: row.rpc_client_access_server.clone().filter(|_| of_2010),
            oab: None,
        })
    }

    /// Names the Mailbox servers that no exported database is on: all mailboxes of an organization's older half may be missing so.
    fn without_database(&mut self) {
        if !self.rows.databases.iter().all(|row| row.all_copies) {
            return;
        }
        let newest = self.cast.members().map(|member| member.row.version).max();
        let holds =
            |server: &ServerName| self.topology.databases.values().any(|db| db.copies.contains(server));
        let empty =
            self.cast.members().filter(|member| member.mailbox.as_ref().is_some_and(|name| !holds(name)));
        let empty: Vec<&rows::Server> = empty.map(|member| member.row).collect();
        for row in empty {
            let older = row.version < Version::Exchange2013 && newest == Some(Version::Exchange2013);
            let why =
                if older { "; a shell of Exchange 2013 names it with -IncludePreExchange2013" } else { "" };
            let says = format!("Get-MailboxDatabase has no database on it: nobody has a mailbox there{why}");
            self.say(Kind::Missing, &row.name, says);
        }
    }

    fn version_of(&self, server: &ServerName) -> Version {
        self.topology.server(server).map_or(Version::Exchange2007, |server| server.version)
    }

    /// The Offline Address Book of a database: its own, or the default one.
    fn oab_of(&mut self, row: &rows::Database, active: &ServerName, oabs: &Books) -> Option<OabName> {
        let found = match &row.oab {
            Some(own) => oabs.by_name.get(&own.to_lowercase()),
            None => oabs.default.as_ref().or_else(|| oabs.by_version.get(&self.version_of(active))),
        };
        let found = found.or_else(|| oabs.by_version.get(&self.version_of(active))).cloned();
        if found.is_none() {
            let says = format!(
                "its Offline Address Book {} was not exported",
                row.oab.as_deref().unwrap_or("(the default one)")
            );
            self.say(Kind::Missing, &row.origin.0, says);
        }
        found
    }

    /// Get-MailboxDatabase was not exported.
    fn a_database_each(&mut self, labels: &mut Labels, oabs: &Books) {
        let holders: Vec<ServerName> =
            self.cast.members().filter_map(|member| member.mailbox.clone()).collect();
        for server in holders {
            let oab = oabs.by_version.get(&self.version_of(&server)).or(oabs.default.as_ref()).cloned();
            let name: DatabaseName = labels.give(&format!("db-{server}"));
            let rpc_client_access_server = None;
            let database =
                Database { copies: vec![server.clone()], active: server, rpc_client_access_server, oab };
            self.topology.databases.insert(name, database);
        }
    }

    fn oabs(&mut self, labels: &mut Labels) -> Books {
        let mut books = Books::default();
        let rows = self.rows;
        for (number, row) in (1..).zip(&rows.oabs) {
            let name: OabName = labels.give(&row.name);
            let mut points: Vec<ServerName> = vec![];
            for written in &row.servers {
                match self.cast.client_access(written).cloned() {
                    // Exchange 2013 hands out what its own organization mailbox makes.
                    Some(server) if self.version_of(&server) == Version::Exchange2013 => {}
                    Some(server) if points.contains(&server) => {}
                    Some(server) => points.push(server),
                    None => {
                        let says = format!(
                            "it is distributed by {written}, which is no Client Access server of Get-ExchangeServer"
                        );
                        self.say(Kind::LeftOut, &row.origin.0, says);
                    }
                }
            }
            let guid = row.guid.clone().unwrap_or_else(|| made_up(number));
            books.by_name.insert(row.name.to_lowercase(), name.clone());
            if row.default || books.default.is_none() {
                books.default = Some(name.clone());
            }
            self.came_from(name.as_str(), &row.origin);
            let oab = Oab { guid, distribution_points: points, organization_mailbox: None };
            self.topology.oabs.insert(name, oab);
        }
        if rows.oabs.is_empty() {
            let versions: std::collections::BTreeSet<Version> =
                self.topology.servers.values().map(|server| server.version).collect();
            for (number, version) in (1..).zip(versions) {
                let name: OabName = labels.give(&format!("oab-{version}"));
                let hands_out = |(name, server): (&ServerName, &model::topology::Server)| {
                    let has = server.directory(model::Protocol::Oab).is_some();
                    (has && server.version == version && version != Version::Exchange2013)
                        .then(|| name.clone())
                };
                let distribution_points = self.topology.servers.iter().filter_map(hands_out).collect();
                let oab = Oab { guid: made_up(number), distribution_points, organization_mailbox: None };
                self.topology.oabs.insert(name.clone(), oab);
                books.by_version.insert(version, name);
            }
        }
        books
    }

    /// Exchange 2013's books are made by an organization mailbox, of which no export says where it is.
    fn organization_mailboxes(&mut self) {
        let of_2013: Vec<(DatabaseName, OabName)> = self
            .topology
            .databases
            .iter()
            .filter(|(_, database)| self.version_of(&database.active) == Version::Exchange2013)
            .filter_map(|(name, database)| Some((name.clone(), database.oab.clone()?)))
            .collect();
        for (database, oab) in of_2013 {
            let Some(book) = self.topology.oabs.get_mut(&oab) else { continue };
            if book.organization_mailbox.is_none() {
                book.organization_mailbox = Some(database.clone());
                let says = format!("the organization mailbox that makes it is in {database}");
                self.say(Kind::Assumed, oab, says);
            }
        }
    }

    /// One user for each kind of database.
    fn users(&mut self, labels: &mut Labels, called: &BTreeMap<DatabaseName, String>) {
        let mut alike: BTreeMap<Alike, Vec<DatabaseName>> = BTreeMap::new();
        for (name, database) in &self.topology.databases {
            let Some(server) = self.topology.server(&database.active) else { continue };
            let key = (
                server.version,
                server.site.clone(),
                database.rpc_client_access_server.clone(),
                database.oab.clone(),
            );
            alike.entry(key).or_default().push(name.clone());
        }
        for databases in alike.into_values() {
            let Some(first) = databases.first().cloned() else { continue };
            let user = labels.give(&format!("user-{first}"));
            let called = |name: &DatabaseName| called.get(name).cloned().unwrap_or_else(|| name.to_string());
            let all: Vec<String> = databases.iter().map(called).collect();
            let says = format!("a user of {}, who stands for all of {}", all[0], all.join(", "));
            self.say(Kind::Assumed, &user, says);
            if let Some(origin) = self.topology.origins.get(first.as_str()).cloned() {
                let origin = model::topology::Origin(format!("a user of {}", origin.0), origin.1);
                self.came_from(model::MailboxName::as_str(&user), &origin);
            }
            self.topology.mailboxes.insert(user, Mailbox { database: first });
        }
    }
}

/// Offline Address Books by what refers to them.
#[derive(Default)]
struct Books {
    by_name: BTreeMap<String, OabName>,
    default: Option<OabName>,
    /// Where none were exported.
    by_version: BTreeMap<Version, OabName>,
}

/// A GUID for a book whose own is not known.
fn made_up(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}
