//! Compares every linked record of both systems in full.

mod listing;
mod pair;

use crate::{Engine, Error, Round};
use pair::Pair;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use tandem_ledger::{Dirty, LinkRow};
use tandem_merge::cluster::{Cluster, ParkedKind, Record};
use tandem_merge::facts::Facts;
use tandem_merge::record::{Observation, Presence, RecordKey, RecordType};
use tandem_merge::value::Value;

/// Links compared at once.
const BATCH: usize = 1_000;

/// Differences that are shown; the others are counted.
const SHOWN: usize = 100;

/// Records that cannot be read although their system is there, with what it answers.
type Unread = BTreeMap<RecordKey, tandem_connector::Error>;

/// What a comparison of both systems found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verification {
    /// Linked pairs compared.
    pub pairs: u64,
    /// Property values compared.
    pub compared: u64,
    /// Properties that differ and should not, links with an end that is gone unnoticed, duplicates, and
    /// records that should be linked and are not.
    pub different: u64,
    /// One-way properties whose target has drifted since the link, or differed at the link.
    pub one_way_differs: u64,
    /// Properties that the system filled in by itself at the create.
    pub filled_in: u64,
    /// Properties that differ and wait: in conflict, parked or deferred.
    pub waiting: u64,
    /// Links with an end that is gone or out of sight.
    pub gone: u64,
    /// Records that carry the identity of a counterpart that they are not linked to.
    pub duplicates: u64,
    /// Numbers that must be equal (`equal:` of a flow), compared.
    pub totals: u64,
    /// Those among them that are not; each is counted in `different` too, unless parts are still on their way.
    pub unequal: u64,
    /// Properties that could not be compared because a system does not show them, or shows them in another form: in how
    /// many linked pairs, by `system/Type.property`. A value that is not shown is not blank.
    pub hidden: BTreeMap<String, u64>,
    /// Records without a link that should have one (neither held nor suppressed).
    pub unlinked: u64,
    /// The first hundred differences.
    pub differences: Vec<Difference>,
}

/// One property that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The flow.
    pub flow: String,
    /// The two records; one where a record has no counterpart.
    pub records: Vec<RecordKey>,
    /// The property's two names; empty when a record as a whole is the trouble.
    pub properties: [String; 2],
    /// The two values in their own form.
    pub values: [Value; 2],
    /// What is wrong, for people.
    pub what: String,
}

impl Verification {
    fn differ(&mut self, difference: Difference) {
        self.different += 1;
        if self.differences.len() < SHOWN {
            self.differences.push(difference);
        }
    }

    fn hides(&mut self, of: &RecordType, property: &str) {
        *self.hidden.entry(format!("{of}.{property}")).or_default() += 1;
    }

    fn record_differs(&mut self, flow: &str, records: Vec<RecordKey>, what: impl Into<String>) {
        self.differ(Difference {
            flow: flow.to_owned(),
            records,
            properties: [String::new(), String::new()],
            values: [Value::Blank, Value::Blank],
            what: what.into(),
        });
    }
}

impl Engine {
    /// Reads both systems and compares every linked pair, property by property, by the forms of its flow;
    /// then lists both in full, for records that should be linked and are not. Nothing is stored. Memory
    /// stays flat but for one number per linked record.
    ///
    /// # Errors
    /// [`Error::System`] when a system cannot be read, [`Error::Store`].
    pub async fn verify(&mut self) -> Result<Verification, Error> {
        let mut found = Verification::default();
        let names: Vec<String> = self.flows.flows.iter().map(|flow| flow.name.clone()).collect();
        let mut linked = listing::Linked::default();
        for flow in &names {
            let mut after = 0;
            loop {
                let links = self.store.links(Some(flow), after, BATCH)?;
                let Some(last) = links.last() else { break };
                after = last.number;
                linked.add(&self.flows, &links);
                self.compare(&links, &mut found).await?;
            }
        }
        linked.close();
        self.look_for_strays(&linked, &mut found).await?;
        Ok(found)
    }

    /// Compares a batch of links of one flow.
    async fn compare(&mut self, links: &[LinkRow], found: &mut Verification) -> Result<(), Error> {
        let ends = links
            .iter()
            .flat_map(|link| [link.first.clone(), link.second.clone()]);
        let (shown, unread) = self.read_all(&ends.collect()).await?;
        let firsts: Vec<RecordKey> = links.iter().map(|link| link.first.clone()).collect();
        let known = self.store.take_records(&self.flows, &firsts, self.clock.now())?;
        let known = Known::new(known);
        for link in links {
            let Some((cluster, facts)) = known.of(&link.first) else {
                continue;
            };
            let alive = |key: &RecordKey| shown.get(key).filter(|row| row.presence == Presence::Alive);
            let Some(flow) = self.flows.flow(&link.flow) else {
                continue;
            };
            let ends = [&link.first, &link.second];
            if let Some((record, error)) = ends.into_iter().find_map(|end| unread.get_key_value(end)) {
                let records = vec![link.first.clone(), link.second.clone()];
                let what = format!("{record} cannot be read: {}", error.message);
                found.record_differs(&link.flow, records, what);
                continue;
            }
            let (Some(first), Some(second)) = (alive(&link.first), alive(&link.second)) else {
                note_gone(link, cluster, found);
                continue;
            };
            found.pairs += 1;
            let pair = Pair {
                flows: &self.flows,
                flow,
                shown: [first, second],
                cluster,
                facts,
            };
            pair.compare(found);
        }
        Ok(())
    }

    /// Reads records by id from both systems; every one is answered, or among those that cannot be read.
    async fn read_all(
        &mut self,
        keys: &BTreeSet<RecordKey>,
    ) -> Result<(BTreeMap<RecordKey, Observation>, Unread), Error> {
        let mut round = Round::default();
        let shown = self.fetch_anyway(keys, &mut round).await?;
        match round.troubles.into_iter().next() {
            Some(error) => Err(error.into()),
            None => Ok((shown, round.unread)),
        }
    }
}

/// A link with an end that is not there: fine where the state knows and a person is asked.
fn note_gone(link: &LinkRow, cluster: &Cluster, found: &mut Verification) {
    found.gone += 1;
    let ends = [&link.first, &link.second].map(|key| cluster.records.get(key));
    let ends = || ends.into_iter().flatten();
    let records = vec![link.first.clone(), link.second.clone()];
    let vanished = |record: &Record| record.shadow.presence == Presence::Missing;
    let waits = |record: &Record| {
        let held = record.held.get(&link.flow);
        held.is_some_and(|held| held.kind != ParkedKind::OutOfSight)
    };
    if ends().any(vanished) {
        let what = "one of the two is out of sight, and nothing says that it was deleted";
        found.record_differs(&link.flow, records, what);
    } else if !ends().any(|record| record.is_deleted() || waits(record)) {
        found.record_differs(&link.flow, records, "one of the two is not there any more");
    }
}

/// Clusters by their records, with what their references lead to.
struct Known {
    clusters: Vec<(Cluster, Facts)>,
    places: BTreeMap<RecordKey, usize>,
}

impl Known {
    fn new(taken: Vec<Dirty>) -> Self {
        let mut places = BTreeMap::new();
        let mut clusters = Vec::new();
        for dirty in taken {
            for key in dirty.cluster.records.keys() {
                places.insert(key.clone(), clusters.len());
            }
            clusters.push((dirty.cluster, dirty.facts));
        }
        Self { clusters, places }
    }

    fn of(&self, key: &RecordKey) -> Option<(&Cluster, &Facts)> {
        let (cluster, facts) = &self.clusters[*self.places.get(key)?];
        Some((cluster, facts))
    }
}
