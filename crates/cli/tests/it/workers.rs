//! Several workers over one state on a server: one works, the others stand by (E11, S8).

use crate::dice::{Dice, times};
use crate::keeping::{describe, verified};
use crate::local::Pair;
use crate::rest;
use serde_json::Value as Json;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// So long after the death or the standstill of whoever works another one goes on at the latest.
const TAKEOVER: Duration = Duration::from_secs(15);
/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(240);

/// A worker with what it says.
struct Worker {
    process: Child,
    said: Receiver<Json>,
    name: &'static str,
}

impl Worker {
    fn start(pair: &Pair, name: &'static str) -> Self {
        let mut process = pair
            .command(&["worker", "--no-console", "--json", "--state", name])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let (say, said) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let event: Json = serde_json::from_str(&line).unwrap();
                if say.send(event).is_err() {
                    return;
                }
            }
        });
        Self { process, said, name }
    }

    /// What it says of an event, as soon as it does.
    fn says(&self, event: &str) -> Json {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.said.recv_timeout(left) {
                Ok(said) if said["event"] == event => return said,
                Ok(_) => {}
                Err(error) => panic!("{} does not say {event}: {error}", self.name),
            }
        }
    }

    /// How often it was refused something and stood by again, so far.
    fn refused(&self) -> usize {
        self.said
            .try_iter()
            .filter(|said| said["event"] == "failed")
            .count()
    }

    fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits until a product of the org shows a text.
fn arrives(pair: &Pair, text: &str) {
    let until = Instant::now() + PATIENCE;
    let soql = format!("SELECT Id FROM Product2 WHERE Description = '{text}'");
    while rest::query_salesforce(&pair.salesforce.url, &soql).len() != 1 {
        assert!(Instant::now() < until, "{text} does not arrive");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Who works and who stands by, as `status` has it.
fn standing(pair: &Pair) -> Vec<bool> {
    let status = pair.run(&["status", "--json"]).last();
    let workers = status["workers"].as_array().unwrap().clone();
    workers.iter().map(|worker| worker["works"] == true).collect()
}

#[test]
#[ignore = "wants a server: ./test --long, or clients/with-postgres"]
fn e11_one_worker_works_and_another_goes_on_when_it_dies_stands_still_or_ends() {
    let pair = Pair::start(&["--records", "6", "--seed", "51"], &[]);
    // GIVEN one that works and one that stands by, and whoever looks sees both
    let first = Worker::start(&pair, "first");
    first.says("began");
    let second = Worker::start(&pair, "second");
    let by = second.says("standing-by");
    let named = format!("process {}", first.process.id());
    assert!(by["by"].as_str().unwrap().contains(&named), "{by}");
    assert_eq!(standing(&pair), [true, false]);
    describe(&pair, "1", "by the first");
    arrives(&pair, "by the first");
    // WHEN the one that works dies THEN the other one goes on
    let began = Instant::now();
    first.kill();
    second.says("began");
    assert!(began.elapsed() < TAKEOVER, "{:?}", began.elapsed());
    describe(&pair, "1", "by the second");
    arrives(&pair, "by the second");
    // WHEN it stands still
    let third = Worker::start(&pair, "third");
    third.says("standing-by");
    let began = Instant::now();
    second.signal("-STOP");
    third.says("taken-over");
    third.says("began");
    assert!(began.elapsed() < TAKEOVER, "{:?}", began.elapsed());
    describe(&pair, "1", "by the third");
    arrives(&pair, "by the third");
    // THEN it stores nothing when it comes back, and stands by
    second.signal("-CONT");
    let lost = second.says("failed");
    assert!(
        lost["error"].as_str().unwrap().contains("is not held any more"),
        "{lost}"
    );
    let by = second.says("standing-by");
    let named = format!("process {}", third.process.id());
    assert!(by["by"].as_str().unwrap().contains(&named), "{by}");
    // WHEN the one that works is stopped in order, it hands over at once
    let began = Instant::now();
    third.signal("-TERM");
    second.says("began");
    assert!(began.elapsed() < TAKEOVER, "{:?}", began.elapsed());
    describe(&pair, "1", "by the second again");
    arrives(&pair, "by the second again");
    drop(third);
    second.signal("-TERM");
    second.says("stopped");
    drop(second);
    verified(&pair);
    assert_eq!(standing(&pair), Vec::<bool>::new());
}

#[test]
#[ignore = "wants a server: ./test --long, or clients/with-postgres"]
fn e11_kills_and_standstills_in_first_sync_and_live_edits_double_and_lose_nothing() {
    const NAMES: [&str; 3] = ["one", "two", "three"];
    let pair = Pair::start(&["--records", "40", "--seed", "52"], &["--latency", "5"]);
    let mut dice = Dice::thrown(52);
    let mut workers: Vec<Worker> = NAMES.iter().map(|name| Worker::start(&pair, name)).collect();
    let (kills, mut stops, mut lost) = (times("TANDEM_KILLS", 6), 0, 0);
    for round in 0..kills {
        // WHEN at any moment one of three dies, or stands still for longer than its lease
        std::thread::sleep(Duration::from_millis(200 + dice.below(2_500)));
        describe(&pair, &(1 + round % 9).to_string(), &format!("edit {round}"));
        let place = usize::try_from(dice.below(3)).unwrap();
        if dice.below(100) < 23 {
            stops += 1;
            workers[place].signal("-STOP");
            std::thread::sleep(Duration::from_secs(8 + dice.below(6)));
            workers[place].signal("-CONT");
        } else {
            let name = NAMES[place];
            let before = std::mem::replace(&mut workers[place], Worker::start(&pair, name));
            lost += before.refused();
            before.kill();
        }
    }
    // THEN whoever is left brings everything in step, once
    describe(&pair, "10", "the last edit");
    arrives(&pair, "the last edit");
    for worker in &workers {
        worker.signal("-TERM");
    }
    for worker in &mut workers {
        worker.process.wait().unwrap();
        lost += worker.refused();
    }
    println!("{kills} rounds, {stops} of them standstills; {lost} times a worker that came back was refused");
    assert_eq!(pair.run(&["sync", "--json"]).code, Some(0));
    verified(&pair);
}

#[test]
fn several_workers_want_a_state_on_a_server() {
    let pair = Pair::start(&["--records", "1"], &[]);
    let config = pair.path("tandem.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.split("\nstate:").next().unwrap()).unwrap();
    let run = pair.run(&["worker", "--no-console"]);
    assert_eq!(run.code, Some(2), "{}", run.err);
    assert!(
        run.err.contains("state: { postgres: { env: NAME } }"),
        "{}",
        run.err
    );
}
