//! The newest report of `tandem qa`, kept beside the state for the console.

use crate::beside;
use crate::failure::Failure;
use std::path::{Path, PathBuf};
use tandem_api::view::Qa;

/// The file's name in the folder of the state.
const FILE: &str = "qa-report.json";

fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// Keeps a report in place of the one before; its owner alone may read it.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn keep(folder: &Path, report: &Qa) -> Result<(), Failure> {
    let file = path(folder);
    beside::keep(folder, FILE, report).map_err(|error| {
        Failure::trouble(
            format!("the report cannot be kept in {} ({error})", file.display()),
            "Let Tandem write there; the console shows it from there",
        )
    })
}

/// The newest report; none where none is kept.
///
/// # Errors
/// It cannot be read.
pub(crate) fn read(folder: &Path) -> Result<Option<Qa>, Failure> {
    let file = path(folder);
    let unreadable = |error: &dyn std::fmt::Display| {
        Failure::trouble(
            format!("the report in {} cannot be read ({error})", file.display()),
            "Run `tandem qa` again: it writes a new one",
        )
    };
    beside::kept(folder, FILE).map_err(|error| unreadable(&error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use tandem_api::view::QaCounts;

    fn report(run: &str) -> Qa {
        Qa {
            at: jiff::Timestamp::UNIX_EPOCH,
            run: run.to_owned(),
            counts: QaCounts::default(),
            flows: Vec::new(),
            deleted: 0,
            kept: Vec::new(),
            stuck: Vec::new(),
            syncs: 3,
            seconds: 1.5,
        }
    }

    #[test]
    fn the_newest_is_kept_for_its_owner_alone_and_a_damaged_one_is_told() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("state");
        assert_eq!(read(&folder), Ok(None));
        keep(&folder, &report("QA 1")).unwrap();
        keep(&folder, &report("QA 2")).unwrap();
        assert_eq!(read(&folder), Ok(Some(report("QA 2"))));
        let mode = path(&folder).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(path(&folder), "{").unwrap();
        let Err(Failure::One { advice, .. }) = read(&folder) else {
            panic!("it was read");
        };
        assert!(advice.contains("`tandem qa`"), "{advice}");
    }
}
