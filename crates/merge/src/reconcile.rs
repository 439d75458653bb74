//! Reconcile: from heads, bases and shadows of one cluster, decide.

use crate::cluster::{Cluster, Link, Parked, ParkedKind, Record};
use crate::dataflow::{CompanionValue, Dataflow, Flow, Kind, Reference, Side};
use crate::decisions::{Decision, Outcome};
use crate::facts::{Facts, MatchKey, Needs, Referral};
use crate::matching;
use crate::plan::Plan;
use crate::record::{Observation, Presence, RecordKey, Values};
use crate::value::Value;
use crate::work::Work;
use jiff::Timestamp;
use std::borrow::Cow;
use std::collections::BTreeMap;

pub use crate::companions::leans_on;
pub use crate::creates::recognises;
pub use crate::matching::match_keys;

/// What must be known of other clusters before [`reconcile`] can decide this one, its inbox admitted.
#[must_use]
pub fn needs<'i>(
    flows: &Dataflow,
    cluster: &Cluster,
    inbox: impl IntoIterator<Item = &'i Observation>,
) -> Needs {
    let mut records = Cow::Borrowed(&cluster.records);
    for seen in inbox {
        crate::admit::admit(flows, records.to_mut(), seen.clone());
    }
    let records = &*records;
    let mut needs = Needs {
        records: crate::merges::led_to(records, &cluster.links),
        ..Needs::default()
    };
    for (key, record) in records
        .iter()
        .filter(|(_, record)| record.shadow.presence != Presence::Missing)
    {
        let values = &record.shadow.values;
        for (flow, side) in flows.flows_of(&key.record_type) {
            need_referrals(flow, side, key, values, &mut needs);
            needs.records.extend(crate::companions::made_before(flow, record));
            needs
                .referrals
                .extend(crate::agreement::referrals(flow, side, key, values));
            let grouped = |link: &&Link| {
                (&link.first == key || &link.second == key)
                    && flows
                        .flow(&link.flow)
                        .is_some_and(|other| other.group == flow.group)
            };
            let mut links = cluster.links.iter().filter(grouped);
            let linked = links.any(|link| !may_end(link, records));
            if record.shadow.presence == Presence::Deleted {
                needs.guards.insert(flow.name.clone());
            } else if !linked
                && !record.suppressed.contains(&flow.name)
                && matching::belongs(flow, side, values)
            {
                let keys = matching::flow_keys(flow, side, key, values);
                needs.keys.extend(keys.into_iter().map(|own| MatchKey {
                    side: side.other(),
                    ..own
                }));
                needs
                    .reservations
                    .insert(crate::creates::reservation(flow, side, key, values));
                needs.fates.extend(crate::claims::referral(flow, side, values));
            }
        }
        need_nested_companions(flows, key, values, &mut needs);
    }
    crate::support::need(flows, cluster, records, &mut needs);
    crate::cleared::need(flows, records, &mut needs);
    for (anchor, head) in &cluster.heads {
        need_head(flows, &anchor.record, &anchor.property, &head.value, &mut needs);
    }
    needs
}

/// Whether a link may end in this very decision, so that its ends need what unlinked records do.
fn may_end(link: &Link, records: &BTreeMap<RecordKey, Record>) -> bool {
    let alive = |key: &RecordKey| records.get(key).is_some_and(Record::alive);
    link.verdict.is_some() || !alive(&link.first) || !alive(&link.second)
}

fn need_referrals(flow: &Flow, side: Side, key: &RecordKey, values: &Values, needs: &mut Needs) {
    for mapping in &flow.mappings {
        let Kind::Reference(through) = &mapping.kind else {
            continue;
        };
        let id = match mapping.property(side) {
            "id" => Some(key.id.as_str()),
            property => values.get(property).and_then(Value::as_text),
        };
        needs.referrals.extend(id.map(|id| Referral {
            through: through.clone(),
            side,
            id: id.to_owned(),
        }));
    }
    for rule in flow.companions.iter().filter(|_| side == Side::First) {
        let id = if rule.of == "id" {
            Some(key.id.as_str())
        } else {
            values.get(&rule.of).and_then(Value::as_text)
        };
        let through = Reference::Companion {
            role: rule.role.clone(),
            of: rule.owner.clone(),
        };
        needs.referrals.extend(id.map(|id| Referral {
            through,
            side,
            id: id.to_owned(),
        }));
    }
}

/// Companions that the values of a companion of this record name.
fn need_nested_companions(flows: &Dataflow, key: &RecordKey, values: &Values, needs: &mut Needs) {
    let rules = flows
        .flows
        .iter()
        .flat_map(|flow| &flow.companions)
        .filter(|rule| rule.owner == key.record_type);
    for value in rules.flat_map(|rule| rule.values.values()) {
        let (through, of) = match value {
            CompanionValue::Companion { role, of, owner } => {
                let through = Reference::Companion {
                    role: role.clone(),
                    of: owner.clone(),
                };
                (through, of)
            }
            CompanionValue::Linked { flow, of } => (Reference::Flow(flow.clone()), of),
            _ => continue,
        };
        let id = values.get(of).and_then(Value::as_text);
        needs.referrals.extend(id.map(|id| Referral {
            through,
            side: Side::First,
            id: id.to_owned(),
        }));
    }
}

/// A head's reference is a first side's id, whatever its anchor.
fn need_head(flows: &Dataflow, record: &RecordKey, property: &str, value: &Value, needs: &mut Needs) {
    let Some(id) = value.as_text() else { return };
    for (flow, side) in flows.flows_of(&record.record_type) {
        for mapping in flow
            .mappings
            .iter()
            .filter(|mapping| mapping.property(side) == property)
        {
            if let Kind::Reference(through) = &mapping.kind {
                needs.referrals.insert(Referral {
                    through: through.clone(),
                    side: Side::First,
                    id: id.to_owned(),
                });
            }
        }
    }
}

/// Decides a cluster: admits the inbox, forms links, merges components, plans writes.
#[must_use]
pub fn reconcile(flows: &Dataflow, cluster: Cluster, inbox: Vec<Observation>, facts: &Facts) -> Plan {
    settle(flows, cluster, inbox, Vec::new(), facts)
}

/// Decides a cluster by what people decided about its links. Answers also what came of each decision; one that is
/// refused changes nothing.
#[must_use]
pub fn reconcile_decided(
    flows: &Dataflow,
    cluster: Cluster,
    inbox: Vec<Observation>,
    decisions: &[Decision],
    facts: &Facts,
) -> (Plan, Vec<Outcome>) {
    let (plan, outcomes, ()) = decide(flows, cluster, inbox, Vec::new(), decisions, facts, |_| ());
    (plan, outcomes)
}

/// Decides a cluster by reads by id that began once the commit delay had passed: they decide about writes of ours that
/// earlier reads did not show.
#[must_use]
pub fn reconcile_confirmed(
    flows: &Dataflow,
    cluster: Cluster,
    inbox: Vec<Observation>,
    confirmed: Vec<Observation>,
    facts: &Facts,
) -> Plan {
    let seen = Seen { inbox, confirmed };
    decide(flows, cluster, seen, Vec::new(), &[], facts, |_| ()).0
}

/// What was seen of a cluster's records.
pub(crate) struct Seen {
    inbox: Vec<Observation>,
    /// Reads by id that began once the commit delay of our writes had passed.
    confirmed: Vec<Observation>,
}

impl From<Vec<Observation>> for Seen {
    fn from(inbox: Vec<Observation>) -> Self {
        let confirmed = Vec::new();
        Self { inbox, confirmed }
    }
}

/// What an attempt to carry out an intent came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Settlement {
    /// It was carried out; the answer came at `at` and may show the state right after this very write.
    Applied {
        /// The record's id.
        id: String,
        /// Its state by the answer.
        state: Option<Observation>,
        /// When the answer arrived, by our clock.
        at: Timestamp,
    },
    /// A create found its record by the external id: an earlier attempt had been carried out. The values
    /// sent are the base; what differs are edits on top.
    FoundOwn {
        /// The record as read.
        state: Observation,
    },
    /// The look-up before a create found somebody's record by a match key: the create is withdrawn and the
    /// record is a candidate for a link (or the companion).
    FoundOther {
        /// The record as read.
        state: Observation,
    },
    /// Refused: the named properties (or the whole write, when none) are parked.
    Refused {
        /// What kind of trouble.
        kind: ParkedKind,
        /// Target properties it is about.
        properties: Vec<String>,
        /// The system's words.
        reason: String,
        /// What to do.
        advice: String,
        /// When.
        at: Timestamp,
    },
    /// The condition failed or the record is gone, or an update of unknown outcome was read: the row goes,
    /// the fresh observation is admitted, and the cluster is merged again. For an update of unknown outcome the
    /// values that arrived are recognised (per property: equal to the sent value means base := it).
    Read {
        /// The fresh observation (alive, deleted or missing).
        state: Observation,
        /// The outcome of the write had been unknown.
        unknown: bool,
    },
    /// The write never left, and is planned anew.
    Withdrawn,
}

impl Settlement {
    /// Whether it shows a record as it stands now.
    fn shows(&self) -> bool {
        match self {
            Self::Applied { state, .. } => state.is_some(),
            Self::FoundOwn { .. } | Self::FoundOther { .. } | Self::Read { .. } => true,
            Self::Refused { .. } | Self::Withdrawn => false,
        }
    }
}

/// Settles intents of a cluster (by number) and reconciles it again, as one plan.
#[must_use]
pub fn settle(
    flows: &Dataflow,
    cluster: Cluster,
    inbox: Vec<Observation>,
    settlements: Vec<(u64, Settlement)>,
    facts: &Facts,
) -> Plan {
    decide(flows, cluster, inbox, settlements, &[], facts, |_| ()).0
}

/// Settles, admits and decides. `between` bears on the cluster after its records are tied and before its values are
/// merged: what a person wants.
pub(crate) fn decide<T>(
    flows: &Dataflow,
    cluster: Cluster,
    seen: impl Into<Seen>,
    settlements: Vec<(u64, Settlement)>,
    decisions: &[Decision],
    facts: &Facts,
    between: impl FnOnce(&mut Work<'_>) -> T,
) -> (Plan, Vec<Outcome>, T) {
    let facts = &*facts.with_types(flows);
    let before = crate::support::before(flows, &cluster);
    let told_before = Told::of(&cluster);
    let Seen { inbox, confirmed } = seen.into();
    let seen = crate::support::seen(inbox.iter().chain(&confirmed));
    let mut work = Work::new(flows, cluster, facts);
    let shows = |(_, settlement): &(u64, Settlement)| settlement.shows();
    let learns = !confirmed.is_empty() || !decisions.is_empty() || settlements.iter().any(shows);
    for (intent, settlement) in settlements {
        work.settle(intent, settlement);
    }
    work.admit(inbox);
    confirmed.into_iter().for_each(|seen| work.admit_confirmed(seen));
    let outcomes = decisions.iter().map(|decision| work.carry_out(decision));
    let outcomes = outcomes.collect();
    work.tie();
    let facts = &*facts.with_cluster(flows, &work.cluster);
    let mut work = work.with_facts(facts);
    let told = between(&mut work);
    work.decide();
    let mut plan = work.into_plan();
    told_before.keep_since(&mut plan.cluster);
    crate::support::consequences(flows, &before, &seen, &mut plan, facts.now);
    if learns {
        ask_for_more(flows, facts, &mut plan);
    }
    (plan, outcomes, told)
}

/// Facts are looked up before it is known what answers to writes and reads by id show, and what people decide. Where a record
/// turns out to have been merged into another one, or to refer to one that nobody asked for, the cluster is decided once more:
/// nothing else may ever wake it.
fn ask_for_more(flows: &Dataflow, facts: &Facts, plan: &mut Plan) {
    let needs = needs(flows, &plan.cluster, []);
    let mut referrals = needs.referrals.iter();
    let more = !needs.records.is_empty() || referrals.any(|it| !facts.referrals.contains_key(it));
    if more && let Some(key) = plan.cluster.records.keys().next() {
        plan.waits.wake.insert(key.clone());
    }
}

/// What people were told before of records: what is parked of them by property, and held by flow.
struct Told(BTreeMap<RecordKey, [BTreeMap<String, Parked>; 2]>);

impl Told {
    fn of(cluster: &Cluster) -> Self {
        let records = cluster.records.iter();
        let told = records.filter(|(_, record)| !record.parked.is_empty() || !record.held.is_empty());
        Self(
            told.map(|(key, record)| (key.clone(), [record.parked.clone(), record.held.clone()]))
                .collect(),
        )
    }

    /// What is told for the same reason keeps the moment since when.
    fn keep_since(&self, after: &mut Cluster) {
        for (key, before) in &self.0 {
            let Some(record) = after.records.get_mut(key) else {
                continue;
            };
            for (old, new) in before.iter().zip([&mut record.parked, &mut record.held]) {
                for (name, parked) in new.iter_mut() {
                    let same = |old: &&Parked| old.kind == parked.kind && old.reason == parked.reason;
                    if let Some(old) = old.get(name).filter(same) {
                        parked.since = old.since;
                    }
                }
            }
        }
    }
}
