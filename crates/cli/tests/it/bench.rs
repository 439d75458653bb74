//! Measurements measure: small ones, for their form and their reference; what they are held to is for large ones.

use crate::local::tandem;
use serde_json::Value as Json;

/// What a measurement of a few records says, whatever it holds them to.
fn measure(what: &str, more: &[&str]) -> Json {
    let small = [&["--records", "30"], more].concat();
    let said = say(what, &small).pop().unwrap();
    assert!(said["measured"].is_array(), "{said}");
    said["more"].clone()
}

/// What a measurement says, line by line.
fn say(what: &str, arguments: &[&str]) -> Vec<Json> {
    let command = ["bench", what, "--json", "--quiet"];
    let run = tandem().args(command).args(arguments).output().unwrap();
    let (out, err) = (
        String::from_utf8(run.stdout).unwrap(),
        String::from_utf8_lossy(&run.stderr),
    );
    assert!(matches!(run.status.code(), Some(0 | 1)), "{out} {err}");
    let read = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {out} {err}"));
    out.lines().map(read).collect()
}

#[test]
fn a_bare_loader_makes_in_fresh_systems_what_the_sync_has_made() {
    // Whatever it makes too much or too little, or is refused, ends the measurement.
    let more = measure("initial", &["--latency", "1"]);
    let (linked, loaded) = (more["linked"].as_u64().unwrap(), &more["loaded"]);
    assert!(linked > 30, "{more}");
    assert!(
        loaded["rows"].as_u64().unwrap() >= linked,
        "a row for each: {more}"
    );
    let steps: Vec<u64> = loaded["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Json::as_u64)
        .collect();
    assert!(steps.len() == 2 && steps.iter().all(|steps| *steps > 0), "{more}");
    assert!(more["bare"]["wall_ms"].as_u64() > Some(0), "{more}");
}

#[test]
fn a_bare_reader_asks_for_what_a_comparison_has_asked_for() {
    let more = measure("unchanged", &[]);
    let requests: u64 = more["requests"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Json::as_u64)
        .sum();
    assert!(requests > 2, "{more}");
}

#[test]
fn a_quiet_run_is_told_for_an_hour() {
    let more = measure("idle", &["--seconds", "1"]);
    assert!(more["sync"]["wall_ms"].as_u64() > Some(0), "{more}");
}

#[test]
fn edits_on_both_sides_travel_and_their_statements_are_counted() {
    // Whatever does not travel ends the measurement.
    let more = measure("incremental", &["--edits", "6"]);
    for scene in ["few", "many"] {
        let cost = &more[scene];
        assert!(cost["linked"].as_u64() > Some(20), "{more}");
        assert!(cost["statements"].as_u64() > Some(6), "{more}");
        assert!(cost["calls"].as_u64() > Some(0), "{more}");
    }
}

#[test]
fn records_edited_on_both_sides_meet_in_conflicts() {
    // Fewer conflicts than edits end the measurement.
    let more = measure("conflicts", &[]);
    assert!(more["together_ms"].as_u64() > Some(0), "{more}");
}

#[test]
fn every_edit_arrives_however_many_of_the_few_records_are_edited() {
    let said = say("latency", &["--edits", "12", "--poll", "1"]);
    assert_eq!(said.len(), 2, "by events and by polling");
    for way in said {
        assert_eq!(
            (way["edits"].as_u64(), way["lost"].as_u64()),
            (Some(12), Some(0)),
            "{way}"
        );
    }
}

#[test]
fn people_wait_for_every_command_that_is_measured() {
    // Whatever is refused ends the measurement.
    let more = measure("people", &["--seconds", "1", "--edits", "5"]);
    for phase in ["first", "later", "api"] {
        let waits = |what: &str| more[phase][what].as_array().unwrap().len();
        assert!(waits("looks") >= 7 && waits("acts") >= 2, "{more}");
    }
}

#[test]
fn the_console_answers_every_address_over_a_state_that_the_store_filled() {
    let small = ["--records", "20", "--lines", "100", "--rounds", "2"];
    let said = say("console", &small).pop().unwrap();
    let measured = said["measured"].as_array().unwrap();
    let addresses: Vec<&str> = measured
        .iter()
        .filter_map(|one| one["address"].as_str())
        .collect();
    for address in [
        "/",
        "/inbox",
        "/flows/contact-contact",
        "/api/v1/overview",
        "/api/v1/links",
    ] {
        assert!(addresses.contains(&address), "{addresses:?}");
    }
    // Conflicts wait, and runs are there, as in a state that was worked with.
    assert!(
        addresses
            .iter()
            .any(|address| address.starts_with("/api/v1/conflicts/"))
    );
    assert!(addresses.iter().any(|address| address.starts_with("/runs/")));
    for one in measured {
        assert!(
            one["median"].as_u64() > Some(0) && one["bytes"].as_u64() > Some(0),
            "{one}"
        );
        assert!(one["most"].as_u64() >= one["median"].as_u64(), "{one}");
    }
}
