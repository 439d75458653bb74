//! Putting states of entities into the store: stamped, noted, and with what they are part of.

use std::sync::Arc;

use crate::odata::lies::Lie;
use crate::odata::model::{EntitySet, Filling, Kind, SetIndex};
use crate::odata::service::{State, Talk};
use crate::odata::store::{Change, Entity, Key, Lateness};
use crate::odata::value::{Value, day_of, moment, time_of};

/// The set of an entity that refers to this one and is no part of it.
pub(super) fn referrer(talk: &Talk<'_>, state: &State, set: SetIndex, values: &[Value]) -> Option<String> {
    for other in &talk.model.sets {
        for way in other
            .navigations
            .iter()
            .filter(|way| !way.many && way.target == set)
        {
            let position = talk
                .model
                .sets
                .iter()
                .position(|candidate| candidate.name == other.name)?;
            let mut parts = talk.set(set).navigations.iter().filter(|way| way.parts);
            if parts.any(|way| way.target == position) {
                continue;
            }
            let mut all = state.store.all(position);
            let refers = |(_, entity): (&Key, &Entity)| {
                way.by
                    .iter()
                    .all(|(own, theirs)| entity.values[*own] == values[*theirs])
            };
            if all.any(refers) {
                return Some(other.name.clone());
            }
        }
    }
    None
}

/// Puts a new state into the store, stamped.
pub(crate) fn store(
    talk: &Talk<'_>,
    state: &mut State,
    set: SetIndex,
    key: &Key,
    mut values: Vec<Value>,
    before: Option<&Entity>,
) -> Arc<Entity> {
    let at = talk.clock.writing(before.map_or(0, |before| before.at));
    stamp(talk.set(set), &mut values, at, before.is_none(), &talk.user);
    let late = lateness(talk, state, false);
    let entity = state.store.put(set, key.clone(), values, at, late);
    let action = if before.is_some() { "update" } else { "create" };
    note(talk, state, set, key, action, at);
    touch_whole(talk, state, set, &entity.values);
    entity
}

/// Fills what the server fills with every change.
pub(crate) fn stamp(set: &EntitySet, values: &mut [Value], at: i64, new: bool, user: &str) {
    for (position, property) in set.properties.iter().enumerate() {
        match property.filling {
            Filling::Stamp { creation } if new || !creation => {
                values[position] = match property.kind {
                    Kind::Date => day_of(at).map_or(Value::Null, Value::Date),
                    Kind::Time => time_of(at).map_or(Value::Null, Value::Time),
                    _ => Value::Moment(at),
                };
            }
            Filling::User => values[position] = Value::Text(user.to_owned()),
            _ => {}
        }
    }
}

/// A change of a part is a change of what it is part of.
pub(super) fn touch_whole(talk: &Talk<'_>, state: &mut State, set: SetIndex, values: &[Value]) {
    for (position, other) in talk.model.sets.iter().enumerate() {
        for way in other
            .navigations
            .iter()
            .filter(|way| way.parts && way.target == set)
        {
            let wholes = state.store.all(position).filter(|(_, entity)| {
                let mut pairs = way.by.iter();
                pairs.all(|(own, theirs)| entity.values[*own] == values[*theirs])
            });
            let wholes: Vec<(Key, Entity)> = wholes
                .map(|(key, entity)| (key.clone(), entity.clone()))
                .collect();
            for (key, entity) in wholes {
                store(talk, state, position, &key, entity.values.clone(), Some(&entity));
            }
        }
    }
}

pub(super) fn lateness(talk: &Talk<'_>, state: &State, deletion: bool) -> Lateness {
    let later = talk.clock.now() + state.lateness;
    let slow = state.lies.tells(Lie::SlowCommit);
    let untold = deletion && state.lies.tells(Lie::LateTombstones);
    Lateness {
        shown_from: if slow { later } else { 0 },
        told_from: if slow || untold { later } else { 0 },
    }
}

pub(super) fn note(
    talk: &Talk<'_>,
    state: &mut State,
    set: SetIndex,
    key: &Key,
    action: &'static str,
    at: i64,
) {
    state.store.note(Change {
        change: 0,
        at: moment(at),
        by: talk.user.clone(),
        set: talk.set(set).name.clone(),
        key: key.iter().map(Value::plain).collect(),
        action,
    });
}
