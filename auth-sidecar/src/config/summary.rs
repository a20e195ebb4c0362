//! The settings in force, for `auth-sidecar config`.

use std::fmt::Write as _;

use super::env::{Resolved, Source};
use super::settings::table;

/// In the order of the table; the settings of fields after all others, field by field.
pub(super) fn in_order(mut resolved: Vec<Resolved>) -> Vec<Resolved> {
    let place = |resolved: &Resolved| table().position(|setting| setting.name == resolved.name).unwrap_or(usize::MAX);
    resolved.sort_by_key(place);
    resolved
}

pub(super) fn text(resolved: &[Resolved]) -> String {
    let width = resolved.iter().map(|resolved| resolved.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for Resolved { name, value, source } in resolved {
        let source = match source {
            Source::Default => "default".to_owned(),
            Source::Environment => "environment".to_owned(),
            Source::File(path) => format!("file {path}"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:width$}  {value}  [{source}]");
    }
    text
}
