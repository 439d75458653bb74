//! The state folder: who may read it, and who holds it.

use crate::Error;
use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

#[cfg(unix)]
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};

/// The database's file name in the folder.
pub(crate) const DATABASE: &str = "tandem.db";
const LOCK: &str = "tandem.lock";
/// There while a backup takes the place of the state: what is in the folder may be half of each.
const REPLACING: &str = "restoring";

/// The hold of this process on a state folder; ends when dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    _lock: File,
}

/// Makes the folder where it is missing, closes it to others, and takes hold of it.
pub(crate) fn take_hold(folder: &Path) -> Result<Hold, Error> {
    let refused = |source| Error::folder(folder, source);
    make_folder(folder).map_err(refused)?;
    let mut lock = private_file(&folder.join(LOCK)).map_err(refused)?;
    match lock.try_lock() {
        Ok(()) => {
            name_holder(&mut lock).map_err(refused)?;
            Ok(Hold { _lock: lock })
        }
        Err(TryLockError::WouldBlock) => Err(Error::Held(describe(folder, &mut lock))),
        Err(TryLockError::Error(source)) => Err(refused(source)),
    }
}

/// Makes the database's file, readable by its owner alone; the files that SQLite puts beside it get the
/// same mode.
pub(crate) fn make_database(folder: &Path) -> Result<PathBuf, Error> {
    let path = folder.join(DATABASE);
    match private_file(&path) {
        Ok(_) => Ok(path),
        Err(source) => Err(Error::folder(&path, source)),
    }
}

/// Refuses a folder in which a backup has half taken the place of the state.
pub(crate) fn refuse_half_replaced(folder: &Path) -> Result<(), Error> {
    match folder.join(REPLACING).exists() {
        true => Err(Error::HalfRestored),
        false => Ok(()),
    }
}

/// Puts a new database in the place of the one there, which is kept in a folder beside it, with its log. Where that fails the
/// one there is put back.
pub(crate) fn replace(folder: &Path, new: &Path, mark: &str) -> Result<Option<PathBuf>, Error> {
    let kept = free(folder, &format!("replaced-{mark}"));
    let half_before = refuse_half_replaced(folder).is_err();
    let mut moved = Vec::new();
    let mut replaced = || -> std::io::Result<()> {
        private_file(&folder.join(REPLACING))?.sync_all()?;
        File::open(folder)?.sync_all()?;
        set_aside(folder, &kept, &mut moved)?;
        std::fs::rename(new, folder.join(DATABASE))?;
        File::open(folder.join(DATABASE))?.sync_all()?;
        settle(folder)
    };
    match replaced() {
        Ok(()) => Ok((!moved.is_empty()).then_some(kept)),
        Err(source) => {
            if !half_before {
                // Where this fails, too, the mark stands: nobody works with what is half of each.
                let _half = put_back(folder, &kept, &moved);
            }
            Err(Error::folder(folder, source))
        }
    }
}

/// A folder of that name in which no database is kept yet: what was set aside before stays.
fn free(folder: &Path, name: &str) -> PathBuf {
    let mut kept = folder.join(name);
    let mut number = 1;
    while kept.join(DATABASE).exists() {
        number += 1;
        kept = folder.join(format!("{name}-{number}"));
    }
    kept
}

/// Moves the database there into a folder of its own, the log behind what it belongs to, and names what it moved.
fn set_aside(folder: &Path, kept: &Path, moved: &mut Vec<String>) -> std::io::Result<()> {
    for end in ["", "-wal", "-shm"] {
        let name = format!("{DATABASE}{end}");
        if folder.join(&name).exists() {
            make_folder(kept)?;
            std::fs::rename(folder.join(&name), kept.join(&name))?;
            moved.push(name);
        }
    }
    Ok(())
}

/// Moves what was set aside to where it was, as long as nothing took its place.
fn put_back(folder: &Path, kept: &Path, moved: &[String]) -> std::io::Result<()> {
    if moved.iter().any(|name| folder.join(name).exists()) {
        return Ok(());
    }
    for name in moved {
        std::fs::rename(kept.join(name), folder.join(name))?;
    }
    // One that holds something else stays.
    let _not_ours = std::fs::remove_dir(kept);
    settle(folder)
}

/// Makes durable that the folder holds one whole state.
fn settle(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()?;
    std::fs::remove_file(folder.join(REPLACING))?;
    File::open(folder)?.sync_all()
}

/// Makes a folder closed to others where there is none; one that is there stays as it is.
pub(crate) fn make_where_missing(folder: &Path) -> Result<&Path, Error> {
    let made = if folder.is_dir() {
        Ok(())
    } else {
        make_folder(folder)
    };
    made.map_err(|source| Error::folder(folder, source))?;
    Ok(folder)
}

fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    builder.mode(0o700);
    builder.create(folder)?;
    #[cfg(unix)]
    std::fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    Ok(())
}

/// A file that only its owner may read, made where it is missing.
pub(crate) fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    options.mode(0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

fn name_holder(lock: &mut File) -> std::io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
}

/// What is known of the holder, as the end of a sentence.
fn describe(folder: &Path, lock: &mut File) -> String {
    let mut text = String::new();
    let known = lock.read_to_string(&mut text).is_ok() && text.trim().parse::<u32>().is_ok();
    if known {
        format!("in {} (process {})", folder.display(), text.trim())
    } else {
        format!("in {}", folder.display())
    }
}
