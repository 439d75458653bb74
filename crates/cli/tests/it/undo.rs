//! What a run did wrong is taken back, and what people did since stays.

use crate::dice::times;
use crate::local::Pair;
use crate::rest;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// The ERP's contacts with their counterparts in Salesforce.
fn contacts(pair: &Pair) -> BTreeMap<String, String> {
    let links = pair
        .run(&["links", "--flow", "contact-contact", "--json"])
        .lines();
    let id = |link: &Json, system: &str| {
        let text = link[system].as_str().unwrap();
        text.split_once(':').unwrap().1.to_owned()
    };
    links
        .iter()
        .map(|link| (id(link, "customerp"), id(link, "salesforce")))
        .collect()
}

/// The last run in which something was edited.
fn last_edit(pair: &Pair) -> String {
    let runs = pair.run(&["history", "--runs", "--json"]).lines();
    let edited = runs.iter().rev().find(|run| run["counts"]["edited"].is_u64());
    edited.unwrap_or_else(|| panic!("{runs:#?}"))["run"].to_string()
}

/// The titles of the ERP's contacts by id.
fn titles(pair: &Pair) -> BTreeMap<String, Json> {
    let page = rest::get_customerp(&pair.customerp.url, "contacts?limit=1000");
    let records = page["items"].as_array().unwrap();
    let title = |contact: &Json| {
        (
            contact["id"].to_string().replace('"', ""),
            contact["title"].clone(),
        )
    };
    records.iter().map(title).collect()
}

#[test]
fn a_run_that_rewrote_many_contacts_is_undone_with_two_commands_and_3_edits_since_stay() {
    // GIVEN contacts of a person's making, in step, and a script that rewrites them all in Salesforce
    let many = times("TANDEM_REWRITTEN", 60) as usize;
    let pair = Pair::start(&["--records", "1", "--seed", "7"], &["--preset", "no-divisions"]);
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    let known = contacts(&pair);
    let some = known.values().next().unwrap();
    let account =
        rest::get_salesforce(&pair.salesforce.url, &format!("sobjects/Contact/{some}"))["AccountId"].clone();
    let people: Vec<Json> = (0..many)
        .map(|n| json!({ "LastName": format!("Person {n}"), "Title": format!("Title {n}"), "AccountId": account }))
        .collect();
    rest::write_salesforce(&pair.salesforce.url, "POST", "Contact", &people);
    let sync = pair.run(&["sync", "--json"]);
    assert_eq!(sync.code, Some(0), "{}{}", sync.out, sync.err);
    let mut contacts = contacts(&pair);
    contacts.retain(|id, _| !known.contains_key(id));
    assert_eq!(contacts.len(), many);
    let before = titles(&pair);
    let wrong = contacts.values().map(|id| json!({ "id": id, "Title": "WRONG" }));
    rest::write_salesforce(
        &pair.salesforce.url,
        "PATCH",
        "Contact",
        &wrong.collect::<Vec<_>>(),
    );
    // So many edits wait for a person, who is wrong this time.
    assert_eq!(pair.run(&["sync", "--json"]).code, Some(3));
    assert_eq!(pair.run(&["approve", "contact-contact", "--yes"]).code, Some(0));
    let sync = pair.run(&["sync", "--json"]);
    assert_eq!(sync.code, Some(0), "{}{}", sync.out, sync.err);
    assert_eq!(sync.last()["written"]["customerp"], many);
    let run = last_edit(&pair);
    // AND three that a person has put right since, one of them unseen by Tandem
    let righted: Vec<&String> = contacts.keys().take(3).collect();
    for id in &righted[..2] {
        rest::patch_customerp(
            &pair.customerp.url,
            &format!("contacts/{id}"),
            &json!({ "title": "Right" }),
        );
    }
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    let unseen = &contacts[righted[2]];
    rest::patch_salesforce(
        &pair.salesforce.url,
        "Contact",
        unseen,
        &json!({ "Title": "Right" }),
    );
    // WHEN the undo is shown
    let shown = pair.run(&["undo", "--run", &run, "--json"]);
    assert_eq!(shown.code, Some(0), "{}{}", shown.out, shown.err);
    let shown = shown.last();
    assert_eq!(shown["back"].as_array().unwrap().len(), 2 * (many - 3));
    let left = shown["left"].as_array().unwrap();
    assert_eq!(left.len(), 3, "{left:#?}");
    for one in left {
        assert!(one["why"].as_str().unwrap().contains("edited in"), "{one}");
    }
    let wrong = titles(&pair).values().filter(|title| *title == "WRONG").count();
    assert_eq!(wrong, many - 2, "one of the three is right in Salesforce alone");
    // AND carried out
    let done = pair.run(&["undo", "--run", &run, "--yes", "--json"]);
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    // THEN all but three are as before, on both sides, and the three are as the person left them
    let after = titles(&pair);
    for id in contacts.keys() {
        let wanted = if righted.contains(&id) {
            json!("Right")
        } else {
            before[id].clone()
        };
        assert_eq!(after[id], wanted, "contact {id}");
    }
    let verified = pair.run(&["verify", "--json"]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.out, verified.err);
}

#[test]
fn history_explain_and_undo_tell_one_records_story() {
    let pair = Pair::start(&["--records", "3", "--seed", "5"], &[]);
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    let contacts = contacts(&pair);
    let (here, there) = contacts.iter().next().unwrap();
    rest::patch_salesforce(
        &pair.salesforce.url,
        "Contact",
        there,
        &json!({ "Title": "Captain" }),
    );
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    // The story of one side is that of both, in the order of time.
    let name = format!("customerp Contact:{here}");
    let history = pair.run(&["history", &name, "--json"]);
    assert_eq!(history.code, Some(0), "{}", history.err);
    let lines = history.lines();
    let of = |event: &str, system: &str| {
        let found = lines
            .iter()
            .find(|line| line["event"] == event && line["system"] == system && line["new"] == "Captain");
        found.unwrap_or_else(|| panic!("{event} {system}: {}", history.out))
    };
    let (edited, wrote) = (of("edited", "salesforce"), of("wrote", "customerp"));
    assert_eq!(edited["property"], "Title");
    assert!(edited["by"].is_string() && edited["made"].is_string(), "{edited}");
    assert_eq!(edited["why"], format!("goes to customerp Contact {here}"));
    let follows = format!("title of customerp Contact {here} follows salesforce Contact {there}");
    assert_eq!(wrote["why"], follows);
    assert_eq!(edited["run"], wrote["run"]);
    // What stands now, and why.
    let explained = pair.run(&["explain", &name, "title", "--json"]);
    assert_eq!(explained.code, Some(0), "{}", explained.err);
    let property = &explained.last()["properties"][0];
    assert_eq!(property["head"]["value"], "Captain", "{property:#}");
    assert_eq!(property["head"]["from"], format!("salesforce Contact {there}"));
    assert_eq!(property["last_change"], edited["number"]);
    let members = property["members"].as_array().unwrap();
    assert!(
        members.iter().all(|member| member["stands"] == "in step"),
        "{members:#?}"
    );
    let text = pair.run(&["explain", &name]);
    assert!(
        text.out.contains("linked with salesforce Contact"),
        "{}",
        text.out
    );
    assert_eq!(pair.run(&["explain", &name, "no-such"]).code, Some(2));
    // One change goes back by its number, and the last change of a record by its name.
    let number = edited["number"].to_string();
    assert_eq!(pair.run(&["undo", &number, "--yes"]).code, Some(0));
    let title = || rest::get_customerp(&pair.customerp.url, &format!("contacts/{here}"))["title"].clone();
    assert_ne!(title(), "Captain");
    assert_eq!(pair.run(&["undo", &name, "--yes"]).code, Some(0));
    assert_eq!(title(), "Captain");
    assert_eq!(pair.run(&["undo"]).code, Some(2));
    assert_eq!(pair.run(&["undo", "--run", "999999"]).code, Some(2));
    assert_eq!(pair.run(&["undo", "--since", "soon"]).code, Some(2));
}

#[test]
fn status_tells_how_much_history_there_is_and_the_configuration_how_long_it_is_kept() {
    let pair = Pair::start(&["--records", "1"], &[]);
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    let status = pair.run(&["status", "--json"]).last();
    assert!(status["history"]["lines"].as_u64().unwrap() > 5, "{status:#}");
    assert!(status["history"]["oldest"].is_string(), "{status:#}");
    assert!(
        pair.run(&["status"]).out.contains("back to"),
        "{}",
        pair.run(&["status"]).out
    );
    let config = pair.path("tandem.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}\nhistory: {{ keep: 2h }}\n")).unwrap();
    let refused = pair.run(&["status"]);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.err.contains("too short: undo works on history"),
        "{}",
        refused.err
    );
    std::fs::write(&config, format!("{text}\nhistory: {{ keep: 30d }}\n")).unwrap();
    assert_eq!(pair.run(&["status"]).code, Some(0));
}
