//! Passes: a system's changes are read from some moment on until none wait. A pass that was broken off goes on where it was,
//! also in a later process; what came to show meanwhile among the records that it had shown before is in the next one.

use crate::{Engine, Error, notes};

fn note(system: &str) -> String {
    format!("pass:{system}")
}

impl Engine {
    /// Finds the passes that an earlier process began.
    pub(crate) fn find_passes(&mut self) -> Result<(), Error> {
        for (system, open) in self.flows.systems.iter().zip(&mut self.passes) {
            *open = notes::kept(self.store.as_mut(), &note(system))?.unwrap_or_default();
        }
        Ok(())
    }

    /// Keeps whether a system's pass is open: before its first page is stored, and behind its last one.
    pub(crate) fn keep_pass(&mut self, index: usize, open: bool) -> Result<(), Error> {
        if self.passes[index] != open {
            let note = note(&self.flows.systems[index]);
            notes::replace(self.store.as_mut(), &note, &open)?;
            self.passes[index] = open;
        }
        Ok(())
    }
}
