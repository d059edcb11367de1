//! Greetings that are answered with the wrong certificate, or not at all.

use std::sync::{Arc, LazyLock};

use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::{Greeting, Lie};

pub(super) const LIES: &[(&str, Lie)] = &[
    ("one-name-certificate", Lie::Greeting(one_name)),
    ("drops-intermediate", Lie::Greeting(the_leaf_alone)),
    ("insists-on-sni", Lie::Greeting(insists_on_sni)),
];

/// Sends the first certificate of a chain, and nothing that leads to a root.
#[derive(Debug)]
struct LeafAlone(Arc<dyn ResolvesServerCert>);

impl ResolvesServerCert for LeafAlone {
    fn resolve(&self, greeting: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut own = CertifiedKey::clone(&*self.0.resolve(greeting)?);
        own.cert.truncate(1);
        Some(Arc::new(own))
    }
}

fn the_leaf_alone(_: Option<&str>, own: &Arc<ServerConfig>) -> Option<Greeting> {
    let mut config = ServerConfig::clone(own);
    config.cert_resolver = Arc::new(LeafAlone(own.cert_resolver.clone()));
    Some(Greeting::With(Arc::new(config)))
}

fn insists_on_sni(sni: Option<&str>, _: &Arc<ServerConfig>) -> Option<Greeting> {
    sni.is_none().then_some(Greeting::Reset)
}

/// `mail` of the domain whose `autodiscover` is asked for, on a certificate of its own making.
fn one_name(sni: Option<&str>, own: &Arc<ServerConfig>) -> Option<Greeting> {
    let domain = sni?.strip_prefix("autodiscover.")?;
    static KEY: LazyLock<Option<KeyPair>> = LazyLock::new(|| KeyPair::generate().ok());
    let key = KEY.as_ref()?;
    let certificate = CertificateParams::new([format!("mail.{domain}")]).ok()?.self_signed(key).ok()?;
    let private = PrivateKeyDer::try_from(key.serialize_der()).ok()?;
    let config = ServerConfig::builder_with_provider(own.crypto_provider().clone())
        .with_safe_default_protocol_versions()
        .ok()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .ok()?;
    Some(Greeting::With(Arc::new(config)))
}
