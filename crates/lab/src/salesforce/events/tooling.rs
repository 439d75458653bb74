//! The channel's members as the Tooling API shows them: `/tooling/sobjects/PlatformEventChannelMember` and `/tooling/query`.

use serde_json::{Map, Value as Json, json};

use super::avro::event_name;
use super::members::{Member, STANDARD};
use super::statement::Statement;
use crate::salesforce::api::{Call, Caller, Reply};
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::id::RecordId;
use crate::salesforce::org::Org;

const OBJECT: &str = "PlatformEventChannelMember";

/// Answers what lies below `/tooling`.
pub(crate) fn tooling(org: &mut Org, caller: &Caller, call: &Call, rest: &[&str]) -> Outcome<Reply> {
    if !caller.actor.admin {
        return Err(Fault::new(
            Code::InsufficientAccess,
            "the Tooling API needs the permission Customize Application",
        ));
    }
    match (call.method.as_str(), rest) {
        ("GET", ["query"]) => query(org, caller, call),
        ("POST", ["sobjects", OBJECT]) => create(org, call),
        ("GET" | "HEAD", ["sobjects", OBJECT, id]) => {
            let member = find(org, id)?;
            Ok(Reply::ok(row(caller, member)))
        }
        ("DELETE", ["sobjects", OBJECT, id]) => {
            let id = find(org, id)?.id;
            org.events.members.remove(id);
            Ok(Reply::empty(204))
        }
        ("PATCH", ["sobjects", OBJECT, id]) => {
            find(org, id)?;
            Err(Fault::new(
                Code::InvalidFieldForInsertUpdate,
                "Unable to create/update fields: EventChannel, SelectedEntity. Delete the member and create another.",
            ))
        }
        // The org tracks no source: its tracker is not there, as in every org that does not track.
        (_, ["sobjects", "SourceMember", ..]) => Err(Fault::not_found()),
        (method, ["query"] | ["sobjects", OBJECT, ..]) => {
            Err(Fault::method_not_allowed(method, "GET,POST,DELETE"))
        }
        _ => Err(Fault::new(
            Code::NotImplemented,
            format!(
                "of the Tooling API the local org has {OBJECT} alone, not /tooling/{}: see docs/local-org.md",
                rest.join("/")
            ),
        )),
    }
}

fn find<'o>(org: &'o Org, id: &str) -> Outcome<&'o Member> {
    let id = RecordId::parse(id).map_err(|_| Fault::not_found())?;
    let mut list = org.events.members.list().iter();
    list.find(|member| member.id == id).ok_or_else(Fault::not_found)
}

fn create(org: &mut Org, call: &Call) -> Outcome<Reply> {
    let body = call.object()?;
    let text = |of: &Map<String, Json>, name: &str| of.get(name).and_then(Json::as_str).map(str::to_owned);
    let missing = |name: &str| {
        Fault::of_field(
            Code::RequiredFieldMissing,
            name,
            format!("Required fields are missing: [{name}]"),
        )
    };
    let metadata = body.get("Metadata").and_then(Json::as_object);
    let metadata = metadata.ok_or_else(|| missing("Metadata"))?;
    let channel = text(metadata, "eventChannel").ok_or_else(|| missing("EventChannel"))?;
    let entity = text(metadata, "selectedEntity").ok_or_else(|| missing("SelectedEntity"))?;
    let name = text(&body, "FullName").ok_or_else(|| missing("FullName"))?;
    if channel != STANDARD {
        return Err(Fault::of_field(
            Code::InvalidCrossReferenceKey,
            "EventChannel",
            format!("no channel is called {channel}: the local org has {STANDARD} alone"),
        ));
    }
    if entity_of_event(&entity).is_none() {
        return Err(Fault::of_field(
            Code::InvalidPicklistValue,
            "SelectedEntity",
            format!("Selected Entity: bad value for restricted picklist field: {entity}"),
        ));
    }
    let id = org.select_for_events(&entity, Some(&name))?;
    Ok(Reply::created(
        json!({ "id": id.to_string(), "success": true, "errors": [], "warnings": [], "infos": [] }),
    ))
}

fn entity_of_event(name: &str) -> Option<String> {
    super::avro::entity_name(name).filter(|entity| event_name(entity) == name)
}

fn row(caller: &Caller, member: &Member) -> Json {
    let selected = event_name(&member.entity);
    json!({
        "attributes": {
            "type": OBJECT,
            "url": format!("{}/tooling/sobjects/{OBJECT}/{}", caller.base, member.id),
        },
        "Id": member.id.to_string(),
        "DeveloperName": member.name,
        "MasterLabel": member.name,
        "FullName": member.name,
        "EventChannel": STANDARD,
        "SelectedEntity": selected,
        "Metadata": { "eventChannel": STANDARD, "selectedEntity": selected, "enrichedFields": [], "filterExpression": null },
    })
}

/// `SELECT ... FROM PlatformEventChannelMember`, with conditions of equality alone.
fn query(org: &Org, caller: &Caller, call: &Call) -> Outcome<Reply> {
    let text = call
        .parameter("q")
        .ok_or_else(|| Fault::new(Code::MalformedQuery, "A query string has to be specified"))?;
    let statement = Statement::parse(text)?;
    if !statement.from.eq_ignore_ascii_case(OBJECT) {
        return Err(Fault::new(
            Code::InvalidType,
            format!(
                "sObject type '{}' is not supported: the local org's Tooling API has {OBJECT} alone",
                statement.from
            ),
        ));
    }
    let mut rows = Vec::new();
    for member in org.events.members.list() {
        rows.extend(statement.project(&row(caller, member))?);
    }
    rows.truncate(statement.limit.unwrap_or(usize::MAX));
    Ok(Reply::ok(json!({
        "size": rows.len(),
        "totalSize": rows.len(),
        "done": true,
        "queryLocator": null,
        "entityTypeName": OBJECT,
        "records": rows,
    })))
}
