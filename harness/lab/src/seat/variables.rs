//! The variables of a subject file, and what each stands for in this lab: the same tree for braces and for templates.

use std::path::Path;

use model::subject::variables::{is_known, listed, variable};
use serde_json::{Value, json};

use super::{Seat, SeatError};

/// What each variable stands for: lab.json, and a few shorter names beside it.
pub(super) struct Variables(Value);

impl Variables {
    pub(super) fn of(seat: &Seat, lab: &Path, told: &Value) -> Variables {
        let path = |path: &Path| path.display().to_string();
        let listen = &seat.facts.seat.listen;
        let mut tree = told.as_object().cloned().unwrap_or_default();
        tree.insert("work".to_owned(), path(&seat.work).into());
        let here = std::path::absolute(&seat.folder).unwrap_or_else(|_| seat.folder.clone());
        tree.insert("here".to_owned(), path(&here).into());
        tree.insert("coexist".to_owned(), path(&seat.coexist).into());
        tree.insert("lab".to_owned(), path(lab).into());
        tree.insert("cert".to_owned(), told["seat"]["certificate"].clone());
        let mut places = json!({ "address": listen.https.ip() });
        for (name, at) in [
            ("https", listen.https),
            ("http", listen.http),
            ("imaps", listen.imaps),
            ("imap", listen.imap),
            ("pops", listen.pops),
            ("pop", listen.pop),
        ] {
            places[name] = json!(at);
            places[format!("{name}-port")] = json!(at.port());
        }
        tree.insert("listen".to_owned(), places);
        Variables(tree.into())
    }

    /// All of them, for a template.
    pub(super) fn tree(&self) -> &Value {
        &self.0
    }

    /// The value of one, as text.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        let found = name.split('.').try_fold(&self.0, |value, step| value.get(step))?;
        match found {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Array(list) => {
                let names: Option<Vec<&str>> = list.iter().map(|one| one["name"].as_str()).collect();
                Some(names?.join(","))
            }
            _ => None,
        }
    }

    /// Fills in every `{name}`: braces around small letters, dots and dashes. Other braces stay, so that JSON may be an
    /// argument.
    pub(super) fn fill(&self, subject: &str, text: &str, place: String) -> Result<String, SeatError> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            filled.push_str(&rest[..at]);
            rest = &rest[at..];
            let Some(name) = variable(rest) else {
                filled.push('{');
                rest = &rest[1..];
                continue;
            };
            let value = self.value(name).filter(|_| is_known(name));
            filled.push_str(&value.ok_or_else(|| SeatError::UnknownVariable {
                subject: subject.to_owned(),
                place: place.clone(),
                variable: name.to_owned(),
                known: listed(),
            })?);
            rest = &rest[name.len() + 2..];
        }
        filled.push_str(rest);
        Ok(filled)
    }
}
