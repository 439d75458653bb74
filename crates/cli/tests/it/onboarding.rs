//! Two systems that are populated already: matches first, decisions as CSV, then the first sync.

use crate::local::Pair;
use crate::rest;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// Contacts of both systems, those that tie (two in Salesforce for one in Customerp), and those of one side.
struct Crowd {
    both: usize,
    ties: usize,
    alone: usize,
}

fn here(name: &str) -> Json {
    json!({ "firstName": "Alex", "lastName": name, "email": format!("{name}@example.org") })
}

fn there(name: &str, title: &str) -> Json {
    json!({ "FirstName": "Alex", "LastName": name, "Email": format!("{}@EXAMPLE.org", name.to_uppercase()), "Title": title })
}

impl Crowd {
    fn settle_in(&self, pair: &Pair) {
        let both = || (0..self.both).map(|place| format!("both{place}"));
        let ties = || (0..self.ties).map(|place| format!("tie{place}"));
        let ours = (0..self.alone).map(|place| format!("ours{place}"));
        let theirs = (0..self.alone).map(|place| format!("theirs{place}"));
        let contacts: Vec<Json> = both().chain(ties()).chain(ours).map(|name| here(&name)).collect();
        rest::create_customerp(&pair.customerp.url, "contacts", &contacts);
        let mut records: Vec<Json> = both().chain(theirs).map(|name| there(&name, "")).collect();
        for name in ties() {
            records.push(there(&name, "one"));
            records.push(there(&name, "two"));
        }
        rest::create_salesforce(&pair.salesforce.url, "Contact", &records);
    }
}

fn counts(pair: &Pair) -> Json {
    let run = pair.run(&["plan", "--matches", "--json"]);
    let last = run.last();
    let flows = last["matches"].as_array().unwrap();
    flows
        .iter()
        .find(|flow| flow["flow"] == "contact-contact")
        .unwrap()
        .clone()
}

fn links(pair: &Pair) -> usize {
    pair.run(&["links", "--flow", "contact-contact", "--json"])
        .lines()
        .len()
}

#[test]
fn most_overlap_some_tie_and_nothing_is_doubled() {
    nothing_is_doubled(&Crowd {
        both: 300,
        ties: 20,
        alone: 15,
    });
}

#[test]
#[ignore = "takes minutes: ./test --long"]
fn five_thousand_overlap_two_hundred_tie_and_nothing_is_doubled() {
    nothing_is_doubled(&Crowd {
        both: 5_000,
        ties: 200,
        alone: 150,
    });
}

fn nothing_is_doubled(crowd: &Crowd) {
    let Crowd { both, ties, alone } = *crowd;
    let pair = Pair::start(&[], &[]);
    crowd.settle_in(&pair);
    // WHEN the matches are shown, all ties are there with their candidates, and nothing is written
    let shown = pair.run(&["plan", "--matches", "--flow", "contact-contact", "--json"]);
    assert_eq!(shown.code, Some(3), "{}", shown.err);
    let lines = shown.lines();
    let of = |kind: &str| {
        lines
            .iter()
            .filter(|line| line["match"] == kind)
            .collect::<Vec<_>>()
    };
    let tied = of("tie");
    assert_eq!(tied.len(), ties);
    assert!(
        tied.iter()
            .all(|tie| tie["candidates"].as_array().unwrap().len() == 2)
    );
    assert_eq!(
        (of("pair").len(), of("single").len(), of("duplicates").len()),
        (both, 2 * alone, ties)
    );
    assert!(!shown.out.contains("both7@"), "personal values are masked");
    assert_eq!(pair.run(&["links"]).code, Some(2), "there is no state yet");
    // AND synced, the pairs are linked, the singles created, the ties left
    let sync = pair.run(&["sync", "--json"]);
    assert_eq!(sync.code, Some(3), "{}{}", sync.out, sync.err);
    assert_eq!(links(&pair), both + 2 * alone);
    let log = rest::get(&format!("{}/_local/log", pair.salesforce.url));
    let mut created: BTreeMap<String, u32> = BTreeMap::new();
    for entry in log["entries"].as_array().unwrap() {
        let fields = entry["fields"].as_array().into_iter().flatten();
        for field in fields.filter(|field| entry["action"] == "create" && field["field"] == "Email") {
            let mail = field["new"].as_str().unwrap().to_lowercase();
            *created.entry(mail).or_default() += 1;
        }
    }
    let twice = created
        .iter()
        .filter(|(mail, count)| **count > 1 && !mail.starts_with("tie"));
    assert_eq!(twice.count(), 0);
    let failures = pair
        .run(&["failures", "--kind", "tie", "--limit", "1000", "--json"])
        .lines();
    assert_eq!(failures.len(), 3 * ties);
    let verify = pair.run(&["verify", "--json"]).last();
    assert_eq!(
        (&verify["different"], &verify["duplicates"]),
        (&json!(0), &json!(0)),
        "{verify}"
    );
}

/// The rows of a decision file, by heading, changed by `edit`, written back as a spreadsheet of a German desk does.
fn fill_in(pair: &Pair, name: &str, edit: impl Fn(&BTreeMap<String, String>) -> Option<&'static str>) {
    let path = pair.path(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let rows: Vec<Vec<String>> = text
        .lines()
        .map(|line| line.split(',').map(str::to_owned).collect())
        .collect();
    let mut out = vec![rows[0].join(";")];
    for row in &rows[1..] {
        let named = rows[0].iter().cloned().zip(row.iter().cloned()).collect();
        let mut cells = row.clone();
        cells[0] = edit(&named).unwrap_or_default().to_owned();
        out.push(cells.join(";"));
    }
    std::fs::write(&path, format!("\u{feff}{}\r\n", out.join("\r\n"))).unwrap();
}

#[test]
fn decisions_travel_as_csv_and_are_never_asked_again() {
    let pair = Pair::start(&[], &[]);
    let crowd = Crowd {
        both: 3,
        ties: 2,
        alone: 1,
    };
    crowd.settle_in(&pair);
    rest::create_customerp(
        &pair.customerp.url,
        "contacts",
        &[json!({ "lastName": "=1+1", "email": "-x@example.org" })],
    );
    let export = [
        "plan",
        "--matches",
        "--flow",
        "contact-contact",
        "--export",
        "decisions.csv",
    ];
    let run = pair.run(&export);
    assert_eq!(run.code, Some(3), "{}", run.err);
    assert!(
        run.out.contains("tie in contact-contact") && run.out.contains("tandem links import"),
        "{}",
        run.out
    );
    // A file that somebody may have filled in is not overwritten.
    assert_eq!(pair.run(&export).code, Some(2));
    let text = std::fs::read_to_string(pair.path("decisions.csv")).unwrap();
    assert_eq!(text.lines().count(), 1 + 3 + 4 + 3, "{text}");
    assert!(!text.contains("tie0@"), "{text}");
    let open = ["plan", "--matches", "--export", "open.csv", "--show-personal"];
    assert_eq!(pair.run(&open).code, Some(3));
    let text = std::fs::read_to_string(pair.path("open.csv")).unwrap();
    assert!(
        text.contains("tie0@example.org") && text.contains(",'=1+1,") && text.contains(",'-x@example.org,"),
        "{text}"
    );
    // WHEN of each tie one candidate is chosen and the other is different, one pair rejected, one single left
    fill_in(&pair, "decisions.csv", |row| {
        match (row["match"].as_str(), row["group"].as_str()) {
            ("tie", _) if row["contact-contact: salesforce Title"] == "one" => Some("link"),
            ("tie", _) => Some("Different"),
            _ => None,
        }
    });
    let weighed = pair.run(&["links", "import", "decisions.csv", "--json"]);
    assert_eq!(weighed.code, Some(0), "{}{}", weighed.out, weighed.err);
    let expected =
        json!({ "flow": "contact-contact", "linked": 2, "different": 2, "left_alone": 0, "already": 0 });
    assert_eq!(weighed.last()["flows"], json!([expected]));
    assert_eq!(pair.run(&["links"]).code, Some(2), "nothing was changed");
    let done = pair.run(&["links", "import", "decisions.csv", "--yes"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    // THEN nothing ties any more, and the different ones get contacts of their own, once somebody lets the flow's policy
    // decide what the first links overwrite
    assert_eq!(pair.run(&["sync", "--json"]).code, Some(3));
    assert_eq!(pair.run(&["approve", "contact-contact", "--yes"]).code, Some(0));
    let sync = pair.run(&["sync", "--json"]);
    assert_eq!(sync.code, Some(0), "{}{}", sync.out, sync.err);
    assert_eq!(links(&pair), 3 + 2 + 2 + 2 + 1);
    let after = counts(&pair);
    assert_eq!(
        (&after["ties"], &after["pairs"], &after["linked"]),
        (&json!(0), &json!(0), &json!(10))
    );
    assert_eq!(pair.run(&["verify"]).code, Some(0));
    // Imported again, all of it is so already; a link that would break another is refused at its line.
    let again = pair
        .run(&["links", "import", "decisions.csv", "--yes", "--json"])
        .last();
    assert_eq!(again["flows"][0]["already"], 4, "{again}");
    fill_in(&pair, "open.csv", |row| (row["match"] == "tie").then_some("link"));
    let broken = pair.run(&["links", "import", "open.csv", "--yes"]);
    assert_eq!(broken.code, Some(2));
    assert_eq!(broken.err.matches("is linked with").count(), 2, "{}", broken.err);
    assert!(
        broken.err.contains("open.csv:") && broken.err.contains("2 problems; nothing was done"),
        "{}",
        broken.err
    );
}

#[test]
fn the_id_map_of_another_tool_is_taken_over() {
    let pair = Pair::start(&[], &[]);
    let ours = rest::create_customerp(
        &pair.customerp.url,
        "contacts",
        &[here("a"), here("b"), here("c")],
    );
    let theirs = [there("x", ""), there("y", ""), there("z", "")];
    let theirs = rest::create_salesforce(&pair.salesforce.url, "Contact", &theirs);
    let map = |rows: &[[&str; 2]]| {
        let rows: Vec<String> = rows.iter().map(|row| row.join(",")).collect();
        std::fs::write(
            pair.path("map.csv"),
            format!("customerp id,salesforce id\n{}\n", rows.join("\n")),
        )
        .unwrap();
    };
    // All problems at once, each with its line.
    map(&[
        [&ours[0], &theirs[0]],
        [&ours[0], &theirs[1]],
        ["999999", &theirs[1]],
        [&ours[1], ""],
        [&ours[2], "Account:001"],
    ]);
    let import = ["links", "import", "map.csv", "--flow", "contact-contact"];
    let broken = pair.run(&import);
    assert_eq!(broken.code, Some(2), "{}", broken.out);
    for part in [
        "map.csv:3:",
        "map.csv:4:",
        "customerp Contact 999999 is not known",
        "map.csv:5:2: no id of salesforce stands here",
    ] {
        assert!(broken.err.contains(part), "{part}: {}", broken.err);
    }
    assert_eq!(
        pair.run(&["links", "import", "map.csv"]).code,
        Some(2),
        "no flow is named"
    );
    // Ids of 15 characters, as older tools keep them, name the same records.
    map(&[[&ours[0], &theirs[0]], [&ours[1], &theirs[1][..15]]]);
    let dry = pair.run(&[&import[..], &["--json"]].concat());
    assert_eq!(dry.code, Some(0), "{}", dry.err);
    assert_eq!(
        (&dry.last()["done"], &dry.last()["flows"][0]["linked"]),
        (&json!(false), &json!(2))
    );
    let done = pair.run(&[&import[..], &["--yes"]].concat());
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    let export = pair.run(&["links", "export", "--flow", "contact-contact"]);
    assert_eq!(export.code, Some(0), "{}", export.err);
    for (ours, theirs) in ours.iter().zip(&theirs).take(2) {
        assert!(
            export.out.contains(&format!("contact-contact,{ours},{theirs}")),
            "{}",
            export.out
        );
    }
    // What was exported is taken back, and is so already.
    assert_eq!(pair.run(&["links", "export", "back.csv"]).code, Some(0));
    let back = pair.run(&["links", "import", "back.csv", "--json"]).last();
    assert_eq!(back["flows"][0]["linked"], 0, "{back}");
}

#[test]
fn contacts_are_matched_by_a_field_that_holds_the_other_systems_id() {
    let pair = Pair::start(&[], &[]);
    // The department is the field in which an older tool kept Customerp's id.
    let file = pair.path("flows/contact-contact.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let rule = "match:\n  - { customerp: id, salesforce: Department }";
    std::fs::write(&file, text.replace("match:", rule)).unwrap();
    let ours = rest::create_customerp(&pair.customerp.url, "contacts", &[here("a"), here("b")]);
    let mut theirs = there("somebody", "");
    theirs["Department"] = ours[1].as_str().into();
    let theirs = rest::create_salesforce(&pair.salesforce.url, "Contact", &[theirs]);
    let sync = pair.run(&["sync", "--json"]);
    assert_eq!(sync.code, Some(0), "{}{}", sync.out, sync.err);
    let export = pair.run(&["links", "export"]).out;
    assert!(
        export.contains(&format!("contact-contact,{},{}", ours[1], theirs[0])),
        "{export}"
    );
}
