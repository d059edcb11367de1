//! IMAP and POP: one leg, whatever comes of it. The rules say the same of both.

use std::collections::BTreeSet;

use model::case::{Hop, Over, Password, Told};
use model::mail::{LoginType, MailAddress};
use model::topology::ServerRole;
use model::{By, Leg, Position, Prompts, Protocol, ServerName, Version};

use crate::Unpredicted;
use crate::columns::{Asks, Channel, Conditions, Credentials, Outcome, Reached, Seat, Service};
use crate::facts::{Here, fault};
use crate::outcome::hop;
use crate::predict::Walk;

/// Where a session may go on: whose service, over what.
type Candidate = (ServerName, Over);

impl Walk<'_> {
    /// The leg of a mail program, from its sign-in to the mailbox.
    pub(crate) fn mail(&mut self, address: &MailAddress) -> Result<(), Unpredicted> {
        let here = self.facts.behind(&address.host, self.when.view, address.protocol)?;
        let protocol = address.protocol;
        let service = here.first.mail(protocol).filter(|service| service.runs);
        let service =
            service.ok_or_else(|| Unpredicted::new(format!("{} takes no {protocol}", address.host)))?;
        let may = address.over != Over::Plain || service.login_type == LoginType::PlainTextLogin;
        let credentials = match self.when.password {
            Password::Right if may => Credentials::Right,
            _ => Credentials::Bad,
        };
        let so = Conditions { asks: Asks::SignIn, credentials, ..Conditions::ANY };
        if self.noted(&so) == Some(Outcome::Refuse) {
            self.ends(address, &here, vec![], Told::Refused(0));
            return Ok(());
        }
        let at = match here.first.version {
            Version::Exchange2007 => Reached::Cas2007,
            Version::Exchange2010 => Reached::Cas2010,
            Version::Exchange2013 => Reached::Cas2013,
        };
        let seat = if here.subject { Seat::Subject } else { Seat::Elsewhere };
        let place = self.place(here.first, protocol);
        let mailbox = self.holds();
        let so = Conditions { asks: Asks::Mail, at, seat, mailbox, place, ..Conditions::ANY };
        let whose = self.decide(&so)?;
        let in_clear = address.over == Over::Plain;
        if in_clear && self.facts.version == Version::Exchange2007 {
            // Which kinds of connection a CAS2007 offers no source says.
            self.leaves_open("CX-IMAP-5");
        }
        let channel = if in_clear { Channel::Clear } else { Channel::Encrypted };
        let order = self.decide(&Conditions { asks: Asks::MailOrder, channel, ..Conditions::ANY })?;
        let candidates = self.mail_candidates(whose, protocol)?;
        let best = best(order, &candidates)?;
        let over = best[0].1;
        let servers: Vec<ServerName> =
            best.iter().map(|(server, _)| server.clone()).collect::<BTreeSet<_>>().into_iter().collect();
        let runs = |server: &&ServerName| {
            let service = self.facts.topology.server(server).and_then(|server| server.mail(protocol));
            service.is_some_and(|service| service.runs)
        };
        let running = servers.iter().filter(runs).count();
        let service = match running {
            0 => Service::Stopped,
            all if all == servers.len() => Service::Runs,
            _ => {
                return Err(Unpredicted::new(
                    "of equally good candidates one is stopped: which one is chosen is open",
                ));
            }
        };
        let so = Conditions { asks: Asks::MailService, service, ..Conditions::ANY };
        if self.noted(&so) == Some(Outcome::Unavailable) {
            self.ends(address, &here, vec![], Told::Refused(0));
            return Ok(());
        }
        let by = (whose == Outcome::MailBySettings).then_some(By::ConnectionSetting);
        let over = (over != Over::Tls).then_some(over);
        let mut behind = vec![Hop { at: Position(servers), by, over }];
        if whose != Outcome::MailToActive2013 {
            behind.push(hop(Position(vec![self.facts.home.clone()])));
        }
        self.ends(address, &here, behind, Told::Mailbox(self.when.mailbox.clone()));
        Ok(())
    }

    fn ends(&mut self, address: &MailAddress, here: &Here<'_>, behind: Vec<Hop>, told: Told) {
        let reason = if address.over == Over::Plain { None } else { fault(here.certificate()) };
        let mut hops = here.hops();
        hops.extend(behind);
        self.legs.push(Leg {
            dials: address.host.clone(),
            reached: model::Reached::Typed,
            hops,
            prompts: Prompts { credentials: 0, certificate: u8::from(reason.is_some()), reason },
            computer: None,
            signs_in: None,
            told,
            may_refuse: false,
            spread: false,
            carried: vec![],
        });
    }

    /// Every candidate of a mailbox, as the row says.
    fn mail_candidates(&self, whose: Outcome, protocol: Protocol) -> Result<Vec<Candidate>, Unpredicted> {
        let facts = &self.facts;
        let of_its_site = facts.topology.servers.iter().filter(|(_, server)| {
            (server.version, &server.site) == (facts.version, facts.site)
                && server.is(ServerRole::ClientAccess)
        });
        let found: Vec<Candidate> = match whose {
            Outcome::MailToActive2013 => vec![(facts.home.clone(), Over::Tls)],
            Outcome::MailBySettings => of_its_site
                .filter_map(|(name, server)| {
                    Some((name, &server.mail(protocol)?.internal_connection_settings))
                })
                .flat_map(|(name, settings)| settings.iter().map(move |set| (name.clone(), set.over)))
                .collect(),
            Outcome::MailByFqdn => of_its_site
                .flat_map(|(name, _)| Over::ALL.iter().map(move |over| (name.clone(), *over)))
                .collect(),
            other => return Err(Unpredicted::new(format!("`{other}` is no way for mail"))),
        };
        match found.is_empty() {
            true => Err(Unpredicted::new(format!("nobody in {} takes {protocol} on", facts.site))),
            false => Ok(found),
        }
    }
}

/// The candidates of the kind that comes first among those there are.
fn best(order: Outcome, candidates: &[Candidate]) -> Result<Vec<Candidate>, Unpredicted> {
    let kinds = match order {
        Outcome::SslTlsClear => [Over::Tls, Over::Starttls, Over::Plain],
        Outcome::ClearSslTls => [Over::Plain, Over::Tls, Over::Starttls],
        other => return Err(Unpredicted::new(format!("`{other}` is no order"))),
    };
    let of =
        |kind: Over| candidates.iter().filter(move |(_, over)| *over == kind).cloned().collect::<Vec<_>>();
    let first = kinds.into_iter().map(of).find(|found| !found.is_empty());
    first.ok_or_else(|| Unpredicted::new("no candidate at all"))
}
