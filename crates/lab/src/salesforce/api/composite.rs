//! `/composite`: up to 25 subrequests in one call, each with an address, a body and headers of its own.

use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};

use super::{Call, Caller, Reply, base_of, dispatch};
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::org::Org;

/// The most subrequests of a call.
const MAX_SUBREQUESTS: usize = 25;
/// The most of them that may be queries or collections.
const MAX_LARGE: usize = 5;

/// One subrequest as given.
pub(super) struct Subrequest<'b> {
    reference: &'b str,
    method: &'b str,
    pub(super) url: &'b str,
    body: Option<&'b Json>,
    headers: Vec<(String, String)>,
}

/// Answers the call.
pub(super) fn run(org: &mut Org, caller: &Caller, call: &Call) -> Outcome<Reply> {
    if call.method != "POST" {
        return Err(Fault::method_not_allowed(&call.method, "POST"));
    }
    let body = call.object()?;
    let all_or_none = body.get("allOrNone").and_then(Json::as_bool).unwrap_or(false);
    let given = body.get("compositeRequest").and_then(Json::as_array);
    let given = given.ok_or_else(|| {
        Fault::new(
            Code::MissingArgument,
            "the body has no list called compositeRequest",
        )
    })?;
    let subrequests = given.iter().map(read).collect::<Outcome<Vec<Subrequest<'_>>>>()?;
    check_limits(&subrequests)?;
    let (results, _) = carry_out_all(org, caller, &subrequests, all_or_none);
    Ok(Reply::ok(json!({ "compositeResponse": results })))
}

/// Carries out subrequests in order: their results, and whether all succeeded.
pub(super) fn carry_out_all(
    org: &mut Org,
    caller: &Caller,
    subrequests: &[Subrequest<'_>],
    all_or_none: bool,
) -> (Vec<Json>, bool) {
    let mark = org.mark();
    let mut known: HashMap<&str, Json> = HashMap::new();
    let mut replies: Vec<Reply> = Vec::with_capacity(subrequests.len());
    for subrequest in subrequests {
        let reply = carry_out(org, caller, subrequest, &known).unwrap_or_else(Reply::from);
        let failed = reply.status >= 400;
        if !failed {
            known.insert(subrequest.reference, reply.body.clone().unwrap_or(Json::Null));
        }
        replies.push(reply);
        if all_or_none && failed {
            break;
        }
        if !all_or_none {
            org.commit();
        }
    }
    let whole = replies.iter().all(|reply| reply.status < 400);
    if all_or_none && !whole {
        org.roll_back(mark);
        halt_all(&mut replies, subrequests.len());
    }
    let results = subrequests.iter().zip(replies).map(|(subrequest, reply)| {
        json!({
            "referenceId": subrequest.reference,
            "httpStatusCode": reply.status,
            "httpHeaders": reply.headers.into_iter().map(|(name, value)| (name, Json::String(value))).collect::<Map<_, _>>(),
            "body": reply.body,
        })
    });
    (results.collect(), whole)
}

/// Reads a subrequest.
pub(super) fn read(given: &Json) -> Outcome<Subrequest<'_>> {
    let text = |name: &str| {
        let missing = || Fault::new(Code::MissingArgument, format!("a subrequest lacks {name}"));
        given.get(name).and_then(Json::as_str).ok_or_else(missing)
    };
    let headers = given.get("httpHeaders").and_then(Json::as_object);
    if let Some(name) = headers.and_then(|headers| headers.keys().find(|name| inherited(name))) {
        return Err(Fault::new(
            Code::InvalidInput,
            format!("a subrequest has the header {name} of the request around it and none of its own"),
        ));
    }
    let headers = headers
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.to_ascii_lowercase(), value.as_str()?.to_owned())));
    Ok(Subrequest {
        reference: text("referenceId")?,
        method: text("method")?,
        url: text("url")?,
        body: given.get("body").filter(|body| !body.is_null()),
        headers: headers.collect(),
    })
}

/// Whether a header cannot be a subrequest's own.
fn inherited(name: &str) -> bool {
    ["Accept", "Authorization", "Content-Type"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
}

fn check_limits(subrequests: &[Subrequest<'_>]) -> Outcome<()> {
    let refuse = |text: String| Err(Fault::new(Code::LimitExceeded, text));
    if subrequests.len() > MAX_SUBREQUESTS {
        return refuse(format!(
            "Limit of {MAX_SUBREQUESTS} reached for number of operations in a composite request"
        ));
    }
    let is_large = |one: &&Subrequest<'_>| {
        ["/query", "/composite/sobjects"]
            .iter()
            .any(|part| one.url.contains(part))
    };
    if subrequests.iter().filter(is_large).count() > MAX_LARGE {
        return refuse(format!(
            "Limit of {MAX_LARGE} reached for number of query and sObject Collections operations"
        ));
    }
    check_references(subrequests)
}

/// Refuses reference ids that are odd or come twice.
pub(super) fn check_references(subrequests: &[Subrequest<'_>]) -> Outcome<()> {
    for (place, one) in subrequests.iter().enumerate() {
        let name_fits = one
            .reference
            .chars()
            .all(|letter| letter.is_alphanumeric() || letter == '_');
        if one.reference.is_empty() || !name_fits {
            return Err(Fault::new(
                Code::MissingArgument,
                format!(
                    "referenceId must be letters, digits and underscores: {}",
                    one.reference
                ),
            ));
        }
        if subrequests[..place]
            .iter()
            .any(|other| other.reference == one.reference)
        {
            return Err(Fault::new(
                Code::DuplicateValue,
                format!("Duplicate referenceId: {}", one.reference),
            ));
        }
    }
    Ok(())
}

fn carry_out(
    org: &mut Org,
    caller: &Caller,
    subrequest: &Subrequest<'_>,
    known: &HashMap<&str, Json>,
) -> Outcome<Reply> {
    let url = fill_text(subrequest.url, known)?;
    let mut call = Call {
        method: subrequest.method.to_ascii_uppercase(),
        ..Call::default()
    };
    call.locate(&url);
    call.headers.clone_from(&subrequest.headers);
    if let Some(body) = subrequest.body {
        call.body = fill(body, known)?.to_string().into();
    }
    let parts: Vec<&str> = call.path.iter().map(String::as_str).collect();
    let ["services", "data", version, resource @ ..] = parts.as_slice() else {
        return Err(Fault::not_found());
    };
    let caller = Caller {
        base: base_of(org, version)?,
        ..caller.clone()
    };
    if *resource == ["composite"] {
        return Err(Fault::new(
            Code::NotFound,
            "a composite request cannot hold another",
        ));
    }
    dispatch(org, &caller, &call, resource)
}

/// Every subrequest but the failed one tells that it was not carried out, or was taken back.
fn halt_all(replies: &mut Vec<Reply>, count: usize) {
    let halted = Fault::new(
        Code::ProcessingHalted,
        "The transaction was rolled back since another operation in the same transaction failed.",
    );
    for reply in replies.iter_mut().filter(|reply| reply.status < 400) {
        *reply = Reply::from(halted.clone());
    }
    replies.resize_with(count, || Reply::from(halted.clone()));
}

/// Puts the values that `@{reference.path}` names into every text of a body.
fn fill(body: &Json, known: &HashMap<&str, Json>) -> Outcome<Json> {
    Ok(match body {
        Json::String(text) => Json::String(fill_text(text, known)?),
        Json::Array(list) => Json::Array(list.iter().map(|one| fill(one, known)).collect::<Outcome<_>>()?),
        Json::Object(members) => {
            let filled = members
                .iter()
                .map(|(name, one)| Ok((name.clone(), fill(one, known)?)));
            Json::Object(filled.collect::<Outcome<_>>()?)
        }
        other => other.clone(),
    })
}

fn fill_text(text: &str, known: &HashMap<&str, Json>) -> Outcome<String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("@{") {
        let Some((path, remainder)) = after.split_once('}') else {
            break;
        };
        filled.push_str(before);
        filled.push_str(&look_up(path, known)?);
        rest = remainder;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn look_up(path: &str, known: &HashMap<&str, Json>) -> Outcome<String> {
    let missing = || {
        Fault::new(
            Code::ProcessingHalted,
            format!("Invalid reference specified. No value for {path} found in the replies so far"),
        )
    };
    let mut parts = path.split(['.', '[']).map(|part| part.trim_end_matches(']'));
    let start = known.get(parts.next().unwrap_or_default()).ok_or_else(missing)?;
    let found = parts.try_fold(start, |at, part| match part.parse::<usize>() {
        Ok(index) => at.get(index),
        Err(_) => at.get(part),
    });
    match found.ok_or_else(missing)? {
        Json::String(text) => Ok(text.clone()),
        Json::Number(number) => Ok(number.to_string()),
        Json::Bool(flag) => Ok(flag.to_string()),
        _ => Err(missing()),
    }
}
