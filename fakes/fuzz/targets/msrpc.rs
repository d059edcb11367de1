//! MS-RPC: a connection on which anything may be said, up to its end.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use protocols::mailbox::{Message, Owner};
use protocols::msrpc::{Inbox, Store, serve};

struct One(Arc<Inbox>);

impl Store for One {
    async fn open(&self, user_dn: &str) -> Option<Arc<Inbox>> {
        (user_dn != "/o=Nobody").then(|| self.0.clone())
    }
}

fuzz_target!(|bytes: &[u8]| {
    let owner = Owner { address: "a@b.c".to_owned(), guid: "7d0e0000-0000-4000-8000-000000000001".to_owned() };
    let message = Message { subject: "s".to_owned(), from: "a@b.c".to_owned(), text: "t".to_owned() };
    let store = One(Arc::new(Inbox::new(owner, vec![message])));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers");
    // Whether it ends well is not asked; that it ends is.
    let _ = runtime.block_on(serve(tokio::io::join(bytes, tokio::io::sink()), &store));
});
