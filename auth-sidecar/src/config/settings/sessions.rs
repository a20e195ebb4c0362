//! Rows about accounts, sessions, cookies and limits.

use super::Fallback::{None as Unset, Told, Value};
use super::Kind::{Choice, Flag, List, Number, Seconds, Text};
use super::{Group, LONGEST_COOKIE, row};

pub(super) static ACCOUNTS: Group = Group {
    title: "Sign-up, sign-in and accounts",
    intro: "Lengths of passwords are UTF-16 units, as in Better Auth.",
    settings: &[
        row("AUTH_EMAIL_PASSWORD_ENABLED", Flag, Value("true"), "true", "Sign-up and sign-in with email and password."),
        row("AUTH_EMAIL_PASSWORD_DISABLE_SIGN_UP", Flag, Value("false"), "true", "Refuse new users."),
        row(
            "AUTH_EMAIL_PASSWORD_AUTO_SIGN_IN",
            Flag,
            Value("true"),
            "false",
            "Begin a session on sign-up. Off also hides whether an address is taken.",
        ),
        row("AUTH_EMAIL_PASSWORD_MIN_LENGTH", Number(1, 1024), Value("8"), "12", "Shortest password."),
        row("AUTH_EMAIL_PASSWORD_MAX_LENGTH", Number(1, 1024), Value("128"), "128", "Longest password."),
        row(
            "AUTH_PASSWORD_HASH",
            Choice(&["bcrypt", "argon2id", "scrypt"]),
            Value("bcrypt"),
            "argon2id",
            "Scheme of new hashes; `scrypt` is Better Auth's own. All are verified, and a hash of \
             another scheme is renewed at sign-in.",
        ),
        row("AUTH_BCRYPT_COST", Number(10, 15), Value("10"), "12", "Each step doubles the work."),
        row(
            "AUTH_HASH_THREADS",
            Number(1, 256),
            Told("number of processors"),
            "2",
            "How many passwords are hashed at a time.",
        ),
        row(
            "AUTH_HASH_QUEUE",
            Number(1, 100_000),
            Value("64"),
            "64",
            "How many may wait for that; one more is answered with 503.",
        ),
        row("AUTH_USER_DELETE_USER_ENABLED", Flag, Value("false"), "true", "Users may delete themselves."),
        row(
            "AUTH_USER_DELETE_USER_VERIFICATION",
            Flag,
            Value("false"),
            "true",
            "Deletion waits until a mailed link is opened.",
        ),
        row(
            "AUTH_USER_DELETE_USER_TOKEN_EXPIRES_IN",
            Seconds(1, LONGEST_COOKIE),
            Value("1d"),
            "1h",
            "Life of that link.",
        ),
        row(
            "AUTH_EMAIL_PASSWORD_REQUIRE_VERIFICATION",
            Flag,
            Value("false"),
            "true",
            "Only users with a proven address sign in, and sign-up begins no session. Needs `AUTH_MAIL`.",
        ),
        row(
            "AUTH_EMAIL_VERIFICATION_SEND_ON_SIGN_UP",
            Flag,
            Told("as `AUTH_EMAIL_PASSWORD_REQUIRE_VERIFICATION`"),
            "true",
            "Sign-up mails a link that proves the address.",
        ),
        row(
            "AUTH_EMAIL_VERIFICATION_SEND_ON_SIGN_IN",
            Flag,
            Value("false"),
            "true",
            "A sign-in that is refused for an unproven address mails the link again.",
        ),
        row("AUTH_EMAIL_VERIFICATION_AUTO_SIGN_IN", Flag, Value("false"), "true", "Opening the link signs in."),
        row("AUTH_EMAIL_VERIFICATION_EXPIRES_IN", Seconds(1, LONGEST_COOKIE), Value("1h"), "30m", "Life of the link."),
        row(
            "AUTH_EMAIL_PASSWORD_RESET_TOKEN_EXPIRES_IN",
            Seconds(1, LONGEST_COOKIE),
            Value("1h"),
            "15m",
            "Life of a mailed link to set a new password.",
        ),
        row(
            "AUTH_EMAIL_PASSWORD_REVOKE_SESSIONS_ON_RESET",
            Flag,
            Value("false"),
            "true",
            "A password reset ends every session of the user.",
        ),
        row("AUTH_USER_CHANGE_EMAIL_ENABLED", Flag, Value("false"), "true", "Users may change their address."),
        row(
            "AUTH_USER_CHANGE_EMAIL_CONFIRMATION",
            Flag,
            Value("false"),
            "true",
            "A proven address has to approve the change by a mailed link, before the new one proves itself.",
        ),
        row(
            "AUTH_USER_CHANGE_EMAIL_UPDATE_WITHOUT_VERIFICATION",
            Flag,
            Value("false"),
            "true",
            "An address that was never proven is changed at once; the mail that proves the new one follows.",
        ),
        row(
            "AUTH_ACCOUNT_LINKING_ALLOW_UNLINKING_ALL",
            Flag,
            Value("false"),
            "true",
            "Users may unlink their last account.",
        ),
    ],
};

pub(super) static SESSIONS: Group = Group {
    title: "Sessions",
    intro: "No lifetime may exceed 34560000 seconds (400 days), the most a browser grants a \
            cookie.",
    settings: &[
        row(
            "AUTH_SESSION_EXPIRES_IN",
            Seconds(1, LONGEST_COOKIE),
            Value("7d"),
            "7d",
            "Lifetime of a session since its last extension.",
        ),
        row(
            "AUTH_SESSION_UPDATE_AGE",
            Seconds(0, LONGEST_COOKIE),
            Value("1d"),
            "1d",
            "Age at which use extends a session; 0: every use.",
        ),
        row(
            "AUTH_SESSION_FRESH_AGE",
            Seconds(0, LONGEST_COOKIE),
            Value("1d"),
            "10m",
            "How long after sign-in sensitive requests need no new one; 0: always.",
        ),
        row("AUTH_SESSION_DISABLE_REFRESH", Flag, Value("false"), "true", "Never extend sessions."),
        row(
            "AUTH_SESSION_DEFER_REFRESH",
            Flag,
            Value("false"),
            "true",
            "GET get-session never writes; the client extends by POST.",
        ),
        row(
            "AUTH_SESSION_COOKIE_CACHE",
            Choice(&["off", "compact", "jwt", "jwe"]),
            Value("off"),
            "compact",
            "Keep a sealed copy of session and user in a cookie, of this form. A revoked session \
             then lives until the copy is stale.",
        ),
        row(
            "AUTH_SESSION_COOKIE_CACHE_MAX_AGE",
            Seconds(1, LONGEST_COOKIE),
            Value("5m"),
            "1m",
            "When the copy is stale.",
        ),
        row("AUTH_SESSION_COOKIE_CACHE_VERSION", Text, Value("1"), "2", "Another text makes all copies stale at once."),
    ],
};

pub(super) static COOKIES: Group = Group {
    title: "Cookies",
    intro: "",
    settings: &[
        row("AUTH_COOKIE_PREFIX", Text, Value("better-auth"), "acme", "What cookie names begin with."),
        row(
            "AUTH_COOKIE_SECURE",
            Choice(&["auto", "true", "false"]),
            Value("auto"),
            "auto",
            "`Secure` cookies with the `__Secure-` prefix; `auto`: if `BETTER_AUTH_URL` is https.",
        ),
        row(
            "AUTH_COOKIE_MODE",
            Choice(&["lax", "cross-site"]),
            Value("lax"),
            "lax",
            "`cross-site` (`SameSite=None; Secure; Partitioned`) for a site on another registrable \
             domain; needs https.",
        ),
        row(
            "AUTH_COOKIE_DOMAIN",
            Text,
            Unset,
            "example.com",
            "Share cookies with all hosts below this domain, which must be that of \
             `BETTER_AUTH_URL` or one above it.",
        ),
    ],
};

pub(super) static LIMITS: Group = Group {
    title: "Rate limits and client addresses",
    intro: "",
    settings: &[
        row(
            "AUTH_RATE_LIMIT",
            Flag,
            Told("false in dev mode, else true"),
            "true",
            "Limit requests by client address and path.",
        ),
        row("AUTH_RATE_LIMIT_WINDOW", Seconds(1, 86_400), Value("10s"), "1m", "General window."),
        row("AUTH_RATE_LIMIT_MAX", Number(1, 1_000_000), Value("100"), "100", "Requests in the general window."),
        row(
            "AUTH_RATE_LIMIT_RULES",
            List,
            Unset,
            "/list-sessions=1/3,/ok=off",
            "Rules for single paths: `PATH=MAX/SECONDS` or `PATH=off`; `*` in a path stands for \
             anything.",
        ),
        row(
            "AUTH_SIGN_IN_ATTEMPTS",
            Number(0, 1_000_000),
            Value("20"),
            "50",
            "Attempts at one account's password, from all addresses together, before a pause of \
             `AUTH_SIGN_IN_ATTEMPTS_WINDOW`. Whoever asks from an address where the user is signed in is counted \
             apart. 0: no limit.",
        ),
        row(
            "AUTH_SIGN_IN_ATTEMPTS_WINDOW",
            Seconds(1, LONGEST_COOKIE),
            Value("5m"),
            "1m",
            "The quiet time after which the attempts begin anew.",
        ),
        row(
            "AUTH_IP_HEADERS",
            List,
            Value("x-forwarded-for"),
            "cf-connecting-ip",
            "Headers that may hold the client's address; the first with one counts. Set them in \
             a proxy, or a client can choose its address.",
        ),
        row(
            "AUTH_TRUSTED_PROXIES",
            List,
            Unset,
            "10.0.0.0/8,192.168.1.7",
            "Addresses of proxies, passed over from the right in such a header. Without them only \
             a header with a single address counts.",
        ),
        row("AUTH_IPV6_SUBNET", Number(1, 128), Value("64"), "56", "Bits of an IPv6 address that tell clients apart."),
        row(
            "AUTH_DISABLE_IP_TRACKING",
            Flag,
            Value("false"),
            "true",
            "Neither keep client addresses nor limit by them.",
        ),
    ],
};
