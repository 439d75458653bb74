//! What a configuration needs of an org beyond what every org has, as a source tree for Salesforce's own tools.
//!
//! Everything follows from the flows and bindings: a field that no flow uses is not written, and another binding gives
//! another tree. Only what no configuration says (labels, values of a picklist) stands in [`known`].

mod fields;
mod known;
mod permissions;
mod xml;

use std::collections::BTreeMap;

use serde_json::json;
use tandem_merge::config::Configuration;

use fields::Model;
use xml::Xml;

/// The version of the Metadata API that the files are written for.
const API_VERSION: &str = "62.0";
const ROOT: &str = "force-app/main/default";
/// The name of the permission set.
pub(crate) const PERMISSION_SET: &str = "Tandem";

/// Files by their paths below the folder.
pub(crate) type Tree = BTreeMap<String, String>;

/// What a tree holds, for people and scripts.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) tree: Tree,
    /// Custom objects.
    pub(crate) objects: Vec<String>,
    /// Custom fields, as `Object.Field`.
    pub(crate) fields: Vec<String>,
    /// Entities whose changes come as events.
    pub(crate) events: Vec<String>,
    /// What the tree cannot give, as sentences.
    pub(crate) remarks: Vec<String>,
}

/// The tree that a configuration needs.
pub(crate) fn contents(configuration: &Configuration) -> Contents {
    let model = Model::of(&configuration.dataflow);
    let mut tree = Tree::new();
    let project = json!({
        "packageDirectories": [{ "path": "force-app", "default": true }],
        "name": "tandem",
        "namespace": "",
        "sfdcLoginUrl": "https://login.salesforce.com",
        "sourceApiVersion": API_VERSION,
    });
    tree.insert("sfdx-project.json".to_owned(), format!("{project:#}\n"));
    for object in model.custom_objects().filter(|object| known::is_ours(object)) {
        let path = format!("{ROOT}/objects/{object}/{object}.object-meta.xml");
        tree.insert(path, fields::object(object).file("CustomObject"));
    }
    for (object, definitions) in &model.objects {
        // The fields of tasks are those of activities.
        let folder = if object == "Task" { "Activity" } else { object };
        for (name, definition) in definitions.iter().filter(|(_, it)| known::is_given(object, it)) {
            let path = format!("{ROOT}/objects/{folder}/fields/{name}.field-meta.xml");
            tree.insert(path, definition.xml(object, name).file("CustomField"));
        }
    }
    let set = permissions::set(configuration, &model);
    tree.insert(
        format!("{ROOT}/permissionsets/{PERMISSION_SET}.permissionset-meta.xml"),
        set.file("PermissionSet"),
    );
    let (events, remarks) = events(configuration);
    for entity in &events {
        // The name of a member has no underscore twice, its contents do.
        let name = format!("ChangeEvents_{entity}").replace("__", "_");
        let path = format!("{ROOT}/platformEventChannelMembers/{name}.platformEventChannelMember-meta.xml");
        let member = Xml::default()
            .put("eventChannel", "ChangeEvents")
            .put("selectedEntity", entity);
        tree.insert(path, member.file("PlatformEventChannelMember"));
    }
    Contents {
        tree,
        objects: model
            .custom_objects()
            .filter(|object| known::is_ours(object))
            .map(str::to_owned)
            .collect(),
        fields: model.field_names(),
        events,
        remarks,
    }
}

/// The change events of the record types that are configured to come as events.
fn events(configuration: &Configuration) -> (Vec<String>, Vec<String>) {
    let [_, salesforce] = &configuration.connections;
    let (mut events, mut remarks) = (Vec::new(), Vec::new());
    let ends = || configuration.dataflow.flows.iter().map(|flow| &flow.ends[1]);
    for name in &salesforce.changes.events {
        let Some(end) = ends().find(|end| end.record_type.name == *name) else {
            continue;
        };
        let entity = match end.object.strip_suffix("__c") {
            Some(custom) => format!("{custom}__ChangeEvent"),
            None if known::WITHOUT_EVENTS.contains(&end.object.as_str()) => {
                remarks.push(format!("{} has no change events: it is polled", end.object));
                continue;
            }
            None => format!("{}ChangeEvent", end.object),
        };
        if !events.contains(&entity) {
            events.push(entity);
        }
    }
    (events, remarks)
}

/// A name of the API in words: `InvoiceNumber__c` becomes `Invoice Number`.
fn words(name: &str) -> String {
    let mut words = String::new();
    let mut before = ' ';
    for character in name.trim_end_matches("__c").chars() {
        if character == '_' {
            words.push(' ');
        } else {
            if character.is_uppercase() && before.is_lowercase() {
                words.push(' ');
            }
            words.push(character);
        }
        before = character;
    }
    words
}

fn is_custom(name: &str) -> bool {
    name.ends_with("__c")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::loading::shipped;

    fn tree(division: &'static str, invoice: &'static str) -> Contents {
        contents(&shipped(division, invoice).unwrap())
    }

    fn file<'a>(contents: &'a Contents, path: &str) -> &'a str {
        &contents.tree[&format!("{ROOT}/{path}")]
    }

    #[test]
    fn names_become_words() {
        assert_eq!(words("InvoiceNumber__c"), "Invoice Number");
        assert_eq!(words("Customerp_Id__c"), "Customerp Id");
    }

    #[test]
    fn every_identity_is_a_unique_case_sensitive_external_id() {
        let contents = tree("Division__c", "Invoice__c");
        for object in [
            "Account",
            "Activity",
            "Contact",
            "Division__c",
            "Invoice__c",
            "InvoiceLine__c",
            "Opportunity",
            "Order",
            "Product2",
            "Quote",
            "User",
        ] {
            let field = file(
                &contents,
                &format!("objects/{object}/fields/Customerp_Id__c.field-meta.xml"),
            );
            for part in [
                "<caseSensitive>true</caseSensitive>",
                "<externalId>true</externalId>",
                "<length>255</length>",
                "<unique>true</unique>",
            ] {
                assert!(field.contains(part), "{object}: {field}");
            }
        }
    }

    #[test]
    fn a_changed_binding_changes_the_tree() {
        let ours = tree("Division__c", "Invoice__c");
        assert_eq!(ours.objects, ["Division__c", "InvoiceLine__c", "Invoice__c"]);
        assert!(ours.fields.contains(&"Division__c.PostalCode__c".to_owned()));
        let standard = tree("Division", "Invoice");
        assert!(standard.objects.is_empty(), "{:?}", standard.objects);
        assert!(
            standard
                .tree
                .keys()
                .all(|path| !path.contains("Division") && !path.contains("Invoice"))
        );
        assert!(standard.remarks[0].contains("Invoice has no change events"));
    }

    #[test]
    fn types_follow_the_mappings() {
        let contents = tree("Division__c", "Invoice__c");
        for (path, parts) in [
            (
                "objects/Invoice__c/fields/TotalAmount__c.field-meta.xml",
                vec![
                    "<type>Currency</type>",
                    "<precision>18</precision>",
                    "<scale>2</scale>",
                ],
            ),
            (
                "objects/Invoice__c/fields/Description__c.field-meta.xml",
                vec![
                    "<type>LongTextArea</type>",
                    "<length>32000</length>",
                    "<visibleLines>",
                ],
            ),
            (
                "objects/Invoice__c/fields/BillToContact__c.field-meta.xml",
                vec![
                    "<type>Lookup</type>",
                    "<referenceTo>Contact</referenceTo>",
                    "<relationshipName>Invoices_BillToContact</relationshipName>",
                ],
            ),
            (
                "objects/Invoice__c/fields/BillingAccount__c.field-meta.xml",
                vec!["<referenceTo>Account</referenceTo>"],
            ),
            (
                "objects/Invoice__c/fields/Order__c.field-meta.xml",
                vec!["<referenceTo>Order</referenceTo>"],
            ),
            (
                "objects/Invoice__c/fields/Quote__c.field-meta.xml",
                vec!["<referenceTo>Quote</referenceTo>"],
            ),
            (
                "objects/Invoice__c/fields/Kind__c.field-meta.xml",
                vec![
                    "<type>Picklist</type>",
                    "<fullName>Order</fullName>",
                    "<fullName>Quote</fullName>",
                ],
            ),
            (
                "objects/Invoice__c/fields/Status__c.field-meta.xml",
                vec!["<fullName>Voided</fullName>"],
            ),
            (
                "objects/InvoiceLine__c/fields/Invoice__c.field-meta.xml",
                vec![
                    "<type>MasterDetail</type>",
                    "<referenceTo>Invoice__c</referenceTo>",
                ],
            ),
            (
                "objects/Division__c/fields/IsActive__c.field-meta.xml",
                vec!["<type>Checkbox</type>", "<defaultValue>true</defaultValue>"],
            ),
            (
                "objects/Division__c/fields/Street__c.field-meta.xml",
                vec!["<type>TextArea</type>"],
            ),
            (
                "objects/Division__c/fields/Email__c.field-meta.xml",
                vec!["<type>Email</type>"],
            ),
            (
                "objects/Quote/fields/Customerp_Number__c.field-meta.xml",
                vec!["<type>Text</type>", "<length>40</length>"],
            ),
            (
                "objects/InvoiceLine__c/InvoiceLine__c.object-meta.xml",
                vec![
                    "<sharingModel>ControlledByParent</sharingModel>",
                    "<displayFormat>IL-{000000}</displayFormat>",
                ],
            ),
        ] {
            let text = file(&contents, path);
            for part in parts {
                assert!(text.contains(part), "{path}: {part}\n{text}");
            }
        }
    }

    #[test]
    fn the_permission_set_gives_what_is_used_and_no_more() {
        let contents = tree("Division__c", "Invoice__c");
        let set = file(&contents, "permissionsets/Tandem.permissionset-meta.xml");
        assert!(!set.contains("ModifyAllData") && !set.contains("<modifyAllRecords>true"));
        for part in [
            "<field>Task.Customerp_Id__c</field>",
            "<field>Invoice__c.BillToContact__c</field>",
            "<field>Contact.MailingAddress</field>",
            "<object>Invoice__c</object>",
            "<object>InvoiceLine__c</object>",
            "<name>ApiEnabled</name>",
            "<name>ActivateOrder</name>",
        ] {
            assert!(set.contains(part), "{part}\n{set}");
        }
        // Named in a permission set, each of these would be refused.
        for part in [
            "InvoiceLine__c.Invoice__c",
            "Order.EffectiveDate",
            "Contact.LastName",
            "MailingStreet",
            ">Task</object>",
            ">User</object>",
            "Activity.",
            "Invoice__c.Name",
        ] {
            assert!(!set.contains(part), "{part}");
        }
    }

    #[test]
    fn events_are_selected_for_the_configured_types() {
        let contents = tree("Division__c", "Invoice__c");
        let member = file(
            &contents,
            "platformEventChannelMembers/ChangeEvents_Invoice_ChangeEvent.platformEventChannelMember-meta.xml",
        );
        assert!(member.contains("<selectedEntity>Invoice__ChangeEvent</selectedEntity>"));
        assert_eq!(
            contents.events,
            [
                "ContactChangeEvent",
                "OrderChangeEvent",
                "QuoteChangeEvent",
                "TaskChangeEvent",
                "Invoice__ChangeEvent"
            ]
        );
    }
}
