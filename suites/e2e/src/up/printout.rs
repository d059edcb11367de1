//! What `up` prints once the lab is up: short lines, each to be copied as it stands.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lab::Lab;
use lab::ground::GroundKind;
use model::{DatabaseName, HostName, Topology, View};

use super::doors::{Door, Ways};
use super::register::Entry;

/// What is printed of, beside the lab itself.
pub(crate) struct Facts {
    pub(crate) lab: Arc<Lab>,
    pub(crate) entry: Entry,
    pub(crate) subject: String,
    pub(crate) ground: GroundKind,
    pub(crate) ways: Ways,
    /// The DNS servers outside: of the external view and of the internal one.
    pub(crate) dns: [SocketAddr; 2],
    /// The lab's folder.
    pub(crate) folder: PathBuf,
    /// Where people see it.
    pub(crate) seen: PathBuf,
}

const CURL: &str = "curl";
const BROWSER: &str = "browser";
/// A host that there is nowhere (RFC 6761).
const NOWHERE: &str = "nowhere.invalid";

impl Facts {
    /// Writes the files that make what is printed short: what curl is told, and a browser's start with its flags.
    ///
    /// # Errors
    /// What the operating system says of them.
    pub(crate) fn write_files(&self) -> io::Result<()> {
        let doors = self.ways.now(self.lab.names());
        for (name, content) in [(CURL, curl(&self.entry.ca, &doors)), (BROWSER, browser(self, &doors))] {
            // Whoever reads one meanwhile reads it whole.
            let beside = self.folder.join(format!("{name}.part"));
            fs::write(&beside, content)?;
            fs::rename(&beside, self.folder.join(name))?;
        }
        Ok(())
    }

    /// Writes them again where they say to which servers names lead: after a change of DNS.
    ///
    /// # Errors
    /// As for writing them.
    pub(crate) fn follow_names(&self) -> io::Result<()> {
        match self.ways {
            Ways::Opened(_) => Ok(()),
            Ways::Straight(_) => self.write_files(),
        }
    }

    /// The printout.
    pub(crate) fn printout(&self) -> String {
        printout(self)
    }
}

type Doors = [(Door, Option<SocketAddr>)];

/// What curl is told: whom it trusts, and where names lead.
fn curl(ca: &Path, doors: &Doors) -> String {
    // A company's proxy knows no name of the lab.
    let mut curl = format!("cacert = \"{}\"\nnoproxy = \"*\"\n", ca.display());
    for (Door { name, port }, at) in doors {
        let at = at.map_or_else(|| format!("{NOWHERE}:{port}"), |at| at.to_string());
        let _ = writeln!(curl, "connect-to = \"{name}:{port}:{at}\"");
    }
    curl
}

fn printout(facts: &Facts) -> String {
    let topology = facts.lab.directory().topology();
    let doors = facts.ways.now(facts.lab.names());
    let Entry { lab, ca, steering, token, .. } = &facts.entry;
    let coexist = crate::called::coexist();
    let file = |name| facts.seen.join(name).display().to_string();
    let mut text = String::new();
    let mut line = |word: &str, says: String| {
        let _ = writeln!(text, "{word:<12} {says}");
    };
    let stands = stands(facts.ground);
    line("lab", format!("{lab}: {} in the seat {}, {stands}", facts.subject, topology.seat));
    line("page", format!("http://{steering}/#{token}    topology, what comes, steering"));
    if let Some(name) = logon(facts) {
        line("curl", format!("curl -K {} -L https://{name}/owa/", file(CURL)));
        let door = doors.iter().find(|(door, _)| door.name == name && door.port == 443);
        if let Some(at) = door.and_then(|(_, at)| *at) {
            let ca = ca.display();
            line(
                "",
                format!(
                    "curl --noproxy '*' --cacert {ca} --connect-to {name}:443:{at} -L https://{name}/owa/"
                ),
            );
        }
        line(
            "browser",
            format!(
                "sh {} chromium    (or google-chrome, microsoft-edge; its flags are in that file)",
                file(BROWSER)
            ),
        );
        line("dig", dig(facts.dns[0], &name));
    }
    if let Some(name) = logon(facts) {
        let what = "(finds the lab's names and trusts its CA; --view internal)";
        line("any program", format!("{coexist} exec -- wget https://{name}/owa/    {what}"));
    }
    line("steer", format!("{coexist} steer {}    (steer --help says the rest)", steered(&topology)));
    text.push('\n');
    users(facts, &mut text);
    names(facts, &doors, &mut text);
    let inside = facts.lab.doors();
    let _ = writeln!(text, "\n{:<12} {}", "CA", ca.display());
    for (word, at, inside) in [
        ("DNS outside", facts.dns[0], inside.dns_external),
        ("DNS inside", facts.dns[1], inside.dns_internal),
    ] {
        text.push_str(&server(word, at, inside));
    }
    let ldap = if facts.ground == GroundKind::Planes { "" } else { "inside the lab" };
    let _ = writeln!(text, "{}", format!("{:<12} {:<24} {ldap}", "LDAP", inside.ldap).trim_end());
    text.push_str("\nCtrl-C ends the lab, and nothing of it stays. What comes, as it comes:\n\n");
    text
}

fn stands(ground: GroundKind) -> String {
    match ground {
        GroundKind::Planes => "each server a container".to_owned(),
        ground => format!("{ground} ground"),
    }
}

fn dig(server: SocketAddr, name: &HostName) -> String {
    match server.port() {
        53 => format!("dig @{} {name}", server.ip()),
        port => format!("dig -p {port} @{} {name}", server.ip()),
    }
}

/// A DNS server: where it is for people, and where it is inside, if that is elsewhere.
fn server(word: &str, at: SocketAddr, inside: SocketAddr) -> String {
    match at == inside {
        true => format!("{word:<12} {at}\n"),
        false => format!("{word:<12} {:<24} inside the lab {inside}\n", at.to_string()),
    }
}

/// The name at which a newcomer looks first: the one that leads to the seat and is no Autodiscover.
fn logon(facts: &Facts) -> Option<HostName> {
    let topology = facts.lab.directory().topology();
    let leads = topology.namespaces.iter().filter(|(_, leads)| leads.external.contains(&topology.seat));
    let mut names = leads.map(|(name, _)| name).filter(|name| !name.as_str().starts_with("autodiscover."));
    names.next().cloned()
}

/// A change that this lab takes: a mailbox that moves to a database of the newest version, or a name that leads nowhere.
fn steered(topology: &Topology) -> String {
    let version = |database: &DatabaseName| {
        let active = &topology.databases.get(database)?.active;
        topology.server(active).map(|server| server.version)
    };
    let newest = topology.databases.keys().max_by_key(|database| version(database));
    let moves = newest.and_then(|to| {
        let mut mailboxes = topology.mailboxes.iter().filter(|(_, mailbox)| mailbox.database != *to);
        mailboxes.next().map(|(name, _)| format!("move {name} {to}"))
    });
    let name = topology.namespaces.keys().next();
    moves.or(name.map(|name| format!("dns {name}"))).unwrap_or_else(|| "--help".to_owned())
}

/// Starts a browser of Chromium's kin: it resolves by rules, and takes certificates with the lab's one key.
fn browser(facts: &Facts, doors: &Doors) -> String {
    let opens = logon(facts).map(|name| format!("https://{name}/owa/")).unwrap_or_default();
    format!(
        "#!/bin/sh\n# A browser at this lab, with a profile of its own: sh browser PROGRAM [MORE FLAGS]. Or import the CA,\n# \
         {}, and leave out the first flag.\n\
         program=${{1:-chromium}}\n[ $# -eq 0 ] || shift\nprofile=$(mktemp -d) || exit 1\n\
         trap 'rm -rf \"$profile\"' EXIT\ntrap 'exit 130' INT TERM\n\
         \"$program\" \\\n  --ignore-certificate-errors-spki-list='{}' \\\n  --host-resolver-rules='{}' \\\n  \
         --user-data-dir=\"$profile\" --no-first-run --no-proxy-server \"$@\" '{opens}'\n",
        facts.entry.ca.display(),
        STANDARD.encode(facts.lab.authority().pin()),
        resolver_rules(doors),
    )
}

/// Where a browser finds each name; `~NOTFOUND` is its own word for nowhere.
fn resolver_rules(doors: &Doors) -> String {
    let doors = doors.iter().filter(|(door, _)| matches!(door.port, 443 | 80));
    let rules = doors.map(|(Door { name, port }, at)| {
        let at = at.map_or_else(|| "~NOTFOUND".to_owned(), |at| at.to_string());
        format!("MAP {name}:{port} {at}")
    });
    rules.collect::<Vec<_>>().join(",")
}

fn users(facts: &Facts, text: &mut String) {
    let topology = facts.lab.directory().topology();
    let _ = writeln!(text, "{:<18} {:<14} {:<24} mailbox", "user", "password", "address");
    for account in facts.lab.directory().accounts() {
        let home = topology.home(&account.colour);
        let version = home.and_then(|home| topology.server(home)).map(|server| server.version);
        let of = match (home, version) {
            (Some(home), Some(version)) => format!("Exchange {version}, {home}"),
            _ => "none".to_owned(),
        };
        let _ =
            writeln!(text, "{:<18} {:<14} {:<24} {of}", account.account, account.password, account.address);
    }
}

/// Each published name: whom it leads to, and the ports of its doors: on this machine's loopback, or at the server itself.
fn names(facts: &Facts, doors: &Doors, text: &mut String) {
    const PORTS: [(u16, &str); 6] =
        [(443, "https"), (80, "http"), (993, "imaps"), (143, "imap"), (995, "pops"), (110, "pop")];
    let positions = facts.lab.positions();
    let words: String = PORTS.iter().map(|(_, word)| format!(" {word:<6}")).collect();
    let at = match facts.ways {
        Ways::Opened(_) => " at 127.0.0.1",
        Ways::Straight(_) => "",
    };
    let head = format!("{:<26} {:<26}{words}{at}", "name outside", "leads to");
    let _ = writeln!(text, "\n{}", head.trim_end());
    let names: BTreeSet<&HostName> = doors.iter().map(|(door, _)| &door.name).collect();
    for name in names {
        let ip = facts.lab.names().addresses(View::External, name).first().copied();
        let server = ip.and_then(|ip| Some(format!("{} {ip}", positions.get(&ip)?))).unwrap_or_default();
        let port = |port| {
            let door = doors.iter().find(|(door, _)| door.name == *name && door.port == port);
            door.and_then(|(_, at)| *at).map_or("-".to_owned(), |at| at.port().to_string())
        };
        let ports: String = PORTS.iter().map(|(number, _)| format!(" {:<6}", port(*number))).collect();
        let _ = writeln!(text, "{name:<26} {server:<26}{}", ports.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of containers: the servers' own addresses, and a name that leads nowhere.
    fn doors() -> Vec<(Door, Option<SocketAddr>)> {
        let door = |name: &str, port| Door { name: name.parse().unwrap(), port };
        vec![
            (door("mail.contoso.com", 443), Some("198.18.12.10:443".parse().unwrap())),
            (door("mail.contoso.com", 993), Some("198.18.12.10:993".parse().unwrap())),
            (door("legacy.contoso.com", 443), None),
        ]
    }

    #[test]
    fn curl_is_told_where_every_name_leads_and_asks_no_strangers_dns_for_one_that_leads_nowhere() {
        assert_eq!(
            curl(Path::new("/tmp/run/ca.pem"), &doors()),
            "cacert = \"/tmp/run/ca.pem\"\nnoproxy = \"*\"\n\
             connect-to = \"mail.contoso.com:443:198.18.12.10:443\"\n\
             connect-to = \"mail.contoso.com:993:198.18.12.10:993\"\n\
             connect-to = \"legacy.contoso.com:443:nowhere.invalid:443\"\n"
        );
    }

    #[test]
    fn a_browser_is_told_of_the_web_alone() {
        assert_eq!(
            resolver_rules(&doors()),
            "MAP mail.contoso.com:443 198.18.12.10:443,MAP legacy.contoso.com:443 ~NOTFOUND"
        );
    }

    #[test]
    fn a_server_on_its_canonical_port_is_asked_without_saying_it() {
        let name: HostName = "mail.contoso.com".parse().unwrap();
        let own: SocketAddr = "198.18.12.2:53".parse().unwrap();
        assert_eq!(dig(own, &name), "dig @198.18.12.2 mail.contoso.com");
        assert_eq!(
            dig("127.0.0.1:40229".parse().unwrap(), &name),
            "dig -p 40229 @127.0.0.1 mail.contoso.com"
        );
        assert_eq!(server("DNS outside", own, own), "DNS outside  198.18.12.2:53\n");
        assert_eq!(
            server("DNS outside", "127.0.0.1:40229".parse().unwrap(), own),
            "DNS outside  127.0.0.1:40229          inside the lab 198.18.12.2:53\n"
        );
    }

    #[test]
    fn doors_at_servers_follow_the_names_and_those_of_the_loopback_stay() {
        let door = Door { name: "mail.contoso.com".parse().unwrap(), port: 443 };
        let loopback: SocketAddr = "127.0.0.1:4711".parse().unwrap();
        let names = names_of_coexistence();
        let (straight, opened) =
            (Ways::Straight(vec![door.clone()]), Ways::Opened(vec![(door.clone(), loopback)]));
        let at = |ways: &Ways| ways.now(&names)[0].1.map(|at| at.to_string());
        assert_eq!(at(&straight).as_deref(), Some("198.18.12.10:443"));
        names.set(View::External, door.name.clone(), vec!["198.18.12.11".parse().unwrap()]);
        assert_eq!(at(&straight).as_deref(), Some("198.18.12.11:443"));
        names.set(View::External, door.name.clone(), vec![]);
        assert_eq!(at(&straight), None);
        assert_eq!(at(&opened).as_deref(), Some("127.0.0.1:4711"));
    }

    fn names_of_coexistence() -> lab::dns::Names {
        let suites = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let suite = crate::suite::Suite::read(&suites).unwrap();
        let topology = suite.topology("coexistence", &Default::default()).unwrap();
        lab::dns::Names::of(&topology, |_, _| "198.18.12.10".parse().unwrap())
    }
}
