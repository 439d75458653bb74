//! What a write carries.

use super::super::ask::Given;
use super::super::description::place::Place;
use super::super::description::template::{Body, literal};
use super::super::served::Served;
use super::refused;
use crate::Outcome;
use serde_json::{Map, Value as Json};
use tandem_merge::config::written::Table;
use tandem_merge::record::Values;

/// Values as the ERP takes them, each where it is written.
///
/// # Errors
/// A property is not described, or not to be written: nothing is sent.
pub(in super::super) fn encoded(served: &Served, values: &Values, creates: bool) -> Result<Json, Outcome> {
    let mut body = Json::Object(Map::new());
    for (name, value) in values {
        let Some(property) = served.of.properties.get(name) else {
            return Err(refused(
                &[name],
                &format!("the description has no property `{name}`"),
            ));
        };
        if property.read_only || (property.create_only && !creates) {
            return Err(refused(&[name], &format!("`{name}` is not to be written")));
        }
        if let Err(why) = property.put(&mut body, value) {
            return Err(refused(&[name], &format!("`{name}` is not to be written: {why}")));
        }
    }
    Ok(body)
}

/// What single values are filled in as: `{value.number}`.
pub(in super::super) fn with_values(served: &Served, given: Given, values: &Values) -> Given {
    let given = given.and(served.given());
    values.iter().fold(given, |given, (name, value)| {
        let Some(property) = served.of.properties.get(name).filter(|_| !value.is_blank()) else {
            return given;
        };
        let (kind, hole) = (property.data_type.kind, format!("value.{name}"));
        let written = served
            .of
            .language
            .and_then(|language| property.form.in_filters(language, kind, value));
        given
            .with(&hole, property.form.bare(kind, value))
            .maybe(&literal(&hole), written)
    })
}

/// The places in a record that holes name.
pub(in super::super) fn members(holes: Vec<&str>) -> Vec<&str> {
    let places = holes.into_iter().filter_map(|hole| hole.strip_prefix("record."));
    places.collect()
}

/// What the record shows that is written: `{record.template}`.
pub(in super::super) fn with_members(given: Given, item: &Json, places: &[&str]) -> Given {
    places.iter().fold(given, |given, text| {
        let place = Place::parse(text).ok();
        let shown = place.as_ref().and_then(|place| place.of(item)).cloned();
        given.maybe(&format!("record.{text}"), shown)
    })
}

pub(in super::super) fn with_also(mut body: Json, also: Option<&Table<Body>>, given: &Given) -> Json {
    let fill = |name: &str| given.get(name);
    for (name, member) in also.into_iter().flat_map(|also| &also.0) {
        if let Some(json) = member.json(&fill) {
            let place = Place::parse(&name.value).unwrap_or_else(|_| Place::member(&name.value));
            place.put(&mut body, json);
        }
    }
    body
}
