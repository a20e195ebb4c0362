//! Composing addresses (upstream `@better-auth/core/utils/url`).

use url::Url;

/// An origin no request can have, to resolve relative addresses against.
const REFERENCE_ORIGIN: &str = "https://reference.invalid";

/// Appends a query text to an absolute or root-relative address, before its fragment; the existing
/// query is kept as it is. `None` when `input` is neither (upstream `appendQueryParams` throws).
///
/// This only composes: untrusted input must have been checked.
#[must_use]
pub fn append_query(input: &str, query: &str) -> Option<String> {
    if input.starts_with("//") || input.starts_with("/\\") {
        return None;
    }
    if query.is_empty() {
        return Some(input.to_owned());
    }
    let relative = input.starts_with('/');
    let base = Url::parse(REFERENCE_ORIGIN).ok()?;
    let mut url = if relative { base.join(input).ok()? } else { Url::parse(input).ok()? };
    let joined = match url.query() {
        None | Some("") => query.to_owned(),
        Some(old) if old.ends_with('&') => format!("{old}{query}"),
        Some(old) => format!("{old}&{query}"),
    };
    url.set_query(Some(&joined));
    let whole = url.to_string();
    if relative { whole.strip_prefix(REFERENCE_ORIGIN).map(str::to_owned) } else { Some(whole) }
}

/// Sets a member of an address's query as `URLSearchParams.set` does: the first of that name gets the
/// value, the others go, a new one comes last.
#[must_use]
pub fn set_query(mut url: Url, key: &str, value: &str) -> String {
    let mut members: Vec<(String, String)> = Vec::new();
    let mut found = false;
    for (name, old) in url.query_pairs() {
        if name != key {
            members.push((name.into_owned(), old.into_owned()));
        } else if !found {
            members.push((key.to_owned(), value.to_owned()));
            found = true;
        }
    }
    if !found {
        members.push((key.to_owned(), value.to_owned()));
    }
    url.query_pairs_mut().clear().extend_pairs(members);
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_a_query_member_keeps_its_place_and_drops_its_twins() {
        let set = |url: &str| set_query(Url::parse(url).unwrap(), "error", "X");
        assert_eq!(set("https://h.example/x?error=1&b=2&error=3&c=#t"), "https://h.example/x?error=X&b=2&c=#t");
        assert_eq!(set("https://h.example/x?b=2"), "https://h.example/x?b=2&error=X");
        assert_eq!(set("https://h.example/x"), "https://h.example/x?error=X");
    }

    #[test]
    fn the_query_goes_before_the_fragment_and_keeps_what_is_there() {
        assert_eq!(append_query("/a", "e=1").as_deref(), Some("/a?e=1"));
        assert_eq!(append_query("/a?x=%20y#top", "e=1").as_deref(), Some("/a?x=%20y&e=1#top"));
        assert_eq!(append_query("https://h.example/a#t", "e=1").as_deref(), Some("https://h.example/a?e=1#t"));
        assert_eq!(append_query("//evil.example", "e=1"), None);
        assert_eq!(append_query("relative", "e=1"), None);
    }
}
