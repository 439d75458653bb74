//! A database with a few tables, on either side of the file.

use super::{config, mysql, postgres};
use futures::future::BoxFuture;
use mysql_async::prelude::Queryable;
use rusqlite::Connection;
use std::any::Any;
use std::sync::Arc;
use tandem_connector::sql::{Dialect, Sql, SqlConfig};
use tokio::sync::Mutex;

/// A database, and a hand that changes it.
pub(super) struct Stage {
    pub(super) dialect: Dialect,
    url: String,
    hand: Box<dyn Fn(String) -> BoxFuture<'static, ()> + Send + Sync>,
    _keeps: Box<dyn Any + Send + Sync>,
}

impl Stage {
    pub(super) async fn sqlite(tables: &str) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let path = folder.path().join("erp.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL").unwrap();
        connection.execute_batch(tables).unwrap();
        Self {
            dialect: Dialect::Sqlite,
            url: format!("sqlite:{}", path.display()),
            hand: Box::new(move |sql| {
                Connection::open(&path).unwrap().execute_batch(&sql).unwrap();
                Box::pin(std::future::ready(()))
            }),
            _keeps: Box::new(folder),
        }
    }

    pub(super) async fn postgres(tables: &str) -> Self {
        let (url, client) = postgres::database(tables).await;
        let client = Arc::new(client);
        Self {
            dialect: Dialect::Postgres,
            url: postgres::address(&url) + "&user=tandem",
            hand: Box::new(move |sql| {
                let client = Arc::clone(&client);
                Box::pin(async move { client.batch_execute(&sql).await.unwrap() })
            }),
            _keeps: Box::new(()),
        }
    }

    pub(super) async fn mariadb(tables: &str) -> Self {
        let (url, conn) = mysql::database(tables).await;
        let conn = Arc::new(Mutex::new(conn));
        Self {
            dialect: Dialect::Mysql,
            url: mysql::as_root(&url),
            hand: Box::new(move |sql| {
                let conn = Arc::clone(&conn);
                Box::pin(async move { conn.lock().await.query_drop(sql).await.unwrap() })
            }),
            _keeps: Box::new(()),
        }
    }

    /// Somebody else runs statements.
    pub(super) async fn run(&self, sql: &str) {
        (self.hand)(sql.to_owned()).await;
    }

    pub(super) fn config(&self, description: &str) -> SqlConfig {
        config(&self.url, description)
    }

    pub(super) fn erp(&self, description: &str) -> Sql {
        Sql::connect(self.config(description)).unwrap()
    }
}
