//! A flow.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// How a flow stands, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FlowState {
    /// Nothing waits for a person.
    Fine,
    /// Something waits for a person.
    Waits,
    /// A person paused it.
    Paused,
    /// A guard holds it.
    Held,
}

/// A flow with its counts.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Flow {
    /// Its name.
    pub flow: String,
    /// The first and the second record type.
    pub types: [String; 2],
    /// How it stands.
    pub state: FlowState,
    /// Why it does not go on, in words.
    pub why: Option<String>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Live links.
    pub linked: u64,
    /// Creates applied in the first and the second system.
    pub created: [u64; 2],
    /// Updates applied.
    pub updated: u64,
    /// Conflicts met since the beginning.
    pub conflicts: u64,
    /// Conflicts that wait for an answer.
    pub questions: u64,
    /// Items that need mending.
    pub parked: u64,
    /// Items that wait for a link.
    pub deferred: u64,
    /// Items that wait for approval.
    pub approvals: u64,
    /// Records listed without a counterpart.
    pub not_created: u64,
    /// Items that nobody wants to hear of.
    pub ignored: u64,
}

/// A flow with what it does.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FlowPage {
    /// The flow.
    pub flow: Flow,
    /// The objects that serve the two types.
    pub objects: [String; 2],
    /// What decides conflicts.
    pub conflict: String,
    /// What happens in the other system when a record of the first, of the second is deleted.
    pub on_delete: [String; 2],
    /// Whether records without a counterpart are created in the first, in the second system.
    pub create: [String; 2],
    /// Its properties.
    pub properties: Vec<PropertyRow>,
    /// Rows of the configuration that the objects in use do not serve.
    pub unserved: Vec<String>,
}

/// A property that a flow keeps in step.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PropertyRow {
    /// The first and the second system's property.
    pub properties: [String; 2],
    /// Their declared types.
    pub types: [String; 2],
    /// Which way values travel.
    pub direction: String,
    /// What decides its conflicts, where it is not what decides the flow's.
    pub conflict: Option<String>,
    /// The values are a person's own.
    pub personal: bool,
    /// What to mind.
    pub note: String,
}
