//! The rows of one object, with the indexes that queries and unique fields need.

use std::collections::{BTreeSet, HashMap};

use super::id::RecordId;
use super::schema::{FieldIndex, Object};
use super::value::Value;

/// The values of a row that are not blank, in the order of their fields.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Values(Vec<(FieldIndex, Value)>);

impl Values {
    pub(crate) fn get(&self, field: FieldIndex) -> Option<&Value> {
        let at = self.0.binary_search_by_key(&field, |(at, _)| *at).ok()?;
        Some(&self.0[at].1)
    }

    /// Sets the field, or blanks it.
    pub(crate) fn set(&mut self, field: FieldIndex, value: Option<Value>) {
        match (self.0.binary_search_by_key(&field, |(at, _)| *at), value) {
            (Ok(at), Some(value)) => self.0[at].1 = value,
            (Ok(at), None) => {
                self.0.remove(at);
            }
            (Err(at), Some(value)) => self.0.insert(at, (field, value)),
            (Err(_), None) => {}
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (FieldIndex, &Value)> {
        self.0.iter().map(|(at, value)| (*at, value))
    }
}

/// One record. Moments are seconds since 1970 UTC.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) id: RecordId,
    pub(crate) created: i64,
    pub(crate) created_by: RecordId,
    pub(crate) modified: i64,
    pub(crate) modified_by: RecordId,
    /// `SystemModstamp`.
    pub(crate) stamp: i64,
    pub(crate) deleted: bool,
    pub(crate) values: Values,
}

/// One index of a unique field: the key of the value, and the live record that holds it.
type UniqueIndex = HashMap<String, RecordId>;

/// The rows of one object. Deleted rows stay, as in a recycle bin that is never emptied.
#[derive(Debug)]
pub(crate) struct Table {
    rows: HashMap<RecordId, Row>,
    by_stamp: BTreeSet<(i64, RecordId)>,
    unique: Vec<(FieldIndex, bool, UniqueIndex)>,
    live: usize,
    next_id: u64,
    next_number: u64,
}

impl Table {
    pub(crate) fn new(object: &Object) -> Table {
        let unique = object
            .numbered()
            .filter(|(_, field)| field.unique())
            .map(|(at, field)| (at, field.case_sensitive(), UniqueIndex::new()));
        Table {
            rows: HashMap::new(),
            by_stamp: BTreeSet::new(),
            unique: unique.collect(),
            live: 0,
            next_id: 0,
            next_number: 0,
        }
    }

    /// Indexes the unique fields that have no index yet; of equal values one is found.
    pub(crate) fn fit(&mut self, object: &Object) {
        for (at, field) in object.numbered().filter(|(_, field)| field.unique()) {
            if self.indexed(at) {
                continue;
            }
            let sensitive = field.case_sensitive();
            let live = self.rows.values().filter(|row| !row.deleted);
            let held = live.filter_map(|row| {
                let text = row.values.get(at)?.as_text()?;
                Some((unique_key(text, sensitive), row.id))
            });
            let index = held.collect();
            self.unique.push((at, sensitive, index));
        }
    }

    /// How many rows are not deleted.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// The row, deleted or not.
    pub(crate) fn get(&self, id: RecordId) -> Option<&Row> {
        self.rows.get(&id)
    }

    /// The row, unless deleted.
    pub(crate) fn get_live(&self, id: RecordId) -> Option<&Row> {
        self.get(id).filter(|row| !row.deleted)
    }

    /// All rows, deleted ones included, in the order of (SystemModstamp, Id) from this moment on.
    pub(crate) fn since(&self, stamp: i64) -> impl DoubleEndedIterator<Item = &Row> {
        self.by_stamp
            .range((stamp, RecordId::MIN)..)
            .filter_map(|(_, id)| self.rows.get(id))
    }

    /// The live record that holds this value in a unique field; `None` also where the field has no index.
    pub(crate) fn holder(&self, field: FieldIndex, text: &str) -> Option<RecordId> {
        let (_, sensitive, index) = self.unique.iter().find(|(at, ..)| *at == field)?;
        index.get(&unique_key(text, *sensitive)).copied()
    }

    /// Whether the field has an index.
    pub(crate) fn indexed(&self, field: FieldIndex) -> bool {
        self.unique.iter().any(|(at, ..)| *at == field)
    }

    /// The number for the next id. Numbers are used once, even by a row that is taken back.
    pub(crate) fn draw_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// The next automatic number. Like ids, numbers of rows that are taken back are lost.
    pub(crate) fn draw_number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// Puts the row in the place of the one with the same id, or takes that one away. Answers with what was there.
    pub(crate) fn replace(&mut self, id: RecordId, row: Option<Row>) -> Option<Row> {
        let before = self.rows.remove(&id);
        if let Some(old) = &before {
            self.by_stamp.remove(&(old.stamp, id));
            self.index(old, false);
        }
        if let Some(new) = row {
            self.by_stamp.insert((new.stamp, id));
            self.index(&new, true);
            self.rows.insert(id, new);
        }
        before
    }

    fn index(&mut self, row: &Row, enter: bool) {
        if row.deleted {
            return;
        }
        self.live = if enter {
            self.live + 1
        } else {
            self.live.saturating_sub(1)
        };
        for (field, sensitive, index) in &mut self.unique {
            let Some(text) = row.values.get(*field).and_then(Value::as_text) else {
                continue;
            };
            let key = unique_key(text, *sensitive);
            if enter {
                index.insert(key, row.id);
            } else if index.get(&key) == Some(&row.id) {
                index.remove(&key);
            }
        }
    }
}

fn unique_key(text: &str, sensitive: bool) -> String {
    if sensitive {
        text.to_owned()
    } else {
        text.to_lowercase()
    }
}
