//! What a server of each Exchange version says once it holds the request: pages, WBXML, SOAP, POX, MS-RPC, RPC over HTTP,
//! IMAP and POP.
//!
//! Pure but for waiting on a mailbox. It chooses no server: whoever calls has decided that the request is to be served
//! here, and by which mailbox. The fakes and the reference share this crate and nothing else.

pub mod answer;
pub mod autodiscover;
pub mod eas;
pub mod ews;
pub mod fba;
pub mod iis;
pub mod imap;
pub mod mail;
pub mod mailbox;
pub mod mapi;
pub mod msrpc;
pub mod oab;
pub mod owa;
pub mod pop;
pub mod rpch;
pub mod wbxml;
pub mod xml;
