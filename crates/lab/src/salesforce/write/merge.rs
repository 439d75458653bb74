//! Merging: two or three records become one, with all that hung on the others.

use super::{Body, unsupported};
use crate::salesforce::audit::{Action, Change};
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::id::RecordId;
use crate::salesforce::org::{Actor, Org, Touched};
use crate::salesforce::schema::ObjectIndex;
use crate::salesforce::table::Row;
use crate::salesforce::value::Value;

/// The most records that go into another at once.
const MAX_LOSERS: usize = 2;
/// The objects whose records merge.
pub(crate) const MERGEABLE: [&str; 2] = ["Account", "Contact"];

/// What a merge did.
pub(crate) struct Merged {
    /// The records that referred to a loser and now refer to the winner.
    pub(crate) related: Vec<RecordId>,
}

impl Org {
    /// Merges the losers into the winner, which takes the values of `body`.
    ///
    /// # Errors
    /// Where a record is missing, of another object, or refused its new values; nothing is done then.
    pub(crate) fn merge(
        &mut self,
        actor: Actor,
        object: ObjectIndex,
        winner: RecordId,
        losers: &[RecordId],
        body: &Body,
    ) -> Outcome<Merged> {
        let name = self.schema.object(object).name.clone();
        if !MERGEABLE.contains(&name.as_str()) {
            return Err(unsupported(&name, "merge"));
        }
        self.check_merge(actor, object, winner, losers)?;
        self.check_lock(actor, "PATCH", object, Some(winner))?;
        self.touch(Touched::Records, &name)?;
        let mut related = Vec::new();
        for loser in losers {
            related.extend(self.hand_over(actor, *loser, winner, losers));
            self.absorb(actor, object, *loser, winner)?;
        }
        self.update(actor, object, winner, body, None)?;
        related.sort_unstable();
        related.dedup();
        Ok(Merged { related })
    }

    fn check_merge(
        &self,
        actor: Actor,
        object: ObjectIndex,
        winner: RecordId,
        losers: &[RecordId],
    ) -> Outcome<()> {
        if losers.is_empty() {
            return Err(Fault::new(Code::MissingArgument, "recordToMergeIds is empty"));
        }
        if losers.len() > MAX_LOSERS {
            return Err(Fault::new(
                Code::LimitExceeded,
                format!("at most {MAX_LOSERS} records can be merged into another at once"),
            ));
        }
        let prefix = &self.schema.object(object).prefix;
        for (place, loser) in losers.iter().enumerate() {
            if loser.prefix() != prefix || *loser == winner || losers[..place].contains(loser) {
                return Err(Fault::new(
                    Code::InvalidIdField,
                    format!("{loser} cannot be merged into {winner}"),
                ));
            }
        }
        for id in losers.iter().chain([&winner]) {
            self.live_row(actor, object, *id)
                .map_err(|fault| match fault.code {
                    Code::NotFound => {
                        Fault::new(Code::InvalidCrossReferenceKey, "invalid cross reference id")
                    }
                    _ => fault,
                })?;
        }
        Ok(())
    }

    /// What refers to the loser refers to the winner from now on; the winner itself and other losers to nothing.
    fn hand_over(
        &mut self,
        actor: Actor,
        loser: RecordId,
        winner: RecordId,
        losers: &[RecordId],
    ) -> Vec<RecordId> {
        let mut related = Vec::new();
        for (object, field, source) in self.referrers(loser) {
            let own = source == winner || losers.contains(&source);
            let to = if own { None } else { Some(winner) };
            if self.point(actor, (object, field, source), to, |_| true) && !own {
                related.push(source);
            }
        }
        related
    }

    fn absorb(
        &mut self,
        actor: Actor,
        object: ObjectIndex,
        loser: RecordId,
        winner: RecordId,
    ) -> Outcome<()> {
        let now = self.now();
        let schema = std::sync::Arc::clone(&self.schema);
        let mut row: Row = self
            .table(object)
            .get_live(loser)
            .cloned()
            .ok_or_else(Fault::not_found)?;
        row.deleted = true;
        row.modified = now;
        row.modified_by = actor.user;
        row.stamp = now;
        if let Some(at) = schema.object(object).find("MasterRecordId") {
            row.values.set(at, Some(Value::Reference(winner)));
        }
        self.bin.burials.remove(&loser);
        self.put(object, row);
        self.note(Change {
            at: now,
            user: actor.user,
            origin: actor.origin.as_str(),
            action: Action::Delete,
            object,
            id: loser,
            fields: Vec::new(),
        });
        Ok(())
    }
}
