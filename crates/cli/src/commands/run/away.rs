//! A system that is away while the work is set up: the process stays, and whoever is to be told is told.

use super::Course;
use crate::alerting;
use crate::arguments::Common;
use crate::failure::Failure;
use crate::{loading, serving};
use std::sync::Arc;
use tandem_merge::config::Configuration;

impl Course {
    /// Notes that a system is away, and has alerts sent of that until the work is set up.
    pub(super) fn wait_out(
        &mut self,
        common: &Common,
        configuration: &Configuration,
        failure: &Failure,
    ) -> Result<(), Failure> {
        let (Some(system), Failure::One { what, advice, .. }) = (failure.away(), failure) else {
            return Ok(());
        };
        let words = format!("{what}. {advice}");
        self.troubles.note(system, &words, jiff::Timestamp::now());
        if self.alarm.is_none() {
            let home = loading::home(common, configuration)?;
            let window = serving::window_on(home, configuration, configuration.dataflow.clone())?;
            let troubles = self.troubles.clone();
            let lasting = Arc::new(move || troubles.lasting());
            self.alarm = alerting::begin(configuration, window, lasting, self.alerted.clone())?;
        }
        Ok(())
    }
}
