//! The logon form as a browser posts it, `application/x-www-form-urlencoded`.

use std::fmt;

/// The longest form that is read, in bytes.
const LONGEST: usize = 64 * 1024;
/// How many fields a form may hold.
const MOST_FIELDS: usize = 64;

/// What a user typed and chose on a logon page (wire facts 1.1).
#[derive(Clone, PartialEq, Eq)]
pub struct LogonForm {
    /// Where to land, an absolute address; empty where the form names none.
    pub destination: String,
    /// As typed: `DOMAIN\user`, an address, or a user name.
    pub username: String,
    /// As typed.
    pub password: String,
    /// Bit 4: private computer. Bit 1: basic client.
    pub flags: u8,
    /// 0: public computer. 4: private.
    pub trusted: u8,
    /// Whether the basic client was asked for.
    pub force_down_level: bool,
}

/// Why a form was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// Too many bytes.
    #[error("the form is {0} bytes long; {LONGEST} are allowed")]
    TooLong(usize),
    /// Too many fields.
    #[error("the form has more than {MOST_FIELDS} fields")]
    TooManyFields,
    /// A `%` without two hexadecimal digits after it.
    #[error("a % in the form is not followed by two hexadecimal digits")]
    BadEscape,
    /// A field's bytes are no UTF-8.
    #[error("a field of the form is not UTF-8")]
    NotUtf8,
    /// A field that must be there is not.
    #[error("the form has no field `{0}`")]
    Missing(&'static str),
    /// A field that must be a small number is not.
    #[error("the field `{0}` is no number from 0 to 255")]
    NoNumber(&'static str),
}

impl LogonForm {
    /// Reads a posted body.
    ///
    /// # Errors
    /// Whatever is over a bound, wrongly escaped, or without user name or password.
    pub fn read(body: &[u8]) -> Result<LogonForm, FormError> {
        if body.len() > LONGEST {
            return Err(FormError::TooLong(body.len()));
        }
        let body = std::str::from_utf8(body).map_err(|_| FormError::NotUtf8)?.trim_end_matches(['\r', '\n']);
        let mut fields = Vec::new();
        for pair in body.split('&').filter(|pair| !pair.is_empty()) {
            if fields.len() == MOST_FIELDS {
                return Err(FormError::TooManyFields);
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            fields.push((decode(name)?, decode(value)?));
        }
        let text = |wanted: &'static str| {
            fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.clone())
        };
        let number = |wanted: &'static str| match text(wanted).as_deref() {
            None | Some("") => Ok(0),
            Some(value) => value.parse::<u8>().map_err(|_| FormError::NoNumber(wanted)),
        };
        Ok(LogonForm {
            destination: text("destination").unwrap_or_default(),
            username: text("username").ok_or(FormError::Missing("username"))?,
            password: text("password").ok_or(FormError::Missing("password"))?,
            flags: number("flags")?,
            trusted: number("trusted")?,
            force_down_level: number("forcedownlevel")? == 1,
        })
    }

    /// Whether the user said that the computer is private.
    pub fn private(&self) -> bool {
        self.trusted & 4 != 0 || self.flags & 4 != 0
    }
}

/// A password is no business of a log.
impl fmt::Debug for LogonForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogonForm")
            .field("destination", &self.destination)
            .field("username", &self.username)
            .field("flags", &self.flags)
            .field("trusted", &self.trusted)
            .finish_non_exhaustive()
    }
}

/// One name or value, its escapes resolved.
pub(super) fn decode(escaped: &str) -> Result<String, FormError> {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                let (high, low) =
                    (digit().ok_or(FormError::BadEscape)?, digit().ok_or(FormError::BadEscape)?);
                u8::try_from(high * 16 + low).expect("two hexadecimal digits are a byte")
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| FormError::NotUtf8)
}

/// One name or value as it may stand in a form or a query: everything but RFC 3986's unreserved characters escaped.
pub(super) fn encode(plain: &str) -> String {
    let mut escaped = String::with_capacity(plain.len());
    for byte in plain.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_reads_as_the_browser_escaped_it() {
        let form = LogonForm::read(
            b"destination=https%3a%2f%2fmail.contoso.com%2fowa%2f&flags=4&forcedownlevel=0&trusted=4&\
              username=CONTOSO%5Co%27neil&password=a+b%2Bc%26%C3%A9&isUtf8=1&passwordText=",
        )
        .unwrap();
        assert_eq!(form.destination, "https://mail.contoso.com/owa/");
        assert_eq!((form.username.as_str(), form.password.as_str()), ("CONTOSO\\o'neil", "a b+c&\u{e9}"));
        assert!(form.private() && !form.force_down_level);
        assert!(!format!("{form:?}").contains("a b+c"));
    }

    #[test]
    fn a_form_that_is_none_is_refused_with_its_reason() {
        let refused = |body: &[u8]| LogonForm::read(body).unwrap_err();
        assert_eq!(refused(b"username=a"), FormError::Missing("password"));
        assert_eq!(refused(b"username=a&password=%4"), FormError::BadEscape);
        assert_eq!(refused(b"username=a&password=%+1"), FormError::BadEscape);
        assert_eq!(refused(b"username=a&password=%E9"), FormError::NotUtf8);
        assert_eq!(refused(b"username=a&password=b&flags=256"), FormError::NoNumber("flags"));
        assert_eq!(refused("a=b&".repeat(65).as_bytes()), FormError::TooManyFields);
        assert_eq!(refused(&vec![b'a'; LONGEST + 1]), FormError::TooLong(LONGEST + 1));
    }

    #[test]
    fn any_text_survives_escaping() {
        let hostile = "'\"&<>%+= ;\u{e9}\u{4e2d}\u{0}\r\n";
        assert_eq!(decode(&encode(hostile)).unwrap(), hostile);
    }
}
