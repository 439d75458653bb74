//! Names, choices and stretches of time as they stand in a description.

use super::description::{Call, TableName};
use super::written::CallText;
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use tandem_merge::config::node::At;
use tandem_merge::config::suggestion;
use tandem_merge::config::written::Reader;

pub(super) fn texts(all: &[At<String>]) -> Vec<String> {
    all.iter().map(|one| one.value.clone()).collect()
}

pub(super) fn chosen<T: Copy>(
    word: &At<String>,
    choices: &[(&str, T)],
    reader: &mut Reader<'_>,
) -> Option<T> {
    let found = choices.iter().find(|(name, _)| *name == word.value);
    if found.is_none() {
        let help = suggestion(&word.value, choices.iter().map(|(name, _)| *name));
        reader.problem(word, format!("`{}` is not known here", word.value), help);
    }
    found.map(|(_, chosen)| *chosen)
}

pub(super) fn table(name: &At<String>, reader: &mut Reader<'_>) -> Option<TableName> {
    let parts: Vec<&str> = name.value.split('.').map(str::trim).collect();
    match parts.as_slice() {
        [table] if is_name(table) => Some(TableName {
            schema: None,
            name: (*table).to_owned(),
        }),
        [schema, table] if is_name(schema) && is_name(table) => Some(TableName {
            schema: Some((*schema).to_owned()),
            name: (*table).to_owned(),
        }),
        _ => {
            let message = format!("`{}` names no table", name.value);
            reader.problem(
                name,
                message,
                "Write `table`, or `schema.table`, without quotes inside.",
            );
            None
        }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['\0', '"', '`', '[', ']'])
}

pub(super) fn identifier(name: &At<String>, reader: &mut Reader<'_>) -> Option<String> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !name.value.is_empty() && name.value.len() <= 60 && name.value.bytes().all(fits) {
        return Some(name.value.clone());
    }
    let message = format!("`{}` cannot name a channel", name.value);
    reader.problem(
        name,
        message,
        "Use small letters, digits and underscores, 60 at most.",
    );
    None
}

pub(super) fn zone(name: &At<String>, reader: &mut Reader<'_>) -> Option<TimeZone> {
    let zone = TimeZone::get(&name.value).ok();
    if zone.is_none() {
        let message = format!("no time zone is called `{}`", name.value);
        reader.problem(name, message, "Write one such as `Europe/Oslo` or `UTC`.");
    }
    zone
}

pub(super) fn duration(text: &At<String>, reader: &mut Reader<'_>) -> Option<SignedDuration> {
    let parsed: Option<SignedDuration> = match text.value.strip_suffix('d').map(str::parse::<i64>) {
        Some(Ok(days)) => days.checked_mul(24).map(SignedDuration::from_hours),
        _ => text.value.parse().ok(),
    };
    let parsed = parsed.filter(|parsed| !parsed.is_negative());
    if parsed.is_none() {
        let message = format!("`{}` is no stretch of time", text.value);
        reader.problem(text, message, "Write one such as `30s`, `15m`, `1h` or `1d`.");
    }
    parsed
}

pub(super) fn call(text: &CallText, reader: &mut Reader<'_>) -> Option<Call> {
    let at = &text.call;
    let parsed = at
        .value
        .trim()
        .strip_suffix(')')
        .and_then(|text| text.split_once('('));
    let Some((name, given)) = parsed else {
        let message = format!("`{}` is no call", at.value);
        reader.problem(at, message, "Write `procedure(property, property)`.");
        return None;
    };
    let given = given.split(',').map(str::trim).filter(|name| !name.is_empty());
    Some(Call {
        procedure: table(&at.with(name.trim().to_owned()), reader)?,
        given: given.map(str::to_owned).collect(),
    })
}
