//! Keeping history for a time: what is older goes in small steps, between which work goes on.

use crate::{Engine, Error};
use jiff::{SignedDuration, Timestamp};

/// How long history is kept where nobody says.
pub const KEEP_HISTORY: SignedDuration = SignedDuration::from_hours(400 * 24);
/// Lines looked at in one transaction.
const STEP: usize = 500;
/// Transactions in a round.
const STEPS: usize = 20;
/// The pause between two sweeps.
const PAUSE: SignedDuration = SignedDuration::from_hours(1);

/// Where the sweep through old history stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sweep {
    keep: SignedDuration,
    after: u64,
    due: Timestamp,
}

impl Default for Sweep {
    fn default() -> Self {
        Self {
            keep: KEEP_HISTORY,
            after: 0,
            due: Timestamp::MIN,
        }
    }
}

impl Engine {
    /// Keeps history for so long from now on.
    pub fn keep_history(&mut self, keep: SignedDuration) {
        self.sweep = Sweep {
            keep,
            ..Sweep::default()
        };
    }

    /// Some steps of removing old history; where a sweep ended the next one begins after a pause.
    pub(crate) fn sweep_history(&mut self) -> Result<(), Error> {
        let now = self.clock.now();
        if now < self.sweep.due {
            return Ok(());
        }
        let Ok(before) = now.checked_sub(self.sweep.keep) else {
            return Ok(());
        };
        for _ in 0..STEPS {
            let done = self.store.compact_history(before, self.sweep.after, STEP)?;
            self.sweep.after = done.next.unwrap_or_default();
            if done.next.is_none() {
                self.sweep.due = now.saturating_add(PAUSE).unwrap_or(Timestamp::MAX);
                return Ok(());
            }
        }
        Ok(())
    }
}
