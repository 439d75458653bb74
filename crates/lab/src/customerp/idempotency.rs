//! The replies to creates that carried a key, so that a repeated request has one effect.

use std::collections::{HashMap, VecDeque};

use sha2::{Digest, Sha256};

/// How long a reply is kept, in milliseconds.
const KEPT: i64 = 24 * 60 * 60 * 1000;

/// Whose key, for which collection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct KeyScope {
    pub(crate) user: String,
    pub(crate) collection: String,
    pub(crate) key: String,
}

/// A reply as it was given first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) body: String,
    pub(crate) etag: String,
    pub(crate) location: String,
}

/// What is known of a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nothing: the request is new.
    No,
    /// It came with the same body: the first reply again.
    Same(Reply),
    /// It came with another body.
    Mismatch,
}

/// Replies by key, forgotten after a day of the ERP's clock.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    kept: HashMap<KeyScope, (i64, [u8; 32], Reply)>,
    order: VecDeque<(i64, KeyScope)>,
}

/// What identifies a body: JSON that differs only in blanks or in the order of properties is the same.
pub(crate) fn fingerprint(body: &serde_json::Map<String, serde_json::Value>) -> [u8; 32] {
    // The map keeps its keys sorted.
    let text = serde_json::Value::Object(body.clone()).to_string();
    Sha256::digest(text).into()
}

impl Replies {
    pub(crate) fn look_up(&mut self, scope: &KeyScope, fingerprint: &[u8; 32], now: i64) -> Known {
        self.forget(now);
        match self.kept.get(scope) {
            None => Known::No,
            Some((_, first, reply)) if first == fingerprint => Known::Same(reply.clone()),
            Some(_) => Known::Mismatch,
        }
    }

    pub(crate) fn keep(&mut self, scope: KeyScope, fingerprint: [u8; 32], reply: Reply, now: i64) {
        self.order.push_back((now, scope.clone()));
        self.kept.insert(scope, (now, fingerprint, reply));
    }

    fn forget(&mut self, now: i64) {
        while let Some((at, scope)) = self.order.front() {
            if now - at < KEPT {
                break;
            }
            self.kept.remove(scope);
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_for_a_day() {
        let scope = KeyScope {
            user: "a".into(),
            collection: "orders".into(),
            key: "k".into(),
        };
        let reply = Reply {
            body: "{}".into(),
            etag: "\"1\"".into(),
            location: "/x".into(),
        };
        let mut replies = Replies::default();
        assert_eq!(replies.look_up(&scope, &[1; 32], 0), Known::No);
        replies.keep(scope.clone(), [1; 32], reply.clone(), 0);
        assert_eq!(replies.look_up(&scope, &[1; 32], KEPT - 1), Known::Same(reply));
        assert_eq!(replies.look_up(&scope, &[2; 32], KEPT - 1), Known::Mismatch);
        let other = KeyScope {
            user: "b".into(),
            ..scope.clone()
        };
        assert_eq!(replies.look_up(&other, &[1; 32], KEPT - 1), Known::No);
        assert_eq!(replies.look_up(&scope, &[1; 32], KEPT), Known::No);
    }
}
