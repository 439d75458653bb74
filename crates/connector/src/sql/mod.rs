//! The connector to an ERP's SQL database, by description: PostgreSQL, MySQL or MariaDB, SQL Server, SQLite.
//!
//! What a database needs of its own stands behind a small trait (`driver`); descriptions, statements, cursors and values
//! are the same for all. Records are read in bounded pages by their keys, never by counting rows, so a row that goes away
//! between two pages hides no other. Every write is a transaction that looks at the row before it changes it.

mod ahead;
mod calls;
mod catalogue;
mod changes;
mod checks;
mod comparison;
mod create;
mod description;
mod driver;
mod given;
mod joined;
mod mssql;
mod mysql;
mod pool;
mod postgres;
mod reading;
mod refusal;
mod row;
mod schema;
mod seen;
mod shape;
mod sqlite;
mod statement;
mod table;
mod time;
mod tls;
mod told;
mod triggers;
mod value;
mod words;
mod write;
mod written;

pub use description::{Description, schema};
pub use driver::Dialect;
pub use seen::{SeenColumn, SeenTable};
pub use triggers::triggers;

use crate::listing::Listings;
use crate::{
    Capabilities, ChangePage, ClockOffset, Connector, Error, ErrorKind, Identification, Lane, ListPage,
    Outcome, Probe, Probed, Protection, Resumed, Schema, Scope, Write,
};
use async_trait::async_trait;
use driver::{Class, Driver, Trouble};
use futures::stream::{self, StreamExt};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use table::Table;
use tandem_merge::computed::Computation;
use tandem_merge::record::{Observation, RecordType};
use tandem_merge::value::Value;
use tokio::sync::RwLock;

/// The most values in one look-up, and the most keys in one read.
const AT_ONCE: usize = 1_000;
/// Writes that travel at once.
const CONCURRENCY: usize = 4;

/// How to reach an ERP's database, and what of it is used.
#[derive(Clone)]
pub struct SqlConfig {
    /// The system's name in the configuration.
    pub name: String,
    /// Its address: `postgres://host/database`, `mysql://host/database`, `mssql://host/database`, or `sqlite:PATH`.
    pub url: String,
    /// The user; none: as the address says.
    pub user: Option<SecretString>,
    /// The password; none: as the address says.
    pub password: Option<SecretString>,
    /// The certificates (PEM) of the authority that vouches for the server; none: the machine's own.
    pub certificate_authority: Option<Vec<u8>>,
    /// How the database is read and written.
    pub description: Description,
    /// The longest time a statement may still take effect.
    pub request_deadline: SignedDuration,
    /// How much of the past every round of changes reads again: no transaction may stay open for longer.
    pub overlap: SignedDuration,
    /// Nothing is ever written.
    pub read_only: bool,
    /// The properties of each record type that are used; a type that is not named shows all it has.
    pub fields: BTreeMap<String, Vec<String>>,
    /// Properties that are computed out of those it has, by record type and name.
    pub computed: BTreeMap<String, BTreeMap<String, Computation>>,
}

/// Without the address, which may hold a password.
impl std::fmt::Debug for SqlConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqlConfig")
            .field("name", &self.name)
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}

/// A connection to an ERP's database.
pub struct Sql {
    config: SqlConfig,
    driver: Arc<dyn Driver>,
    capabilities: Capabilities,
    tables: RwLock<Option<Arc<Tables>>>,
    listings: Listings,
    clock: Mutex<time::Clock>,
    moments: Mutex<time::Moments>,
    ahead: ahead::Ahead,
    scans: Mutex<comparison::Scans>,
    /// When this began, by our clock.
    started: Timestamp,
}

/// The record types that the database has, and why it lacks the others.
#[derive(Default)]
struct Tables {
    served: BTreeMap<String, Arc<Table>>,
    missing: BTreeMap<String, String>,
}

impl std::fmt::Debug for Sql {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sql")
            .field("name", &self.config.name)
            .finish_non_exhaustive()
    }
}

/// A row is locked, compared with what was seen, and changed before anybody else can.
const LOCKED: Protection = Protection {
    conditional_write: true,
    conditional_delete: true,
    idempotent_create: false,
    compares: false,
};

/// What protects the records of a type. A procedure that may end the transaction gives up the lock before it is done.
fn protection(of: &description::Record, dialect: Dialect) -> Protection {
    let held = |call: &Option<description::Call>| call.is_none() || !calls::may_commit(dialect);
    let (updates, deletes) = (held(&of.calls.update), held(&of.calls.delete));
    Protection {
        conditional_write: updates,
        conditional_delete: updates && deletes,
        compares: !updates || !deletes,
        ..LOCKED
    }
}

impl Sql {
    /// Makes the connector ready; nothing is sent yet.
    ///
    /// # Errors
    /// The address is of no database that is known, or the certificates cannot be read.
    pub fn connect(config: SqlConfig) -> Result<Self, Error> {
        let refused = |message: String| Error {
            system: config.name.clone(),
            kind: ErrorKind::Missing,
            message,
            advice: "Correct the connection in the configuration".to_owned(),
            retry_at: None,
            scope: Scope::System,
        };
        let scheme = config.url.split(':').next().unwrap_or_default();
        let driver: Arc<dyn Driver> = match scheme {
            "postgres" | "postgresql" => Arc::new(postgres::Postgres::new(&config).map_err(refused)?),
            "mysql" | "mariadb" => Arc::new(mysql::Mysql::new(&config).map_err(refused)?),
            "mssql" | "sqlserver" => Arc::new(mssql::Mssql::new(&config).map_err(refused)?),
            "sqlite" => {
                let path = config.url.trim_start_matches("sqlite:");
                Arc::new(sqlite::Sqlite::new(
                    &config,
                    path.strip_prefix("//").unwrap_or(path),
                ))
            }
            other => {
                let known = "write postgres://host/database, mysql://host/database, mssql://host/database or sqlite:PATH";
                return Err(refused(format!(
                    "`{other}` is no kind of database that is known: {known}"
                )));
            }
        };
        let records = config.description.records.iter();
        let of_types = records.map(|(name, of)| (name.clone(), protection(of, driver.dialect())));
        let capabilities = Capabilities {
            usual: LOCKED,
            of_types: of_types.filter(|(_, of)| *of != LOCKED).collect(),
            idempotency_life: SignedDuration::MAX,
            request_deadline: config.request_deadline,
            // What is committed is shown by every read that begins after it.
            commit_delay: config.overlap.max(config.request_deadline),
            write_batch: 200,
            find_batch: AT_ONCE,
            fetch_batch: AT_ONCE * 5,
            answers_with_state: true,
            load: None,
            asks_by_type: false,
        };
        Ok(Self {
            config,
            driver,
            capabilities,
            tables: RwLock::new(None),
            listings: Listings::default(),
            clock: Mutex::default(),
            moments: Mutex::default(),
            ahead: ahead::Ahead::default(),
            scans: Mutex::default(),
            started: crate::http::clock::now(),
        })
    }

    /// What is read again of the past: no less than the time in which a write may still take effect.
    fn overlap(&self) -> SignedDuration {
        self.config.overlap.max(self.config.request_deadline)
    }

    /// The record types as they were described last.
    async fn tables(&self) -> Result<Arc<Tables>, Error> {
        if let Some(tables) = self.tables.read().await.as_ref() {
            return Ok(Arc::clone(tables));
        }
        let mut slot = self.tables.write().await;
        if let Some(tables) = slot.as_ref() {
            return Ok(Arc::clone(tables));
        }
        let tables = self.ask().await?;
        *slot = Some(Arc::clone(&tables));
        Ok(tables)
    }

    async fn table(&self, of: &RecordType) -> Result<Arc<Table>, Error> {
        let tables = self.tables().await?;
        tables.served.get(&of.name).cloned().ok_or_else(|| {
            let unknown = || format!("the description has no record type {}", of.name);
            let sentence = tables.missing.get(&of.name).cloned().unwrap_or_else(unknown);
            self.error(
                ErrorKind::Missing,
                sentence,
                "Correct the description",
                Scope::System,
            )
        })
    }

    fn error(&self, kind: ErrorKind, message: impl Into<String>, advice: &str, scope: Scope) -> Error {
        Error {
            system: self.config.name.clone(),
            kind,
            message: message.into(),
            advice: advice.to_owned(),
            retry_at: None,
            scope,
        }
    }

    /// Why the database could not be asked.
    fn trouble(&self, trouble: Trouble) -> Error {
        let again = "It is tried again by itself; if it lasts, look whether the database runs and is reached";
        match trouble {
            Trouble::Away(kind, message) => {
                let advice = match kind {
                    ErrorKind::SignIn => "Check user and password in the configuration",
                    ErrorKind::Missing => "Correct the address in the configuration",
                    _ => again,
                };
                self.error(kind, message, advice, Scope::System)
            }
            Trouble::Lost(message) => self.error(ErrorKind::Down, message, again, Scope::Silence),
            Trouble::Said(said) => {
                let (kind, advice, scope) = match said.class {
                    Class::Forbidden => (
                        ErrorKind::Refused,
                        "Let a database administrator grant Tandem's user the right to do this",
                        Scope::Answer,
                    ),
                    Class::Missing => (
                        ErrorKind::Missing,
                        "Correct the description, or have the table mended",
                        Scope::System,
                    ),
                    Class::Busy | Class::System | Class::Limit => (ErrorKind::Down, again, Scope::Answer),
                    _ => (
                        ErrorKind::Protocol,
                        "Let a database administrator look why it answers so",
                        Scope::Answer,
                    ),
                };
                let message = format!("the database answers {}", said.message.trim_end_matches('.'));
                self.error(kind, message, advice, scope)
            }
        }
    }
}

impl Sql {
    /// What the database says of its version; none where it says nothing.
    async fn version(&self) -> Option<String> {
        let dialect = self.driver.dialect();
        let (name, asked) = match dialect {
            driver::Dialect::Postgres => ("", "SELECT version()"),
            driver::Dialect::Mysql => ("MySQL ", "SELECT version()"),
            driver::Dialect::Sqlite => ("SQLite ", "SELECT sqlite_version()"),
            // It tells at the log-in, and has not been tried otherwise.
            driver::Dialect::Mssql => return None,
        };
        let asked = statement::Build::new(dialect, asked).done(vec![catalogue::Kind::Text]);
        let rows = self.read(&asked).await.ok()?;
        let said = rows.cells.first().map(value::text)?;
        // What follows tells of the machine.
        let said = said.split(" on ").next().unwrap_or_default();
        Some(format!("{name}{said}"))
    }
}

#[async_trait]
impl Connector for Sql {
    fn system(&self) -> &str {
        &self.config.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn identify(&self) -> Result<Identification, Error> {
        let said = self.driver.identify().await;
        let [id, name, user] = said.map_err(|trouble| self.trouble(trouble))?;
        Ok(Identification {
            id,
            name,
            author: Some(user.clone()).filter(|user| !user.is_empty()),
            user,
            sandbox: None,
            instance: None,
            version: self.version().await,
        })
    }

    async fn describe(&self) -> Result<Schema, Error> {
        let tables = self.ask().await?;
        *self.tables.write().await = Some(Arc::clone(&tables));
        let types = tables.served.iter().map(|(name, table)| {
            let mut of = table.schema.clone();
            let computed = self.config.computed.get(name).into_iter().flatten();
            of.properties
                .extend(computed.map(|(name, rule)| (name.clone(), crate::shown::described(rule))));
            (name.clone(), of)
        });
        Ok(Schema {
            types: types.collect(),
            missing: tables.missing.clone(),
        })
    }

    async fn changes(&self, types: &[RecordType], cursor: Option<&[u8]>) -> Result<ChangePage, Error> {
        changes::page(self, types, cursor).await
    }

    async fn changed(&self) {
        match &self.config.description.channel {
            Some(channel) => self.driver.told(channel).await,
            None => std::future::pending().await,
        }
    }

    async fn list(&self, record_type: &RecordType, resume: Option<&[u8]>) -> Result<ListPage, Error> {
        reading::list(self, record_type, resume).await
    }

    async fn fetch(&self, record_type: &RecordType, ids: &[String]) -> Result<Vec<Observation>, Error> {
        reading::fetch(self, record_type, ids).await
    }

    async fn find(
        &self,
        record_type: &RecordType,
        properties: &[String],
        values: &[Vec<Value>],
    ) -> Result<Vec<Observation>, Error> {
        reading::find(self, record_type, properties, values).await
    }

    async fn write(&self, batch: &[Write], _lane: Lane) -> Vec<Outcome> {
        let writes: Vec<_> = batch.iter().map(|write| write::carry_out(self, write)).collect();
        stream::iter(writes).buffered(CONCURRENCY).collect().await
    }

    async fn resume(&self, _handle: &str) -> Result<Resumed, Error> {
        // Nothing is ever accepted for later.
        Ok(Resumed::Done(Vec::new()))
    }

    async fn probe(&self, probe: Probe<'_>) -> Result<Option<Probed>, Error> {
        let Probe::Shape(of) = probe else {
            return Ok(None);
        };
        let table = self.table(of).await?;
        let shape = shape::shape(&table, self.config.description.names_zone);
        Ok(Some(Probed::Shape(shape)))
    }

    fn calls(&self) -> u64 {
        self.driver.calls()
    }

    fn clock_offset(&self) -> Option<ClockOffset> {
        self.clock_known()
    }
}
