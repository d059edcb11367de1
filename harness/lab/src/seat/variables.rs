//! The variables of a subject file, `{work}` and the others.

use std::path::Path;

use model::subject::{VARIABLES, variable};

use super::{Seat, SeatError};

/// What each variable stands for.
pub(super) struct Variables(Vec<(&'static str, String)>);

impl Variables {
    pub(super) fn of(seat: &Seat, lab: &Path) -> Variables {
        let (facts, path) = (&seat.facts, |path: &Path| path.display().to_string());
        let (listen, certificate) = (&facts.seat.listen, &facts.seat.certificate);
        let value = |name| match name {
            "work" => path(&seat.work),
            "coexist" => path(&seat.coexist),
            "ca" => path(&facts.ca),
            "lab" => path(lab),
            "listen.https" => listen.https.to_string(),
            "listen.http" => listen.http.to_string(),
            "cert.chain" => path(&certificate.chain),
            "cert.key" => path(&certificate.key),
            "cert.pem" => path(&certificate.pem),
            "dns" => facts.dns.to_string(),
            "directory" => facts.directory.clone(),
            other => unreachable!("the model names a variable that nothing fills: {other}"),
        };
        Variables(VARIABLES.map(|name| (name, value(name))).into())
    }

    /// The value of one.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
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
            let unknown = || SeatError::UnknownVariable {
                subject: subject.to_owned(),
                place: place.clone(),
                variable: name.to_owned(),
                known: self.0.iter().map(|(name, _)| format!("{{{name}}}")).collect::<Vec<_>>().join(", "),
            };
            filled.push_str(self.value(name).ok_or_else(unknown)?);
            rest = &rest[name.len() + 2..];
        }
        filled.push_str(rest);
        Ok(filled)
    }
}
