//! Rows about the process, its addresses and its database.

use super::Fallback::{None as Unset, Told, Value};
use super::Kind::{Bytes, Choice, Flag, List, Number, Seconds, Text};
use super::{Group, SECRET, row, secret};

pub(super) static ESSENTIAL: Group = Group {
    title: "What every deployment sets",
    intro: "Outside dev mode the first three are needed; with none of the URL, the secret and \
            the database set, the program starts in dev mode.",
    settings: &[
        row(
            "BETTER_AUTH_URL",
            Text,
            Told("`http://localhost:PORT` in dev mode, else needed"),
            "https://auth.example.com",
            "Public origin of this service, as browsers see it. Its scheme decides whether \
             cookies are `Secure`. A path in it is the base path.",
        ),
        secret(
            "BETTER_AUTH_SECRET",
            SECRET,
            "Key of cookies and tokens, at least 32 characters. In dev mode one is made and kept \
             in `AUTH_DATA_DIR/secret`.",
        ),
        secret(
            "DATABASE_URL",
            "postgres://auth:password@db.example.com/auth",
            "`postgres://…`, or `sqlite://PATH` with an absolute (`sqlite:///data/auth.db`) or \
             relative path. In dev mode `AUTH_DATA_DIR/auth.db`.",
        ),
        row(
            "BETTER_AUTH_TRUSTED_ORIGINS",
            List,
            Told("`http://localhost:*,http://127.0.0.1:*` in dev mode, else none"),
            "https://www.example.com,https://*.preview.example.com",
            "Origins of the sites that may call this service and be redirected to, besides its \
             own. `*` stands for any run of characters; apps may have a scheme, as `myapp://`.",
        ),
        secret(
            "BETTER_AUTH_SECRETS",
            "2:new-secret,1:old-secret",
            "Several secrets with versions, for rotation; the first is the current one, the \
             others only open what they once sealed. `BETTER_AUTH_SECRET` then opens what was \
             sealed before there were versions.",
        ),
        secret("AUTH_SECRET", SECRET, "Read when `BETTER_AUTH_SECRET` is not set."),
    ],
};

pub(super) static PROCESS: Group = Group {
    title: "Process",
    intro: "",
    settings: &[
        row(
            "AUTH_MIGRATE_ON_START",
            Flag,
            Value("true"),
            "false",
            "`serve` brings the tables up to date first. When false it refuses tables that are behind: \
             run `auth-sidecar migrate`.",
        ),
        row(
            "AUTH_PURGE_INTERVAL",
            Seconds(1, 86_400),
            Value("10m"),
            "1h",
            "Pause between two rounds of removing sessions and links that are over.",
        ),
        row(
            "AUTH_DEV",
            Flag,
            Told("true if neither URL, secret nor database is set"),
            "true",
            "Dev mode: SQLite and a secret in `AUTH_DATA_DIR`, sites on localhost trusted, no \
             rate limit. Not for a public address.",
        ),
        row("HOST", Text, Told("127.0.0.1 in dev mode, else 0.0.0.0"), "0.0.0.0", "Address to listen on."),
        row("PORT", Number(1, 65_535), Value("4000"), "4000", "Port to listen on."),
        row("AUTH_DATA_DIR", Text, Value("./data"), "/var/lib/auth-sidecar", "Folder of what dev mode keeps."),
        row("AUTH_WORKERS", Number(1, 1024), Told("number of processors"), "2", "Threads that answer requests."),
        row(
            "AUTH_SHUTDOWN_TIMEOUT",
            Seconds(0, 3600),
            Value("8s"),
            "8s",
            "How long requests in progress may take after SIGTERM.",
        ),
        row("AUTH_LOG_FORMAT", Choice(&["text", "json"]), Value("text"), "json", "Form of the log."),
        row(
            "RUST_LOG",
            Text,
            Value("info"),
            "info,auth_sidecar=debug",
            "Which log lines appear, as directives of `tracing-subscriber`.",
        ),
    ],
};

pub(super) static MAIL: Group = Group {
    title: "Mail",
    intro: "How to set it up, the receiver of a webhook, own templates and what to do about failed \
            mail: [mail.md](mail.md).",
    settings: &[
        secret(
            "AUTH_MAIL",
            "smtp://user:password@mail.example.com:587",
            "The way mail goes: `off`, `log` (dev mode only, where it is the default), `smtp://…` (STARTTLS), \
             `smtps://…` (TLS), or `webhook+https://…`, which gets every mail as JSON. When off, what needs mail \
             is refused.",
        ),
        row("AUTH_MAIL_FROM", Text, Unset, "Example <no-reply@example.com>", "Who mail by SMTP is from; needed there."),
        row(
            "AUTH_MAIL_PRODUCT_NAME",
            Text,
            Told("the host of `BETTER_AUTH_URL`"),
            "Example",
            "What mails call the site.",
        ),
        row(
            "AUTH_MAIL_TEMPLATES",
            Text,
            Unset,
            "/etc/auth-sidecar/mail",
            "Folder of templates that replace the built-in ones of the same name.",
        ),
        secret(
            "AUTH_MAIL_WEBHOOK_SECRET",
            SECRET,
            "Key of the signatures by which the webhook knows our mails, at least 32 characters. Without it they \
             are not signed.",
        ),
        row(
            "AUTH_MAIL_OUTBOX_LIMIT",
            Number(1, 10_000_000),
            Value("10000"),
            "10000",
            "The most mails that may wait to be sent; further ones are dropped, with a line in the log.",
        ),
        row(
            "AUTH_MAIL_NOTICES",
            Flag,
            Value("true"),
            "false",
            "Tell users by mail that their password or address was changed.",
        ),
    ],
};

pub(super) static HTTP: Group = Group {
    title: "HTTP",
    intro: "",
    settings: &[
        row(
            "AUTH_BASE_PATH",
            Text,
            Told("the path of `BETTER_AUTH_URL`, else `/api/auth`"),
            "/api/auth",
            "Path below which the Better Auth endpoints are; `/` for none.",
        ),
        row(
            "AUTH_API_PREFIX",
            Text,
            Value("/auth"),
            "/auth",
            "Path below which the plain REST endpoints (`register`, `login`, `me`, `profile`) \
             are; `off` for none.",
        ),
        row(
            "AUTH_DISABLED_PATHS",
            List,
            Unset,
            "/verify-password,/delete-user",
            "Endpoints, without the base path, that answer 404.",
        ),
        row(
            "AUTH_CORS",
            Flag,
            Value("true"),
            "true",
            "Answer CORS for the trusted origins, with credentials. Off if a proxy does it.",
        ),
        row(
            "AUTH_NO_STORE",
            Flag,
            Value("true"),
            "true",
            "`Cache-Control: no-store` on every answer with a session or token. Off: only where \
             upstream has it.",
        ),
        row(
            "AUTH_BODY_LIMIT",
            Bytes(1024, 16_777_216),
            Value("256KiB"),
            "256KiB",
            "Largest request body; a larger one is answered with 413.",
        ),
        row(
            "AUTH_ERROR_URL",
            Text,
            Unset,
            "https://www.example.com/auth-error",
            "Page that shows errors of browser redirects, instead of the built-in one.",
        ),
    ],
};

pub(super) static DATABASE: Group = Group {
    title: "Database",
    intro: "",
    settings: &[
        row("AUTH_DATABASE_POOL_SIZE", Number(1, 200), Value("4"), "8", "Connections."),
        row(
            "AUTH_DATABASE_ACQUIRE_TIMEOUT",
            Seconds(1, 60),
            Value("2s"),
            "2s",
            "How long a request waits for a connection; then 503.",
        ),
        row("AUTH_DATABASE_QUERY_TIMEOUT", Seconds(1, 60), Value("3s"), "3s", "How long a query may take; then 503."),
    ],
};
