//! Types with so many changes that one Bulk query is fewer calls than their pages: first loads, and reading back
//! what jobs wrote.

use super::super::Salesforce;
use super::super::bulk::query::{self, Page};
use super::cursor::Cursor;
use crate::Error;
use crate::http::clock;
use tandem_merge::record::Observation;

/// The next rows of types that are read by a Bulk query, once every type has shown its first page. None: no type is.
pub(super) async fn page(
    org: &Salesforce,
    cursor: &mut Cursor,
    open: &[&str],
) -> Result<Option<Vec<Observation>>, Error> {
    let Some(ingest) = &org.ingest else {
        return Ok(None);
    };
    for name in open {
        begin_of_ours(org, cursor, name).await?;
    }
    let begun = |name: &&&str| {
        let seen = &cursor.types[**name];
        seen.after.is_some() || seen.large.is_some()
    };
    if !open.iter().all(|name| begun(&name)) {
        return Ok(None);
    }
    // Pages are fit for what is left, as the last one said; what may be more is counted.
    for name in open {
        let seen = cursor.seen(name);
        seen.counted |= seen.left <= org.query_above();
    }
    if open.iter().any(|name| !cursor.types[*name].counted) {
        count(org, cursor, open).await?;
        return Ok(Some(Vec::new()));
    }
    let large = open.iter().find(|name| cursor.types[**name].large.is_some());
    let Some(name) = large else {
        return Ok(None);
    };
    let object = org.object(name).await?;
    let seen = cursor.types.entry((*name).to_owned()).or_default();
    let Some(mut large) = seen.large.take() else {
        return Ok(None);
    };
    let folder = ingest.folder().join("queries");
    Ok(Some(
        match query::page(org, (&folder, ingest.files()), &object, &mut large).await? {
            Page::Waiting => {
                seen.large = Some(large);
                Vec::new()
            }
            Page::Rows(rows) => {
                seen.large = Some(large);
                rows
            }
            Page::Last(rows) => {
                let began = seen.began.unwrap_or_else(clock::now);
                seen.advance(began, None, true);
                rows
            }
            Page::Lost => {
                tracing::warn!("the org has lost a Bulk query of {name}: it is read in pages");
                Vec::new()
            }
        },
    ))
}

/// Begins a query for a type that we wrote so many rows of that its first page need not tell.
async fn begin_of_ours(org: &Salesforce, cursor: &mut Cursor, name: &str) -> Result<(), Error> {
    let expected = org.watching.expects(name) as u64;
    let seen = cursor.seen(name);
    if seen.after.is_some() || seen.large.is_some() || expected <= org.query_above() {
        return Ok(());
    }
    let object = org.object(name).await?;
    let (condition, all) = seen.condition(&object, org.overlap());
    let statement = format!("{}{condition}", object.select());
    seen.began.get_or_insert(org.now());
    seen.counted = true;
    seen.large = Some(query::begin(org, &statement, all, expected).await?);
    Ok(())
}

/// Counts what is left of the types, and begins a query for those that have much.
async fn count(org: &Salesforce, cursor: &mut Cursor, open: &[&str]) -> Result<(), Error> {
    let uncounted = open.iter().filter(|name| !cursor.types[**name].counted);
    let uncounted: Vec<&str> = uncounted.copied().collect();
    let mut left = Vec::new();
    for name in &uncounted {
        let object = org.object(name).await?;
        let (condition, all) = cursor.types[*name].condition(&object, org.overlap());
        left.push((format!("{}{condition}", object.schema.object), all));
    }
    let counts = query::counts(org, &left).await?;
    for (name, count) in uncounted.into_iter().zip(counts) {
        let object = org.object(name).await?;
        let seen = cursor.types.entry(name.to_owned()).or_default();
        seen.counted = true;
        if let Some(rows) = count.filter(|rows| *rows > org.query_above()) {
            let (condition, all) = seen.condition(&object, org.overlap());
            let statement = format!("{}{condition}", object.select());
            seen.large = Some(query::begin(org, &statement, all, rows).await?);
        }
    }
    Ok(())
}
