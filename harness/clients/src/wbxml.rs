//! WBXML as ActiveSync uses it (MS-ASWBXML): elements of code pages, inline strings, opaque data. Bounded.

const MOST_DEPTH: usize = 32;
const MOST_ELEMENTS: usize = 20_000;

/// WBXML 1.3, unknown public identifier, UTF-8, no string table.
const HEAD: [u8; 4] = [0x03, 0x01, 0x6A, 0x00];
const SWITCH_PAGE: u8 = 0x00;
const END: u8 = 0x01;
const STR_I: u8 = 0x03;
const OPAQUE: u8 = 0xC3;
const CONTENT: u8 = 0x40;
const ATTRIBUTES: u8 = 0x80;

/// An element's name: code page and token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name(pub(crate) u8, pub(crate) u8);

/// An element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) name: Name,
    /// Its text, or its opaque bytes.
    pub(crate) data: Vec<u8>,
    pub(crate) children: Vec<Node>,
}

/// Why bytes are no WBXML that a device reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadWbxml {
    #[error("WBXML that ends early")]
    Short,
    #[error("no WBXML 1.x in UTF-8")]
    Head,
    #[error("WBXML token {0:#04x}, which ActiveSync does not use")]
    Token(u8),
    #[error("WBXML deeper or longer than a device reads")]
    TooMuch,
}

impl Node {
    pub(crate) fn empty(name: Name) -> Node {
        Node { name, data: vec![], children: vec![] }
    }

    pub(crate) fn text(name: Name, text: &str) -> Node {
        Node { name, data: text.replace('\0', "").into_bytes(), children: vec![] }
    }

    pub(crate) fn of(name: Name, children: Vec<Node>) -> Node {
        Node { name, data: vec![], children }
    }

    /// The element and all in it, in document order.
    pub(crate) fn all(&self) -> Vec<&Node> {
        let mut found = vec![self];
        for child in &self.children {
            found.extend(child.all());
        }
        found
    }

    pub(crate) fn find(&self, name: Name) -> Option<&Node> {
        if self.name == name {
            return Some(self);
        }
        self.children.iter().find_map(|child| child.find(name))
    }

    /// The text of the first child of this name.
    pub(crate) fn text_of(&self, name: Name) -> Option<String> {
        let child = self.children.iter().find(|child| child.name == name)?;
        Some(String::from_utf8_lossy(&child.data).into_owned())
    }
}

/// Writes a document; `opaque` elements have their data written as opaque bytes instead of a string.
pub(crate) fn write(root: &Node, opaque: Option<Name>) -> Vec<u8> {
    let mut out = HEAD.to_vec();
    let mut page = 0;
    put(&mut out, &mut page, root, opaque);
    out
}

fn put(out: &mut Vec<u8>, page: &mut u8, node: &Node, opaque: Option<Name>) {
    let Name(own, token) = node.name;
    if own != *page {
        out.extend([SWITCH_PAGE, own]);
        *page = own;
    }
    if node.data.is_empty() && node.children.is_empty() {
        out.push(token);
        return;
    }
    out.push(token | CONTENT);
    if opaque == Some(node.name) {
        out.push(OPAQUE);
        put_length(out, node.data.len());
        out.extend(&node.data);
    } else if !node.data.is_empty() {
        out.push(STR_I);
        out.extend(&node.data);
        out.push(0);
    }
    for child in &node.children {
        put(out, page, child, opaque);
    }
    out.push(END);
}

/// A multi-byte integer: seven bits a byte, the highest first.
fn put_length(out: &mut Vec<u8>, length: usize) {
    let groups = (1..=9).find(|groups| length >> (7 * groups) == 0).unwrap_or(10);
    for group in (0..groups).rev() {
        let bits = (length >> (7 * group)) as u8 & 0x7F;
        out.push(if group == 0 { bits } else { bits | 0x80 });
    }
}

/// Reads a document.
///
/// # Errors
/// What is no WBXML of ActiveSync, ends early, or is too much.
pub(crate) fn read(bytes: &[u8]) -> Result<Node, BadWbxml> {
    let [version, public, charset, table, rest @ ..] = bytes else { return Err(BadWbxml::Short) };
    // 1.1 to 1.3; one-byte public identifiers only; UTF-8; an empty string table.
    if !(0x01..=0x03).contains(version) || public & 0x80 != 0 || *charset != 0x6A || *table != 0 {
        return Err(BadWbxml::Head);
    }
    let mut reader = Reader { rest, page: 0 };
    let mut open: Vec<Node> = vec![];
    let mut count = 0;
    loop {
        let closed = match reader.byte()? {
            SWITCH_PAGE => {
                reader.page = reader.byte()?;
                continue;
            }
            END => open.pop().ok_or(BadWbxml::Token(END))?,
            STR_I => {
                let text = reader.string()?;
                open.last_mut().ok_or(BadWbxml::Token(STR_I))?.data.extend(text);
                continue;
            }
            OPAQUE => {
                let data = reader.opaque()?;
                open.last_mut().ok_or(BadWbxml::Token(OPAQUE))?.data.extend(data);
                continue;
            }
            token if token & ATTRIBUTES != 0 || token & 0x3F < 5 => return Err(BadWbxml::Token(token)),
            token => {
                count += 1;
                if count > MOST_ELEMENTS || open.len() >= MOST_DEPTH {
                    return Err(BadWbxml::TooMuch);
                }
                let node = Node::empty(Name(reader.page, token & 0x3F));
                if token & CONTENT != 0 {
                    open.push(node);
                    continue;
                }
                node
            }
        };
        match open.last_mut() {
            Some(parent) => parent.children.push(closed),
            None => return Ok(closed),
        }
    }
}

struct Reader<'b> {
    rest: &'b [u8],
    page: u8,
}

impl<'b> Reader<'b> {
    fn byte(&mut self) -> Result<u8, BadWbxml> {
        let (first, rest) = self.rest.split_first().ok_or(BadWbxml::Short)?;
        self.rest = rest;
        Ok(*first)
    }

    fn string(&mut self) -> Result<&'b [u8], BadWbxml> {
        let end = self.rest.iter().position(|byte| *byte == 0).ok_or(BadWbxml::Short)?;
        let (text, rest) = self.rest.split_at(end);
        self.rest = &rest[1..];
        Ok(text)
    }

    fn opaque(&mut self) -> Result<&'b [u8], BadWbxml> {
        let mut length = 0usize;
        for _ in 0..5 {
            let byte = self.byte()?;
            length = length << 7 | usize::from(byte & 0x7F);
            if byte & 0x80 == 0 {
                let data = self.rest.get(..length).ok_or(BadWbxml::Short)?;
                self.rest = &self.rest[length..];
                return Ok(data);
            }
        }
        Err(BadWbxml::TooMuch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDER_SYNC: Name = Name(7, 0x16);
    const SYNC_KEY: Name = Name(7, 0x12);

    /// The FolderSync request with SyncKey 0, as MS-ASWBXML's code page 7 gives it and every device sends it.
    #[test]
    fn a_first_folder_sync_is_the_published_bytes() {
        let node = Node::of(FOLDER_SYNC, vec![Node::text(SYNC_KEY, "0")]);
        let bytes = [0x03, 0x01, 0x6A, 0x00, 0x00, 0x07, 0x56, 0x52, 0x03, 0x30, 0x00, 0x01, 0x01];
        assert_eq!(write(&node, None), bytes);
        assert_eq!(read(&bytes), Ok(node));
    }

    #[test]
    fn opaque_data_of_any_length_comes_back() {
        for length in [1, 127, 128, 16_384, 70_000] {
            let mime = Name(21, 0x10);
            let node = Node { data: vec![0; length], ..Node::empty(mime) };
            assert_eq!(read(&write(&node, Some(mime))), Ok(node));
        }
    }

    #[test]
    fn every_beginning_of_a_document_is_refused_and_none_is_a_panic() {
        let whole = write(&Node::of(FOLDER_SYNC, vec![Node::text(SYNC_KEY, "0")]), None);
        for end in 0..whole.len() {
            assert!(read(&whole[..end]).is_err(), "{end}");
        }
        let deep: Vec<u8> = HEAD.into_iter().chain([0x45; 100]).collect();
        assert_eq!(read(&deep), Err(BadWbxml::TooMuch));
        assert_eq!(
            read(&[0x03, 0x01, 0x6A, 0x00, 0xC3, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
            Err(BadWbxml::TooMuch)
        );
    }
}
