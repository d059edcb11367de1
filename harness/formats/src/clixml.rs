//! Export-Clixml: objects as PowerShell serialises them (MS-PSRP, 2.2.5).

use std::collections::BTreeMap;
use std::rc::Rc;

use model::problem::{Problem, Source};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::record::{MOST_PROPERTIES, MOST_RECORDS, Place, Property, Record, Value};

const MOST_DEPTH: usize = 64;
const MOST_ELEMENTS: usize = 4_000_000;
const AGAIN: &str = "export it again: Get-ExchangeServer | Export-Clixml servers.xml";

/// The objects of a file.
///
/// # Errors
/// What is malformed or cut short, at its place.
pub(crate) fn read(source: &Source) -> Result<Vec<Record>, Problem> {
    let root = tree(source)?;
    if root.tag != "Objs" {
        let says = format!("this XML begins with <{}>; Export-Clixml begins with <Objs>", root.tag);
        return Err(source.problem(Some(0..1), says, Some(AGAIN.to_owned())));
    }
    let mut known = Known::default();
    known.note(&root);
    let file: Rc<str> = Rc::from(source.file.as_str());
    let mut records = vec![];
    for object in root.children.iter().filter(|node| node.tag == "Obj") {
        // A whole list handed over at once, with -InputObject, is one object with the others inside.
        let inside: Vec<&Node> = object.list().map(|list| list.children.iter().collect()).unwrap_or_default();
        let objects = if inside.is_empty() { vec![object] } else { inside };
        for object in objects.into_iter().filter(|node| node.tag == "Obj") {
            records.push(record(object, &known, &file));
        }
    }
    let too_many =
        records.len() > MOST_RECORDS || records.iter().any(|r| r.properties.len() > MOST_PROPERTIES);
    match too_many {
        true => Err(source.problem(
            None,
            "it holds more objects or properties than are read",
            Some(AGAIN.to_owned()),
        )),
        false => Ok(records),
    }
}

/// An element.
#[derive(Default)]
struct Node {
    tag: String,
    /// `N`: the property's name.
    name: Option<String>,
    /// `RefId`, by which later ones refer to it.
    id: Option<String>,
    text: String,
    children: Vec<Node>,
    line: usize,
}

impl Node {
    fn child(&self, tag: &str) -> Option<&Node> {
        self.children.iter().find(|child| child.tag == tag)
    }

    /// The items of a list, where it is one.
    fn list(&self) -> Option<&Node> {
        ["LST", "IE", "STK", "QUE"].iter().find_map(|tag| self.child(tag))
    }
}

/// What later objects refer to.
#[derive(Default)]
struct Known<'n> {
    objects: BTreeMap<&'n str, &'n Node>,
    types: BTreeMap<&'n str, &'n Node>,
}

impl<'n> Known<'n> {
    fn note(&mut self, node: &'n Node) {
        if let Some(id) = &node.id {
            match node.tag.as_str() {
                "Obj" => drop(self.objects.insert(id, node)),
                "TN" => drop(self.types.insert(id, node)),
                _ => {}
            }
        }
        node.children.iter().for_each(|child| self.note(child));
    }
}

fn record(object: &Node, known: &Known<'_>, file: &Rc<str>) -> Record {
    let named = object.child("TN").or_else(|| {
        let id = object.child("TNRef")?.id.as_deref()?;
        known.types.get(id).copied()
    });
    let types = named.map(|types| types.children.iter().map(|one| unescaped(&one.text)).collect());
    // `Props` are the object's own; `MS` holds what was added to it, as Select-Object does.
    let members = ["Props", "MS"].into_iter().filter_map(|tag| object.child(tag));
    let properties = members.flat_map(|members| &members.children).filter_map(|member| {
        let name = unescaped(member.name.as_deref()?);
        Some(Property { name, value: value(member, known), line: member.line })
    });
    let at = Place { file: file.clone(), line: object.line };
    Record { types: types.unwrap_or_default(), at, properties: properties.collect() }
}

fn value(node: &Node, known: &Known<'_>) -> Value {
    match node.tag.as_str() {
        "Nil" => Value::Nothing,
        "Ref" => {
            let object = node.id.as_deref().and_then(|id| known.objects.get(id));
            object.map_or(Value::Nothing, |object| of_object(object, known))
        }
        "Obj" => of_object(node, known),
        _ => Some(unescaped(&node.text))
            .filter(|text| !text.trim().is_empty())
            .map_or(Value::Nothing, Value::Text),
    }
}

/// An item of a list is shown, and never a list again: what refers to itself ends there.
fn of_object(object: &Node, known: &Known<'_>) -> Value {
    match object.list() {
        Some(list) => Value::List(list.children.iter().filter_map(|item| item_of(item, known)).collect()),
        None => shown(object).map_or(Value::Nothing, Value::Text),
    }
}

fn item_of(item: &Node, known: &Known<'_>) -> Option<String> {
    match item.tag.as_str() {
        "Nil" => None,
        "Ref" => known.objects.get(item.id.as_deref()?).and_then(|object| shown(object)),
        "Obj" => shown(item),
        _ => Some(unescaped(&item.text)),
    }
}

/// What Exchange prints for an object, or the one value in it: an enumeration is its number beside its name.
fn shown(object: &Node) -> Option<String> {
    let text = object.child("ToString").or_else(|| {
        object
            .children
            .iter()
            .find(|child| !matches!(child.tag.as_str(), "TN" | "TNRef" | "Props" | "MS" | "LST" | "DCT"))
    })?;
    Some(unescaped(&text.text)).filter(|text| !text.trim().is_empty())
}

fn tree(source: &Source) -> Result<Node, Problem> {
    let mut reader = Reader::from_str(&source.text);
    let mut open: Vec<Node> = vec![];
    let (mut line, mut counted, mut elements) = (1, 0, 0);
    loop {
        let event = reader.read_event();
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX).min(source.text.len());
        let read = source.text.as_bytes().get(counted..at).unwrap_or_default();
        line += read.iter().filter(|byte| **byte == b'\n').count();
        counted = at.max(counted);
        // Where a line begins is looked for in the whole text: only where something is wrong there.
        let wrong = |says: String| {
            source.problem(crate::source_line(&source.text, line), says, Some(AGAIN.to_owned()))
        };
        let cut = || wrong("the file ends in the middle of an object: it was cut short".to_owned());
        let event = match event {
            Ok(event) => event,
            // What is cut within a tag is malformed to the reader.
            Err(quick_xml::Error::Syntax(_)) if at >= source.text.trim_end().len() => return Err(cut()),
            Err(error) => return Err(wrong(format!("this is no XML: {error}"))),
        };
        let empty = matches!(event, Event::Empty(_));
        match event {
            Event::Start(start) | Event::Empty(start) => {
                elements += 1;
                if open.len() >= MOST_DEPTH || elements > MOST_ELEMENTS {
                    return Err(wrong("it is nested deeper, or holds more, than is read".to_owned()));
                }
                open.push(node(&start, line));
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
                if let (Some(inner), Ok(text)) = (open.last_mut(), text.decode()) {
                    inner.text.push_str(&text);
                }
            }
            Event::CData(text) => {
                if let (Some(inner), Ok(text)) = (open.last_mut(), text.decode()) {
                    inner.text.push_str(&text);
                }
            }
            Event::GeneralRef(reference) => {
                let name = reference.decode().unwrap_or_default();
                let character = match reference.resolve_char_ref() {
                    Ok(Some(character)) => Some(character),
                    _ => named(&name),
                };
                let character = character.ok_or_else(|| wrong(format!("there is no character &{name};")))?;
                if let Some(inner) = open.last_mut() {
                    inner.text.push(character);
                }
            }
            Event::DocType(_) => return Err(wrong("Export-Clixml writes no document type".to_owned())),
            Event::Eof => return Err(cut()),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
    }
}

fn close(open: &mut Vec<Node>) -> Option<Node> {
    let done = open.pop()?;
    match open.last_mut() {
        Some(parent) => {
            parent.children.push(done);
            None
        }
        None => Some(done),
    }
}

fn node(start: &BytesStart<'_>, line: usize) -> Node {
    let tag = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
    let attribute = |name: &str| {
        let found = start.try_get_attribute(name).ok().flatten()?;
        found.unescape_value().ok().map(|value| value.into_owned())
    };
    Node { tag, name: attribute("N"), id: attribute("RefId"), line, ..Node::default() }
}

fn named(entity: &str) -> Option<char> {
    Some(match entity {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return None,
    })
}

/// `_x000A_` is a line end: UTF-16 units that XML may not hold, or that would be lost, are written so (MS-PSRP, 2.2.5.3.2).
fn unescaped(text: &str) -> String {
    let mut units: Vec<u16> = vec![];
    let mut rest = text;
    while let Some(at) = rest.find("_x") {
        units.extend(rest[..at].encode_utf16());
        let code = rest.get(at + 2..at + 6).filter(|_| rest.as_bytes().get(at + 6) == Some(&b'_'));
        match code.and_then(|code| u16::from_str_radix(code, 16).ok()) {
            Some(unit) => {
                units.push(unit);
                rest = &rest[at + 7..];
            }
            None => {
                units.extend("_x".encode_utf16());
                rest = &rest[at + 2..];
            }
        }
    }
    units.extend(rest.encode_utf16());
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = r#"<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">
  <Obj RefId="0">
    <TN RefId="0"><T>Microsoft.Exchange.Data.Directory.SystemConfiguration.ADOwaVirtualDirectory</T><T>System.Object</T></TN>
    <ToString>CAS01\owa (Default Web Site)</ToString>
    <Props>
      <Obj N="InternalUrl" RefId="1"><TN RefId="1"><T>System.Uri</T></TN><ToString>https://cas01/owa?a=1&amp;b=2</ToString></Obj>
      <Obj N="InternalAuthenticationMethods" RefId="2"><TN RefId="2"><T>MultiValuedProperty</T></TN>
        <LST><Obj RefId="3"><ToString>Basic</ToString><I32>1</I32></Obj><S>Fba</S></LST></Obj>
      <Nil N="ExternalUrl" />
      <B N="FormsAuthentication">true</B>
      <S N="Notes">one_x000A_two_xZZZZ_ _xD83D__xDE00_</S>
    </Props>
  </Obj>
  <Obj RefId="4">
    <TNRef RefId="0" />
    <Props><Ref N="InternalUrl" RefId="1" /></Props>
    <MS><S N="RunspaceId">x</S></MS>
  </Obj>
</Objs>"#;

    #[test]
    fn objects_lists_references_and_escapes_are_read() {
        let records = read(&Source::new("owa.xml", TWO)).unwrap();
        assert_eq!(records.len(), 2);
        let one = &records[0];
        assert_eq!(one.at.to_string(), "owa.xml:2");
        assert!(one.types[0].ends_with("ADOwaVirtualDirectory") && records[1].types == one.types);
        assert_eq!(one.text("internalurl"), Some("https://cas01/owa?a=1&b=2"));
        assert_eq!(records[1].text("InternalUrl"), one.text("InternalUrl"));
        assert_eq!(one.property("InternalAuthenticationMethods").unwrap().value.items(), ["Basic", "Fba"]);
        assert_eq!(one.property("ExternalUrl").unwrap().value, Value::Nothing);
        assert_eq!(one.text("FormsAuthentication"), Some("true"));
        assert_eq!(one.text("Notes"), Some("one\ntwo_xZZZZ_ 😀"));
        assert_eq!(one.property("FormsAuthentication").unwrap().line, 10);
        assert!(records[1].has("RunspaceId"));
    }

    #[test]
    fn a_file_cut_anywhere_is_refused_as_cut() {
        for end in (1..TWO.len() - 8).step_by(7).filter(|end| TWO.is_char_boundary(*end)) {
            let refused = read(&Source::new("owa.xml", &TWO[..end])).unwrap_err().to_string();
            assert!(refused.contains("cut short"), "{end}: {refused}");
        }
    }

    #[test]
    fn what_is_no_clixml_is_refused() {
        for (wrong, says) in [
            ("<a/>", "begins with <a>"),
            ("<Objs><Obj></Objs>", "no XML"),
            ("<!DOCTYPE a><Objs/>", "no document type"),
            ("<Objs><S>&nbsp;</S></Objs>", "no character &nbsp;"),
        ] {
            let refused = read(&Source::new("x.xml", wrong)).unwrap_err().to_string();
            assert!(refused.contains(says), "{refused}");
        }
        let deep = format!("<Objs>{}", "<Obj>".repeat(100));
        assert!(read(&Source::new("x.xml", deep)).unwrap_err().to_string().contains("nested deeper"));
    }
}
