//! `auth-sidecar types`: the declared fields as the site and the backend import them.

use std::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};

use crate::config::Config;
use crate::fields::{Field, FieldType};

/// For which language.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct Language {
    /// TypeScript, for `inferAdditionalFields` and for forms
    #[arg(long)]
    ts: bool,
    /// Pydantic, the claims of a token
    #[arg(long)]
    pydantic: bool,
}

/// The text of the file.
#[must_use]
pub fn types(config: &Config, language: &Language) -> String {
    if language.ts { typescript(&config.fields.user, &config.fields.session) } else { pydantic(config) }
}

fn typescript(user: &[Field], session: &[Field]) -> String {
    let mut text = "// Printed by `auth-sidecar types --ts`; do not edit.\n\n".to_owned();
    text.push_str("/** The declared fields of a user, for `inferAdditionalFields` in the client. */\n");
    text.push_str(&inferred("userFields", user));
    if !session.is_empty() {
        text.push_str("\n/** The declared fields of a session, likewise. */\n");
        text.push_str(&inferred("sessionFields", session));
    }
    text.push_str("\n/** What a form needs to know about each field. */\nexport const userFieldRules = {\n");
    for field in user.iter().filter(|field| field.input) {
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(text, "  {}: {{ maxLength: {}, values: {} }},", field.key, field.max_length, {
            field.values.as_ref().map_or_else(|| "null".to_owned(), |values| format!("[{}]", quoted(values, ", ")))
        });
    }
    text.push_str("} as const;\n\nexport interface UserFields {\n");
    for field in user.iter().filter(|field| field.returned) {
        let one = match (&field.values, field.kind) {
            (Some(values), _) => quoted(values, " | "),
            (None, FieldType::Number) => "number".to_owned(),
            (None, FieldType::Boolean) => "boolean".to_owned(),
            (None, _) => "string".to_owned(),
        };
        let kind = if field.kind == FieldType::StringList { format!("({one})[]") } else { one };
        let (mark, null) = if field.required { ("", "") } else { ("?", " | null") };
        let _ = writeln!(text, "  {}{mark}: {kind}{null};", field.key);
    }
    text.push_str("}\n");
    text
}

/// Upstream's `additionalFields`, as far as its types need them.
fn inferred(name: &str, fields: &[Field]) -> String {
    let mut text = format!("export const {name} = {{\n");
    for field in fields {
        let kind = match field.kind {
            FieldType::String => "string",
            FieldType::StringList => "string[]",
            FieldType::Number => "number",
            FieldType::Boolean => "boolean",
        };
        let _ = write!(text, "  {}: {{ type: \"{kind}\", required: {}", field.key, field.required);
        for (name, value) in [("input", field.input), ("returned", field.returned)] {
            if !value {
                let _ = write!(text, ", {name}: false");
            }
        }
        text.push_str(" },\n");
    }
    text.push_str("} as const;\n");
    text
}

/// Words Python keeps to itself, and names of pydantic's own.
const TAKEN_IN_PYTHON: &[&str] = &[
    "and",
    "as",
    "assert",
    "async",
    "await",
    "break",
    "class",
    "continue",
    "def",
    "del",
    "elif",
    "else",
    "except",
    "finally",
    "for",
    "from",
    "global",
    "if",
    "import",
    "in",
    "is",
    "lambda",
    "nonlocal",
    "not",
    "or",
    "pass",
    "raise",
    "return",
    "try",
    "while",
    "with",
    "yield",
    "construct",
    "copy",
    "dict",
    "json",
    "schema",
    "validate",
    "bool",
    "datetime",
    "float",
    "int",
    "list",
    "str",
];

/// A user's own members: key, attribute, type and whether it may be null.
const MEMBERS: &[(&str, &str, &str, bool)] = &[
    ("id", "id", "str", false),
    ("name", "name", "str", false),
    ("email", "email", "str", false),
    ("emailVerified", "email_verified", "bool", false),
    ("image", "image", "str", true),
    ("createdAt", "created_at", "datetime", false),
    ("updatedAt", "updated_at", "datetime", false),
];

fn pydantic(config: &Config) -> String {
    let mut lines: Vec<String> =
        ["sub: str", "iss: str", "aud: str", "iat: int", "exp: int"].map(str::to_owned).to_vec();
    let payload = config.plugins.jwt.as_ref().and_then(|settings| settings.payload.as_ref());
    for (key, attribute, kind, null) in MEMBERS {
        if payload.is_none_or(|payload| payload.iter().any(|member| member == key)) {
            lines.push(attribute_line(attribute, key, kind, *null));
        }
    }
    for field in config.fields.user.iter().filter(|field| field.claim) {
        let one = match (&field.values, field.kind) {
            (Some(values), _) => format!("Literal[{}]", quoted(values, ", ")),
            (None, FieldType::Number) => "float".to_owned(),
            (None, FieldType::Boolean) => "bool".to_owned(),
            (None, _) => "str".to_owned(),
        };
        let kind = if field.kind == FieldType::StringList { format!("list[{one}]") } else { one };
        let taken = TAKEN_IN_PYTHON.contains(&field.name.as_str()) || field.name.starts_with("model_");
        let attribute = if taken { format!("{}_", field.name) } else { field.name.clone() };
        lines.push(attribute_line(&attribute, &field.key, &kind, !field.required));
    }
    let uses = |word: &str| lines.iter().any(|line| line.contains(word));
    let mut text = "# Printed by `auth-sidecar types --pydantic`; do not edit.\n\n".to_owned();
    for (wanted, import) in
        [(uses(": datetime"), "from datetime import datetime\n"), (uses("Literal["), "from typing import Literal\n")]
    {
        text.push_str(if wanted { import } else { "" });
    }
    let field = if uses("Field(") { ", Field" } else { "" };
    let _ = write!(
        text,
        "\nfrom pydantic import BaseModel, ConfigDict{field}\n\n\n\
         class UserClaims(BaseModel):\n    \
         \"\"\"What a token of auth-sidecar says about a user.\"\"\"\n\n    \
         model_config = ConfigDict(extra=\"ignore\", populate_by_name=True)\n\n"
    );
    for line in lines {
        let _ = writeln!(text, "    {line}");
    }
    text
}

fn attribute_line(attribute: &str, key: &str, kind: &str, null: bool) -> String {
    let alias = json!(key);
    match (attribute == key, null) {
        (true, false) => format!("{attribute}: {kind}"),
        (true, true) => format!("{attribute}: {kind} | None = None"),
        (false, false) => format!("{attribute}: {kind} = Field(alias={alias})"),
        (false, true) => format!("{attribute}: {kind} | None = Field(default=None, alias={alias})"),
    }
}

/// Texts as literals, which have one form in JSON, TypeScript and Python.
fn quoted(values: &[String], separator: &str) -> String {
    values.iter().map(|value| Value::from(value.as_str()).to_string()).collect::<Vec<_>>().join(separator)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::OnlyLooking;

    fn printed(vars: &[(&str, &str)], ts: bool) -> String {
        let vars = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let config = Config::from_env(vars, &OnlyLooking).unwrap();
        types(&config, &Language { ts, pydantic: !ts })
    }

    const DECLARED: &[(&str, &str)] = &[
        ("AUTH_USER_FIELDS", "class,plan,age,tags"),
        ("AUTH_FIELD_CLASS_REQUIRED", "true"),
        ("AUTH_FIELD_PLAN_INPUT", "false"),
        ("AUTH_FIELD_PLAN_VALUES", "free,\"paid\" up"),
        ("AUTH_FIELD_AGE_TYPE", "number"),
        ("AUTH_FIELD_AGE_RETURNED", "false"),
        ("AUTH_FIELD_TAGS_TYPE", "string[]"),
        ("AUTH_FIELD_TAGS_VALUES", "a,b"),
        ("AUTH_FIELD_SOFTWARE_BACKGROUND_KEY", "softwareBackground"),
        ("AUTH_SESSION_FIELDS", "theme"),
        ("AUTH_JWT_PAYLOAD", "email"),
    ];

    #[test]
    fn typescript_has_what_client_and_forms_need() {
        assert_eq!(
            printed(DECLARED, true),
            r#"// Printed by `auth-sidecar types --ts`; do not edit.

/** The declared fields of a user, for `inferAdditionalFields` in the client. */
export const userFields = {
  softwareBackground: { type: "string", required: false },
  hardware_background: { type: "string", required: false },
  class: { type: "string", required: true },
  plan: { type: "string", required: false, input: false },
  age: { type: "number", required: false, returned: false },
  tags: { type: "string[]", required: false },
} as const;

/** The declared fields of a session, likewise. */
export const sessionFields = {
  theme: { type: "string", required: false },
} as const;

/** What a form needs to know about each field. */
export const userFieldRules = {
  softwareBackground: { maxLength: 1000, values: null },
  hardware_background: { maxLength: 1000, values: null },
  class: { maxLength: 1000, values: null },
  age: { maxLength: 1000, values: null },
  tags: { maxLength: 1000, values: ["a", "b"] },
} as const;

export interface UserFields {
  softwareBackground?: string | null;
  hardware_background?: string | null;
  class: string;
  plan?: "free" | "\"paid\" up" | null;
  tags?: ("a" | "b")[] | null;
}
"#
        );
    }

    #[test]
    fn pydantic_has_the_claims_of_a_token() {
        assert_eq!(
            printed(DECLARED, false),
            r#"# Printed by `auth-sidecar types --pydantic`; do not edit.

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class UserClaims(BaseModel):
    """What a token of auth-sidecar says about a user."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    sub: str
    iss: str
    aud: str
    iat: int
    exp: int
    email: str
    software_background: str | None = Field(default=None, alias="softwareBackground")
    hardware_background: str | None = None
    class_: str = Field(alias="class")
    plan: Literal["free", "\"paid\" up"] | None = None
    tags: list[Literal["a", "b"]] | None = None
"#
        );
    }
}
