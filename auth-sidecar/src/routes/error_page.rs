//! `GET /error`: where a failed redirect flow ends (upstream `api/routes/error`).

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS};
use serde_json::Value;

use super::{Answer, AnswerBody};
use crate::context::Context;
use crate::error::ApiError;
use crate::links::append_query;

/// Nothing may be loaded or run; the page's own style is allowed by its hash-free `style-src`.
const CSP: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Redirects to the configured error page; without one, to `/` in production, and shows a page of
/// its own in dev mode.
///
/// # Errors
/// Never.
pub async fn error(cx: &mut Context) -> Result<Answer, ApiError> {
    let given = |key: &str| match cx.query.get(key) {
        Some(Value::Array(values)) => values.first().and_then(Value::as_str),
        other => other.and_then(Value::as_str),
    };
    let code = given("error").filter(|code| is_code(code)).unwrap_or("UNKNOWN");
    let description = given("error_description").filter(|text| !text.is_empty());

    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("error", code);
    if let Some(description) = description {
        query.append_pair("error_description", description);
    }
    let query = query.finish();
    let http = &cx.app.config.http;
    let target = match &http.error_url {
        Some(url) => append_query(url, &query),
        None if cx.app.config.dev => None,
        None => Some(format!("/?{query}")),
    };
    if let Some(to) = target {
        return Ok(Answer { status: StatusCode::FOUND, body: AnswerBody::Redirect { to, json_type: false } });
    }
    let page = page(code, description);
    cx.set_header(CONTENT_SECURITY_POLICY, CSP);
    cx.set_header(X_CONTENT_TYPE_OPTIONS, "nosniff");
    Ok(Answer { status: StatusCode::OK, body: AnswerBody::Html(page) })
}

/// Upstream's `/^['A-Za-z0-9_-]+$/`.
fn is_code(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '\'' | '_' | '-'))
}

fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
        out
    })
}

fn page(code: &str, description: Option<&str>) -> String {
    let code = escape(code);
    let description = description
        .map_or_else(|| "Something went wrong while signing you in. Please go back and try again.".to_owned(), escape);
    format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="UTF-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Error</title>
<style>
:root {{ color-scheme: light dark; font-family: system-ui, sans-serif; }}
main {{ max-width: 28rem; margin: 20vh auto 0; padding: 1rem; }}
code {{ font-size: 1rem; overflow-wrap: anywhere; }}
</style>
</head>
<body>
<main>
<h1>Error</h1>
<p>{description}</p>
<p>Code: <code>{code}</code></p>
</main>
</body>
</html>
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_code_and_description_is_never_emitted() {
        assert!(!is_code("<script>alert(1)</script>"));
        assert!(!is_code(""));
        assert!(is_code("access_denied"));
        let page = page("x", Some("<img src=x onerror=alert(1)> & \"quotes\""));
        assert!(page.contains("&lt;img src=x onerror=alert(1)&gt; &amp; &quot;quotes&quot;"));
        assert!(!page.contains("<img"));
    }
}
