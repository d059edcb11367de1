//! A session of each kind, up to where it is held: written out by hand, so that little but the connection is paid for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::super::bare;
use super::{Kind, Place};
use crate::clock::within;

/// How long one step of a session may take, and how much may be said in it.
const STEP: Duration = Duration::from_secs(60);
const MOST: usize = 64 * 1024;
/// How much is read of a session that is held. Nothing much is said on it.
const PIECE: usize = 128;

/// A Ping for the inbox with the longest heartbeat ([MS-ASCMD] 2.2.2.11, WBXML).
const PING: &[u8] =
    b"\x03\x01\x6A\0\0\x0D\x45\x48\x033540\0\x01\x49\x4A\x4B\x031\0\x01\x4C\x03Email\0\x01\x01\x01\x01";

const ENVELOPE: [&str; 2] = [
    "<?xml version=\"1.0\" encoding=\"utf-8\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
     xmlns:t=\"http://schemas.microsoft.com/exchange/services/2006/types\" \
     xmlns:m=\"http://schemas.microsoft.com/exchange/services/2006/messages\"><s:Header>\
     <t:RequestServerVersion Version=\"Exchange2013\"/></s:Header><s:Body>",
    "</s:Body></s:Envelope>",
];
const SUBSCRIBE: &str = "<m:Subscribe><m:StreamingSubscriptionRequest><t:FolderIds><t:DistinguishedFolderId Id=\"inbox\"/>\
    </t:FolderIds><t:EventTypes><t:EventType>NewMailEvent</t:EventType></t:EventTypes></m:StreamingSubscriptionRequest></m:Subscribe>";

type Stream = TlsStream<TcpStream>;

/// The connections of a session that is held.
pub(super) struct Held(Vec<Stream>);

impl Held {
    /// Waits until one of its connections has ended.
    pub(super) async fn ends(mut self) {
        let quiet = async |stream: &mut Stream| {
            let mut piece = [0; PIECE];
            while stream.read(&mut piece).await.is_ok_and(|read| read > 0) {}
        };
        match &mut self.0[..] {
            [one, two] => tokio::select! {
                () = quiet(one) => {}
                () = quiet(two) => {}
            },
            all => {
                for stream in all {
                    quiet(stream).await;
                }
            }
        }
    }
}

/// What clients of one user need.
pub(super) struct Clients {
    place: Place,
    tls: TlsConnector,
    authorization: String,
}

impl Clients {
    pub(super) fn new(place: Place) -> anyhow::Result<Clients> {
        let mut trust = RootCertStore::empty();
        for root in CertificateDer::pem_file_iter(&place.ca)? {
            trust.add(root?)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(trust)
            .with_no_client_auth();
        // Each greets in full: another client would.
        config.resumption = rustls::client::Resumption::disabled();
        let authorization = STANDARD.encode(format!("{}:{}", place.account, place.password));
        Ok(Clients { place, tls: Arc::new(config).into(), authorization })
    }

    /// The session of this number; what went wrong in words.
    pub(super) async fn stand(&self, kind: Kind, number: usize) -> Result<Held, String> {
        let standing = async {
            match kind {
                Kind::Ping => self.ping(number).await,
                Kind::Channels => self.channels(number).await,
                Kind::Streaming => self.streaming().await,
                Kind::Idle => self.idle().await,
            }
        };
        let standing =
            within(STEP, standing).await.unwrap_or_else(|| Err(format!("not within {} s", STEP.as_secs())));
        standing.map_err(|says| format!("session {number}: {says}"))
    }

    async fn ping(&self, number: usize) -> Result<Held, String> {
        let target =
            format!("/Microsoft-Server-ActiveSync?Cmd=Ping&User=green&DeviceId=H{number}&DeviceType=Phone");
        let lines = "MS-ASProtocolVersion: 14.1\r\nContent-Type: application/vnd.ms-sync.wbxml\r\n";
        let mut stream = self.greeted(self.place.https, &self.place.host).await?;
        say(&mut stream, &self.request("POST", &target, lines, PING.len(), PING)).await?;
        Ok(Held(vec![stream]))
    }

    async fn streaming(&self) -> Result<Held, String> {
        let mut stream = self.greeted(self.place.https, &self.place.host).await?;
        let ask = |operation: &str| {
            let body = ENVELOPE.join(operation);
            let lines = "Content-Type: text/xml; charset=utf-8\r\n";
            self.request("POST", "/EWS/Exchange.asmx", lines, body.len(), body.as_bytes())
        };
        say(&mut stream, &ask(SUBSCRIBE)).await?;
        let subscribed = hears(&mut stream, "Envelope>").await?;
        let id = subscribed.split("SubscriptionId>").nth(1).and_then(|rest| rest.split('<').next());
        let id = id.ok_or_else(|| format!("no subscription: {subscribed}"))?;
        let events = format!(
            "<m:GetStreamingEvents><m:SubscriptionIds><t:SubscriptionId>{id}</t:SubscriptionId></m:SubscriptionIds>\
             <m:ConnectionTimeout>30</m:ConnectionTimeout></m:GetStreamingEvents>"
        );
        say(&mut stream, &ask(&events)).await?;
        hears(&mut stream, "ConnectionStatus>OK<").await?;
        Ok(Held(vec![stream]))
    }

    async fn idle(&self) -> Result<Held, String> {
        let mut stream = self.greeted(self.place.imaps, &self.place.host).await?;
        let (user, password) = (self.place.account.replace('\\', "\\\\"), &self.place.password);
        hears(&mut stream, "* OK").await?;
        say(&mut stream, format!("a LOGIN \"{user}\" \"{password}\"\r\n").as_bytes()).await?;
        hears(&mut stream, "a OK").await?;
        say(&mut stream, b"b SELECT INBOX\r\n").await?;
        hears(&mut stream, "b OK").await?;
        say(&mut stream, b"c IDLE\r\n").await?;
        hears(&mut stream, "+ ").await?;
        Ok(Held(vec![stream]))
    }

    /// CONN/A1 and CONN/B1 of a virtual connection, until CONN/A3 and CONN/C2 are here ([MS-RPCH] 2.2.4).
    async fn channels(&self, number: usize) -> Result<Held, String> {
        let cookie = |of: u8| (number as u128 | u128::from(of) << 120).to_le_bytes();
        let word = |word: u32| word.to_le_bytes().to_vec();
        let (version, virtual_connection) = ((6, word(1)), (3, cookie(1).to_vec()));
        let a1 =
            rts(&[version.clone(), virtual_connection.clone(), (3, cookie(2).to_vec()), (0, word(65_536))]);
        let lives = [(4, word(1 << 30)), (5, word(300_000)), (12, cookie(4).to_vec())];
        let b1 = rts(&[&[version, virtual_connection, (3, cookie(3).to_vec())][..], &lives].concat());
        let target = format!("/rpc/rpcproxy.dll?{}:6001", self.place.host);
        let lines = "Accept: application/rpc\r\nUser-Agent: MSRPC\r\nPragma: No-cache\r\n";
        let (at, host) = &self.place.channels;
        let mut outward = self.greeted(*at, host).await?;
        say(&mut outward, &self.request("RPC_OUT_DATA", &target, lines, a1.len(), &a1)).await?;
        let mut inward = self.greeted(*at, host).await?;
        say(&mut inward, &self.request("RPC_IN_DATA", &target, lines, 1 << 30, &b1)).await?;
        let mut heard = vec![];
        let ready = |heard: &[u8]| {
            let head = heard.windows(4).position(|four| four == b"\r\n\r\n");
            head.is_some_and(|head| heard.len() >= head + 4 + 28 + 44)
        };
        while !ready(&heard) {
            more(&mut outward, &mut heard).await?;
        }
        match heard.starts_with(b"HTTP/1.1 200 ") {
            true => Ok(Held(vec![outward, inward])),
            false => Err(String::from_utf8_lossy(&heard).into_owned()),
        }
    }

    async fn greeted(&self, at: SocketAddr, host: &str) -> Result<Stream, String> {
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        let stream = bare::dial(at).await.map_err(|error| error.to_string())?;
        self.tls.connect(name, stream).await.map_err(|error| format!("no TLS with {host}: {error}"))
    }

    fn request(&self, verb: &str, target: &str, lines: &str, length: usize, body: &[u8]) -> Vec<u8> {
        let Clients { place, authorization, .. } = self;
        let head = format!(
            "{verb} {target} HTTP/1.1\r\nHost: {}\r\nAuthorization: Basic {authorization}\r\n{lines}Content-Length: {length}\r\n\r\n",
            place.host
        );
        [head.as_bytes(), body].concat()
    }
}

/// An RTS PDU without flags: its commands by their types ([MS-RPCH] 2.2.3.5).
fn rts(commands: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let body: Vec<u8> =
        commands.iter().flat_map(|(kind, value)| [&kind.to_le_bytes()[..], value].concat()).collect();
    let mut pdu = vec![5, 0, 20, 3, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    pdu[8] = u8::try_from(pdu.len() + body.len()).expect("a PDU of few commands is short");
    pdu[18] = u8::try_from(commands.len()).expect("commands are few");
    [pdu, body].concat()
}

async fn say(stream: &mut Stream, what: &[u8]) -> Result<(), String> {
    let said = async {
        stream.write_all(what).await?;
        stream.flush().await
    };
    said.await.map_err(|error| error.to_string())
}

/// What is said until this is in it.
async fn hears(stream: &mut Stream, until: &str) -> Result<String, String> {
    let mut heard = vec![];
    loop {
        more(stream, &mut heard).await?;
        let text = String::from_utf8_lossy(&heard);
        if text.contains(until) {
            return Ok(text.into_owned());
        }
    }
}

async fn more(stream: &mut Stream, heard: &mut Vec<u8>) -> Result<(), String> {
    let says = |heard: &[u8]| String::from_utf8_lossy(heard).chars().take(400).collect::<String>();
    match stream.read_buf(heard).await {
        Ok(0) => Err(format!("the connection ended after: {}", says(heard))),
        Ok(_) if heard.len() <= MOST => Ok(()),
        Ok(_) => Err(format!("more than {MOST} bytes: {}", says(heard))),
        Err(error) => Err(format!("the connection broke: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [MS-RPCH] 2.2.4.2, by hand.
    #[test]
    fn a_channel_begins_as_specified() {
        let pdu = rts(&[(6, vec![1, 0, 0, 0]), (0, vec![0, 0, 1, 0])]);
        let head = [5, 0, 20, 3, 0x10, 0, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0];
        assert_eq!(pdu, [&head[..], &[6, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]].concat());
    }
}
