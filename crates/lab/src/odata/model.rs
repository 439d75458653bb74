//! What a service holds: entity sets with their types, keys and navigation, read from a text.
//!
//! One line says one thing; what is indented belongs to the set above. `models/company.txt` explains the form.

mod text;

use rust_decimal::Decimal;

use super::value::Value;

/// Position of an entity set in the [`Model`].
pub(crate) type SetIndex = usize;
/// Position of a property in its [`EntitySet`].
pub(crate) type PropertyIndex = usize;

/// The version of the protocol that a service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V2,
    V4,
}

/// What a property holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text of at most so many characters.
    Text(usize),
    Boolean,
    Int32,
    Int64,
    /// A decimal number with so many digits, so many of them after the point.
    Decimal {
        precision: u32,
        scale: u32,
    },
    Guid,
    Date,
    Time,
    /// A moment, to the millisecond.
    Moment,
}

/// Who fills a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Filling {
    /// The client alone.
    Client,
    /// The server, where the client gives nothing: the next number, written as prefix and counter.
    Number { prefix: String, first: u64 },
    /// The server, where the client gives nothing: this value.
    Default(Value),
    /// The server always: a new GUID.
    NewGuid,
    /// The server always: when the entity was created, or last changed.
    Stamp { creation: bool },
    /// The server always: who did it.
    User,
}

impl Filling {
    /// Whether what a client sends for it is passed over.
    pub(crate) fn computed(&self) -> bool {
        matches!(self, Self::NewGuid | Self::Stamp { .. } | Self::User)
    }
}

/// One property of an entity type.
#[derive(Debug, Clone)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Never null.
    pub(crate) required: bool,
    /// Neither in the metadata nor in any answer: what an entity belongs to by its path alone.
    pub(crate) hidden: bool,
    /// Given on a create and never changed.
    pub(crate) once: bool,
    /// Digits are filled with zeros to this width.
    pub(crate) padded: Option<usize>,
    pub(crate) filling: Filling,
    /// Which property of a sample record fills it.
    pub(crate) source: Option<String>,
}

/// A way from an entity to others.
#[derive(Debug, Clone)]
pub(crate) struct Navigation {
    pub(crate) name: String,
    pub(crate) target: SetIndex,
    pub(crate) many: bool,
    /// The targets are parts: they are created with the entity and deleted with it.
    pub(crate) parts: bool,
    /// Own property, property of the target: equal where they belong together.
    pub(crate) by: Vec<(PropertyIndex, PropertyIndex)>,
}

/// An entity set and the type of its entities.
#[derive(Debug, Clone)]
pub(crate) struct EntitySet {
    pub(crate) name: String,
    pub(crate) type_name: String,
    pub(crate) properties: Vec<Property>,
    pub(crate) key: Vec<PropertyIndex>,
    pub(crate) navigations: Vec<Navigation>,
    /// A change needs an `If-Match`.
    pub(crate) conditional: bool,
    /// Nothing of it is ever deleted by a client.
    pub(crate) permanent: bool,
    /// Reached by navigation alone, never by its own name.
    pub(crate) contained: bool,
    /// Clients only read it.
    pub(crate) fixed: bool,
    /// A change of an entity that is not there creates it.
    pub(crate) upsert: bool,
    /// A change is answered with the entity, where the client does not say what it prefers.
    pub(crate) echo: bool,
    /// Which sample records fill it.
    pub(crate) source: Option<String>,
}

/// A service: a root path with what it shows.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) version: Version,
    /// Without a slash at its end.
    pub(crate) root: String,
    pub(crate) namespace: String,
    /// The sets shown.
    pub(crate) sets: Vec<SetIndex>,
}

/// Everything that one local system serves.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) services: Vec<Service>,
    pub(crate) sets: Vec<EntitySet>,
}

impl Model {
    /// Reads a model.
    ///
    /// # Errors
    /// The line and what is wrong with it.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        text::read(text)
    }

    pub(crate) fn set_named(&self, name: &str) -> Option<SetIndex> {
        self.sets.iter().position(|set| set.name == name)
    }
}

impl Service {
    /// The set of that name, unless it is reached by navigation alone.
    pub(crate) fn set_named(&self, model: &Model, name: &str) -> Option<SetIndex> {
        let mut sets = self.sets.iter().copied();
        sets.find(|set| model.sets[*set].name == name && !model.sets[*set].contained)
    }
}

impl EntitySet {
    pub(crate) fn property(&self, name: &str) -> Option<PropertyIndex> {
        let shown = |property: &Property| property.name == name && !property.hidden;
        self.properties.iter().position(shown)
    }

    pub(crate) fn navigation(&self, name: &str) -> Option<&Navigation> {
        self.navigations.iter().find(|navigation| navigation.name == name)
    }

    /// The properties that clients see.
    pub(crate) fn shown(&self) -> impl Iterator<Item = (PropertyIndex, &Property)> {
        let all = self.properties.iter().enumerate();
        all.filter(|(_, property)| !property.hidden)
    }

    /// The key of an entity with these values.
    pub(crate) fn key_of(&self, values: &[Value]) -> Vec<Value> {
        self.key
            .iter()
            .map(|property| values[*property].clone())
            .collect()
    }
}

impl Kind {
    /// The name of the type in the metadata.
    pub(crate) fn name(self, version: Version) -> &'static str {
        match (self, version) {
            (Self::Text(_), _) => "Edm.String",
            (Self::Boolean, _) => "Edm.Boolean",
            (Self::Int32, _) => "Edm.Int32",
            (Self::Int64, _) => "Edm.Int64",
            (Self::Decimal { .. }, _) => "Edm.Decimal",
            (Self::Guid, _) => "Edm.Guid",
            (Self::Date, Version::V4) => "Edm.Date",
            (Self::Date, Version::V2) => "Edm.DateTime",
            (Self::Time, Version::V4) => "Edm.TimeOfDay",
            (Self::Time, Version::V2) => "Edm.Time",
            (Self::Moment, _) => "Edm.DateTimeOffset",
        }
    }

    /// Whether a number is one of this kind.
    ///
    /// # Errors
    /// What it should be.
    pub(crate) fn fits(self, number: Decimal) -> Result<(), String> {
        let whole = |least: i64, most: i64| {
            let within =
                number.is_integer() && number >= Decimal::from(least) && number <= Decimal::from(most);
            within
                .then_some(())
                .ok_or_else(|| format!("a whole number from {least} to {most}"))
        };
        match self {
            Self::Int32 => whole(i64::from(i32::MIN), i64::from(i32::MAX)),
            Self::Int64 => whole(i64::MIN, i64::MAX),
            Self::Decimal { precision, scale } => {
                let short = number.normalize();
                let whole = short.trunc().abs().to_string().trim_start_matches('0').len();
                let places = usize::try_from(precision - scale).unwrap_or(0);
                let fits = short.scale() <= scale && whole <= places;
                fits.then_some(()).ok_or_else(|| {
                    format!("a number of at most {precision} digits, {scale} of them after the point")
                })
            }
            _ => Err("no number".to_owned()),
        }
    }
}
