//! Autodiscover: what is asked, the settings of one mailbox, and the answers that carry them.

use http::HeaderMap;
use http::StatusCode;
use http::header::{HeaderName, HeaderValue};
use model::names::HostName;
use model::topology::Authentication;
use model::url::WebUrl;
use model::version::{Build, Version};

use crate::answer::Answer;
use crate::iis::{clock, typed};
use crate::xml::{Element, Tag, XmlError};

mod pox;
mod soap;
pub use pox::{mobilesync, pox};
pub use soap::{SoapError, SoapRequest, soap};

// Wire facts 3.1 and 3.4.
const REQUEST: [&str; 2] = [
    "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006",
    "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/requestschema/2006",
];
const OUTLOOK: &str = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a";
const MOBILE_SYNC: &str = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006";
const RESPONSE: &str = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006";

/// The answer that a plain-XML request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// Outlook's, `responseschema/2006a`.
    Outlook2006a,
    /// A device's.
    MobileSync,
}

/// A plain-XML request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoxRequest {
    /// The answer that is asked for.
    pub schema: Schema,
    /// `EMailAddress`.
    pub address: Option<String>,
    /// `LegacyDN`, which wins if both are given (wire facts 3.1).
    pub legacy_dn: Option<String>,
}

/// Why a plain-XML request was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PoxError {
    /// No XML that is read here.
    #[error("the request is no XML: {0}")]
    Xml(#[from] XmlError),
    /// Another document than an Autodiscover request.
    #[error("the request's root is no Autodiscover element of a known request schema")]
    NoRequest,
    /// It names nobody.
    #[error("the request has neither EMailAddress nor LegacyDN")]
    Nobody,
    /// It asks for an answer that no provider writes.
    #[error("the request asks for no response schema that is known")]
    NoProvider,
}

impl PoxError {
    /// The answer to it: 600 invalid request, 601 no provider (wire facts 3.1).
    pub fn answer(&self) -> Answer {
        match self {
            PoxError::NoProvider => error(601, "Provider is not available", ""),
            _ => error(600, "Invalid Request", ""),
        }
    }
}

impl PoxRequest {
    /// Reads a posted body.
    ///
    /// # Errors
    /// Whatever is no request for a schema that is known.
    pub fn read(body: &[u8]) -> Result<PoxRequest, PoxError> {
        let root = Element::read(body)?;
        if root.name != "Autodiscover" || !REQUEST.contains(&root.namespace.as_str()) {
            return Err(PoxError::NoRequest);
        }
        let request = root.child("Request").ok_or(PoxError::NoRequest)?;
        let asked = request.children("AcceptableResponseSchema");
        let schema = asked
            .filter_map(|schema| match schema.text.trim() {
                OUTLOOK => Some(Schema::Outlook2006a),
                MOBILE_SYNC => Some(Schema::MobileSync),
                _ => None,
            })
            .next()
            .ok_or(PoxError::NoProvider)?;
        let text = |name| request.text_at(&[name]).map(str::to_owned);
        let read = PoxRequest { schema, address: text("EMailAddress"), legacy_dn: text("LegacyDN") };
        match (&read.address, &read.legacy_dn) {
            (None, None) => Err(PoxError::Nobody),
            _ => Ok(read),
        }
    }
}

/// Whether a client says that it knows ExHTTP: `X-ClientCanHandle: Negotiate,ExHttpInfo` (wire facts 3.1). Which builds
/// ask is the caller's business (rule X-AD-1).
pub fn says_exhttp(headers: &HeaderMap) -> bool {
    let lines = headers.get_all("x-clientcanhandle").iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|word| word.trim().eq_ignore_ascii_case("ExHttpInfo"))
}

/// Whether a client says that it speaks MAPI over HTTP: `X-MapiHttpCapability: 1`, or a later version of it (wire facts 3.1).
pub fn says_mapi_http(headers: &HeaderMap) -> bool {
    let said = headers.get("x-mapihttpcapability").and_then(|value| value.to_str().ok());
    said.and_then(|value| value.trim().parse::<u32>().ok()).is_some_and(|version| version >= 1)
}

/// All that an answer may say of one mailbox. Whoever fills it in has decided every cell; an absent part is not written.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The version of the server that writes: an older one knows fewer elements.
    pub written_by: Version,
    /// The user's name.
    pub display_name: String,
    /// The primary address.
    pub address: String,
    /// The mailbox's legacyExchangeDN.
    pub legacy_dn: String,
    /// The forest's GUID.
    pub deployment_id: String,
    /// The EXCH block: RPC inside.
    pub exch: Option<Exch>,
    /// The EXPR block: Outlook Anywhere outside.
    pub expr: Option<Expr>,
    /// The WEB block: Outlook Web App.
    pub web: Option<Web>,
    /// The EXHTTP blocks, internal first (rule CX-EXHTTP-1).
    pub exhttp: Vec<ExHttp>,
    /// The mapiHttp block: for clients that say they speak it.
    pub mapi_http: Option<MapiHttp>,
    /// The mobilesync answer's address, `https://mail.contoso.com/Microsoft-Server-ActiveSync`.
    pub eas_url: Option<WebUrl>,
}

/// The services whose addresses a block repeats.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Services {
    /// `…/EWS/Exchange.asmx`: written as `ASUrl`, `OOFUrl`, `EwsUrl`, and beside it `UMUrl`.
    pub ews: Option<WebUrl>,
    /// `…/OAB/<guid>/`
    pub oab: Option<WebUrl>,
    /// `…/ecp/`: written from 2010 on.
    pub ecp: Option<WebUrl>,
}

/// The EXCH block.
#[derive(Debug, Clone, PartialEq)]
pub struct Exch {
    /// 2007: the Mailbox server's FQDN. 2010: the database's RpcClientAccessServer. 2013: `<mailbox guid>@<domain>`.
    pub server: String,
    /// The legacyExchangeDN of that server.
    pub server_dn: String,
    /// The Mailbox server's build, written packed (wire facts 11.2).
    pub build: Build,
    /// The legacyExchangeDN of the mailbox's database.
    pub mdb_dn: String,
    /// How to sign in, where the block says so.
    pub auth_package: Option<Authentication>,
    /// Its addresses: the internal ones.
    pub services: Services,
}

/// The EXPR block.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// Outlook Anywhere's external host name.
    pub server: HostName,
    /// Whether it is asked for over TLS.
    pub ssl: bool,
    /// How to sign in.
    pub auth_package: Authentication,
    /// `msstd:<name>` or `none`; absent means `msstd:<server>`.
    pub cert_principal: Option<String>,
    /// Its addresses: the external ones.
    pub services: Services,
}

/// The WEB block.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Web {
    /// Inside: one entry for each Client Access server.
    pub internal: Vec<Owa>,
    /// Outside.
    pub external: Vec<Owa>,
    /// EWS as the nested EXCH block names it.
    pub internal_ews: Option<WebUrl>,
    /// EWS as the nested EXPR block names it.
    pub external_ews: Option<WebUrl>,
}

/// An `OWAUrl`.
#[derive(Debug, Clone, PartialEq)]
pub struct Owa {
    /// The address.
    pub url: WebUrl,
    /// How to sign in.
    pub authentication: Vec<Authentication>,
}

/// One EXHTTP block.
#[derive(Debug, Clone, PartialEq)]
pub struct ExHttp {
    /// Outlook Anywhere's host name, internal or external.
    pub server: HostName,
    /// Whether it is asked for over TLS.
    pub ssl: bool,
    /// How to sign in.
    pub auth_package: Authentication,
    /// Its addresses.
    pub services: Services,
}

/// The mapiHttp block.
#[derive(Debug, Clone, PartialEq)]
pub struct MapiHttp {
    /// The virtual directory inside, `https://mail.contoso.com/mapi`.
    pub internal: Option<WebUrl>,
    /// The virtual directory outside.
    pub external: Option<WebUrl>,
    /// `MailboxId`: `<mailbox guid>@<domain>`.
    pub mailbox_id: String,
}

/// The error answer, HTTP 200 (wire facts 3.1): 500 unknown address, 501 no options, 600 invalid request, 601 no
/// provider for the schema, 602 configuration error, 603 internal error.
pub fn error(code: u16, message: &str, debug: &str) -> Answer {
    let body = Tag::new("Autodiscover").attribute("xmlns", RESPONSE).with(
        Tag::new("Response").with(
            Tag::new("Error")
                .attribute("Time", clock::time_of_day())
                .attribute("Id", "4130155072")
                .with(Tag::leaf("ErrorCode", code.to_string()))
                .with(Tag::leaf("Message", message))
                .with(Tag::leaf("DebugData", debug)),
        ),
    );
    answered(&body)
}

/// Adds the headers by which a client learns that the SOAP service is there (wire facts 3.2). 2007 has none.
pub fn announce_soap(mut answer: Answer) -> Answer {
    for name in [
        "x-soap-enabled",
        "x-wssecurity-enabled",
        "x-wssecurity-symmetrickey-enabled",
        "x-wssecurity-x509cert-enabled",
        "x-oauth-enabled",
    ] {
        answer.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static("True"));
    }
    answer
}

fn answered(root: &Tag) -> Answer {
    let mut answer = typed(StatusCode::OK, "text/xml; charset=utf-8", root.document());
    answer.headers_mut().insert("cache-control", HeaderValue::from_static("private"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Body;

    pub(super) fn body(answer: Answer) -> String {
        assert_eq!(answer.status(), 200);
        let Body::Whole(body) = answer.into_body() else { panic!("answers are whole") };
        String::from_utf8(body.to_vec()).unwrap()
    }

    pub(super) fn url(text: &str) -> WebUrl {
        WebUrl::folded(text).unwrap()
    }

    /// Green's settings, as a 2013 server writes them.
    pub(super) fn green() -> Settings {
        let services = Services {
            ews: Some(url("https://mail.contoso.com/EWS/Exchange.asmx")),
            oab: Some(url("https://mail.contoso.com/OAB/5e3f1d2a-0000-4000-8000-0000000000ab/")),
            ecp: Some(url("https://mail.contoso.com/ecp/")),
        };
        let exhttp = |server: &str, ssl, auth_package| ExHttp {
            server: server.parse().unwrap(),
            ssl,
            auth_package,
            services: services.clone(),
        };
        Settings {
            written_by: Version::Exchange2013,
            display_name: "Green & Co".to_owned(),
            address: "green@contoso.com".to_owned(),
            legacy_dn: "/o=Contoso/ou=Lab/cn=Recipients/cn=green".to_owned(),
            deployment_id: "0f5d2c1e-0000-4000-8000-0000000000cd".to_owned(),
            exch: Some(Exch {
                server: "7d0e0000-0000-4000-8000-000000000001@contoso.com".to_owned(),
                server_dn: "/o=Contoso/cn=Servers/cn=x".to_owned(),
                build: "15.0.847.32".parse().unwrap(),
                mdb_dn: "/o=Contoso/cn=Servers/cn=x/cn=Microsoft Private MDB".to_owned(),
                auth_package: None,
                services: services.clone(),
            }),
            expr: Some(Expr {
                server: "mail.contoso.com".parse().unwrap(),
                ssl: true,
                auth_package: Authentication::Basic,
                cert_principal: Some("msstd:mail.contoso.com".to_owned()),
                services: services.clone(),
            }),
            web: Some(Web {
                internal: vec![Owa {
                    url: url("https://mail.contoso.com/owa/"),
                    authentication: vec![Authentication::Windows],
                }],
                external: vec![Owa {
                    url: url("https://mail.contoso.com/owa/"),
                    authentication: vec![Authentication::Fba],
                }],
                internal_ews: services.ews.clone(),
                external_ews: services.ews.clone(),
            }),
            exhttp: vec![
                exhttp("internal.contoso.com", false, Authentication::Ntlm),
                exhttp("mail.contoso.com", true, Authentication::Windows),
            ],
            mapi_http: None,
            eas_url: Some(url("https://mail.contoso.com/Microsoft-Server-ActiveSync")),
        }
    }

    const ASKS: &str = r#"<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request><EMailAddress>purple@contoso.com</EMailAddress><AcceptableResponseSchema>http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a</AcceptableResponseSchema></Request></Autodiscover>"#;

    #[test]
    fn a_request_of_either_schema_is_read() {
        let read = PoxRequest::read(ASKS.as_bytes()).unwrap();
        assert_eq!(read.schema, Schema::Outlook2006a);
        assert_eq!((read.address.as_deref(), read.legacy_dn), (Some("purple@contoso.com"), None));
        let device = ASKS
            .replace("outlook/requestschema", "mobilesync/requestschema")
            .replace("outlook/responseschema/2006a", "mobilesync/responseschema/2006");
        assert_eq!(PoxRequest::read(device.as_bytes()).unwrap().schema, Schema::MobileSync);
    }

    #[test]
    fn what_is_no_request_is_answered_with_its_code() {
        let code = |request: &str| {
            let page = body(PoxRequest::read(request.as_bytes()).unwrap_err().answer());
            page.split_once("<ErrorCode>").unwrap().1[..3].to_owned()
        };
        assert_eq!(code("garbage"), "600");
        assert_eq!(code(&ASKS.replace("purple@contoso.com", " ")), "600");
        assert_eq!(code(&ASKS.replace("requestschema/2006", "requestschema/2005")), "600");
        assert_eq!(code(&ASKS.replace("2006a", "2007z")), "601");
        let bomb = ASKS.replace("<Autodiscover", "<!DOCTYPE a [<!ENTITY b 'c'>]><Autodiscover");
        assert_eq!(PoxRequest::read(bomb.as_bytes()), Err(PoxError::Xml(XmlError::DocumentType)));
    }

    /// Wire facts 3.1.
    #[test]
    fn an_error_has_the_published_shape() {
        let page = body(error(500, "The email address can't be found.", ""));
        let root = Element::read(page.as_bytes()).unwrap();
        let error = root.at(&["Response", "Error"]).unwrap();
        assert_eq!(root.namespace, RESPONSE);
        assert_eq!(error.namespace, RESPONSE);
        assert_eq!(error.attribute("Time").map(str::len), Some("21:25:04.8897083".len()));
        assert_eq!(error.text_at(&["ErrorCode"]), Some("500"));
        assert!(error.child("DebugData").is_some());
    }

    #[test]
    fn a_client_says_that_it_knows_exhttp() {
        let mut headers = HeaderMap::new();
        assert!(!says_exhttp(&headers));
        headers.insert("X-ClientCanHandle", HeaderValue::from_static("Negotiate, exhttpinfo"));
        assert!(says_exhttp(&headers));
    }

    #[test]
    fn a_client_says_that_it_speaks_mapi_over_http() {
        let says = |value: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            value.map(|value| headers.insert("X-MapiHttpCapability", HeaderValue::from_static(value)));
            says_mapi_http(&headers)
        };
        assert!(says(Some("1")) && says(Some(" 2 ")));
        assert!(!says(None) && !says(Some("0")) && !says(Some("yes")) && !says(Some("")));
    }
}
