//! People look and act alike, whether a process works with the state or none does.

use crate::decide::asking;
use crate::live::until;
use crate::local::{Pair, Ran};
use crate::rest;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

/// Products that ask in conflicts, linked and at rest; and `tandem run`, where it is to work.
pub(crate) struct Office {
    pub(crate) pair: Pair,
    /// The products' ids in Salesforce, by those in Customerp.
    ids: BTreeMap<String, String>,
    /// The product that is edited.
    product: AtomicU8,
    pub(crate) working: Option<Child>,
    /// What `run` said since it began.
    pub(crate) said: Arc<Mutex<Vec<String>>>,
}

impl Drop for Office {
    fn drop(&mut self) {
        if let Some(run) = &mut self.working {
            let _ = run.kill();
            let _ = run.wait();
        }
    }
}

impl Office {
    pub(crate) fn open(works: bool) -> Self {
        let (pair, ids) = asking("3");
        let said = Arc::<Mutex<Vec<String>>>::default();
        let hears = said.clone();
        let working = works.then(|| {
            let mut run = pair.command(&["run"]);
            let mut run = run.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            let mut notes = BufReader::new(run.stderr.take().unwrap()).lines();
            let begun = notes.by_ref().map_while(Result::ok);
            assert!(begun.take_while(|line| !line.contains("Keeping in step")).count() < 10);
            // What is told meanwhile must find a reader.
            std::thread::spawn(move || {
                for line in notes.map_while(Result::ok) {
                    hears.lock().unwrap().push(line);
                }
            });
            run
        });
        Self {
            pair,
            ids,
            product: AtomicU8::new(1),
            working,
            said,
        }
    }

    /// A command that is carried out.
    pub(crate) fn done(&self, words: &[&str]) -> Ran {
        let ran = self.pair.run(words);
        assert_eq!(ran.code, Some(0), "{words:?}: {}{}", ran.out, ran.err);
        let next = match self.working {
            Some(_) => "the next sync",
            None => "the process that works",
        };
        assert!(!ran.out.contains(next), "{words:?}: {}", ran.out);
        ran
    }

    /// What comes of it: by itself where a process works, else with the next sync.
    pub(crate) fn comes<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        if self.working.is_none() {
            let sync = self.pair.run(&["sync"]);
            assert!(matches!(sync.code, Some(0 | 3)), "{}{}", sync.out, sync.err);
            return look().expect("it comes about with a sync");
        }
        until(look)
    }

    /// Edits another product from now on.
    pub(crate) fn turn_to(&self, product: u8) {
        self.product.store(product, Ordering::Relaxed);
    }

    /// Where the product is in Customerp, and its id in Salesforce.
    fn product(&self) -> (String, &String) {
        let id = self.product.load(Ordering::Relaxed).to_string();
        (format!("products/{id}"), &self.ids[&id])
    }

    pub(crate) fn edit_here(&self, text: &str) {
        let url = &self.pair.customerp.url;
        rest::patch_customerp(url, &self.product().0, &json!({ "description": text }));
    }

    pub(crate) fn edit_there(&self, text: &str) {
        let body = json!({ "Description": text });
        rest::patch_salesforce(&self.pair.salesforce.url, "Product2", self.product().1, &body);
    }

    /// What both systems hold.
    fn both(&self) -> [String; 2] {
        let (here, there) = self.product();
        let here = rest::get_customerp(&self.pair.customerp.url, &here);
        let soql = format!("SELECT Description FROM Product2 WHERE Id = '{there}'");
        let there = rest::query_salesforce(&self.pair.salesforce.url, &soql);
        [&here["description"], &there[0]["Description"]]
            .map(|text| text.as_str().unwrap_or_default().to_owned())
    }

    pub(crate) fn both_hold(&self, text: &str) {
        self.comes(|| (self.both() == [text, text]).then_some(()));
    }
}

#[test]
fn people_look_while_a_process_works() {
    let office = Office::open(true);
    for words in [
        &["status"][..],
        &["links", "--limit", "3"],
        &["links", "export", "links.csv"],
        &["conflicts"],
        &["failures"],
        &["history"],
        &["history", "--runs"],
        &["explain", "customerp/Product:1"],
        &["approve"],
        &["plan"],
        &["verify"],
        &["backup", "backup.db"],
        &["document"],
        &["unlink", "customerp/Product:1"],
        &["forget", "customerp/Product:1"],
        &["undo", "customerp/Product:1"],
    ] {
        let ran = office.pair.run(words);
        let shown = if words[0] == "unlink" { 2 } else { 0 };
        assert_eq!(ran.code, Some(shown), "{words:?}: {}{}", ran.out, ran.err);
        assert!(!ran.err.contains("holds the state"), "{words:?}: {}", ran.err);
    }
}

#[test]
fn people_act_while_a_process_works() {
    acts(&Office::open(true));
}

#[test]
fn people_act_alike_where_none_does() {
    acts(&Office::open(false));
}

fn acts(office: &Office) {
    // GIVEN a flow that rests, and a conflict that comes about meanwhile
    office.done(&["pause", "product-product2"]);
    let again = office.pair.run(&["pause", "product-product2"]);
    assert_eq!(again.code, Some(2), "{}", again.out);
    assert!(again.err.contains("paused already"), "{}", again.err);
    assert!(
        office
            .pair
            .run(&["status"])
            .out
            .contains("product-product2 is paused")
    );
    office.edit_here("from the ERP");
    office.edit_there("from Salesforce");
    // WHEN it goes on and the conflict is answered
    office.done(&["resume", "product-product2"]);
    let item = office.comes(|| {
        let conflicts = office.pair.run(&["conflicts", "--json"]);
        (conflicts.code == Some(3)).then(|| conflicts.lines()[0]["item"].to_string())
    });
    assert_eq!(office.both(), ["from the ERP", "from Salesforce"]);
    office.done(&["resolve", &item, "--value", "of a person"]);
    // THEN the answer travels, and can be taken back like anything else
    office.both_hold("of a person");
    let gone = office.pair.run(&["resolve", &item, "--head"]);
    assert_eq!(gone.code, Some(2), "{}{}", gone.out, gone.err);
    office.edit_here("once more");
    office.both_hold("once more");
    office.done(&["undo", "customerp/Product:1", "--yes"]);
    office.both_hold("of a person");
    // AND links end and begin by hand
    let linked = || {
        let links = office
            .pair
            .run(&["links", "--flow", "product-product2", "--json"]);
        links.lines().iter().any(|link| link["customerp"] == "Product:1")
    };
    office.done(&[
        "unlink",
        "customerp/Product:1",
        "--flow",
        "product-product2",
        "--yes",
    ]);
    assert!(!linked());
    let there = format!("salesforce/Product2:{}", office.product().1);
    office.done(&["link", "product-product2", "customerp/Product:1", &there, "--yes"]);
    assert!(linked());
    office.edit_there("linked again");
    office.both_hold("linked again");
    // AND what does not wait for anybody is refused in the same words
    for words in [
        &["approve", "999999"][..],
        &["ignore", "999999"],
        &["approve", "customerp", "--yes"],
    ] {
        assert_eq!(office.pair.run(words).code, Some(2), "{words:?}");
    }
    office.done(&["retry", "--all"]);
    // AND a person is forgotten
    office.done(&["forget", "customerp/Contact:1", "--yes"]);
    let known = office.pair.run(&["explain", "customerp/Contact:1"]);
    assert_eq!(known.code, Some(2), "{}", known.out);
    // AND the process that worked all the while ends as it is told
    if let Some(run) = &office.working {
        let told = Command::new("kill").arg(run.id().to_string()).status().unwrap();
        assert!(told.success());
        let door = office.pair.path("state/tandem.sock");
        until(|| (!door.exists()).then_some(()));
        assert_eq!(office.pair.run(&["verify"]).code, Some(0));
    }
}
