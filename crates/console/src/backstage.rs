//! What the program knows and can do beside the state and the process at work: it alone reads files and reaches systems.

use std::sync::Arc;
use tandem_api::Refused;
use tandem_api::rehearsed::{Progress, Rehearsed};
use tandem_api::view::{ByConfiguration, Configuration, Qa};
use tokio::sync::watch;

/// What the program knows and can do. All of it blocks while it is done.
pub trait Backstage: Send + Sync {
    /// The configuration in force, and how its files stand to it now.
    fn configuration(&self) -> Configuration;

    /// Rehearses a sync beside the work: both systems are read, nothing is written, and the process at work goes on.
    ///
    /// # Errors
    /// The files cannot be used, the state cannot be copied, a system refuses us, or it was to stop.
    fn rehearse(&self, wanted: &Wanted) -> Result<Rehearsed, Refused>;

    /// What the newest `tandem qa` found; none where none is kept.
    ///
    /// # Errors
    /// It cannot be read.
    fn qa(&self) -> Result<Option<Qa>, Refused>;
}

/// A rehearsal that is wanted.
pub struct Wanted {
    /// By which configuration.
    pub configuration: ByConfiguration,
    /// Where it tells how far it is.
    pub progress: Arc<Progress>,
    /// True once it is to stop.
    pub stop: watch::Receiver<bool>,
}
