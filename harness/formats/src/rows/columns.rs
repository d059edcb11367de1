//! Properties that decide and that no object of an exported cmdlet has: Select-Object left them out, and blank is not what they are.

use std::collections::BTreeMap;

use model::{Protocol, Version};

use super::Server;
use crate::cmdlet::Cmdlet;
use crate::note::{Kind, Note};
use crate::record::Record;

/// Notes each property that would decide something among these servers and was not exported, with what is taken instead.
pub(super) fn missing(known: &BTreeMap<Cmdlet, Vec<Record>>, servers: &[Server]) -> Vec<Note> {
    let mut notes = vec![];
    let has = |version| servers.iter().any(|server| server.version == version);
    let (has_2010, has_2013) = (has(Version::Exchange2010), has(Version::Exchange2013));
    for (cmdlet, records) in known {
        for (property, so) in deciding(*cmdlet, has_2010, has_2013) {
            if !records.iter().any(|record| record.has(property)) {
                let says = format!("{property} was not exported: {so}");
                notes.push(Note::new(Kind::Missing, cmdlet.called(), says));
            }
        }
    }
    notes
}

/// What is read of a cmdlet's objects, and is taken for something where it is not there.
fn deciding(cmdlet: Cmdlet, has_2010: bool, has_2013: bool) -> Vec<(&'static str, &'static str)> {
    let all: Vec<(bool, &str, &str)> = match cmdlet {
        Cmdlet::ClientAccessServer => {
            vec![(true, "AutoDiscoverServiceInternalUri", "no service connection point is known")]
        }
        // Its addresses are the service connection points.
        Cmdlet::Directory(Protocol::Autodiscover) => vec![],
        Cmdlet::Directory(protocol) => {
            let redirects = protocol == Protocol::Owa && has_2010;
            vec![
                (true, "ExternalUrl", "none has an address outside"),
                (true, "InternalUrl", "none has an address inside"),
                (redirects, "CrossSiteRedirectType", "it is taken for Manual, a page with a link"),
                (redirects, "LegacyRedirectType", "it is taken for Silent"),
            ]
        }
        Cmdlet::OutlookAnywhere => vec![
            (true, "ExternalHostname", "none has a name outside"),
            (has_2013, "InternalHostname", "none has a name inside"),
        ],
        Cmdlet::MailSettings(_) => vec![
            (true, "LoginType", "it is taken for SecureLogin"),
            (true, "EnableGSSAPIAndNTLMAuth", "it is taken for off"),
        ],
        Cmdlet::MailboxDatabase => vec![
            (has_2010 || has_2013, "Servers", "no copy is known beside the one that is mounted"),
            (has_2010, "RpcClientAccessServer", "databases of Exchange 2010 have no array"),
            (true, "OfflineAddressBook", "all have the default one"),
        ],
        Cmdlet::OfflineAddressBook => vec![
            (true, "VirtualDirectories", "no server hands them out"),
            (true, "IsDefault", "the first one is taken for the default one"),
            (true, "Guid", "theirs are made up"),
        ],
        _ => vec![],
    };
    all.into_iter().filter(|(matters, ..)| *matters).map(|(_, property, so)| (property, so)).collect()
}
