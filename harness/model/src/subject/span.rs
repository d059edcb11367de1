//! Days, lengths of time and sizes, as people write them in a subject file.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::names::BadName;

/// A day, `2027-03-01`; a TOML date, or text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "toml::Value", into = "String")]
pub struct Day(String);

impl TryFrom<toml::Value> for Day {
    type Error = BadName;
    fn try_from(value: toml::Value) -> Result<Self, BadName> {
        let given = match &value {
            toml::Value::Datetime(day) => day.to_string(),
            toml::Value::String(day) => day.clone(),
            other => other.to_string(),
        };
        given.parse()
    }
}

impl std::str::FromStr for Day {
    type Err = BadName;
    fn from_str(given: &str) -> Result<Self, BadName> {
        let parts: Vec<u16> = given.split('-').filter_map(|part| part.parse().ok()).collect();
        match parts[..] {
            [_, 1..=12, 1..=31] if given.len() == 10 => Ok(Day(given.to_owned())),
            _ => Err(BadName { given: given.to_owned(), what: "day", example: "2027-03-01" }),
        }
    }
}

impl From<Day> for String {
    fn from(day: Day) -> String {
        day.0
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A length of time, `500ms`, `10s`, `50m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub Duration);

impl TryFrom<String> for Span {
    type Error = BadName;
    fn try_from(given: String) -> Result<Self, BadName> {
        let millis = scaled(&given, &[("ms", 1), ("s", 1000), ("m", 60_000)]);
        let bad = BadName { given: given.clone(), what: "length of time", example: "500ms (or 10s, 50m)" };
        millis.map(|millis| Span(Duration::from_millis(millis))).ok_or(bad)
    }
}

impl From<Span> for String {
    fn from(span: Span) -> String {
        span.to_string()
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}ms", self.0.as_millis())
    }
}

/// A number of bytes, `512`, `64k`, `1g`: k, m and g are powers of 1024.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Size(pub u64);

impl TryFrom<String> for Size {
    type Error = BadName;
    fn try_from(given: String) -> Result<Self, BadName> {
        let bytes = scaled(&given, &[("", 1), ("k", 1 << 10), ("m", 1 << 20), ("g", 1 << 30)]);
        let bad = BadName { given: given.clone(), what: "size", example: "64k (or 512, 1g)" };
        bytes.map(Size).ok_or(bad)
    }
}

impl From<Size> for String {
    fn from(size: Size) -> String {
        size.0.to_string()
    }
}

/// A whole number with one of these units behind it.
fn scaled(given: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = given.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().ok()?;
    let (_, factor) = units.iter().find(|(unit, _)| *unit == &given[digits.len()..])?;
    number.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_have_units() {
        let millis = |given: &str| Span::try_from(given.to_owned()).ok().map(|span| span.0.as_millis());
        assert_eq!(
            [millis("500ms"), millis("10s"), millis("50m")],
            [Some(500), Some(10_000), Some(3_000_000)]
        );
        assert_eq!([millis("10"), millis("s"), millis("1h"), millis("400000000000000000m")], [None; 4]);
        let bytes = |given: &str| Size::try_from(given.to_owned()).ok().map(|size| size.0);
        assert_eq!([bytes("512"), bytes("64k"), bytes("1g")], [Some(512), Some(65_536), Some(1_073_741_824)]);
        assert_eq!([bytes("k"), bytes("1 k"), bytes("-1"), bytes("1kb")], [None; 4]);
    }
}
