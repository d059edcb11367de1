//! What `up` prints once the lab is up: short lines, each to be copied as it stands.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lab::Lab;
use lab::ground::GroundKind;
use model::{HostName, View};

use super::doors::Door;
use super::register::Entry;

/// What is printed of, beside the lab itself.
pub(crate) struct Facts<'a> {
    pub(crate) lab: &'a Lab,
    pub(crate) entry: &'a Entry,
    pub(crate) subject: &'a str,
    pub(crate) ground: GroundKind,
    /// Each door, and where it listens.
    pub(crate) doors: &'a [(Door, SocketAddr)],
    /// The DNS servers outside: of the external view and of the internal one.
    pub(crate) dns: [SocketAddr; 2],
    /// The lab's folder.
    pub(crate) folder: &'a Path,
}

/// Files that make what is printed short: what curl is told, and a browser's start with its flags.
pub(crate) fn files(facts: &Facts<'_>) -> Vec<(PathBuf, String)> {
    let mut curl = format!("cacert = \"{}\"\n", facts.entry.ca.display());
    for (door, at) in facts.doors {
        let _ = writeln!(curl, "connect-to = \"{}:{}:{at}\"", door.name, door.port);
    }
    vec![(facts.folder.join(CURL), curl), (facts.folder.join(BROWSER), browser(facts))]
}

const CURL: &str = "curl";
const BROWSER: &str = "browser";

/// The printout.
pub(crate) fn printout(facts: &Facts<'_>) -> String {
    let topology = facts.lab.directory().topology();
    let Entry { lab, ca, steering, token, .. } = facts.entry;
    // Whoever is in the source tree has no `coexist` in PATH, and xtask has said where the suites are.
    let coexist = if std::env::var_os("COEXIST_SUITES").is_some() { "cargo xtask" } else { "coexist" };
    let file = |name| facts.folder.join(name).display().to_string();
    let mut text = String::new();
    let mut line = |word: &str, says: String| {
        let _ = writeln!(text, "{word:<12} {says}");
    };
    line("lab", format!("{lab}: {} in the seat {}, {} ground", facts.subject, topology.seat, facts.ground));
    line("page", format!("http://{steering}/#{token}    topology, what comes, steering"));
    if let Some(name) = logon(facts) {
        line("curl", format!("curl -K {} -L https://{name}/owa/", file(CURL)));
        if let Some((_, at)) = facts.doors.iter().find(|(door, _)| door.name == name && door.port == 443) {
            let ca = ca.display();
            line("", format!("curl --cacert {ca} --connect-to {name}:443:{at} -L https://{name}/owa/"));
        }
        line(
            "browser",
            format!(
                "sh {} chromium    (or google-chrome, microsoft-edge; its flags are in that file)",
                file(BROWSER)
            ),
        );
        line("dig", format!("dig -p {} @{} {name}", facts.dns[0].port(), facts.dns[0].ip()));
    }
    line(
        "any program",
        format!(
            "{coexist} exec -- thunderbird    (finds the lab's names and trusts its CA; --view internal)"
        ),
    );
    line("steer", format!("{coexist} steer move red db2013-s1    (steer --help says the rest)"));
    text.push('\n');
    users(facts, &mut text);
    names(facts, &mut text);
    let doors = facts.lab.doors();
    let _ = writeln!(text, "\n{:<12} {}", "CA", ca.display());
    let _ =
        writeln!(text, "{:<12} {:<24} inside the lab {}", "DNS outside", facts.dns[0], doors.dns_external);
    let _ = writeln!(text, "{:<12} {:<24} inside the lab {}", "DNS inside", facts.dns[1], doors.dns_internal);
    let _ = writeln!(text, "{:<12} {:<24} inside the lab", "LDAP", doors.ldap);
    text.push_str("\nCtrl-C ends the lab, and nothing of it stays. What comes, as it comes:\n\n");
    text
}

/// The name at which a newcomer looks first: the one that leads to the seat and is no Autodiscover.
fn logon(facts: &Facts<'_>) -> Option<HostName> {
    let topology = facts.lab.directory().topology();
    let leads = topology.namespaces.iter().filter(|(_, leads)| leads.external.contains(&topology.seat));
    let mut names = leads.map(|(name, _)| name).filter(|name| !name.as_str().starts_with("autodiscover."));
    names.next().cloned()
}

/// Starts a browser of Chromium's kin: it resolves by rules, and takes certificates with the lab's one key.
fn browser(facts: &Facts<'_>) -> String {
    let doors = facts.doors.iter().filter(|(door, _)| matches!(door.port, 443 | 80));
    let rules: Vec<String> =
        doors.map(|(door, at)| format!("MAP {}:{} {at}", door.name, door.port)).collect();
    let opens = logon(facts).map(|name| format!("https://{name}/owa/")).unwrap_or_default();
    format!(
        "#!/bin/sh\n# A browser at this lab, with a profile of its own: sh browser PROGRAM [MORE FLAGS]. Or import the CA,\n# \
         {}, and leave out the first flag.\n\
         program=${{1:-chromium}}\n[ $# -eq 0 ] || shift\nprofile=$(mktemp -d) || exit 1\n\
         trap 'rm -rf \"$profile\"' EXIT\ntrap 'exit 130' INT TERM\n\
         \"$program\" \\\n  --ignore-certificate-errors-spki-list='{}' \\\n  --host-resolver-rules='{}' \\\n  \
         --user-data-dir=\"$profile\" --no-first-run \"$@\" '{opens}'\n",
        facts.entry.ca.display(),
        STANDARD.encode(facts.lab.authority().pin()),
        rules.join(","),
    )
}

fn users(facts: &Facts<'_>, text: &mut String) {
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

/// Each published name: whom it leads to, and the ports of its doors on this machine's loopback.
fn names(facts: &Facts<'_>, text: &mut String) {
    const PORTS: [(u16, &str); 6] =
        [(443, "https"), (80, "http"), (993, "imaps"), (143, "imap"), (995, "pops"), (110, "pop")];
    let at = facts.lab.positions();
    let words: String = PORTS.iter().map(|(_, word)| format!(" {word:<6}")).collect();
    let _ = writeln!(text, "\n{:<26} {:<26}{words} at 127.0.0.1", "name outside", "leads to");
    let names: BTreeSet<&HostName> = facts.doors.iter().map(|(door, _)| &door.name).collect();
    for name in names {
        let ip = facts.lab.names().addresses(View::External, name).first().copied();
        let server = ip.and_then(|ip| Some(format!("{} {ip}", at.get(&ip)?))).unwrap_or_default();
        let port = |port| {
            let door = facts.doors.iter().find(|(door, _)| door.name == *name && door.port == port);
            door.map_or("-".to_owned(), |(_, at)| at.port().to_string())
        };
        let ports: String = PORTS.iter().map(|(number, _)| format!(" {:<6}", port(*number))).collect();
        let _ = writeln!(text, "{name:<26} {server:<26}{}", ports.trim_end());
    }
}
