//! The properties of a set's records.

use super::super::names::capital;
use super::super::picture::{Kind, Property};
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
