//! Who counts calls against a budget.

use crate::Error;
use jiff::Timestamp;
use reqwest::header::HeaderMap;

/// Counts the calls that a system counts, and refuses those beyond a budget. Every attempt is a call.
pub(crate) trait Meter: Send + Sync {
    /// Takes one call from the budget. `reached`: a moment that the system's clock has reached.
    ///
    /// # Errors
    /// There is none left for this kind of work; nothing was sent.
    fn admit(&self, reached: Option<Timestamp>) -> Result<(), Error>;

    /// Gives a call back that did not reach the system.
    fn give_back(&self);

    /// Learns from a reply.
    fn learn(&self, headers: &HeaderMap);
}
