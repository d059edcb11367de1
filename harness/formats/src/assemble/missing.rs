//! Cmdlets that were not exported, and what follows from that.

use model::{Protocol, Version};

use crate::cmdlet::Cmdlet;
use crate::note::{Kind, Note};
use crate::rows::Rows;

/// Notes each cmdlet that is not there and would matter.
pub(super) fn noted(rows: &Rows, notes: &mut Vec<Note>) {
    let newest = rows.servers.iter().map(|server| server.version).max().unwrap_or(Version::Exchange2007);
    let has_2010 = rows.servers.iter().any(|server| server.version == Version::Exchange2010);
    let enabled = rows.client_access.iter().any(|server| server.anywhere == Some(true));
    let has_mapi = rows.servers.iter().any(|server| server.client_access && server.has_mapi());
    let mail = !rows.mail.is_empty();
    let directory = |protocol, follows| (Cmdlet::Directory(protocol), true, follows);
    let matters = [
        (
            Cmdlet::ClientAccessServer,
            true,
            "no service connection point is known: Outlook inside finds Autodiscover by DNS alone",
        ),
        directory(Protocol::Owa, "no browser has an address to open"),
        (
            Cmdlet::Directory(Protocol::Ecp),
            newest > Version::Exchange2007,
            "the control panel has no address",
        ),
        directory(Protocol::Eas, "no device has an address to go to"),
        directory(Protocol::Ews, "Autodiscover names no Exchange Web Services"),
        directory(Protocol::Oab, "Autodiscover names no address for the Offline Address Book"),
        directory(
            Protocol::Autodiscover,
            "it is assumed at every Client Access server, with Windows authentication and Basic",
        ),
        (Cmdlet::Directory(Protocol::Mapi), has_mapi, "Autodiscover offers no Outlook MAPI over HTTP"),
        (
            Cmdlet::OutlookAnywhere,
            true,
            match enabled {
                true => {
                    "OutlookAnywhereEnabled says that it is on, and nothing says how: it is left out, and `check` takes it for off"
                }
                false => "Outlook Anywhere is taken to be off at every server",
            },
        ),
        (Cmdlet::MailSettings(Protocol::Imap), true, "IMAP is left out"),
        (Cmdlet::MailSettings(Protocol::Pop), true, "POP is left out"),
        (Cmdlet::Service, mail, "the mail services are taken to run wherever they have settings"),
        (
            Cmdlet::ClientAccessArray,
            has_2010,
            "RPC Client Access arrays are taken from RpcClientAccessServer of the databases",
        ),
        (Cmdlet::MailboxDatabase, true, "each Mailbox server is taken to hold one database"),
        (
            Cmdlet::OfflineAddressBook,
            true,
            "each version is taken to have one, distributed by all its Client Access servers",
        ),
        (
            Cmdlet::Names,
            true,
            "what a name of DNS leads to is taken from the servers that are set to it, the same inside and outside",
        ),
    ];
    for (cmdlet, matters, follows) in matters {
        if matters && !rows.have.contains(&cmdlet) {
            notes.push(Note::new(Kind::Missing, cmdlet.called(), follows));
        }
    }
}
