//! What besides an equal key must be true of two records: the shipped flows take no strangers for one another.

use crate::config::demo;
use crate::plan_laws::{facts, seen, values};
use tandem_merge::cluster::{Action, Cluster, Intent, Parked, ParkedKind};
use tandem_merge::dataflow::{Dataflow, Reference, Side};
use tandem_merge::decisions::{Decision, Outcome};
use tandem_merge::facts::{Facts, Referent, Referral};
use tandem_merge::matches::{Stands, candidates, telling_key};
use tandem_merge::plan::Plan;
use tandem_merge::reconcile::{needs, recognises, reconcile, reconcile_decided};
use tandem_merge::record::{Observation, RecordKey, RecordType};

fn flows() -> Dataflow {
    demo().dataflow
}

fn erp(of: &str, id: &str) -> RecordKey {
    RecordKey::new("customerp", of, id)
}

fn org(of: &str, id: &str) -> RecordKey {
    RecordKey::new("salesforce", of, id)
}

fn contact(id: &str, first: &str, last: &str, email: &str) -> Observation {
    let all = [
        ("firstName", first),
        ("lastName", last),
        ("email", email),
        ("phone", "030 1234"),
    ];
    seen(&erp("Contact", id), 1, values(&all))
}

fn person(id: &str, first: &str, last: &str, email: &str) -> Observation {
    let all = [
        ("FirstName", first),
        ("LastName", last),
        ("Email", email),
        ("Phone", "030/1234"),
    ];
    seen(&org("Contact", id), 1, values(&all))
}

fn decided(inbox: Vec<Observation>, facts: &Facts) -> Plan {
    reconcile(&flows(), Cluster::default(), inbox, facts)
}

fn links(plan: &Plan) -> Vec<(String, String)> {
    let links = plan.cluster.links.iter();
    links
        .map(|link| (link.first.id.clone(), link.second.id.clone()))
        .collect()
}

fn creates(plan: &Plan) -> Vec<&Intent> {
    let creates = plan.cluster.creates.iter();
    creates
        .filter(|intent| matches!(intent.action, Action::Create { .. }))
        .collect()
}

fn held<'a>(plan: &'a Plan, record: &RecordKey, flow: &str) -> Option<&'a Parked> {
    plan.cluster.records[record].held.get(flow)
}

/// Neither linked, nor created beside: both ends say why.
fn assert_tie(plan: &Plan, flow: &str, ends: [&RecordKey; 2], why: &str) {
    assert_eq!(links(plan), [], "{flow}");
    assert!(creates(plan).is_empty(), "{flow}: {:?}", plan.cluster.creates);
    for end in ends {
        let parked = held(plan, end, flow).unwrap_or_else(|| panic!("{flow}: {end} is not held"));
        assert_eq!(parked.kind, ParkedKind::Tie, "{flow}: {}", parked.reason);
        assert!(parked.reason.contains(why), "{flow}: {}", parked.reason);
        assert!(
            parked.advice.contains(&format!("tandem link {flow}")),
            "{}",
            parked.advice
        );
    }
}

#[test]
fn two_people_with_one_mailbox_are_shown_and_never_linked() {
    let ends = [erp("Contact", "1"), org("Contact", "003A")];
    let both = |first: [&str; 2], last: [&str; 2]| {
        decided(
            vec![
                contact("1", first[0], last[0], "family@x.example"),
                person("003A", first[1], last[1], "Family@X.example"),
            ],
            &facts(),
        )
    };
    let ties = [&ends[0], &ends[1]];
    let plan = both(["Anna", "Ben"], ["Parent", "Child"]);
    assert_tie(&plan, "contact-contact", ties, "firstName and lastName differ");
    // Of one name, and a name that one of them lacks.
    let plan = both(["Anna", "Ben"], ["Child", "Child"]);
    assert_tie(&plan, "contact-contact", ties, "firstName differs");
    assert_eq!(links(&both([" anna", "Anna"], ["Child", "CHILD"])).len(), 1);
    assert_eq!(links(&both(["", "Ben"], ["Child", "Child"])).len(), 1);
    // Names and what they hold are nobody's business.
    let plan = both(["Anna", "Ben"], ["Parent", "Child"]);
    let reason = &held(&plan, &ends[0], "contact-contact").unwrap().reason;
    assert!(!reason.contains("Anna") && !reason.contains("family"), "{reason}");
}

#[test]
fn a_family_is_linked_person_by_person() {
    let plan = decided(
        vec![
            contact("1", "Anna", "Child", "family@x.example"),
            contact("2", "Ben", "Child", "family@x.example"),
            person("003A", "Ben", "Child", "family@x.example"),
            person("003B", "Anna", "Child", "family@x.example"),
        ],
        &facts(),
    );
    let pairs = [("1", "003B"), ("2", "003A")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(links(&plan), pairs);
    // One who comes later is a duplicate until somebody says that she is none.
    let late = contact("3", "Cleo", "Child", "family@x.example");
    let plan = reconcile(&flows(), plan.cluster, vec![late], &facts());
    let cleo = erp("Contact", "3");
    assert_eq!(links(&plan), pairs);
    let parked = held(&plan, &cleo, "contact-contact").unwrap();
    assert_eq!(parked.kind, ParkedKind::DuplicateKey);
    assert!(
        parked.reason.contains("but firstName differs"),
        "{}",
        parked.reason
    );
    assert!(parked.advice.contains("`within`"), "{}", parked.advice);
    assert!(creates(&plan).is_empty());
}

#[test]
fn records_of_one_key_are_duplicates_only_where_the_key_holds() {
    let flows = flows();
    let told = |id: &str, title: &str, customer: &str| {
        let shown = values(&[("title", title), ("customerId", customer)]);
        telling_key(&flows, "quote-quote", Side::First, &erp("Quote", id), &shown)
    };
    assert_eq!(told("1", "Lamps", "7"), told("2", "lamps", "7"));
    assert_ne!(told("1", "Lamps", "7"), told("2", "lamps", "8"));
}

#[test]
fn a_person_who_tells_two_apart_lets_both_be() {
    let flows = flows();
    let plan = decided(
        vec![
            contact("1", "Anna", "Parent", "family@x.example"),
            person("003A", "Ben", "Child", "family@x.example"),
        ],
        &facts(),
    );
    let ends = (erp("Contact", "1"), org("Contact", "003A"));
    let shown = candidates(&flows, &plan.cluster, &facts(), &ends.0, "contact-contact");
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].stands, Stands::Doubtful);
    let link = Decision::Link {
        flow: "contact-contact".to_owned(),
        first: ends.0.clone(),
        second: ends.1.clone(),
    };
    let (linked, outcomes) = reconcile_decided(&flows, plan.cluster.clone(), Vec::new(), &[link], &facts());
    assert_eq!(
        (outcomes.as_slice(), links(&linked).len()),
        ([Outcome::Done].as_slice(), 1)
    );
    let different = Decision::Different {
        flow: "contact-contact".to_owned(),
        first: ends.0.clone(),
        second: ends.1,
    };
    let (apart, _) = reconcile_decided(&flows, plan.cluster, Vec::new(), &[different], &facts());
    assert_eq!(links(&apart), []);
    let all = creates(&apart);
    assert!(
        all.iter()
            .any(|intent| matches!(&intent.action, Action::Create { source, .. } if source == &ends.0)),
        "{all:?}"
    );
}

fn referral(role: &str, of: &str, side: Side, id: &str) -> Referral {
    Referral {
        through: Reference::Companion {
            role: role.to_owned(),
            of: RecordType::new("customerp", of),
        },
        side,
        id: id.to_owned(),
    }
}

/// Facts in which customers have accounts of these ids.
fn with_accounts(accounts: &[(&str, &str)]) -> Facts {
    let mut facts = facts();
    for (customer, account) in accounts {
        let to = Referent::Linked((*account).to_owned());
        facts
            .referrals
            .insert(referral("Account", "Customer", Side::First, customer), to);
    }
    facts
}

fn quote(id: &str, customer: &str) -> Observation {
    let all = [("title", "Standard offer"), ("customerId", customer)];
    seen(&erp("Quote", id), 1, values(&all))
}

fn offer(id: &str, account: &str) -> Observation {
    let all = [("Name", "Standard Offer"), ("AccountId", account)];
    let all: Vec<_> = all.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    seen(&org("Quote", id), 1, values(&all))
}

#[test]
fn a_quote_is_found_within_its_customer() {
    let mut facts = with_accounts(&[("7", "001A")]);
    let opportunity = Referent::Linked("006A".to_owned());
    facts
        .referrals
        .insert(referral("Opportunity", "Quote", Side::First, "1"), opportunity);
    // At the account of its customer it is the counterpart, ...
    let plan = decided(
        vec![quote("1", "7"), offer("0Q0A", "001A"), offer("0Q0B", "001B")],
        &facts,
    );
    assert_eq!(links(&plan), [("1".to_owned(), "0Q0A".to_owned())]);
    assert!(
        held(&plan, &org("Quote", "0Q0B"), "quote-quote")
            .unwrap()
            .reason
            .contains("creates nothing")
    );
    // ... at another's a stranger, beside which the quote gets its own, ...
    let plan = decided(vec![quote("1", "7"), offer("0Q0B", "001B")], &facts);
    assert_eq!(links(&plan), []);
    let all = creates(&plan);
    let [create] = all.as_slice() else {
        panic!("{all:?}")
    };
    // ... which the look-up before the create passes over too.
    assert!(!recognises(&flows(), create, &offer("0Q0C", "001B")));
    assert!(recognises(&flows(), create, &offer("0Q0C", "001A")));
    // At none a person decides.
    let plan = decided(vec![quote("1", "7"), offer("0Q0B", "")], &facts);
    assert_tie(
        &plan,
        "quote-quote",
        [&erp("Quote", "1"), &org("Quote", "0Q0B")],
        "customerId cannot be compared",
    );
}

#[test]
fn what_tells_is_asked_for_and_waited_for() {
    let flows = flows();
    let inbox = vec![quote("1", "7"), offer("0Q0B", "001B")];
    let asked = needs(&flows, &Cluster::default(), &inbox).referrals;
    assert!(
        asked.contains(&referral("Account", "Customer", Side::First, "7")),
        "{asked:?}"
    );
    let mut unknown = facts();
    unknown.referrals.insert(
        referral("Account", "Customer", Side::First, "7"),
        Referent::Unlinked,
    );
    let plan = decided(inbox, &unknown);
    assert_eq!(links(&plan), []);
    for record in [erp("Quote", "1"), org("Quote", "0Q0B")] {
        assert_eq!(
            held(&plan, &record, "quote-quote").unwrap().kind,
            ParkedKind::Deferred
        );
    }
    assert!(
        plan.waits
            .companions
            .iter()
            .any(|key| key.owner == erp("Customer", "7"))
    );
    assert!(plan.waits.on.contains(&erp("Customer", "7")));
    assert!(creates(&plan).is_empty(), "nothing is created before it is known");
}

#[test]
fn open_creates_of_one_title_are_no_rivals_across_customers() {
    let flows = flows();
    let flow = flows.flow("quote-quote").unwrap();
    let of = |quote: &Observation| {
        tandem_merge::creates::reservation(flow, Side::First, &quote.key, &quote.values).1
    };
    assert_ne!(of(&quote("1", "7")), of(&quote("2", "8")));
    assert_eq!(of(&quote("1", "7")), of(&quote("2", "7")));
}

/// Properties with their texts.
type Texts<'a> = &'a [(&'a str, &'a str)];
/// A flow, both record types, a record of each, and what tells them apart.
type Stranger<'a> = (&'a str, &'a str, &'a str, Texts<'a>, Texts<'a>, &'a str);
/// Both record types, and a record of each.
type Same<'a> = (&'a str, &'a str, Texts<'a>, Texts<'a>);

/// By flow: an ERP record, one of the org with the same key that is another's, and what tells.
#[test]
#[allow(clippy::too_many_lines)] // A table.
fn no_shipped_key_takes_a_stranger_for_a_counterpart() {
    let facts = with_accounts(&[("7", "001A")]);
    let cases: [Stranger<'_>; 9] = [
        (
            "order-order",
            "Order",
            "Order",
            &[("orderNumber", "100"), ("customerId", "7")],
            &[("OrderReferenceNumber", "100"), ("AccountId", "001B")],
            "customerId differs",
        ),
        (
            "order-invoice",
            "Order",
            "Invoice",
            &[("orderNumber", "100"), ("customerId", "7")],
            &[
                ("InvoiceNumber__c", "100"),
                ("Kind__c", "Order"),
                ("BillingAccount__c", "001B"),
            ],
            "customerId differs",
        ),
        (
            "quote-invoice",
            "Quote",
            "Invoice",
            &[("quoteNumber", "100"), ("customerId", "7")],
            &[
                ("InvoiceNumber__c", "100"),
                ("Kind__c", "Quote"),
                ("BillingAccount__c", "001B"),
            ],
            "customerId differs",
        ),
        (
            "quote-quote",
            "Quote",
            "Quote",
            &[("quoteNumber", "100"), ("title", "Boats"), ("customerId", "7")],
            &[
                ("Customerp_Number__c", "100"),
                ("Name", "Tea"),
                ("AccountId", "001B"),
            ],
            "title and customerId differ",
        ),
        (
            "product-product2",
            "Product",
            "Product2",
            &[("productNumber", "1"), ("name", "Tea"), ("sku", "T-1")],
            &[
                ("ProductCode", "1"),
                ("Name", "Boat"),
                ("StockKeepingUnit", "B-1"),
            ],
            "name and sku differ",
        ),
        (
            "product-product2",
            "Product",
            "Product2",
            &[("name", "Tea"), ("sku", "1")],
            &[("Name", "Boat"), ("StockKeepingUnit", "1")],
            "name differs",
        ),
        (
            "employee-user",
            "Employee",
            "User",
            &[
                ("firstName", "Anna"),
                ("lastName", "Parent"),
                ("email", "team@x.example"),
            ],
            &[
                ("FirstName", "Ben"),
                ("LastName", "Child"),
                ("Email", "team@x.example"),
            ],
            "firstName and lastName differ",
        ),
        (
            "employee-user",
            "Employee",
            "User",
            &[
                ("employeeNumber", "1"),
                ("lastName", "Parent"),
                ("email", "anna@x.example"),
            ],
            &[
                ("EmployeeNumber", "1"),
                ("LastName", "Child"),
                ("Email", "ben@x.example"),
            ],
            "email and lastName differ",
        ),
        (
            "contact-contact",
            "Contact",
            "Contact",
            &[
                ("firstName", "Anna"),
                ("lastName", "Child"),
                ("phone", "1"),
                ("birthdate", "1970-01-01"),
            ],
            &[
                ("FirstName", "Anna"),
                ("LastName", "Child"),
                ("Phone", "1"),
                ("Birthdate", "2001-01-01"),
            ],
            "birthdate differs",
        ),
    ];
    for (flow, first, second, ours, theirs, why) in cases {
        let ends = [erp(first, "1"), org(second, "x")];
        let inbox = vec![seen(&ends[0], 1, values(ours)), seen(&ends[1], 1, values(theirs))];
        let plan = decided(inbox, &facts);
        assert!(links(&plan).is_empty(), "{flow}");
        let parked = held(&plan, &ends[0], flow).unwrap_or_else(|| panic!("{flow} holds nothing"));
        assert_eq!(parked.kind, ParkedKind::Tie, "{flow}: {}", parked.reason);
        assert!(parked.reason.ends_with(why), "{flow}: {}", parked.reason);
    }
}

#[test]
fn what_agrees_in_something_is_linked_by_its_number() {
    let facts = with_accounts(&[("7", "001A")]);
    let cases: [Same<'_>; 4] = [
        (
            "Order",
            "Order",
            &[("orderNumber", "100"), ("customerId", "7")],
            &[("OrderReferenceNumber", "100"), ("AccountId", "001A")],
        ),
        (
            "Product",
            "Product2",
            &[("productNumber", "1"), ("name", "Tea"), ("sku", "T-1")],
            &[
                ("ProductCode", "1"),
                ("Name", "Green tea"),
                ("StockKeepingUnit", "t-1"),
            ],
        ),
        (
            "Employee",
            "User",
            &[
                ("employeeNumber", "1"),
                ("lastName", "Maiden"),
                ("email", "anna@x.example"),
            ],
            &[
                ("EmployeeNumber", "1"),
                ("LastName", "Married"),
                ("Email", "Anna@x.example"),
            ],
        ),
        (
            "Customer",
            "Division",
            &[("name", "Blauer See"), ("email", "a@x.example")],
            &[("Name", "blauer  see")],
        ),
    ];
    for (first, second, ours, theirs) in cases {
        let ends = [erp(first, "1"), org(second, "x")];
        let inbox = vec![seen(&ends[0], 1, values(ours)), seen(&ends[1], 1, values(theirs))];
        assert_eq!(links(&decided(inbox, &facts)).len(), 1, "{first}");
    }
}

#[test]
fn the_configuration_says_what_a_key_asks_for() {
    use tandem_merge::config::load;
    let with = |keys: &str| {
        let mut sources = crate::config::sources(str::to_owned);
        let file = sources
            .flows
            .iter_mut()
            .find(|(name, _)| name == "quote-quote.yaml");
        let (_, text) = file.unwrap();
        let (before, rest) = text.split_once("match:\n").unwrap();
        let (_, after) = rest.split_once("conflict:").unwrap();
        *text = format!("{before}match:\n{keys}conflict:{after}");
        load(&sources)
    };
    let first = |keys: &str| {
        let dataflow = with(keys).unwrap().dataflow;
        dataflow.flow("quote-quote").unwrap().match_rules[0].clone()
    };
    let rule = first(
        "  - { title: case-fold, within: [contactId, { customerp: customerId, salesforce: AccountId, companion: Account }] }\n",
    );
    let through: Vec<_> = rule.within.iter().map(|one| one.through.clone()).collect();
    assert_eq!(through[0], Some(Reference::Flow("contact-contact".to_owned())));
    assert!(matches!(&through[1], Some(Reference::Companion { role, .. }) if role == "Account"));
    let rule = first("  - { customerp: quoteNumber, salesforce: Customerp_Number__c, agree: title }\n");
    assert_eq!(rule.agree[0].properties, ["title".to_owned(), "Name".to_owned()]);
    let wrong = |keys: &str| -> String {
        let problems = with(keys).unwrap_err();
        problems.iter().map(ToString::to_string).collect()
    };
    assert!(
        wrong("  - { title: case-fold, within: colour }\n")
            .contains("agreement `colour` is mapped by no row")
    );
    assert!(
        wrong("  - { title: case-fold, agree: customerId }\n").contains("nothing that must agree is served")
    );
    let pair = "{ customerp: customerId, salesforce: AccountId, companion: Acount }";
    assert!(
        wrong(&format!("  - {{ title: case-fold, within: {pair} }}\n")).contains("no companion has the role")
    );
    // A key that holds within something that the object does not serve is no key.
    let none = with("  - { title: case-fold, within: customerId }\n")
        .unwrap()
        .dataflow;
    assert!(none.flow("quote-quote").unwrap().match_rules.is_empty());
}
