//! What a run came to, in numbers.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use tandem_ledger::{FlowStatus, Status};
use tandem_merge::record::{RecordKey, RecordType};

/// What a sync did and how it left things.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// Per flow, by name.
    pub flows: BTreeMap<String, FlowSummary>,
    /// API calls of this sync by system.
    pub api_calls: BTreeMap<String, u64>,
    /// Rows that the systems showed in this sync, by system.
    pub rows_read: BTreeMap<String, u64>,
    /// Keys looked up before creates in this sync, by system.
    pub keys_looked_up: BTreeMap<String, u64>,
    /// Writes carried out in this sync, by system.
    pub written: BTreeMap<String, u64>,
    /// What was done, by kind.
    pub done: crate::Counts,
    /// Rounds it took.
    pub rounds: u64,
    /// What systems changed about properties in use.
    pub notices: Vec<crate::Notice>,
    /// Who else writes with our own users.
    pub strangers: Vec<crate::Stranger>,
    /// What rests or is stopped.
    pub holds: Vec<crate::Hold>,
    /// What is to be said of the systems' clocks, where they are apart.
    pub clocks_apart: Option<String>,
    /// Systems that were down or refused us, or whose loads wait for the next day: what they concern is not done.
    /// Empty when all went well.
    #[serde(skip)]
    pub troubles: Vec<tandem_connector::Error>,
}

impl Summary {
    /// How things stand, in one word: what an exit code says.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let waits = |flow: &FlowSummary| flow.parked + flow.questions + flow.approvals + flow.failed > 0;
        if !self.troubles.is_empty() {
            Standing::Trouble
        } else if self.flows.values().any(waits)
            || !self.notices.is_empty()
            || self.holds.iter().any(crate::Hold::needs_approval)
        {
            Standing::Waits
        } else {
            Standing::Done
        }
    }
}

/// How a run left things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Everything is in step.
    Done,
    /// In step, but conflicts, parked work or approvals wait for a person.
    Waits,
    /// A system is down or refuses us.
    Trouble,
}

/// One flow in a summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowSummary {
    /// Live links now.
    pub linked: u64,
    /// Creates in this sync on the first side.
    pub created_first: u64,
    /// Creates in this sync on the second side.
    pub created_second: u64,
    /// Updates in this sync, on either side.
    pub updated: u64,
    /// Conflicts met in this sync.
    pub conflicts: u64,
    /// Conflicts that wait for a person now.
    pub questions: u64,
    /// Items that need mending now.
    pub parked: u64,
    /// Items that wait for a reference now.
    pub deferred: u64,
    /// Items that wait for approval now.
    pub approvals: u64,
    /// Writes that are not settled: not sent or of unknown outcome.
    pub failed: u64,
    /// Records without a counterpart that are listed only.
    pub not_created: u64,
}

impl FlowSummary {
    /// What changed between two looks at the store.
    pub(crate) fn between(before: &FlowStatus, after: &FlowStatus) -> Self {
        Self {
            linked: after.linked,
            created_first: after.created[0].saturating_sub(before.created[0]),
            created_second: after.created[1].saturating_sub(before.created[1]),
            updated: after.updated.saturating_sub(before.updated),
            conflicts: after.conflicts.saturating_sub(before.conflicts),
            questions: after.questions,
            parked: after.parked,
            deferred: after.deferred,
            approvals: after.approvals,
            failed: 0,
            not_created: after.not_created,
        }
    }
}

/// The flows of two looks at the store, compared.
pub(crate) fn flows_between(before: &Status, after: &Status) -> BTreeMap<String, FlowSummary> {
    let none = FlowStatus::default();
    let of = |(name, now): (&String, &FlowStatus)| {
        let then = before.flows.get(name).unwrap_or(&none);
        (name.clone(), FlowSummary::between(then, now))
    };
    after.flows.iter().map(of).collect()
}

/// What one round did.
#[derive(Clone, Debug, Default)]
pub struct Round {
    /// Observations that were new.
    pub observed: u64,
    /// Observations that moved a version and nothing else.
    pub echoes: u64,
    /// Clusters decided.
    pub decided: u64,
    /// Writes answered as carried out, refused or overtaken.
    pub sent: u64,
    /// Writes carried out.
    pub written: u64,
    /// Unknown outcomes settled.
    pub recovered: u64,
    /// Not before this moment can the rest be done.
    pub wait_until: Option<jiff::Timestamp>,
    /// Systems in trouble.
    pub troubles: Vec<tandem_connector::Error>,
    /// Work that waits for its system's next day, while live changes go on.
    pub delays: Vec<tandem_connector::Error>,
    /// Writes that come to nothing although their system is up: they are tried again later.
    pub strains: Vec<tandem_connector::Error>,
    /// Types that were not shown to their end, although their system is there.
    pub incomplete: BTreeMap<RecordType, tandem_connector::Error>,
    /// Records that could not be read although their system is there.
    pub(crate) unread: BTreeMap<RecordKey, tandem_connector::Error>,
    /// Creates whose search failed the last time although their system is there.
    pub(crate) unsought: BTreeMap<u64, tandem_connector::Error>,
    /// Something to send is left although its system is up.
    pub left: bool,
    /// A property came into sight or went out of it.
    pub(crate) sight_changed: bool,
    /// Systems that pause after a failure.
    pub(crate) resting: BTreeSet<String>,
    /// Plans that the store put back.
    pub(crate) put_back: u64,
    /// Creates of the pass at hand whose record was found.
    pub(crate) found: u64,
    /// By system: the types whose changes this round asked for, less those written to since.
    pub(crate) asked: [BTreeSet<RecordType>; 2],
    /// By system: the types written to since their changes were asked for.
    pub(crate) touched: [BTreeSet<RecordType>; 2],
}

impl Round {
    /// Whether another round right now would find nothing to do.
    #[must_use]
    pub fn quiet(&self) -> bool {
        self.sent == 0 && self.recovered == 0
    }

    /// Whether a system was found in trouble in this round or rests after one.
    pub(crate) fn is_down(&self, system: &str) -> bool {
        let failed = self.troubles.iter().any(|error| error.system == system);
        failed || self.resting.contains(system)
    }

    /// Notes a system in trouble.
    pub(crate) fn trouble(&mut self, error: tandem_connector::Error) {
        if !self.troubles.contains(&error) {
            self.troubles.push(error);
        }
    }

    /// Whether writes of it repeated themselves without end: another round would do the same.
    pub(crate) fn turns_in_circles(&self) -> bool {
        let mut strains = self.strains.iter();
        strains.any(|error| error.kind == tandem_connector::ErrorKind::Protocol)
    }

    /// Notes that writes come to nothing, once per system and trouble.
    pub(crate) fn strain(&mut self, error: tandem_connector::Error) {
        let known =
            |other: &tandem_connector::Error| other.system == error.system && other.kind == error.kind;
        if !self.strains.iter().any(known) {
            self.strains.push(error);
        }
    }

    /// Notes that loads of a system wait for its next day, once per system.
    pub(crate) fn delay(&mut self, error: tandem_connector::Error) {
        if !self.delays(&error.system) {
            self.delays.push(error);
        }
    }

    /// Whether loads of a system were found to wait in this round.
    pub(crate) fn delays(&self, system: &str) -> bool {
        self.delays.iter().any(|error| error.system == system)
    }

    /// Notes that a type is written to.
    pub(crate) fn touch(&mut self, index: usize, of: &RecordType) {
        if !self.touched[index].contains(of) {
            self.asked[index].remove(of);
            self.touched[index].insert(of.clone());
        }
    }

    /// Notes that the changes of a type are asked for.
    pub(crate) fn ask(&mut self, index: usize, of: &RecordType) {
        self.touched[index].remove(of);
        self.asked[index].insert(of.clone());
    }

    /// Notes that something has to wait; the earliest moment counts.
    pub(crate) fn wait(&mut self, until: jiff::Timestamp) {
        self.wait_until = Some(self.wait_until.map_or(until, |known| known.min(until)));
    }
}
