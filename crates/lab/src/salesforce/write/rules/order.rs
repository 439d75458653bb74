//! Orders: drafts, activation, and what is locked afterwards.

use super::Draft;
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::org::{Actor, Org};
use crate::salesforce::table::Row;
use crate::salesforce::value::Value;

/// What an activated order no longer lets anyone change.
const LOCKED: [&str; 4] = ["AccountId", "ContractId", "CurrencyIsoCode", "Pricebook2Id"];

pub(super) fn fill_in(draft: &mut Draft) {
    draft.set_default("TotalAmount", Value::Number(0.into()));
}

pub(super) fn check(org: &Org, actor: Actor, draft: &mut Draft) -> Outcome<()> {
    let activated = |value: Option<&Value>| value.and_then(Value::as_text) == Some("Activated");
    let (was, is) = (activated(draft.former("Status")), activated(draft.get("Status")));
    if draft.is_new() && is {
        return Err(failed_activation(
            "An order is created in a draft status, and activated by an update.",
        ));
    }
    if !was && is {
        check_activation(org, draft)?;
        draft.set("ActivatedDate", Some(Value::Moment(org.now())));
        draft.set("ActivatedById", Some(Value::Reference(actor.user)));
    }
    if was && is {
        check_locked(draft)?;
    }
    if was && !is {
        draft.set("ActivatedDate", None);
        draft.set("ActivatedById", None);
    }
    if draft.changed("Pricebook2Id") && !draft.is_new() && !lines(org, draft.row.id).is_empty() {
        return Err(Fault::of_field(
            Code::FieldIntegrity,
            "Pricebook2Id",
            "The price book of an order with products cannot be changed.",
        ));
    }
    let code = if is { "Activated" } else { "Draft" };
    draft.set("StatusCode", Some(Value::text(code)));
    Ok(())
}

fn check_activation(org: &Org, draft: &Draft) -> Outcome<()> {
    if draft.given_changes().iter().any(|field| *field != "Status") {
        return Err(failed_activation(
            "When an order is activated, Status is the only field that can be changed.",
        ));
    }
    if lines(org, draft.row.id).is_empty() {
        return Err(failed_activation("An order must have at least one product."));
    }
    Ok(())
}

fn check_locked(draft: &Draft) -> Outcome<()> {
    match draft
        .given_changes()
        .into_iter()
        .find(|field| LOCKED.contains(field))
    {
        Some(field) => Err(Fault::of_field(
            Code::EntityIsLocked,
            field,
            format!("{field} of an activated order is locked; the order has to be a draft to change it"),
        )),
        None => Ok(()),
    }
}

/// Refuses a change to the lines of an activated order.
pub(super) fn check_unlocked(org: &Org, order: Option<Value>) -> Outcome<()> {
    let order = order
        .and_then(|value| value.as_reference())
        .filter(|id| org.row(*id).is_some_and(|(_, row)| !row.deleted));
    let status = order.and_then(|id| org.text_of(id, "Status"));
    if status.as_deref() == Some("Activated") {
        return Err(Fault::new(
            Code::EntityIsLocked,
            "the products of an activated order are locked",
        ));
    }
    Ok(())
}

pub(super) fn before_delete(org: &Org, row: &Row) -> Outcome<()> {
    if org.text_of(row.id, "Status").as_deref() == Some("Activated") {
        return Err(Fault::new(
            Code::EntityIsLocked,
            "an activated order cannot be deleted; only a draft can",
        ));
    }
    Ok(())
}

fn lines(org: &Org, order: crate::salesforce::id::RecordId) -> Vec<crate::salesforce::id::RecordId> {
    org.children(order, "OrderItem", "OrderId")
}

fn failed_activation(message: &str) -> Fault {
    Fault::of_field(Code::FailedActivation, "Status", message)
}
