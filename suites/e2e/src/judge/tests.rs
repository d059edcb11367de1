//! Two small traces that pass, and what every fault of the harness makes of them.
//!
//! ```text
//! device  -> cas2013-s1 (seat) -> mbx2013-s1 -> cas2007-s1 -> mbx2007-s1      OPTIONS, then FolderSync
//! browser -> cas2007-s1 -> mbx2007-s1                                         logon page, form, mailbox
//! ```

use std::net::{Ipv4Addr, SocketAddr};

use ledger::{Conveyed, Identity};
use model::case::{Reached, SignsIn};
use model::journal::CookieOfAnother;
use model::problem::Source;
use model::topology::TopologyFiles;

use super::*;

const DEVICE: &str = r#"
title  = "Purple's device"
rules  = ["CX-EAS-2"]
source = "made by hand"
needs  = ["eas"]

[when]
mailbox = "purple"
client  = "device"
view    = "external"
opens   = "https://mail.contoso.com/Microsoft-Server-ActiveSync"
does    = "folder-sync"
device  = { protocol = "12.1", kind = "iPhone", on-451-list = true, autodiscover = true, query = "plain" }

[[then]]
dials   = "mail.contoso.com"
reached = "typed"
hops    = ["cas2013-s1", { any-of = ["mbx2013-s1", "mbx2013-s1b"] }, { at = "cas2007-s1", by = "internal-url" }, "mbx2007-s1"]
prompts = { credentials = 0, certificate = 0 }
told    = { mailbox = "purple" }
"#;

const BROWSER: &str = r#"
title  = "Purple's browser"
rules  = ["CX-OWA-2"]
source = "made by hand"
needs  = ["owa"]

[when]
mailbox = "purple"
client  = "browser"
view    = "external"
opens   = "https://legacy.contoso.com/owa/"
does    = "open-mailbox"

[[then]]
dials   = "legacy.contoso.com"
reached = "typed"
hops    = ["cas2007-s1", "mbx2007-s1"]
prompts = { credentials = 1, certificate = 0 }
told    = { mailbox = "purple" }
"#;

/// A case and what was seen of it, as it is being made up.
struct Made {
    case: Case,
    trace: Trace,
    next: u64,
}

impl Made {
    fn of(text: &str) -> Made {
        let id = "coexistence/made/up".parse().unwrap();
        let case = Case::read(id, &Source::new("up.toml", text)).unwrap();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../topologies/coexistence.toml");
        let file = Source::new(path, std::fs::read_to_string(path).unwrap());
        let topology = TopologyFiles::base(file).build(&case.given.settings).unwrap();
        let positions = (10..)
            .zip(topology.servers.keys())
            .map(|(n, name)| (Ipv4Addr::new(127, 0, 0, n).into(), name.clone()))
            .collect();
        let leg = ClientLeg {
            dials: case.steps[0].then[0].dials.clone(),
            reached: Reached::Typed,
            exchanges: vec![],
            credential_prompts: case.steps[0].then[0].prompts.credentials,
            certificate_prompts: vec![],
            signed_in: SignsIn::Basic,
            computer: None,
            told: Told::Mailbox("purple".parse().unwrap()),
            note: None,
        };
        let journals = vec![Journal { legs: vec![leg] }];
        Made {
            case,
            trace: Trace {
                topology: topology.into(),
                positions,
                journals,
                arrivals: vec![],
                strangers: vec![],
                pings: vec![],
                interval: std::time::Duration::ZERO,
                outlived: vec![],
            },
            next: 1,
        }
    }

    fn leg(&mut self) -> &mut ClientLeg {
        &mut self.trace.journals[0].legs[0]
    }

    /// The client asks a server, and is answered.
    fn asks(&mut self, server: &str, verb: &str, target: &str, status: u16) {
        let ip = self.trace.positions.iter().find(|(_, name)| name.as_str() == server).map(|(ip, _)| *ip);
        let (began, ended) = (Order(self.next), Order(self.next + 10));
        self.next += 20;
        self.leg().exchanges.push(Exchange {
            began,
            ended,
            verb: verb.into(),
            target: target.into(),
            dialled: Some(SocketAddr::new(ip.unwrap_or(Ipv4Addr::new(127, 0, 0, 250).into()), 443)),
            status,
            reason: String::new(),
            location: None,
            heads: Default::default(),
            cookies_of_others: vec![],
            answer: None,
        });
    }

    /// The last request arrives somewhere, on a connection of its own.
    fn arrives(&mut self, server: &str, host: &str, claim: Claim) {
        let exchange = self.leg().exchanges.last().unwrap().clone();
        let within = |arrival: &&Arc<Arrival>| holds(&exchange, arrival);
        let before = self.trace.arrivals.iter().rfind(within).map(|arrival| arrival.order);
        let order = before.map_or(exchange.began, |order| Order(order.0 + 1));
        let rpc = host.is_empty();
        let purple =
            format!("purple-{}", directory::account::mark(&self.case.id, &"purple".parse().unwrap()));
        let purple: model::MailboxName = purple.parse().unwrap();
        let name = (!rpc).then(|| host.to_owned());
        self.trace.arrivals.push(Arc::new(Arrival {
            order,
            time: 0,
            server: server.parse().unwrap(),
            protocol: if rpc { Protocol::Rpc } else { Protocol::of_path(&exchange.target).unwrap() },
            verb: if rpc { "connect".into() } else { exchange.verb },
            target: exchange.target,
            host: name.clone(),
            sni: name,
            tls: !rpc,
            starttls: false,
            peer: "127.0.0.6:11000".parse().unwrap(),
            identity: Identity {
                asked_by: Some(purple.clone()),
                believed_to_be: Some(purple),
                conveyed: Conveyed::Ticket,
            },
            head: String::new(),
            body: None,
            connection: order.0,
            request: 1,
            parent: before.filter(|_| claim == Claim::Parent),
            case: Some(self.case.id.clone()),
            claimed_by: claim,
            answer: None,
        }));
    }

    /// All that the last client did was later, and came to `other` instead of `server`.
    fn last_client_comes_to(&mut self, server: &str, other: &str) {
        let later = |order: Order| Order(order.0 + self.next);
        let last = self.trace.journals.last_mut().unwrap();
        for exchange in last.legs.iter_mut().flat_map(|leg| &mut leg.exchanges) {
            (exchange.began, exchange.ended) = (later(exchange.began), later(exchange.ended));
        }
        let again = self.trace.arrivals.iter().map(|arrival| {
            let mut arrival = Arrival::clone(arrival);
            (arrival.order, arrival.parent) = (later(arrival.order), arrival.parent.map(later));
            if arrival.server.as_str() == server {
                arrival.server = other.parse().unwrap();
            }
            Arc::new(arrival)
        });
        let again: Vec<_> = again.collect();
        self.trace.arrivals.extend(again);
    }

    fn device() -> Made {
        Made::device_of(DEVICE)
    }

    fn device_of(text: &str) -> Made {
        let mut made = Made::of(text);
        let internal =
            made.trace.topology.servers[&"cas2007-s1".parse().unwrap()].directory(Protocol::Eas).unwrap();
        let internal = internal.internal_url.as_ref().unwrap().0.host.to_string();
        made.asks("cas2013-s1", "OPTIONS", "/Microsoft-Server-ActiveSync", 200);
        made.arrives("mbx2013-s1", "mbx2013-s1.contoso.com", Claim::AskedBy);
        made.arrives("cas2007-s1", &internal, Claim::Parent);
        made.asks("cas2013-s1", "POST", "/Microsoft-Server-ActiveSync?Cmd=FolderSync", 200);
        made.arrives("mbx2013-s1", "mbx2013-s1.contoso.com", Claim::AskedBy);
        made.arrives("cas2007-s1", &internal, Claim::Parent);
        made.arrives("mbx2007-s1", "", Claim::Parent);
        made
    }

    fn browser() -> Made {
        let mut made = Made::of(BROWSER);
        for (verb, target, status) in [
            ("GET", "/owa/", 302),
            ("GET", "/owa/auth/logon.aspx", 200),
            ("POST", "/owa/auth/owaauth.dll", 302),
            ("GET", "/owa/", 200),
        ] {
            made.asks("cas2007-s1", verb, target, status);
            made.arrives("cas2007-s1", "legacy.contoso.com", Claim::Socket);
        }
        made.arrives("mbx2007-s1", "", Claim::Parent);
        made
    }

    fn change(&mut self, at: usize, change: impl FnOnce(&mut Arrival)) {
        change(Arc::make_mut(&mut self.trace.arrivals[at]));
    }

    fn says(&self) -> Vec<String> {
        judge(&self.case, &self.trace).differences.into_iter().map(|difference| difference.says).collect()
    }

    #[track_caller]
    fn fails(&self, with: &str) {
        let says = self.says();
        assert!(says.iter().any(|says| says.contains(with)), "no `{with}` in {says:#?}");
    }
}

#[test]
fn what_was_as_expected_passes() {
    assert_eq!(Made::device().says(), [""; 0]);
    assert_eq!(Made::browser().says(), [""; 0]);
}

/// What the subject passed on for a request that does not count may stop anywhere, so the last arrival of OPTIONS, the
/// second here, is the one that nobody misses.
#[test]
fn a_lost_arrival_is_missed() {
    for at in [0, 2, 3, 4] {
        let mut made = Made::device();
        made.trace.arrivals.remove(at);
        assert_ne!(made.says(), [""; 0], "arrival {at} of the device");
    }
    for at in 0..5 {
        let mut made = Made::browser();
        made.trace.arrivals.remove(at);
        assert_ne!(made.says(), [""; 0], "arrival {at} of the browser");
    }
}

#[test]
fn an_arrival_that_is_recorded_twice_is_noticed() {
    for (make, arrivals) in [(Made::device as fn() -> Made, 5), (Made::browser, 5)] {
        for at in 0..arrivals {
            let mut made = make();
            let again = made.trace.arrivals[at].clone();
            made.trace.arrivals.insert(at, again);
            made.fails("is recorded twice");
        }
    }
}

#[test]
fn a_request_that_the_subject_sends_twice_is_one_too_many() {
    let mut made = Made::device();
    made.arrives("mbx2013-s1b", "mbx2013-s1b.contoso.com", Claim::AskedBy);
    made.fails("was carried to mbx2013-s1 and again to mbx2013-s1b");
    let challenged = |arrival: &mut Arrival| arrival.identity.believed_to_be = None;
    made.change(5, challenged);
    assert_eq!(made.says(), [""; 0], "a challenge before is none");
}

#[test]
fn two_hops_that_are_swapped_are_noticed() {
    for (a, b) in [(0, 1), (2, 3), (3, 4), (2, 4)] {
        let mut made = Made::device();
        let (one, other) = (made.trace.arrivals[a].server.clone(), made.trace.arrivals[b].server.clone());
        made.change(a, |arrival| arrival.server = other);
        made.change(b, |arrival| arrival.server = one);
        made.fails("hop ");
    }
}

#[test]
fn an_arrival_of_the_neighbours_is_noticed_though_it_took_the_same_way() {
    let mut made = Made::device();
    let neighbour: model::MailboxName = "purple-ffffff".parse().unwrap();
    made.change(2, |arrival| {
        arrival.identity.asked_by = Some(neighbour.clone());
        arrival.identity.believed_to_be = Some(neighbour);
    });
    made.fails("asks for purple-ffffff, who is nobody of this case");
    // And one of a neighbour's client, which dialled elsewhere meanwhile.
    let mut made = Made::device();
    made.arrives("cas2007-s1", "legacy.contoso.com", Claim::Socket);
    made.fails("cas2007-s1 saw 1 requests of the clients, who made 0");
}

#[test]
fn a_subject_that_reaches_out_while_the_client_is_elsewhere_is_noticed() {
    let mut made = Made::browser();
    made.arrives("mbx2007-s1", "", Claim::AskedBy);
    made.fails("hop 1 was cas2013-s1, expected cas2007-s1");
}

#[test]
fn an_arrival_outside_every_request_fails_unless_it_may_be_anybodys() {
    let mut made = Made::device();
    made.change(1, |arrival| arrival.order = Order(1000));
    made.fails("arrived at cas2007-s1 outside every request");
    let mut made = Made::device();
    made.arrives("cas2010-s1", "cas2010-s1.contoso.com", Claim::Connection);
    made.change(5, |arrival| {
        arrival.order = Order(1000);
        (arrival.identity.asked_by, arrival.identity.believed_to_be) = (None, None);
    });
    assert_eq!(made.says(), [""; 0]);
}

#[test]
fn a_request_like_the_last_goes_as_far() {
    let mut made = Made::of(DEVICE);
    made.asks("cas2013-s1", "POST", "/Microsoft-Server-ActiveSync?Cmd=Provision", 200);
    let whole = Made::device();
    made.next = whole.trace.arrivals[0].order.0 + 100;
    made.asks("cas2013-s1", "POST", "/Microsoft-Server-ActiveSync?Cmd=FolderSync", 200);
    let internal = whole.trace.arrivals[1].host.clone().unwrap();
    made.arrives("mbx2013-s1", "mbx2013-s1.contoso.com", Claim::AskedBy);
    made.arrives("cas2007-s1", &internal, Claim::Parent);
    made.arrives("mbx2007-s1", "", Claim::Parent);
    made.fails("never saw POST /Microsoft-Server-ActiveSync?Cmd=Provision");
    made.leg().exchanges[0].status = 401;
    assert_eq!(made.says(), [""; 0], "a challenge may be the subject's own");
}

#[test]
fn a_server_whose_internal_url_is_its_own_name_is_reached_by_both() {
    let own = r#"
[given.settings."cas2007-s1/eas"]
internal-url = "https://cas2007-s1.contoso.com/Microsoft-Server-ActiveSync"
"#;
    assert_eq!(Made::device_of(&format!("{DEVICE}{own}")).says(), [""; 0]);
}

#[test]
fn an_address_where_nobody_sits_is_a_difference_and_no_panic() {
    let mut made = Made::of(DEVICE);
    made.asks("nobody", "POST", "/Microsoft-Server-ActiveSync", 200);
    for server in ["cas2013-s1", "mbx2013-s1", "cas2007-s1", "mbx2007-s1"] {
        made.arrives(server, "mail.contoso.com", Claim::Parent);
    }
    made.fails("where no server sits");
}

#[test]
fn a_step_that_was_not_played_and_one_user_served_as_another_fail() {
    let mut made = Made::device();
    made.trace.journals.clear();
    made.trace.arrivals.clear();
    made.fails("step 1 was never played");
    let mut made = Made::device();
    made.change(4, |arrival| arrival.identity.believed_to_be = Some("red-1a2b3c".parse().unwrap()));
    assert!(judge(&made.case, &made.trace).differences[0].says.contains("X-SEC-4"));
}

/// X-SEC-4: what carries nothing but came from a socket, a mark or a connection of the case is nobody's else to answer.
#[test]
fn an_anonymous_request_served_as_a_stranger_is_seen_before_all_else_in_both_cases() {
    let nameless = |arrival: &mut Arrival| {
        arrival.identity.asked_by = None;
        arrival.claimed_by = Claim::Connection;
    };
    let mut made = Made::device();
    made.change(4, nameless);
    assert_eq!(made.says(), [""; 0], "served as who is known on the connection");
    made.change(4, |arrival| arrival.identity.believed_to_be = Some("red-1a2b3c".parse().unwrap()));
    made.trace.journals[0].legs[0].told = Told::Failed(500);
    let first = &judge(&made.case, &made.trace).differences[0];
    assert_eq!(first.what, "stranger");
    assert!(first.says.starts_with("somebody without a name asked at "), "{}", first.says);

    let mut whose = Made::device();
    whose.trace.strangers.push(made.trace.arrivals[4].clone());
    let first = &judge(&whose.case, &whose.trace).differences[0];
    assert_eq!((first.what.as_str(), first.says.contains("served as red-1a2b3c")), ("stranger", true));
}

#[test]
fn a_response_that_went_astray_fails_though_nobody_was_served() {
    let mut made = Made::device();
    made.change(3, |arrival| arrival.identity.conveyed = Conveyed::NtlmAstray);
    made.fails("a challenge that its connection never gave");
}

#[test]
fn of_several_clients_at_once_one_that_differs_fails_the_step() {
    let mut made = Made::device_of(&DEVICE.replace("[[then]]", "at-once = 2\n[[then]]"));
    made.fails("step 1 was never played");
    let second = made.trace.journals[0].clone();
    made.trace.journals.push(second);
    assert_eq!(made.says(), [""; 0]);
    made.trace.journals[1].legs[0].told = Told::Refused(401);
    made.fails("refused with 401");
}

#[test]
fn clients_that_are_to_be_spread_must_not_all_come_to_one_of_a_set() {
    let spread = |text: &str, clients: u8| {
        text.replace("[[then]]", &format!("at-once = {clients}\n[[then]]\nspread = true"))
    };
    let refused = |text: String| {
        let id = "coexistence/made/up".parse().unwrap();
        Case::read(id, &Source::new("up.toml", text)).unwrap_err().to_string()
    };
    let says = "at least 16 clients at once are spread, over the second hop's set of servers";
    assert!(refused(spread(DEVICE, 15)).contains(says));
    let set = "{ any-of = [\"mbx2013-s1\", \"mbx2013-s1b\"] }";
    assert!(refused(spread(&DEVICE.replace(set, "\"mbx2013-s1\""), 16)).contains(says));
    let mut made = Made::device_of(&spread(DEVICE, 16));
    let one = made.trace.journals[0].clone();
    made.trace.journals.extend(std::iter::repeat_n(one, 15));
    made.fails("all 16 clients came to mbx2013-s1, expected more than one: one of mbx2013-s1, mbx2013-s1b");
    made.last_client_comes_to("mbx2013-s1", "mbx2013-s1b");
    let says = made.says();
    assert!(!says.iter().any(|says| says.contains("clients came to")), "{says:#?}");
}

/// X-SEC-5, whatever a case expects.
#[test]
fn a_secret_that_goes_where_it_does_not_belong_is_noticed() {
    let mut made = Made::device();
    made.leg().exchanges[0].location = Some("https://legacy.contoso.com/owa/?password=***".into());
    made.fails("a password stands in a URL");
    let mut made = Made::device();
    made.change(0, |arrival| arrival.tls = false);
    made.fails("mbx2013-s1 was told over plain HTTP who asks");
    let mut made = Made::device();
    made.change(0, |arrival| arrival.head = "GET / HTTP/1.1\r\ncookie: a=1; cadata=2\r\n\r\n".into());
    made.fails("the front end's own session went on to mbx2013-s1");
    made.change(0, |arrival| arrival.head = "GET / HTTP/1.1\r\ncookie: mycadata=2\r\n\r\n".into());
    assert_eq!(made.says(), [""; 0]);
}

/// X-SEC-5: known by its name, or since it answered what was typed.
#[test]
fn the_session_of_a_front_end_is_noticed_at_another_namespace_and_a_wide_cookie_of_another_kind_is_not() {
    for (name, answers_form, astray) in
        [("cadata", false, true), ("mine", true, true), ("lang", false, false)]
    {
        let mut made = Made::device();
        let set_by = made.leg().dials.clone();
        let mut away = made.leg().clone();
        away.dials = "mail-region.contoso.com".parse().unwrap();
        for exchange in &mut away.exchanges {
            exchange.dialled =
                exchange.dialled.map(|to| SocketAddr::new(Ipv4Addr::new(127, 0, 0, 250).into(), to.port()));
            exchange.cookies_of_others =
                vec![CookieOfAnother { name: name.into(), set_by: set_by.clone(), answers_form }];
        }
        made.trace.journals[0].legs.push(away);
        let says = made.says();
        let told = format!("the session cookie {name} of mail.contoso.com went to mail-region.contoso.com");
        assert_eq!(says.iter().any(|says| says.contains(&told)), astray, "{name}: {says:?}");
    }
}
