//! Rehearsal: everything a sync would do, writing nothing. The real engine works on a copy of the state,
//! with systems that read for real and only pretend to write.

mod pretence;

use crate::{Change, Changed, Engine, Error, Happening, Parts, Summary, Watcher};
pub use pretence::Rehearsal;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tandem_connector::{Connector, Schema};
use tandem_merge::cluster::{Action, Intent};
use tandem_merge::dataflow::{Dataflow, Side};
use tandem_merge::plan::{Event, EventKind};
use tandem_merge::record::{RecordKey, RecordType, Values};

/// What `plan` found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PlanReport {
    /// Every link and write in the order in which a sync would do it.
    pub writes: Vec<PlannedWrite>,
    /// The counts that the sync would report.
    pub summary: Summary,
    /// What the configuration changed since the state was last used, with how many values would move for its sake.
    pub changes: Vec<(Change, u64)>,
}

/// One link or write that a sync would make.
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

/// Everything a sync would do. `parts.store` is a copy of the state, which is spent.
///
/// # Errors
/// As [`crate::Engine::open`]; a system in trouble is named in the summary.
pub async fn plan(parts: Parts) -> Result<PlanReport, Error> {
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
    let writes = std::mem::take(&mut lock(&collector.planned).writes);
    let changes = engine.changes().iter();
    let changes = changes.map(|change| (change.clone(), moves(engine.flows(), change, &writes)));
    Ok(PlanReport {
        changes: changes.collect(),
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

/// Collects what the engine would have done.
struct Collector {
    watcher: Arc<dyn Watcher>,
    flows: Dataflow,
    planned: Mutex<Planned>,
}

#[derive(Default)]
struct Planned {
    writes: Vec<PlannedWrite>,
    links: BTreeSet<(String, RecordKey, RecordKey)>,
}

impl Watcher for Collector {
    fn happened(&self, what: &Happening<'_>) {
        match what {
            Happening::Sending { intents, .. } => {
                let planned = intents.iter().map(|intent| self.write(intent));
                lock(&self.planned).writes.extend(planned);
            }
            Happening::Decided { event } => self.link(event),
            _ => {}
        }
        self.watcher.happened(what);
    }
}

impl Collector {
    fn write(&self, intent: &Intent) -> PlannedWrite {
        let values = intent.values.iter();
        let mut values: Values = values
            .map(|(name, planned)| (name.clone(), planned.value.clone()))
            .collect();
        let (flow, action, record, role) = match &intent.action {
            Action::Create {
                flow,
                source,
                identity,
                ..
            } => {
                values.extend(identity.clone());
                (Some(flow.clone()), PlannedAction::Create, source, None)
            }
            Action::Companion { key, identity, .. } => {
                values.extend(identity.clone());
                let flow = self.companion_flow(&key.role);
                (flow, PlannedAction::Companion, &key.owner, Some(key.role.clone()))
            }
            Action::Update { record } => (self.only_flow(record), PlannedAction::Update, record, None),
            Action::Delete { record } => (self.only_flow(record), PlannedAction::Delete, record, None),
        };
        PlannedWrite {
            flow,
            action,
            target: crate::pack::target(intent).clone(),
            record: record.clone(),
            with: None,
            role,
            values,
            reason: intent.reason.clone(),
            follows: intent.follows,
        }
    }

    /// Notes a link of two records that are there; a link that a create makes is the create.
    fn link(&self, event: &Event) {
        let (EventKind::Linked { with }, Some(name)) = (&event.what, &event.flow) else {
            return;
        };
        if is_placeholder(&event.record) || is_placeholder(with) {
            return;
        }
        let first = self
            .flows
            .flow(name)
            .and_then(|flow| flow.side_of(&event.record.record_type));
        let (first, second) = match first {
            Some(Side::Second) => (with.clone(), event.record.clone()),
            _ => (event.record.clone(), with.clone()),
        };
        let mut planned = lock(&self.planned);
        if planned
            .links
            .insert((name.clone(), first.clone(), second.clone()))
        {
            planned.writes.push(PlannedWrite {
                flow: Some(name.clone()),
                action: PlannedAction::Link,
                target: second.record_type.clone(),
                record: first,
                with: Some(second),
                role: None,
                values: Values::new(),
                reason: event.why.clone(),
                follows: false,
            });
        }
    }

    fn only_flow(&self, record: &RecordKey) -> Option<String> {
        let mut flows = self.flows.flows_of(&record.record_type);
        let (flow, _) = flows.next()?;
        flows.next().is_none().then(|| flow.name.clone())
    }

    fn companion_flow(&self, role: &str) -> Option<String> {
        let has = |flow: &&tandem_merge::dataflow::Flow| flow.companions.iter().any(|rule| rule.role == role);
        self.flows.flows.iter().find(has).map(|flow| flow.name.clone())
    }
}

/// What a placeholder id begins with. No system gives such ids.
const PLACEHOLDER: &str = "<new ";

fn is_placeholder(record: &RecordKey) -> bool {
    record.id.starts_with(PLACEHOLDER)
}
