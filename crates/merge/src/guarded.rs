//! What a person approves first: values that put back what somebody else set, and links by a key that was written
//! after the record was there. Whoever may write one system must not decide it for the other.

use crate::cluster::{Cluster, ParkedKind, Record};
use crate::dataflow::{Dataflow, Flow, Side};
use crate::facts::MatchKey;
use crate::links::Pair;
use crate::matching;
use crate::record::{RecordKey, Values};
use crate::stages::Staged;
use crate::work::Work;
use jiff::Timestamp;

/// Whether a property of a record type is guarded in a flow, and in which.
#[must_use]
pub fn guarding<'a>(flows: &'a Dataflow, record: &'a RecordKey, property: &str) -> Option<&'a Flow> {
    let mut uses = flows.flows_of(&record.record_type);
    let found = uses.find(|(flow, side)| flow.guarded[side.index()].values.contains_key(property));
    found.map(|(flow, _)| flow)
}

/// A person approves what waits on a record: the value of a property, or the link in a flow. Whether anything waits.
pub fn approve(
    cluster: &mut Cluster,
    record: &RecordKey,
    property: Option<&str>,
    flow: Option<&str>,
) -> bool {
    let Some(known) = cluster.records.get_mut(record) else {
        return false;
    };
    if let Some(property) = property {
        let waits = known.parked.get(property);
        let Some(parked) = waits.filter(|parked| parked.kind == ParkedKind::Approval) else {
            return false;
        };
        known.approved.insert(property.to_owned(), parked.epoch);
        return true;
    }
    let Some((flow, other)) = flow.and_then(|flow| Some((flow, known.awaiting.get(flow)?.clone()))) else {
        return false;
    };
    known.welcome.insert(flow.to_owned(), other);
    true
}

/// What our own write leaves in guarded properties is ours to write over.
pub(crate) fn note_written(flows: &Dataflow, key: &RecordKey, record: &mut Record, written: &Values) {
    for (property, value) in written {
        record.approved.remove(property);
        if guarding(flows, key, property).is_some() {
            record.ours.insert(property.clone(), value.clone());
        }
    }
}

/// What somebody else set since is not ours any more.
pub(crate) fn forget_overwritten(record: &mut Record) {
    let Record { ours, shadow, .. } = record;
    ours.retain(|property, value| {
        shadow.values.get(property).unwrap_or(&crate::value::Value::Blank) == value
    });
}

impl Work<'_> {
    /// Keeps back values that a person must approve.
    pub(crate) fn keep_guarded(&self, key: &RecordKey, staged: &mut Staged) {
        let flows = self.flows;
        let uses: Vec<(&Flow, Side)> = flows.flows_of(&key.record_type).collect();
        for (flow, side) in uses {
            for (property, value) in &flow.guarded[side.index()].values {
                let planned = staged.values.get(property);
                let Some(planned) = planned.filter(|planned| &planned.value == value) else {
                    continue;
                };
                let Some(record) = self.record(key) else { continue };
                let stands = record.value(property);
                let ours = record.ours.get(property) == Some(stands);
                let approved = record.approved.get(property) == Some(&planned.epoch);
                if ours || approved || stands == value {
                    continue;
                }
                let (system, other) = (
                    &key.record_type.system,
                    &flow.end(side.other()).record_type.system,
                );
                let reason = format!(
                    "{other} would set {property} from {stands} to {value}, and it was not Tandem that set it so in {system}"
                );
                let advice =
                    "`tandem approve`, if that is meant; else set it back in the other system".to_owned();
                let parked = self.parked(ParkedKind::Approval, planned.epoch, reason, advice);
                staged.values.remove(property);
                staged.parked.insert(property.clone(), parked);
            }
        }
    }

    /// Whether a person must approve a link first; then both records wait.
    pub(crate) fn awaits_approval(&mut self, pair: &Pair<'_>) -> bool {
        let guarded = Side::BOTH
            .into_iter()
            .find(|side| self.must_be_approved(pair, *side));
        let Some(side) = guarded else { return false };
        let (own, other) = match side {
            Side::First => (&pair.first, &pair.second),
            Side::Second => (&pair.second, &pair.first),
        };
        let reason = format!(
            "it would be linked with {own} by a key that was written after that was there: whoever writes it there would \
             write {own}"
        );
        let advice = "`tandem approve`, if the two belong together; else correct the key".to_owned();
        let parked = self.parked(ParkedKind::Approval, 0, reason, advice);
        self.hold(other, &pair.flow.name, parked);
        let reason = format!("waits for the approval of its link with {other}");
        let advice = "nothing to do: it follows by itself".to_owned();
        let parked = self.parked(ParkedKind::Deferred, 0, reason, advice);
        self.hold(own, &pair.flow.name, parked);
        if let Some(record) = self.cluster.records.get_mut(other) {
            record.awaiting.insert(pair.flow.name.clone(), own.clone());
        }
        true
    }

    fn must_be_approved(&self, pair: &Pair<'_>, side: Side) -> bool {
        let flow = pair.flow;
        let (own, other) = match side {
            Side::First => (&pair.first, &pair.second),
            Side::Second => (&pair.second, &pair.first),
        };
        let (Some(record), Some(writer)) = (self.record(own), self.record(other)) else {
            return false;
        };
        if !flow.guarded[side.index()].links || writer.welcome.get(&flow.name) == Some(own) {
            return false;
        }
        let Some(properties) = self.deciding(pair, side) else {
            return false;
        };
        let [there, here] =
            [side, side.other()].map(|at| properties.iter().map(move |names| names[at.index()].as_str()));
        let written = here
            .filter(|name| *name != matching::ID)
            .map(|name| writer.span(name).to)
            .max();
        let Some(written) = written else { return false };
        // What both systems held when they were first listed is what a person began with.
        let waited = writer.awaiting.get(&flow.name) == Some(own);
        if !waited && self.facts.listed_at.is_none_or(|listed| written <= listed) {
            return false;
        }
        let born = record.shadow.created.unwrap_or(record.since);
        let since = |name: &str| record.times.get(name).map_or(born, |span| span.to);
        let known: Timestamp = there.map(since).max().unwrap_or(born);
        written > known
    }

    /// The properties of the key that decides a link; none where the guarded side itself names the other.
    fn deciding(&self, pair: &Pair<'_>, guarded: Side) -> Option<Vec<[String; 2]>> {
        let flow = pair.flow;
        let keys = |side: Side, key: &RecordKey| {
            let values = self
                .record(key)
                .map(|record| record.shadow.values.clone())
                .unwrap_or_default();
            matching::flow_keys(flow, side, key, &values)
        };
        let (ours, theirs) = (keys(Side::First, &pair.first), keys(Side::Second, &pair.second));
        let decides = ours
            .iter()
            .find(|key| theirs.iter().any(|other| other.rule == key.rule))?;
        let named = |side: Side| {
            let identity = flow.end(side).identity.as_ref()?;
            let mut names = [matching::ID.to_owned(), matching::ID.to_owned()];
            names[side.index()].clone_from(&identity.property);
            (side != guarded).then(|| vec![names])
        };
        match decides.rule {
            MatchKey::IDENTITY => named(Side::Second),
            MatchKey::STAMP => named(Side::First),
            rule => {
                let rule = flow.match_rules.get(usize::try_from(rule).ok()?)?;
                Some(rule.parts.iter().map(|part| part.properties.clone()).collect())
            }
        }
    }
}
