//! Whoever listens on this machine answers to this machine's names only: a page of another site can point a name of its
//! own here.

use crate::local::{Pair, System, console_in};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

const FOREIGN: [&str; 5] = [
    "evil.example",
    "127.0.0.1.evil.example",
    "127.evil.example",
    "localhost.evil.example",
    "192.0.2.7",
];

/// Status and body of a request that calls its server by a name.
fn ask(url: &str, host: &str, path: &str) -> (u16, String) {
    let address = url.trim_start_matches("http://");
    let mut line = TcpStream::connect(address).unwrap();
    let asked = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    line.write_all(asked.as_bytes()).unwrap();
    let mut answer = Vec::new();
    line.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    (status, body)
}

fn port(url: &str) -> &str {
    url.rsplit_once(':').unwrap().1
}

fn answers_to_its_own_names_only(url: &str, paths: &[&str], refusal: &str) {
    for path in paths {
        for host in FOREIGN {
            for named in [host.to_owned(), format!("{host}:{}", port(url))] {
                let (status, body) = ask(url, &named, path);
                assert_eq!(status, 403, "{named}{path}");
                assert!(body.contains(refusal), "{named}{path}: {body}");
            }
        }
        for host in ["localhost", "127.0.0.1", "[::1]"] {
            let (status, body) = ask(url, &format!("{host}:{}", port(url)), path);
            assert!(!body.contains(refusal), "{host}{path}: {status} {body}");
        }
    }
}

#[test]
fn local_systems_answer_to_this_machines_names_only() {
    let refusal = "serves this machine only";
    let customerp = System::start("customerp", &["--records", "1"]);
    let paths = ["/", "/customers", "/api/v1/", "/_local/log", "/_local/calls"];
    answers_to_its_own_names_only(&customerp.url, &paths, refusal);
    let salesforce = System::start("salesforce", &[]);
    let paths = [
        "/",
        "/lightning/page/home",
        "/services/data",
        "/services/Soap/u/62.0",
        "/id",
        "/_local/log",
    ];
    answers_to_its_own_names_only(&salesforce.url, &paths, refusal);
}

#[test]
fn the_console_answers_to_this_machines_names_and_to_those_given() {
    let pair = Pair::start(&["--records", "1"], &[]);
    let arguments = [
        "run",
        "--console",
        "127.0.0.1:0",
        "--console-name",
        "status.acme.example",
    ];
    let mut run = pair
        .command(&arguments)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let notes = BufReader::new(run.stderr.take().unwrap()).lines();
    let mut notes = notes.map_while(Result::ok);
    let console = notes.find_map(|line| console_in(&line)).unwrap();
    answers_to_its_own_names_only(
        &console,
        &["/", "/enter", "/api/v1/overview", "/metrics"],
        "does not answer to this name",
    );
    assert_eq!(ask(&console, "status.acme.example", "/metrics").0, 200);
    let stopped = Command::new("kill").arg(run.id().to_string()).status().unwrap();
    assert!(stopped.success());
    // What is still told meanwhile must find a reader.
    notes.for_each(drop);
    assert_eq!(run.wait().unwrap().code(), Some(0));
}
