//! PostgreSQL as a storage: one schema of a database, held by this process.
//!
//! Whoever holds it renews a lease ([`lease`]); whoever waits for its turn ([`turn`]) ends the session of a holder that does not.
//!
//! Architecture invariant: whoever holds the schema holds an advisory lock of the very session that runs the statements.
//! A session that is lost takes its transaction with it, and no statement of a process that lost its hold is carried out.

mod dialect;
mod lease;
mod server;
mod turn;

pub use server::Server;
pub use turn::{Turn, Turns};

use crate::Error;
use crate::contract::Worker;
use crate::db::Trouble;
use crate::schema::{self, FORM, NOW};
use crate::storage::{Column, DatabaseError, Row, Storage, Type, Value, Visitor};
use futures::executor::block_on;
use jiff::Timestamp;
use lease::Lease;
use server::Session;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::pin::Pin;
use tokio_postgres::Statement;
use tokio_postgres::types::{IsNull, ToSql, Type as Kind, to_sql_checked};

/// A session that holds a schema.
pub(crate) struct Postgres {
    session: Session,
    /// None: it is looked at, or has no tables yet.
    lease: Option<Lease>,
    /// Statements that were prepared, by their text and the types of what they are given.
    prepared: RefCell<HashMap<(String, Vec<Type>), Statement>>,
    /// How many cursors were opened.
    cursors: Cell<u64>,
}

/// How a session works. Statements find their rows by an index or read a table that is small, as they are written to: a
/// plan that was made while the tables were empty must hold once they are large. Little is sorted or hashed, and room for
/// more would be cleared with every statement. What is committed is on the disk.
const SETTINGS: &str = "
SET synchronous_commit = on;
SET enable_seqscan = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET plan_cache_mode = force_generic_plan;
SET jit = off;
SET work_mem = '64kB';
SET client_min_messages = warning;
SET tcp_keepalives_idle = 30;
SET tcp_keepalives_interval = 10;
SET tcp_keepalives_count = 3;
SET lock_timeout = '5s';
SET statement_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET idle_session_timeout = 0;
SET default_transaction_isolation = 'read committed';
";

/// So many rows of a walk are in memory.
const FETCHED: u32 = 500;

impl Postgres {
    /// Takes hold of the schema, and makes its tables where it has none.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Held`], [`Error::Older`], [`Error::Newer`], [`Error::Database`].
    pub(crate) fn open(server: &Server) -> Result<Self, Error> {
        let storage = Self::begin(server)?;
        storage.session.hold(server)?;
        if !storage.is_there(server, FORM)? {
            storage.refuse_strangers(server)?;
            let made = storage.make_tables(server);
            made.map_err(|source| Error::database("made", source))?;
        }
        storage.leased(server)
    }

    /// Takes hold of the schema, whose state has this form.
    ///
    /// # Errors
    /// As [`Postgres::open`].
    pub(crate) fn open_form(server: &Server, form: i64) -> Result<Self, Error> {
        let storage = Self::begin(server)?;
        storage.session.hold(server)?;
        storage.is_there(server, form)?;
        storage.leased(server)
    }

    /// Opens the schema to look at it, whoever holds it: each transaction sees it as it is at one moment, and changes
    /// nothing. None where it holds no state.
    ///
    /// # Errors
    /// As [`Postgres::open`].
    pub(crate) fn open_to_look(server: &Server) -> Result<Option<Self>, Error> {
        let storage = Self::begin(server)?;
        if !storage.is_there(server, FORM)? {
            return Ok(None);
        }
        let looks =
            "SET default_transaction_isolation = 'repeatable read'; SET default_transaction_read_only = on";
        let settled = storage.session.batch(looks);
        settled.map_err(|source| Error::database("opened", source))?;
        Ok(Some(storage))
    }

    /// Opens the schema, whose state has this form, to read it as it is at this moment, whoever holds it. None where it holds no
    /// state.
    ///
    /// # Errors
    /// As [`Postgres::open`].
    pub(crate) fn open_to_read(server: &Server, form: i64) -> Result<Option<Self>, Error> {
        let storage = Self::begin(server)?;
        if !storage.is_there(server, form)? {
            return Ok(None);
        }
        // Nobody puts another state in its place meanwhile.
        let moment = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; LOCK TABLE note IN ACCESS SHARE MODE";
        let begun = storage.session.batch(moment);
        begun.map_err(|source| Error::database("read", source))?;
        Ok(Some(storage))
    }

    /// Takes hold of the schema, whatever it holds.
    ///
    /// # Errors
    /// As [`Postgres::open`].
    pub(crate) fn held(server: &Server) -> Result<Self, Error> {
        let storage = Self::begin(server)?;
        storage.session.hold(server)?;
        storage.leased(server)
    }

    /// Lets `fill` make the state anew. The one that was there stays in a schema of another name, which is the answer.
    ///
    /// # Errors
    /// As [`Postgres::open`]; what `fill` answers: then everything is as it was.
    pub(crate) fn replace(
        self,
        server: &Server,
        mark: &str,
        fill: impl FnOnce(&dyn Storage) -> Result<(), Error>,
    ) -> Result<Option<String>, Error> {
        let storage = self;
        let there = match storage.is_there(server, FORM) {
            // One of another form gives way like any other, with tables that nobody knows here.
            Err(Error::Older { .. } | Error::Behind { .. } | Error::Newer { .. }) => true,
            found => {
                storage.refuse_strangers(server)?;
                found?
            }
        };
        let failed = |source| Error::database("restored", source);
        storage.session.batch("BEGIN").map_err(failed)?;
        let kept = format!("{}_replaced_{mark}", server.schema());
        if there {
            let schema = server.schema();
            let sql = format!(
                "LOCK TABLE note IN ACCESS EXCLUSIVE MODE; ALTER SCHEMA \"{schema}\" RENAME TO \"{kept}\""
            );
            storage.session.batch(&sql).map_err(failed)?;
        }
        storage.make_tables(server).map_err(failed)?;
        // Where it fails the session ends, and its transaction with it.
        fill(&storage)?;
        storage.session.batch("COMMIT").map_err(failed)?;
        Ok(there.then_some(kept))
    }

    fn begin(server: &Server) -> Result<Self, Error> {
        let session = Session::begin(server)?;
        let settled = format!("{SETTINGS} SET search_path = \"{}\";", server.schema());
        let settled = session.batch(&settled);
        settled.map_err(|source| Error::database("opened", source))?;
        Ok(Self {
            session,
            lease: None,
            prepared: RefCell::default(),
            cursors: Cell::new(0),
        })
    }

    /// The same, with a lease that is renewed from now on, where its tables are there.
    fn leased(mut self, server: &Server) -> Result<Self, Error> {
        let taken = Lease::take(&mut self.session, server);
        self.lease = taken.map_err(|source| Error::database("opened", source))?;
        Ok(self)
    }

    /// Whether the schema holds a state, of the form that is wanted.
    fn is_there(&self, server: &Server, wanted: i64) -> Result<bool, Error> {
        let table = format!("\"{}\".note", server.schema());
        let sql = "SELECT obj_description(to_regclass($1), 'pg_class')";
        let (mut found, given) = (None, [Value::Text(table.into())]);
        let read = self.read(sql, &given, &mut |row| {
            found = row.get::<Option<String>>(0)?;
            Ok(false)
        });
        read.map_err(|trouble| trouble.told("opened"))?;
        let form = found.as_deref().and_then(|text| text.strip_prefix(MARK));
        schema::is_there(form.and_then(|form| form.parse().ok()).unwrap_or(0), wanted)
    }

    /// Refuses a schema that holds anything but a state.
    fn refuse_strangers(&self, server: &Server) -> Result<(), Error> {
        let known: Vec<&str> = schema::tables().collect();
        let sql = "SELECT EXISTS (SELECT 1 FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
                   WHERE nspname = $1 AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND relname <> ALL ($2))";
        let asked = block_on(self.session.client().query_one(sql, &[&server.schema(), &known]));
        let strangers = asked.and_then(|row| row.try_get(0));
        match strangers.map_err(|source| Error::database("opened", source))? {
            true => Err(Error::Shared(server.to_string())),
            false => Ok(()),
        }
    }

    /// All of it or nothing: the server takes what comes at once for one transaction, where none is under way.
    fn make_tables(&self, server: &Server) -> Result<(), DatabaseError> {
        let schema = server.schema();
        // Whoever was given a schema need not be allowed to make one.
        self.session.batch(&format!(
            "DO $$ BEGIN IF to_regnamespace('{schema}') IS NULL THEN CREATE SCHEMA \"{schema}\"; END IF; END $$; {}",
            reshaping(NOW.tables, NOW.form)
        ))
    }

    fn prepared(&self, sql: &str, given: &[Value<'_>]) -> Result<Statement, DatabaseError> {
        let key = (sql.to_owned(), given.iter().map(Value::of).collect::<Vec<_>>());
        if let Some(statement) = self.prepared.borrow().get(&key) {
            return Ok(statement.clone());
        }
        let kinds: Vec<Kind> = key.1.iter().map(|of| kind(*of)).collect();
        let text = dialect::statement(sql);
        let statement = block_on(self.session.client().prepare_typed(&text, &kinds))?;
        self.prepared.borrow_mut().insert(key, statement.clone());
        Ok(statement)
    }
}

/// What the comment on a table of every state begins with; its form follows.
const MARK: &str = "tandem state, form ";

/// Statements that change tables and note their form.
fn reshaping(tables: &str, form: i64) -> String {
    let tables = dialect::tables(tables);
    format!("{tables}; COMMENT ON TABLE note IS '{MARK}{form}';")
}

fn kind(of: Type) -> Kind {
    match of {
        Type::Int => Kind::INT8,
        Type::Text => Kind::TEXT,
        Type::Blob => Kind::BYTEA,
    }
}

/// Values as the client takes them.
fn handed<'v>(given: &'v [Value<'_>]) -> Vec<&'v (dyn ToSql + Sync)> {
    given.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

impl Storage for Postgres {
    fn run(&self, sql: &str, given: &[Value<'_>]) -> Result<usize, DatabaseError> {
        let statement = self.prepared(sql, given)?;
        let changed = block_on(self.session.client().execute(&statement, &handed(given)))?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    fn read(&self, sql: &str, given: &[Value<'_>], visit: &mut Visitor<'_>) -> Result<(), Trouble> {
        let statement = self.prepared(sql, given)?;
        let rows = block_on(self.session.client().query(&statement, &handed(given)));
        for row in rows.map_err(DatabaseError::from)? {
            if !visit(&row)? {
                break;
            }
        }
        Ok(())
    }

    fn walk(&self, sql: &str, given: &[Value<'_>], visit: &mut Visitor<'_>) -> Result<(), Trouble> {
        self.cursors.set(self.cursors.get() + 1);
        let cursor = format!("walk_{}", self.cursors.get());
        let kinds: Vec<Kind> = given.iter().map(|value| kind(value.of())).collect();
        let text = format!(
            "DECLARE {cursor} NO SCROLL CURSOR FOR {}",
            dialect::statement(sql)
        );
        let client = self.session.client();
        let opened = block_on(async {
            let statement = client.prepare_typed(&text, &kinds).await?;
            client.execute(&statement, &handed(given)).await?;
            client.prepare(&format!("FETCH {FETCHED} FROM {cursor}")).await
        });
        let fetch = opened.map_err(DatabaseError::from)?;
        'rows: loop {
            let rows = block_on(client.query(&fetch, &[])).map_err(DatabaseError::from)?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                if !visit(&row)? {
                    break 'rows;
                }
            }
        }
        Ok(self.session.batch(&format!("CLOSE {cursor}"))?)
    }

    fn workers(&self) -> Result<Vec<Worker>, Trouble> {
        let mut all = Vec::new();
        self.read(&turn::workers(), &[], &mut |row| {
            all.push(Worker {
                name: row.get(0)?,
                works: row.get(1)?,
                since: Timestamp::from_millisecond(row.get(2)?)?,
                seen: row.get(3)?,
            });
            Ok(true)
        })?;
        Ok(all)
    }

    fn is_held(&self) -> bool {
        self.lease.as_ref().is_none_or(Lease::is_good)
    }

    fn lost(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        match &self.lease {
            Some(lease) => Box::pin(lease.over()),
            None => Box::pin(std::future::pending()),
        }
    }

    fn reshape(&self, tables: &str, form: i64) -> Result<(), DatabaseError> {
        self.session.batch(&reshaping(tables, form))
    }

    fn roll_back(&self) {
        // A session that is lost takes its transaction with it.
        let _lost = self.session.batch("ROLLBACK");
    }

    fn bytes(&self) -> Result<u64, Trouble> {
        let sql = "SELECT CAST(coalesce(sum(pg_total_relation_size(pg_class.oid)), 0) AS BIGINT)
                   FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
                   WHERE nspname = current_schema() AND relkind = 'r'";
        let mut bytes = 0_i64;
        self.read(sql, &[], &mut |row| {
            bytes = row.get(0)?;
            Ok(false)
        })?;
        Ok(bytes.cast_unsigned())
    }

    fn rewrite(&self) -> Result<(), DatabaseError> {
        schema::tables().try_for_each(|table| self.session.batch(&format!("VACUUM (FULL) {table}")))
    }
}

impl Row for tokio_postgres::Row {
    fn column(&self, place: usize) -> Option<Column<'_>> {
        let of = self.columns().get(place)?.type_();
        let int = |number: Option<i64>| number.map_or(Column::Null, Column::Int);
        Some(match *of {
            Kind::INT8 => int(self.try_get(place).ok()?),
            Kind::INT4 => int(self.try_get::<_, Option<i32>>(place).ok()?.map(i64::from)),
            Kind::BOOL => int(self.try_get::<_, Option<bool>>(place).ok()?.map(i64::from)),
            Kind::TEXT | Kind::NAME => {
                let text: Option<&str> = self.try_get(place).ok()?;
                text.map_or(Column::Null, Column::Text)
            }
            Kind::BYTEA => {
                let bytes: Option<&[u8]> = self.try_get(place).ok()?;
                bytes.map_or(Column::Null, Column::Blob)
            }
            _ => return None,
        })
    }
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        of: &Kind,
        out: &mut bytes::BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null(_) => Ok(IsNull::Yes),
            Self::Int(number) => number.to_sql(of, out),
            Self::Text(text) => (&**text).to_sql(of, out),
            Self::Blob(bytes) => (&**bytes).to_sql(of, out),
        }
    }

    fn accepts(of: &Kind) -> bool {
        [Kind::INT8, Kind::TEXT, Kind::BYTEA].contains(of)
    }

    to_sql_checked!();
}

impl From<tokio_postgres::Error> for DatabaseError {
    fn from(failed: tokio_postgres::Error) -> Self {
        // What stands in a row is no part of it: a detail may quote values.
        match failed.as_db_error() {
            Some(said) => Self::Postgres {
                message: said.message().to_owned(),
                code: Some(said.code().code().to_owned()),
                constraint: said.constraint().map(str::to_owned),
            },
            None => Self::Postgres {
                message: server::whole(&failed),
                code: is_cut(&failed).then(|| CUT.to_owned()),
                constraint: None,
            },
        }
    }
}

/// The word for a line that was cut.
const CUT: &str = "08006";

fn is_cut(failed: &tokio_postgres::Error) -> bool {
    let source = std::error::Error::source(failed);
    failed.is_closed() || source.is_some_and(|source| source.is::<std::io::Error>())
}

/// What a failure means for people, where it is of a kind that is known.
pub(crate) fn told(doing: &'static str, code: Option<&str>) -> Option<Error> {
    match code? {
        "53100" => Some(Error::Full(doing)),
        "25006" => Some(Error::ReadOnly(doing)),
        // The session was ended, by a worker that took the state over, an administrator, or a server that stops.
        CUT | "57P01" | "57P02" | "57P03" => Some(Error::Lost(doing)),
        "XX001" | "XX002" => Some(Error::Corrupt(
            "the server says that a table or an index is".to_owned(),
        )),
        _ => None,
    }
}
