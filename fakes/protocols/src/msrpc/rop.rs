//! ROP buffers: [MS-OXCROPS] 2.2. Those that read a mailbox's owner and inbox, put a message there and ask to be told.

use super::RpcError;
use super::ndr::{Reader, Writer};

/// PidTagMailboxOwnerName, [MS-OXPROPS]: here the owner's primary address.
pub(super) const MAILBOX_OWNER_NAME: u32 = 0x661C_001F;
/// PidTagSubject.
pub(super) const SUBJECT: u32 = 0x0037_001F;
/// PidTagSenderSmtpAddress.
pub(super) const SENDER_SMTP_ADDRESS: u32 = 0x5D01_001F;
/// PidTagBody.
pub(super) const BODY: u32 = 0x1000_001F;

/// A handle that a request leaves for the server to fill in, [MS-OXCROPS] 2.2.1.
pub(super) const UNSET: u32 = 0xFFFF_FFFF;
/// `NewMail` of RopRegisterNotification, [MS-OXCNOTIF] 2.2.1.2.1.1.
const NEW_MAIL: u8 = 0x02;
/// As many ROPs as one buffer holds.
const MAX_ROPS: usize = 64;
/// As many handles as one buffer holds.
const MAX_HANDLES: usize = 256;

/// As many property tags as one ROP names.
const MAX_TAGS: u16 = 256;

/// A folder id, [MS-OXCDATA] 2.2.1.1: replica 1 and a counter, which here is the place in RopLogon's answer.
pub(super) type FolderId = [u8; 8];
/// The folders that RopLogon names, [MS-OXCSTOR] 2.2.1.1.3; the inbox is the fifth.
const SPECIAL_FOLDERS: u8 = 13;
pub(super) const INBOX: FolderId = folder(5);

const fn folder(place: u8) -> FolderId {
    [1, 0, 0, 0, 0, 0, 0, place]
}

/// A buffer in either direction: ROPs, and the table of handles that they index.
pub(super) struct Buffer {
    pub(super) rops: Vec<u8>,
    pub(super) handles: Vec<u32>,
}

impl Buffer {
    pub(super) fn encode(&self) -> Vec<u8> {
        let size = u16::try_from(self.rops.len() + 2).unwrap_or(u16::MAX);
        let mut out = Writer::default();
        out.u16(size).put(&self.rops);
        for handle in &self.handles {
            out.u32(*handle);
        }
        out.done()
    }

    pub(super) fn decode(payload: &[u8]) -> Result<Buffer, RpcError> {
        let mut reader = Reader::new(payload, "ROP buffer");
        let size = usize::from(reader.u16()?).checked_sub(2).ok_or(reader.malformed())?;
        let rops = reader.take(size)?.to_vec();
        let mut handles = Vec::new();
        while !reader.is_empty() {
            if handles.len() == MAX_HANDLES {
                return Err(reader.malformed());
            }
            handles.push(reader.u32()?);
        }
        Ok(Buffer { rops, handles })
    }
}

/// What a client asks. `input` and `output` are places in the table of handles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask {
    Release {
        input: u8,
    },
    OpenFolder {
        input: u8,
        output: u8,
        folder: FolderId,
    },
    GetContentsTable {
        input: u8,
        output: u8,
    },
    CreateMessage {
        input: u8,
        output: u8,
        folder: FolderId,
    },
    GetProperties {
        input: u8,
        tags: Vec<u32>,
    },
    /// Strings only: values of other types are read over.
    SetProperties {
        input: u8,
        values: Vec<(u32, String)>,
    },
    SaveChanges {
        response: u8,
        input: u8,
    },
    SetColumns {
        input: u8,
        tags: Vec<u32>,
    },
    QueryRows {
        input: u8,
        forward: bool,
        rows: u16,
    },
    RegisterNotification {
        input: u8,
        output: u8,
    },
    Logon {
        output: u8,
        dn: String,
    },
}

impl Ask {
    pub(super) fn encode(&self, out: &mut Writer) {
        match self {
            Ask::Release { input } => out.put(&[0x01, 0, *input]),
            Ask::OpenFolder { input, output, folder } => {
                out.put(&[0x02, 0, *input, *output]).put(folder).u8(0)
            }
            Ask::GetContentsTable { input, output } => out.put(&[0x05, 0, *input, *output, 0]),
            // CodePageId 0x0FFF is the logon's; not associated.
            Ask::CreateMessage { input, output, folder } => {
                out.put(&[0x06, 0, *input, *output]).u16(0x0FFF).put(folder).u8(0)
            }
            // No limit of size; strings in UTF-16.
            Ask::GetProperties { input, tags } => {
                out.put(&[0x07, 0, *input]).u16(0).u16(1);
                write_tags(out, tags)
            }
            Ask::SetProperties { input, values } => {
                let mut inner = Writer::default();
                inner.u16(count(values.len()));
                for (tag, value) in values {
                    inner.u32(*tag).utf16(value);
                }
                out.put(&[0x0A, 0, *input]).u16(count(inner.len())).put(&inner.done())
            }
            // SaveFlags KeepOpenReadWrite, as the example of [MS-OXCMSG] 4.8.1.
            Ask::SaveChanges { response, input } => out.put(&[0x0C, 0, *response, *input, 0x0A]),
            Ask::SetColumns { input, tags } => {
                out.put(&[0x12, 0, *input, 0]);
                write_tags(out, tags)
            }
            Ask::QueryRows { input, forward, rows } => {
                out.put(&[0x15, 0, *input, 0, u8::from(*forward)]).u16(*rows)
            }
            // Reserved 0, WantWholeStore 1: then no folder and no message follow.
            Ask::RegisterNotification { input, output } => {
                out.put(&[0x29, 0, *input, *output, NEW_MAIL, 0, 1])
            }
            // LogonFlags Private; OpenFlags USE_PER_MDB_REPLID_MAPPING and HOME_LOGON | TAKE_OWNERSHIP | NO_MAIL.
            Ask::Logon { output, dn } => {
                let dn: Vec<u8> = dn.bytes().chain([0]).collect();
                out.put(&[0xFE, 0, *output, 0x01]).u32(0x0100_040C).u32(0).u16(count(dn.len())).put(&dn)
            }
        };
    }

    /// All ROPs of a buffer. One that is not known ends it: its length is not known either.
    pub(super) fn decode_all(rops: &[u8]) -> Result<Vec<Ask>, RpcError> {
        let mut reader = Reader::new(rops, "ROP");
        let mut asks = Vec::new();
        while !reader.is_empty() {
            if asks.len() == MAX_ROPS {
                return Err(reader.malformed());
            }
            asks.push(Ask::decode(&mut reader)?);
        }
        Ok(asks)
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Ask, RpcError> {
        let (id, _logon, index) = (reader.u8()?, reader.u8()?, reader.u8()?);
        Ok(match id {
            0x01 => Ask::Release { input: index },
            0x02 => {
                let ask = Ask::OpenFolder { input: index, output: reader.u8()?, folder: reader.array()? };
                reader.u8()?;
                ask
            }
            0x05 => {
                let ask = Ask::GetContentsTable { input: index, output: reader.u8()? };
                reader.u8()?;
                ask
            }
            0x06 => {
                let (output, _code_page, folder) = (reader.u8()?, reader.u16()?, reader.array()?);
                reader.u8()?;
                Ask::CreateMessage { input: index, output, folder }
            }
            0x07 => {
                reader.take(4)?;
                Ask::GetProperties { input: index, tags: read_tags(reader)? }
            }
            0x0A => {
                let size = usize::from(reader.u16()?);
                let mut inner = Reader::new(reader.take(size)?, "RopSetProperties");
                let mut values = Vec::new();
                for _ in 0..inner.u16()? {
                    let tag = inner.u32()?;
                    if let Some(value) = read_value(&mut inner, tag)? {
                        values.push((tag, value));
                    }
                }
                Ask::SetProperties { input: index, values }
            }
            0x0C => {
                let input = reader.u8()?;
                reader.u8()?;
                Ask::SaveChanges { response: index, input }
            }
            0x12 => {
                reader.u8()?;
                Ask::SetColumns { input: index, tags: read_tags(reader)? }
            }
            0x15 => {
                let (_flags, forward, rows) = (reader.u8()?, reader.u8()? != 0, reader.u16()?);
                Ask::QueryRows { input: index, forward, rows }
            }
            0x29 => {
                let (output, _types, _reserved, whole) =
                    (reader.u8()?, reader.u8()?, reader.u8()?, reader.u8()?);
                if whole == 0 {
                    reader.take(16)?;
                }
                Ask::RegisterNotification { input: index, output }
            }
            0xFE => {
                reader.take(9)?;
                let length = usize::from(reader.u16()?);
                let dn = reader.take(length)?;
                let dn = dn.strip_suffix(&[0]).unwrap_or(dn).to_vec();
                Ask::Logon { output: index, dn: String::from_utf8(dn).map_err(|_| reader.malformed())? }
            }
            _ => return Err(RpcError::Malformed("ROP: one that this server does not know")),
        })
    }
}

/// A row of strings, in the order of its columns: each a value, or the error code in its place.
pub(super) type Row = Vec<Result<String, u32>>;

/// What a server answers. RopRelease has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    OpenFolder {
        output: u8,
    },
    GetContentsTable {
        output: u8,
        rows: u32,
    },
    CreateMessage {
        output: u8,
    },
    GetProperties {
        input: u8,
        row: Row,
    },
    SetProperties {
        input: u8,
    },
    SaveChanges {
        response: u8,
        input: u8,
        message: [u8; 8],
    },
    SetColumns {
        input: u8,
    },
    /// `origin`: BOOKMARK_BEGINNING 0, BOOKMARK_CURRENT 1, BOOKMARK_END 2.
    QueryRows {
        input: u8,
        origin: u8,
        rows: Vec<Row>,
    },
    RegisterNotification {
        output: u8,
    },
    Logon {
        output: u8,
        mailbox: [u8; 16],
    },
    Failed {
        rop: u8,
        index: u8,
        code: u32,
    },
}

impl Told {
    pub(super) fn encode(&self, out: &mut Writer) {
        fn head(out: &mut Writer, rop: u8, index: u8) -> &mut Writer {
            out.put(&[rop, index]).u32(0)
        }
        match self {
            // HasRules, IsGhosted.
            Told::OpenFolder { output } => head(out, 0x02, *output).put(&[0, 0]),
            Told::GetContentsTable { output, rows } => head(out, 0x05, *output).u32(*rows),
            // HasMessageId.
            Told::CreateMessage { output } => head(out, 0x06, *output).u8(0),
            Told::GetProperties { input, row } => {
                write_row(head(out, 0x07, *input), row);
                out
            }
            // PropertyProblemCount.
            Told::SetProperties { input } => head(out, 0x0A, *input).u16(0),
            Told::SaveChanges { response, input, message } => {
                head(out, 0x0C, *response).u8(*input).put(message)
            }
            // TBLSTAT_COMPLETE.
            Told::SetColumns { input } => head(out, 0x12, *input).u8(0),
            Told::QueryRows { input, origin, rows } => {
                head(out, 0x15, *input).u8(*origin).u16(count(rows.len()));
                rows.iter().for_each(|row| write_row(out, row));
                out
            }
            Told::RegisterNotification { output } => head(out, 0x29, *output),
            Told::Logon { output, mailbox } => {
                head(out, 0xFE, *output).u8(0x01);
                (1..=SPECIAL_FOLDERS).for_each(|place| {
                    out.put(&folder(place));
                });
                // ResponseFlags: reserved bit, OwnerRight, SendAsRight. ReplId 1 and its REPLGUID.
                out.u8(0x07).put(mailbox).u16(1).put(mailbox);
                // LogonTime: the store has no clock, so Tuesday 1 January 2013; GwartTime, StoreState.
                out.put(&[0, 0, 0, 2, 1, 1]).u16(2013).put(&[0; 8]).u32(0)
            }
            Told::Failed { rop, index, code } => out.put(&[*rop, *index]).u32(*code),
        };
    }

    /// The next answer; `columns` is how many values a row of it holds.
    pub(super) fn decode(reader: &mut Reader<'_>, columns: usize) -> Result<Told, RpcError> {
        let (rop, index, code) = (reader.u8()?, reader.u8()?, reader.u32()?);
        if code != 0 {
            return Ok(Told::Failed { rop, index, code });
        }
        Ok(match rop {
            0x02 => {
                reader.take(2)?;
                Told::OpenFolder { output: index }
            }
            0x05 => Told::GetContentsTable { output: index, rows: reader.u32()? },
            0x06 => {
                if reader.u8()? != 0 {
                    reader.take(8)?;
                }
                Told::CreateMessage { output: index }
            }
            0x07 => Told::GetProperties { input: index, row: read_row(reader, columns)? },
            0x0A => {
                let problems = usize::from(reader.u16()?);
                reader.take(problems * 10)?;
                Told::SetProperties { input: index }
            }
            0x0C => Told::SaveChanges { response: index, input: reader.u8()?, message: reader.array()? },
            0x12 => {
                reader.u8()?;
                Told::SetColumns { input: index }
            }
            0x15 => {
                let (origin, count) = (reader.u8()?, reader.u16()?);
                let rows = (0..count).map(|_| read_row(reader, columns)).collect::<Result<_, _>>()?;
                Told::QueryRows { input: index, origin, rows }
            }
            0x29 => Told::RegisterNotification { output: index },
            0xFE => {
                reader.take(1 + 8 * usize::from(SPECIAL_FOLDERS) + 1)?;
                let mailbox = reader.array()?;
                reader.take(2 + 16 + 8 + 8 + 4)?;
                Told::Logon { output: index, mailbox }
            }
            _ => return Err(reader.malformed()),
        })
    }
}

fn write_tags<'a>(out: &'a mut Writer, tags: &[u32]) -> &'a mut Writer {
    out.u16(count(tags.len()));
    tags.iter().for_each(|tag| {
        out.u32(*tag);
    });
    out
}

fn read_tags(reader: &mut Reader<'_>) -> Result<Vec<u32>, RpcError> {
    match reader.u16()? {
        count @ 0..=MAX_TAGS => (0..count).map(|_| reader.u32()).collect(),
        _ => Err(RpcError::Malformed("ROP: too many property tags")),
    }
}

/// A PropertyRow, [MS-OXCDATA] 2.8.1: standard if every value is there, else flagged.
fn write_row(out: &mut Writer, row: &Row) {
    let flagged = row.iter().any(Result::is_err);
    out.u8(u8::from(flagged));
    for value in row {
        match value {
            Ok(text) if flagged => out.u8(0x00).utf16(text),
            Ok(text) => out.utf16(text),
            Err(code) => out.u8(0x0A).u32(*code),
        };
    }
}

fn read_row(reader: &mut Reader<'_>, columns: usize) -> Result<Row, RpcError> {
    let flagged = reader.u8()? != 0;
    (0..columns)
        .map(|_| match if flagged { reader.u8()? } else { 0 } {
            0x00 => Ok(Ok(reader.utf16()?)),
            0x0A => Ok(Err(reader.u32()?)),
            _ => Err(reader.malformed()),
        })
        .collect()
}

/// A value of a TaggedPropertyValue, [MS-OXCDATA] 2.11.1; `None` for one that is no string.
fn read_value(reader: &mut Reader<'_>, tag: u32) -> Result<Option<String>, RpcError> {
    let length = match tag & 0xFFFF {
        0x001F => return reader.utf16().map(Some),
        0x0002 => 2,
        0x0003 => 4,
        0x000B => 1,
        0x0014 | 0x0040 => 8,
        0x0102 => usize::from(reader.u16()?),
        _ => return Err(RpcError::Malformed("property: of a type that this server does not know")),
    };
    reader.take(length)?;
    Ok(None)
}

fn count(count: usize) -> u16 {
    // Callers keep buffers below 32 KiB; what is beyond would be refused as too long.
    u16::try_from(count).unwrap_or(u16::MAX)
}
