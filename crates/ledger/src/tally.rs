//! What a plan's history adds to the counts of flows.

use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::cluster::{Action, Intent, Link};
use tandem_merge::dataflow::{Dataflow, Side};
use tandem_merge::plan::{Event, EventKind, Plan};
use tandem_merge::record::RecordType;

/// Live links: counted where they change ([`crate::counts`]).
pub(crate) const LINKED: &str = "linked";
/// Creates applied on the first side.
pub(crate) const CREATED_FIRST: &str = "created first";
/// Creates applied on the second side.
pub(crate) const CREATED_SECOND: &str = "created second";
/// Updates applied.
pub(crate) const UPDATED: &str = "updated";
/// Conflicts met.
pub(crate) const CONFLICTS: &str = "conflicts";

/// Counts to add, by flow and name.
pub(crate) type Counts = BTreeMap<(String, &'static str), u64>;

/// What a plan adds, given the intents that it removed. An update counts once for each flow it was for,
/// however many properties it carried.
pub(crate) fn counts(flows: &Dataflow, plan: &Plan, removed: &[Intent]) -> Counts {
    let (history, links) = (&plan.history, &plan.cluster.links);
    let mut counts = Counts::new();
    for event in history {
        let what = match &event.what {
            EventKind::Created => created_on(flows, event),
            EventKind::Conflict { .. } => CONFLICTS,
            _ => continue,
        };
        if let Some(flow) = flow_of(flows, links, event) {
            *counts.entry((flow, what)).or_default() += 1;
        }
    }
    for intent in removed {
        let Action::Update { record } = &intent.action else {
            continue;
        };
        let wrote = history
            .iter()
            .filter(|event| matches!(event.what, EventKind::Wrote { .. }) && &event.record == record);
        let of: BTreeSet<String> = wrote.filter_map(|event| flow_of(flows, links, event)).collect();
        for flow in of {
            *counts.entry((flow, UPDATED)).or_default() += 1;
        }
    }
    counts
}

fn created_on(flows: &Dataflow, event: &Event) -> &'static str {
    let of = &event.record.record_type;
    let named = event.flow.as_deref().and_then(|name| flows.flow(name));
    let side = match named {
        Some(flow) => flow.side_of(of),
        None => flows.flows_of(of).map(|(_, side)| side).next(),
    };
    match side {
        Some(Side::First) => CREATED_FIRST,
        _ => CREATED_SECOND,
    }
}

/// The flow that an event is about: named, else the first one in which its record is linked, whichever of its links came
/// first, else the first of its type.
fn flow_of(flows: &Dataflow, links: &[Link], event: &Event) -> Option<String> {
    let named = event.flow.clone();
    let ties = |link: &&Link| link.first == event.record || link.second == event.record;
    let linked = || {
        let of: BTreeSet<&str> = links.iter().filter(ties).map(|link| link.flow.as_str()).collect();
        let known = flows.flows.iter().map(|flow| flow.name.as_str());
        let first = known.into_iter().find(|flow| of.contains(flow));
        first.or_else(|| of.first().copied()).map(str::to_owned)
    };
    named
        .or_else(linked)
        .or_else(|| names(flows, &event.record.record_type).next())
}

fn names<'a>(flows: &'a Dataflow, of: &'a RecordType) -> impl Iterator<Item = String> + 'a {
    flows.flows_of(of).map(|(flow, _)| flow.name.clone())
}
