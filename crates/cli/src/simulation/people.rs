//! People who work in both systems at any moment, each through the system's own interface, and what they typed.

use crate::failure::Failure;
use std::collections::BTreeSet;
use std::sync::Arc;
use tandem_connector::{Change, Connector, Lane, Outcome, Write};
use tandem_fuzz::Dice;
use tandem_merge::dataflow::{Dataflow, Direction, Flow, Kind, Mapping, Side};
use tandem_merge::record::{Observation, RecordKey, RecordType, Values};
use tandem_merge::value::Value;

/// Types whose records people make and delete, with the property that must be there.
const MADE: [(&str, &str, &str); 6] = [
    ("customerp", "Contact", "lastName"),
    ("customerp", "Product", "name"),
    ("customerp", "Project", "name"),
    ("salesforce", "Contact", "LastName"),
    ("salesforce", "Product2", "Name"),
    ("salesforce", "Task", "Subject"),
];

/// Whether a property of a flow is a text that goes both ways and that anybody may change.
pub(super) fn is_shared(flow: &Flow, mapping: &Mapping) -> bool {
    let in_key = |part: &tandem_merge::dataflow::MatchPart| part.properties == mapping.properties;
    let key = flow.match_rules.iter().any(|rule| rule.parts.iter().any(in_key));
    matches!(mapping.kind, Kind::String)
        && mapping.direction == Direction::Both
        && mapping.given_by.is_none()
        && !key
        && !mapping.create_only.contains(&true)
        && Side::BOTH.into_iter().all(|side| flow.end(side).write)
}

/// A text that a person typed.
pub(super) struct Typed {
    pub(super) record: RecordKey,
    pub(super) property: String,
    pub(super) text: String,
}

/// A person with a session in both systems.
pub(super) struct People {
    systems: [Arc<dyn Connector>; 2],
    flows: Dataflow,
    /// Texts that were typed into a property.
    typed: BTreeSet<String>,
    /// Texts that a person typed over or deleted.
    superseded: BTreeSet<String>,
    /// What was typed where, oldest first.
    log: Vec<Typed>,
    /// Records that went up in another one.
    merged: BTreeSet<RecordKey>,
    count: u32,
}

impl People {
    pub(super) fn new(systems: [Arc<dyn Connector>; 2], flows: Dataflow) -> Self {
        Self {
            systems,
            flows,
            typed: BTreeSet::new(),
            superseded: BTreeSet::new(),
            log: Vec::new(),
            merged: BTreeSet::new(),
            count: 0,
        }
    }

    /// Texts that somebody typed and nobody typed over.
    pub(super) fn standing(&self) -> impl Iterator<Item = &String> {
        self.typed.difference(&self.superseded)
    }

    /// Whether somebody typed it.
    pub(super) fn typed(&self, text: &str) -> bool {
        self.typed.contains(text)
    }

    /// What is kept in step.
    pub(super) fn flows(&self) -> &Dataflow {
        &self.flows
    }

    /// What was typed where.
    pub(super) fn log(&self) -> &[Typed] {
        &self.log
    }

    /// Whether anybody ever typed anything into a record.
    pub(super) fn edited(&self, record: &RecordKey) -> bool {
        self.log.iter().any(|typed| &typed.record == record)
    }

    /// Texts that were typed over or went with their record, whatever is shown of it at the moment.
    fn supersede(&mut self, which: impl Fn(&Typed) -> bool) {
        let texts = self.log.iter().filter(|typed| which(typed));
        self.superseded.extend(texts.map(|typed| typed.text.clone()));
    }

    fn note(&mut self, record: RecordKey, property: String, text: String) {
        self.typed.insert(text.clone());
        self.log.push(Typed {
            record,
            property,
            text,
        });
    }

    /// The name of the ERP.
    pub(super) fn erp(&self) -> &str {
        &self.flows.systems[0]
    }

    /// A record went up in another one; what stood in it is gone by a person's wish.
    pub(super) fn merged(&mut self, loser: &RecordKey, as_it_was: &Observation) {
        self.superseded.extend(as_it_was.values.values().map(plain));
        self.supersede(|typed| &typed.record == loser);
        self.merged.insert(loser.clone());
    }

    /// Whether records were merged.
    pub(super) fn any_merged(&self) -> bool {
        !self.merged.is_empty()
    }

    fn system(&self, of: &RecordType) -> &Arc<dyn Connector> {
        &self.systems[usize::from(of.system != self.flows.systems[0])]
    }

    /// Every record of a type.
    pub(super) async fn records(&self, of: &RecordType) -> Result<Vec<Observation>, Failure> {
        let mut all = Vec::new();
        let mut resume = None;
        loop {
            let page = self.system(of).list(of, resume.as_deref()).await?;
            all.extend(page.observations);
            resume = page.resume;
            if resume.is_none() {
                return Ok(all);
            }
        }
    }

    /// Every record of every type that the flows are about.
    pub(super) async fn everything(&self) -> Result<Vec<Observation>, Failure> {
        let mut all = Vec::new();
        for system in &self.flows.systems {
            for of in self.flows.types_of(system) {
                all.extend(self.records(&of).await?);
            }
        }
        Ok(all)
    }

    /// One thing that a person does, in words.
    pub(super) async fn act(&mut self, dice: &mut Dice) -> Result<String, Failure> {
        match dice.below(16) {
            0 => self.make(dice).await,
            1 => self.delete(dice).await,
            _ => self.edit(dice).await,
        }
    }

    fn text(&mut self) -> String {
        self.count += 1;
        format!("e{}", self.count)
    }

    async fn edit(&mut self, dice: &mut Dice) -> Result<String, Failure> {
        let shared: Vec<(usize, usize)> = self
            .flows
            .flows
            .iter()
            .enumerate()
            .flat_map(|(place, flow)| {
                let kept = flow.mappings.iter().enumerate();
                let kept = kept.filter(move |(_, mapping)| is_shared(flow, mapping));
                kept.map(move |(at, _)| (place, at))
            })
            .collect();
        let (flow, at) = pick(dice, &shared);
        let side = pick(dice, &Side::BOTH);
        let flow = &self.flows.flows[flow];
        let (of, property) = (
            flow.end(side).record_type.clone(),
            flow.mappings[at].property(side).to_owned(),
        );
        let records = self.records(&of).await?;
        if records.is_empty() {
            return Ok(format!("nobody finds a {of}"));
        }
        let record = pick(dice, &records);
        let old = record.values.get(&property).map(plain).unwrap_or_default();
        let text = self.text();
        let values = Values::from([(property.clone(), Value::text(text.clone()))]);
        let change = Change::Update {
            record: record.key.clone(),
            values,
            only_if: None,
        };
        let outcome = self.write(&of, change).await;
        if matches!(outcome, Outcome::Applied { .. }) {
            self.superseded.insert(old.clone());
            self.supersede(|typed| typed.record == record.key && typed.property == property);
            self.note(record.key.clone(), property.clone(), text.clone());
        }
        Ok(format!(
            "a person types {text:?} over {old:?} in {property} of {}: {}",
            record.key,
            told(&outcome)
        ))
    }

    async fn make(&mut self, dice: &mut Dice) -> Result<String, Failure> {
        let (system, name, property) = pick(dice, &MADE);
        let of = RecordType::new(system, name);
        let text = self.text();
        let change = Change::Create {
            record_type: of.clone(),
            values: Values::from([(property.to_owned(), Value::text(text.clone()))]),
        };
        let outcome = self.write(&of, change).await;
        if let Outcome::Applied { id, .. } = &outcome {
            let record = RecordKey {
                record_type: of.clone(),
                id: id.clone(),
            };
            self.note(record, property.to_owned(), text.clone());
        }
        Ok(format!("a person makes a {of} {text:?}: {}", told(&outcome)))
    }

    async fn delete(&mut self, dice: &mut Dice) -> Result<String, Failure> {
        let (system, name, _) = pick(dice, &MADE);
        let of = RecordType::new(system, name);
        let deleted = self.delete_one(&of, dice).await?;
        Ok(deleted.map_or_else(|| format!("nobody finds a {of}"), |(_, told)| told))
    }

    /// Deletes one record of a type: which, and in words. None: there is none.
    pub(super) async fn delete_one(
        &mut self,
        of: &RecordType,
        dice: &mut Dice,
    ) -> Result<Option<(RecordKey, String)>, Failure> {
        let records = self.records(of).await?;
        if records.is_empty() {
            return Ok(None);
        }
        let record = pick(dice, &records);
        let change = Change::Delete {
            record: record.key.clone(),
            only_if: None,
        };
        // What goes with it by its system's own rules, as a Contact's Tasks do, the person deletes too.
        let before = self.everything().await?;
        let outcome = self.write(of, change).await;
        let after = self.everything().await?;
        let left: BTreeSet<&RecordKey> = after.iter().map(|row| &row.key).collect();
        let gone = before.iter().filter(|row| !left.contains(&row.key));
        let gone: Vec<&Observation> = gone.collect();
        let values = gone.iter().flat_map(|row| row.values.values().map(plain));
        self.superseded.extend(values);
        let mut keys: BTreeSet<RecordKey> = gone.iter().map(|row| row.key.clone()).collect();
        if matches!(outcome, Outcome::Applied { .. }) {
            keys.insert(record.key.clone());
        }
        self.supersede(|typed| keys.contains(&typed.record));
        let told = format!("a person deletes {}: {}", record.key, told(&outcome));
        Ok(Some((record.key, told)))
    }

    /// Makes a change in the system of a type.
    pub(super) async fn write(&mut self, of: &RecordType, change: Change) -> Outcome {
        self.count += 1;
        let write = Write {
            intent: u64::from(self.count),
            key: format!("person-{}", self.count),
            change,
        };
        let mut outcomes = self.system(of).write(&[write], Lane::Live).await;
        outcomes.pop().unwrap()
    }
}

/// A text as it names its edit.
pub(super) fn plain(value: &Value) -> String {
    value.to_string().trim().to_owned()
}

/// One of several.
fn pick<T: Clone>(dice: &mut Dice, all: &[T]) -> T {
    let place = dice.below(u64::try_from(all.len()).unwrap());
    all[usize::try_from(place).unwrap()].clone()
}

fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Applied { id, .. } => format!("done ({id})"),
        Outcome::Refused(refusal) => format!("refused: {}", refusal.message),
        other => format!("{other:?}"),
    }
}
