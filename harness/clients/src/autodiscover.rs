//! The Autodiscover lookup of Outlook and of devices: candidates in their order (rule X-AD-3), redirects, the answer.

use http::Method;
use model::case::{Action, ClientKind, Lookup, Reached, Told, When};
use model::journal::ClientLeg;
use model::{HostName, WebUrl};

use crate::browser::resolve;
use crate::legs::{Ending, Leg};
use crate::network::Person;
use crate::pox::{Dialect, Reading, Settings};
use crate::scp;
use crate::session::Stored;
use crate::wire::{Reply, Request, Wire};

/// Clients stop after ten redirects (wire facts 3.1).
const MOST_REDIRECTS: usize = 10;
const MOST_ADDRESSES: usize = 3;

/// One client's lookup.
pub(crate) struct Lookups<'l, 'n> {
    pub(crate) wire: &'l mut Wire<'n>,
    pub(crate) stored: &'l mut Stored,
    pub(crate) when: &'l When,
    pub(crate) dialect: Dialect,
    pub(crate) user_agent: &'l str,
    pub(crate) legs: &'l mut Vec<ClientLeg>,
}

/// What a candidate came to.
enum Outcome {
    Settings(Box<Settings>),
    /// The lookup starts over for another address.
    Other(String),
    /// The next candidate is tried.
    Next,
    /// Nobody else is asked.
    Over,
}

impl Lookups<'_, '_> {
    /// Asks every candidate in order until one answers. The legs say what came of each.
    pub(crate) async fn look_up(&mut self, person: &Person) -> Option<Settings> {
        let mut address = person.address.clone();
        let mut domain = person.domain.clone();
        for _ in 0..MOST_ADDRESSES {
            match self.round(&address, &domain, person).await {
                Outcome::Settings(settings) => return Some(*settings),
                Outcome::Other(other) => {
                    let after = other.rsplit_once('@').map_or("", |(_, domain)| domain);
                    domain = HostName::folded(after).ok()?;
                    address = other;
                }
                Outcome::Next | Outcome::Over => break,
            }
        }
        if self.legs.is_empty() {
            let leg = Leg::new(&person.domain, Reached::Dns);
            self.legs.push(leg.tells_because(Told::Failed(0), "no step of the lookup led anywhere"));
        }
        None
    }

    /// Asks at one address that the user typed.
    pub(crate) async fn ask_at(&mut self, url: &WebUrl, person: &Person) -> Option<Settings> {
        match self.ask(url.clone(), None, Reached::Typed, &person.address).await {
            Outcome::Settings(settings) => Some(*settings),
            _ => None,
        }
    }

    async fn round(&mut self, address: &str, domain: &HostName, person: &Person) -> Outcome {
        let named = HostName::folded(&format!("autodiscover.{domain}")).ok();
        let at =
            |host: &HostName, tls| WebUrl { tls, host: host.clone(), path: self.dialect.path().to_owned() };
        let mut candidates = vec![];
        if self.goes(Lookup::HttpsRoot) {
            candidates.push(at(domain, true));
        }
        if self.goes(Lookup::HttpsAutodiscover) {
            candidates.extend(named.iter().map(|named| at(named, true)));
        }
        let plain = named.as_ref().filter(|_| self.goes(Lookup::HttpRedirect)).map(|named| at(named, false));
        if self.when.client == ClientKind::Outlook && self.goes(Lookup::Scp) {
            for url in scp::addresses(self.wire.network, self.wire.case, person).await {
                let url = if self.dialect == Dialect::Soap { url.at(self.dialect.path()) } else { url };
                match self.ask(url, None, Reached::Scp, address).await {
                    Outcome::Next => {}
                    conclusive => return conclusive,
                }
            }
        }
        for url in candidates {
            match self.ask(url, None, Reached::Dns, address).await {
                Outcome::Next => {}
                conclusive => return conclusive,
            }
        }
        if let Some(url) = plain {
            match self.ask_plainly(url, address).await {
                Outcome::Next => {}
                conclusive => return conclusive,
            }
        }
        if self.goes(Lookup::Srv)
            && let Ok(service) = HostName::folded(&format!("_autodiscover._tcp.{domain}"))
        {
            for (target, port) in self.wire.services(&service).await {
                let url = WebUrl { tls: true, host: target, path: self.dialect.path().to_owned() };
                match self.ask(url, Some(port), Reached::Dns, address).await {
                    Outcome::Next => {}
                    conclusive => return conclusive,
                }
            }
        }
        Outcome::Next
    }

    fn goes(&self, step: Lookup) -> bool {
        !self.when.excludes.contains(&step)
    }

    /// The step over plain HTTP: no credentials, and nothing but a 302 to https is an answer (MS-OXDISCO speaks of
    /// that status alone, and there are clients that take no other).
    async fn ask_plainly(&mut self, url: WebUrl, address: &str) -> Outcome {
        let mut leg = Leg::new(&url.host, Reached::Dns);
        let request =
            Request::new(Method::GET, url.at(Dialect::Outlook.path())).header("user-agent", self.user_agent);
        let (ending, target) = match self.wire.exchange(&mut leg, request).await {
            Err(broken) => (broken.into(), None),
            Ok(reply) if reply.status == 302 => match elsewhere(&url, &reply).filter(|target| target.tls) {
                Some(target) => (Ending::told(Told::Found(target.clone())), Some(target)),
                None => (
                    Ending::useless(reply.status, "the redirect over plain HTTP leads to no https address"),
                    None,
                ),
            },
            Ok(reply) => (Ending::told(Told::Failed(reply.status)), None),
        };
        self.legs.push(leg.ends(ending));
        match target {
            Some(target) => {
                let target =
                    if self.dialect == Dialect::Soap { target.at(self.dialect.path()) } else { target };
                self.ask(target, None, Reached::Told, address).await
            }
            None => Outcome::Next,
        }
    }

    async fn ask(&mut self, url: WebUrl, port: Option<u16>, reached: Reached, address: &str) -> Outcome {
        // An error of a server that a connection point named is not the last word (wire facts 3.3).
        let after_error = if reached == Reached::Scp { Outcome::Next } else { Outcome::Over };
        let mut leg = Leg::new(&url.host, reached);
        let (mut url, mut port) = (url, port);
        for _ in 0..=MOST_REDIRECTS {
            let reply = match self.stored.ask(self.wire, &mut leg, self.question(&url, port, address)).await {
                Ok(reply) => reply,
                Err(ending) => {
                    let refused = matches!(ending.told, Told::Refused(_));
                    self.legs.push(leg.ends(ending));
                    return if refused { Outcome::Over } else { Outcome::Next };
                }
            };
            let target = match self.turn(&url, &reply) {
                Turn::Elsewhere(target) => target,
                Turn::Settings(settings) => {
                    self.again(&mut leg, &url, port, address).await;
                    self.legs.push(leg.tells(Told::Answer(settings.answer.clone())));
                    return Outcome::Settings(settings);
                }
                Turn::Other(other) => {
                    let note = format!("redirected to the address {other}");
                    self.legs.push(leg.tells_because(Told::Failed(reply.status), note));
                    return Outcome::Other(other);
                }
                Turn::Error(ending) => {
                    self.legs.push(leg.ends(ending));
                    return after_error;
                }
                Turn::Failed(ending) => {
                    self.legs.push(leg.ends(ending));
                    return Outcome::Next;
                }
            };
            if target.host != leg.dials || target.tls != url.tls {
                self.legs.push(leg.tells(Told::Found(target.clone())));
                leg = Leg::new(&target.host, Reached::Told);
            }
            (url, port) = (target, None);
        }
        self.legs.push(leg.tells_because(Told::Failed(0), format!("more than {MOST_REDIRECTS} redirects")));
        Outcome::Next
    }

    /// The same question again, as often as the case wants it where the answer itself is what it is about.
    async fn again(&mut self, leg: &mut Leg, url: &WebUrl, port: Option<u16>, address: &str) {
        if matches!(self.when.does, Action::Autodiscover | Action::AutodiscoverSoap) {
            for _ in 1..self.when.times {
                // What came back is in the journal; the first answer stands.
                let _ = self.stored.ask(self.wire, leg, self.question(url, port, address)).await;
            }
        }
    }

    fn question(&self, url: &WebUrl, port: Option<u16>, address: &str) -> Request {
        let content = match self.dialect {
            Dialect::Outlook | Dialect::Device => "text/xml",
            Dialect::Soap => "text/xml; charset=utf-8",
        };
        let mut request = Request::new(Method::POST, url.clone())
            .on_port(port)
            .header("content-type", content)
            .header("user-agent", self.user_agent);
        if self.dialect == Dialect::Soap {
            const ACTION: &str =
                "\"http://schemas.microsoft.com/exchange/2010/Autodiscover/Autodiscover/GetUserSettings\"";
            request = request.header("soapaction", ACTION);
        }
        if let Some(words) = self.when.can_handle.as_ref().filter(|_| self.dialect == Dialect::Outlook) {
            request = request.header("x-clientcanhandle", words);
        }
        if self.when.says_mapi_http() && self.dialect == Dialect::Outlook {
            request = request.header("x-mapihttpcapability", "1");
        }
        request.with(self.dialect.question(address, &url.host))
    }

    fn turn(&self, url: &WebUrl, reply: &Reply) -> Turn {
        let useless = |note: String| Turn::Failed(Ending::useless(reply.status, note));
        match reply.status {
            status if is_redirect(status) => match elsewhere(url, reply) {
                Some(target) => Turn::Elsewhere(target),
                None => useless("the redirect names no web address".to_owned()),
            },
            200 => match self.dialect.read(&reply.text()) {
                Reading::Settings(settings) => Turn::Settings(settings),
                Reading::Elsewhere(target) => match WebUrl::folded(&target) {
                    Ok(target) => Turn::Elsewhere(target),
                    Err(bad) => useless(bad.to_string()),
                },
                Reading::Other(address) => Turn::Other(address),
                Reading::Error(code, message) => Turn::Error(Ending::because(
                    Told::Failed(code),
                    format!("Autodiscover error {code}: {message}"),
                )),
                Reading::Useless(why) => useless(why),
            },
            status => Turn::Failed(Ending::told(Told::Failed(status))),
        }
    }
}

/// What one answer leads to.
enum Turn {
    Elsewhere(WebUrl),
    Settings(Box<Settings>),
    Other(String),
    /// The service says no.
    Error(Ending),
    /// The endpoint is of no use.
    Failed(Ending),
}

fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

fn elsewhere(url: &WebUrl, reply: &Reply) -> Option<WebUrl> {
    resolve(url, reply.location()?)
}
