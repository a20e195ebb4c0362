//! A row of the file, checked: what it says of a user.

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime};
use schema::users::Ban;
use schema::{Account, User, UserChanges};
use serde_json::{Map, Value};

use super::super::columns::Column;
use super::super::fields::{complete, parse_bool};
use crate::clock::{from_ms, to_ms};
use crate::email_form::is_email;
use crate::fields::FieldRegistry;
use crate::flows::credentials::new_account;
use crate::ids::generate_id;
use crate::password;
use crate::wire::declared::{merge_json, user_changes};

/// Longest id that is kept, in characters.
const MAX_ID: usize = 255;

/// Numbers up to this are seconds since the epoch, above milliseconds.
const LARGEST_SECONDS: i64 = 100_000_000_000;

/// What a row gives; `None` for what it leaves out.
#[derive(Clone, Default)]
pub struct Row {
    pub id: Option<String>,
    /// In lower case.
    pub email: String,
    name: Option<String>,
    email_verified: Option<bool>,
    image: Option<Option<String>>,
    created_at: Option<NaiveDateTime>,
    updated_at: Option<NaiveDateTime>,
    hash: Option<String>,
    banned: Option<bool>,
    ban: Ban,
    /// Checked values by wire key.
    declared: Map<String, Value>,
}

impl Row {
    /// Checks the cells of a row.
    ///
    /// # Errors
    /// What is wrong, in words that hold no value of the row.
    pub fn parse<'a>(cells: impl IntoIterator<Item = (Column<'a>, Value)>) -> Result<Self, String> {
        let mut row = Self::default();
        let mut email = None;
        for (column, value) in cells {
            match column {
                Column::Id => row.id = id(value)?,
                Column::Email => email = text("email", value)?,
                Column::Name => row.name = text("name", value)?,
                Column::EmailVerified => row.email_verified = flag("email_verified", &value)?,
                Column::Banned => row.banned = flag("banned", &value)?.or(row.banned),
                Column::IsActive => row.banned = flag("is_active", &value)?.map(|active| !active).or(row.banned),
                Column::BanReason => row.ban.reason = text("ban_reason", value)?.filter(|reason| !reason.is_empty()),
                Column::BanExpires => row.ban.until = moment("ban_expires", &value)?,
                Column::Image => row.image = Some(text("image", value)?.filter(|image| !image.is_empty())),
                Column::CreatedAt => row.created_at = moment("created_at", &value)?,
                Column::UpdatedAt => row.updated_at = moment("updated_at", &value)?,
                Column::PasswordHash => row.hash = hash(value)?,
                Column::Field(field) => {
                    let checked = field.check(&value).map_err(|error| error.to_string())?;
                    row.declared.insert(field.key.clone(), checked);
                }
                Column::Ignored => {}
            }
        }
        let email = email.unwrap_or_default();
        let email = email.trim();
        if email.is_empty() {
            return Err("email is missing".to_owned());
        }
        if !is_email(email) {
            return Err("email is not an address".to_owned());
        }
        row.email = email.to_lowercase();
        Ok(row)
    }

    /// The rows of a new user: what is left out is as at sign-up.
    ///
    /// # Errors
    /// A required field without a value.
    pub fn into_rows(
        mut self,
        registry: &FieldRegistry,
        now: NaiveDateTime,
    ) -> Result<(User, Option<Account>), String> {
        complete(&registry.user, &mut self.declared)?;
        let (columns, json) = user_changes(registry, &self.declared);
        let created_at = self.created_at.unwrap_or(now);
        let user = User {
            id: self.id.unwrap_or_else(generate_id),
            name: self.name.unwrap_or_default(),
            email: self.email,
            email_verified: self.email_verified.unwrap_or(false),
            image: self.image.flatten(),
            created_at,
            updated_at: self.updated_at.unwrap_or(created_at),
            software_background: columns.software_background.flatten(),
            hardware_background: columns.hardware_background.flatten(),
            additional_fields: merge_json("{}", json),
        };
        let account = self.hash.map(|hash| new_account(&user.id, hash, now));
        Ok((user, account))
    }

    /// What an update changes: what the row gives, apart from the hash.
    pub fn changes(&self, registry: &FieldRegistry, present: &User, now: NaiveDateTime) -> UserChanges {
        let (columns, json) = user_changes(registry, &self.declared);
        UserChanges {
            name: self.name.clone(),
            email_verified: self.email_verified,
            image: self.image.clone(),
            updated_at: Some(now),
            additional_fields: (!json.is_empty()).then(|| merge_json(&present.additional_fields, json)),
            ..columns
        }
    }

    /// Whether the row says something of a ban: `Some(None)` when there is none.
    pub fn ban(&self) -> Option<Option<&Ban>> {
        self.banned.map(|banned| banned.then_some(&self.ban))
    }

    /// The hash of the password.
    pub fn hash(&self) -> Option<&str> {
        self.hash.as_deref()
    }
}

fn text(name: &str, value: Value) -> Result<Option<String>, String> {
    match value {
        Value::Null => Ok(None),
        // PostgreSQL cannot keep this character in a text.
        Value::String(text) if text.contains('\0') => Err(format!("{name} contains a NUL character")),
        Value::String(text) => Ok(Some(text)),
        _ => Err(format!("{name} is not a text")),
    }
}

/// Programs that count their users write numbers.
fn id(value: Value) -> Result<Option<String>, String> {
    let value = if value.is_u64() { Value::String(value.to_string()) } else { value };
    let Some(id) = text("id", value)?.filter(|id| !id.is_empty()) else { return Ok(None) };
    if id.chars().count() > MAX_ID {
        return Err(format!("id is longer than {MAX_ID} characters"));
    }
    if id.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("id contains a space or a control character".to_owned());
    }
    Ok(Some(id))
}

fn flag(name: &str, value: &Value) -> Result<Option<bool>, String> {
    match value {
        Value::Null => Ok(None),
        Value::Bool(flag) => Ok(Some(*flag)),
        Value::String(text) if text.trim().is_empty() => Ok(None),
        other => parse_bool(&super::super::fields::to_text(other))
            .map(Some)
            .ok_or_else(|| format!("{name} is not true or false")),
    }
}

fn hash(value: Value) -> Result<Option<String>, String> {
    let hash = text("password_hash", value)?;
    // Columns of fixed length are padded.
    let Some(hash) = hash.as_deref().map(str::trim).filter(|hash| !hash.is_empty()) else { return Ok(None) };
    password::kind_of(hash).map_err(|refused| format!("password_hash: {refused}"))?;
    Ok(Some(hash.to_owned()))
}

fn moment(name: &str, value: &Value) -> Result<Option<NaiveDateTime>, String> {
    let time = match value {
        Value::Null => return Ok(None),
        Value::String(text) if text.trim().is_empty() => return Ok(None),
        Value::String(text) => parse_time(text.trim()),
        Value::Number(number) => number.as_i64().and_then(from_number),
        _ => None,
    };
    time.map(Some).ok_or_else(|| format!("{name} is not a time"))
}

/// A time with or without a zone (then it is UTC) as programs and databases write it, cut to milliseconds.
fn parse_time(text: &str) -> Option<NaiveDateTime> {
    if let Ok(number) = text.parse() {
        return from_number(number);
    }
    // PostgreSQL's `+00` and a blank before the date's `T`.
    let zoned = ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f %#z"]
        .iter()
        .find_map(|form| DateTime::parse_from_str(text, form).ok())
        .or_else(|| DateTime::parse_from_rfc3339(text).ok())
        .map(|time| time.naive_utc());
    let plain = || {
        ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
    };
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|day| day.and_hms_opt(0, 0, 0));
    within(zoned.or_else(plain).or_else(day)?)
}

fn from_number(number: i64) -> Option<NaiveDateTime> {
    let ms = if number.unsigned_abs() > LARGEST_SECONDS.unsigned_abs() { number } else { number.checked_mul(1000)? };
    within(DateTime::from_timestamp_millis(ms)?.naive_utc())
}

/// The years that every database and the wire can write.
fn within(time: NaiveDateTime) -> Option<NaiveDateTime> {
    (1..=9998).contains(&time.year()).then(|| from_ms(to_ms(time)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fields::Field;

    const HASH: &str = "$2b$04$FNYYpdlHG3cvcZhhPvXgoOLRaQNiPyJx1PgwMj.QXDOyphm17Kdb2";

    fn parsed(cells: Vec<(Column<'_>, Value)>) -> Result<Row, String> {
        Row::parse(cells)
    }

    fn with(column: Column<'_>, value: Value) -> Result<Row, String> {
        parsed(vec![(Column::Email, json!("a@b.co")), (column, value)])
    }

    #[test]
    fn every_way_to_write_a_time_is_the_same_time() {
        for text in [
            "2024-02-03T04:05:06.789Z",
            "2024-02-03T05:05:06.789+01:00",
            "2024-02-03 04:05:06.789+00",
            "2024-02-03 05:05:06.789123+0100",
            "2024-02-03 04:05:06.789",
            "2024-02-03T04:05:06.7891",
            "2024-02-03 04:05:06.789 +00:00",
            "1706933106789",
        ] {
            assert_eq!(parse_time(text).map(to_ms), Some(1_706_933_106_789), "{text}");
        }
        assert_eq!(parse_time("1706933106").map(to_ms), Some(1_706_933_106_000));
        assert_eq!(parse_time("2024-02-03").map(to_ms), Some(1_706_918_400_000));
        for text in ["03.02.2024", "2024-13-01", "yesterday", "9223372036854775807", "-99999999999999", "10000-01-01"] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }

    #[test]
    fn cells_that_cannot_be_kept_are_refused_without_their_value() {
        let field = Field::new("plan", crate::fields::Storage::Json);
        for (column, value, reason) in [
            (Column::Email, json!("nobody"), "email is not an address"),
            (Column::Email, json!(" "), "email is missing"),
            (Column::Email, json!(7), "email is not a text"),
            (Column::Id, json!("a b"), "id contains a space or a control character"),
            (Column::Id, json!("x".repeat(256)), "id is longer than 255 characters"),
            (Column::Id, json!(1.5), "id is not a text"),
            (Column::Name, json!("a\0"), "name contains a NUL character"),
            (Column::Name, json!(["x"]), "name is not a text"),
            (Column::EmailVerified, json!("maybe"), "email_verified is not true or false"),
            (Column::CreatedAt, json!("soon"), "created_at is not a time"),
            (Column::UpdatedAt, json!(true), "updated_at is not a time"),
            (Column::PasswordHash, json!("hunter2"), "password_hash: it is malformed or of an unknown kind"),
            (Column::PasswordHash, json!(HASH.replace("$04$", "$31$")), "password_hash: its cost is above the cap"),
            (Column::Field(&field), json!(1), "plan must be a string"),
        ] {
            assert_eq!(with(column, value).err(), Some(reason.to_owned()));
        }
    }

    #[test]
    fn what_is_left_out_is_as_at_sign_up() {
        let now = from_ms(1_000);
        let cells =
            vec![(Column::Email, json!(" Ada@Example.COM ")), (Column::Id, json!("")), (Column::Name, Value::Null)];
        let (user, account) = parsed(cells).unwrap().into_rows(&FieldRegistry::default(), now).unwrap();
        assert_eq!((user.email.as_str(), user.name.as_str(), user.id.len()), ("ada@example.com", "", 32));
        assert_eq!((user.email_verified, user.created_at, user.updated_at), (false, now, now));
        assert!(account.is_none());
    }

    #[test]
    fn what_is_given_is_kept() {
        let registry = FieldRegistry::default();
        let cells = vec![
            (Column::Email, json!("a@b.co")),
            (Column::Id, json!(42)),
            (Column::EmailVerified, json!("t")),
            (Column::Image, json!("https://example.com/a.png")),
            (Column::CreatedAt, json!("2024-02-03")),
            (Column::PasswordHash, json!(format!("{HASH}   "))),
            (Column::Field(&registry.user[0]), json!("C")),
        ];
        let (user, account) = parsed(cells).unwrap().into_rows(&registry, from_ms(0)).unwrap();
        assert_eq!((user.id.as_str(), user.email_verified), ("42", true));
        assert_eq!(user.updated_at, user.created_at);
        assert_eq!(user.software_background.as_deref(), Some("C"));
        let account = account.unwrap();
        assert_eq!((account.user_id.as_str(), account.account_id.as_str()), ("42", "42"));
        assert_eq!(account.password.as_deref(), Some(HASH));
    }

    #[test]
    fn a_required_field_without_value_or_default_is_missed() {
        let mut registry = FieldRegistry::default();
        registry.user[0].required = true;
        let row = parsed(vec![(Column::Email, json!("a@b.co"))]).unwrap();
        let missed = row.into_rows(&registry, from_ms(0)).err();
        assert_eq!(missed, Some("software_background is required".to_owned()));
    }
}
