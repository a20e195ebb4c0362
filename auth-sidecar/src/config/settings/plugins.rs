//! Rows about plugins.

use super::Fallback::{None as Unset, Told, Value};
use super::Kind::{Choice, Flag, List, Number, Seconds, Text};
use super::{Group, LONGEST_COOKIE, row, secret};

pub(super) static PLUGINS: Group = Group {
    title: "Plugins",
    intro: "Better Auth's plugins by the same names. `magic-link` and `email-otp` send mail and need `AUTH_MAIL`. \
            Whoever signs in by a mailed link or code has proven the address: it counts as verified, and passwords \
            and sessions from before that proof end.",
    settings: &[
        row(
            "AUTH_PLUGINS",
            List,
            Value("jwt,bearer"),
            "jwt,bearer,magic-link",
            "Which are there: `jwt`, `bearer`, `magic-link`, `email-otp`, `one-time-token`; or `none`.",
        ),
        row(
            "AUTH_BEARER_REQUIRE_SIGNATURE",
            Flag,
            Value("false"),
            "true",
            "Take `Authorization: Bearer` only with the signed token of `set-auth-token`, not with the plain one.",
        ),
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
        row("AUTH_ONE_TIME_TOKEN_EXPIRES_IN", Seconds(1, 86_400), Value("3m"), "1m", "Life of a token."),
        row(
            "AUTH_ONE_TIME_TOKEN_STORE_TOKEN",
            Choice(&["plain", "hashed"]),
            Value("plain"),
            "hashed",
            "`hashed`: the database holds only a hash of each token.",
        ),
        row(
            "AUTH_ONE_TIME_TOKEN_DISABLE_SET_SESSION_COOKIE",
            Flag,
            Value("false"),
            "true",
            "Spending a token gives the session, but sets no cookie.",
        ),
        row(
            "AUTH_ONE_TIME_TOKEN_SET_OTT_HEADER_ON_NEW_SESSION",
            Flag,
            Value("false"),
            "true",
            "Every answer that signs in gives a token in the header `set-ott`.",
        ),
    ],
};

pub(super) static TOKENS: Group = Group {
    title: "Tokens for other services",
    intro: "The plugin `jwt`: `/token`, `/jwks` (also at `/.well-known/jwks.json`) and the header `set-auth-jwt`; \
            `access_token` in the REST endpoints. Keys are made when they are first needed and kept in the database, \
            encrypted by the secret; `auth-sidecar keys` lists, rotates and revokes them.",
    settings: &[
        row(
            "AUTH_JWT_ALG",
            Choice(&["EdDSA", "ES256", "ES512", "RS256", "PS256", "HS256"]),
            Value("EdDSA"),
            "RS256",
            "Algorithm of new keys. python-jose cannot verify EdDSA: take ES256 or RS256. `HS256` needs \
             `AUTH_JWT_SECRET`, publishes no key, and lets every verifier make tokens too.",
        ),
        secret(
            "AUTH_JWT_SECRET",
            "$(openssl rand -base64 32)",
            "The secret shared with the verifiers under `HS256`, at least 32 characters; not that of `BETTER_AUTH_SECRET`.",
        ),
        row(
            "AUTH_JWT_ISSUER",
            Text,
            Told("origin of `BETTER_AUTH_URL`"),
            "https://auth.example.com",
            "The claim `iss`.",
        ),
        row(
            "AUTH_JWT_AUDIENCE",
            Text,
            Told("origin of `BETTER_AUTH_URL`"),
            "https://api.example.com",
            "The claim `aud`.",
        ),
        row("AUTH_JWT_EXPIRES_IN", Seconds(1, LONGEST_COOKIE), Value("15m"), "5m", "Life of a token."),
        row(
            "AUTH_JWT_PAYLOAD",
            List,
            Unset,
            "email,name",
            "Which of `name`, `email`, `emailVerified`, `image`, `createdAt`, `updatedAt`, `id` are claims; all if not \
             given. The user's id is always `sub`; declared fields have `AUTH_FIELD_<NAME>_CLAIM`.",
        ),
        row(
            "AUTH_JWT_DISABLE_SETTING_JWT_HEADER",
            Flag,
            Value("false"),
            "true",
            "`get-session` gives no token in the header `set-auth-jwt`. Each would be signed anew.",
        ),
        row(
            "AUTH_JWT_ROTATION_INTERVAL",
            Seconds(300, u32::MAX),
            Unset,
            "30d",
            "How long a key signs before a new one is made; for ever if not given.",
        ),
        row(
            "AUTH_JWT_GRACE_PERIOD",
            Seconds(0, u32::MAX),
            Value("30d"),
            "1d",
            "How long a key is published after it stopped signing. Not below the life of a token.",
        ),
        row(
            "AUTH_VERIFY_JWT",
            Flag,
            Value("false"),
            "true",
            "`/auth/verify`, the check for gateways, gives a token in the header `X-Auth-JWT`.",
        ),
    ],
};
