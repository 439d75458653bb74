//! What people ask Tandem to do, and what it answers.

use crate::Refused;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tandem_engine::{Choice, Selection, UndoReport};
use tandem_merge::cluster::Verdict;
use tandem_merge::decisions::{Decision, Outcome};
use tandem_merge::record::RecordKey;
use tandem_merge::undo::How;
use tandem_store::Forgotten;

/// What a person asks Tandem to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Let go ahead what waits under an item's number.
    Approve {
        /// The item.
        item: u64,
        /// What becomes of the counterpart of a deleted record; none: what the flow's policy offers first.
        verdict: Option<Verdict>,
    },
    /// Let go ahead what waits under several items' numbers.
    ApproveMany {
        /// The items.
        items: Vec<u64>,
        /// What becomes of counterparts of deleted records; none: what the flow's policy offers first.
        verdict: Option<Verdict>,
    },
    /// Let go ahead all that waits in a flow.
    ApproveFlow {
        /// The flow.
        flow: String,
        /// What becomes of counterparts of deleted records; none: what the flow's policy offers first.
        verdict: Option<Verdict>,
    },
    /// Believe a system again that a guard stopped.
    ApproveSystem {
        /// The system.
        system: String,
    },
    /// Answer conflicts. The records that contend are read once more before.
    Resolve {
        /// Items with their answers.
        answers: Vec<(u64, Choice)>,
    },
    /// Try again what is parked on records.
    Retry {
        /// The records.
        records: Vec<RecordKey>,
    },
    /// Leave items out of what needs a person.
    Ignore {
        /// The items.
        items: Vec<u64>,
        /// Until this moment; none: until their reason changes.
        until: Option<Timestamp>,
    },
    /// Carry out decisions about links.
    DecideLinks {
        /// The decisions, in their order.
        decisions: Vec<Decision>,
    },
    /// Link two records, or tell them apart, by hand.
    DecideLink {
        /// The decision.
        decision: Decision,
    },
    /// End a record's links by hand.
    Unlink {
        /// The record.
        record: RecordKey,
        /// In this flow; none: in all.
        flow: Option<String>,
    },
    /// Let a flow rest.
    Pause {
        /// The flow.
        flow: String,
    },
    /// Let a paused flow go on.
    Resume {
        /// The flow.
        flow: String,
    },
    /// Say what taking back would come to, or take back.
    Undo {
        /// Which lines of the history.
        selection: Selection,
        /// How far.
        how: How,
        /// Do it.
        carry_out: bool,
    },
    /// Erase records from state and history.
    Forget {
        /// The records.
        records: Vec<RecordKey>,
    },
}

/// What a command came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Done {
    /// It is done, and there is nothing to tell.
    Well,
    /// A flow was approved.
    Approved {
        /// Items that go ahead.
        items: u64,
        /// A guard held edits or first links, which go ahead too.
        held: bool,
    },
    /// Items were answered or approved, or refused one by one.
    Answered {
        /// Items that were.
        resolved: Vec<u64>,
        /// Why the others were not.
        refused: Vec<Refused>,
    },
    /// What each decision about links came to.
    Decided {
        /// In the order of the decisions.
        outcomes: Vec<Outcome>,
    },
    /// What goes back, or went back.
    Undone {
        /// Value by value.
        report: UndoReport,
    },
    /// What was erased.
    Forgotten {
        /// How much.
        forgotten: Forgotten,
    },
}
