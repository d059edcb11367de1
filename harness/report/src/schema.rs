//! The published shapes of `report.json` and `ledger.jsonl`, and a check of a value against one.
//!
//! The check knows the part of JSON Schema 2020-12 that the two schemas use: type, enum, required, properties,
//! additionalProperties false, minProperties, maxProperties, minimum, items, anyOf and references into `$defs`. A schema
//! with any other keyword is itself a violation, so nothing is written there that is not held.

use serde_json::{Map, Value};

/// The shape of `report.json`.
pub const REPORT: &str = include_str!("../schema/report.schema.json");

/// The shape of one line of `ledger.jsonl`.
pub const LEDGER: &str = include_str!("../schema/ledger.schema.json");

/// Every place where a value is not as a schema says, `$.cases[0].outcome: …`; none when it holds.
pub fn violations(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    Check { root: schema }.value(schema, value, "$", &mut found);
    found
}

struct Check<'a> {
    root: &'a Value,
}

impl Check<'_> {
    fn value(&self, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
        let Some(keywords) = schema.as_object() else {
            found.push(format!("{at}: the schema here is no object"));
            return;
        };
        for (keyword, wanted) in keywords {
            self.keyword(keyword, wanted, value, at, found);
        }
        if keywords.get("additionalProperties") == Some(&Value::Bool(false)) {
            let known = keywords.get("properties").and_then(Value::as_object);
            for name in
                object(value).keys().filter(|name| !known.is_some_and(|known| known.contains_key(*name)))
            {
                found.push(format!("{at}: the schema has no property `{name}`"));
            }
        }
    }

    fn keyword(&self, keyword: &str, wanted: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
        match keyword {
            "$schema" | "$id" | "$defs" | "title" | "description" => {}
            "additionalProperties" if wanted == &Value::Bool(false) => {}
            "$ref" => match wanted.as_str().and_then(|r| self.root.pointer(r.strip_prefix('#')?)) {
                Some(schema) => self.value(schema, value, at, found),
                None => found.push(format!("{at}: the schema refers to {wanted}, which is not in it")),
            },
            "type" => {
                let is = |kind: &Value| kind.as_str().is_some_and(|kind| is_of(kind, value));
                if !(is(wanted) || list(wanted).iter().any(is)) {
                    found.push(format!("{at}: {value} is not of type {wanted}"));
                }
            }
            "enum" if !list(wanted).contains(value) => {
                found.push(format!("{at}: {value} is none of {wanted}"))
            }
            "required" => {
                for name in list(wanted).iter().filter_map(Value::as_str) {
                    if value.is_object() && !object(value).contains_key(name) {
                        found.push(format!("{at}: `{name}` is missing"));
                    }
                }
            }
            "properties" => {
                for (name, schema) in object(wanted) {
                    if let Some(inner) = value.get(name) {
                        self.value(schema, inner, &format!("{at}.{name}"), found);
                    }
                }
            }
            "items" => {
                for (index, item) in list(value).iter().enumerate() {
                    self.value(wanted, item, &format!("{at}[{index}]"), found);
                }
            }
            "anyOf" => {
                let fits = |schema: &Value| {
                    let mut inner = Vec::new();
                    self.value(schema, value, at, &mut inner);
                    inner.is_empty()
                };
                if !list(wanted).iter().any(fits) {
                    found.push(format!("{at}: {value} fits none of the schema's forms"));
                }
            }
            "minProperties" if (object(value).len() as u64) < wanted.as_u64().unwrap_or(u64::MAX) => {
                found.push(format!("{at}: fewer than {wanted} properties"));
            }
            "maxProperties" if object(value).len() as u64 > wanted.as_u64().unwrap_or(0) => {
                found.push(format!("{at}: more than {wanted} properties"));
            }
            "minimum" if value.as_f64().is_some_and(|number| Some(number) < wanted.as_f64()) => {
                found.push(format!("{at}: {value} is below {wanted}"));
            }
            "enum" | "minProperties" | "maxProperties" | "minimum" => {}
            other => found.push(format!("{at}: the schema uses `{other}`, which this check does not know")),
        }
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        _ => false,
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn object(value: &Value) -> &Map<String, Value> {
    static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    value.as_object().unwrap_or(&NONE)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn arrival() -> Value {
        json!({
            "order": 7, "time": 12, "server": "cas2013-s1", "protocol": "owa", "verb": "GET", "target": "/owa/",
            "host": "mail.contoso.com", "sni": "mail.contoso.com", "tls": true, "peer": "127.1.2.3:40000",
            "identity": { "asked-by": "purple-1a2b3c", "believed-to-be": null, "conveyed": "cookie" },
            "head": "GET /owa/ HTTP/1.1", "connection": 3, "request": 1, "parent": null,
            "case": "coexistence/owa/purple", "claimed-by": "socket",
            "answer": { "status": 401, "substatus": 2, "win32": 5, "sent": 293, "received": 194, "took": 31 },
        })
    }

    #[test]
    fn a_ledger_line_holds_its_schema_and_a_wrong_one_is_told_where() {
        let schema: Value = serde_json::from_str(LEDGER).unwrap();
        assert_eq!(violations(&schema, &arrival()), Vec::<String>::new());

        let mut wrong = arrival();
        wrong["claimed-by"] = json!("hope");
        wrong["identity"]["asked-by"] = json!(7);
        wrong["request"] = json!(0);
        wrong.as_object_mut().unwrap().remove("head");
        let found = violations(&schema, &wrong);
        let mut places: Vec<&str> = found.iter().filter_map(|line| line.split(": ").next()).collect();
        places.sort_unstable();
        assert_eq!(places, ["$", "$.claimed-by", "$.identity.asked-by", "$.request"], "{found:?}");
    }

    #[test]
    fn a_schema_that_asks_for_what_is_not_checked_is_refused() {
        let found = violations(&json!({ "type": "string", "pattern": "^a" }), &json!("b"));
        assert!(found[0].contains("`pattern`"), "{found:?}");
        let found = violations(&json!({ "$ref": "#/$defs/nothing" }), &json!("b"));
        assert!(found[0].contains("not in it"), "{found:?}");
    }
}
