//! What charts show of the past: the last hour as the process saw it, or days as the state keeps them.

use super::stood::{self, Column};
use crate::pulse::{COLUMNS, Pulse};
use jiff::Timestamp;
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
    /// How everything stood, and each flow.
    stood: Vec<Column>,
    stood_by_flow: BTreeMap<String, Vec<Column>>,
}

impl Past {
    /// The last hour, or what was read of a longer time.
    pub(super) fn of(pulse: &Pulse, course: Option<(Over, Course)>, now: Timestamp) -> Self {
        let Some((over, course)) = course else {
            let minutes = pulse.minutes();
            let latest = pulse.latest();
            let flows = latest.iter().flat_map(|overview| overview.flows.iter());
            let by_flow =
                flows.map(|flow| (flow.flow.clone(), stood::of_minutes(&minutes, Some(&flow.flow))));
            let by_flow = by_flow.collect();
            return Self {
                name: "",
                length: "hour",
                step: "minute by minute",
                columns: COLUMNS,
                all: pulse.written(None),
                backlog: pulse.backlog(),
                written: pulse.written_by_flow(),
                lag: BTreeMap::new(),
                stood: stood::of_minutes(&minutes, None),
                stood_by_flow: by_flow,
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
        let flows = course.flows.keys();
        let by_flow = flows.map(|flow| (flow.clone(), stood::of_course(&course, Some(flow), now)));
        Self {
            stood_by_flow: by_flow.collect(),
            stood: stood::of_course(&course, None, now),
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

    /// How everything stood: at any time as the flow that stood worst.
    pub(super) fn stood(&self) -> &[Column] {
        &self.stood
    }

    /// How a flow stood.
    pub(super) fn flow_stood(&self, flow: &str) -> &[Column] {
        self.stood_by_flow.get(flow).map_or(&[], Vec::as_slice)
    }

    /// The longest that an edit of a flow had been made before it was taken up, in seconds; none where that is not kept.
    pub(super) fn lag(&self, flow: &str) -> Option<u64> {
        self.lag.get(flow).copied()
    }
}
