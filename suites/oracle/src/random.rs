//! Small topologies at random, the same for the same seed: for oracle against reference, where there are no literals.
//!
//! Always well-formed: a name that a URL carries resolves in both views, CAS2007 is internet-facing in the subject's
//! site if any mailbox is on 2007 (TOP-2), Client Access of the subject's site is internet-facing for everything. Names
//! follow the article's topologies: red and purple are in Site1, orange and indigo in Site2, blue and violet in Site3.

use std::fmt::Write;

use model::Topology;
use model::problem::Source;
use model::topology::{Setting, TopologyFiles};

/// The topology of a seed.
pub fn topology(seed: u64) -> Topology {
    let source = Source::new(format!("random-{seed}.toml"), text(seed));
    let built = TopologyFiles::base(source).build(&Setting::new());
    // A test reads a thousand seeds.
    built
        .unwrap_or_else(|problem| panic!("the generator wrote a wrong topology for seed {seed}: {problem:?}"))
}

/// The same as a topology file, for people and for shrinking.
pub fn text(seed: u64) -> String {
    let mut dice = Dice::new(seed);
    let plan = Plan::draw(&mut dice);
    let mut file = File { plan: &plan, servers: String::new(), namespaces: String::new() };
    file.seat();
    for farm in &plan.farms {
        file.farm(farm);
    }
    file.whole(seed)
}

/// xorshift64*, seeded through an odd multiplier so that small seeds differ at once.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Dice {
        let mut dice = Dice(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        dice.roll();
        dice.roll();
        dice
    }

    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33
    }

    /// True in so many of so many cases.
    fn chance(&mut self, of: u64, all: u64) -> bool {
        self.roll() % all < of
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[(self.roll() % from.len() as u64) as usize]
    }
}

/// What is drawn.
struct Plan {
    with_2013: bool,
    build_2013: &'static str,
    /// Another site with a 2013 Mailbox server, which must not be asked.
    mailbox_2013_elsewhere: Option<u8>,
    exhttp_one_name: bool,
    second_active: bool,
    legacy_distributes_2010: bool,
    seat_forms: bool,
    /// Whether the logon page is to ask for a public or private computer, where that is set.
    seat_asks: &'static str,
    sites: u8,
    farms: Vec<Farm>,
    /// Whether mail programs may sign in to the seat in clear.
    clear: bool,
}

/// The Client Access and Mailbox servers of one legacy version in one site.
struct Farm {
    version: u16,
    site: u8,
    pair: bool,
    pair_distributes: bool,
    faces: Faces,
    forms: bool,
    fba: bool,
    cross_site: Option<&'static str>,
    legacy: Option<&'static str>,
    devices: Option<&'static str>,
    /// For each Client Access server what kinds of connection it is set to; where none, the service is stopped.
    mail: [&'static [&'static str]; 2],
    mail_runs: bool,
    /// Whether their RPC proxies take NTLM, which a 2013 front end needs (TOP-3).
    ntlm: bool,
}

/// The protocols for which it carries an ExternalURL; ECP as OWA.
#[derive(Clone, Copy)]
struct Faces {
    owa: bool,
    eas: bool,
    ews: bool,
    oab: bool,
    outlook_anywhere: bool,
}

impl Faces {
    const ALL: Faces = Faces { owa: true, eas: true, ews: true, oab: true, outlook_anywhere: true };
    const NONE: Faces = Faces { owa: false, eas: false, ews: false, oab: false, outlook_anywhere: false };

    fn draw(dice: &mut Dice) -> Faces {
        match dice.roll() % 5 {
            0 | 1 => Faces::ALL,
            2 | 3 => Faces::NONE,
            _ => Faces {
                owa: dice.chance(1, 2),
                eas: dice.chance(1, 2),
                ews: dice.chance(1, 2),
                oab: dice.chance(1, 2),
                outlook_anywhere: dice.chance(1, 2),
            },
        }
    }

    fn any(self) -> bool {
        self.owa || self.eas || self.ews || self.oab || self.outlook_anywhere
    }
}

impl Plan {
    fn draw(dice: &mut Dice) -> Plan {
        let with_2013 = dice.chance(1, 2);
        let sites = 1 + (dice.roll() % 3) as u8;
        let mut has: Vec<(u16, u8)> = Vec::new();
        for site in 1..=sites {
            for version in [2010, 2007] {
                if dice.chance(2, 3) {
                    has.push((version, site));
                }
            }
        }
        // The seat before 2013 is a CAS2010; what is elsewhere needs its own version in the subject's site.
        for version in [2010, 2007] {
            let wanted = (version == 2010 && !with_2013) || has.iter().any(|(v, _)| *v == version);
            if wanted && !has.contains(&(version, 1)) {
                has.push((version, 1));
            }
        }
        let mut farms: Vec<Farm> =
            has.into_iter().map(|(version, site)| Farm::draw(dice, version, site)).collect();
        let mut plan = Plan {
            with_2013,
            build_2013: dice.pick(&["15.0.847.32", "15.0.847.32", "15.0.995.29"]),
            mailbox_2013_elsewhere: (with_2013 && sites > 1 && dice.chance(1, 3)).then_some(2),
            exhttp_one_name: dice.chance(1, 3),
            second_active: dice.chance(1, 2),
            legacy_distributes_2010: dice.chance(1, 4),
            seat_forms: dice.chance(7, 8),
            seat_asks: dice.pick(&["", "true", "false"]),
            sites,
            farms: vec![],
            clear: false,
        };
        // Drawn last, so that a seed draws the same of everything else.
        plan.clear = dice.chance(1, 2);
        for farm in &mut farms {
            farm.mail = [MAIL, MAIL].map(|all| all[(dice.roll() % all.len() as u64) as usize]);
            farm.mail_runs = dice.chance(5, 6);
        }
        for farm in &mut farms {
            farm.ntlm = dice.chance(7, 8);
        }
        Plan { farms, ..plan }
    }

    fn seat(&self) -> &'static str {
        if self.with_2013 { "cas2013-s1" } else { "cas2010-s1" }
    }
}

impl Farm {
    fn draw(dice: &mut Dice, version: u16, site: u8) -> Farm {
        let is_2010 = version == 2010;
        Farm {
            version,
            site,
            pair: dice.chance(1, 4),
            pair_distributes: dice.chance(1, 2),
            faces: if site == 1 { Faces::ALL } else { Faces::draw(dice) },
            forms: dice.chance(5, 6),
            fba: dice.chance(5, 6),
            cross_site: Some(dice.pick(&["silent", "manual", ""])).filter(|word| is_2010 && !word.is_empty()),
            legacy: Some(dice.pick(&["silent", "manual", ""])).filter(|word| is_2010 && !word.is_empty()),
            devices: Some(dice.pick(&["article-list", "12.1-and-later", "later-than-12.1", ""]))
                .filter(|word| is_2010 && !word.is_empty()),
            mail: [USUAL; 2],
            mail_runs: true,
            ntlm: true,
        }
    }

    /// Its Client Access servers, the one that its namespace leads to first.
    fn client_access(&self) -> Vec<String> {
        let first = format!("cas{}-s{}", self.version, self.site);
        let second = self.pair.then(|| format!("{first}b"));
        std::iter::once(first.clone()).chain(second).collect()
    }

    fn namespace(&self) -> &'static str {
        match (self.version, self.site) {
            (2010, 1) => "mail",
            (2010, 2) => "mail-region",
            (2010, _) => "mail-site3",
            (_, 1) => "legacy",
            (_, 2) => "legacy-region",
            _ => "legacy-site3",
        }
    }

    fn mailbox(&self) -> &'static str {
        match (self.version, self.site) {
            (2010, 1) => "red",
            (2010, 2) => "orange",
            (2010, _) => "blue",
            (_, 1) => "purple",
            (_, 2) => "indigo",
            _ => "violet",
        }
    }
}

struct File<'p> {
    plan: &'p Plan,
    servers: String,
    namespaces: String,
}

/// `writeln!` into a `String`, which cannot fail.
macro_rules! say {
    ($to:expr, $($rest:tt)*) => {{ let _ = writeln!($to, $($rest)*); }};
}

impl File<'_> {
    fn seat(&mut self) {
        let seat = self.plan.seat();
        self.lead("mail", &[seat], true);
        self.lead("autodiscover", &[seat], true);
        if !self.plan.with_2013 {
            return;
        }
        let build = self.plan.build_2013;
        self.server(seat, 2013, build, 1, "client-access");
        self.directory(seat, "autodiscover", "", "", None);
        let web = |external| {
            format!("external-authentication = [\"{external}\"]\nforms = {}", self.plan.seat_forms)
        };
        let fba = web(if self.plan.seat_forms { "fba" } else { "basic" });
        for (directory, path) in [("owa", "/owa/"), ("ecp", "/ecp/")] {
            let asks = match directory == "owa" && !self.plan.seat_asks.is_empty() {
                true => format!("\npublic-private-selection = {}", self.plan.seat_asks),
                false => String::new(),
            };
            self.directory(seat, directory, path, &format!("{fba}{asks}"), Some(("mail", "mail")));
        }
        for (directory, path) in PLAIN.into_iter().chain([("mapi", "/mapi")]) {
            self.directory(seat, directory, path, "", Some(("mail", "mail")));
        }
        let internal = if self.plan.exhttp_one_name { "mail" } else { "outlook" };
        if internal == "outlook" {
            self.lead("outlook", &[seat], false);
        }
        let own = format!(
            "external-host = \"mail.contoso.com\"\nexternal-authentication = \"ntlm\"\nexternal-ssl = true\n\
             internal-host = \"{internal}.contoso.com\"\ninternal-authentication = \"ntlm\"\ninternal-ssl = false\n\
             iis-authentication = [\"negotiate\", \"ntlm\", \"basic\"]"
        );
        say!(self.servers, "\n[servers.{seat}.outlook-anywhere]\n{own}");
        self.mail(seat, seat, USUAL, true, self.plan.clear);
        for name in ["mbx2013-s1", "mbx2013-s1b"] {
            self.server(name, 2013, build, 1, "mailbox");
            say!(self.servers, "\n[servers.{name}.imap]\nruns = true\n\n[servers.{name}.pop]\nruns = true");
        }
        if let Some(site) = self.plan.mailbox_2013_elsewhere {
            self.server(&format!("mbx2013-s{site}"), 2013, build, site, "mailbox");
        }
    }

    fn farm(&mut self, farm: &Farm) {
        let build = if farm.version == 2010 { "14.3.123.4" } else { "8.3.83.6" };
        let names = farm.client_access();
        let published = farm.namespace();
        if farm.faces.any() && published != "mail" {
            self.lead(published, &[&names[0]], true);
        }
        for name in &names {
            let inside = name.replace("cas", "internal");
            self.lead(&inside, &[name], false);
            self.server(name, farm.version, build, farm.site, "client-access");
            self.directory(name, "autodiscover", "", "", None);
            let outside = |faces: bool| Some((&*inside, if faces { published } else { "" }));
            let set = |key: &str, value: Option<&str>| {
                value.map(|v| format!("\n{key} = \"{v}\"")).unwrap_or_default()
            };
            let fba = if farm.fba { "fba" } else { "basic" };
            let web = format!("external-authentication = [\"{fba}\"]\nforms = {}", farm.forms);
            let owa = format!(
                "{web}{}{}",
                set("cross-site-redirect", farm.cross_site),
                set("legacy-redirect", farm.legacy)
            );
            self.directory(name, "owa", "/owa/", &owa, outside(farm.faces.owa));
            if farm.version == 2010 {
                self.directory(name, "ecp", "/ecp/", &web, outside(farm.faces.owa));
            }
            let devices = set("devices-451", farm.devices);
            let faces = [farm.faces.eas, farm.faces.ews, farm.faces.oab];
            for ((directory, path), faces) in PLAIN.into_iter().zip(faces) {
                let more = if directory == "eas" { devices.trim_start() } else { "" };
                self.directory(name, directory, path, more, outside(faces));
            }
            let host = match farm.faces.outlook_anywhere {
                true if farm.version == 2010 => format!("external-host = \"{published}.contoso.com\"\n"),
                _ => String::new(),
            };
            let kinds = farm.mail[usize::from(*name != names[0])];
            // Nobody says what a CAS2007 offers in clear: here it takes a password.
            let clear = farm.version == 2007 || kinds.contains(&"");
            self.mail(name, &inside, kinds, farm.mail_runs, clear);
            let iis = if farm.ntlm { "\"ntlm\", \"basic\"" } else { "\"basic\"" };
            say!(
                self.servers,
                "\n[servers.{name}.outlook-anywhere]\n{host}external-authentication = \"basic\"\n\
                 external-ssl = true\niis-authentication = [{iis}]"
            );
        }
        self.server(
            &format!("mbx{}-s{}", farm.version, farm.site),
            farm.version,
            build,
            farm.site,
            "mailbox",
        );
    }

    fn server(&mut self, name: &str, version: u16, build: &str, site: u8, role: &str) {
        say!(
            self.servers,
            "\n[servers.{name}]\nversion = \"Exchange{version}\"\nbuild = \"{build}\"\nsite = \"Site{site}\"\n\
             roles = [\"{role}\"]"
        );
        if role == "client-access" {
            say!(self.servers, "scp = \"https://autodiscover.contoso.com/Autodiscover/Autodiscover.xml\"");
        }
    }

    /// Both mail services, set to these kinds of connection under this name.
    fn mail(&mut self, server: &str, name: &str, kinds: &[&str], runs: bool, clear: bool) {
        let login = if clear { "plain-text-login" } else { "secure-login" };
        for (service, at_once, by_command) in [("imap", 993, 143), ("pop", 995, 110)] {
            let port = |kind: &str| if kind == "SSL" { at_once } else { by_command };
            let settings = kinds.iter().map(|kind| format!("{name}.contoso.com:{}:{kind}", port(kind)));
            let settings: Vec<String> = settings.collect();
            say!(
                self.servers,
                "\n[servers.{server}.{service}]\nruns = {runs}\nlogin-type = \"{login}\"\n\
                 internal-connection-settings = [{}]",
                quoted(settings.iter().map(String::as_str))
            );
        }
    }

    /// A virtual directory with the hosts of its InternalURL and, unless empty, its ExternalURL.
    fn directory(&mut self, server: &str, name: &str, path: &str, more: &str, hosts: Option<(&str, &str)>) {
        say!(
            self.servers,
            "\n[servers.{server}.directories.{name}]\nauthentication = [\"windows\", \"basic\"]"
        );
        let Some((inside, outside)) = hosts else { return };
        say!(self.servers, "internal-url = \"https://{inside}.contoso.com{path}\"");
        if !outside.is_empty() {
            say!(self.servers, "external-url = \"https://{outside}.contoso.com{path}\"");
        }
        if !more.is_empty() {
            say!(self.servers, "{more}");
        }
    }

    fn lead(&mut self, name: &str, to: &[&str], outside: bool) {
        let to = quoted(to.iter().copied());
        let external = if outside { to.as_str() } else { "" };
        say!(self.namespaces, "\"{name}.contoso.com\" = {{ internal = [{to}], external = [{external}] }}");
    }

    fn whole(self, seed: u64) -> String {
        let plan = self.plan;
        let role = if plan.with_2013 { "front-end-2013" } else { "front-end-2010" };
        let mut file = format!(
            "source = \"drawn from seed {seed}\"\nrole = \"{role}\"\nseat = \"{}\"\ndomain = \"contoso.com\"\n\
             split-brain = true\n\n[sites]\n",
            plan.seat()
        );
        for site in 1..=plan.sites {
            say!(file, "Site{site} = {{}}");
        }
        file.push_str(&self.servers);
        let (mut databases, mut mailboxes) = (String::new(), String::new());
        let mut points = [(2010, Vec::new()), (2007, Vec::new())];
        if plan.with_2013 {
            let active = if plan.second_active { "mbx2013-s1b" } else { "mbx2013-s1" };
            say!(
                databases,
                "db2013-s1 = {{ copies = [\"mbx2013-s1\", \"mbx2013-s1b\"], active = \"{active}\", oab = \"oab-2013\" }}"
            );
            say!(mailboxes, "green = {{ database = \"db2013-s1\" }}");
        }
        for farm in &plan.farms {
            let (version, site, mailbox) = (farm.version, farm.site, farm.mailbox());
            let at = format!("{version}-s{site}");
            let mut names = farm.client_access();
            // No site has an array: a 2010 database names a server (PRE-RPC-4).
            let rpc = match version {
                2010 => format!(", rpc-client-access-server = \"{}.contoso.com\"", names[0]),
                _ => String::new(),
            };
            say!(
                databases,
                "db{at} = {{ copies = [\"mbx{at}\"], active = \"mbx{at}\", oab = \"oab-{version}\"{rpc} }}"
            );
            say!(mailboxes, "{mailbox} = {{ database = \"db{at}\" }}");
            names.truncate(if farm.pair_distributes { 2 } else { 1 });
            for (of, list) in &mut points {
                if *of == version || (*of == 2010 && site == 1 && plan.legacy_distributes_2010) {
                    list.extend(names.clone());
                }
            }
        }
        file.push_str(&format!("\n[namespaces]\n{}", self.namespaces));
        file.push_str(&format!("\n[databases]\n{databases}\n[mailboxes]\n{mailboxes}\n[oabs]\n"));
        for (version, names) in points.iter().filter(|(_, names)| !names.is_empty()) {
            let names = quoted(names.iter().map(String::as_str));
            say!(
                file,
                "oab-{version} = {{ guid = \"0d{version}a1-5c1b-4f4e-9a36-3b1c2f7e{version}\", \
                 distribution-points = [{names}] }}"
            );
        }
        if plan.with_2013 {
            say!(
                file,
                "oab-2013 = {{ guid = \"0d2013a1-5c1b-4f4e-9a36-3b1c2f7e2013\", distribution-points = [], \
                 organization-mailbox = \"db2013-s1\" }}"
            );
        }
        file
    }
}

/// What InternalConnectionSettings are unless somebody sets them, and what else somebody may set.
const USUAL: &[&str] = &["SSL", "TLS"];
const MAIL: [&[&str]; 6] = [USUAL, USUAL, &["TLS"], &[""], &["", "TLS"], &["TLS", "", "SSL"]];

/// The virtual directories without forms, and their paths.
const PLAIN: [(&str, &str); 3] =
    [("eas", "/Microsoft-Server-ActiveSync"), ("ews", "/EWS/Exchange.asmx"), ("oab", "/OAB/")];

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_seeds_are_topologies_and_a_seed_is_always_the_same() {
        for seed in 0..1000 {
            topology(seed);
        }
        assert_eq!(text(7), text(7));
        assert_ne!(text(7), text(8));
    }
}
