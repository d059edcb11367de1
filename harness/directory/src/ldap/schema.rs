//! How attributes compare, and which classes an object of one is of.

/// How the values of an attribute compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    /// Letter case is folded.
    Text,
    /// A number in decimal.
    Integer,
    /// Octets as they are.
    Octets,
    /// `S-1-…` in octets; a filter may write it out.
    Sid,
    /// A distinguished name.
    Name,
    /// A class, by its name in the schema or by its LDAP name.
    Category,
}

/// Attributes whose values are no plain text.
const ATTRIBUTES: &[(&str, Syntax)] = &[
    ("objectGUID", Syntax::Octets),
    ("msExchMailboxGuid", Syntax::Octets),
    ("objectSid", Syntax::Sid),
    ("objectCategory", Syntax::Category),
    ("distinguishedName", Syntax::Name),
    ("homeMDB", Syntax::Name),
    ("homeMDBBL", Syntax::Name),
    ("msExchServerSite", Syntax::Name),
    ("msExchOwningServer", Syntax::Name),
    ("msExchHostServerLink", Syntax::Name),
    ("msExchUseOAB", Syntax::Name),
    ("msExchOABVirtualDirectoriesLink", Syntax::Name),
    ("coexistOrganizationMailboxDatabase", Syntax::Name),
    ("nCName", Syntax::Name),
    ("instanceType", Syntax::Integer),
    ("msExchAuthenticationFlags", Syntax::Integer),
    ("msExchCurrentServerRoles", Syntax::Integer),
    ("msExchExternalAuthenticationMethods", Syntax::Integer),
    ("msExchInternalAuthenticationMethods", Syntax::Integer),
    ("msExchRecipientDisplayType", Syntax::Integer),
    ("msExchRecipientTypeDetails", Syntax::Integer),
    ("msExchVersion", Syntax::Integer),
    ("primaryGroupID", Syntax::Integer),
    ("sAMAccountType", Syntax::Integer),
    ("systemFlags", Syntax::Integer),
    ("userAccountControl", Syntax::Integer),
    ("versionNumber", Syntax::Integer),
];

/// How an attribute's values compare.
pub(super) fn syntax(attribute: &str) -> Syntax {
    let known = ATTRIBUTES.iter().find(|(name, _)| name.eq_ignore_ascii_case(attribute));
    known.map_or(Syntax::Text, |(_, syntax)| *syntax)
}

/// A class: its LDAP name, the classes above it beside `top`, and the object of the schema that is its category.
pub(super) struct Class {
    pub(super) name: &'static str,
    pub(super) above: &'static [&'static str],
    pub(super) category: &'static str,
}

const fn class(name: &'static str, above: &'static [&'static str], category: &'static str) -> Class {
    Class { name, above, category }
}

const DIRECTORY: &[&str] = &["container", "msExchVirtualDirectory"];

/// Every class of which there are objects.
const CLASSES: &[Class] = &[
    class("domainDNS", &["domain"], "Domain-DNS"),
    class("container", &[], "Container"),
    class("configuration", &[], "Configuration"),
    class("user", &["person", "organizationalPerson"], "Person"),
    class("crossRefContainer", &[], "Cross-Ref-Container"),
    class("crossRef", &[], "Cross-Ref"),
    class("sitesContainer", &[], "Sites-Container"),
    class("site", &[], "Site"),
    class("serversContainer", &[], "Servers-Container"),
    class("server", &[], "Server"),
    class("nTDSDSA", &["applicationSettings"], "NTDS-DSA"),
    class("msExchConfigurationContainer", &["container"], "ms-Exch-Configuration-Container"),
    class("msExchOrganizationContainer", &["container"], "ms-Exch-Organization-Container"),
    class("msExchAdminGroupContainer", &["container"], "ms-Exch-Admin-Group-Container"),
    class("msExchAdminGroup", &["container"], "ms-Exch-Admin-Group"),
    class("msExchServersContainer", &["container"], "ms-Exch-Servers-Container"),
    class("msExchExchangeServer", &["server"], "ms-Exch-Exchange-Server"),
    class("msExchClientAccessArray", &["server"], "ms-Exch-Client-Access-Array"),
    class("msExchOWAVirtualDirectory", DIRECTORY, "ms-Exch-OWA-Virtual-Directory"),
    class("msExchECPVirtualDirectory", DIRECTORY, "ms-Exch-ECP-Virtual-Directory"),
    class("msExchMobileVirtualDirectory", DIRECTORY, "ms-Exch-Mobile-Virtual-Directory"),
    class("msExchWebServicesVirtualDirectory", DIRECTORY, "ms-Exch-Web-Services-Virtual-Directory"),
    class("msExchOABVirtualDirectory", DIRECTORY, "ms-Exch-OAB-Virtual-Directory"),
    class("msExchAutoDiscoverVirtualDirectory", DIRECTORY, "ms-Exch-Auto-Discover-Virtual-Directory"),
    class("msExchRpcHttpVirtualDirectory", DIRECTORY, "ms-Exch-Rpc-Http-Virtual-Directory"),
    class("msExchMapiVirtualDirectory", DIRECTORY, "ms-Exch-Mapi-Virtual-Directory"),
    class("protocolCfgIMAPServer", &["protocolCfg", "protocolCfgIMAP"], "Protocol-Cfg-IMAP-Server"),
    class("protocolCfgPOPServer", &["protocolCfg", "protocolCfgPOP"], "Protocol-Cfg-POP-Server"),
    class("serviceConnectionPoint", &["leaf", "connectionPoint"], "Service-Connection-Point"),
    class("msExchInformationStore", &["container"], "ms-Exch-Information-Store"),
    class("msExchStorageGroup", &["container"], "ms-Exch-Storage-Group"),
    class("msExchMDBContainer", &["container"], "ms-Exch-MDB-Container"),
    class("msExchPrivateMDB", &["msExchMDB"], "ms-Exch-Private-MDB"),
    class("msExchMDBCopy", &[], "ms-Exch-MDB-Copy"),
    class("msExchOAB", &[], "ms-Exch-OAB"),
];

/// The class of this LDAP name.
pub(super) fn class_of(name: &str) -> Option<&'static Class> {
    CLASSES.iter().find(|class| class.name.eq_ignore_ascii_case(name))
}

/// The category that a filter means by an LDAP name: `person` for Person, `msExchExchangeServer` for its class.
pub(super) fn category_of(name: &str) -> Option<&'static str> {
    match name.eq_ignore_ascii_case("person") {
        true => Some("Person"),
        false => class_of(name).map(|class| class.category),
    }
}
