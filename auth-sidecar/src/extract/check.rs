//! Validation of body and query members with zod 4's messages
//! (contract: validation message format; upstream better-call `validator.fromError`).

use serde_json::{Map, Value};

use crate::email_form::is_email;
use crate::error::ApiError;

/// Collects every issue of a body or query in schema order, then fails once with all of them.
///
/// The readers return a harmless value when they record an issue, so that a handler can name all
/// members first and call [`Check::finish`] before it uses any of them.
pub struct Check<'a> {
    place: &'static str,
    map: Option<&'a Map<String, Value>>,
    issues: Vec<String>,
}

impl<'a> Check<'a> {
    /// Checks a body that must be an object (`z.object`).
    #[must_use]
    pub fn body(body: Option<&'a Value>) -> Self {
        Self::expecting(body, &["object"])
    }

    /// Checks a body that may be any record (`z.record`).
    #[must_use]
    pub fn record(body: Option<&'a Value>) -> Self {
        Self::expecting(body, &["record"])
    }

    /// Checks a body that is an object and a record at once (`z.object().and(z.record())`):
    /// anything else gives both issues.
    #[must_use]
    pub fn object_and_record(body: Option<&'a Value>) -> Self {
        Self::expecting(body, &["object", "record"])
    }

    /// Checks members of a body that is known to be an object.
    #[must_use]
    pub fn members_of(members: &'a Map<String, Value>) -> Self {
        Self { place: "body", map: Some(members), issues: Vec::new() }
    }

    /// Checks the query, whose repeated keys are arrays.
    #[must_use]
    pub fn query(query: &'a Map<String, Value>) -> Self {
        Self { place: "query", map: Some(query), issues: Vec::new() }
    }

    fn expecting(body: Option<&'a Value>, kinds: &[&str]) -> Self {
        let map = body.and_then(Value::as_object);
        let issues = match map {
            Some(_) => Vec::new(),
            None => kinds
                .iter()
                .map(|kind| format!("[body] Invalid input: expected {kind}, received {}", type_word(body)))
                .collect(),
        };
        Self { place: "body", map, issues }
    }

    /// A string.
    pub fn string(&mut self, key: &str) -> String {
        self.optional_string(key, true).unwrap_or_default()
    }

    /// A string or nothing; `null` is an issue.
    pub fn maybe_string(&mut self, key: &str) -> Option<String> {
        self.optional_string(key, false)
    }

    /// A string of at least one character.
    pub fn non_empty_string(&mut self, key: &str) -> String {
        let value = self.string(key);
        match self.map.and_then(|map| map.get(key)) {
            Some(Value::String(text)) if text.is_empty() => {
                self.issue(key, "Too small: expected string to have >=1 characters");
            }
            // zod runs the length check on whatever has a length, even after the type was wrong.
            Some(Value::Array(items)) if items.is_empty() => {
                self.issue(key, "Too small: expected array to have >=1 items");
            }
            _ => {}
        }
        value
    }

    /// A string of the form of an e-mail address.
    pub fn email(&mut self, key: &str) -> String {
        let before = self.issues.len();
        let value = self.string(key);
        if self.issues.len() == before && self.map.is_some() && !is_email(&value) {
            self.issue(key, "Invalid email address");
        }
        value
    }

    /// A boolean or nothing.
    pub fn maybe_bool(&mut self, key: &str) -> Option<bool> {
        let value = self.map?.get(key)?;
        if value.as_bool().is_none() {
            self.wrong_type(key, "boolean", Some(value));
        }
        value.as_bool()
    }

    /// An object or nothing; whether it is there and one.
    pub fn maybe_object(&mut self, key: &str) -> bool {
        self.maybe_map(key, "object")
    }

    /// A record or nothing; whether it is there and one.
    pub fn maybe_record(&mut self, key: &str) -> bool {
        self.maybe_map(key, "record")
    }

    fn maybe_map(&mut self, key: &str, expected: &str) -> bool {
        match self.map.and_then(|map| map.get(key)) {
            None => false,
            Some(Value::Object(_)) => true,
            other => {
                self.wrong_type(key, expected, other);
                false
            }
        }
    }

    /// A list of strings or nothing.
    pub fn maybe_strings(&mut self, key: &str) {
        match self.map.and_then(|map| map.get(key)) {
            None => {}
            Some(Value::Array(items)) => {
                for (i, item) in items.iter().enumerate().filter(|(_, item)| !item.is_string()) {
                    self.wrong_type(&format!("{key}.{i}"), "string", Some(item));
                }
            }
            other => self.wrong_type(key, "array", other),
        }
    }

    /// Records an issue at `key` with a text of its own.
    pub fn issue(&mut self, key: &str, message: &str) {
        self.issues.push(format!("[{}.{key}] {message}", self.place));
    }

    /// The members, to be used after [`Check::finish`].
    #[must_use]
    pub fn members(&self) -> Option<&'a Map<String, Value>> {
        self.map
    }

    /// 400 `VALIDATION_ERROR` with all issues, if there is any.
    ///
    /// # Errors
    /// When a reader recorded an issue.
    pub fn finish(self) -> Result<(), ApiError> {
        if self.issues.is_empty() { Ok(()) } else { Err(ApiError::validation(self.issues.join("; "))) }
    }

    fn optional_string(&mut self, key: &str, required: bool) -> Option<String> {
        let value = self.map?.get(key);
        match value {
            Some(Value::String(text)) => Some(text.clone()),
            None if !required => None,
            other => {
                self.wrong_type(key, "string", other);
                None
            }
        }
    }

    fn wrong_type(&mut self, key: &str, expected: &str, value: Option<&Value>) {
        self.issue(key, &format!("Invalid input: expected {expected}, received {}", type_word(value)));
    }
}

/// zod's word for the type of a value.
#[must_use]
pub fn type_word(value: Option<&Value>) -> &'static str {
    match value {
        None => "undefined",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "boolean",
        Some(Value::Number(_)) => "number",
        Some(Value::String(_)) => "string",
        Some(Value::Array(_)) => "array",
        Some(Value::Object(_)) => "object",
    }
}

/// Whether any text in `value`, at any depth, holds a NUL character: PostgreSQL cannot store one and
/// no honest form sends one.
#[must_use]
pub fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => members.iter().any(|(key, member)| key.contains('\0') || has_nul(member)),
        _ => false,
    }
}

/// JavaScript's truth of a JSON value.
#[must_use]
pub fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(result: Result<(), ApiError>) -> String {
        match result {
            Ok(()) => String::new(),
            Err(ApiError::Refused { body, .. }) => body.to_json().unwrap(),
            Err(other) => panic!("{other:?}"),
        }
    }

    fn sign_up(body: Option<&Value>) -> String {
        let mut check = Check::object_and_record(body);
        check.string("name");
        check.email("email");
        check.non_empty_string("password");
        check.maybe_string("image");
        check.maybe_bool("rememberMe");
        message(check.finish())
    }

    #[test]
    fn an_empty_sign_up_names_every_member_in_schema_order() {
        assert_eq!(
            sign_up(Some(&json!({}))),
            r#"{"message":"[body.name] Invalid input: expected string, received undefined; [body.email] Invalid input: expected string, received undefined; [body.password] Invalid input: expected string, received undefined","code":"VALIDATION_ERROR"}"#
        );
    }

    #[test]
    fn each_wrong_member_has_upstreams_text() {
        let good = json!({"name": "n", "email": "a@b.co", "password": "p"});
        assert_eq!(sign_up(Some(&good)), "");
        for (key, value, expected) in [
            ("name", json!(1), "[body.name] Invalid input: expected string, received number"),
            ("email", json!("nope"), "[body.email] Invalid email address"),
            ("email", json!(null), "[body.email] Invalid input: expected string, received null"),
            ("password", json!(""), "[body.password] Too small: expected string to have >=1 characters"),
            (
                "password",
                json!([]),
                "[body.password] Invalid input: expected string, received array; [body.password] Too small: expected array to have >=1 items",
            ),
            ("password", json!(["x"]), "[body.password] Invalid input: expected string, received array"),
            ("rememberMe", json!("no"), "[body.rememberMe] Invalid input: expected boolean, received string"),
            ("image", json!(null), "[body.image] Invalid input: expected string, received null"),
        ] {
            let mut body = good.clone();
            body[key] = value;
            assert_eq!(sign_up(Some(&body)), format!(r#"{{"message":"{expected}","code":"VALIDATION_ERROR"}}"#));
        }
    }

    #[test]
    fn a_body_that_is_no_object_gives_both_issues_on_sign_up() {
        for (body, word) in [
            (Some(json!([])), "array"),
            (Some(json!("s")), "string"),
            (Some(json!(5)), "number"),
            (Some(json!(null)), "null"),
            (Some(json!(true)), "boolean"),
            (None, "undefined"),
        ] {
            assert_eq!(
                sign_up(body.as_ref()),
                format!(
                    r#"{{"message":"[body] Invalid input: expected object, received {word}; [body] Invalid input: expected record, received {word}","code":"VALIDATION_ERROR"}}"#
                )
            );
        }
    }

    #[test]
    fn a_nul_is_found_at_any_depth() {
        assert!(has_nul(&json!({"a": {"b": ["x", "y\0"]}})));
        assert!(has_nul(&json!({"k\0": 1})));
        assert!(!has_nul(&json!({"a": "b", "c": [1, null, true]})));
    }
}
