//! The catalogue is whole, and each lie is told somewhere: over every mailbox, protocol, verb and kind
//! of device in the topologies of the suite.

use std::path::Path;
use std::sync::Mutex;

use model::problem::Source;
use model::topology::{RedirectType, TopologyFiles};
use model::{DatabaseName, Protocol, Topology};
use reference::decide::{Account, Device, Question, Rules, SignIn, Target};
use reference::ports::{
    Asked, Bound, Choose, Client, Decide, DirectoryDown, Discover, Facts, Lane, Passage, Sought, Waiting,
};

use super::*;

#[test]
fn every_lie_is_a_row_of_the_catalogue_at_the_port_that_it_wraps() {
    let catalogue = catalogue();
    let built: Vec<_> = catalogue.iter().filter(|defect| defect.built).collect();
    for defect in &built {
        let is_one_of = |mut ids: Box<dyn Iterator<Item = &'static str>>| ids.any(|id| id == defect.id);
        let port = match () {
            () if is_one_of(Box::new(decisions::ids())) => Port::Decide,
            () if is_one_of(Box::new(discoveries::ids())) => Port::Discover,
            () if is_one_of(Box::new(fronts::ids())) => Port::Front,
            () if is_one_of(Box::new(backs::ids())) => Port::Back,
            () if is_one_of(Box::new(lanes::ids())) => Port::Lane,
            () if is_one_of(Box::new(choices::ids())) => Port::Choose,
            () if is_one_of(Box::new(pulses::ids())) => Port::Pulse,
            () if is_one_of(Box::new(orders::ids())) => Port::Order,
            () => Port::Bytes,
        };
        assert_eq!(defect.port, port, "{}", defect.id);
    }
    assert_eq!(built.len(), crate::built().count());
    let mut ids: Vec<_> = catalogue.iter().map(|defect| defect.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), catalogue.len(), "an id stands twice");
}

#[test]
fn every_rule_named_is_a_rule_id() {
    for defect in catalogue() {
        for rule in defect.rules {
            assert!(rule.parse::<model::RuleId>().is_ok(), "{}: {rule}", defect.id);
        }
    }
}

#[test]
fn a_lie_is_one_line_with_the_socket_of_the_client() {
    let file = std::env::temp_dir().join(format!("coexist-fired-{}", std::process::id()));
    let fired = Fired::into_file(&file).unwrap();
    fired.lied("redirects-bare", "127.1.2.3:4567".parse().unwrap());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "redirects-bare 127.1.2.3:4567\n");
    std::fs::remove_file(file).unwrap();
}

#[test]
fn every_lie_about_a_decision_is_told_in_the_seat_it_is_run_in() {
    let questions: Vec<Question> = [
        ("coexistence", &["+site3-2007", "+mbx2013-s2", "+pairs"][..]),
        ("coexistence", &[][..]),
        ("pre-e15", &["+site3-2007", "+site2-2007"][..]),
    ]
    .into_iter()
    .flat_map(|(base, overlays)| {
        [RedirectType::Manual, RedirectType::Silent].map(|how| read(base, overlays, how))
    })
    .flat_map(|topology| asked(&Arc::new(topology)))
    .flat_map(|question| {
        let all_down =
            question.topology.servers.keys().map(|name| (name.clone(), question.protocol)).collect();
        let down_at_home = Question { down: down_at_home(&question), ..question.clone() };
        [Question { down: all_down, ..question.clone() }, down_at_home, question]
    })
    .collect();
    for defect in catalogue().into_iter().filter(|defect| defect.built && defect.port == Port::Decide) {
        let (_, lie) = decisions::lie(defect.id).unwrap();
        let lied = |question: &&Question| {
            let truth = Rules.decide(question);
            question.role == defect.role && lie(question, truth.clone()) != truth
        };
        assert!(questions.iter().any(|question| lied(&question)), "{} is never told", defect.id);
    }
}

/// What a site's servers being down is for the mailbox that is in it.
fn down_at_home(question: &Question) -> reference::pulse::Down {
    let site = question.account.as_ref().map(|account| &account.site);
    let servers = question.topology.servers.iter().filter(|(_, server)| Some(&server.site) == site);
    servers.map(|(name, _)| (name.clone(), question.protocol)).collect()
}

fn read(base: &str, overlays: &[&str], cross_site: RedirectType) -> Topology {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../suites/topologies");
    let source = |name: &str| {
        let file = folder.join(format!("{name}.toml"));
        Source::new(format!("{name}.toml"), std::fs::read_to_string(file).unwrap())
    };
    let mut files = TopologyFiles::base(source(base));
    for overlay in overlays {
        files = files.with_overlay(overlay, source(overlay)).unwrap();
    }
    let mut topology = files.build(&Default::default()).unwrap();
    let seat = topology.seat.clone();
    let owa = topology.servers.get_mut(&seat).unwrap().directories.get_mut(&Protocol::Owa).unwrap();
    owa.cross_site_redirect = Some(cross_site);
    topology
}

fn account(topology: &Topology, name: &str, database: &DatabaseName) -> Account {
    let home = &topology.databases[database].active;
    Account {
        address: format!("{name}@contoso.com"),
        upn: format!("{name}@contoso.com"),
        account: format!("CONTOSO\\{name}"),
        legacy_dn: format!("/o=Contoso/cn={name}"),
        guid: "g".to_owned(),
        sid: format!("s-{name}"),
        display_name: name.to_owned(),
        database: database.clone(),
        server: home.clone(),
        version: topology.servers[home].version,
        site: topology.servers[home].site.clone(),
    }
}

/// A directory that another copy is activated in after each question, and a server taken out of service or put back.
struct Restless(Mutex<Topology>);

impl Discover for Restless {
    fn find<'a>(&'a self, sought: &'a Sought) -> Waiting<'a, Result<Facts, DirectoryDown>> {
        let mut topology = self.0.lock().unwrap();
        let name = sought.user.split('@').next().unwrap();
        let mailbox = name.parse().ok().and_then(|name| topology.mailboxes.get(&name));
        let account = mailbox.map(|mailbox| account(&topology, name, &mailbox.database));
        let facts = Facts { topology: Arc::new(topology.clone()), account };
        for database in topology.databases.values_mut() {
            if let Some(other) = database.copies.iter().find(|copy| **copy != database.active) {
                database.active = other.clone();
            }
        }
        if let Some(server) = topology.servers.get_mut(&"cas2010-s3".parse().unwrap()) {
            server.out_of_service = !server.out_of_service;
        }
        Box::pin(async { Ok(facts) })
    }
}

#[tokio::test]
async fn every_lie_about_facts_is_told_and_noted_once_for_each_answer_that_differs() {
    let client = Client { connection: 1, socket: "127.0.0.1:1".parse().unwrap() };
    for defect in catalogue().into_iter().filter(|defect| defect.built && defect.port == Port::Discover) {
        let file = std::env::temp_dir().join(format!("coexist-fired-{}-{}", defect.id, std::process::id()));
        let mut topology = read("coexistence", &["+site3-2007", "+site3-owa"], RedirectType::Manual);
        let legacy = topology.servers.get_mut(&"cas2007-s1".parse().unwrap()).unwrap();
        legacy.directories.get_mut(&Protocol::Owa).unwrap().external_authentication.clear();
        let newer = topology.servers.get_mut(&"cas2010-s1".parse().unwrap()).unwrap();
        newer.imap.as_mut().unwrap().internal_connection_settings.pop();
        let names: Vec<_> = topology.mailboxes.keys().cloned().collect();
        let (id, lie) = discoveries::lie(defect.id).unwrap();
        let truth = Arc::new(Restless(Mutex::new(topology)));
        let spoiled = discoveries::Spoiled::new(id, lie, truth, Fired::into_file(&file).unwrap());
        for name in names.iter().flat_map(|name| [name, name]) {
            let user = format!("{name}@contoso.com");
            let query = "Cmd=Sync&User=orange%40contoso.com".to_owned();
            for protocol in [Protocol::Eas, Protocol::Imap] {
                let (user, query) = (user.clone(), query.clone());
                spoiled.find(&Sought { client, user, protocol, query }).await.unwrap();
            }
        }
        let fired = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(file).unwrap();
        let lies = fired.lines().filter(|line| *line == format!("{id} {}", client.socket)).count();
        assert!(lies > 0 && lies == fired.lines().count(), "{id}: {fired}");
    }
}

/// Every question that the mailboxes of a topology give rise to.
fn asked(topology: &Arc<Topology>) -> Vec<Question> {
    let mut questions = vec![];
    for (name, mailbox) in &topology.mailboxes {
        let account = account(topology, name.as_str(), &mailbox.database);
        for protocol in [
            Protocol::Autodiscover,
            Protocol::Owa,
            Protocol::Ecp,
            Protocol::Eas,
            Protocol::Ews,
            Protocol::Oab,
            Protocol::OutlookAnywhere,
        ] {
            for (verb, target, listed, right) in [
                ("POST", "/", false, true),
                ("OPTIONS", "/", true, true),
                ("POST", "/ews/%2e%2e/owa/", true, true),
                ("POST", "/", true, false),
            ] {
                questions.push(Question {
                    client: Client { connection: 1, socket: "127.0.0.1:1".parse().unwrap() },
                    role: topology.role,
                    seat: topology.seat.clone(),
                    topology: topology.clone(),
                    protocol,
                    verb: verb.parse().unwrap(),
                    target: format!("{target}?cas2010-s2.contoso.com:6001"),
                    host: None,
                    cookies: Some(
                        "a=1; X-BEResource=cas2010-s3.contoso.com/EWS/Exchange.asmx~1942062522".to_owned(),
                    ),
                    sign_in: if right { SignIn::Typed } else { SignIn::Not },
                    account: right.then(|| account.clone()),
                    claimed: (!right).then(|| format!("CONTOSO\\{name}-0a1b2c")),
                    device: Device { on_list: listed, autodiscover: listed, ..Device::default() },
                    down: Default::default(),
                });
            }
        }
    }
    questions
}

/// A request of a client connection, signed in as this user in this way, on its way to one server.
fn on_its_way(connection: u16, user: &str, bound: Option<(&str, bool)>) -> Passage {
    let topology = read("coexistence", &[], RedirectType::Manual);
    let home = topology.mailboxes[&"red".parse().unwrap()].database.clone();
    let socket = format!("127.0.0.1:{connection}").parse().unwrap();
    Passage {
        asked: Asked {
            client: Client { connection: connection.into(), socket },
            tls: true,
            host: None,
            verb: "POST".parse().unwrap(),
            target: "/ews/exchange.asmx".to_owned(),
            protocol: Some(Protocol::Ews),
        },
        account: Some(account(&topology, user, &home)),
        bound: bound.map(|(scheme, challenged)| Bound { scheme: scheme.to_owned(), challenged }),
        host: "cas2010-s1.contoso.com".parse().unwrap(),
        port: 443,
    }
}

#[test]
fn a_shared_lane_is_a_lie_to_both_of_its_users_and_to_no_other() {
    // Whose connections each shares: by NTLM, in small letters, by a token with the first request, by Basic.
    let ways = [Some(("NTLM", true)), Some(("ntlm", true)), Some(("Negotiate", false)), None];
    for (defect, shares) in [
        ("pool-forgets-who", [true, true, false, false]),
        ("pins-after-challenge-only", [false, false, true, false]),
        ("pins-one-spelling", [false, true, false, false]),
    ] {
        for (way, shared) in ways.into_iter().zip(shares) {
            let file = std::env::temp_dir().join(format!("coexist-lane-{defect}-{}", std::process::id()));
            let (id, lie) = lanes::lie(defect).unwrap();
            let truth = Arc::new(reference::lane::OwnLanes);
            let lanes = lanes::Spoiled::new(id, lie, truth, Fired::into_file(&file).unwrap());
            let lane = |connection, user| lanes.lane(&on_its_way(connection, user, way));
            let (red, again, blue) = (lane(1, "red"), lane(1, "red"), lane(2, "blue"));
            let noted = std::fs::read_to_string(&file).unwrap();
            std::fs::remove_file(file).unwrap();
            assert_eq!(red, again);
            assert_eq!(red == blue, shared, "{defect} {way:?}");
            let both = format!("{id} 127.0.0.1:2\n{id} 127.0.0.1:1\n");
            assert_eq!(noted, if shared { both } else { String::new() }, "{defect} {way:?}");
        }
    }
}

#[test]
fn a_lane_that_is_split_has_a_connection_a_request_and_stays_its_clients() {
    let lanes = lanes::Splits::new(Arc::new(reference::lane::OwnLanes), Fired::uncounted());
    let lane = |connection| lanes.lane(&on_its_way(connection, "red", None));
    let (first, second, third) = (lane(1), lane(1), lane(1));
    assert!(first != second && second != third && first != third);
    assert!([&first, &second, &third].iter().all(|lane| lane.connection == 1));
}

#[test]
fn balancing_by_request_is_a_lie_from_the_second_one_on() {
    let file = std::env::temp_dir().join(format!("coexist-choose-{}", std::process::id()));
    let truth = Arc::new(reference::choose::ByConnection);
    let choices = choices::ByRequest::new(truth.clone(), Fired::into_file(&file).unwrap());
    let at = |host: &str| Target { host: host.parse().unwrap(), port: 443 };
    let two = [at("cas2007-s1.contoso.com"), at("cas2007-s1b.contoso.com")];
    let asked = on_its_way(1, "purple", None).asked;
    let right = truth.choose(&asked, None, &two);
    let chosen: Vec<_> = (0..3).map(|_| choices.choose(&asked, None, &two) == right).collect();
    let noted = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(file).unwrap();
    assert_eq!(chosen, [true, false, true]);
    assert_eq!(noted, "two-servers-one-handshake 127.0.0.1:1\n");
}

#[test]
fn every_lie_about_health_is_told_and_noted_for_everybody() {
    use std::time::Duration;

    use reference::ports::Pulse;
    use reference::pulse::{AsLogged, Heard, SoFar, Standing};

    let topology = read("coexistence", &[], RedirectType::Manual);
    for defect in catalogue().into_iter().filter(|defect| defect.built && defect.port == Port::Pulse) {
        let file = std::env::temp_dir().join(format!("coexist-pulse-{}-{}", defect.id, std::process::id()));
        let (id, lie) = pulses::lie(defect.id).unwrap();
        let fired = Fired::into_file(&file).unwrap();
        let pulse = pulses::Spoiled { id, lie, truth: Arc::new(AsLogged), fired };
        pulse.asks(&topology, &topology.seat);
        let due = [0, 1].map(|rounds| pulse.due(SoFar { rounds, clients: 0 }));
        assert!(due[0] || id == "asks-when-used", "{id}");
        let mut health = reference::pulse::Health::new();
        health.insert(("cas2010-s3".parse().unwrap(), Protocol::Owa), Standing::default());
        for at in [Protocol::Ews, Protocol::Owa] {
            let mut standing = Standing::default();
            // Two failures, in a round or in two, and life again.
            for status in [503, 503, 503, 401, 302] {
                let failed = at == Protocol::Ews || status < 500;
                (standing, _) = pulse.heard(standing, Heard::Status(if failed { status } else { 401 }));
                health.insert(("cas2010-s3".parse().unwrap(), at), standing);
                pulse.down(&health);
            }
        }
        pulse.carried(Standing::default(), Protocol::Eas, Duration::from_secs(1));
        let noted = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(file).unwrap();
        assert!(
            !noted.is_empty() && noted.lines().all(|line| line == format!("{id} everybody")),
            "{id}: {noted}"
        );
    }
}
