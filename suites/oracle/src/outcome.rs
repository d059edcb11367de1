//! From what a row decides to a leg: the hops, what the client is told, and where that sends it.

use model::case::{Action, Hop, Told};
use model::topology::Server;
use model::{By, Leg, Position, Protocol, ServerName, Version, WebUrl};

use crate::Unpredicted;
use crate::columns::{Outcome, Whose};
use crate::facts::{Candidates, Here, external_url};
use crate::predict::{Visit, Walk};

/// A hop by the usual name, over the usual transport.
pub(crate) fn hop(at: Position) -> Hop {
    Hop { at, by: None, over: None }
}

/// What a client may be told where every server is down.
const ERRORS: [u16; 4] = [500, 502, 503, 504];

/// The path that Autodiscover is asked at (wire facts 3.1); a 302 carries its spelling on.
const AUTODISCOVER: &str = "/autodiscover/autodiscover.xml";

/// By which name a Client Access server passes a request on to another: a 2013 one by FQDN, the usual (CX-TGT-1); a
/// 2007 one by InternalURL; of 2010 the rules do not say.
fn passed_on_by(version: Version) -> Option<By> {
    match version {
        Version::Exchange2013 => None,
        Version::Exchange2010 => Some(By::Any),
        Version::Exchange2007 => Some(By::InternalUrl),
    }
}

impl<'a> Walk<'a> {
    /// Adds the leg that a decision makes, and says where the client goes next.
    pub(crate) fn carry_out(
        &mut self,
        outcome: Outcome,
        visit: Visit,
        here: Here<'_>,
    ) -> Result<Option<Visit>, Unpredicted> {
        let mut hops = here.hops();
        if self.nobody_is_left(outcome, visit.protocol, here.first) {
            let (prompts, signs_in) = self.signed_in(&visit, &here);
            self.legs.push(Leg {
                dials: visit.host,
                reached: visit.reached,
                hops,
                prompts,
                signs_in,
                computer: None,
                told: Told::Unavailable(ERRORS.to_vec()),
                may_refuse: false,
                spread: false,
                carried: vec![],
            });
            return Ok(None);
        }
        hops.extend(self.behind(outcome, visit.protocol, here.first)?);
        let (told, next) = match outcome {
            Outcome::WriteHere
            | Outcome::CasWrites
            | Outcome::AnyMailbox2013Writes
            | Outcome::Active2013Writes => {
                let writer = hops.last().map(|last| last.at.clone()).unwrap_or(Position(vec![]));
                let answer = self.answer(writer)?;
                let next = self.after(&answer)?;
                (Told::Answer(answer), next)
            }
            Outcome::FoundAtSubject => {
                let url = self.facts.seat.scp.clone();
                let url = url.ok_or_else(|| Unpredicted::new("the seat has no service connection point"))?;
                let url = url.at(AUTODISCOVER);
                let next = Visit::told(url.host.clone(), Protocol::Autodiscover);
                (Told::Found(url), Some(next))
            }
            Outcome::FoundOverTls => {
                let url = WebUrl { tls: true, host: visit.host.clone(), path: AUTODISCOVER.to_owned() };
                let next = Visit::told(visit.host.clone(), Protocol::Autodiscover);
                (Told::Found(url), Some(next))
            }
            Outcome::Redirect(whose) => {
                let (target, url) = self.browser_target(whose, &visit, here.first)?;
                let manner = self.manner(here.first, target)?;
                self.moved(manner, url, &visit)?
            }
            Outcome::LinkTo(whose) => {
                let (_, url) = self.browser_target(whose, &visit, here.first)?;
                self.moved(Outcome::ByLink, url, &visit)?
            }
            Outcome::Http451(whose) => {
                let url = self.eas_target(whose)?;
                // One that names the host just called is a loop, and ends there (X-EAS-3).
                let next = (url.host != visit.host).then(|| Visit::told(url.host.clone(), Protocol::Eas));
                (Told::Http451(url), next)
            }
            Outcome::Forbid => (Told::Refused(403), None),
            Outcome::CasRefuses => (Told::Refused(401), None),
            Outcome::ServeAlone
            | Outcome::Serve
            | Outcome::ToCas
            | Outcome::ToCasByRpc
            | Outcome::ToActive2013
            | Outcome::ViaMailbox2013
            | Outcome::ToDistributionPoint
            | Outcome::ToOrganizationMailbox => (self.served(&visit, hops.last())?, None),
            other => return Err(Unpredicted::new(format!("`{other}` is no end of a leg"))),
        };
        let (mut prompts, signs_in) = self.signed_in(&visit, &here);
        // Whoever has nothing that is taken asks the person.
        prompts.credentials += u8::from(outcome == Outcome::CasRefuses);
        let computer = if visit.plain { None } else { self.computer(&visit, &here)? };
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
        Ok(next)
    }

    /// Whether there are servers to which this is passed on, and none of them takes requests now: then the client gets an
    /// error, and nobody else the request (CX-HLT-7).
    fn nobody_is_left(&self, outcome: Outcome, protocol: Protocol, here: &Server) -> bool {
        let facts = &self.facts;
        let found = |of| match outcome {
            Outcome::ToCas | Outcome::CasWrites => facts.candidates(of),
            Outcome::ToDistributionPoint => facts.distribution_points(&here.site, of),
            _ => Err(Unpredicted::new("it is passed on to no set of servers")),
        };
        found(Candidates::All).is_ok() && found(Candidates::Taking(protocol)).is_err()
    }

    /// The hops behind the server reached.
    fn behind(&self, outcome: Outcome, protocol: Protocol, here: &Server) -> Result<Vec<Hop>, Unpredicted> {
        let facts = &self.facts;
        let home = || hop(Position(vec![facts.home.clone()]));
        let by = |at, by| Hop { at, by, over: None };
        let taking = Candidates::Taking(protocol);
        let targets = match outcome {
            Outcome::ToCas | Outcome::CasWrites => facts.candidates(taking).ok(),
            Outcome::ViaMailbox2013 => facts.candidates(Candidates::All).ok(),
            Outcome::ToDistributionPoint => facts.distribution_points(&here.site, taking).ok(),
            _ => None,
        };
        // What Outlook Anywhere's targets take is a condition of its own (CX-OA-6).
        if let Some(targets) = targets.filter(|_| protocol != Protocol::OutlookAnywhere) {
            facts.lets_servers_in(&targets, protocol)?;
        }
        let mut hops = match outcome {
            Outcome::Serve | Outcome::ToActive2013 => vec![home()],
            Outcome::ToCas => vec![by(facts.candidates(taking)?, passed_on_by(here.version)), home()],
            Outcome::CasRefuses => vec![by(facts.candidates(taking)?, passed_on_by(here.version))],
            Outcome::ToCasByRpc => vec![by(facts.candidates(taking)?, Some(By::Rpc)), home()],
            Outcome::ViaMailbox2013 => vec![
                hop(facts.mailbox_2013(&here.site)?),
                // An MBX2013 asks nobody how he is.
                by(facts.candidates(Candidates::All)?, Some(By::InternalUrl)),
                home(),
            ],
            Outcome::ToDistributionPoint => vec![hop(facts.distribution_points(&here.site, taking)?)],
            Outcome::ToOrganizationMailbox => vec![hop(facts.organization_mailbox()?)],
            Outcome::CasWrites => vec![by(facts.candidates(taking)?, passed_on_by(here.version))],
            Outcome::AnyMailbox2013Writes => vec![hop(facts.mailbox_2013(&here.site)?)],
            Outcome::Active2013Writes => vec![home()],
            _ => vec![],
        };
        // OPTIONS asks what a server can do, not what a mailbox holds: a legacy Client Access server answers it itself.
        let asks_the_server = protocol == Protocol::Eas && self.when.does == Action::Options;
        if asks_the_server && facts.version != Version::Exchange2013 {
            hops.retain(|hop| hop.at.0 != [facts.home.clone()]);
        }
        Ok(hops)
    }

    /// What a client is told that was served.
    fn served(&self, visit: &Visit, last: Option<&Hop>) -> Result<Told, Unpredicted> {
        Ok(match (visit.protocol, self.when.does) {
            (Protocol::Oab, _) => Told::Oab(self.facts.oab()?.clone()),
            (Protocol::Eas, Action::Options) => {
                let server: Option<&ServerName> = last.and_then(|hop| hop.at.0.first());
                let server = server.and_then(|name| self.facts.topology.server(name));
                Told::Versions(server.map(protocol_versions).unwrap_or_default().to_owned())
            }
            _ => Told::Mailbox(self.when.mailbox.clone()),
        })
    }

    /// A browser that is moved: silently without another prompt, plainly by itself, or when the user follows a link.
    fn moved(
        &self,
        manner: Outcome,
        url: WebUrl,
        visit: &Visit,
    ) -> Result<(Told, Option<Visit>), Unpredicted> {
        let protocol = Protocol::of_path(&url.path).unwrap_or(visit.protocol);
        let next = Visit::told(url.host.clone(), protocol);
        Ok(match manner {
            Outcome::Silently => (Told::SilentRedirect(url), Some(Visit { silent: true, ..next })),
            Outcome::Plainly => (Told::Found(url), Some(next)),
            Outcome::ByLink => (Told::ManualRedirect(url), self.when.follows_link.then_some(next)),
            other => return Err(Unpredicted::new(format!("`{other}` is no way to move a browser"))),
        })
    }

    /// The server to which a browser is moved, and the address of its virtual directory.
    fn browser_target(
        &self,
        whose: Whose,
        visit: &Visit,
        here: &Server,
    ) -> Result<(&'a Server, WebUrl), Unpredicted> {
        let site = match whose {
            Whose::MailboxSite => self.facts.site,
            Whose::ThisSite => &here.site,
            other => return Err(Unpredicted::new(format!("no browser is moved to {other}"))),
        };
        let found = self.facts.browser_target(site, visit.protocol);
        let (server, url) = found.ok_or_else(|| {
            let version = self.facts.version;
            Unpredicted::new(format!(
                "no Exchange {version} server of {site} has an ExternalURL to move a browser to"
            ))
        })?;
        Ok((server, url.virtual_directory()))
    }

    /// The ActiveSync address that a 451 names.
    fn eas_target(&self, whose: Whose) -> Result<WebUrl, Unpredicted> {
        let facts = &self.facts;
        let url = match whose {
            Whose::Subject => external_url(facts.seat, Protocol::Eas),
            _ => facts.published(facts.version, facts.site, Protocol::Eas).map(|(_, url)| url),
        };
        url.cloned()
            .ok_or_else(|| Unpredicted::new(format!("{whose} has no ActiveSync ExternalURL for a 451")))
    }
}

/// MS-ASProtocolVersions of a server: 1.0 still and 12.1 at most in 2007, 14.0 in 2010, 14.1 from its SP1 on (wire facts 2.1).
fn protocol_versions(server: &Server) -> &'static str {
    match (server.version, server.build.minor) {
        (Version::Exchange2007, 0) => "1.0,2.0,2.1,2.5,12.0",
        (Version::Exchange2007, _) => "1.0,2.0,2.1,2.5,12.0,12.1",
        (Version::Exchange2010, 0) => "2.0,2.1,2.5,12.0,12.1,14.0",
        (Version::Exchange2010 | Version::Exchange2013, _) => "2.0,2.1,2.5,12.0,12.1,14.0,14.1",
    }
}
