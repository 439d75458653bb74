//! How everything stands.

use super::Flow;
use crate::Traffic;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// How everything stands.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Overview {
    /// When this was read.
    pub at: Timestamp,
    /// The two systems, the first one first.
    pub systems: [System; 2],
    /// The flows, in the order of the dataflow document.
    pub flows: Vec<Flow>,
    /// What rests or is stopped.
    pub holds: Vec<Hold>,
    /// What systems changed about properties in use, and other things to know, in words.
    pub notices: Vec<String>,
    /// Records known, by `system type`.
    pub records: BTreeMap<String, u64>,
    /// Observations to decide.
    pub to_decide: u64,
    /// Writes to send.
    pub to_send: u64,
    /// Writes sent without an answer yet.
    pub unanswered: u64,
    /// Size of the state in bytes.
    pub bytes: u64,
    /// How much history there is.
    pub history: HistorySize,
}

/// How much history there is.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct HistorySize {
    /// Lines.
    pub lines: u64,
    /// Bytes.
    pub bytes: u64,
    /// The moment of the oldest line.
    pub oldest: Option<Timestamp>,
}

/// A system.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct System {
    /// Its name.
    pub system: String,
    /// When it was first listed in full.
    pub listed: Option<Timestamp>,
    /// How far its clock is ahead of Tandem's, in seconds; none where it was not measured.
    pub clock_ahead: Option<f64>,
    /// The calls of the day; none where the system does not count them.
    pub budget: Option<Budget>,
}

/// How a system answers the process at work, since its start.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Answering {
    /// The system.
    pub system: String,
    /// What is wrong, in words; none where it answers.
    pub trouble: Option<String>,
    /// Calls made.
    pub calls: u64,
    /// Requests that were answered.
    pub answered: u64,
    /// Requests that nobody answered.
    pub unanswered: u64,
    /// How often each status was answered, of those from 400 on.
    pub failed: BTreeMap<u16, u64>,
    /// How many milliseconds the latest answers took at the median; none before the first.
    pub median_ms: Option<f64>,
    /// How many milliseconds 95 of 100 of the latest answers took at most.
    pub most_ms: Option<f64>,
}

impl Answering {
    /// A system whose requests went so.
    #[must_use]
    pub fn new(system: &str, trouble: Option<String>, calls: u64, traffic: &Traffic) -> Self {
        let ms = traffic
            .now()
            .map(|both| both.map(|took| took.as_secs_f64() * 1_000.0));
        Self {
            system: system.to_owned(),
            trouble,
            calls,
            answered: traffic.answered,
            unanswered: traffic.unanswered,
            failed: traffic.failed.clone(),
            median_ms: ms.map(|[median, _]| median),
            most_ms: ms.map(|[_, most]| most),
        }
    }
}

/// The calls of a day.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Budget {
    /// Calls that Tandem made today (UTC).
    pub spent: u64,
    /// Calls that it may make a day.
    pub share: Option<u64>,
    /// Where first loads, comparisons and bulk loads stop.
    pub long_work: Option<u64>,
    /// Calls of everybody.
    pub calls: Option<Share>,
    /// Bulk jobs of everybody.
    pub bulk: Option<Share>,
    /// Deliveries of change events.
    pub events: Option<Share>,
    /// First loads, comparisons and bulk loads wait until then.
    pub long_work_waits: Option<Timestamp>,
    /// Live changes wait until then.
    pub live_waits: Option<Timestamp>,
}

/// How much of a limit of the day is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Share {
    /// Used.
    pub used: u64,
    /// Allowed.
    pub allowed: u64,
}

/// Something that rests or is stopped.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Hold {
    /// The flow, where it is one.
    pub flow: Option<String>,
    /// The system, where it is one.
    pub system: Option<String>,
    /// `paused`, `held`, `not believed`, `stopped`.
    pub stands: String,
    /// Why, in words.
    pub words: String,
    /// What to do about it.
    pub advice: String,
    /// It waits for a person's approval.
    pub needs_approval: bool,
    /// Since when.
    pub since: Timestamp,
}
