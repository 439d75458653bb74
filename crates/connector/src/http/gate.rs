//! How many requests are under way to a system at once: fewer while it says that it has too many.

use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, SemaphorePermit};

/// After so many requests that went well one more may be under way.
const WELL: usize = 16;

/// Lets so many requests through at once as the system takes.
pub(crate) struct Gate {
    permits: Semaphore,
    most: usize,
    pace: Mutex<Pace>,
}

#[derive(Default)]
struct Pace {
    /// So many fewer than the most may be under way.
    held_back: usize,
    /// So many of these are under way still.
    owed: usize,
    /// Requests that went well since the number last changed.
    well: usize,
    /// How often it was narrowed.
    narrowed: u64,
}

/// A request's turn; over when it is dropped.
pub(crate) struct Turn<'g> {
    gate: &'g Gate,
    permit: Option<SemaphorePermit<'g>>,
    /// How often the gate had been narrowed when it began.
    narrowed: u64,
}

impl Gate {
    /// `most`: under way at once while all is well; one at least.
    pub(crate) fn new(most: usize) -> Self {
        let most = most.max(1);
        Self {
            permits: Semaphore::new(most),
            most,
            pace: Mutex::default(),
        }
    }

    /// Waits for a turn.
    pub(crate) async fn turn(&self) -> Turn<'_> {
        // It is never closed.
        let permit = self.permits.acquire().await.ok();
        let narrowed = self.pace().narrowed;
        Turn {
            gate: self,
            permit,
            narrowed,
        }
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// The system has too many requests: half as many from now on. What several say that began together counts once.
    pub(crate) fn too_many(&self) {
        let mut pace = self.gate.pace();
        if pace.narrowed == self.narrowed {
            let fewer = (self.gate.most - pace.held_back) / 2;
            pace.held_back += fewer;
            pace.owed += fewer - self.gate.permits.forget_permits(fewer);
            pace.narrowed += 1;
            pace.well = 0;
        }
    }

    /// It went well.
    pub(crate) fn went_well(&self) {
        let mut pace = self.gate.pace();
        if pace.held_back == 0 {
            return;
        }
        pace.well += 1;
        if pace.well == WELL {
            pace.well = 0;
            pace.held_back -= 1;
            match pace.owed {
                0 => self.gate.permits.add_permits(1),
                owed => pace.owed = owed - 1,
            }
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut pace = self.gate.pace();
        if pace.owed > 0
            && let Some(permit) = self.permit.take()
        {
            pace.owed -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn half_as_many_after_too_many_and_one_more_after_some_that_went_well() {
        let gate = Gate::new(8);
        let mut turns = Vec::new();
        for _ in 0..8 {
            turns.push(gate.turn().await);
        }
        turns.iter().for_each(Turn::too_many);
        assert_eq!(gate.permits.available_permits(), 0);
        drop(turns);
        assert_eq!(
            gate.permits.available_permits(),
            4,
            "what began together counts once"
        );
        for _ in 0..3 {
            gate.turn().await.too_many();
        }
        assert_eq!(gate.permits.available_permits(), 1, "one goes on");
        for _ in 0..WELL {
            gate.turn().await.went_well();
        }
        assert_eq!(gate.permits.available_permits(), 2);
        for _ in 0..20 * WELL {
            gate.turn().await.went_well();
        }
        assert_eq!(gate.permits.available_permits(), 8, "no more than at first");
    }

    #[tokio::test]
    async fn what_is_held_back_may_come_back_before_it_was_given_up() {
        let gate = Gate::new(2);
        let turns = [gate.turn().await, gate.turn().await];
        turns[0].too_many();
        for _ in 0..WELL {
            turns[1].went_well();
        }
        drop(turns);
        assert_eq!(gate.permits.available_permits(), 2);
    }
}
