//! ROP buffers as Outlook writes and reads them ([MS-OXCROPS] 2.2; a header of [MS-OXCRPC] 2.2.2.1 before them), by MS-RPC and over
//! HTTP: what says whose a mailbox is, reads the inbox, puts a message there, asks to be told. Each buffer is one request's, whole.

/// PidTagMailboxOwnerName, PidTagSubject, PidTagSenderSmtpAddress, PidTagBody: [MS-OXPROPS].
const OWNER: u32 = 0x661C_001F;
const SUBJECT: u32 = 0x0037_001F;
const SENDER: u32 = 0x5D01_001F;
const BODY: u32 = 0x1000_001F;

/// A handle that the server is to fill in.
const UNSET: u32 = 0xFFFF_FFFF;
/// The folders that RopLogon names; the inbox is the fifth ([MS-OXCSTOR] 2.2.1.1.3).
const FOLDERS: usize = 13;
const INBOX: usize = 4;
/// `Last` of RPC_HEADER_EXT.
const LAST: u16 = 4;
/// As many rows as are asked for at once.
const ROWS: u16 = 50;

/// A mailbox that has been logged on to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Logon {
    handle: u32,
    inbox: [u8; 8],
}

/// What a mailbox says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    /// Whose it is.
    pub(crate) owner: String,
    /// The subjects in its inbox.
    pub(crate) subjects: Vec<String>,
}

/// RopLogon to the private mailbox of a DN.
pub(crate) fn log_on(dn: &str) -> Vec<u8> {
    buffer(&logging_on(dn), &[UNSET])
}

/// Its answer.
pub(crate) fn logged_on(answer: &[u8]) -> Result<Logon, String> {
    let (mut told, handles) = opened(answer)?;
    let inbox = told.logon()?;
    let handle = *handles.first().ok_or("RopLogon gave no handle")?;
    Ok(Logon { handle, inbox })
}

/// The same, and in one buffer with it RopGetPropertiesSpecific of the owner.
pub(crate) fn log_on_and_ask_owner(dn: &str) -> Vec<u8> {
    buffer(&[logging_on(dn), asking_owner()].concat(), &[UNSET])
}

/// Its answer: the owner's address.
pub(crate) fn owner(answer: &[u8]) -> Result<String, String> {
    let (mut told, _) = opened(answer)?;
    told.logon()?;
    told.owner()
}

/// RopGetPropertiesSpecific of the owner; then the inbox, its table, its first rows.
pub(crate) fn read(logon: Logon) -> Vec<u8> {
    let mut rops = asking_owner();
    rops.extend([0x02, 0, 0, 1]);
    rops.extend(logon.inbox);
    rops.push(0);
    rops.extend([0x05, 0, 1, 2, 0]);
    rops.extend([0x12, 0, 2, 0]);
    tags(&mut rops, &[SUBJECT]);
    rops.extend([0x15, 0, 2, 0, 1]);
    rops.extend(ROWS.to_le_bytes());
    buffer(&rops, &[logon.handle, UNSET, UNSET])
}

/// Its answer.
pub(crate) fn was_read(answer: &[u8]) -> Result<Held, String> {
    let (mut told, _) = opened(answer)?;
    let owner = told.owner()?;
    told.rop(0x02, "RopOpenFolder")?;
    told.take(2)?;
    told.rop(0x05, "RopGetContentsTable")?;
    told.take(4)?;
    told.rop(0x12, "RopSetColumns")?;
    told.take(1)?;
    told.rop(0x15, "RopQueryRows")?;
    told.take(1)?;
    let rows = told.u16()?;
    let subjects = (0..rows).map(|_| told.row()).collect::<Result<_, _>>()?;
    Ok(Held { owner, subjects })
}

/// RopRegisterNotification for new mail in the whole mailbox.
pub(crate) fn ask_to_be_told(logon: Logon) -> Vec<u8> {
    buffer(&[0x29, 0, 0, 1, 0x02, 0, 1], &[logon.handle, UNSET])
}

/// Its answer.
pub(crate) fn will_be_told(answer: &[u8]) -> Result<(), String> {
    opened(answer)?.0.rop(0x29, "RopRegisterNotification")
}

/// A message into the inbox: created, filled in, saved, let go.
pub(crate) fn put(logon: Logon, subject: &str, from: &str) -> Vec<u8> {
    let mut values = 3_u16.to_le_bytes().to_vec();
    for (tag, value) in [(SUBJECT, subject), (SENDER, from), (BODY, "A note.")] {
        values.extend(tag.to_le_bytes());
        values.extend(value.encode_utf16().chain([0]).flat_map(u16::to_le_bytes));
    }
    let mut rops = vec![0x06, 0, 0, 1, 0xFF, 0x0F];
    rops.extend(logon.inbox);
    rops.push(0);
    rops.extend([0x0A, 0, 1]);
    rops.extend(count(values.len()).to_le_bytes());
    rops.extend(values);
    rops.extend([0x0C, 0, 0, 1, 0x0A]);
    rops.extend([0x01, 0, 1]);
    buffer(&rops, &[logon.handle, UNSET])
}

/// Its answer.
pub(crate) fn was_put(answer: &[u8]) -> Result<(), String> {
    let (mut told, _) = opened(answer)?;
    told.rop(0x06, "RopCreateMessage")?;
    if told.take(1)? != [0] {
        told.take(8)?;
    }
    told.rop(0x0A, "RopSetProperties")?;
    match told.u16()? {
        0 => told.rop(0x0C, "RopSaveChangesMessage"),
        problems => Err(format!("RopSetProperties has {problems} problems")),
    }
}

/// RopLogon: Private; flags as [MS-OXCSTOR] 2.2.1.1.1 has them for one's own mailbox.
fn logging_on(dn: &str) -> Vec<u8> {
    let dn: Vec<u8> = dn.bytes().chain([0]).collect();
    let mut rop = vec![0xFE, 0, 0, 0x01];
    rop.extend(0x0100_040C_u32.to_le_bytes());
    rop.extend(0_u32.to_le_bytes());
    rop.extend(count(dn.len()).to_le_bytes());
    rop.extend(dn);
    rop
}

/// RopGetPropertiesSpecific: no limit of size, UTF-16, one tag.
fn asking_owner() -> Vec<u8> {
    let mut rop = vec![0x07, 0, 0, 0, 0, 1, 0];
    tags(&mut rop, &[OWNER]);
    rop
}

fn tags(rops: &mut Vec<u8>, tags: &[u32]) {
    rops.extend(count(tags.len()).to_le_bytes());
    tags.iter().for_each(|tag| rops.extend(tag.to_le_bytes()));
}

/// ROPs and the handles that they index, behind a header that says: one part, as it is.
fn buffer(rops: &[u8], handles: &[u32]) -> Vec<u8> {
    let mut payload = count(rops.len() + 2).to_le_bytes().to_vec();
    payload.extend(rops);
    handles.iter().for_each(|handle| payload.extend(handle.to_le_bytes()));
    let size = count(payload.len());
    let header = [0, LAST, size, size].map(u16::to_le_bytes).concat();
    [header, payload].concat()
}

fn opened(answer: &[u8]) -> Result<(Told<'_>, Vec<u32>), String> {
    let mut told = Told(answer);
    let (version, flags, size, actual) = (told.u16()?, told.u16()?, told.u16()?, told.u16()?);
    if version != 0 || flags != LAST || size != actual || told.0.len() != usize::from(size) {
        return Err("the ROP buffer is in parts, packed, or not as long as it says".to_owned());
    }
    let rops = usize::from(told.u16()?).checked_sub(2).ok_or("the ROP buffer says no size")?;
    let rops = told.take(rops)?;
    let handles = told.0.chunks_exact(4).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]));
    Ok((Told(rops), handles.collect()))
}

/// What is still to be read of an answer.
struct Told<'a>(&'a [u8]);

impl<'a> Told<'a> {
    fn take(&mut self, size: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(size).ok_or("the ROP buffer ends too soon")?;
        self.0 = rest;
        Ok(taken)
    }

    fn u16(&mut self) -> Result<u16, String> {
        self.take(2).map(|two| u16::from_le_bytes([two[0], two[1]]))
    }

    /// The head of the answer to a ROP, which must have succeeded.
    fn rop(&mut self, id: u8, name: &str) -> Result<(), String> {
        match *self.take(6)? {
            [answered, _, 0, 0, 0, 0] if answered == id => Ok(()),
            [answered, _, a, b, c, d] => {
                let code = u32::from_le_bytes([a, b, c, d]);
                Err(format!("{name} was answered by ROP {answered:#04x} with code {code:#x}"))
            }
            _ => Err("the ROP buffer ends too soon".to_owned()),
        }
    }

    /// The answer to RopLogon: the inbox's id. Behind the folders come ResponseFlags, MailboxGuid, ReplId, ReplGuid, LogonTime,
    /// GwartTime and StoreState ([MS-OXCROPS] 2.2.3.1.2).
    fn logon(&mut self) -> Result<[u8; 8], String> {
        self.rop(0xFE, "RopLogon")?;
        self.take(1)?;
        let folders = self.take(FOLDERS * 8)?;
        self.take(1 + 16 + 2 + 16 + 8 + 8 + 4)?;
        folders[INBOX * 8..][..8].try_into().map_err(|_| "RopLogon names no inbox".to_owned())
    }

    /// The answer to RopGetPropertiesSpecific of the owner.
    fn owner(&mut self) -> Result<String, String> {
        self.rop(0x07, "RopGetPropertiesSpecific")?;
        self.row()
    }

    /// A row of one string.
    fn row(&mut self) -> Result<String, String> {
        match (self.take(1)?, self.0.first()) {
            ([0], _) => {}
            ([_], Some(0)) => drop(self.take(1)?),
            _ => return Err("a row has an error in place of its value".to_owned()),
        }
        let mut text = vec![];
        loop {
            match self.u16()? {
                0 => return String::from_utf16(&text).map_err(|_| "a row is no text".to_owned()),
                unit => text.push(unit),
            }
        }
    }
}

fn count(count: usize) -> u16 {
    u16::try_from(count).expect("a buffer of ours is far shorter than 64 KiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGON: Logon = Logon { handle: 7, inbox: [1, 0, 0, 0, 0, 0, 0, 5] };

    /// [MS-OXCROPS] 2.2.1: RopSize counts itself and the ROPs, and the handles follow.
    #[test]
    fn a_buffer_is_a_header_a_size_rops_and_handles() {
        let asked = ask_to_be_told(LOGON);
        assert_eq!(
            asked,
            [
                0, 0, 4, 0, 17, 0, 17, 0, // version, flags, two sizes
                9, 0, 0x29, 0, 0, 1, 2, 0, 1, // RopSize, RopRegisterNotification
                7, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF,
            ]
        );
    }

    #[test]
    fn an_answer_is_read_and_whatever_else_comes_is_refused() {
        let text = |text: &str| text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect::<Vec<_>>();
        let head = |id: u8| [id, 0, 0, 0, 0, 0].to_vec();
        let rops = [
            head(0x07),
            vec![0],
            text("green@contoso.com"),
            head(0x02),
            vec![0, 0],
            head(0x05),
            vec![2, 0, 0, 0],
            head(0x12),
            vec![0],
            head(0x15),
            vec![2, 2, 0],
            vec![0],
            text("a"),
            vec![1, 0],
            text("b"),
        ];
        let answer = buffer(&rops.concat(), &[7, 8, 9]);
        let held = was_read(&answer).unwrap();
        assert_eq!(held, Held { owner: "green@contoso.com".into(), subjects: vec!["a".into(), "b".into()] });
        for end in 0..answer.len() {
            assert!(was_read(&answer[..end]).is_err(), "{end}");
        }
        let failed = buffer(&[0x07, 0, 5, 0, 7, 0x80], &[7]);
        assert_eq!(
            was_read(&failed),
            Err("RopGetPropertiesSpecific was answered by ROP 0x07 with code 0x80070005".into())
        );
    }
}
