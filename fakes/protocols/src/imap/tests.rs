//! Dialogues as a mail program has them, and what a hostile one says.

use std::sync::Arc;

use model::Version;
use model::mail::LoginType;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;
use crate::mail::{Ended, Given, Letter, Offers, Talk, Wants};
use crate::mailbox::{Message, Owner};
use crate::msrpc::{Inbox, Local};

fn offers() -> Offers {
    Offers {
        version: Version::Exchange2010,
        banner: None,
        login: LoginType::SecureLogin,
        ntlm: false,
        back_end: false,
    }
}

/// Says all of it at once and hears all that is answered.
async fn before(offers: &Offers, tls: bool, says: &[u8]) -> (Result<Wants, Ended>, String, usize) {
    let (mut client, server) = duplex(1 << 20);
    client.write_all(says).await.unwrap();
    client.shutdown().await.unwrap();
    let mut talk = Talk::new(server);
    let wants = until_signed_in(&mut talk, offers, tls).await;
    let early = talk.drop_early();
    drop(talk);
    let mut heard = vec![];
    client.read_to_end(&mut heard).await.unwrap();
    (wants, String::from_utf8(heard).unwrap(), early)
}

/// A mailbox on the server itself.
struct Here(Arc<Inbox>);

impl Opens for Here {
    type Mailbox = Local;

    async fn open(&self) -> Option<Local> {
        Some(Local(self.0.clone()))
    }
}

async fn session(says: &str) -> String {
    let owner = Owner { address: "red@contoso.com".into(), guid: "7".into() };
    let message = |subject: &str| Message {
        subject: subject.into(),
        from: "postmaster@contoso.com".into(),
        text: "one\ntwo\n.three".into(),
    };
    let inbox = Inbox::new(owner.clone(), vec![message("First"), message("Second")]);
    let letters = Letter::all(&inbox.messages(), &owner);
    let (mut client, server) = duplex(1 << 20);
    client.write_all(says.as_bytes()).await.unwrap();
    client.shutdown().await.unwrap();
    let mut talk = Talk::new(server);
    let ended = serve(&mut talk, &offers(), letters, &Here(Arc::new(inbox))).await;
    drop((ended, talk));
    let mut heard = vec![];
    client.read_to_end(&mut heard).await.unwrap();
    String::from_utf8(heard).unwrap()
}

fn signs_in(user: &str, password: &str, by: &'static str, tag: &str) -> Wants {
    Wants::SignIn(Given { user: user.into(), password: password.into(), by, tag: tag.into() })
}

#[tokio::test]
async fn capabilities_differ_before_tls_and_after_and_by_version() {
    let (_, plain, _) = before(&offers(), false, b"a CAPABILITY\r\n").await;
    let expected = "* CAPABILITY IMAP4 IMAP4rev1 LOGINDISABLED STARTTLS IDLE NAMESPACE LITERAL+\r\na OK CAPABILITY completed.\r\n";
    assert_eq!(plain, expected);
    let newer = Offers { version: Version::Exchange2013, ntlm: true, ..offers() };
    let (_, after, _) = before(&newer, true, b"a capability\r\n").await;
    assert!(
        after.starts_with(
            "* CAPABILITY IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=NTLM UIDPLUS MOVE ID CHILDREN IDLE NAMESPACE LITERAL+\r\n"
        ),
        "{after}"
    );
    let open = Offers { login: LoginType::PlainTextLogin, ..offers() };
    let (_, open, _) = before(&open, false, b"a CAPABILITY\r\n").await;
    assert!(open.contains("AUTH=PLAIN STARTTLS") && !open.contains("LOGINDISABLED"), "{open}");
}

#[tokio::test]
async fn a_client_signs_in_by_login_with_strings_and_literals_and_by_sasl_plain() {
    let (wants, ..) = before(&offers(), true, b"a1 LOGIN \"CONTOSO\\\\red\" \"p\\\"w\"\r\n").await;
    assert_eq!(wants.unwrap(), signs_in("CONTOSO\\red", "p\"w", "LOGIN", "a1"));
    let (wants, heard, _) = before(&offers(), true, b"a2 LOGIN {3}\r\nred {4+}\r\np w!\r\n").await;
    assert_eq!(wants.unwrap(), signs_in("red", "p w!", "LOGIN", "a2"));
    assert_eq!(heard, "+ Ready for additional command text.\r\n");
    let (wants, heard, _) = before(&offers(), true, b"a3 AUTHENTICATE PLAIN\r\nAHJlZABwdw==\r\n").await;
    assert_eq!(wants.unwrap(), signs_in("red", "pw", "AUTHENTICATE PLAIN", "a3"));
    assert_eq!(heard, "+ \r\n");
}

#[tokio::test]
async fn a_password_in_clear_is_refused_without_tls_unless_it_is_allowed() {
    let (wants, heard, _) = before(&offers(), false, b"a LOGIN red pw\r\n").await;
    assert!(matches!(wants, Err(Ended::Closed)));
    assert_eq!(heard, "a NO LOGIN failed.\r\n");
    let open = Offers { login: LoginType::PlainTextLogin, ..offers() };
    let (wants, ..) = before(&open, false, b"a LOGIN red pw\r\n").await;
    assert_eq!(wants.unwrap(), signs_in("red", "pw", "LOGIN", "a"));
}

#[tokio::test]
async fn what_is_written_behind_starttls_is_dropped() {
    let (wants, heard, early) = before(&offers(), false, b"a STARTTLS\r\nb LOGIN red pw\r\n").await;
    assert_eq!(wants.unwrap(), Wants::Tls);
    assert_eq!(heard, "a OK Begin TLS negotiation now.\r\n");
    assert_eq!(early, "b LOGIN red pw\r\n".len());
}

#[tokio::test]
async fn what_has_no_end_is_not_read_and_what_is_no_command_is_said_to_be_none() {
    let endless = [b"a AUTHENTICATE PLAIN\r\n".to_vec(), vec![b'A'; 100_000]].concat();
    let (wants, ..) = before(&offers(), true, &endless).await;
    assert!(matches!(wants, Err(Ended::TooLong("a line"))));
    let (wants, heard, _) = before(&offers(), true, b"a LOGIN {2147483648}\r\nb LOGOUT\r\n").await;
    assert_eq!(wants.unwrap(), Wants::Nothing);
    assert!(heard.starts_with("a BAD Protocol Error. 10\r\n* BYE"), "{heard}");
    let (wants, heard, _) = before(&offers(), true, b"a LOGIN {2147483648+}\r\nb LOGOUT\r\n").await;
    assert!(matches!(wants, Err(Ended::TooLong("a literal"))) && heard.contains("* BYE"), "{heard}");
    for wrong in
        ["\r\n", "a\r\n", "(a) NOOP\r\n", "a LOGIN \"red\r\n", "a NOOP )\r\n", "\0\u{fffd} \u{7}\r\n"]
    {
        let (wants, heard, _) = before(&offers(), true, wrong.as_bytes()).await;
        assert!(matches!(wants, Err(Ended::Closed)) && heard.contains(" BAD "), "{wrong:?} {heard}");
    }
    let many = "a NOPE\r\n".repeat(40);
    let (wants, heard, _) = before(&offers(), true, many.as_bytes()).await;
    assert!(matches!(wants, Ok(Wants::Nothing)) && heard.ends_with("* BYE Connection is closed. 14\r\n"));
}

#[tokio::test]
async fn a_session_lists_opens_and_reads_the_inbox() {
    let heard = session(
        "a LIST \"\" \"*\"\r\nb SELECT inbox\r\nc FETCH 2 (UID BODY.PEEK[HEADER.FIELDS (SUBJECT TO)])\r\n\
         d UID FETCH 1:* (FLAGS RFC822.SIZE)\r\ne FETCH 1 BODY[TEXT]<0.5>\r\nf IDLE\r\nDONE\r\ng LOGOUT\r\n",
    )
    .await;
    for line in [
        "* LIST (\\HasNoChildren) \"/\" INBOX\r\na OK LIST completed.\r\n",
        "* 2 EXISTS\r\n",
        "b OK [READ-WRITE] SELECT completed.\r\n",
        "* 2 FETCH (UID 2 BODY[HEADER.FIELDS (SUBJECT TO)] {40}\r\nTo: red@contoso.com\r\nSubject: Second\r\n\r\n)\r\n",
        "* 1 FETCH (UID 1 FLAGS () RFC822.SIZE ",
        "* 1 FETCH (BODY[TEXT]<0> {5}\r\none\r\n)\r\n",
        "+ IDLE accepted, awaiting DONE command.\r\nf OK IDLE completed.\r\n",
        "g OK LOGOUT completed.\r\n",
    ] {
        assert!(heard.contains(line), "{line}\n{heard}");
    }
}

#[tokio::test]
async fn a_set_or_an_item_that_cannot_be_read_is_no_reason_to_end() {
    for wrong in ["0", "x", "1:y", "1 (BODY[)", "1 BODY[NOPE]", "1 ()", "1 BODY[]<x.y>"] {
        let heard = session(&format!("a SELECT INBOX\r\nb FETCH {wrong} UID\r\nc NOOP\r\n")).await;
        assert!(heard.contains("b BAD ") && heard.contains("c OK NOOP"), "{wrong}: {heard}");
    }
    assert!(session("a FETCH 1 UID\r\n").await.starts_with("a BAD"));
    assert!(session("a SELECT INBOX\r\nb FETCH 9 UID\r\n").await.contains("b OK FETCH completed."));
}

#[tokio::test]
async fn an_idle_client_is_told_of_what_comes_and_may_read_it() {
    let owner = Owner { address: "red@contoso.com".into(), guid: "7".into() };
    let inbox = Arc::new(Inbox::new(owner.clone(), vec![]));
    let (mut client, server) = duplex(1 << 20);
    let (opens, offers, mut talk) = (Here(inbox.clone()), offers(), Talk::new(server));
    let session = serve(&mut talk, &offers, vec![], &opens);
    let says = async {
        client.write_all(b"a SELECT INBOX\r\nb IDLE\r\n").await.unwrap();
        let mut heard = String::new();
        for (subject, wanted) in [("", "+ IDLE"), ("First", "* 1 EXISTS\r\n"), ("Second", "* 2 EXISTS\r\n")] {
            if !subject.is_empty() {
                let from = "postmaster@contoso.com".to_owned();
                inbox.deliver(Message { subject: subject.into(), from, text: String::new() }).unwrap();
            }
            while !heard.contains(wanted) {
                heard.push(char::from(client.read_u8().await.unwrap()));
            }
        }
        client.write_all(b"DONE\r\nc FETCH 2 BODY[HEADER.FIELDS (SUBJECT)]\r\nd LOGOUT\r\n").await.unwrap();
        client.shutdown().await.unwrap();
    };
    let (ended, ()) = tokio::join!(session, says);
    ended.unwrap();
    drop(talk);
    let mut heard = String::new();
    client.read_to_string(&mut heard).await.unwrap();
    assert!(heard.contains("b OK IDLE completed.\r\n") && heard.contains("Subject: Second\r\n"), "{heard}");
}

#[tokio::test]
async fn a_message_is_put_into_the_inbox_and_nowhere_else() {
    let heard = session(
        "a APPEND INBOX (\\Seen) {35+}\r\nFrom: a@b.c\r\nSubject: Third\r\n\r\nt\r\n\r\nb SELECT INBOX\r\nc APPEND inbox {2+}\r\n\r\n\r\n\
         d FETCH 3 BODY[HEADER.FIELDS (SUBJECT FROM)]\r\ne APPEND Sent {2+}\r\n\r\n\r\nf LOGOUT\r\n",
    )
    .await;
    for line in [
        "a OK APPEND completed.\r\n* 3 EXISTS\r\n",
        "* 4 EXISTS\r\nc OK APPEND completed.\r\n",
        "From: a@b.c\r\nSubject: Third\r\n\r\n)\r\n",
        "e NO Sent doesn't exist.\r\n",
    ] {
        assert!(heard.contains(line), "{line}\n{heard}");
    }
    let whole = "x".repeat(29 * 1024);
    let heard = session(&format!("a APPEND INBOX {{{}+}}\r\n\r\n\r\n{whole}\r\n", whole.len() + 4)).await;
    assert_eq!(heard, "a NO APPEND failed.\r\n");
}
