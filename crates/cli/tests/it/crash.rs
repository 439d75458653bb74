//! `kill -9` at random moments of the first sync: no duplicate, none missing.

use crate::local::Pair;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

/// How often the first sync is killed.
const MOMENTS: u32 = 20;

#[test]
fn twenty_kills_leave_no_duplicate_and_none_missing() {
    let seed: u64 = std::env::var("TANDEM_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(20_260);
    println!("TANDEM_SEED={seed}");
    let mut dice = seed;
    // GIVEN a first sync that is killed at random moments, each time restarted
    let pair = Pair::start(&["--records", "40", "--seed", "11"], &[]);
    let mut finished = 0;
    for _ in 0..MOMENTS {
        dice = dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let moment = Duration::from_millis(50 + (dice >> 33) % 900);
        let mut run = pair.command(&["sync", "--json"]);
        let mut run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(moment);
        match run.try_wait().unwrap() {
            Some(_) => finished += 1,
            // SIGKILL on Unix: no destructor, no signal handler runs.
            None => run.kill().unwrap(),
        }
        run.wait().unwrap();
    }
    println!("{finished} of {MOMENTS} runs ended before they were killed");
    // WHEN it is left to end
    let last = pair.run(&["sync", "--json"]);
    assert_eq!(last.code, Some(0), "{}{}", last.out, last.err);
    // THEN both systems agree in full
    let verify = pair.run(&["verify", "--json"]);
    assert_eq!(verify.code, Some(0), "{}", verify.out);
    let found = verify.last();
    for count in ["different", "duplicates", "unlinked"] {
        assert_eq!(found[count], 0, "{count}: {found}");
    }
    // AND no counterpart was created twice: the log holds one create per external id
    let log = crate::rest::get(&format!("{}/_local/log", pair.salesforce.url));
    let mut created: BTreeMap<(String, String), u32> = BTreeMap::new();
    for entry in log["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["action"] == "create")
    {
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
    let twice: Vec<_> = created.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "created more than once: {twice:?}");
    let customers = crate::rest::get_customerp(&pair.customerp.url, "customers?limit=1000");
    let customers = customers["items"].as_array().unwrap().len();
    let links = pair
        .run(&["links", "--flow", "customer-division", "--json"])
        .lines();
    assert_eq!(links.len(), customers);
}
