//! `/sobjects/{Object}/{id}/{relationship}`: what a record refers to, and what refers to it.

use super::{Call, Caller, Reply, query, rows};
use crate::salesforce::fault::{Fault, Outcome};
use crate::salesforce::id::RecordId;
use crate::salesforce::org::Org;
use crate::salesforce::schema::{Kind, ObjectIndex};
use crate::salesforce::value::Value;

/// Answers for the record at the end of the relationships, or the list of those that refer to the one before.
pub(super) fn related(
    org: &mut Org,
    caller: &Caller,
    call: &Call,
    (object, id): (ObjectIndex, RecordId),
    names: &[&str],
) -> Outcome<Reply> {
    let Some((name, rest)) = names.split_first() else {
        return rows::addressed(org, caller, call, object, id);
    };
    let row = org.visible_row(caller.actor, object, id)?;
    if let Some(field) = org.schema.object(object).relationship(name) {
        let target = row.values.get(field).and_then(Value::as_reference);
        let target = target.or_else(|| {
            org.value_of(id, &org.schema.object(object).field(field).name)?
                .as_reference()
        });
        let target = target.ok_or_else(Fault::not_found)?;
        let (object, _) = org.row(target).ok_or_else(Fault::not_found)?;
        return related(org, caller, call, (object, target), rest);
    }
    let children = org
        .schema
        .children_named(object, name)
        .filter(|_| rest.is_empty());
    let (child, field, _) = children.ok_or_else(Fault::not_found)?;
    if !matches!(call.method.as_str(), "GET" | "HEAD") {
        return Err(Fault::method_not_allowed(&call.method, "HEAD,GET"));
    }
    let kind = org.schema.object(child);
    let names = match call.parameter("fields") {
        Some(fields) => fields.to_owned(),
        None => kind
            .fields()
            .filter(|field| field.kind != Kind::Address)
            .map(|field| field.name.as_str())
            .collect::<Vec<&str>>()
            .join(","),
    };
    let statement = format!(
        "SELECT {names} FROM {} WHERE {} = '{id}'",
        kind.name,
        kind.field(field).name
    );
    query::list(org, caller, call, &statement)
}
