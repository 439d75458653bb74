//! The entities in memory, and what became of them.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use serde::Serialize;

use super::model::{Model, Navigation, PropertyIndex, SetIndex};
use super::value::Value;

/// The values of the key properties, in the order of the key.
pub(crate) type Key = Vec<Value>;

/// A state of an entity, or what is left of a deleted one.
#[derive(Debug, Clone)]
pub(crate) struct Entity {
    pub(crate) values: Vec<Value>,
    pub(crate) deleted: bool,
    /// The number of the change that made this state.
    pub(crate) change: u64,
    /// When it was last changed, in milliseconds.
    pub(crate) at: i64,
    /// Until then listings show the state before. Only a lie lies in the future.
    shown_from: i64,
    /// Until then delta links tell the state before.
    told_from: i64,
    before: Option<Arc<Entity>>,
}

/// One accepted change, as `/_local/log` shows it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Change {
    pub(crate) change: u64,
    pub(crate) at: String,
    pub(crate) by: String,
    pub(crate) set: String,
    pub(crate) key: Vec<String>,
    pub(crate) action: &'static str,
}

/// When a new state is seen.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lateness {
    pub(crate) shown_from: i64,
    pub(crate) told_from: i64,
}

#[derive(Debug, Clone, Default)]
struct Table {
    entities: BTreeMap<Key, Arc<Entity>>,
    /// The next number, by property.
    numbers: BTreeMap<PropertyIndex, u64>,
}

/// All entities.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    tables: Vec<Table>,
    changes: u64,
    log: Vec<Change>,
}

impl Entity {
    /// The state that listings show at that moment.
    fn shown(&self, now: i64) -> Option<&Self> {
        if self.shown_from <= now {
            return Some(self);
        }
        self.before.as_ref().and_then(|before| before.shown(now))
    }

    /// The state that delta links tell at that moment.
    fn told(&self, now: i64) -> Option<&Self> {
        if self.told_from <= now {
            return Some(self);
        }
        self.before.as_ref().and_then(|before| before.told(now))
    }
}

impl Store {
    pub(crate) fn new(model: &Model) -> Self {
        Self {
            tables: vec![Table::default(); model.sets.len()],
            changes: 0,
            log: Vec::new(),
        }
    }

    /// The number of the last change.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// The accepted changes after that one.
    pub(crate) fn log_after(&self, change: u64) -> &[Change] {
        let from = self.log.partition_point(|logged| logged.change <= change);
        &self.log[from..]
    }

    /// The entity of that key as it stands.
    pub(crate) fn live(&self, set: SetIndex, key: &[Value]) -> Option<&Arc<Entity>> {
        self.tables[set]
            .entities
            .get(key)
            .filter(|entity| !entity.deleted)
    }

    pub(crate) fn count(&self, set: SetIndex) -> usize {
        let entities = self.tables[set].entities.values();
        entities.filter(|entity| !entity.deleted).count()
    }

    /// The entities as they stand, in the order of their keys.
    pub(crate) fn all(&self, set: SetIndex) -> impl Iterator<Item = (&Key, &Entity)> {
        let entities = self.tables[set].entities.iter();
        entities
            .map(|(key, entity)| (key, entity.as_ref()))
            .filter(|(_, entity)| !entity.deleted)
    }

    /// The entities that a listing shows, in the order of their keys, after that key.
    pub(crate) fn listed(
        &self,
        set: SetIndex,
        after: Option<&Key>,
        now: i64,
    ) -> impl Iterator<Item = (&Key, &Entity)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = self.tables[set]
            .entities
            .range::<Key, _>((from, Bound::Unbounded));
        range
            .filter_map(move |(key, entity)| entity.shown(now).map(|entity| (key, entity)))
            .filter(|(_, entity)| !entity.deleted)
    }

    /// The change up to which delta links tell all at that moment.
    pub(crate) fn told_upto(&self, set: SetIndex, now: i64) -> u64 {
        let entities = self.tables[set].entities.values();
        let late = entities.filter(|entity| entity.told_from > now);
        late.map(|entity| entity.change.saturating_sub(1))
            .min()
            .unwrap_or(self.changes)
    }

    /// What changed after that change, oldest first, deletions among it.
    pub(crate) fn changed(&self, set: SetIndex, after: u64, now: i64) -> Vec<(&Key, &Entity)> {
        let told = self.tables[set]
            .entities
            .iter()
            .filter_map(|(key, entity)| entity.told(now).map(|told| (key, told)));
        let mut found: Vec<_> = told.filter(|(_, entity)| entity.change > after).collect();
        found.sort_by_key(|(_, entity)| entity.change);
        found
    }

    /// Puts a new state in the place of what is there.
    pub(crate) fn put(
        &mut self,
        set: SetIndex,
        key: Key,
        values: Vec<Value>,
        at: i64,
        late: Lateness,
    ) -> Arc<Entity> {
        self.place(set, key, values, at, late, false)
    }

    /// Leaves a tombstone.
    pub(crate) fn remove(&mut self, set: SetIndex, key: &Key, at: i64, late: Lateness) {
        if let Some(entity) = self.live(set, key) {
            let values = entity.values.clone();
            self.place(set, key.clone(), values, at, late, true);
        }
    }

    fn place(
        &mut self,
        set: SetIndex,
        key: Key,
        values: Vec<Value>,
        at: i64,
        late: Lateness,
        deleted: bool,
    ) -> Arc<Entity> {
        self.changes += 1;
        let entities = &mut self.tables[set].entities;
        let is_late = late.shown_from > 0 || late.told_from > 0;
        let entity = Arc::new(Entity {
            values,
            deleted,
            change: self.changes,
            at,
            shown_from: late.shown_from,
            told_from: late.told_from,
            before: entities.get(&key).filter(|_| is_late).cloned(),
        });
        entities.insert(key, Arc::clone(&entity));
        entity
    }

    /// Notes the last change.
    pub(crate) fn note(&mut self, mut change: Change) {
        change.change = self.changes;
        self.log.push(change);
    }

    /// The next free number of a property that the server numbers.
    pub(crate) fn number(&mut self, set: SetIndex, property: PropertyIndex, first: u64) -> u64 {
        let next = self.tables[set].numbers.entry(property).or_insert(first);
        let number = *next;
        *next += 1;
        number
    }

    /// The entities as they stand that this way leads to.
    pub(crate) fn led_to<'a>(
        &'a self,
        navigation: &'a Navigation,
        values: &'a [Value],
    ) -> impl Iterator<Item = (&'a Key, &'a Entity)> {
        let all = self.all(navigation.target);
        all.filter(move |(_, entity)| {
            let mut pairs = navigation.by.iter();
            pairs.all(|(own, theirs)| values[*own] != Value::Null && values[*own] == entity.values[*theirs])
        })
    }
}
