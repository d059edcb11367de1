//! What would make another topology without a word: each is read as it was meant, or said.

use formats::{Imported, Kind, Note, import};
use model::topology::Authentication;
use model::{Protocol, ServerName};

use crate::{SERVERS, exports, noted, refused, server, text, with};

#[track_caller]
fn not_noted(notes: &[Note], says: &str) {
    assert!(!notes.iter().any(|note| note.says.contains(says)), "a note says {says}\n{notes:#?}");
}

#[test]
fn a_mailbox_server_without_a_database_is_named_with_what_a_newer_shell_leaves_out() {
    let servers =
        format!("{SERVERS}EX13,ex13.contoso.com,\"Mailbox, ClientAccess\",A,Version 15.0 (Build 847.32)\n");
    let notes = |databases: &str| {
        let databases = text("Get-MailboxDatabase.csv", &format!("Name,Servers\n{databases}"));
        let exports = [text("ExchangeServer.csv", &servers), with(&[])[1].clone(), databases];
        import(&exports, false).unwrap().notes
    };
    let of_2013 = notes("DB13,EX13\n");
    noted(&of_2013, Kind::Missing, "MBX1", "Get-MailboxDatabase has no database on it");
    noted(&of_2013, Kind::Missing, "MBX1", "names it with -IncludePreExchange2013");
    let of_2010 = notes("DB10,MBX1\n");
    noted(&of_2010, Kind::Missing, "EX13", "nobody has a mailbox there");
    not_noted(&of_2010, "-IncludePreExchange2013");
    not_noted(&notes("DB10,MBX1\nDB13,EX13\n"), "has no database on it");
    // Copies that were not told may be anywhere.
    not_noted(&notes("DB10,System.Collections.ArrayList\nDB13,EX13\n"), "has no database on it");
}

#[test]
fn a_property_that_decides_and_was_not_exported_is_named_once() {
    let owa = "Server,Identity,ExternalUrl\nCAS1,CAS1\\owa (Default Web Site),https://mail.contoso.com/owa\n";
    let databases = "Name,Server\nDB1,MBX1\n";
    let more = [text("owa.csv", owa), text("Get-MailboxDatabase.csv", databases)];
    let notes = import(&with(&more), false).unwrap().notes;
    for (cmdlet, says) in [
        ("Get-OwaVirtualDirectory", "InternalUrl was not exported: none has an address inside"),
        ("Get-OwaVirtualDirectory", "CrossSiteRedirectType was not exported: it is taken for Manual"),
        ("Get-OwaVirtualDirectory", "LegacyRedirectType was not exported: it is taken for Silent"),
        ("Get-MailboxDatabase", "RpcClientAccessServer was not exported"),
        ("Get-MailboxDatabase", "Servers was not exported"),
    ] {
        noted(&notes, Kind::Missing, cmdlet, says);
        assert_eq!(notes.iter().filter(|note| note.says.contains(says)).count(), 1, "{says}");
    }
    not_noted(&notes, "ExternalUrl was not exported");
    let file = import(&with(&more), true).unwrap().text;
    assert!(
        file.contains("# missing  Get-MailboxDatabase: RpcClientAccessServer was not exported"),
        "{file}"
    );
    // Blank is what it is.
    let blank = owa.replace("ExternalUrl", "ExternalUrl,InternalUrl").replace("/owa\n", "/owa,\n");
    not_noted(&import(&with(&[text("owa.csv", &blank)]), false).unwrap().notes, "InternalUrl was not");
    // Whole exports lack nothing.
    for name in ["small", "coexistence"] {
        not_noted(&import(&exports(name), false).unwrap().notes, "was not exported: ");
    }
}

/// It reports switches of IIS as off without asking IIS: <https://blog.rmilne.ca/2014/09/12/> on -ADPropertiesOnly.
#[test]
fn switches_that_were_read_from_the_directory_alone_do_not_lock_everybody_out() {
    let ews = |values: &str| {
        let columns =
            "Server,Identity,BasicAuthentication,WindowsAuthentication,InternalAuthenticationMethods";
        let ews = format!("{columns}\nCAS1,CAS1\\EWS (Default Web Site),{values}\n");
        let Imported { topology, notes, .. } = import(&with(&[text("ews.csv", &ews)]), false).unwrap();
        let ews = topology.servers[&server("cas1")].directory(Protocol::Ews).unwrap();
        (ews.authentication.clone(), notes)
    };
    let both = vec![Authentication::Windows, Authentication::Basic];
    let (taken, notes) = ews("False,False,\"{Basic, WindowsIntegrated}\"");
    assert_eq!(taken, both);
    noted(&notes, Kind::Doubtful, "ews.csv:2", "was it exported with -ADPropertiesOnly?");
    let (taken, notes) = ews("False,False,{}");
    assert_eq!(taken, []);
    noted(&notes, Kind::Doubtful, "ews.csv:2", "nobody can; was it exported with -ADPropertiesOnly?");
    // A way to sign in that no client of a lab has is one.
    let (taken, notes) = ews("False,False,\"{Certificate}\"");
    assert_eq!(taken, []);
    not_noted(&notes, "-ADPropertiesOnly");
    let (taken, _) = ews(",,{OAuth}");
    assert_eq!(taken, []);
    let owa = "Server,Identity,BasicAuthentication,WindowsAuthentication,FormsAuthentication,InternalAuthenticationMethods\n\
               CAS1,CAS1\\owa (Default Web Site),False,False,False,\"{Basic, Fba}\"\n";
    let t = import(&with(&[text("owa.csv", owa)]), false).unwrap().topology;
    assert!(t.servers[&server("cas1")].directory(Protocol::Owa).unwrap().forms);
    let (taken, notes) = ews(",,{}");
    assert_eq!(taken, both);
    noted(&notes, Kind::Assumed, "CAS1\\EWS (Default Web Site)", "Windows authentication and Basic are on");
    let (taken, notes) = ews("False,True,\"{Basic, WindowsIntegrated}\"");
    assert_eq!(taken, both[..1]);
    not_noted(&notes, "-ADPropertiesOnly");
}

#[test]
fn a_name_with_a_bracket_makes_no_virtual_directory() {
    let books = "Name,Guid,IsDefault,VirtualDirectories\nOAB (Ex2013),a,True,\n";
    let databases =
        "Name,Servers,OfflineAddressBook,RpcClientAccessServer\nEWS (Sales),MBX1,\\OAB (Ex2013),\n";
    let more = [text("Get-OfflineAddressBook.csv", books), text("databases.csv", databases)];
    let Imported { topology: t, notes, .. } = import(&with(&more), false).unwrap();
    assert_eq!(
        t.databases[&"ews-sales".parse().unwrap()].oab,
        Some("oab-ex2013".parse().unwrap()),
        "{notes:#?}"
    );
    let owa = "Name,InternalUrl,Server\nowa (Default Web Site),https://cas1.contoso.com/owa,CAS1\n";
    let t = import(&with(&[text("x.csv", owa)]), false).unwrap().topology;
    assert!(t.servers[&server("cas1")].directory(Protocol::Owa).is_some());
}

#[test]
fn an_object_without_what_it_is_known_by_is_left_out_and_its_cmdlet_is_missing() {
    let array = text("Get-ClientAccessArray.csv", "Name,Site,Members\narray,A,CAS1\n");
    let databases = "Name,Servers,RpcClientAccessServer\nDB1,MBX1,outlook.contoso.com\n";
    let Imported { topology: t, notes, .. } =
        import(&with(&[array, text("Get-MailboxDatabase.csv", databases)]), false).unwrap();
    noted(
        &notes,
        Kind::LeftOut,
        "Get-ClientAccessArray.csv:2",
        "an object of Get-ClientAccessArray without Fqdn",
    );
    noted(&notes, Kind::Missing, "Get-ClientAccessArray", "are taken from RpcClientAccessServer");
    let arrays: Vec<_> = t.sites.values().filter_map(|site| site.array.clone()).collect();
    assert_eq!(arrays, [crate::host("outlook.contoso.com")]);
    let domains = [
        text("ExchangeServer.csv", SERVERS),
        text("Get-AcceptedDomain.csv", "Name,DomainType\ncontoso,Authoritative\n"),
    ];
    let notes = import(&domains, false).unwrap().notes;
    noted(
        &notes,
        Kind::LeftOut,
        "Get-AcceptedDomain.csv:2",
        "an object of Get-AcceptedDomain without DomainName",
    );
    // Two that cannot be told from one another contradict nobody.
    let owa = "Name,InternalUrl\nowa (Default Web Site),https://a.contoso.com/owa\nowa (Default Web Site),https://b.contoso.com/owa\n";
    let notes = import(&with(&[text("owa.csv", owa)]), false).unwrap().notes;
    for line in ["owa.csv:2", "owa.csv:3"] {
        noted(&notes, Kind::LeftOut, line, "it does not say of which server it is (Server, or Identity)");
    }
}

#[test]
fn of_several_front_ends_that_could_be_the_seat_the_one_that_is_taken_is_named() {
    let servers = format!("{SERVERS}CAS2,cas2.contoso.com,ClientAccess,B,Version 14.3 (Build 123.4)\n");
    let owa = "Server,Identity,ExternalUrl\nCAS2,CAS2\\owa (Default Web Site),https://mail.contoso.com/owa\n";
    let exports = [text("ExchangeServer.csv", &servers), with(&[])[1].clone(), text("owa.csv", owa)];
    let Imported { topology, notes, .. } = import(&exports, false).unwrap();
    assert_eq!(topology.seat, server("cas2"));
    noted(&notes, Kind::Assumed, "CAS2", "it is the seat");
    noted(
        &notes,
        Kind::Assumed,
        "CAS2",
        "it has the most directories with an ExternalUrl, 1; in its place could be CAS1",
    );
    let exports = [text("ExchangeServer.csv", &servers), with(&[])[1].clone()];
    let notes = import(&exports, false).unwrap().notes;
    noted(
        &notes,
        Kind::Assumed,
        "CAS1",
        "it was exported first of those with the most directories with an ExternalUrl, 0",
    );
    not_noted(&import(&with(&[]), false).unwrap().notes, "it is the seat");
}

#[test]
fn the_same_written_in_two_ways_is_no_contradiction() {
    let servers = SERVERS
        .replace("contoso.com/Configuration/Sites/A", "A")
        .replace("(Build 123.4)", "(Build 30123.4)")
        .replace("\"ClientAccess, HubTransport\"", "36");
    let again = import(&with(&[text("ExchangeServer-2.csv", &servers)]), false).unwrap();
    assert_eq!(again.topology.servers.len(), 2);
    let city = |name: &str| {
        let servers = SERVERS.replace("Sites/A", &format!("Sites/{name}"));
        text(&format!("ExchangeServer-{}.csv", name.len()), &servers)
    };
    // Export-Csv without -Encoding writes ASCII.
    let both = [city("M?nchen"), city("München"), with(&[])[1].clone()];
    let t = import(&both, false).unwrap().topology;
    assert!(t.origins.values().any(|origin| origin.0 == "München"), "{:?}", t.origins);
    let other = [city("M?nchen"), city("Minchen"), with(&[])[1].clone()];
    refused(&other, "Site of CAS1 is");
    let by_name = SERVERS.replace("contoso.com/Configuration/Sites/A", "CN=A,CN=Sites,CN=Configuration");
    assert!(import(&with(&[text("ExchangeServer-2.csv", &by_name)]), false).is_ok());
    let members = |list: &str| format!("Name,Fqdn,Site,Members\narray,outlook.contoso.com,A,\"{list}\"\n");
    let two = |one: &str, other: &str| {
        import(&with(&[text("array-1.csv", &members(one)), text("array-2.csv", &members(other))]), false)
    };
    assert!(two("{Berlin, Äland}", "{Berlin, ?land}").is_ok());
    let kept = two("{CAS1, Z?rich}", "System.Collections.ArrayList").unwrap().notes;
    noted(&kept, Kind::LeftOut, "array-1.csv:2", "has the member Z?rich");
    let service = "Name,Status\nMSExchangeIMAP4,Running\nMSExchangeIMAP4,Stopped\n";
    let notes = import(&with(&[text("Get-Service.csv", service)]), false).unwrap().notes;
    noted(&notes, Kind::LeftOut, "Get-Service.csv:3", "an object of Get-Service without MachineName");
}

#[test]
fn databases_of_2007_with_one_name_are_two() {
    let servers = format!(
        "{SERVERS}MBX7,mbx7.contoso.com,Mailbox,A,Version 8.3 (Build 83.6)\nMBX8,mbx8.contoso.com,Mailbox,A,Version 8.3 (Build 83.6)\n"
    );
    let databases =
        "Name,Server,StorageGroupName\nMailbox Database,MBX7,First\nMailbox Database,MBX8,First\n";
    let exports = [
        text("ExchangeServer.csv", &servers),
        with(&[])[1].clone(),
        text("Get-MailboxDatabase.csv", databases),
    ];
    let t = import(&exports, false).unwrap().topology;
    let on: Vec<&ServerName> = t.databases.values().map(|database| &database.active).collect();
    assert_eq!(on, [&server("mbx7"), &server("mbx8")]);
    let groups = databases.replace("MBX8,First", "MBX7,Second");
    let count = |more: &[formats::Export]| {
        let exports = [&[text("ExchangeServer.csv", &servers), with(&[])[1].clone()], more].concat();
        import(&exports, false).unwrap().topology.databases.len()
    };
    assert_eq!(count(&[text("Get-MailboxDatabase.csv", &groups)]), 2);
    let (narrow, wide) = ("Name,Server\nDB1,MBX7\n", "Name,Server,StorageGroupName\nDB1,MBX7,First\n");
    let once = [text("Get-MailboxDatabase-1.csv", narrow), text("Get-MailboxDatabase-2.csv", wide)];
    assert_eq!(count(&once), 1, "one of them does not say of which group it is");
}

#[test]
fn names_taken_out_keep_their_order_and_what_is_below_what() {
    let servers = "Name,Fqdn,ServerRole,Site,AdminDisplayVersion\n\
                   ZED,zed.us.secret.com,ClientAccess,HQ,Version 14.3 (Build 123.4)\n\
                   BBB,bbb.us.secret.com,ClientAccess,Beta,Version 14.3 (Build 123.4)\n\
                   AAA,aaa.us.secret.com,\"Mailbox, ClientAccess\",Alpha,Version 14.3 (Build 123.4)\n";
    let domains =
        "DomainName,DomainType,Default\nus.secret.com,Authoritative,True\nsecret.com,Authoritative,False\n";
    let books = "Name,Guid,IsDefault,VirtualDirectories\nBook,,False,\nOther,7e1b0a6c-0000-4000-8000-000000000001,True,\n";
    let databases: String = (1..=12).map(|number| format!("db{number},AAA\n")).collect();
    let exports = [
        text("ExchangeServer.csv", servers),
        text("d.csv", domains),
        text("Get-OfflineAddressBook.csv", books),
        text("Get-MailboxDatabase.csv", &format!("Name,Servers\n{databases}")),
    ];
    let (plain, other) = (import(&exports, false).unwrap().topology, import(&exports, true).unwrap());
    let t = other.topology;
    let sites =
        |t: &model::Topology| t.servers.values().map(|server| server.site.to_string()).collect::<Vec<_>>();
    assert_eq!(sites(&plain), ["Alpha", "Alpha", "Beta", "HQ"]);
    assert_eq!(sites(&t), ["Site1", "Site1", "Site2", "Site3"]);
    let mailbox = |t: &model::Topology| t.mailboxes.values().next().unwrap().database.to_string();
    assert_eq!((mailbox(&plain).as_str(), mailbox(&t).as_str()), ("db1", "db01"));
    assert!(t.domain.as_str().ends_with(".contoso.com"), "{}", t.domain);
    let guids: Vec<&str> = t.oabs.values().map(|book| book.guid.as_str()).collect();
    assert_ne!(guids[0], guids[1]);
    // What is said is for who has the names.
    noted(&other.notes, Kind::Assumed, "AAA", "both roles are on one machine");
    assert!(!other.text.to_lowercase().contains("secret"), "{}", other.text);
}
