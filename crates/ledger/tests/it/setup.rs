//! A small dataflow of two systems, and words to drive a store with.

use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tandem_ledger::{
    CommitReport, Decided, Dirty, Error, Home, Keys, Ledger, MemoryStore, Page, PageReport, Server, Store,
};
use tandem_merge::cluster::Intent;
use tandem_merge::dataflow::{
    CompanionRule, CompanionValue, ConflictPolicy, CreatePolicy, Dataflow, DeleteAgainstEdit, DeletePolicy,
    Direction, End, Flow, Guard, Identity, Kind, Mapping, MatchPart, MatchRule, Normaliser, OnCreate,
    Reference, Reverse,
};
use tandem_merge::reconcile::{Settlement, reconcile, settle};
use tandem_merge::record::{Observation, Presence, RecordKey, RecordType, Version};
use tandem_merge::value::Value;
use tandem_seal::Seal;

/// The fence of whoever holds the state here.
pub(crate) const FENCE: u64 = 1;
pub(crate) const ERP: &str = "erp";
pub(crate) const CRM: &str = "crm";

/// Customers with contacts, matched by e-mail, with an account as companion; orders with invoices, matched
/// by number, that refer to customers.
pub(crate) fn flows() -> Dataflow {
    let customer = RecordType::new(ERP, "Customer");
    let mut customers = flow(
        "customer",
        [customer.clone(), RecordType::new(CRM, "Contact")],
        "email",
        "Email",
    );
    customers.mappings.push(mapping("name", "LastName", Kind::String));
    customers.companions.push(CompanionRule {
        role: "Account".into(),
        property: "AccountId".into(),
        of: "id".into(),
        owner: customer,
        record_type: RecordType::new(CRM, "Account"),
        find: vec!["Name".into()],
        identity: None,
        create: true,
        values: BTreeMap::from([("Name".to_owned(), CompanionValue::Property("name".into()))]),
    });
    let ends = [RecordType::new(ERP, "Order"), RecordType::new(CRM, "Invoice")];
    let mut orders = flow("order", ends, "number", "Number");
    let through = Kind::Reference(Reference::Flow("customer".into()));
    orders.mappings.push(mapping("customer", "ContactId", through));
    orders.mappings.push(mapping("note", "Description", Kind::String));
    orders.ends[1].identity = Some(Identity {
        property: "External".into(),
        prefix: String::new(),
        unique: true,
    });
    Dataflow {
        systems: [ERP.into(), CRM.into()],
        flows: vec![customers, orders],
        document_order: Vec::new(),
        introduction: String::new(),
        clock_error_seconds: 5,
        out_of_sight: std::collections::BTreeSet::new(),
        clocks_ahead: std::collections::BTreeMap::new(),
        commit_delays: std::collections::BTreeMap::new(),
        request_deadlines: std::collections::BTreeMap::new(),
        unprotected: std::collections::BTreeSet::new(),
        paused: std::collections::BTreeSet::new(),
        asks_first: std::collections::BTreeSet::new(),
        ourselves: std::collections::BTreeMap::new(),
    }
}

fn flow(name: &str, [first, second]: [RecordType; 2], key: &str, their_key: &str) -> Flow {
    Flow {
        name: name.into(),
        group: name.into(),
        ends: [end(first), end(second)],
        match_rules: vec![MatchRule {
            parts: vec![MatchPart {
                properties: [key.into(), their_key.into()],
                normaliser: Normaliser::CaseFold,
            }],
            ..MatchRule::default()
        }],
        conflict: ConflictPolicy::Ask,
        delete_against_edit: DeleteAgainstEdit::Ask,
        mappings: vec![mapping(key, their_key, Kind::String)],
        unserved: Vec::new(),
        companions: Vec::new(),
        supports: None,
        equal: Vec::new(),
        guarded: Default::default(),
        keeps: None,
        guard: Guard {
            count: 1,
            percent: 5,
            at_least: 1,
            ..Guard::default()
        },
    }
}

fn end(record_type: RecordType) -> End {
    End {
        object: record_type.name.clone(),
        record_type,
        create: CreatePolicy::On,
        write: true,
        on_delete: DeletePolicy::Propagate,
        identity: None,
        only: BTreeMap::new(),
        filter: None,
        constants: BTreeMap::new(),
        deactivate: None,
        deactivate_needs_approval: false,
        computed: BTreeMap::new(),
    }
}

fn mapping(first: &str, second: &str, kind: Kind) -> Mapping {
    Mapping {
        properties: [first.into(), second.into()],
        data_types: ["string".into(), "string".into()],
        kind,
        direction: Direction::Both,
        owned_by: None,
        given_by: None,
        filled_on_create: [false, false],
        on_create: OnCreate::Follow,
        never_blank: [false, false],
        max_length: [None, None],
        reverse: Reverse::Optional,
        blank_is_edit: true,
        personal: false,
        conflict: None,
        alone: None,
        locks: std::collections::BTreeSet::new(),
        create_only: [false, false],
        awaited: false,
        stand_in: [None, None],
        note: String::new(),
    }
}

/// A moment, in seconds after the beginning of the test.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

pub(crate) fn customer(id: &str) -> RecordKey {
    RecordKey::new(ERP, "Customer", id)
}

pub(crate) fn contact(id: &str) -> RecordKey {
    RecordKey::new(CRM, "Contact", id)
}

pub(crate) fn order(id: &str) -> RecordKey {
    RecordKey::new(ERP, "Order", id)
}

pub(crate) fn invoice(id: &str) -> RecordKey {
    RecordKey::new(CRM, "Invoice", id)
}

/// A record as its system shows it, modified at a moment and read well after it.
pub(crate) fn seen(key: &RecordKey, modified: i64, values: &[(&str, &str)]) -> Observation {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), Value::from(*value));
    Observation {
        key: key.clone(),
        presence: Presence::Alive,
        values: values.iter().map(own).collect(),
        version: Some(Version {
            token: format!("v{modified}"),
            order: None,
            modified: at(modified),
            firm: true,
            coarse: jiff::SignedDuration::ZERO,
        }),
        created: Some(at(0)),
        author: None,
        read_began: at(modified + 60),
        partial: false,
        protected: false,
        merged_into: None,
        unreadable: std::collections::BTreeMap::new(),
    }
}

/// A tombstone.
pub(crate) fn deleted(key: &RecordKey, modified: i64) -> Observation {
    Observation {
        presence: Presence::Deleted,
        ..seen(key, modified, &[])
    }
}

pub(crate) fn page(system: &str, observations: Vec<Observation>, cursor: Option<&str>) -> Page {
    Page {
        system: system.to_owned(),
        observations,
        cursor: cursor.map(|text| text.as_bytes().to_vec()),
    }
}

/// Stores observations without a cursor, each with its own system.
pub(crate) fn observe(store: &mut dyn Store, observations: Vec<Observation>) -> PageReport {
    let system = observations[0].key.record_type.system.clone();
    store
        .commit_page(FENCE, &flows(), &page(&system, observations, None))
        .unwrap()
}

/// Both systems were listed in full.
pub(crate) fn listed(store: &mut dyn Store) {
    store.mark_listed(ERP, at(10)).unwrap();
    store.mark_listed(CRM, at(20)).unwrap();
}

pub(crate) fn take(store: &mut dyn Store) -> Vec<Dirty> {
    store.take_dirty(&flows(), 9, 100, at(5_000)).unwrap()
}

pub(crate) fn decided(dirty: Dirty) -> Decided {
    Decided {
        plan: reconcile(&flows(), dirty.cluster, dirty.inbox, &dirty.facts),
        token: dirty.token,
    }
}

pub(crate) fn commit(store: &mut dyn Store, plans: Vec<Decided>) -> CommitReport {
    store.commit_plans(FENCE, &flows(), plans).unwrap()
}

/// Decides until nothing is dirty.
pub(crate) fn rest(store: &mut dyn Store) {
    for _ in 0..20 {
        let taken = take(store);
        if taken.is_empty() {
            return;
        }
        commit(store, taken.into_iter().map(decided).collect());
    }
    panic!("it never came to rest: {:#?}", take(store));
}

/// Settles an intent.
pub(crate) fn settled(store: &mut dyn Store, intent: &Intent, outcome: Settlement) -> CommitReport {
    let taken = store.take_for_intents(&flows(), &[intent.id], at(6_000)).unwrap();
    let mut plans = Vec::new();
    for dirty in taken {
        let outcomes = vec![(intent.id, outcome.clone())];
        let plan = settle(&flows(), dirty.cluster, dirty.inbox, outcomes, &dirty.facts);
        plans.push(Decided {
            plan,
            token: dirty.token,
        });
    }
    commit(store, plans)
}

/// A create or update that went well, without showing the state.
pub(crate) fn applied(id: &str) -> Settlement {
    Settlement::Applied {
        id: id.to_owned(),
        state: None,
        at: at(5_900),
    }
}

/// Sends everything that can be sent to a system, and answers that it went well.
pub(crate) fn send_all(store: &mut dyn Store, system: &str, creates: bool) -> usize {
    let intents = store.sendable(system, creates, 9, 100).unwrap();
    let ids: Vec<u64> = intents.iter().map(|intent| intent.id).collect();
    for intent in store.begin_write(FENCE, &ids, at(5_800)).unwrap() {
        let id = match &intent.action {
            tandem_merge::cluster::Action::Update { record }
            | tandem_merge::cluster::Action::Delete { record } => record.id.clone(),
            _ => format!("new-{}", intent.id),
        };
        settled(store, &intent, applied(&id));
    }
    ids.len()
}

/// A customer and her contact.
pub(crate) const ANN: &[(&str, &str)] = &[("name", "Ann"), ("email", "ann@example.org")];
pub(crate) const ANN_THERE: &[(&str, &str)] = &[("LastName", "Ann"), ("Email", "ann@example.org")];

/// Ann on both sides, linked.
pub(crate) fn linked(store: &mut dyn Store) {
    observe(store, vec![seen(&customer("1"), 1, ANN)]);
    observe(store, vec![seen(&contact("a"), 1, ANN_THERE)]);
    listed(store);
    rest(store);
    assert_eq!(store.links(None, 0, 10).unwrap().len(), 1);
}

/// Ann, who has her account, and whose contact is about to be created.
pub(crate) fn creating(store: &mut dyn Store) {
    observe(store, vec![seen(&customer("1"), 1, ANN)]);
    listed(store);
    rest(store);
    send_all(store, CRM, true);
    rest(store);
}

/// A key of 32 equal bytes.
pub(crate) fn key(byte: u8) -> Arc<Seal> {
    // In base64 three equal bytes are four letters; the last two of the 32 take three and a sign.
    let letters = |bits: u32, count: u32| -> String {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let letter = |place: u32| alphabet[(bits >> (18 - 6 * place) & 63) as usize] as char;
        (0..count).map(letter).collect()
    };
    let (one, bits) = (u32::from(byte), u32::from(byte) * 0x01_01_01);
    let text = letters(bits, 4).repeat(10) + &letters(one << 16 | one << 8, 3) + "=";
    Arc::new(Seal::from_text(&text).unwrap())
}

/// A key alone.
pub(crate) fn keys(byte: u8) -> Keys {
    Keys {
        current: Some(key(byte)),
        former: None,
    }
}

/// A new schema on the server that `TANDEM_POSTGRES` names, where the tests have one (`clients/with-postgres` starts one).
pub(crate) fn schema() -> Option<Home> {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let connection = std::env::var("TANDEM_POSTGRES").ok()?;
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let name = format!("t{}_{number}", std::process::id());
    Some(Home::Server(Server::new(&connection, &name).unwrap()))
}

/// One home on each storage: a folder that is not there yet in this one, and a schema where the tests have a server.
pub(crate) fn homes(within: &Path) -> Vec<Home> {
    let folder = Home::Folder(within.join("state"));
    std::iter::once(folder).chain(schema()).collect()
}

/// Runs a test against all stores: the ledger in clear and sealed, on each storage, and the model.
pub(crate) fn on_both(test: impl Fn(&mut dyn Store)) {
    for keys in [Keys::default(), keys(7)] {
        let folder = tempfile::tempdir().unwrap();
        for home in homes(folder.path()) {
            test(&mut Ledger::open_at(&home, &keys).unwrap());
        }
    }
    test(&mut MemoryStore::new("model"));
}

/// Everything that a store shows, tokens and sizes apart.
pub(crate) fn dump(store: &mut dyn Store) -> String {
    try_dump(store).unwrap()
}

/// The same, or why it cannot be read.
pub(crate) fn try_dump(store: &mut dyn Store) -> Result<String, Error> {
    let flows = flows();
    let mut text = String::new();
    for system in [ERP, CRM] {
        writeln!(text, "cursor {system} {:?}", store.cursor(system)?).unwrap();
        for creates in [true, false] {
            let all = store.sendable(system, creates, 9, 1_000)?;
            writeln!(text, "sendable {system} {creates} {all:#?}").unwrap();
        }
        let doubted = store.doubted(system, at(1_000_000), 1_000)?;
        writeln!(text, "doubted {system} {doubted:?}").unwrap();
    }
    let mut rank = store.next_rank(&flows, None)?;
    while rank.is_some() {
        writeln!(text, "next rank {rank:?}").unwrap();
        rank = store.next_rank(&flows, rank)?;
    }
    let mut status = store.status(&flows)?;
    status.bytes = 0;
    status.history.bytes = 0;
    writeln!(text, "{status:#?}").unwrap();
    writeln!(text, "{:#?}", store.unsettled(0, 1_000)?).unwrap();
    for system in [ERP, CRM] {
        for handle in store.handles(system)? {
            let accepted = store.accepted(&handle, 0, 1_000)?;
            writeln!(text, "accepted {system} {handle} {accepted:#?}").unwrap();
        }
    }
    for link in store.links(None, 0, 1_000)? {
        let cluster = store.cluster(&flows, &link.first)?;
        writeln!(text, "{link:#?} {cluster:#?}").unwrap();
    }
    writeln!(text, "{:#?}", store.items(0, 1_000)?).unwrap();
    writeln!(text, "{:#?}", store.history(None, 0, 1_000)?).unwrap();
    writeln!(text, "{:#?}", store.runs(0, 1_000)?).unwrap();
    writeln!(text, "{:#?}", store.hours(jiff::Timestamp::UNIX_EPOCH)?).unwrap();
    writeln!(text, "{:#?}", store.companions("Account", "", 1_000)?).unwrap();
    writeln!(text, "{:#?}", store.unread(1_000)?).unwrap();
    for dirty in store.take_dirty(&flows, 9, 100, at(5_000))? {
        let shown = (&dirty.cluster, &dirty.inbox, &dirty.facts);
        writeln!(text, "{shown:#?}").unwrap();
    }
    Ok(text)
}
