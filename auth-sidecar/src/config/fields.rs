//! The field registry, from the settings of each field.

use serde_json::Value;

use super::env::Reader;
use super::parse;
use super::settings::{FIELD_PREFIX, SESSION_FIELD_PREFIX};
use crate::fields::{Blank, Field, FieldRegistry, FieldType, Storage, plain_key};

/// Keys of users and sign-up bodies that are taken: the core's, the official plugins', and the
/// registered claims of tokens (RFC 7519 §4.1). Compared without case and `_`.
const USER_KEYS: &[&str] = &[
    "id",
    "name",
    "email",
    "emailVerified",
    "image",
    "createdAt",
    "updatedAt",
    "password",
    "newPassword",
    "currentPassword",
    "callbackURL",
    "rememberMe",
    "additionalFields",
    "role",
    "banned",
    "banReason",
    "banExpires",
    "twoFactorEnabled",
    "username",
    "displayUsername",
    "isAnonymous",
    "phoneNumber",
    "phoneNumberVerified",
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "constructor",
    "prototype",
];

/// The same for sessions.
const SESSION_KEYS: &[&str] = &[
    "id",
    "expiresAt",
    "token",
    "createdAt",
    "updatedAt",
    "ipAddress",
    "userAgent",
    "userId",
    "additionalFields",
    "impersonatedBy",
    "activeOrganizationId",
    "activeTeamId",
    "constructor",
    "prototype",
];

/// Names of what `/auth/verify` says in headers beside the fields.
const GATEWAY_NAMES: &[&str] = &["user_id", "user_email", "user_email_verified", "jwt"];

/// Longest name and wire key, in characters.
const LONGEST_NAME: usize = 64;

pub(super) fn read(r: &mut Reader<'_>) -> FieldRegistry {
    let mut fields = FieldRegistry::default();
    fields.user.extend(declared(r, "AUTH_USER_FIELDS"));
    fields.session.extend(declared(r, "AUTH_SESSION_FIELDS"));
    unique_names(r, "AUTH_USER_FIELDS", &mut fields.user);
    unique_names(r, "AUTH_SESSION_FIELDS", &mut fields.session);
    for field in &mut fields.user {
        configure(r, FIELD_PREFIX, field);
    }
    for field in &mut fields.session {
        configure(r, SESSION_FIELD_PREFIX, field);
    }
    free_names(r, &fields.user);
    free_keys(r, FIELD_PREFIX, &fields.user, USER_KEYS);
    free_keys(r, SESSION_FIELD_PREFIX, &fields.session, SESSION_KEYS);
    fields
}

fn declared(r: &mut Reader<'_>, setting: &str) -> Vec<Field> {
    r.list(setting, |name| {
        let snake = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if snake && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.len() <= LONGEST_NAME {
            Ok(Field::new(name, Storage::Json))
        } else {
            Err("is no name in snake case, as favourite_robot; its key on the wire is a setting".to_owned())
        }
    })
}

fn unique_names(r: &mut Reader<'_>, setting: &str, fields: &mut Vec<Field>) {
    let mut seen = std::collections::BTreeSet::new();
    fields.retain(|field| {
        let fresh = seen.insert(field.name.clone());
        if !fresh {
            r.problem(setting, format!("names {} twice or again", field.name));
        }
        fresh
    });
}

/// Reads the settings of one field.
fn configure(r: &mut Reader<'_>, prefix: &str, field: &mut Field) {
    let upper = field.name.to_ascii_uppercase();
    let name = |suffix: &str| format!("{prefix}{upper}_{suffix}");
    field.kind = match r.choice(&name("TYPE")) {
        "string[]" => FieldType::StringList,
        "number" => FieldType::Number,
        "boolean" => FieldType::Boolean,
        _ => FieldType::String,
    };
    let text = matches!(field.kind, FieldType::String | FieldType::StringList);
    if !text && matches!(field.storage, Storage::Column(_)) {
        r.problem(&name("TYPE"), "has to be string or string[]: the field is a text column");
    }
    field.max_length = r.size(&name("MAX_LENGTH"));
    let values = r.list(&name("VALUES"), |value| Ok(value.to_owned()));
    if !values.is_empty() {
        check_values(r, &name("VALUES"), &values, field);
        field.values = Some(values);
    }
    field.required = r.flag(&name("REQUIRED"));
    field.input = r.flag(&name("INPUT"));
    field.returned = r.flag(&name("RETURNED"));
    if r.choice(&name("BLANK")) == "keep" {
        field.blank = Blank::Keep;
    }
    field.key = r.get(&name("KEY"), check_key).unwrap_or_else(|| {
        r.told(&name("KEY"), &field.name);
        field.name.clone()
    });
    read_claim(r, &name("CLAIM"), prefix, field);
    field.default = r.get(&name("DEFAULT"), |text| parse_default(field, text));
    if field.required && !field.input && field.default.is_none() {
        r.problem(&name("REQUIRED"), "asks for what clients may not set (INPUT); give a DEFAULT");
    }
}

fn read_claim(r: &mut Reader<'_>, name: &str, prefix: &str, field: &mut Field) {
    // Tokens are about users; a session field has no such setting.
    if prefix == SESSION_FIELD_PREFIX {
        field.claim = false;
        return;
    }
    field.claim = r.optional_flag(name).unwrap_or_else(|| {
        r.told(name, field.returned);
        field.returned
    });
    if field.claim && !field.returned {
        r.problem(name, "would show a field in tokens that RETURNED=false hides");
    }
}

fn check_values(r: &mut Reader<'_>, name: &str, values: &[String], field: &Field) {
    if !matches!(field.kind, FieldType::String | FieldType::StringList) {
        r.problem(name, "is for the types string and string[] only");
    }
    for (index, value) in values.iter().enumerate() {
        if value.chars().count() > field.max_length {
            r.problem(name, format!("\"{value}\" is longer than MAX_LENGTH"));
        }
        let same = |other: &String| other.to_lowercase() == value.to_lowercase();
        if values.iter().take(index).any(same) {
            r.problem(name, format!("\"{value}\" is there twice (letter case does not count)"));
        }
    }
}

/// The value rows get that are made without one.
fn parse_default(field: &Field, text: &str) -> Result<Value, String> {
    let given = match field.kind {
        FieldType::StringList => parse::list(text).into(),
        _ => Value::from(text),
    };
    field.check(&given).map_err(|error| {
        let said = error.to_string();
        said.strip_prefix(&field.key).unwrap_or(&said).trim().to_owned()
    })
}

fn check_key(text: &str) -> Result<String, String> {
    let good = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && text.len() <= LONGEST_NAME;
    if good { Ok(text.to_owned()) } else { Err("is no key of letters, digits and _".to_owned()) }
}

/// A field's name is its header at `/auth/verify`, its attribute in Python, and what the REST endpoints take for its key.
fn free_names(r: &mut Reader<'_>, fields: &[Field]) {
    for field in fields {
        let plain = plain_key(&field.name);
        // Where name and key are one, the key's problem says it all.
        let keys = USER_KEYS.iter().filter(|_| plain_key(&field.key) != plain);
        if let Some(taken) = GATEWAY_NAMES.iter().chain(keys).find(|taken| plain_key(taken) == plain) {
            r.problem("AUTH_USER_FIELDS", format!("\"{}\" cannot be told from {taken}, which is built in", field.name));
        }
    }
}

/// No field may have the key of something else, nor one that could be taken for it.
fn free_keys(r: &mut Reader<'_>, prefix: &str, fields: &[Field], taken: &[&str]) {
    for (index, field) in fields.iter().enumerate() {
        let plain = plain_key(&field.key);
        let other: Option<String> =
            taken.iter().find(|key| plain_key(key) == plain).map(|key| format!("{key}, which is built in")).or_else(
                || {
                    let earlier = fields.iter().take(index);
                    earlier
                        .into_iter()
                        .find(|other| plain_key(&other.key) == plain)
                        .map(|other| format!("{}, the key of the field {}", other.key, other.name))
                },
            );
        if let Some(other) = other {
            let name = format!("{prefix}{}_KEY", field.name.to_ascii_uppercase());
            r.problem(&name, format!("\"{}\" cannot be told from {other}", field.key));
        }
    }
}
