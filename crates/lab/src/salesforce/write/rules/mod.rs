//! What the org checks and derives beyond types and lengths, object by object.

mod account;
mod activity;
mod division;
mod invoice;
mod lines;
mod order;
mod person;
mod quote;
mod user;

use super::Draft;
use crate::salesforce::fault::{Code, Fault, Outcome};
use crate::salesforce::id::RecordId;
use crate::salesforce::org::{Actor, Org};
use crate::salesforce::schema::{Kind, ObjectIndex};
use crate::salesforce::table::Row;
use crate::salesforce::value::Value;

/// Fills in what a create leaves blank.
pub(super) fn fill_in(org: &Org, actor: Actor, draft: &mut Draft) {
    if draft.kind().named("OwnerId").is_some() {
        draft.set_default("OwnerId", Value::Reference(actor.user));
    }
    org.fill_record_type(draft);
    match draft.kind().name.as_str() {
        "Account" => person::fill_in(draft),
        "Task" => activity::fill_in(draft),
        "Division" => division::fill_in(org, draft),
        "User" => user::fill_in(org, draft),
        "OrderItem" | "QuoteLineItem" => lines::fill_in(org, draft),
        "Order" => order::fill_in(draft),
        "Quote" => quote::fill_in(org, draft),
        "Opportunity" => quote::fill_in_opportunity(draft),
        "Invoice__c" => draft.set_default("Status__c", Value::text("Draft")),
        _ => {}
    }
    set_defaults(draft);
    if let Some(currency) = org.options.currencies.first() {
        draft.set_default("CurrencyIsoCode", Value::text(currency.as_str()));
    }
}

/// Gives blank fields the values that they were deployed with.
fn set_defaults(draft: &mut Draft) {
    let schema = draft.schema();
    for field in schema.object(draft.object).fields() {
        let value = match (&field.default_value, field.kind) {
            (None, _) => continue,
            (Some(text), Kind::Boolean) => Value::Bool(text == "true"),
            (Some(text), _) => Value::text(text.as_str()),
        };
        draft.set_default(&field.name, value);
    }
}

/// Refuses blanks where the object must have a value.
pub(super) fn require(draft: &Draft) -> Outcome<()> {
    let kind = draft.kind();
    let missing: Vec<String> = if draft.is_new() {
        let blank = |name: &str| draft.get(name).is_none();
        kind.fields()
            .filter(|f| f.required && blank(&f.name))
            .map(|f| f.name.clone())
            .collect()
    } else {
        draft
            .given()
            .filter(|at| draft.row.values.get(*at).is_none())
            .map(|at| kind.field(at))
            .filter(|field| !field.nillable && field.kind != Kind::Boolean)
            .map(|field| field.name.clone())
            .collect()
    };
    if missing.is_empty() {
        return Ok(());
    }
    Err(Fault {
        code: Code::RequiredFieldMissing,
        message: format!("Required fields are missing: [{}]", missing.join(", ")),
        fields: missing,
    })
}

/// Checks what the object demands and sets what it derives.
pub(super) fn check(org: &mut Org, actor: Actor, draft: &mut Draft) -> Outcome<()> {
    check_owner(org, draft)?;
    org.check_record_type(draft)?;
    match draft.kind().name.as_str() {
        "Contact" => {
            person::check_contact(org, actor, draft)?;
            account::derive_person_name(draft);
        }
        "Account" => {
            account::check(draft)?;
            person::check_account(draft)?;
        }
        "Task" => activity::check(org, draft)?,
        "Division" => division::check(draft)?,
        "User" => user::check(org, actor, draft)?,
        "Order" => order::check(org, actor, draft)?,
        "OrderItem" | "QuoteLineItem" => lines::check(org, draft)?,
        "PricebookEntry" => lines::check_entry(org, draft)?,
        "Quote" => quote::check(org, draft),
        "Opportunity" => quote::check_opportunity(org, draft),
        "Invoice" => invoice::check(draft)?,
        _ => {}
    }
    Ok(())
}

/// Gives a new record its automatic number.
pub(super) fn number(org: &mut Org, draft: &mut Draft) {
    if let Some(form) = draft.kind().numbering.clone() {
        let number = org.table_mut(draft.object).draw_number();
        draft.set("Name", Some(Value::text(numbered(&form, number))));
        return;
    }
    let form: fn(u64) -> (&'static str, String) = match draft.kind().name.as_str() {
        "Order" => |n| ("OrderNumber", format!("{:08}", n + 99)),
        "Quote" => |n| ("QuoteNumber", format!("{n:08}")),
        "OrderItem" => |n| ("OrderItemNumber", format!("{n:010}")),
        "QuoteLineItem" => |n| ("LineNumber", format!("{n:08}")),
        "Invoice__c" => |n| ("Name", format!("INV-{n:06}")),
        "InvoiceLine__c" => |n| ("Name", format!("IL-{n:06}")),
        "Invoice" => |n| ("DocumentNumber", format!("INV-{n:010}")),
        _ => return,
    };
    let (field, text) = form(org.table_mut(draft.object).draw_number());
    draft.set(field, Some(Value::text(text)));
}

/// A number in a display format: `INV-{000000}` has six digits at least.
fn numbered(form: &str, number: u64) -> String {
    let parts = form
        .split_once('{')
        .and_then(|(before, rest)| Some((before, rest.split_once('}')?)));
    match parts {
        Some((before, (digits, after))) => format!("{before}{number:0width$}{after}", width = digits.len()),
        None => format!("{form}{number}"),
    }
}

/// Moves what other records derive from this one. Their modification times do not move, as with any roll-up.
pub(super) fn follow_up(org: &mut Org, draft: &Draft) {
    match draft.kind().name.as_str() {
        "OrderItem" => lines::roll_up_order(org, draft),
        "QuoteLineItem" => lines::roll_up_quote(org, draft),
        "Opportunity" if draft.changed("AccountId") && !draft.is_new() => quote::follow_account(org, draft),
        "User" => org.count_licenses(),
        "Product2" if !draft.is_new() => lines::follow_product(org, draft),
        _ => {}
    }
}

/// Refuses the deletion of what must stay.
pub(super) fn before_delete(org: &Org, object: ObjectIndex, row: &Row) -> Outcome<()> {
    match org.schema.object(object).name.as_str() {
        "Contact" => person::before_delete(org, row),
        "Order" => order::before_delete(org, row),
        "OrderItem" => order::check_unlocked(org, org.value_of(row.id, "OrderId")),
        "Pricebook2" if org.value_of(row.id, "IsStandard") == Some(Value::Bool(true)) => Err(Fault::new(
            Code::DeleteFailed,
            "The standard price book cannot be deleted.",
        )),
        _ => Ok(()),
    }
}

/// Lets the Contact of a person account follow it.
pub(super) fn accompany(org: &mut Org, actor: Actor, object: ObjectIndex, id: RecordId) -> Outcome<()> {
    if org.options.person_accounts && org.schema.object(object).name == "Account" {
        return person::accompany(org, actor, id);
    }
    Ok(())
}

fn check_owner(org: &Org, draft: &Draft) -> Outcome<()> {
    let Some(owner) = draft.reference("OwnerId").filter(|_| draft.changed("OwnerId")) else {
        return Ok(());
    };
    if owner.prefix() == "00G" {
        return org.check_queue(owner, &draft.kind().name);
    }
    if org.is_active(owner) {
        return Ok(());
    }
    Err(Fault::of_field(
        Code::InactiveOwner,
        "OwnerId",
        format!(
            "operation performed with inactive user [{owner}] as owner of {}",
            draft.kind().name.to_lowercase()
        ),
    ))
}
