//! What browsers call a site: a registrable domain, by the public suffix list.

use std::net::IpAddr;

use url::{Host, Url};

/// The host of an origin or of a pattern of origins, its wildcards filled in; `None` for an app's
/// own scheme.
pub fn host_of(pattern: &str) -> Option<String> {
    let filled = pattern.trim_end_matches(":*").replace(['*', '?'], "x");
    let text = if filled.contains("://") { filled } else { format!("https://{filled}") };
    let url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    match url.host()? {
        Host::Domain(name) => Some(name.trim_end_matches('.').to_owned()),
        Host::Ipv4(ip) => Some(ip.to_string()),
        Host::Ipv6(ip) => Some(ip.to_string()),
    }
}

/// The registrable domain of a host: what a cookie can be shared below. A name without one, as
/// `localhost` or an address, stands for itself.
pub fn site_of_host(host: &str) -> String {
    if is_this_machine(host) {
        return "localhost".to_owned();
    }
    if host.parse::<IpAddr>().is_ok() {
        return host.to_owned();
    }
    psl::domain_str(host).unwrap_or(host).to_owned()
}

/// Whether the host is the machine itself.
pub fn is_this_machine(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified())
}

/// Whether anybody may have a name below this domain, so that browsers refuse cookies for it.
pub fn is_public_suffix(domain: &str) -> bool {
    psl::suffix(domain.as_bytes()).is_some_and(|suffix| suffix.is_known() && suffix.as_bytes() == domain.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_origins_and_patterns() {
        for (pattern, host) in [
            ("https://www.example.com", Some("www.example.com")),
            ("https://www.example.com:8443", Some("www.example.com")),
            ("http://localhost:*", Some("localhost")),
            ("http://127.0.0.1:*", Some("127.0.0.1")),
            ("http://[::1]:3000", Some("::1")),
            ("https://*.example.com", Some("x.example.com")),
            ("*.example.com", Some("x.example.com")),
            ("https://my-project-*.vercel.app", Some("my-project-x.vercel.app")),
            ("myapp://", None),
        ] {
            assert_eq!(host_of(pattern).as_deref(), host, "{pattern}");
        }
    }

    #[test]
    fn hosting_domains_are_public_suffixes_and_sites_are_one_label_more() {
        for suffix in ["github.io", "vercel.app", "onrender.com", "up.railway.app", "hf.space", "co.uk", "com"] {
            assert!(is_public_suffix(suffix), "{suffix}");
        }
        for domain in ["example.com", "user.github.io", "localhost", "example.co.uk"] {
            assert!(!is_public_suffix(domain), "{domain}");
        }
        for (host, site) in [
            ("www.example.com", "example.com"),
            ("auth.example.co.uk", "example.co.uk"),
            ("user.github.io", "user.github.io"),
            ("mine.up.railway.app", "mine.up.railway.app"),
            ("github.io", "github.io"),
            ("localhost", "localhost"),
            ("127.0.0.1", "localhost"),
            ("192.168.1.7", "192.168.1.7"),
            ("db", "db"),
        ] {
            assert_eq!(site_of_host(host), site, "{host}");
        }
    }
}
