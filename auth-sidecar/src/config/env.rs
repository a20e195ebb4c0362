//! Reads settings by name, remembers where each came from, and collects every problem.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::machine::Machine;
use super::parse;
use super::problem::Problem;
use super::settings::{Fallback, Kind, Setting, lookup, table};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The table of settings, or a rule it tells.
    Default,
    /// The environment variable of the same name.
    Environment,
    /// The file named by the variable with `_FILE` at its end.
    File(String),
}

/// A setting as it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Name of the setting.
    pub name: String,
    /// Its value; of a secret only the length.
    pub value: String,
    /// Where it came from.
    pub source: Source,
}

pub(super) struct Reader<'a> {
    vars: BTreeMap<String, String>,
    pub(super) machine: &'a dyn Machine,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<String>,
    pub(super) resolved: Vec<Resolved>,
    asked: BTreeSet<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(vars: impl IntoIterator<Item = (String, String)>, machine: &'a dyn Machine) -> Self {
        Self {
            vars: vars.into_iter().collect(),
            machine,
            problems: Vec::new(),
            warnings: Vec::new(),
            resolved: Vec::new(),
            asked: BTreeSet::new(),
        }
    }

    /// Whether the name, or its `_FILE`, is in the environment; a blank value counts.
    pub(super) fn present(&self, name: &str) -> bool {
        self.vars.contains_key(name) || self.vars.contains_key(&file_name(name))
    }

    /// All names in the environment.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.vars.keys().map(String::as_str)
    }

    /// Every name that can be set: those of the table, the files of its secrets, and those of the
    /// declared fields, once these were read.
    pub(super) fn known(&self) -> BTreeSet<String> {
        let fixed = table().filter(|setting| !setting.name.contains('<'));
        let files = fixed.clone().filter(|setting| setting.secret).map(|setting| file_name(setting.name));
        self.asked.iter().cloned().chain(fixed.map(|setting| setting.name.to_owned())).chain(files).collect()
    }

    pub(super) fn problem(&mut self, name: &str, what: impl Into<String>) {
        let example = lookup(name).map_or("", |setting| setting.example);
        self.problems.push(Problem { name: name.to_owned(), what: what.into(), example });
    }

    pub(super) fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// Tells the value a setting has by rule, as nothing was given.
    pub(super) fn told(&mut self, name: &str, value: impl ToString) {
        self.show(name, value.to_string(), Source::Default);
    }

    fn show(&mut self, name: &str, value: String, source: Source) {
        self.resolved.retain(|resolved| resolved.name != name);
        self.resolved.push(Resolved { name: name.to_owned(), value, source });
    }

    /// Replaces how a value is shown.
    pub(super) fn shown_as(&mut self, name: &str, value: String) {
        if let Some(resolved) = self.resolved.iter_mut().find(|resolved| resolved.name == name) {
            resolved.value = value;
        }
    }

    /// Whether a setting is among the problems already.
    pub(super) fn has_problem(&self, name: &str) -> bool {
        self.problems.iter().any(|problem| problem.name == name || problem.name == file_name(name))
    }

    /// A problem if nothing was said about the setting yet.
    pub(super) fn missing(&mut self, name: &str) {
        if !self.has_problem(name) {
            let state = if self.present(name) { "is blank" } else { "is not set" };
            self.problem(name, format!("{state}; only dev mode (AUTH_DEV=true) starts without it"));
        }
    }

    /// The text given for a setting, trimmed; blank counts as not given, so that
    /// `NAME=${UNSET}` in a compose file does no harm.
    fn given(&mut self, name: &str, setting: &Setting) -> Option<(String, Source)> {
        self.asked.insert(name.to_owned());
        let filled = |text: &String| !text.trim().is_empty();
        let value = self.vars.get(name).filter(|text| filled(text)).cloned();
        let file = self.vars.get(&file_name(name)).filter(|text| setting.secret && filled(text)).cloned();
        match (value, file) {
            (Some(_), Some(_)) => {
                self.problem(name, format!("is set, and {} too; keep one", file_name(name)));
                None
            }
            (Some(value), None) => Some((value.trim().to_owned(), Source::Environment)),
            (None, Some(path)) => match self.machine.read_file(Path::new(path.trim())) {
                Ok(text) if !filled(&text) => {
                    self.problem(&file_name(name), format!("names the file {path}, which is empty"));
                    None
                }
                Ok(text) => Some((text.trim().to_owned(), Source::File(path))),
                Err(error) => {
                    let what = format!("names the file {path}, which cannot be read: {error}");
                    self.problem(&file_name(name), what);
                    None
                }
            },
            (None, None) => None,
        }
    }

    /// The value of a setting, or of its default; absent if there is neither, or if the value is
    /// wrong (which is then among the problems).
    pub(super) fn get<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let Some(setting) = lookup(name) else {
            self.problem(name, "is read but missing in the table of settings");
            return None;
        };
        let default = match setting.default {
            Fallback::Value(text) => Some(text),
            Fallback::Told(_) | Fallback::None => None,
        };
        let problems = self.problems.len();
        if let Some((text, source)) = self.given(name, setting) {
            match parse(&text) {
                Ok(value) => {
                    let shown = if setting.secret { masked(&text) } else { text };
                    self.show(name, shown, source);
                    return Some(value);
                }
                Err(reason) if setting.secret => self.problem(name, format!("the value {reason}")),
                Err(reason) => self.problem(name, format!("\"{text}\" {reason}")),
            }
        } else if problems == self.problems.len() {
            match setting.default {
                Fallback::Value(text) => self.told(name, text),
                Fallback::None => self.told(name, "(not set)"),
                // Whoever reads the setting tells what the rule gives.
                Fallback::Told(_) => {}
            }
        }
        default.and_then(|text| parse(text).ok())
    }

    /// A boolean setting without a fixed default.
    pub(super) fn optional_flag(&mut self, name: &str) -> Option<bool> {
        self.get(name, parse::boolean)
    }

    /// A boolean setting.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        self.optional_flag(name).unwrap_or_default()
    }

    /// A whole number, a duration in seconds or a size in bytes, without a fixed default.
    pub(super) fn optional_number(&mut self, name: &str) -> Option<u32> {
        let kind = lookup(name).map_or(Kind::Text, |setting| setting.kind);
        self.get(name, |text| parse::number(kind, text))
    }

    /// A whole number, a duration in seconds or a size in bytes.
    pub(super) fn number(&mut self, name: &str) -> u32 {
        self.optional_number(name).unwrap_or_default()
    }

    /// As [`Self::number`], for sizes and counts.
    pub(super) fn size(&mut self, name: &str) -> usize {
        usize::try_from(self.number(name)).unwrap_or(usize::MAX)
    }

    /// A count whose default is the number of processors.
    pub(super) fn cores(&mut self, name: &str) -> usize {
        let given = self.optional_number(name);
        let count = given.unwrap_or_else(|| {
            let cores = self.machine.cores();
            self.told(name, cores);
            cores
        });
        usize::try_from(count).unwrap_or(usize::MAX)
    }

    /// One of the words the table names.
    pub(super) fn choice(&mut self, name: &str) -> &'static str {
        let words = match lookup(name).map(|setting| setting.kind) {
            Some(Kind::Choice(words)) => words,
            _ => &[],
        };
        self.get(name, |text| parse::choice(words, text)).unwrap_or_default()
    }

    /// A text taken as it is.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.get(name, |text| Ok(text.to_owned()))
    }

    /// The items of a comma list, each checked; every wrong item is a problem of its own.
    pub(super) fn list<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let items = self.get(name, |text| Ok(parse::list(text))).unwrap_or_default();
        let mut values = Vec::new();
        for item in items {
            match parse(&item) {
                Ok(value) => values.push(value),
                Err(reason) => self.problem(name, format!("\"{item}\" {reason}")),
            }
        }
        values
    }
}

/// How a secret is shown.
fn masked(secret: &str) -> String {
    format!("(set, {} characters)", secret.chars().count())
}

fn file_name(name: &str) -> String {
    format!("{name}_FILE")
}
