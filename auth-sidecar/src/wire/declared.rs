//! Declared fields between the wire and the rows: the two personalization columns, and the JSON
//! column that holds the others under their declared names.

use schema::{User, UserChanges};
use serde_json::{Map, Value};

use crate::fields::{Field, FieldRegistry, FieldType, PersonalizationColumn, Storage};

/// The declared members of a user object, without those that are never returned.
pub fn user_members<'a>(registry: &'a FieldRegistry, user: &'a User) -> impl Iterator<Item = (String, Value)> + 'a {
    user_values(registry, user).filter(|(field, _)| field.returned).map(|(field, value)| (field.key.clone(), value))
}

/// Every declared field of a user with its value, null when there is none.
pub fn user_values<'a>(registry: &'a FieldRegistry, user: &'a User) -> impl Iterator<Item = (&'a Field, Value)> + 'a {
    let json = parse_json(&user.additional_fields);
    registry.user.iter().map(move |field| {
        let value = match &field.storage {
            Storage::Column(column) => from_column(field, column_of(user, *column)),
            Storage::Json => json.get(&field.name).cloned().unwrap_or_default(),
        };
        (field, value)
    })
}

/// The declared members of a session object, without those that are never returned.
pub fn session_members<'a>(
    registry: &'a FieldRegistry,
    additional_fields: &str,
) -> impl Iterator<Item = (String, Value)> + 'a {
    let json = parse_json(additional_fields);
    registry
        .session
        .iter()
        .filter(|field| field.returned)
        .map(move |field| (field.key.clone(), json.get(&field.name).cloned().unwrap_or_default()))
}

/// Checked input as changes of a user's columns, and apart from them what goes into the JSON
/// column.
#[must_use]
pub fn user_changes(registry: &FieldRegistry, declared: &Map<String, Value>) -> (UserChanges, Map<String, Value>) {
    let mut changes = UserChanges::default();
    for field in &registry.user {
        if let (Storage::Column(column), Some(value)) = (&field.storage, declared.get(&field.key)) {
            let target = match column {
                PersonalizationColumn::SoftwareBackground => &mut changes.software_background,
                PersonalizationColumn::HardwareBackground => &mut changes.hardware_background,
            };
            *target = Some(to_column(value));
        }
    }
    (changes, json_part(&registry.user, declared))
}

/// The part of checked input that the JSON column holds, under the declared names.
#[must_use]
pub fn json_part(fields: &[Field], declared: &Map<String, Value>) -> Map<String, Value> {
    fields
        .iter()
        .filter(|field| matches!(field.storage, Storage::Json))
        .filter_map(|field| Some((field.name.clone(), declared.get(&field.key)?.clone())))
        .collect()
}

/// The JSON column with `part` written over it.
#[must_use]
pub fn merge_json(column: &str, part: Map<String, Value>) -> String {
    let mut json = parse_json(column);
    json.extend(part);
    Value::Object(json).to_string()
}

fn parse_json(column: &str) -> Map<String, Value> {
    serde_json::from_str(column).unwrap_or_default()
}

fn column_of(user: &User, column: PersonalizationColumn) -> Option<&str> {
    match column {
        PersonalizationColumn::SoftwareBackground => user.software_background.as_deref(),
        PersonalizationColumn::HardwareBackground => user.hardware_background.as_deref(),
    }
}

fn from_column(field: &Field, text: Option<&str>) -> Value {
    match (text, &field.kind) {
        (None, _) => Value::Null,
        // A row written before the field became a list holds plain text: one item.
        (Some(text), FieldType::StringList) => {
            serde_json::from_str(text).ok().filter(Value::is_array).unwrap_or_else(|| vec![text].into())
        }
        (Some(text), _) => text.into(),
    }
}

fn to_column(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
