//! Counterparts that do not come by themselves. Whoever refers to such a record waits for nobody: it is told, or the
//! configuration says what stands in. So every chain of waits ends in something that a person sees.

use crate::cluster::{Anchor, Link, Parked, ParkedKind, Record};
use crate::dataflow::{Dataflow, Flow, Kind, Mapping, Reference, Side, StandIn};
use crate::facts::Referent;
use crate::form::{Trouble, Wait};
use crate::matching;
use crate::record::RecordKey;
use crate::support;
use crate::topology::Node;
use crate::work::Work;

/// Why a record without a link in a flow gets no counterpart there by itself; none where one may come, or where
/// something that is told for itself stands in its way.
#[must_use]
pub fn why_never(
    flows: &Dataflow,
    flow: &Flow,
    side: Side,
    key: &RecordKey,
    record: &Record,
    links: &[Link],
) -> Option<String> {
    let grouped = |link: &&Link| {
        link.end(side) == key
            && flows
                .flow(&link.flow)
                .is_some_and(|other| other.group == flow.group)
    };
    if let Some(link) = links.iter().find(grouped) {
        let other = link.end(side.other());
        return (link.flow != flow.name)
            .then(|| format!("{key} has its counterpart {other} in {}", link.flow));
    }
    if record.suppressed.contains(&flow.name) {
        return Some(format!("the link of {key} was ended"));
    }
    if !matching::belongs(flow, side, &record.shadow.values) {
        return Some(outside(key, flow));
    }
    let held = record.held.get(&flow.name);
    let held = held.filter(|parked| parked.kind == ParkedKind::NotCreated);
    held.map(|parked| format!("{key} {}", parked.reason))
}

/// Why a record outside a flow gets no counterpart there.
fn outside(key: &RecordKey, flow: &Flow) -> String {
    format!("{key} does not belong to {}: see its `only`", flow.name)
}

impl Work<'_> {
    /// The parent of a part, where that does not belong to the flow that it is to be kept by: then its parts do not, either.
    pub(crate) fn outside_parent(
        &self,
        key: &RecordKey,
        flow: &Flow,
        side: Side,
    ) -> Option<(RecordKey, String)> {
        let named = support::parent(flow, side, &self.record(key)?.shadow.values)?;
        let of = self.flows.flow(&flow.supports.as_ref()?.flow)?;
        let parent = support::parent_record(self.flows, &named)?;
        let why = outside(&parent, of);
        let found = self.facts.referrals.get(&named);
        (found == Some(&Referent::Never(why.clone()))).then_some((parent, why))
    }

    /// How a wait for something that does not come by itself stands: kind, reason and advice.
    pub(crate) fn never(
        &self,
        wait: &Wait,
        mapping: Option<&Mapping>,
    ) -> Option<(ParkedKind, String, String)> {
        let why = self.why_it_never_comes(wait, mapping)?;
        let stand_in = mapping.and_then(|mapping| mapping.stand_in[wait.lacking.index()].as_ref());
        let Some(stand_in) = stand_in else {
            let advice = format!(
                "give {} a counterpart (`tandem link`, or switch its creation on), or refer to another record",
                wait.on
            );
            return Some((ParkedKind::NoCounterpart, why, advice));
        };
        let instead = match stand_in {
            StandIn::Nothing => "it goes without".to_owned(),
            StandIn::Value(value) => format!("`{value}` stands in on create"),
        };
        let advice = format!("nothing to do: {instead}, and it follows once there is a counterpart");
        Some((ParkedKind::StandIn, why, advice))
    }

    /// How an edit stands that refers to what has no counterpart by its nature, or where the configuration says that the other
    /// side goes without: it stays where it is, and is listed. Once the others were edited on top of what they have, neither
    /// value can go to the other side: a person is told.
    pub(crate) fn left_alone(&self, node: &Node<'_>, epoch: u64) -> Parked {
        let Anchor { record, property } = &node.at;
        let part = &node.parts[0];
        let other = &part.flow.end(part.side.other()).record_type.system;
        let what = format!("{property} names what has no counterpart in {other}");
        let agreed = self.record(record).and_then(|record| record.bases.get(property));
        if agreed.is_none_or(|base| base.epoch >= epoch) {
            let advice = format!("nothing to do: it stays, and {other} keeps its own value");
            return self.parked(ParkedKind::StandIn, epoch, what, advice);
        }
        let why = format!("{what}, so it stays, and what {other} has by now is not written over it");
        let advice = format!(
            "give {property} a record that has a counterpart, and the latest edit holds on both sides; or leave it, \
             and take this off the list with `tandem ignore`"
        );
        self.parked(ParkedKind::NoCounterpart, epoch, why, advice)
    }

    /// Whether a trouble with a reference ends by itself: what a create may go on without for good.
    pub(crate) fn is_for_good(&self, trouble: &Trouble, mapping: &Mapping) -> bool {
        match trouble {
            Trouble::LeftAlone => true,
            Trouble::Waits(wait) => self.why_it_never_comes(wait, Some(mapping)).is_some(),
            Trouble::Mend { .. } => false,
        }
    }

    /// As the facts say; of a record of the cluster itself, as this decision has found by now.
    fn why_it_never_comes(&self, wait: &Wait, mapping: Option<&Mapping>) -> Option<String> {
        let Some(record) = self.record(&wait.on) else {
            return wait.never.clone();
        };
        let Some(Kind::Reference(Reference::Flow(name))) = mapping.map(|mapping| &mapping.kind) else {
            return wait.never.clone();
        };
        let flow = self.flows.flow(name)?;
        let side = wait.lacking.other();
        let now = why_never(self.flows, flow, side, &wait.on, record, &self.cluster.links);
        // What holds it now is found after values are merged; until then, what held it before.
        let before = || wait.never.clone().filter(|_| !record.held.contains_key(name));
        now.or_else(before)
    }
}
