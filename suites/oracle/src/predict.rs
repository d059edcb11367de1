//! Follows a client from leg to leg: what it opens, what the table decides there, where it goes next.

use std::collections::BTreeMap;

use model::case::{
    Action, Answer, Cell, ClientKind, ComesBack, Computer, Lookup, Opens, Password, Scheme, SignsIn,
};
use model::topology::{RedirectType, Server, ServerRole};
use model::{HostName, Leg, Prompts, Protocol, ServerName, Told, Topology, Version, When};

use crate::Unpredicted;
use crate::columns::{
    Asks, Conditions, Credentials, CrossSite, Device, Holds, Ntlm, Outcome, Place, PlainRedirect, Reached,
    Seat, Selection, SingleSignOn, Speaks,
};
use crate::facts::{
    Candidates, Facts, Here, bound_by, cross_site_redirect, fault, legacy_redirect, moves,
    public_private_selection, scheme_of, signs_in_by_forms, speaks, takes_scheme, takes_the_silent_form,
};
use crate::health::Down;
use crate::table::Table;

/// What the rule book says a client sees.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The legs, in order.
    pub legs: Vec<Leg>,
    /// The ids of the rows that decided, in order.
    pub rows: Vec<&'static str>,
    /// Where the article is silent: from which row it was extended. No literal claims such a prediction.
    pub unclaimed: Option<String>,
}

/// Predicts the legs of one client in one topology, its servers being healthy.
///
/// # Errors
/// What the table has no row for: a protocol or role that is not in it yet, a name that does not resolve, a server that
/// the rules send the client to and the topology lacks.
pub fn predict(table: &Table, topology: &Topology, when: &When) -> Result<Prediction, Unpredicted> {
    predict_under(table, topology, when, &Trouble::default())
}

/// What is wrong with the servers behind while a client asks.
#[derive(Debug, Clone, Default)]
pub struct Trouble {
    /// A case's faults, of which rules speak of one alone: ActiveSync's `451-without-location` (X-EAS-3). What is answered to
    /// pings is no client's affair.
    pub faults: BTreeMap<String, Vec<String>>,
    /// What takes no requests by its health.
    pub down: Down,
}

/// The same in trouble.
///
/// # Errors
/// As `predict`, and every fault that no rule speaks of.
pub fn predict_under(
    table: &Table,
    topology: &Topology,
    when: &When,
    trouble: &Trouble,
) -> Result<Prediction, Unpredicted> {
    let known = |at: &str, script: &[String]| {
        at.starts_with("pings ") || (at.ends_with("/eas") && script == ["451-without-location"])
    };
    if let Some((at, script)) = trouble.faults.iter().find(|(at, script)| !known(at, script)) {
        return Err(Unpredicted::new(format!("no rule of the table speaks of the fault {at} = {script:?}")));
    }
    let facts = Facts::of(topology, &when.mailbox)?.with_down(&trouble.down);
    let faults = &trouble.faults;
    let mut walk = Walk { table, facts, when, faults, legs: vec![], rows: vec![], unclaimed: None };
    if let Opens::Mail(address) = &when.opens {
        walk.mail(address)?;
        return Ok(walk.told());
    }
    let mut next = Some(walk.enter()?);
    while let Some(visit) = next {
        if walk.legs.len() >= MOST_LEGS {
            return Err(Unpredicted::new(format!("no end after {MOST_LEGS} legs")));
        }
        next = walk.leg(visit)?;
    }
    Ok(walk.told())
}

/// A client gives up a round trip through redirects after ten (wire facts 3.3).
const MOST_LEGS: usize = 10;

/// A prediction while it is made.
pub(crate) struct Walk<'a> {
    table: &'a Table,
    pub(crate) facts: Facts<'a>,
    pub(crate) when: &'a When,
    faults: &'a BTreeMap<String, Vec<String>>,
    pub(crate) legs: Vec<Leg>,
    rows: Vec<&'static str>,
    unclaimed: Option<String>,
}

/// A client about to dial.
pub(crate) struct Visit {
    pub(crate) host: HostName,
    pub(crate) protocol: Protocol,
    pub(crate) reached: model::Reached,
    /// It comes with a form that submits itself: nobody is asked again.
    pub(crate) silent: bool,
    /// Over plain HTTP: no certificate is seen, and nobody signs in.
    pub(crate) plain: bool,
    /// Without TLS, and signed in all the same.
    pub(crate) clear: bool,
    /// The scheme that the profile says to sign in by.
    pub(crate) scheme: Option<Scheme>,
}

impl Visit {
    /// To a name that the user typed.
    pub(crate) fn of(host: HostName, protocol: Protocol) -> Visit {
        let reached = model::Reached::Typed;
        Visit { host, protocol, reached, silent: false, plain: false, clear: false, scheme: None }
    }

    pub(crate) fn told(host: HostName, protocol: Protocol) -> Visit {
        Visit { reached: model::Reached::Told, ..Visit::of(host, protocol) }
    }
}

impl<'a> Walk<'a> {
    fn told(self) -> Prediction {
        Prediction { legs: self.legs, rows: self.rows, unclaimed: self.unclaimed }
    }

    fn enter(&mut self) -> Result<Visit, Unpredicted> {
        match &self.when.opens {
            Opens::Url(url) if !url.tls && self.when.client != ClientKind::Raw => {
                Err(Unpredicted::new(format!("{url} is plain HTTP")))
            }
            Opens::Url(url) => {
                let protocol = Protocol::of_path(&url.path)
                    .ok_or_else(|| Unpredicted::new(format!("{url} enters no virtual directory")))?;
                Ok(Visit { plain: !url.tls, ..Visit::of(url.host.clone(), protocol) })
            }
            Opens::Rpc(host) => Ok(Visit::of(host.clone(), Protocol::Rpc)),
            Opens::Outlook(mailbox) | Opens::Device(mailbox) if *mailbox != self.when.mailbox => {
                Err(Unpredicted::new(format!("it is set up for {mailbox}, which is another mailbox")))
            }
            Opens::Mail(address) => Err(Unpredicted::new(format!("{address} is entered otherwise"))),
            Opens::Outlook(_) => self.look_up(true),
            Opens::Device(_) => self.look_up(false),
        }
    }

    /// The lookup of Autodiscover: SCP, root domain, `autodiscover.` name, plain HTTP, SRV (X-AD-3).
    fn look_up(&mut self, knows_scp: bool) -> Result<Visit, Unpredicted> {
        if self.when.device.as_ref().is_some_and(|device| !device.autodiscover) {
            return Err(Unpredicted::new("the device does not support Autodiscover"));
        }
        let (topology, view) = (self.facts.topology, self.when.view);
        let asks = |step: Lookup| !self.when.excludes.contains(&step);
        let mut names: Vec<(HostName, model::Reached)> = Vec::new();
        if knows_scp && view == model::View::Internal && asks(Lookup::Scp) {
            let named = self.facts.service_connection_points();
            names.extend(named.into_iter().map(|url| (url.host.clone(), model::Reached::Scp)));
        }
        let own = format!("autodiscover.{}", topology.domain).parse::<HostName>();
        let own = own.map_err(|error| Unpredicted::new(error.to_string()))?;
        if asks(Lookup::HttpsRoot) {
            names.push((topology.domain.clone(), model::Reached::Dns));
        }
        if asks(Lookup::HttpsAutodiscover) {
            names.push((own.clone(), model::Reached::Dns));
        }
        for (host, reached) in names {
            if !self.facts.resolves(&host, view) {
                continue;
            }
            let here = self.facts.behind(&host, view, Protocol::Autodiscover)?;
            if here.first.directory(Protocol::Autodiscover).is_some() {
                return Ok(Visit { reached, ..Visit::of(host, Protocol::Autodiscover) });
            }
            let prompts = self.prompts(&here, 0);
            self.legs.push(Leg {
                dials: host,
                reached,
                hops: here.hops(),
                prompts,
                signs_in: None,
                computer: None,
                told: Told::Failed(404),
                may_refuse: false,
                spread: false,
                carried: vec![],
            });
        }
        if asks(Lookup::HttpRedirect) && self.facts.resolves(&own, view) {
            let reached = model::Reached::Dns;
            return Ok(Visit { reached, plain: true, ..Visit::of(own, Protocol::Autodiscover) });
        }
        let service = format!("_autodiscover._tcp.{}", topology.domain).parse().ok();
        match service.and_then(|name: HostName| topology.services.get(&name)).filter(|_| asks(Lookup::Srv)) {
            Some(service) => Ok(Visit {
                reached: model::Reached::Dns,
                ..Visit::of(service.target.clone(), Protocol::Autodiscover)
            }),
            None => Err(Unpredicted::new("the lookup of Autodiscover finds no server")),
        }
    }

    /// One leg: signs in, lets the table decide, and says where the client goes next.
    fn leg(&mut self, visit: Visit) -> Result<Option<Visit>, Unpredicted> {
        let here = self.facts.behind(&visit.host, self.when.view, visit.protocol)?;
        if visit.plain {
            let outcome = self.decide(&Conditions { asks: Asks::AutodiscoverOverHttp, ..Conditions::ANY })?;
            return self.carry_out(outcome, visit, here);
        }
        if let Some(next) = self.fault_answers(&visit, &here)? {
            return Ok(Some(next));
        }
        let credentials = match (self.when.comes_back, self.when.password) {
            (Some(ComesBack::InSession), _) => Credentials::Session,
            (Some(ComesBack::TooLate), Password::None) => Credentials::SessionOver,
            // Whoever connects by RPC has signed in to the domain.
            (_, Password::Right) if visit.protocol == Protocol::Rpc => Credentials::Right,
            (_, Password::Right) if self.is_taken(&visit, &here) => Credentials::Right,
            (_, Password::Right | Password::Wrong | Password::None) => Credentials::Bad,
        };
        let so = Conditions { asks: Asks::SignIn, credentials, ..Conditions::ANY };
        match self.noted(&so) {
            Some(Outcome::Refuse) => {
                self.refuse(visit, here)?;
                return Ok(None);
            }
            Some(_) => {}
            None if credentials == Credentials::Right => {}
            None => return Err(Unpredicted::new(format!("no row for: {so}"))),
        }
        let so = self.situation(&visit, &here)?;
        let outcome = self.decide(&so)?;
        self.carry_out(outcome, visit, here)
    }

    /// What the table says where this is so, if it says anything; notes the row.
    pub(crate) fn noted(&mut self, so: &Conditions) -> Option<Outcome> {
        let row = self.table.row(so)?;
        self.rows.push(row.id);
        Some(row.then)
    }

    /// The article is silent, beyond this row.
    pub(crate) fn leaves_open(&mut self, near: &str) {
        self.unclaimed.get_or_insert_with(|| format!("the article is silent; extended from {near}"));
    }

    /// Whether the virtual directory reached takes what the client signs in by, or Basic in its place.
    fn is_taken(&self, visit: &Visit, here: &Here<'_>) -> bool {
        let takes = |scheme| takes_scheme(here.first, visit.protocol, scheme);
        self.when.client == ClientKind::Browser || takes(self.scheme(visit)) || takes(Scheme::Basic)
    }

    /// What the client signs in by: the case's own, or where it leaves it to the profile, what that says.
    fn scheme(&self, visit: &Visit) -> Scheme {
        match self.when.sign_in {
            Scheme::Profile => visit.scheme.unwrap_or(Scheme::Ntlm),
            chosen => chosen,
        }
    }

    /// With wrong or no credentials the answer is the same whatever the mailbox (GEN-1).
    fn refuse(&mut self, visit: Visit, here: Here<'_>) -> Result<(), Unpredicted> {
        let page = self.when.client == ClientKind::Browser && signs_in_by_forms(here.first);
        let late = self.when.comes_back == Some(ComesBack::TooLate);
        let (told, signs_in) = match (page, self.when.password) {
            // Wire facts 1.2: 3 is a session that timed out.
            (true, Password::None) => (Told::LogonPage(if late { 3 } else { 0 }), None),
            (true, _) => (Told::LogonPage(2), Some(SignsIn::Forms)),
            (false, _) => (Told::Refused(401), None),
        };
        // Who leaves a logon page as it is was asked for nothing that he typed.
        let left = page && self.when.password == Password::None;
        let prompts = self.prompts(&here, u8::from(!left));
        let computer = self.computer(&visit, &here)?;
        let hops = here.hops();
        self.legs.push(Leg {
            dials: visit.host,
            reached: visit.reached,
            hops,
            prompts,
            signs_in,
            computer,
            told,
            may_refuse: false,
            spread: false,
            carried: vec![],
        });
        Ok(())
    }

    /// Whose computer the logon page takes the browser's for, where a rule says so; a form that submits itself repeats it.
    pub(crate) fn computer(
        &mut self,
        visit: &Visit,
        here: &Here<'_>,
    ) -> Result<Option<Computer>, Unpredicted> {
        let in_session = self.when.comes_back == Some(ComesBack::InSession);
        if self.when.client != ClientKind::Browser || in_session {
            return Ok(None);
        }
        if visit.silent {
            let before = self.legs.last().and_then(|leg| leg.computer);
            return Ok(before.filter(|computer| *computer == Computer::Private));
        }
        let selection = match public_private_selection(here.first) {
            Some(true) => Selection::On,
            Some(false) => Selection::Off,
            None => Selection::Unset,
        };
        let silent = selection == Selection::Unset && here.first.version != Version::Exchange2013;
        if silent || !signs_in_by_forms(here.first) {
            return Ok(None);
        }
        let at = reached(here.first);
        let so = Conditions { asks: Asks::LogonPage, at, selection, ..Conditions::ANY };
        Ok(match self.decide(&so)? {
            Outcome::TakesForPrivate => Some(Computer::Private),
            Outcome::AsksWhose => Some(Computer::Asked),
            other => return Err(Unpredicted::new(format!("`{other}` is nothing that a logon page asks"))),
        })
    }

    /// A scripted 451 without an address: the device runs Autodiscover again (X-EAS-3). Told once; a script is one word
    /// an answer.
    fn fault_answers(&mut self, visit: &Visit, here: &Here<'_>) -> Result<Option<Visit>, Unpredicted> {
        let scripted = |name: &ServerName| self.faults.contains_key(&format!("{name}/{}", visit.protocol));
        let been = self.legs.iter().any(|leg| matches!(leg.told, Told::Http451Nowhere(_)));
        if been || !here.servers.0.iter().any(scripted) {
            return Ok(None);
        }
        let prompts = self.prompts(here, 0);
        let told = Told::Http451Nowhere(0);
        let (dials, hops) = (visit.host.clone(), here.hops());
        self.legs.push(Leg {
            dials,
            reached: visit.reached,
            hops,
            prompts,
            signs_in: None,
            computer: None,
            told,
            may_refuse: false,
            spread: false,
            carried: vec![],
        });
        self.look_up(false).map(Some)
    }

    fn situation(&self, visit: &Visit, here: &Here<'_>) -> Result<Conditions, Unpredicted> {
        let asks = match visit.protocol {
            Protocol::Autodiscover => Asks::Autodiscover,
            Protocol::Owa | Protocol::Ecp => Asks::Owa,
            Protocol::Eas => Asks::Eas,
            Protocol::Ews => Asks::Ews,
            Protocol::Oab => Asks::Oab,
            Protocol::Mapi => Asks::Mapi,
            Protocol::OutlookAnywhere => Asks::OutlookAnywhere,
            Protocol::Rpc => Asks::Rpc,
            other => return Err(Unpredicted::new(format!("the table has no row for {other} yet"))),
        };
        let mut so = Conditions {
            asks,
            at: reached(here.first),
            seat: if here.subject { Seat::Subject } else { Seat::Elsewhere },
            mailbox: self.holds(),
            place: self.place(here.first, visit.protocol),
            ..Conditions::ANY
        };
        match asks {
            Asks::Owa => {
                so.cross_site = match cross_site_redirect(here.first) {
                    RedirectType::Silent => CrossSite::Silent,
                    RedirectType::Manual => CrossSite::Manual,
                };
            }
            Asks::Eas => {
                match self.when.device.as_ref() {
                    Some(device) => {
                        so.device = if moves(here.first, device) { Device::Moved } else { Device::Left };
                        so.speaks =
                            if speaks(device) >= (12, 1) { Speaks::From121 } else { Speaks::Before121 };
                    }
                    // Bytes that a case dictates are no device: rows that ask for one do not apply.
                    None if self.when.client == ClientKind::Raw => {}
                    None => return Err(Unpredicted::new("ActiveSync without a device")),
                }
            }
            Asks::OutlookAnywhere if here.first.version == Version::Exchange2013 => {
                let candidates = self.facts.candidates(Candidates::All).ok();
                let names = candidates.iter().flat_map(|candidates| &candidates.0);
                let servers = names.filter_map(|name| self.facts.topology.server(name));
                let takes: Vec<bool> =
                    servers.map(|server| takes_scheme(server, visit.protocol, Scheme::Ntlm)).collect();
                so.ntlm = match (takes.contains(&false), takes.contains(&true)) {
                    (true, true) if self.facts.version != Version::Exchange2013 => {
                        let why = "it depends on which server is chosen: not all of them take NTLM at /rpc";
                        return Err(Unpredicted::new(why));
                    }
                    (true, _) => Ntlm::Missing,
                    (false, _) => Ntlm::Taken,
                };
            }
            // X-AD-2 holds from SP2 on; what an older build did is in no source.
            Asks::Autodiscover if here.first.version == Version::Exchange2007 => {
                if so.mailbox != Holds::V2007 && here.first.build.minor < 2 {
                    return Err(Unpredicted::new(
                        "Autodiscover of Exchange 2007 before SP2, for a newer mailbox",
                    ));
                }
                if self.when.does == Action::AutodiscoverSoap {
                    return Err(Unpredicted::new("Exchange 2007 has no Autodiscover over SOAP"));
                }
            }
            _ => {}
        }
        Ok(so)
    }

    /// What the table says where this is so; notes the row, and whether the article claims it.
    pub(crate) fn decide(&mut self, so: &Conditions) -> Result<Outcome, Unpredicted> {
        let row = self.table.row(so).ok_or_else(|| Unpredicted::new(format!("no row for: {so}")))?;
        self.rows.push(row.id);
        let redirects = matches!(so.asks, Asks::Owa | Asks::Redirect);
        // Of a 2007 mailbox elsewhere before 2013, X-OWA-2 alone speaks.
        let open = self.facts.is_open_in_the_article() && (self.facts.with_2013() || !redirects);
        let strayed = so.at == Reached::Cas2010 && so.seat == Seat::Elsewhere && so.place != Place::Same;
        if !row.claimed(self.facts.with_2013()) || open || strayed {
            let near = if row.rules.is_empty() { row.near } else { row.id };
            let then = row.then;
            self.leaves_open(near);
            return Ok(then);
        }
        Ok(row.then)
    }

    pub(crate) fn holds(&self) -> Holds {
        match self.facts.version {
            Version::Exchange2007 => Holds::V2007,
            Version::Exchange2010 => Holds::V2010,
            Version::Exchange2013 => Holds::V2013,
        }
    }

    /// The mailbox's site as seen from a server.
    pub(crate) fn place(&self, from: &Server, protocol: Protocol) -> Place {
        let (facts, site) = (&self.facts, self.facts.site);
        let faces = match protocol {
            Protocol::OutlookAnywhere => facts.published_outlook_anywhere(facts.version, site).is_some(),
            Protocol::Owa | Protocol::Ecp => facts.browser_target(site, protocol).is_some(),
            other => facts.published(facts.version, site, other).is_some(),
        };
        match (from.site == *site, faces) {
            (true, _) => Place::Same,
            (false, true) => Place::Facing,
            (false, false) => Place::Hidden,
        }
    }

    /// How a browser that signed in here is moved to a target.
    pub(crate) fn manner(&mut self, from: &Server, target: &Server) -> Result<Outcome, Unpredicted> {
        let fit = signs_in_by_forms(from) && takes_the_silent_form(target);
        // LegacyRedirectType speaks of older mailboxes alone; between sites of one version CrossSiteRedirectType has spoken.
        let plain = match (legacy_redirect(from), self.facts.version) {
            (RedirectType::Manual, Version::Exchange2007) => PlainRedirect::Manual,
            _ => PlainRedirect::Silent,
        };
        let sso = if fit { SingleSignOn::Fit } else { SingleSignOn::Unfit };
        self.decide(&Conditions { asks: Asks::Redirect, sso, plain, ..Conditions::ANY })
    }

    /// How the client signed in with right credentials, and how often a person was asked.
    pub(crate) fn signed_in(&self, visit: &Visit, here: &Here<'_>) -> (Prompts, Option<SignsIn>) {
        if visit.plain {
            return (Prompts { credentials: 0, certificate: 0, reason: None }, None);
        }
        match self.when.client {
            ClientKind::Browser if self.when.comes_back == Some(ComesBack::InSession) => {
                (self.prompts(here, 0), Some(SignsIn::None))
            }
            ClientKind::Browser if visit.silent => (self.prompts(here, 0), Some(SignsIn::Silent)),
            ClientKind::Browser => {
                let forms = signs_in_by_forms(here.first).then_some(SignsIn::Forms);
                (self.prompts(here, 1), forms)
            }
            ClientKind::Outlook if visit.protocol == Protocol::Rpc => {
                (Prompts { credentials: 0, certificate: 0, reason: None }, Some(SignsIn::None))
            }
            ClientKind::Outlook if visit.protocol == Protocol::OutlookAnywhere => {
                let signs_in = Some(bound_by(self.scheme(visit)));
                match visit.clear {
                    true => (Prompts { credentials: 0, certificate: 0, reason: None }, signs_in),
                    false => (self.prompts(here, 0), signs_in),
                }
            }
            ClientKind::Outlook | ClientKind::Device => {
                let scheme = self.when.sign_in;
                let takes = takes_scheme(here.first, visit.protocol, scheme);
                let bound = (scheme != Scheme::Basic).then_some(if takes {
                    bound_by(scheme)
                } else {
                    SignsIn::Basic
                });
                (self.prompts(here, 0), bound)
            }
            ClientKind::Raw | ClientKind::Mail => (self.prompts(here, 0), None),
        }
    }

    fn prompts(&self, here: &Here<'_>, credentials: u8) -> Prompts {
        let reason = fault(here.certificate());
        Prompts { credentials, certificate: u8::from(reason.is_some()), reason }
    }

    /// Where Outlook connects to with a profile: ExHTTP in its order, if it knows it; else RPC over TCP where the server
    /// resolves; else Outlook Anywhere (CX-EXHTTP-1, 5; PRE-RPC, CX-RPC).
    fn connects(&self, answer: &Answer) -> Option<Visit> {
        let (facts, view) = (&self.facts, self.when.view);
        let resolves = |host: &HostName| facts.resolves(host, view);
        let own = facts.seat.outlook_anywhere.as_ref();
        if let Some(own) = own.filter(|_| self.when.knows_exhttp && !answer.exhttp.is_empty()) {
            let host = answer.exhttp.iter().find(|host| resolves(host))?;
            // One name inside and outside: the first block is the internal one.
            let inside = own.internal_host.as_ref() == Some(host);
            let authentication = own.internal_authentication.filter(|_| inside);
            let scheme = scheme_of(authentication.unwrap_or(own.external_authentication));
            let clear = !(if inside { own.internal_ssl } else { own.external_ssl });
            return Some(Visit { clear, scheme, ..Visit::told(host.clone(), Protocol::OutlookAnywhere) });
        }
        if let Some(server) = facts.rpc_server().filter(|server| resolves(server)) {
            return Some(Visit::told(server, Protocol::Rpc));
        }
        let Cell::Host(host) = &answer.outlook_anywhere else { return None };
        let settings = facts.outlook_anywhere()?;
        let scheme = scheme_of(settings.external_authentication);
        let clear = !settings.external_ssl;
        Some(Visit { clear, scheme, ..Visit::told(host.clone(), Protocol::OutlookAnywhere) })
    }

    /// Where a client goes with the answer it was given.
    pub(crate) fn after(&self, answer: &Answer) -> Result<Option<Visit>, Unpredicted> {
        let protocol = self.when.protocol();
        let cell = match protocol {
            Protocol::Autodiscover => return Ok(None),
            Protocol::Ews => &answer.ews,
            Protocol::Oab => &answer.oab,
            Protocol::Eas => &answer.eas,
            // Outlook inside takes the internal address, of which the answer's cell says nothing.
            Protocol::Mapi if self.when.view == model::View::Internal && !answer.mapi_http.is_absent() => {
                let inside = self.facts.seat.directory(protocol).and_then(|mapi| mapi.internal_url.as_ref());
                let host = inside.map(|url| url.0.host.clone());
                return Ok(host.map(|host| Visit::told(host, protocol)));
            }
            Protocol::Mapi => &answer.mapi_http,
            Protocol::OutlookAnywhere => return Ok(self.connects(answer)),
            other => return Err(Unpredicted::new(format!("no client takes {other} from an answer"))),
        };
        match cell {
            Cell::Host(host) => Ok(Some(Visit::told(host.clone(), protocol))),
            Cell::Absent => Err(Unpredicted::new(format!("the answer names no host for {protocol}"))),
        }
    }
}

/// A server as a row names it.
fn reached(server: &Server) -> Reached {
    match server.version {
        Version::Exchange2007 if !server.is(ServerRole::ClientAccess) => Reached::Mbx2007,
        Version::Exchange2007 => Reached::Cas2007,
        Version::Exchange2010 => Reached::Cas2010,
        Version::Exchange2013 => Reached::Cas2013,
    }
}
