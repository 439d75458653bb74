//! Matches before the first sync, and later: which records would be linked, which tie, which stand alone. What is
//! shown is what the core decides, on a copy of the state; nothing is written.

use crate::{Engine, Error, Parts, Round};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::cluster::{Action, Cluster, Intent};
use tandem_merge::dataflow::{Dataflow, Flow, Side};
use tandem_merge::matches::{Stands, candidates, telling_key};
use tandem_merge::matching::belongs;
use tandem_merge::record::{RecordKey, Values};
use tandem_merge::similarity::similarity;

/// Records and links looked at in one go.
const PAGE: usize = 500;

/// A record with what it holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Which.
    pub key: RecordKey,
    /// Its values, own form.
    pub values: Values,
}

/// Two records that could be counterparts, with how alike they are, from 0 to 100.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredPair {
    /// The flow.
    pub flow: String,
    /// The first-side record.
    pub first: Shown,
    /// The second-side record.
    pub second: Shown,
    /// How alike they are.
    pub score: u32,
}

/// Something found about matches.
#[derive(Clone, Debug, PartialEq)]
pub enum Match {
    /// The two would be linked.
    Pair(ScoredPair),
    /// Nobody but a person can tell which of these belong together; the most alike first.
    Tie(Vec<ScoredPair>),
    /// The record has no counterpart, and what becomes of it.
    Single {
        /// The flow.
        flow: String,
        /// The side that it is on.
        side: Side,
        /// The record.
        record: Shown,
        /// What becomes of it.
        why: String,
    },
    /// Records of one system with the same match key.
    Duplicates {
        /// The flow whose key it is.
        flow: String,
        /// The side.
        side: Side,
        /// The records.
        records: Vec<Shown>,
    },
}

/// How many of each kind there are in a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MatchCounts {
    /// Links that are there already.
    pub linked: u64,
    /// Pairs that would be linked.
    pub pairs: u64,
    /// Groups of records that tie.
    pub ties: u64,
    /// Records without a counterpart, by side.
    pub singles: [u64; 2],
    /// Groups of records of one system with the same key, by side.
    pub duplicates: [u64; 2],
}

/// What was found in all.
#[derive(Clone, Debug, Default)]
pub struct MatchReport {
    /// Per flow.
    pub flows: BTreeMap<String, MatchCounts>,
    /// Systems in trouble: nothing was found then.
    pub troubles: Vec<tandem_connector::Error>,
}

/// Shows all matches of a flow, or of all flows, one after the other. `parts.store` is a copy of the state, which is
/// spent.
///
/// # Errors
/// As [`Engine::open`].
pub async fn matches(
    parts: Parts,
    only: Option<&str>,
    see: &mut (dyn FnMut(&Match) + Send),
) -> Result<MatchReport, Error> {
    let mut engine = Engine::open(parts).await?;
    engine.impatient = true;
    let began = engine.clock.now();
    let mut round = engine.look().await?;
    if round.troubles.is_empty() {
        engine.reconcile(engine.last_rank(), &mut round).await?;
        engine.find_companions(&mut round).await?;
    }
    let mut report = MatchReport::default();
    if !round.troubles.is_empty() {
        report.troubles = round.troubles;
        return Ok(report);
    }
    let flows = engine.flows.clone();
    for flow in flows
        .flows
        .iter()
        .filter(|flow| only.is_none_or(|only| only == flow.name))
    {
        let mut search = Search {
            engine: &mut engine,
            flows: &flows,
            flow,
            began,
            counts: MatchCounts::default(),
            see,
        };
        search.all()?;
        let counts = search.counts;
        report.flows.insert(flow.name.clone(), counts);
    }
    Ok(report)
}

impl Engine {
    /// Finds the companions that are there already: the account that an order stands at tells its counterpart. Asks
    /// and creates none.
    async fn find_companions(&mut self, round: &mut Round) -> Result<(), Error> {
        let mut asked: BTreeSet<u64> = BTreeSet::new();
        loop {
            let mut found = 0;
            for index in 0..2 {
                let system = self.flows.systems[index].clone();
                let mut intents = self.store.sendable(&system, true, self.last_rank(), usize::MAX)?;
                let companion = |intent: &Intent| matches!(intent.action, Action::Companion { .. });
                intents.retain(|intent| companion(intent) && asked.insert(intent.id));
                let all = intents.len();
                found += all - self.look_up(index, intents, round).await?.len();
            }
            if found == 0 || !round.troubles.is_empty() {
                return Ok(());
            }
            self.reconcile(self.last_rank(), round).await?;
        }
    }
}

/// The search of one flow.
struct Search<'a> {
    engine: &'a mut Engine,
    flows: &'a Dataflow,
    flow: &'a Flow,
    /// Links made since are the rehearsal's.
    began: Timestamp,
    counts: MatchCounts,
    see: &'a mut (dyn FnMut(&Match) + Send),
}

impl Search<'_> {
    fn all(&mut self) -> Result<(), Error> {
        self.pairs()?;
        for side in Side::BOTH {
            let record_type = &self.flow.end(side).record_type;
            let mut after: Option<String> = None;
            loop {
                let page = self
                    .engine
                    .store
                    .alive_after(record_type, after.as_deref(), PAGE)?;
                let Some(last) = page.last() else { break };
                after = Some(last.id.clone());
                for key in &page {
                    self.record(side, key)?;
                }
            }
        }
        Ok(())
    }

    fn pairs(&mut self) -> Result<(), Error> {
        let mut after = 0;
        loop {
            let page = self.engine.store.links(Some(&self.flow.name), after, PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.number;
            for link in page {
                if link.since < self.began {
                    self.counts.linked += 1;
                    continue;
                }
                let cluster = self
                    .engine
                    .store
                    .cluster(self.flows, &link.first)?
                    .unwrap_or_default();
                let pair = scored(self.flow, &cluster, &link.first, &link.second);
                self.counts.pairs += 1;
                (self.see)(&Match::Pair(pair));
            }
        }
    }

    fn record(&mut self, side: Side, key: &RecordKey) -> Result<(), Error> {
        let cluster = self.engine.store.cluster(self.flows, key)?.unwrap_or_default();
        let Some(record) = cluster.records.get(key) else {
            return Ok(());
        };
        if !belongs(self.flow, side, &record.shadow.values) {
            return Ok(());
        }
        self.duplicates(side, key, &cluster)?;
        let grouped = |name: &str| {
            self.flows
                .flow(name)
                .is_some_and(|flow| flow.group == self.flow.group)
        };
        let ends = |link: &tandem_merge::cluster::Link| &link.first == key || &link.second == key;
        if cluster.links.iter().any(|link| ends(link) && grouped(&link.flow)) {
            return Ok(());
        }
        self.unlinked(side, key)
    }

    /// A record without a counterpart ties, or stands alone.
    fn unlinked(&mut self, side: Side, key: &RecordKey) -> Result<(), Error> {
        let records = std::slice::from_ref(key);
        let now = self.engine.clock.now();
        let taken = self.engine.store.take_records(self.flows, records, now)?;
        let Some(dirty) = taken.into_iter().next() else {
            return Ok(());
        };
        let mut found = candidates(self.flows, &dirty.cluster, &dirty.facts, key, &self.flow.group);
        // What is linked as soon as it is known to belong together needs nobody.
        found.retain(|pair| pair.stands != Stands::Waiting);
        let doubtful = found.iter().any(|pair| pair.stands == Stands::Doubtful);
        // One alone is linked as soon as what stands in its way is settled.
        if found.len() < 2 && !doubtful {
            return self.single(side, key, &dirty.cluster);
        }
        // Every record of a tie leads to all of it: it is shown once, at its first.
        let here = |pair: &&tandem_merge::matches::Candidate| pair.flow == self.flow.name;
        if found.first().filter(here).is_none_or(|first| &first.first != key) {
            return Ok(());
        }
        let pairs = found.iter().filter_map(|pair| {
            let flow = self.flows.flow(&pair.flow)?;
            Some(scored(flow, &dirty.cluster, &pair.first, &pair.second))
        });
        let mut pairs: Vec<ScoredPair> = pairs.collect();
        pairs.sort_by(|a, b| a.first.key.cmp(&b.first.key).then(b.score.cmp(&a.score)));
        self.counts.ties += 1;
        (self.see)(&Match::Tie(pairs));
        Ok(())
    }

    fn single(&mut self, side: Side, key: &RecordKey, cluster: &Cluster) -> Result<(), Error> {
        let Some(record) = cluster.records.get(key) else {
            return Ok(());
        };
        let created = cluster.creates.iter().any(|intent| {
            matches!(&intent.action, Action::Create { flow, source, .. } if *flow == self.flow.name && source == key)
        });
        let target = &self.flow.end(side.other()).record_type;
        let why = match record.held.get(&self.flow.name) {
            _ if created => format!("its {} is created in {}", target.name, target.system),
            Some(held) => held.reason.clone(),
            None if record.suppressed.contains(&self.flow.name) => "it is left alone".to_owned(),
            None => "it waits".to_owned(),
        };
        self.counts.singles[side.index()] += 1;
        (self.see)(&Match::Single {
            flow: self.flow.name.clone(),
            side,
            record: shown(cluster, key),
            why,
        });
        Ok(())
    }

    /// Records of the same system with the same key, shown at the first of them.
    fn duplicates(&mut self, side: Side, key: &RecordKey, cluster: &Cluster) -> Result<(), Error> {
        let told = |cluster: &Cluster, key: &RecordKey| {
            let record = cluster.records.get(key).filter(|record| record.alive())?;
            telling_key(self.flows, &self.flow.name, side, key, &record.shadow.values)
        };
        let Some(own) = told(cluster, key) else {
            return Ok(());
        };
        let others = self.engine.store.with_key(&own.0)?;
        if others.len() < 2 {
            return Ok(());
        }
        let mut records = Vec::new();
        for other in others {
            let cluster = self.engine.store.cluster(self.flows, &other)?.unwrap_or_default();
            if told(&cluster, &other).as_ref() == Some(&own) {
                records.push(shown(&cluster, &other));
            }
        }
        records.sort_by(|a, b| a.key.cmp(&b.key));
        if records.len() < 2 || records.first().is_none_or(|first| &first.key != key) {
            return Ok(());
        }
        self.counts.duplicates[side.index()] += 1;
        (self.see)(&Match::Duplicates {
            flow: self.flow.name.clone(),
            side,
            records,
        });
        Ok(())
    }
}

fn shown(cluster: &Cluster, key: &RecordKey) -> Shown {
    let record = cluster.records.get(key);
    Shown {
        key: key.clone(),
        values: record
            .map(|record| record.shadow.values.clone())
            .unwrap_or_default(),
    }
}

fn scored(flow: &Flow, cluster: &Cluster, first: &RecordKey, second: &RecordKey) -> ScoredPair {
    let (first, second) = (shown(cluster, first), shown(cluster, second));
    ScoredPair {
        flow: flow.name.clone(),
        score: similarity(flow, &first.values, &second.values),
        first,
        second,
    }
}
