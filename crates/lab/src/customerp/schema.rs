//! The record types and their properties, read from the one table in `record-types.txt`.

use std::collections::HashMap;

use thiserror::Error;

/// Position of a record type in the [`Catalog`].
pub(crate) type TypeIndex = usize;
/// Position of a property in its [`RecordType`].
pub(crate) type PropertyIndex = usize;

/// Longest `string` and `phone`, in characters.
pub(crate) const STRING_MAX: usize = 4_000;
/// Longest `text`, in characters.
pub(crate) const TEXT_MAX: usize = 100_000;
/// Decimal places of an amount of money, and of every `decimal` that names no other.
pub(crate) const MONEY_SCALE: u32 = 2;

const TABLE: &str = include_str!("record-types.txt");

/// What a property holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text of at most so many characters.
    Text { max: usize, phone: bool },
    /// A whole number.
    Integer,
    /// A decimal number with so many places.
    Decimal { scale: u32 },
    /// True or false.
    Boolean,
    /// A calendar day.
    Date,
    /// A moment, to the millisecond.
    DateTime,
    /// One of the named values.
    Enum(Vec<String>),
    /// The id of a record of that type.
    Reference(TypeIndex),
}

/// What fills a property that is blank on a create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Filling {
    /// Nothing: it stays blank.
    Nothing,
    /// The next free number, written as prefix and counter.
    Number { prefix: String, first: u64 },
    /// One more than the greatest number among the parts of the same whole.
    Next,
    /// This text, read as a value of the property's kind.
    Constant(String),
    /// The company's currency.
    Currency,
}

/// How the ERP computes a property that nobody gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Derived {
    /// Price x quantity x (1 - discount / 100), half up to the cent.
    Amount,
    /// The sum of the amounts of the record's parts of that type.
    Sum(TypeIndex),
}

/// One property of a record type.
#[derive(Debug, Clone)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    pub(crate) unique: bool,
    pub(crate) key: bool,
    /// Given on a create, and never changed.
    pub(crate) once: bool,
    /// Refers to the record that this one is part of, and with which it is deleted.
    pub(crate) whole: bool,
    /// The least number that is taken.
    pub(crate) min: Option<i64>,
    /// The greatest number that is taken.
    pub(crate) max: Option<i64>,
    pub(crate) filling: Filling,
    pub(crate) derived: Option<Derived>,
}

impl Property {
    /// Whether an index from value to records is kept: for uniqueness, for lookups, or to find what refers to a record.
    pub(crate) fn indexed(&self) -> bool {
        self.unique || self.key || matches!(self.kind, Kind::Reference(_))
    }

    /// Whether the ERP numbers it by itself.
    pub(crate) fn assigned(&self) -> bool {
        matches!(self.filling, Filling::Number { .. } | Filling::Next)
    }
}

/// A record type with its collection and properties.
#[derive(Debug, Clone)]
pub(crate) struct RecordType {
    pub(crate) name: String,
    pub(crate) collection: String,
    pub(crate) properties: Vec<Property>,
    /// The properties that, joined by a space, name a record to a person.
    pub(crate) naming: Vec<PropertyIndex>,
    /// The properties that the browser's lists show beside the name.
    pub(crate) listed: Vec<PropertyIndex>,
    by_name: HashMap<String, PropertyIndex>,
}

impl RecordType {
    /// The reference to the record that records of this type are part of, and that record's type.
    pub(crate) fn whole(&self) -> Option<(PropertyIndex, TypeIndex)> {
        let mut properties = self.properties.iter().enumerate();
        properties.find_map(|(position, property)| match property.kind {
            Kind::Reference(target) if property.whole => Some((position, target)),
            _ => None,
        })
    }

    /// The property of that name.
    pub(crate) fn property(&self, name: &str) -> Option<PropertyIndex> {
        self.by_name.get(name).copied()
    }
}

/// All record types.
#[derive(Debug, Clone)]
pub(crate) struct Catalog {
    pub(crate) types: Vec<RecordType>,
}

/// The table of record types is malformed.
#[derive(Debug, Error)]
#[error("record type table, line {line}: {what}")]
pub(crate) struct TableError {
    line: usize,
    what: String,
}

/// A type line, with the names that can be resolved only when all properties are known.
struct Heading {
    line: usize,
    naming: Vec<String>,
    listed: Vec<String>,
}

impl Catalog {
    /// Reads the built-in table.
    pub(crate) fn built_in() -> Result<Self, TableError> {
        Self::parse(TABLE)
    }

    fn parse(table: &str) -> Result<Self, TableError> {
        let names = type_names(table);
        let mut types: Vec<RecordType> = Vec::new();
        let mut headings: Vec<Heading> = Vec::new();
        for (index, text) in table.lines().enumerate() {
            let line = index + 1;
            let words: Vec<&str> = text.split_whitespace().collect();
            let fail = |what: String| TableError { line, what };
            match words.as_slice() {
                [] => {}
                [first, ..] if first.starts_with('#') => {}
                ["type", name, collection, rest @ ..] => {
                    types.push(empty_type(name, collection));
                    headings.push(heading(line, rest));
                }
                [name, kind, flags @ ..] => {
                    let owner = types
                        .last_mut()
                        .ok_or_else(|| fail("a property before any type".into()))?;
                    let property = property(name, kind, flags, &names).map_err(fail)?;
                    owner
                        .by_name
                        .insert(property.name.clone(), owner.properties.len());
                    owner.properties.push(property);
                }
                [word] => return Err(fail(format!("`{word}` has no kind"))),
            }
        }
        for (record_type, heading) in types.iter_mut().zip(headings) {
            record_type.naming = resolve(record_type, heading.line, &heading.naming)?;
            record_type.listed = resolve(record_type, heading.line, &heading.listed)?;
        }
        Ok(Self { types })
    }

    /// The type of that name.
    pub(crate) fn type_named(&self, name: &str) -> Option<TypeIndex> {
        self.types.iter().position(|record_type| record_type.name == name)
    }

    /// The types whose records are part of records of this one, each with the reference by which they are.
    pub(crate) fn parts(&self, whole: TypeIndex) -> impl Iterator<Item = (TypeIndex, PropertyIndex)> {
        let types = self.types.iter().enumerate();
        types.filter_map(move |(index, record_type)| {
            let (reference, target) = record_type.whole()?;
            (target == whole).then_some((index, reference))
        })
    }

    /// The type whose records the collection holds.
    pub(crate) fn type_of_collection(&self, collection: &str) -> Option<TypeIndex> {
        self.types
            .iter()
            .position(|record_type| record_type.collection == collection)
    }
}

fn type_names(table: &str) -> Vec<String> {
    let headings = table.lines().filter_map(|line| line.strip_prefix("type "));
    headings
        .filter_map(|rest| rest.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

fn empty_type(name: &str, collection: &str) -> RecordType {
    RecordType {
        name: name.to_owned(),
        collection: collection.to_owned(),
        properties: Vec::new(),
        naming: Vec::new(),
        listed: Vec::new(),
        by_name: HashMap::new(),
    }
}

fn heading(line: usize, words: &[&str]) -> Heading {
    let named = |key: &str, separator: char| -> Vec<String> {
        let value = words
            .iter()
            .find_map(|word| word.strip_prefix(key))
            .unwrap_or_default();
        value.split(separator).map(str::to_owned).collect()
    };
    Heading {
        line,
        naming: named("name=", '+'),
        listed: named("list=", ','),
    }
}

fn resolve(
    record_type: &RecordType,
    line: usize,
    names: &[String],
) -> Result<Vec<PropertyIndex>, TableError> {
    let find = |name: &String| {
        let unknown = || TableError {
            line,
            what: format!("`{name}` is no property of {}", record_type.name),
        };
        record_type.property(name).ok_or_else(unknown)
    };
    names.iter().map(find).collect()
}

fn property(name: &str, kind: &str, flags: &[&str], types: &[String]) -> Result<Property, String> {
    let mut property = Property {
        name: name.to_owned(),
        kind: parse_kind(kind, types)?,
        required: false,
        unique: false,
        key: false,
        once: false,
        whole: false,
        min: None,
        max: None,
        filling: Filling::Nothing,
        derived: None,
    };
    for flag in flags {
        match flag.split_once('=') {
            None if *flag == "required" => property.required = true,
            None if *flag == "unique" => property.unique = true,
            None if *flag == "key" => property.key = true,
            None if *flag == "once" => property.once = true,
            None if *flag == "whole" => property.whole = true,
            Some(("min", least)) => property.min = Some(bound(least)?),
            Some(("max", greatest)) => property.max = Some(bound(greatest)?),
            Some(("derived", rule)) => property.derived = Some(derivation(rule, types)?),
            Some(("assigned", "next")) => property.filling = Filling::Next,
            Some(("assigned", first)) => property.filling = numbering(first)?,
            Some(("default", "$currency")) => property.filling = Filling::Currency,
            Some(("default", value)) => property.filling = Filling::Constant(value.to_owned()),
            _ => return Err(format!("`{flag}` is no flag of a property")),
        }
    }
    Ok(property)
}

fn parse_kind(word: &str, types: &[String]) -> Result<Kind, String> {
    if let Some(values) = word.strip_prefix("enum:") {
        return Ok(Kind::Enum(values.split('|').map(str::to_owned).collect()));
    }
    if let Some(target) = word.strip_prefix("ref:") {
        let position = types.iter().position(|name| name == target);
        return position
            .map(Kind::Reference)
            .ok_or_else(|| format!("`{target}` is no record type"));
    }
    if let Some(scale) = word.strip_prefix("decimal:") {
        let scale = scale
            .parse()
            .map_err(|_| format!("`{scale}` is no number of places"))?;
        return Ok(Kind::Decimal { scale });
    }
    Ok(match word {
        "string" => Kind::Text {
            max: STRING_MAX,
            phone: false,
        },
        "phone" => Kind::Text {
            max: STRING_MAX,
            phone: true,
        },
        "text" => Kind::Text {
            max: TEXT_MAX,
            phone: false,
        },
        "boolean" => Kind::Boolean,
        "date" => Kind::Date,
        "datetime" => Kind::DateTime,
        "integer" => Kind::Integer,
        "decimal" => Kind::Decimal { scale: MONEY_SCALE },
        other => return Err(format!("`{other}` is no kind")),
    })
}

fn bound(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| format!("`{text}` is no whole number"))
}

fn derivation(rule: &str, types: &[String]) -> Result<Derived, String> {
    let unknown = || format!("`{rule}` is no rule");
    if rule == "amount" {
        return Ok(Derived::Amount);
    }
    let summed = rule.strip_prefix("sum:");
    let part = summed.and_then(|part| types.iter().position(|name| name == part));
    part.map(Derived::Sum).ok_or_else(unknown)
}

fn numbering(first: &str) -> Result<Filling, String> {
    let digits = first.trim_start_matches(|c: char| !c.is_ascii_digit());
    let number = digits
        .parse()
        .map_err(|_| format!("`{first}` does not end in a number"))?;
    Ok(Filling::Number {
        prefix: first[..first.len() - digits.len()].to_owned(),
        first: number,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_built_in_table_is_well_formed() {
        let catalog = Catalog::built_in().unwrap();
        let names: Vec<_> = catalog.types.iter().map(|t| t.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "Customer",
                "Contact",
                "Employee",
                "Product",
                "Quote",
                "Order",
                "Project",
                "QuoteLine",
                "OrderLine"
            ]
        );
        for record_type in &catalog.types {
            assert_eq!(
                record_type.by_name.len(),
                record_type.properties.len(),
                "a property twice"
            );
            assert!(record_type.property("salesforceId").is_some());
            assert!(!record_type.naming.is_empty());
        }
        let quote = &catalog.types[catalog.type_of_collection("quotes").unwrap()];
        let number = &quote.properties[quote.property("quoteNumber").unwrap()];
        assert_eq!(
            number.filling,
            Filling::Number {
                prefix: "Q-".into(),
                first: 100_001
            }
        );
        assert!(number.unique);
    }

    #[test]
    fn a_malformed_table_names_the_line() {
        for (table, message) in [
            ("name string", "line 1: a property before any type"),
            (
                "type A as name=x list=x\n x ref:B",
                "line 2: `B` is no record type",
            ),
            (
                "type A as name=y list=x\n x string",
                "line 1: `y` is no property of A",
            ),
            (
                "type A as name=x list=x\n x string often",
                "line 2: `often` is no flag",
            ),
            ("type A as name=x list=x\n x", "line 2: `x` has no kind"),
            (
                "type A as name=x list=x\n x decimal derived=sum:B",
                "line 2: `sum:B` is no rule",
            ),
            (
                "type A as name=x list=x\n x decimal min=low",
                "line 2: `low` is no whole number",
            ),
        ] {
            let error = Catalog::parse(table).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
