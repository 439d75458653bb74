//! `/composite/graph`: graphs of up to 500 subrequests, each graph all or none.

use serde_json::{Value as Json, json};

use super::composite::{Subrequest, carry_out_all, check_references, read};
use super::{Call, Caller, Reply};
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::org::Org;

/// The most subrequests of a call, in all its graphs.
const MAX_NODES: usize = 500;
/// The most graphs of a call.
const MAX_GRAPHS: usize = 75;

/// Answers the call.
pub(super) fn run(org: &mut Org, caller: &Caller, call: &Call) -> Outcome<Reply> {
    if call.method != "POST" {
        return Err(Fault::method_not_allowed(&call.method, "POST"));
    }
    let body = call.object()?;
    let missing = |name: &str| Fault::new(Code::MissingArgument, format!("a list called {name} is missing"));
    let graphs = body
        .get("graphs")
        .and_then(Json::as_array)
        .ok_or_else(|| missing("graphs"))?;
    let mut read_graphs: Vec<(&str, Vec<Subrequest<'_>>)> = Vec::with_capacity(graphs.len());
    for graph in graphs {
        let name = graph.get("graphId").and_then(Json::as_str);
        let name = name.ok_or_else(|| Fault::new(Code::MissingArgument, "a graph lacks graphId"))?;
        let nodes = graph
            .get("compositeRequest")
            .and_then(Json::as_array)
            .ok_or_else(|| missing("compositeRequest"))?;
        let nodes = nodes.iter().map(read).collect::<Outcome<Vec<Subrequest<'_>>>>()?;
        check_references(&nodes)?;
        if read_graphs.iter().any(|(known, _)| *known == name) {
            return Err(Fault::new(
                Code::DuplicateValue,
                format!("Duplicate graphId: {name}"),
            ));
        }
        read_graphs.push((name, nodes));
    }
    check_limits(&read_graphs)?;
    let answers = read_graphs.iter().map(|(name, nodes)| {
        let (results, whole) = carry_out_all(org, caller, nodes, true);
        org.commit();
        json!({
            "graphId": name,
            "graphResponse": { "compositeResponse": results },
            "isSuccessful": whole,
        })
    });
    let answers: Vec<Json> = answers.collect();
    Ok(Reply::ok(json!({ "graphs": answers })))
}

fn check_limits(graphs: &[(&str, Vec<Subrequest<'_>>)]) -> Outcome<()> {
    let refuse = |text: String| Err(Fault::new(Code::LimitExceeded, text));
    if graphs.len() > MAX_GRAPHS {
        return refuse(format!("a request holds at most {MAX_GRAPHS} graphs"));
    }
    let nodes: usize = graphs.iter().map(|(_, nodes)| nodes.len()).sum();
    if nodes > MAX_NODES {
        return refuse(format!(
            "a request holds at most {MAX_NODES} nodes in all its graphs"
        ));
    }
    let is_record = |one: &Subrequest<'_>| one.url.contains("/sobjects/") && !one.url.contains("/composite/");
    match graphs
        .iter()
        .flat_map(|(_, nodes)| nodes)
        .find(|one| !is_record(one))
    {
        Some(other) => refuse(format!("a graph holds sObject rows only, not {}", other.url)),
        None => Ok(()),
    }
}
