//! Small files beside the state: what one process leaves for another, or for itself after a start.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Keeps something under a name in place of what was kept before; its owner alone may read it, and whoever reads sees one or
/// the other.
pub(crate) fn keep(folder: &Path, name: &str, what: &impl Serialize) -> std::io::Result<()> {
    let mut made = std::fs::DirBuilder::new();
    made.recursive(true).mode(0o700).create(folder)?;
    let draft = folder.join(format!("{name}.new"));
    let mut options = std::fs::OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    options
        .open(&draft)?
        .write_all(&serde_json::to_vec_pretty(what)?)?;
    std::fs::rename(&draft, folder.join(name))
}

/// What is kept under a name; none where nothing is.
pub(crate) fn kept<T: DeserializeOwned>(folder: &Path, name: &str) -> std::io::Result<Option<T>> {
    match std::fs::read(folder.join(name)) {
        Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
