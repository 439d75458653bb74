//! How a provider describes itself (OpenID Connect Discovery 1.0).

use reqwest::Url;
use serde::Deserialize;
use serde_json::Value as Json;

/// What is read of it.
#[derive(Deserialize)]
struct Said {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// A provider's places.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) authorization: Url,
    pub(super) token: Url,
    pub(super) keys: Url,
    pub(super) userinfo: Option<Url>,
    pub(super) end_session: Option<Url>,
    /// The client's secret stands in the body, and not in a header.
    pub(super) secret_in_body: bool,
    /// It says in its answers which provider it is.
    pub(super) names_itself: bool,
}

/// Whether nobody on the way can read along, or answer: https, or a place on this machine.
fn is_safe(address: &Url, loopback: bool) -> bool {
    address.scheme() == "https" || (loopback && is_loopback(address))
}

/// Plain http on this machine.
fn is_loopback(address: &Url) -> bool {
    let host = address.host_str().unwrap_or_default();
    let own = host.trim_start_matches('[').trim_end_matches(']');
    let own = own.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    address.scheme() == "http" && (own || host == "localhost")
}

/// Where the description of a provider is; none where nobody could rely on it.
pub(super) fn address(issuer: &str) -> Option<Url> {
    let address = format!(
        "{}/.well-known/openid-configuration",
        issuer.trim_end_matches('/')
    );
    let address = Url::parse(&address).ok()?;
    is_safe(&address, true).then_some(address)
}

impl Document {
    /// Reads a description.
    ///
    /// # Errors
    /// What is wrong with it, as part of a sentence.
    pub(super) fn read(said: &Json, issuer: &str) -> Result<Self, String> {
        let said = Said::deserialize(said).map_err(|error| format!("its description is none ({error})"))?;
        if said.issuer != issuer {
            let shown: String = said.issuer.chars().take(200).collect();
            return Err(format!("it calls itself `{shown}`, and `issuer` says `{issuer}`"));
        }
        let loopback = Url::parse(issuer).is_ok_and(|issuer| is_loopback(&issuer));
        let place = |text: &str| {
            let read = Url::parse(text).ok();
            let safe = read.filter(|address| is_safe(address, loopback));
            safe.ok_or_else(|| "one of its addresses does not begin with https://".to_owned())
        };
        let methods = said.token_endpoint_auth_methods_supported;
        let knows = |method: &str| methods.iter().flatten().any(|it| it == method);
        Ok(Self {
            authorization: place(&said.authorization_endpoint)?,
            token: place(&said.token_endpoint)?,
            keys: place(&said.jwks_uri)?,
            userinfo: said.userinfo_endpoint.as_deref().map(place).transpose()?,
            end_session: said.end_session_endpoint.as_deref().map(place).transpose()?,
            secret_in_body: knows("client_secret_post") && !knows("client_secret_basic"),
            names_itself: said.authorization_response_iss_parameter_supported,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn said(issuer: &str, token: &str) -> Json {
        let at = |path: &str| format!("{issuer}/{path}");
        json!({ "issuer": issuer, "authorization_endpoint": at("auth"), "token_endpoint": token, "jwks_uri": at("keys") })
    }

    #[test]
    fn a_description_is_the_issuers_own_and_nobody_reads_along() {
        let (own, there) = (
            "https://login.example.com/realm",
            "https://login.example.com/token",
        );
        let read = Document::read(&said(own, there), own).unwrap();
        assert!(!read.secret_in_body && !read.names_itself && read.userinfo.is_none());
        let other = Document::read(&said(own, there), "https://login.example.com/realm/").unwrap_err();
        assert!(
            other.contains("calls itself `https://login.example.com/realm`"),
            "{other}"
        );
        for plain in ["http://login.example.com/token", "http://127.0.0.1/token", "here"] {
            let refused = Document::read(&said(own, plain), own).unwrap_err();
            assert!(refused.contains("https://"), "{plain}: {refused}");
        }
        // On this machine nobody is on the way.
        let own = "http://127.0.0.1:8080";
        assert!(Document::read(&said(own, "http://localhost:8081/token"), own).is_ok());
        assert!(Document::read(&said(own, "http://login.example.com/token"), own).is_err());
    }

    #[test]
    fn a_description_is_asked_for_where_nobody_reads_along() {
        let whole = |issuer| address(issuer).map(|address| address.to_string());
        let there = "https://a.example/b/.well-known/openid-configuration";
        assert_eq!(whole("https://a.example/b").as_deref(), Some(there));
        assert_eq!(whole("https://a.example/b/").as_deref(), Some(there));
        assert!(whole("http://[::1]:80").is_some() && whole("http://localhost:80").is_some());
        for plain in [
            "http://a.example",
            "http://127.0.0.1.a.example",
            "ftp://localhost",
            "a",
        ] {
            assert_eq!(whole(plain), None, "{plain}");
        }
    }
}
