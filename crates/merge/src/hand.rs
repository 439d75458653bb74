//! Links that people make and end by hand.

use crate::cluster::{Action, Cluster};
use crate::dataflow::{Dataflow, Flow, Side};
use crate::facts::Facts;
use crate::plan::{Event, EventKind};
use crate::record::RecordKey;
use crate::work::Work;

/// Ends the record's links, in one flow or in all: neither end is linked or created again in it, unless a person
/// links it by hand. Answers the cluster, and what happened; nothing where there was no such link.
#[must_use]
pub fn unlink(
    flows: &Dataflow,
    cluster: Cluster,
    record: &RecordKey,
    flow: Option<&str>,
    facts: &Facts,
) -> (Cluster, Vec<Event>) {
    let mut work = Work::new(flows, cluster, facts);
    for link in work.cluster.links.clone() {
        let ends = &link.first == record || &link.second == record;
        if ends && flow.is_none_or(|flow| flow == link.flow) {
            work.unlink(&link, Side::First, "by hand");
        }
    }
    (work.cluster, work.history)
}

/// Links two records by hand, whatever their match keys say and whatever ended an earlier link of theirs. What they
/// hold is merged as at any first link. The reason why not, where it cannot be.
///
/// # Errors
/// One sentence without the final stop.
pub fn link(
    flows: &Dataflow,
    cluster: Cluster,
    (flow, first, second): (&Flow, &RecordKey, &RecordKey),
    facts: &Facts,
) -> Result<(Cluster, Vec<Event>), String> {
    let mut work = Work::new(flows, cluster, facts);
    for (side, key) in [(Side::First, first), (Side::Second, second)] {
        stands_alone(&work, flow, side, key)?;
    }
    for key in [first, second] {
        if let Some(record) = work.cluster.records.get_mut(key) {
            record.suppressed.remove(&flow.name);
            record.held.remove(&flow.name);
            record.former.remove(&flow.name);
        }
    }
    work.link(flow, first, second);
    for event in &mut work.history {
        if let EventKind::Linked { .. } = event.what {
            event.why = "by hand".to_owned();
        }
    }
    Ok((work.cluster, work.history))
}

/// Whether a record can be given a counterpart in the flow (R8).
fn stands_alone(work: &Work<'_>, flow: &Flow, side: Side, key: &RecordKey) -> Result<(), String> {
    let end = flow.end(side);
    if key.record_type != end.record_type {
        return Err(format!(
            "{key} is no {} of {}, as {} wants it",
            end.record_type.name, end.record_type.system, flow.name
        ));
    }
    let Some(record) = work.record(key) else {
        return Err(format!("{key} is not known"));
    };
    if !record.alive() {
        return Err(format!("{key} is not there (any more)"));
    }
    if !crate::matching::belongs(flow, side, &record.shadow.values) {
        return Err(format!("{key} does not take part in {}", flow.name));
    }
    let grouped = |link: &&crate::cluster::Link| {
        let group = work.flows.flow(&link.flow).map(|other| &other.group);
        (&link.first == key || &link.second == key) && group == Some(&flow.group)
    };
    if let Some(link) = work.cluster.links.iter().find(grouped) {
        let other = if &link.first == key {
            &link.second
        } else {
            &link.first
        };
        return Err(format!(
            "{key} is linked with {other} in {}, and has one counterpart at most",
            link.flow
        ));
    }
    let being_made = |intent: &crate::cluster::Intent| {
        intent.sent.is_some()
            && matches!(&intent.action, Action::Create { flow: of, source, .. } if *of == flow.name && source == key)
    };
    match work.cluster.creates.iter().any(being_made) {
        true => Err(format!("a counterpart of {key} is being created right now")),
        false => Ok(()),
    }
}
