//! What happens to an org while it is kept in step: merged records, a day's calls that run out, a field that vanishes.

use crate::local::Pair;
use crate::rest;
use serde_json::{Value as Json, json};

/// The records of Salesforce that a flow links, by those of Customerp.
fn counterpart(pair: &Pair, flow: &str, record: &str) -> Option<String> {
    let links = pair.run(&["links", "--flow", flow, "--json"]).lines();
    let link = links.into_iter().find(|link| link["customerp"] == record)?;
    let there = link["salesforce"].as_str()?;
    there.split_once(':').map(|(_, id)| id.to_owned())
}

fn count(pair: &Pair, object: &str) -> Json {
    let found = rest::get_salesforce(
        &pair.salesforce.url,
        &format!("query?q=SELECT+COUNT()+FROM+{object}"),
    );
    found["totalSize"].clone()
}

#[test]
fn of_two_linked_contacts_that_are_merged_one_link_stays_and_one_report_is_made() {
    // GIVEN two contacts of one customer, linked
    let pair = Pair::start(&["--records", "3", "--seed", "5"], &[]);
    let contact = |name: &str| {
        json!({
            "customerId": "1", "firstName": "Ada", "lastName": name,
            "email": format!("{}@merge.example", name.to_lowercase()),
        })
    };
    let made = rest::create_customerp(
        &pair.customerp.url,
        "contacts",
        &[contact("Winner"), contact("Loser")],
    );
    let first = pair.run(&["sync", "--json"]);
    assert_eq!(first.code, Some(0), "{}{}", first.out, first.err);
    let there = |id: &str| counterpart(&pair, "contact-contact", &format!("Contact:{id}"));
    let (winner, loser) = (there(&made[0]).unwrap(), there(&made[1]).unwrap());
    let contacts = rest::get_customerp(&pair.customerp.url, "contacts?limit=200")["items"]
        .as_array()
        .unwrap()
        .len();
    // WHEN a person merges one into the other in Salesforce
    rest::soap(
        &pair.salesforce.url,
        "alice",
        &format!(
            "<merge><mergeRequests><masterRecord><type>Contact</type><Id>{winner}</Id></masterRecord>\
             <recordToMergeIds>{loser}</recordToMergeIds></mergeRequests></merge>"
        ),
    );
    let remaining = count(&pair, "Contact");
    let sync = pair.run(&["sync", "--json"]);
    // THEN the survivor keeps its own link, and the record that lost its counterpart is reported once
    assert_eq!(sync.code, Some(3), "{}{}", sync.out, sync.err);
    assert_eq!(there(&made[0]), Some(winner));
    assert_eq!(there(&made[1]), None);
    let reports = pair.run(&["failures", "--json"]).lines();
    let about = |item: &&Json| {
        item["system"] == "customerp" && item["type"] == "Contact" && item["id"] == made[1].as_str()
    };
    let about: Vec<&Json> = reports.iter().filter(about).collect();
    assert_eq!(about.len(), 1, "{reports:?}");
    assert_eq!(about[0]["kind"], "merged", "{about:?}");
    // AND nothing is doubled or deleted on either side, however often it syncs
    for _ in 0..2 {
        let again = pair.run(&["sync", "--json"]);
        assert_eq!(again.code, Some(3), "{}{}", again.out, again.err);
        assert_eq!(count(&pair, "Contact"), remaining);
        let here = rest::get_customerp(&pair.customerp.url, "contacts?limit=200");
        assert_eq!(here["items"].as_array().unwrap().len(), contacts);
    }
}

#[test]
fn at_the_end_of_the_days_calls_work_stops_and_goes_on_the_next_day() {
    // GIVEN an org with so few calls left that a first sync does not come to its end
    let pair = Pair::start(&["--records", "3", "--seed", "5"], &[]);
    rest::post(
        &format!("{}/_local/calls", pair.salesforce.url),
        &json!({ "allowed": 40 }),
    );
    let stopped = pair.run(&["sync", "--json"]);
    // THEN it stops at its share with a clear sentence, and so says the status
    assert_eq!(stopped.code, Some(1), "{}{}", stopped.out, stopped.err);
    let said = format!("{}{}", stopped.out, stopped.err);
    assert!(said.contains("budget of the day"), "{said}");
    let calls = rest::get(&format!("{}/_local/calls", pair.salesforce.url));
    assert!(calls["total"].as_u64().unwrap() < 40, "{calls}");
    let status = pair.run(&["status"]);
    assert!(status.out.contains("budget of the day"), "{}", status.out);
    // WHEN the next day has begun, and the org allows more
    rest::delete(&format!("{}/_local/calls", pair.salesforce.url));
    rest::post(
        &format!("{}/_local/calls", pair.salesforce.url),
        &json!({ "allowed": 100_000 }),
    );
    rest::post(
        &format!("{}/_local/clock", pair.salesforce.url),
        &json!({ "advance": 24 * 3_600 }),
    );
    let sync = pair.run(&["sync", "--json"]);
    // THEN the rest is done: nothing is lost, nothing is doubled
    assert_eq!(sync.code, Some(0), "{}{}", sync.out, sync.err);
    let verified = pair.run(&["verify", "--json"]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.out, verified.err);
}

#[test]
fn a_field_that_vanishes_is_held_and_never_read_as_blank() {
    // GIVEN a product with a value, linked
    let pair = Pair::start(&["--records", "3", "--seed", "5"], &[]);
    let product = |change: &Json| rest::patch_customerp(&pair.customerp.url, "products/1", change);
    product(&json!({ "description": "before" }));
    let first = pair.run(&["sync", "--json"]);
    assert_eq!(first.code, Some(0), "{}{}", first.out, first.err);
    let there = counterpart(&pair, "product-product2", "Product:1").unwrap();
    // WHEN a profile loses sight of the field
    let hide = |access: &str| {
        let rule = json!({ "object": "Product2", "field": "Description", "access": access });
        rest::post(&format!("{}/_local/security", pair.salesforce.url), &rule);
    };
    hide("hidden");
    product(&json!({ "sku": "MOVED-1" }));
    let held = pair.run(&["sync", "--json"]);
    // THEN it is reported with the field's name, the rest goes on, and the ERP keeps its value
    assert_eq!(held.code, Some(3), "{}{}", held.out, held.err);
    let said = format!("{}{}", held.out, held.err);
    assert!(said.contains("Description"), "{said}");
    let here = rest::get_customerp(&pair.customerp.url, "products/1");
    assert_eq!(here["description"], "before");
    // and nobody says that the two differ: what cannot be seen was not compared
    let verified = pair.run(&["verify", "--json"]);
    let told = verified.last();
    assert_eq!(
        (&told["different"], verified.code),
        (&json!(0), Some(0)),
        "{told}"
    );
    let hidden = told["hidden"].as_object().unwrap();
    assert!(
        hidden
            .keys()
            .any(|property| property.ends_with("Product2.Description")),
        "{told}"
    );
    // WHEN the ERP is edited meanwhile and the field comes back, THEN the edit travels
    product(&json!({ "description": "meanwhile" }));
    assert_eq!(pair.run(&["sync", "--json"]).code, Some(3));
    hide("visible");
    let sync = pair.run(&["sync", "--json"]);
    assert_eq!(sync.code, Some(0), "{}{}", sync.out, sync.err);
    let org = rest::get_salesforce(&pair.salesforce.url, &format!("sobjects/Product2/{there}"));
    assert_eq!(org["Description"], "meanwhile");
}
