//! Updates: the outbox row of a record, recomputed from scratch out of head, base and shadow. At most one
//! write per record (R4); sent rows are never touched.

use crate::cluster::{Action, Intent, ParkedKind, Planned};
use crate::creates::reuse;
use crate::dataflow::Side;
use crate::merging::Owed;
use crate::mutation::{Mutation, removed};
use crate::record::RecordKey;
use crate::trace::Trace;
use crate::work::Work;
use std::collections::BTreeMap;

/// Where the values that a record is owed come from, by property.
type Origins = BTreeMap<String, Option<RecordKey>>;

impl Work<'_> {
    /// Plans the update of every record that is owed something.
    pub(crate) fn plan_updates(&mut self, mut owed: Owed) {
        let keys: Vec<RecordKey> = self.cluster.records.keys().cloned().collect();
        self.free_kept_identities();
        self.await_repeated_creates();
        let mut identities = self.identities();
        for key in keys {
            let owed = owed.remove(&key).unwrap_or_default();
            let mut values = BTreeMap::new();
            let mut withheld = BTreeMap::new();
            let mut origins = BTreeMap::new();
            for (property, owing) in owed {
                let planned = Planned {
                    value: owing.value,
                    epoch: owing.epoch,
                    trace: owing.trace,
                };
                let into = if owing.withheld {
                    &mut withheld
                } else {
                    &mut values
                };
                into.insert(property.clone(), planned);
                origins.insert(property, owing.origin);
            }
            for (property, planned) in identities.remove(&key).unwrap_or_default() {
                let refused = self.cluster.records[&key].parked.contains_key(&property);
                let into = if refused { &mut withheld } else { &mut values };
                into.insert(property, planned);
            }
            values.extend(self.tried_again(&key, &values, withheld));
            self.plan_update(&key, values, &origins);
        }
    }

    fn plan_update(&mut self, key: &RecordKey, values: BTreeMap<String, Planned>, origins: &Origins) {
        let record = &self.cluster.records[key];
        if record.in_flight() {
            return;
        }
        let removing = record.removing;
        let protected = record.shadow.protected;
        let mut before: Vec<Intent> = Vec::new();
        if let Some(record) = self.cluster.records.get_mut(key) {
            record.removing = false;
            if removing {
                return;
            }
            before.extend(record.intent.take());
        }
        if removed(Mutation::StaleValues)
            && let Some(old) = before.pop_if(|old| matches!(old.action, Action::Update { .. }))
            && let Some(record) = self.cluster.records.get_mut(key)
        {
            let version = record.shadow.version.clone();
            record.intent = Some(Intent { version, ..old });
            return;
        }
        if values.is_empty() || !self.cluster.records[key].alive() {
            return;
        }
        if protected {
            let reason = "the record may not be written".to_owned();
            let parked = self.parked(ParkedKind::Protected, 0, reason, "edit it by hand".to_owned());
            if let Some(record) = self.cluster.records.get_mut(key) {
                record
                    .parked
                    .extend(values.into_keys().map(|property| (property, parked.clone())));
            }
            return;
        }
        let values = self.stage(key, values);
        if values.is_empty() {
            return;
        }
        let record = &self.cluster.records[key];
        let intent = Intent {
            id: 0,
            action: Action::Update { record: key.clone() },
            version: record.shadow.version.clone(),
            before: values
                .keys()
                .map(|name| (name.clone(), record.value(name).clone()))
                .collect(),
            sent: None,
            first_sent: None,
            attempts: 0,
            unknown: false,
            rank: self.flows.rank(&key.record_type),
            reason: reason(key, &values, origins),
            follows: values.keys().all(|property| self.follows(key, property)),
            trace: Trace::NONE,
            values,
        };
        if let Some(record) = self.cluster.records.get_mut(key) {
            record.intent = Some(reuse(intent, &before));
        }
    }

    /// A record whose create may arrive once more keeps the identity that it shows until it cannot; then its cluster is
    /// decided again.
    fn await_repeated_creates(&mut self) {
        for (key, record) in &mut self.cluster.records {
            record.arrives_until = record.arrives_until.filter(|until| *until > self.facts.now);
            if let Some(until) = record.arrives_until {
                self.waits.later.insert(key.clone(), until);
            }
        }
    }

    /// What the ends of live links hold of each other's identity: written where it is not there yet.
    fn identities(&self) -> BTreeMap<RecordKey, BTreeMap<String, Planned>> {
        let mut found: BTreeMap<RecordKey, BTreeMap<String, Planned>> = BTreeMap::new();
        let links = self.cluster.links.iter();
        for link in links.filter(|link| !self.flows.rests(&link.flow)) {
            let Some(flow) = self.flows.flow(&link.flow) else {
                continue;
            };
            for side in Side::BOTH {
                let end = flow.end(side);
                let (Some(identity), Some(record)) = (&end.identity, self.record(link.end(side))) else {
                    continue;
                };
                let counterpart = link.end(side.other());
                let both = record.alive()
                    && self
                        .record(counterpart)
                        .is_some_and(crate::cluster::Record::alive);
                let value = identity.value(&counterpart.id);
                let unseen = record.newborn.as_ref().is_some_and(|newborn| !newborn.observed);
                let there = record.value(&identity.property) == &value;
                let kept = record.arrives_until.is_some() && !record.value(&identity.property).is_blank();
                if both && end.write && !there && !unseen && !kept && !record.shadow.protected {
                    let planned = Planned::own(value);
                    found
                        .entry(link.end(side).clone())
                        .or_default()
                        .insert(identity.property.clone(), planned);
                }
            }
        }
        found
    }

    /// The property holds an identity, or something that the other system gave by itself.
    fn follows(&self, key: &RecordKey, property: &str) -> bool {
        self.flows.flows_of(&key.record_type).any(|(flow, side)| {
            let identity = flow
                .end(side)
                .identity
                .as_ref()
                .is_some_and(|identity| identity.property == property);
            let given = flow.mappings.iter().any(|mapping| {
                mapping.property(side) == property
                    && (mapping.owned_by == Some(side.other()) || mapping.given_by == Some(side.other()))
            });
            identity || given
        })
    }
}

/// Why a record is written, for people: what its values follow.
fn reason(key: &RecordKey, values: &BTreeMap<String, Planned>, origins: &Origins) -> String {
    let follows = |wanted: Option<&Option<RecordKey>>| {
        let own = values.keys().filter(|name| origins.get(*name) == wanted);
        let own: Vec<&str> = own.map(String::as_str).collect();
        let verb = if own.len() == 1 { "follows" } else { "follow" };
        let of = own.join(", ");
        match wanted {
            Some(Some(origin)) => format!("{of} of {key} {verb} {origin}"),
            Some(None) => format!("{of} of {key} {verb} what a person decided"),
            None => format!("{of} of {key} {verb} its link"),
        }
    };
    let mut sources: Vec<Option<&Option<RecordKey>>> = values.keys().map(|name| origins.get(name)).collect();
    sources.sort();
    sources.dedup();
    let parts: Vec<String> = sources.into_iter().map(follows).collect();
    parts.join("; ")
}
