//! The flow between customers and Accounts: off unless it is named, and then the way to the Account.

use crate::config::{configuration, demo, sources};
use crate::plan_laws::{facts, seen, values};
use tandem_merge::cluster::{Cluster, Companion, Intent};
use tandem_merge::config::load;
use tandem_merge::dataflow::{CompanionValue, Dataflow, Kind, Reference, Side};
use tandem_merge::document::{Format, Options, render};
use tandem_merge::reconcile::reconcile;
use tandem_merge::record::RecordKey;

fn with_accounts() -> Dataflow {
    configuration(|main| format!("{main}\nwith: [customer-account]\n")).dataflow
}

#[test]
fn references_go_through_the_flow_once_it_is_on() {
    let account = Reference::Flow("customer-account".to_owned());
    for (flows, through) in [(demo().dataflow, false), (with_accounts(), true)] {
        assert_eq!(flows.flow("customer-account").is_some(), through);
        for (name, property) in [
            ("contact-contact", "AccountId"),
            ("order-order", "AccountId"),
            ("order-invoice", "BillingAccount__c"),
            ("quote-invoice", "BillingAccount__c"),
            ("project-task", "WhatId"),
        ] {
            let flow = flows.flow(name).unwrap();
            let row = flow
                .mappings
                .iter()
                .find(|row| row.property(Side::Second) == property);
            let row = row.unwrap();
            assert_eq!(row.kind == Kind::Reference(account.clone()), through, "{name}");
            assert_eq!(row.awaited, through, "{name}");
            assert_eq!(row.data_types[1], "reference(Account)");
            let companion = flow.companions.iter().any(|rule| rule.role == "Account");
            assert_eq!(companion, !through, "{name}");
        }
        let quote = flows.flow("quote-quote").unwrap();
        let opportunity = quote
            .companions
            .iter()
            .find(|rule| rule.role == "Opportunity")
            .unwrap();
        let linked = matches!(&opportunity.values["AccountId"], CompanionValue::Linked { flow, .. } if flow == "customer-account");
        assert_eq!(linked, through);
    }
    // Parents come first.
    let flows = with_accounts();
    let place = |name: &str| flows.flows.iter().position(|flow| flow.name == name).unwrap();
    for child in ["contact-contact", "order-order", "quote-quote", "project-task"] {
        assert!(place("customer-account") < place(child), "{child}");
    }
}

#[test]
fn only_a_flow_that_is_there_and_optional_can_be_named() {
    for (named, help) in [
        ("customer-acount", "Did you mean `customer-account`?"),
        ("order-order", "Write one of"),
    ] {
        let problems = load(&sources(|main| format!("{main}\nwith: [{named}]\n"))).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].message.contains(named) && problems[0].help.contains(help),
            "{problems:?}"
        );
    }
}

#[test]
fn an_account_that_was_made_as_a_companion_is_linked_whatever_its_keys() {
    let flows = with_accounts();
    let customer = RecordKey::new("customerp", "Customer", "1");
    let own = values(&[("name", "Acme"), ("customerNumber", "C1")]);
    let account = |id: &str, name: &str| {
        let row = values(&[("Name", name)]);
        seen(&RecordKey::new("salesforce", "Account", id), 1, row)
    };
    let mut cluster = reconcile(
        &flows,
        Cluster::default(),
        vec![seen(&customer, 1, own)],
        &facts(),
    )
    .cluster;
    let made = Companion {
        id: Some("a".to_owned()),
        created: false,
        parked: None,
        lost: Default::default(),
    };
    let record = cluster.records.get_mut(&customer).unwrap();
    record.companions.insert("Account".to_owned(), made);
    cluster.creates.clear();
    let rows = vec![account("a", "Acme, renamed"), account("b", "Acme")];
    let plan = reconcile(&flows, cluster, rows, &facts());
    let mut links = plan
        .cluster
        .links
        .iter()
        .filter(|link| link.flow == "customer-account");
    assert_eq!(links.next().unwrap().second.id, "a");
    assert!(links.next().is_none());
    let beside = |intent: &Intent| format!("{:?}", intent.action).contains("Account");
    assert!(!plan.cluster.creates.iter().any(beside), "{plan:?}");
}

#[test]
fn the_document_has_a_tenth_section_only_where_the_flow_is_on() {
    let options = Options {
        reverse: false,
        plain: true,
        crlf: false,
        format: Format::Rst,
        generated: String::new(),
    };
    let text = |flows: &Dataflow| render(flows, &options);
    let heading = "Customerp Customer to Salesforce Account";
    assert!(!text(&demo().dataflow).contains(heading));
    assert!(text(&with_accounts()).contains(heading));
}
