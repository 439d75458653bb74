//! The standard Division.

use super::Draft;
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::org::Org;
use crate::salesforce::value::Value;

pub(super) fn fill_in(org: &Org, draft: &mut Draft) {
    draft.set_default("IsActive", Value::Bool(true));
    let next = u32::try_from(org.table(draft.object).live()).unwrap_or(u32::MAX);
    draft.set_default("SortOrder", Value::Number(next.into()));
}

pub(super) fn check(draft: &Draft) -> Outcome<()> {
    if draft.flag("IsGlobalDivision") && !draft.is_new() && !draft.flag("IsActive") {
        return Err(Fault::of_field(
            Code::CannotDeactivateDivision,
            "IsActive",
            "The global division cannot be deactivated.",
        ));
    }
    Ok(())
}
