//! BER as LDAP has it (RFC 4511, section 5.1): definite lengths, one-byte tags, strings in one piece.

/// Universal tags.
pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// Why bytes are no BER, or none that is expected here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct BadBer(pub(super) &'static str);

/// How many bytes the message takes that begins here; `None` until that is known.
///
/// # Errors
/// What begins no message, or one of more bytes than `most`.
pub(super) fn message_length(bytes: &[u8], most: usize) -> Result<Option<usize>, BadBer> {
    match bytes.first() {
        None => return Ok(None),
        Some(&SEQUENCE) => {}
        Some(_) => return Err(BadBer("a message is a SEQUENCE")),
    }
    match length(&bytes[1..])? {
        Some((head, content)) if content <= most => Ok(Some(1 + head + content)),
        Some(_) => Err(BadBer("the message is too long")),
        None => Ok(None),
    }
}

/// A length and how many bytes it is written in. Any number of leading zeros is right: some clients always write four.
fn length(bytes: &[u8]) -> Result<Option<(usize, usize)>, BadBer> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    match first {
        0..=0x7f => Ok(Some((1, usize::from(first)))),
        0x81..=0x84 => {
            let count = usize::from(first & 0x7f);
            let written = bytes.get(1..=count);
            Ok(written.map(|written| {
                (1 + count, written.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte)))
            }))
        }
        _ => Err(BadBer("a length is definite and has at most four bytes")),
    }
}

/// Reads elements one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tag of the next element.
    pub(super) fn next_tag(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The next element, whatever it is.
    pub(super) fn any(&mut self) -> Result<(u8, &'a [u8]), BadBer> {
        let &tag = self.0.first().ok_or(BadBer("an element is missing"))?;
        if tag & 0x1f == 0x1f {
            return Err(BadBer("a tag has one byte"));
        }
        let cut = BadBer("an element is cut off");
        let (head, content) = length(&self.0[1..])?.ok_or(cut)?;
        let rest = &self.0[1 + head..];
        if rest.len() < content {
            return Err(cut);
        }
        let (content, rest) = rest.split_at(content);
        self.0 = rest;
        Ok((tag, content))
    }

    /// The next element, which has this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Result<&'a [u8], BadBer> {
        match self.any()? {
            (found, content) if found == tag => Ok(content),
            _ => Err(BadBer("another element was expected")),
        }
    }

    /// The next element, if it has this tag.
    pub(super) fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, BadBer> {
        match self.next_tag() == Some(tag) {
            true => self.expect(tag).map(Some),
            false => Ok(None),
        }
    }

    /// The elements within the next one, which has this tag.
    pub(super) fn within(&mut self, tag: u8) -> Result<Reader<'a>, BadBer> {
        self.expect(tag).map(Reader)
    }

    /// A string of text.
    pub(super) fn text(&mut self, tag: u8) -> Result<String, BadBer> {
        text(self.expect(tag)?)
    }

    /// INTEGER or ENUMERATED.
    pub(super) fn number(&mut self, tag: u8) -> Result<i32, BadBer> {
        number(self.expect(tag)?)
    }

    pub(super) fn boolean(&mut self, tag: u8) -> Result<bool, BadBer> {
        boolean(self.expect(tag)?)
    }

    /// Nothing may follow.
    pub(super) fn end(self) -> Result<(), BadBer> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(BadBer("more follows than belongs here")),
        }
    }
}

pub(super) fn text(content: &[u8]) -> Result<String, BadBer> {
    String::from_utf8(content.to_vec()).map_err(|_| BadBer("text is UTF-8"))
}

pub(super) fn number(content: &[u8]) -> Result<i32, BadBer> {
    let sign = match content {
        [first, ..] if content.len() <= 4 => i32::from(first.cast_signed() >> 7),
        _ => return Err(BadBer("a number has one to four bytes")),
    };
    Ok(content.iter().fold(sign, |value, byte| (value << 8) | i32::from(*byte)))
}

pub(super) fn boolean(content: &[u8]) -> Result<bool, BadBer> {
    match content {
        [value] => Ok(*value != 0),
        _ => Err(BadBer("a truth value has one byte")),
    }
}

/// Writes elements one after the other.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn octets(&mut self, tag: u8, content: &[u8]) {
        self.0.push(tag);
        match content.len() {
            short @ 0..=0x7f => self.0.push(short as u8),
            long => {
                let bytes = (long as u32).to_be_bytes();
                let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
                self.0.push(0x80 | (bytes.len() - zeros) as u8);
                self.0.extend_from_slice(&bytes[zeros..]);
            }
        }
        self.0.extend_from_slice(content);
    }

    pub(super) fn number(&mut self, tag: u8, value: i32) {
        let bytes = value.to_be_bytes();
        let fits = |from: usize| {
            let sign = if value < 0 { 0xff } else { 0 };
            bytes[..from].iter().all(|byte| *byte == sign) && (bytes[from] ^ sign) & 0x80 == 0
        };
        let from = (0..4).rev().find(|from| fits(*from)).unwrap_or(0);
        self.octets(tag, &bytes[from..]);
    }

    pub(super) fn within(&mut self, tag: u8, write: impl FnOnce(&mut Writer)) {
        let mut inner = Writer::default();
        write(&mut inner);
        self.octets(tag, &inner.0);
    }

    pub(super) fn written(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_shortest_form_and_come_back() {
        for (value, bytes) in [
            (0, &[2, 1, 0][..]),
            (127, &[2, 1, 127]),
            (128, &[2, 2, 0, 128]),
            (-1, &[2, 1, 255]),
            (-129, &[2, 2, 255, 127]),
            (i32::MAX, &[2, 4, 127, 255, 255, 255]),
            (i32::MIN, &[2, 4, 128, 0, 0, 0]),
        ] {
            let mut writer = Writer::default();
            writer.number(INTEGER, value);
            let written = writer.written();
            assert_eq!(written, bytes);
            assert_eq!(Reader::new(&written).number(INTEGER), Ok(value));
        }
    }

    #[test]
    fn a_length_may_have_leading_zeros_and_must_be_definite() {
        assert_eq!(message_length(&[0x30, 0x84, 0, 0, 0, 5], 10), Ok(Some(11)));
        assert_eq!(message_length(&[0x30, 0x84, 0, 0], 10), Ok(None));
        assert_eq!(
            message_length(&[0x30, 0x80], 10),
            Err(BadBer("a length is definite and has at most four bytes"))
        );
        assert_eq!(message_length(&[0x30, 0x0b], 10), Err(BadBer("the message is too long")));
        assert_eq!(message_length(b"GET /", 10), Err(BadBer("a message is a SEQUENCE")));
    }

    #[test]
    fn a_long_string_is_written_with_a_long_length() {
        let mut writer = Writer::default();
        writer.octets(OCTETS, &[7; 300]);
        let written = writer.written();
        assert_eq!(written[..4], [4, 0x82, 1, 44]);
        assert_eq!(Reader::new(&written).expect(OCTETS), Ok(&[7; 300][..]));
    }

    #[test]
    fn an_element_that_is_cut_off_is_refused() {
        assert_eq!(Reader::new(&[4, 3, 1, 2]).any(), Err(BadBer("an element is cut off")));
        assert_eq!(Reader::new(&[]).any(), Err(BadBer("an element is missing")));
        assert_eq!(Reader::new(&[0x5f, 0x21, 0]).any(), Err(BadBer("a tag has one byte")));
    }
}
