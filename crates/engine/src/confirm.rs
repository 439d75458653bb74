//! Confirm: reads by id of what earlier reads did not show of our writes, once the commit delay has passed (late sight).

use crate::{Engine, Error, Round};
use std::collections::BTreeSet;
use tandem_ledger::{Decided, Dirty};
use tandem_merge::reconcile::reconcile_confirmed;
use tandem_merge::record::{Observation, RecordKey};

/// Records confirmed in one round; the others wait for the next one.
const BATCH: usize = 1_000;

impl Engine {
    /// Reads the records whose last write a read did not show, and decides by what they show now: the write is seen, or
    /// it was accepted and not kept.
    pub(crate) async fn confirm_doubted(&mut self, round: &mut Round) -> Result<(), Error> {
        let now = self.clock.now();
        let mut doubted: BTreeSet<RecordKey> = BTreeSet::new();
        for index in 0..2 {
            let system = self.flows.systems[index].clone();
            let delay = self.systems[index].capabilities().commit_delay;
            if let (Ok(until), false) = (now.checked_sub(delay), round.is_down(&system)) {
                doubted.extend(self.store.doubted(&system, until, BATCH)?);
            }
        }
        if doubted.is_empty() {
            return Ok(());
        }
        let seen = self.fetch(&doubted, round).await?;
        let records: Vec<RecordKey> = seen.keys().cloned().collect();
        let taken = self.store.take_records(&self.flows, &records, now)?;
        let decide = |dirty: Dirty| {
            let own = seen
                .iter()
                .filter(|(key, _)| dirty.cluster.records.contains_key(*key));
            let own: Vec<Observation> = own.map(|(_, row)| row.clone()).collect();
            self.tell_taken(&dirty);
            let plan = reconcile_confirmed(&self.flows, dirty.cluster, dirty.inbox, own, &dirty.facts);
            Decided {
                plan,
                token: dirty.token,
            }
        };
        let decided = taken.into_iter().map(decide).collect();
        self.commit(decided, round).map(drop)
    }
}
