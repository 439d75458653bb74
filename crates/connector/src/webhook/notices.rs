//! What messages told, until somebody asks.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tandem_merge::record::{RecordKey, RecordType};
use tokio::sync::Notify;

/// So many records are remembered by name; of more it is only known that something changed.
const MOST: usize = 10_000;
/// Messages often come in bursts: so long is gathered before anybody is woken.
const GATHER: Duration = Duration::from_millis(200);

/// Records to look at, and whether anybody was told.
#[derive(Debug, Default)]
pub(super) struct Notices {
    waiting: Mutex<Waiting>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    news: bool,
    keys: BTreeSet<RecordKey>,
    /// Those that went with a page, and where it ends: whoever goes on from there has kept it.
    gone: Option<(Vec<RecordKey>, Vec<u8>)>,
}

impl Notices {
    /// Something changed: these records, or what is not said.
    pub(super) fn add(&self, keys: Vec<RecordKey>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.news = true;
        let free = MOST.saturating_sub(waiting.keys.len());
        waiting.keys.extend(keys.into_iter().take(free));
        drop(waiting);
        self.news.notify_waiters();
    }

    /// Resolves when something waits, a moment after the first of it came.
    pub(super) async fn changed(&self) {
        loop {
            let news = self.news.notified();
            if self.waiting.lock().unwrap_or_else(PoisonError::into_inner).news {
                tokio::time::sleep(GATHER).await;
                // Whoever is woken may not be able to ask now: it is woken once.
                self.waiting.lock().unwrap_or_else(PoisonError::into_inner).news = false;
                return;
            }
            news.await;
        }
    }

    /// These went with a page that ends there.
    pub(super) fn went_with(&self, keys: Vec<RecordKey>, cursor: &[u8]) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.gone = Some((keys, cursor.to_vec()));
    }

    /// Hands out the records of these types, to whoever goes on from there.
    pub(super) fn take(&self, types: &[RecordType], cursor: Option<&[u8]>) -> Vec<RecordKey> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((keys, end)) = waiting.gone.take()
            && cursor != Some(end.as_slice())
        {
            waiting.keys.extend(keys);
        }
        let all = std::mem::take(&mut waiting.keys);
        let (taken, left): (BTreeSet<_>, _) =
            all.into_iter().partition(|key| types.contains(&key.record_type));
        waiting.keys = left;
        taken.into_iter().collect()
    }
}
