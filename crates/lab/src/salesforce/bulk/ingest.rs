//! `/jobs/ingest`.

use bytes::Bytes;
use serde_json::{Map, Value as Json};

use super::job::{Form, Job, Load, Operation, State, Work, operation, text};
use super::outcomes::Outcomes;
use super::{listing, multipart};
use crate::salesforce::api::{Call, Caller, Reply};
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::org::Org;
use crate::salesforce::schema::ObjectIndex;

/// The largest upload in bytes: 150 MB once encoded as base64.
pub(crate) const MAX_UPLOAD: usize = 150 * 1024 * 1024 / 4 * 3;

/// Whether a request carries the data of a job, which may be larger than other bodies.
pub(crate) fn is_upload(method: &str, path: &str) -> bool {
    method == "PUT" && path.contains("/jobs/ingest/") && path.trim_end_matches('/').ends_with("/batches")
}

/// Answers the resource.
pub(crate) fn ingest(org: &mut Org, caller: &Caller, call: &Call, rest: &[&str]) -> Outcome<Reply> {
    match (call.method.as_str(), rest) {
        ("POST", []) => create(org, caller, call),
        ("GET", []) => listing::list(org, caller, call, false),
        ("GET", [id]) => Ok(Reply::ok(named(org, caller, id)?.info())),
        ("PATCH", [id]) => change(org, caller, call, id),
        ("DELETE", [id]) => {
            let job = named(org, caller, id)?;
            job.check_deletable()?;
            let id = job.id;
            org.jobs.jobs.remove(&id);
            Ok(Reply::empty(204))
        }
        ("PUT", [id, "batches"]) => upload(org, caller, call, id),
        ("GET", [id, file]) => results(org, caller, id, file),
        (method, []) => Err(Fault::method_not_allowed(method, "GET,POST")),
        (method, [_]) => Err(Fault::method_not_allowed(method, "GET,PATCH,DELETE")),
        (method, [_, "batches"]) => Err(Fault::method_not_allowed(method, "PUT")),
        (method, [_, _]) => Err(Fault::method_not_allowed(method, "GET")),
        _ => Err(Fault::not_found()),
    }
}

fn named<'o>(org: &'o mut Org, caller: &Caller, id: &str) -> Outcome<&'o mut Job> {
    let job = org.jobs.named(id, false)?;
    job.check_version(caller.version())?;
    Ok(job)
}

fn create(org: &mut Org, caller: &Caller, call: &Call) -> Outcome<Reply> {
    if let Some(boundary) = multipart::boundary(call) {
        let (body, data) = multipart::parts(&call.body, &boundary)?;
        let mut job = new_job(org, caller, &body)?;
        if let Some(load) = job.load() {
            load.data = Some(data);
        }
        job.state = State::UploadComplete;
        let head = job.head();
        org.jobs.keep(job);
        return Ok(Reply::ok(head));
    }
    let job = new_job(org, caller, &call.object()?)?;
    let head = job.head();
    org.jobs.keep(job);
    Ok(Reply::ok(head))
}

fn new_job(org: &mut Org, caller: &Caller, body: &Map<String, Json>) -> Outcome<Job> {
    const KNOWN: [&str; 7] = [
        "object",
        "operation",
        "externalIdFieldName",
        "contentType",
        "lineEnding",
        "columnDelimiter",
        "assignmentRuleId",
    ];
    if let Some(name) = body.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(Fault::new(
            Code::JsonParser,
            format!("Unrecognized field \"{name}\""),
        ));
    }
    let form = Form::read(body)?;
    let operation = operation(body)?;
    let name = text(body, "object")?
        .ok_or_else(|| Fault::new(Code::InvalidJob, "InvalidJob : object is missing"))?;
    let object = loadable(org, name, operation)?;
    let external_id = external_id(org, object, operation, text(body, "externalIdFieldName")?)?;
    let number = org.jobs.draw();
    let now = org.now();
    Ok(Job {
        id: org.numbered("750", number),
        user: caller.actor.user,
        object,
        object_name: org.schema.object(object).name.clone(),
        version: caller.version(),
        created: now,
        stamp: now,
        state: State::Open,
        form,
        processed: 0,
        failed: 0,
        active: 0,
        error: None,
        work: Work::Load(Load {
            operation,
            external_id,
            data: None,
            outcomes: Outcomes::default(),
        }),
    })
}

fn loadable(org: &Org, name: &str, operation: Operation) -> Outcome<ObjectIndex> {
    let refuse = |text: String| Err(Fault::new(Code::InvalidEntity, text));
    let Some(object) = org.schema.find(name) else {
        return refuse(format!("Entity '{name}' is not supported by the Bulk API."));
    };
    let kind = org.schema.object(object);
    let possible = match operation {
        Operation::Insert => kind.createable,
        Operation::Update => kind.updateable,
        Operation::Upsert => kind.createable && kind.updateable,
        Operation::Delete | Operation::HardDelete => kind.deletable,
    };
    if possible {
        return Ok(object);
    }
    refuse(format!(
        "Entity '{}' does not support {} by the Bulk API.",
        kind.name,
        operation.as_str()
    ))
}

fn external_id(
    org: &Org,
    object: ObjectIndex,
    operation: Operation,
    given: Option<&str>,
) -> Outcome<Option<String>> {
    let refuse = |text: String| Err(Fault::new(Code::InvalidJob, format!("InvalidJob : {text}")));
    match (operation, given) {
        (Operation::Upsert, Some(name)) => {
            let kind = org.schema.object(object);
            match kind.named(name) {
                Some(field) if field.external_id || field.lookup || field.name == "Id" => {
                    Ok(Some(field.name.clone()))
                }
                _ => refuse(format!(
                    "Field name provided, {name} does not match an External ID, Salesforce Id, or indexed field for {}",
                    kind.name
                )),
            }
        }
        (Operation::Upsert, None) => refuse("Must specify externalIdFieldName for upsert".to_owned()),
        (_, Some(_)) => refuse("externalIdFieldName is only for upsert".to_owned()),
        (_, None) => Ok(None),
    }
}

fn upload(org: &mut Org, caller: &Caller, call: &Call, id: &str) -> Outcome<Reply> {
    let job = named(org, caller, id)?;
    let media = call
        .header("content-type")
        .unwrap_or_default()
        .to_ascii_lowercase();
    if !media.starts_with("text/csv") {
        return Err(Fault::new(
            Code::UnsupportedMediaType,
            format!("Content-Type header specified in HTTP request is not supported: {media}"),
        ));
    }
    let state = job.state;
    let Some(load) = job
        .load()
        .filter(|load| state == State::Open && load.data.is_none())
    else {
        return Err(Fault::new(
            Code::InvalidJobState,
            format!(
                "Uploading data to a job that is {} or has its data not allowed",
                state.as_str()
            ),
        ));
    };
    if call.body.len() > MAX_UPLOAD {
        return Err(too_large());
    }
    load.data = Some(Bytes::clone(&call.body));
    Ok(Reply::empty(201))
}

/// The refusal of an upload beyond [`MAX_UPLOAD`].
pub(crate) fn too_large() -> Fault {
    Fault::new(
        Code::ClientInput,
        "ClientInputError : the job data is larger than 150 MB after its conversion to base64",
    )
}

fn change(org: &mut Org, caller: &Caller, call: &Call, id: &str) -> Outcome<Reply> {
    let now = org.now();
    let job = named(org, caller, id)?;
    let state = job.change_state(call, caller.actor.user, now)?;
    let head = job.head();
    if state == State::UploadComplete {
        org.jobs.wake.notify_one();
    }
    Ok(Reply::ok(head))
}

fn results(org: &mut Org, caller: &Caller, id: &str, file: &str) -> Outcome<Reply> {
    let seed = org.jobs.seed;
    let job = named(org, caller, id)?;
    job.check_results(job.state.is_over())?;
    let form = job.form;
    let seed = seed ^ u64::from_be_bytes(*b"outcomes") ^ job.created.unsigned_abs();
    let Work::Load(load) = &job.work else {
        return Err(Fault::not_found());
    };
    // The documentation writes the names in more than one way.
    let text = match file.to_ascii_lowercase().as_str() {
        "successfulresults" => load.outcomes.successes(form, seed),
        "failedresults" => load.outcomes.failures(form, seed),
        "unprocessedrecords" => load.outcomes.unprocessed(form, load.data.as_deref()),
        _ => return Err(Fault::not_found()),
    };
    Ok(Reply::csv(text))
}
