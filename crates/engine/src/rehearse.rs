//! Rehearsal: everything a sync would do, writing nothing. The real engine works on a copy of the state,
//! with systems that read for real and only pretend to write.

mod lines;
mod pretence;

use crate::{Change, Changed, Engine, Error, Parts, Summary, Watcher};
use lines::Collector;
pub use pretence::Rehearsal;
use serde::Serialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tandem_connector::{Connector, Schema};
use tandem_merge::dataflow::{Dataflow, Flow, Side};
use tandem_merge::record::{RecordKey, RecordType, Values};

/// What `plan` found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PlanReport {
    /// Every link and write in the order in which a sync would do it, then what would wait since.
    pub writes: Vec<PlannedWrite>,
    /// How many things waited for a person's word or a reference before, and would go on to.
    pub waiting: u64,
    /// The counts that the sync would report.
    pub summary: Summary,
    /// What the configuration changed since the state was last used, with how many values would move for its sake.
    pub changes: Vec<(Change, u64)>,
}

/// One thing that a sync would do, or leave waiting.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedWrite {
    /// The flow; none for updates and deletions of records that several flows tie.
    pub flow: Option<String>,
    /// What would be done.
    pub action: PlannedAction,
    /// The type of record that is written (for links: of the second-side record).
    pub target: RecordType,
    /// The record it starts from (creates, companions: the source; links: the first-side record), or the
    /// record that is written (updates, deletions).
    pub record: RecordKey,
    /// The counterpart of a link, begun or ended.
    pub with: Option<RecordKey>,
    /// The property that is settled or waits, where it is about one.
    pub property: Option<String>,
    /// The companion's role.
    pub role: Option<String>,
    /// Own-form values of the target. What the systems will give stands as a placeholder in angle brackets: ids of
    /// records yet to be created by whose they are (`<new Account of customerp Customer 7>`), others with a number.
    pub values: Values,
    /// What stood there before, of the values of an update, as far as it is known.
    pub before: Values,
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
    /// Changes a record so that it is out of use.
    PutOutOfUse,
    /// Deletes a record.
    Delete,
    /// Ends a link; both records stay.
    Unlink,
    /// Settles a conflict by its policy, one that waited for an answer among them.
    Settle,
    /// Asks a person: a conflict, an approval.
    Ask,
    /// Parks something that needs mending.
    Park,
    /// Leaves something until what it refers to is there.
    Defer,
}

impl PlannedWrite {
    /// Whether it is about a flow. What no single flow decides, such as an update of a record that several flows tie, is
    /// about each of them.
    #[must_use]
    pub fn is_about(&self, flow: &Flow) -> bool {
        match &self.flow {
            Some(name) => *name == flow.name,
            None => flow.ends.iter().any(|end| end.record_type == self.target),
        }
    }
}

impl PlannedAction {
    /// Whether it links or writes records.
    #[must_use]
    pub fn is_written(self) -> bool {
        matches!(
            self,
            Self::Link | Self::Create | Self::Companion | Self::Update | Self::PutOutOfUse | Self::Delete
        )
    }

    /// Whether it is to be seen where not all is shown: whatever ends something, asks somebody or waits.
    #[must_use]
    pub fn is_grave(self) -> bool {
        !matches!(self, Self::Link | Self::Create | Self::Companion | Self::Update)
    }

    /// The name by which it is shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Create => "create",
            Self::Companion => "companion",
            Self::Update => "update",
            Self::PutOutOfUse => "put-out-of-use",
            Self::Delete => "delete",
            Self::Unlink => "unlink",
            Self::Settle => "settle",
            Self::Ask => "ask",
            Self::Park => "park",
            Self::Defer => "defer",
        }
    }
}

/// Everything a sync would do. `parts.store` is a copy of the state, which is spent.
///
/// # Errors
/// As [`crate::Engine::open`]; a system in trouble is named in the summary.
pub async fn plan(parts: Parts) -> Result<PlanReport, Error> {
    let mut parts = parts;
    let waited = lines::Waiting::of(parts.store.as_mut())?;
    let [first, second] = &parts.systems;
    let (one, two) = futures::join!(first.describe(), second.describe());
    let wrap = |system: &Arc<dyn Connector>, schema: &Schema| -> Arc<dyn Connector> {
        let clock = Arc::clone(&parts.clock);
        Arc::new(Rehearsal::new(Arc::clone(system), &parts.flows, schema, clock))
    };
    let systems = [wrap(first, &one?), wrap(second, &two?)];
    let collector = Arc::new(Collector {
        watcher: Arc::clone(&parts.watcher),
        flows: parts.flows.clone(),
        planned: Mutex::default(),
    });
    let mut engine = Engine::open(Parts {
        systems,
        watcher: Arc::clone(&collector) as Arc<dyn Watcher>,
        ..parts
    })
    .await?;
    engine.impatient = true;
    let summary = engine.sync().await?;
    let mut writes = lock(&collector.planned).named();
    let waits = lines::Waiting::of(engine.store())?;
    writes.extend(waits.since(&waited, engine.flows()));
    let changes = engine.changes().iter();
    let changes = changes.map(|change| (change.clone(), moves(engine.flows(), change, &writes)));
    Ok(PlanReport {
        changes: changes.collect(),
        waiting: waits.still(&waited),
        writes,
        summary,
    })
}

/// How many values of the property that a change is about are written.
fn moves(flows: &Dataflow, change: &Change, writes: &[PlannedWrite]) -> u64 {
    let (Changed::PropertyAdded(property) | Changed::PropertyConverted(property)) = &change.what else {
        return 0;
    };
    let Some(flow) = flows.flow(&change.flow) else {
        return 0;
    };
    let mapping = flow
        .mappings
        .iter()
        .find(|mapping| mapping.property(Side::First) == property);
    let Some(mapping) = mapping else { return 0 };
    let about = |write: &&PlannedWrite| {
        write.action == PlannedAction::Update
            && Side::BOTH.into_iter().any(|side| {
                let own = mapping.property(side);
                flow.end(side).record_type == write.target && write.values.contains_key(own)
            })
    };
    writes.iter().filter(about).count() as u64
}

/// A poisoned lock guards plain data that is complete between statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a placeholder id begins with. No system gives such ids.
const PLACEHOLDER: &str = "<new ";

fn is_placeholder(record: &RecordKey) -> bool {
    record.id.starts_with(PLACEHOLDER)
}
