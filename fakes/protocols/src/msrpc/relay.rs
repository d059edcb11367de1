//! The RPC Client Access service of an Exchange 2010 Client Access server: clients connect to it, it reads the Mailbox
//! server. It answers the bind itself, since only the connect that follows says whose mailbox is meant.

use std::future::Future;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::emsmdb::{self, Connect, Connected};
use super::pdu::{ASYNC_EMSMDB, Bind, EMSMDB, Pdu};
use super::server::{CONTEXT_MISMATCH, UNKNOWN_INTERFACE, accept};
use super::transport::Transport;
use super::{RpcError, ec};

/// Serves one connection: everything from the connect on goes to the server that `reach` gives for the DN that is
/// connected with, and back. Where it gives none, the client is told that there is no such mailbox.
///
/// # Errors
/// Either side that does not keep to the specification, or breaks off.
pub async fn pass_on<IO, S, F>(io: IO, reach: impl Fn(String) -> F) -> Result<(), RpcError>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = Option<S>>,
{
    let mut client = Transport::new(io);
    let mut contexts = Vec::new();
    let mut bound = None;
    while let Some((call, pdu)) = client.message().await? {
        let answer = match pdu {
            Pdu::Bind(bind) => {
                client.limit(bind.max_receive);
                let ack = accept(&mut contexts, &bind, &[EMSMDB, ASYNC_EMSMDB])?;
                bound = Some(bind);
                Pdu::BindAck(ack)
            }
            Pdu::Request { context, opnum, stub } => {
                let known = contexts.iter().find(|(id, _)| *id == context).map(|(_, interface)| *interface);
                let connects = known == Some(EMSMDB) && opnum == emsmdb::EC_DO_CONNECT_EX;
                match (Connect::decode(&stub), &bound) {
                    (Ok(connect), Some(bind)) if connects => {
                        if let Some(server) = reach(connect.user_dn).await {
                            let server = bind_again(server, bind).await?;
                            return carry(client, server, (call, Pdu::Request { context, opnum, stub }))
                                .await;
                        }
                        Pdu::Response { context, stub: Bytes::from(nobody().encode()) }
                    }
                    _ if known.is_none() => Pdu::Fault { context, status: UNKNOWN_INTERFACE },
                    _ => Pdu::Fault { context, status: CONTEXT_MISMATCH },
                }
            }
            Pdu::GivenUp => continue,
            _ => return Err(RpcError::Malformed("PDU: it has no place before a connect")),
        };
        client.send(call, answer).await?;
    }
    Ok(())
}

/// The client's bind once more, towards the server behind.
async fn bind_again<S>(server: S, bind: &Bind) -> Result<Transport<S>, RpcError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut server = Transport::new(server);
    server.send(1, Pdu::Bind(bind.clone())).await?;
    match server.message().await? {
        Some((_, Pdu::BindAck(ack))) => {
            server.limit(ack.max_receive);
            Ok(server)
        }
        Some((_, Pdu::BindNak { reason })) => Err(RpcError::Refused(reason)),
        Some(_) => Err(RpcError::Malformed("answer to a bind")),
        None => Err(RpcError::Closed("the answer to a bind")),
    }
}

async fn carry<C, S>(
    mut client: Transport<C>,
    mut server: Transport<S>,
    first: (u32, Pdu),
) -> Result<(), RpcError>
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    server.send(first.0, first.1).await?;
    loop {
        tokio::select! {
            asked = client.message() => match asked? {
                Some((call, pdu)) => server.send(call, pdu).await?,
                None => return Ok(()),
            },
            told = server.message() => match told? {
                Some((call, pdu)) => client.send(call, pdu).await?,
                None => return Ok(()),
            },
        }
    }
}

fn nobody() -> Connected {
    Connected {
        session: emsmdb::NO_HANDLE,
        display_name: String::new(),
        version: [0; 3],
        code: ec::UNKNOWN_USER,
    }
}
