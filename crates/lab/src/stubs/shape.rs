//! Which record types and properties a stub has, read from a table of words:
//!
//! ```text
//! res.partner
//!   name text required
//!   parent_id ref:res.partner
//!   active bool =true
//! ```
//!
//! A blank in a name of a record type or in a word is written as `_`. Behind the name of a record type stands how its records are called: `by PROPERTY`, `series PREFIX`, `uuid`, or nothing for numbers.

use serde_json::Value as Json;
use std::collections::BTreeMap;

/// A record type.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) name: String,
    pub(super) naming: Naming,
    pub(super) fields: BTreeMap<String, Field>,
}

/// How new records get their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// Numbers, counted.
    Count,
    /// The value of a property.
    By(String),
    /// A prefix with a number behind it.
    Series(String),
    /// Identifiers of 32 hexadecimal digits.
    Uuid,
}

/// A property.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) kind: Kind,
    pub(super) required: bool,
    pub(super) unique: bool,
    /// What stands there where nothing is given.
    pub(super) default: Json,
}

/// What values a property takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Texts of at most so many characters; 0: of any length.
    Text(usize),
    Integer,
    Decimal,
    Boolean,
    Date,
    Time,
    /// The id of a record of another type.
    Reference(String),
    /// One of some words.
    Word(Vec<String>),
}

/// Reads a table.
///
/// # Errors
/// The line that is not understood: a mistake in this program.
pub(super) fn read(table: &str) -> Result<Vec<Shape>, String> {
    let mut shapes: Vec<Shape> = Vec::new();
    for line in table.lines().filter(|line| !line.trim().is_empty()) {
        let wrong = || format!("the table of record types has a line that is not understood: {line}");
        if line.starts_with(' ') {
            let (name, field) = field(line.trim()).ok_or_else(wrong)?;
            let shape = shapes.last_mut().ok_or_else(wrong)?;
            shape.fields.insert(name, field);
            continue;
        }
        let (name, naming) = line.split_once(" | ").unwrap_or((line, ""));
        let naming = match naming.split_once(' ') {
            Some(("by", property)) => Naming::By(property.to_owned()),
            Some(("series", prefix)) => Naming::Series(prefix.to_owned()),
            None if naming.is_empty() => Naming::Count,
            None if naming == "uuid" => Naming::Uuid,
            _ => return Err(wrong()),
        };
        shapes.push(Shape {
            name: name.trim().replace('_', " "),
            naming,
            fields: BTreeMap::new(),
        });
    }
    Ok(shapes)
}

fn field(line: &str) -> Option<(String, Field)> {
    let mut words = line.split_whitespace();
    let (name, kind) = (words.next()?, words.next()?);
    let (kind, of) = kind.split_once(':').unwrap_or((kind, ""));
    let kind = match kind {
        "text" => Kind::Text(of.parse().unwrap_or(0)),
        "int" => Kind::Integer,
        "decimal" => Kind::Decimal,
        "bool" => Kind::Boolean,
        "date" => Kind::Date,
        "time" => Kind::Time,
        "ref" => Kind::Reference(of.replace('_', " ")),
        "word" => Kind::Word(of.split('|').map(|word| word.replace('_', " ")).collect()),
        _ => return None,
    };
    let mut field = Field {
        kind,
        required: false,
        unique: false,
        default: Json::Null,
    };
    for word in words {
        match word {
            "required" => field.required = true,
            "unique" => field.unique = true,
            _ => {
                let text = word.strip_prefix('=')?.replace('_', " ");
                field.default = serde_json::from_str(&text).unwrap_or(Json::String(text));
            }
        }
    }
    Some((name.to_owned(), field))
}
