//! What a device says of itself: its kind and the protocol version it speaks.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;

/// Kinds of device that are on the list of those that follow a 451, by the beginning of User-Agent or DeviceType.
///
/// A stand-in: the list behind a real 2010 server's decision is unknown (wire facts 14). All of these support
/// Autodiscover; a kind that is not here is taken for one that is on no list and may not.
const FOLLOWS_451: &[&str] = &["Apple-iPhone", "iPhone", "Apple-iPad", "iPad", "WP8", "WindowsMail"];

/// A device, as far as a request tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Device {
    /// User-Agent.
    pub user_agent: String,
    /// DeviceType of a plain query.
    pub kind: Option<String>,
    /// MS-ASProtocolVersion, or the first byte of a base64 query.
    pub protocol_version: Option<(u8, u8)>,
    /// It is on the list of those that follow a 451.
    pub on_list: bool,
    /// It can run Autodiscover.
    pub autodiscover: bool,
}

impl Device {
    /// Reads what a request says.
    pub fn of(headers: &HeaderMap, query: &str) -> Device {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let user_agent = text("user-agent").to_owned();
        let kind = parameter(query, "DeviceType");
        let begins = |name: &str| {
            let word =
                |said: &str| said.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name));
            word(&user_agent) || kind.as_deref().is_some_and(word)
        };
        let listed = FOLLOWS_451.iter().any(|name| begins(name));
        let protocol_version =
            version(text("ms-asprotocolversion")).or_else(|| version_of_base64_query(query));
        Device { user_agent, kind, protocol_version, on_list: listed, autodiscover: listed }
    }
}

/// A parameter of a query, its name in any letter case; not decoded, as kinds of device need no decoding.
pub fn parameter(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.eq_ignore_ascii_case(name).then(|| value.to_owned())
    })
}

/// `14.1`
fn version(written: &str) -> Option<(u8, u8)> {
    let (major, minor) = written.trim().split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Wire facts 2.1: the first byte of a base64 query is the version, 121, 140 or 141.
fn version_of_base64_query(query: &str) -> Option<(u8, u8)> {
    let word = query.split('&').next().filter(|word| word.len() >= 8 && word.len() <= 1024)?;
    let first = *STANDARD.decode(word.get(..4)?).ok()?.first()?;
    matches!(first, 120..=169).then_some((first / 10, first % 10))
}
