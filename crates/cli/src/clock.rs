//! The machine's clock, as far as it goes forward.

use async_trait::async_trait;
use jiff::Timestamp;
use std::time::Duration;
use tandem_engine::Clock;

/// Time as the machine tells it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        tandem_connector::time::now()
    }

    async fn sleep_until(&self, at: Timestamp) {
        let left = at.duration_since(self.now());
        tokio::time::sleep(Duration::try_from(left).unwrap_or_default()).await;
    }
}
