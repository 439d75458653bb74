//! A rehearsal for the console: what is kept of it, and how far one is that goes on.

use crate::view::ByConfiguration;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tandem_connector::Outcome;
use tandem_engine::{Happening, PlanReport, Watcher};
use tandem_merge::dataflow::Dataflow;

/// Lines that are kept at most.
pub const KEPT: usize = 10_000;

/// What came of a rehearsal. Its values are in clear: they are masked when they are shown.
#[derive(Clone, Debug)]
pub struct Rehearsed {
    /// When it was done.
    pub at: Timestamp,
    /// By which configuration.
    pub configuration: ByConfiguration,
    /// How long it took.
    pub seconds: f64,
    /// The calls that it took, by system.
    pub calls: BTreeMap<String, u64>,
    /// The newest line of the history that it knows of.
    pub line: u64,
    /// The flows that it is about.
    pub(crate) dataflow: Dataflow,
    /// How many lines it has.
    pub(crate) lines: u64,
    /// By flow.
    pub(crate) flows: BTreeMap<String, u64>,
    /// By what would be done.
    pub(crate) actions: BTreeMap<String, u64>,
    /// What it found, with the lines that are kept.
    pub(crate) report: PlanReport,
}

/// What is known of a rehearsal beside what it found.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// The flows that it is about.
    pub dataflow: Dataflow,
    /// By which configuration.
    pub configuration: ByConfiguration,
    /// How long it took.
    pub seconds: f64,
    /// The calls that it took, by system.
    pub calls: BTreeMap<String, u64>,
    /// The newest line of the history that it knows of.
    pub line: u64,
}

impl Rehearsed {
    /// Keeps a report: of very many lines those that nobody should miss, then the others in their order.
    #[must_use]
    pub fn keep(mut report: PlanReport, of: Circumstances) -> Self {
        let (mut flows, mut actions) = (BTreeMap::new(), BTreeMap::new());
        for write in &report.writes {
            *flows.entry(write.flow.clone().unwrap_or_default()).or_default() += 1;
            *actions.entry(write.action.name().to_owned()).or_default() += 1;
        }
        let lines = report.writes.len() as u64;
        if report.writes.len() > KEPT {
            report.writes.sort_by_key(|write| !write.action.is_grave());
            report.writes.truncate(KEPT);
            report.writes.shrink_to_fit();
        }
        Self {
            at: Timestamp::now(),
            configuration: of.configuration,
            seconds: of.seconds,
            calls: of.calls,
            line: of.line,
            dataflow: of.dataflow,
            lines,
            flows,
            actions,
            report,
        }
    }
}

/// How far a rehearsal is.
#[derive(Debug, Default)]
pub struct Progress(Mutex<Counted>);

/// What was counted so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Records read, by system.
    pub read: BTreeMap<String, u64>,
    /// Clusters decided.
    pub decided: u64,
    /// Writes found.
    pub found: u64,
}

impl Progress {
    /// What was counted so far.
    #[must_use]
    pub fn counted(&self) -> Counted {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watcher for Progress {
    fn happened(&self, what: &Happening<'_>) {
        match what {
            Happening::Observed { system, records, .. } => {
                *self.lock().read.entry((*system).to_owned()).or_default() += records;
            }
            Happening::Reconciled { clusters } => self.lock().decided += clusters,
            Happening::Answered {
                outcome: Outcome::Applied { .. },
                ..
            } => self.lock().found += 1,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tandem_engine::{PlannedAction, PlannedWrite};
    use tandem_merge::record::{RecordKey, RecordType, Values};

    fn line(number: usize, action: PlannedAction) -> PlannedWrite {
        let target = RecordType::new("customerp", "Order");
        PlannedWrite {
            flow: (number > 0).then(|| "order-order".to_owned()),
            action,
            record: RecordKey {
                record_type: target.clone(),
                id: number.to_string(),
            },
            target,
            with: None,
            property: None,
            role: None,
            values: Values::new(),
            before: Values::new(),
            reason: "it was edited".to_owned(),
            follows: false,
        }
    }

    fn circumstances() -> Circumstances {
        Circumstances {
            dataflow: serde_json::from_value(serde_json::json!({
                "systems": ["customerp", "salesforce"], "flows": [], "document_order": [],
                "introduction": "", "clock_error_seconds": 0,
            }))
            .unwrap(),
            configuration: ByConfiguration::InForce,
            seconds: 1.0,
            calls: BTreeMap::new(),
            line: 7,
        }
    }

    #[test]
    fn of_very_many_lines_none_is_lost_that_ends_something_and_all_are_counted() {
        let mut writes: Vec<PlannedWrite> = (0..KEPT + 3).map(|at| line(at, PlannedAction::Update)).collect();
        writes.push(line(KEPT + 3, PlannedAction::Delete));
        let report = PlanReport {
            writes,
            ..PlanReport::default()
        };
        let kept = Rehearsed::keep(report, circumstances());
        assert_eq!((kept.lines, kept.report.writes.len()), (KEPT as u64 + 4, KEPT));
        assert_eq!(kept.report.writes[0].action, PlannedAction::Delete);
        // The others keep their order.
        assert_eq!(kept.report.writes[1].record.id, "0");
        assert_eq!(kept.flows.values().sum::<u64>(), kept.lines);
        assert_eq!((kept.actions["delete"], kept.flows[""]), (1, 1));
    }
}
