//! Rounds for ever.

use crate::{Clock, Engine, Error, Request, Round};
use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use tandem_connector::Connector;

/// The round at hand may go on for so long once a stop is asked for: most of what is on its way is answered by then.
const GRACE: SignedDuration = SignedDuration::from_secs(1);

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

/// When a system is asked next.
#[derive(Clone, Copy, Debug)]
struct Turn {
    due: Timestamp,
    /// Failures in a row.
    failures: u32,
}

/// Why the next round begins.
enum Woken {
    /// A system's interval has passed.
    Due,
    /// A system has changes to tell.
    Told(usize),
    /// A person asked for something.
    Asked(Request),
}

impl Engine {
    /// Rounds for ever, each system at its own interval, until `stop` completes; the round at hand is
    /// finished first if that takes no longer than a second, else it is cut off as by a crash. A system in trouble is reported to the watcher and asked again after a pause; the
    /// other one goes on. Those whom it listens to ([`Engine::listen`]) are served meanwhile.
    ///
    /// # Errors
    /// [`Error::Store`] alone.
    pub async fn run(
        &mut self,
        schedule: &Schedule,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<(), Error> {
        let done = self.rounds(schedule, stop).await;
        // What the state cannot take now was told by what failed.
        let noted = self.note_how_it_stood();
        done.and(noted)
    }

    async fn rounds(
        &mut self,
        schedule: &Schedule,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<(), Error> {
        let mut stop = pin!(stop.fuse());
        let first = Turn {
            due: self.clock.now(),
            failures: 0,
        };
        let mut turns = [first; 2];
        self.waits_for_loads = false;
        loop {
            if (&mut stop).now_or_never().is_some() {
                return Ok(());
            }
            let clock = Arc::clone(&self.clock);
            let round = self.take_turns(schedule, &mut turns);
            if !until_stopped(round, &mut stop, clock.as_ref()).await? {
                return Ok(());
            }
            let systems = self.flows.systems.iter().zip(&turns);
            let away = systems.filter(|(_, turn)| turn.failures > 0);
            let away = away.map(|(system, _)| system.clone()).collect();
            self.look_how_it_stands(away)?;
            let next = turns[0].due.min(turns[1].due);
            let next = self.loads_due().map_or(next, |load| next.min(load));
            if self.asked.was_served() {
                self.hurry(&mut turns);
                continue;
            }
            let waiting = [0, 1].map(|index| Self::waiting(&turns[index], &self.systems[index]));
            let [first, second] = waiting;
            let woken = tokio::select! {
                biased;
                () = &mut stop => return Ok(()),
                request = self.asked.next() => Woken::Asked(request),
                () = first => Woken::Told(0),
                () = second => Woken::Told(1),
                () = self.clock.sleep_until(next) => Woken::Due,
            };
            match woken {
                Woken::Due => {}
                Woken::Told(index) => turns[index].due = self.clock.now(),
                Woken::Asked(request) => {
                    self.serve(request).await?;
                    self.attend().await?;
                }
            }
        }
    }

    /// Waits until a system has changes to tell. One that pauses after a failure is left alone.
    fn waiting(turn: &Turn, system: &Arc<dyn Connector>) -> impl Future<Output = ()> + Send + use<> {
        let system = (turn.failures == 0).then(|| Arc::clone(system));
        async move {
            match system {
                Some(system) => system.changed().await,
                None => std::future::pending().await,
            }
        }
    }

    /// What follows from what people asked for is done at once.
    fn hurry(&mut self, turns: &mut [Turn; 2]) {
        let now = self.clock.now();
        for turn in turns.iter_mut().filter(|turn| turn.failures == 0) {
            turn.due = turn.due.min(now);
        }
    }

    /// A round over the systems whose turn it is. Those that pause after a failure are left alone.
    async fn take_turns(&mut self, schedule: &Schedule, turns: &mut [Turn; 2]) -> Result<(), Error> {
        let now = self.clock.now();
        let due: Vec<usize> = (0..2).filter(|index| turns[*index].due <= now).collect();
        let load = self.loads_due().is_some_and(|load| load <= now);
        if due.is_empty() && !load {
            return Ok(());
        }
        let rests = |index: &usize| !due.contains(index) && turns[*index].failures > 0;
        let resting: Vec<usize> = (0..2).filter(rests).collect();
        self.store.begin_run("round", now)?;
        let round = self.round_of(&due, &resting).await?;
        let now = self.clock.now();
        for (index, turn) in turns.iter_mut().enumerate() {
            let system = &self.flows.systems[index];
            let trouble = round.troubles.iter().find(|error| &error.system == system);
            if round.sight_changed {
                turn.failures = 0;
                turn.due = now;
            } else if let Some(error) = trouble {
                turn.failures += 1;
                let pause = now.saturating_add(schedule.pause(system, turn.failures));
                let pause = pause.unwrap_or(Timestamp::MAX);
                turn.due = error.retry_at.map_or(pause, |at| at.max(pause));
            } else if due.contains(&index) {
                turn.failures = 0;
                turn.due = schedule.next(system, now, &round);
            }
        }
        Ok(())
    }
}

/// Works until it is done, or a stop was asked for and the grace is over. Whether to go on. Work that is cut off leaves
/// the state as a crash does: what was sent and has no answer is marked so, and settled by the next start.
async fn until_stopped(
    work: impl Future<Output = Result<(), Error>>,
    mut stop: impl Future<Output = ()> + Unpin,
    clock: &dyn Clock,
) -> Result<bool, Error> {
    let mut work = pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return done.map(|()| true),
        () = &mut stop => {}
    }
    let end = clock.now().saturating_add(GRACE).unwrap_or(Timestamp::MAX);
    tokio::select! {
        biased;
        done = &mut work => done.map(|()| false),
        () = clock.sleep_until(end) => Ok(false),
    }
}

impl Schedule {
    fn interval(&self, system: &str) -> SignedDuration {
        self.intervals.get(system).copied().unwrap_or(self.every)
    }

    /// When a system is asked next: after its interval, or when something of unknown outcome can be decided.
    fn next(&self, system: &str, now: Timestamp, round: &Round) -> Timestamp {
        let next = now
            .saturating_add(self.interval(system))
            .unwrap_or(Timestamp::MAX);
        round.wait_until.map_or(next, |wait| next.min(wait.max(now)))
    }

    /// The pause after so many failures in a row.
    fn pause(&self, system: &str, failures: u32) -> SignedDuration {
        let doubled = 1_i32 << failures.min(16);
        let pause = self.interval(system).saturating_mul(doubled);
        pause.clamp(SignedDuration::from_secs(1), self.longest_pause)
    }
}
