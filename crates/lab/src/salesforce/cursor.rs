//! Query cursors: the rest of a result, for `nextRecordsUrl`.

use std::collections::VecDeque;
use std::sync::Arc;

use super::fault::{Code, Fault, Outcome};
use super::id::RecordId;
use super::soql::Prepared;

/// How many results may wait at once; the oldest is dropped for the next.
const OPEN: usize = 100;
/// How long a result waits, in seconds.
const LIFETIME: i64 = 900;

/// A result that was not read to its end.
#[derive(Clone)]
pub(crate) struct Cursor {
    pub(crate) user: RecordId,
    pub(crate) query: Arc<Prepared>,
    pub(crate) rows: Arc<[RecordId]>,
    pub(crate) page: usize,
}

/// The results that wait.
pub(crate) struct Cursors {
    seed: u64,
    given: u64,
    open: VecDeque<(String, i64, Cursor)>,
}

impl Cursors {
    pub(crate) fn new(seed: u64) -> Cursors {
        Cursors {
            seed,
            given: 0,
            open: VecDeque::new(),
        }
    }

    /// Keeps a result and answers with its name.
    pub(crate) fn keep(&mut self, cursor: Cursor, now: i64) -> String {
        self.given += 1;
        let name = format!("01g{:08X}{:07}", self.seed & 0xFFFF_FFFF, self.given);
        self.open.push_back((name.clone(), now + LIFETIME, cursor));
        super::org::keep_latest(&mut self.open, OPEN);
        name
    }

    /// The result of this name.
    ///
    /// # Errors
    /// `INVALID_QUERY_LOCATOR` where there is none, it expired, or it is another user's.
    pub(crate) fn find(&self, name: &str, user: RecordId, now: i64) -> Outcome<Cursor> {
        self.open
            .iter()
            .find(|(known, expires, cursor)| known == name && *expires > now && cursor.user == user)
            .map(|(.., cursor)| cursor.clone())
            .ok_or_else(|| Fault::new(Code::InvalidQueryLocator, "invalid query locator"))
    }
}
