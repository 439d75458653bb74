//! What people are shown, as data: the shapes behind `--json`, the HTTP API and the pages. Personal values are masked
//! before they come here.

mod change;
mod configuration;
mod conflict;
mod course;
mod flow;
mod item;
mod plan;
mod qa;
mod record;
mod system;
mod undo;

pub use change::{Change, Run};
pub use configuration::{
    Configuration, ConnectionSettings, FileProblem, Files, FlowSettings, Setting, Signer,
};
pub use conflict::{Conflict, Member, Says};
pub use course::{Course, FlowCourse, SystemCourse};
pub use flow::{Flow, FlowPage, FlowState, PropertyRow};
pub use item::{Held, Item, ItemGroup};
pub use plan::{ByConfiguration, Made, Making, Plan, PlanFailed, PlanLine, PlanValue};
pub use qa::{Qa, QaCounts, QaFailure, QaFlow, QaLine, QaResult};
pub use record::{Base, HeadValue, LinkOf, Property, PropertyMember, Record, Waiting};
pub use system::{Answering, Budget, HistorySize, Hold, Overview, Share, System};
pub use undo::{GoesBack, LeftAlone, Undo};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use tandem_merge::record::{RecordKey, RecordType};

/// Rows, and where the next ones are.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// What to give as `cursor` for the next rows; none behind the last one.
    pub next: Option<String>,
}

/// A record as lists name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RecordName {
    /// The system.
    pub system: String,
    /// The record type.
    #[serde(rename = "type")]
    pub record_type: String,
    /// The id.
    pub id: String,
    /// What people call it, where a property says so.
    pub name: Option<String>,
}

impl RecordName {
    /// A record without a name.
    #[must_use]
    pub fn of(key: &RecordKey) -> Self {
        Self {
            system: key.record_type.system.clone(),
            record_type: key.record_type.name.clone(),
            id: key.id.clone(),
            name: None,
        }
    }

    /// The record.
    #[must_use]
    pub fn key(&self) -> RecordKey {
        RecordKey {
            record_type: RecordType::new(&self.system, &self.record_type),
            id: self.id.clone(),
        }
    }
}

/// A link.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Link {
    /// Its number.
    pub number: u64,
    /// The flow.
    pub flow: String,
    /// The first system's record.
    pub first: RecordName,
    /// The second system's record.
    pub second: RecordName,
    /// When it came to be.
    pub since: Timestamp,
}
