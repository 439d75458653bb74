//! What the next round would do.

use super::{Page, RecordName};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// The newest plan, and one that is being made.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Plan {
    /// One is being made.
    pub making: Option<Making>,
    /// Why the latest one did not come about.
    pub failed: Option<PlanFailed>,
    /// The newest one; none where none was made since this process began with its configuration.
    pub made: Option<Made>,
}

/// A plan that is being made.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Making {
    /// Since when.
    pub since: Timestamp,
    /// Who asked for it.
    pub by: String,
    /// By which configuration.
    pub configuration: ByConfiguration,
    /// Records read so far, by system.
    pub read: BTreeMap<String, u64>,
    /// Records decided so far, those linked with each other counted once.
    pub decided: u64,
    /// Writes found so far.
    pub found: u64,
}

/// Which configuration a plan is made by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ByConfiguration {
    /// The one that the process works by: what its next round would do.
    #[default]
    InForce,
    /// The files as they are now: what would be done once they were read again.
    Files,
}

/// Why no plan came about.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PlanFailed {
    /// When that was known.
    pub at: Timestamp,
    /// What happened.
    pub why: String,
    /// What to do about it.
    pub advice: String,
}

/// A plan.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Made {
    /// When it was made.
    pub at: Timestamp,
    /// Who asked for it.
    pub by: String,
    /// By which configuration.
    pub configuration: ByConfiguration,
    /// How long that took.
    pub seconds: f64,
    /// The calls that it took, by system.
    pub calls: BTreeMap<String, u64>,
    /// Lines of the history that came to be since: what they tell of is in the plan all the same.
    pub since: u64,
    /// How much there is of each kind, on one line.
    pub line: String,
    /// Nothing would be done, and nothing would come to wait.
    pub nothing: bool,
    /// How many things wait already, and would go on to.
    pub waiting: u64,
    /// What the configuration changed since the state was last used, in words.
    pub changes: Vec<String>,
    /// What guards would hold or hold already, and what is to be known, in words.
    pub notes: Vec<String>,
    /// Systems that were in trouble: what concerns them is missing.
    pub troubles: Vec<String>,
    /// How many lines there are by flow; under no name those that no single flow decides.
    pub flows: BTreeMap<String, u64>,
    /// How many lines there are by what would be done.
    pub actions: BTreeMap<String, u64>,
    /// All lines.
    pub lines: u64,
    /// Lines that are kept: of very many, those that end something or ask somebody first.
    pub kept: u64,
    /// Those that were asked for.
    pub page: Page<PlanLine>,
}

/// One thing that would be done, or come to wait.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PlanLine {
    /// The flow; none where no single flow decides it.
    pub flow: Option<String>,
    /// What would be done: `link`, `create`, `companion`, `update`, `put-out-of-use`, `delete`, `unlink`, `settle`, `ask`,
    /// `park` or `defer`.
    pub action: String,
    /// The system that would be written.
    pub system: String,
    /// The record type that would be written.
    #[serde(rename = "type")]
    pub record_type: String,
    /// The record that it starts from: of a create its source, of a link the first system's, else the one that would be written.
    pub record: RecordName,
    /// The other record of a link.
    pub with: Option<RecordName>,
    /// The property, where it is about one.
    pub property: Option<String>,
    /// The companion's role, for companions.
    pub role: Option<String>,
    /// What would stand there, property by property.
    pub values: Vec<PlanValue>,
    /// Why.
    pub why: String,
    /// It follows from a create: what a system gives goes back.
    pub follows: bool,
}

/// A value that would be written.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PlanValue {
    /// The property.
    pub property: String,
    /// What stands there; none where that is blank or a record is created.
    pub before: Option<String>,
    /// What would stand there; none where it would be blank.
    pub after: Option<String>,
    /// The record that the value before names.
    pub before_names: Option<RecordName>,
    /// The record that the value after names.
    pub after_names: Option<RecordName>,
}
