//! Other names for everything that says whose organization it is: each always the same, and of the same shape.
//!
//! What stays is what decides where clients go: versions, roles, which server is in which site, which names are equal and
//! which is below which, words that every organization uses (`mail`, `autodiscover`), paths of virtual directories, settings.

use std::collections::BTreeMap;

use model::topology::Origin;
use model::{HostName, Protocol, Version, WebUrl};

use crate::assemble::{label, plain_site};
use crate::rows::{Rows, Server};

/// The same rows under other names.
pub(crate) fn anonymised(mut rows: Rows) -> Rows {
    let mut names = Names::of(&rows);
    for row in &mut rows.servers {
        row.name = names.server(&row.name);
        row.fqdn = row.fqdn.take().map(|host| names.host(&host));
        row.site = row.site.take().map(|site| names.site(&site));
        row.origin = names.origin(&row.origin, &row.name);
    }
    for row in &mut rows.client_access {
        row.server = names.server(&row.server);
        row.scp = row.scp.take().map(|url| names.url(&url));
        row.scope.iter_mut().for_each(|site| *site = names.site(site));
    }
    for row in &mut rows.arrays {
        row.fqdn = names.host(&row.fqdn);
        row.site = row.site.take().map(|site| names.site(&site));
        row.members.iter_mut().for_each(|member| *member = names.server(member));
        row.origin = names.origin(&row.origin, row.fqdn.as_str());
    }
    for row in &mut rows.directories {
        row.server = names.server(&row.server);
        row.internal_url = row.internal_url.take().map(|url| names.url(&url));
        row.external_url = row.external_url.take().map(|url| names.url(&url));
        row.origin = names.directory(&row.origin, &row.server, called(row.protocol));
    }
    for row in &mut rows.anywhere {
        row.server = names.server(&row.server);
        row.external_host = row.external_host.take().map(|host| names.host(&host));
        row.internal_host = row.internal_host.take().map(|host| names.host(&host));
        row.origin = names.directory(&row.origin, &row.server, called(Protocol::OutlookAnywhere));
    }
    for row in &mut rows.mail {
        row.server = names.server(&row.server);
        row.settings.iter_mut().for_each(|setting| setting.host = names.host(&setting.host));
        row.banner = row.banner.take().map(|_| "The mail service is ready".to_owned());
        row.origin = names.origin(&row.origin, &format!("{}\\1", row.server));
    }
    for row in &mut rows.databases {
        row.name = names.database(&row.name);
        row.copies.iter_mut().for_each(|copy| *copy = names.server(copy));
        row.active = row.active.take().map(|server| names.server(&server));
        row.rpc_client_access_server = row.rpc_client_access_server.take().map(|host| names.host(&host));
        row.oab = row.oab.take().map(|oab| names.oab(&oab));
        row.origin = names.origin(&row.origin, &row.name);
    }
    for row in &mut rows.oabs {
        row.name = names.oab(&row.name);
        row.guid = row.guid.take().map(|guid| names.guid(&guid));
        row.servers.iter_mut().for_each(|server| *server = names.server(server));
        row.origin = names.origin(&row.origin, &row.name);
    }
    for row in &mut rows.domains {
        row.name = names.domain(&row.name);
    }
    for row in &mut rows.services {
        row.server = names.server(&row.server);
    }
    for row in &mut rows.names {
        row.host = names.host(&row.host);
        row.addresses.iter_mut().for_each(|address| *address = names.address(address));
    }
    rows
}

/// What Exchange calls a protocol's virtual directory.
fn called(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Owa => "owa",
        Protocol::Ecp => "ecp",
        Protocol::Eas => "Microsoft-Server-ActiveSync",
        Protocol::Ews => "EWS",
        Protocol::Oab => "OAB",
        Protocol::Autodiscover => "Autodiscover",
        Protocol::Mapi => "mapi",
        _ => "Rpc",
    }
}

/// Labels of DNS names that say nothing of their owner.
const COMMON: &[&str] = &[
    "autodiscover",
    "mail",
    "webmail",
    "email",
    "owa",
    "outlook",
    "legacy",
    "www",
    "smtp",
    "imap",
    "imap4",
    "pop",
    "pop3",
    "eas",
    "activesync",
    "mobile",
    "ews",
    "oab",
    "cas",
    "casarray",
    "array",
    "outlook-anywhere",
    "oa",
    "rpc",
    "exchange",
    "mx",
    "internal",
    "external",
    "ecp",
    "mapi",
    "remote",
    "ad",
    "corp",
    "local",
    "lan",
    "intern",
];

/// Domains that are nobody's, for examples. The first one is for the mail's own.
const DOMAINS: &[&str] = &["contoso.com", "fabrikam.com", "adatum.com", "litwareinc.com", "tailspintoys.com"];

/// What was, and what it is called instead.
#[derive(Default)]
struct Names {
    /// By name and by DNS name, in small letters.
    servers: BTreeMap<String, String>,
    domains: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
    sites: BTreeMap<String, String>,
    databases: BTreeMap<String, String>,
    oabs: BTreeMap<String, String>,
    guids: BTreeMap<String, String>,
    addresses: BTreeMap<String, String>,
    files: BTreeMap<String, String>,
}

impl Names {
    fn of(rows: &Rows) -> Names {
        let mut names = Names::default();
        // Where nothing else decides, the order of names does, here as in an organization: the new ones stand in that of the old.
        let mut servers: Vec<&Server> = rows.servers.iter().collect();
        servers.sort_by_key(|row| label(&row.name));
        let digits = width(servers.len());
        for (number, row) in (1..).zip(servers) {
            let name = format!("S{number:0digits$}-{}", kind(row));
            names.servers.insert(row.name.to_lowercase(), name.clone());
            names.labels.insert(row.name.to_lowercase(), name.to_lowercase());
            if let Some(fqdn) = &row.fqdn {
                names.servers.insert(fqdn.to_string(), name);
            }
        }
        let databases = rows.databases.iter().map(|row| row.name.as_str());
        in_order(&mut names.databases, databases, "DB", label);
        in_order(&mut names.oabs, rows.oabs.iter().map(|row| row.name.as_str()), "OAB", label);
        let sites = rows.servers.iter().filter_map(|row| row.site.as_deref());
        in_order(&mut names.sites, sites, "Site", plain_site);
        let accepted = rows.domains.iter().filter(|domain| domain.default).chain(&rows.domains);
        let own = rows.servers.iter().filter_map(|row| row.fqdn.as_ref()?.as_str().split_once('.'));
        let points = rows
            .client_access
            .iter()
            .filter_map(|row| row.scp.as_ref()?.host.as_str().strip_prefix("autodiscover."));
        let mut domains: Vec<String> = accepted.map(|domain| domain.name.to_string()).collect();
        domains.extend(points.map(str::to_owned));
        let mut others: Vec<String> = own.map(|(_, domain)| domain.to_owned()).collect();
        others.sort_by_key(|domain| (domain.len(), domain.clone()));
        domains.extend(others);
        // Those above first, so that those below keep what is before; of the others the mail's own.
        let is_below = |domain: &String, above: &String| {
            domain.strip_suffix(above.as_str()).is_some_and(|rest| rest.ends_with('.'))
        };
        let (below, tops): (Vec<&String>, Vec<&String>) =
            domains.iter().partition(|domain| domains.iter().any(|above| is_below(domain, above)));
        let own = domains.first();
        let is_the_mail_s = |top: &String| own.is_some_and(|own| own == top || is_below(own, top));
        let (first, then): (Vec<&String>, Vec<&String>) =
            tops.into_iter().partition(|top| is_the_mail_s(top));
        let mut below = below;
        below.sort_by_key(|domain| domain.len());
        for domain in first.into_iter().chain(then).chain(below) {
            names.mapped_domain(domain);
        }
        names
    }

    fn server(&mut self, written: &str) -> String {
        numbered(&mut self.servers, &written.to_lowercase(), "UNKNOWN")
    }

    fn site(&mut self, written: &str) -> String {
        numbered(&mut self.sites, &written.to_lowercase(), "Site")
    }

    fn database(&mut self, written: &str) -> String {
        numbered(&mut self.databases, &written.to_lowercase(), "DB")
    }

    fn oab(&mut self, written: &str) -> String {
        numbered(&mut self.oabs, &written.to_lowercase(), "OAB")
    }

    fn guid(&mut self, written: &str) -> String {
        let next = self.guids.len() + 1;
        self.guids
            .entry(written.to_lowercase())
            // Another shape than that of the ones that are made up where a book has none.
            .or_insert_with(|| format!("00000000-0000-4000-9000-{next:012}"))
            .clone()
    }

    fn address(&mut self, written: &str) -> String {
        let next = self.addresses.len() + 1;
        let address = || format!("10.0.{}.{}", next / 250, next % 250 + 1);
        self.addresses.entry(written.to_owned()).or_insert_with(address).clone()
    }

    fn domain(&mut self, domain: &HostName) -> HostName {
        let mapped = self.mapped_domain(domain.as_str());
        mapped.parse().unwrap_or_else(|_| self.shortly(domain.as_str()))
    }

    fn mapped_domain(&mut self, domain: &str) -> String {
        if let Some(known) = self.domains.get(domain) {
            return known.clone();
        }
        let above = domain.match_indices('.').find_map(|(at, _)| {
            self.domains.get(&domain[at + 1..]).map(|above| (domain[..at].to_owned(), above.clone()))
        });
        let mapped = match above {
            Some((before, above)) => format!("{}.{above}", self.labelled(&before)),
            None => {
                let used: Vec<&String> = self.domains.values().collect();
                let free = DOMAINS.iter().find(|free| !used.iter().any(|used| used.ends_with(**free)));
                free.map_or_else(|| format!("domain{}.example", used.len() + 1), |free| (*free).to_owned())
            }
        };
        self.domains.insert(domain.to_owned(), mapped.clone());
        mapped
    }

    /// A DNS name: its domain's other name, and before it the other labels.
    fn host(&mut self, host: &HostName) -> HostName {
        let written = host.as_str();
        if self.domains.contains_key(written) {
            return self.domain(host);
        }
        let below = written.match_indices('.').find(|(at, _)| self.domains.contains_key(&written[at + 1..]));
        // A name below no known domain has one of its own: its last two labels.
        let at = below.map(|(at, _)| at).or_else(|| written.rmatch_indices('.').nth(1).map(|(at, _)| at));
        let mapped = match at {
            Some(at) => {
                format!("{}.{}", self.labelled(&written[..at]), self.mapped_domain(&written[at + 1..]))
            }
            None if written.contains('.') => self.mapped_domain(written),
            None => self.labelled(written),
        };
        mapped.parse().unwrap_or_else(|_| self.shortly(written))
    }

    /// A name for what has become too long for one.
    fn shortly(&mut self, written: &str) -> HostName {
        let short = numbered(&mut self.labels, written, "name");
        format!("{short}.example").parse().expect("a word, a number and a domain")
    }

    fn labelled(&mut self, labels: &str) -> String {
        let each = labels.split('.').map(|label| match COMMON.contains(&label) {
            true => label.to_owned(),
            false => numbered(&mut self.labels, label, "name"),
        });
        each.collect::<Vec<_>>().join(".")
    }

    /// A web address: of its path what every Exchange has.
    fn url(&mut self, url: &WebUrl) -> WebUrl {
        const USUAL: &[&str] = &[
            "owa",
            "ecp",
            "ews",
            "exchange.asmx",
            "oab",
            "autodiscover",
            "autodiscover.xml",
            "microsoft-server-activesync",
            "default.eas",
            "mapi",
            "rpc",
            "powershell",
            "",
        ];
        let path: Vec<&str> = url
            .path
            .split('/')
            .map(|part| if USUAL.contains(&part.to_ascii_lowercase().as_str()) { part } else { "elsewhere" })
            .collect();
        WebUrl { tls: url.tls, host: self.host(&url.host), path: path.join("/") }
    }

    /// Where something came from: a file's name may say whose it is.
    fn origin(&mut self, origin: &Origin, is: &str) -> Origin {
        let (file, line) = origin.1.rsplit_once(':').unwrap_or((&origin.1, "1"));
        Origin(is.to_owned(), format!("{}:{line}", numbered(&mut self.files, file, "export")))
    }

    fn directory(&mut self, origin: &Origin, server: &str, name: &str) -> Origin {
        let usual = origin.0.ends_with("(Default Web Site)");
        let site = if usual { "Default Web Site" } else { "another web site" };
        self.origin(origin, &format!("{server}\\{name} ({site})"))
    }
}

/// The other name of a thing, or the next one that is free.
fn numbered(known: &mut BTreeMap<String, String>, written: &str, kind: &str) -> String {
    if let Some(known) = known.get(written) {
        return known.clone();
    }
    let mut free = (1..).map(|number| format!("{kind}{number}"));
    let name = free.find(|name| !known.values().any(|other| other == name));
    let name = name.unwrap_or_else(|| unreachable!("there is always a number that nobody has"));
    known.insert(written.to_owned(), name.clone());
    name
}

/// Names in the order of what those that they replace become here.
fn in_order<'n>(
    known: &mut BTreeMap<String, String>,
    written: impl Iterator<Item = &'n str>,
    kind: &str,
    becomes: fn(&str) -> String,
) {
    let mut all: Vec<(String, String)> = vec![];
    for name in written {
        if !all.iter().any(|(_, other)| *other == name.to_lowercase()) {
            all.push((becomes(name), name.to_lowercase()));
        }
    }
    all.sort();
    let digits = width(all.len());
    for (number, (_, name)) in (1..).zip(all) {
        known.insert(name, format!("{kind}{number:0digits$}"));
    }
}

/// How many digits so many numbers have.
fn width(count: usize) -> usize {
    count.to_string().len()
}

/// `CAS2010`, `MBX2007`, `EX2013` for both.
fn kind(row: &Server) -> String {
    let role = match (row.client_access, row.mailbox) {
        (true, true) => "EX",
        (true, false) => "CAS",
        (false, _) => "MBX",
    };
    let version = match row.version {
        Version::Exchange2007 => "2007",
        Version::Exchange2010 => "2010",
        Version::Exchange2013 => "2013",
    };
    format!("{role}{version}")
}
