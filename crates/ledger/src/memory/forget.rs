//! Forgetting in the model.

use super::books::{Books, Entry};
use crate::Error;
use crate::contract::Forgotten;
use crate::outbox::subject;
use std::collections::BTreeSet;
use tandem_merge::record::RecordKey;

impl Books {
    pub(super) fn forget(&mut self, records: &[RecordKey]) -> Result<Forgotten, Error> {
        let mut done = Forgotten::default();
        for key in records {
            if !self.records.contains_key(key) {
                continue;
            }
            let key = key.clone();
            let mut intents = self.intents.values();
            if intents.any(|intent| subject(&intent.action) == &key && intent.sent.is_some()) {
                return Err(Error::UnderWay(key));
            }
            done.records += 1;
            done.lines += self.erase(&key);
            self.forgotten.insert(key);
        }
        Ok(done)
    }

    fn erase(&mut self, key: &RecordKey) -> u64 {
        let before = self.history.len();
        self.history.retain(|_, event| &event.record != key);
        let lines = before - self.history.len();
        self.inbox.retain(|_, seen| &seen.key != key);
        self.dirty.remove(key);
        self.links
            .retain(|_, (_, link)| &link.first != key && &link.second != key);
        self.intents.retain(|_, intent| subject(&intent.action) != key);
        self.items.retain(|_, (of, _)| of != key);
        self.reread.remove(key);
        self.later.remove(key);
        let waiting: BTreeSet<RecordKey> = self
            .waits
            .iter()
            .filter(|(target, waiting)| target == key && waiting != key)
            .map(|(_, waiting)| waiting.clone())
            .collect();
        self.waits
            .retain(|(target, waiting)| target != key && waiting != key);
        if let Some(entry) = self.records.remove(key) {
            let nameless = RecordKey {
                record_type: key.record_type.clone(),
                id: format!("forgotten-{}", entry.number),
            };
            let blank = Entry {
                number: entry.number,
                revision: entry.revision + 1,
                woke: entry.woke,
                ..Entry::default()
            };
            self.records.insert(nameless, blank);
        }
        let mut waiting: Vec<(u64, RecordKey)> = waiting
            .into_iter()
            .map(|key| (self.records[&key].number, key))
            .collect();
        waiting.sort();
        for (_, key) in waiting {
            self.mark_dirty(&key, false);
        }
        lines as u64
    }
}
