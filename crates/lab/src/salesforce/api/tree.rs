//! `/composite/tree/{Object}`: records with their children, all or none.

use serde_json::{Map, Value as Json, json};

use super::{Call, Caller, Reply};
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::id::RecordId;
use crate::salesforce::org::{Actor, Org};
use crate::salesforce::schema::{FieldIndex, ObjectIndex};

/// The most records of a call, in all trees.
const MAX_RECORDS: usize = 200;
/// How deep a tree may be.
const MAX_DEPTH: usize = 5;
/// The most objects of a call.
const MAX_OBJECTS: usize = 5;

/// One record of a tree; a parent stands before its children.
struct Node {
    object: ObjectIndex,
    reference: String,
    body: Map<String, Json>,
    /// The place of the parent in the list, and the field that refers to it.
    parent: Option<(usize, FieldIndex)>,
}

/// Answers the call.
pub(super) fn run(org: &mut Org, caller: &Caller, call: &Call, object: &str) -> Outcome<Reply> {
    if call.method != "POST" {
        return Err(Fault::method_not_allowed(&call.method, "POST"));
    }
    let object = org.object_named(object)?;
    let body = call.object()?;
    let mut nodes = Vec::new();
    plant(org, object, &body, None, 1, &mut nodes)?;
    check(&nodes)?;
    let mark = org.mark();
    match create_all(org, caller.actor, &nodes) {
        Ok(ids) => {
            let results = nodes.iter().zip(ids);
            let results =
                results.map(|(node, id)| json!({ "referenceId": node.reference, "id": id.to_string() }));
            Ok(Reply::created(
                json!({ "hasErrors": false, "results": results.collect::<Vec<Json>>() }),
            ))
        }
        Err(failures) => {
            org.roll_back(mark);
            let results = failures.iter().map(
                |(at, fault)| json!({ "referenceId": nodes[*at].reference, "errors": [fault.collection()] }),
            );
            Ok(Reply {
                status: 400,
                ..Reply::ok(json!({ "hasErrors": true, "results": results.collect::<Vec<Json>>() }))
            })
        }
    }
}

/// Puts the records of a list, each before its children, into the nodes.
fn plant(
    org: &Org,
    object: ObjectIndex,
    list: &Map<String, Json>,
    parent: Option<(usize, FieldIndex)>,
    depth: usize,
    nodes: &mut Vec<Node>,
) -> Outcome<()> {
    if depth > MAX_DEPTH {
        return Err(Fault::new(
            Code::LimitExceeded,
            format!("a tree is at most {MAX_DEPTH} records deep"),
        ));
    }
    let records = list.get("records").and_then(Json::as_array);
    let records =
        records.ok_or_else(|| Fault::new(Code::MissingArgument, "there is no list called records"))?;
    for record in records {
        let record = record
            .as_object()
            .ok_or_else(|| Fault::new(Code::JsonParser, "each of records has to be an object"))?;
        let at = nodes.len();
        nodes.push(node(org, object, record, parent)?);
        for (name, value) in record {
            let Some(children) = value.as_object().filter(|value| value.contains_key("records")) else {
                continue;
            };
            let (child, field, _) = org.schema.children_named(object, name).ok_or_else(|| {
                Fault::new(
                    Code::InvalidField,
                    format!("{} has no children called {name}", org.schema.object(object).name),
                )
            })?;
            plant(org, child, children, Some((at, field)), depth + 1, nodes)?;
        }
    }
    Ok(())
}

fn node(
    org: &Org,
    object: ObjectIndex,
    record: &Map<String, Json>,
    parent: Option<(usize, FieldIndex)>,
) -> Outcome<Node> {
    let attribute = |name: &str| {
        let found = record.get("attributes").and_then(|given| given.get(name));
        found
            .and_then(Json::as_str)
            .ok_or_else(|| Fault::new(Code::MissingArgument, format!("a record lacks attributes.{name}")))
    };
    let reference = attribute("referenceId")?.to_owned();
    let kind = attribute("type")?;
    if !kind.eq_ignore_ascii_case(&org.schema.object(object).name) {
        return Err(Fault::new(
            Code::InvalidType,
            format!(
                "{reference} is a {kind}, not a {}",
                org.schema.object(object).name
            ),
        ));
    }
    let is_list = |value: &Json| value.get("records").is_some();
    let own = record.iter().filter(|(_, value)| !is_list(value));
    Ok(Node {
        object,
        reference,
        body: own.map(|(name, value)| (name.clone(), value.clone())).collect(),
        parent,
    })
}

fn check(nodes: &[Node]) -> Outcome<()> {
    let refuse = |text: String| Err(Fault::new(Code::LimitExceeded, text));
    if nodes.len() > MAX_RECORDS {
        return refuse(format!("a tree request holds at most {MAX_RECORDS} records"));
    }
    let mut objects: Vec<ObjectIndex> = nodes.iter().map(|node| node.object).collect();
    objects.sort_unstable();
    objects.dedup();
    if objects.len() > MAX_OBJECTS {
        return refuse(format!(
            "a tree request holds at most {MAX_OBJECTS} types of records"
        ));
    }
    for (place, node) in nodes.iter().enumerate() {
        if nodes[..place]
            .iter()
            .any(|other| other.reference == node.reference)
        {
            return Err(Fault::new(
                Code::InvalidInput,
                format!(
                    "Duplicate ReferenceId provided in the request: {}",
                    node.reference
                ),
            ));
        }
    }
    Ok(())
}

/// Creates every record, or tells all that cannot be; children of those are left out.
fn create_all(org: &mut Org, actor: Actor, nodes: &[Node]) -> Result<Vec<RecordId>, Vec<(usize, Fault)>> {
    let mut ids: Vec<Option<RecordId>> = Vec::with_capacity(nodes.len());
    let mut failures = Vec::new();
    for (at, node) in nodes.iter().enumerate() {
        let mut body = node.body.clone();
        if let Some((parent, field)) = node.parent {
            let Some(id) = ids[parent] else {
                ids.push(None);
                continue;
            };
            let name = org.schema.object(node.object).field(field).name.clone();
            body.insert(name, Json::String(id.to_string()));
        }
        match org.attempt(|org| org.create(actor, node.object, &body)) {
            Ok(id) => ids.push(Some(id)),
            Err(fault) => {
                failures.push((at, fault));
                ids.push(None);
            }
        }
    }
    if failures.is_empty() {
        Ok(ids.into_iter().flatten().collect())
    } else {
        Err(failures)
    }
}
