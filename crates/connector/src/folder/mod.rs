//! The connector to a folder of files: CSV and lines of JSON, as an ERP exports them, or as it takes them back.
//!
//! A file is listed as a whole whenever it changed. What a file does not show any more is a suspicion: it is confirmed by
//! id, and the description says whether it counts as deleted.

mod cell;
mod description;
mod files;
mod letters;
mod pending;
mod results;
mod table;
mod write;

pub use description::{Description, schema};

use crate::http::clock;
use crate::{
    Capabilities, ChangePage, Connector, Error, ErrorKind, Identification, Lane, ListPage, Outcome,
    PropertySchema, Protection, Resumed, Schema, TypeSchema, Write,
};
use async_trait::async_trait;
use description::Records;
use files::Files;
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tandem_merge::computed::Computation;
use tandem_merge::record::{Observation, RecordType};
use tandem_merge::value::Value;

/// Which folder, and what of it is used.
#[derive(Clone, Debug)]
pub struct FolderConfig {
    /// The system's name in the configuration.
    pub name: String,
    /// The folder.
    pub folder: PathBuf,
    /// What is in it.
    pub description: Description,
    /// Nothing is ever written.
    pub read_only: bool,
    /// The properties of each record type that are used.
    pub fields: BTreeMap<String, Vec<String>>,
    /// Properties that are computed out of those it has, by record type and name.
    pub computed: BTreeMap<String, BTreeMap<String, Computation>>,
}

/// A connection to a folder.
pub struct Folder {
    inner: Arc<Files>,
    capabilities: Capabilities,
}

impl std::fmt::Debug for Folder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Folder")
            .field("folder", &self.inner.config.folder)
            .finish_non_exhaustive()
    }
}

impl Folder {
    /// Makes the connector ready; nothing is read yet.
    #[must_use]
    pub fn connect(mut config: FolderConfig) -> Self {
        let all = config.description.records.values_mut();
        all.for_each(|of| of.read_only |= config.read_only);
        let usual = Protection {
            conditional_write: true,
            conditional_delete: true,
            ..Protection::default()
        };
        let keyed = config.description.records.values().filter(|of| of.key.is_some());
        let of_types = keyed.map(|of| {
            let idempotent = Protection {
                idempotent_create: true,
                ..usual
            };
            (of.name.clone(), idempotent)
        });
        let of_types = of_types.collect();
        let inner = Files {
            config,
            tables: Mutex::default(),
            listed: Mutex::default(),
            seen: Mutex::default(),
            writing: Mutex::default(),
            calls: AtomicU64::new(0),
        };
        Self {
            inner: Arc::new(inner),
            capabilities: Capabilities {
                usual,
                of_types,
                idempotency_life: SignedDuration::MAX,
                request_deadline: SignedDuration::from_secs(60),
                commit_delay: SignedDuration::from_secs(60),
                write_batch: 1_000,
                find_batch: 1_000,
                fetch_batch: 1_000,
                answers_with_state: true,
                load: None,
                asks_by_type: false,
            },
        }
    }

    /// Works with files where nobody else waits for them.
    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let inner = Arc::clone(&self.inner);
        inner.calls.fetch_add(1, Ordering::Relaxed);
        match tokio::task::spawn_blocking(move || work(&inner)).await {
            Ok(done) => done,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => std::future::pending().await,
        }
    }
}

fn subject(write: &Write) -> &str {
    match &write.change {
        crate::Change::Create { record_type, .. } => &record_type.name,
        crate::Change::Update { record, .. } | crate::Change::Delete { record, .. } => {
            &record.record_type.name
        }
    }
}

#[async_trait]
impl Connector for Folder {
    fn system(&self) -> &str {
        &self.inner.config.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn identify(&self) -> Result<Identification, Error> {
        self.aside(|inner| {
            let folder = &inner.config.folder;
            std::fs::read_dir(folder).map_err(|error| {
                let what = format!("the folder {} cannot be read ({error})", folder.display());
                inner.error(
                    ErrorKind::Down,
                    what,
                    "Make it, or correct `folder:` in the configuration",
                )
            })?;
            inner.reach_results()?;
            Ok(Identification {
                id: inner.config.description.system.clone(),
                name: inner.config.description.name.clone(),
                user: "whoever may write its files".to_owned(),
                author: None,
                sandbox: None,
                instance: None,
                version: None,
            })
        })
        .await
    }

    async fn describe(&self) -> Result<Schema, Error> {
        self.aside(|inner| {
            let mut schema = Schema::default();
            let offered: Vec<&str> = inner.config.description.record_types().collect();
            for name in inner.config.fields.keys() {
                let Ok(of) = inner.records(name) else {
                    let what = format!(
                        "{} describes no {name}; it describes {}",
                        inner.config.name,
                        offered.join(", ")
                    );
                    schema.missing.insert(name.clone(), what);
                    continue;
                };
                let computed = inner.config.computed.get(name).into_iter().flatten();
                let computed = computed.map(|(name, rule)| (name.clone(), crate::shown::described(rule)));
                let properties = of
                    .properties
                    .iter()
                    .map(|(name, column)| (name.clone(), described(of, column)));
                let described = TypeSchema {
                    object: of.file.clone(),
                    createable: !of.read_only && of.new_id.is_some(),
                    updateable: !of.read_only,
                    deletable: !of.read_only,
                    properties: properties.chain(computed).collect(),
                    watched: None,
                };
                schema.types.insert(name.clone(), described);
            }
            Ok(schema)
        })
        .await
    }

    async fn changes(&self, types: &[RecordType], cursor: Option<&[u8]>) -> Result<ChangePage, Error> {
        let (types, cursor) = (types.to_vec(), cursor.map(<[u8]>::to_vec));
        self.aside(move |inner| inner.changes(&types, cursor.as_deref()))
            .await
    }

    async fn list(&self, record_type: &RecordType, resume: Option<&[u8]>) -> Result<ListPage, Error> {
        let (name, resume) = (
            record_type.name.clone(),
            resume.map(|bytes| String::from_utf8_lossy(bytes).into_owned()),
        );
        self.aside(move |inner| {
            let of = inner.records(&name)?;
            let (observations, last) = inner.page(of, &*inner.table(of)?, resume.as_deref())?;
            Ok(ListPage {
                observations,
                resume: last.map(String::into_bytes),
            })
        })
        .await
    }

    async fn fetch(&self, record_type: &RecordType, ids: &[String]) -> Result<Vec<Observation>, Error> {
        let (name, ids) = (record_type.name.clone(), ids.to_vec());
        self.aside(move |inner| {
            let of = inner.records(&name)?;
            // What a file does not show that is being written may only not be there yet.
            let (began, table) = (clock::now(), inner.table(of)?);
            let (there, gone): (Vec<&String>, Vec<&String>) =
                ids.iter().partition(|id| table.rows.contains_key(*id));
            let mut shown = inner.shown(of, &table, &there, began)?;
            if !gone.is_empty() {
                inner.resting(of)?;
            }
            shown.extend(gone.into_iter().map(|id| inner.absent(of, &table, id, began)));
            Ok(shown)
        })
        .await
    }

    async fn find(
        &self,
        record_type: &RecordType,
        properties: &[String],
        values: &[Vec<Value>],
    ) -> Result<Vec<Observation>, Error> {
        let key = |values: &[&Value]| -> Vec<String> { values.iter().map(|value| loose(value)).collect() };
        let wanted: BTreeSet<Vec<String>> = values
            .iter()
            .map(|it| key(&it.iter().collect::<Vec<_>>()))
            .collect();
        let (name, properties) = (record_type.name.clone(), properties.to_vec());
        self.aside(move |inner| {
            let of = inner.records(&name)?;
            let table = inner.table(of)?;
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let (shown, last) = inner.page(of, &table, after.as_deref())?;
                found.extend(shown.into_iter().filter(|shown| {
                    let own: Vec<&Value> = properties
                        .iter()
                        .filter_map(|name| shown.values.get(name))
                        .collect();
                    own.len() == properties.len() && wanted.contains(&key(&own))
                }));
                match last {
                    Some(last) => after = Some(last),
                    None => return Ok(found),
                }
            }
        })
        .await
    }

    async fn write(&self, batch: &[Write], _lane: Lane) -> Vec<Outcome> {
        let mut outcomes: Vec<Option<Outcome>> = vec![None; batch.len()];
        let names: BTreeSet<&str> = batch.iter().map(subject).collect();
        for name in names {
            let own: Vec<usize> = (0..batch.len())
                .filter(|at| subject(&batch[*at]) == name)
                .collect();
            let writes: Vec<Write> = own.iter().map(|at| batch[*at].clone()).collect();
            let owned = name.to_owned();
            let done = self
                .aside(move |inner| inner.write(inner.records(&owned)?, &writes))
                .await;
            let done = done.unwrap_or_else(|error| vec![Outcome::NotSent(error); own.len()]);
            own.into_iter()
                .zip(done)
                .for_each(|(at, outcome)| outcomes[at] = Some(outcome));
        }
        let lost = || Outcome::Unknown("the write was not answered".to_owned());
        outcomes
            .into_iter()
            .map(|outcome| outcome.unwrap_or_else(lost))
            .collect()
    }

    async fn resume(&self, _handle: &str) -> Result<Resumed, Error> {
        // Nothing is ever accepted for later.
        Ok(Resumed::Done(Vec::new()))
    }

    fn calls(&self) -> u64 {
        self.inner.calls.load(Ordering::Relaxed)
    }
}

/// A value as it is looked up: without what people write in one way or another.
fn loose(value: &Value) -> String {
    let text = value.to_string().trim().to_lowercase();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let is_number = text
        .chars()
        .all(|sign| sign.is_ascii_digit() || " +-()/.".contains(sign));
    if is_number && !digits.is_empty() {
        digits
    } else {
        text
    }
}

fn described(of: &Records, column: &description::Column) -> PropertySchema {
    let writable = !column.read_only && !of.read_only;
    PropertySchema {
        data_type: column.data_type.clone(),
        max_length: column.max_length,
        nillable: !column.required,
        createable: writable,
        updateable: writable,
        filled_on_create: !writable,
        unique: column.unique,
        references: column.references.clone().into_iter().collect(),
        ..PropertySchema::default()
    }
}
