//! SQLite: a file.

use super::{CONTACTS, config, used, words};
use crate::scene::{Line, Scene, one, plain_client};
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::Arc;
use tandem_connector::sql::Sql;
use tandem_connector::{Connector, ErrorKind, Outcome};
use url::Url;

const TABLES: &str = "
PRAGMA journal_mode = WAL;
CREATE TABLE contacts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    last_name VARCHAR(80) NOT NULL CHECK (length(last_name) <= 80),
    email VARCHAR(80), phone VARCHAR(40), description TEXT, birthdate DATE, external_id TEXT UNIQUE,
    reports_to INTEGER REFERENCES contacts,
    version INTEGER NOT NULL DEFAULT 1,
    modified DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    created DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    modified_by TEXT NOT NULL DEFAULT 'somebody',
    deleted BOOLEAN NOT NULL DEFAULT 0
);
CREATE INDEX contacts_modified ON contacts (modified, id);
CREATE TRIGGER contacts_changed AFTER UPDATE ON contacts WHEN NEW.modified IS OLD.modified BEGIN
    UPDATE contacts SET version = OLD.version + 1, modified = strftime('%Y-%m-%d %H:%M:%f', 'now') WHERE id = NEW.id;
END;";

fn connect(url: &Url, _: &str) -> Box<dyn Connector> {
    let mut config = config(&format!("sqlite:{}", url.path()), CONTACTS);
    config.fields = used();
    Box::new(Sql::connect(config).unwrap())
}

pub(crate) async fn scene() -> Scene {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let path: PathBuf = folder.path().join("erp.db");
    Connection::open(&path).unwrap().execute_batch(TABLES).unwrap();
    let url: Url = format!("sqlite:{}", path.display()).parse().unwrap();
    let aged = path.clone();
    Scene {
        words: words("none"),
        ours: connect(&url, "tandem"),
        person: connect(&url, "alice"),
        connect,
        http: plain_client(),
        aging: Some(Box::new(move |seconds| {
            let sql = format!(
                "UPDATE contacts SET modified = strftime('%Y-%m-%d %H:%M:%f', modified, '-{seconds} seconds'),
                 created = strftime('%Y-%m-%d %H:%M:%f', created, '-{seconds} seconds')"
            );
            Connection::open(&aged).unwrap().execute_batch(&sql).unwrap();
            Box::pin(std::future::ready(()))
        })),
        line: Line::File,
        repeats: false,
        url,
        _server: Box::new(folder),
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nowhere.db");
    let url: Url = format!("sqlite:{}", path.display()).parse().unwrap();
    let scene = scene().await;
    let erp = connect(&url, "tandem");
    let error = erp.identify().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Down);
    assert!(error.to_string().contains("nowhere.db"), "{error}");
    let outcome = one(erp.as_ref(), scene.create(1, scene.named("Never"))).await;
    assert!(matches!(outcome, Outcome::NotSent(_)), "{outcome:?}");
    assert!(!path.exists());
}
