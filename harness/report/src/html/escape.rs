//! Text of anybody's as HTML: never markup, and never steering how what stands around it is read.

use model::plain::steers;

/// Text for an element or a quoted attribute. Control characters and those that turn the direction of reading are written
/// out; a text that is too long is cut.
pub(super) fn text(written: &str) -> String {
    bounded(written, MOST_CHARACTERS)
}

/// The same of a text that may have several lines.
pub(super) fn lines(written: &str) -> String {
    written.split('\n').map(text).collect::<Vec<_>>().join("\n")
}

/// The same, no longer than this many characters.
pub(super) fn bounded(written: &str, most: usize) -> String {
    let mut shown = String::with_capacity(written.len());
    for (at, c) in written.chars().enumerate() {
        if at == most {
            shown.push('…');
            break;
        }
        match c {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '"' => shown.push_str("&quot;"),
            '\'' => shown.push_str("&#39;"),
            c if steers(c) => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

/// A path or fragment of a link: what RFC 3986 does not allow there is percent-encoded.
pub(super) fn address(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte.is_ascii_alphanumeric() || b"-._~/+".contains(&byte) {
            true => encoded.push(char::from(byte)),
            false => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// The most characters of one value that the page shows; the evidence has the rest.
const MOST_CHARACTERS: usize = 600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_markup_or_turns_the_line() {
        assert_eq!(
            text("</p><script>alert('1')</script> \"&\u{202e}x\u{2066}\u{1b}[1m"),
            "&lt;/p&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &quot;&amp;\\u{202e}x\\u{2066}\\u{1b}[1m"
        );
        assert_eq!(lines("a\n<b>"), "a\n&lt;b&gt;");
        assert_eq!(bounded("<<<<", 2), "&lt;&lt;…");
    }

    #[test]
    fn a_link_holds_what_a_link_may() {
        assert_eq!(address("a/b-1+pairs[chunked]\" x"), "a/b-1+pairs%5Bchunked%5D%22%20x");
    }
}
