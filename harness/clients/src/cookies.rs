//! A browser's cookie jar (RFC 6265, section 5), as far as a session of seconds needs it: a cookie is taken, sent
//! where it belongs, and deleted when the server says so. Lifetimes are not waited for.

use http::header::{HeaderMap, SET_COOKIE};
use model::journal::CookieOfAnother;
use model::{HostName, WebUrl};

/// The most cookies that a jar holds, and the most bytes of one (RFC 6265, section 6.1).
const MOST_COOKIES: usize = 3000;
const MOST_BYTES: usize = 4096;

/// The cookies of a browser that is done for now.
#[derive(Debug, Clone, Default)]
pub struct Cookies(pub(crate) Jar);

/// The cookies of one browser.
#[derive(Debug, Clone, Default)]
pub(crate) struct Jar(Vec<Cookie>);

#[derive(Debug, Clone, PartialEq)]
struct Cookie {
    name: String,
    value: String,
    domain: String,
    /// It goes to the very host that set it, and to none below.
    host_only: bool,
    path: String,
    secure: bool,
    set_by: HostName,
    answers_form: bool,
}

impl Jar {
    /// Takes what an answer sets; `form` is whether it answers one that was sent.
    pub(crate) fn take(&mut self, url: &WebUrl, headers: &HeaderMap, form: bool) {
        for line in headers.get_all(SET_COOKIE) {
            if line.len() <= MOST_BYTES
                && let Ok(line) = std::str::from_utf8(line.as_bytes())
            {
                self.add(url, line, form);
            }
        }
    }

    /// Sets one cookie as a script does.
    pub(crate) fn set(&mut self, url: &WebUrl, line: &str) {
        self.add(url, line, false);
    }

    fn add(&mut self, url: &WebUrl, line: &str, answers_form: bool) {
        let mut parts = line.split(';');
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { return };
        let mut cookie = Cookie {
            name: name.trim().to_owned(),
            value: value.trim().to_owned(),
            domain: url.host.to_string(),
            host_only: true,
            path: default_path(&url.path),
            secure: false,
            set_by: url.host.clone(),
            answers_form,
        };
        let mut max_age = None;
        let mut expired = false;
        for attribute in parts {
            let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            let value = value.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                "domain" if !value.trim_start_matches('.').is_empty() => {
                    cookie.domain = value.trim_start_matches('.').to_ascii_lowercase();
                    cookie.host_only = false;
                }
                "path" if value.starts_with('/') => cookie.path = value.to_owned(),
                "secure" => cookie.secure = true,
                "max-age" => max_age = value.parse::<i64>().ok(),
                "expires" => expired = is_past(value),
                _ => {}
            }
        }
        let foreign = !cookie.host_only && !within(&url.host, &cookie.domain);
        // A cookie for a whole top level (`com`) is refused as a browser's list of public suffixes would.
        let too_wide =
            !cookie.host_only && !cookie.domain.contains('.') && cookie.domain != url.host.as_str();
        if cookie.name.is_empty() || foreign || too_wide || (cookie.secure && !url.tls) {
            return;
        }
        self.0.retain(|old| {
            (&old.name, &old.domain, &old.path) != (&cookie.name, &cookie.domain, &cookie.path)
        });
        // Max-Age has precedence over Expires.
        if max_age.map_or(expired, |seconds| seconds <= 0) || self.0.len() >= MOST_COOKIES {
            return;
        }
        self.0.push(cookie);
    }

    /// The Cookie header for a request: longer paths first, older ones before newer ones.
    pub(crate) fn header_for(&self, url: &WebUrl) -> Option<String> {
        let mut sent: Vec<&Cookie> = self.sent_to(url).collect();
        sent.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<String> =
            sent.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// Those in it that another host set.
    pub(crate) fn of_others(&self, url: &WebUrl) -> Vec<CookieOfAnother> {
        let others = self.sent_to(url).filter(|cookie| cookie.set_by != url.host);
        let told = |cookie: &Cookie| CookieOfAnother {
            name: cookie.name.clone(),
            set_by: cookie.set_by.clone(),
            answers_form: cookie.answers_form,
        };
        others.map(told).collect()
    }

    fn sent_to<'j>(&'j self, url: &'j WebUrl) -> impl Iterator<Item = &'j Cookie> {
        let path = url.path.split(['?', '#']).next().unwrap_or("/");
        self.0
            .iter()
            .filter(|cookie| match cookie.host_only {
                true => cookie.domain == url.host.as_str(),
                false => within(&url.host, &cookie.domain),
            })
            .filter(move |cookie| below(path, &cookie.path) && (url.tls || !cookie.secure))
    }
}

fn within(host: &HostName, domain: &str) -> bool {
    host.as_str() == domain
        || host.as_str().strip_suffix(domain).is_some_and(|above| above.ends_with('.') && above.len() > 1)
}

fn below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || prefix.ends_with('/') || rest.starts_with('/'))
}

/// The directory of the request's path (RFC 6265, section 5.1.4).
fn default_path(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or("/");
    match path.rfind('/') {
        None | Some(0) => "/".to_owned(),
        Some(at) => path[..at].to_owned(),
    }
}

/// Whether a date is of the last century, as servers write it to delete a cookie.
fn is_past(date: &str) -> bool {
    let year = date.split([' ', '-']).find_map(|part| (part.len() == 4).then(|| part.parse::<u16>().ok())?);
    year.is_some_and(|year| year < 2000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> WebUrl {
        WebUrl::folded(text).unwrap()
    }

    fn sent(jar: &Jar, to: &str) -> Option<String> {
        jar.header_for(&url(to))
    }

    #[test]
    fn a_host_only_cookie_goes_to_its_own_host_and_below_its_path_alone() {
        let mut jar = Jar::default();
        jar.set(&url("https://mail.contoso.com/owa/auth.owa"), "cadata=1; Path=/owa; Secure; HttpOnly");
        assert_eq!(sent(&jar, "https://mail.contoso.com/owa/"), Some("cadata=1".into()));
        assert_eq!(sent(&jar, "https://mail.contoso.com/owa?x"), Some("cadata=1".into()));
        assert_eq!(sent(&jar, "https://mail.contoso.com/owax"), None);
        assert_eq!(sent(&jar, "https://legacy.contoso.com/owa/"), None);
        assert_eq!(sent(&jar, "https://sub.mail.contoso.com/owa/"), None);
        assert_eq!(sent(&jar, "http://mail.contoso.com/owa/"), None);
    }

    #[test]
    fn a_domain_cookie_goes_to_every_host_of_its_domain_and_a_foreign_one_is_refused() {
        let mut jar = Jar::default();
        jar.set(&url("https://mail.contoso.com/"), "a=1; domain=.contoso.com; path=/");
        jar.set(&url("https://mail.contoso.com/"), "b=2; domain=fabrikam.com; path=/");
        jar.set(&url("https://mail.contoso.com/"), "c=3; domain=com; path=/");
        assert_eq!(sent(&jar, "https://legacy.contoso.com/owa/"), Some("a=1".into()));
        assert_eq!(sent(&jar, "https://notcontoso.com/"), None);
        assert_eq!(sent(&jar, "https://fabrikam.com/"), None);
        let others =
            |to: &str| jar.of_others(&url(to)).into_iter().map(|cookie| cookie.name).collect::<Vec<_>>();
        assert_eq!(others("https://legacy.contoso.com/owa/"), ["a"]);
        assert_eq!(others("https://mail.contoso.com/owa/"), [""; 0]);
    }

    #[test]
    fn a_cookie_is_replaced_and_deleted_under_its_name_domain_and_path() {
        let mut jar = Jar::default();
        let owa = url("https://mail.contoso.com/owa/");
        jar.set(&owa, "s=1");
        jar.set(&owa, "s=2");
        assert_eq!(sent(&jar, "https://mail.contoso.com/owa/x"), Some("s=2".into()));
        jar.set(&owa, "s=; expires=Thu, 01-Jan-1970 00:00:00 GMT");
        assert_eq!(sent(&jar, "https://mail.contoso.com/owa/x"), None);
    }
}
