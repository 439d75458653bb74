//! The REST API: from a call to a reply, without HTTP.

mod batch;
mod changes;
mod collections;
mod composite;
mod entity_tag;
mod graph;
mod limits;
mod query;
mod related;
mod resources;
mod rows;
mod search;
mod tree;

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

use super::bulk;
use super::deploy;
use super::events;
use super::fault::{Code, Fault, Outcome};
use super::org::{Actor, Org, Origin};
use super::schema::ObjectIndex;

pub(crate) use rows::{Upserted, upsert};

/// The first version of the API that there was, and the newest one.
const FIRST: u32 = 7;
pub(crate) const NEWEST: u32 = 68;

/// The versions that an org answers: older ones are retired.
pub(crate) fn versions(org: &Org) -> std::ops::RangeInclusive<u32> {
    org.options.oldest_version..=NEWEST
}

/// A call: one HTTP request, or a subrequest of a composite.
#[derive(Debug, Clone, Default)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// The decoded parts of the path.
    pub(crate) path: Vec<String>,
    pub(crate) parameters: Vec<(String, String)>,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Call {
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The access token of the request.
    pub(crate) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        let known = scheme.eq_ignore_ascii_case("Bearer") || scheme.eq_ignore_ascii_case("OAuth");
        known.then_some(token.trim())
    }

    /// Splits an address of the form `/path?parameters`.
    pub(crate) fn locate(&mut self, address: &str) {
        let (path, parameters) = address.split_once('?').unwrap_or((address, ""));
        self.path = path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(percent_decode)
            .collect();
        self.parameters = url::form_urlencoded::parse(parameters.as_bytes())
            .into_owned()
            .collect();
    }

    /// The body as a JSON object.
    pub(crate) fn object(&self) -> Outcome<Map<String, Json>> {
        let media = self.header("content-type").unwrap_or("application/json");
        if !media.to_ascii_lowercase().contains("json") {
            return Err(Fault::new(
                Code::UnsupportedMediaType,
                format!("Content-Type header specified in HTTP request is not supported: {media}"),
            ));
        }
        serde_json::from_slice(&self.body).map_err(|error| Fault::new(Code::JsonParser, error.to_string()))
    }
}

fn percent_decode(part: &str) -> String {
    // A plus is a plus in a path; only parameters read it as a space.
    let kept = part.replace('+', "%2B");
    url::form_urlencoded::parse(kept.as_bytes())
        .next()
        .map_or_else(String::new, |(name, _)| match name {
            Cow::Borrowed(text) => text.to_owned(),
            Cow::Owned(text) => text,
        })
}

/// What a call is answered with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Json>,
    /// Another body than JSON, with its media type.
    pub(crate) raw: Option<(&'static str, Bytes)>,
}

impl Reply {
    pub(crate) fn ok(body: Json) -> Reply {
        Reply {
            status: 200,
            body: Some(body),
            ..Reply::default()
        }
    }

    /// Lines of comma-separated values.
    pub(crate) fn csv(lines: Vec<u8>) -> Reply {
        Reply {
            status: 200,
            raw: Some(("text/csv;charset=UTF-8", Bytes::from(lines))),
            ..Reply::default()
        }
    }

    pub(crate) fn created(body: Json) -> Reply {
        Reply {
            status: 201,
            ..Reply::ok(body)
        }
    }

    pub(crate) fn empty(status: u16) -> Reply {
        Reply {
            status,
            ..Reply::default()
        }
    }

    pub(crate) fn with(mut self, name: &str, value: String) -> Reply {
        self.headers.push((name.to_owned(), value));
        self
    }
}

impl From<Fault> for Reply {
    fn from(fault: Fault) -> Reply {
        Reply {
            status: fault.code.status(),
            ..Reply::ok(json!([fault.rest()]))
        }
    }
}

/// Who calls, and under which version.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) actor: Actor,
    /// `/services/data/vNN.0`.
    pub(crate) base: String,
}

impl Caller {
    /// The version of the API that is called, without its `.0`.
    pub(crate) fn version(&self) -> u32 {
        let number = self
            .base
            .rsplit_once('v')
            .and_then(|(_, text)| text.strip_suffix(".0"));
        number.and_then(|number| number.parse().ok()).unwrap_or_default()
    }
}

/// Answers a call below `/services/data`: one API call, whatever it carries.
pub(crate) fn data(org: &mut Org, call: &Call) -> Reply {
    let reply = answer(org, call).unwrap_or_else(Reply::from);
    org.commit();
    reply.with("Sforce-Limit-Info", org.calls.header())
}

fn answer(org: &mut Org, call: &Call) -> Outcome<Reply> {
    let below: Vec<&str> = call.path.iter().skip(2).map(String::as_str).collect();
    let Some((version, resource)) = below.split_first() else {
        return Ok(Reply::ok(resources::versions(org)));
    };
    let base = base_of(org, version)?;
    let user = call
        .bearer()
        .and_then(|token| org.sessions.user(token, org.now()))
        .filter(|user| org.is_active(*user));
    let Some(user) = user else {
        return Err(Fault::new(Code::InvalidSession, "Session expired or invalid"));
    };
    let (kind, object) = kind_of(&call.method, resource);
    org.calls.count(kind, object)?;
    let client = call
        .header("sforce-call-options")
        .and_then(client_of)
        .unwrap_or_default();
    let number = version.trim_start_matches('v');
    org.events
        .set_origin(format!("com/salesforce/api/rest/{number};client={client}"));
    let caller = Caller {
        actor: org.actor(user, Origin::Api),
        base,
    };
    match resource {
        ["composite"] => return composite::run(org, &caller, call),
        ["composite", "batch"] => return batch::run(org, &caller, call),
        ["composite", "graph"] => return graph::run(org, &caller, call),
        ["composite", "tree", object] => return tree::run(org, &caller, call, object),
        ["jobs", "ingest", rest @ ..] => return bulk::ingest(org, &caller, call, rest),
        ["jobs", "query", rest @ ..] => return bulk::query(org, &caller, call, rest),
        _ => {}
    }
    dispatch(org, &caller, call, resource)
}

/// The client that `Sforce-Call-Options: client=NAME, defaultNamespace=...` names.
fn client_of(options: &str) -> Option<&str> {
    options.split(',').find_map(|option| {
        let (name, value) = option.split_once('=')?;
        name.trim().eq_ignore_ascii_case("client").then(|| value.trim())
    })
}

fn base_of(org: &Org, version: &str) -> Outcome<String> {
    let number = version
        .strip_prefix('v')
        .and_then(|text| text.strip_suffix(".0"))
        .and_then(|text| text.parse().ok());
    let known = versions(org);
    match number {
        Some(number) if known.contains(&number) => Ok(format!("/services/data/v{number}.0")),
        Some(number) if (FIRST..*known.start()).contains(&number) => Err(Fault::new(
            Code::Gone,
            format!(
                "API version v{number}.0 is retired. Please use v{}.0 and above",
                known.start()
            ),
        )),
        _ => Err(Fault::not_found()),
    }
}

/// Whether a call is for one of Salesforce's APIs beside the ones that are here.
pub(crate) fn is_elsewhere(call: &Call) -> bool {
    let second = call.path.get(1).map(String::as_str);
    match call.path.first().map(String::as_str) {
        Some("cometd") => true,
        Some("services") => !matches!(second, Some("data" | "Soap" | "oauth2")),
        _ => false,
    }
}

/// The refusal of a call for another API.
pub(crate) fn elsewhere(call: &Call) -> Fault {
    let parts: Vec<&str> = call.path.iter().map(String::as_str).collect();
    left_out(&parts)
}

/// Answers one resource: of a call, or of a subrequest. What reads, reads as the caller's profile may.
fn dispatch(org: &mut Org, caller: &Caller, call: &Call, resource: &[&str]) -> Outcome<Reply> {
    let reads = matches!(call.method.as_str(), "GET" | "HEAD")
        || matches!(
            (call.method.as_str(), resource),
            ("POST", ["composite", "sobjects", _] | ["parameterizedSearch"])
        );
    if reads {
        return org.seen_as(caller.actor, |org| resource_of(org, caller, call, resource));
    }
    resource_of(org, caller, call, resource)
}

fn resource_of(org: &mut Org, caller: &Caller, call: &Call, resource: &[&str]) -> Outcome<Reply> {
    match resource {
        [] => only(call, "GET", || Ok(Reply::ok(resources::list(&caller.base)))),
        ["limits"] => only(call, "GET", || Ok(Reply::ok(limits::limits(org)))),
        ["limits", "recordCount"] => only(call, "GET", || {
            Ok(Reply::ok(limits::record_count(org, call.parameter("sObjects"))))
        }),
        ["sobjects"] => only(call, "GET", || {
            resources::unless_known(org, call, || resources::global(org, &caller.base))
        }),
        ["search"] => search::search(org, caller, call),
        ["parameterizedSearch"] => search::parameterized(org, caller, call),
        ["recent"] => only(call, "GET", || Ok(Reply::ok(json!([])))),
        ["query" | "queryAll", rest @ ..] => query::query(org, caller, call, resource[0] == "queryAll", rest),
        ["composite", "sobjects", rest @ ..] => collections::run(org, caller, call, rest),
        ["sobjects", object, rest @ ..] => {
            let object = org.object_named(object)?;
            sobject(org, caller, call, object, rest)
        }
        ["tooling", rest @ ..] => events::tooling(org, caller, call, rest),
        ["metadata", "deployRequest", rest @ ..] => deploy::rest(org, caller, call, rest),
        [
            "jobs"
            | "analytics"
            | "actions"
            | "process"
            | "chatter"
            | "metadata"
            | "wave"
            | "ui-api"
            | "theme"
            | "tabs"
            | "quickActions"
            | "appMenu"
            | "graphql"
            | "async-queries"
            | "commerce"
            | "compactLayouts"
            | "connect"
            | "consent"
            | "dedupe"
            | "domino"
            | "emailConnect"
            | "event"
            | "eventSchema"
            | "folders"
            | "iot"
            | "jsonxform"
            | "knowledgeManagement"
            | "licensing"
            | "localizedvalue"
            | "mobile"
            | "payments"
            | "payroll"
            | "platformEventSchema"
            | "prechatForms"
            | "query-plan"
            | "scheduling"
            | "smartdatadiscovery"
            | "support"
            | "limits"
            | "search",
            ..,
        ]
        | ["composite", ..] => Err(left_out(resource)),
        _ => Err(Fault::not_found()),
    }
}

fn sobject(
    org: &mut Org,
    caller: &Caller,
    call: &Call,
    object: ObjectIndex,
    rest: &[&str],
) -> Outcome<Reply> {
    match rest {
        [] => rows::collection(org, caller, call, object),
        ["describe"] => only(call, "GET", || {
            resources::unless_known(org, call, || resources::describe(org, object, &caller.base))
        }),
        ["describe", ..]
        | [
            "listviews" | "quickActions" | "defaultValues" | "eventSchema" | "layouts",
            ..,
        ] => Err(left_out(&[&["sobjects"], rest].concat())),
        ["updated"] => only(call, "GET", || changes::updated(org, caller, call, object)),
        ["deleted"] => only(call, "GET", || changes::deleted(org, caller, call, object)),
        ["Id" | "id"] if call.method == "POST" => rows::create_new(org, caller, call, object),
        [id] => rows::row(org, caller, call, object, id),
        [field, value] if org.schema.object(object).find(field).is_some() => {
            rows::by_key(org, caller, call, object, field, value)
        }
        [id, names @ ..] => {
            let id = rows::own_id(org, object, id)?;
            related::related(org, caller, call, (object, id), names)
        }
    }
}

/// The refusal of what Salesforce has and the local org has not.
fn left_out(resource: &[&str]) -> Fault {
    Fault::new(
        Code::NotImplemented,
        format!(
            "the local org does not answer /{}: see docs/local-org.md for what it does",
            resource.join("/")
        ),
    )
}

fn only(call: &Call, method: &str, work: impl FnOnce() -> Outcome<Reply>) -> Outcome<Reply> {
    if call.method == method || (call.method == "HEAD" && method == "GET") {
        work()
    } else {
        Err(Fault::method_not_allowed(&call.method, method))
    }
}

/// How the book of calls names a call, and the object in its address.
fn kind_of<'c>(method: &str, resource: &[&'c str]) -> (&'static str, Option<&'c str>) {
    match resource {
        ["composite"] => ("composite", None),
        ["composite", "batch"] => ("composite_batch", None),
        ["composite", "graph"] => ("composite_graph", None),
        ["composite", "tree", object] => ("composite_tree", Some(object)),
        ["composite", "sobjects", object @ ..] => {
            let kind = match (method, object.len()) {
                ("POST", 0) => "collection_create",
                ("PATCH", 0) => "collection_update",
                ("PATCH", _) => "collection_upsert",
                ("DELETE", _) => "collection_delete",
                _ => "collection_read",
            };
            (kind, object.first().copied())
        }
        ["query" | "queryAll"] => ("query", None),
        ["query" | "queryAll", ..] => ("query_more", None),
        ["search" | "parameterizedSearch"] => ("search", None),
        ["sobjects"] => ("describe_global", None),
        ["sobjects", object, "describe"] => ("describe", Some(object)),
        ["sobjects", object, "updated"] => ("updated", Some(object)),
        ["sobjects", object, "deleted"] => ("deleted", Some(object)),
        ["sobjects", object, rest @ ..] => {
            let kind = match (method, rest.len()) {
                ("POST", _) => "create",
                ("PATCH", 2) => "upsert",
                ("PATCH", _) => "update",
                ("DELETE", _) => "delete",
                _ => "read",
            };
            (kind, Some(object))
        }
        ["limits"] => ("limits", None),
        ["jobs", kind, ..] => (
            if *kind == "query" {
                "bulk_query"
            } else {
                "bulk_ingest"
            },
            None,
        ),
        ["tooling", ..] => ("tooling", None),
        ["metadata", ..] => ("metadata", None),
        _ => ("other", None),
    }
}
