//! How a record stands, component by component, for people: what is held to be current, who agrees with it, who is
//! behind, and what waits. Decides nothing.

use crate::cluster::{Anchor, Base, Cluster, Head, Parked, ParkedKind, Question, Record};
use crate::dataflow::{ConflictPolicy, Dataflow};
use crate::record::{Presence, RecordKey};
use crate::topology::{self, Component, Node};
use crate::value::Value;

/// One component of a record's cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The value held to be current; none where nothing has flowed yet.
    pub head: Option<Head>,
    /// What decides its conflicts.
    pub policy: ConflictPolicy,
    /// Values travel one way only.
    pub one_way: bool,
    /// The conflict about it that waits for an answer.
    pub question: Option<Question>,
    /// Its members, in order.
    pub members: Vec<MemberStanding>,
}

/// One member of a component.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberStanding {
    /// Record and property.
    pub at: Anchor,
    /// The value last seen there, own form.
    pub value: Value,
    /// What it and the head last agreed on.
    pub base: Option<Base>,
    /// How it stands towards the head.
    pub state: MemberState,
    /// Why it is not written.
    pub parked: Option<Parked>,
    /// Its edits count.
    pub source: bool,
    /// It is written.
    pub target: bool,
}

/// How a member stands towards the head (RULES section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemberState {
    /// It agrees.
    InStep,
    /// It is behind: a write is planned.
    Owed,
    /// It was edited on top of the head.
    Edited,
    /// It was edited and had not seen the head.
    Concurrent,
    /// Nothing travels from it, and it was changed there.
    Drifted,
    /// It has not been weighed yet.
    Joining,
    /// Its write is under way.
    InFlight,
    /// A person is asked.
    Asked,
    /// It waits for mending, or for another record.
    Parked,
    /// It is behind, and nothing is written to it.
    NotWritten,
    /// Its record is deleted.
    Gone,
    /// Its record can be seen no more, and nothing says that it was deleted.
    OutOfSight,
}

impl MemberState {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::InStep => "in step",
            Self::Owed => "behind",
            Self::Edited => "edited",
            Self::Concurrent => "edited meanwhile",
            Self::Drifted => "changed there",
            Self::Joining => "new",
            Self::InFlight => "being written",
            Self::Asked => "in conflict",
            Self::Parked => "waits",
            Self::NotWritten => "not written",
            Self::Gone => "gone",
            Self::OutOfSight => "out of sight",
        }
    }
}

/// How the components of a cluster stand in which a record takes part; of one property where one is named.
#[must_use]
pub fn explain(
    flows: &Dataflow,
    cluster: &Cluster,
    record: &RecordKey,
    property: Option<&str>,
) -> Vec<Standing> {
    let components = topology::components(flows, cluster, true);
    let about = |component: &&Component<'_>| {
        let mut nodes = component.nodes.iter();
        nodes.any(|node| {
            &node.at.record == record && property.is_none_or(|property| node.at.property == property)
        })
    };
    components
        .iter()
        .filter(about)
        .map(|component| standing(cluster, component))
        .collect()
}

fn standing(cluster: &Cluster, component: &Component<'_>) -> Standing {
    let head = component
        .nodes
        .iter()
        .find_map(|node| cluster.heads.get(&node.at));
    let question = cluster.questions.iter().find(|question| {
        let mut nodes = component.nodes.iter();
        question.answer.is_none() && nodes.any(|node| node.at == question.anchor)
    });
    let members = component.nodes.iter();
    Standing {
        head: head.cloned(),
        policy: component.policy(),
        one_way: component.one_way(),
        question: question.cloned(),
        members: members
            .map(|node| member(cluster, node, head, question))
            .collect(),
    }
}

fn member(
    cluster: &Cluster,
    node: &Node<'_>,
    head: Option<&Head>,
    question: Option<&Question>,
) -> MemberStanding {
    let record = cluster.records.get(&node.at.record);
    let value = topology::own_value(cluster, &node.at);
    let base = record.and_then(|record| record.bases.get(&node.at.property));
    let parked = record.and_then(|record| record.parked.get(&node.at.property));
    let state = state(node, record, &value, base, head, question.is_some());
    let stays = |parked: &&Parked| parked.kind == ParkedKind::Rewritten;
    let parked = parked.filter(|parked| state != MemberState::InStep || stays(parked));
    MemberStanding {
        at: node.at.clone(),
        value,
        base: base.cloned(),
        state: if parked.is_some() {
            MemberState::Parked
        } else {
            state
        },
        parked: parked.cloned(),
        source: node.source(),
        target: node.target(),
    }
}

fn state(
    node: &Node<'_>,
    record: Option<&Record>,
    value: &Value,
    base: Option<&Base>,
    head: Option<&Head>,
    asked: bool,
) -> MemberState {
    let Some(record) = record.filter(|record| record.alive()) else {
        let missing = record.is_some_and(|record| record.shadow.presence == Presence::Missing);
        return if missing {
            MemberState::OutOfSight
        } else {
            MemberState::Gone
        };
    };
    let writes = record.intent.as_ref().filter(|intent| intent.sent.is_some());
    if writes.is_some_and(|intent| intent.values.contains_key(&node.at.property)) {
        return MemberState::InFlight;
    }
    if asked {
        return MemberState::Asked;
    }
    let Some(base) = base else {
        return if head.is_none() {
            MemberState::InStep
        } else {
            MemberState::Joining
        };
    };
    let behind = head.is_some_and(|head| base.epoch < head.epoch);
    match (base.value != *value, behind) {
        (false, false) => MemberState::InStep,
        (true, _) if !node.source() => MemberState::Drifted,
        (true, false) => MemberState::Edited,
        (true, true) => MemberState::Concurrent,
        (false, true) if node.target() && !record.shadow.protected => MemberState::Owed,
        (false, true) => MemberState::NotWritten,
    }
}
