//! The server's part of NTLM over HTTP: telling a client's messages apart, and writing the challenge (MS-NLMP, section
//! 2.2.1; MS-NTHT). Whether a response proves anything is a domain controller's to say.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{StatusCode, header};

use crate::answer::Answer;
use crate::iis::{add, status};

const SIGNATURE: &[u8] = b"NTLMSSP\0";
/// The longest token that is read, in bytes.
const LONGEST_TOKEN: usize = 48 * 1024;

/// NTLMSSP_NEGOTIATE_UNICODE, REQUEST_TARGET, NTLM, ALWAYS_SIGN, TARGET_TYPE_DOMAIN, EXTENDED_SESSIONSECURITY,
/// TARGET_INFO, VERSION, 128, KEY_EXCH and 56: what a server in a domain answers with.
const FLAGS: u32 = 0xe289_8205;
/// Where a challenge's payload begins: behind VERSION.
const PAYLOAD: u32 = 56;

/// Schemes whose sign-in belongs to the connection, as IIS spells them.
const BOUND: &[&str] = &["NTLM", "Negotiate", "Nego2"];

/// A token of a connection-bound scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The scheme, as IIS spells it.
    pub scheme: &'static str,
    /// The scheme as the client spelt it.
    pub written: String,
    /// What it says.
    pub says: Says,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    /// NTLM's NEGOTIATE_MESSAGE: start over.
    Hello,
    /// NTLM's AUTHENTICATE_MESSAGE, whole.
    Proof(Vec<u8>),
    /// Something else, in base64 as it came: Kerberos, or what the lab has in its place.
    Other(String),
}

impl Token {
    /// Reads an Authorization header; `None` for a scheme that is not bound to the connection, or no base64.
    pub fn read(authorization: &str) -> Option<Token> {
        let (written, token) = authorization.trim().split_once(' ')?;
        let scheme = BOUND.iter().copied().find(|scheme| scheme.eq_ignore_ascii_case(written))?;
        let token = token.trim();
        if token.len() > LONGEST_TOKEN {
            return None;
        }
        let bytes = STANDARD.decode(token).ok()?;
        let says = match bytes.strip_prefix(SIGNATURE).and_then(<[u8]>::first) {
            Some(1) => Says::Hello,
            Some(3) => Says::Proof(bytes),
            _ => Says::Other(token.to_owned()),
        };
        Some(Token { scheme, written: written.to_owned(), says })
    }
}

/// A server in its domain, as a challenge names it.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// `CONTOSO`
    pub domain: &'a str,
    /// `CAS2010-S1`
    pub computer: &'a str,
}

/// CHALLENGE_MESSAGE (MS-NLMP, section 2.2.1.2), the domain being the target.
pub fn challenge(named: Named<'_>, challenge: [u8; 8]) -> Vec<u8> {
    written(FLAGS, named.domain, named, challenge, [10, 0, 0x39, 0x38, 0, 0, 0, 15])
}

fn written(flags: u32, target: &str, named: Named<'_>, challenge: [u8; 8], version: [u8; 8]) -> Vec<u8> {
    let target = utf16(target);
    let mut info = vec![];
    // MsvAvNbDomainName, MsvAvNbComputerName, MsvAvEOL (section 2.2.2.1).
    for (id, value) in [(2u16, named.domain), (1, named.computer), (0, "")] {
        let value = utf16(value);
        info.extend_from_slice(&id.to_le_bytes());
        info.extend_from_slice(&length(&value).to_le_bytes());
        info.extend_from_slice(&value);
    }
    let mut message = SIGNATURE.to_vec();
    message.extend_from_slice(&2u32.to_le_bytes());
    message.extend_from_slice(&place(&target, PAYLOAD));
    message.extend_from_slice(&flags.to_le_bytes());
    message.extend_from_slice(&challenge);
    message.extend_from_slice(&[0; 8]);
    message.extend_from_slice(&place(&info, PAYLOAD + u32::from(length(&target))));
    message.extend_from_slice(&version);
    message.extend_from_slice(&target);
    message.extend_from_slice(&info);
    message
}

/// 401 with the challenge, and no other offer: the client has chosen.
pub fn challenged(scheme: &str, challenge: &[u8]) -> Answer {
    let mut answer = status(StatusCode::UNAUTHORIZED);
    add(&mut answer, header::WWW_AUTHENTICATE, &format!("{scheme} {}", STANDARD.encode(challenge)));
    answer
}

/// Length, the same again, and offset of a payload field.
fn place(field: &[u8], offset: u32) -> [u8; 8] {
    let [a, b] = length(field).to_le_bytes();
    let [c, d, e, f] = offset.to_le_bytes();
    [a, b, a, b, c, d, e, f]
}

/// Names of a lab are short; one that is not would be cut off at this length.
fn length(field: &[u8]) -> u16 {
    u16::try_from(field.len()).unwrap_or(u16::MAX)
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MS-NLMP, section 4.2.4.3: the CHALLENGE_MESSAGE.
    #[test]
    fn a_challenge_is_the_published_one_to_the_byte() {
        let published = "4e544c4d53535000020000000c000c003800000033828ae20123456789abcdef00000000000000002400240044000000\
            06007017000000 0f53006500720076006500720002000c0044006f006d00610069006e0001000c0053006500720076006500720000000000";
        let published: String = published.split_whitespace().collect();
        let named = Named { domain: "Domain", computer: "Server" };
        let nonce = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
        let ours = written(0xe28a_8233, "Server", named, nonce, [6, 0, 0x70, 0x17, 0, 0, 0, 15]);
        let hex: String = ours.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, published);
    }

    #[test]
    fn a_scheme_is_known_in_any_letter_case_and_a_message_by_its_type() {
        let hello = "TlRMTVNTUAABAAAAB4IIogAAAAAAAAAAAAAAAAAAAAAKADk4AAAADw==";
        for (written, scheme) in
            [("NTLM", "NTLM"), ("ntlm", "NTLM"), ("NEGOTIATE", "Negotiate"), ("nego2", "Nego2")]
        {
            let token = Token::read(&format!("{written} {hello}")).unwrap();
            assert_eq!((token.scheme, &*token.written, &token.says), (scheme, written, &Says::Hello));
        }
        let proof = Token::read("Negotiate TlRMTVNTUAADAAAA").unwrap();
        assert!(matches!(proof.says, Says::Proof(_)));
        let ticket = Token::read("Negotiate Q09FWElTVA==").unwrap();
        assert_eq!(ticket.says, Says::Other("Q09FWElTVA==".into()));
        for other in ["Basic QQ==", "NTLM", "NTLM !", "Bearer QQ=="] {
            assert_eq!(Token::read(other), None, "{other}");
        }
    }
}
