//! Elements of ActiveSync by code page and token (MS-ASWBXML, section 2.1.2.1).

use crate::wbxml::Name;

// Page 0, AirSync.
pub(super) const SYNC: Name = Name(0, 0x05);
pub(super) const SYNC_KEY: Name = Name(0, 0x0B);
pub(super) const STATUS: Name = Name(0, 0x0E);
pub(super) const COLLECTION: Name = Name(0, 0x0F);
pub(super) const CLASS: Name = Name(0, 0x10);
pub(super) const COLLECTION_ID: Name = Name(0, 0x12);
pub(super) const GET_CHANGES: Name = Name(0, 0x13);
pub(super) const WINDOW_SIZE: Name = Name(0, 0x15);
pub(super) const COLLECTIONS: Name = Name(0, 0x1C);

// Page 2, Email.
pub(super) const SUBJECT: Name = Name(2, 0x14);

// Page 7, FolderHierarchy.
pub(super) const DISPLAY_NAME: Name = Name(7, 0x07);
pub(super) const SERVER_ID: Name = Name(7, 0x08);
pub(super) const TYPE: Name = Name(7, 0x0A);
pub(super) const FOLDER_STATUS: Name = Name(7, 0x0C);
pub(super) const ADD: Name = Name(7, 0x0F);
pub(super) const FOLDER_SYNC_KEY: Name = Name(7, 0x12);
pub(super) const FOLDER_SYNC: Name = Name(7, 0x16);

// Page 13, Ping.
pub(super) const PING: Name = Name(13, 0x05);
pub(super) const PING_STATUS: Name = Name(13, 0x07);
pub(super) const HEARTBEAT: Name = Name(13, 0x08);
pub(super) const PING_FOLDERS: Name = Name(13, 0x09);
pub(super) const PING_FOLDER: Name = Name(13, 0x0A);
pub(super) const PING_ID: Name = Name(13, 0x0B);
pub(super) const PING_CLASS: Name = Name(13, 0x0C);

// Page 14, Provision.
pub(super) const PROVISION: Name = Name(14, 0x05);
pub(super) const POLICIES: Name = Name(14, 0x06);
pub(super) const POLICY: Name = Name(14, 0x07);
pub(super) const POLICY_TYPE: Name = Name(14, 0x08);
pub(super) const POLICY_KEY: Name = Name(14, 0x09);
pub(super) const PROVISION_STATUS: Name = Name(14, 0x0B);

// Page 21, ComposeMail.
pub(super) const SEND_MAIL: Name = Name(21, 0x05);
pub(super) const SAVE_IN_SENT_ITEMS: Name = Name(21, 0x08);
pub(super) const MIME: Name = Name(21, 0x10);
pub(super) const CLIENT_ID: Name = Name(21, 0x11);
pub(super) const SEND_STATUS: Name = Name(21, 0x12);
