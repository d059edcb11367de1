//! What a client does once it is there, and the protocol that it speaks to do so.

use super::{Opens, When};
use crate::protocol::{Protocol, words};

words! {
    /// What a client does once it is there.
    Action, "action", "open-mailbox (or autodiscover, autodiscover-soap, folder-sync, options, get-folder, download-oab, connect, …)";
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
    /// MAPI over HTTP: Connect, Execute that reads owner and inbox, PING, Disconnect.
    MapiConnect = "mapi-connect",
    /// MAPI over HTTP: NotificationWait, which is seen to be pending before the message comes that ends it.
    MapiNotificationWait = "mapi-notification-wait",
    /// MAPI over HTTP's address book: Bind, its tables, the user's own entry by name and by DN, Unbind.
    MapiAddressBook = "mapi-address-book",
    /// Outlook: connect to the mailbox by MS-RPC, over TCP or in Outlook Anywhere's channels, and read whose it is.
    Connect = "connect",
    /// Outlook: connect by Outlook Anywhere, let another IN channel succeed the first, and connect once more.
    RenewChannel = "renew-channel",
    /// Outlook: connect by Outlook Anywhere, and read until the proxy wanted another OUT channel and has gone over to it, and
    /// once more.
    RenewOutChannel = "renew-out-channel",
    /// Mail: sign in, open the inbox and read the first message.
    ReadMail = "read-mail",
    /// Mail: the same, with a command written behind STARTTLS in one piece, which nobody may run (rule X-SEC-7).
    PipelineStarttls = "pipeline-starttls",
    /// Mail: IDLE in the inbox until the server tells of a message, which a second session puts there, and read that (IMAP alone).
    Idle = "idle",
    /// Raw: what `sends` says.
    Send = "send",
}

impl When {
    /// The protocol that is spoken in the end: by what is done, or where the address leads.
    pub fn protocol(&self) -> Protocol {
        let entered = match &self.opens {
            Opens::Url(url) => Protocol::of_path(&url.path),
            Opens::Rpc(_) => Some(Protocol::Rpc),
            Opens::Mail(address) => Some(address.protocol),
            Opens::Outlook(_) | Opens::Device(_) => None,
        };
        if self.connects() {
            return entered.unwrap_or(Protocol::OutlookAnywhere);
        }
        self.does.protocol().or(entered).unwrap_or(Protocol::Owa)
    }

    /// Whether it is Outlook's mail connection, by MS-RPC.
    pub fn connects(&self) -> bool {
        matches!(self.does, Action::Connect | Action::RenewChannel | Action::RenewOutChannel)
    }

    /// Whether it says `X-MapiHttpCapability: 1` in Autodiscover: where the case says so, and whoever goes on to MAPI.
    pub fn says_mapi_http(&self) -> bool {
        self.mapi_http || self.does.protocol() == Some(Protocol::Mapi)
    }
}

impl Action {
    /// The protocol that an action speaks; none of its own for `send` and what mail programs do.
    fn protocol(self) -> Option<Protocol> {
        Some(match self {
            Action::Send
            | Action::Connect
            | Action::RenewChannel
            | Action::RenewOutChannel
            | Action::ReadMail
            | Action::PipelineStarttls
            | Action::Idle => return None,
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
            Action::MapiConnect | Action::MapiNotificationWait | Action::MapiAddressBook => Protocol::Mapi,
        })
    }
}
