//! Which names the console answers to.

use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use std::net::IpAddr;

/// The names that the console answers to.
pub(crate) struct Names {
    /// It listens on loopback only.
    pub(crate) loopback: bool,
    /// Given by whoever runs it.
    pub(crate) more: Vec<String>,
}

impl Names {
    /// Whether a request that calls the console so was meant for it. A page of another site can point a name of its
    /// own at this machine and make a browser read along; an address it cannot make its own, nor a name without a dot.
    fn have(&self, host: &Authority) -> bool {
        // Nobody who means a host says who asks as well.
        if host.as_str().contains('@') {
            return false;
        }
        let name = host.host().trim_start_matches('[').trim_end_matches(']');
        let address = name.parse::<IpAddr>().ok();
        let own = |more: &String| more.eq_ignore_ascii_case(name);
        name.eq_ignore_ascii_case("localhost")
            || address.is_some_and(|address| address.is_loopback() || !self.loopback)
            || (!self.loopback && !name.is_empty() && !name.contains('.'))
            || self.more.iter().any(own)
    }

    /// Whether a request was meant for the console.
    pub(crate) fn meant(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let named = headers.contains_key(header::HOST) || uri.authority().is_some();
        named
            && hosts.all(|host| authority(host).is_some_and(|host| self.have(&host)))
            && uri.authority().is_none_or(|host| self.have(host))
    }
}

/// What a request calls the console.
pub(crate) fn host(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    let host = headers.get(header::HOST).and_then(authority);
    host.or_else(|| uri.authority().cloned())
}

fn authority(host: &HeaderValue) -> Option<Authority> {
    host.to_str().ok()?.parse().ok()
}

/// Whether a request that changes something comes from a page of the console itself: what a browser says of where it
/// comes from is the host that it goes to.
pub(crate) fn from_ourselves(uri: &Uri, headers: &HeaderMap) -> bool {
    let host = host(uri, headers);
    let origin = headers
        .get(header::ORIGIN)
        .and_then(|origin| origin.to_str().ok());
    let origin = origin.and_then(|origin| origin.parse::<Uri>().ok());
    let origin = origin.and_then(|origin| origin.authority().cloned());
    host.is_some() && host == origin
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn answers(loopback: bool, more: &[&str], host: &str) -> bool {
        let more = more.iter().map(|name| (*name).to_owned()).collect();
        Names { loopback, more }.have(&host.parse().unwrap())
    }

    #[test]
    fn on_loopback_only_its_own_names_are_this_machine() {
        for name in ["localhost:8080", "LOCALHOST", "127.0.0.1", "[::1]:80"] {
            assert!(answers(true, &[], name), "{name}");
        }
        for name in [
            "evil.example",
            "127.0.0.1.evil.example:80",
            "192.0.2.7",
            "monitor",
            "evil.example:80@127.0.0.1:80",
        ] {
            assert!(!answers(true, &[], name), "{name}");
        }
    }

    #[test]
    fn elsewhere_addresses_plain_names_and_given_names_are_answered() {
        for name in [
            "localhost",
            "192.0.2.7:9090",
            "[2001:db8::1]:80",
            "tandem:9090",
            "Status.Example.com",
        ] {
            assert!(answers(false, &["status.example.com"], name), "{name}");
        }
        for name in [
            "evil.example",
            "status.example.com.evil.example",
            "192.0.2.7.evil.example",
        ] {
            assert!(!answers(false, &["status.example.com"], name), "{name}");
        }
    }

    #[test]
    fn only_a_page_of_the_console_itself_may_change_something() {
        let asked = |origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "127.0.0.1:80".parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            from_ourselves(&Uri::from_static("/items/3/retry"), &headers)
        };
        assert!(asked(Some("http://127.0.0.1:80")));
        for origin in [
            None,
            Some("null"),
            Some("http://127.0.0.1:81"),
            Some("https://evil.example"),
        ] {
            assert!(!asked(origin), "{origin:?}");
        }
    }
}
