//! How things stood over time: for how long flows rested and systems were away, noted now and then while rounds go on.
//!
//! Only a process that keeps in step notes anything: where none did, nobody knows.

use crate::{Engine, Error, Held, Why};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use tandem_ledger::{Stood, StoodFor};

/// How often it is noted.
const NOTES: SignedDuration = SignedDuration::from_mins(1);
/// A longer time between two looks was none in which anybody worked: the machine slept.
const LONGEST: i64 = 900;
const HOUR: i64 = 3_600;

/// What is not noted yet.
#[derive(Default)]
pub(crate) struct Standing {
    /// Until when it is counted; none before rounds go on.
    until: Option<Timestamp>,
    /// How it stands since then.
    now: BTreeSet<Stood>,
    /// Seconds by hour.
    seconds: BTreeMap<(i64, Stood), u64>,
    /// When it is noted next.
    notes: Timestamp,
    /// Systems that do not answer.
    away: BTreeSet<String>,
}

impl Standing {
    /// Counts what stood so until a moment.
    fn count(&mut self, now: Timestamp) {
        let (Some(until), to) = (self.until, now.as_second()) else {
            return;
        };
        let mut from = until.as_second();
        if to - from > LONGEST {
            return;
        }
        while from < to {
            let hour = from.div_euclid(HOUR);
            let end = to.min((hour + 1) * HOUR);
            for stood in &self.now {
                *self.seconds.entry((hour, stood.clone())).or_default() += (end - from).unsigned_abs();
            }
            from = end;
        }
    }
}

impl Engine {
    /// Looks how things stand while rounds go on, with the systems that do not answer.
    pub(crate) fn look_how_it_stands(&mut self, away: BTreeSet<String>) -> Result<(), Error> {
        self.stood.away = away;
        if self.stood.until.is_none() {
            self.stood.until = Some(self.clock.now());
            self.stood.notes = self.clock.now().saturating_add(NOTES).unwrap_or(Timestamp::MAX);
        }
        self.count_how_it_stood()
    }

    /// Counts until now, and notes it once in a while.
    pub(crate) fn count_how_it_stood(&mut self) -> Result<(), Error> {
        if self.stood.until.is_none() {
            return Ok(());
        }
        let now = self.clock.now();
        self.stood.count(now);
        self.stood.until = Some(now);
        self.stood.now = self.how_it_stands();
        if now < self.stood.notes {
            return Ok(());
        }
        self.note_how_it_stood()
    }

    /// Notes what was counted.
    pub(crate) fn note_how_it_stood(&mut self) -> Result<(), Error> {
        let now = self.clock.now();
        self.stood.notes = now.saturating_add(NOTES).unwrap_or(Timestamp::MAX);
        let counted = std::mem::take(&mut self.stood.seconds);
        let all = counted.into_iter().map(|((hour, stood), seconds)| StoodFor {
            at: Timestamp::from_second(hour * HOUR).unwrap_or(now),
            stood,
            seconds,
        });
        let all: Vec<StoodFor> = all.collect();
        Ok(self.store.note_stood(&all)?)
    }

    fn how_it_stands(&self) -> BTreeSet<Stood> {
        let away = self.stood.away.iter().cloned().map(Stood::Away);
        let mut stands: BTreeSet<Stood> = away.chain([Stood::Watched]).collect();
        for hold in self.holds() {
            match (&hold.of, hold.why) {
                (Held::Flow(flow), Why::Paused) => stands.insert(Stood::Paused(flow.clone())),
                (Held::Flow(flow), _) => stands.insert(Stood::Held(flow.clone())),
                (Held::System(system), _) => stands.insert(Stood::Stopped(system.clone())),
            };
            if hold.why == Why::Backwards {
                let flows = self.flows.flows.iter();
                stands.extend(flows.map(|flow| Stood::Held(flow.name.clone())));
            }
        }
        stands
    }
}
