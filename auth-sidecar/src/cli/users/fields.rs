//! Declared fields as text: in arguments and in the cells of CSV.

use serde_json::{Map, Value};

use crate::cli::CliError;
use crate::fields::{Field, FieldType};

/// The values of `NAME=VALUE` arguments, checked, by wire key; `NAME=` is null. A name is a field's name or key.
/// Operators may set fields that clients may not.
pub fn parse_arguments(fields: &[Field], arguments: &[String]) -> Result<Map<String, Value>, CliError> {
    let mut values = Map::new();
    for argument in arguments {
        let Some((name, text)) = argument.split_once('=') else {
            return Err(CliError::Failed(format!("{argument} is not NAME=VALUE")));
        };
        let Some(field) = named(fields, name) else {
            let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
            return Err(CliError::Failed(format!("there is no field {name}; declared are {}", names.join(", "))));
        };
        let value = field.check(&from_text(field, text)).map_err(|error| CliError::Failed(error.to_string()))?;
        if values.insert(field.key.clone(), value).is_some() {
            return Err(CliError::Failed(format!("{name} is given twice")));
        }
    }
    Ok(values)
}

/// Adds the defaults of fields that have no value, as at sign-up.
///
/// # Errors
/// The sentence about a required field without a value.
pub fn complete(fields: &[Field], values: &mut Map<String, Value>) -> Result<(), String> {
    for field in fields {
        if values.contains_key(&field.key) {
            continue;
        }
        match &field.default {
            Some(default) => {
                values.insert(field.key.clone(), default.clone());
            }
            None if field.required => return Err(format!("{} is required", field.key)),
            None => {}
        }
    }
    Ok(())
}

/// The field with this name or key.
pub fn named<'a>(fields: &'a [Field], name: &str) -> Option<&'a Field> {
    fields.iter().find(|field| field.name == name || field.key == name)
}

/// The value a text stands for, to be checked: nothing is null, a list is written as a JSON array.
pub fn from_text(field: &Field, text: &str) -> Value {
    if text.is_empty() {
        return Value::Null;
    }
    let given = || Value::String(text.to_owned());
    match field.kind {
        FieldType::StringList => serde_json::from_str(text).ok().filter(Value::is_array).unwrap_or_else(given),
        FieldType::Boolean => parse_bool(text).map_or_else(given, Value::Bool),
        FieldType::String | FieldType::Number => given(),
    }
}

/// As [`from_text`] reads it.
pub fn to_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A flag as programs and databases write it.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "1" | "yes" => Some(true),
        "false" | "f" | "0" | "no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fields::Storage;

    fn fields() -> Vec<Field> {
        let of = |name: &str, kind| Field { kind, ..Field::new(name, Storage::Json) };
        vec![
            Field { key: "softwareBackground".to_owned(), ..of("software_background", FieldType::String) },
            of("age", FieldType::Number),
            of("pro", FieldType::Boolean),
            of("tags", FieldType::StringList),
            Field { input: false, required: true, ..of("plan", FieldType::String) },
        ]
    }

    fn parsed(arguments: &[&str]) -> Result<Value, String> {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        parse_arguments(&fields(), &arguments).map(Value::Object).map_err(|error| error.to_string())
    }

    #[test]
    fn arguments_become_values_by_wire_key() {
        let given = ["software_background=a = b", "age=7", "pro=t", "tags=[\"x\",\"y\"]", "plan=gold"];
        let expected =
            json!({"softwareBackground": "a = b", "age": 7, "pro": true, "tags": ["x", "y"], "plan": "gold"});
        assert_eq!(parsed(&given), Ok(expected));
        assert_eq!(parsed(&["softwareBackground="]), Ok(json!({"softwareBackground": null})));
    }

    #[test]
    fn arguments_that_fit_no_field_are_refused_with_the_reason() {
        for (arguments, reason) in [
            (&["age"][..], "age is not NAME=VALUE"),
            (&["wage=1"], "there is no field wage; declared are software_background, age, pro, tags, plan"),
            (&["age=old"], "age must be a number"),
            (&["tags=x"], "tags must be a list of strings"),
            (&["pro=maybe"], "pro must be true or false"),
            (&["plan="], "plan is required"),
            (&["age=1", "age=2"], "age is given twice"),
        ] {
            assert_eq!(parsed(arguments), Err(reason.to_owned()));
        }
    }

    #[test]
    fn what_is_left_out_takes_its_default_or_is_missed() {
        let mut fields = fields();
        let mut values = Map::new();
        assert_eq!(complete(&fields, &mut values), Err("plan is required".to_owned()));
        fields[4].default = Some(json!("free"));
        assert_eq!(complete(&fields, &mut values), Ok(()));
        assert_eq!(Value::Object(values), json!({"plan": "free"}));
    }

    #[test]
    fn text_of_a_value_is_read_back_as_the_value() {
        let fields = fields();
        for (field, value) in [
            (&fields[0], json!("a,\"b\"\n")),
            (&fields[1], json!(1.5)),
            (&fields[2], json!(false)),
            (&fields[3], json!(["a", "ü"])),
            (&fields[0], Value::Null),
        ] {
            assert_eq!(field.check(&from_text(field, &to_text(&value))), Ok(value));
        }
    }
}
