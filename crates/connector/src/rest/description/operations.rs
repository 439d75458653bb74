//! What is asked of an ERP: requests, with where things stand in the replies.

use super::jobs::JobText;
use super::pages::Paging;
use super::place::Place;
use super::requests::{Line, is_token, operation};
use super::template::{Body, Template};
use super::times::{Granularity, Source, Span};
use super::words::words;
use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;
use tandem_merge::config::node::{At, Content, Node};
use tandem_merge::config::written::{Reader, Scalar, Table, Written};
use tandem_merge::written;

operation! {
    /// How the records of a type are listed, page by page.
    struct ListText {
        /// Where the records stand in the reply.
        items: Option<Place>,
        /// How the next page is asked for; without it there is one page.
        paging: Option<At<Paging>>,
        /// Where the reply says when it was read, by the ERP's clock.
        clock: Option<Place>,
        /// The list does not show all properties: each record is read by its id.
        partial: Option<bool>,
        /// A query shows so many records at most, and is asked for in parts of the time.
        window: Option<At<WindowText>>,
    }
}

written! {
    /// A query that shows so many records at most. It is asked for in parts of the time, from `{since}` until `{until}`, each
    /// with fewer; a moment that holds more is read on by key, behind `{after}`.
    struct WindowText {
        /// As many as a query shows.
        at_most: At<u32>,
        /// The ERP compares with `less or equal` to `{until}`, rather than with `less`.
        inclusive: Option<bool>,
        /// What `{after}` is where no key is to be left out yet; left out itself where nothing is said.
        first: Option<Scalar>,
        /// How both moments are written; as under `changes` where nothing is said.
        since: Option<SinceText>,
    }
}

written! {
    /// How changes are asked for: as the list, and with what is written here besides.
    struct ChangesText {
        /// Method and path, where they are others than the list's.
        request: Option<At<Line>>,
        /// Parameters besides the list's; `{since}` is the moment from which on changes are wanted.
        query: Option<Table<At<Template>>>,
        /// Headers besides the list's.
        headers: Option<Table<At<Template>>>,
        /// The body, where it is another than the list's.
        body: Option<At<Body>>,
        /// Where the records stand, if elsewhere than in the list.
        items: Option<Place>,
        /// How the next page is asked for, if otherwise than in the list.
        paging: Option<At<Paging>>,
        /// Where the reply says when it was read.
        clock: Option<Place>,
        /// A query shows so many records at most, if otherwise than the list.
        window: Option<At<WindowText>>,
        /// How the moment is written.
        since: Option<SinceText>,
        /// A reply names what changes are asked for by the next time.
        delta: Option<At<DeltaText>>,
    }
}

written! {
    /// A full listing ends with a link, which shows what changed since, and ends with the next such link.
    struct DeltaText {
        /// Where the link stands in the last page.
        link: Place,
        /// What says that an entry is a record that was removed.
        removed: Option<Vec<RemovedText>>,
        /// Where such an entry names the record by its address, if it does not show the id.
        address: Option<Vec<Place>>,
        /// Reasons that say that the record was deleted; with any other it is looked at again. Deleted where no reason is told.
        deleted: Option<Vec<String>>,
    }
}

written! {
    /// What says that an entry is a record that was removed.
    struct RemovedText {
        /// Something stands there.
        at: Place,
        /// It holds this text.
        contains: Option<String>,
        /// Where the entry says why.
        reason: Option<Place>,
    }
}

written! {
    /// How `{since}` is written, and how far it may be trusted.
    struct SinceText {
        /// Its form; `form` writes it as `forms: datetime` says.
        format: Option<At<String>>,
        /// The zone of a form without one.
        zone: Option<At<String>>,
        /// The least difference of two times that the ERP tells apart.
        granularity: Option<Granularity>,
        /// The ERP compares with `greater` rather than with `greater or equal`.
        exclusive: Option<bool>,
        /// So much of the past is read again besides the connection's overlap: changes show so late.
        lag: Option<Span>,
        /// What the moment is taken from.
        from: Option<Source>,
        /// Further back than this the ERP tells of no changes: then all is listed.
        reach: Option<Span>,
    }
}

operation! {
    /// A list of what was deleted.
    struct DeletionsText {
        /// Where the entries stand in the reply.
        items: Option<Place>,
        /// How the next page is asked for.
        paging: Option<At<Paging>>,
        /// Where an entry names the record.
        id: Option<Place>,
        /// Where an entry says when the record was deleted.
        at: Option<Place>,
        /// How `{since}` is written.
        since: Option<SinceText>,
    }
}

operation! {
    /// How one record is read by its `{id}`.
    struct ReadText {
        /// Where the record stands in the reply.
        record: Option<Place>,
        /// Statuses that say that the record was deleted. What is not to be found otherwise is out of sight, not deleted.
        gone: Option<Vec<u32>>,
        /// What a reply says that shows no record; without it such a reply is a mistake.
        empty: Option<Empty>,
        /// Where `null`, nothing or an empty list stands if there is no such record, although the status is one of success.
        absent: Option<Place>,
        /// What is asked about a record that is not there: an entry in the reply proves that it was deleted.
        gone_if: Option<GoneText>,
        /// How several are read at once.
        many: Option<ManyText>,
    }
}

operation! {
    /// A list of what was deleted that is asked about the record `{id}`.
    struct GoneText {
        /// Where the entries stand in the reply.
        items: Option<Place>,
    }
}

operation! {
    /// How several records are read by their `{ids}`.
    struct ManyText {
        /// Where the records stand in the reply.
        items: Option<Place>,
        /// How the next page is asked for.
        paging: Option<At<Paging>>,
        /// So many at most.
        at_most: Option<u32>,
        /// `{matches}` is so long at most, in characters of the address.
        longest: Option<u32>,
    }
}

operation! {
    /// How live records are found by a value: `{property}` and `{value}`, or several `{values}`.
    struct FindText {
        /// Where the records stand in the reply.
        items: Option<Place>,
        /// How the next page is asked for.
        paging: Option<At<Paging>>,
        /// So many values at most.
        at_most: Option<u32>,
        /// `{matches}` is so long at most, in characters of the address.
        longest: Option<u32>,
        /// The properties that may be asked for; all where nothing is said.
        properties: Option<Vec<At<String>>>,
        /// A filter that the ERP does not know is ignored: it shows all records.
        ignores_unknown: Option<bool>,
    }
}

operation! {
    /// How a record is created with `{values}`.
    struct CreateText {
        /// Members besides the values.
        also: Option<Table<Body>>,
        /// Where the record stands in the reply, if it shows it.
        record: Option<Place>,
        /// Where the new id stands in the reply, if it shows no record.
        id: Option<Place>,
        /// What keeps a create that is sent twice from making two records.
        safe: Option<At<Safe>>,
        /// It may be taken for later.
        job: Option<JobText>,
    }
}

operation! {
    /// How a record is changed.
    struct UpdateText {
        /// Which of its values are sent.
        style: Option<At<Style>>,
        /// Members besides the values.
        also: Option<Table<Body>>,
        /// Members of the record that are not sent back, where all of it is.
        omit: Option<Vec<Place>>,
        /// The part of what a read shows that is sent back as `{dataset}`, with `style: dataset`; all of it where nothing is said.
        dataset: Option<At<Place>>,
        /// Headers of a change that goes without `{token}`, in place of those with one.
        unconditional: Option<Table<At<Template>>>,
        /// Where the record's new state stands in the reply, if it shows it.
        record: Option<Place>,
        /// It may be taken for later.
        job: Option<JobText>,
    }
}

operation! {
    /// How a record is deleted.
    struct DeleteText {
        /// Headers of a deletion that goes without `{token}`, in place of those with one.
        unconditional: Option<Table<At<Template>>>,
        /// It may be taken for later.
        job: Option<JobText>,
    }
}

operation! {
    /// A step that a record takes by a request of its own, in place of a value that is written.
    struct ActionText {
        /// The property whose value stands for the step.
        property: At<String>,
        /// That value.
        becomes: At<String>,
        /// Where the record's new state stands in the reply, if it shows it.
        record: Option<Place>,
    }
}

words! {
    /// What a reply to a read says that shows no record.
    enum Empty {
        /// The record was deleted: what is hidden is answered otherwise.
        Deleted = "deleted",
        /// It is not to be seen; nobody knows why.
        Missing = "missing",
    }
}

words! {
    /// What keeps a create that is sent twice from making two records.
    enum Safety {
        /// The same `{key}` is answered with the same record.
        IdempotencyKey = "idempotency-key",
        /// The key is part of the address, and a second create there is refused.
        KeyInUrl = "key-in-url",
        /// The second one changes what the other one made.
        Upsert = "upsert",
        /// A value that the ERP refuses to have twice.
        Unique = "unique",
        /// Nothing: the record is looked for before.
        None = "none",
    }
}

/// How long a key is known again, where nothing is said.
const KEY_LIFE: SignedDuration = SignedDuration::from_hours(24);

/// What keeps a create that is sent twice from making two records, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Safe {
    pub(crate) safety: Safety,
    /// How long the ERP knows a key again.
    life: SignedDuration,
}

impl Safe {
    /// For how long a create that is sent again makes nothing new; none where it does at once.
    pub(crate) fn lasts(self) -> Option<SignedDuration> {
        match self.safety {
            Safety::IdempotencyKey => Some(self.life),
            Safety::KeyInUrl => Some(SignedDuration::MAX),
            Safety::Upsert | Safety::Unique | Safety::None => None,
        }
    }
}

impl Written for Safe {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let life = KEY_LIFE;
        let Content::Table(_) = &node.value else {
            return Safety::read(node, reader).map(|safety| Self { safety, life });
        };
        let (safety, table) = (Safety::IdempotencyKey, Table::<Span>::read(node, reader)?);
        match table.0.as_slice() {
            [(name, life)] if name.value == safety.word() => Some(Self { safety, life: life.0 }),
            _ => {
                let help = "Write `safe: { idempotency-key: 24h }`, with how long a key is known again.";
                reader.problem(node, "this table says nothing of what keeps a create safe", help);
                None
            }
        }
    }
}

impl JsonSchema for Safe {
    fn schema_name() -> Cow<'static, str> {
        "Safe".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (word, life) = (
            generator.subschema_for::<Safety>(),
            generator.subschema_for::<Span>(),
        );
        let key = Safety::IdempotencyKey.word();
        json_schema!({ "anyOf": [word, {
            "type": "object",
            "properties": { key: life },
            "required": [key],
            "additionalProperties": false,
        }] })
    }
}

words! {
    /// Which values of a record are sent when it is changed.
    enum Style {
        /// Those that change.
        Partial = "partial",
        /// All: the record is read, changed, and written back.
        Full = "full",
        /// All that a read shows around the record, too: a set of data whose rows say what becomes of them.
        Dataset = "dataset",
    }
}

impl ChangesText {
    /// The request for changes: the list's, with what is written for changes laid over it.
    pub(crate) fn over(&self, list: &ListText) -> ListText {
        let joined = |own: &Option<Table<At<Template>>>, lists: &Option<Table<At<Template>>>| {
            // Who says another request says all of it.
            let kept = lists
                .as_ref()
                .filter(|_| self.request.is_none())
                .map(|table| table.0.as_slice());
            let own = own.as_ref().map(|table| table.0.as_slice()).unwrap_or_default();
            let said = |name: &str| own.iter().any(|(known, _)| known.value == name);
            let kept = kept
                .unwrap_or_default()
                .iter()
                .filter(|(name, _)| !said(&name.value));
            Some(Table(kept.chain(own).cloned().collect()))
        };
        let lists = self.request.is_none();
        ListText {
            request: self.request.clone().unwrap_or_else(|| list.request.clone()),
            query: joined(&self.query, &list.query),
            headers: joined(&self.headers, &list.headers),
            body: self.body.clone().or_else(|| list.body.clone().filter(|_| lists)),
            items: self.items.clone().or_else(|| list.items.clone()),
            paging: self.paging.clone().or_else(|| list.paging.clone()),
            clock: self.clock.clone().or_else(|| list.clock.clone()),
            partial: list.partial,
            window: self.window.clone().or_else(|| list.window.clone()),
        }
    }
}

impl ReadText {
    /// Whether a read of one record can say that it was deleted.
    pub(crate) fn proves_deletions(&self) -> bool {
        self.gone.is_some() || self.gone_if.is_some() || self.empty == Some(Empty::Deleted)
    }

    /// Whether a reply says that there is no such record.
    pub(crate) fn shows_absence(&self, body: &serde_json::Value) -> bool {
        self.absent.as_ref().is_some_and(|place| match place.of(body) {
            Some(serde_json::Value::Array(entries)) => entries.is_empty(),
            shown => shown.is_none_or(serde_json::Value::is_null),
        })
    }
}

impl UpdateText {
    /// A change goes only if the record is in the state that was seen.
    pub(crate) fn sends_token(&self) -> bool {
        self.holes().into_iter().any(is_token)
    }

    /// The names of all that is filled in.
    pub(crate) fn holes(&self) -> Vec<&str> {
        let also = self.also.iter().flat_map(|also| &also.0);
        let texts = also.flat_map(|(_, body)| body.texts());
        let mut holes: Vec<&str> = texts.flat_map(Template::holes).collect();
        holes.extend(self.call().holes());
        holes
    }
}
