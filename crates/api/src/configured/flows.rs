//! The flows of a configuration, in words.

use super::set;
use crate::view::{FlowSettings, Setting};
use crate::words;
use tandem_merge::dataflow::{Dataflow, DeleteAgainstEdit, End, Flow, Guard, MatchRule, Side};

/// All flows in the order of the dataflow document.
pub(super) fn settings(flows: &Dataflow) -> Vec<FlowSettings> {
    let named = words::order(flows);
    let all = named.into_iter().filter_map(|name| flows.flow(name));
    all.map(|flow| FlowSettings {
        flow: flow.name.clone(),
        types: flow.ends.each_ref().map(|end| end.record_type.name.clone()),
        properties: flow.mappings.len() as u64,
        policies: policies(flows, flow),
        guards: guards(flow),
    })
    .collect()
}

fn policies(flows: &Dataflow, flow: &Flow) -> Vec<Setting> {
    let mut all = Vec::new();
    let rules: Vec<String> = flow.match_rules.iter().map(rule).collect();
    if !rules.is_empty() {
        all.push(set("records are matched by", rules.join(", then ")));
    }
    all.push(set("conflicts", words::policy(flows, flow.conflict)));
    all.push(set(
        "deleted on one side, edited on the other",
        match flow.delete_against_edit {
            DeleteAgainstEdit::Ask => "a person is asked",
            DeleteAgainstEdit::EditWins => "the edit wins",
            DeleteAgainstEdit::DeleteWins => "the deletion wins",
        },
    ));
    for side in Side::BOTH {
        let (end, system) = (flow.end(side), &flows.systems[side.index()]);
        let other = &flows.systems[side.other().index()];
        all.push(set(
            &format!("without a counterpart in {system}"),
            words::created(end.create),
        ));
        all.push(set(
            &format!("deleted in {system}"),
            words::deleted(end.on_delete),
        ));
        all.extend(of_end(end, system, other));
    }
    if let Some(support) = &flow.supports {
        all.push(set("its records are parts of those of", &*support.flow));
    }
    all
}

fn of_end(end: &End, system: &str, other: &str) -> Vec<Setting> {
    let mut all = Vec::new();
    if !end.write {
        all.push(set(&format!("written in {system}"), "never"));
    }
    let only = end.only.iter().map(|(name, value)| format!("{name} = {value}"));
    let only: Vec<String> = only.chain(end.filter.as_ref().map(ToString::to_string)).collect();
    if !only.is_empty() {
        all.push(set(&format!("of {system} only"), only.join(" and ")));
    }
    if let Some((property, value)) = &end.deactivate {
        let asks = match end.deactivate_needs_approval {
            true => ", once a person approved",
            false => "",
        };
        all.push(set(
            &format!("put out of use in {system}"),
            format!("{property} = {value}{asks}"),
        ));
    }
    if let Some(identity) = &end.identity {
        all.push(set(
            &format!("{system} holds the id of {other} in"),
            &*identity.property,
        ));
    }
    all
}

/// `number and email`.
fn rule(rule: &MatchRule) -> String {
    let parts = rule.parts.iter().map(|part| {
        let [one, two] = &part.properties;
        match one == two {
            true => one.clone(),
            false => format!("{one} = {two}"),
        }
    });
    parts.collect::<Vec<_>>().join(" and ")
}

fn guards(flow: &Flow) -> Vec<Setting> {
    let Guard {
        count,
        percent,
        at_least,
        hours,
        edits,
        first_links,
    } = flow.guard;
    let within = |hours: i64| words::count_of(hours.unsigned_abs(), "hour", "hours");
    let mut all = vec![set(
        "deletions",
        format!(
            "more than {count} or {percent} % of the links (but never fewer than {at_least}) within {} wait",
            within(hours)
        ),
    )];
    all.extend(edits.map(|edits| {
        let words = format!(
            "more than {} and {} % of the links from one side within {} hold the flow",
            edits.count,
            edits.percent,
            within(edits.hours)
        );
        set("edits", words)
    }));
    all.extend(first_links.map(|first| {
        let words = format!(
            "more than {} or {} % of the links (but never fewer than {}) that would overwrite wait",
            first.count, first.percent, first.at_least
        );
        set("first links", words)
    }));
    for (side, guarded) in flow.guarded.iter().enumerate() {
        let system = &flow.ends[side].record_type.system;
        let values = guarded
            .values
            .iter()
            .map(|(name, value)| format!("{name} = {value}"));
        let mut asked: Vec<String> = values.collect();
        if guarded.links {
            asked.push("links by a key that was written later".to_owned());
        }
        if !asked.is_empty() {
            all.push(set(&format!("approved first in {system}"), asked.join(", ")));
        }
    }
    all
}
