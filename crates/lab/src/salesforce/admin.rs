//! `/_local/...`: what a tester may look at and turn, and no real org offers.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json, json};

use super::api::{Call, Reply};
use super::bulk;
use super::events;
use super::fault::{Code, Fault, Outcome};
use super::faults;
use super::id::RecordId;
use super::org::Org;
use super::schema::SchemaChange;
use super::shape::FieldSecurity;
use super::value::moment_text;

/// Answers a call below `/_local`.
pub(crate) fn answer(org: &mut Org, call: &Call) -> Reply {
    let parts: Vec<&str> = call.path.iter().skip(1).map(String::as_str).collect();
    if parts == ["faults"] {
        return faults::answer(org, call);
    }
    run(org, call, &parts).map_or_else(Reply::from, Reply::ok)
}

fn run(org: &mut Org, call: &Call, parts: &[&str]) -> Outcome<Json> {
    match (call.method.as_str(), parts) {
        ("GET", []) => Ok(json!({
            "calls": "GET the API calls so far by kind and object; POST {\"allowed\": N} sets the day's limit; DELETE begins a new day",
            "clock": "GET the org's time; POST {\"advance\": SECONDS} moves it forward",
            "faults": "with the admin token: GET the rules and what they did; POST a rule or {\"rules\": [...]}; DELETE clears both",
            "log": "GET every accepted change; ?since=NUMBER&object=NAME&id=ID",
            "license": "GET total and used; POST {\"total\": N}",
            "emails": "GET the e-mail addresses that wait for confirmation; POST {\"user\": ID or user name} confirms",
            "rules": "GET the validation rules; POST {\"object\", \"condition\", \"message\", \"field\"} adds one; DELETE removes all",
            "schema": "POST a change of an object or field, or {\"changes\": [...]}",
            "security": "GET field-level security; POST {\"profile\", \"object\", \"field\", \"access\"}",
            "events": "GET deliveries of 24 hours, kept events, selection; POST {\"allowed\": N}, {\"new_day\": true} or {\"gap\": \"GAP_UPDATE\", \"object\": NAME, \"ids\": [ID]} (GAP_OVERFLOW without ids); DELETE drops the kept events",
            "tokens": "DELETE makes every access token invalid",
        })),
        ("GET", ["calls"]) => Ok(org.calls.report()),
        ("POST", ["calls"]) => {
            org.calls.allow(number(&call.object()?, "allowed")?);
            Ok(org.calls.report())
        }
        ("DELETE", ["calls"]) => {
            org.calls.reset();
            org.jobs.usage = bulk::Usage::default();
            Ok(org.calls.report())
        }
        ("GET", ["clock"]) => Ok(json!({ "now": moment_text(org.now()) })),
        ("POST", ["clock"]) => {
            let seconds = number(&call.object()?, "advance")?;
            org.advance(u32::try_from(seconds).map_err(|_| bad("advance is at most 4294967295 seconds"))?);
            Ok(json!({ "now": moment_text(org.now()) }))
        }
        (_, ["events"]) => events::local(org, call),
        ("GET", ["log"]) => log(org, call),
        ("GET", ["license"]) => Ok(json!({ "total": org.licenses, "used": org.active_users() })),
        ("POST", ["license"]) => {
            let total = number(&call.object()?, "total")?;
            org.licenses = u32::try_from(total).map_err(|_| bad("total is too large"))?;
            org.count_licenses();
            org.commit();
            Ok(json!({ "total": org.licenses, "used": org.active_users() }))
        }
        ("GET", ["emails"]) => Ok(pending(org)),
        ("POST", ["emails"]) => confirm(org, &call.object()?),
        ("GET", ["rules"]) => Ok(org.rules_json()),
        ("POST", ["rules"]) => {
            let rule = serde_json::from_value(Json::Object(call.object()?));
            org.add_rule(rule.map_err(|error| bad(&error.to_string()))?)?;
            Ok(org.rules_json())
        }
        ("DELETE", ["rules"]) => {
            org.rules.clear();
            Ok(org.rules_json())
        }
        ("POST", ["schema"]) => {
            org.change_schema(&listed::<SchemaChange>(call, "changes")?)?;
            Ok(json!({}))
        }
        ("GET", ["security"]) => Ok(org.security_json()),
        ("POST", ["security"]) => {
            org.secure(listed::<FieldSecurity>(call, "security")?)?;
            Ok(org.security_json())
        }
        ("DELETE", ["tokens"]) => {
            org.sessions.expire_all();
            Ok(json!({}))
        }
        (
            method,
            ["calls" | "clock" | "log" | "license" | "emails" | "rules" | "schema" | "security" | "tokens"],
        ) => Err(Fault::method_not_allowed(method, "see GET /_local")),
        _ => Err(Fault::not_found()),
    }
}

/// What the body holds: one, or a list under `name`.
fn listed<T: DeserializeOwned>(call: &Call, name: &str) -> Outcome<Vec<T>> {
    let body = Json::Object(call.object()?);
    let read = match body.get(name) {
        Some(list) => serde_json::from_value(list.clone()),
        None => serde_json::from_value(body).map(|one| vec![one]),
    };
    read.map_err(|error| bad(&error.to_string()))
}

fn bad(text: &str) -> Fault {
    Fault::new(Code::JsonParser, text)
}

fn number(body: &Map<String, Json>, name: &str) -> Outcome<u64> {
    body.get(name)
        .and_then(Json::as_u64)
        .ok_or_else(|| bad(&format!("{name} has to be a whole number")))
}

fn log(org: &Org, call: &Call) -> Outcome<Json> {
    let since = call
        .parameter("since")
        .map_or(Ok(0), str::parse)
        .map_err(|_| bad("since has to be a whole number"))?;
    let object = call
        .parameter("object")
        .map(|name| org.object_named(name))
        .transpose()?;
    let id = call
        .parameter("id")
        .map(RecordId::parse)
        .transpose()
        .map_err(|_| bad("id is malformed"))?;
    Ok(org.audit.read(&org.schema, since, object, id))
}

fn pending(org: &Org) -> Json {
    let one = |(user, email): &(RecordId, String)| json!({ "user": user.to_string(), "username": org.text_of(*user, "Username"), "email": email });
    json!({ "pending": org.pending_emails.iter().map(one).collect::<Vec<Json>>() })
}

fn confirm(org: &mut Org, body: &Map<String, Json>) -> Outcome<Json> {
    let user = body
        .get("user")
        .and_then(Json::as_str)
        .ok_or_else(|| bad("user has to be an id or a user name"))?;
    let id = RecordId::parse(user)
        .ok()
        .or_else(|| org.find_by_text("User", "Username", user));
    let id = id.ok_or_else(Fault::not_found)?;
    Ok(json!({ "user": id.to_string(), "email": org.confirm_email(id)? }))
}
