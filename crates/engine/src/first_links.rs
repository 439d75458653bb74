//! First links: records that were never in step and hold different values. A flow's policy would overwrite one of the
//! two; many of them at once wait until a person has seen which (R7).
//!
//! The core asks about each as long as its flow is among [`Dataflow::asks_first`]; here the questions are counted before
//! anything is written, and a flow that stays within its limits is let go on at once.
//!
//! [`Dataflow::asks_first`]: tandem_merge::dataflow::Dataflow::asks_first

use crate::{Engine, Error, Held, Round, Why, notes};
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::cluster::Cluster;
use tandem_merge::record::RecordKey;

/// Where the state keeps the flows whose first links were just approved.
const APPROVED: &str = "approved-first-links";

/// Items read at a time.
const PAGE: usize = 500;

/// By flow: the records at which first links are asked about.
pub(crate) type Asked = BTreeMap<String, BTreeSet<RecordKey>>;

impl Engine {
    /// Takes up what the state asks about.
    pub(crate) fn find_first_links(&mut self) -> Result<(), Error> {
        let guarded = self
            .flows
            .flows
            .iter()
            .filter(|flow| flow.guard.first_links.is_some());
        self.flows.asks_first = guarded.map(|flow| flow.name.clone()).collect();
        let mut after = 0;
        loop {
            let items = self.store.items(after, PAGE)?;
            let Some(last) = items.last() else { return Ok(()) };
            after = last.number;
            for item in items.iter().filter(|item| item.kind.is_none()) {
                if let Some(cluster) = self.store.cluster(&self.flows, &item.record)? {
                    self.count_first_links(&cluster);
                }
            }
        }
    }

    /// Counts what a cluster asks about, instead of what it asked about before.
    pub(crate) fn count_first_links(&mut self, cluster: &Cluster) {
        for asked in self.first_links.values_mut() {
            for record in cluster.records.keys() {
                asked.remove(record);
            }
        }
        for question in cluster
            .questions
            .iter()
            .filter(|question| question.answer.is_none())
        {
            if let Some(flow) = &question.first {
                let asked = self.first_links.entry(flow.clone()).or_default();
                asked.insert(question.anchor.record.clone());
            }
        }
        self.first_links.retain(|_, asked| !asked.is_empty());
    }

    /// Lets the policy decide the first links of flows that stay within their limits or were approved, and holds the
    /// others.
    pub(crate) async fn guard_first_links(&mut self, round: &mut Round) -> Result<(), Error> {
        let mut approved = self.approved_first_links()?;
        if self.first_links.is_empty() && approved.is_empty() && !self.holds_first_links() {
            return Ok(());
        }
        let links = self.store.status(&self.flows)?.flows;
        let mut open = BTreeSet::new();
        for flow in self.flows.flows.clone() {
            let asked = self.first_links.get(&flow.name).map_or(0, BTreeSet::len) as u64;
            let links = links.get(&flow.name).map_or(0, |status| status.linked);
            let guard = flow.guard.first_links;
            let held = guard.is_some_and(|guard| guard.is_passed(asked, links));
            let of = Held::Flow(flow.name.clone());
            if !held || approved.contains(&flow.name) {
                self.lift(&of, Why::FirstLinks)?;
                open.extend((asked > 0 && !self.flows.rests(&flow.name)).then_some(flow.name));
                continue;
            }
            let words = format!(
                "{asked} of {links} linked records hold other values on both sides and were never in step; nothing of \
                 that is overwritten, the rest goes on"
            );
            self.hold(of, Why::FirstLinks, words)?;
        }
        self.decide_first_links(&open, round).await?;
        approved.retain(|flow| self.first_links.contains_key(flow));
        self.keep_approved_first_links(&approved)
    }

    async fn decide_first_links(&mut self, open: &BTreeSet<String>, round: &mut Round) -> Result<(), Error> {
        let asked = self.first_links.iter().filter(|(flow, _)| open.contains(*flow));
        let records: Vec<RecordKey> = asked.flat_map(|(_, records)| records.clone()).collect();
        if records.is_empty() {
            return Ok(());
        }
        self.flows.asks_first.retain(|flow| !open.contains(flow));
        self.store.touch(&records)?;
        let done = self.reconcile(self.last_rank(), round).await;
        let guarded = open.iter().filter(|name| {
            let flow = self.flows.flow(name);
            flow.is_some_and(|flow| flow.guard.first_links.is_some())
        });
        let guarded: Vec<String> = guarded.cloned().collect();
        self.flows.asks_first.extend(guarded);
        done
    }

    fn holds_first_links(&self) -> bool {
        self.holds.iter().any(|hold| hold.why == Why::FirstLinks)
    }

    /// Lets the policy decide all first links of a flow with the next round. Whether any were held.
    pub(crate) fn approve_first_links(&mut self, flow: &str) -> Result<bool, Error> {
        let of = Held::Flow(flow.to_owned());
        if !self
            .holds
            .iter()
            .any(|hold| hold.of == of && hold.why == Why::FirstLinks)
        {
            return Ok(false);
        }
        let mut approved = self.approved_first_links()?;
        approved.insert(flow.to_owned());
        self.keep_approved_first_links(&approved)?;
        self.lift(&of, Why::FirstLinks)?;
        Ok(true)
    }

    fn approved_first_links(&mut self) -> Result<BTreeSet<String>, Error> {
        Ok(notes::kept(self.store.as_mut(), APPROVED)?.unwrap_or_default())
    }

    fn keep_approved_first_links(&mut self, flows: &BTreeSet<String>) -> Result<(), Error> {
        if self.approved_first_links()? == *flows {
            return Ok(());
        }
        Ok(notes::keep(self.store.as_mut(), APPROVED, flows)?)
    }
}
