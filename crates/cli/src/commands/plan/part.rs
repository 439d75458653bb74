//! One flow's part of a plan.

use tandem_engine::{Counts, Held, Hold, PlanReport, PlannedAction, PlannedWrite};
use tandem_merge::dataflow::{Dataflow, Flow};
use tandem_merge::record::RecordType;

/// The dataflow with this flow alone, for what is shown flow by flow.
pub(super) fn alone(flows: &Dataflow, name: &str) -> Dataflow {
    let mut alone = flows.clone();
    alone.flows.retain(|flow| flow.name == name);
    alone.document_order.retain(|known| known == name);
    alone
}

/// What of a plan is about a flow. What no single flow decides, such as an update of a record that several flows tie, is part of
/// each of them. `held` is what was held before: it is not asked anew.
pub(super) fn of_flow(report: &mut PlanReport, flow: &Flow, held: &[Hold]) {
    let is_its = |of: &RecordType| flow.ends.iter().any(|end| &end.record_type == of);
    report.writes.retain(|write| write.is_about(flow));
    report.changes.retain(|(change, _)| change.flow == flow.name);
    let summary = &mut report.summary;
    summary.flows.retain(|name, _| *name == flow.name);
    summary
        .holds
        .retain(|hold| !matches!(&hold.of, Held::Flow(name) if *name != flow.name));
    summary.notices.retain(|notice| is_its(&notice.record_type));
    summary.done = counts(&report.writes);
    let asking = summary.holds.iter().filter(|hold| hold.needs_approval());
    summary.done.ask += asking.filter(|hold| !held.contains(hold)).count() as u64;
    for (system, written) in &mut summary.written {
        let theirs = report
            .writes
            .iter()
            .filter(|write| &write.target.system == system);
        *written = theirs.filter(|write| is_sent(write.action)).count() as u64;
    }
}

/// How much of each kind there is.
fn counts(writes: &[PlannedWrite]) -> Counts {
    let mut counts = Counts::default();
    for write in writes {
        let count = match write.action {
            PlannedAction::Create | PlannedAction::Companion => &mut counts.create,
            PlannedAction::Update | PlannedAction::PutOutOfUse => &mut counts.update,
            PlannedAction::Link => &mut counts.link,
            PlannedAction::Unlink => &mut counts.unlink,
            PlannedAction::Delete => &mut counts.delete,
            PlannedAction::Ask => &mut counts.ask,
            PlannedAction::Settle | PlannedAction::Park | PlannedAction::Defer => continue,
        };
        *count += 1;
    }
    counts
}

/// Whether a system is sent something. A link is Tandem's own.
fn is_sent(action: PlannedAction) -> bool {
    action.is_written() && action != PlannedAction::Link
}
