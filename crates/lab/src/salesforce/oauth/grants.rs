//! What users granted to clients: refresh tokens, codes that wait to be redeemed, approvals.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::salesforce::id::RecordId;

/// How long an authorization code waits, in seconds.
const CODE_LIFETIME: i64 = 900;

/// A code that waits to be redeemed.
#[derive(Debug, Clone)]
pub(super) struct Code {
    pub(super) code: String,
    pub(super) client: String,
    pub(super) user: RecordId,
    pub(super) redirect: String,
    pub(super) scope: String,
    /// The challenge of PKCE, where the client sent one.
    pub(super) challenge: Option<String>,
    pub(super) expires: i64,
    pub(super) redeemed: bool,
}

/// A refresh token with all that came of it.
#[derive(Debug, Clone)]
struct Grant {
    client: String,
    user: RecordId,
    scope: String,
    token: String,
    /// Former tokens of this grant, which a rotation replaced.
    replaced: Vec<String>,
    access: Vec<String>,
}

/// What a refresh token is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refreshed {
    pub(super) user: RecordId,
    pub(super) scope: String,
    /// The token that replaces the one presented.
    pub(super) rotated: Option<String>,
}

/// Everything that users granted.
pub(crate) struct Grants {
    secret: [u8; 32],
    given: u64,
    rotate: bool,
    approvals: BTreeSet<(String, RecordId)>,
    codes: Vec<Code>,
    grants: Vec<Grant>,
}

impl Grants {
    /// `rotate`: every use of a refresh token replaces it.
    pub(crate) fn new(seed: u64, rotate: bool) -> Grants {
        Grants {
            secret: Sha256::digest([&b"local org grants "[..], &seed.to_be_bytes()].concat()).into(),
            given: 0,
            rotate,
            approvals: BTreeSet::new(),
            codes: Vec::new(),
            grants: Vec::new(),
        }
    }

    fn draw(&mut self) -> String {
        self.given += 1;
        let noise = Sha256::digest([&self.secret[..], &self.given.to_be_bytes()].concat());
        URL_SAFE_NO_PAD.encode(noise)
    }

    pub(super) fn approved(&self, client: &str, user: RecordId) -> bool {
        self.approvals.contains(&(client.to_owned(), user))
    }

    /// A code for the client, which the user approved.
    pub(super) fn code(&mut self, now: i64, mut code: Code) -> String {
        self.approvals.insert((code.client.clone(), code.user));
        code.code = format!("aPrx{}", self.draw());
        code.expires = now + CODE_LIFETIME;
        let text = code.code.clone();
        self.codes.retain(|other| other.expires + CODE_LIFETIME > now);
        self.codes.push(code);
        text
    }

    /// The code, marked as redeemed; as it was before.
    pub(super) fn redeem(&mut self, text: &str) -> Option<Code> {
        let code = self.codes.iter_mut().find(|code| code.code == text)?;
        let before = code.clone();
        code.redeemed = true;
        Some(before)
    }

    /// A new refresh token.
    pub(super) fn open(&mut self, client: &str, user: RecordId, scope: &str) -> String {
        let token = format!("5Aep861{}", self.draw());
        self.keep(client, user, scope, &token);
        token
    }

    /// A refresh token that is known beforehand.
    pub(crate) fn keep(&mut self, client: &str, user: RecordId, scope: &str, token: &str) {
        self.grants.push(Grant {
            client: client.to_owned(),
            user,
            scope: scope.to_owned(),
            token: token.to_owned(),
            replaced: Vec::new(),
            access: Vec::new(),
        });
    }

    /// Notes that an access token came of a refresh token, so that both can be revoked together.
    pub(super) fn note_access(&mut self, refresh: &str, access: &str) {
        if let Some(grant) = self.grants.iter_mut().find(|grant| grant.token == refresh) {
            grant.access.push(access.to_owned());
        }
    }

    /// Uses a refresh token.
    ///
    /// # Errors
    /// Where it is not valid: the access tokens to revoke, since a token that was replaced gives away its whole grant.
    pub(super) fn refresh(&mut self, client: &str, token: &str) -> Result<Refreshed, Vec<String>> {
        let next = self.rotate.then(|| format!("5Aep861{}", self.draw()));
        let found = self.grants.iter_mut().find(|grant| grant.token == token);
        let Some(grant) = found.filter(|grant| grant.client == client) else {
            let replaced = |grant: &Grant| grant.replaced.iter().any(|old| old == token);
            let stolen = self.grants.iter().position(replaced);
            return Err(stolen.map_or_else(Vec::new, |at| self.grants.swap_remove(at).access));
        };
        if let Some(next) = &next {
            let old = std::mem::replace(&mut grant.token, next.clone());
            grant.replaced.push(old);
        }
        Ok(Refreshed {
            user: grant.user,
            scope: grant.scope.clone(),
            rotated: next,
        })
    }

    /// Revokes a refresh token; answers with the access tokens to revoke with it.
    pub(super) fn revoke(&mut self, token: &str) -> Option<Vec<String>> {
        let at = self.grants.iter().position(|grant| grant.token == token)?;
        Some(self.grants.swap_remove(at).access)
    }

    /// The client and the user behind a refresh token, for introspection.
    pub(super) fn holder(&self, token: &str) -> Option<(&str, RecordId, &str)> {
        let grant = self.grants.iter().find(|grant| grant.token == token)?;
        Some((&grant.client, grant.user, &grant.scope))
    }
}
