//! NTLM as a domain controller checks it: what an AUTHENTICATE_MESSAGE claims, and whether its NTLMv2 response proves
//! it (MS-NLMP, sections 2.2.1.3 and 3.3.2).
//!
//! Absent: LM and NTLMv1 responses, which are never right here; the MIC, session keys, signing and sealing, which HTTP
//! has no use for.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use md4::{Digest, Md4};
use md5::Md5;

use crate::{Account, Directory};

/// The challenge of a server, which a response must answer.
pub type Challenge = [u8; 8];

/// What every NTLM message begins with.
const SIGNATURE: &[u8] = b"NTLMSSP\0";
/// The type of an AUTHENTICATE_MESSAGE.
const AUTHENTICATE: u32 = 3;
/// NTLMSSP_NEGOTIATE_UNICODE: texts are UTF-16, little endian.
const UNICODE: u32 = 1;
/// An NTLMv2 response: 16 bytes of proof, then at least the fixed part of NTLMv2_CLIENT_CHALLENGE.
const SHORTEST_RESPONSE: usize = 16 + 28;

/// What a client's last message claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticate {
    /// The domain as it was written; may be empty.
    pub domain: String,
    /// The user as it was written.
    pub user: String,
    /// NtChallengeResponse.
    response: Vec<u8>,
}

/// Why bytes are no AUTHENTICATE_MESSAGE.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It is no NTLM message at all.
    #[error("no NTLM message: it does not begin with NTLMSSP and a type")]
    NotNtlm,
    /// It is another one.
    #[error("an NTLM message of type {0}, where type 3 proves who asks")]
    OtherType(u32),
    /// A field lies outside it.
    #[error("the NTLM message's {0} lies outside it")]
    Outside(&'static str),
}

impl Authenticate {
    /// Reads an AUTHENTICATE_MESSAGE (MS-NLMP, section 2.2.1.3).
    ///
    /// # Errors
    /// What is none.
    pub fn read(message: &[u8]) -> Result<Authenticate, Malformed> {
        if !message.starts_with(SIGNATURE) {
            return Err(Malformed::NotNtlm);
        }
        match number(message, 8).ok_or(Malformed::NotNtlm)? {
            AUTHENTICATE => {}
            other => return Err(Malformed::OtherType(other)),
        }
        let unicode = number(message, 60).is_some_and(|flags| flags & UNICODE != 0);
        let written = |at, name| field(message, at, name).map(|bytes| text(bytes, unicode));
        Ok(Authenticate {
            response: field(message, 20, "NtChallengeResponse")?.to_vec(),
            domain: written(28, "DomainName")?,
            user: written(36, "UserName")?,
        })
    }

    /// The name that signs in, as `DOMAIN\user` where it has a domain.
    pub fn named(&self) -> String {
        match self.domain.is_empty() {
            true => self.user.clone(),
            false => format!("{}\\{}", self.domain, self.user),
        }
    }

    /// Whether the response answers this challenge with this password, by NTLMv2 (MS-NLMP, section 3.3.2).
    pub fn proves(&self, password: &str, challenge: Challenge) -> bool {
        if self.response.len() < SHORTEST_RESPONSE {
            return false;
        }
        let (proof, temp) = self.response.split_at(16);
        let mut mac = keyed(&self.response_key(password));
        mac.update(&challenge);
        mac.update(temp);
        mac.verify_slice(proof).is_ok()
    }

    /// NTOWFv2: the password's hash, bound to the name as it was written.
    fn response_key(&self, password: &str) -> [u8; 16] {
        let mut mac = keyed(&Md4::digest(utf16(password)));
        let user: String = self.user.chars().map(upper).collect();
        mac.update(&utf16(&format!("{user}{}", self.domain)));
        mac.finalize().into_bytes().into()
    }
}

impl Directory {
    /// Whose proof this is, for the challenge that the server gave; `None` says no more than that it is not right.
    pub fn ntlm(&self, challenge: Challenge, authenticate: &Authenticate) -> Option<Arc<Account>> {
        self.find(&authenticate.named()).filter(|account| authenticate.proves(&account.password, challenge))
    }
}

fn keyed(key: &[u8]) -> Hmac<Md5> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

fn number(message: &[u8], at: usize) -> Option<u32> {
    let bytes = message.get(at..at + 4)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// A payload field: length and offset stand in the message's fixed part.
fn field<'m>(message: &'m [u8], at: usize, name: &'static str) -> Result<&'m [u8], Malformed> {
    let outside = Malformed::Outside(name);
    let length = number(message, at).ok_or(outside.clone())? as usize & 0xffff;
    let offset = number(message, at + 4).ok_or(outside.clone())? as usize;
    if length == 0 {
        return Ok(&[]);
    }
    offset.checked_add(length).and_then(|end| message.get(offset..end)).ok_or(outside)
}

fn text(bytes: &[u8], unicode: bool) -> String {
    match unicode {
        true => {
            let units: Vec<u16> =
                bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
            String::from_utf16_lossy(&units)
        }
        false => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// One letter becomes one letter, as in Windows' table.
fn upper(letter: char) -> char {
    let mut upper = letter.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => one,
        _ => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MS-NLMP, section 4.2.4.3: User, Domain, Password.
    const PUBLISHED: &str = "4e544c4d5353500003000000180018006c00000054005400840000000c000c0048000000080008005400000010001000\
        5c00000010001000d8000000358288e20501280a0000000f44006f006d00610069006e00550073006500720043004f004d005000\
        550054004500520086c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa68cd0ab851e51c96aabc927bebef6a1c01010000\
        000000000000000000000000aaaaaaaaaaaaaaaa0000000002000c0044006f006d00610069006e0001000c005300650072007600\
        650072000000000000000000c5dad2544fc9799094ce1ce90bc9d03e";
    /// Section 4.2.1.
    const CHALLENGE: Challenge = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(pair).collect()
    }

    #[test]
    fn the_published_message_proves_its_password_and_no_other() {
        let message = Authenticate::read(&bytes(PUBLISHED)).unwrap();
        assert_eq!(message.named(), "Domain\\User");
        assert!(message.proves("Password", CHALLENGE));
        assert!(!message.proves("password", CHALLENGE));
        assert!(!message.proves("Password", [0; 8]), "another connection's challenge");
    }

    /// MS-NLMP, section 4.2.4.1.1.
    #[test]
    fn the_published_response_key() {
        let message = Authenticate::read(&bytes(PUBLISHED)).unwrap();
        assert_eq!(message.response_key("Password").to_vec(), bytes("0c868a403bfd7a93a3001ef22ef02e3f"));
    }

    #[test]
    fn a_field_outside_the_message_is_refused_wherever_it_points() {
        let whole = bytes(PUBLISHED);
        for end in 0..whole.len() {
            // Only the session key may be cut off: nothing reads it.
            assert_eq!(Authenticate::read(&whole[..end]).is_ok(), end >= 0xd8, "{end}");
        }
        for at in [24, 32, 40] {
            let mut wild = whole.clone();
            wild[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
            assert!(matches!(Authenticate::read(&wild), Err(Malformed::Outside(_))), "{at}");
        }
        let first = [SIGNATURE, &[1, 0, 0, 0]].concat();
        assert_eq!(Authenticate::read(&first), Err(Malformed::OtherType(1)));
    }

    /// NTLMv1 answers with 24 bytes.
    #[test]
    fn a_short_response_proves_nothing() {
        let message = Authenticate { domain: String::new(), user: "u".into(), response: vec![0; 24] };
        assert!(!message.proves("", CHALLENGE));
    }
}
