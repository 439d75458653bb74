//! Sign-ins that were begun at a provider: bound to the browser that began them, good for once and for ten minutes.
//!
//! What is begun is kept in a cookie of the browser and nowhere else, so that nobody can fill a list by beginning. Of it,
//! with the key in the state's folder, everything is made that goes along: what leaves this machine tells nothing of the
//! cookie, and the cookie nothing of the rest.

use super::key::random;
use super::{Access, By, Person, WRONG, cookies};
use crate::provider::Guest;
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use ring::{digest, hmac};
use std::sync::PoisonError;

/// So long may somebody take at the provider.
pub(crate) const LASTS: SignedDuration = SignedDuration::from_mins(10);
/// Bytes of an attempt that say until when, and keep it apart from all others.
const SAID: usize = 40;

/// A sign-in that was begun.
pub(crate) struct Attempt {
    /// What the browser keeps.
    pub(crate) cookie: String,
    /// What the provider gives back with the browser.
    pub(crate) state: String,
    /// What the ID token must say.
    pub(crate) nonce: String,
    /// What shows the provider that whoever takes the code began it (RFC 7636).
    pub(crate) verifier: String,
}

impl Attempt {
    /// What the provider is told of the verifier before.
    pub(crate) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, self.verifier.as_bytes()))
    }
}

impl Access {
    /// Begins a sign-in at the provider. None where this machine gives no random numbers.
    pub(crate) fn begin(&self, now: Timestamp) -> Option<Attempt> {
        let until = now.checked_add(LASTS).ok()?.as_second().to_be_bytes();
        let said = [&until[..], &random::<{ SAID - 8 }>().ok()?].concat();
        Some(self.attempt(&said))
    }

    /// The attempt that a browser comes back with, once: it was begun in this browser and since this start, is no older
    /// than ten minutes, and is the one that the provider speaks of.
    pub(crate) fn come_back(
        &self,
        headers: &HeaderMap,
        cookie: &str,
        state: &str,
        now: Timestamp,
    ) -> Option<Attempt> {
        let mut known = cookies(headers, cookie).filter_map(|text| {
            let said = URL_SAFE_NO_PAD
                .decode(text)
                .ok()
                .filter(|said| said.len() == SAID)?;
            // Whoever knows a state does not know what it was made of, and nobody else makes one.
            let given = URL_SAFE_NO_PAD.decode(state).ok()?;
            hmac::verify(&self.key, &self.about("state", &said), &given).ok()?;
            let until = i64::from_be_bytes(said[..8].try_into().ok()?);
            let until = Timestamp::from_second(until).ok().filter(|until| *until > now)?;
            Some((said, until))
        });
        let (said, until) = known.next()?;
        let mut back = self.back.lock().unwrap_or_else(PoisonError::into_inner);
        back.retain(|_, until| *until > now);
        if back.insert(said.clone(), until).is_some() {
            return None;
        }
        drop(back);
        Some(self.attempt(&said))
    }

    fn attempt(&self, said: &[u8]) -> Attempt {
        let text = |of: &str| URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, &self.about(of, said)));
        Attempt {
            cookie: URL_SAFE_NO_PAD.encode(said),
            state: text("state"),
            nonce: text("nonce"),
            verifier: text("verifier"),
        }
    }

    /// What is signed: no link, token or session begins so.
    fn about(&self, of: &str, said: &[u8]) -> Vec<u8> {
        let start = self.start.as_bytes();
        [b"provider ".as_slice(), of.as_bytes(), b" ", start, b" ", said].concat()
    }

    /// Takes a turn at the provider; false where too many came to nothing within a minute. It counts as one that came to
    /// nothing until somebody came of it.
    pub(crate) fn turn(&self, now: Timestamp) -> bool {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        tried.retain(|at| now.duration_since(*at) < SignedDuration::from_mins(1));
        let free = tried.len() < WRONG;
        if free {
            tried.push(now);
        }
        free
    }

    /// Signs in whom the provider vouches for. None where the configuration gives them no role.
    pub(crate) fn by_provider(&self, guest: &Guest, turn: Timestamp) -> Option<(Person, String)> {
        let provider = self.provider.as_ref()?;
        let role = provider.role(&guest.marks)?;
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = tried.iter().position(|at| *at == turn) {
            tried.remove(place);
        }
        drop(tried);
        let taken = |name: &str| name == super::OWNER || self.tokens.iter().any(|it| it.person.name == name);
        let name = match taken(&guest.name) {
            true => format!("{} ({})", guest.name, guest.subject),
            false => guest.name.clone(),
        };
        let by = By::Provider {
            of: provider.sign(),
            marks: guest.marks.clone(),
        };
        self.session(Person { name, role }, by, provider.settings.session, turn)
    }
}
