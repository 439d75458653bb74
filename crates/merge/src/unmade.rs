//! Creates that a person took back: the record goes as it came, unless somebody uses it.

use crate::cluster::{Action, ParkedKind, Record};
use crate::record::{RecordKey, Values};
use crate::removals::removal;
use crate::trace::Trace;
use crate::work::Work;

impl Work<'_> {
    /// Plans the deletion of records whose create a person took back. Decided again at every observation (D2): one
    /// that is edited or linked meanwhile stays.
    pub(crate) fn settle_unmade(&mut self) {
        let marked = self.cluster.records.iter();
        let marked = marked.filter_map(|(key, record)| Some((key.clone(), record.unmade.clone()?)));
        let marked: Vec<(RecordKey, Values)> = marked.collect();
        for (key, values) in marked {
            let linked = |link: &crate::cluster::Link| link.first == key || link.second == key;
            let linked = self.cluster.links.iter().any(linked);
            if self.record(&key).is_some_and(Record::in_flight) {
                continue;
            }
            let alive = self.record(&key).is_some_and(Record::alive);
            if !alive || linked || self.mapped_values(&key) != values {
                self.keep_unmade(&key);
                continue;
            }
            let reason = "its create was taken back".to_owned();
            let action = Action::Delete { record: key.clone() };
            self.intend(&key, |rank| removal(&key, rank, reason, Trace::NONE), action);
        }
    }

    /// The values that flows map of a record.
    pub(crate) fn mapped_values(&self, key: &RecordKey) -> Values {
        let Some(record) = self.record(key) else {
            return Values::new();
        };
        let uses = self.flows.flows_of(&key.record_type);
        let names = uses.flat_map(|(flow, side)| flow.mappings.iter().map(move |it| it.property(side)));
        let values = names.filter_map(|name| {
            let value = record.shadow.values.get(name).filter(|value| !value.is_blank());
            Some((name.to_owned(), value?.clone()))
        });
        values.collect()
    }

    fn keep_unmade(&mut self, key: &RecordKey) {
        let alive = self.record(key).is_some_and(Record::alive);
        if let Some(record) = self.cluster.records.get_mut(key) {
            record.unmade = None;
        }
        if alive {
            let kind = ParkedKind::Undecidable;
            let why =
                "its create was taken back, and it was edited or linked before it was deleted: it stays";
            let what = crate::plan::EventKind::Parked { kind };
            self.note(key, None, None, what, why.to_owned());
        }
    }

    /// The system refused the deletion: the record stays, and is listed.
    pub(crate) fn leave_unmade(&mut self, key: &RecordKey, reason: &str, advice: &str) {
        let said = crate::refusals::Said {
            kind: ParkedKind::Refused,
            named: &[],
            reason,
            advice,
        };
        let parked = self.refusal(said, &key.record_type, 0, None);
        let Some(record) = self.cluster.records.get_mut(key) else {
            return;
        };
        if record.unmade.take().is_some() {
            let flows: Vec<String> = record.suppressed.iter().cloned().collect();
            for flow in flows {
                record.held.insert(flow, parked.clone());
            }
        }
    }
}
