//! The one table of settings. From it come the defaults, the ranges, the examples in error
//! messages, the unknown names, `auth-sidecar config` and docs/configuration.md.

mod fields;
mod plugins;
mod service;
mod sessions;

use Kind::{Bytes, Choice, Flag, List, Number, Seconds, Text};

/// What a value looks like.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Any text.
    Text,
    /// Items with commas between them.
    List,
    /// True or false.
    Flag,
    /// A whole number, from and to.
    Number(u32, u32),
    /// A duration, from and to, in seconds.
    Seconds(u32, u32),
    /// A size, from and to, in bytes.
    Bytes(u32, u32),
    /// One of some words.
    Choice(&'static [&'static str]),
}

impl Kind {
    /// The kind with its article and range, for error messages.
    pub(super) fn article(self) -> String {
        match self {
            Text => "a text".to_owned(),
            List => "a comma list".to_owned(),
            Flag => "true or false".to_owned(),
            Number(min, max) => format!("a whole number from {min} to {max}"),
            Seconds(min, max) => {
                format!("a duration from {min} to {max} seconds, as 90 or 90s, 15m, 1h, 7d")
            }
            Bytes(min, max) => format!("a size from {min} to {max} bytes, as 4096 or 256KiB, 1MiB"),
            Choice(words) => format!("one of {}", words.join(", ")),
        }
    }
}

/// What holds when nothing is given.
#[derive(Clone, Copy, Debug)]
pub enum Fallback {
    /// This text, read like a given one.
    Value(&'static str),
    /// What a rule gives, told in words.
    Told(&'static str),
    /// Nothing.
    None,
}

/// One row of the table.
#[derive(Debug)]
pub struct Setting {
    /// Name of the environment variable; `<NAME>` stands for a field's name in capitals.
    pub name: &'static str,
    /// What a value looks like.
    pub kind: Kind,
    /// What holds when nothing is given.
    pub default: Fallback,
    /// A right value.
    pub example: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Never shown, and also read from the file named by the variable with `_FILE` at its end.
    pub secret: bool,
}

/// Settings that belong together.
#[derive(Debug)]
pub struct Group {
    /// Heading.
    pub title: &'static str,
    /// What to know before reading the rows.
    pub intro: &'static str,
    /// The rows.
    pub settings: &'static [Setting],
}

const fn row(name: &'static str, kind: Kind, default: Fallback, example: &'static str, about: &'static str) -> Setting {
    Setting { name, kind, default, example, about, secret: false }
}

const fn secret(name: &'static str, example: &'static str, about: &'static str) -> Setting {
    Setting { name, kind: Text, default: Fallback::None, example, about, secret: true }
}

/// Longest lifetime a cookie may have, in seconds: 400 days (RFC 6265bis; upstream's cookie
/// writer throws above it).
pub const LONGEST_COOKIE: u32 = 34_560_000;

const SECRET: &str = "$(openssl rand -base64 32)";

/// Every row, in order.
pub fn table() -> impl Iterator<Item = &'static Setting> + Clone {
    GROUPS.iter().flat_map(|group| group.settings)
}

/// The row of a name; `AUTH_FIELD_PLAN_TYPE` and `AUTH_SESSION_FIELD_PLAN_TYPE` have that of
/// `AUTH_FIELD_<NAME>_TYPE`.
#[must_use]
pub fn lookup(name: &str) -> Option<&'static Setting> {
    table().find(|setting| match setting.name.split_once("<NAME>") {
        None => setting.name == name,
        Some((prefix, suffix)) => [prefix, SESSION_FIELD_PREFIX]
            .iter()
            .filter_map(|prefix| name.strip_prefix(prefix)?.strip_suffix(suffix))
            .any(|field| !field.is_empty()),
    })
}

/// What the names of a user field's settings begin with.
pub(super) const FIELD_PREFIX: &str = "AUTH_FIELD_";
/// What the names of a session field's settings begin with.
pub(super) const SESSION_FIELD_PREFIX: &str = "AUTH_SESSION_FIELD_";

/// The table.
pub static GROUPS: &[&Group] = &[
    &service::ESSENTIAL,
    &service::PROCESS,
    &service::HTTP,
    &sessions::ACCOUNTS,
    &sessions::SESSIONS,
    &sessions::COOKIES,
    &sessions::LIMITS,
    &service::DATABASE,
    &service::MAIL,
    &plugins::PLUGINS,
    &plugins::TOKENS,
    &fields::FIELDS,
];
