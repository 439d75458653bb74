//! All records of a type at one go: what was changed or deleted and no list of changes shows.
//!
//! Invariant: absence is a suspicion. A page may skip a record because another one was deleted while the list was read; so whoever
//! asks reads what is absent by its id, and only what that says counts.

use super::super::Rest;
use super::super::ask::Given;
use super::super::read::{Asked, Page, page as read_page};
use super::super::served::Served;
use super::cursor::Cursor;
use super::is_of_one_type;
use crate::http::clock;
use crate::{ChangePage, Complete, Error};
use jiff::SignedDuration;
use tandem_merge::record::{Observation, Presence, RecordType};

/// How often a type is compared that has no list of changes.
const WITHOUT_CHANGES: SignedDuration = SignedDuration::from_mins(10);
/// How often one is compared whose changes do not show everything.
const WITHOUT_DELETIONS: SignedDuration = SignedDuration::from_hours(24);
/// More records than this are not held at once: what is absent among them is not looked for.
const MOST: usize = 200_000;

/// Compares one type that is due.
pub(super) async fn compare(
    rest: &Rest,
    types: &[RecordType],
    cursor: &mut Cursor,
    page: &mut ChangePage,
) -> Result<(), Error> {
    let now = clock::now();
    let mut due = Vec::new();
    for of in types {
        let served = rest.served(of)?;
        let resting = page.incomplete.iter().any(|one| one.record_type == *of);
        let known = resting || cursor.compared.contains(&of.name);
        // What is known by comparisons alone is compared once by each process.
        let since = served.of.changes.is_none().then_some(rest.started);
        if !known && cursor.seen(&of.name).compares(every(&served), now, since) {
            due.push((of, served));
        }
    }
    let Some((of, served)) = due.first() else {
        return Ok(());
    };
    match all(rest, served).await {
        Ok((rows, whole)) => {
            page.complete = whole.then(|| Complete {
                record_type: (*of).clone(),
                after: None,
                to: None,
            });
            page.observations.extend(rows);
            let seen = cursor.seen(&of.name);
            (seen.compared, seen.lost) = (Some(now), false);
            cursor.compared.insert(of.name.clone());
        }
        Err(error) if is_of_one_type(&error) => {
            page.incomplete.push(rest.listings.rest(of, error));
            // For this turn: the others are compared.
            cursor.compared.insert(of.name.clone());
        }
        Err(error) => return Err(error),
    }
    if due.len() > 1 {
        (cursor.comparing, page.more) = (true, true);
    }
    Ok(())
}

/// How often a type is compared; never where its changes show everything.
fn every(served: &Served) -> Option<SignedDuration> {
    let of = &served.of;
    if let Some(every) = of.compare_every {
        return Some(every.0);
    }
    if of.changes.is_none() {
        return Some(WITHOUT_CHANGES);
    }
    let by_links = of.tells_by_links();
    let tombstones = by_links || served.holder().of.record.deleted.is_some() || of.deletions.is_some();
    (!tombstones).then_some(WITHOUT_DELETIONS)
}

/// All live records, and whether these are all.
async fn all(rest: &Rest, served: &Served) -> Result<(Vec<Observation>, bool), Error> {
    let asked = Asked::list(&served.of.list, "list");
    let name = format!("compare {}", served.name());
    rest.listings.begin(&name);
    let mut rows: Vec<Observation> = Vec::new();
    let mut at: Option<String> = None;
    loop {
        let Page {
            observations, next, ..
        } = read_page(rest, served, &asked, &Given::default(), at.as_deref()).await?;
        let stuck = rest
            .listings
            .page(&name, &observations, at.as_deref(), next.as_deref());
        stuck.map_err(|what| rest.stuck(served.name(), &what))?;
        rows.extend(observations);
        if rows.len() > MOST {
            let (system, name) = (rest.http.system(), served.name());
            tracing::warn!(
                system,
                "{system}: more than {MOST} records of {name} are listed: deletions among them are not looked for"
            );
            return Ok((rows, false));
        }
        match next {
            Some(next) => at = Some(next),
            None => break,
        }
    }
    // A record may stand on two pages; what was seen later counts.
    rows.sort_by(|one, other| (&one.key.id, one.read_began).cmp(&(&other.key.id, other.read_began)));
    rows.dedup_by(|later, kept| {
        let same = later.key.id == kept.key.id;
        if same {
            std::mem::swap(later, kept);
        }
        same
    });
    rows.retain(|row| row.presence != Presence::Deleted);
    Ok((rows, true))
}
