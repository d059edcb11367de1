//! Servers that an exported cmdlet lacks.

use formats::{Export, Kind, Note, import};

use crate::{SERVERS, noted, text, with};

#[test]
fn a_server_that_an_exported_cmdlet_lacks_is_named_and_none_where_the_cmdlet_is_missing() {
    let servers = format!(
        "{SERVERS}CAS2,cas2.contoso.com,ClientAccess,A,Version 14.3 (Build 123.4)\n\
         EX13,ex13.contoso.com,\"Mailbox, ClientAccess\",A,Version 15.0 (Build 847.32)\n"
    );
    let all = |more: &[Export]| {
        let mut exports = vec![text("ExchangeServer.csv", &servers), with(&[])[1].clone()];
        exports.extend_from_slice(more);
        import(&exports, false).unwrap().notes
    };
    let imap = "ProtocolName,Server,InternalConnectionSettings,Identity\nIMAP4,CAS1,,CAS1\\1\n";
    let pop = "ProtocolName,Server,InternalConnectionSettings,Identity\nPOP3,CAS1,,CAS1\\1\n";
    let point = "Name,AutoDiscoverServiceInternalUri\nCAS1,https://autodiscover.contoso.com/a\n";
    let service = "Name,Status,MachineName\nMSExchangeIMAP4,Running,CAS1\n";
    let anywhere = "Server,Identity,ExternalHostname\nCAS1,CAS1\\Rpc (Default Web Site),mail.contoso.com\n";
    let notes = all(&[
        text("imap.csv", imap),
        text("pop.csv", pop),
        text("Get-ClientAccessServer.csv", point),
        text("Get-Service.csv", service),
        text("Get-OutlookAnywhere.csv", anywhere),
    ]);
    for (server, says) in [
        ("CAS2", "Get-ClientAccessServer has no object of it: no service connection point of it is known"),
        ("EX13", "Get-ClientAccessServer has no object of it"),
        ("CAS2", "Get-ImapSettings has no object of it: IMAP is left out there"),
        ("CAS2", "Get-PopSettings has no object of it: POP is left out there"),
        ("CAS1", "Get-Service has no MSExchangePOP3 of it: it is taken to run"),
        ("EX13", "Get-Service has no MSExchangeIMAP4BE of it: it is taken to run"),
        ("EX13", "Get-OutlookAnywhere has no object of it: Outlook Anywhere is taken to be off there"),
        ("Get-MapiVirtualDirectory", "Autodiscover offers no Outlook MAPI over HTTP"),
    ] {
        noted(&notes, Kind::Missing, server, says);
    }
    let lacking = |notes: &[Note], server: &str, cmdlet: &str| {
        notes.iter().any(|note| note.at == server && note.says.starts_with(cmdlet))
    };
    assert!(
        !lacking(&notes, "CAS2", "Get-OutlookAnywhere"),
        "of 2010 it is off, and has no object: {notes:#?}"
    );
    assert!(!lacking(&notes, "CAS1", "Get-ImapSettings"), "{notes:#?}");
    // What is missing as a whole is said once.
    let notes = all(&[text("imap.csv", imap)]);
    noted(&notes, Kind::Missing, "Get-Service", "are taken to run");
    for cmdlet in ["Get-ClientAccessServer", "Get-PopSettings", "Get-Service", "Get-OutlookAnywhere"] {
        assert!(!["CAS1", "CAS2", "EX13"].iter().any(|server| lacking(&notes, server, cmdlet)), "{notes:#?}");
    }
}
