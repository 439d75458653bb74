//! Signing in by client credentials, and calls that carry the token.
//!
//! A token that has expired is renewed once, by one caller for all; the call is then repeated once. The
//! token goes to the configured host alone.

use crate::http::{Address, Failure, Http, Reply, Request, address, json};
use crate::{Error, ErrorKind};
use reqwest::Method;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value as Json;
use std::sync::Arc;
use tokio::sync::Mutex;
use url::form_urlencoded::Serializer;

/// A signed-in conversation with an org.
pub(super) struct Session {
    pub(super) http: Http,
    /// `/services/data/v62.0`.
    base: String,
    client_id: String,
    client_secret: SecretString,
    token: Mutex<Option<Arc<Token>>>,
}

/// An access token and whom it speaks for.
pub(super) struct Token {
    number: u64,
    header: HeaderValue,
    /// The user's id.
    pub(super) user: String,
    /// The organization's id.
    pub(super) organization: String,
}

impl Token {
    /// Which token it is, to say that it is stale.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The bare token, for what is no HTTP call.
    pub(super) fn access(&self) -> &str {
        let header = self.header.to_str().unwrap_or_default();
        header.strip_prefix("Bearer ").unwrap_or_default()
    }
}

impl Session {
    pub(super) fn new(
        address: Address,
        api_version: &str,
        client_id: String,
        client_secret: SecretString,
    ) -> Result<Self, Error> {
        Ok(Self {
            http: Http::new(address)?,
            base: format!("/services/data/{api_version}"),
            client_id,
            client_secret,
            token: Mutex::new(None),
        })
    }

    /// The path of a resource below the API's version.
    pub(super) fn path(&self, resource: &str) -> String {
        format!("{}{resource}", self.base)
    }

    /// The token in use; a new one where there is none, or where number `stale` is still it.
    pub(super) async fn token(&self, stale: Option<u64>) -> Result<Arc<Token>, Error> {
        // Held while signing in: whoever else needs a token waits for this one.
        let mut slot = self.token.lock().await;
        if let Some(token) = slot.as_ref()
            && Some(token.number) != stale
        {
            return Ok(Arc::clone(token));
        }
        let number = stale.map_or(1, |stale| stale + 1);
        let token = Arc::new(self.sign_in(number).await?);
        *slot = Some(Arc::clone(&token));
        Ok(token)
    }

    async fn sign_in(&self, number: u64) -> Result<Token, Error> {
        let form = Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", &self.client_id)
            .append_pair("client_secret", self.client_secret.expose_secret())
            .finish();
        let mut request = Request::new(Method::POST, "/services/oauth2/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .repeatable()
            .uncounted();
        request.body = Some(form.into_bytes());
        let reply = self.http.send(request).await.map_err(Failure::into_error)?;
        if !reply.is_success() {
            return Err(self.refused(&reply));
        }
        let body = reply.json();
        let strange = || self.http.protocol("the reply to the sign-in is not a token");
        let instance = json::text(&body, "instance_url").ok_or_else(strange)?;
        address::pin(self.http.system(), self.http.base(), instance)?;
        let token = json::text(&body, "access_token").ok_or_else(strange)?;
        let mut header = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| strange())?;
        header.set_sensitive(true);
        let identity = json::text(&body, "id").unwrap_or_default();
        let mut identity = identity.rsplit('/').map(str::to_owned);
        let user = identity.next().unwrap_or_default();
        let organization = identity.next().unwrap_or_default();
        tracing::debug!(system = self.http.system(), "{}: signed in", self.http.system());
        Ok(Token {
            number,
            header,
            user,
            organization,
        })
    }

    fn refused(&self, reply: &Reply) -> Error {
        let body = reply.json();
        let said = json::text(&body, "error").unwrap_or("no reason given");
        if reply.may_pass() {
            return self
                .http
                .down(format!("the sign-in was answered with {}", reply.status));
        }
        let message = format!("it refuses the sign-in ({said})");
        let advice = match said {
            "invalid_client_id" | "invalid_client" => {
                "Check client_id and client_secret in the configuration"
            }
            "inactive_user" => "Activate the user that the connected app runs as",
            "unsupported_grant_type" | "invalid_grant" => {
                "Enable the client credentials flow of the connected app, name the user it runs as, and use the My \
                 Domain address"
            }
            _ => "Check the address, client_id and client_secret in the configuration",
        };
        self.http.error(ErrorKind::SignIn, message, advice)
    }

    /// Sends a request with the token; a path is one below the API's version unless it begins with `/services`.
    pub(super) async fn send(&self, mut request: Request) -> Result<Reply, Failure> {
        if request.target.starts_with('/') && !request.target.starts_with("/services/") {
            request.target = self.path(&request.target);
        }
        let request = request.header("sforce-call-options", "client=tandem");
        let token = self.token(None).await.map_err(Failure::NotSent)?;
        let reply = self.send_as(&token, request.clone()).await?;
        if reply.status != 401 {
            return Ok(reply);
        }
        // Nothing was done: the token was not accepted.
        let token = self.token(Some(token.number)).await.map_err(Failure::NotSent)?;
        let second = self.send_as(&token, request).await?;
        Ok(Reply {
            repeated: reply.repeated || second.repeated,
            ..second
        })
    }

    async fn send_as(&self, token: &Token, mut request: Request) -> Result<Reply, Failure> {
        request.headers.insert("authorization", token.header.clone());
        self.http.send(request).await
    }

    /// A read that must succeed: its body and the reply around it.
    pub(super) async fn read(&self, request: Request) -> Result<(Json, Reply), Error> {
        let reply = self
            .send(request.repeatable())
            .await
            .map_err(Failure::into_error)?;
        if !reply.is_success() {
            return Err(super::refusal::error(&self.http, &reply));
        }
        match reply.json() {
            Json::Null => Err(self.http.protocol("a reply is not JSON")),
            body => Ok((body, reply)),
        }
    }
}
