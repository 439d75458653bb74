//! Pages that are read ahead: while the rows of one become records, the server is asked for the next one.

use super::driver::{Driver, Rows, Statement};
use crate::http::clock;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinHandle;

/// A page that was read longer ago than this is read anew: whoever wanted it was held up.
const FRESH: SignedDuration = SignedDuration::from_secs(10);

/// One page for each record type at most.
#[derive(Debug, Default)]
pub(super) struct Ahead(Mutex<BTreeMap<String, Page>>);

/// A page that is being read.
#[derive(Debug)]
struct Page {
    statement: Statement,
    began: Timestamp,
    rows: JoinHandle<Option<Rows>>,
}

impl Drop for Page {
    fn drop(&mut self) {
        self.rows.abort();
    }
}

impl Ahead {
    /// Begins to read a page of a type.
    pub(super) fn begin(&self, driver: &Arc<dyn Driver>, of: &str, statement: Statement) {
        let (driver, asked, began) = (Arc::clone(driver), statement.clone(), clock::now());
        let rows = tokio::spawn(async move { driver.read(&asked).await.ok() });
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(
            of.to_owned(),
            Page {
                statement,
                began,
                rows,
            },
        );
    }

    /// The page that a statement asks for, and when it began to be read; none where it is not there, or was not to be had.
    pub(super) async fn take(&self, of: &str, statement: &Statement) -> Option<(Rows, Timestamp)> {
        let mut page = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.remove(of)?
        };
        let fresh = clock::now().duration_since(page.began) <= FRESH;
        if page.statement != *statement || !fresh {
            return None;
        }
        let rows = (&mut page.rows).await.ok()??;
        Some((rows, page.began))
    }
}
