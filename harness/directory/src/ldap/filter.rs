//! Search filters (RFC 4511, section 4.5.1.7): how they are read, and which objects they fit.

use super::ber::{BadBer, OCTETS, Reader, boolean, text};
use super::dn::Dn;
use super::entry::{Entry, sid_octets};
use super::oid;
use super::schema::{Syntax, category_of, syntax};

/// Filters within filters.
const MOST_DEPTH: usize = 32;
/// Filters in one search.
const MOST_FILTERS: usize = 1024;

/// What an object must be like.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    Equal(String, Vec<u8>),
    Substrings(String, Pieces),
    AtLeast(String, Vec<u8>),
    AtMost(String, Vec<u8>),
    Present(String),
    Rule { rule: Option<String>, attribute: Option<String>, value: Vec<u8> },
}

/// What a value begins with, contains in this order, and ends with.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Pieces {
    pub(super) initial: Option<Vec<u8>>,
    pub(super) any: Vec<Vec<u8>>,
    pub(super) last: Option<Vec<u8>>,
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// What is none, and one that is too deep or too large.
    pub(super) fn read(fields: &mut Reader<'_>) -> Result<Filter, BadBer> {
        let mut left = MOST_FILTERS;
        read(fields, MOST_DEPTH, &mut left)
    }

    /// Whether an object is like that; `None` where it cannot be said, which fits no more than `false` but is not turned
    /// round by a `not`.
    pub(super) fn fits(&self, entry: &Entry) -> Option<bool> {
        match self {
            Filter::And(all) => fold(all.iter().map(|one| one.fits(entry)), false),
            Filter::Or(any) => fold(any.iter().map(|one| one.fits(entry)), true),
            Filter::Not(one) => one.fits(entry).map(|fits| !fits),
            // Of every object, even of the rootDSE, which shows no class (RFC 4512, section 5.1).
            Filter::Present(name) if name.eq_ignore_ascii_case("objectClass") => Some(true),
            Filter::Present(name) => Some(!entry.values(name).is_empty()),
            Filter::Equal(name, value) => {
                let wanted = Folded::of(name, value)?;
                Some(entry.values(name).iter().any(|own| Folded::of(name, own).as_ref() == Some(&wanted)))
            }
            Filter::AtLeast(name, value) => ordered(entry, name, value, |own, wanted| own >= wanted),
            Filter::AtMost(name, value) => ordered(entry, name, value, |own, wanted| own <= wanted),
            Filter::Substrings(name, pieces) => {
                // Numbers and names have no parts to compare.
                if !matches!(syntax(name), Syntax::Text | Syntax::Octets) {
                    return None;
                }
                let pieces = pieces.folded(name);
                Some(entry.values(name).iter().any(|own| pieces.fit(&part(name, own))))
            }
            Filter::Rule { rule, attribute, value } => {
                by_rule(entry, rule.as_deref(), attribute.as_deref(), value)
            }
        }
    }
}

fn fold(each: impl Iterator<Item = Option<bool>>, decides: bool) -> Option<bool> {
    let mut all = Some(!decides);
    for one in each {
        match one {
            Some(one) if one == decides => return Some(decides),
            Some(_) => {}
            None => all = None,
        }
    }
    all
}

/// A value as it compares.
#[derive(Debug, PartialEq, PartialOrd)]
enum Folded {
    Number(i64),
    Bytes(Vec<u8>),
}

impl Folded {
    /// `None` for what is no value of this attribute.
    fn of(name: &str, value: &[u8]) -> Option<Folded> {
        let text = || std::str::from_utf8(value).ok();
        Some(match syntax(name) {
            Syntax::Integer => Folded::Number(text()?.trim().parse().ok()?),
            Syntax::Octets => Folded::Bytes(value.to_vec()),
            Syntax::Sid => Folded::Bytes(text().and_then(sid_octets).unwrap_or_else(|| value.to_vec())),
            Syntax::Name => Folded::Bytes(Dn::parse(text()?)?.key().as_bytes().to_vec()),
            // Of a category the class's object in the schema says all; a filter may name the class alone.
            Syntax::Category => {
                let text = text()?;
                let key = Dn::parse(text).map(|dn| dn.key().to_owned());
                let first = key
                    .as_deref()
                    .and_then(|key| key.split(',').next())
                    .and_then(|rdn| rdn.strip_prefix("cn="));
                let class = first.map(str::to_owned).or_else(|| category_of(text).map(str::to_lowercase));
                Folded::Bytes(class.unwrap_or_else(|| text.to_lowercase()).into_bytes())
            }
            Syntax::Text => Folded::Bytes(part(name, value)),
        })
    }
}

/// A value, or a part of one, without letter case where it is text.
fn part(name: &str, value: &[u8]) -> Vec<u8> {
    match (syntax(name), std::str::from_utf8(value)) {
        (Syntax::Text, Ok(text)) => text.to_lowercase().into_bytes(),
        _ => value.to_vec(),
    }
}

fn ordered(
    entry: &Entry,
    name: &str,
    value: &[u8],
    holds: impl Fn(&Folded, &Folded) -> bool,
) -> Option<bool> {
    if matches!(syntax(name), Syntax::Name | Syntax::Category) {
        return None;
    }
    let wanted = Folded::of(name, value)?;
    Some(entry.values(name).iter().filter_map(|own| Folded::of(name, own)).any(|own| holds(&own, &wanted)))
}

fn by_rule(entry: &Entry, rule: Option<&str>, attribute: Option<&str>, value: &[u8]) -> Option<bool> {
    let name = attribute?;
    let holds: fn(i64, i64) -> bool = match rule {
        // Without a rule it is the attribute's own equality.
        None => return Filter::Equal(name.to_owned(), value.to_vec()).fits(entry),
        Some(oid::BIT_AND) => |own, wanted| own & wanted == wanted,
        Some(oid::BIT_OR) => |own, wanted| own & wanted != 0,
        Some(_) => return None,
    };
    if syntax(name) != Syntax::Integer {
        return None;
    }
    let Some(Folded::Number(wanted)) = Folded::of(name, value) else { return None };
    let own = entry.values(name).iter().filter_map(|own| Folded::of(name, own));
    Some(own.into_iter().any(|own| matches!(own, Folded::Number(own) if holds(own, wanted))))
}

impl Pieces {
    fn folded(&self, name: &str) -> Pieces {
        let fold = |piece: &Vec<u8>| part(name, piece);
        Pieces {
            initial: self.initial.as_ref().map(fold),
            any: self.any.iter().map(fold).collect(),
            last: self.last.as_ref().map(fold),
        }
    }

    fn fit(&self, value: &[u8]) -> bool {
        let Some(mut rest) = value.strip_prefix(self.initial.as_deref().unwrap_or_default()) else {
            return false;
        };
        for piece in &self.any {
            match find(rest, piece) {
                Some(at) => rest = &rest[at + piece.len()..],
                None => return false,
            }
        }
        rest.ends_with(self.last.as_deref().unwrap_or_default())
    }
}

fn find(within: &[u8], piece: &[u8]) -> Option<usize> {
    match piece.is_empty() {
        true => Some(0),
        false => within.windows(piece.len()).position(|window| window == piece),
    }
}

fn read(fields: &mut Reader<'_>, depth: usize, left: &mut usize) -> Result<Filter, BadBer> {
    *left = left.checked_sub(1).ok_or(BadBer("the filter has too many parts"))?;
    let depth = depth.checked_sub(1).ok_or(BadBer("the filter is too deep"))?;
    let (tag, content) = fields.any()?;
    let mut inner = Reader::new(content);
    let filter = match tag {
        0xa0 | 0xa1 => {
            let mut all = vec![];
            while !inner.is_empty() {
                all.push(read(&mut inner, depth, left)?);
            }
            if tag == 0xa0 { Filter::And(all) } else { Filter::Or(all) }
        }
        0xa2 => Filter::Not(Box::new(read(&mut inner, depth, left)?)),
        0xa3 | 0xa5 | 0xa6 | 0xa8 => {
            let (name, value) = (inner.text(OCTETS)?, inner.expect(OCTETS)?.to_vec());
            match tag {
                0xa5 => Filter::AtLeast(name, value),
                0xa6 => Filter::AtMost(name, value),
                // Roughly equal is equal here, as in Active Directory.
                _ => Filter::Equal(name, value),
            }
        }
        0xa4 => Filter::Substrings(inner.text(OCTETS)?, pieces(&mut inner)?),
        0x87 => return Ok(Filter::Present(text(content)?)),
        0xa9 => {
            let rule = inner.optional(0x81)?.map(text).transpose()?;
            let attribute = inner.optional(0x82)?.map(text).transpose()?;
            let value = inner.expect(0x83)?.to_vec();
            inner.optional(0x84)?.map(boolean).transpose()?;
            Filter::Rule { rule, attribute, value }
        }
        _ => return Err(BadBer("there is no such filter")),
    };
    inner.end()?;
    Ok(filter)
}

fn pieces(fields: &mut Reader<'_>) -> Result<Pieces, BadBer> {
    let mut list = fields.within(super::ber::SEQUENCE)?;
    let mut pieces = Pieces::default();
    let initial = list.optional(0x80)?;
    pieces.initial = initial.map(<[u8]>::to_vec);
    while let Some(any) = list.optional(0x81)? {
        if pieces.any.len() == MOST_FILTERS {
            return Err(BadBer("the filter has too many parts"));
        }
        pieces.any.push(any.to_vec());
    }
    pieces.last = list.optional(0x82)?.map(<[u8]>::to_vec);
    list.end()?;
    Ok(pieces)
}
