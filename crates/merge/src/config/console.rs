//! The pages and the HTTP API that are served, and who is told when something needs somebody.

use super::connection::duration;
use super::main_file::{AlertsText, ConsoleText, PersonText, TracesText};
use super::node::At;
use super::problem::Problems;
use super::{AlertSettings, ConsolePerson, ConsoleRole, ConsoleSettings, TraceSettings, provider};
use std::collections::BTreeSet;

/// At most one of so many changes is traced.
const MOST_APART: u32 = 1_000_000;
/// The name in the log of whoever signs in by a link.
const OWNER: &str = "owner";

/// What is served, where, and who may come in.
pub(crate) fn console_settings(
    file: &str,
    text: Option<&ConsoleText>,
    problems: &mut Problems,
) -> ConsoleSettings {
    let Some(text) = text else {
        return ConsoleSettings::default();
    };
    let address = text.address.as_ref().and_then(|address| {
        let read = address.value.parse().ok();
        if read.is_none() {
            let message = format!("`{}` is no address to serve at", address.value);
            let help =
                "Write an address of this machine with a port, such as `127.0.0.1:8743` or `0.0.0.0:8743`.";
            problems.add(file, address, message, help);
        }
        read
    });
    let mut known = BTreeSet::new();
    let sign_in = text
        .sign_in
        .as_ref()
        .and_then(|text| provider::settings(file, text, problems));
    if let (Some(address), Some(text)) = (address, &text.sign_in) {
        provider::reachable(file, text, address, problems);
    }
    let connections = connections(file, text.connections.as_ref(), problems);
    let people = text.people.iter().flatten();
    let people = people.filter_map(|one| person(file, one, &mut known, problems));
    ConsoleSettings {
        address,
        people: people.collect(),
        names: text
            .names
            .iter()
            .flatten()
            .map(|name| name.value.clone())
            .collect(),
        sign_in,
        connections,
    }
}

/// How many may be connected at once: fewer than a few browsers need is none.
fn connections(file: &str, text: Option<&At<u32>>, problems: &mut Problems) -> usize {
    const LEAST: u32 = 16;
    const MOST: u32 = 10_000;
    let Some(text) = text else {
        return ConsoleSettings::CONNECTIONS;
    };
    if !(LEAST..=MOST).contains(&text.value) {
        let message = format!("`{}` is no number of connections", text.value);
        let help = format!("Write a whole number from {LEAST} to {MOST}: a browser opens up to six.");
        problems.add(file, text, message, help);
    }
    text.value as usize
}

/// Who is told when something needs somebody.
pub(crate) fn alert_settings(
    file: &str,
    text: Option<&AlertsText>,
    problems: &mut Problems,
) -> Option<AlertSettings> {
    let text = text?;
    let mut lasts = |text: &Option<At<String>>, usual| match text {
        Some(text) => duration(file, text, problems),
        None => Some(usual),
    };
    Some(AlertSettings {
        after_ms: lasts(&text.after, 60_000)?,
        again_ms: lasts(&text.again, 4 * 3_600_000)?,
        webhook: text.webhook.value.as_ref()?.reference(),
    })
}

/// The collector that gets traces.
pub(crate) fn trace_settings(
    file: &str,
    text: Option<&TracesText>,
    problems: &mut Problems,
) -> Option<TraceSettings> {
    let text = text?;
    let endpoint = &text.endpoint.value;
    if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
        let message = format!("`{endpoint}` is no address");
        let help =
            "Write the address of a collector that takes OTLP over HTTP, such as `http://127.0.0.1:4318`.";
        problems.add(file, &text.endpoint, message, help);
    }
    let one_in = text.one_in.as_ref();
    if let Some(wrong) = one_in.filter(|one_in| !(1..=MOST_APART).contains(&one_in.value)) {
        let message = format!("one in {} changes cannot be traced", wrong.value);
        let help = format!("Write a number from 1 (all of them) to {MOST_APART}.");
        problems.add(file, wrong, message, help);
    }
    let headers = text.headers.as_ref();
    Some(TraceSettings {
        endpoint: endpoint.clone(),
        headers: headers.and_then(|headers| Some(headers.value.as_ref()?.reference())),
        one_in: one_in.map_or(1, |one_in| one_in.value.clamp(1, MOST_APART)),
    })
}

fn person<'a>(
    file: &str,
    text: &'a PersonText,
    known: &mut BTreeSet<&'a str>,
    problems: &mut Problems,
) -> Option<ConsolePerson> {
    if !known.insert(&text.name.value) {
        let message = format!("`{}` stands here twice", text.name.value);
        problems.add(
            file,
            &text.name,
            message,
            "Give each person one entry and a name of their own.",
        );
    }
    if text.name.value == OWNER {
        let message = format!("`{OWNER}` is whoever signs in by a link");
        problems.add(file, &text.name, message, "Give this person another name.");
    }
    let role = role(file, &text.role, problems)?;
    Some(ConsolePerson {
        name: text.name.value.clone(),
        role,
        token: text.token.value.as_ref()?.reference(),
    })
}

pub(crate) fn role(file: &str, text: &At<String>, problems: &mut Problems) -> Option<ConsoleRole> {
    match text.value.as_str() {
        "viewer" => Some(ConsoleRole::Viewer),
        "operator" => Some(ConsoleRole::Operator),
        "admin" => Some(ConsoleRole::Admin),
        other => {
            let message = format!("`{other}` is no role");
            problems.add(file, text, message, "Write `viewer`, `operator` or `admin`.");
            None
        }
    }
}
