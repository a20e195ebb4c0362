//! What the checks found, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be, or nothing to judge.
    Ok,
    /// Works, or may be meant; look at it.
    Warning,
    /// Does not work, or is not safe.
    Problem,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// One line of the report. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Name of the check.
    pub check: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What was seen.
    pub message: String,
    /// The line that fixes it, or what to do.
    pub fix: Option<String>,
}

/// Everything found, in order.
#[derive(Debug, Default)]
pub struct Report {
    findings: Vec<Finding>,
}

impl Report {
    /// Nothing to do.
    pub fn ok(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Level::Ok, message, None);
    }

    /// Something to look at, and the line that changes it.
    pub fn warning(&mut self, check: &'static str, message: impl Into<String>, fix: impl Into<String>) {
        self.add(check, Level::Warning, message, Some(fix.into()));
    }

    /// Something to put right, and the line that does.
    pub fn problem(&mut self, check: &'static str, message: impl Into<String>, fix: impl Into<String>) {
        self.add(check, Level::Problem, message, Some(fix.into()));
    }

    /// A finding of any kind; its text becomes one line.
    pub fn add(&mut self, check: &'static str, level: Level, message: impl Into<String>, fix: Option<String>) {
        let message = one_line(&message.into());
        let fix = fix.map(|fix| one_line(&fix)).filter(|fix| !fix.is_empty());
        self.findings.push(Finding { check, level, message, fix });
    }

    /// Whether a check found something besides good.
    pub fn blames(&self, check: &str) -> bool {
        self.findings.iter().any(|finding| finding.check == check && finding.level != Level::Ok)
    }

    /// What was found.
    #[cfg(test)]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// How many findings are of a level.
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }

    /// A line for each finding, the line that fixes it below.
    pub fn text(&self) -> String {
        let width = self.findings.iter().map(|finding| finding.check.len()).max().unwrap_or_default();
        let mut text = String::new();
        for Finding { check, level, message, fix } in &self.findings {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{:<7}  {check:<width$}  {message}", level.name());
            if let Some(fix) = fix {
                let _ = writeln!(text, "{:<7}  {:<width$}  {fix}", "", "");
            }
        }
        text
    }

    /// A list of `{check, level, message, fix}`.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(&self.findings).unwrap_or_else(|_| "[]".to_owned())
    }
}

/// Without line breaks and other controls: part of it may be what a server or a variable says.
fn one_line(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_has_a_line_for_each_finding_and_one_for_each_fix() {
        let mut report = Report::default();
        report.ok("secret", "set");
        report.problem("public-url", "is\nhttp\u{1b}[31m", "BETTER_AUTH_URL=https://auth.example.com");
        let lines = [
            "ok       secret      set",
            "problem  public-url  is http [31m",
            "                     BETTER_AUTH_URL=https://auth.example.com",
        ];
        assert_eq!(report.text().lines().collect::<Vec<_>>(), lines);
        assert!(report.blames("public-url") && !report.blames("secret"));
        assert_eq!((report.count(Level::Ok), report.count(Level::Problem)), (1, 1));
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(json[0], serde_json::json!({ "check": "secret", "level": "ok", "message": "set", "fix": null }));
        assert_eq!(json[1]["level"], "problem");
    }
}
