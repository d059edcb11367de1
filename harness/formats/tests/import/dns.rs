//! What DNS said of names, what of that is assumed, and whether it is split.

use formats::{Imported, Kind, Note, import};

use crate::{SERVERS, host, noted, server, text, with};

/// What was imported with an ExternalUrl of CAS1 and with what DNS said: rows of Names.csv.
fn named(rows: &str) -> Imported {
    let owa = "Server,Identity,ExternalUrl\nCAS1,CAS1\\owa (Default Web Site),https://mail.contoso.com/owa\n";
    let names = format!("#TYPE CoexistName\nName,View,Address\ncas1.contoso.com,Internal,10.0.0.1\n{rows}");
    import(&with(&[text("owa.csv", owa), text("names.csv", &names)]), false).unwrap()
}

#[test]
fn each_side_of_a_name_that_dns_did_not_tell_is_assumed_by_itself() {
    let mail = |imported: &Imported| imported.topology.namespaces[&host("mail.contoso.com")].external.clone();
    let not_asked = named("mail.contoso.com,Internal,10.0.0.1\n");
    assert_eq!(mail(&not_asked), [server("cas1")]);
    let says = "outside it leads to CAS1: Names.csv has no answer for it there";
    noted(&not_asked.notes, Kind::Assumed, "mail.contoso.com", says);
    let translated = named("mail.contoso.com,Internal,10.0.0.1\nmail.contoso.com,External,203.0.113.5\n");
    assert_eq!(mail(&translated), [server("cas1")]);
    let says = "outside it leads to CAS1: no server has the address 203.0.113.5";
    noted(&translated.notes, Kind::Assumed, "mail.contoso.com", says);
    for imported in [&not_asked, &translated] {
        let inside = |note: &Note| note.at == "mail.contoso.com" && note.says.starts_with("inside");
        assert!(!imported.notes.iter().any(inside), "that was told: {:#?}", imported.notes);
    }
}

#[test]
fn dns_is_split_where_its_views_differ_and_not_where_they_are_told_alike() {
    let split = |rows: &str, why: &str| {
        let imported = named(rows);
        noted(&imported.notes, Kind::Assumed, "DNS", why);
        imported.topology.split_brain
    };
    let differs = "Names.csv has other answers for mail.contoso.com inside than outside";
    assert!(split("mail.contoso.com,Internal,10.0.0.1\nmail.contoso.com,External,203.0.113.5\n", differs));
    assert!(split("mail.contoso.com,Internal,10.0.0.1\nmail.contoso.com,External,\n", differs));
    let alike = "mail.contoso.com,Internal,10.0.0.1\nmail.contoso.com,External,10.0.0.1\n";
    let not = "DNS is not split-brain: no name leads to some servers inside";
    assert!(!split(alike, not));
    // A server's own name is inside only: that is a second zone only where it is in the mail's domain.
    assert!(split(
        &format!("{alike}cas1.contoso.com,External,\n"),
        "other answers for cas1.contoso.com inside"
    ));
    // Names in the servers' own domain are none, and neither are those of servers that are left out.
    let other = "ex16.ad.contoso.com,Internal,10.0.0.3\nex16.ad.contoso.com,External,\n\
                 cas2.ad.contoso.com,Internal,10.0.0.2\ncas2.ad.contoso.com,External,\n";
    let servers = format!("{SERVERS}CAS2,cas2.ad.contoso.com,ClientAccess,A,Version 14.3 (Build 123.4)\n");
    let names = format!("#TYPE CoexistName\nName,View,Address\n{other}");
    let exports = [text("ExchangeServer.csv", &servers), with(&[])[1].clone(), text("names.csv", &names)];
    assert!(!import(&exports, false).unwrap().topology.split_brain);
}

/// What is told of one side and assumed of the other may lead apart.
#[test]
fn dns_is_split_where_a_name_leads_to_others_outside_and_not_where_it_leads_nowhere_there() {
    let servers = format!("{SERVERS}CAS2,cas2.contoso.com,ClientAccess,B,Version 14.3 (Build 123.4)\n");
    let owa = "Server,Identity,ExternalUrl\nCAS1,CAS1\\owa (Default Web Site),https://mail.contoso.com/owa\n";
    let names = "#TYPE CoexistName\nName,View,Address\ncas2.contoso.com,Internal,10.0.0.2\n\
                 mail.contoso.com,Internal,10.0.0.2\n";
    let exports = [
        text("ExchangeServer.csv", &servers),
        with(&[])[1].clone(),
        text("owa.csv", owa),
        text("names.csv", names),
    ];
    let imported = import(&exports, false).unwrap();
    let says = "DNS is split-brain: mail.contoso.com leads to CAS2 inside and to CAS1 outside";
    noted(&imported.notes, Kind::Assumed, "DNS", says);
    assert!(imported.topology.split_brain);
    let array = "Name,Fqdn,Site,Members\narr,outlook.contoso.com,contoso.com/Configuration/Sites/A,CAS1\n";
    let imported = import(&with(&[text("Get-ClientAccessArray.csv", array)]), false).unwrap();
    let array = &imported.topology.namespaces[&host("outlook.contoso.com")];
    assert!(!array.internal.is_empty() && array.external.is_empty() && !imported.topology.split_brain);
}

#[test]
fn what_dns_said_comes_before_what_settings_let_assume() {
    let owa = "Server,Identity,ExternalUrl\nCAS1,CAS1\\owa (Default Web Site),https://mail.contoso.com/owa\n";
    let names = "#TYPE CoexistName\n\"Name\",\"View\",\"Address\"\n\
                 \"cas1.contoso.com\",\"Internal\",\"10.0.0.1\"\n\"mail.contoso.com\",\"Internal\",\"10.0.0.1\"\n\
                 \"mail.contoso.com\",\"External\",\"\"\n\"autodiscover.contoso.com\",\"Internal\",\"10.9.9.9\"\n";
    let Imported { topology, notes, .. } =
        import(&with(&[text("owa.csv", owa), text("names.csv", names)]), false).unwrap();
    let mail = &topology.namespaces[&host("mail.contoso.com")];
    assert_eq!((&mail.internal[..], &mail.external[..]), (&[server("cas1")][..], &[][..]));
    assert!(notes.iter().all(|note| note.at != "mail.contoso.com"), "nothing was assumed: {notes:#?}");
    // An address that is nobody's is a load balancer's.
    noted(&notes, Kind::Assumed, "autodiscover.contoso.com", "it leads to CAS1");
}
