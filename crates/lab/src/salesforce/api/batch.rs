//! `/composite/batch`: up to 25 independent subrequests in one call.

use serde_json::{Value as Json, json};

use super::{Call, Caller, Reply, base_of, dispatch};
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::org::Org;

/// The most subrequests of a call.
const MAX_SUBREQUESTS: usize = 25;

/// Answers the call. Subrequests are carried out in order, each for itself.
pub(super) fn run(org: &mut Org, caller: &Caller, call: &Call) -> Outcome<Reply> {
    if call.method != "POST" {
        return Err(Fault::method_not_allowed(&call.method, "POST"));
    }
    let body = call.object()?;
    let halt = body.get("haltOnError").and_then(Json::as_bool).unwrap_or(false);
    let given = body
        .get("batchRequests")
        .and_then(Json::as_array)
        .ok_or_else(|| Fault::new(Code::MissingArgument, "the body has no list called batchRequests"))?;
    if given.len() > MAX_SUBREQUESTS {
        return Err(Fault::new(
            Code::LimitExceeded,
            format!("Limit of {MAX_SUBREQUESTS} reached for number of subrequests in a batch"),
        ));
    }
    let mut has_errors = false;
    let mut results: Vec<Json> = Vec::with_capacity(given.len());
    for subrequest in given {
        let reply = if has_errors && halt {
            Reply {
                status: 412,
                ..Fault::new(Code::BatchHalted, "Batch processing halted per request").into()
            }
        } else {
            carry_out(org, caller, subrequest).unwrap_or_else(Reply::from)
        };
        has_errors |= reply.status >= 400;
        results.push(json!({ "statusCode": reply.status, "result": reply.body }));
        org.commit();
    }
    Ok(Reply::ok(json!({ "hasErrors": has_errors, "results": results })))
}

fn carry_out(org: &mut Org, caller: &Caller, given: &Json) -> Outcome<Reply> {
    let text = |name: &str| {
        let missing = || Fault::new(Code::MissingArgument, format!("a subrequest lacks {name}"));
        given.get(name).and_then(Json::as_str).ok_or_else(missing)
    };
    let mut call = Call {
        method: text("method")?.to_ascii_uppercase(),
        ..Call::default()
    };
    call.locate(text("url")?);
    if let Some(body) = given.get("richInput").filter(|body| !body.is_null()) {
        call.body = body.to_string().into();
    }
    let parts: Vec<&str> = call.path.iter().map(String::as_str).collect();
    // The documentation writes addresses from the version on; whole ones are taken too.
    let below = parts.strip_prefix(&["services", "data"]).unwrap_or(&parts);
    let Some((version, resource)) = below.split_first() else {
        return Err(Fault::not_found());
    };
    if matches!(resource, ["composite" | "jobs", ..]) {
        return Err(Fault::new(Code::NotFound, "a batch cannot hold this resource"));
    }
    let caller = Caller {
        base: base_of(org, version)?,
        ..caller.clone()
    };
    dispatch(org, &caller, &call, resource)
}
