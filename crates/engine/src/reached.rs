//! The latest moment that a state knows: time goes on from there, also where the machine's clock was set back.

use crate::{Engine, Error, Round, notes};
use jiff::Timestamp;
use tandem_ledger::Store;

/// Where the state keeps it.
const NOTE: &str = "reached";

/// The latest moment that a state knows; none of one that is new.
///
/// # Errors
/// [`tandem_ledger::Error`].
pub fn reached(store: &mut dyn Store) -> Result<Option<Timestamp>, tandem_ledger::Error> {
    notes::kept(store, NOTE)
}

impl Engine {
    /// Keeps the moment, where the round noted anything.
    pub(crate) fn keep_reached(&mut self, round: &Round) -> Result<(), Error> {
        if round.observed + round.echoes + round.decided + round.sent > 0 {
            notes::replace(self.store.as_mut(), NOTE, &self.clock.now())?;
        }
        Ok(())
    }
}
