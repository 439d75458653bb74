//! Access tokens: who they speak for, and until when.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::id::RecordId;

/// The tokens given out.
pub(crate) struct Sessions {
    secret: [u8; 32],
    given: u64,
    lifetime: i64,
    tokens: HashMap<String, Session>,
}

#[derive(Debug, Clone, Copy)]
struct Session {
    user: RecordId,
    expires: i64,
}

impl Sessions {
    /// `lifetime` in seconds.
    pub(crate) fn new(seed: u64, lifetime: i64) -> Sessions {
        let secret = Sha256::digest([&b"local org "[..], &seed.to_be_bytes()].concat()).into();
        Sessions {
            secret,
            given: 0,
            lifetime,
            tokens: HashMap::new(),
        }
    }

    /// A new token for the user.
    pub(crate) fn open(&mut self, organization: RecordId, user: RecordId, now: i64) -> String {
        self.tokens.retain(|_, session| session.expires > now);
        self.given += 1;
        let noise = Sha256::digest([&self.secret[..], &self.given.to_be_bytes()].concat());
        let token = format!("{}!{}", organization.short(), URL_SAFE_NO_PAD.encode(noise));
        self.tokens.insert(
            token.clone(),
            Session {
                user,
                expires: now + self.lifetime,
            },
        );
        token
    }

    /// The user a token speaks for, while it is valid.
    pub(crate) fn user(&self, token: &str, now: i64) -> Option<RecordId> {
        self.tokens
            .get(token)
            .filter(|session| session.expires > now)
            .map(|session| session.user)
    }

    /// The user a valid token speaks for, and the second at which it expires.
    pub(crate) fn session(&self, token: &str, now: i64) -> Option<(RecordId, i64)> {
        let session = self.tokens.get(token).filter(|session| session.expires > now)?;
        Some((session.user, session.expires))
    }

    pub(crate) fn revoke(&mut self, token: &str) {
        self.tokens.remove(token);
    }

    /// Makes every token invalid, as an administrator can.
    pub(crate) fn expire_all(&mut self) {
        self.tokens.clear();
    }
}

/// The signature of a token reply: HMAC-SHA-256 with the client's secret, base64.
pub(crate) fn signature(secret: &str, text: &str) -> String {
    let mut key = [0_u8; 64];
    let digest = Sha256::digest(secret.as_bytes());
    let bytes = if secret.len() > key.len() {
        &digest[..]
    } else {
        secret.as_bytes()
    };
    key[..bytes.len()].copy_from_slice(bytes);
    let pad = |with: u8| key.map(|byte| byte ^ with);
    let inner = Sha256::digest([&pad(0x36)[..], text.as_bytes()].concat());
    STANDARD.encode(Sha256::digest([&pad(0x5c)[..], &inner[..]].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_lives_as_long_as_promised() {
        let user = RecordId::numbered("005", *b"TD0", 1);
        let organization = RecordId::numbered("00D", *b"TD0", 1);
        let mut sessions = Sessions::new(7, 60);
        let token = sessions.open(organization, user, 1_000);
        assert_eq!(sessions.user(&token, 1_059), Some(user));
        assert_eq!(sessions.user(&token, 1_060), None);
        assert_eq!(sessions.user("other", 1_000), None);
        assert_ne!(token, sessions.open(organization, user, 1_000));
    }

    #[test]
    fn the_signature_is_an_hmac() {
        // Test case 2 of RFC 4231.
        assert_eq!(
            signature("Jefe", "what do ya want for nothing?"),
            "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="
        );
    }
}
