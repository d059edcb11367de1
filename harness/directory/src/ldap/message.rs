//! What a client asks (RFC 4511): messages, as they are read.

use super::ber::{BOOLEAN, BadBer, ENUMERATED, INTEGER, OCTETS, Reader, SEQUENCE, text};
use super::filter::Filter;
use super::oid;

/// Attributes that a search may name.
const MOST_ATTRIBUTES: usize = 512;
/// Controls that a message may have.
const MOST_CONTROLS: usize = 32;

const BIND: u8 = 0x60;
const UNBIND: u8 = 0x42;
const SEARCH: u8 = 0x63;
const MODIFY: u8 = 0x66;
const ADD: u8 = 0x68;
const DELETE: u8 = 0x4a;
const RENAME: u8 = 0x6c;
const COMPARE: u8 = 0x6e;
const ABANDON: u8 = 0x50;
const EXTENDED: u8 = 0x77;
const CONTROLS: u8 = 0xa0;

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Message {
    pub(super) id: i32,
    pub(super) operation: Operation,
    pub(super) controls: Controls,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operation {
    Bind(Bind),
    Unbind,
    Search(Search),
    Compare {
        dn: String,
        attribute: String,
        value: Vec<u8>,
    },
    /// Modify, add, delete or rename; the tag of its answer.
    Change(u8),
    /// Nothing is answered to it.
    Abandon,
    Extended(String),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bind {
    pub(super) version: i32,
    pub(super) name: String,
    /// `None` where another way than a password is wanted.
    pub(super) password: Option<Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Search {
    pub(super) base: String,
    pub(super) scope: Scope,
    /// 0: none.
    pub(super) size_limit: usize,
    pub(super) types_only: bool,
    pub(super) filter: Filter,
    pub(super) attributes: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Base,
    One,
    Sub,
}

/// The controls that are known, and the first critical one that is not.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Controls {
    pub(super) page: Option<Page>,
    pub(super) domain_scope: bool,
    pub(super) unknown: Option<String>,
}

/// Which page is wanted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Page {
    pub(super) size: usize,
    pub(super) cookie: Vec<u8>,
}

impl Message {
    /// Reads a whole message.
    ///
    /// # Errors
    /// What is no message of LDAP.
    pub(super) fn read(bytes: &[u8]) -> Result<Message, BadBer> {
        let mut outer = Reader::new(bytes);
        let mut message = outer.within(SEQUENCE)?;
        outer.end()?;
        let id = message.number(INTEGER)?;
        if id <= 0 {
            return Err(BadBer("a request's number is above zero"));
        }
        let (tag, content) = message.any()?;
        let operation = Operation::read(tag, content)?;
        let controls = match message.optional(CONTROLS)? {
            Some(controls) => Controls::read(Reader::new(controls))?,
            None => Controls::default(),
        };
        message.end()?;
        Ok(Message { id, operation, controls })
    }
}

impl Operation {
    fn read(tag: u8, content: &[u8]) -> Result<Operation, BadBer> {
        let mut fields = Reader::new(content);
        let operation = match tag {
            BIND => {
                let (version, name) = (fields.number(INTEGER)?, fields.text(OCTETS)?);
                let (method, credentials) = fields.any()?;
                let password = (method == 0x80).then(|| credentials.to_vec());
                Operation::Bind(Bind { version, name, password })
            }
            UNBIND => return Ok(Operation::Unbind),
            SEARCH => Operation::Search(Search::read(&mut fields)?),
            COMPARE => {
                let dn = fields.text(OCTETS)?;
                let mut assertion = fields.within(SEQUENCE)?;
                let (attribute, value) = (assertion.text(OCTETS)?, assertion.expect(OCTETS)?.to_vec());
                assertion.end()?;
                Operation::Compare { dn, attribute, value }
            }
            // None of them is done, so none of them is read.
            MODIFY | ADD | RENAME => return Ok(Operation::Change(tag + 1)),
            DELETE => return Ok(Operation::Change(0x6b)),
            ABANDON => return Ok(Operation::Abandon),
            EXTENDED => {
                let name = fields.text(0x80)?;
                fields.optional(0x81)?;
                Operation::Extended(name)
            }
            _ => return Err(BadBer("there is no such request")),
        };
        fields.end()?;
        Ok(operation)
    }
}

impl Search {
    fn read(fields: &mut Reader<'_>) -> Result<Search, BadBer> {
        let base = fields.text(OCTETS)?;
        let scope = match fields.number(ENUMERATED)? {
            0 => Scope::Base,
            1 => Scope::One,
            2 => Scope::Sub,
            _ => return Err(BadBer("there is no such scope")),
        };
        // There are no aliases.
        fields.number(ENUMERATED)?;
        let size_limit =
            usize::try_from(fields.number(INTEGER)?).map_err(|_| BadBer("a limit is not below zero"))?;
        // An answer is made from what is in memory, so no time limit is reached.
        fields.number(INTEGER)?;
        let types_only = fields.boolean(BOOLEAN)?;
        let filter = Filter::read(fields)?;
        let mut names = fields.within(SEQUENCE)?;
        let mut attributes = vec![];
        while !names.is_empty() {
            if attributes.len() == MOST_ATTRIBUTES {
                return Err(BadBer("too many attributes are asked for"));
            }
            attributes.push(names.text(OCTETS)?);
        }
        Ok(Search { base, scope, size_limit, types_only, filter, attributes })
    }
}

impl Controls {
    fn read(mut list: Reader<'_>) -> Result<Controls, BadBer> {
        let mut controls = Controls::default();
        let mut count = 0;
        while !list.is_empty() {
            count += 1;
            if count > MOST_CONTROLS {
                return Err(BadBer("too many controls"));
            }
            let mut control = list.within(SEQUENCE)?;
            let name = text(control.expect(OCTETS)?)?;
            let critical = match control.next_tag() == Some(BOOLEAN) {
                true => control.boolean(BOOLEAN)?,
                false => false,
            };
            let value = control.optional(OCTETS)?;
            control.end()?;
            match name.as_str() {
                oid::PAGED_RESULTS => controls.page = Some(Page::read(value.unwrap_or_default())?),
                oid::DOMAIN_SCOPE => controls.domain_scope = true,
                _ if critical && controls.unknown.is_none() => controls.unknown = Some(name),
                _ => {}
            }
        }
        Ok(controls)
    }
}

impl Page {
    fn read(value: &[u8]) -> Result<Page, BadBer> {
        let mut fields = Reader::new(value);
        let mut page = fields.within(SEQUENCE)?;
        let size =
            usize::try_from(page.number(INTEGER)?).map_err(|_| BadBer("a page's size is not below zero"))?;
        let cookie = page.expect(OCTETS)?.to_vec();
        page.end()?;
        fields.end()?;
        Ok(Page { size, cookie })
    }
}
