//! Service connection points as a client inside finds them: asked of the directory, in the order of Active Directory.

use bytes::Bytes;
use http::Request;
use http::header::HOST;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use ledger::Opener;
use model::{CaseId, SiteName, Topology, View, WebUrl};

use crate::clock::within;
use crate::network::Network;

const MOST_BYTES: usize = 64 * 1024 * 1024;

/// The distinct addresses, those of the client's own site first (wire facts 3.5). None for a client outside, and none
/// where the directory does not answer: the lookup goes on by DNS.
pub(crate) async fn addresses(network: &Network, case: &CaseId) -> Vec<WebUrl> {
    if network.view != View::Internal {
        return vec![];
    }
    let topology = within(network.limits.exchange, topology(network, case)).await.flatten();
    topology.map(|topology| in_order(&topology, &network.site)).unwrap_or_default()
}

async fn topology(network: &Network, case: &CaseId) -> Option<Topology> {
    let door = network.directory?;
    let stream = network.ledger.dial(network.source, door, Opener::Client(case.clone())).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let request =
        Request::get("/v1/topology").header(HOST, door.to_string()).body(Empty::<Bytes>::new()).ok()?;
    let ask = async move {
        let answer = sender.send_request(request).await.ok().filter(|answer| answer.status() == 200)?;
        let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await.ok()?;
        serde_json::from_slice(&body.to_bytes()).ok()
    };
    // The connection is driven here and ends with the answer.
    tokio::pin!(ask);
    tokio::select! {
        topology = &mut ask => topology,
        _ = connection => ask.await,
    }
}

fn in_order(topology: &Topology, site: &SiteName) -> Vec<WebUrl> {
    let mut servers: Vec<_> =
        topology.servers.values().filter_map(|s| Some((s.site != *site, s.scp.clone()?))).collect();
    servers.sort_by_key(|(elsewhere, _)| *elsewhere);
    let mut urls: Vec<WebUrl> = vec![];
    for (_, url) in servers {
        if !urls.contains(&url) {
            urls.push(url);
        }
    }
    urls
}
