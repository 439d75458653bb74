//! The validated configuration: flows with their mappings, match rules and policies. Nothing here is checked
//! again; [`crate::config`] builds it from text and reports every problem at once.

use crate::computed::Computation;
use crate::filter::Filter;
use crate::record::{RecordKey, RecordType};
use crate::value::Value;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One of the two sides of a flow. The first is where canonical names and ids come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The flow's first system (`customerp`).
    First,
    /// The flow's second system (`salesforce`).
    Second,
}

impl Side {
    /// Both sides, the first one first.
    pub const BOTH: [Self; 2] = [Self::First, Self::Second];

    /// The opposite side.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }

    /// 0 or 1, for arrays of one entry per side.
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::First => 0,
            Self::Second => 1,
        }
    }
}

/// A whole dataflow between two systems.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dataflow {
    /// The two systems' names, the first one first.
    pub systems: [String; 2],
    /// The flows, parents before children: a flow references only flows before it, or itself.
    pub flows: Vec<Flow>,
    /// The display order of the flows' names in documents.
    pub document_order: Vec<String>,
    /// The introductory paragraph of the dataflow document.
    pub introduction: String,
    /// Clock error between the systems that intervals are compared with, in seconds.
    pub clock_error_seconds: i64,
    /// Properties out of sight: their system does not show them, or shows them in another form. They take no part
    /// in any decision until they are back. Of the moment, so no part of what is configured.
    #[serde(skip)]
    pub out_of_sight: BTreeSet<(RecordType, String)>,
    /// How far each system's clock is ahead of ours, as measured: the times of edits are corrected by it. Of the
    /// moment, too.
    #[serde(skip)]
    pub clocks_ahead: BTreeMap<String, SignedDuration>,
    /// How long each system may take until a read shows what was written. Of the moment, too.
    #[serde(skip)]
    pub commit_delays: BTreeMap<String, SignedDuration>,
    /// How long after its sending a create may take effect once more, by systems that do not know a request again.
    /// Of the moment, too.
    #[serde(skip)]
    pub request_deadlines: BTreeMap<String, SignedDuration>,
    /// Systems with writes that no condition protects: one may have met a later state than it was computed from. Of the
    /// moment, too.
    #[serde(skip)]
    pub unprotected: BTreeSet<String>,
    /// Flows that rest: nothing is decided or written for them, their links stay. Of the moment, too.
    #[serde(skip)]
    pub paused: BTreeSet<String>,
    /// Flows whose policy does not decide yet what a first link would overwrite: it is asked about. Of the moment, too.
    #[serde(skip)]
    pub asks_first: BTreeSet<String>,
    /// By system: how it names our own user as the author of a state. Of the moment, too.
    #[serde(skip)]
    pub ourselves: BTreeMap<String, String>,
}

impl Dataflow {
    /// Whether a property is out of sight.
    #[must_use]
    pub fn hides(&self, record_type: &RecordType, property: &str) -> bool {
        let mut hidden = self.out_of_sight.iter();
        hidden.any(|(of, name)| of == record_type && name == property)
    }

    /// A moment of a system's clock by ours, as far as it was measured.
    #[must_use]
    pub fn by_our_clock(&self, system: &str, moment: Timestamp) -> Timestamp {
        let ahead = self.clocks_ahead.get(system).copied().unwrap_or_default();
        moment.checked_sub(ahead).unwrap_or(moment)
    }

    /// A moment of our clock by a system's, as far as it was measured.
    #[must_use]
    pub fn by_its_clock(&self, system: &str, moment: Timestamp) -> Timestamp {
        let ahead = self.clocks_ahead.get(system).copied().unwrap_or_default();
        moment.checked_add(ahead).unwrap_or(moment)
    }

    /// Whether a flow rests.
    #[must_use]
    pub fn rests(&self, flow: &str) -> bool {
        self.paused.contains(flow)
    }

    /// The flow of that name.
    #[must_use]
    pub fn flow(&self, name: &str) -> Option<&Flow> {
        self.flows.iter().find(|flow| flow.name == name)
    }

    /// Flows that a record type takes part in, with the side it is on, in flow order.
    pub fn flows_of<'a>(
        &'a self,
        record_type: &'a RecordType,
    ) -> impl Iterator<Item = (&'a Flow, Side)> + 'a {
        self.flows.iter().flat_map(move |flow| {
            Side::BOTH
                .into_iter()
                .filter(move |side| &flow.ends[side.index()].record_type == record_type)
                .map(move |side| (flow, side))
        })
    }

    /// Whether anything of a record type refers to the counterparts that a flow ties: a mapping or a match rule of one of its
    /// flows, or a companion that it owns.
    #[must_use]
    pub fn refers(&self, record_type: &RecordType, to: &str) -> bool {
        let leads = |through: &Reference| matches!(through, Reference::Flow(name) if name == to);
        let given =
            |value: &CompanionValue| matches!(value, CompanionValue::Linked { flow, .. } if flow == to);
        let mapped = |mapping: &Mapping| matches!(&mapping.kind, Kind::Reference(through) if leads(through));
        let mut flows = self.flows_of(record_type).map(|(flow, _)| flow);
        let mut rules = self.flows.iter().flat_map(|flow| &flow.companions);
        flows.any(|flow| {
            let mut agreements = flow.match_rules.iter().flat_map(MatchRule::agreements);
            let compared = |agreement: &Agreement| agreement.through.as_ref().is_some_and(leads);
            flow.mappings.iter().any(mapped) || agreements.any(compared)
        }) || rules.any(|rule| rule.owner == *record_type && rule.values.values().any(given))
    }

    /// All record types of a system, without repetition, in flow order.
    #[must_use]
    pub fn types_of(&self, system: &str) -> Vec<RecordType> {
        let mut seen = BTreeSet::new();
        let ends = self.flows.iter().flat_map(|flow| flow.ends.iter());
        ends.filter(|end| end.record_type.system == system && seen.insert(end.record_type.clone()))
            .map(|end| end.record_type.clone())
            .collect()
    }

    /// The place of a record type in the order parents before children: the index of the last flow that it
    /// is part of. Clusters of lower rank are reconciled and created first.
    #[must_use]
    pub fn rank(&self, record_type: &RecordType) -> usize {
        let part = |flow: &Flow| flow.ends.iter().any(|end| &end.record_type == record_type);
        self.flows.iter().rposition(part).unwrap_or(self.flows.len())
    }
}

/// A pair of record types kept in step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// Its name, such as `order-invoice`.
    pub name: String,
    /// The flow group: a record has at most one live link in the flows of a group.
    pub group: String,
    /// The two record types with what belongs to their side, first and second.
    pub ends: [End; 2],
    /// Match rules in order. The identity rules (external id, stamp) come before them and are not listed.
    pub match_rules: Vec<MatchRule>,
    /// What decides when no one value fits all contenders.
    pub conflict: ConflictPolicy,
    /// What decides when one side was deleted and the other edited.
    pub delete_against_edit: DeleteAgainstEdit,
    /// The property mappings that the bindings in use serve.
    pub mappings: Vec<Mapping>,
    /// Rows of the configuration that the bindings in use do not serve, for display.
    pub unserved: Vec<Unserved>,
    /// Records that a create on a side needs and that no flow covers.
    pub companions: Vec<CompanionRule>,
    /// Mass-delete guard.
    pub guard: Guard,
    /// Another flow that it supports, whose records its own are parts of: the lines of an order.
    pub supports: Option<Support>,
    /// Numbers that must be equal on linked records; compared, never written.
    pub equal: Vec<Equal>,
    /// What of a side's records a person approves first.
    #[serde(default)]
    pub guarded: [Guarded; 2],
    /// The role of the companion that its second side's records are for its first side's: those that were made
    /// before the flow was there are their counterparts.
    #[serde(default)]
    pub keeps: Option<String>,
}

/// What of a side's records a person approves first, because whoever may write the other system must not decide it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Guarded {
    /// Values by property: written only over what our own last write left there.
    pub values: BTreeMap<String, Value>,
    /// Links by a key that was written in the other system after the record was there.
    pub links: bool,
}

/// What a supporting flow is to the flow that it supports. The parent of a record is the one that its reference to
/// that flow names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Support {
    /// The supported flow.
    pub flow: String,
    /// The second side sums parts up in their parent without touching its version: the parent is read again after
    /// its parts moved.
    pub rolls_up: bool,
}

/// Two numbers that must be equal on linked records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Equal {
    /// Property names on the first and the second side.
    pub properties: [String; 2],
    /// Digits behind the point at which they are compared.
    pub scale: u32,
}

impl Flow {
    /// The end on a side.
    #[must_use]
    pub fn end(&self, side: Side) -> &End {
        &self.ends[side.index()]
    }

    /// The side a record type is on (the first, should it be on both).
    #[must_use]
    pub fn side_of(&self, record_type: &RecordType) -> Option<Side> {
        Side::BOTH
            .into_iter()
            .find(|side| &self.end(*side).record_type == record_type)
    }
}

/// What belongs to one side of a flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// The record type on this side.
    pub record_type: RecordType,
    /// The object or table that serves it (the binding in use), for display.
    pub object: String,
    /// Whether a record without a counterpart on the *other* side is created *here*.
    pub create: CreatePolicy,
    /// Whether this side is written at all.
    pub write: bool,
    /// What happens to the other side when a linked record of this side is deleted.
    pub on_delete: DeletePolicy,
    /// Where this side's records hold the identity of their counterpart, if they can: the external id
    /// `Customerp_Id__c` of Salesforce, the stamp `salesforceId` of Customerp.
    pub identity: Option<Identity>,
    /// Only records with these values belong to the flow (`Kind__c` = `Order`); given on create as constants.
    pub only: BTreeMap<String, Value>,
    /// Only records for which it holds belong to the flow. A linked record that leaves it is unlinked, never deleted.
    #[serde(default)]
    pub filter: Option<Filter>,
    /// Constants given on create besides the mappings' own.
    pub constants: BTreeMap<String, Value>,
    /// How a record of this side is put out of use where it cannot be deleted: property and own-form value.
    pub deactivate: Option<(String, Value)>,
    /// Whether a deactivation by us needs a person's approval.
    pub deactivate_needs_approval: bool,
    /// Properties of this side that no system has and that are computed out of others, by name.
    pub computed: BTreeMap<String, Computation>,
}

/// A property that holds the identity of the counterpart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The property's name.
    pub property: String,
    /// What stands before the counterpart's id (`Order:`), possibly nothing.
    pub prefix: String,
    /// The system refuses a second record with the same value: what makes a create safe to repeat.
    pub unique: bool,
}

impl Identity {
    /// The value that the property holds for a counterpart of that id.
    #[must_use]
    pub fn value(&self, counterpart: &str) -> Value {
        Value::Text(format!("{}{counterpart}", self.prefix))
    }
}

/// Whether records without a counterpart are created on a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CreatePolicy {
    /// Every one.
    On,
    /// None; they are listed.
    Off,
    /// Only records born after the first load of both systems.
    OnlyNew,
}

/// What decides a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ConflictPolicy {
    /// The latest edit wins.
    Latest,
    /// The contender of that side wins; several or none on it: the latest.
    Wins(Side),
    /// A person decides.
    Ask,
}

/// What decides between a deletion and an edit that it had not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeleteAgainstEdit {
    /// A person decides.
    Ask,
    /// The deleted record is created again.
    EditWins,
    /// The deletion goes on.
    DeleteWins,
}

/// What happens to the counterpart of a deleted record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeletePolicy {
    /// It is deleted too.
    Propagate,
    /// It is put out of use.
    Deactivate,
    /// The link ends; it stays and is not linked or created again.
    Unlink,
    /// The deleted record is created again from it.
    Recreate,
    /// A person decides.
    Ask,
    /// A person is asked; the answer offered first is to put it out of use.
    AskThenDeactivate,
}

/// Deletions, edits and first links beyond these wait for approval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    /// At most this many deletions in the window.
    pub count: u64,
    /// At most this share of the flow's links, in percent ...
    pub percent: u64,
    /// ... but never fewer than this many.
    pub at_least: u64,
    /// The window, in hours.
    pub hours: i64,
    /// Edits beyond these hold the flow; none: any number goes on.
    pub edits: Option<EditGuard>,
    /// First links that would overwrite beyond these wait; none: any number goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_links: Option<FirstLinkGuard>,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            count: 10,
            percent: 5,
            at_least: 3,
            hours: 24,
            edits: Some(EditGuard::default()),
            first_links: Some(FirstLinkGuard::default()),
        }
    }
}

/// When more links of a flow are edited from one side within the window than a share of them, and than a few in any
/// case, the flow is held until a person approves. First links are no edits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditGuard {
    /// This many pass in the smallest flow ...
    pub count: u64,
    /// ... and this share of the flow's links, in percent.
    pub percent: u64,
    /// The window, in hours.
    pub hours: i64,
}

impl Default for EditGuard {
    fn default() -> Self {
        Self {
            count: 10,
            percent: 30,
            hours: 1,
        }
    }
}

impl EditGuard {
    /// Whether that many edited links of so many are too many.
    #[must_use]
    pub fn is_passed(&self, edited: u64, links: u64) -> bool {
        edited > self.count && edited * 100 > links * self.percent
    }
}

/// When records are linked for the first time that hold different values, the flow's policy overwrites one of the two. More
/// of them at once than this wait until a person approves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstLinkGuard {
    /// At most this many ...
    pub count: u64,
    /// ... and at most this share of the flow's links, in percent ...
    pub percent: u64,
    /// ... but never fewer than this many.
    pub at_least: u64,
}

impl Default for FirstLinkGuard {
    fn default() -> Self {
        Self {
            count: 10,
            percent: 5,
            at_least: 3,
        }
    }
}

impl FirstLinkGuard {
    /// Whether that many of so many links are too many.
    #[must_use]
    pub fn is_passed(&self, overwritten: u64, links: u64) -> bool {
        overwritten > self.count.min((links * self.percent / 100).max(self.at_least))
    }
}

/// How one property of the first side answers to one of the second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mapping {
    /// Property names on the first and the second side. `id` on the first side is the record's own id.
    pub properties: [String; 2],
    /// Declared data types for display, first and second side, such as `string`, `currency(18,2)`.
    pub data_types: [String; 2],
    /// The canonical type with its converter.
    pub kind: Kind,
    /// Which way values travel.
    pub direction: Direction,
    /// The only side that the property comes from: it flows from the start.
    pub owned_by: Option<Side>,
    /// The side whose system gives a value on create where none is given; that value flows back.
    pub given_by: Option<Side>,
    /// What a create gets instead of following the direction.
    pub on_create: OnCreate,
    /// Whether a side refuses blank, first and second.
    pub never_blank: [bool; 2],
    /// Whether a side's system gives a value of its own on create where none is given (an owner, a default).
    pub filled_on_create: [bool; 2],
    /// Longest text a side holds, in characters, where limited.
    pub max_length: [Option<usize>; 2],
    /// What a create on the *first* side does when this reference has no counterpart yet.
    pub reverse: Reverse,
    /// Whether clearing the property is an edit that travels. Otherwise it is drift.
    pub blank_is_edit: bool,
    /// The values are a person's own and are masked in lists and logs.
    pub personal: bool,
    /// A conflict policy of its own; else the flow's.
    pub conflict: Option<ConflictPolicy>,
    /// The side that takes the property in a write of its own, apart from all others of the record.
    pub alone: Option<Side>,
    /// Canonical values that lock the record on that side with its parts. They are written last, once all parts
    /// are at rest; any other value is written first.
    pub locks: BTreeSet<String>,
    /// Whether a side takes the property on create only.
    pub create_only: [bool; 2],
    /// A create on the second side waits for the reference's counterpart.
    #[serde(default)]
    pub awaited: bool,
    /// What a side's record has for a reference whose record has no counterpart there and gets none.
    #[serde(default)]
    pub stand_in: [Option<StandIn>; 2],
    /// What to mind, from the configuration.
    pub note: String,
}

impl Mapping {
    /// The property's name on a side.
    #[must_use]
    pub fn property(&self, side: Side) -> &str {
        &self.properties[side.index()]
    }

    /// Whether the values are entries of a list, any number of them, which stand in a text with semicolons between
    /// them (`multipicklist`): their order is a system's habit.
    #[must_use]
    pub fn holds_entries(&self) -> bool {
        let named = |data_type: &String| data_type.split('(').next() == Some("multipicklist");
        self.kind == Kind::String && self.data_types.iter().any(named)
    }

    /// Whether values travel towards a side after the link.
    #[must_use]
    pub fn travels_to(&self, side: Side) -> bool {
        match self.direction {
            Direction::Both => true,
            Direction::To(to) => to == side,
        }
    }
}

/// A row of the configuration that the bindings in use do not serve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unserved {
    /// The first side's property.
    pub first: String,
    /// The second side's property where the row names one for another binding.
    pub second: Option<String>,
    /// Why: `Division has no such property`.
    pub why: String,
    /// The values are a person's own.
    pub personal: bool,
}

/// The canonical type of a mapping, with its converter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Kind {
    /// Text as it is. Surrounding white space and the kind of newline are habits, freed in canonical form.
    String,
    /// A whole number.
    Integer,
    /// A decimal at this many digits behind the point, rounded half away from zero.
    Decimal {
        /// Digits behind the point.
        scale: u32,
    },
    /// Yes or no.
    Boolean,
    /// A calendar day.
    Date,
    /// A moment, cut to whole seconds where `whole_seconds`.
    DateTime {
        /// Whether the coarser side keeps whole seconds only.
        whole_seconds: bool,
    },
    /// One of a list.
    Enum(EnumMap),
    /// The id of another record, translated through a link or a companion.
    Reference(Reference),
}

impl Kind {
    /// The own form of a text that a person gave; none where it is no value of the type.
    #[must_use]
    pub fn read(&self, text: &str) -> Option<Value> {
        let text = text.trim();
        if text.is_empty() {
            return Some(Value::Blank);
        }
        match self {
            Self::String | Self::Enum(_) | Self::Reference(_) => Some(Value::text(text)),
            Self::Integer => text.parse().ok().map(Value::Integer),
            Self::Decimal { .. } => text.parse().ok().map(Value::Decimal),
            Self::Boolean => text.parse().ok().map(Value::Boolean),
            Self::Date => text.parse().ok().map(Value::Date),
            Self::DateTime { .. } => text.parse().ok().map(Value::DateTime),
        }
    }
}

/// An enum's two vocabularies. Canonical names are the first side's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnumMap {
    /// First side's name to the second side's: total on the first side's values, possibly many to one.
    pub to_second: BTreeMap<String, String>,
    /// Second side's name to the first side's: the declared way back, one for each.
    pub to_first: BTreeMap<String, String>,
}

/// What a reference points to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Reference {
    /// A record of the named flow: first-side id here, second-side id there.
    Flow(String),
    /// The companion with the role (`Account`) of a first-side record of the named type.
    Companion {
        /// The companion's role: the name of its rule.
        role: String,
        /// The record type of its owner on the first side.
        of: RecordType,
    },
}

/// Which way values travel after the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// Both ways.
    Both,
    /// Towards one side only.
    To(Side),
}

/// What a create gets for a property.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum OnCreate {
    /// As the direction says.
    Follow,
    /// The source's value once, on creates on the second side; never written again.
    Value,
    /// This constant (own form of the second side), on creates on the second side.
    Constant(Value),
}

/// What stands in for a reference whose record has no counterpart and gets none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StandIn {
    /// Nothing: the record is created without it, and what it holds stays.
    Nothing,
    /// On create, this value in the side's own words; afterwards what the record holds stays.
    Value(String),
}

/// What a create on the first side does with a reference that has no counterpart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reverse {
    /// The property takes no part in creates on the first side unless it travels there.
    Follow,
    /// The create waits until there is one.
    Required,
    /// The create goes on without it.
    Optional,
}

/// One way to recognise two records as counterparts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchRule {
    /// All parts must have a value on both sides for the rule to decide.
    pub parts: Vec<MatchPart>,
    /// Where the key holds: records that differ in one of these are strangers, whatever their keys. Blank on a side:
    /// a person decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<Agreement>,
    /// None of these may differ, and at least one must be equal; else a person decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agree: Vec<Agreement>,
    /// Where all of these that have a value on both sides differ, a person decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contradicted_by: Vec<Agreement>,
}

impl MatchRule {
    /// A key that decides by itself.
    #[must_use]
    pub fn of(parts: Vec<MatchPart>) -> Self {
        Self {
            parts,
            ..Self::default()
        }
    }

    /// What must be true besides the key itself.
    pub fn agreements(&self) -> impl Iterator<Item = &Agreement> {
        let all = [&self.within, &self.agree, &self.contradicted_by];
        all.into_iter().flatten()
    }

    /// The properties of a side that the rule compares.
    pub fn properties(&self, side: Side) -> impl Iterator<Item = &str> {
        let parts = self.parts.iter().map(|part| &part.properties);
        let all = parts.chain(self.agreements().map(|agreement| &agreement.properties));
        all.map(move |properties| properties[side.index()].as_str())
    }
}

/// A property of each side that says whether two records with the same key are counterparts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// Property names on the first and the second side; `id` is the record's own id.
    pub properties: [String; 2],
    /// How texts are compared.
    pub normaliser: Normaliser,
    /// What the two refer through, where they are references.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<Reference>,
}

/// One property of a match rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchPart {
    /// Property names on the first and the second side; `id` is the record's own id.
    pub properties: [String; 2],
    /// How values are compared.
    pub normaliser: Normaliser,
}

/// How match values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Normaliser {
    /// Character by character.
    Exact,
    /// Without surrounding white space.
    Trim,
    /// Trimmed, white space runs as one blank, without regard to case, Unicode-normalised.
    CaseFold,
    /// Trimmed and case-folded e-mail address.
    Email,
    /// Digits of a telephone number; a leading `00` counts as `+`.
    Phone,
    /// Digits only.
    Digits,
}

/// How a record is found or made that a create needs and no flow covers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CompanionRule {
    /// Its role, unique in the dataflow: `Account`, `Opportunity`.
    pub role: String,
    /// The property of the created record (second side) that holds its id.
    pub property: String,
    /// The owner: the first-side record it belongs to, as a reference property of the flow's first end,
    /// or `id` for the created record's own source.
    pub of: String,
    /// The owner's record type.
    pub owner: RecordType,
    /// The type of the companion itself (system and object name as the connector knows it).
    pub record_type: RecordType,
    /// Companion properties to find it by, in order; the first one is its external id where it has one.
    pub find: Vec<String>,
    /// Its external-id property with prefix, where it has one.
    pub identity: Option<Identity>,
    /// Whether it may be created.
    pub create: bool,
    /// The values of a new one.
    pub values: BTreeMap<String, CompanionValue>,
}

/// Where a value of a new companion comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CompanionValue {
    /// A property of the owner, cut to no length: it must fit.
    Property(String),
    /// The first of these properties of the owner that has a value, else the constant.
    FirstOf(Vec<String>, Value),
    /// A constant in own form.
    Constant(Value),
    /// The companion of another role, whose owner the named reference property of this owner names.
    Companion {
        /// The other role.
        role: String,
        /// The reference property of this owner.
        of: String,
        /// The other owner's record type.
        owner: RecordType,
    },
    /// The counterpart in a flow of the record that the named reference property of this owner names.
    Linked {
        /// The flow.
        flow: String,
        /// The reference property of this owner.
        of: String,
    },
}

/// Ties a companion to its owner: role and first-side record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CompanionKey {
    /// The companion's role.
    pub role: String,
    /// The record it belongs to.
    pub owner: RecordKey,
}
