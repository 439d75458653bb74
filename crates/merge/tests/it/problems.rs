//! Wrong configurations: all problems at once, each with its place and what to write instead.
#![allow(
    clippy::disallowed_methods,
    reason = "the tests read the files that the core is given as text"
)]

use crate::config::{described, root, sources};
use std::fmt::Write;
use tandem_merge::config::{Problem, Sources, load, load_against};

/// The demo's sources with one text of one flow file replaced.
fn changed(file: &str, from: &str, to: &str) -> Vec<Problem> {
    let mut sources = sources(str::to_owned);
    let (_, text) = sources.flows.iter_mut().find(|(name, _)| name == file).unwrap();
    assert!(text.contains(from), "{file} has no `{from}`");
    *text = text.replacen(from, to, 1);
    load_against(&sources, &described()).unwrap_err()
}

pub(crate) fn main_changed(from: &str, to: &str) -> Vec<Problem> {
    load(&sources(|main| {
        assert!(main.contains(from), "no `{from}`");
        main.replacen(from, to, 1)
    }))
    .err()
    .unwrap_or_default()
}

/// The one problem, which must say all of the parts.
#[track_caller]
pub(crate) fn only(problems: &[Problem], parts: &[&str]) {
    let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 1, "{shown:#?}");
    for part in parts {
        assert!(shown[0].contains(part), "{} lacks {part}", shown[0]);
    }
}

#[test]
fn a_badly_broken_configuration_shows_all_its_problems() {
    let folder = root().join("crates/merge/tests/it/broken");
    let read = |name: &str| {
        (
            name.to_owned(),
            std::fs::read_to_string(folder.join(name)).unwrap(),
        )
    };
    let flows = [
        "employee.yaml",
        "order-invoice.yaml",
        "order-order.yaml",
        "product.yaml",
        "torn.yaml",
    ];
    let sources = Sources {
        main: read("tandem.yaml"),
        flows: flows.map(read).into(),
        kinds: crate::config::KINDS,
    };
    let mut text = String::new();
    for problem in load_against(&sources, &described()).unwrap_err() {
        let Problem {
            file,
            line,
            column,
            message,
            help,
        } = problem;
        writeln!(text, "{file}:{line}:{column}\n  {message}\n  {help}").unwrap();
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_misspelled_key_is_named_with_its_place() {
    let problems = changed("contact-contact.yaml", "conflict: latest", "conflct: latest");
    only(
        &problems,
        &[
            "contact-contact.yaml:11:1",
            "unknown key `conflct`",
            "Did you mean `conflict`?",
        ],
    );
}

#[test]
fn an_unknown_property_is_named() {
    let problems = changed(
        "contact-contact.yaml",
        "customerp: firstName",
        "customerp: fristName",
    );
    assert_eq!(problems.len(), 1, "the match keys name it rightly: {problems:?}");
    assert!(
        problems
            .iter()
            .any(|problem| problem.help == "Did you mean `firstName`?")
    );
}

#[test]
fn an_org_may_have_any_object_and_property_that_has_the_form_of_a_name() {
    let with = |from: &str, to: &str| {
        let mut sources = sources(str::to_owned);
        let mut files = sources.flows.iter_mut();
        let (_, text) = files.find(|(name, _)| name == "project-task.yaml").unwrap();
        assert!(text.contains(from));
        *text = text.replacen(from, to, 1);
        load(&sources)
    };
    for (from, to) in [
        ("salesforce: Task", "salesforce: Case"),
        ("salesforce: Task", "salesforce: Visit__c"),
        ("salesforce: Subject", "salesforce: Headline"),
    ] {
        assert!(with(from, to).is_ok(), "{to}: {:?}", with(from, to));
    }
    for (from, to) in [
        ("salesforce: Task", "salesforce: My Case"),
        ("salesforce: Subject", "salesforce: Owner.Name"),
    ] {
        let problems = with(from, to).unwrap_err();
        let named = problems
            .iter()
            .any(|problem| problem.help.contains("begin with a letter"));
        assert!(named, "{to}: {problems:?}");
    }
    // What is known is still held against the row.
    let problems = with(
        "customerp: dueDate, salesforce: ActivityDate, type: date",
        "customerp: dueDate, salesforce: IsClosed, type: date",
    )
    .unwrap_err();
    assert!(
        problems
            .iter()
            .any(|problem| problem.message.contains("Task.IsClosed is of type boolean"))
    );
}

#[test]
fn a_customers_own_property_is_allowed() {
    let mut sources = sources(str::to_owned);
    let (_, text) = sources
        .flows
        .iter_mut()
        .find(|(name, _)| name == "contact-contact.yaml")
        .unwrap();
    *text = text.replacen("salesforce: Department", "salesforce: Our_Department__c", 1);
    load(&sources).unwrap();
}

#[test]
fn a_wrong_type_is_refused() {
    let problems = changed("contact-contact.yaml", "type: date", "type: boolean");
    assert_eq!(problems.len(), 2, "either side knows better: {problems:?}");
    assert!(
        problems
            .iter()
            .all(|problem| problem.help == "Write `type: date`.")
    );
    let problems = changed("contact-contact.yaml", "type: date", "type: dat");
    assert_eq!(problems.len(), 2, "a match key misses it too: {problems:?}");
    only(&problems[1..], &["unknown type `dat`", "Did you mean `date`?"]);
}

#[test]
fn a_reference_to_no_flow_is_refused() {
    let problems = changed(
        "project-task.yaml",
        "references: employee-user",
        "references: employee-users",
    );
    only(&problems, &["refers to no flow", "Did you mean `employee-user`?"]);
}

#[test]
fn a_reference_to_the_wrong_flow_is_refused() {
    let problems = changed(
        "project-task.yaml",
        "references: employee-user",
        "references: product-product2",
    );
    only(
        &problems,
        &[
            "refers to Employee, but flow product-product2 keeps Product",
            "employee-user",
        ],
    );
}

#[test]
fn a_property_is_mapped_once() {
    let problems = changed(
        "contact-contact.yaml",
        "customerp: department",
        "customerp: title",
    );
    only(&problems, &["`title` is mapped twice in flow contact-contact"]);
}

#[test]
fn flows_that_share_a_component_share_a_policy() {
    let problems = changed("order-order.yaml", "owner: customerp", "owner: salesforce");
    assert!(!problems.is_empty());
    for problem in &problems {
        assert!(
            problem.message.contains("decide conflicts differently"),
            "{problem}"
        );
        assert!(
            problem.message.contains("order-order") && problem.message.contains("order-invoice"),
            "{problem}"
        );
    }
}

#[test]
fn unknown_policy_values_are_refused() {
    let problems = changed("contact-contact.yaml", "conflict: latest", "conflict: lastest");
    only(
        &problems,
        &["unknown conflict policy `lastest`", "Did you mean `latest`?"],
    );
    let problems = changed(
        "contact-contact.yaml",
        "customerp: ask, salesforce: ask",
        "customerp: aks",
    );
    only(&problems, &["unknown delete policy `aks`", "Did you mean `ask`?"]);
    let problems = changed("contact-contact.yaml", "salesforce: on", "salesforce: sometimes");
    only(&problems, &["unknown create policy `sometimes`", "only-new"]);
}

#[test]
fn an_owner_must_be_named() {
    let problems = changed("order-order.yaml", "owner: customerp\n", "");
    assert!(
        problems
            .iter()
            .any(|problem| problem.message == "`conflict: owner` without an owner")
    );
}

#[test]
fn match_keys_must_be_stated_and_mapped() {
    let problems = changed("quote-line.yaml", "match: []\n", "");
    only(&problems, &["`match` is missing"]);
    let problems = changed("product-product2.yaml", "{ sku: trim,", "{ skew: trim,");
    only(&problems, &["match key `skew` is mapped by no row"]);
}

#[test]
fn an_enum_needs_a_way_back() {
    let from = "low: Low }";
    let problems = changed("project-task.yaml", from, "low: Low, none: Low }");
    only(&problems, &["low, none all become `Low`", "back: { Low: low }"]);
}

#[test]
fn on_create_is_for_values_that_do_not_travel_there() {
    let from = "customerp: department, salesforce: Department";
    let problems = changed("contact-contact.yaml", from, &format!("{from}, on_create: value"));
    only(&problems, &["on the wrong side", "direction: to-customerp"]);
}

#[test]
fn companions_name_a_role_and_a_reference() {
    let problems = changed("project-task.yaml", "role: Account", "role: Acount");
    only(
        &problems,
        &["no companion has the role `Acount`", "Did you mean `Account`?"],
    );
    let problems = changed("project-task.yaml", "of: customerId", "of: custmerId");
    only(
        &problems,
        &[
            "`custmerId` is no reference of this flow",
            "Did you mean `customerId`?",
        ],
    );
    let problems = changed("contact-contact.yaml", "Website: website", "Website: websit");
    only(
        &problems,
        &["Customer has no property `websit`", "Did you mean `website`?"],
    );
}

#[test]
fn references_do_not_go_in_a_circle() {
    let row = "  - { customerp: title, salesforce: Title, salesforce_length: 128 }";
    let circle = "  - { customerp: title, customerp_type: reference(Order), salesforce: Our_Order__c, references: order-order }";
    let problems = changed("contact-contact.yaml", row, circle);
    let circles: Vec<_> = problems
        .iter()
        .filter(|problem| problem.message.contains("circle"))
        .collect();
    assert_eq!(circles.len(), 1, "{problems:?}");
    assert!(
        circles[0].message.contains("contact-contact -> "),
        "{}",
        circles[0]
    );
}

#[test]
fn names_of_flows_are_unique() {
    let problems = changed("quote-invoice.yaml", "flow: quote-invoice", "flow: order-invoice");
    assert!(
        problems
            .iter()
            .any(|problem| problem.message == "two flows have the name `order-invoice`")
    );
}

#[test]
fn flows_of_a_group_share_a_record_type() {
    let problems = changed(
        "quote-quote.yaml",
        "section: 9",
        "group: contact-contact\nsection: 9",
    );
    only(&problems, &["has no record type in common with flow"]);
}

#[test]
fn files_must_have_content() {
    let mut empty = sources(str::to_owned);
    empty.flows.push(("empty.yaml".to_owned(), "\n".to_owned()));
    only(
        &load(&empty).unwrap_err(),
        &["empty.yaml:1:1", "the file is empty"],
    );
    let none = Sources {
        flows: Vec::new(),
        ..sources(str::to_owned)
    };
    assert!(
        load(&none)
            .unwrap_err()
            .iter()
            .any(|problem| problem.message == "there is no flow")
    );
}

#[test]
fn the_key_of_the_state_is_never_a_value() {
    let with = |state: &str| main_changed("introduction: >", &format!("state: {state}\nintroduction: >"));
    let problems = with("{ key: very-secret }");
    only(&problems, &["here stands a secret itself", "{ env: NAME }"]);
    assert!(!problems[0].to_string().contains("very-secret"));
    let problems = with("{ former_key: { env: OLD } }");
    only(&problems, &["a former key stands here without a new one"]);
}

#[test]
fn the_server_of_the_state_is_named_by_reference_and_its_schema_plainly() {
    let with = |state: &str| main_changed("introduction: >", &format!("state: {state}\nintroduction: >"));
    let problems = with("{ postgres: postgres://ann:very-secret@db/erp }");
    only(&problems, &["here stands a secret itself", "{ env: NAME }"]);
    assert!(!problems[0].to_string().contains("very-secret"));
    let problems = with("{ postgres: { env: SERVER }, schema: Tandem }");
    only(&problems, &["`Tandem` cannot name the schema", "small letters"]);
    for name in ["public", "pg_temp", "9", "a-b", "\"\""] {
        let problems = with(&format!("{{ postgres: {{ env: SERVER }}, schema: {name} }}"));
        only(&problems, &["cannot name the schema"]);
    }
    let problems = with("{ schema: tandem }");
    only(&problems, &["a schema stands here without a server", "postgres:"]);
}

#[test]
fn secrets_are_never_values() {
    let problems = main_changed("token: { env: TANDEM_CUSTOMERP_TOKEN }", "token: very-secret");
    only(&problems, &["here stands a secret itself", "{ env: NAME }"]);
    assert!(!problems[0].to_string().contains("very-secret"));
    let problems = main_changed("      client_id: { env: TANDEM_SALESFORCE_CLIENT_ID }\n", "");
    only(&problems, &["salesforce lacks the secret `client_id`"]);
}

#[test]
fn the_binding_is_written() {
    let problems = main_changed("    Invoice: Invoice__c\n", "");
    only(
        &problems,
        &["nothing says which object serves Invoice", "Invoice__c"],
    );
    let problems = main_changed("Invoice: Invoice__c", "Invoice: Invoice_c");
    assert!(
        problems
            .iter()
            .any(|problem| problem.message == "no object `Invoice_c` serves Invoice")
    );
}

#[test]
fn settings_and_switches_are_spelled_right() {
    let problems = changed("employee-user.yaml", "${users.locale}", "${users.local}");
    only(
        &problems,
        &["unknown setting `users.local`", "Did you mean `users.locale`?"],
    );
    let problems = main_changed(
        "create_in_customerp: [contact-contact",
        "create_in_customerp: [contact",
    );
    only(&problems, &["there is no flow `contact`"]);
    let problems = main_changed("poll: 1s", "poll: often");
    only(&problems, &["`often` is no length of time"]);
}

/// Names come from the system: what the program never heard of is asked for, and held against what was described.
#[test]
fn names_come_from_the_system() {
    let mut renamed = sources(str::to_owned);
    for (_, text) in &mut renamed.flows {
        *text = text.replace("customerp: Customer\n", "customerp: kunden\n");
        *text = text.replace("customerp: website", "customerp: \"Web-Adresse\"");
        *text = text
            .replace("(Customer)", "(kunden)")
            .replace("of: Customer", "of: kunden");
        *text = text
            .replace(": website", ": Web-Adresse")
            .replace("website]", "Web-Adresse]");
        *text = text.replace(" website,", " Web-Adresse,");
    }
    load(&renamed).unwrap();
    // A system that described itself has these names and no others.
    let mut kunden = described();
    let erp = kunden.get_mut("customerp").unwrap();
    let mut properties = erp.remove("Customer").unwrap();
    properties.remove("website");
    properties.insert("Webadresse".to_owned(), "string".to_owned());
    erp.insert("kunden".to_owned(), properties);
    let problems = load_against(&renamed, &kunden).unwrap_err();
    let named = problems.iter().filter(|problem| {
        problem.message == "kunden has no property `Web-Adresse`"
            && problem.help == "Did you mean `Webadresse`?"
    });
    assert!(named.count() >= 1, "{problems:#?}");
    // What can be no name is found without asking.
    for (_, text) in &mut renamed.flows {
        *text = text.replace("Web-Adresse", "Web\\tAdresse");
    }
    let problems = load(&renamed).unwrap_err();
    let unreadable = problems
        .iter()
        .filter(|problem| problem.help.starts_with("A name has letters"));
    assert!(unreadable.count() >= 1, "{problems:#?}");
}

#[test]
fn each_kind_says_what_it_is_reached_by() {
    let erp = |kind: &str, how: &str| {
        main_changed(
            "    kind: customerp\n    url: http://127.0.0.1:8081\n    secrets:\n      token: { env: TANDEM_CUSTOMERP_TOKEN }\n",
            &format!("    kind: {kind}\n{how}"),
        )
    };
    for (kind, how) in [
        (
            "rest",
            "    url: https://erp.example\n    description: erp.yaml\n    secrets: { key: { env: A } }\n",
        ),
        (
            "sql",
            "    url: postgres://db.example/erp\n    description: erp.yaml\n",
        ),
        ("sql", "    url: sqlite:erp.db\n    description: erp.yaml\n"),
        ("folder", "    folder: exports\n    description: erp.yaml\n"),
        ("program", "    command: [python3, erp.py]\n"),
    ] {
        assert_eq!(erp(kind, how), [], "{kind}");
    }
    only(
        &erp("folder", "    description: erp.yaml\n"),
        &["customerp lacks `folder`", "Add `folder: FOLDER`."],
    );
    only(
        &erp("sql", "    url: https://erp.example\n    description: erp.yaml\n"),
        &["is no address", "postgres:// or postgresql:// or mysql://"],
    );
    only(
        &erp(
            "folder",
            "    folder: exports\n    description: erp.yaml\n    command: [a]\n",
        ),
        &["folder is not reached by `command`", "Leave `command` out here."],
    );
    only(&erp("program", "    command: []\n"), &["no program is named"]);
    only(
        &main_changed("bindings:\n", "bindings:\n  customerp: { Customer: clients }\n"),
        &["the description says what serves a record type"],
    );
}
