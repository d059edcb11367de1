//! A running lab as its printout shows it: whatever a test does with it, it does by what was printed.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;

use rustix::process::Signal;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

use super::SOON;
use crate::clock::{LIMIT, within};
use crate::scratch::{Ended, Scratch, Started};

/// What `up` printed, and the lab itself.
pub(super) struct Up {
    run: Started,
    printed: String,
}

/// An answer over HTTP/1.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let head = self.text.split("\r\n\r\n").next()?;
        head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

impl Up {
    pub(super) fn start(scratch: &Scratch, args: &[&str]) -> Up {
        let mut run = scratch.start(&[&["up"], args].concat());
        run.wait_until_it_says("Ctrl-C ends the lab");
        let printed = run.said();
        Up { run, printed }
    }

    pub(super) fn printed(&self) -> &str {
        &self.printed
    }

    /// What stands behind a word at the beginning of a line.
    pub(super) fn fact(&self, word: &str) -> &str {
        let found = self.printed.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("nothing is said of {word}:\n{}", self.printed)).trim()
    }

    pub(super) fn name(&self) -> String {
        self.fact("lab").split(':').next().unwrap().to_owned()
    }

    pub(super) fn ca(&self) -> &str {
        self.fact("CA")
    }

    /// The address of the steering listener, and the token.
    pub(super) fn steering(&self) -> (String, String) {
        let page = self.fact("page").split(' ').next().unwrap();
        let (address, token) = page.split_once("/#").expect("an address and a token");
        (address.to_owned(), token.to_owned())
    }

    /// The door of a name's port 443: what curl's file says.
    fn door(&self, name: &str) -> SocketAddr {
        let file = self.fact("curl").split(' ').nth(2).unwrap();
        let text = std::fs::read_to_string(file).unwrap();
        let begins = format!("connect-to = \"{name}:443:");
        let at = text.lines().find_map(|line| line.strip_prefix(&begins)?.strip_suffix('"'));
        at.unwrap_or_else(|| panic!("no door of {name} in:\n{text}")).parse().unwrap()
    }

    pub(super) fn connection(&self, name: &str) -> TcpStream {
        let stream = TcpStream::connect(self.door(name)).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    }

    pub(super) fn get(&self, name: &str, target: &str, more: &[&str]) -> Answer {
        self.ask("GET", name, target, more)
    }

    /// One request over TLS, trusting the printed CA alone.
    pub(super) fn ask(&self, verb: &str, name: &str, target: &str, more: &[&str]) -> Answer {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.ca()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let server = ServerName::try_from(name.to_owned()).unwrap();
        let tls = ClientConnection::new(Arc::new(config), server).unwrap();
        let mut stream = StreamOwned::new(tls, self.connection(name));
        let more: String = more.iter().map(|line| format!("{line}\r\n")).collect();
        write!(stream, "{verb} {target} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n{more}\r\n")
            .unwrap();
        let mut text = vec![];
        // A server that closes without saying so has said all that it had.
        drop(stream.read_to_end(&mut text));
        let text = String::from_utf8_lossy(&text).into_owned();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
        Answer { status: status.unwrap_or_else(|| panic!("{name}{target}: no answer: {text}")), text }
    }

    /// How many addresses the printed DNS server outside knows of a name.
    pub(super) fn addresses(&self, name: &str) -> u16 {
        let server = self.fact("DNS outside").split(' ').next().unwrap();
        // RFC 1035, section 4.1: a head with one question, recursion desired; the name, type A, class IN.
        let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            query.push(label.len() as u8);
            query.extend(label.bytes());
        }
        query.extend([0, 0, 1, 0, 1]);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        socket.send_to(&query, server).unwrap();
        let mut answer = [0; 512];
        let read = socket.recv(&mut answer).unwrap();
        assert!(read > 12 && answer[..2] == query[..2], "an answer to this question");
        u16::from_be_bytes([answer[6], answer[7]])
    }

    /// A request to the steering listener.
    pub(super) fn request(&self, verb: &str, path: &str) -> reqwest::RequestBuilder {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let (address, token) = self.steering();
        let verb = reqwest::Method::from_bytes(verb.as_bytes()).unwrap();
        client.request(verb, format!("{address}{path}")).header("Authorization", format!("Bearer {token}"))
    }

    /// Sends it: the status, and what was said.
    pub(super) fn told(&self, request: reqwest::RequestBuilder) -> (u16, String) {
        self.run.beside(within(LIMIT, "an answer of the listener", async {
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        }))
    }

    /// One header line of the answer.
    pub(super) fn header(&self, request: reqwest::RequestBuilder, name: &str) -> String {
        self.run.beside(within(LIMIT, "an answer of the listener", async {
            request.send().await.unwrap().headers()[name].to_str().unwrap().to_owned()
        }))
    }

    /// All that it has said so far.
    pub(super) fn said(&self) -> String {
        self.run.said()
    }

    pub(super) fn state(&self) -> Value {
        serde_json::from_str(&self.told(self.request("GET", "/v1/state")).1).unwrap()
    }

    /// The open answer with events.
    pub(super) fn events(&self) -> reqwest::Response {
        let request = self.request("GET", "/v1/events");
        self.run.beside(within(LIMIT, "events", async { request.send().await.unwrap() }))
    }

    /// Reads events until one holds this.
    pub(super) fn hears(&self, events: &mut reqwest::Response, says: &str) -> String {
        let mut heard = String::new();
        self.run.beside(within(LIMIT, says, async {
            while !heard.contains(says) {
                let more = events.chunk().await.unwrap().unwrap_or_else(|| panic!("never {says}: {heard}"));
                heard.push_str(&String::from_utf8_lossy(&more));
            }
        }));
        heard
    }

    /// Waits for a line of what comes.
    pub(super) fn wait_for(&self, says: &str) {
        self.run.wait_until(says, || self.run.said().contains(says));
    }

    pub(super) fn ended(self) -> Ended {
        self.run.ended_within(SOON)
    }

    pub(super) fn ends(self, signal: Signal, code: i32) {
        self.run.signal(signal);
        let ended = self.ended();
        assert_eq!((ended.code, ended.err.as_str()), (Some(code), ""), "{ended}");
    }

    /// It ends by a signal that it does not take.
    pub(super) fn killed(self, signal: Signal) {
        self.run.signal(signal);
        assert_eq!(self.ended().code, None);
    }
}
