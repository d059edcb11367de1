//! The tree: every object of the lab as it is now, under the names that Active Directory and Exchange give them.
//!
//! ```text
//! DC=contoso,DC=com
//!   CN=Users                          users, the service account
//!   CN=Configuration
//!     CN=Partitions                   the domain's NetBIOS name
//!     CN=Sites                        sites, and the domain controller
//!     CN=Services / CN=Microsoft Exchange / CN=Contoso
//!       CN=Address Lists Container / CN=Offline Address Lists
//!       CN=Administrative Groups / CN=Exchange Administrative Group (FYDIBOHF23SPDLT)
//!         CN=Arrays                   RPC Client Access arrays
//!         CN=Databases                databases of 2010 and later
//!         CN=Servers                  servers; below them virtual directories, SCPs, databases of 2007
//! ```

mod domain;
mod exchange;
mod root;
mod servers;

use std::collections::HashMap;

use model::{HostName, Topology};

use super::dn::{self, Dn};
use super::entry::Entry;
use super::schema::{Class, class_of};
use crate::Directory;

/// The NetBIOS name of the domain, as accounts have it.
const NETBIOS: &str = "CONTOSO";
/// The organization, as every legacyExchangeDN begins with it.
const ORGANIZATION: &str = "Contoso";
const ADMINISTRATIVE_GROUP: &str = "Exchange Administrative Group (FYDIBOHF23SPDLT)";

/// All objects, as they were at one moment.
#[derive(Debug)]
pub(super) struct Tree {
    root: Entry,
    entries: Vec<Entry>,
    by_key: HashMap<String, usize>,
    pub(super) places: Places,
}

/// The names of the tree's trunks.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) domain: Dn,
    pub(super) configuration: Dn,
    schema: Dn,
    users: Dn,
    sites: Dn,
    organization: Dn,
    group: Dn,
}

impl Places {
    fn of(domain: &HostName) -> Places {
        let domain = Dn::of_domain(domain);
        let configuration = domain.child("CN", "Configuration");
        let services = configuration.child("CN", "Services");
        let organization = services.child("CN", "Microsoft Exchange").child("CN", ORGANIZATION);
        Places {
            schema: configuration.child("CN", "Schema"),
            users: domain.child("CN", "Users"),
            sites: configuration.child("CN", "Sites"),
            group: organization.child("CN", "Administrative Groups").child("CN", ADMINISTRATIVE_GROUP),
            organization,
            configuration,
            domain,
        }
    }

    fn servers(&self) -> Dn {
        self.group.child("CN", "Servers")
    }

    fn server(&self, name: &model::ServerName) -> Dn {
        self.servers().child("CN", name.as_str())
    }

    fn site(&self, name: &model::SiteName) -> Dn {
        self.sites.child("CN", name.as_str())
    }

    fn oab(&self, name: &model::OabName) -> Dn {
        let lists = self.organization.child("CN", "Address Lists Container");
        lists.child("CN", "Offline Address Lists").child("CN", name.as_str())
    }
}

impl Tree {
    /// The tree of what a directory knows now; `host` is the domain controller's DNS name.
    pub(super) fn of(directory: &Directory, host: &HostName) -> Tree {
        let topology = directory.topology();
        let places = Places::of(&topology.domain);
        let mut entries = vec![];
        let mut grow = Grow { topology: &topology, places: &places, entries: &mut entries };
        domain::grow(&mut grow, &directory.accounts(), &directory.service());
        root::grow(&mut grow, host);
        exchange::grow(&mut grow, &directory.accounts());
        let root = root::dse(&topology, &places, host, directory.changes());
        let by_key = entries.iter().enumerate().map(|(at, entry)| (entry.dn.key().to_owned(), at)).collect();
        Tree { root, entries, by_key, places }
    }

    /// The rootDSE.
    pub(super) fn root(&self) -> &Entry {
        &self.root
    }

    /// Every object but the rootDSE, each after the one that it is below.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Where an object is among the entries.
    pub(super) fn find(&self, key: &str) -> Option<usize> {
        self.by_key.get(key).copied()
    }

    /// The name of the deepest object on the way to one that is not there.
    pub(super) fn deepest(&self, key: &str) -> Option<&Dn> {
        let mut rest = dn::above(key);
        while let Some(key) = rest {
            if let Some(at) = self.find(key) {
                return Some(&self.entries[at].dn);
            }
            rest = dn::above(key);
        }
        None
    }
}

/// A tree that grows.
struct Grow<'a> {
    topology: &'a Topology,
    places: &'a Places,
    entries: &'a mut Vec<Entry>,
}

impl Grow<'_> {
    /// Adds an object of a class of the schema's below a name, with what `more` gives it; says its name.
    fn add(&mut self, below: &Dn, name: &str, class: &str, more: impl FnOnce(Entry) -> Entry) -> Dn {
        let dn = below.child("CN", name);
        self.put(dn.clone(), name, class, more);
        dn
    }

    fn put(&mut self, dn: Dn, name: &str, class: &str, more: impl FnOnce(Entry) -> Entry) {
        let class: &'static Class = class_of(class).expect("the tree is built of classes of the schema");
        self.entries.push(more(Entry::new(dn, name, class, &self.places.schema)));
    }
}

/// The beginning of a legacyExchangeDN.
fn legacy(rest: &str) -> String {
    format!("/o={ORGANIZATION}/ou={ADMINISTRATIVE_GROUP}{rest}")
}
