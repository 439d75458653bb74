//! Pages of the file: looked over from end to end beside the work, so that no start waits for it.
//!
//! Architecture invariant: nothing is sent before the whole file was looked over. The database checks the form of a page that
//! it reads and most values carry a sum, but a page that was written by half may pass for a good one. So a process lists and
//! decides while a thread of its own looks at every page, on a connection that only reads; the first write waits for its end,
//! and once damage is found every unit of work is refused.

use crate::Error;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;

/// So many pages or steps of the database lie between two questions whether the look is still wanted.
const STEPS: i32 = 50;

/// What is wrong with the file, once that is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Damage(Arc<OnceLock<String>>);

impl Damage {
    /// Refuses a file that is known to be damaged.
    pub(crate) fn refused(&self) -> Result<(), Error> {
        match self.0.get() {
            Some(what) => Err(Error::Corrupt(what.clone())),
            None => Ok(()),
        }
    }
}

/// A look at every page that is under way; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Look {
    unwanted: Arc<AtomicBool>,
    over: Over,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

/// Whether a look is over, and who is to be woken then.
#[derive(Clone, Debug, Default)]
struct Over(Arc<Mutex<(bool, Option<Waker>)>>);

impl Over {
    fn state(&self) -> MutexGuard<'_, (bool, Option<Waker>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.0 {
            return Poll::Ready(());
        }
        state.1 = Some(context.waker().clone());
        Poll::Pending
    }
}

/// Says that a look is over, however its thread ends.
struct Ends(Over);

impl Drop for Ends {
    fn drop(&mut self) {
        let waiting = {
            let mut state = self.0.state();
            state.0 = true;
            state.1.take()
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Look {
    /// Begins to look every page over.
    pub(crate) fn begin(database: &Path, damage: &Damage) -> Result<Self, Error> {
        let failed = |source| Error::database("looked over", source);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(database, flags).map_err(failed)?;
        let unwanted = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&unwanted);
        connection
            .progress_handler(STEPS, Some(move || asked.load(Ordering::Relaxed)))
            .map_err(failed)?;
        let (damage, over) = (damage.clone(), Over::default());
        let ends = Ends(over.clone());
        let thread = std::thread::Builder::new().name("pages".to_owned());
        let thread = thread.spawn(move || {
            let _ends = ends;
            look_over(&connection, &damage)
        });
        let thread = thread.map_err(|source| Error::folder(database, source))?;
        Ok(Self {
            unwanted,
            over,
            thread: Some(thread),
        })
    }

    /// Resolves once it is over, whatever it found.
    pub(crate) fn over(&self) -> impl Future<Output = ()> + Send + use<> {
        let over = self.over.clone();
        std::future::poll_fn(move |context| over.poll(context))
    }

    /// Waits until every page was looked at, and tells what is wrong or why it could not be done.
    pub(crate) fn end(mut self) -> Result<(), Error> {
        self.join()
    }

    fn join(&mut self) -> Result<(), Error> {
        let ended = self.thread.take().map(JoinHandle::join);
        let broken = |_| Err(Error::Corrupt("its pages could not be looked over".to_owned()));
        ended.map_or(Ok(()), |ended| ended.unwrap_or_else(broken))
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        self.unwanted.store(true, Ordering::Relaxed);
        // Nobody waits for what it found.
        let _ended = self.join();
    }
}

/// Looks every page over and notes what is wrong.
fn look_over(connection: &Connection, damage: &Damage) -> Result<(), Error> {
    let said: Result<String, _> = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    let found = match said {
        Ok(said) if said == "ok" => return Ok(()),
        Ok(said) => Error::Corrupt(said.replace('\n', " ")),
        Err(source) => Error::database("looked over", source),
    };
    if let Error::Corrupt(what) = &found {
        // It is known already where another look was quicker.
        let _known = damage.0.set(what.clone());
    }
    Err(found)
}
