//! One edit per flow and direction, made by a person, timed until the other side shows it.

use super::people::People;
use crate::failure::Failure;
use crate::screen::Screen;
use serde::Serialize;
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tandem_connector::TypeSchema;
use tandem_engine::Engine;
use tandem_merge::dataflow::{Direction, Flow, Kind, Mapping, Side};
use tandem_merge::record::RecordKey;
use tandem_merge::support;
use tandem_merge::value::Value;

/// Between two looks at the other side.
const LOOK: Duration = Duration::from_millis(50);
/// Syncs after which an edit counts as lost.
const SYNCS: usize = 5;
/// Links looked through for a record that was not edited yet.
const LINKS: usize = 200;

/// An edit that a person made.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Edit {
    /// The flow.
    pub(crate) flow: String,
    /// The side it was made on.
    pub(crate) side: String,
    /// The property, by the name on that side.
    pub(crate) property: String,
    /// Seconds until the other side showed it; none: it never did.
    pub(crate) seconds: Option<f64>,
}

/// An edit on its way.
struct Travelling<'a> {
    flow: &'a Flow,
    to: Side,
    from_property: &'a str,
    to_property: &'a str,
    target: String,
    before: Json,
    made: Instant,
    arrived: Option<Duration>,
}

/// Makes one edit per flow in each direction, and syncs until all have arrived.
pub(crate) async fn make(
    engine: &mut Engine,
    people: &People,
    screen: &Screen,
) -> Result<Vec<Edit>, Failure> {
    let flows = engine.flows().clone();
    let schemas = crate::loading::describe(&engine.systems().clone()).await?;
    let mut used: BTreeSet<RecordKey> = BTreeSet::new();
    let mut done = Vec::new();
    for from in Side::BOTH {
        let mut open: Vec<(&Flow, &Mapping)> = Vec::new();
        for flow in &flows.flows {
            let end = flow.end(from);
            let described = schemas[from.index()].types.get(&end.record_type.name);
            match choose(flow, from, described) {
                Some(mapping) => open.push((flow, mapping)),
                None => nothing(screen, flow, from),
            }
        }
        while !open.is_empty() {
            // Records that no edit touched come first; no record is edited twice at a time.
            let mut batch = BTreeSet::new();
            let (mut travelling, mut later) = (Vec::new(), Vec::new());
            for (flow, mapping) in open {
                let fresh = unused(engine, flow, &[&used, &batch])?;
                let pair = fresh.map_or_else(|| unused(engine, flow, &[&batch]), |pair| Ok(Some(pair)))?;
                match pair {
                    Some(pair) => {
                        travelling.push(edit(people, flow, mapping, from, &pair).await?);
                        batch.extend(pair);
                    }
                    None => later.push((flow, mapping)),
                }
            }
            if travelling.is_empty() {
                later.iter().for_each(|(flow, _)| nothing(screen, flow, from));
                break;
            }
            arrive(engine, people, &mut travelling).await?;
            used.extend(batch);
            done.extend(travelling.iter().map(|it| Edit::of(it, from)));
            open = later;
        }
    }
    Ok(done)
}

/// Activates an order from each side, or whatever else a flow says is written alone and locks: the last edits, for
/// what is locked nobody edits.
pub(crate) async fn activate_each_way(engine: &mut Engine, people: &People) -> Result<Vec<Edit>, Failure> {
    let flows = engine.flows().clone();
    let mut done = Vec::new();
    for from in Side::BOTH {
        let mut travelling = Vec::new();
        for flow in &flows.flows {
            for mapping in flow.mappings.iter().filter(|mapping| mapping.alone.is_some()) {
                if let Some(activation) = activate(engine, people, flow, mapping, from).await? {
                    travelling.push(activation);
                }
            }
        }
        arrive(engine, people, &mut travelling).await?;
        done.extend(travelling.iter().map(|it| Edit::of(it, from)));
    }
    Ok(done)
}

/// Sets a value that locks a record, such as `confirmed` of an order, on one that has parts and is not locked yet.
async fn activate<'a>(
    engine: &mut Engine,
    people: &People,
    flow: &'a Flow,
    mapping: &'a Mapping,
    from: Side,
) -> Result<Option<Travelling<'a>>, Failure> {
    let (Kind::Enum(map), Some(lock)) = (&mapping.kind, mapping.locks.first()) else {
        return Ok(None);
    };
    let flows = engine.flows().clone();
    let Some(parts) = flows.flows.iter().find(|parts| {
        parts
            .supports
            .as_ref()
            .is_some_and(|support| support.flow == flow.name)
    }) else {
        return Ok(None);
    };
    let Some(part) = unused(engine, parts, &[])? else {
        return Ok(None);
    };
    let Some(pair) = parents(engine, parts, &part)? else {
        return Ok(None);
    };
    let value = match from {
        Side::First => Some(lock),
        Side::Second => map.to_second.get(lock),
    };
    let value = Value::text(value.cloned().unwrap_or_default());
    set(people, flow, mapping, from, &pair, &value).await.map(Some)
}

/// The pair that a pair of parts belongs to.
fn parents(
    engine: &mut Engine,
    flow: &Flow,
    pair: &[RecordKey; 2],
) -> Result<Option<[RecordKey; 2]>, Failure> {
    let flows = engine.flows().clone();
    let Some(cluster) = engine.store().cluster(&flows, &pair[0])? else {
        return Ok(None);
    };
    let mut found = Side::BOTH.map(|side| {
        let values = &cluster.records.get(&pair[side.index()])?.shadow.values;
        let parent = support::parent(flow, side, values)?;
        support::parent_record(&flows, &parent)
    });
    Ok(found[0].take().zip(found[1].take()).map(<[RecordKey; 2]>::from))
}

/// Whether a person may write these records: nothing that they are parts of is locked, in any flow.
fn is_free(engine: &mut Engine, pair: &[RecordKey; 2]) -> Result<bool, Failure> {
    let flows = engine.flows().clone();
    let Some(cluster) = engine.store().cluster(&flows, &pair[0])? else {
        return Ok(false);
    };
    for link in &cluster.links {
        let Some(flow) = flows.flow(&link.flow) else {
            continue;
        };
        let Some(of) = flow
            .supports
            .as_ref()
            .and_then(|support| flows.flow(&support.flow))
        else {
            continue;
        };
        let Some(parents) = parents(engine, flow, &[link.first.clone(), link.second.clone()])? else {
            return Ok(false);
        };
        let cluster = engine.store().cluster(&flows, &parents[0])?.unwrap_or_default();
        let locked = Side::BOTH.into_iter().any(|side| {
            let record = cluster.records.get(&parents[side.index()]);
            record.is_none_or(|record| support::lock(of, side, &record.shadow.values).is_some())
        });
        if locked {
            return Ok(false);
        }
    }
    Ok(true)
}

fn nothing(screen: &Screen, flow: &Flow, from: Side) {
    let system = &flow.end(from).record_type.system;
    screen.say(format!(
        "  {}: nothing there for a person to edit in {system}",
        flow.name
    ));
}

impl Edit {
    fn of(travelling: &Travelling<'_>, from: Side) -> Self {
        Self {
            flow: travelling.flow.name.clone(),
            side: travelling.flow.end(from).record_type.system.clone(),
            property: travelling.from_property.to_owned(),
            seconds: travelling.arrived.map(seconds),
        }
    }
}

/// Seconds to milliseconds.
pub(crate) fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

/// The property that a person would most likely edit: free text that travels both ways, else what there is.
pub(crate) fn choose<'a>(flow: &'a Flow, from: Side, described: Option<&TypeSchema>) -> Option<&'a Mapping> {
    let editable = |name: &str| {
        described
            .and_then(|it| it.properties.get(name))
            .filter(|property| property.updateable)
    };
    let parts = flow.match_rules.iter().flat_map(|rule| &rule.parts);
    let keys: BTreeSet<&str> = parts.map(|part| part.properties[from.index()].as_str()).collect();
    let rank = |mapping: &&Mapping| {
        let name = mapping.property(from);
        let kind = match mapping.kind {
            Kind::String => u32::from(flow.supports.is_some()) * 4,
            Kind::Date | Kind::Decimal { .. } => 2,
            _ => 4,
        };
        let free = editable(name).is_some_and(|it| it.values.is_empty());
        // A line's quantity is what people change of it.
        let usual = if flow.supports.is_some() {
            "quantity"
        } else {
            "description"
        };
        let described = mapping.property(Side::First) == usual;
        let penalties = [
            (!described, 1),
            (mapping.personal, 1),
            (keys.contains(name), 3),
            (!free, 6),
            (mapping.direction != Direction::Both, 12),
        ];
        let penalties = penalties.iter().filter(|(counts, _)| *counts);
        kind + penalties.map(|(_, weight)| weight).sum::<u32>()
    };
    let to = from.other();
    let fits = |mapping: &&Mapping| {
        mapping.travels_to(to)
            && editable(mapping.property(from)).is_some()
            && !matches!(
                mapping.kind,
                Kind::Reference(_) | Kind::Enum(_) | Kind::DateTime { .. } | Kind::Integer
            )
    };
    flow.mappings.iter().filter(fits).min_by_key(rank)
}

/// A linked pair of which none of these has a record.
fn unused(
    engine: &mut Engine,
    flow: &Flow,
    used: &[&BTreeSet<RecordKey>],
) -> Result<Option<[RecordKey; 2]>, Failure> {
    let rows = engine.store().links(Some(&flow.name), 0, LINKS)?;
    let free = |record: &RecordKey| !used.iter().any(|used| used.contains(record));
    for pair in rows.into_iter().map(|row| [row.first, row.second]) {
        if pair.iter().all(free) && is_free(engine, &pair)? {
            return Ok(Some(pair));
        }
    }
    Ok(None)
}

/// A linked pair much like which a person may make another record.
pub(crate) fn model(engine: &mut Engine, flow: &Flow) -> Result<Option<[RecordKey; 2]>, Failure> {
    unused(engine, flow, &[])
}

async fn edit<'a>(
    people: &People,
    flow: &'a Flow,
    mapping: &'a Mapping,
    from: Side,
    pair: &[RecordKey; 2],
) -> Result<Travelling<'a>, Failure> {
    let source = &pair[from.index()].id;
    let shown = people.record(from, flow.end(from), source).await?;
    let value = edited(mapping, shown.get(mapping.property(from)).unwrap_or(&Json::Null));
    set(people, flow, mapping, from, pair, &value).await
}

/// Gives a property another value in a person's name.
async fn set<'a>(
    people: &People,
    flow: &'a Flow,
    mapping: &'a Mapping,
    from: Side,
    pair: &[RecordKey; 2],
    value: &Value,
) -> Result<Travelling<'a>, Failure> {
    let to = from.other();
    let (source, target) = (&pair[from.index()].id, &pair[to.index()].id);
    let (from_property, to_property) = (mapping.property(from), mapping.property(to));
    let there = people.record(to, flow.end(to), target).await?;
    people
        .change(from, flow.end(from), source, from_property, value)
        .await?;
    Ok(Travelling {
        flow,
        to,
        from_property,
        to_property,
        target: target.clone(),
        before: there.get(to_property).cloned().unwrap_or_default(),
        made: Instant::now(),
        arrived: None,
    })
}

/// Another value of the same kind.
fn edited(mapping: &Mapping, shown: &Json) -> Value {
    match mapping.kind {
        Kind::Boolean => Value::Boolean(!shown.as_bool().unwrap_or_default()),
        Kind::Date => {
            let date: Option<jiff::civil::Date> = shown.as_str().and_then(|text| text.parse().ok());
            let date = date.unwrap_or(jiff::civil::date(2026, 1, 1));
            Value::Date(date.tomorrow().unwrap_or(date))
        }
        Kind::Decimal { .. } => {
            let number: rust_decimal::Decimal = shown.to_string().parse().unwrap_or_default();
            Value::Decimal(number + rust_decimal::Decimal::ONE)
        }
        _ => Value::text(reworded(mapping, shown.as_str().unwrap_or_default())),
    }
}

/// The text with a mark behind it, where that fits on both sides; else the mark alone.
fn reworded(mapping: &Mapping, text: &str) -> String {
    const MARK: &str = "(seen by Alice)";
    let longer = format!("{text} {MARK}").trim().to_owned();
    let room = mapping
        .max_length
        .iter()
        .flatten()
        .min()
        .copied()
        .unwrap_or(usize::MAX);
    match longer.chars().count() <= room {
        true => longer,
        false => MARK.chars().take(room).collect(),
    }
}

/// Syncs while looking at the other side, until every edit has arrived.
async fn arrive(
    engine: &mut Engine,
    people: &People,
    travelling: &mut [Travelling<'_>],
) -> Result<(), Failure> {
    for _ in 0..SYNCS {
        let syncing = async { engine.sync().await.map_err(Failure::from) };
        let mut syncing = std::pin::pin!(syncing);
        let summary = loop {
            tokio::select! {
                biased;
                done = &mut syncing => break done?,
                () = tokio::time::sleep(LOOK) => look(people, travelling).await?,
            }
        };
        if let Some(trouble) = summary.troubles.first() {
            return Err(trouble.clone().into());
        }
        look(people, travelling).await?;
        if travelling.iter().all(|it| it.arrived.is_some()) {
            return Ok(());
        }
    }
    Ok(())
}

async fn look(people: &People, travelling: &mut [Travelling<'_>]) -> Result<(), Failure> {
    for it in travelling.iter_mut().filter(|it| it.arrived.is_none()) {
        let shown = people.record(it.to, it.flow.end(it.to), &it.target).await?;
        if shown.get(it.to_property).unwrap_or(&Json::Null) != &it.before {
            it.arrived = Some(it.made.elapsed());
        }
    }
    Ok(())
}
