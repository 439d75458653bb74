//! Dead links: a linked record that nobody can see any more, and of which nobody says that it was deleted. It may be
//! purged, or hidden from us; so nothing follows from it by itself (R6). It is listed, edits of its counterpart are
//! reported, and a person decides; once it is seen again all that goes away (E20).

use crate::cluster::{Action, Link, ParkedKind, Verdict};
use crate::dataflow::Side;
use crate::mutation::{Mutation, removed};
use crate::record::{Presence, RecordKey};
use crate::removals::removal;
use crate::topology::{self, Node};
use crate::trace::Trace;
use crate::work::Work;

impl Work<'_> {
    /// The end of a link that is out of sight, if one is.
    pub(crate) fn vanished(&self, link: &Link) -> Option<Side> {
        let mut sides = Side::BOTH.into_iter();
        sides.find(|side| self.presence(link.end(*side)) == Some(Presence::Missing))
    }

    fn presence(&self, key: &RecordKey) -> Option<Presence> {
        self.record(key).map(|record| record.shadow.presence)
    }

    /// A link with an end out of sight waits for it, or does what a person decided.
    pub(crate) fn settle_vanished(&mut self, link: &Link, gone: Side) {
        let flows = self.flows;
        let Some(flow) = flows.flow(&link.flow) else {
            return;
        };
        let (lost, other) = (link.end(gone).clone(), link.end(gone.other()).clone());
        let stands = self.presence(&other) == Some(Presence::Alive);
        let closed = !flow.end(gone.other()).write;
        match link.verdict {
            None => self.list_vanished(link, gone),
            Some(_) if self.record(&other).is_some_and(crate::cluster::Record::in_flight) => {}
            Some(Verdict::Propagate | Verdict::Deactivate) if closed || !stands => {
                self.unlink(
                    link,
                    gone,
                    "its counterpart is out of sight, and counts as deleted",
                );
            }
            Some(Verdict::Propagate) => {
                let reason = format!("{lost} is out of sight, and counts as deleted");
                let action = Action::Delete {
                    record: other.clone(),
                };
                self.intend(&other, |rank| removal(&other, rank, reason, Trace::NONE), action);
            }
            Some(Verdict::Deactivate) => self.deactivate(flow, link, gone),
            Some(Verdict::Unlink) => self.unlink(link, gone, "its counterpart is out of sight"),
            Some(Verdict::Recreate) => {
                self.unlink(link, gone, "its counterpart is out of sight and is created again");
                if let Some(record) = self.cluster.records.get_mut(&other) {
                    record.suppressed.remove(&link.flow);
                }
            }
        }
    }

    fn list_vanished(&mut self, link: &Link, gone: Side) {
        if removed(Mutation::DeadLink) {
            return;
        }
        let (lost, other) = (link.end(gone), link.end(gone.other()));
        // The one that can be seen is listed; where neither can, the first.
        let of = match self.presence(other) {
            Some(Presence::Missing) => lost,
            _ => other,
        };
        let reason = format!("{lost} is out of sight: it is not shown, and nothing says that it was deleted");
        let advice = format!(
            "Restore {lost}, or show it to Tandem's user, and all goes on by itself; else `tandem approve`, with what shall \
             become of {of}"
        );
        let parked = self.parked(ParkedKind::OutOfSight, 0, reason, advice);
        self.hold(&of.clone(), &link.flow, parked);
    }

    /// Values that wait because the record they would go to, or come through, is out of sight. Runs after components are merged.
    pub(crate) fn report_waiting_values(&mut self) {
        if removed(Mutation::DeadLink) {
            return;
        }
        let stands = |link: &&Link| link.verdict.is_none() && !self.flows.rests(&link.flow);
        let links = self.cluster.links.iter();
        let dead: Vec<(Link, Side)> = links
            .filter(stands)
            .filter_map(|link| Some((link.clone(), self.vanished(link)?)))
            .collect();
        for (link, gone) in dead {
            let (lost, other) = (link.end(gone), link.end(gone.other()));
            if self.presence(other) != Some(Presence::Alive) {
                continue;
            }
            for (property, waits) in self.waiting_values(lost, other) {
                let (reason, advice) = match waits {
                    Waits::ToLeave => (
                        format!("{property} was edited, and waits: {lost} is out of sight"),
                        format!("It is written once {lost} is shown again; see the item of its link"),
                    ),
                    Waits::ToArrive => (
                        format!(
                            "{property} is owed a value, and waits: {lost}, which it comes through, is out of sight"
                        ),
                        format!("It arrives once {lost} is shown again; see the item of its link"),
                    ),
                };
                let parked = self.parked(ParkedKind::OutOfSight, 0, reason, advice);
                if let Some(record) = self.cluster.records.get_mut(other) {
                    record.parked.entry(property).or_insert(parked);
                }
            }
        }
    }

    /// Properties of a record whose values have not reached its counterpart, or that are owed a value by it.
    fn waiting_values(&self, lost: &RecordKey, other: &RecordKey) -> Vec<(String, Waits)> {
        let components = topology::components(self.flows, &self.cluster, true);
        let mut waiting = Vec::new();
        for component in &components {
            let member = |key: &RecordKey| component.nodes.iter().find(|node| &node.at.record == key);
            let (Some(to), Some(from)) = (member(lost), member(other)) else {
                continue;
            };
            let heads = &self.cluster.heads;
            let head = component.nodes.iter().find_map(|node| heads.get(&node.at));
            let base = |node: &Node<'_>| {
                let record = self.record(&node.at.record)?;
                record.bases.get(&node.at.property)
            };
            let behind =
                |node| head.is_some_and(|head| base(node).is_none_or(|base| base.epoch < head.epoch));
            let own = topology::own_value(&self.cluster, &from.at);
            let meaning = |node: &Node<'_>| {
                self.form(node)
                    .decode(&topology::own_value(&self.cluster, &node.at))
                    .ok()
            };
            // Without a base nothing of it was ever taken in: what it holds is owed unless the lost one held it too.
            let edited = from.source()
                && match base(from) {
                    Some(base) => base.value != own,
                    None => !own.is_blank() && meaning(from) != meaning(to),
                };
            let stands = || meaning(from) == head.map(|head| head.value.clone());
            if to.target() && (behind(to) || edited) {
                waiting.push((from.at.property.clone(), Waits::ToLeave));
            } else if from.target() && behind(from) && !stands() {
                waiting.push((from.at.property.clone(), Waits::ToArrive));
            }
        }
        waiting
    }
}

/// Which way a value waits for a record that is out of sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waits {
    /// It was edited in the counterpart.
    ToLeave,
    /// The counterpart was not given it before.
    ToArrive,
}
