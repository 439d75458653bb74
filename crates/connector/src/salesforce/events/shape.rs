//! What an event's schema says: the fields by their place, which the bitmaps in an event speak of.

use apache_avro::schema::{RecordSchema, Schema};
use std::collections::{BTreeMap, BTreeSet};

/// The schema of one kind of event.
pub(super) struct Shape {
    pub(super) schema: Schema,
    fields: Vec<Field>,
}

/// A field of the event; the fields of a compound one, such as a name or an address, are nested.
struct Field {
    name: String,
    nested: Vec<String>,
}

impl Shape {
    /// Reads a schema; none if it is not that of a record.
    pub(super) fn read(json: &str) -> Option<Self> {
        let schema = Schema::parse_str(json).ok()?;
        let Schema::Record(record) = &schema else {
            return None;
        };
        let mut named = BTreeMap::new();
        gather(&schema, &mut named);
        let fields = record.fields.iter().map(|field| Field {
            name: field.name.clone(),
            nested: nested(&field.schema, &named),
        });
        Some(Self {
            fields: fields.collect(),
            schema,
        })
    }

    /// The names of the fields that bitmaps tell of: `0x...` over the event's own fields, the lowest bit first,
    /// `4-0x...` over those nested in the field at place 4. None if a bitmap is not understood.
    pub(super) fn named(&self, bitmaps: &[String]) -> Option<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        for bitmap in bitmaps {
            let (parent, bits) = match bitmap.split_once('-') {
                Some((place, bits)) => (Some(self.fields.get(place.parse::<usize>().ok()?)?), bits),
                None => (None, bitmap.as_str()),
            };
            for place in places(bits)? {
                match parent {
                    Some(parent) => add_nested(parent, parent.nested.get(place)?, &mut names),
                    None => {
                        let field = self.fields.get(place)?;
                        names.insert(field.name.clone());
                        // A compound field may be told as a whole.
                        for inner in &field.nested {
                            add_nested(field, inner, &mut names);
                        }
                    }
                }
            }
        }
        Some(names)
    }
}

/// The API's names of a nested field: `LastName` of `Name`, `MailingCity` of `MailingAddress`.
fn add_nested(parent: &Field, inner: &str, names: &mut BTreeSet<String>) {
    names.insert(parent.name.clone());
    names.insert(inner.to_owned());
    if let Some(stem) = parent.name.strip_suffix("Address") {
        names.insert(format!("{stem}{inner}"));
    }
}

/// The places of the bits that are set, the lowest bit of the hexadecimal number first.
fn places(bits: &str) -> Option<Vec<usize>> {
    let digits = bits.strip_prefix("0x").or_else(|| bits.strip_prefix("0X"))?;
    let mut places = Vec::new();
    for (place, digit) in digits.chars().rev().enumerate() {
        let digit = digit.to_digit(16)?;
        let set = (0..4).filter(|bit| digit & (1 << bit) != 0);
        places.extend(set.map(|bit| place * 4 + bit));
    }
    Some(places)
}

/// The records that a schema declares, by name: later uses of one refer to it.
fn gather<'a>(schema: &'a Schema, named: &mut BTreeMap<String, &'a RecordSchema>) {
    match schema {
        Schema::Record(record) => {
            named.insert(record.name.to_string(), record);
            for field in &record.fields {
                gather(&field.schema, named);
            }
        }
        Schema::Union(union) => union.variants().iter().for_each(|one| gather(one, named)),
        _ => {}
    }
}

fn nested(schema: &Schema, named: &BTreeMap<String, &RecordSchema>) -> Vec<String> {
    let names = |record: &RecordSchema| record.fields.iter().map(|field| field.name.clone()).collect();
    match schema {
        Schema::Record(record) => names(record),
        Schema::Ref { name } => named
            .get(&name.to_string())
            .map_or_else(Vec::new, |record| names(record)),
        Schema::Union(union) => {
            let variants = union.variants().iter();
            variants.flat_map(|one| nested(one, named)).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A schema as the org gives it for contacts, cut down to a few fields.
    pub(in super::super) const CONTACT: &str = r#"{"type":"record","name":"ContactChangeEvent","namespace":"com.sforce.eventbus","fields":[
        {"name":"ChangeEventHeader","type":{"type":"record","name":"ChangeEventHeader","fields":[
            {"name":"entityName","type":"string"},
            {"name":"recordIds","type":{"type":"array","items":"string"}},
            {"name":"changeType","type":{"type":"enum","name":"ChangeType","symbols":["CREATE","UPDATE","DELETE","UNDELETE","GAP_CREATE","GAP_UPDATE","GAP_DELETE","GAP_UNDELETE","GAP_OVERFLOW","SNAPSHOT"]}},
            {"name":"changeOrigin","type":"string"},{"name":"transactionKey","type":"string"},{"name":"sequenceNumber","type":"int"},
            {"name":"commitTimestamp","type":"long"},{"name":"commitNumber","type":"long"},{"name":"commitUser","type":"string"},
            {"name":"nulledFields","type":{"type":"array","items":"string"}},
            {"name":"diffFields","type":{"type":"array","items":"string"}},
            {"name":"changedFields","type":{"type":"array","items":"string"}}]}},
        {"name":"Name","type":["null",{"type":"record","name":"PersonName","fields":[
            {"name":"Salutation","type":["null","string"]},{"name":"FirstName","type":["null","string"]},{"name":"LastName","type":["null","string"]}]}]},
        {"name":"Email","type":["null","string"]},
        {"name":"MailingAddress","type":["null",{"type":"record","name":"Address","fields":[
            {"name":"Street","type":["null","string"]},{"name":"City","type":["null","string"]}]}]},
        {"name":"OtherAddress","type":["null","Address"]},
        {"name":"LastModifiedDate","type":["null",{"type":"long","logicalType":"timestamp-millis"}]}]}"#;

    fn named(bitmaps: &[&str]) -> Option<Vec<String>> {
        let bitmaps: Vec<String> = bitmaps.iter().map(|&one| one.to_owned()).collect();
        let names = Shape::read(CONTACT).unwrap().named(&bitmaps)?;
        Some(names.into_iter().collect())
    }

    #[test]
    fn the_lowest_bit_is_the_first_field() {
        assert_eq!(named(&["0x24"]).unwrap(), ["Email", "LastModifiedDate"]);
        assert_eq!(named(&["0x00000004"]).unwrap(), ["Email"]);
        assert_eq!(named(&[]).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn nested_fields_have_the_names_that_the_api_knows() {
        assert_eq!(named(&["1-0x4"]).unwrap(), ["LastName", "Name"]);
        assert_eq!(
            named(&["0x20", "3-0x2"]).unwrap(),
            ["City", "LastModifiedDate", "MailingAddress", "MailingCity"]
        );
        // A record that was declared before is only referred to.
        assert_eq!(
            named(&["4-0x1"]).unwrap(),
            ["OtherAddress", "OtherStreet", "Street"]
        );
        // Told as a whole.
        assert!(named(&["0x8"]).unwrap().contains(&"MailingStreet".to_owned()));
    }

    #[test]
    fn what_is_no_bitmap_of_this_schema_is_not_understood() {
        for strange in ["0x1000", "x24", "9-0x1", "0xzz", "2-0x1"] {
            assert_eq!(named(&[strange]), None, "{strange}");
        }
        assert!(Shape::read(r#""string""#).is_none());
        assert!(Shape::read("{").is_none());
    }
}
