//! What a row of the table can say: its columns, each a small enum with `Any`, and its outcomes.

use std::fmt;

macro_rules! column {
    ($(#[$doc:meta])* $type:ident; $($(#[$vdoc:meta])* $variant:ident = $word:literal $(admits $($narrow:ident)+)?),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $type {
            /// Whatever it is; of a situation: it does not matter, or there is none.
            Any,
            $($(#[$vdoc])* $variant),+
        }

        impl $type {
            /// Whether a row that says this applies where that is so.
            pub fn admits(self, so: $type) -> bool {
                self == $type::Any || self == so || match self {
                    $($($type::$variant => matches!(so, $($type::$narrow)|+),)?)+
                    _ => false,
                }
            }

            /// Whether two rows that say this and that can apply at once.
            pub fn meets(self, other: $type) -> bool {
                [$($type::$variant),+].into_iter().any(|so| self.admits(so) && other.admits(so))
            }

            /// Another value, which excludes this one; `Any` has none.
            fn turned(self) -> Option<$type> {
                [$($type::$variant),+].into_iter().find(|other| self != $type::Any && !self.meets(*other))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self {
                    $type::Any => "any",
                    $($type::$variant => $word),+
                })
            }
        }
    };
}

column! {
    /// What is asked of the table.
    Asks;
    /// Whether the client is let in at all.
    SignIn = "sign-in",
    /// Autodiscover
    Autodiscover = "autodiscover",
    /// Autodiscover on port 80, where nobody signs in (X-AD-3).
    AutodiscoverOverHttp = "autodiscover over plain http",
    /// OWA, and ECP as OWA (X-ECP-1).
    Owa = "owa or ecp",
    /// Exchange ActiveSync
    Eas = "eas",
    /// Exchange Web Services
    Ews = "ews",
    /// The Offline Address Book
    Oab = "oab",
    /// MAPI over HTTP
    Mapi = "mapi over http",
    /// What the logon page asks of a browser's computer.
    LogonPage = "logon page",
    /// RPC within Outlook Anywhere's channels
    OutlookAnywhere = "outlook-anywhere",
    /// RPC over TCP
    Rpc = "rpc",
    /// IMAP and POP: whose service, of which servers.
    Mail = "mail",
    /// Which kind of connection to them comes first.
    MailOrder = "which mail target first",
    /// What comes of a session there.
    MailService = "what comes of a mail session",
    /// How a browser is moved, once it is to be moved.
    Redirect = "how to redirect",
    /// Which host the answer names for Outlook Anywhere.
    NamesOutlookAnywhere = "names outlook-anywhere",
    /// Which host it names for EWS.
    NamesEws = "names ews",
    /// Which host it names for the OAB.
    NamesOab = "names oab",
    /// Which host it names for ActiveSync.
    NamesEas = "names eas",
    /// Any of the four names.
    Names = "names any" admits NamesOutlookAnywhere NamesEws NamesOab NamesEas,
    /// The two that follow the version of the mailbox.
    NamesEwsOrOab = "names ews, oab" admits NamesEws NamesOab,
    /// The two that do not.
    NamesOutlookAnywhereOrEas = "names outlook-anywhere, eas" admits NamesOutlookAnywhere NamesEas,
    /// Whether it carries ExHTTP.
    ExHttp = "exhttp",
    /// Which host it names for MAPI over HTTP.
    NamesMapi = "names mapi over http",
}

column! {
    /// The server that the client reached.
    Reached;
    /// Exchange 2007
    Cas2007 = "CAS2007",
    /// Exchange 2010
    Cas2010 = "CAS2010",
    /// Exchange 2013
    Cas2013 = "CAS2013",
    /// A Mailbox server of Exchange 2007
    Mbx2007 = "MBX2007",
}

column! {
    /// Whether that server is the subject.
    Seat;
    /// It is.
    Subject = "subject",
    /// It is one of the lab's own, at a namespace of its own.
    Elsewhere = "elsewhere",
}

column! {
    /// The version of the mailbox.
    Holds;
    /// Exchange 2007
    V2007 = "2007",
    /// Exchange 2010
    V2010 = "2010",
    /// Exchange 2013
    V2013 = "2013",
    /// Older than 2013.
    Older = "2007, 2010" admits V2007 V2010,
    /// Newer than 2007.
    Newer = "2010, 2013" admits V2010 V2013,
}

column! {
    /// The mailbox's site, as seen from the server reached; facing for the protocol in question (TOP-1).
    Place;
    /// The same.
    Same = "same site",
    /// Another, internet-facing.
    Facing = "other site, facing",
    /// Another, not internet-facing.
    Hidden = "other site, not facing",
    /// Another.
    Other = "other site" admits Facing Hidden,
}

column! {
    /// CrossSiteRedirectType at the server reached: manual unless set.
    CrossSite;
    /// Silent
    Silent = "silent",
    /// Manual
    Manual = "manual",
}

column! {
    /// Whether source and target are both fit for the silent single sign-on form (X-OWA-1).
    SingleSignOn;
    /// They are.
    Fit = "fit",
    /// One is not.
    Unfit = "unfit",
}

column! {
    /// LegacyRedirectType at the server reached: silent unless set (X-OWA-3).
    PlainRedirect;
    /// Silent
    Silent = "silent",
    /// Manual
    Manual = "manual",
}

column! {
    /// Whether the server reached answers this device 451 (X-EAS-1).
    Device;
    /// It does.
    Moved = "told to move",
    /// It does not.
    Left = "left alone",
}

column! {
    /// The device's protocol against 12.1 (X-EAS-2).
    Speaks;
    /// 12.1 or later
    From121 = "12.1 or later",
    /// Earlier
    Before121 = "before 12.1",
}

column! {
    /// The client's credentials.
    Credentials;
    /// Right
    Right = "right",
    /// Wrong, or none
    Bad = "wrong or none",
    /// The cookies of a session that lives
    Session = "a session",
    /// Those of one that is over
    SessionOver = "a session that is over",
}

column! {
    /// The client's side of a mail session.
    Channel;
    /// TLS from the start, or by a command
    Encrypted = "encrypted",
    /// Neither
    Clear = "in clear",
}

column! {
    /// The mail service that is chosen.
    Service;
    /// It runs.
    Runs = "runs",
    /// It is stopped.
    Stopped = "stopped",
}

column! {
    /// Whether build and request let ExHTTP (X-AD-1) or MAPI over HTTP (X-MAPI-1) through.
    Gate;
    /// They do.
    Open = "open",
    /// They do not.
    Closed = "closed",
}

column! {
    /// Whether the logon page is to ask for a public or private computer.
    Selection;
    /// The setting is on.
    On = "on",
    /// It is off.
    Off = "off",
    /// It is not set.
    Unset = "not set",
}

column! {
    /// Whether the RPC proxies behind the server reached take Windows sign-in beside Basic (CX-OA-6).
    Ntlm;
    /// They do.
    Taken = "taken",
    /// One does not.
    Missing = "missing",
}

macro_rules! conditions {
    ($($(#[$doc:meta])* $field:ident: $type:ident = $label:literal),+ $(,)?) => {
        /// The condition part of a row; of a situation: what is so, `Any` where it does not matter.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct Conditions { $($(#[$doc])* pub $field: $type),+ }

        impl Conditions {
            /// No condition at all.
            pub const ANY: Conditions = Conditions { $($field: $type::Any),+ };

            /// Whether every column admits what is so.
            pub fn admit(&self, so: &Conditions) -> bool {
                $(self.$field.admits(so.$field))&&+
            }

            /// These conditions, each with one column turned into its opposite.
            pub(crate) fn turned(&self) -> Vec<(&'static str, Conditions)> {
                let mut all = Vec::new();
                $(if let Some($field) = self.$field.turned() {
                    all.push(($label, Conditions { $field, ..*self }));
                })+
                all
            }
        }

        impl fmt::Display for Conditions {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut between = "";
                $(if self.$field != $type::Any {
                    write!(f, "{between}{} {}", $label, self.$field)?;
                    between = "; ";
                })+
                let _ = between;
                Ok(())
            }
        }
    };
}

conditions! {
    /// What is asked.
    asks: Asks = "asks:",
    /// The server reached.
    at: Reached = "at",
    /// Whether it is the subject.
    seat: Seat = "seat:",
    /// The mailbox's version.
    mailbox: Holds = "mailbox",
    /// Its site.
    place: Place = "in",
    /// CrossSiteRedirectType.
    cross_site: CrossSite = "cross-site redirect",
    /// Fit for the silent form.
    sso: SingleSignOn = "single sign-on",
    /// LegacyRedirectType.
    plain: PlainRedirect = "legacy redirect",
    /// The 451 predicate.
    device: Device = "device",
    /// The protocol's version.
    speaks: Speaks = "protocol",
    /// The password.
    credentials: Credentials = "credentials",
    /// The gate before what not every client knows.
    gate: Gate = "gate",
    /// LogonPagePublicPrivateSelectionEnabled.
    selection: Selection = "public or private",
    /// What legacy RPC proxies take.
    ntlm: Ntlm = "ntlm",
    /// The client's side of a mail session.
    channel: Channel = "client",
    /// The mail service that is chosen.
    service: Service = "service",
}

/// Whose ExternalURL (or external host) is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Whose {
    /// The Client Access servers of the mailbox's version in the mailbox's site.
    MailboxSite,
    /// Those of the mailbox's version in the site of the server reached; in an answer: in the subject's site.
    ThisSite,
    /// The subject's own.
    Subject,
    /// The mailbox's site where it has one, the subject's own otherwise.
    MailboxSiteOrSubject,
    /// Nobody's: the answer is silent.
    Nobody,
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Whose::MailboxSite => "a server of the mailbox's version in its site",
            Whose::ThisSite => "a server of the mailbox's version in this site",
            Whose::Subject => "the subject",
            Whose::MailboxSiteOrSubject => "the mailbox's site, or else the subject",
            Whose::Nobody => "nobody",
        })
    }
}

/// What a row decides. Another file turns it into legs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The client is let in.
    Proceed,
    /// It is refused, and nothing is read (GEN-1).
    Refuse,
    /// The server reached reads the mailbox itself.
    Serve,
    /// The server reached answers from what it has: no Mailbox server.
    ServeAlone,
    /// On to any Client Access server of the mailbox's version in the mailbox's site, which reads the mailbox.
    ToCas,
    /// The same, with the RPC unwrapped.
    ToCasByRpc,
    /// On as with `ToCas`, which refuses whoever speaks for the user.
    CasRefuses,
    /// On to the 2013 Mailbox server with the active copy.
    ToActive2013,
    /// On to any 2013 Mailbox server of this site, from there to the Client Access server of `ToCas`, by InternalURL.
    ViaMailbox2013,
    /// On to any distribution point of the OAB in this site.
    ToDistributionPoint,
    /// On to the 2013 Mailbox server with the organization mailbox.
    ToOrganizationMailbox,
    /// The server reached writes the Autodiscover answer.
    WriteHere,
    /// A Client Access server as in `ToCas` writes it.
    CasWrites,
    /// Any 2013 Mailbox server of this site writes it.
    AnyMailbox2013Writes,
    /// The 2013 Mailbox server with the active copy writes it.
    Active2013Writes,
    /// Moved to an ExternalURL; rows of `Asks::Redirect` say how.
    Redirect(Whose),
    /// A page with a link to an ExternalURL.
    LinkTo(Whose),
    /// 451 naming an ExternalURL.
    Http451(Whose),
    /// 403
    Forbid,
    /// 302 to the subject's Autodiscover address.
    FoundAtSubject,
    /// 302 to the same name over TLS.
    FoundOverTls,
    /// By the form that submits itself.
    Silently,
    /// By a plain 302.
    Plainly,
    /// By a page with a link.
    ByLink,
    /// The answer names this one's host.
    Name(Whose),
    /// The logon page asks whether the computer is a public or a private one.
    AsksWhose,
    /// It does not ask, and takes it for a private one.
    TakesForPrivate,
    /// ExHTTP: the internal host, then the external one.
    ExHttpPair,
    /// No ExHTTP.
    NoExHttp,
    /// Mail: on to the 2013 Mailbox server with the active copy.
    MailToActive2013,
    /// Mail: on by the InternalConnectionSettings of the Client Access servers of the mailbox's version in its site.
    MailBySettings,
    /// Mail: on by their FQDNs.
    MailByFqdn,
    /// SSL, then TLS, then clear text.
    SslTlsClear,
    /// Clear text, then SSL, then TLS.
    ClearSslTls,
    /// The client is told that nobody can be reached.
    Unavailable,
}

impl Outcome {
    /// Another outcome that leads to other legs, for the harness fault `flips-a-row`.
    pub(crate) fn turned(self) -> Outcome {
        use Outcome as O;
        match self {
            O::Proceed => O::Refuse,
            O::Refuse => O::Proceed,
            O::Serve => O::ToCas,
            O::ServeAlone | O::ToCas | O::ToCasByRpc => O::Serve,
            O::CasRefuses => O::ToCas,
            O::ToActive2013 | O::ToOrganizationMailbox => O::ServeAlone,
            O::ViaMailbox2013 | O::ToDistributionPoint | O::Redirect(_) => O::ToCas,
            O::LinkTo(whose) => O::Redirect(whose),
            O::Http451(Whose::Subject) => O::Forbid,
            O::Http451(_) => O::ToCas,
            O::Forbid => O::Http451(Whose::Subject),
            O::WriteHere | O::AnyMailbox2013Writes => O::CasWrites,
            O::CasWrites | O::Active2013Writes | O::FoundAtSubject | O::FoundOverTls => O::WriteHere,
            O::Silently | O::ByLink => O::Plainly,
            O::Plainly => O::ByLink,
            O::Name(Whose::Nobody) => O::Name(Whose::Subject),
            O::Name(_) => O::Name(Whose::Nobody),
            O::AsksWhose => O::TakesForPrivate,
            O::TakesForPrivate => O::AsksWhose,
            O::ExHttpPair => O::NoExHttp,
            O::NoExHttp => O::ExHttpPair,
            O::MailToActive2013 | O::MailByFqdn => O::MailBySettings,
            O::MailBySettings => O::MailByFqdn,
            O::SslTlsClear => O::ClearSslTls,
            O::ClearSslTls => O::SslTlsClear,
            O::Unavailable => O::Proceed,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Proceed => f.write_str("let in"),
            Outcome::Refuse => f.write_str("refuse, read nothing"),
            Outcome::Serve => f.write_str("serve here"),
            Outcome::ServeAlone => f.write_str("serve here, no Mailbox server"),
            Outcome::ToCas => f.write_str("proxy to a CAS of the mailbox's version in its site"),
            Outcome::ToCasByRpc => {
                f.write_str("unwrap the RPC, on to a CAS of the mailbox's version in its site")
            }
            Outcome::CasRefuses => {
                f.write_str("proxy to a CAS of the mailbox's version in its site, which refuses the sign-in")
            }
            Outcome::ToActive2013 => f.write_str("proxy to the MBX2013 with the active copy"),
            Outcome::ViaMailbox2013 => {
                f.write_str("proxy to an MBX2013 of this site, by InternalURL to a CAS of the mailbox's version in its site")
            }
            Outcome::ToDistributionPoint => f.write_str("proxy to a distribution point of the OAB in this site"),
            Outcome::ToOrganizationMailbox => f.write_str("proxy to the MBX2013 with the organization mailbox"),
            Outcome::WriteHere => f.write_str("write the answer here"),
            Outcome::CasWrites => f.write_str("a CAS of the mailbox's version in its site writes the answer"),
            Outcome::AnyMailbox2013Writes => f.write_str("an MBX2013 of this site writes the answer"),
            Outcome::Active2013Writes => f.write_str("the MBX2013 with the active copy writes the answer"),
            Outcome::Redirect(whose) => write!(f, "redirect to {whose}"),
            Outcome::LinkTo(whose) => write!(f, "show a link to {whose}"),
            Outcome::Http451(whose) => write!(f, "451 naming {whose}"),
            Outcome::Forbid => f.write_str("403"),
            Outcome::FoundAtSubject => f.write_str("302 to the subject's Autodiscover"),
            Outcome::FoundOverTls => f.write_str("302 to the same name over TLS"),
            Outcome::Silently => f.write_str("a form that submits itself"),
            Outcome::Plainly => f.write_str("a plain 302, and a second sign-in"),
            Outcome::ByLink => f.write_str("a page with a link, and a second sign-in"),
            Outcome::Name(whose) => write!(f, "name the host of {whose}"),
            Outcome::AsksWhose => f.write_str("ask whether the computer is public or private"),
            Outcome::TakesForPrivate => f.write_str("ask nothing, the computer is private"),
            Outcome::ExHttpPair => f.write_str("internal host first, external host second"),
            Outcome::NoExHttp => f.write_str("none"),
            Outcome::MailToActive2013 => f.write_str("on to the MBX2013 with the active copy"),
            Outcome::MailBySettings => {
                f.write_str("on by the connection settings of each CAS of the mailbox's version in its site")
            }
            Outcome::MailByFqdn => f.write_str("on by the FQDN of each CAS of the mailbox's version in its site"),
            Outcome::SslTlsClear => f.write_str("SSL, TLS, clear text"),
            Outcome::ClearSslTls => f.write_str("clear text, SSL, TLS"),
            Outcome::Unavailable => f.write_str("an error, and nobody else is asked"),
        }
    }
}
