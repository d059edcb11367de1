//! What a client does once it is there, and the protocol that it speaks to do so.

use super::{Opens, When};
use crate::protocol::{Protocol, words};

words! {
    /// What a client does once it is there.
    Action, "action", "open-mailbox (or autodiscover, autodiscover-soap, folder-sync, options, get-folder, download-oab, …)";
    /// Browser: sign in and see the mailbox.
    OpenMailbox = "open-mailbox",
    /// Read the Autodiscover answer (POX; mobilesync for a device), and stop.
    Autodiscover = "autodiscover",
    /// Read the Autodiscover answer over SOAP GetUserSettings, and stop.
    AutodiscoverSoap = "autodiscover-soap",
    /// Device: OPTIONS, then FolderSync.
    FolderSync = "folder-sync",
    /// Device: OPTIONS alone.
    Options = "options",
    /// Device: Provision in two rounds, then FolderSync.
    Provision = "provision",
    /// Device: FolderSync, then Sync of the inbox.
    Sync = "sync",
    /// Device: SendMail to itself, then Sync.
    SendMail = "send-mail",
    /// Device: Ping, answered because a message comes.
    Ping = "ping",
    /// EWS: GetFolder of the inbox, then FindItem.
    GetFolder = "get-folder",
    /// EWS: CreateItem, then FindItem shows it.
    CreateItem = "create-item",
    /// EWS: GetUserAvailability of itself.
    Availability = "availability",
    /// EWS: Subscribe, GetStreamingEvents, CreateItem: the event comes while the answer is open.
    StreamingEvents = "streaming-events",
    /// OAB: manifest, then each file in ranges.
    DownloadOab = "download-oab",
    /// Raw: what `sends` says.
    Send = "send",
}

impl When {
    /// The protocol that is spoken in the end: by what is done, or for a raw client where the address enters.
    pub fn protocol(&self) -> Protocol {
        let entered = match &self.opens {
            Opens::Url(url) => Protocol::of_path(&url.path),
            Opens::Outlook(_) | Opens::Device(_) => None,
        };
        self.does.protocol().or(entered).unwrap_or(Protocol::Owa)
    }
}

impl Action {
    /// The protocol that an action speaks; none of its own for `send`.
    fn protocol(self) -> Option<Protocol> {
        Some(match self {
            Action::Send => return None,
            Action::OpenMailbox => Protocol::Owa,
            Action::Autodiscover | Action::AutodiscoverSoap => Protocol::Autodiscover,
            Action::FolderSync
            | Action::Options
            | Action::Provision
            | Action::Sync
            | Action::SendMail
            | Action::Ping => Protocol::Eas,
            Action::GetFolder | Action::CreateItem | Action::Availability | Action::StreamingEvents => {
                Protocol::Ews
            }
            Action::DownloadOab => Protocol::Oab,
        })
    }
}
