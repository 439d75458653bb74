//! One request to a service: what it names, what it asks, and the answer.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value as Json, json};

use super::exchange::{Answer, Call};
use super::lies::Lies;
use super::model::{EntitySet, Model, PropertyIndex, Service, SetIndex, Version};
use super::path::{Address, Resource, resolve};
use super::query::{Options, Query};
use super::refusal::Refusal;
use super::render::{Detail, Writer, etag};
use super::store::{Entity, Store};
use super::value::Form;
use super::{batch, listing, metadata, write};
use crate::clock::Clock;

/// What requests read and change.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) lies: Lies,
    /// By how many milliseconds late lies are late.
    pub(crate) lateness: i64,
    /// Delta tokens of another start have another mark.
    pub(crate) epoch: String,
    /// Delta tokens before that change have expired.
    pub(crate) oldest_token: u64,
}

/// A client speaking with a service.
pub(crate) struct Talk<'a> {
    pub(crate) model: &'a Model,
    pub(crate) service: &'a Service,
    pub(crate) clock: &'a Clock,
    /// The service's root as the client called it.
    pub(crate) root: String,
    pub(crate) user: String,
    pub(crate) seed: u64,
    pub(crate) settings: Settings,
}

/// How a service pages and batches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) page_size: usize,
    pub(crate) links: super::options::Links,
    pub(crate) batch_most: usize,
}

impl Talk<'_> {
    /// Carries out a request.
    pub(crate) fn answer(&self, state: &mut State, call: &Call) -> Answer {
        let outcome = self.tunnelled(call).and_then(|call| self.carry_out(state, &call));
        let answer = outcome.unwrap_or_else(|refusal| Answer::refused(&refusal, self.service.version));
        let version = match self.service.version {
            Version::V4 if speaks_4_0(call) => ("odata-version", "4.0"),
            Version::V4 => ("odata-version", "4.01"),
            Version::V2 => ("dataserviceversion", "2.0"),
        };
        answer.with(version.0, version.1)
    }

    /// A POST that stands for another method.
    fn tunnelled(&self, call: &Call) -> Result<Call, Refusal> {
        let mut call = call.clone();
        let name = call.header("x-http-method").to_owned();
        if call.method == Method::POST && !name.is_empty() {
            if !["MERGE", "PATCH", "PUT", "DELETE"].contains(&name.as_str()) {
                return Err(Refusal::bad(format!("X-HTTP-Method cannot be {name}.")));
            }
            call.method = Method::from_bytes(name.as_bytes())
                .map_err(|_| Refusal::bad("X-HTTP-Method is no method."))?;
        }
        Ok(call)
    }

    fn carry_out(&self, state: &mut State, call: &Call) -> Result<Answer, Refusal> {
        self.check_versions(call)?;
        let options = Options::read(&call.query)?;
        let resource = resolve(self.model, self.service, &state.store, &call.path)?;
        if !matches!(
            resource,
            Resource::Metadata | Resource::Batch | Resource::Property(_, _, true) | Resource::Count(_)
        ) {
            accepts_json(call, &options)?;
        }
        let reads = matches!(call.method, Method::GET | Method::HEAD);
        match resource {
            Resource::Document if reads => Ok(self.document()),
            Resource::Metadata if reads => Ok(metadata::answer(self.model, self.service)),
            Resource::Batch if call.method == Method::POST => batch::answer(self, state, call),
            Resource::Batch => Err(Refusal::method("POST")),
            Resource::Collection(collection) if reads => {
                listing::answer(self, state, call, &collection, &options)
            }
            Resource::Collection(collection) if call.method == Method::POST => {
                write::create(self, state, call, &collection)
            }
            Resource::Collection(_) => Err(Refusal::method("GET, POST")),
            Resource::Count(collection) if reads => listing::count(self, state, &collection, &options),
            Resource::Entity(address) if reads => self.entity(state, call, &address, &options),
            Resource::Entity(address) => self.changed(state, call, &address),
            Resource::Property(address, property, raw) if reads => {
                self.property(state, call, &address, property, raw)
            }
            Resource::Property(..) => Err(Refusal::left_out("Changing one property by its own address")),
            Resource::Nothing if reads && self.service.version == Version::V4 => {
                Ok(Answer::empty(StatusCode::NO_CONTENT))
            }
            Resource::Nothing => Err(Refusal::not_found("This way leads to nothing.")),
            Resource::Document | Resource::Metadata | Resource::Count(_) => Err(Refusal::method("GET")),
        }
    }

    fn changed(&self, state: &mut State, call: &Call, address: &Address) -> Result<Answer, Refusal> {
        match (call.method.as_str(), self.service.version) {
            ("PATCH", _) | ("MERGE", Version::V2) => write::update(self, state, call, address, false),
            ("PUT", _) => write::update(self, state, call, address, true),
            ("DELETE", _) => write::delete(self, state, call, address),
            (_, Version::V2) => Err(Refusal::method("GET, MERGE, PATCH, PUT, DELETE")),
            (_, Version::V4) => Err(Refusal::method("GET, PATCH, PUT, DELETE")),
        }
    }

    fn check_versions(&self, call: &Call) -> Result<(), Refusal> {
        let (name, known) = match self.service.version {
            Version::V4 => ("odata-version", &["", "4.0", "4.01"][..]),
            Version::V2 => ("dataserviceversion", &["", "1.0", "2.0"][..]),
        };
        // v2 allows words after the number, apart by a semicolon.
        let said = call.header(name).split(';').next().unwrap_or_default().trim();
        if known.contains(&said) {
            return Ok(());
        }
        Err(Refusal::bad(format!(
            "The version {said} of OData is not spoken here."
        )))
    }

    fn document(&self) -> Answer {
        let sets = self.service.sets.iter().map(|set| &self.model.sets[*set]);
        let names = sets.filter(|set| !set.contained).map(|set| set.name.as_str());
        let body = match self.service.version {
            Version::V4 => {
                let sets = names.map(|name| json!({ "name": name, "kind": "EntitySet", "url": name }));
                let sets: Vec<Json> = sets.collect();
                json!({ "@odata.context": format!("{}/$metadata", self.root), "value": sets })
            }
            Version::V2 => json!({ "d": { "EntitySets": names.collect::<Vec<_>>() } }),
        };
        Answer::json(StatusCode::OK, &body)
    }

    /// Reads one entity.
    fn entity(
        &self,
        state: &State,
        call: &Call,
        address: &Address,
        options: &Options,
    ) -> Result<Answer, Refusal> {
        let query = options.query(self.model, self.service, &self.model.sets[address.set])?;
        let entity = self.live(state, address)?;
        let tag = etag(&entity, &state.lies);
        if matches_tag(call.header("if-none-match"), &tag) {
            return Ok(Answer::empty(StatusCode::NOT_MODIFIED).with("etag", &tag));
        }
        let object = self.shown(state, call, address, &entity, &query);
        Ok(self.with_body(StatusCode::OK, object, call).with("etag", &tag))
    }

    pub(crate) fn live(&self, state: &State, address: &Address) -> Result<Arc<Entity>, Refusal> {
        let found = state.store.live(address.set, &address.key);
        let found = found.filter(|entity| address.holds(&entity.values));
        found.cloned().ok_or_else(|| address.missing(self.model))
    }

    /// One entity as the body of an answer.
    pub(crate) fn shown(
        &self,
        state: &State,
        call: &Call,
        address: &Address,
        entity: &Entity,
        query: &Query,
    ) -> Json {
        let writer = self.writer(state, call);
        let mut object = writer.entity(address.set, entity, query, &address.path);
        if self.service.version == Version::V2 {
            return json!({ "d": object });
        }
        if writer.detail != Detail::None {
            let collection = address.path.rsplit_once('(').map_or("", |(before, _)| before);
            let set = &self.model.sets[address.set];
            let context = self.context(set, collection, query);
            object.insert("@odata.context".to_owned(), format!("{context}/$entity").into());
        }
        Json::Object(object)
    }

    /// The context address of entities of a set that lie at this path.
    pub(crate) fn context(&self, set: &EntitySet, path: &str, query: &Query) -> String {
        let place = if set.contained { path } else { set.name.as_str() };
        let mut context = format!("{}/$metadata#{place}", self.root);
        if let Some(select) = &query.select {
            let names = select
                .iter()
                .map(|property| set.properties[*property].name.as_str());
            context.push_str(&format!("({})", names.collect::<Vec<_>>().join(",")));
        }
        context
    }

    fn property(
        &self,
        state: &State,
        call: &Call,
        address: &Address,
        property: PropertyIndex,
        raw: bool,
    ) -> Result<Answer, Refusal> {
        let entity = self.live(state, address)?;
        let definition = &self.model.sets[address.set].properties[property];
        let value = &entity.values[property];
        if raw && *value == super::value::Value::Null {
            return Err(Refusal::not_found(format!("{} is null.", definition.name)));
        }
        if raw {
            return Ok(Answer::text(
                StatusCode::OK,
                "text/plain;charset=utf-8",
                value.plain(),
            ));
        }
        let json = value.write(definition.kind, self.form(call.header("accept")));
        let mut object = Map::new();
        match self.service.version {
            Version::V4 if json.is_null() => return Ok(Answer::empty(StatusCode::NO_CONTENT)),
            Version::V4 => {
                let context = format!("{}/$metadata#{}/{}", self.root, address.path, definition.name);
                object.insert("@odata.context".to_owned(), context.into());
                object.insert("value".to_owned(), json);
            }
            Version::V2 => {
                object.insert("d".to_owned(), json!({ definition.name.as_str(): json }));
            }
        }
        Ok(Answer::json(StatusCode::OK, &Json::Object(object)))
    }

    pub(crate) fn writer<'a>(&'a self, state: &'a State, call: &Call) -> Writer<'a> {
        let accept = call.header("accept");
        let detail = match accept {
            _ if accept.contains("metadata=none") => Detail::None,
            _ if accept.contains("metadata=full") => Detail::Full,
            _ => Detail::Minimal,
        };
        Writer {
            model: self.model,
            service: self.service,
            store: &state.store,
            lies: &state.lies,
            root: &self.root,
            form: self.form(accept),
            detail,
        }
    }

    /// The form of values by a media type.
    pub(crate) fn form(&self, media: &str) -> Form {
        let as_text = media.to_ascii_lowercase().contains("ieee754compatible=true");
        Form {
            version: self.service.version,
            numbers_as_text: self.service.version == Version::V2 || as_text,
        }
    }

    /// An answer with a JSON body that says in its media type what the client asked for.
    pub(crate) fn with_body(&self, status: StatusCode, body: Json, call: &Call) -> Answer {
        let mut answer = Answer::json(status, &body);
        if self.service.version == Version::V4 {
            let accept = call.header("accept");
            let detail = ["none", "full"]
                .into_iter()
                .find(|detail| accept.contains(&format!("metadata={detail}")));
            let mut media = format!("application/json;odata.metadata={}", detail.unwrap_or("minimal"));
            if self.form(accept).numbers_as_text {
                media.push_str(";IEEE754Compatible=true");
            }
            answer.headers.remove("content-type");
            answer = answer.with("content-type", &media);
        }
        answer
    }

    /// The collection's set.
    pub(crate) fn set(&self, set: SetIndex) -> &EntitySet {
        &self.model.sets[set]
    }
}

/// Whether the client asked for answers of 4.0, where 4.01 would say some things otherwise.
pub(crate) fn speaks_4_0(call: &Call) -> bool {
    call.header("odata-maxversion").trim() == "4.0"
}

/// Whether one of the entity tags of a header is this one; `*` is any.
pub(crate) fn matches_tag(header: &str, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let mut tags = header.split(',').map(str::trim);
    tags.any(|given| given == "*" || (!given.is_empty() && opaque(given) == opaque(tag)))
}

fn accepts_json(call: &Call, options: &Options) -> Result<(), Refusal> {
    let accept = options
        .get("$format")
        .unwrap_or_else(|| call.header("accept"))
        .to_ascii_lowercase();
    let taken = ["", "json", "*/*", "application/*", "application/json"];
    let mut media = accept
        .split(',')
        .map(|media| media.split(';').next().unwrap_or_default().trim());
    if media.any(|media| taken.contains(&media)) {
        return Ok(());
    }
    let message = format!("This service speaks application/json, not {accept}.");
    Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, "NotAcceptable", message))
}
