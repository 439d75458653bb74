//! The background work: a slice of every running job in turn.

use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use super::job::State;
use super::load::Loading;
use super::query::Extracting;
use crate::salesforce::id::RecordId;
use crate::salesforce::org::Org;

/// How long the org's lock is free between two rounds: waiting requests are woken in this time.
const PAUSE: Duration = Duration::from_millis(1);

/// Whoever keeps the org.
pub(crate) trait Keeper: Send + Sync + 'static {
    /// The org, for a short while.
    fn org(&self) -> MutexGuard<'_, Org>;
}

/// A job being carried out.
enum Running {
    Load(Box<Loading>),
    Extract(Box<Extracting>),
}

impl Running {
    fn begin(org: &mut Org, id: RecordId) -> Option<Running> {
        if org.jobs.get(id)?.is_query() {
            Extracting::begin(org, id).map(|one| Running::Extract(Box::new(one)))
        } else {
            Loading::begin(org, id).map(|one| Running::Load(Box::new(one)))
        }
    }

    /// Carries out a slice. Answers whether there is more to do.
    fn step(&mut self, keeper: &impl Keeper) -> bool {
        match self {
            Running::Load(loading) => {
                loading.read();
                loading.write(&mut keeper.org())
            }
            Running::Extract(extracting) => extracting.step(&mut keeper.org()),
        }
    }
}

/// Carries out the jobs of an org until the task is dropped.
pub(crate) async fn run(keeper: Arc<impl Keeper>) {
    let wake = Arc::clone(&keeper.org().jobs.wake);
    let mut running: Vec<Running> = Vec::new();
    loop {
        running.extend(begin_waiting(&mut keeper.org()));
        if running.is_empty() {
            wake.notified().await;
            continue;
        }
        running.retain_mut(|job| job.step(&*keeper));
        tokio::time::sleep(PAUSE).await;
    }
}

fn begin_waiting(org: &mut Org) -> Vec<Running> {
    let waiting: Vec<RecordId> = org
        .jobs
        .jobs
        .values()
        .filter(|job| job.state == State::UploadComplete)
        .map(|job| job.id)
        .collect();
    waiting
        .into_iter()
        .filter_map(|id| Running::begin(org, id))
        .collect()
}
