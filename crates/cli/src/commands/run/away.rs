//! A system that is away while the work is set up: the process stays, and whoever is to be told is told.

use super::Course;
use crate::alerting;
use crate::arguments::Common;
use crate::failure::{Exit, Failure};
use crate::{loading, serving};
use std::sync::Arc;
use tandem_merge::config::Configuration;

/// Which of the systems a failure is about, with what it says.
pub(super) fn about<'s>(systems: &'s [String; 2], failure: &Failure) -> Option<(&'s str, String)> {
    let Failure::One {
        exit: Exit::Trouble,
        what,
        advice,
        ..
    } = failure
    else {
        return None;
    };
    let of = |system: &&String| what.starts_with(&format!("{system}:"));
    let system = systems.iter().find(of)?;
    Some((system, format!("{what}. {advice}")))
}

impl Course {
    /// Notes that a system is away, and has alerts sent of that until the work is set up.
    pub(super) fn wait_out(
        &mut self,
        common: &Common,
        configuration: &Configuration,
        failure: &Failure,
    ) -> Result<(), Failure> {
        let Some((system, words)) = about(&configuration.dataflow.systems, failure) else {
            return Ok(());
        };
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
