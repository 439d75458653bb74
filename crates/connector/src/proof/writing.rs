//! Laws of writing, tried on a record that is made for it and deleted again.

use super::shown::Before;
use super::words::{standing, told, unread};
use super::{Proofs, Tried, conditions, firm, is_alive, read, skips};
use crate::{Change, Error, Lane, Outcome, Probe, Probed, PropertySchema, Schema, Write};
use std::collections::BTreeSet;
use tandem_merge::record::{Observation, Presence, RecordKey, Values, Version};
use tandem_merge::value::Value;

const MADE: &str = "a create makes a record with the values that it was given";
/// The law of [`Protection::idempotent_create`](crate::Protection::idempotent_create).
pub const ONCE: &str = "a create that is sent twice makes one record";
const MOVES: &str = "an update changes what it names and nothing else, and the version moves with it";
/// The law of [`Protection::conditional_write`](crate::Protection::conditional_write).
pub const STALE: &str = "an update of an old version is refused and changes nothing";
/// The law of [`Protection::conditional_delete`](crate::Protection::conditional_delete).
pub const STALE_DELETION: &str = "a deletion of an old version is refused and deletes nothing";
const UNCONDITIONAL: &str = "an update without a condition is answered in a way that is known";
const TOO_LONG: &str = "a text that is too long is refused, not cut";
const UNKNOWN: &str = "a property that there is not is refused";
const DELETED: &str = "a deletion takes the record away, and its id is answered so";
const GONE: &str = "a write to a record that is not there is answered so";

/// Tries them.
pub(super) async fn prove(
    tried: &Tried<'_>,
    schema: &Schema,
    listed: &[Observation],
    proofs: &mut Proofs,
) -> Result<(), Error> {
    if !tried.described.createable || !tried.described.deletable {
        proofs.untried(MADE, "its records cannot be made and deleted again");
        return Ok(());
    }
    let Some(values) = sample(tried, schema, listed).await? else {
        proofs.untried(MADE, "it needs a reference to a record that is not there");
        return Ok(());
    };
    let mut changes = Before::read(tried, proofs).await?;
    let key = new_key();
    let made = one(tried, creating(tried, &values, &key)).await;
    let Outcome::Applied { id, .. } = &made else {
        proofs.add(false, MADE, told(&made));
        return Ok(());
    };
    let shown = firm(tried.system, tried.of, id).await?;
    let other = shown.as_ref().and_then(|shown| differing(&values, &shown.values));
    let unseen = match &shown {
        Some(shown) => unread(shown).or_else(|| (!is_alive(Some(shown))).then(|| not_found(id))),
        None => Some(not_found(id)),
    };
    let other = unseen.or(other);
    let fine = format!("{id}, with {} values", values.len());
    proofs.add(
        is_alive(shown.as_ref()) && other.is_none(),
        MADE,
        other.unwrap_or(fine),
    );
    if tried.can().idempotent_create {
        let again = one(tried, creating(tried, &values, &key)).await;
        let same = matches!(&again, Outcome::Applied { id: same, .. } if same == id);
        proofs.add(same, ONCE, if same { id.clone() } else { told(&again) });
        if let Outcome::Applied { id: other, .. } = &again
            && other != id
        {
            clean(tried, other).await;
        }
    } else {
        proofs.untried(ONCE, "it does not say so: whoever creates looks first");
    }
    if let Some(changes) = &mut changes {
        changes.shows_made(tried, id, proofs).await?;
    }
    if let Some(shown) = shown {
        updates(tried, &shown, proofs).await?;
    }
    refused(tried, &values, proofs).await;
    deletes(tried, id, proofs).await?;
    let Some(mut changes) = changes else {
        return Ok(());
    };
    changes.shows_deleted(tried, id, proofs).await?;
    skips::prove(tried, schema, listed, proofs).await
}

fn not_found(id: &str) -> String {
    format!("{id} was made, and a read by that id finds no record")
}

/// A key that no other create has, of signs that every address takes.
fn new_key() -> String {
    format!("tandem-test-{}", crate::http::clock::now().as_nanosecond())
}

fn creating(tried: &Tried<'_>, values: &Values, key: &str) -> Write {
    Change::Create {
        record_type: tried.of.clone(),
        values: values.clone(),
    }
    .under(key)
}

/// Makes a record with these values.
pub(super) async fn create(tried: &Tried<'_>, values: &Values) -> Outcome {
    one(tried, creating(tried, values, &new_key())).await
}

async fn updates(tried: &Tried<'_>, before: &Observation, proofs: &mut Proofs) -> Result<(), Error> {
    let free = |(name, of): &(&String, &PropertySchema)| {
        of.updateable
            && of.values.is_empty()
            && of.references.is_empty()
            && of.data_type == "string"
            && before
                .values
                .get(*name)
                .is_some_and(|value| form(value).is_none())
    };
    let named = tried.described.properties.iter().find(free);
    let Some((name, of)) = named.filter(|_| tried.described.updateable) else {
        proofs.untried(MOVES, "it has no text that can be changed");
        return Ok(());
    };
    let id = &before.key.id;
    let update = |text: &str, only_if: Option<Version>| {
        let text = fitted(text, of);
        let values = Values::from([(name.clone(), Value::text(text))]);
        Change::Update {
            record: before.key.clone(),
            values,
            only_if,
        }
        .under(text)
    };
    let outcome = one(tried, update("Tandem changed", None)).await;
    let after = read(tried.system, tried.of, id).await?;
    let moved = after.as_ref().is_some_and(|after| {
        after.version.as_ref().map(|it| &it.token) != before.version.as_ref().map(|it| &it.token)
    });
    let mut expected = before.values.clone();
    expected.insert(name.clone(), Value::text(fitted("Tandem changed", of)));
    let other = after
        .as_ref()
        .and_then(|after| differing(&expected, &after.values));
    let applied = matches!(outcome, Outcome::Applied { .. });
    let seen = match (&other, applied, moved) {
        (Some(other), ..) => other.clone(),
        (None, false, _) => told(&outcome),
        (None, true, false) => {
            "the version is the one before the update: nobody can tell that it moved".to_owned()
        }
        (None, true, true) => format!("{name} alone"),
    };
    proofs.add(applied && moved && other.is_none(), MOVES, seen);
    if !tried.can().conditional_write {
        proofs.untried(STALE, conditions::unconditional(tried));
        return Ok(());
    }
    let outcome = conditions::asked(tried, update("Tandem stale", before.version.clone())).await?;
    let now = read(tried.system, tried.of, id).await?;
    let kept = now.is_some_and(|now| now.values.get(name) == expected.get(name));
    let seen = match (&outcome, kept) {
        (Outcome::Stale, true) => "refused".to_owned(),
        (_, false) => format!("{}, and {name} was overwritten", told(&outcome)),
        (outcome, true) => told(outcome),
    };
    proofs.refused_as_stale(&outcome, kept, STALE, seen);
    let values = Values::from([(name.clone(), Value::text(fitted("Tandem bare", of)))]);
    unconditional(tried, before, &values, proofs).await;
    stale_deletion(tried, before, proofs).await
}

/// Whoever sends no condition is refused in words that are understood, or overwrites, which is good to know.
async fn unconditional(tried: &Tried<'_>, before: &Observation, values: &Values, proofs: &mut Proofs) {
    match tried
        .system
        .probe(Probe::Unconditional(&before.key, values))
        .await
    {
        Ok(Some(Probed::Refused(words))) => proofs.add(true, UNCONDITIONAL, words),
        Ok(Some(Probed::Taken)) => {
            proofs.add(
                true,
                UNCONDITIONAL,
                "it was taken: who sends none overwrites unseen",
            );
        }
        Ok(Some(Probed::Untried(why))) => proofs.untried(UNCONDITIONAL, why),
        Ok(_) => proofs.untried(UNCONDITIONAL, "nothing else than with a condition can be asked"),
        Err(error) => proofs.add(false, UNCONDITIONAL, error.to_string()),
    }
}

async fn stale_deletion(tried: &Tried<'_>, before: &Observation, proofs: &mut Proofs) -> Result<(), Error> {
    if !tried.can().conditional_delete {
        proofs.untried(
            STALE_DELETION,
            "it does not say so: a record is read before it is deleted",
        );
        return Ok(());
    }
    let change = Change::Delete {
        record: before.key.clone(),
        only_if: before.version.clone(),
    };
    let outcome = conditions::asked(tried, change.under("tandem-test-stale")).await?;
    let kept = is_alive(read(tried.system, tried.of, &before.key.id).await?.as_ref());
    let seen = match (&outcome, kept) {
        (Outcome::Stale, true) => "refused".to_owned(),
        (outcome, true) => told(outcome),
        (outcome, false) => format!("{}, and it was deleted", told(outcome)),
    };
    proofs.refused_as_stale(&outcome, kept, STALE_DELETION, seen);
    Ok(())
}

async fn refused(tried: &Tried<'_>, values: &Values, proofs: &mut Proofs) {
    let mut properties = tried.described.properties.iter();
    let bounded = properties.find(|(_, of)| {
        of.createable
            && of.max_length.is_some_and(|length| length < 10_000)
            && of.values.is_empty()
            && of.references.is_empty()
    });
    match bounded {
        Some((name, of)) => {
            let long = "x".repeat(of.max_length.unwrap_or_default() + 1);
            try_refused(tried, values, (name, Value::text(long)), TOO_LONG, proofs).await;
        }
        None => proofs.untried(TOO_LONG, "no text of it is described with a length"),
    }
    let stranger = "tandemNoSuchProperty".to_owned();
    try_refused(tried, values, (&stranger, Value::text("x")), UNKNOWN, proofs).await;
}

async fn try_refused(
    tried: &Tried<'_>,
    values: &Values,
    (name, value): (&String, Value),
    law: &'static str,
    proofs: &mut Proofs,
) {
    let mut values = values.clone();
    values.insert(name.clone(), value);
    let change = Change::Create {
        record_type: tried.of.clone(),
        values,
    };
    let outcome = one(
        tried,
        change.under(&format!("tandem-test-{name}-{}", crate::http::clock::now())),
    )
    .await;
    match &outcome {
        Outcome::Refused(refusal) => proofs.add(true, law, refusal.message.clone()),
        Outcome::Applied { id, .. } => {
            proofs.add(false, law, format!("it was taken: {id}"));
            clean(tried, id).await;
        }
        other => proofs.add(false, law, told(other)),
    }
}

async fn deletes(tried: &Tried<'_>, id: &str, proofs: &mut Proofs) -> Result<(), Error> {
    let outcome = one(tried, delete(tried, id)).await;
    let after = read(tried.system, tried.of, id).await?;
    let how = after.as_ref().map(|after| after.presence);
    let gone = matches!(how, Some(Presence::Deleted | Presence::Missing));
    let applied = matches!(outcome, Outcome::Applied { .. });
    let seen = match (applied, how) {
        (true, Some(Presence::Deleted)) => "it says that it was deleted".to_owned(),
        (true, Some(Presence::Missing)) => "it is not found any more".to_owned(),
        _ => after.as_ref().and_then(unread).unwrap_or_else(|| {
            let then = how.map_or("its id is not answered", standing);
            format!("{}; then {then}", told(&outcome))
        }),
    };
    proofs.add(applied && gone, DELETED, seen);
    let outcome = one(tried, delete(tried, id)).await;
    proofs.add(outcome == Outcome::Gone, GONE, told(&outcome));
    Ok(())
}

/// Values of a record of the type, with all that it must have; none where it must refer to what is not there.
pub(super) async fn sample(
    tried: &Tried<'_>,
    schema: &Schema,
    listed: &[Observation],
) -> Result<Option<Values>, Error> {
    let mut values = Values::new();
    for (name, of) in &tried.described.properties {
        let needed = of.createable && !of.nillable && !of.filled_on_create;
        let plain = of.createable
            && ["string", "time", "uuid"].contains(&of.data_type.as_str())
            && of.values.is_empty()
            && !of.unique
            && of.references.is_empty();
        if !needed && !plain {
            continue;
        }
        let value = match (of.data_type.as_str(), of.values.first(), of.references.first()) {
            (_, Some(entry), _) => Value::text(entry.as_str()),
            (_, _, Some(target)) => {
                let Some(id) = someone(tried, schema, listed, target).await? else {
                    return Ok(None);
                };
                Value::text(id)
            }
            // A number that is given once may be a part of the key.
            ("integer" | "int", ..) if !of.updateable => Value::Integer(unused(name, listed)),
            ("integer" | "int", ..) => Value::Integer(1),
            ("decimal" | "currency" | "double" | "percent", ..) => Value::Decimal(1.into()),
            ("boolean", ..) => Value::Boolean(true),
            ("date", ..) => Value::Date(jiff::civil::date(2026, 1, 31)),
            ("datetime", ..) => {
                Value::DateTime(jiff::Timestamp::from_second(1_790_000_000).unwrap_or_default())
            }
            ("email", ..) => Value::text("tandem@example.com"),
            ("url", ..) => Value::text("https://example.com"),
            ("phone", ..) => Value::text("+1 555 0100"),
            ("uuid", ..) => Value::text(unheard_of()),
            ("time", ..) => Value::text("12:30:00"),
            ("string", ..) => text(name, of, listed),
            // What its system alone knows the form of is taken from a record that has it.
            _ => match shown(name, listed).next() {
                Some(known) => known.clone(),
                None => text(name, of, listed),
            },
        };
        values.insert(name.clone(), value);
    }
    Ok(Some(values))
}

/// What listed records show there.
fn shown<'l>(name: &str, listed: &'l [Observation]) -> impl Iterator<Item = &'l Value> {
    let values = listed.iter().filter_map(move |shown| shown.values.get(name));
    values.filter(|value| !value.is_blank())
}

/// A text for a property: of the form that all have which are there, if they have one.
fn text(name: &str, of: &PropertySchema, listed: &[Observation]) -> Value {
    let mut forms = shown(name, listed).map(form);
    match forms.next().flatten() {
        Some(known) if forms.all(|other| other == Some(known)) => match known {
            Form::Uuid => Value::text(unheard_of()),
            Form::Time => Value::text("12:30:00"),
        },
        _ => {
            let unique = format!("Tandem {}", crate::http::clock::now().as_microsecond());
            Value::text(fitted(if of.unique { &unique } else { "Tandem test" }, of))
        }
    }
}

/// A form that texts may have, where a system takes no others.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Time,
    Uuid,
}

fn form(value: &Value) -> Option<Form> {
    let text = value.as_text()?;
    let hyphens = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    if text.len() == 36 && text.bytes().enumerate().all(hyphens) {
        return Some(Form::Uuid);
    }
    let time = text.as_bytes().get(2) == Some(&b':') && text.parse::<jiff::civil::Time>().is_ok();
    time.then_some(Form::Time)
}

/// A UUID that nobody has: it says when it was made.
fn unheard_of() -> String {
    let hex = format!("{:032x}", crate::http::clock::now().as_nanosecond());
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-4{}-a{}-{}",
        part(0, 8),
        part(8, 12),
        part(13, 16),
        part(17, 20),
        part(20, 32)
    )
}

/// A whole number that no listed record shows there, nor as a part of its key.
fn unused(name: &str, listed: &[Observation]) -> i64 {
    let shown = listed.iter().filter_map(|shown| shown.values.get(name));
    let keys = listed.iter().flat_map(|shown| shown.key.id.split(['|', '/']));
    let taken: BTreeSet<String> = shown
        .map(ToString::to_string)
        .chain(keys.map(str::to_owned))
        .collect();
    let free = |number: &i64| !taken.contains(&number.to_string());
    (1..).find(free).unwrap_or(1)
}

/// The id of any record of the type that a reference leads to.
async fn someone(
    tried: &Tried<'_>,
    schema: &Schema,
    listed: &[Observation],
    target: &str,
) -> Result<Option<String>, Error> {
    // By its own name first: what stands inside a record is served by that record's object.
    let served = |(_, of): &(&String, &crate::TypeSchema)| of.object == target;
    let named = schema.types.get_key_value(target);
    let Some((name, _)) = named.or_else(|| schema.types.iter().find(served)) else {
        return Ok(None);
    };
    if *name == tried.of.name {
        return Ok(listed.first().map(|shown| shown.key.id.clone()));
    }
    let of = tandem_merge::record::RecordType::new(tried.system.system(), name);
    let page = tried.system.list(&of, None).await?;
    Ok(page.observations.first().map(|shown| shown.key.id.clone()))
}

fn fitted<'a>(text: &'a str, of: &PropertySchema) -> &'a str {
    let end = of.max_length.unwrap_or(usize::MAX);
    text.char_indices().nth(end).map_or(text, |(at, _)| &text[..at])
}

/// What of the expected values is shown otherwise.
fn differing(expected: &Values, shown: &Values) -> Option<String> {
    let mut shown_too = expected
        .iter()
        .filter_map(|(name, value)| Some((name, value, shown.get(name)?)));
    let (name, value, other) = shown_too.find(|(_, value, other)| !same(value, other))?;
    Some(format!("{name} was given as `{value}` and is shown as `{other}`"))
}

/// The same value; a time of day is the same with fewer digits.
fn same(value: &Value, other: &Value) -> bool {
    let time = |value: &Value| {
        let text = value.as_text()?;
        text.parse::<jiff::civil::Time>()
            .ok()
            .filter(|_| form(value) == Some(Form::Time))
    };
    value == other || time(value).is_some_and(|at| time(other) == Some(at))
}

pub(super) async fn one(tried: &Tried<'_>, write: Write) -> Outcome {
    let mut outcomes = tried.system.write(&[write], Lane::Live).await;
    outcomes
        .pop()
        .unwrap_or_else(|| Outcome::Unknown("a write was not answered at all".to_owned()))
}

fn delete(tried: &Tried<'_>, id: &str) -> Write {
    let record = RecordKey {
        record_type: tried.of.clone(),
        id: id.to_owned(),
    };
    Change::Delete {
        record,
        only_if: None,
    }
    .under(id)
}

/// Takes away what should not have been made.
pub(super) async fn clean(tried: &Tried<'_>, id: &str) {
    let _ = one(tried, delete(tried, id)).await;
}

impl Change {
    /// A write of its own under a key.
    pub(super) fn under(self, key: &str) -> Write {
        Write {
            intent: 1,
            key: key.to_owned(),
            change: self,
        }
    }
}
