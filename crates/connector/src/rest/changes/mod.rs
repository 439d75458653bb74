//! Changes of an ERP: type by type, each from where its last complete round began, less the overlap; then what was deleted, where
//! there is a list of it; and now and then all records, for what neither shows.

mod compare;
mod cursor;
mod delta;
mod moment;

use super::Rest;
use super::ask::Given;
use super::description::operations::{DeletionsText, SinceText};
use super::description::place::plain;
use super::description::record::Moment;
use super::description::times::Source;
use super::read::{self, Asked};
use super::served::Served;
use super::{paging, parts};
use crate::http::clock;
use crate::{ChangePage, Complete, Error, ErrorKind, Incomplete, Scope};
use cursor::{Cursor, Seen};
pub(super) use delta::is_refused;
use jiff::{SignedDuration, Timestamp};
use moment::{as_of, as_of_deletions};
pub(super) use moment::{floor, is_zone_assumed, literal, step, until};
use serde_json::Value as Json;
use tandem_merge::record::{Observation, Presence, RecordKey, RecordType, Version};

/// A page of changes ends when it has as many records.
const PAGE: usize = 1_000;

/// The next page: types in the order given, until it is full or the round is over.
pub(super) async fn page(
    rest: &Rest,
    types: &[RecordType],
    cursor: Option<&[u8]>,
) -> Result<ChangePage, Error> {
    let mut cursor = Cursor::read(cursor);
    let mut page = ChangePage::default();
    if cursor.begin(types) {
        begin_types(rest, types, &mut cursor)?;
    }
    let mut given_up: Vec<(&RecordType, Error)> = Vec::new();
    let mut any = false;
    for record_type in types {
        let served = rest.served(record_type)?;
        let seen = cursor.seen(&record_type.name);
        if let Some(resting) = rest.listings.rests(record_type).filter(|_| !seen.done) {
            seen.give_up();
            page.incomplete.push(resting);
        } else {
            any |= seen.done;
        }
        while !seen.done && page.observations.len() < PAGE {
            match read_on(rest, &served, record_type, seen).await {
                Ok(rows) => {
                    any = true;
                    page.observations.extend(rows.observations);
                    page.wholes.extend(rows.wholes);
                    page.hints.extend(rows.hints);
                    // What is not named can only be found by what is absent.
                    seen.lost |= rows.unnamed;
                }
                // One type alone is passed over; where nothing else is answered either, the system is in trouble.
                Err(error) if is_of_one_type(&error) && (any || given_up.is_empty()) => {
                    seen.give_up();
                    given_up.push((record_type, error));
                }
                Err(error) => return Err(error),
            }
        }
        page.more |= !seen.done;
    }
    if let Some(error) = nothing_read(types, &page.incomplete, &given_up) {
        return Err(error);
    }
    let given_up = given_up
        .into_iter()
        .map(|(of, error)| rest.listings.rest(of, error));
    page.incomplete.extend(given_up);
    if !page.more {
        compare::compare(rest, types, &mut cursor, &mut page).await?;
    }
    if !page.more {
        cursor.compared.clear();
    }
    cursor.round = page.more && !cursor.comparing;
    page.cursor = cursor.written();
    Ok(page)
}

/// What a page of changes shows.
#[derive(Default)]
struct Rows {
    observations: Vec<Observation>,
    /// Ranges of ids within which these are all.
    wholes: Vec<Complete>,
    /// Records to look at again.
    hints: Vec<RecordKey>,
    /// Something was removed, and nothing says what.
    unnamed: bool,
}

impl Rows {
    fn shown(observations: Vec<Observation>, wholes: Vec<Complete>) -> Self {
        Self {
            observations,
            wholes,
            ..Self::default()
        }
    }
}

/// What a round reads: types without a list of changes are read when they are compared.
fn begin_types(rest: &Rest, types: &[RecordType], cursor: &mut Cursor) -> Result<(), Error> {
    for of in types {
        let served = rest.served(of)?;
        let seen = cursor.seen(&of.name);
        let listed = seen.since.is_some() && served.changes.is_none();
        seen.done = listed && served.of.deletions.is_none();
        seen.deleting = listed && served.of.deletions.is_some();
    }
    Ok(())
}

fn nothing_read(
    types: &[RecordType],
    resting: &[Incomplete],
    given_up: &[(&RecordType, Error)],
) -> Option<Error> {
    let open = |of: &RecordType| {
        resting.iter().any(|one| one.record_type == *of) || given_up.iter().any(|(one, _)| *one == of)
    };
    if !types.iter().all(open) {
        return None;
    }
    let first = given_up.first().map(|(_, error)| error);
    first.or(resting.first().map(|one| &one.error)).cloned()
}

/// Whether a trouble may be that of one type: not how we stand there, nor a binding that leads nowhere.
fn is_of_one_type(error: &Error) -> bool {
    let general = matches!(
        error.kind,
        ErrorKind::SignIn | ErrorKind::Refused | ErrorKind::Missing
    );
    !general && error.scope != Scope::System
}

/// The next page of one type: of its changes, then of what was deleted.
async fn read_on(rest: &Rest, served: &Served, of: &RecordType, seen: &mut Seen) -> Result<Rows, Error> {
    let changes = served.of.changes.as_ref();
    let delta = changes.and_then(|changes| changes.delta.as_ref());
    match (&served.of.deletions, seen.deleting) {
        (Some(deletions), true) => read_deletions(rest, served, of, deletions, seen).await,
        _ => match served.changes.as_ref().zip(delta) {
            Some((changes, delta)) => delta::read(rest, served, of, (changes, &delta.value), seen).await,
            None => read_changes(rest, served, of, seen).await,
        },
    }
}

async fn read_changes(rest: &Rest, served: &Served, of: &RecordType, seen: &mut Seen) -> Result<Rows, Error> {
    let written = served
        .of
        .changes
        .as_ref()
        .and_then(|changes| changes.since.as_ref());
    let overlap = overlap(rest, written);
    seen.forget_beyond(written.and_then(|since| since.reach).map(|reach| reach.0));
    let (asked, given) = match (&served.changes, seen.since) {
        (Some(changes), Some(since)) => {
            let from = match by_newest(written) {
                true => since,
                false => since.checked_sub(overlap).unwrap_or(Timestamp::UNIX_EPOCH),
            };
            let asked = Asked::list(changes, "changes");
            (Asked { from, ..asked }, since_given(served, written, from))
        }
        // A first load needs no tombstones: nothing of theirs was ever known.
        _ => (Asked::list(&served.of.list, "list"), Given::default()),
    };
    let name = format!("changes {}", served.name());
    if seen.page.is_none() {
        rest.listings.begin(&name);
    }
    let page = read::page(rest, served, &asked, &given, seen.page.as_deref()).await?;
    let as_of = as_of(rest, served, &page.body, &page.reply)?;
    if !by_newest(written) && seen.is_ahead_of(as_of, overlap) {
        let (system, name) = (rest.http.system(), served.name());
        tracing::warn!(
            system,
            "{system}: its clock was set back: {name} is read anew as a whole"
        );
        seen.begin_anew(served.of.record.deleted.is_some());
        return Ok(Rows::default());
    }
    let rows = page.observations;
    // Of a first load nothing was known before.
    let wholes = if seen.since.is_some() {
        page.wholes
    } else {
        Vec::new()
    };
    let stuck = rest
        .listings
        .page(&name, &rows, seen.page.as_deref(), page.next.as_deref());
    stuck.map_err(|what| rest.stuck(served.name(), &what))?;
    let modified = rows
        .iter()
        .filter_map(|row| row.version.as_ref())
        .map(|version| version.modified);
    // A time that lies ahead is a mistake: what comes until then would never be asked for.
    let latest = as_of.checked_add(moment::CLOCK_ERROR).unwrap_or(as_of);
    let modified = modified.filter(|modified| *modified <= latest);
    seen.newest = seen.newest.into_iter().chain(modified).max();
    let was_first = seen.since.is_none();
    let since = match by_newest(written) {
        true => Since::Newest {
            overlap,
            step: step(written).length(),
        },
        false => Since::Clock,
    };
    seen.advance(as_of, page.reply.began, page.next, &since);
    if seen.done {
        if was_first {
            seen.compared = Some(clock::now());
        }
        match served.of.deletions.is_some() && !was_first {
            true => seen.go_to_deletions(),
            false => rest.listings.done(of),
        }
        if was_first {
            seen.deleted_since = seen.began_last;
        }
    }
    Ok(Rows::shown(rows, wholes))
}

/// The link that a cursor holds for a type.
pub(super) fn link(name: &str, cursor: &[u8]) -> Option<String> {
    Cursor::read(Some(cursor)).seen(name).delta.clone()
}

/// What says from where on changes are wanted.
pub(super) fn since_given(served: &Served, written: Option<&SinceText>, from: Timestamp) -> Given {
    let since = literal(served, written, from);
    let text = plain(&since).unwrap_or_default();
    let of = &served.holder().of;
    let changed = match (of.language, &of.record.modified) {
        (Some(language), Some(Moment::At(places))) => language.changed(places, &text),
        _ => None,
    };
    Given::default().with("since", since).maybe("changed", changed)
}

/// Where the next round begins.
enum Since {
    /// At the ERP's clock, when this one began.
    Clock,
    /// At the latest change that was shown, less the overlap; behind it once nothing later came for that long.
    Newest {
        overlap: SignedDuration,
        /// The least difference of two times.
        step: SignedDuration,
    },
}

fn by_newest(written: Option<&SinceText>) -> bool {
    written.and_then(|since| since.from) == Some(Source::Newest)
}

/// How much of the past is read again: a change shows as late as a request may take, and as the description says.
fn overlap(rest: &Rest, written: Option<&SinceText>) -> SignedDuration {
    let lag = written
        .and_then(|since| since.lag)
        .map_or(SignedDuration::ZERO, |lag| lag.0);
    rest.config.overlap.saturating_add(lag)
}

async fn read_deletions(
    rest: &Rest,
    served: &Served,
    of: &RecordType,
    deletions: &DeletionsText,
    seen: &mut Seen,
) -> Result<Rows, Error> {
    let written = deletions.since.as_ref().or(served
        .of
        .changes
        .as_ref()
        .and_then(|changes| changes.since.as_ref()));
    let from = seen.deleted_since.unwrap_or(Timestamp::UNIX_EPOCH);
    let from = from
        .checked_sub(overlap(rest, written))
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let given = Given::default().with("since", literal(served, written, from));
    let name = format!("deletions {}", served.name());
    if seen.page.is_none() {
        rest.listings.begin(&name);
    }
    let asked = Asked {
        call: deletions.call(),
        items: deletions.items.as_ref(),
        paging: deletions.paging.as_ref().map(|paging| &paging.value),
        operation: "deletions",
        window: None,
        from: Timestamp::UNIX_EPOCH,
    };
    let (body, reply, target) = read::raw(rest, served, &asked, &given, seen.page.as_deref()).await?;
    let as_of = as_of_deletions(&reply);
    let rows = read::items(rest, served, asked.items, &body)?;
    let id = |row: &Json| match &deletions.id {
        Some(place) => place.of(row).and_then(plain),
        None => served.holder().id(row),
    };
    let ids: Vec<Option<String>> = rows.iter().map(id).collect();
    let shown = paging::Shown {
        body: &body,
        headers: &reply.headers,
        rows: rows.len(),
        last: ids.last().and_then(Option::as_deref),
    };
    let next = paging::next(asked.paging, seen.page.as_deref(), &shown);
    let next = next.map(|next| paging::resolved(asked.paging, &next, &rest.root, &target));
    let moments = &served.of.moments.moments;
    let tombs: Vec<Observation> = rows
        .iter()
        .zip(ids)
        .filter_map(|(row, id)| {
            let at = deletions
                .at
                .as_ref()
                .and_then(|place| moments.moment(place.of(row)?));
            Some(Observation {
                presence: Presence::Deleted,
                version: at.map(|modified| Version {
                    token: modified.to_string(),
                    order: None,
                    modified,
                    firm: true,
                    coarse: jiff::SignedDuration::ZERO,
                }),
                ..crate::shown::missing(rest.key(served, &id?), reply.began)
            })
        })
        .collect();
    let stuck = rest
        .listings
        .page(&name, &tombs, seen.page.as_deref(), next.as_deref());
    stuck.map_err(|what| rest.stuck(served.name(), &what))?;
    seen.advance_deletions(as_of, next);
    if seen.done {
        rest.listings.done(of);
    }
    if served.of.inside.is_some() {
        // What stood in what was deleted is asked for.
        let wholes = tombs.iter().map(|tomb| parts::within(rest, served, &tomb.key.id));
        return Ok(Rows::shown(Vec::new(), wholes.collect()));
    }
    Ok(Rows::shown(tombs, Vec::new()))
}
