//! What no file of the project may hold, and how long one may be.

use super::{Refusal, code};

/// A file past this many lines holds two subjects.
const MOST_LINES: usize = 600;

/// Folders of one person's machine. Written in two parts, so that this file may hold them.
const MACHINE_PATHS: &[&str] =
    &[concat!("/", "home/"), concat!("/", "root/"), concat!("/", "work/"), concat!("/", "Users/")];

/// Names that say nothing of what is inside.
const EMPTY_WORDS: &[&str] = &["util", "helper", "misc", "manager", "context"];

/// Everything that is wrong with one file; `path` is relative to the root, with slashes.
pub(super) fn refused(path: &str, text: &str) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    let mut refuse = |line: usize, what: String, why: &'static str, mend: &str| {
        refusals.push(Refusal { at: format!("{path}:{line}"), what, why, mend: mend.to_owned() });
    };
    if path != "Cargo.lock" {
        for (at, line) in text.lines().enumerate() {
            if let Some(folder) = MACHINE_PATHS.iter().find(|folder| names_folder(line, folder)) {
                refuse(
                    at + 1,
                    format!("`{folder}…` is a folder of somebody's machine"),
                    "it leads nowhere on any other",
                    "name it relative to the tree, or in a temporary folder",
                );
            }
        }
    }
    if !path.ends_with(".rs") {
        return refusals;
    }
    let lines = text.lines().count();
    if lines > MOST_LINES {
        refuse(
            MOST_LINES + 1,
            format!("{lines} lines"),
            "a file has one subject, and is read downwards; 600 lines is the wall",
            "find the two subjects, and give each its file",
        );
    }
    if !text.starts_with("//!") {
        refuse(
            1,
            "the first line does not say what the file is about".to_owned(),
            "a newcomer decides by the first line whether to read on",
            "begin with `//! …`, one true sentence",
        );
    }
    for (at, line) in code::only(text).lines().enumerate() {
        if let Some(name) = declared(line).filter(|name| is_empty_word(name)) {
            refuse(
                at + 1,
                format!("`{name}` is a name for anything"),
                "such a place collects what has no place",
                "name it after the thing it holds; the glossary has the word",
            );
        }
        for placeholder in ["todo!", "unimplemented!"] {
            if calls(line, placeholder) {
                refuse(
                    at + 1,
                    format!("`{placeholder}` in code"),
                    "what is not there yet is said in the README, not found out by a panic",
                    "build it, or leave the path to it out",
                );
            }
        }
        let is_clock = path.rsplit('/').next() == Some("clock.rs");
        if !is_clock && (calls(line, "sleep") || calls(line, "sleep_until")) {
            refuse(
                at + 1,
                "a sleep outside a crate's module `clock`".to_owned(),
                "a test that sleeps is slow on a good day and wrong on a bad one",
                "wait for the event; if there is none, add one",
            );
        }
    }
    refusals
}

/// Whether a path begins here: not the middle of a web address or of a longer path.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '~' | '}' | '>' | '*'))
    })
}

/// Whether `name(` stands in a line of code, as a word of its own.
fn calls(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + name.len()..].trim_start();
        after.starts_with('(') && !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// The name that a line of code declares: of a module, a type or a trait.
fn declared(line: &str) -> Option<&str> {
    let mut words = line.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
    words.find(|word| ["mod", "struct", "enum", "trait"].contains(word))?;
    words.next()
}

/// Whether one of the words that make up a name is an empty one: `http_utils`, `LabManager`.
fn is_empty_word(name: &str) -> bool {
    let mut words = vec![name.to_lowercase(), String::new()];
    for c in name.chars() {
        if c == '_' || c.is_uppercase() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c != '_') {
            word.extend(c.to_lowercase());
        }
    }
    words.iter().any(|word| {
        let singular = word.strip_suffix('s').unwrap_or(word);
        EMPTY_WORDS.contains(&singular) || EMPTY_WORDS.contains(&word.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(path: &str, text: &str) -> Vec<String> {
        refused(path, text).into_iter().map(|refusal| refusal.at).collect()
    }

    #[test]
    fn a_file_with_nothing_wrong_is_let_in() {
        let text = "//! What it is.\n// todo!( and sleep( in a comment\nlet a = \"unimplemented!(\";\nfn asleep() {}\n";
        assert_eq!(refused("a/src/lib.rs", text), vec![]);
    }

    #[test]
    fn a_long_file_and_one_without_a_first_line_are_refused() {
        let long = format!("//! Long.\n{}", "\n".repeat(MOST_LINES));
        assert_eq!(places("a.rs", &long), ["a.rs:601"]);
        assert_eq!(places("a.md", &long), Vec::<String>::new());
        assert_eq!(places("a.rs", "use std::fmt;\n"), ["a.rs:1"]);
    }

    #[test]
    fn placeholders_and_sleeps_are_refused_where_they_are_code() {
        let text = "//! X.\nfn a() { todo!() }\nfn b() { unimplemented!(\"x\") }\ntokio::time::sleep(d).await;\nthread::sleep_until (d);\n";
        assert_eq!(places("a.rs", text), ["a.rs:2", "a.rs:3", "a.rs:4", "a.rs:5"]);
        assert_eq!(places("a/clock.rs", text), ["a/clock.rs:2", "a/clock.rs:3"]);
        assert_eq!(places("a/o_clock.rs", text).len(), 4);
    }

    #[test]
    fn a_name_that_says_nothing_is_refused() {
        for name in
            ["mod util;", "pub(crate) mod http_utils {", "mod helpers;", "struct LabManager;", "enum MISC {}"]
        {
            let refusals = refused("a.rs", &format!("//! X.\n{name}\n"));
            assert_eq!(refusals.len(), 1, "{name}: {refusals:?}");
        }
        assert_eq!(
            refused("a.rs", "//! X.\nmod contexture;\nuse anyhow::Context as _;\nlet util = 1;\n"),
            vec![]
        );
    }

    #[test]
    fn a_path_of_somebodys_machine_is_refused_in_any_file() {
        let folder = MACHINE_PATHS[0];
        assert_eq!(places("README.md", &format!("see\n`{folder}ann/notes`\n")), ["README.md:2"]);
        assert_eq!(places("a.toml", &format!("a = \"https://contoso.com{folder}\"\n")), Vec::<String>::new());
        assert_eq!(places("a.toml", &format!("a = \"{{work}}{folder}\"\n")), Vec::<String>::new());
        assert_eq!(places("Cargo.lock", &format!("{folder}ann\n")), Vec::<String>::new());
    }
}
