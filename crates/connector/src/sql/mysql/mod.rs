//! MySQL and MariaDB.

mod catalogue;
mod codec;
mod line;
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

/// A database of MySQL or MariaDB.
pub(super) struct Mysql {
    pool: Arc<Pool<Server>>,
}

impl Mysql {
    /// Makes ready; nothing is sent yet.
    pub(super) fn new(config: &SqlConfig) -> Result<Self, String> {
        Ok(Self {
            pool: Pool::new(Server::new(config)?),
        })
    }

    async fn texts(&self, sql: &str) -> Result<Vec<String>, Trouble> {
        Ok(self.cells(sql).await?.iter().map(text).collect())
    }
}

#[async_trait]
impl Driver for Mysql {
    fn dialect(&self) -> Dialect {
        Dialect::Mysql
    }

    async fn identify(&self) -> Result<[String; 3], Trouble> {
        let who = self
            .texts("SELECT COALESCE(DATABASE(), ''), CURRENT_USER()")
            .await?;
        let [database, user] = who.as_slice() else {
            return Err(Trouble::Lost("it does not say which database it is".to_owned()));
        };
        // MariaDB has no such number.
        let server = match self.texts("SELECT @@server_uuid").await {
            Ok(id) => id,
            Err(Trouble::Said(_)) => self.texts("SELECT CONCAT(@@hostname, ':', @@port)").await?,
            Err(trouble) => return Err(trouble),
        };
        let server = server.into_iter().next().unwrap_or_default();
        Ok([
            format!("mysql:{server}:{database}"),
            database.clone(),
            user.clone(),
        ])
    }

    async fn relation(&self, table: &TableName) -> Result<Option<Relation>, Trouble> {
        catalogue::relation(self, table).await
    }

    async fn now(&self) -> Result<Timestamp, Trouble> {
        let at = match self.cells("SELECT UTC_TIMESTAMP(6)").await?.first() {
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
