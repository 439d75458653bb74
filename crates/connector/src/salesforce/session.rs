//! Calls that carry the token.
//!
//! A token that has expired is renewed once, by one caller for all; the call is then repeated once. The
//! token goes to the org's own host alone.

use super::ledger::Ledger;
use super::oauth::{Grant, Granted};
use crate::Error;
use crate::http::{Address, Failure, Http, Reply, Request};
use reqwest::header::HeaderValue;
use serde_json::Value as Json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// A signed-in conversation with an org.
pub(super) struct Session {
    pub(super) http: Http,
    /// `/services/data/v62.0`.
    base: String,
    grant: Grant,
    pub(super) ledger: Arc<Ledger>,
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
        grant: Grant,
        ledger: Arc<Ledger>,
    ) -> Result<Self, Error> {
        Ok(Self {
            http: Http::new(Address {
                meter: Some(Arc::clone(&ledger) as _),
                ..address
            })?,
            base: format!("/services/data/{api_version}"),
            grant,
            ledger,
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
        let Granted {
            header,
            user,
            organization,
            instance,
        } = self.grant.sign_in(&self.http).await?;
        self.http.move_to(instance);
        tracing::debug!(system = self.http.system(), "{}: signed in", self.http.system());
        Ok(Token {
            number,
            header,
            user,
            organization,
        })
    }

    /// Asks for the org's limits, where the last answer is no longer fresh.
    pub(super) async fn measure(&self) -> Result<(), Error> {
        if self.ledger.is_stale() {
            self.greet().await?;
        }
        Ok(())
    }

    /// Asks for the org's limits, which shows whether it answers at all.
    pub(super) async fn greet(&self) -> Result<(), Error> {
        let (body, _) = self.read(Request::get("/limits")).await?;
        self.ledger.learn_limits(&body);
        Ok(())
    }

    /// Sends a request with the token; a path is one below the API's version unless it begins with `/services`.
    pub(super) async fn send(&self, mut request: Request) -> Result<Reply, Failure> {
        if request.target.starts_with('/') && !request.target.starts_with("/services/") {
            request.target = self.path(&request.target);
        }
        let request = request.header("sforce-call-options", "client=tandem");
        let token = self.token(None).await.map_err(Failure::NotSent)?;
        if let Ok(pause) = Duration::try_from(self.ledger.pause())
            && !pause.is_zero()
        {
            tokio::time::sleep(pause).await;
        }
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
        let reply = self.send(request.reading()).await.map_err(Failure::into_error)?;
        if !reply.is_success() {
            return Err(super::refusal::error(&self.http, &reply));
        }
        match reply.json() {
            Json::Null => Err(self.http.protocol("a reply is not JSON")),
            body => Ok((body, reply)),
        }
    }
}
