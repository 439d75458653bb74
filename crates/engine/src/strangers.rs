//! Strangers: states that our own user made, and we did not. A second installation on the same pair of systems, or
//! somebody who works with Tandem's user, would write over what we write without ever showing as a person's edit.
//!
//! No mark can be left in a system that it does not offer a place for; but whoever writes with our user is its author.
//! So the times at which we had writes under way are kept in mind, and a newer state by our own user of any other time
//! is none of ours.

use crate::{Engine, Error, Happening, notes};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tandem_ledger::Store;
use tandem_merge::admit::is_earlier;
use tandem_merge::record::{Observation, Presence, RecordKey};

/// So many states are no accident.
const FEW: usize = 3;

/// At most so many states are kept in mind.
const MOST: usize = 20;

/// States longer ago than this are forgotten.
const WITHIN: SignedDuration = SignedDuration::from_hours(24 * 7);

/// At most so many times of our own are kept in mind.
const TIMES: usize = 200;

/// Times of our own that are closer than this are one.
const APART: SignedDuration = SignedDuration::from_secs(30);

/// Somebody else writes with our user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stranger {
    /// The system.
    pub system: String,
    /// The user's name, as the author of records.
    pub user: String,
    /// The last record that was written so.
    pub record: RecordKey,
    /// When, by the system's clock.
    pub at: Timestamp,
}

impl std::fmt::Display for Stranger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: somebody else writes with Tandem's own user {}, last {} at {:.0}. Look for a second installation of Tandem on \
             these two systems and stop one of the two; let nobody else work with that user",
            self.system, self.user, self.record, self.at
        )
    }
}

/// What is kept in mind of one system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct OwnTimes {
    /// Nothing is known of what was before.
    since: Timestamp,
    /// From when to when writes of ours were under way, the oldest first; no end: they still are.
    times: Vec<(Timestamp, Option<Timestamp>)>,
    /// States of other times, the oldest first: record, moment, author.
    foreign: Vec<(RecordKey, Timestamp, String)>,
}

impl OwnTimes {
    fn new(now: Timestamp) -> Self {
        Self {
            since: now,
            times: Vec::new(),
            foreign: Vec::new(),
        }
    }

    fn begin(&mut self, at: Timestamp) -> bool {
        if let Some((_, to)) = self.times.last_mut() {
            let close = to.is_none_or(|to| at.duration_since(to) < APART);
            if close {
                return to.take().is_some();
            }
        }
        self.times.push((at, None));
        if self.times.len() > TIMES {
            let (_, to) = self.times.remove(0);
            self.since = self.since.max(to.unwrap_or(at));
        }
        true
    }

    fn end(&mut self, at: Timestamp) -> bool {
        let open = self.times.last_mut().filter(|(_, to)| to.is_none());
        open.is_some_and(|(_, to)| to.replace(at).is_none())
    }

    /// Whether no write of ours can have made a state of that moment, give or take.
    fn is_foreign(&self, modified: Timestamp, before: SignedDuration, after: SignedDuration) -> bool {
        let ours = |(from, to): &(Timestamp, Option<Timestamp>)| {
            let begun = modified.saturating_add(before).unwrap_or(Timestamp::MAX) >= *from;
            let ended =
                to.is_some_and(|to| modified.saturating_sub(after).unwrap_or(Timestamp::UNIX_EPOCH) > to);
            begun && !ended
        };
        modified.saturating_sub(before).unwrap_or(Timestamp::UNIX_EPOCH) > self.since
            && !self.times.iter().any(ours)
    }

    fn stranger(&self, system: &str) -> Option<Stranger> {
        let (record, at, user) = self.foreign.last().filter(|_| self.foreign.len() >= FEW)?;
        Some(Stranger {
            system: system.to_owned(),
            user: user.clone(),
            record: record.clone(),
            at: *at,
        })
    }
}

fn note(system: &str) -> String {
    format!("own:{system}")
}

fn load(store: &mut dyn Store, system: &str) -> Result<Option<OwnTimes>, tandem_ledger::Error> {
    notes::kept(store, &note(system))
}

/// Who else writes with our user, by what a state keeps.
///
/// # Errors
/// [`tandem_ledger::Error`].
pub fn strangers(
    store: &mut dyn Store,
    systems: &[String; 2],
) -> Result<Vec<Stranger>, tandem_ledger::Error> {
    let mut found = Vec::new();
    for system in systems {
        found.extend(load(store, system)?.and_then(|own| own.stranger(system)));
    }
    Ok(found)
}

impl Engine {
    /// Who else writes with our user.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn strangers(&mut self) -> Result<Vec<Stranger>, Error> {
        Ok(strangers(self.store.as_mut(), &self.flows.systems.clone())?)
    }

    /// Takes up what an earlier process left: what it had under way may have taken effect until now.
    pub(crate) fn find_own_times(&mut self) -> Result<(), Error> {
        let now = self.clock.now();
        for system in self.flows.systems.clone() {
            let mut own = load(self.store.as_mut(), &system)?.unwrap_or_else(|| OwnTimes::new(now));
            own.end(now);
            self.keep_own_times(&system, &own)?;
        }
        Ok(())
    }

    fn keep_own_times(&mut self, system: &str, own: &OwnTimes) -> Result<(), Error> {
        Ok(notes::keep(self.store.as_mut(), &note(system), own)?)
    }

    /// Writes to a system are about to be sent.
    pub(crate) fn begin_own_time(&mut self, system: &str) -> Result<(), Error> {
        let now = self.clock.now();
        if self.flows.ourselves.contains_key(system)
            && let Some(mut own) = load(self.store.as_mut(), system)?
            && own.begin(now)
        {
            self.keep_own_times(system, &own)?;
        }
        Ok(())
    }

    /// A round is over: what has no answer yet goes on.
    pub(crate) fn end_own_times(&mut self) -> Result<(), Error> {
        let now = self.clock.now();
        let open = !self.store.unsettled(0, 1)?.is_empty();
        for system in self.flows.systems.clone() {
            if open || !self.store.handles(&system)?.is_empty() {
                continue;
            }
            if let Some(mut own) = load(self.store.as_mut(), &system)?
                && own.end(now)
            {
                self.keep_own_times(&system, &own)?;
            }
        }
        Ok(())
    }

    /// Looks through a page for states that our own user made while nothing of ours was under way.
    pub(crate) fn notice_strangers(&mut self, system: &str, rows: &[Observation]) -> Result<(), Error> {
        let Some(ourselves) = self
            .flows
            .ourselves
            .get(system)
            .filter(|_| self.listed.contains(system))
            .cloned()
        else {
            return Ok(());
        };
        let Some(mut own) = load(self.store.as_mut(), system)? else {
            return Ok(());
        };
        let (before, after) = self.allowance(system);
        let mut news = false;
        for row in rows {
            let by_us = row.presence == Presence::Alive && row.author.as_ref() == Some(&ourselves);
            let modified = row
                .version
                .as_ref()
                .filter(|_| by_us)
                .map(|version| version.modified);
            let Some(modified) = modified.filter(|at| own.is_foreign(*at, before, after)) else {
                continue;
            };
            let told =
                |(record, at, _): &(RecordKey, Timestamp, String)| record == &row.key && *at == modified;
            if !own.foreign.iter().any(told) && self.is_news(row)? {
                own.foreign.push((row.key.clone(), modified, ourselves.clone()));
                news = true;
            }
        }
        if !news {
            return Ok(());
        }
        let known = own.foreign.len() > FEW;
        let oldest = self
            .clock
            .now()
            .saturating_sub(WITHIN)
            .unwrap_or(Timestamp::UNIX_EPOCH);
        own.foreign.retain(|(_, at, _)| *at >= oldest);
        let over = own.foreign.len().saturating_sub(MOST);
        own.foreign.drain(..over);
        self.keep_own_times(system, &own)?;
        if let Some(stranger) = own.stranger(system).filter(|_| !known) {
            self.tell(&Happening::Stranger { stranger: &stranger });
        }
        Ok(())
    }

    /// How far before and after a time of our own a state may be and still come of it: the clocks differ, and a request
    /// may take effect as late as its deadline.
    fn allowance(&self, system: &str) -> (SignedDuration, SignedDuration) {
        let error = SignedDuration::from_secs(self.flows.clock_error_seconds + 1);
        let mut all = self.systems.iter().filter(|it| it.system() == system);
        let deadline = all.next().map(|it| it.capabilities().request_deadline);
        (error, error + deadline.unwrap_or_default())
    }

    /// Whether a state is newer than what is known of its record, and no write of ours to it is open.
    fn is_news(&mut self, row: &Observation) -> Result<bool, Error> {
        let cluster = self.store.cluster(&self.flows, &row.key)?;
        let record = cluster.as_ref().and_then(|cluster| cluster.records.get(&row.key));
        let Some(record) = record else {
            // Nothing is known of it: made by somebody, unless a create of ours has no answer.
            return Ok(self.store.unsettled(0, 1)?.is_empty());
        };
        let newer = match (&record.shadow.version, &row.version) {
            (Some(known), Some(shown)) => is_earlier(known, shown),
            _ => false,
        };
        Ok(newer && !record.in_flight())
    }
}
