//! Who may see and do what: links that sign in once, tokens, sessions, roles.
//!
//! Architecture invariant: everything but health and metrics, which name no record, asks here first.

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// The name of the key's file in the state's folder.
const KEY: &str = "console.key";
/// So long a link signs in.
const LINK: SignedDuration = SignedDuration::from_hours(1);
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
    person: Person,
    until: Timestamp,
}

/// Who may come in.
pub struct Access {
    key: hmac::Key,
    tokens: Vec<Token>,
    /// Links that were used, until they would have ended.
    used: Mutex<BTreeMap<Vec<u8>, Timestamp>>,
    /// When wrong tokens were given.
    wrong: Mutex<Vec<Timestamp>>,
}

/// Makes a link's key that signs in once, with the key in a state's folder: whoever may read that file may do everything.
///
/// # Errors
/// The file cannot be read or made.
pub fn link_key(folder: &Path, now: Timestamp) -> io::Result<String> {
    let key = key_of(folder)?;
    let until = now.checked_add(LINK).unwrap_or(now).as_second().to_be_bytes();
    let said = [&until[..], &random::<8>()?].concat();
    let sign = hmac::sign(&key, &signed(&said));
    Ok(URL_SAFE_NO_PAD.encode([&said, &sign.as_ref()[..SIGN]].concat()))
}

/// Bytes of a link's key that are its sign.
const SIGN: usize = 16;
/// Bytes of it that say until when, and keep it apart from all others.
const SAID: usize = 16;

/// What is signed of a link: no session begins so.
fn signed(said: &[u8]) -> Vec<u8> {
    [b"link ".as_slice(), said].concat()
}

/// The key in a folder, made where there is none; its owner alone may read it.
fn key_of(folder: &Path) -> io::Result<hmac::Key> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let file = folder.join(KEY);
    let secret = match std::fs::read(&file) {
        Ok(secret) if secret.len() == 32 => secret,
        Ok(_) => {
            return Err(io::Error::other(format!(
                "{} holds no key: delete it",
                file.display()
            )));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let secret = random::<32>()?.to_vec();
            let mut options = std::fs::OpenOptions::new();
            let made = options.write(true).create_new(true).mode(0o600).open(&file);
            match made {
                Ok(mut made) => made.write_all(&secret)?,
                // Another process made it at the same moment.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return key_of(folder),
                Err(error) => return Err(error),
            }
            secret
        }
        Err(error) => return Err(error),
    };
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &secret))
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| io::Error::other("this machine gives no random numbers"))?;
    Ok(bytes)
}

impl Access {
    /// Lets in whoever holds a link made with a folder's key, or a token.
    ///
    /// # Errors
    /// The key's file cannot be read or made.
    pub fn new(folder: &Path, tokens: Vec<Token>) -> io::Result<Self> {
        Ok(Self {
            key: key_of(folder)?,
            tokens,
            used: Mutex::default(),
            wrong: Mutex::default(),
        })
    }

    /// Signs in by a link's key, once. The answer is who it is and the session's text.
    pub(crate) fn by_link(&self, key: &str, now: Timestamp) -> Option<(Person, String)> {
        let bytes = URL_SAFE_NO_PAD.decode(key).ok()?;
        let (said, sign) = bytes
            .split_at_checked(SAID)
            .filter(|(_, sign)| sign.len() == SIGN)?;
        let own = hmac::sign(&self.key, &signed(said));
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
        let owner = Person {
            name: "owner".to_owned(),
            role: Role::Admin,
        };
        self.session(owner, now)
    }

    /// Signs in by a token. None where it is nobody's, or where too many wrong ones were given.
    pub(crate) fn by_token(&self, token: &str, now: Timestamp) -> Option<(Person, String)> {
        let person = self.holder(token, now)?;
        self.session(person, now)
    }

    fn session(&self, person: Person, now: Timestamp) -> Option<(Person, String)> {
        let session = Session {
            person: person.clone(),
            until: now.checked_add(SESSION).ok()?,
        };
        let text = serde_json::to_vec(&session).ok()?;
        let sign = hmac::sign(&self.key, &text);
        let parts = [&text, sign.as_ref()].map(|part| URL_SAFE_NO_PAD.encode(part));
        Some((person, parts.join(".")))
    }

    /// Who a session's text is of.
    fn read(&self, session: &str, now: Timestamp) -> Option<Person> {
        let (text, sign) = session.split_once('.')?;
        let text = URL_SAFE_NO_PAD.decode(text).ok()?;
        let sign = URL_SAFE_NO_PAD.decode(sign).ok()?;
        hmac::verify(&self.key, &text, &sign).ok()?;
        let session: Session = serde_json::from_slice(&text).ok()?;
        (session.until > now).then_some(session.person)
    }

    fn holder(&self, token: &str, now: Timestamp) -> Option<Person> {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.retain(|at| now.duration_since(*at) < SignedDuration::from_mins(1));
        if wrong.len() >= WRONG {
            return None;
        }
        let given = hmac::sign(&self.key, token.as_bytes());
        // All are compared, by their signs, so that the time it takes says nothing.
        let mut found = None;
        for known in &self.tokens {
            if hmac::verify(&self.key, known.token.as_bytes(), given.as_ref()).is_ok() {
                found = Some(known.person.clone());
            }
        }
        if found.is_none() {
            wrong.push(now);
        }
        found
    }

    /// Who a request comes from: by its session, or by its token.
    pub(crate) fn who(&self, headers: &HeaderMap, cookie: &str, now: Timestamp) -> Option<Person> {
        if let Some(token) = bearer(headers) {
            return self.holder(token.trim(), now);
        }
        self.by_session(headers, cookie, now)
    }

    /// Who a session is of.
    pub(crate) fn by_session(&self, headers: &HeaderMap, cookie: &str, now: Timestamp) -> Option<Person> {
        let cookies = headers.get_all(header::COOKIE).iter();
        let mut cookies = cookies
            .filter_map(|all| all.to_str().ok())
            .flat_map(|all| all.split(';'));
        cookies.find_map(|one| {
            let (name, value) = one.trim().split_once('=')?;
            (name == cookie).then(|| self.read(value, now))?
        })
    }
}

/// The token that a request carries.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let said = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    said.strip_prefix("Bearer ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_link_signs_in_once_and_not_after_its_hour() {
        let folder = std::env::temp_dir().join(format!("tandem-access-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let access = Access::new(&folder, Vec::new()).unwrap();
        let noon = at("2026-03-01T12:00:00Z");
        let link = link_key(&folder, noon).unwrap();
        let (person, session) = access.by_link(&link, noon).unwrap();
        assert_eq!(person.role, Role::Admin);
        assert_eq!(access.by_link(&link, noon), None, "it signs in once");
        let later = link_key(&folder, noon).unwrap();
        assert_eq!(access.by_link(&later, at("2026-03-01T13:00:01Z")), None);
        // A session is no link, and a link no session.
        assert_eq!(access.by_link(&session, noon), None);
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, format!("a=b; t={session}").parse().unwrap());
        assert_eq!(access.by_session(&headers, "t", noon), Some(person));
        assert_eq!(access.by_session(&headers, "other", noon), None);
        assert_eq!(access.by_session(&headers, "t", at("2026-03-02T01:00:00Z")), None);
        // One with another sign is nobody's.
        let forged = session.replace(&session[..4], "eyJx");
        headers.insert(header::COOKIE, format!("t={forged}").parse().unwrap());
        assert_eq!(access.by_session(&headers, "t", noon), None);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn wrong_tokens_are_counted_and_then_nobody_signs_in_for_a_minute() {
        let folder = std::env::temp_dir().join(format!("tandem-tokens-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let ann = Person {
            name: "ann".to_owned(),
            role: Role::Operator,
        };
        let token = Token {
            person: ann.clone(),
            token: "s3cret".to_owned(),
        };
        let access = Access::new(&folder, vec![token]).unwrap();
        let noon = at("2026-03-01T12:00:00Z");
        assert_eq!(access.by_token("s3cret", noon).unwrap().0, ann);
        for _ in 0..WRONG {
            assert_eq!(access.by_token("guess", noon), None);
        }
        assert_eq!(access.by_token("s3cret", noon), None);
        assert!(access.by_token("s3cret", at("2026-03-01T12:01:01Z")).is_some());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
