//! A mail program before hostile servers: each session ends within its limit, in words that name the server.
//!
//! ```text
//! client -> mail.contoso.com    IMAP or POP, in clear or by STARTTLS; what it says is the test's
//! ```

mod ground;

use std::time::Duration;

use clients::play;
use model::case::{Action, ClientKind, Told};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_rustls::TlsAcceptor;

use ground::{LOCAL, certified, names_answered, network, person, when};

/// What is written without end.
const FLOOD: &[u8] = &[b'a'; 8 * 1024];
/// Long enough for every step that comes, and short for one that does not.
const SHORT: Duration = Duration::from_millis(400);

/// What the client says in the end, before a server that behaves so; no longer than `limit` where it waits in vain.
async fn says(
    opens: &str,
    limit: Option<Duration>,
    server: impl AsyncFn(TcpStream, TlsAcceptor) -> std::io::Result<()>,
) -> String {
    let (acceptor, trust) = certified();
    let listener = TcpListener::bind((LOCAL, 0)).await.unwrap();
    let socket = UdpSocket::bind((LOCAL, 0)).await.unwrap();
    let mut network = network(socket.local_addr().unwrap(), listener.local_addr().unwrap(), trust);
    network.limits.exchange = limit.unwrap_or(network.limits.exchange);
    let serve = async {
        let (stream, _) = listener.accept().await.unwrap();
        // A client that has had enough breaks off; until it does, the connection stays.
        let _ = server(stream, acceptor).await;
        std::future::pending::<()>().await;
    };
    let case = "coexistence/imap/purple".parse().unwrap();
    let (when, person) = (when(ClientKind::Mail, opens, Action::ReadMail), person());
    let journal = tokio::select! {
        journal = play(&network, &case, &when, &person) => journal,
        () = names_answered(socket) => unreachable!(),
        () = serve => unreachable!(),
    };
    let [leg] = &journal.legs[..] else { panic!("{journal:?}") };
    assert!(matches!(leg.told, Told::Failed(_)), "{:?}", leg.told);
    leg.note.clone().unwrap()
}

/// Answers, and then floods without an end.
async fn floods(mut stream: TcpStream, answers: &[&str], flood: &[u8]) -> std::io::Result<()> {
    answered(&mut stream, answers).await?;
    loop {
        stream.write_all(flood).await?;
    }
}

/// A greeting, and then one answer a line.
async fn answered(stream: &mut TcpStream, answers: &[&str]) -> std::io::Result<()> {
    for (answer, next) in answers.iter().zip(1..) {
        stream.write_all(answer.as_bytes()).await?;
        if next < answers.len() {
            while stream.read_u8().await? != b'\n' {}
        }
    }
    Ok(())
}

const IMAP: &str = "imap:mail.contoso.com";
const POP: &str = "pop:mail.contoso.com";
const IMAP_TO_FETCH: [&str; 5] =
    ["* OK ready\r\n", "* CAPABILITY IMAP4rev1\r\nc3 OK\r\n", "c4 OK\r\n", "* 1 EXISTS\r\nc5 OK\r\n", ""];
const POP_TO_RETR: [&str; 5] = ["+OK ready\r\n", "+OK\r\n", "+OK\r\n", "+OK 1 9\r\n", "+OK\r\n"];

#[tokio::test]
async fn a_line_without_end_is_given_up() {
    let line = "mail.contoso.com wrote a line of more than 16384 bytes";
    assert_eq!(says(IMAP, None, async |stream, _| floods(stream, &[""], FLOOD).await).await, line);
    assert_eq!(says(POP, None, async |stream, _| floods(stream, &[""], FLOOD).await).await, line);
    let within = says(IMAP, None, async |stream, _| floods(stream, &IMAP_TO_FETCH, FLOOD).await);
    assert_eq!(within.await, line);
}

#[tokio::test]
async fn an_answer_of_lines_without_end_is_given_up() {
    let told = says(IMAP, None, async |stream, _| floods(stream, &IMAP_TO_FETCH, b"* 2 EXISTS\r\n").await);
    assert_eq!(told.await, "mail.contoso.com gave an answer of more than 10000 lines");
    let told = says(POP, None, async |stream, _| floods(stream, &POP_TO_RETR, b"a\r\n").await);
    assert_eq!(told.await, "mail.contoso.com sent a message that does not end");
}

#[tokio::test]
async fn a_literal_of_two_gibibytes_is_not_waited_for_nor_many_small_ones_kept() {
    for length in ["2147483648", "99999999999999999999"] {
        let literal = format!("* 1 FETCH (BODY[] {{{length}}}\r\n");
        let told =
            says(IMAP, None, async |stream, _| floods(stream, &IMAP_TO_FETCH, literal.as_bytes()).await);
        let told = told.await;
        assert!(told.starts_with("mail.contoso.com announced a text of "), "{told}");
    }
    let literal = [b"* 1 FETCH (BODY[] {8192}\r\n", FLOOD, b")\r\n"].concat();
    let told = says(IMAP, None, async |stream, _| floods(stream, &IMAP_TO_FETCH, &literal).await);
    assert_eq!(told.await, "mail.contoso.com gave an answer of more than 1048576 bytes");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_when_the_limit_has_passed() {
    let silent = "mail.contoso.com did not answer within 400ms";
    for opens in [IMAP, POP, "imap+tls:mail.contoso.com", "pop+tls:mail.contoso.com"] {
        assert_eq!(says(opens, Some(SHORT), async |_stream, _| std::future::pending().await).await, silent);
    }
    let later = async |mut stream: TcpStream, _| {
        answered(&mut stream, &IMAP_TO_FETCH).await?;
        std::future::pending().await
    };
    assert_eq!(says(IMAP, Some(SHORT), later).await, silent);
}

#[tokio::test]
async fn a_server_that_leaves_is_named() {
    let gone = "mail.contoso.com closed the connection without a word";
    let leaves = async |mut stream: TcpStream, _| {
        answered(&mut stream, &IMAP_TO_FETCH[..4]).await?;
        while stream.read_u8().await? != b'\n' {}
        stream.shutdown().await
    };
    assert_eq!(says(IMAP, None, leaves).await, gone);
    assert_eq!(says(POP, None, async |mut stream: TcpStream, _| stream.shutdown().await).await, gone);
}

/// What is said up to the word that TLS is to begin, and half of that word.
const BY_STARTTLS: [(&str, &[&str], &str); 2] = [
    (
        "imap+starttls:mail.contoso.com",
        &["* OK\r\n", "* CAPABILITY STARTTLS\r\nc1 OK\r\n", "c2 OK\r\n"],
        "c2",
    ),
    ("pop+starttls:mail.contoso.com", &["+OK\r\n", "+OK\r\n"], "+O"),
];

#[tokio::test]
async fn half_an_upgrade_to_tls_is_no_session() {
    for (opens, answers, half) in BY_STARTTLS {
        // It says that TLS is to begin, and then nothing.
        let stops = async |mut stream: TcpStream, _| {
            answered(&mut stream, answers).await?;
            std::future::pending().await
        };
        assert_eq!(says(opens, Some(SHORT), stops).await, "mail.contoso.com did not answer within 400ms");
        // Or leaves in the middle of saying so.
        let leaves = async |mut stream: TcpStream, _| {
            answered(&mut stream, &[&answers[..answers.len() - 1], &[half]].concat()).await?;
            stream.shutdown().await
        };
        assert_eq!(says(opens, None, leaves).await, "mail.contoso.com closed the connection without a word");
        // Or speaks on in clear.
        let plain = async |mut stream: TcpStream, _| {
            answered(&mut stream, answers).await?;
            stream.read_exact(&mut [0; 5]).await?;
            stream.write_all(b"* OK what TLS?\r\n").await
        };
        let told = says(opens, None, plain).await;
        assert!(told.starts_with("no TLS with mail.contoso.com: "), "{told}");
    }
}

/// What stands in clear behind the word that TLS is to begin answers nothing within (X-SEC-7).
#[tokio::test]
async fn what_a_server_wrote_before_tls_is_not_believed_within() {
    for (opens, answers, _) in BY_STARTTLS {
        let early = async |mut stream: TcpStream, acceptor: TlsAcceptor| {
            let (last, first) = answers.split_last().unwrap();
            answered(&mut stream, &[first, &[""]].concat()).await?;
            let believed =
                "* CAPABILITY IMAP4rev1\r\nc3 OK\r\nc4 OK\r\nc5 OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n";
            stream.write_all(format!("{last}{believed}").as_bytes()).await?;
            let mut within = acceptor.accept(stream).await?;
            let mut asked = [0; 4];
            within.read_exact(&mut asked).await?;
            // The first that is asked within; what was written before has answered none of it.
            assert!([b"c3 C", b"USER"].contains(&&asked), "{asked:?}");
            within.read_to_end(&mut vec![]).await?;
            std::future::pending().await
        };
        assert_eq!(says(opens, Some(SHORT), early).await, "mail.contoso.com did not answer within 400ms");
    }
}
