//! Whether requests say what they must, and fill in nothing that there is not.

use super::super::operations::{
    ActionText, Call, ChangesText, CreateText, DeleteText, DeletionsText, FindText, ListText, ReadText,
    Safety, SinceText, Style, UpdateText,
};
use super::super::pages::Paging;
use super::super::place::Place;
use super::super::record::RecordText;
use super::super::template::{Body, Template};
use super::super::times::{AS_FORM, Source};
use crate::rest::form::Moments;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use tandem_merge::config::node::At;
use tandem_merge::config::suggestion;
use tandem_merge::config::written::{Reader, Table};

/// What a next page is asked by.
const PAGES: [&str; 4] = ["cursor", "page", "offset", "after"];

/// The requests of a record type under check.
pub(super) struct Calls<'a, 'r> {
    reader: &'a mut Reader<'r>,
    /// The names of its properties.
    properties: &'a [String],
    /// What the type fills in by names of its own.
    own: Option<&'a BTreeMap<String, Json>>,
}

impl<'a, 'r> Calls<'a, 'r> {
    pub(super) fn new(reader: &'a mut Reader<'r>, properties: &'a [String]) -> Self {
        Self {
            reader,
            properties,
            own: None,
        }
    }

    /// With what the type fills in by names of its own.
    pub(super) fn with_own(self, own: &'a BTreeMap<String, Json>) -> Self {
        Self {
            own: Some(own),
            ..self
        }
    }

    /// Whether something of that name is filled in: by a name of the type's own, a part of the token, a member of the record.
    fn knows(&self, hole: &str, known: &[&str]) -> bool {
        let own = |name: &str| self.own.is_some_and(|own| own.contains_key(name));
        match hole.split_once('.') {
            Some(("own", name)) => own(name),
            Some(("token", part)) => {
                known.contains(&"token") && part.parse::<u8>().is_ok_and(|part| part > 0)
            }
            Some(("record", place)) => known.contains(&"record.") && Place::parse(place).is_ok(),
            _ => known.contains(&hole) || hole == "collection",
        }
    }

    /// Whether all that a request fills in is there to fill it.
    pub(super) fn check<T>(&mut self, what: &str, at: &At<T>, call: Call<'_>, known: &[&str]) {
        for (name, _) in &call.query.0 {
            if let Err(why) = Template::parse(&name.value) {
                let help = "Write `{{` and `}}` for braces in a name.";
                self.reader.problem(name, why, help);
            }
        }
        for hole in call.holes() {
            let value = hole.strip_prefix("value.").filter(|_| known.contains(&"values"));
            if let Some(property) = value {
                if !self.properties.iter().any(|name| name == property) {
                    let help = suggestion(property, self.properties.iter().map(String::as_str));
                    self.reader
                        .problem(at, format!("`{{{hole}}}` names no property"), help);
                }
                continue;
            }
            if !self.knows(hole, known) {
                let names = known.iter().copied().chain(["collection"]);
                let help = suggestion(hole, names);
                let message = format!("nothing is filled in for `{{{hole}}}` in `{what}`");
                self.reader.problem(at, message, help);
            }
        }
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
        let elsewhere = call
            .holes()
            .into_iter()
            .any(|hole| hole == "id" || hole.starts_with("record."));
        if !named && !elsewhere {
            let message = format!("the request of `{what}` does not name the record");
            self.reader.problem(
                at,
                message,
                "Write `{id}` into the path, such as `/contacts/{id}`.",
            );
        }
    }

    fn paging(&mut self, call: Call<'_>, paging: Option<&At<Paging>>, place: &At<()>) {
        let wanted = match paging.map(|paging| &paging.value) {
            None => {
                let named = PAGES.into_iter().find(|hole| call.takes(hole));
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
        self.check("list", list, call, &PAGES);
        self.paging(call, list.value.paging.as_ref(), &list.with(()));
    }

    pub(super) fn changes(&mut self, changes: &At<ChangesText>, list: &ListText, record: &RecordText) {
        let known: Vec<&str> = PAGES.into_iter().chain(["since"]).collect();
        let all = changes.value.over(list);
        let call = all.call();
        self.check("changes", changes, call, &known);
        self.paging(call, all.paging.as_ref(), &changes.with(()));
        self.needs(changes, call, "since", "without it all records are changes");
        self.since(changes.value.since.as_ref(), &changes.with(()));
        let newest = changes.value.since.as_ref().and_then(|since| since.from);
        if newest == Some(Source::Newest) && record.modified.is_none() {
            let help = "Add `modified:` to `record:`, or write `from: clock`.";
            self.reader
                .problem(changes, "nothing says when a record was changed", help);
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
        self.paging(call, deletions.value.paging.as_ref(), &deletions.with(()));
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
            self.check("many", &many.request, many.call(), &["ids"]);
            self.needs(
                &many.request,
                many.call(),
                "ids",
                "nothing says which records are read",
            );
        }
    }

    pub(super) fn find(&mut self, find: &At<FindText>) {
        let call = find.value.call();
        let known: Vec<&str> = PAGES.into_iter().chain(["property", "value", "values"]).collect();
        self.check("find", find, call, &known);
        if !call.takes("values") {
            self.needs(find, call, "value", "nothing says what is looked for");
        }
        self.paging(call, find.value.paging.as_ref(), &find.with(()));
        for property in find.value.properties.iter().flatten() {
            if !self.properties.contains(&property.value) {
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
        match create.value.safe.as_ref().map(|safe| (safe, safe.value)) {
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
        let full = update
            .value
            .style
            .as_ref()
            .is_some_and(|style| style.value == Style::Full);
        let known: &[&str] = if full {
            &["id", "token", "values", "record", "record."]
        } else {
            &["id", "token", "values", "record."]
        };
        self.check("update", update, call, known);
        self.in_path("update", update, call);
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
