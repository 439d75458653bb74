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
    all: Vec<u64>,
    flows: BTreeMap<String, FlowCourse>,
    written: BTreeMap<String, Vec<u64>>,
    backlog: Vec<u64>,
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
                flows: BTreeMap::new(),
                written: pulse.written_by_flow(),
                backlog: pulse.backlog(),
            };
        };
        let (name, length, step) = match over {
            Over::Day => ("day", "day", "hour by hour"),
            Over::Week => ("week", "week", "in steps of six hours"),
            Over::Month => ("month", "30 days", "day by day"),
        };
        let columns = over.steps().1;
        Self {
            name,
            length,
            step,
            columns,
            all: course.written,
            written: BTreeMap::new(),
            flows: course.flows,
            backlog: course.backlog,
        }
    }

    /// Writes of a flow, or of all.
    pub(super) fn written(&self, flow: Option<&str>) -> Vec<u64> {
        let Some(flow) = flow else { return self.all.clone() };
        let counted = self.flows.get(flow).map(|course| &course.written);
        counted
            .or_else(|| self.written.get(flow))
            .cloned()
            .unwrap_or_default()
    }

    /// What waited.
    pub(super) fn backlog(&self) -> &[u64] {
        &self.backlog
    }

    /// The longest that an edit of a flow had been made before it was taken up, in seconds; none where that is not kept.
    pub(super) fn lag(&self, flow: &str) -> Option<u64> {
        self.flows.get(flow)?.lag_seconds.iter().max().copied()
    }
}
