//! Mapped ground; the subject is a shell script, and the test itself listens on the address that the subject would.
//!
//! ```text
//! seat = cas2013-s1, 127.a.b.10 (443 is 10443 here)      absent: every server, DNS, the directory
//! ```

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::json;
use tokio::net::{TcpListener, TcpSocket};

use super::*;
use crate::ground::{Block, Ground};

/// A seat with a folder and an address of its own.
struct Stage {
    block: Block,
    folder: PathBuf,
    seat: Seat,
}

impl Stage {
    /// A subject whose script is `script`, changed by `edit`.
    fn of(name: &str, script: &str, edit: impl FnOnce(&mut serde_json::Value)) -> Stage {
        let block = Ground::mapped().claim(1).unwrap();
        let folder = std::env::temp_dir().join(format!("coexist-lab-seat-{name}-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("work")).unwrap();
        let mut subject = json!({
            "contract": 1, "name": "my-proxy", "role": "front-end-2013", "features": ["owa"],
            "run": {
                "command": ["sh", "-c", script, "my-proxy"],
                "ready": { "tcp": "https", "within": "10s" },
                "stop": { "signal": "TERM", "within": "10s" },
            },
        });
        edit(&mut subject);
        let topology = json!({
            "source": "a test", "role": "front-end-2013", "seat": "cas2013-s1", "domain": "contoso.com",
            "split-brain": true, "sites": { "Site1": {} }, "servers": {}, "namespaces": {}, "databases": {}, "mailboxes": {},
        });
        let real = |port| block.reserve(block.address(10), port).unwrap().real;
        let facts = Facts {
            seat: SeatFacts {
                server: "cas2013-s1".parse().unwrap(),
                fqdn: "cas2013-s1.contoso.com".parse().unwrap(),
                site: "Site1".parse().unwrap(),
                role: model::Role::FrontEnd2013,
                address: block.address(10),
                listen: SeatListeners {
                    https: real(443),
                    http: real(80),
                    imaps: real(993),
                    imap: real(143),
                    pops: real(995),
                    pop: real(110),
                },
                certificate: SeatFiles {
                    chain: "/c.pem".into(),
                    key: "/k.pem".into(),
                    pem: "/ck.pem".into(),
                    pfx: "/ck.pfx".into(),
                    pfx_password: "coexist",
                },
            },
            ca: "/ca.pem".into(),
            dns: SocketAddr::new(block.address(2), 53),
            directory: "http://127.80.3.4:80".into(),
            ldap: "ldap://127.80.3.4:389".into(),
            ldaps: "ldaps://127.80.3.4:636".into(),
            global_catalog: "ldap://127.80.3.4:3268".into(),
            service_account: Account { user: "CONTOSO\\svc-proxy".into(), password: "p\"w".into() },
            source: block.address(10),
            dial: vec![],
            mapped: vec![],
            request_log: None,
            health_interval: "50000ms".to_owned(),
            domain: "contoso.com".parse().unwrap(),
            namespaces: vec![],
            servers: vec![],
            topology: serde_json::from_value(topology).unwrap(),
            mailboxes: vec![],
        };
        let seat = Seat {
            subject: serde_json::from_value(subject).unwrap(),
            folder: folder.clone(),
            work: folder.join("work"),
            coexist: "/bin/coexist".into(),
            ground: GroundKind::Mapped,
            facts: Box::new(facts),
            station: None,
        };
        Stage { block, folder, seat }
    }

    /// Listens where the subject would.
    fn listen(&self) -> TcpListener {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(self.block.dials().real(self.block.address(10), 443)).unwrap();
        socket.listen(8).unwrap()
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.folder.join("work").join(path)).unwrap()
    }

    async fn refused(&self) -> SeatError {
        self.seat.clone().start().await.map(|_| ()).unwrap_err()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn alive(pid: u32) -> bool {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::test_kill_process(pid).is_ok()
}

#[tokio::test]
async fn a_subject_is_told_everything_and_ends_when_asked() {
    let script =
        r#"echo "$0 $1 $CA" > told; pwd >> told; trap 'echo asked; exit 7' TERM; echo up; sleep 60 & wait"#;
    let stage = Stage::of("told", script, |subject| {
        subject["run"]["command"].as_array_mut().unwrap().push(json!("--listen={listen.https} {\"a\": {}}"));
        subject["run"]["env"] = json!({ "CA": "{ca}" });
        subject["run"]["files"] = json!([{ "from": "it.json.jinja", "to": "{work}/conf/it.json" }]);
    });
    let template = "{{ service_account.password | tojson }} {{ seat.listen.https }} {{ work }}\n";
    std::fs::write(stage.folder.join("it.json.jinja"), template).unwrap();
    let _listener = stage.listen();
    let https = stage.seat.facts.seat.listen.https;

    let running = stage.seat.clone().start().await.unwrap();
    while !running.log_tail().contains("up") {
        tokio::task::yield_now().await;
    }
    let pid = running.pid();
    assert!(running.has_died().is_none());
    let Stopped::Itself(status) = running.stop().await else { panic!("it ends when asked") };
    assert_eq!(status.code(), Some(7));
    assert!(!alive(pid));

    let work = std::fs::canonicalize(stage.folder.join("work")).unwrap();
    let told = format!("my-proxy --listen={https} {{\"a\": {{}}}} /ca.pem\n{}\n", work.display());
    assert_eq!(stage.read("told"), told);
    assert_eq!(stage.read("conf/it.json"), format!("\"p\\\"w\" {https} {}\n", stage.seat.work.display()));
    assert!(stage.read("logs/subject.log").ends_with("asked\n"));
    let lab: serde_json::Value = serde_json::from_str(&stage.read("lab.json")).unwrap();
    assert_eq!(lab["contract"], 1);
    assert_eq!(lab["seat"]["listen"]["https"], https.to_string());
    assert_eq!(lab["dns"]["internal"], stage.seat.facts.dns.to_string());
    assert_eq!(lab["service-account"]["user"], "CONTOSO\\svc-proxy");
}

#[tokio::test]
async fn a_subject_that_ends_at_once_is_shown_with_its_status_and_the_end_of_its_log() {
    let stage =
        Stage::of("ends", "for n in $(seq 30); do echo line $n; done; echo no licence >&2; exit 3", |_| {});
    let refused = stage.refused().await.to_string();
    let log = stage.folder.join("work/logs/subject.log");
    let lines: String = (12..=30).map(|n| format!("\n  line {n}")).collect();
    let expected = format!(
        "subject `my-proxy` ended before it was ready (exit status: 3); the end of {}:{lines}\n  no licence",
        log.display()
    );
    assert_eq!(refused, expected);
}

#[tokio::test]
async fn a_subject_that_does_not_listen_in_time_is_killed_and_named() {
    let stage = Stage::of("deaf", "echo $$ > pid; echo thinking; exec sleep 60", |subject| {
        subject["run"]["ready"]["within"] = json!("1s");
    });
    let refused = stage.refused().await;
    assert!(matches!(&refused, SeatError::NotReady { tail, .. } if tail == "  thinking"), "{refused}");
    assert!(!alive(stage.read("pid").trim().parse().unwrap()));
}

#[tokio::test]
async fn a_subject_that_will_not_end_is_killed_with_all_that_it_started() {
    let script = "trap '' TERM; sleep 60 & echo $! > child; echo up; while :; do wait; done";
    let stage = Stage::of("stubborn", script, |subject| subject["run"]["stop"]["within"] = json!("100ms"));
    let _listener = stage.listen();
    let running = stage.seat.clone().start().await.unwrap();
    while !running.log_tail().contains("up") {
        tokio::task::yield_now().await;
    }
    let pid = running.pid();
    assert_eq!(running.stop().await, Stopped::Killed);
    assert!(!alive(pid));
    // A grandchild is somebody else's to reap, so the end of it is being gone or a zombie, a moment after the signal.
    let stat = format!("/proc/{}/stat", stage.read("child").trim());
    let over = async {
        while std::fs::read_to_string(&stat).is_ok_and(|state| !state.contains(") Z")) {
            tokio::task::yield_now().await;
        }
    };
    assert!(clock::within(Duration::from_secs(10), over).await.is_some(), "the child lives on");
}

#[tokio::test]
async fn a_death_in_the_middle_of_a_run_is_told() {
    let stage = Stage::of("dies", "until [ -e die ]; do :; done; kill -9 $$", |_| {});
    let _listener = stage.listen();
    let running = stage.seat.clone().start().await.unwrap();
    std::fs::write(stage.seat.work.join("die"), "").unwrap();
    let status = running.died().await;
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
    assert_eq!(running.stop().await, Stopped::Before(status));
}

#[tokio::test]
async fn a_dropped_subject_does_not_live_on() {
    let stage = Stage::of("dropped", "exec sleep 60", |_| {});
    let _listener = stage.listen();
    let running = stage.seat.clone().start().await.unwrap();
    let pid = running.pid();
    drop(running);
    assert!(!alive(pid));
}

/// Waits until a subject has written a word into its log as often as this.
async fn until_said(running: &Running, word: &str, times: usize) {
    let said = async {
        while running.log_tail().matches(word).count() < times {
            tokio::task::yield_now().await;
        }
    };
    // A shell cannot trap what whoever started it ignores: under nohup it hears no HUP.
    let in_time = clock::within(Duration::from_secs(20), said).await;
    assert!(in_time.is_some(), "`{word}` was not said {times} times: {}", running.log_tail());
}

#[tokio::test]
async fn a_subject_may_say_in_its_log_that_it_is_ready() {
    // The text comes in two pieces, and after more than is read at a time.
    let script =
        "head -c 100000 /dev/zero; printf now-; until [ -e go ]; do :; done; echo serving; exec sleep 60";
    let stage = Stage::of("says", script, |subject| {
        subject["run"]["ready"] = json!({ "log": "now-serving", "within": "10s" });
    });
    let starting = tokio::spawn(stage.seat.clone().start());
    while !std::fs::exists(stage.seat.work.join("logs/subject.log")).unwrap() {
        tokio::task::yield_now().await;
    }
    assert!(!starting.is_finished());
    std::fs::write(stage.seat.work.join("go"), "").unwrap();
    starting.await.unwrap().unwrap().stop().await;
}

#[tokio::test]
async fn a_subject_that_never_says_so_is_told_what_was_waited_for() {
    let stage = Stage::of("mute", "exec sleep 60", |subject| {
        subject["run"]["ready"] = json!({ "log": "now serving", "within": "200ms" });
    });
    let refused = stage.refused().await.to_string();
    assert!(refused.contains("did not write `now serving` into its log within 200ms"), "{refused}");
}

/// Answers each connection with this status line.
async fn answer(listener: TcpListener, status: &'static str) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 512];
        let read = stream.read(&mut head).await.unwrap();
        assert!(head[..read].starts_with(b"GET /health HTTP/1.1\r\nHost: cas2013-s1.contoso.com\r\n"));
        stream.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn a_subject_may_be_ready_once_it_answers_a_request() {
    let asks = |subject: &mut serde_json::Value| {
        subject["run"]["ready"] = json!({ "http": "http /health", "within": "500ms" });
    };
    for (status, ready) in [("204 No Content", true), ("404 Not Found", true), ("503 Not Yet", false)] {
        let stage = Stage::of("answers", "exec sleep 60", asks);
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(stage.block.dials().real(stage.block.address(10), 80)).unwrap();
        let serving = tokio::spawn(answer(socket.listen(8).unwrap(), status));
        match stage.seat.clone().start().await {
            Ok(running) => {
                assert!(ready, "{status}");
                running.stop().await;
            }
            Err(refused) => {
                assert!(!ready, "{status}: {refused}");
                assert!(refused.to_string().contains("did not answer /health at 127."), "{refused}");
            }
        }
        serving.abort();
    }
}

#[tokio::test]
async fn a_subject_reads_its_files_again_in_the_way_that_it_knows() {
    let script = "trap 'cat it' HUP; cat it; echo up; while :; do sleep 0.01; done";
    let edit = |reload: serde_json::Value| {
        move |subject: &mut serde_json::Value| {
            subject["run"]["reload"] = reload;
            subject["run"]["ready"] = json!({ "log": "up", "within": "10s" });
            subject["run"]["files"] = json!([{ "from": "it.jinja", "to": "{work}/it" }]);
        }
    };
    for (name, reload) in
        [("hup", json!({ "signal": "HUP" })), ("restart", json!("restart")), ("left", json!("none"))]
    {
        let stage = Stage::of(name, script, edit(reload));
        std::fs::write(stage.folder.join("it.jinja"), "of {{ domain }}\n").unwrap();
        let mut running = stage.seat.clone().start().await.unwrap();
        let (pid, mut facts) = (running.pid(), *stage.seat.facts.clone());
        facts.domain = "fabrikam.com".parse().unwrap();
        let reloaded = running.reload(facts).await.unwrap();
        match name {
            "left" => assert_eq!(reloaded, Reloaded::Left),
            "hup" => {
                assert_eq!((reloaded, running.pid()), (Reloaded::Told, pid));
                until_said(&running, "of fabrikam.com", 1).await;
            }
            _ => {
                assert!(matches!(reloaded, Reloaded::Restarted(Stopped::Itself(_))), "{reloaded:?}");
                assert!(!alive(pid) && running.pid() != pid);
                until_said(&running, "of fabrikam.com", 1).await;
                until_said(&running, "up", 2).await;
            }
        }
        until_said(&running, "of contoso.com", 1).await;
        running.stop().await;
    }
}

/// However soon after the one signal the other comes.
#[tokio::test]
async fn what_dies_of_being_told_to_read_its_files_again_had_ended_before_it_was_asked_to() {
    use std::os::unix::process::ExitStatusExt;
    for _ in 0..20 {
        let stage = Stage::of("dies-of-hup", "echo up; while :; do sleep 0.01; done", |subject| {
            subject["run"]["reload"] = json!({ "signal": "HUP" });
            subject["run"]["ready"] = json!({ "log": "up", "within": "10s" });
        });
        let mut running = stage.seat.clone().start().await.unwrap();
        assert_eq!(running.reload(*stage.seat.facts.clone()).await.unwrap(), Reloaded::Told);
        let Stopped::Before(status) = running.stop().await else { panic!("it died of HUP") };
        assert_eq!(status.signal(), Some(1));
    }
}

#[test]
fn every_variable_has_a_value_and_is_the_same_in_braces_and_in_a_template() {
    let stage = Stage::of("all", "", |_| {});
    let told = lab_json(&stage.seat.facts);
    let variables = Variables::of(&stage.seat, Path::new("/lab.json"), &told);
    for (name, _) in model::subject::variables::VARIABLES {
        let value = variables.value(name).unwrap_or_else(|| panic!("{name} has no value"));
        let template = stage.folder.join("one.jinja");
        std::fs::write(&template, format!("{{{{ {} }}}}", name.replace('-', "_"))).unwrap();
        let rendered = templates::render("my-proxy", &template, variables.tree()).unwrap();
        match rendered.starts_with('[') {
            true => assert!(["namespaces", "servers", "mailboxes"].contains(name)),
            false => assert_eq!(rendered, value, "{name}"),
        }
    }
    assert_eq!(variables.fill("my-proxy", "{listen.https-port}", String::new()).unwrap(), {
        stage.seat.facts.seat.listen.https.port().to_string()
    });
}

#[tokio::test]
async fn what_a_subject_file_gets_wrong_is_named() {
    let variable = Stage::of("variable", "", |subject| subject["run"]["command"][2] = json!("{listen.smtp}"));
    assert_eq!(
        variable.refused().await.to_string(),
        format!(
            "run.command[2] of subject `my-proxy` says {{listen.smtp}}; the variables are {}",
            model::subject::variables::listed()
        )
    );
    let program = Stage::of("program", "", |subject| subject["run"]["command"][0] = json!("./my-proxy"));
    let path = program.folder.join("./my-proxy");
    assert_eq!(
        program.refused().await.to_string(),
        format!(
            "subject `my-proxy` cannot be started: {}: No such file or directory (os error 2)",
            std::path::absolute(path).unwrap().display()
        )
    );
    let template = Stage::of("template", "", |subject| {
        subject["run"]["files"] = json!([{ "from": "it.jinja", "to": "{work}/it" }]);
    });
    std::fs::write(template.folder.join("it.jinja"), "fine\nlisten = {{ seat.listen.smtp }}\n").unwrap();
    assert_eq!(
        template.refused().await.to_string(),
        format!(
            "template {} of subject `my-proxy`, line 2: undefined value in `listen = {{{{ seat.listen.smtp }}}}`",
            template.folder.join("it.jinja").display()
        )
    );
}
