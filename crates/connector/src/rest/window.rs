//! Queries that show so many records at most: they are asked for in parts of the time, each below that number, and within
//! one moment by key. What no part can show is said.

use super::Rest;
use super::ask::Given;
use super::changes::{literal, step, until};
use super::description::operations::{SinceText, WindowText};
use super::read::{Asked, Page, plain as plain_page};
use super::served::Served;
use crate::http::clock;
use crate::{Error, ErrorKind};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Records may be dated so far ahead by a clock that is wrong.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);
/// Behind every time that a record shows: the year 9999.
const END: i64 = 253_370_764_800;

/// What is left to be read.
#[derive(Debug, Serialize, Deserialize)]
struct Left {
    /// Parts of the time, the one to be read next at the end.
    parts: Vec<(Timestamp, Timestamp)>,
    /// The part is one moment, and read on behind this key.
    after: Option<String>,
}

impl Left {
    /// As a continuation says, or all from a moment on.
    fn read(at: Option<&str>, from: Timestamp) -> Self {
        let read = at.and_then(|at| serde_json::from_str(at).ok());
        read.unwrap_or_else(|| Self {
            parts: vec![(from, Timestamp::from_second(END).unwrap_or(Timestamp::MAX))],
            after: None,
        })
    }

    fn written(&self) -> Option<String> {
        let more = !self.parts.is_empty();
        more.then(|| serde_json::to_string(self).unwrap_or_default())
    }
}

/// What a part shows.
struct Shown {
    page: Page,
    /// It shows as much as a query can: there may be more.
    full: bool,
}

/// The next part that shows all it has, from a continuation on.
pub(super) async fn page(
    rest: &Rest,
    served: &Served,
    asked: &Asked<'_>,
    window: &WindowText,
    given: &Given,
    at: Option<&str>,
) -> Result<Page, Error> {
    let changes = served
        .of
        .changes
        .as_ref()
        .and_then(|changes| changes.since.as_ref());
    let written = window.since.as_ref().or(changes);
    let length = step(written).length();
    let by_key = asked.call.takes("after");
    let mut left = Left::read(at, asked.from);
    loop {
        let Some((from, to)) = left.parts.pop() else {
            return Err(rest.stuck(served.name(), "there is nothing left to be read"));
        };
        let given = filled(served, given, window, written, (from, to), left.after.as_deref());
        let Shown { mut page, full } = part(rest, served, asked, window, &given).await?;
        if !full {
            left.after = None;
            page.next = left.written();
            return Ok(page);
        }
        if let Some([early, late]) = halves(served, (from, to), written, length) {
            left.parts.extend([late, early]);
            continue;
        }
        let last = page.last.clone();
        if !by_key || last.is_none() || last == left.after {
            return Err(too_many(rest, served, window, from));
        }
        left.parts.push((from, to));
        left.after = last;
        page.next = left.written();
        return Ok(page);
    }
}

/// What a query of a part is asked by.
fn filled(
    served: &Served,
    given: &Given,
    window: &WindowText,
    written: Option<&SinceText>,
    (from, to): (Timestamp, Timestamp),
    after: Option<&str>,
) -> Given {
    let first = window.first.as_ref().map(|first| first.text());
    let after = after.map(str::to_owned).or(first);
    given
        .clone()
        .with("since", literal(served, written, from))
        .with(
            "until",
            until(served, written, to, window.inclusive == Some(true)),
        )
        .maybe("after", after)
}

/// All pages of a part, as far as a query shows them.
async fn part(
    rest: &Rest,
    served: &Served,
    asked: &Asked<'_>,
    window: &WindowText,
    given: &Given,
) -> Result<Shown, Error> {
    let most = window.at_most.value as usize;
    let name = format!("part {} {}", served.name(), rest.number());
    rest.listings.begin(&name);
    let mut before: Option<Page> = None;
    let mut at: Option<String> = None;
    let mut rows = 0;
    loop {
        let page = plain_page(rest, served, asked, given, at.as_deref()).await?;
        let (from, next) = (at.take(), page.next.clone());
        let stuck = rest
            .listings
            .page(&name, &page.observations, from.as_deref(), next.as_deref());
        stuck.map_err(|what| rest.stuck(served.name(), &what))?;
        rows += page.rows;
        let full = rows >= most || page.total.is_some_and(|total| total >= most as u64);
        // When the part began to be read is said by its page at the beginning.
        let whole = match before.take() {
            None => page,
            Some(mut whole) => {
                whole.observations.extend(page.observations);
                whole.wholes.extend(page.wholes);
                whole.last = page.last.or(whole.last);
                whole
            }
        };
        if full || next.is_none() {
            return Ok(Shown { page: whole, full });
        }
        (at, before) = (next, Some(whole));
    }
}

/// A part in two; none where the ERP tells no times apart within it.
fn halves(
    served: &Served,
    (from, to): (Timestamp, Timestamp),
    written: Option<&SinceText>,
    length: SignedDuration,
) -> Option<[(Timestamp, Timestamp); 2]> {
    let next = from.checked_add(length).ok()?;
    if next >= to {
        return None;
    }
    let now = clock::now().checked_add(AHEAD).unwrap_or(Timestamp::MAX);
    let middle = match from < now && now < to {
        // Hardly anything lies behind it.
        true => now,
        false => from.checked_add(to.duration_since(from) / 2).ok()?,
    };
    let middle = super::changes::floor(served, written, middle);
    let middle = if middle > from && middle < to {
        middle
    } else {
        next
    };
    Some([(from, middle), (middle, to)])
}

/// A moment that holds more than a query shows.
fn too_many(rest: &Rest, served: &Served, window: &WindowText, moment: Timestamp) -> Error {
    let what = format!(
        "{} or more records of {} share the moment {moment}, and a query shows no more of them",
        window.at_most.value,
        served.name()
    );
    let advice = "Let the query take `{after}` and sort by the id, so that such a moment is read on by key";
    rest.http.error(ErrorKind::Protocol, what, advice).as_answer()
}
