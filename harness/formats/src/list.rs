//! The text of Format-List: `Name : value`, wrapped at the console's width, objects apart by blank lines.

use std::ops::Range;
use std::rc::Rc;

use model::problem::{Problem, Source};

use crate::cmdlet::of;
use crate::note::{Kind, Note};
use crate::record::{MOST_PROPERTIES, MOST_RECORDS, Place, Property, Record, Value};

const AGAIN: &str =
    "export it again: Get-OwaVirtualDirectory | Format-List * > owa.txt, or better | Export-Clixml owa.xml";

const STARS: &str = "**********";
/// The most lines of a transcript's head.
const MOST_HEAD_LINES: usize = 40;

/// The objects of a file. Prompts and warnings between them, as in a transcript, are passed over, and so is other text, which is noted.
///
/// # Errors
/// What is no such list, or cut short, at its place.
pub(crate) fn read(source: &Source, notes: &mut Vec<Note>) -> Result<Vec<Record>, Problem> {
    let file: Rc<str> = Rc::from(source.file.as_str());
    let mut objects: Vec<Open> = vec![];
    let mut open: Option<Open> = None;
    let mut prose = Prose::default();
    // Whether a command came after the last object, which is whole then.
    let mut is_followed = false;
    let (mut start, mut passed_over) = (0, 0);
    // How many columns the line before has, where it is of a warning.
    let mut warned: Option<usize> = None;
    for (number, line) in (1..).zip(source.text.split_inclusive('\n')) {
        let span = start..start + line.trim_end().len().max(1);
        let whole = line.ends_with('\n');
        start += line.len();
        let wrong = |says: &str| Err(source.problem(Some(span.clone()), says, Some(AGAIN.to_owned())));
        let spaced = line.trim_end_matches(['\r', '\n']).ends_with(' ');
        let line = line.trim_end();
        // The head and the foot of a transcript stand between two lines of stars.
        if start <= passed_over {
            continue;
        }
        if line.starts_with(STARS) {
            passed_over = within_stars(&source.text, start).unwrap_or(passed_over);
        }
        let warned_before = warned.take();
        if line.is_empty() || is_no_property(line) {
            objects.extend(open.take());
            prose.ends();
            is_followed |= is_prompt(line) || line.starts_with(STARS);
            warned = is_warning(line).then(|| columns(line));
            continue;
        }
        match (property(line), &mut open) {
            (Some((name, value)), open) => {
                prose.ends();
                // An object has each property once: its blank lines were lost on the way.
                if open.as_ref().is_some_and(|open| open.has(name)) {
                    objects.extend(open.take());
                }
                let place = Place { file: file.clone(), line: number };
                let object = open.get_or_insert_with(|| Open { at: place, properties: vec![] });
                is_followed = false;
                let first = Piece::new(line, value, spaced);
                object.properties.push(Written { name: name.to_owned(), line: number, first, more: vec![] });
            }
            (None, Some(open)) if line.starts_with(' ') => {
                let last = open.properties.last_mut();
                last.into_iter().for_each(|last| last.more.push(Piece::new(line, line.trim(), spaced)));
            }
            (None, open) if !whole && (open.is_some() || objects.is_empty()) => {
                return wrong("the file ends in the middle of a line: it was cut short");
            }
            (None, None) if warned_before.is_some_and(|columns| goes_on(columns, line)) => {
                warned = Some(columns(line));
            }
            (None, _) if is_ruled(line) => {
                return wrong(
                    "this is a table, which leaves properties out: Format-List, Export-Csv or Export-Clixml have all",
                );
            }
            // The head of such a table comes before its line of dashes.
            (None, _) if is_followed_by_dashes(&source.text[start..]) => {}
            (None, None) => prose.goes_on(number, span.clone(), line),
            (None, Some(_)) => return wrong(NO_LIST),
        }
        if objects.len() > MOST_RECORDS
            || open.as_ref().is_some_and(|open| open.properties.len() > MOST_PROPERTIES)
        {
            return wrong("it holds more objects or properties than are read");
        }
    }
    objects.extend(open);
    prose.ends();
    match prose.blocks.first() {
        Some((_, span, first)) if objects.is_empty() => {
            let says = if first.starts_with(['{', '[']) { JSON } else { NO_LIST };
            return Err(source.problem(Some(span.clone()), says, Some(AGAIN.to_owned())));
        }
        _ => notes.extend(prose.notes(&file)),
    }
    let keeps_spaces = objects.iter().flat_map(Open::lines).any(|line| line.spaced);
    let records: Vec<Record> = objects.into_iter().map(|object| object.closed(keeps_spaces)).collect();
    match cut(&records).filter(|_| !is_followed) {
        Some(record) => {
            let says = "the last object has fewer properties than the one before it: the file was cut short";
            let line = crate::source_line(&source.text, record.at.line);
            Err(source.problem(line, says, Some(AGAIN.to_owned())))
        }
        None => Ok(records),
    }
}

const NO_LIST: &str = "this is no line of Format-List, no CSV and no CliXML";
const JSON: &str = "this is JSON, which is not read: Format-List, Export-Csv or Export-Clixml write what is";

/// Text between objects that is none of what a shell writes there: errors, and what people write. Each run of lines is one block.
#[derive(Default)]
struct Prose {
    /// The line and the bytes of each block's first line, and its text.
    blocks: Vec<(usize, Range<usize>, String)>,
    within: bool,
}

/// The most blocks of a file that are named, and the most characters of one.
const MOST_BLOCKS: usize = 20;
const MOST_OF_A_BLOCK: usize = 100;

impl Prose {
    fn goes_on(&mut self, number: usize, span: Range<usize>, line: &str) {
        if !self.within {
            self.blocks.push((number, span, line.trim().chars().take(MOST_OF_A_BLOCK).collect()));
        }
        self.within = true;
    }

    fn ends(&mut self) {
        self.within = false;
    }

    fn notes(self, file: &Rc<str>) -> impl Iterator<Item = Note> {
        let more = self.blocks.len().saturating_sub(MOST_BLOCKS);
        let rest = (more > 0).then(|| {
            Note::new(
                Kind::Doubtful,
                file,
                format!("{more} more places of it are no objects, and passed over"),
            )
        });
        let each = self.blocks.into_iter().take(MOST_BLOCKS).map(move |(line, _, text)| {
            let at = Place { file: file.clone(), line };
            let says =
                format!("this is no object, and passed over; what it was to be may be missing: {text}");
            Note::new(Kind::Doubtful, at, says)
        });
        each.chain(rest)
    }
}

/// An object while it is read.
struct Open {
    at: Place,
    properties: Vec<Written>,
}

/// A property as it is written: on its line, and on those that go on with it.
struct Written {
    name: String,
    line: usize,
    first: Piece,
    more: Vec<Piece>,
}

/// What of a value stands on one line.
struct Piece {
    text: String,
    /// How many characters the line has, the spaces at its end left out.
    length: usize,
    /// In which of them the text begins.
    column: usize,
    /// Whether the line ends with a space.
    spaced: bool,
}

impl Piece {
    fn new(line: &str, text: &str, spaced: bool) -> Piece {
        let length = line.chars().count();
        Piece { text: text.to_owned(), length, column: length - text.chars().count(), spaced }
    }
}

/// How an object's lines were wrapped. A shell in English, French, German, Italian, Portuguese or Spanish ends them between two
/// words, and breaks only a word that is longer than a line; others break whatever stands at the end (PowerShell's own source,
/// ComplexWriter.cs). The space at an end stays there, unless a mail or an editor took it away.
#[derive(Debug, Clone, Copy)]
struct Wrapping {
    /// The object's longest line.
    width: usize,
    /// Whether spaces at the end of lines are still there.
    keeps_spaces: bool,
}

impl Wrapping {
    fn joined(self, Written { first, more, .. }: &Written) -> String {
        let (mut text, mut last, mut has_space) = (first.text.clone(), first, first.text.contains(' '));
        for next in more {
            if !text.is_empty() && !self.breaks_a_word(&text, has_space, last, next, first.column) {
                text.push(' ');
                has_space = true;
            }
            text.push_str(&next.text);
            has_space |= next.text.contains(' ');
            last = next;
        }
        text
    }

    /// Whether a word goes on with the next line; `column` is where values begin.
    fn breaks_a_word(self, so_far: &str, has_space: bool, last: &Piece, next: &Piece, column: usize) -> bool {
        let is_full = last.length + 1 >= self.width;
        if last.spaced || next.column == column + 1 || so_far.ends_with(',') || !is_full {
            return false;
        }
        self.keeps_spaces
            || self.is_longer_than_a_line(so_far, &next.text, column)
            || (!has_space && !next.text.starts_with('('))
    }

    /// Whether the last word so far and the next line's first would be too long for a line, were they one. A word is measured
    /// with the space behind it.
    fn is_longer_than_a_line(self, so_far: &str, next: &str, column: usize) -> bool {
        let most = self.width.saturating_sub(column);
        let begun = so_far.chars().rev().take_while(|c| *c != ' ').take(most + 1).count();
        let ended =
            next.chars().take(most + 1).position(|c| c == ' ').map_or(next.chars().count(), |at| at + 1);
        begun + ended > most
    }
}

impl Open {
    fn has(&self, name: &str) -> bool {
        self.properties.iter().any(|property| property.name.eq_ignore_ascii_case(name))
    }

    fn lines(&self) -> impl Iterator<Item = &Piece> {
        self.properties.iter().flat_map(|Written { first, more, .. }| [first].into_iter().chain(more))
    }

    fn closed(self, keeps_spaces: bool) -> Record {
        let wrapping = Wrapping {
            width: self.lines().map(|piece| piece.length).max().unwrap_or_default(),
            keeps_spaces,
        };
        let properties = self.properties.into_iter().map(|written| {
            let value = Value::written(&wrapping.joined(&written));
            Property { name: written.name, value, line: written.line }
        });
        Record { types: vec![], at: self.at, properties: properties.collect() }
    }
}

/// `Name                : value`. A name is one word; what comes with a line that goes on has its colon elsewhere.
fn property(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let name = name.strip_suffix(' ').filter(|_| begins)?.trim_end();
    let word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    word.then_some((name, value.trim()))
}

/// A prompt, a warning or progress.
fn is_no_property(line: &str) -> bool {
    let starts = [STARS, "Transcript ", "VERBOSE: ", "Creating a new session"];
    is_prompt(line) || is_warning(line) || starts.iter().any(|start| line.starts_with(start))
}

/// `[PS] C:\>`, `PS C:\>`, `PS>`, and `>>` where a command goes on.
fn is_prompt(line: &str) -> bool {
    let of_shell =
        line.strip_prefix("PS").is_some_and(|rest| rest.starts_with([' ', '>']) && rest.contains('>'));
    of_shell || line.starts_with("[PS]") || line.starts_with(">>")
}

/// What a warning begins with, in the languages in which the shell says it.
const WARNINGS: &[&str] = &[
    "WARNING",
    "WARNUNG",
    "AVERTISSEMENT",
    "ADVERTENCIA",
    "AVVISO",
    "AVISO",
    "WAARSCHUWING",
    "ADVARSEL",
    "VARNING",
    "VAROITUS",
    "OSTRZEŻENIE",
    "UPOZORNĚNÍ",
    "FIGYELMEZTETÉS",
    "ΠΡΟΕΙΔΟΠΟΙΗΣΗ",
    "ПРЕДУПРЕЖДЕНИЕ",
    "UYARI",
    "警告",
    "경고",
];

/// French has a space before the colon, and East Asia a wide one.
fn is_warning(line: &str) -> bool {
    let after = WARNINGS.iter().find_map(|word| line.strip_prefix(word));
    after.is_some_and(|rest| rest.trim_start().starts_with([':', '：']))
}

/// The fewest columns of a console that anybody works in.
const NARROW: usize = 80;

/// Whether a warning goes on with this line, since its first word had no room on the line before.
fn goes_on(columns_before: usize, line: &str) -> bool {
    let word = line.split(' ').next().unwrap_or_default();
    columns_before + 1 + columns(word) >= NARROW
}

/// How many columns of a console a text takes: characters of East Asia take two.
fn columns(text: &str) -> usize {
    text.chars()
        .map(|c| if matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{ffdc}') { 2 } else { 1 })
        .sum()
}

/// Where a transcript's head or foot ends that begins here, after its first line of stars.
fn within_stars(text: &str, from: usize) -> Option<usize> {
    let mut at = from;
    for (number, line) in text[from..].split_inclusive('\n').take(MOST_HEAD_LINES).enumerate() {
        // It says what it is first.
        if number == 0 && !line.to_lowercase().contains("powershell") {
            return None;
        }
        at += line.len();
        if line.starts_with(STARS) {
            return Some(at);
        }
    }
    None
}

fn is_followed_by_dashes(rest: &str) -> bool {
    rest.lines().next().is_some_and(is_ruled)
}

/// The line below a table's head: dashes, and spaces between columns.
fn is_ruled(line: &str) -> bool {
    line.contains("--") && line.chars().all(|c| matches!(c, '-' | ' '))
}

/// Objects of one cmdlet have the same properties in the same order: one that stops early is cut.
fn cut(records: &[Record]) -> Option<&Record> {
    let [.., before, last] = records else { return None };
    let of_another = of(last).is_some_and(|own| of(before).is_some_and(|other| own != other));
    if of_another {
        return None;
    }
    let names = |record: &Record| record.properties.iter().map(|p| p.name.clone()).collect::<Vec<_>>();
    let (before, names) = (names(before), names(last));
    (names.len() < before.len() && before.starts_with(&names)).then_some(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const TWO: &str = "[PS] C:\\>Get-OwaVirtualDirectory | fl\n\n\
Name                          : owa (Default Web Site)\n\
InternalAuthenticationMethods : {Basic, Fba,\n\
\x20                               WindowsIntegrated}\n\
InternalUrl                   : https://a-very-long-name-that-does-not-fit.contoso.\n\
\x20                               com/owa\n\
Identity                      : CAS01\\owa (Default Web\n\
\x20                               Site)\n\
ExternalUrl                   :\n\n\n\
WARNING: one more\n\
Name                          : owa (Default Web Site)\n\
InternalAuthenticationMethods : {Basic, Fba, Digest, Adfs...}\n\
InternalUrl                   : https://b/owa\n\
Identity                      : CAS02\\owa (Default Web Site)\n\
ExternalUrl                   : https://c/owa\n\n";

    #[test]
    fn wrapped_lines_are_joined_and_objects_told_apart() {
        let found = read(&Source::new("owa.txt", TWO), &mut vec![]).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].at.line, 3);
        let methods = |at: usize| &found[at].property("InternalAuthenticationMethods").unwrap().value;
        assert_eq!(methods(0).items(), ["Basic", "Fba", "WindowsIntegrated"]);
        assert!(matches!(methods(1), Value::Cut(_)));
        assert_eq!(
            found[0].text("InternalUrl"),
            Some("https://a-very-long-name-that-does-not-fit.contoso.com/owa")
        );
        assert_eq!(found[0].text("Identity"), Some("CAS01\\owa (Default Web Site)"));
        assert_eq!(found[0].property("ExternalUrl").unwrap().value, Value::Nothing);
    }

    /// Consoles that end lines between words or anywhere.
    #[rstest]
    #[case::between_words(
        "Name    : owa\n\
         Site    : Main\n\
        \x20         Site-of-a-long-name-that-needs-a-line\n\
         Methods : {Basic, Fba, WindowsIntegrated,\n\
        \x20         Digest}\n\
         Url     :\n",
        ["Main Site-of-a-long-name-that-needs-a-line", "Digest", ""]
    )]
    #[case::a_word_longer_than_a_line(
        "Name    : owa\n\
         Site    : Main\n\
        \x20         Site-of-a-long-name-that-needs-a-line\n\
         Methods : {Basic, Digest}\n\
         Url     : https://a-name-longer-than-the-line.conto\n\
        \x20         so.com/owa\n",
        ["Main Site-of-a-long-name-that-needs-a-line", "Digest", "https://a-name-longer-than-the-line.contoso.com/owa"]
    )]
    #[case::anywhere(
        "Name    : owa\n\
         Site    : Main Site of a long name that needs a l\n\
        \x20         ine\n\
         Methods : {Basic, Fba, WindowsIntegrated, NoneDig\n\
        \x20         est}\n\
         Empty   : \n\
         Url     : https://a-name-longer-than-the-line.con\n\
        \x20         toso.com/owa\n",
        ["Main Site of a long name that needs a line", "NoneDigest", "https://a-name-longer-than-the-line.contoso.com/owa"]
    )]
    #[case::anywhere_at_a_space(
        "Name    : owa\n\
         Site    : Main Site of a long name that needs the\n\
        \x20          line\n\
         Methods : {Basic, Fba, WindowsIntegrated, NoneDig\n\
        \x20         est}\n\
         Url     : \n",
        ["Main Site of a long name that needs the line", "NoneDigest", ""]
    )]
    #[case::equally_long_by_chance(
        "Site    : The Main\n\
        \x20         Site\n\
         Methods : {Basic,\n\
        \x20         Fba}\n\
         Url     : https://\n\
        \x20         name/\n",
        ["The Main Site", "Fba", "https://name/"]
    )]
    #[case::a_word_as_long_as_a_line_has_no_room_for_its_space(
        "Site    : ab cdefghi\n\
        \x20         jkl x\n\
         Methods : {Basic}\n\
         Url     :\n",
        ["ab cdefghijkl x", "Basic", ""]
    )]
    fn a_value_is_joined_as_its_console_broke_it(#[case] text: &str, #[case] joined: [&str; 3]) {
        let found = read(&Source::new("owa.txt", text), &mut vec![]).unwrap();
        let [site, method, url] = joined;
        assert_eq!(found[0].text("Site"), Some(site));
        let methods = found[0].property("Methods").unwrap();
        assert_eq!(methods.value.items().last(), Some(&method));
        assert_eq!(found[0].text("Url").unwrap_or_default(), url);
    }

    #[test]
    fn the_head_and_the_foot_of_a_transcript_are_passed_over() {
        let stars = "**********************\n";
        let head = format!(
            "{stars}Windows PowerShell transcript start\nStart time: 20131129093000\nMachine : CAS01\n{stars}"
        );
        let foot = format!("{stars}Windows PowerShell transcript end\nEnd time: 20131129093100\n{stars}");
        let found =
            read(&Source::new("owa.txt", format!("{head}Transcript started\n{TWO}{foot}")), &mut vec![])
                .unwrap();
        assert_eq!(found.len(), 2);
        // Stars alone hide nothing.
        let found = read(&Source::new("owa.txt", format!("{stars}{TWO}{stars}")), &mut vec![]).unwrap();
        assert_eq!(found.len(), 2);
    }

    #[rstest]
    #[case("WARNING: ")]
    #[case("AVERTISSEMENT : ")]
    #[case("AVERTISSEMENT\u{a0}: ")]
    #[case("AVISO: ")]
    #[case("WAARSCHUWING: ")]
    #[case("OSTRZEŻENIE: ")]
    #[case("ПРЕДУПРЕЖДЕНИЕ: ")]
    #[case("VARNING: ")]
    #[case("UYARI: ")]
    #[case("警告: ")]
    #[case("警告：")]
    fn a_warning_of_any_language_is_passed_over_with_the_lines_it_goes_on_with(#[case] word: &str) {
        let long = format!("{word}{}", "x".repeat(79 - columns(word)));
        for before in
            [format!("{word}no.\n"), format!("{long}\nmore of it\n"), format!("{long}\n{long}\ny.\n")]
        {
            let found = read(&Source::new("owa.txt", format!("{before}{TWO}{before}")), &mut vec![]).unwrap();
            assert_eq!(found.len(), 2, "{before}");
            assert_eq!(found[1].text("Identity"), Some("CAS02\\owa (Default Web Site)"));
        }
        // What a line of such length is not before is no part of a warning.
        for (prose, line) in [
            (format!("{word}no.\nhello\n"), 2),
            (format!("{long}\nmore of it\nhello\n"), 3),
            (format!("{long}\n\nhello\n"), 3),
        ] {
            let mut notes = vec![];
            let found = read(&Source::new("owa.txt", format!("{prose}{TWO}")), &mut notes).unwrap();
            assert_eq!(
                (found.len(), notes.len(), &*notes[0].at),
                (2, 1, &*format!("owa.txt:{line}")),
                "{prose}"
            );
        }
    }

    #[test]
    fn what_no_shell_writes_is_noted_where_there_are_objects_and_refused_where_there_are_none() {
        let error = "Get-Owa : The term 'Get-Owa' is not recognized.\nAt line:1 char:1\n\
                     + Get-Owa\n    + CategoryInfo          : ObjectNotFound: (Get-Owa:String) []\n";
        for (text, says) in [
            ("NOTE: this\n", "NOTE: this"),
            ("AVISO this\n", "AVISO this"),
            ("Die Aufzeichnung wurde gestartet. Die Ausgabedatei ist C:\\x.txt\n", "Die Aufzeichnung"),
            ("At line:1 char:1\nmore of it\n", "At line:1"),
        ] {
            let mut notes = vec![];
            let both = format!("{text}\n{TWO}");
            assert_eq!(read(&Source::new("owa.txt", both), &mut notes).unwrap().len(), 2);
            assert_eq!((notes.len(), &*notes[0].at, notes[0].kind), (1, "owa.txt:1", Kind::Doubtful));
            assert!(notes[0].says.contains(says), "{notes:?}");
            let refused = read(&Source::new("owa.txt", text), &mut vec![]).unwrap_err().to_string();
            assert!(refused.contains("no line of Format-List"), "{text}: {refused}");
        }
        let mut notes = vec![];
        let between =
            format!("{TWO}[PS] C:\\>{error}\n[PS] C:\\>\n>> more\nVERBOSE: Connecting to CAS01.\n{TWO}");
        assert_eq!(read(&Source::new("owa.txt", between), &mut notes).unwrap().len(), 4);
        assert_eq!(notes.len(), 1, "{notes:?}");
        for around in [format!("---- OWA ----\n\n{TWO}"), format!("{TWO}C:\\Users\\me>exit")] {
            let mut notes = vec![];
            assert_eq!(read(&Source::new("owa.txt", around), &mut notes).unwrap().len(), 2);
            assert_eq!(notes.len(), 1, "{notes:?}");
        }
    }

    #[test]
    fn without_blank_lines_a_name_that_comes_again_begins_the_next_object() {
        let text = "Name : CAS1\nSite : A\nName : CAS2\nSite : B\n";
        let found = read(&Source::new("servers.txt", text), &mut vec![]).unwrap();
        let sites: Vec<_> =
            found.iter().map(|record| (record.at.line, record.text("Site").unwrap())).collect();
        assert_eq!(sites, [(1, "A"), (3, "B")]);
    }

    #[test]
    fn an_object_of_another_cmdlet_may_have_fewer_properties() {
        let owa = "Name        : owa (Default Web Site)\nServer      : CAS1\nInternalUrl : https://a/owa\n\n";
        let both =
            |between: &str, last: &str| format!("{owa}{between}Name        : {last}\nServer      : CAS2\n");
        let read = |text: String| super::read(&Source::new("owa.txt", text), &mut vec![]);
        let ecp = "ecp (Default Web Site)\nExternalUrl : https://a/ecp";
        assert!(read(both("", ecp)).is_ok());
        assert!(read(both("", "owa (Default Web Site)")).unwrap_err().to_string().contains("cut short"));
        let between = "[PS] C:\\>Get-Something\n";
        assert!(
            read(both(between, "owa (Default Web Site)")).is_err(),
            "of which nothing shows that it is whole"
        );
        assert!(read(format!("{}\n[PS] C:\\>exit\n", both(between, "owa (Default Web Site)"))).is_ok());
    }

    #[test]
    fn east_asian_text_takes_two_columns_of_each() {
        assert_eq!((columns("警告: x"), columns("경고"), columns("Предупреждение")), (7, 4, 14));
    }

    #[test]
    fn a_list_that_stops_early_is_refused() {
        let refused = |text: &str| read(&Source::new("owa.txt", text), &mut vec![]).unwrap_err().to_string();
        let within = TWO.find("Identity                      : CAS02").unwrap();
        assert!(refused(&TWO[..within]).starts_with("owa.txt:14:1: the last object has fewer properties"));
        assert!(refused(&TWO[..within + 4]).contains("in the middle of a line: it was cut short"));
    }

    #[test]
    fn a_table_and_other_texts_are_refused() {
        let refused = |text: &str| read(&Source::new("x.txt", text), &mut vec![]).unwrap_err().to_string();
        let table = "Name    Site\n----    ----\nCAS01   one\n";
        assert!(refused(table).starts_with("x.txt:2:1: this is a table"), "{}", refused(table));
        assert!(refused("Dear all,\nhello\n").contains("no line of Format-List"));
        assert!(refused("[\n  {\n    \"Name\": \"CAS01\"\n  }\n]\n").contains("this is JSON"));
    }
}
