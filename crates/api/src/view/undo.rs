//! What taking something back comes to.

use crate::Masks;
use schemars::JsonSchema;
use serde::Serialize;
use tandem_engine::UndoReport;
use tandem_merge::undo::{Back, Step};
use tandem_merge::value::Value;

/// What taking something back comes to, or came to.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Undo {
    /// It was done.
    pub carried_out: bool,
    /// Lines of the history that were meant.
    pub lines: u64,
    /// The first and the last of the runs that they belong to.
    pub runs: Option<(u64, u64)>,
    /// What goes back.
    pub back: Vec<GoesBack>,
    /// What is left alone.
    pub left: Vec<LeftAlone>,
}

/// Something that goes back.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum GoesBack {
    /// A property gets a value back.
    Value {
        /// The record.
        record: String,
        /// The property.
        property: String,
        /// What stands there now; none where it is blank.
        now: Option<String>,
        /// What will stand there.
        then: Option<String>,
        /// Why it waits, where it does.
        waits: Option<String>,
    },
    /// A record is deleted: its create is taken back.
    Delete {
        /// The record.
        record: String,
    },
    /// A record's counterpart, which was deleted, is created again.
    Recreate {
        /// The record.
        record: String,
        /// The former counterpart.
        counterpart: String,
    },
}

/// Something that is left alone.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct LeftAlone {
    /// The record.
    pub record: String,
    /// The property, where it is about one.
    pub property: Option<String>,
    /// Why.
    pub why: String,
    /// What to do.
    pub advice: String,
}

impl Undo {
    /// What a report looks like.
    #[must_use]
    pub fn of(report: &UndoReport, carried_out: bool, masks: &Masks) -> Self {
        let left = report.left.iter().map(|left| LeftAlone {
            record: left.record.to_string(),
            property: left.property.clone(),
            why: left.reason.clone(),
            advice: left.advice.clone(),
        });
        Self {
            carried_out,
            lines: report.lines,
            runs: report.runs,
            back: report.back.iter().map(|back| GoesBack::of(back, masks)).collect(),
            left: left.collect(),
        }
    }
}

impl GoesBack {
    /// The record that it is about.
    #[must_use]
    pub fn record(&self) -> &str {
        match self {
            Self::Value { record, .. } | Self::Delete { record } | Self::Recreate { record, .. } => record,
        }
    }

    fn of(back: &Back, masks: &Masks) -> Self {
        let record = back.record.to_string();
        match &back.what {
            Step::Value {
                property,
                now,
                then,
                waits,
            } => {
                let show = |value: &Value| masks.text(&back.record.record_type, property, value);
                Self::Value {
                    property: property.clone(),
                    now: show(now),
                    then: show(then),
                    waits: waits.clone(),
                    record,
                }
            }
            Step::Delete => Self::Delete { record },
            Step::Recreate { counterpart } => Self::Recreate {
                counterpart: counterpart.to_string(),
                record,
            },
        }
    }
}
