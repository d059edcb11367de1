//! IMAP: a client that may say anything, before it has signed in and after. The first byte says what the server is.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use model::Version;
use model::mail::LoginType;
use protocols::imap::{self, Opens};
use protocols::mail::{Ended, Letter, Offers, Talk, Wants};
use protocols::mailbox::{Message, Owner};
use protocols::msrpc::{Inbox, Local};

struct Here(Arc<Inbox>);

impl Opens for Here {
    type Mailbox = Local;

    async fn open(&self) -> Option<Local> {
        Some(Local(self.0.clone()))
    }
}

async fn converse(talk: &mut Talk<impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>, kind: u8) -> Result<(), Ended> {
    let offers = Offers {
        version: if kind & 1 == 0 { Version::Exchange2010 } else { Version::Exchange2013 },
        banner: None,
        login: if kind & 2 == 0 { LoginType::PlainTextLogin } else { LoginType::SecureLogin },
        ntlm: kind & 4 != 0,
        back_end: kind & 8 != 0,
    };
    let owner = Owner { address: "a@b.c".to_owned(), guid: "7d0e0000-0000-4000-8000-000000000001".to_owned() };
    let message = Message { subject: "s".to_owned(), from: "a@b.c".to_owned(), text: "t\n.\nü".to_owned() };
    let inbox = Inbox::new(owner.clone(), vec![message.clone(), message]);
    let letters = Letter::all(&inbox.messages(), &owner);
    let opens = Here(Arc::new(inbox));
    talk.say(imap::greeting(&offers)).await?;
    let mut tls = kind & 16 != 0;
    loop {
        match imap::until_signed_in(talk, &offers, tls).await? {
            Wants::Tls => {
                talk.drop_early();
                tls = true;
            }
            Wants::SignIn(_) | Wants::Ntlm(_) => return imap::serve(talk, &offers, letters, &opens).await,
            Wants::Nothing => return Ok(()),
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, says)) = bytes.split_first() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers");
    let mut said = vec![];
    let mut talk = Talk::new(tokio::io::join(says, &mut said));
    // Whether it ends well is not asked; that it ends is.
    let _ = runtime.block_on(converse(&mut talk, *kind));
    drop(talk);
    lines(&said);
});

/// Whatever it said, what it was told are lines, and literals as long as they are announced.
fn lines(mut said: &[u8]) {
    while let Some(end) = said.iter().position(|byte| *byte == b'\n') {
        let line = std::str::from_utf8(&said[..end]).expect("a line is text");
        let line = line.strip_suffix('\r').expect("a line ends as lines do");
        let literal = line.strip_suffix('}').and_then(|line| line.rsplit_once('{'));
        let literal = literal.map_or(0, |(_, length)| length.parse().expect("a length"));
        said = &said[end + 1..][literal..];
    }
    assert!(said.is_empty());
}
