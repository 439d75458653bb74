//! Tells what travels and what waits: each line of the history, and each item, as soon as it is stored, with its number and
//! what people call its record. They are read beside the work, as the console reads them, so that all show the same in one
//! shape.

use super::live::{Live, News};
use super::told;
use crate::screen::Screen;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tandem_api::look::ItemsOf;
use tandem_api::view::Item;
use tandem_api::{Refused, Window};
use tandem_ledger::Store;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Lines read at a time.
const LINES: usize = 500;
/// For room to write to is waited so long at a time.
const WAIT: Duration = Duration::from_millis(100);
/// So many items that are deferred are kept in mind.
const KEPT: usize = 1_000;
/// What waits for less may be over in a moment, as an order is that waits for its lines: it is told once its round ended.
const LASTING: SignedDuration = SignedDuration::from_secs(10);

/// The numbers of the last line and of the last item that were told. It outlives a configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told(Arc<[AtomicU64; 2]>);

impl Told {
    /// From a line and an item on.
    pub(crate) fn after(line: u64, item: u64) -> Self {
        Self(Arc::new([line, item].map(AtomicU64::new)))
    }

    /// All that a state holds.
    ///
    /// # Errors
    /// A state that cannot be read.
    pub(crate) fn all_of(store: &mut dyn Store) -> Result<Self, tandem_ledger::Error> {
        let newest = store.latest(None, u64::MAX, 1)?;
        let line = newest.first().map_or(0, |(number, _)| *number);
        let mut item = 0;
        loop {
            let page = store.items(item, LINES)?;
            let Some(last) = page.last() else {
                return Ok(Self::after(line, item));
            };
            item = last.number;
        }
    }

    fn line(&self) -> &AtomicU64 {
        &self.0[0]
    }

    fn item(&self) -> &AtomicU64 {
        &self.0[1]
    }
}

/// A task that tells.
pub(crate) struct Telling {
    task: JoinHandle<()>,
    closing: watch::Sender<bool>,
}

impl Telling {
    /// Tells every change that is stored from now on, and those after the last that was told.
    pub(crate) fn begin(window: Window, live: &Live, screen: Screen, told: Told) -> Self {
        let (closing, closed) = watch::channel(false);
        let teller = Arc::new(Teller {
            window,
            screen,
            told,
            closed: closed.clone(),
            deferred: Mutex::default(),
        });
        let task = tokio::spawn(tell(teller, live.news.clone(), closed));
        Self { task, closing }
    }

    /// Tells what is there still, and ends.
    pub(crate) async fn end(mut self) {
        self.closing.send_replace(true);
        // One that failed says so where it failed.
        let _ended = (&mut self.task).await;
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Teller {
    window: Window,
    screen: Screen,
    told: Told,
    /// The work has ended: nobody is waited for any more.
    closed: watch::Receiver<bool>,
    /// Items that were passed over because they wait for a link, by their numbers: they may come to wait for a person.
    deferred: Mutex<BTreeSet<u64>>,
}

async fn tell(teller: Arc<Teller>, news: Arc<News>, mut closed: watch::Receiver<bool>) {
    loop {
        let closing = tokio::select! {
            biased;
            () = news.told.notified() => false,
            _ = closed.wait_for(|closed| *closed) => true,
        };
        let telling = teller.clone();
        let rests = news.rests.swap(false, Ordering::AcqRel) || closing;
        // What is stored while this reads is told by the next look: whoever stores it says so again.
        let done = tokio::task::spawn_blocking(move || telling.all(rests)).await;
        if let Ok(Err(refused)) = done {
            tracing::warn!("what travels cannot be told now: {}", refused.what);
        }
        if closing {
            return;
        }
    }
}

impl Teller {
    /// Tells all that is not told yet; what has begun to wait a moment ago only where the work rests.
    fn all(&self, rests: bool) -> Result<(), Refused> {
        self.lines()?;
        self.items(rests)?;
        if rests { self.no_longer_deferred() } else { Ok(()) }
    }

    fn item(&self, item: &Item) {
        self.screen.json(&told::item(item));
        let (at, level) = (item.since, told::level_of(item));
        self.screen.travels(at, level, &told::waits(item));
    }

    fn pass_over(&self, item: u64) {
        let mut deferred = self.deferred.lock().unwrap_or_else(PoisonError::into_inner);
        if deferred.len() < KEPT {
            deferred.insert(item);
        }
    }

    /// Tells what was deferred and waits for a person now.
    fn no_longer_deferred(&self) -> Result<(), Refused> {
        let mut deferred = self.deferred.lock().unwrap_or_else(PoisonError::into_inner);
        let numbers: Vec<u64> = deferred.iter().copied().collect();
        for number in numbers {
            // One that cannot be looked at now is looked at the next time.
            match self.window.look(false, |looker| looker.item(number))? {
                Some(item) if item.standing == "deferred" => continue,
                Some(item) => self.item(&item),
                None => {}
            }
            deferred.remove(&number);
        }
        Ok(())
    }

    /// Whoever reads slowly is waited for, beside the work: lines of the history are not left out for that.
    fn wait_for_room(&self) {
        let open = || self.closed.has_changed().is_ok() && !*self.closed.borrow();
        while open() && !self.screen.has_room(WAIT) {}
    }

    fn lines(&self) -> Result<(), Refused> {
        loop {
            self.wait_for_room();
            let after = self.told.line().load(Ordering::Acquire);
            let changes = self
                .window
                .look(false, |looker| looker.named_changes_after(after, LINES))?;
            for change in &changes {
                self.screen.json(change);
                if told::is_shown(change) {
                    let (at, level) = (change.at, told::level(change));
                    self.screen.travels(at, level, &told::sentence(change));
                }
            }
            let Some(last) = changes.last() else {
                return Ok(());
            };
            self.told.line().store(last.number, Ordering::Release);
        }
    }

    fn items(&self, rests: bool) -> Result<(), Refused> {
        let lasts = |item: &Item| rests || Timestamp::now().duration_since(item.since) > LASTING;
        loop {
            self.wait_for_room();
            let after = self.told.item().load(Ordering::Acquire).to_string();
            let page = self.window.look(false, |looker| {
                looker.items(&ItemsOf::default(), Some(&after), LINES)
            })?;
            if page.rows.is_empty() {
                return Ok(());
            }
            for item in &page.rows {
                if !lasts(item) {
                    return Ok(());
                }
                match item.standing == "deferred" {
                    true => self.pass_over(item.item),
                    false => self.item(item),
                }
                self.told.item().store(item.item, Ordering::Release);
            }
        }
    }
}
