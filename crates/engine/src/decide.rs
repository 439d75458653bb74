//! What people decide about links, many at a time: weighed first, carried out as a whole.

use crate::{Engine, Error, Round};
use std::collections::{BTreeMap, BTreeSet};
use tandem_ledger::Decided;
use tandem_merge::decisions::{Decision, Outcome};
use tandem_merge::reconcile::reconcile_decided;
use tandem_merge::record::RecordKey;

/// Groups of decisions handled in one transaction.
const BATCH: usize = 200;

/// How often a group is decided again that the store put back.
const ATTEMPTS: u32 = 5;

impl Engine {
    /// Reads what is new in both systems, all of it where they were never listed. Decides and writes nothing.
    ///
    /// # Errors
    /// [`Error::Store`] alone; systems in trouble are named in [`Round::troubles`].
    pub async fn look(&mut self) -> Result<Round, Error> {
        let mut round = Round::default();
        self.keep_budgets(true)?;
        self.observe(&[0, 1], &mut round).await?;
        self.catch_up(&mut round).await?;
        self.keep_budgets(false)?;
        Ok(round)
    }

    /// What would come of decisions about links, in their order. Changes nothing.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn weigh_links(&mut self, decisions: &[Decision]) -> Result<Vec<Outcome>, Error> {
        self.decide_groups(decisions, false)
    }

    /// Carries out decisions about links, each with its records' clusters in one transaction.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn decide_links(&mut self, decisions: &[Decision]) -> Result<Vec<Outcome>, Error> {
        self.store.begin_run("command", self.clock.now())?;
        self.decide_groups(decisions, true)
    }

    fn decide_groups(&mut self, decisions: &[Decision], store: bool) -> Result<Vec<Outcome>, Error> {
        let mut outcomes = vec![Outcome::Already; decisions.len()];
        let mut waiting = groups(decisions);
        let mut idle = 0;
        while !waiting.is_empty() {
            let later = waiting.split_off(waiting.len().min(BATCH));
            let mut put_back = self.decide_batch(decisions, &waiting, store, &mut outcomes)?;
            idle = if put_back.len() == waiting.len() {
                idle + 1
            } else {
                0
            };
            if idle == ATTEMPTS {
                for place in put_back.drain(..).flatten() {
                    let why = "another record stands in its way; run `tandem sync`, then try again";
                    outcomes[place] = Outcome::Refused(why.to_owned());
                }
            }
            put_back.extend(later);
            waiting = put_back;
        }
        Ok(outcomes)
    }

    /// Decides groups; those that share a record with one before them, and those put back, are left.
    fn decide_batch(
        &mut self,
        decisions: &[Decision],
        groups: &[Vec<usize>],
        store: bool,
        outcomes: &mut [Outcome],
    ) -> Result<Vec<Vec<usize>>, Error> {
        let records = groups.iter().map(|group| {
            let all = group.iter().flat_map(|place| decisions[*place].records());
            let all: BTreeSet<RecordKey> = all.cloned().collect();
            all.into_iter().collect()
        });
        let records: Vec<Vec<RecordKey>> = records.collect();
        let taken = self
            .store
            .take_together(&self.flows, &records, self.clock.now())?;
        let (mut left, mut plans, mut planned) = (Vec::new(), Vec::new(), Vec::new());
        for (group, dirty) in groups.iter().zip(taken) {
            let Some(dirty) = dirty else {
                left.push(group.clone());
                continue;
            };
            let mine: Vec<Decision> = group.iter().map(|place| decisions[*place].clone()).collect();
            let (plan, came) =
                reconcile_decided(&self.flows, dirty.cluster, dirty.inbox, &mine, &dirty.facts);
            for (place, outcome) in group.iter().zip(came) {
                // Stored before a neighbour was put back: it stays done.
                if outcome != Outcome::Already || outcomes[*place] != Outcome::Done {
                    outcomes[*place] = outcome;
                }
            }
            plans.push(Decided {
                plan,
                token: dirty.token,
            });
            planned.push(group.clone());
        }
        if store && !self.commit(plans, &mut Round::default())?.put_back.is_empty() {
            // Which of them were put back is not told; those that were stored are so already.
            left.extend(planned);
        }
        Ok(left)
    }
}

/// Decisions that share records, directly or not, by their places; in the order of their first.
fn groups(decisions: &[Decision]) -> Vec<Vec<usize>> {
    let mut root: Vec<usize> = (0..decisions.len()).collect();
    let find = |root: &[usize], mut place: usize| {
        while root[place] != place {
            place = root[place];
        }
        place
    };
    let mut seen: BTreeMap<&RecordKey, usize> = BTreeMap::new();
    for (place, decision) in decisions.iter().enumerate() {
        for record in decision.records() {
            let other = *seen.entry(record).or_insert(place);
            let (a, b) = (find(&root, place), find(&root, other));
            root[a.max(b)] = a.min(b);
        }
    }
    let mut found: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for place in 0..decisions.len() {
        found.entry(find(&root, place)).or_default().push(place);
    }
    found.into_values().collect()
}
