//! Backups: a consistent copy of the state in one file, and the way back.
//!
//! A restored state is older than the systems that it knows. What was agreed then are true bases still (S3), so that edits
//! made since are seen as edits and equal ones as agreement; but nothing is decided before both systems were listed
//! anew. Writes that were not sent are forgotten and decided again; sent ones are settled by reading, as after a
//! crash. Numbers go on far behind those that the lost state may have used since.

use crate::db::{Db, Trouble};
use crate::facts::count;
use crate::folder::{self, DATABASE};
use crate::keys::Keys;
use crate::sealed::ALL;
use crate::sqlite::{SqliteStore, connect};
use crate::{Error, schema};
use jiff::Timestamp;
use rusqlite::OptionalExtension;
use std::path::{Path, PathBuf};

/// How far numbers leap: no state gives out so many between two backups.
const LEAP: i64 = 1 << 32;

/// What a state or a backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// The text that names the state: a state and its backups share it.
    pub state: String,
    /// Its count of changes.
    pub changes: i64,
    /// Links.
    pub links: u64,
    /// Records.
    pub records: u64,
    /// Writes without an outcome.
    pub sent: u64,
    /// When the backup was made; none of a state that is no backup.
    pub made: Option<Timestamp>,
}

/// Copies the state in a folder into a file that only its owner may read. The state may be held and changed meanwhile:
/// the copy is what it was at one moment.
///
/// # Errors
/// [`Error::Taken`] where the file is there already, [`Error::Corrupt`] where the state is damaged.
pub fn back_up(folder: &Path, to: &Path, keys: &Keys, now: Timestamp) -> Result<Holding, Error> {
    if to.exists() {
        return Err(Error::Taken(to.display().to_string()));
    }
    let draft = beside(to, "part");
    let done = copy_into(folder, &draft, keys, now).and_then(|holding| {
        let moved = std::fs::rename(&draft, to).and_then(|()| settle_folder(to));
        moved
            .map_err(|source| Error::folder(to, source))
            .map(|()| holding)
    });
    if done.is_err() {
        // What is half made is in nobody's way, and may hold what filled the disk.
        let _gone = std::fs::remove_file(&draft);
    }
    done
}

fn copy_into(folder: &Path, draft: &Path, keys: &Keys, now: Timestamp) -> Result<Holding, Error> {
    let failed = |source| Error::folder(draft, source);
    if draft.exists() {
        std::fs::remove_file(draft).map_err(failed)?;
    }
    drop(folder::private_file(draft).map_err(failed)?);
    let source = connect(&folder.join(DATABASE))?;
    source
        .execute("VACUUM INTO ?1", [draft.to_string_lossy().into_owned()])
        .map_err(|source| Error::database("copied", source))?;
    let db = opened(draft, keys, false)?;
    db.unit("copied", |db| db.set_note("backup", &now.to_string()))?;
    let holding = holding(&db)?;
    drop(db);
    let file = std::fs::File::open(draft).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    Ok(holding)
}

/// What a backup holds, every value of it looked at.
///
/// # Errors
/// [`Error::Corrupt`] where it is damaged or no backup, [`Error::KeyMissing`], [`Error::KeyWrong`], [`Error::Newer`].
pub fn look_at_backup(file: &Path, keys: &Keys) -> Result<Holding, Error> {
    let db = opened(file, keys, true)?;
    let holding = holding(&db)?;
    match holding.made {
        Some(_) => Ok(holding),
        None => Err(Error::NoBackup(file.display().to_string())),
    }
}

/// What the state in a folder holds; none where there is none.
///
/// # Errors
/// As [`SqliteStore::open`].
pub fn look_at_state(folder: &Path, keys: &Keys) -> Result<Option<Holding>, Error> {
    if !folder.join(DATABASE).exists() {
        return Ok(None);
    }
    let store = SqliteStore::open_with(folder, keys)?;
    store.holding().map(Some)
}

/// Puts a backup in the place of the state, which is kept beside it: the folder's name is the answer, none where there
/// was no state.
///
/// # Errors
/// As [`look_at_backup`]; [`Error::Held`] while another process holds the state.
pub fn restore(file: &Path, folder: &Path, keys: &Keys, now: Timestamp) -> Result<Option<PathBuf>, Error> {
    look_at_backup(file, keys)?;
    let hold = folder::take_hold(folder)?;
    let draft = folder.join("restored.db");
    let failed = |source| Error::folder(&draft, source);
    drop(folder::private_file(&draft).map_err(failed)?);
    std::fs::copy(file, &draft).map_err(failed)?;
    let mut db = opened(&draft, keys, true)?;
    schema::bring_up_to_date(&db.connection)?;
    crate::keys::fit(&mut db, keys)?;
    db.unit("restored", |db| grow_old(db, now))?;
    drop(db);
    let moved = folder::replace(folder, &draft, &now.strftime("%Y%m%dT%H%M%SZ").to_string());
    drop(hold);
    moved
}

/// A database that is no one's state: in one file, without a log beside it.
fn opened(file: &Path, keys: &Keys, thoroughly: bool) -> Result<Db, Error> {
    let connection = connect(file)?;
    let open = |source| Error::database("opened", source);
    schema::refuse_newer(&connection)?;
    let whole: Option<String> = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .optional()
        .map_err(open)?;
    if whole.as_deref() != Some("ok") {
        return Err(Error::Corrupt(whole.unwrap_or_default()));
    }
    let seal = crate::keys::found(&connection, keys)?;
    let db = Db::new(connection, seal).map_err(|trouble| trouble.told("opened"))?;
    if thoroughly {
        db.unit("read", look_at_values)?;
    }
    Ok(db)
}

/// Reads every value, to be sure that each can be read.
fn look_at_values(db: &Db) -> Result<(), Trouble> {
    for place in ALL {
        let sql = format!(
            "SELECT {} FROM {} WHERE {0} IS NOT NULL",
            place.column, place.table
        );
        db.each(&sql, [], |row| db.opened(place, row.get(0)?).map(drop))?;
    }
    let sql = "SELECT name FROM note";
    let names: Vec<String> = db.all(sql, [], |row| row.get(0))?;
    names.iter().try_for_each(|name| db.note(name).map(drop))
}

/// What it holds.
pub(crate) fn holding(db: &Db) -> Result<Holding, Error> {
    db.unit("read", |db| {
        let made = db.note("backup")?.map(|made| made.parse()).transpose()?;
        Ok(Holding {
            state: db.note("state")?.unwrap_or_default(),
            changes: db.now(),
            links: count(db, "SELECT count(*) FROM link", [])?,
            records: count(db, "SELECT count(*) FROM record WHERE presence IS NOT NULL", [])?,
            sent: count(db, "SELECT count(*) FROM intent WHERE sent = 1", [])?,
            made,
        })
    })
}

/// Makes a backup a state that knows that it is old.
fn grow_old(db: &Db, now: Timestamp) -> Result<(), Trouble> {
    db.run("UPDATE system SET cursor = NULL, listed = NULL", [])?;
    db.run("DELETE FROM intent WHERE sent = 0", [])?;
    let sql = "UPDATE sqlite_sequence SET seq = seq + ?1";
    db.run(sql, [LEAP])?;
    for name in ["intent", "item"] {
        let sql = "INSERT INTO sqlite_sequence (name, seq) SELECT ?1, ?2
                   WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?1)";
        db.run(sql, (name, LEAP))?;
    }
    let sql = "SELECT rid FROM record WHERE state IS NOT NULL";
    let rids: Vec<i64> = db.all(sql, [], |row| row.get(0))?;
    rids.iter().try_for_each(|rid| db.mark_dirty(*rid, true))?;
    db.run("DELETE FROM note WHERE name = 'backup'", [])?;
    db.set_note("restored", &now.to_string())
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(end);
    path.with_file_name(name)
}

/// Makes a new name in a folder durable.
fn settle_folder(path: &Path) -> std::io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    std::fs::File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}
