//! Events as Avro's binary form, and lists of fields as bitmaps over the schema.

use std::collections::BTreeMap;

use super::avro::{Place, Primitive, Shape};
use super::event::{Cell, ChangeType, Event};
use crate::salesforce::value::Value;
use rust_decimal::prelude::ToPrimitive;

/// What an overflow names in the place of records.
const NO_RECORD: &str = "000000000000000AAA";
const DAY_IN_MILLISECONDS: i64 = 86_400_000;

/// The event in the binary form of its schema.
pub(crate) fn payload(event: &Event) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    header(&mut out, event);
    let mut cells: BTreeMap<usize, Vec<&Cell>> = BTreeMap::new();
    for cell in &event.cells {
        cells.entry(cell.0.field).or_default().push(cell);
    }
    for (place, shape) in (1..).zip(event.schema.shapes()) {
        let cells = cells.get(&place).map_or(&[][..], Vec::as_slice);
        match shape {
            Shape::Plain(kind) => optional(&mut out, *kind, cells.first().and_then(|cell| cell.1.as_ref())),
            Shape::TextOrName(_) => {
                optional(
                    &mut out,
                    Primitive::Text,
                    cells.first().and_then(|cell| cell.1.as_ref()),
                );
            }
            Shape::Compound(parts) => compound(&mut out, parts, cells),
        }
    }
    out
}

fn header(out: &mut Vec<u8>, event: &Event) {
    text(out, &event.schema.entity);
    if event.records.is_empty() {
        texts(out, &[NO_RECORD.to_owned()]);
    } else {
        let records: Vec<String> = event.records.iter().map(ToString::to_string).collect();
        texts(out, &records);
    }
    long(out, i64::try_from(event.change.symbol()).unwrap_or_default());
    text(out, &event.commit.origin);
    text(out, &event.commit.transaction);
    long(out, i64::from(event.sequence));
    long(out, event.commit.at);
    long(out, event.commit.number);
    text(out, &event.user.to_string());
    let update = event.change == ChangeType::Update;
    let places = |blank_only: bool| -> Vec<Place> {
        let cells = event.cells.iter().filter(|_| update);
        cells
            .filter(|(_, value)| !blank_only || value.is_none())
            .map(|(place, _)| *place)
            .collect()
    };
    texts(out, &bitmaps(&places(true)));
    // Large texts are sent whole, never as differences.
    texts(out, &[]);
    texts(out, &bitmaps(&places(false)));
}

/// The fields as bitmaps: one over the top-level fields, then one per compound field, as `position-0x..`.
pub(crate) fn bitmaps(places: &[Place]) -> Vec<String> {
    if places.is_empty() {
        return Vec::new();
    }
    let mut top = Vec::new();
    let mut nested: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for place in places {
        match place.part {
            None => top.push(place.field),
            Some(part) => nested.entry(place.field).or_default().push(part),
        }
    }
    let mut maps = vec![bitmap(&top)];
    maps.extend(
        nested
            .iter()
            .map(|(field, parts)| format!("{field}-{}", bitmap(parts))),
    );
    maps
}

/// Whole bytes, the most significant first, in capitals: the bit of position 0 is the last one.
fn bitmap(positions: &[usize]) -> String {
    let size = positions.iter().max().map_or(1, |most| most / 8 + 1);
    let mut bytes = vec![0_u8; size];
    for position in positions {
        bytes[size - 1 - position / 8] |= 1 << (position % 8);
    }
    let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("0x{digits}")
}

fn compound(out: &mut Vec<u8>, parts: &[(&str, Primitive)], cells: &[&Cell]) {
    if cells.iter().all(|cell| cell.1.is_none()) {
        return long(out, 0);
    }
    long(out, 1);
    for (part, (_, kind)) in parts.iter().enumerate() {
        let cell = cells.iter().find(|cell| cell.0.part == Some(part));
        optional(out, *kind, cell.and_then(|cell| cell.1.as_ref()));
    }
}

/// A value of a union with null as its first type.
fn optional(out: &mut Vec<u8>, kind: Primitive, value: Option<&Value>) {
    let Some(value) = value else { return long(out, 0) };
    long(out, 1);
    match kind {
        Primitive::Text => text(out, &value.plain()),
        Primitive::Boolean => out.push(u8::from(*value == Value::Bool(true))),
        Primitive::Int => long(
            out,
            value
                .as_number()
                .and_then(|number| number.to_i64())
                .unwrap_or_default(),
        ),
        Primitive::Double => {
            let number = value
                .as_number()
                .and_then(|number| number.to_f64())
                .unwrap_or_default();
            out.extend(number.to_le_bytes());
        }
        Primitive::Long => long(out, milliseconds(value)),
    }
}

fn milliseconds(value: &Value) -> i64 {
    match value {
        Value::Moment(seconds) => seconds * 1_000,
        Value::Date(date) => {
            let days = date
                .since(jiff::civil::date(1970, 1, 1))
                .map_or(0, |span| span.get_days());
            i64::from(days) * DAY_IN_MILLISECONDS
        }
        Value::Time(time) => {
            let since = time.duration_since(jiff::civil::Time::midnight());
            i64::try_from(since.as_millis()).unwrap_or_default()
        }
        _ => 0,
    }
}

fn texts(out: &mut Vec<u8>, items: &[String]) {
    if !items.is_empty() {
        long(out, i64::try_from(items.len()).unwrap_or_default());
        for item in items {
            text(out, item);
        }
    }
    long(out, 0);
}

fn text(out: &mut Vec<u8>, text: &str) {
    long(out, i64::try_from(text.len()).unwrap_or_default());
    out.extend(text.as_bytes());
}

/// Zigzag, then seven bits a byte, the lowest first.
fn long(out: &mut Vec<u8>, number: i64) {
    let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while rest > 0x7f {
        out.push((rest as u8) | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn top(field: usize) -> Place {
        Place { field, part: None }
    }

    #[test]
    fn bitmaps_count_from_the_right_in_whole_bytes() {
        assert_eq!(bitmaps(&[]), Vec::<String>::new());
        assert_eq!(bitmaps(&[top(1)]), ["0x02"]);
        let documented = [5, 6, 7, 10, 24, 26, 29, 30].map(top);
        let nested = Place {
            field: 4,
            part: Some(4),
        };
        let all: Vec<Place> = documented.into_iter().chain([nested]).collect();
        assert_eq!(bitmaps(&all), ["0x650004E0", "4-0x10"]);
        assert_eq!(bitmaps(&[nested]), ["0x00", "4-0x10"]);
    }

    #[test]
    fn integers_are_zigzag() {
        let bytes = |number| {
            let mut out = Vec::new();
            long(&mut out, number);
            out
        };
        assert_eq!(bytes(0), [0]);
        assert_eq!(bytes(-1), [1]);
        assert_eq!(bytes(64), [0x80, 0x01]);
        assert_eq!(
            bytes(i64::MIN),
            [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]
        );
    }
}
