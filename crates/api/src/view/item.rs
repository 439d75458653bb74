//! What waits.

use crate::{Masks, words};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use tandem_engine::verdicts_for;
use tandem_merge::dataflow::Dataflow;
use tandem_merge::record::RecordKey;

/// Something that waits: for mending, for a reference, for an answer, for approval.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Item {
    /// Its number.
    pub item: u64,
    /// What it means for a person: `parked`, `deferred`, `listed`, `approval`, `conflict`.
    pub standing: String,
    /// The kind of trouble, such as `too-long`.
    pub kind: String,
    /// The record's system.
    pub system: String,
    /// The record's type.
    #[serde(rename = "type")]
    pub record_type: String,
    /// The record's id.
    pub id: String,
    /// What people call the record, where a property says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The flow, for whole records.
    pub flow: Option<String>,
    /// The property, for single properties.
    pub property: Option<String>,
    /// The companion's role, for companions.
    pub role: Option<String>,
    /// What may become of the record with an approval, because its counterpart was deleted: what is done without a word
    /// first. Empty where it is about something else.
    pub verdicts: Vec<String>,
    /// Why it waits.
    pub reason: String,
    /// What to do.
    pub advice: String,
    /// Who can mend it.
    pub who: Option<String>,
    /// Nobody wants to hear of it until then.
    pub ignored_until: Option<Timestamp>,
    /// Since when.
    pub since: Timestamp,
    /// For conflicts: the values, by what holds them.
    pub contenders: Vec<Held>,
}

/// A value of a conflict.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Held {
    /// What holds it.
    pub record: String,
    /// The value.
    pub value: String,
}

impl Item {
    /// What an item looks like.
    #[must_use]
    pub fn of(item: &tandem_ledger::Item, masks: &Masks, flows: Option<&Dataflow>) -> Self {
        let property = item.property.as_deref().unwrap_or_default();
        let contenders = item.contenders.iter().map(|(record, value)| Held {
            record: record.clone(),
            value: masks.show(&item.record.record_type, property, value),
        });
        let verdicts = flows.map(|flows| verdicts_for(flows, item));
        let verdicts = verdicts.into_iter().flatten();
        Self {
            item: item.number,
            standing: words::standing(item).to_owned(),
            kind: words::kind(item),
            system: item.record.record_type.system.clone(),
            record_type: item.record.record_type.name.clone(),
            id: item.record.id.clone(),
            name: None,
            flow: item.flow.clone(),
            property: item.property.clone(),
            role: item.role.clone(),
            verdicts: verdicts.map(|one| one.word().to_owned()).collect(),
            reason: item.reason.clone(),
            advice: item.advice.clone(),
            who: flows.map(|flows| words::who(item, &flows.systems)),
            ignored_until: item.ignored,
            since: item.since,
            contenders: contenders.collect(),
        }
    }

    /// The record.
    #[must_use]
    pub fn key(&self) -> RecordKey {
        RecordKey {
            record_type: tandem_merge::record::RecordType::new(&self.system, &self.record_type),
            id: self.id.clone(),
        }
    }
}

/// All that waits for one and the same kind of reason.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ItemGroup {
    /// The kind.
    pub kind: String,
    /// What it means: `parked`, `approval`, `conflict`, `deferred`, `listed`.
    pub standing: String,
    /// What all of them are, in words.
    pub title: String,
    /// What mends them, in words.
    pub fix: String,
    /// How many there are.
    pub count: u64,
    /// Since when the oldest waits.
    pub since: Timestamp,
}
