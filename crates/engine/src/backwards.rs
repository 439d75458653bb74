//! Backwards: whether a system still shows what it showed before (E15).
//!
//! A restored backup makes records older or takes them away, and no listing of changes tells. So a few records with the
//! latest changes are kept in mind as witnesses, and read again now and then: when all of them are older than they
//! were, or not there, the system went back. What was seen so lately that a request may still be on its way proves
//! nothing.

use crate::apart::look;
use crate::{Engine, Error, Round, notes};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tandem_merge::admit::is_earlier;
use tandem_merge::record::{Observation, Presence, RecordKey, Version};

/// How many witnesses of a system are read.
const WITNESSES: usize = 3;

/// Witnesses are read again after so many minutes.
const EVERY: SignedDuration = SignedDuration::from_mins(15);

/// What is kept in mind of a system.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Witnesses {
    /// When they were last asked.
    asked: Option<Timestamp>,
    /// The records with the latest changes.
    records: Vec<Witness>,
}

/// A record with the state it was last seen in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Witness {
    key: RecordKey,
    version: Version,
    /// When it was seen, by our clock.
    seen: Timestamp,
}

fn note(system: &str) -> String {
    format!("witnesses:{system}")
}

impl Engine {
    pub(crate) fn find_witnesses(&mut self) -> Result<(), Error> {
        for system in self.flows.systems.clone() {
            let known = notes::kept(self.store.as_mut(), &note(&system))?;
            self.witnesses.insert(system, known.unwrap_or_default());
        }
        Ok(())
    }

    pub(crate) fn forget_witnesses(&mut self, system: &str) -> Result<(), Error> {
        self.witnesses.remove(system);
        Ok(notes::drop(self.store.as_mut(), &note(system))?)
    }

    /// Keeps the records with the latest changes in mind; those that went are forgotten.
    pub(crate) fn keep_in_mind(&mut self, system: &str, rows: &[Observation]) {
        let now = self.clock.now();
        let settled = self.settled_before(system, now);
        let known = self.witnesses.entry(system.to_owned()).or_default();
        let before = std::mem::take(&mut known.records).into_iter();
        let mut latest: BTreeMap<RecordKey, Witness> =
            before.map(|witness| (witness.key.clone(), witness)).collect();
        for row in rows {
            let alive = row.presence == Presence::Alive;
            let Some(version) = row.version.as_ref().filter(|_| alive) else {
                latest.remove(&row.key);
                continue;
            };
            let later = latest
                .get(&row.key)
                .is_some_and(|witness| is_earlier(version, &witness.version));
            if !later {
                let witness = Witness {
                    key: row.key.clone(),
                    version: version.clone(),
                    seen: row.read_began,
                };
                latest.insert(row.key.clone(), witness);
            }
        }
        known.records.extend(latest.into_values());
        // The latest ones, and the latest of those that prove something by now.
        known
            .records
            .sort_by_key(|witness| std::cmp::Reverse(witness.version.modified));
        let (mut old, mut young) = (0, 0);
        known.records.retain(|witness| {
            let count = if witness.seen <= settled {
                &mut old
            } else {
                &mut young
            };
            *count += 1;
            *count <= WITNESSES
        });
    }

    /// What was seen before this moment was not still on its way.
    fn settled_before(&self, system: &str, now: Timestamp) -> Timestamp {
        let mut all = self.systems.iter();
        let deadline = all
            .find(|it| it.system() == system)
            .map(|it| it.capabilities().request_deadline);
        now.saturating_sub(deadline.unwrap_or_default())
            .unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Stores what is kept in mind, where it changed.
    pub(crate) fn keep_witnesses(&mut self) -> Result<(), Error> {
        for (system, known) in &self.witnesses {
            notes::keep(self.store.as_mut(), &note(system), known)?;
        }
        Ok(())
    }

    /// Asks the witnesses of both systems where it is time to, and always where a system is stopped: it may show its
    /// later state again.
    pub(crate) async fn ask_witnesses(&mut self, round: &mut Round) -> Result<(), Error> {
        let now = self.clock.now();
        for index in 0..2 {
            let system = self.flows.systems[index].clone();
            let stopped = self.is_stopped();
            let known = self.witnesses.entry(system.clone()).or_default();
            let asked = *known.asked.get_or_insert(now);
            if round.is_down(&system) || (!stopped && now.duration_since(asked) < EVERY) {
                continue;
            }
            known.asked = Some(now);
            self.ask(index, round).await?;
        }
        Ok(())
    }

    async fn ask(&mut self, index: usize, round: &mut Round) -> Result<(), Error> {
        let system = self.flows.systems[index].clone();
        let settled = self.settled_before(&system, self.clock.now());
        let known = self.witnesses.get(&system).map(|known| &known.records);
        let old = known
            .into_iter()
            .flatten()
            .filter(|witness| witness.seen <= settled);
        let witnesses: Vec<Witness> = old.cloned().collect();
        let Some(kind) = witnesses.first().map(|witness| witness.key.record_type.clone()) else {
            return Ok(());
        };
        let of_kind: BTreeMap<&RecordKey, &Witness> = witnesses
            .iter()
            .filter(|witness| witness.key.record_type == kind)
            .map(|witness| (&witness.key, witness))
            .collect();
        let ids: Vec<String> = of_kind.keys().map(|key| key.id.clone()).collect();
        let connector = Arc::clone(&self.systems[index]);
        let mut looked = look(connector.as_ref(), &[(kind.clone(), ids)], &BTreeSet::new()).await;
        self.take_described(index, looked.described, [looked.rows.as_mut_slice()])?;
        if let Some(error) = looked.trouble {
            self.trouble(round, error);
            return Ok(());
        }
        let rows = looked.rows;
        if rows.is_empty() {
            // Witnesses of whom none can be read say nothing.
            return Ok(());
        }
        let older = |row: &&Observation| {
            let version = row.version.as_ref().filter(|_| row.presence == Presence::Alive);
            let known = of_kind.get(&row.key);
            version.is_some_and(|now| known.is_some_and(|then| is_earlier(now, &then.version)))
        };
        let missing = |row: &&Observation| row.presence == Presence::Missing && row.unreadable.is_empty();
        let (older, missing) = (
            rows.iter().filter(older).count(),
            rows.iter().filter(missing).count(),
        );
        let of = crate::Held::System(system.clone());
        if older + missing < rows.len() || (older == 0 && missing < 2) {
            return self.lift(&of, crate::Why::Backwards);
        }
        let words = format!(
            "it shows an earlier state than before: of its latest {} {}, {older} are older and {missing} are not there",
            rows.len(),
            kind.name
        );
        self.went_backwards(&system, words, round)
    }

    /// Judges records that a write came too late for: a system that shows an older state than one it showed long ago
    /// went back.
    pub(crate) fn judge_overtaken(
        &mut self,
        rows: &BTreeMap<RecordKey, Observation>,
        round: &mut Round,
    ) -> Result<(), Error> {
        for (key, row) in rows.iter().filter(|(_, row)| row.presence == Presence::Alive) {
            let Some(cluster) = self.store.cluster(&self.flows, key)? else {
                continue;
            };
            let shadow = cluster.records.get(key).map(|record| &record.shadow);
            let (Some(shadow), Some(now)) = (shadow, &row.version) else {
                continue;
            };
            let settled = self.settled_before(&key.record_type.system, row.read_began);
            let older = shadow.version.as_ref().is_some_and(|then| is_earlier(now, then));
            if older && shadow.seen <= settled {
                let system = key.record_type.system.clone();
                if let Some(version) = shadow.version.clone() {
                    // It alone bears witness from now on: only its own later state clears the system.
                    let known = self.witnesses.entry(system.clone()).or_default();
                    known.records = vec![Witness {
                        key: key.clone(),
                        version,
                        seen: shadow.seen,
                    }];
                }
                let words = format!("it shows an earlier state of {key} than before");
                return self.went_backwards(&system, words, round);
            }
        }
        Ok(())
    }
}
