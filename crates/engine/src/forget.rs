//! Forgetting a person: in the state, and in what is kept in mind.

use crate::{Engine, Error};
use jiff::Timestamp;
use tandem_ledger::Forgotten;
use tandem_merge::record::RecordKey;

impl Engine {
    /// Erases records from state and history. The systems are not touched.
    ///
    /// # Errors
    /// [`Error::Store`]; among others where a write of one of them has no answer yet.
    pub fn forget(&mut self, records: &[RecordKey], at: Timestamp) -> Result<Forgotten, Error> {
        let forgotten = self.store.forget(records, at)?;
        records.iter().for_each(|record| self.suspects.remove(record));
        let about = |key: &RecordKey| records.contains(key);
        self.offered
            .retain(|(_, source, found)| !about(source) && !about(found));
        Ok(forgotten)
    }
}
