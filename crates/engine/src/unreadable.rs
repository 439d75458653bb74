//! What could not be read is read again by id: its system may mend it without a change that anybody tells of.

use crate::{Engine, Error, Round};
use jiff::SignedDuration;
use std::collections::BTreeSet;
use tandem_merge::cluster::ParkedKind;
use tandem_merge::record::RecordKey;

/// It is read again after so many minutes, and by every process once.
const EVERY: SignedDuration = SignedDuration::from_mins(15);

/// Items looked at together.
const PAGE: usize = 500;

impl Engine {
    /// Reads the records again that hold something unreadable, where it is time to.
    pub(crate) async fn read_unreadable(&mut self, round: &mut Round) -> Result<(), Error> {
        let now = self.clock.now();
        if self
            .unreadable_read
            .is_some_and(|at| now.duration_since(at) < EVERY)
        {
            return Ok(());
        }
        self.unreadable_read = Some(now);
        let mut after = 0;
        loop {
            let items = self.store.items(after, PAGE)?;
            let Some(last) = items.last() else { return Ok(()) };
            after = last.number;
            let unreadable = items
                .iter()
                .filter(|item| item.kind == Some(ParkedKind::Unreadable));
            let records: BTreeSet<RecordKey> = unreadable.map(|item| item.record.clone()).collect();
            if !records.is_empty() {
                self.read(&records, round).await?;
            }
        }
    }
}
