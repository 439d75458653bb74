//! `kill -9` at random moments of the first sync, of live edits and of bulk loads: no duplicate, none missing.

use crate::dice::{Dice, times};
use crate::local::{Pair, Ran};
use crate::rest;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::time::Duration;

/// Starts a command, and kills it after a while. Answers whether it was still at work.
fn killed(pair: &Pair, arguments: &[&str], after: Duration) -> bool {
    let mut command = pair.command(arguments);
    let mut run = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(after);
    kill(&mut run)
}

/// SIGKILL on Unix: no destructor, no signal handler runs.
fn kill(run: &mut Child) -> bool {
    let at_work = run.try_wait().unwrap().is_none();
    if at_work {
        run.kill().unwrap();
    }
    run.wait().unwrap();
    at_work
}

/// Lets the sync end, and looks both systems over: nothing differs, nothing is missing, nothing is there twice.
pub(crate) fn all_is_there_once(pair: &Pair) {
    let last = pair.run(&["sync", "--json"]);
    assert_eq!(last.code, Some(0), "{}{}", last.out, last.err);
    let verify: Ran = pair.run(&["verify", "--json"]);
    assert_eq!(verify.code, Some(0), "{}", verify.out);
    let found = verify.last();
    for count in ["different", "duplicates", "unlinked"] {
        assert_eq!(found[count], 0, "{count}: {found}");
    }
    let twice: Vec<_> = creates(pair)
        .into_iter()
        .filter(|(_, count)| *count > 1)
        .collect();
    assert!(twice.is_empty(), "created more than once: {twice:?}");
}

/// How often each counterpart was created, by what tells it apart, as the org's own log has it.
fn creates(pair: &Pair) -> BTreeMap<(String, String), u32> {
    let mut created: BTreeMap<(String, String), u32> = BTreeMap::new();
    let log = rest::get(&format!("{}/_local/log", pair.salesforce.url));
    let entries = log["entries"].as_array().unwrap();
    for entry in entries.iter().filter(|entry| entry["action"] == "create") {
        let name = entry["fields"].as_array().unwrap().iter().find(|field| {
            let wanted = match entry["object"].as_str() {
                Some("Division") => "Name",
                _ => "Customerp_Id__c",
            };
            field["field"] == wanted
        });
        if let Some(Json::String(value)) = name.map(|field| &field["new"]) {
            let object = entry["object"].as_str().unwrap().to_owned();
            *created.entry((object, value.clone())).or_default() += 1;
        }
    }
    created
}

#[test]
fn kills_in_the_first_sync_leave_no_duplicate_and_none_missing() {
    let mut dice = Dice::thrown(20_260);
    let pair = Pair::start(&["--records", "40", "--seed", "11"], &[]);
    let moments = times("TANDEM_KILLS", 12);
    let mut at_work = 0;
    for _ in 0..moments {
        let moment = Duration::from_millis(50 + dice.below(900));
        at_work += u32::from(killed(&pair, &["sync", "--json"], moment));
    }
    println!("{at_work} of {moments} runs were killed at work");
    all_is_there_once(&pair);
    let customers = rest::get_customerp(&pair.customerp.url, "customers?limit=1000");
    let customers = customers["items"].as_array().unwrap().len();
    let links = pair
        .run(&["links", "--flow", "customer-division", "--json"])
        .lines();
    assert_eq!(links.len(), customers);
}

#[test]
fn kills_while_both_sides_are_edited_lose_no_edit() {
    let mut dice = Dice::thrown(20_261);
    let pair = Pair::start(&["--records", "10", "--seed", "12"], &[]);
    assert_eq!(pair.run(&["sync", "--json"]).code, Some(0));
    let links = pair
        .run(&["links", "--flow", "product-product2", "--json"])
        .lines();
    let id = |link: &Json, side: &str| link[side].as_str().unwrap().split_once(':').unwrap().1.to_owned();
    let products: Vec<(String, String)> = links
        .iter()
        .map(|link| (id(link, "customerp"), id(link, "salesforce")))
        .collect();
    let mut written: BTreeMap<usize, String> = BTreeMap::new();
    for round in 0..times("TANDEM_KILLS", 8) {
        // GIVEN a run, and people on both sides who edit, create and are not waited for
        let mut command = pair.command(&["run", "--json"]);
        let mut run = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(dice.below(1_200)));
        let place = usize::try_from(dice.below(products.len() as u64)).unwrap();
        let (erp, crm) = &products[place];
        let text = format!("edit {round}");
        // A product is edited on one side alone: what both sides edit is a conflict, and not asked here.
        if place.is_multiple_of(2) {
            let body = json!({ "description": text });
            rest::patch_customerp(&pair.customerp.url, &format!("products/{erp}"), &body);
        } else {
            let body = json!({ "Description": text });
            rest::patch_salesforce(&pair.salesforce.url, "Product2", crm, &body);
        }
        written.insert(place, text);
        let body =
            json!({ "customerId": "1", "lastName": "Late", "email": format!("late{round}@people.example") });
        rest::post_customerp(&pair.customerp.url, "contacts", &body);
        // WHEN it is killed
        std::thread::sleep(Duration::from_millis(dice.below(1_500)));
        kill(&mut run);
    }
    // THEN each edit is on both sides, and each new person there once
    all_is_there_once(&pair);
    for (place, text) in written {
        let (erp, crm) = &products[place];
        let ours = rest::get_customerp(&pair.customerp.url, &format!("products/{erp}"));
        let theirs = rest::get_salesforce(&pair.salesforce.url, &format!("sobjects/Product2/{crm}"));
        assert_eq!(
            (&ours["description"], &theirs["Description"]),
            (&json!(text), &json!(text))
        );
    }
}

#[test]
fn kills_in_bulk_loads_leave_no_duplicate_and_none_missing() {
    let mut dice = Dice::thrown(20_262);
    let pair = Pair::start(&["--records", "30", "--seed", "13"], &[]);
    let config = pair.path("tandem.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    let at = text.rfind("\n    secrets:").unwrap();
    let bulk = format!("{}\n    writes: {{ bulk_above: 10 }}{}", &text[..at], &text[at..]);
    std::fs::write(&config, bulk).unwrap();
    let moments = times("TANDEM_KILLS", 6);
    let mut at_work = 0;
    for _ in 0..moments {
        let moment = Duration::from_millis(100 + dice.below(2_500));
        at_work += u32::from(killed(&pair, &["sync", "--json"], moment));
    }
    println!("{at_work} of {moments} runs were killed at work");
    all_is_there_once(&pair);
    let jobs = rest::get_salesforce(&pair.salesforce.url, "jobs/ingest");
    assert!(
        jobs["records"].as_array().is_some_and(|jobs| !jobs.is_empty()),
        "nothing travelled in bulk"
    );
}
