//! A client that trusts the lab's root, against a server that presents one leaf, over a pipe.

use std::time::Instant;

use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, Error};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;

fn host(name: &str) -> HostName {
    name.parse().unwrap()
}

/// What a client says of a leaf when it dials the first of the leaf's names.
async fn greet(authority: &Authority, leaf: &Leaf, name: &str) -> Result<(), Error> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(authority.root_store())
        .with_no_client_auth();
    let (near, far) = tokio::io::duplex(16 * 1024);
    let server = TlsAcceptor::from(leaf.server_config()).accept(far);
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let (client, _server) = tokio::join!(connector.connect(name, near), server);
    match client {
        Ok(_) => Ok(()),
        Err(error) => Err(error.into_inner().unwrap().downcast_ref::<Error>().unwrap().clone()),
    }
}

async fn verdict(kind: Certificate) -> Result<(), Error> {
    let authority = Authority::new().unwrap();
    let leaf = authority.leaf(&[host("mail.contoso.com"), host("cas2010-s1.contoso.com")], kind).unwrap();
    greet(&authority, &leaf, "mail.contoso.com").await
}

#[tokio::test]
async fn a_valid_leaf_is_taken_under_each_of_its_names_and_under_no_other() {
    let authority = Authority::new().unwrap();
    let names = ["mail.contoso.com", "cas2010-s1.contoso.com", "ex_cas1.contoso.com"].map(host);
    let leaf = authority.leaf(&names, Certificate::Valid).unwrap();
    for name in names {
        assert_eq!(greet(&authority, &leaf, name.as_str()).await, Ok(()), "{name}");
    }
    assert!(greet(&authority, &leaf, "legacy.contoso.com").await.is_err());
}

#[tokio::test]
async fn an_intermediate_that_is_sent_along_leads_to_the_root() {
    assert_eq!(verdict(Certificate::ByIntermediate).await, Ok(()));
}

#[tokio::test]
async fn each_wrong_leaf_is_refused_for_its_own_reason() {
    let wrong = |refused: Result<(), Error>| match refused.unwrap_err() {
        Error::InvalidCertificate(why) => why,
        other => panic!("{other}"),
    };
    let expired = wrong(verdict(Certificate::Expired).await);
    assert!(
        matches!(expired, CertificateError::Expired | CertificateError::ExpiredContext { .. }),
        "{expired:?}"
    );
    let early = wrong(verdict(Certificate::NotYetValid).await);
    let is_early =
        matches!(early, CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. });
    assert!(is_early, "{early:?}");
    let name = wrong(verdict(Certificate::WrongName).await);
    let is_name =
        matches!(name, CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. });
    assert!(is_name, "{name:?}");
    assert_eq!(wrong(verdict(Certificate::Untrusted).await), CertificateError::UnknownIssuer);
    assert_eq!(wrong(verdict(Certificate::MissingIntermediate).await), CertificateError::UnknownIssuer);
}

#[test]
fn a_leaf_without_a_name_is_refused() {
    let refused = Authority::new().unwrap().leaf(&[], Certificate::Valid);
    assert!(matches!(refused, Err(PkiError::NoName)));
}

#[cfg(unix)]
#[test]
fn a_leaf_is_written_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = std::env::temp_dir().join(format!("coexist-lab-pki-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let leaf = Authority::new().unwrap().leaf(&[host("mail.contoso.com")], Certificate::Valid).unwrap();
    let files = leaf.write(&folder, "seat").unwrap();
    assert_eq!(files.pem, folder.join("seat.pem"));
    for file in [&files.chain, &files.key, &files.pem] {
        assert_eq!(
            std::fs::metadata(file).unwrap().permissions().mode() & 0o777,
            0o600,
            "{}",
            file.display()
        );
    }
    let both = std::fs::read_to_string(&files.pem).unwrap();
    assert_eq!(both, format!("{}{}", leaf.chain_pem(), leaf.key_pem()));
    std::fs::remove_dir_all(folder).unwrap();
}

/// The budget for a lab of thirteen servers is 100 ms in all; this prints what the certificates take of it.
#[test]
fn thirteen_leaves_differ_in_serial_number() {
    let began = Instant::now();
    let authority = Authority::new().unwrap();
    let leaves: Vec<Leaf> = (0..13)
        .map(|n| authority.leaf(&[host(&format!("cas2010-s{n}.contoso.com"))], Certificate::Valid).unwrap())
        .collect();
    println!("root, key and 13 leaves: {:?}", began.elapsed());
    // The serial number follows version and its own tag: 30 .. 30 .. a0 03 02 01 02 02 len bytes (RFC 5280, 4.1).
    let serial = |leaf: &Leaf| {
        let der = leaf.chain()[0].as_ref();
        let at = der.windows(5).position(|bytes| bytes == [0xa0, 3, 2, 1, 2]).unwrap() + 5;
        der[at..at + 2 + usize::from(der[at + 1])].to_vec()
    };
    let serials: std::collections::BTreeSet<_> = leaves.iter().map(serial).collect();
    assert_eq!(serials.len(), 13);
}
