use proptest::prelude::*;

use super::*;

fn proxies(entries: &[&str]) -> ClientIpSettings {
    let trusted_proxies = entries.iter().map(|entry| parse_trusted_proxy(entry).unwrap()).collect();
    ClientIpSettings { trusted_proxies, ..ClientIpSettings::default() }
}

fn read(settings: &ClientIpSettings, value: &str) -> Option<String> {
    client_ip(settings, |name| (name == "x-forwarded-for").then(|| value.to_owned()))
}

fn read_default(value: &str) -> Option<String> {
    read(&ClientIpSettings::default(), value)
}

#[test]
fn addresses_are_normalised() {
    for (value, expected) in [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1\t", "192.0.2.1"),
        (",192.0.2.1,", "192.0.2.1"),
        ("2001:db8::1", "2001:0db8:0000:0000:0000:0000:0000:0000"),
        ("2001:DB8:0:1:A::1", "2001:0db8:0000:0001:0000:0000:0000:0000"),
        ("::1", "0000:0000:0000:0000:0000:0000:0000:0000"),
        ("::", "0000:0000:0000:0000:0000:0000:0000:0000"),
        ("1:2:3:4:5:6:7::", "0001:0002:0003:0004:0000:0000:0000:0000"),
        ("64:ff9b::192.0.2.1", "0064:ff9b:0000:0000:0000:0000:0000:0000"),
    ] {
        assert_eq!(read_default(value).as_deref(), Some(expected), "{value}");
    }
}

#[test]
fn every_spelling_of_a_mapped_address_is_the_ipv4_address() {
    for value in [
        "::ffff:192.0.2.1",
        "::FFFF:192.0.2.1",
        "::ffff:c000:201",
        "0:0:0:0:0:ffff:192.0.2.1",
        "0:0:0:0:0:FFFF:C000:0201",
        "0::ffff:192.0.2.1",
        "0000:0000:0000:0000:0000:ffff:c000:0201",
    ] {
        assert_eq!(read_default(value).as_deref(), Some("192.0.2.1"), "{value}");
    }
    assert_ne!(read_default("1:2:3:4:5:ffff:192.0.2.1").as_deref(), Some("192.0.2.1"));
}

#[test]
fn every_spelling_of_an_ipv6_address_is_one_client() {
    for value in ["::3:4:5:6:7.8.9.10", "0:0:3:4:5:6:708:90a", "0:0:3:4:5:6:7.8.9.10", "::3:4:5:6:708:90A"] {
        assert_eq!(read_default(value).as_deref(), Some("0000:0000:0003:0004:0000:0000:0000:0000"), "{value}");
    }
}

#[test]
fn malformed_addresses_are_no_addresses() {
    for value in [
        "",
        " ",
        ",",
        "unknown",
        "192.0.2",
        "192.0.2.1.1",
        "192.0.2.256",
        "192.0.2.01",
        "192.0.2.1:80",
        "0x7f.0.0.1",
        "2130706433",
        "1.2.3.4/32",
        "[::1]",
        "[::1]:80",
        "fe80::1%eth0",
        "::1/64",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1::2::3",
        ":::",
        "12345::",
        "::g",
        "::1.2.3",
        "::1.2.3.04",
        "::1.2.3.256",
        "::@1\\",
        "::1]@[::2",
        "::1\n::2",
        "_hidden",
        "for=192.0.2.1",
        "１.2.3.4",
        "1:2:3:4:5:6:7:8::",
    ] {
        assert_eq!(read_default(value), None, "{value:?}");
    }
}

#[test]
fn the_subnet_decides_how_much_of_an_ipv6_address_is_kept() {
    for (ipv6_subnet, expected) in [
        (0, "0000:0000:0000:0000:0000:0000:0000:0000"),
        (1, "8000:0000:0000:0000:0000:0000:0000:0000"),
        (12, "fff0:0000:0000:0000:0000:0000:0000:0000"),
        (48, "ffff:ffff:ffff:0000:0000:0000:0000:0000"),
        (56, "ffff:ffff:ffff:ff00:0000:0000:0000:0000"),
        (64, "ffff:ffff:ffff:ffff:0000:0000:0000:0000"),
        (127, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"),
        (128, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        (255, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ] {
        let settings = ClientIpSettings { ipv6_subnet, ..ClientIpSettings::default() };
        assert_eq!(
            read(&settings, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").as_deref(),
            Some(expected),
            "/{ipv6_subnet}"
        );
        assert_eq!(read(&settings, "203.0.113.7").as_deref(), Some("203.0.113.7"), "/{ipv6_subnet}");
    }
}

#[test]
fn without_trusted_proxies_a_chain_is_not_believed() {
    assert_eq!(read_default("203.0.113.7, 10.0.0.1"), None);
    assert_eq!(read_default("203.0.113.7,203.0.113.7"), None);
    assert_eq!(read_default("unknown, 203.0.113.7"), None);
}

#[test]
fn the_chain_is_walked_from_the_right_to_the_first_untrusted_hop() {
    let settings = proxies(&["10.0.0.0/8", "2001:db8::/32", "192.0.2.9"]);
    for (value, expected) in [
        ("203.0.113.7", Some("203.0.113.7")),
        ("203.0.113.7, 10.0.0.1", Some("203.0.113.7")),
        ("1.1.1.1, 203.0.113.7, 10.1.2.3, 192.0.2.9,2001:db8::5", Some("203.0.113.7")),
        ("203.0.113.7, ::ffff:10.0.0.1", Some("203.0.113.7")),
        ("::ffff:203.0.113.7, 10.0.0.1", Some("203.0.113.7")),
        ("1.1.1.1, 11.0.0.1", Some("11.0.0.1")),
        ("2001:db9::1, 10.0.0.1", Some("2001:0db9:0000:0000:0000:0000:0000:0000")),
        ("forged, 203.0.113.7, 10.0.0.1", Some("203.0.113.7")),
        ("203.0.113.7, unknown, 10.0.0.1", None),
        ("203.0.113.7:80, 10.0.0.1", None),
        ("10.0.0.1, 10.0.0.2", None),
        ("203.0.113.7,,10.0.0.1,", Some("203.0.113.7")),
        ("", None),
    ] {
        assert_eq!(read(&settings, value).as_deref(), expected, "{value}");
    }
}

#[test]
fn headers_are_tried_in_order_and_the_first_usable_one_wins() {
    let headers = vec!["cf-connecting-ip".to_owned(), "x-real-ip".to_owned()];
    let settings = ClientIpSettings { headers, ..ClientIpSettings::default() };
    let answer = |cf: Option<&str>| {
        client_ip(&settings, |name| match name {
            "cf-connecting-ip" => cf.map(str::to_owned),
            "x-real-ip" => Some("198.51.100.2".to_owned()),
            _ => Some("6.6.6.6".to_owned()),
        })
    };
    assert_eq!(answer(Some("203.0.113.7")).as_deref(), Some("203.0.113.7"));
    for unusable in [None, Some(""), Some("unknown"), Some("203.0.113.7, 203.0.113.8")] {
        assert_eq!(answer(unusable).as_deref(), Some("198.51.100.2"), "{unusable:?}");
    }
}

#[test]
fn the_localhost_fallback_stands_in_for_an_unknown_client_alone() {
    let settings = ClientIpSettings { localhost_fallback: true, ..ClientIpSettings::default() };
    assert_eq!(client_ip(&settings, |_| None).as_deref(), Some("127.0.0.1"));
    assert_eq!(read(&settings, "unknown").as_deref(), Some("127.0.0.1"));
    assert_eq!(read(&settings, "203.0.113.7").as_deref(), Some("203.0.113.7"));
    assert_eq!(client_ip(&ClientIpSettings::default(), |_| None), None);
}

#[test]
fn nothing_is_read_when_disabled() {
    let settings = ClientIpSettings { disabled: true, localhost_fallback: true, ..ClientIpSettings::default() };
    assert_eq!(read(&settings, "203.0.113.7"), None);
}

#[test]
fn trusted_proxies_are_addresses_and_ranges() {
    for (entry, expected) in [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.1.2.3/8", "10.1.2.3/8"),
        ("10.0.0.0/08", "10.0.0.0/8"),
        ("127.0.0.1", "127.0.0.1/32"),
        ("::1", "::1/128"),
        ("::/0", "::/0"),
        ("::ffff:10.0.0.0/8", "10.0.0.0/8"),
    ] {
        assert_eq!(parse_trusted_proxy(entry).map(|net| net.to_string()).as_deref(), Some(expected), "{entry}");
    }
    for entry in [
        "",
        "/8",
        "bad",
        "10.0.0.0/33",
        "10.0.0.0/",
        "10.0.0.0/+8",
        "10.0.0.0/-1",
        " 10.0.0.0/8",
        "10.0.0.0/8/8",
        "10.0/8",
        "::1/129",
        "::1/٣",
        "::ffff:10.0.0.0/33",
    ] {
        assert_eq!(parse_trusted_proxy(entry), None, "{entry:?}");
    }
}

proptest! {
    #[test]
    fn a_normalised_address_normalises_to_itself(ip: IpAddr, ipv6_subnet: u8) {
        let settings = ClientIpSettings { ipv6_subnet, ..ClientIpSettings::default() };
        let once = read(&settings, &ip.to_string()).unwrap();
        prop_assert_eq!(read(&settings, &once), Some(once));
    }

    #[test]
    fn any_header_yields_nothing_or_an_address(value: String, chain: bool) {
        let settings = if chain { proxies(&["10.0.0.0/8"]) } else { ClientIpSettings::default() };
        if let Some(ip) = read(&settings, &value) {
            prop_assert!(ip.parse::<IpAddr>().is_ok(), "{ip}");
        }
    }
}
