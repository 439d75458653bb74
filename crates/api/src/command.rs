//! What people ask Tandem to do, and what it answers.

use crate::Refused;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tandem_engine::{Choice, Selection, UndoReport};
use tandem_ledger::Forgotten;
use tandem_merge::cluster::Verdict;
use tandem_merge::decisions::{Decision, Outcome};
use tandem_merge::record::RecordKey;
use tandem_merge::undo::How;

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

impl Command {
    /// What is asked for, for a log: whom it concerns, how many, and no value.
    #[must_use]
    pub fn told(&self) -> String {
        let numbers = |items: &mut dyn Iterator<Item = u64>| {
            let all: Vec<String> = items.map(|item| item.to_string()).collect();
            match all.len() {
                0..=NAMED => all.join(", "),
                many => format!("{} and {} more", all[..NAMED].join(", "), many - NAMED),
            }
        };
        let records = |records: &[RecordKey]| match records {
            [one] => one.to_string(),
            many => format!("{} records", many.len()),
        };
        match self {
            Self::Approve { item, verdict } => format!("approve item {item} ({})", word(verdict.as_ref())),
            Self::ApproveMany { items, verdict } => {
                let items = numbers(&mut items.iter().copied());
                format!("approve items {items} ({})", word(verdict.as_ref()))
            }
            Self::ApproveFlow { flow, verdict } => format!("approve {flow} ({})", word(verdict.as_ref())),
            Self::ApproveSystem { system } => format!("approve {system}"),
            Self::Resolve { answers } => {
                format!("resolve {}", numbers(&mut answers.iter().map(|(item, _)| *item)))
            }
            Self::Retry { records: of } => format!("retry {}", records(of)),
            Self::Ignore { items, .. } => format!("ignore {}", numbers(&mut items.iter().copied())),
            Self::DecideLinks { decisions } => format!("decide {} links", decisions.len()),
            Self::DecideLink { .. } => "decide a link".to_owned(),
            Self::Unlink { record, flow } => {
                format!("unlink {record} in {}", flow.as_deref().unwrap_or("all flows"))
            }
            Self::Pause { flow } => format!("pause {flow}"),
            Self::Resume { flow } => format!("resume {flow}"),
            Self::Undo { how, carry_out, .. } => {
                format!(
                    "{} {}",
                    if *carry_out { "undo" } else { "plan to undo" },
                    how.what
                )
            }
            Self::Forget { records: of } => format!("forget {}", records(of)),
        }
    }
}

/// Items that a log names.
const NAMED: usize = 20;

fn word(verdict: Option<&Verdict>) -> String {
    verdict.map_or("as the flow says".to_owned(), |verdict| verdict.word().to_owned())
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
