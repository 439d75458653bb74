//! `tandem run` with its console, until it is told to stop.

use crate::local::{Pair, console_in};
use crate::rest;
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The longest wait for anything here.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn it_runs_tells_what_travels_and_stops_when_told() {
    // GIVEN a run with a console on a free port
    let pair = Pair::start(&["--records", "2", "--seed", "6"], &[]);
    let mut run = pair.command(&["run", "--console", "127.0.0.1:0"]);
    let mut run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let notes = BufReader::new(run.stderr.take().unwrap()).lines();
    let console = notes.map_while(Result::ok).find_map(|line| console_in(&line));
    let console = console.unwrap();
    // WHEN everything is linked and a person edits a record
    let metrics = until(|| {
        let metrics = rest::text(&format!("{console}/metrics"))?;
        let linked = "tandem_flow_linked{flow=\"product-product2\"} ";
        let linked = metrics.lines().find_map(|line| line.strip_prefix(linked));
        linked.filter(|linked| *linked != "0")?;
        Some(metrics.clone())
    });
    assert!(metrics.contains("# TYPE tandem_flow_linked gauge\n"), "{metrics}");
    assert!(
        metrics.contains("tandem_budget_spent_calls{system=\"salesforce\"} "),
        "{metrics}"
    );
    rest::patch_customerp(
        &pair.customerp.url,
        "products/1",
        &json!({ "description": "seen live" }),
    );
    // THEN the change is told as it travels
    let mut lines = BufReader::new(run.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    assert!(lines.any(|line| line.contains("Product2") && line.contains("seen live")));
    // AND how long it had been made before it was taken up
    let lag: f64 = until(|| {
        let metrics = rest::text(&format!("{console}/metrics"))?;
        let lag = "tandem_flow_lag_seconds{flow=\"product-product2\"} ";
        metrics
            .lines()
            .find_map(|line| line.strip_prefix(lag)?.parse().ok())
    });
    assert!((0.0..60.0).contains(&lag), "{lag}");
    // AND it stops when told, with everything done, and says no more where its console was
    assert!(pair.path("state/console.url").exists());
    assert!(
        Command::new("kill")
            .arg(run.id().to_string())
            .status()
            .unwrap()
            .success()
    );
    // What is still told meanwhile must find a reader.
    lines.for_each(drop);
    assert_eq!(run.wait().unwrap().code(), Some(0));
    assert!(!pair.path("state/console.url").exists());
    assert_eq!(pair.run(&["console"]).code, Some(2));
}

#[test]
fn it_reads_its_configuration_again_when_told_and_keeps_the_old_one_where_the_new_one_is_wrong() {
    let pair = Pair::start(&["--records", "1", "--seed", "6"], &[]);
    let config = pair.path("tandem.yaml");
    let before = std::fs::read_to_string(&config).unwrap();
    let mut run = pair.command(&["run", "--console", "127.0.0.1:0"]);
    let mut run = run.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut notes = BufReader::new(run.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let mut heard = |part: &str| {
        let found = notes.by_ref().find(|line| line.contains(part));
        found.unwrap_or_else(|| panic!("nobody said: {part}"))
    };
    heard("Console: ");
    let again = || {
        let told = Command::new("kill")
            .args(["-HUP", &run.id().to_string()])
            .status();
        assert!(told.unwrap().success());
    };
    // One that is wrong, and one that does not fit the systems, change nothing.
    std::fs::write(&config, format!("{before}\nconsole: {{ address: here }}\n")).unwrap();
    again();
    heard("`here` is no address");
    heard("stays as it was");
    heard("Console: ");
    let flow = pair.path("flows/product-product2.yaml");
    let rows = std::fs::read_to_string(&flow).unwrap();
    std::fs::write(&config, &before).unwrap();
    std::fs::write(&flow, rows.replace("Description", "Nowhere__c")).unwrap();
    again();
    heard("does not fit the systems");
    heard("stays as it was");
    heard("Console: ");
    // One that is right is in force.
    std::fs::write(&flow, &rows).unwrap();
    std::fs::write(
        &config,
        format!("{before}\nconsole: {{ names: [tandem.example.com] }}\n"),
    )
    .unwrap();
    again();
    let console = console_in(&heard("Console: ")).unwrap();
    let named = rest::answered(|client| {
        client
            .get(format!("{console}/metrics"))
            .header("host", "tandem.example.com")
    });
    assert_eq!(named.status, 200);
    assert!(
        Command::new("kill")
            .arg(run.id().to_string())
            .status()
            .unwrap()
            .success()
    );
    notes.for_each(drop);
    assert_eq!(run.wait().unwrap().code(), Some(0));
}

#[test]
fn a_system_that_is_away_while_the_configuration_is_read_again_is_waited_for() {
    let pair = Pair::start(&["--records", "1", "--seed", "6"], &[]);
    let mut run = pair.command(&["run", "--no-console"]);
    let mut run = run.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut notes = BufReader::new(run.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let mut heard = |part: &str| {
        let found = notes.by_ref().find(|line| line.contains(part));
        found.unwrap_or_else(|| panic!("nobody said: {part}"))
    };
    let signal = |name: &str| {
        let told = Command::new("kill").args([name, &run.id().to_string()]).status();
        assert!(told.unwrap().success());
    };
    heard("Keeping in step");
    drop(pair.salesforce);
    signal("-HUP");
    heard("Trying again until it answers");
    // It is there still, and ends when told.
    signal("-TERM");
    heard("Stopped");
    notes.for_each(drop);
    assert_eq!(run.wait().unwrap().code(), Some(0));
}

/// Waits until something comes about.
#[track_caller]
pub(crate) fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            began.elapsed() < PATIENCE,
            "it did not come about within a minute"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}
