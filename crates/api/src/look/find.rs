//! Looking for records by a text.

use super::{Looker, before};
use crate::Refused;
use crate::view::{Page, RecordName};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tandem_merge::dataflow::Side;
use tandem_merge::matching::flow_keys;
use tandem_merge::record::{RecordKey, Values};
use tandem_merge::value::Value;

/// Records looked through between two looks at the clock.
const STRETCH: usize = 1_000;
/// Where a search goes on that has looked no further than what the text names.
pub const EVERYTHING: &str = "18446744073709551615";
/// Hits that are looked at together.
const TOGETHER: usize = 50;

impl Looker<'_> {
    /// Records that contain a text in their id or in a value that is kept in step: first those that the text itself
    /// names, by their id or by what records are matched by, then that which became known last. Looks for no longer than
    /// `patience`, then says where to go on. Values that are masked are not looked into.
    ///
    /// # Errors
    /// As [`Looker::links`].
    pub fn find(
        &mut self,
        text: &str,
        cursor: Option<&str>,
        limit: usize,
        patience: Duration,
    ) -> Result<Page<RecordName>, Refused> {
        let (began, mut from) = (Instant::now(), before(cursor)?);
        let named = self.named_by(text)?;
        let mut rows = Vec::new();
        if cursor.is_none() && !named.is_empty() {
            // Nobody who names a record waits until all others were looked through.
            let found = self.found(&named.iter().cloned().collect::<Vec<_>>(), text)?;
            rows.extend(found.into_iter().flatten());
            if !rows.is_empty() {
                let next = Some(EVERYTHING.to_owned());
                return Ok(Page { rows, next });
            }
        }
        loop {
            let sought = self.store.seek(text, from, STRETCH)?;
            let mut hits = sought.found;
            hits.retain(|(_, key)| !named.contains(key));
            for hits in hits.chunks(TOGETHER) {
                let keys: Vec<RecordKey> = hits.iter().map(|(_, key)| key.clone()).collect();
                for ((number, _), found) in hits.iter().zip(self.found(&keys, text)?) {
                    rows.extend(found);
                    if rows.len() == limit {
                        let next = Some(number.to_string());
                        return Ok(Page { rows, next });
                    }
                }
            }
            match sought.next {
                Some(next) if began.elapsed() < patience => from = next,
                next => {
                    let next = next.map(|next| next.to_string());
                    return Ok(Page { rows, next });
                }
            }
        }
    }

    /// The records that a text names: by their id, or by a value that records are matched by.
    fn named_by(&mut self, text: &str) -> Result<BTreeSet<RecordKey>, Refused> {
        let text = text.trim();
        let (mut ids, mut keys) = (BTreeSet::new(), BTreeSet::new());
        for flow in &self.flows.flows {
            for side in Side::BOTH {
                let record = RecordKey {
                    record_type: flow.end(side).record_type.clone(),
                    id: text.to_owned(),
                };
                let rules = flow.match_rules.iter().filter(|rule| rule.parts.len() == 1);
                let properties = rules.map(|rule| rule.parts[0].properties[side.index()].clone());
                let values: Values = properties.map(|property| (property, Value::text(text))).collect();
                keys.extend(flow_keys(flow, side, &record, &values));
                ids.insert(record);
            }
        }
        let ids: Vec<RecordKey> = ids.into_iter().collect();
        let mut found: BTreeSet<RecordKey> = self.store.values(&ids)?.into_keys().collect();
        for key in &keys {
            found.extend(self.store.with_key(key)?);
        }
        Ok(found)
    }

    /// Each of some records that contains a text where whoever looks may see it; none for the others.
    fn found(&mut self, keys: &[RecordKey], text: &str) -> Result<Vec<Option<RecordName>>, Refused> {
        let values = self.store.values(keys)?;
        let wanted = text.trim().to_lowercase();
        let shown = |text: &str| text.to_lowercase().contains(&wanted);
        let holds = |key: &RecordKey| {
            let mut values = values.get(key).into_iter().flatten();
            values.any(|(property, value)| {
                !self.masks.hides(&key.record_type, property) && shown(&value.to_string())
            })
        };
        let found = keys.iter().map(|key| {
            let hit = shown(&key.id) || holds(key);
            hit.then(|| self.name_by(values.get(key), key))
        });
        Ok(found.collect())
    }
}
