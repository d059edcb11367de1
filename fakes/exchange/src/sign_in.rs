//! Who asks, by what a request holds: Basic, a connection-bound scheme, a session cookie, or the connection's own
//! sign-in.

use std::sync::Arc;

use bytes::Bytes;
use directory::Account;
use directory::ntlm::{Authenticate, Challenge};
use http::request::Parts;
use http::{Request, header};
use ledger::Conveyed;
use model::Protocol;
use model::topology::Authentication;
use protocols::answer::Answer;
use protocols::autodiscover::PoxRequest;
use protocols::eas::EasRequest;
use protocols::fba::LogonForm;
use protocols::iis;
use protocols::iis::ntlm::{self, Named, Says, Token};

use crate::listen::Connection;
use crate::server::Server;

/// The NetBIOS name of the lab's domain, as accounts are written.
pub(crate) const DOMAIN: &str = "CONTOSO";

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
    /// The answer to the first leg of NTLM.
    pub(crate) challenge: Option<Answer>,
}

impl Asker {
    fn nobody() -> Asker {
        Asker { account: None, conveyed: Conveyed::Nothing, asked: vec![], form: None, challenge: None }
    }

    /// Someone of this name, who is believed where there is an account.
    fn named(asked: String, account: Option<Arc<Account>>, conveyed: Conveyed) -> Asker {
        Asker { account, conveyed, asked: vec![asked], ..Asker::nobody() }
    }
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
    if let Some(value) = text(request, header::AUTHORIZATION) {
        let Some(token) = Token::read(&value) else {
            // Whoever brings other credentials is not asking as whom the connection knows.
            connection.start_over(None);
            return match iis::basic(&value) {
                Some((user, password)) => {
                    let account =
                        directory.authenticate(&user, &password).filter(|_| takes(Authentication::Basic));
                    Asker::named(user, account, Conveyed::Basic)
                }
                None => Asker::nobody(),
            };
        };
        return bound(server, connection, token, methods);
    }
    if takes(Authentication::Fba)
        && let Some((user, password)) = server.sessions.find(text(request, header::COOKIE).as_deref())
    {
        let account = directory.authenticate(&user, &password);
        return Asker::named(user, account, Conveyed::Cookie);
    }
    if takes(Authentication::Fba)
        && request.method() == http::Method::POST
        && protocols::fba::is_logon_post(server.version, request.uri().path())
        && let Ok(form) = LogonForm::read(request.body())
    {
        let account = directory.authenticate(&form.username, &form.password);
        return Asker { form: Some(form.clone()), ..Asker::named(form.username, account, Conveyed::Form) };
    }
    match connection.signed_in() {
        Some((account, conveyed)) => Asker { account: Some(account), conveyed, ..Asker::nobody() },
        None => Asker::nobody(),
    }
}

/// A token of NTLM, Negotiate or Nego2: each begins anew on its connection, and what it proves holds for that connection's
/// life. A response is good for the challenge that this connection gave last, once, and for no other.
fn bound(server: &Server, connection: &Connection, token: Token, methods: &[Authentication]) -> Asker {
    let directory = &server.world.directory;
    let offered: &[Authentication] = match token.scheme {
        "NTLM" => &[Authentication::Windows, Authentication::Ntlm],
        "Negotiate" => &[Authentication::Windows, Authentication::Negotiate],
        _ => &[Authentication::Nego2],
    };
    let taken = offered.iter().any(|method| methods.contains(method));
    let given = connection.take_challenge();
    let asker = match token.says {
        Says::Hello if taken => {
            let challenge = server.new_challenge();
            connection.start_over(Some(challenge));
            let computer = server.name.as_str().to_ascii_uppercase();
            let message = ntlm::challenge(Named { domain: DOMAIN, computer: &computer }, challenge);
            Asker { challenge: Some(ntlm::challenged(token.scheme, &message)), ..Asker::nobody() }
        }
        Says::Hello => Asker::nobody(),
        Says::Proof(message) => match Authenticate::read(&message) {
            Err(_) => Asker::nobody(),
            Ok(message) => {
                let account = given.and_then(|given| directory.ntlm(given, &message)).filter(|_| taken);
                let answers = |other: &Challenge| directory.ntlm(*other, &message).is_some();
                let astray = given.is_none() || (account.is_none() && server.gave(answers));
                let conveyed = if astray { Conveyed::NtlmAstray } else { Conveyed::Ntlm };
                Asker::named(message.named(), account, conveyed)
            }
        },
        Says::Other(ticket) => match directory.named_by(&ticket) {
            None => Asker::nobody(),
            Some(named) => {
                let account = directory.redeem(&ticket, &server.fqdn).ok();
                let account = account.filter(|_| taken && token.scheme != "NTLM");
                Asker::named(named.address.clone(), account, Conveyed::Ticket)
            }
        },
    };
    if let Some(account) = &asker.account {
        connection.sign_in(account.clone(), asker.conveyed);
    }
    asker
}

/// Names that a request holds beside its sign-in.
fn names(request: &Request<Bytes>, protocol: Option<Protocol>) -> Vec<String> {
    let mut names = written(request, protocol);
    // The mark of whoever brings nothing else: Outlook numbers its requests (`client-request-id: {…}`).
    let mark = request.headers().get("client-request-id").and_then(|mark| mark.to_str().ok());
    names.extend(mark.map(|mark| mark.trim_matches(['{', '}']).to_owned()));
    names
}

fn written(request: &Request<Bytes>, protocol: Option<Protocol>) -> Vec<String> {
    match protocol {
        Some(Protocol::Eas) => match EasRequest::read(request) {
            Ok(eas) => eas.user.into_iter().chain([eas.device_id]).collect(),
            Err(_) => vec![],
        },
        Some(Protocol::Autodiscover) => match PoxRequest::read(request.body()) {
            Ok(pox) => pox.legacy_dn.into_iter().chain(pox.address).collect(),
            Err(_) => vec![],
        },
        Some(Protocol::Mapi) => mapi(request),
        _ => vec![],
    }
}

/// MAPI over HTTP names a mailbox in its address (`MailboxId=GUID@DOMAIN`), and numbers its requests (`X-RequestId: {GUID}:1`).
fn mapi(request: &Request<Bytes>) -> Vec<String> {
    let query = request.uri().query().unwrap_or_default();
    let mailbox = query.split('&').filter_map(|pair| pair.split_once('=')).find_map(|(name, value)| {
        name.eq_ignore_ascii_case("mailboxid").then(|| value.split('@').next().unwrap_or_default().to_owned())
    });
    let number = request.headers().get("x-requestid").and_then(|number| number.to_str().ok());
    let number = number.and_then(|number| number.strip_prefix('{')?.split('}').next().map(str::to_owned));
    mailbox.into_iter().chain(number).collect()
}

fn text(request: &Request<Bytes>, name: header::HeaderName) -> Option<String> {
    request.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The host that a request was addressed to.
pub(crate) fn host(parts: &Parts) -> Option<String> {
    let host = parts.headers.get(header::HOST)?;
    Some(String::from_utf8_lossy(host.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests;
