//! What the console shows.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// How things stood at a moment. Personal values are masked before they come here.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Snapshot {
    /// When it was taken.
    pub taken: Timestamp,
    /// The two systems' names.
    pub systems: [String; 2],
    /// Counts as `tandem status --json` prints them: `flows`, `records`, `inbox`, `outbox`, `bytes`.
    pub status: Json,
    /// What waits for a person, as `tandem failures --json` prints it.
    pub items: Vec<Json>,
    /// The latest lines of the history, newest last.
    pub history: Vec<Json>,
    /// Systems in trouble, one sentence each.
    pub troubles: Vec<String>,
    /// API calls by system since the start.
    pub calls: BTreeMap<String, u64>,
}

/// Where snapshots are put up for the console to show. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<RwLock<Option<Arc<Snapshot>>>>);

impl Board {
    /// Puts up a snapshot in place of the one before.
    pub fn show(&self, snapshot: Snapshot) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(snapshot));
    }

    /// The snapshot that is up; none before the first.
    #[must_use]
    pub fn latest(&self) -> Option<Arc<Snapshot>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
