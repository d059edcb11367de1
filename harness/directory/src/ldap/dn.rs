//! Distinguished names (RFC 4514): as they are written, and as they compare.

use std::fmt;

/// A name in the tree.
#[derive(Debug, Clone)]
pub(super) struct Dn {
    text: String,
    /// Folded: small letters, one spelling of each escape. No value in it holds a comma.
    key: String,
}

impl Dn {
    /// The name of a domain: `DC=contoso,DC=com`.
    pub(super) fn of_domain(domain: &model::HostName) -> Dn {
        let labels = domain.as_str().split('.').rev();
        labels.fold(Dn::of_root(), |above, label| above.child("DC", label))
    }

    /// The empty name, of the rootDSE.
    pub(super) fn of_root() -> Dn {
        Dn { text: String::new(), key: String::new() }
    }

    /// A name as a client writes it; `None` for what is none.
    pub(super) fn parse(written: &str) -> Option<Dn> {
        let mut key = String::new();
        for rdn in pieces(written, ',')? {
            let mut parts = vec![];
            for part in pieces(rdn, '+')? {
                let (kind, value) = part.split_once('=')?;
                let kind = kind.trim();
                let fits =
                    !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b));
                parts.push(format!(
                    "{}={}",
                    fits.then(|| kind.to_ascii_lowercase())?,
                    folded(&unescaped(value)?)
                ));
            }
            // The parts of one step have no order.
            parts.sort();
            if !key.is_empty() {
                key.push(',');
            }
            key.push_str(&parts.join("+"));
        }
        Some(Dn { text: written.to_owned(), key })
    }

    /// The name one step below.
    pub(super) fn child(&self, kind: &str, value: &str) -> Dn {
        let join = |own: String, above: &str| if above.is_empty() { own } else { format!("{own},{above}") };
        Dn {
            text: join(format!("{kind}={}", escaped(value)), &self.text),
            key: join(format!("{}={}", kind.to_ascii_lowercase(), folded(value)), &self.key),
        }
    }

    /// As it is written.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// As it compares.
    pub(super) fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The key one step above; nothing is above the first step.
pub(super) fn above(key: &str) -> Option<&str> {
    key.split_once(',').map(|(_, above)| above)
}

/// Whether a key is that of the base or of something below it.
pub(super) fn is_within(key: &str, base: &str) -> bool {
    key.strip_suffix(base).is_some_and(|below| below.is_empty() || base.is_empty() || below.ends_with(','))
}

/// What stands between separators that are neither escaped nor quoted.
fn pieces(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut pieces, mut from, mut escaped, mut quoted) = (vec![], 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            c if c == separator && !quoted => {
                pieces.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    pieces.push(&text[from..]);
    (!escaped && !quoted).then_some(pieces)
}

/// A value without quotes, escapes and the spaces around it.
fn unescaped(written: &str) -> Option<String> {
    let written = written.trim_start();
    let written =
        written.strip_prefix('"').and_then(|rest| rest.trim_end().strip_suffix('"')).unwrap_or(written);
    let (mut bytes, mut kept, mut rest) = (vec![], 0, written.bytes());
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            // Spaces at the end are no part of the value, unless they are escaped.
            if byte != b' ' {
                kept = bytes.len();
            }
            continue;
        }
        let first = rest.next()?;
        bytes.push(match char::from(first).to_digit(16) {
            Some(high) => (high * 16 + char::from(rest.next()?).to_digit(16)?) as u8,
            None => first,
        });
        kept = bytes.len();
    }
    bytes.truncate(kept);
    String::from_utf8(bytes).ok()
}

fn escaped(value: &str) -> String {
    let mut text = String::new();
    for (at, c) in value.char_indices() {
        let at_an_end = at == 0 || at + c.len_utf8() == value.len();
        if ",+\"\\<>;=".contains(c) || (at == 0 && c == '#') || (at_an_end && c == ' ') {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

fn folded(value: &str) -> String {
    let mut key = String::new();
    for c in value.to_lowercase().chars() {
        match c {
            ',' | '+' | '=' | '\\' | '\0' => key.push_str(&format!("\\{:02x}", c as u32)),
            c => key.push(c),
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(written: &str) -> Option<String> {
        Dn::parse(written).map(|dn| dn.key)
    }

    #[test]
    fn spellings_of_one_name_compare_equal() {
        let own =
            Dn::of_domain(&"contoso.com".parse().unwrap()).child("CN", "Users").child("CN", "Doe, Jane");
        assert_eq!(own.as_str(), "CN=Doe\\, Jane,CN=Users,DC=contoso,DC=com");
        for written in [
            "CN=Doe\\, Jane,CN=Users,DC=contoso,DC=com",
            "cn=doe\\2c jane, cn=users , dc=CONTOSO,dc=com",
            "cn=\"Doe, Jane\",cn=users,dc=contoso,dc=com",
        ] {
            assert_eq!(key(written).as_deref(), Some(own.key()), "{written}");
        }
        assert_ne!(key("cn=Doe,cn=Jane,cn=Users,dc=contoso,dc=com").as_deref(), Some(own.key()));
    }

    #[test]
    fn what_is_no_name_is_none() {
        for written in
            ["", "contoso", "cn", "=x", "cn=a,,dc=b", "cn=a\\", "cn=a\\2", "cn=a\\ff", "cn=\"a", "c n=x"]
        {
            assert_eq!(key(written), None, "{written}");
        }
    }

    #[test]
    fn below_means_below_at_a_step() {
        assert!(is_within("cn=a,dc=com", "dc=com"));
        assert!(is_within("dc=com", "dc=com"));
        assert!(is_within("dc=com", ""));
        assert!(!is_within("cn=a,xdc=com", "dc=com"));
        // A comma in a value is no step.
        assert!(!is_within(&key("cn=a\\,dc=com").unwrap(), "dc=com"));
    }
}
