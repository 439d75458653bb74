//! What `plan` announces is what the sync after it does, by kind: over a scene that has all of them.

use crate::local::{Pair, Ran};
use crate::rest;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// Rewrites a line of a flow's file.
fn rewrite(pair: &Pair, flow: &str, from: &str, to: &str) {
    let file = pair.path(&format!("flows/{flow}.yaml"));
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{flow}: {from}");
    std::fs::write(&file, text.replacen(from, to, 1)).unwrap();
}

fn summary(plan: &Ran) -> Json {
    plan.lines()[0]["summary"].clone()
}

/// The lines of a plan, by action.
fn lines(plan: &Ran) -> BTreeMap<String, u64> {
    let mut counted = BTreeMap::new();
    for line in plan.lines() {
        if let Some(action) = line["action"].as_str() {
            *counted.entry(action.to_owned()).or_default() += 1;
        }
    }
    counted
}

/// Plans, syncs, and asserts that both say the same; what was done comes back.
fn announced(pair: &Pair) -> (Json, BTreeMap<String, u64>) {
    let plan = pair.run(&["plan", "--json"]);
    // What would be parked is left for a person.
    let parks = lines(&plan).contains_key("park");
    assert_eq!(
        plan.code,
        Some(if parks { 3 } else { 0 }),
        "{}{}",
        plan.out,
        plan.err
    );
    let text = pair.run(&["plan"]);
    let sync = pair.run(&["sync", "--json"]);
    assert!(matches!(sync.code, Some(0 | 3)), "{}{}", sync.out, sync.err);
    let done = sync.last()["done"].clone();
    assert_eq!(summary(&plan), done, "{}", plan.out);
    let counts = ["create", "update", "link", "unlink", "delete", "ask"];
    let words = counts.map(|kind| format!("{kind} {}", done[kind]));
    assert_eq!(plan.last()["plan"]["done"], done);
    assert_eq!(
        text.out.lines().last().unwrap().split([':', ';']).next(),
        Some(words.join(", ").as_str())
    );
    let counted = lines(&plan);
    let of = |actions: &[&str]| {
        actions
            .iter()
            .filter_map(|action| counted.get(*action))
            .sum::<u64>()
    };
    for (kind, actions) in [
        ("create", &["create", "companion"][..]),
        ("update", &["update", "put-out-of-use"]),
        ("link", &["link"]),
        ("unlink", &["unlink"]),
        ("delete", &["delete"]),
        ("ask", &["ask"]),
    ] {
        assert_eq!(Some(of(actions)), done[kind].as_u64(), "{kind}: {}", plan.out);
    }
    (done, counted)
}

fn ids(pair: &Pair, flow: &str) -> Vec<(String, String)> {
    let links = pair.run(&["links", "--flow", flow, "--json"]).lines();
    let id = |link: &Json, system: &str| {
        let text = link[system].as_str().unwrap();
        text.split_once(':').unwrap().1.to_owned()
    };
    links
        .iter()
        .map(|link| (id(link, "customerp"), id(link, "salesforce")))
        .collect()
}

#[test]
fn what_a_plan_announces_is_what_the_sync_does() {
    // GIVEN pairs that are there on both sides, singles, and flows that ask
    let pair = Pair::start(&["--records", "5", "--seed", "5", "--no-lines"], &[]);
    let (erp, org) = (&pair.customerp.url, &pair.salesforce.url);
    for n in 0..6 {
        let product = json!({ "name": format!("Twin {n}"), "productNumber": format!("T-{n}") });
        rest::post_customerp(erp, "products", &product);
        let twin = json!({ "Name": format!("Twin {n}"), "ProductCode": format!("T-{n}"), "IsActive": true });
        rest::post_salesforce(org, "sobjects/Product2", &twin);
    }
    let going = rest::post_customerp(erp, "contacts", &json!({ "lastName": "Going" }));
    let going = going["id"].as_str().unwrap().to_owned();
    rewrite(&pair, "product-product2", "conflict: latest", "conflict: ask");
    let (first, lines) = announced(&pair);
    assert_eq!(first["link"], 6, "{lines:?}");
    assert!(
        first["create"].as_u64() > Some(5) && first["update"].as_u64() > Some(5),
        "{first}"
    );
    // WHEN nothing moves THEN nothing is announced, in words too
    let (rest, none) = announced(&pair);
    let nothing = json!({ "create": 0, "update": 0, "link": 0, "unlink": 0, "delete": 0, "ask": 0 });
    assert_eq!((rest, none.len()), (nothing, 0));
    assert!(pair.run(&["plan"]).out.contains("nothing to do"));
    assert_eq!(pair.run(&["plan", "--json"]).lines()[0]["nothing_to_do"], true);
    // WHEN records are edited, created, deleted, asked about and too long
    let products = ids(&pair, "product-product2");
    let contacts = ids(&pair, "contact-contact");
    let customers = ids(&pair, "customer-division");
    let title = json!({ "title": "One edit" });
    rest::patch_customerp(erp, &format!("contacts/{}", contacts[0].0), &title);
    rest::patch_salesforce(org, "Contact", &contacts[1].1, &json!({ "Title": "Another" }));
    let long = json!({ "title": "long ".repeat(40) });
    rest::patch_customerp(erp, &format!("contacts/{}", contacts[2].0), &long);
    for (here, there) in &products[..2] {
        rest::patch_customerp(
            erp,
            &format!("products/{here}"),
            &json!({ "description": "Here" }),
        );
        rest::patch_salesforce(org, "Product2", there, &json!({ "Description": "There" }));
    }
    let born = json!({ "lastName": "Born", "customerId": customers[0].0 });
    rest::post_customerp(erp, "contacts", &born);
    rest::delete_customerp(erp, &format!("contacts/{going}"));
    let (done, told) = announced(&pair);
    assert!(
        done["ask"].as_u64() >= Some(3),
        "two conflicts, an approval: {done} {told:?}"
    );
    assert!(
        done["update"].as_u64() >= Some(2) && done["create"].as_u64() >= Some(1),
        "{done}"
    );
    assert_eq!(told.get("park"), Some(&1), "{told:?}");
    // WHEN a policy answers what was asked, a filter lets links end, and a deletion is carried on
    rewrite(&pair, "product-product2", "conflict: ask", "conflict: customerp");
    rewrite(
        &pair,
        "contact-contact",
        "\nproperties:",
        "\nonly: { customerp: \"title != 'One edit'\" }\nproperties:",
    );
    let approvals = pair
        .run(&["failures", "--standing", "approval", "--json"])
        .lines();
    let item = approvals[0]["item"].to_string();
    assert_eq!(
        pair.run(&["approve", &item, "--verdict", "propagate"]).code,
        Some(0)
    );
    let (done, told) = announced(&pair);
    assert_eq!(
        (&done["unlink"], &done["delete"]),
        (&json!(1), &json!(1)),
        "{done} {told:?}"
    );
    assert_eq!(told.get("settle"), Some(&2), "{told:?}");
    // WHEN a record goes whose counterpart cannot be deleted THEN that is put out of use
    let spare = json!({ "name": "Spare" });
    let spare = rest::post_customerp(erp, "customers", &spare)["id"]
        .as_str()
        .unwrap()
        .to_owned();
    announced(&pair);
    rest::delete_customerp(erp, &format!("customers/{spare}"));
    let (done, told) = announced(&pair);
    if done["ask"] == 1 {
        let approvals = pair
            .run(&["failures", "--standing", "approval", "--json"])
            .lines();
        let of_flow = approvals
            .iter()
            .find(|item| item["flow"] == "customer-division")
            .unwrap();
        assert_eq!(pair.run(&["approve", &of_flow["item"].to_string()]).code, Some(0));
        let (_, told) = announced(&pair);
        assert_eq!(told.get("put-out-of-use"), Some(&1), "{told:?}");
    } else {
        assert_eq!(told.get("put-out-of-use"), Some(&1), "{done} {told:?}");
    }
    let (rest, none) = announced(&pair);
    assert_eq!(none.len(), 0, "{rest} {none:?}");
}

#[test]
fn a_plan_of_one_flow_tells_its_part_alone() {
    // GIVEN two systems with records of all flows, products that are there on both sides among them
    let pair = Pair::start(&["--records", "5", "--seed", "5", "--no-lines"], &[]);
    for n in 0..3 {
        let product = json!({ "name": format!("Twin {n}"), "productNumber": format!("T-{n}") });
        rest::post_customerp(&pair.customerp.url, "products", &product);
        let twin = json!({ "Name": format!("Twin {n}"), "ProductCode": format!("T-{n}"), "IsActive": true });
        rest::post_salesforce(&pair.salesforce.url, "sobjects/Product2", &twin);
    }
    let whole = pair.run(&["plan", "--json"]);
    // WHEN one flow is asked for
    let part = pair.run(&["plan", "--flow", "product-product2", "--json"]);
    let text = pair.run(&["plan", "--flow", "product-product2"]);
    assert_eq!(part.code, Some(0), "{}{}", part.out, part.err);
    // THEN its lines are those of the whole plan that are about it, and its counts are theirs
    let about = |plan: &Ran| {
        let lines = plan.lines().into_iter();
        let its = lines.filter(|line| line["action"].is_string() && line["flow"] == "product-product2");
        its.collect::<Vec<_>>()
    };
    let (all, its) = (about(&whole), about(&part));
    assert!(its.len() > 3 && (its.len() as u64) < lines(&whole).values().sum::<u64>());
    assert_eq!(
        (all.len(), lines(&part).values().sum::<u64>()),
        (its.len(), its.len() as u64)
    );
    let counted = lines(&part);
    let of = |action: &str| counted.get(action).copied().unwrap_or_default();
    let done = summary(&part);
    assert_eq!((done["link"].as_u64(), of("link")), (Some(3), 3), "{done}");
    assert_eq!(done["create"], of("create"), "{done}");
    assert!(summary(&whole)["create"].as_u64() > done["create"].as_u64());
    let plan = part.last()["plan"].clone();
    assert_eq!(plan["flows"].as_array().map(Vec::len), Some(1), "{plan}");
    assert_eq!((&plan["done"], &plan["lines"]), (&done, &json!(its.len())));
    let sent = its
        .iter()
        .filter(|line| line["action"] != "link" && line["target"] == "salesforce Product2");
    assert_eq!(plan["written"]["salesforce"], sent.count());
    // AND so do the words end
    let end = format!(
        "create {}, update {}, link 3, unlink 0, delete 0, ask 0",
        of("create"),
        of("update")
    );
    assert_eq!(text.out.lines().last(), Some(end.as_str()));
    assert!(!text.out.contains("contact-contact"), "{}", text.out);
    // AND a flow that is not there is refused
    let none = pair.run(&["plan", "--flow", "products"]);
    assert_eq!(none.code, Some(2));
    assert!(none.err.contains("no flow is called `products`"), "{}", none.err);
}

#[test]
fn a_plan_that_was_kept_is_carried_out_only_if_it_still_is_what_would_be_done() {
    let pair = Pair::start(&["--records", "2", "--seed", "5"], &[]);
    let plan = pair.run(&["plan", "--save", "plan.jsonl"]);
    assert_eq!(plan.code, Some(0), "{}", plan.err);
    let counts = plan.out.lines().last().unwrap().to_owned();
    let kept = std::fs::read_to_string(pair.path("plan.jsonl")).unwrap();
    assert!(
        kept.lines().count() > 20 && kept.lines().next().unwrap().contains(&counts),
        "{kept}"
    );
    // A person's own values are masked in the file, and tell it from another plan all the same.
    assert!(!kept.contains('@'), "{kept}");
    let contact = "contacts/1";
    let before = rest::get_customerp(&pair.customerp.url, contact);
    rest::patch_customerp(
        &pair.customerp.url,
        contact,
        &json!({ "email": "somebody.else@example.com" }),
    );
    let refused = pair.run(&["sync", "--plan", "plan.jsonl"]);
    assert_eq!(refused.code, Some(2), "{}{}", refused.out, refused.err);
    assert!(
        refused.err.contains("nothing was done") && refused.err.contains(&counts),
        "{}",
        refused.err
    );
    assert_eq!(pair.run(&["status"]).code, Some(2), "there is no state yet");
    // What is as it was is what was planned.
    rest::patch_customerp(&pair.customerp.url, contact, &json!({ "email": before["email"] }));
    let done = pair.run(&["sync", "--plan", "plan.jsonl"]);
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    assert!(done.out.contains(&counts), "{}", done.out);
    let again = pair.run(&["sync", "--plan", "plan.jsonl"]);
    assert_eq!(again.code, Some(2), "{}", again.err);
    let none = pair.run(&["sync", "--plan", "tandem.yaml"]);
    assert!(
        none.code == Some(2) && none.err.contains("holds no plan"),
        "{}",
        none.err
    );
}
