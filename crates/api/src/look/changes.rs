//! What happened.

use super::{Looker, before};
use crate::Refused;
use crate::view::{Change, Page};
use std::collections::BTreeSet;
use tandem_merge::plan::Event;
use tandem_merge::record::{RecordKey, RecordType};

/// Lines read at a time.
const PAGE: usize = 500;
/// Lines looked through for one page: what is rare is looked for page by page.
const LOOKED: usize = 20_000;

/// Which lines of the history are wanted: all that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct ChangesOf {
    /// Of records of this flow's types.
    pub flow: Option<String>,
    /// Of this run.
    pub run: Option<u64>,
    /// Of this record and of all that are linked with it.
    pub record: Option<RecordKey>,
    /// Of this kind, such as `edited`.
    pub event: Option<String>,
}

impl Looker<'_> {
    /// What happened, newest first. A page may hold fewer lines than asked for, or none, and still say where to go on.
    ///
    /// # Errors
    /// A cursor that is none; a state that cannot be read.
    pub fn changes(
        &mut self,
        of: &ChangesOf,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Change>, Refused> {
        let mut page = match &of.record {
            Some(record) => self.changes_of(record, of, cursor, limit)?,
            None => self.changes_of_all(of, cursor, limit)?,
        };
        let names = self.names(page.rows.iter().map(Change::key))?;
        for row in &mut page.rows {
            row.name = names.get(&row.key()).cloned();
        }
        Ok(page)
    }

    fn changes_of_all(
        &mut self,
        of: &ChangesOf,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Change>, Refused> {
        let types = self.types_of(of.flow.as_deref());
        let mut from = before(cursor)?;
        let mut first_line = 0;
        if let Some(number) = of.run
            && let Some(run) = self.run(number)?
        {
            from = from.min(run.last_line.saturating_add(1));
            first_line = run.first_line;
        }
        let (mut rows, mut looked) = (Vec::new(), 0);
        loop {
            let page = self.store.latest(None, from, PAGE)?;
            let last = page.len() < PAGE;
            looked += page.len();
            for (number, event) in page {
                if number < first_line {
                    return Ok(Page { rows, next: None });
                }
                if rows.len() == limit {
                    return Ok(Page {
                        rows,
                        next: Some(from.to_string()),
                    });
                }
                from = number;
                if of.takes(&event, types.as_ref()) {
                    rows.push(Change::of(number, &event, self.masks));
                }
            }
            if last {
                return Ok(Page { rows, next: None });
            }
            if looked >= LOOKED {
                let next = Some(from.to_string());
                return Ok(Page { rows, next });
            }
        }
    }

    /// The lines of a record's cluster, newest first.
    fn changes_of(
        &mut self,
        record: &RecordKey,
        of: &ChangesOf,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Change>, Refused> {
        let from = before(cursor)?;
        let cluster = self.store.cluster(self.flows, record)?.unwrap_or_default();
        let mut all: Vec<(u64, Event)> = Vec::new();
        for key in cluster.records.keys() {
            all.extend(self.store.latest(Some(key), from, limit.saturating_add(1))?);
        }
        all.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        all.dedup_by_key(|(number, _)| *number);
        let more = all.len() > limit;
        all.truncate(limit);
        let next = all.last().filter(|_| more).map(|(number, _)| number.to_string());
        let wanted = all.iter().filter(|(_, event)| of.takes(event, None));
        let rows = wanted.map(|(number, event)| Change::of(*number, event, self.masks));
        Ok(Page {
            rows: rows.collect(),
            next,
        })
    }

    fn types_of(&self, flow: Option<&str>) -> Option<BTreeSet<RecordType>> {
        let flow = self.flows.flow(flow?);
        let ends = flow.into_iter().flat_map(|flow| flow.ends.iter());
        Some(ends.map(|end| end.record_type.clone()).collect())
    }

    /// What happened after a line, oldest first.
    ///
    /// # Errors
    /// A state that cannot be read.
    pub fn changes_after(&mut self, line: u64, limit: usize) -> Result<Vec<Change>, Refused> {
        let lines = self.store.history(None, line, limit)?;
        let shown = lines
            .iter()
            .map(|(number, event)| Change::of(*number, event, self.masks));
        Ok(shown.collect())
    }

    /// The number of the newest line; 0 before the first.
    ///
    /// # Errors
    /// A state that cannot be read.
    pub fn newest_line(&mut self) -> Result<u64, Refused> {
        let newest = self.store.latest(None, u64::MAX, 1)?;
        Ok(newest.first().map_or(0, |(number, _)| *number))
    }
}

impl ChangesOf {
    fn takes(&self, event: &Event, types: Option<&BTreeSet<RecordType>>) -> bool {
        let of_flow = match &event.flow {
            Some(flow) if self.flow.is_some() => Some(flow) == self.flow.as_ref(),
            _ => types.is_none_or(|types| types.contains(&event.record.record_type)),
        };
        of_flow
            && self.run.is_none_or(|run| run == event.run)
            && self.event.as_deref().is_none_or(|kind| kind == event.what.name())
    }
}
