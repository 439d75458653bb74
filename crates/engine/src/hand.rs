//! Links that people make and end by hand.

use crate::command::{in_the_way, unknown_record};
use crate::{Engine, Error, Round};
use tandem_merge::cluster::Cluster;
use tandem_merge::dataflow::Dataflow;
use tandem_merge::facts::Facts;
use tandem_merge::hand;
use tandem_merge::plan::Event;
use tandem_merge::reconcile::reconcile;
use tandem_merge::record::RecordKey;
use tandem_store::{Decided, Dirty};

impl Engine {
    /// Ends the record's links by hand, in one flow or in all: neither end is linked or created again there. Answers
    /// what ended, as history tells it.
    ///
    /// # Errors
    /// [`Error::Command`] when the record has no such link.
    pub fn unlink(&mut self, record: &RecordKey, flow: Option<&str>) -> Result<Vec<Event>, Error> {
        self.by_hand(std::slice::from_ref(record), |flows, cluster, facts| {
            let (cluster, history) = hand::unlink(flows, cluster, record, flow, facts);
            if history.is_empty() {
                let of = flow.map_or_else(String::new, |flow| format!(" in {flow}"));
                return Err(Error::command(
                    format!("{record} is not linked{of}"),
                    "`tandem links` lists what is",
                ));
            }
            Ok((cluster, history))
        })
    }

    /// Links two records by hand, whatever their keys say and whatever ended an earlier link of theirs.
    ///
    /// # Errors
    /// [`Error::Command`] with the reason where it cannot be (R8).
    pub fn link(&mut self, flow: &str, first: &RecordKey, second: &RecordKey) -> Result<Vec<Event>, Error> {
        self.known_flow(flow)?;
        self.by_hand(&[first.clone(), second.clone()], |flows, cluster, facts| {
            let found = flows.flow(flow);
            let Some(flow) = found else {
                return Err(unknown_record(first));
            };
            hand::link(flows, cluster, (flow, first, second), facts)
                .map_err(|why| Error::command(why, "End what stands in the way first, with `tandem unlink`"))
        })
    }

    /// Changes the clusters of records taken as one, and decides them again, as one unit of work.
    fn by_hand(
        &mut self,
        records: &[RecordKey],
        change: impl FnOnce(&Dataflow, Cluster, &Facts) -> Result<(Cluster, Vec<Event>), Error>,
    ) -> Result<Vec<Event>, Error> {
        let taken = self.store.take_records(&self.flows, records, self.clock.now())?;
        let dirty = taken.into_iter().reduce(joined);
        let Some(dirty) = dirty else {
            return Err(unknown_record(&records[0]));
        };
        let facts = dirty.facts.with_types(&self.flows);
        let (cluster, history) = change(&self.flows, dirty.cluster, &facts)?;
        let mut plan = reconcile(&self.flows, cluster, dirty.inbox, &dirty.facts);
        plan.history.splice(0..0, history.clone());
        let decided = Decided {
            plan,
            token: dirty.token,
        };
        let report = self.commit(vec![decided], &mut Round::default())?;
        match report.put_back.is_empty() {
            true => Ok(history),
            false => Err(in_the_way(&records[0])),
        }
    }
}

/// Two clusters taken as one.
fn joined(mut one: Dirty, other: Dirty) -> Dirty {
    one.cluster.records.extend(other.cluster.records);
    one.cluster.heads.extend(other.cluster.heads);
    one.cluster.links.extend(other.cluster.links);
    one.cluster.links.sort();
    one.cluster.creates.extend(other.cluster.creates);
    one.cluster.creates.sort_by_key(|intent| intent.id);
    one.cluster.questions.extend(other.cluster.questions);
    one.cluster.questions.sort_by(|a, b| a.anchor.cmp(&b.anchor));
    one.inbox.extend(other.inbox);
    one.facts.referrals.extend(other.facts.referrals);
    one.facts.reserved.extend(other.facts.reserved);
    one.facts.deletions.extend(other.facts.deletions);
    one.facts.approved.extend(other.facts.approved);
    one.facts.parts.extend(other.facts.parts);
    one.facts.parents.extend(other.facts.parents);
    one.token.inbox.extend(other.token.inbox);
    one.token.records.extend(other.token.records);
    one.token.marks = one.token.marks.min(other.token.marks);
    one
}
