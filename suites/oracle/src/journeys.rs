//! What people usually do: every mailbox with every client, from either side, opening what such a client opens.

use std::collections::BTreeSet;

use model::case::{Action, ClientKind, ComesBack, Device, Lookup, Opens, Over, Password, QueryForm, Scheme};
use model::mail::MailAddress;
use model::{HostName, MailboxName, Protocol, ServerName, Topology, Version, View, WebUrl, When};

use crate::facts::{Facts, external_url, signs_in_by_forms};

/// The usual journeys of a topology. What a rule does not reach (a 2013 mailbox at a 2010 namespace) is not usual.
pub fn journeys(topology: &Topology) -> Vec<When> {
    let mut all = Vec::new();
    for mailbox in topology.mailboxes.keys() {
        let Ok(facts) = Facts::of(topology, mailbox) else { continue };
        for view in View::ALL {
            let usual = Usual { facts: &facts, mailbox, view: *view };
            usual.browser(&mut all);
            usual.outlook(&mut all);
            usual.devices(&mut all);
            usual.mail_programs(&mut all);
        }
    }
    all
}

struct Usual<'a> {
    facts: &'a Facts<'a>,
    mailbox: &'a MailboxName,
    view: View,
}

impl Usual<'_> {
    /// Opens the subject's address, and the one of the mailbox's own site; with a wrong password, the first.
    fn browser(&self, all: &mut Vec<When>) {
        // Exchange 2007 has no control panel: its users keep their options in Outlook Web App.
        let pages: &[Protocol] = match self.facts.version {
            Version::Exchange2007 => &[Protocol::Owa],
            _ => &[Protocol::Owa, Protocol::Ecp],
        };
        for protocol in pages.iter().copied() {
            for url in self.typed(protocol) {
                let url = url.virtual_directory();
                let follows_link = true;
                all.push(When {
                    follows_link,
                    ..self.when(ClientKind::Browser, Opens::Url(url), Action::OpenMailbox)
                });
            }
        }
        if let Some(url) = external_url(self.facts.seat, Protocol::Owa).filter(|url| self.resolves(url)) {
            let right =
                self.when(ClientKind::Browser, Opens::Url(url.virtual_directory()), Action::OpenMailbox);
            all.push(When { password: Password::Wrong, ..right.clone() });
            // Who is served here has a session here (CX-OWA-7); whoever is redirected has none.
            let facts = self.facts;
            let served = facts.version == Version::Exchange2013
                || (facts.version == Version::Exchange2010 && *facts.site == facts.seat.site);
            let later = [ComesBack::InSession, ComesBack::TooLate].map(Some);
            for comes_back in later.into_iter().filter(|_| served && signs_in_by_forms(facts.seat)) {
                all.push(When { password: Password::None, comes_back, ..right.clone() });
            }
        }
    }

    /// Set up by Autodiscover; and EWS, OAB and Autodiscover typed where the answer would not send it.
    fn outlook(&self, all: &mut Vec<When>) {
        let set_up = |does| self.when(ClientKind::Outlook, Opens::Outlook(self.mailbox.clone()), does);
        for does in [Action::Autodiscover, Action::AutodiscoverSoap, Action::GetFolder, Action::DownloadOab] {
            all.push(set_up(does));
        }
        all.push(When {
            can_handle: Some("Negotiate,ExHttpInfo".to_owned()),
            ..set_up(Action::Autodiscover)
        });
        all.push(When { mapi_http: true, ..set_up(Action::Autodiscover) });
        if self.facts.version == Version::Exchange2013 {
            all.extend([Action::MapiConnect, Action::MapiAddressBook].map(set_up));
        }
        all.push(When { sign_in: Scheme::Profile, ..set_up(Action::Connect) });
        all.push(When { password: Password::Wrong, ..set_up(Action::Autodiscover) });
        let excludes = vec![Lookup::Scp, Lookup::HttpsRoot, Lookup::HttpsAutodiscover];
        all.push(When { excludes, ..set_up(Action::Autodiscover) });
        let mut typed = |url: WebUrl, does| all.push(self.when(ClientKind::Outlook, Opens::Url(url), does));
        if self.facts.version == Version::Exchange2010 {
            for url in self.typed(Protocol::Ews) {
                typed(url, Action::GetFolder);
            }
            let guid =
                self.facts.oab().ok().and_then(|oab| self.facts.topology.oabs.get(oab)).map(|oab| &oab.guid);
            for (url, guid) in self.typed(Protocol::Oab).into_iter().zip(guid.into_iter().cycle()) {
                typed(
                    url.at(&format!("{}{guid}/oab.xml", url.virtual_directory().path)),
                    Action::DownloadOab,
                );
            }
        }
        for host in self.rpc_proxies() {
            let path = "/rpc/rpcproxy.dll?mailbox:6001".to_owned();
            typed(WebUrl { tls: true, host, path }, Action::Connect);
        }
        for url in self.typed(Protocol::Mapi) {
            typed(url, Action::MapiConnect);
        }
        // An old SCP record or bookmark leads to CAS2007 (X-AD-2).
        if let Some(url) = self.legacy(Protocol::Ews) {
            typed(url.at("/autodiscover/autodiscover.xml"), Action::Autodiscover);
        }
    }

    /// Set up by Autodiscover, or years ago: at the subject, at the mailbox's own site, at CAS2007 (X-EAS-2).
    fn devices(&self, all: &mut Vec<When>) {
        let mut urls: BTreeSet<WebUrl> = self.typed(Protocol::Eas).into_iter().collect();
        urls.extend(self.legacy(Protocol::Eas));
        let device = |protocol: &str, kind: &str, on_451_list, autodiscover| Device {
            protocol: protocol.to_owned(),
            kind: kind.to_owned(),
            on_451_list,
            autodiscover,
            query: QueryForm::Plain,
        };
        let devices = [
            device("14.1", "iPhone", true, true),
            device("12.1", "SmartPhone", true, false),
            device("12.0", "PocketPC", false, true),
        ];
        for device in devices {
            let with = |opens, does| When {
                device: Some(device.clone()),
                ..self.when(ClientKind::Device, opens, does)
            };
            for url in &urls {
                all.push(with(Opens::Url(url.clone()), Action::FolderSync));
                all.push(with(Opens::Url(url.clone()), Action::Options));
            }
            if device.autodiscover {
                all.push(with(Opens::Device(self.mailbox.clone()), Action::FolderSync));
            }
        }
    }

    /// Set up by hand for the subject, in each way there is.
    fn mail_programs(&self, all: &mut Vec<When>) {
        let host = external_url(self.facts.seat, Protocol::Owa)
            .filter(|url| self.resolves(url))
            .map(|url| &url.host);
        let Some(host) = host.filter(|_| self.facts.with_2013()) else { return };
        for protocol in [Protocol::Imap, Protocol::Pop] {
            if !self.facts.seat.mail(protocol).is_some_and(|service| service.runs) {
                continue;
            }
            for over in Over::ALL.iter().copied() {
                let address = MailAddress { protocol, over, host: host.clone() };
                all.push(self.when(ClientKind::Mail, Opens::Mail(address), Action::ReadMail));
            }
        }
    }

    /// The addresses that a user of this mailbox may have learnt: the subject's, and for 2007 and 2010 the one of the
    /// mailbox's site. 2007 is not reached at the subject by EWS or OAB.
    fn typed(&self, protocol: Protocol) -> BTreeSet<WebUrl> {
        let facts = self.facts;
        let own = facts.published(facts.version, facts.site, protocol).map(|(_, url)| url);
        let subject = external_url(facts.seat, protocol);
        subject.into_iter().chain(own).filter(|url| self.resolves(url)).cloned().collect()
    }

    /// The names of Outlook Anywhere: the subject's, and for 2010 the one of the mailbox's site.
    fn rpc_proxies(&self) -> BTreeSet<HostName> {
        let facts = self.facts;
        let own = facts.published_outlook_anywhere(Version::Exchange2010, facts.site);
        let own = own.filter(|_| facts.version == Version::Exchange2010);
        let subject = facts.seat.outlook_anywhere.as_ref().and_then(|own| own.external_host.as_ref());
        let named = subject.into_iter().chain(own).filter(|host| facts.resolves(host, self.view)).cloned();
        // A profile that was never told of Exchange 2010 or 2013.
        let at_home = facts.version == Version::Exchange2007 && *facts.site == facts.seat.site;
        let legacy = self.legacy(Protocol::Ews).filter(|_| at_home).map(|url| url.host);
        named.chain(legacy).collect()
    }

    /// The address of CAS2007 in the subject's site.
    fn legacy(&self, protocol: Protocol) -> Option<WebUrl> {
        let found = self.facts.published(Version::Exchange2007, &self.facts.seat.site, protocol);
        found.map(|(_, url)| url.clone()).filter(|url| self.resolves(url))
    }

    fn resolves(&self, url: &WebUrl) -> bool {
        let reaches = |name: &ServerName| self.facts.topology.server(name).is_some();
        self.facts
            .behind(&url.host, self.view, Protocol::Owa)
            .is_ok_and(|here| here.servers.0.iter().all(reaches))
    }

    fn when(&self, client: ClientKind, opens: Opens, does: Action) -> When {
        When {
            mailbox: self.mailbox.clone(),
            client,
            view: self.view,
            opens,
            does,
            password: Password::Right,
            sign_in: Default::default(),
            stays: false,
            comes_back: None,
            at_once: 1,
            types: None,
            device: None,
            can_handle: None,
            mapi_http: false,
            knows_exhttp: true,
            excludes: vec![],
            follows_link: false,
            times: 1,
            sends: vec![],
        }
    }
}
