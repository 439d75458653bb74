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
            rows = self.found(named.iter().cloned().collect(), text)?;
            if !rows.is_empty() {
                let next = Some(u64::MAX.to_string());
                return Ok(Page { rows, next });
            }
        }
        loop {
            let mut sought = self.store.seek(text, from, STRETCH)?;
            sought.found.retain(|key| !named.contains(key));
            rows.extend(self.found(sought.found, text)?);
            match sought.next {
                Some(next) if rows.len() < limit && began.elapsed() < patience => from = next,
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

    /// Those of some records that contain a text where whoever looks may see it, in their order.
    fn found(&mut self, keys: Vec<RecordKey>, text: &str) -> Result<Vec<RecordName>, Refused> {
        let values = self.store.values(&keys)?;
        let wanted = text.trim().to_lowercase();
        let shown = |text: &str| text.to_lowercase().contains(&wanted);
        let holds = |key: &RecordKey| {
            let mut values = values.get(key).into_iter().flatten();
            values.any(|(property, value)| {
                !self.masks.hides(&key.record_type, property) && shown(&value.to_string())
            })
        };
        let found = keys.iter().filter(|key| shown(&key.id) || holds(key));
        Ok(found.map(|key| self.name_by(values.get(key), key)).collect())
    }
}
