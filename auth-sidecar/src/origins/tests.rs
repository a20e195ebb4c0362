use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const BASE: &str = "http://localhost:4100";

fn trusting(patterns: &[&str]) -> TrustedOrigins {
    TrustedOrigins::new(patterns.iter().map(|&pattern| pattern.to_owned()))
}

/// The trusted origins of the attack list, compiled once for the thousands of random cases.
fn attacked() -> TrustedOrigins {
    static ATTACKED: LazyLock<TrustedOrigins> =
        LazyLock::new(|| trusting(&[BASE, "https://app.example.com", "https://*.preview.example.com"]));
    ATTACKED.clone()
}

fn assert_callbacks(trusted: &TrustedOrigins, expected: bool, urls: &[&str]) {
    for url in urls {
        assert_eq!(trusted.trusts_callback(url), expected, "{url:?}");
    }
}

mod urls {
    use super::*;

    #[test]
    fn the_recorded_urls_are_accepted() {
        let urls = [
            "/dash",
            "/dash?x=1#y",
            "/a/../b",
            "/a//b",
            "/a b",
            "/@evil",
            "/a?u=//evil.com",
            "/a?x=%2f",
            "http://localhost:4100/x",
            "http://LOCALHOST:4100/x",
            "http://user@localhost:4100/",
        ];
        assert_callbacks(&trusting(&[BASE]), true, &urls);
    }

    #[test]
    fn the_recorded_untrusted_urls_are_refused() {
        let urls = [
            "dash",
            "//evil.com",
            "/\\evil.com",
            "/%2fevil",
            "/%5cevil",
            "/a%2Fb?x",
            "/\tx",
            "http://localhost:4100.evil.com",
            "https://localhost:4100/x",
            "javascript:alert(1)",
        ];
        assert_callbacks(&trusting(&[BASE]), false, &urls);
    }

    #[test]
    fn disguised_protocol_relative_urls_are_refused() {
        let urls =
            ["//evil.com", "/\\evil.com", "\\\\evil.com", "/%2fevil.com", "/%5Cevil.com", "///evil.com", "/a\\b"];
        assert_callbacks(&attacked(), false, &urls);
    }

    #[test]
    fn lookalikes_of_a_trusted_origin_are_refused() {
        let urls = [
            "https://app.example.com@evil.com/",
            "https://app.example.com.evil.com",
            "https://app.example.com:444",
            "http://app.example.com",
            "https://app.example.com\\@evil.com:444",
            "https://evil.com#app.example.com",
            "https://app.example.com.",
            "//app.example.com",
        ];
        assert_callbacks(&attacked(), false, &urls);
        assert_callbacks(&attacked(), true, &["https://app.example.com", "https://app.example.com:443/a?b#c"]);
    }

    #[test]
    fn control_characters_are_refused_in_relative_and_absolute_urls() {
        let urls = [
            "/\t/evil.com",
            " //evil.com",
            "/x\r\nSet-Cookie:a=b",
            "/x\0",
            "/x\u{7f}",
            "/x\u{85}",
            "/x?\n",
            "/x#\u{9f}",
            "https://app.example.com/x\r\nSet-Cookie:a=b",
            "https://app.exa\tmple.com/",
            "\nhttps://app.example.com/",
        ];
        assert_callbacks(&attacked(), false, &urls);
    }

    #[test]
    fn urls_of_other_schemes_and_bare_paths_are_refused() {
        let urls = [
            "javascript:alert(1)",
            "data:text/html,x",
            "mailto:a@b.co",
            "file:///etc/passwd",
            "vbscript:x",
            "dash",
            "?x",
            "#x",
            "",
            "blob:https://app.example.com/x",
            "null",
            "https://",
            "http://[",
            "../x",
            "./x",
        ];
        assert_callbacks(&attacked(), false, &urls);
    }

    #[test]
    fn a_wildcard_origin_trusts_its_subdomains_with_its_scheme_and_port_alone() {
        let accepted =
            ["https://x.preview.example.com/a", "https://a.b.preview.example.com", "https://X.Preview.example.com"];
        assert_callbacks(&attacked(), true, &accepted);
        let refused = [
            "http://x.preview.example.com/a",
            "https://preview.example.com",
            "https://evil.com/.preview.example.com",
            "https://x.preview.example.com:444",
            "https://evil.com?.preview.example.com",
            "https://evil.com\\.preview.example.com",
            "https://x.preview.example.com.evil.com",
        ];
        assert_callbacks(&attacked(), false, &refused);
    }

    #[test]
    fn a_relative_url_is_never_an_origin() {
        for trusted in [attacked(), trusting(&["*"])] {
            assert!(trusted.trusts_callback("/dash"));
            assert!(!trusted.trusts_origin("/dash"));
            assert!(!trusted.trusts_origin("/"));
        }
    }

    #[test]
    fn an_exact_pattern_is_the_serialised_origin() {
        assert!(trusting(&["https://app.example.com"]).trusts_origin("https://APP.example.com:443"));
        for pattern in
            ["https://app.example.com/", "https://APP.example.com", "https://app.example.com:443", "app.example.com"]
        {
            assert!(!trusting(&[pattern]).trusts_origin("https://app.example.com"), "{pattern}");
        }
        assert!(trusting(&["https://xn--bcher-kva.example"]).trusts_origin("https://bücher.example"));
    }

    #[test]
    fn empty_patterns_are_dropped_and_trust_nothing() {
        let trusted = trusting(&["", BASE, ""]);
        assert_eq!(trusted.patterns(), [BASE]);
        assert!(!trusted.trusts_origin(""));
        assert!(!trusted.trusts_origin("null"));
    }
}

mod wildcards {
    use super::*;

    fn trusts(pattern: &str, url: &str) -> bool {
        trusting(&[pattern]).trusts_origin(url)
    }

    #[test]
    fn a_host_glob_covers_host_and_port_in_lower_case_of_any_scheme() {
        assert!(trusts("*.example.com", "https://a.b.example.com/x"));
        assert!(trusts("*.example.com", "http://a.example.com"));
        assert!(trusts("localhost:*", "http://localhost:3000/x"));
        assert!(trusts("app-?.example.com", "https://app-1.example.com"));
        assert!(!trusts("app-?.example.com", "https://app-12.example.com"));
        assert!(!trusts("*.example.com", "https://example.com"));
        assert!(!trusts("*.example.com", "https://a.example.com:444"));
        assert!(!trusts("*.EXAMPLE.com", "https://a.example.com"));
        assert!(!trusts("*.example.com", "https://evil.com/a.example.com"));
        assert!(!trusts("*.example.com", "mailto:a@a.example.com"));
    }

    #[test]
    fn a_star_in_the_port_allows_any_port_but_wants_one() {
        assert!(trusts("http://localhost:*", "http://localhost:5173/x"));
        assert!(!trusts("http://localhost:*", "http://localhost/x"));
        assert!(!trusts("http://localhost:*", "http://localhost.evil.com:80"));
    }

    #[test]
    fn no_glob_trusts_a_scheme_that_runs_code() {
        for pattern in ["*", "*.example.com", "javascript://*", "data:*", "vbscript://*"] {
            assert!(!trusts(pattern, "javascript://a.example.com/%0aalert(1)"), "{pattern}");
            assert!(!trusts(pattern, "JavaScript://a.example.com"), "{pattern}");
            assert!(!trusts(pattern, "data://a.example.com/,x"), "{pattern}");
            assert!(!trusts(pattern, "vbscript://a.example.com/x"), "{pattern}");
        }
    }

    #[test]
    fn an_address_glob_trusts_ipv4_addresses_alone() {
        let patterns = ["http://192.168.*.*", "192.168.*.*", "http://192.168.*", "http://192.168.*.*/**"];
        for pattern in patterns {
            assert!(trusts(pattern, "http://192.168.1.2/x"), "{pattern}");
            assert!(!trusts(pattern, "http://192.168.attacker.com/x"), "{pattern}");
            assert!(!trusts(pattern, "http://192.168.1.2.evil.com/x"), "{pattern}");
        }
        assert!(trusts("http://192.168.*.*:*", "http://192.168.1.2:3000"));
        assert!(!trusts("http://192.168.*.*:*", "http://192.168.evil.com:3000"));
        assert!(trusts("http://10.0.0.?", "http://0x0a000001/"));
    }

    #[test]
    fn a_glob_treats_every_other_character_literally() {
        let glob = |pattern: &str, text: &str| wildcard::Glob::new(pattern).matches(text);
        assert!(glob("a.b*", "a.bc"));
        assert!(!glob("a.b*", "axbc"));
        assert!(glob("a(b)[c]{d}^$+|#&&~-*", "a(b)[c]{d}^$+|#&&~-"));
        assert!(glob(r"a\*b", "a*b"));
        assert!(!glob(r"a\*b", "axb"));
        assert!(!glob("a*", "ba"));
        assert!(!glob("*a", "ab"));
        assert!(!glob("A*", "ab"));
        assert!(glob("a*b", "a\nb"));
        assert!(glob("/sign-in/*", "/sign-in/email"));
        assert!(!glob("/sign-in/*", "/sign-in/a/b"));
        assert!(glob("/sign-in/**", "/sign-in/a/b"));
        assert!(glob("/**/b", "/x/y/b"));
        assert!(glob("/a*", "//ab//"));
    }

    #[test]
    fn a_glob_too_large_to_compile_trusts_nothing() {
        assert!(trusts(&format!("https://{}.example.com", "*".repeat(10)), "https://a.example.com"));
        assert!(!trusts(&format!("https://{}.example.com", "*".repeat(50_000)), "https://a.example.com"));
    }
}

mod app_schemes {
    use super::*;

    fn trusts(pattern: &str, url: &str) -> bool {
        trusting(&[pattern]).trusts_callback(url)
    }

    #[test]
    fn a_bare_scheme_trusts_all_of_its_urls() {
        for url in ["myapp://", "myapp://host/cb", "MYAPP://x?y#z", "myapp:/cb", "myapp:opaque"] {
            assert!(trusts("myapp://", url), "{url}");
        }
        assert!(!trusts("myapp://", "myapp2://"));
        assert!(!trusts("myapp://", "https://myapp"));
        assert!(!trusts("myapp://", "myapp"));
        assert!(!trusts("myapp://", " myapp://x"));
    }

    #[test]
    fn a_path_trusts_itself_and_what_lies_below() {
        for url in
            ["myapp://host/cb", "myapp://HOST/cb/", "myapp://host/cb/x?y", "myapp://host/x/../cb", "myapp://host/%63b"]
        {
            assert!(trusts("myapp://host/cb", url), "{url}");
        }
        for url in [
            "myapp://host/cbx",
            "myapp://host",
            "myapp://host/",
            "myapp://other/cb",
            "myapp://host:1/cb",
            "myapp://a@host/cb",
            "myapp://host/cb/../evil",
            "myapp://host/cb/%2e%2e/evil",
            "myapp://host/cb/%2E%2E%2Fevil",
            "myapp://host/CB",
        ] {
            assert!(!trusts("myapp://host/cb", url), "{url}");
        }
    }

    #[test]
    fn a_bad_escape_leaves_the_path_undecoded() {
        assert!(!trusts("myapp://host/cb", "myapp://host/%63b%zz"));
        assert!(!trusts("myapp://host/cb", "myapp://host/%63b/%ff"));
        assert!(trusts("myapp://host/%63b%zz", "myapp://host/%63b%zz"));
    }

    #[test]
    fn wildcards_are_matched_part_by_part() {
        for url in ["exp://192.168.1.2:8081/--/x", "exp://u.expo.dev", "exp://", "exp://a/b/c"] {
            assert!(trusts("exp://**", url), "{url}");
        }
        assert!(trusts("exp://192.168.*.*:*/**", "exp://192.168.1.2:8081/--/x"));
        assert!(!trusts("exp://192.168.*.*:*/**", "exp://192.168.evil.com:8081/--/x"));
        assert!(!trusts("exp://192.168.*.*:*/**", "exp://192.168.1.2/x"));
        assert!(!trusts("exp://**", "exp://user@host"));
        assert!(trusts("myapp://host/*", "myapp://host/a"));
        assert!(trusts("myapp://host/*", "myapp://host"));
        assert!(!trusts("myapp://host/*", "myapp://host/a/b"));
        assert!(!trusts("myapp://host/*", "myapp://host/a%2Fb"));
    }

    #[test]
    fn a_backslash_ahead_of_the_query_is_refused() {
        for pattern in ["*", "myapp://", "myapp://*", "myapp://user@host:444"] {
            assert!(!trusts(pattern, "myapp://user@host:444\\x"), "{pattern}");
            assert!(!trusts(pattern, "myapp://host\\.evil"), "{pattern}");
            assert!(!trusts(pattern, "myapp:\\\\host"), "{pattern}");
        }
        assert!(trusts("myapp://host", "myapp://host/x?a\\b"));
    }
}

mod origin_checks {
    use super::*;

    const COOKIE: OriginHeaders<'_> = OriginHeaders {
        origin: None,
        referer: None,
        has_cookie: true,
        sec_fetch_site: None,
        sec_fetch_mode: None,
        sec_fetch_dest: None,
        own_origin: BASE,
    };
    const NO_COOKIE: OriginHeaders<'_> = OriginHeaders { has_cookie: false, ..COOKIE };

    fn check(headers: &OriginHeaders<'_>) -> Result<(), OriginRefusal> {
        check_origin(&attacked(), headers, false)
    }

    fn check_form(headers: &OriginHeaders<'_>) -> Result<(), OriginRefusal> {
        check_form_csrf(&attacked(), headers)
    }

    #[test]
    fn without_a_cookie_any_origin_passes_unless_forced() {
        let evil = OriginHeaders { origin: Some("https://evil.com"), ..NO_COOKIE };
        assert_eq!(check(&evil), Ok(()));
        assert_eq!(check_origin(&attacked(), &evil, true), Err(OriginRefusal::Invalid));
        assert_eq!(check(&NO_COOKIE), Ok(()));
        assert_eq!(check_origin(&attacked(), &NO_COOKIE, true), Err(OriginRefusal::MissingOrNull));
    }

    #[test]
    fn with_a_cookie_the_origin_must_be_trusted() {
        assert_eq!(check(&COOKIE), Err(OriginRefusal::MissingOrNull));
        assert_eq!(check(&OriginHeaders { origin: Some(BASE), ..COOKIE }), Ok(()));
        assert_eq!(check(&OriginHeaders { origin: Some("https://app.example.com"), ..COOKIE }), Ok(()));
        for origin in ["https://evil.com", "/", "/dash", "localhost:4100", "NULL"] {
            assert_eq!(
                check(&OriginHeaders { origin: Some(origin), ..COOKIE }),
                Err(OriginRefusal::Invalid),
                "{origin}"
            );
        }
        assert_eq!(check(&OriginHeaders { origin: Some("null"), ..COOKIE }), Err(OriginRefusal::MissingOrNull));
        assert_eq!(check(&OriginHeaders { origin: Some(""), ..COOKIE }), Err(OriginRefusal::MissingOrNull));
    }

    #[test]
    fn the_referer_stands_in_for_a_missing_origin_alone() {
        let referer = Some("https://app.example.com/page?x");
        assert_eq!(check(&OriginHeaders { referer, ..COOKIE }), Ok(()));
        assert_eq!(check(&OriginHeaders { referer, origin: Some(""), ..COOKIE }), Ok(()));
        assert_eq!(
            check(&OriginHeaders { referer: Some("https://evil.com/x"), ..COOKIE }),
            Err(OriginRefusal::Invalid)
        );
        let evil = OriginHeaders { referer, origin: Some("https://evil.com"), ..COOKIE };
        assert_eq!(check(&evil), Err(OriginRefusal::Invalid));
        let null = OriginHeaders { referer, origin: Some("null"), ..COOKIE };
        assert_eq!(check(&null), Err(OriginRefusal::MissingOrNull));
    }

    #[test]
    fn a_null_origin_of_the_same_site_counts_as_the_requests_own() {
        let same = OriginHeaders { origin: Some("null"), sec_fetch_site: Some("same-origin"), ..COOKIE };
        assert_eq!(check(&same), Ok(()));
        assert_eq!(
            check(&OriginHeaders { own_origin: "http://rebound.evil.com", ..same }),
            Err(OriginRefusal::Invalid)
        );
        assert_eq!(check(&OriginHeaders { own_origin: "", ..same }), Err(OriginRefusal::MissingOrNull));
        for site in ["same-site", "cross-site", "none"] {
            let other = OriginHeaders { sec_fetch_site: Some(site), ..same };
            assert_eq!(check(&other), Err(OriginRefusal::MissingOrNull), "{site}");
        }
        assert_eq!(check(&OriginHeaders { origin: None, ..same }), Err(OriginRefusal::MissingOrNull));
    }

    #[test]
    fn the_attack_list_on_sign_in_is_refused() {
        use OriginRefusal::{CrossSiteNavigation, Invalid, MissingOrNull};
        let evil = Some("https://evil.com");
        let cases = [
            (OriginHeaders { origin: evil, ..NO_COOKIE }, Err(Invalid)),
            (OriginHeaders { referer: evil, ..NO_COOKIE }, Err(Invalid)),
            (OriginHeaders { origin: Some("null"), ..NO_COOKIE }, Err(MissingOrNull)),
            (COOKIE, Err(MissingOrNull)),
            (
                OriginHeaders { sec_fetch_site: Some("cross-site"), sec_fetch_mode: Some("navigate"), ..NO_COOKIE },
                Err(CrossSiteNavigation),
            ),
            (NO_COOKIE, Ok(())),
        ];
        for (headers, expected) in cases {
            assert_eq!(check_form(&headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn a_cross_site_navigation_is_refused_even_with_a_trusted_origin() {
        let navigation = OriginHeaders {
            origin: Some(BASE),
            sec_fetch_site: Some("cross-site"),
            sec_fetch_mode: Some("navigate"),
            sec_fetch_dest: Some("document"),
            ..NO_COOKIE
        };
        assert_eq!(check_form(&navigation), Err(OriginRefusal::CrossSiteNavigation));
        assert_eq!(check_form(&OriginHeaders { has_cookie: true, ..navigation }), Ok(()));
        assert_eq!(check_form(&OriginHeaders { sec_fetch_site: Some("same-site"), ..navigation }), Ok(()));
        assert_eq!(check_form(&OriginHeaders { sec_fetch_mode: Some("cors"), ..navigation }), Ok(()));
    }

    #[test]
    fn any_fetch_metadata_demands_an_origin() {
        for headers in [
            OriginHeaders { sec_fetch_site: Some("same-origin"), ..NO_COOKIE },
            OriginHeaders { sec_fetch_mode: Some("cors"), ..NO_COOKIE },
            OriginHeaders { sec_fetch_dest: Some("empty"), ..NO_COOKIE },
        ] {
            assert_eq!(check_form(&headers), Err(OriginRefusal::MissingOrNull), "{headers:?}");
            assert_eq!(check_form(&OriginHeaders { origin: Some(BASE), ..headers }), Ok(()), "{headers:?}");
        }
        let blank = OriginHeaders { sec_fetch_site: Some(""), sec_fetch_mode: Some(" \t"), ..NO_COOKIE };
        assert_eq!(check_form(&blank), Ok(()));
    }

    #[test]
    fn refusals_carry_upstreams_messages() {
        assert_eq!(OriginRefusal::MissingOrNull.to_string(), "Missing or null Origin");
        assert_eq!(OriginRefusal::Invalid.to_string(), "Invalid origin");
        assert_eq!(
            OriginRefusal::CrossSiteNavigation.to_string(),
            "Cross-site navigation login blocked. This request appears to be a CSRF attack."
        );
    }
}

mod url_parameters {
    use super::*;

    fn check(body: &Value, query: Option<&Value>) -> Result<(), UrlRefusal> {
        check_urls(&attacked(), Some(body), query)
    }

    #[test]
    fn each_parameter_is_checked_under_its_label() {
        for (name, label, shown) in [
            ("callbackURL", UrlLabel::Callback, "callbackURL"),
            ("redirectTo", UrlLabel::Redirect, "redirectURL"),
            ("errorCallbackURL", UrlLabel::ErrorCallback, "errorCallbackURL"),
            ("newUserCallbackURL", UrlLabel::NewUserCallback, "newUserCallbackURL"),
        ] {
            for url in ["//evil.com", "/\\evil.com", "https://app.example.com.evil.com", "/x\r\nSet-Cookie:a=b", "dash"]
            {
                let refusal = check(&json!({ name: url }), None).unwrap_err();
                assert_eq!(refusal, UrlRefusal::Untrusted { label });
                assert_eq!(refusal.to_string(), format!("Invalid {shown}"));
            }
            for value in [json!(5), json!(true), json!([]), json!({}), json!(["/dash"])] {
                let refusal = check(&json!({ name: value }), None).unwrap_err();
                assert_eq!(refusal, UrlRefusal::NotAString { label });
                assert_eq!(refusal.to_string(), format!("Invalid {shown}: expected a string"));
            }
            for value in [json!(""), json!(null), json!(0), json!(-0.0), json!(false), json!("/dash"), json!(BASE)] {
                assert_eq!(check(&json!({ name: value }), None), Ok(()));
            }
        }
    }

    #[test]
    fn the_first_bad_parameter_decides() {
        let bad = |label| Err(UrlRefusal::Untrusted { label });
        let mut body =
            json!({ "newUserCallbackURL": "x", "errorCallbackURL": "x", "redirectTo": "x", "callbackURL": "x" });
        for (name, label) in [
            ("callbackURL", UrlLabel::Callback),
            ("redirectTo", UrlLabel::Redirect),
            ("errorCallbackURL", UrlLabel::ErrorCallback),
            ("newUserCallbackURL", UrlLabel::NewUserCallback),
        ] {
            assert_eq!(check(&body, None), bad(label));
            body[name] = json!("/ok");
        }
        assert_eq!(check(&body, None), Ok(()));
    }

    #[test]
    fn the_querys_callback_counts_where_the_body_has_none() {
        let (evil, good) = (json!("//evil.com"), json!("/dash"));
        let untrusted = Err(UrlRefusal::Untrusted { label: UrlLabel::Callback });
        assert_eq!(check(&json!({}), Some(&evil)), untrusted);
        assert_eq!(check(&json!({ "callbackURL": "" }), Some(&evil)), untrusted);
        assert_eq!(check(&json!({ "callbackURL": "/dash" }), Some(&evil)), Ok(()));
        assert_eq!(check(&json!({ "callbackURL": "//evil.com" }), Some(&good)), untrusted);
        assert_eq!(check_urls(&attacked(), None, Some(&evil)), untrusted);
        let repeated = json!(["/a", "/b"]);
        let not_a_string = Err(UrlRefusal::NotAString { label: UrlLabel::Callback });
        assert_eq!(check_urls(&attacked(), None, Some(&repeated)), not_a_string);
    }

    #[test]
    fn a_body_that_is_no_object_has_no_parameters() {
        for body in [json!(null), json!("callbackURL"), json!(["//evil.com"]), json!(5)] {
            assert_eq!(check(&body, None), Ok(()));
        }
        assert_eq!(check_urls(&attacked(), None, None), Ok(()));
    }
}

/// URLs near the edge between trusted and not: pieces that parsers read differently, in any order.
fn tricky_url() -> impl Strategy<Value = String> {
    const PIECES: [&str; 40] = [
        "http",
        "https",
        "HTTP",
        "javascript",
        "myapp",
        ":",
        "://",
        "//",
        "/",
        "\\",
        "\\\\",
        "@",
        "?",
        "#",
        ".",
        "..",
        "%2f",
        "%5c",
        "%2e",
        "%00",
        " ",
        "\t",
        "\n",
        "\u{ad}",
        "。",
        "／",
        "localhost",
        "app.example.com",
        "x.preview.example.com",
        "evil.com",
        "[::1]",
        "127.0.0.1",
        ":4100",
        ":443",
        ":80",
        "user",
        "é",
        "ａ",
        "a",
        "-",
    ];
    prop_oneof![
        proptest::collection::vec(proptest::sample::select(&PIECES[..]), 1..9).prop_map(|pieces| pieces.concat()),
        proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..5)
            .prop_map(|pieces| format!("https://app.example.com{}", pieces.concat())),
        proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..6)
            .prop_map(|pieces| format!("/{}", pieces.concat())),
        any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn an_accepted_callback_leads_a_browser_to_a_trusted_origin(url in tricky_url()) {
        let trusted = attacked();
        if trusted.trusts_callback(&url) {
            // The page a browser resolves against may be the service's own or a trusted application's.
            for page in ["http://localhost:4100/api/auth/x", "https://app.example.com/sign-in"] {
                let page = Url::parse(page).unwrap();
                let target = page.join(&url).unwrap();
                let origin = target.origin().ascii_serialization();
                prop_assert!(target.origin() == page.origin() || trusted.trusts_origin(&origin), "{url:?} leads to {target}");
            }
        }
    }

    #[test]
    fn an_accepted_callback_fits_in_a_header(url in tricky_url()) {
        if attacked().trusts_callback(&url) {
            prop_assert!(!url.contains(['\r', '\n', '\0']));
        }
    }

    #[test]
    fn a_trusted_origin_is_a_trusted_callback(url in tricky_url()) {
        let trusted = attacked();
        prop_assert!(!trusted.trusts_origin(&url) || trusted.trusts_callback(&url));
    }
}
