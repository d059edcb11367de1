//! Text of anybody's, fit to be shown to a person.

/// Whether a character steers a terminal, is not seen, or turns the direction of reading (Unicode Standard Annex 9; its
/// Default_Ignorable_Code_Point): shown as it is, a text that holds it says something else than it seems to.
#[must_use]
pub fn steers(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// The text as one line of at most so many of its characters: what steers is written out.
#[must_use]
pub fn plain(text: &str, most: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(most));
    for (at, c) in text.chars().enumerate() {
        if at == most {
            shown.push('…');
            break;
        }
        match steers(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_is_shown_as_it_is_and_no_more_than_is_asked_for() {
        let text = "red\x1b[2J\r\n\u{202e}gpj.\u{feff}\u{ad}é";
        assert_eq!(plain(text, 100), "red\\u{1b}[2J\\r\\n\\u{202e}gpj.\\u{feff}\\u{ad}é");
        assert_eq!(plain("violet", 6), "violet");
        assert_eq!(plain("violet", 3), "vio…");
    }
}
