//! What a sync did, counted by kind: what `plan` announces is counted by the same hand.

use crate::{Engine, Error, Hold, numbers};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tandem_connector::Outcome;
use tandem_ledger::Store;
use tandem_merge::cluster::{Action, Intent};
use tandem_merge::plan::{Event, EventKind};
use tandem_merge::record::RecordKey;

/// How much of what was done, or would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Records created, companions among them.
    pub create: u64,
    /// Records written, those put out of use among them.
    pub update: u64,
    /// Records that were there, linked. A link that a create makes is the create's.
    pub link: u64,
    /// Links ended while both records stay.
    pub unlink: u64,
    /// Records deleted.
    pub delete: u64,
    /// What waits for a person's word since: conflicts, approvals, holds.
    pub ask: u64,
}

impl Counts {
    /// Whether there is nothing at all.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self == &Self::default()
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            create,
            update,
            link,
            unlink,
            delete,
            ask,
        } = self;
        write!(
            f,
            "create {create}, update {update}, link {link}, unlink {unlink}, delete {delete}, ask {ask}"
        )
    }
}

/// Counts while a sync goes on. A link is counted once, whatever a decision that was put back said before: by one number
/// each, so that memory stays flat.
#[derive(Debug, Default)]
pub(crate) struct Doings {
    counts: Counts,
    linked: BTreeSet<u64>,
    unlinked: BTreeSet<u64>,
    /// What waited for a person's word before: items by number, and holds.
    asked: BTreeSet<u64>,
    held: Vec<Hold>,
}

impl Doings {
    /// Nothing yet; what waits already is not counted.
    pub(crate) fn begin(store: &mut dyn Store, holds: &[Hold]) -> Result<Self, Error> {
        Ok(Self {
            asked: store.asked()?,
            held: needing_approval(holds).cloned().collect(),
            ..Self::default()
        })
    }

    /// Counts a write that was carried out.
    pub(crate) fn answered(&mut self, intent: &Intent, outcome: &Outcome) {
        if !matches!(outcome, Outcome::Applied { .. }) {
            return;
        }
        let count = match &intent.action {
            Action::Create { .. } | Action::Companion { .. } => &mut self.counts.create,
            Action::Update { .. } => &mut self.counts.update,
            Action::Delete { .. } => &mut self.counts.delete,
        };
        *count += 1;
    }

    /// Counts links that a decision made or ended.
    pub(crate) fn decided(&mut self, history: &[Event]) {
        let born = history.iter().filter(|event| event.what == EventKind::Created);
        let born: BTreeSet<&RecordKey> = born.map(|event| &event.record).collect();
        for event in history {
            let Some(flow) = &event.flow else { continue };
            let number = |other: &RecordKey| {
                // A line may tell of a link from either end.
                let mut ends = [numbers::parts_of(&event.record), numbers::parts_of(other)];
                ends.sort_unstable();
                numbers::of([flow.as_str()].into_iter().chain(ends.into_iter().flatten()))
            };
            match &event.what {
                EventKind::Linked { with } if !born.contains(&event.record) && !born.contains(with) => {
                    self.linked.insert(number(with));
                }
                EventKind::Merged { into } => {
                    self.linked.insert(number(into));
                }
                EventKind::Unlinked { from } => {
                    self.unlinked.insert(number(from));
                }
                _ => {}
            }
        }
    }

    /// The counts at the end.
    fn end(self, asked: &BTreeSet<u64>, holds: &[Hold]) -> Counts {
        let held = needing_approval(holds).filter(|hold| {
            let mut known = self.held.iter();
            !known.any(|known| known.of == hold.of && known.why == hold.why)
        });
        Counts {
            link: self.linked.len() as u64,
            unlink: self.unlinked.len() as u64,
            ask: (asked.difference(&self.asked).count() + held.count()) as u64,
            ..self.counts
        }
    }
}

fn needing_approval(holds: &[Hold]) -> impl Iterator<Item = &Hold> {
    holds.iter().filter(|hold| hold.needs_approval())
}

impl Engine {
    /// Begins to count what is done.
    pub(crate) fn begin_to_count(&mut self) -> Result<(), Error> {
        self.doings = Some(Doings::begin(self.store.as_mut(), &self.holds)?);
        Ok(())
    }

    /// What was done since it was begun to be counted.
    pub(crate) fn counted(&mut self) -> Result<Counts, Error> {
        let asked = self.store.asked()?;
        let doings = self.doings.take().unwrap_or_default();
        Ok(doings.end(&asked, &self.holds))
    }
}
