//! The ledger as a store: its units of work.

use crate::contract::{
    CommitReport, Compaction, Decided, Dirty, Edits, Fence, Forgotten, Hour, Item, LinkRow, Page, PageReport,
    Rebinding, Rebound, Run, RunRow, Sought, Status, Store, Worker,
};
use crate::db::{Db, Numbered, Trouble};
use crate::facts::Overall;
use crate::folder::{self, Hold};
use crate::home::{self, Home};
use crate::keys::Keys;
use crate::migrate::{self, Migrated, STEPS, Step};
use crate::pages::Look;
use crate::postgres::Postgres;
use crate::schema::NOW;
use crate::sealed::CURSOR;
use crate::sqlite::Sqlite;
use crate::stood::StoodFor;
use crate::storage::Storage;
use crate::{Error, commit, forget, guards, history, hours, lists, outbox, page, rebind, seek, take};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use tandem_merge::cluster::{Cluster, Intent};
use tandem_merge::dataflow::Dataflow;
use tandem_merge::facts::MatchKey;
use tandem_merge::plan::Event;
use tandem_merge::record::{RecordKey, RecordType, Values};

/// The durable state, held by one process at a time: everything that is known of links, writes, questions and the rest,
/// over a [`crate::storage::Storage`].
pub struct Ledger {
    /// Ends first: the last connection that is closed settles the log.
    look: Option<Look>,
    /// Nothing may be sent: not every page was looked over that is to be.
    unsure: bool,
    db: Db,
    /// The file that pages are looked over of; none where the storage sees to its pages by itself.
    file: Option<PathBuf>,
    migrated: Option<Migrated>,
    _hold: Option<Hold>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl Ledger {
    /// Opens the state in a folder, which is made where it is missing. Only its owner may read it.
    ///
    /// # Errors
    /// [`Error::Held`] while another process has it open, [`Error::Corrupt`] where the file is no state,
    /// [`Error::Newer`] and [`Error::Older`] where another program wrote it, [`Error::KeyMissing`] where it is sealed.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        Self::open_with(folder, &Keys::default())
    }

    /// Opens the state in a folder with its keys. One in clear, or sealed with the former key, is sealed anew.
    ///
    /// # Errors
    /// As [`Ledger::open`], and [`Error::KeyWrong`].
    pub fn open_with(folder: &Path, keys: &Keys) -> Result<Self, Error> {
        Self::open_at(&Home::Folder(folder.to_owned()), keys)
    }

    fn open_in(folder: &Path, keys: &Keys) -> Result<Self, Error> {
        let hold = folder::take_hold(folder)?;
        folder::refuse_half_replaced(folder)?;
        let file = folder::make_database(folder)?;
        let storage = Sqlite::open(&file)?;
        Self::over(Box::new(storage), keys, Some(file), Some(hold))
    }

    /// Opens the state wherever it is kept. One of an older form is kept in a backup and brought to the form of this program,
    /// where there is a way: see [`Ledger::migrated`].
    ///
    /// # Errors
    /// As [`Ledger::open_with`]; [`Error::Unreachable`] where a server cannot be reached.
    pub fn open_at(home: &Home, keys: &Keys) -> Result<Self, Error> {
        Self::open_by(home, keys, STEPS)
    }

    pub(crate) fn open_by(home: &Home, keys: &Keys, steps: &'static [Step]) -> Result<Self, Error> {
        let (mut store, migrated) = migrate::opened(home, keys, steps, || Self::open_as_it_is(home, keys))?;
        store.migrated = migrated;
        Ok(store)
    }

    pub(crate) fn open_as_it_is(home: &Home, keys: &Keys) -> Result<Self, Error> {
        match home {
            Home::Folder(folder) => Self::open_in(folder, keys),
            Home::Server(server) => Self::over(Box::new(Postgres::open(server)?), keys, None, None),
        }
    }

    fn over(
        storage: Box<dyn Storage>,
        keys: &Keys,
        file: Option<PathBuf>,
        hold: Option<Hold>,
    ) -> Result<Self, Error> {
        let mut db = Db::new(storage).map_err(|trouble| trouble.told("opened"))?;
        db.seal = crate::keys::found(&db, keys)?;
        later_where_locked(crate::keys::fit(&mut db, keys))?;
        let store = Self {
            look: None,
            unsure: false,
            db,
            file,
            migrated: None,
            _hold: hold,
        };
        store.name_state()?;
        // A process may have died between forgetting and rewriting the files.
        later_where_locked(forget::scrub(&store.db))?;
        Ok(store)
    }

    /// Opens a consistent copy of a state, made in the folder `to`, which must not hold a state yet. The original is
    /// only read, and may be held by another process. Where there is none the copy is a new state.
    ///
    /// # Errors
    /// As [`Ledger::open_at`].
    pub fn open_copy(from: &Home, to: &Path, keys: &Keys) -> Result<Self, Error> {
        if home::is_there(from)? {
            drop(folder::take_hold(to)?);
            let target = folder::make_database(to)?;
            home::copy(from, &target, NOW)?;
        }
        Self::open_with(to, keys)
    }

    /// Opens the state to look at it, also while another process holds it and works: nothing is changed, nobody waits.
    /// Every unit that reads sees the state as it is at one moment; one that writes fails. None where no state is there.
    ///
    /// # Errors
    /// As [`Ledger::open_at`], but for [`Error::Held`].
    pub fn open_to_look(home: &Home, keys: &Keys) -> Result<Option<Self>, Error> {
        if !home::is_there(home)? {
            return Ok(None);
        }
        let storage: Option<Box<dyn Storage>> = match home {
            Home::Folder(folder) => {
                Sqlite::open_to_look(&folder.join(folder::DATABASE))?.map(|it| Box::new(it) as _)
            }
            Home::Server(server) => Postgres::open_to_look(server)?.map(|it| Box::new(it) as _),
        };
        let Some(storage) = storage else {
            return Ok(None);
        };
        let mut db = Db::to_look(storage).map_err(|trouble| trouble.told("opened"))?;
        db.seal = crate::keys::found(&db, keys)?;
        Ok(Some(Self {
            look: None,
            unsure: false,
            db,
            file: None,
            migrated: None,
            _hold: None,
        }))
    }

    /// Begins to look every page of the file over beside the work. Once damage is found every unit of work fails with
    /// [`Error::Corrupt`]; no write is marked as sent before the look is over. One that is not over ends with the store.
    ///
    /// # Errors
    /// [`Error::Database`] where the file cannot be read by a second connection.
    pub fn look_over(&mut self) -> Result<(), Error> {
        self.unsure = self.file.is_some();
        self.look = self.begin_look()?;
        Ok(())
    }

    fn begin_look(&self) -> Result<Option<Look>, Error> {
        let file = self.file.as_deref();
        file.map(|file| Look::begin(file, &self.db.damage)).transpose()
    }

    /// Waits until every page was looked over, where that is to be. A look that failed is made again: nothing passes without
    /// one that went well (E19).
    fn await_look(&mut self) -> Result<(), Error> {
        if self.unsure {
            let begun = self
                .look
                .take()
                .map_or_else(|| self.begin_look(), |look| Ok(Some(look)));
            let ended = begun.and_then(|look| look.map_or(Ok(()), Look::end));
            if ended.is_err() {
                // So that the next write has something to wait for.
                self.look = self.begin_look().ok().flatten();
            }
            self.unsure = ended.is_err();
            return ended;
        }
        Ok(())
    }

    /// What was done to the state when it was opened, where it had an older form.
    #[must_use]
    pub fn migrated(&self) -> Option<&Migrated> {
        self.migrated.as_ref()
    }

    /// Who works with the state, and who stands by.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn workers(&self) -> Result<Vec<Worker>, Error> {
        self.db.unit("read", |db| db.storage.workers())
    }

    /// What the state holds.
    pub(crate) fn holding(&self) -> Result<crate::backup::Holding, Error> {
        crate::backup::holding(&self.db)
    }

    /// How far each number came.
    pub(crate) fn counts(&self) -> crate::db::Counts {
        self.db.counts()
    }

    /// The random text that names the state, made once.
    fn name_state(&self) -> Result<(), Error> {
        self.db.unit("named", |db| {
            if db.note("state")?.is_none() {
                db.set_note("state", &crate::hash::random(8)?)?;
            }
            Ok(())
        })
    }

    /// A unit that writes, refused to a holder whose fence is lower than one seen.
    fn write<T>(
        &self,
        fence: Fence,
        doing: &'static str,
        work: impl FnOnce(&Db) -> Result<T, Trouble>,
    ) -> Result<T, Error> {
        self.db
            .unit(doing, |db| fenced(db, fence).and_then(|()| work(db)))
    }

    /// Cuts the store off at a statement from now on: `after` more statements pass, every later one fails.
    /// `copy`: the state's folder, and where the files are copied as they are at that moment, as a process
    /// that died there would leave them.
    #[cfg(feature = "faults")]
    pub fn cut_off(&mut self, after: u64, copy: Option<(std::path::PathBuf, std::path::PathBuf)>) {
        let fault = crate::faults::Fault { left: after, copy };
        *self.db.fault.borrow_mut() = Some(fault);
    }

    /// Lets every statement pass again.
    #[cfg(feature = "faults")]
    pub fn mend(&mut self) {
        *self.db.fault.borrow_mut() = None;
    }
}

/// What is to be rewritten is rewritten when the state is opened next, where somebody else reads it just now.
fn later_where_locked(done: Result<(), Error>) -> Result<(), Error> {
    match done {
        Err(Error::Database { source, .. }) if source.is_locked() => Ok(()),
        done => done,
    }
}

/// Refuses a holder whose fence is lower than one seen.
fn fenced(db: &Db, fence: Fence) -> Result<(), Trouble> {
    let found = db.note("fence")?.map(|text| text.parse()).transpose();
    let found = found.map_err(|_| Trouble::Unreadable("the note fence".to_owned()))?;
    let found: Fence = found.unwrap_or_default();
    if fence < found {
        return Err(Trouble::Told(Error::Fenced { found, ours: fence }));
    }
    if fence > found {
        db.set_note("fence", &fence.to_string())?;
    }
    Ok(())
}

impl Store for Ledger {
    fn bind(&mut self, identities: &BTreeMap<String, String>) -> Result<(), Error> {
        self.db.unit("bound to its systems", |db| {
            let mut all = identities.iter();
            all.try_for_each(|(system, identity)| page::bind(db, system, identity))
        })
    }

    fn rebind(&mut self, flows: &Dataflow, to: &Rebinding) -> Result<Rebound, Error> {
        self.db
            .unit("bound to another system", |db| rebind::carry_out(db, flows, to))
    }

    fn state_id(&mut self) -> Result<String, Error> {
        Ok(self.note("state")?.unwrap_or_default())
    }

    fn cursor(&mut self, system: &str) -> Result<Option<Vec<u8>>, Error> {
        self.db.unit("read", |db| {
            let sql = "SELECT cursor FROM system WHERE name = ?1";
            db.opened_if(&CURSOR, db.one(sql, [system], |row| row.get(0))?.flatten())
        })
    }

    fn commit_page(&mut self, fence: Fence, flows: &Dataflow, page: &Page) -> Result<PageReport, Error> {
        self.write(fence, "given a page", |db| page::commit(db, flows, page))
    }

    fn mark_listed(&mut self, system: &str, at: Timestamp) -> Result<(), Error> {
        self.db.unit("marked as listed", |db| {
            let sql = "INSERT INTO system (number, name, listed) VALUES (?1, ?2, ?3)
                       ON CONFLICT (name) DO UPDATE SET listed = coalesce(system.listed, excluded.listed)";
            db.run(sql, (db.next(Numbered::System), system, at.to_string()))
                .map(drop)
        })
    }

    fn take_dirty(
        &mut self,
        flows: &Dataflow,
        rank: usize,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Dirty>, Error> {
        self.db
            .unit("read", |db| take::dirty(db, flows, rank, limit, now))
    }

    fn next_rank(&mut self, flows: &Dataflow, after: Option<usize>) -> Result<Option<usize>, Error> {
        self.db.unit("read", |db| take::next_rank(db, flows, after))
    }

    fn take_for_intents(
        &mut self,
        flows: &Dataflow,
        intents: &[u64],
        now: Timestamp,
    ) -> Result<Vec<Dirty>, Error> {
        self.db.unit("read", |db| {
            let overall = Overall::read(db, flows, now)?;
            take::of_records(db, flows, &outbox::subjects(db, intents)?, &overall)
        })
    }

    fn take_records(
        &mut self,
        flows: &Dataflow,
        records: &[RecordKey],
        now: Timestamp,
    ) -> Result<Vec<Dirty>, Error> {
        self.db.unit("read", |db| {
            let overall = Overall::read(db, flows, now)?;
            let rids: Vec<Option<_>> = records.iter().map(|key| db.rid(key)).collect::<Result<_, _>>()?;
            let rids: Vec<_> = rids.into_iter().flatten().collect();
            take::of_records(db, flows, &rids, &overall)
        })
    }

    fn take_together(
        &mut self,
        flows: &Dataflow,
        groups: &[Vec<RecordKey>],
        now: Timestamp,
    ) -> Result<Vec<Option<Dirty>>, Error> {
        self.db.unit("read", |db| {
            let overall = Overall::read(db, flows, now)?;
            take::together(db, flows, groups, &overall)
        })
    }

    fn commit_plans(
        &mut self,
        fence: Fence,
        flows: &Dataflow,
        plans: Vec<Decided>,
    ) -> Result<CommitReport, Error> {
        let doing = "given plans";
        // That one breaks a constraint is rare. A savepoint would keep every page that all the others change.
        let all = |db: &Db| fenced(db, fence).and_then(|()| commit::all(db, flows, &plans));
        match self.db.attempt(all) {
            Err(trouble) if trouble.put_back().is_some() => {
                self.write(fence, doing, |db| commit::each(db, flows, &plans))
            }
            done => done.map_err(|trouble| trouble.told(doing)),
        }
    }

    fn sendable(
        &mut self,
        system: &str,
        creates: bool,
        rank: usize,
        limit: usize,
    ) -> Result<Vec<Intent>, Error> {
        self.db
            .unit("read", |db| outbox::sendable(db, system, creates, rank, limit))
    }

    fn count_sendable(
        &mut self,
        system: &str,
        creates: bool,
        rank: usize,
        limit: usize,
    ) -> Result<usize, Error> {
        self.db.unit("read", |db| {
            outbox::count_sendable(db, system, creates, rank, limit)
        })
    }

    fn looked_over(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        match &self.look {
            Some(look) => Box::pin(look.over()),
            None => Box::pin(std::future::ready(())),
        }
    }

    fn lost(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.db.storage.lost()
    }

    fn begin_write(&mut self, fence: Fence, intents: &[u64], now: Timestamp) -> Result<Vec<Intent>, Error> {
        self.await_look()?;
        let marked = self.write(fence, "marked", |db| outbox::begin_write(db, intents, now))?;
        // No call can be fenced: one whose caller stood still for too long does not begin.
        match self.db.storage.is_held() {
            true => Ok(marked),
            false => Err(Error::Lost("sent from")),
        }
    }

    fn unsettled(&mut self, after: u64, limit: usize) -> Result<Vec<Intent>, Error> {
        self.db.unit("read", |db| outbox::unsettled(db, after, limit))
    }

    fn mark_unknown(&mut self, fence: Fence, intents: &[u64], unsend: bool) -> Result<(), Error> {
        self.write(fence, "marked", |db| outbox::mark_unknown(db, intents, unsend))
    }

    fn accept(&mut self, fence: Fence, intents: &[u64], handle: &str) -> Result<(), Error> {
        self.write(fence, "marked", |db| outbox::accept(db, intents, handle))
    }

    fn handles(&mut self, system: &str) -> Result<Vec<String>, Error> {
        self.db.unit("read", |db| outbox::handles(db, system))
    }

    fn accepted(&mut self, handle: &str, after: u64, limit: usize) -> Result<Vec<Intent>, Error> {
        self.db
            .unit("read", |db| outbox::accepted(db, handle, after, limit))
    }

    fn intents(&mut self, numbers: &[u64]) -> Result<Vec<Intent>, Error> {
        self.db.unit("read", |db| outbox::intents(db, numbers))
    }

    fn status(&mut self, flows: &Dataflow) -> Result<Status, Error> {
        self.db.unit("read", |db| lists::status(db, flows))
    }

    fn links(&mut self, flow: Option<&str>, after: u64, limit: usize) -> Result<Vec<LinkRow>, Error> {
        self.db.unit("read", |db| lists::links(db, flow, after, limit))
    }

    fn latest_links(&mut self, flow: Option<&str>, before: u64, limit: usize) -> Result<Vec<LinkRow>, Error> {
        self.db
            .unit("read", |db| lists::latest_links(db, flow, before, limit))
    }

    fn items(&mut self, after: u64, limit: usize) -> Result<Vec<Item>, Error> {
        self.db.unit("read", |db| lists::items(db, after, limit))
    }

    fn asked(&mut self) -> Result<BTreeSet<u64>, Error> {
        self.db.unit("read", lists::asked)
    }

    fn history(
        &mut self,
        record: Option<&RecordKey>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Event)>, Error> {
        self.db
            .unit("read", |db| history::lines(db, record, after, limit))
    }

    fn latest(
        &mut self,
        record: Option<&RecordKey>,
        before: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Event)>, Error> {
        self.db
            .unit("read", |db| history::latest(db, record, before, limit))
    }

    fn latest_of(
        &mut self,
        types: &[RecordType],
        between: (u64, u64),
        limit: usize,
    ) -> Result<Vec<(u64, Event)>, Error> {
        self.db
            .unit("read", |db| history::latest_of(db, types, between, limit))
    }

    fn forget(&mut self, records: &[RecordKey], at: Timestamp) -> Result<Forgotten, Error> {
        let done = self
            .db
            .unit("made to forget", |db| forget::forget(db, records, at))?;
        // A file that is read meanwhile keeps its log.
        self.await_look()?;
        forget::scrub(&self.db)?;
        Ok(done)
    }

    fn is_forgotten(&mut self, record: &RecordKey) -> Result<bool, Error> {
        self.db.unit("read", |db| forget::is_forgotten(db, record))
    }

    fn begin_run(&mut self, kind: &str, at: Timestamp) -> Result<(), Error> {
        self.db.run.begin(kind, at);
        Ok(())
    }

    fn swap_run(&mut self, run: Option<Run>) -> Result<Option<Run>, Error> {
        Ok(self.db.run.swap(run))
    }

    fn runs(&mut self, after: u64, limit: usize) -> Result<Vec<RunRow>, Error> {
        self.db.unit("read", |db| history::runs(db, after, limit))
    }

    fn hours(&mut self, from: Timestamp) -> Result<Vec<Hour>, Error> {
        self.db.unit("read", |db| hours::since(db, from))
    }

    fn note_stood(&mut self, all: &[StoodFor]) -> Result<(), Error> {
        match all.is_empty() {
            true => Ok(()),
            false => self.db.unit("counted", |db| hours::note_stood(db, all)),
        }
    }

    fn note_backlog(&mut self, at: Timestamp) -> Result<(), Error> {
        self.db.unit("counted", |db| hours::note_backlog(db, at))
    }

    fn latest_runs(&mut self, before: u64, limit: usize) -> Result<Vec<RunRow>, Error> {
        self.db.unit("read", |db| history::latest_runs(db, before, limit))
    }

    fn compact_history(&mut self, before: Timestamp, after: u64, limit: usize) -> Result<Compaction, Error> {
        self.db
            .unit("compacted", |db| history::compact(db, before, after, limit))
    }

    fn search(
        &mut self,
        record_type: &RecordType,
        property: &str,
        value: &str,
    ) -> Result<Vec<RecordKey>, Error> {
        self.db
            .unit("read", |db| lists::search(db, record_type, property, value))
    }

    fn seek(&mut self, text: &str, before: u64, limit: usize) -> Result<Sought, Error> {
        self.db.unit("read", |db| seek::seek(db, text, before, limit))
    }

    fn values(&mut self, records: &[RecordKey]) -> Result<BTreeMap<RecordKey, Values>, Error> {
        self.db.unit("read", |db| lists::values(db, records))
    }

    fn cluster(&mut self, _flows: &Dataflow, record: &RecordKey) -> Result<Option<Cluster>, Error> {
        self.db.unit("read", |db| {
            let rid = db.rid(record)?;
            rid.map(|rid| take::as_it_is(db, rid)).transpose()
        })
    }

    fn companions(
        &mut self,
        role: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<(RecordKey, String)>, Error> {
        self.db
            .unit("read", |db| lists::companions(db, role, after, limit))
    }

    fn unread(&mut self, limit: usize) -> Result<Vec<RecordKey>, Error> {
        self.db.unit("read", |db| lists::unread(db, limit))
    }

    fn alive_between(
        &mut self,
        record_type: &RecordType,
        after: Option<&str>,
        to: Option<&str>,
    ) -> Result<Vec<RecordKey>, Error> {
        self.db
            .unit("read", |db| lists::alive_between(db, record_type, after, to))
    }

    fn alive_after(
        &mut self,
        record_type: &RecordType,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<RecordKey>, Error> {
        self.db
            .unit("read", |db| lists::alive_after(db, record_type, after, limit))
    }

    fn with_key(&mut self, key: &MatchKey) -> Result<Vec<RecordKey>, Error> {
        self.db.unit("read", |db| lists::with_key(db, key))
    }

    fn to_reread(&mut self, now: Timestamp, limit: usize) -> Result<Vec<RecordKey>, Error> {
        self.db.unit("read", |db| crate::parts::to_read(db, now, limit))
    }

    fn doubted(&mut self, system: &str, until: Timestamp, limit: usize) -> Result<Vec<RecordKey>, Error> {
        self.db
            .unit("read", |db| lists::doubted(db, system, until, limit))
    }

    fn approve_flow(&mut self, flow: &str, now: Timestamp) -> Result<(), Error> {
        self.db.unit("given an approval", |db| {
            let sql = "INSERT INTO approval (flow, at) VALUES (?1, ?2)
                       ON CONFLICT (flow) DO UPDATE SET at = excluded.at";
            db.run(sql, (flow, now.to_string()))?;
            lists::touch_approvals(db, flow)
        })
    }

    fn edits(&mut self, flow: &str, from: Timestamp) -> Result<Edits, Error> {
        self.db.unit("read", |db| guards::edits(db, flow, from))
    }

    fn forget_edits(&mut self, flow: &str) -> Result<(), Error> {
        let sql = "DELETE FROM edited WHERE flow = ?1";
        self.db
            .unit("given an approval", |db| db.run(sql, [flow]).map(drop))
    }

    fn forget_versions(&mut self, system: &str) -> Result<(), Error> {
        self.db.unit("changed", |db| guards::forget_versions(db, system))
    }

    fn ignore(&mut self, item: u64, until: Option<Timestamp>) -> Result<bool, Error> {
        self.db.unit("changed", |db| guards::ignore(db, item, until))
    }

    fn hear_again(&mut self, now: Timestamp) -> Result<(), Error> {
        let now = now.as_microsecond();
        if self.db.looks {
            self.db.heard.set(now);
            return Ok(());
        }
        let sql = "UPDATE item SET ignored = NULL WHERE ignored <= ?1";
        self.db.unit("changed", |db| db.run(sql, [now]).map(drop))
    }

    fn touch_types(&mut self, types: &[RecordType]) -> Result<(), Error> {
        self.db.unit("marked", |db| guards::touch_types(db, types))
    }

    fn touch(&mut self, records: &[RecordKey]) -> Result<(), Error> {
        self.db.unit("marked", |db| {
            for key in records {
                if let Some(rid) = db.rid(key)? {
                    db.mark_dirty(rid, true)?;
                }
            }
            Ok(())
        })
    }

    fn touch_all(&mut self, flows: &Dataflow) -> Result<(), Error> {
        self.db.unit("marked", |db| lists::touch_all(db, flows))
    }

    fn note(&mut self, name: &str) -> Result<Option<String>, Error> {
        self.db.unit("read", |db| db.note(name))
    }

    fn set_note(&mut self, name: &str, value: &str) -> Result<(), Error> {
        self.db.unit("written", |db| db.set_note(name, value))
    }
}
