//! SQL Server.

mod catalogue;
mod codec;
mod line;
mod shake;
mod trouble;

use super::SqlConfig;
use super::catalogue::Relation;
use super::description::TableName;
use super::driver::{Dialect, Driver, Rows, Statement, Transaction, Trouble};
use super::pool::Pool;
use super::value::{Cell, text};
use async_trait::async_trait;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use line::Server;
use std::sync::Arc;

/// A database of SQL Server.
pub(super) struct Mssql {
    pool: Arc<Pool<Server>>,
}

impl Mssql {
    /// Makes ready; nothing is sent yet.
    pub(super) fn new(config: &SqlConfig) -> Result<Self, String> {
        Ok(Self {
            pool: Pool::new(Server::new(config)?),
        })
    }
}

#[async_trait]
impl Driver for Mssql {
    fn dialect(&self) -> Dialect {
        Dialect::Mssql
    }

    async fn identify(&self) -> Result<[String; 3], Trouble> {
        let who = "SELECT DB_NAME(), SUSER_SNAME(), LOWER(CAST(d.service_broker_guid AS nvarchar(36)))
                   FROM sys.databases d WHERE d.database_id = DB_ID()";
        let who: Vec<String> = self.cells(who).await?.iter().map(text).collect();
        let [database, user, id] = who.as_slice() else {
            return Err(Trouble::Lost("it does not say which database it is".to_owned()));
        };
        Ok([format!("mssql:{id}:{database}"), database.clone(), user.clone()])
    }

    async fn relation(&self, table: &TableName) -> Result<Option<Relation>, Trouble> {
        catalogue::relation(self, table).await
    }

    async fn now(&self) -> Result<Timestamp, Trouble> {
        let at = match self.cells("SELECT SYSUTCDATETIME()").await?.first() {
            Some(Cell::Civil(at)) => TimeZone::UTC.to_timestamp(*at).ok(),
            _ => None,
        };
        at.ok_or_else(|| Trouble::Lost("it does not say what time it is".to_owned()))
    }

    async fn read(&self, statement: &Statement) -> Result<Rows, Trouble> {
        self.pool.read(statement).await
    }

    async fn begin(&self) -> Result<Box<dyn Transaction>, Trouble> {
        self.pool.begin().await
    }

    async fn told(&self, _: &str) {
        std::future::pending().await
    }

    fn calls(&self) -> u64 {
        self.pool.calls()
    }
}
