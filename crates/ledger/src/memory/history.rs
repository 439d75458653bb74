//! The history of the model.

use super::books::Books;
use crate::contract::{Compaction, HistorySize, Hour, Run, RunRow};
use crate::hours;
use crate::stood::StoodFor;
use jiff::Timestamp;
use std::collections::BTreeMap;
use tandem_merge::plan::Event;
use tandem_merge::record::{RecordKey, RecordType};

impl Books {
    /// Stores a line under the run at hand.
    pub(super) fn tell(&mut self, event: &Event) {
        let line = self.number(3);
        let run = self.current_run();
        let event = Event { run, ..event.clone() };
        if let Some(run) = self.runs.get_mut(&run) {
            run.ended = run.ended.max(micros(event.at));
            run.lines.1 = line;
            if run.lines.0 == 0 {
                run.lines.0 = line;
            }
            *run.counts.entry(event.what.name().to_owned()).or_default() += 1;
        }
        for (what, n) in hours::added(&event) {
            self.add_to_hour(event.at, Some(event.record.record_type.clone()), what, n);
        }
        self.history.insert(line, event);
    }

    fn add_to_hour(&mut self, at: Timestamp, of: Option<RecordType>, what: &str, n: i64) {
        let sum = self
            .hours
            .entry((hours::of(at), of, what.to_owned()))
            .or_default();
        *sum = hours::together(what, *sum, n);
    }

    pub(super) fn note_backlog(&mut self, at: Timestamp) {
        let waits = self.inbox.len() + self.intents.len();
        if waits > 0 {
            self.add_to_hour(at, None, hours::BACKLOG, waits as i64);
        }
    }

    pub(super) fn note_stood(&mut self, all: &[StoodFor]) {
        for one in all {
            self.add_to_hour(one.at, None, &one.stood.what(), one.seconds.cast_signed());
        }
    }

    pub(super) fn hours_since(&self, from: Timestamp) -> Vec<Hour> {
        let all = self
            .hours
            .iter()
            .filter(|((hour, ..), _)| *hour >= hours::of(from));
        let hour = |((hour, of, what), n): (&(i64, Option<RecordType>, String), &i64)| Hour {
            began: Timestamp::from_second(hour * 3_600).unwrap_or(from),
            record_type: of.clone(),
            what: what.clone(),
            n: n.unsigned_abs(),
        };
        all.map(hour).collect()
    }

    fn current_run(&mut self) -> u64 {
        let Some(at_hand) = self.run.clone() else {
            return 0;
        };
        if let Some(number) = at_hand.number.filter(|number| self.runs.contains_key(number)) {
            return number;
        }
        let number = self.number(4);
        let run = RunRow {
            number,
            kind: at_hand.kind.clone(),
            began: micros(at_hand.began),
            ended: micros(at_hand.began),
            lines: (0, 0),
            counts: BTreeMap::new(),
        };
        self.runs.insert(number, run);
        self.run = Some(Run {
            number: Some(number),
            ..at_hand
        });
        number
    }

    pub(super) fn compact(&mut self, before: Timestamp, after: u64, limit: usize) -> Compaction {
        let looked_at = self.history.range(after.saturating_add(1)..).take(limit);
        let looked_at: Vec<(u64, RecordKey, Timestamp)> = looked_at
            .map(|(number, event)| (*number, event.record.clone(), event.at))
            .collect();
        let full = looked_at.len() == limit;
        let mut done = Compaction::default();
        let mut last = None;
        for (number, record, at) in looked_at {
            if micros(at) >= micros(before) {
                last = None;
                break;
            }
            last = Some(number);
            if !self.needs_history(&record) {
                self.history.remove(&number);
                done.removed += 1;
            }
        }
        done.next = last.filter(|_| full);
        if done.next.is_none() {
            self.hours.retain(|(hour, ..), _| *hour >= hours::of(before));
            let history = &self.history;
            self.runs.retain(|_, run| {
                let (first, last) = run.lines;
                run.ended >= micros(before) || (first <= last && history.range(first..=last).next().is_some())
            });
        }
        done
    }

    /// Something open stands on the record, or on one linked with it.
    fn needs_history(&self, record: &RecordKey) -> bool {
        let open = |key: &RecordKey| self.items.values().any(|(of, _)| of == key);
        let mut links = self.links.values().map(|(_, link)| link);
        open(record)
            || links.any(|link| {
                (&link.first == record && open(&link.second)) || (&link.second == record && open(&link.first))
            })
    }

    pub(super) fn history_size(&self) -> HistorySize {
        HistorySize {
            lines: self.history.len() as u64,
            // A model has no size.
            bytes: 0,
            oldest: self.history.values().next().map(|event| micros(event.at)),
        }
    }
}

/// A moment as a database keeps it.
fn micros(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}
