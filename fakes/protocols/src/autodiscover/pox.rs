//! The plain-XML answers: Outlook's, and a device's.

use model::topology::Authentication;
use model::url::WebUrl;
use model::version::Version;

use super::{
    ExHttp, Exch, Expr, MOBILE_SYNC, MapiHttp, OUTLOOK, Owa, RESPONSE, Services, Settings, Web, answered,
};
use crate::answer::Answer;
use crate::xml::Tag;

/// Outlook's answer (wire facts 3.1).
pub fn pox(settings: &Settings) -> Answer {
    let by = settings.written_by;
    let user = Tag::new("User")
        .with(Tag::leaf("DisplayName", &settings.display_name))
        .with(Tag::leaf("LegacyDN", &settings.legacy_dn))
        .with_all(
            (by != Version::Exchange2007).then(|| Tag::leaf("AutoDiscoverSMTPAddress", &settings.address)),
        )
        .with(Tag::leaf("DeploymentId", &settings.deployment_id));
    let account = Tag::new("Account")
        .with(Tag::leaf("AccountType", "email"))
        .with(Tag::leaf("Action", "settings"))
        .with_all((by == Version::Exchange2013).then(|| Tag::leaf("MicrosoftOnline", "False")))
        .with_all(settings.exch.as_ref().map(|block| exch(by, block)))
        .with_all(settings.expr.as_ref().map(|block| expr(by, block)))
        .with_all(settings.web.as_ref().map(web))
        .with_all(settings.exhttp.iter().map(exhttp))
        .with_all(settings.mapi_http.as_ref().map(mapi_http));
    answered(
        &Tag::new("Autodiscover")
            .attribute("xmlns", RESPONSE)
            .with(Tag::new("Response").attribute("xmlns", OUTLOOK).with(user).with(account)),
    )
}

/// A device's answer (wire facts 3.4): the settings, or an error where the mailbox has no ActiveSync address.
pub fn mobilesync(settings: &Settings) -> Answer {
    let action = match &settings.eas_url {
        Some(url) => Tag::new("Settings").with(
            Tag::new("Server")
                .with(Tag::leaf("Type", "MobileSync"))
                .with(Tag::leaf("Url", url.to_string()))
                .with(Tag::leaf("Name", url.to_string())),
        ),
        None => Tag::new("Error")
            .with(Tag::leaf("Status", "2"))
            .with(Tag::leaf("Message", "The server has no ActiveSync address for this user"))
            .with(Tag::leaf("DebugData", "")),
    };
    let user = Tag::new("User")
        .with(Tag::leaf("DisplayName", &settings.display_name))
        .with(Tag::leaf("EMailAddress", &settings.address));
    answered(
        &Tag::new("Autodiscover").attribute("xmlns", RESPONSE).with(
            Tag::new("Response")
                .attribute("xmlns", MOBILE_SYNC)
                .with(Tag::leaf("Culture", "en:us"))
                .with(user)
                .with(Tag::new("Action").with(action)),
        ),
    )
}

fn exch(by: Version, block: &Exch) -> Tag {
    Tag::new("Protocol")
        .with(Tag::leaf("Type", "EXCH"))
        .with(Tag::leaf("Server", &block.server))
        .with(Tag::leaf("ServerDN", &block.server_dn))
        .with(Tag::leaf("ServerVersion", format!("{:08X}", block.build.packed())))
        .with(Tag::leaf("MdbDN", &block.mdb_dn))
        .with_all(block.auth_package.map(|way| Tag::leaf("AuthPackage", auth_package(way))))
        .with_all(services(by, &block.services))
}

fn expr(by: Version, block: &Expr) -> Tag {
    Tag::new("Protocol")
        .with(Tag::leaf("Type", "EXPR"))
        .with(Tag::leaf("Server", block.server.as_str()))
        .with(Tag::leaf("SSL", on(block.ssl)))
        .with(Tag::leaf("AuthPackage", auth_package(block.auth_package)))
        .with_all(block.cert_principal.as_ref().map(|name| Tag::leaf("CertPrincipalName", name)))
        .with_all(services(by, &block.services))
}

fn web(block: &Web) -> Tag {
    let side = |name, entries: &[Owa], kind: &str, ews: &Option<WebUrl>| {
        let nested = ews.as_ref().map(|ews| {
            Tag::new("Protocol").with(Tag::leaf("Type", kind)).with(Tag::leaf("ASUrl", ews.to_string()))
        });
        (!entries.is_empty() || nested.is_some())
            .then(|| Tag::new(name).with_all(entries.iter().map(owa)).with_all(nested))
    };
    Tag::new("Protocol")
        .with(Tag::leaf("Type", "WEB"))
        .with_all(side("External", &block.external, "EXPR", &block.external_ews))
        .with_all(side("Internal", &block.internal, "EXCH", &block.internal_ews))
}

fn owa(entry: &Owa) -> Tag {
    // Wire facts 3.1: "Ntlm, WindowsIntegrated", "Fba".
    let ways: Vec<&str> = entry
        .authentication
        .iter()
        .map(|way| match way {
            Authentication::Basic => "Basic",
            Authentication::Fba => "Fba",
            Authentication::Ntlm => "Ntlm",
            Authentication::Windows => "Ntlm, WindowsIntegrated",
            Authentication::Negotiate | Authentication::Nego2 => "Negotiate",
            Authentication::Anonymous => "Anonymous",
        })
        .collect();
    Tag::leaf("OWAUrl", entry.url.to_string()).attribute("AuthenticationMethod", ways.join(", "))
}

fn exhttp(block: &ExHttp) -> Tag {
    // The order of elements is that of a capture.
    Tag::new("Protocol")
        .with(Tag::leaf("Type", "EXHTTP"))
        .with(Tag::leaf("Server", block.server.as_str()))
        .with(Tag::leaf("SSL", on(block.ssl)))
        .with(Tag::leaf("AuthPackage", auth_package(block.auth_package)))
        .with_all(services(Version::Exchange2013, &block.services))
        .with(Tag::leaf("ServerExclusiveConnect", "On"))
}

/// Attributes where other blocks have a child `Type` (wire facts 3.1).
fn mapi_http(block: &MapiHttp) -> Tag {
    let side = |name, endpoint: &str| {
        let url = |name, directory: &Option<WebUrl>| {
            let url = directory.as_ref()?;
            let folder = url.path.trim_end_matches('/');
            let path = format!("{folder}/{endpoint}/?MailboxId={}", block.mailbox_id);
            Some(Tag::leaf(name, url.at(&path).to_string()))
        };
        Tag::new(name)
            .with_all(url("InternalUrl", &block.internal))
            .with_all(url("ExternalUrl", &block.external))
    };
    Tag::new("Protocol")
        .attribute("Type", "mapiHttp")
        .attribute("Version", "1")
        .with(side("MailStore", "emsmdb"))
        .with(side("AddressBook", "nspi"))
}

/// The addresses of a block, in the order of wire facts 3.1; 2007 has no `EwsUrl` and no `EcpUrl`.
fn services(by: Version, services: &Services) -> Vec<Tag> {
    let mut tags = Vec::new();
    let later = by != Version::Exchange2007;
    if let Some(ews) = &services.ews {
        tags.push(Tag::leaf("ASUrl", ews.to_string()));
        tags.extend(later.then(|| Tag::leaf("EwsUrl", ews.to_string())));
        tags.extend((by == Version::Exchange2013).then(|| Tag::leaf("EmwsUrl", ews.to_string())));
    }
    if let Some(ecp) = services.ecp.as_ref().filter(|_| later) {
        tags.push(Tag::leaf("EcpUrl", ecp.to_string()));
        // The pages below it; which ones a server names, no source says for every build.
        tags.push(Tag::leaf("EcpUrl-um", "?p=customize/voicemail.aspx&exsvurl=1"));
        tags.push(Tag::leaf("EcpUrl-aggr", "?p=personalsettings/EmailSubscriptions.slab&exsvurl=1"));
        tags.push(Tag::leaf("EcpUrl-ret", "?p=organize/retentionpolicytags.slab&exsvurl=1"));
        tags.push(Tag::leaf("EcpUrl-sms", "?p=sms/textmessaging.slab&exsvurl=1"));
    }
    if let Some(ews) = &services.ews {
        tags.push(Tag::leaf("OOFUrl", ews.to_string()));
        // Wire facts 6.
        tags.push(Tag::leaf("UMUrl", ews.at("/EWS/UM2007Legacy.asmx").to_string()));
    }
    tags.extend(services.oab.as_ref().map(|oab| Tag::leaf("OABUrl", oab.to_string())));
    tags
}

/// Wire facts 3.1: as servers write it.
pub(super) fn auth_package(way: Authentication) -> &'static str {
    match way {
        Authentication::Basic => "Basic",
        Authentication::Ntlm => "Ntlm",
        Authentication::Windows | Authentication::Negotiate | Authentication::Nego2 => "Negotiate",
        Authentication::Fba | Authentication::Anonymous => "Anonymous",
    }
}

/// Wire facts 3.1: `On` and `Off` on the wire.
pub(super) fn on(is: bool) -> &'static str {
    if is { "On" } else { "Off" }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{body, green};
    use super::*;
    use crate::xml::Element;

    #[test]
    fn exhttp_comes_internal_first_and_only_where_it_was_filled_in() {
        let page = body(pox(&green()));
        let root = Element::read(page.as_bytes()).unwrap();
        let response = root.child("Response").unwrap();
        assert!(root.is(RESPONSE, "Autodiscover") && response.is(OUTLOOK, "Response"));
        assert_eq!(response.text_at(&["User", "DisplayName"]), Some("Green & Co"));
        let account = response.child("Account").unwrap();
        let blocks: Vec<_> = account
            .children("Protocol")
            .map(|block| {
                (block.text_at(&["Type"]).unwrap(), block.text_at(&["Server"]), block.text_at(&["SSL"]))
            })
            .collect();
        assert_eq!(
            blocks,
            [
                ("EXCH", Some("7d0e0000-0000-4000-8000-000000000001@contoso.com"), None),
                ("EXPR", Some("mail.contoso.com"), Some("On")),
                ("WEB", None, None),
                ("EXHTTP", Some("internal.contoso.com"), Some("Off")),
                ("EXHTTP", Some("mail.contoso.com"), Some("On")),
            ]
        );
        assert!(page.contains("<ServerVersion>73C0834F</ServerVersion>"), "wire facts 11.2");
        assert!(page.contains(
            "<Internal><OWAUrl AuthenticationMethod=\"Ntlm, WindowsIntegrated\">https://mail.contoso.com/owa/</OWAUrl>"
        ));
        let none = body(pox(&Settings { exhttp: vec![], ..green() }));
        assert!(!none.contains("EXHTTP"));
    }

    /// Wire facts 3.1.
    #[test]
    fn mapi_over_http_has_attributes_and_two_endpoints() {
        let url = |text: &str| Some(WebUrl::folded(text).unwrap());
        let mapi_http = Some(MapiHttp {
            internal: None,
            external: url("https://mail.contoso.com/mapi"),
            mailbox_id: "7d0e0000-0000-4000-8000-000000000001@contoso.com".to_owned(),
        });
        let page = body(pox(&Settings { mapi_http, ..green() }));
        let id = "MailboxId=7d0e0000-0000-4000-8000-000000000001@contoso.com";
        assert!(page.contains(&format!(
            "<Protocol Type=\"mapiHttp\" Version=\"1\"><MailStore>\
             <ExternalUrl>https://mail.contoso.com/mapi/emsmdb/?{id}</ExternalUrl></MailStore><AddressBook>\
             <ExternalUrl>https://mail.contoso.com/mapi/nspi/?{id}</ExternalUrl></AddressBook></Protocol>"
        )));
    }

    #[test]
    fn a_2007_server_writes_what_2007_knew() {
        let page = body(pox(&Settings { written_by: Version::Exchange2007, exhttp: vec![], ..green() }));
        assert!(page.contains("<ASUrl>https://mail.contoso.com/EWS/Exchange.asmx</ASUrl>"));
        for later in ["EwsUrl", "EcpUrl", "AutoDiscoverSMTPAddress", "MicrosoftOnline"] {
            assert!(!page.contains(later), "{later}");
        }
    }

    /// Wire facts 3.4.
    #[test]
    fn a_device_is_told_one_address_twice() {
        let page = body(mobilesync(&green()));
        let root = Element::read(page.as_bytes()).unwrap();
        let server = root.at(&["Response", "Action", "Settings", "Server"]).unwrap();
        assert_eq!(server.namespace, MOBILE_SYNC);
        assert_eq!(server.text_at(&["Type"]), Some("MobileSync"));
        let url = Some("https://mail.contoso.com/Microsoft-Server-ActiveSync");
        assert_eq!((server.text_at(&["Url"]), server.text_at(&["Name"])), (url, url));
        assert_eq!(root.text_at(&["Response", "Culture"]), Some("en:us"));
        let none = body(mobilesync(&Settings { eas_url: None, ..green() }));
        assert!(none.contains("<Action><Error><Status>2</Status>"));
    }
}
