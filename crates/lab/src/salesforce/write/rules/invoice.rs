//! The standard Invoice.

use super::Draft;
use crate::salesforce::fault::{Code, Fault, Outcome};

/// A posted invoice is locked.
pub(super) fn check(draft: &Draft) -> Outcome<()> {
    if !draft.is_new() && draft.text("Status") == Some("Posted") {
        return Err(Fault::new(
            Code::EntityIsLocked,
            "the invoice is posted and cannot be changed",
        ));
    }
    Ok(())
}
