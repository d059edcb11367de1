//! XML as a client reads it: a small tree, bounded in depth and number, without document types.

use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;

const MOST_DEPTH: usize = 64;
const MOST_ELEMENTS: usize = 50_000;

/// An element.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Element {
    /// Without its prefix.
    pub(crate) name: String,
    pub(crate) namespace: String,
    /// Name without prefix, and value.
    attributes: Vec<(String, String)>,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

/// Why a body is no XML that a client reads.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadXml {
    #[error("the XML is malformed: {0}")]
    Malformed(String),
    #[error("the XML nests deeper than {MOST_DEPTH} elements")]
    TooDeep,
    #[error("the XML has more than {MOST_ELEMENTS} elements")]
    TooMany,
    #[error("the XML declares a document type")]
    DocumentType,
    #[error("the XML ends early, or has no element")]
    Unfinished,
}

/// Reads a document.
///
/// # Errors
/// What is malformed, unfinished, or larger than a client reads.
pub(crate) fn read(text: &str) -> Result<Element, BadXml> {
    let mut reader = NsReader::from_str(text.trim_start_matches('\u{feff}'));
    let malformed = |error: quick_xml::Error| BadXml::Malformed(error.to_string());
    let mut open: Vec<Element> = vec![];
    let mut count = 0;
    loop {
        let event = reader.read_event().map_err(malformed)?;
        let empty = matches!(event, Event::Empty(_));
        match event {
            Event::Start(start) | Event::Empty(start) => {
                count += 1;
                if count > MOST_ELEMENTS {
                    return Err(BadXml::TooMany);
                }
                if open.len() >= MOST_DEPTH {
                    return Err(BadXml::TooDeep);
                }
                open.push(element(&reader, &start)?);
                if empty && let Some(root) = close(&mut open) {
                    return Ok(root);
                }
            }
            Event::End(_) => {
                if let Some(root) = close(&mut open) {
                    return Ok(root);
                }
            }
            Event::Text(text) => {
                if let Some(inner) = open.last_mut() {
                    inner.text.push_str(&text.decode().map_err(|e| BadXml::Malformed(e.to_string()))?);
                }
            }
            Event::CData(text) => {
                if let Some(inner) = open.last_mut() {
                    inner.text.push_str(&text.decode().map_err(|e| BadXml::Malformed(e.to_string()))?);
                }
            }
            Event::GeneralRef(reference) => {
                if let Some(inner) = open.last_mut() {
                    let name = reference.decode().map_err(|e| BadXml::Malformed(e.to_string()))?;
                    let written = format!("&{name};");
                    let unescaped = quick_xml::escape::unescape(&written)
                        .map_err(|e| BadXml::Malformed(e.to_string()))?;
                    inner.text.push_str(&unescaped);
                }
            }
            Event::DocType(_) => return Err(BadXml::DocumentType),
            Event::Eof => return Err(BadXml::Unfinished),
            _ => {}
        }
    }
}

/// Text as XML holds it, in content and in attributes.
pub(crate) fn escaped(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

impl Element {
    /// The first child of this name.
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All children of this name.
    pub(crate) fn children<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The trimmed text of the first child of this name, where it has one that is not empty.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim()).filter(|text| !text.is_empty())
    }

    /// The first element of this name anywhere in here, itself included, in document order.
    pub(crate) fn find(&self, name: &str) -> Option<&Element> {
        if self.name == name {
            return Some(self);
        }
        self.children.iter().find_map(|child| child.find(name))
    }

    /// Itself and everything in it, in document order.
    pub(crate) fn all(&self) -> Vec<&Element> {
        let mut found = vec![self];
        for child in &self.children {
            found.extend(child.all());
        }
        found
    }

    /// An attribute, by its name without prefix.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

fn element(reader: &NsReader<&[u8]>, start: &BytesStart<'_>) -> Result<Element, BadXml> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (resolved, name) = reader.resolve_element(start.name());
    let namespace = match resolved {
        ResolveResult::Bound(namespace) => text(namespace.0),
        _ => String::new(),
    };
    let mut attributes = vec![];
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| BadXml::Malformed(error.to_string()))?;
        let value = attribute.unescape_value().map_err(|error| BadXml::Malformed(error.to_string()))?;
        attributes.push((text(attribute.key.local_name().as_ref()), value.into_owned()));
    }
    Ok(Element { name: text(name.as_ref()), namespace, attributes, ..Element::default() })
}

/// Closes the innermost element; gives the root once that is it.
fn close(open: &mut Vec<Element>) -> Option<Element> {
    let closed = open.pop()?;
    match open.last_mut() {
        Some(parent) => {
            parent.children.push(closed);
            None
        }
        None => Some(closed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_prefix_and_keep_their_namespace() {
        let read = read(
            r#"<?xml version="1.0"?><s:a xmlns:s="urn:x" k="1&amp;2"><s:b> x &lt;<![CDATA[<y>]]></s:b><c/></s:a>"#,
        );
        let root = read.unwrap();
        assert_eq!(
            (root.name.as_str(), root.namespace.as_str(), root.attribute("k")),
            ("a", "urn:x", Some("1&2"))
        );
        assert_eq!(root.text_of("b"), Some("x <<y>"));
        assert_eq!(root.all().len(), 3);
    }

    #[test]
    fn what_is_unfinished_deep_or_declares_a_type_is_refused() {
        assert!(matches!(read("<a><b></b>"), Err(BadXml::Unfinished)));
        assert!(matches!(read(""), Err(BadXml::Unfinished)));
        assert!(matches!(read("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"), Err(BadXml::DocumentType)));
        assert!(matches!(read(&"<a>".repeat(100)), Err(BadXml::TooDeep)));
        assert!(matches!(read("<a></b>"), Err(BadXml::Malformed(_))));
    }
}
