//! Reconcile: from heads, bases and shadows of one cluster, decide.

use crate::cluster::{Cluster, ParkedKind};
use crate::dataflow::Dataflow;
use crate::facts::{Facts, MatchKey, Needs};
use crate::plan::Plan;
use crate::record::{Observation, RecordKey, Values};
use jiff::Timestamp;

/// What must be known of other clusters before [`reconcile`] can decide this one, its inbox admitted.
#[must_use]
pub fn needs(_flows: &Dataflow, _cluster: &Cluster, _inbox: &[Observation]) -> Needs {
    Needs::default()
}

/// The match keys by which a record can be found as a candidate: what the store indexes. Identity rules
/// included; blank keys are absent.
#[must_use]
pub fn match_keys(_flows: &Dataflow, _record: &RecordKey, _values: &Values) -> Vec<MatchKey> {
    Vec::new()
}

/// Decides a cluster: admits the inbox, forms links, merges components, plans writes.
#[must_use]
pub fn reconcile(_flows: &Dataflow, cluster: Cluster, _inbox: Vec<Observation>, _facts: &Facts) -> Plan {
    Plan {
        cluster,
        ..Plan::default()
    }
}

/// What an attempt to carry out an intent came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Settlement {
    /// It was carried out; the answer came at `at` and may show the state right after this very write.
    Applied {
        /// The record's id.
        id: String,
        /// Its state by the answer.
        state: Option<Observation>,
        /// When the answer arrived, by our clock.
        at: Timestamp,
    },
    /// A create found its record by the external id: an earlier attempt had been carried out. The values
    /// sent are the base; what differs are edits on top.
    FoundOwn {
        /// The record as read.
        state: Observation,
    },
    /// The look-up before a create found somebody's record by a match key: the create is withdrawn and the
    /// record is a candidate for a link (or the companion).
    FoundOther {
        /// The record as read.
        state: Observation,
    },
    /// Refused: the named properties (or the whole write, when none) are parked.
    Refused {
        /// What kind of trouble.
        kind: ParkedKind,
        /// Target properties it is about.
        properties: Vec<String>,
        /// The system's words.
        reason: String,
        /// What to do.
        advice: String,
        /// When.
        at: Timestamp,
    },
    /// The condition failed or the record is gone, or an update of unknown outcome was read: the row goes,
    /// the fresh observation is admitted, and the cluster is merged again. For an update of unknown outcome the
    /// values that arrived are recognised (per property: equal to the sent value means base := it).
    Read {
        /// The fresh observation (alive, deleted or missing).
        state: Observation,
        /// The outcome of the write had been unknown.
        unknown: bool,
    },
    /// The write never left, and is planned anew.
    Withdrawn,
}

/// Settles intents of a cluster (by number) and reconciles it again, as one plan.
#[must_use]
pub fn settle(
    _flows: &Dataflow,
    cluster: Cluster,
    _inbox: Vec<Observation>,
    _settlements: Vec<(u64, Settlement)>,
    _facts: &Facts,
) -> Plan {
    Plan {
        cluster,
        ..Plan::default()
    }
}
