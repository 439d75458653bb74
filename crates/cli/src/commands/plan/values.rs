//! The values of a planned write in one cell, what matters to people first.

use tandem_api::{Masks, shorten};
use tandem_engine::{PlannedAction, PlannedWrite};
use tandem_merge::dataflow::{Dataflow, Flow, Side};
use tandem_merge::value::Value;

/// `UnitPrice=9.50, Quantity=3`: mapped values in the order of their rows, then what else is given, and the identity last. Of an
/// update what stood there before, too.
pub(super) fn shown(write: &PlannedWrite, flows: &Dataflow, masks: &Masks) -> String {
    let own = write.flow.as_ref().and_then(|name| flows.flow(name));
    let tied = || {
        let mut all = flows.flows.iter();
        all.find(|flow| flow.ends.iter().any(|end| end.record_type == write.target))
    };
    let flow = own.or_else(tied);
    let mut values: Vec<(&String, &Value)> = write.values.iter().collect();
    values.sort_by_key(|(name, _)| flow.map(|flow| place(flow, write, name)));
    let each = values.into_iter().filter_map(|(name, value)| {
        let text = |value: &Value| masks.show(&write.target, name, value);
        let before = write.before.get(name).filter(|before| *before != value);
        let before = before.filter(|before| write.action == PlannedAction::Update && !before.is_blank());
        match before {
            Some(before) => Some(format!("{name}={} -> {}", text(before), text(value))),
            None => (!value.is_blank()).then(|| format!("{name}={}", text(value))),
        }
    });
    shorten(&each.collect::<Vec<String>>().join(", "))
}

/// Where a property stands among the values.
fn place(flow: &Flow, write: &PlannedWrite, name: &str) -> usize {
    let side = match flow.end(Side::First).record_type == write.target {
        true => Side::First,
        false => Side::Second,
    };
    let identity = flow.end(side).identity.as_ref();
    let row = flow
        .mappings
        .iter()
        .position(|mapping| mapping.property(side) == name);
    match identity.is_some_and(|identity| identity.property == name) {
        true => usize::MAX,
        false => row.unwrap_or(flow.mappings.len()),
    }
}
