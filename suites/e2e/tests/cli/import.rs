//! From a customer's exports to a lab: import, check in the customer's words, predict, run.

use std::fs;
use std::path::Path;

use crate::scratch::{Scratch, run};

/// A folder of exports that is made for tests.
fn exports(name: &str) -> String {
    format!("{}/../../harness/formats/tests/exports/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Imports an export, and says what the file is called.
#[track_caller]
fn imported(scratch: &Scratch, name: &str) -> String {
    let file = scratch.path(&format!("{name}.toml"));
    let ended = scratch.run(&["import", &exports(name), "-o", &file]);
    ended.check(0, &["servers in", "next: cargo xtask check"]);
    file
}

/// Whether a line says all of this.
#[track_caller]
fn a_line_says(out: &str, words: &[&str]) {
    let found = out.lines().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(found, "no line says {words:?}:\n{out}");
}

/// Imports, checks, predicts and runs; `faults` are what each line of `check` that matters says.
#[track_caller]
fn through(name: &str, faults: &[&[&str]], passed: &str) {
    let scratch = Scratch::new();
    let file = imported(&scratch, name);
    let checked = scratch.run(&["check", &file]);
    assert_eq!(checked.code, Some(1), "{checked}");
    faults.iter().for_each(|words| a_line_says(&checked.out, words));
    let findings = checked.out.lines().count() - 1;
    assert_eq!(findings, faults.len(), "{}", checked.out);
    scratch.run(&["predict", &file]).check(0, &["journeys;", "claimed by rules"]);
    let ran = scratch.run(&["e2e", "--ground", "mapped", "--topology", &file]);
    ran.check(0, &[passed, "cases predicted by the oracle, not literal"]);
}

#[test]
fn a_pair_of_2010_is_imported_checked_predicted_and_run() {
    let array = "mail.tailspintoys.com";
    through(
        "small",
        &[
            &["error", "AMB-1", "Default-First-Site-Name", array, "resolves outside"],
            &["error", "AMB-1", array, "is the ExternalUrl of TSCAS1\\owa (Default Web Site) too"],
            &["error", "PRE-RPC-3", "Mailbox Database 0733251512 (", "resolves outside"],
            &["error", "PRE-RPC-3", "Mailbox Database 0733251512 (", "is the ExternalUrl"],
            &["error", "PRE-RPC-3", "Mailbox Database 1930462210 (", "resolves outside"],
            &["error", "PRE-RPC-3", "Mailbox Database 1930462210 (", "is the ExternalUrl"],
            &["warning", "DNS-3", "TSCAS2 (", "Get-ExchangeServer.xml:", "AutoDiscoverServiceInternalUri"],
            &[
                "warning",
                "TOP-1",
                "TSCAS2\\owa (Default Web Site) (",
                "Get-OwaVirtualDirectory.xml:120",
                "ExternalUrl is not set",
            ],
            &["warning", "TOP-1", "TSCAS2\\ecp (Default Web Site)", "ExternalUrl is not set"],
        ],
        "46 passed; 46 selected",
    );
}

#[test]
fn regions_of_2007_and_2010_are_imported_checked_predicted_and_run() {
    through(
        "regions",
        &[
            &[
                "error",
                "PRE-OWA-2",
                "LWB-CAS07\\owa (Default Web Site) (",
                "owa.txt:",
                "ExternalUrl names mail.litwareinc.com",
                "leads to LWB-CAS10A",
            ],
            &["error", "PRE-OWA-2", "LWB-CAS07\\EWS (Default Web Site)", "virtual directories.txt:"],
            &["error", "PRE-OWA-2", "LWB-CAS07\\OAB (Default Web Site)"],
            &[
                "error",
                "PRE-RPC-1",
                "DB-Berlin-2 (",
                "MailboxDatabase.csv:3",
                "lwb-cas10x.ad.litwareinc.com",
                "was the server removed?",
            ],
            &[
                "warning",
                "LWW-CAS07\\Microsoft-Server-ActiveSync (Default Web Site) (",
                "virtual directories.txt:",
                "Windows authentication is off",
            ],
        ],
        "passed; 2",
    );
}

#[test]
fn coexistence_is_imported_checked_predicted_and_run() {
    through(
        "coexistence",
        &[
            &[
                "error",
                "TOP-3",
                "AT10CAS1\\Rpc (Default Web Site) (",
                "OutlookAnywhere.csv:5",
                "IISAuthenticationMethods",
            ],
            &["error", "TOP-3", "CH10EX1, outlook-anywhere", "Outlook Anywhere is off"],
            &[
                "error",
                "CX-EXHTTP-2",
                "AT13EX1\\Rpc (Default Web Site) (",
                "InternalHostname and ExternalHostname are one name",
            ],
            &["error", "CX-EXHTTP-2", "AT13EX2\\Rpc (Default Web Site) ("],
            &["error", "CX-IMAP-2", "AT10CAS1\\1 (", "Get-ImapSettings.xml:", "names imap.adatum.com"],
            &["error", "CX-IMAP-7", "BO10EX1\\1 (", "the IMAP4 service is stopped"],
            &["warning", "TOP-1", "AT10CAS2\\owa (Default Web Site) (", "ExternalUrl is not set"],
        ],
        "passed; 3",
    );
}

#[test]
fn an_anonymised_organization_is_found_fault_with_and_ends_as_its_original() {
    let scratch = Scratch::new();
    let file = scratch.path("somebody.toml");
    scratch
        .run(&["import", &exports("coexistence"), "-o", &file, "--anonymise"])
        .check(0, &["13 servers in 3 sites"]);
    let says = "-CAS2010\\Rpc (Default Web Site) (export";
    scratch
        .run(&["check", &file])
        .check(1, &[says, "1 file, 6 errors, 1 warning"])
        .check_never(&["AT10", "adatum"]);
    let plain = imported(&scratch, "coexistence");
    let passed = |file: &str| {
        let ran = scratch.run(&["e2e", "--ground", "mapped", "--topology", file]);
        ran.check(0, &["passed;"]).out.split(" in ").next().map(str::to_owned)
    };
    assert_eq!(passed(&file), passed(&plain));
}

#[test]
fn predicted_cases_are_marked_in_terminal_and_report_and_can_be_chosen() {
    let scratch = Scratch::new();
    let file = imported(&scratch, "small");
    let report = scratch.path("report");
    let one = [
        "e2e",
        "--ground",
        "mapped",
        "--topology",
        &file,
        "--case",
        "predicted/small/owa/*",
        "--report",
        &report,
    ];
    scratch.run(&one).check(0, &["small.toml: 46 cases predicted by the oracle, not literal"]);
    let json = fs::read_to_string(Path::new(&report).join("report.json")).unwrap();
    for says in
        ["predicted/small/owa/user-mailbox-database-0733251512-1", "predicted by the oracle, not literal: "]
    {
        assert!(json.contains(says), "{says}");
    }
    // Literal cases of the suite are none of it.
    assert!(!json.contains("coexistence/"), "{json}");
    let front_end = ["e2e", "--ground", "mapped", "--topology", &file, "--subject", "says-no"];
    scratch.run(&front_end).check(2, &["no subject is called `says-no`"]);
}

#[test]
fn an_import_that_fails_leaves_nothing_and_one_that_is_there_is_kept() {
    let scratch = Scratch::new();
    let folder = scratch.path("exports");
    fs::create_dir_all(&folder).unwrap();
    for entry in fs::read_dir(exports("small")).unwrap() {
        let from = entry.unwrap().path();
        fs::copy(&from, Path::new(&folder).join(from.file_name().unwrap())).unwrap();
    }
    let cut = Path::new(&folder).join("Get-OwaVirtualDirectory.xml");
    let text = fs::read_to_string(&cut).unwrap();
    fs::write(&cut, &text[..text.len() / 2]).unwrap();
    let file = scratch.path("small.toml");
    let args = ["import", &folder, "-o", &file];
    scratch.run(&args).check(
        2,
        &["Get-OwaVirtualDirectory.xml:", "it was cut short", "export it again", "nothing was written"],
    );
    assert!(!Path::new(&file).exists());
    fs::write(&cut, &text).unwrap();
    scratch.run(&args).check(0, &["small.toml: 4 servers in 1 site, 2 databases, 1 user"]);
    fs::write(&file, "# mended by hand\n").unwrap();
    scratch.run(&args).check(2, &["small.toml is there already", "--replace"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "# mended by hand\n");
    scratch.run(&[&args[..], &["--replace", "--anonymise"]].concat()).check(0, &["4 servers in 1 site"]);
    let left: Vec<_> =
        fs::read_dir(Path::new(&file).parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains(".part")), "{left:?}");
    let anonymised = fs::read_to_string(&file).unwrap().to_lowercase();
    assert!(!anonymised.contains("tailspin") && !anonymised.contains("tscas"), "{anonymised}");
}

#[test]
fn a_folder_in_a_folder_is_passed_over_and_said_unless_it_is_named_too() {
    let scratch = Scratch::new();
    let (folder, inner) = (scratch.path("exports"), scratch.path("exports/servers"));
    fs::create_dir_all(&inner).unwrap();
    for entry in fs::read_dir(exports("small")).unwrap() {
        let from = entry.unwrap().path();
        let to = if from.ends_with("Get-ExchangeServer.xml") { &inner } else { &folder };
        fs::copy(&from, Path::new(to).join(from.file_name().unwrap())).unwrap();
    }
    let file = scratch.path("small.toml");
    scratch.run(&["import", &folder, "-o", &file]).check(
        2,
        &["exports/servers: passed over", "no export of Get-ExchangeServer", "nothing was written"],
    );
    scratch
        .run(&["import", &folder, &inner, "-o", &file])
        .check(0, &["4 servers in 1 site"])
        .check_never(&["exports/servers: passed over"]);
}

#[test]
fn what_cannot_be_imported_or_run_is_said_and_is_bad_input() {
    let scratch = Scratch::new();
    let file = scratch.path("x.toml");
    run(&["import", "no-such-file.xml", "-o", &file]).check(2, &["no-such-file.xml: No such file"]);
    run(&["import", &scratch.path("tmp"), "-o", &file])
        .check(2, &["there is no .xml, .clixml, .csv, .txt or .log file in it"]);
    run(&["import", &exports("small"), "-o", &scratch.path("x.json")]).check(2, &["ends with .toml"]);
    run(&["import", &format!("{}/Get-OwaVirtualDirectory.xml", exports("small")), "-o", &file])
        .check(2, &["no export of Get-ExchangeServer", "nothing was written"]);
    run(&["e2e", "--topology", &file]).check(2, &["x.toml: No such file"]);
    // A topology in which a name is there twice is no topology.
    fs::write(&file, "source = \"a test\"\n[servers.a]\n[servers.a]\n").unwrap();
    run(&["e2e", "--topology", &file]).check(2, &["x.toml:3:", "duplicate key"]);
    // One without mailboxes has no journeys.
    let small = imported(&scratch, "small");
    let text = fs::read_to_string(&small).unwrap();
    let start = text.find("[mailboxes.").unwrap();
    let end = start + text[start..].find("\n\n").unwrap();
    fs::write(&file, format!("{}[mailboxes]{}", &text[..start], &text[end..])).unwrap();
    run(&["e2e", "--topology", &file]).check(2, &["the oracle predicts no journey in it"]);
}

#[test]
fn a_note_shows_a_value_written_out_and_bounded() {
    let scratch = Scratch::new();
    let folder = scratch.path("policies");
    fs::create_dir_all(&folder).unwrap();
    let csv = format!("Name,Identity\none,De\u{1b}[2Jfault\u{202e}\nmany,{}\n", "l".repeat(2000));
    fs::write(Path::new(&folder).join("Get-OwaMailboxPolicy.csv"), csv).unwrap();
    let ended = scratch.run(&["import", &exports("small"), &folder, "-o", &scratch.path("small.toml")]);
    ended.check(0, &["De\\u{1b}[2Jfault\\u{202e}: no setting of such a policy leads", "llll…\n"]);
    assert!(!ended.out.contains(['\u{1b}', '\u{202e}']), "{}", ended.out);
    let longest = ended.out.lines().map(|line| line.chars().count()).max();
    assert_eq!(longest, Some(601), "600 characters and a sign that there is more");
}

/// As setup leaves it: inside, all is at servers' own names in a domain that nobody outside knows, the array's too. DNS is not
/// split, and what is inside only stays so.
#[test]
fn an_organization_as_it_was_installed_ends_outside_where_it_is_predicted() {
    let scratch = Scratch::new();
    let folder = scratch.path("installed");
    fs::create_dir_all(&folder).unwrap();
    for (file, text) in [
        (
            "Get-ExchangeServer.csv",
            "Name,Fqdn,ServerRole,Site,AdminDisplayVersion\n\
             CAS1,cas1.corp.local,ClientAccess,corp.local/Configuration/Sites/A,Version 14.3 (Build 123.4)\n\
             MBX1,mbx1.corp.local,Mailbox,corp.local/Configuration/Sites/A,Version 14.3 (Build 123.4)\n",
        ),
        ("Get-AcceptedDomain.csv", "DomainName,DomainType,Default\ncontoso.com,Authoritative,True\n"),
        (
            "Get-ClientAccessArray.csv",
            "Name,Fqdn,Site,Members\noutlook,outlook.corp.local,corp.local/Configuration/Sites/A,CAS1\n",
        ),
        (
            "Get-ClientAccessServer.csv",
            "Name,OutlookAnywhereEnabled,AutoDiscoverServiceInternalUri\n\
             CAS1,True,https://cas1.corp.local/Autodiscover/Autodiscover.xml\n",
        ),
        (
            "Get-MailboxDatabase.csv",
            "Name,Identity,Servers,Server,RpcClientAccessServer,Recovery\nDB1,DB1,MBX1,MBX1,outlook.corp.local,False\n",
        ),
        (
            "Get-OutlookAnywhere.csv",
            "Name,ServerName,ExternalHostname,ClientAuthenticationMethod,IISAuthenticationMethods,Identity\n\
             Rpc (Default Web Site),CAS1,mail.contoso.com,Basic,\"Basic, Ntlm\",CAS1\\Rpc (Default Web Site)\n",
        ),
        (
            "Get-WebServicesVirtualDirectory.csv",
            "Server,Identity,ExternalUrl,InternalUrl\n\
             CAS1,CAS1\\EWS (Default Web Site),https://mail.contoso.com/EWS/Exchange.asmx,https://cas1.corp.local/EWS/Exchange.asmx\n",
        ),
        (
            "Get-OwaVirtualDirectory.csv",
            "Server,Identity,ExternalUrl,InternalUrl\n\
             CAS1,CAS1\\owa (Default Web Site),https://mail.contoso.com/owa,https://cas1.corp.local/owa\n",
        ),
    ] {
        fs::write(Path::new(&folder).join(file), text).unwrap();
    }
    let file = scratch.path("installed.toml");
    scratch.run(&["import", &folder, "-o", &file]).check(
        0,
        &[
            "outlook.corp.local: it leads to CAS1, inside only",
            "DNS is not split-brain",
            "2 servers in 1 site",
        ],
    );
    scratch.run(&["check", &file]).check(0, &["1 file, 0 errors, 1 warning"]).check_never(&["AMB-1"]);
    let ran = scratch.run(&["e2e", "--ground", "mapped", "--topology", &file]);
    ran.check(0, &["24 passed; 24 selected", "cases predicted by the oracle, not literal"]);
}
