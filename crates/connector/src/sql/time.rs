//! The database's clock, and moments for records that have none of their own.

use super::{Error, Sql};
use crate::ClockOffset;
use crate::http::clock;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::PoisonError;
use tandem_merge::record::Observation;

/// A clock that seems to have moved by less than this has not.
const JITTER: SignedDuration = SignedDuration::from_secs(1);
/// So many records' moments are kept in mind.
const MOST: usize = 500_000;

/// How the database's clock stands to ours.
#[derive(Debug, Default)]
pub(super) struct Clock {
    known: Option<ClockOffset>,
    /// What is added to our time. It stays the same while it is about right, so that moments stay in order.
    ahead: SignedDuration,
}

impl Clock {
    fn learn(&mut self, shown: Timestamp, sent: Timestamp, answered: Timestamp) {
        let offset = ClockOffset {
            least: shown.duration_since(answered),
            most: shown.duration_since(sent),
        };
        let least = offset.least.checked_sub(JITTER).unwrap_or(offset.least);
        let most = offset.most.checked_add(JITTER).unwrap_or(offset.most);
        if self.known.is_none() || self.ahead < least || self.ahead > most {
            self.ahead = offset.least;
        }
        self.known = Some(offset);
    }
}

/// When the states of records without a time of change were first seen.
#[derive(Debug, Default)]
pub(super) struct Moments(HashMap<u64, (u64, Timestamp)>);

impl Moments {
    /// The moment of a state: of one that is known, when it was first seen.
    pub(super) fn place(&mut self, seen: &mut Observation) {
        let Some(version) = &mut seen.version else {
            return;
        };
        let (key, token) = (
            hash((&seen.key.record_type.name, &seen.key.id)),
            hash(&version.token),
        );
        if self.0.len() >= MOST {
            self.0.clear();
        }
        let known = self.0.entry(key).or_insert((token, version.modified));
        if known.0 != token {
            *known = (token, version.modified);
        }
        version.modified = known.1;
    }
}

fn hash(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

impl Sql {
    /// The time by the database's clock, asked for now.
    pub(super) async fn ask_time(&self) -> Result<Timestamp, Error> {
        let sent = clock::now();
        let shown = self.driver.now().await.map_err(|trouble| self.trouble(trouble))?;
        let mut known = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        known.learn(shown, sent, clock::now());
        Ok(shown)
    }

    /// What the database's clock shows at a moment of ours.
    pub(super) fn there(&self, ours: Timestamp) -> Timestamp {
        let known = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        ours.checked_add(known.ahead).unwrap_or(ours)
    }

    pub(super) fn clock_known(&self) -> Option<ClockOffset> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner).known
    }
}
