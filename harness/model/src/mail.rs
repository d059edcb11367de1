//! IMAP and POP on one server, as Set-ImapSettings and Set-PopSettings have it; and where a mail program is told to go.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::case::Over;
use crate::names::{BadName, HostName};
use crate::protocol::{Protocol, words};

/// One of the two services on one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MailService {
    /// Whether the service runs. Where it does not, nobody listens on its ports.
    pub runs: bool,
    /// InternalConnectionSettings: where other Client Access servers are to connect.
    #[serde(default)]
    pub internal_connection_settings: Vec<ConnectionSetting>,
    /// LoginType.
    #[serde(default)]
    pub login_type: LoginType,
    /// Banner: what the greeting says instead of the usual words.
    pub banner: Option<String>,
    /// Whether it offers NTLM (EnableGSSAPIAndNTLMAuth). Off unless set: what takes a sign-in on to another server needs the
    /// password.
    #[serde(default)]
    pub ntlm: bool,
}

words! {
    /// LoginType: by what a client may sign in where there is no TLS.
    #[derive(Default)]
    LoginType, "login type", "secure-login (or plain-text-login, plain-text-authentication)";
    /// By a password in clear.
    PlainTextLogin = "plain-text-login",
    /// By a scheme that hides the password, and not by one in clear.
    PlainTextAuthentication = "plain-text-authentication",
    /// Not at all: the default.
    #[default]
    SecureLogin = "secure-login",
}

/// One of InternalConnectionSettings, `cas2010-s1.contoso.com:993:SSL`; the third part is `SSL`, `TLS` (by a command), or
/// nothing for plain text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ConnectionSetting {
    /// The name that is dialled.
    pub host: HostName,
    /// The port.
    pub port: u16,
    /// SSL is [`Over::Tls`], TLS is [`Over::Starttls`].
    pub over: Over,
}

impl FromStr for ConnectionSetting {
    type Err = BadName;
    fn from_str(given: &str) -> Result<Self, BadName> {
        let bad = || BadName {
            given: given.to_owned(),
            what: "connection setting",
            example: "cas2010-s1.contoso.com:993:SSL (or :143:TLS, :143:)",
        };
        let parts: Vec<&str> = given.split(':').collect();
        let [host, port, kind] = parts[..] else { return Err(bad()) };
        let over = match kind {
            "SSL" => Over::Tls,
            "TLS" => Over::Starttls,
            "" => Over::Plain,
            _ => return Err(bad()),
        };
        let port = port.parse().map_err(|_| bad())?;
        Ok(ConnectionSetting { host: host.parse().map_err(|_| bad())?, port, over })
    }
}

impl TryFrom<String> for ConnectionSetting {
    type Error = BadName;
    fn try_from(given: String) -> Result<Self, BadName> {
        given.parse()
    }
}

impl From<ConnectionSetting> for String {
    fn from(setting: ConnectionSetting) -> String {
        setting.to_string()
    }
}

impl fmt::Display for ConnectionSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.over {
            Over::Tls => "SSL",
            Over::Starttls => "TLS",
            Over::Plain => "",
        };
        write!(f, "{}:{}:{kind}", self.host, self.port)
    }
}

/// Where a mail program is told to go: `imap+tls:mail.contoso.com`, `pop+starttls:…`, or in clear `imap:…`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MailAddress {
    /// IMAP or POP.
    pub protocol: Protocol,
    /// Over what.
    pub over: Over,
    /// The name that is dialled.
    pub host: HostName,
}

impl MailAddress {
    /// The port that clients use.
    pub fn port(&self) -> u16 {
        client_port(self.protocol, self.over)
    }
}

/// The port of a protocol for clients, and of a legacy server for front ends. None of a protocol that is no mail.
pub fn client_port(protocol: Protocol, over: Over) -> u16 {
    match (protocol, over) {
        (Protocol::Imap, Over::Tls) => 993,
        (Protocol::Imap, _) => 143,
        (Protocol::Pop, Over::Tls) => 995,
        (Protocol::Pop, _) => 110,
        _ => 0,
    }
}

/// The port of the 2013 back end for a protocol, over TLS (wire facts 8). None of a protocol that is no mail.
pub fn back_end_port(protocol: Protocol) -> u16 {
    match protocol {
        Protocol::Imap => 1993,
        Protocol::Pop => 1995,
        _ => 0,
    }
}

impl FromStr for MailAddress {
    type Err = BadName;
    fn from_str(given: &str) -> Result<Self, BadName> {
        let bad = || BadName {
            given: given.to_owned(),
            what: "address of a mail server",
            example: "imap+tls:mail.contoso.com (or imap+starttls:, imap:, pop+tls:, …)",
        };
        let (scheme, host) = given.split_once(':').ok_or_else(bad)?;
        let (protocol, over) = match scheme.split_once('+') {
            None => (scheme, Over::Plain),
            Some((protocol, "tls")) => (protocol, Over::Tls),
            Some((protocol, "starttls")) => (protocol, Over::Starttls),
            Some(_) => return Err(bad()),
        };
        let protocol = match protocol {
            "imap" => Protocol::Imap,
            "pop" => Protocol::Pop,
            _ => return Err(bad()),
        };
        Ok(MailAddress { protocol, over, host: host.parse().map_err(|_| bad())? })
    }
}

impl TryFrom<String> for MailAddress {
    type Error = BadName;
    fn try_from(given: String) -> Result<Self, BadName> {
        given.parse()
    }
}

impl From<MailAddress> for String {
    fn from(address: MailAddress) -> String {
        address.to_string()
    }
}

impl fmt::Display for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.over {
            Over::Plain => write!(f, "{}:{}", self.protocol, self.host),
            over => write!(f, "{}+{over}:{}", self.protocol, self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_setting_is_written_as_exchange_writes_it() {
        for written in
            ["cas2010-s1.contoso.com:993:SSL", "cas2010-s1.contoso.com:143:TLS", "a.contoso.com:143:"]
        {
            assert_eq!(written.parse::<ConnectionSetting>().unwrap().to_string(), written);
        }
        for wrong in
            ["cas2010-s1.contoso.com:993", "cas2010-s1.contoso.com:x:SSL", "a.b:1:ssl", "A.b:1:SSL", ""]
        {
            let refused = wrong.parse::<ConnectionSetting>().unwrap_err().to_string();
            assert!(refused.contains("cas2010-s1.contoso.com:993:SSL"), "{refused}");
        }
    }

    #[test]
    fn an_address_of_a_mail_server_says_protocol_transport_and_name() {
        for (written, port) in [
            ("imap+tls:mail.contoso.com", 993),
            ("imap+starttls:mail.contoso.com", 143),
            ("pop:mail.contoso.com", 110),
            ("pop+tls:mail.contoso.com", 995),
        ] {
            let address: MailAddress = written.parse().unwrap();
            assert_eq!((address.to_string().as_str(), address.port()), (written, port));
        }
        for wrong in ["imap+ssl:mail.contoso.com", "smtp:mail.contoso.com", "imap://mail.contoso.com", "imap"]
        {
            assert!(wrong.parse::<MailAddress>().is_err(), "{wrong}");
        }
    }
}
