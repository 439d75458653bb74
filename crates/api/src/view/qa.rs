//! What the newest `tandem qa` found.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a run of `tandem qa` found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Qa {
    /// When it ended.
    pub at: Timestamp,
    /// What marks its records.
    pub run: String,
    /// How many lines came out how.
    pub counts: QaCounts,
    /// Line by line, flow by flow.
    pub flows: Vec<QaFlow>,
    /// Records of its own that it deleted.
    pub deleted: u64,
    /// Records that are kept for the next run.
    pub kept: Vec<String>,
    /// Records that could not be deleted.
    pub stuck: Vec<String>,
    /// How often it synced.
    pub syncs: u64,
    /// How long it took.
    pub seconds: f64,
}

/// How many lines came out how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QaCounts {
    /// They hold.
    pub pass: u64,
    /// They do not.
    pub fail: u64,
    /// The objects in use have no place for them.
    pub not_served: u64,
    /// Nothing failed, but not all of them could be tried.
    pub cannot_be_tried: u64,
}

/// A flow's part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QaFlow {
    /// Its name; blank where none is configured.
    pub flow: String,
    /// What the document calls it.
    pub title: String,
    /// What was ticked off.
    pub lines: Vec<QaLine>,
}

/// How a line came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum QaResult {
    /// It does not hold.
    Fail,
    /// Nothing failed, but not all of it could be tried.
    CannotBeTried,
    /// The objects in use have no place for it.
    NotServed,
    /// It holds.
    Pass,
}

/// A sentence or a property that was ticked off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QaLine {
    /// `sentence`, `property` or `deletion`.
    pub kind: String,
    /// What was ticked off.
    pub text: String,
    /// The two properties, for a property.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub properties: Option<[String; 2]>,
    /// How it came out.
    pub result: QaResult,
    /// How it was tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<String>,
    /// What failed first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<QaFailure>,
    /// Why it is not served or could not be tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What was seen instead of what was promised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QaFailure {
    /// What was done.
    pub done: String,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub seen: String,
    /// What Tandem says about it, where it does.
    pub because: Option<String>,
}
