//! A user as JSON.

use schema::User;
use serde_json::{Map, Value};

use crate::fields::FieldRegistry;
use crate::wire::{self, declared::user_values};

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
