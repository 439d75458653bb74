//! The file of a refresh token. A new token is durable there before anything else is done with the reply that
//! brought it, so a crash never loses it.

use secrecy::{ExposeSecret, SecretString};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Error as IoError, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long another process may take to refresh, and how often it is looked at.
const TURNS: u32 = 300;
const TURN: Duration = Duration::from_millis(100);

/// What is in the way, and what to do.
type Unfit = (String, String);

/// The file, checked to be readable and replaceable.
pub(super) struct TokenFile {
    path: PathBuf,
    /// A new token that could not be written yet; the file's own is worth nothing any more.
    unkept: Mutex<Option<SecretString>>,
}

impl TokenFile {
    /// # Errors
    /// There is no token in it, or a new one could not be written there.
    pub(super) fn new(path: PathBuf) -> Result<Self, Unfit> {
        let file = Self {
            path,
            unkept: Mutex::default(),
        };
        file.read()?;
        let probe = file.beside("probe");
        private(&probe).map_err(|error| file.unwritable(&error))?;
        std::fs::remove_file(&probe).map_err(|error| file.unwritable(&error))?;
        Ok(file)
    }

    /// Waits until no other process refreshes; the turn ends when it is dropped.
    pub(super) async fn turn(&self) -> Result<File, Unfit> {
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(self.beside("lock"))
            .map_err(|error| self.unwritable(&error))?;
        for _ in 0..TURNS {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::Error(error)) => return Err(self.unwritable(&error)),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(TURN).await,
            }
        }
        Err((
            format!("another process does not end to refresh {}", self.path.display()),
            "Look for a second Tandem with the same token, and stop it".to_owned(),
        ))
    }

    /// The token in force.
    pub(super) fn read(&self) -> Result<SecretString, Unfit> {
        let unkept = self.unkept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(token) = unkept {
            self.replace(&token)?;
        }
        let text = std::fs::read_to_string(&self.path).map_err(|error| {
            (
                format!(
                    "the refresh token's file {} cannot be read ({error})",
                    self.path.display()
                ),
                "Write the token there, or name another file in the configuration".to_owned(),
            )
        })?;
        match text.trim() {
            "" => Err((
                format!("the refresh token's file {} is empty", self.path.display()),
                "Sign in in the browser and put the token there".to_owned(),
            )),
            token => Ok(SecretString::from(token)),
        }
    }

    /// Puts a new token in the old one's place: written in full and synced beside it, then renamed.
    pub(super) fn replace(&self, token: &SecretString) -> Result<(), Unfit> {
        let kept = self.write(token).map_err(|error| self.unwritable(&error));
        let mut unkept = self.unkept.lock().unwrap_or_else(PoisonError::into_inner);
        *unkept = kept.is_err().then(|| token.clone());
        kept
    }

    fn write(&self, token: &SecretString) -> Result<(), IoError> {
        let beside = self.beside("new");
        let mut file = private(&beside)?;
        file.write_all(token.expose_secret().as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        std::fs::rename(&beside, &self.path)?;
        File::open(folder(&self.path))?.sync_all()
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(".");
        name.push(ending);
        name.into()
    }

    fn unwritable(&self, error: &IoError) -> Unfit {
        (
            format!(
                "a new refresh token could not be kept in {} ({error})",
                self.path.display()
            ),
            "Let Tandem write to the file's folder: the org replaces the token, and the old one ends"
                .to_owned(),
        )
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// A fresh file that its owner alone may read.
fn private(path: &Path) -> Result<File, IoError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_new_token_replaces_the_old_one_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "first\n").unwrap();
        let file = TokenFile::new(path.clone()).unwrap();
        assert_eq!(file.read().unwrap().expose_secret(), "first");
        file.replace(&"second".into()).unwrap();
        assert_eq!(file.read().unwrap().expose_secret(), "second");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            1,
            "nothing is left beside it"
        );
    }

    #[test]
    fn a_token_that_could_not_be_written_is_kept_until_it_can() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "first").unwrap();
        let file = TokenFile::new(path.clone()).unwrap();
        // A folder in the way of the new file: writing fails for everybody, root as well.
        let obstacle = folder.path().join("token.new");
        std::fs::create_dir(&obstacle).unwrap();
        let (message, _) = file.replace(&"second".into()).unwrap_err();
        assert!(
            message.contains("could not be kept") && !message.contains("second"),
            "{message}"
        );
        assert!(file.read().is_err(), "the first token is worth nothing any more");
        std::fs::remove_dir(&obstacle).unwrap();
        assert_eq!(file.read().unwrap().expose_secret(), "second");
        assert_eq!(std::fs::read_to_string(&path).unwrap().trim(), "second");
    }

    #[test]
    fn a_file_that_cannot_be_replaced_is_told_before_the_first_use() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert!(TokenFile::new(path.clone()).is_err_and(|(message, _)| message.contains("cannot be read")));
        std::fs::write(&path, "first").unwrap();
        std::fs::create_dir(folder.path().join("token.probe")).unwrap();
        assert!(TokenFile::new(path).is_err_and(|(message, _)| message.contains("could not be kept")));
    }
}
