//! Values of properties marked `personal` are shown nowhere unless asked for, and `tandem forget` leaves none behind.

use crate::local::{Pair, Ran};
use crate::rest;
use serde_json::{Value as Json, json};

/// What must be seen nowhere.
const CANARIES: [&str; 3] = ["Canarybird", "canary.bird", "555012345"];

/// The ERP's first contact with its counterpart in Salesforce.
fn contact(pair: &Pair) -> (String, String) {
    let links = pair
        .run(&["links", "--flow", "contact-contact", "--json"])
        .lines();
    let id = |system: &str| {
        let text = links[0][system].as_str().unwrap();
        text.split_once(':').unwrap().1.to_owned()
    };
    (id("customerp"), id("salesforce"))
}

/// Runs a command with all its words and asserts that no canary sings.
fn quiet(pair: &Pair, arguments: &[&str]) -> Ran {
    let mut all = arguments.to_vec();
    all.push("-vv");
    for json in [false, true] {
        if json {
            all.push("--json");
        }
        let ran = pair.run(&all);
        for canary in CANARIES {
            for text in [&ran.out, &ran.err] {
                let at = text.find(canary);
                let around = at.map(|at| {
                    text[at.saturating_sub(200)..]
                        .chars()
                        .take(400)
                        .collect::<String>()
                });
                assert!(at.is_none(), "{all:?} tells {canary}: {around:?}");
            }
        }
        if json {
            return ran;
        }
    }
    unreachable!("it returns with JSON")
}

fn patch_contact(pair: &Pair, id: &str, body: &Json) {
    rest::patch_customerp(&pair.customerp.url, &format!("contacts/{id}"), body);
}

#[test]
fn no_list_log_or_json_tells_a_personal_value_and_forget_leaves_no_byte() {
    // GIVEN a contact of canaries, and a flow that asks
    let pair = Pair::start(&["--records", "2", "--seed", "5"], &[]);
    let file = pair.path("flows/contact-contact.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("conflict: latest", "conflict: ask")).unwrap();
    quiet(&pair, &["plan"]);
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    let (here, there) = contact(&pair);
    patch_contact(
        &pair,
        &here,
        &json!({ "lastName": "Canarybird", "email": "canary.bird@example.org", "phone": "555012345" }),
    );
    // WHEN it is planned, synced, in conflict, refused, and looked at in every way
    quiet(&pair, &["plan"]);
    quiet(&pair, &["sync"]);
    patch_contact(&pair, &here, &json!({ "phone": "5550123456" }));
    let theirs = json!({ "Phone": "5550123457", "Email": "canary.bird+new@example.org" });
    rest::patch_salesforce(&pair.salesforce.url, "Contact", &there, &theirs);
    assert_eq!(quiet(&pair, &["sync"]).code, Some(3));
    patch_contact(&pair, &here, &json!({ "email": "canary.bird at nowhere" }));
    quiet(&pair, &["sync"]);
    let name = format!("customerp/Contact:{here}");
    let looks: [&[&str]; 10] = [
        &["conflicts"],
        &["failures"],
        &["history"],
        &["history", &name],
        &["explain", &name],
        &["links"],
        &["status"],
        &["verify"],
        &["undo", "--since", "1h"],
        &["forget", &name],
    ];
    for look in looks {
        quiet(&pair, look);
    }
    // THEN nothing told; asked for, it is told
    let shown = pair.run(&["history", &name, "--show-personal", "--json"]);
    assert!(shown.out.contains("Canarybird"), "{}", shown.out);
    // WHEN she is forgotten
    assert!(canaries_in(&pair) > 0, "the state knows her");
    patch_contact(&pair, &here, &json!({ "email": "canary.bird@example.org" }));
    let sync = pair.run(&["sync"]);
    assert!(matches!(sync.code, Some(0 | 3)), "{}", sync.err);
    let forgotten = pair.run(&["forget", &name, "--yes", "--json"]);
    assert_eq!(forgotten.code, Some(0), "{}{}", forgotten.out, forgotten.err);
    assert_eq!(forgotten.last()["records"].as_array().unwrap().len(), 2);
    assert_eq!(canaries_in(&pair), 0);
    // THEN she is recognised and not taken up again, and the systems hold her still
    patch_contact(&pair, &here, &json!({ "title": "Edited since" }));
    let sync = pair.run(&["sync"]);
    assert_eq!(sync.code, Some(0), "{}{}", sync.out, sync.err);
    assert_eq!(canaries_in(&pair), 0);
    assert_eq!(pair.run(&["history", &name]).code, Some(2));
    let kept = rest::get_customerp(&pair.customerp.url, &format!("contacts/{here}"));
    assert_eq!(kept["lastName"], "Canarybird");
    let other = rest::get_salesforce(&pair.salesforce.url, &format!("sobjects/Contact/{there}"));
    assert_ne!(other["Title"], "Edited since");
    let verified = pair.run(&["verify", "--json"]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.out, verified.err);
}

#[test]
fn what_a_system_says_of_a_companion_or_a_reference_tells_no_personal_value() {
    // GIVEN a customer whose telephone number no Account holds: a property that the Divisions of this org have not
    let pair = Pair::start(&["--records", "1"], &[]);
    let erp = &pair.customerp.url;
    let number = "555012345 ask for Mrs Canarybird, mornings only please";
    let customer = rest::post_customerp(erp, "customers", &json!({ "name": "Birds", "phone": number }));
    let customer = customer["id"].as_str().unwrap().to_owned();
    let contact = json!({ "lastName": "Wing", "customerId": customer });
    let contact = rest::post_customerp(erp, "contacts", &contact)["id"]
        .as_str()
        .unwrap()
        .to_owned();
    // WHEN the Account is refused for it THEN the reason tells it nowhere
    quiet(&pair, &["plan"]);
    assert_eq!(quiet(&pair, &["sync"]).code, Some(3));
    let looks: [&[&str]; 5] = [
        &["failures"],
        &["history"],
        &["status"],
        &["explain", &format!("customerp/Contact:{contact}")],
        &["explain", &format!("customerp/Customer:{customer}")],
    ];
    for look in looks {
        quiet(&pair, look);
    }
    let failures = pair.run(&["failures", "--json"]);
    assert!(
        failures.out.contains("•••"),
        "the reason is told without it: {}",
        failures.out
    );
    // WHEN a record that refers to the customer is refused in words about the customer
    rest::patch_customerp(
        erp,
        &format!("customers/{customer}"),
        &json!({ "phone": "555012345" }),
    );
    assert!(matches!(quiet(&pair, &["sync"]).code, Some(0 | 3)));
    let [_, salesforce] = crate::proxy::between(&pair, [false, true]);
    salesforce.rule(|method, _, request| match method != "GET" && request.contains("Chief of eggs") {
        true => crate::proxy::Fate::Answer(
            400,
            r#"[{"errorCode":"FIELD_CUSTOM_VALIDATION_EXCEPTION","fields":[],"message":"Call 555012345 first"}]"#,
        ),
        false => crate::proxy::Fate::Deliver,
    });
    rest::patch_customerp(
        erp,
        &format!("contacts/{contact}"),
        &json!({ "title": "Chief of eggs" }),
    );
    assert_eq!(quiet(&pair, &["sync"]).code, Some(3));
    for look in [
        &["failures"][..],
        &["history"],
        &["explain", &format!("customerp/Contact:{contact}")],
    ] {
        quiet(&pair, look);
    }
    let failures = pair.run(&["failures", "--json"]);
    assert!(failures.out.contains("Call ••• first"), "{}", failures.out);
}

/// How often canaries stand in the files of the state.
fn canaries_in(pair: &Pair) -> usize {
    let mut found = 0;
    let mut folders = vec![pair.path("state")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let body = std::fs::read(&path).unwrap();
            for canary in CANARIES {
                found += body
                    .windows(canary.len())
                    .filter(|window| *window == canary.as_bytes())
                    .count();
            }
        }
    }
    found
}
