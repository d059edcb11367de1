//! Asking a running lab over its steering listener, as `steer` does.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpSocket;

use super::register::Entry;
use crate::clock;

/// How long it may take to answer, and how much it may say.
const PATIENCE: Duration = Duration::from_secs(10);
const MOST_BYTES: usize = 4 << 20;

/// What was answered, or a sentence of why nothing was.
pub(crate) async fn ask(
    lab: &Entry,
    verb: &str,
    path: &str,
    body: Vec<u8>,
) -> Result<(StatusCode, Value), String> {
    let no_answer = |why: String| format!("{} does not answer at {}: {why}", lab.lab, lab.steering);
    let asked = clock::within(PATIENCE, exchange(lab, verb, path, body)).await;
    let (status, body) =
        asked.ok_or_else(|| no_answer(format!("nothing within {PATIENCE:?}")))?.map_err(no_answer)?;
    let said = serde_json::from_slice(&body)
        .map_err(|error| no_answer(format!("its answer is no JSON: {error}")))?;
    Ok((status, said))
}

async fn exchange(lab: &Entry, verb: &str, path: &str, body: Vec<u8>) -> Result<(StatusCode, Bytes), String> {
    let says = |error: &dyn std::fmt::Display| error.to_string();
    let socket = TcpSocket::new_v4().map_err(|error| says(&error))?;
    let stream = socket.connect(lab.steering).await.map_err(|error| says(&error))?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| says(&error))?;
    let request = Request::builder()
        .method(verb)
        .uri(path)
        .header(http::header::HOST, lab.steering.to_string())
        .header(http::header::AUTHORIZATION, format!("Bearer {}", lab.token))
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| says(&error))?;
    let talk = async {
        let answer = sender.send_request(request).await.map_err(|error| says(&error))?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, MOST_BYTES).collect().await.map_err(|error| error.to_string())?;
        Ok((head.status, body.to_bytes()))
    };
    tokio::pin!(talk);
    tokio::select! {
        said = &mut talk => said,
        // The connection may be over before what it brought is read.
        _ = connection => talk.await,
    }
}
