//! The connection: statements, transactions, record types by number, and the count of changes.

use crate::pages::Damage;
use crate::storage::{DatabaseError, Given, Row, Storage, Value};
use crate::{Error, match_index};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tandem_merge::record::{RecordKey, RecordType};
use tandem_seal::Seal;

/// The database's number of a record.
pub(crate) type Rid = i64;

/// Why a statement or a unit failed, before the unit is named.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The database said no.
    Sql(DatabaseError),
    /// A stored value cannot be read.
    Unreadable(String),
    /// A plan cannot be stored as it is, for this reason.
    PutBack(&'static str),
    /// Anything that is told as it is.
    Told(Error),
}

impl From<DatabaseError> for Trouble {
    fn from(source: DatabaseError) -> Self {
        Self::Sql(source)
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(source: rusqlite::Error) -> Self {
        Self::Sql(source.into())
    }
}

impl From<serde_json::Error> for Trouble {
    fn from(source: serde_json::Error) -> Self {
        Self::Unreadable(source.to_string())
    }
}

impl From<jiff::Error> for Trouble {
    fn from(source: jiff::Error) -> Self {
        Self::Unreadable(source.to_string())
    }
}

impl Trouble {
    /// Names the unit that failed: `doing` ends "the state could not be".
    pub(crate) fn told(self, doing: &'static str) -> Error {
        match self {
            Self::Sql(source) => Error::database(doing, source),
            Self::Unreadable(what) => Error::Corrupt(what),
            Self::PutBack(why) => Error::Corrupt(format!("a plan breaks: {why}")),
            Self::Told(error) => error,
        }
    }

    /// Why a plan is put back: the uniqueness constraint that was broken, in words.
    pub(crate) fn put_back(&self) -> Option<&'static str> {
        if let Self::PutBack(why) = self {
            return Some(why);
        }
        let Self::Sql(source) = self else { return None };
        source.broken_constraint().map(constraint)
    }
}

/// What a broken constraint is about; SQLite names it `table.column`, PostgreSQL as its index is called.
fn constraint(name: &str) -> &'static str {
    use crate::constraint as words;
    let is = |what: [&str; 2]| what.iter().any(|what| name.contains(what));
    if is(["link.", "link_"]) {
        words::LINK
    } else if is(["intent.reservation", "intent_reservation"]) {
        words::RESERVATION
    } else if is(["intent.record", "intent_record"]) {
        words::INTENT
    } else if is(["companion.", "companion_"]) {
        words::COMPANION
    } else {
        words::OTHER
    }
}

/// What the program numbers by itself: how far each came is stored with every unit, so that no number is given twice.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Numbered {
    /// Ages, marks and inbox rows.
    Change,
    Kind,
    Record,
    Link,
    Intent,
    Item,
    Line,
    Run,
    Companion,
    System,
}

/// How far each came.
pub(crate) type Counts = [i64; 10];

/// A storage with what is remembered between statements.
pub(crate) struct Db {
    pub(crate) storage: Box<dyn Storage>,
    kinds: RefCell<HashMap<RecordType, i64>>,
    types: RefCell<HashMap<i64, RecordType>>,
    counts: Cell<Counts>,
    /// Entries of match keys that are new; none: not counted yet.
    new_keys: Cell<Option<u64>>,
    stored_counts: Cell<Counts>,
    /// What values are sealed with; none: they are in clear.
    pub(crate) seal: Option<Arc<Seal>>,
    /// The run that history belongs to.
    pub(crate) run: crate::history::CurrentRun,
    pub(crate) forgotten: crate::forget::Known,
    pub(crate) damage: Damage,
    /// Nothing is changed by this one.
    pub(crate) looks: bool,
    /// What was ignored until then is heard of again.
    pub(crate) heard: Cell<i64>,
    #[cfg(feature = "faults")]
    pub(crate) fault: RefCell<Option<crate::faults::Fault>>,
}

impl Db {
    /// In clear, until it is given a seal.
    pub(crate) fn new(storage: Box<dyn Storage>) -> Result<Self, Trouble> {
        let db = Self {
            storage,
            kinds: RefCell::default(),
            types: RefCell::default(),
            counts: Cell::default(),
            new_keys: Cell::new(None),
            stored_counts: Cell::default(),
            seal: None,
            run: crate::history::CurrentRun::default(),
            forgotten: crate::forget::Known::default(),
            damage: Damage::default(),
            looks: false,
            heard: Cell::new(i64::MIN),
            #[cfg(feature = "faults")]
            fault: RefCell::default(),
        };
        db.read_counts()?;
        Ok(db)
    }

    /// Looks at what a process may be changing meanwhile: each unit sees one moment, and none waits for the other.
    pub(crate) fn to_look(storage: Box<dyn Storage>) -> Result<Self, Trouble> {
        Ok(Self {
            looks: true,
            ..Self::new(storage)?
        })
    }

    /// Runs a statement; answers how many rows it changed.
    pub(crate) fn run(&self, sql: &str, given: impl Given) -> Result<usize, Trouble> {
        self.step()?;
        Ok(self.storage.run(sql, &given.values())?)
    }

    /// The first row, if any.
    pub(crate) fn one<T>(
        &self,
        sql: &str,
        given: impl Given,
        read: impl FnOnce(&dyn Row) -> Result<T, Trouble>,
    ) -> Result<Option<T>, Trouble> {
        self.step()?;
        let (mut found, mut read) = (None, Some(read));
        self.storage.read(sql, &given.values(), &mut |row| {
            found = read.take().map(|read| read(row)).transpose()?;
            Ok(false)
        })?;
        Ok(found)
    }

    /// All rows: only for queries whose result is small by nature or limited.
    pub(crate) fn all<T>(
        &self,
        sql: &str,
        given: impl Given,
        mut read: impl FnMut(&dyn Row) -> Result<T, Trouble>,
    ) -> Result<Vec<T>, Trouble> {
        let mut all = Vec::new();
        self.each(sql, given, |row| {
            all.push(read(row)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// Visits rows one at a time: only for queries whose result is small by nature or limited.
    pub(crate) fn each(
        &self,
        sql: &str,
        given: impl Given,
        mut visit: impl FnMut(&dyn Row) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        self.step()?;
        self.storage
            .read(sql, &given.values(), &mut |row| visit(row).map(|()| true))
    }

    /// Visits rows one at a time, for queries of any size.
    pub(crate) fn walk(
        &self,
        sql: &str,
        given: impl Given,
        mut visit: impl FnMut(&dyn Row) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        self.step()?;
        self.storage
            .walk(sql, &given.values(), &mut |row| visit(row).map(|()| true))
    }

    /// Runs a statement for rows, many at once. `VALUES` in it stands for them.
    pub(crate) fn many<const N: usize>(&self, sql: &str, rows: Vec<[Value<'_>; N]>) -> Result<(), Trouble> {
        let mut left = rows.into_iter().peekable();
        while left.peek().is_some() {
            // Few sizes: each is a statement that is prepared once.
            let size = TOGETHER.into_iter().find(|size| *size <= left.len()).unwrap_or(1);
            let row = format!("({})", vec!["?"; N].join(","));
            let sql = sql.replacen("VALUES", &format!("VALUES {}", vec![row; size].join(",")), 1);
            let values: Vec<Value<'_>> = left.by_ref().take(size).flatten().collect();
            self.run(&sql, values)?;
        }
        Ok(())
    }

    /// The next number of its kind.
    pub(crate) fn next(&self, of: Numbered) -> i64 {
        let mut counts = self.counts.get();
        let Some(count) = counts.get_mut(of as usize) else {
            return 0;
        };
        *count += 1;
        let next = *count;
        self.counts.set(counts);
        next
    }

    /// How far each number came.
    pub(crate) fn counts(&self) -> Counts {
        self.counts.get()
    }

    /// Goes on with other numbers than those given so far.
    pub(crate) fn go_on_with(&self, counts: Counts) {
        self.counts.set(counts);
    }

    /// One transaction: all of it or nothing. Refused where the file is known to be damaged.
    pub(crate) fn unit<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Self) -> Result<T, Trouble>,
    ) -> Result<T, Error> {
        self.attempt(work).map_err(|trouble| trouble.told(doing))
    }

    /// The same, with why it failed.
    pub(crate) fn attempt<T>(&self, work: impl FnOnce(&Self) -> Result<T, Trouble>) -> Result<T, Trouble> {
        self.damage.refused().map_err(Trouble::Told)?;
        // Whoever writes takes the lock at once, whoever looks takes none.
        let begin = if self.looks { "BEGIN" } else { "BEGIN IMMEDIATE" };
        let done = self
            .run(begin, [])
            .and_then(|_| work(self))
            .and_then(|value| self.commit().map(|()| value));
        done.inspect_err(|_| self.roll_back())
    }

    /// So many entries of match keys are new.
    pub(crate) fn indexed(&self, entries: u64) {
        self.new_keys
            .set(self.new_keys.get().map(|known| known + entries));
    }

    /// Lets new match keys go over once they are many.
    fn settle_index(&self) -> Result<(), Trouble> {
        let mut new = match self.new_keys.get() {
            Some(new) => new,
            None => match_index::count_new(self)?,
        };
        if new > match_index::NEW {
            match_index::settle(self)?;
            new = 0;
        }
        self.new_keys.set(Some(new));
        Ok(())
    }

    fn commit(&self) -> Result<(), Trouble> {
        let counts = self.counts.get();
        if counts != self.stored_counts.get() {
            self.settle_index()?;
            let text: Vec<String> = counts.iter().map(i64::to_string).collect();
            self.set_note("clock", &text.join(" "))?;
        }
        self.run("COMMIT", [])?;
        self.stored_counts.set(counts);
        Ok(())
    }

    fn roll_back(&self) {
        self.storage.roll_back();
        self.forget_types();
        self.new_keys.set(None);
        self.counts.set(self.stored_counts.get());
    }

    /// A part of a transaction that may be undone on its own.
    pub(crate) fn part<T>(&self, work: impl FnOnce() -> Result<T, Trouble>) -> Result<T, Trouble> {
        self.run("SAVEPOINT part", [])?;
        let counts = self.counts.get();
        let done = work();
        if done.is_err() {
            self.run("ROLLBACK TO part", [])?;
            self.forget_types();
            self.counts.set(counts);
        }
        self.run("RELEASE part", [])?;
        done
    }

    fn forget_types(&self) {
        self.forgotten.clear();
        self.kinds.borrow_mut().clear();
        self.types.borrow_mut().clear();
    }

    /// Reads how far numbers came.
    fn read_counts(&self) -> Result<(), Trouble> {
        let unreadable = || Trouble::Unreadable("the count of changes".to_owned());
        let mut counts = Counts::default();
        if let Some(text) = self.note("clock")? {
            let stored: Result<Vec<i64>, _> = text.split(' ').map(str::parse).collect();
            counts = stored
                .ok()
                .and_then(|stored| stored.try_into().ok())
                .ok_or_else(unreadable)?;
        }
        self.counts.set(counts);
        self.stored_counts.set(counts);
        Ok(())
    }

    /// The next number of the count of changes: ages, marks and inbox rows are numbered by it.
    pub(crate) fn tick(&self) -> i64 {
        self.next(Numbered::Change)
    }

    /// The count of changes so far.
    pub(crate) fn now(&self) -> i64 {
        self.counts.get()[Numbered::Change as usize]
    }

    /// The number of a record type, if any record of it was ever named.
    pub(crate) fn kind(&self, of: &RecordType) -> Result<Option<i64>, Trouble> {
        if let Some(number) = self.kinds.borrow().get(of) {
            return Ok(Some(*number));
        }
        let sql = "SELECT number FROM kind WHERE system = ?1 AND name = ?2";
        let number = self.one(sql, [&of.system, &of.name], |row| row.get(0))?;
        if let Some(number) = number {
            self.remember(of, number);
        }
        Ok(number)
    }

    /// The number of a record type; it gets one where it has none.
    pub(crate) fn make_kind(&self, of: &RecordType) -> Result<i64, Trouble> {
        if let Some(number) = self.kind(of)? {
            return Ok(number);
        }
        let number = self.next(Numbered::Kind);
        let sql = "INSERT INTO kind (number, system, name, known) VALUES (?1, ?2, ?3, 0)";
        self.run(sql, (number, &of.system, &of.name))?;
        self.remember(of, number);
        Ok(number)
    }

    fn remember(&self, of: &RecordType, number: i64) {
        self.kinds.borrow_mut().insert(of.clone(), number);
        self.types.borrow_mut().insert(number, of.clone());
    }

    /// The record type of a number.
    pub(crate) fn record_type(&self, number: i64) -> Result<RecordType, Trouble> {
        if let Some(known) = self.types.borrow().get(&number) {
            return Ok(known.clone());
        }
        let sql = "SELECT system, name FROM kind WHERE number = ?1";
        let found = self.one(sql, [number], |row| {
            Ok(RecordType::new(row.get::<String>(0)?, row.get::<String>(1)?))
        })?;
        let of = found.ok_or_else(|| Trouble::Unreadable(format!("record type {number} has no name")))?;
        self.remember(&of, number);
        Ok(of)
    }

    /// The number of a record, if it was ever named.
    pub(crate) fn rid(&self, key: &RecordKey) -> Result<Option<Rid>, Trouble> {
        let Some(kind) = self.kind(&key.record_type)? else {
            return Ok(None);
        };
        let sql = "SELECT rid FROM record WHERE kind = ?1 AND id = ?2";
        self.one(sql, (kind, &key.id), |row| row.get(0))
    }

    /// The number of a record; it gets one where it has none.
    pub(crate) fn make_rid(&self, key: &RecordKey) -> Result<Rid, Trouble> {
        if let Some(rid) = self.rid(key)? {
            return Ok(rid);
        }
        Ok(crate::load::make_row(self, key)?.rid)
    }

    /// The key of a record.
    pub(crate) fn key(&self, rid: Rid) -> Result<RecordKey, Trouble> {
        let found: Option<(i64, String)> =
            self.one("SELECT kind, id FROM record WHERE rid = ?1", [rid], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        let (kind, id) = found.ok_or_else(|| Trouble::Unreadable(format!("record {rid} is not there")))?;
        Ok(RecordKey {
            record_type: self.record_type(kind)?,
            id,
        })
    }

    /// The keys of records, in the same order.
    pub(crate) fn keys(&self, rids: &[Rid]) -> Result<Vec<RecordKey>, Trouble> {
        let sql = "SELECT rid, kind, id FROM record WHERE rid IN (SELECT value FROM json_each(?1))";
        let read = |row: &dyn Row| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let mut found: HashMap<Rid, RecordKey> = HashMap::new();
        let rows: Vec<(Rid, i64, String)> = self.all(sql, [crate::load::numbers(rids)], read)?;
        for (rid, kind, id) in rows {
            let record_type = self.record_type(kind)?;
            found.insert(rid, RecordKey { record_type, id });
        }
        let key = |rid: &Rid| {
            let key = found.get(rid).cloned();
            key.ok_or_else(|| Trouble::Unreadable(format!("record {rid} is not there")))
        };
        rids.iter().map(key).collect()
    }

    /// Marks a record dirty; its age stays. `own`: by itself, not woken by a change of another.
    pub(crate) fn mark_dirty(&self, rid: Rid, own: bool) -> Result<(), Trouble> {
        let mark = self.tick();
        // Of one row only: the database keeps what it changes apart for a statement that might change many.
        let sql = "INSERT INTO dirty (rid, kind, seq, mark, own)
                   VALUES (?1, (SELECT kind FROM record WHERE rid = ?1), ?2, ?2, ?3)
                   ON CONFLICT (rid) DO UPDATE SET mark = excluded.mark, own = dirty.own | excluded.own";
        self.run(sql, (rid, mark, own)).map(drop)
    }

    /// A statement is about to run.
    #[cfg_attr(
        not(feature = "faults"),
        allow(clippy::unnecessary_wraps, clippy::unused_self, reason = "as with faults")
    )]
    fn step(&self) -> Result<(), Trouble> {
        STATEMENTS.fetch_add(1, Ordering::Relaxed);
        #[cfg(feature = "faults")]
        if let Some(fault) = self.fault.borrow_mut().as_mut() {
            return fault.step();
        }
        Ok(())
    }
}

/// So many rows are given to one statement.
const TOGETHER: [usize; 3] = [64, 16, 4];

/// Statements run by this process.
static STATEMENTS: AtomicU64 = AtomicU64::new(0);

/// How many SQL statements this process has run on states, beginnings and ends of transactions among them.
#[must_use]
pub fn statements() -> u64 {
    STATEMENTS.load(Ordering::Relaxed)
}
