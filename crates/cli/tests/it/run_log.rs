//! What `tandem run` tells while it works: one style for people, one object a line for programs.

use crate::live::until;
use crate::local::{Pair, System};
use crate::rest;
use serde_json::{Value as Json, json};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// A run whose lines are kept as they come.
struct Run {
    process: Child,
    out: Arc<Mutex<Vec<String>>>,
    err: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
}

fn kept(from: impl Read + Send + 'static) -> (Arc<Mutex<Vec<String>>>, JoinHandle<()>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let into = lines.clone();
    let read = move || {
        let all = BufReader::new(from).lines().map_while(Result::ok);
        all.for_each(|line| into.lock().unwrap().push(line));
    };
    (lines, std::thread::spawn(read))
}

impl Run {
    fn start(pair: &Pair, arguments: &[&str]) -> Self {
        let mut command = pair.command(&[&["run", "--no-console"], arguments].concat());
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (out, reads) = kept(process.stdout.take().unwrap());
        let (err, reads_too) = kept(process.stderr.take().unwrap());
        let readers = vec![reads, reads_too];
        Self {
            process,
            out,
            err,
            readers,
        }
    }

    /// Waits for a line with all of these parts.
    #[track_caller]
    fn heard(&self, parts: &[&str]) -> String {
        until(|| {
            let all = [&self.out, &self.err].map(|lines| lines.lock().unwrap().clone());
            let has = |line: &&String| parts.iter().all(|part| line.contains(part));
            all.iter().flatten().find(has).cloned()
        })
    }

    /// The event that programs are told.
    #[track_caller]
    fn told(&self, fits: impl Fn(&Json) -> bool) -> Json {
        until(|| {
            let lines = self.out.lock().unwrap().clone();
            let mut events = lines.iter().map(|line| serde_json::from_str(line).unwrap());
            events.find(|event| fits(event))
        })
    }

    fn stop(mut self) -> [Vec<String>; 2] {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").arg(id).status().unwrap().success());
        assert_eq!(self.process.wait().unwrap().code(), Some(0));
        self.readers.drain(..).for_each(|reader| reader.join().unwrap());
        [&self.out, &self.err].map(|lines| lines.lock().unwrap().clone())
    }
}

/// An org that is the same one when it is started again: at a port of its own, from a seed.
fn org() -> [String; 4] {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    ["--port", &port.to_string(), "--seed", "12"].map(str::to_owned)
}

/// Whether a line is one of the log: when, how it stands, a sentence.
fn is_of_the_log(line: &str) -> bool {
    let Some((at, rest)) = line.split_once("  ") else {
        return false;
    };
    let levels = ["fine ", "note ", "waits", "warn ", "wrong"];
    let told = levels.iter().any(|level| rest.starts_with(&format!("{level}  ")));
    at.len() == 20 && at.ends_with('Z') && told && !line.contains('\u{1b}')
}

fn product(pair: &Pair, edit: &Json) {
    rest::patch_customerp(&pair.customerp.url, "products/1", edit);
}

#[test]
fn what_travels_what_waits_and_outages_stand_in_lines_of_one_style() {
    let org = org();
    let org: Vec<&str> = org.iter().map(String::as_str).collect();
    let pair = Pair::start(&["--records", "2", "--seed", "6"], &org);
    let name = rest::get_customerp(&pair.customerp.url, "products/1")["name"].clone();
    let name = name.as_str().unwrap();
    let run = Run::start(&pair, &[]);
    run.heard(&["note   Keeping in step"]);
    // A link, by names and ids, with its flow and the number that `undo` takes.
    run.heard(&[
        "  fine   customerp Product 1 (",
        name,
        "linked with salesforce Product2",
        "[product-product2, change ",
    ]);
    product(&pair, &json!({ "description": "seen live" }));
    run.heard(&[
        "  fine   salesforce Product2",
        name,
        "Description written: ",
        "→ seen live",
    ]);
    // What does not fit is told with why.
    rest::patch_customerp(
        &pair.customerp.url,
        "contacts/1",
        &json!({ "title": "x".repeat(200) }),
    );
    run.heard(&[
        "  waits  salesforce Contact",
        ".Title",
        "too-long; title has 200 characters",
        "To do: shorten",
        "[item ",
    ]);
    // An outage has a begin and an end.
    let Pair {
        customerp: _customerp,
        salesforce,
        folder: _folder,
    } = pair;
    drop(salesforce);
    run.heard(&["  wrong  salesforce: "]);
    let _again = System::start("salesforce", &org);
    let over = run.heard(&["  fine   salesforce: answers again after "]);
    assert!(over.ends_with(" s"), "{over}");
    let [out, err] = run.stop();
    for line in out.iter().chain(&err) {
        assert!(is_of_the_log(line), "{line}");
    }
    assert!(err.last().unwrap().ends_with("  note   Stopped."), "{err:?}");
}

#[test]
fn programs_are_told_data_one_object_a_line() {
    let org = org();
    let org: Vec<&str> = org.iter().map(String::as_str).collect();
    let pair = Pair::start(&["--records", "2", "--seed", "6"], &org);
    let run = Run::start(&pair, &["--json"]);
    run.told(|event| event["event"] == "began" && event["console"].is_null());
    let linked =
        run.told(|event| event["event"] == "linked" && event["type"] == "Product" && event["id"] == "1");
    assert_eq!(
        (&linked["flow"], &linked["with"]["type"]),
        (&json!("product-product2"), &json!("Product2"))
    );
    assert_eq!(linked["name"], linked["with"]["name"]);
    product(&pair, &json!({ "description": "seen live" }));
    let wrote = run.told(|event| event["event"] == "wrote" && event["new"] == "seen live");
    assert_eq!(
        (&wrote["system"], &wrote["property"]),
        (&json!("salesforce"), &json!("Description"))
    );
    // Personal values are masked.
    rest::patch_customerp(
        &pair.customerp.url,
        "contacts/1",
        &json!({ "phone": "+49 30 4711" }),
    );
    let masked = run.told(|event| {
        event["event"] == "wrote" && event["type"] == "Contact" && event["property"] == "Phone"
    });
    assert!(!masked.to_string().contains("4711"), "{masked}");
    rest::patch_customerp(
        &pair.customerp.url,
        "contacts/1",
        &json!({ "title": "x".repeat(200) }),
    );
    let parked = run.told(|event| event["event"] == "item" && event["kind"] == "too-long");
    assert_eq!(
        (&parked["standing"], &parked["property"]),
        (&json!("parked"), &json!("Title")),
        "{parked}"
    );
    assert!(parked["item"].is_u64() && parked["reason"].is_string() && parked["advice"].is_string());
    // The lines of the history are the same ones.
    let history = pair.run(&["history", "--json", "--limit", "10000"]).lines();
    let line = history
        .iter()
        .find(|line| line["number"] == wrote["number"])
        .unwrap();
    assert_eq!(line, &wrote);
    let Pair {
        customerp: _customerp,
        salesforce,
        folder: _folder,
    } = pair;
    drop(salesforce);
    let began = run.told(|event| event["event"] == "outage-began");
    assert_eq!(
        (&began["system"], &began["kind"]),
        (&json!("salesforce"), &json!("down"))
    );
    let _again = System::start("salesforce", &org);
    let ended = run.told(|event| event["event"] == "outage-ended");
    assert_eq!(ended["since"], began["since"], "{ended}");
    assert!(ended["seconds"].is_u64());
    let [out, _] = run.stop();
    let events: Vec<Json> = out
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        events
            .iter()
            .all(|event| event["at"].is_string() && event["event"].is_string()),
        "{out:?}"
    );
    assert_eq!(events.last().unwrap()["event"], "stopped");
    // Each line of the history is told once, in its order.
    let numbers: Vec<u64> = events
        .iter()
        .filter_map(|event| event["number"].as_u64())
        .collect();
    assert!(numbers.is_sorted_by(|one, next| one < next));
    assert!(numbers.contains(&wrote["number"].as_u64().unwrap()));
}

/// A process that ends with the test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_pipe_that_nobody_reads_does_not_hold_the_work_up() {
    // GIVEN a run that tells far more than a pipe holds, and nobody who reads it
    let pair = Pair::start(&["--records", "60", "--seed", "6"], &[]);
    let mut run = pair.command(&["run", "--no-console", "--json"]);
    let run = run.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut run = Ends(run);
    let links = || {
        pair.run(&["links", "--flow", "product-product2", "--json"])
            .lines()
    };
    let link = until(|| links().into_iter().find(|link| link["customerp"] == "Product:1"));
    let history = || pair.run(&["history", "--limit", "500", "--json"]).lines().len();
    until(|| (history() == 500).then_some(()));
    // WHEN something is told from within the work, and then an edit is made
    for command in ["pause", "resume"] {
        let mut asked = pair
            .command(&[command, "product-product2", "--quiet"])
            .spawn()
            .unwrap();
        assert!(until(|| asked.try_wait().unwrap()).success());
    }
    let edit = json!({ "description": "arrives all the same" });
    rest::patch_customerp(&pair.customerp.url, "products/1", &edit);
    // THEN it arrives
    let there = link["salesforce"].as_str().unwrap().split_once(':').unwrap().1;
    until(|| {
        let path = format!("sobjects/Product2/{there}");
        let shown = rest::get_salesforce(&pair.salesforce.url, &path)["Description"].clone();
        (shown == "arrives all the same").then_some(())
    });
    // AND whoever reads it then is told all of it
    let out = run.0.stdout.take().unwrap();
    let (told, reads) = kept(out);
    until(|| {
        let told = told.lock().unwrap().join("\n");
        (told.contains("arrives all the same") && told.len() > 1 << 16).then_some(())
    });
    let stopped = Command::new("kill").arg(run.0.id().to_string()).status().unwrap();
    assert!(stopped.success());
    assert_eq!(run.0.wait().unwrap().code(), Some(0));
    reads.join().unwrap();
    assert!(told.lock().unwrap().last().unwrap().contains("\"stopped\""));
}
