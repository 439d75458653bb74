//! What happened.

use super::{Looker, before};
use crate::Refused;
use crate::view::{Change, Page, RecordName};
use std::collections::BTreeSet;
use tandem_merge::plan::Event;
use tandem_merge::record::{RecordKey, RecordType};
use tandem_merge::trace::Trace;

/// Lines read at a time.
const PAGE: usize = 500;
/// Lines looked through for one page: what is rare is looked for page by page.
const LOOKED: u64 = 20_000;

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
    /// Of this change.
    pub trace: Option<Trace>,
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
        self.name_changes(&mut page.rows)?;
        Ok(page)
    }

    /// Gives changes what people call their records, and the records that their values name.
    ///
    /// # Errors
    /// A state that cannot be read.
    pub fn name_changes(&mut self, changes: &mut [Change]) -> Result<(), Refused> {
        self.name_rows(&mut changes.iter_mut().collect::<Vec<_>>())
    }

    /// Names the records of lines, the counterparts that they tell of, and those that their values name.
    pub(super) fn name_rows(&mut self, rows: &mut [&mut Change]) -> Result<(), Refused> {
        let keys = rows.iter().flat_map(|row| {
            let values = [&row.old, &row.new].map(|value| self.value_names(row, value));
            let with = row.with.as_ref().map(RecordName::key);
            let all = values.into_iter().flatten().chain(with).chain([row.key()]);
            all.collect::<Vec<_>>()
        });
        let known = self.known(keys.collect::<Vec<_>>())?;
        for row in rows {
            row.name = known.of(Some(&row.key())).and_then(|known| known.name);
            row.old_names = known.of(self.value_names(row, &row.old).as_ref());
            row.new_names = known.of(self.value_names(row, &row.new).as_ref());
            if let Some(other) = &mut row.with {
                other.name = known.of(Some(&other.key())).and_then(|known| known.name);
            }
        }
        Ok(())
    }

    fn value_names(&self, row: &Change, value: &Option<String>) -> Option<RecordKey> {
        let of = RecordType::new(&row.system, &row.record_type);
        self.referred_by(&of, row.property.as_deref()?, value.as_deref())
    }

    fn changes_of_all(
        &mut self,
        of: &ChangesOf,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Change>, Refused> {
        let types = self.types_of(of.flow.as_deref());
        let mut from = before(cursor)?.min(self.newest_line()?.saturating_add(1));
        // No line is wanted up to here.
        let mut least = 0;
        if let Some(number) = of.run
            && let Some(run) = self.run(number)?
        {
            from = from.min(run.last_line.saturating_add(1));
            least = run.first_line.saturating_sub(1);
        }
        let end = from.saturating_sub(LOOKED + 1).max(least);
        // Whoever wants all lines needs no more of them than are shown.
        let size = match of.event.is_some() || of.run.is_some() || of.trace.is_some() {
            true => PAGE,
            false => limit.saturating_add(1).min(PAGE),
        };
        let mut rows = Vec::new();
        loop {
            let page = self.lines(types.as_ref(), (end, from), size)?;
            let last = page.len() < size;
            for (number, event) in page {
                if rows.len() == limit {
                    let next = Some(from.to_string());
                    return Ok(Page { rows, next });
                }
                from = number;
                if of.takes(&event, types.as_ref()) {
                    rows.push(Change::of(number, &event, self.masks));
                }
            }
            if last {
                let before = end.saturating_add(1);
                let older = self.store.latest(None, before, 1)?;
                let more = older.first().is_some_and(|(number, _)| *number > least);
                let next = more.then(|| before.to_string());
                return Ok(Page { rows, next });
            }
        }
    }

    /// Lines before a number and after another, newest first, of all records or of those of some types.
    fn lines(
        &mut self,
        types: Option<&BTreeSet<RecordType>>,
        (after, before): (u64, u64),
        limit: usize,
    ) -> Result<Vec<(u64, Event)>, Refused> {
        if let Some(types) = types {
            let types: Vec<RecordType> = types.iter().cloned().collect();
            return Ok(self.store.latest_of(&types, (after, before), limit)?);
        }
        let mut lines = self.store.latest(None, before, limit)?;
        lines.retain(|(number, _)| *number > after);
        Ok(lines)
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

    /// The same with what people call the records.
    ///
    /// # Errors
    /// A state that cannot be read.
    pub fn named_changes_after(&mut self, line: u64, limit: usize) -> Result<Vec<Change>, Refused> {
        let mut changes = self.changes_after(line, limit)?;
        self.name_changes(&mut changes)?;
        Ok(changes)
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
            && self.trace.is_none_or(|trace| trace == event.trace)
    }
}
