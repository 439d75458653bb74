//! `tandem qa --clean`: removes what earlier runs left, as far as the systems delete it.

use super::leaving::Left;
use super::stage::Stage;
use crate::failure::Failure;
use std::collections::BTreeMap;
use tandem_merge::dataflow::Side;
use tandem_merge::record::{Observation, RecordKey};

/// How often what is left is deleted before it counts as stuck: references are at most this deep.
const ATTEMPTS: usize = 4;

/// What the values of our records begin with.
const MARK: &str = "QA";

impl Stage {
    /// The records that earlier runs left, by the file and by what the state notes.
    pub(crate) fn remnants(&mut self) -> Result<Vec<RecordKey>, Failure> {
        let mut all = self.remains.records();
        all.extend(self.noted_records()?);
        for (part, id) in self.noted_players()? {
            all.push(self.people.key(Side::First, &part.of, &id));
        }
        all.sort();
        all.dedup();
        Ok(all)
    }

    /// Deletes them on both sides, and lists what stays.
    pub(crate) async fn clean(&mut self, remnants: Vec<RecordKey>) -> Result<Left, Failure> {
        self.sync().await?;
        let alive = self.people.read(remnants.iter().cloned()).await?;
        let (own, strange): (BTreeMap<_, _>, BTreeMap<_, _>) = alive
            .into_iter()
            .partition(|(key, row)| self.is_still_ours(key, row));
        let mut left = Left::default();
        let renamed = strange.into_keys();
        left.stuck.extend(
            renamed.map(|key| format!("{key}: it does not bear a name of ours any more, and is left alone")),
        );
        self.own = own.keys().cloned().collect();
        let count = self.own.len() as u64;
        let mut said = BTreeMap::new();
        for _ in 0..ATTEMPTS {
            let alive = self.people.read(self.own.iter().cloned()).await?;
            // What was given an id last, and the second side, refers to the others.
            let mut keys: Vec<RecordKey> = alive.into_keys().filter(|key| self.can_go(key)).collect();
            keys.sort_by_key(|key| key.record_type.system == self.people.name(Side::First));
            if keys.is_empty() {
                break;
            }
            let answers = self.people.delete(keys.clone()).await?;
            said = keys.into_iter().zip(answers).collect();
            self.sync_and_approve().await?;
        }
        let alive = self.people.read(self.own.iter().cloned()).await?;
        left.deleted = count - alive.len() as u64;
        for key in alive.keys() {
            match said.remove(key) {
                _ if !self.can_go(key) => left
                    .kept
                    .push(format!("{key}: its system deletes none, it is out of use")),
                Some(Err(why)) => left.stuck.push(format!("{key}: it could not be deleted: {why}")),
                _ => left.stuck.push(format!("{key}: it is there again")),
            }
        }
        self.own.retain(|key| alive.contains_key(key));
        self.note_own()?;
        Ok(left)
    }

    pub(crate) fn can_go(&self, key: &RecordKey) -> bool {
        let first = key.record_type.system == self.people.name(Side::First);
        let side = if first { Side::First } else { Side::Second };
        self.people.deletable(side, &key.record_type.name)
    }

    /// A kept record may have been taken for something else since: then its name is another.
    fn is_still_ours(&self, key: &RecordKey, row: &Observation) -> bool {
        let of = &key.record_type.name;
        if key.record_type.system != self.people.name(Side::First) || !self.is_kept(of) {
            return true;
        }
        let mut texts = row.values.values().filter_map(|value| value.as_text());
        texts.any(|text| text.to_uppercase().starts_with(MARK))
    }
}
