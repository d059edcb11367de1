//! A session with a Mailbox server, as a Client Access server opens it for one mailbox.

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::emsmdb::{self, Connect, Connected, Execute, Handle};
use super::ndr::{Reader, Writer};
use super::pdu::{ASYNC_EMSMDB, Bind, EMSMDB, MAX_FRAGMENT, NDR, Offer, Pdu};
use super::rop::{self, Ask, Buffer, Told};
use super::transport::Transport;
use super::{RpcError, ec};
use crate::mailbox::{Mailbox, Message, Owner, Unreachable};

/// The presentation contexts of this client's bind.
const MAIL: u16 = 0;
pub(super) const NOTICES: u16 = 1;
/// As many rows as are asked for at once, [MS-OXCTABL] 4.5.3.1.
const ROWS: u16 = 50;
const COLUMNS: [u32; 3] = [rop::SUBJECT, rop::SENDER_SMTP_ADDRESS, rop::BODY];

/// An open mailbox on another server. Dropping it closes the connection, and the server forgets the session.
pub struct Session<IO> {
    transport: Transport<IO>,
    call: u32,
    session: Handle,
    notices: Option<Handle>,
    logon: u32,
    mailbox: [u8; 16],
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Session<IO> {
    /// Binds, connects as `user_dn` (a legacyExchangeDN) and logs on to its mailbox.
    ///
    /// # Errors
    /// [`Unreachable::Unknown`] where the server holds no such mailbox; else what failed in the conversation.
    pub async fn connect(io: IO, user_dn: &str) -> Result<Session<IO>, Unreachable> {
        let mut session = Session {
            transport: Transport::new(io),
            call: 0,
            session: emsmdb::NO_HANDLE,
            notices: None,
            logon: rop::UNSET,
            mailbox: [0; 16],
        };
        session.bind().await?;
        let stub = Connect { user_dn: user_dn.to_owned() }.encode();
        let connected = Connected::decode(&session.call(MAIL, emsmdb::EC_DO_CONNECT_EX, stub).await?)?;
        match connected.code {
            0 => session.session = connected.session,
            ec::UNKNOWN_USER => return Err(Unreachable::Unknown),
            code => return Err(RpcError::Failed { what: "EcDoConnectEx", code }.into()),
        }
        session.log_on(user_dn).await?;
        Ok(session)
    }

    /// Ends the session with EcDoDisconnect; without it the server notices when the connection closes.
    ///
    /// # Errors
    /// What failed in the conversation.
    pub async fn close(mut self) -> Result<(), RpcError> {
        let stub = self.session.to_vec();
        let answer = self.call(MAIL, emsmdb::EC_DO_DISCONNECT, stub).await?;
        emsmdb::handle_if_done(&answer, "EcDoDisconnect").map(drop)
    }

    async fn bind(&mut self) -> Result<(), RpcError> {
        let max = u16::try_from(MAX_FRAGMENT).expect("5840 fits");
        let offer = |id, interface| Offer { id, interface, encodings: vec![NDR] };
        let contexts = vec![offer(MAIL, EMSMDB), offer(NOTICES, ASYNC_EMSMDB)];
        self.call += 1;
        self.transport.send(self.call, Pdu::Bind(Bind { max_send: max, max_receive: max, contexts })).await?;
        match self.transport.message().await? {
            Some((_, Pdu::BindAck(ack))) if ack.results == [Ok(()), Ok(())] => {
                self.transport.limit(ack.max_receive);
                Ok(())
            }
            Some((_, Pdu::BindAck(_))) => Err(RpcError::Rejected),
            Some((_, Pdu::BindNak { reason })) => Err(RpcError::Refused(reason)),
            Some(_) => Err(RpcError::Malformed("answer to a bind")),
            None => Err(RpcError::Closed("the answer to a bind")),
        }
    }

    async fn log_on(&mut self, dn: &str) -> Result<(), RpcError> {
        let asks = [Ask::Logon { output: 0, dn: dn.to_owned() }];
        let (told, handles) = self.execute(&asks, vec![rop::UNSET], 0).await?;
        let [Told::Logon { mailbox, .. }] = told[..] else {
            return Err(RpcError::Malformed("answer to RopLogon"));
        };
        self.mailbox = mailbox;
        self.logon = handles[0];
        Ok(())
    }

    /// Opens the inbox and its contents table; gives how many rows it has, and the handles of both.
    pub(super) async fn open_table(&mut self) -> Result<(usize, [u32; 2]), RpcError> {
        let asks = [
            Ask::OpenFolder { input: 0, output: 1, folder: rop::INBOX },
            Ask::GetContentsTable { input: 1, output: 2 },
            Ask::SetColumns { input: 2, tags: COLUMNS.to_vec() },
        ];
        let (told, handles) = self.execute(&asks, vec![self.logon, rop::UNSET, rop::UNSET], 0).await?;
        match told[..] {
            [Told::OpenFolder { .. }, Told::GetContentsTable { rows, .. }, Told::SetColumns { .. }] => {
                Ok((rows as usize, [handles[1], handles[2]]))
            }
            _ => Err(RpcError::Malformed("answer to RopGetContentsTable")),
        }
    }

    pub(super) async fn release(&mut self, handles: [u32; 2]) -> Result<(), RpcError> {
        let asks = [Ask::Release { input: 1 }, Ask::Release { input: 0 }];
        self.execute(&asks, handles.to_vec(), 0).await.map(drop)
    }

    async fn rows(&mut self, table: u32) -> Result<Vec<Message>, RpcError> {
        let mut messages = Vec::new();
        loop {
            let asks = [Ask::QueryRows { input: 0, forward: true, rows: ROWS }];
            let (mut told, _) = self.execute(&asks, vec![table], COLUMNS.len()).await?;
            let Some(Told::QueryRows { rows, .. }) = told.pop() else {
                return Err(RpcError::Malformed("answer to RopQueryRows"));
            };
            if rows.is_empty() {
                return Ok(messages);
            }
            for row in rows {
                messages.push(message(row)?);
            }
        }
    }

    /// Executes ROPs; one that fails fails all.
    async fn execute(
        &mut self,
        asks: &[Ask],
        handles: Vec<u32>,
        columns: usize,
    ) -> Result<(Vec<Told>, Vec<u32>), RpcError> {
        let mut rops = Writer::default();
        asks.iter().for_each(|ask| ask.encode(&mut rops));
        let expected = handles.len();
        let rops = Buffer { rops: rops.done(), handles }.encode();
        let stub = Execute { session: self.session, rops }.encode()?;
        let answer = self.call(MAIL, emsmdb::EC_DO_RPC_EXT2, stub).await?;
        let Buffer { rops, handles } = Buffer::decode(&Execute::decode_answer(&answer)?.rops)?;
        if handles.len() < expected {
            return Err(RpcError::Malformed("ROP buffer: handles are missing"));
        }
        let mut reader = Reader::new(&rops, "answer to a ROP");
        let mut told = Vec::new();
        while !reader.is_empty() {
            match Told::decode(&mut reader, columns)? {
                Told::Failed { code, .. } => return Err(RpcError::Failed { what: "a ROP", code }),
                answer => told.push(answer),
            }
        }
        Ok((told, handles))
    }

    /// One call, from its stub to the stub of its answer.
    pub(super) async fn call(&mut self, context: u16, opnum: u16, stub: Vec<u8>) -> Result<Bytes, RpcError> {
        self.call += 1;
        self.transport.send(self.call, Pdu::Request { context, opnum, stub: Bytes::from(stub) }).await?;
        loop {
            match self.transport.message().await? {
                // The late answer to a call that was given up, such as a wait.
                Some((call, Pdu::Response { .. } | Pdu::Fault { .. })) if call < self.call => {}
                Some((_, Pdu::Response { stub, .. })) => return Ok(stub),
                Some((_, Pdu::Fault { status, .. })) => return Err(RpcError::Fault(status)),
                Some(_) => return Err(RpcError::Malformed("PDU: no answer to a call")),
                None => return Err(RpcError::Closed("the answer to a call")),
            }
        }
    }

    /// Asks to be told of new mail, once; the handle to wait with.
    pub(super) async fn notices(&mut self) -> Result<Handle, RpcError> {
        if let Some(handle) = self.notices {
            return Ok(handle);
        }
        let asks = [Ask::RegisterNotification { input: 0, output: 1 }];
        self.execute(&asks, vec![self.logon, rop::UNSET], 0).await?;
        let stub = self.session.to_vec();
        let answer = self.call(MAIL, emsmdb::EC_DO_ASYNC_CONNECT_EX, stub).await?;
        let handle = emsmdb::handle_if_done(&answer, "EcDoAsyncConnectEx")?;
        self.notices = Some(handle);
        Ok(handle)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> Mailbox for Session<IO> {
    async fn owner(&mut self) -> Result<Owner, Unreachable> {
        let asks = [Ask::GetProperties { input: 0, tags: vec![rop::MAILBOX_OWNER_NAME] }];
        let (mut told, _) = self.execute(&asks, vec![self.logon], 1).await?;
        match told.pop() {
            Some(Told::GetProperties { row, .. }) if told.is_empty() => {
                let address = row.into_iter().next().unwrap_or(Err(ec::NOT_FOUND));
                let address =
                    address.map_err(|code| RpcError::Failed { what: "PidTagMailboxOwnerName", code })?;
                Ok(Owner { address, guid: dashed(&self.mailbox) })
            }
            _ => Err(RpcError::Malformed("answer to RopGetPropertiesSpecific").into()),
        }
    }

    async fn messages(&mut self) -> Result<Vec<Message>, Unreachable> {
        let (_, handles) = self.open_table().await?;
        let messages = self.rows(handles[1]).await?;
        self.release(handles).await?;
        Ok(messages)
    }

    async fn deliver(&mut self, message: Message) -> Result<(), Unreachable> {
        let values = vec![
            (rop::SUBJECT, message.subject),
            (rop::SENDER_SMTP_ADDRESS, message.from),
            (rop::BODY, message.text),
        ];
        let asks = [
            Ask::CreateMessage { input: 0, output: 1, folder: rop::INBOX },
            Ask::SetProperties { input: 1, values },
            Ask::SaveChanges { response: 0, input: 1 },
            Ask::Release { input: 1 },
        ];
        let (told, _) = self.execute(&asks, vec![self.logon, rop::UNSET], 0).await?;
        match told[..] {
            [Told::CreateMessage { .. }, Told::SetProperties { .. }, Told::SaveChanges { .. }] => Ok(()),
            _ => Err(RpcError::Malformed("answer to RopSaveChangesMessage").into()),
        }
    }

    async fn more_than(&mut self, seen: usize) -> Result<(), Unreachable> {
        let notices = self.notices().await?;
        loop {
            let (rows, handles) = self.open_table().await?;
            self.release(handles).await?;
            if rows > seen {
                return Ok(());
            }
            let stub = emsmdb::handle_and(notices, 0);
            // Pending or not, the table is read again: not pending means that the server tired of waiting.
            emsmdb::pending(&self.call(NOTICES, emsmdb::EC_DO_ASYNC_WAIT_EX, stub).await?)?;
        }
    }
}

fn message(row: rop::Row) -> Result<Message, RpcError> {
    let mut values =
        row.into_iter().map(|value| value.map_err(|code| RpcError::Failed { what: "a row", code }));
    let mut next = || values.next().unwrap_or(Err(RpcError::Malformed("row")));
    Ok(Message { subject: next()?, from: next()?, text: next()? })
}

/// A GUID as text, from its bytes on the wire ([MS-DTYP] 2.3.4.2: three little-endian fields, then bytes).
fn dashed(guid: &[u8; 16]) -> String {
    let hex =
        |places: &[usize]| places.iter().map(|place| format!("{:02x}", guid[*place])).collect::<String>();
    let groups: [&[usize]; 5] = [&[3, 2, 1, 0], &[5, 4], &[7, 6], &[8, 9], &[10, 11, 12, 13, 14, 15]];
    groups.map(hex).join("-")
}
