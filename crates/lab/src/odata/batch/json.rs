//! Batches as JSON.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::{few_enough, location, place, referred};
use crate::odata::exchange::{Answer, Call};
use crate::odata::refusal::Refusal;
use crate::odata::service::{State, Talk};

#[derive(Deserialize)]
struct Batch {
    requests: Vec<Request>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    id: String,
    method: String,
    url: String,
    #[serde(default)]
    atomicity_group: Option<String>,
    #[serde(default)]
    depends_on: Vec<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<Json>,
}

/// What came of the requests so far.
#[derive(Default)]
struct Course {
    responses: Vec<Json>,
    made: Vec<(String, String)>,
    failed: Vec<String>,
    known: Vec<String>,
    stopped: bool,
}

pub(super) fn answer(talk: &Talk<'_>, state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let batch = Json::Object(call.object()?);
    let batch: Batch =
        serde_json::from_value(batch).map_err(|error| Refusal::bad(format!("The batch: {error}.")))?;
    few_enough(talk, batch.requests.len())?;
    distinct(&batch.requests)?;
    let goes_on = call
        .preference("continue-on-error")
        .is_some_and(|word| word != "false");
    let mut course = Course::default();
    let mut rest = batch.requests.as_slice();
    while let Some(first) = rest.first() {
        let group = &first.atomicity_group;
        let same = |request: &&Request| group.is_some() && request.atomicity_group == *group;
        let length = rest.iter().take_while(same).count().max(1);
        let (now, later) = rest.split_at(length);
        rest = later;
        // After a failure the rest is not carried out, unless the client prefers it.
        if !course.stopped {
            match group {
                Some(group) => atomic(talk, state, now, group, &mut course),
                None => course.note(first, one(talk, state, first, &course)),
            }
            course.stopped = !course.failed.is_empty() && !goes_on;
        }
    }
    let body = json!({ "responses": course.responses });
    Ok(Answer::json(StatusCode::OK, &body))
}

/// Ids name one request each, and the requests of a group stand together.
fn distinct(requests: &[Request]) -> Result<(), Refusal> {
    let mut groups: Vec<&str> = Vec::new();
    for (place, request) in requests.iter().enumerate() {
        if requests[..place].iter().any(|earlier| earlier.id == request.id) {
            return Err(Refusal::bad(format!("The id {} is given twice.", request.id)));
        }
        let Some(group) = request.atomicity_group.as_deref() else {
            continue;
        };
        let continued = place > 0 && requests[place - 1].atomicity_group.as_deref() == Some(group);
        if !continued {
            if groups.contains(&group) {
                return Err(Refusal::bad(format!(
                    "The requests of the group {group} must stand together."
                )));
            }
            groups.push(group);
        }
    }
    Ok(())
}

/// The requests of a group: all of them or none.
fn atomic(talk: &Talk<'_>, state: &mut State, requests: &[Request], group: &str, course: &mut Course) {
    let before = state.store.clone();
    let mut inside = Course {
        made: course.made.clone(),
        failed: course.failed.clone(),
        known: course.known.clone(),
        ..Course::default()
    };
    let failures = inside.failed.len();
    for request in requests {
        let outcome = one(talk, state, request, &inside);
        inside.note(request, outcome);
        if inside.failed.len() > failures {
            break;
        }
    }
    if inside.failed.len() > failures {
        state.store = before;
        let culprit = inside.responses.pop().unwrap_or_default();
        let id = culprit.get("id").cloned().unwrap_or_default();
        course
            .known
            .extend(requests.iter().map(|request| request.id.clone()));
        course.known.push(group.to_owned());
        course
            .failed
            .extend(requests.iter().map(|request| request.id.clone()));
        course.failed.push(group.to_owned());
        for request in requests {
            if Json::String(request.id.clone()) == id {
                course.responses.push(culprit.clone());
            } else {
                let message = format!("Not carried out: {id} of the same group failed.");
                let refusal = Refusal::new(StatusCode::FAILED_DEPENDENCY, "FailedDependency", message);
                let answer = Answer::refused(&refusal, talk.service.version);
                course.responses.push(shown(request, &answer));
            }
        }
        return;
    }
    course.responses.append(&mut inside.responses);
    course.made = inside.made;
    course.known = inside.known;
    course.known.push(group.to_owned());
}

/// Carries out one request; with where its entity lies.
fn one(talk: &Talk<'_>, state: &mut State, request: &Request, course: &Course) -> (Answer, Option<String>) {
    match call(talk, request, course) {
        Ok(call) => {
            let answer = talk.answer(state, &call);
            let made = location(&call, &answer);
            (answer, made)
        }
        Err(refusal) => (Answer::refused(&refusal, talk.service.version), None),
    }
}

fn call(talk: &Talk<'_>, request: &Request, course: &Course) -> Result<Call, Refusal> {
    for needed in &request.depends_on {
        if !course.known.contains(needed) {
            return Err(Refusal::bad(format!(
                "dependsOn names {needed}, which does not stand before it."
            )));
        }
        if course.failed.contains(needed) {
            let message = format!("Not carried out: {needed} failed.");
            return Err(Refusal::new(
                StatusCode::FAILED_DEPENDENCY,
                "FailedDependency",
                message,
            ));
        }
    }
    let (path, query) = place(talk, &referred(&request.url, &course.made)?)?;
    if path.starts_with("$batch") {
        return Err(Refusal::bad("A batch cannot stand in a batch."));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let wrong = || Refusal::bad(format!("The header {name} cannot be sent."));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        headers.append(name, HeaderValue::from_str(value).map_err(|_| wrong())?);
    }
    let body = request.body.as_ref().map(|body| body.to_string().into_bytes());
    let method = Method::from_bytes(request.method.to_ascii_uppercase().as_bytes());
    Ok(Call {
        method: method.map_err(|_| Refusal::bad(format!("{} is no method.", request.method)))?,
        path,
        query,
        headers,
        body: body.unwrap_or_default(),
    })
}

impl Course {
    fn note(&mut self, request: &Request, (answer, made): (Answer, Option<String>)) {
        self.known.push(request.id.clone());
        if answer.status.is_client_error() || answer.status.is_server_error() {
            self.failed.push(request.id.clone());
        }
        self.made
            .extend(made.map(|location| (request.id.clone(), location)));
        self.responses.push(shown(request, &answer));
    }
}

fn shown(request: &Request, answer: &Answer) -> Json {
    let headers = answer.headers.iter();
    let headers: Map<String, Json> = headers
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().into()))
        .collect();
    let mut shown = json!({ "id": request.id, "status": answer.status.as_u16(), "headers": headers });
    if let Some(group) = &request.atomicity_group {
        shown["atomicityGroup"] = group.as_str().into();
    }
    if !answer.body.is_empty() {
        let text = || Json::String(String::from_utf8_lossy(&answer.body).into_owned());
        shown["body"] = serde_json::from_slice(&answer.body).unwrap_or_else(|_| text());
    }
    shown
}
