use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use proptest::prelude::*;

use super::{store::MAX_ENTRIES, *};
use crate::client_ip::{ClientIpSettings, client_ip};

const NOW: i64 = 1_790_000_000_000;
const IP: Option<&str> = Some("203.0.113.7");

fn limiter(custom: &str) -> RateLimiter {
    let rules = custom.split(',').filter(|rule| !rule.is_empty());
    let custom = rules.map(|rule| parse_custom_rule(rule).unwrap()).collect();
    RateLimiter::new(RateLimitSettings { custom, ..RateLimitSettings::default() })
}

#[test]
fn the_built_in_rules_are_upstreams() {
    let limiter = limiter("");
    let cases = [
        ("/sign-in/email", 10, 3),
        ("/sign-in/no-such-route", 10, 3),
        ("/sign-in", 10, 3),
        ("/sign-upward", 10, 3),
        ("/sign-up/email", 10, 3),
        ("/change-password", 10, 3),
        ("/change-email", 10, 3),
        ("/request-password-reset", 60, 3),
        ("/request-password-reset/x", 10, 100),
        ("/send-verification-email", 60, 3),
        ("/send-verification-emails", 10, 100),
        ("/forget-password/email-otp", 60, 3),
        ("/email-otp/send-verification-otp", 60, 3),
        ("/email-otp/request-password-reset", 60, 3),
        ("/email-otp/verify-email", 10, 100),
        ("/get-session", 10, 100),
        ("/", 10, 100),
        ("//sign-in/email", 10, 100),
        ("/SIGN-IN/email", 10, 100),
    ];
    for (path, window, max) in cases {
        assert_eq!(limiter.rule_for(path), Some(Rule { window, max }), "{path}");
    }
}

#[test]
fn rules_of_plugins_override_the_built_in_ones_and_yield_to_custom_ones() {
    let plugin = |path, max| PluginRule { path, rule: Rule { window: 60, max } };
    let plugins = vec![plugin(PathMatch::Prefix("/sign-in/magic-link"), 5), plugin(PathMatch::Exact("/verify"), 7)];
    let limiter = limiter("/verify/x=9/9,/sign-in/magic-link/y=off").with_plugins(plugins);
    let rule = |max, window| Some(Rule { window, max });
    assert_eq!(limiter.rule_for("/sign-in/magic-link"), rule(5, 60));
    assert_eq!(limiter.rule_for("/sign-in/magic-links"), rule(5, 60));
    assert_eq!(limiter.rule_for("/sign-in/magic-link/y"), None);
    assert_eq!(limiter.rule_for("/sign-in/email"), rule(3, 10));
    assert_eq!(limiter.rule_for("/verify"), rule(7, 60));
    assert_eq!(limiter.rule_for("/verify/x"), rule(9, 9));
    assert_eq!(limiter.rule_for("/verify/y"), rule(100, 10));
}

#[test]
fn custom_rules_override_the_built_in_ones_and_the_first_match_wins() {
    let limiter = limiter("/list-sessions=1/3, /ok=off, /sign-in/*=20/60, /sign-in/email=1/1, /a?=5/5, /x?*=6/6");
    let rule = |max, window| Some(Rule { window, max });
    assert_eq!(limiter.rule_for("/list-sessions"), rule(1, 3));
    assert_eq!(limiter.rule_for("/ok"), None);
    assert_eq!(limiter.rule_for("/sign-in/email"), rule(20, 60));
    assert_eq!(limiter.rule_for("/sign-in/a/b"), rule(3, 10));
    assert_eq!(limiter.rule_for("/sign-up/email"), rule(3, 10));
    assert_eq!(limiter.rule_for("/ab"), rule(100, 10), "a lone question mark is no wildcard");
    assert_eq!(limiter.rule_for("/a?"), rule(5, 5));
    assert_eq!(limiter.rule_for("/xyz"), rule(6, 6));
    for _ in 0..1000 {
        assert_eq!(limiter.check(IP, "/ok", NOW), Ok(()));
    }
    assert!(limiter.is_empty());
}

#[test]
fn a_limiter_switched_off_limits_nothing() {
    let limiter = RateLimiter::new(RateLimitSettings { enabled: false, ..RateLimitSettings::default() });
    assert_eq!(limiter.rule_for("/sign-in/email"), None);
    for _ in 0..10 {
        assert_eq!(limiter.check(IP, "/sign-in/email", NOW), Ok(()));
    }
    assert!(limiter.is_empty());
}

#[test]
fn custom_rules_are_read_from_text() {
    let limit = |max, window| CustomRule::Limit(Rule { window, max });
    for (text, path, rule) in [
        ("/list-sessions=1/3", "/list-sessions", limit(1, 3)),
        ("/ok=off", "/ok", CustomRule::Off),
        (" /ok = off ", "/ok", CustomRule::Off),
        ("/a=b= 2 / 4", "/a=b", limit(2, 4)),
        ("*/x=1/1", "*/x", limit(1, 1)),
        ("/x=4294967295/4294967295", "/x", limit(u32::MAX, u32::MAX)),
    ] {
        assert_eq!(parse_custom_rule(text), Ok((path.to_owned(), rule)), "{text}");
    }
}

#[test]
fn a_malformed_rule_is_told_what_is_wrong_with_it() {
    for (text, problem) in [
        ("", "is no rule; write PATH=MAX/SECONDS or PATH=off"),
        ("/a", "is no rule; write PATH=MAX/SECONDS or PATH=off"),
        ("/b=", "has no limit; write PATH=MAX/SECONDS or PATH=off"),
        ("/c=1", "has no limit; write PATH=MAX/SECONDS or PATH=off"),
        ("/d=OFF", "has no limit; write PATH=MAX/SECONDS or PATH=off"),
        ("/e=x/1", "has a MAX that is no whole number"),
        ("/f=-1/1", "has a MAX that is no whole number"),
        ("/g=4294967296/1", "has a MAX that is no whole number"),
        ("/h=1/y", "has SECONDS that are no whole number"),
        ("/i=1/1/1", "has SECONDS that are no whole number"),
        ("/j=0/1", "has a 0 in it; to lift a limit, write PATH=off"),
        ("/k=1/0", "has a 0 in it; to lift a limit, write PATH=off"),
        ("ok=off", "has a path that does not start with /"),
        ("=1/1", "has a path that does not start with /"),
    ] {
        assert_eq!(parse_custom_rule(text), Err(problem.to_owned()), "{text}");
    }
}

#[test]
fn the_fourth_request_in_a_window_is_refused_and_not_counted() {
    let limiter = limiter("");
    let path = "/sign-in/email";
    for at in [0, 1000, 2000] {
        assert_eq!(limiter.check(IP, path, NOW + at), Ok(()));
    }
    // The window runs from the last accepted request, at 2000 ms.
    assert_eq!(limiter.check(IP, path, NOW + 2000), Err(RetryAfter(10)));
    assert_eq!(limiter.check(IP, path, NOW + 2001), Err(RetryAfter(10)));
    assert_eq!(limiter.check(IP, path, NOW + 3000), Err(RetryAfter(9)));
    assert_eq!(limiter.check(IP, path, NOW + 11_999), Err(RetryAfter(1)));
    for _ in 0..3 {
        assert_eq!(limiter.check(IP, path, NOW + 12_000), Ok(()));
    }
    assert_eq!(limiter.check(IP, path, NOW + 12_000), Err(RetryAfter(10)));
}

#[test]
fn slow_requests_add_up_until_a_quiet_window() {
    let limiter = limiter("");
    for at in [0, 9_999, 19_998] {
        assert_eq!(limiter.check(IP, "/sign-in/email", NOW + at), Ok(()));
    }
    assert_eq!(limiter.check(IP, "/sign-in/email", NOW + 29_997), Err(RetryAfter(1)));
    assert_eq!(limiter.check(IP, "/sign-in/email", NOW + 29_998), Ok(()));
}

#[test]
fn clients_and_paths_have_buckets_of_their_own() {
    let limiter = limiter("");
    for _ in 0..3 {
        assert_eq!(limiter.check(IP, "/sign-in/email", NOW), Ok(()));
    }
    assert_eq!(limiter.check(IP, "/sign-in/email", NOW), Err(RetryAfter(10)));
    assert_eq!(limiter.check(IP, "/sign-in/social", NOW), Ok(()));
    assert_eq!(limiter.check(Some("203.0.113.8"), "/sign-in/email", NOW), Ok(()));
    assert_eq!(limiter.len(), 3);
}

#[test]
fn unknown_clients_share_one_bucket() {
    let limiter = limiter("");
    for client in [None, Some("no-trusted-ip"), None] {
        assert_eq!(limiter.check(client, "/sign-up/email", NOW), Ok(()));
    }
    assert_eq!(limiter.check(None, "/sign-up/email", NOW), Err(RetryAfter(10)));
}

#[test]
fn four_addresses_of_one_subnet_are_one_client() {
    let limiter = limiter("");
    let answers = ["2001:db8::1", "2001:DB8:0:0::2", "2001:0db8:0:0:ffff::3", "2001:db8::1:2:3:4"].map(|address| {
        let ip = client_ip(&ClientIpSettings::default(), |_| Some(address.to_owned()));
        limiter.check(ip.as_deref(), "/sign-in/email", NOW)
    });
    assert_eq!(answers, [Ok(()), Ok(()), Ok(()), Err(RetryAfter(10))]);
}

#[test]
fn path_spellings_of_one_route_are_one_bucket() {
    for (path, expected) in [
        ("/api/auth/sign-in/email", "/sign-in/email"),
        ("/api/auth/sign-in/email/", "/sign-in/email"),
        ("/api/auth/sign-in/email///", "/sign-in/email"),
        ("/api/auth//sign-in/email", "//sign-in/email"),
        ("//api/auth/sign-in/email", "//api/auth/sign-in/email"),
        ("/api/auth", "/"),
        ("/api/auth/", "/"),
        ("/api/authx/ok", "/api/authx/ok"),
        ("/", "/"),
        ("", "/"),
    ] {
        assert_eq!(normalize_pathname(path, "/api/auth"), expected, "{path}");
        assert_eq!(normalize_pathname(path, "/api/auth/"), expected, "{path}");
    }
    assert_eq!(normalize_pathname("/sign-in/email/", "/"), "/sign-in/email");
    assert_eq!(normalize_pathname("/sign-in/email/", ""), "/sign-in/email");
}

#[test]
fn of_fifty_threads_exactly_three_pass() {
    let limiter = limiter("");
    let passed = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                if limiter.check(IP, "/sign-in/email", NOW).is_ok() {
                    passed.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(passed.into_inner(), 3);
}

#[test]
fn a_million_keys_stay_within_bounds() {
    let limiter = limiter("");
    for number in 0..1_000_000_i64 {
        let _ = limiter.check(IP, &format!("/{number}"), NOW + number / 1000);
    }
    assert!(limiter.len() <= MAX_ENTRIES, "{} counters", limiter.len());
    assert!(limiter.len() > MAX_ENTRIES * 9 / 10, "{} counters", limiter.len());
    let bytes = limiter.store.approximate_bytes();
    assert!(bytes < 16 << 20, "{bytes} bytes");
}

#[test]
fn the_length_of_a_path_costs_no_memory() {
    let limiter = limiter("");
    let long = "x".repeat(60_000);
    for number in 0..100 {
        assert_eq!(limiter.check(IP, &format!("/{number}{long}"), NOW), Ok(()));
    }
    assert!(limiter.store.approximate_bytes() < 100_000);
}

#[test]
fn expired_counters_are_dropped_as_requests_come() {
    let limiter = limiter("");
    for number in 0..20_000 {
        assert_eq!(limiter.check(IP, &format!("/{number}"), NOW), Ok(()));
    }
    assert_eq!(limiter.len(), 20_000);
    for number in 0..2000 {
        assert_eq!(limiter.check(IP, &format!("/{number}"), NOW + 10_000), Ok(()));
    }
    assert_eq!(limiter.len(), 2000);
}

#[test]
fn a_flood_of_new_keys_frees_nobody_from_a_refusal() {
    let limiter = limiter("");
    for _ in 0..3 {
        assert_eq!(limiter.check(IP, "/sign-in/email", NOW), Ok(()));
    }
    for number in 0..2 * MAX_ENTRIES {
        let _ = limiter.check(IP, &format!("/sign-in/{number}"), NOW + 1);
    }
    assert_eq!(limiter.check(IP, "/sign-in/email", NOW + 2), Err(RetryAfter(10)));
    assert!(limiter.len() <= MAX_ENTRIES);
}

#[test]
fn a_store_full_of_refusals_still_takes_new_keys() {
    let limiter = limiter("/x/*=1/10");
    for number in 0..2 * MAX_ENTRIES {
        assert_eq!(limiter.check(IP, &format!("/x/{number}"), NOW), Ok(()));
    }
    assert!(limiter.len() <= MAX_ENTRIES);
    assert_eq!(limiter.check(IP, "/sign-in/email", NOW), Ok(()));
}

#[test]
fn extreme_times_and_rules_do_not_overflow() {
    let custom = vec![("/x".to_owned(), CustomRule::Limit(Rule { window: u32::MAX, max: 1 }))];
    let limiter = RateLimiter::new(RateLimitSettings { custom, ..RateLimitSettings::default() });
    assert_eq!(limiter.check(IP, "/x", 0), Ok(()));
    assert_eq!(limiter.check(IP, "/x", 0), Err(RetryAfter(u64::from(u32::MAX))));
    assert_eq!(limiter.check(IP, "/x", i64::MAX), Ok(()));
    assert_eq!(limiter.check(IP, "/x", i64::MIN), Err(RetryAfter(9_223_372_036_854_776)));
}

#[test]
fn a_clock_set_back_prolongs_a_refusal_and_does_not_lift_it() {
    let limiter = limiter("");
    for _ in 0..3 {
        assert_eq!(limiter.check(IP, "/sign-in/email", NOW), Ok(()));
    }
    assert_eq!(limiter.check(IP, "/sign-in/email", NOW - 5000), Err(RetryAfter(15)));
}

/// Upstream's `decideConsume`, kept as it is written there.
#[derive(Default)]
struct Reference(HashMap<(u8, u8), (u32, i64)>);

impl Reference {
    fn consume(&mut self, key: (u8, u8), rule: Rule, now: i64) -> Result<(), RetryAfter> {
        let window = i64::from(rule.window) * 1000;
        match self.0.get_mut(&key) {
            None => drop(self.0.insert(key, (1, now))),
            Some(data) if now - data.1 >= window => *data = (1, now),
            Some(data) if data.0 >= rule.max => {
                let left = data.1 + window - now;
                return Err(RetryAfter(u64::try_from((left + 999).div_euclid(1000)).unwrap()));
            }
            Some(data) => *data = (data.0 + 1, now),
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn decisions_are_upstreams(
        requests in proptest::collection::vec((0..3_u8, 0..3_u8, 0..6000_i64), 1..200),
        window in 1..20_u32,
        max in 1..6_u32,
    ) {
        let custom = vec![("/p/1".to_owned(), CustomRule::Limit(Rule { window: 3, max: 1 }))];
        let limiter = RateLimiter::new(RateLimitSettings { enabled: true, window, max, custom });
        let (mut reference, mut now) = (Reference::default(), NOW);
        for (client, path, pause) in requests {
            now += pause;
            let rule = if path == 1 { Rule { window: 3, max: 1 } } else { Rule { window, max } };
            let decision = limiter.check(Some(&format!("10.0.0.{client}")), &format!("/p/{path}"), now);
            prop_assert_eq!(decision, reference.consume((client, path), rule, now));
        }
    }
}
