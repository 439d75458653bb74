//! The newest plan, and one that is being made.

use crate::access::{Person, Role};
use crate::backstage::Wanted;
use crate::desk::Desk;
use crate::problem::Problem;
use jiff::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tandem_api::Refused;
use tandem_api::look::LinesOf;
use tandem_api::rehearsed::{Progress, Rehearsed};
use tandem_api::view::{ByConfiguration, Making, Plan, PlanFailed};

/// Plans of this process: no more than the newest one is kept.
#[derive(Default)]
pub(crate) struct Plans {
    stand: Mutex<Stand>,
    /// Held while one is being made.
    busy: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Clone, Default)]
struct Stand {
    making: Option<Begun>,
    failed: Option<(Timestamp, Refused)>,
    /// The newest one, with who asked for it.
    made: Option<(Arc<Rehearsed>, String)>,
}

/// One that is being made.
#[derive(Clone)]
struct Begun {
    since: Timestamp,
    by: String,
    configuration: ByConfiguration,
    progress: Arc<Progress>,
}

impl Begun {
    fn shown(&self) -> Making {
        let counted = self.progress.counted();
        Making {
            since: self.since,
            by: self.by.clone(),
            configuration: self.configuration,
            read: counted.read,
            decided: counted.decided,
            found: counted.found,
        }
    }
}

impl Plans {
    fn lock(&self) -> MutexGuard<'_, Stand> {
        self.stand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until none is being made: its copy of the state is gone then.
    pub(crate) async fn rest(&self) {
        drop(self.busy.lock().await);
    }

    /// Begins one unless one is being made.
    fn begin(&self, begun: Begun) -> bool {
        let mut stand = self.lock();
        if stand.making.is_some() {
            return false;
        }
        stand.making = Some(begun);
        stand.failed = None;
        true
    }

    /// Takes over what came of the one that was being made.
    fn end(&self, came: Result<Rehearsed, Refused>) {
        let mut stand = self.lock();
        let by = stand.making.take().map(|begun| begun.by).unwrap_or_default();
        match came {
            Ok(made) => stand.made = Some((Arc::new(made), by)),
            Err(refused) => stand.failed = Some((Timestamp::now(), refused)),
        }
    }
}

impl Desk {
    /// Begins to make a plan, unless one is being made already: then that one is waited for.
    pub(crate) fn make_plan(
        self: &Arc<Self>,
        person: &Person,
        configuration: ByConfiguration,
    ) -> Result<(), Problem> {
        if person.role < Role::Operator {
            return Err(Problem::forbidden("this needs the role operator"));
        }
        let begun = Begun {
            since: Self::moment(),
            by: person.name.clone(),
            configuration,
            progress: Arc::default(),
        };
        let wanted = Wanted {
            configuration,
            progress: begun.progress.clone(),
            stop: self.closing.subscribe(),
        };
        let outcome = match self.plans.begin(begun) {
            true => "begun",
            false => "one is being made",
        };
        tracing::info!(target: "tandem::audit", who = person.name, command = "plan", outcome, "{} asked", person.name);
        if outcome == "begun" {
            let desk = self.clone();
            tokio::spawn(async move {
                let _busy = desk.plans.busy.clone().lock_owned().await;
                let backstage = desk.backstage.clone();
                let came = tokio::task::spawn_blocking(move || backstage.rehearse(&wanted)).await;
                let came = came.unwrap_or_else(|error| {
                    Err(Refused::trouble(
                        format!("the plan broke off ({error})"),
                        "Try again",
                    ))
                });
                desk.plans.end(came);
            });
        }
        Ok(())
    }

    /// The newest plan with a page of its lines, and how far one is that is being made.
    pub(crate) async fn plan(
        &self,
        person: &Person,
        of: LinesOf,
        cursor: Option<String>,
        rows: usize,
    ) -> Result<Plan, Problem> {
        let stand = self.plans.lock().clone();
        let failed = stand.failed.map(|(at, refused)| PlanFailed {
            at,
            why: refused.what,
            advice: refused.advice,
        });
        let made = match stand.made {
            None => None,
            Some((made, by)) => {
                let personal = person.role == Role::Admin;
                let look = self.look(person, move |looker| {
                    looker.plan(&made, (&by, personal), &of, (cursor.as_deref(), rows))
                });
                Some(look.await?)
            }
        };
        Ok(Plan {
            making: stand.making.as_ref().map(Begun::shown),
            failed,
            made,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn begun(by: &str) -> Begun {
        Begun {
            since: Timestamp::UNIX_EPOCH,
            by: by.to_owned(),
            configuration: ByConfiguration::InForce,
            progress: Arc::default(),
        }
    }

    #[test]
    fn one_is_made_at_a_time_and_a_failure_leaves_the_one_before() {
        let plans = Plans::default();
        assert!(plans.begin(begun("otto")));
        assert!(!plans.begin(begun("ada")));
        assert_eq!(plans.lock().making.as_ref().unwrap().shown().by, "otto");
        plans.end(Err(Refused::trouble("salesforce is down", "Wait")));
        assert!(plans.lock().making.is_none() && plans.lock().failed.is_some());
        // The next one begins as if nothing had been.
        assert!(plans.begin(begun("ada")));
        assert!(plans.lock().failed.is_none());
    }
}
