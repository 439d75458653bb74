//! Creating, changing and deleting records, with everything the org checks and derives on the way.

mod body;
mod decode;
mod delete;
mod draft;
mod merge;
mod repeats;
mod rules;
mod undelete;
mod unique;

use serde_json::{Map, Value as Json};

pub(crate) use body::Purpose;
pub(crate) use draft::Draft;
pub(crate) use merge::MERGEABLE;
pub(crate) use repeats::{repeated, repeated_id, repeated_key};
pub(crate) use undelete::RecycleBin;

use super::audit::{Action, Change, FieldChange};
use super::fault::{Code, Fault, Outcome};
use super::id::RecordId;
use super::org::{Actor, Org, Touched};
use super::schema::ObjectIndex;
use super::table::{Row, Values};

/// Field values as a request's JSON object gives them.
pub(crate) type Body = Map<String, Json>;

/// What an update or a delete demands of the record's last change: at or before this second.
pub(crate) type UnmodifiedSince = Option<i64>;

impl Org {
    /// Runs `work` as one transaction: a refusal takes back all that it did.
    pub(crate) fn attempt<T>(&mut self, work: impl FnOnce(&mut Org) -> Outcome<T>) -> Outcome<T> {
        let mark = self.mark();
        let outcome = work(self);
        if outcome.is_err() {
            self.roll_back(mark);
        }
        outcome
    }

    /// Creates a record.
    pub(crate) fn create(&mut self, actor: Actor, object: ObjectIndex, body: &Body) -> Outcome<RecordId> {
        let schema = std::sync::Arc::clone(&self.schema);
        let kind = schema.object(object);
        if !kind.createable {
            return Err(unsupported(&kind.name, "create"));
        }
        self.guard(actor, object, None)?;
        self.check_lock(actor, "POST", object, None)?;
        let values = self.read_body(actor, object, body, Purpose::Create)?;
        let touched = if kind.name == "User" {
            Touched::Setup
        } else {
            Touched::Records
        };
        self.touch(touched, &kind.name)?;
        self.insert(actor, object, values)
    }

    /// Creates a record of checked values, on objects that the API cannot create too.
    pub(crate) fn insert(
        &mut self,
        actor: Actor,
        object: ObjectIndex,
        values: Vec<body::Assignment>,
    ) -> Outcome<RecordId> {
        let now = self.now();
        let id = self.draw_id(object);
        let row = Row {
            id,
            created: now,
            created_by: actor.user,
            modified: now,
            modified_by: actor.user,
            stamp: now,
            deleted: false,
            values: Values::default(),
        };
        let mut draft = Draft::new(&self.schema, object, row, None);
        draft.assign(values);
        rules::fill_in(self, actor, &mut draft);
        rules::require(&draft)?;
        rules::check(self, actor, &mut draft)?;
        rules::number(self, &mut draft);
        self.check_rules(object, &draft.row)?;
        self.check_unique(&draft)?;
        self.settle_draft(actor, draft, Action::Create)?;
        rules::accompany(self, actor, object, id)?;
        Ok(id)
    }

    /// Changes a record.
    pub(crate) fn update(
        &mut self,
        actor: Actor,
        object: ObjectIndex,
        id: RecordId,
        body: &Body,
        unmodified_since: UnmodifiedSince,
    ) -> Outcome<()> {
        let schema = std::sync::Arc::clone(&self.schema);
        let kind = schema.object(object);
        if !kind.updateable {
            return Err(unsupported(&kind.name, "update"));
        }
        let before = self.live_row(actor, object, id)?.clone();
        check_precondition(&before, unmodified_since)?;
        self.guard(actor, object, Some(id))?;
        self.check_approval(actor, object, &before)?;
        self.check_lock(actor, "PATCH", object, Some(id))?;
        let values = self.read_body(actor, object, body, Purpose::Update)?;
        if kind.name != "User" {
            self.touch(Touched::Records, &kind.name)?;
        }
        let mut draft = Draft::new(&self.schema, object, before.clone(), Some(before));
        draft.assign(values);
        rules::require(&draft)?;
        rules::check(self, actor, &mut draft)?;
        self.check_rules(object, &draft.row)?;
        self.check_unique(&draft)?;
        self.settle_draft(actor, draft, Action::Update)?;
        rules::accompany(self, actor, object, id)
    }

    /// The row, if this actor sees it and it is not deleted.
    pub(crate) fn live_row(&self, actor: Actor, object: ObjectIndex, id: RecordId) -> Outcome<&Row> {
        let row = self.table(object).get(id).ok_or_else(Fault::not_found)?;
        if row.deleted {
            return Err(Fault::new(Code::EntityIsDeleted, "entity is deleted"));
        }
        if !self.sees(actor, self.schema.object(object), row) {
            return Err(Fault::not_found());
        }
        Ok(row)
    }

    /// The row as the API sees it, under the conditions of [`Org::live_row`].
    pub(crate) fn visible_row(&self, actor: Actor, object: ObjectIndex, id: RecordId) -> Outcome<&Row> {
        let row = self.seen(object, id).ok_or_else(Fault::not_found)?;
        if row.deleted {
            return Err(Fault::new(Code::EntityIsDeleted, "entity is deleted"));
        }
        if !self.sees(actor, self.schema.object(object), row) {
            return Err(Fault::not_found());
        }
        Ok(row)
    }

    /// Writes a row whose derived values an unrelated change moved, without a trace in its modification times.
    pub(crate) fn recompute(&mut self, object: ObjectIndex, id: RecordId, change: impl FnOnce(&mut Draft)) {
        let Some(row) = self.table(object).get(id).cloned() else {
            return;
        };
        let mut draft = Draft::new(&self.schema, object, row.clone(), Some(row));
        change(&mut draft);
        if draft.before.as_ref() != Some(&draft.row) {
            self.put(object, draft.row);
        }
    }

    fn settle_draft(&mut self, actor: Actor, mut draft: Draft, action: Action) -> Outcome<()> {
        let now = self.now();
        draft.row.modified = now;
        draft.row.modified_by = actor.user;
        draft.row.stamp = now;
        let change = Change {
            at: now,
            user: actor.user,
            origin: actor.origin.as_str(),
            action,
            object: draft.object,
            id: draft.row.id,
            fields: draft.differences(),
        };
        self.put(draft.object, draft.row.clone());
        self.note(change);
        rules::follow_up(self, &draft);
        Ok(())
    }

    /// Refuses writes to Users and Divisions by anyone but an administrator; a user may change itself.
    fn guard(&self, actor: Actor, object: ObjectIndex, id: Option<RecordId>) -> Outcome<()> {
        if self.schema.object(object).guarded && !actor.admin && id != Some(actor.user) {
            return Err(Fault::new(
                Code::InsufficientAccess,
                "insufficient access rights on object id",
            ));
        }
        Ok(())
    }
}

/// The refusal of a call that an object does not support.
pub(crate) fn unsupported(object: &str, call: &str) -> Fault {
    Fault::new(
        Code::InvalidTypeForOperation,
        format!("entity type {object} does not support {call}"),
    )
}

/// Refuses where the record changed after the second that the caller names.
pub(crate) fn check_precondition(row: &Row, unmodified_since: UnmodifiedSince) -> Outcome<()> {
    if unmodified_since.is_some_and(|since| row.stamp > since) {
        return Err(Fault::new(
            Code::PreconditionFailed,
            "the record was modified after the moment given in If-Unmodified-Since",
        ));
    }
    Ok(())
}

/// The fields of a new change, for the log.
pub(crate) type FieldChanges = Vec<FieldChange>;
