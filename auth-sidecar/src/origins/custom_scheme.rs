//! URLs of app schemes such as `myapp://` and `exp://`, split as text (upstream `auth/trusted-origins.mjs`,
//! `parseCustomSchemeOrigin` and `normalizePath`).

use percent_encoding::percent_decode_str;

/// Scheme, authority and path of a URL or of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CustomScheme {
    /// Lower case, without the colon.
    pub(super) scheme: String,
    /// Lower case; empty when there is none.
    pub(super) authority: String,
    /// Percent-decoded, dot segments resolved; empty for none and for the root.
    pub(super) path: String,
}

impl CustomScheme {
    /// Splits a URL. `None` with a control character or without a scheme.
    pub(super) fn parse(url: &str) -> Option<Self> {
        Self::split(url, &['/', '?', '#'], &['?', '#'])
    }

    /// Splits a wildcard pattern, in which `?` is a wildcard and starts no query.
    pub(super) fn parse_glob(pattern: &str) -> Option<Self> {
        Self::split(pattern, &['/', '#'], &['#'])
    }

    fn split(value: &str, authority_end: &[char], path_end: &[char]) -> Option<Self> {
        if value.contains(char::is_control) {
            return None;
        }
        let (scheme, rest) = value.split_once(':').filter(|(scheme, _)| !scheme.is_empty())?;
        let (authority, rest) = match rest.strip_prefix("//") {
            Some(rest) => rest.find(authority_end).and_then(|end| rest.split_at_checked(end)).unwrap_or((rest, "")),
            None => ("", rest),
        };
        let path = rest.split(path_end).next().unwrap_or(rest);
        Some(Self { scheme: scheme.to_lowercase(), authority: authority.to_lowercase(), path: normalize_path(path) })
    }
}

/// Decodes first and resolves `.` and `..` after, so that `/cb/%2e%2e/evil` does not pass for something below `/cb`.
fn normalize_path(path: &str) -> String {
    let decoded = decode_uri_component(path).unwrap_or_else(|| path.to_owned());
    let mut segments = Vec::new();
    for segment in decoded.split('/') {
        match segment {
            ".." => {
                segments.pop();
            }
            "." | "" => {}
            _ => segments.push(segment),
        }
    }
    segments.iter().map(|segment| format!("/{segment}")).collect()
}

/// ECMAScript `decodeURIComponent`: `None`, where that throws, for a bad escape or for bytes that are not UTF-8.
fn decode_uri_component(text: &str) -> Option<String> {
    let escapes_are_whole = text.split('%').skip(1).all(|after| {
        let mut digits = after.chars();
        [digits.next(), digits.next()].iter().all(|digit| digit.is_some_and(|digit| digit.is_ascii_hexdigit()))
    });
    if !escapes_are_whole {
        return None;
    }
    percent_decode_str(text).decode_utf8().ok().map(String::from)
}
