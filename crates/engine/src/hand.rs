//! Links that people make and end by hand.

use crate::command::{in_the_way, unknown_record};
use crate::{Engine, Error, Round};
use tandem_ledger::Decided;
use tandem_merge::decisions::{Decision, Outcome};
use tandem_merge::hand;
use tandem_merge::plan::Event;
use tandem_merge::reconcile::reconcile;
use tandem_merge::record::RecordKey;

impl Engine {
    /// Ends the record's links by hand, in one flow or in all: neither end is linked or created again there. Answers
    /// what ended, as history tells it.
    ///
    /// # Errors
    /// [`Error::Command`] when the record has no such link.
    pub fn unlink(&mut self, record: &RecordKey, flow: Option<&str>) -> Result<Vec<Event>, Error> {
        self.store.begin_run("command", self.clock.now())?;
        let taken = self
            .store
            .take_records(&self.flows, std::slice::from_ref(record), self.clock.now())?;
        let Some(dirty) = taken.into_iter().next() else {
            return Err(unknown_record(record));
        };
        let (cluster, history) = hand::unlink(&self.flows, dirty.cluster, record, flow, &dirty.facts);
        if history.is_empty() {
            let of = flow.map_or_else(String::new, |flow| format!(" in {flow}"));
            return Err(Error::command(
                format!("{record} is not linked{of}"),
                "`tandem links` lists what is",
            ));
        }
        let mut plan = reconcile(&self.flows, cluster, dirty.inbox, &dirty.facts);
        plan.history.splice(0..0, history.clone());
        let decided = Decided {
            plan,
            token: dirty.token,
        };
        let report = self.commit(vec![decided], &mut Round::default())?;
        match report.put_back.is_empty() {
            true => Ok(history),
            false => Err(in_the_way(record)),
        }
    }

    /// Links two records by hand, whatever their keys say and whatever ended an earlier link of theirs.
    ///
    /// # Errors
    /// [`Error::Command`] with the reason where it cannot be (R8).
    pub fn link(&mut self, flow: &str, first: &RecordKey, second: &RecordKey) -> Result<(), Error> {
        self.decide_link(Decision::Link {
            flow: flow.to_owned(),
            first: first.clone(),
            second: second.clone(),
        })
    }

    /// Notes that two records are no counterparts, whatever their keys say: they are never offered to each other again,
    /// and each may get a counterpart of its own.
    ///
    /// # Errors
    /// [`Error::Command`] with the reason where it cannot be: they are linked.
    pub fn tell_apart(&mut self, flow: &str, first: &RecordKey, second: &RecordKey) -> Result<(), Error> {
        self.decide_link(Decision::Different {
            flow: flow.to_owned(),
            first: first.clone(),
            second: second.clone(),
        })
    }

    /// Carries out one decision about a link.
    ///
    /// # Errors
    /// [`Error::Command`] with the reason where it cannot be.
    pub fn decide_link(&mut self, decision: Decision) -> Result<(), Error> {
        self.known_flow(decision.flow())?;
        let outcomes = self.decide_links(&[decision])?;
        let refused = outcomes.into_iter().find_map(|outcome| match outcome {
            Outcome::Refused(why) => Some(why),
            Outcome::Done | Outcome::Already => None,
        });
        refused.map_or(Ok(()), |why| {
            let advice = "End what stands in the way first, with `tandem unlink`";
            Err(Error::command(why, advice))
        })
    }
}
