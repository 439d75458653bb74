//! Small parts of pages.

use jiff::Timestamp;
use maud::{Markup, html};
use std::fmt::Write;
use tandem_api::view::{Change, FlowState, Page, RecordName};
pub(super) use tandem_api::words::{count_of as count, thousands as number};

/// `12 KiB`, `3.4 MiB`.
pub(super) fn size(bytes: u64) -> String {
    let tenths = bytes * 10 / (1 << 20);
    match tenths {
        0..10 => format!("{} KiB", number(bytes / 1024)),
        10.. => format!("{}.{} MiB", number(tenths / 10), tenths % 10),
    }
}

/// A text that begins with a capital letter and ends with a stop.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let mut shown: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    shown.push_str(letters.as_str());
    if !shown.ends_with(['.', '!', '?', ':']) {
        shown.push('.');
    }
    shown
}

/// A text with what stands in backticks as commands and names stand.
pub(super) fn marked(text: &str) -> Markup {
    let parts = text.split('`').enumerate();
    html! { @for (place, part) in parts { @if place % 2 == 1 { code { (part) } } @else { (part) } } }
}

/// A sentence of what the process says.
pub(super) fn told(text: &str) -> Markup {
    marked(&sentence(text))
}

/// How long ago it was, with the moment itself for those who ask.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> Markup {
    let seconds = now.duration_since(at).as_secs();
    let words = match seconds {
        ..=4 => "just now".to_owned(),
        5..=59 => format!("{seconds} s ago"),
        60..=3_599 => format!("{} min ago", seconds / 60),
        3_600..=172_799 => format!("{} h ago", seconds / 3_600),
        172_800..=5_183_999 => format!("{} days ago", seconds / 86_400),
        _ => format!("{}", at.strftime("%Y-%m-%d")),
    };
    let exact = format!("{at:.0}");
    html! { time datetime=(exact) title=(exact) { (words) } }
}

/// The address of a record's page.
pub(super) fn record_address(system: &str, record_type: &str, id: &str) -> String {
    format!(
        "/records/{}/{}/{}",
        encoded(system),
        encoded(record_type),
        encoded(id)
    )
}

/// A text as a part of an address.
pub(super) fn encoded(text: &str) -> String {
    let mut shown = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~'
                if text != "." && text != ".." =>
            {
                shown.push(char::from(byte));
            }
            other => {
                // Writing to a string cannot fail.
                let _ = write!(shown, "%{other:02X}");
            }
        }
    }
    shown
}

/// A record by its name and id, leading to its page.
pub(super) fn record(name: &RecordName) -> Markup {
    html! {
        a.record href=(record_address(&name.system, &name.record_type, &name.id)) {
            @if let Some(called) = &name.name { span.called { (called) } " " }
            span.key { (name.record_type) " " (name.id) }
        }
    }
}

/// A record of one of the systems by its name and id, leading to its page; `part` says what of it is meant.
pub(super) fn record_of([system, record_type, id]: [&str; 3], name: Option<&str>, part: &str) -> Markup {
    html! {
        a.record href=(record_address(system, record_type, id)) {
            @if let Some(called) = name { span.called { (called) } " " }
            span.sys { (system) } " " span.key { (record_type) " " (id) (part) }
        }
    }
}

/// How a flow stands: a sign and a word, not a colour alone.
pub(super) fn state(state: FlowState) -> Markup {
    let (class, sign, word) = match state {
        FlowState::Fine => ("good", "✓", "in step"),
        FlowState::Waits => ("warn", "!", "waits for you"),
        FlowState::Paused => ("rest", "❚❚", "paused"),
        FlowState::Held => ("bad", "■", "held"),
    };
    html! { span class={ "state " (class) } { span.mark aria-hidden="true" { (sign) } " " (word) } }
}

/// A value as it stands somewhere; blank is told.
pub(super) fn value(value: Option<&str>) -> Markup {
    match value {
        Some(text) => html! { span.value { (text) } },
        None => html! { span.blank { "blank" } },
    }
}

/// A value that may name a record: then its name leads there, with the id beside it.
pub(super) fn value_naming(text: Option<&str>, names: Option<&RecordName>) -> Markup {
    match (text, names) {
        (Some(text), Some(names)) => {
            let address = record_address(&names.system, &names.record_type, &names.id);
            html! { span.value { a.record href=(address) {
                @if let Some(called) = &names.name { span.called { (called) } " " }
                span.key { (text) }
            } } }
        }
        (text, _) => value(text),
    }
}

/// Lines of the history, newest first.
pub(super) fn changes(rows: &[Change], now: Timestamp, with_run: bool) -> Markup {
    html! {
        table.changes {
            thead { tr {
                th scope="col" { "When" }
                th scope="col" { "Record" }
                th scope="col" { "What happened" }
                th scope="col" { "Why" }
                @if with_run { th scope="col" { "Run" } }
            } }
            tbody { @for row in rows { tr {
                td.when { (followed(row, now)) }
                td.about { (record_of([&row.system, &row.record_type, &row.id], row.name.as_deref(), "")) }
                td.what { (what(row)) }
                td.why { (row.why) }
                @if with_run { td.number.run { a href={ "/runs/" (row.run) } { span.label { "run " } (row.run) } } }
            } } }
        }
    }
}

/// When a line was written, as the way to all lines of the same change.
fn followed(row: &Change, now: Timestamp) -> Markup {
    html! {
        @if let Some(trace) = &row.trace {
            a href={ "/changes?trace=" (trace) } title="Follow this change" { (ago(row.at, now)) }
        } @else { (ago(row.at, now)) }
    }
}

/// What a line says, with the values side by side where it is about values.
pub(super) fn what(row: &Change) -> Markup {
    let values = matches!(row.event.as_str(), "edited" | "wrote" | "overwrote" | "undone");
    let Some(property) = row.property.as_ref().filter(|_| values) else {
        return html! { span class={ "event " (row.event) } { (row.what) } };
    };
    let verb = match row.event.as_str() {
        "edited" => "edited",
        "wrote" => "written",
        "overwrote" => "put back",
        _ => "taken back",
    };
    html! {
        span class={ "event " (row.event) } { span.prop { (property) } " " (verb) }
        @if let Some(by) = &row.by { " by " (by) }
        ": "
        span.old { (value_naming(row.old.as_deref(), row.old_names.as_ref())) } " → "
        (value_naming(row.new.as_deref(), row.new_names.as_ref()))
    }
}

/// How long something took: `0.3 s`, `12 s`, `5 min`.
pub(super) fn seconds(lasted: u64) -> String {
    match lasted {
        0..120 => format!("{lasted} s"),
        120..7_200 => format!("{} min", lasted / 60),
        _ => format!("{} h", lasted / 3_600),
    }
}

/// The way to the next rows.
pub(super) fn more<T>(page: &Page<T>, address: &str) -> Markup {
    more_by(page, address, "Older")
}

/// The same, under another word.
pub(super) fn more_by<T>(page: &Page<T>, address: &str, word: &str) -> Markup {
    let sign = if address.contains('?') { '&' } else { '?' };
    html! {
        @if let Some(next) = &page.next {
            p.more { a.button href={ (address) (sign) "cursor=" (encoded(next)) } rel="next" { (word) } }
        }
    }
}

/// A cell that says that there is nothing.
pub(super) fn nothing(words: &str) -> Markup {
    html! { p.nothing { (words) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_and_addresses_encoded() {
        assert_eq!(
            [number(7), number(1_234), number(1_234_567)],
            ["7", "1,234", "1,234,567"]
        );
        assert_eq!(
            record_address("erp", "Order", "a/b?ü"),
            "/records/erp/Order/a%2Fb%3F%C3%BC"
        );
        assert_eq!([size(2_048), size(3_334_144)], ["2 KiB", "3.1 MiB"]);
        assert_eq!(encoded(".."), "%2E%2E");
        assert_eq!(sentence("it waits"), "It waits.");
        let shown = told("mend it, then `tandem retry a<b`").into_string();
        assert_eq!(shown, "Mend it, then <code>tandem retry a&lt;b</code>.");
    }
}
