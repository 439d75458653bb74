//! What a flow file says about match keys, as written.

use super::node::{At, Content, Node};
use super::written::{PerObject, Reader, Table, Written, written};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use std::borrow::Cow;

written! {
    /// A match key of two properties that no row maps, such as a field that holds the other system's id.
    struct MatchPairText {
        /// The first system's property; `id` for the record's own id.
        first: At<String>,
        /// The second system's property; `id` for the record's own id.
        second: At<String>,
        /// How they are compared: `exact`, `trim`, `case-fold`, `email`, `phone`, `digits`.
        compare: Option<At<String>>,
        /// Where the key holds: records that differ in one of these are strangers.
        within: Option<AgreementsText>,
        /// None of these may differ, and at least one must be equal; else a person decides.
        agree: Option<AgreementsText>,
        /// Where all of these that have a value on both sides differ, a person decides.
        contradicted_by: Option<AgreementsText>,
    }
}

written! {
    /// What a match key asks for besides.
    struct TermsText {
        /// Where the key holds: records that differ in one of these are strangers, whatever their keys.
        within: Option<AgreementsText>,
        /// None of these may differ, and at least one must be equal; else a person decides.
        agree: Option<AgreementsText>,
        /// Where all of these that have a value on both sides differ, a person decides.
        contradicted_by: Option<AgreementsText>,
    }
}

written! {
    /// Properties that no row maps.
    struct AgreementPairText {
        /// The first system's property; `id` for the record's own id.
        first: At<String>,
        /// The second system's property, or one per object that has one; `id` for the record's own id.
        second: PerObject<String>,
        /// How texts are compared: `case-fold` if absent.
        compare: Option<At<String>>,
        /// The flow that the two refer through, where they are references.
        references: Option<At<String>>,
        /// The role of the companion that the second one is, where the first is a reference to its owner.
        companion: Option<At<String>>,
    }
}

/// What must agree: a mapped property by the first system's name, or a property of each system.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum AgreementText {
    /// A mapped property, by the first system's name.
    Row(At<String>),
    /// A property of each system.
    Pair(Box<AgreementPairText>),
}

impl Written for AgreementText {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match node.value {
            Content::Table(_) => AgreementPairText::read(node, reader).map(|pair| Self::Pair(Box::new(pair))),
            _ => At::read(node, reader).map(Self::Row),
        }
    }
}

/// One thing that must agree, or several.
#[derive(Clone, Debug)]
pub(crate) struct AgreementsText(pub(crate) At<Vec<AgreementText>>);

impl Written for AgreementsText {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let all = match node.value {
            Content::List(_) => Vec::read(node, reader)?,
            _ => vec![AgreementText::read(node, reader)?],
        };
        Some(Self(node.with(all)))
    }
}

impl JsonSchema for AgreementsText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Agreements".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<AgreementText>();
        let several = generator.subschema_for::<Vec<AgreementText>>();
        schemars::json_schema!({ "anyOf": [one, several] })
    }
}

/// Properties with how each is compared, and what the key asks for besides.
#[derive(Clone, Debug)]
pub(crate) struct ComparedText {
    /// The properties.
    pub(crate) parts: Table<At<String>>,
    /// What it asks for besides.
    pub(crate) terms: TermsText,
}

/// The keys of a match key's table that name no property.
const TERMS: [&str; 3] = ["within", "agree", "contradicted_by"];

impl Written for ComparedText {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let Content::Table(entries) = &node.value else {
            return None;
        };
        let (terms, parts): (Vec<_>, Vec<_>) = entries
            .iter()
            .cloned()
            .partition(|(name, _)| TERMS.contains(&name.value.as_str()));
        let parts = node.with(Content::Table(parts));
        let terms = node.with(Content::Table(terms));
        Some(Self {
            parts: Table::read(&parts, reader)?,
            terms: TermsText::read(&terms, reader)?,
        })
    }
}

impl JsonSchema for ComparedText {
    fn schema_name() -> Cow<'static, str> {
        "ComparedText".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = TermsText::json_schema(generator);
        let comparison = generator.subschema_for::<String>();
        schema.insert("additionalProperties".to_owned(), comparison.to_value());
        schema
    }
}

/// One match key: a property, several together, several with how each is compared, or one of each system.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub(crate) enum MatchText {
    /// A property of each system, mapped or not.
    Pair(Box<MatchPairText>),
    /// One property, compared trimmed.
    One(At<String>),
    /// Several that must all be equal, compared trimmed.
    All(Vec<At<String>>),
    /// Properties with how they are compared: `exact`, `trim`, `case-fold`, `email`, `phone`, `digits`; and what
    /// the key asks for besides.
    Compared(Box<ComparedText>),
}

impl MatchText {
    /// The first-side properties it names as the key.
    pub(crate) fn names(&self) -> Vec<&str> {
        match self {
            Self::One(name) => vec![name.value.as_str()],
            Self::All(names) => names.iter().map(|name| name.value.as_str()).collect(),
            Self::Compared(table) => table.parts.keys().collect(),
            Self::Pair(_) => Vec::new(),
        }
    }

    /// What it asks for besides: within, agree, contradicted by.
    pub(crate) fn terms(&self) -> [Option<&AgreementsText>; 3] {
        match self {
            Self::One(_) | Self::All(_) => [None; 3],
            Self::Compared(table) => {
                let terms = &table.terms;
                [&terms.within, &terms.agree, &terms.contradicted_by].map(Option::as_ref)
            }
            Self::Pair(pair) => [&pair.within, &pair.agree, &pair.contradicted_by].map(Option::as_ref),
        }
    }
}

impl Written for MatchText {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.value {
            Content::List(_) => Vec::read(node, reader).map(Self::All),
            Content::Table(entries) if names_a_system(entries, reader) => {
                MatchPairText::read(node, reader).map(|pair| Self::Pair(Box::new(pair)))
            }
            Content::Table(_) => {
                ComparedText::read(node, reader).map(|table| Self::Compared(Box::new(table)))
            }
            _ => At::read(node, reader).map(Self::One),
        }
    }
}

fn names_a_system(entries: &[(At<String>, Node)], reader: &Reader<'_>) -> bool {
    entries
        .iter()
        .any(|(name, _)| reader.systems.contains(&name.value))
}
