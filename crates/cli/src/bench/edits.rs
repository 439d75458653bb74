//! Edits of linked records, spread over the record types, to measure what follows from them.

use crate::demo::edits::choose;
use crate::demo::people::People;
use crate::failure::Failure;
use crate::loading;
use futures::{StreamExt, TryStreamExt, stream};
use std::collections::BTreeMap;
use tandem_connector::Schema;
use tandem_engine::Engine;
use tandem_ledger::{LinkRow, Store};
use tandem_merge::dataflow::{Dataflow, End, Flow, Kind, Side};
use tandem_merge::record::RecordType;
use tandem_merge::value::Value;

/// Edits under way at once.
const AT_ONCE: usize = 8;

/// Linked records that people edit, evenly over the record types that have enough: for each type its ends, a plain text on
/// both, and links.
pub(super) struct Subjects(Vec<([End; 2], [String; 2], Vec<LinkRow>)>);

impl Subjects {
    /// At most so many of each type, of properties that travel from these sides.
    pub(super) fn of(
        flows: &Dataflow,
        store: &mut dyn Store,
        described: &[Schema; 2],
        wanted: usize,
        sides: &[Side],
    ) -> Result<Self, Failure> {
        let mut pools = Vec::new();
        for (flow, properties) in texts(flows, described, sides) {
            let links = store.links(Some(&flow), 0, wanted)?;
            let ends = flows.flow(&flow).map(|flow| flow.ends.clone());
            pools.extend(ends.map(|ends| (ends, properties, links)));
        }
        pools.sort_by_key(|(_, _, links)| links.len());
        Ok(Self(pools))
    }

    /// Edits so many, each on one of these sides in turn: its text gets a value that holds the mark. A person does, not the
    /// user that syncs.
    pub(super) async fn edit(
        &self,
        people: &People,
        wanted: usize,
        mark: &str,
        sides: &[Side],
    ) -> Result<(), Failure> {
        let (mut made, mut types) = (0, self.0.len());
        let mut edits = Vec::new();
        for (ends, properties, links) in &self.0 {
            let share = (wanted - made).div_ceil(types);
            types -= 1;
            for link in links.iter().take(share) {
                let side = sides[made % sides.len()];
                made += 1;
                edits.push(Edit {
                    side,
                    end: ends[side.index()].clone(),
                    id: link.end(side).id.clone(),
                    property: properties[side.index()].clone(),
                    value: Value::text(format!("{mark} {made}")),
                });
            }
        }
        if made < wanted {
            let what = format!("only {made} records can be edited");
            return Err(Failure::trouble(what, "Ask for fewer edits, or for more records"));
        }
        carry(people, &edits).await
    }
}

/// The same, of what an engine holds.
pub(super) async fn make(
    engine: &mut Engine,
    people: &People,
    wanted: usize,
    mark: &str,
    sides: &[Side],
) -> Result<(), Failure> {
    let schemas = loading::describe(&engine.systems().clone()).await?;
    let flows = engine.flows().clone();
    let subjects = Subjects::of(&flows, engine.store(), &schemas, wanted, sides)?;
    subjects.edit(people, wanted, mark, sides).await
}

/// For each record type of the first system a flow, and a plain text of it by its names on both sides: one write an edit,
/// so nothing else takes it where it is edited, and it travels from there.
fn texts(flows: &Dataflow, described: &[Schema; 2], sides: &[Side]) -> Vec<(String, [String; 2])> {
    let mut found: BTreeMap<&RecordType, (String, [String; 2])> = BTreeMap::new();
    for flow in flows.flows.iter().filter(|flow| flow.supports.is_none()) {
        let is_alone = |side: Side, property: &str| {
            let takes = |(flow, side): &(&Flow, Side)| {
                let mut names = flow.mappings.iter().map(|mapping| mapping.property(*side));
                names.any(|name| name == property)
            };
            flows.flows_of(&flow.end(side).record_type).filter(takes).count() == 1
        };
        let of = |side: Side| {
            described[side.index()]
                .types
                .get(&flow.end(side).record_type.name)
        };
        let is_plain = |property: &str| {
            let property = of(Side::Second).and_then(|of| of.properties.get(property));
            property.is_some_and(|property| matches!(property.data_type.as_str(), "string" | "textarea"))
        };
        let is_editable = |side: Side, property: &str| {
            let property = of(side).and_then(|of| of.properties.get(property));
            property.is_some_and(|property| property.updateable)
        };
        let mut fit = flow.clone();
        fit.mappings.retain(|mapping| {
            let from = |side: &Side| {
                let name = mapping.property(*side);
                is_alone(*side, name) && is_editable(*side, name) && mapping.travels_to(side.other())
            };
            mapping.kind == Kind::String && is_plain(mapping.property(Side::Second)) && sides.iter().all(from)
        });
        if let Some(mapping) = choose(&fit, Side::First, of(Side::First)) {
            let names = Side::BOTH.map(|side| mapping.property(side).to_owned());
            let first = &flow.end(Side::First).record_type;
            found.entry(first).or_insert((flow.name.clone(), names));
        }
    }
    found.into_values().collect()
}

/// The edit of one property by a person.
pub(super) struct Edit {
    pub(super) side: Side,
    pub(super) end: End,
    pub(super) id: String,
    pub(super) property: String,
    pub(super) value: Value,
}

/// Makes edits as a person does, one at a time each, several at once.
pub(super) async fn carry(people: &People, edits: &[Edit]) -> Result<(), Failure> {
    let all = edits
        .iter()
        .map(|edit| people.change(edit.side, &edit.end, &edit.id, &edit.property, &edit.value));
    let all = stream::iter(all).buffer_unordered(AT_ONCE);
    all.try_collect::<()>().await
}
