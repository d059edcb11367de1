//! IDLE (RFC 2177): the client is silent until the server tells it of a message, which a second session of the same user puts
//! there (APPEND). What it is told of it reads.

use tokio::io::{AsyncRead, AsyncWrite};

use super::imap::{answered, enter, exists, fetch, leave, select};
use super::line::{Line, MOST_LINES, Wrong};
use super::{Session, keeps, owner_of};
use crate::legs::Leg;
use crate::wire::Wire;

/// By what the message is known again.
const SUBJECT: &str = "Subject: For whoever is idle";

/// Signs in, waits, reads what it was told of, and comes to the address of whose mailbox it is.
pub(super) async fn waits<IO: AsyncRead + AsyncWrite + Unpin>(
    line: &mut Line<IO>,
    session: Session<'_>,
    upgraded: bool,
    wire: &mut Wire<'_>,
    leg: &mut Leg,
) -> Result<String, Wrong> {
    enter(line, session, upgraded).await?;
    let before = select(line)
        .await?
        .ok_or_else(|| line.useless("opened the inbox without a word on what is in it"))?;
    line.command("c8 IDLE").await?;
    let accepted = line.next().await?;
    if !accepted.starts_with('+') {
        return Err(Wrong::Refused(accepted));
    }
    puts_a_message(session, wire, leg).await?;
    let number = told(line, before).await?;
    line.command("DONE").await?;
    answered(line, "c8").await?;
    let message = fetch(line, number).await?;
    if !message.lines().any(|line| line == SUBJECT) {
        return Err(line.useless(&format!("told of message {number}, which is not the one that came")));
    }
    let owner = owner_of(&message).ok_or_else(|| line.useless("showed no message with a To line"))?;
    leave(line).await.map(|()| owner)
}

/// The number of the message that the server tells of, unasked.
async fn told<IO: AsyncRead + AsyncWrite + Unpin>(line: &mut Line<IO>, before: u32) -> Result<u32, Wrong> {
    for _ in 0..MOST_LINES {
        let said = line.next().await?;
        match exists(&said) {
            Some(number) if number > before => return Ok(number),
            None if !said.starts_with("* ") => return Err(Wrong::Refused(said)),
            _ => {}
        }
    }
    Err(line.useless("told an idle client of much, and of no message"))
}

/// In a session of its own, while the other is idle.
async fn puts_a_message(session: Session<'_>, wire: &mut Wire<'_>, leg: &mut Leg) -> Result<(), Wrong> {
    let mut exchange = wire.entry_of("IMAP", "INBOX");
    let put = async {
        let (mut line, upgraded) = session.opens(wire, leg, &mut exchange).await?;
        let put = appends(&mut line, session, upgraded).await;
        keeps(&mut exchange, &mut line);
        put
    }
    .await;
    exchange.status = if put.is_ok() { 200 } else { 400 };
    exchange.ended = wire.network.ledger.mark();
    leg.add(exchange);
    put
}

async fn appends<IO: AsyncRead + AsyncWrite + Unpin>(
    line: &mut Line<IO>,
    session: Session<'_>,
    upgraded: bool,
) -> Result<(), Wrong> {
    enter(line, session, upgraded).await?;
    let address = &session.person.address;
    let message = format!("From: {address}\r\nTo: {address}\r\n{SUBJECT}\r\n\r\nIt has come.\r\n");
    line.command(&format!("c10 APPEND INBOX {{{}}}", message.len())).await?;
    let asked = line.next().await?;
    if !asked.starts_with('+') {
        return Err(Wrong::Refused(asked));
    }
    line.command(&message).await?;
    answered(line, "c10").await?;
    leave(line).await
}
