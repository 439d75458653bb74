//! A system that reads for real and only pretends to write.

use super::{PLACEHOLDER, lock};
use crate::Clock;
use async_trait::async_trait;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use tandem_connector::{
    Capabilities, Change, ChangePage, Connector, Identification, Lane, ListPage, Outcome, Resumed, Schema,
    Write,
};
use tandem_merge::dataflow::{Dataflow, Kind, Mapping, Side};
use tandem_merge::record::{Observation, Presence, RecordKey, RecordType, Values, Version};
use tandem_merge::value::Value;

/// A connector that reads from the real system and only pretends to write. What it pretended is laid over
/// everything it reads afterwards; records that it pretended to create show up as changes, with
/// placeholders for what their system gives.
pub struct Rehearsal {
    system: Arc<dyn Connector>,
    clock: Arc<dyn Clock>,
    /// By record type: what the system gives on a create, of the properties that come from it.
    given: BTreeMap<RecordType, Vec<Given>>,
    pretended: Mutex<Pretended>,
}

/// A property that the system gives a value on a create.
struct Given {
    property: String,
    kind: Kind,
    data_type: String,
}

#[derive(Default)]
struct Pretended {
    /// Records that were created, as they would be shown.
    born: BTreeMap<RecordKey, Observation>,
    /// What was changed on records that are there, and whether they were deleted.
    changed: BTreeMap<RecordKey, (Values, bool, Version)>,
    /// Records of `born` that `changes` has not shown in their present state.
    news: BTreeSet<RecordKey>,
    count: u64,
}

impl Rehearsal {
    /// A rehearsal of a system with the schema that it describes.
    #[must_use]
    pub fn new(system: Arc<dyn Connector>, flows: &Dataflow, schema: &Schema, clock: Arc<dyn Clock>) -> Self {
        let mut given: BTreeMap<RecordType, Vec<Given>> = BTreeMap::new();
        for flow in &flows.flows {
            for side in Side::BOTH {
                let record_type = &flow.end(side).record_type;
                if record_type.system == system.system() {
                    let gifts = flow
                        .mappings
                        .iter()
                        .filter_map(|mapping| gift(mapping, side, record_type, schema));
                    given.entry(record_type.clone()).or_default().extend(gifts);
                }
            }
        }
        Self {
            system,
            clock,
            given,
            pretended: Mutex::default(),
        }
    }

    fn version(&self, count: u64) -> Version {
        Version {
            token: format!("rehearsed {count}"),
            order: None,
            modified: self.clock.now(),
            firm: true,
            coarse: jiff::SignedDuration::ZERO,
        }
    }

    fn create(&self, record_type: &RecordType, values: &Values) -> Outcome {
        let mut pretended = lock(&self.pretended);
        pretended.count += 1;
        let count = pretended.count;
        let key = RecordKey {
            record_type: record_type.clone(),
            id: format!("{PLACEHOLDER}{} {count}>", record_type.name),
        };
        let mut values = values.clone();
        for given in self.given.get(record_type).into_iter().flatten() {
            let shown = values.entry(given.property.clone()).or_default();
            if shown.is_blank() {
                *shown = given.placeholder(count);
            }
        }
        let now = self.clock.now();
        let born = Observation {
            key: key.clone(),
            presence: Presence::Alive,
            values,
            version: Some(self.version(count)),
            created: Some(now),
            author: None,
            read_began: now,
            partial: false,
            protected: false,
            merged_into: None,
            unreadable: std::collections::BTreeMap::new(),
        };
        pretended.news.insert(key.clone());
        pretended.born.insert(key.clone(), born);
        Outcome::Applied {
            id: key.id,
            state: None,
        }
    }

    fn alter(&self, record: &RecordKey, values: &Values, deleted: bool) -> Outcome {
        let mut pretended = lock(&self.pretended);
        pretended.count += 1;
        let version = self.version(pretended.count);
        if let Some(born) = pretended.born.get_mut(record) {
            born.values.extend(values.clone());
            born.version = Some(version);
            born.presence = if deleted {
                Presence::Deleted
            } else {
                Presence::Alive
            };
            pretended.news.insert(record.clone());
        } else {
            let changed = pretended.changed.entry(record.clone());
            let changed = changed.or_insert_with(|| (Values::new(), false, version.clone()));
            changed.0.extend(values.clone());
            changed.1 |= deleted;
            changed.2 = version;
        }
        Outcome::Applied {
            id: record.id.clone(),
            state: None,
        }
    }

    /// Lays what was pretended over what the system shows. Nothing else writes it meanwhile, so every
    /// version is firm.
    fn lay_over(&self, rows: &mut [Observation]) {
        let pretended = lock(&self.pretended);
        for row in rows {
            if let Some((values, deleted, version)) = pretended.changed.get(&row.key) {
                row.version = Some(version.clone());
                if *deleted {
                    row.presence = Presence::Deleted;
                    row.values = Values::new();
                } else {
                    row.values.extend(values.clone());
                }
            }
            if let Some(version) = &mut row.version {
                version.firm = true;
            }
        }
    }

    /// A record that was only pretended, as a read at this moment shows it.
    fn born(&self, key: &RecordKey, now: Timestamp) -> Option<Observation> {
        let born = lock(&self.pretended).born.get(key).cloned();
        born.map(|born| Observation {
            read_began: now,
            ..born
        })
    }
}

#[async_trait]
impl Connector for Rehearsal {
    fn system(&self) -> &str {
        self.system.system()
    }

    fn capabilities(&self) -> &Capabilities {
        self.system.capabilities()
    }

    async fn identify(&self) -> Result<Identification, tandem_connector::Error> {
        self.system.identify().await
    }

    async fn describe(&self) -> Result<Schema, tandem_connector::Error> {
        self.system.describe().await
    }

    async fn changes(
        &self,
        types: &[RecordType],
        cursor: Option<&[u8]>,
    ) -> Result<ChangePage, tandem_connector::Error> {
        let mut page = self.system.changes(types, cursor).await?;
        self.lay_over(&mut page.observations);
        if !page.more {
            let mut pretended = lock(&self.pretended);
            let news = std::mem::take(&mut pretended.news).into_iter();
            let (asked, rest): (Vec<_>, _) = news.partition(|key| types.contains(&key.record_type));
            pretended.news = rest.into_iter().collect();
            drop(pretended);
            let now = self.clock.now();
            let asked = asked.into_iter();
            page.observations
                .extend(asked.filter_map(|key| self.born(&key, now)));
        }
        Ok(page)
    }

    async fn list(
        &self,
        record_type: &RecordType,
        resume: Option<&[u8]>,
    ) -> Result<ListPage, tandem_connector::Error> {
        let mut page = self.system.list(record_type, resume).await?;
        self.lay_over(&mut page.observations);
        Ok(page)
    }

    async fn fetch(
        &self,
        record_type: &RecordType,
        ids: &[String],
    ) -> Result<Vec<Observation>, tandem_connector::Error> {
        let now = self.clock.now();
        let (mut rows, mut real) = (Vec::new(), Vec::new());
        for id in ids {
            let key = RecordKey {
                record_type: record_type.clone(),
                id: id.clone(),
            };
            match self.born(&key, now) {
                Some(born) => rows.push(born),
                None => real.push(id.clone()),
            }
        }
        if !real.is_empty() {
            let mut seen = self.system.fetch(record_type, &real).await?;
            self.lay_over(&mut seen);
            rows.extend(seen);
        }
        Ok(rows)
    }

    async fn find(
        &self,
        record_type: &RecordType,
        properties: &[String],
        values: &[Vec<Value>],
    ) -> Result<Vec<Observation>, tandem_connector::Error> {
        let mut rows = self.system.find(record_type, properties, values).await?;
        self.lay_over(&mut rows);
        rows.retain(|row| row.presence == Presence::Alive);
        let loose = |values: &[Value]| values.iter().map(crate::pack::loose).collect::<Vec<_>>();
        let wanted: BTreeSet<Vec<String>> = values.iter().map(|values| loose(values)).collect();
        let pretended = lock(&self.pretended);
        let born = pretended.born.values().filter(|born| {
            let shown = properties
                .iter()
                .map(|name| born.values.get(name).cloned().unwrap_or_default());
            let shown: Vec<Value> = shown.collect();
            let alive = born.presence == Presence::Alive;
            alive && &born.key.record_type == record_type && wanted.contains(&loose(&shown))
        });
        rows.extend(born.cloned());
        Ok(rows)
    }

    async fn write(&self, batch: &[Write], _lane: Lane) -> Vec<Outcome> {
        let pretend = |write: &Write| match &write.change {
            Change::Create { record_type, values } => self.create(record_type, values),
            Change::Update { record, values, .. } => self.alter(record, values, false),
            Change::Delete { record, .. } => self.alter(record, &Values::new(), true),
        };
        batch.iter().map(pretend).collect()
    }

    async fn resume(&self, _handle: &str) -> Result<Resumed, tandem_connector::Error> {
        // Nothing is ever accepted for later.
        Ok(Resumed::Done(Vec::new()))
    }

    fn calls(&self) -> u64 {
        self.system.calls()
    }

    fn clock_offset(&self) -> Option<tandem_connector::ClockOffset> {
        self.system.clock_offset()
    }
}

/// What a system gives for a mapping's property on a create, where the property comes from that side.
fn gift(mapping: &Mapping, side: Side, record_type: &RecordType, schema: &Schema) -> Option<Given> {
    if mapping.owned_by != Some(side) && mapping.given_by != Some(side) {
        return None;
    }
    let property = mapping.property(side);
    let described = schema.types.get(&record_type.name)?.properties.get(property)?;
    let given = described.filled_on_create && !derived_later(&described.data_type);
    given.then(|| Given {
        property: property.to_owned(),
        kind: mapping.kind.clone(),
        data_type: described.data_type.clone(),
    })
}

/// Moments are derived from something that happens after the create.
fn derived_later(data_type: &str) -> bool {
    matches!(data_type, "datetime" | "date" | "time")
}

impl Given {
    fn placeholder(&self, count: u64) -> Value {
        match (&self.kind, self.data_type.as_str()) {
            (Kind::Boolean, _) => Value::Boolean(false),
            (Kind::Integer, _) => Value::Integer(0),
            (Kind::Decimal { .. }, _) => Value::Decimal(0.into()),
            (Kind::Date | Kind::DateTime { .. } | Kind::Reference(_), _) => Value::Blank,
            (Kind::Enum(map), _) => map
                .to_first
                .keys()
                .next()
                .map_or(Value::Blank, |name| name.as_str().into()),
            (Kind::String, _) => Value::Text(format!("<{} {count}>", self.property)),
        }
    }
}
