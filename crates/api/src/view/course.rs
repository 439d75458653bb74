//! How things went over time.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// How things went over time, in steps of equal length, the oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Course {
    /// When the first step begins.
    pub from: Timestamp,
    /// How many seconds a step has.
    pub step_seconds: u64,
    /// Writes of ours in each step.
    pub written: Vec<u64>,
    /// The most that waited to be decided or sent in each step.
    pub backlog: Vec<u64>,
    /// Seconds of each step in which a process kept in step and noted how things stood. Of the others there is no record.
    pub watched_seconds: Vec<u64>,
    /// By system, for how long it was away.
    pub systems: BTreeMap<String, SystemCourse>,
    /// By flow, what happened to records of its types. A type of several flows counts in each.
    pub flows: BTreeMap<String, FlowCourse>,
}

/// How a system stood in each step, as far as a process noted it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SystemCourse {
    /// Seconds in which it did not answer.
    pub away_seconds: Vec<u64>,
    /// Seconds in which a guard had stopped it, or did not believe it.
    pub stopped_seconds: Vec<u64>,
}

impl SystemCourse {
    /// Nothing was noted in so many steps.
    #[must_use]
    pub fn new(steps: usize) -> Self {
        Self {
            away_seconds: vec![0; steps],
            stopped_seconds: vec![0; steps],
        }
    }
}

/// What happened to records of a flow's types, in each step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FlowCourse {
    /// Edits that people (or programs) made.
    pub edited: Vec<u64>,
    /// Writes of ours: creates, updates, deletions.
    pub written: Vec<u64>,
    /// Conflicts met.
    pub conflicts: Vec<u64>,
    /// What was parked, deferred or held.
    pub parked: Vec<u64>,
    /// The most seconds that an edit had been made before it was taken up.
    pub lag_seconds: Vec<u64>,
    /// Seconds in which a guard held it, or a system that shows an earlier state.
    pub held_seconds: Vec<u64>,
    /// Seconds in which it was paused by a person.
    pub paused_seconds: Vec<u64>,
}

impl FlowCourse {
    /// Nothing happened in so many steps.
    #[must_use]
    pub fn new(steps: usize) -> Self {
        let none = vec![0; steps];
        Self {
            edited: none.clone(),
            written: none.clone(),
            conflicts: none.clone(),
            parked: none.clone(),
            lag_seconds: none.clone(),
            held_seconds: none.clone(),
            paused_seconds: none,
        }
    }

    /// Whether a kind of line tells of a write of ours.
    pub(crate) fn is_write(what: &str) -> bool {
        matches!(what, "wrote" | "created" | "deleted")
    }

    pub(crate) fn add(&mut self, step: usize, what: &str, n: u64) {
        let counts = match what {
            "edited" => &mut self.edited,
            what if Self::is_write(what) => &mut self.written,
            "conflict" => &mut self.conflicts,
            "parked" => &mut self.parked,
            "lag" => &mut self.lag_seconds,
            _ => return,
        };
        if let Some(count) = counts.get_mut(step) {
            *count = if what == "lag" { n.max(*count) } else { *count + n };
        }
    }
}
