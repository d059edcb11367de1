//! Exports as administrators make them, and topologies that come of them.
//!
//! `exports/small`        2010 alone, a pair of Client Access servers and a DAG: CliXML
//! `exports/regions`      2007 and 2010 in three sites: CSV as a German Excel saves it, UTF-16 text of Format-List
//! `exports/coexistence`  2013 beside 2010 and 2007, two more sites: each format

mod contradictions;
mod dns;
mod gaps;
mod silent;

use std::collections::BTreeSet;
use std::path::Path;

use formats::{Export, Imported, Kind, Note, import};
use model::topology::{Authentication, Origin, ServerRole};
use model::{HostName, Protocol, Role, ServerName};

/// The files of an export, each with its own name alone.
fn exports(name: &str) -> Vec<Export> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exports").join(name);
    let mut all: Vec<Export> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let file = path.file_name().unwrap().to_str().unwrap().to_owned();
            Export { file, bytes: std::fs::read(path).unwrap() }
        })
        .collect();
    all.sort_by(|a, b| a.file.cmp(&b.file));
    all
}

fn imported(name: &str) -> Imported {
    import(&exports(name), false).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn text(file: &str, text: &str) -> Export {
    Export { file: file.to_owned(), bytes: text.as_bytes().to_vec() }
}

fn server(name: &str) -> ServerName {
    name.parse().unwrap()
}

fn host(name: &str) -> HostName {
    name.parse().unwrap()
}

#[track_caller]
fn noted(notes: &[Note], kind: Kind, at: &str, says: &str) {
    let found = notes.iter().any(|note| note.kind == kind && note.at == at && note.says.contains(says));
    assert!(found, "no note {kind} {at}: {says}\n{notes:#?}");
}

#[test]
fn a_small_organization_is_read_from_clixml() {
    let Imported { topology: t, notes, .. } = imported("small");
    assert_eq!(
        (t.role, t.seat.as_str(), t.domain.as_str()),
        (Role::FrontEnd2010, "tscas1", "tailspintoys.com")
    );
    assert_eq!(t.servers.len(), 4, "the Edge server is none of them");
    assert_eq!(t.fqdn(&server("tscas2")), host("tscas2.corp.tailspin.local"));
    let owa = |name: &str| t.servers[&server(name)].directory(Protocol::Owa).unwrap().clone();
    assert_eq!(owa("tscas1").external_url.unwrap().0.to_string(), "https://mail.tailspintoys.com/owa");
    assert_eq!((owa("tscas2").external_url, owa("tscas2").forms), (None, true));
    assert_eq!(owa("tscas2").authentication, [Authentication::Windows, Authentication::Basic]);
    let array = t.sites.values().next().unwrap().array.clone();
    assert_eq!(array, Some(host("mail.tailspintoys.com")), "RPC and HTTP share a name");
    assert_eq!(t.databases.len(), 2, "a recovery database holds no mailbox");
    assert_eq!(t.mailboxes.len(), 1, "the two databases are alike");
    assert_eq!(
        t.origins["tscas2/owa"],
        Origin("TSCAS2\\owa (Default Web Site)".to_owned(), "Get-OwaVirtualDirectory.xml:120".to_owned())
    );
    noted(&notes, Kind::LeftOut, "Get-ExchangeServer.xml:201", "no client meets it");
    noted(&notes, Kind::Missing, "Get-Service", "are taken to run");
    noted(&notes, Kind::Assumed, "mail.tailspintoys.com", "it leads to TSCAS1");
}

#[test]
fn regions_are_read_from_tables_of_another_culture_and_from_text() {
    let Imported { topology: t, notes, .. } = imported("regions");
    let sites: Vec<&str> = t.sites.keys().map(|site| site.as_str()).collect();
    assert_eq!(sites, ["Berlin", "M-nchen-S-d", "Wien"]);
    assert_eq!(t.origins["M-nchen-S-d"].0, "München_Süd");
    assert_eq!(
        (t.role, t.seat.as_str(), t.domain.as_str()),
        (Role::FrontEnd2010, "lwb-cas10a", "litwareinc.com")
    );
    let both: Vec<&str> = ["lwm-ex10", "lwm-ex10-mbx"]
        .into_iter()
        .filter(|name| t.servers.contains_key(&server(name)))
        .collect();
    assert_eq!(both, ["lwm-ex10", "lwm-ex10-mbx"]);
    noted(&notes, Kind::Assumed, "LWM-EX10", "both roles are on one machine");
    // Of Exchange 2003 alone, and no second one of 2007.
    let owa = t.servers[&server("lwb-cas07")].directory(Protocol::Owa).unwrap();
    assert_eq!(owa.external_url.as_ref().unwrap().0.host, host("mail.litwareinc.com"));
    assert_eq!(
        t.servers[&server("lwb-cas10a")]
            .directory(Protocol::Owa)
            .unwrap()
            .cross_site_redirect
            .unwrap()
            .as_str(),
        "silent"
    );
    // Two databases of one name are two, each on its server.
    let home = |name: &str| t.home(&name.parse().unwrap()).unwrap().to_string();
    assert_eq!(home("user-postfachdatenbank"), "lwb-mbx07");
    assert_eq!(home("user-postfachdatenbank-2"), "lww-mbx07");
    assert_eq!(
        t.namespaces[&host("mail.litwareinc.com")].external,
        [server("lwb-cas10a")],
        "the newest of those set to it"
    );
    assert_eq!(t.namespaces[&host("outlook-berlin.ad.litwareinc.com")].internal.len(), 2);
    assert!(!t.namespaces.contains_key(&host("lwb-cas10x.ad.litwareinc.com")), "nobody knows this server");
    noted(&notes, Kind::Missing, "Get-ImapSettings", "IMAP is left out");
    noted(&notes, Kind::Assumed, "Get-AcceptedDomain", "litwareinc.com");
}

#[test]
fn coexistence_is_read_from_all_formats_at_once() {
    let Imported { topology: t, notes, text, .. } = imported("coexistence");
    assert_eq!((t.role, t.seat.as_str()), (Role::FrontEnd2013, "at13ex1"));
    assert_eq!(t.servers.len(), 13, "four machines have both roles");
    let anywhere = |name: &str| t.servers[&server(name)].outlook_anywhere.clone();
    assert_eq!(anywhere("at10cas1").unwrap().iis_authentication, [Authentication::Basic]);
    assert_eq!(anywhere("ch10ex1"), None);
    let front = anywhere("at13ex1").unwrap();
    assert_eq!(front.internal_host, front.external_host);
    assert_eq!(
        (front.internal_authentication, front.external_authentication),
        (Some(Authentication::Ntlm), Authentication::Basic)
    );
    assert_eq!((front.internal_ssl, front.external_ssl), (false, true));
    let imap = |name: &str| t.servers[&server(name)].imap.clone().unwrap();
    assert!(!imap("bo10ex1").runs && imap("at10cas1").runs && imap("at13ex2-mbx").runs);
    assert_eq!(imap("at10cas1").internal_connection_settings[0].to_string(), "imap.adatum.com:993:SSL");
    let database = &t.databases[&"at13-db01".parse().unwrap()];
    assert_eq!((database.active.as_str(), database.copies.len()), ("at13ex2-mbx", 2));
    assert_eq!(
        database.rpc_client_access_server, None,
        "Exchange 2013 has the property and does not go by it"
    );
    assert_eq!(t.origins["at10cas1/eas"].1, "EAS.txt:55");
    // The head of the file says what was assumed.
    assert!(text.contains("# assumed  oab-2013: the organization mailbox"), "{text}");
    assert!(text.contains("# missing  Names.csv: "));
    assert!(notes.iter().all(|note| note.kind != Kind::Doubtful), "{notes:#?}");
}

/// Whatever a person would look for to learn whose organization it is.
const TELLING: [&str; 9] =
    ["tailspin", "tscas", "tsmbx", "litware", "lwb-", "adatum", "at13", "berlin", "0733251512"];

#[test]
fn an_anonymised_topology_has_the_same_shape_and_no_name_of_its_owner() {
    for name in ["small", "regions", "coexistence"] {
        let (plain, other) = (imported(name), import(&exports(name), true).unwrap());
        let shown = other.text.to_lowercase();
        for telling in TELLING {
            assert!(!shown.contains(telling), "{name}: {telling} in\n{}", other.text);
        }
        let counts = |t: &model::Topology| {
            let urls =
                t.servers.values().flat_map(|s| s.directories.values()).filter(|d| d.external_url.is_some());
            let hosts: BTreeSet<_> = t.namespaces.keys().collect();
            (
                t.role,
                t.servers.len(),
                t.sites.len(),
                t.databases.len(),
                t.mailboxes.len(),
                urls.count(),
                hosts.len(),
            )
        };
        assert_eq!(counts(&plain.topology), counts(&other.topology), "{name}");
        assert_eq!(other.topology.domain.as_str(), "contoso.com");
        assert_eq!(import(&exports(name), true).unwrap().text, other.text, "each time the same");
    }
}

/// What is wrong with an export, with its place.
#[track_caller]
fn refused(exports: &[Export], says: &str) {
    match import(exports, false) {
        Ok(imported) => panic!("it was imported:\n{}", imported.text),
        Err(problems) => {
            let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
            assert!(all.iter().any(|problem| problem.contains(says)), "{all:#?} never says: {says}");
        }
    }
}

#[test]
fn an_export_cut_anywhere_is_refused_or_read_as_far_as_it_is_whole() {
    for name in ["small", "regions", "coexistence"] {
        let whole = exports(name);
        for at in 0..whole.len() {
            for part in [3, 5, 7] {
                let mut cut = whole.clone();
                let length = cut[at].bytes.len();
                cut[at].bytes.truncate(length * part / 8);
                // Where text is cut between two objects nothing shows it; it never panics, and never halves one.
                if let (Err(problems), file) = (import(&cut, false), &whole[at].file) {
                    let says = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
                    assert!(says.contains(file.as_str()), "{file}: {says}");
                } else {
                    assert!(!whole[at].file.ends_with(".xml"), "{}: CliXML shows every cut", whole[at].file);
                }
            }
        }
    }
}

#[test]
fn without_servers_or_a_front_end_there_is_no_topology() {
    let without = |left_out: &str| -> Vec<Export> {
        exports("small").into_iter().filter(|export| export.file != left_out).collect()
    };
    refused(&without("Get-ExchangeServer.xml"), "no export of Get-ExchangeServer is among the files");
    refused(&[text("x.txt", "")], "no export of Get-ExchangeServer");
    let of_2007 = "Name : OLD1\nFqdn : old1.contoso.com\nServerRole : Mailbox, ClientAccess\nSite : contoso.com/Configuration/Sites/A\nAdminDisplayVersion : Version 8.3 (Build 83.6)\n";
    refused(&[text("Get-ExchangeServer.txt", of_2007)], "no Client Access server of Exchange 2010 or 2013");
}

/// Two servers, and a domain.
const SERVERS: &str = "Name,Fqdn,ServerRole,Site,AdminDisplayVersion\n\
\"CAS1\",\"cas1.contoso.com\",\"ClientAccess, HubTransport\",\"contoso.com/Configuration/Sites/A\",\"Version 14.3 (Build 123.4)\"\n\
\"MBX1\",\"mbx1.contoso.com\",\"Mailbox\",\"contoso.com/Configuration/Sites/A\",\"Version 14.3 (Build 123.4)\"\n";

fn with(more: &[Export]) -> Vec<Export> {
    [
        &[
            text("ExchangeServer.csv", SERVERS),
            text("d.csv", "DomainName,DomainType,Default\ncontoso.com,Authoritative,True\n"),
        ],
        more,
    ]
    .concat()
}

#[test]
fn what_a_value_cannot_be_is_noted_and_left_out() {
    let owa = "Server,Identity,Name,InternalUrl,ExternalUrl,FormsAuthentication,ExternalAuthenticationMethods\n\
               CAS1,CAS1\\owa (Default Web Site),owa (Default Web Site),https://cas1.contoso.com:444/owa,https://mail.contoso.com/owa,Falsch,System.Collections.ArrayList\n";
    let Imported { topology, notes, .. } = import(&with(&[text("owa.csv", owa)]), false).unwrap();
    let owa = topology.servers[&server("cas1")].directory(Protocol::Owa).unwrap();
    assert_eq!((owa.internal_url.is_none(), owa.external_url.is_some(), owa.forms), (true, true, false));
    noted(
        &notes,
        Kind::LeftOut,
        "owa.csv:2",
        "InternalUrl `https://cas1.contoso.com:444/owa` is no web address without a port",
    );
    noted(&notes, Kind::Doubtful, "owa.csv:2", "holds the name of its type, System.Collections.ArrayList");
    noted(
        &notes,
        Kind::Assumed,
        "CAS1\\owa (Default Web Site)",
        "Windows authentication, Basic and forms are on",
    );
}

#[test]
fn newer_versions_and_strange_objects_are_left_out_by_name() {
    let newer =
        format!("{SERVERS}\"EX16\",\"ex16.contoso.com\",\"Mailbox\",\"A\",\"Version 15.1 (Build 2507.6)\"\n");
    let exports = [
        text("ExchangeServer.csv", &newer),
        with(&[])[1].clone(),
        text("queue.csv", "Queue,Count\na,1\nb,2\n"),
    ];
    let Imported { notes, topology, .. } = import(&exports, false).unwrap();
    assert_eq!(topology.servers.len(), 2);
    noted(
        &notes,
        Kind::LeftOut,
        "ExchangeServer.csv:4",
        "EX16: Version 15.1 (Build 2507.6) is none of Exchange 2007, 2010 and 2013",
    );
    noted(&notes, Kind::LeftOut, "queue.csv:2", "2 objects of a kind that is not read here: unknown");
}

#[test]
fn bytes_of_any_kind_end_in_a_topology_or_a_sentence() {
    let mut state = 7_u64;
    for (at, seed) in exports("coexistence").iter().chain(&exports("regions")).enumerate() {
        for _ in 0..20 {
            let mut all = with(&[]);
            let mut bytes = seed.bytes.clone();
            for _ in 0..8 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(at as u64 | 1);
                let place = (state >> 33) as usize % bytes.len();
                bytes[place] = (state >> 24) as u8;
            }
            all.push(Export { file: seed.file.clone(), bytes });
            if let Err(problems) = import(&all, false) {
                assert!(!problems.is_empty());
            }
        }
    }
}

#[test]
fn what_is_of_servers_that_are_not_there_is_named() {
    let owa = "Server,Identity,ExternalUrl\nCAS2,CAS2\\owa (Default Web Site),https://web.contoso.com/owa\n";
    let array = "Name : arr\nFqdn : outlook.contoso.com\nSite : contoso.com/Configuration/Sites/A\nMembers : {CAS1, CAS9}\n";
    let services = "\"Name\",\"Status\",\"MachineName\"\n\"MSExchangeIMAP4\",\"Stopped\",\".\"\n";
    let more = [text("owa.csv", owa), text("array.txt", array), text("Get-Service.csv", services)];
    let notes = import(&with(&more), false).unwrap().notes;
    noted(&notes, Kind::LeftOut, "owa.csv:2", "CAS2\\owa (Default Web Site) is of CAS2, which is no server");
    noted(
        &notes,
        Kind::LeftOut,
        "array.txt:1",
        "outlook.contoso.com has the member CAS9, which is no server",
    );
    noted(&notes, Kind::LeftOut, "Get-Service", "an IMAP service is of `");
}

#[test]
fn a_scope_that_is_not_the_server_s_own_site_is_left_out_by_name() {
    let notes = |scope: &str, anonymise| {
        let uri = "https://autodiscover.contoso.com/Autodiscover/Autodiscover.xml";
        let row = format!("Name,AutoDiscoverServiceInternalUri,AutoDiscoverSiteScope\nCAS1,{uri},{scope}\n");
        import(&with(&[text("Get-ClientAccessServer.csv", &row)]), anonymise).unwrap().notes
    };
    let says =
        "AutoDiscoverSiteScope is A, B, and scopes are not modelled: Outlook inside, in B, may take another";
    noted(&notes("\"{A, B}\"", false), Kind::LeftOut, "CAS1", says);
    let says =
        "AutoDiscoverSiteScope is B, and scopes are not modelled: Outlook inside, in B and in A, may take";
    noted(&notes("{B}", false), Kind::LeftOut, "CAS1", says);
    noted(&notes("{B}", true), Kind::LeftOut, "CAS1", says);
    for own in ["{a}", "{}", ""] {
        let notes = notes(own, false);
        assert!(!notes.iter().any(|note| note.says.contains("AutoDiscoverSiteScope")), "{own}: {notes:#?}");
    }
}

#[test]
fn roles_in_numbers_are_those_of_the_version() {
    let servers = "Name,Fqdn,ServerRole,Site,AdminDisplayVersion\n\
                   BACK,back.contoso.com,54,A,Version 15.0 (Build 847.32)\n\
                   FRONT,front.contoso.com,16385,A,Version 15.0 (Build 847.32)\n\
                   BOTH,both.contoso.com,16439,A,Version 15.0 (Build 847.32)\n\
                   OLD,old.contoso.com,54,A,Version 14.3 (Build 123.4)\n";
    let exports = [text("ExchangeServer.csv", servers), with(&[])[1].clone()];
    let t = import(&exports, false).unwrap().topology;
    let names: Vec<&str> = t.servers.keys().map(ServerName::as_str).collect();
    assert_eq!(names, ["back", "both", "both-mbx", "front", "old", "old-mbx"]);
    assert_eq!(t.servers[&server("back")].roles, [ServerRole::Mailbox]);
    assert_eq!(t.servers[&server("front")].roles, [ServerRole::ClientAccess]);
}

#[test]
fn an_underscore_may_stand_in_a_server_s_dns_name_and_in_addresses() {
    let servers = SERVERS.replace("\"CAS1\",\"cas1.", "\"EX_CAS1\",\"EX_CAS1.");
    let owa = "Server,Identity,InternalUrl\nEX_CAS1,EX_CAS1\\owa (Default Web Site),\
               https://EX_CAS1.contoso.com/owa\n";
    let exports = [text("ExchangeServer.csv", &servers), with(&[])[1].clone(), text("owa.csv", owa)];
    let Imported { topology: t, notes, .. } = import(&exports, false).unwrap();
    assert_eq!(t.fqdn(&server("ex-cas1")), host("ex_cas1.contoso.com"));
    let owa = t.servers[&server("ex-cas1")].directory(Protocol::Owa).unwrap();
    assert_eq!(owa.internal_url.as_ref().unwrap().0.host, host("ex_cas1.contoso.com"));
    assert!(!notes.iter().any(|note| note.says.contains("Fqdn")), "{notes:#?}");
    let other = import(&exports, true).unwrap().text;
    assert!(!other.to_lowercase().contains("ex_cas1"), "{other}");
}

#[test]
fn a_transcript_of_warnings_alone_is_doubtful() {
    let transcript = text("owa.txt", "[PS] C:\\>Get-OwaVirtualDirectory | fl\nAVISO: nada.\n");
    let notes = import(&with(&[transcript]), false).unwrap().notes;
    noted(&notes, Kind::Doubtful, "owa.txt", "no object is in it");
}

#[test]
fn a_last_line_without_an_end_is_doubtful() {
    let owa = "Server,Identity,ExternalUrl\nCAS1,CAS1\\owa (Default Web Site),https://mail.cont";
    let notes = import(&with(&[text("owa.csv", owa)]), false).unwrap().notes;
    noted(&notes, Kind::Doubtful, "owa.csv:2", "the file ends in the middle of a line");
}

#[test]
fn the_mail_s_domain_is_the_default_one_or_an_assumption() {
    let of = |domains: &str| {
        let exports = [text("ExchangeServer.csv", SERVERS), text("d.csv", domains)];
        import(&exports, false).unwrap()
    };
    let none = of("DomainName,DomainType\nalt.local,InternalRelay\ncontoso.com,Authoritative\n");
    assert_eq!(none.topology.domain, host("contoso.com"));
    noted(&none.notes, Kind::Assumed, "Get-AcceptedDomain", "none is marked as the default one");
    let beyond = of(
        "DomainName,DomainType,Default\nmüller.example,Authoritative,True\ncontoso.com,Authoritative,False\n",
    );
    noted(&beyond.notes, Kind::LeftOut, "d.csv:2", "DomainName `müller.example` is no DNS name");
}

#[test]
fn a_refusal_says_what_was_left_out() {
    let odd = SERVERS.replace("14.3 (Build 123.4)", "14.3 (Build 123.4) SP3");
    let problems = import(&[text("ExchangeServer.csv", &odd)], false).map(|_| ()).unwrap_err();
    let says = format!("{:?}", problems[0]);
    assert!(says.contains("ExchangeServer.csv:2: CAS1: AdminDisplayVersion"), "{says}");
}

#[test]
fn words_that_no_setting_has_are_named() {
    let owa = "Server,Identity,LogonFormat,CrossSiteRedirectType\nCAS1,CAS1\\owa (Default Web Site),Benutzername,Stumm\n";
    let imap = "ProtocolName,Server,InternalConnectionSettings,LoginType,Identity\nIMAP4,CAS1,cas1.contoso.com:993:SSL,Klartext,CAS1\\1\n";
    let notes = import(&with(&[text("owa.csv", owa), text("imap.csv", imap)]), false).unwrap().notes;
    noted(&notes, Kind::LeftOut, "owa.csv:2", "LogonFormat `Benutzername` is none of");
    noted(&notes, Kind::LeftOut, "owa.csv:2", "CrossSiteRedirectType `Stumm` is none of");
    noted(&notes, Kind::LeftOut, "imap.csv:2", "LoginType `Klartext` is none of");
}

#[test]
fn a_switch_that_was_not_exported_is_as_the_list_of_methods_says() {
    let methods = |columns: &str, values: &str| {
        let owa = format!("Server,Identity,{columns}\nCAS1,CAS1\\EWS (Default Web Site),{values}\n");
        let Imported { topology, notes, .. } = import(&with(&[text("ews.csv", &owa)]), false).unwrap();
        let ews = topology.servers[&server("cas1")].directory(Protocol::Ews).unwrap();
        (ews.authentication.clone(), notes)
    };
    let both = vec![Authentication::Windows, Authentication::Basic];
    let listed = "WindowsAuthentication,InternalAuthenticationMethods";
    assert_eq!(methods(listed, "True,\"Basic, Ntlm\"").0, both);
    assert_eq!(methods(listed, "True,Ntlm").0, both[..1]);
    // The switch is what IIS does; the list is what is said of it.
    assert_eq!(methods(listed, "False,\"Basic, Ntlm\"").0, both[1..]);
    let (alone, notes) = methods("WindowsAuthentication", "True");
    assert_eq!(alone, both[..1]);
    noted(&notes, Kind::Missing, "ews.csv:2", "BasicAuthentication is not in the export: taken for off");
}

#[test]
fn a_policy_of_which_nothing_is_read_is_named() {
    let policy = text("Get-OwaMailboxPolicy.csv", "Name,Identity\nDefault,Default\n");
    let notes = import(&with(&[policy]), false).unwrap().notes;
    noted(&notes, Kind::LeftOut, "Get-OwaMailboxPolicy.csv:2", "Default: no setting of such a policy leads");
}

#[test]
fn names_taken_out_change_no_seat_and_none_is_left_for_being_long() {
    let servers = "Name,Fqdn,ServerRole,Site,AdminDisplayVersion\n\
                   A-EX,a-ex.contoso.com,\"Mailbox, ClientAccess\",contoso.com/Configuration/Sites/A,Version 15.0 (Build 847.32)\n\
                   B-CAS,b-cas.contoso.com,ClientAccess,contoso.com/Configuration/Sites/B,Version 15.0 (Build 847.32)\n";
    let long = format!("{}secret.example", "ab.".repeat(45));
    let owa = format!(
        "Server,Identity,ExternalUrl\nA-EX,A-EX\\owa (Default Web Site),https://{long}/owa\nB-CAS,B-CAS\\owa (Default Web Site),https://b.contoso.com/owa\n"
    );
    let exports = [text("ExchangeServer.csv", servers), text("owa.csv", &owa), with(&[])[1].clone()];
    let (plain, other) = (import(&exports, false).unwrap(), import(&exports, true).unwrap());
    let site = |of: &Imported| of.topology.servers[&of.topology.seat].site.to_string();
    assert_eq!((site(&plain).as_str(), site(&other).as_str()), ("A", "Site1"));
    assert!(plain.text.contains("secret.example") && !other.text.contains("secret"), "{}", other.text);
}

#[test]
fn an_object_of_another_type_is_not_what_its_file_is_called() {
    let copies = "#TYPE Microsoft.Exchange.Management.SystemConfigurationTasks.DatabaseCopyStatusEntry\n\
                  Name,Status\nDB1\\MBX1,Mounted\n";
    let notes = import(&with(&[text("Get-MailboxDatabaseCopyStatus.csv", copies)]), false).unwrap().notes;
    let kind = "an object of a kind that is not read here: Microsoft.Exchange.Management.SystemConfigurationTasks.DatabaseCopyStatusEntry";
    noted(&notes, Kind::LeftOut, "Get-MailboxDatabaseCopyStatus.csv:3", kind);
    // What Select-Object made of it is of any type.
    let narrow = "#TYPE Selected.System.Management.Automation.PSCustomObject\nName,Server\nDB1,MBX1\n";
    let of = import(&with(&[text("Get-MailboxDatabase.csv", narrow)]), false).unwrap();
    assert_eq!(of.topology.databases.len(), 1);
}
