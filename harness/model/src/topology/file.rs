//! Topologies as files: a base, overlays, settings by path, and what a file may get wrong.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Table, Value};

use super::{ServerRole, Topology};
use crate::problem::{Problem, Source};
use crate::version::Version;

/// Fields set by path, as a case writes them: `"cas2010-s1/owa" = { … }`. The word `absent` removes a field.
pub type Setting = BTreeMap<String, Table>;

/// A base topology and the overlays of its variants, read and not yet put together.
#[derive(Debug, Clone)]
pub struct TopologyFiles {
    name: String,
    sources: Vec<Source>,
    set_in: Option<Source>,
}

/// The head of an overlay: which topologies it may be laid over, and what it sets rather than adds.
#[derive(Deserialize)]
struct OverlayHead {
    #[serde(rename = "applies-to")]
    applies_to: Vec<String>,
    #[serde(default)]
    settings: Setting,
}

/// What stands in an overlay alone.
const OVERLAY_KEYS: [&str; 3] = ["applies-to", "source", "settings"];

impl TopologyFiles {
    /// A topology from its base file. Its name is the file's, without path and `.toml`.
    pub fn base(source: Source) -> TopologyFiles {
        let name = source.file.rsplit('/').next().unwrap_or_default().trim_end_matches(".toml").to_owned();
        TopologyFiles { name, sources: vec![source], set_in: None }
    }

    /// Lays a variant (`+pairs`) over what is there. Tables are joined, lists appended to, other values replaced; its
    /// `[settings]` then replace fields by path, as a case's do.
    ///
    /// # Errors
    /// An overlay that is not made for this topology.
    pub fn with_overlay(mut self, variant: &str, source: Source) -> Result<TopologyFiles, Problem> {
        let head = head(&source)?;
        let base = self.name.split('+').next().unwrap_or_default().to_owned();
        if !head.applies_to.contains(&base) {
            return Err(source.problem(
                source.locate(&["applies-to"]),
                format!("the variant {variant} is not made for `{base}`"),
                Some(format!("it applies to: {}", head.applies_to.join(", "))),
            ));
        }
        self.name.push_str(variant);
        self.sources.push(source);
        Ok(self)
    }

    /// Puts base, overlays and settings together.
    ///
    /// # Errors
    /// Whatever is wrong, with its file, line and column, and a right value.
    pub fn build(&self, settings: &Setting) -> Result<Topology, Problem> {
        let mut whole = Table::new();
        for source in &self.sources {
            let mut table: Table = source.read(FILE_HELP)?;
            if whole.is_empty() {
                whole = table;
                continue;
            }
            let replaced = head(source)?.settings;
            OVERLAY_KEYS.iter().for_each(|key| drop(table.remove(*key)));
            keep_the_front_end(&mut whole, &table);
            join(&mut whole, table);
            apply(&mut whole, &replaced).map_err(|(message, help)| {
                source.problem(source.locate(&["settings"]), message, Some(help))
            })?;
        }
        apply(&mut whole, settings)
            .map_err(|(message, help)| self.sources[0].problem(None, message, Some(help)))?;
        let mut topology: Topology =
            Value::Table(whole.clone()).try_into().map_err(|_| self.place_of_error(&whole))?;
        topology.name.clone_from(&self.name);
        self.verify(&topology)?;
        Ok(topology)
    }

    /// A value that does not fit its type has no place once files are joined: read them again for it.
    fn place_of_error(&self, whole: &Table) -> Problem {
        if let Err(problem) = self.sources[0].read::<Topology>(FILE_HELP) {
            return problem;
        }
        let source = self.sources.last().unwrap_or(&self.sources[0]);
        let text = toml::to_string(whole).unwrap_or_default();
        let Err(error) = toml::from_str::<Topology>(&text) else {
            return source.problem(None, "it does not fit the base topology", Some(FILE_HELP.into()));
        };
        let written = error.span().and_then(|span| text.get(span)).unwrap_or_default();
        let place = self
            .sources
            .iter()
            .rev()
            .find_map(|s| s.text.find(written).filter(|_| !written.is_empty()).map(|at| (s, at)));
        match place {
            Some((source, at)) => {
                source.problem(Some(at..at + written.len()), error.message(), Some(FILE_HELP.into()))
            }
            None => source.problem(None, error.message(), Some(FILE_HELP.into())),
        }
    }

    /// Where a server, virtual directory, site, namespace, database or mailbox is written that a finding names,
    /// `cas2010-s1/owa`: `FILE:LINE:COLUMN`. What a later file says of it comes before an earlier one.
    pub fn place(&self, at: &str) -> Option<String> {
        let (first, second) = at.split_once('/').unwrap_or((at, ""));
        let kinds = ["servers", "sites", "namespaces", "databases", "mailboxes", "oabs", "edges"];
        let own = path_of(at);
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        let set: Vec<String> =
            ["site", "namespace", "database", "oab"].map(|kind| format!("{kind}/{at}")).into();
        let whole = [&["settings", at][..], &["settings", first, second], &own];
        let whole =
            whole.into_iter().map(<[&str]>::to_vec).chain(set.iter().map(|set| vec!["settings", set]));
        let kinds = kinds.iter().flat_map(|kind| [vec![*kind, at], vec![*kind, first]]);
        let paths: Vec<Vec<&str>> = whole.chain(kinds).collect();
        paths.iter().find_map(|path| {
            let mut sources = self.set_in.iter().chain(self.sources.iter().rev());
            sources.find_map(|source| Some(source.problem(Some(source.locate(path)?), "", None).location))
        })
    }

    /// Where else fields are set: a file with `[settings]`, which says where a finding's place is before all others.
    pub fn with_settings_of(mut self, source: Source) -> TopologyFiles {
        self.set_in = Some(source);
        self
    }

    fn blame(&self, path: &[&str], message: String, help: String) -> Problem {
        for source in self.sources.iter().rev() {
            if let Some(span) = source.locate(path) {
                return source.problem(Some(span), message, Some(help));
            }
        }
        self.sources[0].problem(None, message, Some(help))
    }

    /// What types cannot hold: names that lead nowhere, settings that a version does not have.
    fn verify(&self, t: &Topology) -> Result<(), Problem> {
        let known = |name: &crate::ServerName| t.has_position(name);
        let servers = || format!("servers: {}", listed(t.positions()));
        for (name, edge) in &t.edges {
            let wrong = |field: &str, message: String, help: String| {
                Err(self.blame(&["edges", name.as_str(), field], message, help))
            };
            if t.servers.contains_key(name) {
                let help = "an edge is no Exchange server: it has a name of its own".to_owned();
                return wrong("site", format!("{name} is a server already"), help);
            }
            if !t.sites.contains_key(&edge.site) {
                let help = format!("sites: {}", listed(t.sites.keys()));
                return wrong(
                    "site",
                    format!("{name} is before no site of this file: `{}`", edge.site),
                    help,
                );
            }
        }
        if !known(&t.seat) {
            return Err(self.blame(&["seat"], format!("no server `{}`", t.seat), servers()));
        }
        if let Some(message) = misplaced(t) {
            let right: Vec<&crate::ServerName> = t.positions().filter(|name| fits(t, name)).collect();
            let help = match right[..] {
                [] => format!("nothing in this file may be the seat where role = \"{}\"", t.role),
                _ => format!("where role = \"{}\" it is one of: {}", t.role, listed(right.into_iter())),
            };
            return Err(self.blame(&["seat"], message, help));
        }
        let mut called: BTreeMap<crate::HostName, &crate::ServerName> = BTreeMap::new();
        for name in t.servers.keys() {
            if let Some(other) = called.insert(t.fqdn(name), name) {
                let message = format!("{name} and {other} have one name in DNS, {}", t.fqdn(name));
                let path = ["servers", name.as_str(), "fqdn"];
                return Err(self.blame(&path, message, "a server's fqdn is its own".to_owned()));
            }
        }
        for (name, server) in &t.servers {
            let wrong = |field: &str, message: String, help: String| {
                Err(self.blame(&["servers", name.as_str(), field], message, help))
            };
            if !t.sites.contains_key(&server.site) {
                let help = format!("sites: {}", listed(t.sites.keys()));
                return wrong("site", format!("{name} is in no site of this file: `{}`", server.site), help);
            }
            if server.build.major != server.version.major() {
                let message = format!("{name}: build {} is not of Exchange {}", server.build, server.version);
                let help =
                    format!("a build of Exchange {} begins with {}", server.version, server.version.major());
                return wrong("build", message, help);
            }
            if server.out_of_service && server.version != Version::Exchange2010 {
                let message = format!(
                    "{name} cannot be out of service: Exchange {} has no such setting",
                    server.version
                );
                return wrong(
                    "out-of-service",
                    message,
                    "IsOutOfService is Exchange 2010's (CX-OOS-1)".into(),
                );
            }
            if server.roles.is_empty() {
                return wrong("roles", format!("{name} has no role"), "roles = [\"client-access\"]".into());
            }
        }
        for (name, leads) in &t.namespaces {
            for (view, list) in [("internal", &leads.internal), ("external", &leads.external)] {
                if let Some(unknown) = list.iter().find(|server| !known(server)) {
                    let message = format!("{name} leads to no server of this file: `{unknown}`");
                    return Err(self.blame(&["namespaces", name.as_str(), view], message, servers()));
                }
            }
        }
        for (name, database) in &t.databases {
            let wrong = |field: &str, message: String, help: String| {
                Err(self.blame(&["databases", name.as_str(), field], message, help))
            };
            if let Some(unknown) = database.copies.iter().find(|server| !t.servers.contains_key(*server)) {
                let message = format!("{name} has a copy on no server of this file: `{unknown}`");
                return wrong("copies", message, servers());
            }
            if let Some(other) = database.copies.iter().find(|s| !t.servers[*s].is(ServerRole::Mailbox)) {
                let message = format!("{name} has a copy on {other}, which is no Mailbox server");
                return wrong("copies", message, "roles = [\"mailbox\"]".into());
            }
            if !database.copies.contains(&database.active) {
                let message = format!("{name}: the active copy is on `{}`, which has none", database.active);
                return wrong("active", message, format!("its copies: {}", listed(database.copies.iter())));
            }
            if let Some(oab) = database.oab.as_ref().filter(|oab| !t.oabs.contains_key(*oab)) {
                let message = format!("{name}: no such Offline Address Book: `{oab}`");
                return wrong("oab", message, format!("Offline Address Books: {}", listed(t.oabs.keys())));
            }
        }
        for (name, mailbox) in &t.mailboxes {
            if !t.databases.contains_key(&mailbox.database) {
                let message =
                    format!("mailbox {name} is in no database of this file: `{}`", mailbox.database);
                let help = format!("databases: {}", listed(t.databases.keys()));
                return Err(self.blame(&["mailboxes", name.as_str(), "database"], message, help));
            }
        }
        for (name, oab) in &t.oabs {
            if let Some(unknown) =
                oab.distribution_points.iter().find(|server| !t.servers.contains_key(*server))
            {
                let message = format!("{name} is distributed by no server of this file: `{unknown}`");
                return Err(self.blame(&["oabs", name.as_str(), "distribution-points"], message, servers()));
            }
            if let Some(unknown) =
                oab.organization_mailbox.as_ref().filter(|db| !t.databases.contains_key(*db))
            {
                let message = format!("{name}: no such database: `{unknown}`");
                let help = format!("databases: {}", listed(t.databases.keys()));
                return Err(self.blame(&["oabs", name.as_str(), "organization-mailbox"], message, help));
            }
        }
        Ok(())
    }
}

/// Why a topology's seat is no place for a subject of its role.
fn misplaced(t: &Topology) -> Option<String> {
    if fits(t, &t.seat) {
        return None;
    }
    let is = match t.servers.get(&t.seat) {
        None => "an edge".to_owned(),
        Some(server) if server.is(ServerRole::ClientAccess) => {
            format!("a Client Access server of Exchange {}", server.version)
        }
        Some(server) if server.roles.is_empty() => "without a role".to_owned(),
        Some(server) => format!("a Mailbox server of Exchange {}", server.version),
    };
    Some(format!("{} cannot be the seat where role = \"{}\": it is {is}", t.seat, t.role))
}

/// Whether a subject of the topology's role can be in this place.
fn fits(t: &Topology, name: &crate::ServerName) -> bool {
    let is_front_of = |version| {
        t.servers
            .get(name)
            .is_some_and(|server| server.version == version && server.is(ServerRole::ClientAccess))
    };
    match t.role {
        crate::Role::FrontEnd2013 => is_front_of(Version::Exchange2013),
        crate::Role::FrontEnd2010 => is_front_of(Version::Exchange2010),
        crate::Role::Edge => t.edges.contains_key(name),
    }
}

const FILE_HELP: &str = "compare with suites/topologies/coexistence.toml";
const OVERLAY_HELP: &str = "an overlay begins with: source = \"…\" and applies-to = [\"coexistence\"]";

fn head(overlay: &Source) -> Result<OverlayHead, Problem> {
    let table: Table = overlay.read(OVERLAY_HELP)?;
    Value::Table(table).try_into().map_err(|error: toml::de::Error| {
        overlay.problem(None, error.message(), Some(OVERLAY_HELP.to_owned()))
    })
}

/// An overlay that moves the seat leaves somebody's place empty: it is kept, with its role.
fn keep_the_front_end(whole: &mut Table, overlay: &Table) {
    if let (true, Some(seat), Some(role)) =
        (overlay.contains_key("seat"), whole.get("seat").cloned(), whole.get("role").cloned())
    {
        let front_end = Table::from_iter([("server".to_owned(), seat), ("role".to_owned(), role)]);
        whole.entry("front-end").or_insert(Value::Table(front_end));
    }
}

fn listed<T: ToString>(names: impl Iterator<Item = T>) -> String {
    names.map(|name| name.to_string()).collect::<Vec<_>>().join(", ")
}

fn join(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => join(old, new),
            (Some(Value::Array(old)), Value::Array(new)) => old.extend(new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// Where a setting's target stands in the file: `cas2010-s1`, `cas2010-s1/owa`, `cas2010-s1/outlook-anywhere`,
/// `cas2010-s1/imap`, or a kind and a name: `namespace/mail.contoso.com`, `database/db2010-s1`, `oab/oab-s1`, `service/NAME`, `site/Site1`,
/// `edge/edge-s1`;
/// `topology` is the file itself.
fn path_of(target: &str) -> Vec<String> {
    let own = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect();
    match target.split_once('/') {
        None if target == "topology" => vec![],
        None => own(&["servers", target]),
        Some(("namespace", name)) => own(&["namespaces", name]),
        Some(("database", name)) => own(&["databases", name]),
        Some(("oab", name)) => own(&["oabs", name]),
        Some(("service", name)) => own(&["services", name]),
        Some(("site", name)) => own(&["sites", name]),
        Some(("edge", name)) => own(&["edges", name]),
        Some((server, settings @ ("outlook-anywhere" | "imap" | "pop"))) => {
            own(&["servers", server, settings])
        }
        Some((server, protocol)) => own(&["servers", server, "directories", protocol]),
    }
}

fn apply(whole: &mut Table, settings: &Setting) -> Result<(), (String, String)> {
    for (target, fields) in settings {
        let mut table = &mut *whole;
        let path = path_of(target);
        let may_be_new = matches!(path.first().map(String::as_str), Some("namespaces" | "services"));
        for step in &path {
            if may_be_new && !table.contains_key(step) {
                table.insert(step.clone(), Value::Table(Table::new()));
            }
            table = table.get_mut(step).and_then(Value::as_table_mut).ok_or_else(|| {
                let help =
                    "a right one: \"cas2010-s1/owa\" = { external-url = \"https://mail.contoso.com/owa\" }";
                (format!("a setting's target is not in this topology: `{target}`"), help.to_owned())
            })?;
        }
        for (field, value) in fields {
            match value.as_str() == Some("absent") {
                true => table.remove(field),
                false => table.insert(field.clone(), value.clone()),
            };
        }
    }
    Ok(())
}
