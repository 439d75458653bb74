//! The status page.

use crate::signs::is_harmful;
use crate::snapshot::Snapshot;
use serde_json::Value as Json;
use std::fmt::Write;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem;max-width:80rem;color:#222}\
     table{border-collapse:collapse;margin:.5rem 0 2rem;width:100%}th,td{text-align:left;padding:.3rem .7rem;\
     border-bottom:1px solid #ddd;vertical-align:top}td.n{text-align:right;font-variant-numeric:tabular-nums}\
     .trouble{background:#fdecea;padding:.5rem 1rem}h1{margin-bottom:0}.at{color:#666}";

/// The page of a snapshot; before the first, that nothing is known yet.
pub(crate) fn render(snapshot: Option<&Snapshot>) -> String {
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"5\">\
         <title>Tandem</title><style>{STYLE}</style><h1>Tandem</h1>"
    );
    match snapshot {
        None => page.push_str("<p>Nothing is known yet.</p>"),
        Some(snapshot) => body(&mut page, snapshot),
    }
    page.push_str("</html>\n");
    page
}

fn body(page: &mut String, snapshot: &Snapshot) {
    // Writing to a string cannot fail.
    let _ = write!(page, "<p class=\"at\">as of {:.0}</p>", snapshot.taken);
    for trouble in &snapshot.troubles {
        let _ = write!(page, "<p class=\"trouble\">{}</p>", escaped(trouble));
    }
    let [first, second] = &snapshot.systems;
    let created = [format!("created_{first}"), format!("created_{second}")];
    let mut columns = vec![("flow", "Flow".to_owned()), ("linked", "Linked".to_owned())];
    columns.extend([
        (created[0].as_str(), format!("Created in {first}")),
        (created[1].as_str(), format!("Created in {second}")),
    ]);
    let counts = [
        ("updated", "Updated"),
        ("conflicts", "Conflicts"),
        ("questions", "To answer"),
        ("parked", "Parked"),
        ("deferred", "Deferred"),
        ("approvals", "To approve"),
    ];
    columns.extend(counts.map(|(name, heading)| (name, heading.to_owned())));
    let none = Vec::new();
    let flows = snapshot.status["flows"].as_array().unwrap_or(&none);
    table(page, "Flows", &columns, flows);
    let waiting = [
        "item", "standing", "kind", "type", "id", "property", "reason", "advice",
    ];
    table(
        page,
        "Waiting for a person",
        &waiting.map(|name| (name, name.to_owned())),
        &snapshot.items,
    );
    let latest: Vec<Json> = snapshot.history.iter().rev().cloned().collect();
    let lines = ["at", "record", "what", "why"];
    table(
        page,
        "Latest",
        &lines.map(|name| (name, name.to_owned())),
        &latest,
    );
}

fn table(page: &mut String, title: &str, columns: &[(&str, String)], rows: &[Json]) {
    let _ = write!(page, "<h2>{title}</h2>");
    if rows.is_empty() {
        page.push_str("<p>Nothing.</p>");
        return;
    }
    page.push_str("<table><tr>");
    for (_, heading) in columns {
        let _ = write!(page, "<th>{}</th>", escaped(heading));
    }
    page.push_str("</tr>");
    for row in rows {
        page.push_str("<tr>");
        for (name, _) in columns {
            let _ = match &row[*name] {
                Json::Null => write!(page, "<td></td>"),
                Json::Number(number) => write!(page, "<td class=\"n\">{number}</td>"),
                Json::String(text) => write!(page, "<td>{}</td>", escaped(text)),
                other => write!(page, "<td>{}</td>", escaped(&other.to_string())),
            };
        }
        page.push_str("</tr>");
    }
    page.push_str("</table>");
}

/// A text that is no markup, and turns no words around: marks of direction are shown as what they are.
fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '"' => shown.push_str("&quot;"),
            harmful if is_harmful(harmful) => shown.extend(harmful.escape_default()),
            plain => shown.push(plain),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_comes_from_systems_is_escaped() {
        let snapshot = Snapshot {
            items: vec![json!({ "item": 3, "reason": "<script>\u{202e}exe\u{1b}" })],
            ..Snapshot::default()
        };
        let page = render(Some(&snapshot));
        assert!(
            page.contains("&lt;script&gt;") && !page.contains("<script>"),
            "{page}"
        );
        assert!(page.contains("\\u{202e}exe\\u{1b}"), "{page}");
        assert!(!page.contains(|sign| sign != '\n' && is_harmful(sign)), "{page}");
        assert!(page.contains("<td class=\"n\">3</td>"), "{page}");
    }
}
