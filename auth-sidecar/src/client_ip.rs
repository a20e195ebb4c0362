//! The client's address, out of forwarded headers (upstream `@better-auth/core` `utils/ip.mjs`).
//!
//! The socket's address is never used: behind a proxy it is the proxy's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use url::Host;

/// How the client's address is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIpSettings {
    /// Header names, tried in order.
    pub headers: Vec<String>,
    /// Addresses of the proxies in front. Without any, a header counts only if it holds one address alone, since all
    /// but the last of a list could be the client's invention.
    pub trusted_proxies: Vec<IpNet>,
    /// Leading bits of an IPv6 address that are kept: what one customer is given. 128 or more keeps all.
    pub ipv6_subnet: u8,
    /// No address is read or kept. The caller then limits no rates either, as upstream does.
    pub disabled: bool,
    /// Take an unknown client for `127.0.0.1`, for development.
    pub localhost_fallback: bool,
}

impl Default for ClientIpSettings {
    fn default() -> Self {
        Self {
            headers: vec!["x-forwarded-for".to_owned()],
            trusted_proxies: Vec::new(),
            ipv6_subnet: 64,
            disabled: false,
            localhost_fallback: false,
        }
    }
}

/// The client's normalised address: IPv4 in decimal, or IPv6 expanded, in lower case, cut to the subnet.
///
/// `header` gives a header's value by name; the values of a repeated header come joined with `, `. `None` where no
/// header tells an address that can be trusted. Upstream `getIP`.
pub fn client_ip(settings: &ClientIpSettings, header: impl Fn(&str) -> Option<String>) -> Option<String> {
    if settings.disabled {
        return None;
    }
    settings
        .headers
        .iter()
        .find_map(|name| forwarded_ip(&header(name)?, &settings.trusted_proxies))
        .or(settings.localhost_fallback.then_some(IpAddr::V4(Ipv4Addr::LOCALHOST)))
        .map(|ip| normalize_ip(ip, settings.ipv6_subnet))
}

/// Reads a trusted proxy: an address or a range such as `10.0.0.0/8`. The prefix of an IPv4-mapped address counts as
/// IPv4's. `None` if malformed. Upstream `parseCIDR`.
#[must_use]
pub fn parse_trusted_proxy(text: &str) -> Option<IpNet> {
    let Some((address, prefix)) = text.rsplit_once('/') else {
        return parse_ip(text).map(IpNet::from);
    };
    let digits_only = prefix.chars().all(|c| c.is_ascii_digit());
    let prefix = prefix.parse().ok().filter(|_| digits_only)?;
    IpNet::new(parse_ip(address)?, prefix).ok()
}

/// The last address of the chain that is no trusted proxy. A malformed hop ends the search, as what stands left of it
/// cannot be told from an invention. Upstream `getIPFromHeader`.
fn forwarded_ip(value: &str, trusted_proxies: &[IpNet]) -> Option<IpAddr> {
    let mut hops = value.split(',').map(str::trim).filter(|hop| !hop.is_empty()).rev();
    if trusted_proxies.is_empty() {
        let only = hops.next()?;
        return if hops.next().is_none() { parse_ip(only) } else { None };
    }
    for hop in hops {
        let ip = parse_ip(hop)?;
        if !trusted_proxies.iter().any(|proxy| proxy.contains(&ip)) {
            return Some(ip);
        }
    }
    None
}

/// Reads an address: four decimal parts without leading zeros, or IPv6 as URLs write it, without brackets and zone.
/// An IPv4-mapped IPv6 address is given as IPv4. Upstream `isValidIP`, `extractIPv4FromMapped`.
///
/// Reads the address and not its spelling: `0::ffff:192.0.2.1` is IPv4 too, and `1:2:3:4:5:6:0.0.0.1` has eight groups,
/// which upstream's text surgery misses, giving one client several rate-limit buckets.
fn parse_ip(text: &str) -> Option<IpAddr> {
    if let Ok(ip) = text.parse::<Ipv4Addr>() {
        return Some(IpAddr::V4(ip));
    }
    // The URL parser would read past the brackets (`::1]@[::2`), hence the guard.
    if !text.chars().all(|c| c.is_ascii_hexdigit() || matches!(c, ':' | '.')) {
        return None;
    }
    match Host::parse(&format!("[{text}]")) {
        Ok(Host::Ipv6(ip)) => Some(ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4)),
        _ => None,
    }
}

/// Upstream `normalizeIP`, `normalizeIPv6`.
fn normalize_ip(ip: IpAddr, ipv6_subnet: u8) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let dropped = 128_u32.saturating_sub(ipv6_subnet.into());
            let mask = u128::MAX.checked_shl(dropped).unwrap_or(0);
            let groups = Ipv6Addr::from_bits(ip.to_bits() & mask).segments().map(|group| format!("{group:04x}"));
            groups.join(":")
        }
    }
}

#[cfg(test)]
mod tests;
