//! Deleting: into the recycle bin, with what hangs on the record.

use super::undelete::Burial;
use super::{Draft, UnmodifiedSince, check_precondition, rules, unsupported};
use crate::salesforce::audit::{Action, Change};
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::id::RecordId;
use crate::salesforce::org::{Actor, Org, Origin, Touched};
use crate::salesforce::schema::{FieldIndex, ObjectIndex};

/// What is deleted with its parent: (child, its reference). Every other reference to a deleted record is blanked.
pub(super) const CASCADES: [(&str, &str); 12] = [
    ("Contact", "AccountId"),
    ("Opportunity", "AccountId"),
    ("Order", "AccountId"),
    ("Task", "WhatId"),
    ("Task", "WhoId"),
    ("Quote", "OpportunityId"),
    ("QuoteLineItem", "QuoteId"),
    ("OrderItem", "OrderId"),
    ("PricebookEntry", "Product2Id"),
    ("PricebookEntry", "Pricebook2Id"),
    ("InvoiceLine", "InvoiceId"),
    ("InvoiceLine__c", "Invoice__c"),
];

impl Org {
    /// Deletes a record and what hangs on it.
    pub(crate) fn delete(
        &mut self,
        actor: Actor,
        object: ObjectIndex,
        id: RecordId,
        unmodified_since: UnmodifiedSince,
    ) -> Outcome<()> {
        let kind = self.schema.object(object);
        if !kind.deletable {
            return Err(unsupported(&kind.name, "delete"));
        }
        let name = kind.name.clone();
        let row = self.live_row(actor, object, id)?;
        check_precondition(row, unmodified_since)?;
        self.check_approval(actor, object, row)?;
        self.check_lock(actor, "DELETE", object, Some(id))?;
        self.touch(Touched::Records, &name)?;
        self.bury(actor, object, id)
    }

    fn bury(&mut self, actor: Actor, object: ObjectIndex, id: RecordId) -> Outcome<()> {
        let Some(row) = self.table(object).get_live(id).cloned() else {
            return Ok(());
        };
        rules::before_delete(self, object, &row)?;
        self.bin.burials.insert(id, Burial::default());
        let now = self.now();
        let mut dead = row.clone();
        dead.deleted = true;
        dead.modified = now;
        dead.modified_by = actor.user;
        dead.stamp = now;
        self.put(object, dead);
        self.note(Change {
            at: now,
            user: actor.user,
            origin: actor.origin.as_str(),
            action: Action::Delete,
            object,
            id,
            fields: Vec::new(),
        });
        for (child, field, source) in self.referrers(id) {
            if self.table(child).get_live(source).is_some() {
                self.orphan(actor, id, (child, field, source))?;
            }
        }
        let draft = Draft::new(&self.schema, object, row.clone(), Some(row));
        rules::follow_up(self, &draft);
        Ok(())
    }

    fn orphan(
        &mut self,
        actor: Actor,
        parent: RecordId,
        (child, field, source): (ObjectIndex, FieldIndex, RecordId),
    ) -> Outcome<()> {
        let kind = self.schema.object(child);
        let name = kind.field(field).name.clone();
        let system = Actor {
            origin: Origin::System,
            ..actor
        };
        if kind.field(field).master() || CASCADES.contains(&(kind.name.as_str(), name.as_str())) {
            if let Some(burial) = self.bin.burials.get_mut(&parent) {
                burial.children.push(source);
            }
            return self.bury(system, child, source);
        }
        if matches!(kind.name.as_str(), "OrderItem" | "QuoteLineItem") && name != "QuoteLineItemId" {
            return Err(Fault::new(
                Code::DeleteFailed,
                format!(
                    "Your attempt to delete this record could not be completed because a {} uses it.",
                    kind.label
                ),
            ));
        }
        if let Some(burial) = self.bin.burials.get_mut(&parent) {
            burial.blanked.push((child, field, source));
        }
        self.point(system, (child, field, source), None, |_| true);
        Ok(())
    }
}
