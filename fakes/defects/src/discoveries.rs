//! Lies of `discover`: another version, another site, a stale answer.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use model::case::Over;
use model::mail::{ConnectionSetting, client_port};
use model::topology::{Authentication, ServerRole};
use model::{ExternalUrl, Protocol, ServerName, Topology, Version};
use reference::decide::Account;
use reference::decide::device::parameter;
use reference::ports::{DirectoryDown, Discover, Facts, Sought, Waiting};

use crate::Fired;

/// How an answer is bent.
#[derive(Clone, Copy)]
pub(crate) enum Lie {
    /// The answer is another one.
    Answer(fn(Facts) -> Facts),
    /// The first answer under a key is kept for whoever comes under the same key.
    Stale(fn(&Sought) -> String),
    /// Another question is asked.
    Question(fn(&Sought) -> Sought),
    /// A server that was out of service once stays so.
    StaysOut,
    /// The answer about a mail program's user is another one.
    Mail(fn(Facts) -> Facts),
}

const LIES: &[(&str, Lie)] = &[
    (
        "reads-2007-as-2010",
        Lie::Answer(|facts| taken_for(facts, Version::Exchange2007, Version::Exchange2010)),
    ),
    (
        "reads-2010-as-2013",
        Lie::Answer(|facts| taken_for(facts, Version::Exchange2010, Version::Exchange2013)),
    ),
    ("mixes-up-sites", Lie::Answer(site2_for_site3)),
    ("one-url-for-all", Lie::Answer(one_url_for_all)),
    ("remembers-by-domain", Lie::Stale(|sought| domain_of(&sought.user))),
    ("remembers-for-ever", Lie::Stale(|sought| sought.user.to_lowercase())),
    ("takes-a-passive-copy", Lie::Answer(a_passive_copy)),
    ("silent-without-fba", Lie::Answer(everybody_has_forms)),
    ("ignores-out-of-service", Lie::Answer(everybody_in_service)),
    ("forgets-to-take-back", Lie::StaysOut),
    ("reads-user-from-query", Lie::Question(user_of_query)),
    ("fqdn-for-2010", Lie::Mail(fqdn_for_2010)),
    ("reads-2007-settings", Lie::Mail(legacy_versions_exchanged)),
    ("candidates-at-home", Lie::Mail(everybody_at_home)),
];

/// The lie of this id.
pub(crate) fn lie(id: &str) -> Option<(&'static str, Lie)> {
    LIES.iter().find(|(known, _)| *known == id).copied()
}

/// Every id.
pub(crate) fn ids() -> impl Iterator<Item = &'static str> {
    LIES.iter().map(|(id, _)| *id)
}

pub(crate) struct Spoiled {
    id: &'static str,
    lie: Lie,
    truth: Arc<dyn Discover>,
    fired: Fired,
    kept: Mutex<HashMap<String, Account>>,
    /// Servers that were out of service.
    out: Mutex<BTreeSet<ServerName>>,
}

impl Spoiled {
    pub(crate) fn new(id: &'static str, lie: Lie, truth: Arc<dyn Discover>, fired: Fired) -> Spoiled {
        Spoiled { id, lie, truth, fired, kept: Mutex::default(), out: Mutex::default() }
    }

    fn stays_out(&self, mut facts: Facts) -> Facts {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let servers = facts.topology.servers.iter();
        out.extend(servers.filter(|(_, server)| server.out_of_service).map(|(name, _)| name.clone()));
        let topology = Arc::make_mut(&mut facts.topology);
        let was_out = topology.servers.iter_mut().filter(|(name, _)| out.contains(*name));
        was_out.for_each(|(_, server)| server.out_of_service = true);
        facts
    }

    /// The place of the first mailbox under this key, with the name of the one that was asked for.
    fn stale(&self, key: String, facts: &Facts) -> Facts {
        let Some(account) = facts.account.clone() else { return facts.clone() };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let first = kept.entry(key).or_insert_with(|| account.clone()).clone();
        let (database, server) = (first.database, first.server);
        let place = Account { database, server, version: first.version, site: first.site, ..account };
        Facts { account: Some(place), ..facts.clone() }
    }
}

impl Discover for Spoiled {
    fn find<'a>(&'a self, sought: &'a Sought) -> Waiting<'a, Result<Facts, DirectoryDown>> {
        Box::pin(async move {
            let truth = self.truth.find(sought).await?;
            let lie = match self.lie {
                Lie::Answer(bend) => bend(truth.clone()),
                Lie::Mail(bend) if matches!(sought.protocol, Protocol::Imap | Protocol::Pop) => {
                    bend(truth.clone())
                }
                Lie::Mail(_) => return Ok(truth),
                Lie::Stale(key) => self.stale(key(sought), &truth),
                Lie::StaysOut => self.stays_out(truth.clone()),
                Lie::Question(bend) => {
                    let bent = bend(sought);
                    // The client is still who it is: only where its mailbox lies is taken from the other answer.
                    let other = self.truth.find(&bent).await?.account;
                    let account = truth.account.clone().zip(other).map(|(own, other)| Account {
                        database: other.database,
                        server: other.server,
                        version: other.version,
                        site: other.site,
                        ..own
                    });
                    Facts { account, ..truth.clone() }
                }
            };
            if lie.account != truth.account || lie.topology != truth.topology {
                self.fired.lied(self.id, sought.client.socket);
            }
            Ok(lie)
        })
    }
}

/// A mailbox of one version taken for another's; where that version keeps mailboxes, it is sought there.
fn taken_for(mut facts: Facts, of: Version, taken: Version) -> Facts {
    if let Some(account) = facts.account.as_mut().filter(|account| account.version == of) {
        account.version = taken;
        if taken == Version::Exchange2013
            && let Some(server) = mailbox_server(&facts.topology, |version, _| version == taken)
        {
            account.server = server;
        }
    }
    facts
}

fn site2_for_site3(mut facts: Facts) -> Facts {
    if let Some(account) = facts.account.as_mut().filter(|account| account.site.as_str() == "Site3")
        && let Ok(site) = "Site2".parse()
    {
        account.site = site;
    }
    facts
}

fn one_url_for_all(mut facts: Facts) -> Facts {
    let topology = Arc::make_mut(&mut facts.topology);
    for server in topology.servers.values_mut() {
        let flag = server.directory(Protocol::Owa).and_then(|owa| owa.external_url.clone());
        let Some(ExternalUrl(flag)) = flag else { continue };
        for (protocol, directory) in &mut server.directories {
            let path = match protocol {
                Protocol::Ecp => "/ecp/",
                Protocol::Eas => "/Microsoft-Server-ActiveSync",
                Protocol::Ews => "/EWS/Exchange.asmx",
                Protocol::Oab => "/OAB/",
                _ => continue,
            };
            directory.external_url.get_or_insert_with(|| ExternalUrl(flag.at(path)));
        }
    }
    facts
}

fn a_passive_copy(mut facts: Facts) -> Facts {
    if let Some(account) = facts.account.as_mut().filter(|account| account.version == Version::Exchange2013)
        && let Some(database) = facts.topology.databases.get(&account.database)
        && let Some(passive) = database.copies.iter().find(|copy| **copy != account.server)
    {
        account.server = passive.clone();
    }
    facts
}

fn everybody_has_forms(mut facts: Facts) -> Facts {
    let topology = Arc::make_mut(&mut facts.topology);
    for owa in topology.servers.values_mut().filter_map(|server| server.directories.get_mut(&Protocol::Owa)) {
        owa.forms = true;
        if !owa.external_authentication.contains(&Authentication::Fba) {
            owa.external_authentication.push(Authentication::Fba);
        }
    }
    facts
}

fn everybody_in_service(mut facts: Facts) -> Facts {
    let servers = Arc::make_mut(&mut facts.topology).servers.values_mut();
    servers.for_each(|server| server.out_of_service = false);
    facts
}

/// What 2010 servers are set to is taken for what they are set to unless somebody sets it.
fn fqdn_for_2010(mut facts: Facts) -> Facts {
    let topology = Arc::make_mut(&mut facts.topology);
    let domain = topology.domain.clone();
    for (name, server) in &mut topology.servers {
        let own = server.fqdn.clone().unwrap_or_else(|| name.fqdn(&domain));
        if server.version != Version::Exchange2010 {
            continue;
        }
        for (protocol, service) in [(Protocol::Imap, &mut server.imap), (Protocol::Pop, &mut server.pop)] {
            if let Some(service) = service {
                let usual =
                    |over| ConnectionSetting { host: own.clone(), port: client_port(protocol, over), over };
                service.internal_connection_settings = vec![usual(Over::Tls), usual(Over::Starttls)];
            }
        }
    }
    facts
}

/// A 2007 mailbox is sought as a 2010 one is: by the settings of its servers.
fn legacy_versions_exchanged(mut facts: Facts) -> Facts {
    let Some(account) = facts.account.as_mut().filter(|account| account.version == Version::Exchange2007)
    else {
        return facts;
    };
    account.version = Version::Exchange2010;
    for server in Arc::make_mut(&mut facts.topology).servers.values_mut() {
        server.version = match server.version {
            Version::Exchange2007 => Version::Exchange2010,
            Version::Exchange2010 => Version::Exchange2007,
            Version::Exchange2013 => Version::Exchange2013,
        };
    }
    facts
}

fn everybody_at_home(mut facts: Facts) -> Facts {
    let own = facts.topology.site_of(&facts.topology.seat).cloned();
    if let (Some(account), Some(own)) = (facts.account.as_mut(), own) {
        account.site = own;
    }
    facts
}

/// `User=`, in whatever form it is written there. A base64 query has none, so nobody is found.
fn user_of_query(sought: &Sought) -> Sought {
    if sought.protocol != Protocol::Eas || sought.query.is_empty() {
        return sought.clone();
    }
    let user = parameter(&sought.query, "User").unwrap_or_default();
    let user = user.replace("%5C", "\\").replace("%5c", "\\").replace("%40", "@");
    Sought { user, ..sought.clone() }
}

fn domain_of(user: &str) -> String {
    user.rsplit_once('@').map_or("", |(_, domain)| domain).to_lowercase()
}

fn mailbox_server(topology: &Topology, fits: impl Fn(Version, &ServerName) -> bool) -> Option<ServerName> {
    let mut servers = topology.servers.iter();
    let found = servers.find(|(name, server)| server.is(ServerRole::Mailbox) && fits(server.version, name));
    found.map(|(name, _)| name.clone())
}
