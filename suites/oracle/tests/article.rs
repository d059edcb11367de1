//! The oracle against the article, in the topologies that have literals.
//!
//! ```text
//! Site1  internet-facing   seat, CAS2010, CAS2007     mail, autodiscover -> seat   legacy -> CAS2007.S1
//! Site2  internet-facing   CAS2010                    mail-region -> CAS2010.S2
//! Site3                    CAS2010 (+site3-2007: CAS2007)
//! ```

use model::case::{Action, ClientKind, Device, Lookup, Opens, Password, QueryForm};
use model::problem::Source;
use model::topology::{Setting, TopologyFiles};
use model::{Leg, Topology, View, When};
use oracle::{Table, Trouble, predict, predict_under};

fn topology(name: &str, settings: &str) -> Topology {
    let read = |file: &str| {
        let path = format!("{}/../topologies/{file}.toml", env!("CARGO_MANIFEST_DIR"));
        Source::new(path.clone(), std::fs::read_to_string(path).unwrap())
    };
    let mut parts = name.split('+');
    let mut files = TopologyFiles::base(read(parts.next().unwrap()));
    for part in parts {
        let variant = format!("+{part}");
        files = files.with_overlay(&variant, read(&variant)).unwrap();
    }
    let settings: Setting = Source::new("settings", settings).read("").unwrap();
    files.build(&settings).unwrap()
}

fn when(mailbox: &str, client: ClientKind, opens: &str, does: Action) -> When {
    When {
        mailbox: mailbox.parse().unwrap(),
        client,
        view: View::External,
        opens: Opens::try_from(opens.to_owned()).unwrap(),
        does,
        password: Password::Right,
        sign_in: Default::default(),
        stays: false,
        comes_back: None,
        at_once: 1,
        types: None,
        device: None,
        can_handle: None,
        knows_exhttp: true,
        mapi_http: false,
        excludes: vec![],
        follows_link: true,
        times: 1,
        sends: vec![],
    }
}

fn browser(mailbox: &str, opens: &str) -> When {
    when(mailbox, ClientKind::Browser, opens, Action::OpenMailbox)
}

fn outlook(mailbox: &str, does: Action) -> When {
    when(mailbox, ClientKind::Outlook, &format!("outlook:{mailbox}"), does)
}

fn device(mailbox: &str, opens: &str, protocol: &str, on_451_list: bool) -> When {
    let device = Device {
        protocol: protocol.to_owned(),
        kind: "iPhone".to_owned(),
        on_451_list,
        autodiscover: true,
        query: QueryForm::Plain,
    };
    When { device: Some(device), ..when(mailbox, ClientKind::Device, opens, Action::FolderSync) }
}

fn told(topology: &Topology, when: &When) -> Vec<Leg> {
    predict(&Table::standard(), topology, when).unwrap().legs
}

/// A leg in a line: name, prompts for credentials, hops, what was told.
fn said(legs: &[Leg]) -> Vec<String> {
    let line = |leg: &Leg| {
        let by = |hop: &model::Hop| hop.by.map(|by| format!(" ({by})")).unwrap_or_default();
        let hops: Vec<String> = leg.hops.iter().map(|hop| format!("{}{}", hop.at, by(hop))).collect();
        let host = leg.dials.as_str().trim_end_matches(".contoso.com");
        format!("{host}, {} prompt: {}: {}", leg.prompts.credentials, hops.join(" > "), leg.told)
    };
    legs.iter().map(line).collect()
}

const MAIL: &str = "https://mail.contoso.com/owa/";
const EAS: &str = "https://mail.contoso.com/Microsoft-Server-ActiveSync";

fn check(topology: &Topology, when: &When, expected: &[&str]) {
    let predicted = predict(&Table::standard(), topology, when).unwrap();
    assert_eq!(said(&predicted.legs), expected, "{} {:?} {:?}", when.mailbox, when.opens, predicted.rows);
}

#[test]
fn owa_in_coexistence() {
    let t = topology("coexistence+site3-2007", "");
    let cases: &[(&str, &[&str])] = &[
        ("red", &["mail, 1 prompt: cas2013-s1 > cas2010-s1 > mbx2010-s1: mailbox red"]),
        (
            "purple",
            &[
                "mail, 1 prompt: cas2013-s1: silent redirect https://legacy.contoso.com/owa/",
                "legacy, 0 prompt: cas2007-s1 > mbx2007-s1: mailbox purple",
            ],
        ),
        ("blue", &["mail, 1 prompt: cas2013-s1 > cas2010-s3 > mbx2010-s3: mailbox blue"]),
        (
            "orange",
            &[
                "mail, 1 prompt: cas2013-s1: silent redirect https://mail-region.contoso.com/owa/",
                "mail-region, 0 prompt: cas2010-s2 > mbx2010-s2: mailbox orange",
            ],
        ),
        (
            "violet",
            &[
                "mail, 1 prompt: cas2013-s1: silent redirect https://legacy.contoso.com/owa/",
                "legacy, 0 prompt: cas2007-s1 > cas2007-s3 (internal-url) > mbx2007-s3: mailbox violet",
            ],
        ),
        ("green", &["mail, 1 prompt: cas2013-s1 > mbx2013-s1b: mailbox green"]),
    ];
    for (mailbox, expected) in cases {
        check(&t, &browser(mailbox, MAIL), expected);
    }
    check(
        &t,
        &browser("orange", "https://mail-region.contoso.com/owa/"),
        &["mail-region, 1 prompt: cas2010-s2 > mbx2010-s2: mailbox orange"],
    );
    check(
        &t,
        &browser("orange", "https://mail.contoso.com/ecp/"),
        &[
            "mail, 1 prompt: cas2013-s1: silent redirect https://mail-region.contoso.com/ecp/",
            "mail-region, 0 prompt: cas2010-s2 > mbx2010-s2: mailbox orange",
        ],
    );
}

#[test]
fn owa_before_2013() {
    let t = topology("pre-e15+site3-2007+site2-2007", "");
    let cases: &[(&str, &[&str])] = &[
        ("red", &["mail, 1 prompt: cas2010-s1 > mbx2010-s1: mailbox red"]),
        (
            "purple",
            &[
                "mail, 1 prompt: cas2010-s1: silent redirect https://legacy.contoso.com/owa/",
                "legacy, 0 prompt: cas2007-s1 > mbx2007-s1: mailbox purple",
            ],
        ),
        ("blue", &["mail, 1 prompt: cas2010-s1 > cas2010-s3 (any) > mbx2010-s3: mailbox blue"]),
        (
            "orange",
            &[
                "mail, 1 prompt: cas2010-s1: page with a link https://mail-region.contoso.com/owa/",
                "mail-region, 1 prompt: cas2010-s2 > mbx2010-s2: mailbox orange",
            ],
        ),
        ("violet", &["mail, 1 prompt: cas2010-s1 > cas2007-s3 (any) > mbx2007-s3: mailbox violet"]),
        (
            "indigo",
            &[
                "mail, 1 prompt: cas2010-s1: page with a link https://legacy-region.contoso.com/owa/",
                "legacy-region, 1 prompt: cas2007-s2 > mbx2007-s2: mailbox indigo",
            ],
        ),
    ];
    for (mailbox, expected) in cases {
        check(&t, &browser(mailbox, MAIL), expected);
    }
    let silent = topology("pre-e15", "\"cas2010-s1/owa\" = { cross-site-redirect = \"silent\" }");
    check(
        &silent,
        &browser("orange", MAIL),
        &[
            "mail, 1 prompt: cas2010-s1: silent redirect https://mail-region.contoso.com/owa/",
            "mail-region, 0 prompt: cas2010-s2 > mbx2010-s2: mailbox orange",
        ],
    );
}

#[test]
fn a_target_unfit_for_the_silent_form_means_a_second_sign_in() {
    let t = topology("coexistence", "\"cas2007-s1/owa\" = { external-authentication = [\"basic\"] }");
    check(
        &t,
        &browser("purple", MAIL),
        &[
            "mail, 1 prompt: cas2013-s1: 302 https://legacy.contoso.com/owa/",
            "legacy, 1 prompt: cas2007-s1 > mbx2007-s1: mailbox purple",
        ],
    );
    let settings =
        "\"cas2007-s1/owa\" = { forms = false }\n\"cas2010-s1/owa\" = { legacy-redirect = \"manual\" }";
    let legs = told(&topology("pre-e15", settings), &When { follows_link: false, ..browser("purple", MAIL) });
    assert_eq!(said(&legs), ["mail, 1 prompt: cas2010-s1: page with a link https://legacy.contoso.com/owa/"]);
}

#[test]
fn an_owa_external_url_alone_moves_browsers_and_not_devices() {
    let t = topology("coexistence+site3-owa", "");
    check(
        &t,
        &browser("blue", MAIL),
        &[
            "mail, 1 prompt: cas2013-s1: silent redirect https://mail-site3.contoso.com/owa/",
            "mail-site3, 0 prompt: cas2010-s3 > mbx2010-s3: mailbox blue",
        ],
    );
    check(
        &t,
        &device("blue", EAS, "14.1", true),
        &["mail, 0 prompt: cas2013-s1 > cas2010-s3 > mbx2010-s3: mailbox blue"],
    );
}

#[test]
fn active_sync_in_coexistence() {
    let t = topology("coexistence+site3-2007+mbx2013-s2+pairs", "");
    let any_mailbox_2013 = "cas2013-s1 > one of mbx2013-s1, mbx2013-s1b";
    let cases = [
        ("red", "cas2013-s1 > one of cas2010-s1, cas2010-s1b > mbx2010-s1".to_owned()),
        (
            "purple",
            format!("{any_mailbox_2013} > one of cas2007-s1, cas2007-s1b (internal-url) > mbx2007-s1"),
        ),
        ("blue", "cas2013-s1 > one of cas2010-s3, cas2010-s3b > mbx2010-s3".to_owned()),
        ("orange", "cas2013-s1 > one of cas2010-s2, cas2010-s2b > mbx2010-s2".to_owned()),
        ("violet", format!("{any_mailbox_2013} > cas2007-s3 (internal-url) > mbx2007-s3")),
        ("green", "cas2013-s1 > mbx2013-s1b".to_owned()),
    ];
    for (mailbox, hops) in cases {
        let expected = format!("mail, 0 prompt: {hops}: mailbox {mailbox}");
        check(&t, &device(mailbox, EAS, "14.1", true), &[&expected]);
    }
}

#[test]
fn active_sync_before_2013_tells_some_devices_to_move() {
    let t = topology("pre-e15", "");
    let moved = [
        "mail, 0 prompt: cas2010-s1: 451 https://mail-region.contoso.com/Microsoft-Server-ActiveSync",
        "mail-region, 0 prompt: cas2010-s2 > mbx2010-s2: mailbox orange",
    ];
    let left = ["mail, 0 prompt: cas2010-s1 > cas2010-s2 (any) > mbx2010-s2: mailbox orange"];
    check(&t, &device("orange", EAS, "14.1", true), &moved);
    check(&t, &device("orange", EAS, "14.1", false), &left);
    check(
        &t,
        &device("purple", EAS, "14.1", true),
        &["mail, 0 prompt: cas2010-s1 > cas2007-s1 (any) > mbx2007-s1: mailbox purple"],
    );
    // The other two presets (X-EAS-1) differ about 12.1 alone.
    for (preset, at_12_1) in [("12.1-and-later", true), ("later-than-12.1", false)] {
        let t = topology("pre-e15", &format!("\"cas2010-s1/eas\" = {{ devices-451 = \"{preset}\" }}"));
        check(&t, &device("orange", EAS, "14.0", false), &moved);
        check(&t, &device("orange", EAS, "12.0", true), &left);
        check(&t, &device("orange", EAS, "12.1", true), if at_12_1 { &moved } else { &left });
    }
    let loops =
        "\"cas2010-s2/eas\" = { external-url = \"https://mail.contoso.com/Microsoft-Server-ActiveSync\" }";
    check(
        &topology("pre-e15", loops),
        &device("orange", EAS, "14.1", true),
        &["mail, 0 prompt: cas2010-s1: 451 https://mail.contoso.com/Microsoft-Server-ActiveSync"],
    );
}

#[test]
fn a_newer_mailbox_at_cas2007_is_sent_to_the_newer_namespace() {
    let t = topology("coexistence", "");
    let legacy = "https://legacy.contoso.com/Microsoft-Server-ActiveSync";
    check(
        &t,
        &device("red", legacy, "12.1", false),
        &[
            "legacy, 0 prompt: cas2007-s1: 451 https://mail.contoso.com/Microsoft-Server-ActiveSync",
            "mail, 0 prompt: cas2013-s1 > cas2010-s1 > mbx2010-s1: mailbox red",
        ],
    );
    check(&t, &device("green", legacy, "12.0", true), &["legacy, 0 prompt: cas2007-s1: refused with 403"]);
}

#[test]
fn autodiscover_names_what_the_table_says_and_the_client_goes_there() {
    let t = topology("coexistence+site3-2007", "");
    let at = |writer: &str, oa: &str, rest: &str| {
        format!(
            "autodiscover, 0 prompt: cas2013-s1 > {writer}: answer by {writer}: outlook-anywhere {oa}.contoso.com, \
             ews {rest}.contoso.com, oab {rest}.contoso.com, eas absent, exhttp []"
        )
    };
    let any = "one of mbx2013-s1, mbx2013-s1b";
    let cases = [
        ("red", at("cas2010-s1", "mail", "mail"), "mail, 0 prompt: cas2013-s1 > cas2010-s1 > mbx2010-s1"),
        ("purple", at(any, "mail", "legacy"), "legacy, 0 prompt: cas2007-s1 > mbx2007-s1"),
        ("blue", at("cas2010-s3", "mail", "mail"), "mail, 0 prompt: cas2013-s1 > cas2010-s3 > mbx2010-s3"),
        (
            "orange",
            at("cas2010-s2", "mail-region", "mail-region"),
            "mail-region, 0 prompt: cas2010-s2 > mbx2010-s2",
        ),
        (
            "violet",
            at(any, "mail", "legacy"),
            "legacy, 0 prompt: cas2007-s1 > cas2007-s3 (internal-url) > mbx2007-s3",
        ),
    ];
    for (mailbox, answer, ews) in cases {
        let ews = format!("{ews}: mailbox {mailbox}");
        check(&t, &outlook(mailbox, Action::GetFolder), &[&answer, &ews]);
    }
    let green = at("mbx2013-s1b", "mail", "mail").replace("[]", "[outlook.contoso.com, mail.contoso.com]");
    check(
        &t,
        &outlook("green", Action::GetFolder),
        &[&green, "mail, 0 prompt: cas2013-s1 > mbx2013-s1b: mailbox green"],
    );
    let inside = told(&t, &When { view: View::Internal, ..outlook("red", Action::Autodiscover) });
    assert_eq!(inside[0].reached, model::Reached::Scp);
}

#[test]
fn autodiscover_names_no_address_book_where_the_database_has_none() {
    let mut t = topology("coexistence", "");
    for database in t.databases.values_mut() {
        database.oab = None;
    }
    for mailbox in ["red", "purple", "green"] {
        let answer = said(&told(&t, &outlook(mailbox, Action::Autodiscover)));
        let (answer, others) = answer.split_first().unwrap();
        assert!(answer.contains("ews ") && answer.contains(", oab absent,"), "{answer}");
        assert_eq!(others, [""; 0]);
    }
}

#[test]
fn exhttp_waits_to_be_asked_from_15_0_995_14_on() {
    let newer = "\"mbx2013-s1b\" = { build = \"15.0.995.29\" }";
    let t = topology("coexistence", newer);
    let silent = said(&told(&t, &outlook("green", Action::Autodiscover)));
    assert!(silent[0].ends_with("exhttp []"), "{silent:?}");
    let asking =
        When { can_handle: Some("Negotiate, exhttpinfo".into()), ..outlook("green", Action::Autodiscover) };
    let asked = said(&told(&t, &asking));
    assert!(asked[0].ends_with("exhttp [outlook.contoso.com, mail.contoso.com]"), "{asked:?}");
}

#[test]
fn mapi_over_http_is_named_to_who_speaks_it_from_sp1_on_and_leads_to_the_active_copy() {
    let t = topology("coexistence", "");
    let named = "autodiscover, 0 prompt: cas2013-s1 > mbx2013-s1b: answer by mbx2013-s1b: outlook-anywhere mail.contoso.com, \
                 ews mail.contoso.com, oab mail.contoso.com, eas absent, mapi-http mail.contoso.com, \
                 exhttp [outlook.contoso.com, mail.contoso.com]";
    let read = "mail, 0 prompt: cas2013-s1 > mbx2013-s1b: mailbox green";
    check(&t, &outlook("green", Action::MapiConnect), &[named, read]);
    let silent = said(&told(&t, &outlook("green", Action::Autodiscover)));
    assert!(!silent[0].contains("mapi-http"), "{silent:?}");
    let speaks = When { mapi_http: true, ..outlook("green", Action::Autodiscover) };
    let before = topology("coexistence", "\"mbx2013-s1b\" = { build = \"15.0.775.38\" }");
    assert!(!said(&told(&before, &speaks))[0].contains("mapi-http"));
    let inside = When { view: View::Internal, ..outlook("green", Action::MapiAddressBook) };
    let moved = topology(
        "coexistence",
        "\"cas2013-s1/mapi\" = { internal-url = \"https://outlook.contoso.com/mapi\" }",
    );
    assert_eq!(said(&told(&moved, &inside))[1], "outlook, 0 prompt: cas2013-s1 > mbx2013-s1b: mailbox green");
    let older = when("red", ClientKind::Outlook, "https://mail.contoso.com/mapi/", Action::MapiConnect);
    check(&t, &older, &["mail, 0 prompt: cas2013-s1: refused with 403"]);
}

#[test]
fn port_80_is_asked_when_https_is_not_and_moves_the_client_to_tls_before_it_signs_in() {
    let excludes = vec![Lookup::HttpsRoot, Lookup::HttpsAutodiscover];
    let asking = When { excludes, password: Password::Wrong, ..outlook("red", Action::Autodiscover) };
    check(
        &topology("coexistence", "cas2013-s1 = { certificate = \"expired\" }"),
        &asking,
        &[
            "autodiscover, 0 prompt: cas2013-s1: 302 https://autodiscover.contoso.com/autodiscover/autodiscover.xml",
            "autodiscover, 1 prompt: cas2013-s1: refused with 401",
        ],
    );
}

#[test]
fn a_451_without_an_address_sends_the_device_to_autodiscover() {
    let fault = |word: &str| Trouble {
        faults: [("cas2007-s1/eas".to_owned(), vec![word.to_owned()])].into(),
        ..Trouble::default()
    };
    let when = device("red", "https://legacy.contoso.com/Microsoft-Server-ActiveSync", "14.1", true);
    let under = |word| predict_under(&Table::standard(), &topology("coexistence", ""), &when, &fault(word));
    let legs = under("451-without-location").unwrap().legs;
    let names: Vec<&str> = legs.iter().map(|leg| leg.dials.as_str()).collect();
    assert_eq!(names, ["legacy.contoso.com", "autodiscover.contoso.com", "mail.contoso.com"]);
    assert_eq!(
        under("503").unwrap_err().why,
        "no rule of the table speaks of the fault cas2007-s1/eas = [\"503\"]"
    );
}

#[test]
fn a_new_device_is_set_up_for_the_namespace_of_its_mailbox() {
    let t = topology("pre-e15", "");
    check(
        &t,
        &device("orange", "device:orange", "14.1", true),
        &[
            "autodiscover, 0 prompt: cas2010-s1: answer by cas2010-s1: outlook-anywhere absent, ews absent, \
             oab absent, eas mail-region.contoso.com, exhttp []",
            "mail-region, 0 prompt: cas2010-s2 > mbx2010-s2: mailbox orange",
        ],
    );
}

#[test]
fn the_address_book_comes_from_a_distribution_point() {
    let t = topology("coexistence+site3-2007+pairs", "");
    let cases = [
        ("red", "mail, 0 prompt: cas2013-s1 > cas2010-s1: address book oab-2010"),
        ("purple", "legacy, 0 prompt: cas2007-s1: address book oab-2007"),
        ("blue", "mail, 0 prompt: cas2013-s1 > cas2010-s1: address book oab-2010"),
        ("orange", "mail-region, 0 prompt: cas2010-s2: address book oab-2010"),
        ("violet", "legacy, 0 prompt: cas2007-s1: address book oab-2007"),
        ("green", "mail, 0 prompt: cas2013-s1 > mbx2013-s1b: address book oab-2013"),
    ];
    for (mailbox, expected) in cases {
        let legs = said(&told(&t, &outlook(mailbox, Action::DownloadOab)));
        assert_eq!(legs[1..], [expected]);
    }
}

#[test]
fn a_wrong_password_is_answered_alike_for_every_mailbox() {
    for name in ["coexistence", "pre-e15"] {
        let t = topology(name, "");
        for mailbox in t.mailboxes.keys() {
            let wrong = |when| When { password: Password::Wrong, ..when };
            let seat = &t.seat;
            let page = format!("mail, 1 prompt: {seat}: logon page, reason 2");
            check(&t, &wrong(browser(mailbox.as_str(), MAIL)), &[&page]);
            let refused = format!("autodiscover, 1 prompt: {seat}: refused with 401");
            check(&t, &wrong(outlook(mailbox.as_str(), Action::GetFolder)), &[&refused]);
        }
    }
}

#[test]
fn an_expired_certificate_is_one_prompt_in_each_leg_it_is_seen() {
    let t = topology("coexistence", "cas2007-s1 = { certificate = \"expired\" }");
    let legs = told(&t, &browser("purple", MAIL));
    let seen: Vec<_> = legs.iter().map(|leg| (leg.prompts.certificate, leg.prompts.reason)).collect();
    assert_eq!(seen, [(0, None), (1, Some(model::case::CertificateFault::Date))]);
}

#[test]
fn what_the_article_leaves_open_says_so() {
    let unclaimed = |t: &Topology, when: &When| predict(&Table::standard(), t, when).unwrap().unclaimed;
    let pre = topology("pre-e15+site3-2007", "");
    assert_eq!(unclaimed(&pre, &browser("violet", MAIL)), None);
    assert!(unclaimed(&pre, &outlook("violet", Action::GetFolder)).is_some());
    assert_eq!(unclaimed(&pre, &outlook("purple", Action::GetFolder)), None);
    assert!(unclaimed(&pre, &outlook("red", Action::DownloadOab)).is_some());
    let with = topology("coexistence+site3-2007", "");
    for does in [Action::GetFolder, Action::DownloadOab] {
        for mailbox in with.mailboxes.keys() {
            assert_eq!(unclaimed(&with, &outlook(mailbox.as_str(), does)), None);
        }
    }
}
