//! A folder with a configuration and SQLite databases, as whoever keeps two databases in step has it.

use crate::local::{Ran, run_in};
use rusqlite::Connection;
use std::path::PathBuf;

pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    /// A folder with these files and databases, each by its name.
    pub(crate) fn with(files: &[(&str, &str)], databases: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            let path = folder.path(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        for (name, statements) in databases {
            folder.sql(name, statements);
        }
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn sql(&self, database: &str, statements: &str) {
        let connection = Connection::open(self.path(database)).unwrap();
        connection.execute_batch(statements).unwrap();
    }

    /// The rows of a query, its columns joined by a bar.
    pub(crate) fn rows(&self, database: &str, query: &str) -> Vec<String> {
        let connection = Connection::open(self.path(database)).unwrap();
        let mut statement = connection.prepare(query).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let cells = (0..columns).map(|at| row.get::<_, rusqlite::types::Value>(at));
            let cells = cells.map(|cell| {
                cell.map(|cell| match cell {
                    rusqlite::types::Value::Null => String::new(),
                    rusqlite::types::Value::Integer(number) => number.to_string(),
                    rusqlite::types::Value::Real(number) => format!("{number:.2}"),
                    rusqlite::types::Value::Text(text) => text,
                    rusqlite::types::Value::Blob(_) => "blob".to_owned(),
                })
            });
            Ok(cells.collect::<Result<Vec<_>, _>>()?.join("|"))
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    pub(crate) fn edit(&self, file: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path(file)).unwrap();
        assert!(text.contains(from), "{from}: {text}");
        std::fs::write(self.path(file), text.replacen(from, to, 1)).unwrap();
    }

    /// A run that ends with this code.
    #[track_caller]
    pub(crate) fn ran(&self, code: i32, arguments: &[&str]) -> Ran {
        let ran = run_in(self.0.path(), arguments);
        assert_eq!(ran.code, Some(code), "{arguments:?}: {}{}", ran.out, ran.err);
        ran
    }
}
