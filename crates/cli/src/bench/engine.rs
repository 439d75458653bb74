//! An engine in this process, over the state of a measurement.

use crate::failure::Failure;
use crate::loading;
use std::path::Path;
use std::sync::Arc;
use tandem_engine::{Engine, Quiet, Summary, Watcher};
use tandem_ledger::Home;
use tandem_merge::config::Configuration;

/// Opens the state in a folder, and says nothing of what happens.
pub(super) async fn open(configuration: &Configuration, folder: &Path) -> Result<Engine, Failure> {
    open_watched(configuration, folder, Arc::new(Quiet)).await
}

/// Opens the state in a folder.
pub(super) async fn open_watched(
    configuration: &Configuration,
    folder: &Path,
    watcher: Arc<dyn Watcher>,
) -> Result<Engine, Failure> {
    let store = loading::state(&Home::Folder(folder.to_owned()), &loading::keys(configuration)?)?;
    let parts = loading::parts(configuration, Box::new(store), watcher, Some(folder));
    Ok(Engine::open(parts.await?).await?)
}

/// Syncs until nothing is left to do.
pub(super) async fn rest(engine: &mut Engine) -> Result<Summary, Failure> {
    let summary = engine.sync().await?;
    match summary.troubles.first() {
        Some(trouble) => Err(trouble.clone().into()),
        None => Ok(summary),
    }
}
