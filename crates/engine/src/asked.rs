//! What people ask for while the work goes on: served between two steps of a round, so that nobody waits for its end, and
//! never within a step.
//!
//! Architecture invariant: what a person asked for is one more unit of work on the state. A step holds nothing of a cluster
//! across the places where somebody may be served; what was chosen to be sent before that is chosen anew.

use crate::{Engine, Error};
use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use std::future::Future;
use std::pin::pin;
use tokio::sync::mpsc;

/// Something to be done with the engine while it works: a command of a person. What follows from it is decided soon.
pub type Request = Box<dyn for<'e> FnOnce(&'e mut Engine) -> BoxFuture<'e, ()> + Send>;

/// Where requests come from. A closed channel is no reason to stop.
pub type Requests = mpsc::Receiver<Request>;

/// So often it is looked for what was ignored until then.
const HEARS: SignedDuration = SignedDuration::from_mins(1);
/// How often it is noted how much waits.
const NOTES: SignedDuration = SignedDuration::from_mins(1);

/// Who asks, and what is not decided yet of what was asked for.
#[derive(Default)]
pub(crate) struct Asked {
    requests: Option<Requests>,
    /// Something was served since everything was last decided.
    undecided: bool,
    /// Something was served since the last round began.
    served: bool,
    /// When it is looked next for what was ignored until then.
    hears: Timestamp,
    notes: Timestamp,
}

impl Asked {
    /// The next request; never where nobody is left to ask.
    pub(crate) async fn next(&mut self) -> Request {
        if let Some(requests) = &mut self.requests {
            match requests.recv().await {
                Some(request) => return request,
                None => self.requests = None,
            }
        }
        std::future::pending().await
    }

    /// Whether something was served that is not decided yet: what was chosen to be sent may be out of date.
    pub(crate) fn is_undecided(&self) -> bool {
        self.undecided
    }

    /// Everything was decided.
    pub(crate) fn decided(&mut self) {
        self.undecided = false;
    }

    /// Whether something was served since this was last asked.
    pub(crate) fn was_served(&mut self) -> bool {
        std::mem::take(&mut self.served)
    }
}

impl Engine {
    /// Listens to people while rounds go on.
    pub fn listen(&mut self, requests: Requests) {
        self.asked.requests = Some(requests);
    }

    /// Serves those who wait, between two steps.
    pub(crate) async fn attend(&mut self) -> Result<(), Error> {
        while let Some(request) = self.asked.next().now_or_never() {
            self.serve(request).await?;
        }
        self.note_backlog()
    }

    /// Notes how much waits, now and then.
    pub(crate) fn note_backlog(&mut self) -> Result<(), Error> {
        self.count_how_it_stood()?;
        let now = self.clock.now();
        if now >= self.asked.notes {
            self.store.note_backlog(now)?;
            self.asked.notes = now.saturating_add(NOTES).unwrap_or(Timestamp::MAX);
        }
        Ok(())
    }

    /// Counts again what was ignored until now; once in a while, for it is a matter of days.
    pub(crate) fn hear_again(&mut self) -> Result<(), Error> {
        let now = self.clock.now();
        if now >= self.asked.hears {
            self.store.hear_again(now)?;
            self.asked.hears = now.saturating_add(HEARS).unwrap_or(Timestamp::MAX);
        }
        Ok(())
    }

    /// Waits for something that takes its time, and serves people meanwhile.
    pub(crate) async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Error> {
        let mut work = pin!(work);
        loop {
            let request = tokio::select! {
                biased;
                request = self.asked.next() => request,
                done = &mut work => return Ok(done),
            };
            self.serve(request).await?;
        }
    }

    /// Does what somebody asked for. Its lines of history are of a run of its own; those of the work go on in theirs.
    pub(crate) async fn serve(&mut self, request: Request) -> Result<(), Error> {
        let run = self.store.swap_run(None)?;
        // Whoever is served is not kept waiting by somebody else.
        let requests = self.asked.requests.take();
        request(self).await;
        self.asked.requests = requests;
        self.store.swap_run(run)?;
        (self.asked.undecided, self.asked.served) = (true, true);
        Ok(())
    }
}
