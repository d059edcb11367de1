//! Two exports of one thing that do not agree.

use formats::{Imported, Kind, import};

use crate::{SERVERS, noted, refused, text, with};

#[test]
fn contradictions_are_named_with_both_their_places() {
    let moved = SERVERS.replace(
        "Sites/A\",\"Version 14.3 (Build 123.4)\"\n\"MBX1",
        "Sites/B\",\"Version 14.3 (Build 123.4)\"\n\"MBX1",
    );
    refused(
        &with(&[text("ExchangeServer-old.csv", &moved)]),
        "ExchangeServer-old.csv:2:1: Site of CAS1 is `contoso.com/Configuration/Sites/B` here and \
         `contoso.com/Configuration/Sites/A` in ExchangeServer.csv:2",
    );
    let twice = format!(
        "{SERVERS}\"CAS9\",\"cas1.contoso.com\",\"ClientAccess\",\"A\",\"Version 14.3 (Build 123.4)\"\n"
    );
    refused(&[text("ExchangeServer.csv", &twice)], "CAS1 and CAS9 have one name in DNS, cas1.contoso.com");
    // The same, twice, is no contradiction; nor is a list that one export cut.
    assert_eq!(
        import(&with(&[text("ExchangeServer-again.csv", SERVERS)]), false).unwrap().topology.servers.len(),
        2
    );
}

#[test]
fn one_truth_has_many_words_and_services_have_one_state() {
    let owa = |word: &str| {
        format!("Server,Identity,BasicAuthentication\nCAS1,CAS1\\owa (Default Web Site),{word}\n")
    };
    let both = [text("a-owa.csv", &owa("WAHR")), text("b-owa.csv", &owa("True"))];
    assert!(import(&with(&both), false).is_ok());
    let other = [text("a-owa.csv", &owa("WAHR")), text("b-owa.csv", &owa("False"))];
    refused(&with(&other), "BasicAuthentication of CAS1\\owa (Default Web Site) is `False` here and `WAHR`");
    let service = |status: &str| format!("Name,Status,MachineName\nMSExchangeIMAP4,{status},CAS1\n");
    let both =
        [text("Get-Service-1.csv", &service("Running")), text("Get-Service-2.csv", &service("Stopped"))];
    refused(&with(&both), "is `Stopped` here and `Running`");
}

#[test]
fn whatever_is_read_of_an_object_may_not_differ_between_two_exports() {
    for (file, columns, old, new, says) in [
        (
            "Get-OabVirtualDirectory",
            "Identity,Server",
            "X\\OAB (Default Web Site),CAS1",
            "X\\OAB (Default Web Site),CAS2",
            "Server of X\\OAB (Default Web Site) is `CAS2` here and `CAS1` in Get-OabVirtualDirectory-1.csv:2",
        ),
        (
            "Get-MailboxDatabase",
            "Name,Servers,MasterServerOrAvailabilityGroup",
            "DB1,MBX1,DAG1",
            "DB1,MBX2,DAG1",
            "Servers of DB1 is `MBX2` here and `MBX1`",
        ),
        (
            "Get-OfflineAddressBook",
            "Name,IsDefault,Guid",
            "Book,True,a",
            "Book,False,a",
            "IsDefault of Book is `False` here and `True`",
        ),
        (
            "Get-AcceptedDomain",
            "DomainName,DomainType,Default",
            "b.com,Authoritative,False",
            "b.com,Authoritative,True",
            "Default of an object without Identity is `True` here and `False`",
        ),
    ] {
        let one =
            |number: u8, row: &str| text(&format!("{file}-{number}.csv"), &format!("{columns}\n{row}\n"));
        refused(&with(&[one(1, old), one(2, new)]), says);
        assert!(import(&with(&[one(1, old), one(2, old)]), false).is_ok(), "{file}");
    }
}

#[test]
fn where_a_database_is_mounted_may_change_from_one_export_to_another() {
    let servers = format!("{SERVERS}MBX2,mbx2.contoso.com,Mailbox,A,Version 14.3 (Build 123.4)\n");
    let imported = |mounted: [&str; 2]| {
        let one = |number: usize| {
            let row = format!("Name,Servers,MountedOnServer\nDB1,\"MBX1, MBX2\",{}\n", mounted[number]);
            text(&format!("Get-MailboxDatabase-{number}.csv"), &row)
        };
        let exports = [text("ExchangeServer.csv", &servers), with(&[])[1].clone(), one(0), one(1)];
        let Imported { topology, notes, .. } = import(&exports, false).unwrap();
        (topology.databases.values().next().unwrap().active.to_string(), notes)
    };
    let (active, notes) = imported(["MBX2", "MBX1"]);
    assert_eq!(active, "mbx2");
    let says = "is `MBX1` here and `MBX2` in Get-MailboxDatabase-0.csv:2, which is taken";
    noted(&notes, Kind::Doubtful, "Get-MailboxDatabase-1.csv:2", says);
    // Without -Status nothing stands there.
    let (active, notes) = imported(["", "MBX2"]);
    assert_eq!((active.as_str(), notes.iter().any(|note| note.kind == Kind::Doubtful)), ("mbx2", false));
}
