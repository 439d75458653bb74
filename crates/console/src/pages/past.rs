//! What charts show of the past: the last hour as the process saw it, or days as the state keeps them.

use crate::pulse::{COLUMNS, Pulse};
use std::collections::BTreeMap;
use tandem_api::look::Over;
use tandem_api::view::{Course, FlowCourse};

/// Counts over a stretch of time, the oldest first.
pub(super) struct Past {
    /// Its name in an address.
    pub(super) name: &'static str,
    /// How long it is, in words.
    pub(super) length: &'static str,
    /// Its steps, in words.
    pub(super) step: &'static str,
    pub(super) columns: usize,
    /// Writes of all flows.
    pub(super) all: Vec<u64>,
    /// What waited.
    pub(super) backlog: Vec<u64>,
    written: BTreeMap<String, Vec<u64>>,
    lag: BTreeMap<String, u64>,
}

impl Past {
    /// The last hour, or what was read of a longer time.
    pub(super) fn of(pulse: &Pulse, course: Option<(Over, Course)>) -> Self {
        let Some((over, course)) = course else {
            return Self {
                name: "",
                length: "hour",
                step: "minute by minute",
                columns: COLUMNS,
                all: pulse.written(None),
                backlog: pulse.backlog(),
                written: pulse.written_by_flow(),
                lag: BTreeMap::new(),
            };
        };
        let (length, step) = match over {
            Over::Day => ("day", "hour by hour"),
            Over::Week => ("week", "in steps of six hours"),
            Over::Month => ("30 days", "day by day"),
        };
        let most = |(flow, course): (&String, &FlowCourse)| {
            Some((flow.clone(), course.lag_seconds.iter().max().copied()?))
        };
        Self {
            name: over.name(),
            length,
            step,
            columns: over.steps().1,
            all: course.written,
            backlog: course.backlog,
            lag: course.flows.iter().filter_map(most).collect(),
            written: course
                .flows
                .into_iter()
                .map(|(flow, course)| (flow, course.written))
                .collect(),
        }
    }

    /// Writes of a flow.
    pub(super) fn written(&self, flow: &str) -> &[u64] {
        self.written.get(flow).map_or(&[], Vec::as_slice)
    }

    /// The longest that an edit of a flow had been made before it was taken up, in seconds; none where that is not kept.
    pub(super) fn lag(&self, flow: &str) -> Option<u64> {
        self.lag.get(flow).copied()
    }
}
