//! The text of Format-List: `Name : value`, wrapped at the console's width, objects apart by blank lines.

use std::rc::Rc;

use model::problem::{Problem, Source};

use crate::record::{MOST_PROPERTIES, MOST_RECORDS, Place, Property, Record, Value};

const AGAIN: &str =
    "export it again: Get-OwaVirtualDirectory | Format-List * > owa.txt, or better | Export-Clixml owa.xml";

/// The objects of a file. Prompts and warnings between them, as in a transcript, are passed over.
///
/// # Errors
/// What is no such list, or cut short, at its place.
pub(crate) fn read(source: &Source) -> Result<Vec<Record>, Problem> {
    let file: Rc<str> = Rc::from(source.file.as_str());
    let mut records: Vec<Record> = vec![];
    let mut open: Option<Open> = None;
    let mut start = 0;
    for (number, line) in (1..).zip(source.text.split_inclusive('\n')) {
        let span = start..start + line.trim_end().len().max(1);
        let whole = line.ends_with('\n');
        start += line.len();
        let wrong = |says: &str| Err(source.problem(Some(span.clone()), says, Some(AGAIN.to_owned())));
        let line = line.trim_end();
        if line.is_empty() || is_no_property(line) {
            records.extend(open.take().map(Open::closed));
            continue;
        }
        match (property(line), &mut open) {
            (Some((name, value)), Some(open)) => open.begins(name, value, number),
            (Some((name, value)), none) => {
                let mut begun = Open::new(Place { file: file.clone(), line: number });
                begun.begins(name, value, number);
                *none = Some(begun);
            }
            (None, Some(open)) if line.starts_with(' ') => open.goes_on(line.trim()),
            (None, _) if !whole => {
                return wrong("the file ends in the middle of a line: it was cut short");
            }
            (None, _) if line.trim_start().starts_with("--") => {
                return wrong(
                    "this is a table, which leaves properties out: Format-List, Export-Csv or Export-Clixml have all",
                );
            }
            // The head of such a table comes before its line of dashes.
            (None, _) if is_followed_by_dashes(&source.text[start..]) => {}
            (None, _) => return wrong("this is no line of Format-List, no CSV and no CliXML"),
        }
        if records.len() > MOST_RECORDS
            || open.as_ref().is_some_and(|open| open.properties.len() > MOST_PROPERTIES)
        {
            return wrong("it holds more objects or properties than are read");
        }
    }
    records.extend(open.map(Open::closed));
    match cut(&records) {
        Some(record) => {
            let says = "the last object has fewer properties than the one before it: the file was cut short";
            let line = crate::source_line(&source.text, record.at.line);
            Err(source.problem(line, says, Some(AGAIN.to_owned())))
        }
        None => Ok(records),
    }
}

/// An object while it is read.
struct Open {
    at: Place,
    properties: Vec<(String, String, usize)>,
}

impl Open {
    fn new(at: Place) -> Open {
        Open { at, properties: vec![] }
    }

    fn begins(&mut self, name: &str, value: &str, line: usize) {
        self.properties.push((name.to_owned(), value.to_owned(), line));
    }

    /// A word that is longer than the line is broken without a space; other lines end between two words.
    fn goes_on(&mut self, more: &str) {
        let Some((_, value, _)) = self.properties.last_mut() else { return };
        let within_a_word = !value.contains(' ') && !value.ends_with(',') && !more.starts_with('(');
        if !value.is_empty() && !within_a_word {
            value.push(' ');
        }
        value.push_str(more);
    }

    fn closed(self) -> Record {
        let properties = self.properties.into_iter();
        let properties =
            properties.map(|(name, text, line)| Property { name, value: Value::written(&text), line });
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

/// A prompt, a warning or progress: in the languages in which the shell says it.
fn is_no_property(line: &str) -> bool {
    let line = line.trim_start_matches("VERBOSE: ");
    let prompts = line.starts_with("[PS]") || (line.starts_with("PS ") && line.contains('>'));
    prompts
        || [
            "WARNING:",
            "WARNUNG:",
            "AVERTISSEMENT",
            "ADVERTENCIA:",
            "AVVISO:",
            "**********",
            "Transcript ",
            "Creating a new session",
        ]
        .iter()
        .any(|start| line.starts_with(start))
}

fn is_followed_by_dashes(rest: &str) -> bool {
    rest.lines().next().is_some_and(|line| line.starts_with("--"))
}

/// Objects of one cmdlet have the same properties in the same order: one that stops early is cut.
fn cut(records: &[Record]) -> Option<&Record> {
    let [.., before, last] = records else { return None };
    let names = |record: &Record| record.properties.iter().map(|p| p.name.clone()).collect::<Vec<_>>();
    let (before, names) = (names(before), names(last));
    (names.len() < before.len() && before.starts_with(&names)).then_some(last)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let found = read(&Source::new("owa.txt", TWO)).unwrap();
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

    #[test]
    fn a_list_that_stops_early_is_refused() {
        let refused = |text: &str| read(&Source::new("owa.txt", text)).unwrap_err().to_string();
        let within = TWO.find("Identity                      : CAS02").unwrap();
        assert!(refused(&TWO[..within]).starts_with("owa.txt:14:1: the last object has fewer properties"));
        assert!(refused(&TWO[..within + 4]).contains("in the middle of a line: it was cut short"));
    }

    #[test]
    fn a_table_and_other_texts_are_refused() {
        let refused = |text: &str| read(&Source::new("x.txt", text)).unwrap_err().to_string();
        let table = "Name    Site\n----    ----\nCAS01   one\n";
        assert!(refused(table).starts_with("x.txt:2:1: this is a table"), "{}", refused(table));
        assert!(refused("Dear all,\nhello\n").contains("no line of Format-List"));
    }
}
