//! The snapshot in the text format of Prometheus.

use crate::snapshot::Snapshot;
use serde_json::Value as Json;
use std::fmt::Write;

/// Counts of a flow that are told, with what they mean.
const COUNTS: [(&str, &str); 8] = [
    ("linked", "Live links."),
    ("updated", "Updates applied."),
    ("conflicts", "Conflicts met."),
    ("questions", "Conflicts that wait for an answer."),
    ("parked", "Items that need mending."),
    ("deferred", "Items that wait for a link."),
    ("approvals", "Items that wait for approval."),
    ("not_created", "Records listed without a counterpart."),
];

/// The metrics of a snapshot; before the first, only that Tandem is up.
pub(crate) fn render(snapshot: Option<&Snapshot>) -> String {
    let mut text = String::new();
    gauge(&mut text, "tandem_up", "Tandem is running.", [(String::new(), 1)]);
    let Some(snapshot) = snapshot else {
        return text;
    };
    let flows = snapshot.status["flows"].as_array().map_or(&[][..], Vec::as_slice);
    for (name, help) in COUNTS {
        let values = flows.iter().map(|flow| {
            let label = format!(
                "{{flow=\"{}\"}}",
                escaped(flow["flow"].as_str().unwrap_or_default())
            );
            (label, count(&flow[name]))
        });
        gauge(&mut text, &format!("tandem_flow_{name}"), help, values);
    }
    let created = flows.iter().flat_map(|flow| {
        snapshot.systems.iter().map(move |system| {
            let name = escaped(flow["flow"].as_str().unwrap_or_default());
            let label = format!("{{flow=\"{name}\",system=\"{}\"}}", escaped(system));
            (label, count(&flow[format!("created_{system}")]))
        })
    });
    gauge(&mut text, "tandem_flow_created", "Creates applied.", created);
    let calls = snapshot.calls.iter();
    let calls = calls.map(|(system, calls)| (format!("{{system=\"{}\"}}", escaped(system)), *calls));
    gauge(&mut text, "tandem_api_calls", "API calls since the start.", calls);
    let status = &snapshot.status;
    for (name, help, value) in [
        ("tandem_inbox", "Observations to decide.", &status["inbox"]),
        (
            "tandem_outbox_waiting",
            "Writes to send.",
            &status["outbox"]["waiting"],
        ),
        (
            "tandem_outbox_sent",
            "Writes without an answer.",
            &status["outbox"]["sent"],
        ),
        ("tandem_state_bytes", "Size of the state.", &status["bytes"]),
    ] {
        gauge(&mut text, name, help, [(String::new(), count(value))]);
    }
    let troubles = snapshot.troubles.len() as u64;
    gauge(
        &mut text,
        "tandem_troubles",
        "Systems in trouble.",
        [(String::new(), troubles)],
    );
    text
}

fn count(value: &Json) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn gauge(text: &mut String, name: &str, help: &str, values: impl IntoIterator<Item = (String, u64)>) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn flows_become_labels() {
        let snapshot = Snapshot {
            systems: ["customerp".to_owned(), "salesforce".to_owned()],
            status: json!({ "flows": [{ "flow": "order-order", "linked": 7, "created_salesforce": 5 }] }),
            ..Snapshot::default()
        };
        let text = render(Some(&snapshot));
        assert!(
            text.contains("tandem_flow_linked{flow=\"order-order\"} 7\n"),
            "{text}"
        );
        assert!(
            text.contains("tandem_flow_created{flow=\"order-order\",system=\"salesforce\"} 5\n"),
            "{text}"
        );
    }
}
