//! Rate limits, and whose requests they count.

use actix_web::http::header::HeaderName;

use super::env::Reader;
use crate::client_ip::{ClientIpSettings, parse_trusted_proxy};
use crate::rate_limit::{RateLimitSettings, parse_custom_rule};

pub(super) fn read(r: &mut Reader<'_>, dev: bool) -> (RateLimitSettings, ClientIpSettings) {
    let enabled = r.optional_flag("AUTH_RATE_LIMIT").unwrap_or_else(|| {
        r.told("AUTH_RATE_LIMIT", !dev);
        !dev
    });
    let rate_limit = RateLimitSettings {
        enabled,
        window: r.number("AUTH_RATE_LIMIT_WINDOW"),
        max: r.number("AUTH_RATE_LIMIT_MAX"),
        custom: r.list("AUTH_RATE_LIMIT_RULES", parse_custom_rule),
    };
    let client_ip = ClientIpSettings {
        headers: r.list("AUTH_IP_HEADERS", parse_header),
        trusted_proxies: r.list("AUTH_TRUSTED_PROXIES", |text| {
            parse_trusted_proxy(text).ok_or_else(|| "is no address or network, as 10.0.0.0/8".to_owned())
        }),
        ipv6_subnet: u8::try_from(r.number("AUTH_IPV6_SUBNET")).unwrap_or(u8::MAX),
        disabled: r.flag("AUTH_DISABLE_IP_TRACKING"),
        localhost_fallback: dev,
    };
    if enabled && client_ip.disabled {
        r.warn("AUTH_DISABLE_IP_TRACKING also ends rate limits: nothing slows the guessing of passwords");
    }
    (rate_limit, client_ip)
}

pub(super) fn read_sign_in(r: &mut Reader<'_>) -> RateLimitSettings {
    let max = r.number("AUTH_SIGN_IN_ATTEMPTS");
    if max == 0 {
        r.warn("AUTH_SIGN_IN_ATTEMPTS is 0: nothing slows the guessing of one account's password from many addresses");
    }
    let window = r.number("AUTH_SIGN_IN_ATTEMPTS_WINDOW");
    RateLimitSettings { enabled: max > 0, window, max, custom: Vec::new() }
}

fn parse_header(text: &str) -> Result<String, String> {
    match HeaderName::from_bytes(text.as_bytes()) {
        Ok(name) => Ok(name.as_str().to_owned()),
        Err(_) => Err("is no name of a header".to_owned()),
    }
}
