//! The properties of a set's records.

use super::super::names::capital;
use super::super::picture::{Guess, Kind, Property, Topic};
use super::model::{Declared, Version, local};
use super::record::Reading;

impl Reading<'_> {
    /// A property, or those of the part that it is.
    pub(super) fn properties(&self, declared: &Declared) -> Vec<Property> {
        if let Some(part) = self
            .service
            .parts
            .get(local(&declared.of))
            .filter(|_| !declared.of.starts_with("Edm."))
        {
            let inner = part.iter().filter_map(|within| {
                let mut property = self.property(within)?;
                property.name = format!("{}{}", declared.name, capital(&within.name));
                property.at = Some(format!("{}.{}", declared.name, within.name));
                Some(property)
            });
            return inner.collect();
        }
        self.property(declared).into_iter().collect()
    }

    pub(super) fn property(&self, declared: &Declared) -> Option<Property> {
        let day = declared.says("display-format", "Date");
        let kind = match declared.of.as_str() {
            "Edm.String" => Kind::Text(declared.max_length.filter(|length| *length > 0)),
            "Edm.Guid" | "Edm.Time" | "Edm.TimeOfDay" | "Edm.Duration" => Kind::Text(None),
            "Edm.Byte" | "Edm.SByte" | "Edm.Int16" | "Edm.Int32" | "Edm.Int64" => Kind::Integer,
            "Edm.Decimal" => Kind::Decimal(declared.precision.zip(declared.scale.or(Some(0)))),
            "Edm.Double" | "Edm.Single" => Kind::Decimal(None),
            "Edm.Boolean" => Kind::Boolean,
            "Edm.Date" => Kind::Date,
            "Edm.DateTime" if day => Kind::Date,
            "Edm.DateTime" | "Edm.DateTimeOffset" => Kind::DateTime,
            other if !other.starts_with("Edm.") && !other.starts_with("Collection(") => {
                Kind::Enum(self.service.enums.get(local(other))?.clone())
            }
            _ => return None,
        };
        let mut property = Property::new(&declared.name, kind);
        property.required = !declared.nullable;
        property.unique = declared.is_key && self.set.key.len() == 1;
        let never = |flag: &str| declared.says(flag, "false");
        property.read_only = declared.says("computed", "true") || never("creatable") && never("updatable");
        property.create_only = !property.read_only
            && (declared.says("immutable", "true") || never("updatable") || declared.is_key);
        property.filled = declared.says("default", "true");
        if let Some(noun) = time_without_a_date(&declared.of).filter(|_| !property.read_only) {
            property.read_only = true;
            property.create_only = false;
            property.guess = Some(text_of_a_form(noun, !declared.nullable));
        }
        if property.read_only {
            property.required = false;
        }
        property.form = self.form(&declared.of);
        let target = declared.refers.as_ref();
        if let Some(to) = target.and_then(|to| self.by_entity.get(to.as_str())) {
            // A reference is the id of its target, however that is written: only numbers are no texts.
            property.form = match (declared.of.as_str(), self.service.version) {
                ("Edm.Byte" | "Edm.SByte" | "Edm.Int16" | "Edm.Int32", _) | ("Edm.Int64", Version::V4) => {
                    Some("{ as: number }".to_owned())
                }
                _ => None,
            };
            property.kind = Kind::Reference((*to).to_owned());
        }
        Some(property)
    }

    /// How values are written, where the type alone does not say it.
    fn form(&self, of: &str) -> Option<String> {
        let form = match (of, self.service.version) {
            ("Edm.Guid", _) => "{ literal: guid }",
            ("Edm.DateTimeOffset", Version::V2) => "{ literal: datetimeoffset }",
            ("Edm.Int64", Version::V2) => "{ as: text, literal: int64 }",
            // Numbers that are read for their digits are texts in version 2.
            ("Edm.Double" | "Edm.Single", Version::V2) => "{ as: text }",
            _ => return None,
        };
        Some(form.to_owned())
    }
}

/// What no property has a type for, though a text shows it: a time of day, a length of time.
pub(super) fn time_without_a_date(of: &str) -> Option<&'static str> {
    match of {
        "Edm.TimeOfDay" | "Edm.Time" => Some("a time of day"),
        "Edm.Duration" => Some("a length of time"),
        _ => None,
    }
}

/// Any text could be written to a property whose service takes texts of one form alone, so it is read, and not written.
fn text_of_a_form(noun: &str, required: bool) -> Guess {
    let why = format!("it is {noun}, shown as a text, and the service takes no other texts");
    let ask = match required {
        true => {
            "does the service fill it in? If not, write `required: true` for `read_only`, and let only such texts be mapped to it."
        }
        false => "is it to be written? Then take `read_only` out, and let only such texts be mapped to it.",
    };
    Guess::new(Topic::Values, why, ask)
}
