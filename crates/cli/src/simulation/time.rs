//! Simulated time: the runtime's, which jumps to where the next sleeper wakes. Connectors and systems see the same.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use std::cell::Cell;
use std::time::Duration;
use tandem_engine::Clock;
use tokio::time::Instant;

thread_local! {
    static BEGAN: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Time begins for this thread, in a runtime whose time is paused.
pub(super) fn begin() {
    BEGAN.set(Some(Instant::now()));
    tandem_connector::simulation::set_clock(Some(now));
    tandem_lab::set_clock(Some(now));
}

/// The moment.
pub(super) fn now() -> Timestamp {
    let passed = BEGAN.get().map_or(Duration::ZERO, |began| began.elapsed());
    let start: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
    start + SignedDuration::try_from(passed).unwrap()
}

/// Sleeps so many milliseconds.
pub(super) async fn pause(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

/// The engine's clock.
pub(super) struct Simulated;

#[async_trait]
impl Clock for Simulated {
    fn now(&self) -> Timestamp {
        now()
    }

    async fn sleep_until(&self, at: Timestamp) {
        let left = at.duration_since(now());
        tokio::time::sleep(Duration::try_from(left).unwrap_or_default()).await;
    }
}
