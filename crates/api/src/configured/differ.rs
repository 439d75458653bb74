//! What two configurations say otherwise.

use std::collections::BTreeSet;
use tandem_merge::config::Configuration;

/// What `read` says otherwise than `known`, part by part, as people name the parts; empty where both say the same.
#[must_use]
pub fn differ(known: &Configuration, read: &Configuration) -> Vec<String> {
    let mut all = Vec::new();
    for (one, other) in known.connections.iter().zip(&read.connections) {
        if one.name != other.name {
            all.push(format!("the system {} is called {}", one.name, other.name));
        } else if one != other {
            all.push(format!("the connection to {} is set otherwise", one.name));
        }
    }
    all.extend(flows(known, read));
    let mut parts = vec![
        ("where the state is kept", known.state != read.state),
        ("who may sign in here, and where", known.console != read.console),
        (
            "who is told when something needs somebody",
            known.alerts != read.alerts,
        ),
        (
            "how long history is kept",
            known.keep_history_ms != read.keep_history_ms,
        ),
        (
            "which object serves a record type",
            known.bindings != read.bindings,
        ),
        (
            "which properties may be absent",
            known.if_present != read.if_present,
        ),
    ];
    parts.retain(|(_, differs)| *differs);
    all.extend(
        parts
            .into_iter()
            .map(|(part, _)| format!("{part} is set otherwise")),
    );
    let whole = |of: &Configuration| {
        let flows = &of.dataflow;
        (
            flows.clock_error_seconds,
            flows.introduction.clone(),
            flows.document_order.clone(),
        )
    };
    if all.is_empty() && (whole(known) != whole(read) || known != read) {
        all.push("something that concerns all flows is set otherwise".to_owned());
    }
    all
}

fn flows(known: &Configuration, read: &Configuration) -> Vec<String> {
    let names = |of: &Configuration| -> Vec<String> {
        let names = of.dataflow.flows.iter().map(|flow| flow.name.clone());
        names.collect()
    };
    let mut all = Vec::new();
    let both: BTreeSet<String> = names(known).into_iter().chain(names(read)).collect();
    for name in both {
        match (known.dataflow.flow(&name), read.dataflow.flow(&name)) {
            (Some(one), Some(other)) if one != other => {
                all.push(format!("the flow {name} is set otherwise"));
            }
            (Some(_), None) => all.push(format!("the flow {name} is gone")),
            (None, Some(_)) => all.push(format!("the flow {name} is new")),
            _ => {}
        }
    }
    if all.is_empty() && names(known) != names(read) {
        all.push("the flows stand in another order".to_owned());
    }
    all
}
