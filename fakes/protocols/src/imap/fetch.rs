//! FETCH: which messages, and which parts of them. A message's UID is its number.

use crate::mail::Letter;
use crate::mail::internal_date;

/// The most items that one FETCH may ask for, and ranges that a set may have.
const MOST: usize = 64;

/// The answers to a FETCH; `None` where set or items cannot be read.
pub(super) fn fetched(letters: &[Letter], set: &str, items: &str, by_uid: bool) -> Option<String> {
    let wanted = numbers(set, letters.len())?;
    let mut items = self::items(items)?;
    if by_uid && !items.iter().any(|item| matches!(item, Item::Uid)) {
        items.insert(0, Item::Uid);
    }
    let mut answer = String::new();
    for number in wanted {
        let letter = letters.get(number.checked_sub(1)?)?;
        let parts: Vec<String> = items.iter().map(|item| item.of(number, letter)).collect();
        answer.push_str(&format!("* {number} FETCH ({})\r\n", parts.join(" ")));
    }
    Some(answer)
}

/// The messages that a set names and that there are.
fn numbers(set: &str, all: usize) -> Option<Vec<usize>> {
    let mut numbers = vec![];
    for range in set.split(',') {
        let end =
            |text: &str| if text == "*" { Some(all) } else { text.parse::<usize>().ok().filter(|n| *n > 0) };
        let (from, to) = match range.split_once(':') {
            Some((from, to)) => (end(from)?, end(to)?),
            None => (end(range)?, end(range)?),
        };
        let (from, to) = (from.min(to), from.max(to));
        numbers.extend(
            (from.max(1)..=to.min(all)).filter(|number| !numbers.contains(number)).collect::<Vec<_>>(),
        );
        if set.split(',').count() > MOST {
            return None;
        }
    }
    numbers.sort_unstable();
    Some(numbers)
}

enum Item {
    Flags,
    Uid,
    Size,
    Date,
    Envelope,
    Structure(&'static str),
    /// What the answer calls it, and what it is.
    Text(String, Part),
}

enum Part {
    Whole,
    Head,
    Text,
    Fields(Vec<String>, bool),
    Piece(Box<Part>, usize, usize),
}

fn items(written: &str) -> Option<Vec<Item>> {
    let written = written.trim();
    let inner = written.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).unwrap_or(written);
    let mut items = vec![];
    let mut rest = inner.trim();
    while !rest.is_empty() {
        if items.len() >= MOST {
            return None;
        }
        let end = end_of_item(rest)?;
        let (item, behind) = rest.split_at(end);
        rest = behind.trim_start();
        match item.to_ascii_uppercase().as_str() {
            "FLAGS" => items.push(Item::Flags),
            "UID" => items.push(Item::Uid),
            "RFC822.SIZE" => items.push(Item::Size),
            "INTERNALDATE" => items.push(Item::Date),
            "ENVELOPE" => items.push(Item::Envelope),
            "BODYSTRUCTURE" => items.push(Item::Structure("BODYSTRUCTURE")),
            "BODY" => items.push(Item::Structure("BODY")),
            "RFC822" => items.push(Item::Text("RFC822".into(), Part::Whole)),
            "RFC822.HEADER" => items.push(Item::Text("RFC822.HEADER".into(), Part::Head)),
            "RFC822.TEXT" => items.push(Item::Text("RFC822.TEXT".into(), Part::Text)),
            "FAST" => items.extend([Item::Flags, Item::Date, Item::Size]),
            "ALL" => items.extend([Item::Flags, Item::Date, Item::Size, Item::Envelope]),
            "FULL" => {
                items.extend([Item::Flags, Item::Date, Item::Size, Item::Envelope, Item::Structure("BODY")]);
            }
            _ => items.push(section(item)?),
        }
    }
    (!items.is_empty()).then_some(items)
}

/// An item ends at a space outside brackets.
fn end_of_item(text: &str) -> Option<usize> {
    let mut depth = 0i32;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'[' | b'(' => depth += 1,
            b']' | b')' => depth -= 1,
            b' ' if depth == 0 => return Some(at),
            _ => {}
        }
    }
    (depth == 0).then_some(text.len())
}

/// `BODY[…]`, `BODY.PEEK[…]`, with `<from.length>` or without.
fn section(item: &str) -> Option<Item> {
    let open = item.find('[')?;
    let close = item.rfind(']')?;
    let kind = item[..open].to_ascii_uppercase();
    if !matches!(kind.as_str(), "BODY" | "BODY.PEEK") {
        return None;
    }
    let named = item.get(open + 1..close)?;
    let upper = named.to_ascii_uppercase();
    let part = match upper.as_str() {
        "" => Part::Whole,
        "HEADER" | "MIME" => Part::Head,
        "TEXT" | "1" => Part::Text,
        _ => {
            let (fields, all_but) = match upper.strip_prefix("HEADER.FIELDS.NOT") {
                Some(fields) => (fields, true),
                None => (upper.strip_prefix("HEADER.FIELDS")?, false),
            };
            let fields = fields.trim().strip_prefix('(')?.strip_suffix(')')?;
            let fields = fields.split_whitespace().map(|name| name.trim_matches('"').to_owned());
            Part::Fields(fields.collect(), all_but)
        }
    };
    let name = format!("BODY[{named}]");
    let behind = &item[close + 1..];
    if behind.is_empty() {
        return Some(Item::Text(name, part));
    }
    let (from, length) = behind.strip_prefix('<')?.strip_suffix('>')?.split_once('.')?;
    let (from, length) = (from.parse().ok()?, length.parse().ok()?);
    Some(Item::Text(format!("{name}<{from}>"), Part::Piece(Box::new(part), from, length)))
}

impl Item {
    fn of(&self, number: usize, letter: &Letter) -> String {
        match self {
            Item::Flags => "FLAGS ()".to_owned(),
            Item::Uid => format!("UID {number}"),
            Item::Size => format!("RFC822.SIZE {}", letter.size()),
            Item::Date => format!("INTERNALDATE \"{}\"", internal_date()),
            Item::Envelope => format!("ENVELOPE {}", envelope(letter)),
            Item::Structure(name) => format!(
                "{name} (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"utf-8\") NIL NIL \"8BIT\" {} {})",
                letter.text.len(),
                letter.text.matches('\n').count()
            ),
            Item::Text(name, part) => {
                let text = part.of(letter);
                format!("{name} {{{}}}\r\n{text}", text.len())
            }
        }
    }
}

impl Part {
    fn of(&self, letter: &Letter) -> String {
        match self {
            Part::Whole => letter.whole(),
            Part::Head => letter.head.clone(),
            Part::Text => letter.text.clone(),
            Part::Fields(names, all_but) => {
                let is_one = |line: &&str| {
                    let name = line.split(':').next().unwrap_or_default();
                    names.iter().any(|wanted| wanted.eq_ignore_ascii_case(name)) != *all_but
                };
                let lines = letter.head.split("\r\n").filter(|line| !line.is_empty()).filter(is_one);
                lines.map(|line| format!("{line}\r\n")).collect::<String>() + "\r\n"
            }
            Part::Piece(part, from, length) => {
                let text = part.of(letter);
                let from = (*from).min(text.len());
                let to = from.saturating_add(*length).min(text.len());
                // A piece that would cut a character is as long as it can be without.
                let on_character =
                    |at: usize| (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
                text[on_character(from)..on_character(to)].to_owned()
            }
        }
    }
}

fn envelope(letter: &Letter) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let address = |address: &str| {
        let (name, host) = address.split_once('@').unwrap_or((address, ""));
        format!("((NIL NIL {} {}))", quoted(name), quoted(host))
    };
    let from = address(&letter.from);
    format!(
        "({} {} {from} {from} {from} {} NIL NIL NIL {})",
        quoted(letter.date()),
        quoted(&letter.subject),
        address(&letter.to),
        quoted(&letter.id)
    )
}
