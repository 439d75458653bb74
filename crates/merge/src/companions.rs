//! Companions: records that a create needs and no flow covers. The owner's cluster creates them, once.

use crate::cluster::{Action, Cluster, Intent, Lookup, Parked, ParkedKind, Planned, Record};
use crate::creates::reuse;
use crate::dataflow::{CompanionKey, CompanionRule, CompanionValue, Dataflow, Flow, Kind, Reference, Side};
use crate::facts::{Referent, Referral};
use crate::form::{Trouble, Wait};
use crate::record::{RecordKey, RecordType, Values};
use crate::trace::Trace;
use crate::value::Value;
use crate::work::Work;
use std::collections::BTreeMap;

/// The companion that a record got before a flow was there that keeps it in step.
pub(crate) fn made_before(flow: &Flow, record: &Record) -> Option<RecordKey> {
    let id = record.companions.get(flow.keeps.as_ref()?)?.id.clone()?;
    let record_type = flow.end(Side::Second).record_type.clone();
    Some(RecordKey { record_type, id })
}

/// The companions whose ids a write carries, by the property that holds each.
#[must_use]
pub fn leans_on(flows: &Dataflow, cluster: &Cluster, intent: &Intent) -> BTreeMap<String, CompanionKey> {
    let mut found = BTreeMap::new();
    let mut lean = |property: &str, role: &str, of: &RecordType, owner: Option<String>| {
        if let Some(id) = owner.filter(|_| intent.values.contains_key(property)) {
            let key = CompanionKey {
                role: role.to_owned(),
                owner: RecordKey {
                    record_type: of.clone(),
                    id,
                },
            };
            found.insert(property.to_owned(), key);
        }
    };
    match &intent.action {
        Action::Create { flow, source, .. } => {
            if let Some(flow) = flows.flow(flow) {
                lean_in_flow(flow, cluster, source, &mut lean);
            }
        }
        Action::Update { record } => {
            for link in cluster.links.iter().filter(|link| &link.second == record) {
                if let Some(flow) = flows.flow(&link.flow) {
                    lean_in_flow(flow, cluster, &link.first, &mut lean);
                }
            }
        }
        Action::Companion { key, .. } => {
            let rules = flows.flows.iter().flat_map(|flow| &flow.companions);
            let rule = rules.into_iter().find(|rule| rule.role == key.role);
            for (property, value) in rule.into_iter().flat_map(|rule| &rule.values) {
                if let CompanionValue::Companion { role, of, owner } = value {
                    lean(property, role, owner, id_in(cluster, &key.owner, of));
                }
            }
        }
        Action::Delete { .. } => {}
    }
    found
}

/// The companions that the counterpart of a first-side record names.
fn lean_in_flow(
    flow: &Flow,
    cluster: &Cluster,
    source: &RecordKey,
    lean: &mut impl FnMut(&str, &str, &RecordType, Option<String>),
) {
    if flow.side_of(&source.record_type) != Some(Side::First) {
        return;
    }
    for rule in &flow.companions {
        lean(
            &rule.property,
            &rule.role,
            &rule.owner,
            id_in(cluster, source, &rule.of),
        );
    }
    for mapping in &flow.mappings {
        if let Kind::Reference(Reference::Companion { role, of }) = &mapping.kind {
            let owner = id_in(cluster, source, mapping.property(Side::First));
            lean(mapping.property(Side::Second), role, of, owner);
        }
    }
}

/// The id that a property of a record holds; `id` is its own.
fn id_in(cluster: &Cluster, record: &RecordKey, property: &str) -> Option<String> {
    if property == "id" {
        return Some(record.id.clone());
    }
    let known = cluster.records.get(record)?;
    known.value(property).as_text().map(str::to_owned)
}

impl Work<'_> {
    /// The id of an owner's companion, or why it must be waited for; the need is noted.
    pub(crate) fn companion_id(
        &mut self,
        _flow: &Flow,
        rule: &CompanionRule,
        owner: String,
    ) -> Result<String, Parked> {
        let key = RecordKey {
            record_type: rule.owner.clone(),
            id: owner,
        };
        self.companion_of(&rule.role, key)
    }

    fn companion_of(&mut self, role: &str, owner: RecordKey) -> Result<String, Parked> {
        if let Some(id) = self
            .record(&owner)
            .and_then(|record| record.companions.get(role)?.id.clone())
        {
            return Ok(id);
        }
        let through = Reference::Companion {
            role: role.to_owned(),
            of: owner.record_type.clone(),
        };
        let asked = Referral {
            through,
            side: Side::First,
            id: owner.id.clone(),
        };
        match self.facts.referrals.get(&asked) {
            Some(Referent::Linked(id)) => Ok(id.clone()),
            Some(Referent::Gone | Referent::Forgotten) => Err(self.parked(
                ParkedKind::ReferenceToNothing,
                0,
                format!("needs the {role} of {owner}, which does not exist"),
                "choose an existing record".to_owned(),
            )),
            known => {
                let read = known == Some(&Referent::Unknown);
                let companion = Some(CompanionKey {
                    role: role.to_owned(),
                    owner: owner.clone(),
                });
                let wait = Trouble::Waits(Box::new(Wait {
                    on: owner,
                    companion,
                    read,
                    pending: true,
                    never: None,
                    lacking: Side::Second,
                }));
                let parked = self.trouble(wait, 0, None);
                Err(parked
                    .unwrap_or_else(|| self.parked(ParkedKind::Deferred, 0, String::new(), String::new())))
            }
        }
    }

    /// The id of the counterpart of a companion's referent, or why it must be waited for.
    fn linked_of(&mut self, rule: &CompanionRule, name: &str, id: &str) -> Result<Value, Parked> {
        let flow = self.flows.flow(name);
        let asked = Referral {
            through: Reference::Flow(name.to_owned()),
            side: Side::First,
            id: id.to_owned(),
        };
        let known = self.facts.referrals.get(&asked);
        if let Some(Referent::Linked(id)) = known {
            return Ok(Value::Text(id.clone()));
        }
        let of = flow.map_or(&rule.owner, |flow| &flow.end(Side::First).record_type);
        let on = RecordKey {
            record_type: of.clone(),
            id: id.to_owned(),
        };
        if matches!(known, Some(Referent::Gone | Referent::Forgotten)) {
            let reason = format!("needs the counterpart of {on}, which does not exist");
            let advice = "choose an existing record".to_owned();
            return Err(self.parked(ParkedKind::ReferenceToNothing, 0, reason, advice));
        }
        let never = match known {
            Some(Referent::Never(why)) => Some(why.clone()),
            _ => None,
        };
        let wait = Trouble::Waits(Box::new(Wait {
            on,
            companion: None,
            read: known == Some(&Referent::Unknown),
            pending: true,
            never,
            lacking: Side::Second,
        }));
        let parked = self.trouble(wait, 0, None);
        Err(parked.unwrap_or_else(|| self.parked(ParkedKind::Deferred, 0, String::new(), String::new())))
    }

    /// Companions that no flow asks for any more are not wanted any more either.
    fn forget_unwanted(&mut self) {
        let flows = self.flows;
        for (key, record) in &mut self.cluster.records {
            record.companions.retain(|role, companion| {
                let mut rules = flows.flows.iter().flat_map(|flow| &flow.companions);
                companion.id.is_some()
                    || rules.any(|rule| rule.role == *role && rule.owner == key.record_type)
            });
        }
    }

    /// Plans the companions that are wanted and do not exist.
    pub(crate) fn plan_companions(&mut self) {
        self.forget_unwanted();
        let own: Vec<CompanionKey> = self
            .waits
            .companions
            .iter()
            .filter(|key| self.cluster.records.contains_key(&key.owner))
            .cloned()
            .collect();
        for key in own {
            self.waits.companions.remove(&key);
            if let Some(record) = self.cluster.records.get_mut(&key.owner) {
                record.companions.entry(key.role).or_default();
            }
        }
        let unsent =
            |intent: &Intent| intent.sent.is_none() && matches!(intent.action, Action::Companion { .. });
        let (before, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.cluster.creates)
            .into_iter()
            .partition(unsent);
        self.cluster.creates = kept;
        let wanted: Vec<(RecordKey, String)> = self
            .cluster
            .records
            .iter()
            .filter(|(_, record)| record.alive())
            .flat_map(|(key, record)| {
                let open = record
                    .companions
                    .iter()
                    .filter(|(_, companion)| companion.id.is_none());
                open.map(|(role, _)| (key.clone(), role.clone()))
            })
            .collect();
        for (owner, role) in wanted {
            if !self.companion_is_open(&owner, &role) {
                self.plan_companion(owner, &role, &before);
            }
        }
    }

    fn companion_is_open(&self, owner: &RecordKey, role: &str) -> bool {
        self.cluster.creates.iter().any(|intent| {
            matches!(&intent.action, Action::Companion { key, .. } if &key.owner == owner && key.role == role)
        })
    }

    fn plan_companion(&mut self, owner: RecordKey, role: &str, before: &[Intent]) {
        let flows = self.flows;
        let rules = flows.flows.iter().flat_map(|flow| &flow.companions);
        let Some(rule) = rules
            .into_iter()
            .find(|rule| rule.role == role && rule.owner == owner.record_type)
        else {
            return;
        };
        let refused = self.cluster.records[&owner].companions[role].parked.clone();
        let undecidable = |parked: &Parked| parked.kind == ParkedKind::Undecidable;
        if refused.as_ref().is_some_and(undecidable) {
            return;
        }
        let planned = match self.companion_values(&owner, rule) {
            Ok(values) => values,
            Err(parked) => return self.park_companion(&owner, role, Some(parked)),
        };
        let fingerprint = crate::creates::fingerprint(&planned);
        if refused.is_some_and(|parked| parked.kind == ParkedKind::Refused && parked.epoch == fingerprint) {
            return;
        }
        let identity = rule
            .identity
            .as_ref()
            .map(|identity| (identity.property.clone(), identity.value(&owner.id)));
        let find = rule.find.iter().filter_map(|property| {
            let value = planned.get(property)?.value.clone();
            Some(Lookup {
                properties: vec![property.clone()],
                values: vec![value],
            })
        });
        let action = Action::Companion {
            key: CompanionKey {
                role: role.to_owned(),
                owner: owner.clone(),
            },
            target: rule.record_type.clone(),
            find: find.collect(),
            identity,
            only_find: self.cluster.records[&owner].companions[role].lost.is_some(),
        };
        if !rule.create {
            let advice = format!("create the {role} by hand, or allow its creation");
            let parked = self.parked(ParkedKind::Refused, fingerprint, format!("has no {role}"), advice);
            return self.park_companion(&owner, role, Some(parked));
        }
        self.park_companion(&owner, role, None);
        let trace = Trace::of(&owner, self.cluster.records[&owner].since);
        let intent = Intent {
            id: 0,
            action,
            values: planned,
            version: None,
            before: Values::new(),
            sent: None,
            first_sent: None,
            attempts: 0,
            unknown: false,
            rank: self.rank_of(&owner.record_type),
            reason: format!("{owner} needs its {role}"),
            follows: false,
            trace,
        };
        self.cluster.creates.push(reuse(intent, before));
    }

    fn rank_of(&self, owner: &RecordType) -> usize {
        let part = |flow: &Flow| flow.ends.iter().any(|end| &end.record_type == owner);
        self.flows.flows.iter().position(part).unwrap_or_default()
    }

    fn park_companion(&mut self, owner: &RecordKey, role: &str, parked: Option<Parked>) {
        let record = self.cluster.records.get_mut(owner);
        if let Some(companion) = record.and_then(|record| record.companions.get_mut(role)) {
            companion.parked = parked;
        }
    }

    fn companion_values(
        &mut self,
        owner: &RecordKey,
        rule: &CompanionRule,
    ) -> Result<BTreeMap<String, Planned>, Parked> {
        let mut planned = BTreeMap::new();
        for (property, from) in &rule.values {
            let record = &self.cluster.records[owner];
            let value = match from {
                CompanionValue::Property(name) => record.value(name).clone(),
                CompanionValue::Constant(value) => value.clone(),
                CompanionValue::FirstOf(names, otherwise) => {
                    let given = names
                        .iter()
                        .map(|name| record.value(name))
                        .find(|value| !value.is_blank());
                    given.unwrap_or(otherwise).clone()
                }
                CompanionValue::Companion {
                    role,
                    of,
                    owner: of_type,
                } => match record.value(of).as_text() {
                    Some(id) => {
                        let other = RecordKey {
                            record_type: of_type.clone(),
                            id: id.to_owned(),
                        };
                        Value::Text(self.companion_of(role, other)?)
                    }
                    None => Value::Blank,
                },
                CompanionValue::Linked { flow, of } => match record.value(of).as_text() {
                    Some(id) => {
                        let id = id.to_owned();
                        self.linked_of(rule, flow, &id)?
                    }
                    None => Value::Blank,
                },
            };
            if !value.is_blank() {
                planned.insert(property.clone(), Planned::own(value));
            }
        }
        if let Some(identity) = &rule.identity {
            let value = identity.value(&owner.id);
            planned.insert(identity.property.clone(), Planned::own(value));
        }
        Ok(planned)
    }
}
