//! LDAP as far as a client inside needs it (RFC 4511): bind, search, unbind; bounded in bytes.

use bytes::BytesMut;
use ldap3_lber::Parser;
use ldap3_lber::common::TagClass;
use ldap3_lber::structure::{PL, StructureTag};
use ldap3_lber::write::encode_into;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Elements within elements of an answer: message, entry, attributes, attribute, values, and a few to spare.
const MOST_DEPTH: usize = 12;

const BIND: u64 = 0;
const BIND_DONE: u64 = 1;
const UNBIND: u64 = 2;
const SEARCH: u64 = 3;
const SEARCH_ENTRY: u64 = 4;
const SEARCH_DONE: u64 = 5;

/// Why the directory could not be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LdapError {
    #[error("the directory broke off: {0}")]
    Broken(#[from] std::io::Error),
    #[error("the directory closed the connection")]
    Closed,
    #[error("the directory sent what is no answer of LDAP")]
    NoLdap,
    #[error("the directory sent more than {0} bytes")]
    TooLong(usize),
    #[error("the directory answered with result {0}")]
    Refused(u64),
}

/// A connection to a directory.
pub(crate) struct Ldap<S> {
    stream: S,
    read: BytesMut,
    /// Bytes that may still be read.
    left: usize,
    most: usize,
    id: u8,
}

/// Where a search looks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope {
    Base = 0,
    Sub = 2,
}

/// What is looked for.
#[derive(Debug, Clone)]
pub(crate) enum Filter<'a> {
    And(Vec<Filter<'a>>),
    Or(Vec<Filter<'a>>),
    Equal(&'a str, &'a str),
    Present(&'a str),
}

/// The attributes of an object found: names and values.
pub(crate) type Found = Vec<(String, Vec<String>)>;

/// The values of an attribute, whatever its letter case.
pub(crate) fn values<'f>(found: &'f Found, name: &str) -> &'f [String] {
    found.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map_or(&[], |(_, values)| values)
}

impl<S: AsyncRead + AsyncWrite + Unpin> Ldap<S> {
    pub(crate) fn new(stream: S, most: usize) -> Ldap<S> {
        Ldap { stream, read: BytesMut::new(), left: most, most, id: 0 }
    }

    /// Signs in with a name and a password.
    pub(crate) async fn bind(&mut self, name: &str, password: &str) -> Result<(), LdapError> {
        let credentials = context(0, PL::P(password.as_bytes().to_vec()));
        self.send(BIND, PL::C(vec![integer(3), octets(name), credentials])).await?;
        let (kind, fields) = self.answer().await?;
        if kind != BIND_DONE {
            return Err(LdapError::NoLdap);
        }
        success(&fields)
    }

    /// Everything that fits. References to elsewhere are not followed.
    pub(crate) async fn search(
        &mut self,
        base: &str,
        scope: Scope,
        filter: &Filter<'_>,
        attributes: &[&str],
    ) -> Result<Vec<Found>, LdapError> {
        let names = sequence(attributes.iter().map(|name| octets(name)).collect());
        let never = enumerated(0);
        self.send(
            SEARCH,
            PL::C(vec![
                octets(base),
                enumerated(scope as u8),
                never,
                integer(0),
                integer(0),
                universal(1, PL::P(vec![0])),
                filter.element(),
                names,
            ]),
        )
        .await?;
        let mut found = vec![];
        loop {
            let (kind, fields) = self.answer().await?;
            match kind {
                SEARCH_ENTRY => found.push(entry(fields).ok_or(LdapError::NoLdap)?),
                SEARCH_DONE => return success(&fields).map(|()| found),
                _ => {}
            }
        }
    }

    /// Says good-bye, as a client that is well behaved.
    pub(crate) async fn unbind(mut self) -> Result<(), LdapError> {
        self.send(UNBIND, PL::P(vec![])).await?;
        self.stream.shutdown().await?;
        Ok(())
    }

    async fn send(&mut self, kind: u64, payload: PL) -> Result<(), LdapError> {
        self.id += 1;
        let request = StructureTag { class: TagClass::Application, id: kind, payload };
        let mut bytes = BytesMut::new();
        encode_into(&mut bytes, sequence(vec![integer(self.id), request]))?;
        self.stream.write_all(&bytes).await?;
        self.stream.flush().await?;
        Ok(())
    }

    /// The next answer to what was asked last: its kind and its fields.
    async fn answer(&mut self) -> Result<(u64, Vec<StructureTag>), LdapError> {
        let mut parts = self.message().await?.expect_constructed().ok_or(LdapError::NoLdap)?.into_iter();
        let id = parts.next().and_then(StructureTag::expect_primitive);
        let operation = parts.next().and_then(|tag| tag.match_class(TagClass::Application));
        match (id.as_deref(), operation) {
            (Some([id]), Some(operation)) if *id == self.id => {
                let kind = operation.id;
                Ok((kind, operation.expect_constructed().ok_or(LdapError::NoLdap)?))
            }
            _ => Err(LdapError::NoLdap),
        }
    }

    async fn message(&mut self) -> Result<StructureTag, LdapError> {
        loop {
            let parsed = match Parser::new(MOST_DEPTH).parse(&self.read) {
                Ok((rest, tag)) => Some((self.read.len() - rest.len(), tag)),
                Err(ldap3_lber::Err::Incomplete(_)) => None,
                Err(_) => return Err(LdapError::NoLdap),
            };
            if let Some((length, tag)) = parsed {
                let _taken = self.read.split_to(length);
                return Ok(tag);
            }
            if self.left == 0 {
                return Err(LdapError::TooLong(self.most));
            }
            let read = (&mut self.stream).take(self.left as u64).read_buf(&mut self.read).await?;
            if read == 0 {
                return Err(LdapError::Closed);
            }
            self.left -= read;
        }
    }
}

fn success(fields: &[StructureTag]) -> Result<(), LdapError> {
    let code = match fields.first().map(|code| &code.payload) {
        Some(PL::P(bytes)) if bytes.len() <= 4 => {
            bytes.iter().fold(0, |code, byte| (code << 8) | u64::from(*byte))
        }
        _ => return Err(LdapError::NoLdap),
    };
    match code {
        0 => Ok(()),
        code => Err(LdapError::Refused(code)),
    }
}

fn entry(fields: Vec<StructureTag>) -> Option<Found> {
    let text = |tag: StructureTag| Some(String::from_utf8_lossy(&tag.expect_primitive()?).into_owned());
    let list = fields.into_iter().nth(1)?.expect_constructed()?;
    list.into_iter()
        .map(|attribute| {
            let mut parts = attribute.expect_constructed()?.into_iter();
            let name = parts.next().and_then(text)?;
            let values = parts.next()?.expect_constructed()?;
            Some((name, values.into_iter().map(text).collect::<Option<_>>()?))
        })
        .collect()
}

impl Filter<'_> {
    fn element(&self) -> StructureTag {
        let all = |all: &[Filter<'_>]| PL::C(all.iter().map(Filter::element).collect());
        match self {
            Filter::And(filters) => context(0, all(filters)),
            Filter::Or(filters) => context(1, all(filters)),
            Filter::Equal(name, value) => context(3, PL::C(vec![octets(name), octets(value)])),
            Filter::Present(name) => context(7, PL::P(name.as_bytes().to_vec())),
        }
    }
}

fn universal(id: u64, payload: PL) -> StructureTag {
    StructureTag { class: TagClass::Universal, id, payload }
}

fn context(id: u64, payload: PL) -> StructureTag {
    StructureTag { class: TagClass::Context, id, payload }
}

fn integer(value: u8) -> StructureTag {
    universal(2, PL::P(vec![value]))
}

fn enumerated(value: u8) -> StructureTag {
    universal(10, PL::P(vec![value]))
}

fn octets(text: &str) -> StructureTag {
    universal(4, PL::P(text.as_bytes().to_vec()))
}

fn sequence(parts: Vec<StructureTag>) -> StructureTag {
    universal(16, PL::C(parts))
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    /// What a search comes to at a directory that answers with these bytes.
    async fn asked(answer: Vec<u8>) -> Result<Vec<Found>, LdapError> {
        let (client, mut server) = duplex(4096);
        let serve = async {
            let mut request = vec![0; 4096];
            let length = server.read(&mut request).await.unwrap();
            server.write_all(&answer).await.unwrap();
            server.shutdown().await.unwrap();
            request.truncate(length);
            request
        };
        let mut ldap = Ldap::new(client, 1000);
        let filter = Filter::Or(vec![Filter::Equal("cn", "a"), Filter::Present("x")]);
        let (request, found) = tokio::join!(serve, ldap.search("dc=x", Scope::Sub, &filter, &["cn"]));
        // RFC 4511, section 4.5.1, laid out by hand.
        let mut wire = vec![0x30, 0x2e, 2, 1, 1, 0x63, 0x29];
        wire.extend(b"\x04\x04dc=x\x0a\x01\x02\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00");
        wire.extend(b"\xa1\x0c\xa3\x07\x04\x02cn\x04\x01a\x87\x01x\x30\x04\x04\x02cn");
        assert_eq!(request, wire);
        found
    }

    const ENTRY: &[u8] =
        b"\x30\x18\x02\x01\x01\x64\x13\x04\x04cn=a\x30\x0b\x30\x09\x04\x02cn\x31\x03\x04\x01a";
    const DONE: &[u8] = b"\x30\x0c\x02\x01\x01\x65\x07\x0a\x01\x00\x04\x00\x04\x00";

    #[tokio::test]
    async fn a_search_reads_entries_until_it_is_done() {
        let found = asked([ENTRY, DONE].concat()).await.unwrap();
        assert_eq!(found, [vec![("cn".to_owned(), vec!["a".to_owned()])]]);
        assert_eq!(values(&found[0], "CN"), ["a"]);
    }

    #[tokio::test]
    async fn what_is_no_answer_ends_the_search() {
        let mut refused = DONE.to_vec();
        refused[9] = 32;
        assert!(matches!(asked(refused).await, Err(LdapError::Refused(32))));
        assert!(matches!(asked(ENTRY.to_vec()).await, Err(LdapError::Closed)));
        // As BER these letters begin a longer element than they are.
        assert!(matches!(asked(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()).await, Err(LdapError::Closed)));
        // Another request's answer.
        let mut other = DONE.to_vec();
        other[4] = 9;
        assert!(matches!(asked(other).await, Err(LdapError::NoLdap)));
        // An answer that never ends.
        assert!(matches!(asked(ENTRY.repeat(100)).await, Err(LdapError::TooLong(1000))));
    }
}
