//! Rust source with everything blanked out that is no code: comments, strings, characters.

/// The same text, line for line and column for column, with comments and the insides of literals as spaces.
pub(super) fn only(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = end_of_other(&chars, at);
        match end {
            Some(end) => {
                code.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
                at = end;
            }
            None => {
                code.push(chars[at]);
                at += 1;
            }
        }
    }
    code
}

/// Where the comment or literal that begins here ends; `None` where none begins.
fn end_of_other(chars: &[char], at: usize) -> Option<usize> {
    let next = |ahead: usize| chars.get(at + ahead).copied();
    let in_a_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match chars[at] {
        '/' if next(1) == Some('/') => Some(find(chars, at, "\n").unwrap_or(chars.len())),
        '/' if next(1) == Some('*') => Some(end_of_block(chars, at)),
        '"' => Some(end_of_quoted(chars, at + 1, '"')),
        'r' | 'b' | 'c' if !in_a_word => end_of_raw(chars, at),
        // A character, and not a lifetime: it closes after one character or an escape.
        '\'' if next(1) == Some('\\') || (next(2) == Some('\'') && next(1) != Some('\'')) => {
            Some(end_of_quoted(chars, at + 1, '\''))
        }
        _ => None,
    }
}

/// `r"…"`, `r#"…"#`, `br"…"`, `cr"…"`; plain strings with a prefix are found at their quote.
fn end_of_raw(chars: &[char], at: usize) -> Option<usize> {
    let r = if chars[at] == 'r' { at } else { at + 1 };
    if chars.get(r) != Some(&'r') {
        return None;
    }
    let hashes = chars[r + 1..].iter().take_while(|c| **c == '#').count();
    let open = r + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    Some(find(chars, open + 1, &close).map_or(chars.len(), |start| start + 1 + hashes))
}

fn end_of_quoted(chars: &[char], mut at: usize, quote: char) -> usize {
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// Block comments nest.
fn end_of_block(chars: &[char], at: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = at;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) if depth == 1 => return at + 2,
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    chars.len()
}

fn find(chars: &[char], from: usize, wanted: &str) -> Option<usize> {
    let wanted: Vec<char> = wanted.chars().collect();
    (from..chars.len()).find(|at| chars[*at..].starts_with(&wanted))
}

#[cfg(test)]
mod tests {
    use super::only;

    #[test]
    fn what_is_no_code_is_blank_and_what_is_code_stays_where_it_was() {
        let source = "let a = \"one // \\\" two\"; // three\nlet b = r#\"four \" five\"#; /* six /* */ seven */ let c = '\"';\nfn d<'x>(e: &'x str) { 'y: loop {} }\nlet f = b'\\''; let g = br\"h\"; bring(i)";
        let code = only(source);
        assert_eq!(code.lines().count(), source.lines().count());
        assert_eq!(code.chars().count(), source.chars().count());
        for gone in ["one", "two", "three", "four", "five", "six", "seven", "h\""] {
            assert!(!code.contains(gone), "{gone} is left in {code}");
        }
        for kept in [
            "let a = ",
            "let b = ",
            "let c = ",
            "fn d<'x>(e: &'x str) { 'y: loop {} }",
            "let g = ",
            "bring(i)",
        ] {
            assert!(code.contains(kept), "{kept} is gone from {code}");
        }
    }

    #[test]
    fn source_that_ends_early_is_no_trouble() {
        for source in ["\"", "r#\"", "/*", "'\\", "b", "r", "br#", "\"\\", "//"] {
            assert_eq!(only(source).chars().count(), source.chars().count(), "{source}");
        }
    }
}
