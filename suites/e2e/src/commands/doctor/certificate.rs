//! Whether the seat presents a right certificate for a name: chain, names, dates; with the name in the greeting and without.

use std::sync::Arc;

use lab::Lab;
use model::HostName;
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::sheet::Sheet;
use super::{GREETING, dialled};
use crate::clock::within;

pub(super) async fn look(lab: &Lab, name: &HostName, with_sni: bool, sheet: &mut Sheet) {
    let line = if with_sni { name.to_string() } else { format!("{name}, no SNI") };
    let greeted = within(GREETING, greet(lab, name, with_sni)).await;
    match greeted.unwrap_or_else(|| Err(format!("no TLS within {GREETING:?}"))) {
        Ok(chain) => sheet.well(&line, &format!("a right certificate, {chain} in the chain")),
        Err(says) => sheet.ill(&line, &says, hint(&says, with_sni)),
    }
}

async fn greet(lab: &Lab, name: &HostName, with_sni: bool) -> Result<usize, String> {
    let stream = dialled(lab, 443).await.map_err(|error| error.to_string())?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(super::trust(lab))
        .with_no_client_auth();
    config.enable_sni = with_sni;
    let host = ServerName::try_from(name.as_str().to_owned()).map_err(|error| error.to_string())?;
    let greeted = TlsConnector::from(Arc::new(config)).connect(host, stream).await;
    let greeted = greeted.map_err(|error| error.to_string())?;
    Ok(greeted.get_ref().1.peer_certificates().map_or(0, <[_]>::len))
}

fn hint(says: &str, with_sni: bool) -> &'static str {
    let names = |word: &str| says.contains(word);
    if names("not valid for name") || names("NotValidForName") {
        "present {cert.chain}: it names all that leads to the seat"
    } else if names("UnknownIssuer") {
        "present {cert.chain}, which the lab has signed; send it whole, not the leaf alone"
    } else if names("xpired") || names("not valid yet") || names("NotValidYet") {
        "the certificate's dates are wrong: present {cert.chain} of this lab, not one kept from an earlier"
    } else if !with_sni {
        "clients that send no name are served too: make this certificate the default one (rule X-TLS-1)"
    } else {
        "speak TLS 1.2 or 1.3 on {listen.https}, with {cert.chain} and {cert.key}"
    }
}
