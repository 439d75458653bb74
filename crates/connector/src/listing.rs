//! Whether a listing gets on: pages that only repeat themselves never end, and whoever follows them neither.

use crate::{Error, Incomplete};
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tandem_merge::record::{Observation, RecordType};
use tokio::time::Instant;

/// Pages in a row that show rows and nothing new.
const BARREN: u32 = 3;
/// Pages in a row without a row. Where a system filters what it has already cut into pages there may be many.
const EMPTY: u32 = 1_000;
/// A type that could not be listed is left alone for so long, then for twice as long, up to the last.
const PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);

/// The listings that run, by what they are called, and the types that are left alone for a while.
#[derive(Debug, Default)]
pub(crate) struct Listings(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    running: BTreeMap<String, Progress>,
    resting: BTreeMap<String, Resting>,
}

/// What a running listing has shown.
#[derive(Debug, Default)]
struct Progress {
    /// Continuations in the order in which they came.
    places: HashMap<u64, usize>,
    rows: HashSet<u64>,
    barren: u32,
    empty: u32,
}

#[derive(Debug)]
struct Resting {
    until: Instant,
    pause: Duration,
    error: Error,
}

impl Listings {
    /// A listing begins.
    pub(crate) fn begin(&self, name: &str) {
        self.lock().running.insert(name.to_owned(), Progress::default());
    }

    /// A listing showed a page, asked for by `from` (none: the first), and says how to go on. At its end nothing is
    /// kept. A page may be asked for again: what it led to before it leads to then.
    ///
    /// # Errors
    /// What repeats itself: the listing would never end.
    pub(crate) fn page(
        &self,
        name: &str,
        rows: &[Observation],
        from: Option<&str>,
        next: Option<&str>,
    ) -> Result<(), String> {
        let mut inner = self.lock();
        let Some(next) = next else {
            inner.running.remove(name);
            return Ok(());
        };
        let progress = inner.running.entry(name.to_owned()).or_default();
        let stuck = progress.take(rows, from.unwrap_or_default(), next);
        if stuck.is_err() {
            inner.running.remove(name);
        }
        stuck
    }

    /// Leaves a type alone for a while, each time longer, and says so.
    pub(crate) fn rest(&self, of: &RecordType, mut error: Error) -> Incomplete {
        let named = format!("the listing of {} is incomplete", of.name);
        if !error.message.starts_with(&named) {
            error.message = format!("{named}: {}", error.message);
        }
        let mut inner = self.lock();
        let before = inner.resting.get(&of.name).map(|resting| resting.pause);
        let pause = before.map_or(PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE));
        let resting = Resting {
            until: Instant::now() + pause,
            pause,
            error: error.clone(),
        };
        inner.resting.insert(of.name.clone(), resting);
        Incomplete {
            record_type: of.clone(),
            error,
        }
    }

    /// Why a type is left alone right now, where it is.
    pub(crate) fn rests(&self, of: &RecordType) -> Option<Incomplete> {
        let inner = self.lock();
        let resting = inner.resting.get(&of.name)?;
        (resting.until > Instant::now()).then(|| Incomplete {
            record_type: of.clone(),
            error: resting.error.clone(),
        })
    }

    /// A type was listed to its end.
    pub(crate) fn done(&self, of: &RecordType) {
        self.lock().resting.remove(&of.name);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    /// Where a continuation stands among those that came.
    fn place(&mut self, token: &str) -> usize {
        let next = self.places.len();
        *self.places.entry(hash(token)).or_insert(next)
    }

    fn take(&mut self, rows: &[Observation], from: &str, next: &str) -> Result<(), String> {
        let from = self.place(from);
        let known = self.places.get(&hash(next)).copied();
        if known.is_some_and(|place| place <= from) {
            return Err("it gives the same continuation again".to_owned());
        }
        self.place(next);
        let mut new = false;
        for row in rows {
            let version = row.version.as_ref().map(|version| &version.token);
            new |= self.rows.insert(hash((&row.key.id, version, row.presence as u8)));
        }
        match (rows.is_empty(), new) {
            // Asked for again.
            _ if known.is_some() => {}
            (false, true) => (self.barren, self.empty) = (0, 0),
            (false, false) => self.barren += 1,
            (true, _) => self.empty += 1,
        }
        if self.barren >= BARREN {
            return Err(format!("{BARREN} pages in a row show the same records again"));
        }
        if self.empty >= EMPTY {
            return Err(format!("{EMPTY} pages in a row are empty"));
        }
        Ok(())
    }
}

fn hash(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tandem_merge::record::{Presence, RecordKey};

    fn rows(ids: std::ops::Range<u32>) -> Vec<Observation> {
        let row = |id: u32| Observation {
            key: RecordKey::new("erp", "Order", id.to_string()),
            presence: Presence::Alive,
            values: BTreeMap::new(),
            version: None,
            created: None,
            author: None,
            read_began: jiff::Timestamp::UNIX_EPOCH,
            partial: false,
            protected: false,
            merged_into: None,
            unreadable: BTreeMap::new(),
        };
        ids.map(row).collect()
    }

    #[test]
    fn a_listing_that_repeats_itself_is_stuck_and_one_that_shows_news_is_not() {
        let listings = Listings::default();
        let step = |rows: &[Observation], from: &str, next: &str| {
            listings.page(
                "orders",
                rows,
                Some(from).filter(|from| !from.is_empty()),
                Some(next),
            )
        };
        listings.begin("orders");
        step(&rows(0..2), "", "0").unwrap();
        for number in 1..2_000 {
            let (from, next) = ((number - 1).to_string(), number.to_string());
            step(&rows(number..number + 2), &from, &next).unwrap();
        }
        // A page may be asked for again, as often as it takes.
        for _ in 0..9 {
            step(&rows(4..6), "3", "4").unwrap();
        }
        // The same continuation, however long ago.
        let round = step(&rows(5_000..5_001), "1999", "7");
        assert!(round.unwrap_err().contains("continuation"));
        let from = std::cell::Cell::new(0);
        let page = |rows: &[Observation], next: &str| {
            let before = from.replace(from.get() + 1);
            step(rows, &format!("f{before}"), next)
        };
        // Another one each time, and always the same records.
        listings.begin("orders");
        page(&rows(0..9), "a").unwrap();
        page(&rows(0..9), "b").unwrap();
        page(&rows(3..5), "c").unwrap();
        assert!(page(&rows(0..9), "d").unwrap_err().contains("same records"));
        // Nothing, for ever.
        listings.begin("orders");
        let empty = (0..EMPTY).find_map(|number| page(&[], &number.to_string()).err());
        assert!(empty.unwrap().contains("empty"));
        // A new listing may show what an earlier one showed.
        listings.begin("orders");
        page(&rows(0..9), "a").unwrap();
        listings.page("orders", &rows(0..9), Some("a"), None).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_type_that_is_stuck_rests_longer_each_time() {
        let listings = Listings::default();
        let of = RecordType::new("erp", "Order");
        let error = Error {
            system: "erp".to_owned(),
            kind: crate::ErrorKind::Protocol,
            message: "stuck".to_owned(),
            advice: String::new(),
            retry_at: None,
            scope: crate::Scope::System,
        };
        let told = listings.rest(&of, error.clone());
        assert_eq!(told.error.message, "the listing of Order is incomplete: stuck");
        assert_eq!(listings.rests(&of), Some(told));
        tokio::time::advance(PAUSE).await;
        assert_eq!(listings.rests(&of), None);
        listings.rest(&of, error.clone());
        tokio::time::advance(PAUSE).await;
        assert!(listings.rests(&of).is_some());
        tokio::time::advance(PAUSE).await;
        assert_eq!(listings.rests(&of), None);
        listings.done(&of);
        listings.rest(&of, error);
        tokio::time::advance(PAUSE).await;
        assert_eq!(listings.rests(&of), None);
    }
}
