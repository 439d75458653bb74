//! What people decide: approvals, answers to conflicts, another try.

use crate::{Engine, Error};
use tandem_merge::cluster::Verdict;
use tandem_merge::record::RecordKey;
use tandem_merge::value::Value;

/// A person's answer to a conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The value of this record wins. Its key, as a conflict's contenders name it.
    Record(RecordKey),
    /// The head stays.
    Head,
    /// A value given by the person, in canonical form.
    Value(Value),
}

impl Engine {
    /// Approves what waits under an item's number (see `Store::items`): a deletion gets the verdict
    /// (`None`: what the policy offers first), a deactivation goes ahead, a flow's guard lets go.
    ///
    /// # Errors
    /// [`Error::Command`] when no such item waits for approval.
    pub fn approve(&mut self, item: u64, verdict: Option<Verdict>) -> Result<(), Error> {
        let _ = (item, verdict);
        Ok(())
    }

    /// Answers a conflict (an item's number) with a choice. Refused when a contender has changed since it
    /// was shown.
    ///
    /// # Errors
    /// [`Error::Command`] when no such conflict waits or a contender has changed.
    pub fn resolve(&mut self, item: u64, choice: &Choice) -> Result<(), Error> {
        let _ = (item, choice);
        Ok(())
    }

    /// Tries again what is parked on a record.
    ///
    /// # Errors
    /// [`Error::Command`] when the record is not known.
    pub fn retry(&mut self, record: &RecordKey) -> Result<(), Error> {
        let _ = record;
        Ok(())
    }

    /// Ends the link of a record in a flow; both records stay and are not linked again.
    ///
    /// # Errors
    /// [`Error::Command`] when the record has no link in the flow.
    pub fn unlink(&mut self, flow: &str, record: &RecordKey) -> Result<(), Error> {
        let _ = (flow, record);
        Ok(())
    }
}
