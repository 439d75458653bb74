//! Packing: searches per type and property list, writes per kind and type.

use crate::apart::{Doubt, halved};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tandem_connector::{Capabilities, Connector, Error, Lane};
use tandem_merge::cluster::{Action, Intent, Lookup};
use tandem_merge::record::{Observation, RecordType};
use tandem_merge::value::Value;

/// Something to look for on behalf of an intent.
pub(crate) struct Search<'a> {
    /// The intent's number.
    pub(crate) intent: u64,
    /// Among records of this type.
    pub(crate) record_type: &'a RecordType,
    /// By these properties.
    pub(crate) lookup: Lookup,
}

/// What searches found, by intent.
pub(crate) type Found = BTreeMap<u64, Vec<Observation>>;

/// What searches came to. Every one found what there is, or could not be made.
#[derive(Debug, Default)]
pub(crate) struct Sought {
    pub(crate) found: Found,
    /// Searches, by intent, that fail although their system is there, with what was answered.
    pub(crate) failed: BTreeMap<u64, Error>,
}

/// Looks everything up in the fewest calls. Records are given to every search whose values they have,
/// compared without regard to case and surrounding white space. Searches with a blank value find nothing. What fails
/// together is looked up in halves, until what cannot be looked up is alone. What the system described meanwhile is left
/// in the doubt.
pub(crate) async fn find_all(
    system: &dyn Connector,
    searches: &[Search<'_>],
    doubt: &mut Doubt,
) -> Result<Sought, Error> {
    let mut packs: BTreeMap<(&RecordType, &[String]), Vec<&Search<'_>>> = BTreeMap::new();
    for search in searches {
        if !search.lookup.values.iter().any(Value::is_blank) {
            let pack = (search.record_type, search.lookup.properties.as_slice());
            packs.entry(pack).or_default().push(search);
        }
    }
    let mut sought = Sought::default();
    for ((record_type, properties), searches) in packs {
        let mut wanted: BTreeMap<Vec<String>, Vec<u64>> = BTreeMap::new();
        let mut values = BTreeSet::new();
        for search in searches {
            let key = search.lookup.values.iter().map(loose).collect();
            wanted.entry(key).or_default().push(search.intent);
            values.insert(search.lookup.values.clone());
        }
        let values: Vec<Vec<Value>> = values.into_iter().collect();
        let chunks = values.chunks(system.capabilities().find_batch.max(1));
        let mut chunks: VecDeque<Vec<Vec<Value>>> = chunks.map(<[_]>::to_vec).collect();
        while let Some(mut values) = chunks.pop_front() {
            match system.find(record_type, properties, &values).await {
                Ok(rows) => {
                    doubt.went_well();
                    for row in rows {
                        let key: Vec<String> = properties.iter().map(|name| shown(&row, name)).collect();
                        for intent in wanted.get(&key).into_iter().flatten() {
                            sought.found.entry(*intent).or_default().push(row.clone());
                        }
                    }
                }
                Err(error) => {
                    let error = without(error, &values);
                    doubt.failed(system, &error).await?;
                    if let Some(rest) = halved(&mut values, sought.failed.len(), &error) {
                        chunks.push_front(rest);
                        chunks.push_front(values);
                        continue;
                    }
                    let keys = values.iter().map(|key| key.iter().map(loose).collect());
                    let own = keys.filter_map(|key: Vec<String>| wanted.get(&key)).flatten();
                    sought.failed.extend(own.map(|intent| (*intent, error.clone())));
                }
            }
        }
    }
    doubt.end(system).await?;
    Ok(sought)
}

/// What went wrong, without the values that were looked for: a system's words may repeat the question.
fn without(error: Error, values: &[Vec<Value>]) -> Error {
    let message = tandem_merge::privacy::without(&error.message, values.iter().flatten());
    Error { message, ..error }
}

fn shown(row: &Observation, property: &str) -> String {
    row.values.get(property).map(loose).unwrap_or_default()
}

/// A value as searches compare it.
pub(crate) fn loose(value: &Value) -> String {
    value.to_string().trim().to_lowercase()
}

/// The type of record that an intent writes.
pub(crate) fn target(intent: &Intent) -> &RecordType {
    match &intent.action {
        Action::Create { target, .. } | Action::Companion { target, .. } => target,
        Action::Update { record } | Action::Delete { record } => &record.record_type,
    }
}

/// Whether an intent creates a record or a companion.
pub(crate) fn creates(intent: &Intent) -> bool {
    matches!(intent.action, Action::Create { .. } | Action::Companion { .. })
}

/// Writes that are handed over together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) lane: Lane,
    /// Nothing else is under way to its system meanwhile: a deletion, which waits for all before it, or a load.
    pub(crate) alone: bool,
    /// Numbers of intents.
    pub(crate) intents: Vec<u64>,
}

/// Attempts after which a write travels by itself, where its answer comes at once.
const LOADS: u32 = 2;

/// Intents in sending order, cut into batches of one kind and, among creates and deletions, one rank and type:
/// companions, creates by rank, updates, deletions children first. Many of one kind and type make a load; other
/// updates travel together whatever their types.
pub(crate) fn batches(intents: &[Intent], limits: &Capabilities) -> Vec<Batch> {
    let mut waiting: BTreeMap<(u8, usize, &RecordType), usize> = BTreeMap::new();
    for intent in intents.iter().filter(|intent| may_wait(intent, limits)) {
        let (kind, rank) = place(intent);
        *waiting.entry((kind, rank, target(intent))).or_default() += 1;
    }
    let mut kinds: BTreeMap<(u8, usize, Option<&RecordType>, Lane), Vec<u64>> = BTreeMap::new();
    for intent in intents {
        let (kind, rank) = place(intent);
        let count = waiting.get(&(kind, rank, target(intent))).copied();
        let loaded =
            count.is_some_and(|count| count > worth_a_load(kind, limits)) && may_wait(intent, limits);
        let lane = if loaded { Lane::Load } else { Lane::Live };
        let of = Some(target(intent)).filter(|_| loaded || kind != UPDATE);
        kinds.entry((kind, rank, of, lane)).or_default().push(intent.id);
    }
    let mut batches = Vec::new();
    for ((kind, _, _, lane), intents) in kinds {
        let load = limits.load.filter(|_| lane == Lane::Load);
        let size = load.map_or(limits.write_batch, |load| load.batch);
        batches.extend(intents.chunks(size.max(1)).map(|intents| Batch {
            lane,
            alone: kind == DELETION || lane == Lane::Load,
            intents: intents.to_vec(),
        }));
    }
    batches
}

/// The kind of an update, as a place in the order of sending.
const UPDATE: u8 = 2;
/// The kind of a deletion.
const DELETION: u8 = 3;

/// Where an intent stands in the order of sending: kind and rank.
fn place(intent: &Intent) -> (u8, usize) {
    match &intent.action {
        Action::Companion { .. } => (0, intent.rank),
        Action::Create { .. } => (1, intent.rank),
        Action::Update { .. } => (UPDATE, 0),
        Action::Delete { .. } => (DELETION, usize::MAX - intent.rank),
    }
}

/// With more writes of a kind and type than this they make a load.
fn worth_a_load(kind: u8, limits: &Capabilities) -> usize {
    let above = limits.load.and_then(|load| match kind {
        UPDATE => load.updates,
        _ => Some(load.above),
    });
    above.unwrap_or(usize::MAX)
}

/// Whether a write may be part of a load.
fn may_wait(intent: &Intent, limits: &Capabilities) -> bool {
    let kind = match &intent.action {
        Action::Create { .. } | Action::Companion { .. } => true,
        Action::Update { .. } => limits.load.is_some_and(|load| load.updates.is_some()),
        Action::Delete { .. } => false,
    };
    kind && intent.attempts < LOADS && !intent.unknown
}

/// As many creates as are taken at once end within a rank: types of it of which too few are among them for a load wait
/// for the rest of theirs, while others go on.
pub(crate) fn without_beginnings(
    mut intents: Vec<Intent>,
    taken: usize,
    limits: &Capabilities,
) -> Vec<Intent> {
    let (Some(last), Some(load)) = (intents.last().map(|intent| intent.rank), limits.load) else {
        return intents;
    };
    let mut counts: BTreeMap<RecordType, usize> = BTreeMap::new();
    for intent in intents.iter().filter(|intent| intent.rank == last) {
        *counts.entry(target(intent).clone()).or_default() += 1;
    }
    let begins = |intent: &Intent| {
        intent.rank == last
            && counts
                .get(target(intent))
                .is_some_and(|count| *count <= load.above)
    };
    if intents.len() >= taken && intents.iter().any(|intent| !begins(intent)) {
        intents.retain(|intent| !begins(intent));
    }
    intents
}

/// How many updates and deletions to take at once.
pub(crate) fn changes_at_once(limits: &Capabilities) -> usize {
    let load = limits.load.and_then(|load| Some((load, load.updates?)));
    let protected = limits.protect_all(|of| of.conditional_write);
    let least = if protected { UPDATES } else { 0 };
    let many = load.map_or(0, |(load, above)| (LOOK_AHEAD * load.batch).max(above + 1));
    limits.write_batch.max(least).max(many)
}

/// Updates taken at once where a condition protects them.
const UPDATES: usize = 1_000;

/// Batches of a load that are looked at together.
const LOOK_AHEAD: usize = 3;

/// How many creates to take at once, so that both searches and writes fill their calls and a load shows.
pub(crate) fn creates_at_once(system: &dyn Connector) -> usize {
    if let Some(load) = system.capabilities().load {
        return LOOK_AHEAD * load.batch.max(load.above + 1);
    }
    let (find, write) = (
        system.capabilities().find_batch,
        system.capabilities().write_batch,
    );
    let (find, write) = (find.clamp(1, 2_000), write.clamp(1, 2_000));
    let fits = (1..=4).map(|times| find * times).find(|size| size % write == 0);
    fits.unwrap_or(find * 2).clamp(write, 4_000.max(write))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jiff::SignedDuration;
    use tandem_connector::{Load, Protection};
    use tandem_merge::record::RecordKey;

    fn creates(of: &str, rank: usize, count: usize) -> Vec<Intent> {
        let one = |number: usize| Intent {
            id: number as u64,
            action: Action::Create {
                flow: "flow".to_owned(),
                source: RecordKey::new("erp", "Line", number.to_string()),
                target: RecordType::new("crm", of),
                lookup: None,
                reservation: String::new(),
                identity: None,
                left_out: std::collections::BTreeSet::new(),
                apart: std::collections::BTreeSet::new(),
                scope: Vec::new(),
            },
            values: BTreeMap::new(),
            version: None,
            before: BTreeMap::new(),
            sent: None,
            first_sent: None,
            attempts: 0,
            unknown: false,
            rank,
            reason: String::new(),
            follows: false,
            trace: tandem_merge::trace::Trace::NONE,
        };
        (0..count).map(one).collect()
    }

    fn limits() -> Capabilities {
        Capabilities {
            usual: Protection::default(),
            of_types: BTreeMap::new(),
            idempotency_life: SignedDuration::MAX,
            request_deadline: SignedDuration::from_secs(5),
            commit_delay: SignedDuration::from_secs(5),
            write_batch: 10,
            find_batch: 10,
            fetch_batch: 10,
            answers_with_state: false,
            load: Some(Load {
                above: 5,
                batch: 10,
                updates: None,
            }),
            asks_by_type: true,
        }
    }

    fn kept(intents: Vec<Intent>, taken: usize) -> Vec<(String, usize)> {
        let mut counts = BTreeMap::new();
        for intent in without_beginnings(intents, taken, &limits()) {
            *counts.entry(target(&intent).name.clone()).or_insert(0) += 1;
        }
        counts.into_iter().collect()
    }

    #[test]
    fn the_beginning_of_a_load_waits_for_the_rest_of_it_while_others_go_on() {
        let small = || creates("Small", 1, 3);
        let lines = || [small(), creates("Line", 2, 8), creates("Note", 2, 4)].concat();
        let of = |name: &str, count: usize| (name.to_owned(), count);
        // Cut off within rank 2: of notes there may be more. Rank 1 is whole.
        assert_eq!(kept(lines(), 15), [of("Line", 8), of("Small", 3)]);
        // All there are.
        assert_eq!(kept(lines(), 16), [of("Line", 8), of("Note", 4), of("Small", 3)]);
        // Nothing else would go on.
        assert_eq!(kept(creates("Note", 2, 4), 4), [of("Note", 4)]);
    }
}
