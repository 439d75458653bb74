//! The day's budget of calls, kept in the state so that it outlives the process.

use crate::{Engine, Error, Round, notes};
use std::sync::Arc;
use tandem_connector::{Budget, Connector, ErrorKind, Scope};
use tandem_ledger::Store;

fn note(system: &str) -> String {
    format!("budget:{system}")
}

/// The budgets that a state keeps, by system.
///
/// # Errors
/// [`tandem_ledger::Error`].
pub fn budgets(
    store: &mut dyn Store,
    systems: &[String; 2],
) -> Result<Vec<(String, Budget)>, tandem_ledger::Error> {
    let mut found = Vec::new();
    for system in systems {
        let budget = notes::kept(store, &note(system))?;
        found.extend(budget.map(|budget| (system.clone(), budget)));
    }
    Ok(found)
}

/// Lets systems go on with the budgets that a state keeps. To be done before their first call.
///
/// # Errors
/// [`tandem_ledger::Error`].
pub fn restore_budgets(
    store: &mut dyn Store,
    systems: &[Arc<dyn Connector>; 2],
) -> Result<(), tandem_ledger::Error> {
    let names = systems.each_ref().map(|system| system.system().to_owned());
    for (name, budget) in budgets(store, &names)? {
        for system in systems.iter().filter(|system| system.system() == name) {
            system.restore_budget(&budget);
        }
    }
    Ok(())
}

impl Engine {
    /// Why loads of a system wait, where they do.
    pub(crate) fn load_delay(&self, index: usize, round: &Round) -> Option<tandem_connector::Error> {
        let name = &self.flows.systems[index];
        if let Some(delay) = round.delays.iter().find(|error| &error.system == name) {
            return Some(delay.clone());
        }
        let budget = self.systems[index].budget()?;
        let until = budget.backfill_waits.filter(|until| *until > self.clock.now())?;
        Some(tandem_connector::Error {
            system: name.clone(),
            kind: ErrorKind::Refused,
            message: format!(
                "budget of the day for long work reached: {} of {} calls; loads wait until {until}, live changes go on",
                budget.spent,
                budget.share.unwrap_or_default()
            ),
            advice: "Nothing is lost; to go on earlier, raise `budget: { share }` of the connection"
                .to_owned(),
            retry_at: Some(until),
            scope: Scope::System,
        })
    }

    /// Whether a system takes live changes although its loads wait.
    pub(crate) fn loads_wait_alone(&self, index: usize) -> bool {
        let budget = self.systems[index].budget();
        budget.is_some_and(|budget| budget.backfill_waits.is_some() && budget.live_waits.is_none())
    }

    /// Keeps how the budgets stand. `open`: calls follow that are not counted in it yet.
    pub(crate) fn keep_budgets(&mut self, open: bool) -> Result<(), Error> {
        for (system, kept) in self.systems.iter().zip(&mut self.kept_budgets) {
            let budget = system.budget().map(|budget| Budget { open, ..budget });
            if let Some(budget) = budget.as_ref().filter(|_| *kept != budget) {
                notes::replace(self.store.as_mut(), &note(system.system()), budget)?;
                *kept = Some(budget.clone());
            }
        }
        Ok(())
    }
}
