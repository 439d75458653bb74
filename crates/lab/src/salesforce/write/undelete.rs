//! Out of the recycle bin again, with what went there together; and out of it for good.

use std::collections::{BTreeMap, BTreeSet};

use super::delete::CASCADES;
use super::{Draft, rules};
use crate::salesforce::audit::{Action, Change};
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::id::RecordId;
use crate::salesforce::org::{Actor, Org, Origin, Touched};
use crate::salesforce::schema::{FieldIndex, ObjectIndex};
use crate::salesforce::table::Row;
use crate::salesforce::value::Value;

/// What went with a record that was deleted.
#[derive(Debug, Clone, Default)]
pub(super) struct Burial {
    /// The records deleted with it.
    pub(super) children: Vec<RecordId>,
    /// The references to it that were blanked.
    pub(super) blanked: Vec<(ObjectIndex, FieldIndex, RecordId)>,
}

/// The recycle bin, beside the rows that lie in it.
#[derive(Debug, Default)]
pub(crate) struct RecycleBin {
    pub(super) burials: BTreeMap<RecordId, Burial>,
    /// The records that no longer lie in it.
    purged: BTreeSet<RecordId>,
}

impl RecycleBin {
    /// Whether the record was taken out of the bin for good.
    pub(crate) fn is_purged(&self, id: RecordId) -> bool {
        self.purged.contains(&id)
    }
}

impl Org {
    /// Restores a record from the recycle bin, with what was deleted with it.
    ///
    /// # Errors
    /// `UNDELETE_FAILED` where it does not lie there or its parent still does; `DUPLICATE_VALUE` where another record has
    /// taken a unique value.
    pub(crate) fn undelete(&mut self, actor: Actor, id: RecordId) -> Outcome<()> {
        let (object, row) = self.in_bin(actor, id)?;
        self.check_parents(object, &row)?;
        let name = self.schema.object(object).name.clone();
        self.touch(Touched::Records, &name)?;
        self.restore(actor, object, row)
    }

    /// Takes a record out of the recycle bin for good.
    ///
    /// # Errors
    /// Where it does not lie there.
    pub(crate) fn purge(&mut self, actor: Actor, id: RecordId) -> Outcome<()> {
        self.in_bin(actor, id)?;
        self.bin.purged.insert(id);
        if let Some(burial) = self.bin.burials.remove(&id) {
            for child in burial.children {
                self.bin.purged.insert(child);
            }
        }
        Ok(())
    }

    /// The deleted records that this actor may restore, the latest first.
    pub(crate) fn bin(&self, actor: Actor) -> Vec<(ObjectIndex, &Row)> {
        let objects = 0..self.schema.objects.len();
        let mut rows: Vec<(ObjectIndex, &Row)> = objects
            .flat_map(|object| self.table(object).since(i64::MIN).map(move |row| (object, row)))
            .filter(|(object, row)| {
                row.deleted
                    && !self.bin.is_purged(row.id)
                    && self.sees(actor, self.schema.object(*object), row)
            })
            .collect();
        rows.sort_by_key(|(_, row)| std::cmp::Reverse((row.stamp, row.id)));
        rows
    }

    fn in_bin(&self, actor: Actor, id: RecordId) -> Outcome<(ObjectIndex, Row)> {
        let (object, row) = self
            .row(id)
            .filter(|(object, row)| self.sees(actor, self.schema.object(*object), row))
            .ok_or_else(|| Fault::new(Code::InvalidCrossReferenceKey, "invalid cross reference id"))?;
        if !row.deleted || self.bin.is_purged(id) {
            return Err(Fault::new(
                Code::UndeleteFailed,
                "Entity is not in the recycle bin",
            ));
        }
        Ok((object, row.clone()))
    }

    fn check_parents(&self, object: ObjectIndex, row: &Row) -> Outcome<()> {
        let kind = self.schema.object(object);
        for (child, field) in CASCADES.iter().filter(|(child, _)| *child == kind.name) {
            let parent = kind.find(field).and_then(|at| row.values.get(at)?.as_reference());
            let gone = parent.is_some_and(|id| self.row(id).is_none_or(|(_, row)| row.deleted));
            if gone {
                return Err(Fault::of_field(
                    Code::UndeleteFailed,
                    field,
                    format!("the {child} cannot be restored before the record that {field} names"),
                ));
            }
        }
        Ok(())
    }

    fn restore(&mut self, actor: Actor, object: ObjectIndex, row: Row) -> Outcome<()> {
        let (id, now) = (row.id, self.now());
        let mut live = row;
        live.deleted = false;
        live.modified = now;
        live.modified_by = actor.user;
        live.stamp = now;
        let mut draft = Draft::new(&self.schema, object, live.clone(), Some(live));
        draft.set("MasterRecordId", None);
        self.check_unique(&draft)?;
        self.put(object, draft.row.clone());
        self.note(Change {
            at: now,
            user: actor.user,
            origin: actor.origin.as_str(),
            action: Action::Undelete,
            object,
            id,
            fields: Vec::new(),
        });
        rules::follow_up(self, &draft);
        let system = Actor {
            origin: Origin::System,
            ..actor
        };
        let burial = self.bin.burials.get(&id).cloned().unwrap_or_default();
        for child in burial.children {
            let buried = self.row(child).filter(|(_, row)| row.deleted);
            if let Some((object, row)) = buried.map(|(object, row)| (object, row.clone())) {
                self.restore(system, object, row)?;
            }
        }
        for (child, field, source) in burial.blanked {
            self.point(system, (child, field, source), Some(id), |held| held.is_none());
        }
        Ok(())
    }

    /// Sets a reference of a live record past all checks, if what it holds fits; whether it did.
    pub(super) fn point(
        &mut self,
        actor: Actor,
        (object, field, source): (ObjectIndex, FieldIndex, RecordId),
        to: Option<RecordId>,
        fits: impl Fn(Option<&Value>) -> bool,
    ) -> bool {
        let Some(mut row) = self.table(object).get_live(source).cloned() else {
            return false;
        };
        let old = row.values.get(field).cloned();
        if !fits(old.as_ref()) {
            return false;
        }
        let (now, new) = (self.now(), to.map(Value::Reference));
        row.values.set(field, new.clone());
        // Not a person's change: only the system's stamp moves.
        row.stamp = now;
        self.put(object, row);
        self.note(Change {
            at: now,
            user: actor.user,
            origin: Origin::System.as_str(),
            action: Action::Update,
            object,
            id: source,
            fields: vec![(field, old, new)],
        });
        true
    }
}
