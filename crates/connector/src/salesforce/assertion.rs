//! The signed assertion of the JWT bearer grant: RS256 over three claims and an end.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use secrecy::SecretString;
use serde_json::json;
use url::Url;

/// How long an assertion lives, in seconds; Salesforce takes at most three minutes.
const LIFETIME: i64 = 120;

/// An RSA key that signs.
pub(super) struct PrivateKey(RsaKeyPair);

/// What an assertion says.
pub(super) struct Claims<'a> {
    pub(super) client_id: &'a str,
    pub(super) user: &'a str,
    pub(super) audience: &'a str,
    pub(super) now: Timestamp,
}

/// What is wrong with a key, and what to do.
type Unfit = (String, String);

impl PrivateKey {
    /// Reads an RSA key in PEM, PKCS#1 or PKCS#8.
    ///
    /// # Errors
    /// It is something else; the text is never repeated.
    pub(super) fn from_pem(pem: &str) -> Result<Self, Unfit> {
        let make = "Make one with `openssl genrsa -out key.pem 2048` and upload its certificate to the connected app";
        let unfit = |what: &str, advice: &str| (format!("the private key {what}"), advice.to_owned());
        let label = pem
            .lines()
            .find_map(|line| line.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----"));
        let read = match label {
            Some("PRIVATE KEY") => RsaKeyPair::from_pkcs8,
            Some("RSA PRIVATE KEY") if !pem.contains("ENCRYPTED") => RsaKeyPair::from_der,
            Some("ENCRYPTED PRIVATE KEY" | "RSA PRIVATE KEY") => {
                return Err(unfit(
                    "is locked with a password",
                    "Unlock it: `openssl rsa -in key.pem -out unlocked.pem`, and keep that file readable by its owner alone",
                ));
            }
            Some("CERTIFICATE") => {
                return Err(unfit(
                    "is a certificate",
                    "Name the file of the key that belongs to it",
                ));
            }
            Some("PUBLIC KEY" | "RSA PUBLIC KEY") => {
                return Err(unfit("is a public key", "Name the file of the private key"));
            }
            Some("EC PRIVATE KEY" | "OPENSSH PRIVATE KEY") => {
                return Err(unfit("is no RSA key in PEM", make));
            }
            _ => return Err(unfit("is no PEM text (PKCS#1 or PKCS#8)", make)),
        };
        let body: String = pem
            .lines()
            .map(str::trim)
            .skip_while(|line| !line.starts_with("-----BEGIN "))
            .skip(1)
            .take_while(|line| !line.starts_with("-----END "))
            .collect();
        let broken = |_| unfit("cannot be read: its text is damaged", make);
        let der = STANDARD.decode(body).map_err(broken)?;
        let key = read(&der).map_err(|why| unfit(&format!("cannot be used ({why})"), make))?;
        Ok(Self(key))
    }

    /// A signed assertion; none where the machine has no randomness.
    pub(super) fn assertion(&self, claims: &Claims<'_>) -> Option<SecretString> {
        let header = json!({ "alg": "RS256", "typ": "JWT" });
        let body = json!({
            "iss": claims.client_id,
            "sub": claims.user,
            "aud": claims.audience,
            "exp": claims.now.as_second() + LIFETIME,
        });
        let part = |json: &serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(&header), part(&body));
        let mut signature = vec![0; self.0.public().modulus_len()];
        self.0
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .ok()?;
        Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)).into())
    }
}

/// Whom an assertion is for: the login host of the org, or the address itself where it is none of Salesforce's.
pub(super) fn audience(door: &Url) -> String {
    match door.host_str().unwrap_or_default() {
        "test.salesforce.com" => "https://test.salesforce.com".to_owned(),
        host if host.ends_with(".sandbox.my.salesforce.com") => "https://test.salesforce.com".to_owned(),
        host if host.ends_with(".salesforce.com") => "https://login.salesforce.com".to_owned(),
        _ => door.origin().ascii_serialization(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_no_rsa_key_is_refused_with_words_that_help() {
        let pem = |label: &str| format!("-----BEGIN {label}-----\nc2VjcmV0\n-----END {label}-----\n");
        let cases = [
            ("ENCRYPTED PRIVATE KEY", "locked with a password"),
            ("CERTIFICATE", "is a certificate"),
            ("PUBLIC KEY", "public key"),
            ("EC PRIVATE KEY", "no RSA key"),
            ("PRIVATE KEY", "cannot be used"),
        ];
        for (label, said) in cases {
            let Err((message, advice)) = PrivateKey::from_pem(&pem(label)) else {
                panic!("{label} was taken")
            };
            assert!(message.contains(said), "{message}");
            assert!(!message.contains("c2VjcmV0") && !advice.is_empty());
        }
        assert!(PrivateKey::from_pem("secret").is_err_and(|(message, _)| message.contains("no PEM")));
    }

    #[test]
    fn the_audience_is_the_login_host() {
        let of = |url: &str| audience(&url.parse().unwrap());
        assert_eq!(
            of("https://acme.my.salesforce.com"),
            "https://login.salesforce.com"
        );
        assert_eq!(
            of("https://acme--x.sandbox.my.salesforce.com"),
            "https://test.salesforce.com"
        );
        assert_eq!(of("http://127.0.0.1:81/"), "http://127.0.0.1:81");
    }
}
