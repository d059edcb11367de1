//! One server: what it does with a request, from sign-in to answer. It records before it passes on and before it
//! answers.

use std::collections::VecDeque;
use std::future::Future;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use directory::Account;
use directory::ntlm::Challenge;
use http::header::AUTHORIZATION;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use ledger::Draft;
use model::case::Askers;
use model::digest::Digest;
use model::journal::Order;
use model::topology::{Authentication, OutlookAnywhere};
use model::{Build, HostName, Protocol, ServerName, Version, WebUrl};
use protocols::answer::{Answer, Body};
use protocols::eas::{self, DeviceState, EasRequest};
use protocols::ews::Subscriptions;
use protocols::fba::{self, Sessions};
use protocols::iis::{self, Place};
use protocols::mailbox::Mailbox;
use protocols::msrpc::{Local, Session};
use protocols::rpch::Channels;
use protocols::{oab, owa};
use tokio::task::JoinSet;

use crate::body::Out;
use crate::clock::{LIMIT, within};
use crate::dictated::{self, Cut};
use crate::listen::Connection;
use crate::route::{self, Route};
use crate::sign_in::{self, Asker};
use crate::{RPC_PORT, World, autodiscover, channels, mapi, pass_on, tap};

/// The most that a request's body may hold.
pub(crate) const MOST_BODY_BYTES: usize = 1024 * 1024;

/// How many NTLM challenges a server remembers, to tell a response that went astray from a wrong one.
const MOST_CHALLENGES: usize = 256;

/// One server of the lab.
pub(crate) struct Server {
    pub(crate) world: Arc<World>,
    pub(crate) name: ServerName,
    pub(crate) fqdn: HostName,
    pub(crate) version: Version,
    pub(crate) build: Build,
    pub(crate) source: IpAddr,
    pub(crate) sessions: Sessions,
    /// The channels of Outlook Anywhere that its RPC proxy holds.
    pub(crate) channels: Arc<Channels>,
    devices: DeviceState,
    subscriptions: Subscriptions,
    /// Sessions of MAPI over HTTP.
    pub(crate) mapi_sessions: protocols::mapi::Sessions,
    /// NTLM challenges given lately, on whatever connection.
    challenges: Mutex<VecDeque<Challenge>>,
    /// Connections to servers behind whose answers are still being sent.
    behind: Mutex<JoinSet<()>>,
}

/// A request that has been read and recorded: at which of the server's names, for which virtual directory.
struct Asked<'a> {
    connection: &'a Connection,
    request: &'a Request<Bytes>,
    host: &'a str,
    protocol: Option<Protocol>,
}

/// A request that has been read, signed in and recorded.
struct Held<'a> {
    connection: &'a Connection,
    request: &'a Request<Bytes>,
    protocol: Protocol,
    account: Arc<Account>,
    form: Option<fba::LogonForm>,
    order: Order,
}

impl Server {
    pub(crate) fn new(world: Arc<World>, name: ServerName, source: IpAddr) -> Server {
        let topology = world.directory.topology();
        let facts = &topology.servers[&name];
        Server {
            fqdn: topology.fqdn(&name),
            version: facts.version,
            build: facts.build,
            sessions: Sessions::new(facts.version),
            channels: Arc::new(match facts.rpc_channel_lifetime {
                Some(bytes) => Channels::living(bytes.into()),
                None => Channels::default(),
            }),
            devices: DeviceState::default(),
            subscriptions: Subscriptions::default(),
            mapi_sessions: Default::default(),
            challenges: Mutex::default(),
            behind: Mutex::new(JoinSet::new()),
            world,
            name,
            source,
        }
    }

    /// Drives a connection to a server behind until its answer has been sent; it ends with this server.
    pub(crate) fn drive(&self, connection: impl Future<Output: Send> + Send + 'static) {
        let mut behind = self.behind.lock().unwrap_or_else(PoisonError::into_inner);
        while behind.try_join_next().is_some() {}
        behind.spawn(async move {
            // How it ended shows in the answer that it carried.
            drop(connection.await);
        });
    }

    /// An NTLM challenge that was never given before.
    pub(crate) fn new_challenge(&self) -> Challenge {
        let mut challenge = Challenge::default();
        // A generator that fails leaves a challenge that is not fresh; no sign-in of a lab is a secret.
        let _ = rustls::crypto::ring::default_provider().secure_random.fill(&mut challenge);
        self.remember(challenge);
        challenge
    }

    /// A challenge is given from here.
    pub(crate) fn remember(&self, challenge: Challenge) {
        let mut given = self.challenges.lock().unwrap_or_else(PoisonError::into_inner);
        given.truncate(MOST_CHALLENGES - 1);
        given.push_front(challenge);
    }

    /// Whether one of the challenges given lately is such a one.
    pub(crate) fn gave(&self, such: impl Fn(&Challenge) -> bool) -> bool {
        self.challenges.lock().unwrap_or_else(PoisonError::into_inner).iter().any(such)
    }

    /// Answers one request.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        connection: &Connection,
        request: Request<Incoming>,
    ) -> Result<Response<Out>, Cut> {
        let (parts, body) = request.into_parts();
        // Before the body is read: a long one would push the head out of what is kept.
        let head = connection.heard.head(parts.method.as_str(), &parts.uri.to_string());
        if let Some(wanted) = dictated::listens(self, connection, &parts, Protocol::of_path(parts.uri.path()))
        {
            let verb = parts.method.clone();
            let host = sign_in::host(&parts);
            let request = Request::from_parts(parts, Bytes::new());
            let methods = self.methods(connection, Some(wanted.0));
            let asker = sign_in::read(self, connection, &request, Some(wanted.0), &methods);
            let order = self.record(connection, &request, &head, host, Some(wanted.0), &asker);
            return dictated::answer(self, connection, body, &verb, wanted, order).await;
        }
        if channels::opens(&parts) && (connection.tls || connection.back_end) {
            return channels::answer(self, connection, parts, body, &head).await;
        }
        Ok(self.answer_whole(connection, Request::from_parts(parts, body), &head).await)
    }

    /// Answers a request once its body is there.
    async fn answer_whole(
        &self,
        connection: &Connection,
        request: Request<Incoming>,
        head: &[u8],
    ) -> Response<Out> {
        let (parts, body) = request.into_parts();
        let collected = within(LIMIT, Limited::new(body, MOST_BODY_BYTES).collect()).await;
        let (body, whole) = match collected {
            Some(Ok(body)) => (body.to_bytes(), Ok(())),
            Some(Err(_)) => (Bytes::new(), Err(StatusCode::PAYLOAD_TOO_LARGE)),
            None => (Bytes::new(), Err(StatusCode::REQUEST_TIMEOUT)),
        };
        let host = sign_in::host(&parts);
        let request = Request::from_parts(parts, body);
        let protocol = Protocol::of_path(request.uri().path());
        let methods = self.methods(connection, protocol);
        let asker = sign_in::read(self, connection, &request, protocol, &methods);
        let order = self.record(connection, &request, head, host.clone(), protocol, &asker);
        if let Err(status) = whole {
            return self.dressed(connection, iis::status(status));
        }
        let host = host.as_deref().unwrap_or(self.fqdn.as_str());
        let asked = Asked { connection, request: &request, host, protocol };
        let pinged = protocol.filter(|_| is_ping(connection, &request, &asker));
        if let Some(fault) = pinged.and_then(|of| self.world.faults.next(Askers::Pings, &self.name, of)) {
            return self.dressed(connection, fault.answer());
        }
        match self.unauthenticated(&asked) {
            Some(answer) => self.dressed(connection, answer),
            None => self.authenticated(&asked, &methods, asker, order).await,
        }
    }

    pub(crate) fn record(
        &self,
        connection: &Connection,
        request: &Request<Bytes>,
        head: &[u8],
        host: Option<String>,
        protocol: Option<Protocol>,
        asker: &Asker,
    ) -> Order {
        let target = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let order = self.world.ledger.record(Draft {
            server: self.name.clone(),
            protocol: protocol.unwrap_or(Protocol::Owa),
            verb: request.method().to_string(),
            target,
            host,
            sni: connection.sni.clone(),
            tls: connection.tls,
            starttls: false,
            peer: connection.peer,
            asked: asker.asked.clone(),
            believed_to_be: asker.account.as_ref().map(|account| account.name.clone()),
            conveyed: asker.conveyed,
            head: tap::redacted(head),
            body: Some(Digest::of(request.body())),
            connection: connection.id,
            request: connection.next_request(),
            // Asked again with each request: a front end behind the seat says so for each.
            opener: self.world.ledger.opener(connection.peer),
        });
        connection.answers.begins(order, protocol);
        order
    }

    /// What a virtual directory takes. The back end takes what Exchange servers bring, and Basic for subjects that pass
    /// on what the client gave (a lab's switch; the real one takes Windows authentication alone).
    pub(crate) fn methods(&self, connection: &Connection, protocol: Option<Protocol>) -> Vec<Authentication> {
        if connection.back_end {
            return vec![Authentication::Windows, Authentication::Basic];
        }
        let topology = self.world.directory.topology();
        let own = topology.servers.get(&self.name);
        if protocol == Some(Protocol::OutlookAnywhere) {
            return own.and_then(|server| server.outlook_anywhere.as_ref()).map(takes).unwrap_or_default();
        }
        let directory = protocol.and_then(|protocol| own?.directory(protocol));
        let Some(directory) = directory else { return vec![] };
        let mut methods = directory.authentication.clone();
        if directory.forms && !methods.contains(&Authentication::Fba) {
            methods.push(Authentication::Fba);
        }
        if !directory.forms {
            methods.retain(|method| *method != Authentication::Fba);
        }
        methods
    }

    /// What a server answers before anybody signs in.
    fn unauthenticated(&self, &Asked { connection, request, host, protocol }: &Asked<'_>) -> Option<Answer> {
        let path = request.uri().path();
        if !connection.tls && !connection.back_end {
            // Port 80 leads to TLS, and asks nobody for credentials (rules X-AD-3, X-SEC-5).
            return Some(iis::found(&format!("https://{host}{}", request.uri())));
        }
        let Some(protocol) = protocol else {
            return Some(if path == "/" { iis::found("/owa/") } else { iis::not_found() });
        };
        if let Some(answer) = self.before_sign_in(protocol, path) {
            return Some(answer);
        }
        if matches!(protocol, Protocol::Owa | Protocol::Ecp) {
            if fba::is_logon_page(path) && request.method() == Method::GET {
                let (wanted, reason) = fba::wanted(request.uri().query().unwrap_or_default());
                let wanted = wanted.unwrap_or_else(|| format!("https://{host}/owa/"));
                let reason = reason.unwrap_or_default();
                return Some(fba::logon_page(self.version, self.build, &wanted, reason, self.asks_public()));
            }
            return owa::unauthenticated(self.version, self.build, path);
        }
        (path.to_ascii_lowercase().ends_with("/healthcheck.htm") && self.version == Version::Exchange2013)
            .then(|| iis::health_page(self.fqdn.as_str()))
    }

    /// What IIS answers of itself: a folder without its slash is 301 (rule CX-HLT-10, the log); and what came with Exchange 2010
    /// is not there in 2007.
    fn before_sign_in(&self, protocol: Protocol, path: &str) -> Option<Answer> {
        match protocol {
            Protocol::Owa if path.eq_ignore_ascii_case("/owa") => Some(iis::moved("/owa/")),
            Protocol::Ecp | Protocol::PowerShell if self.version == Version::Exchange2007 => {
                Some(iis::not_found())
            }
            // Administrators sign in by Kerberos, and no client of a lab is one.
            Protocol::PowerShell => Some(iis::challenge(&[Authentication::Negotiate], self.fqdn.as_str())),
            _ => None,
        }
    }

    /// Whether the logon page asks if the computer is public or private: unless set, those of 2007 and 2010 do (rule X-OWA-5).
    fn asks_public(&self) -> bool {
        let topology = self.world.directory.topology();
        let owa = topology.servers.get(&self.name).and_then(|own| own.directory(Protocol::Owa));
        owa.and_then(|owa| owa.public_private_selection).unwrap_or(self.version != Version::Exchange2013)
    }

    async fn authenticated(
        &self,
        &Asked { connection, request, host, protocol }: &Asked<'_>,
        methods: &[Authentication],
        asker: Asker,
        order: Order,
    ) -> Response<Out> {
        let Some(protocol) = protocol else { return self.dressed(connection, iis::not_found()) };
        if let Some(challenge) = asker.challenge {
            return self.dressed(connection, challenge);
        }
        let Some(account) = asker.account else {
            let answer = self.challenge(request, host, methods, asker.form.is_some());
            return self.dressed(connection, answer);
        };
        if let Some(fault) = self.world.faults.next(Askers::Clients, &self.name, protocol) {
            return self.dressed(connection, fault.answer());
        }
        let held = Held { connection, request, protocol, account, form: asker.form, order };
        self.held(held, host).await
    }

    /// How a request without a right sign-in is answered: the same for every mailbox (rule GEN-1).
    fn challenge(
        &self,
        request: &Request<Bytes>,
        host: &str,
        methods: &[Authentication],
        typed: bool,
    ) -> Answer {
        if methods.contains(&Authentication::Fba) {
            let wanted = format!("https://{host}{}", request.uri());
            let reason = if typed { 2 } else { 0 };
            let wanted = if typed { format!("https://{host}/owa/") } else { wanted };
            if !matches!(*request.method(), Method::GET | Method::HEAD) && !typed {
                return fba::login_timeout();
            }
            let own = HostName::folded(host).unwrap_or_else(|_| self.fqdn.clone());
            return fba::to_logon(self.version, &own, &wanted, reason);
        }
        iis::challenge(methods, host)
    }

    async fn held(&self, held: Held<'_>, host: &str) -> Response<Out> {
        let Some(facts) = self.world.directory.facts(held.account.name.as_str()) else {
            return self.dressed(held.connection, iis::status(StatusCode::INTERNAL_SERVER_ERROR));
        };
        let topology = self.world.directory.topology();
        let eas = EasRequest::read(held.request).ok();
        let device = eas.map(|eas| eas.protocol).or_else(|| said_protocol(held.request));
        let route = route::route(&self.world.routes, &topology, &self.name, held.protocol, &facts, device);
        let typed = held.form.as_ref();
        let answer = match route {
            // OPTIONS is about the server, and reads no mailbox.
            Route::Serve if held.protocol == Protocol::Eas && held.request.method() == Method::OPTIONS => {
                eas::options(self.version, self.build)
            }
            Route::Serve => match (typed, facts.server == self.name) {
                (Some(form), _) => self.open_session(form, host),
                (None, true) if held.protocol == Protocol::Mapi => {
                    mapi::serve(self, &topology, &held.account, held.request)
                }
                (None, true) => {
                    let inbox = self.world.stores.inbox(&held.account);
                    self.serve(&held, Local(inbox)).await
                }
                (None, false) => {
                    let behind = topology.fqdn(&facts.server);
                    match self.read_behind(&held, &behind).await {
                        Ok(answer) => answer,
                        Err(_) => iis::unavailable(),
                    }
                }
            },
            Route::Write => autodiscover::write(self, &topology, &facts, held.request),
            Route::Distribute => self.distribute(&topology, held.request),
            Route::PassOn(to, url) => {
                if let Some(form) = typed {
                    self.open_session(form, host)
                } else {
                    let passed =
                        pass_on::pass_on(self, held.request, &held.account, &to, &url.host, held.order).await;
                    return match passed {
                        Ok(answer) => self.carried(held.connection, answer),
                        Err(_) => self.dressed(held.connection, iis::unavailable()),
                    };
                }
            }
            Route::Silent(to, url) => self.silent(&topology, typed, &to, &url),
            // What is no channel at the RPC proxy.
            Route::Unwrap(_) => iis::status(StatusCode::METHOD_NOT_ALLOWED),
            Route::Manual(url) => fba::manual_page(&url),
            Route::Found(url) => iis::found(&url.to_string()),
            Route::Http451(url) => eas::http451(url.map(|url| url.to_string()).as_deref()),
            Route::Refuse(status) => {
                iis::status(StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN))
            }
        };
        self.dressed(held.connection, answer)
    }

    fn open_session(&self, form: &fba::LogonForm, host: &str) -> Answer {
        let own = HostName::folded(host).unwrap_or_else(|_| self.fqdn.clone());
        let home = WebUrl { tls: true, host: own, path: "/owa/".to_owned() };
        let landing =
            WebUrl::folded(&form.destination).ok().filter(|url| url.host == home.host).unwrap_or(home);
        fba::signed_in(&landing, &self.sessions.open(&form.username, &form.password))
    }

    /// Silent single sign-on needs forms at both ends; else a plain redirect (rules X-OWA-1, X-OWA-3).
    fn silent(
        &self,
        topology: &model::Topology,
        typed: Option<&fba::LogonForm>,
        to: &ServerName,
        url: &WebUrl,
    ) -> Answer {
        let target = topology.servers.get(to);
        let forms = target.and_then(|server| server.directory(Protocol::Owa)).is_some_and(|directory| {
            directory.forms && directory.external_authentication.contains(&Authentication::Fba)
        });
        match (typed, target) {
            (Some(form), Some(target)) if forms => {
                fba::silent_form(target.version, &fba::logon_endpoint(target.version, url), form, url)
            }
            _ => iis::found(&url.to_string()),
        }
    }

    async fn read_behind(&self, held: &Held<'_>, behind: &HostName) -> Result<Answer, pass_on::NotPassedOn> {
        let stream = pass_on::dial(self, behind, RPC_PORT, held.order).await?;
        match within(LIMIT, Session::connect(stream, &held.account.legacy_dn)).await {
            Some(Ok(session)) => Ok(self.serve(held, session).await),
            _ => Ok(iis::unavailable()),
        }
    }

    async fn serve<M: Mailbox>(&self, held: &Held<'_>, mailbox: M) -> Answer {
        match held.protocol {
            Protocol::Owa | Protocol::Ecp => {
                owa::serve(self.version, self.build, held.request, mailbox).await
            }
            Protocol::Eas if held.request.method() == Method::OPTIONS => {
                eas::options(self.version, self.build)
            }
            Protocol::Eas => eas::serve(self.version, self.build, held.request, mailbox, &self.devices).await,
            Protocol::Ews => {
                protocols::ews::serve(self.version, self.build, held.request, mailbox, &self.subscriptions)
                    .await
            }
            _ => iis::not_found(),
        }
    }

    /// Serves the address book that the path names, where this server distributes it.
    fn distribute(&self, topology: &model::Topology, request: &Request<Bytes>) -> Answer {
        let path = request.uri().path().to_ascii_lowercase();
        let guid = path.split('/').nth(2).unwrap_or_default();
        let wanted = topology.oabs.iter().find(|(_, oab)| oab.guid.to_ascii_lowercase() == guid);
        let Some((name, oab)) = wanted else { return iis::not_found() };
        let generates = oab
            .organization_mailbox
            .as_ref()
            .and_then(|database| topology.databases.get(database))
            .is_some_and(|database| database.active == self.name);
        match generates || oab.distribution_points.contains(&self.name) {
            true => oab::serve(request, name.as_str(), &oab.guid),
            false => iis::not_found(),
        }
    }

    /// The answer of a server behind, with this server's own marks.
    fn carried(&self, connection: &Connection, answer: Response<Incoming>) -> Response<Out> {
        let (mut parts, body) = answer.into_parts();
        pass_on::strip(&mut parts.headers);
        let dressed = self.dress(connection, Response::from_parts(parts, Body::empty()));
        dressed.map(|_| Out::Carried(body))
    }

    pub(crate) fn dressed(&self, connection: &Connection, answer: Answer) -> Response<Out> {
        self.dress(connection, answer).map(Out::from)
    }

    fn dress(&self, connection: &Connection, answer: Answer) -> Answer {
        let place = if connection.back_end { Place::BackEnd } else { Place::ClientAccess };
        let mut answer = iis::dress(self.version, self.build, self.fqdn.as_str(), place, answer);
        if let Some(iis::Reason(reason)) = answer.extensions_mut().remove::<iis::Reason>()
            && let Ok(reason) = ReasonPhrase::try_from(reason.into_bytes())
        {
            answer.extensions_mut().insert(reason);
        }
        answer
    }
}

/// Whether a request asks for this server's health: nobody's client can be seen to have asked for it.
fn is_ping(connection: &Connection, request: &Request<Bytes>, asker: &Asker) -> bool {
    let only_asks = matches!(*request.method(), Method::GET | Method::HEAD);
    let of_nobody = asker.asked.is_empty() && asker.account.is_none() && asker.challenge.is_none();
    only_asks && of_nobody && connection.opener.is_none() && !request.headers().contains_key(AUTHORIZATION)
}

/// What the RPC proxy's virtual directory takes. Its settings are Outlook Anywhere's own: `Ntlm` turns IIS's Windows
/// Authentication on, which offers Negotiate too.
fn takes(settings: &OutlookAnywhere) -> Vec<Authentication> {
    let windows = |method: &Authentication| match method {
        Authentication::Ntlm => Authentication::Windows,
        other => *other,
    };
    settings.iis_authentication.iter().map(windows).collect()
}

/// What a device says that it speaks, where its request is no command: OPTIONS.
fn said_protocol(request: &Request<Bytes>) -> Option<eas::Protocol> {
    request.headers().get("ms-asprotocolversion")?.to_str().ok()?.parse().ok()
}
