//! The permission set: the objects and fields that are used, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use tandem_merge::config::Configuration;
use tandem_merge::dataflow::{CreatePolicy, DeletePolicy, Flow, Side};

use super::fields::Model;
use super::xml::Xml;
use super::{PERMISSION_SET, known};

/// What may be done with the records of an object; reading goes without saying.
#[derive(Clone, Copy, Debug, Default)]
struct Allowed {
    create: bool,
    edit: bool,
    delete: bool,
}

/// The whole permission set.
pub(super) fn set(configuration: &Configuration, model: &Model) -> Xml {
    let allowed = allowed(configuration, model);
    let description = "What Tandem uses: objects, fields and user permissions. Without Modify All Data.";
    let mut xml = Xml::default()
        .put("label", PERMISSION_SET)
        .put("description", description)
        .put("hasActivationRequired", "false");
    for (field, editable) in fields(model) {
        xml = xml.nest(
            "fieldPermissions",
            Xml::default()
                .put("editable", editable.to_string())
                .put("field", field)
                .put("readable", "true"),
        );
    }
    for (object, allowed) in &allowed {
        if known::WITHOUT_PERMISSIONS.contains(&object.as_str()) {
            continue;
        }
        xml = xml.nest("objectPermissions", object_permissions(object, *allowed));
    }
    xml.each(
        "userPermissions",
        user_permissions(configuration, &allowed),
        |name| Xml::default().put("enabled", "true").put("name", name),
    )
}

fn object_permissions(object: &str, allowed: Allowed) -> Xml {
    Xml::default()
        .put("allowCreate", allowed.create.to_string())
        .put("allowDelete", allowed.delete.to_string())
        // Who may delete must be able to edit.
        .put("allowEdit", (allowed.edit || allowed.delete).to_string())
        .put("allowRead", "true")
        .put("modifyAllRecords", "false")
        .put("object", object)
        // Everything is compared, whoever owns it; events are told to those alone who may see all records.
        .put("viewAllRecords", "true")
}

fn allowed(configuration: &Configuration, model: &Model) -> BTreeMap<String, Allowed> {
    let mut objects: BTreeMap<String, Allowed> = BTreeMap::new();
    for flow in &configuration.dataflow.flows {
        let end = flow.end(Side::Second);
        let known = objects.entry(end.object.clone()).or_default();
        known.create |= end.create != CreatePolicy::Off;
        known.edit |= end.write;
        known.delete |= may_delete(flow);
        for rule in &flow.companions {
            let companion = objects.entry(rule.record_type.name.clone()).or_default();
            companion.create |= rule.create;
            companion.edit |= rule.create;
        }
    }
    // The lines of our invoices come and go with them.
    for (detail, _, master) in known::DETAILS {
        if let (true, Some(of)) = (model.objects.contains_key(detail), objects.get(master)) {
            let all = Allowed {
                delete: of.edit,
                ..*of
            };
            objects.insert(detail.to_owned(), all);
        }
    }
    // Lines are reached through their order or quote, and priced by a price book.
    if objects.contains_key("OrderItem") || objects.contains_key("QuoteLineItem") {
        objects.entry("Pricebook2".to_owned()).or_default();
    }
    objects
}

/// Whether a deletion in the ERP can lead to one here, by itself or once a person says so.
fn may_delete(flow: &Flow) -> bool {
    let policy = flow.end(Side::First).on_delete;
    matches!(
        policy,
        DeletePolicy::Propagate | DeletePolicy::Ask | DeletePolicy::AskThenDeactivate
    )
}

/// Fields with field-level security, and whether they are written.
fn fields(model: &Model) -> BTreeMap<String, bool> {
    let mut fields = BTreeMap::new();
    for (object, definitions) in &model.objects {
        for (name, _) in definitions.iter().filter(|(_, definition)| definition.secured()) {
            let written = !model.read_only.contains(&(object.clone(), name.clone()));
            fields.insert(format!("{object}.{name}"), written);
        }
    }
    for (object, secured) in known::SECURED {
        for (name, written) in model.standard.get(object).into_iter().flatten() {
            let name = address(name).unwrap_or_else(|| name.clone());
            if secured.contains(&name.as_str()) {
                *fields.entry(format!("{object}.{name}")).or_default() |= *written;
            }
        }
    }
    fields
}

/// The address that a field is a part of: it is secured as a whole.
fn address(field: &str) -> Option<String> {
    let prefixes = ["Mailing", "Billing", "Shipping"];
    let prefix = prefixes.into_iter().find(|prefix| field.starts_with(prefix))?;
    known::ADDRESS_PARTS
        .contains(&&field[prefix.len()..])
        .then(|| format!("{prefix}Address"))
}

fn user_permissions(
    configuration: &Configuration,
    objects: &BTreeMap<String, Allowed>,
) -> BTreeSet<&'static str> {
    let mut names = BTreeSet::from(["ApiEnabled"]);
    let [_, salesforce] = &configuration.connections;
    if objects.contains_key("Task") {
        names.insert("EditTask");
    }
    if objects.contains_key("Order") {
        names.insert("ActivateOrder");
    }
    if objects.contains_key("User") {
        names.insert("ViewAllUsers");
    }
    if salesforce.users.is_some() {
        names.extend(["ManageInternalUsers", "ViewSetup"]);
    }
    names
}
