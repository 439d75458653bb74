//! What wakes a round, and what is asked beside the events.

use super::super::SalesforceConfig;
use super::super::events::{Events, Standing};
use super::super::session::Session;
use crate::{Change, Error};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// The ear of a connection.
pub(in super::super) struct Watching {
    pub(super) events: Option<Events>,
    /// Somebody waits to be told.
    listening: AtomicBool,
    /// A comparison goes on as soon as nothing else is to do.
    comparing: AtomicBool,
    /// When a record is looked at again.
    look: Mutex<Option<Instant>>,
    /// What was written since a type was asked for.
    wrote: Mutex<BTreeMap<String, Written>>,
}

/// What was written of a type.
#[derive(Clone, Copy, Default)]
struct Written {
    /// Records, about.
    rows: usize,
    /// Some were created: what the org filled in is asked for.
    created: bool,
}

impl Watching {
    /// Makes watching ready; nothing is sent yet.
    pub(in super::super) fn new(session: &Arc<Session>, config: &SalesforceConfig) -> Result<Self, Error> {
        Ok(Self {
            events: Events::new(session, config)?,
            listening: AtomicBool::new(false),
            comparing: AtomicBool::new(false),
            look: Mutex::default(),
            wrote: Mutex::default(),
        })
    }

    /// Resolves when a round is worth while. Whoever waits here is told by events from then on.
    pub(in super::super) async fn changed(&self) {
        let begins = !self.listening.swap(true, Ordering::Relaxed) && self.events.is_some();
        if begins || self.comparing.load(Ordering::Relaxed) {
            return;
        }
        let look = *lock(&self.look);
        let told = async {
            match &self.events {
                Some(events) => events.changed().await,
                None => std::future::pending().await,
            }
        };
        let due = async {
            match look {
                Some(look) => tokio::time::sleep_until(look).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = told => {}
            () = due => {}
        }
    }

    /// A record is written by us.
    pub(in super::super) fn wrote(&self, change: &Change) {
        let (of, created) = match change {
            Change::Create { record_type, .. } => (record_type, true),
            Change::Update { record, .. } | Change::Delete { record, .. } => (&record.record_type, false),
        };
        let mut wrote = lock(&self.wrote);
        match wrote.get_mut(&of.name) {
            Some(written) => {
                written.rows += 1;
                written.created |= created;
            }
            None => drop(wrote.insert(of.name.clone(), Written { rows: 1, created })),
        }
    }

    /// Whether the type is to be asked for because of what we created.
    pub(super) fn is_owed(&self, name: &str) -> bool {
        lock(&self.wrote).get(name).is_some_and(|written| written.created)
    }

    /// About how many rows of ours the type will show.
    pub(super) fn expects(&self, name: &str) -> usize {
        lock(&self.wrote).get(name).map_or(0, |written| written.rows)
    }

    /// The type was asked for.
    pub(super) fn asked(&self, name: &str) {
        lock(&self.wrote).remove(name);
    }

    pub(super) fn listens(&self) -> bool {
        self.listening.load(Ordering::Relaxed)
    }

    pub(super) fn compare(&self, goes_on: bool) {
        self.comparing.store(goes_on, Ordering::Relaxed);
    }

    pub(super) fn look_at(&self, next: Option<Instant>) {
        *lock(&self.look) = next;
    }

    /// Whether events of a type come.
    pub(super) fn is_open(&self, name: &str) -> bool {
        let events = self.events.as_ref();
        events.and_then(|events| events.standing(name)) == Some(Standing::Open)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
