use super::*;
use crate::cookies::{CacheSettings, CookieSettings, RequestCookies, ResponseCookies, SessionCookies, Strategy};

/// Runs `act` for a request with the given `Cookie` header and returns the `Set-Cookie` lines.
fn lines(
    header: &str,
    cache: Option<&CacheSettings>,
    act: impl Fn(&SessionCookies<'_>, &mut ResponseCookies),
) -> Vec<String> {
    let mut response = ResponseCookies::default();
    with_cookies(header, cache, |cookies| act(cookies, &mut response));
    response.into_lines()
}

fn with_cookies<T>(header: &str, cache: Option<&CacheSettings>, act: impl FnOnce(&SessionCookies<'_>) -> T) -> T {
    let (settings, secrets, request) = (CookieSettings::default(), secrets(), RequestCookies::new([header.as_bytes()]));
    act(&SessionCookies {
        settings: &settings,
        cache,
        secrets: &secrets,
        request: &request,
        now_ms: NOW_MS,
        expires_in: 604_800,
    })
}

fn cache() -> CacheSettings {
    CacheSettings { strategy: Strategy::Compact, max_age: 300, version: "1".to_owned() }
}

/// `name` or `name-` (expired) or `name*` (without `Max-Age`) of each line, the common prefix left out.
fn summary(lines: &[String]) -> Vec<String> {
    let mark = |line: &str| match line {
        line if line.contains("=; Max-Age=0;") => "-",
        line if !line.contains("Max-Age") => "*",
        _ => "",
    };
    lines
        .iter()
        .map(|line| format!("{}{}", line.split('=').next().unwrap().trim_start_matches("better-auth."), mark(line)))
        .collect()
}

fn sign_in(header: &str, dont_remember: Option<bool>) -> Vec<String> {
    let cache = cache();
    lines(header, Some(&cache), |cookies, response| {
        cookies.set_session_cookie(response, TOKEN, dont_remember, None, Some((&object(SESSION), &object(USER))));
    })
}

fn user_with_name_of(length: usize) -> Map<String, Value> {
    let mut user = object(USER);
    user.insert("name".to_owned(), "n".repeat(length).into());
    user
}

fn write_cache(header: &str, user: &Map<String, Value>, dont_remember: bool) -> Vec<String> {
    lines(header, Some(&cache()), |cookies, response| {
        cookies.set_cookie_cache(response, &object(SESSION), user, dont_remember)
    })
}

#[test]
fn a_remembered_sign_in_sets_token_and_cache() {
    let lines = sign_in("", None);
    assert_eq!(summary(&lines), ["session_token", "session_data"]);
    assert_eq!(
        lines[0],
        format!("better-auth.session_token={SIGNED_TOKEN}; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax")
    );
    assert!(lines[1].ends_with("; Max-Age=300; Path=/; HttpOnly; SameSite=Lax"));
    assert_eq!(summary(&sign_in("", Some(false))), ["session_token", "session_data"]);
}

#[test]
fn a_sign_in_not_to_be_remembered_sets_cookies_of_the_browser_session() {
    let lines = sign_in("", Some(true));
    assert_eq!(summary(&lines), ["session_token*", "dont_remember*", "session_data*"]);
    assert_eq!(lines[1], format!("better-auth.dont_remember={SIGNED_TRUE}; Path=/; HttpOnly; SameSite=Lax"));
}

#[test]
fn a_request_not_to_be_remembered_stays_so_unless_told_otherwise() {
    let header = format!("better-auth.dont_remember={SIGNED_TRUE}");
    assert_eq!(summary(&sign_in(&header, None)), ["session_token*", "dont_remember*", "session_data*"]);
    assert_eq!(summary(&sign_in(&header, Some(false))), ["session_token", "dont_remember-", "session_data"]);
}

#[test]
fn an_unsigned_dont_remember_cookie_is_ignored() {
    for header in
        ["better-auth.dont_remember=true", "better-auth.dont_remember=true.x", "better-auth.dont_remember=\u{ff}"]
    {
        assert_eq!(summary(&sign_in(header, None)), ["session_token", "session_data"]);
        assert_eq!(summary(&sign_in(header, Some(false))), ["session_token", "session_data"]);
    }
}

#[test]
fn a_given_max_age_overrides_that_of_the_token_alone() {
    let set = |dont_remember| {
        lines("", None, |cookies, response| {
            cookies.set_session_cookie(response, TOKEN, dont_remember, Some(3_600), None)
        })
    };
    assert!(set(None)[0].contains("; Max-Age=3600;"));
    assert_eq!(summary(&set(Some(true))), ["session_token", "dont_remember*"]);
}

#[test]
fn no_cache_is_written_when_it_is_off_or_nothing_is_to_be_cached() {
    let off = lines("better-auth.session_data.0=x", None, |cookies, response| {
        cookies.set_session_cookie(response, TOKEN, None, None, Some((&object(SESSION), &object(USER))));
    });
    assert_eq!(summary(&off), ["session_token"]);
    let nothing =
        lines("", Some(&cache()), |cookies, response| cookies.set_session_cookie(response, TOKEN, None, None, None));
    assert_eq!(summary(&nothing), ["session_token"]);
}

#[test]
fn the_token_is_read_only_under_a_valid_signature_and_the_exact_name() {
    let token = |header: &str| with_cookies(header, None, |cookies| cookies.session_token());
    assert_eq!(token(&format!("better-auth.session_token={SIGNED_TOKEN}")).as_deref(), Some(TOKEN));
    assert_eq!(token(&format!("better-auth.session_token={TOKEN}")), None);
    assert_eq!(token(&format!("better-auth.session_token={}", SIGNED_TOKEN.replace("A6E", "A6F"))), None);
    assert_eq!(token(&format!("__Secure-better-auth.session_token={SIGNED_TOKEN}")), None);
    assert_eq!(token(&format!("better-auth.session_token; x={SIGNED_TOKEN}")), None);
}

#[test]
fn a_written_cache_is_read_back_whole_and_in_chunks() {
    for length in [3, 5_000, 200_000] {
        let user = user_with_name_of(length);
        let written = write_cache("", &user, false);
        assert_eq!(written.len() > 1, length > 3);
        let header: Vec<&str> = written.iter().rev().map(|line| line.split(';').next().unwrap()).collect();
        with_cookies(&header.join("; "), Some(&cache()), |cookies| {
            assert!(cookies.has_cookie_cache());
            assert!(cookies.cookie_cache().is_some_and(|cached| cached.user == user));
        });
        with_cookies(&header.join("; "), None, |cookies| {
            assert!(cookies.has_cookie_cache());
            assert!(cookies.cookie_cache().is_none());
        });
    }
    with_cookies("", Some(&cache()), |cookies| assert!(!cookies.has_cookie_cache()));
}

#[test]
fn chunked_lines_are_full_but_for_the_last() {
    let written = write_cache("", &user_with_name_of(8_000), false);
    assert_eq!(summary(&written), ["session_data.0", "session_data.1", "session_data.2"]);
    let lengths: Vec<usize> = written.iter().map(String::len).collect();
    assert_eq!(lengths[..2], [4_049, 4_049]);
    assert!(lengths[2] < 4_049);
    let dont_remember = write_cache("", &user_with_name_of(8_000), true);
    assert_eq!(summary(&dont_remember)[0], "session_data.0*");
    assert_eq!(dont_remember[0].len(), 4_049, "the budget left by the missing Max-Age is used");
}

#[test]
fn the_cut_comes_where_the_name_with_two_digits_would_be_full() {
    // The line of an uncut cookie is three bytes shorter than that of `session_data.99`, for which 4050 bytes are reserved.
    let lengths: Vec<usize> = (2_200..2_500)
        .map(|length| write_cache("", &user_with_name_of(length), false))
        .take_while(|written| written.len() == 1)
        .map(|written| written[0].len())
        .collect();
    assert!((1..300).contains(&lengths.len()), "the cut was reached");
    assert!((4_045..=4_047).contains(lengths.last().unwrap()), "{:?}", lengths.last());
}

#[test]
fn a_cache_of_more_than_a_hundred_chunks_is_left_out() {
    assert_eq!(write_cache("", &user_with_name_of(290_000), false).len(), 98);
    assert!(write_cache("", &user_with_name_of(300_000), false).is_empty());
    let stale = write_cache("better-auth.session_data.0=x", &user_with_name_of(300_000), false);
    assert_eq!(summary(&stale), ["session_data.0-"]);
}

#[test]
fn chunks_that_are_not_written_again_are_expired() {
    let header = "better-auth.session_data.1=b; other=1; better-auth.session_data.0=a; better-auth.session_data.7=c";
    assert_eq!(
        summary(&write_cache(header, &object(USER), false)),
        ["session_data.1-", "session_data.0-", "session_data.7-", "session_data"]
    );
    assert_eq!(
        summary(&write_cache(header, &user_with_name_of(8_000), false)),
        ["session_data.1", "session_data.0", "session_data.7-", "session_data.2"]
    );
    assert_eq!(
        summary(&write_cache("better-auth.session_data=x", &user_with_name_of(3_000), false)),
        ["session_data-", "session_data.0", "session_data.1"]
    );
    assert_eq!(summary(&write_cache("better-auth.session_data=x", &object(USER), false)), ["session_data"]);
}

#[test]
fn signing_out_expires_the_three_cookies() {
    let sign_out =
        |header: &str, keep| lines(header, None, |cookies, response| cookies.delete_session_cookies(response, keep));
    let lines = sign_out("", false);
    assert_eq!(
        lines,
        [
            "better-auth.session_token=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax",
            "better-auth.session_data=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax",
            "better-auth.dont_remember=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax",
        ]
    );
    assert_eq!(summary(&sign_out("", true)), ["session_token-", "session_data-"]);
    assert_eq!(
        summary(&sign_out("better-auth.session_data=x; better-auth.session_data.0=y", false)),
        ["session_token-", "session_data-", "session_data-", "session_data.0-", "dont_remember-"]
    );
}

#[test]
fn signing_out_takes_back_what_the_same_response_had_set() {
    let cache = cache();
    let lines = lines("", Some(&cache), |cookies, response| {
        cookies.set_session_cookie(
            response,
            TOKEN,
            Some(true),
            None,
            Some((&object(SESSION), &user_with_name_of(5_000))),
        );
        response.append("other=1".to_owned());
        cookies.delete_session_cookies(response, true);
    });
    assert_eq!(lines[1], "other=1");
    assert_eq!(lines.len(), 4);
    assert!(lines[0].starts_with("better-auth.dont_remember=true."));
    assert!(lines[2].starts_with("better-auth.session_token=;") && lines[3].starts_with("better-auth.session_data=;"));
}

#[test]
fn the_cache_alone_can_be_expired_or_cleaned() {
    let header = "better-auth.session_data.0=x; better-auth.session_data.1=y";
    let expired = lines(header, Some(&cache()), |cookies, response| cookies.expire_cookie_cache(response));
    assert_eq!(summary(&expired), ["session_data-"]);
    let cleaned = lines(header, None, |cookies, response| cookies.clean_cookie_cache(response));
    assert_eq!(summary(&cleaned), ["session_data.0-", "session_data.1-"]);
    assert!(lines("a=1", None, |cookies, response| cookies.clean_cookie_cache(response)).is_empty());
}

#[test]
fn on_https_every_cookie_is_prefixed_and_secure() {
    let settings = CookieSettings { secure: true, ..CookieSettings::default() };
    let (secrets, request, cache) = (secrets(), RequestCookies::default(), cache());
    let cookies = SessionCookies {
        settings: &settings,
        cache: Some(&cache),
        secrets: &secrets,
        request: &request,
        now_ms: NOW_MS,
        expires_in: 604_800,
    };
    let mut response = ResponseCookies::default();
    cookies.set_session_cookie(&mut response, TOKEN, Some(true), None, Some((&object(SESSION), &object(USER))));
    cookies.delete_session_cookies(&mut response.clone(), false);
    assert_eq!(response.lines().len(), 3);
    for line in response.lines() {
        assert!(
            line.starts_with("__Secure-better-auth.") && line.ends_with("; Path=/; HttpOnly; Secure; SameSite=Lax"),
            "{line}"
        );
    }
}
