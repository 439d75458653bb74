//! Planted faults are parked, exactly those, with reason and advice.

use crate::local::Pair;
use std::collections::BTreeSet;

#[test]
fn planted_faults_are_parked_exactly_with_reason_and_advice() {
    // GIVEN records with one fault of every kind
    let kinds = "too-long,missing-mandatory,unknown-enum,reference-to-nothing,duplicate-key";
    let pair = Pair::start(&["--records", "30", "--faults", kinds], &[]);
    // WHEN they are synced
    let sync = pair.run(&["sync", "--json"]);
    assert_eq!(sync.code, Some(3), "{}{}", sync.out, sync.err);
    // THEN exactly the spoilt records are parked
    let run = pair.run(&["failures", "--standing", "parked", "--json"]);
    assert_eq!(run.code, Some(3));
    let parked: Vec<_> = run.lines();
    for item in &parked {
        assert!(!item["reason"].as_str().unwrap().is_empty(), "{item}");
        assert!(!item["advice"].as_str().unwrap().is_empty(), "{item}");
    }
    let planted = crate::rest::get(&format!("{}/_local/faults", pair.customerp.url));
    let planted = planted.as_array().unwrap();
    let spoilt: BTreeSet<(String, String)> = planted
        .iter()
        .flat_map(|fault| {
            let record_type = fault["type"].as_str().unwrap();
            let ids = [fault["id"].as_str(), fault["other"].as_str()];
            ids.into_iter()
                .flatten()
                .map(|id| (record_type.to_owned(), id.to_owned()))
        })
        .collect();
    let links = pair.run(&["links", "--json"]).lines();
    for item in &parked {
        let record = format!(
            "{}:{}",
            item["type"].as_str().unwrap(),
            item["id"].as_str().unwrap()
        );
        let of_customerp = match item["system"].as_str().unwrap() {
            "customerp" => vec![record],
            _ => links
                .iter()
                .filter(|link| link["salesforce"] == record)
                .map(|link| link["customerp"].as_str().unwrap().to_owned())
                .collect(),
        };
        let known = of_customerp.iter().any(|record| {
            let (record_type, id) = record.split_once(':').unwrap();
            spoilt.contains(&(record_type.to_owned(), id.to_owned()))
        });
        assert!(known, "parked without a fault: {item}");
    }
    let kinds: BTreeSet<&str> = parked.iter().map(|item| item["kind"].as_str().unwrap()).collect();
    for kind in [
        "too-long",
        "missing-mandatory",
        "unknown-enum",
        "reference-to-nothing",
        "duplicate-key",
    ] {
        assert!(kinds.contains(kind), "{kind} is not among {kinds:?}");
    }
}
