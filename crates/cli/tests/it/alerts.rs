//! Who is told when something needs somebody.

use crate::local::Pair;
use crate::proxy::{self, Fate};
use serde_json::Value as Json;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// The longest wait for an alert.
const PATIENCE: Duration = Duration::from_secs(60);

/// Takes what is posted: refuses the first, and hands on the bodies.
fn taker() -> (String, mpsc::Receiver<Json>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook?key=very-secret", listener.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for (place, line) in listener.incoming().enumerate() {
            let mut line = BufReader::new(line.unwrap());
            let mut length = 0;
            loop {
                let mut head = String::new();
                line.read_line(&mut head).unwrap();
                if let Some(text) = head.to_lowercase().strip_prefix("content-length: ") {
                    length = text.trim().parse().unwrap();
                }
                if head.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            line.read_exact(&mut body).unwrap();
            let status = if place == 0 { "503 Later" } else { "204 Taken" };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            line.get_mut().write_all(answer.as_bytes()).unwrap();
            if place > 0 && tell.send(serde_json::from_slice(&body).unwrap()).is_err() {
                return;
            }
        }
    });
    (url, told)
}

#[test]
fn a_system_that_stays_away_is_told_to_whom_the_configuration_names_and_its_address_to_nobody() {
    let pair = Pair::start(&["--records", "1", "--seed", "6"], &[]);
    let (url, told) = taker();
    let config = pair.path("tandem.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(
        &config,
        text + "\nalerts: { webhook: { env: HOOK }, after: 100ms }\n",
    )
    .unwrap();
    let none = pair.run(&["run", "--no-console"]);
    assert_eq!(none.code, Some(2), "{}", none.err);
    assert!(none.err.contains("HOOK"), "{}", none.err);
    let mut run = pair
        .command(&["run", "--no-console"])
        .env("HOOK", &url)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut notes = BufReader::new(run.stderr.take().unwrap()).lines();
    let works = notes.any(|line| line.unwrap().contains("  note   Keeping in step"));
    assert!(works);
    let notes = std::thread::spawn(move || notes.map_while(Result::ok).collect::<Vec<String>>());
    // WHEN Salesforce goes away
    let mut status = pair.command(&["status", "--json"]);
    let mut status = || -> Json { serde_json::from_slice(&status.output().unwrap().stdout).unwrap() };
    drop(pair.salesforce);
    // THEN somebody is told, though the first attempt was not taken
    let alert = told.recv_timeout(PATIENCE).unwrap();
    assert_eq!(
        (&alert["alert"], &alert["state"]),
        (&"trouble salesforce".into(), &"began".into())
    );
    assert!(
        alert["text"].as_str().unwrap().starts_with("salesforce: "),
        "{alert}"
    );
    // AND `status` says so, which looks beside the work
    let shown = status();
    let words = shown["troubles"]["salesforce"]["words"].as_str().unwrap();
    assert!(words.starts_with("salesforce: "), "{shown}");
    assert!(
        Command::new("kill")
            .arg(run.id().to_string())
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(run.wait().unwrap().code(), Some(0));
    // What a process that is gone said is not told any more.
    assert_eq!(status()["troubles"], serde_json::json!({}));
    let notes = notes.join().unwrap().join("\n");
    assert!(notes.contains("are not taken by the address"), "{notes}");
    assert!(!notes.contains("very-secret"), "{notes}");
}

/// A machine that was started before its ERP: the process waits, whoever is to be told is told, and the work goes on.
#[test]
fn a_process_that_is_started_while_a_system_is_away_waits_and_tells() {
    let pair = Pair::start(&["--records", "1", "--seed", "6"], &[]);
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    let [erp, _] = proxy::between(&pair, [true, false]);
    erp.rule(|_, _, _| Fate::CutBefore);
    let (url, told) = taker();
    let config = pair.path("tandem.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    let alerts = "\nalerts: { webhook: { env: HOOK }, after: 100ms }\n";
    std::fs::write(&config, text + alerts).unwrap();
    let start = || {
        let mut run = pair.command(&["run", "--no-console"]);
        let run = run.env("HOOK", &url).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut run = run.spawn().unwrap();
        let notes = BufReader::new(run.stderr.take().unwrap()).lines();
        let mut notes = notes.map_while(Result::ok);
        assert!(notes.any(|line| line.contains("Trying again until it answers")));
        (run, notes)
    };
    let (mut run, _notes) = start();
    let alert = told.recv_timeout(PATIENCE).unwrap();
    let of = |alert: &Json| (alert["alert"].to_string(), alert["state"].to_string());
    assert_eq!(
        of(&alert),
        ("\"trouble customerp\"".to_owned(), "\"began\"".to_owned())
    );
    // What was told is known to whoever goes on after it.
    let kept = std::fs::read_to_string(pair.path("state/alerts.json")).unwrap();
    assert!(kept.contains("trouble customerp"), "{kept}");
    run.kill().unwrap();
    run.wait().unwrap();
    let (mut run, mut notes) = start();
    erp.rule(|_, _, _| Fate::Deliver);
    assert!(notes.any(|line| line.contains("customerp: answers again after")));
    // Killed right after it was taken, one may be sent once more.
    let alert = loop {
        let alert = told.recv_timeout(PATIENCE).unwrap();
        if alert["state"] != "began" {
            break alert;
        }
    };
    assert_eq!(
        of(&alert),
        ("\"trouble customerp\"".to_owned(), "\"over\"".to_owned())
    );
    let ended = Command::new("kill").arg(run.id().to_string()).status();
    assert!(ended.unwrap().success());
    notes.for_each(drop);
    assert_eq!(run.wait().unwrap().code(), Some(0));
}
