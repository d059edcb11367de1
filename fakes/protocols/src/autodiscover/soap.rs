//! The SOAP service: GetUserSettings (wire facts 3.2). 2007 does not have it.

use http::StatusCode;
use http::header::HeaderValue;
use model::url::WebUrl;
use model::version::{Build, Version};

use super::pox::{auth_package, on};
use super::{Expr, Settings};
use crate::answer::Answer;
use crate::ews::schema_version;
use crate::iis::typed;
use crate::xml::{Element, Tag, XmlError};

const NS: &str = "http://schemas.microsoft.com/exchange/2010/Autodiscover";
const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const SOAP12: &str = "http://www.w3.org/2003/05/soap-envelope";
const ADDRESSING: &str = "http://www.w3.org/2005/08/addressing";
const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// How many users one request may name.
const MOST_USERS: usize = 100;
/// How many settings one request may name.
const MOST_SETTINGS: usize = 200;

/// A GetUserSettings request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoapRequest {
    /// The addresses asked about.
    pub users: Vec<String>,
    /// The settings asked for, by name.
    pub settings: Vec<String>,
    /// `MessageID`, which the answer relates to.
    pub message_id: Option<String>,
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SoapError {
    /// No XML that is read here.
    #[error("the request is no XML: {0}")]
    Xml(#[from] XmlError),
    /// No SOAP envelope with a body.
    #[error("the request is no SOAP envelope")]
    NoEnvelope,
    /// Another operation than GetUserSettings.
    #[error("`{0}` is no operation of this service; GetUserSettingsRequestMessage is")]
    UnknownOperation(String),
    /// It names no user or no setting.
    #[error("the request names no user, or no setting")]
    Empty,
    /// It names too many.
    #[error("the request names more than {MOST_USERS} users or {MOST_SETTINGS} settings")]
    TooMany,
}

impl SoapError {
    /// The answer to it: a SOAP fault with HTTP 500.
    pub fn answer(&self) -> Answer {
        let fault = Tag::new("s:Fault")
            .with(Tag::leaf("faultcode", "s:Client"))
            .with(Tag::leaf("faultstring", self.to_string()).attribute("xml:lang", "en-US"));
        let envelope = Tag::new("s:Envelope").attribute("xmlns:s", SOAP).with(Tag::new("s:Body").with(fault));
        typed(StatusCode::INTERNAL_SERVER_ERROR, "text/xml; charset=utf-8", envelope.document())
    }
}

impl SoapRequest {
    /// Reads a posted body.
    ///
    /// # Errors
    /// Whatever is no GetUserSettings, or names too much.
    pub fn read(body: &[u8]) -> Result<SoapRequest, SoapError> {
        let root = Element::read(body)?;
        if !root.is(SOAP, "Envelope") && !root.is(SOAP12, "Envelope") {
            return Err(SoapError::NoEnvelope);
        }
        let operation = root.child("Body").and_then(|body| body.children.first());
        let operation = operation.ok_or(SoapError::NoEnvelope)?;
        if !operation.is(NS, "GetUserSettingsRequestMessage") {
            return Err(SoapError::UnknownOperation(operation.name.chars().take(80).collect()));
        }
        let users = operation.at(&["Request", "Users"]).into_iter().flat_map(|users| users.children("User"));
        let settings = operation.at(&["Request", "RequestedSettings"]);
        let settings = settings.into_iter().flat_map(|settings| settings.children("Setting"));
        let read = SoapRequest {
            users: users
                .filter_map(|user| user.text_at(&["Mailbox"]))
                .map(str::to_owned)
                .take(MOST_USERS + 1)
                .collect(),
            settings: settings.map(|name| name.text.trim().to_owned()).take(MOST_SETTINGS + 1).collect(),
            message_id: root.text_at(&["Header", "MessageID"]).map(str::to_owned),
        };
        if read.users.is_empty() || read.settings.is_empty() {
            return Err(SoapError::Empty);
        }
        if read.users.len() > MOST_USERS || read.settings.len() > MOST_SETTINGS {
            return Err(SoapError::TooMany);
        }
        Ok(read)
    }
}

/// The answer: the settings asked for, for the one user that `settings` is about; every other user is `InvalidUser`.
///
/// `version` is in the build; it is named so that 2007, which has no such service, is refused where it is asked for.
pub fn soap(version: Version, build: Build, settings: &Settings, request: &SoapRequest) -> Answer {
    if version == Version::Exchange2007 {
        return crate::iis::not_found();
    }
    let users = request.users.iter().map(|user| match user.eq_ignore_ascii_case(&settings.address) {
        true => known(settings, &request.settings),
        false => unknown(user),
    });
    let response = Tag::new("Response")
        .attribute("xmlns:i", INSTANCE)
        .with_all(no_error())
        .with(Tag::new("UserResponses").with_all(users));
    let message = Tag::new("GetUserSettingsResponseMessage").attribute("xmlns", NS).with(response);
    let envelope = Tag::new("s:Envelope")
        .attribute("xmlns:s", SOAP)
        .attribute("xmlns:a", ADDRESSING)
        .with(header(build, request))
        .with(Tag::new("s:Body").with(message));
    let mut answer = typed(StatusCode::OK, "text/xml; charset=utf-8", envelope.document());
    answer.headers_mut().insert("cache-control", HeaderValue::from_static("private"));
    super::announce_soap(answer)
}

fn header(build: Build, request: &SoapRequest) -> Tag {
    let info = Tag::new("h:ServerVersionInfo")
        .attribute("xmlns:h", NS)
        .with(Tag::leaf("h:MajorVersion", build.major.to_string()))
        .with(Tag::leaf("h:MinorVersion", build.minor.to_string()))
        .with(Tag::leaf("h:MajorBuildNumber", build.build.to_string()))
        .with(Tag::leaf("h:MinorBuildNumber", build.revision.to_string()))
        .with_all(schema_version(build).map(|version| Tag::leaf("h:Version", version)));
    Tag::new("s:Header")
        .with(
            Tag::leaf("a:Action", format!("{NS}/Autodiscover/GetUserSettingsResponse"))
                .attribute("s:mustUnderstand", "1"),
        )
        .with(info)
        .with_all(request.message_id.as_ref().map(|id| Tag::leaf("a:RelatesTo", id)))
}

fn known(settings: &Settings, names: &[String]) -> Tag {
    let mut found = Vec::new();
    let mut errors = Vec::new();
    for name in names {
        match setting(settings, name) {
            Some(Some(value)) => found.push(
                Tag::new("UserSetting")
                    .attribute("i:type", "StringSetting")
                    .with(Tag::leaf("Name", name))
                    .with(Tag::leaf("Value", value)),
            ),
            Some(None) => errors.push(failed(name, "SettingIsNotAvailable", "is not available")),
            None => errors.push(failed(name, "InvalidSetting", "is invalid")),
        }
    }
    Tag::new("UserResponse")
        .with_all(no_error())
        .with(Tag::new("RedirectTarget").attribute("i:nil", "true"))
        .with(Tag::new("UserSettingErrors").with_all(errors))
        .with(Tag::new("UserSettings").with_all(found))
}

fn failed(name: &str, code: &str, says: &str) -> Tag {
    Tag::new("UserSettingError")
        .with(Tag::leaf("ErrorCode", code))
        .with(Tag::leaf("ErrorMessage", format!("Setting '{name}' {says}.")))
        .with(Tag::leaf("SettingName", name))
}

fn unknown(user: &str) -> Tag {
    Tag::new("UserResponse")
        .with(Tag::leaf("ErrorCode", "InvalidUser"))
        .with(Tag::leaf("ErrorMessage", format!("Invalid user: '{user}'")))
        .with(Tag::new("RedirectTarget").attribute("i:nil", "true"))
        .with(Tag::new("UserSettingErrors"))
        .with(Tag::new("UserSettings"))
}

fn no_error() -> [Tag; 2] {
    [Tag::leaf("ErrorCode", "NoError"), Tag::leaf("ErrorMessage", "No error.")]
}

/// A setting's value: `None` for a name that is none, `Some(None)` for one that this mailbox has no value for.
fn setting(settings: &Settings, name: &str) -> Option<Option<String>> {
    let inside = settings.exch.as_ref().map(|exch| &exch.services);
    let outside = settings.expr.as_ref().map(|expr| &expr.services);
    let text = |url: Option<&WebUrl>| url.map(WebUrl::to_string);
    let anywhere = |of: fn(&Expr) -> String| settings.expr.as_ref().map(of);
    Some(match name {
        "UserDisplayName" => Some(settings.display_name.clone()),
        "UserDN" => Some(settings.legacy_dn.clone()),
        "UserDeploymentId" => Some(settings.deployment_id.clone()),
        "AutoDiscoverSMTPAddress" => Some(settings.address.clone()),
        "InternalMailboxServer" => settings.exch.as_ref().map(|exch| exch.server.clone()),
        "InternalMailboxServerDN" => settings.exch.as_ref().map(|exch| exch.server_dn.clone()),
        "InternalEwsUrl" => text(inside.and_then(|services| services.ews.as_ref())),
        "InternalOABUrl" => text(inside.and_then(|services| services.oab.as_ref())),
        "InternalEcpUrl" => text(inside.and_then(|services| services.ecp.as_ref())),
        "ExternalEwsUrl" => text(outside.and_then(|services| services.ews.as_ref())),
        "ExternalOABUrl" => text(outside.and_then(|services| services.oab.as_ref())),
        "ExternalEcpUrl" => text(outside.and_then(|services| services.ecp.as_ref())),
        "ExternalMailboxServer" => anywhere(|expr| expr.server.to_string()),
        "ExternalMailboxServerRequiresSSL" => anywhere(|expr| on(expr.ssl).to_owned()),
        "ExternalMailboxServerAuthenticationMethods" => {
            anywhere(|expr| auth_package(expr.auth_package).to_owned())
        }
        "EwsSupportedSchemas" => Some("Exchange2007, Exchange2007_SP1, Exchange2010".to_owned()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{body, green};
    use super::*;

    fn request(users: &[&str], settings: &[&str]) -> String {
        let users: String =
            users.iter().map(|u| format!("<a:User><a:Mailbox>{u}</a:Mailbox></a:User>")).collect();
        let settings: String = settings.iter().map(|s| format!("<a:Setting>{s}</a:Setting>")).collect();
        format!(
            r#"<?xml version="1.0" encoding="utf-8"?>
<soap:Envelope xmlns:a="{NS}" xmlns:wsa="{ADDRESSING}" xmlns:soap="{SOAP}">
  <soap:Header><a:RequestedServerVersion>Exchange2010</a:RequestedServerVersion>
    <wsa:Action>{NS}/Autodiscover/GetUserSettings</wsa:Action><wsa:MessageID>urn:uuid:1</wsa:MessageID></soap:Header>
  <soap:Body><a:GetUserSettingsRequestMessage><a:Request><a:Users>{users}</a:Users>
    <a:RequestedSettings>{settings}</a:RequestedSettings></a:Request></a:GetUserSettingsRequestMessage></soap:Body>
</soap:Envelope>"#
        )
    }

    fn ask(build: &str, users: &[&str], settings: &[&str]) -> Element {
        let request = SoapRequest::read(request(users, settings).as_bytes()).unwrap();
        let answer = soap(Version::Exchange2010, build.parse().unwrap(), &green(), &request);
        assert_eq!(answer.headers()["x-soap-enabled"], "True");
        Element::read(body(answer).as_bytes()).unwrap()
    }

    #[test]
    fn the_settings_asked_for_are_told_and_no_others() {
        let root = ask(
            "14.3.123.4",
            &["Green@contoso.com", "nobody@contoso.com"],
            &["ExternalEwsUrl", "ExternalMailboxServer", "Nonsense"],
        );
        let info = root.at(&["Header", "ServerVersionInfo"]).unwrap();
        assert_eq!(info.text_at(&["MajorVersion"]), Some("14"));
        assert_eq!(info.text_at(&["Version"]), Some("Exchange2010_SP2"), "wire facts 3.2");
        assert_eq!(root.text_at(&["Header", "RelatesTo"]), Some("urn:uuid:1"));
        let users =
            root.at(&["Body", "GetUserSettingsResponseMessage", "Response", "UserResponses"]).unwrap();
        let [green, nobody] = &users.children[..] else { panic!("two users") };
        assert_eq!(green.namespace, NS);
        let told: Vec<_> = green
            .child("UserSettings")
            .unwrap()
            .children
            .iter()
            .map(|s| (s.text_at(&["Name"]).unwrap(), s.text_at(&["Value"]).unwrap()))
            .collect();
        assert_eq!(
            told,
            [
                ("ExternalEwsUrl", "https://mail.contoso.com/EWS/Exchange.asmx"),
                ("ExternalMailboxServer", "mail.contoso.com")
            ]
        );
        let error = green.at(&["UserSettingErrors", "UserSettingError"]).unwrap();
        assert_eq!(error.text_at(&["ErrorCode"]), Some("InvalidSetting"));
        assert_eq!(nobody.text_at(&["ErrorCode"]), Some("InvalidUser"));
    }

    #[test]
    fn a_request_that_is_none_is_a_fault() {
        let refused = |request: &str| SoapRequest::read(request.as_bytes()).unwrap_err();
        assert!(matches!(refused("<a>"), SoapError::Xml(_)));
        assert_eq!(refused("<a/>"), SoapError::NoEnvelope);
        assert_eq!(refused(&request(&[], &["ExternalEwsUrl"])), SoapError::Empty);
        assert_eq!(refused(&request(&["a"; 101], &["ExternalEwsUrl"])), SoapError::TooMany);
        let domain = request(&["a"], &["b"]).replace("GetUserSettingsRequest", "GetDomainSettingsRequest");
        assert_eq!(
            refused(&domain),
            SoapError::UnknownOperation("GetDomainSettingsRequestMessage".to_owned())
        );
        assert_eq!(refused(&domain).answer().status(), 500);
    }
}
