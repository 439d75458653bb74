//! The store as a model: plain maps in memory, the whole state copied for each unit of work. It says what a
//! store does; the tests hold the database to it, and simulations run on it.

mod books;
mod commit;
mod facts;
mod forget;
mod guards;
mod history;
mod lists;
mod parts;
mod rebind;
mod take;

use crate::Error;
use crate::contract::{
    CommitReport, Compaction, Decided, Dirty, Edits, Fence, Forgotten, Hour, Item, LinkRow, Page, PageReport,
    Rebinding, Rebound, Run, RunRow, Sought, Status, Store,
};
use crate::stood::StoodFor;
use books::Books;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use tandem_merge::cluster::{Cluster, Intent};
use tandem_merge::dataflow::Dataflow;
use tandem_merge::facts::MatchKey;
use tandem_merge::plan::Event;
use tandem_merge::record::{RecordKey, RecordType, Values};

/// A store that keeps its state in memory. A clone is a copy of the state.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    books: Books,
    state_id: String,
}

impl MemoryStore {
    /// An empty state of that name.
    #[must_use]
    pub fn new(state_id: &str) -> Self {
        Self {
            books: Books::default(),
            state_id: state_id.to_owned(),
        }
    }

    /// One unit: all of it or nothing.
    fn unit<T>(&mut self, work: impl FnOnce(&mut Books) -> Result<T, Error>) -> Result<T, Error> {
        let mut next = self.books.clone();
        let value = work(&mut next)?;
        self.books = next;
        Ok(value)
    }

    fn fenced<T>(
        &mut self,
        fence: Fence,
        work: impl FnOnce(&mut Books) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.unit(|books| {
            if fence < books.fence {
                return Err(Error::Fenced {
                    found: books.fence,
                    ours: fence,
                });
            }
            books.fence = fence;
            work(books)
        })
    }
}

/// Lines of one record or of all.
fn lines_of<'a>(
    record: Option<&'a RecordKey>,
    lines: impl Iterator<Item = (&'a u64, &'a Event)> + 'a,
) -> impl Iterator<Item = (u64, Event)> + 'a {
    let of = lines.filter(move |(_, event)| record.is_none_or(|key| key == &event.record));
    of.map(|(number, event)| (*number, event.clone()))
}

impl Store for MemoryStore {
    fn bind(&mut self, identities: &BTreeMap<String, String>) -> Result<(), Error> {
        self.unit(|books| {
            let mut all = identities.iter();
            all.try_for_each(|(system, identity)| books.bind(system, identity))
        })
    }

    fn rebind(&mut self, flows: &Dataflow, to: &Rebinding) -> Result<Rebound, Error> {
        Ok(self.books.rebind(flows, to))
    }

    fn state_id(&mut self) -> Result<String, Error> {
        Ok(self.state_id.clone())
    }

    fn cursor(&mut self, system: &str) -> Result<Option<Vec<u8>>, Error> {
        let system = self.books.systems.get(system);
        Ok(system.and_then(|system| system.cursor.clone()))
    }

    fn commit_page(&mut self, fence: Fence, flows: &Dataflow, page: &Page) -> Result<PageReport, Error> {
        self.fenced(fence, |books| Ok(books.commit_page(flows, page)))
    }

    fn mark_listed(&mut self, system: &str, at: Timestamp) -> Result<(), Error> {
        let system = self.books.systems.entry(system.to_owned()).or_default();
        system.listed.get_or_insert(at);
        Ok(())
    }

    fn take_dirty(
        &mut self,
        flows: &Dataflow,
        rank: usize,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Dirty>, Error> {
        Ok(take::dirty(&self.books, flows, rank, limit, now))
    }

    fn next_rank(&mut self, flows: &Dataflow, after: Option<usize>) -> Result<Option<usize>, Error> {
        Ok(take::next_rank(&self.books, flows, after))
    }

    fn take_for_intents(
        &mut self,
        flows: &Dataflow,
        intents: &[u64],
        now: Timestamp,
    ) -> Result<Vec<Dirty>, Error> {
        let subjects = intents.iter().filter_map(|id| self.books.intents.get(id));
        let seeds: Vec<RecordKey> = subjects
            .map(|intent| crate::outbox::subject(&intent.action).clone())
            .collect();
        Ok(take::of_records(&self.books, flows, &seeds, now))
    }

    fn take_records(
        &mut self,
        flows: &Dataflow,
        records: &[RecordKey],
        now: Timestamp,
    ) -> Result<Vec<Dirty>, Error> {
        let known = records.iter().filter(|key| self.books.records.contains_key(key));
        let seeds: Vec<RecordKey> = known.cloned().collect();
        Ok(take::of_records(&self.books, flows, &seeds, now))
    }

    fn take_together(
        &mut self,
        flows: &Dataflow,
        groups: &[Vec<RecordKey>],
        now: Timestamp,
    ) -> Result<Vec<Option<Dirty>>, Error> {
        Ok(take::together(&self.books, flows, groups, now))
    }

    fn commit_plans(
        &mut self,
        fence: Fence,
        flows: &Dataflow,
        plans: Vec<Decided>,
    ) -> Result<CommitReport, Error> {
        self.fenced(fence, |books| Ok(commit::plans(books, flows, &plans)))
    }

    fn sendable(
        &mut self,
        system: &str,
        creates: bool,
        rank: usize,
        limit: usize,
    ) -> Result<Vec<Intent>, Error> {
        Ok(self.books.sendable(system, creates, rank, limit))
    }

    fn begin_write(&mut self, fence: Fence, intents: &[u64], now: Timestamp) -> Result<Vec<Intent>, Error> {
        self.fenced(fence, |books| Ok(books.begin_write(intents, now)))
    }

    fn unsettled(&mut self, after: u64, limit: usize) -> Result<Vec<Intent>, Error> {
        let after = self.books.intents.range(after.saturating_add(1)..);
        let open = |id: &u64| !self.books.handles.contains_key(id);
        let sent = after.filter(|(id, intent)| intent.sent.is_some() && open(id));
        Ok(sent.take(limit).map(|(_, intent)| intent.clone()).collect())
    }

    fn mark_unknown(&mut self, fence: Fence, intents: &[u64], unsend: bool) -> Result<(), Error> {
        self.fenced(fence, |books| {
            books.mark_unknown(intents, unsend);
            Ok(())
        })
    }

    fn accept(&mut self, fence: Fence, intents: &[u64], handle: &str) -> Result<(), Error> {
        self.fenced(fence, |books| {
            books.accept(intents, handle);
            Ok(())
        })
    }

    fn handles(&mut self, system: &str) -> Result<Vec<String>, Error> {
        Ok(self.books.handles_of(system))
    }

    fn accepted(&mut self, handle: &str, after: u64, limit: usize) -> Result<Vec<Intent>, Error> {
        Ok(self.books.accepted(handle, after, limit))
    }

    fn intents(&mut self, numbers: &[u64]) -> Result<Vec<Intent>, Error> {
        let open = numbers.iter().filter_map(|id| self.books.intents.get(id));
        Ok(open.cloned().collect())
    }

    fn status(&mut self, flows: &Dataflow) -> Result<Status, Error> {
        Ok(self.books.status(flows))
    }

    fn links(&mut self, flow: Option<&str>, after: u64, limit: usize) -> Result<Vec<LinkRow>, Error> {
        Ok(self.books.link_rows(flow, after, limit))
    }

    fn latest_links(&mut self, flow: Option<&str>, before: u64, limit: usize) -> Result<Vec<LinkRow>, Error> {
        Ok(self.books.latest_link_rows(flow, before, limit))
    }

    fn items(&mut self, after: u64, limit: usize) -> Result<Vec<Item>, Error> {
        Ok(self.books.item_rows(after, limit))
    }

    fn asked(&mut self) -> Result<BTreeSet<u64>, Error> {
        let items = self.books.items.iter();
        let asked = items.filter(|(_, (_, standing))| crate::item::asks(standing.item.kind));
        Ok(asked.map(|(number, _)| *number).collect())
    }

    fn history(
        &mut self,
        record: Option<&RecordKey>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Event)>, Error> {
        let all = self.books.history.range(after.saturating_add(1)..);
        Ok(lines_of(record, all).take(limit).collect())
    }

    fn latest(
        &mut self,
        record: Option<&RecordKey>,
        before: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Event)>, Error> {
        let all = self.books.history.range(..before).rev();
        Ok(lines_of(record, all).take(limit).collect())
    }

    fn latest_of(
        &mut self,
        types: &[RecordType],
        (after, before): (u64, u64),
        limit: usize,
    ) -> Result<Vec<(u64, Event)>, Error> {
        let all = self.books.history.range(..before).rev();
        let all = all.take_while(|(number, _)| **number > after);
        let of = lines_of(None, all).filter(|(_, event)| types.contains(&event.record.record_type));
        Ok(of.take(limit).collect())
    }

    fn forget(&mut self, records: &[RecordKey], _at: Timestamp) -> Result<Forgotten, Error> {
        self.unit(|books| books.forget(records))
    }

    fn is_forgotten(&mut self, record: &RecordKey) -> Result<bool, Error> {
        Ok(self.books.forgotten.contains(record))
    }

    fn begin_run(&mut self, kind: &str, at: Timestamp) -> Result<(), Error> {
        self.books.run = Some(Run {
            kind: kind.to_owned(),
            began: at,
            number: None,
        });
        Ok(())
    }

    fn swap_run(&mut self, run: Option<Run>) -> Result<Option<Run>, Error> {
        Ok(std::mem::replace(&mut self.books.run, run))
    }

    fn runs(&mut self, after: u64, limit: usize) -> Result<Vec<RunRow>, Error> {
        let after = self.books.runs.range(after.saturating_add(1)..);
        Ok(after.take(limit).map(|(_, run)| run.clone()).collect())
    }

    fn hours(&mut self, from: Timestamp) -> Result<Vec<Hour>, Error> {
        Ok(self.books.hours_since(from))
    }

    fn note_stood(&mut self, all: &[StoodFor]) -> Result<(), Error> {
        self.books.note_stood(all);
        Ok(())
    }

    fn note_backlog(&mut self, at: Timestamp) -> Result<(), Error> {
        self.books.note_backlog(at);
        Ok(())
    }

    fn latest_runs(&mut self, before: u64, limit: usize) -> Result<Vec<RunRow>, Error> {
        let back = self.books.runs.range(..before).rev();
        Ok(back.take(limit).map(|(_, run)| run.clone()).collect())
    }

    fn compact_history(&mut self, before: Timestamp, after: u64, limit: usize) -> Result<Compaction, Error> {
        Ok(self.books.compact(before, after, limit))
    }

    fn search(
        &mut self,
        record_type: &RecordType,
        property: &str,
        value: &str,
    ) -> Result<Vec<RecordKey>, Error> {
        Ok(self.books.search(record_type, property, value))
    }

    fn values(&mut self, records: &[RecordKey]) -> Result<BTreeMap<RecordKey, Values>, Error> {
        let known = records.iter().filter_map(|key| {
            let record = self.books.records.get(key)?.state.as_ref()?;
            Some((key.clone(), record.shadow.values.clone()))
        });
        Ok(known.collect())
    }

    fn seek(&mut self, text: &str, before: u64, limit: usize) -> Result<Sought, Error> {
        Ok(self.books.seek(text, before, limit))
    }

    fn cluster(&mut self, _flows: &Dataflow, record: &RecordKey) -> Result<Option<Cluster>, Error> {
        let known = self.books.records.contains_key(record);
        Ok(known.then(|| take::as_it_is(&self.books, record)))
    }

    fn companions(
        &mut self,
        role: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<(RecordKey, String)>, Error> {
        Ok(self.books.companion_rows(role, after, limit))
    }

    fn unread(&mut self, limit: usize) -> Result<Vec<RecordKey>, Error> {
        Ok(self.books.unread(limit))
    }

    fn alive_between(
        &mut self,
        record_type: &RecordType,
        after: Option<&str>,
        to: Option<&str>,
    ) -> Result<Vec<RecordKey>, Error> {
        Ok(self.books.alive_between(record_type, after, to))
    }

    fn alive_after(
        &mut self,
        record_type: &RecordType,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<RecordKey>, Error> {
        Ok(self.books.alive_after(record_type, after, limit))
    }

    fn with_key(&mut self, key: &MatchKey) -> Result<Vec<RecordKey>, Error> {
        Ok(self.books.with_key(key))
    }

    fn to_reread(&mut self, now: Timestamp, limit: usize) -> Result<Vec<RecordKey>, Error> {
        Ok(self.books.to_reread(now, limit))
    }

    fn doubted(&mut self, system: &str, until: Timestamp, limit: usize) -> Result<Vec<RecordKey>, Error> {
        Ok(self.books.doubted(system, until, limit))
    }

    fn approve_flow(&mut self, flow: &str, now: Timestamp) -> Result<(), Error> {
        self.books.approve(flow, now);
        Ok(())
    }

    fn edits(&mut self, flow: &str, from: Timestamp) -> Result<Edits, Error> {
        Ok(self.books.edits(flow, from))
    }

    fn forget_edits(&mut self, flow: &str) -> Result<(), Error> {
        self.books.edited.retain(|(of, ..), _| of != flow);
        Ok(())
    }

    fn forget_versions(&mut self, system: &str) -> Result<(), Error> {
        self.books.forget_versions(system);
        Ok(())
    }

    fn ignore(&mut self, item: u64, until: Option<Timestamp>) -> Result<bool, Error> {
        let stands = self.books.items.contains_key(&item);
        if stands {
            self.books.ignored.insert(item, until.unwrap_or(Timestamp::MAX));
        }
        Ok(stands)
    }

    fn hear_again(&mut self, now: Timestamp) -> Result<(), Error> {
        self.books.ignored.retain(|_, until| *until > now);
        Ok(())
    }

    fn touch_types(&mut self, types: &[RecordType]) -> Result<(), Error> {
        self.books.touch_types(types);
        Ok(())
    }

    fn touch(&mut self, records: &[RecordKey]) -> Result<(), Error> {
        for key in records {
            self.books.mark_dirty(key, true);
        }
        Ok(())
    }

    fn touch_all(&mut self, flows: &Dataflow) -> Result<(), Error> {
        self.books.touch_all(flows);
        Ok(())
    }

    fn note(&mut self, name: &str) -> Result<Option<String>, Error> {
        Ok(self.books.notes.get(name).cloned())
    }

    fn set_note(&mut self, name: &str, value: &str) -> Result<(), Error> {
        self.books.notes.insert(name.to_owned(), value.to_owned());
        Ok(())
    }
}
