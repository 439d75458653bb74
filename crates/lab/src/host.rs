//! Whether a request was meant for this machine. A page of another site can point a name of its own at this machine
//! and make a browser send requests here; the browser then says that name.

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};

/// Whether every name that a request calls its server by is this machine. A request without any comes from no browser.
pub(crate) fn is_for_this_machine(headers: &HeaderMap, uri: &Uri) -> bool {
    let hosts = headers.get_all(header::HOST).iter();
    let mut hosts = hosts.map(|host| host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()));
    hosts.all(|host| host.is_some_and(|host| is_loopback(host.host())))
        && uri.authority().is_none_or(|host| is_loopback(host.host()))
}

/// Whether the host of an address is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let name = host.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn judged(hosts: &[&str], uri: &str) -> bool {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, host.parse().unwrap());
        }
        is_for_this_machine(&headers, &uri.parse().unwrap())
    }

    #[test]
    fn names_of_this_machine_are_answered() {
        for host in [
            "localhost",
            "LocalHost:8081",
            "127.0.0.1",
            "127.1.2.3:80",
            "[::1]",
            "[::1]:8082",
        ] {
            assert!(judged(&[host], "/"), "{host}");
        }
        assert!(judged(&[], "/"), "no browser leaves it out");
        assert!(judged(&["localhost"], "http://127.0.0.1:8081/path"));
    }

    #[test]
    fn names_that_only_look_like_it_are_not() {
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "127.evil.example:8082",
            "localhost.evil.example",
            "localhost@evil.example",
            "10.0.0.1",
            "[::2]:80",
            "0.0.0.0",
            "",
            ":80",
        ] {
            assert!(!judged(&[host], "/"), "{host}");
        }
        assert!(!judged(&["localhost", "evil.example"], "/"), "two names");
        assert!(
            !judged(&["localhost"], "http://evil.example/"),
            "another in the address"
        );
    }
}
