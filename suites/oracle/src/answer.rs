//! Autodiscover: who writes the answer, and what it names, cell by cell.

use model::case::{Action, Answer, Cell, ClientKind};
use model::topology::Server;
use model::{Build, HostName, Position, Protocol, Version};

use crate::Unpredicted;
use crate::columns::{Asks, Conditions, Gate, Outcome, Whose};
use crate::facts::{exhttp_passes, external_url};
use crate::predict::Walk;

impl Walk<'_> {
    /// The answer that these servers write.
    pub(crate) fn answer(&mut self, by: Position) -> Result<Answer, Unpredicted> {
        let mut answer = Answer {
            by,
            outlook_anywhere: Cell::Absent,
            ews: Cell::Absent,
            oab: Cell::Absent,
            eas: Cell::Absent,
            exhttp: vec![],
            mapi_http: Cell::Absent,
        };
        // Each schema has its own settings: mobilesync the device's, Outlook's the rest (wire facts 3.1, 3.4).
        if self.when.client == ClientKind::Device {
            answer.eas = self.cell(Asks::NamesEas)?;
            return Ok(answer);
        }
        answer.outlook_anywhere = self.cell(Asks::NamesOutlookAnywhere)?;
        answer.ews = self.cell(Asks::NamesEws)?;
        // Without a book there is nothing to name.
        if self.facts.oab().is_ok() {
            answer.oab = self.cell(Asks::NamesOab)?;
        }
        // SOAP carries no ExHTTP.
        if self.when.does != Action::AutodiscoverSoap {
            answer.exhttp = self.exhttp(&answer.by)?;
            answer.mapi_http = self.mapi_http(&answer.by)?;
        }
        Ok(answer)
    }

    fn cell(&mut self, asks: Asks) -> Result<Cell, Unpredicted> {
        let place = self.place(self.facts.seat, protocol_of(asks));
        let so = Conditions { asks, mailbox: self.holds(), place, ..Conditions::ANY };
        let Outcome::Name(whose) = self.decide(&so)? else {
            return Err(Unpredicted::new(format!("a row that {asks} names no host")));
        };
        let facts = &self.facts;
        let in_site = |site| host_in(self, facts.version, site, asks);
        let host = match whose {
            Whose::MailboxSite => in_site(facts.site),
            Whose::ThisSite => in_site(&facts.seat.site),
            Whose::Subject => host_at(facts.seat, asks),
            Whose::MailboxSiteOrSubject => in_site(facts.site).or_else(|| host_at(facts.seat, asks)),
            Whose::Nobody => None,
        };
        Ok(host.map_or(Cell::Absent, Cell::Host))
    }

    fn exhttp(&mut self, by: &Position) -> Result<Vec<HostName>, Unpredicted> {
        let passes = |build: &_| exhttp_passes(*build, self.when.can_handle.as_deref());
        let gate = self.gate(by, "ExHTTP", passes)?;
        let so = Conditions { asks: Asks::ExHttp, mailbox: self.holds(), gate, ..Conditions::ANY };
        Ok(match (self.decide(&so)?, &self.facts.seat.outlook_anywhere) {
            (Outcome::ExHttpPair, Some(own)) => {
                own.internal_host.iter().chain(&own.external_host).cloned().collect()
            }
            _ => vec![],
        })
    }

    fn mapi_http(&mut self, by: &Position) -> Result<Cell, Unpredicted> {
        let says = self.when.says_mapi_http();
        let gate = self.gate(by, "MAPI over HTTP", |build| says && *build >= MAPI_HTTP_FROM)?;
        let so = Conditions { asks: Asks::NamesMapi, mailbox: self.holds(), gate, ..Conditions::ANY };
        Ok(match self.decide(&so)? {
            Outcome::Name(Whose::Subject) => {
                host_at(self.facts.seat, Asks::NamesMapi).map_or(Cell::Absent, Cell::Host)
            }
            _ => Cell::Absent,
        })
    }

    /// Whether those who may write the answer let something through that not every client knows.
    fn gate(&self, by: &Position, what: &str, passes: impl Fn(&Build) -> bool) -> Result<Gate, Unpredicted> {
        let builds: Vec<_> =
            by.0.iter().filter_map(|name| self.facts.topology.server(name)).map(|s| s.build).collect();
        let gate = if builds.iter().all(&passes) { Gate::Open } else { Gate::Closed };
        if gate == Gate::Closed && builds.iter().any(passes) && self.facts.version == Version::Exchange2013 {
            return Err(Unpredicted::new(format!(
                "the servers that may write the answer differ about {what}"
            )));
        }
        Ok(gate)
    }
}

/// The first build that speaks MAPI over HTTP: 2013 SP1 (wire facts 3.1).
const MAPI_HTTP_FROM: Build = Build { major: 15, minor: 0, build: 847, revision: 32 };

fn protocol_of(asks: Asks) -> Protocol {
    match asks {
        Asks::NamesEws => Protocol::Ews,
        Asks::NamesOab => Protocol::Oab,
        Asks::NamesEas => Protocol::Eas,
        Asks::NamesMapi => Protocol::Mapi,
        _ => Protocol::OutlookAnywhere,
    }
}

fn host_at(server: &Server, asks: Asks) -> Option<HostName> {
    match protocol_of(asks) {
        Protocol::OutlookAnywhere => server.outlook_anywhere.as_ref()?.external_host.clone(),
        protocol => external_url(server, protocol).map(|url| url.host.clone()),
    }
}

fn host_in(walk: &Walk<'_>, version: Version, site: &model::SiteName, asks: Asks) -> Option<HostName> {
    match protocol_of(asks) {
        Protocol::OutlookAnywhere => walk.facts.published_outlook_anywhere(version, site).cloned(),
        protocol => walk.facts.published(version, site, protocol).map(|(_, url)| url.host.clone()),
    }
}
