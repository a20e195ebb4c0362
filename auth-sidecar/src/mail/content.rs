//! What a mail tells.

use serde::{Deserialize, Serialize};

/// One mail. The link, the token and the code are credentials: there is no `Debug`.
#[derive(Clone)]
pub struct Mail {
    /// What it is about.
    pub kind: MailKind,
    /// The address it goes to.
    pub to: String,
    /// The link its reader follows.
    pub url: Option<String>,
    /// The token in the link.
    pub token: Option<String>,
    /// The code its reader types.
    pub otp: Option<String>,
    /// The address that is asked for, or that is in force now, in mails about a change.
    pub new_email: Option<String>,
    /// The name its reader gave at sign-up. Anybody may have typed it: the built-in templates leave it out.
    pub name: Option<String>,
    /// Life of the link or code, in seconds; it is not mailed after that.
    pub expires_in: Option<i64>,
}

impl Mail {
    /// A mail that tells nothing but its kind.
    #[must_use]
    pub fn new(kind: MailKind, to: impl Into<String>) -> Self {
        Self { kind, to: to.into(), url: None, token: None, otp: None, new_email: None, name: None, expires_in: None }
    }

    /// A mail with a link that is good for `expires_in` seconds.
    #[must_use]
    pub fn link(kind: MailKind, to: impl Into<String>, url: String, token: String, expires_in: i64) -> Self {
        Self { url: Some(url), token: Some(token), expires_in: Some(expires_in), ..Self::new(kind, to) }
    }

    /// A mail with a code that is good for `expires_in` seconds.
    #[must_use]
    pub fn code(kind: MailKind, to: impl Into<String>, otp: String, expires_in: i64) -> Self {
        Self { otp: Some(otp), expires_in: Some(expires_in), ..Self::new(kind, to) }
    }

    /// What the outbox keeps of it besides kind and recipient.
    pub(super) fn payload(&self) -> String {
        let payload = Payload {
            url: self.url.clone(),
            token: self.token.clone(),
            otp: self.otp.clone(),
            new_email: self.new_email.clone(),
            name: self.name.clone(),
        };
        // Texts always have a JSON form.
        serde_json::to_string(&payload).unwrap_or_default()
    }

    /// The mail of a row of the outbox; `None` when the row is not understood, as one of a newer release.
    pub(super) fn from_row(kind: &str, recipient: &str, payload: &str) -> Option<Self> {
        let kind = MailKind::from_name(kind)?;
        let Payload { url, token, otp, new_email, name } = serde_json::from_str(payload).ok()?;
        Some(Self { kind, to: recipient.to_owned(), url, token, otp, new_email, name, expires_in: None })
    }

    /// Its texts that no log and no error may hold.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        [&self.url, &self.token, &self.otp].into_iter().flatten().map(String::as_str)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    otp: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    new_email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

/// What a mail is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailKind {
    /// A link to set a new password.
    ResetPassword,
    /// A link that proves an address.
    VerifyEmail,
    /// A link, mailed to the old address, that approves a new one.
    ChangeEmail,
    /// A link that deletes the account.
    DeleteAccount,
    /// A link that signs in.
    MagicLink,
    /// A code that signs in.
    OtpSignIn,
    /// A code that proves an address.
    OtpEmailVerification,
    /// A code to set a new password.
    OtpForgetPassword,
    /// Notice: the password was changed.
    PasswordChanged,
    /// Notice, mailed to the old address: the address was changed.
    EmailChanged,
    /// Nothing: the settings of mail are tried out.
    Test,
}

impl MailKind {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::ResetPassword,
        Self::VerifyEmail,
        Self::ChangeEmail,
        Self::DeleteAccount,
        Self::MagicLink,
        Self::OtpSignIn,
        Self::OtpEmailVerification,
        Self::OtpForgetPassword,
        Self::PasswordChanged,
        Self::EmailChanged,
        Self::Test,
    ];

    /// Its name in the outbox and in the webhook's `type`; the names of codes are those of upstream's
    /// email-otp plugin.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ResetPassword => "reset-password",
            Self::VerifyEmail => "verify-email",
            Self::ChangeEmail => "change-email",
            Self::DeleteAccount => "delete-account",
            Self::MagicLink => "magic-link",
            Self::OtpSignIn => "otp:sign-in",
            Self::OtpEmailVerification => "otp:email-verification",
            Self::OtpForgetPassword => "otp:forget-password",
            Self::PasswordChanged => "password-changed",
            Self::EmailChanged => "email-changed",
            Self::Test => "test",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What the names of its templates begin with: the name, `-` for `:`.
    #[must_use]
    pub fn file_stem(self) -> String {
        self.name().replace(':', "-")
    }

    /// Whether it only tells what was done.
    #[must_use]
    pub fn is_notice(self) -> bool {
        matches!(self, Self::PasswordChanged | Self::EmailChanged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_comes_out_of_the_outbox_as_it_went_in() {
        let mut mail = Mail::link(MailKind::ChangeEmail, "a@example.com", "https://x/?a=\"1\"".into(), "t".into(), 60);
        mail.new_email = Some("b@example.com".to_owned());
        assert_eq!(mail.payload(), r#"{"url":"https://x/?a=\"1\"","token":"t","newEmail":"b@example.com"}"#);
        let back = Mail::from_row("change-email", "a@example.com", &mail.payload()).unwrap();
        assert_eq!((back.url, back.token, back.otp), (mail.url, mail.token, None));
        assert_eq!((back.to, back.new_email), (mail.to, mail.new_email));
        assert!(back.kind == MailKind::ChangeEmail);
    }

    #[test]
    fn rows_of_unknown_kind_or_without_payload_are_not_understood() {
        assert!(Mail::from_row("carrier-pigeon", "a@example.com", "{}").is_none());
        assert!(Mail::from_row("reset-password", "a@example.com", "").is_none());
    }

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        for kind in MailKind::ALL {
            assert_eq!(MailKind::from_name(kind.name()), Some(kind));
        }
    }
}
