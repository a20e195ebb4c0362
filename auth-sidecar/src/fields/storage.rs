//! What the database has to know of the fields.

use schema::ColumnRule;

use super::{Blank, FieldRegistry, FieldType, LARGEST_MAX_LENGTH, PersonalizationColumn, Storage};

impl PersonalizationColumn {
    /// Name of the column.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SoftwareBackground => "software_background",
            Self::HardwareBackground => "hardware_background",
        }
    }
}

/// The rules of the columns, for the database to repeat.
#[must_use]
pub fn column_rules(registry: &FieldRegistry) -> Vec<ColumnRule> {
    registry
        .user
        .iter()
        .filter_map(|field| {
            let Storage::Column(column) = field.storage else { return None };
            let list = field.kind == FieldType::StringList;
            Some(ColumnRule {
                column: column.name(),
                // Of a list the column counts the whole JSON text, the field each item.
                max_length: if list { LARGEST_MAX_LENGTH } else { field.max_length },
                values: field.values.clone(),
                allow_blank: field.blank == Blank::Keep,
                list,
            })
        })
        .collect()
}
