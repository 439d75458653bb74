//! Laws of changes around a record that is made for it: it shows up, and so does its end.

use super::{Proofs, Tried};
use crate::{Error, ErrorKind, Watched};
use std::time::Duration;
use tandem_merge::record::{Observation, Presence};
use tokio::time::Instant;

const SHOWN: &str = "changes show a record that was made, in time";
const SHOWN_GONE: &str = "changes show that a record was deleted, in time";
/// So long at most is waited for a change to show.
const LONGEST: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(300);
const PAGES: usize = 10_000;

/// Where changes stand before a record is made.
pub(super) struct Before {
    cursor: Option<Vec<u8>>,
    /// Changes tell of records by themselves: nothing is compared.
    tells: bool,
}

impl Before {
    /// Reads changes to their end; none where they do not end.
    pub(super) async fn read(tried: &Tried<'_>, proofs: &mut Proofs) -> Result<Option<Self>, Error> {
        let mut before = Self {
            cursor: None,
            tells: true,
        };
        match before.round(tried).await {
            Ok(_) => Ok(Some(before)),
            Err(error) if matches!(error.kind, ErrorKind::Down | ErrorKind::SignIn) => Err(error),
            Err(error) => {
                proofs.add(false, SHOWN, error.to_string());
                Ok(None)
            }
        }
    }

    async fn round(&mut self, tried: &Tried<'_>) -> Result<Vec<Observation>, Error> {
        let mut shown = Vec::new();
        for _ in 0..PAGES {
            let types = std::slice::from_ref(tried.of);
            let page = tried.system.changes(types, self.cursor.as_deref()).await?;
            self.tells &= page.complete.is_none();
            shown.extend(page.observations);
            self.cursor = Some(page.cursor);
            if !page.more {
                break;
            }
        }
        Ok(shown)
    }

    /// Changes show what was made.
    pub(super) async fn shows_made(
        &mut self,
        tried: &Tried<'_>,
        id: &str,
        proofs: &mut Proofs,
    ) -> Result<(), Error> {
        self.shows(tried, id, (SHOWN, Presence::Alive), proofs).await
    }

    /// Changes show what was deleted, where they say so.
    pub(super) async fn shows_deleted(
        &mut self,
        tried: &Tried<'_>,
        id: &str,
        proofs: &mut Proofs,
    ) -> Result<(), Error> {
        let by_changes = |watched: &Watched| watched.tells_deletions;
        if !tried.described.watched.as_ref().is_some_and(by_changes) {
            proofs.untried(SHOWN_GONE, "it does not say that its changes tell of deletions");
            return Ok(());
        }
        self.shows(tried, id, (SHOWN_GONE, Presence::Deleted), proofs)
            .await
    }

    async fn shows(
        &mut self,
        tried: &Tried<'_>,
        id: &str,
        (law, presence): (&'static str, Presence),
        proofs: &mut Proofs,
    ) -> Result<(), Error> {
        let began = Instant::now();
        let delay = Duration::try_from(tried.system.capabilities().commit_delay).unwrap_or_default();
        loop {
            let shown = self.round(tried).await?;
            let seconds = began.elapsed().as_secs();
            if shown
                .iter()
                .any(|shown| shown.key.id == id && shown.presence == presence)
            {
                proofs.add(true, law, format!("{id}, after {seconds} s"));
                return Ok(());
            }
            if !self.tells {
                proofs.untried(
                    law,
                    "it tells of no changes: all records are compared now and then",
                );
                return Ok(());
            }
            if began.elapsed() > delay.min(LONGEST) {
                let seen = format!("{id} is not shown after {seconds} s: say `lag:` where it takes longer");
                proofs.add(false, law, seen);
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
