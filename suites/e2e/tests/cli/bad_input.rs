//! Bad input is refused before anything starts: exit 2, with the place and what a right one looks like.

use std::fs;

use rstest::rstest;

use crate::scratch::{Scratch, run, subject};

const BASE: &str = "topologies/coexistence.toml";
const PURPLE: &str = "cases/coexistence/owa/purple.toml";

/// The words of a problem name its place by the line that holds `marks`: lines move, what is marked does not.
#[rstest]
#[case::value(
    "role = \"front-end-2013\"",
    "role = \"front-end-2014\"",
    "a right one looks like `front-end-2013"
)]
#[case::key(
    "split-brain = true",
    "split-brain = true\ncolour = 1",
    "unknown field `colour`, expected one of"
)]
#[case::database(
    "database = \"db2007-s1\"",
    "database = \"db1997-s1\"",
    "mailbox purple is in no database of this file: `db1997-s1`"
)]
#[case::site("site = \"Site2\"", "site = \"Site9\"", "cas2010-s2 is in no site of this file: `Site9`")]
#[case::build("build = \"8.3.83.6\"", "build = \"14.3.999.4\"", "a build of Exchange 2007 begins with 8")]
#[case::out_of_service(
    "build = \"8.3.83.6\"",
    "build = \"8.3.83.6\"\nout-of-service = true",
    "cas2007-s1 cannot be out of service"
)]
#[case::seat_version(
    "seat = \"cas2013-s1\"",
    "seat = \"cas2010-s1\"",
    "cas2010-s1 cannot be the seat where role = \"front-end-2013\": it is a Client Access server of Exchange 2010"
)]
#[case::seat_role(
    "seat = \"cas2013-s1\"",
    "seat = \"mbx2013-s1\"",
    "mbx2013-s1 cannot be the seat where role = \"front-end-2013\": it is a Mailbox server of Exchange 2013"
)]
#[case::name("seat = \"cas2013-s1\"", "seat = \"CAS2013\"", "a right one looks like `cas2010-s1`")]
fn a_wrong_topology_is_refused_at_its_line(#[case] right: &str, #[case] wrong: &str, #[case] says: &str) {
    let scratch = Scratch::with_cases(&["coexistence/owa/purple", "coexistence/owa/red"]);
    scratch.edit(BASE, right, wrong);
    let place = place(&scratch, BASE, wrong);
    let ended = scratch.run(&["e2e", "--ground", "mapped"]);
    ended.check(2, &[&place, says, "coexist: 1 problem to be mended"]);
    assert_eq!(ended.err.matches(says).count(), 1, "once is enough\n{ended}");
}

#[rstest]
#[case::key(
    "rules  = [\"CX-OWA-2\"]",
    "rules  = [\"CX-OWA-2\"]\ncolour = 1",
    "unknown field `colour`, expected one of",
    "compare with suites/cases/"
)]
#[case::rule("CX-OWA-2", "CX-OWA-99", "there is no rule CX-OWA-99", "`coexist list rules` prints them")]
#[case::mailbox(
    "mailbox = \"purple\"",
    "mailbox = \"pink\"",
    "coexistence has no mailbox `pink`",
    "mailbox = one of blue, green, orange"
)]
#[case::server(
    "\"cas2007-s1\"",
    "\"cas2007-s9\"",
    "coexistence has no server `cas2007-s9`",
    "servers: cas2007-s1, cas2010-s1"
)]
#[case::told(
    "told     = { mailbox = \"purple\" }",
    "told = { postbox = \"purple\" }",
    "`postbox`",
    "`mailbox`"
)]
#[case::setting(
    "",
    "[given.settings]\n\"cas2099-s1/owa\" = { forms = true }",
    "not in this topology: `cas2099-s1/owa`",
    "a right one: \"cas2010-s1/owa\""
)]
#[case::setting_field(
    "",
    "[given.settings]\n\"cas2007-s1/owa\" = { froms = true }",
    "unknown field `froms`",
    "expected one of `internal-url`"
)]
#[case::setting_value("", "[given.settings]\n\"cas2007-s1/owa\" = { forms = 7 }", "expected a boolean", "")]
#[case::setting_version(
    "",
    "[given.settings]\n\"cas2007-s1\" = { out-of-service = true }",
    "cas2007-s1 cannot be out of service",
    "CX-OOS-1"
)]
#[case::variant(
    "",
    "[given]\nvariants = [\"+nothing\"]",
    "no variant is called `+nothing`",
    "there are: +edge, +mbx2013-s2, +pairs"
)]
#[case::fault_place(
    "",
    "[given.faults]\n\"cas2007-s9/owa\" = [\"503\"]",
    "coexistence has no server `cas2007-s9`",
    "servers: "
)]
#[case::fault_protocol(
    "",
    "[given.faults]\n\"cas2007-s1/gopher\" = [\"503\"]",
    "`gopher` is no protocol",
    "a right one: \"cas2007-s1/eas\""
)]
#[case::fault_word(
    "",
    "[given.faults]\n\"cas2007-s1/eas\" = [\"302\"]",
    "`302` is no fault",
    "`503` or `451-without-location`"
)]
#[case::fault_at_the_seat(
    "",
    "[given.faults]\n\"cas2013-s1/eas\" = [\"503\"]",
    "the subject sits at cas2013-s1",
    "only other servers have faults"
)]
fn a_wrong_case_is_refused_at_its_line(
    #[case] right: &str,
    #[case] wrong: &str,
    #[case] says: &str,
    #[case] help: &str,
) {
    let scratch = Scratch::with_cases(&["coexistence/owa/purple", "coexistence/owa/red"]);
    scratch.edit(PURPLE, right, wrong);
    let place = place(&scratch, PURPLE, wrong);
    scratch
        .run(&["e2e", "--ground", "mapped"])
        .check(2, &[&place, says, help, "coexist: 1 problem to be mended"]);
}

#[test]
fn a_case_without_legs_is_refused() {
    let scratch = Scratch::with_cases(&["coexistence/owa/purple", "coexistence/owa/red"]);
    let text = fs::read_to_string(format!("{}/{PURPLE}", scratch.suites())).unwrap();
    let (head, _) = text.split_once("[[then]]").unwrap();
    fs::write(format!("{}/{PURPLE}", scratch.suites()), head).unwrap();
    scratch.run(&["e2e"]).check(2, &["owa/purple.toml:", "no leg is expected", "[[then]]"]);
}

#[test]
fn every_wrong_file_is_told_at_once() {
    let scratch = Scratch::with_cases(&["coexistence/owa/purple", "coexistence/owa/red"]);
    scratch.edit(PURPLE, "mailbox = \"purple\"", "mailbox = \"pink\"");
    scratch.edit("cases/coexistence/owa/red.toml", "title", "titel");
    scratch.run(&["e2e"]).check(2, &["owa/purple.toml:", "owa/red.toml:1:1", "2 problems to be mended"]);
}

#[rstest]
#[case::floor("floor", "many", "this is no number of cases")]
#[case::rules("rules.toml", "[[rule]]\nid = 7\n", "rules.toml:2:6")]
#[case::no_toml("subjects/mine.toml", "contract = \n", "mine.toml:1:")]
#[case::bytes("cases/coexistence/owa/red.toml", "\u{0}\u{1}", "red.toml:1:")]
fn a_file_that_is_something_else_is_refused(#[case] file: &str, #[case] text: &str, #[case] says: &str) {
    let scratch = Scratch::with_cases(&["coexistence/owa/red"]);
    fs::write(format!("{}/{file}", scratch.suites()), text).unwrap();
    let subject: &[&str] = if file.starts_with("subjects") { &["--subject", "mine"] } else { &[] };
    scratch.run(&[&["e2e", "--ground", "mapped"], subject].concat()).check(2, &[file, says]);
}

#[rstest]
#[case::key("contract = 1", "contract = 1\ncolour = 1", &["unknown field `colour`"])]
#[case::contract("contract = 1", "contract = 2", &["this is the contract of version 1", "= contract = 1"])]
#[case::role("\"front-end-2013\"", "\"back-end-2013\"", &["`back-end-2013` is no role", "front-end-2010"])]
#[case::feature("\"owa\"", "\"owl\"", &["`owl` is no feature", "a right one looks like"])]
#[case::nothing_to_start("[\"sleep\", \"60\"]", "[]", &["there is nothing to start"])]
#[case::variable("\"60\"", "\"{listen.smtp}\"", &["there is no variable {listen.smtp}", "{listen.https}, {listen.http}"])]
#[case::signs("tcp = \"https\"", "tcp = \"https\", log = \"up\"", &["by exactly one of tcp, http and log"])]
#[case::no_sign("{ tcp = \"https\", ", "{ ", &["by exactly one of tcp, http and log", "ready = { tcp = \"https\""])]
#[case::path("tcp = \"https\"", "http = \"health\"", &["`health` is no path that can be asked for", "http /health"])]
#[case::reload("within = \"1s\" }", "within = \"1s\" }\nreload = { signal = \"KILL\" }", &["`KILL` is no signal that reloads", "HUP"])]
#[case::reload_word("within = \"1s\" }", "within = \"1s\" }\nreload = \"again\"", &["is no way to reload", "(or \"restart\", \"none\")"])]
#[case::instances("within = \"1s\" }", "within = \"1s\" }\ninstances = \"two\"", &["`two` is no number of instances", "many (or one)"])]
#[case::declared("within = \"1s\" }", "within = \"1s\" }\n[declares]\ncolour = 1", &["unknown field `colour`", "`to-servers`"])]
#[case::declared_word("within = \"1s\" }", "within = \"1s\" }\n[declares]\nto-servers = \"magic\"", &["`magic` is no way to speak for a user", "basic (or pass-through, ticket, token)"])]
#[case::declared_size("within = \"1s\" }", "within = \"1s\" }\n[declares]\nhead-limit = \"big\"", &["`big` is no size", "64k"])]
#[case::time("\"10s\"", "\"ten seconds\"", &["is no length of time", "500ms"])]
#[case::template("[\"sleep\", \"60\"]", "[\"sleep\", \"60\"]\nfiles = [{ from = \"no.jinja\", to = \"{work}/a\" }]", &["there is no template", "no.jinja"])]
#[case::reason("within = \"1s\" }", "within = \"1s\" }\n[deviations]\n\"coexistence/owa/red\" = { why = \" \" }", &["a deviation has a reason"])]
fn a_wrong_subject_is_refused_at_its_line(#[case] right: &str, #[case] wrong: &str, #[case] says: &[&str]) {
    let scratch = Scratch::new();
    let text = subject("[\"sleep\", \"60\"]", "").replacen(right, wrong, 1);
    let file = scratch.write("stub.toml", &text);
    let place = format!("{file}:{}:", line_of(&text, wrong));
    let ended = scratch.run(&["e2e", "--ground", "mapped", "--subject", &file]);
    ended.check(2, says).check(2, &[&place]);
}

#[test]
fn a_subject_that_is_an_image_alone_is_refused_where_servers_are_no_containers() {
    let scratch = Scratch::new();
    let text = subject("[\"sleep\", \"60\"]", "").replacen(
        "command = [\"sleep\", \"60\"]",
        "image = \"my-proxy:dev\"",
        1,
    );
    let file = scratch.write("stub.toml", &text);
    let ended = scratch.run(&["e2e", "--ground", "mapped", "--subject", &file]);
    ended.check(2, &["subject stub: it is an image", "--host docker"]);
}

#[rstest]
#[case("coexistence/owa/nobody", "", "2027-03-01", &["names no case", "`coexist list cases`"])]
#[case("coexistence/owa/red", ", until = 2027-03-01", "2027-03-02", &["is past its day", "issue 12"])]
fn a_deviation_that_excuses_nothing_is_refused(
    #[case] case: &str,
    #[case] until: &str,
    #[case] today: &str,
    #[case] says: &[&str],
) {
    let scratch = Scratch::new();
    let deviations = format!("[deviations]\n\"{case}\" = {{ why = \"issue 12\"{until} }}");
    let file = scratch.write("stub.toml", &subject("[\"sleep\", \"60\"]", &deviations));
    let ended = scratch.run(&["e2e", "--ground", "mapped", "--subject", &file, "--today", today]);
    ended.check(2, says).check(2, &[&format!("deviation \"{case}\"")]);
}

#[rstest]
#[case(&["e2e", "--rule", "owa"], &["--rule", "a right one looks like `CX-OWA-2`"])]
#[case(&["e2e", "--shard", "3/2"], &["--shard", "a right one: 2/3"])]
#[case(&["e2e", "--shard", "0/2"], &["a right one: 2/3"])]
#[case(&["e2e", "--seed", "xyz"], &["--seed", "a right one: 7f21"])]
#[case(&["e2e", "--view", "sideways"], &["--view", "external"])]
#[case(&["e2e", "--jobs", "many"], &["--jobs"])]
#[case(&["e2e", "--today", "tomorrow"], &["--today", "2027-03-01"])]
#[case(&["e2e", "--ground", "sky"], &["--ground", "own (or machine, mapped)"])]
#[case(&["e2e", "--host", "docker"], &["this build has no container host: `cargo xtask e2e --host docker` builds one that has"])]
#[case(&["up", "--host", "docker"], &["this build has no container host: `cargo xtask up --host docker` builds one that has"])]
#[case(&["up", "--host", "cloud"], &["a host is `in-process` or `docker`"])]
#[case(&["e2e", "--subject", "nobody"], &["no subject is called `nobody`; there are: haproxy, independent-2013, nginx-keepalive, nginx, reference-2010"])]
#[case(&["e2e", "--subject", "./nobody.toml"], &["./nobody.toml: No such file"])]
#[case(&["e2e", "--failed", "nowhere"], &["nowhere/report.json: No such file"])]
#[case(&["exec", "--ground", "mapped", "--topology", "nowhere", "--", "true"], &["no topology is called `nowhere`; there are: coexistence, pre-e15"])]
#[case(&["exec", "--ground", "mapped", "--topology", "coexistence+none", "--", "true"], &["no variant is called `+none`"])]
#[case(&["exec", "--ground", "mapped", "--topology", "pre-e15+mbx2013-s2", "--", "true"], &["+mbx2013-s2.toml:", "is not made for `pre-e15`"])]
#[case(&["exec", "--ground", "mapped", "--", "./no-such-program"], &["./no-such-program: No such file"])]
#[case(&["predict", "nowhere"], &["no topology is called `nowhere`"])]
#[case(&["predict", "./nowhere.toml"], &["./nowhere.toml: No such file"])]
#[case(&["explain", "nothing"], &["`nothing` is no case, rule or defect; `coexist list cases|rules|defects`"])]
#[case(&["list", "birds"], &["cases, rules, topologies, subjects, features, defects"])]
#[case(&["e2e", "--shrink"], &["--report <DIR>"])]
#[case(&["e2e", "--shrink", "many", "--report", "out"], &["--shrink"])]
#[case(&["e2e", "--colour"], &["unexpected argument '--colour'"])]
fn a_wrong_word_on_the_command_line_is_refused_with_a_right_one(
    #[case] args: &[&str],
    #[case] says: &[&str],
) {
    run(args).check(2, says);
}

#[test]
fn a_folder_that_is_no_suite_is_told_what_a_suite_is() {
    let scratch = Scratch::with_cases(&["coexistence/owa/red"]);
    fs::remove_file(format!("{}/rules.toml", scratch.suites())).unwrap();
    scratch
        .run(&["list", "cases"])
        .check(2, &["rules.toml: No such file", "a suite is a folder with", "--suites DIR"]);
}

/// `FILE:LINE:` of what was written wrongly.
fn place(scratch: &Scratch, file: &str, wrong: &str) -> String {
    let text = fs::read_to_string(format!("{}/{file}", scratch.suites())).unwrap();
    format!("{}/{file}:{}:", scratch.suites(), line_of(&text, wrong))
}

/// The number of the last line of what was written wrongly: the lines before it only lead there.
fn line_of(text: &str, wrong: &str) -> usize {
    let at = text.find(wrong).expect("it was written") + wrong.rfind('\n').map_or(0, |end| end + 1);
    text[..at].matches('\n').count() + 1
}

const MOVES: &str = "{ moves-address = \"cas2010-s1\" }";
const WAITS: &str = "{ waits-for = \"dns-expiry\" }";

#[rstest]
#[case::nobodys(
    MOVES,
    "{ moves-address = \"cas2010-s9\" }",
    "coexistence has no server `cas2010-s9`",
    "servers: cas2007-s1, cas2010-s1"
)]
#[case::the_subjects(
    MOVES,
    "{ moves-address = \"cas2013-s1\" }",
    "cas2013-s1 is not the lab's own",
    "a right one: steers = "
)]
#[case::twice(
    WAITS,
    "{moves-address = \"cas2010-s1\"}",
    "cas2010-s1 has moved already, and has no third address",
    "a right one: steers = "
)]
#[case::no_database(
    WAITS,
    "{ moves-copy = { of = \"db2013-s9\", to = \"mbx2013-s1\" } }",
    "coexistence has no database `db2013-s9`",
    "databases: db2007-s1, db2010-s1"
)]
#[case::no_copy(
    WAITS,
    "{ moves-copy = { of = \"db2013-s1\", to = \"mbx2010-s1\" } }",
    "db2013-s1 has no copy on `mbx2010-s1`",
    "copies of it are on mbx2013-s1, mbx2013-s1b"
)]
#[case::there_already(
    WAITS,
    "{ moves-copy = { of = \"db2013-s1\", to = \"mbx2013-s1b\" } }",
    "the active copy of db2013-s1 is on mbx2013-s1b already",
    "a right one: steers = "
)]
#[case::no_mailbox(
    WAITS,
    "{ moves-mailbox = { of = \"violet\", to = \"db2013-s1\" } }",
    "coexistence has no mailbox `violet`",
    "mailboxes: blue, green"
)]
#[case::in_it_already(
    WAITS,
    "{ moves-mailbox = { of = \"red\", to = \"db2010-s1\" } }",
    "red is in db2010-s1 already",
    "a right one: steers = "
)]
#[case::no_word(
    WAITS,
    "{ waits-for = \"tea\" }",
    "`tea` is no thing to wait for",
    "dns-expiry (or discovery-ttl, health-round"
)]
#[case::no_deed(
    WAITS,
    "{ moves-adress = \"cas2010-s1\" }",
    "unknown variant `moves-adress`",
    "`moves-address`, `moves-copy`"
)]
#[case::no_name(
    WAITS,
    "{ moves-address = \"CAS2010-S1\" }",
    "`CAS2010-S1` is no server name",
    "a right one looks like `cas2010-s1`"
)]
#[case::no_such_setting(
    WAITS,
    "{ out-of-service = \"cas2007-s1\" }",
    "cas2007-s1 cannot be out of service: Exchange 2007 has no such setting",
    "a right one: steers = { out-of-service = \"cas2010-s3\" }"
)]
#[case::no_fault(
    WAITS,
    "{ fails = { \"cas2010-s1/owa\" = [\"302\"] } }",
    "`302` is no fault",
    "`503` or `451-without-location`"
)]
#[case::no_place(
    WAITS,
    "{ mends = \"cas2010-s1\" }",
    "`cas2010-s1` is no place of a fault",
    "a right one: \"cas2007-s1/eas\" = [\"503\"]"
)]
#[case::nobody_looks(
    "",
    "{ waits-for = \"dns-expiry\" }",
    "nothing looks at what comes of this step",
    "steers = { moves-address = \"cas2010-s1\" }"
)]
fn what_cannot_be_done_to_a_running_lab_is_refused_at_its_line(
    #[case] right: &str,
    #[case] wrong: &str,
    #[case] says: &str,
    #[case] help: &str,
) {
    const CASE: &str = "cases/coexistence/dns/red-address-changes.toml";
    let scratch = Scratch::with_cases(&["coexistence/dns/red-address-changes"]);
    let wrong = format!("steers = {wrong}");
    let place = if right.is_empty() {
        scratch.edit(CASE, "", &format!("[[step]]\n{wrong} # the last"));
        // The step is to blame, whose head stands above.
        let last = place(&scratch, CASE, &format!("{wrong} # the last"));
        let (file, line) = last.trim_end_matches(':').rsplit_once(':').unwrap();
        format!("{file}:{}:", line.parse::<usize>().unwrap() - 1)
    } else {
        scratch.edit(CASE, &format!("steers = {right}"), &wrong);
        place(&scratch, CASE, &wrong)
    };
    scratch.run(&["e2e", "--ground", "mapped"]).check(2, &[&place, says, help]);
}

const ASKED: &str = "at      = [\"cas2010-s3\"]";

#[rstest]
#[case::nobody(ASKED, "at      = []", "no server is named", "at = [\"cas2010-s1\"]")]
#[case::unknown(ASKED, "at      = [\"cas2010-s9\"]", "coexistence has no server `cas2010-s9`", "servers: ")]
#[case::of_2013(
    ASKED,
    "at      = [\"mbx2013-s1\"]",
    "mbx2013-s1 is not asked for its health",
    "a Client Access server of Exchange 2007 or 2010"
)]
#[case::protocol("of      = \"ews\"", "of      = \"gopher\"", "`gopher` is no protocol", "owa (one of")]
#[case::rounds("rounds  = 1", "rounds  = 0", "at least as many rounds as kinds of them", "rounds = 2")]
#[case::no_answer(
    "answers = [[\"200\"]]",
    "answers = [[]]",
    "a round has at least one answer",
    "[[\"503\", \"503\"], [\"401\"]]"
)]
#[case::status(
    "answers = [[\"200\"]]",
    "answers = [[\"tea\"]]",
    "`tea` is no status",
    "a right one looks like `401`"
)]
#[case::contradicts(
    "then    = \"up\"",
    "then    = \"down\"",
    "a server is down after a failure whose retry failed too",
    "then = \"down\" behind answers"
)]
#[case::no_state("then    = \"up\"", "then    = \"well\"", "`well` is no state of a server", "up (or down)")]
#[case::key("rounds  = 1", "rounds  = 1\ncolour  = 1", "unknown field `colour`", "expected one of `at`")]
fn a_row_of_pings_that_is_wrong_is_refused_at_its_line(
    #[case] right: &str,
    #[case] wrong: &str,
    #[case] says: &str,
    #[case] help: &str,
) {
    const CASE: &str = "cases/coexistence/health/blue-alive.toml";
    let scratch = Scratch::with_cases(&["coexistence/health/blue-alive"]);
    scratch.edit(CASE, right, wrong);
    let place = place(&scratch, CASE, wrong);
    scratch.run(&["e2e", "--ground", "mapped"]).check(2, &[&place, says, help]);
}
