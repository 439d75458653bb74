//! Counts in the text format of Prometheus. They name flows and systems, and no record.

use crate::pulse::{Now, Pulse};
use std::fmt::{Display, Write};
use tandem_api::BOUNDS;
use tandem_api::view::{Flow, FlowState, Overview, System};

/// A count of a flow, with its name and what it means.
type FlowCount = (&'static str, &'static str, fn(&Flow) -> u64);

/// Counts of a flow that are told.
const COUNTS: [FlowCount; 8] = [
    ("linked", "Live links.", |flow| flow.linked),
    ("updated", "Updates applied.", |flow| flow.updated),
    ("conflicts", "Conflicts met.", |flow| flow.conflicts),
    ("questions", "Conflicts that wait for an answer.", |flow| {
        flow.questions
    }),
    ("parked", "Items that need mending.", |flow| flow.parked),
    ("deferred", "Items that wait for a link.", |flow| flow.deferred),
    ("approvals", "Items that wait for approval.", |flow| {
        flow.approvals
    }),
    ("not_created", "Records listed without a counterpart.", |flow| {
        flow.not_created
    }),
];

/// The metrics; before the first counts, only that Tandem is up.
pub(crate) fn render(pulse: &Pulse, now: &Now) -> String {
    let overview = pulse.latest();
    let overview = overview.as_deref();
    let mut text = String::new();
    gauge(&mut text, "tandem_up", "Tandem is running.", [(String::new(), 1)]);
    let calls = now.calls.iter();
    let calls = calls.map(|(system, calls)| (label("system", system), *calls));
    gauge(&mut text, "tandem_api_calls", "API calls since the start.", calls);
    calls_of(&mut text, now);
    let troubles = [(String::new(), now.troubles.len())];
    gauge(&mut text, "tandem_troubles", "Systems in trouble.", troubles);
    let Some(overview) = overview else {
        return text;
    };
    for (name, help, count) in COUNTS {
        let values = overview
            .flows
            .iter()
            .map(|flow| (label("flow", &flow.flow), count(flow)));
        gauge(&mut text, &format!("tandem_flow_{name}"), help, values);
    }
    let created = overview.flows.iter().flat_map(|flow| {
        let systems = overview.systems.iter().zip(flow.created);
        systems.map(|(system, created)| {
            let names = [("flow", flow.flow.as_str()), ("system", system.system.as_str())];
            (labels(&names), created)
        })
    });
    gauge(&mut text, "tandem_flow_created", "Creates applied.", created);
    let going = |flow: &Flow| u8::from(!matches!(flow.state, FlowState::Paused | FlowState::Held));
    let going = overview
        .flows
        .iter()
        .map(|flow| (label("flow", &flow.flow), going(flow)));
    gauge(
        &mut text,
        "tandem_flow_going",
        "The flow goes on: 0 where it is paused or held.",
        going,
    );
    let lags = pulse.lags().into_iter();
    gauge(
        &mut text,
        "tandem_flow_lag_seconds",
        "How long the flow's latest edit had been made before it was taken up.",
        lags.map(|(flow, lag)| (label("flow", &flow), lag)),
    );
    gauge(
        &mut text,
        "tandem_busy_seconds",
        "For how long something has been on the way without a pause.",
        [(String::new(), pulse.busy(jiff::Timestamp::now()))],
    );
    rest(&mut text, overview);
    text
}

/// How long answers took, and how often there was none, or a bad one.
fn calls_of(text: &mut String, now: &Now) {
    let name = "tandem_call_seconds";
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "# HELP {name} How long calls took to be answered.\n# TYPE {name} histogram"
    );
    for (system, traffic) in &now.traffic {
        let bounds = BOUNDS.iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
        let counts = traffic.within.iter().chain([&traffic.answered]);
        for (bound, count) in bounds.zip(counts) {
            let of = labels(&[("system", system), ("le", &bound)]);
            let _ = writeln!(text, "{name}_bucket{of} {count}");
        }
        let of = label("system", system);
        let _ = writeln!(
            text,
            "{name}_sum{of} {}\n{name}_count{of} {}",
            traffic.seconds, traffic.answered
        );
    }
    let errors = now.traffic.iter().flat_map(|(system, traffic)| {
        let failed = traffic.failed.iter().map(|(status, n)| (status.to_string(), *n));
        let all = failed.chain([("none".to_owned(), traffic.unanswered)]);
        all.map(move |(status, n)| (labels(&[("system", system), ("status", &status)]), n))
    });
    let help = "Calls since the start that were answered with an error, or (status `none`) by nobody.";
    gauge(text, "tandem_call_errors", help, errors);
}

fn rest(text: &mut String, overview: &Overview) {
    let holds = overview.holds.iter().filter(|hold| hold.needs_approval).count() as u64;
    for (name, help, value) in [
        ("tandem_inbox", "Observations to decide.", overview.to_decide),
        ("tandem_outbox_waiting", "Writes to send.", overview.to_send),
        (
            "tandem_outbox_sent",
            "Writes without an answer.",
            overview.unanswered,
        ),
        ("tandem_state_bytes", "Size of the state.", overview.bytes),
        (
            "tandem_history_lines",
            "Lines of the history.",
            overview.history.lines,
        ),
        ("tandem_holds", "Flows and systems that a guard holds.", holds),
        (
            "tandem_notices",
            "Things to know about the systems.",
            overview.notices.len() as u64,
        ),
    ] {
        gauge(text, name, help, [(String::new(), value)]);
    }
    let of = |value: fn(&System) -> Option<f64>| {
        let systems = overview.systems.iter();
        let found = systems.filter_map(move |system| Some((label("system", &system.system), value(system)?)));
        found.collect::<Vec<_>>()
    };
    gauge(
        text,
        "tandem_clock_ahead_seconds",
        "How far a system's clock is ahead of ours.",
        of(|system| system.clock_ahead),
    );
    let budgets = overview.systems.iter();
    let budgets = budgets.filter_map(|system| Some((&system.system, system.budget.as_ref()?)));
    let (mut spent, mut share) = (Vec::new(), Vec::new());
    for (system, budget) in budgets {
        spent.push((label("system", system), budget.spent));
        share.extend(budget.share.map(|share| (label("system", system), share)));
    }
    gauge(
        text,
        "tandem_budget_spent_calls",
        "Calls of the day that we made.",
        spent,
    );
    gauge(
        text,
        "tandem_budget_share_calls",
        "Calls of the day that we may make.",
        share,
    );
}

fn label(name: &str, value: &str) -> String {
    labels(&[(name, value)])
}

fn labels(all: &[(&str, &str)]) -> String {
    let each = all
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
    format!("{{{}}}", each.collect::<Vec<_>>().join(","))
}

fn gauge<T: Display>(
    text: &mut String,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (String, T)>,
) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
    for (label, value) in values {
        let _ = writeln!(text, "{name}{label} {value}");
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
