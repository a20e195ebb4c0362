use std::borrow::Cow;
use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::cookies::RequestCookies;
use crate::cookies::parse::{parse_cookies, parse_strict_cookies, try_decode};
use crate::cookies::sign::encode_uri_component;

fn request(header: impl AsRef<[u8]>) -> RequestCookies {
    RequestCookies::new([header.as_ref()])
}

fn get(header: impl AsRef<[u8]>, name: &str) -> Option<String> {
    request(header).get(name)
}

#[test]
fn the_first_duplicate_wins_and_entries_without_a_value_are_skipped() {
    assert_eq!(get("a=1; b=2; a=3", "a").as_deref(), Some("1"));
    assert_eq!(get("flag; a=1", "a").as_deref(), Some("1"));
    assert_eq!(get("a; b; a=x=y;", "a").as_deref(), Some("x=y"));
    assert_eq!(get("a=1", "b"), None);
    assert_eq!(get("a=; a=2", "a"), None, "an empty first value counts as absent");
    assert_eq!(get("=1; a=2", "a").as_deref(), Some("2"));
    assert_eq!(get("", "a"), None);
    assert_eq!(get("=", ""), None);
}

#[test]
fn blanks_around_names_and_values_do_not_count() {
    assert_eq!(get("  a =  1  ;b=2", "a").as_deref(), Some("1"));
    assert_eq!(get(b"a=\xa01\xa0", "a").as_deref(), Some("1"), "a Latin-1 no-break space is a blank to JavaScript");
    assert_eq!(get(b"a=\x851\x85", "a").as_deref(), Some("\u{85}1\u{85}"), "a Latin-1 next-line is none");
}

#[test]
fn surrounding_quotes_are_cut_off() {
    assert_eq!(get("a=\"1 2\"", "a").as_deref(), Some("1 2"));
    assert_eq!(get("a=\"12", "a").as_deref(), Some("1"), "upstream cuts the last character whatever it is");
    assert_eq!(get("a=\"", "a"), None);
    assert_eq!(get("a=1\"", "a").as_deref(), Some("1\""));
}

#[test]
fn values_are_percent_decoded_or_left_alone() {
    assert_eq!(get("a=x%3D%2F%C3%A9", "a").as_deref(), Some("x=/é"));
    assert_eq!(get("a=x+/=", "a").as_deref(), Some("x+/="));
    for raw in ["%", "%4", "%zz%41", "%41%", "%ff", "%C3", "%C3x", "%ED%A0%80", "%C0%80"] {
        assert_eq!(get(format!("a={raw}"), "a").as_deref(), Some(raw));
    }
}

#[test]
fn bytes_are_read_as_latin_1() {
    assert_eq!(get(b"a=\xe9\xff; b=1", "a").as_deref(), Some("éÿ"));
    assert_eq!(get(b"\xff\xfe=1; b=2", "b").as_deref(), Some("2"));
    assert_eq!(get(b"a=\xe9%C3%A9", "a").as_deref(), Some("éé"));
}

#[test]
fn several_headers_count_as_one() {
    let cookies = RequestCookies::new([b"a=1".as_slice(), b"b=2; a=3"]);
    assert_eq!(cookies.get("a").as_deref(), Some("1"));
    assert_eq!(cookies.get("b").as_deref(), Some("2"));
    assert_eq!(RequestCookies::new([]).get("a"), None);
}

#[test]
fn signed_cookies_are_read_encoded_and_plain() {
    let plain = SIGNED_TOKEN.replace("%3D", "=");
    for value in [SIGNED_TOKEN, &plain, &format!("\"{SIGNED_TOKEN}\"")] {
        assert_eq!(request(format!("t={value}")).signed("t", &Secrets::single(secret())).as_deref(), Some(TOKEN));
    }
    for value in [TOKEN, &SIGNED_TOKEN.replace("vgDT", "vgDU"), &plain.replace('=', "%3d%3d"), "."] {
        assert_eq!(request(format!("t={value}")).signed("t", &Secrets::single(secret())), None, "{value}");
    }
    assert_eq!(request(format!("t={SIGNED_TOKEN}")).signed("t", &Secrets::single(Secret::new("other"))), None);
    let rotated = Secrets::versions(vec![(2, Secret::new("other")), (1, secret())], None).unwrap();
    assert_eq!(request(format!("t={SIGNED_TOKEN}")).signed("t", &rotated).as_deref(), Some(TOKEN), "an older secret");
}

#[test]
fn the_strict_parser_drops_what_is_no_cookie() {
    let header = "a=1; b c=2; d=x\"y; e=\\; f=1,2 3; g=\"q\"; h\u{e9}=1; i=\u{e9}; =1; j; k=\"; l=\u{1}";
    let pairs: Vec<_> = parse_strict_cookies(header).collect();
    assert_eq!(pairs, [("a", "1"), ("f", "1,2 3"), ("g", "q")]);
}

#[test]
fn chunks_are_joined_by_number_after_the_whole_cookie() {
    let chunked = |header: &str| request(header).chunked("d");
    assert_eq!(chunked("d.10=c; d.2=b; d.0=a").as_deref(), Some("abc"));
    assert_eq!(chunked("d.0=a; d=whole").as_deref(), Some("whole"));
    assert_eq!(chunked("d=; d.0=a").as_deref(), Some("a"), "an empty whole cookie does not hide the chunks");
    assert_eq!(chunked("d.0=a; d.0=b").as_deref(), Some("b"), "of duplicate chunks the last wins");
    assert_eq!(chunked("d.0=%41").as_deref(), Some("A"));
    assert_eq!(chunked("d.00=x; d.+1=x; d.-1=x; d.1e1=x; d.=x; d.a=x; dx0=x; d.100=x"), None);
    assert_eq!(chunked("d.99=x").as_deref(), Some("x"));
    assert_eq!(chunked("d.99999999999999999999999=x"), None);
    assert_eq!(chunked("d.0="), None);
    assert_eq!(chunked("x=1"), None);
}

#[test]
fn chunk_names_come_once_each_in_order_of_appearance() {
    let cookies = request("d.1=x; a=1; d=; d.0=y; d.1=z; d.01=x; d.0.1=x");
    assert_eq!(cookies.chunk_names("d"), ["d.1", "d", "d.0"]);
    assert!(cookies.chunk_names("b").is_empty());
}

#[test]
fn setting_a_cookie_replaces_it_in_place_and_normalises_the_header() {
    let mut cookies = request("a=1; t=\"old\"; bad name=2; t=older; b=%41=");
    cookies.set("t", "new.=+");
    assert_eq!(cookies.get("t").as_deref(), Some("new.=+"));
    assert_eq!(cookies.get("a").as_deref(), Some("1"));
    assert_eq!(cookies.get("b").as_deref(), Some("A="));
    assert_eq!(cookies.get("bad name"), None);
    cookies.set("no token", "x");
    assert_eq!(cookies.get("no token"), None);
    cookies.set("c", "3");
    assert_eq!(cookies.get("c").as_deref(), Some("3"));
}

#[test]
fn huge_headers_are_read_to_the_end() {
    let many: String = (0..10_000).map(|index| format!("c{index}={index}; d.{index}=x; ")).collect();
    let cookies = request(&many);
    assert_eq!(cookies.get("c9999").as_deref(), Some("9999"));
    assert_eq!(cookies.chunked("d").map(|value| value.len()), Some(100), "more are never written");
    assert_eq!(cookies.chunk_names("d").len(), 100);
    let mut cookies = cookies;
    cookies.set("c9999", "new");
    assert_eq!(cookies.get("c9999").as_deref(), Some("new"));

    let long = "%41".repeat(65_536);
    assert_eq!(get(format!("a={long}"), "a").map(|value| value.len()), Some(65_536));
    assert_eq!(get(";".repeat(65_536), "a"), None);
    assert_eq!(get("%".repeat(65_536), "a"), None);
    assert_eq!(get("=".repeat(65_536), "a"), None);
}

/// Upstream's first parser, step by step as in `better-call/dist/cookies.mjs`, on ASCII text.
#[expect(clippy::string_slice, reason = "the text is ASCII")]
fn parse_as_upstream(text: &str) -> HashMap<String, String> {
    let find = |needle: char, from: usize| text[from..].find(needle).map(|position| position + from);
    let mut cookies = HashMap::new();
    let mut index = 0;
    while index < text.len() {
        let Some(equals) = find('=', index) else { break };
        let end = find(';', index).unwrap_or(text.len());
        if end < equals {
            index = text[..equals].rfind(';').unwrap() + 1;
            continue;
        }
        let key = text[index..equals].trim();
        let mut value = text[equals + 1..end].trim();
        if value.starts_with('"') {
            value = if value.len() < 2 { "" } else { &value[1..value.len() - 1] };
        }
        cookies.entry(key.to_owned()).or_insert_with(|| try_decode(value).into_owned());
        index = end + 1;
    }
    cookies
}

proptest! {
    #[test]
    fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..300), name in ".{0,5}") {
        let mut cookies = RequestCookies::new([bytes.as_slice()]);
        let _ = (cookies.get(&name), cookies.chunked(&name), cookies.chunk_names(&name), cookies.signed(&name, &Secrets::single(secret())));
        cookies.set(&name, "value");
    }

    #[test]
    fn lookups_agree_with_upstreams_loop(header in "[ab=;\" %41.]{0,40}") {
        for (key, value) in parse_as_upstream(&header) {
            let found = parse_cookies(&header).find(|(name, _)| *name == key).map(|(_, value)| try_decode(value));
            prop_assert_eq!(found, Some(Cow::Owned(value)));
        }
        for (key, _) in parse_cookies(&header) {
            prop_assert!(parse_as_upstream(&header).contains_key(key));
        }
    }

    #[test]
    fn encoded_values_come_back(values in proptest::collection::vec(".{1,30}", 1..5)) {
        let header: Vec<String> = values.iter().enumerate().map(|(index, value)| format!("c{index}={}", encode_uri_component(value))).collect();
        let cookies = request(header.join("; "));
        for (index, value) in values.iter().enumerate() {
            let found = cookies.get(&format!("c{index}"));
            prop_assert_eq!(found.as_ref(), Some(value));
        }
    }
}
