//! Verdicts as people and programs read them: terminal text, `report.json`, `report.html`, JUnit, GitHub's pages, and the
//! table of rules.
//!
//! Pure: everything here turns values into text, and the caller writes it. What a subject said reaches a terminal or an
//! XML file only with its control characters taken out.

pub mod github;
pub mod html;
pub mod json;
pub mod junit;
pub mod matrix;
pub mod merge;
pub mod schema;
pub mod terminal;

mod columns;

/// Words in a row as a person would write them: `1`, `1 and 2`, `1, 2 and 3`.
fn in_a_row(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod sample;
