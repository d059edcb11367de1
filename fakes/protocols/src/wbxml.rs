//! WAP Binary XML as ActiveSync uses it: [MS-ASWBXML]. Trees of elements to bytes and back, within limits.
//!
//! Absent, as in ActiveSync itself: string tables, attributes, entities, processing instructions, mixed content.

mod pages;

use std::fmt;

pub use pages::{
    air_sync, air_sync_base, compose_mail, contacts, email, folder_hierarchy, item_operations, ping,
    provision, settings,
};

/// The longest document, in bytes.
pub const MAX_BYTES: usize = 1024 * 1024;
const MAX_DEPTH: usize = 32;
const MAX_ELEMENTS: usize = 100_000;

/// Version 1.3, unknown public identifier, UTF-8, no string table.
const HEADER: [u8; 4] = [0x03, 0x01, 0x6A, 0x00];
const SWITCH_PAGE: u8 = 0x00;
const END: u8 = 0x01;
const STR_I: u8 = 0x03;
const OPAQUE: u8 = 0xC3;
const WITH_CONTENT: u8 = 0x40;
const WITH_ATTRIBUTES: u8 = 0x80;

/// A tag: its code page and its token there, without the bits for content and attributes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag {
    page: u8,
    token: u8,
}

impl Tag {
    /// Its name, without its page.
    pub fn name(self) -> &'static str {
        pages::name(self).expect("only known tags are made")
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.page, self.name())
    }
}

/// An element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Its tag.
    pub tag: Tag,
    /// What it holds.
    pub content: Content,
}

/// What an element holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Nothing: `<MoreAvailable/>`.
    Empty,
    /// A string.
    Text(String),
    /// Bytes, such as a message in MIME.
    Opaque(Vec<u8>),
    /// Elements.
    Children(Vec<Element>),
}

/// Bytes that are no document of ActiveSync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WbxmlError {
    /// Longer than a document may be.
    #[error(
        "the document is longer than {MAX_BYTES} bytes, deeper than {MAX_DEPTH} or of more than {MAX_ELEMENTS} elements"
    )]
    TooLarge,
    /// It ends before its root does.
    #[error("the document ends in the middle")]
    Cut,
    /// The header is not that of WBXML 1.3 in UTF-8 without a string table.
    #[error("the header is not `03 01 6A 00`")]
    Header,
    /// A tag that is not known.
    #[error("tag {token:#04x} of code page {page} is not known")]
    UnknownTag {
        /// The code page.
        page: u8,
        /// The token.
        token: u8,
    },
    /// A token that has no place where it stands.
    #[error("token {token:#04x} at byte {at} has no place there")]
    Token {
        /// The token.
        token: u8,
        /// Where it stands, from 0.
        at: usize,
    },
    /// A string that is not UTF-8.
    #[error("the string at byte {0} is not UTF-8")]
    Text(usize),
}

impl Element {
    /// An element that holds nothing.
    pub fn empty(tag: Tag) -> Element {
        Element { tag, content: Content::Empty }
    }

    /// An element that holds a string.
    pub fn text(tag: Tag, text: impl Into<String>) -> Element {
        Element { tag, content: Content::Text(text.into()) }
    }

    /// An element that holds elements.
    pub fn with(tag: Tag, children: impl Into<Vec<Element>>) -> Element {
        Element { tag, content: Content::Children(children.into()) }
    }

    /// Its elements, none if it holds something else.
    pub fn children(&self) -> &[Element] {
        match &self.content {
            Content::Children(children) => children,
            _ => &[],
        }
    }

    /// Its first element of this tag.
    pub fn child(&self, tag: Tag) -> Option<&Element> {
        self.children().iter().find(|child| child.tag == tag)
    }

    /// The string of its first element of this tag.
    pub fn text_of(&self, tag: Tag) -> Option<&str> {
        match &self.child(tag)?.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A document with this root.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = HEADER.to_vec();
        let mut page = 0;
        self.write(&mut bytes, &mut page);
        bytes
    }

    fn write(&self, bytes: &mut Vec<u8>, page: &mut u8) {
        if *page != self.tag.page {
            *page = self.tag.page;
            bytes.extend([SWITCH_PAGE, self.tag.page]);
        }
        match &self.content {
            Content::Empty => return bytes.push(self.tag.token),
            Content::Text(text) => {
                bytes.extend([self.tag.token | WITH_CONTENT, STR_I]);
                bytes.extend(text.bytes().filter(|byte| *byte != 0).chain([0]));
            }
            Content::Opaque(opaque) => {
                bytes.extend([self.tag.token | WITH_CONTENT, OPAQUE]);
                write_length(bytes, opaque.len());
                bytes.extend(opaque);
            }
            Content::Children(children) => {
                bytes.push(self.tag.token | WITH_CONTENT);
                children.iter().for_each(|child| child.write(bytes, page));
            }
        }
        bytes.push(END);
    }

    /// The root of a document.
    ///
    /// # Errors
    /// What is no document of ActiveSync, or is larger than 1 MiB, 32 levels or 100 000 elements.
    pub fn decode(bytes: &[u8]) -> Result<Element, WbxmlError> {
        if bytes.len() > MAX_BYTES {
            return Err(WbxmlError::TooLarge);
        }
        if !bytes.starts_with(&HEADER) {
            return Err(if HEADER.starts_with(bytes) { WbxmlError::Cut } else { WbxmlError::Header });
        }
        Decoder { bytes, at: HEADER.len(), page: 0, open: Vec::new(), seen: 0 }.root()
    }
}

struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
    page: u8,
    open: Vec<Element>,
    seen: usize,
}

impl Decoder<'_> {
    fn root(mut self) -> Result<Element, WbxmlError> {
        loop {
            let (at, token) = (self.at, self.next()?);
            let misplaced = WbxmlError::Token { token, at };
            let closed = match token {
                SWITCH_PAGE => {
                    self.page = self.next()?;
                    continue;
                }
                END => self.open.pop().ok_or(misplaced)?,
                STR_I | OPAQUE => {
                    let content = if token == STR_I { self.text()? } else { self.opaque()? };
                    match self.open.last_mut() {
                        // A string may come in parts; parts of different kinds do not mix.
                        Some(Element { content: held @ Content::Empty, .. }) => *held = content,
                        Some(Element { content: Content::Text(held), .. }) => match content {
                            Content::Text(more) => held.push_str(&more),
                            _ => return Err(misplaced),
                        },
                        _ => return Err(misplaced),
                    }
                    continue;
                }
                token if token & WITH_ATTRIBUTES != 0 || token & !WITH_CONTENT < 5 => return Err(misplaced),
                token => {
                    let element = self.element(token & !WITH_CONTENT)?;
                    if token & WITH_CONTENT != 0 {
                        self.open.push(element);
                        continue;
                    }
                    element
                }
            };
            match self.open.last_mut() {
                None if self.at == self.bytes.len() => return Ok(closed),
                None => return Err(WbxmlError::Token { token: self.bytes[self.at], at: self.at }),
                Some(parent) => match &mut parent.content {
                    Content::Children(children) => children.push(closed),
                    empty @ Content::Empty => *empty = Content::Children(vec![closed]),
                    _ => return Err(misplaced),
                },
            }
        }
    }

    fn element(&mut self, token: u8) -> Result<Element, WbxmlError> {
        self.seen += 1;
        if self.seen > MAX_ELEMENTS || self.open.len() >= MAX_DEPTH {
            return Err(WbxmlError::TooLarge);
        }
        let tag = Tag { page: self.page, token };
        match pages::name(tag) {
            Some(_) => Ok(Element::empty(tag)),
            None => Err(WbxmlError::UnknownTag { page: self.page, token }),
        }
    }

    fn text(&mut self) -> Result<Content, WbxmlError> {
        let start = self.at;
        let length = self.bytes[start..].iter().position(|byte| *byte == 0).ok_or(WbxmlError::Cut)?;
        self.at += length + 1;
        let text = std::str::from_utf8(&self.bytes[start..start + length]);
        text.map(|text| Content::Text(text.to_owned())).map_err(|_| WbxmlError::Text(start))
    }

    fn opaque(&mut self) -> Result<Content, WbxmlError> {
        let mut length = 0usize;
        loop {
            let byte = self.next()?;
            length = length << 7 | usize::from(byte & 0x7F);
            if length > MAX_BYTES {
                return Err(WbxmlError::Cut);
            }
            if byte & 0x80 == 0 {
                break;
            }
        }
        let opaque = self.bytes.get(self.at..self.at + length).ok_or(WbxmlError::Cut)?;
        self.at += length;
        Ok(Content::Opaque(opaque.to_vec()))
    }

    fn next(&mut self) -> Result<u8, WbxmlError> {
        let byte = *self.bytes.get(self.at).ok_or(WbxmlError::Cut)?;
        self.at += 1;
        Ok(byte)
    }
}

/// A length as mb_u_int32: seven bits a byte, the highest first.
fn write_length(bytes: &mut Vec<u8>, length: usize) {
    let groups = (usize::BITS - length.leading_zeros()).div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let seven = u8::try_from(length >> (7 * group) & 0x7F).expect("seven bits");
        bytes.push(if group == 0 { seven } else { seven | 0x80 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [MS-ASWBXML] 3, "Algorithm Examples".
    const PUBLISHED: &str = "03016A00455C4F5003436F6E746163747300014B0332000152033200014E03310001\
        56474D03323A3100015D00114A46033100014C033000014D033100010100015E0346756E6B2C20446F6E00015F\
        03446F6E0001690346756E6B00010011560331000101010101 0101";

    #[test]
    fn the_published_example_is_read_and_written_byte_for_byte() {
        use air_sync::{
            ADD, APPLICATION_DATA, CLASS, COLLECTION, COLLECTION_ID, COLLECTIONS, COMMANDS, SERVER_ID,
            STATUS, SYNC, SYNC_KEY,
        };
        let text = Element::text;
        let body = Element::with(
            air_sync_base::BODY,
            [
                text(air_sync_base::TYPE, "1"),
                text(air_sync_base::ESTIMATED_DATA_SIZE, "0"),
                text(air_sync_base::TRUNCATED, "1"),
            ],
        );
        let data = Element::with(
            APPLICATION_DATA,
            [
                body,
                text(contacts::FILE_AS, "Funk, Don"),
                text(contacts::FIRST_NAME, "Don"),
                text(contacts::LAST_NAME, "Funk"),
                text(air_sync_base::NATIVE_BODY_TYPE, "1"),
            ],
        );
        let add = Element::with(ADD, [text(SERVER_ID, "2:1"), data]);
        let collection = [
            text(CLASS, "Contacts"),
            text(SYNC_KEY, "2"),
            text(COLLECTION_ID, "2"),
            text(STATUS, "1"),
            Element::with(COMMANDS, [add]),
        ];
        let collections = Element::with(COLLECTIONS, [Element::with(COLLECTION, collection)]);
        let document = Element::with(SYNC, [collections]);
        assert_eq!(document.encode(), hex(PUBLISHED));
        assert_eq!(Element::decode(&hex(PUBLISHED)), Ok(document));
    }

    /// A first FolderSync as a client developer published it (mobilitydojo.net, "EAS Building Blocks: AS-WBXML").
    #[test]
    fn a_published_folder_sync_is_understood() {
        let root = Element::decode(&[3, 1, 106, 0, 0, 7, 86, 82, 3, 48, 0, 1, 1]).unwrap();
        assert_eq!(root.tag, folder_hierarchy::FOLDER_SYNC);
        assert_eq!(root.text_of(folder_hierarchy::SYNC_KEY), Some("0"));
    }

    #[test]
    fn bytes_of_any_length_come_back() {
        for length in [0, 1, 127, 128, 16_383, 16_384, 300_000] {
            let opaque = Content::Opaque(vec![0xC3; length]);
            let mail = Element { tag: compose_mail::MIME, content: opaque };
            let document = Element::with(compose_mail::SEND_MAIL, [mail]);
            assert_eq!(Element::decode(&document.encode()), Ok(document));
        }
    }

    #[test]
    fn every_beginning_of_a_document_is_refused_as_cut() {
        let whole = hex(PUBLISHED);
        for length in 0..whole.len() {
            assert_eq!(Element::decode(&whole[..length]), Err(WbxmlError::Cut), "{length} bytes");
        }
    }

    #[test]
    fn no_single_wrong_byte_breaks_the_decoder_and_what_it_reads_can_be_written() {
        let whole = hex(PUBLISHED);
        for place in 0..whole.len() {
            for value in 0..=u8::MAX {
                let mut wrong = whole.clone();
                wrong[place] = value;
                if let Ok(root) = Element::decode(&wrong) {
                    assert_eq!(Element::decode(&root.encode()), Ok(root), "{value:#04x} at {place}");
                }
            }
        }
    }

    #[test]
    fn what_active_sync_does_not_use_is_refused() {
        let refused = |digits: &str| Element::decode(&hex(digits)).unwrap_err();
        assert_eq!(refused("02016a00 05"), WbxmlError::Header);
        assert_eq!(refused("03016a02 610005"), WbxmlError::Header);
        assert_eq!(refused("03016a00 3f"), WbxmlError::UnknownTag { page: 0, token: 0x3F });
        assert_eq!(refused("03016a00 000905"), WbxmlError::UnknownTag { page: 9, token: 5 });
        assert_eq!(refused("03016a00 c505"), WbxmlError::Token { token: 0xC5, at: 4 });
        assert_eq!(refused("03016a00 01"), WbxmlError::Token { token: 1, at: 4 });
        assert_eq!(refused("03016a00 4583"), WbxmlError::Token { token: 0x83, at: 5 });
        assert_eq!(refused("03016a00 0505"), WbxmlError::Token { token: 5, at: 5 });
        assert_eq!(refused("03016a00 45 0331 00 06 01"), WbxmlError::Token { token: 6, at: 8 });
        assert_eq!(refused("03016a00 4b 03ff00 01"), WbxmlError::Text(6));
        assert_eq!(refused("03016a00 4b c3ffffffffffffffffff7f 01"), WbxmlError::Cut);
    }

    #[test]
    fn a_document_beyond_a_limit_is_refused() {
        let deep = [&HEADER[..], &[0x45; 33]].concat();
        assert_eq!(Element::decode(&deep), Err(WbxmlError::TooLarge));
        let many = [&HEADER[..], &[0x45], &vec![0x07; MAX_ELEMENTS]].concat();
        assert_eq!(Element::decode(&many), Err(WbxmlError::TooLarge));
        assert_eq!(Element::decode(&vec![0x03; MAX_BYTES + 1]), Err(WbxmlError::TooLarge));
    }

    fn hex(digits: &str) -> Vec<u8> {
        let digits: Vec<u8> = digits.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }
}
