//! A window on a state that another part of the program, or another process, works with.

use crate::look::Looker;
use crate::{Blame, Masks, Refused};
use std::sync::{Mutex, PoisonError};
use tandem_ledger::Store;
use tandem_merge::dataflow::Dataflow;

/// Opens a state to look at it.
pub type Open = Box<dyn Fn() -> Result<Box<dyn Store>, Refused> + Send + Sync>;

/// Connections that are kept for the next look.
const KEPT: usize = 4;

/// A window on a state: as many look at once as ask, each over a connection of its own.
pub struct Window {
    open: Open,
    idle: Mutex<Vec<Box<dyn Store>>>,
    flows: Dataflow,
    masks: Masks,
    bare: Masks,
}

impl Window {
    /// A window on a state of a dataflow.
    #[must_use]
    pub fn new(open: Open, flows: Dataflow) -> Self {
        Self {
            masks: Masks::of(&flows),
            bare: Masks::none(),
            idle: Mutex::default(),
            open,
            flows,
        }
    }

    /// The dataflow.
    #[must_use]
    pub fn flows(&self) -> &Dataflow {
        &self.flows
    }

    /// The masks of somebody who may see personal values, or not.
    #[must_use]
    pub fn masks(&self, personal: bool) -> &Masks {
        if personal { &self.bare } else { &self.masks }
    }

    /// Looks; personal values are masked unless whoever looks may see them. Blocks while the state is read.
    ///
    /// # Errors
    /// A state that cannot be opened; what the look itself says.
    pub fn look<T>(
        &self,
        personal: bool,
        look: impl FnOnce(&mut Looker<'_>) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut store = kept.map_or_else(&self.open, Ok)?;
        // What was ignored until a moment that is past counts again.
        store.hear_again(jiff::Timestamp::now())?;
        let seen = look(&mut Looker {
            store: store.as_mut(),
            flows: &self.flows,
            masks: self.masks(personal),
        });
        // One that failed is not kept: its connection may be gone.
        let well = seen
            .as_ref()
            .map_or_else(|refused| refused.blame == Blame::Usage, |_| true);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if well && idle.len() < KEPT {
            idle.push(store);
        }
        seen
    }
}
