//! SQLite: a file.

mod catalogue;
mod line;

use super::SqlConfig;
use super::catalogue::Relation;
use super::description::TableName;
use super::driver::{Dialect, Driver, Rows, Statement, Transaction, Trouble};
use async_trait::async_trait;
use jiff::Timestamp;
use line::{Files, Held};
use std::path::PathBuf;
use std::sync::Arc;

/// A SQLite database.
pub(super) struct Sqlite {
    files: Arc<Files>,
}

impl Sqlite {
    /// Makes ready; nothing is opened yet.
    pub(super) fn new(config: &SqlConfig, path: &str) -> Self {
        Self {
            files: Arc::new(Files::new(
                PathBuf::from(path),
                config.request_deadline,
                config.read_only,
            )),
        }
    }
}

#[async_trait]
impl Driver for Sqlite {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    async fn identify(&self) -> Result<[String; 3], Trouble> {
        self.files.take().await?.give_back();
        // A file has no number of its own: it is known by where it lies.
        let path = self.files.whole_path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        Ok([
            format!("sqlite:{}", path.display()),
            name.unwrap_or_default(),
            String::new(),
        ])
    }

    async fn relation(&self, table: &TableName) -> Result<Option<Relation>, Trouble> {
        let mut held = self.files.take().await?;
        let table = table.clone();
        let found = held
            .with(move |connection| catalogue::relation(connection, &table))
            .await;
        held.give_back();
        found
    }

    async fn now(&self) -> Result<Timestamp, Trouble> {
        // It has no clock but that of the machine.
        Ok(crate::http::clock::now())
    }

    async fn read(&self, statement: &Statement) -> Result<Rows, Trouble> {
        let mut held = self.files.take().await?;
        let rows = held.rows(statement).await;
        held.give_back();
        rows
    }

    async fn begin(&self) -> Result<Box<dyn Transaction>, Trouble> {
        let mut held = self.files.take().await?;
        // One writer at a time: what is read within stands until the end.
        held.batch("BEGIN IMMEDIATE").await?;
        Ok(Box::new(Running { held: Some(held) }))
    }

    async fn told(&self, _: &str) {
        std::future::pending().await
    }

    fn calls(&self) -> u64 {
        self.files.calls()
    }
}

/// A transaction under way. Where it is dropped, its connection is closed, which rolls it back.
struct Running {
    held: Option<Held>,
}

impl Running {
    fn held(&mut self) -> Result<&mut Held, Trouble> {
        let ended = || Trouble::Lost("the transaction has ended".to_owned());
        self.held.as_mut().ok_or_else(ended)
    }
}

#[async_trait]
impl Transaction for Running {
    async fn rows(&mut self, statement: &Statement) -> Result<Rows, Trouble> {
        self.held()?.rows(statement).await
    }

    async fn change(&mut self, statement: &Statement) -> Result<u64, Trouble> {
        self.held()?.change(statement).await
    }

    async fn batch(&mut self, sql: &'static str) -> Result<(), Trouble> {
        self.held()?.batch(sql).await
    }

    async fn last_id(&mut self) -> Result<i64, Trouble> {
        self.held()?
            .with(|connection| Ok(connection.last_insert_rowid()))
            .await
    }

    async fn commit(mut self: Box<Self>) -> Result<(), Trouble> {
        self.held()?.batch("COMMIT").await?;
        if let Some(held) = self.held.take() {
            held.give_back();
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            held.roll_back();
        }
    }
}
