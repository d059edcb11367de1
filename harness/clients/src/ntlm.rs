//! The client's part of NTLM: the first message, and the response to a challenge, by NTLMv2 (MS-NLMP, sections 2.2.1 and
//! 3.3.2). Written from the specification alone, and sharing nothing with whoever checks it.
//!
//! Absent: signing, sealing, key exchange and the MIC, which HTTP has no use for.

use hmac::{Hmac, KeyInit, Mac};
use md4::{Digest, Md4};
use md5::Md5;

/// Signature and type of a CHALLENGE_MESSAGE.
const CHALLENGE: &[u8] = b"NTLMSSP\0\x02\0\0\0";
/// NEGOTIATE_UNICODE, REQUEST_TARGET, NTLM, ALWAYS_SIGN, EXTENDED_SESSIONSECURITY, TARGET_INFO, 128 and 56.
const FLAGS: u32 = 0xa088_8205;
/// Where the payload of an AUTHENTICATE_MESSAGE without version and MIC begins.
const PAYLOAD: usize = 64;

/// Who signs in.
#[derive(Clone, Copy)]
pub(crate) struct Login<'a> {
    pub(crate) domain: &'a str,
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
}

/// What makes a response another one each time.
#[derive(Clone, Copy)]
pub(crate) struct Fresh {
    /// FILETIME.
    pub(crate) time: u64,
    pub(crate) nonce: [u8; 8],
}

impl<'a> Login<'a> {
    /// `DOMAIN\user`, or a name without a domain.
    pub(crate) fn of(account: &'a str, password: &'a str) -> Login<'a> {
        let (domain, user) = account.split_once('\\').unwrap_or(("", account));
        Login { domain, user, password }
    }
}

/// NEGOTIATE_MESSAGE, naming neither domain nor workstation.
pub(crate) fn hello() -> Vec<u8> {
    let mut message = b"NTLMSSP\0\x01\0\0\0".to_vec();
    message.extend(FLAGS.to_le_bytes());
    message.extend([0; 16]);
    message
}

/// AUTHENTICATE_MESSAGE, in answer to a CHALLENGE_MESSAGE; `None` where that is none.
pub(crate) fn proof(login: Login<'_>, challenge: &[u8], fresh: Fresh) -> Option<Vec<u8>> {
    let (lm, nt) = responses(login, challenge, fresh)?;
    let texts = [login.domain, login.user, "COEXIST"].map(wide);
    let [domain, user, workstation] = texts;
    let mut head = b"NTLMSSP\0\x03\0\0\0".to_vec();
    let mut payload: Vec<u8> = vec![];
    for field in [lm, nt, domain, user, workstation, vec![]] {
        let length = u16::try_from(field.len()).ok()?.to_le_bytes();
        head.extend(length);
        head.extend(length);
        head.extend(u32::try_from(PAYLOAD + payload.len()).ok()?.to_le_bytes());
        payload.extend(field);
    }
    head.extend(FLAGS.to_le_bytes());
    head.extend(payload);
    Some(head)
}

/// LMv2 and NTLMv2 response.
fn responses(login: Login<'_>, message: &[u8], fresh: Fresh) -> Option<(Vec<u8>, Vec<u8>)> {
    if !message.starts_with(CHALLENGE) {
        return None;
    }
    let challenge = message.get(24..32)?;
    let length = usize::from(u16::from_le_bytes(message.get(40..42)?.try_into().ok()?));
    let offset = u32::from_le_bytes(message.get(44..48)?.try_into().ok()?) as usize;
    let target_info = message.get(offset..offset.checked_add(length)?)?;

    let capital: String = login.user.chars().map(capital).collect();
    let key = hmac(&Md4::digest(wide(login.password)), &[&wide(&capital), &wide(login.domain)]);
    let mut blob = vec![1, 1, 0, 0, 0, 0, 0, 0];
    blob.extend(fresh.time.to_le_bytes());
    blob.extend(fresh.nonce);
    blob.extend([0; 4]);
    blob.extend(target_info);
    blob.extend([0; 4]);
    let nt = [&hmac(&key, &[challenge, &blob])[..], &blob].concat();
    let lm = [&hmac(&key, &[challenge, &fresh.nonce])[..], &fresh.nonce].concat();
    Some((lm, nt))
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    let mut mac: Hmac<Md5> = Hmac::new_from_slice(key).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Windows' table makes one letter of one.
fn capital(letter: char) -> char {
    match letter.to_uppercase().collect::<Vec<_>>()[..] {
        [one] => one,
        _ => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
        digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
    }

    /// MS-NLMP, section 4.2.4: the CHALLENGE_MESSAGE of 4.2.4.3, the values of 4.2.1, the responses of 4.2.4.2.
    #[test]
    fn the_responses_are_the_published_ones() {
        let message = bytes(
            "4e544c4d53535000 02000000 0c000c0038000000 33828ae2 0123456789abcdef 0000000000000000 2400240044000000 \
             060070170000000f 530065007200760065007200 02000c0044006f006d00610069006e00 01000c00530065007200760065007200 \
             00000000",
        );
        let login = Login { domain: "Domain", user: "User", password: "Password" };
        let fresh = Fresh { time: 0, nonce: [0xaa; 8] };
        let (lm, nt) = responses(login, &message, fresh).unwrap();
        assert_eq!(lm, bytes("86c35097ac9cec102554764a57cccc19 aaaaaaaaaaaaaaaa"));
        assert_eq!(
            nt,
            bytes(
                "68cd0ab851e51c96aabc927bebef6a1c 0101000000000000 0000000000000000 aaaaaaaaaaaaaaaa 00000000 \
                 02000c0044006f006d00610069006e00 01000c00530065007200760065007200 00000000 00000000"
            )
        );
    }

    #[test]
    fn what_is_no_challenge_gets_no_response() {
        let login = Login::of("CONTOSO\\red", "secret");
        let fresh = Fresh { time: 1, nonce: [1; 8] };
        let mut challenge = [CHALLENGE, &[0; 36][..]].concat();
        assert!(proof(login, &challenge, fresh).is_some());
        assert!(proof(login, &challenge[..40], fresh).is_none());
        challenge[40] = 200; // a target info that lies outside
        assert!(proof(login, &challenge, fresh).is_none());
        assert!(proof(login, &hello(), fresh).is_none());
    }
}
