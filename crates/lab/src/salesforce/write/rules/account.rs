//! Accounts and Contacts.

use super::Draft;
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::value::Value;

/// `Name` of a person: first and last name.
pub(super) fn derive_person_name(draft: &mut Draft) {
    let parts =
        ["FirstName", "MiddleName", "LastName", "Suffix"].map(|part| draft.text(part).unwrap_or_default());
    let words: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let name = words.join(" ");
    draft.set("Name", Some(Value::text(name)));
}

/// An Account is not its own parent.
pub(super) fn check(draft: &Draft) -> Outcome<()> {
    if draft.reference("ParentId") == Some(draft.row.id) {
        return Err(Fault::of_field(
            Code::FieldIntegrity,
            "ParentId",
            "An account cannot be its own parent.",
        ));
    }
    Ok(())
}
