//! The steering listener: the page, the state, events as they come, and changes, over HTTP on the loopback.
//!
//! It is for people, and a page of a stranger in their browser must not reach it: every request names this listener as its
//! host, so that a name that was made to lead here is refused; one that names another origin is too; and all but the page
//! itself, which holds nothing, wants the lab's token in a header that no other page can send.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use futures::stream;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;

use super::change::{self, Change};
use super::connections;
use super::live::{Event, Live, Told};
use super::printout::Facts;
use super::{page, state};
use crate::clock;

/// The most bytes of a change.
const MOST_BODY_BYTES: usize = 16 * 1024;
/// How long a request may take to be read.
const READING: Duration = Duration::from_secs(10);
/// Connections at once, and how many of them may listen to events.
const MOST_CONNECTIONS: usize = 64;
const MOST_LISTENERS: usize = 16;
/// After so long a silence a listener is told that there is one.
const SILENCE: Duration = Duration::from_secs(15);

/// What the listener serves.
pub(crate) struct Desk {
    facts: Arc<Facts>,
    live: Live,
    /// What a request must name as its host.
    hosts: [String; 2],
    nonce: String,
    listeners: Arc<Semaphore>,
    /// Changes are made one after the other.
    turn: Mutex<()>,
    stop: CancellationToken,
}

impl Desk {
    pub(crate) fn new(facts: Arc<Facts>, live: Live, stop: CancellationToken) -> Desk {
        let at = facts.entry.steering;
        let hosts = [at.to_string(), format!("localhost:{}", at.port())];
        let listeners = Arc::new(Semaphore::new(MOST_LISTENERS));
        Desk { facts, live, hosts, nonce: word(), listeners, turn: Mutex::default(), stop }
    }
}

/// A word that nobody can guess.
pub(crate) fn word() -> String {
    let mut bytes = [0; 16];
    let drawn = rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes);
    drawn.expect("the operating system has random numbers");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Serves until told to stop; then every connection ends.
pub(crate) async fn serve(listener: TcpListener, desk: Arc<Desk>) {
    let stop = desk.stop.clone();
    let router = router(desk);
    let answered = |stream| {
        let service = TowerToHyperService::new(router.clone());
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(READING).max_buf_size(MOST_BODY_BYTES);
        let serving = http.serve_connection(TokioIo::new(stream), service);
        // A connection that broke off concerns its far end alone.
        async move { drop(serving.await) }
    };
    connections::served(listener, MOST_CONNECTIONS, &stop, answered).await;
}

fn router(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/", get(shown))
        .route("/v1/state", get(told))
        .route("/v1/events", get(events))
        .route("/v1/{change}", post(changed))
        .fallback(nothing)
        .method_not_allowed_fallback(nothing)
        .layer(middleware::from_fn_with_state(desk.clone(), guarded))
        .with_state(desk)
}

fn refusal(status: StatusCode, error: impl ToString) -> Response {
    (status, Json(json!({ "error": error.to_string() }))).into_response()
}

/// Lets in who may come in, and says to browsers what they may do with the answer.
async fn guarded(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    let mut answer = match admitted(&desk, request.uri().path(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refused) => *refused,
    };
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{0}'; script-src 'nonce-{0}'; connect-src 'self'; img-src data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        desk.nonce
    );
    let headers = answer.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

fn admitted(desk: &Desk, path: &str, headers: &HeaderMap) -> Result<(), Box<Response>> {
    let one = |name| {
        let mut values = headers.get_all(name).iter();
        let first: Option<&HeaderValue> = values.next();
        first.filter(|_| values.next().is_none()).and_then(|value| value.to_str().ok())
    };
    let here = &desk.hosts[0];
    if !one(header::HOST).is_some_and(|host| desk.hosts.iter().any(|known| known == host)) {
        let says = format!("this is http://{here}, and nobody else");
        return Err(Box::new(refusal(StatusCode::MISDIRECTED_REQUEST, says)));
    }
    let own = |origin: &str| desk.hosts.iter().any(|known| origin.strip_prefix("http://") == Some(known));
    if headers.contains_key(header::ORIGIN) && !one(header::ORIGIN).is_some_and(own) {
        let says = format!("only the page of http://{here} itself may ask");
        return Err(Box::new(refusal(StatusCode::FORBIDDEN, says)));
    }
    let given = one(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    if path != "/" && !given.is_some_and(|given| same(given, &desk.facts.entry.token)) {
        let says = "the lab's token is wanted, as `Authorization: Bearer TOKEN`; `coexist up` prints it, and `coexist steer` knows it";
        return Err(Box::new(refusal(StatusCode::UNAUTHORIZED, says)));
    }
    Ok(())
}

/// Compares in a time that tells nothing of where they differ.
fn same(given: &str, right: &str) -> bool {
    let differ = given.bytes().zip(right.bytes()).fold(0, |differ, (a, b)| differ | (a ^ b));
    given.len() == right.len() && differ == 0
}

async fn shown(State(desk): State<Arc<Desk>>) -> Html<String> {
    Html(page::page(&desk.nonce))
}

async fn told(State(desk): State<Arc<Desk>>) -> Response {
    Json(state::state(&desk.facts.lab)).into_response()
}

async fn nothing() -> Response {
    let says = format!(
        "there are GET /, GET /v1/state, GET /v1/events, and POST /v1/WORD with one of: {}",
        change::words()
    );
    refusal(StatusCode::NOT_FOUND, says)
}

async fn changed(
    State(desk): State<Arc<Desk>>,
    Path(word): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let json = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if json.and_then(|kind| kind.split(';').next()).map(str::trim) != Some("application/json") {
        return refusal(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "a change is JSON: Content-Type: application/json",
        );
    }
    let Some(read) = clock::within(READING, axum::body::to_bytes(body, MOST_BODY_BYTES)).await else {
        return refusal(StatusCode::REQUEST_TIMEOUT, format!("the change did not come within {READING:?}"));
    };
    let Ok(body) = read else {
        let says = format!("a change has at most {MOST_BODY_BYTES} bytes");
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, says);
    };
    let change = match Change::read(&word, &body) {
        Ok(change) => change,
        Err(says) => return refusal(StatusCode::BAD_REQUEST, says),
    };
    let _turn = desk.turn.lock().await;
    match change.make(&desk.facts.lab).await {
        Ok(says) => {
            desk.live.tell(Event::Said { says: says.clone() });
            if let Err(error) = desk.facts.follow_names() {
                desk.live
                    .tell(Event::Said { says: format!("the files for curl and browsers are old: {error}") });
            }
            Json(json!({ "says": says })).into_response()
        }
        Err(says) => refusal(StatusCode::CONFLICT, says),
    }
}

/// Events as they come (server-sent events), after those that are kept; with `Last-Event-ID`, those after it.
async fn events(State(desk): State<Arc<Desk>>, headers: HeaderMap) -> Response {
    let Ok(turn) = desk.listeners.clone().try_acquire_owned() else {
        let says = format!("{MOST_LISTENERS} listen already: close one of them");
        return refusal(StatusCode::SERVICE_UNAVAILABLE, says);
    };
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let (kept, coming) = desk.live.listen(last.map_or(0, |last| last.saturating_add(1)));
    let state = (kept, coming, desk.stop.clone(), turn);
    let frames = stream::unfold(state, async |(mut kept, mut coming, stop, turn)| {
        let told = match kept.pop_front() {
            Some(told) => frame(&told),
            None => tokio::select! {
                () = stop.cancelled() => return None,
                heard = clock::within(SILENCE, coming.recv()) => match heard {
                    None | Some(Err(RecvError::Lagged(_))) => Bytes::from_static(b":\n\n"),
                    Some(Ok(told)) => frame(&told),
                    Some(Err(RecvError::Closed)) => return None,
                },
            },
        };
        Some((Ok::<_, std::convert::Infallible>(told), (kept, coming, stop, turn)))
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(frames)).into_response()
}

fn frame(told: &Told) -> Bytes {
    let data = serde_json::to_string(told).expect("an event is JSON");
    Bytes::from(format!("id: {}\ndata: {data}\n\n", told.number))
}
