//! A case as a file again.

use serde::Serialize;
use toml::{Table, Value};

use super::{Case, Given, Step};

impl Case {
    /// A file that is read as this case, wherever it lies: its topology is the folder's.
    ///
    /// # Errors
    /// What TOML cannot hold.
    pub fn written(&self) -> Result<String, toml::ser::Error> {
        let mut file = Table::new();
        let mut put = |key: &str, value: Value| drop(file.insert(key.to_owned(), value));
        put("title", value(&self.title)?);
        put("rules", value(&self.rules)?);
        put("source", value(&self.source)?);
        put("needs", value(&self.needs)?);
        if self.declares != Default::default() {
            put("declares", value(&self.declares)?);
        }
        if self.given != Given::default() {
            put("given", value(&self.given)?);
        }
        match &self.steps[..] {
            [] => {}
            [only] if only.before.is_empty() => {
                put("when", value(&only.when)?);
                put("then", value(&only.then)?);
            }
            steps => put("step", Value::Array(rows(steps)?)),
        }
        if !self.resolves.is_empty() {
            put("resolves", value(&self.resolves)?);
        }
        if !self.pings.is_empty() {
            put("pings", value(&self.pings)?);
        }
        toml::to_string(&file)
    }
}

fn value<T: Serialize>(of: &T) -> Result<Value, toml::ser::Error> {
    Value::try_from(of)
}

/// What is done to the lab, and what a client does, each a row of its own.
fn rows(steps: &[Step]) -> Result<Vec<Value>, toml::ser::Error> {
    let mut rows = vec![];
    for step in steps {
        for steering in &step.before {
            rows.push(Value::Table(Table::from_iter([("steers".to_owned(), value(steering)?)])));
        }
        let both = [("when".to_owned(), value(&step.when)?), ("then".to_owned(), value(&step.then)?)];
        rows.push(Value::Table(Table::from_iter(both)));
    }
    Ok(rows)
}
