//! Creates: records without a counterpart get one where the policy allows. The content is computed from heads;
//! what the target cannot hold is left out and parked alone, what it must have and has not holds the create.

use crate::agreement::{self, Fit};
use crate::cluster::{Action, Anchor, Intent, Lookup, Parked, ParkedKind, Planned};
use crate::dataflow::{
    CompanionKey, CompanionRule, CreatePolicy, Flow, Kind, Mapping, OnCreate, Reference, Reverse, Side,
    StandIn,
};
use crate::facts::RecordKeyType;
use crate::form::{Form, Trouble};
use crate::matching;
use crate::mutation::{Mutation, removed};
use crate::record::{RecordKey, Values};
use crate::topology::{self, Component};
use crate::trace::{Trace, hashed};
use crate::value::Value;
use crate::work::Work;
use std::collections::{BTreeMap, BTreeSet};

/// The content of a create as it is put together.
#[derive(Default)]
struct Draft {
    values: BTreeMap<String, Planned>,
    left_out: BTreeSet<String>,
    /// Why it cannot be done now: the gravest kind with all reasons.
    holds: Vec<Parked>,
}

/// The reservation that a create for a record takes: the flow group's marks with the first match key that has
/// a value, else the source itself.
#[must_use]
pub fn reservation(flow: &Flow, side: Side, source: &RecordKey, values: &Values) -> (RecordKeyType, String) {
    let target = flow.end(side.other());
    let keys = flow.match_rules.iter().enumerate();
    let key = keys
        .filter_map(|(index, rule)| Some((index, matching::rule_key(rule, side, source, values)?)))
        .next();
    let marks: Vec<String> = target
        .only
        .iter()
        .map(|(property, value)| format!("{property}={value};"))
        .collect();
    let text = match key {
        Some((index, key)) => {
            let within = matching::within(&flow.match_rules[index], side, source, values);
            format!("{}{index}|{key}{within}", marks.concat())
        }
        None => format!("source|{source}"),
    };
    (target.record_type.clone(), text)
}

/// Whether a record found by an intent's look-up is really its counterpart: the decisive key agrees.
#[must_use]
pub fn recognises(
    flows: &crate::dataflow::Dataflow,
    intent: &Intent,
    found: &crate::record::Observation,
) -> bool {
    match &intent.action {
        Action::Companion { find, .. } => find.iter().any(|lookup| {
            lookup
                .properties
                .iter()
                .zip(&lookup.values)
                .all(|(property, value)| {
                    let fold =
                        |value: &Value| matching::normalise(value, crate::dataflow::Normaliser::CaseFold);
                    found
                        .values
                        .get(property)
                        .is_some_and(|shown| fold(shown) == fold(value))
                })
        }),
        Action::Create {
            flow,
            source,
            target,
            apart: set_apart,
            scope,
            ..
        } => {
            let Some(flow) = flows.flow(flow) else {
                return false;
            };
            let Some(side) = flow.side_of(target) else {
                return false;
            };
            let values: Values = intent
                .values
                .iter()
                .map(|(name, planned)| (name.clone(), planned.value.clone()))
                .collect();
            let ours = matching::flow_keys(flow, side, source, &values);
            let theirs = matching::flow_keys(flow, side, &found.key, &found.values);
            if set_apart.contains(&found.key.id) || agreement::is_outside(flow, side, scope, &found.values) {
                return false;
            }
            // The new record has no id yet that a rule could compare.
            let natural = |rule: u32| {
                let rule = usize::try_from(rule)
                    .ok()
                    .and_then(|rule| flow.match_rules.get(rule));
                rule.is_some_and(|rule| !matching::names_id(rule, side))
            };
            let marks = match side {
                Side::First => crate::facts::MatchKey::STAMP,
                Side::Second => crate::facts::MatchKey::IDENTITY,
            };
            let claimed = |keys: &[crate::facts::MatchKey]| {
                let mark = keys.iter().find(|key| key.rule == marks);
                mark.map(|key| key.key.clone())
            };
            let foreign = claimed(&theirs).is_some() && claimed(&theirs) != claimed(&ours);
            let decisive = ours
                .iter()
                .filter(|key| natural(key.rule))
                .find_map(|a| theirs.iter().find(|b| b.rule == a.rule).map(|b| a.key == b.key));
            !foreign && decisive == Some(true) && matching::belongs(flow, side, &found.values)
        }
        Action::Update { .. } | Action::Delete { .. } => false,
    }
}

impl Draft {
    /// Gives the new record what stands in for a reference that leads nowhere; whether there is anything.
    fn stand_in(&mut self, mapping: &Mapping, to: Side) -> bool {
        let Some(StandIn::Value(text)) = &mapping.stand_in[to.index()] else {
            return false;
        };
        let value = Value::text(text.as_str());
        let property = mapping.property(to).to_owned();
        self.values.insert(property, Planned::own(value));
        true
    }
}

impl<'a> Work<'a> {
    /// Plans every create anew; sent ones stay as they are.
    pub(crate) fn plan_creates(&mut self) {
        let unsent =
            |intent: &Intent| intent.sent.is_none() && matches!(intent.action, Action::Create { .. });
        let (before, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.cluster.creates)
            .into_iter()
            .partition(unsent);
        self.cluster.creates = kept;
        if !self.facts.listed {
            self.cluster.creates.extend(before);
            return;
        }
        if removed(Mutation::OrphanedCreate) {
            let dead = before.iter().filter(|intent| !self.source_is_alive(intent));
            let dead: Vec<Intent> = dead.cloned().collect();
            self.cluster.creates.extend(dead);
        }
        // Most clusters need no create; none of them ties or kills a record.
        let mut components = None;
        let keys: Vec<RecordKey> = self.cluster.records.keys().cloned().collect();
        for key in &keys {
            let flows = self.flows;
            for (flow, side) in flows
                .flows
                .iter()
                .filter(|flow| !flows.rests(&flow.name))
                .filter_map(|flow| Some((flow, flow.side_of(&key.record_type)?)))
            {
                if self.may_create(key, flow, side) {
                    let components = components
                        .get_or_insert_with(|| topology::components(self.flows, &self.cluster, false));
                    self.plan_create(key, flow, side, components, &before);
                }
            }
        }
    }

    fn source_is_alive(&self, intent: &Intent) -> bool {
        let Action::Create { source, .. } = &intent.action else {
            return true;
        };
        self.record(source).is_some_and(crate::cluster::Record::alive)
    }

    fn may_create(&mut self, key: &RecordKey, flow: &Flow, side: Side) -> bool {
        let target = flow.end(side.other());
        let record = &self.cluster.records[key];
        let taken = !record.alive()
            || record.suppressed.contains(&flow.name)
            || !matching::belongs(flow, side, &record.shadow.values)
            || self.linked_in_group(key, &flow.group)
            || record.newborn.as_ref().is_some_and(|newborn| !newborn.observed);
        if taken || self.create_is_open(key, flow) || self.is_held(key, flow) {
            return false;
        }
        if let Some(source) = self.may_be_made_for(key, flow) {
            // Whatever that create comes to, this one is decided anew.
            self.waits.on.insert(source);
            return false;
        }
        if let Some(former) = record.left.get(&flow.name) {
            let reason = format!("its counterpart {former} is outside the filter of {}", flow.name);
            let advice = "nothing to do: they are linked again when both are inside".to_owned();
            let parked = self.parked(ParkedKind::NotCreated, 0, reason, advice);
            self.hold(key, &flow.name, parked);
            return false;
        }
        if let Some((parent, why)) = self.outside_parent(key, flow, side) {
            let advice = "nothing to do: it follows once what it is a part of belongs there".to_owned();
            let parked = self.parked(ParkedKind::NotCreated, 0, format!("is left out: {why}"), advice);
            self.hold(key, &flow.name, parked);
            self.waits.on.insert(parent);
            return false;
        }
        let old = |record: &crate::cluster::Record| {
            record
                .shadow
                .created
                .is_none_or(|at| Some(at) <= self.facts.listed_at)
        };
        let reason = match target.create {
            _ if record.shadow.protected => "it may not be written, so it is left alone".to_owned(),
            _ if !target.write => format!("{} is not written", target.record_type.system),
            CreatePolicy::Off => format!("this flow creates nothing in {}", target.record_type.system),
            CreatePolicy::OnlyNew if old(record) => "it is older than the first load".to_owned(),
            CreatePolicy::On | CreatePolicy::OnlyNew => return true,
        };
        let reason = format!(
            "has no {} in {}: {reason}",
            target.record_type.name, target.record_type.system
        );
        let parked = self.parked(
            ParkedKind::NotCreated,
            0,
            reason,
            "link it by hand, or switch creation on".to_owned(),
        );
        self.hold(key, &flow.name, parked);
        false
    }

    /// A hold that this decision has found already; a refusal by the system holds only the same content.
    fn is_held(&self, key: &RecordKey, flow: &Flow) -> bool {
        let held = self.cluster.records[key].held.get(&flow.name);
        held.is_some_and(|parked| parked.kind != ParkedKind::Refused)
    }

    fn create_is_open(&self, key: &RecordKey, flow: &Flow) -> bool {
        self.cluster.creates.iter().any(|intent| {
            matches!(&intent.action, Action::Create { flow: of, source, .. } if *of == flow.name && source == key)
        })
    }

    /// A record may be what a create made that was sent and has no answer yet: it gets no other counterpart meanwhile. The
    /// source of that create, which may be deleted by now.
    fn may_be_made_for(&self, key: &RecordKey, flow: &Flow) -> Option<RecordKey> {
        let mut sent = self.cluster.creates.iter().filter(|intent| intent.sent.is_some());
        sent.find_map(|intent| {
            let Action::Create {
                flow: of,
                source,
                target,
                ..
            } = &intent.action
            else {
                return None;
            };
            let of = self.flows.flow(of)?;
            if of.group != flow.group || *target != key.record_type {
                return None;
            }
            let pairing = match of.side_of(target) {
                Some(Side::First) => self.pairing(of, key, source),
                _ => self.pairing(of, source, key),
            };
            (pairing?.fit() == Fit::Same).then(|| source.clone())
        })
    }

    /// This very decision plans the counterpart that a reference leads to, or a companion that its create waits for:
    /// it is there in a moment.
    fn counterpart_is_planned(&self, key: &RecordKey, mapping: &Mapping) -> bool {
        let Kind::Reference(Reference::Flow(name)) = &mapping.kind else {
            return false;
        };
        let comes = |flow: &Flow| self.create_is_open(key, flow) || self.companion_comes(key, flow);
        self.flows.flow(name).is_some_and(comes)
    }

    /// A companion that a record's create in a flow needs is wanted, and nothing is against it.
    fn companion_comes(&self, key: &RecordKey, flow: &Flow) -> bool {
        let Some(record) = self.record(key).filter(|record| record.alive()) else {
            return false;
        };
        let mut own = flow.companions.iter().filter(|rule| rule.of == "id");
        own.any(|rule| match record.companions.get(&rule.role) {
            Some(companion) => companion.id.is_none() && companion.parked.is_none(),
            None => self.waits.companions.contains(&CompanionKey {
                role: rule.role.clone(),
                owner: key.clone(),
            }),
        })
    }

    fn plan_create(
        &mut self,
        key: &RecordKey,
        flow: &'a Flow,
        side: Side,
        components: &[Component<'a>],
        before: &[Intent],
    ) {
        let mut draft = Draft::default();
        for mapping in &flow.mappings {
            self.draft_property(key, flow, mapping, side, components, &mut draft);
        }
        let target = flow.end(side.other());
        for (property, value) in target.constants.iter().chain(&target.only) {
            draft.values.insert(property.clone(), Planned::own(value.clone()));
        }
        if side == Side::First {
            for rule in &flow.companions {
                self.draft_companion(key, flow, rule, &mut draft);
            }
        }
        let identity = target
            .identity
            .as_ref()
            .map(|identity| (identity.property.clone(), identity.value(&key.id)));
        if let Some((property, value)) = &identity {
            draft.values.insert(property.clone(), Planned::own(value.clone()));
        }
        let values = self.cluster.records[key].shadow.values.clone();
        let (of, mut reserved) = reservation(flow, side, key, &values);
        if removed(Mutation::NoReservation) {
            reserved.clear();
        }
        if let Some(holder) = self.reserved_by_another(key, flow, &of, &reserved) {
            let reason = format!("has the same match key as {holder}, whose counterpart is being created");
            let advice = "merge or delete the duplicate, or change its key. What tells records of one key apart belongs under the \
                          key's `within` in the flow"
                .to_owned();
            draft
                .holds
                .insert(0, self.parked(ParkedKind::DuplicateKey, 0, reason, advice));
        }
        if let Some(twin) = self.twin(key, flow, side) {
            draft.holds.insert(0, twin);
        }
        draft.holds.extend(self.claim(key, flow, side));
        draft.holds.extend(self.outside(flow, side, &draft.values));
        draft.holds.extend(self.locked_parent(key, flow, side));
        if self.hold_if_needed(key, flow, &draft) {
            return;
        }
        let intent = Intent {
            id: 0,
            action: Action::Create {
                flow: flow.name.clone(),
                source: key.clone(),
                target: of,
                lookup: lookup(flow, side, &draft.values, (key, &values)),
                reservation: reserved,
                identity,
                left_out: draft.left_out,
                apart: self.told_apart(key, flow),
                scope: agreement::scope(flow, self.facts, side, (key, &values)),
            },
            values: draft.values,
            version: None,
            before: Values::new(),
            sent: None,
            first_sent: None,
            attempts: 0,
            unknown: false,
            rank: self
                .flows
                .flows
                .iter()
                .position(|other| other.name == flow.name)
                .unwrap_or_default(),
            reason: format!(
                "{key} has no {} in {}",
                target.record_type.name, target.record_type.system
            ),
            follows: false,
            trace: Trace::of(key, self.cluster.records[key].since),
        };
        self.cluster.creates.push(reuse(intent, before));
    }

    /// The new record would not belong to the flow, and the next one neither.
    fn outside(&self, flow: &Flow, side: Side, planned: &BTreeMap<String, Planned>) -> Option<Parked> {
        let target = flow.end(side.other());
        let filter = target.filter.as_ref()?;
        let values = planned.iter();
        let values: Values = values
            .map(|(name, planned)| (name.clone(), planned.value.clone()))
            .collect();
        if filter.holds(&values) {
            return None;
        }
        let reason = format!(
            "has no {} in {}: a new one would be outside the filter `{filter}`",
            target.record_type.name, target.record_type.system
        );
        let advice = "link it by hand, or give creates the values that the filter asks for".to_owned();
        Some(self.parked(ParkedKind::NotCreated, 0, reason, advice))
    }

    /// The new record would be a part of a parent that is locked.
    fn locked_parent(&mut self, key: &RecordKey, flow: &Flow, side: Side) -> Option<Parked> {
        let (parent, fact) = self.parent_of(key, flow, side)?;
        let (_, values) = fact.other.as_ref()?;
        let (reason, advice) = self.locked(&parent, side.other(), values)?;
        self.wait_for_parent(&parent);
        Some(self.parked(ParkedKind::Protected, 0, reason, advice))
    }

    /// A record with the natural key that the new one would have: it was passed over as a counterpart because it
    /// carries another's identity, was unlinked, or speaks against it. Why the create is held for it.
    fn twin(&mut self, key: &RecordKey, flow: &Flow, side: Side) -> Option<Parked> {
        let target = flow.end(side.other());
        let others = self.cluster.records.iter().filter(|(other, record)| {
            other.record_type == target.record_type
                && record.alive()
                && matching::belongs(flow, side.other(), &record.shadow.values)
                && !self.are_apart(&flow.name, key, other)
        });
        let fits = others.map(|(other, _)| {
            let fit = match side {
                Side::First => self.pairing(flow, key, other).map(|pair| pair.natural_fit()),
                Side::Second => self.pairing(flow, other, key).map(|pair| pair.natural_fit()),
            };
            (other.clone(), fit)
        });
        let mut waits = None;
        for (twin, fit) in fits {
            match fit {
                Some(Fit::Same | Fit::Doubtful(_)) => {
                    let reason = format!("{twin} has the same match key and is not its counterpart");
                    let advice = "link the two by hand, tell them apart with `tandem link ... --different`, or change one \
                                  of the keys. What always tells such records apart belongs under the key's `within` in the flow"
                        .to_owned();
                    return Some(self.parked(ParkedKind::DuplicateKey, 0, reason, advice));
                }
                Some(Fit::Waits(wait)) => waits = Some(wait),
                Some(Fit::Strangers) | None => {}
            }
        }
        self.trouble(Trouble::Waits(waits?), 0, None)
    }

    /// Who else is about to create a record of the type with the same match key (L2).
    fn reserved_by_another(
        &self,
        key: &RecordKey,
        flow: &Flow,
        of: &RecordKeyType,
        reserved: &str,
    ) -> Option<RecordKey> {
        if removed(Mutation::NoReservation) {
            return None;
        }
        let elsewhere = self.facts.reserved.get(&(of.clone(), reserved.to_owned()));
        let here = self
            .cluster
            .creates
            .iter()
            .find_map(|intent| match &intent.action {
                Action::Create {
                    flow: other,
                    source,
                    target,
                    reservation,
                    ..
                } => {
                    let same = target == of && reservation == reserved;
                    (same && (source != key || *other != flow.name)).then_some(source)
                }
                _ => None,
            });
        elsewhere.filter(|holder| *holder != key).or(here).cloned()
    }

    /// Puts one property into the draft, or says why not.
    fn draft_property(
        &mut self,
        key: &RecordKey,
        flow: &'a Flow,
        mapping: &'a Mapping,
        side: Side,
        components: &[Component<'a>],
        draft: &mut Draft,
    ) {
        let to = side.other();
        let property = mapping.property(to).to_owned();
        let follows = mapping.travels_to(to);
        match (&mapping.on_create, to) {
            (OnCreate::Constant(value), Side::Second) => {
                draft.values.insert(property, Planned::own(value.clone()));
                return;
            }
            (OnCreate::Value, Side::Second) => {}
            _ if follows => {}
            _ if to == Side::First && mapping.reverse != Reverse::Follow => {}
            _ => return,
        }
        if property == "id" {
            return;
        }
        let ends = [(side, mapping.property(side)), (to, property.as_str())];
        if ends
            .iter()
            .any(|(side, name)| self.flows.hides(&flow.end(*side).record_type, name))
            || self
                .record(key)
                .is_some_and(|record| record.is_unreadable(mapping.property(side)))
        {
            draft.holds.extend(self.unreadable_need(key, mapping, side));
            // It is owed until it is back in sight.
            draft.left_out.insert(property);
            return;
        }
        let at = Anchor {
            record: key.clone(),
            property: mapping.property(side).to_owned(),
        };
        let linked = components
            .iter()
            .find(|component| component.nodes.iter().any(|node| node.at == at));
        if follows && linked.is_none() {
            self.merge_component(
                &topology::single(flow, mapping, side, at.clone()),
                &mut BTreeMap::new(),
            );
        }
        let facts = self.facts;
        let own = Form {
            flow,
            mapping,
            side,
            facts,
        };
        let form = Form {
            flow,
            mapping,
            side: to,
            facts,
        };
        let (value, (epoch, trace)) = match self.canonical(&at, &own, linked) {
            Ok(found) => found,
            Err(trouble) => return self.leave_out(&at, flow, mapping, to, trouble, 0, draft),
        };
        let epoch = if follows { epoch } else { 0 };
        if value.is_blank() {
            if draft.stand_in(mapping, to) {
                return;
            }
            let gives = mapping.given_by == Some(to) || mapping.filled_on_create[to.index()];
            if mapping.never_blank[to.index()] && !gives {
                let trouble = form.encode(&Value::Blank).err().unwrap_or(Trouble::LeftAlone);
                self.leave_out(&at, flow, mapping, to, trouble, epoch, draft);
            }
            return;
        }
        match form.encode(&value) {
            Ok(value) if self.value_was_refused(&at, &flow.end(to).record_type, epoch, &value) => {
                draft.left_out.insert(property);
            }
            Ok(value) => {
                draft.values.insert(property, Planned { value, epoch, trace });
            }
            Err(trouble) => self.leave_out(&at, flow, mapping, to, trouble, epoch, draft),
        }
    }

    /// A value that the create must do without, or that it must wait for.
    #[allow(clippy::too_many_arguments)]
    fn leave_out(
        &mut self,
        at: &Anchor,
        flow: &Flow,
        mapping: &Mapping,
        to: Side,
        trouble: Trouble,
        epoch: u64,
        draft: &mut Draft,
    ) {
        let fills = mapping.filled_on_create[to.index()];
        let must = (mapping.never_blank[to.index()] && !fills)
            || (to == Side::First && mapping.reverse == Reverse::Required)
            || (to == Side::Second && mapping.awaited);
        let planned =
            matches!(&trouble, Trouble::Waits(wait) if self.counterpart_is_planned(&wait.on, mapping));
        let for_good = !planned && self.is_for_good(&trouble, mapping);
        let stood_in = for_good && draft.stand_in(mapping, to);
        let must = must && !stood_in;
        let to_itself = matches!(&mapping.kind, Kind::Reference(Reference::Flow(name)) if *name == flow.name);
        let pending = matches!(&trouble, Trouble::Waits(wait)
            if !to_itself && (wait.pending || planned));
        let alone = matches!(trouble, Trouble::LeftAlone);
        let optional = to == Side::First && mapping.reverse == Reverse::Optional;
        if alone && must {
            let reason = format!("{} leads to nothing that has a counterpart", at.property);
            let advice = format!(
                "give {} a record that has one, and it follows by itself",
                at.property
            );
            draft
                .holds
                .push(self.parked(ParkedKind::NoCounterpart, 0, reason, advice));
            return;
        }
        let Some(parked) = self.trouble(trouble, epoch, Some(mapping)) else {
            return;
        };
        if must || pending {
            draft.holds.push(parked);
        } else if !optional {
            draft.left_out.insert(mapping.property(to).to_owned());
            if let Some(record) = self.cluster.records.get_mut(&at.record) {
                record.parked.insert(at.property.clone(), parked);
            }
        }
    }

    /// The companion that the new record needs.
    fn draft_companion(&mut self, key: &RecordKey, flow: &Flow, rule: &CompanionRule, draft: &mut Draft) {
        if draft.values.contains_key(&rule.property) {
            return;
        }
        let owner = match rule.of.as_str() {
            "id" => Some(key.id.clone()),
            property => self.cluster.records[key]
                .value(property)
                .as_text()
                .map(str::to_owned),
        };
        let Some(owner) = owner else { return };
        match self.companion_id(flow, rule, owner) {
            Ok(id) => {
                draft
                    .values
                    .insert(rule.property.clone(), Planned::own(Value::Text(id)));
            }
            Err(parked) => draft.holds.push(parked),
        }
    }

    /// One entry per flow says why the create waits: what must be mended before what merely waits.
    fn hold_if_needed(&mut self, key: &RecordKey, flow: &Flow, draft: &Draft) -> bool {
        let mending: Vec<&Parked> = draft
            .holds
            .iter()
            .filter(|parked| parked.kind.needs_mending())
            .collect();
        let shown = if mending.is_empty() {
            draft.holds.iter().collect()
        } else {
            mending
        };
        let refused = self.cluster.records[key].held.get(&flow.name);
        let Some(first) = shown.first() else {
            let same = refused.is_some_and(|parked| parked.epoch == fingerprint(&draft.values))
                && !removed(Mutation::ParkedForgotten);
            if !same && let Some(record) = self.cluster.records.get_mut(key) {
                record.held.remove(&flow.name);
            }
            return same;
        };
        let join = |part: fn(&Parked) -> &str| {
            let mut parts: Vec<&str> = shown.iter().map(|parked| part(parked)).collect();
            parts.dedup();
            parts.join("; ")
        };
        let (reason, advice) = (join(|parked| &parked.reason), join(|parked| &parked.advice));
        let parked = self.parked(first.kind, 0, reason, advice);
        self.hold(key, &flow.name, parked);
        true
    }
}

/// What identifies a create's content, so that a refusal holds only the same content. Stable across runs: FNV-1a.
#[must_use]
pub(crate) fn fingerprint(values: &BTreeMap<String, Planned>) -> u64 {
    let texts: Vec<String> = values
        .iter()
        .map(|(property, planned)| format!("{property}={:?};", planned.value))
        .collect();
    let pieces: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
    hashed(&pieces) | 1
}

/// The look-up that precedes the create: the first rule whose parts the new record will have.
fn lookup(
    flow: &Flow,
    side: Side,
    planned: &BTreeMap<String, Planned>,
    (source, own): (&RecordKey, &Values),
) -> Option<Lookup> {
    let to = side.other().index();
    let rule = flow.match_rules.iter().find(|rule| {
        !matching::names_id(rule, side.other()) && matching::rule_key(rule, side, source, own).is_some()
    })?;
    let shown = |property: &str| match property {
        matching::ID => Some(Value::text(source.id.as_str())),
        property => own.get(property).cloned(),
    };
    let part = |part: &crate::dataflow::MatchPart| {
        let there = planned
            .get(&part.properties[to])
            .map(|planned| planned.value.clone());
        (
            part.properties[to].clone(),
            there
                .or_else(|| shown(&part.properties[side.index()]))
                .unwrap_or_default(),
        )
    };
    let (properties, values) = rule.parts.iter().map(part).unzip();
    Some(Lookup { properties, values })
}

/// An unsent intent of the same content keeps its number, and the trace under which it was planned.
pub(crate) fn reuse(mut intent: Intent, before: &[Intent]) -> Intent {
    let same = before.iter().find(|old| {
        Intent {
            id: 0,
            trace: intent.trace,
            ..(*old).clone()
        } == intent
    });
    if let Some(old) = same {
        (intent.id, intent.trace) = (old.id, old.trace);
    }
    intent
}
