//! Whether requests say what they must, and fill in nothing that there is not.

use super::super::batches::{BatchForm, BatchText};
use super::super::operations::{
    ActionText, Call, ChangesText, CreateText, DeleteText, DeletionsText, DeltaText, FindText, ListText,
    ReadText, Safety, SinceText, Style, UpdateText, WindowText,
};
use super::super::pages::Paging;
use super::super::place::Place;
use super::super::record::{Moment, RecordText};
use super::super::template::{Body, Template};
use super::super::times::{AS_FORM, Source};
use crate::rest::form::Moments;
use crate::rest::language::Language;
use tandem_merge::config::node::At;
use tandem_merge::config::suggestion;
use tandem_merge::config::written::{Reader, Table};

/// What every request of a record type may hold.
const OF_THE_TYPE: [&str; 2] = ["collection", "fields"];
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
}

impl<'a, 'r> Calls<'a, 'r> {
    pub(super) fn new(reader: &'a mut Reader<'r>, properties: &'a [String], fill: &'a [&'a str]) -> Self {
        Self {
            reader,
            properties,
            fill,
            language: None,
            key: Vec::new(),
        }
    }

    /// With the language of filters, and the members of a record's id.
    pub(super) fn speaking(self, language: Option<Language>, key: Vec<String>) -> Self {
        Self {
            language,
            key,
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
    }

    /// Whether a hole is one that only a language of filters fills, or a member of the id.
    fn in_filters<T>(&mut self, what: &str, at: &At<T>, hole: &str, known: &[&str]) -> bool {
        let words: &[&str] = match what {
            "list" => &["select", "order", "behind"],
            "changes" => &["select", "order", "behind", "changed"],
            "find" | "many" => &["select", "matches"],
            "read" => &["select"],
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
            self.reader.problem(
                at,
                message,
                "Write `{id}` into the path, such as `/contacts/{id}`.",
            );
        }
    }

    /// `known`: filled in by other means.
    fn paging(&mut self, call: Call<'_>, paging: Option<&At<Paging>>, place: &At<()>, known: &[&str]) {
        let wanted = match paging.map(|paging| &paging.value) {
            None => {
                let named = PAGES.into_iter().filter(|hole| !known.contains(hole));
                let named = named.into_iter().find(|hole| call.takes(hole));
                if let Some(hole) = named {
                    let message = format!("`{{{hole}}}` is filled in only where there are pages");
                    self.reader
                        .problem(place, message, "Add `paging: { kind: ... }`.");
                }
                return;
            }
            Some(Paging::Url(_)) => return,
            Some(Paging::Cursor(_)) => "cursor",
            Some(Paging::Page(_)) => "page",
            Some(Paging::Offset(_)) => "offset",
            Some(Paging::Keyset(_)) if call.takes("behind") => "behind",
            Some(Paging::Keyset(_)) => "after",
        };
        let at = paging.map_or_else(|| place.with(()), |paging| paging.with(()));
        self.needs(
            &at,
            call,
            wanted,
            "without it every page is the one at the beginning",
        );
    }

    pub(super) fn list(&mut self, list: &At<ListText>) {
        let call = list.value.call();
        let known: Vec<&str> = match &list.value.window {
            Some(window) => self.window(call, window, list.value.paging.as_ref()),
            None => Vec::new(),
        };
        let all: Vec<&str> = PAGES.into_iter().chain(known.iter().copied()).collect();
        self.check("list", list, call, &all);
        self.paging(call, list.value.paging.as_ref(), &list.with(()), &known);
    }

    pub(super) fn changes(&mut self, changes: &At<ChangesText>, list: &ListText, record: &RecordText) {
        let all = changes.value.over(list);
        let call = all.call();
        let filled: Vec<&str> = match &all.window {
            Some(window) => self.window(call, window, all.paging.as_ref()),
            None => Vec::new(),
        };
        let known: Vec<&str> = PAGES
            .into_iter()
            .chain(["since"])
            .chain(filled.iter().copied())
            .collect();
        self.check("changes", changes, call, &known);
        self.paging(call, all.paging.as_ref(), &changes.with(()), &filled);
        match &changes.value.delta {
            Some(delta) => {
                self.delta(delta, call, &changes.value);
                self.delta_over(delta, &all);
            }
            None if call.takes("changed") => {
                let timed = matches!(record.modified, Some(Moment::At(_)));
                if !timed {
                    let help = "Add `modified:` to `record:`, with the place of the time.";
                    let message = "nothing says by which time records were changed";
                    self.reader.problem(changes, message, help);
                }
            }
            None => self.needs(changes, call, "since", "without it all records are changes"),
        }
        self.since(changes.value.since.as_ref(), &changes.with(()));
        let newest = changes.value.since.as_ref().and_then(|since| since.from);
        if newest == Some(Source::Newest) && record.modified.is_none() {
            let help = "Add `modified:` to `record:`, or write `from: clock`.";
            self.reader
                .problem(changes, "nothing says when a record was changed", help);
        }
    }

    /// Parts of the time need both their ends; what they fill in.
    fn window(
        &mut self,
        call: Call<'_>,
        window: &At<WindowText>,
        paging: Option<&At<Paging>>,
    ) -> Vec<&'static str> {
        for hole in ["since", "until"] {
            self.needs(window, call, hole, "a part of the time has two ends");
        }
        if window.value.at_most.value < 2 {
            let help = "Write how many records a query shows at most, such as `at_most: 1000`.";
            self.reader
                .problem(&window.value.at_most, "no part shows fewer than that", help);
        }
        if let Some(paging) = paging
            && matches!(paging.value, Paging::Keyset(_))
        {
            let help =
                "Take `window:` out: a list that is read behind its last id has no end before its end.";
            self.reader
                .problem(window, "what is read by keyset needs no parts", help);
        }
        self.since(window.value.since.as_ref(), &window.with(()));
        vec!["since", "until", "after"]
    }

    /// Pages that lead to a link lead there by addresses, and show records as they are.
    fn delta_over(&mut self, delta: &At<DeltaText>, list: &ListText) {
        let counted = |paging: &At<Paging>| !matches!(paging.value, Paging::Url(_));
        if list.paging.as_ref().is_some_and(counted) {
            let help = "Write `paging: { kind: url, next: ... }`: the pages before a link are addresses as the link is.";
            self.reader.problem(
                delta,
                "a link for changes stands behind pages of another kind",
                help,
            );
        }
        if list.partial == Some(true) {
            let help = "Ask for changes by `since`, or let the list show whole records.";
            self.reader
                .problem(delta, "a link for changes shows records in part", help);
        }
    }

    /// A link stands for a moment: only one of the two is asked by.
    fn delta(&mut self, delta: &At<DeltaText>, call: Call<'_>, changes: &ChangesText) {
        if call.takes("since") || call.takes("changed") || changes.since.is_some() {
            let help = "Take `since` out: the link says from where on changes are shown.";
            self.reader
                .problem(delta, "changes are asked for by a link and by a moment", help);
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

    fn since(&mut self, since: Option<&SinceText>, place: &At<()>) {
        let Some(since) = since else {
            return;
        };
        let format = since.format.as_ref();
        let zone = since.zone.as_ref();
        let word = |at: &At<String>| at.value.clone();
        let (written, named) = (format.map(word), zone.map(word));
        if written.as_deref() == Some(AS_FORM) {
            return;
        }
        let day = since
            .granularity
            .is_some_and(|step| step.length().as_hours() >= 24);
        if let Err((which, message, help)) = Moments::read(!day, written.as_deref(), named.as_deref()) {
            let at = if which == "zone" { zone } else { format };
            self.reader
                .problem(&at.map_or_else(|| place.clone(), |at| at.with(())), message, help);
        }
    }

    pub(super) fn deletions(&mut self, deletions: &At<DeletionsText>) {
        let known: Vec<&str> = PAGES.into_iter().chain(["since"]).collect();
        let call = deletions.value.call();
        self.check("deletions", deletions, call, &known);
        self.paging(call, deletions.value.paging.as_ref(), &deletions.with(()), &[]);
        self.since(deletions.value.since.as_ref(), &deletions.with(()));
    }

    pub(super) fn read(&mut self, read: &At<ReadText>) {
        let call = read.value.call();
        self.check("read", read, call, &["id"]);
        self.in_path("read", read, call);
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
        self.also(create.value.also.as_ref(), create, &["key"]);
    }

    fn also<T>(&mut self, also: Option<&Table<Body>>, at: &At<T>, known: &[&str]) {
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
        self.also(update.value.also.as_ref(), update, &["id", "token", "record."]);
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

    pub(super) fn action(&mut self, action: &At<ActionText>) {
        let call = action.value.call();
        self.check("actions", action, call, &["id", "token"]);
        self.in_path("actions", action, call);
    }
}
