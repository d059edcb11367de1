//! Client protocols, the views of split-brain DNS, the roles a subject can take.

macro_rules! words {
    ($(#[$doc:meta])* $type:ident, $what:literal, $example:literal; $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub enum $type { $($(#[$vdoc])* $variant),+ }

        impl $type {
            /// Every one of them, in the order in which they are declared.
            pub const ALL: &'static [$type] = &[$($type::$variant),+];

            /// The word that files and messages use.
            pub fn as_str(self) -> &'static str {
                match self { $($type::$variant => $word),+ }
            }
        }
        impl ::std::str::FromStr for $type {
            type Err = $crate::names::BadName;
            fn from_str(given: &str) -> ::std::result::Result<Self, $crate::names::BadName> {
                match given {
                    $($word => ::std::result::Result::Ok($type::$variant),)+
                    _ => ::std::result::Result::Err($crate::names::BadName { given: given.to_owned(), what: $what, example: $example }),
                }
            }
        }
        impl ::std::convert::TryFrom<String> for $type {
            type Error = $crate::names::BadName;
            fn try_from(given: String) -> ::std::result::Result<Self, $crate::names::BadName> { given.parse() }
        }
        impl From<$type> for String {
            fn from(word: $type) -> String { word.as_str().to_owned() }
        }
        impl ::std::fmt::Display for $type {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result { f.pad(self.as_str()) }
        }
    };
}
pub(crate) use words;

words! {
    /// What a client speaks, and the virtual directory (or listener) where it enters.
    Protocol, "protocol", "owa (one of autodiscover, owa, ecp, eas, ews, oab, outlook-anywhere, mapi, powershell, rpc, imap, pop, dns)";
    /// `/Autodiscover`
    Autodiscover = "autodiscover",
    /// `/owa`
    Owa = "owa",
    /// `/ecp`
    Ecp = "ecp",
    /// `/Microsoft-Server-ActiveSync`
    Eas = "eas",
    /// `/EWS`
    Ews = "ews",
    /// `/OAB`
    Oab = "oab",
    /// `/rpc`
    OutlookAnywhere = "outlook-anywhere",
    /// `/mapi`
    Mapi = "mapi",
    /// `/PowerShell`
    PowerShell = "powershell",
    /// MS-RPC over TCP
    Rpc = "rpc",
    /// IMAP4
    Imap = "imap",
    /// POP3
    Pop = "pop",
    /// A query to the lab's DNS
    Dns = "dns",
}

/// A virtual directory's path, and what is spoken below it.
const FOLDERS: [(&str, Protocol); 10] = [
    ("autodiscover", Protocol::Autodiscover),
    ("owa", Protocol::Owa),
    ("ecp", Protocol::Ecp),
    ("microsoft-server-activesync", Protocol::Eas),
    ("ews", Protocol::Ews),
    ("oab", Protocol::Oab),
    ("rpc", Protocol::OutlookAnywhere),
    ("rpcwithcert", Protocol::OutlookAnywhere),
    ("mapi", Protocol::Mapi),
    ("powershell", Protocol::PowerShell),
];

impl Protocol {
    /// The protocol that a path enters, whatever its letter case; `None` for a path below no virtual directory.
    pub fn of_path(path: &str) -> Option<Protocol> {
        let first = path.trim_start_matches('/').split(['/', '?']).next().unwrap_or_default();
        let (_, protocol) = FOLDERS.iter().find(|(folder, _)| first.eq_ignore_ascii_case(folder))?;
        Some(*protocol)
    }
}

words! {
    /// The side of split-brain DNS that asks.
    View, "view", "external (or internal)";
    /// Inside the organisation.
    Internal = "internal",
    /// On the internet.
    External = "external",
}

words! {
    /// What the subject is.
    Role, "role", "front-end-2013 (or front-end-2010, edge)";
    /// Exchange 2013 Client Access in Site1.
    FrontEnd2013 = "front-end-2013",
    /// Exchange 2010 Client Access in Site1.
    FrontEnd2010 = "front-end-2010",
    /// A reverse proxy in front of the front end.
    Edge = "edge",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_enters_its_virtual_directory_in_any_letter_case() {
        assert_eq!(Protocol::of_path("/OWA/auth/logon.aspx"), Some(Protocol::Owa));
        assert_eq!(Protocol::of_path("/Microsoft-Server-ActiveSync?Cmd=Ping"), Some(Protocol::Eas));
        assert_eq!(Protocol::of_path("/owax"), None);
    }
}
