//! Exports of administrators: what is wrong with one is told with its place, and never by a panic; what comes of one is a
//! topology that reads.
#![no_main]

use formats::{Export, import};
use libfuzzer_sys::fuzz_target;

/// Servers and a domain, so that what is fuzzed has something to belong to.
const SERVERS: &str = "Name,Fqdn,ServerRole,Site,AdminDisplayVersion\n\
CAS1,cas1.contoso.com,ClientAccess,contoso.com/Configuration/Sites/A,Version 14.3 (Build 123.4)\n\
MBX1,mbx1.contoso.com,Mailbox,contoso.com/Configuration/Sites/A,Version 14.3 (Build 123.4)\n\
EX13,ex13.ad.contoso.com,\"Mailbox, ClientAccess\",contoso.com/Configuration/Sites/B,Version 15.0 (Build 847.32)\n";

/// What a file's name says of text that does not.
const FILES: [&str; 5] =
    ["Get-OwaVirtualDirectory.txt", "Get-MailboxDatabase.csv", "Get-OfflineAddressBook.txt", "Names.csv", "x"];

fuzz_target!(|bytes: &[u8]| {
    let Some((file, bytes)) = bytes.split_first() else { return };
    let export = |file: &str, bytes: &[u8]| Export { file: file.to_owned(), bytes: bytes.to_vec() };
    let file = FILES[usize::from(*file) % FILES.len()];
    let exports = [export("Get-ExchangeServer.csv", SERVERS.as_bytes()), export(file, bytes)];
    for anonymise in [false, true] {
        for problem in import(&exports, anonymise).err().into_iter().flatten() {
            let _ = problem.picture().to_string();
            assert!(!problem.location.starts_with("imported.toml"), "what was written does not read: {problem}");
        }
    }
});
