//! The lines that a program and Tandem exchange: one JSON object each, in UTF-8, ended by a line feed.
//!
//! Tandem asks `{"ask": 7, "do": "read", ...}`, the program answers `{"ask": 7, ...}` in any order, or
//! `{"ask": 7, "error": {"kind": "down", "message": "...", "advice": "..."}}` where it cannot. By itself it may say
//! `{"changed": true}`: changes wait to be asked for.

use crate::http::json::{self, count, flag, text, texts};
use crate::{
    Error, ErrorKind, Identification, Outcome, PropertySchema, Protection, Refusal, RefusalKind, Scope,
    TypeSchema,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use tandem_merge::record::{Observation, Presence, RecordKey, RecordType, Values, Version};
use tandem_merge::value::Value;

/// The version of the protocol that is spoken here.
pub(super) const PROTOCOL: u32 = 1;

/// What a program says of itself and of the system that it speaks for.
#[derive(Clone, Debug)]
pub(super) struct Hello {
    pub(super) identification: Identification,
    /// What protects records of every type that does not say otherwise.
    pub(super) usual: Protection,
    /// It tells changes since a cursor; else its records are listed and compared.
    pub(super) changes: bool,
    /// Requests it works on at once.
    pub(super) at_once: usize,
    /// The longest time after which what was committed is shown.
    pub(super) commit_delay: SignedDuration,
}

impl Hello {
    /// Reads the answer to `hello`, or says what of it is wrong.
    pub(super) fn read(answer: &Json) -> Result<Self, String> {
        if answer.get("protocol").and_then(Json::as_u64) != Some(u64::from(PROTOCOL)) {
            return Err(format!(
                "it does not answer `hello` with `\"protocol\": {PROTOCOL}`"
            ));
        }
        let id = text(answer, "system").filter(|id| !id.is_empty());
        let id = id.ok_or("its answer to `hello` has no `system`, the name that never changes")?;
        let can = answer.get("can").unwrap_or(&Json::Null);
        let named = |name| text(answer, name).map(str::to_owned);
        Ok(Self {
            identification: Identification {
                id: id.to_owned(),
                name: named("name").unwrap_or_else(|| id.to_owned()),
                user: named("user").unwrap_or_else(|| "its program".to_owned()),
                author: named("author"),
                sandbox: None,
                instance: None,
                version: None,
            },
            usual: protection(can, Protection::default()),
            changes: flag(can, "changes"),
            at_once: count(can, "at_once").map_or(1, |many| many.clamp(1, 64) as usize),
            commit_delay: SignedDuration::from_secs(count(can, "commit_delay").map_or(0, i64::from)),
        })
    }
}

/// What `can` says of writes: `conditional_write`, an update that names a version is carried out only if the record still has it;
/// `conditional_delete`, the same of deletions; `idempotent_create`, a create with a key that it saw before makes nothing. What is not
/// said is as usual.
fn protection(can: &Json, usual: Protection) -> Protection {
    let said = |name| can.get(name).and_then(Json::as_bool);
    let write = said("conditional_write");
    Protection {
        conditional_write: write.unwrap_or(usual.conditional_write),
        conditional_delete: said("conditional_delete")
            .or(write)
            .unwrap_or(usual.conditional_delete),
        idempotent_create: said("idempotent_create").unwrap_or(usual.idempotent_create),
        ..usual
    }
}

/// A record type as the program describes it.
#[derive(Clone, Debug)]
pub(super) struct Type {
    pub(super) name: String,
    pub(super) schema: TypeSchema,
    /// The properties that are read.
    pub(super) shown: Vec<String>,
    /// What protects its records.
    pub(super) can: Protection,
}

impl Type {
    /// Reads one entry of the answer to `describe`.
    pub(super) fn read(name: &str, json: &Json, used: Option<&Vec<String>>, usual: Protection) -> Self {
        let described = json.get("properties").and_then(Json::as_object);
        let properties: BTreeMap<String, PropertySchema> = described
            .into_iter()
            .flatten()
            .map(|(name, json)| (name.clone(), property(json)))
            .collect();
        let may = |what| json.get(what).and_then(Json::as_bool).unwrap_or(true);
        let shown = properties
            .keys()
            .filter(|name| used.is_none_or(|used| used.contains(name)));
        Self {
            name: name.to_owned(),
            shown: shown.cloned().collect(),
            can: protection(json.get("can").unwrap_or(&Json::Null), usual),
            schema: TypeSchema {
                object: name.to_owned(),
                watched: None,
                createable: may("create"),
                updateable: may("update"),
                deletable: may("delete"),
                properties,
            },
        }
    }

    /// The record that the program shows; none where it does not say whose state it is.
    pub(super) fn observation(&self, system: &str, record: &Json, began: Timestamp) -> Option<Observation> {
        let id = match record.get("id")? {
            Json::String(id) if !id.is_empty() => id.clone(),
            Json::Number(id) => id.to_string(),
            _ => return None,
        };
        let nothing = Observation {
            key: RecordKey::new(system, &self.name, id),
            presence: Presence::Missing,
            values: Values::new(),
            version: None,
            created: moment(record, "created"),
            author: text(record, "author").map(str::to_owned),
            read_began: began,
            partial: false,
            protected: flag(record, "protected"),
            merged_into: text(record, "merged_into").map(str::to_owned),
            unreadable: BTreeMap::new(),
        };
        if flag(record, "missing") {
            return Some(nothing);
        }
        let deleted = flag(record, "deleted");
        let shown = record.get("values").unwrap_or(&Json::Null);
        let (mut values, mut unreadable) = (Values::new(), BTreeMap::new());
        for name in self.shown.iter().filter(|_| !deleted) {
            let data_type = &self.schema.properties[name].data_type;
            match json::read(shown.get(name), data_type, decode) {
                Ok(value) => drop(values.insert(name.clone(), value)),
                Err(why) => drop(unreadable.insert(name.clone(), why)),
            }
        }
        Some(Observation {
            presence: if deleted {
                Presence::Deleted
            } else {
                Presence::Alive
            },
            version: Some(version(record, &values, began)),
            values,
            unreadable,
            ..nothing
        })
    }
}

/// Which state a record is in. Without a version of its own it is known by its values; without a time of its own it may
/// have been edited until the read that showed it.
fn version(record: &Json, values: &Values, began: Timestamp) -> Version {
    let order = record.get("version").and_then(Json::as_i64);
    let token = match record.get("version") {
        Some(Json::String(token)) => Some(token.clone()),
        Some(Json::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    Version {
        order,
        modified: moment(record, "modified").unwrap_or(began),
        firm: token.is_some(),
        coarse: jiff::SignedDuration::ZERO,
        token: token.unwrap_or_else(|| crate::shown::token(&serde_json::to_vec(values).unwrap_or_default())),
    }
}

fn moment(record: &Json, name: &str) -> Option<Timestamp> {
    text(record, name)?.parse().ok()
}

fn property(json: &Json) -> PropertySchema {
    let read_only = flag(json, "read_only");
    PropertySchema {
        data_type: text(json, "type").unwrap_or("string").to_owned(),
        max_length: count(json, "max_length").map(|length| length as usize),
        precision: count(json, "precision"),
        scale: count(json, "scale"),
        nillable: !flag(json, "required"),
        createable: !read_only,
        updateable: !read_only && !flag(json, "create_only"),
        filled_on_create: read_only || flag(json, "filled"),
        unique: flag(json, "unique"),
        values: texts(json, "values"),
        references: texts(json, "references"),
    }
}

/// A value of that data type; text where the type says nothing else. None: it is not of that type.
fn decode(data_type: &str, json: &Json) -> Option<Value> {
    match (data_type, json) {
        (_, Json::Null) => Some(Value::Blank),
        ("integer", Json::Number(number)) => number.as_i64().map(Value::Integer),
        ("decimal", Json::Number(number)) => json::decimal(number).map(Value::Decimal),
        ("decimal", Json::String(text)) => text.parse().ok().map(Value::Decimal),
        ("boolean", Json::Bool(yes)) => Some(Value::Boolean(*yes)),
        ("date", Json::String(text)) => text.parse().ok().map(Value::Date),
        ("datetime", Json::String(text)) => text.parse().ok().map(Value::DateTime),
        ("integer" | "decimal" | "boolean" | "date" | "datetime", _) => None,
        (_, Json::String(text)) => Some(Value::text(text)),
        _ => None,
    }
}

/// Values as the program is given them.
pub(super) fn encoded(values: &Values) -> Json {
    let members = values
        .iter()
        .map(|(name, value)| (name.clone(), json::encode(value)));
    Json::Object(members.collect::<Map<_, _>>())
}

/// What the answer to a write says; `read` makes an observation of the record in it.
pub(super) fn outcome(
    answer: &Json,
    id: Option<&str>,
    read: impl Fn(&Json) -> Option<Observation>,
) -> Outcome {
    if flag(answer, "stale") {
        return Outcome::Stale;
    }
    if flag(answer, "gone") {
        return Outcome::Gone;
    }
    if let Some(refused) = answer.get("refused").filter(|refused| !refused.is_null()) {
        return Outcome::Refused(refusal(refused));
    }
    if let Some(why) = text(answer, "unknown") {
        return Outcome::Unknown(why.to_owned());
    }
    // What says nothing that is known here says not that it was done.
    let Some(state) = answer.get("record").and_then(read) else {
        let what = "the program's answer shows no record, and says not what became of the write";
        return Outcome::Unknown(what.to_owned());
    };
    if id.is_some_and(|id| id != state.key.id) {
        return Outcome::Unknown(format!(
            "the program answers with another record, {}",
            state.key.id
        ));
    }
    Outcome::Applied {
        id: state.key.id.clone(),
        state: (state.presence == Presence::Alive).then(|| Box::new(state)),
    }
}

fn refusal(json: &Json) -> Refusal {
    let kind = text(json, "kind").unwrap_or("invalid");
    let (kind, advice) = match kind {
        "duplicate" => (
            RefusalKind::Duplicate,
            "Another record holds the value: link to that one, or change one of the two",
        ),
        "bad-reference" => (RefusalKind::BadReference, "Let it refer to a record that exists"),
        "forbidden" => (
            RefusalKind::Forbidden,
            "Let an ERP administrator give Tandem's user the right to do this",
        ),
        "locked" => (RefusalKind::Locked, "Open the record again, or leave it as it is"),
        "limit" => (RefusalKind::Limit, "Let an ERP administrator raise the limit"),
        "busy" => (RefusalKind::Busy, "It is tried again by itself"),
        "invalid" => (RefusalKind::Invalid, "Correct the record, then retry"),
        _ => (
            RefusalKind::Unclear,
            "Let the author of the program look why it answers so, then retry",
        ),
    };
    Refusal {
        kind,
        properties: texts(json, "properties"),
        message: text(json, "message")
            .unwrap_or("the program gives no reason")
            .to_owned(),
        advice: text(json, "advice").unwrap_or(advice).to_owned(),
    }
}

/// The trouble that an answer tells of; none where it tells of none.
pub(super) fn trouble(system: &str, answer: &Json) -> Option<Error> {
    let json = answer.get("error").filter(|error| !error.is_null())?;
    let (kind, advice) = match text(json, "kind").unwrap_or("protocol") {
        "down" => (ErrorKind::Down, "It is tried again by itself"),
        "sign-in" => (ErrorKind::SignIn, "Check the secrets in the configuration"),
        "refused" => (ErrorKind::Refused, "Let an ERP administrator allow it, or wait"),
        "missing" => (ErrorKind::Missing, "Correct the configuration"),
        _ => (
            ErrorKind::Protocol,
            "Let the author of the program look why it answers so",
        ),
    };
    let seconds = json.get("retry_after").and_then(Json::as_u64);
    let seconds = seconds.and_then(|seconds| i64::try_from(seconds).ok());
    let error = Error {
        system: system.to_owned(),
        kind,
        message: text(json, "message")
            .unwrap_or("its program gives no reason")
            .trim_end_matches('.')
            .to_owned(),
        advice: text(json, "advice").unwrap_or(advice).to_owned(),
        retry_at: seconds.and_then(|wait| {
            crate::http::clock::now()
                .checked_add(SignedDuration::from_secs(wait))
                .ok()
        }),
        scope: Scope::System,
    };
    Some(match kind {
        ErrorKind::Down | ErrorKind::SignIn => error,
        _ => error.as_answer(),
    })
}

/// The names of record types as the program is asked about them.
pub(super) fn names(types: &[RecordType]) -> Vec<&str> {
    types.iter().map(|of| of.name.as_str()).collect()
}
