//! `/composite/sobjects`: up to 200 records in one call.

use serde_json::{Map, Value as Json, json};

use super::rows::{Upserted, fields_named, record, success, upsert, upsert_result};
use super::{Call, Caller, Reply};
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::id::RecordId;
use crate::salesforce::org::Org;
use crate::salesforce::schema::ObjectIndex;
use crate::salesforce::write::{repeated, repeated_id, repeated_key};

/// The most records of a call that writes.
const MAX_RECORDS: usize = 200;
/// The most records of a call that reads.
const MAX_READ: usize = 2_000;
/// The most runs of records of equal type.
const MAX_RUNS: usize = 10;

/// Answers the resource.
pub(super) fn run(org: &mut Org, caller: &Caller, call: &Call, rest: &[&str]) -> Outcome<Reply> {
    match (call.method.as_str(), rest) {
        ("POST", []) => write(org, caller, call, &create),
        ("PATCH", []) => write(org, caller, call, &update),
        ("DELETE", []) => delete(org, caller, call),
        ("GET" | "POST", [object]) => read(org, caller, call, object),
        ("PATCH", [object, field]) => upsert_all(org, caller, call, object, field),
        (method, []) => Err(Fault::method_not_allowed(method, "POST,PATCH,DELETE")),
        (method, [_]) => Err(Fault::method_not_allowed(method, "GET,POST")),
        (method, _) => Err(Fault::method_not_allowed(method, "PATCH")),
    }
}

/// One record of a request: its object and its members.
type Record<'r> = (ObjectIndex, &'r Map<String, Json>);
/// What is done with each.
type Work<'w> = &'w dyn Fn(&mut Org, &Caller, Record<'_>) -> Outcome<Json>;

fn create(org: &mut Org, caller: &Caller, (object, body): Record<'_>) -> Outcome<Json> {
    org.create(caller.actor, object, body).map(success)
}

/// The names that the id of a record is given by.
const ID: [&str; 3] = ["id", "Id", "ID"];

/// The id that a record is given with.
fn id_of(record: &Map<String, Json>) -> Option<RecordId> {
    let given = ID.iter().find_map(|name| record.get(*name));
    RecordId::parse(given?.as_str()?).ok()
}

fn update(org: &mut Org, caller: &Caller, (object, body): Record<'_>) -> Outcome<Json> {
    let mut body = body.clone();
    let given = ID.iter().find_map(|name| body.remove(*name));
    let Some(given) = given else {
        return Err(Fault::new(
            Code::MissingArgument,
            "Id not specified in an update call",
        ));
    };
    let id = parse_id(given.as_str().unwrap_or_default())?;
    if org.schema.by_prefix(id.prefix()) != Some(object) {
        return Err(Fault::new(Code::MalformedId, format!("malformed id {id}")));
    }
    org.update(caller.actor, object, id, &body, None)
        .map_err(in_collection)?;
    Ok(success(id))
}

fn parse_id(text: &str) -> Outcome<RecordId> {
    RecordId::parse(text).map_err(|_| Fault::new(Code::MalformedId, format!("malformed id {text}")))
}

/// Collections say of an unknown id what a reference to nothing is told.
fn in_collection(fault: Fault) -> Fault {
    if fault.code == Code::NotFound {
        return Fault::new(Code::InvalidCrossReferenceKey, "invalid cross reference id");
    }
    fault
}

fn write(org: &mut Org, caller: &Caller, call: &Call, work: Work<'_>) -> Outcome<Reply> {
    let body = call.object()?;
    let records = records_of(&body)?;
    let objects: Vec<Option<&str>> = records.iter().map(|record| type_of(record)).collect();
    check_runs(&objects)?;
    let all_or_none = all_or_none(body.get("allOrNone"))?;
    let twice = &repeated(records.iter().filter_map(|record| id_of(record)));
    let each = records.iter().zip(objects).map(|(record, object)| {
        move |org: &mut Org| {
            if let Some(id) = id_of(record).filter(|id| twice.contains(id)) {
                return Err(repeated_id(id));
            }
            let object = object
                .and_then(|name| org.schema.find(name))
                .ok_or_else(|| unknown_type(object))?;
            work(org, caller, (object, record))
        }
    });
    Ok(Reply::ok(run_all(org, all_or_none, each)))
}

fn unknown_type(name: Option<&str>) -> Fault {
    match name {
        Some(name) => Fault::new(
            Code::InvalidType,
            format!("sObject type '{name}' is not supported."),
        ),
        None => Fault::new(Code::InvalidType, "attributes.type is not specified"),
    }
}

fn type_of(record: &Map<String, Json>) -> Option<&str> {
    record.get("attributes")?.get("type")?.as_str()
}

fn records_of(body: &Map<String, Json>) -> Outcome<Vec<&Map<String, Json>>> {
    let given = body.get("records").and_then(Json::as_array);
    let records =
        given.ok_or_else(|| Fault::new(Code::MissingArgument, "the body has no list called records"))?;
    check_count(records.len(), MAX_RECORDS)?;
    let not_an_object = || Fault::new(Code::JsonParser, "each of records has to be an object");
    records
        .iter()
        .map(|record| record.as_object().ok_or_else(not_an_object))
        .collect()
}

fn check_count(count: usize, most: usize) -> Outcome<()> {
    if count <= most {
        return Ok(());
    }
    Err(Fault::new(
        Code::ExceededIdLimit,
        format!("record limit reached. cannot submit more than {most} records in this call"),
    ))
}

fn check_runs(objects: &[Option<&str>]) -> Outcome<()> {
    let runs = objects.windows(2).filter(|pair| pair[0] != pair[1]).count() + 1;
    if runs <= MAX_RUNS {
        return Ok(());
    }
    Err(Fault::new(
        Code::LimitExceeded,
        format!(
            "Cannot have more than {MAX_RUNS} chunks in a single operation. Please rearrange the data to reduce \
             chunking."
        ),
    ))
}

fn all_or_none(given: Option<&Json>) -> Outcome<bool> {
    match given {
        None | Some(Json::Null) => Ok(false),
        Some(Json::Bool(flag)) => Ok(*flag),
        Some(_) => Err(Fault::new(Code::JsonParser, "allOrNone has to be true or false")),
    }
}

/// Carries out each piece of work on its own, or all or none of them.
fn run_all<W>(org: &mut Org, all_or_none: bool, each: impl Iterator<Item = W>) -> Json
where
    W: FnOnce(&mut Org) -> Outcome<Json>,
{
    let mark = org.mark();
    let outcomes: Vec<Outcome<Json>> = each.map(|work| org.attempt(work)).collect();
    let taken_back = all_or_none && outcomes.iter().any(Result::is_err);
    if taken_back {
        org.roll_back(mark);
    }
    let result = |outcome: Outcome<Json>| match outcome {
        Ok(result) if !taken_back => result,
        Ok(_) => failure(&rolled_back()),
        Err(fault) => failure(&fault),
    };
    outcomes.into_iter().map(result).collect()
}

fn failure(fault: &Fault) -> Json {
    json!({ "success": false, "errors": [fault.collection()] })
}

fn rolled_back() -> Fault {
    Fault::new(
        Code::AllOrNoneRolledBack,
        "Record rolled back because not all records were valid and the request was using AllOrNone header",
    )
}

fn delete(org: &mut Org, caller: &Caller, call: &Call) -> Outcome<Reply> {
    let ids: Vec<&str> = call
        .parameter("ids")
        .unwrap_or_default()
        .split(',')
        .filter(|id| !id.is_empty())
        .collect();
    if ids.is_empty() {
        return Err(Fault::new(Code::MissingArgument, "the parameter ids is missing"));
    }
    check_count(ids.len(), MAX_RECORDS)?;
    let all_or_none = call.parameter("allOrNone") == Some("true");
    let each = ids.into_iter().map(|text| {
        move |org: &mut Org| {
            let id = parse_id(text)?;
            let object = org
                .schema
                .by_prefix(id.prefix())
                .ok_or_else(|| in_collection(Fault::not_found()))?;
            org.delete(caller.actor, object, id, None)
                .map_err(in_collection)?;
            Ok(success(id))
        }
    });
    Ok(Reply::ok(run_all(org, all_or_none, each)))
}

fn upsert_all(org: &mut Org, caller: &Caller, call: &Call, object: &str, field: &str) -> Outcome<Reply> {
    let object = org.object_named(object)?;
    let body = call.object()?;
    let records = records_of(&body)?;
    let all_or_none = all_or_none(body.get("allOrNone"))?;
    let key_of = |record: &Map<String, Json>| {
        let given = record.iter().find(|(name, _)| name.eq_ignore_ascii_case(field));
        let key = given?.1.as_str()?;
        (!key.is_empty()).then(|| key.to_owned())
    };
    let twice = &repeated(records.iter().filter_map(|record| key_of(record)));
    let each = records.into_iter().map(|record| {
        move |org: &mut Org| {
            let key = key_of(record).ok_or_else(|| {
                Fault::of_field(Code::MissingArgument, field, format!("{field} not specified"))
            })?;
            if twice.contains(&key) {
                return Err(repeated_key(field, &key));
            }
            match upsert(org, caller.actor, object, field, &key, record)? {
                Upserted::Created(id) => Ok(upsert_result(id, true)),
                Upserted::Updated(id) => Ok(upsert_result(id, false)),
                Upserted::Several(_) => Err(Fault::new(
                    Code::DuplicateValue,
                    format!("{field}: more than one record found for {key}"),
                )),
            }
        }
    });
    Ok(Reply::ok(run_all(org, all_or_none, each)))
}

fn read(org: &Org, caller: &Caller, call: &Call, object: &str) -> Outcome<Reply> {
    let object = org.object_named(object)?;
    let (ids, fields) = if call.method == "POST" {
        let body = call.object()?;
        (list_of(&body, "ids")?, list_of(&body, "fields")?)
    } else {
        let list = |name: &str| {
            call.parameter(name)
                .map(|text| text.split(',').map(str::to_owned).collect())
        };
        let missing =
            |name: &str| Fault::new(Code::MissingArgument, format!("the parameter {name} is missing"));
        (
            list("ids").ok_or_else(|| missing("ids"))?,
            list("fields").ok_or_else(|| missing("fields"))?,
        )
    };
    check_count(ids.len(), MAX_READ)?;
    let fields = fields_named(org, object, Some(&fields))?;
    let one = |text: &String| -> Outcome<Json> {
        let row = org.visible_row(caller.actor, object, parse_id(text)?);
        Ok(row.map_or(Json::Null, |row| record(org, &caller.base, object, row, &fields)))
    };
    Ok(Reply::ok(ids.iter().map(one).collect::<Outcome<Json>>()?))
}

fn list_of(body: &Map<String, Json>, name: &str) -> Outcome<Vec<String>> {
    let texts = body.get(name).and_then(Json::as_array).and_then(|list| {
        list.iter()
            .map(|text| text.as_str().map(str::to_owned))
            .collect::<Option<Vec<String>>>()
    });
    texts.ok_or_else(|| {
        Fault::new(
            Code::MissingArgument,
            format!("the body has no list of texts called {name}"),
        )
    })
}
