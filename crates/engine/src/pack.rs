//! Packing: searches per type and property list, writes per kind and type.

use std::collections::{BTreeMap, BTreeSet};
use tandem_connector::{Connector, Error};
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

/// Looks everything up in the fewest calls. Records are given to every search whose values they have,
/// compared without regard to case and surrounding white space. Searches with a blank value find nothing.
pub(crate) async fn find_all(system: &dyn Connector, searches: &[Search<'_>]) -> Result<Found, Error> {
    let mut packs: BTreeMap<(&RecordType, &[String]), Vec<&Search<'_>>> = BTreeMap::new();
    for search in searches {
        if !search.lookup.values.iter().any(Value::is_blank) {
            let pack = (search.record_type, search.lookup.properties.as_slice());
            packs.entry(pack).or_default().push(search);
        }
    }
    let mut found = Found::new();
    for ((record_type, properties), searches) in packs {
        let mut wanted: BTreeMap<Vec<String>, Vec<u64>> = BTreeMap::new();
        let mut values = BTreeSet::new();
        for search in searches {
            let key = search.lookup.values.iter().map(loose).collect();
            wanted.entry(key).or_default().push(search.intent);
            values.insert(search.lookup.values.clone());
        }
        let values: Vec<Vec<Value>> = values.into_iter().collect();
        for values in values.chunks(system.capabilities().find_batch.max(1)) {
            for row in system.find(record_type, properties, values).await? {
                let key: Vec<String> = properties.iter().map(|name| shown(&row, name)).collect();
                for intent in wanted.get(&key).into_iter().flatten() {
                    found.entry(*intent).or_default().push(row.clone());
                }
            }
        }
    }
    Ok(found)
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

/// Intents in sending order, cut into batches of at most `size`, one kind and, among deletions, one rank
/// each: companions, creates by rank, updates, deletions children first.
pub(crate) fn batches(intents: &[Intent], size: usize) -> Vec<Vec<u64>> {
    let mut kinds: BTreeMap<(u8, usize, &RecordType), Vec<u64>> = BTreeMap::new();
    for intent in intents {
        let (kind, rank) = match &intent.action {
            Action::Companion { .. } => (0, intent.rank),
            Action::Create { .. } => (1, intent.rank),
            Action::Update { .. } => (2, 0),
            Action::Delete { .. } => (3, usize::MAX - intent.rank),
        };
        let batch = kinds.entry((kind, rank, target(intent))).or_default();
        batch.push(intent.id);
    }
    let cut = |ids: Vec<u64>| ids.chunks(size.max(1)).map(<[u64]>::to_vec).collect::<Vec<_>>();
    kinds.into_values().flat_map(cut).collect()
}

/// How many creates to take at once, so that both searches and writes fill their calls.
pub(crate) fn creates_at_once(system: &dyn Connector) -> usize {
    let (find, write) = (
        system.capabilities().find_batch,
        system.capabilities().write_batch,
    );
    let (find, write) = (find.clamp(1, 2_000), write.clamp(1, 2_000));
    let fits = (1..=4).map(|times| find * times).find(|size| size % write == 0);
    fits.unwrap_or(find * 2).clamp(write, 4_000.max(write))
}
