//! XML as it is read and written here: bounded, without document types, without entities of its own.

use bytes::Bytes;
use quick_xml::NsReader;
use quick_xml::Writer;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesDecl, BytesEnd, BytesRef, BytesStart, BytesText, Event};
use quick_xml::name::ResolveResult;

/// The longest document that is read, in bytes.
pub const LONGEST: usize = 1 << 20;
/// How deep elements may be nested.
pub const DEEPEST: usize = 64;
/// How many elements a document may hold.
const MOST_ELEMENTS: usize = 20_000;
/// How many attributes an element may hold.
const MOST_ATTRIBUTES: usize = 64;

/// Why a document was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Longer than [`LONGEST`].
    #[error("the document is {0} bytes long; {LONGEST} are allowed")]
    TooLong(usize),
    /// Nested deeper than [`DEEPEST`].
    #[error("elements are nested deeper than {DEEPEST}")]
    TooDeep,
    /// Too many elements, or attributes on one.
    #[error("too many elements, or attributes on one")]
    TooMany,
    /// It declares a document type.
    #[error("a document type is refused")]
    DocumentType,
    /// It uses an entity other than the five of XML.
    #[error("the entity `{0}` is refused; amp, lt, gt, quot and apos are known")]
    Entity(String),
    /// It is not UTF-8.
    #[error("the document is not UTF-8")]
    NotUtf8,
    /// It is no well-formed XML.
    #[error("not well-formed: {0}")]
    Malformed(String),
}

/// An element as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Element {
    /// Its namespace; empty without one.
    pub namespace: String,
    /// Its name without prefix.
    pub name: String,
    /// Its attributes: name without prefix, value. Namespace declarations are left out.
    pub attributes: Vec<(String, String)>,
    /// The elements directly below it.
    pub children: Vec<Element>,
    /// The text directly below it, as written.
    pub text: String,
}

impl Element {
    /// Reads a whole document and gives its root.
    ///
    /// # Errors
    /// Whatever is over a bound, not well-formed, or names a document type or an unknown entity.
    pub fn read(document: &[u8]) -> Result<Element, XmlError> {
        if document.len() > LONGEST {
            return Err(XmlError::TooLong(document.len()));
        }
        let text = std::str::from_utf8(document).map_err(|_| XmlError::NotUtf8)?;
        let mut reader = NsReader::from_str(text.trim_start_matches('\u{feff}'));
        reader.config_mut().expand_empty_elements = true;
        let mut open: Vec<Element> = Vec::new();
        let mut root: Option<Element> = None;
        let mut count = 0;
        loop {
            match reader.read_event().map_err(malformed)? {
                Event::Start(start) => {
                    count += 1;
                    if root.is_some() {
                        return Err(XmlError::Malformed("a second root element".to_owned()));
                    }
                    if open.len() == DEEPEST {
                        return Err(XmlError::TooDeep);
                    }
                    if count > MOST_ELEMENTS {
                        return Err(XmlError::TooMany);
                    }
                    open.push(begin(&reader, &start)?);
                }
                Event::End(_) => {
                    let closed =
                        open.pop().ok_or_else(|| XmlError::Malformed("an end too many".to_owned()))?;
                    match open.last_mut() {
                        Some(parent) => parent.children.push(closed),
                        None => root = Some(closed),
                    }
                }
                Event::Text(text) => add(&mut open, &text.decode().map_err(malformed)?)?,
                Event::CData(text) => add(&mut open, &text.decode().map_err(malformed)?)?,
                Event::GeneralRef(reference) => add(&mut open, &resolve(&reference)?)?,
                Event::DocType(_) => return Err(XmlError::DocumentType),
                Event::Eof => break,
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
        match root {
            Some(root) if open.is_empty() => Ok(root),
            _ => Err(XmlError::Malformed("the document ends too early".to_owned())),
        }
    }

    /// Whether it has this namespace and name.
    pub fn is(&self, namespace: &str, name: &str) -> bool {
        self.namespace == namespace && self.name == name
    }

    /// The first element of this name directly below, in any namespace.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The elements of this name directly below, in any namespace.
    pub fn children<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The first element along this path of names, beginning with a child.
    pub fn at(&self, path: &[&str]) -> Option<&Element> {
        path.iter().try_fold(self, |element, name| element.child(name))
    }

    /// The text of the first element along this path, without white space around it; empty text is none.
    pub fn text_at(&self, path: &[&str]) -> Option<&str> {
        self.at(path).map(|found| found.text.trim()).filter(|text| !text.is_empty())
    }

    /// The attribute of this name, whatever its prefix.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

fn begin(reader: &NsReader<&[u8]>, start: &BytesStart<'_>) -> Result<Element, XmlError> {
    let (namespace, name) = reader.resolve_element(start.name());
    let namespace = match namespace {
        ResolveResult::Bound(namespace) => text_of(namespace.as_ref())?,
        ResolveResult::Unbound => String::new(),
        ResolveResult::Unknown(prefix) => {
            return Err(XmlError::Malformed(format!("unknown prefix {}", String::from_utf8_lossy(&prefix))));
        }
    };
    let mut element = Element { namespace, name: text_of(name.as_ref())?, ..Element::default() };
    // Quick-xml's own check for doubles compares each with each; the bound comes first.
    for (count, attribute) in start.attributes().with_checks(false).enumerate() {
        if count == MOST_ATTRIBUTES {
            return Err(XmlError::TooMany);
        }
        let attribute = attribute.map_err(malformed)?;
        if attribute.key.as_namespace_binding().is_some() {
            continue;
        }
        let name = text_of(attribute.key.local_name().as_ref())?;
        let value = attribute.unescape_value().map_err(malformed)?.into_owned();
        element.attributes.push((name, value));
    }
    Ok(element)
}

/// Adds text to the innermost open element; around the root only white space may stand.
fn add(open: &mut [Element], text: &str) -> Result<(), XmlError> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err(XmlError::Malformed("text outside the root element".to_owned())),
    }
    Ok(())
}

/// A character reference, or one of the five entities of XML.
fn resolve(reference: &BytesRef<'_>) -> Result<String, XmlError> {
    if let Some(character) = reference.resolve_char_ref().map_err(malformed)? {
        return Ok(character.to_string());
    }
    let name = reference.decode().map_err(malformed)?;
    match resolve_predefined_entity(&name) {
        Some(text) => Ok(text.to_owned()),
        None => Err(XmlError::Entity(name.chars().take(40).collect())),
    }
}

fn text_of(bytes: &[u8]) -> Result<String, XmlError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| XmlError::NotUtf8)
}

fn malformed(error: impl std::fmt::Display) -> XmlError {
    XmlError::Malformed(error.to_string())
}

/// An element to be written. Names may carry a prefix; whoever writes declares it.
#[derive(Debug, Clone)]
pub struct Tag {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    children: Vec<Tag>,
    text: String,
}

impl Tag {
    /// An element without content.
    pub fn new(name: &'static str) -> Tag {
        Tag { name, attributes: Vec::new(), children: Vec::new(), text: String::new() }
    }

    /// An element that holds text only.
    pub fn leaf(name: &'static str, text: impl Into<String>) -> Tag {
        Tag { text: text.into(), ..Tag::new(name) }
    }

    /// With this attribute.
    pub fn attribute(mut self, name: &'static str, value: impl Into<String>) -> Tag {
        self.attributes.push((name, value.into()));
        self
    }

    /// With this element below it.
    pub fn with(mut self, child: Tag) -> Tag {
        self.children.push(child);
        self
    }

    /// With these elements below it, in this order; an `Option` will do.
    pub fn with_all(mut self, children: impl IntoIterator<Item = Tag>) -> Tag {
        self.children.extend(children);
        self
    }

    /// The document of which it is the root, with an XML declaration.
    pub fn document(&self) -> Bytes {
        let mut writer = Writer::new(Vec::new());
        let declaration = Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None));
        writer.write_event(declaration).expect("a Vec takes every byte");
        self.write(&mut writer);
        writer.into_inner().into()
    }

    /// Itself alone, without declaration.
    pub fn fragment(&self) -> Bytes {
        let mut writer = Writer::new(Vec::new());
        self.write(&mut writer);
        writer.into_inner().into()
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) {
        let mut start = BytesStart::new(self.name);
        for (name, value) in &self.attributes {
            start.push_attribute((*name, allowed(value).as_str()));
        }
        if self.children.is_empty() && self.text.is_empty() {
            writer.write_event(Event::Empty(start)).expect("a Vec takes every byte");
            return;
        }
        writer.write_event(Event::Start(start)).expect("a Vec takes every byte");
        if !self.text.is_empty() {
            let text = allowed(&self.text);
            writer.write_event(Event::Text(BytesText::new(&text))).expect("a Vec takes every byte");
        }
        for child in &self.children {
            child.write(writer);
        }
        writer.write_event(Event::End(BytesEnd::new(self.name))).expect("a Vec takes every byte");
    }
}

/// Without the characters that no XML 1.0 document may hold (XML 1.0, production 2).
fn allowed(text: &str) -> String {
    let fits = |c: &char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().filter(fits).collect()
}

/// Text as it stands in an HTML page, in an attribute too. `&apos;` is no entity of HTML 4, so numbers are used.
pub fn html(text: &str) -> String {
    let mut page = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            '\t' | '\n' | '\r' => page.push_str(&format!("&#{};", u32::from(character))),
            other => page.push(other),
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_read_with_namespace_attributes_and_text() {
        let root = Element::read(
            b"<?xml version=\"1.0\"?><a:Root xmlns:a='urn:a' xmlns='urn:b'><Item Id='x&amp;y'> O&apos;Neil &#233;</Item></a:Root>",
        )
        .unwrap();
        assert!(root.is("urn:a", "Root"));
        assert!(root.attributes.is_empty());
        let item = root.child("Item").unwrap();
        assert_eq!((item.namespace.as_str(), item.attribute("Id")), ("urn:b", Some("x&y")));
        assert_eq!(root.text_at(&["Item"]), Some("O'Neil \u{e9}"));
    }

    #[test]
    fn a_document_type_is_refused_before_its_entities_can_multiply() {
        let bomb = b"<!DOCTYPE b [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]><b>&b;</b>";
        assert_eq!(Element::read(bomb), Err(XmlError::DocumentType));
        assert_eq!(Element::read(b"<b>&nbsp;</b>"), Err(XmlError::Entity("nbsp".to_owned())));
        assert!(Element::read(b"<b a='&nbsp;'/>").is_err());
    }

    #[test]
    fn what_is_over_a_bound_is_refused() {
        assert_eq!(Element::read(&vec![b' '; LONGEST + 1]), Err(XmlError::TooLong(LONGEST + 1)));
        assert_eq!(Element::read("<a>".repeat(DEEPEST + 1).as_bytes()), Err(XmlError::TooDeep));
        let deepest = format!("{}{}", "<a>".repeat(DEEPEST), "</a>".repeat(DEEPEST));
        assert!(Element::read(deepest.as_bytes()).is_ok());
        let wide = format!("<a>{}</a>", "<b/>".repeat(MOST_ELEMENTS));
        assert_eq!(Element::read(wide.as_bytes()), Err(XmlError::TooMany));
        let declared: String = (0..200).map(|n| format!(" xmlns:p{n}='u'")).collect();
        assert_eq!(Element::read(format!("<a{declared}/>").as_bytes()), Err(XmlError::TooMany));
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for bad in ["", "<a>", "<a></b>", "</a>", "<a/><b/>", "x<a/>", "<p:a/>", "<a", "<a b=/>", "<a>&</a>"]
        {
            assert!(Element::read(bad.as_bytes()).is_err(), "{bad}");
        }
        assert_eq!(Element::read(b"<a>\xff</a>"), Err(XmlError::NotUtf8));
    }

    #[test]
    fn what_is_written_reads_back() {
        let hostile = "O'Neil \"&<>]]> \u{e9}\u{1f600}";
        let tag = Tag::new("a").attribute("b", hostile).with(Tag::leaf("c", hostile)).with(Tag::new("d"));
        let read = Element::read(&tag.document()).unwrap();
        assert_eq!((read.attribute("b"), read.text_at(&["c"])), (Some(hostile), Some(hostile)));
        assert_eq!(Tag::leaf("a", "\u{0}1\u{b}").fragment(), "<a>1</a>");
    }
}
