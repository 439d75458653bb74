//! A backup takes the place of the state while the process goes on: it is weighed beside the work, then the work ends as for
//! a configuration that is read again, and begins anew with what is there by then.

use super::say;
use crate::arguments::Common;
use crate::failure::Failure;
use crate::loading::{self, AGAIN, PATIENCE, Restores};
use crate::screen::{Screen, count_of};
use std::time::Instant;
use tandem_api::door::Restoring;
use tandem_api::{NotRestored, Refused, Restored};
use tandem_ledger::{Error, Home, Keys};
use tandem_merge::config::Configuration;
use tokio::sync::mpsc;

/// Backups that are asked for; whoever asks waits while another one is put in place.
pub(super) struct Restorings {
    door: Restores,
    asked: mpsc::Receiver<Restoring>,
    /// The one that is weighed.
    weighed: Option<Restoring>,
}

impl Default for Restorings {
    fn default() -> Self {
        let (door, asked) = mpsc::channel(1);
        Self {
            door,
            asked,
            weighed: None,
        }
    }
}

/// By what a backup is weighed.
#[derive(Clone)]
pub(super) struct Weighing {
    home: Home,
    keys: Keys,
}

impl Weighing {
    pub(super) fn of(common: &Common, configuration: &Configuration) -> Result<Self, Failure> {
        Ok(Self {
            home: loading::home(common, configuration)?,
            keys: loading::keys(configuration)?,
        })
    }
}

impl Restorings {
    /// Where they are asked for.
    pub(super) fn door(&self) -> Restores {
        self.door.clone()
    }

    /// The next that may take the place of the state. Others are refused without disturbing anybody.
    pub(super) async fn next(&mut self, weighing: &Weighing) -> Restoring {
        loop {
            if self.weighed.is_none() {
                self.weighed = self.asked.recv().await;
            }
            let Some(restoring) = &self.weighed else {
                // There is always a sender: our own.
                return std::future::pending().await;
            };
            let (restore, by) = (restoring.restore.clone(), weighing.clone());
            let weighed = tokio::task::spawn_blocking(move || restore.weigh(&by.home, &by.keys)).await;
            let Some(restoring) = self.weighed.take() else {
                continue;
            };
            if restoring.tell.is_closed() {
                gone(restoring);
                continue;
            }
            match weighed {
                Ok(Ok(())) => return restoring,
                Ok(Err(why)) => answer(restoring, Err(why.into())),
                Err(error) => answer(restoring, Err(broken(&error))),
            }
        }
    }
}

/// Puts a backup in the place of the state, which nobody works with, and tells whoever asked. Whether it is there.
pub(super) async fn carry_out(
    restoring: Restoring,
    common: &Common,
    configuration: &Configuration,
    screen: &Screen,
) -> bool {
    let weighing = match Weighing::of(common, configuration) {
        Ok(weighing) => weighing,
        Err(failure) => {
            screen.log_failure(&failure);
            return false;
        }
    };
    if restoring.tell.is_closed() {
        gone(restoring);
        return false;
    }
    let file = restoring.restore.file.display();
    say(
        screen,
        "restoring",
        &format!("The backup {file} takes the place of the state."),
    );
    let restore = restoring.restore.clone();
    let done = tokio::task::spawn_blocking(move || put_in_place(&restore, &weighing)).await;
    let done = done.unwrap_or_else(|error| Err(broken(&error)));
    match &done {
        Ok(restored) => say(screen, "restored", &told(restored)),
        Err(refused) => {
            screen.log_failure(&refused.clone().into());
            say(screen, "state-kept", "The state stays as it was.");
        }
    }
    let there = done.is_ok();
    answer(restoring, done);
    there
}

/// The hold of the work that ended may be there for a moment still, and somebody's command may have taken it.
fn put_in_place(restore: &tandem_api::Restore, by: &Weighing) -> Result<Restored, Refused> {
    let began = Instant::now();
    loop {
        // A write under way may yet take effect, and the backup knows nothing of it: a create would be made twice.
        if let Ok(Some(there)) = tandem_ledger::look_at_state(&by.home, &by.keys)
            && there.sent > 0
        {
            return Err(Refused::usage(
                format!(
                    "{} without an answer; nothing was changed",
                    count_of(there.sent, "write is", "writes are")
                ),
                "Ask again in a moment: the process settles them. Where their system is away, stop the process, then restore",
            ));
        }
        match restore.carry_out(&by.home, &by.keys, jiff::Timestamp::now()) {
            Err(NotRestored::Store(Error::Held(_))) if began.elapsed() < PATIENCE => {
                std::thread::sleep(AGAIN)
            }
            done => return done.map_err(Refused::from),
        }
    }
}

/// Whoever asked did not wait: nothing is done behind their back.
fn gone(restoring: Restoring) {
    answer(
        restoring,
        Err(Refused::usage(
            "whoever asked is gone; nothing was changed",
            "Ask again",
        )),
    );
}

fn told(restored: &Restored) -> String {
    let made = restored.made.map(|made| format!("{made:.0}")).unwrap_or_default();
    let kept = restored.kept.as_ref();
    let kept = kept.map(|kept| format!("; the state before it is kept in {kept}"));
    format!("The state is as it was at {made}{}.", kept.unwrap_or_default())
}

/// Tells whoever asked, and notes that it was asked for.
fn answer(restoring: Restoring, done: Result<Restored, Refused>) {
    let command = format!("restore {}", restoring.restore.file.display());
    let outcome = done
        .as_ref()
        .map_or_else(|refused| refused.what.as_str(), |_| "done");
    tracing::info!(target: "tandem::audit", who = "door", command, outcome, "somebody asked at the door");
    // Whoever asked may be gone; what was done is done.
    let _gone = restoring.tell.send(done);
}

fn broken(error: &tokio::task::JoinError) -> Refused {
    Refused::trouble(
        format!("the backup could not be put in place ({error})"),
        "Look whether the state is as it was, then try again",
    )
}
