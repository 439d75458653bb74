//! A system that hides properties, as field-level security or a deleted field does: a read that asks for one is
//! refused until the system was described anew, and then shows the rest alone.

use crate::fake::{Fake, refusal};
use async_trait::async_trait;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use tandem_connector::{
    Capabilities, Change, ChangePage, Connector, Error, ErrorKind, Identification, Lane, ListPage, Outcome,
    PropertySchema, RefusalKind, Resumed, Schema, Scope, TypeSchema, Write,
};
use tandem_merge::dataflow::{Dataflow, Side};
use tandem_merge::record::{Observation, RecordType};
use tandem_merge::value::Value;

type Place = (String, String);

pub struct Veil {
    inner: Arc<Fake>,
    flows: Dataflow,
    hidden: Mutex<BTreeSet<Place>>,
    /// What is shown in a way that nobody can read.
    garbled: Mutex<BTreeSet<Place>>,
    /// What was hidden when it was described last.
    asked_without: Mutex<BTreeSet<Place>>,
    /// Described otherwise: type, property, how.
    changed: Mutex<Vec<(Place, PropertySchema)>>,
}

pub fn plain() -> PropertySchema {
    PropertySchema {
        data_type: "string".to_owned(),
        max_length: Some(255),
        nillable: true,
        createable: true,
        updateable: true,
        ..PropertySchema::default()
    }
}

/// A system with all the properties that flows use.
pub fn described(flows: &Dataflow, system: &str) -> Schema {
    let mut schema = Schema::default();
    for flow in &flows.flows {
        for end in flow.ends.iter().filter(|end| end.record_type.system == system) {
            let of = schema
                .types
                .entry(end.record_type.name.clone())
                .or_insert_with(TypeSchema::default);
            let side = Side::BOTH
                .into_iter()
                .find(|side| flow.end(*side) == end)
                .unwrap();
            let mapped = flow
                .mappings
                .iter()
                .map(|mapping| mapping.property(side).to_owned());
            let identity = end.identity.iter().map(|identity| identity.property.clone());
            let matched = flow.match_rules.iter().flat_map(|rule| &rule.parts);
            let matched = matched.map(|part| part.properties[side.index()].clone());
            for property in mapped.chain(identity).chain(matched) {
                of.properties.insert(property, plain());
            }
        }
    }
    schema
}

impl Veil {
    pub fn over(inner: &Arc<Fake>, flows: &Dataflow) -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::clone(inner),
            flows: flows.clone(),
            hidden: Mutex::default(),
            garbled: Mutex::default(),
            asked_without: Mutex::default(),
            changed: Mutex::default(),
        })
    }

    pub fn hide(&self, kind: &str, property: &str) {
        let place = (kind.to_owned(), property.to_owned());
        self.hidden.lock().unwrap().insert(place);
    }

    pub fn garble(&self, kind: &str, property: &str) {
        let place = (kind.to_owned(), property.to_owned());
        self.garbled.lock().unwrap().insert(place);
    }

    pub fn show(&self, kind: &str, property: &str) {
        let place = (kind.to_owned(), property.to_owned());
        self.hidden.lock().unwrap().remove(&place);
    }

    pub fn describe_as(&self, kind: &str, property: &str, schema: PropertySchema) {
        let place = (kind.to_owned(), property.to_owned());
        self.changed.lock().unwrap().push((place, schema));
    }

    fn enter(&self) -> Result<(), Error> {
        let (hidden, without) = (self.hidden.lock().unwrap(), self.asked_without.lock().unwrap());
        match hidden.difference(&without).next() {
            None => Ok(()),
            Some((kind, property)) => Err(Error {
                system: self.inner.system().to_owned(),
                kind: ErrorKind::Missing,
                message: format!("no such column '{property}' on {kind}"),
                advice: "Compare the mapping with the system".to_owned(),
                retry_at: None,
                scope: Scope::System,
            }),
        }
    }

    fn veiled(&self, mut rows: Vec<Observation>) -> Vec<Observation> {
        let (without, garbled) = (self.asked_without.lock().unwrap(), self.garbled.lock().unwrap());
        for row in &mut rows {
            let kind = row.key.record_type.name.clone();
            row.values
                .retain(|property, _| !without.contains(&(kind.clone(), property.clone())));
            for (_, property) in garbled.iter().filter(|(of, _)| *of == kind) {
                row.values.remove(property);
                row.unreadable.insert(property.clone(), "no text".to_owned());
            }
        }
        rows
    }

    fn refuses(&self, write: &Write) -> Option<String> {
        let (kind, values) = match &write.change {
            Change::Create { record_type, values } => (record_type.name.clone(), values),
            Change::Update { record, values, .. } => (record.record_type.name.clone(), values),
            Change::Delete { .. } => return None,
        };
        let hidden = self.hidden.lock().unwrap();
        values
            .keys()
            .find(|property| hidden.contains(&(kind.clone(), (*property).clone())))
            .cloned()
    }
}

#[async_trait]
impl Connector for Veil {
    fn system(&self) -> &str {
        self.inner.system()
    }

    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    async fn identify(&self) -> Result<Identification, Error> {
        self.inner.identify().await
    }

    async fn describe(&self) -> Result<Schema, Error> {
        let hidden = self.hidden.lock().unwrap().clone();
        self.asked_without.lock().unwrap().clone_from(&hidden);
        let mut schema = described(&self.flows, self.system());
        for ((kind, property), described) in self.changed.lock().unwrap().iter() {
            let of = schema.types.get_mut(kind).unwrap();
            of.properties.insert(property.clone(), described.clone());
        }
        for (kind, property) in &hidden {
            schema.types.get_mut(kind).unwrap().properties.remove(property);
        }
        Ok(schema)
    }

    async fn changes(&self, types: &[RecordType], cursor: Option<&[u8]>) -> Result<ChangePage, Error> {
        self.enter()?;
        let page = self.inner.changes(types, cursor).await?;
        let observations = self.veiled(page.observations);
        Ok(ChangePage { observations, ..page })
    }

    async fn list(&self, record_type: &RecordType, resume: Option<&[u8]>) -> Result<ListPage, Error> {
        self.enter()?;
        let page = self.inner.list(record_type, resume).await?;
        let observations = self.veiled(page.observations);
        Ok(ListPage { observations, ..page })
    }

    async fn fetch(&self, record_type: &RecordType, ids: &[String]) -> Result<Vec<Observation>, Error> {
        // What has an error of its own never gets as far as the properties.
        let rows = self.inner.fetch(record_type, ids).await?;
        self.enter()?;
        Ok(self.veiled(rows))
    }

    async fn find(
        &self,
        record_type: &RecordType,
        properties: &[String],
        values: &[Vec<Value>],
    ) -> Result<Vec<Observation>, Error> {
        self.enter()?;
        Ok(self.veiled(self.inner.find(record_type, properties, values).await?))
    }

    async fn write(&self, batch: &[Write], lane: Lane) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for write in batch {
            outcomes.push(match self.refuses(write) {
                Some(property) => Outcome::Refused(refusal(RefusalKind::Invalid, &[&property])),
                None => self
                    .inner
                    .write(std::slice::from_ref(write), lane)
                    .await
                    .remove(0),
            });
        }
        outcomes
    }

    async fn resume(&self, handle: &str) -> Result<Resumed, Error> {
        self.inner.resume(handle).await
    }

    fn calls(&self) -> u64 {
        self.inner.calls()
    }
}
