//! What a client is answered (RFC 4511): results, entries, references.

use super::ber::{ENUMERATED, INTEGER, OCTETS, SEQUENCE, SET, Writer};
use super::entry::Attribute;
use super::oid;

/// Tags of answers.
pub(super) const BIND_DONE: u8 = 0x61;
pub(super) const SEARCH_DONE: u8 = 0x65;
pub(super) const COMPARE_DONE: u8 = 0x6f;
pub(super) const EXTENDED_DONE: u8 = 0x78;
const SEARCH_ENTRY: u8 = 0x64;
const SEARCH_REFERENCE: u8 = 0x73;

/// Result codes (RFC 4511, section 4.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    Success = 0,
    OperationsError = 1,
    ProtocolError = 2,
    SizeLimitExceeded = 4,
    CompareFalse = 5,
    CompareTrue = 6,
    AuthMethodNotSupported = 7,
    UnavailableCriticalExtension = 12,
    NoSuchAttribute = 16,
    NoSuchObject = 32,
    InvalidDnSyntax = 34,
    InvalidCredentials = 49,
    InsufficientAccessRights = 50,
    Busy = 51,
    UnwillingToPerform = 53,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) code: Code,
    /// The deepest object on the way to one that is not there.
    pub(super) matched: String,
    pub(super) says: String,
}

impl Outcome {
    pub(super) fn of(code: Code) -> Outcome {
        Outcome { code, matched: String::new(), says: String::new() }
    }

    pub(super) fn says(code: Code, says: impl Into<String>) -> Outcome {
        Outcome { says: says.into(), ..Outcome::of(code) }
    }

    /// What Active Directory says to who has not signed in.
    pub(super) fn not_signed_in() -> Outcome {
        Outcome::says(
            Code::OperationsError,
            "000004DC: LdapErr: DSID-0C0907C2, comment: In order to perform this operation a successful bind must be \
             completed on the connection., data 0, v1db1",
        )
    }

    /// What Active Directory says of a wrong name or password: 525 is no such user, 52e is no such password.
    pub(super) fn bad_credentials(data: &str) -> Outcome {
        Outcome::says(
            Code::InvalidCredentials,
            format!(
                "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data {data}, v1db1"
            ),
        )
    }

    fn write(&self, writer: &mut Writer) {
        writer.number(ENUMERATED, self.code as i32);
        writer.octets(OCTETS, self.matched.as_bytes());
        writer.octets(OCTETS, self.says.as_bytes());
    }
}

fn message(id: i32, write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.within(SEQUENCE, |message| {
        message.number(INTEGER, id);
        write(message);
    });
    writer.written()
}

/// The end of an operation.
pub(super) fn done(id: i32, tag: u8, outcome: &Outcome) -> Vec<u8> {
    message(id, |message| message.within(tag, |done| outcome.write(done)))
}

/// The end of a search; `cookie` where pages were asked for, empty after the last one.
pub(super) fn search_done(id: i32, outcome: &Outcome, cookie: Option<&[u8]>) -> Vec<u8> {
    message(id, |message| {
        message.within(SEARCH_DONE, |done| outcome.write(done));
        let Some(cookie) = cookie else { return };
        message.within(0xa0, |controls| {
            controls.within(SEQUENCE, |control| {
                control.octets(OCTETS, oid::PAGED_RESULTS.as_bytes());
                let mut value = Writer::default();
                value.within(SEQUENCE, |page| {
                    // How many there are in all is not said, as Active Directory does not.
                    page.number(INTEGER, 0);
                    page.octets(OCTETS, cookie);
                });
                control.octets(OCTETS, &value.written());
            });
        });
    })
}

/// The end of an extended operation.
pub(super) fn extended_done(id: i32, outcome: &Outcome, name: Option<&str>, value: Option<&[u8]>) -> Vec<u8> {
    message(id, |message| {
        message.within(EXTENDED_DONE, |done| {
            outcome.write(done);
            if let Some(name) = name {
                done.octets(0x8a, name.as_bytes());
            }
            if let Some(value) = value {
                done.octets(0x8b, value);
            }
        });
    })
}

/// What is said before a connection is closed that nobody asked to close (RFC 4511, section 4.4.1).
pub(super) fn disconnection(outcome: &Outcome) -> Vec<u8> {
    extended_done(0, outcome, Some(oid::DISCONNECTION), None)
}

/// One object found.
pub(super) fn entry<'a>(
    id: i32,
    dn: &str,
    attributes: impl Iterator<Item = &'a Attribute>,
    types_only: bool,
) -> Vec<u8> {
    message(id, |message| {
        message.within(SEARCH_ENTRY, |entry| {
            entry.octets(OCTETS, dn.as_bytes());
            entry.within(SEQUENCE, |list| {
                for attribute in attributes {
                    list.within(SEQUENCE, |one| {
                        one.octets(OCTETS, attribute.name.as_bytes());
                        one.within(SET, |set| {
                            for value in attribute.values.iter().filter(|_| !types_only) {
                                set.octets(OCTETS, value);
                            }
                        });
                    });
                }
            });
        });
    })
}

/// Where more would be found.
pub(super) fn reference(id: i32, url: &str) -> Vec<u8> {
    message(id, |message| message.within(SEARCH_REFERENCE, |urls| urls.octets(OCTETS, url.as_bytes())))
}
