//! A record and its heads as their row keeps them: what would stand there twice is kept once. A base that equals what
//! its record shows is its epoch alone; a head says nothing of what its record shows as well, and names each moment and
//! each origin once.

use crate::db::Trouble;
use crate::sealed::{packed, unpacked};
use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use tandem_merge::cluster::{Base, Cleared, Head, Newborn, Parked, Record, Shadow, Span, Unconfirmed};
use tandem_merge::record::{RecordKey, Values};
use tandem_merge::value::Value;

/// By epoch: the properties whose base is what the record shows.
type Same<'a> = BTreeMap<u64, Vec<Cow<'a, str>>>;

/// A record without its intent and companions, which have tables of their own, and without what is [`Same`].
#[derive(Serialize)]
struct Bare<'a> {
    shadow: &'a Shadow,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    bases: BTreeMap<&'a str, &'a Base>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    times: &'a BTreeMap<String, Span>,
    since: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    parked: &'a BTreeMap<String, Parked>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    held: &'a BTreeMap<String, Parked>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    suppressed: &'a BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    newborn: &'a Option<Newborn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wrote_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    former: &'a BTreeMap<String, RecordKey>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    left: &'a BTreeMap<String, RecordKey>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    apart: &'a BTreeMap<String, BTreeSet<RecordKey>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    ours: &'a BTreeMap<String, Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    approved: &'a BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    awaiting: &'a BTreeMap<String, RecordKey>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    welcome: &'a BTreeMap<String, RecordKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unmade: &'a Option<Values>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    cleared: &'a BTreeMap<String, Cleared>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unconfirmed: &'a Vec<Unconfirmed>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    born: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    arrives_until: Option<Timestamp>,
}

/// A record as its row keeps it, before it is shut.
pub(crate) fn of_record(record: &Record) -> Result<Vec<u8>, Trouble> {
    let (mut same, mut bases) = (Same::new(), BTreeMap::new());
    for (property, base) in &record.bases {
        if is(&base.value, record.shadow.values.get(property)) {
            same.entry(base.epoch).or_default().push(property.into());
        } else {
            bases.insert(property.as_str(), base);
        }
    }
    let bare = Bare {
        shadow: &record.shadow,
        bases,
        times: &record.times,
        since: record.since,
        until: record.until,
        parked: &record.parked,
        held: &record.held,
        suppressed: &record.suppressed,
        newborn: &record.newborn,
        wrote_at: record.wrote_at,
        former: &record.former,
        left: &record.left,
        apart: &record.apart,
        ours: &record.ours,
        approved: &record.approved,
        awaiting: &record.awaiting,
        welcome: &record.welcome,
        unmade: &record.unmade,
        cleared: &record.cleared,
        unconfirmed: &record.unconfirmed,
        born: record.born,
        arrives_until: record.arrives_until,
    };
    packed(&(bare, same))
}

/// The record that a row keeps. `what` it is, for complaints.
pub(crate) fn record(state: &[u8], what: impl fmt::Display) -> Result<Record, Trouble> {
    let (mut record, same): (Record, Same<'static>) = unpacked(state, what)?;
    for (epoch, properties) in same {
        for property in properties {
            let value = record.value(&property).clone();
            record.bases.insert(property.into_owned(), Base { value, epoch });
        }
    }
    Ok(record)
}

/// A part of the record that a row keeps: `T` names what is wanted, most is passed over.
pub(crate) fn part<T: for<'d> Deserialize<'d>>(state: &[u8], what: impl fmt::Display) -> Result<T, Trouble> {
    let (part, _rest): (T, IgnoredAny) = unpacked(state, what)?;
    Ok(part)
}

/// A head without what its record shows as well.
#[derive(Serialize, Deserialize)]
struct Short {
    /// None: the record's own.
    #[serde(default, rename = "v", skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    #[serde(default = "one", rename = "e", skip_serializing_if = "is_one")]
    epoch: u64,
    /// Which of the moments.
    #[serde(default, rename = "s", skip_serializing_if = "is_default")]
    span: usize,
    /// Which of the origins.
    #[serde(default, rename = "o", skip_serializing_if = "is_default")]
    origin: usize,
    #[serde(default, rename = "b", skip_serializing_if = "Option::is_none")]
    before: Option<Value>,
    #[serde(default, rename = "r", skip_serializing_if = "is_default")]
    rewritten: u32,
}

fn one() -> u64 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_one(number: &u64) -> bool {
    *number == 1
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Heads anchored at a record as its row keeps them, before they are shut. The first origin is the record itself.
pub(crate) fn of_heads(
    anchor: &RecordKey,
    record: Option<&Record>,
    heads: &BTreeMap<&str, &Head>,
) -> Result<Vec<u8>, Trouble> {
    let mut spans: Vec<Span> = Vec::new();
    let mut origins: Vec<Option<&RecordKey>> = vec![Some(anchor)];
    let mut kept = BTreeMap::new();
    for (property, head) in heads {
        let shown = record.and_then(|record| record.shadow.values.get(*property));
        let short = Short {
            value: (!is(&head.value, shown)).then(|| head.value.clone()),
            epoch: head.epoch,
            span: place(&mut spans, head.span),
            origin: place(&mut origins, head.origin.as_ref()),
            before: head.before.clone(),
            rewritten: head.rewritten,
        };
        kept.insert(*property, short);
    }
    packed(&(spans, &origins[1..], kept))
}

/// The heads anchored at a record that its row keeps, by property.
pub(crate) fn heads(
    stored: Option<&[u8]>,
    anchor: &RecordKey,
    record: Option<&Record>,
) -> Result<BTreeMap<String, Head>, Trouble> {
    type Stored = (Vec<Span>, Vec<Option<RecordKey>>, BTreeMap<String, Short>);
    let Some(stored) = stored else {
        return Ok(BTreeMap::new());
    };
    let (spans, origins, kept): Stored = unpacked(stored, "record")?;
    let missing = || Trouble::Unreadable(format!("the heads of {anchor}"));
    let head = |(property, short): (String, Short)| {
        let shown = record.and_then(|record| record.shadow.values.get(&property));
        let origin = match short.origin.checked_sub(1) {
            None => Some(anchor.clone()),
            Some(other) => origins.get(other).ok_or_else(missing)?.clone(),
        };
        let head = Head {
            value: short.value.or_else(|| shown.cloned()).ok_or_else(missing)?,
            epoch: short.epoch,
            span: *spans.get(short.span).ok_or_else(missing)?,
            origin,
            before: short.before,
            rewritten: short.rewritten,
        };
        Ok((property, head))
    };
    kept.into_iter().map(head).collect()
}

/// Where a value stands in a list; it gets a place where it has none.
fn place<T: PartialEq>(all: &mut Vec<T>, one: T) -> usize {
    match all.iter().position(|known| *known == one) {
        Some(known) => known,
        None => {
            all.push(one);
            all.len() - 1
        }
    }
}

/// Whether two values are the very same: numbers with as many digits, too.
fn is(value: &Value, shown: Option<&Value>) -> bool {
    match (value, shown) {
        (Value::Decimal(value), Some(Value::Decimal(shown))) => value.serialize() == shown.serialize(),
        (value, Some(shown)) => value == shown,
        (_, None) => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tandem_merge::record::Presence;

    fn moment(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn number(text: &str) -> Value {
        serde_json::from_value(serde_json::json!({ "n": text })).unwrap()
    }

    fn base(value: impl Into<Value>, epoch: u64) -> Base {
        let value = value.into();
        Base { value, epoch }
    }

    fn order() -> (RecordKey, Record) {
        let values = [
            ("title", "Garden".into()),
            ("city", "Oslo".into()),
            ("total", number("25.00")),
            ("note", Value::Blank),
        ];
        let shadow = Shadow {
            presence: Presence::Alive,
            values: values
                .map(|(name, value): (&str, Value)| (name.to_owned(), value))
                .into(),
            version: None,
            created: None,
            seen: moment(9),
            author: None,
            protected: false,
            merged_into: None,
            unreadable: BTreeMap::new(),
        };
        let mut record = Record::new(shadow);
        record.bases = BTreeMap::from([
            ("title".to_owned(), base("Garden", 2)),
            ("city".to_owned(), base("Bergen", 1)),
            ("total".to_owned(), base(number("25"), 1)),
            ("note".to_owned(), base("", 1)),
            ("gone".to_owned(), base("", 1)),
        ]);
        record.born = true;
        (RecordKey::new("erp", "Order", "1"), record)
    }

    fn head(value: impl Into<Value>, epoch: u64, origin: Option<&RecordKey>) -> Head {
        Head {
            value: value.into(),
            epoch,
            span: Span {
                from: (epoch > 1).then(|| moment(3)),
                to: moment(4),
            },
            origin: origin.cloned(),
            before: None,
            rewritten: 0,
        }
    }

    /// With every digit.
    fn text(value: &impl Serialize) -> String {
        serde_json::to_string(value).unwrap()
    }

    #[test]
    fn a_record_is_read_as_it_was_kept_and_what_it_shows_is_kept_once() {
        let (_, record) = order();
        let kept = of_record(&record).unwrap();
        let read = super::record(&kept, "record").unwrap();
        assert_eq!(text(&read), text(&record));
        let kept = String::from_utf8_lossy(&kept);
        assert_eq!(kept.matches("Garden").count(), 1, "{kept}");
        assert!(kept.contains("Bergen") && !kept.contains("parked"), "{kept}");
    }

    #[test]
    fn heads_are_read_as_they_were_kept() {
        let (key, record) = order();
        let other = RecordKey::new("crm", "Invoice", "7");
        let rewritten = Head {
            before: Some("o".into()),
            rewritten: 2,
            ..head("Oslo", 3, Some(&other))
        };
        let all = [
            ("title", head("Garden", 1, Some(&key))),
            ("city", rewritten),
            ("note", head("", 1, None)),
            ("total", head(number("25"), 1, Some(&other))),
            ("gone", head("", 2, Some(&key))),
        ];
        let heads: BTreeMap<&str, &Head> = all.iter().map(|(name, head)| (*name, head)).collect();
        for record in [Some(&record), None] {
            let kept = of_heads(&key, record, &heads).unwrap();
            let read = super::heads(Some(&kept), &key, record).unwrap();
            assert_eq!(text(&read), text(&heads));
        }
        let kept = packed(&(Vec::<Span>::new(), [&key], BTreeMap::from([("title", [1; 0])]))).unwrap();
        assert!(super::heads(Some(&kept), &key, Some(&record)).is_err());
        let said = BTreeMap::from([("title", BTreeMap::<&str, u8>::new())]);
        let nothing = packed(&([0; 0], [0; 0], said)).unwrap();
        assert!(super::heads(Some(&nothing), &key, Some(&record)).is_err());
        assert!(super::heads(None, &key, None).unwrap().is_empty());
    }
}
