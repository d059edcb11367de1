//! Dialogues as a mail program has them, and what a hostile one says.

use model::mail::LoginType;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;
use crate::mailbox::{Message, Owner};

fn offers() -> Offers {
    Offers {
        version: Version::Exchange2007,
        banner: Some("Contoso".into()),
        login: LoginType::SecureLogin,
        ntlm: false,
        back_end: false,
    }
}

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

async fn session(says: &str) -> String {
    let owner = Owner { address: "red@contoso.com".into(), guid: "7".into() };
    let text = "one\n.two\nthree".to_owned();
    let message = Message { subject: "First".into(), from: "postmaster@contoso.com".into(), text };
    let letters = Letter::all(&[message], &owner);
    let (mut client, server) = duplex(1 << 20);
    client.write_all(says.as_bytes()).await.unwrap();
    client.shutdown().await.unwrap();
    let mut talk = Talk::new(server);
    let ended = serve(&mut talk, &letters).await;
    drop((ended, talk));
    let mut heard = vec![];
    client.read_to_end(&mut heard).await.unwrap();
    String::from_utf8(heard).unwrap()
}

#[tokio::test]
async fn capabilities_differ_before_tls_and_after() {
    assert_eq!(greeting(&offers()), "+OK Contoso\r\n");
    let (_, plain, _) = before(&offers(), false, b"CAPA\r\n").await;
    assert_eq!(plain, "+OK\r\nTOP\r\nUIDL\r\nSTLS\r\n.\r\n");
    let (_, after, _) = before(&Offers { ntlm: true, ..offers() }, true, b"capa\r\n").await;
    assert_eq!(after, "+OK\r\nTOP\r\nUIDL\r\nSASL NTLM PLAIN\r\nUSER\r\n.\r\n");
}

#[tokio::test]
async fn a_client_signs_in_by_user_and_pass_or_sasl_plain_where_it_may() {
    let given =
        |by| Wants::SignIn(Given { user: "red".into(), password: "p w".into(), by, tag: String::new() });
    let (wants, ..) = before(&offers(), true, b"USER red\r\nPASS p w\r\n").await;
    assert_eq!(wants.unwrap(), given("PASS"));
    let (wants, heard, _) = before(&offers(), true, b"AUTH PLAIN\r\nAHJlZABwIHc=\r\n").await;
    assert_eq!(wants.unwrap(), given("AUTH PLAIN"));
    assert_eq!(heard, "+ \r\n");
    let (wants, heard, _) = before(&offers(), false, b"USER red\r\nPASS p w\r\n").await;
    assert!(matches!(wants, Err(Ended::Closed)));
    assert!(heard.lines().all(|line| line.starts_with("-ERR")), "{heard}");
}

#[tokio::test]
async fn what_is_written_behind_stls_is_dropped_and_what_has_no_end_is_not_read() {
    let (wants, heard, early) = before(&offers(), false, b"STLS\r\nUSER red\r\n").await;
    assert_eq!((wants.unwrap(), early), (Wants::Tls, 10));
    assert_eq!(heard, "+OK Begin TLS negotiation.\r\n");
    let endless = [b"AUTH PLAIN\r\n".to_vec(), vec![b'A'; 100_000]].concat();
    assert!(matches!(before(&offers(), true, &endless).await.0, Err(Ended::TooLong("a line"))));
    let (wants, heard, _) = before(&offers(), true, &b"\r\n".repeat(40)).await;
    assert!(matches!(wants, Ok(Wants::Nothing)) && heard.ends_with("-ERR Connection is closed. 21\r\n"));
}

#[tokio::test]
async fn a_session_counts_lists_and_reads_the_inbox() {
    let heard = session(
        "STAT\r\nUIDL 1\r\nRETR 1\r\nTOP 1 1\r\nDELE 1\r\nSTAT\r\nRSET\r\nLIST\r\nRETR 7\r\nQUIT\r\n",
    )
    .await;
    for part in [
        "+OK 1 ",
        "+OK 1 17contosocom\r\n",
        "To: red@contoso.com\r\n",
        "\r\n\r\none\r\n..two\r\nthree\r\n.\r\n",
        "\r\n\r\none\r\n.\r\n",
        "+OK 0 0\r\n",
        "-ERR",
        "signing off.\r\n",
    ] {
        assert!(heard.contains(part), "{part:?}\n{heard}");
    }
}
