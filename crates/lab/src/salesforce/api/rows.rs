//! `/sobjects/{Object}` and below: one record at a time.

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde_json::{Map, Value as Json, json};

use super::{Call, Caller, Reply, entity_tag};
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::id::RecordId;
use crate::salesforce::org::{Actor, Org};
use crate::salesforce::schema::{self, FieldIndex, ObjectIndex, Source};
use crate::salesforce::soql;
use crate::salesforce::table::Row;
use crate::salesforce::value::{Value, http_date_text};
use crate::salesforce::write::check_precondition;

/// `/sobjects/{Object}`.
pub(super) fn collection(org: &mut Org, caller: &Caller, call: &Call, object: ObjectIndex) -> Outcome<Reply> {
    let kind = org.schema.object(object);
    match call.method.as_str() {
        "GET" | "HEAD" => {
            let described = schema::describe_global_entry(kind, &caller.base);
            Ok(Reply::ok(
                json!({ "objectDescribe": described, "recentItems": [] }),
            ))
        }
        "POST" if kind.createable => {
            let body = call.object()?;
            let id = org.attempt(|org| org.create(caller.actor, object, &body))?;
            Ok(Reply::created(success(id)).with(
                "Location",
                format!("{}/sobjects/{}/{id}", caller.base, org.schema.object(object).name),
            ))
        }
        method => Err(Fault::method_not_allowed(
            method,
            if kind.createable {
                "HEAD,GET,POST"
            } else {
                "HEAD,GET"
            },
        )),
    }
}

/// `POST /sobjects/{Object}/Id`: an upsert by an id that is not there yet.
pub(super) fn create_new(org: &mut Org, caller: &Caller, call: &Call, object: ObjectIndex) -> Outcome<Reply> {
    let kind = org.schema.object(object);
    if !kind.createable {
        return Err(Fault::method_not_allowed(&call.method, "HEAD,GET"));
    }
    let body = call.object()?;
    let id = org.attempt(|org| org.create(caller.actor, object, &body))?;
    Ok(Reply::created(upsert_result(id, true)))
}

/// The result of a successful write.
pub(super) fn success(id: RecordId) -> Json {
    json!({ "id": id.to_string(), "success": true, "errors": [] })
}

/// `/sobjects/{Object}/{id}`.
pub(super) fn row(
    org: &mut Org,
    caller: &Caller,
    call: &Call,
    object: ObjectIndex,
    id: &str,
) -> Outcome<Reply> {
    let id = own_id(org, object, id)?;
    addressed(org, caller, call, object, id)
}

/// The record that was addressed, by whatever path.
pub(super) fn addressed(
    org: &mut Org,
    caller: &Caller,
    call: &Call,
    object: ObjectIndex,
    id: RecordId,
) -> Outcome<Reply> {
    check_method(org, call, object)?;
    one(org, caller, call, object, id)
}

/// An id of this object.
pub(super) fn own_id(org: &Org, object: ObjectIndex, text: &str) -> Outcome<RecordId> {
    let prefix = &org.schema.object(object).prefix;
    let id = RecordId::parse(text).ok().filter(|id| id.prefix() == prefix);
    id.ok_or_else(|| {
        Fault::new(
            Code::NotFound,
            format!("Provided external ID field does not exist or is not accessible: {text}"),
        )
    })
}

/// `/sobjects/{Object}/{Field}/{value}`: by an external id or a look-up field.
pub(super) fn by_key(
    org: &mut Org,
    caller: &Caller,
    call: &Call,
    object: ObjectIndex,
    field: &str,
    value: &str,
) -> Outcome<Reply> {
    check_method(org, call, object)?;
    let found = matches(org, object, field, value)?;
    if let Some(row) = found.first().and_then(|id| org.table(object).get(*id)) {
        check_precondition(row, unmodified_since(org, call)?)?;
    }
    let update_only = call.parameter("updateOnly") == Some("true");
    match (found.as_slice(), call.method.as_str()) {
        ([], "PATCH") if update_only => Err(Fault::not_found()),
        (_, "PATCH") => match upsert(org, caller.actor, object, field, value, &call.object()?)? {
            Upserted::Created(id) => Ok(Reply::created(upsert_result(id, true))),
            Upserted::Updated(id) => Ok(Reply::ok(upsert_result(id, false))),
            Upserted::Several(ids) => Ok(several(org, caller, object, &ids)),
        },
        ([], _) => Err(Fault::not_found()),
        ([id], _) => one(org, caller, call, object, *id),
        (ids, _) => Ok(several(org, caller, object, ids)),
    }
}

/// The result of an upsert.
pub(super) fn upsert_result(id: RecordId, created: bool) -> Json {
    json!({ "id": id.to_string(), "success": true, "errors": [], "created": created })
}

fn several(org: &Org, caller: &Caller, object: ObjectIndex, ids: &[RecordId]) -> Reply {
    let name = &org.schema.object(object).name;
    let urls = ids
        .iter()
        .map(|id| format!("{}/sobjects/{name}/{id}", caller.base));
    Reply {
        status: 300,
        ..Reply::ok(urls.collect())
    }
}

/// What an upsert came to.
pub(crate) enum Upserted {
    Created(RecordId),
    Updated(RecordId),
    Several(Vec<RecordId>),
}

/// Updates the record with this value in this field, or creates one.
pub(crate) fn upsert(
    org: &mut Org,
    actor: Actor,
    object: ObjectIndex,
    field: &str,
    value: &str,
    body: &Map<String, Json>,
) -> Outcome<Upserted> {
    let found = matches(org, object, field, value)?;
    let mut body = body.clone();
    body.retain(|name, _| !name.eq_ignore_ascii_case(field));
    match found.as_slice() {
        [] => {
            body.insert(field.to_owned(), Json::String(value.to_owned()));
            org.attempt(|org| org.create(actor, object, &body))
                .map(Upserted::Created)
        }
        [id] => {
            org.attempt(|org| org.update(actor, object, *id, &body, None))?;
            Ok(Upserted::Updated(*id))
        }
        ids => Ok(Upserted::Several(ids.to_vec())),
    }
}

/// The live records with this value in a field that records can be found by.
fn matches(org: &Org, object: ObjectIndex, field: &str, value: &str) -> Outcome<Vec<RecordId>> {
    let kind = org.schema.object(object);
    let unusable = || {
        Fault::new(
            Code::NotFound,
            format!("Provided external ID field does not exist or is not accessible: {field}"),
        )
    };
    let at = kind.find(field).ok_or_else(unusable)?;
    let found = kind.field(at);
    if found.source == Source::Id {
        let id = RecordId::parse(value).map_err(|_| unusable())?;
        return Ok(org
            .table(object)
            .get_live(id)
            .map(|row| row.id)
            .into_iter()
            .collect());
    }
    if !found.external_id && !found.lookup {
        return Err(unusable());
    }
    if org.table(object).indexed(at) {
        return Ok(org.table(object).holder(at, value).into_iter().collect());
    }
    let same = |row: &&Row| {
        row.values
            .get(at)
            .and_then(Value::as_text)
            .is_some_and(|text| text.eq_ignore_ascii_case(value))
    };
    Ok(org
        .table(object)
        .since(i64::MIN)
        .filter(|row| !row.deleted)
        .filter(same)
        .map(|row| row.id)
        .collect())
}

fn check_method(org: &Org, call: &Call, object: ObjectIndex) -> Outcome<()> {
    let kind = org.schema.object(object);
    let allowed = [
        ("HEAD", true),
        ("GET", true),
        ("PATCH", kind.updateable),
        ("DELETE", kind.deletable),
    ];
    if allowed.contains(&(call.method.as_str(), true)) {
        return Ok(());
    }
    let names: Vec<&str> = allowed
        .iter()
        .filter(|(_, open)| *open)
        .map(|(name, _)| *name)
        .collect();
    Err(Fault::method_not_allowed(&call.method, &names.join(",")))
}

fn one(org: &mut Org, caller: &Caller, call: &Call, object: ObjectIndex, id: RecordId) -> Outcome<Reply> {
    let unmodified_since = unmodified_since(org, call)?;
    match call.method.as_str() {
        "PATCH" => {
            let body = call.object()?;
            if let Ok(row) = org.live_row(caller.actor, object, id) {
                entity_tag::check(org, call, object, row)?;
            }
            org.attempt(|org| org.update(caller.actor, object, id, &body, unmodified_since))?;
            Ok(Reply::empty(204))
        }
        "DELETE" => {
            org.attempt(|org| org.delete(caller.actor, object, id, unmodified_since))?;
            Ok(Reply::empty(204))
        }
        _ => read(org, caller, call, object, id),
    }
}

fn read(org: &Org, caller: &Caller, call: &Call, object: ObjectIndex, id: RecordId) -> Outcome<Reply> {
    let row = org.visible_row(caller.actor, object, id)?;
    check_precondition(row, http_date(call, "if-unmodified-since")?)?;
    if let Some(known) = entity_tag::check(org, call, object, row)? {
        return Ok(known);
    }
    if http_date(call, "if-modified-since")?.is_some_and(|since| row.stamp <= since) {
        return Ok(Reply::empty(304));
    }
    let names = call
        .parameter("fields")
        .map(|list| list.split(',').map(str::to_owned).collect::<Vec<String>>());
    let fields = fields_named(org, object, names.as_deref())?;
    let reply = Reply::ok(record(org, &caller.base, object, row, &fields));
    let reply = reply.with("Last-Modified", http_date_text(row.stamp));
    Ok(match entity_tag::of(org, object, row) {
        Some(tag) => reply.with("ETag", tag),
        None => reply,
    })
}

/// The fields of these names; all of them where none are given.
pub(super) fn fields_named(
    org: &Org,
    object: ObjectIndex,
    names: Option<&[String]>,
) -> Outcome<Vec<FieldIndex>> {
    let kind = org.schema.object(object);
    let Some(names) = names else {
        return Ok(kind.numbered().map(|(at, _)| at).collect());
    };
    let find = |name: &String| {
        kind.find(name.trim()).ok_or_else(|| {
            Fault::new(
                Code::InvalidField,
                format!(
                    "No such column '{}' on sobject of type {}",
                    name.trim(),
                    kind.name
                ),
            )
        })
    };
    names.iter().map(find).collect()
}

/// A record with `attributes`, its id and these fields.
pub(super) fn record(org: &Org, base: &str, object: ObjectIndex, row: &Row, fields: &[FieldIndex]) -> Json {
    let kind = org.schema.object(object);
    let mut record = Map::new();
    record.insert("attributes".to_owned(), soql::attributes(base, kind, row.id));
    record.insert("Id".to_owned(), Json::String(row.id.to_string()));
    for at in fields {
        record.insert(kind.field(*at).name.clone(), org.json_of(kind, *at, row));
    }
    Json::Object(record)
}

/// The moment that a write names in `If-Unmodified-Since`; none on a DELETE in an org that does not hold it to that.
fn unmodified_since(org: &Org, call: &Call) -> Outcome<Option<i64>> {
    if call.method == "DELETE" && !org.options.conditional_delete {
        return Ok(None);
    }
    http_date(call, "if-unmodified-since")
}

/// The second that an HTTP date names.
pub(super) fn http_date(call: &Call, header: &str) -> Outcome<Option<i64>> {
    let Some(text) = call.header(header) else {
        return Ok(None);
    };
    // Ignoring a guard that cannot be read would write past it.
    let parsed: Result<Timestamp, jiff::Error> = rfc2822::DateTimeParser::new().parse_timestamp(text);
    parsed.map(|at| Some(at.as_second())).map_err(|_| {
        Fault::new(
            Code::MissingArgument,
            format!("the header {header} is not an HTTP date: {text}"),
        )
    })
}
