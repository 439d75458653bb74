//! The records in memory, with the indexes that listings, lookups, uniqueness and references need.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::fault::Planted;
use super::idempotency::Replies;
use super::journal::{Change, Journal};
use super::record::Record;
use super::schema::{Catalog, Filling, Kind, PropertyIndex, RecordType, TypeIndex};
use super::value::{Value, fold};
use crate::clock::Clock;

/// From a folded value to the live records that hold it.
type Index = HashMap<String, BTreeSet<u64>>;

/// The records of one type.
#[derive(Debug, Default)]
struct Table {
    records: BTreeMap<u64, Arc<Record>>,
    /// (updatedAt, id) of every record and tombstone: the order of listings.
    by_update: BTreeSet<(i64, u64)>,
    indexes: HashMap<PropertyIndex, Index>,
    /// The next number per property that the ERP numbers.
    numbers: HashMap<PropertyIndex, u64>,
    live: usize,
}

/// All records of the company.
#[derive(Debug)]
pub(crate) struct Store {
    catalog: Arc<Catalog>,
    tables: Vec<Table>,
    clock: Arc<Clock>,
    pub(crate) journal: Journal,
    pub(crate) replies: Replies,
    pub(crate) faults: Vec<Planted>,
}

impl Store {
    pub(crate) fn new(catalog: Arc<Catalog>, clock: Arc<Clock>) -> Self {
        let tables = catalog.types.iter().map(empty_table).collect();
        Self {
            catalog,
            tables,
            clock,
            journal: Journal::default(),
            replies: Replies::default(),
            faults: Vec::new(),
        }
    }

    pub(crate) fn record_type(&self, type_index: TypeIndex) -> &RecordType {
        &self.catalog.types[type_index]
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    pub(crate) fn shared_catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalog)
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The record or tombstone of that id.
    pub(crate) fn get(&self, type_index: TypeIndex, id: u64) -> Option<&Arc<Record>> {
        self.tables[type_index].records.get(&id)
    }

    /// The record of that id, unless deleted.
    pub(crate) fn live(&self, type_index: TypeIndex, id: u64) -> Option<&Arc<Record>> {
        self.get(type_index, id).filter(|record| !record.deleted)
    }

    /// How many records of the type are not deleted.
    pub(crate) fn count(&self, type_index: TypeIndex) -> usize {
        self.tables[type_index].live
    }

    /// Records and tombstones after that position in the order of their last change.
    pub(crate) fn changed_after(
        &self,
        type_index: TypeIndex,
        position: (i64, u64),
    ) -> impl Iterator<Item = &Arc<Record>> {
        use std::ops::Bound::{Excluded, Unbounded};
        let table = &self.tables[type_index];
        let range = table.by_update.range((Excluded(position), Unbounded));
        range.filter_map(|(_, id)| table.records.get(id))
    }

    /// Live records, the last changed first.
    pub(crate) fn newest(&self, type_index: TypeIndex) -> impl Iterator<Item = &Arc<Record>> {
        let table = &self.tables[type_index];
        let newest = table
            .by_update
            .iter()
            .rev()
            .filter_map(|(_, id)| table.records.get(id));
        newest.filter(|record| !record.deleted)
    }

    /// Live records in the order of their ids.
    pub(crate) fn by_id(&self, type_index: TypeIndex) -> impl Iterator<Item = &Arc<Record>> {
        self.tables[type_index]
            .records
            .values()
            .filter(|record| !record.deleted)
    }

    /// Live records whose property equals one of the values, folded as the index folds them.
    pub(crate) fn find(
        &self,
        type_index: TypeIndex,
        property: PropertyIndex,
        values: &[String],
    ) -> Vec<Arc<Record>> {
        let table = &self.tables[type_index];
        let kind = &self.record_type(type_index).properties[property].kind;
        let wanted: BTreeSet<String> = values.iter().map(|value| fold(kind, value)).collect();
        let ids: BTreeSet<u64> = match table.indexes.get(&property) {
            Some(index) => wanted
                .iter()
                .filter_map(|value| index.get(value))
                .flatten()
                .copied()
                .collect(),
            None => {
                let holds = |record: &&Arc<Record>| {
                    record
                        .value(property)
                        .folded(kind)
                        .is_some_and(|value| wanted.contains(&value))
                };
                self.by_id(type_index)
                    .filter(holds)
                    .map(|record| record.id)
                    .collect()
            }
        };
        ids.iter()
            .filter_map(|id| self.live(type_index, *id))
            .cloned()
            .collect()
    }

    /// A live record, other than `except`, that holds exactly this value.
    pub(crate) fn holder(
        &self,
        type_index: TypeIndex,
        property: PropertyIndex,
        value: &Value,
        except: Option<u64>,
    ) -> Option<u64> {
        let kind = &self.record_type(type_index).properties[property].kind;
        let same = self.tables[type_index]
            .indexes
            .get(&property)?
            .get(&value.folded(kind)?)?;
        let exact = |id: &&u64| {
            self.live(type_index, **id)
                .is_some_and(|record| record.value(property) == value)
        };
        same.iter().filter(|id| Some(**id) != except).find(exact).copied()
    }

    /// A live record that refers to this one, other than itself and its parts, and the property by which it does.
    pub(crate) fn referrer(&self, type_index: TypeIndex, id: u64) -> Option<(TypeIndex, u64, PropertyIndex)> {
        let key = id.to_string();
        for (other, record_type) in self.catalog.types.iter().enumerate() {
            for (position, property) in record_type.properties.iter().enumerate() {
                if property.kind != Kind::Reference(type_index) || property.whole {
                    continue;
                }
                let index = self.tables[other].indexes.get(&position);
                let mut found = index.and_then(|index| index.get(&key)).into_iter().flatten();
                if let Some(from) = found.find(|from| other != type_index || **from != id) {
                    return Some((other, *from, position));
                }
            }
        }
        None
    }

    /// Takes the next free number for a property that the ERP numbers.
    pub(crate) fn next_number(&mut self, type_index: TypeIndex, property: PropertyIndex) -> Value {
        let Filling::Number { prefix, first } = &self.catalog.types[type_index].properties[property].filling
        else {
            return Value::Blank;
        };
        let (prefix, first) = (prefix.clone(), *first);
        let mut next = self.tables[type_index]
            .numbers
            .get(&property)
            .copied()
            .unwrap_or(first);
        let mut value = Value::Text(format!("{prefix}{next}"));
        while self.holder(type_index, property, &value, None).is_some() {
            next += 1;
            value = Value::Text(format!("{prefix}{next}"));
        }
        self.tables[type_index].numbers.insert(property, next + 1);
        value
    }

    /// Stores a new record under the next id.
    pub(crate) fn insert(&mut self, type_index: TypeIndex, values: Vec<Value>, by: &str) -> Arc<Record> {
        let stamp = self.clock.writing(0);
        let record = self.place(type_index, values, stamp, by);
        self.add_up(type_index, &record);
        let record_type = &self.catalog.types[type_index];
        self.journal.created(record_type, &record);
        record
    }

    /// Stores a record that was there before the ERP was started, without validation or journal.
    pub(crate) fn seed(&mut self, type_index: TypeIndex, values: Vec<Value>, stamp: i64, by: &str) -> u64 {
        self.clock.seeded(stamp);
        let record = self.place(type_index, values, stamp, by);
        self.add_up(type_index, &record);
        record.id
    }

    /// Changes a property of a seeded record beneath validation, stamps and journal.
    pub(crate) fn amend(&mut self, type_index: TypeIndex, id: u64, property: PropertyIndex, value: Value) {
        let Some(record) = self.live(type_index, id).cloned() else {
            return;
        };
        self.unindex(type_index, &record);
        let mut amended = Record::clone(&record);
        amended.values[property] = value;
        let amended = Arc::new(amended);
        self.index(type_index, &amended);
        self.tables[type_index].records.insert(id, amended);
    }

    /// Gives properties of a live record new values, as one change. Without any the record stays as it is.
    pub(crate) fn change(
        &mut self,
        type_index: TypeIndex,
        record: &Arc<Record>,
        changes: Vec<(PropertyIndex, Value)>,
        by: &str,
    ) -> Arc<Record> {
        if changes.is_empty() {
            return Arc::clone(record);
        }
        let mut next = self.successor(record, by);
        for (property, value) in changes {
            let property_name = self.catalog.types[type_index].properties[property].name.clone();
            self.journal.push(Change {
                at: next.updated_at,
                by: by.to_owned(),
                type_name: self.catalog.types[type_index].name.clone(),
                id: next.id,
                action: "update",
                property: Some(property_name),
                old: record.value(property).clone(),
                new: value.clone(),
            });
            next.values[property] = value;
        }
        self.catalog.types[type_index].compute(&mut next.values);
        let changed = self.replace(type_index, record, next);
        self.add_up(type_index, &changed);
        changed
    }

    /// Turns a live record into a tombstone.
    pub(crate) fn remove(&mut self, type_index: TypeIndex, record: &Arc<Record>, by: &str) -> Arc<Record> {
        let mut tombstone = self.successor(record, by);
        tombstone.deleted = true;
        tombstone.values.fill(Value::Blank);
        self.journal.push(Change {
            at: tombstone.updated_at,
            by: by.to_owned(),
            type_name: self.catalog.types[type_index].name.clone(),
            id: record.id,
            action: "delete",
            property: None,
            old: Value::Blank,
            new: Value::Blank,
        });
        self.tables[type_index].live -= 1;
        let removed = self.replace(type_index, record, tombstone);
        // The tombstone no longer says what it was part of.
        self.add_up(type_index, record);
        removed
    }

    fn successor(&self, record: &Record, by: &str) -> Record {
        let mut next = record.clone();
        next.version += 1;
        next.updated_at = self.clock.writing(record.updated_at);
        by.clone_into(&mut next.updated_by);
        next
    }

    fn place(&mut self, type_index: TypeIndex, mut values: Vec<Value>, stamp: i64, by: &str) -> Arc<Record> {
        self.catalog.types[type_index].compute(&mut values);
        let id = self.tables[type_index]
            .records
            .last_key_value()
            .map_or(1, |(last, _)| last + 1);
        let record = Arc::new(Record {
            id,
            version: 1,
            created_at: stamp,
            updated_at: stamp,
            updated_by: by.to_owned(),
            deleted: false,
            values,
        });
        self.index(type_index, &record);
        let table = &mut self.tables[type_index];
        table.by_update.insert((stamp, id));
        table.live += 1;
        table.records.insert(id, Arc::clone(&record));
        record
    }

    fn replace(&mut self, type_index: TypeIndex, old: &Arc<Record>, new: Record) -> Arc<Record> {
        let new = Arc::new(new);
        self.unindex(type_index, old);
        self.index(type_index, &new);
        let table = &mut self.tables[type_index];
        table.by_update.remove(&(old.updated_at, old.id));
        table.by_update.insert((new.updated_at, new.id));
        table.records.insert(new.id, Arc::clone(&new));
        new
    }

    fn index(&mut self, type_index: TypeIndex, record: &Record) {
        let properties = &self.catalog.types[type_index].properties;
        for (property, index) in &mut self.tables[type_index].indexes {
            if let Some(key) = record.value(*property).folded(&properties[*property].kind) {
                index.entry(key).or_default().insert(record.id);
            }
        }
    }

    fn unindex(&mut self, type_index: TypeIndex, record: &Record) {
        let properties = &self.catalog.types[type_index].properties;
        for (property, index) in &mut self.tables[type_index].indexes {
            let Some(key) = record.value(*property).folded(&properties[*property].kind) else {
                continue;
            };
            if let Some(ids) = index.get_mut(&key) {
                ids.remove(&record.id);
                if ids.is_empty() {
                    index.remove(&key);
                }
            }
        }
    }
}

fn empty_table(record_type: &RecordType) -> Table {
    let indexed = record_type
        .properties
        .iter()
        .enumerate()
        .filter(|(_, property)| property.indexed());
    Table {
        indexes: indexed.map(|(position, _)| (position, Index::new())).collect(),
        ..Table::default()
    }
}
