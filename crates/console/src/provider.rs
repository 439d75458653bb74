//! Signing in with a provider of OpenID Connect: authorization code flow with PKCE (Core 1.0, RFC 7636, RFC 9207).
//!
//! What holds: nothing is asked of the provider before somebody wants to sign in; a browser that comes back is the one
//! that left, once; and what the provider says is believed by its signature, for us, for this sign-in and for this moment.
//! The provider says who somebody is; what they may do the configuration says.

mod document;
mod exchange;
mod id_token;
mod marks;
mod refusal;
mod signature;

pub use marks::Mark;
pub(crate) use refusal::Refusal;

use crate::access::{Attempt, Role};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use document::Document;
use id_token::Expected;
use jiff::{SignedDuration, Timestamp};
use reqwest::{Client, Url};
use ring::digest;
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// So long is a description believed without asking again.
const KNOWN: Duration = Duration::from_mins(10);
/// So long is a provider that does not answer left alone.
const AWAY: Duration = Duration::from_secs(3);

/// A provider, and who gets which role.
pub struct Settings {
    /// The provider, as it calls itself.
    pub issuer: String,
    /// What people know it as.
    pub called: String,
    /// What it knows us as.
    pub client_id: String,
    /// What shows it that we are who we say; none: it asks for no such thing.
    pub client_secret: Option<String>,
    /// Where people's browsers reach the console, without a path; none: at the address that it listens at.
    pub reached_at: Option<String>,
    /// What it is asked for besides who somebody is.
    pub scopes: Vec<String>,
    /// The claim that names groups.
    pub groups_claim: String,
    /// Who gets which role; of several the highest.
    pub roles: Vec<(Mark, Role)>,
    /// So long a session lasts.
    pub session: SignedDuration,
}

/// Somebody whom the provider vouches for.
#[derive(Debug)]
pub(crate) struct Guest {
    /// What the log calls them.
    pub(crate) name: String,
    /// What the provider tells them from all others by.
    pub(crate) subject: String,
    /// What the configuration gives a role for.
    pub(crate) marks: Vec<Mark>,
}

/// What a browser brings back from the provider.
#[derive(Deserialize)]
pub(crate) struct Brought {
    pub(crate) state: Option<String>,
    code: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

/// How a provider describes itself, or why nobody knows.
type Described = Result<Arc<Document>, Refusal>;

/// A provider that people sign in with.
pub struct Provider {
    pub(crate) settings: Settings,
    client: Client,
    /// When it was asked to describe itself, and what came of that.
    document: Mutex<Option<(Instant, Described)>>,
}

impl Provider {
    /// A provider, asked by a client that follows no redirect and does not wait for ever.
    #[must_use]
    pub fn new(settings: Settings, client: Client) -> Self {
        Self {
            settings,
            client,
            document: Mutex::default(),
        }
    }

    /// What tells it from all others: sessions of another one, or of another client of it, are nobody's here.
    pub(crate) fn sign(&self) -> String {
        let both = format!("{} {}", self.settings.issuer, self.settings.client_id);
        let sum = digest::digest(&digest::SHA256, both.as_bytes());
        URL_SAFE_NO_PAD.encode(&sum.as_ref()[..12])
    }

    /// The role of whoever has these marks, by what is configured now.
    pub(crate) fn role(&self, marks: &[Mark]) -> Option<Role> {
        let given = self.settings.roles.iter();
        let given = given.filter(|(mark, _)| marks.contains(mark));
        given.map(|(_, role)| *role).max()
    }

    /// Where a browser goes to sign in.
    pub(crate) async fn begin(&self, attempt: &Attempt, back: &str) -> Result<Url, Refusal> {
        let document = self.document().await?;
        let mut scopes = vec!["openid", "email", "profile"];
        scopes.extend(self.settings.scopes.iter().map(String::as_str));
        let mut address = document.authorization.clone();
        address
            .query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", back)
            .append_pair("scope", &scopes.join(" "))
            .append_pair("state", &attempt.state)
            .append_pair("nonce", &attempt.nonce)
            .append_pair("code_challenge", &attempt.challenge())
            .append_pair("code_challenge_method", "S256");
        Ok(address)
    }

    /// Who somebody is, by what their browser brought back.
    pub(crate) async fn finish(
        &self,
        brought: &Brought,
        attempt: &Attempt,
        back: &str,
        now: Timestamp,
    ) -> Result<Guest, Refusal> {
        let document = self.document().await?;
        self.is_its_own(brought, &document)?;
        if let Some(error) = &brought.error {
            return Err(Refusal::by_provider(error));
        }
        let code = brought
            .code
            .as_deref()
            .ok_or_else(|| Refusal::untrue("it brought no code"))?;
        let tokens = self.exchange(&document, code, &attempt.verifier, back).await?;
        let keys = self.get(document.keys.clone(), None, "its keys").await?;
        let expected = Expected {
            issuer: &self.settings.issuer,
            client_id: &self.settings.client_id,
            nonce: &attempt.nonce,
            now,
        };
        let said = id_token::read(&tokens.id_token, &keys, &expected).map_err(Refusal::untrue)?;
        let more = match marks::says_all(&self.settings, &said) {
            true => Map::new(),
            false => self.more(&document, &tokens, &said).await?,
        };
        Ok(marks::guest(&self.settings, &said, &more))
    }

    /// Where a browser goes to sign out at the provider, too; none where it was not asked yet, or says no such place.
    pub(crate) fn way_out(&self) -> Option<Url> {
        let known = self.document.try_lock().ok()?;
        let (_, read) = known.as_ref()?;
        let mut address = read.as_ref().ok()?.end_session.clone()?;
        address
            .query_pairs_mut()
            .append_pair("client_id", &self.settings.client_id);
        Some(address)
    }

    /// Whether an answer is this provider's and not another one's (RFC 9207).
    fn is_its_own(&self, brought: &Brought, document: &Document) -> Result<(), Refusal> {
        match &brought.iss {
            Some(issuer) if *issuer != self.settings.issuer => {
                Err(Refusal::untrue("another provider than ours sent it"))
            }
            None if document.names_itself => Err(Refusal::untrue("it does not say which provider sent it")),
            _ => Ok(()),
        }
    }

    /// How the provider describes itself. Whoever comes while it is asked waits for that answer.
    async fn document(&self) -> Described {
        let mut known = self.document.lock().await;
        if let Some((at, read)) = &*known
            && at.elapsed() < if read.is_ok() { KNOWN } else { AWAY }
        {
            return read.clone();
        }
        let read = self.read_document().await.map(Arc::new);
        *known = Some((Instant::now(), read.clone()));
        read
    }

    async fn read_document(&self) -> Result<Document, Refusal> {
        let address = document::address(&self.settings.issuer)
            .ok_or_else(|| Refusal::unfit("`issuer` is no address that begins with https://"))?;
        let said = self.get(address, None, "its description").await?;
        Document::read(&said, &self.settings.issuer).map_err(Refusal::unfit)
    }

    /// What it says of somebody where it is asked once more, with what it gave for that.
    async fn more(
        &self,
        document: &Document,
        tokens: &exchange::Tokens,
        said: &Map<String, Json>,
    ) -> Result<Map<String, Json>, Refusal> {
        let (Some(address), Some(token)) = (&document.userinfo, &tokens.access_token) else {
            return Ok(Map::new());
        };
        let more = self.get(address.clone(), Some(token), "who somebody is").await?;
        match more {
            Json::Object(more) if more.get("sub") == said.get("sub") => Ok(more),
            _ => Err(Refusal::untrue("it speaks of two people")),
        }
    }
}
