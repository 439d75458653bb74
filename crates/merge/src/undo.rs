//! Undo: a person takes back what history tells. The value that stood before becomes the head again, as any
//! resolution does: a new epoch, kept in history, and carried to all members by the ordinary way of the data. So an
//! undo can be undone itself.

use crate::cluster::{Anchor, Base, Cluster, Head, Record};
use crate::dataflow::{CreatePolicy, Dataflow, Flow, Side};
use crate::facts::Facts;
use crate::form::Form;
use crate::plan::{Event, EventKind, Plan};
use crate::reconcile;
use crate::record::{Observation, RecordKey, RecordType};
use crate::topology::{self, Component, Node};
use crate::trace::Trace;
use crate::value::Value;
use crate::work::Work;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A line of the history with its number.
pub type Line = (u64, Event);

/// How far a person goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct How {
    /// Later edits are overwritten as well.
    pub overwrite: bool,
    /// Records that were created are deleted, where nobody has edited them since.
    pub delete_created: bool,
    /// What is taken back, for the history: `run 12`.
    pub what: String,
}

/// What is to be taken back in one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The lines to take back, in the order of their numbers.
    pub lines: Vec<Line>,
    /// The other lines of the cluster's records that came after the first of these.
    pub later: Vec<Line>,
    /// Former counterparts that are known to be deleted.
    pub gone: BTreeSet<RecordKey>,
}

/// What taking back comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Undoing {
    /// The cluster's next state. Of no use where nothing goes back.
    pub plan: Plan,
    /// What goes back.
    pub back: Vec<Back>,
    /// What is left alone, and why.
    pub left: Vec<Left>,
}

/// Something that goes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Back {
    /// The record.
    pub record: RecordKey,
    /// What happens to it.
    pub what: Step,
}

/// What happens to a record when something is taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// A property gets a value back.
    Value {
        /// The property.
        property: String,
        /// What stands there now, own form.
        now: Value,
        /// What will stand there, own form.
        then: Value,
        /// Why it waits, where it does.
        waits: Option<String>,
    },
    /// It is deleted: its create is taken back.
    Delete,
    /// Its counterpart, which was deleted, is created again.
    Recreate {
        /// The former counterpart.
        counterpart: RecordKey,
    },
}

/// Something that is left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// The record.
    pub record: RecordKey,
    /// The property, where it is about one.
    pub property: Option<String>,
    /// Why, for people, without the record's name.
    pub reason: String,
    /// What to do.
    pub advice: String,
}

/// Why one thing is left alone: the place, the reason, the advice.
type Reason = (Anchor, String, String);

/// A component whose head moved: its anchor, and its members with what stands there now.
type Moved = (Anchor, Vec<(Anchor, Value)>);

/// Takes lines of the history back.
#[must_use]
pub fn undo(
    flows: &Dataflow,
    cluster: Cluster,
    inbox: Vec<Observation>,
    wanted: &Wanted,
    how: &How,
    facts: &Facts,
) -> Undoing {
    let between = |work: &mut Work<'_>| work.take_back(wanted, how);
    let (plan, _, mut told) = reconcile::decide(flows, cluster, inbox, Vec::new(), &[], facts, between);
    for (anchor, members) in std::mem::take(&mut told.moved) {
        let head = plan.cluster.heads.get(&anchor);
        let steps = members
            .into_iter()
            .filter_map(|(at, now)| step(&plan, head?, at, now));
        told.back.extend(steps);
    }
    Undoing {
        plan,
        back: told.back,
        left: told.left,
    }
}

/// What a member gets in the end; nothing where it holds the value already.
fn step(plan: &Plan, head: &Head, at: Anchor, now: Value) -> Option<Back> {
    let record = plan.cluster.records.get(&at.record)?;
    let planned = record.intent.as_ref().filter(|intent| intent.sent.is_none());
    let planned = planned.and_then(|intent| intent.values.get(&at.property));
    let parked = record.parked.get(&at.property);
    let behind = record
        .bases
        .get(&at.property)
        .is_none_or(|base| base.epoch < head.epoch);
    let (then, waits) = match (planned, parked) {
        (Some(planned), _) => (planned.value.clone(), None),
        (None, Some(parked)) => (head.value.clone(), Some(parked.reason.clone())),
        (None, None) if behind && record.in_flight() => {
            (head.value.clone(), Some("a write is under way".to_owned()))
        }
        (None, None) => return None,
    };
    let what = Step::Value {
        property: at.property,
        now,
        then,
        waits,
    };
    Some(Back {
        record: at.record,
        what,
    })
}

/// What was found while the cluster was on the bench.
#[derive(Default)]
struct Told {
    back: Vec<Back>,
    left: Vec<Left>,
    /// Components whose head moved.
    moved: Vec<Moved>,
}

impl Told {
    fn leave(&mut self, (at, reason, advice): Reason) {
        let property = Some(at.property).filter(|name| !name.is_empty());
        self.left.push(Left {
            record: at.record,
            property,
            reason,
            advice,
        });
    }
}

/// The lines about one component.
struct Touched<'w> {
    lines: Vec<&'w Line>,
    /// The head's epochs that they led to, the first and the last; 0 where unknown.
    first: u64,
    last: u64,
}

impl<'a> Work<'a> {
    fn take_back(&mut self, wanted: &Wanted, how: &How) -> Told {
        let mut told = Told::default();
        let components = topology::components(self.flows, &self.cluster, false);
        let mut covered: BTreeSet<u64> = BTreeSet::new();
        for component in &components {
            let of = |line: &&Line| self.is_about(component, &line.1);
            let lines: Vec<&Line> = wanted.lines.iter().filter(of).collect();
            let (Some(first), Some(last)) = (lines.first(), lines.last()) else {
                continue;
            };
            covered.extend(lines.iter().map(|(number, _)| *number));
            let touched = Touched {
                first: first.1.epoch,
                last: last
                    .1
                    .epoch
                    .max(lines.iter().map(|line| line.1.epoch).max().unwrap_or(0)),
                lines,
            };
            match self.give_back(component, &touched, wanted, how) {
                Ok(moved) => told.moved.push(moved),
                Err(reason) => told.leave(*reason),
            }
        }
        let rest = wanted
            .lines
            .iter()
            .filter(|(number, _)| !covered.contains(number));
        let mut named = BTreeSet::new();
        for (_, event) in rest {
            self.take_back_record(event, wanted, how, &mut named, &mut told);
        }
        told
    }

    fn is_about(&self, component: &Component<'_>, event: &Event) -> bool {
        let Some(property) = &event.property else {
            return false;
        };
        let tells = !matches!(event.what, EventKind::Parked { .. });
        let mut nodes = component.nodes.iter();
        tells && nodes.any(|node| node.at.record == event.record && &node.at.property == property)
    }

    /// Makes the value before the change the head again, or says why not.
    fn give_back(
        &mut self,
        component: &Component<'a>,
        touched: &Touched<'_>,
        wanted: &Wanted,
        how: &How,
    ) -> Result<Moved, Box<Reason>> {
        let nodes: Vec<&Node<'a>> = component
            .nodes
            .iter()
            .filter(|node| self.takes_part(node))
            .collect();
        let place = touched.lines[0].1.clone();
        let place = Anchor {
            record: place.record,
            property: place.property.unwrap_or_default(),
        };
        let say = |reason: String, advice: &str| Box::new((place.clone(), reason, advice.to_owned()));
        let anchor = component.nodes.iter().map(|node| &node.at);
        let anchor = anchor
            .into_iter()
            .find(|at| self.cluster.heads.contains_key(at))
            .cloned();
        let Some((anchor, head)) =
            anchor.and_then(|at| Some((at.clone(), self.cluster.heads.get(&at)?.clone())))
        else {
            return Err(say(
                "nothing is held of it any more".to_owned(),
                "change it by hand",
            ));
        };
        let asked = self.cluster.questions.iter();
        if asked
            .into_iter()
            .any(|question| component.nodes.iter().any(|node| node.at == question.anchor))
        {
            return Err(say(
                "a conflict about it waits for an answer".to_owned(),
                "answer it with `tandem resolve`",
            ));
        }
        if !how.overwrite
            && let Some(reason) = self.edited_since(&nodes, &head, touched, wanted)
        {
            return Err(say(reason, "add --force to overwrite it"));
        }
        let value = self
            .value_before(&nodes, touched)
            .map_err(|(reason, advice)| say(reason, advice))?;
        if value == head.value {
            return Err(say(
                "the value before stands there already".to_owned(),
                "nothing to do",
            ));
        }
        if let Some(reason) = self.unwritable(&nodes, &value) {
            return Err(say(reason, "change it there"));
        }
        Ok(self.move_back(&nodes, anchor, &head, value, how))
    }

    fn move_back(
        &mut self,
        nodes: &[&Node<'a>],
        anchor: Anchor,
        head: &Head,
        value: Value,
        how: &How,
    ) -> Moved {
        let now: Vec<(Anchor, Value)> = nodes
            .iter()
            .map(|node| (node.at.clone(), topology::own_value(&self.cluster, &node.at)))
            .collect();
        for (node, (at, own)) in nodes.iter().zip(&now) {
            let record = self.cluster.records.get_mut(&at.record);
            let Some(record) = record.filter(|_| node.source()) else {
                continue;
            };
            // Seen and overruled: whatever stands there is no contender any more.
            let epoch = record.bases.get(&at.property).map_or(0, |base| base.epoch);
            let base = Base {
                value: own.clone(),
                epoch: epoch.min(head.epoch),
            };
            record.bases.insert(at.property.clone(), base);
        }
        let flow = nodes.first().map(|node| node.parts[0].flow.name.clone());
        let what = EventKind::Undone {
            old: head.value.clone(),
            new: value.clone(),
        };
        let next = Head {
            value,
            epoch: head.epoch + 1,
            // As old as what it takes back: an edit made since that nobody has seen yet is the later one.
            span: head.span,
            origin: None,
            before: None,
            rewritten: 0,
        };
        let why = format!("{} was taken back by a person", how.what);
        self.note_at(
            (next.epoch, Trace::of_head(&anchor, &next)),
            &anchor.record.clone(),
            Some(&anchor.property.clone()),
            flow.as_deref(),
            what,
            why,
        );
        self.cluster.heads.insert(anchor.clone(), next);
        (anchor, now)
    }

    /// Why the component is not as the change left it.
    fn edited_since(
        &self,
        nodes: &[&Node<'a>],
        head: &Head,
        touched: &Touched<'_>,
        wanted: &Wanted,
    ) -> Option<String> {
        let edited = nodes.iter().find(|node| {
            let own = topology::own_value(&self.cluster, &node.at);
            let record = self.record(&node.at.record);
            let base = record.and_then(|record| record.bases.get(&node.at.property));
            node.source() && base.is_none_or(|base| base.value != own)
        });
        if let Some(node) = edited {
            let by = self
                .record(&node.at.record)
                .and_then(|record| record.shadow.author.as_deref());
            return Some(told_edit(&node.at, by));
        }
        let moved = match touched.last {
            0 => !self.holds_still(nodes, head, touched),
            last => head.epoch > last,
        };
        if !moved {
            return None;
        }
        let later = wanted.later.iter().rev().map(|(_, event)| event);
        let about = |event: &&Event| {
            let mut all = nodes.iter();
            all.any(|node| {
                node.at.record == event.record && Some(&node.at.property) == event.property.as_ref()
            })
        };
        let found = later
            .into_iter()
            .filter(about)
            .find_map(|event| match &event.what {
                EventKind::Edited { author, .. } => {
                    let at = Anchor {
                        record: event.record.clone(),
                        property: event.property.clone().unwrap_or_default(),
                    };
                    Some(told_edit(&at, author.as_deref()))
                }
                EventKind::Undone { .. } => Some("was taken back since".to_owned()),
                EventKind::Conflict { .. } => Some("a conflict was settled since".to_owned()),
                _ => None,
            });
        Some(found.unwrap_or_else(|| "was edited since".to_owned()))
    }

    /// Of lines without an epoch: the head still is what the last of them left.
    fn holds_still(&self, nodes: &[&Node<'a>], head: &Head, touched: &Touched<'_>) -> bool {
        let left = touched.lines.iter().rev().find_map(|(_, event)| {
            let node = node_of(nodes, event)?;
            match &event.what {
                EventKind::Edited { new, .. } | EventKind::Wrote { new, .. } => {
                    self.form(node).decode(new).ok()
                }
                EventKind::Undone { new, .. } => Some(new.clone()),
                EventKind::Conflict { winner, .. } => winner.clone(),
                _ => None,
            }
        });
        left.is_some_and(|value| value == head.value)
    }

    /// The canonical value that stood before the change: what its writes overwrote, else what was edited. Where
    /// several different ones stood there, none is guessed.
    fn value_before(
        &self,
        nodes: &[&Node<'a>],
        touched: &Touched<'_>,
    ) -> Result<Value, (String, &'static str)> {
        const LOST: (&str, &str) = ("the value before cannot be carried any more", "change it by hand");
        let lost = |_| (LOST.0.to_owned(), LOST.1);
        let mut overwritten: BTreeMap<&Anchor, Value> = BTreeMap::new();
        let mut edited = None;
        for (_, event) in &touched.lines {
            let Some(node) = node_of(nodes, event) else {
                continue;
            };
            match &event.what {
                EventKind::Undone { old, .. } if edited.is_none() => edited = Some(old.clone()),
                EventKind::Edited { old, .. } if edited.is_none() => {
                    edited = Some(self.form(node).decode(old).map_err(lost)?);
                }
                EventKind::Wrote { old, .. } if event.epoch == touched.first && node.source() => {
                    let value = self.form(node).decode(old).map_err(lost)?;
                    overwritten.entry(&node.at).or_insert(value);
                }
                _ => {}
            }
        }
        let mut values: Vec<Value> = overwritten.into_values().collect();
        values.sort();
        values.dedup();
        match (values.as_slice(), edited) {
            ([one], _) => Ok(one.clone()),
            ([], Some(value)) => Ok(value),
            ([], None) => Err((
                "this line itself overwrote nothing".to_owned(),
                "take a write or its run back: `tandem history` shows them",
            )),
            _ => Err((
                format!("{} different values stood there before", values.len()),
                "take one of its writes back by number: `tandem history` shows them",
            )),
        }
    }

    /// A member that nothing is written to and that holds something else: the undo would put them apart.
    fn unwritable(&self, nodes: &[&Node<'a>], value: &Value) -> Option<String> {
        let keeps = nodes.iter().find(|node| {
            let form: Form<'_> = self.form(node);
            let protected = self
                .record(&node.at.record)
                .is_some_and(|record| record.shadow.protected);
            let writes = node.target() && !protected;
            node.source() && !writes && !form.fits(value, &topology::own_value(&self.cluster, &node.at))
        });
        keeps.map(|node| format!("it comes from {}, where nothing is written to it", node.at.record))
    }

    /// What is not about the values of linked records.
    fn take_back_record(
        &mut self,
        event: &Event,
        wanted: &Wanted,
        how: &How,
        named: &mut BTreeSet<RecordKey>,
        told: &mut Told,
    ) {
        let record = &event.record;
        let at = |property: Option<&String>| Anchor {
            record: record.clone(),
            property: property.cloned().unwrap_or_default(),
        };
        let mut leave =
            |reason: &str, advice: &str| told.leave((at(None), reason.to_owned(), advice.to_owned()));
        match &event.what {
            EventKind::Created => self.unmake(record, wanted, how, told),
            EventKind::Deleted if named.insert(record.clone()) => {
                leave(
                    "was deleted",
                    "restore it in its system, or restore its counterpart first",
                );
            }
            EventKind::Unlinked { from } => {
                self.create_again(record, event.flow.as_deref(), from, wanted, told)
            }
            EventKind::Linked { with } => {
                let created = |(_, other): &Line| {
                    matches!(other.what, EventKind::Created)
                        && (&other.record == record || &other.record == with)
                };
                if !wanted.lines.iter().any(created) {
                    leave(
                        &format!("was linked with {with}, and stays so"),
                        "end the link by hand",
                    );
                }
            }
            EventKind::Merged { into } => {
                leave(&format!("follows its counterpart into {into}"), "nothing to do")
            }
            EventKind::Wrote { .. } | EventKind::Edited { .. } | EventKind::Undone { .. } => {
                let alive = self.record(record).is_some_and(Record::alive);
                let property = event.property.clone().unwrap_or_default();
                if alive && !self.is_identity(&record.record_type, &property) && named.insert(record.clone())
                {
                    told.leave((
                        at(event.property.as_ref()),
                        "is tied to nothing any more".to_owned(),
                        "change it by hand".to_owned(),
                    ));
                }
            }
            _ => {}
        }
    }

    fn is_identity(&self, of: &RecordType, property: &str) -> bool {
        let mut uses = self.flows.flows_of(of);
        uses.any(|(flow, side)| {
            let identity = flow.end(side).identity.as_ref();
            identity.is_some_and(|identity| identity.property == property)
        })
    }

    /// Takes a create back: the record is unlinked, and deleted as long as it stays as it is.
    fn unmake(&mut self, key: &RecordKey, wanted: &Wanted, how: &How, told: &mut Told) {
        let at = Anchor {
            record: key.clone(),
            property: String::new(),
        };
        let mut leave =
            |reason: &str, advice: &str| told.leave((at.clone(), reason.to_owned(), advice.to_owned()));
        let Some(record) = self.record(key).filter(|record| record.alive()) else {
            return;
        };
        if !how.delete_created {
            return leave(
                "was created",
                "add --delete-created to delete it, where nobody has edited it",
            );
        }
        if record.in_flight() || record.newborn.is_some() {
            return leave(
                "was created, and is not at rest yet",
                "run `tandem sync`, then try again",
            );
        }
        let mut lines = wanted.lines.iter().chain(&wanted.later);
        let edited = lines.any(|(_, event)| {
            &event.record == key
                && matches!(event.what, EventKind::Edited { .. } | EventKind::Conflict { .. })
        });
        if edited || self.differs_from_base(key) {
            return leave("was created, and was edited since", "delete it by hand");
        }
        if record.shadow.protected {
            return leave("was created, and may not be written", "delete it by hand");
        }
        let tied = |link: &&crate::cluster::Link| &link.first == key || &link.second == key;
        let links: Vec<_> = self.cluster.links.iter().filter(tied).cloned().collect();
        if links.is_empty() {
            return leave(
                "was created, and is linked with nothing any more",
                "delete it by hand",
            );
        }
        for link in &links {
            let gone = if &link.first == key {
                Side::First
            } else {
                Side::Second
            };
            self.unlink(link, gone, "its create was taken back by a person");
        }
        let values = self.mapped_values(key);
        if let Some(record) = self.cluster.records.get_mut(key) {
            record.unmade = Some(values);
        }
        self.settle_unmade();
        told.back.push(Back {
            record: key.clone(),
            what: Step::Delete,
        });
    }

    fn differs_from_base(&self, key: &RecordKey) -> bool {
        self.record(key).is_some_and(|record| {
            let mut bases = record.bases.iter();
            bases.any(|(property, base)| property != "id" && &base.value != record.value(property))
        })
    }

    /// Takes back what a deletion did to a record that is still there: its counterpart is created again.
    fn create_again(
        &mut self,
        key: &RecordKey,
        flow: Option<&str>,
        from: &RecordKey,
        wanted: &Wanted,
        told: &mut Told,
    ) {
        let at = Anchor {
            record: key.clone(),
            property: String::new(),
        };
        let mut leave = |reason: String, advice: &str| told.leave((at.clone(), reason, advice.to_owned()));
        let Some(flow) = flow.and_then(|name| self.flows.flow(name)) else {
            return;
        };
        let free = !self.linked_in_group(key, &flow.group);
        let alive = self.record(key).is_some_and(Record::alive);
        if !wanted.gone.contains(from) {
            return leave(
                format!("was unlinked from {from}, and stays so"),
                "link them by hand",
            );
        }
        if !alive || !free {
            return;
        }
        if creates(flow, key) == CreatePolicy::Off {
            let reason = format!(
                "its counterpart {from} was deleted, and {} creates none",
                flow.name
            );
            return leave(reason, "create it by hand");
        }
        if let Some(record) = self.cluster.records.get_mut(key) {
            record.suppressed.remove(&flow.name);
        }
        told.back.push(Back {
            record: key.clone(),
            what: Step::Recreate {
                counterpart: from.clone(),
            },
        });
    }
}

/// Whether a flow creates counterparts of a record.
fn creates(flow: &Flow, key: &RecordKey) -> CreatePolicy {
    let side = flow.side_of(&key.record_type).unwrap_or(Side::First);
    flow.end(side.other()).create
}

fn node_of<'n, 'a>(nodes: &[&'n Node<'a>], event: &Event) -> Option<&'n Node<'a>> {
    let property = event.property.as_ref()?;
    let of = |node: &&&'n Node<'a>| node.at.record == event.record && &node.at.property == property;
    nodes.iter().find(of).copied()
}

fn told_edit(at: &Anchor, author: Option<&str>) -> String {
    let by = author.map(|name| format!(" by {name}")).unwrap_or_default();
    format!("{} was edited in {} since{by}", at.property, at.record)
}
