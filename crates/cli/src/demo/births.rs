//! One record born in Salesforce for every flow that creates in Customerp.

use super::edits::seconds;
use super::people::{People, as_json};
use crate::failure::Failure;
use crate::screen::{Screen, Sentence};
use serde::Serialize;
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;
use std::time::Instant;
use tandem_api::look::all_items;
use tandem_connector::Schema;
use tandem_engine::Engine;
use tandem_merge::cluster::ParkedKind;
use tandem_merge::dataflow::{CreatePolicy, Dataflow, Flow, Kind, Mapping, OnCreate, Side};
use tandem_merge::value::Value;

/// Items looked through for a date to give.
const MISSING: usize = 20;
/// Syncs after which a record counts as lost.
const SYNCS: usize = 5;

/// A record that a person made in Salesforce.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Birth {
    /// The flow.
    pub(crate) flow: String,
    /// The record's id in Salesforce.
    pub(crate) id: String,
    /// Seconds until Customerp had its counterpart; none: it never did.
    pub(crate) seconds: Option<f64>,
}

/// Makes the records, and syncs until all have a counterpart.
pub(crate) async fn make(
    engine: &mut Engine,
    people: &People,
    screen: &Screen,
) -> Result<Vec<Birth>, Failure> {
    let flows = engine.flows().clone();
    let [_, schema] = crate::loading::describe(&engine.systems().clone()).await?;
    let mut born: Vec<(&Flow, Birth, Instant)> = Vec::new();
    for flow in flows
        .flows
        .iter()
        .filter(|flow| flow.end(Side::First).create == CreatePolicy::On)
    {
        let model = super::edits::model(engine, flow)?;
        let createable = schema.types.get(&flow.end(Side::Second).record_type.name);
        let (Some(model), true) = (model, createable.is_some_and(|it| it.createable)) else {
            screen.say(format!(
                "  {}: no record can be born in Salesforce here",
                flow.name
            ));
            continue;
        };
        let like = people
            .record(Side::Second, flow.end(Side::Second), &model[1].id)
            .await?;
        let id = people
            .create(flow.end(Side::Second), &values(flow, &like, &schema))
            .await?;
        let birth = Birth {
            flow: flow.name.clone(),
            id,
            seconds: None,
        };
        born.push((flow, birth, Instant::now()));
    }
    for _ in 0..SYNCS {
        let summary = engine.sync().await?;
        let ids: Vec<&str> = born.iter().map(|(_, birth, _)| birth.id.as_str()).collect();
        complete(engine, &flows, &ids, people, screen).await?;
        if let Some(trouble) = summary.troubles.first() {
            return Err(trouble.clone().into());
        }
        for (flow, birth, made) in born.iter_mut().filter(|(_, birth, _)| birth.seconds.is_none()) {
            let end = flow.end(Side::First);
            let Some(stamp) = &end.identity else { continue };
            if people.has(end, &stamp.property, &birth.id).await? {
                birth.seconds = Some(seconds(made.elapsed()));
            }
        }
        if born.iter().all(|(_, birth, _)| birth.seconds.is_some()) {
            break;
        }
    }
    Ok(born.into_iter().map(|(_, birth, _)| birth).collect())
}

/// Gives the dates that Salesforce's record has no place for and that the next flow needs: what the person in
/// charge of such an order does in the ERP.
async fn complete(
    engine: &mut Engine,
    flows: &Dataflow,
    born: &[&str],
    people: &People,
    screen: &Screen,
) -> Result<(), Failure> {
    let missing = all_items(engine.store(), MISSING, |item| {
        item.kind == Some(ParkedKind::MissingMandatory) && item.record.record_type.system == flows.systems[0]
    })?;
    let mut given = false;
    for item in missing {
        let Some(flow) = item.flow.as_deref().and_then(|name| flows.flow(name)) else {
            continue;
        };
        let end = flow.end(Side::First);
        let shown = people.record(Side::First, end, &item.record.id).await?;
        let newborn = shown
            .values()
            .any(|value| value.as_str().is_some_and(|id| born.contains(&id)));
        let blank = |mapping: &&Mapping| {
            let value = shown.get(mapping.property(Side::First));
            mapping.never_blank[1] && mapping.kind == Kind::Date && value.is_none_or(Json::is_null)
        };
        for mapping in flow.mappings.iter().filter(blank).filter(|_| newborn) {
            let name = mapping.property(Side::First);
            screen.say(Sentence(format!(
                "  {}: {}; Alice gives it one.",
                item.record, item.reason
            )));
            let date = Value::Date(jiff::Zoned::now().date());
            people
                .change(Side::First, end, &item.record.id, name, &date)
                .await?;
            given = true;
        }
    }
    if given {
        engine.sync().await?;
    }
    Ok(())
}

/// The values of a new record much like another: the same references, other names, no keys.
fn values(flow: &Flow, like: &Map<String, Json>, schema: &Schema) -> Map<String, Json> {
    let end = flow.end(Side::Second);
    let described = schema.types.get(&end.record_type.name);
    let createable = |name: &str| {
        let property = described.and_then(|it| it.properties.get(name));
        property.is_some_and(|property| property.createable)
    };
    let parts = flow.match_rules.iter().flat_map(|rule| &rule.parts);
    let keys: BTreeSet<&str> = parts.map(|part| part.properties[1].as_str()).collect();
    let mut values = Map::new();
    for mapping in flow
        .mappings
        .iter()
        .filter(|mapping| createable(mapping.property(Side::Second)))
    {
        let name = mapping.property(Side::Second);
        let shown = like.get(name).filter(|value| !value.is_null());
        let listed = described.is_some_and(|it| !it.properties[name].values.is_empty());
        if let Some(value) = born_with(mapping, shown, keys.contains(name), listed) {
            values.insert(name.to_owned(), value);
        }
    }
    for (name, value) in end.only.iter().chain(&end.constants) {
        // What a connector works out is the model's.
        let derived = value.as_text().is_some_and(|text| text.starts_with("derive:"));
        let value = if derived {
            like.get(name).cloned()
        } else {
            Some(as_json(value))
        };
        values.extend(value.map(|value| (name.clone(), value)));
    }
    values
}

fn born_with(mapping: &Mapping, shown: Option<&Json>, key: bool, listed: bool) -> Option<Json> {
    if let OnCreate::Constant(value) = &mapping.on_create {
        return Some(as_json(value));
    }
    // A system may want a reference though it says nothing to the other one.
    let reference = matches!(mapping.kind, Kind::Reference(_));
    if !mapping.travels_to(Side::First) && !reference {
        return None;
    }
    let mandatory = mapping.never_blank[Side::Second.index()];
    match (&mapping.kind, shown) {
        // One of a list: as it is.
        (_, shown) if listed => shown.cloned(),
        // Numbers are given by Customerp; names must not be mistaken for the model's.
        (Kind::String, shown) if key && !mandatory => {
            let text = shown.and_then(Json::as_str)?;
            mapping.given_by.is_none().then(|| renamed(mapping, text).into())
        }
        (Kind::String, Some(Json::String(text))) if mandatory => Some(renamed(mapping, text).into()),
        // A person's own data would be taken for the model's.
        (Kind::String, _) if !mandatory && mapping.personal => None,
        (_, shown) => shown.cloned(),
    }
}

/// Another text of the same shape: an e-mail address stays one.
fn renamed(mapping: &Mapping, text: &str) -> String {
    if text.contains('@') {
        return format!("born.{text}");
    }
    let room = mapping
        .max_length
        .iter()
        .flatten()
        .min()
        .copied()
        .unwrap_or(usize::MAX);
    format!("Born {text}").chars().take(room).collect()
}
