//! What is wrong with the settings, all of it at once.

use std::fmt;

/// One wrong setting. Never holds a secret's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Name of the setting.
    pub name: String,
    /// What is wrong and, where it is not plain, what to do.
    pub what: String,
    /// A right value; empty if there is none to show.
    pub example: &'static str,
}

/// Why the program does not start; exit code 78.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors {
    /// Every wrong setting.
    pub problems: Vec<Problem>,
    /// What else looks like a mistake.
    pub warnings: Vec<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.what)?;
        if !self.example.is_empty() {
            write!(f, " (for example {}={})", self.name, self.example)?;
        }
        Ok(())
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.len() {
            1 => write!(f, "1 setting is wrong:")?,
            count => write!(f, "{count} settings are wrong:")?,
        }
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        for warning in &self.warnings {
            write!(f, "\n  warning: {warning}")?;
        }
        Ok(())
    }
}
