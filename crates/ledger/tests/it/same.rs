//! S8: every store behaves the same under any sequence of units.

use crate::setup::*;
use proptest::prelude::*;
use std::fmt::Debug;
use tandem_ledger::{Decided, Keys, Ledger, MemoryStore, Store};
use tandem_merge::cluster::{Action, Intent, ParkedKind};
use tandem_merge::reconcile::{Settlement, settle};
use tandem_merge::record::{Observation, Presence, RecordKey};

/// One thing that happens to a store.
#[derive(Clone, Debug)]
enum Unit {
    Page {
        rows: Vec<Row>,
        cursor: bool,
    },
    Decide {
        rank: usize,
        limit: usize,
    },
    /// Something happens between taking and storing.
    DecideLate {
        between: Box<Unit>,
        twice: bool,
    },
    Send {
        system: &'static str,
        creates: bool,
        outcome: Outcome,
    },
    Listed(bool),
    Touch(Row),
    TouchAll,
    Approve(bool),
    /// A cluster is forgotten.
    Forget(Row),
    /// A new run begins.
    Begin(i64),
    /// What is older than a moment goes.
    Compact(i64, usize),
}

/// A row of one of few records, so that they meet.
#[derive(Clone, Copy, Debug)]
struct Row {
    kind: usize,
    id: u8,
    value: u8,
    modified: i64,
    presence: u8,
    firm: bool,
}

#[derive(Clone, Copy, Debug)]
enum Outcome {
    Applied,
    Refused,
    Withdrawn,
    Unknown,
    Unsend,
    /// Accepted under a handle that says whether some are settled at once.
    Accepted(bool),
    Nothing,
}

impl Row {
    fn key(self) -> RecordKey {
        let id = format!("{}", self.id);
        [customer, contact, order, invoice][self.kind](&id)
    }

    fn observation(self) -> Observation {
        let value = format!("{}", self.value);
        let other = format!("{}", self.value % 2);
        let values: &[(&str, &str)] = match self.kind {
            0 => &[("email", &other), ("name", &value)],
            1 => &[("Email", &other), ("LastName", &value)],
            2 => &[("number", &other), ("note", &value), ("customer", &other)],
            _ => &[("Number", &other), ("Description", &value), ("ContactId", &other)],
        };
        let mut row = seen(&self.key(), self.modified, values);
        row.version.as_mut().unwrap().firm = self.firm;
        match self.presence {
            0 => deleted(&self.key(), self.modified),
            1 => {
                row.presence = Presence::Missing;
                row.version = None;
                row.values.clear();
                row
            }
            2 => {
                row.partial = true;
                row.values.pop_last();
                row
            }
            _ => row,
        }
    }
}

fn row() -> impl Strategy<Value = Row> {
    (0..4_usize, 0..3_u8, 0..4_u8, 1..6_i64, 0..12_u8, any::<bool>()).prop_map(
        |(kind, id, value, modified, presence, firm)| Row {
            kind,
            id,
            value,
            modified: modified * 100,
            presence,
            firm,
        },
    )
}

fn page_unit() -> impl Strategy<Value = Unit> {
    (prop::collection::vec(row(), 1..6), any::<bool>()).prop_map(|(rows, cursor)| Unit::Page { rows, cursor })
}

fn send_unit() -> impl Strategy<Value = Unit> {
    let outcome = prop_oneof![
        4 => Just(Outcome::Applied),
        1 => Just(Outcome::Refused),
        1 => Just(Outcome::Withdrawn),
        1 => Just(Outcome::Unknown),
        1 => Just(Outcome::Unsend),
        1 => any::<bool>().prop_map(Outcome::Accepted),
        1 => Just(Outcome::Nothing),
    ];
    (any::<bool>(), any::<bool>(), outcome).prop_map(|(first, creates, outcome)| Unit::Send {
        system: if first { ERP } else { CRM },
        creates,
        outcome,
    })
}

fn plain_unit() -> impl Strategy<Value = Unit> {
    prop_oneof![
        5 => page_unit(),
        5 => send_unit(),
        6 => (0..3_usize, 1..6_usize).prop_map(|(rank, limit)| Unit::Decide { rank, limit }),
        1 => any::<bool>().prop_map(Unit::Listed),
        1 => row().prop_map(Unit::Touch),
        1 => Just(Unit::TouchAll),
        1 => any::<bool>().prop_map(Unit::Approve),
        1 => row().prop_map(Unit::Forget),
        1 => (4_000..6_000_i64).prop_map(Unit::Begin),
        1 => (4_990..5_010_i64, 1..8_usize).prop_map(|(before, limit)| Unit::Compact(before, limit)),
    ]
}

fn unit() -> impl Strategy<Value = Unit> {
    let late = (plain_unit(), any::<bool>());
    prop_oneof![
        6 => plain_unit(),
        1 => late.prop_map(|(between, twice)| Unit::DecideLate { between: Box::new(between), twice }),
    ]
}

/// Does it, and tells what came of it.
fn carry_out(store: &mut dyn Store, unit: &Unit) -> String {
    match unit {
        Unit::Page { rows, cursor } => {
            let rows = rows.iter().map(|row| row.observation()).collect();
            let page = page(ERP, rows, cursor.then_some("c"));
            told(&store.commit_page(FENCE, &flows(), &page).unwrap())
        }
        Unit::Decide { rank, limit } => {
            let taken = store
                .take_dirty(&flows(), *rank, *limit, at(4_990 + 4 * *limit as i64))
                .unwrap();
            let plans = taken.into_iter().map(decided).collect();
            counted(&commit(store, plans))
        }
        Unit::DecideLate { between, twice } => {
            let plans: Vec<Decided> = take(store).into_iter().map(decided).collect();
            let mut text = carry_out(store, between);
            text += &counted(&commit(store, plans.clone()));
            if *twice {
                text += &counted(&commit(store, plans));
            }
            text
        }
        Unit::Send {
            system,
            creates,
            outcome,
        } => send(store, system, *creates, *outcome),
        Unit::Listed(first) => told(&store.mark_listed(if *first { ERP } else { CRM }, at(30)).unwrap()),
        Unit::Touch(row) => told(&store.touch(&[row.key()]).unwrap()),
        Unit::TouchAll => told(&store.touch_all(&flows()).unwrap()),
        Unit::Forget(row) => {
            let cluster = store.cluster(&flows(), &row.key()).unwrap();
            let mut keys: Vec<RecordKey> = cluster
                .into_iter()
                .flat_map(|it| it.records.into_keys())
                .collect();
            keys.push(row.key());
            match store.forget(&keys, at(5_000)) {
                Ok(done) => told(&done),
                Err(error) => error.to_string(),
            }
        }
        Unit::Begin(began) => told(&store.begin_run("sync", at(*began)).unwrap()),
        Unit::Compact(before, limit) => told(&store.compact_history(at(*before), 0, *limit).unwrap()),
        Unit::Approve(first) => {
            let flow = if *first { "customer" } else { "order" };
            told(&store.approve_flow(flow, at(1_000)).unwrap())
        }
    }
}

fn send(store: &mut dyn Store, system: &str, creates: bool, outcome: Outcome) -> String {
    let mut ids: Vec<u64> = Vec::new();
    ids.extend(store.unsettled(0, 2).unwrap().iter().map(|intent| intent.id));
    for handle in store.handles(system).unwrap() {
        let accepted = store.accepted(&handle, 0, 2).unwrap();
        ids.extend(accepted.iter().map(|intent| intent.id));
    }
    let sendable = store.sendable(system, creates, 9, 3).unwrap();
    assert_eq!(
        store.count_sendable(system, creates, 9, 3).unwrap(),
        sendable.len()
    );
    ids.extend(sendable.iter().map(|intent| intent.id));
    let marked = store.begin_write(FENCE, &ids, at(5_100)).unwrap();
    let mut text = told(&marked);
    match outcome {
        Outcome::Nothing => {}
        Outcome::Accepted(first) => {
            let handle = if first { "first" } else { "second" };
            store.accept(FENCE, &ids, handle).unwrap();
            text += &told(&store.intents(&ids).unwrap());
        }
        Outcome::Unknown => store.mark_unknown(FENCE, &ids, false).unwrap(),
        Outcome::Unsend => store.mark_unknown(FENCE, &ids, true).unwrap(),
        Outcome::Applied | Outcome::Refused | Outcome::Withdrawn => {
            for dirty in store.take_for_intents(&flows(), &ids, at(5_200)).unwrap() {
                let own = dirty.cluster.records.values();
                let own = own.filter_map(|record| record.intent.as_ref());
                let all = own.chain(&dirty.cluster.creates);
                let outcomes: Vec<(u64, Settlement)> = all
                    .filter(|intent| intent.sent.is_some() && ids.contains(&intent.id))
                    .map(|intent| (intent.id, settlement(intent, outcome)))
                    .collect();
                let plan = settle(&flows(), dirty.cluster, dirty.inbox, outcomes, &dirty.facts);
                let decided = Decided {
                    plan,
                    token: dirty.token,
                };
                text += &counted(&commit(store, vec![decided]));
            }
        }
    }
    text
}

fn settlement(intent: &Intent, outcome: Outcome) -> Settlement {
    match outcome {
        Outcome::Applied => applied(&match &intent.action {
            // Now and then the new record is one that was seen already.
            Action::Create { .. } if intent.id.is_multiple_of(3) => "2".to_owned(),
            Action::Create { .. } | Action::Companion { .. } => format!("new-{}", intent.id),
            Action::Update { record } | Action::Delete { record } => record.id.clone(),
        }),
        Outcome::Refused => Settlement::Refused {
            kind: ParkedKind::Refused,
            properties: intent.values.keys().take(1).cloned().collect(),
            reason: "no".into(),
            advice: "ask".into(),
            at: at(5_150),
        },
        _ => Settlement::Withdrawn,
    }
}

fn told(what: &impl Debug) -> String {
    format!("{what:?}\n")
}

/// Which of two broken constraints is named first is the database's affair.
fn counted(report: &tandem_ledger::CommitReport) -> String {
    format!("stored {}, put back {}\n", report.stored, report.put_back.len())
}

/// As many cases as `PROPTEST_CASES` asks for, else few: each is a life of a database on disk.
fn config() -> ProptestConfig {
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    let usual = ProptestConfig::default();
    ProptestConfig {
        cases: if asked { usual.cases } else { 40 },
        failure_persistence: None,
        ..usual
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn s8_every_storage_does_what_the_model_does(units in prop::collection::vec(unit(), 1..40)) {
        same(&units);
    }
}

/// A record that is known to be deleted, and shown in part, alive: it is found by what is known and what is shown.
#[test]
fn s8_marking_everything_keeps_the_keys_of_what_is_shown_in_part() {
    let row = |modified, presence| Row {
        kind: 3,
        id: 1,
        value: 0,
        modified,
        presence,
        firm: false,
    };
    let page = |row| Unit::Page {
        rows: vec![row],
        cursor: false,
    };
    let late = |between, twice| Unit::DecideLate {
        between: Box::new(between),
        twice,
    };
    let units = [
        page(row(100, 3)),
        late(page(row(200, 0)), false),
        late(page(row(100, 2)), false),
        late(Unit::TouchAll, true),
    ];
    same(&units);
}

/// A write of unknown outcome that was accepted when it was sent again is asked for by its handle, and not sent once more.
#[test]
fn s5_what_was_accepted_is_not_begun_again() {
    let row = Row {
        kind: 1,
        id: 0,
        value: 0,
        modified: 100,
        presence: 2,
        firm: false,
    };
    let send = |system, creates, outcome| Unit::Send {
        system,
        creates,
        outcome,
    };
    same(&[
        Unit::Listed(true),
        Unit::Listed(false),
        Unit::Page {
            rows: vec![row],
            cursor: false,
        },
        Unit::Decide { rank: 0, limit: 1 },
        send(ERP, true, Outcome::Unknown),
        send(CRM, false, Outcome::Accepted(false)),
        send(ERP, false, Outcome::Nothing),
    ]);
}

/// The ledger does the same on every storage, and so does the model.
fn same(units: &[Unit]) {
    let folder = tempfile::tempdir().unwrap();
    let homes = homes(folder.path()).into_iter();
    let mut ledgers: Vec<Ledger> = homes
        .map(|home| Ledger::open_at(&home, &Keys::default()).unwrap())
        .collect();
    let mut model = MemoryStore::new("model");
    for unit in units {
        let theirs = (carry_out(&mut model, unit), dump(&mut model));
        for ledger in &mut ledgers {
            assert_eq!(carry_out(ledger, unit), theirs.0, "{unit:?}");
            assert_eq!(dump(ledger), theirs.1, "after {unit:?}");
        }
    }
}
