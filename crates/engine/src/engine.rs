//! The engine: a dataflow, its state, its two systems, a clock and a watcher.

use crate::asked::Asked;
use crate::backwards::Witnesses;
use crate::doings::Doings;
use crate::load::Load;
use crate::patience::Patience;
use crate::rebind;
use crate::send::Sending;
use crate::sight::Sight;
use crate::{Change, Clock, Error, Happening, Hold, Watcher};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tandem_connector::{Budget, ClockOffset, Connector, Identification, Schema};
use tandem_ledger::{Fence, Status, Store};
use tandem_merge::dataflow::Dataflow;
use tandem_merge::record::{RecordKey, RecordType};

/// What an engine is made of.
pub struct Parts {
    /// The validated dataflow.
    pub flows: Dataflow,
    /// Its durable state.
    pub store: Box<dyn Store>,
    /// The two systems, in the order of `flows.systems`.
    pub systems: [Arc<dyn Connector>; 2],
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Who is told what happens.
    pub watcher: Arc<dyn Watcher>,
    /// What the systems described just now, where they were asked: compared with the last good look.
    pub described: Option<[Schema; 2]>,
}

/// Moves data between two systems, one round at a time.
pub struct Engine {
    pub(crate) flows: Dataflow,
    pub(crate) store: Box<dyn Store>,
    pub(crate) systems: [Arc<dyn Connector>; 2],
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) watcher: Arc<dyn Watcher>,
    pub(crate) identities: BTreeMap<String, Identification>,
    pub(crate) state_id: String,
    /// Systems that were listed in full once.
    pub(crate) listed: BTreeSet<String>,
    pub(crate) tally: Tally,
    /// Links that look-ups before creates have offered: flow, source, record found.
    pub(crate) offered: BTreeSet<(String, RecordKey, RecordKey)>,
    /// Rounds begun since the engine was opened.
    pub(crate) rounds: u64,
    /// Nothing is waited for: what cannot be done now is left.
    pub(crate) impatient: bool,
    /// Writes that are tried again.
    pub(crate) patience: Patience,
    /// Packs under way.
    pub(crate) sending: Sending,
    /// Loads under way.
    pub(crate) loads: Vec<Load>,
    /// A round waits until its loads are done, so that every rank refers to the ones before.
    pub(crate) waits_for_loads: bool,
    /// By system: the only types that the next round asks for, where a sync knows the others; none: all.
    pub(crate) asks_only: [Option<BTreeSet<RecordType>>; 2],
    /// By system: a pass over its changes was begun and is not at its end.
    pub(crate) passes: [bool; 2],
    /// Which properties the systems show.
    pub(crate) sight: Sight,
    /// The budgets that this process has kept.
    pub(crate) kept_budgets: [Option<Budget>; 2],
    /// What the state holds of the systems' clocks.
    pub(crate) kept_clocks: BTreeMap<String, ClockOffset>,
    /// What is said of clocks that are apart.
    pub(crate) clocks_apart: Option<String>,
    /// When records that hold something unreadable were last read again.
    pub(crate) unreadable_read: Option<Timestamp>,
    /// Records that could not be read by their ids the last time.
    pub(crate) suspects: crate::unreadable::Suspects,
    /// Old history on its way out.
    pub(crate) sweep: crate::keep::Sweep,
    /// Types that were never listed to their end although their system was.
    pub(crate) unlisted: BTreeSet<RecordType>,
    /// What rests or is stopped.
    pub(crate) holds: Vec<Hold>,
    /// First links that are asked about.
    pub(crate) first_links: crate::first_links::Asked,
    /// What is kept in mind of each system.
    pub(crate) witnesses: BTreeMap<String, Witnesses>,
    /// Properties that came into use and were not read yet.
    pub(crate) unread: BTreeSet<(RecordType, String)>,
    /// What the configuration changed since the state was last used.
    pub(crate) changes: Vec<Change>,
    /// What is done, while it is counted.
    pub(crate) doings: Option<Doings>,
    /// How often all of a system was to be read anew because a person said so.
    pub(crate) begun_anew: u64,
    /// Who asks for something meanwhile.
    pub(crate) asked: Asked,
    /// How things stood, as far as it is not noted yet.
    pub(crate) stood: crate::stood::Standing,
}

/// Running counts by system.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) rows_read: BTreeMap<String, u64>,
    pub(crate) keys_looked_up: BTreeMap<String, u64>,
    pub(crate) written: BTreeMap<String, u64>,
}

/// The fence of a single process.
pub(crate) const FENCE: Fence = 0;

impl Engine {
    /// Identifies both systems, binds the state to them, and recovers: every write that was sent and has
    /// no answer counts as of unknown outcome from here on, and is settled by the first round.
    ///
    /// # Errors
    /// [`Error::System`] when a system is down or refuses us, [`Error::Store`] when the state belongs to
    /// other systems or fails.
    pub async fn open(parts: Parts) -> Result<Self, Error> {
        let [first, second] = &parts.systems;
        let (first, second) = futures::join!(first.identify(), second.identify());
        let mut parts = parts;
        let described = parts.described.take();
        let mut engine = Self::assemble(parts, [first?, second?]);
        rebind::bind(engine.store.as_mut(), &engine.identities)?;
        engine.state_id = engine.store.state_id()?;
        engine.listed = engine.store.status(&engine.flows)?.listed.into_keys().collect();
        engine.recover()?;
        engine.find_loads()?;
        engine.find_passes()?;
        engine.find_holds()?;
        engine.find_first_links()?;
        engine.find_witnesses()?;
        engine.find_own_times()?;
        engine.first_look(described.as_ref())?;
        engine.reconfigure()?;
        engine.measure_clocks()?;
        engine.hear_again()?;
        Ok(engine)
    }

    fn assemble(parts: Parts, [first, second]: [Identification; 2]) -> Self {
        let [one, two] = parts.flows.systems.clone();
        let mut flows = parts.flows;
        let authors = [(&one, &first), (&two, &second)]
            .map(|(system, identity)| Some((system.clone(), identity.author.clone()?)));
        flows.ourselves = authors.into_iter().flatten().collect();
        for (name, system) in [&one, &two].into_iter().zip(&parts.systems) {
            let limits = system.capabilities();
            flows.commit_delays.insert(name.clone(), limits.commit_delay);
            // What is said of a whole system is said of its weakest type.
            if !limits.protect_all(|of| of.conditional_write && of.conditional_delete) {
                flows.unprotected.insert(name.clone());
            }
            // What arrives late is known for what it was, unless that is forgotten by then.
            let forgets = limits.idempotency_life <= limits.request_deadline;
            if forgets || !limits.protect_all(|of| of.idempotent_create) {
                let deadline = limits.request_deadline;
                flows.request_deadlines.insert(name.clone(), deadline);
            }
        }
        Self {
            flows,
            store: parts.store,
            systems: parts.systems,
            clock: parts.clock,
            watcher: parts.watcher,
            identities: BTreeMap::from([(one, first), (two, second)]),
            state_id: String::new(),
            listed: BTreeSet::new(),
            tally: Tally::default(),
            offered: BTreeSet::new(),
            rounds: 0,
            impatient: false,
            patience: Patience::default(),
            sending: Sending::default(),
            loads: Vec::new(),
            waits_for_loads: true,
            asks_only: [None, None],
            passes: [false; 2],
            sight: Sight::default(),
            kept_budgets: [None, None],
            kept_clocks: BTreeMap::new(),
            unreadable_read: None,
            suspects: crate::unreadable::Suspects::default(),
            clocks_apart: None,
            sweep: crate::keep::Sweep::default(),
            unlisted: BTreeSet::new(),
            holds: Vec::new(),
            first_links: crate::first_links::Asked::new(),
            witnesses: BTreeMap::new(),
            unread: BTreeSet::new(),
            changes: Vec::new(),
            doings: None,
            begun_anew: 0,
            asked: Asked::default(),
            stood: crate::stood::Standing::default(),
        }
    }

    /// The dataflow.
    #[must_use]
    pub fn flows(&self) -> &Dataflow {
        &self.flows
    }

    /// The state, for looking and for commands between rounds.
    pub fn store(&mut self) -> &mut dyn Store {
        self.store.as_mut()
    }

    /// Who the two systems are, by name.
    #[must_use]
    pub fn identities(&self) -> &BTreeMap<String, Identification> {
        &self.identities
    }

    /// The two systems, in the order of the dataflow.
    #[must_use]
    pub fn systems(&self) -> &[Arc<dyn Connector>; 2] {
        &self.systems
    }

    /// What is to be said of the systems' clocks, where they are apart.
    #[must_use]
    pub fn clocks_apart(&self) -> Option<&str> {
        self.clocks_apart.as_deref()
    }

    /// Counts for people.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn status(&mut self) -> Result<Status, Error> {
        Ok(self.store.status(&self.flows)?)
    }

    /// Gives the state back, for example to close it.
    #[must_use]
    pub fn into_store(self) -> Box<dyn Store> {
        self.store
    }

    pub(crate) fn tell(&self, what: &Happening<'_>) {
        self.watcher.happened(what);
    }

    /// Whether both systems were listed in full: only then is anything decided.
    pub(crate) fn both_listed(&self) -> bool {
        self.flows
            .systems
            .iter()
            .all(|system| self.listed.contains(system))
    }

    /// The rank behind the last flow: everything.
    pub(crate) fn last_rank(&self) -> usize {
        self.flows.flows.len()
    }
}
