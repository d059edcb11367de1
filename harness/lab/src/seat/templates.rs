//! Templates of a subject's own configuration: Jinja, with the variables of its file and all of lab.json to name.

use std::path::Path;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use super::SeatError;

/// The most that a template may hold.
const MOST_BYTES: u64 = 1 << 20;

/// Renders one template.
pub(super) fn render(subject: &str, path: &Path, variables: &serde_json::Value) -> Result<String, SeatError> {
    let wrong = |line, message| SeatError::Template {
        subject: subject.to_owned(),
        path: path.to_owned(),
        line,
        message,
    };
    let text = read(path).map_err(|error| wrong(None, error.to_string()))?;
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // What is written is a proxy's configuration in any format; `tojson` quotes where that is wanted.
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_keep_trailing_newline(true);
    let rendered = environment
        .template_from_named_str(&path.to_string_lossy(), &text)
        .and_then(|template| template.render(value(variables)));
    rendered.map_err(|error| {
        let what = error.detail().map_or_else(|| error.kind().to_string(), ToOwned::to_owned);
        // The library does not name what is undefined; the line does.
        let line = error.line().and_then(|number| text.lines().nth(number.checked_sub(1)?));
        let message = line.map(|line| format!("{what} in `{}`", line.trim())).unwrap_or(what);
        wrong(error.line(), message)
    })
}

fn read(path: &Path) -> std::io::Result<String> {
    let length = std::fs::metadata(path)?.len();
    if length > MOST_BYTES {
        return Err(std::io::Error::other(format!(
            "{length} bytes are too many; a template has at most {MOST_BYTES}"
        )));
    }
    std::fs::read_to_string(path)
}

/// A JSON object whose keys can be written as Jinja names: `service_account` finds `service-account`.
#[derive(Debug)]
struct Names(serde_json::Map<String, serde_json::Value>);

impl Object for Names {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        self.0.get(key).or_else(|| self.0.get(&key.replace('_', "-"))).map(value)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.keys().map(|key| Value::from(key.as_str())).collect())
    }
}

fn value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Object(object) => Value::from_object(Names(object.clone())),
        serde_json::Value::Array(array) => array.iter().map(value).collect(),
        other => Value::from_serialize(other),
    }
}
