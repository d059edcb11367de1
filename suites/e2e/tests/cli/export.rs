//! A lab written down for an engine that is there already.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::scratch::Scratch;

/// The line that begins so, in a text of which one does.
#[track_caller]
fn line<'t>(text: &'t str, begins: &str) -> &'t str {
    text.lines().find(|line| line.starts_with(begins)).unwrap_or_else(|| panic!("no line begins `{begins}`"))
}

#[test]
fn pods_find_the_runner_by_its_name_and_each_lab_has_a_word_of_its_own() {
    let scratch = Scratch::new();
    let export = |folder: &str| {
        let out = scratch.path(folder);
        let words = [
            "export",
            "coexistence",
            "--format",
            "kubernetes",
            "-o",
            &out,
            "--",
            "--case",
            "coexistence/owa/*",
        ];
        scratch.run(&words).check(0, &["servers and a runner", "kubectl create -f lab.yaml"]);
        fs::read_to_string(format!("{out}/lab.yaml")).unwrap()
    };
    let (one, other) = (export("one"), export("other"));
    let word = line(&one, "stringData: { word: ");
    assert_eq!(word.len(), "stringData: { word: \"\" }".len() + 64, "{word}");
    assert_ne!(word, line(&other, "stringData: { word: "));
    let rights = fs::metadata(scratch.path("one/lab.yaml")).unwrap().permissions().mode();
    assert_eq!(rights & 0o777, 0o600, "it holds a secret");
    let runner = r#"args: ["e2e", "--host", "expected:/coexist-lab/roll.json", "--topology", "coexistence", "--case", "coexistence/owa/*"]"#;
    assert_eq!(one.matches(runner).count(), 1);
    let door = "\"--door\", \"tcp://coexist-coexistence:8070\"";
    let pods = one.lines().filter(|line| *line == "kind: Pod").count();
    assert!(pods >= 11, "the servers of the base topology and of its variants: {pods}");
    assert_eq!(one.matches(door).count(), pods);
    // A process of its own runs in the seat alone.
    let seat = r#"args: ["server", "cas2013-s1", "--door", "tcp://coexist-coexistence:8070", "--resolver", "/etc/resolv.conf"]"#;
    assert_eq!((one.matches(seat).count(), one.matches("--resolver").count()), (1, 1));
}

#[test]
fn a_compose_file_has_the_addresses_that_it_is_told() {
    let scratch = Scratch::new();
    let out = scratch.path("lab");
    let export = |format: &str, subnet: &str| {
        let own = ["--format", format, "-o", &out, "--subnet", subnet];
        scratch.run(&[&["export", "pre-e15"][..], &own].concat())
    };
    export("compose", "mine").check(2, &["it is no network; right is one like 10.99.0.0/16"]);
    export("compose", "8.8.0.0/16").check(2, &["8.8.0.0/16 is no private network"]);
    export("compose", "10.99.0.0/23")
        .check(2, &["no room for 3 sites and the outside", "right is 10.99.0.0/21, or larger"]);
    export("kubernetes", "10.99.0.0/16").check(2, &["--subnet is for --format compose"]);
    assert!(!fs::exists(&out).unwrap(), "what is refused writes nothing");
    export("compose", "10.99.0.0/16").check(0, &["servers and a runner"]);
    let read = |file: &str| fs::read_to_string(format!("{out}/{file}")).unwrap();
    assert!(read("resolv.conf").starts_with("nameserver 10.99.0.2\n"));
    let compose = read("compose.yaml");
    let subnets: Vec<&str> = compose.lines().filter(|line| line.contains("subnet:")).collect();
    assert_eq!(
        subnets,
        [
            r#"    ipam: { config: [{ subnet: "10.99.0.0/22" }] }"#,
            r#"    ipam: { config: [{ subnet: "10.99.4.0/24" }] }"#
        ]
    );
    let says = "# COEXIST_IMAGE names another image than `coexist`. Where the engine says that 10.99.0.0/22 or 10.99.4.0/24 overlaps";
    assert!(compose.contains(says), "{compose}");
    for (file, text) in [("compose.yaml", &compose), ("layout.json", &read("layout.json"))] {
        assert!(text.contains("10.99.1.10") && !text.contains("198.18."), "{file}: {text}");
    }
}

#[test]
fn a_thousand_servers_are_pods_whatever_one_machine_has_addresses_for() {
    let scratch = Scratch::new();
    let mut topology =
        fs::read_to_string(format!("{}/../topologies/pre-e15.toml", env!("CARGO_MANIFEST_DIR"))).unwrap();
    for number in 0..1000 {
        let _ = write!(
            topology,
            "\n[servers.mbx2010-x{number}]\nversion = \"Exchange2010\"\nbuild = \"14.3.123.4\"\nsite = \"Site3\"\n\
             roles = [\"mailbox\"]\n"
        );
    }
    let file = scratch.path("large.toml");
    fs::write(&file, &topology).unwrap();
    let out = scratch.path("large");
    let says = ["servers of one site are more than containers have addresses for"];
    scratch.run(&["export", &file, "--format", "compose", "-o", &out]).check(2, &says);
    scratch
        .run(&["export", &file, "--format", "kubernetes", "-o", &out])
        .check(0, &["1008 servers and a runner"]);
    let text = fs::read_to_string(format!("{out}/lab.yaml")).unwrap();
    let pods = text.split("---\n").filter(|document| document.contains("\nkind: Pod\n"));
    let names: BTreeSet<&str> =
        pods.map(|pod| line(pod, "metadata: { name: ").split('"').nth(1).unwrap()).collect();
    assert_eq!(names.len(), 1008);
    assert!(names.contains("coexist-large-mbx2010-x999"), "{names:?}");
}
