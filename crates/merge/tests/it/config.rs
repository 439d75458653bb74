//! The flow files of this repository and the configuration's problems.
#![allow(
    clippy::disallowed_methods,
    reason = "the tests read the files that the core is given as text"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tandem_merge::config::{Configuration, Described, Kinds, Sources, load};

/// The kinds of systems as the connectors know them.
pub(crate) const KINDS: Kinds = Kinds {
    kinds: include_str!("../../../connector/src/kinds/kinds.csv"),
    properties: include_str!("../../../connector/src/kinds/properties.csv"),
};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The repository's flow files with the demo's main file, changed by `edit`.
pub(crate) fn sources(edit: impl Fn(&str) -> String) -> Sources {
    let main = std::fs::read_to_string(root().join("examples/demo/tandem.yaml")).unwrap();
    let folder = root().join("flows/customerp-salesforce");
    let mut flows: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    flows.sort();
    Sources {
        main: ("tandem.yaml".to_owned(), edit(&main)),
        flows,
        kinds: KINDS,
    }
}

/// What a Customerp says of itself.
pub(crate) fn described() -> BTreeMap<String, Described> {
    let mut described = Described::new();
    for row in include_str!("customerp.csv").lines().skip(1) {
        let cells: Vec<String> = row.splitn(3, ',').map(str::to_owned).collect();
        let [object, property, type_text] = cells.try_into().unwrap();
        described.entry(object).or_default().insert(property, type_text);
    }
    BTreeMap::from([("customerp".to_owned(), described)])
}

/// The demo's configuration.
pub(crate) fn demo() -> Configuration {
    configuration(str::to_owned)
}

/// The demo's configuration with a changed main file.
pub(crate) fn configuration(edit: impl Fn(&str) -> String) -> Configuration {
    load(&sources(edit)).unwrap_or_else(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"))
    })
}

#[test]
fn the_nine_flows_are_valid_and_parents_come_first() {
    let names: Vec<String> = demo().dataflow.flows.into_iter().map(|flow| flow.name).collect();
    let expected = "employee-user customer-division contact-contact product-product2 quote-quote order-order \
         quote-invoice order-invoice project-task order-line quote-line invoice-line quote-invoice-line";
    assert_eq!(names.join(" "), expected);
}

#[test]
fn the_bindings_decide_identities_and_creates() {
    use tandem_merge::dataflow::{CreatePolicy, Side};
    let demo = demo().dataflow;
    let invoice = demo.flow("order-invoice").unwrap().end(Side::Second);
    assert_eq!(invoice.object, "Invoice__c");
    assert_eq!(invoice.create, CreatePolicy::On);
    assert_eq!(invoice.only["Kind__c"], "Order".into());
    let identity = invoice.identity.as_ref().unwrap();
    assert_eq!(identity.value("7"), "Order:7".into());
    assert!(
        demo.flow("customer-division")
            .unwrap()
            .end(Side::Second)
            .identity
            .is_none()
    );

    let billing = configuration(|main| main.replace("Invoice: Invoice__c", "Invoice: Invoice")).dataflow;
    let invoice = billing.flow("order-invoice").unwrap().end(Side::Second);
    assert_eq!(invoice.create, CreatePolicy::Off);
    assert!(invoice.identity.is_none() && invoice.only.is_empty());
    assert_eq!(
        billing.flow("order-invoice").unwrap().group,
        billing.flow("quote-invoice").unwrap().group
    );
}

#[test]
fn users_are_created_only_where_the_connection_says_how() {
    use tandem_merge::dataflow::{CreatePolicy, Side};
    let with = demo();
    let user = with.dataflow.flow("employee-user").unwrap().end(Side::Second);
    assert_eq!(user.create, CreatePolicy::On);
    assert_eq!(user.constants["ProfileId"], "profile:Standard User".into());
    assert_eq!(user.constants["Alias"], "derive:alias".into());
    assert_eq!(user.constants["TimeZoneSidKey"], "Europe/Berlin".into());
    assert!(user.deactivate_needs_approval);
    assert!(with.remarks.is_empty());

    let without = configuration(|main| {
        let (before, rest) = main.split_once("    users:").unwrap();
        format!("{before}\nbindings:{}", rest.split_once("bindings:").unwrap().1)
    });
    let user = without.dataflow.flow("employee-user").unwrap().end(Side::Second);
    assert_eq!(user.create, CreatePolicy::Off);
    assert_eq!(without.remarks.len(), 1);
}

#[test]
fn the_main_file_switches_creation_in_the_first_system() {
    use tandem_merge::dataflow::{CreatePolicy, Side};
    let on = |configuration: &Configuration| -> Vec<String> {
        let flows = configuration.dataflow.flows.iter();
        let on = flows.filter(|flow| flow.end(Side::First).create == CreatePolicy::On);
        on.map(|flow| flow.name.clone()).collect()
    };
    let expected = [
        "contact-contact",
        "product-product2",
        "order-order",
        "order-invoice",
        "project-task",
        "order-line",
    ];
    assert_eq!(on(&demo()), expected);
    let silent = configuration(|main| main.split_once("create_in_customerp").unwrap().0.to_owned());
    assert!(on(&silent).is_empty());
}

#[test]
fn companions_know_their_owners() {
    use tandem_merge::dataflow::CompanionValue;
    let dataflow = demo().dataflow;
    let opportunity = &dataflow.flow("quote-quote").unwrap().companions[0];
    assert_eq!(
        (opportunity.role.as_str(), opportunity.owner.name.as_str()),
        ("Opportunity", "Quote")
    );
    let CompanionValue::Companion { role, of, owner } = &opportunity.values["AccountId"] else {
        panic!("{:?}", opportunity.values["AccountId"]);
    };
    assert_eq!(
        (role.as_str(), of.as_str(), owner.name.as_str()),
        ("Account", "customerId", "Customer")
    );
    let account = &dataflow.flow("order-invoice").unwrap().companions[0];
    assert_eq!(account.property, "BillingAccount__c");
    assert_eq!(account.find, ["Customerp_Id__c", "Name"]);
    assert_eq!(
        account.values,
        dataflow.flow("contact-contact").unwrap().companions[0].values
    );
}
