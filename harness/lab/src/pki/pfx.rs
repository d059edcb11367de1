//! A certificate and its key in one PKCS #12 file (RFC 7292), for programs that take nothing else.
//!
//! The key lies in it as it is, in a `keyBag`: it is a lab's, and its PEM file lies beside it. What keeps the file together is
//! its MAC (HMAC-SHA-256, section 4 and appendix B), under a password that everybody may know. Programs that read shrouded
//! keys alone, Java's keystore among them, do not take it.

use ring::{digest, hmac};
use yasna::models::ObjectIdentifier;
use yasna::{DERWriter, Tag, construct_der};

/// The password of every file.
pub(crate) const PASSWORD: &str = "coexist";

/// Nothing is secret here, so the salt need not be drawn.
const SALT: &[u8] = b"coexist.";
const ROUNDS: u32 = 2048;
/// Which certificate the key is for: the first.
const LOCAL_KEY_ID: &[u8] = &[1];

/// RFC 2315, section 14: PKCS #7 data.
const DATA: &[u64] = &[1, 2, 840, 113_549, 1, 7, 1];
/// RFC 7292, appendix D.
const KEY_BAG: &[u64] = &[1, 2, 840, 113_549, 1, 12, 10, 1, 1];
const CERT_BAG: &[u64] = &[1, 2, 840, 113_549, 1, 12, 10, 1, 3];
/// RFC 2985: the kind of a certificate in its bag, and the attribute that ties it to its key.
const X509_CERTIFICATE: &[u64] = &[1, 2, 840, 113_549, 1, 9, 22, 1];
const LOCAL_KEY: &[u64] = &[1, 2, 840, 113_549, 1, 9, 21];
/// RFC 4055, section 2.1.
const SHA256: &[u64] = &[2, 16, 840, 1, 101, 3, 4, 2, 1];

/// The file: the certificates as DER, the leaf first, and the key as PKCS #8 DER.
pub(crate) fn file<'a>(chain: impl Iterator<Item = &'a [u8]>, key: &[u8]) -> Vec<u8> {
    let chain: Vec<&[u8]> = chain.collect();
    let safe = construct_der(|writer| {
        writer.write_sequence(|writer| {
            content(writer.next(), &bags(&chain, key));
        });
    });
    construct_der(|writer| {
        writer.write_sequence(|writer| {
            writer.next().write_u8(3);
            content(writer.next(), &safe);
            writer.next().write_sequence(|writer| {
                writer.next().write_sequence(|writer| {
                    writer.next().write_sequence(|writer| {
                        writer.next().write_oid(&oid(SHA256));
                        writer.next().write_null();
                    });
                    let key = hmac::Key::new(hmac::HMAC_SHA256, &mac_key(PASSWORD, SALT, ROUNDS));
                    writer.next().write_bytes(hmac::sign(&key, &safe).as_ref());
                });
                writer.next().write_bytes(SALT);
                writer.next().write_u32(ROUNDS);
            });
        });
    })
}

/// Content of the kind `data`.
fn content(writer: DERWriter<'_>, octets: &[u8]) {
    writer.write_sequence(|writer| {
        writer.next().write_oid(&oid(DATA));
        writer.next().write_tagged(Tag::context(0), |writer| writer.write_bytes(octets));
    });
}

fn bags(chain: &[&[u8]], key: &[u8]) -> Vec<u8> {
    construct_der(|writer| {
        writer.write_sequence(|writer| {
            for (at, certificate) in chain.iter().enumerate() {
                bag(writer.next(), CERT_BAG, at == 0, |writer| {
                    writer.write_sequence(|writer| {
                        writer.next().write_oid(&oid(X509_CERTIFICATE));
                        writer.next().write_tagged(Tag::context(0), |writer| writer.write_bytes(certificate));
                    });
                });
            }
            bag(writer.next(), KEY_BAG, true, |writer| writer.write_der(key));
        });
    })
}

fn bag(writer: DERWriter<'_>, kind: &[u64], of_the_key: bool, value: impl FnOnce(DERWriter<'_>)) {
    writer.write_sequence(|writer| {
        writer.next().write_oid(&oid(kind));
        writer.next().write_tagged(Tag::context(0), value);
        if of_the_key {
            writer.next().write_set(|writer| {
                writer.next().write_sequence(|writer| {
                    writer.next().write_oid(&oid(LOCAL_KEY));
                    writer.next().write_set(|writer| writer.next().write_bytes(LOCAL_KEY_ID));
                });
            });
        }
    });
}

fn oid(numbers: &[u64]) -> ObjectIdentifier {
    ObjectIdentifier::from_slice(numbers)
}

/// The MAC's key (RFC 7292, appendix B.2, with ID 3): one block, since a key is as long as what SHA-256 gives.
fn mac_key(password: &str, salt: &[u8], rounds: u32) -> Vec<u8> {
    derived(&digest::SHA256, 3, password, salt, rounds)
}

fn derived(hash: &'static digest::Algorithm, id: u8, password: &str, salt: &[u8], rounds: u32) -> Vec<u8> {
    let block = hash.block_len();
    let filled = |octets: &[u8]| {
        let whole = octets.len().div_ceil(block) * block;
        octets.iter().copied().cycle().take(whole).collect::<Vec<u8>>()
    };
    // A BMPString with two octets of zero behind it (appendix B.1).
    let password: Vec<u8> = password.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect();
    let mut octets = vec![id; block];
    octets.extend(filled(salt));
    octets.extend(filled(&password));
    let mut key = digest::digest(hash, &octets);
    for _ in 1..rounds {
        key = digest::digest(hash, key.as_ref());
    }
    key.as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::pki::Authority;

    /// The vector is that of the PKCS #12 tests of several libraries: password `smeg`, salt 0A58CF64530D823F, one round,
    /// ID 1, SHA-1.
    #[test]
    fn a_key_is_derived_as_in_the_published_vector() {
        let salt = [0x0A, 0x58, 0xCF, 0x64, 0x53, 0x0D, 0x82, 0x3F];
        let key = derived(&digest::SHA1_FOR_LEGACY_USE_ONLY, 1, "smeg", &salt, 1);
        let hex: String = key.iter().map(|octet| format!("{octet:02X}")).collect();
        // The first 20 octets of its 24.
        assert_eq!(hex, "8AAAE6297B6CB04642AB5B077851284EB7128F1A");
    }

    /// A foreign reader: where there is no openssl, a line says so.
    #[test]
    fn openssl_reads_certificate_and_key_and_believes_the_mac() {
        let authority = Authority::new().unwrap();
        let leaf = authority.leaf(&["mail.contoso.com".parse().unwrap()], Default::default()).unwrap();
        let folder = std::env::temp_dir().join(format!("coexist-pfx-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let files = leaf.write(&folder, "seat").unwrap();
        let read = |password: &str| {
            let mut command = Command::new("openssl");
            command.arg("pkcs12").arg("-in").arg(&files.pfx).args(["-nodes", "-passin", password]);
            command.stdin(Stdio::null()).output()
        };
        let (right, wrong) = (read("pass:coexist"), read("pass:another"));
        std::fs::remove_dir_all(&folder).unwrap();
        let (Ok(right), Ok(wrong)) = (right, wrong) else {
            println!("skipped: there is no openssl");
            return;
        };
        let said = String::from_utf8_lossy(&right.stdout);
        assert!(right.status.success(), "{}", String::from_utf8_lossy(&right.stderr));
        let within = |pem: &str| pem.lines().filter(|line| !line.is_empty()).all(|line| said.contains(line));
        assert!(within(leaf.chain_pem()) && within(leaf.key_pem()), "{said}");
        assert!(!wrong.status.success());
    }
}
