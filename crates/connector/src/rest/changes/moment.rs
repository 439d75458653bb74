//! Moments by an ERP's clock: when a page was read, and from which on changes are asked for.

use super::super::Rest;
use super::super::description::operations::SinceText;
use super::super::description::times::{AS_FORM, Granularity};
use super::super::form::Moments;
use super::super::served::Served;
use crate::http::{Reply, clock};
use crate::{Error, ErrorKind};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

/// How wrong our clock may be where an ERP does not tell the time.
pub(super) const CLOCK_ERROR: SignedDuration = SignedDuration::from_mins(10);
/// A clock that is further behind than this was set back.
const SET_BACK: SignedDuration = SignedDuration::from_secs(10);

/// The moment from which on changes are wanted, as the ERP takes it: never later than `from`, and such that a change of that
/// very moment is shown.
pub(in super::super) fn literal(served: &Served, written: Option<&SinceText>, from: Timestamp) -> Json {
    let one_less = written.is_some_and(|since| since.exclusive == Some(true));
    printed(served, written, from, one_less)
}

/// The moment up to which records are wanted, as the ERP takes it: what follows it begins there.
pub(in super::super) fn until(
    served: &Served,
    written: Option<&SinceText>,
    to: Timestamp,
    inclusive: bool,
) -> Json {
    printed(served, written, to, inclusive)
}

/// The last moment up to this one that the ERP tells apart.
pub(in super::super) fn floor(served: &Served, written: Option<&SinceText>, at: Timestamp) -> Timestamp {
    moments(served, written).floor(at, step(written).length())
}

/// They are written as the times of records are.
fn as_form(written: Option<&SinceText>) -> bool {
    let format = written.and_then(|since| since.format.as_ref());
    format.is_some_and(|format| format.value == AS_FORM)
}

/// Whether the moments that changes are asked by are written without a zone, and none is named.
pub(in super::super) fn is_zone_assumed(served: &Served, written: Option<&SinceText>) -> bool {
    let as_day = step(written) == Granularity::Day;
    !as_day && !as_form(written) && moments(served, written).is_written_without_zone()
}

fn moments(served: &Served, written: Option<&SinceText>) -> Moments {
    if as_form(written) {
        return served.of.moments.moments.clone();
    }
    let said = |of: fn(&SinceText) -> Option<&str>| written.and_then(of);
    let format = said(|since| since.format.as_ref().map(|text| text.value.as_str()));
    let zone = said(|since| since.zone.as_ref().map(|text| text.value.as_str()));
    // It was checked when the description was read.
    Moments::read(step(written) != Granularity::Day, format, zone).unwrap_or_default()
}

/// A moment as the ERP takes it, or the one before it.
fn printed(served: &Served, written: Option<&SinceText>, at: Timestamp, one_less: bool) -> Json {
    let step = step(written);
    let format = written.and_then(|since| since.format.as_ref());
    let format = format.map(|text| text.value.as_str());
    let day = step == Granularity::Day;
    let moments = moments(served, written);
    let mut from = moments.floor(at, step.length());
    if one_less {
        from = from.checked_sub(step.length()).unwrap_or(from);
    }
    if as_form(written) {
        return served.of.moments.encode_moment(from, digits(step));
    }
    match (day, format) {
        (true, None | Some("iso")) => moments.print_date(moments.day(from)),
        (true, Some(pattern)) if pattern.contains('%') => moments.print_date(moments.day(from)),
        _ => moments.print_to(from, digits(step)),
    }
}

/// The least difference of two times.
pub(in super::super) fn step(written: Option<&SinceText>) -> Granularity {
    let said = written.and_then(|since| since.granularity);
    said.unwrap_or(Granularity::Millisecond)
}

/// Digits of a second that the ERP tells apart.
fn digits(step: Granularity) -> usize {
    match step {
        Granularity::Microsecond => 6,
        Granularity::Millisecond => 3,
        _ => 0,
    }
}

/// The moment at which a page was read, by the ERP's clock: no later than it was.
pub(super) fn as_of(rest: &Rest, served: &Served, body: &Json, reply: &Reply) -> Result<Timestamp, Error> {
    let changes = served.changes.as_ref().and_then(|changes| changes.clock.as_ref());
    if let Some(place) = changes.or(served.of.list.clock.as_ref()) {
        let shown = place.shown(body, &reply.headers);
        let moments = &served.of.moments.moments;
        let told = shown.and_then(|shown| moments.moment(&shown).or_else(|| shown.as_str()?.parse().ok()));
        let told = told.ok_or_else(|| {
            let what = format!(
                "a list of {} does not say at `{place}` when it was read",
                served.name()
            );
            rest.http
                .error(ErrorKind::Protocol, what, "Correct `clock:` in the description")
                .as_answer()
        })?;
        rest.learn_clock(told, reply);
        return Ok(told);
    }
    let began = || reply.began.checked_sub(CLOCK_ERROR).unwrap_or(reply.began);
    // A reply shows the clock when it was answered; when it was asked it stood no later than so much before.
    let dated = reply
        .headers
        .get("date")
        .and_then(|date| clock::parse(date.to_str().ok()?));
    let took = clock::now()
        .duration_since(reply.began)
        .saturating_add(SignedDuration::from_secs(1));
    let dated = dated.and_then(|date| date.checked_sub(took).ok());
    // What it had reached before by far is what it showed before it was set back.
    let reached = reply.reached.filter(|reached| {
        let end = dated.and_then(|dated| dated.checked_add(SET_BACK).ok());
        end.is_none_or(|end| *reached <= end)
    });
    Ok(reached.or(dated).unwrap_or_else(began))
}

/// The moment at which a list of what was deleted was read.
pub(super) fn as_of_deletions(reply: &Reply) -> Timestamp {
    let began = || reply.began.checked_sub(CLOCK_ERROR).unwrap_or(reply.began);
    reply.reached.unwrap_or_else(began)
}
