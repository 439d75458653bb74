//! The two systems: rows with versions, an external id that is unique, conditional writes.

use crate::members::moment;
use std::collections::BTreeMap;
use tandem_merge::cluster::{Action, Intent};
use tandem_merge::record::{Observation, Presence, RecordKey, RecordType, Values, Version};
use tandem_merge::value::Value;

/// One record as its system holds it.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) values: Values,
    pub(crate) version: i64,
    pub(crate) modified: i64,
    pub(crate) created: i64,
    pub(crate) alive: bool,
}

/// What a system answers.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Applied {
        id: String,
        state: Option<Box<Observation>>,
    },
    Duplicate,
    Refused {
        property: String,
    },
    Stale,
}

/// Both systems with their clock.
#[derive(Clone, Debug, Default)]
pub(crate) struct Systems {
    pub(crate) rows: BTreeMap<RecordKey, Row>,
    pub(crate) clock: i64,
    pub(crate) ids: u32,
    /// The second system's Invoice refuses descriptions whose number leaves this rest when divided by five.
    pub(crate) refuses: Option<u32>,
    /// Writes carried out.
    pub(crate) writes: u32,
}

/// The property that holds the counterpart's identity.
pub(crate) fn identity(of: &RecordType) -> &'static [&'static str] {
    if of.system == "sf" {
        &["Ext"]
    } else {
        &["invoiceId", "orderId"]
    }
}

impl Systems {
    /// The second system counts changes in steps of two seconds and has no other order.
    pub(crate) fn stamp(&self, key: &RecordKey) -> i64 {
        if key.record_type.system == "sf" {
            self.clock - self.clock % 2
        } else {
            self.clock
        }
    }

    pub(crate) fn touch(&mut self, key: &RecordKey) {
        let modified = self.stamp(key);
        let row = self.rows.get_mut(key).unwrap();
        row.version += 1;
        row.modified = modified;
    }

    pub(crate) fn insert(&mut self, of: &RecordType, values: Values) -> RecordKey {
        self.ids += 1;
        let key = RecordKey {
            record_type: of.clone(),
            id: format!("{}{}", &of.name[..1], self.ids),
        };
        let mut values = values;
        if of.system == "sf" && of.name == "Order" {
            values.insert("Given".to_owned(), Value::Text(format!("given{}", self.ids)));
        }
        let row = Row {
            values,
            version: 0,
            modified: 0,
            created: self.clock,
            alive: true,
        };
        self.rows.insert(key.clone(), row);
        self.touch(&key);
        let row = self.rows.get_mut(&key).unwrap();
        row.created = row.modified;
        key
    }

    pub(crate) fn observe(&self, key: &RecordKey) -> Observation {
        let Some(row) = self.rows.get(key) else {
            return Observation {
                presence: Presence::Missing,
                ..self.blank(key)
            };
        };
        let erp = key.record_type.system == "erp";
        let token = if erp { row.version } else { row.modified };
        Observation {
            presence: if row.alive {
                Presence::Alive
            } else {
                Presence::Deleted
            },
            values: if row.alive {
                row.values.clone()
            } else {
                Values::new()
            },
            version: Some(Version {
                token: token.to_string(),
                order: erp.then_some(row.version),
                modified: moment(row.modified),
                firm: erp || self.clock - row.modified >= 2,
                coarse: jiff::SignedDuration::ZERO,
            }),
            created: Some(moment(row.created)),
            ..self.blank(key)
        }
    }

    fn blank(&self, key: &RecordKey) -> Observation {
        Observation {
            key: key.clone(),
            presence: Presence::Alive,
            values: Values::new(),
            version: None,
            created: None,
            author: None,
            read_began: moment(self.clock),
            partial: false,
            protected: false,
            merged_into: None,
            unreadable: std::collections::BTreeMap::new(),
        }
    }

    /// What changed since a moment, on one system.
    pub(crate) fn page(&self, system: &str, since: i64) -> Vec<Observation> {
        let changed = self
            .rows
            .iter()
            .filter(|(key, row)| key.record_type.system == system && row.modified >= since);
        changed.map(|(key, _)| self.observe(key)).collect()
    }

    /// The record that carries an identity, the dead ones last.
    pub(crate) fn find_identity(&self, of: &RecordType, property: &str, value: &Value) -> Option<RecordKey> {
        let mut found: Vec<_> = self
            .rows
            .iter()
            .filter(|(key, row)| &key.record_type == of && row.values.get(property) == Some(value))
            .collect();
        found.sort_by_key(|(key, row)| (!row.alive, (*key).clone()));
        found.first().map(|(key, _)| (*key).clone())
    }

    /// Carries a request out.
    pub(crate) fn carry_out(&mut self, intent: &Intent) -> Answer {
        if let Some(property) = self.refusal(intent) {
            return Answer::Refused { property };
        }
        let values = intent
            .values
            .iter()
            .map(|(name, planned)| (name.clone(), planned.value.clone()));
        match &intent.action {
            Action::Create { target, identity, .. } => {
                let taken = identity
                    .as_ref()
                    .and_then(|(property, value)| self.find_identity(target, property, value));
                if taken.is_some_and(|key| self.rows[&key].alive) {
                    return Answer::Duplicate;
                }
                let key = self.insert(target, values.collect());
                self.writes += 1;
                Answer::Applied {
                    id: key.id,
                    state: None,
                }
            }
            Action::Update { record } | Action::Delete { record } => {
                let expected = intent.version.as_ref().map(|version| version.token.clone());
                let now = self.observe(record);
                let row = self.rows.get_mut(record).unwrap();
                if !row.alive || now.version.map(|version| version.token) != expected {
                    return Answer::Stale;
                }
                row.alive = !matches!(intent.action, Action::Delete { .. });
                row.values.extend(values);
                self.writes += 1;
                self.touch(record);
                let told = record.record_type.system == "erp";
                Answer::Applied {
                    id: record.id.clone(),
                    state: told.then(|| Box::new(self.observe(record))),
                }
            }
            Action::Companion { .. } => Answer::Stale,
        }
    }

    fn refusal(&self, intent: &Intent) -> Option<String> {
        let rest = self.refuses?;
        let of = match &intent.action {
            Action::Create { target, .. } => target,
            Action::Update { record } => &record.record_type,
            _ => return None,
        };
        let text = intent.values.get("Description")?.value.to_string();
        let number: u32 = text.trim().trim_start_matches('e').parse().ok()?;
        (of.name == "Invoice" && number % 5 == rest).then(|| "Description".to_owned())
    }
}
