//! TLS as a client that asks its user: what is wrong with a certificate is noted, and the user goes on.

use std::sync::{Arc, Mutex, PoisonError};

use model::HostName;
use model::case::{CertificateFault, Sni};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What a client brings to a greeting.
pub(crate) struct Tls {
    provider: Arc<CryptoProvider>,
    /// None where there is not one root to trust: then every certificate is a stranger's.
    judge: Option<Arc<WebPkiServerVerifier>>,
}

impl Tls {
    pub(crate) fn new(trust: &Arc<RootCertStore>) -> Tls {
        let provider = Arc::new(ring::default_provider());
        let judge = WebPkiServerVerifier::builder_with_provider(trust.clone(), provider.clone()).build().ok();
        Tls { provider, judge }
    }

    /// Greets with the host's name, and says what a person would have been asked about its certificate.
    pub(crate) async fn greet(
        &self,
        stream: TcpStream,
        host: &HostName,
        sni: Sni,
    ) -> std::io::Result<(TlsStream<TcpStream>, Option<CertificateFault>)> {
        let asking = Arc::new(Asking {
            provider: self.provider.clone(),
            judge: self.judge.clone(),
            fault: Mutex::default(),
        });
        let mut config = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(std::io::Error::other)?
            .dangerous()
            .with_custom_certificate_verifier(asking.clone())
            .with_no_client_auth();
        config.enable_sni = sni != Sni::Absent;
        let written = match sni {
            Sni::UpperCase => host.as_str().to_ascii_uppercase(),
            Sni::Present | Sni::Absent => host.as_str().to_owned(),
        };
        let name = ServerName::try_from(written).map_err(std::io::Error::other)?;
        let greeted = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        let fault = *asking.fault.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((greeted, fault))
    }
}

/// Verifies as a client does, and where that fails asks the user, who goes on.
#[derive(Debug)]
struct Asking {
    provider: Arc<CryptoProvider>,
    judge: Option<Arc<WebPkiServerVerifier>>,
    fault: Mutex<Option<CertificateFault>>,
}

impl ServerCertVerifier for Asking {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let fault = match &self.judge {
            None => Some(CertificateFault::Trust),
            Some(judge) => judge.verify_server_cert(leaf, chain, name, ocsp, now).err().map(|e| fault_of(&e)),
        };
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The one question a dialog asks: date, name, or else trust.
fn fault_of(error: &Error) -> CertificateFault {
    match error {
        Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => CertificateFault::Date,
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => CertificateFault::Name,
        _ => CertificateFault::Trust,
    }
}
