//! Bytes to text: PowerShell writes UTF-16 with `>`, UTF-8 or ASCII with Export-Csv, and old tools the system's code page.

/// The text of a file, whatever it was written in; line ends become `\n`.
pub(crate) fn decoded(bytes: &[u8]) -> String {
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        // A file that lost its mark on the way: every second byte of Latin text is 0.
        [first, 0, _, 0, ..] if *first != 0 => utf16(bytes, u16::from_le_bytes),
        [0, first, 0, _, ..] if *first != 0 => utf16(bytes, u16::from_be_bytes),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) if is_of_a_console(bytes) => bytes.iter().map(|byte| code_page_850(*byte)).collect(),
            Err(_) => bytes.iter().map(|byte| windows_1252(*byte)).collect(),
        },
    };
    // Files that were put together have each its own mark.
    let text = text.replace("\r\n", "\n").replace('\r', "\n").replace("\n\u{feff}", "\n");
    text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    // Half a character at the end is what a cut leaves: it becomes a sign that no value has.
    let units = bytes.chunks(2).map(|pair| match pair {
        [a, b] => unit([*a, *b]),
        _ => 0xfffd,
    });
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// Whether a text is of a console's code page and not of a window's. Bytes that are letters there, and signs or nothing here, say so
/// where they stand within words; letters of a window's that do contradict them.
fn is_of_a_console(bytes: &[u8]) -> bool {
    // `ü é â ä à å ç ê ë ì Å æ ô ö ò ø Ø`, without those that are an ellipsis, an apostrophe and dashes.
    let of_console =
        |byte: u8| matches!(byte, 0x81..=0x84 | 0x86..=0x89 | 0x8d | 0x8f | 0x91 | 0x93..=0x95 | 0x9b | 0x9d);
    // An `ß` of a console is `á` in a window.
    let of_window = |byte: u8| byte >= 0xc0 && byte != 0xe1;
    let within = |is: &dyn Fn(u8) -> bool| {
        bytes
            .windows(3)
            .any(|three| three[0].is_ascii_alphabetic() && is(three[1]) && three[2].is_ascii_alphabetic())
    };
    // What closes a quotation that nothing has opened is no quotation mark, but an `ö` at a word's end.
    let closes_nothing = bytes.contains(&0x94) && !bytes.contains(&0x93) && !bytes.contains(&0x84);
    !within(&of_window) && (bytes.contains(&0x81) || within(&of_console) || closes_nothing)
}

/// The code page of Western Europe's consoles.
fn code_page_850(byte: u8) -> char {
    const HIGH: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u{ad}±‗¾¶§÷¸°¨·¹³²■\u{a0}";
    match byte {
        0x80.. => HIGH.chars().nth(usize::from(byte - 0x80)).unwrap_or(char::REPLACEMENT_CHARACTER),
        _ => char::from(byte),
    }
}

/// The code page of Western Europe; its five holes stay as they are.
fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
        '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => HIGH[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn text_is_read_in_whatever_it_was_written() {
        let text = "Name : Zürich\r\nSite : Ä";
        let wanted = "Name : Zürich\nSite : Ä";
        let little = [vec![0xff, 0xfe], utf16(text, u16::to_le_bytes)].concat();
        let big = [vec![0xfe, 0xff], utf16(text, u16::to_be_bytes)].concat();
        let marked = [vec![0xef, 0xbb, 0xbf], text.as_bytes().to_vec()].concat();
        let bare = utf16(text, u16::to_le_bytes);
        let ansi: Vec<u8> = text.chars().map(|c| c as u8).collect();
        for bytes in [little, big, marked, bare, ansi, text.as_bytes().to_vec()] {
            assert_eq!(decoded(&bytes), wanted);
        }
    }

    /// Code page 850 as <https://www.unicode.org/Public/MAPPINGS/VENDORS/MICSFT/PC/CP850.TXT> has it.
    #[test]
    fn a_console_s_code_page_is_told_from_a_window_s() {
        assert_eq!(decoded(b"Site : M\x81nchen"), "Site : München");
        assert_eq!(decoded(b"Site : K\x94ln S\xe1d"), "Site : Köln Sßd");
        assert_eq!(decoded(b"Site : Malm\x94, K\x9bbenhavn"), "Site : Malmö, København");
        assert_eq!(decoded(b"Site : M\xfcnchen, front\x97end, a\x85b"), "Site : München, front—end, a…b");
        assert_eq!(
            decoded(b"Site : Gen\x8ave \x84x\x94"),
            "Site : GenŠve „x”",
            "quotation marks of a window"
        );
        assert_eq!(decoded(b"Site : M\xfcnchen \x80"), "Site : München €");
        let all: String = (0x80..=0xff).map(code_page_850).collect();
        let some =
            [(0x80, 'Ç'), (0x8f, 'Å'), (0x9a, 'Ü'), (0xa5, 'Ñ'), (0xd5, 'ı'), (0xe1, 'ß'), (0xff, '\u{a0}')];
        assert_eq!(all.chars().count(), 128);
        assert!(some.iter().all(|(byte, letter)| code_page_850(*byte) == *letter));
    }

    #[test]
    fn marks_within_files_that_were_put_together_are_no_text() {
        let mark = [0xef, 0xbb, 0xbf];
        let two = [&mark[..], b"a\r\n", &mark, b"b\r\n"].concat();
        assert_eq!(decoded(&two), "a\nb\n");
    }

    #[test]
    fn half_a_character_at_the_end_is_seen() {
        let cut = [vec![0xff, 0xfe], utf16("ab", u16::to_le_bytes), vec![0x63]].concat();
        assert_eq!(decoded(&cut), "ab\u{fffd}");
    }
}
