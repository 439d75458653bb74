//! One change, followed by its trace: through the log, the history, the HTTP API and a collector's spans.

use crate::local::Pair;
use crate::rest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::json;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// The longest wait for spans.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a line of the log says under a name; nothing where it is no data.
fn word<'l>(line: &'l serde_json::Value, name: &str) -> Option<&'l str> {
    line[name].as_str()
}

/// The value of a line of the history that has a name.
fn text<'j>(line: &'j serde_json::Value, name: &str) -> &'j str {
    line[name].as_str().unwrap_or_default()
}

fn end(mut run: Child) {
    let told = Command::new("kill").arg(run.id().to_string()).status();
    assert!(told.unwrap().success());
    assert_eq!(run.wait().unwrap().code(), Some(0));
}

#[test]
fn one_change_is_followed_through_the_log_from_the_look_that_showed_it_to_its_settlement() {
    let pair = Pair::start(&["--records", "2", "--seed", "6"], &[]);
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    let mut run = pair.command(&["run", "--no-console"]);
    run.env("TANDEM_LOG", "warn,tandem::trace=info")
        .env("TANDEM_LOG_FORMAT", "json");
    let mut run = run.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(run.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok);
    assert!(log.any(|line| line.contains("Keeping in step")));
    // WHEN a person saves two properties at once
    let edit = json!({ "description": "followed", "name": "Followed" });
    rest::patch_customerp(&pair.customerp.url, "products/1", &edit);
    // THEN all that becomes of it stands in the log under one trace
    let mut lines: Vec<serde_json::Value> = Vec::new();
    let settled = |lines: &[serde_json::Value]| {
        lines
            .iter()
            .filter(|line| word(line, "step") == Some("wrote"))
            .count()
    };
    while settled(&lines) < 2 {
        let line = log.next().expect("it was settled");
        let line: Option<serde_json::Value> = serde_json::from_str(&line).ok();
        lines.extend(line.filter(|line| word(line, "trace").is_some()));
    }
    std::thread::spawn(move || log.for_each(drop));
    end(run);
    let edited = lines.iter().find(|line| word(line, "step") == Some("edited"));
    let trace = word(edited.unwrap(), "trace").unwrap().to_owned();
    let of_it: Vec<&serde_json::Value> = lines
        .iter()
        .filter(|line| word(line, "trace") == Some(&trace))
        .collect();
    let steps: Vec<&str> = of_it.iter().filter_map(|line| word(line, "step")).collect();
    assert_eq!(
        steps,
        ["seen", "edited", "edited", "sent", "answered", "wrote", "wrote"],
        "{of_it:#?}"
    );
    let seen = text(of_it[0], "message");
    assert!(
        seen.starts_with("seen: customerp Product 1, as it was saved at ")
            && seen.ends_with(&format!("[trace {trace}]")),
        "{seen}"
    );
    // AND in the history, which shows nothing else of that change
    let told = pair.run(&["history", "--trace", &trace, "--json"]);
    let told: Vec<serde_json::Value> = told
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let events: Vec<&str> = told.iter().map(|line| text(line, "event")).collect();
    assert_eq!(events, ["edited", "edited", "wrote", "wrote"], "{told:#?}");
    assert!(told.iter().all(|line| text(line, "trace") == trace));
    let wrong = pair.run(&["history", "--trace", "17"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.err.contains("a trace is 16 digits"), "{}", wrong.err);
}

/// Takes spans as a collector does: the bodies, decoded as its protocol says, and whether each came with its header.
fn collector() -> (String, mpsc::Receiver<(bool, Vec<Span>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for line in listener.incoming() {
            let (mut line, tell) = (BufReader::new(line.unwrap()), tell.clone());
            std::thread::spawn(move || {
                while let Some((head, body)) = request(&mut line) {
                    let of = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
                    let scopes = of.resource_spans.into_iter().flat_map(|of| of.scope_spans);
                    let known = head.starts_with("post /v1/traces ") && head.contains("x-team: erp\r\n");
                    if tell
                        .send((known, scopes.flat_map(|of| of.spans).collect()))
                        .is_err()
                    {
                        return;
                    }
                    line.get_mut()
                        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                        .unwrap();
                }
            });
        }
    });
    (url, told)
}

/// One request: its head in small letters, and its body.
fn request(line: &mut BufReader<std::net::TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if line.read_line(&mut head).unwrap_or_default() == 0 {
            return None;
        }
    }
    let head = head.to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length?.trim().parse().unwrap()];
    line.read_exact(&mut body).ok()?;
    Some((head, body))
}

#[test]
fn a_collector_of_open_telemetry_gets_each_change_as_a_trace_of_its_own() {
    let pair = Pair::start(&["--records", "2", "--seed", "6"], &[]);
    assert_eq!(pair.run(&["sync"]).code, Some(0));
    let (url, told) = collector();
    let config = pair.path("tandem.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    let traces = format!("\ntraces: {{ endpoint: '{url}', headers: {{ env: HEADERS }} }}\n");
    std::fs::write(&config, text + &traces).unwrap();
    let mut run = pair.command(&["run", "--no-console"]);
    run.env("HEADERS", "x-team=erp")
        .env("OTEL_BSP_SCHEDULE_DELAY", "50");
    let mut run = run.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(run.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok);
    assert!(log.any(|line| line.contains("Keeping in step")));
    std::thread::spawn(move || log.for_each(drop));
    let edit = json!({ "description": "a value that no span holds" });
    rest::patch_customerp(&pair.customerp.url, "products/1", &edit);
    let mut spans: Vec<Span> = Vec::new();
    while !spans.iter().any(|span| span.name == "wrote") {
        let (known, more) = told.recv_timeout(PATIENCE).expect("spans arrive");
        assert!(known, "at the address of the protocol, with the header");
        spans.extend(more);
    }
    end(run);
    let edited = spans.iter().find(|span| span.name == "edited").unwrap();
    let of_it = spans.iter().filter(|span| span.trace_id == edited.trace_id);
    let of_it: Vec<&Span> = of_it.collect();
    let names: BTreeSet<&str> = of_it.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["seen", "edited", "update", "wrote"]));
    // The look is the first span, and what came of it lies below it.
    let (first, below): (Vec<&Span>, Vec<&Span>) = of_it.iter().partition(|span| span.name == "seen");
    assert!(first[0].parent_span_id.is_empty());
    assert!(below.iter().all(|span| span.parent_span_id == first[0].span_id));
    assert!(
        of_it
            .iter()
            .all(|span| span.start_time_unix_nano <= span.end_time_unix_nano)
    );
    let said = format!("{spans:?}");
    assert!(
        said.contains("product-product2") && !said.contains("no span holds"),
        "{said}"
    );
}
