//! Changes of an org: told by events where a type has them and somebody listens, else asked for; and now and then
//! a complete comparison, for what neither shows.

mod asking;
mod cursor;
mod explain;
mod large;
mod looks;
mod watching;

pub(super) use explain::explain;
pub(super) use watching::Watching;

use super::Salesforce;
use super::bulk::query::ABOVE;
use super::composite::QUERIES;
use super::events::{self, Change, Standing, Taken};
use super::ledger::as_long_work;
use super::read;
use crate::http::clock;
use crate::{ChangePage, Complete, Error, ErrorKind, Incomplete};
use cursor::{Comparing, Cursor, Position, Seen};
use jiff::{SignedDuration, Timestamp};
use looks::Look;
use std::collections::BTreeSet;
use std::time::Duration;
use tandem_merge::record::{Observation, RecordType};
use tokio::time::Instant;

/// How wrong our clock may be where an org does not tell the time.
const CLOCK_ERROR: SignedDuration = SignedDuration::from_mins(10);

/// Whether a page belongs to a load of everything: no type was ever read to its end.
pub(super) fn is_first_load(cursor: Option<&[u8]>) -> bool {
    let cursor: Option<Cursor> = cursor.and_then(|bytes| serde_json::from_slice(bytes).ok());
    cursor.is_none_or(|cursor| cursor.types.values().all(|seen| seen.since.is_none()))
}

/// The next page.
pub(super) async fn page(
    org: &Salesforce,
    types: &[RecordType],
    cursor: Option<&[u8]>,
) -> Result<ChangePage, Error> {
    // Signing in shows the org's clock.
    org.session.token(None).await?;
    let now = org.now();
    let mut cursor = Cursor::read(cursor);
    let names: Vec<&str> = types.iter().map(|of| of.name.as_str()).collect();
    names
        .iter()
        .for_each(|name| notice_time(org, cursor.seen(name), name, now));
    let served = take_events(org, &names, &mut cursor, now).await?;
    // Who does not listen reads a comparison that has begun in one go; changes are asked for again behind it.
    let comparing = |name: &&str| cursor.types[*name].comparing.is_some();
    let goes_on = !org.watching.listens() && !comparisons_wait(org) && names.iter().any(comparing);
    if goes_on && !cursor.round {
        names.iter().for_each(|name| cursor.seen(name).done = true);
    } else if !cursor.round {
        cursor.round = true;
        for name in &names {
            let done = !is_due(org, name, &cursor.types[*name], served.contains(name), now);
            cursor.seen(name).done = done;
        }
        if org.watching.listens() {
            take_turns(org, &names, &mut cursor);
        }
    }
    let (observations, hints) = looks::look(org, &mut cursor, now).await?;
    let mut page = ChangePage {
        observations,
        hints,
        ..ChangePage::default()
    };
    page.incomplete = pass_over(org, types, &mut cursor);
    let open: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| !cursor.types[*name].done)
        .collect();
    if !open.is_empty() {
        page.observations
            .extend(match large::page(org, &mut cursor, &open).await? {
                Some(rows) => rows,
                None => asking::call(org, &mut cursor, &open, &mut page.incomplete).await?,
            });
    }
    let given_up = |name: &str| page.incomplete.iter().any(|one| one.record_type.name == name);
    if let Some(first) = page
        .incomplete
        .first()
        .filter(|_| names.iter().all(|name| given_up(name)))
    {
        return Err(first.error.clone());
    }
    for name in open
        .iter()
        .filter(|name| cursor.types[**name].done && !given_up(name))
    {
        org.watching.asked(name);
    }
    let unread = looks::next(&cursor.looks).is_some_and(|next| next <= now);
    page.more = unread || open.iter().any(|name| !cursor.types[*name].done);
    cursor.round = open.iter().any(|name| !cursor.types[*name].done);
    if !page.more && !comparisons_wait(org) {
        let compared = as_long_work(compare(org, types, &mut cursor, &mut page, now)).await;
        // Where the day's calls for long work end here, live changes go on, and the comparison tomorrow.
        compared.or_else(
            |error| match comparisons_wait(org) && error.kind == ErrorKind::Refused {
                true => Ok(()),
                false => Err(error),
            },
        )?;
    }
    let every = org.config.watch.compare_every;
    let due = |name: &&str| cursor.types[*name].compares(now, every);
    let compares = !comparisons_wait(org) && names.iter().any(due);
    // Who listens gets live changes between any two pages of a comparison.
    page.more |= compares && !org.watching.listens();
    org.watching.compare(compares && org.watching.listens());
    org.watching
        .look_at(looks::next(&cursor.looks).map(|next| instant(next, now)));
    page.cursor = serde_json::to_vec(&cursor).unwrap_or_default();
    Ok(page)
}

/// Notices that the org's clock was set back, or that nobody asked for so long that not everything is told.
fn notice_time(org: &Salesforce, seen: &mut Seen, name: &str, now: Timestamp) {
    let told = org.session.http.reached().is_some();
    if told && seen.notice_set_back(now, org.overlap()) {
        let system = org.session.http.system();
        tracing::warn!(
            system,
            "{system}: its clock was set back: {name} is read anew as a whole"
        );
    }
    seen.notice_pause(now);
}

/// Passes over the types whose listing did not get on a short while ago.
fn pass_over(org: &Salesforce, types: &[RecordType], cursor: &mut Cursor) -> Vec<Incomplete> {
    let mut resting = Vec::new();
    for of in types {
        let seen = cursor.seen(&of.name);
        if let Some(one) = org.listings.rests(of).filter(|_| !seen.done) {
            seen.give_up();
            resting.push(one);
        }
    }
    resting
}

/// Takes what events told into the cursor. Answers the types that events serve.
async fn take_events<'a>(
    org: &Salesforce,
    names: &[&'a str],
    cursor: &mut Cursor,
    now: Timestamp,
) -> Result<BTreeSet<&'a str>, Error> {
    let mut served = BTreeSet::new();
    let Some(events) = org.watching.events.as_ref().filter(|_| org.watching.listens()) else {
        return Ok(served);
    };
    for name in &org.config.watch.events {
        let Some(name) = names.iter().copied().find(|known| known == name) else {
            continue;
        };
        let seen = cursor.seen(name);
        // Only after the first load: else every record would be told as well.
        if seen.since.is_none() {
            continue;
        }
        let object = org.object(name).await?;
        if !events::has_events(&object.schema.object) {
            continue;
        }
        let position = seen.events.as_ref().map(|events| events.replay.as_slice());
        let used = object.shown.iter().map(|(name, _)| name.clone()).collect();
        let taken = events.take(name, &object.schema.object, position, &used);
        if keep(seen, &taken, now) {
            served.insert(name);
        }
        let looks = taken.told.iter().flat_map(|told| Look::all(name, told, now));
        cursor.looks.extend(looks);
    }
    Ok(served)
}

/// Notes a type's position. Answers whether events serve the type.
fn keep(seen: &mut Seen, taken: &Taken, now: Timestamp) -> bool {
    let overflow = |told: &super::events::Told| told.change == Change::Overflow;
    seen.stale |= taken.told.iter().any(overflow) || (taken.lost && taken.position.is_some());
    let Some(replay) = &taken.position else {
        seen.events = None;
        return false;
    };
    let open = taken.standing == Standing::Open;
    let before = seen.events.take().filter(|_| !taken.lost);
    let alive = before
        .as_ref()
        .map_or(now, |before| if open { now } else { before.alive });
    seen.events = Some(Position {
        replay: replay.clone(),
        from: before.map_or(now, |before| before.from),
        alive,
    });
    open
}

/// Whether a type is asked for in the round that begins.
fn is_due(org: &Salesforce, name: &str, seen: &Seen, served: bool, now: Timestamp) -> bool {
    let Some(since) = seen
        .since
        .filter(|_| seen.began.is_none() && org.watching.listens())
    else {
        return true;
    };
    if served {
        return seen.due_beside_events(now, org.overlap());
    }
    // Rounds come as often as events tell of something; the others are asked at their own interval.
    let events = &org.config.watch.events;
    let quiet = !events.iter().any(|name| org.watching.is_open(name));
    let due = now.duration_since(since) >= org.config.watch.poll * 9 / 10;
    quiet || due || org.watching.is_owed(name)
}

/// Fills calls: of the types that are due in a round, those that do not fill a call and were asked last wait for the
/// next round. What is asked for the first time, or read to see what a create left, does not wait.
fn take_turns(org: &Salesforce, names: &[&str], cursor: &mut Cursor) {
    let mut due: Vec<(Timestamp, &str)> = Vec::new();
    let mut open = 0;
    for name in names.iter().copied().filter(|name| !cursor.types[*name].done) {
        open += 1;
        let seen = &cursor.types[name];
        let since = seen
            .since
            .filter(|_| seen.began.is_none() && !org.watching.is_owed(name));
        due.extend(since.map(|since| (since, name)));
    }
    due.sort_unstable();
    let over = if open > QUERIES { open % QUERIES } else { 0 };
    for (_, name) in due.iter().rev().take(over) {
        cursor.seen(name).done = true;
    }
}

/// Whether comparisons wait for the next day, and live changes alone go on.
fn comparisons_wait(org: &Salesforce) -> bool {
    let ledger = &org.session.ledger;
    ledger.long_work_waits(org.session.http.reached())
}

/// One page of the first complete comparison that is running or due.
async fn compare(
    org: &Salesforce,
    types: &[RecordType],
    cursor: &mut Cursor,
    page: &mut ChangePage,
    now: Timestamp,
) -> Result<(), Error> {
    let every = org.config.watch.compare_every;
    let runs = |of: &&RecordType| cursor.types[&of.name].comparing.is_some();
    let due = |of: &&RecordType| cursor.types[&of.name].compares(now, every);
    let Some(of) = types.iter().find(runs).or_else(|| types.iter().find(due)) else {
        return Ok(());
    };
    let object = org.object(&of.name).await?;
    let seen = cursor.seen(&of.name);
    let Comparing { began, after } = seen.comparing.clone().unwrap_or(Comparing {
        began: now,
        after: None,
    });
    let listed = read::page(org, &object, after.as_deref().map(str::as_bytes)).await?;
    // What is found stale while it is compared is compared once more.
    seen.stale &= seen.comparing.is_some();
    let last = listed.resume.map(|id| String::from_utf8_lossy(&id).into_owned());
    // Only what lies in the order of bytes shows which ids are absent.
    if in_order(after.as_deref(), &listed.observations) {
        page.complete = Some(Complete {
            record_type: of.clone(),
            after,
            to: last.clone(),
        });
    }
    match last {
        Some(last) => {
            seen.comparing = Some(Comparing {
                began,
                after: Some(last),
            });
        }
        None => seen.compared(began),
    }
    page.observations.extend(listed.observations);
    Ok(())
}

fn in_order(after: Option<&str>, shown: &[Observation]) -> bool {
    let ids = after
        .into_iter()
        .chain(shown.iter().map(|seen| seen.key.id.as_str()));
    ids.is_sorted_by(|one, next| one < next)
}

/// The instant of ours at which the org's clock reaches a moment.
fn instant(at: Timestamp, now: Timestamp) -> Instant {
    Instant::now() + Duration::try_from(at.duration_since(now)).unwrap_or_default()
}

impl Salesforce {
    /// A moment that the org's clock has surely reached.
    fn now(&self) -> Timestamp {
        let fallback = || {
            clock::now()
                .checked_sub(CLOCK_ERROR)
                .unwrap_or(Timestamp::UNIX_EPOCH)
        };
        self.session.http.reached().unwrap_or_else(fallback)
    }

    /// With more rows than this a query is fewer calls than pages.
    pub(super) fn query_above(&self) -> u64 {
        let bulk = self.config.writes.bulk.as_ref();
        bulk.and_then(|bulk| bulk.query_above).unwrap_or(ABOVE)
    }

    /// A request may take effect as late as its deadline, so no less than that is read again.
    fn overlap(&self) -> SignedDuration {
        self.config.overlap.max(self.config.request_deadline)
    }
}
