//! Records that are read before they are written: to be written back as a whole, or for their token.

use super::super::Rest;
use super::super::ask::Errand;
use super::super::description::errors::Means;
use super::super::description::operations::{ReadText, UpdateText};
use super::super::description::place::Place;
use super::super::read;
use super::super::served::{Served, Sight};
use crate::Outcome;
use crate::http::{Failure, Reply, salvage};
use serde_json::{Map, Value as Json};
use tandem_merge::record::{RecordKey, Values, Version};

/// A record as it stands just before it is written.
pub(in super::super) struct Before {
    /// All that it shows.
    pub(in super::super) item: Json,
    /// Its token.
    pub(in super::super) token: Option<String>,
    /// The reply that showed it.
    pub(in super::super) reply: Reply,
}

/// Reads a record just before it is written.
///
/// # Errors
/// It is not there, is another than the plan saw, or cannot be read: nothing was written.
pub(in super::super) async fn before(
    rest: &Rest,
    served: &Served,
    record: &RecordKey,
    only_if: Option<&Version>,
) -> Result<Before, Outcome> {
    let request = read::reading(rest, served, &record.id).map_err(Outcome::NotSent)?;
    let sent = rest
        .send(request.reading(), Errand::reading(served.name(), "read"))
        .await;
    let (reply, answer) = sent.map_err(|failure: Failure| Outcome::NotSent(failure.into_error()))?;
    match answer.means {
        None => {}
        Some(Means::Gone) => return Err(Outcome::Gone),
        Some(_) => return Err(Outcome::NotSent(answer.error(&rest.http, &reply))),
    }
    let body = reply.json();
    let written = served.of.read.as_ref();
    let item = read::record(written.and_then(|read| read.record.as_ref()), &body);
    let absent = |read: &ReadText| read.shows_absence(&body) || (item.is_none() && read.empty.is_some());
    if written.is_some_and(absent) {
        return Err(Outcome::Gone);
    }
    let shown = item.and_then(|item| rest.observation(served, item, &Sight::own(&reply)));
    let Some((item, shown)) = item.zip(shown) else {
        let what = format!("the reply to a read of a {} shows no record", served.name());
        return Err(Outcome::NotSent(rest.http.protocol(what)));
    };
    // Some answer a read of what is not there with another record.
    if shown.key.id != record.id {
        return Err(Outcome::Gone);
    }
    if is_marked(item) {
        let what = format!(
            "a {} cannot be written back as a whole: a part of it cannot be read",
            served.name()
        );
        return Err(super::refused(&[], &what));
    }
    let token = shown.version.map(|version| version.token);
    if let Some(wanted) = only_if
        && token.as_ref() != Some(&wanted.token)
    {
        return Err(Outcome::Stale);
    }
    Ok(Before {
        item: item.clone(),
        token,
        reply,
    })
}

/// A record with new values, and all else as it was.
pub(super) fn changed(served: &Served, update: &UpdateText, mut item: Json, values: &Values) -> Json {
    for (name, value) in values {
        if let Some(property) = served.of.properties.get(name)
            && let Err(why) = property.put(&mut item, value)
        {
            // The same values were taken a moment ago for what changes alone.
            tracing::debug!("{name} is left as it is: {why}");
        }
    }
    omitted(update, item)
}

/// A record without what is not sent back.
pub(in super::super) fn omitted(update: &UpdateText, mut item: Json) -> Json {
    for place in update.omit.iter().flatten() {
        remove(place, &mut item);
    }
    item
}

/// The set of data that a read showed, with a record of it changed.
pub(super) fn dataset(served: &Served, update: &UpdateText, record: Json, reply: &Reply) -> Json {
    let mut whole = reply.json();
    let place = served.of.read.as_ref().and_then(|read| read.record.as_ref());
    match place {
        Some(place) => place.put(&mut whole, record),
        None => whole = record,
    }
    let part = update
        .dataset
        .as_ref()
        .and_then(|place| place.value.of(&whole))
        .cloned();
    part.unwrap_or(whole)
}

/// Whether something in it cannot be read: what stands in its place must not be written.
fn is_marked(item: &Json) -> bool {
    match item {
        Json::Array(entries) => entries.iter().any(is_marked),
        Json::Object(members) => salvage::reason(item).is_some() || members.values().any(is_marked),
        _ => false,
    }
}

fn remove(place: &Place, item: &mut Json) {
    let Place::Body(steps) = place else {
        return;
    };
    let Some((last, way)) = steps.split_last() else {
        return;
    };
    let mut at = item;
    for step in way {
        match at.get_mut(step.as_str()) {
            Some(inner) => at = inner,
            None => return,
        }
    }
    let members: Option<&mut Map<String, Json>> = at.as_object_mut();
    if let Some(members) = members {
        members.remove(last);
    }
}
