//! The HTTP/JSON door: the facts, sign-in checks and tickets. Never a target.

use axum::Json;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::HostName;
use serde::{Deserialize, Serialize};

use crate::ntlm::{Authenticate, Challenge};
use crate::{Account, Directory, TicketRefused};

/// The most a request's body may hold.
const MOST_BODY_BYTES: usize = 16 * 1024;

/// The door's routes, to be served by whoever holds a listener.
pub fn door(directory: Directory) -> Router {
    Router::new()
        .route("/v1/topology", get(topology))
        .route("/v1/mailboxes/{form}", get(mailbox))
        .route("/v1/authenticate", post(authenticate))
        .route("/v1/ntlm", post(ntlm))
        .route("/v1/tickets", post(tickets))
        .route("/v1/tickets/redeem", post(redeem))
        .layer(DefaultBodyLimit::max(MOST_BODY_BYTES))
        .with_state(directory)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    user: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TicketWanted {
    #[serde(rename = "for")]
    user: String,
    to: String,
}

/// What Netlogon would be asked: the server's challenge and the client's last message, both in base64.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NtlmGiven {
    challenge: String,
    authenticate: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TicketGiven {
    ticket: String,
    to: String,
}

#[derive(Serialize)]
struct TicketIssued {
    ticket: String,
}

/// A refusal in words.
#[derive(Serialize)]
struct Refusal {
    error: String,
}

fn refusal(status: StatusCode, error: impl ToString) -> Response {
    (status, Json(Refusal { error: error.to_string() })).into_response()
}

/// The topology, with an entity tag that a steered fact changes: who asks again with it is told 304.
async fn topology(State(directory): State<Directory>, headers: HeaderMap) -> Response {
    directory.was_asked();
    let tag = tag(&directory);
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let tagged = [(header::ETAG, tag)];
    match known {
        true => (StatusCode::NOT_MODIFIED, tagged).into_response(),
        false => (tagged, Json(&*directory.topology())).into_response(),
    }
}

fn tag(directory: &Directory) -> String {
    format!("\"{}\"", directory.changes())
}

/// A mailbox's facts; `topology-tag` is the topology's entity tag, so that who knows that one need not ask for it.
async fn mailbox(State(directory): State<Directory>, Path(form): Path<String>) -> Response {
    directory.was_asked();
    match directory.facts(&form) {
        Some(facts) => ([("topology-tag", tag(&directory))], Json(facts)).into_response(),
        None => refusal(StatusCode::NOT_FOUND, format!("no mailbox is called `{form}`")),
    }
}

async fn authenticate(State(directory): State<Directory>, Json(given): Json<Credentials>) -> Response {
    directory.was_asked();
    let signed_in = directory.authenticate(&given.user, &given.password);
    signed(&directory, signed_in.as_deref(), "user name or password is wrong")
}

/// The facts of whoever signed in, or 401.
fn signed(directory: &Directory, account: Option<&Account>, otherwise: &str) -> Response {
    match account.and_then(|account| directory.facts(account.name.as_str())) {
        Some(facts) => Json(facts).into_response(),
        None => refusal(StatusCode::UNAUTHORIZED, otherwise),
    }
}

async fn ntlm(State(directory): State<Directory>, Json(given): Json<NtlmGiven>) -> Response {
    let challenge = STANDARD.decode(&given.challenge).ok().and_then(|bytes| Challenge::try_from(bytes).ok());
    let Some(challenge) = challenge else {
        return refusal(StatusCode::BAD_REQUEST, "`challenge` is the server's challenge: 8 bytes in base64");
    };
    let message = STANDARD.decode(&given.authenticate).unwrap_or_default();
    match Authenticate::read(&message) {
        Ok(message) => {
            let account = directory.ntlm(challenge, &message);
            signed(&directory, account.as_deref(), "the response does not prove the user to this challenge")
        }
        Err(malformed) => refusal(StatusCode::BAD_REQUEST, format!("`authenticate`: {malformed}")),
    }
}

/// Whom a ticket speaks for at a service: asked by who keeps the service's key, which is the service account.
async fn redeem(
    State(directory): State<Directory>,
    headers: HeaderMap,
    Json(given): Json<TicketGiven>,
) -> Response {
    let asker = basic(&headers);
    if !directory.is_service(asker.as_ref().map(|(user, password)| (user.as_str(), password.as_str()))) {
        return refusal(StatusCode::UNAUTHORIZED, "only the service account may redeem a ticket");
    }
    let Some(own) = given.to.strip_prefix("HTTP/").and_then(|host| HostName::folded(host).ok()) else {
        return refusal(StatusCode::BAD_REQUEST, TicketRefused::NoService(given.to));
    };
    match directory.redeem(&given.ticket, &own) {
        Ok(account) => signed(&directory, Some(&account), "it has no mailbox"),
        Err(refused) => refusal(StatusCode::UNAUTHORIZED, refused),
    }
}

async fn tickets(
    State(directory): State<Directory>,
    headers: HeaderMap,
    Json(wanted): Json<TicketWanted>,
) -> Response {
    directory.was_asked();
    let asker = basic(&headers);
    let asker = asker.as_ref().map(|(user, password)| (user.as_str(), password.as_str()));
    match directory.issue(asker, &wanted.user, &wanted.to) {
        Ok(ticket) => Json(TicketIssued { ticket }).into_response(),
        Err(refused @ TicketRefused::NotTheServiceAccount) => refusal(StatusCode::UNAUTHORIZED, refused),
        Err(refused @ TicketRefused::NoSuchAccount(_)) => refusal(StatusCode::NOT_FOUND, refused),
        Err(refused) => refusal(StatusCode::BAD_REQUEST, refused),
    }
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let plain = STANDARD.decode(value.strip_prefix("Basic ")?).ok()?;
    let (user, password) = std::str::from_utf8(&plain).ok()?.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// Serves the door until `stop` is over, and what is being answered then has been.
///
/// # Errors
/// What the operating system says of the listener.
pub async fn serve(
    listener: tokio::net::TcpListener,
    door: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, door).with_graceful_shutdown(stop).await
}
