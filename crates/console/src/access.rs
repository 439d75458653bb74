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
    /// Who it is; their role is looked up with every request.
    name: String,
    /// The sign of the token that they signed in with; none where it was a link.
    token: Option<String>,
    until: Timestamp,
    /// What tells it from all others, so that it can be ended.
    nonce: String,
}

/// Who may come in.
pub struct Access {
    key: hmac::Key,
    /// What links of this start are signed with, beside the key: those of an earlier one sign in nobody.
    start: String,
    tokens: Vec<Token>,
    /// Links that were used, until they would have ended.
    used: Mutex<BTreeMap<Vec<u8>, Timestamp>>,
    /// Sessions that were ended, until they would have ended by themselves.
    ended: Mutex<BTreeMap<String, Timestamp>>,
    /// When wrong tokens were given.
    wrong: Mutex<Vec<Timestamp>>,
}

/// Makes a link's key that signs in once, with the key in a state's folder and what the process that works says of its
/// [start](Access::start): whoever may read both may do everything.
///
/// # Errors
/// The file cannot be read or made.
pub fn link_key(folder: &Path, start: &str, now: Timestamp) -> io::Result<String> {
    let key = key_of(folder)?;
    let until = now.checked_add(LINK).unwrap_or(now).as_second().to_be_bytes();
    let said = [&until[..], &random::<8>()?].concat();
    let sign = hmac::sign(&key, &signed(start, &said));
    Ok(URL_SAFE_NO_PAD.encode([&said, &sign.as_ref()[..SIGN]].concat()))
}

/// Bytes of a link's key that are its sign.
const SIGN: usize = 16;
/// Bytes of it that say until when, and keep it apart from all others.
const SAID: usize = 16;

/// What is signed of a link: no session begins so.
fn signed(start: &str, said: &[u8]) -> Vec<u8> {
    [b"link ".as_slice(), start.as_bytes(), b" ", said].concat()
}

/// The name of whoever signed in by a link; no token's holder has it.
pub const OWNER: &str = "owner";

/// The key in a folder, made where there is none; its owner alone may read it.
fn key_of(folder: &Path) -> io::Result<hmac::Key> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let file = folder.join(KEY);
    loop {
        match std::fs::read(&file) {
            Ok(secret) if secret.len() == 32 => return Ok(hmac::Key::new(hmac::HMAC_SHA256, &secret)),
            Ok(_) => {
                return Err(io::Error::other(format!(
                    "{} holds no key: delete it",
                    file.display()
                )));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // It comes to its name as a whole: a full disk or a crash leaves no half of one, and whoever is first wins.
        let beside = folder.join(format!("{KEY}.{}", URL_SAFE_NO_PAD.encode(random::<6>()?)));
        let mut options = std::fs::OpenOptions::new();
        let made = options.write(true).create_new(true).mode(0o600).open(&beside);
        let written =
            made.and_then(|mut made| made.write_all(&random::<32>()?).and_then(|()| made.sync_all()));
        let named = written.and_then(|()| std::fs::hard_link(&beside, &file));
        let _left = std::fs::remove_file(&beside);
        match named {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
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
            start: URL_SAFE_NO_PAD.encode(random::<12>()?),
            tokens,
            used: Mutex::default(),
            ended: Mutex::default(),
            wrong: Mutex::default(),
        })
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
        self.session(owner(), None, now)
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
        self.session(found?, Some(sign), now)
    }

    fn session(&self, person: Person, token: Option<String>, now: Timestamp) -> Option<(Person, String)> {
        let session = Session {
            name: person.name.clone(),
            token,
            until: now.checked_add(SESSION).ok()?,
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
        let Some(sign) = &session.token else {
            return (session.name == OWNER).then(owner);
        };
        let mut known = self.tokens.iter();
        let known = known.find(|known| known.person.name == session.name)?;
        (self.sign_of(&known.token) == *sign).then(|| known.person.clone())
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
        let mut sessions = sessions(headers, cookie);
        sessions.find_map(|session| self.person(&self.read(session, now)?))
    }

    /// Ends the sessions that a request comes with, wherever else they are.
    pub(crate) fn end(&self, headers: &HeaderMap, cookie: &str, now: Timestamp) {
        for session in sessions(headers, cookie).filter_map(|session| self.read(session, now)) {
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

/// The texts of the sessions that a request comes with.
fn sessions<'a>(headers: &'a HeaderMap, cookie: &'a str) -> impl Iterator<Item = &'a str> {
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
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn with(cookie: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, cookie.parse().unwrap());
        headers
    }

    fn folder(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("tandem-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_link_signs_in_once_not_after_its_hour_and_not_after_another_start() {
        let folder = folder("access");
        let access = Access::new(&folder, Vec::new()).unwrap();
        let noon = at("2026-03-01T12:00:00Z");
        let link = link_key(&folder, access.start(), noon).unwrap();
        let (person, session) = access.by_link(&link, noon).unwrap();
        assert_eq!(person.role, Role::Admin);
        assert_eq!(access.by_link(&link, noon), None, "it signs in once");
        let another = Access::new(&folder, Vec::new()).unwrap();
        assert_eq!(another.by_link(&link, noon), None, "it is one of another start");
        let later = link_key(&folder, access.start(), noon).unwrap();
        assert_eq!(access.by_link(&later, at("2026-03-01T13:00:01Z")), None);
        // A session is no link, and a link no session.
        assert_eq!(access.by_link(&session, noon), None);
        let headers = with(&format!("a=b; t={session}"));
        assert_eq!(access.by_session(&headers, "t", noon), Some(person.clone()));
        assert_eq!(
            another.by_session(&headers, "t", noon),
            Some(person),
            "sessions outlive a start"
        );
        assert_eq!(access.by_session(&headers, "other", noon), None);
        assert_eq!(access.by_session(&headers, "t", at("2026-03-02T01:00:00Z")), None);
        // One with another sign is nobody's, nor one that was ended.
        let forged = session.replace(&session[..4], "eyJx");
        assert_eq!(access.by_session(&with(&format!("t={forged}")), "t", noon), None);
        access.end(&headers, "t", noon);
        assert_eq!(access.by_session(&headers, "t", noon), None);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    fn ann(role: Role, token: &str) -> Token {
        Token {
            person: Person {
                name: "ann".to_owned(),
                role,
            },
            token: token.to_owned(),
        }
    }

    #[test]
    fn a_session_is_worth_what_its_person_is_now() {
        let folder = folder("persons");
        let noon = at("2026-03-01T12:00:00Z");
        let access = Access::new(&folder, vec![ann(Role::Admin, "s3cret")]).unwrap();
        let (_, session) = access.by_token("s3cret", noon).unwrap();
        let headers = with(&format!("t={session}"));
        let role = |tokens| {
            let access = Access::new(&folder, tokens).unwrap();
            access.by_session(&headers, "t", noon).map(|person| person.role)
        };
        assert_eq!(role(vec![ann(Role::Admin, "s3cret")]), Some(Role::Admin));
        assert_eq!(role(vec![ann(Role::Viewer, "s3cret")]), Some(Role::Viewer));
        assert_eq!(role(vec![ann(Role::Admin, "another")]), None);
        assert_eq!(role(Vec::new()), None);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn after_many_wrong_tokens_nobody_signs_in_by_the_form_for_a_minute_and_programs_go_on() {
        let folder = folder("tokens");
        let access = Access::new(&folder, vec![ann(Role::Operator, "s3cret")]).unwrap();
        let noon = at("2026-03-01T12:00:00Z");
        assert_eq!(access.by_token("s3cret", noon).unwrap().0.name, "ann");
        for _ in 0..WRONG {
            assert_eq!(access.by_token("guess", noon), None);
        }
        assert_eq!(access.by_token("s3cret", noon), None);
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, "Bearer s3cret".parse().unwrap());
        assert!(access.who(&headers, "t", noon).is_some());
        assert!(access.by_token("s3cret", at("2026-03-01T12:01:01Z")).is_some());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
