//! After a crash: what was sent and has no answer.

use crate::engine::FENCE;
use crate::{Engine, Error};

/// Intents handled in one transaction.
const BATCH: usize = 1_000;

impl Engine {
    /// Marks every write that was sent without an answer as of unknown outcome; [`Engine::round`] settles
    /// them by reading. Returns how many.
    pub(crate) fn recover(&mut self) -> Result<u64, Error> {
        let (mut after, mut count) = (0, 0);
        loop {
            let sent = self.store.unsettled(after, BATCH)?;
            let Some(last) = sent.last() else {
                return Ok(count);
            };
            after = last.id;
            let open = sent.iter().filter(|intent| !intent.unknown);
            let open: Vec<u64> = open.map(|intent| intent.id).collect();
            count += open.len() as u64;
            if !open.is_empty() {
                self.store.mark_unknown(FENCE, &open, false)?;
            }
        }
    }
}
