//! PostgreSQL.

mod catalogue;
mod codec;
mod line;
mod listen;
mod trouble;

use super::SqlConfig;
use super::catalogue::Relation;
use super::description::TableName;
use super::driver::{Dialect, Driver, Rows, Statement, Transaction, Trouble};
use super::value::Cell;
use async_trait::async_trait;
use jiff::Timestamp;
use line::{Held, Lines};
use std::sync::Arc;

/// A PostgreSQL database.
pub(super) struct Postgres {
    lines: Arc<Lines>,
}

impl Postgres {
    /// Makes ready; nothing is sent yet.
    pub(super) fn new(config: &SqlConfig) -> Result<Self, String> {
        Ok(Self {
            lines: Arc::new(Lines::new(config)?),
        })
    }

    async fn cells(&self, sql: &str) -> Result<Vec<Cell>, Trouble> {
        let statement = Statement {
            sql: sql.to_owned(),
            ..Statement::default()
        };
        Ok(self.read(&statement).await?.cells)
    }
}

#[async_trait]
impl Driver for Postgres {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    async fn identify(&self) -> Result<[String; 3], Trouble> {
        let who = "SELECT current_database()::text, current_user::text, oid::text FROM pg_database
                   WHERE datname = current_database()";
        let who: Vec<String> = self.cells(who).await?.iter().map(super::value::text).collect();
        let [database, user, oid] = who.as_slice() else {
            return Err(Trouble::Lost("it does not say which database it is".to_owned()));
        };
        // Not everybody may ask for the number that a cluster of databases was given when it was made.
        let cluster = self
            .cells("SELECT system_identifier::text FROM pg_control_system()")
            .await;
        let cluster = match cluster {
            Ok(cells) => cells.first().map(super::value::text).unwrap_or_default(),
            Err(Trouble::Said(_)) => "unknown".to_owned(),
            Err(trouble) => return Err(trouble),
        };
        Ok([
            format!("postgres:{cluster}:{oid}:{database}"),
            database.clone(),
            user.clone(),
        ])
    }

    async fn relations(&self, tables: &[TableName]) -> Result<Vec<Option<Relation>>, Trouble> {
        let mut all = Vec::with_capacity(tables.len());
        for table in tables {
            all.push(catalogue::relation(self, table).await?);
        }
        Ok(all)
    }

    async fn now(&self) -> Result<Timestamp, Trouble> {
        match self.cells("SELECT clock_timestamp()").await?.first() {
            Some(Cell::Moment(at)) => Ok(*at),
            _ => Err(Trouble::Lost("it does not say what time it is".to_owned())),
        }
    }

    async fn read(&self, statement: &Statement) -> Result<Rows, Trouble> {
        let (mut line, fresh) = self.lines.take().await?;
        match line.rows(statement).await {
            // A connection that nobody used for a while may be gone: what only reads is asked again.
            Err(Trouble::Lost(_)) if !fresh => {
                drop(line);
                let mut line = self.lines.open().await?;
                let rows = line.rows(statement).await?;
                line.give_back();
                Ok(rows)
            }
            // Whether the end of what was asked is still to come is not known.
            Err(Trouble::Lost(why)) => Err(Trouble::Lost(why)),
            answer => {
                line.give_back();
                answer
            }
        }
    }

    async fn begin(&self) -> Result<Box<dyn Transaction>, Trouble> {
        let (mut line, fresh) = self.lines.take().await?;
        match line.batch("BEGIN").await {
            Ok(()) => {}
            Err(Trouble::Lost(_)) if !fresh => {
                drop(line);
                line = self.lines.open().await?;
                line.batch("BEGIN").await?;
            }
            Err(trouble) => return Err(trouble),
        }
        Ok(Box::new(Running { line: Some(line) }))
    }

    async fn told(&self, channel: &str) {
        self.lines.told(channel).await;
    }

    fn calls(&self) -> u64 {
        self.lines.calls()
    }
}

/// A transaction under way. Where it is dropped, its connection is closed, which rolls it back.
struct Running {
    line: Option<Held>,
}

impl Running {
    fn line(&mut self) -> Result<&mut Held, Trouble> {
        let ended = || Trouble::Lost("the transaction has ended".to_owned());
        self.line.as_mut().ok_or_else(ended)
    }
}

#[async_trait]
impl Transaction for Running {
    async fn rows(&mut self, statement: &Statement) -> Result<Rows, Trouble> {
        self.line()?.rows(statement).await
    }

    async fn change(&mut self, statement: &Statement) -> Result<u64, Trouble> {
        self.line()?.change(statement).await
    }

    async fn last_id(&mut self) -> Result<i64, Trouble> {
        Err(Trouble::Lost("PostgreSQL answers with the key itself".to_owned()))
    }

    async fn commit(mut self: Box<Self>) -> Result<(), Trouble> {
        self.line()?.batch("COMMIT").await?;
        if let Some(line) = self.line.take() {
            line.give_back();
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            line.roll_back();
        }
    }
}
