//! What exports say, with types: one row an object, each with where it comes from.

use std::collections::{BTreeMap, BTreeSet};

use model::mail::{ConnectionSetting, LoginType};
use model::topology::{Authentication, LogonFormat, Origin, RedirectType};
use model::{Build, HostName, Protocol, Version, View, WebUrl};

use crate::Wrong;
use crate::cmdlet::{Cmdlet, named};
use crate::note::{Kind, Note};
use crate::reading::{Reading, relative};
use crate::record::Record;

mod columns;
mod objects;

pub(crate) use objects::build;

/// Everything that was exported. Names are as they were exported; two that differ in letter case alone are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rows {
    /// The cmdlets of which at least one object was read.
    pub(crate) have: BTreeSet<Cmdlet>,
    pub(crate) servers: Vec<Server>,
    pub(crate) client_access: Vec<ClientAccess>,
    pub(crate) arrays: Vec<Array>,
    pub(crate) directories: Vec<Directory>,
    pub(crate) anywhere: Vec<Anywhere>,
    pub(crate) mail: Vec<Mail>,
    pub(crate) databases: Vec<Database>,
    pub(crate) oabs: Vec<Oab>,
    pub(crate) domains: Vec<Domain>,
    pub(crate) services: Vec<Service>,
    pub(crate) names: Vec<Name>,
    /// What properties no object of an exported cmdlet has, which names nobody.
    pub(crate) unexported: Vec<Note>,
}

/// Get-ExchangeServer.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) fqdn: Option<HostName>,
    pub(crate) version: Version,
    pub(crate) build: Build,
    pub(crate) client_access: bool,
    pub(crate) mailbox: bool,
    pub(crate) site: Option<String>,
    pub(crate) origin: Origin,
}

impl Server {
    /// Whether its build has MAPI over HTTP, which came with Exchange 2013 SP1, build 847.
    pub(crate) fn has_mapi(&self) -> bool {
        self.version == Version::Exchange2013 && self.build.build >= 847
    }
}

/// Get-ClientAccessServer.
#[derive(Debug, Clone)]
pub(crate) struct ClientAccess {
    pub(crate) server: String,
    pub(crate) scp: Option<WebUrl>,
    /// AutoDiscoverSiteScope: the sites whose clients take this service connection point first.
    pub(crate) scope: Vec<String>,
    /// OutlookAnywhereEnabled.
    pub(crate) anywhere: Option<bool>,
    pub(crate) out_of_service: bool,
}

/// Get-ClientAccessArray.
#[derive(Debug, Clone)]
pub(crate) struct Array {
    pub(crate) fqdn: HostName,
    pub(crate) site: Option<String>,
    pub(crate) members: Vec<String>,
    pub(crate) origin: Origin,
}

/// A virtual directory.
#[derive(Debug, Clone)]
pub(crate) struct Directory {
    pub(crate) protocol: Protocol,
    pub(crate) server: String,
    pub(crate) internal_url: Option<WebUrl>,
    pub(crate) external_url: Option<WebUrl>,
    /// None where the export does not say.
    pub(crate) authentication: Option<Vec<Authentication>>,
    pub(crate) external_authentication: Option<Vec<Authentication>>,
    pub(crate) forms: Option<bool>,
    pub(crate) cross_site_redirect: Option<RedirectType>,
    pub(crate) legacy_redirect: Option<RedirectType>,
    pub(crate) public_private_selection: Option<bool>,
    pub(crate) logon_format: LogonFormat,
    pub(crate) origin: Origin,
}

/// Get-OutlookAnywhere.
#[derive(Debug, Clone)]
pub(crate) struct Anywhere {
    pub(crate) server: String,
    pub(crate) external_host: Option<HostName>,
    pub(crate) external_authentication: Option<Authentication>,
    pub(crate) external_ssl: Option<bool>,
    pub(crate) internal_host: Option<HostName>,
    pub(crate) internal_authentication: Option<Authentication>,
    pub(crate) internal_ssl: Option<bool>,
    pub(crate) iis: Option<Vec<Authentication>>,
    pub(crate) origin: Origin,
}

/// Get-ImapSettings, Get-PopSettings.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    pub(crate) protocol: Protocol,
    pub(crate) server: String,
    pub(crate) settings: Vec<ConnectionSetting>,
    pub(crate) login_type: LoginType,
    pub(crate) banner: Option<String>,
    pub(crate) ntlm: bool,
    pub(crate) origin: Origin,
}

/// Get-MailboxDatabase.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) copies: Vec<String>,
    /// Whether those are all that there are.
    pub(crate) all_copies: bool,
    pub(crate) active: Option<String>,
    pub(crate) rpc_client_access_server: Option<HostName>,
    pub(crate) oab: Option<String>,
    pub(crate) origin: Origin,
}

/// Get-OfflineAddressBook.
#[derive(Debug, Clone)]
pub(crate) struct Oab {
    pub(crate) name: String,
    pub(crate) guid: Option<String>,
    /// The servers of its web distribution points.
    pub(crate) servers: Vec<String>,
    pub(crate) default: bool,
    pub(crate) origin: Origin,
}

/// Get-AcceptedDomain.
#[derive(Debug, Clone)]
pub(crate) struct Domain {
    pub(crate) name: HostName,
    pub(crate) default: bool,
    /// Its mailboxes are here.
    pub(crate) authoritative: bool,
}

/// Get-Service of a mail service.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) server: String,
    pub(crate) protocol: Protocol,
    /// The back end's, of Exchange 2013's Mailbox server.
    pub(crate) back_end: bool,
    pub(crate) runs: bool,
}

impl Service {
    /// What Windows calls a mail service.
    pub(crate) fn called(protocol: Protocol, back_end: bool) -> &'static str {
        let same =
            |(_, of, is_back_end): &&(&str, Protocol, bool)| (*of, *is_back_end) == (protocol, back_end);
        Service::ALL.iter().find(same).map_or("a mail service", |(name, ..)| name)
    }

    /// Each mail service: its name, what it speaks, and whether it is the back end's.
    pub(crate) const ALL: [(&str, Protocol, bool); 4] = [
        ("MSExchangeIMAP4", Protocol::Imap, false),
        ("MSExchangePOP3", Protocol::Pop, false),
        ("MSExchangeIMAP4BE", Protocol::Imap, true),
        ("MSExchangePOP3BE", Protocol::Pop, true),
    ];
}

/// A name of DNS, and the addresses that it has.
#[derive(Debug, Clone)]
pub(crate) struct Name {
    pub(crate) host: HostName,
    pub(crate) view: View,
    pub(crate) addresses: Vec<String>,
}

/// Reads every record into its row.
///
/// # Errors
/// What leaves too little for a topology.
pub(crate) fn read(known: BTreeMap<Cmdlet, Vec<Record>>, notes: &mut Vec<Note>) -> Result<Rows, Vec<Wrong>> {
    if !known.contains_key(&Cmdlet::ExchangeServer) {
        let says = "no export of Get-ExchangeServer is among the files: versions, roles and sites of servers are in it alone";
        let help = "Get-ExchangeServer | Export-Clixml servers.xml; harness/formats/collect.ps1 exports all there is";
        return Err(vec![Wrong { at: None, message: says.to_owned(), help: help.to_owned() }]);
    }
    let mut rows = Rows::default();
    for (cmdlet, records) in &known {
        for record in records {
            if rows.add(&mut Reading { cmdlet: *cmdlet, record, notes }) {
                rows.have.insert(*cmdlet);
            }
        }
    }
    rows.unexported = columns::missing(&known, &rows.servers);
    Ok(rows)
}

fn put<T>(rows: &mut Vec<T>, row: Option<T>) -> bool {
    let before = rows.len();
    rows.extend(row);
    rows.len() > before
}

impl Rows {
    /// Whether a row came of it.
    fn add(&mut self, of: &mut Reading<'_>) -> bool {
        let origin = Origin(named(of.record).to_owned(), of.record.at.to_string());
        match of.cmdlet {
            Cmdlet::ExchangeServer => put(&mut self.servers, objects::server(of, origin)),
            Cmdlet::ClientAccessServer => put(&mut self.client_access, objects::client_access(of)),
            Cmdlet::ClientAccessArray => put(&mut self.arrays, objects::array(of, origin)),
            Cmdlet::Directory(protocol) => {
                put(&mut self.directories, objects::directory(of, protocol, origin))
            }
            Cmdlet::OutlookAnywhere => put(&mut self.anywhere, objects::anywhere(of, origin)),
            Cmdlet::MailSettings(protocol) => put(&mut self.mail, objects::mail(of, protocol, origin)),
            Cmdlet::MailboxDatabase => put(&mut self.databases, objects::database(of, origin)),
            Cmdlet::OfflineAddressBook => put(&mut self.oabs, objects::oab(of, origin)),
            Cmdlet::AcceptedDomain => put(&mut self.domains, objects::domain(of)),
            Cmdlet::Service => put(&mut self.services, objects::service(of)),
            Cmdlet::Names => put(&mut self.names, objects::dns_name(of)),
            Cmdlet::OwaMailboxPolicy => {
                let says = format!(
                    "{}: no setting of such a policy leads a client anywhere, and none is read",
                    named(of.record)
                );
                of.notes.push(Note::new(Kind::LeftOut, &of.record.at, says));
                false
            }
        }
    }
}

/// The server that a setting is of: it says so, or its identity begins with it, `CAS01\owa (Default Web Site)`.
fn server_of(of: &mut Reading<'_>) -> Option<String> {
    if let Some(server) = of.name(&["Server", "ServerName"]) {
        return Some(server);
    }
    let before = of
        .record
        .text("Identity")
        .and_then(|identity| identity.split_once('\\'))
        .map(|(server, _)| relative(server));
    if before.is_none() {
        let says =
            format!("{}: it does not say of which server it is (Server, or Identity)", of.cmdlet.called());
        of.notes.push(Note::new(Kind::LeftOut, &of.record.at, says));
    }
    before
}
