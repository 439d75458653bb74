//! A line that cuts, delays and half-delivers between the real process and both systems.

use crate::crash::all_is_there_once;
use crate::dice::{Dice, times};
use crate::local::Pair;
use crate::proxy::{Fate, between};
use crate::rest;
use serde_json::{Value as Json, json};
use std::sync::Mutex;

/// What befalls about one request in five.
const FATES: [Fate; 6] = [
    Fate::CutBefore,
    Fate::HalfRequest,
    Fate::CutAfter,
    Fate::HalfAnswer,
    Fate::Delay(20),
    Fate::Delay(250),
];

#[test]
fn a_bad_line_loses_and_doubles_nothing() {
    let pair = Pair::start(&["--records", "15", "--seed", "41"], &[]);
    let lines = between(&pair, [true, true]);
    let mut dice = Dice::thrown(20_263);
    for line in &lines {
        let own = Mutex::new(Dice::of(dice.below(1 << 30)));
        line.rule(move |_, _, _| {
            let mut dice = own.lock().unwrap();
            match dice.below(5) {
                0 => FATES[usize::try_from(dice.below(FATES.len() as u64)).unwrap()],
                _ => Fate::Deliver,
            }
        });
    }
    // GIVEN syncs over that line, with edits on both sides in between
    let mut written: Vec<(String, String, String)> = Vec::new();
    for round in 0..times("TANDEM_LINES", 5) {
        let sync = pair.run(&["sync", "--json"]);
        assert!(
            matches!(sync.code, Some(0 | 1 | 3)),
            "{:?}: {}",
            sync.code,
            sync.err
        );
        let links = pair.run(&["links", "--flow", "product-product2", "--json"]);
        let links: Vec<Json> = match links.code {
            Some(0) => links.lines(),
            _ => continue,
        };
        if links.is_empty() {
            continue;
        }
        let link = &links[usize::try_from(dice.below(links.len() as u64)).unwrap()];
        let id = |side: &str| link[side].as_str().unwrap().split_once(':').unwrap().1.to_owned();
        let (erp, crm, text) = (
            id("customerp"),
            id("salesforce"),
            format!("over the line {round}"),
        );
        written.retain(|(edited, ..)| *edited != erp);
        // Each product is edited on its own side, so that no edit is a conflict.
        if erp.parse::<u32>().unwrap().is_multiple_of(2) {
            let body = json!({ "description": text });
            rest::patch_customerp(&pair.customerp.url, &format!("products/{erp}"), &body);
        } else {
            let body = json!({ "Description": text });
            rest::patch_salesforce(&pair.salesforce.url, "Product2", &crm, &body);
        }
        written.push((erp, crm, text));
    }
    let struck: u64 = lines.iter().map(crate::proxy::Proxy::struck).sum();
    println!("{struck} requests were struck");
    assert!(struck > 10, "the line was too good: {struck}");
    // WHEN the line is good again
    for line in &lines {
        line.rule(|_, _, _| Fate::Deliver);
    }
    // THEN all is there once, and each edit on both sides
    all_is_there_once(&pair);
    for (erp, crm, text) in written {
        let ours = rest::get_customerp(&pair.customerp.url, &format!("products/{erp}"));
        let theirs = rest::get_salesforce(&pair.salesforce.url, &format!("sobjects/Product2/{crm}"));
        assert_eq!(
            (&ours["description"], &theirs["Description"]),
            (&json!(text), &json!(text))
        );
    }
}
