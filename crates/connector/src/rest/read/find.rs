//! Finding by value; where an ERP cannot search, its records are listed and compared here.

use super::super::ask::Given;
use super::super::description::Property;
use super::super::description::operations::FindText;
use super::super::description::place::Place;
use super::super::description::property::DataKind;
use super::super::description::template::literal;
use super::super::language::{Language, member};
use super::super::served::Served;
use super::super::{CONCURRENCY, Rest, parts};
use super::{Asked, Page, page};
use crate::Error;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::record::{Observation, Presence};
use tandem_merge::value::Value;

/// So many values in one call where nothing is said.
const VALUES: usize = 100;
/// A value that nobody has, and a property that there is not.
const NOBODY: &str = "tandem-no-such-value-0";
const NO_PROPERTY: &str = "tandemNoSuchProperty";
/// So many characters of an address stand between two values of a filter: ` eq ` and ` or `.
const BETWEEN: usize = 20;

/// Live records that have one of the values; the caller compares again.
pub(in super::super) async fn find(
    rest: &Rest,
    served: &Served,
    properties: &[String],
    values: &[Vec<Value>],
) -> Result<Vec<Observation>, Error> {
    if let Some(inside) = &served.of.inside
        && let Some(found) = parts::find(rest, served, inside, properties, values).await?
    {
        return Ok(found);
    }
    let search = served.of.find.as_ref();
    let may = |name: &String| {
        let described = served.of.properties.contains_key(name);
        let allowed = search.and_then(|find| find.properties.as_ref());
        described && allowed.is_none_or(|all| all.iter().any(|one| one.value == *name))
    };
    // By the last one that the ERP searches by; the caller compares the others.
    let Some((find, (index, name))) = search.zip(properties.iter().enumerate().rfind(|(_, name)| may(name)))
    else {
        return scan(rest, served, properties, values).await;
    };
    let Some(property) = served.of.properties.get(name) else {
        return Ok(Vec::new());
    };
    let wanted: BTreeMap<String, &Value> = values
        .iter()
        .filter_map(|key| key.get(index))
        .filter(|value| !value.is_blank())
        .map(|value| (value.to_string(), value))
        .collect();
    let wanted: Vec<&Value> = wanted.into_values().collect();
    let size = find.at_most.map_or(VALUES, |most| most as usize).max(1);
    let packs = match (served.of.language, find.call().takes("matches")) {
        (Some(language), true) => by_filter(find, property, language, wanted, size),
        _ => by_values(served, find, property, wanted, size),
    };
    let searches: Vec<_> = packs
        .into_iter()
        .map(|given| pages(rest, served, find, given))
        .collect();
    let mut found: Vec<Observation> = stream::iter(searches).buffered(CONCURRENCY).try_concat().await?;
    found.retain(|shown| shown.presence == Presence::Alive);
    // Texts that differ in case alone may be the same to the ERP, and stand in two searches.
    found.sort_by(|one, other| one.key.id.cmp(&other.key.id));
    found.dedup_by(|one, other| one.key.id == other.key.id);
    Ok(found)
}

/// What searches fill in that nothing fits: a value that nobody has, and where the form names properties, one that there is not.
pub(in super::super) fn fitting_nobody(served: &Served, find: &FindText) -> Vec<Given> {
    let allowed = |name: &String| {
        let named = find.properties.as_ref();
        named.is_none_or(|all| all.iter().any(|one| one.value == *name))
    };
    let is_text = |of: &Property| {
        let data_type = &of.data_type;
        data_type.kind == DataKind::String && data_type.references.is_none() && of.computed.is_none()
    };
    let mut texts = served.shown.iter().filter(|name| allowed(name));
    let Some(property) = texts.find_map(|name| served.of.properties.get(name).filter(|of| is_text(of)))
    else {
        return Vec::new();
    };
    let stranger = Property {
        at: Place::member(NO_PROPERTY),
        ..property.clone()
    };
    let value = Value::text(NOBODY);
    let call = find.call();
    let names = call.takes("property") || (served.of.language.is_some() && call.takes("matches"));
    let asked = [Some(property), names.then_some(&stranger)];
    let given = |property: &Property| match (served.of.language, call.takes("matches")) {
        (Some(language), true) => by_filter(find, property, language, vec![&value], 1),
        _ => by_values(served, find, property, vec![&value], 1),
    };
    asked.into_iter().flatten().flat_map(given).collect()
}

/// What searches by a filter fill in: as many values in each as its address holds.
fn by_filter(
    find: &FindText,
    property: &Property,
    language: Language,
    wanted: Vec<&Value>,
    size: usize,
) -> Vec<Given> {
    let literals: Vec<String> = wanted
        .into_iter()
        .filter_map(|value| property.form.in_filters(language, property.data_type.kind, value))
        .collect();
    let beside = member(&property.at).len() + BETWEEN;
    // Each sign of a value may take three in an address.
    let length = |literal: &String| {
        let encoded: String = url::form_urlencoded::byte_serialize(literal.as_bytes()).collect();
        encoded.len() + beside
    };
    let packs = packed(&literals, size, find.longest, length);
    packs
        .into_iter()
        .map(|pack| Given::default().maybe("matches", language.matches(&property.at, pack)))
        .collect()
}

/// What searches by values fill in: all at once, or one by one.
fn by_values(
    served: &Served,
    find: &FindText,
    property: &Property,
    wanted: Vec<&Value>,
    size: usize,
) -> Vec<Given> {
    let kind = property.data_type.kind;
    let bare: Vec<Json> = wanted
        .iter()
        .map(|value| property.form.bare(kind, value))
        .collect();
    let given = match served.of.language {
        Some(_) => Given::default().with("property", member(&property.at)),
        None => Given::default().with("property", property.at.to_string()),
    };
    if find.call().takes("values") {
        let packs = bare.chunks(size);
        return packs
            .map(|pack| given.clone().with("values", texts(pack)))
            .collect();
    }
    let one = |(value, bare): (&&Value, Json)| {
        let written = served
            .of
            .language
            .and_then(|language| property.form.in_filters(language, kind, value));
        given
            .clone()
            .with("value", bare)
            .maybe(&literal("value"), written)
    };
    wanted.iter().zip(bare).map(one).collect()
}

/// Packs of so many at most, and so long at most where that is said; one alone is a pack however long it is.
pub(super) fn packed<T>(
    all: &[T],
    size: usize,
    longest: Option<u32>,
    length: impl Fn(&T) -> usize,
) -> Vec<&[T]> {
    let longest = longest.map_or(usize::MAX, |longest| longest as usize);
    let (mut packs, mut from, mut sum) = (Vec::new(), 0, 0);
    for (at, one) in all.iter().enumerate() {
        let length = length(one);
        if at > from && (at - from >= size || sum + length > longest) {
            packs.push(&all[from..at]);
            (from, sum) = (at, 0);
        }
        sum += length;
    }
    if from < all.len() {
        packs.push(&all[from..]);
    }
    packs
}

/// Searches take texts.
fn texts(values: &[Json]) -> Vec<Json> {
    let text = |value: &Json| match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    values.iter().map(|value| Json::String(text(value))).collect()
}

/// All pages of a search.
async fn pages(
    rest: &Rest,
    served: &Served,
    find: &FindText,
    given: Given,
) -> Result<Vec<Observation>, Error> {
    let asked = Asked {
        call: find.call(),
        items: find.items.as_ref(),
        paging: find.paging.as_ref().map(|paging| &paging.value),
        operation: "find",
        window: None,
        from: jiff::Timestamp::UNIX_EPOCH,
    };
    let mut found = Vec::new();
    follow(rest, served, &asked, &given, |rows| found.extend(rows)).await?;
    Ok(found)
}

/// Follows pages to their end.
pub(in super::super) async fn follow(
    rest: &Rest,
    served: &Served,
    asked: &Asked<'_>,
    given: &Given,
    mut take: impl FnMut(Vec<Observation>) + Send,
) -> Result<(), Error> {
    // Several may run at once, each under a name of its own.
    let name = format!("{} {} {}", asked.operation, served.name(), rest.number());
    rest.listings.begin(&name);
    let mut at: Option<String> = None;
    loop {
        let Page {
            observations, next, ..
        } = page(rest, served, asked, given, at.as_deref()).await?;
        let stuck = rest
            .listings
            .page(&name, &observations, at.as_deref(), next.as_deref());
        stuck.map_err(|what| rest.stuck(served.name(), &what))?;
        take(observations);
        match next {
            Some(next) => at = Some(next),
            None => return Ok(()),
        }
    }
}

/// Lists all records and keeps those that have one of the values, compared loosely.
async fn scan(
    rest: &Rest,
    served: &Served,
    properties: &[String],
    values: &[Vec<Value>],
) -> Result<Vec<Observation>, Error> {
    let wanted: BTreeSet<Vec<String>> = values.iter().map(|key| key.iter().map(loose).collect()).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    let keep = |rows: Vec<Observation>| {
        let key = |row: &Observation| -> Vec<String> {
            let value = |name: &String| row.values.get(name).map(loose).unwrap_or_default();
            properties.iter().map(value).collect()
        };
        let alive = rows.into_iter().filter(|row| row.presence == Presence::Alive);
        found.extend(alive.filter(|row| wanted.contains(&key(row))));
    };
    let asked = Asked::list(&served.of.list, "list");
    follow(rest, served, &asked, &Given::default(), keep).await?;
    Ok(found)
}

/// A value without what systems overlook: case, blanks and signs.
fn loose(value: &Value) -> String {
    let text = value.to_string().to_lowercase();
    let bare: String = text
        .chars()
        .filter(|character| character.is_alphanumeric())
        .collect();
    match bare.is_empty() {
        true => text.trim().to_owned(),
        false => bare,
    }
}
