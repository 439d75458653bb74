//! Faults for tests: a unit of work is cut off at a chosen statement.

use crate::db::Trouble;
use crate::folder::DATABASE;
use std::path::PathBuf;

/// What happens at the n-th statement from now on.
#[derive(Debug)]
pub(crate) struct Fault {
    /// Statements that still pass.
    pub(crate) left: u64,
    /// The folder of the state, and where its files are copied as they are at that moment.
    pub(crate) copy: Option<(PathBuf, PathBuf)>,
}

impl Fault {
    /// Lets a statement pass, or cuts it off.
    pub(crate) fn step(&mut self) -> Result<(), Trouble> {
        if self.left > 0 {
            self.left -= 1;
            return Ok(());
        }
        if let Some((from, to)) = self.copy.take() {
            copy_files(&from, &to).map_err(|source| Trouble::Unreadable(source.to_string()))?;
        }
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR);
        let message = Some("cut off by a test".to_owned());
        Err(rusqlite::Error::SqliteFailure(code, message).into())
    }
}

/// Copies what a dead process would leave behind: the database and its log, no shared memory, no lock.
fn copy_files(from: &std::path::Path, to: &std::path::Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for name in [DATABASE.to_owned(), format!("{DATABASE}-wal")] {
        let source = from.join(&name);
        if source.exists() {
            std::fs::copy(source, to.join(name))?;
        }
    }
    Ok(())
}
