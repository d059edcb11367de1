//! Who asks, by what a request holds: a ticket, Basic, a session cookie, or the connection's own sign-in.

use std::sync::Arc;

use bytes::Bytes;
use directory::Account;
use http::request::Parts;
use http::{Request, header};
use ledger::Conveyed;
use model::Protocol;
use model::topology::Authentication;
use protocols::autodiscover::PoxRequest;
use protocols::eas::EasRequest;
use protocols::fba::LogonForm;
use protocols::iis;

use crate::listen::Connection;
use crate::server::Server;

/// What is known of a request's user.
pub(crate) struct Asker {
    /// Whom the server believes it to be.
    pub(crate) account: Option<Arc<Account>>,
    /// How it was told.
    pub(crate) conveyed: Conveyed,
    /// Every form of a name in the request, the one that signs in first.
    pub(crate) asked: Vec<String>,
    /// The logon form, where this is one.
    pub(crate) form: Option<LogonForm>,
}

/// Reads a request's user. `methods` is what the virtual directory takes.
pub(crate) fn read(
    server: &Server,
    connection: &Connection,
    request: &Request<Bytes>,
    protocol: Option<Protocol>,
    methods: &[Authentication],
) -> Asker {
    let mut asker = signs_in(server, connection, request, methods);
    asker.asked.extend(names(request, protocol));
    asker
}

fn signs_in(
    server: &Server,
    connection: &Connection,
    request: &Request<Bytes>,
    methods: &[Authentication],
) -> Asker {
    let directory = &server.world.directory;
    let takes = |method| methods.contains(&method);
    let authorization = text(request, header::AUTHORIZATION);
    let nobody = |asked, conveyed| Asker { account: None, conveyed, asked, form: None };
    if let Some(value) = &authorization {
        if let Some((user, password)) = iis::basic(value) {
            let account = directory.authenticate(&user, &password).filter(|_| takes(Authentication::Basic));
            return Asker { account, conveyed: Conveyed::Basic, asked: vec![user], form: None };
        }
        let Some(ticket) = ticket(value) else { return nobody(vec![], Conveyed::Nothing) };
        let asked = directory.named_by(ticket).map(|account| account.address.clone());
        let integrated = takes(Authentication::Windows) || takes(Authentication::Negotiate);
        let account = directory.redeem(ticket, &server.fqdn).ok().filter(|_| integrated);
        if let Some(account) = &account {
            connection.sign_in(account.clone());
        }
        return Asker { account, conveyed: Conveyed::Ticket, asked: asked.into_iter().collect(), form: None };
    }
    if takes(Authentication::Fba)
        && let Some((user, password)) = server.sessions.find(text(request, header::COOKIE).as_deref())
    {
        let account = directory.authenticate(&user, &password);
        return Asker { account, conveyed: Conveyed::Cookie, asked: vec![user], form: None };
    }
    if takes(Authentication::Fba)
        && request.method() == http::Method::POST
        && protocols::fba::is_logon_post(server.version, request.uri().path())
        && let Ok(form) = LogonForm::read(request.body())
    {
        let account = directory.authenticate(&form.username, &form.password);
        let asked = vec![form.username.clone()];
        return Asker { account, conveyed: Conveyed::Form, asked, form: Some(form) };
    }
    match connection.signed_in() {
        Some(account) => {
            Asker { asked: vec![], account: Some(account), conveyed: Conveyed::Ticket, form: None }
        }
        None => nobody(vec![], Conveyed::Nothing),
    }
}

/// The lab's ticket in `Authorization: Negotiate …`.
fn ticket(authorization: &str) -> Option<&str> {
    let (scheme, ticket) = authorization.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("negotiate").then_some(ticket.trim())
}

/// Names that a request holds beside its sign-in.
fn names(request: &Request<Bytes>, protocol: Option<Protocol>) -> Vec<String> {
    match protocol {
        Some(Protocol::Eas) => match EasRequest::read(request) {
            Ok(eas) => eas.user.into_iter().chain([eas.device_id]).collect(),
            Err(_) => vec![],
        },
        Some(Protocol::Autodiscover) => match PoxRequest::read(request.body()) {
            Ok(pox) => pox.legacy_dn.into_iter().chain(pox.address).collect(),
            Err(_) => vec![],
        },
        _ => vec![],
    }
}

fn text(request: &Request<Bytes>, name: header::HeaderName) -> Option<String> {
    request.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The host that a request was addressed to.
pub(crate) fn host(parts: &Parts) -> Option<String> {
    let host = parts.headers.get(header::HOST)?;
    Some(String::from_utf8_lossy(host.as_bytes()).into_owned())
}
