//! Every file of `suites/` is read, and what one file names exists in the others: topologies, cases, rules, subjects.
//!
//! Nothing here asks whether an expectation is right: only whether it can be met by servers, names and mailboxes that exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use model::case::{ClientKind, Opens, Step};
use model::problem::{Problem, Source};
use model::protocol::{Role, View};
use model::rule::{Rule, read_rules};
use model::subject::Subject;
use model::topology::TopologyFiles;
use model::{Case, CaseId, HostName, MailboxName, Position, RuleId, ServerName, Told, Topology, WebUrl};
use rstest::rstest;

const BASES: [&str; 2] = ["pre-e15", "coexistence"];

#[rstest]
#[case("pre-e15", &[])]
#[case("pre-e15", &["+site3-2007"])]
#[case("pre-e15", &["+site2-2007"])]
#[case("pre-e15", &["+pairs"])]
#[case("pre-e15", &["+site3-owa"])]
#[case("pre-e15", &["+site3-2007", "+site2-2007", "+pairs", "+site3-owa"])]
#[case("coexistence", &[])]
#[case("coexistence", &["+site3-2007"])]
#[case("coexistence", &["+pairs"])]
#[case("coexistence", &["+mbx2013-s2"])]
#[case("coexistence", &["+site3-owa"])]
#[case("coexistence", &["+pairs", "+site3-2007", "+mbx2013-s2", "+site3-owa"])]
fn a_topology_is_read_with_its_variants(#[case] base: &str, #[case] variants: &[&str]) {
    let variants: Vec<String> = variants.iter().map(|v| (*v).to_owned()).collect();
    let topology = topology(base, &variants).and_then(|files| files.build(&BTreeMap::new()));
    let topology = topology.unwrap_or_else(|problem| panic!("{}", told(&problem)));
    let role = if base == "pre-e15" { Role::FrontEnd2010 } else { Role::FrontEnd2013 };
    assert_eq!(topology.role, role);
    assert!(topology.servers[&topology.seat].scp.is_some(), "the seat is a Client Access server");
}

#[rstest]
#[case("pre-e15", "cas2010-s1", Role::FrontEnd2010)]
#[case("coexistence", "cas2013-s1", Role::FrontEnd2013)]
fn an_edge_is_before_the_front_end_outside_only(
    #[case] base: &str,
    #[case] behind: &str,
    #[case] role: Role,
) {
    let built = topology(base, &["+edge".to_owned()]).and_then(|files| files.build(&BTreeMap::new()));
    let t = built.unwrap_or_else(|problem| panic!("{}", told(&problem)));
    assert_eq!((t.role, t.seat.as_str()), (Role::Edge, "edge-s1"));
    assert!(!t.servers.contains_key(&t.seat) && t.edges.contains_key(&t.seat));
    let front_end = t.front_end.as_ref().expect("what the seat was moved from");
    assert_eq!((front_end.server.as_str(), front_end.role), (behind, role));
    for (name, inside) in [("mail", behind), ("autodiscover", behind), ("legacy", "cas2007-s1")] {
        let leads = &t.namespaces[&format!("{name}.contoso.com").parse().unwrap()];
        let names = |list: &[ServerName]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            (names(&leads.internal), names(&leads.external)),
            (vec![inside.into()], vec!["edge-s1".into()])
        );
    }
}

#[test]
fn a_variant_is_refused_where_it_is_not_made_for_the_topology() {
    for (base, variant) in [("pre-e15", "+mbx2013-s2"), ("coexistence", "+site2-2007")] {
        let problem = topology(base, &[variant.to_owned()]).expect_err("made for the other topology");
        assert!(problem.message.contains(base), "{problem}");
    }
}

/// So that a wrong choice can be seen (routing rules, "Topologies").
#[test]
fn an_internal_url_of_a_legacy_server_names_another_host_that_leads_to_it_from_inside_only() {
    for base in BASES {
        let t = build(base);
        for (name, server) in t.servers.iter().filter(|(_, s)| s.version != model::Version::Exchange2013) {
            for url in server.directories.values().filter_map(|d| d.internal_url.as_ref()) {
                let leads = &t.namespaces[&url.0.host];
                assert_ne!(url.0.host, t.fqdn(name));
                assert_eq!(
                    (&leads.internal[..], &leads.external[..]),
                    (&[name.clone()][..], &[][..]),
                    "{base}: {name}"
                );
            }
        }
    }
}

#[test]
fn every_array_name_leads_to_its_own_site_from_inside_only() {
    for base in BASES {
        let t = build(base);
        for (site, array) in t.sites.iter().filter_map(|(name, site)| Some((name, site.array.as_ref()?))) {
            let leads = &t.namespaces[array];
            assert!(leads.external.is_empty(), "{base}: {array} is ambiguous");
            assert!(leads.internal.iter().all(|server| t.servers[server].site == *site), "{base}: {array}");
        }
    }
}

#[test]
fn every_address_that_a_topology_hands_out_resolves() {
    for base in BASES {
        let t = build(base);
        for server in t.servers.values() {
            let external =
                server.directories.values().filter_map(|d| d.external_url.as_ref()).map(|url| &url.0.host);
            for host in external.chain(server.scp.as_ref().map(|scp| &scp.host)) {
                assert!(t.namespaces.get(host).is_some_and(|n| !n.external.is_empty()), "{base}: {host}");
            }
        }
    }
}

#[test]
fn every_rule_of_a_case_is_in_the_rule_book() {
    let known: BTreeSet<RuleId> = rules().into_iter().map(|rule| rule.id).collect();
    for case in cases() {
        for rule in &case.rules {
            assert!(known.contains(rule), "{}: no rule {rule} in suites/rules.toml", case.id);
        }
    }
}

#[test]
fn every_mailbox_of_the_rule_book_is_in_a_topology() {
    let variants = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    let all =
        [("pre-e15", variants(&["+site3-2007", "+site2-2007"])), ("coexistence", variants(&["+site3-2007"]))];
    let known: BTreeSet<MailboxName> = all
        .iter()
        .flat_map(|(base, variants)| {
            let files = topology(base, variants).expect("a topology");
            files.build(&BTreeMap::new()).expect("a topology").mailboxes.into_keys()
        })
        .collect();
    for rule in rules() {
        for mailbox in &rule.mailboxes {
            assert!(known.contains(mailbox), "{}: no mailbox {mailbox}", rule.id);
        }
    }
}

/// Rules that are covered so far, by id or by the beginning of it. Widen it with each protocol that gets its cases.
const COVERED: [&str; 22] = [
    "GEN-", "PRE-AD-", "PRE-OWA-", "PRE-EAS-", "PRE-EWS-", "CX-AD-", "CX-OWA-", "CX-EAS-", "CX-EWS-",
    "CX-OAB-", "TOP-1", "TOP-4", "DNS-1", "CERT-1", "CX-TGT-1", "X-OWA-", "X-ECP-1", "X-EAS-", "X-AD-",
    "CX-IMAP-", "CX-POP-", "X-SEC-7",
];

#[test]
fn every_covered_rule_has_a_case_for_each_mailbox_that_it_names() {
    let cases = cases();
    let covered = |id: &str| COVERED.iter().any(|head| id.starts_with(head));
    for rule in rules().into_iter().filter(|rule| covered(rule.id.as_str())) {
        let mut of_rule = cases.iter().filter(|case| case.rules.contains(&rule.id)).peekable();
        assert!(of_rule.peek().is_some(), "{}: no case", rule.id);
        let seen: BTreeSet<MailboxName> =
            of_rule.flat_map(|case| &case.steps).map(|step| step.when.mailbox.clone()).collect();
        for mailbox in &rule.mailboxes {
            assert!(seen.contains(mailbox), "{}: no case for {mailbox}", rule.id);
        }
    }
}

#[test]
fn every_server_mailbox_and_name_of_a_case_exists_in_its_topology() {
    for case in cases() {
        let mut t = topology_of(&case)
            .and_then(|files| files.build(&case.given.settings))
            .unwrap_or_else(|problem| panic!("{}: {}", case.id, told(&problem)));
        for step in &case.steps {
            step.before.iter().for_each(|steering| steering.changes(&mut t));
            step_fits(&case.id, step, &t);
        }
        for asked in &case.resolves {
            assert!(asked.servers.iter().all(|server| t.has_position(server)), "{}: {asked:?}", case.id);
        }
        for at in case.given.faults.keys() {
            let server = at.trim_start_matches("pings ").split('/').next().unwrap_or_default();
            assert!(
                t.servers.keys().any(|name| name.as_str() == server),
                "{}: no server for the fault {at}",
                case.id
            );
        }
    }
}

fn step_fits(id: &CaseId, step: &Step, t: &Topology) {
    let exists = |name: &MailboxName| assert!(t.mailboxes.contains_key(name), "{id}: no mailbox {name}");
    exists(&step.when.mailbox);
    match &step.when.opens {
        Opens::Outlook(name) | Opens::Device(name) => {
            assert_eq!(*name, step.when.mailbox, "{id}: opens another's")
        }
        Opens::Mail(address) => {
            assert_eq!(step.then[0].dials, address.host, "{id}: the first leg is where the user goes")
        }
        Opens::Url(WebUrl { host, .. }) | Opens::Rpc(host) => {
            assert_eq!(step.then[0].dials, *host, "{id}: the first leg is where the user goes")
        }
    }
    for (at, leg) in step.then.iter().enumerate() {
        let first = leg.hops.first().unwrap_or_else(|| panic!("{id}: leg {} has no hop", at + 1));
        let leads = leads_to(&leg.dials, step.when.view, t);
        assert!(
            first.at.0.iter().all(|server| leads.contains(server)),
            "{id}: {} leads to {leads:?}",
            leg.dials
        );
        for hop in &leg.hops {
            for server in &hop.at.0 {
                assert!(t.has_position(server), "{id}: no server {server}");
            }
        }
        match &leg.told {
            Told::Mailbox(name) => {
                exists(name);
                let home = t.home(name).cloned().map(|server| Position(vec![server]));
                assert_eq!(leg.hops.last().map(|hop| hop.at.clone()), home, "{id}: where {name} is read");
            }
            Told::Answer(answer) => {
                assert_eq!(
                    leg.hops.last().map(|hop| &hop.at),
                    Some(&answer.by),
                    "{id}: the writer is the last hop"
                );
            }
            Told::Oab(name) => assert!(t.oabs.contains_key(name), "{id}: no Offline Address Book {name}"),
            _ => {}
        }
        if at > 0 && step.when.client == ClientKind::Browser {
            let told = match &step.then[at - 1].told {
                Told::Found(url) | Told::SilentRedirect(url) | Told::ManualRedirect(url) => Some(&url.host),
                _ => None,
            };
            assert_eq!(told, Some(&leg.dials), "{id}: leg {} starts where the one before it led", at + 1);
        }
    }
}

/// Inside, a server's own FQDN leads to it, though no namespace has that name.
fn leads_to<'a>(host: &HostName, view: View, t: &'a Topology) -> &'a [ServerName] {
    let host =
        t.services.values().map(|service| &service.target).find(|target| *target == host).unwrap_or(host);
    match (t.namespaces.get(host), view) {
        (Some(namespace), View::Internal) => &namespace.internal,
        (Some(namespace), View::External) => &namespace.external,
        (None, View::Internal) => t.server_with_fqdn(host).map_or(&[], std::slice::from_ref),
        (None, View::External) => &[],
    }
}

#[test]
fn every_subject_file_is_read_and_its_deviations_are_cases() {
    let ids: BTreeSet<CaseId> = cases().into_iter().map(|case| case.id).collect();
    let mut roles = vec![];
    for path in files_below(&suites().join("subjects")) {
        let subject = Subject::read(&source(&path)).unwrap_or_else(|problem| panic!("{}", told(&problem)));
        assert!(subject.deviations.keys().all(|id| ids.contains(id)), "{}", subject.name);
        roles.push(subject.role);
    }
    assert!(roles.contains(&Role::FrontEnd2010) && roles.contains(&Role::FrontEnd2013));
}

/// Each case is a sentence that a person reads in a report: no two files may say the same of one topology.
#[test]
fn no_two_cases_of_a_topology_have_the_same_title() {
    let mut titles = BTreeMap::new();
    for case in cases() {
        let file = case.id.as_str().split('[').next().unwrap_or_default().to_owned();
        let said = (case.topology.clone(), case.title.clone());
        if let Some(other) = titles.insert(said, file.clone()).filter(|other| *other != file) {
            panic!("{file} and {other}: {}", case.title);
        }
    }
}

#[test]
fn every_case_can_be_written_and_is_read_as_it_was() {
    for case in cases() {
        let text = case.written().unwrap_or_else(|error| panic!("{}: {error}", case.id));
        let again = Case::read(case.id.clone(), &Source::new("written.toml", text));
        assert_eq!(again.unwrap_or_else(|problem| panic!("{}: {}", case.id, told(&problem))), case);
    }
}

fn rules() -> Vec<Rule> {
    read_rules(&source(&suites().join("rules.toml"))).unwrap_or_else(|problem| panic!("{}", told(&problem)))
}

fn cases() -> Vec<Case> {
    let root = suites().join("cases");
    let cases: Vec<Case> = files_below(&root)
        .iter()
        .flat_map(|path| {
            let below = path.strip_prefix(&root).expect("found below it").with_extension("");
            let id =
                below.to_str().expect("a path in UTF-8").parse().unwrap_or_else(|error| panic!("{error}"));
            Case::read_each(&id, &source(path)).unwrap_or_else(|problem| panic!("{}", told(&problem)))
        })
        .map(|(case, _)| case)
        .collect();
    assert!(cases.len() >= 350, "only {} cases were found below {}", cases.len(), root.display());
    cases
}

fn build(base: &str) -> Topology {
    let built = topology(base, &[]).and_then(|files| files.build(&BTreeMap::new()));
    built.unwrap_or_else(|problem| panic!("{}", told(&problem)))
}

fn topology(base: &str, variants: &[String]) -> Result<TopologyFiles, Problem> {
    let file = |name: &str| source(&suites().join("topologies").join(format!("{name}.toml")));
    variants.iter().try_fold(TopologyFiles::base(file(base)), |files, variant| {
        files.with_overlay(variant, file(variant))
    })
}

/// A case's folder may name variants: `coexistence+edge`.
fn topology_of(case: &Case) -> Result<TopologyFiles, Problem> {
    let name = case.topology_name();
    let mut parts = name.split('+');
    let base = parts.next().unwrap_or_default();
    topology(base, &parts.map(|variant| format!("+{variant}")).collect::<Vec<_>>())
}

fn source(path: &Path) -> Source {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Source::new(path.display().to_string(), text)
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files = vec![];
    for path in entries.map(|entry| entry.expect("a readable entry").path()) {
        if path.is_dir() {
            files.extend(files_below(&path));
        } else if path.extension().is_some_and(|ext| ext == "toml") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn suites() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../suites")
}

fn told(problem: &Problem) -> String {
    format!("{problem} ({})", problem.help.as_deref().unwrap_or("no help"))
}
