//! Time, from outside.

use async_trait::async_trait;
use jiff::Timestamp;

/// The only source of time that the engine knows. The command line gives the machine's clock, tests give a
/// simulated one.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;

    /// Returns when `now` has reached `at`; at once if it has already.
    async fn sleep_until(&self, at: Timestamp);
}
