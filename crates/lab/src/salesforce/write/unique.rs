//! Values that no two records may share.

use super::Draft;
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::id::RecordId;
use crate::salesforce::org::Org;
use crate::salesforce::schema::Field;

impl Org {
    pub(super) fn check_unique(&self, draft: &Draft) -> Outcome<()> {
        for (at, field) in draft.kind().numbered().filter(|(_, field)| field.unique()) {
            let Some(text) = draft.text(&field.name) else {
                continue;
            };
            let holder = self.table(draft.object).holder(at, text);
            if let Some(other) = holder.filter(|other| *other != draft.row.id) {
                return Err(duplicate(field, other));
            }
        }
        Ok(())
    }
}

fn duplicate(field: &Field, other: RecordId) -> Fault {
    let (code, message) = match field.name.as_str() {
        "Username" => (
            Code::DuplicateUsername,
            "Duplicate Username.<br>The username already exists in this or another Salesforce organization. \
             Usernames must be unique across all Salesforce organizations. To resolve, use a different username (it \
             doesn't need to match the user's email address). "
                .to_owned(),
        ),
        "CommunityNickname" => (
            Code::DuplicateNickname,
            "Another user has already selected this nickname.<br>Please select another.".to_owned(),
        ),
        name => (
            Code::DuplicateValue,
            format!("duplicate value found: {name} duplicates value on record with id: {}", other.short()),
        ),
    };
    // The API names no field for a unique external id.
    let fields = if code == Code::DuplicateValue {
        Vec::new()
    } else {
        vec![field.name.clone()]
    };
    Fault {
        code,
        message,
        fields,
    }
}
