//! The systems as people use them: connections of their own, which read every promised property and write without
//! conditions, past Tandem.

use super::causes;
use super::promise::{self, PromisedFlow};
use crate::failure::Failure;
use crate::loading;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tandem_connector::{Change, Connector, ErrorKind, Identification, Lane, Outcome, Schema, Write};
use tandem_merge::config::{Configuration, SecretReference};
use tandem_merge::dataflow::{
    CompanionRule, Dataflow, Direction, Flow, Kind, Mapping, OnCreate, Reverse, Side,
};
use tandem_merge::record::{Observation, Presence, RecordKey, RecordType, Values};
use tandem_merge::value::Value;

/// A secret of a connection with the environment variable to take it from instead.
pub(crate) type AsUser = (String, String, String);

/// What a system did with a wish of a person: its answer, or its own words of refusal.
pub(crate) type Answer<T> = Result<T, String>;

/// The answer about a record that is not there any more.
const GONE: &str = "the record is gone";

/// Both systems, as people.
pub(crate) struct People {
    systems: [Arc<dyn Connector>; 2],
    /// What they say of themselves.
    pub(crate) schemas: [Schema; 2],
    /// Their addresses.
    pub(crate) urls: [String; 2],
    /// Their connectors' kinds.
    pub(crate) kinds: [String; 2],
    names: [String; 2],
    run: String,
    writes: AtomicU64,
}

impl People {
    /// Connects to both systems, as the users given or as Tandem itself.
    ///
    /// # Errors
    /// A system is down or refuses us, a secret is not there, or `--as-user` names what there is not.
    pub(crate) async fn connect(
        configuration: &Configuration,
        promised: &[PromisedFlow],
        users: &[AsUser],
        run: &str,
    ) -> Result<Self, Failure> {
        let mut own = configuration.clone();
        own.dataflow = readable(&configuration.dataflow, configuration, promised);
        for (system, name, variable) in users {
            let connection = own.connections.iter_mut().find(|it| &it.name == system);
            let secret = connection.and_then(|connection| connection.secrets.get_mut(name));
            let Some(secret) = secret else {
                return Err(Failure::usage(
                    format!("--as-user names `{system}.{name}`, which the configuration does not have"),
                    "Write SYSTEM.SECRET=VARIABLE with the names of `connections:`",
                ));
            };
            *secret = SecretReference::Env(variable.clone());
        }
        let systems = loading::connect(&own, None).await?;
        let schemas = loading::describe(&systems).await?;
        Ok(Self {
            systems,
            schemas,
            urls: own.connections.each_ref().map(|it| it.url.clone()),
            kinds: own.connections.each_ref().map(|it| it.kind.clone()),
            names: own.dataflow.systems.clone(),
            run: run.to_owned(),
            writes: AtomicU64::new(0),
        })
    }

    /// Who the two systems are.
    pub(crate) async fn identify(&self) -> Result<[Identification; 2], Failure> {
        let [first, second] = &self.systems;
        Ok([first.identify().await?, second.identify().await?])
    }

    /// The system's name.
    pub(crate) fn name(&self, side: Side) -> &str {
        &self.names[side.index()]
    }

    /// A record's key.
    pub(crate) fn key(&self, side: Side, record_type: &str, id: &str) -> RecordKey {
        RecordKey::new(self.name(side), record_type, id)
    }

    /// Whether records of a type can be deleted.
    pub(crate) fn deletable(&self, side: Side, record_type: &str) -> bool {
        let schema = self.schemas[side.index()].types.get(record_type);
        schema.is_some_and(|schema| schema.deletable)
    }

    fn side_of(&self, key: &RecordKey) -> Side {
        if key.record_type.system == self.names[0] {
            Side::First
        } else {
            Side::Second
        }
    }

    /// Reads records by id; those that are not there are left out.
    pub(crate) async fn read(
        &self,
        keys: impl IntoIterator<Item = RecordKey>,
    ) -> Result<BTreeMap<RecordKey, Observation>, Failure> {
        let mut by_type: BTreeMap<RecordType, BTreeSet<String>> = BTreeMap::new();
        for key in keys {
            by_type.entry(key.record_type).or_default().insert(key.id);
        }
        let mut shown = BTreeMap::new();
        for (record_type, ids) in by_type {
            let side = usize::from(record_type.system != self.names[0]);
            let ids: Vec<String> = ids.into_iter().collect();
            let rows = self.systems[side].fetch(&record_type, &ids).await?;
            let alive = rows.into_iter().filter(|row| row.presence == Presence::Alive);
            shown.extend(alive.map(|row| (row.key.clone(), row)));
        }
        Ok(shown)
    }

    /// Records of a type whose property has one of the values.
    pub(crate) async fn find(
        &self,
        side: Side,
        record_type: &str,
        property: &str,
        values: &[Value],
    ) -> Result<Vec<Observation>, Failure> {
        if values.is_empty() {
            return Ok(Vec::new());
        }
        let of = RecordType::new(self.name(side), record_type);
        let values: Vec<Vec<Value>> = values.iter().map(|value| vec![value.clone()]).collect();
        let properties = [property.to_owned()];
        let found = self.systems[side.index()].find(&of, &properties, &values).await?;
        Ok(found)
    }

    /// Creates records of a type; the ids come back.
    pub(crate) async fn create(
        &self,
        side: Side,
        record_type: &str,
        records: Vec<Values>,
    ) -> Result<Vec<Answer<String>>, Failure> {
        let record_type = RecordType::new(self.name(side), record_type);
        let changes = records.into_iter().map(|values| Change::Create {
            record_type: record_type.clone(),
            values,
        });
        self.write(side, changes.collect()).await
    }

    /// Changes records.
    pub(crate) async fn update(
        &self,
        records: Vec<(RecordKey, Values)>,
    ) -> Result<Vec<Answer<String>>, Failure> {
        self.write_both(records.into_iter().map(|(record, values)| {
            let side = self.side_of(&record);
            let change = Change::Update {
                record,
                values,
                only_if: None,
            };
            (side, change)
        }))
        .await
    }

    /// Deletes records.
    pub(crate) async fn delete(&self, records: Vec<RecordKey>) -> Result<Vec<Answer<String>>, Failure> {
        let deleted = self
            .write_both(records.into_iter().map(|record| {
                let side = self.side_of(&record);
                (
                    side,
                    Change::Delete {
                        record,
                        only_if: None,
                    },
                )
            }))
            .await?;
        // What went along with another record is deleted as well.
        let gone = |answer: Answer<String>| match answer {
            Err(why) if why == GONE => Ok(String::new()),
            other => other,
        };
        Ok(deleted.into_iter().map(gone).collect())
    }

    /// Sends changes to both systems; the answers are in the order of the changes.
    async fn write_both(
        &self,
        changes: impl Iterator<Item = (Side, Change)>,
    ) -> Result<Vec<Answer<String>>, Failure> {
        let changes: Vec<(Side, Change)> = changes.collect();
        let mut answers: Vec<Option<Answer<String>>> = vec![None; changes.len()];
        for side in Side::BOTH {
            let here =
                |(at, (of, change)): (usize, &(Side, Change))| (*of == side).then(|| (at, change.clone()));
            let (places, own): (Vec<usize>, Vec<Change>) =
                changes.iter().enumerate().filter_map(here).unzip();
            for (place, answer) in places.into_iter().zip(self.write(side, own).await?) {
                answers[place] = Some(answer);
            }
        }
        let unanswered = || Err("it was not answered".to_owned());
        Ok(answers
            .into_iter()
            .map(|answer| answer.unwrap_or_else(unanswered))
            .collect())
    }

    async fn write(&self, side: Side, changes: Vec<Change>) -> Result<Vec<Answer<String>>, Failure> {
        let system = &self.systems[side.index()];
        let most = system.capabilities().write_batch.max(1);
        let mut answers = Vec::new();
        for part in changes.chunks(most) {
            let batch: Vec<Write> = part.iter().map(|change| self.wish(change)).collect();
            for outcome in system.write(&batch, Lane::Live).await {
                answers.push(answer(outcome)?);
            }
        }
        Ok(answers)
    }

    fn wish(&self, change: &Change) -> Write {
        let intent = self.writes.fetch_add(1, Ordering::Relaxed) + 1;
        Write {
            intent,
            key: format!("qa-{}-{intent}", self.run),
            change: change.clone(),
        }
    }
}

fn answer(outcome: Outcome) -> Result<Answer<String>, Failure> {
    Ok(match outcome {
        Outcome::Applied { id, .. } => Ok(id),
        Outcome::Refused(refusal) => Err(refusal.message),
        Outcome::Stale => Err("the record changed meanwhile".to_owned()),
        Outcome::Gone => Err(GONE.to_owned()),
        Outcome::Unknown(why) => Err(format!("no answer came: {why}")),
        Outcome::NotSent(error) if error.kind == ErrorKind::Missing => Err(error.message),
        Outcome::NotSent(error) => return Err(error.into()),
        Outcome::Accepted { .. } => Err("the system took it for later".to_owned()),
    })
}

/// A dataflow that names every property to be read: what connectors are made for.
fn readable(flows: &Dataflow, configuration: &Configuration, promised: &[PromisedFlow]) -> Dataflow {
    let [first, second] = promise::properties(promised);
    let mut flows = flows.clone();
    for flow in &mut flows.flows {
        let [l, r] = flow.ends.each_ref().map(|end| end.record_type.name.clone());
        let companions = flow.companions.iter().map(|rule| rule.property.clone());
        let seconds: BTreeSet<String> = second
            .get(&r)
            .into_iter()
            .flatten()
            .cloned()
            .chain(companions)
            .collect();
        let firsts = first.get(&l).into_iter().flatten();
        flow.match_rules.clear();
        flow.mappings = firsts
            .map(|name| reading([name, "id"]))
            .chain(seconds.iter().map(|name| reading(["id", name])))
            .collect();
    }
    if configuration.connections[1].kind == "salesforce" {
        let system = flows.systems[1].clone();
        let extra = causes::OBJECTS
            .iter()
            .map(|(object, names)| reading_object(&system, object, names));
        if let Some(flow) = flows.flows.first_mut() {
            flow.companions.extend(extra);
        }
        for flow in &mut flows.flows {
            add_order_properties(flow);
        }
    }
    flows
}

fn add_order_properties(flow: &mut Flow) {
    let object = flow.end(Side::Second).object.clone();
    for (_, name) in causes::PROPERTIES.iter().filter(|(of, _)| *of == object) {
        flow.mappings.push(reading(["id", name]));
    }
}

/// A mapping that has two properties read, and nothing else.
fn reading(properties: [&str; 2]) -> Mapping {
    Mapping {
        properties: properties.map(str::to_owned),
        data_types: [String::new(), String::new()],
        kind: Kind::String,
        direction: Direction::Both,
        owned_by: None,
        given_by: None,
        on_create: OnCreate::Follow,
        never_blank: [false; 2],
        filled_on_create: [false; 2],
        max_length: [None; 2],
        reverse: Reverse::Follow,
        blank_is_edit: true,
        personal: false,
        conflict: None,
        alone: None,
        locks: std::collections::BTreeSet::new(),
        create_only: [false; 2],
        awaited: false,
        stand_in: [None, None],
        note: String::new(),
    }
}

fn reading_object(system: &str, object: &str, names: &[&str]) -> CompanionRule {
    CompanionRule {
        role: format!("qa {object}"),
        property: "Id".to_owned(),
        of: "id".to_owned(),
        owner: RecordType::new(system, object),
        record_type: RecordType::new(system, object),
        find: names.iter().map(|name| (*name).to_owned()).collect(),
        identity: None,
        create: false,
        values: BTreeMap::new(),
    }
}
