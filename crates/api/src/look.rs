//! Looking at a state: from what is kept to what people are shown. Nothing here changes anything, and a page costs what it
//! shows, however much there is.

mod changes;
mod conflicts;
mod course;
mod find;
mod items;
mod names;
mod overview;
mod plan;
mod records;
mod refers;

pub use changes::ChangesOf;
pub use conflicts::{Asked, AskedPage, asked, asked_after};
pub use course::Over;
pub use find::EVERYTHING;
pub use items::{Found, ItemsOf, all_items, found_items};
pub use plan::{LinesOf, most_first};

use crate::view::{Link, Page, Run};
use crate::{Masks, Refused};
use tandem_ledger::Store;
use tandem_merge::dataflow::Dataflow;
use tandem_merge::record::RecordKey;

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
        let ends = rows
            .iter()
            .flat_map(|row| [row.first.clone(), row.second.clone()]);
        let values = self.store.values(&ends.collect::<Vec<_>>())?;
        let named = |key: &RecordKey| self.name_by(values.get(key), key);
        let links = rows.into_iter().map(|row| Link {
            number: row.number,
            first: named(&row.first),
            second: named(&row.second),
            flow: row.flow,
            since: row.since,
        });
        Ok(Page {
            rows: links.collect(),
            next,
        })
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
}
