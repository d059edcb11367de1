//! What a lab of many servers costs: time to come up and memory that stays resident, at 10, 100 and 1,000 servers with ten
//! mailboxes each.
//!
//! ```text
//!   Site1: a fake in the seat, cas2010-s1, and cas2007-s1, published as legacy         internet-facing
//!   SiteN: cas2010-sN  cas2007-sN | mbx2010-sN  mbx2007-sN                               behind it, a hundred times over
//! ```

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use lab::{Lab, Plan};
use ledger::Ledger;
use model::Topology;
use model::problem::Source;
use model::topology::{Setting as Settings, TopologyFiles};

use super::figures::{Figures, ratio};
use super::{Setting, Unmeasured, memory};

const SIZES: [usize; 3] = [10, 100, 1000];
/// Mailboxes for each server.
const MAILBOXES: usize = 10;

pub(super) async fn measure(setting: &Setting) -> Result<String, Unmeasured> {
    let mut lines = String::new();
    let mut each: Vec<Figures> = vec![];
    // What every lab of a process shares is in memory from the first one on.
    once(setting, &large(SIZES[0])?, usize::MAX).await?;
    for servers in SIZES {
        let (mut up, mut memory, mut down) = (Figures::default(), Figures::default(), Figures::default());
        let mut one = Figures::default();
        let topology = large(servers)?;
        for round in 0..setting.rounds {
            let (took, resident, took_down) = once(setting, &topology, round).await?;
            up.add_time(took);
            down.add_time(took_down);
            one.add_time(took / u32::try_from(servers).unwrap_or(u32::MAX));
            // Memory that an earlier lab gave back is taken again unseen: only the first round's figure says something.
            if let Some(resident) = resident.filter(|_| round == 0) {
                memory.add(resident as f64 / 1024.0 / servers as f64);
            }
            if setting.stop.is_cancelled() {
                break;
            }
        }
        lines.push_str(&format!("  {servers} servers, {} mailboxes\n", topology.mailboxes.len()));
        lines.push_str(&up.line("up", "ms"));
        lines.push_str(&one.line("up, a server", "ms"));
        match memory.median() {
            Some(_) => lines.push_str(&memory.line("resident, a server", "KiB")),
            None => lines.push_str("  resident, a server           not known: this system has no /proc\n"),
        }
        lines.push_str(&down.line("down", "ms"));
        each.push(one);
    }
    if let [_, hundred, thousand] = &each[..] {
        let budget = "linear; 1,000 up in 1 s, at most 64 KiB each";
        lines.push_str(&ratio("a server of 1,000 over 100", thousand, hundred, budget));
    }
    Ok(lines)
}

/// Up, what is resident more than before, and down again.
async fn once(
    setting: &Setting,
    topology: &Topology,
    round: usize,
) -> Result<(Duration, Option<u64>, Duration), Unmeasured> {
    let plan = Plan {
        topology: topology.clone(),
        subject: None,
        front_end: None,
        leases: vec![],
        faults: vec![],
        health_rounds: false,
        answers: vec![],
        moves: vec![],
        ledger: Ledger::default(),
        folder: setting.folder.join(format!("scale-{}-{round}", topology.servers.len())),
    };
    let before = memory::resident(None);
    let started = Instant::now();
    let lab = Lab::start(&setting.ground, plan).await?;
    let up = started.elapsed();
    let grown = before.zip(memory::resident(None)).map(|(before, now)| now.saturating_sub(before));
    let stopping = Instant::now();
    lab.stop().await;
    Ok((up, grown, stopping.elapsed()))
}

/// A topology of so many servers, four to a site.
fn large(servers: usize) -> Result<Topology, Unmeasured> {
    let source = Source::new(format!("{servers}-servers.toml"), text(servers));
    let built = TopologyFiles::base(source).build(&Settings::new());
    built.map_err(|problem| Unmeasured::Wrong(format!("a topology of {servers} servers: {problem}")))
}

/// `writeln!` into a `String`, which cannot fail.
macro_rules! say {
    ($to:expr, $($rest:tt)*) => {{ let _ = writeln!($to, $($rest)*); }};
}

fn text(servers: usize) -> String {
    let (mut sites, mut all, mut databases, mut mailboxes) =
        (String::new(), String::new(), String::new(), String::new());
    let mut names = String::from(
        "\"mail.contoso.com\" = { internal = [\"cas2010-s1\"], external = [\"cas2010-s1\"] }\n\
         \"autodiscover.contoso.com\" = { internal = [\"cas2010-s1\"], external = [\"cas2010-s1\"] }\n\
         \"legacy.contoso.com\" = { internal = [\"cas2007-s1\"], external = [\"cas2007-s1\"] }\n",
    );
    for number in 0..servers {
        let site = number / 4 + 1;
        let (version, build) = if number % 4 < 2 { (2010, "14.3.123.4") } else { (2007, "8.3.83.6") };
        if number % 4 == 0 {
            say!(sites, "Site{site} = {{}}");
        }
        let head = |name: &str, role: &str| {
            format!(
                "\n[servers.{name}]\nversion = \"Exchange{version}\"\nbuild = \"{build}\"\nsite = \"Site{site}\"\n\
                 roles = [\"{role}\"]\n"
            )
        };
        if number % 2 == 0 {
            let name = format!("cas{version}-s{site}");
            all.push_str(&head(&name, "client-access"));
            client_access(&mut all, &name, version, site);
            say!(names, "\"in-{name}.contoso.com\" = {{ internal = [\"{name}\"], external = [] }}");
            continue;
        }
        let name = format!("mbx{version}-s{site}");
        all.push_str(&head(&name, "mailbox"));
        let rpc = match version {
            2010 => format!(", rpc-client-access-server = \"cas2010-s{site}.contoso.com\""),
            _ => String::new(),
        };
        say!(
            databases,
            "db{number} = {{ copies = [\"{name}\"], active = \"{name}\", oab = \"oab-{version}\"{rpc} }}"
        );
        // Its own, and those of the Client Access server that stands before it.
        for mailbox in 0..2 * MAILBOXES {
            say!(mailboxes, "user-{number}-{mailbox} = {{ database = \"db{number}\" }}");
        }
    }
    let oabs = [2010, 2007].map(|version| {
        format!(
            "oab-{version} = {{ guid = \"0d{version}a1-5c1b-4f4e-9a36-3b1c2f7e{version}\", \
             distribution-points = [\"cas{version}-s1\"] }}\n"
        )
    });
    format!(
        "source = \"drawn up to be large\"\nrole = \"front-end-2010\"\nseat = \"cas2010-s1\"\ndomain = \"contoso.com\"\n\
         split-brain = true\n\n[sites]\n{sites}{all}\n[namespaces]\n{names}\n[databases]\n{databases}\n[mailboxes]\n\
         {mailboxes}\n[oabs]\n{}",
        oabs.concat()
    )
}

/// A Client Access server's settings; only Site1 carries ExternalURLs.
fn client_access(all: &mut String, name: &str, version: u16, site: usize) {
    say!(all, "scp = \"https://autodiscover.contoso.com/Autodiscover/Autodiscover.xml\"");
    say!(all, "\n[servers.{name}.directories.autodiscover]\nauthentication = [\"windows\", \"basic\"]");
    let published = if version == 2010 { "mail" } else { "legacy" };
    let paths = [
        ("owa", "/owa/"),
        ("eas", "/Microsoft-Server-ActiveSync"),
        ("ews", "/EWS/Exchange.asmx"),
        ("oab", "/OAB/"),
    ];
    for (directory, path) in paths {
        say!(
            all,
            "\n[servers.{name}.directories.{directory}]\ninternal-url = \"https://in-{name}.contoso.com{path}\""
        );
        if site == 1 {
            say!(all, "external-url = \"https://{published}.contoso.com{path}\"");
        }
        say!(all, "authentication = [\"windows\", \"basic\"]");
        if directory == "owa" {
            say!(all, "external-authentication = [\"fba\"]\nforms = true");
        }
    }
    say!(
        all,
        "\n[servers.{name}.outlook-anywhere]\nexternal-authentication = \"basic\"\nexternal-ssl = true\n\
         iis-authentication = [\"ntlm\", \"basic\"]"
    );
    for (service, at_once, by_command) in [("imap", 993, 143), ("pop", 995, 110)] {
        say!(
            all,
            "\n[servers.{name}.{service}]\nruns = true\nlogin-type = \"secure-login\"\ninternal-connection-settings = \
             [\"{name}.contoso.com:{at_once}:SSL\", \"{name}.contoso.com:{by_command}:TLS\"]"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_topology_has_as_many_servers_as_were_asked_for_and_ten_mailboxes_for_each() {
        for servers in SIZES {
            let topology = large(servers).unwrap();
            assert_eq!(topology.servers.len(), servers);
            assert_eq!(topology.mailboxes.len(), servers * MAILBOXES, "{servers}");
        }
    }
}
