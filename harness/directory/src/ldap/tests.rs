//! The door over a pipe in memory, before this directory:
//! ```text
//! Site1: cas2010-s1 (owa, oab, Outlook Anywhere, SCP)   mbx2010-s1  mbx2010-s1b (db2010-s1: red, blue; active on mbx2010-s1)
//!        cas2013-s1                                      mbx2007-s1 (db2007-s1: purple)
//! ```

mod answers;
mod hostile;
mod searches;
mod sign_ins;

use model::problem::Source;
use model::topology::TopologyFiles;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;

use super::ber::{BOOLEAN, ENUMERATED, INTEGER, OCTETS, Reader, SEQUENCE, SET, Writer};
use super::*;

const TOPOLOGY: &str = r#"
source = "a test"
role = "front-end-2010"
seat = "cas2010-s1"
domain = "contoso.com"
split-brain = true
namespaces = {}
mailboxes.red.database = "db2010-s1"
mailboxes.blue.database = "db2010-s1"
mailboxes.purple.database = "db2007-s1"
[sites.Site1]
array = "outlook-s1.contoso.com"
[servers.cas2010-s1]
version = "Exchange2010"
build = "14.3.123.4"
site = "Site1"
roles = ["client-access"]
scp = "https://autodiscover.contoso.com/Autodiscover/Autodiscover.xml"
[servers.cas2010-s1.directories.owa]
internal-url = "https://internal2010-s1.contoso.com/owa/"
external-url = "https://mail.contoso.com/owa/"
authentication = ["windows", "basic"]
external-authentication = ["fba"]
forms = true
cross-site-redirect = "manual"
legacy-redirect = "silent"
[servers.cas2010-s1.directories.oab]
internal-url = "https://internal2010-s1.contoso.com/OAB/"
authentication = ["windows"]
[servers.cas2010-s1.imap]
runs = true
internal-connection-settings = ["cas2010-s1.contoso.com:993:SSL", "cas2010-s1.contoso.com:143:TLS"]
[servers.cas2010-s1.outlook-anywhere]
external-host = "mail.contoso.com"
external-authentication = "basic"
external-ssl = true
iis-authentication = ["ntlm", "basic"]
[servers.cas2013-s1]
version = "Exchange2013"
build = "15.0.847.32"
site = "Site1"
roles = ["client-access"]
[servers.mbx2010-s1]
version = "Exchange2010"
build = "14.3.123.4"
site = "Site1"
roles = ["mailbox"]
[servers.mbx2010-s1b]
version = "Exchange2010"
build = "14.3.123.4"
site = "Site1"
roles = ["mailbox"]
[servers.mbx2007-s1]
version = "Exchange2007"
build = "8.3.83.6"
site = "Site1"
roles = ["mailbox"]
[databases.db2010-s1]
copies = ["mbx2010-s1", "mbx2010-s1b"]
active = "mbx2010-s1"
rpc-client-access-server = "outlook-s1.contoso.com"
oab = "oab-2010"
[databases.db2007-s1]
copies = ["mbx2007-s1"]
active = "mbx2007-s1"
[oabs.oab-2010]
guid = "0d2010a1-7e42-4c6d-8b15-94f0a6c32010"
distribution-points = ["cas2010-s1"]
"#;

const CONFIGURATION: &str = "CN=Configuration,DC=contoso,DC=com";
const GROUP: &str = "CN=Exchange Administrative Group (FYDIBOHF23SPDLT),CN=Administrative Groups,CN=Contoso,\
                     CN=Microsoft Exchange,CN=Services,CN=Configuration,DC=contoso,DC=com";

fn directory() -> Directory {
    let files = TopologyFiles::base(Source::new("small.toml", TOPOLOGY));
    Directory::new(files.build(&Default::default()).unwrap())
}

fn door(directory: &Directory) -> Arc<Door> {
    // No test here greets over TLS: real clients do, against a lab.
    let tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::server::ResolvesServerCertUsingSni::new()));
    Arc::new(Door::new(directory.clone(), "dc1.contoso.com".parse().unwrap(), Arc::new(tls)))
}

/// A client's end of a served connection.
struct Client {
    stream: DuplexStream,
    served: JoinHandle<io::Result<End>>,
    id: i32,
}

/// One message of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    /// Name, and attributes with their values, text where they are.
    Entry(String, Vec<(String, Vec<Vec<u8>>)>),
    Reference(String),
    /// Tag, code, matched name, message, and the cookie of the next page.
    Done {
        tag: u8,
        code: i32,
        matched: String,
        says: String,
        cookie: Option<Vec<u8>>,
    },
}

impl Client {
    fn of(door: &Arc<Door>) -> Client {
        Client::on(door, Line { catalog: false, tls: false })
    }

    fn on(door: &Arc<Door>, line: Line) -> Client {
        let (stream, mut server) = duplex(1 << 20);
        let door = door.clone();
        let served = tokio::spawn(async move { converse(&door, line, &mut server).await });
        Client { stream, served, id: 0 }
    }

    async fn signed_in(door: &Arc<Door>) -> Client {
        let mut client = Client::of(door);
        assert_eq!(client.bind("CONTOSO\\red", "pass-red").await, 0);
        client
    }

    async fn send(&mut self, operation: impl FnOnce(&mut Writer)) {
        self.id += 1;
        let id = self.id;
        let mut message = Writer::default();
        message.within(SEQUENCE, |message| {
            message.number(INTEGER, id);
            operation(message);
        });
        self.stream.write_all(&message.written()).await.unwrap();
    }

    /// The next message, or `None` at the end of the connection.
    async fn next(&mut self) -> Option<Told> {
        let mut bytes = vec![];
        loop {
            if let Some(length) = ber::message_length(&bytes, usize::MAX).unwrap()
                && bytes.len() == length
            {
                return Some(read(&bytes));
            }
            bytes.push(self.stream.read_u8().await.ok()?);
        }
    }

    /// All messages up to the one that ends the operation.
    async fn all(&mut self) -> Vec<Told> {
        let mut all = vec![];
        loop {
            let told = self.next().await.expect("the operation is answered");
            let last = matches!(told, Told::Done { .. });
            all.push(told);
            if last {
                return all;
            }
        }
    }

    /// The result code of the answer to what was sent last.
    async fn code(&mut self) -> i32 {
        match self.all().await.pop() {
            Some(Told::Done { code, .. }) => code,
            other => panic!("no end: {other:?}"),
        }
    }

    async fn bind(&mut self, name: &str, password: &str) -> i32 {
        self.send(|message| {
            message.within(0x60, |bind| {
                bind.number(INTEGER, 3);
                bind.octets(OCTETS, name.as_bytes());
                bind.octets(0x80, password.as_bytes());
            });
        })
        .await;
        self.code().await
    }

    async fn search(&mut self, wanted: &Wanted<'_>) -> Vec<Told> {
        self.send(|message| {
            message.within(0x63, |search| wanted.write(search));
            wanted.controls(message);
        })
        .await;
        self.all().await
    }
}

/// A search; what is not said is: everything below the domain, all attributes, no limit, no pages.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    base: &'a str,
    scope: i32,
    limit: i32,
    types_only: bool,
    /// Written by hand: equality where it has a `=`, presence otherwise.
    filter: &'a str,
    attributes: &'a [&'a str],
    page: Option<(i32, &'a [u8])>,
}

impl Default for Wanted<'_> {
    fn default() -> Self {
        Wanted {
            base: "DC=contoso,DC=com",
            scope: 2,
            limit: 0,
            types_only: false,
            filter: "objectClass",
            attributes: &["1.1"],
            page: None,
        }
    }
}

impl Wanted<'_> {
    fn write(&self, search: &mut Writer) {
        search.octets(OCTETS, self.base.as_bytes());
        search.number(ENUMERATED, self.scope);
        search.number(ENUMERATED, 0);
        search.number(INTEGER, self.limit);
        search.number(INTEGER, 0);
        search.octets(BOOLEAN, &[if self.types_only { 0xff } else { 0 }]);
        match self.filter.split_once('=') {
            Some((name, value)) => search.within(0xa3, |filter| {
                filter.octets(OCTETS, name.as_bytes());
                filter.octets(OCTETS, value.as_bytes());
            }),
            None => search.octets(0x87, self.filter.as_bytes()),
        }
        search.within(SEQUENCE, |list| {
            for name in self.attributes {
                list.octets(OCTETS, name.as_bytes());
            }
        });
    }

    fn controls(&self, message: &mut Writer) {
        let Some((size, cookie)) = self.page else { return };
        message.within(0xa0, |controls| {
            controls.within(SEQUENCE, |control| {
                control.octets(OCTETS, b"1.2.840.113556.1.4.319");
                control.octets(BOOLEAN, &[0xff]);
                let mut value = Writer::default();
                value.within(SEQUENCE, |page| {
                    page.number(INTEGER, size);
                    page.octets(OCTETS, cookie);
                });
                control.octets(OCTETS, &value.written());
            });
        });
    }
}

fn read(bytes: &[u8]) -> Told {
    let mut message = Reader::new(bytes).within(SEQUENCE).unwrap();
    message.number(INTEGER).unwrap();
    let (tag, content) = message.any().unwrap();
    let mut fields = Reader::new(content);
    match tag {
        0x64 => {
            let name = fields.text(OCTETS).unwrap();
            let mut list = fields.within(SEQUENCE).unwrap();
            let mut attributes = vec![];
            while !list.is_empty() {
                let mut one = list.within(SEQUENCE).unwrap();
                let attribute = one.text(OCTETS).unwrap();
                let mut set = one.within(SET).unwrap();
                let mut values = vec![];
                while !set.is_empty() {
                    values.push(set.expect(OCTETS).unwrap().to_vec());
                }
                attributes.push((attribute, values));
            }
            Told::Entry(name, attributes)
        }
        0x73 => Told::Reference(fields.text(OCTETS).unwrap()),
        tag => {
            let code = fields.number(ENUMERATED).unwrap();
            let (matched, says) = (fields.text(OCTETS).unwrap(), fields.text(OCTETS).unwrap());
            let cookie = message.optional(0xa0).unwrap().map(|controls| {
                let mut control = Reader::new(controls).within(SEQUENCE).unwrap();
                assert_eq!(control.text(OCTETS).unwrap(), "1.2.840.113556.1.4.319");
                let mut page = Reader::new(control.expect(OCTETS).unwrap()).within(SEQUENCE).unwrap();
                page.number(INTEGER).unwrap();
                page.expect(OCTETS).unwrap().to_vec()
            });
            Told::Done { tag, code, matched, says, cookie }
        }
    }
}

/// The names of the objects found, and how the search ended.
fn names(told: &[Told]) -> (Vec<&str>, i32) {
    let found = told.iter().filter_map(|one| match one {
        Told::Entry(name, _) => Some(name.as_str()),
        _ => None,
    });
    match told.last() {
        Some(Told::Done { code, .. }) => (found.collect(), *code),
        other => panic!("no end: {other:?}"),
    }
}

/// The values of an attribute of the only object found, as text.
fn only<'t>(told: &'t [Told], attribute: &str) -> Vec<std::borrow::Cow<'t, str>> {
    let [Told::Entry(_, attributes), Told::Done { code: 0, .. }] = told else {
        panic!("not one object: {told:?}")
    };
    let found = attributes.iter().find(|(name, _)| name == attribute);
    found.map_or(vec![], |(_, values)| values.iter().map(|value| String::from_utf8_lossy(value)).collect())
}
