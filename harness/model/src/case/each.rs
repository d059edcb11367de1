//! A dimension of a case as a list in its file: one case a value, `coexistence/wire/red-body[chunked]`.
//!
//! `{framing}` in the file stands for the value of `[each] framing`. A string that is nothing else becomes the value itself,
//! whatever its kind; within other text the value's text is put in. What is read then is a file of its own, line for line.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::problem::{Problem, Source};

/// The most cases that one file makes.
const MOST: usize = 64;

#[derive(Deserialize)]
struct Dimensions {
    #[serde(default)]
    each: BTreeMap<String, toml::Value>,
}

/// A value and what it is called.
struct Value {
    name: String,
    is: toml::Value,
}

/// The files that a file stands for, each with what is put behind its id: nothing, or `[chunked]`.
///
/// # Errors
/// A dimension that is no list of words or of `{ name, is }`, or that nothing in the file uses.
pub(super) fn variants(source: &Source) -> Result<Vec<(String, Source)>, Problem> {
    // What is no TOML is told by whoever reads the case.
    let Ok(Dimensions { each }) = toml::from_str(&source.text) else {
        return Ok(vec![(String::new(), source.clone())]);
    };
    let mut made: Vec<(Vec<String>, String)> = vec![(vec![], source.text.clone())];
    for (dimension, list) in &each {
        let wrong = |says: String| {
            let help = "each.framing = [\"length\", \"chunked\"], or each.path = [{ name = \"dots\", is = \"/owa/../ecp\" }]";
            source.problem(source.locate(&["each", dimension]), says, Some(help.to_owned()))
        };
        let values = values(list).ok_or_else(|| wrong(format!("`{dimension}` is no list of values")))?;
        if values.is_empty() || !source.text.contains(&format!("{{{dimension}}}")) {
            return Err(wrong(format!(
                "nothing comes of `{dimension}`: a value stands where {{{dimension}}} is"
            )));
        }
        made = made
            .iter()
            .flat_map(|(names, text)| {
                values.iter().map(move |value| {
                    let names = names.iter().chain([&value.name]).cloned().collect();
                    (names, put_in(text, dimension, &value.is))
                })
            })
            .collect();
        if made.len() > MOST {
            return Err(wrong(format!("this file makes {} cases, and at most {MOST}", made.len())));
        }
    }
    Ok(made
        .into_iter()
        .map(|(names, text)| {
            let behind = if names.is_empty() { String::new() } else { format!("[{}]", names.join(",")) };
            (behind, Source::new(source.file.clone(), text))
        })
        .collect())
}

fn values(list: &toml::Value) -> Option<Vec<Value>> {
    list.as_array()?
        .iter()
        .map(|value| match value {
            toml::Value::String(word) if is_name(word) => {
                Some(Value { name: word.clone(), is: value.clone() })
            }
            toml::Value::Integer(number) => Some(Value { name: number.to_string(), is: value.clone() }),
            toml::Value::Table(table) if table.len() == 2 => {
                let name = table.get("name")?.as_str().filter(|name| is_name(name))?.to_owned();
                Some(Value { name, is: table.get("is")?.clone() })
            }
            _ => None,
        })
        .collect()
}

fn is_name(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b))
}

fn put_in(text: &str, dimension: &str, value: &toml::Value) -> String {
    let written = value.to_string();
    // As the inside of a basic string.
    let inner = value.as_str().map_or(written.clone(), |text| {
        let escaped = |c: char| match c {
            '"' | '\\' => format!("\\{c}"),
            c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
            c => c.to_string(),
        };
        text.chars().map(escaped).collect()
    });
    text.replace(&format!("\"{{{dimension}}}\""), &written).replace(&format!("{{{dimension}}}"), &inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(text: &str) -> Result<Vec<(String, String)>, String> {
        let made = variants(&Source::new("a.toml", text)).map_err(|problem| problem.to_string())?;
        Ok(made.into_iter().map(|(behind, source)| (behind, source.text)).collect())
    }

    #[test]
    fn a_file_without_a_dimension_is_itself() {
        assert_eq!(made("a = 1").unwrap(), [(String::new(), "a = 1".to_owned())]);
    }

    #[test]
    fn each_value_is_a_file_and_lists_multiply() {
        let all = made(
            "a = \"{b}\"\nc = \"x {d}\"\n[each]\nb = [1, 2]\nd = [\"e\", { name = \"f\", is = '\\\"' }]\n",
        )
        .unwrap();
        let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["[1,e]", "[1,f]", "[2,e]", "[2,f]"]);
        assert!(all[0].1.starts_with("a = 1\nc = \"x e\"\n"), "{}", all[0].1);
        let read: toml::Table = toml::from_str(&all[3].1).unwrap();
        assert_eq!((read["a"].as_integer(), read["c"].as_str()), (Some(2), Some("x \\\"")));
    }

    #[test]
    fn a_string_that_is_nothing_else_becomes_a_list() {
        let all = made("a = \"{b}\"\n[each]\nb = [{ name = \"two\", is = [\"x: 1\", \"y: 2\"] }]\n").unwrap();
        assert!(all[0].1.starts_with("a = [\"x: 1\", \"y: 2\"]\n"), "{}", all[0].1);
    }

    #[test]
    fn a_dimension_that_makes_nothing_is_refused_at_its_place() {
        assert_eq!(
            made("a = 1\n[each]\nb = [\"c\"]\n").unwrap_err(),
            "a.toml:3:5: nothing comes of `b`: a value stands where {b} is"
        );
        assert_eq!(
            made("a = \"{b}\"\n[each]\nb = \"c\"\n").unwrap_err(),
            "a.toml:3:5: `b` is no list of values"
        );
    }
}
