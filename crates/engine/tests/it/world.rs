//! Two systems, a state folder, a clock: everything a scenario needs.

use crate::clock::Simulated;
use crate::fake::{Fake, Versions};
use crate::flows::{CRM, ERP, dataflow};
use std::sync::Arc;
use tandem_connector::Connector;
use tandem_engine::{Engine, Parts, Quiet, Summary, Verification};
use tandem_ledger::{Ledger, Store};
use tandem_merge::dataflow::Dataflow;
use tandem_merge::record::RecordKey;
use tempfile::TempDir;

pub struct World {
    pub flows: Dataflow,
    pub erp: Arc<Fake>,
    pub crm: Arc<Fake>,
    pub clock: Arc<Simulated>,
    pub folder: TempDir,
}

impl World {
    pub fn new() -> Self {
        Self::with(|fake| fake, |fake| fake)
    }

    pub fn with(erp: impl FnOnce(Fake) -> Fake, crm: impl FnOnce(Fake) -> Fake) -> Self {
        let clock = Arc::new(Simulated::new());
        let erp = erp(Fake::new(ERP, Versions::Counted, Arc::clone(&clock)));
        let crm = crm(Fake::new(CRM, Versions::Seconds, Arc::clone(&clock)));
        Self {
            flows: dataflow(),
            erp: Arc::new(erp),
            crm: Arc::new(crm),
            clock,
            folder: folder(),
        }
    }

    pub fn parts(&self) -> Parts {
        self.parts_in(Ledger::open(self.folder.path()).unwrap())
    }

    pub fn parts_in(&self, store: Ledger) -> Parts {
        Parts {
            flows: self.flows.clone(),
            store: Box::new(store),
            systems: [
                Arc::clone(&self.erp) as Arc<dyn Connector>,
                Arc::clone(&self.crm) as Arc<dyn Connector>,
            ],
            clock: Arc::clone(&self.clock) as _,
            watcher: Arc::new(Quiet),
            described: None,
        }
    }

    pub async fn engine(&self) -> Engine {
        Engine::open(self.parts()).await.unwrap()
    }

    /// Opens, syncs, closes.
    pub async fn sync(&self) -> Summary {
        let summary = self.engine().await.sync().await.unwrap();
        assert!(summary.troubles.is_empty(), "{:?}", summary.troubles);
        summary
    }

    pub async fn verify(&self) -> Verification {
        self.engine().await.verify().await.unwrap()
    }

    /// The only live record of a type.
    pub fn only(&self, system: &Fake, kind: &str) -> RecordKey {
        let live = system.live(kind);
        assert_eq!(live.len(), 1, "{kind}: {live:?}");
        live[0].clone()
    }

    /// A customer and an order of it in the ERP.
    pub fn customer_with_order(&self) -> (RecordKey, RecordKey) {
        let customer = self
            .erp
            .add("Customer", &[("number", "C1"), ("name", "Blauer See")]);
        let order = self.order(&customer, "O1");
        (customer, order)
    }

    pub fn order(&self, customer: &RecordKey, number: &str) -> RecordKey {
        let values = [
            ("number", number),
            ("title", "An order"),
            ("description", "first"),
            ("customer", customer.id.as_str()),
        ];
        self.erp.add("Order", &values)
    }

    /// Everything linked and at rest, the overlap over.
    pub async fn at_rest(&self) {
        self.sync().await;
        self.clock.pass(120);
        self.sync().await;
    }

    /// Whether a record is linked in a flow.
    pub async fn linked(&self, record: &RecordKey, flow: &str) -> bool {
        let mut engine = self.engine().await;
        let links = engine.store().links(Some(flow), 0, 1_000).unwrap();
        links
            .iter()
            .any(|link| &link.first == record || &link.second == record)
    }

    /// What the state keeps of the configuration that it was last used with.
    pub fn shape(&self) -> String {
        let mut store = Ledger::open(self.folder.path()).unwrap();
        store.note("shape").unwrap().unwrap()
    }

    /// Puts that back.
    pub fn set_shape(&self, shape: &str) {
        let mut store = Ledger::open(self.folder.path()).unwrap();
        store.set_note("shape", shape).unwrap();
    }

    pub async fn assert_clean(&self) {
        let found = self.verify().await;
        assert_eq!(found.different, 0, "{:#?}", found.differences);
    }
}

/// A folder in memory where the machine has one: the state is flushed at every step.
pub fn folder() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap()
}
