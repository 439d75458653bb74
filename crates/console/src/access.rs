//! Who may see and do what: links that sign in once, tokens, sessions, roles.
//!
//! Architecture invariant: everything but health and metrics, which name no record, asks here first.

mod attempt;
mod key;

pub(crate) use attempt::{Attempt, LASTS};
pub use key::link_key;

use crate::provider::{Mark, Provider};

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use key::{SAID, SIGN, key_of, random, signed};
use ring::hmac;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// So long a session lasts.
const SESSION: SignedDuration = SignedDuration::from_hours(12);
/// So many wrong tokens within a minute, and nobody signs in for the rest of it.
const WRONG: usize = 10;

/// What somebody may do. Each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Looks; personal values are masked.
    Viewer,
    /// Answers, approves, retries, pauses.
    Operator,
    /// Sees personal values, and takes changes back.
    Admin,
}

/// Somebody who signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The name, for the log of who did what.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

/// Somebody who signs in with a token.
#[derive(Clone)]
pub struct Token {
    /// Who it is.
    pub person: Person,
    /// The token.
    pub token: String,
}

/// What a session says, signed.
#[derive(Serialize, Deserialize)]
struct Session {
    /// Who it is; their role is looked up with every request.
    name: String,
    /// What they signed in with.
    by: By,
    until: Timestamp,
    /// What tells it from all others, so that it can be ended.
    nonce: String,
}

/// What somebody signed in with.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum By {
    /// A link.
    Link,
    /// A token, by its sign.
    Token(String),
    /// The provider.
    Provider {
        /// The sign of the provider: of another one it says nothing.
        of: String,
        /// What the provider said that the configuration gives a role for.
        marks: Vec<Mark>,
    },
}

/// Who may come in.
pub struct Access {
    key: hmac::Key,
    /// What links of this start are signed with, beside the key: those of an earlier one sign in nobody.
    start: String,
    tokens: Vec<Token>,
    /// The provider that people sign in with; none: nobody does.
    pub(crate) provider: Option<Provider>,
    /// What was begun at the provider and came back, until it would have ended.
    back: Mutex<BTreeMap<Vec<u8>, Timestamp>>,
    /// When a sign-in by the provider was tried and nobody came of it.
    tried: Mutex<Vec<Timestamp>>,
    /// Links that were used, until they would have ended.
    used: Mutex<BTreeMap<Vec<u8>, Timestamp>>,
    /// Sessions that were ended, until they would have ended by themselves.
    ended: Mutex<BTreeMap<String, Timestamp>>,
    /// When wrong tokens were given.
    wrong: Mutex<Vec<Timestamp>>,
}

/// The name of whoever signed in by a link; no token's holder has it.
pub const OWNER: &str = "owner";

impl Access {
    /// Lets in whoever holds a link made with a folder's key, or a token.
    ///
    /// # Errors
    /// The key's file cannot be read or made.
    pub fn new(folder: &Path, tokens: Vec<Token>) -> io::Result<Self> {
        Ok(Self {
            key: key_of(folder)?,
            start: URL_SAFE_NO_PAD.encode(random::<12>()?),
            tokens,
            provider: None,
            back: Mutex::default(),
            tried: Mutex::default(),
            used: Mutex::default(),
            ended: Mutex::default(),
            wrong: Mutex::default(),
        })
    }

    /// Lets people sign in with a provider, too.
    #[must_use]
    pub fn with_provider(mut self, provider: Option<Provider>) -> Self {
        self.provider = provider;
        self
    }

    /// What links of this start are made with, beside the key.
    #[must_use]
    pub fn start(&self) -> &str {
        &self.start
    }

    /// Signs in by a link's key, once. The answer is who it is and the session's text.
    pub(crate) fn by_link(&self, key: &str, now: Timestamp) -> Option<(Person, String)> {
        let bytes = URL_SAFE_NO_PAD.decode(key).ok()?;
        let (said, sign) = bytes
            .split_at_checked(SAID)
            .filter(|(_, sign)| sign.len() == SIGN)?;
        let own = hmac::sign(&self.key, &signed(&self.start, said));
        // The time that it takes says nothing about where the two differ: what is compared are signs of the signs.
        let again = hmac::sign(&self.key, &own.as_ref()[..SIGN]);
        hmac::verify(&self.key, sign, again.as_ref()).ok()?;
        let until = i64::from_be_bytes(said[..8].try_into().ok()?);
        let until = Timestamp::from_second(until).ok().filter(|until| *until > now)?;
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, until| *until > now);
        if used.insert(said.to_vec(), until).is_some() {
            return None;
        }
        drop(used);
        self.session(owner(), By::Link, SESSION, now)
    }

    /// Signs in by a token. None where it is nobody's, or where too many wrong ones were given here.
    pub(crate) fn by_token(&self, token: &str, now: Timestamp) -> Option<(Person, String)> {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.retain(|at| now.duration_since(*at) < SignedDuration::from_mins(1));
        let found = if wrong.len() < WRONG {
            self.holder(token)
        } else {
            None
        };
        if found.is_none() {
            wrong.push(now);
            tracing::warn!(target: "tandem::audit", "a token that is nobody's was given to sign in with");
        }
        drop(wrong);
        let sign = self.sign_of(token);
        self.session(found?, By::Token(sign), SESSION, now)
    }

    fn session(
        &self,
        person: Person,
        by: By,
        lasts: SignedDuration,
        now: Timestamp,
    ) -> Option<(Person, String)> {
        let session = Session {
            name: person.name.clone(),
            by,
            until: now.checked_add(lasts).ok()?,
            nonce: URL_SAFE_NO_PAD.encode(random::<9>().ok()?),
        };
        let text = serde_json::to_vec(&session).ok()?;
        let sign = hmac::sign(&self.key, &text);
        let parts = [&text, sign.as_ref()].map(|part| URL_SAFE_NO_PAD.encode(part));
        Some((person, parts.join(".")))
    }

    /// What a session's text says, where it is one of ours that has not ended.
    fn read(&self, session: &str, now: Timestamp) -> Option<Session> {
        let (text, sign) = session.split_once('.')?;
        let text = URL_SAFE_NO_PAD.decode(text).ok()?;
        let sign = URL_SAFE_NO_PAD.decode(sign).ok()?;
        hmac::verify(&self.key, &text, &sign).ok()?;
        let session: Session = serde_json::from_slice(&text).ok()?;
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        (session.until > now && !ended.contains_key(&session.nonce)).then_some(session)
    }

    /// Who a session is of, by what is configured now: whoever was taken out, or got another token, is nobody.
    fn person(&self, session: &Session) -> Option<Person> {
        match &session.by {
            By::Link => (session.name == OWNER).then(owner),
            By::Token(sign) => {
                let mut known = self.tokens.iter();
                let known = known.find(|known| known.person.name == session.name)?;
                (self.sign_of(&known.token) == *sign).then(|| known.person.clone())
            }
            By::Provider { of, marks } => {
                let provider = self.provider.as_ref().filter(|provider| provider.sign() == *of)?;
                Some(Person {
                    name: session.name.clone(),
                    role: provider.role(marks)?,
                })
            }
        }
    }

    /// What tells a token from all others without being it.
    fn sign_of(&self, token: &str) -> String {
        let sign = hmac::sign(&self.key, &[b"token ".as_slice(), token.as_bytes()].concat());
        URL_SAFE_NO_PAD.encode(&sign.as_ref()[..SIGN])
    }

    fn holder(&self, token: &str) -> Option<Person> {
        let given = hmac::sign(&self.key, token.as_bytes());
        // All are compared, by their signs, so that the time it takes says nothing.
        let mut found = None;
        for known in &self.tokens {
            if hmac::verify(&self.key, known.token.as_bytes(), given.as_ref()).is_ok() {
                found = Some(known.person.clone());
            }
        }
        found
    }

    /// Who a request comes from: by its session, or by its token.
    pub(crate) fn who(&self, headers: &HeaderMap, cookie: &str, now: Timestamp) -> Option<Person> {
        match bearer(headers) {
            Some(token) => self.holder(token.trim()),
            None => self.by_session(headers, cookie, now),
        }
    }

    /// Who a session is of.
    pub(crate) fn by_session(&self, headers: &HeaderMap, cookie: &str, now: Timestamp) -> Option<Person> {
        let mut sessions = cookies(headers, cookie);
        sessions.find_map(|session| self.person(&self.read(session, now)?))
    }

    /// Ends the sessions that a request comes with, wherever else they are.
    pub(crate) fn end(&self, headers: &HeaderMap, cookie: &str, now: Timestamp) {
        for session in cookies(headers, cookie).filter_map(|session| self.read(session, now)) {
            let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
            ended.retain(|_, until| *until > now);
            ended.insert(session.nonce, session.until);
        }
    }
}

/// Whoever signed in by a link.
fn owner() -> Person {
    Person {
        name: OWNER.to_owned(),
        role: Role::Admin,
    }
}

/// The values of a cookie that a request comes with.
fn cookies<'a>(headers: &'a HeaderMap, cookie: &'a str) -> impl Iterator<Item = &'a str> {
    let cookies = headers.get_all(header::COOKIE).iter();
    let cookies = cookies
        .filter_map(|all| all.to_str().ok())
        .flat_map(|all| all.split(';'));
    cookies.filter_map(move |one| {
        let (name, value) = one.trim().split_once('=')?;
        (name == cookie).then_some(value)
    })
}

/// The token that a request carries.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let said = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    said.strip_prefix("Bearer ")
}

#[cfg(test)]
mod tests;
