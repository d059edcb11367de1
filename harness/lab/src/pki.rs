//! Certificates: one root per lab, a leaf per server or namespace, and every wrong leaf that a topology may ask for.
//!
//! All leaves of a lab share one key pair: generating keys is what would make starting a lab slow, and no rule looks at
//! the key. Serial numbers differ, since browsers refuse two certificates of one issuer with the same number.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use model::HostName;
use model::topology::Certificate;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, SerialNumber,
};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use time::{Duration, OffsetDateTime};

use crate::clock;

pub(crate) mod pfx;

/// The name in a certificate that names another host; `.example` is reserved by RFC 2606, section 2.
const ANOTHER_HOST: &str = "another-host.example";
/// The longest common name (`ub-common-name`, RFC 5280, appendix A.1).
const LONGEST_COMMON_NAME: usize = 64;

/// Why a certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// No name was given.
    #[error("a certificate needs at least one name; give the server's own, `cas2010-s1.contoso.com`")]
    NoName,
    /// A name that no certificate can hold, or a failure of the library.
    #[error("no certificate for {names}: {source}")]
    Certificate {
        /// What it was to name.
        names: String,
        /// What the library says.
        source: rcgen::Error,
    },
    /// The TLS library refuses what was made.
    #[error("TLS does not take the certificate for {names}: {source}")]
    Tls {
        /// What it names.
        names: String,
        /// What the library says.
        source: rustls::Error,
    },
    /// A certificate or key that came from another process, and is none.
    #[error("the certificate or key that was sent is none: {says}")]
    Sent {
        /// What the library says.
        says: String,
    },
    /// A file could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
}

/// A lab's certificate authority.
pub struct Authority {
    root: CertifiedIssuer<'static, KeyPair>,
    store: Arc<RootCertStore>,
    /// The key pair of every leaf of this lab.
    key: KeyPair,
    provider: Arc<CryptoProvider>,
    /// Issuers of the wrong leaves, made when the first one is asked for.
    stranger: OnceLock<CertifiedIssuer<'static, KeyPair>>,
    intermediate: OnceLock<CertifiedIssuer<'static, KeyPair>>,
    serial: AtomicU64,
}

/// A certificate with its key.
#[derive(Clone)]
pub struct Leaf {
    chain_pem: String,
    key_pem: String,
    key_der: Vec<u8>,
    certified: Arc<CertifiedKey>,
    config: Arc<ServerConfig>,
}

/// Where a leaf was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafFiles {
    /// The certificates that the server sends.
    pub chain: PathBuf,
    /// The private key, PKCS #8.
    pub key: PathBuf,
    /// Both, key last.
    pub pem: PathBuf,
    /// Both, as PKCS #12.
    pub pfx: PathBuf,
}

impl Authority {
    /// A new root (ECDSA P-256), unlike that of any other lab.
    ///
    /// # Errors
    /// What the library says of making keys.
    pub fn new() -> Result<Authority, PkiError> {
        let root = issuer("Coexist lab root", None)?;
        let mut store = RootCertStore::empty();
        store.add(root.der().clone()).map_err(|source| PkiError::Tls { names: "the root".into(), source })?;
        let key = KeyPair::generate().map_err(certificate_error(&"the leaves"))?;
        Ok(Authority {
            root,
            store: Arc::new(store),
            key,
            provider: Arc::new(ring::default_provider()),
            stranger: OnceLock::new(),
            intermediate: OnceLock::new(),
            serial: AtomicU64::new(1),
        })
    }

    /// The root as clients are given it.
    pub fn root_pem(&self) -> String {
        self.root.pem()
    }

    /// SHA-256 of the public key that all leaves share: a browser can be told to take certificates with it.
    pub fn pin(&self) -> [u8; 32] {
        let key = rcgen::PublicKeyData::subject_public_key_info(&self.key);
        let digest = ::ring::digest::digest(&::ring::digest::SHA256, &key);
        digest.as_ref().try_into().expect("SHA-256 is 32 bytes")
    }

    /// The root as our own clients and servers trust it.
    pub fn root_store(&self) -> Arc<RootCertStore> {
        self.store.clone()
    }

    /// A certificate for these names, the first one being its common name: a right one, or one that is wrong in one way.
    ///
    /// # Errors
    /// No name, or a name that no certificate can hold.
    pub fn leaf(&self, names: &[HostName], kind: Certificate) -> Result<Leaf, PkiError> {
        let first = names.first().ok_or(PkiError::NoName)?;
        let listed = || names.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ");
        let params = self.params(names, first, kind).map_err(certificate_error(&listed()))?;
        let issuer = match kind {
            Certificate::Untrusted => made_once(&self.stranger, || issuer("A root nobody trusts", None))?,
            Certificate::ByIntermediate | Certificate::MissingIntermediate => {
                made_once(&self.intermediate, || issuer("Coexist lab intermediate", Some(&self.root)))?
            }
            _ => &self.root,
        };
        let certificate = params
            .signed_by(&self.key, issuer)
            .map_err(|source| PkiError::Certificate { names: listed(), source })?;
        let tls = |source| PkiError::Tls { names: listed(), source };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialized_der().to_vec()));
        let mut chain = vec![certificate.der().clone()];
        let mut chain_pem = certificate.pem();
        if kind == Certificate::ByIntermediate {
            chain.push(issuer.der().clone());
            chain_pem.push_str(&issuer.pem());
        }
        let certified = Arc::new(CertifiedKey::new(chain, ring::sign::any_ecdsa_type(&key).map_err(tls)?));
        let config = presents(self.provider.clone(), certified.clone()).map_err(tls)?;
        Ok(Leaf {
            chain_pem,
            key_pem: self.key.serialize_pem(),
            key_der: self.key.serialized_der().to_vec(),
            certified,
            config,
        })
    }

    fn params(
        &self,
        names: &[HostName],
        first: &HostName,
        kind: Certificate,
    ) -> Result<CertificateParams, rcgen::Error> {
        let alternatives: Vec<String> = match kind {
            Certificate::WrongName => vec![ANOTHER_HOST.to_owned()],
            _ => names.iter().map(|name| name.as_str().to_owned()).collect(),
        };
        let common_name = match kind {
            Certificate::WrongName => ANOTHER_HOST,
            _ => first.as_str(),
        };
        let mut params = CertificateParams::new(alternatives)?;
        params.distinguished_name = DistinguishedName::new();
        if common_name.len() <= LONGEST_COMMON_NAME {
            params.distinguished_name.push(DnType::CommonName, common_name);
        }
        params.serial_number = Some(SerialNumber::from(self.serial.fetch_add(1, Ordering::Relaxed)));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = validity(kind, clock::now());
        Ok(params)
    }
}

impl Leaf {
    /// The certificates that the server sends, as PEM. The root is not among them.
    pub fn chain_pem(&self) -> &str {
        &self.chain_pem
    }

    /// The private key as PEM, PKCS #8.
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// The same for rustls.
    pub fn certified_key(&self) -> Arc<CertifiedKey> {
        self.certified.clone()
    }

    /// The certificates that the server sends, as DER.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.certified.cert
    }

    /// A server's side of TLS with this certificate: TLS 1.2 and 1.3, no ALPN, as IIS of that time had none.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }

    /// Writes `stem.chain.pem`, `stem.key.pem`, `stem.pem` and `stem.pfx` into a folder, for its owner's eyes only.
    ///
    /// # Errors
    /// What the operating system says of writing one of them.
    pub fn write(&self, folder: &Path, stem: &str) -> Result<LeafFiles, PkiError> {
        let files = LeafFiles {
            chain: folder.join(format!("{stem}.chain.pem")),
            key: folder.join(format!("{stem}.key.pem")),
            pem: folder.join(format!("{stem}.pem")),
            pfx: folder.join(format!("{stem}.pfx")),
        };
        write_private(&files.chain, &self.chain_pem)?;
        write_private(&files.key, &self.key_pem)?;
        write_private(&files.pem, format!("{}{}", self.chain_pem, self.key_pem))?;
        write_private(&files.pfx, pfx::file(self.chain().iter().map(AsRef::as_ref), &self.key_der))?;
        Ok(files)
    }
}

/// A server's side of TLS, from what it was sent as PEM: TLS 1.2 and 1.3, no ALPN.
///
/// # Errors
/// No certificate, or a key that does not fit it.
pub(crate) fn server_config(chain_pem: &str, key_pem: &str) -> Result<Arc<ServerConfig>, PkiError> {
    let wrong = |says: String| PkiError::Sent { says };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain_pem.as_bytes()).collect();
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(|error| wrong(error.to_string()))?;
    let tls = |source| PkiError::Tls { names: "what was sent".into(), source };
    let key = ring::sign::any_ecdsa_type(&key).map_err(tls)?;
    let chain = chain.map_err(|error| wrong(error.to_string()))?;
    presents(Arc::new(ring::default_provider()), Arc::new(CertifiedKey::new(chain, key))).map_err(tls)
}

fn presents(
    provider: Arc<CryptoProvider>,
    certified: Arc<CertifiedKey>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
    Ok(Arc::new(config))
}

/// From when to when a leaf is good.
fn validity(kind: Certificate, now: OffsetDateTime) -> (OffsetDateTime, OffsetDateTime) {
    match kind {
        Certificate::Expired => (now - Duration::days(60), now - Duration::days(1)),
        Certificate::NotYetValid => (now + Duration::days(30), now + Duration::days(60)),
        // An hour back: a container's clock may be behind. 397 days: the most that browsers take.
        _ => (now - Duration::hours(1), now - Duration::hours(1) + Duration::days(397)),
    }
}

/// A certificate authority with a key of its own, signed by another one or by itself.
fn issuer(
    name: &str,
    signed_by: Option<&CertifiedIssuer<'static, KeyPair>>,
) -> Result<CertifiedIssuer<'static, KeyPair>, PkiError> {
    let failed = certificate_error(&name);
    let key = KeyPair::generate().map_err(&failed)?;
    let mut params = CertificateParams::default();
    // The key's own bytes make the name unlike that of another lab's root, which a browser may hold too.
    let own: String =
        rcgen::PublicKeyData::der_bytes(&key).iter().skip(1).take(4).map(|b| format!("{b:02x}")).collect();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("{name} {own}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    let now = clock::now();
    (params.not_before, params.not_after) = (now - Duration::days(365), now + Duration::days(3650));
    match signed_by {
        None => CertifiedIssuer::self_signed(params, key),
        Some(issuer) => CertifiedIssuer::signed_by(params, key, issuer),
    }
    .map_err(failed)
}

fn made_once<T>(place: &OnceLock<T>, make: impl FnOnce() -> Result<T, PkiError>) -> Result<&T, PkiError> {
    if let Some(made) = place.get() {
        return Ok(made);
    }
    // Two that make it at once: the first one stays, so leaves of one lab have one issuer.
    let made = make()?;
    Ok(place.get_or_init(|| made))
}

fn certificate_error(names: &dyn std::fmt::Display) -> impl Fn(rcgen::Error) -> PkiError + use<> {
    let names = names.to_string();
    move |source| PkiError::Certificate { names: names.clone(), source }
}

fn write_private(path: &Path, content: impl AsRef<[u8]>) -> Result<(), PkiError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| file.write_all(content.as_ref()));
    written.map_err(|source| PkiError::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
