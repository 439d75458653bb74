//! A connector whose requests go on beside whoever asked.

use crate::webhook::{Callback, Webhook};
use crate::{
    Budget, Capabilities, ChangePage, ClockOffset, Connector, Error, Identification, Lane, ListPage, Outcome,
    Probe, Probed, Resumed, Schema, Traffic, Write,
};
use async_trait::async_trait;
use jiff::Timestamp;
use std::sync::Arc;
use tandem_merge::record::{Observation, RecordType};
use tandem_merge::value::Value;
use tokio::task::JoinSet;

/// A connector whose requests are tasks of the runtime: they go on while whoever asked decides or stores, and another
/// core packs and reads them. Whoever stops waiting breaks them off.
pub struct Beside {
    inner: Arc<dyn Connector>,
    reliable: Option<Capabilities>,
    webhook: Option<Arc<Webhook>>,
}

impl Beside {
    /// Lets a connector's requests go on by themselves.
    #[must_use]
    pub fn new(connector: Arc<dyn Connector>) -> Self {
        Self {
            inner: connector,
            reliable: None,
            webhook: None,
        }
    }

    /// Relies on these capabilities alone, where some of the connector's were found to be none.
    #[must_use]
    pub fn relying_on(self, capabilities: Option<Capabilities>) -> Self {
        Self {
            reliable: capabilities,
            ..self
        }
    }

    /// Looks at what messages of the system name besides what it shows when it is asked.
    #[must_use]
    pub fn told_by(self, webhook: Option<Arc<Webhook>>) -> Self {
        Self { webhook, ..self }
    }
}

/// Waits for a task; it is broken off where nobody waits any more.
async fn task<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let mut tasks = JoinSet::new();
    tasks.spawn(work);
    match tasks.join_next().await {
        Some(Ok(done)) => done,
        Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is going down, and whoever waits with it.
        _ => std::future::pending().await,
    }
}

#[async_trait]
impl Connector for Beside {
    fn system(&self) -> &str {
        self.inner.system()
    }

    fn capabilities(&self) -> &Capabilities {
        self.reliable
            .as_ref()
            .unwrap_or_else(|| self.inner.capabilities())
    }

    async fn identify(&self) -> Result<Identification, Error> {
        self.inner.identify().await
    }

    async fn describe(&self) -> Result<Schema, Error> {
        let inner = Arc::clone(&self.inner);
        task(async move { inner.describe().await }).await
    }

    async fn changes(&self, types: &[RecordType], cursor: Option<&[u8]>) -> Result<ChangePage, Error> {
        let (inner, types, cursor) = (
            Arc::clone(&self.inner),
            types.to_vec(),
            cursor.map(<[u8]>::to_vec),
        );
        let Some(webhook) = &self.webhook else {
            return task(async move { inner.changes(&types, cursor.as_deref()).await }).await;
        };
        let hints = webhook.told(&types, cursor.as_deref());
        let asked = task(async move { inner.changes(&types, cursor.as_deref()).await }).await;
        match asked {
            Ok(mut page) => {
                webhook.went_with(hints.clone(), &page.cursor);
                page.hints.extend(hints);
                Ok(page)
            }
            Err(error) => {
                if !hints.is_empty() {
                    webhook.again(hints);
                }
                Err(error)
            }
        }
    }

    async fn changed(&self) {
        match &self.webhook {
            None => self.inner.changed().await,
            Some(webhook) => tokio::select! {
                () = self.inner.changed() => {}
                () = webhook.changed() => {}
            },
        }
    }

    fn webhook(&self) -> Option<&Arc<Webhook>> {
        self.webhook.as_ref()
    }

    fn subscribes(&self) -> bool {
        self.inner.subscribes()
    }

    async fn subscribe(&self, to: Callback<'_>, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        self.inner.subscribe(to, now).await
    }

    async fn list(&self, record_type: &RecordType, resume: Option<&[u8]>) -> Result<ListPage, Error> {
        let (inner, of, resume) = (
            Arc::clone(&self.inner),
            record_type.clone(),
            resume.map(<[u8]>::to_vec),
        );
        task(async move { inner.list(&of, resume.as_deref()).await }).await
    }

    async fn fetch(&self, record_type: &RecordType, ids: &[String]) -> Result<Vec<Observation>, Error> {
        let (inner, of, ids) = (Arc::clone(&self.inner), record_type.clone(), ids.to_vec());
        task(async move { inner.fetch(&of, &ids).await }).await
    }

    async fn find(
        &self,
        record_type: &RecordType,
        properties: &[String],
        values: &[Vec<Value>],
    ) -> Result<Vec<Observation>, Error> {
        let (inner, of) = (Arc::clone(&self.inner), record_type.clone());
        let (properties, values) = (properties.to_vec(), values.to_vec());
        task(async move { inner.find(&of, &properties, &values).await }).await
    }

    async fn find_deleted(
        &self,
        record_type: &RecordType,
        property: &str,
        values: &[Value],
    ) -> Result<Vec<Observation>, Error> {
        self.inner.find_deleted(record_type, property, values).await
    }

    async fn write(&self, batch: &[Write], lane: Lane) -> Vec<Outcome> {
        let (inner, batch) = (Arc::clone(&self.inner), batch.to_vec());
        task(async move { inner.write(&batch, lane).await }).await
    }

    async fn probe(&self, probe: Probe<'_>) -> Result<Option<Probed>, Error> {
        self.inner.probe(probe).await
    }

    async fn resume(&self, handle: &str) -> Result<Resumed, Error> {
        let (inner, handle) = (Arc::clone(&self.inner), handle.to_owned());
        task(async move { inner.resume(&handle).await }).await
    }

    fn calls(&self) -> u64 {
        self.inner.calls()
    }

    fn traffic(&self) -> Traffic {
        self.inner.traffic()
    }

    fn clock_offset(&self) -> Option<ClockOffset> {
        self.inner.clock_offset()
    }

    fn budget(&self) -> Option<Budget> {
        self.inner.budget()
    }

    async fn measure_budget(&self) -> Result<Option<Budget>, Error> {
        self.inner.measure_budget().await
    }

    fn restore_budget(&self, earlier: &Budget) {
        self.inner.restore_budget(earlier);
    }

    async fn leave(&self) {
        self.inner.leave().await;
    }

    fn also_spent(&self, calls: u64) {
        self.inner.also_spent(calls);
    }
}
