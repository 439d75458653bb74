//! Writes of records inside others: their holder is read, changed, and written under the token that it showed.

use super::super::ask::{Errand, Given, Otherwise};
use super::super::description::inside::{AROUND, Inside, InsideStyle};
use super::super::description::operations::Style;
use super::super::description::template::Body;
use super::super::served::{Served, Sight};
use super::super::write::{
    Before, Done, Judge, before, carried_out, encoded, members, omitted, refused, unconditional, whole_token,
    with_also, with_members,
};
use super::super::{Rest, read};
use super::{apart, entries};
use crate::http::Reply;
use crate::probe::another;
use crate::{Change, Outcome, Refusal, RefusalKind};
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;
use tandem_merge::record::{Observation, Presence, RecordKey, Values, Version};
use tandem_merge::value::Value;

/// How often a holder that moves between reading and writing is read again.
const TRIES: usize = 3;

/// What becomes of one entry.
enum Step<'a> {
    Add(&'a Values),
    Change(&'a str, &'a Values, Option<&'a Version>),
    Remove(&'a str, Option<&'a Version>),
}

impl Step<'_> {
    /// The same, with nothing to compare here where the ERP alone judges.
    fn judged(self, judge: Judge) -> Self {
        match self {
            Self::Change(id, values, _) if judge == Judge::Erp => Self::Change(id, values, None),
            Self::Remove(id, _) if judge == Judge::Erp => Self::Remove(id, None),
            step => step,
        }
    }
}

/// Carries out one write.
pub(in super::super) async fn carry_out(rest: &Rest, served: &Served, change: &Change, judge: Judge) -> Done {
    let Some(inside) = &served.of.inside else {
        return Err(refused(&[], "it does not stand inside another record"));
    };
    let (allowed, verb) = match change {
        Change::Create { .. } => (inside.creates, "created"),
        Change::Update { .. } => (inside.updates, "changed"),
        Change::Delete { .. } => (inside.deletes, "deleted"),
    };
    if !allowed {
        return Err(refused(
            &[],
            &format!("a {} cannot be {verb} here", served.name()),
        ));
    }
    let (holder, step) = match change {
        Change::Create { values, .. } => {
            let named = values
                .iter()
                .find(|(name, value)| served.names_holder(name) && !value.is_blank());
            let Some((_, holder)) = named else {
                let what = format!("it does not say of which {} it is", inside.holder.name);
                return Err(refused(&[], &what));
            };
            (holder.to_string(), Step::Add(values))
        }
        Change::Update {
            record,
            values,
            only_if,
        } => (
            holder_of(record)?,
            Step::Change(&record.id, values, only_if.as_ref()),
        ),
        Change::Delete { record, only_if } => {
            (holder_of(record)?, Step::Remove(&record.id, only_if.as_ref()))
        }
    };
    let step = step.judged(judge);
    // Two writes of one holder would each undo the other.
    let _turn = rest.turn(&inside.holder.name, &holder).lock().await;
    for _ in 0..TRIES {
        match write(rest, served, inside, &holder, &step, judge).await {
            Ok(outcome) | Err(Tried::Over(outcome)) => return Ok(outcome),
            Err(Tried::Moved) => {}
        }
    }
    if !matches!(step, Step::Add(_)) {
        return Err(Outcome::Stale);
    }
    let what = format!(
        "{} {holder} is changed by others all the time",
        inside.holder.name
    );
    Err(Outcome::NotSent(rest.http.down(what)))
}

fn holder_of(record: &RecordKey) -> Result<String, Outcome> {
    apart(&record.id).map(|(holder, _)| holder).ok_or(Outcome::Gone)
}

/// How an attempt ended that wrote nothing.
enum Tried {
    /// The holder moved between reading and writing.
    Moved,
    Over(Outcome),
}

impl From<Outcome> for Tried {
    fn from(outcome: Outcome) -> Self {
        Self::Over(outcome)
    }
}

/// Reads the holder, and writes it with the step taken.
async fn write(
    rest: &Rest,
    served: &Served,
    inside: &Inside,
    holder: &str,
    step: &Step<'_>,
    judge: Judge,
) -> Result<Outcome, Tried> {
    let of = served.holder();
    let key = rest.key(of, holder);
    let Before { item, token, reply } = match (before(rest, of, &key, None).await, step) {
        (Err(Outcome::Gone), Step::Add(_)) => return Err(no_holder(inside, holder).into()),
        (read, _) => read?,
    };
    let Some(all) = entries(inside, &item) else {
        let what = format!("a {} does not show its list at `{}`", of.name(), inside.at);
        return Err(Outcome::NotSent(rest.http.protocol(what)).into());
    };
    let known: BTreeSet<String> = all.iter().filter_map(|entry| served.id(entry)).collect();
    let list = changed(rest, served, inside, all, step, &Sight::own(&reply))?;
    let token = match judge {
        Judge::Both => token,
        Judge::Erp => token.as_deref().and_then(another),
    };
    let reply = match post(rest, served, inside, holder, item, list, token).await {
        Err(Outcome::Stale) if judge == Judge::Both => return Err(Tried::Moved),
        posted => posted?,
    };
    let shown = after(rest, served, inside, &key, reply).await;
    Ok(outcome(served, step, shown, &known))
}

fn no_holder(inside: &Inside, holder: &str) -> Outcome {
    Outcome::Refused(Refusal {
        kind: RefusalKind::BadReference,
        properties: Vec::new(),
        message: format!("there is no {} {holder}", inside.holder.name),
        advice: "Let it refer to a record that exists".to_owned(),
    })
}

/// The list that is sent.
fn changed(
    rest: &Rest,
    served: &Served,
    inside: &Inside,
    all: Vec<Json>,
    step: &Step<'_>,
    sight: &Sight<'_>,
) -> Result<Vec<Json>, Outcome> {
    let merges = inside.style == InsideStyle::Merge;
    let (wanted, only_if) = match step {
        Step::Add(values) => {
            let entry = bare(encoded(served, values, true)?);
            let others = all.into_iter().map(bare).filter(|_| !merges);
            return Ok(others.chain([entry]).collect());
        }
        Step::Change(id, _, only_if) | Step::Remove(id, only_if) => (*id, *only_if),
    };
    let position = all
        .iter()
        .position(|entry| served.id(entry).as_deref() == Some(wanted));
    let (position, entry) = position
        .and_then(|at| Some((at, all.get(at)?)))
        .ok_or(Outcome::Gone)?;
    if let Some(only_if) = only_if {
        let shown = rest
            .observation(served, entry, sight)
            .and_then(|shown| shown.version);
        if shown.is_none_or(|version| version.token != only_if.token) {
            return Err(Outcome::Stale);
        }
    }
    let mut named = Json::Object(Map::new());
    if let Some(own) = inside.id.of(entry) {
        inside.id.put(&mut named, own.clone());
    }
    let mut all: Vec<Json> = all.into_iter().map(bare).collect();
    match (step, merges) {
        (Step::Change(_, values, _), false) => {
            encoded(served, values, false)?;
            for (name, value) in *values {
                if let (Some(property), Some(entry)) = (served.of.properties.get(name), all.get_mut(position))
                    && let Err(why) = property.put(entry, value)
                {
                    return Err(refused(&[name], &why));
                }
            }
        }
        (Step::Change(_, values, _), true) => {
            let mut entry = bare(encoded(served, values, false)?);
            if let Some(own) = inside.id.of(&named) {
                inside.id.put(&mut entry, own.clone());
            }
            all = vec![entry];
        }
        (_, false) => drop(all.remove(position)),
        (_, true) => all = vec![with_also(named, inside.removed.as_ref(), &Given::default())],
    }
    Ok(all)
}

/// Without what stands around it.
fn bare(mut entry: Json) -> Json {
    if let Json::Object(members) = &mut entry {
        members.remove(AROUND);
    }
    entry
}

/// Writes the holder.
async fn post(
    rest: &Rest,
    served: &Served,
    inside: &Inside,
    holder: &str,
    item: Json,
    list: Vec<Json>,
    token: Option<String>,
) -> Result<Reply, Outcome> {
    let of = served.holder();
    let Some(update) = &of.of.update else {
        return Err(refused(&[], &format!("a {} cannot be changed here", of.name())));
    };
    let full = update
        .style
        .as_ref()
        .is_some_and(|style| style.value != Style::Partial);
    let shown = item.clone();
    let mut body = if full {
        omitted(update, item)
    } else {
        Json::Object(Map::new())
    };
    inside.at.put(&mut body, Json::Array(list));
    let conditional = update.sends_token();
    let token = token.filter(|_| conditional);
    let given = of.named(holder).token(token.as_deref());
    whole_token(rest, update.holes(), &given, conditional)?;
    let given = with_members(given, &shown, &members(update.holes()));
    let hole = if full { "record" } else { "values" };
    let body = with_also(body, update.also.as_ref(), &given);
    let given = given.with("values", body.clone()).with(hole, body);
    let request = rest.request(update.call(), &given, &Otherwise(Some(&Body::hole(hole))));
    let request = request.map_err(Outcome::NotSent)?;
    let request = unconditional(rest, request, conditional, update.unconditional.as_ref());
    let request = request.map_err(Outcome::NotSent)?;
    let errand = Errand::writing(of.name(), "update");
    carried_out(rest, None, of, request, errand, update.job.as_ref()).await
}

/// What the holder shows afterwards: in the reply, or by another read.
async fn after(
    rest: &Rest,
    served: &Served,
    inside: &Inside,
    key: &RecordKey,
    reply: Reply,
) -> Option<Vec<Observation>> {
    let of = served.holder();
    let body = reply.json();
    let place = of.of.update.as_ref().and_then(|update| update.record.as_ref());
    let item = place.and_then(|place| read::record(Some(place), &body));
    let item = item.filter(|item| of.id(item).as_deref() == Some(key.id.as_str()));
    if let Some(entries) = item.and_then(|item| entries(inside, item)) {
        return Some(rest.observations(served, &entries, &Sight::own(&reply)));
    }
    let read = before(rest, of, key, None).await.ok()?;
    let entries = entries(inside, &read.item)?;
    Some(rest.observations(served, &entries, &Sight::own(&read.reply)))
}

fn outcome(
    served: &Served,
    step: &Step<'_>,
    shown: Option<Vec<Observation>>,
    known: &BTreeSet<String>,
) -> Outcome {
    let unread = || Outcome::Unknown("what came of it could not be read".to_owned());
    let Some(shown) = shown else {
        return match step {
            Step::Change(id, ..) => done(id, None),
            _ => unread(),
        };
    };
    let alive = |one: &&Observation| one.presence == Presence::Alive;
    match step {
        Step::Change(id, ..) => {
            let state = shown.iter().find(|one| one.key.id == **id).filter(alive);
            done(id, state.cloned())
        }
        Step::Remove(id, _) => match shown.iter().any(|one| one.key.id == **id) {
            false => done(id, None),
            true => Outcome::Refused(Refusal {
                kind: RefusalKind::Unclear,
                properties: Vec::new(),
                message: "it was answered with success, and is there still".to_owned(),
                advice: "Correct `style:` or `removed:` under `inside:` in the description".to_owned(),
            }),
        },
        Step::Add(values) => {
            let new = || {
                shown
                    .iter()
                    .filter(alive)
                    .filter(|one| !known.contains(&one.key.id))
            };
            let same = |one: &&Observation| {
                let same = |(name, value): (&String, &Value)| {
                    one.values.get(name).is_none_or(|shown| shown == value)
                };
                values
                    .iter()
                    .filter(|(name, _)| served.of.properties.contains_key(*name))
                    .all(same)
            };
            let all: Vec<&Observation> = match new().count() {
                1 => new().collect(),
                _ => new().filter(same).collect(),
            };
            match all.as_slice() {
                [one] => done(&one.key.id, Some((*one).clone())),
                _ => unread(),
            }
        }
    }
}

fn done(id: &str, state: Option<Observation>) -> Outcome {
    Outcome::Applied {
        id: id.to_owned(),
        state: state.map(Box::new),
    }
}
