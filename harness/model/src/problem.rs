//! Bad input, said so that its author can mend it: file, line, column, and what a right one looks like.

use std::fmt;
use std::ops::Range;

use serde::de::DeserializeOwned;

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
        writeln!(f, "{problem}")?;
        if let Some(place) = &problem.place {
            let number = place.number.to_string();
            let margin = " ".repeat(number.len());
            let before: String =
                place.text.chars().take(place.column - 1).map(|c| if c == '\t' { c } else { ' ' }).collect();
            writeln!(f, " {margin} |")?;
            writeln!(f, " {number} | {}", place.text)?;
            writeln!(f, " {margin} | {before}{}", "^".repeat(place.marked))?;
        }
        match &problem.help {
            Some(help) => writeln!(f, "   = {help}"),
            None => Ok(()),
        }
    }
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

    fn place(&self, span: Range<usize>) -> Place {
        let start = span.start.min(self.text.len());
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |at| start + at);
        let end = span.end.clamp(start, line_end.max(start));
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
