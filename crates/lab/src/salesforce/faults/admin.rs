//! `/_local/faults`: rules at run time, for whoever has the admin token.

use serde_json::Value as Json;

use super::FaultRule;
use crate::salesforce::api::{Call, Reply};
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::org::Org;

/// Answers the call.
pub(crate) fn answer(org: &mut Org, call: &Call) -> Reply {
    run(org, call).map_or_else(Reply::from, Reply::ok)
}

fn run(org: &mut Org, call: &Call) -> Outcome<Json> {
    if call.bearer() != Some(org.admin_token.as_str()) {
        return Err(Fault::new(
            Code::InvalidSession,
            "faults need `Authorization: Bearer` with the admin token that this org printed at its start",
        ));
    }
    match call.method.as_str() {
        "GET" => {}
        "POST" => {
            let body = Json::Object(call.object()?);
            let given = match body.get("rules") {
                Some(rules) => serde_json::from_value::<Vec<FaultRule>>(rules.clone()),
                None => serde_json::from_value(body).map(|rule| vec![rule]),
            };
            let rules = given.map_err(|error| bad(&error.to_string()))?;
            if let Some(problem) = rules.iter().find_map(FaultRule::problem) {
                return Err(bad(problem));
            }
            for rule in rules {
                org.faults.arm(rule);
            }
        }
        "DELETE" => org.faults.clear(),
        method => return Err(Fault::method_not_allowed(method, "GET,POST,DELETE")),
    }
    Ok(org.faults.report())
}

fn bad(text: &str) -> Fault {
    Fault::new(Code::JsonParser, text)
}
