//! A session context on a Mailbox server: its objects, and the ROPs that work on them.

use std::sync::Arc;

use tokio::sync::watch;

use super::emsmdb::{self, Handle};
use super::ndr::Writer;
use super::rop::{self, Ask, Buffer, Row, Told};
use super::{Inbox, RpcError, ec};
use crate::mailbox::Message;

/// As many objects as one session holds open.
const MAX_OBJECTS: usize = 256;
/// What the rows of one answer may take, so that it stays within a payload.
const ROWS_ROOM: usize = 0x7800;

/// What a server keeps between Connect and Disconnect, by RPC or over HTTP.
pub(crate) struct Session {
    pub(super) handle: Handle,
    dn: String,
    inbox: Arc<Inbox>,
    pub(crate) changed: watch::Receiver<usize>,
    /// The call and context of a wait that is not answered yet.
    pub(super) waiting: Option<(u32, u16)>,
    objects: Vec<Option<Object>>,
}

/// What a handle stands for; the handle is its place, counted from one.
enum Object {
    Logon,
    Inbox,
    Table { columns: Vec<u32>, at: usize },
    Draft(Message),
    Subscription,
}

impl Session {
    pub(crate) fn new(handle: Handle, dn: String, inbox: Arc<Inbox>) -> Session {
        Session { handle, dn, changed: inbox.count(), inbox, waiting: None, objects: Vec::new() }
    }

    /// Executes a ROP buffer; gives that of the answers.
    pub(crate) fn execute(&mut self, payload: &[u8]) -> Result<Vec<u8>, RpcError> {
        let Buffer { rops, mut handles } = Buffer::decode(payload)?;
        let mut out = Writer::default();
        for ask in Ask::decode_all(&rops)? {
            if let Some(told) = self.tell(ask, &mut handles) {
                told.encode(&mut out);
            }
        }
        let (rops, limit) = (out.done(), emsmdb::MAX_PAYLOAD);
        if rops.len() + 2 + 4 * handles.len() > limit {
            return Err(RpcError::TooLong { what: "the answer to ROPs", limit });
        }
        Ok(Buffer { rops, handles }.encode())
    }

    fn tell(&mut self, ask: Ask, handles: &mut [u32]) -> Option<Told> {
        let failed = |rop, index| move |code| Told::Failed { rop, index, code };
        Some(match ask {
            Ask::Release { input } => {
                if let Some(place) = place(handles, input)
                    && let Some(object) = self.objects.get_mut(place)
                {
                    *object = None;
                }
                return None;
            }
            Ask::Logon { output, dn } => {
                let told = match dn.eq_ignore_ascii_case(&self.dn) {
                    true => self.open(Object::Logon, output, handles),
                    false => Err(ec::ACCESS_DENIED),
                };
                let mailbox = undashed(&self.inbox.owner().guid);
                told.map_or_else(failed(0xFE, output), |()| Told::Logon { output, mailbox })
            }
            Ask::OpenFolder { input, output, folder } => {
                let told = self.is(input, handles, |object| matches!(object, Object::Logon | Object::Inbox));
                let told = told.and(if folder == rop::INBOX { Ok(()) } else { Err(ec::NOT_FOUND) });
                let told = told.and_then(|()| self.open(Object::Inbox, output, handles));
                told.map_or_else(failed(0x02, output), |()| Told::OpenFolder { output })
            }
            Ask::GetContentsTable { input, output } => {
                let told = self.is(input, handles, |object| matches!(object, Object::Inbox));
                let table = Object::Table { columns: Vec::new(), at: 0 };
                let told = told.and_then(|()| self.open(table, output, handles));
                // What changed so far is in this count; what changes from here on is pending, whatever is asked between.
                let rows = u32::try_from(*self.changed.borrow_and_update()).unwrap_or(u32::MAX);
                told.map_or_else(failed(0x05, output), |()| Told::GetContentsTable { output, rows })
            }
            Ask::SetColumns { input, tags } => match self.object(input, handles) {
                Ok(Object::Table { columns, .. }) => {
                    *columns = tags;
                    Told::SetColumns { input }
                }
                other => failed(0x12, input)(other.err().unwrap_or(ec::NOT_SUPPORTED)),
            },
            Ask::QueryRows { input, forward, rows } => {
                let told = self.query(input, handles, forward, rows);
                told.unwrap_or_else(failed(0x15, input))
            }
            Ask::GetProperties { input, tags } => {
                let told = self.is(input, handles, |object| matches!(object, Object::Logon));
                let address = &self.inbox.owner().address;
                let row = tags.iter().map(|tag| match *tag {
                    rop::MAILBOX_OWNER_NAME => Ok(address.clone()),
                    _ => Err(ec::NOT_FOUND),
                });
                let row = row.collect();
                told.map_or_else(failed(0x07, input), |()| Told::GetProperties { input, row })
            }
            Ask::CreateMessage { input, output, folder } => {
                let told = self.is(input, handles, |object| matches!(object, Object::Logon | Object::Inbox));
                let told = told.and(if folder == rop::INBOX { Ok(()) } else { Err(ec::NOT_FOUND) });
                let empty = Message { subject: String::new(), from: String::new(), text: String::new() };
                let told = told.and_then(|()| self.open(Object::Draft(empty), output, handles));
                told.map_or_else(failed(0x06, output), |()| Told::CreateMessage { output })
            }
            Ask::SetProperties { input, values } => match self.object(input, handles) {
                Ok(Object::Draft(message)) => {
                    for (tag, value) in values {
                        match tag {
                            rop::SUBJECT => message.subject = value,
                            rop::SENDER_SMTP_ADDRESS => message.from = value,
                            rop::BODY => message.text = value,
                            // A store keeps what it is given; this one is never asked for it.
                            _ => {}
                        }
                    }
                    Told::SetProperties { input }
                }
                other => failed(0x0A, input)(other.err().unwrap_or(ec::NOT_SUPPORTED)),
            },
            Ask::SaveChanges { response, input } => {
                let draft = match self.object(input, handles) {
                    Ok(Object::Draft(message)) => Ok(message.clone()),
                    other => Err(other.err().unwrap_or(ec::NOT_SUPPORTED)),
                };
                let full = |_| ec::QUOTA_EXCEEDED;
                let saved = draft.and_then(|draft| self.inbox.deliver(draft).map_err(full));
                let number = u16::try_from(*self.inbox.count().borrow()).unwrap_or(u16::MAX).to_be_bytes();
                let message = [1, 0, 0, 0, 0, 1, number[0], number[1]];
                saved.map_or_else(failed(0x0C, response), |()| Told::SaveChanges { response, input, message })
            }
            Ask::RegisterNotification { input, output } => {
                let told = self.is(input, handles, |object| matches!(object, Object::Logon | Object::Inbox));
                let told = told.and_then(|()| self.open(Object::Subscription, output, handles));
                told.map_or_else(failed(0x29, output), |()| Told::RegisterNotification { output })
            }
        })
    }

    /// Rows from the cursor on, as many as fit in one answer.
    fn query(&mut self, input: u8, handles: &[u32], forward: bool, rows: u16) -> Result<Told, u32> {
        let messages = self.inbox.messages();
        let Object::Table { columns, at } = self.object(input, handles)? else {
            return Err(ec::NOT_SUPPORTED);
        };
        if !forward || columns.is_empty() {
            return Err(ec::NOT_SUPPORTED);
        }
        let (mut told, mut room) = (Vec::new(), ROWS_ROOM);
        for message in messages.iter().skip(*at).take(usize::from(rows)) {
            let row = row(message, columns);
            let size = 1 + row.iter().map(size).sum::<usize>();
            if size > room {
                break;
            }
            room -= size;
            told.push(row);
        }
        *at += told.len();
        let origin = if *at >= messages.len() { 2 } else { 1 };
        Ok(Told::QueryRows { input, origin, rows: told })
    }

    fn open(&mut self, object: Object, output: u8, handles: &mut [u32]) -> Result<(), u32> {
        let place = self.objects.iter().position(Option::is_none).unwrap_or(self.objects.len());
        if place == MAX_OBJECTS {
            return Err(ec::OUT_OF_MEMORY);
        }
        let handle = handles.get_mut(usize::from(output)).ok_or(ec::NULL_OBJECT)?;
        *handle = u32::try_from(place + 1).expect("MAX_OBJECTS is small");
        match self.objects.get_mut(place) {
            Some(free) => *free = Some(object),
            None => self.objects.push(Some(object)),
        }
        Ok(())
    }

    fn object(&mut self, input: u8, handles: &[u32]) -> Result<&mut Object, u32> {
        let place = place(handles, input).ok_or(ec::NULL_OBJECT)?;
        self.objects.get_mut(place).and_then(Option::as_mut).ok_or(ec::NULL_OBJECT)
    }

    fn is(&mut self, input: u8, handles: &[u32], kind: fn(&Object) -> bool) -> Result<(), u32> {
        if kind(self.object(input, handles)?) { Ok(()) } else { Err(ec::NOT_SUPPORTED) }
    }
}

fn place(handles: &[u32], input: u8) -> Option<usize> {
    let handle = usize::try_from(*handles.get(usize::from(input))?).ok()?;
    handle.checked_sub(1)
}

fn row(message: &Message, columns: &[u32]) -> Row {
    let cell = |tag: &u32| match *tag {
        rop::SUBJECT => Ok(message.subject.clone()),
        rop::SENDER_SMTP_ADDRESS => Ok(message.from.clone()),
        rop::BODY => Ok(message.text.clone()),
        _ => Err(ec::NOT_FOUND),
    };
    let row: Row = columns.iter().map(cell).collect();
    // A value too large for an answer is replaced by its error, as a table does it ([MS-OXCDATA] 2.4.2, ecMAPIOOM).
    match 1 + row.iter().map(size).sum::<usize>() > ROWS_ROOM {
        true => row.into_iter().map(|_| Err(ec::OUT_OF_MEMORY)).collect(),
        false => row,
    }
}

/// What a value takes in a row, at most.
fn size(value: &Result<String, u32>) -> usize {
    match value {
        Ok(text) => 1 + 2 * (text.encode_utf16().count() + 1),
        Err(_) => 5,
    }
}

/// A GUID's bytes on the wire from its text; what is no GUID gives zeros.
fn undashed(guid: &str) -> [u8; 16] {
    let digits: Vec<u32> = guid.chars().filter_map(|c| c.to_digit(16)).collect();
    let mut wire = [0; 16];
    if digits.len() == 32 {
        let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
        for (place, pair) in order.into_iter().zip(digits.chunks_exact(2)) {
            wire[place] = u8::try_from(pair[0] << 4 | pair[1]).expect("two digits are a byte");
        }
    }
    wire
}
