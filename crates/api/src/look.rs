//! Looking at a state: from what is kept to what people are shown. Nothing here changes anything, and a page costs what it
//! shows, however much there is.

mod changes;
mod conflicts;
mod items;
mod names;
mod overview;
mod records;

pub use changes::ChangesOf;
pub use conflicts::{Asked, asked};
pub use items::{ItemsOf, all_items};

use crate::view::{Link, Page, RecordName, Run};
use crate::{Masks, Refused};
use std::time::{Duration, Instant};
use tandem_merge::dataflow::Dataflow;
use tandem_merge::record::RecordKey;
use tandem_store::Store;

/// Records looked through between two looks at the clock.
const STRETCH: usize = 2_000;

/// Looks at a state.
pub struct Looker<'a> {
    /// The state, opened to look or to work.
    pub store: &'a mut dyn Store,
    /// The dataflow in force.
    pub flows: &'a Dataflow,
    /// What is masked.
    pub masks: &'a Masks,
}

/// What a cursor says that is none of ours.
pub(crate) fn no_cursor(text: &str) -> Refused {
    Refused::usage(
        format!("`{text}` is no cursor"),
        "Give what the page before says as `next`, or nothing",
    )
}

/// Where a page begins that is read from the newest end.
fn before(cursor: Option<&str>) -> Result<u64, Refused> {
    let read = |text: &str| text.parse().map_err(|_| no_cursor(text));
    cursor.map_or(Ok(u64::MAX), read)
}

impl Looker<'_> {
    /// Links of a flow or of all, newest first.
    ///
    /// # Errors
    /// A cursor that is none; a state that cannot be read.
    pub fn links(
        &mut self,
        flow: Option<&str>,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Link>, Refused> {
        let rows = self.store.latest_links(flow, before(cursor)?, limit)?;
        let next = rows.last().filter(|_| rows.len() == limit);
        let next = next.map(|row| row.number.to_string());
        let mut links = Vec::with_capacity(rows.len());
        for row in rows {
            let cluster = self.store.cluster(self.flows, &row.first)?.unwrap_or_default();
            let named = |key: &RecordKey| self.name_in(&cluster, key);
            links.push(Link {
                number: row.number,
                first: named(&row.first),
                second: named(&row.second),
                flow: row.flow,
                since: row.since,
            });
        }
        Ok(Page { rows: links, next })
    }

    /// Runs, newest first.
    ///
    /// # Errors
    /// As [`Looker::links`].
    pub fn runs(&mut self, cursor: Option<&str>, limit: usize) -> Result<Page<Run>, Refused> {
        let rows = self.store.latest_runs(before(cursor)?, limit)?;
        let next = rows.last().filter(|_| rows.len() == limit);
        let next = next.map(|row| row.number.to_string());
        let rows = rows.into_iter().map(Run::from).collect();
        Ok(Page { rows, next })
    }

    /// One run; none where nothing happened in it, or it is not there.
    ///
    /// # Errors
    /// A state that cannot be read.
    pub fn run(&mut self, number: u64) -> Result<Option<Run>, Refused> {
        let found = self.store.runs(number.saturating_sub(1), 1)?;
        let found = found.into_iter().find(|run| run.number == number);
        Ok(found.map(Run::from))
    }

    /// Records that contain a text in their id or in a value that is kept in step, that which became known last first.
    /// Looks for no longer than `patience`, then says where to go on. Values that are masked are not looked into.
    ///
    /// # Errors
    /// As [`Looker::links`].
    pub fn find(
        &mut self,
        text: &str,
        cursor: Option<&str>,
        limit: usize,
        patience: Duration,
    ) -> Result<Page<RecordName>, Refused> {
        let (began, mut from) = (Instant::now(), before(cursor)?);
        let mut rows = Vec::new();
        loop {
            let sought = self.store.seek(text, from, STRETCH)?;
            for key in sought.found {
                if let Some(name) = self.found(&key, text)? {
                    rows.push(name);
                }
            }
            match sought.next {
                Some(next) if rows.len() < limit && began.elapsed() < patience => from = next,
                next => {
                    let next = next.map(|next| next.to_string());
                    return Ok(Page { rows, next });
                }
            }
        }
    }

    /// A record that contains a text where whoever looks may see it.
    fn found(&mut self, key: &RecordKey, text: &str) -> Result<Option<RecordName>, Refused> {
        let cluster = self.store.cluster(self.flows, key)?.unwrap_or_default();
        let wanted = text.trim().to_lowercase();
        let shown = |text: &str| text.to_lowercase().contains(&wanted);
        let hit = cluster.records.get(key).is_some_and(|record| {
            let mut values = record.shadow.values.iter();
            values.any(|(property, value)| {
                !self.masks.hides(&key.record_type, property) && shown(&value.to_string())
            })
        });
        Ok((hit || shown(&key.id)).then(|| self.name_in(&cluster, key)))
    }
}
