//! Simulated time. Who sleeps waits until the schedule has moved it there: meanwhile people work.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use std::sync::Mutex;
use std::task::Poll;
use tandem_engine::Clock;

/// Time, and until when the engine sleeps.
pub struct Time {
    now: Mutex<Timestamp>,
    sleeper: Mutex<Option<Timestamp>>,
}

impl Time {
    pub fn new() -> Self {
        Self {
            now: Mutex::new("2026-03-02T08:00:00Z".parse().unwrap()),
            sleeper: Mutex::default(),
        }
    }

    pub fn pass(&self, millis: i64) {
        let mut now = self.now.lock().unwrap();
        *now = now.checked_add(SignedDuration::from_millis(millis)).unwrap();
    }

    /// Milliseconds until the engine wakes, where it sleeps. Asked once per stretch.
    pub fn sleeps(&self) -> Option<i64> {
        let until = self.sleeper.lock().unwrap().take()?;
        let left = until.duration_since(self.now()).as_millis();
        Some(i64::try_from(left).unwrap() + 1)
    }
}

#[async_trait]
impl Clock for Time {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    async fn sleep_until(&self, at: Timestamp) {
        std::future::poll_fn(|context| {
            if self.now() >= at {
                return Poll::Ready(());
            }
            let mut sleeper = self.sleeper.lock().unwrap();
            *sleeper = Some(sleeper.map_or(at, |known| known.min(at)));
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

/// A moment at which the process may die and people may act.
pub async fn pause() {
    let mut passed = false;
    std::future::poll_fn(|context| {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut passed, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}
