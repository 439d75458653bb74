//! From the changes of a transaction to its events.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::avro::EventSchema;
use super::event::{Cell, ChangeType, Commit, Event};
use crate::salesforce::audit::Change;
use crate::salesforce::id::RecordId;
use crate::salesforce::org::Org;
use crate::salesforce::schema::{FieldIndex, ObjectIndex, Source};
use crate::salesforce::table::Row;
use crate::salesforce::value::Value;

/// The rows as they were before the transaction.
pub(crate) type Before<'b> = HashMap<(ObjectIndex, RecordId), Option<&'b Row>>;

impl Org {
    /// Makes the events of the transaction that ends.
    pub(crate) fn capture(
        &self,
        commit: &Arc<Commit>,
        changes: &[Change],
        before: &Before<'_>,
    ) -> Vec<Event> {
        let mut events: Vec<Event> = Vec::new();
        let mut seen: HashSet<RecordId> = HashSet::new();
        let mut flooded: Vec<ObjectIndex> = Vec::new();
        let mut made = 0_usize;
        for change in changes {
            let Some(schema) = self.event_schema(change.object) else {
                continue;
            };
            if !seen.insert(change.id) {
                continue;
            }
            let Some((kind, cells)) = self.difference(schema, change, before) else {
                continue;
            };
            made += 1;
            if made > self.events.overflow {
                if !flooded.contains(&change.object) {
                    flooded.push(change.object);
                    events.push(event(schema, commit, ChangeType::GapOverflow, change.user));
                }
                continue;
            }
            let next = Event {
                records: vec![change.id],
                cells,
                ..event(schema, commit, kind, change.user)
            };
            match events.last_mut().filter(|last| shares(last, &next)) {
                Some(last) => last.records.push(change.id),
                None => events.push(next),
            }
        }
        for (number, event) in (1..).zip(&mut events) {
            event.sequence = number;
        }
        events
    }

    /// The schema of the object's events, if it is selected.
    pub(super) fn event_schema(&self, object: ObjectIndex) -> Option<&Arc<EventSchema>> {
        let schema = self.events.current.get(&object)?;
        self.events.members.selects(&schema.entity).then_some(schema)
    }

    /// What the transaction did to the record in all; none where it left it as it was.
    fn difference(
        &self,
        schema: &EventSchema,
        change: &Change,
        before: &Before<'_>,
    ) -> Option<(ChangeType, Vec<Cell>)> {
        let old = before.get(&(change.object, change.id)).copied().flatten();
        let new = self.table(change.object).get(change.id);
        let alive = |row: Option<&Row>| row.is_some_and(|row| !row.deleted);
        match (alive(old), alive(new)) {
            (false, true) => {
                let kind = if old.is_some() {
                    ChangeType::Undelete
                } else {
                    ChangeType::Create
                };
                Some((
                    kind,
                    self.event_cells(schema, change.object, new?, |_, value| value.is_some()),
                ))
            }
            (true, false) => Some((ChangeType::Delete, Vec::new())),
            (true, true) => {
                let (old, new) = (old?, new?);
                let object = self.schema.object(change.object);
                let cells = self.event_cells(schema, change.object, new, |field, value| {
                    // An edit moves the modification date, even within the second of the edit before.
                    (object.field(field).source == Source::ModifiedDate && new.modified == new.stamp)
                        || self.cell_at(object, field, old).as_deref() != value
                });
                (!cells.is_empty()).then_some((ChangeType::Update, cells))
            }
            (false, false) => None,
        }
    }

    fn event_cells(
        &self,
        schema: &EventSchema,
        object: ObjectIndex,
        row: &Row,
        wanted: impl Fn(FieldIndex, Option<&Value>) -> bool,
    ) -> Vec<Cell> {
        let object = self.schema.object(object);
        let mut cells: Vec<Cell> = object
            .numbered()
            .filter_map(|(at, _)| {
                let place = schema.place(at)?;
                let value = self.cell_at(object, at, row);
                wanted(at, value.as_deref()).then(|| (place, value.map(std::borrow::Cow::into_owned)))
            })
            .collect();
        cells.sort_by_key(|(place, _)| *place);
        cells
    }
}

/// An event without a record.
pub(super) fn event(
    schema: &Arc<EventSchema>,
    commit: &Arc<Commit>,
    change: ChangeType,
    user: RecordId,
) -> Event {
    Event {
        schema: Arc::clone(schema),
        change,
        records: Vec::new(),
        commit: Arc::clone(commit),
        sequence: 1,
        user,
        cells: Vec::new(),
        id: String::new(),
    }
}

/// Whether both say the same of different records.
fn shares(last: &Event, next: &Event) -> bool {
    matches!(next.change, ChangeType::Update | ChangeType::Delete)
        && last.change == next.change
        && last.schema.entity == next.schema.entity
        && last.user == next.user
        && last.cells == next.cells
}
