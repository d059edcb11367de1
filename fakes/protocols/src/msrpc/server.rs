//! A Mailbox server's side of one connection.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use model::version::Build;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::emsmdb::{self, Connect, Connected, Execute, Handle};
use super::pdu::{
    ABSTRACT_SYNTAX_NOT_SUPPORTED, ASYNC_EMSMDB, Bind, BindAck, EMSMDB, MAX_FRAGMENT, NDR, Pdu, Syntax,
    TRANSFER_SYNTAXES_NOT_SUPPORTED,
};
use super::session::Session;
use super::transport::Transport;
use super::{Inbox, RpcError, ec};

/// Fault codes, [C706] appendix E and [MS-ERREF].
pub(super) const OP_RANGE: u32 = 0x1C01_0002;
pub(super) const UNKNOWN_INTERFACE: u32 = 0x1C01_0003;
pub(super) const CONTEXT_MISMATCH: u32 = 0x1C00_001A;
const BAD_STUB_DATA: u32 = 0x0000_06F7;

/// As many contexts as one connection may gather.
const MAX_CONTEXTS: usize = 32;
/// Whoever holds the mailboxes.
pub trait Store: Send + Sync + 'static {
    /// The mailbox of the DN that a client connects with, as the client wrote it; `None` if there is none here.
    /// Called once for each EcDoConnectEx, before it is answered.
    fn open(&self, user_dn: &str) -> impl Future<Output = Option<Arc<Inbox>>> + Send;

    /// The build that clients are told. 14.3.123.4 unless said otherwise.
    fn build(&self) -> Build {
        Build { major: 14, minor: 3, build: 123, revision: 4 }
    }
}

/// Serves one connection until the client closes it. One session context at a time: a new one ends the one before.
///
/// # Errors
/// A client that does not keep to the specification, or a connection that failed.
pub async fn serve<IO, S>(io: IO, store: &S) -> Result<(), RpcError>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send,
    S: Store,
{
    let mut transport = Transport::new(io);
    let mut connection = Connection { contexts: Vec::new(), session: None };
    loop {
        let message = match connection.wait() {
            Some((changed, _)) => tokio::select! {
                message = transport.message() => message?,
                _ = changed.changed() => {
                    let (call, context) = connection.stop_waiting();
                    let stub = Bytes::from(emsmdb::waited(true));
                    transport.send(call, Pdu::Response { context, stub }).await?;
                    continue;
                }
            },
            None => transport.message().await?,
        };
        let Some((call, pdu)) = message else { return Ok(()) };
        match pdu {
            Pdu::Bind(bind) => {
                transport.limit(bind.max_receive);
                let ack = accept(&mut connection.contexts, &bind, &[EMSMDB, ASYNC_EMSMDB])?;
                transport.send(call, Pdu::BindAck(ack)).await?;
            }
            Pdu::AlterContext(bind) => {
                let ack = accept(&mut connection.contexts, &bind, &[EMSMDB, ASYNC_EMSMDB])?;
                transport.send(call, Pdu::AlterContextResp(ack)).await?;
            }
            Pdu::Request { context, opnum, stub } => {
                let answer = match connection.request(store, call, context, opnum, &stub).await {
                    Ok(Some(stub)) => Pdu::Response { context, stub: Bytes::from(stub) },
                    Ok(None) => continue,
                    Err(status) => Pdu::Fault { context, status },
                };
                transport.send(call, answer).await?;
            }
            Pdu::GivenUp => {
                if connection.wait().is_some_and(|(_, waiting)| waiting.0 == call) {
                    connection.stop_waiting();
                }
            }
            Pdu::Response { .. } | Pdu::Fault { .. } | Pdu::BindAck(_) | Pdu::AlterContextResp(_) => {
                return Err(RpcError::Malformed("PDU: a client sent an answer"));
            }
            Pdu::BindNak { .. } => return Err(RpcError::Malformed("PDU: a client refused to bind")),
        }
    }
}

struct Connection {
    contexts: Vec<(u16, Syntax)>,
    session: Option<Session>,
}

impl Connection {
    fn wait(&mut self) -> Option<(&mut watch::Receiver<usize>, (u32, u16))> {
        let session = self.session.as_mut()?;
        session.waiting.map(|waiting| (&mut session.changed, waiting))
    }

    fn stop_waiting(&mut self) -> (u32, u16) {
        self.session.as_mut().and_then(|session| session.waiting.take()).expect("called where a wait is open")
    }

    /// The stub of the answer, `None` if it comes later; or a fault.
    async fn request(
        &mut self,
        store: &impl Store,
        call: u32,
        context: u16,
        opnum: u16,
        stub: &[u8],
    ) -> Result<Option<Vec<u8>>, u32> {
        let bound = self.contexts.iter().find(|(id, _)| *id == context).ok_or(UNKNOWN_INTERFACE)?;
        let bad_stub = |_| BAD_STUB_DATA;
        if bound.1 == ASYNC_EMSMDB {
            if opnum != emsmdb::EC_DO_ASYNC_WAIT_EX {
                return Err(OP_RANGE);
            }
            let session = self.session(emsmdb::handle(stub).map_err(bad_stub)?)?;
            if session.waiting.is_some() || session.changed.has_changed().unwrap_or(false) {
                return Ok(Some(emsmdb::waited(true)));
            }
            session.waiting = Some((call, context));
            return Ok(None);
        }
        match opnum {
            emsmdb::EC_DO_CONNECT_EX => {
                let connect = Connect::decode(stub).map_err(bad_stub)?;
                let connected = self.connect(store, connect).await;
                Ok(Some(connected.encode()))
            }
            emsmdb::EC_DO_DISCONNECT => {
                self.session(emsmdb::handle(stub).map_err(bad_stub)?)?;
                self.session = None;
                Ok(Some(emsmdb::handle_and(emsmdb::NO_HANDLE, 0)))
            }
            emsmdb::EC_DO_ASYNC_CONNECT_EX => {
                let handle = emsmdb::handle(stub).map_err(bad_stub)?;
                self.session(handle)?;
                Ok(Some(emsmdb::handle_and(handle, 0)))
            }
            emsmdb::EC_DO_RPC_EXT2 => {
                let execute = Execute::decode(stub).map_err(bad_stub)?;
                let session = self.session(execute.session)?;
                let (rops, code) = match session.execute(&execute.rops) {
                    Ok(rops) => (rops, 0),
                    Err(_) => (Vec::new(), ec::RPC_FORMAT),
                };
                let answer = Execute { session: execute.session, rops }.encode_answer(code);
                answer.map(Some).map_err(|_| BAD_STUB_DATA)
            }
            _ => Err(OP_RANGE),
        }
    }

    async fn connect(&mut self, store: &impl Store, connect: Connect) -> Connected {
        let build = store.build();
        let version = [build.major << 8 | build.minor & 0xFF, 0x8000 | build.build, build.revision];
        self.session = None;
        let Some(inbox) = store.open(&connect.user_dn).await else {
            let code = ec::UNKNOWN_USER;
            return Connected { session: emsmdb::NO_HANDLE, display_name: String::new(), version, code };
        };
        let handle = new_handle();
        let display_name = inbox.owner().address.clone();
        self.session = Some(Session::new(handle, connect.user_dn, inbox));
        Connected { session: handle, display_name, version, code: 0 }
    }

    fn session(&mut self, handle: Handle) -> Result<&mut Session, u32> {
        self.session.as_mut().filter(|session| session.handle == handle).ok_or(CONTEXT_MISMATCH)
    }
}

/// Takes a bind's contexts, as far as they are of these interfaces.
pub(super) fn accept(
    contexts: &mut Vec<(u16, Syntax)>,
    bind: &Bind,
    interfaces: &[Syntax],
) -> Result<BindAck, RpcError> {
    let mut results = Vec::new();
    for offer in &bind.contexts {
        results.push(if !interfaces.contains(&offer.interface) {
            Err(ABSTRACT_SYNTAX_NOT_SUPPORTED)
        } else if !offer.encodings.contains(&NDR) {
            Err(TRANSFER_SYNTAXES_NOT_SUPPORTED)
        } else {
            contexts.retain(|(id, _)| *id != offer.id);
            contexts.push((offer.id, offer.interface));
            Ok(())
        });
    }
    if contexts.len() > MAX_CONTEXTS {
        return Err(RpcError::Malformed("bind: too many contexts"));
    }
    let max = u16::try_from(MAX_FRAGMENT).expect("5840 fits");
    Ok(BindAck { max_send: max.min(bind.max_receive), max_receive: max, results })
}

fn new_handle() -> Handle {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut handle = [0; 20];
    handle[4..12].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_le_bytes());
    handle[12] = 0x80;
    handle
}
