//! The way of an author: a subject file is written, looked at in its seat, and mended.

use std::fs;

use rstest::rstest;

use crate::scratch::{Scratch, reference, subject};

#[rstest]
#[case::newest("front-end-2013")]
#[case::older("front-end-2010")]
fn what_init_writes_is_right_as_it_is(#[case] role: &str) {
    let scratch = Scratch::new();
    let folder = scratch.path("mine");
    let init = ["init", "--role", role, "my-proxy", "-o", &folder];
    scratch
        .run(&init)
        .check(0, &["wrote ", "my-proxy.toml", "my-proxy.conf.jinja", "coexist doctor --subject"]);
    let file = format!("{folder}/my-proxy.toml");
    scratch.run(&["check", &file]).check(0, &["0 errors, 0 warnings"]);
    // Its template renders in a lab; the program is for its author to bring.
    scratch.run(&["doctor", "--ground", "mapped", "--subject", &file]).check(
        4,
        &["ok    templates", "1 rendered", "FAIL  program", "`my-proxy`: it is in no folder of PATH"],
    );
    let before = fs::read_to_string(&file).unwrap();
    scratch.run(&init).check(2, &["my-proxy.toml is there already, and is left as it is"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
}

#[rstest]
#[case(&["init", "--role", "front-end-2013", "My Proxy"], &["`My Proxy` is no name for a subject; a right one: my-proxy"])]
#[case(&["init", "--role", "front", "mine"], &["`front` is no role", "front-end-2013"])]
#[case(&["doctor", "--subject", "nobody"], &["no subject is called `nobody`"])]
#[case(&["e2e", "--baseline", "nowhere.json"], &["nowhere.json: No such file"])]
fn a_wrong_word_is_refused_with_a_right_one(#[case] args: &[&str], #[case] says: &[&str]) {
    crate::scratch::run(args).check(2, says);
}

#[test]
fn a_sound_subject_is_well_in_every_line() {
    let scratch = Scratch::new();
    let ended = scratch.run(&["doctor", "--ground", "mapped", "--subject", "reference-2013"]);
    let lines = [
        "ok    program",
        "ok    ready",
        "ok    https",
        "ok    http",
        "ok    mail.contoso.com",
        "ok    autodiscover.contoso.com, no SNI",
        "ok    signs in",
        "ok    directory",
        "ok    a server",
        "ok    stops",
        "ok    leaves",
        "all is well",
    ];
    ended.check(0, &lines).check_never(&["FAIL", "hint:"]);
}

#[rstest]
#[case::ends("[\"/bin/sh\", \"-c\", \"echo no licence; exit 7\"]", "", 4, &["FAIL  started", "(exit status: 7)", "no licence", "hint: it has to stay in the foreground"])]
#[case::deaf("[\"sleep\", \"60\"]", "", 4, &["FAIL  ready", "did not listen on 127.", "hint: it listens on {listen.https}"])]
#[case::variable("[\"sleep\", \"60\"]", "files = [{ from = \"it.jinja\", to = \"{work}/it\" }]", 2, &["FAIL  templates", "it.jinja of subject `stub`, line 2: undefined value in `port = {{ listen.smtp }}`"])]
fn what_is_wrong_is_said_in_its_line(
    #[case] command: &str,
    #[case] more: &str,
    #[case] code: i32,
    #[case] says: &[&str],
) {
    let scratch = Scratch::new();
    scratch.write("it.jinja", "work = {{ work }}\nport = {{ listen.smtp }}\n");
    let text = subject(command, more).replace("within = \"10s\"", "within = \"500ms\"");
    let file = scratch.write("stub.toml", &text);
    scratch.run(&["doctor", "--ground", "mapped", "--subject", &file]).check(code, says);
}

/// A run refuses the same template, before any lab.
#[test]
fn a_template_that_names_what_is_not_there_is_bad_input() {
    let scratch = Scratch::new();
    scratch.write("it.jinja", "{{ listen.smtp }}\n");
    let more = "files = [{ from = \"it.jinja\", to = \"{work}/it\" }]";
    let file = scratch.write("stub.toml", &subject("[\"sleep\", \"60\"]", more));
    let ended = scratch.run(&["e2e", "--ground", "mapped", "--subject", &file]);
    ended.check(2, &["it.jinja of subject `stub`, line 1: undefined value"]);
}

/// The reference follows the directory: started again it serves as before, and a HUP ends it.
#[rstest]
#[case::again("reload = \"restart\"", 0, &["ok    signs in, started again", "ok    stops"])]
#[case::hangs_up("reload = { signal = \"HUP\" }", 1, &["FAIL  signs in, told to reload", "FAIL  lasts", "signal: 1"])]
fn whoever_reloads_must_serve_as_before(#[case] reload: &str, #[case] code: i32, #[case] says: &[&str]) {
    let scratch = Scratch::new();
    let file = scratch.write("stub.toml", &subject(&reference(None), reload));
    scratch.run(&["doctor", "--ground", "mapped", "--subject", &file]).check(code, says);
}

/// A right certificate of another lab is a wrong one here, and silence is no answer.
#[rstest]
#[case::yes("says-yes", 1, &["ok    mail.contoso.com", "FAIL  signs in", "FAIL  a server", "hint: "])]
#[case::silent("says-nothing", 1, &["ok    https", "FAIL  mail.contoso.com", "no TLS within 5s", "FAIL  signs in"])]
#[case::wire("straight-wire", 1, &["FAIL  mail.contoso.com", "hint: present {cert.chain}: it names all"])]
fn a_canary_is_ill_where_it_is_wrong(#[case] name: &str, #[case] code: i32, #[case] says: &[&str]) {
    let scratch = Scratch::new();
    let file = format!("{}/subjects/canaries/{name}.toml", scratch.suites());
    scratch.run(&["doctor", "--ground", "mapped", "--subject", &file]).check(code, says);
}

#[test]
fn a_subject_that_has_to_be_killed_has_its_verdicts_and_its_author_is_told_once() {
    let scratch = Scratch::new();
    let deaf =
        "trap '' TERM; {coexist} reference --role front-end-2013 --lab {lab} & while :; do sleep 1; done";
    let text = subject(&format!("[\"/bin/sh\", \"-c\", \"{deaf}\"]"), "");
    let file = scratch.write("stub.toml", &text.replace("within = \"1s\"", "within = \"100ms\""));
    let cases = ["--case", "coexistence/owa/red", "--case", "coexistence/owa/red-of-two"];
    let ended = scratch.run(&[&["e2e", "--ground", "mapped", "--subject", &file], &cases[..]].concat());
    let remark = "remark     subject `stub` did not end within 100ms of TERM in 2 labs, and was killed";
    ended.check(0, &["2 passed; 2 selected", remark]);
}

#[test]
fn a_lie_about_how_it_speaks_for_users_fails() {
    let scratch = Scratch::new();
    let declares = "[declares]\nto-servers = \"basic\"";
    let file = scratch.write("stub.toml", &subject(&reference(None), declares));
    let args = ["e2e", "--ground", "mapped", "--subject", &file, "--case", "coexistence/owa/red"];
    scratch.run(&args).check(1, &["otherwise than by to-servers = \"basic\", which the subject declares"]);
    let file = scratch.write("stub.toml", &subject(&reference(None), &declares.replace("basic", "ticket")));
    let args = ["e2e", "--ground", "mapped", "--subject", &file, "--case", "coexistence/owa/red"];
    scratch
        .run(&args)
        .check(0, &["declared   to-servers = \"ticket\": so in ", "(tolerance: none may be otherwise)"]);
}

#[test]
fn a_subject_that_declares_another_451_skips_the_cases_of_the_one_set() {
    let scratch = Scratch::new();
    let text = subject(
        &reference(None).replace("front-end-2013", "front-end-2010"),
        "[declares]\neas-451 = \"12.1-and-later\"",
    )
    .replace("role = \"front-end-2013\"", "role = \"front-end-2010\"")
    .replace("[\"owa\", \"silent-redirect\"]", "[\"eas\", \"autodiscover\"]");
    let file = scratch.write("stub.toml", &text);
    let args = ["e2e", "--ground", "mapped", "--subject", &file, "--rule", "PRE-EAS-4B"];
    scratch.run(&args).check(3, &["stub declares eas-451 = \"12.1-and-later\", not \"article-list\""]);
}

#[test]
fn what_is_beyond_a_declared_limit_need_not_pass() {
    let scratch = Scratch::new();
    let run = |limit: &str, case: &str| {
        let text = subject(&reference(None), &format!("[declares]\n{limit}"))
            .replace("[\"owa\", \"silent-redirect\"]", "[\"ews\"]");
        let file = scratch.write("stub.toml", &text);
        scratch.run(&["e2e", "--ground", "mapped", "--subject", &file, "--case", case])
    };
    let (head, body) = ("coexistence/wire/red-big-head*", "coexistence/wire/red-body*");
    let skipped = "stub declares a head-limit of 8192 bytes; a head here has 12";
    run("head-limit = \"8k\"", head).check(0, &["1 passed, 1 skipped; 2 selected", skipped]);
    let held = "declared   head-limit = 65536 bytes: 2 cases of X-WIRE-13";
    run("head-limit = \"64k\"", head).check(0, &["2 passed; 2 selected", held]);
    let skipped = "stub declares a body-limit of 262144 bytes; a body here has 300000 and more";
    run("body-limit = \"256k\"", body).check(0, &["6 passed, 2 skipped; 8 selected", skipped]);
    // Beyond any limit is the refusal, which is judged whatever is declared.
    run("head-limit = \"8k\"", "coexistence/wire/red-head-without-end").check(0, &["1 passed; 1 selected"]);
}

/// Nobody waits for an hour; what is declared is waited for and kept to (rule CX-OWA-7).
#[test]
fn the_end_of_a_session_is_waited_for_where_it_is_declared_and_near() {
    let scratch = Scratch::new();
    let run = |declares: &str| {
        let own = reference(None).replace("--lab", "--owa-timeout\", \"400ms\", \"--lab");
        let file = scratch.write("stub.toml", &subject(&own, declares));
        let case = "coexistence/owa/orange-moves-to-site2";
        scratch.run(&["e2e", "--ground", "mapped", "--subject", &file, "--case", case])
    };
    run("").check(3, &["stub declares no owa-timeout, so the end of a session is not waited for"]);
    run("[declares]\nowa-timeout = \"60m\"").check(3, &["at most 30000ms are waited for"]);
    run("[declares]\nowa-timeout = \"400ms\"").check(
        0,
        &["declared   owa-timeout = \"400ms\": 1 cases of it (tolerance: after half of it the mailbox, 250 ms after it"],
    );
}

/// However late they came back: after the time that is declared they are served, and that is the subject's doing.
#[test]
fn a_session_that_does_not_end_fails_though_its_browser_was_late() {
    let scratch = Scratch::new();
    let file = scratch.write("stub.toml", &keeps_sessions("60s", "1ms"));
    let case = "coexistence/owa/sessions-end";
    scratch
        .run(&["e2e", "--ground", "mapped", "--subject", &file, "--case", case])
        .check(1, &["1 failed", "legs 7, 8, 9 and 10 differ"])
        .check_never(&["too slow to tell"]);
}

/// A browser that comes back later than is declared says nothing about a subject whose session is over by then; of one that goes
/// on, or of another server's page, it does.
#[rstest]
#[case::is_over("1s", "mail", &["cas2013-s1", "cas2010-s1", "mbx2010-s1"], "mailbox = \"red\"", true)]
#[case::goes_on("60s", "mail", &["cas2013-s1"], "logon-page = 3", false)]
#[case::at_another_server("60s", "legacy", &["cas2007-s1"], "mailbox = \"red\"", false)]
fn what_a_late_browser_finds_is_excused_only_where_it_is_a_session_that_is_over(
    #[case] lives: &str,
    #[case] namespace: &str,
    #[case] servers: &[&str],
    #[case] told: &str,
    #[case] is_excused: bool,
) {
    let scratch = Scratch::with_cases(&["coexistence/owa/sessions-end"]);
    let step = |namespace: &str, more: &str, hops: &[&str], prompts: u8, told: &str| {
        format!(
            "[[step]]\nwhen = {{ mailbox = \"red\", client = \"browser\", view = \"external\", \
             opens = \"https://{namespace}.contoso.com/owa/\", does = \"open-mailbox\"{more} }}\n\
             then = [{{ dials = \"{namespace}.contoso.com\", reached = \"typed\", hops = {hops:?}, \
             prompts = {{ credentials = {prompts}, certificate = 0 }}, told = {{ {told} }} }}]\n"
        )
    };
    let text = [
        "title = \"late\"\nrules = [\"CX-OWA-7\"]\nsource = \"made by hand\"\nneeds = [\"owa\"]\n",
        &step("mail", "", &["cas2013-s1", "cas2010-s1", "mbx2010-s1"], 1, "mailbox = \"red\""),
        "[[step]]\nsteers = { waits-for = \"owa-timeout\" }\n",
        &step(namespace, ", password = \"none\", comes-back = \"in-session\"", servers, 0, told),
    ];
    scratch.write("suites/cases/coexistence/owa/sessions-end.toml", &text.concat());
    let file = scratch.write("stub.toml", &keeps_sessions(lives, "1s"));
    let ended = scratch.run(&["e2e", "--ground", "mapped", "--subject", &file]);
    match is_excused {
        false => ended.check(1, &["1 failed", "leg 2 differs"]).check_never(&["too slow to tell"]),
        true => ended.check(4, &["1 could not be run (setup)", "too slow to tell: 1s are declared"]),
    };
}

/// A subject that keeps sessions for another time than it declares.
fn keeps_sessions(lives: &str, declared: &str) -> String {
    let own = reference(None).replace("--lab", &format!("--owa-timeout\", \"{lives}\", \"--lab"));
    subject(&own, &format!("[declares]\nowa-timeout = \"{declared}\""))
}

/// A session that began after others were over is not older for it, and one at another namespace is not the subject's.
#[rstest]
#[case::later("orange-moves-to-site2", "orange", "leg 4 differs")]
#[case::elsewhere("sessions-at-the-new-namespace", "purple", "leg 5 differs")]
fn a_difference_in_a_session_that_is_not_over_fails(
    #[case] name: &str,
    #[case] mailbox: &str,
    #[case] says: &str,
) {
    let scratch = Scratch::with_cases(&[&format!("coexistence/owa/{name}")]);
    let last = |told: &str| format!("signs-in = \"none\"\ntold     = {{ {told} }}");
    let served = last(&format!("mailbox = \"{mailbox}\""));
    scratch.edit(&format!("cases/coexistence/owa/{name}.toml"), &served, &last("logon-page = 3"));
    scratch
        .run(&["e2e", "--ground", "mapped"])
        .check(1, &["1 failed", says])
        .check_never(&["too slow to tell"]);
}

/// The reference reads the local site as the article does; with this defect it reads it as the mailbox's.
#[test]
fn of_two_readings_of_the_local_site_a_subject_is_held_to_the_one_it_declares() {
    let scratch = Scratch::new();
    let run = |defect: Option<&str>, declared: &str, case: &str| {
        let declares = format!("[declares]\noab-local-site = \"{declared}\"");
        let text = subject(&reference(defect), &declares)
            .replace("[\"owa\", \"silent-redirect\"]", "[\"autodiscover\", \"oab\"]");
        let file = scratch.write("stub.toml", &text);
        scratch.run(&["e2e", "--ground", "mapped", "--subject", &file, "--case", case])
    };
    let (article, own) = ("coexistence/oab/blue", "coexistence/oab/blue-own-site");
    let other = Some("oab-from-mailbox-site");
    run(other, "mailbox", own)
        .check(0, &["1 passed; 1 selected", "declared   oab-local-site = \"mailbox\": 1 cases of it"]);
    run(None, "mailbox", own).check(1, &["coexistence/oab/blue-own-site: leg 2 differs"]);
    run(None, "seat", article).check(0, &["1 passed; 1 selected"]);
    run(other, "mailbox", article).check(3, &["stub does not declare oab-local-site = \"seat\""]);
}

/// What Exchange does and another proxy need not is told, and decides only where that is asked for.
#[test]
fn a_likeness_decides_only_where_it_is_asked_to() {
    let scratch = Scratch::with_cases(&["coexistence/owa/purple", "coexistence/owa/red"]);
    scratch.edit("cases/coexistence/owa/purple.toml", "\"CX-OWA-2\"", "\"CX-OWA-8\"");
    let file = scratch.write("stub.toml", &subject(&reference(Some("redirects-bare")), ""));
    let args = ["e2e", "--ground", "mapped", "--subject", &file];
    let spared =
        "level      result: 1 case that differs is of likeness alone, and does not decide (--level likeness)";
    scratch.run(&args).check(0, &["coexistence/owa/purple: legs 1 and 2 differ", spared]);
    scratch
        .run(&[&args[..], &["--level", "likeness"]].concat())
        .check(1, &["1 failed"])
        .check_never(&["does not decide"]);
    scratch.run(&[&args[..], &["--level", "perfect"]].concat()).check(2, &["--level", "likeness"]);
}

/// Each wrong in its own way, each told in its own words.
#[rstest]
#[case::endless("never-ends", &["answered with more than 4194304 bytes"])]
#[case::wrong_certificate("straight-wire", &["- prompts: credentials 1, certificate 1"])]
fn what_comes_of_it_is_told_in_its_own_words(#[case] name: &str, #[case] says: &[&str]) {
    let scratch = Scratch::new();
    let file = format!("{}/subjects/canaries/{name}.toml", scratch.suites());
    let args =
        ["e2e", "--ground", "mapped", "--subject", &file, "--case", "coexistence/ews/red-wrong-password"];
    scratch.run(&args).check(1, says);
}

/// Its listener takes connections before it has asked anybody; the first round is waited for all the same.
#[test]
fn whoever_is_ready_by_pings_has_asked_every_older_server_before_the_first_case() {
    let scratch = Scratch::new();
    let asks = |interval: &str, within: &str| {
        let own = reference(None).replace("--lab", &format!("--health-interval\", \"{interval}\", \"--lab"));
        let ready = format!("ready = {{ tcp = \"https\", pings = true, within = \"{within}\" }}");
        subject(&own, "").replace("ready = { tcp = \"https\", within = \"10s\" }", &ready)
    };
    let file = scratch.write("stub.toml", &asks("200ms", "10s"));
    let report = scratch.path("report");
    let args = ["e2e", "--ground", "mapped", "--subject", &file, "--case", "coexistence/owa/red"];
    scratch.run(&[&args[..], &["--report", &report]].concat()).check(0, &["1 passed; 1 selected"]);
    let ledger = fs::read_to_string(format!("{report}/ledger.jsonl")).unwrap();
    let arrivals: Vec<serde_json::Value> =
        ledger.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let is_of_case = |arrival: &&serde_json::Value| arrival["case"].is_string();
    let first =
        arrivals.iter().filter(is_of_case).filter_map(|arrival| arrival["order"].as_u64()).min().unwrap();
    for server in ["cas2007-s1", "cas2010-s1", "cas2010-s2", "cas2010-s3"] {
        let asked = |arrival: &&serde_json::Value| {
            arrival["server"] == server
                && arrival["case"].is_null()
                && arrival["order"].as_u64() < Some(first)
        };
        assert!(
            arrivals.iter().any(|arrival| asked(&arrival)),
            "{server} was not asked before {first}\n{ledger}"
        );
    }
    let file = scratch.write("stub.toml", &asks("never", "500ms"));
    let args = ["e2e", "--ground", "mapped", "--subject", &file, "--case", "coexistence/owa/red"];
    scratch.run(&args).check(4, &["no health round within 500ms: not asked were cas2007-s1/"]);
}

/// Beside the reference, which follows the directory, the subject writes down what its file says, at its start and whenever it
/// is told to read it again. TERM comes after HUP, and the shell does what is due to both in that order.
#[rstest]
#[case::told("trap 'cat {work}/active >> SEEN' HUP; trap 'exit 0' TERM; cat {work}/active >> SEEN; (trap '' HUP; exec {coexist} reference --role front-end-2013 --lab {lab}) & while :; do wait; done", "{ signal = \"HUP\" }", &["mbx2013-s1b", "mbx2013-s1", "mbx2013-s1b"])]
#[case::started_again("cat {work}/active >> SEEN; exec {coexist} reference --role front-end-2013 --lab {lab}", "\"restart\"", &["mbx2013-s1b", "mbx2013-s1", "mbx2013-s1b"])]
#[case::left("cat {work}/active >> SEEN; exec {coexist} reference --role front-end-2013 --lab {lab}", "\"none\"", &["mbx2013-s1b"])]
fn a_subject_that_follows_files_is_told_of_what_a_case_changes(
    #[case] script: &str,
    #[case] reload: &str,
    #[case] active: &[&str],
) {
    let scratch = Scratch::new();
    let seen = scratch.path("seen");
    scratch.write("active.jinja", "{{ topology.databases[\"db2013-s1\"].active }}\n");
    let files = "files = [{ from = \"active.jinja\", to = \"{work}/active\" }]";
    let command = format!("[\"/bin/sh\", \"-c\", \"{}\"]", script.replace("SEEN", &seen));
    let text = subject(&command, &format!("reload = {reload}\n{files}"));
    let file = scratch.write("stub.toml", &text);
    let case = "coexistence/owa/green-failover";
    let args = ["e2e", "--ground", "mapped", "--subject", &file, "--case", case];
    scratch.run(&args).check(0, &["1 passed; 1 selected"]);
    let seen = fs::read_to_string(&seen).unwrap();
    assert_eq!(seen.lines().collect::<Vec<_>>(), active);
}
