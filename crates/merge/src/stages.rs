//! Stages: what of the values that a record is owed goes into its next write. A value that must be written alone waits
//! for the others, or they for it; one that locks the record waits until all its parts are at rest; a part whose
//! parent is locked waits for that (R4).

use crate::cluster::{Parked, ParkedKind, Planned};
use crate::dataflow::{Flow, Mapping, Side};
use crate::facts::{Parent, PartsOf, Referral, Standing};
use crate::form::Form;
use crate::record::RecordKey;
use crate::support;
use crate::value::Value;
use crate::work::Work;
use std::collections::BTreeMap;

/// How many parts a reason names.
const NAMED: usize = 3;

/// What of the values that a record is owed goes into its next write, and what becomes of the others.
pub(crate) struct Staged {
    /// What goes.
    pub(crate) values: BTreeMap<String, Planned>,
    /// What stays back for a reason of its own, by property. What merely waits for its turn is in neither.
    pub(crate) parked: BTreeMap<String, Parked>,
    /// The parents that must change first.
    parents: Vec<Referral>,
}

impl<'a> Work<'a> {
    /// The values that go into the record's next write; why the others wait is noted on the record.
    pub(crate) fn stage(
        &mut self,
        key: &RecordKey,
        values: BTreeMap<String, Planned>,
    ) -> BTreeMap<String, Planned> {
        let staged = self.staged(key, values);
        for parent in &staged.parents {
            self.wait_for_parent(parent);
        }
        if let Some(record) = self.cluster.records.get_mut(key) {
            record.parked.extend(staged.parked);
        }
        staged.values
    }

    /// The same, without a note. Whoever asks what one write would carry asks here: a refusal is weighed against that.
    pub(crate) fn staged(&self, key: &RecordKey, values: BTreeMap<String, Planned>) -> Staged {
        let mut staged = Staged {
            values,
            parked: BTreeMap::new(),
            parents: Vec::new(),
        };
        self.keep_guarded(key, &mut staged);
        let flows = self.flows;
        let uses: Vec<(&'a Flow, Side)> = flows
            .flows
            .iter()
            .filter_map(|flow| Some((flow, flow.side_of(&key.record_type)?)))
            .collect();
        for (flow, side) in &uses {
            self.keep_given(flow, *side, &mut staged);
            self.keep_locked(key, flow, *side, &mut staged);
        }
        for (flow, side) in uses {
            for mapping in flow.mappings.iter().filter(|mapping| mapping.alone == Some(side)) {
                self.set_apart(key, flow, mapping, &mut staged);
            }
        }
        staged
    }

    /// What is given on create only stays as it is.
    fn keep_given(&self, flow: &Flow, side: Side, staged: &mut Staged) {
        for mapping in flow
            .mappings
            .iter()
            .filter(|mapping| mapping.create_only[side.index()])
        {
            let property = mapping.property(side);
            let Some(planned) = staged.values.remove(property) else {
                continue;
            };
            let other = &flow.end(side.other()).record_type;
            let reason = format!(
                "{} was changed, and {property} is given once, on create",
                mapping.property(side.other())
            );
            let advice = format!(
                "delete the {} in {} and add it anew, or set {} back",
                other.name,
                other.system,
                mapping.property(side.other())
            );
            let parked = self.parked(ParkedKind::Protected, planned.epoch, reason, advice);
            staged.parked.insert(property.to_owned(), parked);
        }
    }

    /// The parts of a locked record stay as they are. What holds an identity is no part of its content.
    fn keep_locked(&self, key: &RecordKey, flow: &Flow, side: Side, staged: &mut Staged) {
        let content = |planned: &Planned| planned.epoch > 0 || planned.value.is_blank();
        if !staged.values.values().any(content) {
            return;
        }
        let Some((parent, fact)) = self.parent_of(key, flow, side) else {
            return;
        };
        let shown = fact.own.as_ref().map(|(_, values)| values);
        let Some((reason, advice)) = shown.and_then(|shown| self.locked(&parent, side, shown)) else {
            return;
        };
        staged.parents.push(parent);
        for (property, planned) in staged.values.extract_if(.., |_, planned| content(planned)) {
            let (reason, advice) = (reason.clone(), advice.clone());
            let parked = self.parked(ParkedKind::Protected, planned.epoch, reason, advice);
            staged.parked.insert(property, parked);
        }
    }

    /// Either the value goes out alone, or all others before it.
    fn set_apart(&self, key: &RecordKey, flow: &Flow, mapping: &Mapping, staged: &mut Staged) {
        let Some(side) = mapping.alone else { return };
        let property = mapping.property(side);
        let Some(planned) = staged.values.get(property) else {
            return;
        };
        let form = Form {
            flow,
            mapping,
            side,
            facts: self.facts,
        };
        let canonical = form.decode(&planned.value).unwrap_or_default();
        let locks = mapping.locks.is_empty() || mapping.locks.contains(&canonical.to_string());
        if !locks {
            staged.values.retain(|name, _| name == property);
            return;
        }
        if let Some((kind, reason, advice)) = self.parts_move(key, flow, mapping, &canonical) {
            let parked = self.parked(kind, planned.epoch, reason, advice);
            staged.values.remove(property);
            staged.parked.insert(property.to_owned(), parked);
        } else if staged.values.len() > 1 {
            staged.values.remove(property);
        }
    }

    /// Why a value that locks the record must wait for its parts.
    fn parts_move(
        &self,
        key: &RecordKey,
        flow: &Flow,
        mapping: &Mapping,
        value: &Value,
    ) -> Option<(ParkedKind, String, String)> {
        let link = self
            .cluster
            .links
            .iter()
            .find(|link| link.flow == flow.name && (&link.first == key || &link.second == key))?;
        let (mut rest, mut flows) = (0, 0);
        let mut waiting: Vec<String> = Vec::new();
        let mut never = false;
        for parts in support::supporting(self.flows, &flow.name) {
            flows += 1;
            for side in Side::BOTH {
                let of = PartsOf {
                    flow: parts.name.clone(),
                    side,
                    parent: link.end(side).id.clone(),
                };
                for part in self.facts.parts.get(&of).into_iter().flatten() {
                    match &part.standing {
                        Standing::AtRest => rest += 1,
                        Standing::Moving => waiting.push(format!("{} is on its way", part.record)),
                        Standing::Waits(why) => waiting.insert(0, format!("{}: {why}", part.record)),
                        Standing::Never(why) => {
                            never = true;
                            waiting.insert(0, format!("{} {why}", part.record));
                        }
                    }
                }
            }
        }
        let first = mapping.property(Side::First);
        if !waiting.is_empty() {
            let more = waiting.len().saturating_sub(NAMED);
            waiting.truncate(NAMED);
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            let reason = format!(
                "{first} {value} waits for its lines: {}{more}",
                waiting.join("; ")
            );
            if never {
                let advice =
                    "give each line a counterpart (`tandem link`, or switch creation on), or delete it";
                return Some((ParkedKind::NoCounterpart, reason, advice.to_owned()));
            }
            let advice = "it follows by itself once they are in step: see what they wait for".to_owned();
            return Some((ParkedKind::Deferred, reason, advice));
        }
        (flows > 0 && rest == 0).then(|| {
            let reason = format!("{first} is {value}, and there is no line yet");
            let advice = format!("add a line, and it follows by itself; or set {first} back");
            (ParkedKind::MissingMandatory, reason, advice)
        })
    }

    /// The parent of a part, with what is known of it.
    pub(crate) fn parent_of(
        &self,
        key: &RecordKey,
        flow: &Flow,
        side: Side,
    ) -> Option<(Referral, &'a Parent)> {
        let record = self.record(key)?;
        let parent = support::parent(flow, side, &record.shadow.values)?;
        let fact = self.facts.parents.get(&parent)?;
        Some((parent, fact))
    }

    /// Why nothing may be done to the parts of a parent with these values on a side, and what to do about it.
    pub(crate) fn locked(
        &self,
        parent: &Referral,
        side: Side,
        values: &crate::record::Values,
    ) -> Option<(String, String)> {
        let crate::dataflow::Reference::Flow(name) = &parent.through else {
            return None;
        };
        let flow = self.flows.flow(name)?;
        let (mapping, value) = support::lock(flow, side, values)?;
        let end = flow.end(side);
        let (of, property) = (&end.record_type, mapping.property(side));
        let reason = format!("its {of} is {value}, which locks its lines");
        let (other, first) = (flow.end(side.other()), mapping.property(side.other()));
        let advice = format!(
            "set {first} of the {} back in {}: {property} follows, and then the lines",
            other.record_type.name, other.record_type.system
        );
        Some((reason, advice))
    }

    /// The plan changes when the parent does.
    pub(crate) fn wait_for_parent(&mut self, parent: &Referral) {
        let flows = self.flows;
        for side in Side::BOTH {
            let id = if side == parent.side {
                Some(parent.id.clone())
            } else {
                match self.facts.referrals.get(parent) {
                    Some(crate::facts::Referent::Linked(id)) => Some(id.clone()),
                    _ => None,
                }
            };
            let referral = id.map(|id| Referral {
                side,
                id,
                ..parent.clone()
            });
            let record = referral.and_then(|referral| support::parent_record(flows, &referral));
            self.waits.on.extend(record);
        }
    }
}
