//! The variables of a subject file: one list, the same names in braces (`{work}`) and in templates (`{{ work }}`).

/// What a subject file and its templates can have filled in, and what each is. In braces a list is its names with commas
/// between; in a template it is a list, and a dash in a name is written as an underscore.
pub const VARIABLES: &[(&str, &str)] = &[
    ("work", "the folder it starts in; its logs are in `logs` there"),
    ("here", "the folder of the subject file: for what lies beside it and is no template"),
    ("lab", "lab.json, which holds everything that follows and more, for those who want no template"),
    ("coexist", "the program `coexist`"),
    ("seat.server", "the server that it stands in for, as cases call it"),
    ("seat.fqdn", "that server's own name"),
    ("seat.site", "the Active Directory site it is in"),
    ("listen.address", "the address to listen on"),
    ("listen.https", "where to listen for https: address and port"),
    ("listen.http", "where to listen for http: address and port"),
    ("listen.imaps", "where to listen for IMAP over TLS: address and port"),
    ("listen.imap", "where to listen for IMAP, with STARTTLS: address and port"),
    ("listen.pops", "where to listen for POP over TLS: address and port"),
    ("listen.pop", "where to listen for POP, with STLS: address and port"),
    ("listen.https-port", "that port alone; 443 where the ground allows it"),
    ("listen.http-port", "that port alone; 80 where the ground allows it"),
    ("listen.imaps-port", "that port alone; 993 where the ground allows it"),
    ("listen.imap-port", "that port alone; 143 where the ground allows it"),
    ("listen.pops-port", "that port alone; 995 where the ground allows it"),
    ("listen.pop-port", "that port alone; 110 where the ground allows it"),
    ("cert.chain", "the certificates to present, PEM"),
    ("cert.key", "their key, PKCS #8 PEM"),
    ("cert.pem", "both in one file"),
    ("cert.pfx", "both as PKCS #12, the key not shrouded"),
    ("cert.pfx-password", "the password of that file's MAC"),
    ("ca", "the lab's root certificate, PEM: whom to trust"),
    ("source", "the address to dial servers from"),
    ("dns.internal", "the lab's DNS server: address and port"),
    ("directory", "the directory over HTTP/JSON, a URL"),
    ("ldap", "the directory over LDAP, a URL; StartTLS is offered"),
    ("ldaps", "the same over TLS, a URL"),
    ("global-catalog", "the global catalog over LDAP, a URL"),
    ("service-account.user", "whom tickets are given to"),
    ("service-account.password", "that account's password"),
    (
        "health-interval",
        "how often to ask servers for their health: what the file declares (50s unless it does) in a lab whose cases look at that, never in others",
    ),
    ("domain", "the domain of servers, namespaces and addresses"),
    (
        "namespaces",
        "a list: the names that clients use; in a template each has name, external and internal (servers)",
    ),
    (
        "servers",
        "a list: in a template each has name, fqdn, version, site, roles, and https, http where it listens",
    ),
    ("mailboxes", "a list: in a template each has name, address, upn, account, version, site, server"),
];

/// Whether there is a variable of this name.
pub fn is_known(name: &str) -> bool {
    VARIABLES.iter().any(|(known, _)| *known == name)
}

/// All variables, as a file writes them.
pub fn listed() -> String {
    VARIABLES.iter().map(|(name, _)| format!("{{{name}}}")).collect::<Vec<_>>().join(", ")
}

/// The variable that a text begins with: braces around small letters, dots and dashes. Other braces are no variable, so
/// that JSON may be an argument.
pub fn variable(text: &str) -> Option<&str> {
    let (name, _) = text.strip_prefix('{')?.split_once('}')?;
    let fits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'.' || b == b'-');
    fits.then_some(name)
}

/// The variables in a text, in order.
pub fn within(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('{').filter_map(|(at, _)| variable(&text[at..]))
}
