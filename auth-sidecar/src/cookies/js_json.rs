//! JSON as JavaScript writes it, for signatures made over `JSON.stringify` output.

use std::fmt::Write as _;

use chrono::{NaiveDate, TimeDelta};
use serde_json::{Number, Value};

use super::JsonObject;

/// The largest property name JavaScript orders as an array index (ECMA-262, 6.1.7).
const MAX_ARRAY_INDEX: u32 = u32::MAX - 1;

/// `JSON.stringify(value)` (ECMA-262, 25.5.2): no blanks, numbers in JavaScript's form, array-index keys first.
/// Strings need nothing special: serde_json escapes exactly what JavaScript does.
pub(super) fn stringify(value: &Value) -> String {
    let mut text = String::new();
    write_value(&mut text, value);
    text
}

/// [`stringify`] for an object in hand.
pub(super) fn stringify_object(object: &JsonObject) -> String {
    let mut text = String::new();
    write_object(&mut text, object);
    text
}

fn write_value(text: &mut String, value: &Value) {
    match value {
        Value::Null | Value::Bool(_) => text.push_str(&value.to_string()),
        Value::String(string) => write_string(text, string),
        Value::Number(number) => text.push_str(&number_text(number)),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_value(text, item);
            }
            text.push(']');
        }
        Value::Object(object) => write_object(text, object),
    }
}

fn write_object(text: &mut String, object: &JsonObject) {
    let mut indices: Vec<_> = object.iter().filter_map(|(key, value)| Some((array_index(key)?, key, value))).collect();
    indices.sort_by_key(|(index, _, _)| *index);
    let named = object.iter().filter(|(key, _)| array_index(key).is_none());
    text.push('{');
    for (position, (key, value)) in indices.into_iter().map(|(_, key, value)| (key, value)).chain(named).enumerate() {
        if position > 0 {
            text.push(',');
        }
        write_string(text, key);
        text.push(':');
        write_value(text, value);
    }
    text.push('}');
}

fn write_string(text: &mut String, string: &str) {
    // Writing to a `String` cannot fail, and neither can showing a JSON string.
    let _ = write!(text, "{}", Value::from(string));
}

fn array_index(key: &str) -> Option<u32> {
    let index: u32 = key.parse().ok()?;
    (index <= MAX_ARRAY_INDEX && index.to_string() == key).then_some(index)
}

/// `Number::toString` (ECMA-262, 6.1.6.1.20). Rust prints the same shortest digits; only the form of very small and very large
/// numbers differs.
fn number_text(number: &Number) -> String {
    let Some(float) = number.as_f64() else {
        return number.to_string();
    };
    if float == 0.0 {
        return "0".to_owned();
    }
    match float.abs() {
        size if size >= 1e21 => format!("{float:e}").replace('e', "e+"),
        size if size < 1e-6 => format!("{float:e}"),
        _ => float.to_string(),
    }
}

/// Rewrites every string that looks like a date the way a JavaScript `Date` prints itself, as upstream's parser turns them into
/// dates (upstream: `@better-auth/core/dist/utils/json.mjs`, `safeJSONParse`).
pub(super) fn revive_dates(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some(date) = reissue_date(text) {
                *text = date;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(revive_dates),
        Value::Object(object) => object.values_mut().for_each(revive_dates),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// `new Date(text).toISOString()` for `YYYY-MM-DDTHH:MM:SS[.f]Z`; `None` for any other text and for impossible times.
/// Like V8 it takes day 31 of a short month and 24:00:00 as the following day, and cuts fractions to milliseconds.
pub(super) fn reissue_date(text: &str) -> Option<String> {
    let (fixed, tail) = (text.get(..19)?, text.get(19..)?);
    let shaped = fixed.bytes().zip(*b"0000-00-00T00:00:00").all(|(byte, mark)| match mark {
        b'0' => byte.is_ascii_digit(),
        _ => byte == mark,
    });
    let fraction = match tail.strip_suffix('Z')? {
        "" => "0",
        fraction => fraction.strip_prefix('.')?,
    };
    if !shaped || fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }

    let part = |from: usize, to: usize| fixed.get(from..to)?.parse::<u32>().ok();
    let (month, day, hour, minute, second) = (part(5, 7)?, part(8, 10)?, part(11, 13)?, part(14, 16)?, part(17, 19)?);
    let milliseconds: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let end_of_day = hour == 24 && minute == 0 && second == 0 && milliseconds == 0;
    if !(1..=31).contains(&day) || (hour > 23 && !end_of_day) || minute > 59 || second > 59 {
        return None;
    }
    let month_start = NaiveDate::from_ymd_opt(fixed.get(..4)?.parse().ok()?, month, 1)?.and_hms_opt(0, 0, 0)?;
    let seconds = i64::from(day - 1) * 86_400 + i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
    let moment = month_start.checked_add_signed(TimeDelta::milliseconds(seconds * 1_000 + milliseconds))?;
    Some(moment.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn dates_are_reissued_as_node_prints_them() {
        for (text, printed) in [
            ("2030-01-01T00:00:00.000Z", Some("2030-01-01T00:00:00.000Z")),
            ("2030-01-01T00:00:00Z", Some("2030-01-01T00:00:00.000Z")),
            ("2030-01-01T00:00:00.1Z", Some("2030-01-01T00:00:00.100Z")),
            ("2030-01-01T00:00:00.123999Z", Some("2030-01-01T00:00:00.123Z")),
            ("2030-02-30T00:00:00Z", Some("2030-03-02T00:00:00.000Z")),
            ("2030-04-31T00:00:00Z", Some("2030-05-01T00:00:00.000Z")),
            ("2030-01-01T24:00:00Z", Some("2030-01-02T00:00:00.000Z")),
            ("0000-01-01T00:00:00Z", Some("0000-01-01T00:00:00.000Z")),
            ("2030-01-01T24:00:01Z", None),
            ("2030-01-01T23:59:60Z", None),
            ("2030-01-01T00:60:00Z", None),
            ("2030-13-01T00:00:00Z", None),
            ("2030-00-01T00:00:00Z", None),
            ("2030-01-00T00:00:00Z", None),
            ("2030-01-32T00:00:00Z", None),
            ("2030-01-01T00:00:00.Z", None),
            ("2030-01-01T00:00:00.1", None),
            ("2030-01-01T00:00:00.000+00:00", None),
            ("2030-01-01 00:00:00Z", None),
            ("2030-01-01T00:00:0\u{e9}Z", None),
            ("", None),
        ] {
            assert_eq!(reissue_date(text).as_deref(), printed, "{text}");
        }
    }

    #[test]
    fn dates_are_revived_at_any_depth() {
        let mut value =
            json!({"a": ["2030-01-01T00:00:00Z", {"b": "2030-01-01T00:00:00.5Z", "c": "plain"}], "d": null});
        revive_dates(&mut value);
        assert_eq!(
            value,
            json!({"a": ["2030-01-01T00:00:00.000Z", {"b": "2030-01-01T00:00:00.500Z", "c": "plain"}], "d": null})
        );
    }

    #[test]
    fn text_and_numbers_are_written_as_json_stringify_writes_them() {
        let value = json!([
            "\u{1}\u{8}\u{c}\n\r\t\"\\/\u{7f}\u{2028}\u{1f}é𝒳",
            1e21,
            1e-7,
            1e-6,
            -0.0,
            1.0,
            123_456_789_012_345_680_000.0,
            1.5e300,
            -2.5
        ]);
        assert_eq!(
            stringify(&value),
            "[\"\\u0001\\b\\f\\n\\r\\t\\\"\\\\/\u{7f}\u{2028}\\u001fé𝒳\",1e+21,1e-7,0.000001,0,1,123456789012345680000,1.5e+300,-2.5]"
        );
    }

    #[test]
    fn keys_that_are_array_indices_come_first_in_ascending_order() {
        let object = json!({"b": 1, "10": 1, "2": 1, "-1": 1, "01": 1, "4294967294": 1, "4294967295": 1});
        assert_eq!(stringify(&object), r#"{"2":1,"10":1,"4294967294":1,"b":1,"-1":1,"01":1,"4294967295":1}"#);
    }
}
