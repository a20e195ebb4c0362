//! Input of clients for the declared fields (upstream `db/schema.mjs`, `parseInputData`).

use serde_json::{Map, Number, Value};
use thiserror::Error;

use super::{Blank, Field, FieldType, LARGEST_MAX_LENGTH, MAX_ITEMS};
use crate::extract::check::is_truthy;

/// Whether the input makes a row or changes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Defaults apply and required fields are demanded.
    Create,
    /// Only what is given counts.
    Update,
}

/// Why a body is refused. The text begins with the wire key and can be shown in a form.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FieldError {
    /// A field with `input: false` got a value (upstream `FIELD_NOT_ALLOWED`).
    #[error("{key} is not allowed to be set")]
    NotAllowed {
        /// Wire key of the field.
        key: String,
    },
    /// A required field has no value (upstream `MISSING_FIELD`).
    #[error("{key} is required")]
    Missing {
        /// Wire key of the field.
        key: String,
    },
    /// The value is of the wrong type, too long or not one of the allowed ones (upstream
    /// `VALIDATION_ERROR`, there only from a project's own validator).
    #[error("{message}")]
    Invalid {
        /// Wire key of the field.
        key: String,
        /// The whole sentence, beginning with the wire key.
        message: String,
    },
}

/// Takes the values of `fields` out of `body`: by wire key, in declaration order, only those that
/// were given or have a default. Other keys are dropped.
///
/// Given, absent, default and `input: false` are treated exactly as upstream's `parseInputData`
/// does. Stricter than upstream: type, allowed values and length are checked, and null or blank
/// text for a required field counts as missing.
///
/// # Errors
/// The first field, in declaration order, whose value cannot be accepted.
pub fn parse_input(
    fields: &[Field],
    body: &Map<String, Value>,
    action: Action,
) -> Result<Map<String, Value>, FieldError> {
    let mut parsed = Map::new();
    for field in fields {
        let create = action == Action::Create;
        let value = match (body.get(&field.key), &field.default) {
            (Some(_), Some(default)) if !field.input && create => default.clone(),
            (Some(given), _) if !field.input => {
                if is_truthy(given) {
                    return Err(FieldError::NotAllowed { key: field.key.clone() });
                }
                continue;
            }
            (Some(given), _) => field.check(given)?,
            (None, Some(default)) if create => default.clone(),
            (None, None) if create && field.required => return Err(field.missing()),
            (None, _) => continue,
        };
        parsed.insert(field.key.clone(), value);
    }
    Ok(parsed)
}

/// Keys of `body` that no field has but that differ from a field's key or name only in letter
/// case, `_` and `-`, each with that field. The protocol drops such keys silently, so dev mode
/// names them.
#[must_use]
pub fn lookalikes<'a>(fields: &'a [Field], body: &Map<String, Value>) -> Vec<(String, &'a Field)> {
    body.keys()
        .filter(|key| !fields.iter().any(|field| field.key == **key))
        .filter_map(|key| {
            let plain = plain_key(key);
            let field =
                fields.iter().find(|field| [&field.key, &field.name].iter().any(|own| plain_key(own) == plain))?;
            Some((key.clone(), field))
        })
        .collect()
}

/// A key without letter case, `_` and `-`.
pub(crate) fn plain_key(key: &str) -> String {
    key.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

impl Field {
    /// The value to store for a value that was given.
    ///
    /// # Errors
    /// [`FieldError::Missing`] if the field is required and the value is null or blank,
    /// [`FieldError::Invalid`] if the value does not fit the field.
    pub fn check(&self, given: &Value) -> Result<Value, FieldError> {
        let value = match (self.kind, given) {
            (_, Value::Null) => Value::Null,
            (_, Value::String(text)) if self.blank == Blank::Null && blank(text) => Value::Null,
            (FieldType::String, Value::String(text)) => Value::String(self.check_text(text)?),
            (FieldType::String, _) => return Err(self.invalid("must be a string")),
            (FieldType::StringList, Value::Array(items)) => self.check_list(items)?,
            (FieldType::StringList, _) => return Err(self.invalid("must be a list of strings")),
            (FieldType::Number, Value::Number(number)) => Value::Number(number.clone()),
            (FieldType::Number, Value::String(text)) => {
                Value::Number(parse_number(text).ok_or_else(|| self.invalid("must be a number"))?)
            }
            (FieldType::Number, _) => return Err(self.invalid("must be a number")),
            (FieldType::Boolean, Value::Bool(flag)) => Value::Bool(*flag),
            (FieldType::Boolean, Value::String(text)) => {
                Value::Bool(text.trim().parse().map_err(|_| self.invalid("must be true or false"))?)
            }
            (FieldType::Boolean, _) => return Err(self.invalid("must be true or false")),
        };
        if value.is_null() && self.required {
            return Err(self.missing());
        }
        Ok(value)
    }

    fn check_list(&self, items: &[Value]) -> Result<Value, FieldError> {
        let mut checked = Vec::new();
        for item in items {
            let Value::String(text) = item else {
                return Err(self.invalid("must be a list of strings"));
            };
            if self.blank == Blank::Null && blank(text) {
                continue;
            }
            if checked.len() == MAX_ITEMS {
                return Err(self.invalid(&format!("must have at most {MAX_ITEMS} items")));
            }
            checked.push(Value::String(self.check_text(text)?));
        }
        if checked.is_empty() && self.blank == Blank::Null {
            return Ok(Value::Null);
        }
        let list = Value::Array(checked);
        // The column holds the JSON text.
        if list.to_string().chars().count() > LARGEST_MAX_LENGTH {
            return Err(self.invalid(&format!("must have at most {LARGEST_MAX_LENGTH} characters in all")));
        }
        Ok(list)
    }

    /// A text, or an item of a list; an allowed value comes back in its declared spelling.
    fn check_text(&self, text: &str) -> Result<String, FieldError> {
        let list = self.kind == FieldType::StringList;
        // PostgreSQL cannot keep this character in a text.
        if text.contains('\0') {
            return Err(self.invalid("must not contain a NUL character"));
        }
        if text.chars().count() > self.max_length {
            let subject = if list { "must have items of" } else { "must be" };
            return Err(self.invalid(&format!("{subject} at most {} characters", self.max_length)));
        }
        let Some(values) = &self.values else {
            return Ok(text.to_owned());
        };
        let folded = text.to_lowercase();
        let same_but_for_case = || values.iter().find(|value| value.to_lowercase() == folded);
        let found = values.iter().find(|value| *value == text).or_else(same_but_for_case);
        found.cloned().ok_or_else(|| {
            let subject = if list { "must contain only" } else { "must be one of" };
            self.invalid(&format!("{subject}: {}", values.join(", ")))
        })
    }

    fn missing(&self) -> FieldError {
        FieldError::Missing { key: self.key.clone() }
    }

    fn invalid(&self, what: &str) -> FieldError {
        FieldError::Invalid { key: self.key.clone(), message: format!("{} {what}", self.key) }
    }
}

fn blank(text: &str) -> bool {
    text.trim().is_empty()
}

/// A finite number written as text, as forms send it.
fn parse_number(text: &str) -> Option<Number> {
    let text = text.trim();
    match text.parse::<i64>() {
        Ok(whole) => Some(whole.into()),
        Err(_) => text.parse().ok().and_then(Number::from_f64),
    }
}
