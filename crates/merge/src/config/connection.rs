//! Connections and bindings.

use super::known::{Kinds, Known};
use super::load::FlowSource;
use super::main_file::{ConnectionText, HistoryText, MainText, SecretText, StateText};
use super::node::{At, Node};
use super::problem::{Problems, suggestion};
use super::type_text::milliseconds;
use super::{
    BudgetShare, Changes, Connection, StateServer, StateSettings, Users, Writes, is_schema_name, sign_in,
    webhook,
};
use crate::dataflow::{CreatePolicy, Flow, Side};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

pub(crate) fn used_types(flows: &[FlowSource], side: usize) -> BTreeSet<String> {
    let types = flows
        .iter()
        .map(|source| [&source.text.first, &source.text.second][side]);
    types.map(|written| written.value.clone()).collect()
}

pub(crate) fn duration(file: &str, text: &At<String>, problems: &mut Problems) -> Option<i64> {
    let parsed = milliseconds(&text.value);
    if parsed.is_none() {
        let message = format!("`{}` is no length of time", text.value);
        problems.add(
            file,
            text,
            message,
            "Write a number with `ms`, `s`, `m`, `h` or `d`, such as `5s` or `10m`.",
        );
    }
    parsed
}

/// How long history is kept, in milliseconds: at least a day.
pub(crate) fn kept(file: &str, text: Option<&At<HistoryText>>, problems: &mut Problems) -> Option<i64> {
    const DAY: i64 = 86_400_000;
    let Some(keep) = text.and_then(|text| text.value.keep.as_ref()) else {
        return Some(400 * DAY);
    };
    let long = duration(file, keep, problems)?;
    if long < DAY {
        let message = format!("`{}` is too short: undo works on history", keep.value);
        problems.add(file, keep, message, "Write at least `1d`; `400d` if in doubt.");
        return None;
    }
    Some(long)
}

pub(crate) fn connected(
    file: &str,
    name: &At<String>,
    text: &At<ConnectionText>,
    known: &Known,
    kinds: &Kinds,
    problems: &mut Problems,
) -> Connection {
    let written = &text.value;
    let kinds = kinds.names();
    let kind = &written.kind;
    if !kinds.contains(&kind.value.as_str()) {
        let message = format!("unknown kind of system `{}`", kind.value);
        problems.add(file, kind, message, suggestion(&kind.value, kinds));
    }
    reached(file, name, written, known, problems);
    let sign_in = sign_in::chosen(file, name, written, known, problems);
    let secrets = sign_in::secrets(file, name, written, sign_in.as_ref(), problems);
    let budget = budget(file, written, known, problems);
    let mut time = |text: &Option<At<String>>| text.as_ref().and_then(|text| duration(file, text, problems));
    let request_deadline_ms = time(&written.request_deadline);
    let overlap_ms = time(&written.overlap).unwrap_or(300_000);
    let poll_ms = time(&written.poll).unwrap_or(30_000);
    let changes = changes(file, written, poll_ms, known, problems);
    let writes = writes(file, written, known, problems);
    Connection {
        name: name.value.clone(),
        kind: kind.value.clone(),
        url: said(&written.url).unwrap_or_default(),
        description: said(&written.description),
        folder: said(&written.folder),
        read_only: written.read_only.as_ref().is_some_and(|it| it.value),
        command: written
            .command
            .as_ref()
            .map_or_else(Vec::new, |it| it.value.clone()),
        sign_in: sign_in.map_or_else(String::new, |it| it.name.to_owned()),
        user: written.user.as_ref().map(|user| user.value.clone()),
        secrets,
        certificate_authority: written.certificate_authority.as_ref().map(|it| it.value.clone()),
        budget,
        request_deadline_ms,
        overlap_ms,
        poll_ms,
        users: written.users.as_ref().map(|users| Users {
            profile: users.profile.clone(),
            free_licences: u64::from(users.free_licences),
            time_zone: users.time_zone.clone(),
            locale: users.locale.clone(),
            encoding: users.encoding.clone(),
            language: users.language.clone(),
        }),
        owner: written.owner.as_ref().map(|owner| owner.value.clone()),
        changes,
        writes,
        webhook: webhook::told(file, written, known, problems),
        keep: None,
    }
}

fn said(written: &Option<At<String>>) -> Option<String> {
    written.as_ref().map(|written| written.value.clone())
}

/// Whether what a kind is reached by stands here, and nothing else.
fn reached(file: &str, name: &At<String>, written: &ConnectionText, known: &Known, problems: &mut Problems) {
    let command = written.command.as_ref().map(|command| command.with(()));
    let place = |text: &Option<At<String>>| text.as_ref().map(|text| text.with(()));
    let all = [
        ("url", "https://ADDRESS", place(&written.url)),
        ("description", "FILE", place(&written.description)),
        ("folder", "FOLDER", place(&written.folder)),
        ("command", "[PROGRAM, ARGUMENT]", command),
    ];
    for (key, example, written_at) in all {
        match (known.needs().contains(&key), written_at) {
            (true, None) => {
                let message = format!("{} lacks `{key}`", name.value);
                problems.add(file, name, message, format!("Add `{key}: {example}`."));
            }
            (false, Some(at)) if !known.needs().is_empty() => {
                let message = format!("{} is not reached by `{key}`", written.kind.value);
                problems.add(file, &at, message, format!("Leave `{key}` out here."));
            }
            _ => {}
        }
    }
    if let Some(empty) = written
        .command
        .as_ref()
        .filter(|command| command.value.is_empty())
    {
        problems.add(
            file,
            empty,
            "no program is named",
            "Write `command: [PROGRAM, ARGUMENT]`.",
        );
    }
    if let Some(read_only) = written
        .read_only
        .as_ref()
        .filter(|_| !known.needs().contains(&"read_only"))
    {
        let message = format!("{} has no switch of its own for that", written.kind.value);
        let name = &name.value;
        let help = format!("Write `write: {{ {name}: off }}` into the flows.");
        problems.add(file, read_only, message, help);
    }
    let Some(url) = &written.url else { return };
    let schemes = known.schemes();
    if !schemes.iter().any(|scheme| url.value.starts_with(scheme)) {
        let message = format!("`{}` is no address", url.value);
        let help = format!("Write an address that begins with {}.", schemes.join(" or "));
        problems.add(file, url, message, help);
    }
}

/// How writes travel: as written, else one by one with conditions, and many creates by Bulk.
fn writes(file: &str, written: &ConnectionText, known: &Known, problems: &mut Problems) -> Writes {
    const MODES: [&str; 2] = ["conditional", "throughput"];
    let Some(text) = &written.writes else {
        return Writes::default();
    };
    if !known.has_ways() {
        let message = format!("{} takes writes in one way alone", written.kind.value);
        problems.add(file, text, message, "Leave `writes` out here.");
    }
    let mode = text.value.mode.as_ref();
    if let Some(mode) = mode.filter(|mode| !MODES.contains(&mode.value.as_str())) {
        let message = format!("unknown mode of writes `{}`", mode.value);
        problems.add(file, mode, message, suggestion(&mode.value, MODES));
    }
    let above = text.value.bulk_above.as_ref().map(|above| above.value);
    Writes {
        throughput: mode.is_some_and(|mode| mode.value == "throughput"),
        bulk_above: above.unwrap_or(Writes::default().bulk_above),
    }
}

/// How changes are seen: as written, else by the events that an org has without any add-on.
fn changes(
    file: &str,
    written: &ConnectionText,
    poll_ms: i64,
    known: &Known,
    problems: &mut Problems,
) -> Changes {
    let text = written.changes.as_ref();
    if let Some(text) = text.filter(|_| known.events().is_none()) {
        let message = format!("{} tells of no changes by itself", written.kind.value);
        problems.add(
            file,
            text,
            message,
            "Remove `changes`; `poll` says how often it is asked.",
        );
    }
    let told = known.events().unwrap_or_default();
    let text = text.map(|text| &text.value);
    let events = text.and_then(|text| text.events.as_ref());
    for event in events.into_iter().flatten() {
        let choice = known.types_with_choices().any(|name| name == event.value);
        if !choice && !known.can_have(&event.value) {
            let message = format!("{} has no record type `{}`", written.kind.value, event.value);
            problems.add(file, event, message, known.instead_of(&event.value));
        }
    }
    let pubsub = text.and_then(|text| text.pubsub.as_ref());
    if let Some(pubsub) = pubsub.filter(|url| !url.value.starts_with("https://")) {
        let message = format!("`{}` is no address of events", pubsub.value);
        problems.add(
            file,
            pubsub,
            message,
            "Write an address that begins with https://.",
        );
    }
    let mut time = |text: Option<&At<String>>| text.and_then(|text| duration(file, text, problems));
    Changes {
        events: events.map_or_else(
            || told.iter().map(|&name| name.to_owned()).collect(),
            |events| events.iter().map(|event| event.value.clone()).collect(),
        ),
        pubsub: pubsub.map(|url| url.value.clone()),
        poll_ms: time(text.and_then(|text| text.poll.as_ref())).unwrap_or(poll_ms),
        compare_every_ms: time(text.and_then(|text| text.compare_every.as_ref())).unwrap_or(86_400_000),
    }
}

/// The share of the day: as written, else the kind's usual one.
fn budget(
    file: &str,
    written: &ConnectionText,
    known: &Known,
    problems: &mut Problems,
) -> Option<BudgetShare> {
    let (share, live_reserve) = match (known.budget(), &written.budget) {
        (None, Some(text)) if !known.sign_ins().is_empty() => {
            let message = format!("{} limits no calls of a day", written.kind.value);
            problems.add(file, text, message, "Leave `budget` out here.");
            return None;
        }
        (usual, _) => usual?,
    };
    let mut percent = |text: Option<&At<u32>>, usual: u32, range: RangeInclusive<u32>| {
        let Some(text) = text else { return usual };
        if !range.contains(&text.value) {
            let message = format!("`{}` is no such part of the day", text.value);
            let help = format!(
                "Write a whole number of percent from {} to {}.",
                range.start(),
                range.end()
            );
            problems.add(file, text, message, help);
        }
        text.value
    };
    let text = written.budget.as_ref().map(|text| &text.value);
    Some(BudgetShare {
        share: percent(text.and_then(|text| text.share.as_ref()), share, 1..=100),
        live_reserve: percent(
            text.and_then(|text| text.live_reserve.as_ref()),
            live_reserve,
            0..=90,
        ),
    })
}

/// The objects in use: as written where there is a choice, else of the record type's own name.
pub(crate) fn bindings(
    file: &str,
    root: &Node,
    main: &MainText,
    side: usize,
    known: &Known,
    used: BTreeSet<String>,
    problems: &mut Problems,
) -> BTreeMap<String, String> {
    let mut bound = BTreeMap::new();
    let written = main.bindings.as_ref().and_then(|bindings| bindings.both()[side]);
    for (record_type, object) in written.iter().flat_map(|table| &table.0) {
        match known.choices(&record_type.value) {
            _ if known.names_objects() => {
                let message = "the description says what serves a record type";
                let help =
                    "Take it out here, and name the record type in flow files as the description does.";
                problems.add(file, record_type, message, help);
                continue;
            }
            None if !used.contains(&record_type.value) => {
                let message = format!("no flow keeps a record type `{}`", record_type.value);
                let help = suggestion(&record_type.value, used.iter().map(String::as_str));
                problems.add(file, record_type, message, help);
            }
            Some(choices) if !choices.contains(&object.value.as_str()) => {
                let message = format!("no object `{}` serves {}", object.value, record_type.value);
                problems.add(
                    file,
                    object,
                    message,
                    suggestion(&object.value, choices.iter().copied()),
                );
                // Any of the choices will do to go on looking for problems.
                bound.insert(record_type.value.clone(), last(choices));
                continue;
            }
            _ => {}
        }
        bound.insert(record_type.value.clone(), object.value.clone());
    }
    for record_type in used
        .iter()
        .filter(|used| !bound.contains_key(*used))
        .cloned()
        .collect::<Vec<_>>()
    {
        let Some(choices) = known.choices(&record_type) else {
            continue;
        };
        let system = main
            .connections
            .0
            .get(side)
            .map_or("", |(name, _)| name.value.as_str());
        let message = format!("nothing says which object serves {record_type} of {system}");
        let help = format!(
            "Add `bindings: {{ {system}: {{ {record_type}: {} }} }}`; the choice is between {}.",
            last(choices),
            choices.join(" and ")
        );
        problems.add(file, root, message, help);
        bound.insert(record_type, last(choices));
    }
    bound
}

/// Where and how the state is kept.
pub(crate) fn state_settings(file: &str, text: Option<&StateText>, problems: &mut Problems) -> StateSettings {
    let reference = |text: &Option<At<Option<SecretText>>>| {
        let place = text.as_ref()?.value.as_ref()?;
        Some(place.reference())
    };
    let Some(text) = text else {
        return StateSettings::default();
    };
    if let (None, Some(former)) = (&text.key, &text.former_key) {
        let help = "Add `key:` with the new one; a state that is encrypted stays so.";
        problems.add(file, former, "a former key stands here without a new one", help);
    }
    if let Some(schema) = text
        .schema
        .as_ref()
        .filter(|schema| !is_schema_name(&schema.value))
    {
        let message = format!("`{}` cannot name the schema of the state", schema.value);
        let help = "Use up to 32 small letters, digits and underscores, no digit first, such as `tandem`; it must be \
                    the state's own, so `public` and `pg_..` cannot be.";
        problems.add(file, schema, message, help);
    }
    if let (None, Some(schema)) = (&text.postgres, &text.schema) {
        let help = "Add `postgres: { env: NAME }`, where the connection string is; a state in a folder has no schema.";
        problems.add(file, schema, "a schema stands here without a server", help);
    }
    let schema = text
        .schema
        .as_ref()
        .map_or("tandem", |schema| schema.value.as_str());
    StateSettings {
        server: reference(&text.postgres).map(|connection| StateServer {
            connection,
            schema: schema.to_owned(),
        }),
        key: reference(&text.key),
        former_key: reference(&text.former_key),
    }
}

pub(crate) fn remarks(flows: &[Flow], connections: &[Connection; 2]) -> Vec<String> {
    let mut remarks = Vec::new();
    for flow in flows {
        let end = flow.end(Side::Second);
        let templates = end.constants.is_empty() || connections[1].users.is_some();
        if end.create == CreatePolicy::Off && !templates {
            remarks.push(format!(
                "flow {}: no {} is created, because the connection {} says nothing under `users`",
                flow.name, end.record_type.name, connections[1].name
            ));
        }
    }
    remarks
}

fn last(choices: &[&str]) -> String {
    choices.last().copied().unwrap_or_default().to_owned()
}
