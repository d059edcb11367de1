//! Bad input, said so that its author can mend it: file, line, column, and what a right one looks like.

use miette::{Diagnostic, NamedSource, SourceSpan};
use serde::de::DeserializeOwned;
use std::ops::Range;

/// Something wrong in a file that a person wrote.
#[derive(Debug, Clone, thiserror::Error, Diagnostic)]
#[error("{location}: {message}")]
pub struct Problem {
    /// `FILE:LINE:COLUMN`, or the file alone where no place in it is to blame.
    pub location: String,
    /// What is wrong.
    pub message: String,
    /// What to do, or a right value.
    #[help]
    pub help: Option<String>,
    /// The file's text, for a picture of the place.
    #[source_code]
    text: Option<NamedSource<String>>,
    #[label("here")]
    span: Option<SourceSpan>,
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
        let location = match &span {
            Some(span) => {
                let (line, column) = self.line_and_column(span.start);
                format!("{}:{line}:{column}", self.file)
            }
            None => self.file.clone(),
        };
        Problem {
            location,
            message: message.into(),
            help,
            text: span.is_some().then(|| NamedSource::new(&self.file, self.text.clone())),
            span: span.map(SourceSpan::from),
        }
    }

    /// Reads the whole file as one value.
    ///
    /// # Errors
    /// What is no TOML, has an unknown or a missing key, or a value of the wrong form; with its place.
    pub fn read<T: DeserializeOwned>(&self, help: &str) -> Result<T, Problem> {
        toml::from_str(&self.text)
            .map_err(|error| self.problem(error.span(), error.message().trim_end(), Some(help.to_owned())))
    }

    /// Where the value with this path of keys is written; the key itself where there is no value.
    pub fn locate(&self, path: &[&str]) -> Option<Range<usize>> {
        let root = toml::de::DeTable::parse(&self.text).ok()?;
        let mut table = root.get_ref();
        let mut span = None;
        for (depth, step) in path.iter().enumerate() {
            let (key, value) = table.iter().find(|(key, _)| key.get_ref() == step)?;
            span = Some(value.span());
            match value.get_ref() {
                toml::de::DeValue::Table(inner) => {
                    table = inner;
                    if depth + 1 == path.len() {
                        span = Some(key.span());
                    }
                }
                _ => return span,
            }
        }
        span
    }

    fn line_and_column(&self, at: usize) -> (usize, usize) {
        let before = &self.text[..at.min(self.text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
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
}
