//! One linked pair per flow, side by side.

use super::people::People;
use crate::failure::Failure;
use crate::screen::{Screen, Table, table};
use serde_json::Value as Json;
use tandem_api::Masks;
use tandem_engine::Engine;
use tandem_ledger::LinkRow;
use tandem_merge::dataflow::{Dataflow, Flow, Side};
use tandem_merge::value::Value;

/// Properties shown of a pair.
const SHOWN: usize = 6;

/// Shows one linked pair per flow with both ids and where to open them.
pub(crate) async fn show(engine: &mut Engine, people: &People, screen: &Screen) -> Result<(), Failure> {
    if screen.json {
        return Ok(());
    }
    let flows: Dataflow = engine.flows().clone();
    let masks = Masks::of(&flows);
    for name in tandem_api::words::order(&flows) {
        let pair = engine.store().links(Some(name), 0, 1)?.into_iter().next();
        if let (Some(flow), Some(pair)) = (flows.flow(name), pair) {
            screen.say("");
            screen.say(name);
            screen.say(one(people, flow, &pair, &masks).await?);
        }
    }
    Ok(())
}

async fn one(people: &People, flow: &Flow, pair: &LinkRow, masks: &Masks) -> Result<Table, Failure> {
    let [first, second] = flow.ends.each_ref();
    let left = people.record(Side::First, first, &pair.first.id).await?;
    let right = people.record(Side::Second, second, &pair.second.id).await?;
    let headings = [
        format!("{} {}", first.record_type, pair.first.id),
        format!("{} {}", second.record_type, pair.second.id),
    ];
    let mut shown = table(headings.each_ref().map(String::as_str));
    shown.add_row([
        people.page(Side::First, first, &pair.first.id),
        people.page(Side::Second, second, &pair.second.id),
    ]);
    let told = flow.mappings.iter().filter(|mapping| !mapping.personal);
    let filled = told.filter(|mapping| {
        let value = right.get(mapping.property(Side::Second));
        value.is_some_and(|value| !value.is_null())
    });
    for mapping in filled.take(SHOWN) {
        let cell = |side: Side, values: &serde_json::Map<String, Json>| {
            let name = mapping.property(side);
            let value = match values.get(name) {
                None | Some(Json::Null) => Value::Blank,
                Some(Json::String(text)) => Value::text(text.clone()),
                Some(other) => Value::text(other.to_string()),
            };
            format!(
                "{name}: {}",
                masks.show(&flow.end(side).record_type, name, &value)
            )
        };
        shown.add_row([cell(Side::First, &left), cell(Side::Second, &right)]);
    }
    Ok(shown)
}
