//! The bodies of MAPI over HTTP: meta-tags, lines and binary behind them ([MS-OXCMAPIHTTP] 2.2.7), and the fields of the
//! requests that are made here (2.2.4, 2.2.5): little-endian, without alignment.

/// The meta-tags of an answer that has begun.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Begun {
    pub(super) processing: bool,
    /// How often it was said that it is still pending.
    pub(super) pending: usize,
    pub(super) done: bool,
}

/// The meta-tags so far. What is no line of theirs yet counts for nothing.
pub(super) fn begun(read: &[u8]) -> Begun {
    let mut begun = Begun::default();
    let mut rest = read;
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        match &rest[..end] {
            b"PROCESSING" => begun.processing = true,
            b"PENDING" => begun.pending += 1,
            b"DONE" => {
                begun.done = true;
                break;
            }
            _ => break,
        }
        rest = &rest[end + 2..];
    }
    begun
}

/// The binary body of a whole answer, whose last code must be 0.
pub(super) fn whole(read: &[u8]) -> Result<&[u8], String> {
    let after = read.windows(6).position(|six| six == b"DONE\r\n").ok_or("the answer has no DONE in it")?;
    if !begun(read).done {
        return Err("the answer begins with something else than meta-tags".to_owned());
    }
    let rest = &read[after + 6..];
    // The lines may be none; an empty one ends them.
    let (lines, body) = match rest.strip_prefix(b"\r\n") {
        Some(body) => (&b""[..], body),
        None => {
            let end = rest.windows(4).position(|four| four == b"\r\n\r\n");
            let end = end.ok_or("no empty line follows the lines behind DONE")?;
            (&rest[..end], &rest[end + 4..])
        }
    };
    let lines = std::str::from_utf8(lines).map_err(|_| "the lines behind DONE are no text")?;
    let code = lines.split("\r\n").filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        name.eq_ignore_ascii_case("X-ResponseCode").then(|| value.trim().to_owned())
    });
    match code.as_deref() {
        None | Some("0") => Ok(body),
        Some(code) => Err(format!("the answer ends with X-ResponseCode {code}")),
    }
}

/// Fields being written.
#[derive(Default)]
pub(super) struct Fields(Vec<u8>);

impl Fields {
    pub(super) fn long(mut self, value: u32) -> Fields {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn there(mut self, is: bool) -> Fields {
        self.0.push(if is { 0xFF } else { 0 });
        self
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Fields {
        self.0.extend(bytes);
        self
    }

    /// 8-bit characters up to a NUL.
    pub(super) fn ascii(self, text: &str) -> Fields {
        self.bytes(text.as_bytes()).bytes(&[0])
    }

    /// UTF-16 up to a NUL.
    pub(super) fn wide(self, text: &str) -> Fields {
        let units: Vec<u8> = text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
        self.bytes(&units)
    }

    /// The end: no auxiliary buffer.
    pub(super) fn done(self) -> Vec<u8> {
        self.long(0).0
    }
}

/// Fields being read.
pub(super) struct Reading<'a>(pub(super) &'a [u8]);

impl<'a> Reading<'a> {
    pub(super) fn take(&mut self, size: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(size).ok_or("the body ends too soon")?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn long(&mut self) -> Result<u32, String> {
        self.take(4).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]))
    }

    pub(super) fn there(&mut self) -> Result<bool, String> {
        self.take(1).map(|one| one != [0])
    }

    /// StatusCode and ErrorCode, which must be this.
    pub(super) fn codes(&mut self, request: &str, error: u32) -> Result<(), String> {
        match (self.long()?, self.long()?) {
            (0, code) if code == error => Ok(()),
            (0, code) => Err(format!("{request} was answered with error {code:#x}")),
            (status, _) => Err(format!("{request} was answered with status {status}")),
        }
    }

    pub(super) fn wide(&mut self) -> Result<String, String> {
        let mut text = vec![];
        loop {
            match self.take(2)? {
                [0, 0] => return String::from_utf16(&text).map_err(|_| "a field is no text".to_owned()),
                unit => text.push(u16::from_le_bytes([unit[0], unit[1]])),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [MS-OXCMAPIHTTP] 4.2: what follows the empty line is the body, whatever is in it.
    #[test]
    fn meta_tags_come_one_by_one_and_the_body_behind_the_empty_line() {
        let all = b"PROCESSING\r\nPENDING\r\nPENDING\r\nDONE\r\nX-ElapsedTime: 3\r\nX-ResponseCode: 0\r\n\r\nDONE\r\n\0\0";
        let at = |end: usize| {
            let Begun { processing, pending, done } = begun(&all[..end]);
            (processing, pending, done)
        };
        assert_eq!(at(11), (false, 0, false));
        assert_eq!(at(12), (true, 0, false));
        assert_eq!(at(21), (true, 1, false));
        assert_eq!(at(all.len()), (true, 2, true));
        assert_eq!(whole(all).unwrap(), b"DONE\r\n\0\0");
        assert_eq!(whole(b"PROCESSING\r\nDONE\r\n\r\nbody").unwrap(), b"body");
        for (wrong, says) in [
            (&b"PROCESSING\r\nPENDING\r\n"[..], "no DONE"),
            (b"<html>DONE\r\n\r\n", "something else"),
            (b"PROCESSING\r\nDONE\r\nX: y", "no empty line"),
            (b"PROCESSING\r\nDONE\r\nX-ResponseCode: 10\r\n\r\n", "X-ResponseCode 10"),
        ] {
            assert!(whole(wrong).unwrap_err().contains(says), "{says}");
        }
    }
}
