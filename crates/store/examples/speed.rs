//! How fast the store takes pages and plans: `cargo run --release -p tandem-store --example speed [records]`.
#![allow(clippy::unwrap_used, dead_code, reason = "a measurement")]

#[path = "../tests/it/setup.rs"]
mod setup;

use setup::{FENCE, at, commit, contact, customer, decided, flows, listed, seen};
use std::time::{Duration, Instant};
use tandem_merge::record::Observation;
use tandem_store::{Dirty, Ledger, Page, Store};

const BATCH: i64 = 1_000;

fn main() {
    let records: i64 = std::env::args().nth(1).map_or(20_000, |n| n.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut store = Ledger::open(folder.path()).unwrap();
    listed(&mut store);
    load(&mut store, "pages, first side", records, |n| row(n, 0));
    load(&mut store, "pages, second side", records, |n| counterpart(n, 0));
    decide(&mut store, "decided and linked", records);
    load(&mut store, "pages with nothing new", records, |n| row(n, 0));
    load(&mut store, "pages of edits", records, |n| row(n, 1));
    decide(&mut store, "edits decided", records);
    let bytes = store.status(&flows()).unwrap().bytes;
    println!("{:<24}{:>9} bytes a pair", "size", bytes / records.unsigned_abs());
}

fn load(store: &mut Ledger, what: &str, records: i64, row: impl Fn(i64) -> Observation) {
    let mut spent = Duration::ZERO;
    for start in (0..records).step_by(1_000) {
        let page = Page {
            system: "erp".to_owned(),
            observations: (start..(start + BATCH).min(records)).map(&row).collect(),
            cursor: Some(start.to_le_bytes().to_vec()),
        };
        let began = Instant::now();
        store.commit_page(FENCE, &flows(), &page).unwrap();
        spent += began.elapsed();
    }
    report(what, records, spent);
}

/// Takes, decides and stores everything that is dirty; the deciding is not counted.
fn decide(store: &mut Ledger, what: &str, records: i64) {
    let (mut taking, mut storing, mut deciding) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let mut clusters = 0;
    loop {
        let began = Instant::now();
        let taken: Vec<Dirty> = store.take_dirty(&flows(), 9, 1_000, at(5_000)).unwrap();
        taking += began.elapsed();
        if taken.is_empty() {
            break;
        }
        clusters += taken.len();
        let began = Instant::now();
        let plans = taken.into_iter().map(decided).collect();
        deciding += began.elapsed();
        let began = Instant::now();
        commit(store, plans);
        storing += began.elapsed();
    }
    println!(
        "{what}: {clusters} clusters of {records} records; taking {taking:.1?}, deciding {deciding:.1?}, storing {storing:.1?}"
    );
    report(what, i64::try_from(clusters).unwrap(), taking + storing);
}

fn report(what: &str, n: i64, spent: Duration) {
    let rate = n as f64 / spent.as_secs_f64();
    println!("{what:<24}{rate:>9.0} a second");
}

fn row(n: i64, edit: i64) -> Observation {
    let (name, mail) = (format!("Somebody {n} {edit}"), format!("somebody{n}@example.org"));
    seen(
        &customer(&n.to_string()),
        1 + edit * 100,
        &[("name", &name), ("email", &mail)],
    )
}

fn counterpart(n: i64, edit: i64) -> Observation {
    let (name, mail) = (format!("Somebody {n} {edit}"), format!("somebody{n}@example.org"));
    let id = format!("003{n:015}");
    seen(
        &contact(&id),
        1 + edit * 100,
        &[("LastName", &name), ("Email", &mail)],
    )
}
