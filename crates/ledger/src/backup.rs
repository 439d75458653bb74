//! Backups: a consistent copy of the state in one file, and the way back.
//!
//! A restored state is older than the systems that it knows. What was agreed then are true bases still (S3), so that edits
//! made since are seen as edits and equal ones as agreement; but nothing is decided before both systems were listed
//! anew. Writes that were not sent are forgotten and decided again; sent ones are settled by reading, as after a
//! crash. Numbers go on behind those that the state used since: [`numbers`].

use crate::db::{Counts, Db, Numbered, Trouble};
use crate::facts::count;
use crate::folder;
use crate::home::{self, Home};
use crate::keys::Keys;
use crate::ledger::Ledger;
use crate::migrate::{self, STEPS, Step};
use crate::postgres::Postgres;
use crate::schema::{FORM, NOW, Shape};
use crate::sealed::ALL;
use crate::sqlite::Sqlite;
use crate::storage::Storage;
use crate::{Error, carry};
use jiff::Timestamp;
use std::path::{Path, PathBuf};

/// How far numbers leap: no state gives out so many between two backups.
const LEAP: i64 = 1 << 32;
/// No state gives out so many in a minute: the same backup restored anew begins so far behind each minute since 1970.
const MINUTE: i64 = 1 << 24;
/// The numbers that people read and type, each with how far it leaps where nobody knows how far the lost state came: to
/// the next such multiple but one, so that they stay short.
const TYPED: [(Numbered, i64); 3] = [
    (Numbered::Item, 1_000_000),
    (Numbered::Run, 1_000_000),
    (Numbered::Line, 100_000_000),
];

/// How far the numbers came in a state that gives way to a backup.
#[derive(Clone, Copy, Debug)]
struct Before {
    counts: Counts,
    /// It is the backup's own state, and later: nobody was shown a number that it does not know.
    later: bool,
}

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

/// Copies a state into a file that only its owner may read. The state may be held and changed meanwhile:
/// the copy is what it was at one moment.
///
/// # Errors
/// [`Error::Taken`] where the file is there already, [`Error::Corrupt`] where the state is damaged.
pub fn back_up(home: &Home, to: &Path, keys: &Keys, now: Timestamp) -> Result<Holding, Error> {
    copied(home, to, NOW, keys, now, holding)
}

/// The same of a state of another shape.
pub(crate) fn keep(home: &Home, to: &Path, shape: Shape, keys: &Keys, now: Timestamp) -> Result<(), Error> {
    copied(home, to, shape, keys, now, |_| Ok(()))
}

fn copied<T>(
    home: &Home,
    to: &Path,
    shape: Shape,
    keys: &Keys,
    now: Timestamp,
    tell: impl FnOnce(&Db) -> Result<T, Error>,
) -> Result<T, Error> {
    if to.exists() {
        return Err(Error::Taken(to.display().to_string()));
    }
    let draft = beside(to, "part");
    let done = copy_into(home, &draft, shape, keys, now).and_then(|db| {
        let told = tell(&db)?;
        drop(db);
        let synced = std::fs::File::open(&draft).and_then(|file| file.sync_all());
        let moved = synced
            .and_then(|()| std::fs::rename(&draft, to))
            .and_then(|()| settle_folder(to));
        moved.map_err(|source| Error::folder(to, source)).map(|()| told)
    });
    if done.is_err() {
        // What is half made is in nobody's way, and may hold what filled the disk.
        let _gone = remove_draft(&draft);
    }
    done
}

fn copy_into(home: &Home, draft: &Path, shape: Shape, keys: &Keys, now: Timestamp) -> Result<Db, Error> {
    let failed = |source| Error::folder(draft, source);
    remove_draft(draft).map_err(failed)?;
    drop(folder::private_file(draft).map_err(failed)?);
    home::copy(home, draft, shape)?;
    let db = opened(draft, shape.form, keys)?;
    db.unit("copied", |db| db.set_note("backup", &now.to_string()))?;
    Ok(db)
}

/// What a backup holds, every value of it looked at.
///
/// # Errors
/// [`Error::Corrupt`] where it is damaged or no backup, [`Error::KeyMissing`], [`Error::KeyWrong`], [`Error::Newer`].
pub fn look_at_backup(file: &Path, keys: &Keys) -> Result<Holding, Error> {
    look_by(file, keys, STEPS)
}

pub(crate) fn look_by(file: &Path, keys: &Keys, steps: &'static [Step]) -> Result<Holding, Error> {
    let holding = match Sqlite::form_of(file)? {
        FORM => looked_at(file, keys)?,
        _ => {
            // An older one is looked at as it would be restored, beside it or where everybody may write.
            let (mut draft, mut aside) = (beside(file, "looking"), None);
            if folder::private_file(&draft).is_err() {
                let own = aside.insert(own_folder()?);
                draft = own.join("looking");
            }
            let looked = copy_of(file, &draft, keys, steps).and_then(|()| looked_at(&draft, keys));
            let _gone = remove_draft(&draft);
            if let Some(own) = aside {
                let _gone = std::fs::remove_dir(own);
            }
            looked?
        }
    };
    match holding.made {
        Some(_) => Ok(holding),
        None => Err(Error::NoBackup(file.display().to_string())),
    }
}

/// A folder where everybody may write, that nobody else may enter.
fn own_folder() -> Result<PathBuf, Error> {
    use std::os::unix::fs::DirBuilderExt;
    let own = std::env::temp_dir().join(format!("tandem-looking-{}", std::process::id()));
    let made = std::fs::DirBuilder::new().mode(0o700).create(&own);
    made.map_err(|source| Error::folder(&own, source))?;
    Ok(own)
}

fn looked_at(file: &Path, keys: &Keys) -> Result<Holding, Error> {
    let db = opened(file, FORM, keys)?;
    db.unit("read", look_at_values)?;
    holding(&db)
}

/// What a state holds; none where there is none.
///
/// # Errors
/// As [`Ledger::open_at`].
pub fn look_at_state(home: &Home, keys: &Keys) -> Result<Option<Holding>, Error> {
    if !home::is_there(home)? {
        return Ok(None);
    }
    Ledger::open_as_it_is(home, keys)?.holding().map(Some)
}

/// What a state holds that a process works with meanwhile; none where there is none.
///
/// # Errors
/// As [`Ledger::open_to_look`].
pub fn look_at_held_state(home: &Home, keys: &Keys) -> Result<Option<Holding>, Error> {
    let there = Ledger::open_to_look(home, keys)?;
    there.map(|state| state.holding()).transpose()
}

/// Puts a backup in the place of the state, which is kept beside it: where is the answer, none where there was no state.
///
/// # Errors
/// As [`look_at_backup`]; [`Error::Held`] while another process holds the state.
pub fn restore(file: &Path, home: &Home, keys: &Keys, now: Timestamp) -> Result<Option<String>, Error> {
    restore_by(file, home, keys, now, STEPS)
}

pub(crate) fn restore_by(
    file: &Path,
    home: &Home,
    keys: &Keys,
    now: Timestamp,
    steps: &'static [Step],
) -> Result<Option<String>, Error> {
    let backup = look_by(file, keys, steps)?;
    let mark = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    match home {
        Home::Folder(folder) => {
            let hold = folder::take_hold(folder)?;
            // From here on nobody counts on.
            let before = before(home, &backup, keys);
            let draft = folder.join("restored.db");
            let done = grown_old(file, &draft, keys, now, (steps, before))
                .and_then(|()| folder::replace(folder, &draft, &mark));
            if done.is_err() {
                // What is half made is in nobody's way, and may hold what filled the disk.
                let _gone = remove_draft(&draft);
            }
            drop(hold);
            Ok(done?.map(|kept| kept.display().to_string()))
        }
        Home::Server(server) => {
            let held = Postgres::held(server)?;
            let before = before(home, &backup, keys);
            let draft = beside(file, "restoring");
            let done = grown_old(file, &draft, keys, now, (steps, before)).and_then(|()| {
                let source = Sqlite::open_whole(&draft, FORM)?;
                held.replace(server, &mark.to_lowercase(), |target| {
                    let filled = carry::rows(&source, target, &source);
                    filled.map_err(|trouble| trouble.told("restored"))
                })
            });
            // Nobody needs it, whether it was put in place or not.
            let _gone = remove_draft(&draft);
            done
        }
    }
}

/// How far the numbers came in the state that is there; none where there is none, or where it cannot be read.
fn before(home: &Home, backup: &Holding, keys: &Keys) -> Option<Before> {
    let there = Ledger::open_to_look(home, keys).ok()??;
    let own = there.holding().ok()?;
    Some(Before {
        counts: there.counts(),
        later: own.state == backup.state && own.changes >= backup.changes,
    })
}

/// With which numbers a restored state goes on. None may be given twice: under a number a person answers what was shown
/// under it, and a create is known by it. The program's own leap so far that the lost state cannot have come there. Those that
/// people type go on where the state that gave way stopped, if it tells; else they leap as well, less far.
fn numbers(backup: Counts, before: Option<Before>, [made, now]: [Timestamp; 2]) -> Counts {
    let known = |at: usize| before.map_or(0, |before| before.counts[at]).max(backup[at]);
    let minutes = now.as_second().max(0) / 60;
    let leapt = |at: usize| (known(at) + LEAP).max(minutes.saturating_mul(MINUTE));
    let mut counts: Counts = std::array::from_fn(leapt);
    // Changes are counted on: no other process knows them.
    counts[Numbered::Change as usize] = backup[Numbered::Change as usize];
    let hours = now.duration_since(made).as_hours().max(0);
    for (kind, step) in TYPED {
        let at = kind as usize;
        counts[at] = match before {
            Some(Before { later: true, .. }) => known(at),
            // The same backup may be restored once more after the state was lost again.
            _ => (known(at) / step + 2 + hours) * step,
        };
    }
    counts
}

/// Copies a backup into a file of its own, as a state that knows that it is old.
fn grown_old(
    file: &Path,
    draft: &Path,
    keys: &Keys,
    now: Timestamp,
    (steps, before): (&'static [Step], Option<Before>),
) -> Result<(), Error> {
    copy_of(file, draft, keys, steps)?;
    let mut db = opened(draft, FORM, keys)?;
    db.unit("read", look_at_values)?;
    crate::keys::fit(&mut db, keys)?;
    db.unit("restored", |db| grow_old(db, now, before))
}

/// Copies a backup into a file of its own, in the form of this program.
fn copy_of(file: &Path, draft: &Path, keys: &Keys, steps: &'static [Step]) -> Result<(), Error> {
    let failed = |source| Error::folder(draft, source);
    // What was cut off belongs to another backup.
    remove_draft(draft).map_err(failed)?;
    drop(folder::private_file(draft).map_err(failed)?);
    std::fs::copy(file, draft).map_err(failed)?;
    migrate::file(draft, keys, steps)
}

/// Removes a draft with what the database put beside it.
fn remove_draft(draft: &Path) -> std::io::Result<()> {
    let files = std::iter::once(draft.to_owned()).chain(["journal", "wal", "shm"].map(|end| {
        let mut name = draft.file_name().unwrap_or_default().to_owned();
        name.push(format!("-{end}"));
        draft.with_file_name(name)
    }));
    for file in files {
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// A database that is no one's state: in one file, without a log beside it.
fn opened(file: &Path, form: i64, keys: &Keys) -> Result<Db, Error> {
    let storage: Box<dyn Storage> = Box::new(Sqlite::open_whole(file, form)?);
    let mut db = Db::new(storage).map_err(|trouble| trouble.told("opened"))?;
    db.seal = crate::keys::found(&db, keys)?;
    Ok(db)
}

/// Reads every value, to be sure that each can be read.
fn look_at_values(db: &Db) -> Result<(), Trouble> {
    for place in ALL {
        let sql = format!(
            "SELECT {} FROM {} WHERE {0} IS NOT NULL",
            place.column, place.table
        );
        db.walk(&sql, [], |row| db.opened(place, row.get(0)?).map(drop))?;
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
fn grow_old(db: &Db, now: Timestamp, before: Option<Before>) -> Result<(), Trouble> {
    db.run("UPDATE system SET cursor = NULL, listed = NULL", [])?;
    db.run("DELETE FROM intent WHERE sent = 0", [])?;
    let made = db.note("backup")?.map(|made| made.parse()).transpose()?;
    db.go_on_with(numbers(db.counts(), before, [made.unwrap_or(now), now]));
    let sql = "SELECT rid FROM record WHERE presence IS NOT NULL";
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

#[cfg(test)]
mod tests {
    use super::*;

    const OF: [Numbered; 3] = [Numbered::Item, Numbered::Run, Numbered::Line];

    fn typed(counts: Counts) -> [i64; 3] {
        OF.map(|kind| counts[kind as usize])
    }

    /// A backup in which each number came to 57, and a state in which each came so far.
    fn restored(came: Option<(i64, bool)>) -> Counts {
        let before = came.map(|(came, later)| Before {
            counts: [came; 10],
            later,
        });
        numbers([57; 10], before, [Timestamp::UNIX_EPOCH; 2])
    }

    #[test]
    fn numbers_that_people_type_go_on_where_the_state_stopped_that_gave_way() {
        assert_eq!(typed(restored(Some((80, true)))), [80, 80, 80]);
        // The program's own leap all the same.
        assert_eq!(restored(Some((80, true)))[Numbered::Intent as usize], 80 + LEAP);
        assert_eq!(restored(Some((80, true)))[Numbered::Change as usize], 57);
    }

    #[test]
    fn where_nobody_knows_how_far_the_state_came_no_number_is_given_twice_and_all_stay_short() {
        assert_eq!(typed(restored(None)), [2_000_000, 2_000_000, 200_000_000]);
        // Another state, or one older than the backup, does not tell; what it gave is not given again either.
        let other = typed(restored(Some((3_000_007, false))));
        assert_eq!(other, [5_000_000, 5_000_000, 200_000_000]);
    }

    #[test]
    fn the_same_backup_restored_anew_gives_no_number_again() {
        let made: Timestamp = Timestamp::from_second(1_772_359_200).unwrap_or(Timestamp::UNIX_EPOCH);
        let after = |minutes: i64| {
            numbers(
                [57; 10],
                None,
                [made, made + jiff::SignedDuration::from_mins(minutes)],
            )
        };
        let (one, two, later) = (after(600), after(601), after(720));
        let at = Numbered::Intent as usize;
        assert!(two[at] - one[at] >= MINUTE && one[at] > LEAP && two[at] < 1 << 53);
        assert!(
            typed(one)
                .iter()
                .zip(typed(later))
                .all(|(one, later)| *one < later)
        );
        assert_eq!(typed(later)[0], 14_000_000);
    }
}
