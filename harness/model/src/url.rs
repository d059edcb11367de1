//! Web addresses as files and verdicts write them: canonical, so without a port.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::names::{BadName, HostName};

/// An `https` or `http` address without a port.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebUrl {
    /// True for `https`.
    pub tls: bool,
    /// The name that is dialled.
    pub host: HostName,
    /// Path and query, with the leading slash.
    pub path: String,
}

impl WebUrl {
    /// The same host and scheme with another path (with its leading slash).
    pub fn at(&self, path: &str) -> WebUrl {
        WebUrl { tls: self.tls, host: self.host.clone(), path: path.to_owned() }
    }

    /// The port that the scheme implies.
    pub fn port(&self) -> u16 {
        if self.tls { 443 } else { 80 }
    }

    /// The address of the virtual directory it is in: `https://legacy.contoso.com/owa/`.
    pub fn virtual_directory(&self) -> WebUrl {
        let first = self.path.trim_start_matches('/').split(['/', '?', '#']).next().unwrap_or_default();
        self.at(&if first.is_empty() { "/".to_owned() } else { format!("/{first}/") })
    }

    /// Reads an address that a server or proxy wrote: letter case of scheme and host folded, the scheme's own port dropped.
    ///
    /// # Errors
    /// What is no web address, or names another port.
    pub fn folded(written: &str) -> Result<WebUrl, BadName> {
        let bad = || BadName { given: written.to_owned(), what: WHAT, example: EXAMPLE };
        let (scheme, rest) = written.split_once("://").ok_or_else(bad)?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(bad()),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let own_port = if tls { ":443" } else { ":80" };
        let host =
            HostName::folded(authority.strip_suffix(own_port).unwrap_or(authority)).map_err(|_| bad())?;
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        if path.contains(|c: char| c.is_control() || c == ' ') {
            return Err(bad());
        }
        Ok(WebUrl { tls, host, path })
    }
}

const WHAT: &str = "web address (canonical: no port)";
const EXAMPLE: &str = "https://mail.contoso.com/owa/";

impl FromStr for WebUrl {
    type Err = BadName;
    fn from_str(given: &str) -> Result<Self, BadName> {
        let url = WebUrl::folded(given)?;
        match url.to_string() == given {
            true => Ok(url),
            false => Err(BadName { given: given.to_owned(), what: WHAT, example: EXAMPLE }),
        }
    }
}

impl TryFrom<String> for WebUrl {
    type Error = BadName;
    fn try_from(given: String) -> Result<Self, BadName> {
        given.parse()
    }
}

impl From<WebUrl> for String {
    fn from(url: WebUrl) -> String {
        url.to_string()
    }
}

impl fmt::Display for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", if self.tls { "https" } else { "http" }, self.host, self.path)
    }
}

impl fmt::Debug for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What servers and clients inside are meant to use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InternalUrl(pub WebUrl);

/// What the internet is meant to use. A site is internet-facing for a protocol when one is set there (rule TOP-1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalUrl(pub WebUrl);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_no_port() {
        let refused = "https://mail.contoso.com:8443/owa/".parse::<WebUrl>().unwrap_err().to_string();
        assert!(refused.contains("https://mail.contoso.com/owa/"), "{refused}");
        assert!(
            WebUrl::folded("HTTPS://Mail.contoso.com:443/owa").unwrap().to_string()
                == "https://mail.contoso.com/owa"
        );
    }

    #[test]
    fn the_virtual_directory_is_the_first_part_of_the_path() {
        let url = WebUrl::folded("https://legacy.contoso.com/owa/auth/owaauth.dll").unwrap();
        assert_eq!(url.virtual_directory().to_string(), "https://legacy.contoso.com/owa/");
    }
}
