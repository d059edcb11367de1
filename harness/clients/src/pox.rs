//! Autodiscover's bodies as clients write and read them: POX for Outlook, mobilesync for devices, SOAP GetUserSettings.

use model::case::{Answer, Cell, Scheme};
use model::{HostName, Position, WebUrl};

use crate::xml::{Element, escaped, read};

/// Wire facts 3.1, 3.2 and 3.4: namespaces have `http`, whatever current documentation shows.
const OUTLOOK_REQUEST: &str = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006";
const OUTLOOK_RESPONSE: &str =
    "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a";
const MOBILE_REQUEST: &str =
    "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/requestschema/2006";
const MOBILE_RESPONSE: &str =
    "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006";
const SOAP: &str = "http://schemas.microsoft.com/exchange/2010/Autodiscover";

/// Which of Autodiscover's three dialects a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Outlook,
    Device,
    Soap,
}

/// What a client takes from an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    pub(crate) answer: Answer,
    /// The external EWS address.
    pub(crate) ews: Option<WebUrl>,
    /// The external OAB address.
    pub(crate) oab: Option<WebUrl>,
    /// The ActiveSync address.
    pub(crate) eas: Option<WebUrl>,
    /// Where MAPI over HTTP is spoken.
    pub(crate) mapi: Mapi,
    /// The server of the EXCH block: a host for RPC over TCP, or what stands for the mailbox.
    pub(crate) rpc_server: Option<String>,
    /// The EXPR block.
    pub(crate) expr: Option<Http>,
    /// The EXHTTP blocks, in their order.
    pub(crate) exhttp: Vec<Http>,
}

/// Where Outlook Anywhere is, as a block of the answer says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Http {
    pub(crate) host: HostName,
    /// Whether it goes over TLS.
    pub(crate) ssl: bool,
    /// By what it says to sign in.
    pub(crate) scheme: Option<Scheme>,
}

impl Http {
    fn read(protocol: &Element) -> Option<Http> {
        let host = HostName::folded(protocol.text_of("Server")?).ok()?;
        // On unless the block says otherwise (wire facts 3.1).
        let ssl = !protocol.text_of("SSL").is_some_and(|says| says.eq_ignore_ascii_case("off"));
        let says = protocol.text_of("AuthPackage").unwrap_or_default().to_ascii_lowercase();
        let scheme = match says.as_str() {
            "basic" => Some(Scheme::Basic),
            "ntlm" => Some(Scheme::Ntlm),
            "negotiate" => Some(Scheme::Negotiate),
            "nego2" => Some(Scheme::Nego2),
            _ => None,
        };
        Some(Http { host, ssl, scheme })
    }
}

/// The addresses of MAPI over HTTP, and the name by which a mailbox is opened there.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Mapi {
    /// Inside: mailbox, address book.
    pub(crate) internal: Option<(WebUrl, WebUrl)>,
    /// Outside.
    pub(crate) external: Option<(WebUrl, WebUrl)>,
    pub(crate) legacy_dn: Option<String>,
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reading {
    Settings(Box<Settings>),
    /// Ask at this address.
    Elsewhere(String),
    /// Ask for this mailbox's address.
    Other(String),
    /// An error of the service, by its number (500, 600, …) where it has one.
    Error(u16, String),
    /// Nothing that a client can use.
    Useless(String),
}

impl Dialect {
    /// The path of the service.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Dialect::Outlook | Dialect::Device => "/autodiscover/autodiscover.xml",
            Dialect::Soap => "/autodiscover/autodiscover.svc",
        }
    }

    /// The question for an address.
    pub(crate) fn question(self, address: &str, host: &HostName) -> String {
        let address = escaped(address);
        let pox = |request: &str, response: &str| {
            format!(
                "<?xml version=\"1.0\" encoding=\"utf-8\"?><Autodiscover xmlns=\"{request}\"><Request>\
                 <EMailAddress>{address}</EMailAddress><AcceptableResponseSchema>{response}</AcceptableResponseSchema>\
                 </Request></Autodiscover>"
            )
        };
        match self {
            Dialect::Outlook => pox(OUTLOOK_REQUEST, OUTLOOK_RESPONSE),
            Dialect::Device => pox(MOBILE_REQUEST, MOBILE_RESPONSE),
            Dialect::Soap => format!(
                "<?xml version=\"1.0\" encoding=\"utf-8\"?><soap:Envelope xmlns:a=\"{SOAP}\" \
                 xmlns:wsa=\"http://www.w3.org/2005/08/addressing\" \
                 xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Header>\
                 <a:RequestedServerVersion>Exchange2010</a:RequestedServerVersion>\
                 <wsa:Action>{SOAP}/Autodiscover/GetUserSettings</wsa:Action>\
                 <wsa:To>https://{host}/autodiscover/autodiscover.svc</wsa:To></soap:Header><soap:Body>\
                 <a:GetUserSettingsRequestMessage><a:Request><a:Users><a:User><a:Mailbox>{address}</a:Mailbox></a:User>\
                 </a:Users><a:RequestedSettings><a:Setting>ExternalMailboxServer</a:Setting>\
                 <a:Setting>ExternalEwsUrl</a:Setting><a:Setting>ExternalOABUrl</a:Setting></a:RequestedSettings>\
                 </a:Request></a:GetUserSettingsRequestMessage></soap:Body></soap:Envelope>"
            ),
        }
    }

    /// Reads an answer.
    pub(crate) fn read(self, body: &str) -> Reading {
        let root = match read(body) {
            Ok(root) => root,
            Err(error) => return Reading::Useless(error.to_string()),
        };
        match self {
            Dialect::Outlook => outlook(&root),
            Dialect::Device => mobile(&root),
            Dialect::Soap => soap(&root),
        }
    }
}

fn outlook(root: &Element) -> Reading {
    if let Some(error) = error(root) {
        return error;
    }
    let Some(response) = root.child("Response").filter(|response| response.namespace == OUTLOOK_RESPONSE)
    else {
        return Reading::Useless(format!("the answer has no Response in {OUTLOOK_RESPONSE}"));
    };
    let Some(account) = response.child("Account") else {
        return Reading::Useless("the answer has no Account".into());
    };
    match account.text_of("Action").unwrap_or("settings").to_ascii_lowercase().as_str() {
        "redirecturl" => return Reading::Elsewhere(owned(account, "RedirectUrl")),
        "redirectaddr" => return Reading::Other(owned(account, "RedirectAddr")),
        _ => {}
    }
    let of_type = |wanted: &'static str| {
        account
            .children("Protocol")
            .filter(move |p| p.text_of("Type").is_some_and(|t| t.eq_ignore_ascii_case(wanted)))
    };
    let exhttp: Vec<&Element> = of_type("EXHTTP").collect();
    // What Outlook uses outside: EXPR, or where a 2013 server leaves it out the last, external EXHTTP (CX-EXHTTP-1).
    let external = of_type("EXPR").next().or(exhttp.last().copied());
    let web =
        of_type("WEB").next().and_then(|web| web.child("External")).and_then(|web| web.child("Protocol"));
    // 2007 names EWS as ASUrl, the availability service.
    let ews =
        [external, web].into_iter().flatten().find_map(|p| url(p, "EwsUrl").or_else(|| url(p, "ASUrl")));
    let oab = external.and_then(|protocol| url(protocol, "OABUrl"));
    let server =
        |protocol: &Element| protocol.text_of("Server").and_then(|server| HostName::folded(server).ok());
    // Its type is an attribute (wire facts 3.1).
    let block = account.children("Protocol").find(|p| {
        p.attribute("Type").is_some_and(|t| t.eq_ignore_ascii_case("mapiHttp"))
            && p.attribute("Version") == Some("1")
    });
    let pair = |name: &str| {
        let of = |endpoint: &str| url(block?.child(endpoint)?, name);
        of("MailStore").zip(of("AddressBook"))
    };
    let mapi = Mapi {
        internal: pair("InternalUrl"),
        external: pair("ExternalUrl"),
        legacy_dn: response.child("User").and_then(|user| user.text_of("LegacyDN")).map(str::to_owned),
    };
    let answer = Answer {
        by: Position(vec![]),
        outlook_anywhere: external.and_then(server).map_or(Cell::Absent, Cell::Host),
        ews: cell(ews.as_ref()),
        oab: cell(oab.as_ref()),
        eas: Cell::Absent,
        exhttp: exhttp.iter().filter_map(|protocol| server(protocol)).collect(),
        mapi_http: cell(mapi.external.as_ref().map(|(mail_store, _)| mail_store)),
    };
    let exch = of_type("EXCH").next();
    Reading::Settings(Box::new(Settings {
        answer,
        ews,
        oab,
        eas: None,
        mapi,
        rpc_server: exch.and_then(|exch| exch.text_of("Server")).map(str::to_owned),
        expr: of_type("EXPR").next().and_then(Http::read),
        exhttp: exhttp.iter().filter_map(|block| Http::read(block)).collect(),
    }))
}

fn mobile(root: &Element) -> Reading {
    if let Some(error) = error(root) {
        return error;
    }
    let Some(response) = root.child("Response").filter(|response| response.namespace == MOBILE_RESPONSE)
    else {
        return Reading::Useless(format!("the answer has no Response in {MOBILE_RESPONSE}"));
    };
    let Some(action) = response.child("Action") else {
        return Reading::Useless("the answer has no Action".into());
    };
    if let Some(address) = action.text_of("Redirect") {
        return Reading::Other(address.to_owned());
    }
    let server = action
        .child("Settings")
        .and_then(|settings| settings.children("Server").find(|s| s.text_of("Type") == Some("MobileSync")));
    match server.and_then(|server| url(server, "Url")) {
        Some(eas) => Reading::Settings(Box::new(Settings {
            answer: Answer { eas: Cell::Host(eas.host.clone()), ..nothing() },
            ews: None,
            oab: None,
            eas: Some(eas),
            mapi: Mapi::default(),
            rpc_server: None,
            expr: None,
            exhttp: vec![],
        })),
        None => Reading::Useless("the answer names no MobileSync server".into()),
    }
}

fn soap(root: &Element) -> Reading {
    let Some(user) = root.find("UserResponse").filter(|user| user.namespace == SOAP) else {
        let why = root.find("faultstring").or(root.find("ErrorMessage")).map_or("", |e| e.text.trim());
        return Reading::Useless(format!("the answer has no UserResponse in {SOAP}: {why}"));
    };
    let target = owned(user, "RedirectTarget");
    match user.text_of("ErrorCode").unwrap_or("NoError") {
        "NoError" => {}
        "RedirectUrl" => return Reading::Elsewhere(target),
        "RedirectAddress" => return Reading::Other(target),
        code => return Reading::Error(500, format!("{code}: {}", owned(user, "ErrorMessage"))),
    }
    let setting = |name: &str| {
        let settings = user.child("UserSettings")?;
        settings.children("UserSetting").find(|s| s.text_of("Name") == Some(name))?.text_of("Value")
    };
    let address = |name: &str| setting(name).and_then(|value| WebUrl::folded(value).ok());
    let (ews, oab) = (address("ExternalEwsUrl"), address("ExternalOABUrl"));
    let server = setting("ExternalMailboxServer").and_then(|server| HostName::folded(server).ok());
    let answer = Answer {
        outlook_anywhere: server.map_or(Cell::Absent, Cell::Host),
        ews: cell(ews.as_ref()),
        oab: cell(oab.as_ref()),
        ..nothing()
    };
    let (mapi, rpc_server, expr, exhttp) = (Mapi::default(), None, None, vec![]);
    Reading::Settings(Box::new(Settings { answer, ews, oab, eas: None, mapi, rpc_server, expr, exhttp }))
}

/// An error element: below Response in POX, below Action for devices (wire facts 3.1, 3.4).
fn error(root: &Element) -> Option<Reading> {
    let error = root.find("Error")?;
    let code = error.text_of("ErrorCode").or(error.text_of("Status")).and_then(|code| code.parse().ok());
    Some(Reading::Error(code.unwrap_or(0), owned(error, "Message")))
}

fn nothing() -> Answer {
    Answer {
        by: Position(vec![]),
        outlook_anywhere: Cell::Absent,
        ews: Cell::Absent,
        oab: Cell::Absent,
        eas: Cell::Absent,
        exhttp: vec![],
        mapi_http: Cell::Absent,
    }
}

fn owned(element: &Element, name: &str) -> String {
    element.text_of(name).unwrap_or_default().to_owned()
}

fn url(element: &Element, name: &str) -> Option<WebUrl> {
    WebUrl::folded(element.text_of(name)?).ok()
}

fn cell(url: Option<&WebUrl>) -> Cell {
    url.map_or(Cell::Absent, |url| Cell::Host(url.host.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(inner: &str) -> String {
        format!(
            r#"<?xml version="1.0" encoding="utf-8"?>
            <Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006">
            <Response xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a">
            <Account><AccountType>email</AccountType>{inner}</Account></Response></Autodiscover>"#
        )
    }

    fn settings(reading: Reading) -> Settings {
        match reading {
            Reading::Settings(settings) => *settings,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn cells_come_from_expr_and_not_from_exch() {
        let body = account(
            "<Action>settings</Action>
             <Protocol><Type>EXCH</Type><Server>mbx2007-s1.contoso.com</Server><EwsUrl>https://inside.contoso.com/EWS/Exchange.asmx</EwsUrl></Protocol>
             <Protocol><Type>EXPR</Type><Server>mail.contoso.com</Server><EwsUrl>https://Legacy.contoso.com/EWS/Exchange.asmx</EwsUrl>
             <OABUrl>https://legacy.contoso.com/OAB/1/</OABUrl></Protocol>",
        );
        let read = settings(Dialect::Outlook.read(&body));
        let host = |name: &str| Cell::Host(name.parse().unwrap());
        assert_eq!(read.answer.outlook_anywhere, host("mail.contoso.com"));
        assert_eq!(
            (read.answer.ews, read.answer.oab),
            (host("legacy.contoso.com"), host("legacy.contoso.com"))
        );
        assert!(read.answer.exhttp.is_empty());
        assert_eq!(read.oab.unwrap().path, "/OAB/1/");
    }

    #[test]
    fn two_exhttp_blocks_stand_in_order_and_the_last_is_the_external_one() {
        let block = |host: &str| {
            format!(
                "<Protocol><Type>EXHTTP</Type><Server>{host}</Server><EwsUrl>https://{host}/EWS/Exchange.asmx</EwsUrl></Protocol>"
            )
        };
        let body = account(&format!("{}{}", block("in.contoso.com"), block("mail.contoso.com")));
        let read = settings(Dialect::Outlook.read(&body)).answer;
        let names: Vec<&str> = read.exhttp.iter().map(HostName::as_str).collect();
        assert_eq!(names, ["in.contoso.com", "mail.contoso.com"]);
        assert_eq!(read.ews, Cell::Host("mail.contoso.com".parse().unwrap()));
    }

    /// Wire facts 3.1.
    #[test]
    fn mapi_over_http_is_named_by_attributes_and_used_in_pairs() {
        let block = |version: &str| {
            let urls = |endpoint: &str| {
                format!(
                    "<InternalUrl>https://inside.contoso.com/mapi/{endpoint}/?MailboxId=1@contoso.com</InternalUrl>\
                     <ExternalUrl>https://mail.contoso.com/mapi/{endpoint}/?MailboxId=1@contoso.com</ExternalUrl>"
                )
            };
            let (store, book) = (urls("emsmdb"), urls("nspi"));
            account(&format!(
                "<Action>settings</Action><Protocol Type=\"mapiHttp\" Version=\"{version}\">\
                 <MailStore>{store}</MailStore><AddressBook>{book}</AddressBook></Protocol>"
            ))
        };
        let read = settings(Dialect::Outlook.read(&block("1")));
        assert_eq!(read.answer.mapi_http, Cell::Host("mail.contoso.com".parse().unwrap()));
        let (store, book) = read.mapi.internal.unwrap();
        assert_eq!(store.to_string(), "https://inside.contoso.com/mapi/emsmdb/?MailboxId=1@contoso.com");
        assert_eq!(book.path, "/mapi/nspi/?MailboxId=1@contoso.com");
        // A version that this client does not know is none.
        assert_eq!(settings(Dialect::Outlook.read(&block("2"))).answer.mapi_http, Cell::Absent);
    }

    /// Wire facts 3.1: the published error body.
    #[test]
    fn an_error_body_is_an_error_with_its_number() {
        let body = r#"<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"><Response>
            <Error Time="21:25:04.8897083" Id="4130155072"><ErrorCode>600</ErrorCode><Message>Invalid Request</Message><DebugData/></Error></Response></Autodiscover>"#;
        assert_eq!(Dialect::Outlook.read(body), Reading::Error(600, "Invalid Request".into()));
    }

    #[test]
    fn an_answer_in_the_documentations_https_namespace_is_useless() {
        let body = account("<Action>settings</Action>").replace("http://", "https://");
        assert!(matches!(Dialect::Outlook.read(&body), Reading::Useless(_)));
    }

    #[test]
    fn a_device_is_told_its_address() {
        let body = r#"<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006">
            <Response xmlns="http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006"><Culture>en:us</Culture>
            <Action><Settings><Server><Type>MobileSync</Type><Url>https://mail.contoso.com/Microsoft-Server-ActiveSync</Url></Server></Settings></Action>
            </Response></Autodiscover>"#;
        let read = settings(Dialect::Device.read(body));
        assert_eq!(read.eas.unwrap().to_string(), "https://mail.contoso.com/Microsoft-Server-ActiveSync");
    }
}
