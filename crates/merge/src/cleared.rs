//! References that went blank: by a person, or because the record that they named was deleted (E18). What a deletion
//! blanks belongs to the deletion: it is no edit while that is undecided, goes on with it, and is given back where the
//! deletion is withdrawn. So does what Tandem blanks for a deletion of its own: what names the record is released first, and
//! gets it back where the system refuses to delete it.

use crate::cluster::{Cleared, Head, Record};
use crate::component::Loss;
use crate::dataflow::{Dataflow, Kind, Mapping, Reference, Side};
use crate::facts::{Needs, Referent, Referral};
use crate::fates::{Became, Fate};
use crate::form::Form;
use crate::mutation::{Mutation, removed};
use crate::record::{Presence, RecordKey};
use crate::topology::{self, Node, Part};
use crate::value::Value;
use crate::work::Work;
use std::collections::BTreeMap;

/// The reference that a blank property of a record held when the record and the head last agreed.
fn lost(record: &Record, mapping: &Mapping, side: Side) -> Option<Referral> {
    let property = mapping.property(side);
    let follows = may_go_with_record(mapping) && property != "id" && record.alive();
    if !follows || !record.value(property).is_blank() {
        return None;
    }
    referral(mapping, side, &record.bases.get(property)?.value)
}

/// The referral that a value of a mapped property is, where it is one.
fn referral(mapping: &Mapping, side: Side, value: &Value) -> Option<Referral> {
    let Kind::Reference(through) = &mapping.kind else {
        return None;
    };
    Some(Referral {
        through: through.clone(),
        side,
        id: value.as_text()?.to_owned(),
    })
}

/// Whether a system blanks it by itself when the record that it names is deleted, as far as Tandem follows that.
pub(crate) fn may_go_with_record(mapping: &Mapping) -> bool {
    matches!(mapping.kind, Kind::Reference(Reference::Flow(_)))
}

/// What must be known of the records that blank references named, and of deleted ones that others may have named.
pub(crate) fn need(flows: &Dataflow, records: &BTreeMap<RecordKey, Record>, needs: &mut Needs) {
    for (key, record) in records {
        if record.shadow.presence == Presence::Deleted {
            needs.named.insert(key.clone());
            continue;
        }
        for (flow, side) in flows.flows_of(&key.record_type) {
            let own = flow
                .mappings
                .iter()
                .filter_map(|mapping| lost(record, mapping, side));
            needs.fates.extend(own);
        }
    }
}

impl Work<'_> {
    /// Says of every reference that went blank whether a person cleared it, as far as is known. Runs before anything
    /// is decided.
    pub(crate) fn weigh_cleared(&mut self) {
        let keys: Vec<RecordKey> = self.cluster.records.keys().cloned().collect();
        for key in keys {
            let blank = self.blank_references(&key);
            let marked = self
                .record(&key)
                .into_iter()
                .flat_map(|record| record.cleared.keys());
            // What is out of sight stands as it was known: nothing is decided about it, and nothing forgotten.
            let over =
                marked.filter(|property| !blank.contains_key(*property) && !self.is_hidden(&key, property));
            let over: Vec<String> = over.cloned().collect();
            if let Some(record) = self.cluster.records.get_mut(&key) {
                record.cleared.retain(|property, _| !over.contains(property));
            }
            for (property, referral) in blank {
                self.weigh(&key, &property, &referral);
            }
        }
    }

    /// The references of a record that went blank, by property.
    fn blank_references(&self, key: &RecordKey) -> BTreeMap<String, Referral> {
        let mut found = BTreeMap::new();
        let followed = !removed(Mutation::BlankedReference);
        let Some(record) = self.record(key).filter(|_| followed) else {
            return found;
        };
        for (flow, side) in self.flows.flows_of(&key.record_type) {
            for mapping in &flow.mappings {
                let property = mapping.property(side);
                if let Some(referral) = lost(record, mapping, side)
                    && !self.is_hidden(key, property)
                    && crate::fates::named(self.flows, &referral).is_some()
                {
                    found.insert(property.to_owned(), referral);
                }
            }
        }
        found
    }

    fn weigh(&mut self, key: &RecordKey, property: &str, referral: &Referral) {
        let Some(named) = crate::fates::named(self.flows, referral) else {
            return;
        };
        let mark = self
            .record(key)
            .and_then(|record| record.cleared.get(property))
            .copied();
        let fate = self.facts.fates.get(referral).cloned();
        let became = fate.as_ref().map_or(&Became::Unread, |fate| &fate.became);
        let next = match (mark, became) {
            (Some(known @ (Cleared::ByHand | Cleared::WithRecord)), _) => known,
            (_, became) if became.is_deleted() => Cleared::WithRecord,
            (None, _) => {
                // It is known to live only by a look that begins after the blank was seen.
                self.waits.reread.insert(named.clone(), self.facts.now);
                Cleared::Asked
            }
            (Some(Cleared::Asked), Became::Alive) => Cleared::ByHand,
            (Some(Cleared::Asked), became) => {
                if *became == Became::Undecided {
                    self.waits.reread.insert(named.clone(), self.facts.now);
                }
                Cleared::Asked
            }
        };
        if next != Cleared::ByHand {
            self.waits.on.insert(named.clone());
            self.waits.on.extend(fate.and_then(|fate| fate.counterpart));
        }
        if mark != Some(next) {
            match next {
                Cleared::ByHand => self.recall_verdicts_of(key),
                // The deletion tells how many references went with it.
                Cleared::WithRecord => drop(self.waits.wake.insert(named)),
                Cleared::Asked => {}
            }
        }
        if let Some(record) = self.cluster.records.get_mut(key) {
            record.cleared.insert(property.to_owned(), next);
        }
    }

    /// Why a member's blank is no edit of its own, if it is none.
    pub(crate) fn loss(&self, node: &Node<'_>) -> Option<Loss> {
        match self.cleared(&node.at.record, &node.at.property)? {
            Cleared::ByHand => None,
            Cleared::Asked => Some(Loss::Unproven),
            Cleared::WithRecord => match self.fate(node)?.became {
                Became::Over => None,
                Became::Alive => Some(Loss::StillThere),
                Became::Replaced(_) => Some(Loss::GivenBack),
                _ => Some(Loss::Waits),
            },
        }
    }

    /// The same where the record that was deleted had no counterpart any more: they were parted before. What the others
    /// name is there still, so their references stay.
    pub(crate) fn loss_alone(
        &self,
        node: &Node<'_>,
        form: &Form<'_>,
        nodes: &[&Node<'_>],
        head: Option<&Head>,
    ) -> Option<Loss> {
        self.cleared(&node.at.record, &node.at.property)
            .filter(|how| *how == Cleared::WithRecord)?;
        let fate = self.fate(node)?;
        let parted = fate.became == Became::Over && fate.counterpart.is_none();
        let mut others = nodes.iter().filter(|other| other.at != node.at);
        if !parted || !others.any(|other| self.names_something(other)) {
            return None;
        }
        let own = head.and_then(|head| form.encode(&head.value).ok());
        let again = form.side == Side::Second && own.is_some_and(|own| !own.is_blank());
        Some(if again { Loss::GivenBack } else { Loss::Waits })
    }

    /// A member that names a record which is there.
    fn names_something(&self, node: &Node<'_>) -> bool {
        let own = topology::own_value(&self.cluster, &node.at);
        let mut parts = node.parts.iter().take(1);
        let referral = parts.find_map(|part| referral(part.mapping, part.side, &own));
        let known = referral.and_then(|referral| self.facts.referrals.get(&referral));
        matches!(
            known,
            Some(Referent::Linked(_) | Referent::Pending | Referent::Unlinked)
        )
    }

    /// The members that name a record which is to be deleted because its counterpart was, as another member shows that lost
    /// that one. Each with the blank of its own form.
    pub(crate) fn releases(&self, nodes: &[&Node<'_>]) -> Vec<(usize, Value)> {
        let going: Vec<RecordKey> = nodes.iter().filter_map(|node| self.going(node)).collect();
        if going.is_empty() {
            return Vec::new();
        }
        let names = |part: &Part<'_>, own: &Value| {
            let referral = referral(part.mapping, part.side, own);
            let named = referral.and_then(|referral| crate::fates::named(self.flows, &referral));
            named.is_some_and(|named| going.contains(&named))
        };
        let mut found = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            let own = topology::own_value(&self.cluster, &node.at);
            let record = self.record(&node.at.record);
            let open = record.is_some_and(|record| !record.in_flight() && !record.shadow.protected);
            if open && node.target() && node.parts.iter().any(|part| names(part, &own)) {
                found.extend(
                    self.form(node)
                        .encode(&Value::Blank)
                        .ok()
                        .map(|blank| (index, blank)),
                );
            }
        }
        found
    }

    /// The record that is about to be deleted because the one was that a member named.
    fn going(&self, node: &Node<'_>) -> Option<RecordKey> {
        let with_record = self.cleared(&node.at.record, &node.at.property)? == Cleared::WithRecord;
        let follows =
            with_record && node.source() && node.parts.iter().all(|part| part.mapping.blank_is_edit);
        let fate = self.fate(node).filter(|_| follows)?;
        fate.counterpart.filter(|_| fate.became == Became::Going)
    }

    /// Notes that a reference of a record is blank by our own write, for a deletion that may yet be refused. Whether it is one.
    pub(crate) fn note_release(&mut self, key: &RecordKey, property: &str, value: &Value) -> bool {
        let mut flows = self.flows.flows_of(&key.record_type);
        let own = |mapping: &Mapping, side| mapping.property(side) == property && may_go_with_record(mapping);
        let refers = flows.any(|(flow, side)| flow.mappings.iter().any(|mapping| own(mapping, side)));
        let released = refers && value.is_blank();
        if let Some(record) = self.cluster.records.get_mut(key).filter(|_| released) {
            record.cleared.insert(property.to_owned(), Cleared::WithRecord);
        }
        released
    }

    /// How a property of a record that is a reference came to be blank.
    pub(crate) fn cleared(&self, key: &RecordKey, property: &str) -> Option<Cleared> {
        self.record(key)?.cleared.get(property).copied()
    }

    /// What became of the record that a member named before it went blank; unread where nothing says so. Any flow of the
    /// record tells that, also one in which it has no link.
    fn fate(&self, node: &Node<'_>) -> Option<Fate> {
        let record = self.record(&node.at.record)?;
        let ends = self.flows.flows_of(&node.at.record.record_type);
        let mut rows = ends.flat_map(|(flow, side)| flow.mappings.iter().map(move |row| (row, side)));
        let referral = rows.find_map(|(row, side)| {
            let own = row.property(side) == node.at.property;
            own.then(|| lost(record, row, side))?
        })?;
        let known = self.facts.fates.get(&referral).cloned();
        known.or_else(|| {
            Some(Fate {
                of: crate::fates::named(self.flows, &referral)?,
                became: Became::Unread,
                counterpart: None,
            })
        })
    }

    /// The first side's record that stands in the place of the one that the head names, and that a member lost.
    pub(crate) fn replaced(&self, nodes: &[&Node<'_>], head: &Value) -> Option<String> {
        nodes.iter().find_map(|node| {
            let own = node.parts.iter().any(|part| part.side == Side::First);
            let with_record = self.cleared(&node.at.record, &node.at.property) == Some(Cleared::WithRecord);
            let fate = self.fate(node).filter(|_| own && with_record)?;
            match fate.became {
                Became::Replaced(id) if head.as_text() == Some(fate.of.id.as_str()) => Some(id),
                _ => None,
            }
        })
    }

    /// What a reference that went blank with its record waits for, for people.
    pub(crate) fn wait_of_loss(&self, node: &Node<'_>) -> Option<String> {
        let cleared = self.cleared(&node.at.record, &node.at.property)?;
        let fate = self.fate(node)?;
        let of = &fate.of;
        match (cleared, fate.became) {
            (Cleared::Asked, _) => Some(format!(
                "it is blank now; whether that came with the deletion of {of} is looked up"
            )),
            (Cleared::WithRecord, Became::Over | Became::Kept | Became::Alive | Became::Replaced(_))
            | (Cleared::ByHand, _) => None,
            (Cleared::WithRecord, Became::Going) => Some(format!(
                "it is blank for the deletion of {of}, and gets its value back if that is refused"
            )),
            (Cleared::WithRecord, _) => Some(format!(
                "it went blank when {of} was deleted: what becomes of that decides"
            )),
        }
    }

    /// A reference of a record of which it is not known yet whether a person cleared it.
    pub(crate) fn unproven(&self, key: &RecordKey) -> Option<String> {
        let record = self.record(key)?;
        let mut asked = record.cleared.iter().filter(|(_, how)| **how == Cleared::Asked);
        asked.next().map(|(property, _)| property.clone())
    }

    /// How many others lost their reference to a record when it was deleted, in words; empty for none.
    pub(crate) fn losses(&self, deleted: &RecordKey) -> String {
        match self.facts.named.get(deleted) {
            None | Some(0) => String::new(),
            Some(1) => " (1 record lost its reference to it, and waits for the answer)".to_owned(),
            Some(many) => format!(" ({many} records lost their reference to it, and wait for the answer)"),
        }
    }
}
