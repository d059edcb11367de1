//! What a client of a test stands on: DNS that leads every name here, a certificate, and whose mailbox it is.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use clients::{Limits, Network, Person};
use ledger::Ledger;
use model::View;
use model::case::{Action, ClientKind, Device, Password, QueryForm, When};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::RootCertStore;
use tokio::net::UdpSocket;
use tokio_rustls::TlsAcceptor;

pub(crate) const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(crate) const PERSON: &str = "purple-1a2b3c@contoso.com";

/// What a client is to do.
pub(crate) fn when(client: ClientKind, opens: &str, does: Action) -> When {
    When {
        mailbox: "purple".parse().unwrap(),
        client,
        view: View::External,
        opens: opens.to_owned().try_into().unwrap(),
        does,
        password: Password::Right,
        sign_in: Default::default(),
        stays: false,
        comes_back: None,
        at_once: 1,
        types: None,
        device: Some(Device {
            protocol: "14.1".into(),
            kind: "iPhone".into(),
            on_451_list: true,
            autodiscover: true,
            query: QueryForm::Plain,
        }),
        can_handle: None,
        knows_exhttp: true,
        mapi_http: false,
        excludes: vec![],
        follows_link: false,
        times: 1,
        sends: vec![],
    }
}

/// What a client is told of the network: every name and port leads to `web`.
pub(crate) fn network(dns: SocketAddr, web: SocketAddr, trust: RootCertStore) -> Network {
    Network {
        ledger: Ledger::default(),
        source: LOCAL,
        view: View::External,
        dns,
        trust: Arc::new(trust),
        ports: Arc::new(move |_, _| web),
        directory: None,
        tickets: Arc::new(|_, _, _| None),
        site: "Site1".parse().unwrap(),
        limits: Limits::default(),
    }
}

/// Who plays.
pub(crate) fn person() -> Person {
    Person {
        address: PERSON.into(),
        account: "CONTOSO\\purple-1a2b3c".into(),
        upn: PERSON.into(),
        legacy_dn: "/o=contoso/cn=purple-1a2b3c".into(),
        password: "s3cr&t".into(),
        device_id: "D1A2B3C".into(),
        request_id: "1a2b3c00-0000-0000-0000-000000000000".into(),
        domain: "contoso.com".parse().unwrap(),
        mailbox: "purple".parse().unwrap(),
    }
}

/// A certificate for every name, and the roots that know it.
pub(crate) fn certified() -> (TlsAcceptor, RootCertStore) {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = ["mail", "legacy", "autodiscover"].map(|n| format!("{n}.contoso.com")).to_vec();
    let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &ca).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key.serialize_der().try_into().unwrap())
        .unwrap();
    let mut trust = RootCertStore::empty();
    trust.add(ca.der().clone()).unwrap();
    (TlsAcceptor::from(Arc::new(tls)), trust)
}

/// DNS: `contoso.com` itself does not resolve, every other name leads here (RFC 1035, section 4.1).
pub(crate) async fn names_answered(socket: UdpSocket) {
    let mut query = [0; 512];
    loop {
        let (length, from): (usize, SocketAddr) = socket.recv_from(&mut query).await.unwrap();
        let labels = query[12..].split(|byte| *byte == 0).next().unwrap().len() + 1;
        let leads = query[12] != 7;
        let mut answer = query[..2].to_vec();
        answer.extend(if leads {
            [0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0]
        } else {
            [0x84, 3, 0, 1, 0, 0, 0, 0, 0, 0]
        });
        answer.extend(&query[12..12 + labels + 4]);
        if leads {
            answer.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1]);
        }
        assert!(length >= 12 + labels + 4);
        socket.send_to(&answer, from).await.unwrap();
    }
}
