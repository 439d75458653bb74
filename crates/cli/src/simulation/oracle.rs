//! What must be true at rest, from the systems' own records and from what people typed.

use super::people::{is_shared, plain};
use super::world::World;
use std::collections::{BTreeMap, BTreeSet};
use tandem_engine::Engine;
use tandem_merge::dataflow::Side;
use tandem_merge::record::{Observation, RecordKey};

/// All that is wrong.
pub(super) async fn check(world: &World, engine: &mut Engine) -> Result<(), String> {
    let rows = world.records().await?.into_iter();
    let rows: BTreeMap<RecordKey, Observation> = rows.map(|row| (row.key.clone(), row)).collect();
    let mut wrong = Vec::new();
    edits_are_kept(world, engine, &rows, &mut wrong);
    one_record_per_identity(engine, &rows, &mut wrong);
    all_agree(world, engine, &rows, &mut wrong);
    wrong.extend(world.references.check(&world.people, &rows));
    wrong.extend(super::alone::check(engine, world.people.log(), &rows));
    dead_links_are_listed(engine, &rows, &mut wrong);
    world.lines.allow(u64::MAX);
    compared(engine, &mut wrong).await?;
    nothing_moves(world, engine, &mut wrong).await?;
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("; "))
    }
}

/// E5: every text that nobody typed over stands somewhere, or the history keeps it.
fn edits_are_kept(
    world: &World,
    engine: &mut Engine,
    rows: &BTreeMap<RecordKey, Observation>,
    wrong: &mut Vec<String>,
) {
    let present: BTreeSet<String> = rows
        .values()
        .flat_map(|row| row.values.values().map(plain))
        .collect();
    let history = engine.store().history(None, 0, 1_000_000).unwrap();
    let history = format!("{history:?}");
    for text in world.people.standing() {
        if !present.contains(text) && !history.contains(&format!("\"{text}\"")) {
            wrong.push(format!("E5: {text:?} is lost without trace"));
        }
    }
}

/// E3: no two records carry one identity, and none has two links in a group (R8).
fn one_record_per_identity(
    engine: &mut Engine,
    rows: &BTreeMap<RecordKey, Observation>,
    wrong: &mut Vec<String>,
) {
    let flows = engine.flows().clone();
    let mut seen = BTreeMap::new();
    for (key, row) in rows {
        for (flow, side) in flows.flows_of(&key.record_type) {
            let identity = flow.end(side).identity.as_ref();
            let Some(identity) = identity else { continue };
            let value = row.values.get(&identity.property).map(plain).unwrap_or_default();
            if value.is_empty() {
                continue;
            }
            let place = (key.record_type.clone(), identity.property.clone(), value);
            let other = seen.insert(place.clone(), key.clone());
            if other.as_ref().is_some_and(|other| other != key) {
                wrong.push(format!("E3: {key} and {other:?} both are for {}", place.2));
            }
        }
    }
    let mut ends = BTreeSet::new();
    for link in engine.store().links(None, 0, 100_000).unwrap() {
        let group = flows.flow(&link.flow).unwrap().group.clone();
        for end in [link.first, link.second] {
            if !ends.insert((group.clone(), end.clone())) {
                wrong.push(format!("R8: {end} has two links in {group}"));
            }
        }
    }
}

/// E8: what people typed into a shared property stands on both sides of a link, unless somebody is told why not.
fn all_agree(
    world: &World,
    engine: &mut Engine,
    rows: &BTreeMap<RecordKey, Observation>,
    wrong: &mut Vec<String>,
) {
    let flows = engine.flows().clone();
    for link in engine.store().links(None, 0, 100_000).unwrap() {
        let flow = flows.flow(&link.flow).unwrap();
        let (Some(first), Some(second)) = (rows.get(&link.first), rows.get(&link.second)) else {
            continue;
        };
        for mapping in flow.mappings.iter().filter(|mapping| is_shared(flow, mapping)) {
            let own = |row: &Observation, side| {
                row.values
                    .get(mapping.property(side))
                    .map(plain)
                    .unwrap_or_default()
            };
            let values = [own(first, Side::First), own(second, Side::Second)];
            let typed = values.iter().any(|value| world.people.typed(value));
            if !typed || values[0] == values[1] {
                continue;
            }
            let cluster = engine.store().cluster(&flows, &link.first).unwrap().unwrap();
            let parked = [(&link.first, Side::First), (&link.second, Side::Second)]
                .iter()
                .any(|(key, side)| {
                    let record = cluster.records.get(*key);
                    record.is_some_and(|it| {
                        it.parked.contains_key(mapping.property(*side)) || !it.held.is_empty()
                    })
                });
            if !parked && cluster.questions.is_empty() {
                wrong.push(format!(
                    "E8: {} and {} differ in {:?}: {values:?}",
                    link.first, link.second, mapping.properties
                ));
            }
        }
    }
}

/// E20: where an end of a link is not there, somebody is told.
fn dead_links_are_listed(
    engine: &mut Engine,
    rows: &BTreeMap<RecordKey, Observation>,
    wrong: &mut Vec<String>,
) {
    let items = engine.store().items(0, 100_000).unwrap();
    for link in engine.store().links(None, 0, 100_000).unwrap() {
        let ends = [&link.first, &link.second];
        let told = items.iter().any(|item| ends.contains(&&item.record));
        if ends.iter().any(|end| !rows.contains_key(end)) && !told {
            wrong.push(format!(
                "E20: {} and {} are linked, one is not there and nobody is told",
                link.first, link.second
            ));
        }
    }
}

/// E8: Tandem's own comparison in full finds nothing either.
async fn compared(engine: &mut Engine, wrong: &mut Vec<String>) -> Result<(), String> {
    let found = engine.verify().await.map_err(|error| error.to_string())?;
    // A line that waits, such as one whose product a person deleted, keeps its parent's sum apart.
    let waits = !engine
        .store()
        .items(0, 1)
        .map_err(|error| error.to_string())?
        .is_empty();
    let differences: Vec<_> = found
        .differences
        .iter()
        .filter(|one| !waits || !one.what.contains("sums"))
        .collect();
    if !differences.is_empty() || found.duplicates > 0 || found.unlinked > 0 {
        wrong.push(format!("E8: verify: {differences:?}"));
    }
    let status = engine.status().map_err(|error| error.to_string())?;
    if status.outbox != (0, 0) || status.inbox != 0 {
        wrong.push(format!(
            "E8: at rest {:?} writes and {} observations wait",
            status.outbox, status.inbox
        ));
    }
    Ok(())
}

/// E7: another sync changes nothing.
async fn nothing_moves(world: &World, engine: &mut Engine, wrong: &mut Vec<String>) -> Result<(), String> {
    let before = world.states().await?;
    super::time::pause(60_000).await;
    world.sync(engine).await?;
    if world.states().await? != before {
        wrong.push("E7: at rest something is written".to_owned());
    }
    Ok(())
}
