//! The engine in miniature: one step at a time, every step able to be the last before a crash.

use super::systems::{Answer, Systems};
use crate::members::moment;
use std::collections::BTreeSet;
use tandem_merge::cluster::{Action, Cluster, Intent, ParkedKind};
use tandem_merge::dataflow::Dataflow;
use tandem_merge::echo;
use tandem_merge::facts::Facts;
use tandem_merge::plan::{Event, Plan};
use tandem_merge::reconcile::{Settlement, recognises, reconcile_confirmed, settle};
use tandem_merge::record::{Observation, Presence, RecordKey};

/// What is between the engine and the systems.
#[derive(Clone, Debug)]
pub(crate) enum Air {
    Page(Vec<Observation>),
    Request(Intent),
    Answer(u64, Answer),
    /// A request whose caller gave up.
    Late(Intent),
}

/// What the engine knows, and what is in the air.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    pub(crate) flows: Dataflow,
    pub(crate) cluster: Cluster,
    pub(crate) inbox: Vec<Observation>,
    pub(crate) air: Vec<Air>,
    pub(crate) history: Vec<Event>,
    pub(crate) since: [i64; 2],
    pub(crate) numbers: u64,
    pub(crate) listed: BTreeSet<usize>,
    /// Echoes taken at the door.
    pub(crate) echoes: u64,
}

impl Engine {
    pub(crate) fn new(flows: Dataflow) -> Self {
        Self {
            flows,
            cluster: Cluster::default(),
            inbox: Vec::new(),
            air: Vec::new(),
            history: Vec::new(),
            since: [0; 2],
            numbers: 0,
            listed: BTreeSet::new(),
            echoes: 0,
        }
    }

    pub(crate) fn facts(&self, systems: &Systems) -> Facts {
        Facts {
            listed: self.listed.len() == 2,
            now: moment(systems.clock),
            ..Facts::default()
        }
    }

    fn take(&mut self, plan: Plan) {
        self.cluster = plan.cluster;
        self.history.extend(plan.history);
        let intents = self
            .cluster
            .records
            .values_mut()
            .filter_map(|record| record.intent.as_mut());
        for intent in intents
            .chain(&mut self.cluster.creates)
            .filter(|intent| intent.id == 0)
        {
            self.numbers += 1;
            intent.id = self.numbers;
        }
    }

    pub(crate) fn decide(
        &mut self,
        systems: &Systems,
        inbox: Vec<Observation>,
        settled: Vec<(u64, Settlement)>,
    ) {
        let facts = self.facts(systems);
        let plan = settle(&self.flows, self.cluster.clone(), inbox, settled, &facts);
        self.take(plan);
    }

    /// Reads records anew whose last write is doubted.
    pub(crate) fn confirm(&mut self, systems: &Systems) {
        let doubted = self
            .cluster
            .records
            .iter()
            .filter(|(_, record)| record.doubted().is_some());
        let seen: Vec<Observation> = doubted.map(|(key, _)| systems.observe(key)).collect();
        if !seen.is_empty() {
            let (cluster, facts) = (self.cluster.clone(), self.facts(systems));
            self.take(reconcile_confirmed(
                &self.flows,
                cluster,
                Vec::new(),
                seen,
                &facts,
            ));
        }
    }

    /// Reads a page of changes with an overlap; it arrives later.
    pub(crate) fn poll(&mut self, systems: &Systems, side: usize) {
        let page = systems.page(&self.flows.systems[side], self.since[side] - 6);
        self.air.push(Air::Page(page));
    }

    pub(crate) fn commit(&mut self, systems: &Systems, page: Vec<Observation>) {
        for seen in &page {
            let side = usize::from(seen.key.record_type.system == "sf");
            let modified = seen
                .version
                .as_ref()
                .map_or(0, |version| version.modified.as_second() - moment(0).as_second());
            self.since[side] = self.since[side].max(modified);
        }
        let records = &self.cluster.records;
        let known = |seen: &Observation| {
            let shadow = records.get(&seen.key).map(|record| &record.shadow);
            shadow.is_some_and(|shadow| {
                (shadow.presence, &shadow.version) == (seen.presence, &seen.version)
                    && (seen.presence != Presence::Alive || shadow.values == seen.values)
            })
        };
        let news: Vec<Observation> = page.into_iter().filter(|seen| !known(seen)).collect();
        for seen in news {
            if !self.take_echo(systems, &seen) {
                self.inbox.push(seen);
            }
        }
    }

    /// Takes an echo at the door: a decision about it would come to the same.
    fn take_echo(&mut self, systems: &Systems, seen: &Observation) -> bool {
        let creates =
            |intent: &Intent| matches!(&intent.action, Action::Create { source, .. } if source == &seen.key);
        let open =
            self.inbox.iter().any(|row| row.key == seen.key) || self.cluster.creates.iter().any(creates);
        let record = self.cluster.records.get(&seen.key).filter(|_| !open);
        let Some(taken) = record.and_then(|record| echo::taken(&self.flows, record, seen)) else {
            return false;
        };
        let (facts, inbox) = (self.facts(systems), vec![seen.clone()]);
        let decided = settle(&self.flows, self.cluster.clone(), inbox, Vec::new(), &facts);
        self.cluster.records.insert(seen.key.clone(), taken);
        assert_eq!(
            decided.cluster, self.cluster,
            "E7: a decision about the echo {seen:?}"
        );
        assert_eq!(decided.history, [], "E7: what an echo leads to");
        self.echoes += 1;
        true
    }

    /// Held: its write is under way, or it may be what a sent create made.
    fn held(&self, seen: &Observation) -> bool {
        let record = self.cluster.records.get(&seen.key);
        if record.is_some_and(|record| record.in_flight()) {
            return true;
        }
        let linked = self
            .cluster
            .links
            .iter()
            .any(|link| link.first == seen.key || link.second == seen.key);
        let may_be = |intent: &Intent| match &intent.action {
            Action::Create { target, identity, .. } => {
                let own = identity
                    .as_ref()
                    .is_some_and(|(property, value)| seen.values.get(property) == Some(value));
                target == &seen.key.record_type && (own || recognises(&self.flows, intent, seen))
            }
            _ => false,
        };
        !linked
            && self
                .cluster
                .creates
                .iter()
                .any(|intent| intent.sent.is_some() && may_be(intent))
    }

    /// Reconciles what may be taken of the inbox: everything, or one row.
    pub(crate) fn reconcile(&mut self, systems: &Systems, one: Option<usize>) -> bool {
        let free: Vec<usize> = (0..self.inbox.len())
            .filter(|index| !self.held(&self.inbox[*index]))
            .collect();
        let Some(chosen) = (match one {
            Some(at) => free.get(at % free.len().max(1)).map(|index| vec![*index]),
            None => (!free.is_empty()).then_some(free),
        }) else {
            return false;
        };
        let mut rows = Vec::new();
        for index in chosen.into_iter().rev() {
            rows.insert(0, self.inbox.remove(index));
        }
        self.decide(systems, rows, Vec::new());
        true
    }

    pub(crate) fn intents(&self) -> Vec<Intent> {
        let updates = self
            .cluster
            .records
            .values()
            .filter_map(|record| record.intent.clone());
        updates.chain(self.cluster.creates.clone()).collect()
    }

    /// Looks just before, marks sent, and lets the request go.
    pub(crate) fn send(&mut self, systems: &Systems, intent: &Intent) {
        match &intent.action {
            Action::Update { record } | Action::Delete { record } => {
                let firm = intent.version.as_ref().is_some_and(|version| version.firm);
                if !firm {
                    let seen = systems.observe(record);
                    return self.decide(systems, vec![seen], Vec::new());
                }
                let record = self.cluster.records.get_mut(record).unwrap();
                record.intent.as_mut().unwrap().sent = Some(moment(systems.clock));
            }
            Action::Create { target, .. } => {
                let rows = systems
                    .rows
                    .iter()
                    .filter(|(key, row)| &key.record_type == target && row.alive);
                let found = rows
                    .map(|(key, _)| systems.observe(key))
                    .find(|seen| recognises(&self.flows, intent, seen));
                if let Some(state) = found {
                    return self.decide(
                        systems,
                        Vec::new(),
                        vec![(intent.id, Settlement::FoundOther { state })],
                    );
                }
                let open = self.cluster.creates.iter_mut().find(|open| open.id == intent.id);
                open.unwrap().sent = Some(moment(systems.clock));
            }
            Action::Companion { .. } => return,
        }
        self.air.push(Air::Request(intent.clone()));
    }

    /// Settles an answer.
    pub(crate) fn answered(&mut self, systems: &Systems, id: u64, answer: Answer) {
        let Some(intent) = self.intents().into_iter().find(|intent| intent.id == id) else {
            return;
        };
        let at = moment(systems.clock);
        let settlement = match (answer, &intent.action) {
            (Answer::Applied { id, state }, _) => {
                let state = state.map(|state| *state);
                Settlement::Applied { id, state, at }
            }
            (Answer::Refused { property }, _) => Settlement::Refused {
                kind: ParkedKind::TooLong,
                properties: vec![property],
                reason: "it does not like it".to_owned(),
                advice: "choose another".to_owned(),
                at,
            },
            (Answer::Stale, Action::Update { record } | Action::Delete { record }) => Settlement::Read {
                state: systems.observe(record),
                unknown: false,
            },
            _ => return self.recover(systems, &intent),
        };
        self.decide(systems, Vec::new(), vec![(id, settlement)]);
    }

    /// Intents that were sent and whose answer will not come.
    pub(crate) fn unknown(&self) -> Vec<Intent> {
        let flying = |id: u64| {
            self.air.iter().any(|air| match air {
                Air::Request(intent) => intent.id == id,
                Air::Answer(of, _) => *of == id,
                Air::Page(_) | Air::Late(_) => false,
            })
        };
        self.intents()
            .into_iter()
            .filter(|intent| intent.sent.is_some() && !flying(intent.id))
            .collect()
    }

    /// Settles an unknown outcome by reading.
    pub(crate) fn recover(&mut self, systems: &Systems, intent: &Intent) {
        let settlement = match &intent.action {
            Action::Update { record } | Action::Delete { record } => Settlement::Read {
                state: systems.observe(record),
                unknown: true,
            },
            Action::Create { target, identity, .. } => {
                let (property, value) = identity.clone().unwrap();
                match systems.find_identity(target, &property, &value) {
                    Some(key) => Settlement::FoundOwn {
                        state: systems.observe(&key),
                    },
                    None => return self.air.push(Air::Request(intent.clone())),
                }
            }
            Action::Companion { .. } => return,
        };
        self.decide(systems, Vec::new(), vec![(intent.id, settlement)]);
    }

    /// What stood in memory only is gone; requests under way may still arrive.
    pub(crate) fn crash(&mut self) {
        let air = std::mem::take(&mut self.air);
        self.air = air
            .into_iter()
            .filter_map(|air| match air {
                Air::Request(intent) | Air::Late(intent) => Some(Air::Late(intent)),
                Air::Page(_) | Air::Answer(..) => None,
            })
            .collect();
    }

    pub(crate) fn deleted(&self, key: &RecordKey) -> bool {
        self.cluster
            .records
            .get(key)
            .is_some_and(|record| record.shadow.presence == Presence::Deleted)
    }
}
