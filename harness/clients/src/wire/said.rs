//! What is asked, the answer, and why none came.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{HOST, HeaderMap, HeaderName, HeaderValue, LOCATION};
use http::{Method, Request as HttpRequest};
use http_body_util::Full;
use model::journal::CookieOfAnother;
use model::{HostName, WebUrl};

use super::{LineId, Place, text};
use crate::network::ResolveError;

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) verb: Method,
    pub(crate) url: WebUrl,
    /// The port where it is not the scheme's own: an SRV record may say so.
    pub(crate) port: Option<u16>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// What the journal says of the cookies among the headers.
    pub(crate) cookies_of_others: Vec<CookieOfAnother>,
    /// The connection that it must go on, where it belongs to what was said there.
    pub(super) line: Option<LineId>,
}

impl Request {
    pub(crate) fn new(verb: Method, url: WebUrl) -> Request {
        Request {
            verb,
            url,
            port: None,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            cookies_of_others: vec![],
            line: None,
        }
    }

    /// Sets a header. A value that no header can hold is left out: it would never reach the wire.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Request {
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    /// Adds a line of a name that may stand on several.
    pub(crate) fn line(mut self, name: &'static str, value: &str) -> Request {
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            self.headers.append(HeaderName::from_static(name), value);
        }
        self
    }

    /// Gives it a body.
    pub(crate) fn with(mut self, body: impl Into<Bytes>) -> Request {
        self.body = body.into();
        self
    }

    pub(crate) fn on_port(mut self, port: Option<u16>) -> Request {
        self.port = port;
        self
    }

    /// Sends it on this connection or not at all.
    pub(crate) fn on_line(mut self, line: LineId) -> Request {
        self.line = Some(line);
        self
    }

    pub(super) fn place(&self) -> Place {
        (self.url.tls, self.url.host.clone(), self.port())
    }

    pub(super) fn port(&self) -> u16 {
        self.port.unwrap_or_else(|| self.url.port())
    }

    /// Host header: with the port only where it is not the scheme's own (RFC 9110, section 7.2).
    fn host(&self) -> String {
        match self.port() == self.url.port() {
            true => self.url.host.to_string(),
            false => format!("{}:{}", self.url.host, self.port()),
        }
    }

    pub(super) fn built(&self) -> Result<HttpRequest<Full<Bytes>>, Broken> {
        let target = self.url.path.split('#').next().unwrap_or("/");
        let mut request = HttpRequest::builder()
            .method(self.verb.clone())
            .uri(target)
            .header(HOST, self.host())
            .body(Full::new(self.body.clone()))
            .map_err(|error| Broken::Unsendable(target.to_owned(), error))?;
        request.headers_mut().extend(self.headers.clone());
        Ok(request)
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    /// A header's first value, where it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The Location header.
    pub(crate) fn location(&self) -> Option<&str> {
        text(&self.headers, LOCATION.as_str())
    }

    /// Whether a 401 offers this scheme. Basic is found on a line with others too; what is bound to a connection only on a
    /// line of its own, as IIS writes it (rule X-WIRE-2).
    pub(crate) fn offers(&self, scheme: &str) -> bool {
        let is_it = |offer: &str| {
            offer.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case(scheme))
        };
        self.challenges().any(|line| match scheme {
            "Basic" => line.split(',').any(is_it),
            _ => is_it(line),
        })
    }

    /// What this scheme's line says, decoded.
    pub(crate) fn token(&self, scheme: &str) -> Option<Vec<u8>> {
        self.challenges().find_map(|line| {
            let (word, token) = line.trim().split_once(' ')?;
            word.eq_ignore_ascii_case(scheme).then(|| STANDARD.decode(token.trim()).ok())?
        })
    }

    fn challenges(&self) -> impl Iterator<Item = &str> {
        self.headers.get_all("www-authenticate").iter().filter_map(|line| line.to_str().ok())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
}

/// Why no whole answer came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("{0} does not resolve")]
    Unresolved(HostName),
    #[error(transparent)]
    Dns(#[from] ResolveError),
    #[error("no connection to {0}: {1}")]
    Dial(SocketAddr, std::io::Error),
    #[error("no TLS with {0}: {1}")]
    Tls(HostName, std::io::Error),
    #[error("{0} cannot be asked for: {1}")]
    Unsendable(String, http::Error),
    #[error("{0} broke off or sent no HTTP: {1}")]
    Http(HostName, hyper::Error),
    #[error("the connection was closed before anything was asked on it")]
    Closed,
    #[error("{0} closed the connection on which a sign-in had begun")]
    HungUp(HostName),
    #[error("{0} did not answer within {1:?}")]
    Silent(HostName, Duration),
    #[error("{0} answered with more than {1} bytes")]
    TooLong(HostName, usize),
}
