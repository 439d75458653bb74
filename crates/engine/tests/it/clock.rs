//! A clock that jumps where it is waited for.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use std::sync::Mutex;
use tandem_engine::Clock;

/// Simulated time: it jumps where somebody sleeps or [`Simulated::pass`] is called, and moves on a little whenever it is
/// looked at. No two things happen at one moment, so that a read which began after an answer is later than that.
pub struct Simulated(Mutex<Timestamp>);

/// How far time moves on with each look.
const TICK: SignedDuration = SignedDuration::from_micros(1);

impl Simulated {
    pub fn new() -> Self {
        Self(Mutex::new("2026-03-02T08:00:00Z".parse().unwrap()))
    }

    pub fn pass(&self, seconds: i64) {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    }

    pub fn pass_millis(&self, millis: i64) {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_add(SignedDuration::from_millis(millis)).unwrap();
    }
}

#[async_trait]
impl Clock for Simulated {
    fn now(&self) -> Timestamp {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_add(TICK).unwrap();
        *now
    }

    async fn sleep_until(&self, at: Timestamp) {
        {
            let mut now = self.0.lock().unwrap();
            *now = at.max(*now);
        }
        // One turn of the executor, so that sleeping is a point where others run and where a crash may hit.
        tokio::task::yield_now().await;
    }
}
