//! Rows about declared fields.

use super::Fallback::{None as Unset, Told, Value};
use super::Kind::{Choice, Flag, List, Number, Text};
use super::{Group, row};

pub(super) static FIELDS: Group = Group {
    title: "Fields",
    intro: "`software_background` and `hardware_background` are there from the start; \
            `AUTH_USER_FIELDS` and `AUTH_SESSION_FIELDS` declare more. Each has the settings \
            `AUTH_FIELD_<NAME>_…`, with the name in capitals: \
            `AUTH_FIELD_SOFTWARE_BACKGROUND_VALUES=beginner,intermediate,advanced`. Those of a \
            session field are `AUTH_SESSION_FIELD_<NAME>_…`, without `CLAIM`.",
    settings: &[
        row("AUTH_USER_FIELDS", List, Unset, "department,plan", "Further fields of users: names in snake case."),
        row("AUTH_SESSION_FIELDS", List, Unset, "theme", "Fields of sessions, likewise."),
        row(
            "AUTH_FIELD_<NAME>_TYPE",
            Choice(&["string", "string[]", "number", "boolean"]),
            Value("string"),
            "string[]",
            "Type of the value; the two fields from the start are texts or lists. Numbers and \
             booleans may arrive as text, as forms send them; lists may not.",
        ),
        row(
            "AUTH_FIELD_<NAME>_VALUES",
            List,
            Unset,
            "beginner,intermediate,advanced",
            "The allowed values. Another letter case is accepted and stored as written here.",
        ),
        row(
            "AUTH_FIELD_<NAME>_MAX_LENGTH",
            Number(1, 100_000),
            Value("1000"),
            "255",
            "Longest text, or item of a list, in characters (Unicode code points). A list has at \
             most 100 items.",
        ),
        row(
            "AUTH_FIELD_<NAME>_REQUIRED",
            Flag,
            Value("false"),
            "true",
            "Sign-up needs a value. Stricter than Better Auth, null or a blank text is none.",
        ),
        row(
            "AUTH_FIELD_<NAME>_DEFAULT",
            Text,
            Unset,
            "beginner",
            "Value if none is given; items of a list with commas between them.",
        ),
        row("AUTH_FIELD_<NAME>_INPUT", Flag, Value("true"), "false", "Clients may set it."),
        row("AUTH_FIELD_<NAME>_RETURNED", Flag, Value("true"), "false", "It is part of user and session objects."),
        row(
            "AUTH_FIELD_<NAME>_KEY",
            Text,
            Told("the name"),
            "softwareBackground",
            "Its key in requests and answers; the column keeps its name. Keys of Better Auth and its plugins, \
             as `role`, are taken.",
        ),
        row(
            "AUTH_FIELD_<NAME>_CLAIM",
            Flag,
            Told("as `RETURNED`"),
            "true",
            "It is a claim of tokens for other services.",
        ),
        row(
            "AUTH_FIELD_<NAME>_BLANK",
            Choice(&["null", "keep"]),
            Value("null"),
            "keep",
            "`null`: a blank text or empty list is stored as null, blank items of a list are \
             dropped. `keep`: stored as they are, as Better Auth does.",
        ),
    ],
};
