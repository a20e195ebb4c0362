//! Rows about plugins.

use super::Fallback::{None as Unset, Value};
use super::Kind::{Flag, List, Number, Seconds};
use super::{Group, row};

pub(super) static PLUGINS: Group = Group {
    title: "Plugins",
    intro: "Better Auth's plugins by the same names. Both send mail and need `AUTH_MAIL`. Whoever signs in by a \
            mailed link or code has proven the address: it counts as verified, and passwords and sessions from \
            before that proof end.",
    settings: &[
        row("AUTH_PLUGINS", List, Unset, "magic-link,email-otp", "Which are there: `magic-link`, `email-otp`."),
        row("AUTH_MAGIC_LINK_EXPIRES_IN", Seconds(1, 86_400), Value("5m"), "10m", "Life of a link."),
        row(
            "AUTH_MAGIC_LINK_DISABLE_SIGN_UP",
            Flag,
            Value("false"),
            "true",
            "A link signs in known addresses alone; else it signs up new ones.",
        ),
        row("AUTH_EMAIL_OTP_LENGTH", Number(4, 16), Value("6"), "8", "Digits of a code."),
        row("AUTH_EMAIL_OTP_EXPIRES_IN", Seconds(1, 86_400), Value("5m"), "10m", "Life of a code."),
        row(
            "AUTH_EMAIL_OTP_ALLOWED_ATTEMPTS",
            Number(1, 100),
            Value("3"),
            "5",
            "Wrong guesses a code survives; after them even the right one is refused.",
        ),
        row(
            "AUTH_EMAIL_OTP_DISABLE_SIGN_UP",
            Flag,
            Value("false"),
            "true",
            "A code signs in known addresses alone; else it signs up new ones.",
        ),
        row(
            "AUTH_EMAIL_OTP_SEND_ON_SIGN_UP",
            Flag,
            Value("false"),
            "true",
            "Sign-up with a password mails a code that proves the address; the link of \
             `AUTH_EMAIL_VERIFICATION_SEND_ON_SIGN_UP` can be switched off then.",
        ),
        row(
            "AUTH_EMAIL_OTP_CHANGE_EMAIL_ENABLED",
            Flag,
            Value("false"),
            "true",
            "Users may change their address by a code mailed to the new one.",
        ),
        row(
            "AUTH_EMAIL_OTP_CHANGE_EMAIL_VERIFY_CURRENT_EMAIL",
            Flag,
            Value("false"),
            "true",
            "The change also takes a code mailed to the old address.",
        ),
    ],
};
