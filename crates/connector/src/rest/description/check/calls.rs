//! Whether requests say what they must, and fill in nothing that there is not.

mod lists;
mod several;

use super::super::batches::{BatchForm, BatchText};
use super::super::operations::{
    ActionText, CreateText, DeleteText, Empty, FindText, ReadText, Safety, Style, UpdateText,
};
use super::super::place::Place;
use super::super::push::{ExistingText, PushText, UnsubscribeText};
use super::super::record::RecordText;
use super::super::requests::Call;
use super::super::template::{Body, Template};
use crate::rest::language::{Language, member};
use tandem_merge::config::node::At;
use tandem_merge::config::suggestion;
use tandem_merge::config::written::{Reader, Table};

/// What every request of a record type may hold.
const OF_THE_TYPE: [&str; 3] = ["collection", "fields", "ways"];
/// What a next page is asked by.
const PAGES: [&str; 4] = ["cursor", "page", "offset", "after"];

/// The requests of a record type under check.
pub(super) struct Calls<'a, 'r> {
    reader: &'a mut Reader<'r>,
    /// The names of its properties.
    properties: &'a [String],
    /// The names of its own holes.
    fill: &'a [&'a str],
    /// The language of filters and keys.
    language: Option<Language>,
    /// The members of a record's id.
    key: Vec<String>,
    /// So many parts name a record's state.
    token_parts: usize,
}

impl<'a, 'r> Calls<'a, 'r> {
    pub(super) fn new(reader: &'a mut Reader<'r>, properties: &'a [String], fill: &'a [&'a str]) -> Self {
        Self {
            reader,
            properties,
            fill,
            language: None,
            key: Vec::new(),
            token_parts: 0,
        }
    }

    /// With the language of filters, and what names a record and its state.
    pub(super) fn speaking(self, language: Option<Language>, record: &RecordText) -> Self {
        let members = record.id.iter().flat_map(|id| &id.value.0).map(member);
        Self {
            language,
            key: members.collect(),
            token_parts: record.token.as_ref().map_or(0, |token| token.value.0.len()),
            ..self
        }
    }

    /// Whether something of that name is filled in: by the type itself, a part of the token, a member of the record.
    fn knows(&self, hole: &str, known: &[&str]) -> bool {
        match hole.split_once('.') {
            Some(("token", part)) => {
                known.contains(&"token") && part.parse::<u8>().is_ok_and(|part| part > 0)
            }
            Some(("record", place)) => known.contains(&"record.") && Place::parse(place).is_ok(),
            _ => known.contains(&hole) || OF_THE_TYPE.contains(&hole),
        }
    }

    /// Whether all that a request fills in is there to fill it.
    pub(super) fn check<T>(&mut self, what: &str, at: &At<T>, call: Call<'_>, known: &[&str]) {
        if call.writes_literals() && self.language.is_none() {
            let help = "Add `filters: odata-v4`, or write `quoted` where a text stands in quotes.";
            self.reader.problem(
                at,
                format!("nothing says how literals are written in `{what}`"),
                help,
            );
        }
        for (name, _) in &call.query.0 {
            if let Err(why) = Template::parse(&name.value) {
                let help = "Write `{{` and `}}` for braces in a name.";
                self.reader.problem(name, why, help);
            }
        }
        for hole in call.holes() {
            if self.in_filters(what, at, hole, known) {
                continue;
            }
            let value = hole.strip_prefix("value.").filter(|_| known.contains(&"values"));
            if let Some(property) = value {
                if !self.properties.iter().any(|name| name == property) {
                    let help = suggestion(property, self.properties.iter().map(String::as_str));
                    self.reader
                        .problem(at, format!("`{{{hole}}}` names no property"), help);
                }
                continue;
            }
            if let Some(own) = hole.strip_prefix("fill.") {
                if !self.fill.contains(&own) {
                    let help = format!("Add `fill: {{ {own}: ... }}` to the record type.");
                    self.reader
                        .problem(at, format!("nothing says what `{{{hole}}}` stands for"), help);
                }
                continue;
            }
            if !self.knows(hole, known) {
                let names = known.iter().copied().chain(OF_THE_TYPE);
                let help = suggestion(hole, names);
                let message = format!("nothing is filled in for `{{{hole}}}` in `{what}`");
                self.reader.problem(at, message, help);
            }
        }
        self.apart(what, call.plain(), known);
    }

    /// Whether a hole is one that only a language of filters fills, or a member of the id.
    fn in_filters<T>(&mut self, what: &str, at: &At<T>, hole: &str, known: &[&str]) -> bool {
        let words: &[&str] = match what {
            "list" => &["select", "expand", "order", "behind"],
            "changes" => &["select", "expand", "order", "behind", "changed"],
            "find" | "many" => &["select", "expand", "matches"],
            "read" => &["select", "expand"],
            _ => &[],
        };
        if words.contains(&hole) {
            if self.language.is_none() {
                let message = format!("nothing says how `{{{hole}}}` is written in `{what}`");
                self.reader
                    .problem(at, message, "Add `filters: odata-v4`, the language of filters.");
            }
            return true;
        }
        let member = hole.strip_prefix("id.").filter(|_| known.contains(&"id"));
        member.is_some_and(|member| self.key.iter().any(|known| known == member))
    }

    fn needs<T>(&mut self, at: &At<T>, call: Call<'_>, hole: &str, why: &str) {
        if !call.takes(hole) {
            let message = format!("`{{{hole}}}` is missing: {why}");
            self.reader
                .problem(at, message, format!("Write `{{{hole}}}` where it belongs."));
        }
    }

    fn in_path<T>(&mut self, what: &str, at: &At<T>, call: Call<'_>) {
        let line = &call.line.value;
        let named = line
            .path
            .holes()
            .any(|hole| hole == "id" || hole.starts_with("value."));
        let in_parts = |hole: &&str| hole.starts_with("id.") || hole.starts_with("record.");
        let elsewhere = call.takes("id") || call.holes().iter().any(in_parts);
        if !named && !elsewhere {
            let message = format!("the request of `{what}` does not name the record");
            let help = match self.has_parts() {
                true => self.in_members(),
                false => "Write `{id}` into the path, such as `/contacts/{id}`.".to_owned(),
            };
            self.reader.problem(at, message, help);
        }
    }

    /// The request that carries others.
    pub(super) fn batch(&mut self, batch: &At<BatchText>) {
        let text = &batch.value;
        self.check("batch", batch, text.call(), &[]);
        let multipart = text.form == Some(BatchForm::Multipart);
        match (&text.each, multipart) {
            (None, false) => {
                let help = "Add `each: { method: \"{method}\", path: \"{path}\", headers: \"{headers}\", body: \"{body}\" }`.";
                self.reader
                    .problem(batch, "nothing says how a request stands in a batch", help);
            }
            (Some(each), true) => {
                let help = "Take `each` out, or write `form: json`.";
                self.reader
                    .problem(each, "parts of `multipart` have a form of their own", help);
            }
            (Some(each), false) => self.each(each),
            (None, true) => {}
        }
    }

    fn each(&mut self, each: &At<Body>) {
        const KNOWN: [&str; 6] = ["method", "path", "relative", "headers", "body", "number"];
        let holes: Vec<&str> = each.value.texts().into_iter().flat_map(Template::holes).collect();
        for hole in holes.iter().filter(|hole| !KNOWN.contains(hole)) {
            let message = format!("nothing is filled in for `{{{hole}}}` in `each`");
            self.reader.problem(each, message, suggestion(hole, KNOWN));
        }
        let takes = |names: &[&str]| holes.iter().any(|hole| names.contains(hole));
        if !takes(&["method"]) || !takes(&["path", "relative"]) || !takes(&["body"]) {
            let help = "Write `{method}`, `{path}` or `{relative}`, and `{body}` where each belongs.";
            self.reader
                .problem(each, "a request in a batch does not say what is done", help);
        }
    }

    pub(super) fn read(&mut self, read: &At<ReadText>) {
        let call = read.value.call();
        self.check("read", read, call, &["id"]);
        self.in_path("read", read, call);
        if read.value.empty == Some(Empty::Deleted) && read.value.absent.is_some() {
            let help = "Take `absent:` out: `empty: deleted` says that a reply without a record proves a deletion. Or write `empty: missing`.";
            let message = "`absent` takes a reply without a record for one that is out of sight, and `empty` for a deletion";
            self.reader.problem(read, message, help);
        }
        if let Some(proof) = &read.value.gone_if {
            self.check("gone_if", &proof.request, proof.call(), &["id"]);
            self.in_path("gone_if", &proof.request, proof.call());
        }
        if let Some(many) = &read.value.many {
            let known: Vec<&str> = PAGES.into_iter().chain(["ids"]).collect();
            self.check("many", &many.request, many.call(), &known);
            if !many.call().takes("matches") {
                self.needs(
                    &many.request,
                    many.call(),
                    "ids",
                    "nothing says which records are read",
                );
            }
            self.paging(many.call(), many.paging.as_ref(), &many.request.with(()), &[]);
        }
    }

    /// `as_all`: it stands under `defaults`, where properties may be named that only other types have.
    pub(super) fn find(&mut self, find: &At<FindText>, as_all: bool) {
        let call = find.value.call();
        let known: Vec<&str> = PAGES.into_iter().chain(["property", "value", "values"]).collect();
        self.check("find", find, call, &known);
        if !call.takes("values") && !call.takes("matches") {
            self.needs(find, call, "value", "nothing says what is looked for");
        }
        self.paging(call, find.value.paging.as_ref(), &find.with(()), &[]);
        for property in find.value.properties.iter().flatten() {
            if !as_all && !self.properties.contains(&property.value) {
                let help = suggestion(&property.value, self.properties.iter().map(String::as_str));
                self.reader.problem(
                    property,
                    format!("there is no property `{}`", property.value),
                    help,
                );
            }
        }
    }

    pub(super) fn create(&mut self, create: &At<CreateText>) {
        let call = create.value.call();
        self.check("create", create, call, &["values", "key"]);
        if create.value.record.is_none() && create.value.id.is_none() {
            let help = "Add `record: .` where the reply shows the record, or `id:` with the place of its id.";
            self.reader
                .problem(create, "nothing says which record a create made", help);
        }
        match create.value.safe.as_ref().map(|safe| (safe, safe.value.safety)) {
            Some((at, Safety::IdempotencyKey)) => {
                self.needs(at, call, "key", "it is what makes a create known again");
            }
            Some((at, Safety::KeyInUrl))
                if !call
                    .line
                    .value
                    .path
                    .holes()
                    .any(|hole| hole.starts_with("value.") || hole == "key") =>
            {
                let help = "Write the property into the path: `PUT /customers/{value.number}`.";
                self.reader
                    .problem(at, "the address of a create holds no key", help);
            }
            _ => {}
        }
        self.also("create", create.value.also.as_ref(), create, &["key"]);
    }

    fn also<T>(&mut self, what: &str, also: Option<&Table<Body>>, at: &At<T>, known: &[&str]) {
        let texts = also
            .into_iter()
            .flat_map(|also| &also.0)
            .flat_map(|(_, body)| body.texts());
        let unknown = |hole: &&str| !self.knows(hole, known);
        let holes: Vec<&str> = texts.flat_map(Template::holes).filter(unknown).collect();
        for hole in holes {
            let help = suggestion(hole, known.iter().copied());
            self.reader.problem(
                at,
                format!("nothing is filled in for `{{{hole}}}` in `also`"),
                help,
            );
        }
        let plain = also
            .into_iter()
            .flat_map(|also| &also.0)
            .flat_map(|(name, body)| {
                let texts = body.texts().into_iter();
                texts.flat_map(|text| text.plain().map(|hole| (name.with(()), hole.to_owned())))
            });
        self.apart(what, plain.collect(), known);
    }

    /// A token that is sent must be shown by the record.
    fn token<T>(&mut self, at: &At<T>, sends: bool, record: &RecordText) {
        if sends && record.token.is_none() {
            let help = "Add `token:` to `record:` with the place of the ETag or version, or leave the condition out.";
            self.reader.problem(
                at,
                "`{token}` is sent, and nothing says where a record shows it",
                help,
            );
        }
    }

    pub(super) fn update(&mut self, update: &At<UpdateText>, record: &RecordText) {
        let call = update.value.call();
        let style = update
            .value
            .style
            .as_ref()
            .map_or(Style::Partial, |style| style.value);
        let full = style != Style::Partial;
        let known: &[&str] = match style {
            Style::Partial => &["id", "token", "values", "record."],
            Style::Full => &["id", "token", "values", "record", "record."],
            Style::Dataset => &["id", "token", "values", "dataset", "record."],
        };
        if let (Some(place), true) = (&update.value.dataset, style != Style::Dataset) {
            let help = "Take `dataset:` out, or write `style: dataset`.";
            self.reader
                .problem(place, "only a set of data that is read before is sent back", help);
        }
        self.check("update", update, call, known);
        // A set of data names its record itself.
        if style != Style::Dataset {
            self.in_path("update", update, call);
        }
        let known = ["id", "token", "record."];
        self.also("update", update.value.also.as_ref(), update, &known);
        self.token(update, update.value.sends_token(), record);
        if let (false, Some(_)) = (full, &update.value.omit) {
            let help = "Take `omit:` out, or write `style: full`.";
            self.reader.problem(
                update,
                "only what is written back as a whole has something to omit",
                help,
            );
        }
    }

    pub(super) fn delete(&mut self, delete: &At<DeleteText>, record: &RecordText) {
        let call = delete.value.call();
        self.check("delete", delete, call, &["id", "token", "record."]);
        self.in_path("delete", delete, call);
        self.token(delete, call.sends_token(), record);
    }

    pub(super) fn push(&mut self, push: &At<PushText>) {
        const TOLD: [&str; 2] = ["address", "word"];
        const HELD: [&str; 4] = ["address", "word", "subscription", "token"];
        let subscribe = &push.value.subscribe;
        self.check("subscribe", subscribe, subscribe.value.call(), &TOLD);
        let why = "nothing says where messages go";
        self.needs(subscribe, subscribe.value.call(), "address", why);
        if let Some(existing) = &push.value.existing {
            self.existing(existing, push.value.unsubscribe.as_ref(), &TOLD);
        }
        let mut later = |what: &str, at: &At<()>, call: Call<'_>| {
            self.check(what, at, call, &HELD);
            if call.sends_token() && subscribe.value.token.is_none() {
                let help =
                    "Add `token:` to `subscribe` with the place of the ETag, or leave the condition out.";
                let message = "`{token}` is sent, and nothing says where a subscription shows it";
                self.reader.problem(at, message, help);
            }
        };
        if let Some(renew) = &push.value.renew {
            later("renew", &renew.with(()), renew.value.call());
        }
        if let Some(end) = &push.value.unsubscribe {
            later("unsubscribe", &end.with(()), end.value.call());
        }
    }

    /// The subscriptions that are there: which of them are ours, and whether they can be ended.
    fn existing(&mut self, existing: &At<ExistingText>, end: Option<&At<UnsubscribeText>>, known: &[&str]) {
        self.check("existing", existing, existing.value.call(), known);
        let ours = &existing.value.ours;
        let mut by_address = false;
        for (place, text) in &ours.value.0 {
            if let Err((message, help)) = Place::parse(&place.value) {
                self.reader.problem(place, message, help);
            }
            by_address |= text.value.holes().any(|hole| hole == "address");
            let unknown: Vec<&str> = text
                .value
                .holes()
                .filter(|hole| !self.knows(hole, known))
                .collect();
            for hole in unknown {
                let message = format!("nothing is filled in for `{{{hole}}}` in `ours`");
                self.reader
                    .problem(text, message, suggestion(hole, known.iter().copied()));
            }
        }
        if !by_address {
            let help = "Add the place of the address: `ours: { url: \"{address}\" }`.";
            self.reader
                .problem(ours, "nothing tells our subscriptions from those of others", help);
        }
        let trouble = match end {
            None => Some((
                "nothing says how a subscription that is left over is ended",
                "Add `unsubscribe:`, or take `existing:` out.",
            )),
            Some(end) if end.value.call().sends_token() && existing.value.token.is_none() => Some((
                "`{token}` is sent by `unsubscribe`, and nothing says where one that is left over shows it",
                "Add `token:` to `existing` with the place of the ETag.",
            )),
            Some(_) => None,
        };
        if let Some((what, help)) = trouble {
            self.reader.problem(existing, what, help);
        }
    }

    pub(super) fn action(&mut self, action: &At<ActionText>) {
        let call = action.value.call();
        self.check("actions", action, call, &["id", "token"]);
        self.in_path("actions", action, call);
    }
}
