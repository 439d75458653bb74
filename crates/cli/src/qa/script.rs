//! What is done in which order: values of the records at their creation, drift of read-only sides, and edits
//! step by step. Pure: the same promise gives the same script.
//!
//! Record A of each type is edited on the first side, record B on the second. Properties that several flows share
//! (an Order's description is an Invoice's and a Salesforce Order's) are edited in one of them at a time. Lists and
//! yes-or-no come after everything else, entry by entry: what they switch off (an active user, an order's draft)
//! would refuse other edits.

use super::promise::{PromisedFlow, Row};
use super::sample::{Place, sample};
use std::collections::BTreeMap;
use tandem_merge::dataflow::{Direction, EnumMap, Kind, OnCreate, Reference, Side};
use tandem_merge::value::Value;

/// The step that samples of drift are made for.
const DRIFT: usize = 9;

/// A record of the run: its first side's type and a letter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Part {
    /// The first side's record type.
    pub(crate) of: String,
    /// `A` is edited on the first side, `B` on the second, all are there to be pointed to and deleted.
    pub(crate) letter: char,
}

impl Part {
    fn new(of: &str, letter: char) -> Self {
        Self {
            of: of.to_owned(),
            letter,
        }
    }
}

/// A canonical value, once the records of the run are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Spec {
    /// This value.
    Value(Value),
    /// The first side's record that plays the part.
    Points(Part),
}

/// Which row: the flow's place in the promise and the row's in the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RowAt {
    /// The flow.
    pub(crate) flow: usize,
    /// The row.
    pub(crate) row: usize,
}

/// One edit of one property of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    /// Whose.
    pub(crate) part: Part,
    /// On which side.
    pub(crate) side: Side,
    /// The row that names the property (the first of several on the first side).
    pub(crate) at: RowAt,
    /// The value.
    pub(crate) value: Spec,
}

/// What is done between two syncs.
pub(crate) type Scene = Vec<Edit>;

/// The whole script.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    /// The first side's values of new records, parents before children.
    pub(crate) births: Vec<(Part, BTreeMap<String, Spec>)>,
    /// Edits of read-only sides, which must not travel.
    pub(crate) drift: Scene,
    /// Edits that travel.
    pub(crate) steps: Vec<Scene>,
}

/// Writes the script of a promise. `run` marks its values; `rank` orders the first side's types, parents first.
pub(crate) fn script(promised: &[PromisedFlow], run: &str, rank: impl Fn(&str) -> usize) -> Script {
    let mut types: Vec<&str> = promised.iter().map(|flow| flow.types[0].as_str()).collect();
    types.sort_by_key(|name| (rank(name), *name));
    types.dedup();
    let letters: BTreeMap<String, usize> = types
        .iter()
        .map(|name| ((*name).to_owned(), players(promised, name)))
        .collect();
    let mut script = Script::default();
    for name in types {
        let writer = Writer {
            promised,
            run,
            of: name,
            players: &letters,
            groups: groups(promised, name),
        };
        writer.births(&mut script);
        writer.drift(&mut script.drift);
        writer.steps(&mut script.steps);
    }
    script
}

/// How many records of a type: one to delete on the first side, one per flow to delete on the second, and one to
/// point to for a type that refers to itself.
fn players(promised: &[PromisedFlow], of: &str) -> usize {
    let flows = promised.iter().filter(|flow| flow.types[0] == of);
    let to_itself = |flow: &PromisedFlow| {
        let own = flow.name.clone().unwrap_or_default();
        flow.rows
            .iter()
            .any(|row| row.mapping.kind == Kind::Reference(Reference::Flow(own.clone())) && row.editable[0])
    };
    let least = if flows.clone().any(to_itself) { 3 } else { 2 };
    (1 + flows.count()).clamp(least, 9)
}

/// The rows of a type by their first property, flow by flow.
fn groups(promised: &[PromisedFlow], of: &str) -> Vec<(String, Vec<RowAt>)> {
    let mut groups: Vec<(String, Vec<RowAt>)> = Vec::new();
    // Flows whose second type bears the same name first: they are the fuller ones.
    let mut order: Vec<usize> = (0..promised.len())
        .filter(|at| promised[*at].types[0] == of)
        .collect();
    order.sort_by_key(|at| promised[*at].types[0] != promised[*at].types[1]);
    for flow in order {
        for (row, promised_row) in promised[flow].rows.iter().enumerate() {
            let first = &promised_row.mapping.properties[0];
            let at = RowAt { flow, row };
            match groups.iter_mut().find(|(name, _)| name == first) {
                Some((_, rows)) => rows.push(at),
                None => groups.push((first.clone(), vec![at])),
            }
        }
    }
    groups
}

/// Writes the script of one first-side type.
struct Writer<'a> {
    promised: &'a [PromisedFlow],
    run: &'a str,
    of: &'a str,
    players: &'a BTreeMap<String, usize>,
    groups: Vec<(String, Vec<RowAt>)>,
}

impl Writer<'_> {
    fn row(&self, at: RowAt) -> &Row {
        &self.promised[at.flow].rows[at.row]
    }

    /// The rows of a group that the bindings serve.
    fn served(&self, group: &[RowAt]) -> Vec<RowAt> {
        let served = |at: &&RowAt| self.row(**at).unserved.is_none();
        group.iter().filter(served).copied().collect()
    }

    /// The longest text that fits everywhere the property goes.
    fn longest(&self, group: &[RowAt]) -> usize {
        let most = self.served(group).into_iter().filter_map(|at| {
            let limits = self.row(at).mapping.max_length;
            limits.into_iter().flatten().min()
        });
        most.min().unwrap_or(255)
    }

    /// A value of a group's row at a step; `pointing` to a record for references.
    fn value(
        &self,
        number: usize,
        at: RowAt,
        letter: char,
        step: usize,
        pointing: Option<Part>,
    ) -> Option<Spec> {
        let row = self.row(at);
        if matches!(row.mapping.kind, Kind::Reference(_)) {
            return pointing.map(Spec::Points);
        }
        let place = Place {
            run: self.run,
            letter,
            number,
            step,
            longest: self.longest(&self.groups[number].1),
        };
        sample(row, place).map(Spec::Value)
    }

    fn births(&self, script: &mut Script) {
        let count = self.players.get(self.of).copied().unwrap_or(2);
        for letter in letters(count) {
            let mut values = BTreeMap::new();
            for (number, (first, group)) in self.groups.iter().enumerate() {
                let served = self.served(group);
                let Some(at) = served.iter().find(|at| self.row(**at).given_on_create()) else {
                    continue;
                };
                if first == "id" {
                    continue;
                }
                if let Some(value) = self.born_with(number, *at, letter) {
                    values.insert(first.clone(), value);
                }
            }
            script.births.push((Part::new(self.of, letter), values));
        }
    }

    fn born_with(&self, number: usize, at: RowAt, letter: char) -> Option<Spec> {
        let row = self.row(at);
        match &row.mapping.kind {
            Kind::Boolean => Some(Spec::Value(Value::Boolean(true))),
            Kind::Enum(map) => Some(Spec::Value(born_entry(row, map)?)),
            Kind::Reference(through) => {
                let of = self.pointed_at(through)?;
                // A record cannot point to what is created with it: references of a type to itself come later.
                (of != self.of).then(|| Spec::Points(Part::new(&of, 'A')))
            }
            _ => self.value(number, at, letter, 0, None),
        }
    }

    /// The first side's record type that a reference leads to.
    fn pointed_at(&self, through: &Reference) -> Option<String> {
        match through {
            Reference::Companion { of, .. } => Some(of.name.clone()),
            Reference::Flow(name) => {
                let named = |flow: &&PromisedFlow| flow.name.as_ref() == Some(name);
                self.promised.iter().find(named).map(|flow| flow.types[0].clone())
            }
        }
    }

    /// What an edit points a reference to: the last record of the type.
    fn other(&self, through: &Reference) -> Option<Part> {
        let of = self.pointed_at(through)?;
        let last = letters(self.players.get(&of).copied().unwrap_or(2).min(3)).last()?;
        Some(Part::new(&of, last))
    }

    fn drift(&self, scene: &mut Scene) {
        for (number, (first, group)) in self.groups.iter().enumerate() {
            for at in self.served(group) {
                let row = self.row(at);
                let (side, letter) = match row.mapping.direction {
                    Direction::Both => continue,
                    Direction::To(Side::Second) => (Side::Second, 'B'),
                    Direction::To(Side::First) => (Side::First, 'A'),
                };
                if !row.editable[side.index()] || row.through_companion || first == "id" {
                    continue;
                }
                if let Some(value) = self.drifted(number, at, letter) {
                    let part = Part::new(self.of, letter);
                    scene.push(Edit {
                        part,
                        side,
                        at,
                        value,
                    });
                }
            }
        }
    }

    fn drifted(&self, number: usize, at: RowAt, letter: char) -> Option<Spec> {
        let row = self.row(at);
        match &row.mapping.kind {
            Kind::Boolean => Some(Spec::Value(Value::Boolean(true))),
            Kind::Enum(map) => {
                let born = born_entry(row, map);
                let other = entries(map)
                    .into_iter()
                    .find(|entry| Some(entry) != born.as_ref());
                other.map(Spec::Value)
            }
            Kind::Reference(through) => self.value(number, at, letter, DRIFT, self.other(through)),
            _ => self.value(number, at, letter, DRIFT, None),
        }
    }

    fn steps(&self, steps: &mut Vec<Scene>) {
        // Lists and yes-or-no begin when every flow has had its turn.
        let late = self.groups.iter().map(|(_, rows)| rows.len()).max().unwrap_or(1);
        for (number, (first, group)) in self.groups.iter().enumerate() {
            let served = self.served(group);
            let Some(leader) = served.first().copied() else {
                continue;
            };
            if first != "id" {
                let travels = |at: &&RowAt| {
                    let row = self.row(**at);
                    row.mapping.travels_to(Side::Second) && row.editable[0] && !row.through_companion
                };
                if let Some(at) = served.iter().find(travels) {
                    self.walk(number, *at, (Side::First, 'A'), late, 0, steps);
                }
            }
            let back = |at: &&RowAt| {
                let row = self.row(**at);
                row.mapping.travels_to(Side::First) && row.editable[1]
            };
            let span = self.values(number, leader, 'B', 0).len().max(1);
            for (turn, at) in served.iter().filter(back).enumerate() {
                self.walk(number, *at, (Side::Second, 'B'), late, turn * span, steps);
            }
        }
    }

    /// Adds the edits of one property, one step after the other.
    fn walk(
        &self,
        number: usize,
        at: RowAt,
        (side, letter): (Side, char),
        late: usize,
        turn: usize,
        steps: &mut Vec<Scene>,
    ) {
        let begin = if self.comes_late(at) { late + turn } else { turn };
        for (step, value) in self.values(number, at, letter, turn).into_iter().enumerate() {
            let step = begin + step;
            if steps.len() <= step {
                steps.resize(step + 1, Scene::new());
            }
            let part = Part::new(self.of, letter);
            steps[step].push(Edit {
                part,
                side,
                at,
                value,
            });
        }
    }

    fn comes_late(&self, at: RowAt) -> bool {
        matches!(self.row(at).mapping.kind, Kind::Boolean | Kind::Enum(_))
    }

    /// The values that a property takes one after the other: every entry of a list, both of yes-or-no, else one.
    fn values(&self, number: usize, at: RowAt, letter: char, turn: usize) -> Vec<Spec> {
        let row = self.row(at);
        match &row.mapping.kind {
            Kind::Boolean => [false, true].map(|yes| Spec::Value(Value::Boolean(yes))).into(),
            Kind::Enum(map) => {
                let born = born_entry(row, map);
                let others = entries(map)
                    .into_iter()
                    .filter(|entry| Some(entry) != born.as_ref());
                others.chain(born.clone()).map(Spec::Value).collect()
            }
            Kind::Reference(through) => {
                let value = self.value(number, at, letter, 1, self.other(through));
                value.into_iter().collect()
            }
            _ => self
                .value(number, at, letter, turn + 1, None)
                .into_iter()
                .collect(),
        }
    }
}

/// `A`, `B`, ...
pub(crate) fn letters(count: usize) -> impl DoubleEndedIterator<Item = char> {
    (b'A'..=b'Z')
        .take(count.min(26))
        .map(char::from)
        .collect::<Vec<_>>()
        .into_iter()
}

fn entries(map: &EnumMap) -> Vec<Value> {
    map.to_second.keys().cloned().map(Value::Text).collect()
}

/// The entry that a new record has: the constant of the create where there is one.
fn born_entry(row: &Row, map: &EnumMap) -> Option<Value> {
    match &row.mapping.on_create {
        OnCreate::Constant(Value::Text(second)) => map.to_first.get(second).cloned().map(Value::Text),
        _ => entries(map).into_iter().next(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::promise::tests::{flows, shipped};
    use super::*;
    use std::collections::BTreeSet;
    use tandem_merge::record::RecordType;

    fn written(promised: &[PromisedFlow]) -> Script {
        let flows = flows();
        script(promised, "tests", |name| {
            flows.rank(&RecordType::new("customerp", name))
        })
    }

    #[test]
    fn every_served_row_is_edited_on_each_side_that_it_travels_from() {
        let promised = shipped();
        let script = written(&promised);
        let edits: Vec<&Edit> = script.steps.iter().flatten().collect();
        for (flow, promised_flow) in promised.iter().enumerate() {
            for (place, row) in promised_flow.rows.iter().enumerate() {
                let first = &row.mapping.properties[0];
                if row.unserved.is_some() || row.through_companion || first == "id" {
                    continue;
                }
                let at = RowAt { flow, row: place };
                let of = &promised_flow.types[0];
                let named = |edit: &&Edit| {
                    let own = &promised[edit.at.flow].rows[edit.at.row].mapping.properties[0];
                    &edit.part.of == of && own == first
                };
                if row.mapping.travels_to(Side::Second) {
                    let made = edits.iter().any(|edit| edit.side == Side::First && named(edit));
                    assert!(made, "{of} {} is not edited on the first side", row.shown());
                }
                if row.mapping.travels_to(Side::First) {
                    let made = edits
                        .iter()
                        .any(|edit| edit.side == Side::Second && edit.at == at);
                    assert!(made, "{of} {} is not edited on the second side", row.shown());
                }
            }
        }
    }

    #[test]
    fn no_property_of_a_record_is_edited_twice_in_a_step() {
        let promised = shipped();
        for scene in written(&promised).steps {
            let mut seen = BTreeSet::new();
            for edit in &scene {
                let first = promised[edit.at.flow].rows[edit.at.row].mapping.properties[0].clone();
                assert!(seen.insert((edit.part.clone(), first)), "{edit:?}");
            }
        }
    }

    #[test]
    fn read_only_sides_are_edited_in_the_drift_alone() {
        let promised = shipped();
        let script = written(&promised);
        let against = |edit: &&Edit| {
            let row = &promised[edit.at.flow].rows[edit.at.row];
            !row.mapping.travels_to(edit.side.other())
        };
        assert!(script.drift.iter().all(|edit| against(&edit)));
        assert!(script.steps.iter().flatten().all(|edit| !against(&edit)));
        let drifts = |property: &str| {
            let named =
                |edit: &&Edit| promised[edit.at.flow].rows[edit.at.row].mapping.properties[0] == property;
            script.drift.iter().any(|edit| named(&edit))
        };
        assert!(drifts("totalAmount") && drifts("closed") && drifts("username"));
    }

    #[test]
    fn a_list_is_walked_entry_by_entry_and_ends_where_it_began() {
        let promised = shipped();
        let script = written(&promised);
        let walked: Vec<&Spec> = script
            .steps
            .iter()
            .flatten()
            .filter(|edit| {
                let row = &promised[edit.at.flow].rows[edit.at.row].mapping.properties;
                edit.part.of == "Project" && edit.side == Side::Second && row[0] == "status"
            })
            .map(|edit| &edit.value)
            .collect();
        assert_eq!(walked.len(), 5);
        let (_, born) = script
            .births
            .iter()
            .find(|(part, _)| part.of == "Project")
            .unwrap();
        assert_eq!(walked.last(), Some(&&born["status"]));
    }

    #[test]
    fn parents_are_born_before_children_and_named_by_the_run() {
        let script = written(&shipped());
        let place = |of: &str| script.births.iter().position(|(part, _)| part.of == of).unwrap();
        assert!(place("Customer") < place("Contact"));
        assert!(place("Quote") < place("Order"));
        let (part, values) = script
            .births
            .iter()
            .find(|(part, _)| part.of == "Product")
            .unwrap();
        let Spec::Value(Value::Text(name)) = &values["name"] else {
            panic!("{values:?}")
        };
        assert!(name.starts_with("QA-tests-A"), "{part:?} {name}");
    }
}
