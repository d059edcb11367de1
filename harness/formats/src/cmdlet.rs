//! Which cmdlet wrote an object: by its type, by what only such objects have, or by the file's name.

use std::collections::BTreeMap;

use model::Protocol;

use crate::Wrong;
use crate::note::{Kind, Note};
use crate::reading::relative;
use crate::record::{Place, Property, Record, Value};
use crate::rows::build;

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

    /// What an object of it is known by among its like; none where it was exported without that.
    fn key(self, record: &Record) -> Option<String> {
        let text = |name| record.text(name).unwrap_or_default();
        let named = |names: &[&'static str]| names.iter().map(|name| text(name)).find(|t| !t.is_empty());
        let key = match self {
            Cmdlet::ExchangeServer | Cmdlet::ClientAccessServer => {
                named(&["Name", "Identity", "Fqdn"]).map(str::to_owned)
            }
            Cmdlet::Names => named(&["Name"]).map(|name| format!("{name} {}", text("View"))),
            Cmdlet::Service => named(&["MachineName"]).map(|machine| format!("{machine} {}", text("Name"))),
            Cmdlet::AcceptedDomain => named(&["DomainName", "Name"]).map(str::to_owned),
            Cmdlet::Directory(_) | Cmdlet::OutlookAnywhere => {
                let of_server = || Some(format!("{}\\{}", named(&["Server", "ServerName"])?, text("Name")));
                named(&["Identity"]).map(str::to_owned).or_else(of_server)
            }
            Cmdlet::MailSettings(_) => {
                named(&["Server", "Identity"]).map(|_| format!("{} {}", text("Server"), text("Identity")))
            }
            _ => named(&["Identity", "Name"]).map(str::to_owned),
        };
        key.map(|key| key.to_lowercase())
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
        // What cannot be told from its like is joined with none.
        let mut key = cmdlet.key(&record).unwrap_or_else(|| format!("{}\n", record.at));
        if all.get(&key).is_some_and(|before| are_of_two_groups(before, &record)) {
            key = format!("{key}\n{}", storage_group(&record));
        }
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

/// Whether two databases of Exchange 2007 with one name, and without Identity, are two: a name was its own in its storage group alone.
fn are_of_two_groups(before: &Record, record: &Record) -> bool {
    let is_known = |of: &Record| of.has("StorageGroup") || of.has("StorageGroupName");
    let is_without = |of: &Record| of.text("Identity").is_none() && is_known(of);
    is_without(before) && is_without(record) && storage_group(before) != storage_group(record)
}

fn storage_group(of: &Record) -> String {
    let text =
        |names: [&str; 2]| names.iter().find_map(|name| of.text(name)).map(relative).unwrap_or_default();
    format!("{}\\{}", text(["Server", "ServerName"]), text(["StorageGroupName", "StorageGroup"]))
        .to_lowercase()
}

/// Puts two exports of one thing together: what one lacks or cut short, the other may have.
fn joined(into: &mut Record, from: Record, notes: &mut Vec<Note>) -> Vec<Wrong> {
    let mut wrong = vec![];
    let whose = named(into).to_owned();
    for property in from.properties {
        let at = into.properties.iter_mut().find(|known| known.name.eq_ignore_ascii_case(&property.name));
        match at {
            None => into.properties.push(property),
            Some(known) if agree(&property.name, &known.value, &property.value) => {
                let is_less =
                    matches!(known.value, Value::Cut(_) | Value::Lost(_)) || lost_letters(&known.value);
                if is_less && !matches!(property.value, Value::Lost(_)) {
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
                let help = "the two exports are of different times, or of two things that are called the same: export both anew with \
                     Identity, or take the old one away";
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

/// Whether two values of a property may both be true of one thing.
fn agree(property: &str, a: &Value, b: &Value) -> bool {
    let all = |value: &Value| -> Vec<String> {
        items(property, value).iter().map(|item| meant(property, item)).collect()
    };
    match (a, b) {
        (Value::Lost(_), _) | (_, Value::Lost(_)) => true,
        (Value::Cut(few), whole) | (whole, Value::Cut(few)) => {
            let whole = all(whole);
            few.iter().all(|item| whole.iter().any(|one| is_alike(one, &meant(property, item))))
                || matches!((a, b), (Value::Cut(_), Value::Cut(_)))
        }
        _ => {
            let (a, b) = (all(a), all(b));
            let truth = |items: &[String]| match items {
                [one] => crate::reading::truth(one),
                _ => None,
            };
            are_alike(&a, b.clone())
                || (truth(&a).is_some() && truth(&a) == truth(&b))
                || are_roles(property, &a, &b)
        }
    }
}

/// The items of a value; a name of the directory has commas of its own.
fn items<'v>(property: &str, value: &'v Value) -> Vec<&'v str> {
    let is_one = |text: &str| text.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("cn="));
    match value {
        Value::Text(text) if names_of_directory(property) && is_one(text) => vec![text],
        _ => value.items(),
    }
}

/// Whether the same items stand in two lists, in whatever order.
fn are_alike(a: &[String], mut b: Vec<String>) -> bool {
    a.len() == b.len()
        && a.iter()
            .all(|one| b.iter().position(|other| is_alike(one, other)).map(|at| b.swap_remove(at)).is_some())
}

/// Properties that name things of the directory, by their names alone or by where they are in it.
const IN_THE_DIRECTORY: [&str; 8] = [
    "Site",
    "SiteName",
    "Server",
    "ServerName",
    "Servers",
    "Members",
    "MasterServerOrAvailabilityGroup",
    "OfflineAddressBook",
];

fn names_of_directory(property: &str) -> bool {
    IN_THE_DIRECTORY.iter().any(|name| name.eq_ignore_ascii_case(property))
}

/// A value without what the same may be written with.
fn meant(property: &str, item: &str) -> String {
    let item = match property {
        _ if property.eq_ignore_ascii_case("AdminDisplayVersion") => {
            build(item).map_or_else(|| item.to_owned(), |build| build.to_string())
        }
        _ if names_of_directory(property) => relative(item),
        _ => item.to_owned(),
    };
    item.to_lowercase()
}

/// Whether two texts are the same; an export in ASCII has a question mark for each letter beyond it.
fn is_alike(a: &str, b: &str) -> bool {
    let lost = |one: char, other: char| one == '?' && !other.is_ascii();
    a.chars().count() == b.chars().count()
        && a.chars().zip(b.chars()).all(|(a, b)| a == b || lost(a, b) || lost(b, a))
}

fn lost_letters(value: &Value) -> bool {
    value.items().iter().any(|item| item.contains('?'))
}

/// A number of roles beside their names: an enumeration that lost its names in one of the two.
fn are_roles(property: &str, a: &[String], b: &[String]) -> bool {
    let is_number = |items: &[String]| matches!(items, [one] if one.parse::<u32>().is_ok());
    property.eq_ignore_ascii_case("ServerRole") && is_number(a) != is_number(b)
}

/// What an administrator calls an object.
pub(crate) fn named(record: &Record) -> &str {
    record.text("Identity").or_else(|| record.text("Name")).unwrap_or("an object without Identity")
}

/// The cmdlet that wrote an object.
pub(crate) fn of(record: &Record) -> Option<Cmdlet> {
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

/// What only objects of one cmdlet have.
fn by_properties(record: &Record) -> Option<Cmdlet> {
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
        () => return by_web_site(record),
    })
}

/// What a virtual directory has and nothing else that is called `EWS (Sales)` or so.
const OF_DIRECTORIES: [&str; 16] = [
    "InternalUrl",
    "ExternalUrl",
    "InternalHostname",
    "ExternalHostname",
    "MetabasePath",
    "InternalAuthenticationMethods",
    "IISAuthenticationMethods",
    "BasicAuthentication",
    "WindowsAuthentication",
    "FormsAuthentication",
    "BasicAuthEnabled",
    "WindowsAuthEnabled",
    "ClientAuthenticationMethod",
    "ExternalClientAuthenticationMethod",
    "InternalClientAuthenticationMethod",
    "CrossSiteRedirectType",
];

/// A virtual directory is known by the name that IIS has for it, `owa (Default Web Site)`, below a server's.
fn by_web_site(record: &Record) -> Option<Cmdlet> {
    let of_server = record.text("Identity").and_then(|identity| identity.split_once('\\'));
    let of_server = of_server.filter(|(server, name)| !server.is_empty() && !name.contains('\\'));
    let alone = || {
        let has_one = OF_DIRECTORIES.iter().any(|property| record.has(property));
        record.text("Name").filter(|_| has_one)
    };
    let name = of_server.map(|(_, name)| name).or_else(alone).filter(|name| name.contains('('))?;
    match name.split(" (").next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "owa" | "exchange" | "public" | "exchweb" | "exadmin" => Some(Cmdlet::Directory(Protocol::Owa)),
        "ecp" => Some(Cmdlet::Directory(Protocol::Ecp)),
        "microsoft-server-activesync" => Some(Cmdlet::Directory(Protocol::Eas)),
        "ews" => Some(Cmdlet::Directory(Protocol::Ews)),
        "oab" => Some(Cmdlet::Directory(Protocol::Oab)),
        "autodiscover" => Some(Cmdlet::Directory(Protocol::Autodiscover)),
        "mapi" => Some(Cmdlet::Directory(Protocol::Mapi)),
        "rpc" | "rpcwithcert" => Some(Cmdlet::OutlookAnywhere),
        _ => None,
    }
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
    const KEYS: [&str; 8] = [
        "AdminDisplayName",
        "DomainName",
        "Identity",
        "MachineName",
        "Name",
        "StorageGroup",
        "StorageGroupName",
        "View",
    ];
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
