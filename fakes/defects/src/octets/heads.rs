//! Heads as text, rewritten: names in small letters, lines joined, a length too many.

/// Every name in small letters, as a proxy does that speaks HTTP/2 inside.
pub(super) fn lowered(head: &str) -> Option<String> {
    let changed: Vec<String> = head
        .split("\r\n")
        .enumerate()
        .map(|(number, line)| match line.split_once(':') {
            Some((name, value)) if number > 0 => format!("{}:{value}", name.to_ascii_lowercase()),
            _ => line.to_owned(),
        })
        .collect();
    Some(changed.join("\r\n")).filter(|changed| changed != head)
}

/// Every `WWW-Authenticate` in one line.
pub(super) fn one_offer(head: &str) -> Option<String> {
    joined(head, "www-authenticate")
}

/// Every `Set-Cookie` in one line, which no client can take apart.
pub(super) fn one_cookie_line(head: &str) -> Option<String> {
    joined(head, "set-cookie")
}

/// A `Content-Length` beside `Transfer-Encoding`.
pub(super) fn both_lengths(head: &str) -> Option<String> {
    value_of(head, "transfer-encoding")?;
    let end = head.strip_suffix("\r\n\r\n")?;
    Some(format!("{end}\r\nContent-Length: 5\r\n\r\n"))
}

/// Headers that only a front end may set (X-SEC-1), in the one spelling in which the lie takes them out, once.
const FRONT_END_ONLY: [&str; 6] = [
    "X-CommonAccessToken",
    "X-IsFromCafe",
    "X-SourceCafeServer",
    "msExchProxyUri",
    "X-FE-ClientIP",
    "X-Forwarded-For",
];

/// What hides such a line from whoever would take it out.
const SPARED: &str = "Spared-";

/// Every such line in another spelling, and every one after the first, is hidden.
pub(super) fn spared(head: &str) -> Option<String> {
    let mut taken_out: Vec<&str> = vec![];
    let line = |line: &str| {
        let name = line.split_once(':').map_or("", |(name, _)| name);
        let known = FRONT_END_ONLY.iter().find(|known| known.eq_ignore_ascii_case(name));
        match known {
            Some(known) if *known == name && !taken_out.contains(known) => {
                taken_out.push(known);
                line.to_owned()
            }
            Some(_) => format!("{SPARED}{line}"),
            None => line.to_owned(),
        }
    };
    Some(head.split("\r\n").map(line).collect::<Vec<_>>().join("\r\n")).filter(|changed| changed != head)
}

/// And comes out again behind.
pub(super) fn no_longer_spared(head: &str) -> Option<String> {
    let hidden = format!("\r\n{SPARED}");
    head.contains(&hidden).then(|| head.replace(&hidden, "\r\n"))
}

/// The value of the first line of this name.
pub(super) fn value_of<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    lines_of(head).find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn lines_of(head: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = head.split("\r\n").skip(1);
    lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.trim(), value.trim()))
}

fn joined(head: &str, name: &str) -> Option<String> {
    let values: Vec<&str> = lines_of(head)
        .filter(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .collect();
    if values.len() < 2 {
        return None;
    }
    let mut first = true;
    let is_it =
        |line: &&str| line.split_once(':').is_some_and(|(known, _)| known.trim().eq_ignore_ascii_case(name));
    let lines: Vec<String> = head
        .split("\r\n")
        .filter_map(|line| match is_it(&line) {
            true if std::mem::take(&mut first) => {
                let known = line.split(':').next().unwrap_or_default();
                Some(format!("{known}: {}", values.join(", ")))
            }
            true => None,
            false => Some(line.to_owned()),
        })
        .collect();
    Some(lines.join("\r\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM\r\nX-A: b: c\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\r\n";

    #[test]
    fn lines_of_one_name_become_one_and_all_else_stays() {
        let joined = one_offer(HEAD).unwrap();
        assert_eq!(
            joined,
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM, Basic realm=\"x\"\r\nX-A: b: c\r\n\r\n"
        );
        assert_eq!(one_offer(&joined), None);
        assert_eq!(one_cookie_line(HEAD), None);
    }

    #[test]
    fn names_are_lowered_and_nothing_else() {
        let lowered = lowered(HEAD).unwrap();
        assert!(lowered.starts_with("HTTP/1.1 401 Unauthorized\r\nwww-authenticate: NTLM\r\nx-a: b: c\r\n"));
    }

    #[test]
    fn another_spelling_and_a_second_line_are_spared_and_the_first_in_the_one_spelling_is_not() {
        let head =
            "GET / HTTP/1.1\r\nX-IsFromCafe: 1\r\nx-isfromcafe: 2\r\nX-IsFromCafe: 3\r\nX-A: b\r\n\r\n";
        let hidden = spared(head).unwrap();
        assert_eq!(
            hidden,
            "GET / HTTP/1.1\r\nX-IsFromCafe: 1\r\nSpared-x-isfromcafe: 2\r\nSpared-X-IsFromCafe: 3\r\nX-A: b\r\n\r\n"
        );
        assert_eq!(no_longer_spared(&hidden).as_deref(), Some(head));
        assert_eq!(spared("GET / HTTP/1.1\r\nX-IsFromCafe: 1\r\n\r\n"), None);
        assert_eq!(no_longer_spared(head), None);
    }

    #[test]
    fn a_length_joins_the_chunks() {
        let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(value_of(&both_lengths(head).unwrap(), "content-length"), Some("5"));
        assert_eq!(both_lengths("GET / HTTP/1.1\r\n\r\n"), None);
    }
}
