//! One request, from sign-in over discovery and decision to its answer.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use model::topology::{Authentication, Server};
use model::{HostName, Protocol, Role, Topology, Version, WebUrl};
use protocols::answer::Answer;
use protocols::eas::DeviceState;
use protocols::ews::Subscriptions;
use protocols::fba::{self, LogonForm};
use protocols::iis::{self, Place};
use protocols::rpch::Channels;
use protocols::{eas, owa};

use crate::answers;
use crate::back::{self, Dial};
use crate::clock;
use crate::decide::{Decision, Device, Question, SignIn, Target};
use crate::discover::Directory;
use crate::front::Serves;
use crate::lab::Seat;
use crate::lane::Kept;
use crate::ports::{Asked, Client, DirectoryDown, Flow, Passage, Ports, Sought};
use crate::pulse::rounds::Watch;
use crate::request_log::RequestLog;
use crate::sign_in::{self, Identity, Met, Methods, Porter};

/// The longest logon form, in bytes.
const LONGEST_FORM: usize = 64 * 1024;

/// A front end in its seat.
pub(crate) struct FrontEnd {
    pub(crate) role: Role,
    pub(crate) version: Version,
    pub(crate) seat: Seat,
    pub(crate) ports: Ports,
    pub(crate) directory: Arc<Directory>,
    pub(crate) dial: Arc<Dial>,
    /// What came here, for who is told.
    pub(crate) log: Arc<RequestLog>,
    pub(crate) kept: Arc<Kept>,
    pub(crate) porter: Porter,
    /// The health of servers behind.
    pub(crate) watch: Arc<Watch>,
    /// The topology as it was at the start: for what needs no mailbox.
    pub(crate) standing: Arc<Topology>,
    /// What devices and streaming clients left here: a 2010 front end's.
    pub(crate) devices: DeviceState,
    pub(crate) subscriptions: Subscriptions,
    /// Outlook Anywhere's channels that end here.
    pub(crate) channels: Arc<Channels>,
}

/// A client that has signed in, and what it wants.
struct Visit {
    asked: Asked,
    protocol: Protocol,
    how: SignIn,
    form: LogonForm,
    /// What the logon page was asked for, or the request itself: path and query.
    wanted: String,
}

impl Serves for FrontEnd {
    fn ports(&self) -> &Ports {
        &self.ports
    }

    fn greeted(&self, client: Client, sni: Option<&str>) {
        self.log.greeted(client, sni);
    }

    async fn handle(&self, client: Client, tls: bool, request: Request<Flow>) -> Response<Flow> {
        let (mut head, body) = request.into_parts();
        let asked = self.ports.front.request(client, tls, &mut head);
        self.log.begin(&asked, &head.headers);
        self.watch.used();
        let request = Request::from_parts(head, body);
        let answer = match tls || self.takes_in_clear(&asked) {
            true => self.answer(&asked, request).await,
            false => self.own(to_tls(&asked)),
        };
        // Whoever has not been told of by now is nobody.
        self.log.tell(client, None, None).await;
        self.ports.front.answer(&asked, answer).await
    }

    fn gone(&self, client: Client) {
        self.kept.forget(client.connection);
        self.porter.forget(client);
        self.log.forget(client);
    }
}

impl FrontEnd {
    async fn answer(&self, asked: &Asked, request: Request<Flow>) -> Response<Flow> {
        let path = asked.target.split('?').next().unwrap_or_default();
        let entered = asked
            .protocol
            .and_then(|protocol| Some((protocol, sign_in::methods(self.own_server()?, protocol)?)));
        let Some((protocol, methods)) = entered else {
            return self.own(match path {
                "/" => iis::found("/owa/"), // wire facts 1.2
                _ => iis::not_found(),
            });
        };
        if self.role == Role::FrontEnd2013 && is_health_page(path) {
            return self.own(iis::health_page(self.seat.fqdn.as_str()));
        }
        match methods {
            Methods::Forms => self.by_forms(asked, protocol, request).await,
            Methods::Offered(mut offers) => {
                // Nobody is asked for a password in clear (X-SEC-5).
                offers.retain(|offer| asked.tls || *offer != Authentication::Basic);
                let own = &self.seat.fqdn;
                let met = self.porter.meet(&self.directory, own, asked.client, request.headers(), &offers);
                let identity = match met.await {
                    Ok(Met::Challenged(answer)) => return self.own(answer),
                    Ok(Met::Is(identity)) => identity,
                    Err(down) => return self.directory_down(&down),
                };
                let challenge = || {
                    let host = asked.host.as_ref().unwrap_or(&self.seat.fqdn);
                    self.own(iis::challenge(&offers, host.as_str()))
                };
                self.visit(asked, protocol, asked.target.clone(), identity, Some(request), challenge).await
            }
        }
    }

    /// Whether a channel of Outlook Anywhere is taken without TLS: where clients inside need no SSL (CX-EXHTTP-3).
    fn takes_in_clear(&self, asked: &Asked) -> bool {
        let settings = self.own_server().and_then(|server| server.outlook_anywhere.as_ref());
        self.role == Role::FrontEnd2013
            && asked.protocol == Some(Protocol::OutlookAnywhere)
            && settings.is_some_and(|own| own.internal_host.is_some() && !own.internal_ssl)
    }

    /// Browsers: the logon page, its form, its sessions (wire facts 1.1 and 1.2).
    async fn by_forms(&self, asked: &Asked, protocol: Protocol, request: Request<Flow>) -> Response<Flow> {
        let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
        let host = asked.host.as_ref().unwrap_or(&self.seat.fqdn);
        let home = format!("https://{host}/owa/");
        let Some(build) = self.own_server().map(|server| server.build) else { return answers::status(503) };
        if fba::is_logon_page(path) {
            let (wanted, reason) = fba::wanted(query);
            let wanted = wanted.unwrap_or(home);
            let asks = self.asks_public_or_private();
            return self.own(fba::logon_page(self.version, build, &wanted, reason.unwrap_or(0), asks));
        }
        if let Some(answer) = owa::unauthenticated(self.version, build, path) {
            return self.own(answer);
        }
        if path.eq_ignore_ascii_case("/owa/logoff.owa") {
            let cookies = self.porter.sessions.close(sign_in::cookies(request.headers()).as_deref());
            return self.own(with_cookies(iis::found("/owa/auth/logon.aspx?reason=1"), &cookies));
        }
        if fba::is_logon_post(self.version, path) && asked.verb == Method::POST {
            let form = match read_form(request).await {
                Ok(form) => form,
                Err(code) => return self.own(iis::status(code)),
            };
            let wanted = landing(&form.destination, host);
            let identity = match self.porter.typed(&self.directory, form).await {
                Ok(identity) => identity,
                Err(down) => return self.directory_down(&down),
            };
            let back_to = format!("https://{host}{wanted}");
            let again = || self.own(fba::to_logon(self.version, host, &back_to, 2));
            let protocol = Protocol::of_path(&wanted).unwrap_or(protocol);
            return self.visit(asked, protocol, wanted.clone(), identity, None, again).await;
        }
        let identity = self.porter.session(request.headers());
        let wanted = format!("https://{host}{}", asked.target);
        let reason = self.porter.reason(request.headers());
        let logon = || {
            self.own(match asked.verb == Method::GET || asked.verb == Method::HEAD {
                true => fba::to_logon(self.version, host, &wanted, reason),
                false => fba::login_timeout(),
            })
        };
        self.visit(asked, protocol, asked.target.clone(), identity, Some(request), logon).await
    }

    /// Discovery and decision, for whoever has signed in; everybody else gets the same answer (GEN-1).
    async fn visit(
        &self,
        asked: &Asked,
        protocol: Protocol,
        wanted: String,
        identity: Identity,
        request: Option<Request<Flow>>,
        challenge: impl Fn() -> Response<Flow>,
    ) -> Response<Flow> {
        let headers = request.as_ref().map(|request| request.headers().clone()).unwrap_or_default();
        let query = wanted.split_once('?').map(|(_, query)| query).unwrap_or_default();
        let mut question = Question {
            client: asked.client,
            role: self.role,
            seat: self.seat.server.clone(),
            topology: self.standing.clone(),
            protocol,
            verb: asked.verb.clone(),
            target: wanted.clone(),
            host: asked.host.clone(),
            cookies: sign_in::cookies(&headers),
            sign_in: SignIn::Not,
            account: None,
            claimed: None,
            device: Device::of(&headers, query),
            down: self.watch.down(),
        };
        let visit = |how, form| Visit { asked: asked.clone(), protocol, how, form, wanted: wanted.clone() };
        let visit = match identity {
            Identity::None => return challenge(),
            Identity::Wrong { claimed } => {
                self.log.tell(asked.client, Some(&claimed), None).await;
                question.claimed = Some(claimed.clone());
                visit(SignIn::Not, sign_in::form(&claimed, ""))
            }
            Identity::Known { user, how, form } => {
                // What a connection signed in is not what this request says.
                let named = (how != SignIn::Bound).then_some(form.username.as_str());
                self.log.tell(asked.client, named, Some((&user, how))).await;
                let sought = Sought { client: asked.client, user, protocol, query: query.to_owned() };
                match self.ports.discover.find(&sought).await {
                    Ok(facts) => (question.topology, question.account) = (facts.topology, facts.account),
                    Err(down) => return self.directory_down(&down),
                }
                question.sign_in = how;
                visit(how, form)
            }
        };
        let decision = self.ports.decide.decide(&question);
        match decision {
            Decision::Challenge => challenge(),
            decision => self.act(&visit, decision, &question, request).await,
        }
    }

    async fn act(
        &self,
        visit: &Visit,
        decision: Decision,
        question: &Question,
        request: Option<Request<Flow>>,
    ) -> Response<Flow> {
        match decision {
            Decision::Challenge => answers::status(401),
            Decision::SilentRedirect(url, version) => {
                let landing = landing_at(&url, &visit.wanted);
                let action = fba::logon_endpoint(version, &url);
                self.own(fba::silent_form(version, &action, &visit.form, &landing))
            }
            Decision::Found(url) => self.own(fba::found(&url)),
            Decision::Manual(url) => self.own(fba::manual_page(&url)),
            Decision::Http451(location) => {
                self.own(eas::http451(location.map(|url| url.to_string()).as_deref()))
            }
            Decision::Refuse(code) => {
                self.own(iis::status(StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)))
            }
            // What was typed is right and the mailbox is had from here: the session begins.
            Decision::Proxy(_) | Decision::Serve(_) | Decision::Unwrap(_) | Decision::WriteAutodiscover
                if request.is_none() =>
            {
                let host = visit.asked.host.as_ref().unwrap_or(&self.seat.fqdn);
                let cookies = match visit.how {
                    SignIn::Not => vec![],
                    _ => {
                        let told = self.porter.sessions.life();
                        let life = self.ports.front.session_life(visit.asked.client, told);
                        self.porter.sessions.open_for(life, &visit.form.username, &visit.form.password)
                    }
                };
                let Ok(destination) = WebUrl::folded(&format!("https://{host}{}", visit.wanted)) else {
                    return answers::status(400);
                };
                self.own(fba::signed_in(&destination, &cookies))
            }
            Decision::Proxy(to) => {
                let Some(request) = request else { return answers::status(500) };
                self.pass_on(visit, question, &to, request).await
            }
            Decision::Unwrap(to) => {
                let Some(request) = request else { return answers::status(500) };
                self.unwrap(&visit.asked, question.account.as_ref(), &to, request).await
            }
            Decision::Serve(mailbox_server) => {
                let (Some(request), Some(account)) = (request, &question.account) else {
                    return answers::status(500);
                };
                let answer = self.serve(question, account, &mailbox_server, request).await;
                self.own(answer)
            }
            Decision::WriteAutodiscover => {
                let (Some(request), Some(account)) = (request, &question.account) else {
                    return answers::status(500);
                };
                let answer = self.write_autodiscover(question, account, request).await;
                self.own(answer)
            }
        }
    }

    /// Carries a request to one of the candidates and its answer back.
    async fn pass_on(
        &self,
        visit: &Visit,
        question: &Question,
        to: &[Target],
        request: Request<Flow>,
    ) -> Response<Flow> {
        let account = question.account.clone();
        let chosen = self.ports.choose.choose(&visit.asked, account.as_ref(), to);
        let Some(Target { host, port }) = chosen else { return self.own(iis::unavailable()) };
        let bound = self.porter.bound(visit.asked.client).filter(|_| visit.how == SignIn::Bound);
        let passage = Passage { asked: visit.asked.clone(), account, bound, host, port };
        let began = clock::now();
        match back::carry(&self.ports, &passage, request).await {
            Ok(answer) => {
                if let Some(server) = question.topology.server_with_fqdn(&passage.host) {
                    self.watch.carried(server, visit.protocol, began.elapsed());
                }
                relocated(&passage, answer)
            }
            Err(error) => {
                eprintln!("{} {}: {error}", visit.asked.verb, visit.protocol);
                self.own(iis::unavailable())
            }
        }
    }

    /// An answer of this server's own.
    pub(crate) fn own(&self, answer: Answer) -> Response<Flow> {
        let Some(server) = self.own_server() else { return answers::own(answer) };
        let place = if self.role == Role::FrontEnd2013 { Place::FrontEnd } else { Place::ClientAccess };
        answers::own(iis::dress(self.version, server.build, self.seat.fqdn.as_str(), place, answer))
    }

    pub(crate) fn own_server(&self) -> Option<&Server> {
        self.standing.server(&self.seat.server)
    }

    /// A setting of OWA's virtual directory; where it is not set, 2013 asks nothing (CX-OWA-8, X-OWA-5).
    fn asks_public_or_private(&self) -> bool {
        let owa = self.own_server().and_then(|server| server.directory(Protocol::Owa));
        owa.and_then(|owa| owa.public_private_selection).unwrap_or(self.version != Version::Exchange2013)
    }

    fn directory_down(&self, down: &DirectoryDown) -> Response<Flow> {
        eprintln!("{down}");
        self.own(iis::unavailable())
    }
}

/// Port 80 signs nobody in: it leads to TLS (wire facts 3.3 for Autodiscover, X-SEC-5).
pub(crate) fn to_tls(asked: &Asked) -> Answer {
    match (&asked.host, asked.verb == Method::GET || asked.verb == Method::HEAD) {
        (Some(host), true) => iis::found(&format!("https://{host}{}", asked.target)),
        (None, true) => iis::status(StatusCode::BAD_REQUEST),
        (_, false) => iis::forbidden(),
    }
}

fn is_health_page(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|file| file.eq_ignore_ascii_case("healthcheck.htm"))
        && path.matches('/').count() == 2
}

async fn read_form(request: Request<Flow>) -> Result<LogonForm, StatusCode> {
    let body = read(request.into_body(), LONGEST_FORM).await?;
    LogonForm::read(&body).map_err(|_| StatusCode::BAD_REQUEST)
}

/// A small body, whole.
pub(crate) async fn read(body: Flow, longest: usize) -> Result<Bytes, StatusCode> {
    let collected = clock::within(clock::SMALL_BODY, Limited::new(body, longest).collect()).await;
    match collected {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            Err(StatusCode::PAYLOAD_TOO_LARGE)
        }
        Ok(Err(_)) => Err(StatusCode::BAD_REQUEST),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// Path and query to land on after the logon page: of this host, and below a virtual directory for browsers.
fn landing(destination: &str, host: &HostName) -> String {
    let wanted = WebUrl::folded(destination).ok().filter(|url| url.host == *host).map(|url| url.path);
    let browser = |path: &String| matches!(Protocol::of_path(path), Some(Protocol::Owa | Protocol::Ecp));
    wanted.filter(browser).unwrap_or_else(|| "/owa/".to_owned())
}

/// The same page at another server's address, if it has such pages.
fn landing_at(url: &WebUrl, wanted: &str) -> WebUrl {
    let page = wanted.trim_start_matches('/').split_once('/').map(|(_, page)| page).unwrap_or_default();
    match Protocol::of_path(wanted) == Protocol::of_path(&url.path) && !page.is_empty() {
        true => url.at(wanted),
        false => url.clone(),
    }
}

/// An address that names the server behind is of no use to the client: it is rewritten to the host that it called.
fn relocated(passage: &Passage, mut answer: Response<Flow>) -> Response<Flow> {
    let location = answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
    let Some((location, host)) = location.zip(passage.asked.host.as_ref()) else { return answer };
    let Some((scheme, rest)) = location.split_once("://") else { return answer };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let named = authority.split(':').next().unwrap_or_default();
    if named.eq_ignore_ascii_case(passage.host.as_str())
        && let Ok(value) = HeaderValue::from_str(&format!("{scheme}://{host}{path}"))
    {
        answer.headers_mut().insert(header::LOCATION, value);
    }
    answer
}

fn with_cookies(mut answer: Answer, cookies: &[String]) -> Answer {
    for cookie in cookies {
        if let Ok(cookie) = HeaderValue::from_str(cookie) {
            answer.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    answer
}
