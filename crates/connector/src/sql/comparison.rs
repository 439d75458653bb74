//! Comparisons: all live rows of a type, in the order of the bytes of their ids, so that what is absent shows.
//!
//! A database has an order of its own for keys, so the ids alone are read first, by pages in that order, and sorted here.
//! Then the rows are read by their keys. A row that goes away meanwhile is one that is not there; nothing follows from
//! that but a look by its id.

use super::changes::Seen;
use super::description::Changes;
use super::reading::by_ids;
use super::statement::PAGE;
use super::table::Table;
use super::{Error, Sql};
use crate::http::clock;
use crate::{ChangePage, Complete};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use tandem_merge::record::{Presence, RecordType};

/// Keys that are read at once.
const KEYS: usize = 20_000;
/// How often a type is compared of which nothing else tells changes, or deletions.
const CHANGES: SignedDuration = SignedDuration::from_secs(60);
const DELETIONS: SignedDuration = SignedDuration::from_hours(1);
/// How often a type is compared of which triggers tell: some changes fire none.
const UNTOLD: SignedDuration = SignedDuration::from_hours(24);

/// A comparison under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Comparing {
    began: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

/// The sorted ids of types that are being compared. They are read again where they are not there any more.
#[derive(Debug, Default)]
pub(super) struct Scans(BTreeMap<String, (Timestamp, Ids)>);

/// Sorted ids.
type Ids = Arc<Vec<Box<str>>>;

/// Whether a type is compared now. `started`: when this process began, by the database's clock; what is known by comparisons
/// alone is compared once by each.
pub(super) fn is_due(table: &Table, seen: &Seen, now: Timestamp, started: Timestamp) -> bool {
    let record = &table.record;
    let every = record.compare_every.or(match record.changes {
        Changes::Comparison => Some(CHANGES),
        Changes::Modified if record.deleted.is_none() && table.absence_is_deletion() => Some(DELETIONS),
        Changes::Modified => None,
        Changes::ChangeTable => Some(UNTOLD),
    });
    let Some((every, last)) = every.zip(seen.compared) else {
        return false;
    };
    let unseen = record.changes == Changes::Comparison && last < started;
    seen.comparing.is_some() || seen.asked || unseen || now.duration_since(last) >= every
}

/// One page of a comparison. Whether it was the last one.
pub(super) async fn page(
    erp: &Sql,
    of: &RecordType,
    table: &Table,
    seen: &mut Seen,
    page: &mut ChangePage,
    now: Timestamp,
) -> Result<bool, Error> {
    let begun = seen.comparing.clone();
    let Comparing { began, after } = begun.unwrap_or(Comparing {
        began: now,
        after: None,
    });
    let ids = scanned(erp, table, began).await?;
    // Asked for while one is under way, another one follows.
    seen.asked &= after.is_some();
    let from = after
        .as_deref()
        .map_or(0, |after| ids.partition_point(|id| &**id <= after));
    let here = &ids[from..ids.len().min(from + PAGE)];
    let here: Vec<String> = here.iter().map(|id| id.to_string()).collect();
    let last = here.last().filter(|_| from + here.len() < ids.len()).cloned();
    let mut rows = by_ids(erp, table, &here, clock::now()).await?;
    rows.retain(|row| row.presence == Presence::Alive);
    page.observations.extend(rows);
    page.complete = Some(Complete {
        record_type: of.clone(),
        after,
        to: last.clone(),
    });
    let ended = last.is_none();
    if ended {
        seen.compared = Some(began);
        seen.comparing = None;
    } else {
        seen.comparing = Some(Comparing { began, after: last });
    }
    Ok(ended)
}

/// The ids of all live rows, sorted by their bytes.
async fn scanned(erp: &Sql, table: &Table, began: Timestamp) -> Result<Ids, Error> {
    {
        let scans = erp.scans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, ids)) = scans.0.get(&table.name).filter(|(known, _)| *known == began) {
            return Ok(Arc::clone(ids));
        }
    }
    let mut ids: Vec<Box<str>> = Vec::new();
    let mut after = None;
    loop {
        let rows = erp.read(&table.keys(after.as_deref(), KEYS)).await?;
        ids.extend(
            rows.iter()
                .filter_map(|row| table.id_of_key(row))
                .map(String::into_boxed_str),
        );
        if rows.len() < KEYS {
            break;
        }
        after = rows.iter().next_back().map(<[_]>::to_vec);
    }
    ids.sort_unstable();
    let ids = Arc::new(ids);
    let mut scans = erp.scans.lock().unwrap_or_else(PoisonError::into_inner);
    scans.0.insert(table.name.clone(), (began, Arc::clone(&ids)));
    Ok(ids)
}
