//! Addresses: where secrets may go.

use crate::{Error, ErrorKind, Scope};
use url::{Host, Url};

/// Whether the address is this machine's own.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The address as people see it: without user, password and query.
pub(crate) fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}", url.scheme())
}

/// Refuses addresses over which a secret would travel in clear.
///
/// # Errors
/// Anything but https, this machine excepted.
pub(crate) fn check(system: &str, url: &Url) -> Result<(), Error> {
    let fits = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
    if fits && url.host().is_some() {
        return Ok(());
    }
    Err(Error {
        system: system.to_owned(),
        kind: ErrorKind::SignIn,
        message: format!("{} would carry the secret in clear", shown(url)),
        advice: "Write an address that begins with https:// (http:// serves this machine only)".to_owned(),
        retry_at: None,
        scope: Scope::System,
    })
}

/// The address of a target: a path below the base, or an address that must lie on the base's host.
///
/// # Errors
/// The target lies elsewhere: what it was sent would be handed to a stranger.
pub(crate) fn pin(system: &str, base: &Url, target: &str) -> Result<Url, Error> {
    let strange = |what: String| Error {
        system: system.to_owned(),
        kind: ErrorKind::Protocol,
        message: what,
        advice: format!(
            "Only {} is asked; check the address in the configuration",
            shown(base)
        ),
        retry_at: None,
        scope: Scope::System,
    };
    let url = base
        .join(target)
        .map_err(|_| strange("an address cannot be read".to_owned()))?;
    let same = url.scheme() == base.scheme()
        && url.host() == base.host()
        && url.port_or_known_default() == base.port_or_known_default();
    if same || (is_loopback(base) && is_loopback(&url) && url.scheme() == base.scheme()) {
        Ok(url)
    } else {
        Err(strange(format!("it points to another host, {}", shown(&url))))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn secrets_travel_encrypted_or_stay_on_this_machine() {
        assert!(check("s", &url("https://acme.my.salesforce.com")).is_ok());
        assert!(check("s", &url("http://127.0.0.1:8080")).is_ok());
        assert!(check("s", &url("http://[::1]:8080")).is_ok());
        let error = check("s", &url("http://user:pass@erp.example/x?y")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::SignIn);
        assert!(error.message.starts_with("http://erp.example would"), "{error}");
    }

    #[test]
    fn a_target_stays_on_its_host() {
        let base = url("https://acme.my.salesforce.com");
        let pinned = pin("s", &base, "/services/data").unwrap();
        assert_eq!(pinned.as_str(), "https://acme.my.salesforce.com/services/data");
        for stranger in [
            "https://acme.my.salesforce.com.evil.example/x",
            "https://acme.my.salesforce.com:8443/x",
            "http://acme.my.salesforce.com/x",
            "//evil.example/x",
            "https://127.0.0.1/x",
        ] {
            assert_eq!(
                pin("s", &base, stranger).unwrap_err().kind,
                ErrorKind::Protocol,
                "{stranger}"
            );
        }
        assert!(pin("s", &url("http://localhost:1"), "http://127.0.0.1:2/x").is_ok());
    }
}
