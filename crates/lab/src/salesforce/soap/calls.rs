//! The calls that are answered.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::envelope::Element;
use crate::salesforce::api::{Upserted, upsert};
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::id::RecordId;
use crate::salesforce::org::{Actor, Org};
use crate::salesforce::schema::{Kind, ObjectIndex};
use crate::salesforce::value::moment_text;
use crate::salesforce::write::{Body, repeated, repeated_id, repeated_key};

/// The most records of one call.
const MAX_RECORDS: usize = 200;
/// The most merges of one call.
const MAX_MERGES: usize = 10;

/// Carries out a call: the `result` elements of its reply.
pub(super) fn run(org: &mut Org, actor: Actor, session: &str, call: &Element) -> Outcome<Vec<Json>> {
    match call.name.as_str() {
        "merge" => each(org, call, "mergeRequests", MAX_MERGES, |org, one| {
            merge(org, actor, one)
        }),
        "undelete" => each(org, call, "ids", MAX_RECORDS, |org, one| {
            let id = parse_id(&one.text)?;
            org.undelete(actor, id).map(|()| saved(id))
        }),
        "emptyRecycleBin" => each(org, call, "ids", MAX_RECORDS, |org, one| {
            let id = parse_id(&one.text)?;
            org.purge(actor, id).map(|()| saved(id))
        }),
        "create" => each(org, call, "sObjects", MAX_RECORDS, |org, one| {
            let (object, _, body) = record(org, one)?;
            org.create(actor, object, &body).map(saved)
        }),
        "update" => {
            let twice = twice(call, "Id");
            each(org, call, "sObjects", MAX_RECORDS, |org, one| {
                let (object, id, body) = record(org, one)?;
                let id = id
                    .ok_or_else(|| Fault::new(Code::MissingArgument, "Id not specified in an update call"))?;
                if twice.contains(&id.to_string()) {
                    return Err(repeated_id(id));
                }
                org.update(actor, object, id, &body, None).map(|()| saved(id))
            })
        }
        "upsert" => {
            let key = call.text_of("externalIDFieldName").to_owned();
            let twice = twice(call, &key);
            each(org, call, "sObjects", MAX_RECORDS, |org, one| {
                let value = one.text_of(&key);
                if twice.contains(value) {
                    return Err(repeated_key(&key, value));
                }
                upsert_one(org, actor, &key, one)
            })
        }
        "delete" => each(org, call, "ids", MAX_RECORDS, |org, one| {
            let id = parse_id(&one.text)?;
            let object = org.schema.by_prefix(id.prefix()).ok_or_else(unknown)?;
            org.delete(actor, object, id, None).map(|()| saved(id))
        }),
        "getServerTimestamp" => Ok(vec![json!({ "timestamp": stamp(org.now()) })]),
        "getUserInfo" => Ok(vec![user_info(org, actor)]),
        "logout" => {
            org.sessions.revoke(session);
            Ok(Vec::new())
        }
        "invalidateSessions" => {
            for session in call.texts("sessionIds") {
                org.sessions.revoke(session);
            }
            Ok(vec![json!({ "success": true })])
        }
        other => Err(Fault::new(
            Code::NotImplemented,
            format!("the local org does not answer {other}: see docs/local-org.md for what it does"),
        )),
    }
}

/// The values of a field that several records of a call bear; ids in their long form.
fn twice(call: &Element, field: &str) -> BTreeSet<String> {
    let records = call.children.iter().filter(|child| child.name == "sObjects");
    let values = records
        .map(|record| record.text_of(field))
        .filter(|value| !value.is_empty());
    repeated(values.map(|value| {
        let id = (field == "Id").then(|| RecordId::parse(value).ok()).flatten();
        id.map_or_else(|| value.to_owned(), |id| id.to_string())
    }))
}

/// Does the work for every element of this name, each as a transaction of its own; a refusal is a result.
fn each(
    org: &mut Org,
    call: &Element,
    name: &str,
    most: usize,
    work: impl Fn(&mut Org, &Element) -> Outcome<Json>,
) -> Outcome<Vec<Json>> {
    let given: Vec<&Element> = call.children.iter().filter(|child| child.name == name).collect();
    if given.len() > most {
        return Err(Fault::new(
            Code::ExceededIdLimit,
            format!("record limit reached. cannot submit more than {most} records into this call"),
        ));
    }
    let one = |element: &&Element| {
        org.attempt(|org| work(org, element))
            .unwrap_or_else(|fault| refused(&in_soap(fault)))
    };
    Ok(given.iter().map(one).collect())
}

fn saved(id: RecordId) -> Json {
    json!({ "id": id.to_string(), "success": true })
}

fn refused(fault: &Fault) -> Json {
    let mut error = Map::new();
    if !fault.fields.is_empty() {
        error.insert("fields".to_owned(), json!(fault.fields));
    }
    error.insert("message".to_owned(), json!(fault.message));
    error.insert("statusCode".to_owned(), json!(fault.code.as_str()));
    json!({ "errors": error, "id": null, "success": false })
}

/// SOAP says of an unknown id what a reference to nothing is told.
fn in_soap(fault: Fault) -> Fault {
    if fault.code == Code::NotFound {
        unknown()
    } else {
        fault
    }
}

fn unknown() -> Fault {
    Fault::new(Code::InvalidCrossReferenceKey, "invalid cross reference id")
}

fn parse_id(text: &str) -> Outcome<RecordId> {
    RecordId::parse(text).map_err(|_| Fault::new(Code::MalformedId, format!("malformed id {text}")))
}

/// An sObject: its type, its id, and its fields as a JSON body has them.
fn record(org: &Org, element: &Element) -> Outcome<(ObjectIndex, Option<RecordId>, Body)> {
    let kind = element.kind.as_deref().unwrap_or_default();
    let object = org.schema.find(kind).ok_or_else(|| {
        Fault::new(
            Code::InvalidType,
            format!("sObject type '{kind}' is not supported."),
        )
    })?;
    let mut body = Body::new();
    let mut id = None;
    for child in &element.children {
        match child.name.as_str() {
            "type" => {}
            "Id" if child.nil || child.text.is_empty() => {}
            "Id" => id = Some(parse_id(&child.text)?),
            "fieldsToNull" => {
                body.insert(child.text.clone(), Json::Null);
            }
            name => {
                body.insert(name.to_owned(), value(org, object, child));
            }
        }
    }
    Ok((object, id, body))
}

/// The text of an element as JSON of its field's type; what does not fit is refused as text of the wrong type.
fn value(org: &Org, object: ObjectIndex, element: &Element) -> Json {
    let text = element.text.as_str();
    if element.nil {
        return Json::Null;
    }
    if !element.children.is_empty() {
        let inner = element.children.iter().filter(|child| child.name != "type");
        return inner
            .map(|child| (child.name.clone(), json!(child.text)))
            .collect();
    }
    let kind = org
        .schema
        .object(object)
        .named(&element.name)
        .map(|field| field.kind);
    match (kind, text) {
        (Some(Kind::Boolean), "true" | "1") => Json::Bool(true),
        (Some(Kind::Boolean), "false" | "0") => Json::Bool(false),
        (Some(kind), _) if kind.is_number() => text
            .parse()
            .map_or_else(|_| Json::String(text.to_owned()), Json::Number),
        _ => Json::String(text.to_owned()),
    }
}

fn upsert_one(org: &mut Org, actor: Actor, key: &str, element: &Element) -> Outcome<Json> {
    let (object, id, body) = record(org, element)?;
    let value = match id {
        Some(id) if key.eq_ignore_ascii_case("Id") => id.to_string(),
        _ => element.text_of(key).to_owned(),
    };
    if value.is_empty() {
        return Err(Fault::of_field(
            Code::MissingArgument,
            key,
            format!("{key} not specified"),
        ));
    }
    let (id, created) = match upsert(org, actor, object, key, &value, &body)? {
        Upserted::Created(id) => (id, true),
        Upserted::Updated(id) => (id, false),
        Upserted::Several(_) => {
            return Err(Fault::new(
                Code::DuplicateExternalId,
                format!("{key}: more than one record found for external id field: {value}"),
            ));
        }
    };
    Ok(json!({ "created": created, "id": id.to_string(), "success": true }))
}

fn merge(org: &mut Org, actor: Actor, request: &Element) -> Outcome<Json> {
    let master = request
        .child("masterRecord")
        .ok_or_else(|| Fault::new(Code::MissingArgument, "masterRecord is missing"))?;
    let (object, id, body) = record(org, master)?;
    let winner = id.ok_or_else(|| Fault::new(Code::MissingArgument, "Id not specified in masterRecord"))?;
    let losers = request.texts("recordToMergeIds").into_iter().map(parse_id);
    let losers = losers.collect::<Outcome<Vec<RecordId>>>()?;
    let merged = org.merge(actor, object, winner, &losers, &body)?;
    let texts = |ids: &[RecordId]| ids.iter().map(ToString::to_string).collect::<Vec<String>>();
    Ok(json!({
        "id": winner.to_string(),
        "mergedRecordIds": texts(&losers),
        "success": true,
        "updatedRelatedIds": texts(&merged.related),
    }))
}

/// A moment as XML writes it.
fn stamp(seconds: i64) -> String {
    moment_text(seconds).replace("+0000", "Z")
}

fn user_info(org: &Org, actor: Actor) -> Json {
    let text = |field: &str| org.text_of(actor.user, field).unwrap_or_default();
    let several = org.options.multi_currency;
    let currency = org.options.currencies.first().cloned().unwrap_or_default();
    let profile = org
        .value_of(actor.user, "ProfileId")
        .and_then(|value| value.as_reference())
        .map(|id| id.to_string());
    let one = |of: bool| if of { json!(currency) } else { Json::Null };
    json!({
        "accessibilityMode": false,
        "chatterExternal": false,
        "currencySymbol": if several { Json::Null } else { json!(currency) },
        "orgAttachmentFileSizeLimit": 26_214_400,
        "orgDefaultCurrencyIsoCode": one(!several),
        "orgDefaultCurrencyLocale": if several { Json::Null } else { json!("en_US") },
        "orgDisallowHtmlAttachments": false,
        "orgHasPersonAccounts": org.options.person_accounts,
        "organizationId": org.organization().to_string(),
        "organizationMultiCurrency": several,
        "organizationName": org.options.name,
        "profileId": profile,
        "roleId": null,
        "sessionSecondsValid": org.options.token_lifetime_seconds,
        "userDefaultCurrencyIsoCode": one(several),
        "userEmail": text("Email"),
        "userFullName": text("Name"),
        "userId": actor.user.to_string(),
        "userLanguage": text("LanguageLocaleKey"),
        "userLocale": text("LocaleSidKey"),
        "userName": text("Username"),
        "userTimeZone": text("TimeZoneSidKey"),
        "userType": "Standard",
        "userUiSkin": "Theme3",
    })
}
