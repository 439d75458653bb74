//! Bulk API 2.0: jobs that load and query many rows, carried out in the background.
//!
//! A job's data is read outside the org's lock and written in short slices under it, so that other requests go on.

mod column;
mod ingest;
mod job;
mod listing;
mod load;
mod multipart;
mod outcomes;
mod query;
mod rows;
mod usage;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Notify;

pub(crate) use ingest::{MAX_UPLOAD, ingest, is_upload, too_large};
pub(crate) use query::query;
pub(crate) use usage::Usage;
pub(crate) use worker::{Keeper, run};

use self::job::{Job, State};
use super::fault::{Fault, Outcome};
use super::id::RecordId;

/// How long a job is kept, in seconds.
const RETENTION: i64 = 7 * 86_400;

/// The jobs of the org, in the order of their creation.
pub(crate) struct Jobs {
    jobs: BTreeMap<RecordId, Job>,
    given: u64,
    seed: u64,
    wake: Arc<Notify>,
    pub(crate) usage: Usage,
}

impl Jobs {
    pub(crate) fn new(seed: u64) -> Jobs {
        Jobs {
            jobs: BTreeMap::new(),
            given: 0,
            seed,
            wake: Arc::default(),
            usage: Usage::default(),
        }
    }

    /// The number of the next job's id.
    fn draw(&mut self) -> u64 {
        self.given += 1;
        self.given
    }

    /// Keeps a new job, and forgets those that are older than a week.
    fn keep(&mut self, job: Job) {
        let oldest = job.created - RETENTION;
        self.jobs
            .retain(|_, known| known.created >= oldest || known.state.is_running());
        if job.state == State::UploadComplete {
            self.wake.notify_one();
        }
        self.jobs.insert(job.id, job);
    }

    fn get(&self, id: RecordId) -> Option<&Job> {
        self.jobs.get(&id)
    }

    fn get_mut(&mut self, id: RecordId) -> Option<&mut Job> {
        self.jobs.get_mut(&id)
    }

    /// The job that an address names.
    ///
    /// # Errors
    /// `NOT_FOUND` where there is none of this kind.
    fn named(&mut self, text: &str, is_query: bool) -> Outcome<&mut Job> {
        RecordId::parse(text)
            .ok()
            .and_then(|id| self.jobs.get_mut(&id))
            .filter(|job| job.is_query() == is_query)
            .ok_or_else(Fault::not_found)
    }
}
