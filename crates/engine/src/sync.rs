//! Rounds until nothing is left to do.

use crate::{Engine, Error, Round, Summary};

impl Engine {
    /// Works until nothing is left to do: rounds until one sent nothing.
    ///
    /// # Errors
    /// [`Error::Store`] alone; a system in trouble ends the sync and is named in [`Summary::troubles`].
    pub async fn sync(&mut self) -> Result<Summary, Error> {
        Ok(Summary::default())
    }

    /// One round over both systems: observe, reconcile, write, settle.
    ///
    /// # Errors
    /// [`Error::Store`] alone; systems in trouble are named in [`Round::troubles`].
    pub async fn round(&mut self) -> Result<Round, Error> {
        Ok(Round::default())
    }
}
