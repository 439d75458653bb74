//! Links that people end by hand; those that they make are [`crate::decisions`].

use crate::cluster::Cluster;
use crate::dataflow::{Dataflow, Side};
use crate::facts::Facts;
use crate::plan::Event;
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
