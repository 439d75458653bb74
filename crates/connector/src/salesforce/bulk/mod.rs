//! Bulk API 2.0: writes as jobs that nobody waits for, and reading what is large.
//!
//! A job is made safe against every crash so: its rows are spooled while it is *Open*, and the org processes
//! nothing of an Open job. Only when its handle is durable with whoever asked, and comes back in
//! [`Ingest::resume`], are the rows uploaded and the upload declared complete; how far that got is noted on disk
//! before and after each step. A job that an earlier process never submitted is given up, and its rows are sent again.

mod job;
pub(super) mod listing;
pub(super) mod query;
mod results;
mod rows;
mod spool;

use super::{Salesforce, derived, fitting, write};
use crate::{Change, Error, ErrorKind, Outcome, Resumed, Write};
use job::{Job, Operation};
use rows::Row;
pub(super) use rows::parent;
use spool::Spool;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tandem_seal::Files;
use tokio::sync::Mutex;

/// Bytes of rows in one job: an upload has at most 150 MB, counted after base64.
pub(super) const JOB_BYTES: u64 = 100_000_000;

/// The jobs of a connection that write.
pub(super) struct Ingest {
    folder: PathBuf,
    files: Files,
    job_bytes: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By handle: the id of the job as it was first opened.
    jobs: BTreeMap<String, Job>,
    /// The states of all jobs by id, as one call showed them.
    seen: Option<(Instant, BTreeMap<String, String>)>,
}

impl Ingest {
    pub(super) fn new(folder: PathBuf, files: Files, job_bytes: u64) -> Self {
        Self {
            folder,
            files,
            job_bytes,
            state: Mutex::default(),
        }
    }

    /// The folder for what is on its way.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// How files in it are kept.
    pub(super) fn files(&self) -> &Files {
        &self.files
    }

    /// Whoever holds handles begins anew: what was accepted and is not submitted may never have been noted.
    pub(super) async fn begin_anew(&self) {
        self.state.lock().await.jobs.clear();
    }

    /// Spools a batch of one kind and type. What cannot travel so is carried out at once.
    pub(super) async fn accept(&self, org: &Salesforce, batch: &[Write]) -> Vec<Outcome> {
        let (resolved, mut unresolved) = derived::resolve(org, batch).await;
        fitting::check(org, &resolved, &mut unresolved).await;
        let mut outcomes: Vec<Option<Outcome>> = batch.iter().map(|_| None).collect();
        for (place, outcome) in unresolved {
            outcomes[place] = Some(outcome);
        }
        let mut state = self.state.lock().await;
        if let Some((operation, target)) = rows::suited(org, &resolved).await {
            let mut spooled = Vec::new();
            for (place, write) in resolved.iter().enumerate() {
                let free = outcomes[place].is_none();
                if let Some(row) = free.then(|| rows::row(&target, write)).flatten() {
                    spooled.push((place, row));
                }
            }
            self.spool(org, &mut state, (operation, &target), spooled, &mut outcomes)
                .await;
        }
        drop(state);
        let at_once = (0..batch.len()).filter(|place| outcomes[*place].is_none());
        let at_once: Vec<usize> = at_once.collect();
        let writes: Vec<Write> = at_once.iter().map(|place| resolved[*place].clone()).collect();
        if !writes.is_empty() {
            let carried = write::carry_out(org, &writes).await;
            for (place, outcome) in at_once.into_iter().zip(carried) {
                outcomes[place] = Some(outcome);
            }
        }
        let forgotten = || Outcome::NotSent(org.session.http.protocol("a write was left out"));
        outcomes
            .into_iter()
            .map(|outcome| outcome.unwrap_or_else(forgotten))
            .collect()
    }

    async fn spool(
        &self,
        org: &Salesforce,
        state: &mut State,
        (operation, target): (Operation, &rows::Target),
        spooled: Vec<(usize, Row)>,
        outcomes: &mut [Option<Outcome>],
    ) {
        let fits = |job: &&mut Job| job.takes(operation, target, self.job_bytes);
        let open = state.jobs.iter_mut().find(|(_, job)| fits(job));
        let handle = match open {
            Some((handle, _)) => Ok(handle.clone()),
            None => self.open(org, state, operation, target).await,
        };
        let kept = match handle {
            Ok(handle) => {
                let job = state.jobs.get_mut(&handle);
                let kept = job.map(|job| job.spool.append(&spooled));
                kept.unwrap_or(Ok(Vec::new()))
                    .map(|kept| (handle, kept))
                    .map_err(|error| org.session.http.unkept(&self.folder, &error))
            }
            Err(error) => Err(error),
        };
        match kept {
            Ok((handle, kept)) => {
                for place in kept {
                    outcomes[place] = Some(Outcome::Accepted {
                        handle: handle.clone(),
                    });
                }
            }
            Err(error) => {
                for (place, _) in spooled {
                    outcomes[place] = Some(Outcome::NotSent(error.clone()));
                }
            }
        }
    }

    /// Opens a job and its spool.
    async fn open(
        &self,
        org: &Salesforce,
        state: &mut State,
        operation: Operation,
        target: &rows::Target,
    ) -> Result<String, Error> {
        let id = job::create(org, operation, &target.object).await?;
        let spool = Spool::create((&self.folder, &self.files), &id, operation, target);
        let spool = spool.map_err(|error| org.session.http.unkept(&self.folder, &error))?;
        state.jobs.insert(id.clone(), Job::new(spool, true));
        Ok(id)
    }

    /// Goes on with a job, and tells the outcomes that there are.
    pub(super) async fn resume(&self, org: &Salesforce, handle: &str) -> Result<Resumed, Error> {
        let mut state = self.state.lock().await;
        if !state.jobs.contains_key(handle) {
            let found = Spool::open((&self.folder, &self.files), handle);
            match found.map_err(|error| org.session.http.unkept(&self.folder, &error))? {
                Some(spool) => drop(state.jobs.insert(handle.to_owned(), Job::new(spool, false))),
                None => return job::without_rows(org, handle).await,
            }
        }
        let State { jobs, seen } = &mut *state;
        let running = jobs.values().filter(|job| job.is_running()).count();
        let Some(job) = jobs.get_mut(handle) else {
            return Ok(Resumed::Done(Vec::new()));
        };
        let resumed = job.resume(org, running, seen).await?;
        if let Resumed::Some(told) | Resumed::Done(told) = &resumed
            && job.spool.ledger.operation == Operation::Insert
        {
            let applied = told
                .iter()
                .filter(|(_, told)| matches!(told, Outcome::Applied { .. }));
            org.absence.made(&job.spool.ledger.object, applied.count() as u64);
        }
        if matches!(resumed, Resumed::Done(_)) {
            job.spool.remove();
            jobs.remove(handle);
        }
        Ok(resumed)
    }
}

/// Why a row is to be sent again.
fn unprocessed(org: &Salesforce) -> Error {
    org.session.http.error(
        ErrorKind::Down,
        "a Bulk job ended before it came to the row",
        "It is sent again",
    )
}

/// The record that an update changes.
fn updated(write: &Write) -> Option<&str> {
    match &write.change {
        Change::Update { record, .. } => Some(&record.id),
        Change::Create { .. } | Change::Delete { .. } => None,
    }
}
