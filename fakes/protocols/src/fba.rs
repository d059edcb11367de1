//! Forms-based authentication: the logon page, its form, its sessions, and the redirects between versions.

use http::StatusCode;
use http::header::{self, HeaderName, HeaderValue};
use model::names::HostName;
use model::url::WebUrl;
use model::version::{Build, Version};

use crate::answer::Answer;
use crate::iis::{self, Reason, add, page, set_cookie};
use crate::xml::html;

mod form;
mod sessions;
pub use form::{FormError, LogonForm};
pub use sessions::Sessions;

/// The logon page of every version (wire facts 1.1).
const PAGE: &str = "/owa/auth/logon.aspx";

/// Where a version's logon form is posted to (wire facts 1.1).
fn endpoint(version: Version) -> &'static str {
    match version {
        Version::Exchange2007 => "/owa/auth/owaauth.dll",
        Version::Exchange2010 | Version::Exchange2013 => "/owa/auth.owa",
    }
}

/// Whether a request's path is the version's logon endpoint.
pub fn is_logon_post(version: Version, path: &str) -> bool {
    without_query(path).eq_ignore_ascii_case(endpoint(version))
}

/// Whether a request's path is the logon page.
pub fn is_logon_page(path: &str) -> bool {
    without_query(path).eq_ignore_ascii_case(PAGE)
}

fn without_query(path: &str) -> &str {
    path.split('?').next().unwrap_or_default()
}

/// What a logon page's own query says: the page wanted, and the reason. `None` where a part is missing or no text.
pub fn wanted(query: &str) -> (Option<String>, Option<u8>) {
    let part = |name: &str| {
        let found = query.split('&').take(16).filter_map(|pair| pair.split_once('='));
        let (_, value) = { found }.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        form::decode(value).ok()
    };
    (part("url"), part("reason").and_then(|number| number.parse().ok()))
}

/// The logon page: a form called `logonForm` with the fields of wire facts 1.1.
///
/// `url` is the page wanted; `reason` is 0, or why the user is here (wire facts 1.2: 1 signed out, 2 bad user name or
/// password, 3 timed out, 4 password changed). Without the public or private question the computer counts as private
/// (rule CX-OWA-8).
pub fn logon_page(version: Version, build: Build, url: &str, reason: u8, public_private: bool) -> Answer {
    let error = match reason {
        2 => {
            "<div id=\"signInErrorDiv\" role=\"alert\">The user name or password you entered isn't correct. Try entering it again.</div>"
        }
        3 => "<div id=\"timeoutDiv\">Your session has timed out. Sign in again.</div>",
        4 => "<div id=\"passwordChangedDiv\">Your password was changed. Sign in again.</div>",
        1 => "<div id=\"signedOutDiv\">You have signed out.</div>",
        _ => "",
    };
    let question = match public_private {
        true => {
            "<label><input type=\"radio\" id=\"rdoPblc\" name=\"trusted\" value=\"0\" checked>This is a public or shared computer</label>\n\
             <label><input type=\"radio\" id=\"rdoPrvt\" name=\"trusted\" value=\"4\">This is a private computer</label>"
        }
        false => "<input type=\"hidden\" name=\"trusted\" value=\"4\">",
    };
    let flags = if public_private { 0 } else { 4 };
    let (url, action) = (html(url), endpoint(version));
    let mut answer = page(
        StatusCode::OK,
        format!(
            "<!DOCTYPE html>\n<html><head><title>Outlook Web App</title>\n\
             <link rel=\"stylesheet\" href=\"/owa/{build}/themes/base/logon.css\"></head>\n<body>\n{error}\n\
             <form action=\"{action}\" method=\"POST\" name=\"logonForm\" enctype=\"application/x-www-form-urlencoded\" autocomplete=\"off\">\n\
             <input type=\"hidden\" name=\"destination\" value=\"{url}\">\n\
             <input type=\"hidden\" name=\"flags\" value=\"{flags}\">\n\
             <input type=\"hidden\" name=\"forcedownlevel\" value=\"0\">\n{question}\n\
             <label>User name: <input type=\"text\" id=\"username\" name=\"username\"></label>\n\
             <label>Password: <input type=\"password\" id=\"password\" name=\"password\"></label>\n\
             <input type=\"hidden\" name=\"passwordText\" value=\"\">\n\
             <input type=\"hidden\" name=\"isUtf8\" value=\"1\">\n\
             <input type=\"submit\" value=\"Sign in\">\n</form>\n</body></html>\n"
        ),
    );
    add(&mut answer, HeaderName::from_static("x-owa-version"), &build.to_string());
    never_stored(answer)
}

/// 302 to the logon page at `host`, for the page `wanted` (absolute), with a reason as [`logon_page`] has it.
pub fn to_logon(version: Version, host: &HostName, wanted: &str, reason: u8) -> Answer {
    let url = form::encode(wanted);
    // Wire facts 1.1: 2013 has both forms.
    let query = match (version, reason) {
        (Version::Exchange2013, 1..) => format!("replaceCurrent=1&reason={reason}&url={url}"),
        _ => format!("url={url}&reason={reason}"),
    };
    never_stored(iis::found(&format!("https://{host}{PAGE}?{query}")))
}

/// `440 Login Timeout`: what 2007 answers to anything but GET without a session (wire facts 1.2).
pub fn login_timeout() -> Answer {
    let mut answer = page(
        StatusCode::from_u16(440).expect("440 is in the range of status codes"),
        "<html><head><title>Login Timeout</title></head><body>440 Login Timeout</body></html>".to_owned(),
    );
    answer.extensions_mut().insert(Reason("Login Timeout".to_owned()));
    answer
}

/// The answer to a good POST: 302 to the page wanted, with the session's cookies (wire facts 1.2).
pub fn signed_in(destination: &WebUrl, cookies: &[String]) -> Answer {
    let mut answer = found(destination);
    for cookie in cookies {
        set_cookie(&mut answer, cookie);
    }
    never_stored(answer)
}

/// The logon endpoint of a server of this version, at the host of its external address (wire facts 1.1 and 1.3).
pub fn logon_endpoint(version: Version, external_url: &WebUrl) -> WebUrl {
    external_url.at(endpoint(version))
}

/// The silent redirect: a page whose one form repeats what the user typed and posts itself to `action`, the target's
/// logon endpoint (wire facts 1.3: a hidden form and a script; its exact HTML is known to nobody outside).
///
/// `destination` is the page to land on at the target. The source keeps no session, so no cookie is set.
pub fn silent_form(
    version_of_target: Version,
    action: &WebUrl,
    form: &LogonForm,
    destination: &WebUrl,
) -> Answer {
    let mut fields = vec![
        ("destination", destination.to_string()),
        ("flags", form.flags.to_string()),
        ("forcedownlevel", u8::from(form.force_down_level).to_string()),
        ("trusted", form.trusted.to_string()),
        ("username", form.username.clone()),
        ("password", form.password.clone()),
        ("isUtf8", "1".to_owned()),
    ];
    if version_of_target != Version::Exchange2007 {
        fields.push(("passwordText", String::new()));
    }
    let inputs: String = fields
        .iter()
        .map(|(name, value)| format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">\n", html(value)))
        .collect();
    let action = html(&action.to_string());
    never_stored(page(
        StatusCode::OK,
        format!(
            "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>Outlook Web App</title></head>\n\
             <body onload=\"document.forms[0].submit()\">\n\
             <form action=\"{action}\" method=\"POST\" name=\"redirectForm\" accept-charset=\"utf-8\" enctype=\"application/x-www-form-urlencoded\">\n\
             {inputs}</form>\n</body></html>\n"
        ),
    ))
}

/// The manual redirect: a page that says the address is the wrong one and shows the right one (wire facts 1.3).
/// Following its link means signing in again.
pub fn manual_page(link: &WebUrl) -> Answer {
    let link = html(&link.to_string());
    never_stored(page(
        StatusCode::OK,
        format!(
            "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>Outlook Web App</title></head>\n<body>\n\
             <p id=\"wrongUrl\">This is not the right address for your mailbox. Use this link from now on:</p>\n\
             <p><a id=\"redirectUrl\" href=\"{link}\">{link}</a></p>\n</body></html>\n"
        ),
    ))
}

/// 302.
pub fn found(url: &WebUrl) -> Answer {
    iis::found(&url.to_string())
}

fn never_stored(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Body;

    fn text(answer: Answer) -> String {
        let Body::Whole(body) = answer.into_body() else { panic!("pages are whole") };
        String::from_utf8(body.to_vec()).unwrap()
    }

    fn url(text: &str) -> WebUrl {
        WebUrl::folded(text).unwrap()
    }

    /// The value of a hidden field, unescaped by a parser that is not ours.
    fn field(page: &str, name: &str) -> String {
        let start = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap().1;
        quick_xml::escape::unescape(start.split_once('"').unwrap().0).unwrap().into_owned()
    }

    /// Wire facts 1.1.
    #[test]
    fn the_logon_page_posts_to_the_endpoint_of_its_version() {
        let build = "8.3.83.6".parse().unwrap();
        let old = text(logon_page(Version::Exchange2007, build, "https://a.b/owa/?x=1&y=\"", 0, true));
        assert!(old.contains("<form action=\"/owa/auth/owaauth.dll\" method=\"POST\" name=\"logonForm\""));
        assert_eq!(field(&old, "destination"), "https://a.b/owa/?x=1&y=\"");
        assert!(old.contains("name=\"trusted\" value=\"0\" checked"));
        assert!(!old.contains("signInErrorDiv"));
        let new = text(logon_page(Version::Exchange2013, build, "https://a.b/owa/", 2, false));
        assert!(new.contains("action=\"/owa/auth.owa\"") && new.contains("id=\"signInErrorDiv\""));
        assert_eq!((field(&new, "trusted"), field(&new, "flags")), ("4".into(), "4".into()));
        assert!(is_logon_post(Version::Exchange2007, "/OWA/auth/owaauth.dll"));
        assert!(!is_logon_post(Version::Exchange2013, "/owa/auth/owaauth.dll"));
        assert!(is_logon_page("/owa/auth/Logon.aspx?url=x&reason=0"));
    }

    #[test]
    fn the_way_to_the_logon_page_names_the_page_wanted_and_the_reason() {
        let host = "mail.contoso.com".parse().unwrap();
        let location = |version, reason| {
            let answer = to_logon(version, &host, "https://mail.contoso.com/owa/?a=b&c", reason);
            assert_eq!(answer.status(), 302);
            answer.headers()["location"].to_str().unwrap().to_owned()
        };
        assert_eq!(
            location(Version::Exchange2010, 2),
            "https://mail.contoso.com/owa/auth/logon.aspx?url=https%3A%2F%2Fmail.contoso.com%2Fowa%2F%3Fa%3Db%26c&reason=2"
        );
        let new = location(Version::Exchange2013, 2);
        assert!(new.contains("?replaceCurrent=1&reason=2&url=https%3A"), "{new}");
        let query = new.split_once('?').unwrap().1;
        assert_eq!(wanted(query), (Some("https://mail.contoso.com/owa/?a=b&c".to_owned()), Some(2)));
    }

    /// Rule X-OWA-4.
    #[test]
    fn what_the_user_typed_survives_the_silent_redirect() {
        let username = "CONTOSO\\o'neil \"&<>\u{e9}\u{4e2d}";
        let password = "p'\"&amp;<script>+%20= \u{fc}\n;";
        let body = format!(
            "destination={}&flags=4&forcedownlevel=0&trusted=4&username={}&password={}&isUtf8=1",
            form::encode("https://mail.contoso.com/owa/"),
            form::encode(username),
            form::encode(password)
        );
        let form = LogonForm::read(body.as_bytes()).unwrap();
        let legacy = url("https://legacy.contoso.com/owa");
        let action = logon_endpoint(Version::Exchange2007, &legacy);
        assert_eq!(action.to_string(), "https://legacy.contoso.com/owa/auth/owaauth.dll");
        let answer = silent_form(Version::Exchange2007, &action, &form, &legacy);
        assert!(answer.headers().get("set-cookie").is_none());
        assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
        let page = text(answer);
        assert_eq!(page.matches("<form").count(), 1);
        assert!(!page.contains("<script>") && page.contains("submit()"));
        assert_eq!((field(&page, "username"), field(&page, "password")), (username.into(), password.into()));
        assert_eq!(field(&page, "destination"), "https://legacy.contoso.com/owa");
        assert_eq!(field(&page, "trusted"), "4");
    }

    #[test]
    fn the_manual_page_shows_one_link_and_moves_nobody() {
        let answer = manual_page(&url("https://mail-region.contoso.com/owa/?a=1&b='x'"));
        assert_eq!((answer.status().as_u16(), answer.headers().get("location")), (200, None));
        let page = text(answer);
        assert!(page.contains(
            "<a id=\"redirectUrl\" href=\"https://mail-region.contoso.com/owa/?a=1&amp;b=&#39;x&#39;\">"
        ));
        assert!(!page.contains("<form") && page.matches("href").count() == 1);
    }
}
