//! One fake's requests a second with the ledger on, and with it off: the same server, the same requests, in turns.
//!
//!   8 clients -> cas2010-s2 at mail-region (EWS GetFolder, Basic, connections kept) => mbx2010-s2

use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use lab::{Lab, Plan};
use ledger::Ledger;
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::figures::{Figures, ratio};
use super::{Setting, Unmeasured, bare};

const TOPOLOGY: &str = "coexistence";
const NAMESPACE: &str = "mail-region.contoso.com";
const MAILBOX: &str = "orange";
const CLIENTS: usize = 8;
/// Requests that each client makes in a round.
const REQUESTS: usize = 100;

/// GetFolder of the inbox (wire facts 6).
const GET_FOLDER: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
    <s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
    xmlns:t=\"http://schemas.microsoft.com/exchange/services/2006/types\" \
    xmlns:m=\"http://schemas.microsoft.com/exchange/services/2006/messages\">\
    <s:Header><t:RequestServerVersion Version=\"Exchange2010\"/></s:Header><s:Body><m:GetFolder>\
    <m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>\
    <m:FolderIds><t:DistinguishedFolderId Id=\"inbox\"/></m:FolderIds></m:GetFolder></s:Body></s:Envelope>";

pub(super) async fn measure(setting: &Setting) -> Result<String, Unmeasured> {
    let mut on = Side::start(setting, true).await?;
    let mut off = Side::start(setting, false).await?;
    // Caches and pages are warm on both sides before anything counts.
    on.round().await?;
    off.round().await?;
    let (mut with, mut without) = (Figures::default(), Figures::default());
    for round in 0..setting.rounds {
        // Whoever goes first in one round goes second in the next.
        if round % 2 == 0 {
            with.add(on.round().await?);
            without.add(off.round().await?);
        } else {
            without.add(off.round().await?);
            with.add(on.round().await?);
        }
        if setting.stop.is_cancelled() {
            break;
        }
    }
    let recorded = on.lab.ledger().all().len();
    on.lab.stop().await;
    off.lab.stop().await;
    if recorded < CLIENTS * REQUESTS {
        return Err(Unmeasured::Wrong(format!("the ledger recorded {recorded} arrivals: too few to be on")));
    }
    let mut lines = format!(
        "  EWS GetFolder at {NAMESPACE}, {CLIENTS} connections, {} requests a round\n",
        CLIENTS * REQUESTS
    );
    lines.push_str(&with.line("ledger on", "requests/s"));
    lines.push_str(&without.line("ledger off", "requests/s"));
    lines.push_str(&ratio("on over off", &with, &without, "at least 0.80"));
    Ok(lines)
}

/// A lab, and clients that are connected to its server.
struct Side {
    lab: Lab,
    senders: Vec<SendRequest<Full<Bytes>>>,
    authorization: String,
    /// Held: the clients' connections.
    _connections: JoinSet<Result<(), hyper::Error>>,
}

impl Side {
    async fn start(setting: &Setting, ledger_on: bool) -> Result<Side, Unmeasured> {
        let plan = Plan {
            topology: setting.suite.topology(TOPOLOGY, &Default::default())?,
            subject: None,
            front_end: None,
            leases: vec![],
            faults: vec![],
            health_rounds: false,
            answers: vec![],
            moves: vec![],
            ledger: Ledger::new(ledger_on),
            folder: setting.folder.join(format!("throughput-{ledger_on}")),
        };
        let lab = Lab::start(&setting.ground, plan).await?;
        let wrong = |says: &str| Unmeasured::Wrong(format!("{TOPOLOGY} has no {says}"));
        let topology = lab.directory().topology();
        let leads = topology.namespaces.iter().find(|(host, _)| host.as_str() == NAMESPACE);
        let server = leads.and_then(|(_, leads)| leads.external.first()).ok_or_else(|| wrong(NAMESPACE))?;
        let address = lab.address(server).ok_or_else(|| wrong(NAMESPACE))?;
        let account = lab.directory().find(MAILBOX).ok_or_else(|| wrong(MAILBOX))?;
        let basic = STANDARD.encode(format!("{}:{}", account.account, account.password));
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Unmeasured::Wrong(error.to_string()))?
            .with_root_certificates(lab.authority().root_store())
            .with_no_client_auth();
        let tls: TlsConnector = Arc::new(config).into();
        let (mut senders, mut connections) = (vec![], JoinSet::new());
        for _ in 0..CLIENTS {
            let stream = bare::dial(lab.dials().real(address, 443)).await?;
            let name =
                ServerName::try_from(NAMESPACE).map_err(|error| Unmeasured::Wrong(error.to_string()))?;
            let stream = tls.connect(name, stream).await.map_err(|e| Unmeasured::Io("a greeting", e))?;
            let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            senders.push(sender);
            connections.spawn(connection);
        }
        Ok(Side { lab, senders, authorization: format!("Basic {basic}"), _connections: connections })
    }

    /// One round: requests a second.
    async fn round(&mut self) -> Result<f64, Unmeasured> {
        let started = Instant::now();
        let mut running = JoinSet::new();
        for mut sender in self.senders.drain(..) {
            let authorization = self.authorization.clone();
            running.spawn(async move {
                for _ in 0..REQUESTS {
                    sender.ready().await?;
                    let request = Request::post("/EWS/Exchange.asmx")
                        .header("host", NAMESPACE)
                        .header("authorization", &authorization)
                        .header("content-type", "text/xml; charset=utf-8")
                        .body(Full::new(Bytes::from_static(GET_FOLDER.as_bytes())))
                        .map_err(|error| Unmeasured::Wrong(error.to_string()))?;
                    let answer = sender.send_request(request).await?;
                    let status = answer.status();
                    let body = answer.into_body().collect().await?.to_bytes();
                    if !status.is_success() || !contains(&body, b"NoError") {
                        let says = format!("GetFolder answered {status}: {}", String::from_utf8_lossy(&body));
                        return Err(Unmeasured::Wrong(says));
                    }
                }
                Ok(sender)
            });
        }
        while let Some(ended) = running.join_next().await {
            match ended {
                Ok(sender) => self.senders.push(sender?),
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
        Ok((CLIENTS * REQUESTS) as f64 / started.elapsed().as_secs_f64())
    }
}

fn contains(body: &[u8], word: &[u8]) -> bool {
    body.windows(word.len()).any(|piece| piece == word)
}
