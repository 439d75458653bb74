//! Tasks.

use super::Draft;
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::org::Org;
use crate::salesforce::value::Value;

pub(super) fn fill_in(draft: &mut Draft) {
    draft.set_default("Status", Value::text("Not Started"));
    draft.set_default("Priority", Value::text("Normal"));
    draft.set_default("TaskSubtype", Value::text("Task"));
}

/// What derives from Status, Priority, WhoId and WhatId; a recurring task refuses Status and ActivityDate.
pub(super) fn check(org: &Org, draft: &mut Draft) -> Outcome<()> {
    if draft.flag("IsRecurrence") {
        let refused = draft
            .given_changes()
            .into_iter()
            .find(|name| matches!(*name, "Status" | "ActivityDate"));
        if let Some(field) = refused {
            return Err(Fault::of_field(
                Code::FieldIntegrity,
                field,
                format!("{field} cannot be set on a recurring task"),
            ));
        }
    }
    let closed = draft.text("Status") == Some("Completed");
    draft.set("IsClosed", Some(Value::Bool(closed)));
    match (closed, draft.get("CompletedDateTime").is_some()) {
        (true, false) => draft.set("CompletedDateTime", Some(Value::Moment(org.now()))),
        (false, true) => draft.set("CompletedDateTime", None),
        _ => {}
    }
    let high = draft.text("Priority") == Some("High");
    draft.set("IsHighPriority", Some(Value::Bool(high)));
    let account = account_of(org, draft);
    draft.set("AccountId", account);
    for (count, of) in [("WhoCount", "WhoId"), ("WhatCount", "WhatId")] {
        let number = i64::from(draft.get(of).is_some());
        draft.set(count, Some(Value::Number(number.into())));
    }
    Ok(())
}

/// The Account of a Task: WhatId itself, the Account of WhatId, else that of WhoId.
fn account_of(org: &Org, draft: &Draft) -> Option<Value> {
    if let Some(what) = draft.reference("WhatId") {
        if what.prefix() == "001" {
            return Some(Value::Reference(what));
        }
        if let Some(account) = org.value_of(what, "AccountId") {
            return Some(account);
        }
    }
    org.value_of(draft.reference("WhoId")?, "AccountId")
}
