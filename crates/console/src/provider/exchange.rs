//! What is asked of the provider itself, past the browser.

use super::document::Document;
use super::{Provider, Refusal};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{RequestBuilder, StatusCode, Url};
use serde::Deserialize;
use serde_json::Value as Json;
use url::form_urlencoded::byte_serialize;

/// The longest answer that is read.
const LONGEST: usize = 512 * 1024;

/// What it gives for a code.
#[derive(Deserialize)]
pub(super) struct Tokens {
    pub(super) id_token: String,
    pub(super) access_token: Option<String>,
}

impl Provider {
    /// Gives the code and takes tokens for it. A provider may know one way alone in which a client shows its secret, and
    /// does not tell which: whoever is not known in a header is asked about once more, in the form.
    pub(super) async fn exchange(
        &self,
        document: &Document,
        code: &str,
        verifier: &str,
        back: &str,
    ) -> Result<Tokens, Refusal> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", back),
            ("code_verifier", verifier),
        ];
        let header = self.settings.client_secret.is_some() && !document.secret_in_body;
        let (mut status, mut said) = self.token(document, &form, header).await?;
        if header && said["error"] == "invalid_client" {
            (status, said) = self.token(document, &form, false).await?;
        }
        if status.is_success() {
            let tokens = Tokens::deserialize(said);
            return tokens.map_err(|_| Refusal::untrue("it gave no ID token for the code"));
        }
        Err(match said["error"].as_str() {
            Some("invalid_grant") => Refusal::untrue("the provider does not take its code"),
            Some("invalid_client" | "unauthorized_client") => {
                Refusal::unfit("it does not know `client_id` with `client_secret`")
            }
            _ => Refusal::away(format!("it answers {status} to a code")),
        })
    }

    /// What is answered to a form, with who we are in a header or in the form itself.
    async fn token(
        &self,
        document: &Document,
        form: &[(&str, &str)],
        header: bool,
    ) -> Result<(StatusCode, Json), Refusal> {
        let (id, secret) = (
            self.settings.client_id.as_str(),
            self.settings.client_secret.as_deref(),
        );
        let (mut form, mut request) = (form.to_vec(), self.client.post(document.token.clone()));
        match secret {
            Some(secret) if header => request = request.header("authorization", basic(id, secret)),
            secret => {
                form.push(("client_id", id));
                form.extend(secret.map(|secret| ("client_secret", secret)));
            }
        }
        answer(request.form(&form)).await
    }

    /// What stands at an address of the provider.
    pub(super) async fn get(&self, address: Url, token: Option<&str>, what: &str) -> Result<Json, Refusal> {
        let mut request = self.client.get(address).header("accept", "application/json");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let (status, said) = answer(request).await?;
        match status.is_success() && said.is_object() {
            true => Ok(said),
            false => Err(Refusal::away(format!("it answers {status} where it says {what}"))),
        }
    }
}

/// How a client says who it is (RFC 6749, 2.3.1): both are encoded before they are put together.
fn basic(id: &str, secret: &str) -> String {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let both = format!("{}:{}", encoded(id), encoded(secret));
    format!("Basic {}", STANDARD.encode(both))
}

/// The status of an answer, and its JSON; nothing where it is none.
async fn answer(request: RequestBuilder) -> Result<(StatusCode, Json), Refusal> {
    let away = |error: reqwest::Error| Refusal::away(root(&error));
    let mut reply = request.send().await.map_err(away)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = reply.chunk().await.map_err(away)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > LONGEST {
            return Err(Refusal::away("it answers with more than anybody reads"));
        }
    }
    Ok((reply.status(), serde_json::from_slice(&bytes).unwrap_or_default()))
}

/// The innermost cause: "connection refused" rather than "error sending request". It names no address.
fn root(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it takes too long".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_secret_with_signs_of_its_own_arrives_as_it_is() {
        let said = basic("a:b", "s p&c%=ü");
        let said = STANDARD.decode(said.strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(String::from_utf8(said).unwrap(), "a%3Ab:s+p%26c%25%3D%C3%BC");
    }
}
