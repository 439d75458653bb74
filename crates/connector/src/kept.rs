//! A small file that one process leaves for the next one: what is put there is durable before anything else is done, and a
//! process that replaces it has its turn alone.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tandem_seal::Files;

/// How long another process may have its turn, and how often it is looked at.
const TURNS: u32 = 300;
const TURN: Duration = Duration::from_millis(100);

/// The file.
pub(crate) struct Kept {
    path: PathBuf,
    files: Files,
    /// What could not be written yet; the file's own is worth nothing any more.
    unkept: Mutex<Option<Vec<u8>>>,
}

impl Kept {
    /// The file of that path, which need not be there.
    pub(crate) fn new(path: PathBuf, files: Files) -> Self {
        let unkept = Mutex::default();
        Self { path, files, unkept }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until no other process has its turn; ours ends when it is dropped. None: the other one does not end.
    pub(crate) async fn turn(&self) -> io::Result<Option<File>> {
        let lock = self.beside("lock");
        for _ in 0..TURNS {
            match locked(&lock)? {
                Some(lock) => return Ok(Some(lock)),
                None => tokio::time::sleep(TURN).await,
            }
        }
        Ok(None)
    }

    /// What was put there last.
    pub(crate) fn read(&self) -> io::Result<Option<Vec<u8>>> {
        let unkept = self.unkept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(bytes) = unkept {
            self.replace(&bytes)?;
        }
        let mut source = match self.files.open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let mut bytes = Vec::new();
        source.read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Puts something in the old one's place: written in full and synced beside it, then renamed.
    pub(crate) fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let kept = self.write(bytes);
        let mut unkept = self.unkept.lock().unwrap_or_else(PoisonError::into_inner);
        *unkept = kept.is_err().then(|| bytes.to_vec());
        kept
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let beside = self.beside("new");
        match std::fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut sink = self.files.create(&beside)?;
        sink.write_all(bytes)?;
        sink.finish()?;
        std::fs::rename(&beside, &self.path)?;
        File::open(folder(&self.path))?.sync_all()
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(".");
        name.push(ending);
        name.into()
    }
}

/// The file of that path as a lock, held until it is dropped; none while another process holds it.
pub(crate) fn locked(path: &Path) -> io::Result<Option<File>> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder(path))?;
    let mut options = OpenOptions::new();
    let options = options.create(true).truncate(false).write(true).mode(0o600);
    let lock = options.open(path)?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;
    use tandem_seal::Seal;

    #[tokio::test]
    async fn what_is_put_there_is_its_owners_alone_and_sealed_where_the_state_is() {
        let folder = tempfile::tempdir().unwrap();
        let seal = Arc::new(Seal::from_text(&STANDARD.encode([7; 32])).unwrap());
        for files in [Files::default(), Files::new(Some(seal), None)] {
            let path = folder.path().join("below").join("kept");
            let kept = Kept::new(path.clone(), files.clone());
            let turn = kept.turn().await.unwrap();
            assert!(turn.is_some());
            kept.replace(b"{first}").unwrap();
            kept.replace(b"{second}").unwrap();
            let next = Kept::new(path.clone(), files);
            assert_eq!(next.read().unwrap().unwrap(), b"{second}");
            assert!(locked(&next.beside("lock")).unwrap().is_none(), "one at a time");
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let sealed = std::fs::read(folder.path().join("below").join("kept")).unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"second"));
    }

    #[tokio::test]
    async fn what_could_not_be_written_is_remembered_until_it_can() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(folder.path().join("kept"), Files::default());
        assert!(kept.read().unwrap().is_none());
        // A folder in the way of the new file: writing fails for everybody, root as well.
        let obstacle = folder.path().join("kept.new");
        std::fs::create_dir(&obstacle).unwrap();
        kept.replace(b"second").unwrap_err();
        kept.read().unwrap_err();
        std::fs::remove_dir(&obstacle).unwrap();
        assert_eq!(kept.read().unwrap().unwrap(), b"second");
    }
}
