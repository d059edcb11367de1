//! One object of an export: its types, its properties, and where each stands.

use std::fmt;
use std::rc::Rc;

/// A line of an export.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) file: Rc<str>,
    /// From 1.
    pub(crate) line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What a property holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// `$null`, or nothing written.
    Nothing,
    /// One value, as Exchange prints it.
    Text(String),
    /// Several.
    List(Vec<String>),
    /// The first of several: `$FormatEnumerationLimit` cut the rest off.
    Cut(Vec<String>),
    /// The name of a type where its values should be: Export-Csv writes `System.Collections.ArrayList`.
    Lost(String),
}

impl Value {
    /// A value as text formats write it: blank, `{a, b}`, `{a, b...}`, a type's name, or itself.
    pub(crate) fn written(text: &str) -> Value {
        let text = text.trim();
        if text.is_empty() {
            return Value::Nothing;
        }
        if let Some(inside) = text.strip_prefix('{') {
            let (inside, closed) = match inside.strip_suffix('}') {
                Some(inside) => (inside, true),
                None => (inside, false),
            };
            let kept = ["...", "…"].iter().find_map(|dots| inside.trim_end().strip_suffix(dots));
            let items = |list: &str| -> Vec<String> {
                list.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
            };
            return match kept {
                Some(kept) => Value::Cut(items(kept)),
                None if closed => Value::List(items(inside)),
                None => Value::Cut(items(inside)),
            };
        }
        if names_a_type(text) {
            return Value::Lost(text.to_owned());
        }
        Value::Text(text.to_owned())
    }

    /// Its items, in their order; those of a text are split where lists are.
    pub(crate) fn items(&self) -> Vec<&str> {
        match self {
            Value::Nothing | Value::Lost(_) => vec![],
            Value::Text(text) => {
                text.split([',', ';']).map(str::trim).filter(|item| !item.is_empty()).collect()
            }
            Value::List(items) | Value::Cut(items) => items.iter().map(String::as_str).collect(),
        }
    }
}

/// `System.Collections.ArrayList`, and a type of many of anything: `System.String[]`, or with its parameters,
/// `Microsoft.Exchange.Data.MultiValuedProperty`1[System.String]`.
fn names_a_type(text: &str) -> bool {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "_.".contains(c))).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let after_number =
        rest.strip_prefix('`').map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    let is_of_many =
        rest == "[]" || after_number.is_some_and(|rest| rest.starts_with('[') && rest.ends_with(']'));
    let is_of_a_library =
        ["System.", "Microsoft."].iter().any(|start| name.len() > start.len() && name.starts_with(start));
    text.starts_with("System.Collections.") || (is_of_a_library && is_of_many)
}

/// One property.
#[derive(Debug, Clone)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) value: Value,
    pub(crate) line: usize,
}

/// One object.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// Its types, its own first; empty where the format does not say.
    pub(crate) types: Vec<String>,
    pub(crate) at: Place,
    pub(crate) properties: Vec<Property>,
}

impl Record {
    /// A property by its name, in any letter case, as PowerShell has it.
    pub(crate) fn property(&self, name: &str) -> Option<&Property> {
        self.properties.iter().find(|property| property.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.property(name).is_some()
    }

    /// A property's one value; none where it is blank or not there.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match &self.property(name)?.value {
            Value::Text(text) => Some(text),
            Value::List(items) => items.first().map(String::as_str).filter(|_| items.len() == 1),
            Value::Nothing | Value::Cut(_) | Value::Lost(_) => None,
        }
    }
}

/// The most objects of one export, and the most properties of one object.
pub(crate) const MOST_RECORDS: usize = 100_000;
pub(crate) const MOST_PROPERTIES: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_says_whether_it_was_cut() {
        let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>();
        assert_eq!(Value::written("{Basic, Fba}"), Value::List(list(&["Basic", "Fba"])));
        assert_eq!(Value::written("{}"), Value::List(vec![]));
        assert_eq!(Value::written("{A, B, C, D...}"), Value::Cut(list(&["A", "B", "C", "D"])));
        assert_eq!(Value::written("{A, B…}"), Value::Cut(list(&["A", "B"])));
        assert_eq!(Value::written("  "), Value::Nothing);
    }

    #[test]
    fn a_type_s_name_is_no_value() {
        for lost in [
            "System.Collections.ArrayList",
            "System.Collections.Generic.List`1[System.String]",
            "System.String[]",
            "Microsoft.Exchange.Data.Directory.ADObjectId[]",
            "Microsoft.Exchange.Data.MultiValuedProperty`1[Microsoft.Exchange.Data.Directory.SystemConfiguration.Auth_Method]",
            "Microsoft.Exchange.Data.Directory.ADMultiValuedProperty`1[[System.String, mscorlib, Version=4.0.0.0]]",
        ] {
            assert_eq!(Value::written(lost), Value::Lost(lost.to_owned()));
        }
        for text in [
            "Microsoft.Exchange.Data",
            "System.[]",
            "https://System.String[]",
            "Microsoft.Exchange POP3 [] x",
            "Systems[]",
        ] {
            assert_eq!(Value::written(text), Value::Text(text.to_owned()));
        }
    }
}
