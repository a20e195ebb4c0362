//! The texts of mails: built-in templates, of which a folder may replace any.

use std::path::Path;
use std::sync::Arc;

use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior, context};

use super::{Mail, MailKind};

/// Of a user's name so many characters are told.
const NAME_LENGTH: usize = 60;

macro_rules! built_in {
    ($($stem:literal),+) => {
        &[
            ("layout.html", include_str!("templates/layout.html")),
            $(
                (concat!($stem, ".subject.txt"), include_str!(concat!("templates/", $stem, ".subject.txt"))),
                (concat!($stem, ".txt"), include_str!(concat!("templates/", $stem, ".txt"))),
                (concat!($stem, ".html"), include_str!(concat!("templates/", $stem, ".html"))),
            )+
        ]
    };
}

/// Name and text of every template.
pub const BUILT_IN: &[(&str, &str)] = built_in!(
    "reset-password",
    "verify-email",
    "change-email",
    "delete-account",
    "magic-link",
    "otp-sign-in",
    "otp-email-verification",
    "otp-forget-password",
    "password-changed",
    "email-changed",
    "test"
);

/// The texts of one mail.
#[derive(Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The subject, in one line.
    pub subject: String,
    /// The body as plain text.
    pub text: String,
    /// The body as HTML.
    pub html: String,
}

/// The templates in force. Clones share them.
#[derive(Clone)]
pub struct Templates {
    environment: Arc<Environment<'static>>,
}

impl std::fmt::Debug for Templates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Templates")
    }
}

impl Templates {
    /// The built-in templates, with those that `replace` gives for a name instead. Each is parsed and
    /// tried out.
    ///
    /// # Errors
    /// What is wrong with which template, in which line.
    pub fn load(mut replace: impl FnMut(&str) -> Result<Option<String>, String>) -> Result<Self, Vec<String>> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(
            |name| {
                if name.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None }
            },
        );
        let mut problems = Vec::new();
        for (name, text) in BUILT_IN {
            let text = replace(name).map(|own| own.unwrap_or_else(|| (*text).to_owned()));
            let added = text.and_then(|text| {
                environment.add_template_owned(*name, text).map_err(|error| what_is_wrong(name, &error))
            });
            problems.extend(added.err());
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let templates = Self { environment: Arc::new(environment) };
        for kind in MailKind::ALL {
            let tries = [Mail::new(kind, "reader@example.com"), full_sample(kind)];
            problems.extend(tries.iter().filter_map(|mail| templates.render(mail, "Example", Some(60)).err()));
        }
        problems.sort();
        problems.dedup();
        if problems.is_empty() { Ok(templates) } else { Err(problems) }
    }

    /// The built-in templates alone.
    ///
    /// # Errors
    /// As [`Templates::load`]; a test makes sure that there is none.
    pub fn built_in() -> Result<Self, Vec<String>> {
        Self::load(|_| Ok(None))
    }

    /// The texts of a mail whose link or code is good for so many more minutes.
    ///
    /// # Errors
    /// What is wrong with which template, in which line.
    pub fn render(&self, mail: &Mail, product: &str, expires_in_minutes: Option<i64>) -> Result<Rendered, String> {
        let stem = mail.kind.file_stem();
        let values = context! {
            product,
            email => &mail.to,
            url => &mail.url,
            otp => &mail.otp,
            new_email => &mail.new_email,
            name => mail.name.as_deref().map(tame),
            expires_in => expires_in_minutes.map(in_words),
            expires_in_minutes,
        };
        let render = |name: String| {
            let template = self.environment.get_template(&name).map_err(|error| what_is_wrong(&name, &error))?;
            template.render(&values).map_err(|error| what_is_wrong(&name, &error))
        };
        let subject = one_line(&render(format!("{stem}.subject.txt"))?);
        if subject.is_empty() {
            return Err(format!("{stem}.subject.txt gives an empty subject"));
        }
        Ok(Rendered { subject, text: render(format!("{stem}.txt"))?, html: render(format!("{stem}.html"))? })
    }

    /// Whether a file of this name replaces a template.
    #[must_use]
    pub fn knows(file: &str) -> bool {
        BUILT_IN.iter().any(|(name, _)| *name == file)
    }
}

/// Reads what a folder has to replace.
///
/// # Errors
/// When a file is there but cannot be read.
pub fn from_folder(
    folder: &Path,
    read: impl Fn(&Path) -> std::io::Result<String>,
) -> impl FnMut(&str) -> Result<Option<String>, String> {
    move |name| match read(&folder.join(name)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{name} cannot be read: {error}")),
    }
}

/// A mail with every value, so that no branch of a template stays untried for lack of one.
fn full_sample(kind: MailKind) -> Mail {
    Mail {
        otp: Some("000000".to_owned()),
        new_email: Some("new@example.com".to_owned()),
        name: Some("Ada".to_owned()),
        ..Mail::link(kind, "reader@example.com", "https://auth.example.com/".to_owned(), "token".to_owned(), 3600)
    }
}

/// `1 minute`, `42 minutes`, `24 hours`.
fn in_words(minutes: i64) -> String {
    match minutes {
        1 => "1 minute".to_owned(),
        120.. => format!("{} hours", minutes.saturating_add(30).div_euclid(60)),
        _ => format!("{minutes} minutes"),
    }
}

fn what_is_wrong(template: &str, error: &Error) -> String {
    let name = error.name().unwrap_or(template);
    let line = error.line().map(|line| format!(", line {line}")).unwrap_or_default();
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    format!("{name}{line}: {}{detail}", error.kind())
}

/// No line breaks, so that nothing can begin a header of its own.
fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// A name may be a whole advertisement, mailed in our name to somebody else's address.
fn tame(name: &str) -> String {
    one_line(name).chars().take(NAME_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(file: &'static str, text: &'static str) -> Result<Templates, Vec<String>> {
        Templates::load(move |name| Ok((name == file).then(|| text.to_owned())))
    }

    fn reset(url: &str) -> Mail {
        Mail::link(MailKind::ResetPassword, "ada@example.com", url.to_owned(), "t0ken".to_owned(), 3600)
    }

    #[test]
    fn every_kind_has_texts_with_its_link_or_code_and_its_life() {
        let templates = Templates::built_in().unwrap();
        for kind in MailKind::ALL {
            let rendered = templates.render(&full_sample(kind), "Example", Some(42)).unwrap();
            let told = if kind.name().starts_with("otp:") { "000000" } else { "https://auth.example.com/" };
            if kind.is_notice() || kind == MailKind::Test {
                assert!(!rendered.text.contains(told));
            } else {
                assert!(rendered.text.contains(told) && rendered.text.contains("42 minutes"), "{}", rendered.text);
                assert!(rendered.html.contains("42 minutes"), "{}", rendered.html);
            }
            assert!(rendered.subject.contains("Example"), "{}", rendered.subject);
            // Who typed the name may not be who reads it.
            assert!(!rendered.text.contains("Ada") && !rendered.html.contains("Ada"));
            for remote in ["<img", "src=", "@import", "url("] {
                assert!(!rendered.html.contains(remote), "{}", rendered.html);
            }
        }
    }

    #[test]
    fn the_built_in_texts_of_a_reset() {
        let rendered = Templates::built_in().unwrap().render(&reset("https://a.example/r?x=1&y=2"), "Acme", Some(60));
        let rendered = rendered.unwrap();
        assert_eq!(rendered.subject, "Set a new password for Acme");
        assert!(rendered.text.contains("\nhttps://a.example/r?x=1&y=2\n"), "{}", rendered.text);
        assert!(rendered.html.contains("x=1&amp;y=2"), "{}", rendered.html);
    }

    #[test]
    fn html_is_escaped_and_plain_text_is_not() {
        let templates = replaced("reset-password.html", "<p>{{ name }} {{ product }} <a href=\"{{ url }}\">x</a></p>");
        let mail = Mail { name: Some("<b>\"x\"</b>".to_owned()), ..reset("https://a.example/\"><script>") };
        let rendered = templates.unwrap().render(&mail, "A & <i>", None).unwrap();
        for bad in ["<b>", "<i>", "<script>", "\"x\""] {
            assert!(!rendered.html.contains(bad), "{}", rendered.html);
        }
        assert!(rendered.html.contains("A &amp; &lt;i&gt;"), "{}", rendered.html);
        assert_eq!(rendered.subject, "Set a new password for A & <i>");
    }

    #[test]
    fn a_subject_is_one_line_whatever_is_put_into_it() {
        let templates = replaced("reset-password.subject.txt", "Hello {{ name }}\nBcc: x@example.com\n").unwrap();
        let mail = Mail { name: Some("A\r\nBcc: all@example.com\u{85}\u{2028}\0b".to_owned()), ..reset("https://a") };
        let subject = templates.render(&mail, "Acme", None).unwrap().subject;
        assert_eq!(subject, "Hello A Bcc: all@example.com b Bcc: x@example.com");
    }

    #[test]
    fn a_life_is_told_in_words() {
        let words = [(1, "1 minute"), (60, "60 minutes"), (119, "119 minutes"), (120, "2 hours"), (1439, "24 hours")];
        for (minutes, text) in words {
            assert_eq!(in_words(minutes), text);
        }
    }

    #[test]
    fn a_long_name_is_cut() {
        let templates = replaced("reset-password.txt", "{{ name }}").unwrap();
        let mail = Mail { name: Some("ä".repeat(500)), ..reset("https://a") };
        assert_eq!(templates.render(&mail, "Acme", None).unwrap().text.chars().count(), NAME_LENGTH);
    }

    #[test]
    fn a_broken_template_is_named_with_its_line() {
        let problems = |text| replaced("magic-link.html", text).unwrap_err();
        assert!(problems("<p>\n{% if %}")[0].starts_with("magic-link.html, line 2: syntax error"));
        let unknown = problems("<p>\n\n{{ ulr }}");
        assert!(
            unknown.len() == 1 && unknown[0].starts_with("magic-link.html, line 3: undefined value"),
            "{unknown:?}"
        );
        let missing = problems("{% extends \"base.html\" %}");
        assert!(missing[0].contains("base.html"), "{missing:?}");
        assert_eq!(replaced("test.subject.txt", " \n").unwrap_err(), ["test.subject.txt gives an empty subject"]);
    }

    #[test]
    fn a_folder_replaces_single_templates_and_the_layout() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("verify-email.txt"), "Ours: {{ url }}").unwrap();
        std::fs::write(folder.path().join("layout.html"), "<ours>{% block body %}{% endblock %}</ours>").unwrap();
        let templates = Templates::load(from_folder(folder.path(), |path| std::fs::read_to_string(path))).unwrap();
        let rendered = templates.render(&full_sample(MailKind::VerifyEmail), "Acme", Some(60)).unwrap();
        assert_eq!(rendered.text, "Ours: https://auth.example.com/");
        assert!(rendered.html.starts_with("<ours>"), "{}", rendered.html);
        assert_eq!(rendered.subject, "Confirm your email address for Acme");
    }
}
