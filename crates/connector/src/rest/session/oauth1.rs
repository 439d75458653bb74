//! Requests that are signed one by one (OAuth 1.0 with HMAC-SHA256, RFC 5849).

use super::super::Rest;
use super::super::description::session::Oauth1;
use super::{Session, Ticket};
use crate::Error;
use crate::http::{Sign, clock};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use std::sync::Arc;
use url::Url;

/// What signs the requests of a user.
struct Signer {
    client: String,
    token: String,
    realm: Option<String>,
    key: hmac::Key,
    random: SystemRandom,
}

/// A ticket that signs.
pub(super) fn sign_in(session: &Session, rest: &Rest, written: &Oauth1) -> Result<Ticket, Error> {
    let text = |written, usual| session.text(&rest.http, written, usual);
    let secret = text(written.consumer_secret.as_ref(), "consumer_secret")?;
    let second = text(written.token_secret.as_ref(), "token_secret")?;
    let realm = written.realm.as_ref();
    let key = format!("{}&{}", encoded(&secret), encoded(&second));
    let signer = Signer {
        client: text(written.consumer_key.as_ref(), "consumer_key")?,
        token: text(written.token_id.as_ref(), "token_id")?,
        realm: realm.map(|realm| text(Some(realm), "")).transpose()?,
        key: hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()),
        random: SystemRandom::new(),
    };
    Ok(Ticket {
        signer: Some(Arc::new(signer)),
        ..Ticket::default()
    })
}

impl Sign for Signer {
    fn sign(&self, method: &Method, url: &Url, headers: &mut HeaderMap) {
        let mut number = [0_u8; 18];
        if self.random.fill(&mut number).is_err() {
            // Without a signature it is refused at the door.
            return;
        }
        let nonce = URL_SAFE_NO_PAD.encode(number);
        let signed = self.signed(method, url, &nonce, &clock::wall().as_second().to_string());
        if let Ok(mut value) = HeaderValue::from_str(&signed) {
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
    }
}

impl Signer {
    /// The header of a request.
    fn signed(&self, method: &Method, url: &Url, nonce: &str, moment: &str) -> String {
        let own = [
            ("oauth_consumer_key", self.client.as_str()),
            ("oauth_nonce", nonce),
            ("oauth_signature_method", "HMAC-SHA256"),
            ("oauth_timestamp", moment),
            ("oauth_token", self.token.as_str()),
            ("oauth_version", "1.0"),
        ];
        let own = own.map(|(name, value)| (encoded(name), encoded(value)));
        let asked = url.query_pairs();
        let asked = asked.map(|(name, value)| (encoded(&name), encoded(&value)));
        let mut all: Vec<(String, String)> = own.iter().cloned().chain(asked).collect();
        all.sort();
        let all: Vec<String> = all
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut bare = url.clone();
        bare.set_query(None);
        bare.set_fragment(None);
        let text = [method.as_str(), bare.as_str(), &all.join("&")]
            .map(encoded)
            .join("&");
        let signature = STANDARD.encode(hmac::sign(&self.key, text.as_bytes()));
        let realm = self
            .realm
            .iter()
            .map(|realm| format!("realm=\"{}\"", encoded(realm)));
        let own = own.iter().map(|(name, value)| format!("{name}=\"{value}\""));
        let end = [format!("oauth_signature=\"{}\"", encoded(&signature))];
        let parts: Vec<String> = realm.chain(own).chain(end).collect();
        format!("OAuth {}", parts.join(", "))
    }
}

/// Everything but letters, digits and `-._~` as percent signs with the bytes.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The text that is signed is that of RFC 5849, 3.4.1, for a query with what must be encoded and sorted.
    #[test]
    fn a_signature_covers_method_address_and_all_parameters() {
        let signer = Signer {
            client: "9djdj82h48djs9d2".to_owned(),
            token: "kkk9d7dh3k39sjv7".to_owned(),
            realm: Some("123 456_SB1".to_owned()),
            key: hmac::Key::new(hmac::HMAC_SHA256, b"j49sk3j29djd&dh893hdasih9"),
            random: SystemRandom::new(),
        };
        let url = "http://example.com/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b"
            .parse()
            .unwrap();
        let signed = signer.signed(&Method::POST, &url, "7d8f3e4a", "137131201");
        let text = "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26\
            oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA256%26\
            oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7%26oauth_version%3D1.0";
        let wanted = STANDARD.encode(hmac::sign(&signer.key, text.as_bytes()));
        assert!(
            signed.contains(&format!("oauth_signature=\"{}\"", encoded(&wanted))),
            "{signed}"
        );
        assert!(
            signed.starts_with("OAuth realm=\"123%20456_SB1\", oauth_consumer_key="),
            "{signed}"
        );
    }
}
