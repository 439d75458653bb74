//! Writes, one request each, as the description says; several requests may travel as one.

mod full;
mod sending;
pub(super) mod values;

use super::Rest;
use super::ask::{Errand, Given, Otherwise};
use super::batch::Pack;
use super::description::operations::{ActionText, CreateText, Safety, Style, UpdateText};
use super::description::place::Place;
use super::description::template::Body;
use super::served::{Served, Sight};
use super::{parts, read};
use crate::http::Reply;
use crate::{Change, Error, Outcome, Refusal, RefusalKind, Write};
pub(super) use full::{Before, before, omitted};
pub(super) use sending::{carried_out, unconditional, whole_token};
use sending::{settled, told};
use std::sync::Arc;
use tandem_merge::record::{Presence, RecordKey, RecordType, Values, Version};
use tandem_merge::value::Value;
use values::with_values;
pub(super) use values::{encoded, members, with_also, with_members};

/// Who finds out that a record is not in the state that was seen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Judge {
    /// We do where the record is read before it is written, and the ERP by its condition.
    Both,
    /// The ERP alone, to see whether it does.
    Erp,
}

/// The state that a write was decided on.
#[derive(Clone, Copy)]
struct Seen<'a> {
    /// Its version; none: any state would do.
    version: Option<&'a Version>,
    judge: Judge,
}

impl<'a> Seen<'a> {
    /// The version that a record must show which is read before it is written.
    fn compared(self) -> Option<&'a Version> {
        self.version.filter(|_| self.judge == Judge::Both)
    }
}

/// Carries out one write.
pub(super) async fn carry_out(rest: &Rest, pack: Option<&Pack>, write: &Write, judge: Judge) -> Outcome {
    let served = match rest.served(subject(write)) {
        Ok(served) => served,
        Err(error) => return Outcome::NotSent(error),
    };
    if served.of.inside.is_some() {
        let done = parts::carry_out(rest, &served, &write.change, judge).await;
        return done.unwrap_or_else(|outcome| outcome);
    }
    let done = match &write.change {
        Change::Create { values, .. } => create(rest, pack, &served, &write.key, values).await,
        Change::Update {
            record,
            values,
            only_if,
        } => {
            let version = only_if.as_ref();
            update(rest, pack, &served, record, values, Seen { version, judge }).await
        }
        Change::Delete { record, only_if } => {
            let version = only_if.as_ref();
            delete(rest, pack, &served, record, Seen { version, judge }).await
        }
    };
    done.unwrap_or_else(|outcome| outcome)
}

fn subject(write: &Write) -> &RecordType {
    match &write.change {
        Change::Create { record_type, .. } => record_type,
        Change::Update { record, .. } | Change::Delete { record, .. } => &record.record_type,
    }
}

/// A write that ended early, and how.
pub(super) type Done = Result<Outcome, Outcome>;

fn unsent(error: Error) -> Outcome {
    Outcome::NotSent(error)
}

async fn create(rest: &Rest, pack: Option<&Pack>, served: &Arc<Served>, key: &str, values: &Values) -> Done {
    let Some(create) = &served.of.create else {
        return Err(refused(
            &[],
            &format!("a {} cannot be created here", served.name()),
        ));
    };
    let body = encoded(served, values, true)?;
    let given = with_values(served, Given::default().with("key", key), values);
    let body = with_also(body, create.also.as_ref(), &given);
    let given = given.with("values", body);
    let request = rest.request(create.call(), &given, &Otherwise(Some(&Body::hole("values"))));
    let mut request = request.map_err(unsent)?;
    let safe = create.safe.as_ref().map(|safe| safe.value.safety);
    if matches!(safe, Some(Safety::IdempotencyKey | Safety::KeyInUrl)) {
        request = request.repeatable();
    }
    let errand = Errand::creating(served.name(), safe == Some(Safety::KeyInUrl));
    let (reply, answer) = told(rest, pack, request, errand).await?;
    // Nobody else has that key: an earlier attempt of this very create made the record.
    if answer.taken && create.call().line.value.path.holes().any(|hole| hole == "key") {
        return Ok(Outcome::Applied {
            id: key.to_owned(),
            state: None,
        });
    }
    let reply = settled(rest, served, errand, create.job.as_ref(), (reply, answer)).await?;
    Ok(created(rest, served, create, &reply))
}

/// What a create made.
fn created(rest: &Rest, served: &Served, create: &CreateText, reply: &Reply) -> Outcome {
    let body = reply.json();
    if let Some(place) = &create.record
        && let Some(item) = read::record(Some(place), &body)
        && let Some(state) = rest.observation(served, item, &Sight::own(reply))
    {
        return Outcome::Applied {
            id: state.key.id.clone(),
            // Where the answer cannot be read, only another read can tell how the record stands now.
            state: (state.presence == Presence::Alive).then(|| Box::new(state)),
        };
    }
    let id = create.id.as_ref().and_then(|place| {
        let text = place.text(&body, &reply.headers)?;
        match place {
            Place::Header(_) => served.id_of(&text),
            Place::Body(_) => Some(text),
        }
    });
    match id {
        Some(id) => Outcome::Applied { id, state: None },
        // It was carried out, but which record that made only a read can tell.
        None => Outcome::Unknown("the answer does not name the record".to_owned()),
    }
}

/// The id at the end of an address: `/contacts/5`, or `/Contacts('5')`.
pub(super) fn last_step(address: &str) -> String {
    let path = address
        .split(['?', '#'])
        .next()
        .unwrap_or_default()
        .trim_end_matches('/');
    let step = path.rsplit('/').next().unwrap_or_default();
    let step = match step.split_once('(') {
        Some((_, inner)) => inner.trim_end_matches(')').trim_matches('\''),
        None => step,
    };
    let pair = format!("id={}", step.replace('+', "%2B").replace('&', "%26"));
    let decoded = url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, id)| id.into_owned());
    decoded.unwrap_or_default()
}

async fn update(
    rest: &Rest,
    pack: Option<&Pack>,
    served: &Arc<Served>,
    record: &RecordKey,
    values: &Values,
    seen: Seen<'_>,
) -> Done {
    let mut values = values.clone();
    let mut steps: Vec<&ActionText> = Vec::new();
    for action in &served.of.actions {
        let becomes = |value: &Value| value.to_string() == action.becomes.value;
        if values.get(&action.property.value).is_some_and(becomes) {
            values.remove(&action.property.value);
            steps.push(action);
        }
    }
    let mut outcome = None;
    if !values.is_empty() || steps.is_empty() {
        outcome = Some(change(rest, pack, served, record, &values, seen).await?);
    }
    for step in steps {
        // Once something was carried out, only a read can tell how the record stands.
        let token = seen.version.filter(|_| outcome.is_none());
        let taken = take(rest, pack, served, record, step, token).await;
        outcome = match (outcome.is_some(), taken) {
            (_, Ok(taken)) => Some(taken),
            (false, Err(failed)) => return Err(failed),
            (true, Err(_)) => {
                let what = format!(
                    "`{}` was not reached, other values were written",
                    step.becomes.value
                );
                return Err(Outcome::Unknown(what));
            }
        };
    }
    outcome.ok_or_else(|| refused(&[], "there is nothing to write"))
}

/// Writes values.
async fn change(
    rest: &Rest,
    pack: Option<&Pack>,
    served: &Arc<Served>,
    record: &RecordKey,
    values: &Values,
    seen: Seen<'_>,
) -> Done {
    let Some(update) = &served.of.update else {
        return Err(refused(
            &[],
            &format!("a {} cannot be changed here", served.name()),
        ));
    };
    let written = encoded(served, values, false)?;
    let style = update.style.as_ref().map_or(Style::Partial, |style| style.value);
    let full = style != Style::Partial;
    // Others of a batch would wait for a turn that ends only when the batch is answered.
    let pack = pack.filter(|_| !full);
    // What is written back as a whole would undo what is written beside it.
    let turn = full.then(|| rest.turn(served.name(), &record.id));
    let _turn = match turn {
        Some(turn) => Some(turn.lock().await),
        None => None,
    };
    // Where a token must go along and none is known, the record says its own.
    let needs_token = update.sends_token() && seen.version.is_none() && update.unconditional.is_none();
    let shows = members(update.holes());
    let read = match full || !shows.is_empty() || (needs_token && served.of.read.is_some()) {
        true => Some(full::before(rest, served, record, seen.compared()).await?),
        false => None,
    };
    let token = seen.version.map(|version| version.token.clone());
    let token = token.or_else(|| {
        read.as_ref()
            .filter(|_| needs_token)
            .and_then(|read| read.token.clone())
    });
    let conditional = token.is_some() && update.sends_token();
    let given = served.named(&record.id).token(token.as_deref());
    whole_token(rest, update.holes(), &given, conditional)?;
    let given = with_values(served, given, values);
    let given = match &read {
        Some(read) => with_members(given, &read.item, &shows),
        None => given,
    };
    let (body, around) = match read.filter(|_| full) {
        Some(read) => (full::changed(served, update, read.item, values), Some(read.reply)),
        None => (written.clone(), None),
    };
    let body = with_also(body, update.also.as_ref(), &given);
    let (hole, body) = match (style, around) {
        (Style::Dataset, Some(reply)) => ("dataset", full::dataset(served, update, body, &reply)),
        (Style::Partial, _) => ("values", body),
        _ => ("record", body),
    };
    let given = given.with("values", written).with(hole, body);
    let request = rest.request(update.call(), &given, &Otherwise(Some(&Body::hole(hole))));
    let mut request = request.map_err(unsent)?;
    request = unconditional(rest, request, conditional, update.unconditional.as_ref()).map_err(unsent)?;
    let any = !conditional && update.unconditional.is_some();
    let errand = Errand::writing(served.name(), "update");
    let reply = carried_out(rest, pack, served, request, errand, update.job.as_ref()).await;
    let reply = reply.map_err(|outcome| of_none(outcome, any))?;
    Ok(applied(rest, served, record, update.record.as_ref(), &reply))
}

/// Takes a step that stands for a value.
async fn take(
    rest: &Rest,
    pack: Option<&Pack>,
    served: &Arc<Served>,
    record: &RecordKey,
    step: &ActionText,
    only_if: Option<&Version>,
) -> Done {
    let token = only_if.map(|version| version.token.as_str());
    let given = served.named(&record.id).token(token);
    let request = rest
        .request(step.call(), &given, &Otherwise(None))
        .map_err(unsent)?;
    let errand = Errand::writing(served.name(), "action");
    let reply = carried_out(rest, pack, served, request, errand, None).await?;
    Ok(applied(rest, served, record, step.record.as_ref(), &reply))
}

async fn delete(
    rest: &Rest,
    pack: Option<&Pack>,
    served: &Arc<Served>,
    record: &RecordKey,
    seen: Seen<'_>,
) -> Done {
    let Some(delete) = &served.of.delete else {
        return Err(refused(
            &[],
            &format!("a {} cannot be deleted here", served.name()),
        ));
    };
    let token = seen.version.map(|version| version.token.as_str());
    let conditional = token.is_some() && delete.call().sends_token();
    let shows = members(delete.call().holes());
    let given = served.named(&record.id).token(token);
    whole_token(rest, delete.call().holes(), &given, conditional)?;
    // Where a deletion of what is not there seems to succeed, the record is looked at before.
    let given = match shows.is_empty() {
        true => given,
        false => {
            let read = full::before(rest, served, record, seen.compared()).await?;
            with_members(given, &read.item, &shows)
        }
    };
    let request = rest
        .request(delete.call(), &given, &Otherwise(None))
        .map_err(unsent)?;
    let request = unconditional(rest, request, conditional, delete.unconditional.as_ref()).map_err(unsent)?;
    let any = !conditional && delete.unconditional.is_some();
    let errand = Errand::writing(served.name(), "delete");
    let reply = carried_out(rest, pack, served, request, errand, delete.job.as_ref()).await;
    reply.map_err(|outcome| of_none(outcome, any))?;
    Ok(Outcome::Applied {
        id: record.id.clone(),
        state: None,
    })
}

/// Where any state would do (`any`), a condition fails only if there is no record.
fn of_none(outcome: Outcome, any: bool) -> Outcome {
    match outcome {
        Outcome::Stale if any => Outcome::Gone,
        other => other,
    }
}

fn applied(
    rest: &Rest,
    served: &Served,
    record: &RecordKey,
    place: Option<&Place>,
    reply: &Reply,
) -> Outcome {
    let body = reply.json();
    let item = place.and_then(|place| read::record(Some(place), &body));
    let state = item.and_then(|item| rest.observation(served, item, &Sight::own(reply)));
    let state = state.filter(|state| state.presence == Presence::Alive && state.key == *record);
    Outcome::Applied {
        id: record.id.clone(),
        state: state.map(Box::new),
    }
}

/// A write that is refused here, before anything is sent.
pub(super) fn refused(properties: &[&String], message: &str) -> Outcome {
    Outcome::Refused(Refusal {
        kind: RefusalKind::Invalid,
        properties: properties.iter().map(|name| (*name).clone()).collect(),
        message: message.to_owned(),
        advice: "Correct the description or the mapping".to_owned(),
    })
}

impl UpdateText {
    /// Whether the answer to a change shows the record.
    pub(super) fn shows_state(&self) -> bool {
        self.record.is_some()
    }
}
