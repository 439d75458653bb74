//! What an event tells: which records, what happened to them, and which of their fields it touched.

use super::shape::Shape;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Told {
    /// The records, by id.
    pub(in super::super) ids: Vec<String>,
    /// What happened.
    pub(in super::super) change: Change,
    /// The fields it touched; none: all, or it is not said.
    pub(in super::super) fields: Option<BTreeSet<String>>,
    /// The modification time that the change gave the records, where the event carries it.
    pub(in super::super) modified: Option<Timestamp>,
    /// When it was committed.
    pub(in super::super) at: Option<Timestamp>,
}

/// What happened to records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Change {
    /// They are there now.
    Created,
    /// They changed.
    Updated,
    /// They are gone.
    Deleted,
    /// They are back.
    Undeleted,
    /// Something happened that the event cannot say.
    Gap,
    /// More happened than events tell: every record of the object may have changed.
    Overflow,
}

impl Told {
    /// Reads an event's payload; none if it does not fit its schema.
    pub(super) fn read(shape: &Shape, payload: &[u8]) -> Option<Self> {
        let mut rest = payload;
        let reader = GenericDatumReader::builder(&shape.schema).build().ok()?;
        let Value::Record(fields) = reader.read_value(&mut rest).ok()? else {
            return None;
        };
        let Value::Record(header) = field(&fields, "ChangeEventHeader")? else {
            return None;
        };
        let change = match text(field(header, "changeType")?)? {
            "CREATE" => Change::Created,
            "UPDATE" => Change::Updated,
            "DELETE" => Change::Deleted,
            "UNDELETE" => Change::Undeleted,
            "GAP_OVERFLOW" => Change::Overflow,
            // GAP_CREATE and its like, and whatever is added one day: the record itself will tell.
            _ => Change::Gap,
        };
        let modified = field(&fields, "LastModifiedDate").and_then(moment);
        Some(Self {
            ids: texts(field(header, "recordIds")?)?,
            fields: match change {
                Change::Updated => touched(shape, header),
                _ => None,
            },
            change,
            modified,
            at: field(header, "commitTimestamp").and_then(moment),
        })
    }

    /// Whether it may matter to whoever uses these fields.
    pub(super) fn matters(&self, used: &BTreeSet<String>) -> bool {
        self.fields
            .as_ref()
            .is_none_or(|fields| !fields.is_disjoint(used))
    }
}

/// What the bitmaps name; none where one is not understood: then anything may have changed.
fn touched(shape: &Shape, header: &[(String, Value)]) -> Option<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for of in ["changedFields", "nulledFields", "diffFields"] {
        if let Some(bitmaps) = field(header, of) {
            names.extend(shape.named(&texts(bitmaps)?)?);
        }
    }
    (!names.is_empty()).then_some(names)
}

fn field<'a>(fields: &'a [(String, Value)], name: &str) -> Option<&'a Value> {
    let (_, value) = fields.iter().find(|(field, _)| field == name)?;
    Some(bare(value))
}

fn bare(value: &Value) -> &Value {
    match value {
        Value::Union(_, inner) => bare(inner),
        other => other,
    }
}

fn text(value: &Value) -> Option<&str> {
    match bare(value) {
        Value::String(text) | Value::Enum(_, text) => Some(text),
        _ => None,
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    match bare(value) {
        Value::Array(values) => values.iter().map(|one| text(one).map(str::to_owned)).collect(),
        Value::Null => Some(Vec::new()),
        _ => None,
    }
}

/// A moment in whole seconds, as the org's own times are.
fn moment(value: &Value) -> Option<Timestamp> {
    match bare(value) {
        Value::Long(millis) | Value::TimestampMillis(millis) => {
            Timestamp::from_second(millis.div_euclid(1_000)).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::shape::tests::CONTACT;
    use super::*;

    fn some(value: Value) -> Value {
        Value::Union(1, Box::new(value))
    }

    fn none() -> Value {
        Value::Union(0, Box::new(Value::Null))
    }

    fn payload(place: u32, change: &str, changed: &[&str], nulled: &[&str]) -> Vec<u8> {
        let shape = Shape::read(CONTACT).unwrap();
        let texts =
            |all: &[&str]| Value::Array(all.iter().map(|&one| Value::String(one.to_owned())).collect());
        let text = |one: &str| Value::String(one.to_owned());
        let header = [
            ("entityName", text("Contact")),
            ("recordIds", texts(&["003000000000001AAA", "003000000000002AAA"])),
            ("changeType", Value::Enum(place, change.to_owned())),
            (
                "changeOrigin",
                text("com/salesforce/api/rest/62.0;client=browser"),
            ),
            ("transactionKey", text("t")),
            ("sequenceNumber", Value::Int(1)),
            ("commitTimestamp", Value::Long(1_700_000_000_900)),
            ("commitNumber", Value::Long(7)),
            ("commitUser", text("005000000000001AAA")),
            ("nulledFields", texts(nulled)),
            ("diffFields", texts(&[])),
            ("changedFields", texts(changed)),
        ];
        let header = header.map(|(name, value)| (name.to_owned(), value));
        let event = [
            ("ChangeEventHeader", Value::Record(header.to_vec())),
            ("Name", none()),
            ("Email", some(text("a@example.com"))),
            ("MailingAddress", none()),
            ("OtherAddress", none()),
            (
                "LastModifiedDate",
                some(Value::TimestampMillis(1_700_000_000_250)),
            ),
        ];
        let event = Value::Record(event.map(|(name, value)| (name.to_owned(), value)).to_vec());
        let writer = apache_avro::writer::datum::GenericDatumWriter::builder(&shape.schema)
            .build()
            .unwrap();
        writer.write_value_to_vec(event).unwrap()
    }

    fn read(place: u32, change: &str, changed: &[&str], nulled: &[&str]) -> Told {
        let shape = Shape::read(CONTACT).unwrap();
        Told::read(&shape, &payload(place, change, changed, nulled)).unwrap()
    }

    fn used(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn an_update_matters_to_those_who_use_what_it_touched() {
        let told = read(1, "UPDATE", &["0x24"], &["1-0x2"]);
        assert_eq!(told.change, Change::Updated);
        assert_eq!(told.ids, ["003000000000001AAA", "003000000000002AAA"]);
        assert_eq!(told.modified, Timestamp::from_second(1_700_000_000).ok());
        assert_eq!(told.at, told.modified);
        assert!(told.matters(&used(&["Email"])));
        assert!(told.matters(&used(&["FirstName"])));
        assert!(!told.matters(&used(&["LastName", "Phone"])));
    }

    #[test]
    fn whatever_is_not_an_understood_update_matters_always() {
        for (place, change, is) in [
            (0, "CREATE", Change::Created),
            (2, "DELETE", Change::Deleted),
            (3, "UNDELETE", Change::Undeleted),
            (5, "GAP_UPDATE", Change::Gap),
            (8, "GAP_OVERFLOW", Change::Overflow),
            (9, "SNAPSHOT", Change::Gap),
        ] {
            let told = read(place, change, &["0x4"], &[]);
            assert_eq!(told.change, is);
            assert!(told.matters(&used(&["Phone"])), "{change}");
        }
        assert!(read(1, "UPDATE", &["0x80000"], &[]).matters(&used(&["Phone"])));
        assert!(read(1, "UPDATE", &[], &[]).matters(&used(&["Phone"])));
    }

    #[test]
    fn a_payload_that_is_cut_short_is_not_understood() {
        let shape = Shape::read(CONTACT).unwrap();
        let whole = payload(1, "UPDATE", &["0x4"], &[]);
        assert!(Told::read(&shape, &whole[..whole.len() / 2]).is_none());
        assert!(Told::read(&shape, &[]).is_none());
    }

    #[test]
    fn fuzz_avro() {
        let shape = Shape::read(CONTACT).unwrap();
        let good = payload(1, "UPDATE", &["0x24", "3-0x7"], &["1-0x2"]);
        let other = payload(0, "CREATE", &["0xffffffffffffffffffff"], &["9-0x1", "0xz"]);
        tandem_fuzz::drive(
            "avro",
            &[&good, &other, b"", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"],
            |data| {
                if let Some(told) = Told::read(&shape, data) {
                    let _ = told.matters(&used(&["Email"]));
                }
            },
        );
        let deep = format!(
            "{}\"null\"{}",
            "{\"type\":\"array\",\"items\":".repeat(400),
            "}".repeat(400)
        );
        tandem_fuzz::drive("avro-schema", &[CONTACT.as_bytes(), deep.as_bytes()], |data| {
            if let Some(shape) = Shape::read(&String::from_utf8_lossy(data)) {
                let _ = Told::read(&shape, &good);
            }
        });
    }
}
