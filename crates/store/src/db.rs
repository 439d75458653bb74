//! The connection: statements, transactions, record types by number, and the count of changes.

use crate::pages::Damage;
use crate::{Error, match_index};
use rusqlite::{Connection, OptionalExtension, Params, Row};
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
    Sql(rusqlite::Error),
    /// A stored value cannot be read.
    Unreadable(String),
    /// A plan cannot be stored as it is, for this reason.
    PutBack(&'static str),
    /// Anything that is told as it is.
    Told(Error),
}

impl From<rusqlite::Error> for Trouble {
    fn from(source: rusqlite::Error) -> Self {
        Self::Sql(source)
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
        let Self::Sql(rusqlite::Error::SqliteFailure(code, Some(message))) = self else {
            return None;
        };
        // Any other constraint breaks on a damaged file alone.
        use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
        let unique = [SQLITE_CONSTRAINT_UNIQUE, SQLITE_CONSTRAINT_PRIMARYKEY];
        unique.contains(&code.extended_code).then(|| constraint(message))
    }
}

fn constraint(message: &str) -> &'static str {
    use crate::constraint as words;
    if message.contains("link.") {
        words::LINK
    } else if message.contains("intent.reservation") {
        words::RESERVATION
    } else if message.contains("intent.record") {
        words::INTENT
    } else if message.contains("companion.") {
        words::COMPANION
    } else {
        words::OTHER
    }
}

/// One connection with what it remembers between statements.
pub(crate) struct Db {
    pub(crate) connection: Connection,
    kinds: RefCell<HashMap<RecordType, i64>>,
    types: RefCell<HashMap<i64, RecordType>>,
    clock: Cell<i64>,
    /// Entries of match keys that are new; none: not counted yet.
    new_keys: Cell<Option<u64>>,
    stored_clock: Cell<i64>,
    /// What values are sealed with; none: they are in clear.
    pub(crate) seal: Option<Arc<Seal>>,
    /// The run that history belongs to.
    pub(crate) run: crate::history::CurrentRun,
    pub(crate) forgotten: crate::forget::Known,
    pub(crate) damage: Damage,
    #[cfg(feature = "faults")]
    pub(crate) fault: RefCell<Option<crate::faults::Fault>>,
}

impl Db {
    pub(crate) fn new(connection: Connection, seal: Option<Arc<Seal>>) -> Result<Self, Trouble> {
        let db = Self {
            connection,
            kinds: RefCell::default(),
            types: RefCell::default(),
            clock: Cell::new(0),
            new_keys: Cell::new(None),
            stored_clock: Cell::new(0),
            seal,
            run: crate::history::CurrentRun::default(),
            forgotten: crate::forget::Known::default(),
            damage: Damage::default(),
            #[cfg(feature = "faults")]
            fault: RefCell::default(),
        };
        db.forget()?;
        Ok(db)
    }

    /// Runs a statement; answers how many rows it changed.
    pub(crate) fn run(&self, sql: &str, params: impl Params) -> Result<usize, Trouble> {
        self.step()?;
        Ok(self.connection.prepare_cached(sql)?.execute(params)?)
    }

    /// The first row, if any.
    pub(crate) fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Trouble> {
        self.step()?;
        Ok(self
            .connection
            .prepare_cached(sql)?
            .query_row(params, read)
            .optional()?)
    }

    /// All rows: only for queries whose result is small by nature or limited.
    pub(crate) fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Trouble> {
        self.step()?;
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params, read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Visits rows one at a time, for queries of any size.
    pub(crate) fn each(
        &self,
        sql: &str,
        params: impl Params,
        mut visit: impl FnMut(&Row<'_>) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        self.step()?;
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        while let Some(row) = rows.next()? {
            visit(row)?;
        }
        Ok(())
    }

    /// Runs a statement for rows, many at once. `VALUES` in it stands for them. Answers the number of the first row, where
    /// it inserts them.
    pub(crate) fn many<const N: usize>(
        &self,
        sql: &str,
        rows: Vec<[rusqlite::types::Value; N]>,
    ) -> Result<Option<i64>, Trouble> {
        let mut first = None;
        let mut left = rows.into_iter().peekable();
        while left.peek().is_some() {
            // Few sizes: each is a statement that is prepared once.
            let size = TOGETHER.into_iter().find(|size| *size <= left.len()).unwrap_or(1);
            let row = format!("({})", vec!["?"; N].join(","));
            let sql = sql.replacen("VALUES", &format!("VALUES {}", vec![row; size].join(",")), 1);
            let values = left.by_ref().take(size).flatten();
            self.run(&sql, rusqlite::params_from_iter(values))?;
            let last = self.inserted();
            first.get_or_insert(last + 1 - i64::try_from(size).unwrap_or(i64::MAX));
        }
        Ok(first)
    }

    /// The number of the row inserted last.
    pub(crate) fn inserted(&self) -> i64 {
        self.connection.last_insert_rowid()
    }

    /// One transaction: all of it or nothing. None where the file is known to be damaged.
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
        let done = self
            .run("BEGIN IMMEDIATE", [])
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
        let clock = self.clock.get();
        if clock != self.stored_clock.get() {
            self.settle_index()?;
            self.set_note("clock", &clock.to_string())?;
        }
        self.run("COMMIT", [])?;
        self.stored_clock.set(clock);
        Ok(())
    }

    fn roll_back(&self) {
        if !self.connection.is_autocommit() {
            // The database rolls back by itself when this fails: the connection is gone then.
            let _gone = self.connection.execute_batch("ROLLBACK");
        }
        let _gone = self.forget();
    }

    /// A part of a transaction that may be undone on its own.
    pub(crate) fn part<T>(&self, work: impl FnOnce() -> Result<T, Trouble>) -> Result<T, Trouble> {
        self.run("SAVEPOINT part", [])?;
        let done = work();
        if done.is_err() {
            self.run("ROLLBACK TO part", [])?;
            self.kinds.borrow_mut().clear();
            self.types.borrow_mut().clear();
        }
        self.run("RELEASE part", [])?;
        done
    }

    /// Drops what is remembered; reads it anew from what is stored.
    fn forget(&self) -> Result<(), Trouble> {
        self.forgotten.clear();
        self.new_keys.set(None);
        self.kinds.borrow_mut().clear();
        self.types.borrow_mut().clear();
        let sql = "SELECT value FROM note WHERE name = 'clock'";
        let mut statement = self.connection.prepare_cached(sql)?;
        let text: Option<String> = statement.query_row([], |row| row.get(0)).optional()?;
        let clock = text.map_or(Ok(0), |text| text.parse());
        let clock = clock.map_err(|_| Trouble::Unreadable("the count of changes".to_owned()))?;
        self.clock.set(clock);
        self.stored_clock.set(clock);
        Ok(())
    }

    /// The next number of the count of changes: ages, marks and inbox rows are numbered by it.
    pub(crate) fn tick(&self) -> i64 {
        self.clock.set(self.clock.get() + 1);
        self.clock.get()
    }

    /// The count of changes so far.
    pub(crate) fn now(&self) -> i64 {
        self.clock.get()
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
        self.run(
            "INSERT INTO kind (system, name) VALUES (?1, ?2)",
            [&of.system, &of.name],
        )?;
        let number = self.inserted();
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
            Ok(RecordType::new(
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
            ))
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
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
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
                   ON CONFLICT (rid) DO UPDATE SET mark = excluded.mark, own = max(own, excluded.own)";
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
