//! One field of an object.

/// The data types of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Id,
    Text,
    TextArea,
    Email,
    Phone,
    Url,
    Picklist,
    MultiPicklist,
    Combobox,
    Boolean,
    Int,
    Double,
    Currency,
    Percent,
    Date,
    DateTime,
    Time,
    Reference,
    Address,
}

impl Kind {
    /// The type's name in metadata and describe.
    pub(crate) const ALL: [(&'static str, Kind); 19] = [
        ("id", Kind::Id),
        ("string", Kind::Text),
        ("textarea", Kind::TextArea),
        ("email", Kind::Email),
        ("phone", Kind::Phone),
        ("url", Kind::Url),
        ("picklist", Kind::Picklist),
        ("multipicklist", Kind::MultiPicklist),
        ("combobox", Kind::Combobox),
        ("boolean", Kind::Boolean),
        ("int", Kind::Int),
        ("double", Kind::Double),
        ("currency", Kind::Currency),
        ("percent", Kind::Percent),
        ("date", Kind::Date),
        ("datetime", Kind::DateTime),
        ("time", Kind::Time),
        ("reference", Kind::Reference),
        ("address", Kind::Address),
    ];

    /// The type called so.
    pub(crate) fn named(name: &str) -> Option<Kind> {
        Kind::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, kind)| *kind)
    }

    /// What the type is called.
    pub(crate) fn name(self) -> &'static str {
        Kind::ALL
            .iter()
            .find(|(_, kind)| *kind == self)
            .map_or("string", |(name, _)| name)
    }

    /// Whether values are numbers.
    pub(crate) fn is_number(self) -> bool {
        matches!(self, Kind::Int | Kind::Double | Kind::Currency | Kind::Percent)
    }

    /// Whether values are ids of records.
    pub(crate) fn is_key(self) -> bool {
        matches!(self, Kind::Id | Kind::Reference)
    }

    /// Whether values are text.
    pub(crate) fn is_text(self) -> bool {
        matches!(
            self,
            Kind::Text
                | Kind::TextArea
                | Kind::Email
                | Kind::Phone
                | Kind::Url
                | Kind::Picklist
                | Kind::MultiPicklist
                | Kind::Combobox
        )
    }

    /// The SOAP type behind the type.
    pub(crate) fn soap(self) -> &'static str {
        match self {
            Kind::Id | Kind::Reference => "tns:ID",
            Kind::Boolean => "xsd:boolean",
            Kind::Int => "xsd:int",
            Kind::Double | Kind::Currency | Kind::Percent => "xsd:double",
            Kind::Date => "xsd:date",
            Kind::DateTime => "xsd:dateTime",
            Kind::Time => "xsd:time",
            Kind::Address => "urn:address",
            _ => "xsd:string",
        }
    }
}

/// Where a field's value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The row's own values, those that the org derives on write among them.
    Stored,
    Id,
    CreatedDate,
    CreatedBy,
    ModifiedDate,
    ModifiedBy,
    Stamp,
    Deleted,
    /// Put together from other fields when read.
    Compound,
}

impl Source {
    /// The source of the field called so.
    pub(crate) fn of(name: &str, kind: Kind) -> Source {
        match name {
            "Id" => Source::Id,
            "CreatedDate" => Source::CreatedDate,
            "CreatedById" => Source::CreatedBy,
            "LastModifiedDate" => Source::ModifiedDate,
            "LastModifiedById" => Source::ModifiedBy,
            "SystemModstamp" => Source::Stamp,
            "IsDeleted" => Source::Deleted,
            _ if kind == Kind::Address => Source::Compound,
            _ => Source::Stored,
        }
    }
}

/// One field.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a describe is a list of independent yes and no"
)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) kind: Kind,
    pub(crate) source: Source,
    /// Characters of a text.
    pub(crate) length: usize,
    /// Digits of a number, and how many of them after the point.
    pub(crate) precision: u32,
    pub(crate) scale: u32,
    pub(crate) nillable: bool,
    pub(crate) createable: bool,
    pub(crate) updateable: bool,
    pub(crate) defaulted: bool,
    /// What the field holds where a create leaves it blank, unless the org's own rules say it.
    pub(crate) default_value: Option<String>,
    pub(crate) required: bool,
    pub(crate) auto_number: bool,
    pub(crate) lookup: bool,
    pub(crate) restricted: bool,
    pub(crate) external_id: bool,
    /// Shown first in the record browser.
    pub(crate) key: bool,
    pub(crate) references: Vec<String>,
    pub(crate) relationship: Option<String>,
    pub(crate) picklist: Vec<String>,
    /// The field vanished, or is out of sight.
    pub(super) gone: bool,
}

impl Field {
    /// Whether the field is one of our metadata's.
    pub(crate) fn custom(&self) -> bool {
        self.name.ends_with("__c")
    }

    /// Long text: it cannot stand in a filter or an ORDER BY, and two of them make a page small.
    pub(crate) fn long_text(&self) -> bool {
        self.kind == Kind::TextArea && self.length >= 32_000
    }

    /// The place of an entry in the picklist; the number of entries where it is none of them.
    pub(crate) fn place_of(&self, entry: &str) -> usize {
        let known = self.picklist.iter().position(|known| known == entry);
        known.unwrap_or(self.picklist.len())
    }

    /// Whether a record is a part of the one that the field names, and goes with it.
    pub(crate) fn master(&self) -> bool {
        self.custom() && self.kind == Kind::Reference && self.required && !self.updateable
    }

    /// Whether no two records may hold the same value.
    pub(crate) fn unique(&self) -> bool {
        self.external_id || self.name == "Username" || self.name == "CommunityNickname"
    }

    /// Whether upper and lower case are told apart when values are compared.
    pub(crate) fn case_sensitive(&self) -> bool {
        self.external_id
    }
}
