//! The address book endpoint, `/mapi/nspi`: bodies of [MS-OXCMAPIHTTP] 2.2.5. It knows one's own entry by any name, and the
//! list of lists; of all the rest it says that it is not known.

use super::endpoint::{ascii, auxiliary};
use super::sessions::Kind;
use super::{AddressBook, Ask, Code, Entry, Place, Ready, Served};
use crate::msrpc::{Reader, RpcError, Writer, ec};

/// As many names and property tags as one request holds.
const MOST: u32 = 256;
/// The longest name that is read.
const MAX_NAME: usize = 1024;

/// PidTagDisplayName, PidTagEmailAddress (the DN), PidTagSmtpAddress, PidTagDepth: [MS-OXPROPS].
const DISPLAY_NAME: u32 = 0x3001_001F;
const EMAIL_ADDRESS: u32 = 0x3003_001F;
const SMTP_ADDRESS: u32 = 0x39FE_001F;
const DEPTH: u32 = 0x3005_0003;
/// A string's property type.
const STRING: u32 = 0x001F;
/// A property type that says: an error stands in its place ([MS-OXCDATA] 2.11.1).
const ERROR: u8 = 0x0A;
/// That a field is there.
const THERE: u8 = 0xFF;
/// CP_WINUNICODE, [MS-OXNSPI] 2.2.1.4: the code page of the answers.
const CODE_PAGE: u32 = 1200;
/// MID_UNRESOLVED and MID_RESOLVED, [MS-OXNSPI] 2.2.1.8.
const UNRESOLVED: u32 = 0;
const RESOLVED: u32 = 2;
/// The first Minimal Entry ID that names an entry.
const FIRST_ID: u32 = 0x10;
/// UnbindSuccess, [MS-OXNSPI] 3.1.4.1.2.
const UNBOUND: u32 = 1;

pub(super) fn serve(place: &Place<'_>, people: &dyn AddressBook, ask: &Ask<'_>) -> Result<Served, Code> {
    let mut reader = Reader::new(ask.body, "request of the address book");
    let mut out = Writer::default();
    // StatusCode.
    out.u32(0);
    match ask.kind {
        "Bind" => {
            reader.u32()?;
            state(&mut reader)?;
            auxiliary(reader)?;
            // ErrorCode, ServerGuid, AuxiliaryBufferSize.
            out.u32(0).put(&[0x13; 16]).u32(0);
            let session = place.sessions.make(&place.inbox.owner().guid, None);
            return Ok(Served { cookies: session.cookies(), body: Ready::Now(out.done()) });
        }
        "Unbind" => {
            reader.u32()?;
            auxiliary(reader)?;
            let session = ask.session(place, Kind::AddressBook, false)?;
            place.sessions.end(&session);
            out.u32(UNBOUND).u32(0);
            return Ok(Served { cookies: vec![], body: Ready::Now(out.done()) });
        }
        "PING" => {
            ask.session(place, Kind::AddressBook, false)?;
            return Ok(Served { cookies: vec![], body: Ready::Now(vec![]) });
        }
        "GetSpecialTable" => {
            reader.u32()?;
            state(&mut reader)?;
            if there(&mut reader)? {
                reader.u32()?;
            }
            auxiliary(reader)?;
            special_table(&mut out);
        }
        "DNToMId" => {
            reader.u32()?;
            let names = names(&mut reader, |reader| ascii(reader, MAX_NAME))?;
            auxiliary(reader)?;
            let ids: Vec<u32> = names
                .iter()
                .map(|dn| match people.find(dn).filter(|entry| entry.legacy_dn.eq_ignore_ascii_case(dn)) {
                    Some(entry) => id(&entry),
                    None => UNRESOLVED,
                })
                .collect();
            out.u32(0);
            write_ids(&mut out, &ids);
        }
        "ResolveNames" => {
            reader.u32()?;
            state(&mut reader)?;
            let tags = tags(&mut reader)?;
            let names = names(&mut reader, Reader::utf16)?;
            auxiliary(reader)?;
            let found: Vec<Option<Entry>> = names.iter().map(|name| people.find(plain(name))).collect();
            resolved(&mut out, &tags, &found);
        }
        "CompareMIds" | "GetMatches" | "GetPropList" | "GetProps" | "GetTemplateInfo" | "ModLinkAtt"
        | "ModProps" | "QueryColumns" | "QueryRows" | "ResortRestriction" | "SeekEntries" | "UpdateStat"
        | "GetMailboxUrl" | "GetAddressBookUrl" => {
            // ErrorCode and AuxiliaryBufferSize: of what is not known here, an error is all that there is.
            out.u32(ec::NOT_SUPPORTED).u32(0);
        }
        _ => return Err(Code::InvalidRequestType),
    }
    let session = ask.session(place, Kind::AddressBook, true)?;
    Ok(Served { cookies: session.cookies(), body: Ready::Now(out.done()) })
}

fn there(reader: &mut Reader<'_>) -> Result<bool, RpcError> {
    Ok(reader.u8()? != 0)
}

/// STAT, where there is one: nine longs.
fn state(reader: &mut Reader<'_>) -> Result<(), RpcError> {
    if there(reader)? {
        reader.take(36)?;
    }
    Ok(())
}

fn tags(reader: &mut Reader<'_>) -> Result<Vec<u32>, RpcError> {
    if !there(reader)? {
        return Ok(vec![DISPLAY_NAME, EMAIL_ADDRESS, SMTP_ADDRESS]);
    }
    let count = counted(reader)?;
    (0..count).map(|_| reader.u32()).collect()
}

fn names<'r>(
    reader: &mut Reader<'r>,
    name: impl Fn(&mut Reader<'r>) -> Result<String, RpcError>,
) -> Result<Vec<String>, RpcError> {
    if !there(reader)? {
        return Ok(vec![]);
    }
    let count = counted(reader)?;
    (0..count).map(|_| name(reader)).collect()
}

fn counted(reader: &mut Reader<'_>) -> Result<u32, RpcError> {
    match reader.u32()? {
        count @ 0..=MOST => Ok(count),
        _ => Err(reader.malformed()),
    }
}

/// A name as it is typed: `=SMTP:someone@contoso.com` is exact, and the same to this book.
fn plain(name: &str) -> &str {
    let name = name.trim_start_matches('=');
    name.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("smtp:")).map_or(name, |_| &name[5..])
}

/// The list of lists has one row.
fn special_table(out: &mut Writer) {
    // ErrorCode, CodePage; no Version; RowsCount.
    out.u32(0).u32(CODE_PAGE).u8(0).u8(THERE).u32(1);
    // An AddressBookPropertyValueList: its count, and each value behind its tag.
    out.u32(2).u32(DISPLAY_NAME).u8(THERE).utf16("Global Address List").u32(DEPTH).u32(0);
    out.u32(0);
}

fn resolved(out: &mut Writer, tags: &[u32], found: &[Option<Entry>]) {
    let ids: Vec<u32> =
        found.iter().map(|entry| if entry.is_some() { RESOLVED } else { UNRESOLVED }).collect();
    out.u32(0).u32(CODE_PAGE);
    longs(out, &ids);
    // PropertyTags, RowCount and RowData.
    longs(out, tags);
    let rows: Vec<&Entry> = found.iter().flatten().collect();
    out.u32(count(rows.len()));
    for entry in rows {
        write_row(out, tags, entry);
    }
    out.u32(0);
}

/// An AddressBookPropertyRow: standard where every value is there, else flagged.
fn write_row(out: &mut Writer, tags: &[u32], entry: &Entry) {
    let value = |tag: u32| match tag {
        DISPLAY_NAME => Some(&entry.display_name),
        EMAIL_ADDRESS => Some(&entry.legacy_dn),
        SMTP_ADDRESS => Some(&entry.address),
        _ => None,
    };
    let flagged = tags.iter().any(|tag| value(*tag).is_none());
    out.u8(u8::from(flagged));
    for tag in tags {
        match value(*tag) {
            Some(text) if tag & 0xFFFF == STRING => {
                if flagged {
                    out.u8(0);
                }
                out.u8(THERE).utf16(text);
            }
            _ => {
                out.u8(ERROR).u32(ec::NOT_FOUND);
            }
        }
    }
}

fn write_ids(out: &mut Writer, ids: &[u32]) {
    longs(out, ids);
    out.u32(0);
}

/// An array of longs that is there.
fn longs(out: &mut Writer, longs: &[u32]) {
    out.u8(THERE).u32(count(longs.len()));
    for long in longs {
        out.u32(*long);
    }
}

/// An entry's Minimal Entry ID: always the same one, and never one of those with a meaning of their own.
fn id(entry: &Entry) -> u32 {
    let sum = entry.legacy_dn.bytes().fold(0x811C_9DC5_u32, |sum, byte| {
        (sum ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
    });
    FIRST_ID + (sum >> 4)
}

fn count(count: usize) -> u32 {
    u32::try_from(count).expect("at most MOST")
}
