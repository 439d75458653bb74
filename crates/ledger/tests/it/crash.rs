//! S7: a unit of work that is cut off at any statement leaves the state before it or after it.

use crate::setup::*;
use std::path::Path;
use tandem_ledger::{Decided, Error, Keys, Ledger, Store};
use tandem_merge::reconcile::{Settlement, settle};

pub(crate) type Step = (&'static str, fn(&mut dyn Store) -> Result<(), Error>);

/// A life of a state in units of every kind.
pub(crate) const LIFE: &[Step] = &[
    ("bind", |store| {
        store.bind(&[(ERP.to_owned(), "e1".to_owned())].into())
    }),
    ("page of the first system", |store| {
        let rows = vec![
            seen(
                &customer("1"),
                1,
                &[("name", "Ann"), ("email", "ann@example.org")],
            ),
            seen(
                &customer("2"),
                1,
                &[("name", "Bob"), ("email", "bob@example.org")],
            ),
            seen(
                &order("7"),
                1,
                &[("number", "7"), ("customer", "2"), ("note", "n")],
            ),
        ];
        store
            .commit_page(FENCE, &flows(), &page(ERP, rows, Some("1")))
            .map(drop)
    }),
    ("page of the second system", |store| {
        let rows = vec![seen(
            &contact("a"),
            1,
            &[("LastName", "Ann"), ("Email", "ann@example.org")],
        )];
        store
            .commit_page(1, &flows(), &page(CRM, rows, Some("1")))
            .map(drop)
    }),
    ("listed", |store| store.mark_listed(ERP, at(10))),
    ("listed, too", |store| store.mark_listed(CRM, at(20))),
    ("first decision", decide_all),
    ("second decision", decide_all),
    ("sent", mark_sent),
    ("unknown", |store| {
        let ids: Vec<u64> = store.unsettled(0, 10)?.iter().map(|intent| intent.id).collect();
        store.mark_unknown(1, &ids, false)
    }),
    ("settled", settle_all),
    ("decision after it", decide_all),
    ("edit and deletion", |store| {
        let rows = vec![
            seen(
                &customer("1"),
                500,
                &[("name", "Anna"), ("email", "ann@example.org")],
            ),
            deleted(&order("7"), 500),
        ];
        store
            .commit_page(1, &flows(), &page(ERP, rows, Some("2")))
            .map(drop)
    }),
    ("decision on these", decide_all),
    ("approved", |store| store.approve_flow("order", at(5_000))),
    ("touched", |store| store.touch_all(&flows())),
    ("all decided", decide_all),
    ("sent again", mark_sent),
    ("settled again", settle_all),
];
/// What people and time take away from it afterwards.
const AFTERWARDS: &[Step] = &[
    ("forgotten", |store| {
        store.forget(&[customer("1"), contact("a")], at(5_000)).map(drop)
    }),
    ("seen again", |store| {
        let rows = vec![seen(&customer("1"), 900, &[("name", "Ann")])];
        store
            .commit_page(1, &flows(), &page(ERP, rows, Some("3")))
            .map(drop)
    }),
    ("compacted", |store| {
        store.compact_history(at(5_500), 0, 3).map(drop)
    }),
    ("compacted to the end", |store| {
        store.compact_history(at(50_000), 0, 1_000).map(drop)
    }),
];

fn decide_all(store: &mut dyn Store) -> Result<(), Error> {
    store.begin_run("sync", at(4_000))?;
    let taken = store.take_dirty(&flows(), 9, 100, at(5_000))?;
    let plans = taken.into_iter().map(decided).collect();
    store.commit_plans(1, &flows(), plans).map(drop)
}

fn mark_sent(store: &mut dyn Store) -> Result<(), Error> {
    let mut ids = Vec::new();
    for creates in [true, false] {
        let intents = store.sendable(CRM, creates, 9, 100)?;
        ids.extend(intents.iter().map(|intent| intent.id));
    }
    store.begin_write(1, &ids, at(300)).map(drop)
}

fn settle_all(store: &mut dyn Store) -> Result<(), Error> {
    let ids: Vec<u64> = store.unsettled(0, 10)?.iter().map(|intent| intent.id).collect();
    let mut plans = Vec::new();
    for dirty in store.take_for_intents(&flows(), &ids, at(600))? {
        let cluster = &dirty.cluster;
        let own = cluster
            .records
            .values()
            .filter_map(|record| record.intent.as_ref());
        let outcomes: Vec<(u64, Settlement)> = own
            .chain(&cluster.creates)
            .filter(|intent| intent.sent.is_some())
            .map(|intent| (intent.id, applied(&format!("new-{}", intent.id))))
            .collect();
        let plan = settle(&flows(), dirty.cluster, dirty.inbox, outcomes, &dirty.facts);
        plans.push(Decided {
            plan,
            token: dirty.token,
        });
    }
    store.commit_plans(1, &flows(), plans).map(drop)
}

#[test]
fn s7_a_unit_cut_off_at_any_statement_leaves_all_of_it_or_nothing() {
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("state");
    let uncut = home.path().join("uncut");
    let mut cuts = 0;
    for (name, step) in LIFE.iter().chain(AFTERWARDS) {
        cuts += cut_everywhere(home.path(), &state, name, *step);
        // What was undone gave no number away.
        let mut whole = Ledger::open(&uncut).unwrap();
        step(&mut whole).unwrap();
        let told = dump(&mut Ledger::open(&state).unwrap());
        assert_eq!(told, dump(&mut whole), "{name}, as without a cut");
    }
    assert!(cuts > 500, "only {cuts} cuts: the units did next to nothing");
}

/// The same where a server keeps the state: the process that dies takes its session with it.
#[test]
#[ignore = "wants a server: ./test --long, or clients/with-postgres"]
fn s7_a_session_that_ends_at_any_statement_leaves_all_of_it_or_nothing() {
    let home = schema().expect("TANDEM_POSTGRES names a server");
    let open = || Ledger::open_at(&home, &Keys::default()).unwrap();
    let mut cuts = 0;
    for (name, step) in LIFE.iter().chain(AFTERWARDS) {
        let before = dump(&mut open());
        for n in 0.. {
            let mut store = open();
            store.cut_off(n, None);
            let done = step(&mut store);
            drop(store);
            if done.is_ok() {
                break;
            }
            assert_eq!(dump(&mut open()), before, "{name}, dead at statement {n}");
            cuts += 1;
        }
    }
    assert!(cuts > 500, "only {cuts} cuts: the units did next to nothing");
}

/// Cuts a step off at every one of its statements, then lets it pass. Answers how many cuts there were.
fn cut_everywhere(
    home: &Path,
    state: &Path,
    name: &str,
    step: fn(&mut dyn Store) -> Result<(), Error>,
) -> u64 {
    let mut store = Ledger::open(state).unwrap();
    let before = dump(&mut store);
    for n in 0.. {
        let dead = home.join("dead");
        store.cut_off(n, Some((state.to_owned(), dead.clone())));
        let done = step(&mut store);
        store.mend();
        if done.is_ok() {
            let after = dump(&mut store);
            copy_as_left(state, &dead);
            assert_eq!(reopened(&dead), after, "{name}, after its end");
            return n;
        }
        // The process goes on: nothing of the unit is there.
        if n.is_multiple_of(7) {
            assert_eq!(dump(&mut store), before, "{name}, rolled back at statement {n}");
        }
        // The process died there: the same holds for whoever opens what it left.
        assert_eq!(reopened(&dead), before, "{name}, dead at statement {n}");
    }
    unreachable!("a step has an end")
}

fn reopened(folder: &Path) -> String {
    let text = dump(&mut Ledger::open(folder).unwrap());
    std::fs::remove_dir_all(folder).unwrap();
    text
}

/// Copies the files as a process that is killed right now would leave them.
pub(crate) fn copy_as_left(state: &Path, dead: &Path) {
    std::fs::create_dir_all(dead).unwrap();
    for name in ["tandem.db", "tandem.db-wal"] {
        std::fs::copy(state.join(name), dead.join(name)).unwrap();
    }
}
