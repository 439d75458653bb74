//! Counts what is written while another watcher shows it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tandem_connector::Outcome;
use tandem_engine::{Happening, Quiet, Watcher};
use tandem_merge::cluster::Action;

/// Writes carried out in one system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// Records created, companions among them.
    pub(crate) creates: u64,
    /// Records updated or deleted.
    pub(crate) updates: u64,
}

/// Counts writes by system, and tells another watcher everything.
pub(crate) struct Ledger {
    written: Mutex<BTreeMap<String, Written>>,
    show: Mutex<Arc<dyn Watcher>>,
}

impl Ledger {
    /// A ledger in front of a watcher.
    pub(crate) fn new(show: Arc<dyn Watcher>) -> Self {
        Self {
            written: Mutex::default(),
            show: Mutex::new(show),
        }
    }

    /// Puts another watcher in its place.
    pub(crate) fn hand_over(&self, show: Arc<dyn Watcher>) {
        *self.show.lock().unwrap_or_else(PoisonError::into_inner) = show;
    }

    /// Shows nothing more.
    pub(crate) fn quiet(&self) {
        self.hand_over(Arc::new(Quiet));
    }

    /// What was written in a system so far.
    pub(crate) fn written(&self, system: &str) -> Written {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.get(system).copied().unwrap_or_default()
    }
}

impl Watcher for Ledger {
    fn happened(&self, what: &Happening<'_>) {
        if let Happening::Answered {
            system,
            intent,
            outcome: Outcome::Applied { .. },
        } = what
        {
            let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            let counts = written.entry((*system).to_owned()).or_default();
            match intent.action {
                Action::Create { .. } | Action::Companion { .. } => counts.creates += 1,
                Action::Update { .. } | Action::Delete { .. } => counts.updates += 1,
            }
        }
        let show = self.show.lock().unwrap_or_else(PoisonError::into_inner).clone();
        show.happened(what);
    }
}
