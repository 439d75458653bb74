//! `tandem run` with its console, until it is told to stop.

use crate::local::Pair;
use crate::rest;
use serde_json::{Value as Json, json};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The longest wait for anything here.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn it_runs_shows_its_console_and_stops_when_told() {
    // GIVEN a run with a console on a free port
    let pair = Pair::start(&["--records", "2", "--seed", "6"], &[]);
    let mut run = pair.command(&["run", "--console", "127.0.0.1:0"]);
    let mut run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let notes = BufReader::new(run.stderr.take().unwrap()).lines();
    let console = notes
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("Console: ").map(str::to_owned));
    let console = console.unwrap();
    // WHEN everything is linked and a person edits a record
    let linked = until(|| {
        let status: Json = serde_json::from_str(&rest::text(&format!("{console}/api/status"))?).ok()?;
        let flows = status["status"]["flows"].as_array()?.clone();
        let products = flows.iter().find(|flow| flow["flow"] == "product-product2")?;
        products["linked"].as_u64().filter(|linked| *linked > 0)
    });
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
    let metrics = rest::text(&format!("{console}/metrics")).unwrap();
    assert!(
        metrics.contains(&format!(
            "tandem_flow_linked{{flow=\"product-product2\"}} {linked}\n"
        )),
        "{metrics}"
    );
    let page = rest::text(&console).unwrap();
    assert!(page.contains("product-product2"), "{page}");
    // AND it stops when told, with everything done
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
}

/// Waits until something comes about.
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
