//! Seats: log-ins that an ERP's licence counts. All processes that work with one state share them, and where none is free
//! nobody asks again and again.

use super::super::Rest;
use super::Kept;
use crate::http::{Reply, clock};
use crate::kept::locked;
use crate::{Error, ErrorKind};
use jiff::Timestamp;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long nobody logs in after the ERP had no seat and named no time.
const PAUSE: Duration = Duration::from_secs(300);
/// When a seat of another process is asked for again.
const OTHERS: Duration = Duration::from_secs(30);

/// The seats that our licence has for us.
#[derive(Default)]
pub(super) struct Seats {
    /// A file for each seat, where processes share them.
    places: Vec<PathBuf>,
    /// The one that this process sits on.
    taken: Mutex<Option<File>>,
    /// Nobody logs in before then, and why.
    wait: Mutex<Option<(Instant, Error)>>,
}

impl Seats {
    /// So many, shared by whoever keeps something beside the same state.
    pub(super) fn new(most: Option<u32>, kept: Option<&Kept>) -> Self {
        let place = |number: u32, kept: &Kept| kept.path().with_extension(format!("seat-{number}"));
        let places = most.zip(kept).into_iter();
        Self {
            places: places
                .flat_map(|(most, kept)| (1..=most).map(move |number| place(number, kept)))
                .collect(),
            ..Self::default()
        }
    }

    /// Takes a seat before a log-in.
    ///
    /// # Errors
    /// None is free: nothing was sent.
    pub(super) fn take(&self, rest: &Rest) -> Result<(), Error> {
        let wait = self.wait.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((until, error)) = wait
            && Instant::now() < until
        {
            return Err(error);
        }
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.is_some() || self.places.is_empty() {
            return Ok(());
        }
        for place in &self.places {
            match locked(place) {
                Ok(Some(lock)) => {
                    *taken = Some(lock);
                    return Ok(());
                }
                Ok(None) => {}
                Err(error) => return Err(rest.http.unkept(place, &error)),
            }
        }
        let what = format!(
            "all {} seats are taken by other processes of Tandem",
            self.places.len()
        );
        let advice =
            "Wait until those have ended, or raise `seats` in the description where the licence has more";
        let mut error = rest.http.error(ErrorKind::Refused, what, advice);
        error.retry_at = later(OTHERS);
        Err(error)
    }

    /// The ERP has no seat: nobody logs in until it may have one.
    pub(super) fn none_free(&self, reply: &Reply, mut error: Error) -> Error {
        let pause = reply.retry_after().unwrap_or(PAUSE);
        error.retry_at = later(pause);
        let until = Instant::now() + pause;
        *self.wait.lock().unwrap_or_else(PoisonError::into_inner) = Some((until, error.clone()));
        self.leave();
        error
    }

    /// Gives the seat to others.
    pub(super) fn leave(&self) {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn later(pause: Duration) -> Option<Timestamp> {
    clock::now().checked_add(pause).ok()
}
