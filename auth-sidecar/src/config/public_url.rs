//! The public origin and the paths below it.

use url::{Host, Url};

use super::env::Reader;

/// Upstream's default `basePath`.
const DEFAULT_BASE_PATH: &str = "/api/auth";

/// Where browsers find the service.
pub(super) struct PublicUrl {
    /// Scheme, host and port; no trailing slash.
    pub(super) origin: String,
    /// The parsed origin.
    pub(super) url: Url,
    /// Path of the Better Auth endpoints; empty for none.
    pub(super) base_path: String,
}

/// Upstream `utils/url`, `withPath`: a path in the base URL is the base path.
pub(super) fn read(r: &mut Reader<'_>, dev: bool, port: u32) -> Option<PublicUrl> {
    let given = r.get("BETTER_AUTH_URL", parse_public_url);
    let path_setting = r.get("AUTH_BASE_PATH", parse_path);
    let local = format!("http://localhost:{port}");
    let url = match given {
        Some(url) => url,
        None if dev && !r.has_problem("BETTER_AUTH_URL") => {
            r.told("BETTER_AUTH_URL", &local);
            Url::parse(&local).ok()?
        }
        None => {
            r.missing("BETTER_AUTH_URL");
            return None;
        }
    };
    let origin = url.origin().ascii_serialization();
    let path = url.path().trim_end_matches('/').to_owned();
    let base_path = match path_setting {
        Some(setting) if !path.is_empty() && setting != path => {
            r.problem(
                "AUTH_BASE_PATH",
                format!("is \"{setting}\", but BETTER_AUTH_URL has the path \"{path}\"; give one of them"),
            );
            return None;
        }
        Some(setting) => setting,
        None => {
            let path = if path.is_empty() { DEFAULT_BASE_PATH.to_owned() } else { path };
            r.told("AUTH_BASE_PATH", &path);
            path
        }
    };
    if !dev && url.scheme() == "http" && !is_loopback(&url) {
        r.warn(format!(
            "BETTER_AUTH_URL is {origin}: without https, passwords and session cookies can be read \
             on the way and cookies are not Secure; put the service behind https"
        ));
    }
    if dev && !is_loopback(&url) {
        r.warn(format!(
            "dev mode at {origin}: any site on a visitor's localhost is trusted and nothing limits \
             guessing; set AUTH_DEV=false"
        ));
    }
    Some(PublicUrl { origin, url, base_path })
}

/// Path of the REST endpoints; absent if off.
pub(super) fn read_api_prefix(r: &mut Reader<'_>, base_path: Option<&str>) -> Option<String> {
    let explicit = r.present("AUTH_API_PREFIX");
    let prefix = r.get("AUTH_API_PREFIX", |text| match text.to_ascii_lowercase().as_str() {
        "off" | "false" => Ok(String::new()),
        _ => parse_path(text).and_then(|path| match path.as_str() {
            "" => Err("leaves no path; write off for none".to_owned()),
            _ => Ok(path),
        }),
    });
    let prefix = prefix.filter(|prefix| !prefix.is_empty())?;
    // The prefix is looked at first, so it would hide all endpoints below the base path.
    let hides = |base: &str| base.strip_prefix(&prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if base_path.is_some_and(hides) {
        let what = "holds the base path; write another path, or off";
        if explicit {
            r.problem("AUTH_API_PREFIX", what);
        } else {
            r.warn(format!("AUTH_API_PREFIX {what}; the REST endpoints are off now"));
        }
        return None;
    }
    Some(prefix)
}

fn parse_public_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "is no URL; it begins with https://".to_owned())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("is neither https nor http".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user name or password in it".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("has a ? or # in it; only an origin and perhaps a path belong there".to_owned());
    }
    parse_path(url.path())?;
    Ok(url)
}

/// A path of plain segments without its trailing slash; empty for `/`.
pub(super) fn parse_path(text: &str) -> Result<String, String> {
    let path = text.trim_end_matches('/');
    let Some(segments) = text.strip_prefix('/') else {
        return Err("does not begin with /".to_owned());
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    let segments = segments.trim_end_matches('/').split('/');
    let good = |segment: &str| !segment.is_empty() && segment != "." && segment != ".." && segment.chars().all(plain);
    if !path.is_empty() && !segments.into_iter().all(good) {
        return Err("is no plain path of letters, digits and -._~".to_owned());
    }
    Ok(path.to_owned())
}

/// Whether the host is the machine itself.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}
