//! Taking whole clusters for decisions: from a record along links, then over match keys to candidates.

use crate::begun::Begun;
use crate::contract::{Dirty, Taken};
use crate::db::{Db, Rid, Trouble};
use crate::facts::{self, Overall};
use crate::gathered::{Gathered, Member};
use crate::load::{self, LinkLine, Row};
use crate::named::Named;
use crate::parts::Parts;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use tandem_merge::cluster::{Anchor, Cluster, Link};
use tandem_merge::dataflow::Dataflow;
use tandem_merge::facts::{Facts, Needs};
use tandem_merge::mutation::{Mutation, removed};
use tandem_merge::record::{Observation, RecordKey};

/// A cluster grows no further over match keys beyond this many records.
pub(crate) const CANDIDATE_LIMIT: usize = 200;

/// What is gathered of one cluster.
#[derive(Default)]
pub(crate) struct Net {
    /// The records by number, admitted or not.
    pub(crate) rows: BTreeMap<Rid, (Row, RecordKey)>,
    /// The state, links apart until it is finished.
    pub(crate) cluster: Cluster,
    links: BTreeMap<i64, LinkLine>,
    inbox: BTreeMap<i64, Observation>,
}

/// Dirty clusters of rank <= `rank` in (rank, age) order.
pub(crate) fn dirty(
    db: &Db,
    flows: &Dataflow,
    rank: usize,
    limit: usize,
    now: Timestamp,
) -> Result<Vec<Dirty>, Trouble> {
    let mut ranks = ranks(db, flows)?;
    ranks.retain(|of, _| *of <= rank);
    if ranks.is_empty() {
        return Ok(Vec::new());
    }
    let overall = Overall::read(db, flows, now)?;
    let mut taken = Batch::new(db, flows, &overall);
    for kinds in ranks.values() {
        let mut after = 0;
        while taken.taken.len() < limit {
            let Some(seeds) = seeds(db, kinds, after, limit)? else {
                break;
            };
            let mut left = seeds.as_slice();
            while !left.is_empty() && taken.taken.len() < limit {
                // No more are begun than may be taken: each is gathered whole.
                let (part, rest) = left.split_at(left.len().min(limit - taken.taken.len()));
                taken.read(part.iter().map(|(_, seed)| *seed))?;
                for (seq, seed) in part {
                    after = *seq;
                    taken.take(&[*seed])?;
                }
                left = rest;
            }
        }
    }
    taken.told()
}

/// The numbers of the types of which any record is dirty, by rank.
fn ranks(db: &Db, flows: &Dataflow) -> Result<BTreeMap<usize, Vec<i64>>, Trouble> {
    let mut ranks: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
    let sql = "SELECT number FROM kind WHERE EXISTS (SELECT 1 FROM dirty WHERE dirty.kind = number)";
    let kinds: Vec<i64> = db.all(sql, [], |row| row.get(0))?;
    for kind in kinds {
        let rank = flows.rank(&db.record_type(kind)?);
        ranks.entry(rank).or_default().push(kind);
    }
    Ok(ranks)
}

/// The lowest rank behind another one in which anything is dirty, or a create waits to be sent.
pub(crate) fn next_rank(db: &Db, flows: &Dataflow, after: Option<usize>) -> Result<Option<usize>, Trouble> {
    let from = after.map_or(0, |rank| rank + 1);
    let mut next = ranks(db, flows)?.range(from..).next().map(|(rank, _)| *rank);
    for system in &flows.systems {
        let waiting = crate::outbox::next_create(db, system, from)?;
        next = next.into_iter().chain(waiting).min();
    }
    Ok(next)
}

/// The next dirty records of these types by age, none of whose own write is under way.
fn seeds(db: &Db, kinds: &[i64], after: i64, limit: usize) -> Result<Option<Vec<(i64, Rid)>>, Trouble> {
    let sql = "SELECT dirty.seq, dirty.rid FROM dirty JOIN record USING (rid)
               WHERE dirty.kind = ?1 AND dirty.seq > ?2 AND record.sent <= ?4 ORDER BY dirty.seq LIMIT ?3";
    let in_flight = removed(Mutation::NotHeldInFlight);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut seeds = Vec::new();
    for kind in kinds {
        seeds.extend(db.all(sql, (kind, after, limit, in_flight), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?);
    }
    seeds.sort_unstable();
    // Of several types each list ends somewhere else: only what is older than all ends is in order.
    seeds.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok((!seeds.is_empty()).then_some(seeds))
}

/// The clusters of these records; one entry each.
pub(crate) fn of_records(
    db: &Db,
    flows: &Dataflow,
    seeds: &[Rid],
    overall: &Overall,
) -> Result<Vec<Dirty>, Trouble> {
    let mut taken = Batch::new(db, flows, overall);
    taken.read(seeds.iter().copied())?;
    for seed in seeds {
        taken.take_without_used(*seed)?;
    }
    taken.told()
}

/// The clusters of groups of records; none for a group that shares a record with one before it.
pub(crate) fn together(
    db: &Db,
    flows: &Dataflow,
    groups: &[Vec<RecordKey>],
    overall: &Overall,
) -> Result<Vec<Option<Dirty>>, Trouble> {
    let mut taken = Batch::new(db, flows, overall);
    let mut kept = Vec::new();
    for group in groups {
        let seeds: Vec<Option<Rid>> = group.iter().map(|key| db.rid(key)).collect::<Result<_, _>>()?;
        let seeds: Vec<Rid> = seeds.into_iter().flatten().collect();
        kept.push(taken.take(&seeds)?);
    }
    let mut told = taken.told()?.into_iter();
    Ok(kept
        .into_iter()
        .map(|kept| if kept { told.next() } else { None })
        .collect())
}

/// One cluster as it is stored, without candidates.
pub(crate) fn as_it_is(db: &Db, seed: Rid) -> Result<Cluster, Trouble> {
    Ok(as_gathered(db, &mut Gathered::default(), seed)?.cluster)
}

/// The same of what was gathered, with its rows.
pub(crate) fn as_gathered(db: &Db, gathered: &mut Gathered, seed: Rid) -> Result<Net, Trouble> {
    let mut net = Net::default();
    net.join(db, gathered, seed, &HashSet::new())?;
    net.finish()?;
    Ok(net)
}

/// Clusters taken so far; no record is part of two.
struct Batch<'a> {
    db: &'a Db,
    flows: &'a Dataflow,
    overall: &'a Overall,
    gathered: Gathered,
    begun: Begun,
    used: HashSet<Rid>,
    /// What was taken, and what each needs to know.
    taken: Vec<(Net, Needs)>,
}

impl<'a> Batch<'a> {
    fn new(db: &'a Db, flows: &'a Dataflow, overall: &'a Overall) -> Self {
        Self {
            db,
            flows,
            overall,
            gathered: Gathered::default(),
            begun: Begun::default(),
            used: HashSet::new(),
            taken: Vec::new(),
        }
    }

    /// Begins the clusters of records that were not taken yet, all at once.
    fn read(&mut self, seeds: impl Iterator<Item = Rid>) -> Result<(), Trouble> {
        let open: Vec<Rid> = seeds.filter(|seed| !self.used.contains(seed)).collect();
        self.begun.begin(self.db, self.flows, &mut self.gathered, &open)
    }

    /// Takes the clusters of records as one, unless a part of it was taken with another: then it waits for that one.
    /// Whether it was taken.
    fn take(&mut self, seeds: &[Rid]) -> Result<bool, Trouble> {
        if seeds.iter().any(|seed| self.used.contains(seed)) {
            return Ok(false);
        }
        let (net, needs) = self.gather(seeds, &HashSet::new())?;
        if net.rows.keys().any(|rid| self.used.contains(rid)) {
            return Ok(false);
        }
        self.keep(net, needs);
        Ok(true)
    }

    /// Takes a record's cluster without the candidates that were taken with another.
    fn take_without_used(&mut self, seed: Rid) -> Result<(), Trouble> {
        if self.used.contains(&seed) {
            return Ok(());
        }
        let used = std::mem::take(&mut self.used);
        let gathered = self.gather(&[seed], &used);
        self.used = used;
        let (net, needs) = gathered?;
        self.keep(net, needs);
        Ok(())
    }

    /// Gathers records' clusters with their candidates, whole clusters each, and says what they need to know.
    fn gather(&mut self, seeds: &[Rid], without: &HashSet<Rid>) -> Result<(Net, Needs), Trouble> {
        let mut net = Net::default();
        let mut known = None;
        for seed in seeds {
            let alone = net.rows.is_empty();
            known = self.join(&mut net, *seed, without)?.filter(|_| alone);
        }
        loop {
            let needs = match known.take() {
                Some(needs) => needs,
                None => net.needs(self.flows)?,
            };
            let before = net.rows.len();
            for candidate in self.candidates(&needs)? {
                if net.rows.len() < CANDIDATE_LIMIT {
                    self.join(&mut net, candidate, without)?;
                }
            }
            if net.rows.len() == before {
                return Ok((net, needs));
            }
        }
    }

    /// Adds a record and all that links tie to it, as it was begun, where it was. Answers what that needs to know.
    fn join(&mut self, net: &mut Net, rid: Rid, without: &HashSet<Rid>) -> Result<Option<Needs>, Trouble> {
        if net.rows.contains_key(&rid) || without.contains(&rid) {
            return Ok(None);
        }
        if let Some((begun, needs)) = self.begun.take(rid)
            && !begun.rows.keys().any(|rid| without.contains(rid))
        {
            match net.rows.is_empty() {
                true => *net = begun,
                false => net.absorb(begun),
            }
            return Ok(Some(needs));
        }
        net.join(self.db, &mut self.gathered, rid, without)?;
        Ok(None)
    }

    fn candidates(&mut self, needs: &Needs) -> Result<BTreeSet<Rid>, Trouble> {
        let keys = needs.keys.iter().map(crate::hash::match_key).collect();
        let mut all = self.begun.found_by(self.db, &keys)?;
        for key in &needs.records {
            all.extend(self.db.rid(key)?);
        }
        Ok(all)
    }

    fn keep(&mut self, net: Net, needs: Needs) {
        self.used.extend(net.rows.keys());
        self.taken.push((net, needs));
    }

    /// What was taken, with what each needs to know: that is looked up for all at once.
    fn told(self) -> Result<Vec<Dirty>, Trouble> {
        let Self {
            db,
            flows,
            overall,
            taken,
            gathered,
            begun,
            ..
        } = self;
        // What is looked up now takes its place.
        drop((gathered, begun));
        let (nets, needs): (Vec<Net>, Vec<Needs>) = taken.into_iter().unzip();
        let named = Named::look_up(db, flows, &needs)?;
        let mut parts = Parts::look_up(db, &needs)?;
        let tell = |(net, needs): (Net, &Needs)| {
            let facts = facts::answer(db, flows, &net, needs, &named, &mut parts, overall)?;
            Ok(net.told(facts, db.now().cast_unsigned()))
        };
        nets.into_iter().zip(&needs).map(tell).collect()
    }
}

impl Net {
    /// Adds another cluster.
    fn absorb(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.links.extend(other.links);
        self.inbox.extend(other.inbox);
        let Cluster {
            records,
            heads,
            creates,
            questions,
            ..
        } = other.cluster;
        self.cluster.records.extend(records);
        self.cluster.heads.extend(heads);
        self.cluster.creates.extend(creates);
        self.cluster.questions.extend(questions);
    }

    /// What a decision about it needs to know.
    pub(crate) fn needs(&mut self, flows: &Dataflow) -> Result<Needs, Trouble> {
        self.finish()?;
        Ok(tandem_merge::reconcile::needs(
            flows,
            &self.cluster,
            self.inbox.values(),
        ))
    }

    /// Adds a record and all that links tie to it.
    pub(crate) fn join(
        &mut self,
        db: &Db,
        gathered: &mut Gathered,
        seed: Rid,
        without: &HashSet<Rid>,
    ) -> Result<(), Trouble> {
        let mut open = vec![seed];
        while let Some(rid) = open.pop() {
            if self.rows.contains_key(&rid) || without.contains(&rid) {
                continue;
            }
            let mut member = gathered.take(db, rid)?;
            for line in std::mem::take(&mut member.links) {
                open.extend([line.first, line.second]);
                self.links.insert(line.number, line);
            }
            self.add(db, member)?;
        }
        Ok(())
    }

    fn add(&mut self, db: &Db, member: Member) -> Result<(), Trouble> {
        let row = member.row;
        let key = row.key(db)?;
        let intents = member.intents.iter().map(load::IntentRow::intent);
        let mut intents = intents.collect::<Result<Vec<_>, _>>()?;
        let record = row.bare()?;
        for (property, head) in row.heads(&key, record.as_ref())? {
            let anchor = Anchor {
                record: key.clone(),
                property,
            };
            self.cluster.heads.insert(anchor, head);
        }
        if let Some(mut record) = record {
            record.companions = member.companions;
            let own = intents.iter().position(load::writes_record);
            record.intent = own.map(|at| intents.remove(at));
            self.cluster.records.insert(key.clone(), record);
        }
        self.cluster.creates.extend(intents);
        self.cluster.questions.extend(row.questions()?);
        if !row.sent || removed(Mutation::NotHeldInFlight) {
            self.inbox.extend(member.inbox);
        }
        self.rows.insert(row.rid, (row, key));
        Ok(())
    }

    /// Hands the cluster out with what it needs to know. `marks`: the count of changes.
    fn told(self, facts: Facts, marks: u64) -> Dirty {
        let revision =
            |(rid, (row, _)): (&Rid, &(Row, RecordKey))| (rid.cast_unsigned(), row.revision.cast_unsigned());
        let token = Taken {
            inbox: self.inbox.keys().map(|seq| seq.cast_unsigned()).collect(),
            records: self.rows.iter().map(revision).collect(),
            marks,
        };
        Dirty {
            cluster: self.cluster,
            inbox: self.inbox.into_values().collect(),
            facts,
            token,
        }
    }

    /// Puts links, creates and questions in their order.
    fn finish(&mut self) -> Result<(), Trouble> {
        let mut links = Vec::new();
        for line in self.links.values() {
            if let (Some((_, first)), Some((_, second))) =
                (self.rows.get(&line.first), self.rows.get(&line.second))
            {
                links.push(line.link(first.clone(), second.clone())?);
            }
        }
        self.cluster.links = links;
        self.cluster.creates.sort_by_key(|intent| intent.id);
        self.cluster.questions.sort_by(|a, b| a.anchor.cmp(&b.anchor));
        Ok(())
    }

    /// When the last deletion was seen on a live link of the flow, in shadows and inbox.
    pub(crate) fn last_gone(&self, flow: &str) -> Option<jiff::Timestamp> {
        use tandem_merge::record::Presence::Deleted;
        let linked = |key: &RecordKey| {
            let ties = |link: &Link| link.flow == flow && (&link.first == key || &link.second == key);
            self.cluster.links.iter().any(ties)
        };
        let records = self.cluster.records.iter();
        let shadows = records
            .filter(|(key, record)| record.shadow.presence == Deleted && linked(key))
            .map(|(_, record)| record.shadow.seen);
        let inbox = self.inbox.values();
        let rows = inbox
            .filter(|seen| seen.presence == Deleted && linked(&seen.key))
            .map(|seen| seen.read_began);
        shadows.chain(rows).max()
    }
}
