//! Bad input, said so that its author can mend it: file, line, column, and what a right one looks like.

use std::fmt;
use std::ops::Range;

use serde::de::DeserializeOwned;

use crate::plain::plain;

/// Something wrong in a file that a person wrote. Printed, it is one line; [`Problem::picture`] shows the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{location}: {message}")]
pub struct Problem {
    /// `FILE:LINE:COLUMN`, or the file alone where no place in it is to blame.
    pub location: String,
    /// What is wrong.
    pub message: String,
    /// What to do, or a right value.
    pub help: Option<String>,
    place: Option<Place>,
}

/// The line that is to blame.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    number: usize,
    column: usize,
    text: String,
    marked: usize,
}

impl Problem {
    /// The problem with its place shown, and what a right one looks like; several lines.
    pub fn picture(&self) -> Picture<'_> {
        Picture(self)
    }
}

/// See [`Problem::picture`].
pub struct Picture<'a>(&'a Problem);

impl fmt::Display for Picture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = self.0;
        writeln!(f, "{}", lines(&problem.to_string()))?;
        if let Some(place) = &problem.place {
            let number = place.number.to_string();
            let margin = " ".repeat(number.len());
            let split = |at: usize| place.text.char_indices().nth(at).map_or(place.text.len(), |(at, _)| at);
            let (start, end) = (split(place.column - 1), split(place.column - 1 + place.marked));
            let (before, marked) = (shown(&place.text[..start]), shown(&place.text[start..end]));
            let margin_of = |c: char| if c == '\t' { c } else { ' ' };
            writeln!(f, " {margin} |")?;
            writeln!(f, " {number} | {before}{marked}{}", shown(&place.text[end..]))?;
            writeln!(
                f,
                " {margin} | {}{}",
                before.chars().map(margin_of).collect::<String>(),
                "^".repeat(marked.chars().count().max(1))
            )?;
        }
        match &problem.help {
            Some(help) => writeln!(f, "   = {}", lines(help)),
            None => Ok(()),
        }
    }
}

/// A line of anybody's, which its tabs leave as it is.
fn shown(text: &str) -> String {
    let pieces: Vec<String> = text.split('\t').map(|piece| plain(piece, usize::MAX)).collect();
    pieces.join("\t")
}

fn lines(text: &str) -> String {
    text.split('\n').map(shown).collect::<Vec<_>>().join("\n")
}

/// A file's name and text, from which problems are located.
#[derive(Debug, Clone)]
pub struct Source {
    /// The file as its author would name it.
    pub file: String,
    /// Its whole text.
    pub text: String,
}

impl Source {
    /// A file's name and its text.
    pub fn new(file: impl Into<String>, text: impl Into<String>) -> Source {
        Source { file: file.into(), text: text.into() }
    }

    /// A problem at a span of bytes, or of the file as a whole.
    pub fn problem(
        &self,
        span: Option<Range<usize>>,
        message: impl Into<String>,
        help: Option<String>,
    ) -> Problem {
        let place = span.map(|span| self.place(span));
        let location = match &place {
            Some(place) => format!("{}:{}:{}", self.file, place.number, place.column),
            None => self.file.clone(),
        };
        Problem { location, message: message.into(), help, place }
    }

    /// Reads the whole file as one value.
    ///
    /// # Errors
    /// What is no TOML, has an unknown or a missing key, or a value of the wrong form; with its place.
    pub fn read<T: DeserializeOwned>(&self, help: &str) -> Result<T, Problem> {
        toml::from_str(&self.text)
            .map_err(|error| self.problem(error.span(), error.message().trim_end(), Some(help.to_owned())))
    }

    /// Where the value with this path of keys is written; the key itself where there is no value. A number is a place in
    /// a list, from 0: `then`, `1`, `hops`, `0`. What leads further than the file goes ends at the last value on the way.
    pub fn locate(&self, path: &[&str]) -> Option<Range<usize>> {
        use toml::de::{DeTable, DeValue};
        enum At<'a> {
            Table(&'a DeTable<'a>),
            List(&'a [toml::Spanned<DeValue<'a>>]),
        }
        let root = DeTable::parse(&self.text).ok()?;
        let mut at = At::Table(root.get_ref());
        let mut span = None;
        for (depth, step) in path.iter().enumerate() {
            let (key, value) = match at {
                At::Table(table) => {
                    let (key, value) = table.iter().find(|(key, _)| key.get_ref() == step)?;
                    (Some(key), value)
                }
                At::List(list) => (None, list.get(step.parse::<usize>().ok()?)?),
            };
            span = Some(value.span());
            match (value.get_ref(), key) {
                (DeValue::Table(inner), key) => {
                    at = At::Table(inner);
                    if let Some(key) = key.filter(|_| depth + 1 == path.len()) {
                        span = Some(key.span());
                    }
                }
                (DeValue::Array(inner), _) => at = At::List(inner),
                _ => return span,
            }
        }
        span
    }

    /// This place, or where the character begins that it is within.
    fn boundary(&self, at: usize) -> usize {
        let within = at.min(self.text.len());
        (0..=within).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or_default()
    }

    fn place(&self, span: Range<usize>) -> Place {
        let start = self.boundary(span.start);
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |at| start + at);
        let end = self.boundary(span.end.clamp(start, line_end.max(start)));
        Place {
            number: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            text: self.text[line_start..line_end].to_owned(),
            marked: self.text[start..end].chars().count().max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_file_line_and_column() {
        let source = Source::new("a.toml", "one = 1\n[two]\nthree = 'x'\n");
        let problem = source.problem(source.locate(&["two", "three"]), "no such thing", None);
        assert_eq!(problem.to_string(), "a.toml:3:9: no such thing");
    }

    #[test]
    fn what_steers_a_terminal_is_written_out_and_the_marks_stay_below_it() {
        let source = Source::new("a.txt", "a\x1b\tb\x07c\n");
        let problem = source.problem(Some(3..5), "bad \x1b[2J", Some("one\ntwo\r".to_owned()));
        let wanted = "a.txt:1:4: bad \\u{1b}[2J\n   |\n 1 | a\\u{1b}\tb\\u{7}c\n   |        \t^^^^^^\n   = one\ntwo\\r\n";
        assert_eq!(problem.picture().to_string(), wanted);
    }

    #[test]
    fn a_span_that_ends_within_a_character_or_behind_the_file_has_its_place_all_the_same() {
        let source = Source::new("a.csv", "one\n\u{a0}\u{a0}\nthree");
        let at =
            |span: std::ops::Range<usize>| source.problem(Some(span), "here", None).picture().to_string();
        assert!(at(4..5).contains("a.csv:2:1"), "{}", at(4..5));
        assert!(at(5..7).contains("a.csv:2:1"), "{}", at(5..7));
        assert!(at(100..200).contains("a.csv:3:6"), "{}", at(100..200));
    }

    #[test]
    fn a_place_in_a_list_is_found_by_its_number() {
        let source = Source::new(
            "a.toml",
            "[[then]]\nhops = [\"one\", { at = \"two\" }]\n[[then]]\nhops = [\"three\"]\n",
        );
        let place = |path: &[&str]| source.problem(source.locate(path), "here", None).location;
        assert_eq!(place(&["then", "0", "hops", "1", "at"]), "a.toml:2:23");
        assert_eq!(place(&["then", "1", "hops", "0"]), "a.toml:4:9");
        assert_eq!(place(&["then", "2", "hops"]), "a.toml");
    }

    #[test]
    fn a_picture_shows_the_place_and_a_right_value() {
        let source = Source::new("a.toml", "one = 1\n[two]\nthree = 'x'\n");
        let help = Some("three = 'y'".to_owned());
        let problem = source.problem(source.locate(&["two", "three"]), "no such thing", help);
        let expected = "\
a.toml:3:9: no such thing
   |
 3 | three = 'x'
   |         ^^^
   = three = 'y'
";
        assert_eq!(problem.picture().to_string(), expected);
    }
}
