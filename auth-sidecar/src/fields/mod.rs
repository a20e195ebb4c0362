//! The registry of additional fields: the two personalization columns and whatever else the
//! settings declare for users and sessions.
//!
//! From one [`Field`] come input validation ([`parse_input`]), the rules of the column
//! ([`column_rules`]) and the key on the wire. Upstream: `additionalFields`, of which this keeps
//! `type`, `required`, `defaultValue`, `input` and `returned`; allowed values, lengths and the
//! treatment of blank text are additions, since upstream leaves them to the project's own code.

mod input;
mod storage;

#[cfg(test)]
mod tests;

use schema::Adoption;
use schema::adoption::Source;
use serde_json::Value;

pub(crate) use input::plain_key;
pub use input::{Action, FieldError, lookalikes, parse_input};
pub use storage::column_rules;

/// Largest allowed `max_length` of any field, in Unicode code points.
pub const LARGEST_MAX_LENGTH: usize = 100_000;

/// `max_length` of a field that sets none, in Unicode code points.
pub const DEFAULT_MAX_LENGTH: usize = 1000;

/// Most items a list may have.
pub const MAX_ITEMS: usize = 100;

/// The JSON type of a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// A text.
    String,
    /// A list of texts, kept as JSON text where the column is a text.
    StringList,
    /// A finite number.
    Number,
    /// `true` or `false`.
    Boolean,
}

/// What becomes of a text without any visible character, and of an empty list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blank {
    /// Stored as NULL; blank items of a list are dropped.
    Null,
    /// Stored as it is, as upstream does.
    Keep,
}

/// The two fields that are columns of `users`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonalizationColumn {
    /// `users.software_background`
    SoftwareBackground,
    /// `users.hardware_background`
    HardwareBackground,
}

/// Where a field's value is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// A column of `users`.
    Column(PersonalizationColumn),
    /// A member, under the field's name, of the row's JSON text.
    Json,
}

/// One declared field.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Name in settings, in the column or in the JSON text: snake case, ASCII.
    pub name: String,
    /// Key on the wire; equal to the name unless a setting says otherwise.
    pub key: String,
    /// Where the value is kept.
    pub storage: Storage,
    /// JSON type of the value.
    pub kind: FieldType,
    /// The allowed values of a text, or of each item of a list; any text if absent.
    pub values: Option<Vec<String>>,
    /// Longest text, or longest item of a list, in Unicode code points.
    pub max_length: usize,
    /// Whether a value has to be given when the row is made.
    pub required: bool,
    /// Value of a row that is made without one.
    pub default: Option<Value>,
    /// Whether clients may set it.
    pub input: bool,
    /// Whether it is part of answers.
    pub returned: bool,
    /// Whether it is a claim of the tokens made for other services.
    pub claim: bool,
    /// What becomes of blank text.
    pub blank: Blank,
}

impl Field {
    /// A text field as it is when no setting speaks of it.
    #[must_use]
    pub fn new(name: &str, storage: Storage) -> Self {
        Self {
            name: name.to_owned(),
            key: name.to_owned(),
            storage,
            kind: FieldType::String,
            values: None,
            max_length: DEFAULT_MAX_LENGTH,
            required: false,
            default: None,
            input: true,
            returned: true,
            claim: true,
            blank: Blank::Null,
        }
    }
}

/// All declared fields.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldRegistry {
    /// Fields of users: the two columns first, then the declared ones in their order.
    pub user: Vec<Field>,
    /// Fields of sessions, in their order.
    pub session: Vec<Field>,
}

impl FieldRegistry {
    /// With the two columns called on the wire as a Better Auth server calls them, by the names they have there; what a
    /// setting names otherwise stays.
    #[must_use]
    pub fn called_as_in(&self, adoption: &Adoption) -> Self {
        let mut registry = self.clone();
        for field in &mut registry.user {
            let is_column = matches!(field.storage, Storage::Column(_));
            if is_column && field.key == field.name && adoption.source == Source::BetterAuth {
                field.key = adoption.field(&field.name);
            }
        }
        registry
    }
}

impl Default for FieldRegistry {
    /// The two personalization columns as optional free text.
    fn default() -> Self {
        use PersonalizationColumn::{HardwareBackground, SoftwareBackground};
        Self {
            user: vec![
                Field::new("software_background", Storage::Column(SoftwareBackground)),
                Field::new("hardware_background", Storage::Column(HardwareBackground)),
            ],
            session: Vec::new(),
        }
    }
}
