//! Which cmdlet wrote an object: by its type, by what only such objects have, or by the file's name.

use std::collections::BTreeMap;

use model::Protocol;

use crate::Wrong;
use crate::note::{Kind, Note};
use crate::record::{Place, Property, Record, Value};

/// A cmdlet whose objects are read. Their properties are described in Microsoft's reference,
/// <https://learn.microsoft.com/powershell/module/exchange/get-exchangeserver> and beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cmdlet {
    ExchangeServer,
    ClientAccessServer,
    ClientAccessArray,
    /// Get-OwaVirtualDirectory and its like.
    Directory(Protocol),
    OutlookAnywhere,
    /// Get-ImapSettings, Get-PopSettings.
    MailSettings(Protocol),
    MailboxDatabase,
    OfflineAddressBook,
    AcceptedDomain,
    /// Read, and of no consequence: no setting in it decides where a client goes.
    OwaMailboxPolicy,
    /// Get-Service of Windows, for the mail services.
    Service,
    /// What `collect.ps1` asks of DNS, inside and outside.
    Names,
}

/// A cmdlet, what it is called, the last part of its objects' type, and what a file of it is called.
struct Known {
    cmdlet: Cmdlet,
    called: &'static str,
    types: &'static [&'static str],
}

const KNOWN: &[Known] = &[
    known(Cmdlet::ExchangeServer, "Get-ExchangeServer", &["ExchangeServer"]),
    known(Cmdlet::ClientAccessServer, "Get-ClientAccessServer", &["ClientAccessServer"]),
    known(Cmdlet::ClientAccessArray, "Get-ClientAccessArray", &["ClientAccessArray"]),
    known(Cmdlet::Directory(Protocol::Owa), "Get-OwaVirtualDirectory", &["ADOwaVirtualDirectory"]),
    known(Cmdlet::Directory(Protocol::Ecp), "Get-EcpVirtualDirectory", &["ADEcpVirtualDirectory"]),
    known(Cmdlet::Directory(Protocol::Eas), "Get-ActiveSyncVirtualDirectory", &["ADMobileVirtualDirectory"]),
    known(
        Cmdlet::Directory(Protocol::Ews),
        "Get-WebServicesVirtualDirectory",
        &["ADWebServicesVirtualDirectory"],
    ),
    known(Cmdlet::Directory(Protocol::Oab), "Get-OabVirtualDirectory", &["ADOabVirtualDirectory"]),
    known(
        Cmdlet::Directory(Protocol::Autodiscover),
        "Get-AutodiscoverVirtualDirectory",
        &["ADAutodiscoverVirtualDirectory"],
    ),
    known(Cmdlet::Directory(Protocol::Mapi), "Get-MapiVirtualDirectory", &["ADMapiVirtualDirectory"]),
    known(Cmdlet::OutlookAnywhere, "Get-OutlookAnywhere", &["ADRpcHttpVirtualDirectory"]),
    known(Cmdlet::MailSettings(Protocol::Imap), "Get-ImapSettings", &["Imap4AdConfiguration"]),
    known(Cmdlet::MailSettings(Protocol::Pop), "Get-PopSettings", &["Pop3AdConfiguration"]),
    known(Cmdlet::MailboxDatabase, "Get-MailboxDatabase", &["MailboxDatabase"]),
    known(Cmdlet::OfflineAddressBook, "Get-OfflineAddressBook", &["OfflineAddressBook"]),
    known(Cmdlet::AcceptedDomain, "Get-AcceptedDomain", &["AcceptedDomain"]),
    known(Cmdlet::OwaMailboxPolicy, "Get-OwaMailboxPolicy", &["OwaMailboxPolicy"]),
    known(Cmdlet::Service, "Get-Service", &["ServiceController"]),
    known(Cmdlet::Names, "Names.csv", &["CoexistName"]),
];

const fn known(cmdlet: Cmdlet, called: &'static str, types: &'static [&'static str]) -> Known {
    Known { cmdlet, called, types }
}

impl Cmdlet {
    /// What an administrator types.
    pub(crate) fn called(self) -> &'static str {
        KNOWN.iter().find(|known| known.cmdlet == self).map_or("a cmdlet", |known| known.called)
    }

    /// What an object of it is known by among its like.
    fn key(self, record: &Record) -> String {
        let text = |name| record.text(name).unwrap_or_default();
        let named = |names: &[&'static str]| names.iter().map(|name| text(name)).find(|t| !t.is_empty());
        let key = match self {
            Cmdlet::ExchangeServer | Cmdlet::ClientAccessServer => named(&["Name", "Identity", "Fqdn"]),
            Cmdlet::Names => return format!("{} {}", text("Name"), text("View")).to_lowercase(),
            Cmdlet::Service => return format!("{} {}", text("MachineName"), text("Name")).to_lowercase(),
            Cmdlet::AcceptedDomain => named(&["DomainName", "Name"]),
            Cmdlet::Directory(_) | Cmdlet::OutlookAnywhere => {
                let server = named(&["Server", "ServerName"]).unwrap_or_default();
                return match text("Identity") {
                    "" => format!("{server}\\{}", text("Name")).to_lowercase(),
                    identity => identity.to_lowercase(),
                };
            }
            Cmdlet::MailSettings(_) => {
                return format!("{} {}", text("Server"), text("Identity")).to_lowercase();
            }
            _ => named(&["Identity", "Name"]),
        };
        key.unwrap_or_default().to_lowercase()
    }
}

/// Whether a property is read, so that two exports of one thing that differ in it cannot both be right.
fn decides(property: &str) -> bool {
    READ.iter().any(|read| read.eq_ignore_ascii_case(property))
}

/// Whether a property that is read tells how things were at one time: databases are mounted elsewhere each day.
fn is_of_its_time(property: &str) -> bool {
    property.eq_ignore_ascii_case(MOUNTED)
}

const MOUNTED: &str = "MountedOnServer";

/// The properties that are read, without the names by which an object is known.
const READ: &[&str] = &[
    "Fqdn",
    "Site",
    "SiteName",
    "ServerRole",
    "AdminDisplayVersion",
    "AutoDiscoverServiceInternalUri",
    "AutoDiscoverSiteScope",
    "IsOutOfService",
    "Server",
    "ServerName",
    "InternalUrl",
    "ExternalUrl",
    "InternalAuthenticationMethods",
    "ExternalAuthenticationMethods",
    "BasicAuthentication",
    "WindowsAuthentication",
    "FormsAuthentication",
    "BasicAuthEnabled",
    "WindowsAuthEnabled",
    "LogonFormat",
    "CrossSiteRedirectType",
    "LegacyRedirectType",
    "LogonPagePublicPrivateSelectionEnabled",
    "OwaVersion",
    "IISAuthenticationMethods",
    "ClientAuthenticationMethod",
    "ExternalClientAuthenticationMethod",
    "InternalClientAuthenticationMethod",
    "ExternalHostname",
    "InternalHostname",
    "ExternalClientsRequireSsl",
    "InternalClientsRequireSsl",
    "InternalConnectionSettings",
    "LoginType",
    "Banner",
    "EnableGSSAPIAndNTLMAuth",
    "RpcClientAccessServer",
    "Servers",
    "MasterServerOrAvailabilityGroup",
    "Recovery",
    "OfflineAddressBook",
    "VirtualDirectories",
    "IsDefault",
    "Guid",
    "Default",
    "DomainType",
    "Status",
    "Members",
    "OutlookAnywhereEnabled",
    "Address",
];

/// Every object with the cmdlet that it is of; what was exported twice is one. What is of none is noted.
///
/// # Errors
/// Two exports of one thing that contradict each other.
pub(crate) fn told_apart(
    records: Vec<Record>,
    notes: &mut Vec<Note>,
) -> Result<BTreeMap<Cmdlet, Vec<Record>>, Vec<Wrong>> {
    let mut known: BTreeMap<Cmdlet, BTreeMap<String, Record>> = BTreeMap::new();
    let mut strangers: BTreeMap<(String, String), (Place, usize)> = BTreeMap::new();
    let mut wrong = vec![];
    for record in records {
        let Some(cmdlet) = of(&record) else {
            let kind = record.types.first().cloned().unwrap_or_else(|| "unknown".to_owned());
            let first = record.at.clone();
            strangers.entry((record.at.file.to_string(), kind)).or_insert((first, 0)).1 += 1;
            continue;
        };
        let all = known.entry(cmdlet).or_default();
        let key = cmdlet.key(&record);
        match all.get_mut(&key) {
            None => drop(all.insert(key, record)),
            Some(before) => wrong.extend(joined(before, record, notes)),
        }
    }
    for ((_, kind), (first, count)) in strangers {
        let objects = if count == 1 { "an object".to_owned() } else { format!("{count} objects") };
        let says = format!("{objects} of a kind that is not read here: {kind}");
        notes.push(Note::new(Kind::LeftOut, first, says));
    }
    match wrong.is_empty() {
        true => Ok(known.into_iter().map(|(cmdlet, all)| (cmdlet, all.into_values().collect())).collect()),
        false => Err(wrong),
    }
}

/// Puts two exports of one thing together: what one lacks or cut short, the other may have.
fn joined(into: &mut Record, from: Record, notes: &mut Vec<Note>) -> Vec<Wrong> {
    let mut wrong = vec![];
    let whose = named(into).to_owned();
    for property in from.properties {
        let at = into.properties.iter_mut().find(|known| known.name.eq_ignore_ascii_case(&property.name));
        match at {
            None => into.properties.push(property),
            Some(known) if agree(&known.value, &property.value) => {
                if matches!(known.value, Value::Cut(_) | Value::Lost(_)) {
                    known.value = property.value;
                }
            }
            // Without -Status nothing is known of it.
            Some(known) if is_of_its_time(&property.name) && known.value == Value::Nothing => {
                known.value = property.value;
            }
            Some(_) if is_of_its_time(&property.name) && property.value == Value::Nothing => {}
            Some(known) if is_of_its_time(&property.name) => {
                let (place, message) = differs(&whose, (known, &into.at), (&property, &from.at));
                let says = format!("{message}, which is taken");
                notes.push(Note::new(Kind::Doubtful, place, says));
            }
            Some(known) if decides(&property.name) => {
                let (place, message) = differs(&whose, (known, &into.at), (&property, &from.at));
                let help =
                    "the two exports are of different times: export both anew, or take the old one away";
                wrong.push(Wrong { at: Some(place), message, help: help.to_owned() });
            }
            Some(_) => {}
        }
    }
    wrong
}

/// Where a property says something else than before, and how that is said.
fn differs(whose: &str, known: (&Property, &Place), new: (&Property, &Place)) -> (Place, String) {
    let place = |(property, object): (&Property, &Place)| Place { line: property.line, ..object.clone() };
    let message = format!(
        "{} of {whose} is `{}` here and `{}` in {}",
        new.0.name,
        said(&new.0.value),
        said(&known.0.value),
        place(known)
    );
    (place(new), message)
}

fn said(value: &Value) -> String {
    match value.items()[..] {
        [] => "nothing".to_owned(),
        ref items => items.join(", "),
    }
}

/// Whether two values may both be true of one thing.
fn agree(a: &Value, b: &Value) -> bool {
    let folded = |value: &Value| {
        let mut items: Vec<String> = value.items().iter().map(|item| item.to_lowercase()).collect();
        items.sort();
        items
    };
    match (a, b) {
        (Value::Lost(_), _) | (_, Value::Lost(_)) => true,
        (Value::Cut(few), all) | (all, Value::Cut(few)) => {
            let all = folded(all);
            few.iter().all(|item| all.contains(&item.to_lowercase()))
                || matches!((a, b), (Value::Cut(_), Value::Cut(_)))
        }
        _ => {
            let (a, b) = (folded(a), folded(b));
            let truth = |items: &[String]| match items {
                [one] => crate::reading::truth(one),
                _ => None,
            };
            a == b || (truth(&a).is_some() && truth(&a) == truth(&b))
        }
    }
}

/// What an administrator calls an object.
pub(crate) fn named(record: &Record) -> &str {
    record.text("Identity").or_else(|| record.text("Name")).unwrap_or("an object without Identity")
}

fn of(record: &Record) -> Option<Cmdlet> {
    // A type that is another cmdlet's is not this one's for the name of a file.
    let by_name = || record.types.iter().all(|of| is_anybodys(of)).then(|| by_file(record)).flatten();
    by_type(record).or_else(|| by_properties(record)).or_else(by_name)
}

/// What `Select-Object` and `ConvertFrom-Csv` make of any object.
fn is_anybodys(of: &str) -> bool {
    let own = of.rsplit('.').next().unwrap_or_default();
    of.starts_with("Selected.") || ["PSCustomObject", "PSObject", "Object"].contains(&own)
}

/// `Deserialized.` and `Selected.` stand before the type of what was sent or narrowed down.
fn by_type(record: &Record) -> Option<Cmdlet> {
    let own = record.types.first()?.rsplit('.').next()?;
    KNOWN.iter().find(|known| known.types.contains(&own)).map(|known| known.cmdlet)
}

/// What only objects of one cmdlet have. A virtual directory is known by the name that IIS has for it.
fn by_properties(record: &Record) -> Option<Cmdlet> {
    let directory = record
        .text("Name")
        .filter(|name| name.contains('('))
        .or_else(|| record.text("Identity")?.rsplit('\\').next().filter(|name| name.contains('(')));
    if let Some(name) = directory {
        let first = name.split(" (").next().unwrap_or_default().to_ascii_lowercase();
        return Some(match first.as_str() {
            "owa" | "exchange" | "public" | "exchweb" | "exadmin" => Cmdlet::Directory(Protocol::Owa),
            "ecp" => Cmdlet::Directory(Protocol::Ecp),
            "microsoft-server-activesync" => Cmdlet::Directory(Protocol::Eas),
            "ews" => Cmdlet::Directory(Protocol::Ews),
            "oab" => Cmdlet::Directory(Protocol::Oab),
            "autodiscover" => Cmdlet::Directory(Protocol::Autodiscover),
            "mapi" => Cmdlet::Directory(Protocol::Mapi),
            "rpc" | "rpcwithcert" => Cmdlet::OutlookAnywhere,
            _ => return None,
        });
    }
    let has = |names: &[&str]| names.iter().all(|name| record.has(name));
    Some(match () {
        () if has(&["AdminDisplayVersion", "ServerRole"]) => Cmdlet::ExchangeServer,
        () if has(&["AutoDiscoverServiceInternalUri"]) => Cmdlet::ClientAccessServer,
        () if has(&["InternalConnectionSettings"]) => {
            let protocol = record.text("ProtocolName").unwrap_or_default();
            match protocol.to_ascii_uppercase().as_str() {
                "IMAP4" => Cmdlet::MailSettings(Protocol::Imap),
                "POP3" => Cmdlet::MailSettings(Protocol::Pop),
                _ => return None,
            }
        }
        () if has(&["RpcClientAccessServer"]) || has(&["MasterServerOrAvailabilityGroup"]) => {
            Cmdlet::MailboxDatabase
        }
        () if has(&["DomainName", "DomainType"]) => Cmdlet::AcceptedDomain,
        () if has(&["VirtualDirectories", "AddressLists"]) => Cmdlet::OfflineAddressBook,
        () if has(&["MachineName", "Status"]) => Cmdlet::Service,
        () if has(&["Fqdn", "Members", "Site"]) => Cmdlet::ClientAccessArray,
        () => return None,
    })
}

/// `Get-OwaVirtualDirectory.txt`, `2013 owavirtualdirectory.csv`: the cmdlet's noun stands in the file's name.
fn by_file(record: &Record) -> Option<Cmdlet> {
    let name = record.at.file.rsplit(['/', '\\']).next()?.to_ascii_lowercase();
    let letters = |text: &str| {
        text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
    };
    let noun = |known: &Known| letters(known.called.trim_start_matches("Get-"));
    KNOWN.iter().find(|known| letters(&name).contains(&noun(known))).map(|known| known.cmdlet)
}

impl Property {
    /// Where it stands.
    pub(crate) fn place(&self, record: &Record) -> Place {
        Place { line: self.line, ..record.at.clone() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Where properties are read.
    const READERS: [&str; 3] =
        [include_str!("rows/objects.rs"), include_str!("rows.rs"), include_str!("reading.rs")];
    /// By these an object is known among its like.
    const KEYS: [&str; 6] = ["AdminDisplayName", "DomainName", "Identity", "MachineName", "Name", "View"];
    /// Values and names of services there, which are no properties.
    const VALUES: [&str; 18] = [
        "Authoritative",
        "Cafe",
        "ClientAccess",
        "FullDomain",
        "MSExchangeIMAP4",
        "MSExchangeIMAP4BE",
        "MSExchangePOP3",
        "MSExchangePOP3BE",
        "Mailbox",
        "Manual",
        "None",
        "PlainTextAuthentication",
        "PlainTextLogin",
        "PrincipalName",
        "Running",
        "SecureLogin",
        "Silent",
        "UserName",
    ];

    /// What stands between quotes there and looks like a property.
    fn properties() -> BTreeSet<&'static str> {
        let words = READERS.iter().flat_map(|source| source.lines());
        let words = words.flat_map(|line| line.split('"').skip(1).step_by(2));
        let like_a_property = |word: &&str| {
            word.starts_with(|c: char| c.is_ascii_uppercase())
                && word.chars().all(|c| c.is_ascii_alphanumeric())
                && !VALUES.contains(word)
        };
        words.filter(like_a_property).collect()
    }

    #[test]
    fn what_is_read_may_not_differ_between_two_exports() {
        let read = properties();
        for property in &read {
            let has_a_place = decides(property) || is_of_its_time(property) || KEYS.contains(property);
            assert!(has_a_place, "{property} is read: is it in READ?");
        }
        for property in READ {
            assert!(read.contains(property), "{property} is in READ, and is not read");
        }
    }
}
