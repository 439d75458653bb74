//! Where things stand in a record, and what can be done with the records of a type.

use super::batches::BatchText;
use super::dialect::ODataText;
use super::errors::{ErrorsText, LimitsText};
use super::inside::InsideText;
use super::operations::{
    ActionText, ChangesText, CreateText, DeleteText, DeletionsText, FindText, ListText, ReadText, UpdateText,
};
use super::place::Place;
use super::property::{FormText, PropertyText};
use super::push::PushText;
use super::session::{Csrf, Session};
use super::template::{Body, Template};
use super::times::{Granularity, Span};
use crate::rest::language::Language;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use std::borrow::Cow;
use tandem_merge::config::node::{At, Content, Node};
use tandem_merge::config::written::{Reader, Scalar, Table, Written};
use tandem_merge::written;

written! {
    /// How an ERP's interface is read and written.
    struct DescriptionText {
        /// It speaks OData: what that fixes is filled in where nothing else is said.
        odata: Option<At<ODataText>>,
        /// The language of its filters and keys.
        filters: Option<At<Language>>,
        /// How several requests travel as one.
        batch: Option<At<BatchText>>,
        /// What the ERP is called.
        name: Option<String>,
        /// A path between the connection's address and those of the operations.
        base: Option<At<String>>,
        /// How one signs in; nobody does where nothing is said.
        session: Option<At<Session>>,
        /// A token against forged requests, for writes.
        csrf: Option<At<Csrf>>,
        /// Headers of every request.
        headers: Option<Table<At<Template>>>,
        /// Who the ERP is.
        identity: Option<IdentityText>,
        /// What answers mean that are no success.
        errors: Option<ErrorsText>,
        /// How much it takes.
        limits: Option<LimitsText>,
        /// How long the ERP may work on a request before it gives up: a write may take effect so late. Absent: a minute.
        request_deadline: Option<Span>,
        /// How values are written, by type: `any`, `decimal`, `datetime`, ...
        forms: Option<Table<FormText>>,
        /// What holds for all record types that say nothing else.
        defaults: Option<RecordTypeText>,
        /// The record types.
        record_types: Table<RecordTypeText>,
    }
}

super::requests::operation! {
    /// How one asks who the ERP is.
    struct IdentityText {
        /// Where an id stands that never changes: that of the company.
        id: At<Place>,
        /// Where its name stands.
        name: Option<Place>,
        /// Where the user stands that we are.
        user: Option<Place>,
        /// How records name that user.
        author: Option<Place>,
        /// How one asks who we are, where that is a question of its own.
        who: Option<WhoText>,
    }
}

super::requests::operation! {
    /// How one asks who we are.
    struct WhoText {
        /// Where the user stands that we are.
        user: Place,
        /// How records name that user.
        author: Option<Place>,
    }
}

written! {
    /// A record type.
    struct RecordTypeText {
        /// What is filled in as `{collection}`; the record type's name where nothing is said.
        collection: Option<String>,
        /// What `{fill.NAME}` stands for in the requests of this type.
        fill: Option<Table<Body>>,
        /// Its records stand inside those of another type.
        inside: Option<At<InsideText>>,
        /// Where things stand in a record.
        record: Option<At<RecordText>>,
        /// How records are listed.
        list: Option<At<ListText>>,
        /// How changes are asked for.
        changes: Option<At<Possible<ChangesText>>>,
        /// What was deleted.
        deletions: Option<At<Possible<DeletionsText>>>,
        /// How one record is read.
        read: Option<At<ReadText>>,
        /// How records are found by a value.
        find: Option<At<Possible<FindText>>>,
        /// How a record is created.
        create: Option<At<Possible<CreateText>>>,
        /// How a record is changed.
        update: Option<At<Possible<UpdateText>>>,
        /// How a record is deleted.
        delete: Option<At<Possible<DeleteText>>>,
        /// Steps that a record takes by requests of their own.
        actions: Option<Vec<At<ActionText>>>,
        /// How the ERP is asked to post messages of changes.
        push: Option<At<Possible<PushText>>>,
        /// How often all records are compared, for what no list of changes shows.
        compare_every: Option<Span>,
        /// The properties.
        properties: Option<Table<PropertyText>>,
    }
}

written! {
    /// Where things stand in a record.
    struct RecordText {
        /// The id: a member, or several that tell a record from all others together.
        id: Option<At<KeyText>>,
        /// What an id looks like; others are not asked for.
        ids: Option<Ids>,
        /// What names the record's state: an ETag, a number, a time; or a list of such places, of which each part of a record has one.
        token: Option<At<TokenPlaces>>,
        /// How the token is written, where only a part of it is shown: `'"{token}"'`.
        token_as: Option<At<Template>>,
        /// The token tells apart only states that lie so far apart.
        token_granularity: Option<Granularity>,
        /// A number that counts the record's changes.
        order: Option<Place>,
        /// When it was changed last.
        modified: Option<Moment>,
        /// When it was created.
        created: Option<Moment>,
        /// Who changed it last.
        author: Option<Place>,
        /// What says that it is deleted.
        deleted: Option<Tombstone>,
    }
}

super::words::words! {
    /// What an id looks like.
    enum Ids {
        /// Anything.
        Text = "text",
        /// Digits alone.
        Digits = "digits",
        /// 32 hexadecimal digits in five groups.
        Guid = "guid",
    }
}

/// The members that hold a record's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyText(pub(crate) Vec<Place>);

impl KeyText {
    /// The member, where one alone holds the id.
    pub(crate) fn alone(&self) -> Option<&Place> {
        match self.0.as_slice() {
            [place] => Some(place),
            _ => None,
        }
    }
}

impl Written for KeyText {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let Content::List(nodes) = &node.value else {
            return Place::read(node, reader).map(|place| Self(vec![place]));
        };
        if nodes.is_empty() {
            let help = "Write the places of the members that hold it, such as `[OrderID, Line]`.";
            reader.problem(node, "an id of no members tells no record apart", help);
            return None;
        }
        Vec::<Place>::read(node, reader).map(Self)
    }
}

impl JsonSchema for KeyText {
    fn schema_name() -> Cow<'static, str> {
        "Key".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<Place>();
        let many = generator.subschema_for::<Vec<Place>>();
        schemars::json_schema!({ "anyOf": [one, many] })
    }
}

/// What a type can do, or `none`: it cannot, whatever the defaults say.
#[derive(Clone, Debug)]
pub(crate) enum Possible<T> {
    /// It can.
    Yes(Box<T>),
    /// It cannot.
    No,
}

impl<T> Possible<T> {
    /// What it can.
    pub(crate) fn yes(&self) -> Option<&T> {
        match self {
            Self::Yes(inner) => Some(inner),
            Self::No => None,
        }
    }
}

impl<T: Written> Written for Possible<T> {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.value {
            Content::Text(text) if text == "none" => Some(Self::No),
            Content::Table(_) => T::read(node, reader).map(|inner| Self::Yes(Box::new(inner))),
            other => {
                let message = format!("here stands {}, not a table", other.noun());
                reader.problem(
                    node,
                    message,
                    "Write a table, or `none` where the ERP cannot do this.",
                );
                None
            }
        }
    }
}

impl<T: JsonSchema> JsonSchema for Possible<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Possible{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let inner = generator.subschema_for::<T>();
        schemars::json_schema!({ "anyOf": [{ "const": "none" }, inner] })
    }
}

/// Where what names a record's state stands: a place, or several that name it together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenPlaces(pub(crate) Vec<Place>);

impl TokenPlaces {
    /// The only place.
    pub(crate) fn alone(&self) -> Option<&Place> {
        match self.0.as_slice() {
            [place] => Some(place),
            _ => None,
        }
    }
}

impl Written for TokenPlaces {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.value {
            Content::List(entries) if entries.is_empty() => {
                let help = "Write at least one place, such as `[version]`.";
                reader.problem(node, "the list is empty", help);
                None
            }
            Content::List(_) => Vec::<Place>::read(node, reader).map(Self),
            _ => Place::read(node, reader).map(|place| Self(vec![place])),
        }
    }
}

impl JsonSchema for TokenPlaces {
    fn schema_name() -> Cow<'static, str> {
        "TokenPlaces".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<Place>();
        let many = generator.subschema_for::<Vec<Place>>();
        schemars::json_schema!({ "anyOf": [one, many] })
    }
}

/// Where a time stands: a place, several of which the first that is not blank or the latest counts, or date and time apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The first of these that is not blank.
    At(Vec<Place>),
    /// The latest of these.
    Latest(Vec<Place>),
    /// A date and a time of day.
    Split {
        /// Where the date stands.
        date: Place,
        /// Where the time of day stands.
        time: Place,
    },
}

written! {
    /// The latest of several times.
    struct LatestText {
        /// Where they stand.
        latest: Vec<Place>,
    }
}

written! {
    /// A time in two parts.
    struct SplitText {
        /// Where the date stands.
        date: Place,
        /// Where the time of day stands.
        time: Place,
    }
}

impl Written for Moment {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match node.value {
            Content::List(_) => Vec::<Place>::read(node, reader).map(Self::At),
            Content::Table(ref entries) if entries.iter().any(|(key, _)| key.value == "latest") => {
                LatestText::read(node, reader).map(|text| Self::Latest(text.latest))
            }
            Content::Table(_) => {
                let SplitText { date, time } = SplitText::read(node, reader)?;
                Some(Self::Split { date, time })
            }
            _ => Place::read(node, reader).map(|place| Self::At(vec![place])),
        }
    }
}

impl JsonSchema for Moment {
    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<Place>();
        let many = generator.subschema_for::<Vec<Place>>();
        let latest = generator.subschema_for::<LatestText>();
        let split = generator.subschema_for::<SplitText>();
        schemars::json_schema!({ "anyOf": [one, many, latest, split] })
    }
}

/// What says that a record is deleted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tombstone {
    /// Where it stands.
    pub(crate) at: Place,
    /// What stands there then; true where nothing is said.
    pub(crate) equals: Vec<String>,
}

written! {
    /// What says that a record is deleted.
    struct TombstoneText {
        /// Where it stands.
        at: Place,
        /// What stands there then.
        equals: Vec<Scalar>,
    }
}

impl Written for Tombstone {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if let Content::Table(_) = node.value {
            let TombstoneText { at, equals } = TombstoneText::read(node, reader)?;
            let equals = equals.iter().map(Scalar::text).collect();
            return Some(Self { at, equals });
        }
        let at = Place::read(node, reader)?;
        let equals = vec!["true".to_owned()];
        Some(Self { at, equals })
    }
}

impl JsonSchema for Tombstone {
    fn schema_name() -> Cow<'static, str> {
        "Tombstone".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let flag = generator.subschema_for::<Place>();
        let table = generator.subschema_for::<TombstoneText>();
        schemars::json_schema!({ "anyOf": [flag, table] })
    }
}
