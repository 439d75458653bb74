//! Refusals: what a system refused is kept with what it rests on, and nothing equal is sent again until that
//! changed, or a person says so (E14, E17).
//!
//! A refused write rests on the state that it would have left. So an edit of the record on either side, or of the
//! property that the refusal names, frees it; a look at an unchanged record does not.

use crate::cluster::{Action, Anchor, Intent, Parked, ParkedKind, Planned, Record};
use crate::creates::fingerprint;
use crate::dataflow::{Flow, OnCreate, Side};
use crate::mutation::{Mutation, removed};
use crate::plan::EventKind;
use crate::record::{RecordKey, RecordType};
use crate::value::Value;
use crate::work::Work;
use std::collections::BTreeMap;

/// A system's no, as it is kept.
#[derive(Clone, Copy)]
pub(crate) struct Said<'a> {
    pub(crate) kind: ParkedKind,
    /// Target properties that it names.
    pub(crate) named: &'a [String],
    pub(crate) reason: &'a str,
    pub(crate) advice: &'a str,
}

/// A fingerprint of the state that a write would leave in a record.
fn state(record: &Record, written: &BTreeMap<String, Planned>) -> u64 {
    let plain = |value: &Value| Planned::own(value.clone());
    let held = record.shadow.values.iter();
    let mut after: BTreeMap<String, Planned> =
        held.map(|(name, value)| (name.clone(), plain(value))).collect();
    let written = written.iter();
    after.extend(written.map(|(name, planned)| (name.clone(), plain(&planned.value))));
    after.retain(|_, planned| !planned.value.is_blank());
    fingerprint(&after)
}

/// A fingerprint of one value.
fn of_value(value: &Value) -> u64 {
    let planned = Planned::own(value.clone());
    fingerprint(&BTreeMap::from([(String::new(), planned)]))
}

/// The same of a deletion: it takes the record as it is.
fn state_of_removal(record: &Record, written: &BTreeMap<String, Planned>) -> u64 {
    state(record, written).rotate_left(1) | 1
}

impl Work<'_> {
    /// What a system refused, with who refused it and what it rests on.
    pub(crate) fn refusal(
        &self,
        said: Said<'_>,
        by: &RecordType,
        epoch: u64,
        grounds: Option<u64>,
    ) -> Parked {
        Parked {
            by: Some(by.system.clone()),
            grounds,
            ..self.parked(
                lasting(said.kind),
                epoch,
                said.reason.to_owned(),
                said.advice.to_owned(),
            )
        }
    }

    /// A refused update parks the properties that are named, or all where none of them was written.
    pub(crate) fn refuse_update(&mut self, key: &RecordKey, intent: &Intent, said: Said<'_>) {
        let removal = self.removals_by(key, intent);
        if !removal.is_empty() {
            return self.refuse_removal(key, intent, &removal, said);
        }
        let Some(record) = self.record(key) else { return };
        let grounds = state(record, &intent.values);
        let all = !said.named.iter().any(|name| intent.values.contains_key(name));
        for (property, planned) in &intent.values {
            if !all && !said.named.contains(property) {
                continue;
            }
            // Refused whatever its kind: what is computed anew is forgotten at every decision.
            let kept = Said {
                kind: ParkedKind::Refused,
                ..said
            };
            let parked = self.refusal(kept, &key.record_type, planned.epoch, Some(grounds));
            let what = EventKind::Parked { kind: said.kind };
            let led = (0, planned.trace);
            self.note_at(led, key, Some(property), None, what, said.reason.to_owned());
            if let Some(record) = self.cluster.records.get_mut(key) {
                record.parked.insert(property.clone(), parked);
            }
        }
    }

    /// What was refused before and may be tried again beside what is written anyway: together they would leave
    /// another state than the refused write. Values that were refused together are tried together, once it is their turn.
    pub(crate) fn tried_again(
        &self,
        key: &RecordKey,
        owed: &BTreeMap<String, Planned>,
        withheld: BTreeMap<String, Planned>,
    ) -> BTreeMap<String, Planned> {
        let Some(record) = self.record(key) else {
            return BTreeMap::new();
        };
        let mut together: BTreeMap<u64, BTreeMap<String, Planned>> = BTreeMap::new();
        for (property, planned) in withheld {
            let parked = record.parked.get(&property);
            if let Some(grounds) = parked.and_then(|parked| parked.grounds) {
                together.entry(grounds).or_default().insert(property, planned);
            }
        }
        if together.is_empty() {
            return BTreeMap::new();
        }
        let left_by = |again: &BTreeMap<u64, BTreeMap<String, Planned>>| {
            let mut written = owed.clone();
            written.extend(
                again
                    .values()
                    .flatten()
                    .map(|(name, planned)| (name.clone(), planned.clone())),
            );
            let carried = self.staged(key, written).values;
            (state(record, &carried), carried)
        };
        together.retain(|grounds, values| {
            let (state, carried) = left_by(&BTreeMap::from([(*grounds, values.clone())]));
            state != *grounds && values.keys().any(|property| carried.contains_key(property))
        });
        // What differs group by group may come to the very write that was refused.
        while together.remove(&left_by(&together).0).is_some() {}
        together.into_values().flatten().collect()
    }

    /// The flows in whose links a write carries the deletion of the other end on.
    pub(crate) fn removals_by(&self, key: &RecordKey, intent: &Intent) -> Vec<String> {
        let links = self.cluster.links.iter().filter_map(|link| {
            let side = Side::BOTH.into_iter().find(|side| link.end(*side) == key)?;
            let gone = self.record(link.end(side.other()))?.is_deleted();
            let flow = self.flows.flow(&link.flow)?;
            let puts_out = |(property, value): &(String, Value)| {
                intent
                    .values
                    .get(property)
                    .is_some_and(|planned| planned.epoch == 0 && planned.value == *value)
            };
            let removes = match &intent.action {
                Action::Delete { .. } => true,
                Action::Update { .. } => flow.end(side).deactivate.as_ref().is_some_and(puts_out),
                Action::Create { .. } | Action::Companion { .. } => false,
            };
            (gone && removes).then(|| link.flow.clone())
        });
        links.collect()
    }

    /// A refused removal is held with what it rests on. A person's verdict was tried: a person decides again.
    pub(crate) fn refuse_removal(
        &mut self,
        key: &RecordKey,
        intent: &Intent,
        flows: &[String],
        said: Said<'_>,
    ) {
        let Some(record) = self.record(key) else { return };
        let grounds = state_of_removal(record, &intent.values);
        let mut ends = self
            .cluster
            .links
            .iter()
            .filter(|link| flows.contains(&link.flow));
        let judged = ends.any(|link| link.verdict.is_some() && (&link.first == key || &link.second == key));
        let advice = format!(
            "{}; `tandem retry` {}, `tandem approve` with another verdict does without",
            said.advice.trim_end_matches('.'),
            if judged {
                "asks you again"
            } else {
                "tries it again"
            }
        );
        let told = Said {
            advice: &advice,
            ..said
        };
        for flow in flows {
            let parked = self.refusal(told, &key.record_type, 0, Some(grounds));
            self.hold(key, flow, parked);
            let links = self.cluster.links.iter_mut();
            links
                .filter(|link| &link.flow == flow && (&link.first == key || &link.second == key))
                .for_each(|link| link.verdict = None);
        }
        let what = EventKind::Parked { kind: said.kind };
        self.note_at((0, intent.trace), key, None, None, what, said.reason.to_owned());
    }

    /// Whether this very removal was refused, of the record as it is.
    pub(crate) fn removal_was_refused(
        &self,
        key: &RecordKey,
        flow: &str,
        written: &BTreeMap<String, Planned>,
    ) -> bool {
        let Some(record) = self.record(key) else {
            return false;
        };
        let held = record.held.get(flow).and_then(|parked| parked.grounds);
        let forgotten = removed(Mutation::ParkedForgotten) || removed(Mutation::RemovalAskedAgain);
        held == Some(state_of_removal(record, written)) && !forgotten
    }

    /// The removal of a record in a flow is no longer at issue: nor is its refusal.
    pub(crate) fn forget_refused_removal(&mut self, key: &RecordKey, flow: &str) {
        if let Some(record) = self.cluster.records.get_mut(key) {
            record
                .held
                .retain(|name, parked| name != flow || parked.grounds.is_none());
        }
    }

    /// A refused create is sent again without the properties that the refusal names, where it carried them and may be
    /// without them; else it is held until its content changes.
    pub(crate) fn refuse_create(&mut self, source: &RecordKey, intent: &Intent, said: Said<'_>) {
        let Action::Create {
            flow: name, target, ..
        } = &intent.action
        else {
            return;
        };
        let Some(flow) = self.flows.flow(name) else { return };
        let Some(side) = flow.side_of(&source.record_type) else {
            return;
        };
        let what = EventKind::Parked { kind: said.kind };
        self.note_at(
            (0, intent.trace),
            source,
            None,
            Some(name),
            what,
            said.reason.to_owned(),
        );
        let carried: Vec<&String> = said
            .named
            .iter()
            .filter(|name| intent.values.contains_key(*name))
            .collect();
        let dispensable = |property: &&String| may_be_left_out(flow, side, intent, property);
        if carried.is_empty() || !carried.iter().all(dispensable) {
            let parked = self.refusal(said, target, fingerprint(&intent.values), None);
            return self.hold(source, name, parked);
        }
        for mapping in flow
            .mappings
            .iter()
            .filter(|mapping| carried.iter().any(|name| *name == mapping.property(side.other())))
        {
            let Some(planned) = intent.values.get(mapping.property(side.other())) else {
                continue;
            };
            let kept = Said {
                kind: ParkedKind::Refused,
                ..said
            };
            let grounds = Some(of_value(&planned.value));
            let parked = self.refusal(kept, target, planned.epoch, grounds);
            if let Some(record) = self.cluster.records.get_mut(source) {
                record.parked.insert(mapping.property(side).to_owned(), parked);
            }
        }
    }

    /// Whether a create in that system was refused for this very value.
    pub(crate) fn value_was_refused(&self, at: &Anchor, by: &RecordType, epoch: u64, value: &Value) -> bool {
        let parked = self
            .record(&at.record)
            .and_then(|record| record.parked.get(&at.property));
        let same = parked.is_some_and(|parked| {
            parked.epoch == epoch
                && parked.by.as_ref().is_none_or(|known| *known == by.system)
                && parked.grounds.is_none_or(|grounds| grounds == of_value(value))
        });
        same && !removed(Mutation::ParkedForgotten)
    }

    /// What a create had to leave out because it was refused is parked on the new record from now on: it is one value,
    /// and one item. What its source can no longer give stays told there.
    pub(crate) fn hand_refusals_over(&mut self, flow: &Flow, source: &RecordKey, born: &RecordKey) {
        let Some(side) = flow.side_of(&source.record_type) else {
            return;
        };
        let by = &born.record_type.system;
        for mapping in &flow.mappings {
            let (own, other) = (mapping.property(side), mapping.property(side.other()));
            let refused = self.record(source).and_then(|record| record.parked.get(own));
            let refused = refused.filter(|parked| parked.by.as_ref() == Some(by) && parked.epoch > 0);
            let Some(parked) = refused.cloned() else { continue };
            if let Some(record) = self.cluster.records.get_mut(source) {
                record.parked.remove(own);
            }
            if let Some(record) = self.cluster.records.get_mut(born) {
                let grounds = Some(0);
                record
                    .parked
                    .insert(other.to_owned(), Parked { grounds, ..parked });
            }
        }
    }

    /// What was refused about the making of a record's counterpart is settled by the link.
    pub(crate) fn forget_refused_create(&mut self, key: &RecordKey, flow: &str) {
        if let Some(record) = self.cluster.records.get_mut(key) {
            let own = &key.record_type.system;
            let own = |parked: &Parked| parked.by.as_ref().is_none_or(|by| by == own);
            record.parked.retain(|_, parked| own(parked) || parked.epoch == 0);
            record
                .held
                .retain(|name, parked| name != flow || parked.by.is_none());
        }
    }
}

/// Whether a create can be sent without a property.
fn may_be_left_out(flow: &Flow, side: Side, intent: &Intent, property: &str) -> bool {
    let to = side.other();
    let identity = match &intent.action {
        Action::Create { identity, .. } => identity.as_ref(),
        _ => None,
    };
    let end = flow.end(to);
    let added = end.constants.contains_key(property)
        || end.only.contains_key(property)
        || (side == Side::First && flow.companions.iter().any(|rule| rule.property == property));
    !added
        && identity.is_none_or(|(own, _)| own != property)
        && flow.mappings.iter().any(|mapping| {
            mapping.property(to) == property
                && !mapping.never_blank[to.index()]
                && !matches!(mapping.on_create, OnCreate::Constant(_))
        })
}

/// What a write that came to nothing is kept as. A refusal holds its content, and a changed one is tried again; one that
/// nobody can decide holds whatever its content (E3): it may have been carried out.
pub(crate) fn lasting(kind: ParkedKind) -> ParkedKind {
    match kind {
        ParkedKind::Undecidable => kind,
        _ => ParkedKind::Refused,
    }
}
