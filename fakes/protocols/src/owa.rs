//! Outlook Web App and the Exchange Control Panel, as far as a page proves whose mailbox it shows.

use http::header::{self, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use model::version::{Build, Version};

use crate::answer::{Answer, Request};
use crate::iis::{self, add, page, set_cookie, typed};
use crate::mailbox::{Mailbox, Owner, Unreachable};
use crate::xml::html;

/// How many subjects the main page lists.
const MOST_SUBJECTS: usize = 100;
const VERSION: HeaderName = HeaderName::from_static("x-owa-version");

/// What a server answers without asking who the user is: the themes below `/owa/<build>/`, and 2013's health page
/// (wire facts 1.4 and 11.1). `None` for everything else.
pub fn unauthenticated(version: Version, build: Build, path: &str) -> Option<Answer> {
    let path = path.split('?').next().unwrap_or_default().to_ascii_lowercase();
    if version == Version::Exchange2013 && path == "/owa/exhealth.check" {
        return Some(typed(StatusCode::OK, "text/html", ""));
    }
    let (asked, file) = path.strip_prefix("/owa/")?.split_once("/themes/")?;
    let known = asked == build.to_string() && file == "base/logon.css";
    let is_build = asked.parse::<Build>().is_ok();
    match (is_build, known) {
        (false, _) => None,
        (true, false) => Some(iis::not_found()),
        (true, true) => Some(typed(StatusCode::OK, "text/css", "body { font-family: Segoe UI, Tahoma; }\n")),
    }
}

/// Serves a request below `/owa/` or `/ecp/` for the user whose mailbox this is.
///
/// A logoff is answered with the way to the logon page; ending the session is the caller's.
pub async fn serve<M: Mailbox>(version: Version, build: Build, request: &Request, mailbox: M) -> Answer {
    let path = request.uri().path().to_ascii_lowercase();
    if let Some(answer) = unauthenticated(version, build, &path) {
        return answer;
    }
    let mut answer = match path.as_str() {
        // Rule CX-HLT-10: GET /owa is 301 in IIS's log.
        "/owa" => return iis::moved("/owa/"),
        // Wire facts 1.2; reason 1 is "signed out".
        "/owa/logoff.owa" => return iis::found("/owa/auth/logon.aspx?reason=1"),
        // The Control Panel came with 2010.
        path if under(path, "/ecp") && version == Version::Exchange2007 => return iis::not_found(),
        "/ecp" => return iis::found("/ecp/"),
        "/ecp/logoff.aspx" => return iis::found("/owa/logoff.owa"),
        path if !matches!(path, "/owa/" | "/owa/default.aspx" | "/ecp/" | "/ecp/default.aspx") => {
            return iis::not_found();
        }
        _ if ![Method::GET, Method::HEAD, Method::POST].contains(request.method()) => {
            return iis::status(StatusCode::METHOD_NOT_ALLOWED);
        }
        path if under(path, "/ecp") => control_panel(mailbox).await,
        _ => main_page(mailbox).await,
    }
    .unwrap_or_else(|why| error_page(version, build, &why));
    add(&mut answer, VERSION, &build.to_string());
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store"));
    // Wire facts 1.1: 2013 has no UserContext in its place.
    if version != Version::Exchange2013 && under(&path, "/owa") && !has_user_context(request) {
        set_cookie(&mut answer, "UserContext=29ad7a0b1c6e4d2f8a35b9c0d1e2f3a4; path=/owa");
    }
    answer
}

async fn main_page<M: Mailbox>(mut mailbox: M) -> Result<Answer, Unreachable> {
    let owner = mailbox.owner().await?;
    let messages = mailbox.messages().await?;
    let subjects: String = messages
        .iter()
        .rev()
        .take(MOST_SUBJECTS)
        .map(|message| format!("<li>{}</li>\n", html(&message.subject)))
        .collect();
    Ok(shown("Outlook Web App", &owner, &format!("<h1>Inbox</h1>\n<ul id=\"inbox\">\n{subjects}</ul>")))
}

async fn control_panel<M: Mailbox>(mut mailbox: M) -> Result<Answer, Unreachable> {
    let owner = mailbox.owner().await?;
    Ok(shown("Exchange Control Panel", &owner, "<h1>Options</h1>"))
}

/// A page that says whose mailbox it shows, as the store named it.
fn shown(title: &str, owner: &Owner, content: &str) -> Answer {
    page(
        StatusCode::OK,
        format!(
            "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>{title}</title></head>\n<body>\n\
             <p>Signed in as <span id=\"mailbox\">{}</span> <a href=\"/owa/logoff.owa\">Sign out</a></p>\n{content}\n</body></html>\n",
            html(&owner.address)
        ),
    )
}

/// The mailbox cannot be had: an error page, with the lines of wire facts 11.1 where the version has them.
fn error_page(version: Version, build: Build, why: &Unreachable) -> Answer {
    let lines = match version {
        Version::Exchange2013 => {
            format!("X-OWA-Error: {}<br>\nX-OWA-Version: {build}<br>\n", html(&why.to_string()))
        }
        _ => format!("{}<br>\n", html(&why.to_string())),
    };
    let text = format!(
        "<html><head><title>Error</title></head><body><h1>something went wrong</h1><p>{lines}</p></body></html>"
    );
    page(StatusCode::INTERNAL_SERVER_ERROR, text)
}

fn under(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn has_user_context(request: &Request) -> bool {
    let lines = request.headers().get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';'));
    pairs.any(|pair| pair.trim().starts_with("UserContext="))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Body;
    use crate::mailbox::Message;
    use bytes::Bytes;

    struct Purple;

    impl Mailbox for Purple {
        async fn owner(&mut self) -> Result<Owner, Unreachable> {
            Ok(Owner { address: "purple@contoso.com".to_owned(), guid: String::new() })
        }
        async fn messages(&mut self) -> Result<Vec<Message>, Unreachable> {
            let subject = "<b>1 & 2</b>".to_owned();
            Ok(vec![Message { subject, from: "red@contoso.com".to_owned(), text: String::new() }])
        }
        async fn deliver(&mut self, _: Message) -> Result<(), Unreachable> {
            Err(Unreachable::Unknown)
        }
        async fn more_than(&mut self, _: usize) -> Result<(), Unreachable> {
            Err(Unreachable::Unknown)
        }
    }

    /// Servers run on many threads.
    fn sendable<T: Send>(future: T) -> T {
        future
    }

    async fn get(version: Version, path: &str) -> Answer {
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = path.parse().unwrap();
        sendable(serve(version, "14.3.123.4".parse().unwrap(), &request, Purple)).await
    }

    fn text(answer: Answer) -> String {
        let Body::Whole(body) = answer.into_body() else { panic!("pages are whole") };
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn the_main_page_shows_whose_mailbox_it_is() {
        let answer = get(Version::Exchange2010, "/owa/").await;
        assert_eq!(answer.headers()["x-owa-version"], "14.3.123.4");
        assert!(answer.headers()["set-cookie"].to_str().unwrap().starts_with("UserContext="));
        let page = text(answer);
        assert!(page.contains("<span id=\"mailbox\">purple@contoso.com</span>"), "{page}");
        assert!(page.contains("<li>&lt;b&gt;1 &amp; 2&lt;/b&gt;</li>"), "{page}");
        assert!(get(Version::Exchange2013, "/OWA/").await.headers().get("set-cookie").is_none());
    }

    #[tokio::test]
    async fn the_control_panel_came_with_2010() {
        assert!(
            text(get(Version::Exchange2010, "/ecp/").await).contains("id=\"mailbox\">purple@contoso.com<")
        );
        assert_eq!(get(Version::Exchange2007, "/ecp/").await.status(), 404);
    }

    #[tokio::test]
    async fn leaving_leads_to_the_logon_page() {
        let location = |answer: &Answer| answer.headers()["location"].to_str().unwrap().to_owned();
        assert_eq!(location(&get(Version::Exchange2013, "/ecp/logoff.aspx").await), "/owa/logoff.owa");
        let answer = get(Version::Exchange2013, "/owa/logoff.owa").await;
        assert_eq!(location(&answer), "/owa/auth/logon.aspx?reason=1");
    }

    /// Wire facts 11.1.
    #[test]
    fn a_theme_is_served_to_anybody_and_nothing_else_is() {
        let build = "8.3.485.1".parse().unwrap();
        let status = |path| unauthenticated(Version::Exchange2007, build, path).map(|a| a.status().as_u16());
        assert_eq!(status("/owa/8.3.485.1/themes/base/logon.css"), Some(200));
        assert_eq!(status("/owa/8.3.83.6/themes/base/logon.css"), Some(404));
        assert_eq!(status("/owa/"), None);
        assert_eq!(status("/owa/x/themes/base/logon.css"), None);
    }
}
