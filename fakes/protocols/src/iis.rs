//! What IIS and ASP.NET write around every answer: banners, challenges, status pages, the health page.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use model::topology::Authentication;
use model::version::{Build, Version};

use crate::answer::{Answer, Body};

pub(crate) mod clock;
pub mod ntlm;
pub mod patience;

/// A reason phrase other than the status code's own, carried as an extension of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(pub String);

/// Which of its web sites a server answers from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The one site of a 2007 or 2010 Client Access server.
    ClientAccess,
    /// "Default Web Site" of a 2013 server.
    FrontEnd,
    /// "Exchange Back End" of a 2013 server.
    BackEnd,
}

/// Adds what every answer of a server carries, and leaves alone what an answer that was passed on brought with it.
///
/// `X-OWA-Version` is not among it: only OWA's own pages carry that, and [`crate::owa`] and [`crate::fba`] write it.
pub fn dress(version: Version, _build: Build, server_fqdn: &str, place: Place, mut answer: Answer) -> Answer {
    // Wire facts 11.1 and 2.1.
    let (server, asp_net) = match version {
        Version::Exchange2007 => ("Microsoft-IIS/7.0", "2.0.50727"),
        Version::Exchange2010 => ("Microsoft-IIS/7.5", "2.0.50727"),
        Version::Exchange2013 => ("Microsoft-IIS/8.5", "4.0.30319"),
    };
    add(&mut answer, header::SERVER, server);
    add(&mut answer, HeaderName::from_static("x-aspnet-version"), asp_net);
    add(&mut answer, HeaderName::from_static("x-powered-by"), "ASP.NET");
    let name = server_fqdn.split('.').next().unwrap_or_default().to_ascii_uppercase();
    // Wire facts 8: custom headers of every virtual directory of the site.
    match place {
        Place::ClientAccess => {}
        Place::FrontEnd => add(&mut answer, HeaderName::from_static("x-feserver"), &name),
        Place::BackEnd => {
            add(&mut answer, HeaderName::from_static("x-diaginfo"), &name);
            add(&mut answer, HeaderName::from_static("x-beserver"), &name);
        }
    }
    add(&mut answer, header::DATE, &clock::http_date());
    answer
}

/// 401 with one `WWW-Authenticate` line for each way to sign in, in the order given (wire facts 4.5).
///
/// Forms and anonymous access have no line. `realm` is the host that was asked.
pub fn challenge(methods: &[Authentication], realm: &str) -> Answer {
    let mut answer = status(StatusCode::UNAUTHORIZED);
    let realm: String = realm.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\')).collect();
    for method in methods {
        let basic = format!("Basic realm=\"{realm}\"");
        let lines: &[&str] = match method {
            Authentication::Windows => &["Negotiate", "NTLM"],
            Authentication::Negotiate => &["Negotiate"],
            Authentication::Ntlm => &["NTLM"],
            Authentication::Nego2 => &["Nego2"],
            Authentication::Basic => &[&basic],
            Authentication::Fba | Authentication::Anonymous => &[],
        };
        for line in lines {
            let line = HeaderValue::from_str(line).expect("graphic ASCII is a header's value");
            answer.headers_mut().append(header::WWW_AUTHENTICATE, line);
        }
    }
    answer
}

/// User and password of an `Authorization: Basic` header: UTF-8, else Latin-1. `None` for anything else.
pub fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, token) = header.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let bytes = STANDARD.decode(token.trim()).ok()?;
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|wrong| wrong.as_bytes().iter().map(|&byte| char::from(byte)).collect());
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// `/<virtual directory>/healthcheck.htm` of a 2013 front end (wire facts 9).
pub fn health_page(fqdn: &str) -> Answer {
    page(StatusCode::OK, format!("200 OK<br/>{fqdn}"))
}

/// IIS's small page for a status: its name and one sentence.
pub fn status(code: StatusCode) -> Answer {
    let sentence = match code {
        StatusCode::BAD_REQUEST => "The request could not be understood by the server.",
        StatusCode::UNAUTHORIZED => {
            "You do not have permission to view this directory or page using the credentials that you supplied."
        }
        StatusCode::FORBIDDEN => "You do not have permission to view this directory or page.",
        StatusCode::NOT_FOUND => {
            "The resource you are looking for might have been removed, had its name changed, or is unavailable."
        }
        StatusCode::METHOD_NOT_ALLOWED => "The HTTP verb used to access this page is not allowed.",
        StatusCode::SERVICE_UNAVAILABLE => "The service is unavailable.",
        _ => "The page cannot be displayed.",
    };
    let title = format!("{} - {}", code.as_u16(), code.canonical_reason().unwrap_or("Error"));
    page(
        code,
        format!(
            "<html><head><title>{title}</title></head><body><h2>{title}</h2><p>{sentence}</p></body></html>"
        ),
    )
}

/// 404.
pub fn not_found() -> Answer {
    status(StatusCode::NOT_FOUND)
}

/// 403.
pub fn forbidden() -> Answer {
    status(StatusCode::FORBIDDEN)
}

/// 503.
pub fn unavailable() -> Answer {
    status(StatusCode::SERVICE_UNAVAILABLE)
}

/// 301, as IIS writes it where a directory is asked for without its slash.
pub fn moved(location: &str) -> Answer {
    towards(StatusCode::MOVED_PERMANENTLY, location)
}

/// 302 to an address, absolute or a path.
pub fn found(location: &str) -> Answer {
    towards(StatusCode::FOUND, location)
}

/// An HTML page.
pub(crate) fn page(code: StatusCode, html: String) -> Answer {
    typed(code, "text/html; charset=utf-8", html)
}

/// An answer with a body of this type.
pub(crate) fn typed(code: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Answer {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = code;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// Adds a header unless the answer has it; a value that no header may hold is left out.
pub(crate) fn add(answer: &mut Answer, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().entry(name).or_insert(value);
    }
}

/// Adds a cookie, as a line of its own.
pub(crate) fn set_cookie(answer: &mut Answer, cookie: &str) {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

fn towards(code: StatusCode, location: &str) -> Answer {
    let shown = crate::xml::html(location);
    let mut answer = page(
        code,
        format!(
            "<html><head><title>Object moved</title></head><body><h2>Object moved to <a href=\"{shown}\">here</a>.</h2></body></html>"
        ),
    );
    match HeaderValue::from_str(location) {
        Ok(location) => {
            answer.headers_mut().insert(header::LOCATION, location);
            answer
        }
        Err(_) => status(StatusCode::BAD_REQUEST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(text: &str) -> Build {
        text.parse().unwrap()
    }

    fn values(answer: &Answer, name: &str) -> Vec<String> {
        answer.headers().get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    /// Wire facts 8: a legacy answer that a front end passed on carries X-FEServer and no X-BEServer.
    #[test]
    fn a_front_end_leaves_alone_what_a_passed_on_answer_brought() {
        let legacy = dress(
            Version::Exchange2010,
            build("14.3.123.4"),
            "cas2010-s1.contoso.com",
            Place::ClientAccess,
            not_found(),
        );
        let answer = dress(
            Version::Exchange2013,
            build("15.0.847.32"),
            "cas2013-s1.contoso.com",
            Place::FrontEnd,
            legacy,
        );
        assert_eq!(values(&answer, "x-feserver"), ["CAS2013-S1"]);
        assert_eq!(values(&answer, "server"), ["Microsoft-IIS/7.5"]);
        assert_eq!(values(&answer, "x-aspnet-version"), ["2.0.50727"]);
        assert!(values(&answer, "x-beserver").is_empty());
        assert!(values(&answer, "date")[0].ends_with(" GMT"));
    }

    #[test]
    fn a_challenge_has_one_line_a_scheme_in_the_order_given() {
        let answer = challenge(&[Authentication::Windows, Authentication::Basic], "mail.contoso.com");
        assert_eq!(answer.status(), 401);
        assert_eq!(
            values(&answer, "www-authenticate"),
            ["Negotiate", "NTLM", "Basic realm=\"mail.contoso.com\""]
        );
        assert_eq!(
            values(&challenge(&[Authentication::Basic, Authentication::Fba], "a\"\r\nb"), "www-authenticate"),
            ["Basic realm=\"ab\""]
        );
    }

    /// RFC 7617, sections 2 and 2.1.
    #[test]
    fn basic_is_read_as_published() {
        let read = |header| basic(header).unwrap();
        assert_eq!(read("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), ("Aladdin".into(), "open sesame".into()));
        assert_eq!(read("basic dGVzdDoxMjPCow=="), ("test".into(), "123\u{a3}".into()));
        assert_eq!(read("Basic dGVzdDoxMjOj"), ("test".into(), "123\u{a3}".into()), "Latin-1");
        assert_eq!(basic("Basic QWxhZGRpbg=="), None, "no colon");
        assert_eq!(basic("NTLM QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), None);
        assert_eq!(basic("Basic !"), None);
    }

    #[test]
    fn the_health_page_names_the_server() {
        let Body::Whole(body) = health_page("cas2013-s1.contoso.com").into_body() else { panic!() };
        assert_eq!(body, "200 OK<br/>cas2013-s1.contoso.com");
    }
}
