//! The lines of a plan: what the engine would have done, and what would wait since.

use super::{PLACEHOLDER, PlannedAction, PlannedWrite, is_placeholder, lock};
use crate::{Error, Happening, Watcher};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use tandem_connector::Outcome;
use tandem_ledger::{Item, Store};
use tandem_merge::cluster::{Action, Anchor, Intent, ParkedKind};
use tandem_merge::dataflow::{Dataflow, Flow, Side};
use tandem_merge::plan::{Event, EventKind};
use tandem_merge::record::{RecordKey, Values};
use tandem_merge::value::Value;

/// Items read at once.
const PAGE: usize = 1_000;

/// Collects what the engine would have done.
pub(super) struct Collector {
    pub(super) watcher: Arc<dyn Watcher>,
    pub(super) flows: Dataflow,
    pub(super) planned: Mutex<Planned>,
}

/// What was collected.
#[derive(Default)]
pub(super) struct Planned {
    pub(super) writes: Vec<PlannedWrite>,
    /// By the placeholder of a record that was only pretended: whose it is, which is the same in every rehearsal.
    born: BTreeMap<String, String>,
    /// By the number of such a placeholder: whose it is.
    owners: BTreeMap<u64, String>,
    /// A decision that was put back tells its lines twice.
    told: BTreeSet<(PlannedAction, Option<String>, RecordKey, Option<RecordKey>)>,
}

impl Watcher for Collector {
    fn happened(&self, what: &Happening<'_>) {
        match what {
            Happening::Sending { intents, .. } => {
                let planned = intents.iter().map(|intent| self.write(intent));
                lock(&self.planned).writes.extend(planned);
            }
            Happening::Answered {
                intent,
                outcome: Outcome::Applied { id, .. },
                ..
            } => self.answered(intent, id),
            Happening::Decided { event } => self.decided(event),
            _ => {}
        }
        self.watcher.happened(what);
    }
}

impl Planned {
    /// What a system will give (`<OrderNumber 12>`), by whose it is.
    fn given(&self, text: &str) -> Option<String> {
        let (property, number) = text.strip_prefix('<')?.strip_suffix('>')?.rsplit_once(' ')?;
        let whose = self.owners.get(&number.parse().ok()?)?;
        Some(format!("<{property} of {whose}>"))
    }

    /// The lines, with what is yet to be created called by whose it is.
    pub(super) fn named(&mut self) -> Vec<PlannedWrite> {
        let mut writes = std::mem::take(&mut self.writes);
        for write in &mut writes {
            for value in write.values.values_mut().chain(write.before.values_mut()) {
                let Value::Text(text) = &*value else { continue };
                if let Some(name) = self.born.get(text.as_str()) {
                    *value = name.as_str().into();
                } else if let Some(name) = self.given(text) {
                    *value = name.as_str().into();
                }
            }
            let keys = [Some(&mut write.record), write.with.as_mut()];
            for key in keys.into_iter().flatten() {
                if let Some(name) = self.born.get(&key.id) {
                    key.id.clone_from(name);
                }
            }
        }
        writes
    }
}

impl Collector {
    /// Notes whose record a placeholder stands for.
    fn answered(&self, intent: &Intent, id: &str) {
        let whose = match &intent.action {
            Action::Create { source, .. } => source,
            Action::Companion { key, .. } => &key.owner,
            Action::Update { .. } | Action::Delete { .. } => return,
        };
        let name = format!("{PLACEHOLDER}{} of {whose}>", crate::pack::target(intent).name);
        let mut planned = lock(&self.planned);
        let number = id.trim_end_matches('>').rsplit(' ').next();
        if let Some(number) = number.and_then(|number| number.parse().ok()) {
            planned.owners.insert(number, whose.to_string());
        }
        planned.born.insert(id.to_owned(), name);
    }

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
            Action::Update { record } => (self.only_flow(record), self.update(record, &values), record, None),
            Action::Delete { record } => (self.only_flow(record), PlannedAction::Delete, record, None),
        };
        PlannedWrite {
            flow,
            action,
            target: crate::pack::target(intent).clone(),
            record: record.clone(),
            with: None,
            property: None,
            role,
            before: match action {
                PlannedAction::Update | PlannedAction::PutOutOfUse => intent.before.clone(),
                _ => Values::new(),
            },
            values,
            reason: intent.reason.clone(),
            follows: intent.follows,
        }
    }

    /// Whether an update puts the record out of use, as its flow does it where a record cannot be deleted.
    fn update(&self, record: &RecordKey, values: &Values) -> PlannedAction {
        let mut ends = self.flows.flows_of(&record.record_type);
        let retires = |(flow, side): (&Flow, Side)| {
            let retire = flow.end(side).deactivate.as_ref();
            retire.is_some_and(|(property, value)| values.get(property) == Some(value))
        };
        match ends.any(retires) {
            true => PlannedAction::PutOutOfUse,
            false => PlannedAction::Update,
        }
    }

    /// Notes a link of two records that are there, begun or ended, and a conflict that a policy settles. A link that a
    /// create makes is the create.
    fn decided(&self, event: &Event) {
        let (action, with) = match &event.what {
            EventKind::Linked { with } => (PlannedAction::Link, with),
            EventKind::Merged { into } => (PlannedAction::Link, into),
            EventKind::Unlinked { from } => (PlannedAction::Unlink, from),
            EventKind::Conflict {
                winner: Some(winner),
                anchor,
                ..
            } => return self.settled(event, anchor, winner),
            _ => return,
        };
        let Some(name) = &event.flow else { return };
        if action == PlannedAction::Link && (is_placeholder(&event.record) || is_placeholder(with)) {
            return;
        }
        let side = self
            .flows
            .flow(name)
            .and_then(|flow| flow.side_of(&event.record.record_type));
        let (first, second) = match side {
            Some(Side::Second) => (with.clone(), event.record.clone()),
            _ => (event.record.clone(), with.clone()),
        };
        self.tell(PlannedWrite {
            flow: Some(name.clone()),
            action,
            target: second.record_type.clone(),
            record: first,
            with: Some(second),
            ..line(event)
        });
    }

    fn settled(&self, event: &Event, anchor: &Anchor, winner: &Value) {
        self.tell(PlannedWrite {
            flow: self.only_flow(&anchor.record),
            action: PlannedAction::Settle,
            target: anchor.record.record_type.clone(),
            record: anchor.record.clone(),
            property: Some(anchor.property.clone()),
            values: Values::from([(anchor.property.clone(), winner.clone())]),
            ..line(event)
        });
    }

    /// Adds a line once.
    fn tell(&self, line: PlannedWrite) {
        let mut planned = lock(&self.planned);
        let about = (
            line.action,
            line.flow.clone(),
            line.record.clone(),
            line.with.clone(),
        );
        let settles = line.action == PlannedAction::Settle;
        if settles || planned.told.insert(about) {
            planned.writes.push(line);
        }
    }

    fn only_flow(&self, record: &RecordKey) -> Option<String> {
        let mut flows = self.flows.flows_of(&record.record_type);
        let (flow, _) = flows.next()?;
        flows.next().is_none().then(|| flow.name.clone())
    }

    fn companion_flow(&self, role: &str) -> Option<String> {
        let has = |flow: &&Flow| flow.companions.iter().any(|rule| rule.role == role);
        self.flows.flows.iter().find(has).map(|flow| flow.name.clone())
    }
}

/// What an event tells of its own.
fn line(event: &Event) -> PlannedWrite {
    PlannedWrite {
        flow: event.flow.clone(),
        action: PlannedAction::Link,
        target: event.record.record_type.clone(),
        record: event.record.clone(),
        with: None,
        property: None,
        role: None,
        values: Values::new(),
        before: Values::new(),
        reason: event.why.clone(),
        follows: false,
    }
}

/// Everything that waits, by number.
pub(super) struct Waiting(BTreeMap<u64, Item>);

impl Waiting {
    pub(super) fn of(store: &mut dyn Store) -> Result<Self, Error> {
        let mut all = BTreeMap::new();
        let mut after = 0;
        loop {
            let page = store.items(after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.number;
            all.extend(page.into_iter().map(|item| (item.number, item)));
        }
        Ok(Self(all))
    }

    /// What waits since, or for something else.
    pub(super) fn since(&self, before: &Self, flows: &Dataflow) -> Vec<PlannedWrite> {
        let news = self.0.values().filter(|item| !before.knows(item));
        news.filter_map(|item| waiting(item, flows)).collect()
    }

    /// How much waited before and still does.
    pub(super) fn still(&self, before: &Self) -> u64 {
        let known = self.0.values().filter(|item| before.knows(item));
        known.filter(|item| action(item.kind).is_some()).count() as u64
    }

    fn knows(&self, item: &Item) -> bool {
        self.0
            .get(&item.number)
            .is_some_and(|known| known.kind == item.kind)
    }
}

fn waiting(item: &Item, flows: &Dataflow) -> Option<PlannedWrite> {
    let of = &item.record.record_type;
    let mut own = flows.flows_of(of);
    let only = own.next().filter(|_| own.next().is_none());
    let only = only.map(|(flow, _)| flow.name.clone());
    Some(PlannedWrite {
        flow: item.flow.clone().or(only),
        action: action(item.kind)?,
        target: of.clone(),
        record: item.record.clone(),
        with: None,
        property: item.property.clone(),
        role: item.role.clone(),
        values: Values::new(),
        before: Values::new(),
        reason: item.reason.clone(),
        follows: false,
    })
}

/// What it means for a plan that something of a kind waits; nothing where nothing is wrong.
fn action(kind: Option<ParkedKind>) -> Option<PlannedAction> {
    match kind {
        None | Some(ParkedKind::Approval | ParkedKind::DeleteConflict) => Some(PlannedAction::Ask),
        Some(ParkedKind::Deferred) => Some(PlannedAction::Defer),
        Some(ParkedKind::NotCreated) => None,
        Some(_) => Some(PlannedAction::Park),
    }
}
