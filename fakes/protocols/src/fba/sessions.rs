//! Sessions of one server, kept behind opaque cookies with the names that its version gives them.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::version::Version;
use tokio::time::Instant;

use crate::iis::clock;

/// How many sessions are kept; beyond it the one that would expire first ends.
const MOST: usize = 20_000;
/// How long a session lives unless set otherwise: 60 minutes (rule CX-OWA-7, wire facts 1.2).
const LIFE: Duration = Duration::from_secs(60 * 60);

/// The open sessions of one server.
///
/// Their values are no secrets in the sense of cryptography: they come from the hasher that Rust seeds per process,
/// which is enough for a lab. 2013's are opaque here and not encrypted with the certificate's key as in life, so they
/// are of no use at another server, as in a farm whose certificates differ (wire facts 1.2).
pub struct Sessions {
    version: Version,
    life: Duration,
    open: Mutex<HashMap<String, Session>>,
}

struct Session {
    user: String,
    password: String,
    /// The values of all its cookies, in the order of [`names`].
    values: Vec<String>,
    ends: Instant,
}

/// The cookies of a session (wire facts 1.1); the first is what finds it, all must match.
fn names(version: Version) -> &'static [&'static str] {
    match version {
        Version::Exchange2007 | Version::Exchange2010 => &["sessionid", "cadata"],
        Version::Exchange2013 => &["cadata", "cadataTTL", "cadataKey", "cadataIV", "cadataSig"],
    }
}

impl Sessions {
    /// None open yet, each to live 60 minutes.
    pub fn new(version: Version) -> Sessions {
        Sessions::living(version, LIFE)
    }

    /// None open yet, each to live this long.
    pub fn living(version: Version, life: Duration) -> Sessions {
        Sessions { version, life, open: Mutex::default() }
    }

    /// How long each lives.
    pub fn life(&self) -> Duration {
        self.life
    }

    /// Opens a session for a user that was authenticated, and gives the values of its `Set-Cookie` lines.
    pub fn open(&self, user: &str, password: &str) -> Vec<String> {
        self.open_for(self.life, user, password)
    }

    /// Opens one that lives this long.
    pub fn open_for(&self, life: Duration, user: &str, password: &str) -> Vec<String> {
        let values: Vec<String> = names(self.version).iter().map(|_| opaque()).collect();
        let lines = names(self.version).iter().zip(&values).map(|(name, value)| line(name, value)).collect();
        let session = Session {
            user: user.to_owned(),
            password: password.to_owned(),
            ends: clock::after(life),
            values,
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= MOST {
            let now = clock::now();
            open.retain(|_, session| session.ends > now);
            let first = open.iter().min_by_key(|(_, session)| session.ends).map(|(key, _)| key.clone());
            if let (true, Some(first)) = (open.len() >= MOST, first) {
                open.remove(&first);
            }
        }
        open.insert(session.values[0].clone(), session);
        lines
    }

    /// User and password of the session that a request's `Cookie` header names; `None` where it names none that is
    /// open, where a cookie of it is missing or another one's, and when its time is over.
    pub fn find(&self, cookie_header: Option<&str>) -> Option<(String, String)> {
        self.named(cookie_header, |session| {
            let lives = session.ends > clock::now();
            lives.then(|| (session.user.clone(), session.password.clone()))
        })?
    }

    /// Whether a request's `Cookie` header names a session whose time is over (wire facts 1.2, reason 3). One that was
    /// closed, or pushed out by many newer ones, is not known any more.
    pub fn is_over(&self, cookie_header: Option<&str>) -> bool {
        self.named(cookie_header, |session| session.ends <= clock::now()).unwrap_or(false)
    }

    /// What is so of the session that all its cookies name.
    fn named<T>(&self, cookie_header: Option<&str>, so: impl FnOnce(&Session) -> T) -> Option<T> {
        let cookies = cookie_header?;
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let session = open.get(cookie(cookies, names(self.version)[0])?)?;
        let mut all = names(self.version).iter().zip(&session.values);
        all.all(|(name, value)| cookie(cookies, name) == Some(value.as_str())).then(|| so(session))
    }

    /// Ends the session that a request's `Cookie` header names, and gives the `Set-Cookie` lines that clear it.
    pub fn close(&self, cookie_header: Option<&str>) -> Vec<String> {
        if self.find(cookie_header).is_some()
            && let Some(key) = cookie_header.and_then(|cookies| cookie(cookies, names(self.version)[0]))
        {
            self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        }
        let past = "expires=Thu, 01-Jan-1970 00:00:00 GMT";
        names(self.version).iter().map(|name| format!("{}; {past}", line(name, ""))).collect()
    }
}

fn line(name: &str, value: &str) -> String {
    format!("{name}={value}; path=/; secure; HttpOnly")
}

/// The value of a cookie: the first of this name counts. Names are told apart by letter case.
fn cookie<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = header.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"'))
}

/// 32 bytes that are not used twice, as base64.
fn opaque() -> String {
    let mut bytes = Vec::with_capacity(32);
    for _ in 0..4 {
        // Every RandomState hashes with other keys.
        bytes.extend(RandomState::new().build_hasher().finish().to_le_bytes());
    }
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(lines: &[String]) -> String {
        let pairs: Vec<&str> = lines.iter().map(|line| line.split(';').next().unwrap()).collect();
        pairs.join("; ")
    }

    /// Wire facts 1.1.
    #[test]
    fn the_cookies_of_a_session_have_the_names_of_the_version() {
        let names = |version| {
            let lines = Sessions::new(version).open("purple", "secret");
            assert!(lines.iter().all(|line| line.ends_with("; path=/; secure; HttpOnly")), "{lines:?}");
            lines.iter().map(|line| line.split('=').next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(Version::Exchange2007), ["sessionid", "cadata"]);
        assert_eq!(names(Version::Exchange2010), ["sessionid", "cadata"]);
        assert_eq!(
            names(Version::Exchange2013),
            ["cadata", "cadataTTL", "cadataKey", "cadataIV", "cadataSig"]
        );
    }

    #[test]
    fn a_session_is_found_by_all_of_its_cookies_at_its_own_server_only() {
        let sessions = Sessions::new(Version::Exchange2013);
        let mine = header(&sessions.open("red", "p'w"));
        let other = header(&sessions.open("blue", "x"));
        assert_eq!(
            sessions.find(Some(&format!("PBack=0; {mine}"))),
            Some(("red".to_owned(), "p'w".to_owned()))
        );
        let mixed = format!("{}; {}", mine.split("; ").next().unwrap(), other.split_once("; ").unwrap().1);
        assert_eq!(sessions.find(Some(&mixed)), None, "the key of another session");
        assert_eq!(sessions.find(mine.split("; ").next()), None, "one cookie of five");
        assert_eq!(Sessions::new(Version::Exchange2013).find(Some(&mine)), None);
        assert_eq!(sessions.find(None), None);
        assert!(sessions.close(Some(&mine)).iter().all(|line| line.contains("1970")));
        assert_eq!(sessions.find(Some(&mine)), None);
        assert!(sessions.find(Some(&other)).is_some());
    }

    #[test]
    fn a_session_ends_by_itself() {
        let sessions = Sessions::living(Version::Exchange2010, Duration::ZERO);
        let mine = header(&sessions.open("red", "secret"));
        assert_eq!((sessions.find(Some(&mine)), sessions.is_over(Some(&mine))), (None, true));
        assert!(!sessions.is_over(mine.split(';').next()) && !sessions.is_over(None));
        let kept = header(&sessions.open_for(LIFE, "red", "secret"));
        assert!(sessions.find(Some(&kept)).is_some() && !sessions.is_over(Some(&kept)));
        sessions.close(Some(&kept));
        assert!(!sessions.is_over(Some(&kept)), "who signed out was not timed out");
    }
}
