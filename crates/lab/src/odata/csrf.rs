//! Tokens that a change has to carry, each with the cookie of its session.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, Method, StatusCode, header};

use super::refusal::Refusal;

const COOKIE: &str = "SAP_SESSIONID_LOC";

/// The sessions with their tokens.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<BTreeMap<String, String>>);

/// What an answer tells a client that asked for a token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) token: String,
    /// The whole `Set-Cookie`, for a session that is new.
    pub(crate) cookie: Option<String>,
}

impl Sessions {
    /// Lets a request pass, and gives it a token where it asks for one.
    ///
    /// # Errors
    /// 403 for a change without the token of its session.
    pub(crate) fn pass(&self, method: &Method, headers: &HeaderMap) -> Result<Option<Ticket>, Refusal> {
        let said = headers.get("x-csrf-token").and_then(|value| value.to_str().ok());
        let session = session(headers);
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
            if !said.is_some_and(|said| said.eq_ignore_ascii_case("fetch")) {
                return Ok(None);
            }
            if let Some(token) = session.and_then(|session| sessions.get(&session)) {
                return Ok(Some(Ticket {
                    token: token.clone(),
                    cookie: None,
                }));
            }
            let (id, token) = (random(), random());
            sessions.insert(id.clone(), token.clone());
            let cookie = format!("{COOKIE}={id}; path=/; HttpOnly");
            return Ok(Some(Ticket {
                token,
                cookie: Some(cookie),
            }));
        }
        let known = session.and_then(|session| sessions.get(&session).cloned());
        if known.is_some() && known.as_deref() == said {
            return Ok(None);
        }
        let mut refusal = Refusal::new(StatusCode::FORBIDDEN, "CSRF", "CSRF token validation failed");
        refusal.plain = true;
        Err(refusal.with("x-csrf-token", "Required"))
    }

    /// Ends all sessions.
    pub(crate) fn end(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// The session that a request's cookies name.
fn session(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter();
    let mut pairs = cookies
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'));
    pairs.find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE).then(|| value.to_owned())
    })
}

/// A text that nobody guesses.
pub(crate) fn random() -> String {
    use ring::rand::SecureRandom;
    let mut bytes = [0_u8; 16];
    // Where the system has no random numbers, nothing that needs them can be trusted to start.
    let filled = ring::rand::SystemRandom::new().fill(&mut bytes);
    debug_assert!(filled.is_ok());
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
