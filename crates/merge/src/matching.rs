//! Matching: by which keys two records are recognised as counterparts.

use crate::dataflow::{Dataflow, Flow, MatchRule, Normaliser, Side};
use crate::facts::MatchKey;
use crate::record::{RecordKey, Values};
use crate::value::Value;
use unicode_normalization::UnicodeNormalization;

/// Separates the parts of a key; it cannot stand in a trimmed value of any system we know.
const BETWEEN: char = '\u{1f}';

/// A value as it is compared; none when it is blank.
#[must_use]
pub fn normalise(value: &Value, how: Normaliser) -> Option<String> {
    let text = value.to_string();
    let normal = match how {
        Normaliser::Exact => text,
        Normaliser::Trim => text.trim().to_owned(),
        Normaliser::CaseFold | Normaliser::Email => {
            let folded: String = text.nfkc().collect::<String>().to_lowercase();
            folded.split_whitespace().collect::<Vec<_>>().join(" ")
        }
        Normaliser::Phone => {
            let international = text.trim_start().starts_with('+');
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            match digits.strip_prefix("00") {
                Some(rest) => format!("+{rest}"),
                None if international => format!("+{digits}"),
                None => digits,
            }
        }
        Normaliser::Digits => text.chars().filter(char::is_ascii_digit).collect(),
    };
    (!normal.is_empty() && normal != "+").then_some(normal)
}

/// The property that stands for a record's own id.
pub const ID: &str = "id";

/// The key of a rule on a side; none when a part is blank.
#[must_use]
pub fn rule_key(rule: &MatchRule, side: Side, record: &RecordKey, values: &Values) -> Option<String> {
    let mut key = String::new();
    for part in &rule.parts {
        let part_key = match part.properties[side.index()].as_str() {
            ID => normalise(&Value::text(record.id.as_str()), part.normaliser),
            property => normalise(values.get(property)?, part.normaliser),
        };
        if !key.is_empty() {
            key.push(BETWEEN);
        }
        key.push_str(&part_key?);
    }
    (!key.is_empty()).then_some(key)
}

/// Where a rule's key holds, as a record shows it: records of one key that differ in it are strangers.
pub(crate) fn within(rule: &MatchRule, side: Side, record: &RecordKey, values: &Values) -> String {
    let shown = rule
        .within
        .iter()
        .map(|one| match one.properties[side.index()].as_str() {
            ID => record.id.clone(),
            property => values.get(property).map(ToString::to_string).unwrap_or_default(),
        });
    shown.map(|value| format!("|{value}")).collect()
}

/// The first rule that has a key for a record.
pub(crate) fn first_rule<'a>(
    flow: &'a Flow,
    side: Side,
    (record, values): (&RecordKey, &Values),
) -> Option<&'a MatchRule> {
    let mut rules = flow.match_rules.iter();
    rules.find(|rule| rule_key(rule, side, record, values).is_some())
}

/// Whether a rule compares the own id of a side's records.
#[must_use]
pub fn names_id(rule: &MatchRule, side: Side) -> bool {
    rule.parts.iter().any(|part| part.properties[side.index()] == ID)
}

/// All keys of a record in one flow, identity rules first.
#[must_use]
pub fn flow_keys(flow: &Flow, side: Side, record: &RecordKey, values: &Values) -> Vec<MatchKey> {
    let mut keys = Vec::new();
    let mut push = |rule: u32, key: String| {
        keys.push(MatchKey {
            flow: flow.name.clone(),
            rule,
            side,
            key,
        })
    };
    let shown = |end: Side| {
        let identity = flow.end(end).identity.as_ref()?;
        values
            .get(&identity.property)
            .and_then(Value::as_text)
            .map(str::to_owned)
    };
    let expected = |end: Side| {
        let identity = flow.end(end).identity.as_ref()?;
        Some(format!("{}{}", identity.prefix, record.id))
    };
    let (identity, stamp) = match side {
        Side::First => (expected(Side::Second), shown(Side::First)),
        Side::Second => (shown(Side::Second), expected(Side::First)),
    };
    identity.into_iter().for_each(|key| push(MatchKey::IDENTITY, key));
    stamp.into_iter().for_each(|key| push(MatchKey::STAMP, key));
    for (index, rule) in flow.match_rules.iter().enumerate() {
        if let Some(key) = rule_key(rule, side, record, values) {
            push(u32::try_from(index).unwrap_or(MatchKey::PARENT - 1), key);
        }
    }
    keys
}

/// All keys of a record in all flows, with what it is a part of: what the store indexes.
#[must_use]
pub fn match_keys(flows: &Dataflow, record: &RecordKey, values: &Values) -> Vec<MatchKey> {
    let parts = flows
        .flows_of(&record.record_type)
        .filter(|(flow, side)| belongs(flow, *side, values));
    parts
        .flat_map(|(flow, side)| {
            let parent = crate::support::parent_key(flow, side, values);
            flow_keys(flow, side, record, values).into_iter().chain(parent)
        })
        .collect()
}

/// Whether a record belongs to a flow: by the values that mark its records (`Kind__c` = `Order`), and by the
/// flow's filter.
#[must_use]
pub fn belongs(flow: &Flow, side: Side, values: &Values) -> bool {
    let end = flow.end(side);
    let marked = |(property, value): (&String, &Value)| values.get(property) == Some(value);
    end.only.iter().all(marked) && end.filter.as_ref().is_none_or(|filter| filter.holds(values))
}
