//! Person accounts: an Account that is a person, and the Contact that follows it and is never written by itself.

use super::{Draft, account};
use crate::salesforce::audit::{Action, Change};
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::id::RecordId;
use crate::salesforce::org::{Actor, Org, Origin};
use crate::salesforce::table::Row;
use crate::salesforce::value::Value;

/// (field of the Contact, field of the Account that it follows).
const FOLLOWED: [(&str, &str); 8] = [
    ("FirstName", "FirstName"),
    ("LastName", "LastName"),
    ("Salutation", "Salutation"),
    ("Email", "PersonEmail"),
    ("MobilePhone", "PersonMobilePhone"),
    ("Birthdate", "PersonBirthdate"),
    ("Phone", "Phone"),
    ("Fax", "Fax"),
];
/// What only persons have.
const PERSONAL: [&str; 6] = [
    "FirstName",
    "LastName",
    "Salutation",
    "PersonEmail",
    "PersonMobilePhone",
    "PersonBirthdate",
];

/// An Account with a last name is a person, and called so.
pub(super) fn fill_in(draft: &mut Draft) {
    let personal = draft.kind().named("IsPersonAccount").is_some() && draft.text("LastName").is_some();
    if personal {
        draft.set("IsPersonAccount", Some(Value::Bool(true)));
        if draft.text("Name").is_none() {
            account::derive_person_name(draft);
        }
    }
}

/// A person's name is made of its parts; a company has none of them.
pub(super) fn check_account(draft: &mut Draft) -> Outcome<()> {
    if draft.kind().named("IsPersonAccount").is_none() {
        return Ok(());
    }
    let person = draft.flag("IsPersonAccount");
    let kind = draft.kind();
    let given = draft.given().map(|at| kind.field(at).name.clone());
    let bad: Vec<String> = given
        .filter(|name| {
            if person {
                name == "Name"
            } else {
                PERSONAL.contains(&name.as_str()) && draft.get(name).is_some()
            }
        })
        .collect();
    if !bad.is_empty() {
        return Err(Fault {
            code: Code::InvalidFieldForInsertUpdate,
            message: format!(
                "Account: bad field names on insert/update call: {}",
                bad.join(", ")
            ),
            fields: bad,
        });
    }
    if person {
        account::derive_person_name(draft);
    }
    Ok(())
}

/// The Contact of a person account is written through the Account alone; other Contacts do not belong to a person.
pub(super) fn check_contact(org: &Org, actor: Actor, draft: &Draft) -> Outcome<()> {
    if draft.flag("IsPersonAccount") {
        return if actor.origin == Origin::System {
            Ok(())
        } else {
            Err(through_account())
        };
    }
    let person = |account: RecordId| org.value_of(account, "IsPersonAccount") == Some(Value::Bool(true));
    if draft.reference("AccountId").is_some_and(person) {
        return Err(Fault::of_field(
            Code::FieldIntegrity,
            "AccountId",
            "a contact cannot be associated with a person account",
        ));
    }
    Ok(())
}

/// It goes with the Account, and not alone.
pub(super) fn before_delete(org: &Org, row: &Row) -> Outcome<()> {
    let account = org.value_of(row.id, "AccountId").and_then(|id| id.as_reference());
    let alive = account.is_some_and(|id| org.row(id).is_some_and(|(_, row)| !row.deleted));
    if alive && org.value_of(row.id, "IsPersonAccount") == Some(Value::Bool(true)) {
        return Err(through_account());
    }
    Ok(())
}

fn through_account() -> Fault {
    Fault::new(
        Code::InvalidOperation,
        "the contact of a person account can only be changed through the account",
    )
}

/// Creates the Contact of a person, or brings it in step.
pub(super) fn accompany(org: &mut Org, actor: Actor, id: RecordId) -> Outcome<()> {
    let Some(contacts) = org.optional("Contact") else {
        return Ok(());
    };
    if org.value_of(id, "IsPersonAccount") != Some(Value::Bool(true)) {
        return Ok(());
    }
    let schema = std::sync::Arc::clone(&org.schema);
    let kind = schema.object(contacts);
    let values = FOLLOWED.iter().filter_map(|(own, of)| {
        let at = kind.find(own)?;
        Some((at, org.value_of(id, of)))
    });
    let mut values: Vec<_> = values.collect();
    let system = Actor {
        origin: Origin::System,
        ..actor
    };
    let known = org
        .value_of(id, "PersonContactId")
        .and_then(|id| id.as_reference());
    let Some(contact) = known else {
        let more = [
            ("AccountId", Value::Reference(id)),
            ("IsPersonAccount", Value::Bool(true)),
        ];
        values.extend(
            more.into_iter()
                .filter_map(|(name, value)| Some((kind.find(name)?, Some(value)))),
        );
        let contact = org.insert(system, contacts, values)?;
        if let Some(accounts) = org.optional("Account") {
            org.recompute(accounts, id, |draft| {
                draft.set("PersonContactId", Some(Value::Reference(contact)));
            });
        }
        return Ok(());
    };
    let Some(before) = org.table(contacts).get_live(contact).cloned() else {
        return Ok(());
    };
    let mut draft = Draft::new(&schema, contacts, before.clone(), Some(before));
    draft.assign(values);
    account::derive_person_name(&mut draft);
    let fields = draft.differences();
    if fields.is_empty() {
        return Ok(());
    }
    let now = org.now();
    draft.row.modified = now;
    draft.row.modified_by = actor.user;
    draft.row.stamp = now;
    org.put(contacts, draft.row.clone());
    org.note(Change {
        at: now,
        user: actor.user,
        origin: Origin::System.as_str(),
        action: Action::Update,
        object: contacts,
        id: contact,
        fields,
    });
    Ok(())
}
