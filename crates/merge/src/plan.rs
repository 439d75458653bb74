//! Plans: what reconciling a cluster led to. A plan is data: it can be shown, refused, stored, carried out.

use crate::cluster::{Anchor, Cluster, Contender, Span};
use crate::dataflow::Side;
use crate::facts::Waits;
use crate::record::RecordKey;
use crate::trace::Trace;
use crate::value::Value;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A cluster's next state with what led to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The cluster as it is to be stored: shadows, bases, heads, links, intents, parked items.
    pub cluster: Cluster,
    /// What the plan waits for.
    pub waits: Waits,
    /// What happened, for the history.
    pub history: Vec<Event>,
    /// When it was made, by our clock.
    pub at: Timestamp,
    /// Flows in which a deletion was carried on, once for each link that ended.
    pub carried_on: Vec<String>,
    /// Records whose edits were taken over, by the flow and the side that they are on.
    pub edited: BTreeSet<(String, Side, RecordKey)>,
}

/// One line of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The run that it belongs to: the store's number of it; 0 until it is stored.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub run: u64,
    /// When, by our clock.
    pub at: Timestamp,
    /// The record.
    pub record: RecordKey,
    /// The property, where it concerns one.
    pub property: Option<String>,
    /// The flow, where it concerns one.
    pub flow: Option<String>,
    /// What happened.
    pub what: EventKind,
    /// The head's epoch that it led to or carried; 0 where it is about no head.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub epoch: u64,
    /// The change that it belongs to, from the look that showed it to the answers of what it led to.
    #[serde(default, skip_serializing_if = "Trace::is_none")]
    pub trace: Trace,
    /// For people: why.
    pub why: String,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What happened to a record or property.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventKind {
    /// A person's (or program's) edit was seen and became the head.
    Edited {
        /// The value it was made on.
        old: Value,
        /// The new value, own form.
        new: Value,
        /// The user, where the system says.
        author: Option<String>,
        /// When it was made, by its system's clock.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        made: Option<Span>,
    },
    /// A person took a change back: the head is what it was before.
    Undone {
        /// The head before, canonical.
        old: Value,
        /// The head afterwards, canonical.
        new: Value,
    },
    /// Values that no one value fits were settled.
    Conflict {
        /// All contenders.
        contenders: Vec<Contender>,
        /// The head afterwards, canonical; none when a person is asked.
        winner: Option<Value>,
        /// The intervals overlapped: the order is an estimate.
        estimated: bool,
        /// The component.
        anchor: Anchor,
    },
    /// A read-only or target-only value had drifted and was overwritten.
    Overwrote {
        /// The value that stood there.
        old: Value,
        /// The value written.
        new: Value,
    },
    /// Our write was applied.
    Wrote {
        /// The value that stood there.
        old: Value,
        /// The value written.
        new: Value,
    },
    /// Our create was applied (or found applied).
    Created,
    /// Our deletion was applied.
    Deleted,
    /// Two records were linked.
    Linked {
        /// The counterpart.
        with: RecordKey,
    },
    /// The counterpart was merged into another record, and the link follows it.
    Merged {
        /// The record that lives on.
        into: RecordKey,
    },
    /// A link ended.
    Unlinked {
        /// The former counterpart.
        from: RecordKey,
    },
    /// Something was parked, deferred or held.
    Parked {
        /// What kind of trouble, with the reason in the event's `why`.
        kind: crate::cluster::ParkedKind,
    },
}

impl EventKind {
    /// The name by which it is counted and told to programs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Edited { .. } => "edited",
            Self::Undone { .. } => "undone",
            Self::Conflict { .. } => "conflict",
            Self::Overwrote { .. } => "overwrote",
            Self::Wrote { .. } => "wrote",
            Self::Created => "created",
            Self::Deleted => "deleted",
            Self::Linked { .. } => "linked",
            Self::Merged { .. } => "merged",
            Self::Unlinked { .. } => "unlinked",
            Self::Parked { .. } => "parked",
        }
    }
}
