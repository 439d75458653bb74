//! Taking clusters from the model.

use super::books::{Books, Entry};
use super::facts;
use crate::contract::{Dirty, Taken};
use crate::load::writes_record;
use crate::outbox::{destination, subject};
use crate::take::CANDIDATE_LIMIT;
use jiff::Timestamp;
use std::collections::BTreeSet;
use tandem_merge::cluster::{Anchor, Cluster, Intent, Record};
use tandem_merge::dataflow::Dataflow;
use tandem_merge::facts::Needs;
use tandem_merge::mutation::{Mutation, removed};
use tandem_merge::record::{Observation, RecordKey};

/// Dirty clusters of rank <= `rank` in (rank, age) order.
pub(super) fn dirty(
    books: &Books,
    flows: &Dataflow,
    rank: usize,
    limit: usize,
    now: Timestamp,
) -> Vec<Dirty> {
    let mut seeds: Vec<(usize, u64, &RecordKey)> = Vec::new();
    for (key, mark) in &books.dirty {
        let own = flows.rank(&key.record_type);
        if own <= rank && !held(books, key) {
            seeds.push((own, mark.age, key));
        }
    }
    seeds.sort();
    let mut used = BTreeSet::new();
    let mut taken = Vec::new();
    for (_, _, seed) in seeds {
        if taken.len() == limit {
            break;
        }
        let (members, needs) = gather(books, flows, &[seed], &BTreeSet::new());
        if members.is_disjoint(&used) {
            taken.push(hand_out(books, flows, &members, needs, now));
            used.extend(members);
        }
    }
    taken
}

/// The lowest rank behind another one in which anything is dirty, or a create waits to be sent.
pub(super) fn next_rank(books: &Books, flows: &Dataflow, after: Option<usize>) -> Option<usize> {
    let dirty = books.dirty.keys().map(|key| flows.rank(&key.record_type));
    let waits = |intent: &&Intent| intent.sent.is_none() && destination(&intent.action).1;
    let waiting = books.intents.values().filter(waits).map(|intent| intent.rank);
    let behind = |rank: &usize| after.is_none_or(|after| *rank > after);
    dirty.chain(waiting).filter(behind).min()
}

/// The clusters of these records; one entry each.
pub(super) fn of_records(books: &Books, flows: &Dataflow, seeds: &[RecordKey], now: Timestamp) -> Vec<Dirty> {
    let mut used = BTreeSet::new();
    let mut taken = Vec::new();
    for seed in seeds {
        if !used.contains(seed) {
            let (members, needs) = gather(books, flows, &[seed], &used);
            taken.push(hand_out(books, flows, &members, needs, now));
            used.extend(members);
        }
    }
    taken
}

/// The clusters of groups of records; none for a group that shares a record with one before it.
pub(super) fn together(
    books: &Books,
    flows: &Dataflow,
    groups: &[Vec<RecordKey>],
    now: Timestamp,
) -> Vec<Option<Dirty>> {
    let mut used = BTreeSet::new();
    let mut take = |group: &Vec<RecordKey>| {
        let known = group.iter().filter(|key| books.records.contains_key(*key));
        let seeds: Vec<&RecordKey> = known.collect();
        let (members, needs) = gather(books, flows, &seeds, &BTreeSet::new());
        if !members.is_disjoint(&used) {
            return None;
        }
        used.extend(members.iter().cloned());
        Some(hand_out(books, flows, &members, needs, now))
    };
    groups.iter().map(&mut take).collect()
}

/// One cluster as it is stored, without candidates.
pub(super) fn as_it_is(books: &Books, seed: &RecordKey) -> Cluster {
    cluster(books, &tied(books, seed))
}

/// A record and all that links tie to it.
pub(super) fn tied(books: &Books, seed: &RecordKey) -> BTreeSet<RecordKey> {
    let mut members = BTreeSet::new();
    join(books, seed, &BTreeSet::new(), &mut members);
    members
}

fn gather(
    books: &Books,
    flows: &Dataflow,
    seeds: &[&RecordKey],
    without: &BTreeSet<RecordKey>,
) -> (BTreeSet<RecordKey>, Needs) {
    let mut members = BTreeSet::new();
    for seed in seeds {
        join(books, seed, without, &mut members);
    }
    loop {
        let inbox: Vec<Observation> = inbox(books, &members).into_iter().map(|(_, seen)| seen).collect();
        let needs = tandem_merge::reconcile::needs(flows, &cluster(books, &members), &inbox);
        let before = members.len();
        for (_, candidate) in candidates(books, &needs) {
            if members.len() < CANDIDATE_LIMIT {
                join(books, candidate, without, &mut members);
            }
        }
        if members.len() == before {
            return (members, needs);
        }
    }
}

fn candidates<'a>(books: &'a Books, needs: &Needs) -> BTreeSet<(u64, &'a RecordKey)> {
    let found = |entry: &Entry| !entry.keys.is_disjoint(&needs.keys);
    let records = books.records.iter();
    records
        .filter(|(key, entry)| found(entry) || needs.records.contains(key))
        .map(|(key, entry)| (entry.number, key))
        .collect()
}

/// Adds a record and all that links tie to it.
fn join(books: &Books, seed: &RecordKey, without: &BTreeSet<RecordKey>, members: &mut BTreeSet<RecordKey>) {
    if without.contains(seed) || !members.insert(seed.clone()) {
        return;
    }
    for (_, link) in books.links.values() {
        if &link.first == seed {
            join(books, &link.second, without, members);
        }
        if &link.second == seed {
            join(books, &link.first, without, members);
        }
    }
}

/// Its own write is under way: what is seen of it waits for the outcome.
fn held(books: &Books, key: &RecordKey) -> bool {
    books.in_flight(key) && !removed(Mutation::NotHeldInFlight)
}

/// The inbox rows of records whose own write is not under way.
fn inbox(books: &Books, members: &BTreeSet<RecordKey>) -> Vec<(u64, Observation)> {
    let rows = books.inbox.iter();
    rows.filter(|(_, seen)| members.contains(&seen.key) && !held(books, &seen.key))
        .map(|(seq, seen)| (*seq, seen.clone()))
        .collect()
}

fn cluster(books: &Books, members: &BTreeSet<RecordKey>) -> Cluster {
    let mut cluster = Cluster::default();
    for key in members {
        let entry = &books.records[key];
        if let Some(state) = &entry.state {
            let record = Record {
                intent: books.own_write(key).cloned(),
                companions: entry.companions.clone(),
                ..state.clone()
            };
            cluster.records.insert(key.clone(), record);
        }
        for (property, head) in &entry.heads {
            let anchor = Anchor {
                record: key.clone(),
                property: property.clone(),
            };
            cluster.heads.insert(anchor, head.clone());
        }
        cluster.questions.extend(entry.questions.clone());
    }
    cluster.questions.sort_by(|a, b| a.anchor.cmp(&b.anchor));
    let links = books.links.values().map(|(_, link)| link);
    let inside = links.filter(|link| members.contains(&link.first) && members.contains(&link.second));
    cluster.links = inside.cloned().collect();
    let creates = books.intents.values().filter(|intent| !writes_record(intent));
    cluster.creates = creates
        .filter(|intent| members.contains(subject(&intent.action)))
        .cloned()
        .collect();
    cluster
}

fn hand_out(
    books: &Books,
    flows: &Dataflow,
    members: &BTreeSet<RecordKey>,
    needs: Needs,
    now: Timestamp,
) -> Dirty {
    let cluster = cluster(books, members);
    let rows = inbox(books, members);
    let entries = members.iter().map(|key| &books.records[key]);
    let facts = facts::answer(books, flows, members, needs, now);
    Dirty {
        cluster,
        facts,
        token: Taken {
            inbox: rows.iter().map(|(seq, _)| *seq).collect(),
            records: entries.map(|entry| (entry.number, entry.revision)).collect(),
            marks: books.clock,
        },
        inbox: rows.into_iter().map(|(_, seen)| seen).collect(),
    }
}
