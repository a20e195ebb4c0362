//! The columns of a file of users, which import and export share.

use schema::User;
use serde_json::{Map, Value};

use crate::config::Config;
use crate::fields::{Field, FieldRegistry, plain_key};
use crate::wire::{self, declared::user_values};

/// Columns of a reject file that tell why; they are no part of a user.
pub const REJECT_LINE: &str = "reject_line";
/// See [`REJECT_LINE`].
pub const REJECT_REASON: &str = "reject_reason";

/// What a column of the file holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Column<'a> {
    Id,
    Email,
    Name,
    EmailVerified,
    Image,
    CreatedAt,
    UpdatedAt,
    PasswordHash,
    Banned,
    /// What other programs say instead.
    IsActive,
    BanReason,
    BanExpires,
    /// A declared field.
    Field(&'a Field),
    /// Nothing of a user.
    Ignored,
}

const CORE: [(&str, Column<'static>); 14] = [
    ("id", Column::Id),
    ("email", Column::Email),
    ("name", Column::Name),
    ("email_verified", Column::EmailVerified),
    ("image", Column::Image),
    ("created_at", Column::CreatedAt),
    ("updated_at", Column::UpdatedAt),
    ("password_hash", Column::PasswordHash),
    ("banned", Column::Banned),
    ("ban_reason", Column::BanReason),
    ("ban_expires", Column::BanExpires),
    ("is_active", Column::IsActive),
    (REJECT_LINE, Column::Ignored),
    (REJECT_REASON, Column::Ignored),
];

/// The names of all columns, for messages and for the header of an export.
pub fn names(fields: &[Field], hashes: bool) -> Vec<String> {
    let core = CORE.iter().filter(|(_, column)| !matches!(column, Column::Ignored | Column::IsActive));
    let core = core.filter(|(_, column)| hashes || *column != Column::PasswordHash).map(|(name, _)| (*name).to_owned());
    core.chain(fields.iter().map(|field| field.name.clone())).collect()
}

/// The column with this name or, for a field, key; letter case, `_` and `-` do not matter, so that Better Auth's
/// `emailVerified` is read too. `None` for any other name.
pub fn named<'a>(fields: &'a [Field], name: &str) -> Option<Column<'a>> {
    let plain = plain_key(name.trim());
    let core = CORE.iter().find(|(own, _)| plain_key(own) == plain).map(|(_, column)| *column);
    let field = || fields.iter().find(|field| [&field.name, &field.key].iter().any(|own| plain_key(own) == plain));
    core.or_else(|| field().map(Column::Field))
}

/// A user without the hash, by the names of the columns.
pub fn members(registry: &FieldRegistry, user: &User) -> Map<String, Value> {
    let mut members = Map::new();
    let core: [(&str, Value); 7] = [
        ("id", user.id.as_str().into()),
        ("email", user.email.as_str().into()),
        ("name", user.name.as_str().into()),
        ("email_verified", user.email_verified.into()),
        ("image", user.image.as_deref().into()),
        ("created_at", wire::date(user.created_at)),
        ("updated_at", wire::date(user.updated_at)),
    ];
    members.extend(core.map(|(name, value)| (name.to_owned(), value)));
    members.extend(user_values(registry, user).map(|(field, value)| (field.name.clone(), value)));
    members
}

/// The form of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A header, then a row for each user
    Csv,
    /// A JSON object a line for each user
    Jsonl,
}

impl Format {
    /// As was said, else as the file's name ends; `None` when neither tells.
    pub fn of(said: Option<Self>, file: &str) -> Option<Self> {
        let ends = |ending: &str| file.to_ascii_lowercase().ends_with(ending);
        said.or_else(|| ends(".csv").then_some(Self::Csv))
            .or_else(|| (ends(".jsonl") || ends(".ndjson")).then_some(Self::Jsonl))
    }
}

/// The database settings for work in large steps: a step may take longer than a request.
pub fn patient(config: &Config) -> schema::DbConfig {
    let mut database = config.database.clone();
    let patience = std::time::Duration::from_secs(60);
    database.query_timeout = database.query_timeout.max(patience);
    database.busy_timeout = database.busy_timeout.max(patience / 2);
    database
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::Storage;

    #[test]
    fn columns_are_found_in_every_spelling() {
        let fields = [Field { key: "plan".to_owned(), ..Field::new("paid_plan", Storage::Json) }];
        for (name, column) in [
            ("email", Column::Email),
            (" E-Mail ", Column::Email),
            ("emailVerified", Column::EmailVerified),
            ("created_at", Column::CreatedAt),
            ("paidPlan", Column::Field(&fields[0])),
            ("Plan", Column::Field(&fields[0])),
            ("reject_reason", Column::Ignored),
        ] {
            assert_eq!(named(&fields, name), Some(column), "{name}");
        }
        for name in ["", "password", "hashed_password", "is_superuser"] {
            assert_eq!(named(&fields, name), None, "{name}");
        }
        assert_eq!(names(&fields, true).last().unwrap(), "paid_plan");
        assert!(!names(&fields, false).contains(&"password_hash".to_owned()));
    }

    #[test]
    fn the_name_of_the_file_tells_the_form_unless_it_is_said() {
        assert_eq!(Format::of(None, "users.CSV"), Some(Format::Csv));
        assert_eq!(Format::of(None, "users.ndjson"), Some(Format::Jsonl));
        assert_eq!(Format::of(Some(Format::Csv), "users.jsonl"), Some(Format::Csv));
        assert_eq!(Format::of(None, "-"), None);
    }
}
