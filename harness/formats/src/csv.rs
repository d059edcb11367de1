//! Export-Csv: a `#TYPE` line, a header, rows; separated by whatever the culture's list separator is.
//!
//! Written here and not left to a library: a file that was cut within quotes must be seen, and readers of CSV forgive it.

use std::rc::Rc;

use model::problem::{Problem, Source};

use crate::record::{MOST_PROPERTIES, MOST_RECORDS, Place, Property, Record, Value};

const AGAIN: &str = "export it again: Get-OwaVirtualDirectory | Export-Csv owa.csv";

/// Whether a text is a table of this kind: Format-List has `Name : value` in its first line.
pub(crate) fn is_one(text: &str) -> bool {
    let first = text.trim_start().lines().next().unwrap_or_default();
    first.starts_with("#TYPE")
        || first.starts_with("sep=")
        || first.starts_with('"')
        || (!first.contains(':') && SEPARATORS.iter().any(|separator| first.contains(*separator)))
}

const SEPARATORS: [char; 3] = [',', ';', '\t'];

/// The objects of a file. Several tables may follow one another, each with its `#TYPE` line.
///
/// # Errors
/// A row that has not the header's fields, or is cut short, at its place.
pub(crate) fn read(source: &Source) -> Result<Vec<Record>, Problem> {
    let file: Rc<str> = Rc::from(source.file.as_str());
    let mut rows = Rows { text: &source.text, at: 0, line: 1, separator: ',' };
    let mut records: Vec<Record> = vec![];
    let mut types = vec![];
    let mut header: Option<Vec<String>> = None;
    loop {
        let lead = rows.rest().len() - rows.rest().trim_start_matches(['\n', ' ']).len();
        rows.skip(lead);
        if rows.rest().is_empty() {
            return Ok(records);
        }
        let (start, line) = (rows.at, rows.line);
        let first = rows.rest().lines().next().unwrap_or_default();
        if let Some(named) = first.trim_matches('"').strip_prefix("#TYPE") {
            let named = named.trim_end_matches([',', ';', '\t', '"', ' ']);
            (types, header) = (vec![named.trim().to_owned()], None);
            rows.skip(first.len());
            continue;
        }
        if first.starts_with("sep=") {
            rows.skip(first.len());
            continue;
        }
        let wrong = |says: String| {
            source.problem(Some(start..start + first.len().max(1)), says, Some(AGAIN.to_owned()))
        };
        let Some(names) = &header else {
            rows.separator = separator(first);
            let names = rows.row().ok_or_else(|| wrong("the header is cut short".to_owned()))?;
            if names.len() > MOST_PROPERTIES {
                return Err(wrong(format!("{} columns are more than are read", names.len())));
            }
            header = Some(names.into_iter().map(|name| name.trim().to_owned()).collect());
            continue;
        };
        let fields = rows.row();
        let last = rows.rest().trim().is_empty();
        let fields =
            fields.ok_or_else(|| wrong("the file ends within quotes: it was cut short".to_owned()))?;
        if fields.len() < names.len() && last {
            let says =
                format!("the last row has {} of {} fields: it was cut short", fields.len(), names.len());
            return Err(wrong(says));
        }
        if fields.len() != names.len() {
            return Err(wrong(format!(
                "this row has {} fields, and the header {}",
                fields.len(),
                names.len()
            )));
        }
        let properties = names.iter().zip(fields).map(|(name, field)| Property {
            name: name.clone(),
            value: Value::written(&field),
            line,
        });
        let at = Place { file: file.clone(), line };
        records.push(Record { types: types.clone(), at, properties: properties.collect() });
        if records.len() > MOST_RECORDS {
            return Err(wrong("it holds more rows than are read".to_owned()));
        }
    }
}

/// The separator that stands in a header most often outside of quotes.
fn separator(header: &str) -> char {
    let mut quoted = false;
    let mut counts = [0; SEPARATORS.len()];
    for c in header.chars() {
        quoted ^= c == '"';
        if let Some(at) = SEPARATORS.iter().position(|separator| *separator == c && !quoted) {
            counts[at] += 1;
        }
    }
    let most = (0..SEPARATORS.len()).rev().max_by_key(|at| counts[*at]).unwrap_or_default();
    SEPARATORS[most]
}

/// A text that is read row by row.
struct Rows<'t> {
    text: &'t str,
    at: usize,
    line: usize,
    separator: char,
}

impl<'t> Rows<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn skip(&mut self, bytes: usize) {
        self.line += self.text[self.at..self.at + bytes].matches('\n').count();
        self.at += bytes;
    }

    /// The fields of a row, which may go over several lines; none where the text ends within quotes.
    fn row(&mut self) -> Option<Vec<String>> {
        let mut fields = vec![String::new()];
        let mut quoted = false;
        let mut characters = self.rest().char_indices().peekable();
        let mut end = self.rest().len();
        while let Some((at, c)) = characters.next() {
            let field = fields.last_mut()?;
            match c {
                '"' if quoted && characters.peek().is_some_and(|(_, next)| *next == '"') => {
                    characters.next();
                    field.push('"');
                }
                '"' if quoted || field.trim().is_empty() => quoted = !quoted,
                '\n' if !quoted => {
                    end = at;
                    break;
                }
                c if c == self.separator && !quoted => fields.push(String::new()),
                c => field.push(c),
            }
        }
        self.skip(end);
        (!quoted).then_some(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str) -> Vec<Record> {
        assert!(is_one(text), "{text}");
        read(&Source::new("a.csv", text)).unwrap()
    }

    #[test]
    fn rows_are_objects_in_any_culture() {
        for separator in SEPARATORS {
            let text = "#TYPE Microsoft.Exchange.Data.Directory.Management.ExchangeServer\n\"Name\"|\"Note\"\n\"CAS01\"|\"a \"\"b\"\",\n;c\"\n\n\"CAS02\"|\n";
            let found = records(&text.replace('|', &separator.to_string()));
            assert_eq!(found.len(), 2);
            assert_eq!(found[0].types, ["Microsoft.Exchange.Data.Directory.Management.ExchangeServer"]);
            assert_eq!(found[0].text("Note"), Some("a \"b\",\n;c"));
            assert_eq!((found[1].text("Name"), found[1].text("Note")), (Some("CAS02"), None));
            assert_eq!((found[0].at.line, found[1].at.line), (3, 6));
        }
    }

    #[test]
    fn excel_saves_a_table_without_quotes_and_with_the_types_line_padded() {
        let found = records("#TYPE A.B.ClientAccessServer;;\nName;Uri;On\nCAS01;https://a/;WAHR\n");
        assert_eq!(
            (found[0].types[0].as_str(), found[0].text("On")),
            ("A.B.ClientAccessServer", Some("WAHR"))
        );
        assert_eq!(records("sep=;\nName;Uri\nCAS01;x\n")[0].text("Uri"), Some("x"));
    }

    #[test]
    fn two_tables_may_follow_one_another() {
        let found = records("#TYPE A\n\"x\"\n\"1\"\n#TYPE B\n\"y\",\"z\"\n\"2\",\"3\"\n");
        assert_eq!((found[0].types[0].as_str(), found[1].types[0].as_str()), ("A", "B"));
        assert_eq!(found[1].text("z"), Some("3"));
    }

    #[test]
    fn a_table_cut_short_or_uneven_is_refused_at_its_line() {
        for (text, says) in [
            ("\"a\",\"b\"\n\"1\",\"2", "a.csv:2:1: the file ends within quotes: it was cut short"),
            (
                "\"a\",\"b\"\n\"1\",\"2\"\n\"3\"",
                "a.csv:3:1: the last row has 1 of 2 fields: it was cut short",
            ),
            ("\"a\",\"b\"\n\"1\"\n\"3\",\"4\"\n", "a.csv:2:1: this row has 1 fields, and the header 2"),
            ("\"a\",\"b", "a.csv:1:1: the header is cut short"),
        ] {
            assert_eq!(read(&Source::new("a.csv", text)).unwrap_err().to_string(), says);
        }
    }
}
