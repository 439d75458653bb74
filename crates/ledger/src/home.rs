//! Where a state is kept, whether it is there, and copies of it.

use crate::folder::{self, DATABASE};
use crate::postgres::{Postgres, Server};
use crate::schema::{FORM, Shape};
use crate::sqlite::{self, Sqlite};
use crate::{Error, carry};
use std::path::{Path, PathBuf};

/// Where a state is kept.
#[derive(Clone, Debug)]
pub enum Home {
    /// In a folder of this machine.
    Folder(PathBuf),
    /// In a schema of a PostgreSQL server.
    Server(Server),
}

impl Home {
    /// The folder for files that go beside the state.
    pub(crate) fn aside(&self) -> &Path {
        match self {
            Self::Folder(folder) => folder,
            Self::Server(server) => server.aside(),
        }
    }
}

/// As a part of a sentence.
impl std::fmt::Display for Home {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(f),
            Self::Server(server) => server.fmt(f),
        }
    }
}

/// Whether a state is there.
///
/// # Errors
/// [`Error::HalfRestored`]; of a server as [`Ledger::open_at`].
pub fn is_there(home: &Home) -> Result<bool, Error> {
    match home {
        Home::Folder(folder) => {
            let there = folder.join(DATABASE).is_file();
            there.then(|| folder::refuse_half_replaced(folder)).transpose()?;
            Ok(there)
        }
        Home::Server(server) => match Postgres::open_to_read(server, FORM) {
            Err(Error::Behind { .. }) => Ok(true),
            found => Ok(found?.is_some()),
        },
    }
}

/// Copies a state of this shape, which may be held by another process, into an empty file, as it is at one moment.
pub(crate) fn copy(from: &Home, to: &Path, shape: Shape) -> Result<(), Error> {
    match from {
        Home::Folder(folder) => sqlite::copy(&folder.join(DATABASE), to),
        Home::Server(server) => {
            let Some(source) = Postgres::open_to_read(server, shape.form)? else {
                return Err(Error::Unreachable {
                    place: server.to_string(),
                    why: "there is no state any more".to_owned(),
                });
            };
            let target = Sqlite::make(to, shape)?;
            let copied = carry::in_one(&target, || carry::rows(&source, &target, &target));
            copied.map_err(|trouble| trouble.told("copied"))
        }
    }
}
