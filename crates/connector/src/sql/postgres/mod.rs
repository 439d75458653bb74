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
use super::pool::Pool;
use super::value::Cell;
use async_trait::async_trait;
use jiff::Timestamp;
use line::Server;
use std::sync::Arc;

/// A PostgreSQL database.
pub(super) struct Postgres {
    pool: Arc<Pool<Server>>,
}

impl Postgres {
    /// Makes ready; nothing is sent yet.
    pub(super) fn new(config: &SqlConfig) -> Result<Self, String> {
        Ok(Self {
            pool: Pool::new(Server::new(config)?),
        })
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

    async fn relation(&self, table: &TableName) -> Result<Option<Relation>, Trouble> {
        catalogue::relation(self, table).await
    }

    async fn now(&self) -> Result<Timestamp, Trouble> {
        match self.cells("SELECT clock_timestamp()").await?.first() {
            Some(Cell::Moment(at)) => Ok(*at),
            _ => Err(Trouble::Lost("it does not say what time it is".to_owned())),
        }
    }

    async fn read(&self, statement: &Statement) -> Result<Rows, Trouble> {
        self.pool.read(statement).await
    }

    async fn begin(&self) -> Result<Box<dyn Transaction>, Trouble> {
        self.pool.begin().await
    }

    async fn told(&self, channel: &str) {
        line::told(&self.pool, channel).await;
    }

    fn calls(&self) -> u64 {
        self.pool.calls()
    }
}
