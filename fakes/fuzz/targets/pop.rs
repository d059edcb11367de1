//! POP: a client that may say anything, before it has signed in and after. The first byte says what the server is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::Version;
use model::mail::LoginType;
use protocols::mail::{Ended, Letter, Offers, Talk, Wants};
use protocols::mailbox::{Message, Owner};
use protocols::pop;

async fn converse(talk: &mut Talk<impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>, kind: u8) -> Result<(), Ended> {
    let offers = Offers {
        version: if kind & 1 == 0 { Version::Exchange2010 } else { Version::Exchange2013 },
        banner: None,
        login: if kind & 2 == 0 { LoginType::PlainTextLogin } else { LoginType::SecureLogin },
        ntlm: kind & 4 != 0,
        back_end: false,
    };
    let owner = Owner { address: "a@b.c".to_owned(), guid: "7d0e0000-0000-4000-8000-000000000001".to_owned() };
    let message = Message { subject: "s".to_owned(), from: "a@b.c".to_owned(), text: "t\n.\nü".to_owned() };
    let letters = Letter::all(&[message.clone(), message], &owner);
    talk.say(pop::greeting(&offers)).await?;
    let mut tls = kind & 16 != 0;
    loop {
        match pop::until_signed_in(talk, &offers, tls).await? {
            Wants::Tls => {
                talk.drop_early();
                tls = true;
            }
            Wants::SignIn(_) | Wants::Ntlm(_) => return pop::serve(talk, &letters).await,
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
    // Each line that it was told is one, whatever it had said.
    drop(talk);
    assert!(said.ends_with(b"\r\n"));
    assert!(said.split(|byte| *byte == b'\n').rev().skip(1).all(|line| line.ends_with(b"\r")));
});
